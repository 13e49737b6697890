/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the core asks for, and what a run leaves: blocks that nobody wants any more give
 * back their memory or their slot in scratch at once, loads and spills begin.
 */
#include "sched/transfer.h"

#include "base/alloc.h"
#include "sched/alone.h"

static void free_block(cl_driver *d, uint32_t block)
{
    if (d->address[block] && !cl_alone_leaves(d, block))
        cl_memory_give(d->engine->memory, d->address[block],
                       cl_plan_block(d->plan, block)->pages);
    d->address[block] = NULL;
    if (d->is_unread) {
        d->unread -= d->is_unread[block];
        d->is_unread[block] = false;
    }
}

static void discard_slot(cl_driver *d, uint32_t block)
{
    cl_alone_forget(d, block);
    if (d->slot[block])
        cl_scratch_release(d->engine->spill.scratch, d->slot[block] - 1);
    d->slot[block] = 0;
}

void cl_driver_drain(cl_driver *d)
{
    cl_action action;
    while (cl_core_next_action(d->core, &action)) {
        if (action.kind == CL_ACTION_FREE)
            free_block(d, action.block);
        else if (action.kind == CL_ACTION_DISCARD)
            discard_slot(d, action.block);
        else
            cl_transfer_begin(d, &action);
    }
}

void cl_driver_sweep(cl_driver *d)
{
    for (uint64_t b = 0; d->address && b < d->nblock; b++)
        free_block(d, (uint32_t)b);
    for (uint64_t b = 0; d->slot && b < d->nblock; b++)
        discard_slot(d, (uint32_t)b);
    cl_free(d->address);
    cl_free(d->slot);
    cl_free(d->is_unread);
    cl_free(d->source_of);
    cl_free(d->failure);
    d->address = NULL;
    d->slot = NULL;
    d->is_unread = NULL;
    d->source_of = NULL;
    d->failure = NULL;
}
