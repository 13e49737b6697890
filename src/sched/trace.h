/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened when: a ring of fixed size for each thread of a run, the oldest events
 * overwritten, and a line of samples for the counters.
 *
 * Tasks that a worker ran together because they are tiny have the same begin and end,
 * those of all of them: reading the clock for each would take longer than some do.
 *
 * A lane is written by one thread and read when the run is over, so there is no lock.
 * Samples are written under the engine's mutex; where their table is full every second
 * one is dropped and the distance doubled, so that they cover the whole run. When the
 * run is over cl_trace_resolve() puts names in the place of ids, for the plan goes.
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
    uint32_t kind;     /* cl_trace_kind; resolved: | row << 8 */
    uint32_t id;       /* task, or block; resolved: index in the row */
} cl_trace_event;

/* Its own cache line: threads write theirs all the time. */
typedef struct {
    uint64_t count; /* recorded in all; the last `size` of them are kept */
    cl_trace_event *event;
    uint32_t next; /* where the next one goes */
    char padding[44];
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
    uint32_t lanes, size, workers; /* lanes below `workers` are theirs */
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
/* The run is over. source_of: by tensor, index into plan->source, or CL_NONE. Never
 * fails: rows that there is no room for stay nameless. */
void cl_trace_resolve(cl_trace *trace, const cl_plan *plan, const cl_run *run,
                      const uint32_t *source_of);
/* As JSON in Chrome's trace-event format. Of a trace that is off: no events. */
void cl_trace_write(const cl_trace *trace, clast_text_fn *write, void *arg);

/* Events of a lane that were overwritten. */
static inline uint64_t cl_trace_lost(const cl_trace *trace, uint32_t lane)
{
    const uint64_t count = trace->lane[lane].count;
    return count > trace->size ? count - trace->size : 0;
}

static inline void cl_trace_add(cl_trace *trace, uint32_t lane, cl_trace_kind kind,
                                uint32_t id, double begin, double end)
{
    if (lane >= trace->lanes)
        return;
    cl_trace_lane *l = &trace->lane[lane];
    l->event[l->next] = (cl_trace_event){begin, end, kind, id};
    l->next = l->next + 1 < trace->size ? l->next + 1 : 0;
    l->count++;
}

#endif
