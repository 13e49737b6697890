/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller's memory. `data` is element (0, ..., 0), strides count elements, `bytes`
 * is the extent that all elements span, so that a short allocation is found before it
 * is overrun. With a span below 2**63 no address arithmetic on the elements overflows.
 */
#include "base/buffer.h"

#include <string.h>

#include "base/dtype.h"

void cl_buffer_strides(const clast_buffer *b, int64_t *stride)
{
    int64_t next = 1;
    for (int a = b->ndim - 1; a >= 0; a--) {
        stride[a] = b->strides ? b->strides[a] : next;
        next *= b->shape[a] > 0 ? b->shape[a] : 1;
    }
}

static clast_status check_shape(const clast_buffer *b, int64_t *count, cl_error *err)
{
    if ((int)b->dtype < 0 || b->dtype >= CLAST_NDTYPE)
        return cl_error_set(err, CLAST_EDTYPE, "the buffer's dtype %d is none",
                            (int)b->dtype);
    if (b->ndim < 0 || b->ndim > CLAST_MAXDIM)
        return cl_error_set(err, CLAST_ESHAPE,
                            "the buffer has %d dimensions, there can be 0 to %d",
                            b->ndim, CLAST_MAXDIM);
    if (b->ndim > 0 && !b->shape)
        return cl_error_set(err, CLAST_EVALUE, "the buffer's shape is NULL");
    for (int a = 0; a < b->ndim; a++)
        if (b->shape[a] < 0)
            return cl_error_set(err, CLAST_ESHAPE,
                                "the buffer's axis %d has the negative extent %lld", a,
                                (long long)b->shape[a]);
    const cl_shape shape = cl_shape_of(b->ndim, b->shape);
    int64_t bytes;
    if (!cl_shape_count(&shape, count) ||
        __builtin_mul_overflow(*count, (int64_t)clast_dtype_size(b->dtype), &bytes))
        return cl_error_set(err, CLAST_ESHAPE,
                            "the buffer's shape has more bytes than 64 bits count");
    return CLAST_OK;
}

/* Bytes that the elements span; false where that overflows. */
static bool span_of(const clast_buffer *b, uint64_t *span)
{
    int64_t stride[CL_MAXDIM];
    uint64_t elements = 1;
    cl_buffer_strides(b, stride);
    for (int a = 0; a < b->ndim; a++) {
        uint64_t part;
        const uint64_t step =
            stride[a] < 0 ? -(uint64_t)stride[a] : (uint64_t)stride[a];
        if (__builtin_mul_overflow(step, (uint64_t)(b->shape[a] - 1), &part) ||
            __builtin_add_overflow(elements, part, &elements))
            return false;
    }
    return !__builtin_mul_overflow(elements, (uint64_t)clast_dtype_size(b->dtype),
                                   span) &&
           *span <= INT64_MAX;
}

clast_status cl_buffer_check(const clast_buffer *b, cl_error *err)
{
    int64_t count;
    uint64_t span;
    CL_TRY(check_shape(b, &count, err));
    if (count == 0)
        return CLAST_OK;
    if (!b->data)
        return cl_error_set(err, CLAST_EVALUE, "the buffer's data is NULL");
    if (!span_of(b, &span) || span > b->bytes)
        return cl_error_set(
            err, CLAST_EVALUE,
            "the buffer has %zu bytes, its shape and strides need more%s", b->bytes,
            b->strides ? "" : " (C order)");
    return CLAST_OK;
}

size_t cl_buffer_bytes(const clast_buffer *b)
{
    size_t bytes = clast_dtype_size(b->dtype);
    for (int a = 0; a < b->ndim; a++)
        bytes *= (size_t)b->shape[a];
    return bytes;
}

/* Copies axes a.. of the buffer; returns where the next element goes. */
static char *copy_axis(const clast_buffer *b, const int64_t *stride, size_t size, int a,
                       const char *from, char *to)
{
    if (a == b->ndim) {
        memcpy(to, from, size);
        return to + size;
    }
    if (a == b->ndim - 1 && stride[a] == 1) {
        const size_t bytes = size * (size_t)b->shape[a];
        memcpy(to, from, bytes);
        return to + bytes;
    }
    for (int64_t i = 0; i < b->shape[a]; i++)
        to =
            copy_axis(b, stride, size, a + 1, from + i * stride[a] * (int64_t)size, to);
    return to;
}

void cl_buffer_copy(const clast_buffer *b, void *to)
{
    int64_t stride[CL_MAXDIM];
    if (cl_buffer_bytes(b) == 0)
        return;
    cl_buffer_strides(b, stride);
    copy_axis(b, stride, clast_dtype_size(b->dtype), 0, b->data, to);
}
