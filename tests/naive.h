/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plain eager reference: one element at a time, by definition, without regard to
 * speed. What kernels compute is compared with this.
 */
#ifndef CL_TESTS_NAIVE_H
#define CL_TESTS_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/program.h"
#include "kernel/fold.h"
#include "kernel/map.h"

/* A sequence of pseudo-random numbers that is the same in every run. */
uint64_t naive_next(uint64_t *state);
int64_t naive_below(uint64_t *state, int64_t n); /* 0 .. n - 1 */

/* A random element: one of the dtype's special values about one time in four. */
cl_scalar naive_random(uint64_t *state, clast_dtype dtype);
/* Special values of a dtype: zeros, ones, extremes, NaN, infinities. Returns their
 * number; i below that. */
int naive_specials(clast_dtype dtype);
cl_scalar naive_special(clast_dtype dtype, int i);

/* Whether the rule of the operation allows the dtype to be computed in. */
bool naive_allows(cl_op op, clast_dtype type);
clast_dtype naive_result(cl_op op, clast_dtype type);

/* op on elements of `type`, except ARANGE and RANDOM. */
cl_scalar naive_apply(cl_op op, clast_dtype type, clast_dtype dtype,
                      const cl_scalar *arg);
/* Element of an input at a global index; the last program value there. */
cl_scalar naive_read(const cl_input *input, clast_dtype dtype, int ndim,
                     const int64_t *index);
cl_scalar naive_program(const cl_program *p, const cl_input *inputs,
                        const int64_t *index);

/* Same bits, or both NaN (in each part). */
bool naive_same(cl_scalar a, cl_scalar b, clast_dtype dtype);
/* |got - want| in units of the last place of `want` rounded to T. */
double naive_ulps_f64(double got, long double want);
double naive_ulps_f32(float got, long double want);

/* Steps an index over a box in C order; false when it is over. index begins at lo. */
bool naive_next_index(const cl_box *box, int64_t *index);

#endif
