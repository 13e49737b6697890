/* SPDX-License-Identifier: BSD-3-Clause */
/** Whole HDF5 files: what is in one, copies with other chunks and compression. */
#ifndef CLAST_HDF5_H
#define CLAST_HDF5_H

#include <stdbool.h>

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes a description of a file, or of one object in it where path is not NULL:
 * names, shapes, dtypes, chunks, filters, sizes, attributes. Reads no data.
 * CLAST_ENOENT, CLAST_EACCESS, CLAST_EFORMAT. */
CLAST_API clast_status clast_hdf5_info(clast_ctx *ctx, const char *file,
                                       const char *path, clast_text_fn *write,
                                       void *arg);

/** The same as one JSON object, with attributes' values; docs/tools.md describes it. */
CLAST_API clast_status clast_hdf5_info_json(clast_ctx *ctx, const char *file,
                                            const char *path, clast_text_fn *write,
                                            void *arg);

/** Chunks that datasets of a copy get. */
typedef struct clast_copy_chunks {
    const char *path;      /**< of one dataset; NULL: every dataset of this rank */
    int ndim;              /**< 0: chunks near 1 MiB, whatever the rank */
    const int64_t *length; /**< ndim numbers, -1: the whole axis */
} clast_copy_chunks;

typedef struct clast_copy_options {
    int nchunks; /**< entries of `chunks`; 0: datasets keep theirs */
    const clast_copy_chunks *chunks; /**< one with the dataset's path wins, then the
                                        first of its rank, then one for all ranks */
    int gzip;       /**< 0: datasets keep their filters; -1: no compression; 1 to 9:
                             deflate level. Checksums (fletcher32) stay */
    int shuffle;    /**< 0, 1: with gzip; -1: no */
    bool overwrite; /**< an existing file is replaced; otherwise CLAST_EEXIST */
    bool no_sync;   /**< leave out the fsyncs before the file appears */
    uint64_t reserved[4]; /**< zero */
} clast_copy_options;

/**
 * Copies an HDF5 file, or what is in one of its groups, and stores numbers in other
 * chunks or compressed otherwise on the way.
 *
 * Everything is copied: groups, datasets, committed types, attributes, comments, hard
 * links as links to one object, soft and external links as they are, cycles, unlimited
 * axes, fill values, orders of creation. No value changes: elements are copied as the
 * bytes that they are stored in. References lead to the same paths in the copy; those
 * to objects that are not copied become null.
 *
 * Datasets whose storage changes are those of numbers, and whatever else has elements
 * of 1, 2, 4, 8 or 16 bytes without pointers; others, virtual ones and those in
 * external files stay stored as they are, and so do datasets of less than 1 KiB that
 * are not chunked, unless named.
 *
 * @param in       the file; may be `out`
 * @param group    what is copied, to the copy's root; NULL: everything
 * @param options  NULL: a plain copy
 * @return         CLAST_OK; the copy appears whole, by rename, or not at all
 * @errors         CLAST_EVALUE, CLAST_ENOENT a path in `chunks` that no dataset has,
 *                 no such file, group or folder; CLAST_EEXIST, CLAST_EACCESS,
 *                 CLAST_EFORMAT, CLAST_ENOTSUP a reserved field, a filter that cannot
 *                 be undone; in a run those of clast_compute()
 * @cost           data whose storage changes goes through runs of up to 64 datasets
 *                 each: read once where the budget allows, filtered by the workers. All
 *                 else is copied by libhdf5, one thread, without being decoded. The
 *                 table of objects, about 100 bytes each, is in the budget.
 *                 clast_ctx_stats() gives the sums of the runs
 */
CLAST_API clast_status clast_hdf5_copy(clast_ctx *ctx, const char *in,
                                       const char *group, const char *out,
                                       const clast_copy_options *options);

#ifdef __cplusplus
}
#endif
#endif
