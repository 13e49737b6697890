/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nodes that several operations use: constants, conversions, the simple views.
 *
 * A constant of any shape is one record, so that converting or broadcasting it makes
 * another constant instead of a view. Conversion of a weak scalar is where NumPy's
 * range check for Python integers belongs.
 */
#include "array/make.h"

#include <string.h>

cl_node_id cl_node_const(cl_make *m, clast_dtype dtype, cl_scalar value,
                         const cl_shape *shape)
{
    cl_node node = cl_node_of(CL_OP_CONST, dtype, shape);
    /* Only the bytes of the dtype, so that equal values have equal bytes. */
    memcpy(&node.params.imm[0], &value, clast_dtype_size(dtype));
    return cl_make_add(m, &node);
}

cl_node_id cl_node_weak(cl_make *m, cl_kind kind, cl_scalar value)
{
    const clast_dtype dtype = cl_dtype_of_weak(kind);
    cl_node node = cl_node_of(CL_OP_CONST, dtype, &(cl_shape){0});
    memcpy(&node.params.imm[0], &value, clast_dtype_size(dtype));
    node.params.weak = (uint8_t)(1 + kind);
    return cl_make_add(m, &node);
}

bool cl_node_is_weak(const cl_node *node)
{
    return node->op == CL_OP_CONST && node->params.weak != 0;
}

cl_kind cl_node_weak_kind(const cl_node *node)
{
    return (cl_kind)(node->params.weak - 1);
}

static cl_node_id const_as(cl_make *m, const cl_node *node, clast_dtype dtype)
{
    const cl_scalar v = node->params.imm[0];
    if (cl_node_is_weak(node) && cl_node_weak_kind(node) == CL_KIND_INT &&
        !cl_int_fits(v.i64, dtype))
        return cl_make_fail(m, CLAST_EVALUE, "integer %lld is out of range for %s",
                            (long long)v.i64, clast_dtype_name(dtype));
    const cl_shape shape = node->shape;
    return cl_node_const(m, dtype, cl_scalar_cast(v, (clast_dtype)node->dtype, dtype),
                         &shape);
}

cl_node_id cl_node_as(cl_make *m, cl_node_id id, clast_dtype dtype)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_node *from = cl_make_node(m, id);
    if (from->op == CL_OP_CONST && (from->dtype != dtype || cl_node_is_weak(from)))
        return const_as(m, from, dtype);
    if (from->dtype == dtype)
        return id;
    cl_node node = cl_node_of(CL_OP_CAST, dtype, &from->shape);
    node.nin = 1;
    node.in = &id;
    return cl_make_add(m, &node);
}

cl_node_id cl_node_mapped(cl_make *m, cl_node_id id, const cl_map *map,
                          const cl_shape *shape)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_node *from = cl_make_node(m, id);
    if (cl_map_is_identity(map) && cl_shape_equal(&from->shape, shape) &&
        !cl_node_is_weak(from))
        return id;
    if (from->op == CL_OP_CONST)
        return cl_node_const(m, (clast_dtype)from->dtype, from->params.imm[0], shape);
    cl_node node = cl_node_of(CL_OP_MAPPED, (clast_dtype)from->dtype, shape);
    node.nin = 1;
    node.in = &id;
    node.map = map;
    return cl_make_add(m, &node);
}

/* A map with nothing in it: every input axis at 0. */
static cl_map blank_map(int nout, int nin)
{
    cl_map map;
    memset(&map, 0, sizeof map);
    map.nout = nout;
    map.nin = nin;
    memset(map.src, -1, sizeof map.src);
    return map;
}

cl_node_id cl_node_broadcast(cl_make *m, cl_node_id id, const cl_shape *shape)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_shape *from = &cl_make_node(m, id)->shape;
    cl_map map = blank_map(shape->ndim, from->ndim);
    const int shift = shape->ndim - from->ndim;
    for (int a = 0; a < from->ndim; a++)
        if (from->dim[a] == shape->dim[a + shift]) {
            map.src[a] = (int8_t)(a + shift);
            map.step[a] = 1;
        }
    return cl_node_mapped(m, id, &map, shape);
}

cl_node_id cl_node_permuted(cl_make *m, cl_node_id id, const int *axes)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_shape *from = &cl_make_node(m, id)->shape;
    cl_shape shape = *from;
    cl_map map = blank_map(from->ndim, from->ndim);
    for (int o = 0; o < from->ndim; o++) {
        shape.dim[o] = from->dim[axes[o]];
        map.src[axes[o]] = (int8_t)o;
        map.step[axes[o]] = 1;
    }
    return cl_node_mapped(m, id, &map, &shape);
}

cl_node_id cl_node_reversed(cl_make *m, cl_node_id id)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const int n = cl_make_node(m, id)->shape.ndim;
    int axes[CL_MAXDIM];
    for (int a = 0; a < n; a++)
        axes[a] = n - 1 - a;
    return cl_node_permuted(m, id, axes);
}

cl_node_id cl_node_expanded(cl_make *m, cl_node_id id, uint32_t axes)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_shape *from = &cl_make_node(m, id)->shape;
    const int n = from->ndim + __builtin_popcount(axes);
    if (n > CLAST_MAXDIM)
        return cl_make_fail(m, CLAST_ESHAPE, "the result has %d dimensions, at most %d",
                            n, CLAST_MAXDIM);
    cl_shape shape = {.ndim = n};
    cl_map map = blank_map(n, from->ndim);
    for (int o = 0, a = 0; o < n; o++) {
        shape.dim[o] = 1;
        if (axes >> o & 1u)
            continue;
        shape.dim[o] = from->dim[a];
        map.src[a] = (int8_t)o;
        map.step[a++] = 1;
    }
    return cl_node_mapped(m, id, &map, &shape);
}

cl_node_id cl_node_squeezed(cl_make *m, cl_node_id id, uint32_t axes)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_shape *from = &cl_make_node(m, id)->shape;
    cl_shape shape = {0};
    cl_map map = blank_map(0, from->ndim);
    for (int a = 0; a < from->ndim; a++) {
        if (axes >> a & 1u)
            continue;
        map.src[a] = (int8_t)shape.ndim;
        map.step[a] = 1;
        shape.dim[shape.ndim++] = from->dim[a];
    }
    map.nout = shape.ndim;
    return cl_node_mapped(m, id, &map, &shape);
}

cl_node_id cl_node_source(cl_make *m, uint32_t index, clast_dtype dtype,
                          const cl_shape *shape)
{
    cl_node node = cl_node_of(CL_OP_SOURCE, dtype, shape);
    node.params.source = index;
    return cl_make_add(m, &node);
}

clast_dtype cl_node_promote(const cl_make *m, size_t n, const cl_node_id *ids)
{
    bool has_strong = false, has_weak = false;
    clast_dtype strong = CLAST_BOOL;
    cl_kind weak = CL_KIND_BOOL;
    for (size_t i = 0; i < n; i++) {
        const cl_node *node = cl_make_node(m, ids[i]);
        if (cl_node_is_weak(node)) {
            const cl_kind kind = cl_node_weak_kind(node);
            weak = !has_weak || kind > weak ? kind : weak;
            has_weak = true;
        } else {
            const clast_dtype dtype = (clast_dtype)node->dtype;
            strong = has_strong ? cl_dtype_promote(strong, dtype) : dtype;
            has_strong = true;
        }
    }
    if (!has_strong)
        return cl_dtype_of_weak(weak);
    return has_weak ? cl_dtype_promote_weak(strong, weak) : strong;
}
