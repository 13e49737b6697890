/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the caller's own functions share: contexts, buffers, walks over
 * blocks, and arrays whose elements are their flat indices.
 */
#ifndef CL_TESTS_USER_BLOCKS_H
#define CL_TESTS_USER_BLOCKS_H

#include "clast.h"

/* A context of 64 MiB. */
clast_ctx *user_open(int workers);
/* Contiguous memory of the caller; `shape` is kept, not copied. */
clast_buffer user_buffer(void *data, clast_dtype dtype, int ndim, const int64_t *shape);
/* Computes `a` into `data`; the test fails where that does. */
void user_fetch(clast_array *a, clast_dtype dtype, int ndim, const int64_t *shape,
                void *data);

/* Goes to the next index of a shape in C order; false at the end. */
bool user_next(int ndim, const int64_t *shape, int64_t *index);
int64_t user_flat(int ndim, const int64_t *strides, const int64_t *index);

/* A generator of float64: the flat index within `user`, the whole array's shape. */
clast_status user_number(clast_call *call, void *user, int nin, const clast_view *in,
                         int nout, clast_buffer *out);
/* The same numbers, written into `memory` and borrowed from there. */
clast_array *user_borrowed(clast_ctx *ctx, int ndim, const int64_t *shape,
                           double *memory);

/* Options of a generator of ten blocks of 10 rows, (100, 3) together. */
clast_map_options user_ten_blocks(const char *name);

#endif
