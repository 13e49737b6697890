/* SPDX-License-Identifier: BSD-3-Clause */
/** Sinks: where results go. Several in one call share what they read. */
#ifndef CLAST_SINK_H
#define CLAST_SINK_H

#include <stdbool.h>

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clast_hdf5_options {
    const int64_t *chunks; /**< one number an axis, -1: the whole axis; NULL: as the
                              first input of the same shape, or of those that are
                              joined to it, else near 1 MiB */
    int gzip; /**< 0: as the first input, or as `compress` says; -1: no compression; 1
                 to 9: deflate level */
    int shuffle;         /**< 0: as the first input, or as is usual with what is asked
                             for; -1: no; 1: yes */
    bool overwrite;      /**< an existing dataset of that name is replaced; otherwise
                             CLAST_EEXIST */
    bool no_sync;        /**< leave out the fsyncs before the file appears */
    bool no_attributes;  /**< none at all: neither the inputs' nor clast_version,
                             clast_inputs, axes and the two texts below */
    bool resume;         /**< what is done is kept if the run fails, is canceled or
                             killed, and the same run goes on from there; see
                             docs/hdf5.md */
    bool in_place;       /**< a file that exists is changed as it is, without a copy, if
                             all its outputs say so: a run that is killed leaves it
                             damaged (docs/hdf5.md). It may be an input, but what
                             is replaced in it may not */
    const char *program; /**< what the dataset says it was computed by, as its attribute
                             clast_program; NULL: nothing */
    const char *history; /**< a line that is put in front of the file's attribute
                             history; NULL: none */
    const char *compress; /**< as `clast eval --compress` has it (docs/hdf5.md): "same",
                             "none", "gzip:4", "zstd", "zstd:9", "blosc:lz4", ...;
                             NULL: as `gzip` says, which must be 0 otherwise */
    uint64_t reserved[1]; /**< zero */
} clast_hdf5_options;

/** One result and where it goes. Made by clast_sink_*; strings, buffers and options
 * must live until the run. */
typedef struct clast_sink {
    clast_array *array;
    const char *file, *path;           /**< NULL for a fetch */
    const clast_hdf5_options *options; /**< NULL: defaults */
    const clast_buffer *into;          /**< NULL for HDF5 */
} clast_sink;

/**
 * A dataset of an HDF5 file; the file and groups on the way are made where they are not
 * there.
 *
 * The dataset gets the attributes of the first HDF5 input that the values come from, as
 * far as they hold for the result: all but fill values and packing of decoded data
 * after selections, views and reductions that keep the quantity (mean, min, max), units
 * without standard_name after sums and differences of equal units, what says neither
 * units nor names after everything else elementwise, and none after linear algebra and
 * functions of the caller. docs/hdf5.md has the rules. What cannot be copied is logged.
 *
 * @param options  NULL: chunks and compression as the inputs', or near 1 MiB and none
 */
CLAST_API clast_sink clast_sink_hdf5(clast_array *a, const char *file, const char *path,
                                     const clast_hdf5_options *options);
/**
 * The caller's memory.
 *
 * @param into  its dtype and shape must be the array's, strides as they like; no
 *              element may overlap another, one of another sink, or memory that the
 *              run reads
 */
CLAST_API clast_sink clast_sink_fetch(clast_array *a, const clast_buffer *into);

/**
 * Computes all sinks as one graph: shared inputs are read once. Output files appear
 * whole, by rename, after everything is written, or not at all; a dataset that is added
 * to an existing file goes through a copy of it.
 *
 * One run a context at a time: others wait for their turn; arrays can be made
 * meanwhile.
 *
 * @param sinks  n of them; n = 0 does nothing
 * @errors       what the arrays are poisoned with; CLAST_ECONTEXT; CLAST_EVALUE,
 *               CLAST_EDTYPE, CLAST_ESHAPE a buffer or option that does not fit;
 *               CLAST_EBUDGET with the numbers that would fit; CLAST_ENOENT no such
 *               folder, CLAST_EEXIST, CLAST_EACCESS, CLAST_ENOSPACE, CLAST_EIO;
 *               CLAST_ECANCELED; CLAST_EBUSY within a callback of ctx. Existing files
 *               are as they were; buffers may be written in part.
 * @cost         each input is read once where the budget allows; memory stays within
 *               the budget, what does not fit is spilled
 */
CLAST_API clast_status clast_compute(clast_ctx *ctx, int n, const clast_sink *sinks);

/** clast_compute() of one clast_sink_hdf5(): its errors, its cost. */
CLAST_API clast_status clast_to_hdf5(clast_array *a, const char *file, const char *path,
                                     const clast_hdf5_options *options);

/** clast_compute() of one clast_sink_fetch(): its errors, its cost. */
CLAST_API clast_status clast_fetch(clast_array *a, const clast_buffer *into);

/** Writes the plan of clast_compute(ctx, n, sinks) as text: nodes after fusion, grids,
 * tasks, predicted peak, bytes to read, write and spill. Computes nothing, touches no
 * output. CLAST_EBUDGET where the run would not fit, after the text was written; else
 * the errors of clast_compute() that come before it reads. */
CLAST_API clast_status clast_explain(clast_ctx *ctx, int n, const clast_sink *sinks,
                                     clast_text_fn *write, void *arg);

/** Writes the plan of clast_compute(ctx, n, sinks) as a graph in Graphviz' language
 * (`dot -Tsvg` draws it): sources, operations and sinks with shape, tiles, tasks and
 * bytes, and what flows between them; plans of up to 300 tasks task by task. Computes
 * nothing, touches no output. The errors of clast_explain(), but a plan that does not
 * fit into the budget is drawn all the same. */
CLAST_API clast_status clast_graph(clast_ctx *ctx, int n, const clast_sink *sinks,
                                   clast_text_fn *write, void *arg);

#ifdef __cplusplus
}
#endif
#endif
