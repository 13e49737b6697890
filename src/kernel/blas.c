/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many threads BLAS may use, and how many may use BLAS.
 *
 * BLAS may use one while anybody runs, as many as before afterwards.
 *
 * Workers are the parallelism; a BLAS that forks inside them only fights them. The
 * count of runs is process-wide because BLAS's setting is. An OpenBLAS that is built on
 * OpenMP also changes the calling thread's OpenMP setting when it is told a number, so
 * that is put back each time.
 *
 * An OpenBLAS that is built without threads is usually built without locks too,
 * Debian's among them: two threads that multiply at once are now and then given the
 * same buffer, and get wrong results. So there workers take turns. Since 0.3.28 it says
 * when it has locks all the same (USE_LOCKING).
 */
#include "kernel/linalg.h"

#include <cblas.h>
#include <string.h>

#include "base/thread.h"

static cl_mutex lock = CL_MUTEX_INIT; /* guards the next three, which stay in a run */
static int runs, threads_before;
static bool takes_turns;
static cl_mutex turn = CL_MUTEX_INIT;

static void set_threads(int n)
{
    const int width = cl_fork_width();
    openblas_set_num_threads(n);
    cl_fork_width_set(width);
}

void cl_blas_enter(void)
{
    cl_mutex_lock(&lock);
    if (runs++ == 0) {
        threads_before = openblas_get_num_threads();
        takes_turns = openblas_get_parallel() == OPENBLAS_SEQUENTIAL &&
                      !strstr(openblas_get_config(), "USE_LOCKING");
        set_threads(1);
    }
    cl_mutex_unlock(&lock);
}

void cl_blas_leave(void)
{
    cl_mutex_lock(&lock);
    if (--runs == 0)
        set_threads(threads_before);
    cl_mutex_unlock(&lock);
}

void cl_blas_begin(void)
{
    if (takes_turns)
        cl_mutex_lock(&turn);
}

void cl_blas_end(void)
{
    if (takes_turns)
        cl_mutex_unlock(&turn);
}

const char *cl_blas_name(void)
{
    return openblas_get_config();
}

/* OpenBLAS 0.3.17 and later have such code for these cores; an older one takes the
 * same way as for large products, a little slower. */
bool cl_blas_has_small_products(void)
{
    static const char *const cores[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    const char *core = openblas_get_corename();
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (strcmp(core, cores[i]) == 0)
            return true;
    return false;
}
