/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A helper process whose standard output is read until a time: for work on bytes that
 * nobody vouches for. Whatever it does, the caller gets bytes or an error, and in time.
 *
 * It inherits the environment and nothing else: no descriptor, no signal mask. Its own
 * limits it sets itself. Not thread-safe; each thread may have children of its own.
 */
#ifndef CL_IO_CHILD_H
#define CL_IO_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"

typedef struct {
    pid_t pid; /* 0: none, or reaped */
    int fd;
    double until; /* cl_clock() */
} cl_child;

enum { CL_CHILD_WORDS = 7 };
/* argv: at most so many words, then NULL; argv[0] is the program's path. On failure
 * there is nothing to end. */
clast_status cl_child_start(cl_child *child, const char *const *argv, double seconds,
                            cl_error *err);
/* Exactly so many bytes, or CLAST_EFORMAT: it ended before, or did not end in time. */
clast_status cl_child_read(cl_child *child, void *to, size_t bytes, cl_error *err);
/* Ends it, whatever it does, and reaps it. */
void cl_child_end(cl_child *child);

#endif
