/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler core: what may run, what is loaded, what is evicted. One pure state
 * machine: events in, actions out; no threads, clocks, pointers to data or I/O. OpenMP
 * and pthread workers drive it (worker.c), so does the simulator.
 *
 * INVARIANTS (the simulator checks all of them after every event)
 *   - reserved pages (resident, loading and spilling blocks, outputs and workspaces of
 *     running tasks) <= budget, per place, blocks that were adopted included
 *   - a task starts once per arming, after all its operands are resident, which stay
 *     pinned until it is done; outputs and workspace are reserved in the same step
 *   - while the lowest-ranked ready task lacks memory nobody else starts and nothing is
 *     prefetched, so that an admitted run always finishes
 *   - a block is freed exactly once per arming, after its last consumer; a PERSIST
 *     block never before it is released
 *   - no eviction of a pinned block; victims are dead blocks first, then the farthest
 *     next use weighed by the cost of getting the block back (SOURCE: load; others:
 *     spill and load; RECOMPUTE: run again); never one needed sooner than what it makes
 *     room for
 *   - after FAILED or CANCEL nothing starts; what runs is awaited; the failure of
 *     lowest rank is reported
 *   - an event of an old epoch changes nothing
 *
 * LOCKS: none; a core is not thread-safe, its driver serialises all calls.
 *
 * LOST(place) voids what that place held: blocks without another copy or home are
 * recomputed by re-arming producers. In its next epoch the place may go on, empty.
 *
 * WHAT A DRIVER PROMISES
 *   - the tasks of one take() run one after another, in one workspace: starts[0] says
 *     how many pages are reserved for it. The event of the last of them that ends gives
 *     them back
 *   - actions are drained after post() and take(), and FREE and DISCARD carried out
 *     before the starts of that take(): these may count on the pages
 *   - a place that takes part goes on calling take() when something happened, or is
 *     LOST
 *   - every LOAD, COPY and SPILL is answered once (a SPILL as soon as it is asked for,
 *     if whoever takes memory waits until it is there); memory goes only by FREE, or
 *     with the take-over of a buffer: a spilled block gets its FREE after SPILLED, a
 *     failed load's block and a failed task's outputs get theirs after FAILED (the
 *     driver may have given them back already). After a failure what else remains is
 *     the driver's to sweep.
 *   - the plan's segments and stages stay where they are while the core lives
 *
 * RESIDENT blocks can be read at every place, at no charge. See docs/task-model.md.
 */
#ifndef CL_SCHED_CORE_H
#define CL_SCHED_CORE_H

#include "graph/plan.h"

typedef enum {
    CL_EVENT_DONE,    /* task finished on place; block outputs are resident there */
    CL_EVENT_LOADED,  /* block arrived (from its source, from scratch, or by COPY) */
    CL_EVENT_SPILLED, /* block is in scratch; its memory may go */
    CL_EVENT_FAILED,  /* task, or load or spill of block (the other is CL_NONE) */
    CL_EVENT_LOST     /* place is gone; its epoch is over */
} cl_event_kind;

typedef struct {
    cl_event_kind kind;
    uint16_t place;
    uint32_t epoch;
    uint32_t task, block;
    uint32_t workspace_pages; /* DONE, FAILED: that nobody works in any more */
    clast_status status;      /* FAILED */
} cl_event;

typedef enum {
    CL_ACTION_LOAD,    /* read block into memory at place; `from_scratch` or from its
                          source */
    CL_ACTION_SPILL,   /* write block to scratch; answered by SPILLED */
    CL_ACTION_FREE,    /* give block's memory back; not answered */
    CL_ACTION_DISCARD, /* give block's place in scratch back; not answered */
    CL_ACTION_COPY     /* block from place `from` to `place`; answered by LOADED */
} cl_action_kind;

typedef struct {
    cl_action_kind kind;
    uint16_t place, from;
    uint32_t epoch;
    uint32_t block;
    bool from_scratch;
} cl_action;

/* A task handed out. copy_mask bit i: the i-th RW or ACC operand must be copied into
 * fresh memory (its old version is still wanted); otherwise the W operand after it
 * takes over the buffer. */
typedef struct {
    uint32_t task, epoch;
    uint32_t copy_mask;
    uint32_t workspace_pages; /* of all tasks of the take: the most that one needs; of
                                 the first, 0 in the others */
} cl_start;

/* Who goes: the block whose next use is farthest, weighed by its cost; for comparison,
 * in the same order of tasks but blind to the future, the one that was used, or came,
 * longest ago (never one that the task itself, or an earlier one, needs). */
typedef enum { CL_EVICT_FARTHEST, CL_EVICT_LRU, CL_EVICT_FIFO } cl_policy;

typedef struct {
    uint64_t budget_pages;  /* per place */
    uint64_t scratch_pages; /* per place; 0 forbids spilling */
    /* Where everything fits and nothing is loaded: a task that no other runs beside
     * starts in any case, others while what is reserved with them stays within
     * `ahead_pages`. None takes more than `task_pages` at its start. 0: within the
     * budget, and nothing is known of tasks. */
    uint64_t ahead_pages, task_pages;
    uint32_t nplace;
    uint32_t prefetch; /* how many tasks ahead to load for; 0: none */
    uint32_t loads;    /* so many at a time are worth evicting for; 0: one */
    cl_policy policy;
} cl_core_limits;

typedef struct {
    uint64_t done, started, rearmed;
    uint64_t loaded_pages, spilled_pages, reloaded_pages; /* reloaded: from scratch */
    uint64_t peak_pages, peak_scratch_pages;
} cl_core_counts;

typedef struct cl_core cl_core;

/* With the segments that the plan has; further ones are appended. */
clast_status cl_core_new(cl_core **core, const cl_plan *plan,
                         const cl_core_limits *limits, cl_error *err);
void cl_core_free(cl_core *core);
uint64_t cl_core_bytes(
    const cl_core *core); /* its own memory: charged to the budget by the caller */

/* Adds the plan's next segment, which must continue the numbering. On an error the core
 * is as before. */
clast_status cl_core_append(cl_core *core, const cl_segment *segment, cl_error *err);
/* A PERSIST block is no longer wanted. */
void cl_core_release(cl_core *core, uint32_t block);
/* A PERSIST block of an earlier run is here: in memory at place 0, or in scratch.
 * Before the first take. false: that would be more memory than the budget, and nothing
 * has changed; what does not fit has to be in scratch. */
bool cl_core_adopt(cl_core *core, uint32_t block, bool in_scratch);

void cl_core_post(cl_core *core, const cl_event *event);
/* A spill that was said to have ended before it had fails: so does the run. */
void cl_core_spill_failed(cl_core *core, uint32_t block, clast_status status);
void cl_core_cancel(cl_core *core);
/* Hands out up to `max` tasks for a worker of `place`; 0: none now (idle, or nothing
 * left). */
size_t cl_core_take(cl_core *core, uint16_t place, cl_start *starts, size_t max);
/* Takes the next action, oldest first; false: none. To be drained after post and take.
 */
bool cl_core_next_action(cl_core *core, cl_action *action);

bool cl_core_is_finished(
    const cl_core *core); /* all done, or failed/canceled and nothing under way */
/* CLAST_OK: none. Otherwise the task or the block that failed, or neither (canceled).
 * A block counts with the rank of its next consumer; EBUDGET and ENOSPACE name the task
 * that can never start. */
clast_status cl_core_failure(const cl_core *core, uint32_t *task, uint32_t *block);
/* Tasks that could start if their operands were resident and memory allowed. */
size_t cl_core_ready(const cl_core *core);
/* The task that alone still reads the block; CL_NONE: several do, or others may have to
 * once more, because what they made of it may be dropped. */
uint32_t cl_core_last_reader(const cl_core *core, uint32_t block);
/* Something could run if memory allowed (for statistics of waiting). */
bool cl_core_wants_memory(const cl_core *core);
cl_core_counts cl_core_get_counts(const cl_core *core);
/* Where a block is at the end of a run, for persisted ones. */
typedef enum { CL_AT_NOWHERE, CL_AT_MEMORY, CL_AT_SCRATCH } cl_at;
cl_at cl_core_where(const cl_core *core, uint32_t block);

#endif
