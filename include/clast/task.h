/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Functions of the caller in the graph: maps over blocks, stencils, reductions, tasks.
 *
 * What they make are arrays like any others: lazy, computed by a sink in one graph with
 * everything else. docs/custom-graphs.md has the models and examples.
 *
 * A kernel runs on workers, at the same time as others, in no promised order, once for
 * each block that somebody needs (a pure one may be run again). It may call
 * clast_call_*() and clast_cancel() only: other functions of its context give
 * CLAST_EBUSY. Nothing may jump out of it. It must not write to its inputs, and has to
 * write all of its outputs.
 */
#ifndef CLAST_TASK_H
#define CLAST_TASK_H

#include <stdbool.h>

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One invocation of a kernel; valid until it returns. */
typedef struct clast_call clast_call;

/** What a kernel sees of one input: a rectangle of elements that it may read. */
typedef struct clast_view {
    const void *data; /**< element (0, ..., 0); 64-byte aligned, never in an output */
    clast_dtype dtype;
    int ndim;
    const int64_t *shape;   /**< with the halo */
    const int64_t *strides; /**< count elements; that of the last axis is 1 */
    const int64_t *origin;  /**< index in the input of element (0, ..., 0); negative
                               where that is beyond the array's edge */
    const int64_t *halo_lo, *halo_hi; /**< elements of the halo before and after the
                                         block, as many as there are */
} clast_view;

/**
 * A function of the caller.
 *
 * @param user  as it was given; shared by all calls, which run concurrently
 * @param in    nin inputs, in their order
 * @param out   nout outputs in C order, 64-byte aligned, contents undefined
 * @return      CLAST_OK, or what clast_call_fail() returned, or any other status: the
 *              run fails with it
 */
typedef clast_status clast_kernel(clast_call *call, void *user, int nin,
                                  const clast_view *in, int nout, clast_buffer *out);

/** The part of an input that a block of the result is computed from. */
typedef enum clast_access {
    CLAST_ACCESS_BLOCK, /**< what lies under the block, axes matched from the last one
                           on as in broadcasting; an axis of length 1 stays so */
    CLAST_ACCESS_WHOLE, /**< all of it, as one block in memory */
    CLAST_NACCESS
} clast_access;

/** What a halo holds beyond the edges of the array: numpy.pad's modes, and none. */
typedef enum clast_pad {
    CLAST_PAD_NONE,      /**< nothing: the halo ends at the edge */
    CLAST_PAD_CONSTANT,  /**< a number */
    CLAST_PAD_EDGE,      /**< a a | a b c d | d d */
    CLAST_PAD_REFLECT,   /**< c b | a b c d | c b */
    CLAST_PAD_SYMMETRIC, /**< b a | a b c d | d c */
    CLAST_PAD_WRAP,      /**< c d | a b c d | a b */
    CLAST_NPAD
} clast_pad;

/** How a map reads one input. */
typedef struct clast_map_input {
    clast_access access;
    const int64_t
        *depth; /**< halo, a number >= 0 for each axis of the input; NULL: none.
                             It may be longer than a block and than the array */
    const int64_t *depth_after; /**< where it is another one after the block; NULL: the
                                   same */
    clast_pad pad;
    double value;         /**< of CLAST_PAD_CONSTANT, converted to the input's dtype */
    uint64_t reserved[4]; /**< zero */
} clast_map_input;

/** An array that a kernel makes. Opaque bytes are CLAST_UINT8 of one axis. */
typedef struct clast_output {
    clast_dtype dtype;
    int ndim;
    const int64_t *shape;
} clast_output;

/**
 * A reduction by three kernels. The map's own one makes a *partial* of each block;
 * `combine` makes one of 2 to 16, in the order of their blocks; `finish` makes the
 * result of the last. Which ones are combined follows from the blocks alone.
 *
 * Every kept element has a partial of `partial.shape`: a kernel sees partials of the
 * kept block's shape followed by that one.
 */
typedef struct clast_fold {
    int naxes;            /**< 0 and axes NULL: all axes */
    const int *axes;      /**< naxes axes to be reduced, negative from the end */
    clast_output partial; /**< of one kept element */
    clast_kernel *combine;
    clast_kernel *finish; /**< NULL: the last partial is the result. Where the reduced
                             axes are empty it is called with nin = 0 */
    int ndim;             /**< what the result has for each kept element, as partial */
    const int64_t *shape;
    uint64_t reserved[4]; /**< zero */
} clast_fold;

typedef struct clast_map_options {
    const char *name; /**< in messages and plans; NULL: "map" */
    uint32_t version; /**< of the named function */
    bool pure;        /**< of a named one: equal inputs give equal bytes, so that it may
                         be run again instead of its result being spilled */
    double cost; /**< rough cycles an element; 0: not known, which pure maps are not
                         run again for */
    clast_dtype dtype; /**< of the result; CLAST_BOOL where nothing is said */
    int ndim; /**< of the index space that is cut into blocks: numbers in `shape` and
                 `chunk` */
    const int64_t *shape; /**< NULL: what the inputs that are read by blocks broadcast
                             to */
    const int64_t *chunk; /**< shape of a block, -1: the whole axis; NULL: chosen from
                             the inputs' storage chunks, else near the context's block
                             size. Never from memory or workers. ndim numbers, where
                             `shape` is NULL one for each axis of the inputs' */
    const clast_map_input *inputs; /**< nin of them; NULL: blocks without halo */
    const clast_fold *fold;        /**< NULL: the result has the shape of the space */
    uint64_t workspace;            /**< bytes for each call, within the budget */
    uint64_t reserved[4];          /**< zero */
} clast_map_options;

/**
 * An array whose blocks a kernel makes: from no input (a generator), from the blocks of
 * its inputs, with a halo (a stencil), or reduced.
 *
 * @param in       nin arrays; NULL is legal where nin is 0
 * @param user     for the kernel; must live as long as the array and what is built on
 *                 it
 * @param options  copied, strings and tables too
 * @return         lazy array of dtype options->dtype. Without a fold it has the space's
 *                 shape, with one that of the kept axes, then fold->shape. Empty blocks
 *                 do not exist: an empty space calls no kernel
 * @errors         CLAST_EVALUE no kernel or options, a negative depth, a chunk of 0, a
 *                 halo where the whole is read or an axis is broadcast; CLAST_EDTYPE;
 *                 CLAST_ESHAPE the inputs do not broadcast to the shape, a fold of an
 *                 empty axis without `finish`; CLAST_EAXIS; CLAST_ENOTSUP a reserved
 *                 field is not zero, a halo that repeats the array more than 64 times;
 *                 in a run: CLAST_EUSER or what the kernel returned, with the name and
 *                 the block; CLAST_EBUDGET where one call's inputs, outputs and
 *                 workspace do not fit
 * @cost           one call a block; a halo is gathered into the workspace of the call,
 *                 as is whatever is not one aligned rectangle in memory already
 */
CLAST_API clast_array *clast_map(clast_ctx *ctx, int nin, clast_array *const *in,
                                 clast_kernel *kernel, void *user,
                                 const clast_map_options *options);

typedef struct clast_task_options {
    const char *name; /**< in messages and plans; NULL: "task" */
    uint32_t version;
    bool pure;
    uint64_t workspace;   /**< bytes, within the budget */
    uint64_t reserved[4]; /**< zero */
} clast_task_options;

/**
 * One call of a kernel on whole arrays, opaque ones among them: what it makes may be
 * inputs of further tasks and of any operation.
 *
 * @param in       nin arrays, each seen whole, as one block in memory; 0 is legal
 * @param nout     1 to 32
 * @param outputs  nout of them; all are made by the one call
 * @param results  room for nout arrays; all are poisoned where one thing is wrong
 * @param options  NULL: defaults; copied
 * @return         CLAST_OK, or the first error
 * @errors         CLAST_EVALUE no kernel, nout; CLAST_ESHAPE, CLAST_EDTYPE an output
 *                 that makes no sense; CLAST_ENOTSUP a reserved field is not zero; in a
 *                 run those of clast_map()
 * @cost           about 6 KiB of plan and 30 us a task, besides its call; an input of
 *                 several tiles is copied into one block, once for all that read it
 */
CLAST_API clast_status clast_task(clast_ctx *ctx, int nin, clast_array *const *in,
                                  int nout, const clast_output *outputs,
                                  clast_array **results, clast_kernel *kernel,
                                  void *user, const clast_task_options *options);

/* ---- within a kernel ---- */

/** Notes why the call fails; the kernel returns what this returns, CLAST_EUSER, or a
 * status that says more. The run's message has the name and the block in front. */
CLAST_API clast_status clast_call_fail(clast_call *call, const char *message);

/** The bytes that the options declared, 64-byte aligned, contents undefined; NULL where
 * none were. */
CLAST_API void *clast_call_workspace(clast_call *call);

/** Whether the run was canceled: long functions ask now and then, and return
 * CLAST_ECANCELED. */
CLAST_API bool clast_call_is_canceled(const clast_call *call);

/** The block that this call is for: the index of its first element and its lengths, a
 * number for each axis of the space (of `combine` and `finish`: of its kept axes). A
 * task has no axes. */
CLAST_API int clast_call_ndim(const clast_call *call);
CLAST_API const int64_t *clast_call_origin(const clast_call *call);
CLAST_API const int64_t *clast_call_extent(const clast_call *call);

#ifdef __cplusplus
}
#endif
#endif
