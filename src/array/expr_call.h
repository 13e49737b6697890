/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls: arguments bound to parameters by NumPy's order and names, and read as what a
 * function wants. expr_functions.c has the table of functions.
 */
#ifndef CL_ARRAY_EXPR_CALL_H
#define CL_ARRAY_EXPR_CALL_H

#include "array/expr_value.h"
#include "clast/array.h"

#define CL_EXPR_MAX_PARAMETERS 8

typedef struct cl_call cl_call;
typedef clast_status cl_call_fn(cl_call *call, cl_value *out);

typedef enum {
    CL_AS_FUNCTION = 1, /* sum(x) */
    CL_AS_METHOD = 2,   /* x.sum() */
    CL_AS_BOTH = 3,
    CL_PACKS = 4,     /* x.reshape(2, 3): a method's further numbers are one tuple */
    CL_IN_LINALG = 8, /* also linalg.name */
    CL_NEW_AXIS = 16, /* the axis is the result's, and new: it has no name yet */
    CL_BY_AXIS = 32,  /* keywords that are no parameters name axes of the first one */
} cl_function_flags;

typedef struct cl_expr_function {
    const char *name;
    cl_call_fn *call;
    const char *const *parameter; /* ends with NULL; "!name" is known and refused */
    int required;
    int flags;
    clast_array *(*unary)(clast_array *);
    clast_array *(*binary)(clast_array *, clast_array *);
    int code; /* clast_reduction, clast_dtype, ...: what `call` makes of it */
} cl_expr_function;

struct cl_call {
    cl_expr_env *env;
    cl_position at;
    const cl_expr_function *function;
    cl_value arg[CL_EXPR_MAX_PARAMETERS]; /* by parameter; ABSENT where not given */
    cl_position arg_at[CL_EXPR_MAX_PARAMETERS];
    int naxis; /* keywords that name axes */
    struct {
        const char *name;
        const cl_value *value;
        cl_position at;
    } axis[CLAST_MAXDIM];
};

/* Binds and calls. `names[i]` is the keyword of argument i, or NULL. */
clast_status cl_expr_call(cl_expr_env *env, cl_position at, const cl_value *function,
                          size_t n, const cl_value *args, const char *const *names,
                          const cl_position *places, cl_value *out);

/* "name: message" at the call. */
clast_status cl_call_error(cl_call *call, clast_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
clast_status cl_call_take(cl_call *call, clast_array *a, cl_value *out);

/* Arguments, by the number of their parameter. */
bool cl_call_has(const cl_call *call, int i); /* given, and not None */
clast_status cl_call_array(cl_call *call, int i, clast_array **out);
/* The same for a value that becomes, or meets, an array of that dtype. */
clast_status cl_call_operand(cl_call *call, int i, clast_dtype dtype,
                             clast_array **out);
clast_status cl_call_arrays(cl_call *call, int i, size_t *n, clast_array ***out);
clast_status cl_call_int(cl_call *call, int i, int64_t *out);
clast_status cl_call_axis(cl_call *call, int i, int *out);
clast_status cl_call_double(cl_call *call, int i, double *out);
clast_status cl_call_bool(cl_call *call, int i, bool *out); /* absent: unchanged */
clast_status cl_call_dtype(cl_call *call, int i, clast_dtype *out);
/* An int or a sequence of ints. */
clast_status cl_call_axes(cl_call *call, int i, int *n, int axes[CLAST_MAXDIM]);
clast_status cl_call_shape(cl_call *call, int i, int *n, int64_t shape[CLAST_MAXDIM]);

/* sel(): by coordinate (expr_select.c). */
clast_status cl_call_select(cl_call *call, cl_value *out);

/* NULL: no such function. */
const cl_expr_function *cl_expr_find_function(const char *name, int flags);
/* float32(x): what calling a dtype does. */
const cl_expr_function *cl_expr_cast_to(clast_dtype dtype);
/* "float32", "int", "double", ...; false: no dtype of that name. */
bool cl_expr_find_dtype(const char *name, clast_dtype *dtype);

#endif
