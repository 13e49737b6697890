/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of expressions as arrays, and the results of operations as values.
 *
 * A scalar becomes a weak scalar. A nested list becomes an array by NumPy's rules: all
 * lists of one depth are equally long, the dtype is that of the largest kind in it. Its
 * depth is at most CLAST_MAXDIM and its elements were all spelt out in the program, so
 * that sizes are bounded by the program's length.
 */
#include "array/expr_value.h"

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

/* ---- lists ---- */

typedef struct {
    int ndim;
    int64_t shape[CLAST_MAXDIM];
    size_t count; /* scalars so far */
    cl_value_kind kind;
    char *data; /* NULL while only measuring */
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
        ((int64_t *)(void *)l->data)[l->count] = (int64_t)v->integer;
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
        if (v->kind == CL_VALUE_INT)
            CL_TRY(check_int64(env, at, v->integer));
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

static clast_status list_to_array(cl_expr_env *env, cl_position at, const cl_value *v,
                                  clast_array **out)
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
    const clast_dtype dtype = l.count == 0 ? CLAST_FLOAT64 : dtypes[l.kind];
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
        return list_to_array(env, at, v, out);
    return cl_expr_fail(env->err, at, CLAST_EDTYPE, "%s%s%s is no array",
                        cl_value_kind_text(v), v->text ? " " : "",
                        v->text ? v->text : "");
}
