/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions: which axes, which dtype, what of empty ones.
 *
 * A reduction node has no reduced axes; keepdims is a view on it. Over no axes at all
 * (axis=() or a 0-d array) most reductions are conversions of each element and become
 * those; variances and what leaves NaN out stay reductions, of one element each.
 *
 * What leaves NaN out is the plain reduction where there is none, of bool and integers.
 * Complex numbers are summed as twice the reals, so an element of which one part is NaN
 * is made NaN in both before it is.
 */
#include "array/make.h"

#include <math.h>

typedef struct {
    clast_reduction op;
    uint32_t axes; /* bit a: axis a */
    bool keepdims;
    double ddof;
} request;

static uint32_t all_axes(int ndim)
{
    return ndim == 32 ? UINT32_MAX : (1u << ndim) - 1;
}

static bool settle_axes(cl_make *m, const clast_reduce_options *o,
                        const cl_shape *shape, request *r)
{
    r->axes = 0;
    if (o->naxes < 0) {
        cl_make_fail(m, CLAST_EVALUE, "naxes is %d", o->naxes);
        return false;
    }
    if (!o->axes && o->naxes != 0) {
        cl_make_fail(m, CLAST_EVALUE, "naxes is %d, but axes is NULL", o->naxes);
        return false;
    }
    if (!o->axes) {
        r->axes = all_axes(shape->ndim);
        return true;
    }
    for (int i = 0; i < o->naxes; i++) {
        int axis;
        if (!cl_make_axis(m, o->axes[i], shape, &axis))
            return false;
        if (r->axes >> axis & 1u) {
            cl_make_fail(m, CLAST_EAXIS, "axis %d is given twice", o->axes[i]);
            return false;
        }
        r->axes |= 1u << axis;
    }
    return true;
}

static bool settle(cl_make *m, const clast_reduce_options *o, const cl_shape *shape,
                   request *r)
{
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0) {
            cl_make_fail(m, CLAST_ENOTSUP, "reserved[%zu] must be zero", i);
            return false;
        }
    r->keepdims = o->keepdims;
    r->ddof = o->ddof;
    if (!isfinite(r->ddof)) {
        cl_make_fail(m, CLAST_EVALUE, "ddof is %g", r->ddof);
        return false;
    }
    if (r->ddof != 0 && !cl_reduction_is_variance(r->op)) {
        cl_make_fail(m, CLAST_EVALUE, "ddof is for var, std, nanvar and nanstd only");
        return false;
    }
    return settle_axes(m, o, shape, r);
}

/* min, max and their positions need an element for each result. */
static bool is_defined(cl_make *m, const request *r, const cl_shape *shape)
{
    const clast_reduction plain = cl_reduction_plain(r->op);
    const bool is_extreme = plain == CLAST_MIN || plain == CLAST_MAX;
    const bool is_place = cl_reduction_is_place(r->op);
    const int chosen = __builtin_popcount(r->axes);
    if (is_place && chosen != shape->ndim && chosen != 1) {
        cl_make_fail(m, CLAST_EAXIS, "takes one axis or all of them, not %d", chosen);
        return false;
    }
    if (!is_extreme && !is_place)
        return true;
    int empty = -1;
    for (int a = 0; a < shape->ndim && empty < 0; a++)
        if ((r->axes >> a & 1u) && shape->dim[a] == 0)
            empty = a;
    if (empty < 0)
        return true;
    char text[512];
    cl_make_fail(m, CLAST_ESHAPE, "axis %d is empty and nothing has no %s, shape %s",
                 empty, cl_reduction_name(r->op),
                 cl_shape_text(shape, text, sizeof text));
    return false;
}

/* Over no axes: each element for itself. */
static cl_node_id reduced_nowhere(cl_make *m, const request *r, cl_node_id id,
                                  clast_dtype dtype)
{
    const cl_shape shape = cl_make_node(m, id)->shape;
    if (cl_reduction_is_place(r->op))
        return cl_node_const(m, CLAST_INT64, (cl_scalar){.i64 = 0}, &shape);
    const clast_dtype own = (clast_dtype)cl_make_node(m, id)->dtype;
    return cl_node_as(m, cl_node_as(m, id, own), dtype);
}

/* Complex numbers with NaN in both parts or in none. */
static cl_node_id with_whole_nan(cl_make *m, cl_node_id id)
{
    static const cl_scalar nan = {.c128 = {NAN, NAN}};
    const clast_dtype dtype = (clast_dtype)cl_make_node(m, id)->dtype;
    const cl_shape shape = cl_make_node(m, id)->shape;
    const cl_node_id strong = cl_node_as(m, id, dtype), twice[2] = {strong, strong};
    const cl_node_id is_nan =
        cl_node_operated(m, CL_OP_NE, CLAST_BOOL, 2, twice, &shape);
    const cl_scalar value = cl_scalar_cast(nan, CLAST_COMPLEX128, dtype);
    const cl_node_id choice[3] = {is_nan, cl_node_const(m, dtype, value, &shape),
                                  strong};
    return cl_node_operated(m, CL_OP_WHERE, dtype, 3, choice, &shape);
}

/* What is left to be done about NaN by reduction *op. */
static cl_node_id about_nan(cl_make *m, cl_node_id id, clast_reduction *op)
{
    const clast_dtype dtype = (clast_dtype)cl_make_node(m, id)->dtype;
    const clast_reduction plain = cl_reduction_plain(*op);
    if (!cl_reduction_skips_nan(*op))
        return id;
    if (cl_dtype_kind(dtype) < CL_KIND_FLOAT) {
        *op = plain;
        return id;
    }
    const bool is_summed =
        plain == CLAST_SUM || plain == CLAST_MEAN || cl_reduction_is_variance(plain);
    return is_summed && cl_dtype_is_complex(dtype) ? with_whole_nan(m, id) : id;
}

static cl_node_id reduced(cl_make *m, cl_node_id id, request *r)
{
    if (!is_defined(m, r, &cl_make_node(m, id)->shape))
        return CL_NO_NODE;
    id = about_nan(m, id, &r->op);
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_node *from = cl_make_node(m, id);
    const clast_dtype dtype = cl_reduction_dtype(r->op, (clast_dtype)from->dtype);
    if (r->axes == 0 && !cl_reduction_is_variance(r->op) &&
        !cl_reduction_skips_nan(r->op))
        return reduced_nowhere(m, r, id, dtype);
    cl_shape shape = {0};
    for (int a = 0; a < from->shape.ndim; a++)
        if (!(r->axes >> a & 1u))
            shape.dim[shape.ndim++] = from->shape.dim[a];
    cl_node node = cl_node_of(CL_OP_REDUCE, dtype, &shape);
    node.nin = 1;
    node.in = &id;
    node.params.reduction = (uint8_t)r->op;
    node.params.axes = r->axes;
    node.params.ddof = r->ddof;
    const cl_node_id result = cl_make_add(m, &node);
    return r->keepdims ? cl_node_expanded(m, result, r->axes) : result;
}

clast_array *clast_reduce(clast_array *a, clast_reduction op,
                          const clast_reduce_options *options)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    const bool is_op = (int)op >= 0 && op < CLAST_NREDUCTION;
    request r = {.op = op};
    if (cl_make_begin(&m, is_op ? cl_reduction_name(op) : "reduce", 1, &a)) {
        const clast_reduce_options defaults = {0};
        if (!is_op)
            cl_make_fail(&m, CLAST_EVALUE, "%d is no reduction", (int)op);
        else if (settle(&m, options ? options : &defaults, &a->node->shape, &r))
            result = reduced(&m, a->id, &r);
    }
    return cl_make_end(&m, result);
}

static clast_array *along(clast_array *a, clast_reduction op, int axis)
{
    return clast_reduce(
        a, op,
        axis == CLAST_ALL ? NULL : &(clast_reduce_options){.naxes = 1, .axes = &axis});
}

clast_array *clast_sum(clast_array *a, int axis)
{
    return along(a, CLAST_SUM, axis);
}

clast_array *clast_mean(clast_array *a, int axis)
{
    return along(a, CLAST_MEAN, axis);
}

clast_array *clast_var(clast_array *a, int axis)
{
    return along(a, CLAST_VAR, axis);
}

clast_array *clast_std(clast_array *a, int axis)
{
    return along(a, CLAST_STD, axis);
}

clast_array *clast_min(clast_array *a, int axis)
{
    return along(a, CLAST_MIN, axis);
}

clast_array *clast_max(clast_array *a, int axis)
{
    return along(a, CLAST_MAX, axis);
}

clast_array *clast_argmin(clast_array *a, int axis)
{
    return along(a, CLAST_ARGMIN, axis);
}

clast_array *clast_argmax(clast_array *a, int axis)
{
    return along(a, CLAST_ARGMAX, axis);
}

clast_array *clast_any(clast_array *a, int axis)
{
    return along(a, CLAST_ANY, axis);
}

clast_array *clast_all(clast_array *a, int axis)
{
    return along(a, CLAST_EVERY, axis);
}

clast_array *clast_nansum(clast_array *a, int axis)
{
    return along(a, CLAST_NANSUM, axis);
}

clast_array *clast_nanmean(clast_array *a, int axis)
{
    return along(a, CLAST_NANMEAN, axis);
}

clast_array *clast_nanvar(clast_array *a, int axis)
{
    return along(a, CLAST_NANVAR, axis);
}

clast_array *clast_nanstd(clast_array *a, int axis)
{
    return along(a, CLAST_NANSTD, axis);
}

clast_array *clast_nanmin(clast_array *a, int axis)
{
    return along(a, CLAST_NANMIN, axis);
}

clast_array *clast_nanmax(clast_array *a, int axis)
{
    return along(a, CLAST_NANMAX, axis);
}

clast_array *clast_nanargmin(clast_array *a, int axis)
{
    return along(a, CLAST_NANARGMIN, axis);
}

clast_array *clast_nanargmax(clast_array *a, int axis)
{
    return along(a, CLAST_NANARGMAX, axis);
}
