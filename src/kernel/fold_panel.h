/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Panels: how a reduction cuts a box, and the values of one panel, for fold.c.
 *
 * The box's last kept axes are the columns (K), the reduced axes before them the rows
 * (R), the kept axes before those are a stack of such matrices (S); axes further out
 * are walked one index at a time. A panel is stack x rows x columns, at most CL_PANEL
 * values; what decides are the box and the reduced axes alone.
 */
#ifndef CL_KERNEL_FOLD_PANEL_H
#define CL_KERNEL_FOLD_PANEL_H

#include "kernel/loop.h"
#include "kernel/record.h"

/* Output elements of a panel that joins no other. */
#define CL_WIDTH 1024

typedef struct {
    const cl_fold *fold;
    cl_folder f;
    const cl_box *box;
    cl_machine machine;
    int first_column, first_row, first_stack; /* axes; each part ends at the next */
    int64_t part[CL_MAXDIM];                  /* a panel's extent along each axis */
    char *buffer, *lanes; /* values of a panel, or what is put together of them */
} cl_panels;

typedef struct {
    cl_box box;
    cl_matrix matrix; /* the first of the stack */
    int64_t stack, matrix_bytes;
} cl_panel;

static inline bool cl_panels_reduce(const cl_panels *g, int axis)
{
    return g->fold->axes >> axis & 1;
}

static inline int64_t cl_extent_product(const int64_t *n, int from, int to)
{
    int64_t p = 1;
    for (int a = from; a < to; a++)
        p *= n[a];
    return p;
}

/* Fills first_column to part, from fold and box. */
void cl_panels_cut(cl_panels *g);
/* The panel at position `at` of the box, with its values. */
clast_status cl_panels_load(cl_panels *g, const int64_t *at, cl_panel *p);
/* ARGMIN and ARGMAX: `best` becomes the better of itself and the panel. */
void cl_panels_scan(const cl_panels *g, const cl_panel *p, cl_record *best);

#endif
