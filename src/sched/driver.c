/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run from its tables to what it reports: how many workers it is worth, the team,
 * progress, failures. What workers do is in worker.c, loads and spills are in
 * transfer.c.
 */
#include "sched/in_order.h"
#include "sched/transfer.h"

#include "base/alloc.h"
#include "kernel/linalg.h"

#include <math.h>

#define TELL_INTERVAL 0.1 /* seconds between two calls of the progress function */

/* A plan of at most so many tasks on so many bytes is done before a team has met. */
#define ALONE_TASKS 8
#define ALONE_BYTES ((uint64_t)256 << 10)
/* So is one whose tasks took less than this, in seconds, when it ran just before. */
#define ALONE_TIME 200e-6

void cl_driver_fail(cl_driver *d, uint32_t task, uint32_t block, const cl_error *err)
{
    if (cl_grow(&d->failure, &d->failure_room, d->nfailure + 1, sizeof *d->failure))
        d->failure[d->nfailure++] = (cl_failure){task, block, *err};
}

/* ---- those who look on; with the mutex ---- */

static uint64_t tasks_done(const cl_driver *d)
{
    if (d->in_order)
        return cl_in_order_done(d->in_order);
    const cl_core_counts counts = cl_core_get_counts(d->core);
    return counts.done > counts.rearmed ? counts.done - counts.rearmed : 0;
}

static size_t tasks_ready(const cl_driver *d)
{
    return d->in_order ? 0 : cl_core_ready(d->core);
}

/* What is in use, for those who look on. */
static uint64_t in_use(const cl_driver *d)
{
    return d->fixed + cl_memory_live(d->engine->memory) * CL_PAGE;
}

static void take_sample(cl_driver *d, double now)
{
    cl_trace_take(&d->engine->trace,
                  &(cl_trace_sample){.time = now,
                                     .memory = in_use(d),
                                     .read = d->read,
                                     .written = atomic_load(&d->exec->written),
                                     .spilled = d->spilled,
                                     .ready = (uint32_t)tasks_ready(d)});
}

/* Lets the mutex go while the host's function runs: its own workers go on. */
static void tell(cl_driver *d, double now)
{
    cl_progress *progress = d->run->progress;
    clast_progress *told = &d->told;
    const uint64_t done = tasks_done(d);
    progress->due = now + TELL_INTERVAL;
    if (d->is_telling)
        return;
    d->is_telling = true;
    told->tasks_done = done > told->tasks_done ? done : told->tasks_done;
    told->read = d->read;
    told->written = atomic_load(&d->exec->written);
    told->spilled = d->spilled;
    told->memory = in_use(d);
    told->seconds = now - d->begun;
    const clast_progress copy = *told;
    if (tasks_ready(d)) /* what was just made ready does not wait for it */
        cl_driver_wake(d);
    cl_mutex_unlock(d->mutex);
    progress->tell(progress->arg, &copy);
    cl_mutex_lock(d->mutex);
    d->is_telling = false;
}

static void choose_due(cl_driver *d)
{
    const double told = d->run->progress ? d->run->progress->due : INFINITY;
    d->due = fmin(d->engine->trace.due, told);
}

void cl_driver_look_on(cl_driver *d, double now)
{
    if (now >= d->engine->trace.due)
        take_sample(d, now);
    if (d->run->progress && now >= d->run->progress->due)
        tell(d, now);
    choose_due(d);
}

/* ---- a run ---- */

static clast_status make_tables(cl_driver *d, cl_error *err)
{
    d->source_of = cl_alloc_array(d->plan->ntensor, sizeof *d->source_of);
    if (!d->source_of)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for the run's tables");
    for (uint32_t i = 0; i < d->plan->ntensor; i++)
        d->source_of[i] = CL_NONE;
    for (uint32_t i = 0; i < d->plan->nsource; i++)
        d->source_of[d->plan->source[i].tensor] = i;
    d->exec->source_of = d->source_of;
    return CLAST_OK;
}

/* The message of the failure that the core names; failures that nobody could write down
 * have the status' own text. */
static clast_status report(const cl_driver *d, cl_error *err)
{
    uint32_t task, block = CL_NONE;
    const clast_status status = d->in_order ? cl_in_order_failure(d->in_order, &task)
                                            : cl_core_failure(d->core, &task, &block);
    for (size_t i = 0; i < d->nfailure && status != CLAST_ECANCELED; i++)
        if (d->failure[i].task == task && d->failure[i].block == block)
            return cl_error_set(err, status, "%s", d->failure[i].err.text);
    if (status != CLAST_OK || !d->stalled)
        return cl_error_set(err, status, "%s", clast_status_text(status));
    const cl_core_counts counts = cl_core_get_counts(d->core);
    return cl_error_set(err, CLAST_EINTERNAL,
                        "the scheduler stopped after %llu tasks with nothing under way",
                        (unsigned long long)counts.done);
}

/* Tasks that call functions of the caller, which may take any time. */
static uint64_t count_calls(const cl_plan *plan)
{
    uint64_t calls = 0;
    for (uint32_t i = 0; i < plan->nstage; i++)
        calls += plan->stage[i].kind == CL_STAGE_USER ? plan->stage[i].tasks : 0;
    return calls;
}

static bool is_tiny(const cl_driver *d, uint64_t tasks)
{
    const cl_plan *plan = d->plan;
    const cl_repeat *last = &d->engine->last;
    uint64_t bytes = 0;
    if (last->hash == plan->hash && last->busy > 0)
        return last->busy < ALONE_TIME;
    if (count_calls(plan) > 1)
        return false;
    for (uint32_t i = 0; i < plan->ntensor && bytes <= ALONE_BYTES; i++) {
        const cl_shape shape = cl_grid_shape(&plan->tensor[i].grid);
        int64_t count;
        uint64_t more;
        if (!cl_shape_count(&shape, &count) ||
            !cl_mul_size((size_t)count, clast_dtype_size(plan->tensor[i].dtype), &more))
            return false;
        bytes += more < ALONE_BYTES ? more : ALONE_BYTES + 1;
    }
    return tasks <= ALONE_TASKS && bytes <= ALONE_BYTES;
}

/* No more workers than tasks; what they compute does not depend on it. */
int cl_driver_team(const cl_driver *d)
{
    uint64_t tasks = 0;
    for (uint32_t i = 0; i < d->plan->nsegment; i++)
        tasks += d->plan->segment[i].ntask;
    const int workers = d->engine->options.workers;
    if (tasks == 0 || is_tiny(d, tasks))
        return 1;
    return tasks < (uint64_t)workers ? (int)tasks : workers;
}

clast_status cl_driver_run(cl_driver *d, cl_error *err)
{
    CL_TRY(make_tables(d, err));
    void *const hands = d->in_order ? NULL : cl_worker_hands(d, d->team);
    if (!hands && !d->in_order)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for %d workers", d->team);
    d->begun = cl_clock();
    if (d->run->progress)
        d->run->progress->due = fmax(d->run->progress->due, d->begun + TELL_INTERVAL);
    choose_due(d);
    cl_cond_init(&d->work);
    cl_cond_init(&d->io);
    const cl_engine_options *o = &d->engine->options;
    d->has_calls = count_calls(d->plan) > 0;
    cl_blas_enter();
    cl_team_run(d->run->in_background ? CL_TEAM_PTHREADS : o->team, d->team,
                d->in_order ? cl_in_order_main : cl_worker_main, d);
    cl_blas_leave();
    cl_free(hands);
    cl_transfer_stop(d);
    cl_cond_fini(&d->work);
    cl_cond_fini(&d->io);
    const clast_status status = report(d, err);
    /* One that was canceled or failed says nothing of how long it takes. */
    const bool is_timed = status == CLAST_OK && d->read == 0 && d->spilled == 0;
    d->engine->last = (cl_repeat){d->plan->hash, is_timed ? d->busy : 0};
    return status;
}
