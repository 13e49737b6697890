/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that has threads of its own and lets Clast live in it: host CASE. Each case
 * prints a checksum of what it computed, or what went wrong (and fails).
 *
 * embedding.py builds it with each compiler's OpenMP and runs it on each OpenBLAS.
 */
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <clast.h>

extern void openblas_set_num_threads(int n);
extern int openblas_get_num_threads(void);

enum { N = 300, THREADS = 3 };

static _Noreturn void fail(const char *what, long got)
{
    printf("%s: %ld\n", what, got);
    exit(1);
}

static void expect(const char *what, long got, long wanted)
{
    if (got != wanted)
        fail(what, got);
}

/* Small tiles make many tasks of a small formula. */
static clast_ctx *open_with(uint64_t block)
{
    clast_ctx *ctx = clast_open(
        &(clast_options){.memory = CLAST_MIB(64), .workers = 2, .block = block});
    if (clast_ctx_status(ctx) != CLAST_OK)
        fail(clast_ctx_error(ctx), 0);
    return ctx;
}

static clast_ctx *open_ctx(void)
{
    return open_with(65536);
}

/* BLAS and LAPACK: singular values of a matrix times its transpose. */
static clast_array *formula(clast_ctx *ctx)
{
    const int64_t shape[2] = {N, N}, tall[2] = {4 * N, 20};
    clast_array *x = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *y = clast_random(ctx, 2, tall, 2, CLAST_FLOAT64);
    return clast_add(clast_sum(clast_matmul(x, clast_transpose(x)), CLAST_ALL),
                     clast_sum(clast_svd(y).s, CLAST_ALL));
}

static clast_array *endless(clast_ctx *ctx)
{
    const int64_t shape[2] = {1 << 14, 1 << 20};
    return clast_sum(clast_random(ctx, 2, shape, 1, CLAST_FLOAT64), CLAST_ALL);
}

static clast_buffer scalar(double *v)
{
    return (clast_buffer){v, sizeof *v, CLAST_FLOAT64, 0, NULL, NULL};
}

static double compute(clast_ctx *ctx)
{
    double v = 0;
    const clast_buffer into = scalar(&v);
    if (clast_fetch(formula(ctx), &into) != CLAST_OK)
        fail(clast_ctx_error(ctx), 0);
    return v;
}

static clast_run *submit(clast_array *a, double *v)
{
    const clast_buffer into = scalar(v);
    const clast_sink sink = clast_sink_fetch(a, &into);
    return clast_submit(clast_array_ctx(a), 1, &sink);
}

/* ---- cases; each gives the formula's value */

/* The host's own team has its size before and after. */
static double teams(void)
{
    clast_ctx *ctx = open_ctx();
    omp_set_num_threads(3);
    const double v = compute(ctx);
    int size = 0;
#pragma omp parallel
#pragma omp single
    size = omp_get_num_threads();
    expect("threads of the host's region", size, 3);
    expect("threads that a region would have", omp_get_max_threads(), 3);
    clast_close(&ctx);
    return v;
}

/* From inside the host's region: one worker, no other thread is waited for. */
static double region(void)
{
    double v[THREADS] = {0};
    int workers[THREADS] = {0};
#pragma omp parallel num_threads(THREADS)
    {
        const int me = omp_get_thread_num();
        clast_ctx *ctx = open_ctx();
        v[me] = compute(ctx);
        workers[me] = clast_ctx_stats(ctx).workers;
        clast_close(&ctx);
    }
    expect("workers inside a region", workers[0], 1);
    for (int i = 1; i < THREADS && workers[i]; i++)
        expect("same bits in all threads", v[i] == v[0], 1);
    return v[0];
}

/* One thread of the region calls while the others wait for it at the barrier. */
static double barrier(void)
{
    double v = 0;
    clast_ctx *ctx = open_ctx();
#pragma omp parallel num_threads(THREADS)
    {
#pragma omp master
        v = compute(ctx);
#pragma omp barrier
    }
    clast_close(&ctx);
    return v;
}

/* All threads of a region share one context. */
static double shared(void)
{
    double v[THREADS] = {0};
    clast_ctx *ctx = open_ctx();
#pragma omp parallel for num_threads(THREADS)
    for (int i = 0; i < THREADS; i++)
        v[i] = compute(ctx);
    for (int i = 1; i < THREADS; i++)
        expect("same bits in all threads", v[i] == v[0], 1);
    clast_close(&ctx);
    return v[0];
}

static int threads_during = -1;

static void look(void *arg, const clast_progress *progress)
{
    threads_during = openblas_get_num_threads();
    clast_cancel(arg);
}

/* OpenBLAS has one thread during a run and the host's number after it. */
static double blas(void)
{
    clast_ctx *ctx = open_with(0);
    openblas_set_num_threads(2);
    const int before = openblas_get_num_threads(); /* 1 where it has no threads */
    clast_set_progress(ctx, look, ctx);
    double v = 0;
    const clast_buffer into = scalar(&v);
    expect("canceled", clast_fetch(endless(ctx), &into), CLAST_ECANCELED);
    expect("OpenBLAS' threads during a run", threads_during, 1);
    expect("OpenBLAS' threads after it", openblas_get_num_threads(), before);
    clast_close(&ctx);
    ctx = open_ctx();
    v = compute(ctx);
    expect("OpenBLAS' threads after another", openblas_get_num_threads(), before);
    clast_close(&ctx);
    return v;
}

static double background(void)
{
    double v = 0;
    clast_ctx *ctx = open_ctx();
    clast_run *run = submit(formula(ctx), &v);
    expect("status", clast_wait(run, -1), CLAST_OK);
    clast_close(&ctx);
    return v;
}

static void *compute_in_thread(void *arg)
{
    double *v = arg;
    clast_ctx *ctx = open_ctx();
    *v = compute(ctx);
    clast_close(&ctx);
    return NULL;
}

/* Two contexts at once, in threads of the host. */
static double contexts(void)
{
    double v[2];
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        expect("thread", pthread_create(&thread[i], NULL, compute_in_thread, &v[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    expect("same bits in both contexts", v[0] == v[1], 1);
    return v[0];
}

/* A child that executes another program, and one that just ends. */
static void try_children(void)
{
    for (int i = 0; i < 2; i++) {
        int status = -1;
        fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            if (i == 0)
                execl("/bin/true", "true", (char *)NULL);
            _exit(i == 0 ? 9 : 0);
        }
        expect("child", waitpid(child, &status, 0), child);
        expect("end of a child", status, 0);
    }
}

/* fork() after a run, and while one is under way in the background. */
static double forks(void)
{
    double v = 0;
    clast_ctx *ctx = open_with(0);
    compute(ctx);
    try_children();
    clast_run *run = submit(endless(ctx), &v);
    try_children();
    expect("the run goes on", clast_wait(run, 0), CLAST_EPENDING);
    clast_run_cancel(run);
    expect("status", clast_wait(run, -1), CLAST_ECANCELED);
    clast_close(&ctx);
    ctx = open_ctx();
    v = compute(ctx);
    clast_close(&ctx);
    return v;
}

static const struct {
    const char *name;
    double (*run)(void);
} cases[] = {
    {"teams", teams},       {"region", region}, {"barrier", barrier},
    {"shared", shared},     {"blas", blas},     {"background", background},
    {"contexts", contexts}, {"forks", forks},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            const double v = cases[i].run();
            printf("%a\n", v);
            return isfinite(v) ? 0 : 1;
        }
    return 2;
}
