/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The functions of the expression language: NumPy's names and parameters for the public
 * functions of arrays, linear algebra and sources.
 *
 * One table, sorted by nothing but subject: {name, what calls it, parameters, how many
 * of them are required}. A function of one or two arrays is one row; what needs more
 * has a few lines of its own. Keep docs/expressions.md in step.
 */
#include "array/expr_call.h"

#include <math.h>
#include <string.h>

#include "base/op.h"
#include "clast/linalg.h"

/* ---- elementwise ---- */

/* Functions of scalars alone give NumPy's scalars, which are not weak: sqrt(2) * x is
 * float64 also for a float32 x. */
static clast_status to_strong(cl_call *call, int n, clast_array **a)
{
    for (int i = 0; i < n; i++)
        if (!cl_value_is_scalar(&call->arg[i]))
            return CLAST_OK;
    for (int i = 0; i < n; i++) {
        cl_value taken;
        a[i] = clast_full(call->env->ctx, 0, NULL, a[i], clast_array_dtype(a[i]));
        CL_TRY(cl_call_take(call, a[i], &taken));
    }
    return CLAST_OK;
}

static clast_status call_unary(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(to_strong(call, 1, &a));
    return cl_call_take(call, call->function->unary(a), out);
}

/* The operand i, given that j may be an array. */
static clast_status operand_beside(cl_call *call, int i, int j, clast_array **out)
{
    return call->arg[j].kind == CL_VALUE_ARRAY && cl_value_is_scalar(&call->arg[i])
               ? cl_call_operand(call, i, clast_array_dtype(call->arg[j].array), out)
               : cl_call_array(call, i, out);
}

static clast_status call_binary(cl_call *call, cl_value *out)
{
    clast_array *a[2] = {NULL, NULL};
    CL_TRY(operand_beside(call, 0, 1, &a[0]));
    CL_TRY(operand_beside(call, 1, 0, &a[1]));
    CL_TRY(to_strong(call, 2, a));
    return cl_call_take(call, call->function->binary(a[0], a[1]), out);
}

static clast_status call_where(cl_call *call, cl_value *out)
{
    clast_array *a[3] = {NULL, NULL, NULL};
    CL_TRY(cl_call_array(call, 0, &a[0]));
    CL_TRY(operand_beside(call, 1, 2, &a[1]));
    CL_TRY(operand_beside(call, 2, 1, &a[2]));
    return cl_call_take(call, clast_where(a[0], a[1], a[2]), out);
}

static clast_array *is_nan(clast_array *a)
{
    return clast_ne(a, a);
}

static clast_status call_clip(cl_call *call, cl_value *out)
{
    clast_array *a = NULL, *bound = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    if (cl_call_has(call, 1)) {
        CL_TRY(operand_beside(call, 1, 0, &bound));
        a = clast_maximum(a, bound);
    }
    if (cl_call_has(call, 2)) {
        CL_TRY(operand_beside(call, 2, 0, &bound));
        a = clast_minimum(a, bound);
    }
    return cl_call_take(call, a, out);
}

static clast_status cast(cl_call *call, int i, clast_dtype dtype, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_operand(call, i, dtype, &a));
    CL_TRY(cl_value_check_range(call->env, call->arg_at[i], &call->arg[i], dtype));
    /* A Python int that does not fit is an error, as in NumPy 2; clast_full checks. */
    if (cl_value_is_scalar(&call->arg[i]))
        return cl_call_take(call, clast_full(call->env->ctx, 0, NULL, a, dtype), out);
    return cl_call_take(call, clast_astype(a, dtype), out);
}

static clast_status call_astype(cl_call *call, cl_value *out)
{
    clast_dtype dtype = CLAST_NDTYPE;
    CL_TRY(cl_call_dtype(call, 1, &dtype));
    return cast(call, 0, dtype, out);
}

static clast_status call_dtype(cl_call *call, cl_value *out)
{
    return cast(call, 0, (clast_dtype)call->function->code, out);
}

static clast_status call_array(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    if (cl_call_has(call, 1))
        return call_astype(call, out);
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(to_strong(call, 1, &a));
    return cl_call_take(call, a, out);
}

/* ---- reductions ---- */

/* A mean in integers, or a variance that becomes complex or drops imaginary parts, is
 * what nobody wants of NumPy: refused. */
static clast_status check_computed(cl_call *call, clast_dtype from, clast_dtype to)
{
    const clast_reduction reduction = (clast_reduction)call->function->code;
    const bool is_variance = cl_reduction_is_variance(reduction);
    const bool is_fine =
        cl_reduction_plain(reduction) == CLAST_SUM ||
        (cl_dtype_kind(to) >= CL_KIND_FLOAT &&
         !(is_variance && (cl_dtype_is_complex(from) || cl_dtype_is_complex(to))));
    return is_fine ? CLAST_OK
                   : cl_call_error(call, CLAST_EDTYPE,
                                   "not computed in %s for an array of %s",
                                   clast_dtype_name(to), clast_dtype_name(from));
}

/* Integers have no NaN, and of complex ones that become real the imaginary part may be
 * one: they are left out before. */
static clast_array *converted(cl_call *call, clast_array *a, clast_dtype to)
{
    const cl_kind from = cl_dtype_kind(clast_array_dtype(a)), into = cl_dtype_kind(to);
    if (cl_reduction_skips_nan((clast_reduction)call->function->code) &&
        from >= CL_KIND_FLOAT && into < from) {
        const double instead = into < CL_KIND_FLOAT ? 0 : (double)NAN;
        a = clast_where(is_nan(a), clast_double(call->env->ctx, instead), a);
    }
    return clast_astype(a, to);
}

static clast_status call_reduction(cl_call *call, int axis, int dtype, int ddof,
                                   int keepdims, cl_value *out)
{
    clast_array *a = NULL;
    clast_dtype computed = CLAST_NDTYPE;
    clast_reduction reduction = (clast_reduction)call->function->code;
    CL_TRY(cl_call_array(call, 0, &a));
    if (dtype > 0 && cl_call_has(call, dtype)) {
        CL_TRY(cl_call_dtype(call, dtype, &computed));
        CL_TRY(check_computed(call, clast_array_dtype(a), computed));
        /* What was an integer had no NaN, whatever it becomes. */
        if (cl_dtype_kind(clast_array_dtype(a)) < CL_KIND_FLOAT)
            reduction = cl_reduction_plain(reduction);
        a = converted(call, a, computed);
    }
    int axes[CLAST_MAXDIM];
    clast_reduce_options options = {0};
    if (cl_call_has(call, axis)) {
        CL_TRY(cl_call_axes(call, axis, &options.naxes, axes));
        options.axes = axes;
    }
    if (ddof > 0 && cl_call_has(call, ddof))
        CL_TRY(cl_call_double(call, ddof, &options.ddof));
    CL_TRY(cl_call_bool(call, keepdims, &options.keepdims));
    a = clast_reduce(a, reduction, &options);
    /* Integers are added in 64 bits, which cut to fewer are the sum that wraps
     * there. */
    if (computed != CLAST_NDTYPE && cl_reduction_plain(reduction) == CLAST_SUM)
        a = clast_astype(a, computed);
    return cl_call_take(call, a, out);
}

static clast_status call_sum(cl_call *call, cl_value *out)
{
    return call_reduction(call, 1, 2, 0, 4, out);
}

static clast_status call_var(cl_call *call, cl_value *out)
{
    return call_reduction(call, 1, 2, 4, 5, out);
}

static clast_status call_min(cl_call *call, cl_value *out)
{
    return call_reduction(call, 1, 0, 0, 3, out);
}

/* ---- shapes ---- */

static clast_status call_transpose(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    if (!cl_call_has(call, 1))
        return cl_call_take(call, clast_transpose(a), out);
    int n = 0, axes[CLAST_MAXDIM];
    CL_TRY(cl_call_axes(call, 1, &n, axes));
    return cl_call_take(call, clast_permute(a, n, axes), out);
}

static clast_status call_swapaxes(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    int axis1 = 0, axis2 = 0;
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(cl_call_axis(call, 1, &axis1));
    CL_TRY(cl_call_axis(call, 2, &axis2));
    return cl_call_take(call, clast_swapaxes(a, axis1, axis2), out);
}

/* 0 <= axis < ndim for each, none twice, ascending. */
static clast_status sort_axes(cl_call *call, int ndim, int n, int *axes)
{
    bool is_there[CLAST_MAXDIM] = {false};
    for (int i = 0; i < n; i++) {
        const int axis = axes[i] < 0 ? axes[i] + ndim : axes[i];
        if (axis < 0 || axis >= ndim)
            return cl_call_error(call, CLAST_EAXIS,
                                 "axis %d is out of range for %d dimensions", axes[i],
                                 ndim);
        if (is_there[axis])
            return cl_call_error(call, CLAST_EAXIS, "axis %d is given twice", axes[i]);
        is_there[axis] = true;
    }
    n = 0;
    for (int axis = 0; axis < ndim; axis++)
        if (is_there[axis])
            axes[n++] = axis;
    return CLAST_OK;
}

static clast_status call_flip(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    if (!cl_call_has(call, 1))
        return cl_call_take(call, clast_flip(a, CLAST_ALL), out);
    int n = 0, axes[CLAST_MAXDIM];
    CL_TRY(cl_call_axes(call, 1, &n, axes));
    CL_TRY(sort_axes(call, clast_ndim(a), n, axes));
    for (int i = 0; i < n; i++)
        a = clast_flip(a, axes[i]);
    return cl_call_take(call, a, out);
}

static clast_status call_squeeze(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    if (!cl_call_has(call, 1))
        return cl_call_take(call, clast_squeeze(a, CLAST_ALL), out);
    int n = 0, axes[CLAST_MAXDIM];
    CL_TRY(cl_call_axes(call, 1, &n, axes));
    CL_TRY(sort_axes(call, clast_ndim(a), n, axes));
    while (n-- > 0) /* from the last one, so that the others keep their numbers */
        a = clast_squeeze(a, axes[n]);
    return cl_call_take(call, a, out);
}

static clast_status call_expand_dims(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    int n = 0, axes[CLAST_MAXDIM];
    CL_TRY(cl_call_axes(call, 1, &n, axes));
    if (clast_ndim(a) + n > CLAST_MAXDIM)
        return cl_call_error(call, CLAST_ESHAPE, "more than %d dimensions",
                             CLAST_MAXDIM);
    CL_TRY(sort_axes(call, clast_ndim(a) + n, n, axes));
    for (int i = 0; i < n; i++)
        a = clast_expand_dims(a, axes[i]);
    return cl_call_take(call, a, out);
}

static clast_status call_broadcast_to(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    int n = 0;
    int64_t shape[CLAST_MAXDIM];
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(cl_call_shape(call, 1, &n, shape));
    return cl_call_take(call, clast_broadcast_to(a, n, shape), out);
}

static clast_status check_order(cl_call *call, int i)
{
    if (!cl_call_has(call, i) ||
        (call->arg[i].kind == CL_VALUE_STRING && strcmp(call->arg[i].text, "C") == 0))
        return CLAST_OK;
    return cl_call_error(call, CLAST_ENOTSUP, "only order='C' is supported");
}

static clast_status call_reshape(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    int n = 0;
    int64_t shape[CLAST_MAXDIM];
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(cl_call_shape(call, 1, &n, shape));
    CL_TRY(check_order(call, 2));
    return cl_call_take(call, clast_reshape(a, n, shape), out);
}

static clast_status call_ravel(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(check_order(call, 1));
    return cl_call_take(call, clast_reshape(a, 1, (const int64_t[]){-1}), out);
}

static clast_status call_rechunk(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    int n = 0;
    int64_t chunk[CLAST_MAXDIM];
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(cl_call_shape(call, 1, &n, chunk));
    return cl_call_take(call, clast_rechunk(a, n, chunk), out);
}

static clast_status call_concatenate(cl_call *call, cl_value *out)
{
    size_t n = 0;
    clast_array **arrays = NULL;
    CL_TRY(cl_call_arrays(call, 0, &n, &arrays));
    if (n == 0 || n > INT32_MAX)
        return cl_call_error(call, CLAST_EVALUE, "there is no array to join");
    int axis = 0;
    if (call->arg[1].kind == CL_VALUE_NONE) {
        for (size_t i = 0; i < n; i++)
            arrays[i] = clast_reshape(arrays[i], 1, (const int64_t[]){-1});
    } else if (cl_call_has(call, 1)) {
        CL_TRY(cl_call_axis(call, 1, &axis));
    }
    return cl_call_take(call, clast_concatenate((int)n, arrays, axis), out);
}

static clast_status call_stack(cl_call *call, cl_value *out)
{
    size_t n = 0;
    int axis = 0;
    clast_array **arrays = NULL;
    CL_TRY(cl_call_arrays(call, 0, &n, &arrays));
    if (n == 0 || n > INT32_MAX)
        return cl_call_error(call, CLAST_EVALUE, "there is no array to join");
    if (cl_call_has(call, 1))
        CL_TRY(cl_call_axis(call, 1, &axis));
    return cl_call_take(call, clast_stack((int)n, arrays, axis), out);
}

/* ---- linear algebra ---- */

static clast_status call_dot(cl_call *call, cl_value *out)
{
    clast_array *a = NULL, *b = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(cl_call_array(call, 1, &b));
    if (clast_ndim(a) == 0 || clast_ndim(b) == 0)
        return cl_call_take(call, clast_mul(a, b), out);
    return cl_call_take(call, clast_matmul(a, b), out);
}

static clast_status call_svd(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    bool is_full = false, is_wanted = true;
    CL_TRY(cl_call_array(call, 0, &a));
    CL_TRY(cl_call_bool(call, 1, &is_full));
    CL_TRY(cl_call_bool(call, 2, &is_wanted));
    if (is_full)
        return cl_call_error(call, CLAST_ENOTSUP,
                             "only reduced factors (full_matrices=False)");
    const clast_svd_result svd = clast_svd(a);
    cl_value *item = cl_arena_array(&call->env->arena, 3, sizeof *item);
    if (!item)
        return cl_call_error(call, CLAST_ENOMEM, "no memory for its results");
    CL_TRY(cl_call_take(call, svd.u, &item[0]));
    CL_TRY(cl_call_take(call, svd.s, &item[1]));
    CL_TRY(cl_call_take(call, svd.vt, &item[2]));
    *out = is_wanted ? (cl_value){.kind = CL_VALUE_TUPLE, .item = item, .count = 3}
                     : item[1];
    return CLAST_OK;
}

/* ---- sources ---- */

static clast_status call_zeros(cl_call *call, cl_value *out)
{
    int n = 0;
    int64_t shape[CLAST_MAXDIM];
    clast_dtype dtype = CLAST_FLOAT64;
    CL_TRY(cl_call_shape(call, 0, &n, shape));
    if (cl_call_has(call, 1))
        CL_TRY(cl_call_dtype(call, 1, &dtype));
    clast_ctx *ctx = call->env->ctx;
    return cl_call_take(call,
                        call->function->code == 0 ? clast_zeros(ctx, n, shape, dtype)
                                                  : clast_ones(ctx, n, shape, dtype),
                        out);
}

static clast_status call_zeros_like(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    CL_TRY(cl_call_array(call, 0, &a));
    clast_dtype dtype = clast_array_dtype(a);
    if (cl_call_has(call, 1))
        CL_TRY(cl_call_dtype(call, 1, &dtype));
    clast_ctx *ctx = call->env->ctx;
    const int n = clast_ndim(a);
    const int64_t *shape = clast_shape(a);
    return cl_call_take(call,
                        call->function->code == 0 ? clast_zeros(ctx, n, shape, dtype)
                                                  : clast_ones(ctx, n, shape, dtype),
                        out);
}

static clast_status call_full(cl_call *call, cl_value *out)
{
    int n = 0;
    int64_t shape[CLAST_MAXDIM];
    clast_array *value = NULL;
    CL_TRY(cl_call_shape(call, 0, &n, shape));
    clast_dtype dtype = CLAST_UINT64; /* what a large int becomes */
    if (cl_call_has(call, 2))
        CL_TRY(cl_call_dtype(call, 2, &dtype));
    CL_TRY(cl_call_operand(call, 1, dtype, &value));
    if (!cl_call_has(call, 2))
        dtype = clast_array_dtype(value);
    return cl_call_take(call, clast_full(call->env->ctx, n, shape, value, dtype), out);
}

/* arange(stop), arange(start, stop), arange(start, stop, step); each as a keyword. */
static clast_status call_arange(cl_call *call, cl_value *out)
{
    static const cl_value defaults[] = {{.kind = CL_VALUE_INT},
                                        {.kind = CL_VALUE_ABSENT},
                                        {.kind = CL_VALUE_INT, .integer = 1}};
    bool is_int = true;
    if (!cl_call_has(call, 1)) {
        if (!cl_call_has(call, 0))
            return cl_call_error(call, CLAST_EVALUE, "the argument stop is missing");
        call->arg[1] = call->arg[0];
        call->arg_at[1] = call->arg_at[0];
        call->arg[0] = defaults[0];
    }
    if (!cl_call_has(call, 0))
        call->arg[0] = defaults[0];
    if (!cl_call_has(call, 2))
        call->arg[2] = defaults[2];
    double number[3];
    for (int i = 0; i < 3; i++) {
        CL_TRY(cl_call_double(call, i, &number[i]));
        is_int = is_int && call->arg[i].kind != CL_VALUE_FLOAT;
    }
    clast_dtype dtype = is_int ? CLAST_INT64 : CLAST_FLOAT64;
    if (cl_call_has(call, 3))
        CL_TRY(cl_call_dtype(call, 3, &dtype));
    clast_ctx *ctx = call->env->ctx;
    if (!is_int)
        return cl_call_take(
            call, clast_arange(ctx, number[0], number[1], number[2], dtype), out);
    int64_t integer[3];
    for (int i = 0; i < 3; i++)
        CL_TRY(cl_call_int(call, i, &integer[i]));
    return cl_call_take(
        call, clast_arange_int(ctx, integer[0], integer[1], integer[2], dtype), out);
}

static clast_status call_random(cl_call *call, cl_value *out)
{
    int n = 0;
    int64_t shape[CLAST_MAXDIM], seed = 0;
    clast_dtype dtype = CLAST_FLOAT64;
    CL_TRY(cl_call_shape(call, 0, &n, shape));
    if (cl_call_has(call, 1))
        CL_TRY(cl_call_int(call, 1, &seed));
    if (cl_call_has(call, 2))
        CL_TRY(cl_call_dtype(call, 2, &dtype));
    return cl_call_take(
        call, clast_random(call->env->ctx, n, shape, (uint64_t)seed, dtype), out);
}

/* ---- the table ---- */

static const char *const of_one[] = {"x", "!out", NULL};
static const char *const of_two[] = {"x1", "x2", "!out", NULL};
static const char *const of_sum[] = {"a", "axis", "dtype", "!out", "keepdims", NULL};
static const char *const of_var[] = {"a",    "axis",     "dtype", "!out",
                                     "ddof", "keepdims", NULL};
static const char *const of_min[] = {"a", "axis", "!out", "keepdims", NULL};
static const char *const of_cast[] = {"x", NULL};
static const char *const of_zeros[] = {"shape", "dtype", NULL};
static const char *const of_like[] = {"a", "dtype", NULL};

#define UNARY(name, f)                                                                 \
    {                                                                                  \
        name, call_unary, of_one, 1, CL_AS_FUNCTION, f, NULL, 0                        \
    }
#define BINARY(name, f)                                                                \
    {                                                                                  \
        name, call_binary, of_two, 2, CL_AS_FUNCTION, NULL, f, 0                       \
    }
#define REDUCE(name, fn, parameters, reduction)                                        \
    {                                                                                  \
        name, fn, parameters, 1, CL_AS_BOTH, NULL, NULL, reduction                     \
    }
#define OTHER(name, fn, parameters, required, flags)                                   \
    {                                                                                  \
        name, fn, parameters, required, flags, NULL, NULL, 0                           \
    }
#define CODED(name, fn, parameters, code)                                              \
    {                                                                                  \
        name, fn, parameters, 1, CL_AS_FUNCTION, NULL, NULL, code                      \
    }

static const char *const of_where[] = {"condition", "x", "y", NULL};
static const char *const of_clip[] = {"a", "a_min", "a_max", "!out", NULL};
static const char *const of_astype[] = {"x", "dtype", NULL};
static const char *const of_array[] = {"object", "dtype", NULL};
static const char *const of_transpose[] = {"a", "axes", NULL};
static const char *const of_swapaxes[] = {"a", "axis1", "axis2", NULL};
static const char *const of_flip[] = {"m", "axis", NULL};
static const char *const of_squeeze[] = {"a", "axis", NULL};
static const char *const of_broadcast[] = {"array", "shape", "!subok", NULL};
static const char *const of_reshape[] = {"a", "newshape", "order", NULL};
static const char *const of_ravel[] = {"a", "order", NULL};
static const char *const of_rechunk[] = {"a", "chunks", NULL};
static const char *const of_concatenate[] = {"arrays", "axis", "!out", "!dtype", NULL};
static const char *const of_stack[] = {"arrays", "axis", "!out", "!dtype", NULL};
static const char *const of_sel[] = {"a", "method", NULL};
static const char *const of_dot[] = {"a", "b", "!out", NULL};
static const char *const of_svd[] = {"a", "full_matrices", "compute_uv", "!hermitian",
                                     NULL};
static const char *const of_full[] = {"shape", "fill_value", "dtype", NULL};
static const char *const of_arange[] = {"start", "stop", "step", "dtype", NULL};
static const char *const of_random[] = {"shape", "seed", "dtype", NULL};

static const cl_expr_function functions[] = {
    BINARY("add", clast_add),
    BINARY("subtract", clast_sub),
    BINARY("multiply", clast_mul),
    BINARY("divide", clast_div),
    BINARY("true_divide", clast_div),
    BINARY("floor_divide", clast_floordiv),
    BINARY("remainder", clast_mod),
    BINARY("mod", clast_mod),
    BINARY("power", clast_pow),
    BINARY("equal", clast_eq),
    BINARY("not_equal", clast_ne),
    BINARY("less", clast_lt),
    BINARY("less_equal", clast_le),
    BINARY("greater", clast_gt),
    BINARY("greater_equal", clast_ge),
    BINARY("bitwise_and", clast_and),
    BINARY("bitwise_or", clast_or),
    BINARY("bitwise_xor", clast_xor),
    BINARY("minimum", clast_minimum),
    BINARY("maximum", clast_maximum),
    BINARY("matmul", clast_matmul),
    UNARY("negative", clast_neg),
    UNARY("abs", clast_abs),
    UNARY("absolute", clast_abs),
    UNARY("invert", clast_invert),
    UNARY("bitwise_not", clast_invert),
    UNARY("sqrt", clast_sqrt),
    UNARY("exp", clast_exp),
    UNARY("log", clast_log),
    UNARY("sin", clast_sin),
    UNARY("cos", clast_cos),
    UNARY("isnan", is_nan),
    OTHER("where", call_where, of_where, 3, CL_AS_FUNCTION),
    OTHER("clip", call_clip, of_clip, 1, CL_AS_BOTH),
    OTHER("astype", call_astype, of_astype, 2, CL_AS_BOTH),
    OTHER("array", call_array, of_array, 1, CL_AS_FUNCTION),
    OTHER("asarray", call_array, of_array, 1, CL_AS_FUNCTION),

    REDUCE("sum", call_sum, of_sum, CLAST_SUM),
    REDUCE("mean", call_sum, of_sum, CLAST_MEAN),
    REDUCE("var", call_var, of_var, CLAST_VAR),
    REDUCE("std", call_var, of_var, CLAST_STD),
    REDUCE("min", call_min, of_min, CLAST_MIN),
    REDUCE("max", call_min, of_min, CLAST_MAX),
    REDUCE("amin", call_min, of_min, CLAST_MIN),
    REDUCE("amax", call_min, of_min, CLAST_MAX),
    REDUCE("argmin", call_min, of_min, CLAST_ARGMIN),
    REDUCE("argmax", call_min, of_min, CLAST_ARGMAX),
    REDUCE("any", call_min, of_min, CLAST_ANY),
    REDUCE("all", call_min, of_min, CLAST_EVERY),
    CODED("nansum", call_sum, of_sum, CLAST_NANSUM),
    CODED("nanmean", call_sum, of_sum, CLAST_NANMEAN),
    CODED("nanvar", call_var, of_var, CLAST_NANVAR),
    CODED("nanstd", call_var, of_var, CLAST_NANSTD),
    CODED("nanmin", call_min, of_min, CLAST_NANMIN),
    CODED("nanmax", call_min, of_min, CLAST_NANMAX),
    CODED("nanargmin", call_min, of_min, CLAST_NANARGMIN),
    CODED("nanargmax", call_min, of_min, CLAST_NANARGMAX),

    OTHER("transpose", call_transpose, of_transpose, 1, CL_AS_BOTH | CL_PACKS),
    OTHER("swapaxes", call_swapaxes, of_swapaxes, 3, CL_AS_BOTH),
    OTHER("flip", call_flip, of_flip, 1, CL_AS_FUNCTION),
    OTHER("squeeze", call_squeeze, of_squeeze, 1, CL_AS_BOTH),
    OTHER("expand_dims", call_expand_dims, of_squeeze, 2, CL_AS_FUNCTION | CL_NEW_AXIS),
    OTHER("broadcast_to", call_broadcast_to, of_broadcast, 2, CL_AS_FUNCTION),
    OTHER("reshape", call_reshape, of_reshape, 2, CL_AS_BOTH | CL_PACKS),
    OTHER("ravel", call_ravel, of_ravel, 1, CL_AS_BOTH),
    OTHER("flatten", call_ravel, of_ravel, 1, CL_AS_METHOD),
    OTHER("rechunk", call_rechunk, of_rechunk, 2, CL_AS_BOTH | CL_PACKS),
    OTHER("concatenate", call_concatenate, of_concatenate, 1, CL_AS_FUNCTION),
    OTHER("concat", call_concatenate, of_concatenate, 1, CL_AS_FUNCTION),
    OTHER("stack", call_stack, of_stack, 1, CL_AS_FUNCTION | CL_NEW_AXIS),

    OTHER("sel", cl_call_select, of_sel, 1, CL_AS_BOTH | CL_BY_AXIS),

    OTHER("dot", call_dot, of_dot, 2, CL_AS_BOTH),
    OTHER("svd", call_svd, of_svd, 1, CL_AS_FUNCTION | CL_IN_LINALG),

    CODED("zeros", call_zeros, of_zeros, 0),
    CODED("ones", call_zeros, of_zeros, 1),
    CODED("zeros_like", call_zeros_like, of_like, 0),
    CODED("ones_like", call_zeros_like, of_like, 1),
    OTHER("full", call_full, of_full, 2, CL_AS_FUNCTION),
    OTHER("arange", call_arange, of_arange, 0, CL_AS_FUNCTION),
    OTHER("random_uniform", call_random, of_random, 1, CL_AS_FUNCTION),
};

const cl_expr_function *cl_expr_find_function(const char *name, int flags)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if ((functions[i].flags & flags) != 0 && strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

/* ---- dtypes ---- */

static const struct {
    const char *name;
    clast_dtype dtype;
} aliases[] = {
    {"bool_", CLAST_BOOL},         {"int", CLAST_INT64},
    {"int_", CLAST_INT64},         {"uint", CLAST_UINT64},
    {"float", CLAST_FLOAT64},      {"double", CLAST_FLOAT64},
    {"single", CLAST_FLOAT32},     {"complex", CLAST_COMPLEX128},
    {"cdouble", CLAST_COMPLEX128}, {"csingle", CLAST_COMPLEX64},
};

bool cl_expr_find_dtype(const char *name, clast_dtype *dtype)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].name, name) == 0) {
            *dtype = aliases[i].dtype;
            return true;
        }
    return cl_dtype_parse(name, dtype);
}

#define CAST(name, dtype)                                                              \
    {                                                                                  \
        name, call_dtype, of_cast, 1, CL_AS_FUNCTION, NULL, NULL, dtype                \
    }

static const cl_expr_function casts[CLAST_NDTYPE] = {
    [CLAST_BOOL] = CAST("bool", CLAST_BOOL),
    [CLAST_INT8] = CAST("int8", CLAST_INT8),
    [CLAST_INT16] = CAST("int16", CLAST_INT16),
    [CLAST_INT32] = CAST("int32", CLAST_INT32),
    [CLAST_INT64] = CAST("int64", CLAST_INT64),
    [CLAST_UINT8] = CAST("uint8", CLAST_UINT8),
    [CLAST_UINT16] = CAST("uint16", CLAST_UINT16),
    [CLAST_UINT32] = CAST("uint32", CLAST_UINT32),
    [CLAST_UINT64] = CAST("uint64", CLAST_UINT64),
    [CLAST_FLOAT32] = CAST("float32", CLAST_FLOAT32),
    [CLAST_FLOAT64] = CAST("float64", CLAST_FLOAT64),
    [CLAST_COMPLEX64] = CAST("complex64", CLAST_COMPLEX64),
    [CLAST_COMPLEX128] = CAST("complex128", CLAST_COMPLEX128),
};

const cl_expr_function *cl_expr_cast_to(clast_dtype dtype)
{
    return &casts[dtype];
}
