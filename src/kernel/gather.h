/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies between strided boxes of memory: the one place where elements change layout.
 */
#ifndef CL_KERNEL_GATHER_H
#define CL_KERNEL_GATHER_H

#include "kernel/map.h"

/* Copies a box of n[0] x ... x n[ndim - 1] elements of `element` bytes (1, 2, 4, 8 or
 * 16) from src to dst; strides in bytes, any sign. A source stride may be 0; no two
 * elements of dst overlap. */
void cl_copy_box(size_t element, int ndim, const int64_t *n, const char *src,
                 const int64_t *src_stride, char *dst, const int64_t *dst_stride);

/* dst[i] = *src for i < n. */
void cl_fill(size_t element, int64_t n, const char *src, char *dst);

/* Copies the spans of an input into memory of the given strides (bytes; out is the
 * element at box.lo). Same dtype. */
void cl_gather(const cl_box *box, const cl_input *input, size_t element, char *out,
               const int64_t *stride);

#endif
