/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations that move nothing: transposes, flips, broadcasts, new and dropped axes,
 * reshapes, tiles.
 *
 * Each is one MAPPED node (base/view.h) over its operand, but for reshapes that do more
 * than add or drop axes of length 1, and rechunk, which have nodes of their own. The
 * planner composes chains of them.
 */
#include "array/make.h"

#include <string.h>

clast_array *clast_transpose(clast_array *a)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "transpose", 1, &a)
                               ? cl_node_reversed(&m, a->id)
                               : CL_NO_NODE);
}

static cl_node_id permuted(cl_make *m, clast_array *a, int naxes, const int *axes)
{
    const cl_shape *shape = &a->node->shape;
    int order[CL_MAXDIM];
    uint32_t seen = 0;
    if (naxes != shape->ndim)
        return cl_make_fail(m, CLAST_EAXIS, "%d axes given for an array of %d", naxes,
                            shape->ndim);
    if (naxes > 0 && !axes)
        return cl_make_fail(m, CLAST_EVALUE, "the axes are NULL");
    for (int i = 0; i < naxes; i++) {
        if (!cl_make_axis(m, axes[i], shape, &order[i]))
            return CL_NO_NODE;
        if (seen >> order[i] & 1u)
            return cl_make_fail(m, CLAST_EAXIS, "axis %d is given twice", axes[i]);
        seen |= 1u << order[i];
    }
    return cl_node_permuted(m, a->id, order);
}

clast_array *clast_permute(clast_array *a, int naxes, const int *axes)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "permute", 1, &a)
                               ? permuted(&m, a, naxes, axes)
                               : CL_NO_NODE);
}

static cl_node_id swapped(cl_make *m, clast_array *a, int axis1, int axis2)
{
    const cl_shape *shape = &a->node->shape;
    int i, j, order[CL_MAXDIM];
    if (!cl_make_axis(m, axis1, shape, &i) || !cl_make_axis(m, axis2, shape, &j))
        return CL_NO_NODE;
    for (int k = 0; k < shape->ndim; k++)
        order[k] = k == i ? j : k == j ? i : k;
    return cl_node_permuted(m, a->id, order);
}

clast_array *clast_swapaxes(clast_array *a, int axis1, int axis2)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "swapaxes", 1, &a)
                               ? swapped(&m, a, axis1, axis2)
                               : CL_NO_NODE);
}

static cl_node_id flipped(cl_make *m, clast_array *a, int axis)
{
    const cl_shape *shape = &a->node->shape;
    int only = 0;
    if (axis != CLAST_ALL && !cl_make_axis(m, axis, shape, &only))
        return CL_NO_NODE;
    cl_map map = cl_map_identity(shape->ndim);
    for (int k = 0; k < shape->ndim; k++)
        if ((axis == CLAST_ALL || k == only) && shape->dim[k] > 1) {
            map.off[k] = shape->dim[k] - 1;
            map.step[k] = -1;
        }
    return cl_node_mapped(m, a->id, &map, shape);
}

clast_array *clast_flip(clast_array *a, int axis)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "flip", 1, &a) ? flipped(&m, a, axis)
                                                            : CL_NO_NODE);
}

static cl_node_id broadcasted(cl_make *m, clast_array *a, int ndim, const int64_t *dim)
{
    cl_shape shape, both;
    if (!cl_make_shape(m, ndim, dim, &shape))
        return CL_NO_NODE;
    const cl_shape *from = &a->node->shape;
    if (!cl_shape_broadcast(from, &shape, &both) || !cl_shape_equal(&both, &shape)) {
        char x[512], y[512];
        return cl_make_fail(m, CLAST_ESHAPE, "shape %s does not broadcast to %s",
                            cl_shape_text(from, x, sizeof x),
                            cl_shape_text(&shape, y, sizeof y));
    }
    return cl_node_broadcast(m, a->id, &shape);
}

clast_array *clast_broadcast_to(clast_array *a, int ndim, const int64_t *shape)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "broadcast_to", 1, &a)
                               ? broadcasted(&m, a, ndim, shape)
                               : CL_NO_NODE);
}

static cl_node_id expanded(cl_make *m, clast_array *a, int axis)
{
    cl_shape shape = a->node->shape;
    int at;
    if (shape.ndim == CLAST_MAXDIM)
        return cl_make_fail(m, CLAST_ESHAPE, "the array has %d dimensions already",
                            CLAST_MAXDIM);
    shape.dim[shape.ndim++] = 1;
    if (!cl_make_axis(m, axis, &shape, &at))
        return CL_NO_NODE;
    return cl_node_expanded(m, a->id, 1u << at);
}

clast_array *clast_expand_dims(clast_array *a, int axis)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "expand_dims", 1, &a)
                               ? expanded(&m, a, axis)
                               : CL_NO_NODE);
}

static cl_node_id squeezed(cl_make *m, clast_array *a, int axis)
{
    const cl_shape *shape = &a->node->shape;
    uint32_t axes = 0;
    int only;
    if (axis == CLAST_ALL) {
        for (int k = 0; k < shape->ndim; k++)
            axes |= shape->dim[k] == 1 ? 1u << k : 0;
        return cl_node_squeezed(m, a->id, axes);
    }
    if (!cl_make_axis(m, axis, shape, &only))
        return CL_NO_NODE;
    char text[512];
    if (shape->dim[only] != 1)
        return cl_make_fail(m, CLAST_ESHAPE, "axis %d has length %lld, not 1, shape %s",
                            axis, (long long)shape->dim[only],
                            cl_shape_text(shape, text, sizeof text));
    return cl_node_squeezed(m, a->id, 1u << only);
}

clast_array *clast_squeeze(clast_array *a, int axis)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "squeeze", 1, &a) ? squeezed(&m, a, axis)
                                                               : CL_NO_NODE);
}

/* ---- reshape */

/* The extents with -1 replaced; false: noted. */
static bool settle_extents(cl_make *m, const cl_shape *from, int ndim,
                           const int64_t *dim, cl_shape *shape)
{
    int64_t count = 1, known = 1, settled[CL_MAXDIM] = {0};
    int open = -1;
    char x[512], y[512];
    cl_shape_count(from, &count);
    for (int a = 0; a < ndim && ndim <= CL_MAXDIM && dim; a++) {
        settled[a] = dim[a];
        if (dim[a] != -1) {
            if (__builtin_mul_overflow(known, dim[a], &known))
                known = INT64_MAX;
        } else if (open >= 0) {
            cl_make_fail(m, CLAST_ESHAPE, "only one extent can be -1");
            return false;
        } else {
            open = a;
        }
    }
    const cl_shape asked = {.ndim = ndim < 0 || ndim > CL_MAXDIM || !dim ? 0 : ndim};
    if (open >= 0)
        settled[open] = known > 0 && count % known == 0 ? count / known : 0;
    if (!cl_make_shape(m, ndim, dim ? settled : NULL, shape))
        return false;
    int64_t product;
    if (cl_shape_count(shape, &product) && product == count && (open < 0 || known > 0))
        return true;
    cl_shape shown = asked;
    memcpy(shown.dim, dim ? dim : settled, (size_t)asked.ndim * sizeof *dim);
    cl_make_fail(m, CLAST_ESHAPE, "%lld elements of shape %s do not fit into shape %s",
                 (long long)count, cl_shape_text(from, x, sizeof x),
                 cl_shape_text(&shown, y, sizeof y));
    return false;
}

static uint32_t unit_axes(const cl_shape *shape)
{
    uint32_t axes = 0;
    for (int a = 0; a < shape->ndim; a++)
        axes |= shape->dim[a] == 1 ? 1u << a : 0;
    return axes;
}

static bool is_equal_without_units(const cl_shape *a, const cl_shape *b)
{
    int i = 0, j = 0;
    for (;; i++, j++) {
        while (i < a->ndim && a->dim[i] == 1)
            i++;
        while (j < b->ndim && b->dim[j] == 1)
            j++;
        if (i == a->ndim || j == b->ndim)
            return i == a->ndim && j == b->ndim;
        if (a->dim[i] != b->dim[j])
            return false;
    }
}

static cl_node_id reshaped(cl_make *m, clast_array *a, int ndim, const int64_t *dim)
{
    const cl_shape *from = &a->node->shape;
    cl_shape shape;
    if (!settle_extents(m, from, ndim, dim, &shape))
        return CL_NO_NODE;
    if (cl_shape_equal(from, &shape) && !cl_node_is_weak(a->node))
        return a->id;
    if (is_equal_without_units(from, &shape)) {
        const cl_node_id bare = cl_node_squeezed(m, a->id, unit_axes(from));
        return cl_node_expanded(m, bare, unit_axes(&shape));
    }
    if (a->node->op == CL_OP_CONST)
        return cl_node_const(m, (clast_dtype)a->node->dtype, a->node->params.imm[0],
                             &shape);
    cl_node node = cl_node_of(CL_OP_RESHAPE, (clast_dtype)a->node->dtype, &shape);
    node.nin = 1;
    node.in = &a->id;
    return cl_make_add(m, &node);
}

clast_array *clast_reshape(clast_array *a, int ndim, const int64_t *shape)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "reshape", 1, &a)
                               ? reshaped(&m, a, ndim, shape)
                               : CL_NO_NODE);
}

static cl_node_id rechunked(cl_make *m, clast_array *a, int ndim, const int64_t *chunk)
{
    const cl_shape *shape = &a->node->shape;
    int64_t tile[CL_MAXDIM];
    if (ndim != shape->ndim)
        return cl_make_fail(m, CLAST_ESHAPE,
                            "%d chunk extents for an array of %d dimensions", ndim,
                            shape->ndim);
    if (ndim > 0 && !chunk)
        return cl_make_fail(m, CLAST_EVALUE, "the chunk is NULL");
    for (int k = 0; k < ndim; k++) {
        if (chunk[k] != -1 && chunk[k] < 1)
            return cl_make_fail(m, CLAST_EVALUE, "chunk extent %lld of axis %d",
                                (long long)chunk[k], k);
        const bool is_whole = chunk[k] == -1 || chunk[k] > shape->dim[k];
        tile[k] = is_whole ? shape->dim[k] : chunk[k];
        if (tile[k] == 0)
            tile[k] = 1;
    }
    if (ndim == 0)
        return a->id;
    cl_node node = cl_node_of(CL_OP_RECHUNK, (clast_dtype)a->node->dtype, shape);
    node.nin = 1;
    node.in = &a->id;
    node.chunk = tile;
    return cl_make_add(m, &node);
}

clast_array *clast_rechunk(clast_array *a, int ndim, const int64_t *chunk)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "rechunk", 1, &a)
                               ? rechunked(&m, a, ndim, chunk)
                               : CL_NO_NODE);
}
