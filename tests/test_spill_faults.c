/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs that spill on bad disks: every write, read and reservation of scratch fails in
 * turn, transfers are short, the disk is slow or filled by others. A run gives its
 * error or the same bits as on a good disk; nothing leaks, nothing stays in the folder,
 * and the context goes on.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "io/sys.h"

enum { N = 700 };

static char folder[64];
static double good[N * N], result[N * N];
static cl_sys_table real;

/* ---- disks; workers and I/O threads call them at the same time */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long calls, bad_call;
static int bad_errno;
static bool stays_bad; /* a full disk */

/* The bad call fails, and all later ones of a disk that is full. */
static bool fails(void)
{
    pthread_mutex_lock(&mutex);
    const bool bad = ++calls == bad_call || (stays_bad && calls > bad_call);
    pthread_mutex_unlock(&mutex);
    if (bad)
        errno = bad_errno;
    return bad;
}

static ssize_t bad_read(int fd, const struct iovec *iov, int n, off_t at)
{
    return fails() ? -1 : real.preadv(fd, iov, n, at);
}

static ssize_t bad_write(int fd, const struct iovec *iov, int n, off_t at)
{
    return fails() ? -1 : real.pwritev(fd, iov, n, at);
}

static int bad_allocate(int fd, int mode, off_t at, off_t bytes)
{
    return fails() ? -1 : real.fallocate(fd, mode, at, bytes);
}

/* At most a part of the first piece, of uneven size. */
static struct iovec part_of(const struct iovec *iov)
{
    struct iovec part = *iov;
    if (part.iov_len > 70001)
        part.iov_len = 70001;
    return part;
}

static ssize_t short_read(int fd, const struct iovec *iov, int n, off_t at)
{
    const struct iovec part = part_of(iov);
    return real.preadv(fd, &part, 1, at);
}

static ssize_t short_write(int fd, const struct iovec *iov, int n, off_t at)
{
    const struct iovec part = part_of(iov);
    return real.pwritev(fd, &part, 1, at);
}

/* Everybody else comes first, many times. */
static void dawdle(void)
{
    for (int i = 0; i < 300; i++)
        sched_yield();
}

static ssize_t slow_read(int fd, const struct iovec *iov, int n, off_t at)
{
    dawdle();
    return real.preadv(fd, iov, n, at);
}

static ssize_t slow_write(int fd, const struct iovec *iov, int n, off_t at)
{
    dawdle();
    return real.pwritev(fd, iov, n, at);
}

/* ---- runs */

static clast_ctx *open_tight(int workers)
{
    return clast_open(&(clast_options){.memory = CLAST_MIB(6),
                                       .workers = workers,
                                       .scratch = folder,
                                       .block = CLAST_KIB(256)});
}

static clast_status run(clast_ctx *ctx, double *into)
{
    const int64_t shape[2] = {N, N};
    const clast_buffer buffer = {.data = into,
                                 .bytes = sizeof good,
                                 .dtype = CLAST_FLOAT64,
                                 .ndim = 2,
                                 .shape = shape};
    clast_scope_begin(ctx);
    clast_array *r = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *m = clast_matmul(r, clast_transpose(r));
    const clast_status status =
        clast_fetch(clast_sub(clast_transpose(m), clast_mean(m, 0)), &buffer);
    clast_scope_end(ctx);
    return status;
}

static void begin(void)
{
    strcpy(folder, "/tmp/clast-spill-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    real = cl_sys;
    clast_ctx *ctx = open_tight(1);
    ck_assert_msg(run(ctx, good) == CLAST_OK, "%s", clast_ctx_error(ctx));
    ck_assert_uint_gt(clast_ctx_stats(ctx).spilled, 0);
    clast_close(&ctx);
}

static void end(void)
{
    cl_sys = real;
    ck_assert_msg(rmdir(folder) == 0, "something is left in %s", folder);
}

static const struct {
    ssize_t (*read)(int fd, const struct iovec *iov, int n, off_t at);
    ssize_t (*write)(int fd, const struct iovec *iov, int n, off_t at);
    int (*allocate)(int fd, int mode, off_t at, off_t bytes);
    int error;
    clast_status status;
} faults[] = {
    {bad_read, NULL, NULL, EIO, CLAST_EIO},
    {NULL, bad_write, NULL, EIO, CLAST_EIO},
    {NULL, bad_write, NULL, ENOSPC, CLAST_ENOSPACE},
    {NULL, NULL, bad_allocate, ENOSPC, CLAST_ENOSPACE},
};

static void break_disk(int i, long call)
{
    cl_sys = real;
    calls = 0;
    bad_call = call;
    bad_errno = faults[i].error;
    stays_bad = bad_errno == ENOSPC;
    if (faults[i].read)
        cl_sys.preadv = faults[i].read;
    if (faults[i].write)
        cl_sys.pwritev = faults[i].write;
    if (faults[i].allocate)
        cl_sys.fallocate = faults[i].allocate;
}

START_TEST(every_call_fails_in_turn)
{
    clast_status status = faults[_i].status;
    long call = 0;
    while (status != CLAST_OK) {
        const uint64_t before = cl_alloc_live();
        clast_ctx *ctx = open_tight(1 + (int)(call % 2));
        break_disk(_i, ++call);
        status = run(ctx, result);
        cl_sys = real;
        ck_assert_msg(status == CLAST_OK || status == faults[_i].status, "call %ld: %s",
                      call, clast_ctx_error(ctx));
        if (status == CLAST_OK)
            ck_assert_int_lt(calls, bad_call); /* all were tried */
        if (call % 5 == 1) {
            ck_assert_int_eq(run(ctx, result), CLAST_OK);
            ck_assert_int_eq(memcmp(result, good, sizeof good), 0);
        }
        clast_close(&ctx);
        ck_assert_msg(cl_alloc_live() == before, "call %ld leaks", call);
    }
    ck_assert_int_gt(call, 1);
}
END_TEST

/* What a run spills of an array that was persisted before is that array's still, if the
 * disk does not take it. */
START_TEST(persisted_arrays_outlive_bad_spills)
{
    static double kept[N * N];
    const int64_t shape[2] = {N, N};
    const clast_buffer into = {kept, sizeof kept, CLAST_FLOAT64, 2, shape, NULL};
    const clast_buffer again = {result, sizeof result, CLAST_FLOAT64, 2, shape, NULL};
    clast_status status = CLAST_EIO;
    long call = 0;
    while (status != CLAST_OK) {
        clast_ctx *ctx = open_tight(1 + _i);
        clast_array *p = clast_persist(clast_random(ctx, 2, shape, 3, CLAST_FLOAT64));
        ck_assert_msg(clast_fetch(p, &into) == CLAST_OK, "%s", clast_ctx_error(ctx));
        clast_array *m = clast_matmul(p, clast_transpose(p));
        break_disk(1, ++call);
        status = clast_fetch(clast_sub(clast_transpose(m), clast_mean(m, 0)), &again);
        cl_sys = real;
        ck_assert_msg(status == CLAST_OK || status == CLAST_EIO, "call %ld: %s", call,
                      clast_ctx_error(ctx));
        ck_assert_msg(clast_fetch(p, &again) == CLAST_OK, "call %ld: %s", call,
                      clast_ctx_error(ctx));
        ck_assert_msg(memcmp(result, kept, sizeof kept) == 0, "call %ld", call);
        clast_close(&ctx);
    }
    ck_assert_int_gt(call, 1);
}
END_TEST

/* ---- disks that others fill */

/* A product of 128 MiB that waits for its mean. */
static clast_status run_large(clast_ctx *ctx, double *into)
{
    const int64_t shape[2] = {4096, 64};
    const clast_buffer buffer = {into, sizeof *into, CLAST_FLOAT64, 0, NULL, NULL};
    clast_scope_begin(ctx);
    clast_array *r = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *m = clast_matmul(r, clast_transpose(r));
    m = clast_abs(clast_sub(m, clast_mean(m, 0)));
    const clast_status status = clast_fetch(clast_sum(m, CLAST_ALL), &buffer);
    clast_scope_end(ctx);
    return status;
}

/* What may be spilled is set aside before the run, so a disk that is full afterwards
 * has no say; one that is full before is found before anything runs. */
static const struct {
    long bad_call;
    int error;
    clast_status status;
    long ncalls; /* the disk is asked so often; 0: more often */
} full[] = {
    {0, 0, CLAST_OK, 1},
    {1, ENOSPC, CLAST_ENOSPACE, 2},
    {2, ENOSPC, CLAST_OK, 1},
    {1, EOPNOTSUPP, CLAST_OK, 0}, /* room is asked for as slots are made */
};

START_TEST(room_is_set_aside)
{
    double sum = 0;
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(48),
                                                 .workers = 1,
                                                 .scratch = folder,
                                                 .block = CLAST_MIB(1)});
    cl_sys.fallocate = bad_allocate;
    calls = 0;
    bad_call = full[_i].bad_call;
    bad_errno = full[_i].error;
    stays_bad = true;
    const clast_status status = run_large(ctx, &sum);
    cl_sys = real;
    const clast_stats stats = clast_ctx_stats(ctx);
    ck_assert_msg(status == full[_i].status, "%s", clast_ctx_error(ctx));
    ck_assert_uint_gt(stats.predicted_spilled, 64 << 20);
    if (status == CLAST_OK) {
        ck_assert_uint_gt(stats.spilled, 64 << 20);
        ck_assert_double_gt(sum, 0);
    } else {
        ck_assert_uint_eq(stats.peak, 0); /* nothing ran */
        ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "may spill"));
        ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), folder));
        ck_assert_int_eq(run_large(ctx, &sum), CLAST_OK);
    }
    if (full[_i].ncalls > 0)
        ck_assert_int_eq(calls, full[_i].ncalls);
    clast_close(&ctx);
}
END_TEST

static const struct {
    ssize_t (*read)(int fd, const struct iovec *iov, int n, off_t at);
    ssize_t (*write)(int fd, const struct iovec *iov, int n, off_t at);
} disks[] = {{short_read, short_write}, {slow_read, slow_write}};

START_TEST(odd_disks_give_the_same_bits)
{
    for (int workers = 1; workers <= 3; workers++) {
        clast_ctx *ctx = open_tight(workers);
        cl_sys.preadv = disks[_i].read;
        cl_sys.pwritev = disks[_i].write;
        ck_assert_int_eq(run(ctx, result), CLAST_OK);
        cl_sys = real;
        const clast_stats s = clast_ctx_stats(ctx);
        ck_assert_uint_gt(s.spilled, 0);
        if (workers == 1) /* the disk's pace decides nothing */
            ck_assert_uint_eq(s.spilled, s.predicted_spilled);
        ck_assert_int_eq(memcmp(result, good, sizeof good), 0);
        clast_close(&ctx);
    }
}
END_TEST

static Suite *spill_suite(void)
{
    Suite *s = suite_create("spill");
    TCase *t = tcase_create("spill");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, every_call_fails_in_turn, 0, sizeof faults / sizeof *faults);
    tcase_add_loop_test(t, persisted_arrays_outlive_bad_spills, 0, 2);
    tcase_add_loop_test(t, room_is_set_aside, 0, sizeof full / sizeof *full);
    tcase_add_loop_test(t, odd_disks_give_the_same_bits, 0,
                        sizeof disks / sizeof *disks);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {spill_suite};
    return cl_check_main(suites, 1);
}
