/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running: compute, fetch, store, persist, explain.
 *
 * One run per context at a time: later ones wait for their turn, one that is called
 * from a callback of the run itself is CLAST_EBUSY. The lock is held while a request is
 * prepared and not while it runs. Every failure is returned and recorded as the
 * context's first.
 */
#include "array/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "array/make.h"

/* ---- turns */

/* Takes the lock and the turn to run. */
static clast_status begin_turn(clast_ctx *ctx, cl_error *err)
{
    if (ctx->is_dead)
        return cl_error_set(err, clast_ctx_status(ctx), "%s", ctx->text);
    if (cl_ctx_lock(ctx) != CLAST_OK)
        return cl_error_set(err, CLAST_EBUSY, "compute: %s", cl_poison_busy.message);
    while (ctx->is_running)
        cl_cond_wait(&ctx->idle, ctx->lock);
    ctx->is_running = true;
    atomic_store(&ctx->is_canceled, false);
    atomic_store(&ctx->is_cancelable, true);
    return CLAST_OK;
}

static void end_turn(clast_ctx *ctx, const cl_error *err)
{
    atomic_store(&ctx->is_cancelable, false);
    if (err->status != CLAST_OK)
        cl_ctx_record(ctx, err->status, err->text);
    ctx->is_running = false;
    cl_cond_broadcast(&ctx->idle);
    cl_ctx_unlock(ctx);
}

/* A loop that does not persist executes its history again and again: said once. */
static bool is_repeating(clast_ctx *ctx, const clast_stats *stats)
{
    if (stats->read == 0)
        return false;
    const bool repeats = ctx->least_read > 0 && stats->read / 2 > ctx->least_read;
    if (ctx->least_read == 0 || stats->read < ctx->least_read)
        ctx->least_read = stats->read;
    if (!repeats || ctx->hinted)
        return false;
    ctx->hinted = true;
    return true;
}

/* Prepares and runs under a turn that was taken; the lock is held before and after. */
static void run_request(clast_ctx *ctx, int n, const clast_sink *sinks,
                        cl_persisted **persist, cl_error *err)
{
    cl_request request;
    if (cl_request_prepare(&request, ctx, n, sinks, persist, err) == CLAST_OK) {
        const uint64_t before = ctx->least_read;
        cl_ctx_unlock(ctx);
        cl_request_run(&request, err);
        cl_mutex_lock(ctx->lock);
        ctx->stats = request.stats;
        if (err->status == CLAST_OK && is_repeating(ctx, &request.stats))
            cl_log_info(&ctx->log,
                        "compute: this run read %" PRIu64
                        " bytes, an earlier one %" PRIu64
                        "; where a loop repeats its history, clast_persist() keeps it",
                        request.stats.read, before);
    }
    cl_request_fini(&request);
}

clast_status clast_compute(clast_ctx *ctx, int n, const clast_sink *sinks)
{
    cl_error err = {0};
    if (!ctx)
        return CLAST_EVALUE;
    if (begin_turn(ctx, &err) != CLAST_OK)
        return err.status;
    if (n != 0)
        run_request(ctx, n, sinks, NULL, &err);
    end_turn(ctx, &err);
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
    static const clast_buffer nowhere = {.dtype = CLAST_NDTYPE};
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
    run_request(m->ctx, 1, &sink, &blocks, &m->err);
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
        begin_turn(m.ctx, &none);
        result = persisted(&m, a);
    }
    clast_array *handle = cl_make_handle(&m, result);
    if (handle->ctx)
        handle->is_persisted = true;
    if (is_begun) {
        end_turn(m.ctx, &m.err);
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
    if (begin_turn(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    if (cl_request_prepare(&request, ctx, n, sinks, NULL, &err) == CLAST_OK)
        describe(&request, &v, &err);
    cl_request_fini(&request);
    end_turn(ctx, &err);
    return err.status;
}

clast_status clast_hdf5_info(clast_ctx *ctx, const char *file, const char *path,
                             clast_text_fn *write, void *arg)
{
    cl_error err = {0};
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (begin_turn(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    if (!file)
        cl_error_set(&err, CLAST_EVALUE, "info: the file is NULL");
    else
        cl_hdf5_info(file, path, speak, &v, &err);
    end_turn(ctx, &err);
    return err.status;
}
