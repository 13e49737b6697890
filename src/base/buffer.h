/* SPDX-License-Identifier: BSD-3-Clause */
/* The caller's rectangles of memory: what can be wrong with them, and copying one. */
#ifndef CL_BASE_BUFFER_H
#define CL_BASE_BUFFER_H

#include "base/shape.h"
#include "base/status.h"
#include "clast/types.h"

/* dtype, extents, strides and size make sense and the memory is long enough. The other
 * functions take buffers that passed. */
clast_status cl_buffer_check(const clast_buffer *buffer, cl_error *err);
/* Strides in elements: the buffer's, C order where it gives none. */
void cl_buffer_strides(const clast_buffer *buffer, int64_t *stride);
/* Bytes of the elements in C order. */
size_t cl_buffer_bytes(const clast_buffer *buffer);
/* Into C-contiguous memory. */
void cl_buffer_copy(const clast_buffer *buffer, void *to);

#endif
