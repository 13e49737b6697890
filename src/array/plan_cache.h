/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plans of a context's last runs, for runs that repeat them.
 *
 * A plan is found by its key, the bytes of everything that it depends on. Who takes one
 * out owns it until it is put back, so the plan of the run under way is never here.
 * Under the context's lock.
 *
 * What is here is memory that nobody misses: at most a sixteenth of the budget, never
 * more than is free, and given back (cl_plan_cache_trim) before anything else is
 * refused or has to spill. The engine knows how much it is (cl_engine_set_spare).
 */
#ifndef CL_ARRAY_PLAN_CACHE_H
#define CL_ARRAY_PLAN_CACHE_H

#include "sched/run.h"

/* Why other orders were tried, or not. */
typedef enum {
    CL_ORDERS_TRIED,
    CL_ORDERS_NOT_NEEDED, /* nothing is moved twice */
    CL_ORDERS_ASKED,      /* for this one */
    CL_ORDERS_NO_ROOM,    /* for another plan */
    CL_ORDERS_REFUSED,    /* a task does not fit, whatever the order is */
    CL_ORDERS_TOO_DEAR    /* trying them takes longer than what they could save */
} cl_orders;

/* A plan, and what was found out when it was made. */
typedef struct {
    cl_plan plan;
    cl_admission admission;
    cl_order_kind order;
    cl_orders orders;
    uint64_t copy_pages;  /* of the settings that the plan is made with */
    uint64_t least;       /* cl_run.least */
    uint64_t block;       /* cl_run.block */
    char order_note[240]; /* what the candidates would have moved twice */
} cl_planned;

void cl_planned_fini(cl_planned *planned);

/* Zeroed: an empty one. */
typedef struct {
    uint8_t *bytes;
    size_t size, capacity;
    /* Serial numbers of entries of the source table that the plan is bound to, of the
     * first and of the last that was made; 0: none. */
    uint64_t oldest, newest;
    uint64_t persisted; /* bytes in memory of the persisted arrays that are read */
} cl_plan_key;

void cl_plan_key_fini(cl_plan_key *key);

enum { CL_CACHED_PLANS = 8 };

typedef struct {
    cl_engine *engine;
    struct cl_cached_plan *first; /* used last */
    uint32_t count;
    uint64_t bytes;
} cl_plan_cache;

void cl_plan_cache_init(cl_plan_cache *cache, cl_engine *engine);
void cl_plan_cache_fini(cl_plan_cache *cache); /* tolerates zeroed memory */
/* false: there is none. */
bool cl_plan_cache_take(cl_plan_cache *cache, const cl_plan_key *key,
                        cl_planned *planned);
/* Takes over both, or frees them where they do not fit. `memory`: the budget. */
void cl_plan_cache_put(cl_plan_cache *cache, cl_plan_key *key, cl_planned *planned,
                       uint64_t memory);
/* An entry of the source table has gone: plans that may be bound to it are of no
 * use. */
void cl_plan_cache_forget(cl_plan_cache *cache, uint64_t serial);
/* Gives plans back, those unused for longest first, until no more than so many bytes
 * are held. */
void cl_plan_cache_trim(cl_plan_cache *cache, uint64_t most);

#endif
