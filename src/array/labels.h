/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Labels: what the axes of an array are called, and their coordinates.
 *
 * Labels hang beside the node, at the handle: two arrays may be the same expression and
 * have other labels, and nothing that plans or computes knows of them. The labels of an
 * operation's result follow from the nodes that it added (labels.c), so that operations
 * do not speak of labels.
 *
 * Guarded by the context's lock.
 */
#ifndef CL_ARRAY_LABELS_H
#define CL_ARRAY_LABELS_H

#include "array/coordinate.h"
#include "array/make.h"

typedef struct cl_label {
    const char *name;        /* NULL: none */
    cl_coordinate_part part; /* its coordinate: element i of the axis is there element
                                start + i * step */
} cl_label;

/* A copy, with references on its coordinates, in one allocation. */
clast_status cl_labels_new(int ndim, const cl_label *from, cl_label **labels);
void cl_labels_free(int ndim, cl_label *labels); /* NULL is legal */

/* The labels of a call's result, from those of its operands. NULL: none. */
clast_status cl_labels_derive(const cl_make *m, cl_node_id result, cl_label **labels);

/* The axis of this name; -1: none or several, noted as an error that lists those that
 * are there. */
int cl_make_axis_named(cl_make *m, clast_array *a, const char *name);
/* The same as a call of its own, for an operation that another function is asked for:
 * NULL, or what it failed with. Takes the lock. */
clast_array *cl_axis_named(clast_array *a, const char *op, const char *name, int *axis);
/* "time, lat, 2": names, numbers where there are none; returns text. */
const char *cl_labels_text(const clast_array *a, char *text, size_t size);

/*
 * What a sink may write beside an array: the name of each axis and, where there is one,
 * its coordinate as a node of one axis, of the same length, with a reference that the
 * caller gives back (cl_node_drop). A coordinate that cannot be had any more, and that
 * of arrays with different ones, is left out. Under the context's lock.
 */
typedef struct {
    const char *name; /* NULL: none; lives as long as the array */
    cl_node_id node;  /* CL_NO_NODE: none */
    const char *file; /* the dataset whose attributes (units, calendar, ...) the */
    const char *path; /* coordinate has; live as long as the node's reference */
} cl_array_dim;
/* One for each axis. */
void cl_array_dims(clast_array *a, cl_array_dim *dim);

#endif
