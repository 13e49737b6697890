/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Admission: what a plan needs at least and what a run may have.
 *
 * The budget is paid first to what is fixed: charges of the context, the plan, the
 * core or, where it may be done without one, the workers' lanes and pools, whichever
 * takes more, the tables of the driver and of the outputs. The rest is pages for blocks
 * and workspaces, and must do for the neediest task (needs.c). That is known before
 * anything is read, and so are the numbers of a refusal.
 */
#include "base/least.h"
#include "sched/in_order.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* What cl_core allocates, a little more than it does; the real figure is used where it
 * turns out higher. */
#define CORE_FIXED     (64u << 10)
#define CORE_PER_TASK  6u
#define CORE_PER_BLOCK 28u
#define DRIVER_BLOCK                                                                   \
    (sizeof(void *) + sizeof(uint64_t) + 1) /* address, slot, is_unread */
#define DRIVER_STAGE  64u
#define DRIVER_TENSOR (sizeof(char *) + sizeof(uint32_t))

static uint64_t guessed_core(const cl_budget *b)
{
    return CORE_FIXED + b->tasks * CORE_PER_TASK + b->blocks * CORE_PER_BLOCK;
}

/* For what says which task is next: nobody knows yet which of the two that will be. */
static uint64_t set_aside(const cl_budget *b)
{
    return cl_larger_u(guessed_core(b), b->lanes);
}

/* What outputs keep of their chunks. */
static uint64_t tables_of(const cl_plan *plan, const cl_run *run)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->nsink; i++)
        if (run->sinks[i].spec)
            bytes += cl_output_table_bytes(run->sinks[i].spec);
    return bytes;
}

cl_budget cl_budget_of(const cl_engine *engine, const cl_plan *plan, const cl_run *run)
{
    const uint64_t workers = (uint64_t)engine->options.workers;
    cl_budget b = {.needs = cl_needs_of(plan, (uint32_t)workers)};
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        b.tasks += plan->segment[i].ntask;
        b.blocks += plan->segment[i].nblock;
    }
    /* At most: cl_driver_team() gives a tiny plan one, by what the last run took. */
    const uint64_t team = cl_lesser_u(workers, b.tasks);
    if (cl_in_order_may_suit(&b.needs, team))
        b.lanes = cl_in_order_bytes(team, b.blocks);
    b.fixed = plan->bytes + set_aside(&b) + b.blocks * DRIVER_BLOCK +
              plan->nstage * DRIVER_STAGE + plan->ntensor * DRIVER_TENSOR +
              tables_of(plan, run);
    cl_budget_settle(&b, engine, plan, run);
    return b;
}

void cl_budget_settle(cl_budget *b, const cl_engine *engine, const cl_plan *plan,
                      const cl_run *run)
{
    b->stated = run->least;
    b->block = run->block;
    b->charged = engine->charged;
    cl_room_settle(b, engine, plan, run);
    b->binds = b->needs.all > b->pages;
    b->loads = b->needs.loads || b->own_out + b->own_leaving > 0;
}

uint64_t cl_budget_minimum(const cl_budget *b)
{
    return cl_larger_u(b->stated, b->charged + b->fixed +
                                      (b->others_stuck + b->needs.least) * CL_PAGE);
}

uint64_t cl_engine_unused(const cl_admission *a)
{
    const cl_budget *b = &a->budget;
    return a->is_measured && !b->binds ? (b->pages - b->needs.all) * CL_PAGE : 0;
}

static double unit_of(uint64_t bytes)
{
    return bytes < 1048576 ? 1024 : 1048576;
}

uint64_t cl_engine_rounded(uint64_t bytes)
{
    const double unit = unit_of(bytes);
    if (bytes > UINT64_MAX / 2)
        return bytes;
    return (uint64_t)(ceil((double)bytes * 10 / unit) * unit / 10);
}

/* What would do is rounded up, so that the number is enough when it is given as a
 * budget; a budget that does not do is rounded down. */
static const char *mebibytes(uint64_t bytes, double (*rounded)(double), char *text,
                             size_t size)
{
    const double unit = unit_of(bytes);
    snprintf(text, size, "%.1f %s", rounded((double)bytes * 10 / unit) / 10,
             unit < 1048576 ? "KiB" : "MiB");
    return text;
}

/* Persisted blocks do not fit beside the plan's tables and cannot go. With what is
 * said to do all that the plan has fits. */
static clast_status stuck(const cl_engine *engine, const cl_budget *b, cl_error *err)
{
    char budget[32], more[32], need[32];
    const uint64_t all = b->charged + b->fixed + (b->others + b->needs.all) * CL_PAGE;
    return cl_error_set(
        err, CLAST_ENOSPACE,
        "a memory budget of %s is too small for the plan beside persisted arrays, and "
        "scratch has no room for the %s of them that do not fit; %s would do",
        mebibytes(engine->options.memory, floor, budget, sizeof budget),
        mebibytes(b->own_leaving * CL_PAGE, ceil, more, sizeof more),
        mebibytes(all, ceil, need, sizeof need));
}

clast_status cl_budget_check(const cl_engine *engine, const cl_plan *plan,
                             const cl_budget *b, cl_error *err)
{
    if (b->needs.least <= b->pages)
        return b->own_are_stuck ? stuck(engine, b, err) : CLAST_OK;
    char budget[32], task[32], need[32], block[64] = "";
    const char *label = b->needs.neediest == CL_NONE
                            ? NULL
                            : cl_task_get(plan, b->needs.neediest).stage->label;
    if (b->block)
        snprintf(block, sizeof block,
                 ", or blocks of %" PRIu64 " KiB (the option block)", b->block / 1024);
    return cl_error_set(err, CLAST_EBUDGET,
                        "a memory budget of %s is too small: a task of %s needs %s at "
                        "once; %s would do%s",
                        mebibytes(engine->options.memory, floor, budget, sizeof budget),
                        label ? label : "the plan",
                        mebibytes(b->needs.least * CL_PAGE, ceil, task, sizeof task),
                        mebibytes(cl_budget_minimum(b), ceil, need, sizeof need),
                        block);
}

/* ---- the core of a run ---- */

uint64_t cl_budget_scratch(const cl_engine *engine, const cl_run *run,
                           const cl_budget *b)
{
    uint64_t bytes = 0;
    if (!run->scratch_folder || cl_scratch_room(run->scratch_folder, &bytes, NULL))
        return 0;
    if (engine->spill.scratch)
        bytes += cl_scratch_bytes(engine->spill.scratch);
    return bytes / CL_PAGE > b->others_out ? bytes / CL_PAGE - b->others_out : 0;
}

/* Where everything fits, tasks that are taken together may have workspaces up to the
 * budget: not what spare plans hold, which is no more than what is unused
 * (cl_engine_unused). */
uint64_t cl_budget_pages(const cl_engine *engine, const cl_budget *b)
{
    const uint64_t spare = b->binds ? 0 : cl_pages(engine->spare);
    const uint64_t least = b->needs.all < b->pages ? b->needs.all : b->pages;
    return spare < b->pages - least ? b->pages - spare : least;
}

clast_status cl_budget_core(cl_core **out, cl_engine *engine, const cl_plan *plan,
                            const cl_run *run, cl_budget *b, cl_error *err)
{
    const uint32_t workers = (uint32_t)engine->options.workers;
    for (;;) {
        const uint64_t blocks = cl_budget_pages(engine, b);
        const cl_core_limits limits = {
            .budget_pages = blocks,
            .ahead_pages = cl_needs_ahead(&b->needs, workers, blocks),
            .task_pages = b->needs.most,
            .scratch_pages = b->binds ? cl_budget_scratch(engine, run, b) : 0,
            .nplace = 1,
            .prefetch = engine->tuning.is_without_prefetch ? 0 : 2 * workers + 2,
            .loads = workers,
            .policy = engine->tuning.policy,
        };
        CL_TRY(cl_core_new(out, plan, &limits, err));
        const uint64_t bytes = cl_core_bytes(*out);
        if (bytes <= set_aside(b) + b->more)
            return CLAST_OK;
        /* More than was set aside: once more with that. */
        cl_core_free(*out);
        const uint64_t more = bytes - set_aside(b);
        b->fixed += more - b->more;
        b->more = more;
        cl_mutex_lock(&engine->mutex);
        cl_budget_settle(b, engine, plan, run);
        cl_mutex_unlock(&engine->mutex);
        CL_TRY(cl_budget_check(engine, plan, b, err));
    }
}
