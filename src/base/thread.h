/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads: the only place outside src/sched that knows pthreads or OpenMP.
 *
 * cl_team_run() runs fn(arg, 0..n-1) on a team: an OpenMP parallel region (the default;
 * it runs with whatever team the runtime gives, at least 1, and tells `fn` its size),
 * or pthreads (build option, and what ThreadSanitizer sees).
 */
#ifndef CL_BASE_THREAD_H
#define CL_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    pthread_mutex_t m;
} cl_mutex;
#define CL_MUTEX_INIT                                                                  \
    {                                                                                  \
        PTHREAD_MUTEX_INITIALIZER                                                      \
    } /* for static ones */
typedef struct {
    pthread_cond_t c;
} cl_cond;
typedef struct {
    pthread_t t;
} cl_thread;

void cl_mutex_init(cl_mutex *m);
void cl_mutex_fini(cl_mutex *m);
void cl_mutex_lock(cl_mutex *m);
bool cl_mutex_try_lock(cl_mutex *m); /* false: somebody has it */
void cl_mutex_unlock(cl_mutex *m);
void cl_cond_init(cl_cond *c);
void cl_cond_fini(cl_cond *c);
void cl_cond_wait(cl_cond *c, cl_mutex *m);
/* At most until cl_clock() says `until`, which may be INFINITY; false: it does. */
bool cl_cond_wait_until(cl_cond *c, cl_mutex *m, double until);
void cl_cond_signal(cl_cond *c);
void cl_cond_broadcast(cl_cond *c);
clast_status cl_thread_start(cl_thread *t, void *(*fn)(void *),
                             void *arg); /* signals blocked; CLAST_ENOMEM */
void cl_thread_join(cl_thread *t);

/* Between two looks at something that another thread will change soon. */
static inline void cl_thread_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

typedef enum { CL_TEAM_OPENMP, CL_TEAM_PTHREADS } cl_team_kind;
typedef void cl_team_fn(void *arg, int worker, int nworkers);
/* Runs on 1 to `workers` threads, the caller's among them; returns when all have. Never
 * fails: with no thread to be had it runs alone. */
void cl_team_run(cl_team_kind kind, int workers, cl_team_fn *fn, void *arg);
cl_team_kind cl_team_default(void);

/* How many threads the calling thread's next OpenMP region would ask for (1 without
 * OpenMP), and setting it. */
int cl_fork_width(void);
void cl_fork_width_set(int width);

double cl_clock(void); /* seconds, monotonic */
void cl_thread_nap(double seconds);

#endif
