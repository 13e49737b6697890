/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller: making an entry of one, calling it on a worker, and what it
 * may ask while it runs.
 *
 * While a kernel runs its thread is marked (cl_ctx_callback_begin), so that any public
 * function of the context but clast_cancel() gives CLAST_EBUSY at once instead of
 * waiting for a run that waits for this very call.
 */
#include "array/user_call.h"

#include <stdio.h>
#include <string.h>

/* ---- on a worker ---------------------------------------------------------------- */

static clast_status enter(void *arg, cl_user_role role, clast_call *call, int nin,
                          const clast_view *in, int nout, clast_buffer *out)
{
    const cl_callee *callee = arg;
    cl_calling own;
    cl_ctx_callback_begin(&own, callee->ctx);
    const clast_status status =
        callee->kernel[role](call, callee->arg, nin, in, nout, out);
    cl_ctx_callback_end(&own);
    return status;
}

clast_status clast_call_fail(clast_call *call, const char *message)
{
    if (!call)
        return CLAST_EVALUE;
    if (call->has_failed)
        return CLAST_EUSER;
    call->has_failed = true;
    snprintf(call->message, sizeof call->message, "%s",
             message ? message : "it did not say why");
    return CLAST_EUSER;
}

void *clast_call_workspace(clast_call *call)
{
    return call ? call->workspace : NULL;
}

bool clast_call_is_canceled(const clast_call *call)
{
    return call && call->is_canceled && call->is_canceled(call->arg);
}

int clast_call_ndim(const clast_call *call)
{
    return call ? call->ndim : -1;
}

const int64_t *clast_call_origin(const clast_call *call)
{
    return call ? call->origin : NULL;
}

const int64_t *clast_call_extent(const clast_call *call)
{
    return call ? call->extent : NULL;
}

/* ---- entries -------------------------------------------------------------------- */

cl_callee *cl_callee_new(clast_ctx *ctx, const char *name, clast_kernel *kernel,
                         void *arg)
{
    cl_callee *c = cl_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    const size_t bytes = strlen(name) + 1;
    char *text = cl_arena_alloc(&c->arena, bytes);
    if (!text) {
        cl_free(c);
        return NULL;
    }
    memcpy(text, name, bytes);
    c->user.name = text;
    c->function = (cl_user_function){enter, c};
    c->ctx = ctx;
    c->kernel[CL_USER_MAP] = kernel;
    c->arg = arg;
    return c;
}

void cl_callee_free(cl_callee *callee)
{
    if (!callee)
        return;
    cl_arena_fini(&callee->arena);
    cl_free(callee);
}

void *cl_callee_array(cl_make *m, cl_callee *callee, size_t count, size_t size)
{
    void *p = cl_arena_array(&callee->arena, count + 1, size);
    if (!p)
        cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    return p;
}

/* The node; the callee belongs to the table and goes with it. */
static cl_node_id node_of(cl_make *m, uint32_t index, uint32_t nin,
                          clast_array *const *in, clast_dtype dtype,
                          const cl_shape *shape)
{
    cl_node_id *ids = cl_alloc_array(nin + 1u, sizeof *ids);
    if (!ids)
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    for (uint32_t i = 0; i < nin; i++)
        ids[i] = in[i]->id;
    cl_node node = cl_node_of(CL_OP_USER, dtype, shape);
    node.params.source = index;
    node.nin = nin;
    node.in = ids;
    const cl_node_id id = cl_make_add(m, &node);
    cl_free(ids);
    return id;
}

cl_node_id cl_callee_node(cl_make *m, cl_callee *callee, uint32_t nin,
                          clast_array *const *in, clast_dtype dtype,
                          const cl_shape *shape)
{
    uint32_t index;
    const cl_source_entry entry = {.callee = callee};
    if (cl_make_failed(m) || cl_sources_add(&m->ctx->sources, &entry, &index)) {
        cl_callee_free(callee);
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    }
    const cl_node_id id = node_of(m, index, nin, in, dtype, shape);
    if (cl_make_failed(m))
        cl_sources_remove(&m->ctx->sources, m->ctx->engine, index);
    return id;
}

/* ---- arguments ------------------------------------------------------------------ */

bool cl_make_output(cl_make *m, const char *what, const clast_output *output,
                    cl_user_output *out)
{
    char text[512];
    int64_t count, bytes;
    if (!cl_make_dtype(m, output->dtype) ||
        !cl_make_shape(m, output->ndim, output->shape, &out->shape))
        return false;
    out->dtype = output->dtype;
    if (cl_shape_count(&out->shape, &count) &&
        !__builtin_mul_overflow(count, (int64_t)clast_dtype_size(out->dtype), &bytes))
        return true;
    cl_make_fail(m, CLAST_ESHAPE, "%s of shape %s has more bytes than 64 bits count",
                 what, cl_shape_text(&out->shape, text, sizeof text));
    return false;
}

bool cl_make_zeros(cl_make *m, size_t n, const uint64_t *reserved)
{
    for (size_t i = 0; i < n; i++)
        if (reserved[i] != 0) {
            cl_make_fail(m, CLAST_ENOTSUP, "reserved[%zu] must be zero", i);
            return false;
        }
    return true;
}

bool cl_make_kernel(cl_make *m, const char *op, clast_ctx *ctx, int nin,
                    clast_array *const *in, clast_kernel *kernel)
{
    const bool is_begun =
        nin > 0 && ctx ? cl_make_begin(m, op, nin, in) : cl_make_begin_ctx(m, op, ctx);
    if (!is_begun)
        return false;
    if (m->ctx != ctx)
        cl_make_fail(m, CLAST_ECONTEXT, "the inputs belong to another context");
    else if (nin < 0)
        cl_make_fail(m, CLAST_EVALUE, "%d inputs", nin);
    else if (!kernel)
        cl_make_fail(m, CLAST_EVALUE, "the kernel is NULL");
    return !cl_make_failed(m);
}
