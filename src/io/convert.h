/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From elements as they are stored to elements as they are handed out: byte order,
 * float16, and the arithmetic of CF attributes.
 *
 * An element never shrinks: dst bytes >= src bytes. So the stored elements may sit at
 * the end of dst's own memory, and the conversion runs from front to back in place.
 */
#ifndef CL_IO_CONVERT_H
#define CL_IO_CONVERT_H

#include "base/dtype.h"

#define CL_CF_FILLS 16

/* What the CF attributes of a dataset say. */
typedef struct {
    int nfill;
    double fill[CL_CF_FILLS]; /* _FillValue and missing_value, without NaNs */
    bool has_scale, has_offset;
    double scale, offset;
} cl_cf;

typedef struct {
    clast_dtype stored; /* after bytes were swapped and halves widened */
    clast_dtype dtype;  /* handed out */
    bool is_swapped;    /* the stored byte order is not this machine's */
    bool is_half;       /* float16 in the file; `stored` is float32 */
    bool has_cf;
    cl_cf cf;
} cl_convert;

size_t cl_convert_stored_size(const cl_convert *c);
bool cl_convert_is_identity(const cl_convert *c);
/* n elements, a cl_row_fn: arg is the cl_convert. dst and src may overlap as said
 * above. */
void cl_convert_run(void *arg, void *dst, const void *src, int64_t n);

#endif
