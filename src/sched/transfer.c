/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads and spills, from what the core asks for to what it is told.
 *
 * A load from a source is fetched and decoded by the worker that has nothing else to
 * do, as long as nothing makes it wait (warm.c). Once something is not in the page
 * cache the source is cold: I/O threads fetch and workers decode, so that threads that
 * wait and threads that compute are different ones, until the I/O threads find what
 * they look for in the page cache. A load from scratch and a spill need no worker.
 * Threads are started when they are needed first; where none can be started, workers do
 * their work.
 *
 * With several workers a transfer ends when it has, with one in turn (alone.h): a table
 * of functions says which of these it is (cl_transfer_policy).
 *
 * Memory was reserved by the core before it asked, and is taken when the transfer
 * begins; address space may still be lacking, which fails the block. A transfer owns
 * its staging, and its data until the block has arrived.
 */
#include "sched/transfer.h"

#include "base/alloc.h"
#include "sched/alone.h"
#include "sched/warm.h"

#include <string.h>

/* So many loads in a row that did not wait make a source warm again. */
#define WARM_AFTER 4

/* ---- doing it; without the mutex ---- */

/* Whether nobody can tell beforehand how long its reading takes. */
static bool is_slow(const cl_driver *d, uint32_t block)
{
    return cl_source_get_info(cl_exec_home(d->exec, block).source)->is_slow;
}

clast_status cl_transfer_fetch(cl_driver *d, cl_transfer *t, cl_fetching *how)
{
    const cl_home p = cl_exec_home(d->exec, t->action.block);
    const uint64_t need = cl_source_staging(p.source, &p.box);
    if (need > (uint64_t)t->staging_pages * CL_PAGE)
        return cl_error_set(&t->err, CLAST_EINTERNAL,
                            "loading block %u needs %llu bytes of staging, the plan "
                            "has %u pages",
                            t->action.block, (unsigned long long)need,
                            t->staging_pages);
    const clast_status status = cl_source_fetch_some(p.source, &p.box, p.wanted,
                                                     t->data, t->staging, how, &t->err);
    t->stored = how->stored;
    return status;
}

clast_status cl_transfer_decode_bare(cl_driver *d, cl_transfer *t)
{
    const cl_home p = cl_exec_home(d->exec, t->action.block);
    return cl_source_decode(p.source, &p.box, t->data, t->staging, &t->err);
}

static bool is_of_source(const cl_transfer *t)
{
    return t->action.kind == CL_ACTION_LOAD && !t->action.from_scratch;
}

static clast_status move(cl_driver *d, cl_transfer *t, cl_fetching *how)
{
    const uint64_t bytes = (uint64_t)t->pages * CL_PAGE;
    cl_scratch *scratch;
    if (is_of_source(t))
        return cl_transfer_fetch(d, t, how);
    CL_TRY(cl_spill_open(&d->engine->spill, &scratch, &t->err));
    return t->action.kind == CL_ACTION_SPILL
               ? cl_scratch_write(scratch, t->data, bytes, &t->slot, &t->err)
               : cl_scratch_read(scratch, t->slot, t->data, bytes, &t->err);
}

/* ---- bookkeeping; with the mutex ---- */

static uint64_t loaded_bytes(const cl_driver *d, uint32_t block)
{
    const cl_home p = cl_exec_home(d->exec, block);
    const cl_block *b = cl_plan_block(d->plan, block);
    return (uint64_t)cl_box_count(&p.box) *
           clast_dtype_size(d->plan->tensor[b->tensor].dtype);
}

void cl_transfer_post(cl_driver *d, const cl_transfer *t, cl_event_kind kind)
{
    cl_core_post(d->core, &(cl_event){.kind = kind,
                                      .place = t->action.place,
                                      .epoch = t->action.epoch,
                                      .task = CL_NONE,
                                      .block = t->action.block,
                                      .status = t->status});
}

static void fail(cl_driver *d, cl_transfer *t)
{
    cl_error_set(&t->err, t->status, "%s", clast_status_text(t->status));
    cl_driver_fail(d, CL_NONE, t->action.block, &t->err);
    if (t->action.kind == CL_ACTION_SPILL) {
        d->policy->spilled(d, t);
        return;
    }
    if (t->data)
        cl_memory_give(d->engine->memory, t->data, t->pages);
    cl_transfer_post(d, t, CL_EVENT_FAILED);
}

static void arrive(cl_driver *d, cl_transfer *t)
{
    if (t->action.kind == CL_ACTION_SPILL) {
        d->spilled += (uint64_t)t->pages * CL_PAGE;
        if (t->is_dropped)
            cl_scratch_release(d->engine->spill.scratch, t->slot);
        else
            d->slot[t->action.block] = t->slot + 1;
        d->policy->spilled(d, t);
        return;
    }
    d->address[t->action.block] = t->data;
    d->is_unread[t->action.block] = t->is_unread;
    d->unread += t->is_unread;
    if (!t->action.from_scratch) {
        d->read += loaded_bytes(d, t->action.block);
        d->stored_read += t->stored;
    }
    cl_transfer_post(d, t, CL_EVENT_LOADED);
}

void cl_transfer_give_staging(cl_driver *d, cl_transfer *t)
{
    if (t->staging)
        cl_memory_give(d->engine->memory, t->staging, t->staging_pages);
    t->staging = NULL;
}

void cl_transfer_finish(cl_driver *d, cl_transfer *t)
{
    cl_transfer_give_staging(d, t);
    d->transfers--;
    d->loads -= t->action.kind == CL_ACTION_LOAD;
    if (t->status == CLAST_OK)
        arrive(d, t);
    else
        fail(d, t);
    cl_transfers_push(&d->spare, t);
    cl_driver_drain(d);
    cl_driver_wake(d);
}

/* It was to be spilled, which failed: the run ends soon. */
static bool is_still_here(const cl_driver *d, const cl_transfer *t)
{
    return t->action.from_scratch && d->address[t->action.block];
}

static clast_status prepare(cl_driver *d, cl_transfer *t)
{
    const cl_block *b = cl_plan_block(d->plan, t->action.block);
    t->pages = b->pages;
    if (t->action.kind == CL_ACTION_SPILL)
        return CLAST_OK;
    if (is_still_here(d, t)) {
        t->data = d->address[t->action.block];
        return CLAST_OK;
    }
    if (t->action.from_scratch)
        t->slot = d->slot[t->action.block] - 1;
    else
        t->staging_pages = b->load_pages;
    t->data = cl_alone_take(d, t->pages);
    t->staging = cl_alone_take(d, t->staging_pages);
    if (t->data && t->staging)
        return CLAST_OK;
    return cl_error_set(&t->err, CLAST_ENOMEM,
                        "no address space to load a block of %llu bytes",
                        (unsigned long long)t->pages * CL_PAGE);
}

bool cl_transfer_start(cl_driver *d, cl_transfer *t)
{
    t->status = prepare(d, t);
    if (t->status == CLAST_OK && !is_still_here(d, t))
        return true;
    d->policy->moved(d, t);
    return false;
}

/* What I/O threads found says who reads from here on. */
static void learn(cl_driver *d, bool waited)
{
    d->there = waited ? 0 : d->there + 1;
    if (d->there >= WARM_AFTER)
        d->is_cold = false;
}

/* What waits for a spill is left until that has ended. */
static cl_transfer *pop_io(cl_driver *d)
{
    cl_transfer *t = cl_transfers_pop(&d->to_spill);
    if (!t && d->to_io.first && cl_alone_may_load(d, d->to_io.first))
        t = cl_transfers_pop(&d->to_io);
    return t;
}

bool cl_transfer_io(cl_driver *d, uint32_t lane)
{
    cl_transfer *t = pop_io(d);
    if (!t)
        return false;
    if (!cl_transfer_start(d, t))
        return true;
    cl_mutex_unlock(d->mutex);
    const double begin = cl_clock();
    const bool is_spill = t->action.kind == CL_ACTION_SPILL;
    cl_fetching how = {.patience = CL_WATCHFUL};
    t->status = move(d, t, &how);
    cl_trace_add_transfer(&d->engine->trace, lane,
                          is_spill                 ? CL_TRACE_SPILL
                          : t->action.from_scratch ? CL_TRACE_RELOAD
                                                   : CL_TRACE_READ,
                          t->action.block, begin, cl_clock());
    cl_mutex_lock(d->mutex);
    t->is_encoded = t->status == CLAST_OK && is_of_source(t);
    if (t->is_encoded)
        learn(d, how.waited);
    d->policy->moved(d, t);
    return true;
}

void cl_transfer_decode_apart(cl_driver *d, cl_transfer *t, uint32_t lane)
{
    cl_mutex_unlock(d->mutex);
    const double begin = cl_clock();
    t->status = cl_transfer_decode_bare(d, t);
    cl_trace_add_transfer(&d->engine->trace, lane, CL_TRACE_DECODE, t->action.block,
                          begin, cl_clock());
    cl_mutex_lock(d->mutex);
}

bool cl_transfer_decode(cl_driver *d, uint32_t lane)
{
    cl_transfer *t = cl_transfers_pop(&d->to_decode);
    if (!t)
        return false;
    if (d->to_decode.first || cl_core_ready(d->core))
        cl_driver_wake(d); /* one who looked out may have been told of several */
    cl_transfer_decode_apart(d, t, lane);
    cl_transfer_finish(d, t);
    return true;
}

/* ---- I/O threads ---- */

/* Lanes of I/O threads follow those of the workers; which thread has which matters to
 * nobody, so they number themselves. */
static void *io_main(void *arg)
{
    cl_driver *d = arg;
    cl_mutex_lock(d->mutex);
    const uint32_t lane = (uint32_t)d->engine->options.workers + d->nio++;
    while (!d->io_stops)
        if (!cl_transfer_io(d, lane))
            cl_cond_wait(&d->io, d->mutex);
    cl_mutex_unlock(d->mutex);
    return NULL;
}

static void start_threads(cl_driver *d)
{
    d->io_started = true;
    while (d->threads < CL_IO_THREADS &&
           cl_thread_start(&d->io_thread[d->threads], io_main, d) == CLAST_OK)
        d->threads++;
}

void cl_transfer_pass_on(cl_driver *d, cl_transfer *t)
{
    d->policy->queue(d, t);
    if (!d->io_started)
        start_threads(d);
    if (d->threads)
        cl_cond_signal(&d->io);
    else
        cl_driver_wake(d);
}

/* ---- several workers ---- */

static void nothing(cl_driver *d, cl_transfer *t) {}

static void queue(cl_driver *d, cl_transfer *t)
{
    cl_transfers_push(&d->to_io, t);
}

static void moved(cl_driver *d, cl_transfer *t)
{
    if (!t->is_encoded) {
        cl_transfer_finish(d, t);
        return;
    }
    cl_transfers_push(&d->to_decode, t);
    cl_driver_wake(d);
}

static void spilled(cl_driver *d, cl_transfer *t)
{
    cl_transfer_post(d, t, t->status == CLAST_OK ? CL_EVENT_SPILLED : CL_EVENT_FAILED);
}

const cl_transfer_policy cl_transfer_at_once = {.asked = nothing,
                                                .queue = queue,
                                                .moved = moved,
                                                .spilled = spilled,
                                                .read = cl_warm_read};

bool cl_transfer_read(cl_driver *d, uint32_t lane)
{
    return d->policy->read(d, lane);
}

/* ---- the end ---- */

void cl_transfer_stop(cl_driver *d)
{
    cl_mutex_lock(d->mutex);
    d->io_stops = true;
    cl_cond_broadcast(&d->io);
    cl_mutex_unlock(d->mutex);
    for (uint32_t i = 0; i < d->threads; i++)
        cl_thread_join(&d->io_thread[i]);
    d->threads = 0;
    for (cl_transfer *t; (t = cl_transfers_pop(&d->spare));)
        cl_free(t);
}

/* ---- actions ---- */

void cl_transfer_begin(cl_driver *d, const cl_action *action)
{
    cl_transfer *t = cl_transfers_pop(&d->spare);
    if (!t && !(t = cl_alloc(sizeof *t))) {
        cl_core_post(d->core, &(cl_event){.kind = CL_EVENT_FAILED,
                                          .place = action->place,
                                          .epoch = action->epoch,
                                          .task = CL_NONE,
                                          .block = action->block,
                                          .status = CLAST_ENOMEM});
        return;
    }
    memset(t, 0, sizeof *t);
    t->action = *action;
    d->transfers++;
    d->loads += action->kind == CL_ACTION_LOAD;
    if (action->kind == CL_ACTION_SPILL)
        t->data = d->address[action->block];
    d->policy->asked(d, t);
    if (d->is_cold || !is_of_source(t) || is_slow(d, action->block)) {
        cl_transfer_pass_on(d, t);
        return;
    }
    cl_transfers_push(&d->to_read, t);
    cl_driver_wake(d);
}
