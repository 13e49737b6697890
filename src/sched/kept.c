/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persisted arrays: blocks that outlive their run.
 *
 * Between runs a kept block belongs to its cl_kept and is in memory or in scratch. A
 * run that reads the array borrows all its blocks: addresses and slots move into the
 * run's tables, the core adopts them as KEEP blocks, which it may spill and load like
 * any other, and at the end, however the run ended, where they are is asked of the core
 * and they move back. The tables are left without them, so that the sweep of a run
 * frees everything it finds and never a kept block.
 */
#include "sched/engine.h"

#include "base/alloc.h"

#include <string.h>

const cl_grid *cl_kept_grid(const cl_kept *kept)
{
    return &kept->grid;
}

bool cl_kept_is_read(const cl_kept *kept, const cl_plan *plan, const cl_run *run)
{
    for (uint32_t i = 0; i < plan->nsource; i++)
        if (run->sources[plan->source[i].source].kept == kept)
            return true;
    return false;
}

typedef void each_fn(void *arg, cl_kept_block *kept, uint32_t block);

/* Calls fn once for every kept block that the plan reads. */
static void for_each(const cl_plan *plan, const cl_run *run, each_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < plan->nsource; i++) {
        cl_kept *kept = run->sources[plan->source[i].source].kept;
        if (!kept)
            continue;
        const cl_tensor *t = &plan->tensor[plan->source[i].tensor];
        for (uint64_t tile = 0; tile < kept->count; tile++)
            fn(arg, &kept->block[tile], cl_tile_block(t, tile));
    }
}

typedef struct {
    cl_core *core;
    const cl_core *ended;
    void **address;
    uint64_t *slot;
} tables;

static void adopt(void *arg, cl_kept_block *kept, uint32_t block)
{
    const tables *t = arg;
    t->address[block] = kept->address;
    t->slot[block] = kept->slot;
    cl_core_adopt(t->core, block, !kept->address);
}

void cl_kept_adopt(cl_core *core, const cl_plan *plan, const cl_run *run,
                   void **address, uint64_t *slot)
{
    for_each(plan, run, adopt,
             &(tables){.core = core, .address = address, .slot = slot});
}

/* A block that is in memory and in scratch is left in memory: the sweep gives the slot
 * back. */
static void move_back(const tables *t, cl_kept_block *kept, uint32_t block)
{
    const bool in_memory = cl_core_where(t->ended, block) == CL_AT_MEMORY;
    kept->address = in_memory ? t->address[block] : NULL;
    kept->slot = in_memory ? 0 : t->slot[block];
    if (in_memory)
        t->address[block] = NULL;
    else
        t->slot[block] = 0;
}

static void give_back(void *arg, cl_kept_block *kept, uint32_t block)
{
    move_back(arg, kept, block);
}

void cl_kept_return(const cl_core *core, const cl_plan *plan, const cl_run *run,
                    void **address, uint64_t *slot)
{
    for_each(plan, run, give_back,
             &(tables){.ended = core, .address = address, .slot = slot});
}

/* ---- new ones ---- */

static clast_status copy_grid(cl_kept *kept, const cl_grid *grid)
{
    kept->grid = *grid;
    for (int a = 0; a < grid->ndim; a++) {
        if (!grid->axis[a].cuts)
            continue;
        const size_t n = (size_t)grid->axis[a].count + 1;
        int64_t *cuts = cl_arena_array(&kept->arena, n, sizeof *cuts);
        if (!cuts)
            return CLAST_ENOMEM;
        memcpy(cuts, grid->axis[a].cuts, n * sizeof *cuts);
        kept->grid.axis[a].cuts = cuts;
    }
    return CLAST_OK;
}

static void free_kept(cl_kept *kept)
{
    cl_arena_fini(&kept->arena);
    cl_free(kept->block);
    cl_free(kept);
}

clast_status cl_kept_make(cl_engine *engine, const cl_core *core, const cl_plan *plan,
                          uint32_t tensor, void **address, uint64_t *slot,
                          cl_kept **out, cl_error *err)
{
    const cl_tensor *t = &plan->tensor[tensor];
    cl_kept *kept = cl_calloc(1, sizeof *kept);
    if (!kept)
        return cl_error_set(err, CLAST_ENOMEM, "no memory to keep an array");
    kept->count = (uint64_t)cl_grid_tiles(&t->grid);
    kept->block = cl_calloc((size_t)kept->count, sizeof *kept->block);
    if (!kept->block || copy_grid(kept, &t->grid)) {
        free_kept(kept);
        return cl_error_set(err, CLAST_ENOMEM, "no memory to keep an array");
    }
    for (uint64_t i = 0; i < kept->count; i++) {
        const uint32_t block = cl_tile_block(t, i);
        if (cl_core_where(core, block) == CL_AT_NOWHERE) {
            free_kept(kept);
            return cl_error_set(err, CLAST_EINTERNAL,
                                "block %u was to be kept and is gone", block);
        }
    }
    for (uint64_t i = 0; i < kept->count; i++) {
        const uint32_t block = cl_tile_block(t, i);
        kept->block[i].pages = cl_plan_block(plan, block)->pages;
        move_back(&(tables){.ended = core, .address = address, .slot = slot},
                  &kept->block[i], block);
    }
    kept->next = engine->kept;
    if (kept->next)
        kept->next->previous = kept;
    engine->kept = kept;
    *out = kept;
    return CLAST_OK;
}

void cl_kept_free(cl_engine *engine, cl_kept *kept)
{
    if (!kept)
        return;
    cl_mutex_lock(&engine->mutex);
    for (uint64_t i = 0; i < kept->count; i++) {
        const cl_kept_block *b = &kept->block[i];
        if (b->address)
            cl_memory_give(engine->memory, b->address, b->pages);
        if (b->slot)
            cl_scratch_release(engine->spill.scratch, b->slot - 1);
    }
    if (kept->previous)
        kept->previous->next = kept->next;
    else
        engine->kept = kept->next;
    if (kept->next)
        kept->next->previous = kept->previous;
    cl_mutex_unlock(&engine->mutex);
    free_kept(kept);
}
