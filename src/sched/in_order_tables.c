/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run's tables where tasks are run in order (in_order.c): what they take, one
 * allocation for all lanes and workers and one for what each of these knows of each
 * lane, and what can be read off them during the run and after it.
 */
#include "sched/in_order_internal.h"

#include "base/alloc.h"
#include "base/least.h"

/* What earlier runs have made is in memory. */
static uint64_t adopted_pages(const cl_segment *s)
{
    uint64_t pages = 0;
    for (uint32_t b = 0; b < s->nblock; b++)
        if (s->block[b].producer == CL_NONE && s->block[b].flags & CL_BLOCK_PERSIST)
            pages += s->block[b].pages;
    return pages;
}

static uint64_t lanes_bytes(uint64_t n)
{
    return sizeof(cl_in_order) + n * sizeof(cl_runner) + 63;
}

uint64_t cl_in_order_bytes(uint64_t workers, uint64_t blocks)
{
    return lanes_bytes(workers) + workers * workers * sizeof(cl_share) +
           cl_pools_bytes(workers, blocks);
}

cl_in_order *cl_in_order_new(cl_driver *d)
{
    const size_t n = (size_t)d->team;
    char *const memory = cl_calloc(1, (size_t)lanes_bytes(n));
    cl_share *const shares = cl_calloc(n * n, sizeof *shares);
    if (!memory || !shares) {
        cl_free(memory);
        cl_free(shares);
        return NULL;
    }
    cl_in_order *const o = (void *)(memory + (-(uintptr_t)memory & 63));
    o->driver = d;
    o->s = &d->plan->segment[0];
    o->shift = cl_in_order_shift(d->plan, d->team);
    o->workers = d->team;
    o->runner = (void *)(o + 1);
    o->share = shares;
    o->memory = memory;
    o->failed = CL_NONE;
    o->use.pages = o->use.peak = adopted_pages(o->s);
    atomic_init(&o->end, o->s->ntask);
    for (uint32_t i = 0; i < n; i++) {
        cl_runner *const r = &o->runner[i];
        atomic_init(&r->lane.done, i << o->shift);
        r->o = o;
        r->own = i;
        r->share = shares + i * n;
        cl_pool_init(&r->pool, d, &o->use);
    }
    return o;
}

void cl_in_order_free(cl_in_order *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->workers; i++)
        cl_pool_fini(&o->runner[i].pool);
    cl_free(o->share);
    cl_free(o->memory);
}

clast_status cl_in_order_failure(const cl_in_order *o, uint32_t *task)
{
    *task = o->failed;
    return o->status;
}

uint64_t cl_in_order_peak(const cl_in_order *o)
{
    return o->use.peak;
}

/* `done` of a lane is in one of its pieces, or at the end of its last one. */
uint64_t cl_in_order_done(const cl_in_order *o)
{
    const uint32_t n = atomic_load_explicit(&o->n, memory_order_relaxed);
    uint64_t tasks = 0;
    for (uint32_t l = 0; l < n; l++) {
        const uint32_t done =
            atomic_load_explicit(&o->runner[l].lane.done, memory_order_relaxed);
        const uint64_t pieces = (done >> o->shift) / n;
        tasks += (pieces << o->shift) + done % (1u << o->shift);
    }
    return cl_lesser_u(tasks, o->s->ntask);
}
