/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the simulator knows about the world: which buffers exist at which place, what is
 * in them, what is under way. It learns only from actions and starts, shares nothing
 * with the core, and checks that each of them is possible and right.
 *
 * Values are symbolic: a version's value is a hash of its task and of the values that
 * the task read. A wrong version, a buffer overwritten too early or a stale reload
 * therefore shows as a wrong number.
 */
#ifndef CL_TESTS_SIMULATOR_MODEL_H
#define CL_TESTS_SIMULATOR_MODEL_H

#include "random_plan.h"
#include "sched/core.h"

typedef enum { CELL_NONE, CELL_LOADING, CELL_HERE, CELL_MAKING } cell_state;

/* A block at a place. */
typedef struct {
    uint8_t state;
    bool spilling, in_scratch, reading_scratch;
    uint16_t users;   /* running tasks that read it */
    uint16_t copying; /* copies of it to other places under way */
    uint64_t value, scratch_value;
} cell;

typedef enum { TASK_IDLE, TASK_RUNNING, TASK_DONE } task_phase;

typedef enum { JOB_TASK, JOB_LOAD, JOB_SPILL, JOB_COPY } job_kind;
typedef struct {
    job_kind kind;
    uint16_t place, from;
    uint32_t epoch, id; /* task or block */
    uint32_t copy_mask;
    uint32_t batch;     /* tasks: which were taken together */
    uint32_t workspace; /* ... pages of theirs that it knows of */
    bool from_scratch, orphan;
    uint64_t value; /* read at the beginning of a spill or copy */
} job;

typedef struct {
    uint32_t epoch, workers, busy;
    uint64_t used, scratch;
    cell *cell; /* by block */
} model_place;

enum { MOST_PLACES = 3, MOST_JOBS = 4096, MOST_GHOSTS = 64 };

typedef struct {
    const cl_plan *plan;
    uint32_t ntask, nblock; /* of all segments */
    uint64_t budget, scratch;
    uint32_t nplace;
    model_place place[MOST_PLACES];
    uint64_t *expected; /* by block */
    uint8_t *phase;     /* by task */
    bool *released;     /* by block */
    uint32_t *last_use; /* by block: uses left in a run without recomputation */
    job job[MOST_JOBS];
    uint32_t njob;
    job ghost[MOST_GHOSTS]; /* of lost places: they may still report */
    uint32_t nghost;
    uint32_t batch, workspace; /* of tasks taken now, which share their workspace */
    uint64_t peak_scratch;
    uint32_t segments; /* appended */
    bool lost;         /* some place was */
    bool reruns;       /* places were lost, or blocks may be recomputed */
    bool stopped;      /* a failure or cancel was posted */
    bool verbose, failed;
    char message[240];
} model;

bool model_init(model *m, const cl_plan *plan, const cl_core_limits *limits);
void model_fini(model *m);
void model_fail(model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void model_say(const model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The lowest task that was not started, of those that were appended. */
uint32_t model_lowest_idle(const model *m);
/* The core did this; `before` is model_lowest_idle() before it was asked. */
void model_action(model *m, const cl_action *action, uint32_t before);
void model_starts(model *m, const cl_start *starts, size_t n, uint16_t place);
/* Job i ends (well, or not); the event for the core. */
cl_event model_end_job(model *m, uint32_t i, bool well);
void model_lose(model *m, uint16_t place);
/* What ghost i says: an event of an old epoch. */
cl_event model_ghost(model *m, uint32_t i);
void model_adopt(model *m, uint32_t block, bool in_scratch);
/* After a successful run: nothing left but what is persisted, and that is right. */
void model_check_end(model *m, const cl_core *core);

#endif
