/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine from inside: what its files share.
 *
 *   run.c        engine, charges, one run from budget to clean-up
 *   needs.c      what a plan needs, from its tables
 *   budget.c     what a run may have
 *   predict.c    the dry run
 *   persisted.c  persisted blocks between runs
 *   room.c       which of them are in scratch when a run begins
 *   damage.c     which chunks of a source cannot be read
 *   driver.c     one run;   worker.c   its workers;   transfer.c   its loads and spills
 *   drain.c      what the core asks for;   warm.c   loads from the page cache
 *   spill.c      its scratch;   feed.c   inputs that tasks read themselves
 *   in_order.c   a run without a core;   in_order_suits.c   of which plans
 *   in_order_tables.c   its tables;   pool.c   memory of that run's blocks
 *   alone.c      with one worker: when they end
 *
 * `mutex` guards memory, charges, the list of persisted arrays and, during a run, its
 * core and all tables of its driver. `state` is the only thing that a signal handler
 * touches.
 */
#ifndef CL_SCHED_ENGINE_H
#define CL_SCHED_ENGINE_H

#include "io/scratch.h"
#include "sched/core.h"
#include "sched/exec.h"
#include "sched/memory.h"
#include "sched/run.h"
#include "sched/trace.h"

typedef enum { CL_ENGINE_IDLE, CL_ENGINE_RUNNING, CL_ENGINE_CANCELED } cl_engine_state;

/* Scratch, opened by the first run that spills. */
typedef struct {
    cl_mutex mutex; /* guards the pointer; taken without or inside the engine's */
    cl_scratch *scratch;
    const char *folder; /* of the run under way */
} cl_spill;

/* A persisted block is in memory, or in scratch. */
typedef struct {
    void *address;
    uint64_t slot; /* 1 + slot; 0: not in scratch */
    uint32_t pages;
} cl_persisted_block;

struct cl_persisted {
    cl_persisted *next, *previous;
    cl_grid grid; /* its cuts are `arena`'s */
    cl_arena arena;
    uint64_t count;
    cl_persisted_block *block;
};

/* What the last run ran and how long its tasks took in all; 0 seconds: it moved blocks.
 * A loop runs one plan again and again, and a short one is done before a team has
 * met. */
typedef struct {
    uint64_t hash;
    double busy;
} cl_repeat;

struct cl_engine {
    cl_mutex mutex;
    cl_engine_options options;
    cl_tuning tuning;
    cl_memory *memory;
    uint64_t charged;       /* bytes that others hold */
    uint64_t running;       /* bytes that the run under way has besides blocks */
    _Atomic uint64_t spare; /* bytes that others give back before they are lacked; read
                               without the mutex */
    cl_persisted *persisted;
    cl_spill spill;
    cl_trace trace;
    cl_repeat last;
    _Atomic int state; /* cl_engine_state */
};

/* At most so many tiny tasks are taken at a time by a worker. */
#define CL_BATCH 32
/* At most so many tasks are thought to be under way before a run. */
#define CL_MOST_REHEARSED 63u

/* run.c: what memory may be live or cached, from what others have. With the mutex. */
void cl_engine_adjust_limit(cl_engine *engine);

/* needs.c: so many workers run tasks in rank order. Persisted blocks are in memory. */
cl_needs cl_needs_of(const cl_plan *plan, uint32_t workers);
/* Where everything fits in so many pages and nothing is loaded: what may be reserved
 * when a task is started beside others (without a limit where they cannot get beyond
 * it, so that nobody has to look); what is reserved at most. */
uint64_t cl_needs_ahead(const cl_needs *needs, uint32_t workers, uint64_t pages);
uint64_t cl_needs_peak(const cl_needs *needs, uint32_t workers, uint64_t pages);

/* budget.c */
/* With the mutex held, as what persisted arrays and others hold changes. */
cl_budget cl_budget_of(const cl_engine *engine, const cl_plan *plan, const cl_run *run);
/* The same plan's, now that others may hold more or less. */
void cl_budget_settle(cl_budget *budget, const cl_engine *engine, const cl_plan *plan,
                      const cl_run *run);
/* CLAST_OK, or CLAST_EBUDGET with the numbers that would fit. */
clast_status cl_budget_check(const cl_engine *engine, const cl_plan *plan,
                             const cl_budget *budget, cl_error *err);
/* Bytes of memory with which the plan would run, here and now. */
uint64_t cl_budget_minimum(const cl_budget *budget);
/* Pages that blocks and workspaces of a run may have. */
uint64_t cl_budget_pages(const cl_engine *engine, const cl_budget *budget);
/* Pages of scratch that the run's blocks may have, those it finds there included. */
uint64_t cl_budget_scratch(const cl_engine *engine, const cl_run *run,
                           const cl_budget *budget);
/* A core with the plan's segments. It may turn out larger than was set aside; then the
 * budget is corrected. */
clast_status cl_budget_core(cl_core **core, cl_engine *engine, const cl_plan *plan,
                            const cl_run *run, cl_budget *budget, cl_error *err);

/* One worker, and something is loaded or has to go: what the core is told, and in which
 * order, hangs on nothing but the plan (alone.h). */
static inline bool cl_budget_is_alone(const cl_engine *engine, const cl_budget *b)
{
    return engine->options.workers == 1 && (b->binds || b->loads);
}

/* predict.c */
/* Fills in what an admission says of a rehearsal; may correct its budget. */
clast_status cl_predict(cl_engine *engine, const cl_plan *plan, const cl_run *run,
                        cl_admission *admission, cl_error *err);

/* room.c */
/* Of the blocks that the plan reads those stay in memory that are wanted before `rank`,
 * and of those wanted just then as many as `left` pages hold. */
typedef struct {
    uint64_t rank, left;
} cl_stay;
cl_stay cl_room_stay(const cl_plan *plan, const cl_run *run, uint64_t pages);
/* Of each of these blocks once, always in the same order. */
bool cl_room_stays(cl_stay *stay, const cl_plan *plan, const cl_persisted_block *p,
                   uint32_t block);
/* What a budget has for blocks, and what has to go for that. With the mutex held. */
void cl_room_settle(cl_budget *budget, const cl_engine *engine, const cl_plan *plan,
                    const cl_run *run);
/* Writes that to scratch; adds the bytes. Without the mutex. */
clast_status cl_room_make(cl_engine *engine, const cl_plan *plan, const cl_run *run,
                          const cl_budget *budget, uint64_t *bytes, cl_error *err);

/* spill.c */
/* The scratch of the run under way. */
clast_status cl_spill_open(cl_spill *spill, cl_scratch **scratch, cl_error *err);
/* Asks the disk for so many pages besides what is in scratch. */
clast_status cl_spill_reserve(cl_spill *spill, uint64_t pages, cl_error *err);
/* A run has ended: room that no block holds is given back to the disk. */
void cl_spill_end(cl_spill *spill);

/* persisted.c: `address` and `slot` are a run's tables by block. */
bool cl_persisted_is_read(const cl_persisted *p, const cl_plan *plan,
                          const cl_run *run);
/* Calls fn once for every persisted block that the plan reads. */
typedef void cl_persisted_fn(void *arg, cl_persisted_block *p, uint32_t block);
void cl_persisted_each(const cl_plan *plan, const cl_run *run, cl_persisted_fn *fn,
                       void *arg);
/* Those that the budget leaves no memory to are adopted as if they were in scratch
 * already: *leaving pages. */
clast_status cl_persisted_adopt(cl_core *core, const cl_plan *plan, const cl_run *run,
                                const cl_budget *budget, void **address, uint64_t *slot,
                                uint64_t *leaving, cl_error *err);
void cl_persisted_return(const cl_core *core, const cl_plan *plan, const cl_run *run,
                         void **address, uint64_t *slot);
clast_status cl_persisted_make(cl_engine *engine, const cl_core *core,
                               const cl_plan *plan, uint32_t tensor, void **address,
                               uint64_t *slot, cl_persisted **out, cl_error *err);

/* Blocks of a tensor: tile t. */
static inline uint32_t cl_tile_block(const cl_tensor *t, uint64_t tile)
{
    return t->first_block + (uint32_t)tile * t->block_step;
}

#endif
