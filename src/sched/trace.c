/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trace lanes.
 *
 * All rings are one allocation, made when tracing is switched on and charged to the
 * budget by who does so; recording is two stores and never fails. Reading the clock is
 * left to the caller, who has the times anyway.
 */
#include "sched/trace.h"

#include "base/alloc.h"

clast_status cl_trace_init(cl_trace *trace, uint32_t lanes, uint32_t size)
{
    *trace = (cl_trace){0};
    if (!size)
        return CLAST_OK;
    size_t events;
    if (!cl_mul_size(lanes, size, &events))
        return CLAST_ENOMEM;
    cl_trace_lane *lane = cl_calloc(lanes, sizeof *lane);
    cl_trace_event *event = cl_calloc(events, sizeof *event);
    if (!lane || !event) {
        cl_free(lane);
        cl_free(event);
        return CLAST_ENOMEM;
    }
    for (uint32_t i = 0; i < lanes; i++)
        lane[i].event = event + (size_t)i * size;
    *trace = (cl_trace){lanes, size, lane};
    return CLAST_OK;
}

void cl_trace_fini(cl_trace *trace)
{
    if (trace->lanes)
        cl_free(trace->lane[0].event);
    cl_free(trace->lane);
    *trace = (cl_trace){0};
}

void cl_trace_clear(cl_trace *trace)
{
    for (uint32_t i = 0; i < trace->lanes; i++)
        trace->lane[i].count = 0;
}

uint64_t cl_trace_bytes(uint32_t lanes, uint32_t size)
{
    return size ? lanes *
                      (sizeof(cl_trace_lane) + (uint64_t)size * sizeof(cl_trace_event))
                : 0;
}
