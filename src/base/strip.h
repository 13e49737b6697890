/* SPDX-License-Identifier: BSD-3-Clause */
/* Strips: a box in parts that follow each other in C order, none larger than wanted. */
#ifndef CL_BASE_STRIP_H
#define CL_BASE_STRIP_H

#include "base/shape.h"

/* The extents of strips of at most `most` elements: some grains of one axis, one grain
 * of those before it, all of those behind it. grain: extents that are never cut (NULL:
 * 1); what has one grain along each axis is a strip in any case. No extent of the box
 * is 0. */
void cl_strip_extents(const cl_box *box, const int64_t *grain, int64_t most,
                      int64_t *extent);
cl_box cl_strip_first(const cl_box *box, const int64_t *extent);
/* The next strip of the box; false, and the first one again, after the last. */
bool cl_strip_next(const cl_box *box, const int64_t *extent, cl_box *strip);

#endif
