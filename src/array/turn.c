/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turns, and what is done in one.
 *
 * A number is a place in the line: turns_ended says whose it is. The flag that
 * clast_cancel() raises is the turn's: it is put down when a turn begins, unless the
 * run was canceled while it waited. Raising it for one run and putting it down for the
 * next exclude each other by `canceling`.
 *
 * The lock is held while a request is prepared and not while it runs. Every failure is
 * recorded as the context's first.
 */
#include "array/turn.h"

#include <inttypes.h>

#include "array/request.h"

uint64_t cl_turn_ask(clast_ctx *ctx)
{
    return ctx->turns_asked++;
}

void cl_turn_take(clast_ctx *ctx, uint64_t number, clast_run *run)
{
    while (ctx->turns_ended != number)
        cl_cond_wait(&ctx->idle, ctx->lock);
    ctx->callers = cl_ctx_callbacks();
    cl_mutex_lock(&ctx->canceling);
    ctx->current = run;
    atomic_store(&ctx->is_canceled, run && cl_run_is_canceled(run));
    atomic_store(&ctx->is_cancelable, true);
    cl_mutex_unlock(&ctx->canceling);
}

void cl_turn_give(clast_ctx *ctx, const cl_error *err)
{
    cl_mutex_lock(&ctx->canceling);
    atomic_store(&ctx->is_cancelable, false);
    ctx->current = NULL;
    cl_mutex_unlock(&ctx->canceling);
    if (err->status != CLAST_OK)
        cl_ctx_record(ctx, err->status, err->text);
    ctx->callers = NULL;
    ctx->turns_ended++;
    cl_cond_broadcast(&ctx->idle);
}

clast_status cl_turn_begin(clast_ctx *ctx, cl_error *err)
{
    if (ctx->is_dead)
        return cl_error_set(err, clast_ctx_status(ctx), "%s", ctx->text);
    if (cl_ctx_lock(ctx) != CLAST_OK)
        return cl_error_set(err, CLAST_EBUSY, "compute: %s", cl_poison_busy.message);
    cl_turn_take(ctx, cl_turn_ask(ctx), NULL);
    return CLAST_OK;
}

void cl_turn_end(clast_ctx *ctx, const cl_error *err)
{
    cl_turn_give(ctx, err);
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

bool cl_turn_run(clast_ctx *ctx, int n, const clast_sink *sinks, cl_persisted **persist,
                 cl_error *err)
{
    cl_request request;
    const bool is_ready =
        cl_request_prepare(&request, ctx, n, sinks, persist, false, err) == CLAST_OK;
    if (is_ready) {
        const uint64_t before = ctx->least_read;
        request.in_background = ctx->current;
        ctx->listener = ctx->user_listener;
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
    return is_ready;
}
