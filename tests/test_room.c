/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs beside persisted arrays that fill the memory: the budget holds, what does not
 * fit goes to scratch, and results are the same as with ample memory.
 */
#include "array/request.h"
#include "array/turn.h"
#include "base/thread.h"
#include "check_main.h"
#include "clast.h"
#include "io/sys.h"
#include "temp_folder.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static clast_ctx *ctx;

static void open_with(uint64_t memory, int workers, uint64_t block, const char *scratch)
{
    ctx = clast_open(&(clast_options){
        .memory = memory, .workers = workers, .block = block, .scratch = scratch});
}

static clast_array *noise(int64_t n)
{
    return clast_random(ctx, 1, &n, 1, CLAST_FLOAT64);
}

static clast_status value_of(clast_array *a, double *value)
{
    return clast_fetch(
        a, &(clast_buffer){value, sizeof *value, CLAST_FLOAT64, 0, NULL, NULL});
}

/* Twice the sum, by a plan that has more tables than the one that made the array, and
 * wants blocks from both ends at once. */
static clast_array *folded(clast_array *x)
{
    return clast_sum(clast_add(x, clast_flip(x, 0)), CLAST_ALL);
}

static void check_budget(void)
{
    const clast_stats s = clast_ctx_stats(ctx);
    ck_assert_uint_le(s.peak, s.memory);
    ck_assert_uint_gt(s.predicted_peak, 0);
    ck_assert_uint_le(s.predicted_peak, s.memory);
}

static void finish(double expected, clast_array *a)
{
    double value = -1;
    ck_assert_msg(value_of(a, &value) == CLAST_OK, "%s", clast_ctx_error(ctx));
    ck_assert_double_eq(value, expected);
    check_budget();
}

static void begin(void)
{
    temp_folder_begin();
}

static void end(void)
{
    clast_close(&ctx);
    ck_assert_int_eq(temp_folder_count(), 0);
    temp_folder_end();
}

static double expected_of(int64_t n, uint64_t block)
{
    double value = -1;
    open_with(CLAST_MIB(512), 1, block, ".");
    ck_assert_int_eq(value_of(folded(noise(n)), &value), CLAST_OK);
    clast_close(&ctx);
    return value;
}

/* ---- arrays that the plan reads ---- */

static const struct {
    uint64_t memory, block;
    int percent; /* of the budget that the array takes */
    int workers;
} full[] = {
    {CLAST_MIB(4), 4096, 96, 1},
    {CLAST_MIB(4), 4096, 96, 2},
    {CLAST_MIB(4), 4096, 96, 4},
    {CLAST_MIB(4), 4096, 250, 1},
    {CLAST_MIB(4), 4096, 250, 2},
    {CLAST_MIB(4), 4096, 250, 4},
    {CLAST_MIB(16), 4096, 150, 1},
    {CLAST_MIB(16), 4096, 150, 4},
    {CLAST_MIB(12), CLAST_KIB(256), 120, 1},
    {CLAST_MIB(12), CLAST_KIB(256), 120, 2},
    {CLAST_MIB(12), CLAST_KIB(256), 120, 4},
    {CLAST_MIB(16), CLAST_KIB(64), 300, 2},
};

START_TEST(read_again)
{
    const int64_t n = (int64_t)(full[_i].memory / 100 * (uint64_t)full[_i].percent) / 8;
    const double expected = expected_of(n, full[_i].block);
    open_with(full[_i].memory, full[_i].workers, full[_i].block, ".");
    clast_array *x = clast_persist(noise(n));
    ck_assert_str_eq(clast_ctx_error(ctx), "");
    for (int round = 0; round < 3; round++)
        finish(expected, folded(x));
}
END_TEST

/* What goes before the first task is predicted, and with one worker what goes later. */
START_TEST(spilling_is_predicted)
{
    const int64_t n = 2000 * 512;
    open_with(CLAST_MIB(8) + CLAST_KIB(100), 1, 4096, ".");
    clast_array *x = clast_persist(noise(n));
    ck_assert_uint_eq(clast_ctx_stats(ctx).spilled, 0);
    double value;
    ck_assert_int_eq(value_of(clast_sum(x, CLAST_ALL), &value), CLAST_OK);
    const clast_stats s = clast_ctx_stats(ctx);
    check_budget();
    ck_assert_uint_gt(s.spilled, 0);
    ck_assert_uint_lt(s.spilled, CLAST_MIB(1));
    ck_assert_uint_eq(s.spilled, s.predicted_spilled);
}
END_TEST

/* ---- arrays that it does not read ---- */

START_TEST(unread_ones_go)
{
    const double expected = expected_of(700000, 65536);
    open_with(CLAST_MIB(8), 1 + _i, 65536, ".");
    clast_array *x = clast_keep(clast_persist(noise(900000)));
    double all, value;
    ck_assert_int_eq(value_of(clast_sum(x, CLAST_ALL), &all), CLAST_OK);
    clast_array *y = clast_persist(noise(700000));
    ck_assert_msg(y, "%s", clast_ctx_error(ctx));
    finish(expected, folded(y));
    ck_assert_int_eq(value_of(clast_sum(x, CLAST_ALL), &value), CLAST_OK);
    ck_assert_double_eq(value, all);
    check_budget();
    clast_drop(x);
}
END_TEST

static clast_status set(clast_call *call, void *user, int nin, const clast_view *in,
                        int nout, clast_buffer *out)
{
    *(double *)out->data = 1;
    return CLAST_OK;
}

/* A small array that was used longest ago, beside large blocks of another one: whoever
 * does not fit any more goes with all that was used before it. */
START_TEST(unread_ones_go_as_predicted)
{
    uint64_t spilled = 0;
    for (int64_t n = 1 << 18; n < 3 << 19; n += 40000) {
        open_with(CLAST_MIB(16), 1, CLAST_KIB(512), ".");
        ck_assert_ptr_nonnull(clast_persist(noise(20000)));
        ck_assert_ptr_nonnull(clast_persist(noise(1500000)));
        const clast_output large = {CLAST_FLOAT64, 1, &n};
        clast_array *y = NULL;
        clast_task(ctx, 0, NULL, 1, &large, &y, set, NULL, NULL);
        double value;
        ck_assert_int_eq(value_of(clast_max(y, CLAST_ALL), &value), CLAST_OK);
        const clast_stats s = clast_ctx_stats(ctx);
        ck_assert_uint_eq(s.spilled, s.predicted_spilled);
        spilled += s.spilled;
        clast_close(&ctx);
    }
    ck_assert_uint_gt(spilled, 0);
}
END_TEST

/* ---- beside memory that another thread takes and gives back ---- */

static atomic_bool copier_stops;
static atomic_int copies, refusals, odd;

static void *copy_often(void *arg)
{
    static double data[32 << 10];
    const int64_t n = 32 << 10;
    const clast_buffer from = {data, sizeof data, CLAST_FLOAT64, 1, &n, NULL};
    while (!atomic_load(&copier_stops)) {
        clast_array *a = clast_keep(clast_copy_in(ctx, &from));
        const clast_status status = clast_array_status(a);
        if (status == CLAST_OK)
            copies++;
        else if (status == CLAST_EBUSY || status == CLAST_EBUDGET)
            refusals++;
        else
            odd++;
        clast_drop(a);
    }
    return NULL;
}

/* Room is made by turns for two arrays of which one fits. */
START_TEST(room_beside_copies)
{
    const double first = expected_of(600000, 65536),
                 second = expected_of(700000, 65536);
    open_with(CLAST_MIB(8), 1 + _i, 65536, ".");
    clast_array *x = clast_persist(noise(600000));
    clast_array *y = clast_persist(noise(700000));
    cl_thread copier;
    atomic_store(&copier_stops, false);
    copies = refusals = odd = 0;
    ck_assert_int_eq(cl_thread_start(&copier, copy_often, NULL), CLAST_OK);
    uint64_t spilled = 0;
    for (int round = 0; round < 10 || (copies == 0 && round < 10000); round++) {
        finish(round % 2 ? second : first, folded(round % 2 ? y : x));
        spilled += clast_ctx_stats(ctx).spilled;
    }
    atomic_store(&copier_stops, true);
    cl_thread_join(&copier);
    ck_assert_int_gt(copies, 0);
    ck_assert_int_eq(odd, 0);
    ck_assert_uint_gt(spilled, 0);
}
END_TEST

/* ---- plans that lack memory while they are made ---- */

static clast_array *many_tasks(void)
{
    const int64_t n = 80000 * 512;
    return clast_sum(
        clast_add(clast_zeros(ctx, 1, &n, CLAST_FLOAT64), clast_double(ctx, 1)),
        CLAST_ALL);
}

static const double ones = 80000 * 512.0;

START_TEST(large_plans)
{
    open_with(CLAST_MIB(16), 1 + _i % 2, 4096, ".");
    double all, value;
    clast_array *x = clast_persist(noise(2000000));
    ck_assert_int_eq(value_of(clast_sum(x, CLAST_ALL), &all), CLAST_OK);
    const bool reads = _i / 2;
    finish(ones + (reads ? all : 0),
           reads ? clast_add(clast_sum(x, CLAST_ALL), many_tasks()) : many_tasks());
    ck_assert_int_eq(value_of(clast_sum(x, CLAST_ALL), &value), CLAST_OK);
    ck_assert_double_eq(value, all);
}
END_TEST

/* What was displaced of an array that is read is free, and not in memory as well: the
 * plan is made for what is left beside memory that others hold. */
START_TEST(displaced_blocks_count_once)
{
    static double copied[512 << 10];
    const int64_t n = 512 << 10;
    const uint64_t memory = CLAST_MIB(16);
    open_with(memory, 1, 4096, ".");
    clast_copy_in(ctx,
                  &(clast_buffer){copied, sizeof copied, CLAST_FLOAT64, 1, &n, NULL});
    clast_array *x = clast_persist(noise(1000000));
    ck_assert_str_eq(clast_ctx_error(ctx), "");
    double value;
    const clast_buffer into = {&value, sizeof value, CLAST_FLOAT64, 0, NULL, NULL};
    const clast_sink sink =
        clast_sink_fetch(clast_add(clast_sum(x, CLAST_ALL), many_tasks()), &into);
    cl_request request;
    cl_error err = {0};
    ck_assert_int_eq(cl_turn_begin(ctx, &err), CLAST_OK);
    cl_request_prepare(&request, ctx, 1, &sink, NULL, true, &err);
    ck_assert_msg(err.status == CLAST_OK, "%s", err.text);
    ck_assert_uint_gt(request.displaced, CLAST_MIB(1));
    ck_assert_uint_eq(request.planned.copy_pages * 4096, memory - sizeof copied);
    cl_request_fini(&request);
    cl_turn_end(ctx, &err);
}
END_TEST

/* ---- plans that are refused ---- */

static ssize_t no_write(int fd, const struct iovec *iov, int n, off_t at)
{
    errno = ENOSPC;
    return -1;
}

static int writes;

static ssize_t count_write(int fd, const struct iovec *iov, int n, off_t at)
{
    writes++;
    return pwritev(fd, iov, n, at);
}

static clast_status sum_many(int64_t tasks, double *value)
{
    const int64_t n = tasks * 512;
    return value_of(clast_sum(clast_random(ctx, 1, &n, 1, CLAST_FLOAT64), CLAST_ALL),
                    value);
}

static uint64_t named_block(const char *text)
{
    const char *at = strstr(text, "blocks of ");
    ck_assert_msg(at, "%s", text);
    return strtoull(at + strlen("blocks of "), NULL, 10) << 10;
}

/* Refused while it was planned, and not because of what a task needs. */
static bool is_too_long(clast_status status)
{
    return status == CLAST_EBUDGET && strstr(clast_ctx_error(ctx), "so many tasks");
}

/* A plan that turns out too large once arrays are in scratch for it: the blocks that
 * are named then do, beside the same array. */
START_TEST(named_blocks_do_beside_displaced_arrays)
{
    int named = 0;
    for (int64_t tasks = 100000; tasks <= 300000; tasks += 25000) {
        double value;
        open_with(CLAST_MIB(16), 1, 4096, ".");
        ck_assert_ptr_nonnull(clast_persist(noise(1500000)));
        const cl_sys_table real = cl_sys;
        cl_sys.pwritev = count_write;
        writes = 0;
        const bool is_refused = is_too_long(sum_many(tasks, &value)) && writes > 0;
        cl_sys = real;
        const uint64_t block = is_refused ? named_block(clast_ctx_error(ctx)) : 0;
        clast_close(&ctx);
        if (!is_refused)
            continue;
        named++;
        open_with(CLAST_MIB(16), 1, block, ".");
        ck_assert_ptr_nonnull(clast_persist(noise(1500000)));
        ck_assert_msg(sum_many(tasks, &value) == CLAST_OK, "%s", clast_ctx_error(ctx));
        clast_close(&ctx);
    }
    ck_assert_int_gt(named, 0);
}
END_TEST

static clast_array *with_workspace(uint64_t bytes)
{
    const clast_output one = {CLAST_FLOAT64, 0, NULL};
    clast_array *y = NULL;
    clast_task(ctx, 0, NULL, 1, &one, &y, set, NULL,
               &(clast_task_options){.workspace = bytes});
    return y;
}

/* The memory of persisted arrays would not help: nothing is written. */
static const struct {
    uint64_t workspace; /* of a task; 0: there are many tasks instead */
    const char *text;
} hopeless[] = {
    {(uint64_t)1 << 45, "bytes of work"}, /* more than any plan counts */
    {CLAST_MIB(64), "at once"},           /* than the budget has */
    {0, "so many tasks"},
};

START_TEST(refused_plans_displace_nothing)
{
    open_with(CLAST_MIB(16), 1, 4096, ".");
    double all, value;
    clast_array *x = clast_persist(noise(1500000));
    ck_assert_int_eq(value_of(clast_sum(x, CLAST_ALL), &all), CLAST_OK);
    const uint64_t bytes = hopeless[_i].workspace;
    const int64_t n = (int64_t)2000000 * 512;
    clast_array *y =
        bytes > 0 ? with_workspace(bytes)
                  : clast_sum(clast_random(ctx, 1, &n, 1, CLAST_FLOAT64), CLAST_ALL);
    const cl_sys_table real = cl_sys;
    cl_sys.pwritev = no_write;
    const clast_status status = value_of(y, &value);
    cl_sys = real;
    const char *text = clast_ctx_error(ctx);
    ck_assert_msg(status == CLAST_EBUDGET && strstr(text, hopeless[_i].text), "%s",
                  text);
    ck_assert_int_eq(value_of(clast_sum(x, CLAST_ALL), &value), CLAST_OK);
    ck_assert_double_eq(value, all);
    ck_assert_uint_eq(clast_ctx_stats(ctx).spilled, 0);
}
END_TEST

/* ---- without scratch ---- */

/* The budget that a refusal names. */
static uint64_t would_do(const char *text)
{
    const char *at = strstr(text, " would do");
    ck_assert_msg(at, "%s", text);
    while (at[-1] != ';')
        at--;
    char *unit;
    const double number = strtod(at, &unit);
    return (uint64_t)(number * (strncmp(unit, " KiB", 4) == 0 ? 1024 : 1048576));
}

START_TEST(refused_without_scratch)
{
    const int64_t n = 2000 * 512;
    uint64_t memory = CLAST_MIB(8) + CLAST_KIB(100);
    double value;
    for (int round = 0; round < 2; round++) {
        open_with(memory, 2, 4096, "nowhere");
        clast_array *x = clast_persist(noise(n));
        ck_assert_str_eq(clast_ctx_error(ctx), "");
        const clast_status status = value_of(folded(x), &value);
        if (round == 0) {
            const char *text = clast_ctx_error(ctx);
            ck_assert_int_eq(status, CLAST_ENOSPACE);
            ck_assert_uint_eq(clast_ctx_stats(ctx).peak, 0); /* nothing ran */
            ck_assert_msg(strstr(text, "persisted arrays"), "%s", text);
            memory = would_do(text);
        } else {
            ck_assert_msg(status == CLAST_OK, "%s", clast_ctx_error(ctx));
            check_budget();
        }
        clast_close(&ctx);
    }
}
END_TEST

/* A disk that turns out to be full: no task runs, and no block is lost. */
START_TEST(full_disk)
{
    const int64_t n = 2000 * 512;
    const double expected = expected_of(n, 4096);
    open_with(CLAST_MIB(8) + CLAST_KIB(100), 1, 4096, ".");
    clast_array *x = clast_persist(noise(n));
    const cl_sys_table real = cl_sys;
    double value;
    cl_sys.pwritev = no_write;
    const clast_status status = value_of(folded(x), &value);
    cl_sys = real;
    ck_assert_int_eq(status, CLAST_ENOSPACE);
    ck_assert_uint_eq(clast_ctx_stats(ctx).peak, 0);
    finish(expected, folded(x));
}
END_TEST

static Suite *room_suite(void)
{
    Suite *s = suite_create("room");
    TCase *t = tcase_create("room");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, read_again, 0, sizeof full / sizeof *full);
    tcase_add_test(t, spilling_is_predicted);
    tcase_add_loop_test(t, unread_ones_go, 0, 2);
    tcase_add_test(t, unread_ones_go_as_predicted);
    tcase_add_loop_test(t, room_beside_copies, 0, 2);
    tcase_add_loop_test(t, large_plans, 0, 4);
    tcase_add_test(t, displaced_blocks_count_once);
    tcase_add_test(t, named_blocks_do_beside_displaced_arrays);
    tcase_add_loop_test(t, refused_plans_displace_nothing, 0,
                        sizeof hopeless / sizeof *hopeless);
    tcase_add_test(t, refused_without_scratch);
    tcase_add_test(t, full_disk);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {room_suite};
    return cl_check_main(suites, 1);
}
