/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that run sinks and wait for them: compute, fetch, store, persist.
 *
 * Each takes its turn (turn.h) on the thread of the caller; one that is called from a
 * callback of the run itself is CLAST_EBUSY.
 */
#include "array/labels.h"
#include "array/turn.h"

clast_status clast_compute(clast_ctx *ctx, int n, const clast_sink *sinks)
{
    cl_error err = {0};
    if (!ctx)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    if (n != 0)
        cl_turn_run(ctx, n, sinks, NULL, &err);
    cl_turn_end(ctx, &err);
    return err.status;
}

/* ---- one sink */

static clast_status compute_one(clast_array *a, const clast_sink *sink)
{
    if (!a)
        return cl_poison_null.status;
    if (!a->ctx)
        return a->status;
    return clast_compute(a->ctx, 1, sink);
}

clast_status clast_to_hdf5(clast_array *a, const char *file, const char *path,
                           const clast_hdf5_options *options)
{
    const clast_sink sink = clast_sink_hdf5(a, file, path, options);
    return compute_one(a, &sink);
}

clast_status clast_fetch(clast_array *a, const clast_buffer *into)
{
    /* Not NULL, which would make it a sink without a file. */
    static const clast_buffer nowhere = {.ndim = -1};
    const clast_sink sink = clast_sink_fetch(a, into ? into : &nowhere);
    return compute_one(a, &sink);
}

/* ---- persist */

/* The source that persisted blocks are; takes them over. */
static cl_node_id persisted_node(cl_make *m, cl_persisted *blocks, const cl_node *like)
{
    uint32_t index;
    const cl_source_entry entry = {.persisted = blocks,
                                   .persisted_dtype = (clast_dtype)like->dtype};
    if (cl_sources_add(&m->ctx->sources, &entry, &index) != CLAST_OK) {
        cl_persisted_free(m->ctx->engine, blocks);
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    }
    const cl_node_id id =
        cl_node_source(m, index, (clast_dtype)like->dtype, &like->shape);
    if (cl_make_failed(m))
        cl_sources_remove(&m->ctx->sources, m->ctx->engine, index);
    return id;
}

static cl_node_id persisted(cl_make *m, clast_array *a)
{
    cl_persisted *blocks = NULL;
    const clast_sink sink = {.array = a};
    cl_turn_run(m->ctx, 1, &sink, &blocks, &m->err);
    if (!cl_make_failed(m))
        return blocks ? persisted_node(m, blocks, a->node) : a->id;
    cl_error_prefix(&m->err, m->op);
    return CL_NO_NODE;
}

clast_array *clast_persist(clast_array *a)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    const bool is_begun = cl_make_begin(&m, "persist", 1, &a);
    if (is_begun) {
        cl_turn_take(m.ctx, cl_turn_ask(m.ctx), NULL);
        result = persisted(&m, a);
    }
    if (is_begun && !cl_make_failed(&m) &&
        cl_labels_new(a->node->shape.ndim, a->labels, &m.labels) != CLAST_OK)
        result = cl_make_fail(&m, CLAST_ENOMEM, "the process is out of memory");
    clast_array *handle = cl_make_handle(&m, result);
    if (handle->ctx)
        handle->is_persisted = true;
    if (is_begun)
        cl_turn_give(m.ctx, &m.err);
    cl_make_close(&m);
    return handle;
}
