/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Contexts: opening and closing, settled options, the first error, log, canceling.
 *
 * Opening never returns NULL. What can go wrong leaves a dead context, which has a
 * status and nothing else; where there is no memory even for that, there is one static
 * dead context. All calls on dead contexts are safe, since every public function asks
 * for the context's status before it touches anything in it.
 *
 * The first error is kept until it is cleared: its text is written before its status is
 * published, so the status can be read without the lock (from callbacks, say).
 */
#include "array/turn.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define NO_MEMORY "the process is out of memory"

static clast_ctx no_memory_ctx = {.status = CLAST_ENOMEM,
                                  .text = "open: " NO_MEMORY,
                                  .is_static = true,
                                  .is_dead = true};

static _Thread_local const cl_calling *calling;

/* Whether something of ctx waits for the end of one of these callbacks. */
static bool waits(const clast_ctx *ctx, const cl_calling *call)
{
    for (; call; call = call->outer)
        if (call->ctx == ctx || waits(ctx, call->ctx->callers))
            return true;
    return false;
}

bool cl_ctx_is_calling(const clast_ctx *ctx)
{
    return waits(ctx, calling);
}

clast_status cl_ctx_lock(const clast_ctx *ctx)
{
    if (ctx->is_static)
        return CLAST_OK;
    if (cl_ctx_is_calling(ctx))
        return CLAST_EBUSY;
    cl_mutex_lock(ctx->lock);
    return CLAST_OK;
}

void cl_ctx_unlock(const clast_ctx *ctx)
{
    if (!ctx->is_static)
        cl_mutex_unlock(ctx->lock);
}

void cl_ctx_callback_begin(cl_calling *call, const clast_ctx *ctx)
{
    *call = (cl_calling){ctx, calling};
    calling = call;
}

void cl_ctx_callback_end(const cl_calling *call)
{
    calling = call->outer;
}

const cl_calling *cl_ctx_callbacks(void)
{
    return calling;
}

void cl_ctx_record(clast_ctx *ctx, clast_status status, const char *message)
{
    if (ctx->is_static || atomic_load(&ctx->status) != CLAST_OK)
        return;
    snprintf(ctx->text, sizeof ctx->text, "%s", message);
    atomic_store(&ctx->status, (int)status);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return m <= n && strcmp(text + n - m, end) == 0;
}

void cl_ctx_refine(clast_ctx *ctx, clast_status status, const char *message)
{
    if (ctx->is_dead || cl_ctx_lock(ctx) != CLAST_OK)
        return;
    if (atomic_load(&ctx->status) == (int)status && ends_with(message, ctx->text))
        snprintf(ctx->text, sizeof ctx->text, "%s", message);
    cl_ctx_unlock(ctx);
}

/* The engine's messages pass here, so that the host's function is known to be running.
 */
static void pass_log(void *arg, clast_log_level level, const char *message)
{
    const clast_ctx *ctx = arg;
    if (!ctx->user_log.fn)
        return;
    cl_calling own;
    cl_ctx_callback_begin(&own, ctx);
    ctx->user_log.fn(ctx->user_log.arg, level, message);
    cl_ctx_callback_end(&own);
}

/* What the engine says of progress passes here, likewise. */
static void pass_progress(void *arg, const clast_progress *progress)
{
    const clast_ctx *ctx = arg;
    cl_calling own;
    cl_ctx_callback_begin(&own, ctx);
    ctx->listener.fn(ctx->listener.arg, progress);
    cl_ctx_callback_end(&own);
}

static clast_status settle(clast_ctx *ctx, const clast_options *asked, cl_error *err)
{
    clast_options *o = &ctx->options;
    if (asked)
        *o = *asked;
    if (o->cluster)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "cluster \"%s\": not supported, leave it NULL", o->cluster);
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0)
            return cl_error_set(err, CLAST_ENOTSUP, "reserved[%zu] must be zero", i);
    if (o->workers < 0 || o->workers > CL_MOST_WORKERS)
        return cl_error_set(err, CLAST_EVALUE, "workers is %d, it must be 0 to %d",
                            o->workers, CL_MOST_WORKERS);
    if (o->memory == 0)
        o->memory = cl_limit_memory("") / 2;
    if (o->workers == 0)
        o->workers = cl_limit_workers("");
    if (o->block == 0)
        o->block = CL_BLOCK_BYTES;
    if (o->trace != 0 && (o->trace < CL_LEAST_TRACE || o->trace > o->memory / 2))
        return cl_error_set(err, CLAST_EVALUE,
                            "trace is %llu bytes, it must be 0, or at least %d and at "
                            "most half of the budget of %llu",
                            (unsigned long long)o->trace, CL_LEAST_TRACE,
                            (unsigned long long)o->memory);
    if (o->scratch) {
        ctx->scratch = cl_strdup(o->scratch);
        if (!ctx->scratch)
            return cl_error_set(err, CLAST_ENOMEM, NO_MEMORY);
        o->scratch = ctx->scratch;
    }
    if (o->helper) {
        ctx->helper = cl_strdup(o->helper);
        if (!ctx->helper)
            return cl_error_set(err, CLAST_ENOMEM, NO_MEMORY);
        o->helper = ctx->helper;
    }
    return CLAST_OK;
}

static clast_status start(clast_ctx *ctx, const clast_options *asked, cl_error *err)
{
    CL_TRY(settle(ctx, asked, err));
    ctx->nodes = cl_nodes_new();
    if (!ctx->nodes)
        return cl_error_set(err, CLAST_ENOMEM, NO_MEMORY);
    const cl_engine_options options = {.memory = ctx->options.memory,
                                       .workers = ctx->options.workers,
                                       .team = cl_team_default(),
                                       .trace = ctx->options.trace,
                                       .copies_input = ctx->options.no_mapping};
    CL_TRY(cl_engine_new(&ctx->engine, &options, err));
    cl_plan_cache_init(&ctx->plans, ctx->engine);
    return CLAST_OK;
}

clast_ctx *clast_open(const clast_options *options)
{
    clast_ctx *ctx = cl_calloc(1, sizeof *ctx);
    if (!ctx)
        return &no_memory_ctx;
    cl_mutex_init(&ctx->mutex);
    cl_mutex_init(&ctx->canceling);
    cl_mutex_init(&ctx->ending);
    cl_cond_init(&ctx->idle);
    cl_cond_init(&ctx->ended);
    ctx->lock = &ctx->mutex;
    ctx->scope = &ctx->root;
    ctx->log = (cl_log){pass_log, ctx};
    ctx->progress = (cl_progress){.tell = pass_progress, .arg = ctx};
    cl_error err = {0};
    if (start(ctx, options, &err) != CLAST_OK) {
        ctx->is_dead = true;
        cl_error_prefix(&err, "open");
        cl_ctx_record(ctx, err.status, err.text);
    }
    return ctx;
}

static void close_scopes(clast_ctx *ctx)
{
    while (ctx->scope != &ctx->root) {
        cl_scope *scope = ctx->scope;
        ctx->scope = scope->outer;
        cl_scope_free(ctx, scope);
        cl_free(scope);
    }
    cl_scope_free(ctx, &ctx->root);
    cl_scope_free(ctx, &ctx->kept);
}

void clast_close(clast_ctx **address)
{
    if (!address || !*address)
        return;
    clast_ctx *ctx = *address;
    /* A callback cannot close the context that it is called by. */
    if (cl_ctx_lock(ctx) != CLAST_OK)
        return;
    *address = NULL;
    if (ctx->is_static)
        return;
    while (ctx->turns_ended != ctx->turns_asked)
        cl_cond_wait(&ctx->idle, ctx->lock);
    cl_runs_fini(ctx);
    close_scopes(ctx);
    cl_sources_fini(&ctx->sources, ctx->engine);
    cl_plan_cache_fini(&ctx->plans);
    cl_engine_free(ctx->engine);
    cl_nodes_free(ctx->nodes);
    cl_ctx_unlock(ctx);
    cl_cond_fini(&ctx->idle);
    cl_cond_fini(&ctx->ended);
    cl_mutex_fini(&ctx->mutex);
    cl_mutex_fini(&ctx->ending);
    cl_mutex_fini(&ctx->canceling);
    cl_free(ctx->scratch);
    cl_free(ctx->helper);
    cl_free(ctx);
}

clast_status clast_ctx_status(const clast_ctx *ctx)
{
    return ctx ? (clast_status)atomic_load(&ctx->status) : CLAST_EVALUE;
}

const char *clast_ctx_error(const clast_ctx *ctx)
{
    if (!ctx)
        return "the context is NULL";
    return atomic_load(&ctx->status) == CLAST_OK ? "" : ctx->text;
}

void clast_ctx_clear(clast_ctx *ctx)
{
    if (!ctx || ctx->is_dead || cl_ctx_lock(ctx) != CLAST_OK)
        return;
    atomic_store(&ctx->status, CLAST_OK);
    memset(ctx->text, 0, sizeof ctx->text);
    cl_ctx_unlock(ctx);
}

void clast_cancel(clast_ctx *ctx)
{
    /* Any thread, any signal handler: atomics and what the engine calls safe, no lock.
     */
    if (!ctx || ctx->is_dead || !atomic_load(&ctx->is_cancelable))
        return;
    atomic_store(&ctx->is_canceled, true);
    cl_engine_cancel(ctx->engine);
}

void clast_set_log(clast_ctx *ctx, clast_log_fn *fn, void *arg)
{
    if (!ctx || ctx->is_dead || cl_ctx_lock(ctx) != CLAST_OK)
        return;
    ctx->user_log = (cl_log){fn, arg};
    cl_ctx_unlock(ctx);
}

void clast_set_progress(clast_ctx *ctx, clast_progress_fn *fn, void *arg)
{
    if (!ctx || ctx->is_dead || cl_ctx_lock(ctx) != CLAST_OK)
        return;
    ctx->user_listener = (cl_listener){fn, arg};
    cl_ctx_unlock(ctx);
}

clast_status clast_set_hdf5_lock(clast_lock_fn *lock, clast_lock_fn *unlock, void *arg)
{
    return cl_hdf5_set_lock(lock, unlock, arg);
}

clast_options clast_ctx_options(const clast_ctx *ctx)
{
    return ctx && !ctx->is_dead ? ctx->options : (clast_options){0};
}

clast_stats clast_ctx_stats(const clast_ctx *ctx)
{
    clast_stats stats = {0};
    if (!ctx || ctx->is_dead || cl_ctx_lock(ctx) != CLAST_OK)
        return stats;
    stats = ctx->stats;
    cl_ctx_unlock(ctx);
    return stats;
}
