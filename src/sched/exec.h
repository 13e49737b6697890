/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running one task: its boxes from the stage and the index, its operands through the
 * views, one kernel call.
 *
 * A task touches its operands, its outputs and its workspace, nothing else; what it
 * needs of the workspace is laid out by the same code that measures it (workspaces.c),
 * so the two cannot disagree. Shared by workers without locks: everything in cl_exec is
 * constant while tasks run, but for counters and the entries of blocks that are
 * nobody's operands.
 */
#ifndef CL_SCHED_EXEC_H
#define CL_SCHED_EXEC_H

#include "graph/plan.h"
#include "kernel/fold.h"
#include "kernel/linalg.h"
#include "kernel/map.h"
#include "sched/run.h"

#include <stdatomic.h>

typedef struct {
    const cl_plan *plan;
    const cl_run_source *sources;
    const cl_run_sink *sinks;
    cl_outputs *outputs;
    void **address; /* of each block in memory; RESIDENT tensors are in `base` */
    char **base;    /* by tensor: element (0, ..., 0) of caller's memory, or NULL */
    cl_loop **loop; /* by stage: MAP and FOLD, else NULL */
    cl_poll poll;
    _Atomic uint64_t written, stored_written, stored_read;
    const uint32_t *source_of; /* by tensor: index into plan->source, or CL_NONE */
    const uint8_t *is_unread;  /* by block that is loaded: its task reads it (feed.h) */
    bool copies_input;         /* and looks at nothing where it is in the page cache */
    atomic_bool has_waited;    /* ... and had to wait for a disk */
} cl_exec;

/* The source of a block, and the block's box there. */
typedef struct {
    cl_source *source;
    cl_box box;
    const cl_lattice *wanted;
} cl_home;
cl_home cl_exec_home(const cl_exec *exec, uint32_t block);

/* Loops of all stages and addresses of caller's memory. fini tolerates zeroed memory.
 */
clast_status cl_exec_init(cl_exec *exec, const cl_plan *plan, const cl_run *run,
                          cl_error *err);
void cl_exec_fini(cl_exec *exec);

/* Fills workspace_pages of every stage of the plan that exec runs: what its neediest
 * task takes. */
clast_status cl_exec_measure(cl_exec *exec, cl_plan *plan, cl_error *err);

/* A segment's task. */
typedef struct {
    const cl_stage *stage;
    uint32_t id, index;
    uint32_t noperand;
    const uint32_t *operand;
} cl_task;
static inline cl_task cl_task_get(const cl_plan *plan, uint32_t id)
{
    const cl_segment *s = plan->segment;
    while (id - s->task_base >= s->ntask)
        s++;
    const uint32_t i = id - s->task_base;
    return (cl_task){
        .stage = &plan->stage[s->task_stage[i]],
        .id = id,
        .index = s->task_index[i],
        .noperand = s->operand_start[i + 1] - s->operand_start[i],
        .operand = s->operand + s->operand_start[i],
    };
}

/* Runs it. copy_mask: see cl_start. The message names the stage's label. */
clast_status cl_exec_task(cl_exec *exec, uint32_t id, uint32_t copy_mask,
                          void *workspace, cl_error *err);

#endif
