/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions: a program's values folded into partials, partials joined, final values
 * (layout: base/op.h). */
#ifndef CL_KERNEL_FOLD_H
#define CL_KERNEL_FOLD_H

#include "kernel/map.h"

typedef struct {
    clast_reduction reduction;
    clast_dtype dtype; /* of the program's values */
    uint32_t axes;     /* bit a: axis a of the program's space is reduced */
    double ddof;
    int64_t flat_stride[CL_MAXDIM]; /* ARG*: index = sum over reduced axes of
                                       flat_stride[a] * i[a], i global */
} cl_fold;

/* A loop for folding. As cl_loop_new(), but where a sum, mean or variance is of values
 * that a program's last step makes float64 of, that step is left out: accumulators are
 * float64 and convert what they read, to the same bits. */
clast_status cl_fold_loop_new(cl_loop **loop, clast_reduction reduction,
                              const cl_program *program);

/* Inputs that come piece by piece. Before it reads a part of the box, the fold has it
 * brought: `bring` may change the inputs' spans, which need not cover anything else
 * until it is called again. The parts follow each other in C order of the box, each
 * once. */
typedef struct {
    clast_status (*bring)(void *arg, const cl_box *part);
    void *arg;
    int64_t most; /* elements of a part; a panel's (at most 8192) are one in any case */
    void *states; /* cl_fold_states() bytes, 64-byte aligned */
} cl_feed;

/* Folds the program's values over `box` into `partial` (one record for each element of
 * the box's kept axes, C order). first: partial is fresh memory; otherwise it holds a
 * chain's partial and is added to, the new leaf being the right operand. Within a leaf
 * sums are pairwise in a fixed layout that does not depend on how spans cut the box.
 * feed: NULL where all inputs are there; the bits are the same. */
clast_status cl_fold_run(const cl_fold *fold, const cl_loop *loop, const cl_box *box,
                         const cl_input *inputs, const cl_feed *feed, void *partial,
                         bool first, void *workspace, const cl_poll *poll);
size_t cl_fold_workspace(const cl_fold *fold, const cl_loop *loop,
                         const cl_box *largest);

/* What it needs beside the workspace; of the feed only `most` is looked at. */
uint64_t cl_fold_states(const cl_fold *fold, const cl_loop *loop, const cl_box *box,
                        const cl_feed *feed);

/* out = the partials joined from left to right; out may be the first of them. */
void cl_fold_join(const cl_fold *fold, int64_t elements, size_t n,
                  const void *const *partial, void *out);

/* The partial of no elements: what a reduction over an empty axis begins and ends
 * with. */
void cl_fold_clear(const cl_fold *fold, int64_t elements, void *partial);

/* Final values of one partial into out (dtype cl_reduction_dtype). */
void cl_fold_finish(const cl_fold *fold, int64_t elements, const void *partial,
                    void *out);

#endif
