/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments: the core's arrays grow with every one, and consumers of a block are found
 * through all of them.
 *
 * Appending first makes room everywhere (the only thing that can fail), then fills. A
 * block's consumers are its own segment's CSR row followed by rows of later segments
 * (extern blocks), which hang on it as a short list of links; as task ids go on
 * counting the whole walk is ascending. The segment of an id is found by bisection;
 * with one segment, the common case, inline.
 */
#include <string.h>

#include "sched/core_internal.h"

const cl_segment *cl_core_segment_of_task(const cl_core *core, uint32_t task)
{
    uint32_t lo = 0, hi = core->nsegment;
    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (core->segment[mid].task_base <= task)
            lo = mid;
        else
            hi = mid;
    }
    return &core->segment[lo];
}

const cl_segment *cl_core_segment_of_block(const cl_core *core, uint32_t block)
{
    uint32_t lo = 0, hi = core->nsegment;
    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (core->segment[mid].block_base <= block)
            lo = mid;
        else
            hi = mid;
    }
    return &core->segment[lo];
}

bool cl_consumers_more(const cl_core *core, cl_consumers *c)
{
    while (c->at == c->end) {
        if (c->link == CL_NONE)
            return false;
        const cl_extern_link *link = &core->link[c->link];
        const cl_segment *s = &core->segment[link->segment];
        c->at = s->extern_consumer + s->extern_start[link->index];
        c->end = s->extern_consumer + s->extern_start[link->index + 1];
        c->link = link->next;
    }
    return true;
}

static bool grow(void *address, size_t room, size_t size)
{
    void **array = address;
    void *fresh = cl_realloc_array(*array, room, size);
    if (fresh == NULL)
        return false;
    *array = fresh;
    return true;
}

/* Twice the room where a core grows again and again, exactly enough the first time. */
static size_t next_room(size_t room, size_t need)
{
    return room == 0 ? need : (2 * room > need ? 2 * room : need);
}

static bool grow_tasks(cl_core *core, size_t need)
{
    if (need <= core->task_room)
        return true;
    const size_t room = next_room(core->task_room, need);
    if (!grow(&core->wait, room, sizeof *core->wait) ||
        !grow(&core->state, room, sizeof *core->state))
        return false;
    if (core->limits.nplace > 1 &&
        !grow(&core->task_place, room, sizeof *core->task_place))
        return false;
    if (!cl_ready_grow(&core->ready, (uint32_t)room) ||
        !cl_ready_grow(&core->pending, (uint32_t)room))
        return false;
    core->task_room = room;
    return true;
}

static bool grow_bounded(cl_core *core, size_t room)
{
    if (!grow(&core->cursor, room, sizeof *core->cursor) ||
        !grow(&core->drops, room, sizeof *core->drops))
        return false;
    if (core->limits.policy != CL_EVICT_FARTHEST &&
        !grow(&core->stamp, room, sizeof *core->stamp))
        return false;
    for (uint32_t p = 0; p < core->limits.nplace; p++) {
        cl_place *place = &core->place[p];
        if (!grow(&place->heap, room, sizeof *place->heap) ||
            !grow(&place->key, room, sizeof *place->key) ||
            !grow(&place->slot, room, sizeof *place->slot))
            return false;
    }
    return true;
}

static bool grow_blocks(cl_core *core, size_t need)
{
    if (need <= core->block_room)
        return true;
    const size_t room = next_room(core->block_room, need);
    if (!grow(&core->uses, room, sizeof *core->uses) ||
        !grow(&core->flags, room, sizeof *core->flags))
        return false;
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        if (!grow(&core->place[p].hold, room, sizeof *core->place[p].hold))
            return false;
    if (core->first_link && !grow(&core->first_link, room, sizeof *core->first_link))
        return false;
    if (core->bounded && !grow_bounded(core, room))
        return false;
    core->block_room = room;
    return true;
}

static bool grow_links(cl_core *core, uint32_t nextern)
{
    if (nextern == 0)
        return true;
    if (core->first_link == NULL) {
        if (!grow(&core->first_link, core->block_room, sizeof *core->first_link))
            return false;
        memset(core->first_link, 0xff, core->nblock * sizeof *core->first_link);
    }
    return cl_grow(&core->link, &core->link_room, core->nlink + (size_t)nextern,
                   sizeof *core->link);
}

/* From now on victims may be needed. */
clast_status cl_evict_begin(cl_core *core, cl_error *err)
{
    if (!grow_bounded(core, core->block_room))
        return cl_error_set(err, CLAST_ENOMEM, "no memory for %zu blocks' use order",
                            core->block_room);
    memset(core->cursor, 0, core->nblock * sizeof *core->cursor);
    memset(core->drops, 0, core->nblock * sizeof *core->drops);
    if (core->stamp)
        memset(core->stamp, 0, core->nblock * sizeof *core->stamp);
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        memset(core->place[p].slot, 0, core->nblock * sizeof *core->place[p].slot);
    core->bounded = true;
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        for (uint32_t b = 0; b < core->nblock; b++)
            cl_evict_add(core, b, (uint16_t)p);
    return CLAST_OK;
}

static clast_status check_segment(const cl_core *core, const cl_segment *s,
                                  cl_error *err)
{
    if (s->task_base != core->ntask || s->block_base != core->nblock)
        return cl_error_set(
            err, CLAST_EINTERNAL,
            "segment begins at task %u and block %u, expected %u and %u", s->task_base,
            s->block_base, core->ntask, core->nblock);
    for (uint32_t i = 0; i < s->nextern; i++) {
        const uint32_t b = s->extern_block[i];
        if (b >= core->nblock || !(core->flags[b] & CL_BLOCK_PERSIST))
            return cl_error_set(err, CLAST_EINTERNAL,
                                "segment reads block %u, which was not persisted", b);
    }
    return CLAST_OK;
}

/* Pages of all blocks, and the most that one task or load takes besides them: while
 * their sum fits nothing is ever evicted. */
static void measure(cl_core *core, const cl_segment *s)
{
    for (uint32_t i = 0; i < s->nblock; i++) {
        const cl_block *b = &s->block[i];
        if (b->flags & CL_BLOCK_RESIDENT)
            continue;
        core->all_pages += b->pages;
        if (b->load_pages > core->most_extra)
            core->most_extra = b->load_pages;
        core->loads = core->loads || (b->flags & CL_BLOCK_SOURCE);
    }
    for (uint32_t i = 0; i < core->plan->nstage; i++)
        if (core->plan->stage[i].workspace_pages > core->most_extra)
            core->most_extra = core->plan->stage[i].workspace_pages;
}

static void fill_blocks(cl_core *core, const cl_segment *s)
{
    const uint32_t base = s->block_base;
    if (s->nblock == 0)
        return;
    for (uint32_t i = 0; i < s->nblock; i++) {
        const uint8_t flags = s->block[i].flags;
        const bool home = flags & (CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT);
        core->uses[base + i] = s->consumer_start[i + 1] - s->consumer_start[i];
        core->flags[base + i] = (uint8_t)(flags | (home ? CL_BLOCK_MADE : 0));
    }
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        memset(core->place[p].hold + base, 0, s->nblock * sizeof *core->uses);
    if (core->first_link)
        memset(core->first_link + base, 0xff, s->nblock * sizeof *core->uses);
    if (!core->bounded)
        return;
    memset(core->cursor + base, 0, s->nblock * sizeof *core->cursor);
    memset(core->drops + base, 0, s->nblock * sizeof *core->drops);
    if (core->stamp)
        memset(core->stamp + base, 0, s->nblock * sizeof *core->stamp);
    for (uint32_t p = 0; p < core->limits.nplace; p++)
        memset(core->place[p].slot + base, 0, s->nblock * sizeof *core->uses);
}

static void fill_links(cl_core *core, const cl_segment *s)
{
    for (uint32_t i = 0; i < s->nextern; i++) {
        const uint32_t b = s->extern_block[i];
        uint32_t *end = &core->first_link[b];
        while (*end != CL_NONE)
            end = &core->link[*end].next;
        *end = core->nlink;
        core->link[core->nlink++] = (cl_extern_link){core->nsegment - 1, i, 0, CL_NONE};
        core->uses[b] += s->extern_start[i + 1] - s->extern_start[i];
        if (core->bounded)
            cl_evict_touch(core, b);
    }
}

/* Every read operand is waited for, but for those that are there already. */
static void fill_waits(cl_core *core, const cl_segment *s)
{
    uint32_t *wait = core->wait + s->task_base;
    for (uint32_t t = 0; t < s->ntask; t++) {
        const uint32_t outputs = core->plan->stage[s->task_stage[t]].outputs;
        uint32_t n = s->operand_start[t + 1] - s->operand_start[t] - outputs;
        for (uint32_t o = s->operand_start[t];
             outputs == 0 && o < s->operand_start[t + 1]; o++)
            n -= !cl_mode_reads(s->operand[o]);
        wait[t] = n;
    }
    for (uint32_t i = 0; i < s->nblock; i++)
        if (core->flags[s->block_base + i] & CL_BLOCK_MADE)
            for (uint32_t c = s->consumer_start[i]; c < s->consumer_start[i + 1]; c++)
                core->wait[s->consumer[c]]--;
    for (uint32_t i = 0; i < s->nextern; i++)
        if (core->flags[s->extern_block[i]] & CL_BLOCK_MADE)
            for (uint32_t c = s->extern_start[i]; c < s->extern_start[i + 1]; c++)
                core->wait[s->extern_consumer[c]]--;
    for (uint32_t t = 0; t < s->ntask; t++)
        if (wait[t] == 0)
            cl_task_make_ready(core, s->task_base + t);
}

/* With loads, `pending` is kept: tasks that were not started. */
static void fill_pending(cl_core *core)
{
    for (uint32_t t = 0; t < core->ntask; t++)
        if (core->state[t] < CL_TASK_RUNNING)
            cl_ready_set(&core->pending, t);
}

clast_status cl_core_append(cl_core *core, const cl_segment *segment, cl_error *err)
{
    CL_TRY(check_segment(core, segment, err));
    if (!cl_grow(&core->segment, &core->segment_room, core->nsegment + (size_t)1,
                 sizeof *core->segment) ||
        !grow_tasks(core, core->ntask + (size_t)segment->ntask) ||
        !grow_blocks(core, core->nblock + (size_t)segment->nblock) ||
        !grow_links(core, segment->nextern))
        return cl_error_set(err, CLAST_ENOMEM,
                            "no memory to schedule %u more tasks and %u more blocks",
                            segment->ntask, segment->nblock);
    const bool kept_pending = core->loads || core->bounded;
    const uint64_t all = core->all_pages, extra = core->most_extra;
    measure(core, segment);
    const bool fits = core->all_pages + core->most_extra <= core->limits.budget_pages;
    if (!fits || core->loads)
        cl_fit_leave(core);
    if (!core->bounded && !fits) {
        const clast_status status = cl_evict_begin(core, err);
        if (status != CLAST_OK) {
            core->all_pages = all;
            core->most_extra = extra;
            return status;
        }
    }
    core->segment[core->nsegment++] = *segment;
    core->ntask += segment->ntask;
    core->nblock += segment->nblock;
    core->remaining += segment->ntask;
    if (segment->ntask > 0) /* a plan that only persists blocks has no states at all */
        memset(core->state + segment->task_base, CL_TASK_WAITING, segment->ntask);
    fill_blocks(core, segment);
    fill_links(core, segment);
    fill_waits(core, segment);
    if (core->loads || core->bounded) {
        if (kept_pending)
            for (uint32_t t = segment->task_base; t < core->ntask; t++)
                cl_ready_set(&core->pending, t);
        else
            fill_pending(core);
    }
    core->stirred = true;
    return CLAST_OK;
}

void cl_core_free_arrays(cl_core *core)
{
    for (uint32_t p = 0; core->place && p < core->limits.nplace; p++) {
        cl_free(core->place[p].hold);
        cl_free(core->place[p].heap);
        cl_free(core->place[p].key);
        cl_free(core->place[p].slot);
    }
    cl_free(core->place);
    cl_free(core->segment);
    cl_free(core->wait);
    cl_free(core->state);
    cl_free(core->task_place);
    cl_ready_fini(&core->ready);
    cl_ready_fini(&core->pending);
    cl_free(core->claim);
    cl_free(core->uses);
    cl_free(core->flags);
    cl_free(core->cursor);
    cl_free(core->drops);
    cl_free(core->stamp);
    cl_free(core->first_link);
    cl_free(core->link);
    cl_free(core->copying);
    cl_free(core->queue);
}

uint64_t cl_core_bytes(const cl_core *core)
{
    uint64_t per_block = sizeof *core->uses + sizeof *core->flags +
                         core->limits.nplace * sizeof *core->place->hold;
    if (core->bounded)
        per_block += sizeof *core->cursor + sizeof *core->drops +
                     (core->stamp ? sizeof *core->stamp : 0) +
                     core->limits.nplace * 3 * sizeof *core->place->heap;
    if (core->first_link)
        per_block += sizeof *core->first_link;
    const uint64_t per_task = sizeof *core->wait + sizeof *core->state +
                              (core->task_place ? sizeof *core->task_place : 0);
    return sizeof *core + core->limits.nplace * sizeof *core->place +
           core->segment_room * sizeof *core->segment + core->task_room * per_task +
           core->block_room * per_block + core->link_room * sizeof *core->link +
           cl_ready_bytes(&core->ready) + cl_ready_bytes(&core->pending) +
           (core->limits.prefetch + 1ull) * sizeof *core->claim +
           core->queue_room * sizeof *core->queue +
           core->copying_room * sizeof *core->copying;
}
