/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's own block memory.
 *
 * What is listed is not in any order, and walked through whenever something of it can
 * be had, which `soonest` tells; there are few such blocks where tasks are run in
 * order. Buffers that wait are in stacks by their pages, so that what is used next is
 * what was used last.
 */
#include "sched/pool.h"

#include "base/alloc.h"
#include "base/least.h"

void cl_pool_init(cl_pool *pool, cl_driver *driver, cl_pool_use *use)
{
    *pool = (cl_pool){.driver = driver, .use = use, .soonest = CL_NONE};
}

/* With the mutex. */
static void give(cl_pool *pool, void *address, uint32_t pages)
{
    cl_memory_give(pool->driver->engine->memory, address, pages);
    pool->use->pages -= pages;
}

void cl_pool_empty(cl_pool *pool)
{
    for (uint32_t pages = 1; pages <= CL_POOL_LARGEST; pages++)
        while (pool->count[pages] > 0)
            give(pool, pool->buffer[pages][--pool->count[pages]], pages);
    if (pool->workspace)
        give(pool, pool->workspace, pool->workspace_pages);
    pool->kept = pool->workspace_pages = 0;
    pool->workspace = NULL;
}

void cl_pool_fini(cl_pool *pool)
{
    cl_free(pool->made);
    pool->made = NULL;
}

/* In the place of `old`, if there is one. */
static void *take(cl_pool *pool, uint32_t pages, void *old, uint32_t old_pages)
{
    cl_driver *const d = pool->driver;
    cl_mutex_lock(d->mutex);
    if (old)
        give(pool, old, old_pages);
    void *const address = cl_memory_take(d->engine->memory, pages);
    pool->use->pages += address ? pages : 0;
    pool->use->peak = cl_larger_u(pool->use->pages, pool->use->peak);
    cl_mutex_unlock(d->mutex);
    return address;
}

static void put_back(cl_pool *pool, void *address, uint32_t pages)
{
    if (pages > 0 && pool->kept + pages <= CL_POOL_KEEPS) {
        pool->buffer[pages][pool->count[pages]++] = address;
        pool->kept += pages;
        return;
    }
    cl_mutex_lock(pool->driver->mutex);
    give(pool, address, pages);
    cl_mutex_unlock(pool->driver->mutex);
}

void cl_pool_collect(cl_pool *pool, uint32_t low)
{
    void **const address = pool->driver->address;
    const cl_block *const blocks = pool->driver->plan->segment[0].block;
    size_t n = 0;
    if (pool->soonest >= low)
        return;
    pool->soonest = CL_NONE;
    for (size_t i = 0; i < pool->nmade; i++) {
        const cl_pool_made made = pool->made[i];
        if (made.last >= low) {
            pool->soonest = made.last < pool->soonest ? made.last : pool->soonest;
            pool->made[n++] = made;
        } else if (address[made.block]) {
            put_back(pool, address[made.block], blocks[made.block].pages);
            address[made.block] = NULL;
        }
    }
    pool->nmade = n;
}

/* A block that stays is nobody's to give back. What nobody reads goes after its
 * task. */
static bool list(cl_pool *pool, uint32_t block, uint32_t task)
{
    const cl_segment *const s = &pool->driver->plan->segment[0];
    if (s->block[block].flags & CL_BLOCK_PERSIST)
        return true;
    if (pool->nmade == pool->room &&
        !cl_grow(&pool->made, &pool->room, pool->nmade + 1, sizeof *pool->made))
        return false;
    const uint32_t first = s->consumer_start[block], end = s->consumer_start[block + 1];
    const uint32_t last = end > first ? s->consumer[end - 1] : task;
    pool->made[pool->nmade++] = (cl_pool_made){block, last};
    pool->soonest = last < pool->soonest ? last : pool->soonest;
    return true;
}

bool cl_pool_make(cl_pool *pool, uint32_t block, uint32_t task)
{
    const uint32_t pages = pool->driver->plan->segment[0].block[block].pages;
    void **const address = &pool->driver->address[block];
    if (pool->count[pages] > 0) {
        pool->kept -= pages;
        *address = pool->buffer[pages][--pool->count[pages]];
    } else {
        *address = take(pool, pages, NULL, 0);
    }
    return *address && list(pool, block, task);
}

bool cl_pool_take_over(cl_pool *pool, uint32_t old, uint32_t block, uint32_t task)
{
    void **const address = pool->driver->address;
    address[block] = address[old];
    address[old] = NULL;
    return list(pool, block, task);
}

bool cl_pool_has_workspace(cl_pool *pool, uint32_t pages)
{
    if (pool->workspace && pages <= pool->workspace_pages)
        return true;
    pool->workspace = take(pool, pages, pool->workspace, pool->workspace_pages);
    pool->workspace_pages = pool->workspace ? pages : 0;
    return pool->workspace;
}
