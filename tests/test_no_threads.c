/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs that get no I/O threads: workers do what these would do, load and spill, with
 * the same results. The program is linked so that who starts a thread asks here first
 * (--wrap); teams of workers have theirs.
 */
#include "base/thread.h"
#include "check_main.h"
#include "clast.h"
#include "io/sys.h"
#include "temp_folder.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { N = 700, ROWS = 2048, COLUMNS = 1024 };

static atomic_int refused;
static atomic_bool has_none;

clast_status __real_cl_thread_start(cl_thread *t, void *(*fn)(void *), void *arg);
clast_status __wrap_cl_thread_start(cl_thread *t, void *(*fn)(void *), void *arg);

clast_status __wrap_cl_thread_start(cl_thread *t, void *(*fn)(void *), void *arg)
{
    if (!atomic_load(&has_none))
        return __real_cl_thread_start(t, fn, arg);
    refused++;
    return CLAST_ENOMEM;
}

static cl_sys_table real;
static atomic_int cached; /* so many reads more are in the page cache */

static ssize_t read_cached(int fd, const struct iovec *iov, int n, off_t at)
{
    if (cached-- > 0)
        return real.preadv(fd, iov, n, at);
    errno = EAGAIN;
    return -1;
}

static void begin(void)
{
    temp_folder_begin();
    real = cl_sys;
    atomic_store(&refused, 0);
}

static void end(void)
{
    cl_sys = real;
    atomic_store(&has_none, false);
    temp_folder_end();
}

/* ---- spills ---- */

static clast_stats multiply(int workers, double *into)
{
    const int64_t shape[2] = {N, N};
    const clast_buffer buffer = {into, N * N * sizeof *into, CLAST_FLOAT64, 2, shape,
                                 NULL};
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(6),
                                                 .workers = workers,
                                                 .scratch = ".",
                                                 .block = CLAST_KIB(256)});
    clast_array *r = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *m = clast_matmul(r, clast_transpose(r));
    m = clast_sub(clast_transpose(m), clast_mean(m, 0));
    ck_assert_msg(clast_fetch(m, &buffer) == CLAST_OK, "%s", clast_ctx_error(ctx));
    const clast_stats stats = clast_ctx_stats(ctx);
    clast_close(&ctx);
    return stats;
}

START_TEST(workers_spill)
{
    static double expected[N * N], result[N * N];
    const clast_stats with = multiply(1 + _i, expected);
    atomic_store(&has_none, true);
    const clast_stats without = multiply(1 + _i, result);
    ck_assert_int_gt(refused, 0);
    ck_assert_uint_gt(without.spilled, 0);
    ck_assert_int_eq(memcmp(expected, result, sizeof result), 0);
    if (_i > 0)
        return;
    ck_assert_uint_eq(without.spilled, without.predicted_spilled);
    ck_assert_uint_eq(without.spilled, with.spilled);
    ck_assert_uint_eq(without.read, without.predicted_read);
}
END_TEST

/* ---- loads ---- */

/* Without leases, which have a thread of their own. */
static double sum_of_file(int workers)
{
    double sum = -1;
    const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(12),
                                                 .workers = workers,
                                                 .scratch = ".",
                                                 .no_mapping = true});
    clast_array *x = clast_from_hdf5(ctx, "x.h5", "/x");
    const clast_status status = clast_fetch(clast_sum(x, CLAST_ALL), &into);
    ck_assert_msg(status == CLAST_OK, "%s", clast_ctx_error(ctx));
    clast_close(&ctx);
    return sum;
}

/* Nothing is in the page cache, or what comes first is: a task that reads strips itself
 * has to wait for the rest, and tells. */
START_TEST(workers_load)
{
    static const int counts[] = {0, 1, 2, 5};
    const int64_t shape[2] = {ROWS, COLUMNS}, chunk[2] = {ROWS / 8, COLUMNS};
    clast_ctx *ctx = clast_open(NULL);
    clast_array *made = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    ck_assert_int_eq(
        clast_to_hdf5(made, "x.h5", "/x", &(clast_hdf5_options){.chunks = chunk}),
        CLAST_OK);
    clast_close(&ctx);
    const int workers = 1 + _i;
    const double expected = sum_of_file(workers);
    atomic_store(&has_none, true);
    cl_sys.preadv_now = read_cached;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        atomic_store(&refused, 0);
        atomic_store(&cached, counts[i]);
        ck_assert_double_eq(sum_of_file(workers), expected);
        ck_assert_msg(refused > 0, "%d reads: no thread was asked for", counts[i]);
    }
}
END_TEST

static Suite *no_threads(void)
{
    Suite *s = suite_create("no_threads");
    TCase *t = tcase_create("no_threads");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, workers_spill, 0, 3);
    tcase_add_loop_test(t, workers_load, 0, 3);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {no_threads};
    return cl_check_main(suites, 1);
}
