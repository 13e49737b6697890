/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Axes by name: looking them up, and their coordinates as arrays.
 */
#include "array/labels.h"

clast_array *cl_axis_named(clast_array *a, const char *op, const char *name, int *axis)
{
    cl_make m;
    *axis = -1;
    if (cl_make_begin(&m, op, 1, &a)) {
        if (name)
            *axis = cl_make_axis_named(&m, a, name);
        else
            cl_make_fail(&m, CLAST_EVALUE, "the name is NULL");
    }
    if (*axis < 0)
        return cl_make_end(&m, CL_NO_NODE);
    cl_make_close(&m);
    return NULL;
}

int clast_axis(clast_array *a, const char *name)
{
    int axis;
    return cl_axis_named(a, "axis", name, &axis) ? CLAST_NO_AXIS : axis;
}

const char *clast_axis_name(clast_array *a, int axis)
{
    const int ndim = clast_ndim(a);
    if (ndim < 0 || axis < -ndim || axis >= ndim || !a->labels)
        return NULL;
    return a->labels[axis < 0 ? axis + ndim : axis].name;
}

static cl_node_id coordinate(cl_make *m, clast_array *a, int axis)
{
    int k;
    cl_node_id id;
    char text[240];
    const cl_shape *shape = &a->node->shape;
    if (!cl_make_axis(m, axis, shape, &k))
        return CL_NO_NODE;
    const cl_coordinate_part *part = a->labels ? &a->labels[k].part : NULL;
    if (!part || !part->of)
        return cl_make_fail(m, CLAST_ENOENT,
                            "axis %d has no coordinate (the axes are %s)", axis,
                            cl_labels_text(a, text, sizeof text));
    if (cl_coordinate_node(part, shape->dim[k], &id, &m->err) == CLAST_OK)
        return cl_make_hold(m, id);
    cl_error_prefix(&m->err, m->op);
    return CL_NO_NODE;
}

clast_array *clast_axis_coordinate(clast_array *a, int axis)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    if (cl_make_begin(&m, "axis_coordinate", 1, &a))
        result = coordinate(&m, a, axis);
    return cl_make_end(&m, result);
}
