/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persisted arrays: blocks that outlive their run.
 *
 * Between runs a persisted block belongs to its cl_persisted and is in memory or in
 * scratch. A run that reads the array borrows all its blocks: addresses and slots move
 * into the run's tables, the core adopts them as PERSIST blocks, which it may spill and
 * load like any other, and at the end, however the run ended, where they are is asked
 * of the core and they move back. The tables are left without them, so that the sweep
 * of a run frees everything it finds and never a persisted block.
 */
#include "sched/engine.h"

#include "base/alloc.h"

#include <string.h>

const cl_grid *cl_persisted_grid(const cl_persisted *p)
{
    return &p->grid;
}

uint64_t cl_persisted_count(const cl_persisted *p)
{
    return p->count;
}

void cl_persisted_places(const cl_persisted *p, uint8_t *in_memory)
{
    for (uint64_t i = 0; i < p->count; i++)
        in_memory[i] = p->block[i].address != NULL;
}

uint64_t cl_persisted_bytes(const cl_persisted *p)
{
    uint64_t pages = 0;
    for (uint64_t i = 0; i < p->count; i++)
        pages += p->block[i].address ? p->block[i].pages : 0;
    return pages * CL_PAGE;
}

bool cl_persisted_is_read(const cl_persisted *p, const cl_plan *plan, const cl_run *run)
{
    for (uint32_t i = 0; i < plan->nsource; i++)
        if (run->sources[plan->source[i].source].persisted == p)
            return true;
    return false;
}

void cl_persisted_each(const cl_plan *plan, const cl_run *run, cl_persisted_fn *fn,
                       void *arg)
{
    for (uint32_t i = 0; i < plan->nsource; i++) {
        cl_persisted *p = run->sources[plan->source[i].source].persisted;
        if (!p)
            continue;
        const cl_tensor *t = &plan->tensor[plan->source[i].tensor];
        for (uint64_t tile = 0; tile < p->count; tile++)
            fn(arg, &p->block[tile], cl_tile_block(t, tile));
    }
}

typedef struct {
    cl_core *core;
    const cl_core *ended;
    void **address;
    uint64_t *slot;
} tables;

typedef struct {
    tables tables;
    const cl_plan *plan;
    cl_stay stay;
    uint64_t leaving; /* pages */
    bool fits;
} adoption;

static void adopt(void *arg, cl_persisted_block *p, uint32_t block)
{
    adoption *a = arg;
    const bool stays = cl_room_stays(&a->stay, a->plan, p, block);
    a->tables.address[block] = p->address;
    a->leaving += p->address && !stays ? p->pages : 0;
    if (!a->tables.core)
        return;
    a->tables.slot[block] = p->slot;
    a->fits = cl_core_adopt(a->tables.core, block, !stays) && a->fits;
}

clast_status cl_persisted_adopt(cl_core *core, const cl_plan *plan, const cl_run *run,
                                const cl_budget *budget, void **address, uint64_t *slot,
                                uint64_t *leaving, cl_error *err)
{
    adoption a = {.tables = {.core = core, .address = address, .slot = slot},
                  .plan = plan,
                  .stay = cl_room_stay(plan, run, budget->pages),
                  .fits = true};
    cl_persisted_each(plan, run, adopt, &a);
    *leaving = a.leaving;
    return a.fits ? CLAST_OK
                  : cl_error_set(err, CLAST_EINTERNAL,
                                 "persisted blocks do not fit into %llu pages",
                                 (unsigned long long)budget->pages);
}

/* Without a core nothing is ever spilled. */
static cl_at where(const cl_core *ended, void *const *address, uint32_t block)
{
    if (ended)
        return cl_core_where(ended, block);
    return address[block] ? CL_AT_MEMORY : CL_AT_NOWHERE;
}

/* A block that is in memory and in scratch is left in memory: the sweep gives the slot
 * back. One whose spill failed after the core was told that it had ended is in memory,
 * whatever the core says. */
static void move_back(const tables *t, cl_persisted_block *p, uint32_t block)
{
    const bool in_memory = t->address[block] != NULL;
    p->address = in_memory ? t->address[block] : NULL;
    p->slot = in_memory ? 0 : t->slot[block];
    if (in_memory)
        t->address[block] = NULL;
    else
        t->slot[block] = 0;
}

static void give_back(void *arg, cl_persisted_block *p, uint32_t block)
{
    move_back(arg, p, block);
}

void cl_persisted_return(const cl_core *core, const cl_plan *plan, const cl_run *run,
                         void **address, uint64_t *slot)
{
    cl_persisted_each(plan, run, give_back,
                      &(tables){.ended = core, .address = address, .slot = slot});
}

/* ---- the engine's list, used last first ---- */

static void put_first(cl_engine *engine, cl_persisted *p)
{
    p->previous = NULL;
    p->next = engine->persisted;
    if (p->next)
        p->next->previous = p;
    engine->persisted = p;
}

static void take_out(cl_engine *engine, cl_persisted *p)
{
    if (p->previous)
        p->previous->next = p->next;
    else
        engine->persisted = p->next;
    if (p->next)
        p->next->previous = p->previous;
}

void cl_persisted_touch(cl_engine *engine, cl_persisted *p)
{
    cl_mutex_lock(&engine->mutex);
    take_out(engine, p);
    put_first(engine, p);
    cl_mutex_unlock(&engine->mutex);
}

/* ---- new ones ---- */

static clast_status copy_grid(cl_persisted *p, const cl_grid *grid)
{
    p->grid = *grid;
    for (int a = 0; a < grid->ndim; a++) {
        if (!grid->axis[a].cuts)
            continue;
        const size_t n = (size_t)grid->axis[a].count + 1;
        int64_t *cuts = cl_arena_array(&p->arena, n, sizeof *cuts);
        if (!cuts)
            return CLAST_ENOMEM;
        memcpy(cuts, grid->axis[a].cuts, n * sizeof *cuts);
        p->grid.axis[a].cuts = cuts;
    }
    return CLAST_OK;
}

static void free_persisted(cl_persisted *p)
{
    cl_arena_fini(&p->arena);
    cl_free(p->block);
    cl_free(p);
}

clast_status cl_persisted_make(cl_engine *engine, const cl_core *core,
                               const cl_plan *plan, uint32_t tensor, void **address,
                               uint64_t *slot, cl_persisted **out, cl_error *err)
{
    const cl_tensor *t = &plan->tensor[tensor];
    cl_persisted *p = cl_calloc(1, sizeof *p);
    if (!p)
        return cl_error_set(err, CLAST_ENOMEM, "no memory to persist an array");
    p->count = (uint64_t)cl_grid_tiles(&t->grid);
    p->block = cl_calloc((size_t)p->count, sizeof *p->block);
    if (!p->block || copy_grid(p, &t->grid)) {
        free_persisted(p);
        return cl_error_set(err, CLAST_ENOMEM, "no memory to persist an array");
    }
    for (uint64_t i = 0; i < p->count; i++) {
        const uint32_t block = cl_tile_block(t, i);
        if (where(core, address, block) == CL_AT_NOWHERE) {
            free_persisted(p);
            return cl_error_set(err, CLAST_EINTERNAL,
                                "block %u was to be persisted and is gone", block);
        }
    }
    for (uint64_t i = 0; i < p->count; i++) {
        const uint32_t block = cl_tile_block(t, i);
        p->block[i].pages = cl_plan_block(plan, block)->pages;
        move_back(&(tables){.ended = core, .address = address, .slot = slot},
                  &p->block[i], block);
    }
    put_first(engine, p);
    *out = p;
    return CLAST_OK;
}

void cl_persisted_free(cl_engine *engine, cl_persisted *p)
{
    if (!p)
        return;
    cl_mutex_lock(&engine->mutex);
    for (uint64_t i = 0; i < p->count; i++) {
        const cl_persisted_block *b = &p->block[i];
        if (b->address)
            cl_memory_give(engine->memory, b->address, b->pages);
        if (b->slot)
            cl_scratch_release(engine->spill.scratch, b->slot - 1);
    }
    take_out(engine, p);
    cl_mutex_unlock(&engine->mutex);
    free_persisted(p);
}
