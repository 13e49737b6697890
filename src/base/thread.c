/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads: thin names over pthreads, and teams.
 *
 * A team runs one function on each of its members, which learn the team's true size.
 * With OpenMP that is one parallel region; inside a region of the host no team is
 * forked at all. With pthreads the members wait at a gate until it is known how many
 * threads could be started. Either way each member asks for OpenMP teams of one on
 * entry, because a BLAS built on OpenMP takes a thread that may fork for one that
 * should.
 *
 * Threads are started with all signals blocked: signals belong to the host's threads.
 */
#include "base/thread.h"

#include <signal.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#define MAX_TEAM 256

void cl_mutex_init(cl_mutex *m)
{
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP /* which look before they sleep */
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&m->m, &kind);
    pthread_mutexattr_destroy(&kind);
}

void cl_mutex_fini(cl_mutex *m)
{
    pthread_mutex_destroy(&m->m);
}

void cl_mutex_lock(cl_mutex *m)
{
    pthread_mutex_lock(&m->m);
}

bool cl_mutex_try_lock(cl_mutex *m)
{
    return pthread_mutex_trylock(&m->m) == 0;
}

void cl_mutex_unlock(cl_mutex *m)
{
    pthread_mutex_unlock(&m->m);
}

void cl_cond_init(cl_cond *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* cl_clock()'s */
    pthread_cond_init(&c->c, &attr);
    pthread_condattr_destroy(&attr);
}

void cl_cond_fini(cl_cond *c)
{
    pthread_cond_destroy(&c->c);
}

void cl_cond_wait(cl_cond *c, cl_mutex *m)
{
    pthread_cond_wait(&c->c, &m->m);
}

bool cl_cond_wait_until(cl_cond *c, cl_mutex *m, double until)
{
    const double never = 4e18; /* beyond what a time_t may hold */
    if (!(until < never)) {
        cl_cond_wait(c, m);
        return true;
    }
    const double seconds = until > 0 ? until : 0;
    const struct timespec t = {.tv_sec = (time_t)seconds,
                               .tv_nsec =
                                   (long)((seconds - (double)(time_t)seconds) * 1e9)};
    return pthread_cond_timedwait(&c->c, &m->m, &t) == 0;
}

void cl_cond_signal(cl_cond *c)
{
    pthread_cond_signal(&c->c);
}

void cl_cond_broadcast(cl_cond *c)
{
    pthread_cond_broadcast(&c->c);
}

clast_status cl_thread_start(cl_thread *t, void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&t->t, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? CLAST_ENOMEM : CLAST_OK;
}

void cl_thread_join(cl_thread *t)
{
    pthread_join(t->t, NULL);
}

/* ---- teams ---- */

#ifdef _OPENMP

int cl_fork_width(void)
{
    return omp_get_max_threads();
}

void cl_fork_width_set(int width)
{
    omp_set_num_threads(width);
}

#else

int cl_fork_width(void)
{
    return 1;
}

void cl_fork_width_set(int width) {}

#endif

static void run_as_team_of_one(cl_team_fn *fn, void *arg, int worker, int size)
{
    const int before = cl_fork_width();
    cl_fork_width_set(1);
    fn(arg, worker, size);
    cl_fork_width_set(before);
}

typedef struct {
    cl_team_fn *fn;
    void *arg;
    cl_mutex mutex;
    cl_cond opened;
    int size; /* under mutex: 0 until the gate opens */
} team;

typedef struct {
    team *team;
    int worker;
    cl_thread thread;
} member;

static void *run_member(void *arg)
{
    const member *self = arg;
    team *t = self->team;
    cl_mutex_lock(&t->mutex);
    while (t->size == 0)
        cl_cond_wait(&t->opened, &t->mutex);
    const int size = t->size;
    cl_mutex_unlock(&t->mutex);
    run_as_team_of_one(t->fn, t->arg, self->worker, size);
    return NULL;
}

static void run_pthreads(int workers, cl_team_fn *fn, void *arg)
{
    member members[MAX_TEAM];
    team t = {.fn = fn, .arg = arg};
    cl_mutex_init(&t.mutex);
    cl_cond_init(&t.opened);
    int size = 1;
    for (; size < workers; size++) {
        members[size] = (member){.team = &t, .worker = size};
        if (cl_thread_start(&members[size].thread, run_member, &members[size]))
            break;
    }
    cl_mutex_lock(&t.mutex);
    t.size = size;
    cl_cond_broadcast(&t.opened);
    cl_mutex_unlock(&t.mutex);
    run_as_team_of_one(fn, arg, 0, size);
    for (int i = 1; i < size; i++)
        cl_thread_join(&members[i].thread);
    cl_cond_fini(&t.opened);
    cl_mutex_fini(&t.mutex);
}

#ifdef _OPENMP

static void run_openmp(int workers, cl_team_fn *fn, void *arg)
{
    if (workers == 1 || omp_in_parallel()) {
        run_as_team_of_one(fn, arg, 0, 1);
        return;
    }
#pragma omp parallel num_threads(workers)
    run_as_team_of_one(fn, arg, omp_get_thread_num(), omp_get_num_threads());
}

#else

static void run_openmp(int workers, cl_team_fn *fn, void *arg)
{
    run_pthreads(workers, fn, arg);
}

#endif

void cl_team_run(cl_team_kind kind, int workers, cl_team_fn *fn, void *arg)
{
    if (workers < 1)
        workers = 1;
    if (workers > MAX_TEAM)
        workers = MAX_TEAM;
    if (kind == CL_TEAM_OPENMP)
        run_openmp(workers, fn, arg);
    else
        run_pthreads(workers, fn, arg);
}

cl_team_kind cl_team_default(void)
{
#ifdef _OPENMP
    return CL_TEAM_OPENMP;
#else
    return CL_TEAM_PTHREADS;
#endif
}

void cl_thread_nap(double seconds)
{
    const struct timespec time = {0, (long)(seconds * 1e9)};
    nanosleep(&time, NULL);
}

double cl_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
