/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise programs over a box: strips of registers in L1, inputs through pieces. */
#ifndef CL_KERNEL_MAP_H
#define CL_KERNEL_MAP_H

#include "base/program.h"
#include "base/status.h"

/* A part of an input, in memory: the box of the program's space that it covers, where
 * its first element is, and the bytes to step along each axis (0: broadcast; may be
 * negative). The spans of one input partition the task's box. */
typedef struct {
    cl_box box;
    const char *data;
    int64_t stride[CL_MAXDIM];
} cl_span;

typedef struct {
    size_t count;
    const cl_span *span;
} cl_input;

/* Asked now and then by kernels that run longer than 0.2 s; true: give up with
 * CLAST_ECANCELED. */
typedef struct {
    bool (*is_canceled)(void *arg);
    void *arg;
} cl_poll;

/* A program made ready: registers assigned, loops chosen for this CPU. One per stage,
 * shared by workers. */
typedef struct cl_loop cl_loop;
clast_status cl_loop_new(cl_loop **loop, const cl_program *program);
void cl_loop_free(cl_loop *loop);
/* Bytes of scratch memory that one call of cl_map_run or cl_fold_run needs, 64-byte
 * aligned. */
size_t cl_loop_workspace(const cl_loop *loop);

/* Computes `box` of the program's space into out, C-contiguous over the box. */
clast_status cl_map_run(const cl_loop *loop, const cl_box *box, const cl_input *inputs,
                        void *out, void *workspace, const cl_poll *poll);

#endif
