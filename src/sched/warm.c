/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads from the page cache: workers read as long as nothing makes them wait.
 *
 * What is in the page cache is best copied where it is used next, into the block that
 * this worker freed last. What is not there makes the source cold: it is left to the
 * I/O threads, and so is what comes after it, until these find again what they look for
 * (transfer.c). A block that one task alone still reads may arrive unread (feed.h): the
 * worker only looks whether it begins in the page cache.
 */
#include "sched/warm.h"

#include "sched/feed.h"
#include "sched/transfer.h"

/* What did not come goes to the I/O threads, and all that would be tried next too. */
static void turn_cold(cl_driver *d, cl_transfer *t)
{
    cl_transfer_give_staging(d, t);
    cl_memory_give(d->engine->memory, t->data, t->pages);
    d->is_cold = true;
    d->there = 0;
    cl_transfer_pass_on(d, t);
    while ((t = cl_transfers_pop(&d->to_read)))
        cl_transfer_pass_on(d, t);
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
    for (cl_transfer *t; (t = cl_transfers_pop(&d->to_read));)
        cl_transfer_pass_on(d, t);
}

bool cl_warm_read(cl_driver *d, uint32_t lane)
{
    look_back(d);
    cl_transfer *t = cl_transfers_pop(&d->to_read);
    if (!t)
        return false;
    if (d->to_read.first)
        cl_driver_wake(d);
    if (!cl_transfer_start(d, t))
        return true;
    const uint32_t reader = who_reads(d, t->action.block);
    cl_mutex_unlock(d->mutex);
    const double begin = cl_clock();
    cl_fetching how = {.patience = CL_HASTY};
    t->is_unread =
        reader != CL_NONE && cl_feed_is_possible(d->exec, reader, t->action.block);
    t->status = t->is_unread ? touch(d, t, &how) : cl_transfer_fetch(d, t, &how);
    const double fetched = cl_clock();
    const bool is_here = t->status == CLAST_OK && !how.waited;
    t->is_unread &= is_here;
    if (is_here && !t->is_unread)
        t->status = cl_transfer_decode_bare(d, t);
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
        d->policy->moved(d, t);
    else
        turn_cold(d, t);
    return true;
}
