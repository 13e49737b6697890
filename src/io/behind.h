/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Write-behind: writers go at the pace of the disk, so that dirty pages do not pile up
 * behind them.
 *
 * Of a large file each range is pushed to the disk as soon as it is written, and
 * dropped from the cache when a window of bytes was written after it: neither dirty nor
 * clean pages pile up. Of another one nobody says where bytes went: for each window of
 * them all that is dirty in the file is pushed, after what was pushed the time before
 * has come, by the writer who made it full. With n writers at most n windows are under
 * way then, and less than one is not pushed yet.
 */
#ifndef CL_IO_BEHIND_H
#define CL_IO_BEHIND_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/thread.h"

/* Bytes; 64 MiB. Tests set it to less, before threads exist. */
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
    _Atomic uint64_t grown; /* of a file that is not large: written so far */
} cl_behind;

void cl_behind_init(cl_behind *behind);
void cl_behind_fini(cl_behind *behind);
/* From any thread, after the bytes were written: these of a large file, or so many
 * somewhere in another one. 0, or what the disk said of these or of earlier ones, which
 * it says once: no later sync would tell. */
int cl_behind_wrote(cl_behind *behind, int fd, uint64_t at, uint64_t bytes);
int cl_behind_grew(cl_behind *behind, int fd, uint64_t bytes);

#endif
