/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads and spills: what I/O threads do, and what workers read and decode.
 *
 * A load from a source is fetched and decoded by the worker that has nothing else to
 * do, as long as nothing makes it wait: what is in the page cache is best copied where
 * it is used next, into the block that this worker freed last. Once something is not
 * there the source is cold: I/O threads fetch and workers decode, so that threads that
 * wait and threads that compute are different ones, until the I/O threads find what
 * they look for in the page cache. A load from scratch and a spill need no worker.
 * Threads are started when they are needed first; where none can be started, workers do
 * their work. A block that one task alone still reads may arrive unread (feed.h): the
 * worker only looks whether it begins in the page cache.
 *
 * With one worker loads end in turn (alone.h), when it has no task.
 *
 * Memory was reserved by the core before it asked, and is taken when the transfer
 * begins; address space may still be lacking, which fails the block. A transfer owns
 * its staging, and its data until the block has arrived.
 */
#include "sched/driver.h"

#include "base/alloc.h"
#include "sched/alone.h"
#include "sched/feed.h"

#include <string.h>

/* So many loads in a row that did not wait make a source warm again. */
#define WARM_AFTER 4

static void push(cl_transfers *q, cl_transfer *t)
{
    t->next = NULL;
    if (q->last)
        q->last->next = t;
    else
        q->first = t;
    q->last = t;
}

static cl_transfer *pop(cl_transfers *q)
{
    cl_transfer *t = q->first;
    if (t && !(q->first = t->next))
        q->last = NULL;
    return t;
}

/* ---- doing it; without the mutex ---- */

/* Whether nobody can tell beforehand how long its reading takes. */
static bool is_slow(const cl_driver *d, uint32_t block)
{
    return cl_source_get_info(cl_exec_home(d->exec, block).source)->is_slow;
}

static clast_status fetch(cl_driver *d, cl_transfer *t, cl_fetching *how)
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

static clast_status decode(cl_driver *d, cl_transfer *t)
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
        return fetch(d, t, how);
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

static void post(cl_driver *d, const cl_transfer *t, cl_event_kind kind)
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
    if (d->is_alone && t->action.kind == CL_ACTION_SPILL) {
        cl_core_spill_failed(d->core, t->action.block, t->status);
        return;
    }
    if (t->action.kind == CL_ACTION_LOAD && t->data)
        cl_memory_give(d->engine->memory, t->data, t->pages);
    post(d, t, CL_EVENT_FAILED);
}

static void arrive(cl_driver *d, cl_transfer *t)
{
    if (t->action.kind == CL_ACTION_SPILL) {
        d->spilled += (uint64_t)t->pages * CL_PAGE;
        if (t->is_dropped)
            cl_scratch_release(d->engine->spill.scratch, t->slot);
        else
            d->slot[t->action.block] = t->slot + 1;
        if (!d->is_alone)
            post(d, t, CL_EVENT_SPILLED);
        return;
    }
    d->address[t->action.block] = t->data;
    d->is_unread[t->action.block] = t->is_unread;
    d->unread += t->is_unread;
    if (!t->action.from_scratch) {
        d->read += loaded_bytes(d, t->action.block);
        d->stored_read += t->stored;
    }
    post(d, t, CL_EVENT_LOADED);
}

static void give_staging(cl_driver *d, cl_transfer *t)
{
    if (t->staging)
        cl_memory_give(d->engine->memory, t->staging, t->staging_pages);
    t->staging = NULL;
}

/* The end of a transfer, good or bad. */
static void finish(cl_driver *d, cl_transfer *t)
{
    give_staging(d, t);
    if (d->is_alone && t->action.kind == CL_ACTION_SPILL)
        cl_alone_spilled(d, t);
    d->transfers--;
    d->loads -= t->action.kind == CL_ACTION_LOAD;
    if (t->status == CLAST_OK)
        arrive(d, t);
    else
        fail(d, t);
    push(&d->spare, t);
    cl_driver_drain(d);
    cl_driver_wake(d);
}

/* It was moved, or has failed. With one worker a load waits for its turn. */
static void settle(cl_driver *d, cl_transfer *t)
{
    t->is_there = d->is_alone && t->action.kind == CL_ACTION_LOAD;
    if (t->is_there)
        cl_driver_wake(d);
    else
        finish(d, t);
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
    if (t->action.kind == CL_ACTION_SPILL) {
        t->data = d->is_alone ? t->data : d->address[t->action.block];
        return CLAST_OK;
    }
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

/* Memory for the transfer; false: it has failed, or there is nothing to do. */
static bool start(cl_driver *d, cl_transfer *t)
{
    t->status = prepare(d, t);
    if (t->status == CLAST_OK && !is_still_here(d, t))
        return true;
    settle(d, t);
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
    cl_transfer *t = pop(&d->to_spill);
    if (!t && d->to_io.first && cl_alone_may_load(d, d->to_io.first))
        t = pop(&d->to_io);
    return t;
}

bool cl_transfer_io(cl_driver *d, uint32_t lane)
{
    cl_transfer *t = pop_io(d);
    if (!t)
        return false;
    if (!start(d, t))
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
    if (!t->is_encoded || d->is_alone) {
        settle(d, t);
    } else {
        push(&d->to_decode, t);
        cl_driver_wake(d);
    }
    return true;
}

static void decode_it(cl_driver *d, cl_transfer *t, uint32_t lane)
{
    cl_mutex_unlock(d->mutex);
    const double begin = cl_clock();
    t->status = decode(d, t);
    cl_trace_add_transfer(&d->engine->trace, lane, CL_TRACE_DECODE, t->action.block,
                          begin, cl_clock());
    cl_mutex_lock(d->mutex);
}

bool cl_transfer_decode(cl_driver *d, uint32_t lane)
{
    cl_transfer *t = pop(&d->to_decode);
    if (!t)
        return false;
    if (d->to_decode.first || cl_core_ready(d->core))
        cl_driver_wake(d); /* one who looked out may have been told of several */
    decode_it(d, t, lane);
    finish(d, t);
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

/* ---- from the page cache ---- */

/* Hands a transfer to the I/O threads. */
static void pass_on(cl_driver *d, cl_transfer *t)
{
    push(d->is_alone && t->action.kind == CL_ACTION_SPILL ? &d->to_spill : &d->to_io,
         t);
    if (!d->io_started)
        start_threads(d);
    if (d->threads)
        cl_cond_signal(&d->io);
    else
        cl_driver_wake(d);
}

/* What did not come goes to the I/O threads, and all that would be tried next too. */
static void turn_cold(cl_driver *d, cl_transfer *t)
{
    give_staging(d, t);
    cl_memory_give(d->engine->memory, t->data, t->pages);
    d->is_cold = true;
    d->there = 0;
    pass_on(d, t);
    while ((t = pop(&d->to_read)))
        pass_on(d, t);
}

/* The task that the block may be left to: the only one that wants it. Not where there
 * are fewer tasks than workers, as in a single chain of additions: then one loads while
 * the other computes. */
static uint32_t who_reads(const cl_driver *d, uint32_t block)
{
    const bool is_enough = cl_core_ready(d->core) + d->running >= (size_t)d->workers;
    return is_enough || d->workers == 1 ? cl_core_last_reader(d->core, block) : CL_NONE;
}

/* Fetches the first element. */
static clast_status touch(cl_driver *d, cl_transfer *t, cl_fetching *how)
{
    _Alignas(64) char element[64];
    const cl_home p = cl_exec_home(d->exec, t->action.block);
    cl_box first = p.box;
    for (int a = 0; a < first.ndim; a++)
        first.n[a] = 1;
    return cl_source_fetch_some(p.source, &first, p.wanted, element, t->staging, how,
                                &t->err);
}

/* Its task takes the memory, which stays reserved: what the task before it gave back,
 * and which is in cache. */
static void give_data(cl_driver *d, cl_transfer *t)
{
    cl_memory_give(d->engine->memory, t->data, t->pages);
    t->data = NULL;
}

/* What a task that was fed had to wait for says the same as what was not read. */
static void look_back(cl_driver *d)
{
    if (!atomic_exchange(&d->exec->has_waited, false))
        return;
    d->is_cold = true;
    d->there = 0;
    for (cl_transfer *t; (t = pop(&d->to_read));)
        pass_on(d, t);
}

static bool read_first(cl_driver *d, uint32_t lane)
{
    look_back(d);
    cl_transfer *t = pop(&d->to_read);
    if (!t)
        return false;
    if (d->to_read.first)
        cl_driver_wake(d);
    if (!start(d, t))
        return true;
    const uint32_t reader = who_reads(d, t->action.block);
    cl_mutex_unlock(d->mutex);
    const double begin = cl_clock();
    cl_fetching how = {.patience = CL_HASTY};
    t->is_unread =
        reader != CL_NONE && cl_feed_is_possible(d->exec, reader, t->action.block);
    t->status = t->is_unread ? touch(d, t, &how) : fetch(d, t, &how);
    const double fetched = cl_clock();
    const bool is_here = t->status == CLAST_OK && !how.waited;
    t->is_unread &= is_here;
    if (is_here && !t->is_unread)
        t->status = decode(d, t);
    if (is_here && !t->is_unread) {
        cl_trace_add_transfer(&d->engine->trace, lane, CL_TRACE_READ, t->action.block,
                              begin, fetched);
        cl_trace_add_transfer(&d->engine->trace, lane, CL_TRACE_DECODE, t->action.block,
                              fetched, cl_clock());
    }
    cl_mutex_lock(d->mutex);
    if (t->is_unread)
        give_data(d, t);
    if (is_here || t->status != CLAST_OK)
        settle(d, t);
    else
        turn_cold(d, t);
    return true;
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
        if (!read_first(d, lane) && (d->threads || !cl_transfer_io(d, lane)))
            cl_alone_wait(d);
    cl_alone_pop(d);
    if (t->is_encoded)
        decode_it(d, t, lane);
    finish(d, t);
    const double now = cl_clock();
    if (now >= d->due)
        cl_driver_look_on(d, now);
    return true;
}

bool cl_transfer_read(cl_driver *d, uint32_t lane)
{
    return d->is_alone ? end_oldest(d, lane) : read_first(d, lane);
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
    for (cl_transfer *t; (t = pop(&d->spare));)
        cl_free(t);
}

/* ---- actions ---- */

static void begin(cl_driver *d, const cl_action *action)
{
    cl_transfer *t = pop(&d->spare);
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
    if (d->is_alone)
        cl_alone_begin(d, t);
    if (d->is_cold || !is_of_source(t) || is_slow(d, action->block)) {
        pass_on(d, t);
        if (d->is_alone && action->kind == CL_ACTION_SPILL)
            post(d, t, CL_EVENT_SPILLED);
        return;
    }
    push(&d->to_read, t);
    cl_driver_wake(d);
}

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
            begin(d, &action);
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
