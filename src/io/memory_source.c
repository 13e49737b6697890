/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory as a source: a strided rectangle, borrowed or ours.
 *
 * Schedulers read it in place through info.data and info.stride. Fetch and decode work
 * all the same: fetch does nothing, decode gathers. The buffer is checked once, at
 * open: every element must lie within `bytes`, counted with overflow checks, so that
 * later address arithmetic cannot leave it.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "io/source_class.h"

typedef struct {
    cl_source base;
    void (*free_data)(void *data);
} memory_source;

static void close_memory(cl_source *source)
{
    memory_source *m = (memory_source *)source;
    if (m->free_data)
        m->free_data(m->base.info.data);
    cl_free(m);
}

static uint64_t staging_memory(const cl_source *source, const cl_box *box)
{
    return 0;
}

static clast_status fetch_memory(cl_source *source, const cl_box *box, void *dst,
                                 void *staging, uint64_t *stored, cl_error *err)
{
    return CLAST_OK;
}

static void gather_row(char *dst, const char *src, int64_t n, int64_t stride,
                       size_t item)
{
    if (stride == (int64_t)item) {
        memcpy(dst, src, (size_t)n * item);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(dst + (size_t)i * item, src + i * stride, item);
}

static clast_status decode_memory(cl_source *source, const cl_box *box, void *dst,
                                  void *staging, cl_error *err)
{
    const cl_source_info *info = &source->info;
    const size_t item = clast_dtype_size(info->dtype);
    const int last = box->ndim - 1;
    const int64_t row = last >= 0 ? box->n[last] : 1;
    const int64_t step = last >= 0 ? info->stride[last] : (int64_t)item;
    int64_t at[CL_MAXDIM] = {0};
    char *to = dst;
    for (int64_t left = cl_box_count(box); left > 0; left -= row) {
        int64_t offset = 0;
        for (int a = 0; a <= last; a++)
            offset += (box->lo[a] + at[a]) * info->stride[a];
        gather_row(to, (const char *)info->data + offset, row, step, item);
        to += (size_t)row * item;
        for (int a = last - 1; a >= 0 && ++at[a] == box->n[a]; a--)
            at[a] = 0;
    }
    return CLAST_OK;
}

static const cl_source_class memory_class = {close_memory, staging_memory, fetch_memory,
                                             decode_memory};

/* Adds |stride| * (n - 1) to the span; false where it overflows. */
static bool add_span(int64_t n, int64_t stride, int64_t *span)
{
    int64_t reach;
    if (stride == INT64_MIN ||
        __builtin_mul_overflow(n - 1, stride < 0 ? -stride : stride, &reach))
        return false;
    return !__builtin_add_overflow(*span, reach, span);
}

static clast_status check_bytes(const clast_buffer *b, const cl_shape *shape,
                                const int64_t *stride, cl_error *err)
{
    const int64_t item = (int64_t)clast_dtype_size(b->dtype);
    int64_t span = 1, bytes, count;
    bool fits = cl_shape_count(shape, &count);
    if (fits && count == 0)
        return CLAST_OK;
    for (int a = 0; fits && a < shape->ndim; a++)
        fits = add_span(shape->dim[a], stride[a], &span);
    if (!fits || __builtin_mul_overflow(span, item, &bytes))
        return cl_error_set(err, CLAST_EVALUE,
                            "the buffer's shape and strides overflow 64 bits");
    if (!b->data)
        return cl_error_set(err, CLAST_EVALUE, "the buffer's data is NULL");
    if ((uint64_t)bytes > b->bytes)
        return cl_error_set(err, CLAST_EVALUE,
                            "the buffer has %zu bytes, its shape and strides span %lld",
                            b->bytes, (long long)bytes);
    return CLAST_OK;
}

static clast_status check_shape(const clast_buffer *b, cl_error *err)
{
    if (clast_dtype_size(b->dtype) == 0)
        return cl_error_set(err, CLAST_EDTYPE, "the buffer's dtype %d is none",
                            (int)b->dtype);
    if (b->ndim < 0 || b->ndim > CL_MAXDIM)
        return cl_error_set(err, CLAST_ESHAPE,
                            "the buffer has %d axes, at most %d are supported", b->ndim,
                            CL_MAXDIM);
    if (b->ndim > 0 && !b->shape)
        return cl_error_set(err, CLAST_ESHAPE, "the buffer's shape is NULL");
    for (int a = 0; a < b->ndim; a++)
        if (b->shape[a] < 0)
            return cl_error_set(err, CLAST_ESHAPE, "axis %d of the buffer is %lld long",
                                a, (long long)b->shape[a]);
    return CLAST_OK;
}

/* Strides in elements: the buffer's, or C order. Zero-length axes count as 1 here, so
 * that the numbers stay sane. */
static bool settle_strides(const clast_buffer *b, int64_t *stride)
{
    int64_t next = 1;
    for (int a = b->ndim - 1; a >= 0; a--) {
        stride[a] = b->strides ? b->strides[a] : next;
        if (__builtin_mul_overflow(next, b->shape[a] > 0 ? b->shape[a] : 1, &next))
            return false;
    }
    return true;
}

clast_status cl_source_open_memory(cl_source **source, const clast_buffer *buffer,
                                   void (*free_data)(void *data), cl_error *err)
{
    *source = NULL;
    int64_t stride[CL_MAXDIM];
    CL_TRY(check_shape(buffer, err));
    if (!settle_strides(buffer, stride))
        return cl_error_set(err, CLAST_ESHAPE, "the buffer's shape overflows 64 bits");
    const cl_shape shape = cl_shape_of(buffer->ndim, buffer->shape);
    CL_TRY(check_bytes(buffer, &shape, stride, err));

    memory_source *m = cl_calloc(1, sizeof *m);
    if (!m)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a source");
    m->base.class = &memory_class;
    m->base.identity = cl_identity_unique();
    m->free_data = free_data;
    cl_source_info *info = &m->base.info;
    info->dtype = buffer->dtype;
    info->shape = shape;
    info->is_memory = true;
    info->data = buffer->data;
    for (int a = 0; a < shape.ndim; a++)
        info->stride[a] =
            (int64_t)((uint64_t)stride[a] * clast_dtype_size(buffer->dtype));
    *source = &m->base;
    return CLAST_OK;
}
