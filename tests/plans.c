/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plans by hand (plans.h).
 *
 * The open segment is kept in growing arrays. Its end counts consumers per block (those
 * of earlier segments become extern), prefix sums turn counts into rows, and a second
 * walk over the tasks fills them in ascending order.
 */
#include "plans.h"

#include <string.h>

static bool grown(plans *p, void *address, size_t *room, size_t need, size_t size)
{
    if (!p->failed && !cl_grow(address, room, need, size))
        p->failed = true;
    return !p->failed;
}

uint32_t plans_stage(plans *p, uint32_t workspace_pages, double cost)
{
    cl_plan *plan = &p->plan;
    if (!grown(p, &plan->stage, &p->stages_room, plan->nstage + (size_t)1,
               sizeof *plan->stage))
        return 0;
    cl_stage *s = &plan->stage[plan->nstage];
    memset(s, 0, sizeof *s);
    s->kind = CL_STAGE_EMPTY;
    s->workspace_pages = workspace_pages;
    s->cost = cost;
    return plan->nstage++;
}

uint32_t plans_block(plans *p, uint32_t pages, uint32_t load_pages, uint8_t flags)
{
    if (!grown(p, &p->block, &p->block_room, p->nblock + 1, sizeof *p->block))
        return 0;
    p->block[p->nblock] = (cl_block){CL_NONE, CL_NONE, pages, load_pages, flags};
    return p->block_base + (uint32_t)p->nblock++;
}

uint32_t plans_task(plans *p, uint32_t stage)
{
    if (!grown(p, &p->task_stage, &p->stage_room, p->ntask + 1,
               sizeof *p->task_stage) ||
        !grown(p, &p->task_index, &p->index_room, p->ntask + 1,
               sizeof *p->task_index) ||
        !grown(p, &p->operand_start, &p->start_room, p->ntask + 2,
               sizeof *p->operand_start))
        return 0;
    p->task_stage[p->ntask] = stage;
    p->task_index[p->ntask] = (uint32_t)p->ntask;
    p->operand_start[p->ntask] = p->operand_start[p->ntask + 1] = (uint32_t)p->noperand;
    return p->task_base + (uint32_t)p->ntask++;
}

void plans_operand(plans *p, uint32_t block, cl_mode mode)
{
    if (!grown(p, &p->operand, &p->operand_room, p->noperand + 1, sizeof *p->operand))
        return;
    p->operand[p->noperand++] = cl_operand(block, mode);
    p->operand_start[p->ntask] = (uint32_t)p->noperand;
    if (mode == CL_W)
        p->block[block - p->block_base].producer =
            p->task_base + (uint32_t)p->ntask - 1;
}

/* Row of a block: its own, or behind those that of its extern entry (added if new). */
static size_t row_of(plans *p, cl_segment *s, uint32_t block)
{
    if (block >= s->block_base)
        return block - s->block_base;
    uint32_t i = 0;
    while (i < s->nextern && s->extern_block[i] != block)
        i++;
    if (i == s->nextern)
        s->extern_block[s->nextern++] = block;
    return s->nblock + (size_t)i;
}

static uint32_t *zeroed(plans *p, size_t n)
{
    uint32_t *a = cl_calloc(n + 1, sizeof *a);
    if (a == NULL)
        p->failed = true;
    return a;
}

/* One walk over all read operands: counts them, or puts them where the counts say. */
static void walk_readers(plans *p, cl_segment *s, uint32_t *own, uint32_t *other,
                         uint32_t *own_row, uint32_t *other_row)
{
    for (uint32_t t = 0; t < s->ntask; t++)
        for (uint32_t o = s->operand_start[t]; o < s->operand_start[t + 1]; o++) {
            if (cl_operand_mode(s->operand[o]) == CL_W)
                continue;
            const size_t row = row_of(p, s, cl_operand_block(s->operand[o]));
            uint32_t *at = row < s->nblock ? &own[row] : &other[row - s->nblock];
            if (own_row != NULL)
                (row < s->nblock ? own_row : other_row)[*at] = s->task_base + t;
            ++*at;
        }
}

/* Counts to starts: a[i] = sum of a[0 .. i-1]. */
static void to_starts(uint32_t *a, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i <= n; i++) {
        const uint32_t count = i < n ? a[i] : 0;
        a[i] = sum;
        sum += count;
    }
}

/* Filling advanced every start to its end, that is to the next start. */
static void step_back(uint32_t *a, size_t n)
{
    memmove(a + 1, a, n * sizeof *a);
    a[0] = 0;
}

static void fill_consumers(plans *p, cl_segment *s)
{
    const size_t most = s->operand_start[s->ntask];
    s->extern_block = zeroed(p, most < p->block_base ? most : p->block_base);
    s->consumer_start = zeroed(p, s->nblock);
    s->extern_start = zeroed(p, most);
    if (p->failed)
        return;
    walk_readers(p, s, s->consumer_start, s->extern_start, NULL, NULL);
    to_starts(s->consumer_start, s->nblock);
    to_starts(s->extern_start, s->nextern);
    s->consumer = zeroed(p, s->consumer_start[s->nblock]);
    s->extern_consumer = zeroed(p, s->extern_start[s->nextern]);
    if (p->failed)
        return;
    walk_readers(p, s, s->consumer_start, s->extern_start, s->consumer,
                 s->extern_consumer);
    step_back(s->consumer_start, s->nblock);
    step_back(s->extern_start, s->nextern);
}

void plans_end(plans *p)
{
    cl_plan *plan = &p->plan;
    if (!grown(p, &plan->segment, &p->segment_room, plan->nsegment + (size_t)1,
               sizeof *plan->segment))
        return;
    cl_segment *s = &plan->segment[plan->nsegment++];
    *s = (cl_segment){.task_base = p->task_base,
                      .ntask = (uint32_t)p->ntask,
                      .block_base = p->block_base,
                      .nblock = (uint32_t)p->nblock,
                      .task_stage = p->task_stage,
                      .task_index = p->task_index,
                      .operand_start = p->operand_start,
                      .operand = p->operand,
                      .block = p->block};
    if (p->ntask == 0)
        s->operand_start = zeroed(p, 1);
    p->task_base += (uint32_t)p->ntask;
    p->block_base += (uint32_t)p->nblock;
    p->block = NULL;
    p->task_stage = p->task_index = p->operand_start = p->operand = NULL;
    p->ntask = p->noperand = p->nblock = 0;
    p->block_room = p->stage_room = p->index_room = p->start_room = p->operand_room = 0;
    if (!p->failed)
        fill_consumers(p, s);
}

void plans_fini(plans *p)
{
    cl_plan *plan = &p->plan;
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        cl_segment *s = &plan->segment[i];
        cl_free(s->task_stage);
        cl_free(s->task_index);
        cl_free(s->operand_start);
        cl_free(s->operand);
        cl_free(s->block);
        cl_free(s->consumer_start);
        cl_free(s->consumer);
        cl_free(s->extern_block);
        cl_free(s->extern_start);
        cl_free(s->extern_consumer);
    }
    cl_free(plan->segment);
    cl_free(plan->stage);
    cl_free(p->block);
    cl_free(p->task_stage);
    cl_free(p->task_index);
    cl_free(p->operand_start);
    cl_free(p->operand);
    *p = (plans){0};
}

static const cl_segment *find_segment(const cl_plan *plan, uint32_t id, bool block)
{
    uint32_t i = plan->nsegment - 1;
    while (i > 0 &&
           (block ? plan->segment[i].block_base : plan->segment[i].task_base) > id)
        i--;
    return &plan->segment[i];
}

const cl_block *plans_find_block(const cl_plan *plan, uint32_t block)
{
    const cl_segment *s = find_segment(plan, block, true);
    return &s->block[block - s->block_base];
}

plans_operands plans_find_task(const cl_plan *plan, uint32_t task)
{
    const cl_segment *s = find_segment(plan, task, false);
    const uint32_t i = task - s->task_base;
    return (plans_operands){s->operand + s->operand_start[i],
                            s->operand_start[i + 1] - s->operand_start[i],
                            s->task_stage[i]};
}

/* Outputs of a task that has R operands and then these, or 0. */
static uint32_t outputs_of(const cl_segment *s, uint32_t task)
{
    uint32_t at = s->operand_start[task + 1];
    while (at > s->operand_start[task] && cl_operand_mode(s->operand[at - 1]) == CL_W)
        at--;
    const uint32_t outputs = s->operand_start[task + 1] - at;
    while (at > s->operand_start[task] && cl_operand_mode(s->operand[at - 1]) == CL_R)
        at--;
    return at == s->operand_start[task] ? outputs : 0;
}

/* The stage as it is, of tasks with so many outputs. */
static uint32_t stage_with(plans *p, uint32_t stage, uint32_t outputs)
{
    const cl_stage *const of = &p->plan.stage[stage];
    for (uint32_t k = 0; k < p->plan.nstage; k++) {
        const cl_stage *const s = &p->plan.stage[k];
        if (s->outputs == outputs && s->workspace_pages == of->workspace_pages &&
            s->cost == of->cost)
            return k;
    }
    const uint32_t made = plans_stage(p, of->workspace_pages, of->cost);
    if (!p->failed)
        p->plan.stage[made].outputs = outputs;
    return made;
}

void plans_sort_out(plans *p)
{
    for (uint32_t i = 0; i < p->plan.nsegment && !p->failed; i++) {
        const cl_segment *const s = &p->plan.segment[i];
        for (uint32_t t = 0; t < s->ntask && !p->failed; t++)
            if (outputs_of(s, t) > 0)
                s->task_stage[t] = stage_with(p, s->task_stage[t], outputs_of(s, t));
    }
}
