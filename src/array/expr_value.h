/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What expressions evaluate to: arrays, Python's scalars, tuples, dtypes, functions.
 *
 * Scalars stay Python's (1 / 2 is 0.5, 7 // 2 is 3, integers do not wrap) until they
 * meet an array or a function, where they become weak scalars. Sequences live in the
 * arena.
 */
#ifndef CL_ARRAY_EXPR_VALUE_H
#define CL_ARRAY_EXPR_VALUE_H

#include "array/expr_parse.h"
#include "clast/types.h"

typedef enum {
    CL_VALUE_ABSENT, /* an argument that was not given */
    CL_VALUE_NONE,
    CL_VALUE_ELLIPSIS,
    CL_VALUE_BOOL,    /* these four in this order: */
    CL_VALUE_INT,     /* the kind of a result is the larger one */
    CL_VALUE_FLOAT,   /* (number[0]) */
    CL_VALUE_COMPLEX, /* (number[0], number[1]) */
    CL_VALUE_ARRAY,
    CL_VALUE_TUPLE,
    CL_VALUE_LIST,
    CL_VALUE_STRING,
    CL_VALUE_DTYPE,
    CL_VALUE_FUNCTION, /* self: the array before the dot of a method, or NULL */
    CL_VALUE_MODULE    /* np, linalg */
} cl_value_kind;

typedef struct cl_value {
    cl_value_kind kind;
    clast_dtype dtype; /* DTYPE */
    cl_wide integer;   /* BOOL, INT */
    double number[2];
    clast_array *array;
    const struct cl_value *item; /* TUPLE, LIST */
    size_t count;
    const char *text; /* STRING; DTYPE, FUNCTION, MODULE: its name */
    const struct cl_expr_function *function;
    const struct cl_value *self;
} cl_value;

/* One evaluation: where errors go and what memory comes from. */
typedef struct {
    clast_ctx *ctx;
    cl_arena arena;
    cl_error *err;
} cl_expr_env;

static inline bool cl_value_is_scalar(const cl_value *v)
{
    return v->kind >= CL_VALUE_BOOL && v->kind <= CL_VALUE_COMPLEX;
}
static inline bool cl_value_is_sequence(const cl_value *v)
{
    return v->kind == CL_VALUE_TUPLE || v->kind == CL_VALUE_LIST;
}

/* "an array", "a tuple", ...: for messages. */
const char *cl_value_kind_text(const cl_value *v);
cl_value cl_value_int(cl_wide v);
cl_value cl_value_float(double v);

/* Python's operators on scalars. */
clast_status cl_scalar_unary(cl_expr_env *env, cl_position at, cl_token_kind op,
                             const cl_value *a, cl_value *out);
clast_status cl_scalar_binary(cl_expr_env *env, cl_position at, cl_token_kind op,
                              const cl_value *a, const cl_value *b, cl_value *out);

/* The value as an array: an array itself, a scalar as a weak scalar, nested lists of
 * scalars as numpy.array() makes one. CLAST_EVALUE for anything else. */
clast_status cl_value_to_array(cl_expr_env *env, cl_position at, const cl_value *v,
                               clast_array **out);
/* The same for a value that meets an array of dtype `other`, or becomes one: there an
 * int that int64 does not hold is a float or a uint64 if NumPy makes it one. A
 * comparison takes any int. */
clast_status cl_value_to_operand(cl_expr_env *env, cl_position at, const cl_value *v,
                                 clast_dtype other, bool is_compared,
                                 clast_array **out);
/* Whether every int of a scalar or of nested lists is in an integer dtype's range. */
clast_status cl_value_check_range(cl_expr_env *env, cl_position at, const cl_value *v,
                                  clast_dtype dtype);
/* Takes an operation's result: its error, if it has one, with the place. */
clast_status cl_value_take(cl_expr_env *env, cl_position at, clast_array *a,
                           cl_value *out);

#endif
