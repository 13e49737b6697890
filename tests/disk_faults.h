/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk that fails when it is told to: the table of system calls of src/io/sys.h with
 * one call in it that fails, or at which the process is killed. Or one that is watched:
 * how much was written to it that nobody has waited for. */
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
/* None fails but the n-th sync_file_range. It is watched what of each file neither a
 * sync of it nor a sync_file_range has waited for. */
void disk_watch(int64_t n, int error);
uint64_t disk_most_dirty(void); /* bytes, the most there were since disk_watch() */
int64_t disk_pushes(void);      /* sync_file_range since then */
/* Back to the real disk. */
void disk_mend(void);

int64_t disk_calls(void);      /* since disk_fail() or disk_kill() */
const char *disk_failed(void); /* what failed: "fsync"; "" where nothing did */

#endif
