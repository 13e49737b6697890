/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Elements are walked by an index in C order, with strides counted in elements: a view
 * with a halo is walked just as a block without one.
 */
#include "user_blocks.h"

#include "check_quiet.h"

clast_ctx *user_open(int workers)
{
    const clast_options options = {
        .memory = CLAST_MIB(64), .workers = workers, .scratch = "/tmp"};
    return clast_open(&options);
}

clast_buffer user_buffer(void *data, clast_dtype dtype, int ndim, const int64_t *shape)
{
    size_t bytes = clast_dtype_size(dtype);
    for (int a = 0; a < ndim; a++)
        bytes *= (size_t)shape[a];
    return (clast_buffer){data, bytes, dtype, ndim, shape, NULL};
}

void user_fetch(clast_array *a, clast_dtype dtype, int ndim, const int64_t *shape,
                void *data)
{
    const clast_buffer into = user_buffer(data, dtype, ndim, shape);
    ck_assert_msg(clast_fetch(a, &into) == CLAST_OK, "%s",
                  clast_ctx_error(clast_array_ctx(a)));
}

bool user_next(int ndim, const int64_t *shape, int64_t *index)
{
    for (int a = ndim; a-- > 0; index[a] = 0)
        if (++index[a] < shape[a])
            return true;
    return false;
}

int64_t user_flat(int ndim, const int64_t *strides, const int64_t *index)
{
    int64_t at = 0;
    for (int a = 0; a < ndim; a++)
        at += strides[a] * index[a];
    return at;
}

clast_status user_number(clast_call *call, void *user, int nin, const clast_view *in,
                         int nout, clast_buffer *out)
{
    const int64_t *whole = user, *origin = clast_call_origin(call);
    int64_t index[CLAST_MAXDIM] = {0}, at = 0;
    double *to = out->data;
    if (nin != 0 || nout != 1 || out->ndim != clast_call_ndim(call) ||
        (uintptr_t)to % 64 != 0)
        return clast_call_fail(call, "called otherwise than promised");
    for (int a = 0; a < out->ndim; a++)
        if (out->shape[a] != clast_call_extent(call)[a])
            return clast_call_fail(call, "the output is not the block");
    do {
        int64_t v = 0;
        for (int a = 0; a < out->ndim; a++)
            v = v * whole[a] + origin[a] + index[a];
        if (user_flat(out->ndim, out->strides, index) != at)
            return clast_call_fail(call, "not in C order");
        to[at++] = (double)v;
    } while (user_next(out->ndim, out->shape, index));
    return CLAST_OK;
}

clast_array *user_borrowed(clast_ctx *ctx, int ndim, const int64_t *shape,
                           double *memory)
{
    const clast_buffer data = user_buffer(memory, CLAST_FLOAT64, ndim, shape);
    for (size_t i = 0; i < data.bytes / sizeof *memory; i++)
        memory[i] = (double)i;
    return clast_borrow(ctx, &data);
}

clast_map_options user_ten_blocks(const char *name)
{
    static const int64_t shape[2] = {100, 3}, chunk[2] = {10, 3};
    return (clast_map_options){.name = name,
                               .dtype = CLAST_FLOAT64,
                               .ndim = 2,
                               .shape = shape,
                               .chunk = chunk};
}
