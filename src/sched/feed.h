/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds: a task reads a file itself, strip by strip, while it computes.
 *
 * A tile of several megabytes that is loaded as a whole does not stay in a core's
 * cache: it is written to memory and read once more. Where the stored bytes are in the
 * page cache and have no filters, and one task is the only one that still wants them,
 * the block arrives *unread*: the core knows it as loaded and keeps its pages reserved,
 * and its task, which takes them when it starts, brings strips of it to the begin of
 * that memory, one after the other, each of which it uses up while it is in cache. So
 * what is charged, predicted and counted is the same.
 *
 * A strip that lies in one run in its file is not copied but seen where it is in the
 * page cache, under a lease of the file for as long as it is used (io/lease.h). All
 * inputs' strips are, or none.
 *
 * Elementwise programs and reductions do so, of tiles that they see in the order in
 * which these lie. A strip that is not in the page cache after all is waited for, and
 * cl_exec.has_waited tells.
 */
#ifndef CL_SCHED_FEED_H
#define CL_SCHED_FEED_H

#include "sched/exec_job.h"

/* Bytes of a strip at most, and about. */
#define CL_STRIP ((uint64_t)512 << 10)

/* Whether the task, which alone still reads the source block, can be fed with it. */
bool cl_feed_is_possible(const cl_exec *exec, uint32_t task, uint32_t block);

/* One input that is fed, in its block's memory behind the strip. */
typedef struct cl_fed {
    struct cl_fed *next;
    cl_home home;
    int8_t axis[CL_MAXDIM]; /* of the source, by axis of the space; -1: of length 1 */
    char *strip;
    void *staging;
    cl_span span;
    cl_window window; /* that strips are seen through */
    uint64_t at;      /* in the file, of a strip that was found there */
    bool is_found, is_shown;
} cl_fed;

/* All inputs of a task that are fed; none: first is NULL. */
typedef struct {
    cl_job *job;
    cl_box box; /* of the task */
    cl_fed *first;
    bool is_copying; /* strips of this task cannot be had in place */
    cl_feed feed;
} cl_feeder;

/* Whether the task reads anything itself. */
static inline bool cl_feed_is_wanted(const cl_job *job)
{
    bool is_wanted = false;
    for (uint32_t i = 0; job->exec->is_unread && i < job->reads && !is_wanted; i++)
        is_wanted = job->exec->is_unread[cl_operand_block(job->task.operand[i])];
    return is_wanted;
}

/* Finds the inputs that are unread. Their spans are the feeder's from then on. */
clast_status cl_feed_begin(cl_feeder *f, cl_job *job, const cl_box *box,
                           cl_input *inputs);
/* cl_map_run() of a task that is fed. */
clast_status cl_feed_map(cl_feeder *f, const cl_loop *loop, const cl_input *inputs,
                         char *out, void *workspace);
/* In any case, with what came of the task; returns that, or what went wrong here. */
clast_status cl_feed_end(cl_feeder *f, clast_status status);

#endif
