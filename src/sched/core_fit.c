/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks where everything fits.
 *
 * With one place, a budget that cannot bind and nothing to load (core->fits), a version
 * that was made stays until its last reader is done, whatever happens. So nobody has to
 * look whether the operands of a READY task are there, or to pin anything, for uses
 * alone say what may go. It can start; only workspaces of several tasks at once may be
 * too much, and then those that run end first. What is left of a task's life is this:
 * its outputs are reserved at its start; at its end its operands have one reader less,
 * and the readers of its outputs wait for one thing less. The states that others see
 * are the same as elsewhere, but for pins.
 *
 * The core leaves this for good when a segment is appended that may not fit or has to
 * load, when a spilled block is adopted, and when the place is lost: cl_fit_leave()
 * then pins what running tasks hold.
 *
 * Cost: about 10 instructions an operand that is read, at the end of its task only.
 */
#include "sched/core_internal.h"

/* It takes over the buffer if no other task wants the old version; that one's next
 * reader would still be counted in its uses if it were running. */
static bool renew(cl_core *core, uint32_t old, uint32_t made)
{
    uint32_t *hold = &core->place[0].hold[old];
    if (core->uses[old] != 1 ||
        (core->flags[old] & (CL_BLOCK_PERSIST | CL_BLOCK_RESIDENT)) ||
        cl_hold_state(*hold) != CL_HOLD_RESIDENT ||
        cl_core_block(core, old)->pages != cl_core_block(core, made)->pages)
        return false;
    *hold = CL_HOLD_TAKEN;
    return true;
}

/* Beside what runs. A task alone always has room. */
static bool has_room(const cl_core *core, uint32_t task)
{
    const cl_place *place = &core->place[0];
    const uint64_t most = core->limits.ahead_pages;
    if (place->running == 0 || place->reserved + core->limits.task_pages <= most)
        return true;
    const cl_operands o = cl_task_operands(core, task);
    uint64_t pages = place->reserved + cl_task_more_workspace(core, task);
    for (uint32_t i = 0; i < o.n; i++)
        if (cl_operand_mode(o.at[i]) == CL_W)
            pages += cl_core_block(core, cl_operand_block(o.at[i]))->pages;
    return pages <= most;
}

/* The block is an output of the task, in its segment. Returns its pages. */
static inline uint32_t make(cl_core *core, const cl_segment *s, uint32_t operand)
{
    const uint32_t block = cl_operand_block(operand);
    core->place[0].hold[block] = CL_HOLD_MAKING;
    return s->block[block - s->block_base].pages;
}

/* The same of all outputs, some of which may take over what they renew: less those. */
static uint64_t make_or_renew(cl_core *core, const cl_segment *s, const uint32_t *at,
                              const uint32_t *end, cl_start *out)
{
    uint64_t pages = 0;
    uint32_t bit = 1;
    for (; at < end; at++) {
        const cl_mode mode = cl_operand_mode(*at);
        if (mode == CL_W)
            pages += make(core, s, *at);
        if (mode == CL_R || mode == CL_W)
            continue;
        const uint32_t made = cl_operand_block(at[1]);
        if (renew(core, cl_operand_block(*at), made))
            pages -= cl_core_block(core, made)->pages;
        else
            out->copy_mask |= bit;
        bit <<= 1;
    }
    return pages;
}

static void start(cl_core *core, uint32_t task, cl_start *out)
{
    cl_place *place = &core->place[0];
    const cl_segment *s = cl_task_segment(core, task);
    const uint32_t i = task - s->task_base;
    const cl_stage *stage = &core->plan->stage[s->task_stage[i]];
    const uint32_t *at = s->operand + s->operand_start[i];
    const uint32_t *const end = s->operand + s->operand_start[i + 1];
    const uint32_t more = stage->workspace_pages > core->workspace
                              ? stage->workspace_pages - core->workspace
                              : 0;
    uint64_t pages = more;
    *out = (cl_start){.task = task, .epoch = place->epoch};
    core->workspace += more;
    if (stage->outputs > 0)
        for (at = end - stage->outputs; at < end; at++)
            pages += make(core, s, *at);
    else
        pages += make_or_renew(core, s, at, end, out);
    place->reserved += pages;
    if (place->reserved > core->counts.peak_pages)
        core->counts.peak_pages = place->reserved;
    cl_ready_clear(&core->ready, task);
    core->state[task] = CL_TASK_RUNNING;
    place->running++;
    core->counts.started++;
}

/* Nothing becomes ready meanwhile, so the lowest comes after the one before. */
size_t cl_fit_take(cl_core *core, cl_start *starts, size_t max)
{
    size_t n = 0;
    uint32_t task = 0;
    while (n < max && !core->stopped && core->ready.n > 0) {
        task = cl_ready_next(&core->ready, task);
        core->starved = !has_room(core, task);
        if (core->starved)
            break;
        start(core, task, &starts[n++]);
    }
    return n;
}

/* Nobody wants it any more. */
static void drop(cl_core *core, uint32_t block)
{
    cl_place *place = &core->place[0];
    const uint32_t state = cl_hold_state(place->hold[block]);
    place->hold[block] = CL_HOLD_ABSENT;
    if (state != CL_HOLD_RESIDENT)
        return; /* the caller's, or its buffer is the next version's */
    place->reserved -= cl_core_block(core, block)->pages;
    cl_action_push(core, CL_ACTION_FREE, block, 0);
}

static inline void release(cl_core *core, uint32_t block)
{
    if (--core->uses[block] == 0 && !(core->flags[block] & CL_BLOCK_PERSIST))
        drop(core, block);
}

static void keep(cl_core *core, uint32_t block)
{
    core->place[0].hold[block] = CL_HOLD_RESIDENT;
    cl_task_notify(core, block);
    if (!cl_block_is_wanted(core, block))
        drop(core, block);
}

void cl_fit_finish(cl_core *core, uint32_t task)
{
    const cl_operands o = cl_task_operands(core, task);
    core->state[task] = CL_TASK_DONE;
    core->remaining--;
    core->counts.done++;
    core->place[0].running--;
    for (uint32_t i = 0; i < o.n; i++)
        if (cl_mode_reads(o.at[i]))
            release(core, cl_operand_block(o.at[i]));
        else
            keep(core, cl_operand_block(o.at[i]));
}

void cl_fit_leave(cl_core *core)
{
    if (!core->fits)
        return;
    core->fits = false;
    for (uint32_t t = 0; t < core->ntask; t++) {
        if (core->state[t] != CL_TASK_RUNNING)
            continue;
        const cl_operands o = cl_task_operands(core, t);
        for (uint32_t i = 0; i < o.n; i++)
            if (cl_mode_reads(o.at[i]))
                core->place[0].hold[cl_operand_block(o.at[i])] += CL_HOLD_PIN;
    }
}
