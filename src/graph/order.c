/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Order: which raw tasks are needed, in what order they are wanted, and the final
 * arrays.
 *
 * Needed are stores, what makes persisted blocks, and what these read, found in one
 * sweep backwards (order_written.c), which also tells whether the tasks may stay in the
 * order they were written in. Otherwise the rank is a depth-first post-order from the
 * sinks: a task comes right after the last of what it reads, so partial results are
 * combined as early as possible. Five things bend it:
 *   - a product runs a whole super-tile, K outermost, when its first tile is wanted,
 *     and a tile that is another one's transpose follows that one;
 *   - a store, fold, join or finish runs as soon as the last block it reads was made;
 *   - what reads the same tiles of a source runs side by side (siblings.c);
 *   - tile (j, i) of a stage that reads x and x.T follows tile (i, j);
 *   - copies between grids run all at once, in the order of what they read.
 * Sinks are walked with the axes along which blocks are re-used innermost. The plain
 * depth-first order does without all that; the greedy one (order_greedy.c) is made of
 * the bent one. Who builds plans may have several orders made and take the cheapest.
 *
 * Of millions of tasks no table is in a cache, so the walk looks at few of them: an
 * entry of its stack says whether what its task waits for was pushed above it. Where
 * nothing bends the order, and no greedy one is made of it, no readers are listed at
 * all; else those are counted down that follow a stage which `is_followed`.
 *
 * O(tasks + operands). Memory: at most 1.3 times the plan's at any time.
 */
#include "graph/order.h"

#include "base/alloc.h"

#include <string.h>

void cl_order_drop(void *address)
{
    void *p;
    memcpy(&p, address, sizeof p);
    cl_free(p);
    memset(address, 0, sizeof p);
}

/* Cuts an array to so many elements; one that cannot be is left as it is. */
static void cut(void *address, size_t *capacity, size_t count, size_t size)
{
    void *p;
    memcpy(&p, address, sizeof p);
    p = p ? cl_realloc_array(p, count, size) : NULL;
    if (!p)
        return;
    memcpy(address, &p, sizeof p);
    *capacity = count;
}

/* The raw arrays grow no more. */
static void trim(cl_draft *d)
{
    cut(&d->operand, &d->operand_capacity, d->noperand + 1, sizeof *d->operand);
    cut(&d->operand_start, &d->start_capacity, d->ntask + 1, sizeof *d->operand_start);
    cut(&d->block, &d->block_capacity, d->nblock + 1, sizeof *d->block);
}

/* Bytes of what prepare() makes, a task and a block: what stays until the end, and what
 * goes once all tasks are ranked. */
enum { ORDER_TASK = 8, ORDER_BLOCK = 8, WALK_TASK = 9 };

/* Of operands, which connect() lists, there are at most as many as raw ones. */
clast_status cl_order_room(const cl_order *o, uint64_t more)
{
    cl_draft *const d = o->d;
    return cl_draft_room(d, d->ntask * ORDER_TASK + d->nblock * ORDER_BLOCK +
                                d->noperand * sizeof *o->consumer + more);
}

void cl_order_find_stages(cl_order *o)
{
    const cl_draft *const d = o->d;
    for (size_t s = 0; s < d->nstage; s++)
        for (uint32_t i = 0; i < d->walk[s].count; i++)
            o->stage[d->walk[s].first + i] = (uint32_t)s;
}

static clast_status prepare(cl_order *o)
{
    cl_draft *const d = o->d;
    trim(d);
    CL_TRY(cl_order_room(o, d->ntask * WALK_TASK));
    o->segment = cl_arena_alloc(&d->plan->arena, sizeof *o->segment);
    o->n = (uint32_t)d->ntask;
    const size_t tasks = d->ntask + 1, blocks = d->nblock + 1;
    o->stage = cl_alloc_array(tasks, sizeof *o->stage);
    o->producer = cl_alloc_array(blocks, sizeof *o->producer);
    o->rank = cl_alloc_array(tasks, sizeof *o->rank);
    o->consumer_start = cl_calloc(blocks, sizeof *o->consumer_start);
    if (!o->segment || !o->stage || !o->producer || !o->rank || !o->consumer_start)
        return cl_draft_nomem(d);
    memset(o->producer, 0xff, d->nblock * sizeof *o->producer);
    cl_order_find_stages(o);
    return CLAST_OK;
}

void cl_order_sum_readers(cl_order *o)
{
    for (size_t b = 0; b < o->d->nblock; b++)
        o->consumer_start[b + 1] += o->consumer_start[b];
}

static bool is_eager(const cl_stage *s)
{
    return s->kind == CL_STAGE_STORE || s->kind == CL_STAGE_FOLD ||
           s->kind == CL_STAGE_JOIN || s->kind == CL_STAGE_FINISH ||
           (s->kind == CL_STAGE_USER && s->user->is_fold);
}

/* Nothing bends the depth-first order: nobody looks at the stages of its tasks. */
static bool is_straight(const cl_draft *d)
{
    bool straight = true;
    for (size_t i = 0; i < d->nstage && straight; i++) {
        const cl_walk *const w = &d->walk[i];
        straight = !w->is_barrier && !w->is_mirrored && w->sibling == CL_NONE &&
                   d->stage[i].kind != CL_STAGE_GEMM && !is_eager(&d->stage[i]);
    }
    return straight || d->settings.order == CL_ORDER_DEPTH_FIRST;
}

/* Readers of each block, and what tasks wait for. Notes in which stages somebody makes
 * what a task reads that runs as soon as it can. */
static clast_status connect(cl_order *o)
{
    cl_draft *const d = o->d;
    uint32_t *const start = o->consumer_start;
    const size_t tasks = d->ntask + 1, total = start[d->nblock];
    o->consumer = cl_alloc_array(total + 1, sizeof *o->consumer);
    o->pending = cl_arena_array(&o->walk, tasks, sizeof *o->pending);
    if (!o->consumer || !o->pending)
        return cl_draft_nomem(d);
    /* start[b + 1] is the end of list b: filled backwards, it becomes the begin */
    for (uint32_t t = o->n; t-- > 0;) {
        if (o->rank[t] == CL_DEAD)
            continue;
        const bool is_soon = is_eager(&d->stage[o->stage[t]]);
        uint32_t pending = 0;
        for (uint32_t i = d->operand_start[t + 1]; i-- > d->operand_start[t];) {
            const uint32_t b = cl_operand_block(d->operand[i]);
            if (!cl_operand_reads(d->operand[i]))
                continue;
            o->consumer[--start[b + 1]] = t;
            if (o->producer[b] == CL_NONE)
                continue;
            pending++;
            if (is_soon)
                d->walk[o->stage[o->producer[b]]].is_followed = true;
        }
        o->pending[t] = pending;
    }
    memmove(start, start + 1, d->nblock * sizeof *start);
    start[d->nblock] = (uint32_t)total;
    return CLAST_OK;
}

/* On the stack (tasks are fewer than 2^30): what the task waits for was pushed above
 * it, so all of that has ranks when it is on top again. */
#define OPENED ((uint32_t)1 << 31)

static clast_status push(cl_order *o, uint32_t task)
{
    if (o->rank[task] != CL_NONE)
        return CLAST_OK;
    if (!cl_grow(&o->stack, &o->capacity, o->depth + 1, sizeof *o->stack))
        return cl_draft_nomem(o->d);
    o->stack[o->depth++] = task;
    return CLAST_OK;
}

/* What a task waits for; the first operand ends on top. */
static clast_status push_producers(cl_order *o, uint32_t task)
{
    const cl_draft *const d = o->d;
    for (uint32_t i = d->operand_start[task + 1]; i-- > d->operand_start[task];) {
        const uint32_t producer = o->producer[cl_operand_block(d->operand[i])];
        if (cl_operand_reads(d->operand[i]) && producer != CL_NONE)
            CL_TRY(push(o, producer));
    }
    return CLAST_OK;
}

/* All tasks of the super-tile that holds a product's task, K outermost, but for those
 * that follow others. On a stack the last comes first. */
static clast_status push_group(cl_order *o, uint32_t task)
{
    const cl_draft *const d = o->d;
    const cl_walk *const w = &d->walk[o->stage[task]];
    const cl_stage *const s = &d->stage[o->stage[task]];
    const cl_grid *const g = &d->tensor[s->out].grid;
    const int64_t tile = (task - w->first) / s->nfold;
    int64_t lo[2], hi[2];
    cl_grid_coords(g, tile, lo);
    if (cl_gemm_is_mirror(s, lo)) {
        o->is_grouped[task] = 1;
        return push_producers(o, task);
    }
    for (int a = 0; a < 2; a++) {
        lo[a] -= lo[a] % w->group[a];
        hi[a] = lo[a] + w->group[a];
        hi[a] = hi[a] < g->axis[a].count ? hi[a] : g->axis[a].count;
    }
    /* The panels of the shorter side stay for a step of K, the others come one by one.
     */
    const int outer = w->group[0] < w->group[1], inner = 1 - outer;
    int64_t at[2];
    for (int64_t k = s->nfold; k-- > 0;)
        for (at[outer] = hi[outer]; at[outer]-- > lo[outer];)
            for (at[inner] = hi[inner]; at[inner]-- > lo[inner];) {
                if (cl_gemm_is_mirror(s, at))
                    continue;
                const int64_t t = (at[0] * g->axis[1].count + at[1]) * s->nfold + k;
                o->is_grouped[w->first + t] = 1;
                CL_TRY(push(o, w->first + (uint32_t)t));
            }
    return CLAST_OK;
}

/* The tile that is the transpose of one that is complete. */
static clast_status push_mirror(cl_order *o, uint32_t task)
{
    const cl_draft *const d = o->d;
    const cl_walk *const w = &d->walk[o->stage[task]];
    const cl_stage *const s = &d->stage[o->stage[task]];
    const cl_grid *const g = &d->tensor[s->out].grid;
    const int64_t index = task - w->first;
    int64_t at[2];
    if (!s->is_symmetric || index % s->nfold != s->nfold - 1)
        return CLAST_OK;
    cl_grid_coords(g, index / s->nfold, at);
    if (at[0] >= at[1])
        return CLAST_OK;
    const int64_t t = at[1] * g->axis[1].count + at[0];
    return push(o, w->first + (uint32_t)(t * s->nfold + s->nfold - 1));
}

/* All tasks of a stage, axes in the order of its walk. */
static clast_status push_stage(cl_order *o, uint32_t stage)
{
    const cl_walk *const w = &o->d->walk[stage];
    const cl_grid *const g = &o->d->stage[stage].space;
    int64_t at[CL_MAXDIM];
    for (int a = 0; a < g->ndim; a++)
        at[a] = g->axis[a].count - 1;
    for (uint32_t i = 0; i < w->count; i++) { /* on a stack the last comes first */
        const uint32_t task = w->first + (uint32_t)cl_grid_tile(g, at);
        o->is_grouped[task] = 1;
        CL_TRY(push(o, task));
        for (int p = g->ndim - 1; p >= 0; p--) {
            const int a = w->order[p];
            if (at[a]-- > 0)
                break;
            at[a] = g->axis[a].count - 1;
        }
    }
    return CLAST_OK;
}

/* The task of another stage over the same tile; elementwise ones reduce no axis. */
static uint32_t sibling_task(const cl_draft *d, uint32_t from, uint32_t to,
                             uint32_t task)
{
    const cl_stage *const a = &d->stage[from], *const b = &d->stage[to];
    const uint32_t index = task - d->walk[from].first;
    if (a->axes == b->axes)
        return d->walk[to].first + index;
    const int64_t each_a = a->nfold > 0 ? a->nfold : 1;
    const int64_t each_b = b->nfold > 0 ? b->nfold : 1;
    int64_t coords[CL_MAXDIM], k = index % each_a, o = index / each_a;
    const cl_grid *const g = &a->space;
    for (int x = g->ndim - 1; x >= 0; x--) {
        int64_t *const at = a->axes >> x & 1 ? &k : &o;
        coords[x] = *at % g->axis[x].count;
        *at /= g->axis[x].count;
    }
    o = k = 0;
    for (int x = 0; x < g->ndim; x++) {
        int64_t *const at = b->axes >> x & 1 ? &k : &o;
        *at = *at * g->axis[x].count + coords[x];
    }
    return d->walk[to].first + (uint32_t)(o * each_b + k);
}

/* Its readers wait for one thing less; those that should follow at once are pushed. Of
 * the others nobody looks how much they wait for. */
static clast_status follow_up(cl_order *o, uint32_t task)
{
    const cl_draft *const d = o->d;
    if (!d->walk[o->stage[task]].is_followed)
        return CLAST_OK;
    for (uint32_t i = d->operand_start[task]; i < d->operand_start[task + 1]; i++) {
        if (cl_operand_reads(d->operand[i]))
            continue;
        const uint32_t b = cl_operand_block(d->operand[i]);
        const uint32_t *const begin = o->consumer + o->consumer_start[b];
        uint32_t *const pending = o->pending;
        for (const uint32_t *c = o->consumer + o->consumer_start[b + 1]; c-- > begin;) {
            const uint32_t next = *c;
            if (--pending[next] > 0)
                continue;
            const bool follows = o->stage[next] == o->stage[task]; /* its own chain */
            if (!follows && is_eager(&d->stage[o->stage[next]]))
                CL_TRY(push(o, next));
        }
    }
    return CLAST_OK;
}

/* The task is next: it gets its rank, and what should follow at once is pushed. */
static clast_status emit(cl_order *o, uint32_t task)
{
    const cl_draft *const d = o->d;
    o->rank[task] = o->nranked++;
    if (o->is_straight)
        return CLAST_OK;

    const uint32_t stage = o->stage[task];
    const cl_walk *const w = &d->walk[stage];
    if (w->is_mirrored) {
        const int64_t n = d->stage[stage].space.axis[0].count, t = task - w->first;
        CL_TRY(push(o, w->first + (uint32_t)(t % n * n + t / n)));
    }
    CL_TRY(push_mirror(o, task));
    CL_TRY(follow_up(o, task));
    for (uint32_t s = w->sibling; s != CL_NONE && s != stage; s = d->walk[s].sibling)
        CL_TRY(push(o, sibling_task(d, stage, s, task)));
    return CLAST_OK;
}

static bool is_waiting(const cl_order *o, uint32_t task)
{
    const cl_draft *const d = o->d;
    for (uint32_t i = d->operand_start[task]; i < d->operand_start[task + 1]; i++) {
        const uint32_t producer = o->producer[cl_operand_block(d->operand[i])];
        if (cl_operand_reads(d->operand[i]) && producer != CL_NONE &&
            o->rank[producer] == CL_NONE)
            return true;
    }
    return false;
}

/* Pushes what comes before the task on top. */
static clast_status open_top(cl_order *o, uint32_t task)
{
    if (!o->is_straight && !o->is_grouped[task]) {
        const uint32_t stage = o->stage[task];
        if (o->d->walk[stage].is_barrier)
            return push_stage(o, stage);
        if (o->d->stage[stage].kind == CL_STAGE_GEMM && is_waiting(o, task))
            return push_group(o, task);
    }
    o->stack[o->depth - 1] |= OPENED;
    return push_producers(o, task);
}

static clast_status visit(cl_order *o, uint32_t root)
{
    CL_TRY(push(o, root));
    while (o->depth > 0) {
        const uint32_t top = o->stack[o->depth - 1], task = top & ~OPENED;
        if (o->rank[task] != CL_NONE) {
            o->depth--;
        } else if (!(top & OPENED)) {
            CL_TRY(open_top(o, task));
        } else {
            o->depth--;
            CL_TRY(cl_draft_step(o->d, o->nranked));
            CL_TRY(emit(o, task));
        }
    }
    return CLAST_OK;
}

/* The tasks of a sink's stage, axes in the order of its walk. */
static clast_status visit_grid(cl_order *o, const cl_walk *w, const cl_grid *g)
{
    int64_t at[CL_MAXDIM] = {0};
    for (uint32_t i = 0; i < w->count; i++) {
        int64_t coords[CL_MAXDIM];
        for (int a = 0; a < g->ndim; a++)
            coords[a] = w->inner >> a & 1 ? g->axis[a].count - 1 - at[a] : at[a];
        CL_TRY(visit(o, w->first + (uint32_t)cl_grid_tile(g, coords)));
        for (int p = g->ndim - 1; p >= 0; p--) {
            const int a = w->order[p];
            if (++at[a] < g->axis[a].count)
                break;
            at[a] = 0;
        }
    }
    return CLAST_OK;
}

static clast_status visit_sinks(cl_order *o)
{
    const cl_draft *const d = o->d;
    for (size_t s = 0; s < d->nstage; s++)
        if (d->stage[s].kind == CL_STAGE_STORE)
            CL_TRY(visit_grid(o, &d->walk[s], &d->stage[s].units));
    for (uint32_t i = 0; i < d->nsink; i++) {
        if (!d->sink[i].is_persist)
            continue;
        const cl_tensor *const t = &d->tensor[d->item[d->sink_item[i]].tensor];
        const int64_t tiles = cl_grid_tiles(&t->grid);
        for (int64_t k = 0; k < tiles; k++)
            CL_TRY(visit(o, o->producer[t->first_block + (uint32_t)k * t->block_step]));
    }
    return CLAST_OK;
}

static clast_status line_up(cl_order *o)
{
    o->sequence = cl_alloc_array(o->nranked + (size_t)1, sizeof *o->sequence);
    if (!o->sequence)
        return cl_draft_nomem(o->d);
    const uint32_t *const start = o->d->operand_start;
    for (uint32_t t = 0; t < o->n; t++) {
        if (o->rank[t] >= o->nranked)
            continue;
        o->sequence[o->rank[t]] = t;
        o->noperand += start[t + 1] - start[t];
    }
    return CLAST_OK;
}

static clast_status rank_all(cl_order *o)
{
    cl_alloc_settle(o->d->operand);
    cl_alloc_settle(o->d->operand_start);
    o->is_straight = is_straight(o->d);
    o->is_grouped = cl_arena_array(&o->walk, o->d->ntask + 1, sizeof *o->is_grouped);
    if (!o->is_grouped)
        return cl_draft_nomem(o->d);
    cl_order_sum_readers(o);
    if (!o->is_straight || o->d->settings.order == CL_ORDER_GREEDY)
        CL_TRY(connect(o));
    CL_TRY(visit_sinks(o));
    cl_order_drop(&o->stack); /* what only the walk needed */
    cl_arena_fini(&o->walk);
    if (o->d->settings.order == CL_ORDER_GREEDY)
        CL_TRY(cl_order_greedy(o));
    return line_up(o);
}

static clast_status order(cl_order *o)
{
    CL_TRY(prepare(o));
    cl_order_sweep(o);
    if (cl_order_is_written_well(o))
        return cl_order_publish_written(o);
    CL_TRY(rank_all(o));
    return cl_order_publish(o);
}

clast_status cl_draft_order(cl_draft *d)
{
    cl_order o = {.d = d};
    const clast_status status = order(&o);
    cl_arena_fini(&o.walk);
    uint32_t *const owned[] = {o.stack,    o.stage,    o.producer,      o.rank,
                               o.sequence, o.consumer, o.consumer_start};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        cl_free(owned[i]);
    return status;
}
