/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a plan needs, from its tables alone.
 *
 * One walk over the operands in rank order. A task needs all its operands, its outputs
 * and its workspace at once; while its last operand is loaded it needs no output yet,
 * but the bytes of the load. The neediest task decides whether the plan can run: every
 * other block can be somewhere else meanwhile. Tasks that cannot be it, were all their
 * operands as large as the largest block, are not added up.
 *
 * The walk also tells the peak of a run in which nothing is loaded and all fits: the
 * readers of a block are listed in rank order, so the task that frees it is known
 * without counting, and so is the first that waits for it. As in the dry run
 * (predict.c), of which this is the simple case, as many tasks are under way as there
 * are workers, and the oldest ends first, as soon as the next one needs what it makes.
 *
 * A run is not held to that order: while one task takes long, others run ahead, and
 * tiny ones are taken many at a time. What it takes at most is told nevertheless. The
 * core starts a task beside others only while all that is reserved stays below a limit,
 * P and what batches take, where P is the peak in rank order. When nothing runs it
 * starts the lowest one, whatever it takes. Then what tasks that ran ahead have made
 * was admitted within the limit, and the rest is what the order has at that task, P at
 * most: no more than P and the limit in all. Nor are there ever more pages than all
 * blocks and a workspace for each worker.
 *
 * Cost: O(tasks + operands), about 10 instructions an operand, no memory.
 */
#include "base/least.h"
#include "sched/engine.h"

/* A power of two above CL_MOST_REHEARSED. */
enum { RING = 64 };

/* Of a worker, of tiny tasks: in hand, posted, handed to others, and one to spare; with
 * fewer they wait for each other now and then. Pages of such a task. */
enum { BATCHES = 4, TINY = 4 };

typedef struct {
    const cl_plan *plan;
    const cl_segment *segment;
    uint32_t width;        /* tasks under way */
    uint32_t ended;        /* tasks below are not under way any more */
    uint64_t reserved;     /* pages */
    uint64_t ending[RING]; /* pages that tasks under way give back */
    uint32_t waits[RING];  /* by task ahead: those below must have ended; 0: any */
    uint64_t block, load;  /* pages of the largest, and of the largest load */
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

/* The first that reads a block waits for its producer, if that is still under way. */
static inline void note_reader(walk *w, uint32_t producer, uint32_t k)
{
    const cl_segment *s = w->segment;
    const uint32_t first = s->consumer_start[k];
    if (first < s->consumer_start[k + 1] && s->consumer[first] - producer < w->width)
        w->waits[s->consumer[first] % RING] = producer + 1;
}

/* All of it, for any task. Apart from the walk, which would lack registers. */
__attribute__((noinline)) static demand demand_of(walk *w, uint32_t i)
{
    const cl_segment *s = w->segment;
    const uint64_t workspace = w->plan->stage[s->task_stage[i]].workspace_pages;
    const uint32_t *at = s->operand + s->operand_start[i];
    const uint32_t *end = s->operand + s->operand_start[i + 1];
    demand d = {.out = workspace, .taken = workspace, .given = workspace};
    bool renews = false;
    for (; at < end; at++) {
        const cl_mode mode = cl_operand_mode(*at);
        const usage u = usage_of(w, cl_operand_block(*at));
        if (mode != CL_W)
            read(&u, s->task_base + i, &d);
        else if (!renews)
            write(w, &u, NULL, s->task_base + i, &d);
        else
            renew(w, &u, cl_operand_block(at[-1]), s->task_base + i, &d);
        if (mode == CL_W)
            note_reader(w, s->task_base + i, cl_operand_block(*at) - s->block_base);
        renews = mode == CL_RW || mode == CL_ACC;
    }
    return d;
}

static uint64_t freed(const cl_segment *s, uint32_t k)
{
    const bool stays = s->block[k].flags & (CL_BLOCK_PERSIST | CL_BLOCK_RESIDENT);
    return stays ? 0 : s->block[k].pages;
}

/* Pages that a task takes and gives back in rank order, where it renews nothing and all
 * its operands are of its own segment; false: another one. */
static inline bool take_and_give(walk *w, uint32_t i, demand *d)
{
    const cl_segment *s = w->segment;
    const uint32_t *const start = s->consumer_start, *const consumer = s->consumer;
    const uint32_t *at = s->operand + s->operand_start[i];
    const uint32_t *const end = s->operand + s->operand_start[i + 1];
    const uint32_t task = s->task_base + i, base = s->block_base, n = s->nblock;
    for (; at < end && cl_operand_mode(*at) == CL_R; at++) {
        const uint32_t k = cl_operand_block(*at) - base;
        if (k >= n)
            return false;
        if (consumer[start[k + 1] - 1] == task)
            d->given += freed(s, k);
    }
    for (; at < end && cl_operand_mode(*at) == CL_W; at++) {
        const uint32_t k = cl_operand_block(*at) - base;
        d->taken += s->block[k].pages;
        d->given += start[k] == start[k + 1] ? freed(s, k) : 0;
        note_reader(w, task, k);
    }
    return at == end;
}

static void run(walk *w, uint32_t task, const demand *d)
{
    uint32_t end = task < w->width ? 0 : task - w->width + 1;
    end = d->after > end ? d->after : end;
    end = w->waits[task % RING] > end ? w->waits[task % RING] : end;
    w->waits[task % RING] = 0;
    for (; w->ended < end; w->ended++)
        w->reserved -= w->ending[w->ended % RING];
    w->reserved += d->taken;
    w->ending[task % RING] = d->given;
    if (w->reserved > w->needs->peak)
        w->needs->peak = w->reserved;
}

static void walk_tasks(walk *w)
{
    const cl_segment *s = w->segment;
    for (uint32_t i = 0; i < s->ntask; i++) {
        const uint64_t workspace = w->plan->stage[s->task_stage[i]].workspace_pages;
        const uint64_t extra = workspace > w->load ? workspace : w->load;
        const uint64_t operands = s->operand_start[i + 1] - s->operand_start[i];
        demand d = {.taken = workspace, .given = workspace};
        const bool is_simple = take_and_give(w, i, &d);
        const bool is_small = operands * w->block + extra <= w->needs->least;
        if (!is_simple || !is_small || w->needs->neediest == CL_NONE)
            d = demand_of(w, i);
        const uint64_t pages = d.in + (d.out > d.load ? d.out : d.load);
        if (pages > w->needs->least || w->needs->neediest == CL_NONE) {
            w->needs->least = pages;
            w->needs->neediest = s->task_base + i;
        }
        const uint64_t made = d.out > d.taken ? d.out : d.taken; /* added up or not */
        w->needs->most = made > w->needs->most ? made : w->needs->most;
        run(w, s->task_base + i, &d);
    }
}

/* Pages of everything at once, as the core adds them up; what is there from the begin.
 */
static void walk_blocks(walk *w)
{
    for (uint32_t k = 0; k < w->segment->nblock; k++) {
        const cl_block *b = &w->segment->block[k];
        if (b->flags & CL_BLOCK_RESIDENT)
            continue;
        w->needs->all += b->pages;
        w->needs->loads |= (b->flags & CL_BLOCK_SOURCE) != 0;
        w->block = b->pages > w->block ? b->pages : w->block;
        w->load = b->load_pages > w->load ? b->load_pages : w->load;
        if (b->producer == CL_NONE && b->flags & CL_BLOCK_PERSIST)
            w->reserved += b->pages;
    }
}

cl_needs cl_needs_of(const cl_plan *plan, uint32_t workers)
{
    cl_needs needs = {.neediest = CL_NONE};
    walk w = {.plan = plan, .needs = &needs};
    w.width = workers < CL_MOST_REHEARSED ? workers : CL_MOST_REHEARSED;
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        w.segment = &plan->segment[i];
        walk_blocks(&w);
        needs.peak = w.reserved > needs.peak ? w.reserved : needs.peak;
        walk_tasks(&w);
    }
    uint64_t extra = w.load;
    for (uint32_t i = 0; i < plan->nstage; i++)
        extra = plan->stage[i].workspace_pages > extra ? plan->stage[i].workspace_pages
                                                       : extra;
    needs.all += extra;
    needs.extra = extra;
    return needs;
}

/* All blocks, and a workspace for each worker. */
static uint64_t at_once(const cl_needs *needs, uint32_t workers)
{
    return needs->all + (workers - 1) * needs->extra;
}

/* In rank order, and what batches of tiny tasks take. */
static uint64_t ahead(const cl_needs *needs, uint32_t workers)
{
    const uint64_t tasks = (uint64_t)workers * BATCHES * CL_BATCH;
    return needs->peak + tasks * cl_lesser_u(needs->most, TINY);
}

uint64_t cl_needs_ahead(const cl_needs *needs, uint32_t workers, uint64_t pages)
{
    const uint64_t all = at_once(needs, workers), limit = ahead(needs, workers);
    return all <= cl_lesser_u(limit, pages) ? UINT64_MAX / 2
                                            : cl_lesser_u(limit, pages);
}

uint64_t cl_needs_peak(const cl_needs *needs, uint32_t workers, uint64_t pages)
{
    return cl_lesser_u(cl_lesser_u(at_once(needs, workers), pages),
                       needs->peak + ahead(needs, workers));
}
