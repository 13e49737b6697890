/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a repeated run costs: one graph on borrowed memory, fetched again and again.
 *
 * The work is next to nothing, so that a run is what Clast does around it: sum(x + 1)
 * over x of N numbers in tiles of 8 KiB, with two tasks for N = 100 and about 1000 for
 * N = 500,000. Prints, per run, the first one's seconds, and the median of the others:
 * in all, and of it planning.
 *
 *   repeated_runs [N [RUNS [WORKERS]]]
 */
#include <clast.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    const int64_t n = argc > 1 ? atoll(argv[1]) : 100;
    const int runs = argc > 2 ? atoi(argv[2]) : 1000;
    const int workers = argc > 3 ? atoi(argv[3]) : 1;
    double *x = calloc((size_t)n, sizeof *x), sum = 0;
    double *all = calloc((size_t)runs + 1, sizeof *all);
    double *plan = calloc((size_t)runs + 1, sizeof *plan);
    if (!x || !all || !plan || runs < 2)
        return EXIT_FAILURE;
    clast_ctx *ctx = clast_open(
        &(clast_options){.memory = CLAST_MIB(256), .workers = workers, .block = 8192});
    const clast_buffer from = {x, (size_t)n * sizeof *x, CLAST_FLOAT64, 1, &n, NULL};
    const clast_buffer to = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    clast_array *a = clast_borrow(ctx, &from);
    a = clast_sum(clast_add(a, clast_double(ctx, 1)), CLAST_ALL);
    for (int i = 0; i < runs; i++) {
        const double begin = now();
        x[0] = i;
        clast_fetch(a, &to);
        all[i] = now() - begin;
        plan[i] = clast_ctx_stats(ctx).plan_seconds;
        if (sum != (double)(n + i))
            return EXIT_FAILURE;
    }
    const clast_stats stats = clast_ctx_stats(ctx);
    const double first = all[0], first_plan = plan[0];
    printf("%llu tasks, %d runs: the first %.1f us (planning %.1f), then %.1f us "
           "(planning %.1f)\n",
           (unsigned long long)stats.tasks, runs, first * 1e6, first_plan * 1e6,
           median(all + 1, runs - 1) * 1e6, median(plan + 1, runs - 1) * 1e6);
    clast_close(&ctx);
    free(x);
    free(all);
    free(plan);
    return EXIT_SUCCESS;
}
