/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of expressions as arrays, and the results of operations as values.
 *
 * A scalar becomes a weak scalar; where an int64 does not hold it, what it meets
 * decides whether it can be a float or a uint64. A nested list becomes an array by
 * NumPy's rules: all lists of one depth are equally long, the dtype is that of the
 * largest kind in it. Its depth is at most CLAST_MAXDIM and its elements were all spelt
 * out in the program, so that sizes are bounded by the program's length.
 */
#include "array/expr_value.h"

#include <math.h>

#include "base/dtype.h"
#include "clast/array.h"

static const char *const kind_text[] = {
    [CL_VALUE_ABSENT] = "nothing",      [CL_VALUE_NONE] = "None",
    [CL_VALUE_ELLIPSIS] = "...",        [CL_VALUE_BOOL] = "a bool",
    [CL_VALUE_INT] = "an int",          [CL_VALUE_FLOAT] = "a float",
    [CL_VALUE_COMPLEX] = "a complex",   [CL_VALUE_ARRAY] = "an array",
    [CL_VALUE_TUPLE] = "a tuple",       [CL_VALUE_LIST] = "a list",
    [CL_VALUE_STRING] = "a string",     [CL_VALUE_DTYPE] = "a dtype",
    [CL_VALUE_FUNCTION] = "a function", [CL_VALUE_MODULE] = "a module",
};

const char *cl_value_kind_text(const cl_value *v)
{
    return kind_text[v->kind];
}

clast_status cl_value_take(cl_expr_env *env, cl_position at, clast_array *a,
                           cl_value *out)
{
    const clast_status status = clast_array_status(a);
    if (status != CLAST_OK)
        return cl_expr_fail(env->err, at, status, "%s", clast_error(a));
    *out = (cl_value){.kind = CL_VALUE_ARRAY, .array = a};
    return CLAST_OK;
}

static clast_status check_int64(cl_expr_env *env, cl_position at, cl_wide v)
{
    if (v < INT64_MIN || v > INT64_MAX)
        return cl_expr_fail(env->err, at, CLAST_EVALUE,
                            "the integer is out of the range of int64, which ends at "
                            "9223372036854775807");
    return CLAST_OK;
}

static bool fits_int64(const cl_value *v)
{
    return v->kind != CL_VALUE_INT ||
           (v->integer >= INT64_MIN && v->integer <= INT64_MAX);
}

static bool fits_uint64(const cl_value *v)
{
    return v->integer >= 0 && v->integer <= UINT64_MAX;
}

static clast_status scalar_to_array(cl_expr_env *env, cl_position at, const cl_value *v,
                                    clast_array **out)
{
    switch (v->kind) {
    case CL_VALUE_BOOL:
        *out = clast_bool(env->ctx, v->integer != 0);
        break;
    case CL_VALUE_INT:
        CL_TRY(check_int64(env, at, v->integer));
        *out = clast_int(env->ctx, (int64_t)v->integer);
        break;
    case CL_VALUE_FLOAT:
        *out = clast_double(env->ctx, v->number[0]);
        break;
    default:
        *out = clast_complex(env->ctx, v->number[0], v->number[1]);
        break;
    }
    cl_value taken;
    return cl_value_take(env, at, *out, &taken);
}

static clast_status uint64_scalar(cl_expr_env *env, cl_position at, const cl_value *v,
                                  clast_array **out)
{
    uint64_t number = (uint64_t)v->integer;
    *out = clast_copy_in(env->ctx, &(clast_buffer){.data = &number,
                                                   .bytes = sizeof number,
                                                   .dtype = CLAST_UINT64});
    cl_value taken;
    return cl_value_take(env, at, *out, &taken);
}

clast_status cl_value_check_range(cl_expr_env *env, cl_position at, const cl_value *v,
                                  clast_dtype dtype)
{
    if (cl_value_is_sequence(v))
        for (size_t i = 0; i < v->count; i++)
            CL_TRY(cl_value_check_range(env, at, &v->item[i], dtype));
    if (v->kind != CL_VALUE_INT || !cl_dtype_is_integer(dtype))
        return CLAST_OK;
    const bool fits = fits_int64(v) ? cl_int_fits((int64_t)v->integer, dtype)
                                    : dtype == CLAST_UINT64 && fits_uint64(v);
    return fits ? CLAST_OK
                : cl_expr_fail(env->err, at, CLAST_EVALUE,
                               "the integer is out of the range of %s",
                               clast_dtype_name(dtype));
}

/* ---- lists ---- */

typedef struct {
    int ndim;
    int64_t shape[CLAST_MAXDIM];
    size_t count; /* scalars so far */
    cl_value_kind kind;
    bool is_small, is_large; /* there are ints that int64 holds; and larger ones */
    char *data;              /* NULL while only measuring */
} list_shape;

static clast_status ragged(cl_expr_env *env, cl_position at)
{
    return cl_expr_fail(env->err, at, CLAST_ESHAPE,
                        "the nested lists have different lengths");
}

static void store_scalar(list_shape *l, const cl_value *v)
{
    const double re = v->kind <= CL_VALUE_INT ? (double)v->integer : v->number[0];
    switch (l->kind) {
    case CL_VALUE_BOOL:
        ((bool *)l->data)[l->count] = v->integer != 0;
        break;
    case CL_VALUE_INT:
        ((uint64_t *)(void *)l->data)[l->count] = (uint64_t)v->integer;
        break;
    case CL_VALUE_FLOAT:
        ((double *)(void *)l->data)[l->count] = re;
        break;
    default:
        ((double *)(void *)l->data)[2 * l->count] = re;
        ((double *)(void *)l->data)[2 * l->count + 1] = v->number[1];
        break;
    }
}

/* Measures the list or, with data, copies it; `axis` lists stand around v. */
static clast_status walk_list(cl_expr_env *env, cl_position at, const cl_value *v,
                              int axis, list_shape *l)
{
    if (cl_value_is_scalar(v)) {
        if (axis != l->ndim)
            return ragged(env, at);
        if (!fits_int64(v)) {
            if (!fits_uint64(v))
                return check_int64(env, at, v->integer);
            l->is_large = true;
        }
        l->is_small = l->is_small || fits_int64(v);
        if (l->data)
            store_scalar(l, v);
        else if (v->kind > l->kind)
            l->kind = v->kind;
        l->count++;
        return CLAST_OK;
    }
    if (!cl_value_is_sequence(v))
        return cl_expr_fail(env->err, at, CLAST_EVALUE,
                            "a list that becomes an array holds numbers, not %s (stack "
                            "and concatenate join arrays)",
                            cl_value_kind_text(v));
    if (axis >= l->ndim || (int64_t)v->count != l->shape[axis])
        return ragged(env, at);
    for (size_t i = 0; i < v->count; i++)
        CL_TRY(walk_list(env, at, &v->item[i], axis + 1, l));
    return CLAST_OK;
}

/* An array that is to become one of dtype `other`; CLAST_NDTYPE where it just becomes
 * one. */
static clast_status list_to_array(cl_expr_env *env, cl_position at, const cl_value *v,
                                  clast_dtype other, clast_array **out)
{
    list_shape l = {.kind = CL_VALUE_BOOL};
    for (const cl_value *first = v; cl_value_is_sequence(first); first = first->item) {
        if (l.ndim == CLAST_MAXDIM)
            return cl_expr_fail(env->err, at, CLAST_ESHAPE,
                                "lists nest more than %d deep", CLAST_MAXDIM);
        l.shape[l.ndim++] = (int64_t)first->count;
        if (first->count == 0)
            break;
    }
    CL_TRY(walk_list(env, at, v, 0, &l));
    static const clast_dtype dtypes[] = {[CL_VALUE_BOOL] = CLAST_BOOL,
                                         [CL_VALUE_INT] = CLAST_INT64,
                                         [CL_VALUE_FLOAT] = CLAST_FLOAT64,
                                         [CL_VALUE_COMPLEX] = CLAST_COMPLEX128};
    /* NumPy promotes int64 and uint64 to float64 here too. */
    if (l.kind == CL_VALUE_INT && l.is_large && l.is_small && other != CLAST_UINT64)
        l.kind = CL_VALUE_FLOAT;
    const clast_dtype dtype = l.count == 0                           ? CLAST_FLOAT64
                              : l.kind == CL_VALUE_INT && l.is_large ? CLAST_UINT64
                                                                     : dtypes[l.kind];
    l.data = cl_arena_array(&env->arena, l.count + 1, clast_dtype_size(dtype));
    if (!l.data)
        return cl_error_set(env->err, CLAST_ENOMEM, "no memory for a list");
    const size_t bytes = l.count * clast_dtype_size(dtype);
    l.count = 0;
    CL_TRY(walk_list(env, at, v, 0, &l));
    *out = clast_copy_in(env->ctx, &(clast_buffer){.data = l.data,
                                                   .bytes = bytes,
                                                   .dtype = dtype,
                                                   .ndim = l.ndim,
                                                   .shape = l.shape});
    cl_value taken;
    return cl_value_take(env, at, *out, &taken);
}

clast_status cl_value_to_array(cl_expr_env *env, cl_position at, const cl_value *v,
                               clast_array **out)
{
    if (v->kind == CL_VALUE_ARRAY) {
        *out = v->array;
        return CLAST_OK;
    }
    if (cl_value_is_scalar(v))
        return scalar_to_array(env, at, v, out);
    if (cl_value_is_sequence(v))
        return list_to_array(env, at, v, CLAST_NDTYPE, out);
    return cl_expr_fail(env->err, at, CLAST_EDTYPE, "%s%s%s is no array",
                        cl_value_kind_text(v), v->text ? " " : "",
                        v->text ? v->text : "");
}

clast_status cl_value_to_operand(cl_expr_env *env, cl_position at, const cl_value *v,
                                 clast_dtype other, bool is_compared, clast_array **out)
{
    if (cl_value_is_sequence(v))
        return list_to_array(env, at, v, other, out);
    if (fits_int64(v))
        return cl_value_to_array(env, at, v, out);
    cl_value number = cl_value_float((double)v->integer);
    if (cl_dtype_is_float(other) || cl_dtype_is_complex(other))
        return cl_value_to_array(env, at, &number, out);
    if (other == CLAST_UINT64 && fits_uint64(v))
        return uint64_scalar(env, at, v, out);
    if (!is_compared)
        return cl_expr_fail(env->err, at, CLAST_EVALUE,
                            "the integer is out of the range of %s",
                            clast_dtype_name(other));
    /* It lies outside of all that the other operand can be: so does infinity. */
    number = cl_value_float(v->integer < 0 ? -HUGE_VAL : HUGE_VAL);
    return cl_value_to_array(env, at, &number, out);
}
