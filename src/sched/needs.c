/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a plan needs, from its tables alone.
 *
 * One walk over the operands in rank order. A task needs all its operands, its outputs
 * and its workspace at once; while its last operand is loaded it needs no output yet,
 * but the bytes of the load. The neediest task decides whether the plan can run: every
 * other block can be somewhere else meanwhile.
 *
 * The walk also tells the peak of a run in which nothing is loaded and all fits: the
 * readers of a block are listed in rank order, so the task that frees it is known
 * without counting. As in the dry run (predict.c), of which this is the simple case, as
 * many tasks are under way as there are workers, and the oldest ends first, as soon as
 * the next one needs what it makes.
 *
 * Cost: O(tasks + operands), about 15 instructions an operand, no memory.
 */
#include "sched/engine.h"

typedef struct {
    const cl_plan *plan;
    const cl_segment *segment;
    uint32_t width;                     /* tasks under way */
    uint32_t ended;                     /* tasks below are not under way any more */
    uint64_t reserved;                  /* pages */
    uint64_t ending[CL_MOST_REHEARSED]; /* pages that tasks under way give back */
    cl_needs *needs;
} walk;

/* One task's pages. */
typedef struct {
    uint64_t in, out, load; /* it alone, and first */
    uint64_t taken, given;  /* in rank order, at its start and at its end */
    uint32_t after;         /* tasks below must have ended */
} demand;

/* Of a block: readers, ascending. */
typedef struct {
    const cl_block *block;
    const uint32_t *reader;
    uint32_t n;
} usage;

static inline const cl_segment *segment_of(const walk *w, uint32_t block)
{
    const cl_segment *s = w->segment;
    while (block < s->block_base)
        s--;
    return s;
}

static inline usage usage_of(const walk *w, uint32_t block)
{
    const cl_segment *s = segment_of(w, block);
    const uint32_t k = block - s->block_base, first = s->consumer_start[k];
    return (usage){&s->block[k], s->consumer + first, s->consumer_start[k + 1] - first};
}

static bool stays(const usage *u)
{
    return u->block->flags & (CL_BLOCK_PERSIST | CL_BLOCK_RESIDENT);
}

static bool is_last(const usage *u, uint32_t task)
{
    return !stays(u) && u->n > 0 && u->reader[u->n - 1] == task;
}

/* Most operands are read and of the task's own segment. Returns the first of `at` to
 * `end` that is not. */
static const uint32_t *read_own(const cl_segment *s, uint32_t task, const uint32_t *at,
                                const uint32_t *end, demand *d)
{
    uint64_t in = 0, given = 0;
    uint32_t load = 0, after = 0;
    for (; at < end && cl_operand_mode(*at) == CL_R; at++) {
        const uint32_t k = cl_operand_block(*at) - s->block_base;
        if (k >= s->nblock)
            break;
        const cl_block *b = &s->block[k];
        if (b->flags & CL_BLOCK_RESIDENT)
            continue;
        const bool is_freed = s->consumer[s->consumer_start[k + 1] - 1] == task &&
                              !(b->flags & CL_BLOCK_PERSIST);
        in += b->pages;
        given += is_freed ? b->pages : 0;
        load = b->load_pages > load ? b->load_pages : load;
        after = b->producer + 1 > after ? b->producer + 1 : after; /* CL_NONE + 1 = 0 */
    }
    d->in += in;
    d->given += given;
    d->load = load > d->load ? load : d->load;
    d->after = after > d->after ? after : d->after;
    return at;
}

static void read(const usage *u, uint32_t task, demand *d)
{
    const cl_block *b = u->block;
    if (b->flags & CL_BLOCK_RESIDENT)
        return;
    d->in += b->pages;
    d->given += is_last(u, task) ? b->pages : 0;
    d->load = b->load_pages > d->load ? b->load_pages : d->load;
    d->after = b->producer + 1 > d->after ? b->producer + 1 : d->after;
}

/* `old`: the version whose buffer it may take over, or NULL. In the worst case that is
 * copied where others read it too, in rank order only while one of them runs. */
static void write(const walk *w, const usage *u, const usage *old, uint32_t task,
                  demand *d)
{
    const uint64_t pages = u->block->pages;
    const bool fits = old && !stays(old) && old->block->pages == pages;
    const bool is_alone = fits && old->n <= 1;
    const bool is_over =
        fits && is_last(old, task) &&
        (old->n < 2 || old->reader[old->n - 2] + (uint64_t)w->width <= task);
    d->out += is_alone ? 0 : pages;
    d->taken += is_over ? 0 : pages;
    d->given -= is_over ? pages : 0;
    d->given += u->n > 0 || stays(u) ? 0 : pages;
}

static void renew(const walk *w, const usage *u, uint32_t old, uint32_t task, demand *d)
{
    const usage before = usage_of(w, old);
    write(w, u, &before, task, d);
}

static demand demand_of(const walk *w, uint32_t i)
{
    const cl_segment *s = w->segment;
    const uint64_t workspace = w->plan->stage[s->task_stage[i]].workspace_pages;
    const uint32_t *at = s->operand + s->operand_start[i];
    const uint32_t *end = s->operand + s->operand_start[i + 1];
    demand d = {.out = workspace, .taken = workspace, .given = workspace};
    bool renews = false;
    at = read_own(s, s->task_base + i, at, end, &d);
    for (; at < end; at++) {
        const cl_mode mode = cl_operand_mode(*at);
        const usage u = usage_of(w, cl_operand_block(*at));
        if (mode != CL_W)
            read(&u, s->task_base + i, &d);
        else if (!renews)
            write(w, &u, NULL, s->task_base + i, &d);
        else
            renew(w, &u, cl_operand_block(at[-1]), s->task_base + i, &d);
        renews = mode == CL_RW || mode == CL_ACC;
    }
    return d;
}

static void run(walk *w, uint32_t task, const demand *d)
{
    const uint32_t most = task < w->width ? 0 : task - w->width + 1;
    const uint32_t end = d->after > most ? d->after : most;
    for (; w->ended < end; w->ended++)
        w->reserved -= w->ending[w->ended % w->width];
    w->reserved += d->taken;
    w->ending[task % w->width] = d->given;
    if (w->reserved > w->needs->peak)
        w->needs->peak = w->reserved;
}

static void walk_tasks(walk *w)
{
    for (uint32_t i = 0; i < w->segment->ntask; i++) {
        const demand d = demand_of(w, i);
        const uint64_t pages = d.in + (d.out > d.load ? d.out : d.load);
        if (pages > w->needs->least || w->needs->neediest == CL_NONE) {
            w->needs->least = pages;
            w->needs->neediest = w->segment->task_base + i;
        }
        run(w, w->segment->task_base + i, &d);
    }
}

/* Pages of everything at once, as the core adds them up; what is there from the begin.
 */
static void walk_blocks(walk *w, uint64_t *extra)
{
    for (uint32_t k = 0; k < w->segment->nblock; k++) {
        const cl_block *b = &w->segment->block[k];
        if (b->flags & CL_BLOCK_RESIDENT)
            continue;
        w->needs->all += b->pages;
        w->needs->loads |= (b->flags & CL_BLOCK_SOURCE) != 0;
        *extra = b->load_pages > *extra ? b->load_pages : *extra;
        if (b->producer == CL_NONE && b->flags & CL_BLOCK_PERSIST)
            w->reserved += b->pages;
    }
}

cl_needs cl_needs_of(const cl_plan *plan, uint32_t workers)
{
    cl_needs needs = {.neediest = CL_NONE};
    uint64_t extra = 0;
    walk w = {.plan = plan, .needs = &needs};
    w.width = workers < CL_MOST_REHEARSED ? workers : CL_MOST_REHEARSED;
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        w.segment = &plan->segment[i];
        walk_blocks(&w, &extra);
        needs.peak = w.reserved > needs.peak ? w.reserved : needs.peak;
        walk_tasks(&w);
    }
    for (uint32_t i = 0; i < plan->nstage; i++)
        extra = plan->stage[i].workspace_pages > extra ? plan->stage[i].workspace_pages
                                                       : extra;
    needs.all += extra;
    return needs;
}
