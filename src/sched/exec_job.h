/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A job: one task being run, or being measured.
 *
 * Both go through the same stage function. It takes what it needs of the workspace
 * piece by piece; a measuring job has no workspace, gets NULL for each piece and adds
 * up the bytes, and the function returns before it would touch anything.
 */
#ifndef CL_SCHED_EXEC_JOB_H
#define CL_SCHED_EXEC_JOB_H

#include "sched/exec.h"

typedef struct {
    cl_exec *exec;
    cl_task task;
    uint32_t reads; /* operands that are R before any other; measuring: 0 */
    bool is_measuring;
    char *workspace;
    uint64_t room, used; /* bytes of the workspace */
    cl_span *first;      /* measuring: the first span of the last view, without data */
    bool is_first_aligned; /* measuring: its data will be a multiple of 64 */
    bool is_unreadable;    /* what it is fed with; the message says which file */
    cl_error *err;
} cl_job;

typedef clast_status cl_job_fn(cl_job *job);
extern cl_job_fn *const cl_job_table[CL_STAGE_STORE + 1];

/* exec_user.c */
clast_status cl_job_user(cl_job *job);

/* 64-byte aligned part of the workspace; NULL while measuring. */
void *cl_job_take(cl_job *job, uint64_t bytes);
/* CLAST_OK where the workspace sufficed: to be asked once, before the kernel is called.
 */
clast_status cl_job_check(const cl_job *job);

/* The spans of one view over `box`, in the workspace. Measuring: only the first one may
 * be looked at. */
clast_status cl_job_view(cl_job *job, uint32_t view, const cl_box *box,
                         cl_input *input);
/* All views of the stage over the same box; NULL in *inputs while measuring. */
clast_status cl_job_views(cl_job *job, const cl_box *box, cl_input **inputs);

/* The box of a FOLD's space whose parts are `kept` along the kept axes (C order) and
 * `folded` along the reduced ones. */
cl_box cl_stage_box(const cl_stage *stage, int64_t kept, int64_t folded);
/* The box of the space that a MAP or FOLD computes. */
cl_box cl_task_box(const cl_plan *plan, const cl_task *task);
/* The reduction of a FOLD, JOIN or FINISH. */
cl_fold cl_stage_fold(const cl_stage *stage);

/* The i-th operand of mode R, the i-th of mode W. */
const void *cl_job_input(const cl_job *job, uint32_t i);
void *cl_job_output(const cl_job *job, uint32_t i);
uint32_t cl_job_count(const cl_job *job, cl_mode mode);

#endif
