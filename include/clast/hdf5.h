/* SPDX-License-Identifier: BSD-3-Clause */
/** Whole HDF5 files: what is in one, copies with other chunks and compression, and
 * comparing arrays. */
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

typedef struct clast_info_options {
    bool json;            /**< as clast_hdf5_info_json(); of no effect on
                             clast_hdf5_datasets_with() */
    bool untrusted;       /**< nobody vouches for the file: libhdf5 opens it in another
                             process only; docs/untrusted.md */
    uint64_t reserved[4]; /**< zero */
} clast_info_options;

/** The same with options; NULL: none. What comes of an untrusted file is plain text:
 * UTF-8 without what a terminal obeys, and at most 32 MiB, for which the budget must
 * have room meanwhile.
 * Moreover CLAST_ENOTSUP a reserved field, a link to another file on the path of an
 * untrusted one, more text; CLAST_EBUDGET; CLAST_EFORMAT the process that read an
 * untrusted file crashed, or took more than 5 seconds of its processor. */
CLAST_API clast_status clast_hdf5_info_with(clast_ctx *ctx, const char *file,
                                            const char *path,
                                            const clast_info_options *options,
                                            clast_text_fn *write, void *arg);

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
    int gzip;       /**< 0: datasets keep their filters, or as `compress` says; -1: no
                         compression; 1 to 9: deflate level. Checksums (fletcher32)
                         stay */
    int shuffle;    /**< where filters are not kept: 0: as is usual with what is asked
                         for; -1: no; 1: yes */
    bool overwrite; /**< an existing file is replaced; otherwise CLAST_EEXIST */
    bool no_sync;   /**< leave out the fsyncs before the file appears */
    const char *compress; /**< as in clast_hdf5_options; NULL: as `gzip` says */
    uint64_t reserved[3]; /**< zero */
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
 * @errors         CLAST_EVALUE, also `compress` and `gzip` both; CLAST_ENOENT a path in
 *                 `chunks` that no dataset has, no such file, group or folder;
 *                 CLAST_EEXIST, CLAST_EACCESS, CLAST_EFORMAT, CLAST_ENOTSUP a reserved
 *                 field, a filter that cannot be undone, a codec that this build lacks;
 *                 in a run those of clast_compute()
 * @cost           data whose storage changes goes through runs of up to 64 datasets
 *                 each: read once where the budget allows, filtered by the workers. All
 *                 else is copied by libhdf5, one thread, without being decoded. The
 *                 table of objects, about 100 bytes each, is in the budget.
 *                 clast_ctx_stats() gives the sums of the runs
 */
CLAST_API clast_status clast_hdf5_copy(clast_ctx *ctx, const char *in,
                                       const char *group, const char *out,
                                       const clast_copy_options *options);

typedef struct clast_compare_options {
    double rtol, atol;    /**< elements differ where |a - b| > atol + rtol * |b| */
    bool nan_differs;     /**< two NaNs in one place are a difference too */
    uint64_t reserved[4]; /**< zero */
} clast_compare_options;

/** What clast_compare() found. Numbers are 0 where shapes differ. */
typedef struct clast_comparison {
    bool is_equal; /**< shape, dtype, and no element differs */
    bool same_shape, same_dtype;
    bool is_integer; /**< both are bool or integers: largest_integer holds */
    int ndim;        /**< of the first array: numbers in `where` */
    int64_t count, different;
    int64_t one_nan; /**< elements of which one side only is NaN (either side, where
                        nan_differs): they are among `different`, not in `largest` */
    double largest;  /**< |a - b|, in tolerance or not */
    uint64_t largest_integer;    /**< the same, exactly */
    double largest_relative;     /**< |a - b| / |b| */
    int64_t where[CLAST_MAXDIM]; /**< index of the first `largest` in C order */
    int64_t where_relative[CLAST_MAXDIM];
} clast_comparison;

/**
 * Compares two arrays, element by element, in one run that reads each once.
 *
 * Integers and bools are compared exactly, uint64 beside negative numbers too; what is
 * no integer in float64 or complex128. Equal infinities are equal, and two NaNs unless
 * the options say otherwise.
 *
 * @param options  NULL: no tolerance
 * @return         CLAST_OK, whether they are equal or not
 * @errors         what the arrays are poisoned with; CLAST_ECONTEXT; CLAST_EVALUE a
 *                 negative tolerance, NULL; CLAST_ENOTSUP a reserved field; those of
 *                 clast_compute()
 * @cost           one read of each chunk of both
 */
CLAST_API clast_status clast_compare(clast_array *a, clast_array *b,
                                     const clast_compare_options *options,
                                     clast_comparison *result);

/** The names of all datasets of a file, in the order of their paths' parts; one with
 * several links by the first. `fn` may not use the context.
 *
 * @return  CLAST_OK; CLAST_ENOENT, CLAST_EACCESS, CLAST_EFORMAT */
CLAST_API clast_status clast_hdf5_datasets(clast_ctx *ctx, const char *file,
                                           clast_text_fn *fn, void *arg);

/** The same with options; NULL: none. Names may have any bytes but zeros in them.
 * Errors as of clast_hdf5_info_with(). */
CLAST_API clast_status clast_hdf5_datasets_with(clast_ctx *ctx, const char *file,
                                                const clast_info_options *options,
                                                clast_text_fn *fn, void *arg);

/** A chunk, by its position in the grid of chunks. */
typedef void clast_chunk_fn(void *arg, int ndim, const int64_t *chunk);

/**
 * Which chunks of a dataset cannot be read or decoded: for one that a run has failed
 * on, as a run ends at the first. `fn`, which may not use the context, is called for
 * each of them in C order.
 *
 * @param chunks  set to how many the dataset has; 0 where it is not stored in chunks
 * @return        CLAST_OK, whether any is damaged or none
 * @errors        CLAST_ENOENT, CLAST_EACCESS, CLAST_EFORMAT the dataset cannot be
 *                opened; CLAST_EDTYPE, CLAST_ESHAPE; CLAST_EBUDGET no room for a chunk;
 *                CLAST_ECANCELED; CLAST_EVALUE NULL
 * @cost          reads and decodes each chunk once, on all workers
 */
CLAST_API clast_status clast_hdf5_damage(clast_ctx *ctx, const char *file,
                                         const char *path, int64_t *chunks,
                                         clast_chunk_fn *fn, void *arg);

/**
 * Compares two datasets of any type by what their elements are: for those that no array
 * can be made of. Strings of variable length and sequences by their contents,
 * references by the paths that they lead to, all else byte by byte.
 *
 * @param is_equal  set to whether type, shape and elements agree
 * @errors          CLAST_ENOENT, CLAST_EACCESS, CLAST_EFORMAT, CLAST_EVALUE NULL
 * @cost            reads both by libhdf5, one thread, in pieces of about 1 MiB
 */
CLAST_API clast_status clast_hdf5_same(clast_ctx *ctx, const char *file_a,
                                       const char *path_a, const char *file_b,
                                       const char *path_b, bool *is_equal);

#ifdef __cplusplus
}
#endif
#endif
