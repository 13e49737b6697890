/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * METG of StarPU 1.3: starpu_task_insert with handles of the two rows of outputs, whose
 * sequential order gives the dependences. The scheduler is what STARPU_SCHED says.
 */
#include <starpu.h>
#include <stdio.h>
#include <stdlib.h>

#include "metg.h"

const char *const metg_name = "starpu";

static struct {
    _Alignas(64) metg_output output;
} rows[2][METG_MOST];
static starpu_data_handle_t handle[2][METG_MOST];
static const metg_graph *graph;

static void body(void **buffers, void *arg)
{
    const uintptr_t index = (uintptr_t)arg;
    const int step = (int)(index / METG_MOST), point = (int)(index % METG_MOST);
    const metg_output *input[METG_MOST];
    const int n = (int)STARPU_TASK_GET_NBUFFERS(starpu_task_get_current()) - 1;
    for (int i = 0; i < n; i++)
        input[i] = (const metg_output *)STARPU_VARIABLE_GET_PTR(buffers[i]);
    metg_execute(graph, step, point, n, input,
                 (metg_output *)STARPU_VARIABLE_GET_PTR(buffers[n]));
}

static struct starpu_codelet codelet = {
    .cpu_funcs = {body}, .nbuffers = STARPU_VARIABLE_NBUFFERS, .name = "metg"};

static void check(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "starpu: %s failed with %d\n", what, status);
    exit(EXIT_FAILURE);
}

void metg_begin(int workers)
{
    struct starpu_conf conf;
    starpu_conf_init(&conf);
    conf.ncpus = workers;
    check(starpu_init(&conf), "starpu_init");
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < METG_MOST; c++)
            starpu_variable_data_register(&handle[r][c], STARPU_MAIN_RAM,
                                          (uintptr_t)&rows[r][c].output,
                                          sizeof rows[r][c].output);
}

static void write_task(const metg_graph *g, int step, int point)
{
    int from[METG_MOST];
    struct starpu_data_descr operand[METG_MOST + 1];
    const int n = metg_inputs(g, step, point, from);
    for (int i = 0; i < n; i++) {
        operand[i].handle = handle[(step + 1) % 2][from[i]];
        operand[i].mode = STARPU_R;
    }
    operand[n].handle = handle[step % 2][point];
    operand[n].mode = STARPU_W;
    const uintptr_t index = (uintptr_t)step * METG_MOST + (uintptr_t)point;
    check(starpu_task_insert(&codelet, STARPU_DATA_MODE_ARRAY, operand, n + 1,
                             STARPU_CL_ARGS_NFREE, (void *)index, (size_t)0, 0),
          "starpu_task_insert");
}

double metg_run(const metg_graph *g)
{
    const double begin = metg_clock();
    graph = g;
    for (int step = 0; step < g->steps; step++)
        for (int p = 0; p < g->width; p++)
            write_task(g, step, p);
    starpu_task_wait_for_all();
    return metg_clock() - begin;
}

void metg_end(void)
{
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < METG_MOST; c++)
            starpu_data_unregister(handle[r][c]);
    starpu_shutdown();
}
