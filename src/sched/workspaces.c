/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workspaces of a plan's stages.
 *
 * Only sched knows the kernels and only the views know how many pieces a task gathers,
 * so every task is measured by the code that will run it, and its stage keeps the
 * largest figure. That is exact, and it is what lets the core promise that a task that
 * started has what it needs.
 *
 * Cost: O(tasks + pieces), about 0.2 us a task that reads through views; empty stages
 * are skipped.
 */
#include "sched/exec_job.h"

static clast_status measure(cl_exec *exec, cl_plan *plan, uint32_t id, cl_error *err)
{
    cl_span first = {0};
    cl_job job = {
        .exec = exec,
        .task = cl_task_get(plan, id),
        .is_measuring = true,
        .first = &first,
        .err = err,
    };
    cl_stage *stage = &plan->stage[job.task.stage - plan->stage];
    const clast_status status = cl_job_table[stage->kind](&job);
    if (status != CLAST_OK)
        return cl_error_set(err, status, "%s: %s", stage->label,
                            clast_status_text(status));
    if (job.used > (uint64_t)UINT32_MAX * CL_PAGE)
        return cl_error_set(err, CLAST_EBUDGET, "%s: a task needs %llu bytes of work",
                            stage->label, (unsigned long long)job.used);
    const uint64_t pages = cl_pages(job.used);
    if (pages > stage->workspace_pages)
        stage->workspace_pages = (uint32_t)pages;
    return CLAST_OK;
}

clast_status cl_exec_measure(cl_exec *exec, cl_plan *plan, cl_error *err)
{
    for (uint32_t i = 0; i < plan->nstage; i++)
        plan->stage[i].workspace_pages = 0;
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        const cl_segment *s = &plan->segment[i];
        for (uint32_t k = 0; k < s->ntask; k++)
            if (plan->stage[s->task_stage[k]].kind != CL_STAGE_EMPTY)
                CL_TRY(measure(exec, plan, s->task_base + k, err));
    }
    return CLAST_OK;
}
