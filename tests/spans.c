/* SPDX-License-Identifier: BSD-3-Clause */
/* Random inputs: strides follow a random order of the axes, then some are turned round
 * or set to 0; cuts split one span at a time along one axis. */
#include "spans.h"

#include <string.h>

#include "base/alloc.h"

void spans_init(spans *s, uint64_t *seed, clast_dtype dtype, const cl_box *box,
                bool broadcasts)
{
    const int64_t size = (int64_t)clast_dtype_size(dtype);
    int order[CL_MAXDIM];
    int64_t stride[CL_MAXDIM], bytes = size, start = 0;
    const bool is_plain = naive_below(seed, 3) == 0;
    for (int a = 0; a < box->ndim; a++) {
        const int at = is_plain ? 0 : (int)naive_below(seed, a + 1);
        memmove(order + at + 1, order + at, (size_t)(a - at) * sizeof *order);
        order[at] = a;
    }
    for (int k = 0; k < box->ndim; k++) {
        const int a = order[k];
        const int64_t gap = !is_plain && naive_below(seed, 4) == 0;
        stride[a] = bytes;
        if (!is_plain && broadcasts && naive_below(seed, 4) == 0)
            stride[a] = 0;
        else
            bytes *= box->n[a] + gap;
        if (!is_plain && naive_below(seed, 4) == 0) {
            start += (box->n[a] - 1) * stride[a];
            stride[a] = -stride[a];
        }
    }
    const size_t total = (size_t)bytes + (size_t)size;
    *s = (spans){.dtype = dtype, .memory = cl_alloc(total)};
    for (int64_t i = 0; i < bytes; i += size) {
        const cl_scalar v = naive_random(seed, dtype);
        memcpy(s->memory + i, &v, (size_t)size);
    }
    s->span[0].box = *box;
    s->span[0].data = s->memory + start;
    memcpy(s->span[0].stride, stride, sizeof stride);
    s->input = (cl_input){1, s->span};
}

void spans_cut(spans *s, uint64_t *seed)
{
    const int cuts = (int)naive_below(seed, 6);
    for (int c = 0; c < cuts && s->span[0].box.ndim > 0; c++) {
        cl_span *old = &s->span[naive_below(seed, (int64_t)s->input.count)];
        const int a = (int)naive_below(seed, old->box.ndim);
        if (old->box.n[a] < 2 || s->input.count == SPANS_MAX)
            continue;
        const int64_t left = 1 + naive_below(seed, old->box.n[a] - 1);
        cl_span *next = &s->span[s->input.count++];
        *next = *old;
        next->box.lo[a] += left;
        next->box.n[a] -= left;
        next->data += left * old->stride[a];
        old->box.n[a] = left;
    }
}

void spans_fini(spans *s)
{
    cl_free(s->memory);
    *s = (spans){.memory = NULL};
}
