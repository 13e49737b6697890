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
 * What is to be made or read counts all that lies below what is missing, each path for
 * itself, with a ceiling: an estimate, but exact for trees.
 *
 * Where the goal is found: tasks of neighbouring numbers are in groups, each knows its
 * first one, and a tree over these knows the first of all. One whose pages became fewer
 * climbs as far as it comes first. O(operands log tasks).
 *
 * Memory: 8.25 bytes a task above what an order takes anyway, so that this one is made
 * within the bounds of the others. What there is holds something else meanwhile: ranks
 * the earlier order, stages of tasks how many operands are missing, producers in blocks
 * the readers that did not run. Only the list of those that run at once comes on top;
 * it is short but where very many tasks free what they take at the same moment.
 */
#include "graph/order.h"

#include "base/alloc.h"

#define MOST_PAGES ((uint64_t)1 << 48)

/* A rank under construction: the place in the earlier order, above it those of which
 * nothing has begun, and above all the new rank of what is done, or CL_DEAD. */
#define IDLE ((uint32_t)1 << 30)
#define DONE ((uint32_t)1 << 31)

enum { GROUP = 32 };

typedef struct {
    cl_order *o;
    const cl_draft *d;
    uint32_t *missing; /* by task: operands that nobody made yet; o->stage */
    uint64_t *pages;   /* by task: of what is missing and all below, and of sources not
                          read yet; once it is done, what it makes and all below */
    uint32_t *first; /* by node of the tree: a task; the root is 1, groups are leaves */
    uint32_t ngroup, ndone;
    uint32_t goal, goal_at; /* the last one, its operands before this one are made */
    uint32_t *ready;        /* tasks that free what they take, the last one first */
    size_t nready, ready_room;
} greedy;

/* Whether there is room for so many of the list besides what is held anyway. */
static clast_status have_room(const greedy *g, size_t ready)
{
    return cl_order_room(g->o, g->o->n * sizeof *g->pages +
                                   2 * (size_t)g->ngroup * sizeof *g->first +
                                   ready * sizeof *g->ready);
}

static bool reads(uint32_t operand)
{
    return cl_operand_reads(operand);
}

static bool is_done(const greedy *g, uint32_t task)
{
    return g->o->rank[task] >= DONE;
}

static uint32_t *left(const greedy *g, uint32_t block)
{
    return &g->d->block[block].producer;
}

/* A source that nobody has read. */
static bool is_new(const greedy *g, uint32_t block)
{
    const uint32_t *const start = g->o->consumer_start + block;
    return g->o->producer[block] == CL_NONE && *left(g, block) == start[1] - start[0];
}

static uint32_t first_of(const greedy *g, uint32_t a, uint32_t b)
{
    const uint32_t ra = g->o->rank[a], rb = g->o->rank[b];
    if (ra < IDLE && rb < IDLE && g->pages[a] != g->pages[b])
        return g->pages[a] < g->pages[b] ? a : b;
    return ra <= rb ? a : b;
}

static uint32_t first_in_group(const greedy *g, uint32_t group)
{
    const uint32_t begin = group * GROUP;
    const uint32_t end = g->o->n - begin < GROUP ? g->o->n : begin + GROUP;
    uint32_t first = begin;
    for (uint32_t task = begin + 1; task < end; task++)
        first = first_of(g, first, task);
    return first;
}

static void plant(greedy *g)
{
    for (uint32_t i = 0; i < g->ngroup; i++)
        g->first[g->ngroup + i] = first_in_group(g, i);
    for (uint32_t i = g->ngroup; i-- > 1;)
        g->first[i] = first_of(g, g->first[2 * i], g->first[2 * i + 1]);
}

/* Less of it is missing. */
static void climb(greedy *g, uint32_t task)
{
    uint32_t i = g->ngroup + task / GROUP;
    for (; i > 0 && first_of(g, task, g->first[i]) == task; i /= 2)
        g->first[i] = task;
}

/* It is done: where it was first another one is. */
static void leave(greedy *g, uint32_t task)
{
    const uint32_t group = task / GROUP;
    uint32_t i = g->ngroup + group;
    if (g->first[i] != task)
        return;
    g->first[i] = first_in_group(g, group);
    for (i /= 2; i > 0 && g->first[i] == task; i /= 2)
        g->first[i] = first_of(g, g->first[2 * i], g->first[2 * i + 1]);
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
            pages += *left(g, b) > 0 || is_kept ? (int64_t)x->pages : 0;
            continue;
        }
        if (is_new(g, b))
            pages += x->pages;
        pages -= *left(g, b) == 1 && !is_kept ? (int64_t)x->pages : 0;
    }
    return pages;
}

/* Its growth has become less, which is the one thing that it ever does: what is in the
 * list stays one that frees what it takes. */
static clast_status note_ready(greedy *g, uint32_t task)
{
    if (is_done(g, task) || g->missing[task] > 0 || growth(g, task) > 0)
        return CLAST_OK;
    if (g->nready == g->ready_room)
        CL_TRY(have_room(g, g->ready_room + g->ready_room / 2));
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
        if (is_done(g, task))
            continue;
        g->missing[task] -= was_made;
        g->pages[task] -= pages;
        o->rank[task] &= ~IDLE;
        climb(g, task);
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

static uint64_t at_most(uint64_t pages)
{
    return pages < MOST_PAGES ? pages : MOST_PAGES;
}

/* Pages of what it reads and all below; those of tasks are what they make and all
 * below. */
static uint64_t below(const greedy *g, uint32_t task, uint64_t *made)
{
    const cl_draft *const d = g->d;
    uint64_t pages = 0;
    *made = 0;
    for (uint32_t i = d->operand_start[task]; i < d->operand_start[task + 1]; i++) {
        const uint32_t b = cl_operand_block(d->operand[i]);
        const uint32_t producer = g->o->producer[b];
        if (!reads(d->operand[i]))
            *made += d->block[b].pages;
        else
            pages += producer != CL_NONE ? g->pages[producer] : d->block[b].pages;
    }
    return pages;
}

static clast_status run(greedy *g, uint32_t task)
{
    const cl_draft *const d = g->d;
    uint64_t made;
    const uint64_t pages = below(g, task, &made);
    g->o->rank[task] = DONE | g->ndone++;
    g->pages[task] = at_most(pages + made);
    leave(g, task);
    for (uint32_t i = d->operand_start[task]; i < d->operand_start[task + 1]; i++) {
        const uint32_t b = cl_operand_block(d->operand[i]);
        if (!reads(d->operand[i])) {
            CL_TRY(arrive(g, b, g->pages[task], true));
            continue;
        }
        const bool is_first = is_new(g, b);
        const bool is_last = --*left(g, b) == 1;
        if (is_first)
            CL_TRY(arrive(g, b, d->block[b].pages, false));
        if (is_last)
            CL_TRY(note_last(g, b));
    }
    return CLAST_OK;
}

/* A task that frees what it takes, or CL_NONE. */
static uint32_t next_free(greedy *g)
{
    while (g->nready > 0) {
        const uint32_t task = g->ready[--g->nready];
        if (!is_done(g, task))
            return task;
    }
    return CL_NONE;
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
    CL_TRY(have_room(g, 0));
    g->pages = cl_alloc_array(o->n, sizeof *g->pages);
    g->first = cl_alloc_array(2 * (size_t)g->ngroup, sizeof *g->first);
    return g->pages && g->first ? CLAST_OK : cl_draft_nomem(o->d);
}

/* Raw tasks read what those before them make: forwards all is found that a task makes,
 * with what is below, and backwards this is replaced by what it lacks. */
static void weigh(greedy *g)
{
    cl_order *const o = g->o;
    const cl_draft *const d = g->d;
    uint64_t made;
    for (uint32_t b = 0; b < d->nblock; b++)
        *left(g, b) = o->consumer_start[b + 1] - o->consumer_start[b];
    for (uint32_t t = 0; t < o->n; t++) {
        if (is_done(g, t))
            continue;
        const uint64_t pages = below(g, t, &made);
        g->pages[t] = at_most(pages + made);
        o->rank[t] |= IDLE;
        g->missing[t] = 0;
        for (uint32_t i = d->operand_start[t]; i < d->operand_start[t + 1]; i++)
            g->missing[t] += reads(d->operand[i]) &&
                             o->producer[cl_operand_block(d->operand[i])] != CL_NONE;
    }
    for (uint32_t t = o->n; t-- > 0;)
        if (!is_done(g, t))
            g->pages[t] = below(g, t, &made);
}

/* What was borrowed is again what it was. */
static void give_back(greedy *g)
{
    cl_order *const o = g->o;
    for (uint32_t t = 0; t < o->n; t++)
        if (o->rank[t] != CL_DEAD)
            o->rank[t] &= ~DONE;
    for (uint32_t b = 0; b < g->d->nblock; b++)
        *left(g, b) = CL_NONE;
    cl_order_find_stages(o);
}

clast_status cl_order_greedy(cl_order *o)
{
    greedy g = {.o = o, .d = o->d, .missing = o->stage, .goal = CL_NONE};
    g.ngroup = (o->n + GROUP - 1) / GROUP;
    clast_status status = prepare(&g);
    if (status == CLAST_OK) {
        weigh(&g);
        plant(&g);
    }
    while (g.ndone < o->nranked && status == CLAST_OK) {
        uint32_t task = next_free(&g);
        if (task == CL_NONE)
            task = descend(&g, g.first[1]);
        status = cl_draft_step(o->d, g.ndone);
        if (status == CLAST_OK)
            status = run(&g, task);
    }
    give_back(&g);
    cl_free(g.pages);
    cl_free(g.first);
    cl_free(g.ready);
    return status;
}
