/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * METG of Clast, below the arrays: tasks and blocks are written as lowering does,
 * ordered by the planner's ordering pass, and run by an engine with all that a run has
 * (admission, blocks from the budget, workers). Each output is a block of its
 * own, freed after its last reader. All of that is timed.
 *
 * Instead of the engine's table of stages, which nothing pulls out of its library then,
 * there is one whose only stage runs the bench's task.
 */
#include <stdio.h>
#include <stdlib.h>

#include "graph/draft.h"
#include "metg.h"
#include "sched/exec_job.h"

const char *const metg_name = "clast";

static cl_engine *engine;
static const metg_graph *graph;

static void check(clast_status status, const cl_error *err)
{
    if (status == CLAST_OK)
        return;
    fprintf(stderr, "clast: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static clast_status run_point(cl_job *job)
{
    const int step = (int)job->task.index / graph->width;
    const int point = (int)job->task.index % graph->width;
    const int n = (int)job->task.noperand - 1;
    const metg_output *input[METG_MOST];
    for (int i = 0; i < n; i++)
        input[i] = cl_job_input(job, (uint32_t)i);
    metg_execute(graph, step, point, n, input, cl_job_output(job, 0));
    return CLAST_OK;
}

cl_job_fn *const cl_job_table[CL_STAGE_STORE + 1] = {[CL_STAGE_EMPTY] = run_point};

/* Raw tasks, row by row; task t writes block t. */
static clast_status write_tasks(cl_draft *d, const metg_graph *g, uint32_t stage)
{
    int from[METG_MOST];
    uint32_t first;
    CL_TRY(cl_lower_blocks(d, (int64_t)g->steps * g->width, &first));
    for (int step = 0; step < g->steps; step++)
        for (int p = 0; p < g->width; p++) {
            const uint32_t row = (uint32_t)(step * g->width);
            const int n = metg_inputs(g, step, p, from);
            for (int i = 0; i < n; i++)
                CL_TRY(cl_lower_read_block(d, row - (uint32_t)g->width +
                                                  (uint32_t)from[i]));
            cl_lower_reads(d);
            cl_lower_block(d, row + (uint32_t)p, CL_NONE, sizeof(metg_output),
                           step + 1 == g->steps ? CL_BLOCK_PERSIST : 0);
            CL_TRY(cl_lower_operand(d, row + (uint32_t)p, CL_W));
            CL_TRY(cl_lower_task(d));
        }
    return CLAST_OK;
}

/* What is wanted is the last row, as a persisted array would be. */
static clast_status build(cl_plan *plan, const metg_graph *g, cl_error *err)
{
    const uint32_t tasks = (uint32_t)(g->steps * g->width);
    uint32_t zero = 0, stage;
    cl_item item = {.tensor = 0};
    cl_tensor tensor = {.grid = {.ndim = 1, .axis[0] = {g->width, 1, g->width, NULL}},
                        .first_block = tasks - (uint32_t)g->width,
                        .block_step = 1};
    const cl_sink_facts sink = {.is_persist = true};
    cl_draft d = {.plan = plan, .err = err, .nsink = 1, .sink = &sink};
    cl_stage *const made = cl_arena_alloc(&plan->arena, sizeof *made);
    *made = (cl_stage){.kind = CL_STAGE_EMPTY, .out = CL_NONE, .tasks = tasks};
    clast_status status = cl_lower_stage(&d, made, CL_NONE, &stage);
    if (status == CLAST_OK)
        status = write_tasks(&d, g, stage);
    d.item = &item;
    d.tensor = &tensor;
    d.sink_item = &zero;
    if (status == CLAST_OK)
        status = cl_draft_order(&d);
    d.item = NULL; /* not the draft's own */
    d.tensor = NULL;
    if (status == CLAST_OK)
        *made = d.stage[stage];
    plan->nstage = 1;
    plan->stage = made;
    plan->bytes = plan->arena.bytes;
    cl_draft_fini(&d);
    return status;
}

void metg_begin(int workers)
{
    cl_error err = {0};
    const cl_engine_options options = {
        .memory = (uint64_t)1 << 30, .workers = workers, .team = cl_team_default()};
    check(cl_engine_new(&engine, &options, &err), &err);
}

double metg_run(const metg_graph *g)
{
    const double begin = metg_clock();
    cl_plan plan = {0};
    cl_error err = {0};
    const cl_run run = {.stats = NULL};
    graph = g;
    check(build(&plan, g, &err), &err);
    check(cl_engine_run(engine, &plan, &run, &err), &err);
    cl_plan_fini(&plan);
    return metg_clock() - begin;
}

void metg_end(void)
{
    cl_engine_free(engine);
}
