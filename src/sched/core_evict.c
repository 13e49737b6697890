/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Victims. Dead blocks never get here: they are freed at once. Of the others the one
 * with the farthest next use goes (Belady's rule, the order being known), weighed by
 * what it costs to get it back.
 *
 * Every place has a binary max-heap of its evictable blocks (resident, unpinned, of
 * more than zero pages), keyed by next use: the lowest rank among armed, not started
 * consumers, CL_NONE where only PERSIST holds it. A cursor per block passes consumers
 * that are done, so that next uses cost O(1) amortised; the heap is indexed, so that a
 * change costs O(log n). Candidates are the first 15 entries, among which the farthest
 * are; the best ratio of distance to cost per page wins. Only when scratch is full and
 * none of them can go without it are all looked at.
 *
 * A block whose next use is not later than the task that wants room is never taken.
 */
#include "sched/core_internal.h"

#define CANDIDATES 15u
/* What a page of I/O is worth in cycles, for weighing recomputation against it. */
#define CYCLES_PER_PAGE 12000.0
/* What a page costs by spilling, in pages read: disks write more slowly than they read,
 * and what is written has to be read again. A reflectors block of a tall matrix of n
 * columns is recomputed up to about n = 350. */
#define SPILL_COST 2.5

static void put(cl_place *place, uint32_t at, uint32_t block, uint32_t key)
{
    place->heap[at] = block;
    place->key[at] = key;
    place->slot[block] = at + 1;
}

static void sift_up(cl_place *place, uint32_t at, uint32_t block, uint32_t key)
{
    while (at > 0 && place->key[(at - 1) / 2] < key) {
        const uint32_t up = (at - 1) / 2;
        put(place, at, place->heap[up], place->key[up]);
        at = up;
    }
    put(place, at, block, key);
}

static void sift_down(cl_place *place, uint32_t at, uint32_t block, uint32_t key)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= place->nheap)
            break;
        if (child + 1 < place->nheap && place->key[child + 1] > place->key[child])
            child++;
        if (place->key[child] <= key)
            break;
        put(place, at, place->heap[child], place->key[child]);
        at = child;
    }
    put(place, at, block, key);
}

static void sift(cl_place *place, uint32_t at, uint32_t block, uint32_t key)
{
    if (at > 0 && place->key[(at - 1) / 2] < key)
        sift_up(place, at, block, key);
    else
        sift_down(place, at, block, key);
}

static bool is_past(const cl_core *core, uint32_t task)
{
    return core->state[task] >= CL_TASK_RUNNING;
}

/* First consumer at or after *seen that was not started; moves *seen there. */
static uint32_t first_pending(const cl_core *core, const uint32_t *consumer, uint32_t n,
                              uint32_t *seen)
{
    while (*seen < n && is_past(core, consumer[*seen]))
        (*seen)++;
    return *seen < n ? consumer[*seen] : CL_NONE;
}

uint32_t cl_evict_next_use(cl_core *core, uint32_t block)
{
    uint32_t none_seen = 0; /* unbounded runs ask rarely and keep no cursors */
    const cl_segment *s =
        core->nsegment == 1 ? core->segment : cl_core_segment_of_block(core, block);
    const uint32_t i = block - s->block_base, start = s->consumer_start[i];
    uint32_t use =
        first_pending(core, s->consumer + start, s->consumer_start[i + 1] - start,
                      core->cursor ? &core->cursor[block] : &none_seen);
    uint32_t l = core->first_link ? core->first_link[block] : CL_NONE;
    for (; use == CL_NONE && l != CL_NONE; l = core->link[l].next) {
        cl_extern_link *link = &core->link[l];
        const cl_segment *e = &core->segment[link->segment];
        const uint32_t first = e->extern_start[link->index];
        use = first_pending(core, e->extern_consumer + first,
                            e->extern_start[link->index + 1] - first, &link->seen);
    }
    return use;
}

void cl_evict_add(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    const uint32_t hold = place->hold[block];
    if (!core->bounded || place->slot[block] != 0 ||
        cl_hold_state(hold) != CL_HOLD_RESIDENT || cl_hold_pins(hold) != 0 ||
        cl_core_block(core, block)->pages == 0)
        return;
    if (core->stamp && (core->stamp[block] == 0 || core->limits.policy == CL_EVICT_LRU))
        core->stamp[block] = ++core->clock;
    sift_up(place, place->nheap++, block, cl_evict_next_use(core, block));
}

void cl_evict_remove(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    if (!core->bounded || place->slot[block] == 0)
        return;
    const uint32_t at = place->slot[block] - 1, last = --place->nheap;
    place->slot[block] = 0;
    if (at != last)
        sift(place, at, place->heap[last], place->key[last]);
}

/* The block's next use may have changed. */
void cl_evict_touch(cl_core *core, uint32_t block)
{
    if (!core->bounded)
        return;
    for (uint32_t p = 0; p < core->limits.nplace; p++) {
        cl_place *place = &core->place[p];
        if (place->slot[block] != 0)
            sift(place, place->slot[block] - 1, block, cl_evict_next_use(core, block));
    }
}

/* Being run again is worth it at most CL_CORE_DROPS times between two uses, and never
 * for a block that nobody would ask for again. */
static bool may_recompute(const cl_core *core, uint32_t block, uint32_t next_use)
{
    return (core->flags[block] & CL_BLOCK_RECOMPUTE) && next_use != CL_NONE &&
           core->drops[block] < CL_CORE_DROPS;
}

typedef enum { BY_NOTHING, BY_DROPPING, BY_RECOMPUTING, BY_SPILLING } way;

static bool scratch_fits(const cl_core *core, const cl_place *place, uint64_t pages)
{
    return place->scratch + pages <= core->limits.scratch_pages;
}

/* How the block can leave the place, and what a page of it then costs. */
static way way_out(cl_core *core, uint16_t p, uint32_t block, uint32_t next_use,
                   double *cost)
{
    const cl_place *place = &core->place[p];
    const cl_block *b = cl_core_block(core, block);
    *cost = 1.0;
    if (place->hold[block] & CL_HOLD_SCRATCH)
        return BY_DROPPING;
    if (core->flags[block] & CL_BLOCK_SOURCE) {
        *cost = 1.0 + (double)b->load_pages / b->pages;
        return BY_DROPPING;
    }
    if (cl_block_is_elsewhere(core, block, p))
        return BY_DROPPING;
    const bool spills = scratch_fits(core, place, b->pages);
    if (may_recompute(core, block, next_use)) {
        const cl_segment *s = cl_task_segment(core, b->producer);
        const uint32_t stage = s->task_stage[b->producer - s->task_base];
        *cost = 1.0 + core->plan->stage[stage].cost / (CYCLES_PER_PAGE * b->pages);
        if (*cost < SPILL_COST || !spills)
            return BY_RECOMPUTING;
    }
    *cost = next_use == CL_NONE ? 1.0 : SPILL_COST;
    if (!spills)
        core->scratch_short = true;
    return spills ? BY_SPILLING : BY_NOTHING;
}

/* Nothing is written for a task that is out of its order by far: what it makes is
 * likely to be what has to be written next. */
static bool runs_ahead(const cl_core *core, uint32_t rank)
{
    return core->effort != CL_AT_ANY_COST && core->limits.nplace == 1 &&
           rank > core->horizon;
}

static bool is_fresh(const cl_place *place, uint32_t block)
{
    return place->hold[block] & CL_HOLD_FRESH;
}

static bool is_eligible(const cl_core *core, uint16_t p, uint32_t at, uint32_t rank,
                        uint16_t home)
{
    const cl_place *place = &core->place[p];
    if (core->effort != CL_AT_ANY_COST && core->limits.policy == CL_EVICT_FARTHEST &&
        (place->key[at] <= core->horizon || is_fresh(place, place->heap[at])))
        return false;
    if (place->key[at] > rank)
        return true;
    /* An operand of the task itself, already copied to where it will run. */
    return p != home && place->key[at] == rank &&
           cl_hold_state(core->place[home].hold[place->heap[at]]) == CL_HOLD_RESIDENT;
}

static uint32_t best_of(cl_core *core, uint16_t p, uint32_t from, uint32_t to,
                        uint32_t rank, uint16_t home, way *how)
{
    const cl_place *place = &core->place[p];
    uint32_t best = CL_NONE;
    double most = -1.0;
    for (uint32_t at = from; at < to; at++) {
        double cost;
        if (!is_eligible(core, p, at, rank, home))
            continue;
        const way w = way_out(core, p, place->heap[at], place->key[at], &cost);
        const double score = core->stamp ? 1.0 / core->stamp[place->heap[at]]
                                         : ((double)place->key[at] - rank) / cost;
        if (w == BY_NOTHING || (w == BY_SPILLING && runs_ahead(core, rank)) ||
            score <= most)
            continue;
        most = score;
        best = place->heap[at];
        *how = w;
    }
    return best;
}

static uint32_t pick(cl_core *core, uint16_t p, uint32_t rank, uint16_t home, way *how)
{
    const uint32_t n = core->place[p].nheap;
    const uint32_t first = n < CANDIDATES || core->stamp ? n : CANDIDATES;
    const uint32_t block = best_of(core, p, 0, first, rank, home, how);
    if (block != CL_NONE || (!core->scratch_short && p == home))
        return block;
    return best_of(core, p, first, n, rank, home, how);
}

/* Gives back scratch of blocks that are in memory as well; they count as dirty again.
 */
static bool discard_duplicates(cl_core *core, uint16_t p)
{
    cl_place *place = &core->place[p];
    bool any = false;
    for (uint32_t at = 0; at < place->nheap; at++) {
        const uint32_t block = place->heap[at];
        if (!(place->hold[block] & CL_HOLD_SCRATCH))
            continue;
        place->hold[block] &= ~(uint32_t)CL_HOLD_SCRATCH;
        place->scratch -= cl_core_block(core, block)->pages;
        cl_action_push(core, CL_ACTION_DISCARD, block, p);
        any = true;
    }
    return any;
}

static void spill(cl_core *core, uint16_t p, uint32_t block)
{
    cl_place *place = &core->place[p];
    const uint64_t pages = cl_core_block(core, block)->pages;
    cl_evict_remove(core, block, p);
    cl_hold_become(&place->hold[block], CL_HOLD_SPILLING);
    place->leaving += pages;
    place->scratch += pages;
    place->inflight++;
    if (place->scratch > core->counts.peak_scratch_pages)
        core->counts.peak_scratch_pages = place->scratch;
    core->counts.spilled_pages += pages;
    cl_action_push(core, CL_ACTION_SPILL, block, p);
}

static bool evict_one(cl_core *core, uint16_t p, uint32_t rank, uint16_t home)
{
    way how = BY_NOTHING;
    core->scratch_short = false;
    uint32_t block = pick(core, p, rank, home, &how);
    if (block == CL_NONE && core->scratch_short && discard_duplicates(core, p))
        block = pick(core, p, rank, home, &how);
    if (block == CL_NONE)
        return false;
    if (how == BY_SPILLING) {
        spill(core, p, block);
        return true;
    }
    if (how == BY_RECOMPUTING)
        core->drops[block]++;
    cl_block_drop(core, block, p);
    return true;
}

/* Pages that will be free without anything being evicted: those that are spilled, and
 * the staging of loads, where as many are under way as can be served. */
static uint64_t coming(const cl_core *core, const cl_place *place)
{
    const bool is_many = place->loading > 0 && place->loading >= core->limits.loads;
    return place->leaving + (is_many ? place->staging : 0);
}

bool cl_evict_make_room(cl_core *core, uint16_t p, uint64_t pages, uint32_t rank,
                        uint16_t home)
{
    const cl_place *place = &core->place[p];
    const uint64_t budget = core->limits.budget_pages;
    while (place->reserved + pages > budget) {
        if (core->effort == CL_IF_FREE)
            return false;
        if (core->bounded && place->reserved - coming(core, place) + pages <= budget)
            return false; /* what is under way will do */
        if (core->bounded && evict_one(core, p, rank, home))
            continue;
        if (!cl_action_revoke_later(core, p, rank))
            return false;
    }
    return true;
}
