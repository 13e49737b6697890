/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened when: a ring of fixed size for each thread of a run, the oldest events
 * overwritten, and a line of samples for the counters.
 *
 * Tasks that a worker ran together because they are tiny share the time of all of them
 * equally: reading the clock for each would take longer than some do. Those of them
 * that follow each other in one operation are one event, for writing down a million of
 * them one by one took a twentieth of the time in which they run.
 *
 * A lane is written by one thread and read when the run is over, so there is no lock.
 * Samples are written under the engine's mutex; where their table is full every second
 * one is dropped and the distance doubled, so that they cover the whole run. When the
 * run is over cl_trace_resolve() puts names in the place of blocks' ids, for the plan
 * goes.
 *
 * All memory is one allocation of the size that was asked for. Zeroed memory is a trace
 * that is off and records nothing.
 */
#ifndef CL_SCHED_TRACE_H
#define CL_SCHED_TRACE_H

#include "graph/words.h"
#include "sched/run.h"

#include <stddef.h>

typedef enum {
    CL_TRACE_TASK,
    CL_TRACE_READ,   /* stored bytes from a source */
    CL_TRACE_DECODE, /* what a worker makes of them */
    CL_TRACE_SPILL,
    CL_TRACE_RELOAD /* from scratch */
} cl_trace_kind;

typedef struct {
    double begin, end; /* cl_clock() */
    uint32_t kind;     /* cl_trace_kind | row << 8 */
    uint32_t at;       /* of a transfer: the block, resolved its index in the row; of
                          tasks: in the lane's list, their indices from there on */
    uint32_t count;    /* tasks */
    uint32_t together; /* tasks that were timed together, these among them */
} cl_trace_event;

#define CL_TRACE_NO_ROW (UINT32_MAX >> 8)

static inline cl_trace_kind cl_trace_kind_of(const cl_trace_event *e)
{
    return (cl_trace_kind)(e->kind & 0xFF);
}

/* Its own cache line: threads write theirs all the time. */
typedef struct {
    uint64_t count; /* events in all; the last `size` of them are kept */
    uint64_t done;  /* tasks and transfers in them */
    cl_trace_event *event;
    uint32_t *list;  /* a ring, too: of `listed` the last `entries` are kept */
    uint32_t listed; /* modulo 2^32 */
    uint32_t next;   /* where the next event goes */
    char padding[24];
} cl_trace_lane;

typedef struct {
    double time;
    uint64_t memory, read, written, spilled; /* bytes; the last three since the begin */
    uint32_t ready;                          /* tasks */
} cl_trace_sample;

/* What events speak of: a stage or a source. */
typedef struct {
    const char *name, *kind;
    const cl_parts *parts; /* NULL: parts are just numbered */
} cl_trace_row;

typedef struct cl_trace {
    uint32_t lanes, workers; /* lanes below `workers` are theirs */
    uint32_t size, entries;  /* of each lane's rings; entries is a power of two */
    cl_trace_lane *lane;
    cl_trace_sample *sample;
    uint32_t nsample, samples;
    double interval, due; /* between samples; of the next one */
    double begun;
    cl_trace_row *row;
    uint32_t nrow;
    char *names; /* rows and their texts */
    size_t room;
    void *memory;
} cl_trace;

/* bytes: what it may take in all, and is to be charged; 0: off. */
clast_status cl_trace_init(cl_trace *trace, uint32_t workers, uint32_t others,
                           uint64_t bytes);
void cl_trace_fini(cl_trace *trace);
/* Forgets everything: a run begins. */
void cl_trace_begin(cl_trace *trace, double now);
/* `now` >= trace->due. */
void cl_trace_take(cl_trace *trace, const cl_trace_sample *sample);
/* A worker ran these tasks one after another. */
void cl_trace_add_tasks(cl_trace *trace, uint32_t lane, const cl_plan *plan,
                        const uint32_t *task, uint32_t count, double begin, double end);
/* The run is over. source_of: by tensor, index into plan->source, or CL_NONE. Never
 * fails: rows that there is no room for stay nameless. */
void cl_trace_resolve(cl_trace *trace, const cl_plan *plan, const cl_run *run,
                      const uint32_t *source_of);
/* As JSON in Chrome's trace-event format. Of a trace that is off: no events. */
void cl_trace_write(const cl_trace *trace, clast_text_fn *write, void *arg);

/* The events of a lane that were not overwritten begin with this one. */
static inline uint64_t cl_trace_first(const cl_trace *trace, const cl_trace_lane *lane)
{
    return lane->count > trace->size ? lane->count - trace->size : 0;
}

/* Whether it is known which tasks these were. */
static inline bool cl_trace_is_known(const cl_trace *trace, const cl_trace_lane *lane,
                                     const cl_trace_event *e)
{
    return cl_trace_kind_of(e) != CL_TRACE_TASK ||
           lane->listed - e->at <= trace->entries;
}

/* The index in its row of the i-th of them, or of the transfer. */
static inline uint32_t cl_trace_index(const cl_trace *trace, const cl_trace_lane *lane,
                                      const cl_trace_event *e, uint32_t i)
{
    return cl_trace_kind_of(e) == CL_TRACE_TASK
               ? lane->list[(e->at + i) & (trace->entries - 1)]
               : e->at;
}

static inline void cl_trace_put(const cl_trace *trace, cl_trace_lane *lane,
                                const cl_trace_event *event)
{
    lane->event[lane->next] = *event;
    lane->next = lane->next + 1 < trace->size ? lane->next + 1 : 0;
    lane->count++;
    lane->done += event->count;
}

static inline void cl_trace_add_transfer(cl_trace *trace, uint32_t lane,
                                         cl_trace_kind kind, uint32_t block,
                                         double begin, double end)
{
    if (lane < trace->lanes)
        cl_trace_put(trace, &trace->lane[lane],
                     &(cl_trace_event){begin, end, kind, block, 1, 1});
}

#endif
