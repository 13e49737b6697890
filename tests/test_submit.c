/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs in the background: order, waiting, canceling, what may go before they end,
 * errors, progress; and what other threads may do meanwhile.
 *
 * `endless` is an array whose sum takes minutes: a run of it is under way for as long
 * as a test needs it, and is canceled then.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array/handle.h"
#include "check_main.h"
#include "clast.h"

enum { N = 1000, RUNS = 8 };

static clast_ctx *ctx;

static void open_ctx(void)
{
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(256), .workers = 2});
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}

static void close_ctx(void)
{
    clast_close(&ctx);
}

static clast_array *endless(clast_ctx *c)
{
    const int64_t shape[2] = {1 << 14, 1 << 20};
    return clast_sum(clast_random(c, 2, shape, 1, CLAST_FLOAT64), CLAST_ALL);
}

static clast_array *filled(double v)
{
    const int64_t shape[1] = {N};
    return clast_full(ctx, 1, shape, clast_double(ctx, v), CLAST_FLOAT64);
}

static clast_buffer scalar(double *v)
{
    return (clast_buffer){v, sizeof *v, CLAST_FLOAT64, 0, NULL, NULL};
}

static clast_run *submit_one(clast_array *a, double *v)
{
    const clast_buffer into = scalar(v);
    const clast_sink sink = clast_sink_fetch(a, &into);
    return clast_submit(clast_array_ctx(a), 1, &sink);
}

/* ---- results */

/* Two sinks a run; scopes, sinks and shapes are gone before any has been waited for. */
static clast_run *submit_pair(int i, double *sum, double *row)
{
    const int64_t shape[1] = {N};
    const clast_buffer into[2] = {
        scalar(sum), {row, N * sizeof *row, CLAST_FLOAT64, 1, shape, NULL}};
    clast_scope_begin(ctx);
    clast_array *a = filled(i);
    const clast_sink sinks[2] = {clast_sink_fetch(clast_sum(a, 0), &into[0]),
                                 clast_sink_fetch(clast_add(a, a), &into[1])};
    clast_run *run = clast_submit(ctx, 2, sinks);
    clast_scope_end(ctx);
    return run;
}

START_TEST(futures_are_kept)
{
    static double sum[RUNS], row[RUNS][N];
    clast_run *run[RUNS];
    for (int i = 0; i < RUNS; i++)
        run[i] = submit_pair(i, &sum[i], row[i]);
    for (int i = RUNS; i-- > 0;) {
        ck_assert_int_eq(clast_wait(run[i], -1), CLAST_OK);
        ck_assert_double_eq(sum[i], (double)N * i);
        ck_assert_double_eq(row[i][N - 1], 2.0 * i);
        ck_assert_int_eq(clast_wait(run[i], 0), CLAST_OK);
        ck_assert_str_eq(clast_run_error(run[i]), "");
        ck_assert_uint_gt(clast_run_stats(run[i]).tasks, 0);
        clast_run_close(&run[i]);
        ck_assert_ptr_null(run[i]);
    }
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}
END_TEST

/* Calls that wait take their place in the same line. */
START_TEST(order_is_that_of_submission)
{
    double value[2] = {0, 0};
    clast_buffer memory = scalar(&value[0]);
    clast_run *first = submit_one(clast_sum(filled(3), 0), &value[0]);
    clast_buffer into = scalar(&value[1]);
    ck_assert_int_eq(clast_fetch(clast_neg(clast_borrow(ctx, &memory)), &into),
                     CLAST_OK);
    ck_assert_double_eq(value[1], -3.0 * N);
    ck_assert_int_eq(clast_wait(first, 0), CLAST_OK);
    clast_run_close(&first);
}
END_TEST

START_TEST(files_and_their_options)
{
    char folder[] = "/tmp/clast-test-XXXXXX", file[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/a.h5", folder);
    char given[64], path[] = "/a";
    int64_t chunks[1] = {7};
    clast_hdf5_options options = {.chunks = chunks, .no_sync = true};
    memcpy(given, file, sizeof given);
    const clast_sink sink = clast_sink_hdf5(filled(1), given, path, &options);
    clast_run *run = clast_submit(ctx, 1, &sink);
    memset(given, 'x', sizeof given - 1);
    memset(path, 'y', sizeof path - 1);
    chunks[0] = -7;
    options.gzip = 99;
    ck_assert_int_eq(clast_wait(run, -1), CLAST_OK);
    double total = 0;
    const clast_buffer into = scalar(&total);
    ck_assert_int_eq(clast_fetch(clast_sum(clast_from_hdf5(ctx, file, "/a"), 0), &into),
                     CLAST_OK);
    ck_assert_double_eq(total, N);
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* ---- waiting and canceling */

START_TEST(runs_are_canceled_one_by_one)
{
    double v[3] = {0};
    clast_run *running = submit_one(endless(ctx), &v[0]);
    clast_run *waiting = submit_one(endless(ctx), &v[1]);
    clast_run *last = submit_one(clast_sum(filled(1), 0), &v[2]);
    ck_assert_int_eq(clast_wait(running, 0), CLAST_EPENDING);
    ck_assert_int_eq(clast_wait(waiting, 0.01), CLAST_EPENDING);
    ck_assert_str_eq(clast_run_error(running), "");
    ck_assert_uint_eq(clast_run_stats(running).tasks, 0);
    clast_run_cancel(waiting);
    ck_assert_int_eq(clast_wait(last, 0), CLAST_EPENDING);
    clast_run_cancel(running);
    clast_run_cancel(running);
    ck_assert_int_eq(clast_wait(running, 1e9), CLAST_ECANCELED);
    ck_assert_int_eq(clast_wait(waiting, -1), CLAST_ECANCELED);
    ck_assert_str_ne(clast_run_error(waiting), "");
    ck_assert_int_eq(clast_wait(last, -1), CLAST_OK);
    ck_assert_double_eq(v[2], N);
    clast_run_cancel(last);
    ck_assert_int_eq(clast_wait(last, -1), CLAST_OK);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_ECANCELED);
    clast_run_close(&waiting);
    clast_run_close(&running); /* the last one is left to the context */
}
END_TEST

/* Whoever knows that a run has failed finds its error in the context. */
START_TEST(errors_are_there_when_it_has_ended)
{
    clast_array *good = clast_sum(filled(1), 0);
    const clast_sink sink = clast_sink_hdf5(good, "/no/such/folder/x.h5", "/x", NULL);
    for (int i = 0; i < 500; i++) {
        clast_run *run = clast_submit(ctx, 1, &sink);
        ck_assert_int_eq(clast_wait(run, -1), CLAST_ENOENT);
        ck_assert_int_eq(clast_ctx_status(ctx), CLAST_ENOENT);
        clast_run_close(&run);
        clast_ctx_clear(ctx);
    }
}
END_TEST

/* Who holds the context's lock, to plan another run, is not waited for. */
START_TEST(waiting_needs_no_context)
{
    double v[2] = {0};
    clast_run *running = submit_one(endless(ctx), &v[0]);
    clast_run *next = submit_one(clast_sum(filled(1), 0), &v[1]);
    cl_mutex_lock(ctx->lock);
    ck_assert_int_eq(clast_wait(running, 0), CLAST_EPENDING);
    ck_assert_int_eq(clast_wait(next, 0.001), CLAST_EPENDING);
    ck_assert_uint_eq(clast_run_stats(running).tasks, 0);
    ck_assert_str_eq(clast_run_error(running), "");
    clast_run_cancel(running);
    cl_ctx_unlock(ctx);
    ck_assert_int_eq(clast_wait(running, -1), CLAST_ECANCELED);
    ck_assert_int_eq(clast_wait(next, -1), CLAST_OK);
    cl_mutex_lock(ctx->lock);
    ck_assert_int_eq(clast_wait(next, 0), CLAST_OK);
    ck_assert_uint_gt(clast_run_stats(next).tasks, 0);
    ck_assert_str_ne(clast_run_error(running), "");
    cl_ctx_unlock(ctx);
    clast_run_close(&running);
    clast_run_close(&next);
}
END_TEST

START_TEST(what_is_closed_has_ended)
{
    double v[2] = {0};
    clast_run *endless_run = submit_one(endless(ctx), &v[0]);
    clast_run *run = submit_one(clast_sum(filled(2), 0), &v[1]);
    clast_run_cancel(endless_run);
    clast_run_close(&endless_run);
    ck_assert_ptr_null(endless_run);
    clast_run_close(&run);
    ck_assert_double_eq(v[1], 2 * N);
}
END_TEST

START_TEST(a_context_that_is_closed_waits)
{
    double v = 0;
    clast_ctx *c = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    const int64_t shape[1] = {N};
    submit_one(clast_sum(clast_ones(c, 1, shape, CLAST_FLOAT64), 0), &v);
    clast_close(&c);
    ck_assert_double_eq(v, N);
}
END_TEST

/* clast_cancel() is for the run under way, wherever it came from. */
START_TEST(a_context_cancels_what_is_under_way)
{
    double v[2] = {0};
    clast_run *run = submit_one(endless(ctx), &v[0]);
    clast_run *next = submit_one(clast_sum(filled(1), 0), &v[1]);
    clast_status status = CLAST_EPENDING;
    while (status == CLAST_EPENDING) { /* it may not have begun */
        clast_cancel(ctx);
        status = clast_wait(run, 0.001);
    }
    ck_assert_int_eq(status, CLAST_ECANCELED);
    clast_status other = clast_wait(next, -1);
    ck_assert(other == CLAST_OK || other == CLAST_ECANCELED);
}
END_TEST

/* ---- errors */

START_TEST(errors_are_those_of_compute)
{
    double v = 0;
    const int64_t shape[1] = {3};
    const clast_buffer into = scalar(&v), wrong = {&v, 8, CLAST_INT8, 1, shape, NULL},
                       mad = {&v, 8, CLAST_FLOAT64, 99, NULL, NULL};
    clast_ctx *other = clast_open(&(clast_options){.memory = CLAST_MIB(64)});
    clast_array *good = clast_sum(filled(1), 0);
    const struct {
        clast_sink sink;
        clast_status status;
    } rows[] = {
        {clast_sink_fetch(clast_sum(good, 5), &into), CLAST_EAXIS},
        {clast_sink_fetch(NULL, &into), CLAST_EVALUE},
        {clast_sink_fetch(clast_int(other, 1), &into), CLAST_ECONTEXT},
        {clast_sink_fetch(good, &wrong), CLAST_EDTYPE},
        {clast_sink_fetch(good, &mad), CLAST_ESHAPE},
        {clast_sink_hdf5(good, NULL, "/x", NULL), CLAST_EVALUE},
        {clast_sink_hdf5(good, "/no/such/folder/x.h5", "/x", NULL), CLAST_ENOENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        clast_ctx_clear(ctx);
        clast_run *run = clast_submit(ctx, 1, &rows[i].sink);
        const clast_status status = clast_wait(run, -1);
        const clast_status direct = clast_compute(ctx, 1, &rows[i].sink);
        ck_assert_msg(status == rows[i].status && direct == status,
                      "row %zu: %s, compute %s, expected %s", i,
                      clast_status_name(status), clast_status_name(direct),
                      clast_status_name(rows[i].status));
        ck_assert_str_ne(clast_run_error(run), "");
        ck_assert_int_eq(clast_ctx_status(ctx), status);
        clast_run_close(&run);
    }
    clast_close(&other);
}
END_TEST

START_TEST(nothing_to_do)
{
    clast_run *run = clast_submit(ctx, 0, NULL);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_OK);
    ck_assert_uint_eq(clast_run_stats(run).tasks, 0);
    clast_run_close(&run);
    run = clast_submit(ctx, -1, NULL);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_EVALUE);
    clast_run_close(&run);
}
END_TEST

/* ---- progress */

typedef struct {
    pthread_mutex_t lock; /* so that `run` is there when it is looked at */
    clast_run *run;       /* to be canceled */
    int calls;
    double last;
    uint64_t done;
    bool is_wrong;
    clast_status made, waited, submitted;
} watcher;

static void watch(void *arg, const clast_progress *p)
{
    watcher *w = arg;
    pthread_mutex_lock(&w->lock);
    clast_run *mine = w->run;
    pthread_mutex_unlock(&w->lock);
    w->is_wrong = w->is_wrong || p->seconds < w->last + 0.099 || p->tasks == 0 ||
                  p->tasks_done < w->done || p->tasks_done > p->tasks ||
                  p->memory == 0 || p->memory > CLAST_MIB(256);
    w->last = p->seconds;
    w->done = p->tasks_done;
    w->made = clast_array_status(clast_int(ctx, 1));
    w->waited = clast_wait(mine, 0);
    w->submitted = clast_wait(clast_submit(ctx, 0, NULL), 0);
    clast_run_close(&mine);
    w->is_wrong = w->is_wrong || mine != w->run;
    if (++w->calls < 3)
        return;
    if (w->run)
        clast_run_cancel(w->run);
    else
        clast_cancel(ctx);
}

START_TEST(progress_comes_now_and_then_and_may_cancel)
{
    double v = 0;
    watcher w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    clast_set_progress(ctx, watch, &w);
    const clast_buffer into = scalar(&v);
    ck_assert_int_eq(clast_fetch(clast_sum(filled(1), 0), &into), CLAST_OK);
    /* None from a short run, which this is but for a machine that does other things. */
    ck_assert(w.calls == 0 || clast_ctx_stats(ctx).run_seconds >= 0.1);
    w = (watcher){.lock = PTHREAD_MUTEX_INITIALIZER};
    ck_assert_int_eq(clast_fetch(endless(ctx), &into), CLAST_ECANCELED);
    ck_assert_int_ge(w.calls, 3);
    ck_assert(!w.is_wrong);
    ck_assert_int_eq(w.made, CLAST_EBUSY);
    ck_assert_int_eq(w.waited, CLAST_EVALUE);
    ck_assert_int_eq(w.submitted, CLAST_EBUSY);
}
END_TEST

START_TEST(progress_of_a_run_in_the_background)
{
    double v = 0;
    watcher w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    clast_set_progress(ctx, watch, &w);
    pthread_mutex_lock(&w.lock);
    clast_run *run = w.run = submit_one(endless(ctx), &v);
    pthread_mutex_unlock(&w.lock);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_ECANCELED);
    ck_assert_int_ge(w.calls, 3);
    ck_assert(!w.is_wrong);
    ck_assert_int_eq(w.waited, CLAST_EBUSY);
    clast_run_close(&run);
}
END_TEST

/* ---- what is closed while others wait for it */

typedef struct {
    clast_run *run;
    clast_status status;
} waiting;

static void *wait_long(void *arg)
{
    waiting *w = arg;
    w->status = clast_wait(w->run, -1);
    return NULL;
}

static bool are_waiting(clast_ctx *c, uint64_t threads)
{
    cl_mutex_lock(&c->ending);
    const bool all = c->waiting == threads;
    cl_mutex_unlock(&c->ending);
    return all;
}

START_TEST(who_waits_gets_an_answer)
{
    for (int round = 0; round < 6; round++) {
        double v = 0;
        pthread_t thread[3];
        clast_ctx *own = clast_open(&(clast_options){.memory = CLAST_MIB(64)});
        clast_run *run = submit_one(endless(own), &v);
        waiting w[3] = {{run, CLAST_OK}, {run, CLAST_OK}, {run, CLAST_OK}};
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(pthread_create(&thread[i], NULL, wait_long, &w[i]), 0);
        while (!are_waiting(own, 3))
            sched_yield();
        clast_run_cancel(run);
        if (round % 2)
            clast_run_close(&run);
        else
            clast_close(&own);
        for (int i = 0; i < 3; i++) {
            pthread_join(thread[i], NULL);
            ck_assert_int_eq(w[i].status, CLAST_ECANCELED);
        }
        clast_close(&own);
    }
}
END_TEST

/* ---- the same plan again */

/* Fails at once while `user` says so. */
static clast_status zeros(clast_call *call, void *user, int nin, const clast_view *in,
                          int nout, clast_buffer *out)
{
    if (*(const bool *)user)
        return clast_call_fail(call, "as it was told");
    memset(out[0].data, 0, out[0].bytes);
    return CLAST_OK;
}

/* A run that failed early is no sign of a short plan, which one worker does alone. */
START_TEST(a_failure_says_nothing_of_time)
{
    static const int64_t shape[1] = {64}, chunk[1] = {1};
    bool fails = true;
    char memory[64];
    const clast_buffer into = {memory, sizeof memory, CLAST_BOOL, 1, shape, NULL};
    clast_array *a =
        clast_map(ctx, 0, NULL, zeros, &fails,
                  &(clast_map_options){.ndim = 1, .shape = shape, .chunk = chunk});
    const clast_sink sink = clast_sink_fetch(a, &into);
    clast_run *run = clast_submit(ctx, 1, &sink);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_EUSER);
    clast_run_close(&run);
    fails = false;
    run = clast_submit(ctx, 1, &sink);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_OK);
    ck_assert_int_eq(clast_run_stats(run).workers, 2);
    clast_run_close(&run);
}
END_TEST

/* ---- beside a run */

START_TEST(arrays_are_made_during_a_run)
{
    double v = 7;
    const clast_buffer memory = scalar(&v);
    clast_run *run = submit_one(endless(ctx), &v);
    ck_assert_int_eq(clast_array_status(clast_neg(filled(1))), CLAST_OK);
    ck_assert_int_eq(clast_array_status(clast_borrow(ctx, &memory)), CLAST_OK);
    clast_run_cancel(run);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_ECANCELED);
}
END_TEST

START_TEST(two_contexts_run_at_once)
{
    double v = 0;
    clast_ctx *other = clast_open(&(clast_options){.memory = CLAST_MIB(64)});
    clast_run *run = submit_one(endless(other), &v);
    for (int i = 0; i < 20; i++) {
        double sum = 0;
        const clast_buffer into = scalar(&sum);
        ck_assert_int_eq(clast_fetch(clast_sum(filled(i), 0), &into), CLAST_OK);
        ck_assert_double_eq(sum, (double)N * i);
        ck_assert_int_eq(clast_wait(run, 0), CLAST_EPENDING);
    }
    clast_run_cancel(run);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_ECANCELED);
    clast_close(&other);
}
END_TEST

/* A persisted array may go while a run reads it, and while one waits for its turn. */
static void *drop_all(void *arg)
{
    clast_array **a = arg;
    for (int i = 0; i < RUNS; i++)
        clast_drop(a[i]);
    return NULL;
}

START_TEST(persisted_arrays_are_dropped_during_runs)
{
    const int64_t shape[2] = {600, 500};
    for (int round = 0; round < 10; round++) {
        clast_array *persisted[RUNS];
        clast_run *run[RUNS];
        double v[RUNS];
        for (int i = 0; i < RUNS; i++)
            persisted[i] = clast_persist(
                clast_full(ctx, 2, shape, clast_double(ctx, i), CLAST_FLOAT64));
        for (int i = 0; i < RUNS; i++)
            run[i] = submit_one(clast_sum(persisted[i], CLAST_ALL), &v[i]);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, drop_all, persisted), 0);
        for (int i = 0; i < RUNS; i++) {
            ck_assert_int_eq(clast_wait(run[i], -1), CLAST_OK);
            ck_assert_double_eq(v[i], 300000.0 * i);
            clast_run_close(&run[i]);
        }
        pthread_join(thread, NULL);
    }
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}
END_TEST

static Suite *submit(void)
{
    Suite *s = suite_create("submit");
    TCase *c = tcase_create("submit");
    tcase_add_checked_fixture(c, open_ctx, close_ctx);
    tcase_add_test(c, futures_are_kept);
    tcase_add_test(c, order_is_that_of_submission);
    tcase_add_test(c, files_and_their_options);
    tcase_add_test(c, runs_are_canceled_one_by_one);
    tcase_add_test(c, errors_are_there_when_it_has_ended);
    tcase_add_test(c, waiting_needs_no_context);
    tcase_add_test(c, what_is_closed_has_ended);
    tcase_add_test(c, a_context_that_is_closed_waits);
    tcase_add_test(c, a_context_cancels_what_is_under_way);
    tcase_add_test(c, errors_are_those_of_compute);
    tcase_add_test(c, nothing_to_do);
    tcase_add_test(c, progress_comes_now_and_then_and_may_cancel);
    tcase_add_test(c, progress_of_a_run_in_the_background);
    tcase_add_test(c, who_waits_gets_an_answer);
    tcase_add_test(c, a_failure_says_nothing_of_time);
    tcase_add_test(c, arrays_are_made_during_a_run);
    tcase_add_test(c, two_contexts_run_at_once);
    tcase_add_test(c, persisted_arrays_are_dropped_during_runs);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {submit};
    return cl_check_main(suites, 1);
}
