/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engines and runs.
 *
 * A run goes through fixed steps: measure workspaces, compute the budget, refuse what
 * cannot fit, rehearse where something may have to be spilled, then borrow the
 * persisted blocks, drive the core, take the persisted blocks back and sweep the rest.
 * However it ended, afterwards the engine holds persisted blocks only, and can run
 * again. Memory that blocks touched stays cached for the next run, within the budget.
 */
#include "sched/alone.h"
#include "sched/in_order.h"

#include "base/alloc.h"
#include "base/least.h"
#include "graph/build.h"

/* Plans of fewer tasks are rehearsed even if everything fits, where something is
 * loaded, for their peak. */
#define ALWAYS_REHEARSED 65536

/* ---- engines ---- */

static bool is_canceled(void *arg)
{
    const cl_engine *engine = arg;
    return atomic_load(&engine->state) == CL_ENGINE_CANCELED;
}

clast_status cl_engine_new(cl_engine **out, const cl_engine_options *options,
                           cl_error *err)
{
    cl_engine *engine = cl_calloc(1, sizeof *engine);
    if (!engine || !(engine->memory = cl_memory_new(options->memory / CL_PAGE))) {
        cl_free(engine);
        return cl_error_set(err, CLAST_ENOMEM, "no memory for an engine");
    }
    engine->options = *options;
    if (engine->options.workers < 1)
        engine->options.workers = 1;
    if (cl_trace_init(&engine->trace, (uint32_t)engine->options.workers, CL_IO_THREADS,
                      options->trace)) {
        cl_memory_free(engine->memory);
        cl_free(engine);
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a trace of %llu bytes",
                            (unsigned long long)options->trace);
    }
    engine->charged = options->trace;
    cl_mutex_init(&engine->mutex);
    cl_mutex_init(&engine->spill.mutex);
    *out = engine;
    return CLAST_OK;
}

void cl_engine_tune(cl_engine *engine, const cl_tuning *tuning)
{
    engine->tuning = *tuning;
}

cl_tuning cl_engine_tuning(const cl_engine *engine)
{
    return engine->tuning;
}

void cl_engine_free(cl_engine *engine)
{
    if (!engine)
        return;
    while (engine->persisted)
        cl_persisted_free(engine, engine->persisted);
    cl_scratch_close(engine->spill.scratch);
    cl_memory_free(engine->memory);
    cl_trace_fini(&engine->trace);
    cl_mutex_fini(&engine->mutex);
    cl_mutex_fini(&engine->spill.mutex);
    cl_free(engine);
}

void cl_engine_cancel(cl_engine *engine)
{
    int running = CL_ENGINE_RUNNING;
    atomic_compare_exchange_strong(&engine->state, &running, CL_ENGINE_CANCELED);
}

void cl_engine_write_trace(const cl_engine *engine, clast_text_fn *write, void *arg)
{
    cl_trace_write(&engine->trace, write, arg);
}

/* ---- charges; with the mutex ---- */

/* Bytes that blocks may have. */
static uint64_t left(const cl_engine *engine)
{
    return cl_minus_u(engine->options.memory, engine->charged + engine->running);
}

static uint64_t free_bytes(const cl_engine *engine)
{
    return cl_minus_u(left(engine), cl_memory_live(engine->memory) * CL_PAGE);
}

void cl_engine_adjust_limit(cl_engine *engine)
{
    cl_memory_set_limit(engine->memory,
                        cl_minus_u(left(engine), engine->spare) / CL_PAGE);
}

clast_status cl_engine_charge(cl_engine *engine, uint64_t bytes, cl_error *err)
{
    clast_status status = CLAST_OK;
    cl_mutex_lock(&engine->mutex);
    if (atomic_load(&engine->state) != CL_ENGINE_IDLE)
        status =
            cl_error_set(err, CLAST_EBUSY,
                         "%llu bytes cannot be set aside while a run has the budget",
                         (unsigned long long)bytes);
    else if (bytes > free_bytes(engine))
        status = cl_error_set(
            err, CLAST_EBUDGET,
            "%llu bytes do not fit: %llu of the budget of %llu are free",
            (unsigned long long)bytes, (unsigned long long)free_bytes(engine),
            (unsigned long long)engine->options.memory);
    else
        engine->charged += bytes;
    cl_engine_adjust_limit(engine);
    cl_mutex_unlock(&engine->mutex);
    return status;
}

void cl_engine_uncharge(cl_engine *engine, uint64_t bytes)
{
    cl_mutex_lock(&engine->mutex);
    engine->charged -= bytes < engine->charged ? bytes : engine->charged;
    cl_engine_adjust_limit(engine);
    cl_mutex_unlock(&engine->mutex);
}

void cl_engine_set_spare(cl_engine *engine, uint64_t bytes)
{
    cl_mutex_lock(&engine->mutex);
    engine->spare = bytes;
    cl_engine_adjust_limit(engine);
    cl_mutex_unlock(&engine->mutex);
}

uint64_t cl_engine_free_bytes(cl_engine *engine)
{
    cl_mutex_lock(&engine->mutex);
    const uint64_t bytes = free_bytes(engine);
    cl_mutex_unlock(&engine->mutex);
    return bytes;
}

/* ---- before a run ---- */

static void note_budget(const cl_engine *engine, const cl_plan *plan,
                        const cl_budget *budget, clast_stats *stats)
{
    stats->memory = engine->options.memory;
    stats->minimum_memory = cl_budget_minimum(budget);
    stats->plan_bytes = plan->bytes;
    stats->tasks = budget->tasks;
    stats->blocks = budget->blocks;
    stats->workers = engine->options.workers;
}

static void note_prediction(const cl_admission *admission, const cl_run *run,
                            clast_stats *stats)
{
    stats->predicted_peak = admission->peak;
    stats->predicted_read = admission->read;
    stats->predicted_written = admission->written;
    stats->predicted_spilled = admission->spilled;
    if (admission->is_rehearsed)
        stats->predicted_spilled += run->displaced;
}

/* Others may hold more than when the plan was measured; where they hold less, the plan
 * gets by with what it was to have. */
static void settle_again(cl_engine *engine, const cl_plan *plan, const cl_run *run,
                         cl_admission *a)
{
    const cl_budget was = a->budget;
    cl_budget *const now = &a->budget;
    cl_budget_settle(now, engine, plan, run);
    if (now->pages < was.pages) {
        a->is_rehearsed = a->is_rehearsed && !now->binds;
        return;
    }
    now->pages = was.pages;
    now->binds = was.binds;
}

/* Workspaces of the plan's stages, and its budget. exec: NULL, or to be filled in. */
static clast_status measure(cl_engine *engine, cl_plan *plan, const cl_run *run,
                            cl_exec *exec, cl_admission *a, cl_error *err)
{
    cl_exec own = {0};
    clast_status status = CLAST_OK;
    if (exec || !a->is_measured)
        status = cl_exec_init(exec ? exec : &own, plan, run, err);
    if (status == CLAST_OK && !a->is_measured)
        status = cl_exec_measure(exec ? exec : &own, plan, err);
    cl_exec_fini(&own);
    CL_TRY(status);
    /* Another thread may drop a persisted array meanwhile. */
    cl_mutex_lock(&engine->mutex);
    if (a->is_measured)
        settle_again(engine, plan, run, a);
    else
        a->budget = cl_budget_of(engine, plan, run);
    cl_mutex_unlock(&engine->mutex);
    a->is_measured = true;
    return CLAST_OK;
}

/* Where the budget binds there is always a prediction; otherwise for small plans and
 * where it costs next to nothing, or for all. */
typedef enum { REHEARSE_BOUND, REHEARSE_SMALL, REHEARSE_ALWAYS } rehearsing;

/* Everything that can be known beforehand. */
static clast_status admit(cl_engine *engine, cl_plan *plan, const cl_run *run,
                          cl_exec *exec, rehearsing when, cl_admission *a,
                          clast_stats *stats, cl_error *err)
{
    CL_TRY(measure(engine, plan, run, exec, a, err));
    const cl_budget *budget = &a->budget;
    note_budget(engine, plan, budget, stats);
    CL_TRY(cl_budget_check(engine, plan, budget, err));
    clast_status status = CLAST_OK;
    if (!a->is_rehearsed && (when == REHEARSE_ALWAYS || budget->binds ||
                             (when == REHEARSE_SMALL &&
                              (budget->tasks < ALWAYS_REHEARSED || !budget->loads))))
        status = cl_predict(engine, plan, run, a, err);
    note_prediction(a, run, stats);
    return status;
}

clast_status cl_engine_predict(cl_engine *engine, cl_plan *plan, const cl_run *run,
                               clast_stats *stats, cl_error *err)
{
    cl_admission own = {0};
    return admit(engine, plan, run, NULL, REHEARSE_ALWAYS,
                 run->admission ? run->admission : &own, stats, err);
}

clast_status cl_engine_minimum(cl_engine *engine, cl_plan *plan, const cl_run *run,
                               uint64_t *bytes, cl_error *err)
{
    cl_admission own = {0}, *a = run->admission ? run->admission : &own;
    CL_TRY(measure(engine, plan, run, NULL, a, err));
    *bytes = cl_budget_minimum(&a->budget);
    return CLAST_OK;
}

clast_status cl_engine_excess(cl_engine *engine, cl_plan *plan, const cl_run *run,
                              uint64_t *bytes, cl_error *err)
{
    cl_admission own = {0}, *a = run->admission ? run->admission : &own;
    clast_stats stats = {0};
    const clast_status status =
        admit(engine, plan, run, NULL, REHEARSE_BOUND, a, &stats, err);
    *bytes = a->excess;
    return status;
}

bool cl_engine_has_scratch(const cl_engine *engine, const cl_run *run)
{
    const cl_admission *a = run->admission;
    return a->scratch_pages == 0 ||
           cl_budget_scratch(engine, run, &a->budget) >= a->scratch_pages;
}

/* ---- a run ---- */

/* Makes room for what the run has besides blocks, and takes it. */
static clast_status begin(cl_engine *engine, const cl_plan *plan, const cl_run *run,
                          const cl_budget *budget, uint64_t *spilled, cl_error *err)
{
    cl_mutex_lock(&engine->mutex);
    engine->running = budget->fixed;
    engine->spill.folder = run->scratch_folder;
    cl_engine_adjust_limit(engine);
    cl_mutex_unlock(&engine->mutex);
    return cl_room_make(engine, plan, run, budget, spilled, err);
}

/* With the mutex. */
static void leave(cl_engine *engine)
{
    engine->running = 0;
    cl_engine_adjust_limit(engine);
    cl_spill_end(&engine->spill);
}

static clast_status persist_results(cl_driver *d, cl_error *err)
{
    for (uint32_t i = 0; i < d->plan->nsink; i++)
        if (d->run->sinks[i].persist)
            CL_TRY(cl_persisted_make(d->engine, d->core, d->plan,
                                     cl_plan_sink_tensor(d->plan, i), d->address,
                                     d->slot, d->run->sinks[i].persist, err));
    return CLAST_OK;
}

/* Persisted arrays of a run that failed after some were made. */
static void drop_results(const cl_driver *d)
{
    for (uint32_t i = 0; i < d->plan->nsink; i++) {
        cl_persisted **persist = d->run->sinks[i].persist;
        if (!persist || !*persist)
            continue;
        cl_persisted_free(d->engine, *persist);
        *persist = NULL;
    }
}

static clast_status end(cl_driver *d, clast_status status, cl_error *err)
{
    cl_engine *engine = d->engine;
    cl_mutex_lock(&engine->mutex);
    cl_persisted_return(d->core, d->plan, d->run, d->address, d->slot);
    if (status == CLAST_OK)
        status = persist_results(d, err);
    cl_trace_resolve(&engine->trace, d->plan, d->run, d->source_of);
    cl_driver_sweep(d);
    leave(engine);
    cl_mutex_unlock(&engine->mutex);
    if (status != CLAST_OK)
        drop_results(d);
    return status;
}

static void note_run(const cl_driver *d, const cl_budget *budget, clast_stats *stats)
{
    const uint64_t peak = d->in_order
                              ? cl_in_order_peak(d->in_order)
                              : cl_larger_u(cl_core_get_counts(d->core).peak_pages,
                                            cl_alone_peak(d, budget->others));
    stats->peak = budget->fixed + peak * CL_PAGE;
    stats->read = d->read;
    stats->stored_read = d->stored_read + d->exec->stored_read;
    stats->written = d->exec->written;
    stats->stored_written = d->exec->stored_written;
    stats->spilled = d->spilled;
    stats->wait_memory = d->wait_memory;
    stats->wait_read = d->wait_read;
    stats->wait_task = d->wait_task;
    stats->workers = d->workers;
}

/* What the rehearsal had in scratch, besides what earlier runs left there. */
static clast_status reserve(const cl_driver *d, const cl_admission *a, cl_error *err)
{
    if (!d->core)
        return CLAST_OK;
    const uint64_t there = cl_core_get_counts(d->core).peak_scratch_pages;
    return cl_spill_reserve(&d->engine->spill,
                            a->scratch_pages > there ? a->scratch_pages - there : 0,
                            err);
}

/* The core, and room for it where it turned out larger than was thought. */
static clast_status make_core(cl_driver *d, cl_budget *budget, cl_error *err)
{
    CL_TRY(cl_budget_core(&d->core, d->engine, d->plan, d->run, budget, err));
    d->fixed = budget->fixed;
    d->policy = cl_budget_is_alone(d->engine, budget) ? &cl_alone_in_turn
                                                      : &cl_transfer_at_once;
    return begin(d->engine, d->plan, d->run, budget, &d->spilled, err);
}

/* Which way the plan is run: tiny tasks in their order, any others by the core. What
 * that takes. */
static clast_status choose_way(cl_driver *d, cl_budget *budget, cl_error *err)
{
    const size_t n = (size_t)budget->blocks;
    const bool in_order = cl_in_order_suits(d, budget);
    if (!in_order)
        CL_TRY(make_core(d, budget, err));
    d->address = cl_calloc(n, sizeof *d->address);
    if (in_order && d->address) {
        d->in_order = cl_in_order_new(d);
    } else if (d->address) {
        d->slot = cl_calloc(n, sizeof *d->slot);
        d->is_unread = cl_calloc(n, sizeof *d->is_unread);
    }
    if (d->in_order || (d->slot && d->is_unread))
        return CLAST_OK;
    return cl_error_set(err, CLAST_ENOMEM, "no memory for %llu blocks' addresses",
                        (unsigned long long)budget->blocks);
}

/* With all that it needs made. */
static clast_status go(cl_driver *d, const cl_admission *a, clast_stats *stats,
                       cl_error *err)
{
    uint64_t leaving;
    d->exec->address = d->address;
    d->exec->is_unread = d->is_unread;
    d->exec->copies_input = d->engine->options.copies_input;
    d->exec->poll = (cl_poll){is_canceled, d->engine};
    clast_status status = cl_persisted_adopt(d->core, d->plan, d->run, &a->budget,
                                             d->address, d->slot, &leaving, err);
    if (status == CLAST_OK)
        status = reserve(d, a, err);
    if (status == CLAST_OK) {
        status = cl_driver_run(d, err);
        note_run(d, &a->budget, stats);
    }
    return end(d, status, err);
}

static clast_status drive(cl_engine *engine, cl_plan *plan, const cl_run *run,
                          cl_exec *exec, cl_admission *a, clast_stats *stats,
                          cl_error *err)
{
    cl_budget *const budget = &a->budget;
    cl_driver d = {.mutex = &engine->mutex,
                   .engine = engine,
                   .plan = plan,
                   .run = run,
                   .exec = exec,
                   .nblock = budget->blocks,
                   .fixed = budget->fixed,
                   .spilled = run->displaced,
                   .told = {.tasks = budget->tasks,
                            .predicted_read = stats->predicted_read,
                            .predicted_written = stats->predicted_written,
                            .predicted_spilled = stats->predicted_spilled}};
    d.team = cl_driver_team(&d);
    /* Before there is a core, as there may be no room for it. */
    clast_status status = begin(engine, plan, run, budget, &d.spilled, err);
    if (status == CLAST_OK)
        status = choose_way(&d, budget, err);
    if (status == CLAST_OK) {
        status = go(&d, a, stats, err);
    } else {
        cl_driver_sweep(&d);
        cl_mutex_lock(&engine->mutex);
        leave(engine);
        cl_mutex_unlock(&engine->mutex);
    }
    cl_core_free(d.core);
    cl_in_order_free(d.in_order);
    return status;
}

clast_status cl_engine_run(cl_engine *engine, cl_plan *plan, const cl_run *run,
                           cl_error *err)
{
    int idle = CL_ENGINE_IDLE;
    if (!atomic_compare_exchange_strong(&engine->state, &idle, CL_ENGINE_RUNNING))
        return cl_error_set(err, CLAST_EBUSY, "a run is under way");
    if (run->is_canceled && atomic_load(run->is_canceled))
        cl_engine_cancel(engine);
    const double begun = cl_clock();
    cl_trace_begin(&engine->trace, begun);
    clast_stats own = {0};
    clast_stats *stats = run->stats ? run->stats : &own;
    cl_exec exec = {0};
    cl_admission known = {0}, *a = run->admission ? run->admission : &known;
    clast_status status =
        admit(engine, plan, run, &exec, REHEARSE_SMALL, a, stats, err);
    if (status == CLAST_OK)
        status = drive(engine, plan, run, &exec, a, stats, err);
    cl_exec_fini(&exec);
    stats->run_seconds = cl_clock() - begun;
    atomic_store(&engine->state, CL_ENGINE_IDLE);
    return status;
}

const char *cl_engine_numerics(void)
{
    return cl_blas_name();
}
