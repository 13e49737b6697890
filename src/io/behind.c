/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Write-behind: of a large file, a ring of ranges that are on their way to the disk; of
 * another one, a count.
 *
 * Whoever writes starts the disk on his range and then waits for as many old ranges as
 * it takes to have at most a window under way. Waiting is outside of the mutex: a range
 * is taken out first, so that no two wait for one. Pages that a range has in part stay
 * in the cache until its neighbour is dropped. Of a file that is not large the mutex is
 * held while the disk is waited for: it is what the others are to wait for.
 */
#include <fcntl.h>

#include "io/behind.h"
#include "io/sys.h"

uint64_t cl_behind_window = CL_BEHIND_WINDOW;

void cl_behind_init(cl_behind *behind)
{
    cl_mutex_init(&behind->mutex);
    behind->first = behind->n = 0;
    behind->bytes = 0;
    atomic_init(&behind->grown, 0);
}

void cl_behind_fini(cl_behind *behind)
{
    cl_mutex_fini(&behind->mutex);
}

/* The oldest range, where there is no room for another. */
static bool take(cl_behind *behind, cl_behind_range *range)
{
    if (behind->n == 0 ||
        (behind->bytes <= cl_behind_window && behind->n < CL_BEHIND_RANGES))
        return false;
    *range = behind->range[behind->first];
    behind->first = (behind->first + 1) % CL_BEHIND_RANGES;
    behind->n--;
    behind->bytes -= range->bytes;
    return true;
}

static int wait_and_drop(int fd, const cl_behind_range *range)
{
    const int error =
        cl_sys_push(fd, (off_t)range->at, (off_t)range->bytes, CL_PUSH_AND_WAIT);
    if (error == 0)
        posix_fadvise(fd, (off_t)range->at, (off_t)range->bytes, POSIX_FADV_DONTNEED);
    return error;
}

int cl_behind_wrote(cl_behind *behind, int fd, uint64_t at, uint64_t bytes)
{
    int error = cl_sys_push(fd, (off_t)at, (off_t)bytes, CL_PUSH);
    cl_behind_range old;
    cl_mutex_lock(&behind->mutex);
    while (take(behind, &old)) {
        cl_mutex_unlock(&behind->mutex);
        const int late = wait_and_drop(fd, &old);
        error = error ? error : late;
        cl_mutex_lock(&behind->mutex);
    }
    const uint32_t end = (behind->first + behind->n) % CL_BEHIND_RANGES;
    behind->range[end] = (cl_behind_range){at, bytes};
    behind->n++;
    behind->bytes += bytes;
    cl_mutex_unlock(&behind->mutex);
    return error;
}

int cl_behind_grew(cl_behind *behind, int fd, uint64_t bytes)
{
    const uint64_t window = cl_behind_window;
    if (atomic_fetch_add(&behind->grown, bytes) + bytes < window)
        return 0;
    int error = 0;
    cl_mutex_lock(&behind->mutex);
    if (atomic_load(&behind->grown) >= window) {
        atomic_fetch_sub(&behind->grown, window);
        error = cl_sys_push(fd, 0, 0, CL_PUSH_PACED);
    }
    cl_mutex_unlock(&behind->mutex);
    return error;
}
