/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linear algebra: which shapes and dtypes, and how vectors and wide matrices become
 * what the planner knows.
 *
 * matmul nodes are of two matrices: a vector gets an axis of length 1 and the result
 * loses it. SVD nodes are of tall matrices: of a wide one, a = (a^T)^T = (U S V^H)^T =
 * (V^H)^T S U^T, so that u and vt change places, each transposed.
 */
#include "array/make.h"

/* ---- matmul */

static bool check_product(cl_make *m, const cl_shape *a, const cl_shape *b)
{
    char x[512], y[512];
    cl_shape_text(a, x, sizeof x);
    cl_shape_text(b, y, sizeof y);
    const bool is_rank_ok =
        a->ndim >= 1 && a->ndim <= 2 && b->ndim >= 1 && b->ndim <= 2;
    if (!is_rank_ok) {
        cl_make_fail(
            m, CLAST_ESHAPE,
            "operands of 1 or 2 dimensions are wanted, these have shapes %s and "
            "%s",
            x, y);
        return false;
    }
    const int64_t columns = a->dim[a->ndim - 1], rows = b->dim[0];
    if (columns != rows)
        cl_make_fail(m, CLAST_ESHAPE,
                     "shapes %s and %s do not fit: %lld columns, but %lld rows", x, y,
                     (long long)columns, (long long)rows);
    return columns == rows;
}

static cl_node_id product(cl_make *m, cl_node_id a, cl_node_id b)
{
    const cl_shape *sa = &cl_make_node(m, a)->shape, *sb = &cl_make_node(m, b)->shape;
    if (!check_product(m, sa, sb))
        return CL_NO_NODE;
    const bool is_row = sa->ndim == 1, is_column = sb->ndim == 1;
    const cl_node_id both[2] = {a, b};
    const clast_dtype dtype = cl_node_promote(m, 2, both);
    const cl_shape shape = {
        .ndim = 2, .dim = {is_row ? 1 : sa->dim[0], is_column ? 1 : sb->dim[1]}};
    const uint32_t lost = (is_row ? 1u : 0) | (is_column ? 2u : 0);
    cl_node_id result;
    if (sb->dim[0] == 0) {
        result = cl_node_const(m, dtype, (cl_scalar){.c128 = {0, 0}}, &shape);
    } else {
        const cl_node_id in[2] = {
            cl_node_expanded(m, cl_node_as(m, a, dtype), is_row ? 1u : 0),
            cl_node_expanded(m, cl_node_as(m, b, dtype), is_column ? 2u : 0)};
        cl_node node = cl_node_of(CL_OP_MATMUL, dtype, &shape);
        node.nin = 2;
        node.in = in;
        result = cl_make_add(m, &node);
    }
    return cl_node_squeezed(m, result, lost);
}

clast_array *clast_matmul(clast_array *a, clast_array *b)
{
    cl_make m;
    clast_array *const operands[2] = {a, b};
    return cl_make_end(&m, cl_make_begin(&m, "matmul", 2, operands)
                               ? product(&m, a->id, b->id)
                               : CL_NO_NODE);
}

/* ---- svd */

enum { PART_U, PART_S, PART_VT };

static cl_node_id part(cl_make *m, cl_node_id of, int which, clast_dtype dtype,
                       cl_shape shape)
{
    cl_node node = cl_node_of(CL_OP_PART, dtype, &shape);
    node.nin = 1;
    node.in = &of;
    node.params.part = (uint8_t)which;
    return cl_make_add(m, &node);
}

static void decompose(cl_make *m, cl_node_id a, cl_node_id parts[3])
{
    const cl_node *from = cl_make_node(m, a);
    char text[512];
    if (from->shape.ndim != 2 || from->shape.dim[0] == 0 || from->shape.dim[1] == 0) {
        cl_make_fail(m, CLAST_ESHAPE,
                     "a matrix with elements is wanted, this has shape %s",
                     cl_shape_text(&from->shape, text, sizeof text));
        return;
    }
    const clast_dtype own = (clast_dtype)from->dtype;
    const clast_dtype dtype =
        own == CLAST_BOOL || cl_dtype_is_integer(own) ? CLAST_FLOAT64 : own;
    const bool is_wide = from->shape.dim[0] < from->shape.dim[1];
    a = cl_node_as(m, a, dtype);
    a = is_wide ? cl_node_reversed(m, a) : a;
    if (cl_make_failed(m))
        return;
    const cl_shape tall = cl_make_node(m, a)->shape;
    const int64_t rows = tall.dim[0], k = tall.dim[1];
    cl_node node = cl_node_of(CL_OP_SVD, dtype, &tall);
    node.nin = 1;
    node.in = &a;
    const cl_node_id svd = cl_make_add(m, &node);
    const cl_node_id u =
        part(m, svd, PART_U, dtype, (cl_shape){.ndim = 2, .dim = {rows, k}});
    const cl_node_id vt =
        part(m, svd, PART_VT, dtype, (cl_shape){.ndim = 2, .dim = {k, k}});
    parts[PART_U] = is_wide ? cl_node_reversed(m, vt) : u;
    parts[PART_S] =
        part(m, svd, PART_S, cl_dtype_real(dtype), (cl_shape){.ndim = 1, .dim = {k}});
    parts[PART_VT] = is_wide ? cl_node_reversed(m, u) : vt;
}

clast_svd_result clast_svd(clast_array *a)
{
    cl_make m;
    cl_node_id parts[3] = {CL_NO_NODE, CL_NO_NODE, CL_NO_NODE};
    if (cl_make_begin(&m, "svd", 1, &a))
        decompose(&m, a->id, parts);
    const clast_svd_result result = {cl_make_handle(&m, parts[PART_U]),
                                     cl_make_handle(&m, parts[PART_S]),
                                     cl_make_handle(&m, parts[PART_VT])};
    cl_make_close(&m);
    return result;
}
