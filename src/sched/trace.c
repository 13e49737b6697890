/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recording.
 *
 * The memory is made when tracing is switched on and charged to the budget by who does
 * so: a sixteenth of it holds samples, a sixteenth names, the rest is cut into rings
 * for each thread. Recording never fails. Reading the clock is left to the caller, who
 * has the times anyway.
 *
 * Cost: nothing where it is off but a comparison for each batch of tasks; on, a record
 * of 32 bytes an event and of 4 bytes a task. The driver reads the clock for each batch
 * in any case.
 */
#include "sched/trace.h"

#include "base/alloc.h"
#include "sched/exec.h"

#include <math.h>
#include <string.h>

#define FIRST_INTERVAL 200e-6 /* seconds between samples */
#define MOST_LISTED    (1u << 24)
#define LEAST_LISTED   32u /* what a worker takes at once */

static uint64_t rounded(uint64_t bytes)
{
    return bytes & ~(uint64_t)15;
}

/* How so many bytes are cut; false where they are too few. */
static bool share_out(cl_trace *t, uint64_t bytes)
{
    const uint64_t part = rounded(bytes / 16);
    const uint64_t lanes = rounded(t->lanes * sizeof *t->lane + 15);
    if (bytes < lanes + 2 * part + 16)
        return false;
    const uint64_t rings = (bytes - lanes - 2 * part) / t->lanes;
    t->entries = LEAST_LISTED;
    while (t->entries < MOST_LISTED &&
           2 * (uint64_t)t->entries * sizeof *t->lane->list <= rings / 4)
        t->entries *= 2;
    const uint64_t size =
        (rings - t->entries * sizeof *t->lane->list) / sizeof(cl_trace_event);
    t->samples = (uint32_t)(part / sizeof *t->sample);
    t->size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    t->room = (size_t)part;
    return t->size > 0 && t->samples > 1;
}

clast_status cl_trace_init(cl_trace *trace, uint32_t workers, uint32_t others,
                           uint64_t bytes)
{
    *trace = (cl_trace){.due = INFINITY};
    if (!bytes)
        return CLAST_OK;
    cl_trace t = {.workers = workers, .lanes = workers + others, .due = INFINITY};
    if (!share_out(&t, bytes) || !(t.memory = cl_calloc(1, (size_t)bytes)))
        return CLAST_ENOMEM;
    char *at = t.memory;
    t.names = at;
    at += t.room;
    t.sample = (void *)at;
    at += rounded(t.room);
    t.lane = (void *)at;
    at += rounded(t.lanes * sizeof *t.lane + 15);
    for (uint32_t i = 0; i < t.lanes; i++) {
        t.lane[i].event = (void *)at;
        at += t.size * sizeof *t.lane->event;
        t.lane[i].list = (void *)at;
        at += t.entries * sizeof *t.lane->list;
    }
    *trace = t;
    return CLAST_OK;
}

void cl_trace_fini(cl_trace *trace)
{
    cl_free(trace->memory);
    *trace = (cl_trace){.due = INFINITY};
}

void cl_trace_begin(cl_trace *trace, double now)
{
    for (uint32_t i = 0; i < trace->lanes; i++)
        trace->lane[i] =
            (cl_trace_lane){.event = trace->lane[i].event, .list = trace->lane[i].list};
    trace->nsample = trace->nrow = 0;
    trace->interval = FIRST_INTERVAL;
    trace->begun = now;
    trace->due = trace->lanes ? now : INFINITY;
}

static void thin_out(cl_trace *trace)
{
    for (uint32_t i = 1; 2 * i < trace->nsample; i++)
        trace->sample[i] = trace->sample[2 * i];
    trace->nsample = (trace->nsample + 1) / 2;
    trace->interval *= 2;
}

void cl_trace_take(cl_trace *trace, const cl_trace_sample *sample)
{
    if (trace->nsample == trace->samples)
        thin_out(trace);
    trace->sample[trace->nsample++] = *sample;
    trace->due = sample->time + trace->interval;
}

/* ---- tasks ---- */

typedef struct {
    uint32_t row, index;
} place;

static place place_of_task(const cl_plan *plan, uint32_t id)
{
    const cl_segment *s = plan->segment;
    while (id - s->task_base >= s->ntask)
        s++;
    return (place){s->task_stage[id - s->task_base], s->task_index[id - s->task_base]};
}

/* Rows have 24 bits. */
static uint32_t kind_and_row(cl_trace_kind kind, uint32_t row)
{
    return kind | (row < CL_TRACE_NO_ROW ? row : CL_TRACE_NO_ROW) << 8;
}

/* The `at`-th of `n` tasks that ran between the two begins then. */
static double part_of(double begin, double end, uint32_t at, uint32_t n)
{
    return at == n ? end : begin + (end - begin) * (double)at / (double)n;
}

void cl_trace_add_tasks(cl_trace *trace, uint32_t lane, const cl_plan *plan,
                        const uint32_t *task, uint32_t count, double begin, double end)
{
    if (lane >= trace->lanes)
        return;
    cl_trace_lane *l = &trace->lane[lane];
    cl_trace_event e = {.end = begin, .together = count};
    for (uint32_t i = 0; i < count; i += e.count) {
        place p = place_of_task(plan, task[i]);
        e.kind = kind_and_row(CL_TRACE_TASK, p.row);
        e.at = l->listed;
        e.count = 0;
        for (const uint32_t row = p.row; p.row == row;) {
            l->list[l->listed++ & (trace->entries - 1)] = p.index;
            if (i + ++e.count == count)
                break;
            p = place_of_task(plan, task[i + e.count]);
        }
        e.begin = e.end;
        e.end = part_of(begin, end, i + e.count, count);
        cl_trace_put(trace, l, &e);
    }
}

/* ---- names ---- */

/* What is left of the memory for names. */
typedef struct {
    char *at;
    size_t left;
} stock;

static void *take(stock *s, size_t bytes)
{
    const size_t size = (size_t)rounded(bytes + 15);
    if (size > s->left)
        return NULL;
    void *p = s->at;
    s->at += size;
    s->left -= size;
    return p;
}

static const char *copy_text(stock *s, const char *text)
{
    const size_t n = text ? strlen(text) + 1 : 0;
    char *copy = n ? take(s, n) : NULL;
    return copy ? memcpy(copy, text, n) : NULL;
}

static const cl_parts *copy_parts(stock *s, const cl_parts *parts)
{
    cl_parts *copy = take(s, sizeof *copy);
    if (copy)
        *copy = *parts;
    return copy;
}

static void name_stage(stock *s, cl_trace_row *row, const cl_plan *plan,
                       const cl_stage *stage)
{
    const cl_parts parts = cl_stage_parts(plan, stage);
    *row = (cl_trace_row){.kind = cl_stage_kind_name(stage->kind)};
    row->name = copy_text(s, stage->label);
    row->parts = copy_parts(s, &parts);
}

static void name_source(stock *s, cl_trace_row *row, const cl_plan *plan,
                        const cl_plan_source *at, const cl_run *run)
{
    const cl_source *source = run->sources[at->source].source;
    const cl_parts parts = cl_grid_parts(&plan->tensor[at->tensor].grid);
    *row = (cl_trace_row){.kind = source ? "source" : "persisted"};
    row->name = source ? copy_text(s, cl_source_get_info(source)->path) : "persisted";
    row->parts = copy_parts(s, &parts);
}

/* Rows: stages, then sources. Those that do not fit are left out, from the end. */
static void make_rows(cl_trace *trace, const cl_plan *plan, const cl_run *run)
{
    stock s = {trace->names, trace->room};
    const size_t wanted = (size_t)plan->nstage + plan->nsource;
    const size_t most = trace->room / 2 / sizeof *trace->row;
    trace->nrow = (uint32_t)(wanted < most ? wanted : most);
    trace->row = take(&s, trace->nrow * sizeof *trace->row);
    for (uint32_t i = 0; i < trace->nrow; i++)
        if (i < plan->nstage)
            name_stage(&s, &trace->row[i], plan, &plan->stage[i]);
        else
            name_source(&s, &trace->row[i], plan, &plan->source[i - plan->nstage], run);
}

/* A block is known by what makes it. */
static place place_of_block(const cl_plan *plan, const uint32_t *source_of, uint32_t id)
{
    const cl_block *block = cl_plan_block(plan, id);
    if (block->producer != CL_NONE)
        return place_of_task(plan, block->producer);
    if (block->tensor == CL_NONE || source_of[block->tensor] == CL_NONE)
        return (place){CL_TRACE_NO_ROW, id};
    const cl_tensor *t = &plan->tensor[block->tensor];
    return (place){plan->nstage + source_of[block->tensor],
                   (id - t->first_block) / (t->block_step ? t->block_step : 1)};
}

void cl_trace_resolve(cl_trace *trace, const cl_plan *plan, const cl_run *run,
                      const uint32_t *source_of)
{
    if (!trace->lanes)
        return;
    make_rows(trace, plan, run);
    trace->due = INFINITY;
    for (uint32_t i = 0; i < trace->lanes; i++) {
        const cl_trace_lane *lane = &trace->lane[i];
        const uint64_t kept = lane->count - cl_trace_first(trace, lane);
        for (uint64_t k = 0; k < kept; k++) { /* the ring's order does not matter */
            cl_trace_event *e = &lane->event[k];
            if (cl_trace_kind_of(e) == CL_TRACE_TASK)
                continue;
            const place p = place_of_block(plan, source_of, e->at);
            e->kind = kind_and_row(cl_trace_kind_of(e), p.row);
            e->at = p.index;
        }
    }
}
