/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads and spills: what workers do of them, and what transfer.c shares with warm.c,
 * which has workers read what is in the page cache, with alone.c, where one worker ends
 * them in turn, and with drain.c, which begins them.
 *
 * With the mutex held, but for cl_transfer_stop(), cl_transfer_fetch() and
 * cl_transfer_decode_bare().
 */
#ifndef CL_SCHED_TRANSFER_H
#define CL_SCHED_TRANSFER_H

#include "sched/driver.h"

/* Who does a transfer, when it ends, and what the core is told then: with several
 * workers it ends as soon as it has (cl_transfer_at_once), with one as alone.h says
 * (cl_alone_in_turn). */
typedef struct cl_transfer_policy {
    void (*asked)(cl_driver *d, cl_transfer *t); /* the core asked for it */
    void (*queue)(cl_driver *d, cl_transfer *t); /* it is for I/O threads */
    /* Its bytes are where they should be, to be decoded or not, or it has failed. */
    void (*moved)(cl_driver *d, cl_transfer *t);
    /* A spill has ended, good or bad; where its block is now is written down. */
    void (*spilled)(cl_driver *d, cl_transfer *t);
    /* A worker has no task. false: there is nothing to load for it. */
    bool (*read)(cl_driver *d, uint32_t lane);
} cl_transfer_policy;

extern const cl_transfer_policy cl_transfer_at_once;

/* ---- for workers ---- */

/* Serve the oldest transfer: that is to be decoded; that an I/O thread moves; that
 * there is for a worker without a task, as the policy says. false: there is none. All
 * let the mutex go while they work. */
bool cl_transfer_decode(cl_driver *d, uint32_t lane);
bool cl_transfer_io(cl_driver *d, uint32_t lane);
bool cl_transfer_read(cl_driver *d, uint32_t lane);
void cl_transfer_stop(cl_driver *d); /* ends the I/O threads; without the mutex */

/* ---- of one transfer ---- */

static inline void cl_transfers_push(cl_transfers *q, cl_transfer *t)
{
    t->next = NULL;
    if (q->last)
        q->last->next = t;
    else
        q->first = t;
    q->last = t;
}

/* NULL: there is none. */
static inline cl_transfer *cl_transfers_pop(cl_transfers *q)
{
    cl_transfer *t = q->first;
    if (t && !(q->first = t->next))
        q->last = NULL;
    return t;
}

/* What the core asks for. */
void cl_transfer_begin(cl_driver *d, const cl_action *action);
/* Hands it to the I/O threads. */
void cl_transfer_pass_on(cl_driver *d, cl_transfer *t);
/* Memory for it; false: it has failed, or there is nothing to do. */
bool cl_transfer_start(cl_driver *d, cl_transfer *t);
/* From the source; without the mutex. */
clast_status cl_transfer_fetch(cl_driver *d, cl_transfer *t, cl_fetching *how);
/* What was fetched; without the mutex. */
clast_status cl_transfer_decode_bare(cl_driver *d, cl_transfer *t);
/* Decodes as well, with the mutex, which is let go meanwhile; t->status says how it
 * went. */
void cl_transfer_decode_apart(cl_driver *d, cl_transfer *t, uint32_t lane);
void cl_transfer_give_staging(cl_driver *d, cl_transfer *t);
/* Tells the core. */
void cl_transfer_post(cl_driver *d, const cl_transfer *t, cl_event_kind kind);
/* The end, good or bad. */
void cl_transfer_finish(cl_driver *d, cl_transfer *t);

#endif
