/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Concatenation and stacking: members promote to one dtype, members of length zero take
 * part in the rules but not in the node.
 */
#include "array/make.h"

static bool is_member_fit(cl_make *m, const cl_shape *first, const cl_shape *next,
                          int axis, int index)
{
    char x[512], y[512];
    bool fits = next->ndim == first->ndim;
    for (int k = 0; fits && k < first->ndim; k++)
        fits = k == axis || next->dim[k] == first->dim[k];
    if (!fits)
        cl_make_fail(m, CLAST_ESHAPE,
                     "array %d has shape %s, which does not fit to array 0 of shape %s",
                     index, cl_shape_text(next, x, sizeof x),
                     cl_shape_text(first, y, sizeof y));
    return fits;
}

/* All members in one dtype; those without elements on the axis are left out. */
static size_t gather_members(cl_make *m, size_t n, cl_node_id *members, int axis,
                             int64_t *length)
{
    const clast_dtype dtype = cl_node_promote(m, n, members);
    size_t used = 0;
    *length = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t part = cl_make_node(m, members[i])->shape.dim[axis];
        if (part == 0 && i + 1 < n)
            continue;
        if (part == 0 && used > 0)
            continue;
        if (__builtin_add_overflow(*length, part, length)) {
            cl_make_fail(m, CLAST_ESHAPE,
                         "the lengths have more than 63 bits together");
            return 0;
        }
        members[used++] = cl_node_as(m, members[i], dtype);
    }
    return used;
}

cl_node_id cl_node_joined(cl_make *m, size_t n, cl_node_id *members, int axis)
{
    int64_t length;
    const size_t used = gather_members(m, n, members, axis, &length);
    if (cl_make_failed(m) || used == 1)
        return cl_make_failed(m) ? CL_NO_NODE : members[0];
    const cl_node *first = cl_make_node(m, members[0]);
    cl_node node = cl_node_of(CL_OP_CONCAT, (clast_dtype)first->dtype, &first->shape);
    node.shape.dim[axis] = length;
    node.nin = (uint32_t)used;
    node.in = members;
    node.params.axis = axis;
    return cl_make_add(m, &node);
}

static cl_node_id concatenated(cl_make *m, int n, clast_array *const *arrays,
                               cl_node_id *members, int axis)
{
    const cl_shape *first = &arrays[0]->node->shape;
    int at;
    if (first->ndim == 0)
        return cl_make_fail(m, CLAST_ESHAPE, "0-d arrays have no axis, use stack");
    if (!cl_make_axis(m, axis, first, &at))
        return CL_NO_NODE;
    for (int i = 0; i < n; i++) {
        if (!is_member_fit(m, first, &arrays[i]->node->shape, at, i))
            return CL_NO_NODE;
        members[i] = arrays[i]->id;
    }
    return cl_node_joined(m, (size_t)n, members, at);
}

static cl_node_id stacked(cl_make *m, int n, clast_array *const *arrays,
                          cl_node_id *members, int axis)
{
    const cl_shape *first = &arrays[0]->node->shape;
    cl_shape result = *first;
    int at;
    if (result.ndim == CLAST_MAXDIM)
        return cl_make_fail(m, CLAST_ESHAPE, "the arrays have %d dimensions already",
                            CLAST_MAXDIM);
    result.dim[result.ndim++] = n;
    if (!cl_make_axis(m, axis, &result, &at))
        return CL_NO_NODE;
    for (int i = 0; i < n; i++) {
        if (!is_member_fit(m, first, &arrays[i]->node->shape, -1, i))
            return CL_NO_NODE;
        members[i] = cl_node_expanded(m, arrays[i]->id, 1u << at);
    }
    return cl_make_failed(m) ? CL_NO_NODE : cl_node_joined(m, (size_t)n, members, at);
}

typedef cl_node_id join_fn(cl_make *m, int n, clast_array *const *arrays,
                           cl_node_id *members, int axis);

static clast_array *join(const char *op, join_fn *fn, int n, clast_array *const *arrays,
                         int axis)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE, *members = NULL;
    if (cl_make_begin(&m, op, n, arrays)) {
        members = cl_alloc_array((size_t)n, sizeof *members);
        result = members
                     ? fn(&m, n, arrays, members, axis)
                     : cl_make_fail(&m, CLAST_ENOMEM, "the process is out of memory");
    }
    cl_free(members);
    return cl_make_end(&m, result);
}

clast_array *clast_concatenate(int n, clast_array *const *arrays, int axis)
{
    return join("concatenate", concatenated, n, arrays, axis);
}

clast_array *clast_stack(int n, clast_array *const *arrays, int axis)
{
    return join("stack", stacked, n, arrays, axis);
}
