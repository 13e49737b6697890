/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the first of many files says of its axes: names, coordinates, standard_name.
 * The others are compared with it, since its labels become those of all.
 */
#ifndef CL_ARRAY_FILE_AXES_H
#define CL_ARRAY_FILE_AXES_H

#include "array/coordinate.h"
#include "array/handle.h"

enum { CL_STANDARD_NAME = 256 };

/* Zeroed memory is legal for fini. */
typedef struct {
    clast_ctx *ctx;
    const cl_source_info *info; /* of the first file's dataset */
    int joined; /* the axis whose coordinates differ from file to file; -1: none */
    cl_dim dim[CL_MAXDIM];
    cl_values values[CL_MAXDIM]; /* of the other axes; data NULL: none */
    uint64_t charged;
    char standard_name[CL_STANDARD_NAME];
} cl_file_axes;

/* The names. The source lives as long as `axes`. */
clast_status cl_file_axes_begin(cl_file_axes *axes, clast_ctx *ctx,
                                const cl_source *first, cl_error *err);
/* What the others must have: coordinates, which are charged until fini. */
clast_status cl_file_axes_expect(cl_file_axes *axes, int joined, const cl_source *first,
                                 cl_error *err);
/* CLAST_EVALUE: they differ, and the message names both files, the axis and the place.
 */
clast_status cl_file_axes_compare(const cl_file_axes *axes, const cl_source *other,
                                  cl_error *err);
void cl_file_axes_fini(cl_file_axes *axes);

#endif
