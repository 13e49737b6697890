/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk that fails when it is told to: the table of system calls of src/io/sys.h with
 * one call in it that fails, or at which the process is killed. */
#ifndef CL_TESTS_DISK_FAULTS_H
#define CL_TESTS_DISK_FAULTS_H

#include <stdint.h>

/* The n-th call from now on fails with this errno; n = 0: none does. Calls of every
 * kind count, from every thread. */
void disk_fail(int64_t n, int error);
/* Each rename to a file of this name. How many calls come before it may depend on what
 * was read first. */
void disk_fail_rename(const char *to, int error);
/* The process is killed at the n-th call: before it, and in the middle of a write. */
void disk_kill(int64_t n);
/* Back to the real disk. */
void disk_mend(void);

int64_t disk_calls(void);      /* since disk_fail() or disk_kill() */
const char *disk_failed(void); /* what failed: "fsync"; "" where nothing did */

#endif
