/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file that nobody may change while it is looked at: in place, without a copy.
 *
 * Who maps a file and touches a page of it that another process has cut off is killed
 * by a signal. So what is mapped is touched under a lease only, which is a promise of
 * the kernel: as long as it is held, whoever opens the file for writing or truncates
 * it waits. It is held for one strip at a time, which takes less than a millisecond,
 * and by nobody who waits for anything else. Where there is no lease, or what is wanted
 * is not in the page cache, the caller reads.
 */
#ifndef CL_IO_LEASE_H
#define CL_IO_LEASE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/thread.h"

/* Of one open file, which all threads share. */
typedef struct {
    cl_mutex mutex; /* guards what follows but fd */
    int fd, holders;
    pid_t told;      /* the thread that the kernel tells who waits; 0: none yet */
    bool is_refused; /* there will be none */
} cl_lease;

/* fd: open for reading only. Nothing is asked of the system yet. */
void cl_lease_init(cl_lease *lease, int fd);
void cl_lease_fini(cl_lease *lease); /* nobody holds it */
/* false: the file is open for writing, or somebody waits for that, or the system gives
 * no lease. From take to give the holder does nothing that waits for another process or
 * for libhdf5's lock. Mutexes are taken in this order: this one, then those of the
 * sleeping thread. */
bool cl_lease_take(cl_lease *lease);
void cl_lease_give(cl_lease *lease);

/* What one thread has mapped of such a file. Zeroed: nothing. */
typedef struct {
    char *memory;
    uint64_t from, bytes;
    uint64_t shown; /* bytes that were looked at, which are resident */
} cl_window;

/* The bytes in memory, until the next call; NULL: they have to be read. The caller
 * holds the lease and knows that the file has them. */
const void *cl_window_show(cl_window *window, int fd, uint64_t at, uint64_t bytes);
void cl_window_close(cl_window *window);

#endif
