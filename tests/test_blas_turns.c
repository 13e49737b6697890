/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A BLAS that cannot bear two threads at once, as an OpenBLAS that is built without
 * threads and locks: workers take turns. This program has its own cblas_dgemm(), which
 * the library then calls, and which notices whether it is alone.
 */
#include <cblas.h>
#include <sched.h>
#include <stdatomic.h>

#include "check_main.h"
#include "clast.h"

static int parallel, expected; /* expected: how many at once */
static const char *config;
static atomic_int inside, calls, most;

int openblas_get_parallel(void)
{
    return parallel;
}

char *openblas_get_config(void)
{
    return (char *)(uintptr_t)config;
}

/* Stays until another was there too; where none may come, long enough for one that does
 * all the same. */
void cblas_dgemm(const enum CBLAS_ORDER order, const enum CBLAS_TRANSPOSE turn_a,
                 const enum CBLAS_TRANSPOSE turn_b, const blasint m, const blasint n,
                 const blasint k, const double alpha, const double *a,
                 const blasint lda, const double *b, const blasint ldb,
                 const double beta, double *c, const blasint ldc)
{
    atomic_fetch_add(&calls, 1);
    const int here = atomic_fetch_add(&inside, 1) + 1;
    if (here > atomic_load(&most))
        atomic_store(&most, here);
    for (int i = 0; atomic_load(&most) == 1 && (expected > 1 || i < 1000); i++)
        sched_yield();
    for (blasint i = 0; i < m; i++)
        for (blasint j = 0; j < n; j++)
            c[i * ldc + j] = beta == 0 ? 0 : c[i * ldc + j];
    atomic_fetch_sub(&inside, 1);
}

static const struct {
    const char *config;
    int parallel, most;
} builds[] = {
    {"OpenBLAS 0.3.21 SINGLE_THREADED", OPENBLAS_SEQUENTIAL, 1},
    {"OpenBLAS 0.3.28 USE_LOCKING SINGLE_THREADED", OPENBLAS_SEQUENTIAL, 2},
    {"OpenBLAS 0.3.21 MAX_THREADS=64", OPENBLAS_THREAD, 2},
};

START_TEST(at_once)
{
    const int64_t shape[2] = {640, 640};
    parallel = builds[_i].parallel;
    config = builds[_i].config;
    expected = builds[_i].most;
    atomic_store(&inside, 0);
    atomic_store(&calls, 0);
    atomic_store(&most, 0);
    clast_ctx *ctx = clast_open(&(clast_options){
        .memory = CLAST_MIB(64), .workers = 2, .block = CLAST_KIB(64)});
    clast_array *a = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *b = clast_random(ctx, 2, shape, 2, CLAST_FLOAT64);
    double v = 1;
    ck_assert_int_eq(
        clast_fetch(clast_sum(clast_matmul(a, b), CLAST_ALL),
                    &(clast_buffer){&v, sizeof v, CLAST_FLOAT64, 0, NULL, NULL}),
        CLAST_OK);
    clast_close(&ctx);
    ck_assert_double_eq(v, 0); /* it was this cblas_dgemm() */
    ck_assert(atomic_load(&calls) > 10);
    const int met = atomic_load(&most);
    ck_assert_int_eq(met, expected);
}
END_TEST

static Suite *blas_turns_suite(void)
{
    Suite *s = suite_create("blas turns");
    TCase *t = tcase_create("turns");
    tcase_add_loop_test(t, at_once, 0, sizeof builds / sizeof *builds);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {blas_turns_suite};
    return cl_check_main(suites, 1);
}
