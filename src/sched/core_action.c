/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queue of actions: a ring, oldest first.
 *
 * What was not yet handed out can be taken back: a LOAD or COPY when its memory is
 * wanted sooner by another task, everything that would begin work when the run stops.
 * Taking back is a walk over the ring, which is short because the driver drains it
 * after every event. FREE and DISCARD are facts and never taken back.
 *
 * Without memory for the ring the run fails; what is lost then are actions of a failed
 * run, whose memory the driver sweeps anyway.
 */
#include "sched/core_internal.h"

static bool grow_queue(cl_core *core)
{
    const size_t room = core->queue_room ? 2 * core->queue_room : 64;
    cl_action *fresh = cl_alloc_array(room, sizeof *fresh);
    if (fresh == NULL)
        return false;
    for (size_t i = 0; i < core->queue_n; i++)
        fresh[i] = core->queue[(core->queue_at + i) & (core->queue_room - 1)];
    cl_free(core->queue);
    core->queue = fresh;
    core->queue_room = room;
    core->queue_at = 0;
    return true;
}

static void enqueue(cl_core *core, const cl_action *action)
{
    if (core->queue_n == core->queue_room && !grow_queue(core)) {
        cl_core_fail(core, CLAST_ENOMEM, CL_NONE, CL_NONE, action->block);
        return;
    }
    core->queue[(core->queue_at + core->queue_n++) & (core->queue_room - 1)] = *action;
}

void cl_action_push_full(cl_core *core, cl_action action)
{
    action.epoch = core->place[action.place].epoch;
    enqueue(core, &action);
}

bool cl_action_pop(cl_core *core, cl_action *action)
{
    if (core->queue_n == 0)
        return false;
    *action = core->queue[core->queue_at];
    core->queue_at = (core->queue_at + 1) & (core->queue_room - 1);
    core->queue_n--;
    return true;
}

static bool begins_work(const cl_action *a)
{
    return a->kind != CL_ACTION_FREE && a->kind != CL_ACTION_DISCARD;
}

/* Undoes the bookkeeping of an action that nobody saw. */
static void undo(cl_core *core, const cl_action *a)
{
    cl_place *place = &core->place[a->place];
    uint32_t *hold = &place->hold[a->block];
    if (!begins_work(a))
        return; /* of a lost place */
    if (a->kind != CL_ACTION_SPILL) {
        cl_block_unload(core, a->block, a->place);
        return;
    }
    const uint64_t pages = cl_core_block(core, a->block)->pages;
    place->inflight--;
    place->leaving -= pages;
    place->scratch -= pages;
    cl_hold_become(hold, CL_HOLD_RESIDENT);
    if (cl_hold_pins(*hold) == 0)
        cl_evict_add(core, a->block, a->place);
}

typedef bool takes_back(cl_core *core, const cl_action *a, uint16_t place,
                        uint32_t rank);

/* Turns the ring once, keeping the others in order. Undoing may add FREEs. */
static bool filter(cl_core *core, takes_back *back, uint16_t place, uint32_t rank)
{
    bool any = false;
    for (size_t n = core->queue_n; n > 0; n--) {
        cl_action a;
        if (!cl_action_pop(core, &a))
            break; /* the run failed in undo() and took back the rest */
        if (!back(core, &a, place, rank)) {
            enqueue(core, &a);
            continue;
        }
        any = true;
        undo(core, &a);
    }
    return any;
}

static bool is_work(cl_core *core, const cl_action *a, uint16_t place, uint32_t rank)
{
    return begins_work(a);
}

static bool is_of(cl_core *core, const cl_action *a, uint16_t place, uint32_t rank)
{
    return a->place == place || (a->kind == CL_ACTION_COPY && a->from == place);
}

static bool is_later(cl_core *core, const cl_action *a, uint16_t place, uint32_t rank)
{
    return (a->kind == CL_ACTION_LOAD || a->kind == CL_ACTION_COPY) &&
           a->place == place && cl_evict_next_use(core, a->block) > rank;
}

void cl_action_revoke_work(cl_core *core)
{
    filter(core, is_work, 0, 0);
}

void cl_action_revoke_place(cl_core *core, uint16_t place)
{
    filter(core, is_of, place, 0);
}

bool cl_action_revoke_later(cl_core *core, uint16_t place, uint32_t rank)
{
    return filter(core, is_later, place, rank);
}
