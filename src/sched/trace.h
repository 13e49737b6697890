/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened when: a ring of fixed size for each thread of a run, the oldest events
 * overwritten.
 *
 * A lane is written by one thread and read when the run is over, so there is no lock.
 * Zeroed memory is a trace that is off and records nothing.
 */
#ifndef CL_SCHED_TRACE_H
#define CL_SCHED_TRACE_H

#include "base/status.h"

#include <stdint.h>

typedef enum {
    CL_TRACE_TASK,
    CL_TRACE_READ,
    CL_TRACE_DECODE,
    CL_TRACE_SPILL
} cl_trace_kind;

typedef struct {
    double begin, end; /* cl_clock() */
    uint32_t kind;     /* cl_trace_kind */
    uint32_t id;       /* task, or block */
} cl_trace_event;

typedef struct {
    uint64_t count; /* recorded in all; the last `size` of them are kept */
    cl_trace_event *event;
} cl_trace_lane;

typedef struct cl_trace {
    uint32_t lanes, size;
    cl_trace_lane *lane;
} cl_trace;

/* size: events a lane keeps; 0: off. */
clast_status cl_trace_init(cl_trace *trace, uint32_t lanes, uint32_t size);
void cl_trace_fini(cl_trace *trace);
void cl_trace_clear(cl_trace *trace);
uint64_t cl_trace_bytes(uint32_t lanes, uint32_t size);

static inline void cl_trace_add(cl_trace *trace, uint32_t lane, cl_trace_kind kind,
                                uint32_t id, double begin, double end)
{
    if (lane >= trace->lanes)
        return;
    cl_trace_lane *l = &trace->lane[lane];
    l->event[l->count++ % trace->size] = (cl_trace_event){begin, end, kind, id};
}

#endif
