/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One worker (alone.h): the list of loads that wait for their turn, that of spills
 * which the core takes for ended, and memory that these still hold.
 *
 * Lists are as long as what is under way, some tens at most.
 */
#include "sched/alone.h"

void cl_alone_begin(cl_driver *d, cl_transfer *t)
{
    t->later = NULL;
    if (t->action.kind == CL_ACTION_SPILL) {
        t->data = d->address[t->action.block];
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

void cl_alone_pop(cl_driver *d)
{
    d->turn.first = d->turn.first->later;
    if (!d->turn.first)
        d->turn.last = NULL;
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

void cl_alone_spilled(cl_driver *d, cl_transfer *t)
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
    cl_cond_broadcast(&d->io);
}

void cl_alone_wait(cl_driver *d)
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
            cl_alone_wait(d);
    void *const at = cl_memory_take(memory, pages);
    const uint64_t live = cl_memory_live(memory);
    d->most = live > d->most ? live : d->most;
    return at;
}

uint64_t cl_alone_peak(const cl_driver *d, uint64_t others)
{
    return d->is_alone && d->spilled > 0 && d->most > others ? d->most - others : 0;
}
