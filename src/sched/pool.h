/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's own block memory, where tasks are run in order (in_order.c).
 *
 * What a worker makes stays listed in its pool until the block's last reader is done;
 * then the memory is kept for what the worker makes next. So block memory changes hands
 * only where a version takes over the buffer of another one, and the manager is asked,
 * under the mutex, for nothing but growth.
 *
 * INVARIANTS
 *   - a listed block has memory, or its buffer was taken over and its address is gone
 *   - memory is taken for a block or as a workspace only, never ahead of need; pages
 *     that are kept are at most CL_POOL_KEEPS
 *   - the address of a listed block is touched by others only while they run its
 *     readers
 *
 * A pool is one worker's; cl_pool_use is shared, and guarded by the engine's mutex,
 * which the functions here take when they need it.
 */
#ifndef CL_SCHED_POOL_H
#define CL_SCHED_POOL_H

#include "base/alloc.h"
#include "sched/driver.h"

/* Pages of the largest block; pages that wait for being used again. */
enum { CL_POOL_LARGEST = 4, CL_POOL_KEEPS = 32 };

/* Pages of all pools and of persisted blocks: now, and at most so far. */
typedef struct {
    uint64_t pages, peak;
} cl_pool_use;

typedef struct {
    uint32_t block, last; /* its last reader */
} cl_pool_made;

typedef struct {
    cl_driver *driver;
    cl_pool_use *use;
    cl_pool_made *made;
    size_t nmade, room;
    uint32_t soonest; /* the lowest last reader of these; CL_NONE: there are none */
    uint32_t kept;    /* pages */
    uint32_t count[CL_POOL_LARGEST + 1];
    void *buffer[CL_POOL_LARGEST + 1][CL_POOL_KEEPS]; /* by pages */
    void *workspace;
    uint32_t workspace_pages;
} cl_pool;

/* What the lists of so many pools take at most, in bytes: each block is in one of them
 * once. */
static inline uint64_t cl_pools_bytes(uint64_t pools, uint64_t blocks)
{
    return cl_grow_most(pools, blocks, sizeof(cl_pool_made));
}

void cl_pool_init(cl_pool *pool, cl_driver *driver, cl_pool_use *use);
/* Gives back what is kept, and the workspace; with the mutex held. */
void cl_pool_empty(cl_pool *pool);
void cl_pool_fini(cl_pool *pool); /* of one that was emptied, or never used */

/* Whether a block of so many pages could be made of what is kept. */
static inline bool cl_pool_has(const cl_pool *pool, uint32_t pages)
{
    return pool->count[pages] > 0;
}
/* All tasks below `low` are done: keeps the memory of blocks that no other one
 * reads. */
void cl_pool_collect(cl_pool *pool, uint32_t low);

/* Memory for a block that the task makes, and lists it. false: there is none. */
bool cl_pool_make(cl_pool *pool, uint32_t block, uint32_t task);
/* The same with the buffer of an older version. */
bool cl_pool_take_over(cl_pool *pool, uint32_t old, uint32_t block, uint32_t task);
/* The workspace has so many pages, or more. */
bool cl_pool_has_workspace(cl_pool *pool, uint32_t pages);

#endif
