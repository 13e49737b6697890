/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays from nothing: scalars, constants, ranges, random numbers.
 */
#include "array/make.h"

#include <math.h>
#include <string.h>

static clast_array *weak_scalar(clast_ctx *ctx, const char *op, cl_kind kind,
                                cl_scalar value)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin_ctx(&m, op, ctx)
                               ? cl_node_weak(&m, kind, value)
                               : CL_NO_NODE);
}

clast_array *clast_double(clast_ctx *ctx, double v)
{
    return weak_scalar(ctx, "double", CL_KIND_FLOAT, (cl_scalar){.f64 = v});
}

clast_array *clast_int(clast_ctx *ctx, int64_t v)
{
    return weak_scalar(ctx, "int", CL_KIND_INT, (cl_scalar){.i64 = v});
}

clast_array *clast_bool(clast_ctx *ctx, bool v)
{
    return weak_scalar(ctx, "bool", CL_KIND_BOOL, (cl_scalar){.b = v});
}

clast_array *clast_complex(clast_ctx *ctx, double re, double im)
{
    return weak_scalar(ctx, "complex", CL_KIND_COMPLEX, (cl_scalar){.c128 = {re, im}});
}

static clast_array *constant(clast_ctx *ctx, const char *op, int ndim,
                             const int64_t *dim, bool value, clast_dtype dtype)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    cl_shape shape;
    if (cl_make_begin_ctx(&m, op, ctx) && cl_make_dtype(&m, dtype) &&
        cl_make_shape(&m, ndim, dim, &shape))
        result = cl_node_const(
            &m, dtype, cl_scalar_cast((cl_scalar){.b = value}, CLAST_BOOL, dtype),
            &shape);
    return cl_make_end(&m, result);
}

clast_array *clast_zeros(clast_ctx *ctx, int ndim, const int64_t *shape,
                         clast_dtype dtype)
{
    return constant(ctx, "zeros", ndim, shape, false, dtype);
}

clast_array *clast_ones(clast_ctx *ctx, int ndim, const int64_t *shape,
                        clast_dtype dtype)
{
    return constant(ctx, "ones", ndim, shape, true, dtype);
}

clast_array *clast_full(clast_ctx *ctx, int ndim, const int64_t *dim,
                        clast_array *value, clast_dtype dtype)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    cl_shape shape;
    if (!ctx)
        return &cl_poison_null;
    if (cl_make_begin(&m, "full", 1, &value) && cl_make_dtype(&m, dtype) &&
        cl_make_shape(&m, ndim, dim, &shape)) {
        if (value->ctx != ctx)
            cl_make_fail(&m, CLAST_ECONTEXT, "the value belongs to another context");
        else if (value->node->shape.ndim != 0)
            cl_make_fail(&m, CLAST_ESHAPE,
                         "the value has %d dimensions, it must have 0",
                         value->node->shape.ndim);
        else
            result = cl_node_broadcast(&m, cl_node_as(&m, value->id, dtype), &shape);
    }
    return cl_make_end(&m, result);
}

/* ---- ranges: computed in `type`, then converted */

static cl_node_id range_node(cl_make *m, clast_dtype type, cl_scalar start,
                             cl_scalar step, int64_t count, clast_dtype dtype)
{
    cl_node node =
        cl_node_of(CL_OP_ARANGE, dtype, &(cl_shape){.ndim = 1, .dim = {count}});
    const size_t size = clast_dtype_size(type);
    memcpy(&node.params.imm[0], &start, size);
    memcpy(&node.params.imm[1], &step, size);
    node.params.imm_type = (uint8_t)type;
    return cl_make_add(m, &node);
}

static bool is_range_dtype(cl_make *m, clast_dtype dtype)
{
    if (!cl_make_dtype(m, dtype))
        return false;
    if (dtype == CLAST_BOOL)
        cl_make_fail(m, CLAST_EDTYPE, "not defined for bool");
    return dtype != CLAST_BOOL;
}

static cl_node_id range_double(cl_make *m, double start, double stop, double step,
                               clast_dtype dtype)
{
    if (!isfinite(start) || !isfinite(stop) || !isfinite(step) || step == 0)
        return cl_make_fail(m, CLAST_EVALUE,
                            "from %.17g to %.17g by %.17g: finite numbers and a step "
                            "other than 0 are wanted",
                            start, stop, step);
    const double length = ceil((stop - start) / step);
    if (!(length < 0x1p63))
        return cl_make_fail(m, CLAST_EVALUE,
                            "from %.17g to %.17g by %.17g: too many elements", start,
                            stop, step);
    /* NumPy steps by the difference of its first two elements. */
    const double second = start + step;
    return range_node(m, CLAST_FLOAT64, (cl_scalar){.f64 = start},
                      (cl_scalar){.f64 = second - start},
                      length > 0 ? (int64_t)length : 0, dtype);
}

clast_array *clast_arange(clast_ctx *ctx, double start, double stop, double step,
                          clast_dtype dtype)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    if (cl_make_begin_ctx(&m, "arange", ctx) && is_range_dtype(&m, dtype))
        result = range_double(&m, start, stop, step, dtype);
    return cl_make_end(&m, result);
}

static cl_node_id range_int(cl_make *m, int64_t start, int64_t stop, int64_t step,
                            clast_dtype dtype)
{
    if (step == 0)
        return cl_make_fail(m, CLAST_EVALUE, "the step is 0");
    const bool is_empty = step > 0 ? stop <= start : stop >= start;
    const uint64_t span =
        step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    const uint64_t stride = step > 0 ? (uint64_t)step : -(uint64_t)step;
    const uint64_t count = is_empty ? 0 : (span - 1) / stride + 1;
    if (count > INT64_MAX)
        return cl_make_fail(m, CLAST_EVALUE,
                            "from %lld to %lld by %lld: too many elements",
                            (long long)start, (long long)stop, (long long)step);
    return range_node(m, CLAST_INT64, (cl_scalar){.i64 = start},
                      (cl_scalar){.i64 = step}, (int64_t)count, dtype);
}

clast_array *clast_arange_int(clast_ctx *ctx, int64_t start, int64_t stop, int64_t step,
                              clast_dtype dtype)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    if (cl_make_begin_ctx(&m, "arange", ctx) && is_range_dtype(&m, dtype))
        result = range_int(&m, start, stop, step, dtype);
    return cl_make_end(&m, result);
}

static cl_node_id random_node(cl_make *m, const cl_shape *shape, uint64_t seed,
                              clast_dtype dtype)
{
    if (!cl_dtype_is_float(dtype))
        return cl_make_fail(m, CLAST_EDTYPE, "not defined for %s, only for %s and %s",
                            clast_dtype_name(dtype), clast_dtype_name(CLAST_FLOAT32),
                            clast_dtype_name(CLAST_FLOAT64));
    cl_node node = cl_node_of(CL_OP_RANDOM, dtype, shape);
    node.params.imm[0].u64 = seed;
    return cl_make_add(m, &node);
}

clast_array *clast_random(clast_ctx *ctx, int ndim, const int64_t *dim, uint64_t seed,
                          clast_dtype dtype)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    cl_shape shape;
    if (cl_make_begin_ctx(&m, "random", ctx) && cl_make_dtype(&m, dtype) &&
        cl_make_shape(&m, ndim, dim, &shape))
        result = random_node(&m, &shape, seed, dtype);
    return cl_make_end(&m, result);
}
