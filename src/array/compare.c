/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Comparing two arrays: one run of reductions over expressions of both.
 *
 * Integers are compared without rounding: where one dtype holds both, their difference
 * is taken in unsigned 64-bit arithmetic, which is exact modulo 2**64 and lies below
 * it; a signed value beside a uint64 is split by its sign, and only a difference beyond
 * 2**64 - 1 is cut to that. Everything else is compared in float64, or complex128. All
 * reductions stand on the same two reads, so the planner makes one pass of them.
 */
#include <math.h>
#include <string.h>

#include "array/handle.h"
#include "base/dtype.h"

/* What is reduced. */
typedef struct {
    clast_ctx *ctx;
    clast_array *difference; /* uint64 or float64, 0 where they are the same */
    clast_array *relative;   /* float64 */
    clast_array *is_different, *is_one_nan;
} measures;

static clast_array *real(clast_array *a)
{
    return clast_astype(a, CLAST_FLOAT64);
}

static clast_array *magnitude(clast_array *a)
{
    return real(clast_abs(a));
}

/* difference / |b|: 0 where they are the same, infinite where b is 0. */
static clast_array *relative_to(clast_ctx *ctx, clast_array *difference,
                                clast_array *size)
{
    clast_array *ratio = clast_div(difference, size);
    clast_array *whole =
        clast_where(clast_ne(ratio, ratio), clast_double(ctx, INFINITY), ratio);
    return clast_where(clast_eq(difference, clast_double(ctx, 0)), clast_double(ctx, 0),
                       whole);
}

static clast_array *is_beyond(clast_ctx *ctx, clast_array *difference,
                              clast_array *size, const clast_compare_options *o)
{
    if (o->rtol == 0 && o->atol == 0)
        return clast_ne(difference, clast_double(ctx, 0));
    clast_array *room = clast_add(clast_mul(size, clast_double(ctx, o->rtol)),
                                  clast_double(ctx, o->atol));
    return clast_or(clast_gt(difference, room),
                    clast_eq(difference, clast_double(ctx, INFINITY)));
}

/* ---- integers */

static clast_array *natural(clast_array *a)
{
    return clast_astype(a, CLAST_UINT64);
}

/* |a - b| of a signed array and one of uint64. */
static clast_array *mixed_difference(clast_array *a, clast_array *b)
{
    clast_ctx *ctx = a->ctx;
    clast_array *zero = clast_astype(clast_int(ctx, 0), CLAST_UINT64);
    clast_array *bits = natural(a);
    clast_array *apart = clast_add(clast_sub(zero, bits), b); /* -a + b, may wrap */
    clast_array *beyond = clast_where(clast_lt(apart, b), clast_invert(zero), apart);
    clast_array *near = clast_sub(clast_maximum(bits, b), clast_minimum(bits, b));
    return clast_where(clast_lt(a, clast_int(ctx, 0)), beyond, near);
}

static clast_array *integer_difference(clast_array *a, clast_array *b)
{
    const clast_dtype x = clast_array_dtype(a), y = clast_array_dtype(b);
    const bool x_signed = x >= CLAST_INT8 && x <= CLAST_INT64;
    const bool y_signed = y >= CLAST_INT8 && y <= CLAST_INT64;
    if (x_signed && y == CLAST_UINT64)
        return mixed_difference(a, b);
    if (y_signed && x == CLAST_UINT64)
        return mixed_difference(b, a);
    const clast_dtype both = x_signed || y_signed ? CLAST_INT64 : CLAST_UINT64;
    clast_array *p = clast_astype(a, both), *q = clast_astype(b, both);
    return clast_sub(natural(clast_maximum(p, q)), natural(clast_minimum(p, q)));
}

static measures measure_integers(clast_array *a, clast_array *b,
                                 const clast_compare_options *o)
{
    clast_ctx *ctx = a->ctx;
    measures m = {.ctx = ctx, .difference = integer_difference(a, b)};
    clast_array *difference = real(m.difference);
    clast_array *size = clast_abs(real(b));
    m.relative = relative_to(ctx, difference, size);
    m.is_different = is_beyond(ctx, difference, size, o);
    m.is_one_nan = clast_ne(difference, difference); /* nowhere */
    return m;
}

/* ---- floats and complex numbers */

static measures measure_floats(clast_array *a, clast_array *b,
                               const clast_compare_options *o)
{
    clast_ctx *ctx = a->ctx;
    const bool is_complex = cl_dtype_is_complex(clast_array_dtype(a)) ||
                            cl_dtype_is_complex(clast_array_dtype(b));
    const clast_dtype dtype = is_complex ? CLAST_COMPLEX128 : CLAST_FLOAT64;
    clast_array *p = clast_astype(a, dtype), *q = clast_astype(b, dtype);
    clast_array *p_nan = clast_ne(p, p), *q_nan = clast_ne(q, q);
    clast_array *any_nan = clast_or(p_nan, q_nan);
    clast_array *same = clast_eq(p, q);
    if (!o->nan_differs)
        same = clast_or(same, clast_and(p_nan, q_nan));
    measures m = {.ctx = ctx};
    clast_array *d = magnitude(clast_sub(p, q));
    d = clast_where(clast_ne(d, d), clast_double(ctx, INFINITY), d);
    m.difference = clast_where(clast_or(same, any_nan), clast_double(ctx, 0), d);
    clast_array *size = magnitude(q);
    m.relative = relative_to(ctx, m.difference, size);
    m.is_one_nan = clast_and(any_nan, clast_invert(same));
    m.is_different = clast_or(is_beyond(ctx, m.difference, size, o), m.is_one_nan);
    return m;
}

/* ---- the run */

typedef struct {
    int64_t different, one_nan, at, at_relative;
    uint64_t integer;
    double real, relative;
} figures;

static clast_status run(const measures *m, bool is_integer, figures *f)
{
    const clast_dtype kind = is_integer ? CLAST_UINT64 : CLAST_FLOAT64;
    void *largest = is_integer ? (void *)&f->integer : (void *)&f->real;
    const clast_buffer into[] = {
        {.data = &f->different, .bytes = 8, .dtype = CLAST_INT64},
        {.data = &f->one_nan, .bytes = 8, .dtype = CLAST_INT64},
        {.data = &f->at, .bytes = 8, .dtype = CLAST_INT64},
        {.data = &f->at_relative, .bytes = 8, .dtype = CLAST_INT64},
        {.data = largest, .bytes = 8, .dtype = kind},
        {.data = &f->relative, .bytes = 8, .dtype = CLAST_FLOAT64}};
    const clast_sink sinks[] = {
        clast_sink_fetch(clast_sum(m->is_different, CLAST_ALL), &into[0]),
        clast_sink_fetch(clast_sum(m->is_one_nan, CLAST_ALL), &into[1]),
        clast_sink_fetch(clast_argmax(m->difference, CLAST_ALL), &into[2]),
        clast_sink_fetch(clast_argmax(m->relative, CLAST_ALL), &into[3]),
        clast_sink_fetch(clast_max(m->difference, CLAST_ALL), &into[4]),
        clast_sink_fetch(clast_max(m->relative, CLAST_ALL), &into[5])};
    return clast_compute(m->ctx, (int)(sizeof sinks / sizeof *sinks), sinks);
}

static void unravel(int64_t flat, const cl_shape *shape, int64_t *index)
{
    for (int a = shape->ndim - 1; a >= 0; a--) {
        index[a] = flat % shape->dim[a];
        flat /= shape->dim[a];
    }
}

static clast_status compare(clast_array *a, clast_array *b,
                            const clast_compare_options *o, clast_comparison *c)
{
    figures f = {0};
    const bool is_integer = c->is_integer && !cl_dtype_is_complex(clast_array_dtype(a));
    clast_scope_begin(a->ctx);
    const measures m = is_integer ? measure_integers(a, b, o) : measure_floats(a, b, o);
    const clast_status status = run(&m, is_integer, &f);
    clast_scope_end(a->ctx);
    if (status != CLAST_OK)
        return status;
    c->different = f.different;
    c->one_nan = f.one_nan;
    c->largest_integer = f.integer;
    c->largest = is_integer ? (double)f.integer : f.real;
    c->largest_relative = f.relative;
    unravel(f.at, &a->node->shape, c->where);
    unravel(f.at_relative, &a->node->shape, c->where_relative);
    c->is_equal = c->same_dtype && c->different == 0;
    return CLAST_OK;
}

static bool is_whole(clast_dtype dtype)
{
    return dtype == CLAST_BOOL || cl_dtype_is_integer(dtype);
}

static clast_status refuse(clast_array *a, clast_status status, const char *text)
{
    if (a && a->ctx && cl_ctx_lock(a->ctx) == CLAST_OK) {
        cl_ctx_record(a->ctx, status, text);
        cl_ctx_unlock(a->ctx);
    }
    return status;
}

static clast_status check_options(const clast_compare_options *o)
{
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0)
            return CLAST_ENOTSUP;
    return o->rtol >= 0 && o->atol >= 0 ? CLAST_OK : CLAST_EVALUE;
}

clast_status clast_compare(clast_array *a, clast_array *b,
                           const clast_compare_options *options,
                           clast_comparison *result)
{
    static const clast_compare_options defaults;
    const clast_compare_options *o = options ? options : &defaults;
    if (!result)
        return refuse(a, CLAST_EVALUE, "compare: the result is NULL");
    *result = (clast_comparison){0};
    if (clast_array_status(a) != CLAST_OK)
        return clast_array_status(a);
    if (clast_array_status(b) != CLAST_OK)
        return clast_array_status(b);
    if (a->ctx != b->ctx)
        return refuse(a, CLAST_ECONTEXT, "compare: the arrays have different contexts");
    const clast_status status = check_options(o);
    if (status != CLAST_OK)
        return refuse(a, status,
                      "compare: rtol or atol is negative, or a reserved field is not "
                      "zero");
    const clast_dtype x = clast_array_dtype(a), y = clast_array_dtype(b);
    int64_t count = 0;
    result->ndim = a->node->shape.ndim;
    result->same_dtype = x == y;
    result->same_shape = cl_shape_equal(&a->node->shape, &b->node->shape);
    result->is_integer = is_whole(x) && is_whole(y);
    if (!result->same_shape || !cl_shape_count(&a->node->shape, &count) || count == 0) {
        result->is_equal = result->same_shape && result->same_dtype;
        return CLAST_OK;
    }
    result->count = count;
    return compare(a, b, o, result);
}
