/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all METG programs share: patterns, kernels, the search.
 *
 * Efficiency is the kernel's work a second over `--peak`, what the machine does with
 * one loop on each worker (metg_bare --peak). From where tasks take about 4 us the
 * number of iterations is doubled until a run is at least half as fast as the peak, or
 * halved until it is not; the granularity (seconds times workers over tasks) at one
 * half is interpolated between the last two points. A point is the best of `--repeat`
 * runs. The floor is wall time a task with one iteration of the kernel. Printed are
 * both in microseconds; without --peak the peak, with --iterations N seconds of a run.
 *
 * The compute kernel has 16 chains of 4 fused multiply-adds, 128 operations an
 * iteration; the memory kernel copies 512 bytes an iteration, going round in 16 MiB of
 * its thread.
 */
#include "metg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { PIECE = 512, SCRATCH = 16 << 20, FLOPS = 128 };
#define MOST_SECONDS 200e-6 /* of a task: coarser ones are not tried */

double metg_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- patterns ---- */

/* Columns lo to hi, those that there are. */
static int range(const metg_graph *g, int lo, int hi, int *columns)
{
    int n = 0;
    for (int c = lo < 0 ? 0 : lo; c <= hi && c < g->width; c++)
        columns[n++] = c;
    return n;
}

static int no_comm(const metg_graph *g, int step, int point, int *columns)
{
    return range(g, point, point, columns);
}

static int stencil_1d(const metg_graph *g, int step, int point, int *columns)
{
    return range(g, point - 1, point + 1, columns);
}

static int nearest(const metg_graph *g, int step, int point, int *columns)
{
    return range(g, point - g->radix / 2, point + (g->radix - 1) / 2, columns);
}

/* Columns that lie width / radix apart; all but the first move on with the step. */
static int spread(const metg_graph *g, int step, int point, int *columns)
{
    bool is_read[METG_MOST] = {false};
    for (int i = 0; i < g->radix; i++)
        is_read[(point + i * g->width / g->radix + (i > 0 ? step % 3 : 0)) % g->width] =
            true;
    int n = 0;
    for (int c = 0; c < g->width; c++)
        if (is_read[c])
            columns[n++] = c;
    return n;
}

/* Butterflies: the distance doubles from step to step, and begins again. */
static int fft(const metg_graph *g, int step, int point, int *columns)
{
    int levels = 0, n = 0;
    while (1 << levels < g->width)
        levels++;
    const int distance = levels ? 1 << step % levels : 0;
    for (int side = -1; side <= 1; side++) {
        const int c = point + side * distance;
        if (c >= 0 && c < g->width && (side == 0 || distance > 0))
            columns[n++] = c;
    }
    return n;
}

static int all_to_all(const metg_graph *g, int step, int point, int *columns)
{
    return range(g, 0, g->width - 1, columns);
}

const char *const metg_patterns[] = {"no_comm", "stencil_1d", "nearest", "spread",
                                     "fft",     "all_to_all", NULL};
static int (*const pattern_columns[])(const metg_graph *g, int step, int point,
                                      int *columns) = {no_comm, stencil_1d, nearest,
                                                       spread,  fft,        all_to_all};

int metg_inputs(const metg_graph *g, int step, int point, int *columns)
{
    return step == 0 ? 0 : pattern_columns[g->pattern](g, step, point, columns);
}

/* ---- kernels ---- */

static _Thread_local char *scratch; /* of a thread, until the process ends */
static _Thread_local size_t scratch_at;
static _Thread_local double sink;

/* Values tend to 1. */
static void compute_plainly(int64_t iterations)
{
    double chain[64];
    for (int c = 0; c < 64; c++)
        chain[c] = c;
    for (int64_t i = 0; i < iterations; i++)
        for (int c = 0; c < 64; c++)
            chain[c] = chain[c] * 0.75 + 0.25;
    for (int c = 0; c < 64; c++)
        sink += chain[c];
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void compute_fused(int64_t iterations)
{
    __m256d chain[16];
    const __m256d a = _mm256_set1_pd(0.75), b = _mm256_set1_pd(0.25);
    for (int c = 0; c < 16; c++)
        chain[c] = _mm256_set1_pd(c);
    for (int64_t i = 0; i < iterations; i++) {
#pragma GCC unroll 16
        for (int c = 0; c < 16; c++)
            chain[c] = _mm256_fmadd_pd(chain[c], a, b);
    }
    for (int c = 1; c < 16; c++)
        chain[0] = _mm256_add_pd(chain[0], chain[c]);
    sink += chain[0][0] + chain[0][1] + chain[0][2] + chain[0][3];
}
#endif

static void compute(int64_t iterations)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("fma")) {
        compute_fused(iterations);
        return;
    }
#endif
    compute_plainly(iterations);
}

static void copy(int64_t iterations)
{
    if (scratch == NULL) {
        scratch = malloc(SCRATCH);
        if (scratch == NULL)
            abort();
        memset(scratch, 1, SCRATCH);
    }
    for (int64_t i = 0; i < iterations; i++) {
        memcpy(scratch + scratch_at, scratch + SCRATCH / 2 + scratch_at, PIECE);
        scratch_at = (scratch_at + PIECE) % (SCRATCH / 2);
    }
}

static double work_of(const metg_graph *g)
{
    return (double)g->iterations * (g->kernel == METG_COMPUTE ? FLOPS : PIECE);
}

void metg_execute(const metg_graph *g, int step, int point, int ninput,
                  const metg_output *const *input, metg_output *output)
{
    int columns[METG_MOST];
    bool is_right = metg_inputs(g, step, point, columns) == ninput;
    for (int i = 0; i < ninput && is_right; i++)
        is_right = input[i]->step == step - 1 && input[i]->point == columns[i];
    if (!is_right) {
        fprintf(stderr, "%s: step %d, point %d had wrong inputs\n", metg_name, step,
                point);
        abort();
    }
    (g->kernel == METG_COMPUTE ? compute : copy)(g->iterations);
    *output = (metg_output){step, point};
}

/* ---- the search ---- */

typedef struct {
    metg_graph graph;
    int workers, repeat;
    double peak; /* work a second */
} search;

typedef struct {
    double granularity, efficiency;
} point;

static double best(const search *s, int64_t iterations)
{
    metg_graph g = s->graph;
    double least = 0;
    g.iterations = iterations;
    for (int i = 0; i < s->repeat; i++) {
        const double seconds = metg_run(&g);
        least = i == 0 || seconds < least ? seconds : least;
    }
    return least;
}

static point measure(const search *s, int64_t iterations)
{
    metg_graph g = s->graph;
    g.iterations = iterations;
    const double seconds = best(s, iterations), tasks = (double)g.width * g.steps;
    return (point){seconds * s->workers / tasks,
                   work_of(&g) * tasks / seconds / s->peak};
}

static double at_half(point above, point below)
{
    if (above.efficiency <= below.efficiency)
        return above.granularity;
    const double part =
        (0.5 - below.efficiency) / (above.efficiency - below.efficiency);
    return below.granularity + part * (above.granularity - below.granularity);
}

/* Seconds; 0: not half as fast as the peak with the coarsest tasks either. */
static double find_metg(const search *s)
{
    const double rate = s->peak / s->workers; /* of one worker */
    const double unit = s->graph.kernel == METG_COMPUTE ? FLOPS : PIECE;
    const int64_t most = (int64_t)(MOST_SECONDS * rate / unit);
    int64_t iterations = 1;
    while ((double)iterations * unit / rate < 4e-6)
        iterations *= 2;
    point now = measure(s, iterations);
    const bool rises = now.efficiency < 0.5;
    for (;;) {
        if (rises ? iterations >= most : iterations == 1)
            return rises ? 0 : now.granularity;
        iterations = rises ? iterations * 2 : iterations / 2;
        const point next = measure(s, iterations);
        if (rises && next.efficiency >= 0.5)
            return at_half(next, now);
        if (!rises && next.efficiency < 0.5)
            return at_half(now, next);
        now = next;
    }
}

/* Work a second of all workers, without dependences. */
static double find_peak(const search *s)
{
    search one = *s;
    one.graph.pattern = 0;
    one.graph.width = s->workers;
    one.graph.steps = 64;
    one.graph.iterations = s->graph.kernel == METG_COMPUTE ? 100000 : 2000;
    const double seconds = best(&one, one.graph.iterations);
    return work_of(&one.graph) * one.graph.width * one.graph.steps / seconds;
}

static const char *argument(int argc, char **argv, const char *name,
                            const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

static int number(int argc, char **argv, const char *name, const char *otherwise,
                  int most)
{
    const int n = atoi(argument(argc, argv, name, otherwise));
    return n < 1 ? 1 : (n > most ? most : n);
}

static int pattern_of(const char *name)
{
    for (int i = 0; metg_patterns[i]; i++)
        if (strcmp(metg_patterns[i], name) == 0)
            return i;
    fprintf(stderr, "%s: there is no pattern \"%s\"\n", metg_name, name);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    search s = {
        .graph.pattern = pattern_of(argument(argc, argv, "--pattern", "stencil_1d")),
        .graph.width = number(argc, argv, "--width", "16", METG_MOST),
        .graph.steps = number(argc, argv, "--steps", "1000", 1000000),
        .graph.radix = number(argc, argv, "--radix", "5", METG_MOST),
        .workers = number(argc, argv, "--workers", "2", METG_MOST),
        .repeat = number(argc, argv, "--repeat", "3", 1000),
        .peak = atof(argument(argc, argv, "--peak", "0")),
    };
    if (strcmp(argument(argc, argv, "--kernel", "compute"), "memory") == 0)
        s.graph.kernel = METG_MEMORY;
    const char *iterations = argument(argc, argv, "--iterations", NULL);
    metg_begin(s.workers);
    best(&s, 1); /* threads, pools and scratch memory are there from now on */
    if (iterations)
        printf("%.6f\n", best(&s, atoll(iterations)));
    else if (s.peak > 0)
        printf("%.4f %.4f\n", find_metg(&s) * 1e6,
               best(&s, 1) * 1e6 / s.graph.width / s.graph.steps);
    else
        printf("%.6e\n", find_peak(&s));
    metg_end();
    return EXIT_SUCCESS;
}
