/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * METG of `omp task depend`: built once with GCC (libgomp) and once with clang
 * (libomp).
 *
 * Two rows of outputs are kept; the dependences are on them. One thread writes the
 * tasks, and runs some where the runtime lets it.
 */
#include <omp.h>

#include "metg.h"

#ifdef __clang__
const char *const metg_name = "libomp";
#else
const char *const metg_name = "libgomp";
#endif

static struct {
    _Alignas(64) metg_output output;
} rows[2][METG_MOST];
static int workers;

/* `from` may be on the writer's stack: the body finds its inputs again. */
static void body(const metg_graph *g, int step, int point)
{
    int from[METG_MOST];
    const metg_output *input[METG_MOST];
    const int n = metg_inputs(g, step, point, from);
    for (int i = 0; i < n; i++)
        input[i] = &rows[(step + 1) % 2][from[i]].output;
    metg_execute(g, step, point, n, input, &rows[step % 2][point].output);
}

#define IN(i) before[from[i]].output

/* As programs write it: so many dependences, so many names. */
static void write_task(const metg_graph *g, int step, int point)
{
    int from[METG_MOST];
    const int n = metg_inputs(g, step, point, from);
    metg_output *const out = &rows[step % 2][point].output;
    const __typeof__(&rows[0][0]) before = rows[(step + 1) % 2];
    switch (n) {
    case 0:
#pragma omp task firstprivate(g, step, point) depend(out : *out)
        body(g, step, point);
        break;
    case 1:
#pragma omp task firstprivate(g, step, point) depend(out : *out) depend(in : IN(0))
        body(g, step, point);
        break;
    case 2:
#pragma omp task firstprivate(g, step, point) depend(out                               \
                                                     : *out) depend(in                 \
                                                                    : IN(0), IN(1))
        body(g, step, point);
        break;
    case 3:
#pragma omp task firstprivate(g, step, point) depend(out                               \
                                                     : *out)                           \
    depend(in                                                                          \
           : IN(0), IN(1), IN(2))
        body(g, step, point);
        break;
    case 5:
#pragma omp task firstprivate(g, step, point) depend(out                               \
                                                     : *out)                           \
    depend(in                                                                          \
           : IN(0), IN(1), IN(2), IN(3), IN(4))
        body(g, step, point);
        break;
    default:
#pragma omp task firstprivate(g, step, point) depend(out                               \
                                                     : *out)                           \
    depend(iterator(i = 0                                                              \
                    : n),                                                              \
           in                                                                          \
           : before[from[i]].output)
        body(g, step, point);
        break;
    }
}

void metg_begin(int n)
{
    workers = n;
}

double metg_run(const metg_graph *g)
{
    const double begin = metg_clock();
#pragma omp parallel num_threads(workers)
#pragma omp single
    for (int step = 0; step < g->steps; step++)
        for (int p = 0; p < g->width; p++)
            write_task(g, step, p);
    return metg_clock() - begin;
}

void metg_end(void) {}
