/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that want the engine and wait for it: compute, fetch, store, persist, explain,
 * info, trace.
 *
 * Each takes its turn (turn.h) on the thread of the caller; one that is called from a
 * callback of the run itself is CLAST_EBUSY.
 */
#include "array/candidate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "array/make.h"
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
    cl_error none = {0};
    const bool is_begun = cl_make_begin(&m, "persist", 1, &a);
    if (is_begun) {
        cl_ctx_unlock(m.ctx);
        cl_turn_begin(m.ctx, &none);
        result = persisted(&m, a);
    }
    clast_array *handle = cl_make_handle(&m, result);
    if (handle->ctx)
        handle->is_persisted = true;
    if (is_begun) {
        cl_turn_end(m.ctx, &m.err);
        cl_mutex_lock(m.ctx->lock);
    }
    cl_make_close(&m);
    return handle;
}

/* ---- words about it */

typedef struct {
    const clast_ctx *ctx;
    clast_text_fn *write;
    void *arg;
} voice;

static void speak(void *arg, const char *text, size_t bytes)
{
    const voice *v = arg;
    const clast_ctx *outer = cl_ctx_callback_begin(v->ctx);
    v->write(v->arg, text, bytes);
    cl_ctx_callback_end(outer);
}

static void describe(cl_request *request, voice *v, cl_error *err)
{
    if (cl_plan_describe(&request->plan, speak, v) != CLAST_OK) {
        cl_error_set(err, CLAST_ENOMEM, "explain: the process is out of memory");
        return;
    }
    const clast_status status = cl_request_predict(request, err);
    if (status != CLAST_OK && status != CLAST_EBUDGET)
        return;
    const clast_stats *s = &request->stats;
    char text[640];
    cl_candidate_describe(request, text, sizeof text);
    speak(v, text, strlen(text));
    const int n = snprintf(text, sizeof text,
                           "memory:  budget %" PRIu64 ", at least %" PRIu64
                           ", predicted peak %" PRIu64 "\nbytes:   read %" PRIu64
                           ", written %" PRIu64 ", spilled %" PRIu64
                           "\nworkers: %d, scratch %s\n",
                           s->memory, s->minimum_memory, s->predicted_peak,
                           s->predicted_read, s->predicted_written,
                           s->predicted_spilled, s->workers, request->scratch_folder);
    speak(v, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

clast_status clast_explain(clast_ctx *ctx, int n, const clast_sink *sinks,
                           clast_text_fn *write, void *arg)
{
    cl_error err = {0};
    cl_request request;
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    if (cl_request_prepare(&request, ctx, n, sinks, NULL, &err) == CLAST_OK)
        describe(&request, &v, &err);
    cl_request_fini(&request);
    cl_turn_end(ctx, &err);
    return err.status;
}

/* "FILE:/path" of what the request reads and writes; the names of one drawing. */
typedef struct {
    const cl_request *request;
    char text[1024];
} names;

static const char *file_name(names *n, const char *file, const char *path)
{
    snprintf(n->text, sizeof n->text, "%s:%s", file, path);
    return n->text;
}

static const char *source_name(void *arg, uint32_t source)
{
    names *n = arg;
    const cl_run_source *s = &n->request->source[source];
    const cl_source_info *info = s->source ? cl_source_get_info(s->source) : NULL;
    if (!info)
        return "persisted";
    return info->is_memory ? "memory" : file_name(n, info->file, info->path);
}

static const char *sink_name(void *arg, uint32_t sink)
{
    names *n = arg;
    const cl_output_spec *spec = n->request->run_sink[sink].spec;
    return spec ? file_name(n, spec->file, spec->path) : "memory";
}

clast_status clast_graph(clast_ctx *ctx, int n, const clast_sink *sinks,
                         clast_text_fn *write, void *arg)
{
    cl_error err = {0};
    cl_request request;
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    names own = {.request = &request};
    if (cl_request_prepare(&request, ctx, n, sinks, NULL, &err) == CLAST_OK &&
        cl_plan_draw(&request.plan, &(cl_plan_names){source_name, sink_name, &own},
                     speak, &v) != CLAST_OK)
        cl_error_set(&err, CLAST_ENOMEM, "graph: the process is out of memory");
    cl_request_fini(&request);
    cl_turn_end(ctx, &err);
    return err.status;
}

clast_status clast_hdf5_info(clast_ctx *ctx, const char *file, const char *path,
                             clast_text_fn *write, void *arg)
{
    cl_error err = {0};
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    if (!file)
        cl_error_set(&err, CLAST_EVALUE, "info: the file is NULL");
    else
        cl_hdf5_info(file, path, speak, &v, &err);
    cl_turn_end(ctx, &err);
    return err.status;
}

clast_status clast_trace(clast_ctx *ctx, clast_text_fn *write, void *arg)
{
    cl_error err = {0};
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    if (ctx->options.trace)
        cl_engine_write_trace(ctx->engine, speak, &v);
    else
        cl_error_set(&err, CLAST_EVALUE,
                     "trace: nothing is recorded, options.trace was 0");
    cl_turn_end(ctx, &err);
    return err.status;
}
