/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One worker (alone.h): the list of loads that wait for their turn, that of spills
 * which the core takes for ended, memory that these still hold, and when a load ends.
 *
 * Lists are as long as what is under way, some tens at most.
 */
#include "sched/alone.h"

#include "sched/warm.h"

/* A load waits for its turn from now on; a spill has its block's memory. */
static void asked(cl_driver *d, cl_transfer *t)
{
    t->later = NULL;
    if (t->action.kind == CL_ACTION_SPILL) {
        t->later = d->leaving;
        d->leaving = t;
        d->has_spilled = true;
        return;
    }
    if (d->turn.last)
        d->turn.last->later = t;
    else
        d->turn.first = t;
    d->turn.last = t;
}

/* As far as the core knows a spill has ended with this. */
static void queue(cl_driver *d, cl_transfer *t)
{
    const bool is_spill = t->action.kind == CL_ACTION_SPILL;
    cl_transfers_push(is_spill ? &d->to_spill : &d->to_io, t);
    if (is_spill)
        cl_transfer_post(d, t, CL_EVENT_SPILLED);
}

/* A load waits for its turn. */
static void moved(cl_driver *d, cl_transfer *t)
{
    t->is_there = t->action.kind == CL_ACTION_LOAD;
    if (t->is_there)
        cl_driver_wake(d);
    else
        cl_transfer_finish(d, t);
}

/* The spill of the block that is under way and wanted, or NULL. */
static cl_transfer *spill_of(const cl_driver *d, uint32_t block)
{
    cl_transfer *t = d->leaving;
    while (t && (t->action.block != block || t->is_dropped))
        t = t->later;
    return t;
}

bool cl_alone_may_load(const cl_driver *d, const cl_transfer *t)
{
    if (!d->leaving)
        return true;
    const cl_block *b = cl_plan_block(d->plan, t->action.block);
    const uint64_t staging = t->action.from_scratch ? 0 : b->load_pages;
    return cl_memory_has_room(d->engine->memory, b->pages + staging) &&
           !(t->action.from_scratch && spill_of(d, t->action.block));
}

bool cl_alone_leaves(cl_driver *d, uint32_t block)
{
    for (cl_transfer *t = d->leaving; t; t = t->later)
        if (t->action.block == block && t->data == d->address[block])
            return t->is_owner = true;
    return false;
}

void cl_alone_forget(cl_driver *d, uint32_t block)
{
    cl_transfer *const t = spill_of(d, block);
    if (t)
        t->is_dropped = true;
}

static void spilled(cl_driver *d, cl_transfer *t)
{
    cl_transfer **at = &d->leaving;
    while (*at != t)
        at = &(*at)->later;
    *at = t->later;
    const bool comes_back = t->status != CLAST_OK && !t->is_dropped;
    if (t->is_owner && comes_back && !d->address[t->action.block])
        d->address[t->action.block] = t->data;
    else if (t->is_owner)
        cl_memory_give(d->engine->memory, t->data, t->pages);
    if (t->status != CLAST_OK)
        cl_core_spill_failed(d->core, t->action.block, t->status);
    cl_cond_broadcast(&d->io);
}

/* The worker sleeps until something has ended. */
static void wait_for_any(cl_driver *d)
{
    double *const wait =
        cl_core_wants_memory(d->core) ? &d->wait_memory : &d->wait_read;
    const double begin = cl_clock();
    d->idle++;
    cl_cond_wait(&d->work, d->mutex);
    d->idle--;
    *wait += cl_clock() - begin;
}

void *cl_alone_take(cl_driver *d, uint64_t pages)
{
    cl_memory *const memory = d->engine->memory;
    while (d->leaving && !cl_memory_has_room(memory, pages))
        if (d->threads || !cl_transfer_io(d, 0))
            wait_for_any(d);
    void *const at = cl_memory_take(memory, pages);
    const uint64_t live = cl_memory_live(memory);
    d->most = live > d->most ? live : d->most;
    return at;
}

uint64_t cl_alone_peak(const cl_driver *d, uint64_t others)
{
    return cl_alone_has(d) && d->spilled > 0 && d->most > others ? d->most - others : 0;
}

/* The oldest load, whatever it takes; but a task first for which a spill made room. */
static bool end_oldest(cl_driver *d, uint32_t lane)
{
    cl_transfer *const t = d->turn.first;
    if (d->has_spilled) {
        d->has_spilled = false;
        return true;
    }
    if (!t)
        return false;
    while (!t->is_there)
        if (!cl_warm_read(d, lane) && (d->threads || !cl_transfer_io(d, lane)))
            wait_for_any(d);
    d->turn.first = t->later;
    if (!d->turn.first)
        d->turn.last = NULL;
    if (t->is_encoded)
        cl_transfer_decode_apart(d, t, lane);
    cl_transfer_finish(d, t);
    const double now = cl_clock();
    if (now >= d->due)
        cl_driver_look_on(d, now);
    return true;
}

const cl_transfer_policy cl_alone_in_turn = {.asked = asked,
                                             .queue = queue,
                                             .moved = moved,
                                             .spilled = spilled,
                                             .read = end_oldest};
