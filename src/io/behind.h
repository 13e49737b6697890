/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Write-behind: writers go at the pace of the disk, so that dirty pages do not pile up
 * behind them.
 *
 * Of a large file each range is pushed to the disk as soon as it is written, and
 * dropped from the cache when a window of bytes was written after it: neither dirty nor
 * clean pages pile up. Of another one nobody says where bytes went: for each window of
 * them all that is dirty in the file is pushed, after what was pushed the time before
 * has come, by the writer who made it full. One pushes at a time, and whoever has made
 * the next window full meanwhile, or writes into it after that, waits for him. So,
 * however many writers there are, at most three windows are dirty, and what each has
 * written last: one was pushed before, one is to be pushed, and one is filled.
 */
#ifndef CL_IO_BEHIND_H
#define CL_IO_BEHIND_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/thread.h"

/* Three windows of a file and three of its spool (hdf5_order.c) are 240 MiB. */
#define CL_BEHIND_WINDOW ((uint64_t)40 << 20)
/* The one that holds. Tests set it to less, before threads exist. */
extern uint64_t cl_behind_window;
enum { CL_BEHIND_RANGES = 256 };

typedef struct {
    uint64_t at, bytes;
} cl_behind_range;

typedef struct {
    cl_mutex mutex;
    cl_behind_range range[CL_BEHIND_RANGES]; /* a ring; of a large file */
    uint32_t first, n;
    uint64_t bytes;         /* of all ranges in it */
    _Atomic uint64_t grown; /* of a file that is not large: written, less a window for
                               each push; who pushes has the mutex */
} cl_behind;

void cl_behind_init(cl_behind *behind);
void cl_behind_fini(cl_behind *behind);
/* From any thread, after the bytes were written: these of a large file, or so many
 * somewhere in another one. 0, or what the disk said of these or of earlier ones, which
 * it says once: no later sync would tell. */
int cl_behind_wrote(cl_behind *behind, int fd, uint64_t at, uint64_t bytes);
int cl_behind_grew(cl_behind *behind, int fd, uint64_t bytes);

#endif
