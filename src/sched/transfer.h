/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transfers from inside: what transfer.c shares with warm.c, which has workers read
 * what is in the page cache, with alone.c, where one worker ends them in turn, and with
 * drain.c, which begins them.
 *
 * With the mutex held, but for cl_transfer_fetch() and cl_transfer_decode_now().
 */
#ifndef CL_SCHED_TRANSFER_H
#define CL_SCHED_TRANSFER_H

#include "sched/driver.h"

/* When a transfer ends, and what the core is told then: with several workers as soon as
 * it has (cl_transfer_ending), with one as alone.h says (cl_alone_ending). */
typedef struct cl_ending {
    void (*asked)(cl_driver *d, cl_transfer *t); /* the core asked for it */
    void (*queue)(cl_driver *d, cl_transfer *t); /* it is for I/O threads */
    /* Its bytes are where they should be, to be decoded or not, or it has failed. */
    void (*moved)(cl_driver *d, cl_transfer *t);
    /* A spill has ended, good or bad; where its block is now is written down. */
    void (*spilled)(cl_driver *d, cl_transfer *t);
    /* A worker has no task. false: there is nothing to load for it. */
    bool (*read)(cl_driver *d, uint32_t lane);
} cl_ending;

extern const cl_ending cl_transfer_ending;

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
clast_status cl_transfer_decode_now(cl_driver *d, cl_transfer *t);
/* The same with the mutex, which is let go meanwhile. */
void cl_transfer_decode_it(cl_driver *d, cl_transfer *t, uint32_t lane);
void cl_transfer_give_staging(cl_driver *d, cl_transfer *t);
/* Tells the core. */
void cl_transfer_post(cl_driver *d, const cl_transfer *t, cl_event_kind kind);
/* The end, good or bad. */
void cl_transfer_finish(cl_driver *d, cl_transfer *t);

/* warm.c: the oldest load that workers try; false: there is none. */
bool cl_warm_read(cl_driver *d, uint32_t lane);

#endif
