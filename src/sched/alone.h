/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run with one worker: what the core is told, and when, does not depend on time.
 *
 * So it does, step by step, what the dry run did (predict.c), and moves the same bytes
 * each time. Nobody waits for that who would not have waited anyway:
 *
 *   - The worker takes tasks one at a time, as long as there are any. When it finds
 *     none, and no spill has made room since, the oldest load ends, and only then the
 *     core is told; what has come before its turn waits with its memory.
 *   - A spill has ended, as far as the core knows, as soon as it is asked for. Its
 *     memory is not there yet, so that whoever takes some looks whether spills still
 *     hold it, and waits for these if so. I/O threads do spills first, and begin no
 *     load for which there is no room yet: each spill needs none, so all end.
 *   - A block whose spill is under way is read back when that has ended; if nobody
 *     wants it any more, its slot is given back then.
 *
 * Where a spill fails the run does. The block is where it was.
 *
 * With the mutex held. Of a run with several workers nothing is in these lists.
 */
#ifndef CL_SCHED_ALONE_H
#define CL_SCHED_ALONE_H

#include "sched/transfer.h"

extern const cl_transfer_policy cl_alone_in_turn;

/* Whether the run is one of those. */
static inline bool cl_alone_has(const cl_driver *d)
{
    return d->policy == &cl_alone_in_turn;
}

/* Nothing that is still being spilled is in its way. */
bool cl_alone_may_load(const cl_driver *d, const cl_transfer *t);
/* The block's memory stays until its spill has ended, which will give it back. */
bool cl_alone_leaves(cl_driver *d, uint32_t block);
/* What is being spilled of the block is not wanted any more. */
void cl_alone_forget(cl_driver *d, uint32_t block);
/* Memory for a worker, whose wait for spills that still hold it this is; of several
 * workers, whatever there is. */
void *cl_alone_take(cl_driver *d, uint64_t pages);
/* Pages that were live at once where something was spilled, but for those of others. */
uint64_t cl_alone_peak(const cl_driver *d, uint64_t others);

#endif
