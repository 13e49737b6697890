/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a task: it waits for versions to be made, is ready, perhaps claimed by a
 * place that fetches its operands, runs, is done; and may be armed again.
 *
 * Arming again is lazy. A version that was made and has no copy any more (dropped, or
 * lost with a place) stays MADE until somebody needs it: then it is *demanded*, its
 * consumers wait for it again and its producer, if done, is armed once more; that one
 * finds its own operands missing in the same way, and so on down to sources. No
 * recursion, and nothing is recomputed that nobody asks for.
 *
 * A task starts in one step: every operand is pinned, every output and the workspace
 * reserved, or nothing happens.
 */
#include "sched/core_internal.h"

static bool tracks_pending(const cl_core *core)
{
    return core->loads || core->bounded;
}

int cl_claim_find(const cl_core *core, uint32_t task)
{
    for (uint32_t i = 0; i < core->nclaim; i++)
        if (core->claim[i].task == task)
            return (int)i;
    return -1;
}

void cl_claim_remove(cl_core *core, uint32_t task)
{
    const int at = cl_claim_find(core, task);
    if (at < 0)
        return;
    core->nclaim--;
    for (uint32_t i = (uint32_t)at; i < core->nclaim; i++)
        core->claim[i] = core->claim[i + 1];
}

/* false: all claims are held by tasks of lower rank. */
bool cl_claim_add(cl_core *core, uint32_t task, uint16_t place)
{
    if (core->nclaim == core->limits.prefetch + 1) {
        const uint32_t last = core->claim[core->nclaim - 1].task;
        if (last < task)
            return false;
        cl_task_make_ready(core, last);
    }
    uint32_t at = core->nclaim++;
    for (; at > 0 && core->claim[at - 1].task > task; at--)
        core->claim[at] = core->claim[at - 1];
    core->claim[at] = (cl_claim){task, place};
    cl_ready_clear(&core->ready, task);
    core->state[task] = CL_TASK_CLAIMED;
    return true;
}

void cl_task_make_ready(cl_core *core, uint32_t task)
{
    if (core->state[task] == CL_TASK_CLAIMED)
        cl_claim_remove(core, task);
    core->state[task] = CL_TASK_READY;
    cl_ready_set(&core->ready, task);
}

/* One more of its operands is not made. */
void cl_task_waits_for(cl_core *core, uint32_t task)
{
    const uint8_t state = core->state[task];
    if (state >= CL_TASK_RUNNING)
        return;
    if (state == CL_TASK_READY)
        cl_ready_clear(&core->ready, task);
    if (state == CL_TASK_CLAIMED)
        cl_claim_remove(core, task);
    if (state != CL_TASK_WAITING)
        core->wait[task] = 0;
    core->state[task] = CL_TASK_WAITING;
    core->wait[task]++;
}

/* The block is made: its consumers wait for one thing less. */
void cl_task_notify(cl_core *core, uint32_t block)
{
    if (core->flags[block] & CL_BLOCK_MADE)
        return;
    core->flags[block] |= CL_BLOCK_MADE;
    cl_consumers c = cl_core_consumers(core, block);
    uint32_t t;
    while (cl_consumers_next(core, &c, &t)) {
        if (core->state[t] != CL_TASK_WAITING || --core->wait[t] > 0)
            continue;
        core->state[t] = CL_TASK_READY;
        cl_ready_set(&core->ready, t);
    }
}

/* State of a task that is armed, from what is made. */
static void arm(cl_core *core, uint32_t task)
{
    const cl_operands o = cl_task_operands(core, task);
    uint32_t wait = 0;
    for (uint32_t i = 0; i < o.n; i++)
        if (cl_mode_reads(o.at[i]))
            wait += !(core->flags[cl_operand_block(o.at[i])] & CL_BLOCK_MADE);
    core->wait[task] = wait;
    core->state[task] = CL_TASK_WAITING;
    if (wait == 0)
        cl_task_make_ready(core, task);
    if (tracks_pending(core))
        cl_ready_set(&core->pending, task);
}

/* The block's next use may be earlier than its cursor. */
static void rewind_uses(cl_core *core, uint32_t block)
{
    if (core->cursor)
        core->cursor[block] = 0;
    uint32_t l = core->first_link ? core->first_link[block] : CL_NONE;
    for (; l != CL_NONE; l = core->link[l].next)
        core->link[l].seen = 0;
    cl_evict_touch(core, block);
}

static void rewind_operands(cl_core *core, uint32_t task, uint32_t more_uses)
{
    const cl_operands o = cl_task_operands(core, task);
    for (uint32_t i = 0; i < o.n; i++) {
        if (!cl_mode_reads(o.at[i]))
            continue;
        core->uses[cl_operand_block(o.at[i])] += more_uses;
        rewind_uses(core, cl_operand_block(o.at[i]));
    }
}

void cl_task_arm_again(cl_core *core, uint32_t task)
{
    core->counts.rearmed++;
    core->remaining++;
    arm(core, task);
    rewind_operands(core, task, 1);
}

/* Its place is gone, and with it pins, outputs and reservations. */
void cl_task_lose(cl_core *core, uint32_t task)
{
    arm(core, task);
    rewind_operands(core, task, 0);
}

void cl_task_demand(cl_core *core, uint32_t block)
{
    const uint32_t producer = cl_core_block(core, block)->producer;
    if (producer == CL_NONE) {
        cl_core_fail(core, CLAST_EIO, cl_evict_next_use(core, block), CL_NONE, block);
        return;
    }
    if (core->flags[block] & CL_BLOCK_MADE) {
        core->flags[block] &= (uint8_t)~CL_BLOCK_MADE;
        cl_consumers c = cl_core_consumers(core, block);
        uint32_t t;
        while (cl_consumers_next(core, &c, &t))
            cl_task_waits_for(core, t);
    }
    if (core->state[producer] == CL_TASK_DONE)
        cl_task_arm_again(core, producer);
}

bool cl_task_operands_here(const cl_core *core, uint32_t task, uint16_t place)
{
    const cl_operands o = cl_task_operands(core, task);
    for (uint32_t i = 0; i < o.n; i++)
        if (cl_mode_reads(o.at[i]) &&
            !cl_block_is_here(core, cl_operand_block(o.at[i]), place))
            return false;
    return true;
}

/* All missing operands are demanded, by the lowest candidate only, or what is made
 * again for many would push each other out; otherwise everything absent is asked
 * for. */
static cl_verdict fetch_operands(cl_core *core, uint32_t task, uint16_t place)
{
    const cl_operands o = cl_task_operands(core, task);
    cl_verdict worst = CL_GO;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        if (!cl_mode_reads(o.at[i]) || cl_block_has_copy(core, block))
            continue;
        if (!core->is_head)
            return CL_PENDING;
        cl_task_demand(core, block);
        worst = CL_MISSING;
    }
    for (uint32_t i = 0; i < o.n && worst != CL_MISSING; i++) {
        if (!cl_mode_reads(o.at[i]))
            continue;
        const cl_verdict v =
            cl_block_obtain(core, cl_operand_block(o.at[i]), place, task, place);
        worst = v > worst ? v : worst;
    }
    return worst;
}

static bool is_last_use(const cl_core *core, uint32_t block)
{
    return core->uses[block] == 1 &&
           !(core->flags[block] & (CL_BLOCK_PERSIST | CL_BLOCK_RESIDENT));
}

/* Whether `made` gets the buffer of `old`, of which nobody else wants anything. */
static bool takes_over(const cl_core *core, uint32_t old, uint32_t made, uint16_t place)
{
    const uint32_t hold = core->place[place].hold[old];
    return is_last_use(core, old) && cl_hold_state(hold) == CL_HOLD_RESIDENT &&
           cl_hold_pins(hold) == 0 &&
           cl_core_block(core, old)->pages == cl_core_block(core, made)->pages;
}

/* An output is absent, but where a task runs again whose other outputs are still there:
 * such a one goes when the task starts and nobody holds it, not before, or those who
 * read it would fetch it again and again. Its pages count as free. */
static cl_verdict clear_output(cl_core *core, uint32_t block, uint16_t place,
                               bool starts, uint64_t *pages)
{
    const uint32_t hold = core->place[place].hold[block];
    if (cl_hold_state(hold) == CL_HOLD_ABSENT)
        return CL_GO;
    if (cl_hold_state(hold) != CL_HOLD_RESIDENT || cl_hold_pins(hold) != 0)
        return CL_PENDING;
    if (starts)
        cl_block_drop(core, block, place);
    else
        *pages -= cl_core_block(core, block)->pages;
    return CL_GO;
}

/* Pages that the task takes at its start; CL_PENDING where that is not known yet. */
static cl_verdict new_pages(cl_core *core, uint32_t task, uint16_t place, bool starts,
                            uint64_t *pages)
{
    const cl_operands o = cl_task_operands(core, task);
    cl_verdict verdict = CL_GO;
    *pages =
        starts ? cl_task_more_workspace(core, task) : cl_task_workspace(core, task);
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        const cl_mode mode = cl_operand_mode(o.at[i]);
        if (mode == CL_W) {
            *pages += cl_core_block(core, block)->pages;
            if (clear_output(core, block, place, starts, pages) != CL_GO)
                verdict = CL_PENDING;
        } else if (mode != CL_R) {
            const uint32_t made = cl_operand_block(o.at[i + 1]);
            if (takes_over(core, block, made, place))
                *pages -= cl_core_block(core, made)->pages;
            else if (is_last_use(core, block) &&
                     cl_hold_state(core->place[place].hold[block]) == CL_HOLD_SPILLING)
                verdict = CL_PENDING; /* it must not change while it is written */
        }
    }
    return verdict;
}

static uint32_t pages_of(const cl_core *core, uint32_t operand)
{
    return cl_core_block(core, cl_operand_block(operand))->pages;
}

/* The same before the operands are there. */
uint64_t cl_task_output_pages(const cl_core *core, uint32_t task)
{
    const cl_operands o = cl_task_operands(core, task);
    uint64_t pages = cl_task_workspace(core, task);
    for (uint32_t i = 0; i < o.n; i++) {
        const bool taken = i > 0 && cl_operand_mode(o.at[i - 1]) >= CL_RW &&
                           is_last_use(core, cl_operand_block(o.at[i - 1])) &&
                           pages_of(core, o.at[i - 1]) == pages_of(core, o.at[i]);
        if (cl_operand_mode(o.at[i]) == CL_W && !taken)
            pages += pages_of(core, o.at[i]);
    }
    return pages;
}

cl_verdict cl_task_prepare(cl_core *core, uint32_t task, uint16_t place, bool starts)
{
    if (!cl_task_operands_here(core, task, place)) {
        const cl_verdict v = fetch_operands(core, task, place);
        if (v != CL_GO)
            return v;
    }
    uint64_t pages;
    const cl_verdict v = new_pages(core, task, place, starts, &pages);
    if (v != CL_GO)
        return v;
    return cl_evict_make_room(core, place, pages + core->place[place].slack, task,
                              place)
               ? CL_GO
               : CL_LACKS;
}

void cl_task_start(cl_core *core, uint32_t task, uint16_t p, cl_start *start)
{
    cl_place *place = &core->place[p];
    const cl_operands o = cl_task_operands(core, task);
    const uint32_t more = cl_task_more_workspace(core, task);
    uint64_t pages = more;
    uint32_t bit = 1;
    *start = (cl_start){.task = task, .epoch = place->epoch};
    core->workspace += more;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        const cl_mode mode = cl_operand_mode(o.at[i]);
        if (mode == CL_W) {
            cl_hold_become(&place->hold[block], CL_HOLD_MAKING);
            pages += cl_core_block(core, block)->pages;
            continue;
        }
        cl_evict_remove(core, block, p);
        if (mode != CL_R) {
            const uint32_t made = cl_operand_block(o.at[i + 1]);
            if (takes_over(core, block, made, p)) {
                cl_hold_become(&place->hold[block], CL_HOLD_TAKEN);
                pages -= cl_core_block(core, made)->pages;
            } else {
                start->copy_mask |= bit;
            }
            bit <<= 1;
        }
        place->hold[block] = (place->hold[block] & ~CL_HOLD_FRESH) + CL_HOLD_PIN;
    }
    cl_place_reserve(core, p, pages);
    if (core->state[task] == CL_TASK_CLAIMED)
        cl_claim_remove(core, task);
    else
        cl_ready_clear(&core->ready, task);
    if (tracks_pending(core))
        cl_ready_clear(&core->pending, task);
    core->state[task] = CL_TASK_RUNNING;
    if (core->task_place)
        core->task_place[task] = p;
    place->running++;
    core->counts.started++;
}

/* The operand's pin or the operand itself goes: the buffer of a taken one lives on in
 * the next version. */
static void release_operand(cl_core *core, uint32_t block, uint16_t p)
{
    uint32_t *hold = &core->place[p].hold[block];
    if (cl_hold_state(*hold) == CL_HOLD_TAKEN) {
        *hold -= core->fits ? 0 : CL_HOLD_PIN;
        cl_hold_become(hold, CL_HOLD_ABSENT);
    } else if (!core->fits) {
        cl_block_unpin(core, block, p);
    }
}

static void finish_operand(cl_core *core, uint32_t block, uint16_t p)
{
    core->uses[block]--;
    release_operand(core, block, p);
    if (!cl_block_is_wanted(core, block)) {
        cl_block_clear_all(core, block);
    } else if (core->bounded) {
        core->drops[block] = 0;
        if (core->limits.nplace > 1)
            cl_evict_touch(core, block);
    }
}

void cl_task_finish(cl_core *core, uint32_t task, uint16_t p)
{
    cl_place *place = &core->place[p];
    const cl_operands o = cl_task_operands(core, task);
    core->state[task] = CL_TASK_DONE;
    core->remaining--;
    core->counts.done++;
    place->running--;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        if (cl_mode_reads(o.at[i])) {
            finish_operand(core, block, p);
            continue;
        }
        cl_hold_become(&place->hold[block], CL_HOLD_RESIDENT);
        cl_task_notify(core, block);
        cl_block_clear(core, block, p);
        cl_evict_add(core, block, p);
    }
}

/* It failed: what it held goes, its outputs are given back. */
void cl_task_abort(cl_core *core, uint32_t task, uint16_t p)
{
    cl_place *place = &core->place[p];
    const cl_operands o = cl_task_operands(core, task);
    place->running--;
    arm(core, task);
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        if (cl_mode_reads(o.at[i]))
            release_operand(core, block, p);
        else
            cl_block_drop(core, block, p);
    }
}
