/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a place holds of a block, and how that changes: obtained (loaded from its source
 * or from scratch, or copied from another place), spilled, dropped, freed, lost.
 *
 * Every change of pages goes with a change of the hold's state, here and nowhere else
 * but at the start and end of a task (core_task.c). A block that became unwanted while
 * something was under way with it is *cleared* when that ends. RESIDENT blocks are the
 * caller's memory: they can be read everywhere at no charge and have no holds.
 */
#include "sched/core_internal.h"

void cl_place_reserve(cl_core *core, uint16_t p, uint64_t pages)
{
    cl_place *place = &core->place[p];
    place->reserved += pages;
    if (place->reserved > core->counts.peak_pages)
        core->counts.peak_pages = place->reserved;
}

bool cl_block_is_wanted(const cl_core *core, uint32_t block)
{
    return core->uses[block] != 0 || (core->flags[block] & CL_BLOCK_PERSIST) != 0;
}

static bool can_leave(const cl_core *core, uint32_t block, uint16_t p)
{
    const uint32_t hold = core->place[p].hold[block];
    return cl_hold_state(hold) == CL_HOLD_RESIDENT && cl_hold_pins(hold) == 0;
}

/* Memory goes at once: nobody is asked. */
void cl_block_drop(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    cl_evict_remove(core, block, p);
    if (core->stamp)
        core->stamp[block] = 0;
    cl_hold_become(&place->hold[block], CL_HOLD_ABSENT);
    place->reserved -= cl_core_block(core, block)->pages;
    cl_action_push(core, CL_ACTION_FREE, block, p);
}

/* Frees what an unwanted block still has at the place, as far as nothing holds it. */
void cl_block_clear(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    uint32_t *hold = &place->hold[block];
    if (*hold == CL_HOLD_ABSENT || cl_block_is_wanted(core, block))
        return;
    if (can_leave(core, block, p))
        cl_block_drop(core, block, p);
    if ((*hold & CL_HOLD_SCRATCH) && !(*hold & CL_HOLD_FROM_SCRATCH)) {
        *hold &= ~(uint32_t)CL_HOLD_SCRATCH;
        place->scratch -= cl_core_block(core, block)->pages;
        cl_action_push(core, CL_ACTION_DISCARD, block, p);
    }
}

void cl_block_clear_all(cl_core *core, uint32_t block)
{
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        cl_block_clear(core, block, (uint16_t)p);
}

void cl_block_unpin(cl_core *core, uint32_t block, uint16_t p)
{
    uint32_t *hold = &core->place[p].hold[block];
    *hold -= CL_HOLD_PIN;
    if (cl_hold_pins(*hold) != 0)
        return;
    if (!cl_block_is_wanted(core, block))
        cl_block_clear(core, block, p);
    else
        cl_evict_add(core, block, p);
}

static bool holds_copy(const cl_core *core, uint32_t block, uint32_t p)
{
    const uint32_t hold = core->place[p].hold[block], state = cl_hold_state(hold);
    return (hold & CL_HOLD_SCRATCH) || state == CL_HOLD_RESIDENT ||
           state == CL_HOLD_SPILLING;
}

bool cl_block_is_elsewhere(const cl_core *core, uint32_t block, uint16_t p)
{
    for (uint32_t q = 0; q < core->limits.nplace; q++)
        if (q != p && holds_copy(core, block, q))
            return true;
    return false;
}

/* Somewhere, or coming, or to be had from its home. */
bool cl_block_has_copy(const cl_core *core, uint32_t block)
{
    if (core->flags[block] & (CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT))
        return true;
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        if (core->place[p].hold[block] % CL_HOLD_PIN != CL_HOLD_ABSENT)
            return true;
    return false;
}

static cl_verdict begin_load(cl_core *core, uint32_t block, uint16_t p, uint32_t rank,
                             uint16_t home)
{
    cl_place *place = &core->place[p];
    const cl_block *b = cl_core_block(core, block);
    const bool from_scratch = place->hold[block] & CL_HOLD_SCRATCH;
    const uint64_t pages = b->pages + (from_scratch ? 0 : (uint64_t)b->load_pages);
    if (!cl_evict_make_room(core, p, pages + place->slack, rank, home))
        return CL_LACKS;
    cl_place_reserve(core, p, pages);
    cl_hold_become(&place->hold[block], CL_HOLD_LOADING);
    place->hold[block] |= from_scratch ? CL_HOLD_FROM_SCRATCH : CL_HOLD_FROM_SOURCE;
    place->hold[block] |= CL_HOLD_FRESH;
    place->inflight++;
    if (!from_scratch) {
        place->staging += b->load_pages;
        place->loading++;
    }
    cl_action_push_full(core, (cl_action){.kind = CL_ACTION_LOAD,
                                          .place = p,
                                          .block = block,
                                          .from_scratch = from_scratch});
    return CL_PENDING;
}

static cl_verdict begin_copy(cl_core *core, uint32_t block, uint16_t p, uint16_t from,
                             uint32_t rank, uint16_t home)
{
    cl_place *place = &core->place[p];
    const uint64_t pages = cl_core_block(core, block)->pages;
    if (!cl_grow(&core->copying, &core->copying_room, core->ncopying + 1,
                 sizeof *core->copying)) {
        cl_core_fail(core, CLAST_ENOMEM, CL_NONE, CL_NONE, block);
        return CL_LACKS;
    }
    /* Pinned first: making room must not take the copy that is to be read. */
    cl_evict_remove(core, block, from);
    core->place[from].hold[block] += CL_HOLD_PIN;
    if (!cl_evict_make_room(core, p, pages + place->slack, rank, home)) {
        cl_block_unpin(core, block, from);
        return CL_LACKS;
    }
    cl_place_reserve(core, p, pages);
    cl_hold_become(&place->hold[block], CL_HOLD_LOADING);
    place->inflight++;
    core->copying[core->ncopying++] = (cl_copying){block, p, from, false};
    cl_action_push_full(
        core,
        (cl_action){.kind = CL_ACTION_COPY, .place = p, .from = from, .block = block});
    return CL_PENDING;
}

/* Another place has it: copy, or wait until it can be read there, or have it read from
 * the scratch there. */
static cl_verdict obtain_from_others(cl_core *core, uint32_t block, uint16_t p,
                                     uint32_t rank, uint16_t home)
{
    cl_verdict verdict = CL_MISSING;
    for (uint32_t q = 0; q < core->limits.nplace; q++) {
        const uint32_t state = cl_hold_state(core->place[q].hold[block]);
        if (q == p)
            continue;
        if (state == CL_HOLD_RESIDENT || state == CL_HOLD_SPILLING)
            return begin_copy(core, block, p, (uint16_t)q, rank, home);
        if (state != CL_HOLD_ABSENT)
            verdict = CL_PENDING;
    }
    for (uint32_t q = 0; verdict == CL_MISSING && q < core->limits.nplace; q++)
        if (core->place[q].hold[block] & CL_HOLD_SCRATCH)
            verdict = begin_load(core, block, (uint16_t)q, rank, home);
    return verdict;
}

cl_verdict cl_block_obtain(cl_core *core, uint32_t block, uint16_t p, uint32_t rank,
                           uint16_t home)
{
    const uint32_t hold = core->place[p].hold[block];
    if (cl_block_is_here(core, block, p))
        return CL_GO;
    if (cl_hold_state(hold) != CL_HOLD_ABSENT)
        return CL_PENDING;
    if ((hold & CL_HOLD_SCRATCH) || (core->flags[block] & CL_BLOCK_SOURCE))
        return begin_load(core, block, p, rank, home);
    return obtain_from_others(core, block, p, rank, home);
}

/* Forgets the copy on its way to `p`; true where its source was lost meanwhile. */
static bool end_copy(cl_core *core, uint32_t block, uint16_t p)
{
    for (size_t i = 0; i < core->ncopying; i++) {
        const cl_copying c = core->copying[i];
        if (c.block != block || c.place != p)
            continue;
        core->copying[i] = core->copying[--core->ncopying];
        if (!c.orphan)
            cl_block_unpin(core, block, c.from);
        return c.orphan;
    }
    return false;
}

/* Ends LOADING; the charge besides the block's own pages goes. */
static void end_load(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    uint32_t *hold = &place->hold[block];
    if (*hold & CL_HOLD_FROM_SOURCE) {
        const uint32_t staging = cl_core_block(core, block)->load_pages;
        place->reserved -= staging;
        place->staging -= staging;
        place->loading--;
    }
    *hold &= ~(uint32_t)(CL_HOLD_FROM_SOURCE | CL_HOLD_FROM_SCRATCH);
    place->inflight--;
}

void cl_block_unload(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    end_load(core, block, p);
    cl_hold_become(&place->hold[block], CL_HOLD_ABSENT);
    place->reserved -= cl_core_block(core, block)->pages;
    end_copy(core, block, p);
    cl_block_clear(core, block, p);
}

void cl_block_loaded(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    uint32_t *hold = &place->hold[block];
    const uint64_t pages = cl_core_block(core, block)->pages;
    if (cl_hold_state(*hold) != CL_HOLD_LOADING)
        return;
    core->counts.loaded_pages += pages;
    if (*hold & CL_HOLD_FROM_SCRATCH)
        core->counts.reloaded_pages += pages;
    const bool from_scratch = *hold & CL_HOLD_FROM_SCRATCH;
    end_load(core, block, p);
    cl_hold_become(hold, CL_HOLD_RESIDENT);
    if (core->limits.nplace > 1)
        end_copy(core, block, p);
    /* The copy in scratch makes a second eviction free, while there is room for it. */
    if (from_scratch && place->scratch > core->limits.scratch_pages / 2 &&
        cl_block_is_wanted(core, block)) {
        *hold &= ~(uint32_t)CL_HOLD_SCRATCH;
        place->scratch -= pages;
        cl_action_push(core, CL_ACTION_DISCARD, block, p);
    }
    cl_block_clear(core, block, p);
    cl_evict_add(core, block, p);
}

void cl_block_spilled(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    uint32_t *hold = &place->hold[block];
    if (cl_hold_state(*hold) != CL_HOLD_SPILLING)
        return;
    place->inflight--;
    place->leaving -= cl_core_block(core, block)->pages;
    cl_hold_become(hold, CL_HOLD_RESIDENT);
    *hold |= CL_HOLD_SCRATCH;
    if (!cl_block_is_wanted(core, block))
        cl_block_clear(core, block, p);
    else if (cl_hold_pins(*hold) == 0)
        cl_block_drop(core, block, p);
}

static void spill_failed(cl_core *core, uint32_t block, uint16_t p)
{
    cl_place *place = &core->place[p];
    const uint64_t pages = cl_core_block(core, block)->pages;
    place->inflight--;
    place->leaving -= pages;
    place->scratch -= pages;
    cl_hold_become(&place->hold[block], CL_HOLD_RESIDENT);
    cl_block_clear(core, block, p);
    cl_evict_add(core, block, p);
}

static bool is_orphan(const cl_core *core, uint32_t block, uint16_t p)
{
    for (size_t i = 0; i < core->ncopying; i++)
        if (core->copying[i].block == block && core->copying[i].place == p)
            return core->copying[i].orphan;
    return false;
}

/* A persisted block that no task will ask for must be had again nevertheless. */
static void rescue(cl_core *core, uint32_t block)
{
    const uint8_t flags = core->flags[block];
    if ((flags & CL_BLOCK_PERSIST) && (flags & CL_BLOCK_MADE) &&
        core->uses[block] == 0 && !cl_block_has_copy(core, block))
        cl_task_demand(core, block);
}

/* A copy whose source was lost is no failure of the run: it is sought anew. */
void cl_block_failed(cl_core *core, const cl_event *event)
{
    const uint32_t block = event->block;
    const uint16_t p = event->place;
    const uint32_t state = cl_hold_state(core->place[p].hold[block]);
    if (state != CL_HOLD_LOADING && state != CL_HOLD_SPILLING)
        return;
    const bool orphan = is_orphan(core, block, p);
    const uint32_t rank = cl_evict_next_use(core, block);
    if (state == CL_HOLD_SPILLING) {
        spill_failed(core, block, p);
    } else {
        cl_action_push(core, CL_ACTION_FREE, block, p);
        cl_block_unload(core, block, p);
    }
    if (!orphan)
        cl_core_fail(core, event->status, rank, CL_NONE, block);
    else
        rescue(core, block);
}

static void orphan_copies(cl_core *core, uint16_t lost)
{
    size_t kept = 0;
    for (size_t i = 0; i < core->ncopying; i++) {
        cl_copying c = core->copying[i];
        if (c.place == lost) {
            if (!c.orphan && c.from != lost)
                cl_block_unpin(core, c.block, c.from);
            continue;
        }
        c.orphan = c.orphan || c.from == lost;
        core->copying[kept++] = c;
    }
    core->ncopying = kept;
}

/* Tasks that ran there are armed as they were; their operands wait for them again. */
static void lose_tasks(cl_core *core, uint16_t lost)
{
    for (uint32_t t = 0; t < core->ntask; t++) {
        const bool there = core->task_place == NULL || core->task_place[t] == lost;
        if (core->state[t] == CL_TASK_RUNNING && there)
            cl_task_lose(core, t);
    }
    for (uint32_t i = core->nclaim; i-- > 0;)
        if (core->claim[i].place == lost)
            cl_task_make_ready(core, core->claim[i].task);
}

static void lose_blocks(cl_core *core, uint16_t lost)
{
    cl_place *place = &core->place[lost];
    for (uint32_t b = 0; b < core->nblock; b++) {
        cl_evict_remove(core, b, lost);
        place->hold[b] = CL_HOLD_ABSENT;
    }
    place->reserved = place->leaving = place->staging = place->scratch = 0;
    place->running = place->inflight = place->loading = 0;
    place->epoch++;
}

void cl_place_lost(cl_core *core, uint16_t lost)
{
    cl_fit_leave(core);
    cl_action_revoke_place(core, lost);
    orphan_copies(core, lost);
    lose_blocks(core, lost);
    lose_tasks(core, lost);
    for (uint32_t b = 0; b < core->nblock; b++)
        rescue(core, b);
}
