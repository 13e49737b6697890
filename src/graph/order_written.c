/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sweep: what is needed, and whether the order in which tasks were written will do.
 *
 * One pass backwards over the raw tasks (producers have lower numbers) marks those that
 * are needed, finds the producer of each block and counts its readers. The reader that
 * it meets first is the last one, so it knows as well which blocks are alive at each
 * moment if tasks run as they were written, and how many pages they are. It notes, too,
 * in which stages all tasks read first and then write so and so many blocks.
 *
 * That order is taken as it is where no other is worth looking for: at no moment more
 * is alive than twice what every order has to hold (the neediest task's operands, or
 * all that is to stay), and this, with all that is read from elsewhere, stays in a
 * core's cache, so that whoever reads a block finds it there whenever it runs. Then the
 * raw arrays become the plan's. Stages that are written one after the other over many
 * tiles are never like that, rows of tasks that go on from each other are.
 */
#include "graph/order.h"

/* 1 MiB: half of the second-level caches of today's servers, all of the smaller
 * ones. */
#define NEAR_PAGES 256

/* Pages, while the sweep goes backwards. */
typedef struct {
    int64_t alive; /* after the task, but for what stays */
    int64_t peak;
    uint64_t kept;     /* of blocks that stay */
    uint64_t neediest; /* what a task reads and makes; a renewed block counts once */
    uint64_t in, out;  /* of the task */
    bool is_whole;     /* every task is needed */
} weights;

static bool is_store_to_do(const cl_order *o, uint32_t task)
{
    const cl_walk *const w = &o->d->walk[o->stage[task]];
    return o->d->stage[o->stage[task]].kind == CL_STAGE_STORE &&
           !(w->done && w->done[task - w->first]);
}

static uint32_t *readers_of(const cl_order *o, uint32_t block)
{
    return o->consumer_start + block + 1; /* counts, shifted by one */
}

/* Whether somebody wants the block that the task makes. */
static bool note_made(const cl_order *o, weights *w, uint32_t task, uint32_t block)
{
    const cl_block *const b = &o->d->block[block];
    const bool stays = b->flags & CL_BLOCK_PERSIST;
    const bool is_wanted = stays || *readers_of(o, block) > 0;
    o->producer[block] = task;
    w->out += b->pages;
    w->kept += stays ? b->pages : 0;
    w->alive += is_wanted ? 0 : b->pages; /* while the task runs */
    return is_wanted;
}

static void note_read(const cl_order *o, weights *w, uint32_t operand)
{
    const uint32_t block = cl_operand_block(operand);
    const cl_block *const b = &o->d->block[block];
    const bool is_last = (*readers_of(o, block))++ == 0;
    w->in += cl_operand_mode(operand) == CL_R ? b->pages : 0;
    w->alive += is_last && !(b->flags & CL_BLOCK_PERSIST) ? b->pages : 0;
}

/* Operands of all tasks of a stage: the last `n` are written and, if `is_simple`, the
 * others read. */
static void note_outputs(const cl_order *o, uint32_t task, uint32_t n, bool is_simple)
{
    uint32_t *const outputs = &o->d->stage[o->stage[task]].outputs;
    if (*outputs != n || !is_simple)
        *outputs = *outputs == CL_NONE && is_simple ? n : 0;
}

static bool sweep_task(const cl_order *o, weights *w, uint32_t task)
{
    const uint32_t *const begin = o->d->operand + o->d->operand_start[task];
    const uint32_t *const last = o->d->operand + o->d->operand_start[task + 1];
    const uint32_t *end = last;
    uint32_t modes = 0;
    bool is_live = is_store_to_do(o, task);
    w->in = w->out = 0;
    for (; end > begin && cl_operand_mode(end[-1]) == CL_W; end--)
        is_live |= note_made(o, w, task, cl_operand_block(end[-1]));
    const uint32_t written = (uint32_t)(last - end);
    /* Outputs come last, mostly, and it is known by now. */
    const bool is_known = is_live;
    for (const uint32_t *p = end; !is_known && p-- > begin;)
        if (!cl_operand_reads(*p))
            is_live |= note_made(o, w, task, cl_operand_block(*p));
    while (is_live && end-- > begin) {
        modes |= *end;
        if (cl_operand_reads(*end))
            note_read(o, w, *end);
        else if (is_known)
            note_made(o, w, task, cl_operand_block(*end));
    }
    if (is_live)
        note_outputs(o, task, written, cl_operand_mode(modes) == CL_R);
    return is_live;
}

void cl_order_sweep(cl_order *o)
{
    weights w = {.is_whole = true};
    for (size_t s = 0; s < o->d->nstage; s++)
        o->d->stage[s].outputs = CL_NONE;
    for (uint32_t t = o->n; t-- > 0;) {
        const bool is_live = sweep_task(o, &w, t);
        o->rank[t] = is_live ? CL_NONE : CL_DEAD;
        w.is_whole &= is_live;
        w.peak = w.alive > w.peak ? w.alive : w.peak;
        w.neediest = w.in + w.out > w.neediest ? w.in + w.out : w.neediest;
        w.alive -= (int64_t)w.out;
    }
    for (size_t s = 0; s < o->d->nstage; s++)
        if (o->d->stage[s].outputs == CL_NONE)
            o->d->stage[s].outputs = 0;
    o->is_whole = w.is_whole;
    o->peak = (uint64_t)(w.peak + (int64_t)w.kept);
    o->least = w.neediest > w.kept ? w.neediest : w.kept;
}

/* Pages of everything that is loaded, or read where the caller has it; more than are
 * near: too many. */
static uint64_t pages_read(const cl_draft *d)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < d->nsource && pages <= NEAR_PAGES; i++) {
        const cl_tensor *const t = &d->tensor[d->source[i].tensor];
        const cl_shape shape = cl_grid_shape(&t->grid);
        int64_t count;
        uint64_t bytes;
        if (!cl_shape_count(&shape, &count) ||
            !cl_mul_size((size_t)count, clast_dtype_size(t->dtype), &bytes))
            return UINT64_MAX;
        pages += cl_pages(bytes);
    }
    return pages;
}

bool cl_order_is_written_well(const cl_order *o)
{
    const cl_draft *const d = o->d;
    const uint64_t budget = d->settings.budget_pages;
    return d->settings.order == CL_ORDER_TRAVERSALS && o->is_whole && o->n > 0 &&
           o->peak <= NEAR_PAGES && o->peak <= 2 * o->least &&
           (budget == 0 || o->peak <= budget / 4) && pages_read(d) <= NEAR_PAGES;
}
