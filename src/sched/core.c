/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler core (core.h): events in, tasks out.
 *
 * Candidates are tasks whose read versions are all made: the set `ready` and the
 * claims. A worker gets the lowest of them that can start at its place; the first that
 * lacks memory ends the walk. Room that earlier candidates will need at their start is
 * kept free of later ones (`slack`).
 *
 * What is fetched follows the order, so that it is used before it is thrown out.
 * Between takes, when the queue of actions runs dry, think() fetches for the lowest
 * candidate at any cost, then in rank order for the next tasks that were not started,
 * whatever they wait for: for the first half of `prefetch`, the *near* ones, blocks
 * that are needed later go; for the others only free memory is used. A candidate beyond
 * the near ones is fetched for only by a worker that would sleep otherwise.
 *
 * Where the budget cannot bind (all blocks fit, with the largest workspace or load) no
 * order of uses is kept; where nothing has to be loaded either, tasks take a shorter
 * way (core_fit.c).
 */
#include "sched/core_internal.h"

/* How many candidates are passed over in one take that cannot start. */
#define PATIENCE 32

void cl_core_fail(cl_core *core, clast_status status, uint32_t rank, uint32_t task,
                  uint32_t block)
{
    if (core->failure == CLAST_OK || rank < core->failed_rank) {
        core->failure = status;
        core->failed_rank = rank;
        core->failed_task = task;
        core->failed_block = block;
    }
    if (core->stopped)
        return;
    core->stopped = true;
    core->starved = false;
    cl_action_revoke_work(core);
}

void cl_core_spill_failed(cl_core *core, uint32_t block, clast_status status)
{
    /* Before what fails for want of its memory, whatever the ranks. */
    cl_core_fail(core, status, 0, CL_NONE, block);
}

void cl_core_cancel(cl_core *core)
{
    cl_core_fail(core, CLAST_ECANCELED, CL_NONE, CL_NONE, CL_NONE);
}

void cl_core_free(cl_core *core)
{
    if (core == NULL)
        return;
    cl_core_free_arrays(core);
    cl_free(core);
}

static clast_status append_all(cl_core *core, const cl_plan *plan, cl_error *err)
{
    for (uint32_t i = 0; i < plan->nsegment; i++)
        CL_TRY(cl_core_append(core, &plan->segment[i], err));
    return CLAST_OK;
}

clast_status cl_core_new(cl_core **result, const cl_plan *plan,
                         const cl_core_limits *limits, cl_error *err)
{
    *result = NULL;
    if (limits->nplace == 0 || limits->nplace >= UINT16_MAX)
        return cl_error_set(err, CLAST_EVALUE, "%u places, expected 1 to %d",
                            limits->nplace, UINT16_MAX - 1);
    cl_core *core = cl_calloc(1, sizeof *core);
    if (core == NULL)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for the scheduler");
    core->plan = plan;
    core->limits = *limits;
    if (limits->ahead_pages == 0) {
        core->limits.ahead_pages = limits->budget_pages;
        core->limits.task_pages = limits->budget_pages + 1;
    }
    core->fits = limits->nplace == 1;
    core->place = cl_calloc(limits->nplace, sizeof *core->place);
    core->claim = cl_calloc((size_t)limits->prefetch + 1, sizeof *core->claim);
    const clast_status status =
        core->place == NULL || core->claim == NULL
            ? cl_error_set(err, CLAST_ENOMEM, "no memory for %u places", limits->nplace)
            : append_all(core, plan, err);
    if (status != CLAST_OK)
        cl_core_free(core);
    else
        *result = core;
    return status;
}

void cl_core_release(cl_core *core, uint32_t block)
{
    core->flags[block] &= (uint8_t)~CL_BLOCK_PERSIST;
    cl_block_clear_all(core, block);
    core->stirred = true;
}

bool cl_core_adopt(cl_core *core, uint32_t block, bool in_scratch)
{
    cl_place *place = &core->place[0];
    const uint64_t pages = cl_core_block(core, block)->pages;
    if (!in_scratch && place->reserved + pages > core->limits.budget_pages)
        return false;
    if (in_scratch) {
        place->hold[block] |= CL_HOLD_SCRATCH;
        place->scratch += pages;
        if (place->scratch > core->counts.peak_scratch_pages)
            core->counts.peak_scratch_pages = place->scratch;
        if (!core->loads)
            for (uint32_t t = 0; t < core->ntask; t++)
                cl_ready_set(&core->pending, t);
        core->loads = true;
        cl_fit_leave(core);
    } else {
        cl_hold_become(&place->hold[block], CL_HOLD_RESIDENT);
        cl_place_reserve(core, 0, pages);
        cl_evict_add(core, block, 0);
    }
    cl_task_notify(core, block);
    return true;
}

static bool is_idle(const cl_core *core)
{
    uint32_t busy = 0;
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        busy |= core->place[p].running | core->place[p].inflight;
    return busy == 0;
}

/* The lowest candidate >= rank and, if it is claimed, its place. */
static uint32_t next_candidate(const cl_core *core, uint32_t rank, int *place)
{
    const uint32_t ready = cl_ready_next(&core->ready, rank);
    *place = -1;
    for (uint32_t i = 0; i < core->nclaim; i++) {
        if (core->claim[i].task < rank)
            continue;
        if (core->claim[i].task >= ready)
            break;
        *place = core->claim[i].place;
        return core->claim[i].task;
    }
    return ready;
}

/* The lowest candidate lacks memory: if nothing under way can bring any, say so now
 * rather than wait for ever. */
static void starve(cl_core *core, uint32_t head)
{
    core->starved = true;
    if (!is_idle(core))
        return;
    const bool scratch = core->scratch_short && core->limits.scratch_pages > 0;
    cl_core_fail(core, scratch ? CLAST_ENOSPACE : CLAST_EBUDGET, head, head, CL_NONE);
}

/* No candidate, nothing under way, tasks left: the plan waits for what nobody makes. */
static void check_stuck(cl_core *core)
{
    if (core->remaining > 0 && is_idle(core))
        cl_core_fail(core, CLAST_EINTERNAL, CL_NONE, CL_NONE, CL_NONE);
}

/* Before a walk: how far the tasks reach that things are fetched for. */
static void look_around(cl_core *core)
{
    core->near = core->horizon = 0;
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        core->place[p].slack = 0;
    if (core->limits.nplace > 1 || !(core->loads || core->bounded))
        return;
    for (uint32_t i = 0, t = 0; i <= core->limits.prefetch; i++, t++) {
        t = cl_ready_next(&core->pending, t);
        if (t == CL_NONE)
            return;
        core->horizon = t;
        if (i < core->limits.prefetch / 2)
            core->near = t;
    }
}

/* May operands be fetched for this task, which is not claimed? `idle`: nothing was
 * found for the worker yet. */
static bool may_fetch(const cl_core *core, uint32_t task, bool idle)
{
    if (core->limits.nplace > 1)
        return core->nclaim <= core->limits.prefetch ||
               core->claim[core->nclaim - 1].task > task;
    return task <= core->near || (idle && core->place[0].inflight == 0);
}

static void clear_slack(cl_core *core)
{
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        core->place[p].slack = 0;
}

/* The task does not start now: what it will need is kept free of later ones. */
static void pass_over(cl_core *core, uint32_t task, uint16_t place)
{
    core->place[place].slack += cl_task_output_pages(core, task);
}

/* The lowest candidate waits for what runs to give memory back rather than have thrown
 * out what is needed soon; when nothing runs, it must get on. */
static void set_effort(cl_core *core, bool is_head, uint16_t place)
{
    core->is_head = is_head;
    core->effort =
        is_head && core->place[place].running == 0 ? CL_AT_ANY_COST : CL_IF_NOT_NEEDED;
}

/* What was made and cannot be written has to stay until it was used, so that the lowest
 * task may find no memory if later ones ran before it. In their order they need, at any
 * moment when none runs, what the dry run said, however long each of them takes. */
static bool runs_too_soon(const cl_core *core, uint32_t task)
{
    return core->bounded && core->limits.scratch_pages == 0 &&
           core->limits.nplace == 1 && task > cl_ready_next(&core->pending, 0);
}

static size_t take(cl_core *core, uint16_t place, cl_start *starts, size_t max)
{
    size_t n = 0;
    uint32_t rank = 0, patience = PATIENCE;
    bool first = true;
    look_around(core);
    while (n < max && patience > 0 && !core->stopped) {
        int claimed;
        const uint32_t task = next_candidate(core, rank, &claimed);
        if (task == CL_NONE || runs_too_soon(core, task))
            break;
        const uint16_t at = claimed < 0 ? place : (uint16_t)claimed;
        rank = task + 1;
        if (claimed < 0 && !first && !cl_task_operands_here(core, task, at) &&
            !may_fetch(core, task, n == 0)) {
            patience--;
            continue;
        }
        set_effort(core, first, at);
        const cl_verdict v = cl_task_prepare(core, task, at, at == place);
        if (v == CL_GO && at == place) {
            cl_task_start(core, task, place, &starts[n++]);
            first = false;
            continue;
        }
        if (v == CL_MISSING) { /* its producers come first now */
            rank = 0;
            clear_slack(core);
            first = n == 0;
            continue;
        }
        if (claimed < 0 && core->limits.nplace > 1)
            cl_claim_add(core, task, place);
        if (v == CL_LACKS) {
            core->starved = true;
            if (first)
                starve(core, task);
            break;
        }
        pass_over(core, task, at);
        first = false;
        patience--;
    }
    return n;
}

size_t cl_core_take(cl_core *core, uint16_t place, cl_start *starts, size_t max)
{
    core->starved = false;
    core->workspace = 0;
    const size_t n =
        core->fits ? cl_fit_take(core, starts, max) : take(core, place, starts, max);
    if (n > 0)
        starts[0].workspace_pages = core->workspace;
    if (n == 0 && !core->stopped && core->ready.n == 0 && core->nclaim == 0)
        check_stuck(core);
    core->stirred = true;
    return n;
}

/* Fetches ahead for one task, whatever it still waits for; nothing goes that is needed
 * before `rank`. false: no memory. */
static bool fetch_ahead(cl_core *core, uint32_t task, uint32_t rank)
{
    const cl_segment *s = cl_task_segment(core, task);
    const uint32_t i = task - s->task_base;
    for (uint32_t o = s->operand_start[i]; o < s->operand_start[i + 1]; o++)
        if (cl_mode_reads(s->operand[o]) &&
            cl_block_obtain(core, cl_operand_block(s->operand[o]), 0, rank, 0) ==
                CL_LACKS)
            return false;
    return true;
}

/* From the lowest task that was not started: it may wait for one that runs, and so be
 * lower than the head, whose operands stay nevertheless. */
static void prefetch(cl_core *core, uint32_t head)
{
    uint32_t t = 0;
    for (uint32_t i = 0; i <= core->limits.prefetch && !core->stopped; i++, t++) {
        t = cl_ready_next(&core->pending, t);
        if (t == CL_NONE)
            return;
        if (t == head)
            continue;
        core->is_head = false;
        core->effort = i <= core->limits.prefetch / 2 ? CL_IF_NOT_NEEDED : CL_IF_FREE;
        if (!fetch_ahead(core, t, t > head ? t : head))
            return;
        pass_over(core, t, 0);
    }
}

/* Goes on with what was claimed at several places. */
static void serve_claims(cl_core *core, uint32_t head)
{
    for (uint32_t i = 0; i < core->nclaim && !core->stopped; i++) {
        const cl_claim c = core->claim[i];
        if (c.task == head)
            continue;
        set_effort(core, false, c.place);
        const cl_verdict v = cl_task_prepare(core, c.task, c.place, false);
        if (v == CL_LACKS || v == CL_MISSING)
            return;
        pass_over(core, c.task, c.place);
    }
}

static void think(cl_core *core)
{
    int claimed;
    uint32_t head;
    cl_verdict v;
    core->stirred = false;
    if (core->stopped || !(core->loads || core->bounded || core->limits.nplace > 1))
        return;
    look_around(core);
    do {
        head = next_candidate(core, 0, &claimed);
        if (head == CL_NONE)
            return;
        if (claimed < 0 && core->limits.nplace > 1)
            return; /* whoever takes it decides where */
        set_effort(core, true, claimed < 0 ? 0 : (uint16_t)claimed);
        v = cl_task_prepare(core, head, claimed < 0 ? 0 : (uint16_t)claimed, false);
    } while (v == CL_MISSING && !core->stopped);
    core->starved = v == CL_LACKS;
    if (v == CL_LACKS) {
        starve(core, head);
        return;
    }
    pass_over(core, head, claimed < 0 ? 0 : (uint16_t)claimed);
    if (core->limits.nplace == 1)
        prefetch(core, head);
    else
        serve_claims(core, head);
}

bool cl_core_next_action(cl_core *core, cl_action *action)
{
    if (core->queue_n == 0 && core->stirred)
        think(core);
    return cl_action_pop(core, action);
}

static bool runs_at(const cl_core *core, uint32_t task, uint16_t place)
{
    return core->state[task] == CL_TASK_RUNNING &&
           (core->task_place == NULL || core->task_place[task] == place);
}

static void post_failed(cl_core *core, const cl_event *event)
{
    if (event->task == CL_NONE) {
        cl_block_failed(core, event);
        return;
    }
    if (!runs_at(core, event->task, event->place))
        return;
    core->place[event->place].reserved -= event->workspace_pages;
    cl_task_abort(core, event->task, event->place);
    cl_core_fail(core, event->status, event->task, event->task, CL_NONE);
}

void cl_core_post(cl_core *core, const cl_event *event)
{
    if (event->place >= core->limits.nplace ||
        event->epoch != core->place[event->place].epoch)
        return;
    core->stirred = true;
    switch (event->kind) {
    case CL_EVENT_DONE:
        if (!runs_at(core, event->task, event->place))
            break;
        core->place[event->place].reserved -= event->workspace_pages;
        if (core->fits)
            cl_fit_finish(core, event->task);
        else
            cl_task_finish(core, event->task, event->place);
        break;
    case CL_EVENT_LOADED:
        cl_block_loaded(core, event->block, event->place);
        break;
    case CL_EVENT_SPILLED:
        cl_block_spilled(core, event->block, event->place);
        break;
    case CL_EVENT_FAILED:
        post_failed(core, event);
        break;
    case CL_EVENT_LOST:
        cl_place_lost(core, event->place);
        break;
    }
}

bool cl_core_is_finished(const cl_core *core)
{
    return (core->remaining == 0 || core->stopped) && core->queue_n == 0 &&
           is_idle(core);
}

clast_status cl_core_failure(const cl_core *core, uint32_t *task, uint32_t *block)
{
    *task = core->failure == CLAST_OK ? CL_NONE : core->failed_task;
    *block = core->failure == CLAST_OK ? CL_NONE : core->failed_block;
    return core->failure;
}

size_t cl_core_ready(const cl_core *core)
{
    return core->nclaim + core->ready.n;
}

/* It is done, and something that it made may be dropped and wanted again. */
static bool may_run_again(const cl_core *core, uint32_t task)
{
    const cl_operands o = cl_task_operands(core, task);
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        if (!cl_mode_reads(o.at[i]) && core->flags[block] & CL_BLOCK_RECOMPUTE &&
            core->uses[block] > 0)
            return true;
    }
    return false;
}

uint32_t cl_core_last_reader(const cl_core *core, uint32_t block)
{
    if (core->uses[block] != 1 || core->flags[block] & CL_BLOCK_PERSIST)
        return CL_NONE;
    cl_consumers c = cl_core_consumers(core, block);
    uint32_t task, last = CL_NONE;
    while (cl_consumers_next(core, &c, &task))
        if (core->state[task] != CL_TASK_DONE)
            last = task;
        else if (may_run_again(core, task))
            return CL_NONE;
    return last;
}

bool cl_core_wants_memory(const cl_core *core)
{
    return core->starved;
}

cl_core_counts cl_core_get_counts(const cl_core *core)
{
    return core->counts;
}

cl_at cl_core_where(const cl_core *core, uint32_t block)
{
    cl_at at = core->flags[block] & CL_BLOCK_RESIDENT ? CL_AT_MEMORY : CL_AT_NOWHERE;
    for (uint32_t p = 0; p < core->limits.nplace; p++) {
        const uint32_t hold = core->place[p].hold[block];
        const uint32_t state = cl_hold_state(hold);
        if (state == CL_HOLD_RESIDENT || state == CL_HOLD_SPILLING)
            at = CL_AT_MEMORY;
        else if ((hold & CL_HOLD_SCRATCH) && at == CL_AT_NOWHERE)
            at = CL_AT_SCRATCH;
    }
    return at;
}
