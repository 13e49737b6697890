/* SPDX-License-Identifier: BSD-3-Clause */
/* The caller's rectangles of memory: what can be wrong with them, and copying one. */
#ifndef CL_ARRAY_BUFFER_H
#define CL_ARRAY_BUFFER_H

#include "base/shape.h"
#include "base/status.h"

/* dtype, extents, strides and size make sense and the memory is long enough. */
clast_status cl_buffer_check(const clast_buffer *buffer, cl_error *err);
/* Also: no two elements share an address. Refuses some exotic interleavings that would
 * not overlap. */
clast_status cl_buffer_check_output(const clast_buffer *buffer, cl_error *err);
/* Bytes of the elements in C order; the buffer was checked. */
size_t cl_buffer_bytes(const clast_buffer *buffer);
/* Into C-contiguous memory. */
void cl_buffer_copy(const clast_buffer *buffer, void *to);

#endif
