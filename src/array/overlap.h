/* SPDX-License-Identifier: BSD-3-Clause */
/* Elements of the caller's memory that are the same, in one buffer or in two. */
#ifndef CL_ARRAY_OVERLAP_H
#define CL_ARRAY_OVERLAP_H

#include "base/buffer.h"

/* cl_buffer_check(), and no two elements share an address. Refuses some exotic
 * interleavings that would not overlap. */
clast_status cl_buffer_check_output(const clast_buffer *buffer, cl_error *err);
/* Whether two checked buffers share a byte; true also where that is hard to tell. */
bool cl_buffers_overlap(const clast_buffer *a, const clast_buffer *b);

#endif
