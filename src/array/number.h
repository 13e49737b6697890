/* SPDX-License-Identifier: BSD-3-Clause */
/* Python's numbers and its operators on them: what constants and weak scalars mean. */
#ifndef CL_ARRAY_NUMBER_H
#define CL_ARRAY_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/dtype.h"
#include "base/op.h"

/* Python's integers, as far as anybody needs them: 2**63 - 1 must be possible. */
__extension__ typedef __int128 cl_wide;

typedef struct {
    cl_kind kind;     /* not UINT */
    cl_wide integer;  /* BOOL, INT */
    double number[2]; /* FLOAT: the first; COMPLEX: both */
} cl_number;

cl_number cl_number_bool(bool v);
cl_number cl_number_int(cl_wide v);
cl_number cl_number_float(double v);
cl_number cl_number_complex(double re, double im);

/* The number as one of a kind that is not lower. */
cl_number cl_number_as(const cl_number *v, cl_kind kind);

/* r = a op b; b NULL: r = op a. false: Python has no such operator for these kinds.
 * *why: NULL, or what Python would raise an exception for, and integers of more than
 * 128 bits; *r is nothing then. */
bool cl_number_apply(cl_op op, const cl_number *a, const cl_number *b, cl_number *r,
                     const char **why);

#endif
