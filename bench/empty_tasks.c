/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a task costs that does nothing: W x S empty tasks of zero-page blocks in the
 * patterns of Task Bench (no_comm, stencil with 3 dependencies, nearest with 9).
 *
 * Workers are pthreads that drive the scheduler core directly under one spinning lock,
 * in batches, as the driver does with tiny tasks. Printed are nanoseconds a task for
 * writing the segment, for setting up the core and for the run, and the bytes a task of
 * plan and core together. Tasks are numbered row by row; ordering is not part of it.
 *
 *     empty_tasks [--tasks N] [--width W] [--batch N]
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "sched/core.h"

enum { MOST_BATCH = 256 };

typedef struct {
    const char *name;
    int64_t radius; /* of dependencies; no_comm: 0 */
} pattern;

typedef struct {
    cl_core *core;
    size_t batch;
    _Alignas(64) atomic_flag lock;
} bench;

static uint32_t *numbers(size_t n)
{
    uint32_t *a = cl_alloc_array(n, sizeof *a);
    if (a == NULL) {
        fprintf(stderr, "empty_tasks: no memory for %zu numbers\n", n);
        exit(EXIT_FAILURE);
    }
    return a;
}

/* Task t of row s reads the blocks at most `radius` away in row s - 1 and writes block
 * s * width + t, so that a task's consumers are the same columns of the next row. */
static void write_segment(cl_segment *s, const pattern *p, int64_t width, int64_t steps)
{
    const int64_t n = width * steps, most = 2 * p->radius + 1;
    *s = (cl_segment){.ntask = (uint32_t)n, .nblock = (uint32_t)n};
    s->task_stage = numbers((size_t)n);
    s->task_index = numbers((size_t)n);
    s->operand_start = numbers((size_t)n + 1);
    s->operand = numbers((size_t)(n * (most + 1)));
    s->block = cl_alloc_array((size_t)n, sizeof *s->block);
    s->consumer_start = numbers((size_t)n + 1);
    s->consumer = numbers((size_t)(n * most));
    uint32_t operands = 0, consumers = 0;
    for (int64_t t = 0; t < n; t++) {
        const int64_t row = t / width, column = t % width;
        const int64_t lo = column < p->radius ? 0 : column - p->radius;
        const int64_t end = column + p->radius + 1;
        const int64_t hi = end > width ? width : end;
        s->task_stage[t] = 0;
        s->task_index[t] = (uint32_t)t;
        s->operand_start[t] = operands;
        s->consumer_start[t] = consumers;
        for (int64_t c = lo; c < hi && row > 0; c++)
            s->operand[operands++] =
                cl_operand((uint32_t)((row - 1) * width + c), CL_R);
        for (int64_t c = lo; c < hi && row + 1 < steps; c++)
            s->consumer[consumers++] = (uint32_t)((row + 1) * width + c);
        s->operand[operands++] = cl_operand((uint32_t)t, CL_W);
        s->block[t] = (cl_block){(uint32_t)t, CL_NONE, 0, 0, 0};
    }
    s->operand_start[n] = operands;
    s->consumer_start[n] = consumers;
}

static double segment_bytes(const cl_segment *s)
{
    return 8.0 * s->ntask + 4.0 * (s->ntask + 1.0) + 4.0 * s->operand_start[s->ntask] +
           (double)sizeof *s->block * s->nblock + 4.0 * (s->nblock + 1.0) +
           4.0 * s->consumer_start[s->nblock];
}

static void free_segment(cl_segment *s)
{
    cl_free(s->task_stage);
    cl_free(s->task_index);
    cl_free(s->operand_start);
    cl_free(s->operand);
    cl_free(s->block);
    cl_free(s->consumer_start);
    cl_free(s->consumer);
}

static void lock(bench *b)
{
    while (atomic_flag_test_and_set_explicit(&b->lock, memory_order_acquire))
        __builtin_ia32_pause();
}

static void unlock(bench *b)
{
    atomic_flag_clear_explicit(&b->lock, memory_order_release);
}

static void work(void *arg, int worker, int nworkers)
{
    bench *b = arg;
    cl_start start[MOST_BATCH];
    size_t n = 0;
    for (bool finished = false; !finished;) {
        cl_action action;
        lock(b);
        for (size_t i = 0; i < n; i++)
            cl_core_post(b->core, &(cl_event){.kind = CL_EVENT_DONE,
                                              .task = start[i].task,
                                              .block = CL_NONE,
                                              .epoch = start[i].epoch});
        n = cl_core_take(b->core, 0, start, b->batch);
        while (cl_core_next_action(b->core, &action))
            continue;
        finished = cl_core_is_finished(b->core);
        unlock(b);
        for (int i = 0; n == 0 && i < 20; i++)
            __builtin_ia32_pause();
    }
}

/* Seconds of set-up and run; exits where the core fails. */
static void run(const cl_plan *plan, int workers, size_t batch, double seconds[2],
                double *core_bytes)
{
    const cl_core_limits limits = {.budget_pages = 1u << 20, .nplace = 1};
    bench b = {.batch = batch, .lock = ATOMIC_FLAG_INIT};
    cl_error error = {0};
    uint32_t task, block;
    const double begin = cl_clock();
    if (cl_core_new(&b.core, plan, &limits, &error) != CLAST_OK) {
        fprintf(stderr, "empty_tasks: %s\n", error.text);
        exit(EXIT_FAILURE);
    }
    const double ready = cl_clock();
    cl_team_run(CL_TEAM_PTHREADS, workers, work, &b);
    seconds[1] = cl_clock() - ready;
    seconds[0] = ready - begin;
    *core_bytes = (double)cl_core_bytes(b.core);
    if (cl_core_failure(b.core, &task, &block) != CLAST_OK ||
        cl_core_get_counts(b.core).done != plan->segment[0].ntask) {
        fprintf(stderr, "empty_tasks: the run failed\n");
        exit(EXIT_FAILURE);
    }
    cl_core_free(b.core);
}

static void measure(const pattern *p, int64_t width, int64_t steps, size_t batch)
{
    cl_segment segment;
    cl_stage stage = {.kind = CL_STAGE_EMPTY};
    double seconds[2][2], core_bytes;
    const double begin = cl_clock();
    write_segment(&segment, p, width, steps);
    const double build = cl_clock() - begin;
    const cl_plan plan = {
        .nsegment = 1, .segment = &segment, .nstage = 1, .stage = &stage};
    run(&plan, 1, batch, seconds[0], &core_bytes);
    run(&plan, 2, batch, seconds[1], &core_bytes);
    const double n = (double)segment.ntask, ns = 1e9 / n;
    printf("%-12s %9.0f %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f\n", p->name, n, build * ns,
           seconds[0][0] * ns, seconds[0][1] * ns, seconds[1][1] * ns,
           (build + seconds[1][0] + seconds[1][1]) * ns,
           (segment_bytes(&segment) + core_bytes) / n);
    free_segment(&segment);
}

static int64_t argument(int argc, char **argv, const char *name, int64_t otherwise,
                        int64_t most)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) {
            const int64_t value = strtoll(argv[i + 1], NULL, 10);
            return value < 1 ? 1 : (value > most ? most : value);
        }
    return otherwise;
}

int main(int argc, char **argv)
{
    static const pattern patterns[] = {
        {"no_comm", 0}, {"stencil", 1}, {"nearest_9", 4}};
    const int64_t tasks = argument(argc, argv, "--tasks", 1000000, 100000000);
    const int64_t width = argument(argc, argv, "--width", 1000, tasks);
    const size_t batch = (size_t)argument(argc, argv, "--batch", 64, MOST_BATCH);
    printf("%-12s %9s %9s %9s %9s %9s %9s %9s\n", "ns a task", "tasks", "build",
           "set-up", "1 worker", "2 workers", "all (2)", "bytes");
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        measure(&patterns[i], width, (tasks + width - 1) / width, batch);
    return EXIT_SUCCESS;
}
