/* SPDX-License-Identifier: BSD-3-Clause */
/* Teams: every worker runs once, knows the team's size, and works beside the others. */
#include "base/thread.h"

#include <signal.h>
#include <stdatomic.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "check_main.h"

typedef struct {
    cl_mutex mutex;
    cl_cond all_here;
    int arrived, size, ran[300];
    bool is_forking; /* some member would fork a team of several */
    int outer;
} roll;

/* Waits for all members: passes only if they really run at the same time. */
static void call_roll(void *arg, int worker, int nworkers)
{
    roll *r = arg;
#ifdef _OPENMP
    const int threads = omp_get_max_threads();
#else
    const int threads = 1;
#endif
    cl_mutex_lock(&r->mutex);
    r->ran[worker]++;
    r->size = nworkers;
    r->is_forking = r->is_forking || threads != 1;
    if (++r->arrived == nworkers)
        cl_cond_broadcast(&r->all_here);
    while (r->arrived < nworkers)
        cl_cond_wait(&r->all_here, &r->mutex);
    cl_mutex_unlock(&r->mutex);
}

static roll hold_roll(cl_team_kind kind, int workers)
{
    roll r = {.arrived = 0};
    cl_mutex_init(&r.mutex);
    cl_cond_init(&r.all_here);
    cl_team_run(kind, workers, call_roll, &r);
    cl_cond_fini(&r.all_here);
    cl_mutex_fini(&r.mutex);
    return r;
}

static const struct {
    cl_team_kind kind;
    int asked, most;
} teams[] = {
    {CL_TEAM_PTHREADS, 1, 1}, {CL_TEAM_PTHREADS, 2, 2},  {CL_TEAM_PTHREADS, 7, 7},
    {CL_TEAM_PTHREADS, 0, 1}, {CL_TEAM_PTHREADS, -3, 1}, {CL_TEAM_OPENMP, 1, 1},
    {CL_TEAM_OPENMP, 4, 4},   {CL_TEAM_OPENMP, 0, 1},    {CL_TEAM_PTHREADS, 999, 256},
};

START_TEST(test_everybody_runs_once)
{
    const roll r = hold_roll(teams[_i].kind, teams[_i].asked);
    ck_assert_int_ge(r.size, 1);
    ck_assert_int_le(r.size, teams[_i].most);
    ck_assert_int_eq(r.arrived, r.size);
    for (int w = 0; w < 300; w++)
        ck_assert_int_eq(r.ran[w], w < r.size);
}
END_TEST

#ifdef _OPENMP
START_TEST(test_members_do_not_fork)
{
    omp_set_num_threads(3);
    ck_assert(!hold_roll(CL_TEAM_OPENMP, 1).is_forking);
    ck_assert_int_eq(omp_get_max_threads(), 3);
    ck_assert(!hold_roll(CL_TEAM_OPENMP, 4).is_forking);
    ck_assert_int_eq(omp_get_max_threads(), 3);
}
END_TEST

START_TEST(test_alone_inside_a_region)
{
    int sizes[2] = {0, 0};
#pragma omp parallel num_threads(2)
    {
        const int me = omp_get_thread_num();
        sizes[me] = hold_roll(CL_TEAM_OPENMP, 4).size;
        if (omp_get_num_threads() == 1)
            sizes[1] = 1;
    }
    ck_assert_int_eq(sizes[0], 1);
    ck_assert_int_eq(sizes[1], 1);
}
END_TEST
#endif

static void *read_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return arg;
}

START_TEST(test_threads_block_signals)
{
    sigset_t before, inside, after;
    cl_thread t;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    ck_assert_int_eq(cl_thread_start(&t, read_mask, &inside), CLAST_OK);
    cl_thread_join(&t);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert(sigismember(&inside, SIGINT) && sigismember(&inside, SIGTERM));
    ck_assert_int_eq(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}
END_TEST

START_TEST(test_clock_does_not_run_back)
{
    double last = cl_clock();
    for (int i = 0; i < 1000; i++) {
        const double now = cl_clock();
        ck_assert(now >= last);
        last = now;
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("thread");
    TCase *t = tcase_create("thread");
    tcase_add_loop_test(t, test_everybody_runs_once, 0, sizeof teams / sizeof *teams);
#ifdef _OPENMP
    tcase_add_test(t, test_members_do_not_fork);
    tcase_add_test(t, test_alone_inside_a_region);
#endif
    tcase_add_test(t, test_threads_block_signals);
    tcase_add_test(t, test_clock_does_not_run_back);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
