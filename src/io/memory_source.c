/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory as a source: a strided rectangle, borrowed or ours.
 *
 * Schedulers read it in place through info.data and info.stride. Fetch and decode work
 * all the same: fetch does nothing, decode gathers. The buffer is checked once, at
 * open (base/buffer.h), so that later address arithmetic cannot leave it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/checksum.h"
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

static clast_status fetch_memory(cl_source *source, const cl_box *box,
                                 const cl_lattice *wanted, void *dst, void *staging,
                                 cl_fetching *how, cl_error *err)
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

/* A checksum of all elements, some of them at a time. */
static clast_status describe_memory(cl_source *source, cl_text *text, cl_error *err)
{
    const cl_source_info *info = &source->info;
    const size_t item = clast_dtype_size(info->dtype);
    const cl_box whole = cl_box_whole(&info->shape);
    const int last = whole.ndim - 1;
    char piece[4096];
    const int64_t most = (int64_t)(sizeof piece / item);
    cl_checksum_state sum;
    cl_checksum_begin(&sum);
    cl_box box = whole;
    for (int a = 0; a < last; a++)
        box.n[a] = 1;
    for (int64_t left = cl_box_count(&whole); left > 0;) {
        if (last >= 0) {
            const int64_t rest = whole.n[last] - box.lo[last];
            box.n[last] = rest < most ? rest : most;
        }
        const int64_t n = cl_box_count(&box);
        CL_TRY(decode_memory(source, &box, piece, NULL, err));
        cl_checksum_add(&sum, piece, (uint64_t)n * item);
        left -= n;
        if (last >= 0)
            box.lo[last] += n;
        for (int a = last; a > 0 && box.lo[a] == whole.n[a]; a--) {
            box.lo[a] = 0;
            box.lo[a - 1]++;
        }
    }
    cl_text_say(text, "input in memory, %s, checksum %016" PRIx64,
                clast_dtype_name(info->dtype), cl_checksum_end(&sum));
    return CLAST_OK;
}

static const cl_source_class memory_class = {.close = close_memory,
                                             .staging = staging_memory,
                                             .fetch = fetch_memory,
                                             .decode = decode_memory,
                                             .describe = describe_memory};

clast_status cl_source_open_memory(cl_source **source, const clast_buffer *buffer,
                                   void (*free_data)(void *data), cl_error *err)
{
    *source = NULL;
    int64_t stride[CL_MAXDIM];
    CL_TRY(cl_buffer_check(buffer, err));
    cl_buffer_strides(buffer, stride);
    const cl_shape shape = cl_shape_of(buffer->ndim, buffer->shape);

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
