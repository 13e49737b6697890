/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler core from inside: its state, and what its files offer each other.
 *
 *   core.c          events in, tasks out, failure and cancel
 *   core_task.c     life of a task: arm, prepare, start, finish, arm again
 *   core_place.c    life of a block at a place: load, copy, free, loss
 *   core_evict.c    heap of evictable blocks, victims, making room
 *   core_action.c   queue of actions, revocation
 *   core_segment.c  growing arrays, segments, consumers across segments
 *   core_fit.c      tasks where everything fits
 *   core_ready.c    sets of ranks
 *
 * INVARIANTS
 *   - a WAITING task's `wait` is the number of its read operands that are not MADE; a
 *     READY or CLAIMED task has none. A block that is MADE may still have no copy (it
 *     was freed, dropped or lost): whoever needs it then *demands* it, which takes MADE
 *     away and arms its producer again.
 *   - `uses` of a block is the number of armed, unfinished tasks that read it; at zero
 *     it is unwanted unless PERSIST, and every copy goes as soon as nothing holds it.
 *   - where `bounded`, exactly the RESIDENT, unpinned blocks of more than zero pages
 *     are in the heap of their place, keyed by their next use.
 *   - where it `fits`, nothing is pinned and every version that was made and is wanted
 *     is there
 *   - `inflight` counts LOADs, COPYs and SPILLs queued or submitted, by place.
 */
#ifndef CL_SCHED_CORE_INTERNAL_H
#define CL_SCHED_CORE_INTERNAL_H

#include "sched/core.h"
#include "sched/core_ready.h"

typedef enum {
    CL_TASK_WAITING,
    CL_TASK_READY,   /* in the set `ready` */
    CL_TASK_CLAIMED, /* a place fetches operands for it */
    CL_TASK_RUNNING,
    CL_TASK_DONE
} cl_task_state;

/* A hold: what a place has of a block, in one word. */
enum {
    CL_HOLD_ABSENT,
    CL_HOLD_LOADING,
    CL_HOLD_RESIDENT,
    CL_HOLD_SPILLING, /* still readable */
    CL_HOLD_MAKING,   /* output of a running task */
    CL_HOLD_TAKEN,    /* a running task turns the buffer into the next version */
    CL_HOLD_STATE = 7,
    CL_HOLD_SCRATCH = 8,       /* a copy is in the place's scratch */
    CL_HOLD_FROM_SOURCE = 16,  /* LOADING, charged with load_pages */
    CL_HOLD_FROM_SCRATCH = 32, /* LOADING */
    CL_HOLD_FRESH = 64,        /* fetched, and no task has read it since */
    CL_HOLD_PIN = 256          /* pins count from here */
};

/* Flags of a block in the core: those of plan.h, and these. */
enum { CL_BLOCK_MADE = 64 };

/* A RECOMPUTE block is dropped at most this often between two uses, then spilled: two
 * blocks of one task cannot push each other out for ever. */
#define CL_CORE_DROPS 4

/* How far room is made. Only for the lowest candidate, when nothing else runs and it
 * must get on, goes what was fetched and not used yet, or what a task up to the horizon
 * needs: it would have to come back at once. What is fetched long before its time
 * throws out nothing. */
typedef enum { CL_IF_FREE, CL_IF_NOT_NEEDED, CL_AT_ANY_COST } cl_effort;

/* Verdict on a task, or on one operand of it, at a place. */
typedef enum {
    CL_GO,
    CL_PENDING, /* something under way will change this */
    CL_LACKS,   /* memory */
    CL_MISSING  /* no copy anywhere: recompute */
} cl_verdict;

typedef struct {
    uint64_t reserved, leaving; /* pages; leaving: of them, being spilled */
    uint64_t staging;           /* ... held by loads until they have arrived */
    uint64_t scratch;
    uint64_t slack; /* pages that candidates passed over in this walk will need */
    uint32_t epoch;
    uint32_t running, inflight, loading; /* loading: from a source */
    uint32_t *hold;                      /* by block */
    /* Binary heap of evictable blocks, the farthest next use on top (bounded only). */
    uint32_t nheap;
    uint32_t *heap, *key; /* by position */
    uint32_t *slot;       /* by block: position + 1, or 0 */
} cl_place;

typedef struct {
    uint32_t task;
    uint16_t place;
} cl_claim;

typedef struct {
    uint32_t block;
    uint16_t place, from;
    bool orphan; /* `from` is lost */
} cl_copying;

/* Consumers of a block in a later segment. */
typedef struct {
    uint32_t segment, index; /* extern_block[index] */
    uint32_t seen;           /* consumers before this one are done or running */
    uint32_t next;           /* link, or CL_NONE */
} cl_extern_link;

typedef struct {
    const uint32_t *at;
    uint32_t n;
} cl_operands;

struct cl_core {
    const cl_plan *plan;
    cl_core_limits limits;
    uint32_t nsegment, ntask, nblock, nlink;
    cl_segment *segment; /* copies: the plan's table may move */
    size_t segment_room, task_room, block_room, link_room;

    uint32_t *wait; /* by task */
    uint8_t *state;
    uint16_t *task_place; /* of a running task; several places only */
    cl_ready ready;
    cl_ready pending; /* not started; only where something is ever loaded */
    uint32_t nclaim;
    cl_claim *claim; /* by rank; room for prefetch + 1 */

    uint32_t *uses; /* by block */
    uint8_t *flags;
    uint32_t *cursor;     /* bounded only: consumers before it are done or running */
    uint8_t *drops;       /* bounded only */
    uint32_t *stamp;      /* when it was used, or came; policies of comparison only */
    uint32_t clock;       /* ... of stamps */
    uint32_t *first_link; /* several segments only */
    cl_extern_link *link;

    cl_place *place;
    size_t ncopying, copying_room;
    cl_copying *copying;

    cl_action *queue; /* ring of a power of two */
    size_t queue_room, queue_at, queue_n;

    uint32_t workspace; /* pages that the tasks taken so far in this take() work in */
    cl_effort effort;   /* of what is being prepared */
    bool is_head;       /* ... which is the lowest candidate */
    uint32_t near,
        horizon; /* ranks: last of the near tasks, last that is fetched for */
    uint64_t all_pages, most_extra; /* sum over blocks; largest workspace or load */
    uint64_t remaining;
    bool bounded; /* the budget binds: victims may be needed */
    bool loads;   /* something may have to be loaded */
    bool fits;    /* neither, one place, which was never lost: core_fit.c */
    bool stopped, stirred, starved, scratch_short;
    clast_status failure;
    uint32_t failed_rank, failed_task, failed_block;
    cl_core_counts counts;
};

/* core.c */
void cl_core_fail(cl_core *core, clast_status status, uint32_t rank, uint32_t task,
                  uint32_t block);

/* core_segment.c */
const cl_segment *cl_core_segment_of_task(const cl_core *core, uint32_t task);
const cl_segment *cl_core_segment_of_block(const cl_core *core, uint32_t block);
void cl_core_free_arrays(cl_core *core);

static inline const cl_segment *cl_task_segment(const cl_core *core, uint32_t task)
{
    return core->nsegment == 1 ? core->segment : cl_core_segment_of_task(core, task);
}

static inline const cl_block *cl_core_block(const cl_core *core, uint32_t block)
{
    const cl_segment *s =
        core->nsegment == 1 ? core->segment : cl_core_segment_of_block(core, block);
    return &s->block[block - s->block_base];
}

static inline cl_operands cl_task_operands(const cl_core *core, uint32_t task)
{
    const cl_segment *s = cl_task_segment(core, task);
    const uint32_t i = task - s->task_base;
    return (cl_operands){s->operand + s->operand_start[i],
                         s->operand_start[i + 1] - s->operand_start[i]};
}

static inline uint32_t cl_task_workspace(const cl_core *core, uint32_t task)
{
    const cl_segment *s = cl_task_segment(core, task);
    return core->plan->stage[s->task_stage[task - s->task_base]].workspace_pages;
}

/* What it needs of it beyond what those have that it is taken with. */
static inline uint32_t cl_task_more_workspace(const cl_core *core, uint32_t task)
{
    const uint32_t pages = cl_task_workspace(core, task);
    return pages > core->workspace ? pages - core->workspace : 0;
}

/* Walks the consumers of a block through all segments, ascending. */
typedef struct {
    const uint32_t *at, *end;
    uint32_t link;
} cl_consumers;
bool cl_consumers_more(const cl_core *core, cl_consumers *c);

static inline cl_consumers cl_core_consumers(const cl_core *core, uint32_t block)
{
    const cl_segment *s =
        core->nsegment == 1 ? core->segment : cl_core_segment_of_block(core, block);
    const uint32_t i = block - s->block_base;
    return (cl_consumers){s->consumer + s->consumer_start[i],
                          s->consumer + s->consumer_start[i + 1],
                          core->first_link ? core->first_link[block] : CL_NONE};
}

static inline bool cl_consumers_next(const cl_core *core, cl_consumers *c,
                                     uint32_t *task)
{
    if (c->at == c->end && (c->link == CL_NONE || !cl_consumers_more(core, c)))
        return false;
    *task = *c->at++;
    return true;
}

/* core_task.c */
void cl_task_make_ready(cl_core *core, uint32_t task);
void cl_task_waits_for(cl_core *core, uint32_t task);
void cl_task_notify(cl_core *core, uint32_t block);
void cl_task_demand(cl_core *core, uint32_t block);
void cl_task_arm_again(cl_core *core, uint32_t task);
/* CL_GO: it could start now; `starts`: it will, and nothing may come between. */
cl_verdict cl_task_prepare(cl_core *core, uint32_t task, uint16_t place, bool starts);
void cl_task_start(cl_core *core, uint32_t task, uint16_t place, cl_start *start);
void cl_task_finish(cl_core *core, uint32_t task, uint16_t place);
void cl_task_abort(cl_core *core, uint32_t task, uint16_t place);
void cl_task_lose(cl_core *core, uint32_t task);
bool cl_task_operands_here(const cl_core *core, uint32_t task, uint16_t place);
uint64_t cl_task_output_pages(const cl_core *core, uint32_t task);
int cl_claim_find(const cl_core *core, uint32_t task);
bool cl_claim_add(cl_core *core, uint32_t task, uint16_t place);
void cl_claim_remove(cl_core *core, uint32_t task);

/* core_place.c */
bool cl_block_is_wanted(const cl_core *core, uint32_t block);
void cl_block_clear(cl_core *core, uint32_t block, uint16_t place);
void cl_block_clear_all(cl_core *core, uint32_t block);
void cl_block_unpin(cl_core *core, uint32_t block, uint16_t place);
void cl_block_drop(cl_core *core, uint32_t block, uint16_t place);
void cl_block_unload(cl_core *core, uint32_t block, uint16_t place);
bool cl_block_is_elsewhere(const cl_core *core, uint32_t block, uint16_t place);
bool cl_block_has_copy(const cl_core *core, uint32_t block);
/* Has the block brought to `place` for the task `rank`, which runs at `home`, leaving
 * the place's slack free. */
cl_verdict cl_block_obtain(cl_core *core, uint32_t block, uint16_t place, uint32_t rank,
                           uint16_t home);
void cl_block_loaded(cl_core *core, uint32_t block, uint16_t place);
void cl_block_spilled(cl_core *core, uint32_t block, uint16_t place);
void cl_block_failed(cl_core *core, const cl_event *event);
void cl_place_lost(cl_core *core, uint16_t place);
void cl_place_reserve(cl_core *core, uint16_t place, uint64_t pages);

static inline uint32_t cl_hold_state(uint32_t hold)
{
    return hold & CL_HOLD_STATE;
}
static inline uint32_t cl_hold_pins(uint32_t hold)
{
    return hold / CL_HOLD_PIN;
}
static inline void cl_hold_become(uint32_t *hold, uint32_t state)
{
    const uint32_t fresh = state == CL_HOLD_ABSENT ? CL_HOLD_FRESH : 0;
    *hold = (*hold & ~(CL_HOLD_STATE | fresh)) | state;
}
/* Its bytes can be read at the place. */
static inline bool cl_block_is_here(const cl_core *core, uint32_t block, uint16_t place)
{
    const uint32_t state = cl_hold_state(core->place[place].hold[block]);
    return state == CL_HOLD_RESIDENT || state == CL_HOLD_SPILLING ||
           (core->flags[block] & CL_BLOCK_RESIDENT) != 0;
}
static inline bool cl_mode_reads(uint32_t operand)
{
    return cl_operand_mode(operand) != CL_W;
}

/* core_evict.c */
clast_status cl_evict_begin(cl_core *core, cl_error *err);
void cl_evict_add(cl_core *core, uint32_t block, uint16_t place);
void cl_evict_remove(cl_core *core, uint32_t block, uint16_t place);
void cl_evict_touch(cl_core *core, uint32_t block);
uint32_t cl_evict_next_use(cl_core *core, uint32_t block);
/* Room for `pages` at `place` for the task `rank`, which runs at `home`, as far as
 * core->effort goes. */
bool cl_evict_make_room(cl_core *core, uint16_t place, uint64_t pages, uint32_t rank,
                        uint16_t home);

/* core_fit.c: only where core->fits. */
size_t cl_fit_take(cl_core *core, cl_start *starts, size_t max);
void cl_fit_finish(cl_core *core, uint32_t task);
/* From now on it does not; without effect where it did not before. */
void cl_fit_leave(cl_core *core);

/* core_action.c */
void cl_action_push_full(cl_core *core, cl_action action);
static inline void cl_action_push(cl_core *core, cl_action_kind kind, uint32_t block,
                                  uint16_t place)
{
    const uint32_t epoch = core->place[place].epoch;
    const size_t at = (core->queue_at + core->queue_n) & (core->queue_room - 1);
    const cl_action a = {.kind = kind, .place = place, .epoch = epoch, .block = block};
    if (core->queue_n == core->queue_room) {
        cl_action_push_full(core, a);
        return;
    }
    core->queue[at] = a;
    core->queue_n++;
}
bool cl_action_pop(cl_core *core, cl_action *action);
/* Take back what was not submitted: all that begins work; all that has to do with a
 * place; LOADs and COPYs to a place that are wanted later than `rank` (true: some). */
void cl_action_revoke_work(cl_core *core);
void cl_action_revoke_place(cl_core *core, uint16_t place);
bool cl_action_revoke_later(cl_core *core, uint16_t place, uint32_t rank);

#endif
