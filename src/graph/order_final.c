/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The final arrays: the plan's one segment, of tasks that were ranked, or as they were
 * written (order_written.c).
 *
 * Each array of the order goes with its last reader. Blocks, and the sequence that
 * becomes the tasks' indices, are turned into the final arrays where they are; the
 * lists of readers are made a second time, so that they are not there while operands
 * are copied. Where tasks stay as they were written nothing is copied at all.
 */
#include "graph/order.h"

#include <string.h>

/* Blocks that no live task makes or reads cost nothing. The raw blocks become the
 * plan's. Without ranks (rank NULL) tasks stay as they were written: all of them live,
 * each in its raw place. */
static clast_status fill_blocks(cl_order *o, cl_segment *g)
{
    cl_draft *const d = o->d;
    const uint32_t *const start = o->consumer_start;
    for (uint32_t b = 0; b < g->nblock; b++) {
        cl_block *const block = &d->block[b];
        const uint32_t t = o->producer[b];
        const bool is_made = t != CL_NONE && (!o->rank || o->rank[t] != CL_DEAD);
        const bool is_read = start[b + 1] > start[b];
        if (is_made)
            block->producer = o->rank ? o->rank[t] : t;
        else if (!is_read && !(t == CL_NONE && block->flags & CL_BLOCK_PERSIST))
            *block = (cl_block){.producer = CL_NONE, .tensor = block->tensor};
    }
    if (!cl_arena_adopt(&d->plan->arena, d->block))
        return cl_draft_nomem(d);
    g->block = d->block;
    d->block = NULL;
    cl_order_drop(&o->producer);
    cl_order_drop(&o->rank);
    return CLAST_OK;
}

/* An array of the plan, made outside of its arena. */
static uint32_t *final_array(cl_draft *d, size_t count)
{
    uint32_t *const p = cl_alloc_array(count, sizeof *p);
    if (p && cl_arena_adopt(&d->plan->arena, p))
        return p;
    cl_free(p);
    return NULL;
}

/* An array that becomes the plan's as it is. */
static uint32_t *adopted(cl_draft *d, uint32_t **array)
{
    uint32_t *const p = *array;
    if (!cl_arena_adopt(&d->plan->arena, p))
        return NULL;
    *array = NULL;
    return p;
}

/* The raw operands go. */
static clast_status fill_operands(const cl_order *o, cl_segment *g)
{
    cl_draft *const d = o->d;
    g->operand_start = final_array(d, g->ntask + (size_t)1);
    g->operand = final_array(d, o->noperand + 1);
    if (!g->operand_start || !g->operand)
        return cl_draft_nomem(d);
    uint32_t at = 0;
    for (uint32_t r = 0; r < g->ntask; r++) {
        const uint32_t t = o->sequence[r], first = d->operand_start[t];
        const uint32_t count = d->operand_start[t + 1] - first;
        g->operand_start[r] = at;
        memcpy(g->operand + at, d->operand + first, count * sizeof *g->operand);
        at += count;
    }
    g->operand_start[g->ntask] = at;
    cl_order_drop(&d->operand);
    cl_order_drop(&d->operand_start);
    return CLAST_OK;
}

/* The sequence of tasks becomes that of their indices. */
static clast_status fill_tasks(cl_order *o, cl_segment *g)
{
    cl_draft *const d = o->d;
    g->task_stage = final_array(d, g->ntask + (size_t)1);
    g->task_index = adopted(d, &o->sequence);
    if (!g->task_stage || !g->task_index)
        return cl_draft_nomem(d);
    for (uint32_t r = 0; r < g->ntask; r++) {
        const uint32_t t = g->task_index[r], s = o->stage[t];
        g->task_stage[r] = s;
        g->task_index[r] = t - d->walk[s].first;
    }
    cl_order_drop(&o->stage);
    return CLAST_OK;
}

/* Ranks in the place of raw tasks. In rank order, so each block's readers come out
 * ascending. */
static clast_status fill_consumers(cl_order *o, cl_segment *g)
{
    cl_draft *const d = o->d;
    uint32_t *const start = adopted(d, &o->consumer_start);
    if (!start)
        return cl_draft_nomem(d);
    g->consumer_start = start;
    g->consumer = final_array(d, (size_t)start[g->nblock] + 1);
    if (!g->consumer)
        return cl_draft_nomem(d);
    for (uint32_t r = 0; r < g->ntask; r++)
        for (uint32_t i = g->operand_start[r]; i < g->operand_start[r + 1]; i++)
            if (cl_operand_reads(g->operand[i]))
                g->consumer[start[cl_operand_block(g->operand[i])]++] = r;
    /* each begin has moved on to the next one's */
    memmove(start + 1, start, g->nblock * sizeof *start);
    start[0] = 0;
    return CLAST_OK;
}

static void publish(cl_draft *d, cl_segment *g)
{
    d->plan->segment = g;
    d->plan->nsegment = 1;
}

clast_status cl_order_publish(cl_order *o)
{
    cl_draft *const d = o->d;
    cl_segment *const g = o->segment;
    g->ntask = o->nranked;
    g->nblock = (uint32_t)d->nblock;
    cl_order_drop(&o->consumer);
    CL_TRY(fill_blocks(o, g));
    CL_TRY(fill_operands(o, g));
    CL_TRY(fill_tasks(o, g));
    CL_TRY(fill_consumers(o, g));
    for (size_t s = 0; s < d->nstage; s++)
        d->stage[s].tasks = 0;
    for (uint32_t r = 0; r < g->ntask; r++)
        d->stage[g->task_stage[r]].tasks++;
    publish(d, g);
    return CLAST_OK;
}

/* The tasks of a stage are numbered from its first one. */
static void number_tasks(cl_draft *d, uint32_t *index)
{
    for (size_t s = 0; s < d->nstage; s++) {
        d->stage[s].tasks = d->walk[s].count;
        for (uint32_t i = 0; i < d->walk[s].count; i++)
            index[d->walk[s].first + i] = i;
    }
}

clast_status cl_order_publish_written(cl_order *o)
{
    cl_draft *const d = o->d;
    cl_segment *const g = o->segment;
    g->ntask = o->n;
    g->nblock = (uint32_t)d->nblock;
    cl_order_sum_readers(o);
    g->task_index = adopted(d, &o->rank);
    g->task_stage = adopted(d, &o->stage);
    g->operand_start = adopted(d, &d->operand_start);
    g->operand = adopted(d, &d->operand);
    if (!g->task_index || !g->task_stage || !g->operand_start || !g->operand)
        return cl_draft_nomem(d);
    number_tasks(d, g->task_index);
    CL_TRY(fill_blocks(o, g));
    CL_TRY(fill_consumers(o, g));
    publish(d, g);
    return CLAST_OK;
}
