/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cells: parts of a box in which every input is an address and constant strides.
 * map_cells.c cuts a box into them, map.c runs a program over one.
 */
#ifndef CL_KERNEL_CELL_H
#define CL_KERNEL_CELL_H

#include "kernel/loop.h"

/* A cell's axes after merging; the machine has the inputs' and generators' strides. */
typedef struct {
    int ndim; /* at least 1 */
    int64_t n[CL_MAXDIM];
    char *out;
    int64_t stride[CL_MAXDIM];
} cl_cell;

/* Of position `at`, in bytes or whatever the strides count. */
static inline int64_t cl_cell_offset(int ndim, const int64_t *stride, const int64_t *at)
{
    int64_t offset = 0;
    for (int a = 0; a < ndim; a++)
        offset += stride[a] * at[a];
    return offset;
}

/* Both want the machine's bases, strides and generators of this cell, and nothing held
 * in a panel. Wide: the output is contiguous along the last axis. */
clast_status cl_cell_run_wide(cl_machine *m, const cl_cell *c);
clast_status cl_cell_run_flat(cl_machine *m, const cl_cell *c);

#endif
