/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The greedy order: complete what has begun, weighed by bytes.
 *
 * A task that frees at least as many pages as it takes runs at once. Otherwise the next
 * one is headed for among the readers of what is in memory: that for which the fewest
 * pages are still to be made or read, the one that an earlier order has first among
 * equals. Of what it lacks one task runs, then all is weighed anew. This is what
 * dask/order.py does by following critical paths, with bytes in the place of counts.
 * Where blocks have many readers (products, changes of grids) it is poor and other
 * orders are taken: the dry run decides.
 *
 * `need` counts pages of all that lies below what is missing, each path for itself,
 * with a ceiling: an estimate, but exact for trees.
 *
 * O(operands log operands); a heap whose stale entries are dropped when they surface.
 * Where it grows beyond what planning may take, there is no such order.
 */
#include "graph/order.h"

#define MOST_PAGES ((uint64_t)1 << 48)

/* Bytes of the order under construction and of what is held here, besides the heap. */
enum { BY_TASK = 12 + 28, BY_BLOCK = 8 + 5 };

typedef struct {
    uint64_t need;
    uint32_t place, task;
} entry;

typedef struct {
    cl_order *o;
    const cl_draft *d;
    uint32_t *place;   /* by task: rank in the earlier order */
    uint32_t *missing; /* by task: operands that nobody made yet */
    uint64_t *need;    /* by task: pages below these, and of sources not read yet */
    uint64_t *total;   /* by task: pages that it makes, and all below */
    uint32_t *left;    /* by block: readers that did not run */
    uint8_t *is_there; /* by block */
    uint32_t *done;    /* the new sequence */
    uint32_t ndone, first;
    uint32_t goal, goal_at; /* the last one, its operands before this one are made */
    entry *heap;
    size_t nheap, heap_room;
    uint32_t *ready;
    size_t nready, ready_room;
} greedy;

static bool reads(uint32_t operand)
{
    return cl_operand_reads(operand);
}

static bool is_done(const greedy *g, uint32_t task)
{
    return g->o->rank[task] != CL_NONE;
}

static bool is_before(const entry *a, const entry *b)
{
    return a->need != b->need ? a->need < b->need : a->place < b->place;
}

/* Bytes, the order under construction included. */
static uint64_t held(const greedy *g)
{
    return (uint64_t)g->o->n * BY_TASK + (uint64_t)g->d->nblock * BY_BLOCK +
           g->d->noperand * sizeof *g->o->consumer + g->heap_room * sizeof *g->heap;
}

static clast_status heap_push(greedy *g, uint32_t task)
{
    if (g->nheap == g->heap_room)
        CL_TRY(cl_draft_room(g->o->d, held(g) + g->heap_room / 2 * sizeof *g->heap));
    if (!cl_grow(&g->heap, &g->heap_room, g->nheap + 1, sizeof *g->heap))
        return cl_draft_nomem(g->o->d);
    const entry e = {g->need[task], g->place[task], task};
    size_t at = g->nheap++;
    for (; at > 0 && is_before(&e, &g->heap[(at - 1) / 2]); at = (at - 1) / 2)
        g->heap[at] = g->heap[(at - 1) / 2];
    g->heap[at] = e;
    return CLAST_OK;
}

static void heap_pop(greedy *g)
{
    const entry e = g->heap[--g->nheap];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= g->nheap)
            break;
        if (child + 1 < g->nheap && is_before(&g->heap[child + 1], &g->heap[child]))
            child++;
        if (!is_before(&g->heap[child], &e))
            break;
        g->heap[at] = g->heap[child];
        at = child;
    }
    g->heap[at] = e;
}

static clast_status note_ready(greedy *g, uint32_t task)
{
    if (g->missing[task] > 0 || is_done(g, task))
        return CLAST_OK;
    if (!cl_grow(&g->ready, &g->ready_room, g->nready + 1, sizeof *g->ready))
        return cl_draft_nomem(g->o->d);
    g->ready[g->nready++] = task;
    return CLAST_OK;
}

/* The block is there: its readers lack so much less, and are weighed. */
static clast_status arrive(greedy *g, uint32_t block, uint64_t pages, bool was_made)
{
    const cl_order *const o = g->o;
    for (uint32_t c = o->consumer_start[block]; c < o->consumer_start[block + 1]; c++) {
        const uint32_t task = o->consumer[c];
        g->missing[task] -= was_made;
        g->need[task] -= pages;
        if (is_done(g, task))
            continue;
        CL_TRY(heap_push(g, task));
        CL_TRY(note_ready(g, task));
    }
    return CLAST_OK;
}

/* Its last reader would free it. */
static clast_status note_last(greedy *g, uint32_t block)
{
    const cl_order *const o = g->o;
    for (uint32_t c = o->consumer_start[block]; c < o->consumer_start[block + 1]; c++)
        CL_TRY(note_ready(g, o->consumer[c]));
    return CLAST_OK;
}

static clast_status run(greedy *g, uint32_t task)
{
    const cl_draft *const d = g->d;
    g->o->rank[task] = g->ndone;
    g->done[g->ndone++] = task;
    for (uint32_t i = d->operand_start[task]; i < d->operand_start[task + 1]; i++) {
        const uint32_t b = cl_operand_block(d->operand[i]);
        if (!reads(d->operand[i])) {
            CL_TRY(arrive(g, b, g->total[task], true));
            continue;
        }
        if (!g->is_there[b] && g->o->producer[b] == CL_NONE) {
            g->is_there[b] = 1;
            CL_TRY(arrive(g, b, d->block[b].pages, false));
        }
        if (--g->left[b] == 1)
            CL_TRY(note_last(g, b));
    }
    return CLAST_OK;
}

/* Pages that the task takes less those that it frees. */
static int64_t growth(const greedy *g, uint32_t task)
{
    const cl_draft *const d = g->d;
    int64_t pages = 0;
    for (uint32_t i = d->operand_start[task]; i < d->operand_start[task + 1]; i++) {
        const uint32_t b = cl_operand_block(d->operand[i]);
        const cl_block *const x = &d->block[b];
        if (x->flags & CL_BLOCK_RESIDENT)
            continue;
        const bool is_kept = x->flags & CL_BLOCK_PERSIST;
        if (!reads(d->operand[i])) {
            pages += g->left[b] > 0 || is_kept ? (int64_t)x->pages : 0;
            continue;
        }
        if (!g->is_there[b] && g->o->producer[b] == CL_NONE)
            pages += x->pages;
        pages -= g->left[b] == 1 && !is_kept ? (int64_t)x->pages : 0;
    }
    return pages;
}

/* A task that frees what it takes, or CL_NONE. */
static uint32_t next_free(greedy *g)
{
    while (g->nready > 0) {
        const uint32_t task = g->ready[--g->nready];
        if (!is_done(g, task) && g->missing[task] == 0 && growth(g, task) <= 0)
            return task;
    }
    return CL_NONE;
}

/* The task that lacks least, or of which nothing has begun. */
static uint32_t next_goal(greedy *g)
{
    while (g->nheap > 0) {
        const entry e = g->heap[0];
        if (!is_done(g, e.task) && e.need == g->need[e.task])
            return e.task;
        heap_pop(g);
    }
    while (is_done(g, g->o->sequence[g->first]))
        g->first++;
    return g->o->sequence[g->first];
}

/* The first thing that has to run for it. */
static uint32_t descend(greedy *g, uint32_t goal)
{
    const cl_draft *const d = g->d;
    uint32_t task = goal, i = d->operand_start[goal];
    if (goal == g->goal)
        i = g->goal_at;
    g->goal = goal;
    g->goal_at = i;
    while (g->missing[task] > 0) {
        uint32_t producer;
        do
            producer = g->o->producer[cl_operand_block(d->operand[i++])];
        while (!reads(d->operand[i - 1]) || producer == CL_NONE ||
               is_done(g, producer));
        if (task == goal)
            g->goal_at = i - 1;
        task = producer;
        i = d->operand_start[task];
    }
    return task;
}

static clast_status prepare(greedy *g)
{
    cl_order *const o = g->o;
    cl_arena *const arena = &o->walk;
    const size_t tasks = o->n + (size_t)1, blocks = o->d->nblock + 1;
    CL_TRY(cl_draft_room(o->d, held(g) + tasks * sizeof(entry)));
    g->place = cl_arena_array(arena, tasks, sizeof *g->place);
    g->missing = cl_arena_array(arena, tasks, sizeof *g->missing);
    g->need = cl_arena_array(arena, tasks, sizeof *g->need);
    g->total = cl_arena_array(arena, tasks, sizeof *g->total);
    g->done = cl_alloc_array(tasks, sizeof *g->done);
    g->left = cl_arena_array(arena, blocks, sizeof *g->left);
    g->is_there = cl_arena_array(arena, blocks, sizeof *g->is_there);
    return g->place && g->missing && g->need && g->total && g->done && g->left &&
                   g->is_there
               ? CLAST_OK
               : cl_draft_nomem(o->d);
}

static uint64_t at_most(uint64_t pages)
{
    return pages < MOST_PAGES ? pages : MOST_PAGES;
}

/* In the earlier order, so that what is below is known. */
static void weigh(greedy *g)
{
    cl_order *const o = g->o;
    const cl_draft *const d = g->d;
    for (uint32_t r = 0; r < o->nranked; r++) {
        const uint32_t task = o->sequence[r];
        uint64_t made = 0;
        for (uint32_t i = d->operand_start[task]; i < d->operand_start[task + 1]; i++) {
            const uint32_t b = cl_operand_block(d->operand[i]);
            const uint32_t producer = o->producer[b];
            if (!reads(d->operand[i])) {
                made += d->block[b].pages;
                continue;
            }
            g->left[b]++;
            g->missing[task] += producer != CL_NONE;
            g->need[task] +=
                producer != CL_NONE ? g->total[producer] : d->block[b].pages;
        }
        g->total[task] = at_most(g->need[task] + made);
        g->place[task] = r;
    }
    for (uint32_t r = 0; r < o->nranked; r++)
        o->rank[o->sequence[r]] = CL_NONE;
}

clast_status cl_order_greedy(cl_order *o)
{
    greedy g = {.o = o, .d = o->d, .goal = CL_NONE};
    clast_status status = prepare(&g);
    if (status == CLAST_OK)
        weigh(&g);
    while (g.ndone < o->nranked && status == CLAST_OK) {
        uint32_t task = next_free(&g);
        if (task == CL_NONE)
            task = descend(&g, next_goal(&g));
        status = run(&g, task);
    }
    cl_free(o->sequence);
    o->sequence = g.done;
    cl_free(g.heap);
    cl_free(g.ready);
    return status;
}
