/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads in a world of our own: fibers, of which one runs at a time, and which hand
 * over to each other where threads would meet.
 *
 * A source that includes this header before any other sees the functions below in the
 * place of those of base/thread.h. There is one mutex, whatever it is called. Time is a
 * number; it advances where somebody waits, by a little at each look, and now and then.
 * Who goes on is decided by dice, so that a seed gives the same run every time. When
 * nobody can go on, that is said and the run is given up.
 */
#ifndef CL_TESTS_FIBERS_H
#define CL_TESTS_FIBERS_H

#define cl_mutex_lock     fibers_mutex_lock
#define cl_mutex_try_lock fibers_mutex_try_lock
#define cl_mutex_unlock   fibers_mutex_unlock
#define cl_cond_wait      fibers_cond_wait
#define cl_cond_signal    fibers_cond_signal
#define cl_cond_broadcast fibers_cond_broadcast
#define cl_clock          fibers_clock
#define cl_thread_nap     fibers_pass
#include "base/thread.h"
#define cl_thread_relax fibers_relax

#include "random_plan.h"

enum { FIBERS_MOST = 8 };

/* Forgets what was. `letting_go` is called by who has the mutex and is about to let it
 * go, or to sleep. */
void fibers_begin(dice *d, bool is_verbose, void (*letting_go)(void));
void fibers_add(void (*main)(void)); /* which ends by fibers_end() */
/* Until all have ended, or somebody complained. */
void fibers_run(void);
void fibers_end(void);

/* By who runs. */
int fibers_index(void); /* in the order in which they were added; -1: it is none */
bool fibers_has_mutex(void);
void fibers_hand_over(void); /* perhaps; by nobody: no */
void fibers_relax(void);
void fibers_pass(double seconds);

/* Somebody sleeps and was not told to wake; somebody was told and has not the mutex
 * yet. */
bool fibers_sleeps(const cl_cond *c);
bool fibers_is_waking(void);

/* The first complaint counts. That of a fiber ends the run. */
__attribute__((format(printf, 1, 2))) void fibers_complain(const char *format, ...);
const char *fibers_complaint(void); /* NULL: none */
/* Where somebody wants to see everything. */
__attribute__((format(printf, 1, 2))) void fibers_say(const char *format, ...);

#endif
