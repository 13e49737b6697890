/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs: the engine that a context owns (memory manager, scratch, persisted blocks) and
 * the execution of plans on it.
 */
#ifndef CL_SCHED_RUN_H
#define CL_SCHED_RUN_H

#include <stdatomic.h>

#include "base/log.h"
#include "base/thread.h"
#include "clast/run.h"
#include "graph/build.h"
#include "io/store.h"
#include "sched/core.h"

typedef struct cl_engine cl_engine;

typedef struct {
    uint64_t memory; /* the budget, bytes */
    int workers;
    cl_team_kind team;
    uint64_t trace;    /* bytes of the budget for what is recorded; 0: nothing is */
    bool copies_input; /* nothing is seen in place */
} cl_engine_options;

clast_status cl_engine_new(cl_engine **engine, const cl_engine_options *options,
                           cl_error *err);
void cl_engine_free(cl_engine *engine);

/* What a benchmark switches off to see what it is worth; zeroed: nothing. */
typedef struct {
    cl_policy policy;
    bool is_without_prefetch;
    bool is_unfused;
    bool has_order; /* no candidates, but this order */
    cl_order_kind order;
} cl_tuning;
/* Between runs. */
void cl_engine_tune(cl_engine *engine, const cl_tuning *tuning);
cl_tuning cl_engine_tuning(const cl_engine *engine);

/* Charges memory that others hold for the context (copied-in arrays, tables) to the
 * budget. */
clast_status cl_engine_charge(cl_engine *engine, uint64_t bytes, cl_error *err);
void cl_engine_uncharge(cl_engine *engine, uint64_t bytes);
uint64_t
cl_engine_free_bytes(cl_engine *engine); /* budget less charges: what a run may have */
/* Bytes that others hold and will give back before anything lacks them: still free, but
 * not to be kept by memory that blocks have touched. */
void cl_engine_set_spare(cl_engine *engine, uint64_t bytes);

/* Persisted arrays: blocks of one tensor. A source whose blocks the engine holds.
 */
typedef struct cl_persisted cl_persisted;
void cl_persisted_free(cl_engine *engine, cl_persisted *persisted);
const cl_grid *cl_persisted_grid(const cl_persisted *persisted);
uint64_t cl_persisted_count(const cl_persisted *persisted); /* blocks */
uint64_t cl_persisted_bytes(const cl_persisted *persisted); /* in memory */
/* Somebody is about to read it: it is the last to go where memory is lacking. */
void cl_persisted_touch(cl_engine *engine, cl_persisted *persisted);
/* By block: whether it is in memory (1) or in scratch (0). Between runs. */
void cl_persisted_places(const cl_persisted *persisted, uint8_t *in_memory);

/* Chunks of a source that cannot be read or decoded. */
typedef struct {
    int ndim;
    int64_t chunks, grid[CL_MAXDIM]; /* all of the source; 0: it is not in chunks */
    _Atomic unsigned char *bits;     /* one a chunk, C order */
    uint64_t charged;                /* bytes, of the bits */
} cl_damage;
/* Reads and decodes each chunk once, on as many of the engine's workers as the budget
 * has room for. Between runs; ends early once *is_canceled. Whatever it returns,
 * `damage` is to be dropped; what of it is damaged is known with CLAST_OK only. */
clast_status cl_engine_find_damage(cl_engine *engine, cl_source *source,
                                   const atomic_bool *is_canceled, cl_damage *damage,
                                   cl_error *err);
void cl_engine_drop_damage(cl_engine *engine, cl_damage *damage);
/* Of chunk `index`, in C order: whether it is damaged; where in the grid it is. */
bool cl_damage_has(const cl_damage *damage, int64_t index);
void cl_damage_chunk(const cl_damage *damage, int64_t index, int64_t *chunk);

/* A source of the run, by the index that plan sources use: exactly one of the three
 * is set. */
typedef struct {
    cl_source *source;
    cl_persisted *persisted;
    const cl_user_function *user;
} cl_run_source;

/* Where a plan's sink goes: an output (index into outputs), caller's memory, or
 * persisted blocks. */
typedef struct {
    size_t output;              /* valid where into and persist are NULL */
    const cl_output_spec *spec; /* of that output: how many chunks a unit has, what
                                   putting them needs */
    const clast_buffer *into;
    cl_persisted **persist; /* filled when the run succeeds */
} cl_run_sink;

/* What a plan needs, in pages. */
typedef struct {
    uint64_t least;    /* what the neediest task takes */
    uint32_t neediest; /* that task, or CL_NONE */
    uint64_t all;      /* of all blocks, with the largest workspace or load */
    uint64_t extra;    /* that one */
    uint64_t most;     /* outputs and workspace of the task that has most of them */
    uint64_t peak;     /* of a run in rank order in which everything fits and nothing is
                          loaded */
    bool loads;        /* something is */
} cl_needs;

/* What a run of a plan is admitted with. */
typedef struct {
    uint64_t fixed; /* bytes: plan, core, tables */
    uint64_t pages; /* for blocks and workspaces, all that is left */
    cl_needs needs;
    uint64_t others;        /* pages of persisted blocks that the plan does not read,
                               as far as they stay in memory */
    uint64_t leaving;       /* ... of those that go to scratch before the run */
    uint64_t others_stuck;  /* ... that would go, had scratch the room */
    uint64_t others_out;    /* ... that are in scratch then */
    uint64_t own_leaving;   /* pages of those that it reads which go */
    uint64_t own_out;       /* ... which are in scratch already */
    bool own_are_stuck;     /* they cannot go */
    uint64_t charged;       /* bytes that others hold */
    uint64_t stated;        /* cl_run.least */
    uint64_t block;         /* cl_run.block */
    uint64_t tasks, blocks; /* of all segments */
    uint64_t lanes;         /* bytes that running tasks in order may take instead of a
                               core */
    uint64_t more;          /* bytes that the core takes beyond what was expected */
    bool binds;             /* not everything fits at once */
    bool loads;             /* something has to be loaded */
} cl_budget;

/* What is known of a plan before it runs; zeroed: nothing. What was found out once is
 * not asked again, by another call or another run of the plan, as long as the engine
 * has as much for it as it had then. */
typedef struct {
    bool is_measured;  /* the plan's workspaces are filled in, and `budget` */
    bool is_rehearsed; /* the rest is known as well */
    cl_budget budget;
    uint64_t peak, read, written, spilled; /* predicted, bytes */
    uint64_t excess;                       /* bytes that are moved more than once */
    uint64_t scratch_pages;                /* the most that is in scratch */
} cl_admission;

/* Who is told how far a run is. `due` is when at the earliest (cl_clock()); it is the
 * engine's while a run is under way, and outlives runs so that many short ones keep to
 * the rate as well. */
typedef struct {
    void (*tell)(void *arg, const clast_progress *progress);
    void *arg;
    double due;
} cl_progress;

typedef struct {
    const cl_run_source *sources;
    const cl_run_sink *sinks;
    cl_outputs *outputs; /* not committed or aborted here */
    const char *scratch_folder;
    clast_stats *stats;             /* filled, also on failure */
    const atomic_bool *is_canceled; /* a cancel that came before the run; or NULL */
    cl_progress *progress;          /* NULL: nobody listens */
    bool in_background;             /* on pthreads, whatever the engine's team is */
    uint64_t displaced; /* bytes of persisted arrays that went to scratch while it was
                           planned */
    uint64_t least; /* what would do if more than the plan's own minimum, as less makes
                       another plan; or 0 */
    uint64_t block; /* bytes of the blocks with which the plan would fit; or 0 */
    cl_admission *admission; /* of this plan, completed by each call; or NULL */
} cl_run;

/* What a run of the plan would need, without touching any data: peak, bytes read,
 * spilled with one worker, from a dry run of the core. CLAST_EBUDGET with the numbers
 * that would fit where it cannot run. Both fill the plan's workspace_pages. */
clast_status cl_engine_predict(cl_engine *engine, cl_plan *plan, const cl_run *run,
                               clast_stats *stats, cl_error *err);
/* The least budget that the plan can run with. Fills the plan's workspace_pages. */
clast_status cl_engine_minimum(cl_engine *engine, cl_plan *plan, const cl_run *run,
                               uint64_t *bytes, cl_error *err);
/* What a refusal calls so many bytes, in bytes: a little more. */
uint64_t cl_engine_rounded(uint64_t bytes);
/* Has persisted arrays spilled, those first that were used longest ago, until `wanted`
 * bytes are free or no more can go; adds what was written to *moved. None is spilled
 * where not even `least` would be free. Between runs. */
clast_status cl_engine_displace(cl_engine *engine, const cl_run *run, uint64_t least,
                                uint64_t wanted, uint64_t *moved, cl_error *err);
/* Bytes of the budget that no run of the plan will touch; 0 where the budget binds. */
uint64_t cl_engine_unused(const cl_admission *admission);
/* Whether scratch still has the room that the plan was admitted with. */
bool cl_engine_has_scratch(const cl_engine *engine, const cl_run *run);
/* Bytes that the plan's order would have moved more than once: sources read again,
 * blocks spilled and read back. 0 without a dry run where the budget does not bind. */
clast_status cl_engine_excess(cl_engine *engine, cl_plan *plan, const cl_run *run,
                              uint64_t *bytes, cl_error *err);
clast_status cl_engine_run(cl_engine *engine, cl_plan *plan, const cl_run *run,
                           cl_error *err);
/* Async-signal-safe. The run under way ends at the next task boundary with
 * CLAST_ECANCELED; without one nothing happens: who sets run.is_canceled before it
 * calls this loses no cancel that comes just before a run. */
void cl_engine_cancel(cl_engine *engine);

/* What the last bits of results depend on besides the plan: the BLAS. */
const char *cl_engine_numerics(void);

/* Writes what the last run did when (sched/trace.h). Not during a run. */
void cl_engine_write_trace(const cl_engine *engine, clast_text_fn *write, void *arg);

#endif
