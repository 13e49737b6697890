/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs in the background.
 *
 * A run copies what its sinks name and holds their nodes, so that the caller may let
 * everything go but memory that is written or borrowed. It takes its number when it is
 * submitted; one thread of the context does what waits, in order, each by the same
 * steps as a call that waits (turn.c), and ends when nothing is left. Runs hang in a
 * list of the context until they are closed.
 *
 * has_ended and waiting are guarded by the context's `ending`, and so are err and stats
 * once it has ended: who waits or asks needs no more, whatever is planned meanwhile.
 * is_canceled is guarded by `canceling`, so that callbacks of a run can cancel. Whoever
 * closes a run, or all of them, lets those go first that wait for it. A run that cannot
 * even be made is one of three static ones.
 */
#include <math.h>
#include <string.h>

#include "array/turn.h"
#include "base/alloc.h"

struct clast_run {
    clast_ctx *ctx; /* NULL: a static one */
    cl_error err;
    bool has_ended, is_canceled;
    uint32_t waiting; /* threads that sleep in clast_wait() */
    uint64_t number;
    clast_run *next;          /* of those that wait */
    clast_run *older, *newer; /* of the context's */
    int n;
    clast_sink *sink;
    cl_arena arena; /* what the sinks name */
    clast_stats stats;
};

static clast_run no_memory = {
    .err = {CLAST_ENOMEM, "submit: the process is out of memory"}, .has_ended = true};
static clast_run no_context = {.err = {CLAST_EVALUE, "submit: the context is NULL"},
                               .has_ended = true};
static clast_run busy = {
    .err = {CLAST_EBUSY,
            "submit: a callback cannot use the context that it is called by"},
    .has_ended = true};

bool cl_run_is_canceled(const clast_run *run)
{
    return run->is_canceled;
}

/* ---- copies; NULL where there is no memory */

static void *copy(clast_run *run, const void *from, size_t count, size_t size)
{
    void *to = cl_arena_array(&run->arena, count ? count : 1, size);
    return to && count ? memcpy(to, from, count * size) : to;
}

static bool copy_text(clast_run *run, const char **text)
{
    return !*text || (*text = copy(run, *text, strlen(*text) + 1, 1));
}

static bool copy_numbers(clast_run *run, const int64_t **number, int n)
{
    return !*number || n < 0 || n > CLAST_MAXDIM ||
           (*number = copy(run, *number, (size_t)n, sizeof **number));
}

static bool copy_options(clast_run *run, clast_sink *sink)
{
    if (!sink->options)
        return true;
    clast_hdf5_options *o = copy(run, sink->options, 1, sizeof *o);
    sink->options = o;
    return o && copy_numbers(run, &o->chunks, sink->array->node->shape.ndim);
}

static bool copy_buffer(clast_run *run, clast_sink *sink)
{
    if (!sink->into)
        return true;
    clast_buffer *b = copy(run, sink->into, 1, sizeof *b);
    sink->into = b;
    return b && copy_numbers(run, &b->shape, b->ndim) &&
           copy_numbers(run, &b->strides, b->ndim);
}

/* A handle of the run's own on the array's node. */
static bool copy_array(clast_run *run, clast_sink *sink)
{
    clast_array *a = cl_arena_alloc(&run->arena, sizeof *a);
    if (!a)
        return false;
    *a = (clast_array){.ctx = run->ctx,
                       .message = "",
                       .id = sink->array->id,
                       .node = sink->array->node};
    cl_nodes_keep(run->ctx->nodes, a->id);
    sink->array = a;
    return true;
}

static clast_status fail(clast_run *run, clast_status status, const char *text)
{
    return cl_error_set(&run->err, status, "%s", text);
}

static clast_status copy_sink(clast_run *run, const clast_sink *from)
{
    clast_sink sink = *from;
    clast_array *a = sink.array ? sink.array : &cl_poison_null;
    if (a->status != CLAST_OK)
        return fail(run, a->status, a->message);
    if (a->ctx != run->ctx)
        return fail(run, CLAST_ECONTEXT,
                    "submit: the array belongs to another context");
    if (!copy_array(run, &sink))
        return fail(run, CLAST_ENOMEM, no_memory.err.text);
    run->sink[run->n++] = sink; /* its node is held */
    clast_sink *own = &run->sink[run->n - 1];
    if (!copy_text(run, &own->file) || !copy_text(run, &own->path) ||
        !copy_options(run, own) || !copy_buffer(run, own))
        return fail(run, CLAST_ENOMEM, no_memory.err.text);
    return CLAST_OK;
}

static clast_status copy_sinks(clast_run *run, int n, const clast_sink *sinks)
{
    if (n < 0 || (n > 0 && !sinks))
        return cl_error_set(&run->err, CLAST_EVALUE, "submit: %d sinks%s", n,
                            sinks ? "" : ", but NULL in their place");
    run->sink = cl_arena_array(&run->arena, (size_t)n + 1, sizeof *run->sink);
    if (!run->sink)
        return fail(run, CLAST_ENOMEM, no_memory.err.text);
    for (int i = 0; i < n; i++)
        CL_TRY(copy_sink(run, &sinks[i]));
    return CLAST_OK;
}

static void drop_sinks(clast_run *run)
{
    for (int i = 0; i < run->n; i++)
        cl_node_drop(run->ctx, run->sink[i].array->id);
    run->n = 0;
    cl_arena_fini(&run->arena);
}

/* ---- the thread that does them */

static void end(clast_run *run)
{
    drop_sinks(run);
    cl_mutex_lock(&run->ctx->ending);
    run->has_ended = true;
    cl_cond_broadcast(&run->ctx->ended);
    cl_mutex_unlock(&run->ctx->ending);
}

static void do_run(clast_ctx *ctx, clast_run *run)
{
    cl_turn_take(ctx, run->number, run);
    if (atomic_load(&ctx->is_canceled))
        fail(run, CLAST_ECANCELED, "submit: canceled before it began");
    else if (run->n && cl_turn_run(ctx, run->n, run->sink, NULL, &run->err))
        run->stats = ctx->stats;
    if (run->err.status != CLAST_OK) /* before anybody knows that it has ended */
        cl_ctx_record(ctx, run->err.status, run->err.text);
    end(run);
    cl_turn_give(ctx, &run->err);
}

static void *do_runs(void *arg)
{
    clast_ctx *ctx = arg;
    cl_mutex_lock(ctx->lock);
    while (ctx->first) {
        clast_run *run = ctx->first;
        ctx->first = run->next;
        do_run(ctx, run);
    }
    ctx->is_background_alive = false;
    cl_mutex_unlock(ctx->lock);
    return NULL;
}

/* One that says it is not alive takes the lock no more. */
static void join(clast_ctx *ctx)
{
    if (ctx->is_joinable)
        cl_thread_join(&ctx->background);
    ctx->is_joinable = false;
}

static clast_status provide_thread(clast_ctx *ctx)
{
    if (ctx->is_background_alive)
        return CLAST_OK;
    join(ctx);
    CL_TRY(cl_thread_start(&ctx->background, do_runs, ctx));
    ctx->is_joinable = ctx->is_background_alive = true;
    return CLAST_OK;
}

static void enqueue(clast_ctx *ctx, clast_run *run)
{
    run->number = cl_turn_ask(ctx);
    if (ctx->first)
        ctx->last->next = run;
    else
        ctx->first = run;
    ctx->last = run;
}

/* ---- handles; with the lock */

static clast_run *new_run(clast_ctx *ctx)
{
    clast_run *run = cl_calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->ctx = ctx;
    run->older = ctx->runs;
    if (run->older)
        run->older->newer = run;
    ctx->runs = run;
    return run;
}

static void free_run(clast_run *run)
{
    if (run->newer)
        run->newer->older = run->older;
    else
        run->ctx->runs = run->older;
    if (run->older)
        run->older->newer = run->newer;
    cl_free(run);
}

/* Until nobody waits for this run, which has ended then, or (NULL) for any. */
static void let_go(clast_ctx *ctx, const clast_run *run)
{
    cl_mutex_lock(&ctx->ending);
    while (run ? !run->has_ended || run->waiting : ctx->waiting)
        cl_cond_wait(&ctx->ended, &ctx->ending);
    cl_mutex_unlock(&ctx->ending);
}

void cl_runs_fini(clast_ctx *ctx)
{
    let_go(ctx, NULL);
    join(ctx);
    while (ctx->runs)
        free_run(ctx->runs);
}

static void submit(clast_ctx *ctx, clast_run *run, int n, const clast_sink *sinks)
{
    if (ctx->is_dead)
        fail(run, clast_ctx_status(ctx), ctx->text);
    else if (copy_sinks(run, n, sinks) == CLAST_OK && provide_thread(ctx) != CLAST_OK)
        fail(run, CLAST_ENOMEM, "submit: no thread for a run in the background");
    if (run->err.status == CLAST_OK) {
        enqueue(ctx, run);
        return;
    }
    end(run);
    cl_ctx_record(ctx, run->err.status, run->err.text);
}

/* ---- public */

clast_run *clast_submit(clast_ctx *ctx, int n, const clast_sink *sinks)
{
    if (!ctx)
        return &no_context;
    if (ctx->is_static)
        return &no_memory;
    if (cl_ctx_lock(ctx) != CLAST_OK)
        return &busy;
    clast_run *run = new_run(ctx);
    if (run)
        submit(ctx, run, n, sinks);
    else
        cl_ctx_record(ctx, CLAST_ENOMEM, no_memory.err.text);
    cl_ctx_unlock(ctx);
    return run ? run : &no_memory;
}

static bool wait_for_end(clast_run *run, double until)
{
    clast_ctx *ctx = run->ctx;
    bool may_wait = true;
    ctx->waiting++;
    run->waiting++;
    while (!run->has_ended && may_wait)
        may_wait = cl_cond_wait_until(&ctx->ended, &ctx->ending, until);
    run->waiting--;
    if (--ctx->waiting == 0 || run->waiting == 0)
        cl_cond_broadcast(&ctx->ended);
    return run->has_ended;
}

clast_status clast_wait(clast_run *run, double seconds)
{
    if (!run || isnan(seconds))
        return CLAST_EVALUE;
    if (!run->ctx)
        return run->err.status;
    if (cl_ctx_is_calling(run->ctx))
        return CLAST_EBUSY;
    cl_mutex *const ending = &run->ctx->ending;
    const double until = seconds < 0 ? INFINITY : cl_clock() + seconds;
    cl_mutex_lock(ending);
    const bool has_ended = run->has_ended || (seconds != 0 && wait_for_end(run, until));
    const clast_status status = has_ended ? run->err.status : CLAST_EPENDING;
    cl_mutex_unlock(ending);
    return status;
}

void clast_run_cancel(clast_run *run)
{
    if (!run || !run->ctx || run->ctx->is_dead)
        return;
    clast_ctx *ctx = run->ctx;
    cl_mutex_lock(&ctx->canceling);
    run->is_canceled = true;
    if (ctx->current == run)
        clast_cancel(ctx);
    cl_mutex_unlock(&ctx->canceling);
}

static bool has_ended(clast_run *run)
{
    if (cl_ctx_is_calling(run->ctx))
        return false;
    cl_mutex_lock(&run->ctx->ending);
    const bool has_ended = run->has_ended;
    cl_mutex_unlock(&run->ctx->ending);
    return has_ended;
}

const char *clast_run_error(clast_run *run)
{
    if (!run)
        return "the run is NULL";
    return !run->ctx || has_ended(run) ? run->err.text : "";
}

clast_stats clast_run_stats(clast_run *run)
{
    if (!run || !run->ctx || !has_ended(run))
        return (clast_stats){0};
    return run->stats;
}

void clast_run_close(clast_run **address)
{
    if (!address || !*address)
        return;
    clast_run *run = *address;
    if (run->ctx && cl_ctx_is_calling(run->ctx))
        return;
    *address = NULL;
    if (!run->ctx)
        return;
    clast_ctx *ctx = run->ctx;
    let_go(ctx, run);
    cl_mutex_lock(ctx->lock);
    free_run(run);
    cl_ctx_unlock(ctx);
}
