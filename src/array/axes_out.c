/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The numbers of a coordinate are memory that its array holds, or a view of it; they
 * are handed to the output as a pointer and a stride, without a copy. The dataset that
 * they came from is opened for its attributes; where that cannot be done any more they
 * have none. Coordinates of more than MOST_BYTES are left to their names: what
 * describes an output must stay small beside it. Nothing here is a reason to refuse the
 * output but lack of memory.
 */
#include "array/axes_out.h"

enum { MOST_BYTES = 4 << 20 };

struct cl_axes_out {
    clast_ctx *ctx;
    int ndim;
    cl_array_dim dim[CL_MAXDIM]; /* nodes with a reference each */
    char *name[CL_MAXDIM];       /* the array may go before the run */
    cl_output_dim out[CL_MAXDIM];
    cl_source *like[CL_MAXDIM];
};

/* Values of a node of one axis that is memory or a view of memory; NULL: neither. */
static const char *values_of(const clast_ctx *ctx, const cl_node *node, int64_t *stride)
{
    int64_t start = 0, step = 1;
    if (node->op == CL_OP_MAPPED) {
        if (node->map->nin != 1 || node->map->src[0] != 0)
            return NULL;
        start = node->map->off[0];
        step = node->map->step[0];
        node = cl_nodes_get(ctx->nodes, node->in[0]);
    }
    const cl_source *s = node->op == CL_OP_SOURCE
                             ? ctx->sources.entry[node->params.source].source
                             : NULL;
    const cl_source_info *info = s ? cl_source_get_info(s) : NULL;
    if (!info || !info->is_memory || info->shape.ndim != 1)
        return NULL;
    *stride = step * info->stride[0];
    return (const char *)info->data + start * info->stride[0];
}

static clast_status settle(cl_axes_out *axes, int a)
{
    const cl_array_dim *dim = &axes->dim[a];
    cl_output_dim *out = &axes->out[a];
    if (!dim->name)
        return CLAST_OK;
    out->name = axes->name[a] = cl_strdup(dim->name);
    if (!out->name)
        return CLAST_ENOMEM;
    if (dim->node.v == CL_NO_NODE.v)
        return CLAST_OK;
    const cl_node *node = cl_nodes_get(axes->ctx->nodes, dim->node);
    out->dtype = (clast_dtype)node->dtype;
    if (node->shape.dim[0] <= MOST_BYTES / (int64_t)clast_dtype_size(out->dtype))
        out->values = values_of(axes->ctx, node, &out->stride);
    if (out->values && dim->file &&
        cl_source_open_hdf5(&axes->like[a], dim->file, dim->path, CL_READ_DECODED, NULL,
                            NULL) == CLAST_OK)
        out->like = axes->like[a];
    return CLAST_OK;
}

clast_status cl_axes_out_new(clast_array *a, cl_axes_out **axes, cl_error *err)
{
    *axes = NULL;
    if (!a->labels)
        return CLAST_OK;
    cl_axes_out *new = cl_calloc(1, sizeof *new);
    if (!new)
        return cl_error_set(err, CLAST_ENOMEM, "the process is out of memory");
    new->ctx = a->ctx;
    new->ndim = a->node->shape.ndim;
    cl_array_dims(a, new->dim);
    clast_status status = CLAST_OK;
    for (int k = 0; k < new->ndim &&status == CLAST_OK; k++)
        status = settle(new, k);
    if (status != CLAST_OK) {
        cl_axes_out_free(new);
        return cl_error_set(err, status, "the process is out of memory");
    }
    *axes = new;
    return CLAST_OK;
}

const cl_output_dim *cl_axes_out_dims(const cl_axes_out *axes)
{
    return axes ? axes->out : NULL;
}

void cl_axes_out_free(cl_axes_out *axes)
{
    if (!axes)
        return;
    for (int k = 0; k < axes->ndim; k++) {
        cl_source_close(axes->like[k]);
        cl_free(axes->name[k]);
        if (axes->dim[k].node.v != CL_NO_NODE.v)
            cl_node_drop(axes->ctx, axes->dim[k].node);
    }
    cl_free(axes);
}
