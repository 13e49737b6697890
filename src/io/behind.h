/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranges of a file behind its writers: each is pushed to the disk as soon as it is
 * written, and dropped from the cache when CL_BEHIND_MOST bytes were written after it.
 * So the writers go at the pace of the disk and neither dirty nor clean pages pile up.
 */
#ifndef CL_IO_BEHIND_H
#define CL_IO_BEHIND_H

#include <stdint.h>

#include "base/thread.h"

#define CL_BEHIND_MOST ((uint64_t)64 << 20)
enum { CL_BEHIND_RANGES = 256 };

typedef struct {
    uint64_t at, bytes;
} cl_behind_range;

typedef struct {
    cl_mutex mutex;
    cl_behind_range range[CL_BEHIND_RANGES]; /* a ring */
    uint32_t first, n;
    uint64_t bytes; /* of all ranges in it */
} cl_behind;

void cl_behind_init(cl_behind *behind);
void cl_behind_fini(cl_behind *behind);
/* From any thread, after the bytes were written. 0, or what the disk said of these or
 * of earlier ones. */
int cl_behind_wrote(cl_behind *behind, int fd, uint64_t at, uint64_t bytes);

#endif
