/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Few intervals of an axis, and grids that spend tiles only on them.
 */
#ifndef CL_GRAPH_INTERVAL_H
#define CL_GRAPH_INTERVAL_H

#include "base/alloc.h"
#include "base/shape.h"
#include "base/status.h"

enum { CL_MOST_INTERVALS = 4 };

/* [lo[i], hi[i]), ascending, apart from each other. Zeroed: none. */
typedef struct {
    int n;
    int64_t lo[CL_MOST_INTERVALS + 1], hi[CL_MOST_INTERVALS + 1];
} cl_intervals;

/* Adds [lo, hi); where they become too many the two nearest become one with what is
 * between them. */
void cl_intervals_add(cl_intervals *s, int64_t lo, int64_t hi);

/* The parts of `whole` that lie in [lo, lo + n), counted from lo, as cl_axis_window();
 * but parts between the intervals are one, where that saves half of all. */
clast_status cl_axis_used(cl_arena *arena, const cl_axis *whole, int64_t lo, int64_t n,
                          const cl_intervals *used, cl_axis *out);

#endif
