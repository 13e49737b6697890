/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller over blocks: generators, block kernels, halos with every pad
 * mode, reductions. Expected values come from plain loops over whole arrays; what a
 * kernel is shown (shapes, origins, halos) is checked within the kernel.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

static clast_ctx *open_with(uint64_t memory, int workers)
{
    const clast_options options = {
        .memory = memory, .workers = workers, .scratch = "/tmp"};
    return clast_open(&options);
}

static clast_ctx *open_some(int workers)
{
    return open_with(CLAST_MIB(64), workers);
}

static clast_buffer buffer(void *data, clast_dtype dtype, int ndim,
                           const int64_t *shape)
{
    size_t bytes = clast_dtype_size(dtype);
    for (int a = 0; a < ndim; a++)
        bytes *= (size_t)shape[a];
    return (clast_buffer){data, bytes, dtype, ndim, shape, NULL};
}

static void fetch(clast_array *a, clast_dtype dtype, int ndim, const int64_t *shape,
                  void *data)
{
    const clast_buffer into = buffer(data, dtype, ndim, shape);
    ck_assert_msg(clast_fetch(a, &into) == CLAST_OK, "%s",
                  clast_ctx_error(clast_array_ctx(a)));
}

/* Goes to the next index of a shape in C order; false at the end. */
static bool next(int ndim, const int64_t *shape, int64_t *index)
{
    for (int a = ndim; a-- > 0; index[a] = 0)
        if (++index[a] < shape[a])
            return true;
    return false;
}

static int64_t flat(int ndim, const int64_t *strides, const int64_t *index)
{
    int64_t at = 0;
    for (int a = 0; a < ndim; a++)
        at += strides[a] * index[a];
    return at;
}

/* ---- generators */

/* The flat index in `user`, a shape. */
static clast_status number(clast_call *call, void *user, int nin, const clast_view *in,
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
        if (flat(out->ndim, out->strides, index) != at)
            return clast_call_fail(call, "not in C order");
        to[at++] = (double)v;
    } while (next(out->ndim, out->shape, index));
    return CLAST_OK;
}

static const struct {
    int ndim;
    int64_t shape[3], chunk[3];
} generated[] = {
    {0, {0}, {0}},
    {1, {10}, {3}},
    {1, {10}, {-1}},
    {2, {7, 5}, {2, 5}},
    {3, {4, 3, 5}, {3, 2, 2}},
    {1, {0}, {3}},
    {2, {0, 4}, {1, 2}},
    {2, {3, 4}, {100, 1}},
};

START_TEST(generators)
{
    const int ndim = generated[_i].ndim;
    const int64_t *shape = generated[_i].shape;
    double got[64];
    clast_ctx *ctx = open_some(2);
    const clast_map_options options = {.dtype = CLAST_FLOAT64,
                                       .ndim = ndim,
                                       .shape = shape,
                                       .chunk = generated[_i].chunk};
    clast_array *a =
        clast_map(ctx, 0, NULL, number, (void *)(uintptr_t)shape, &options);
    ck_assert_int_eq(clast_ndim(a), ndim);
    fetch(a, CLAST_FLOAT64, ndim, shape, got);
    int64_t count = 1;
    for (int a1 = 0; a1 < ndim; a1++)
        count *= shape[a1];
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq(got[i], (double)i);
    clast_close(&ctx);
}
END_TEST

static Suite *maps(void)
{
    Suite *s = suite_create("user_map");
    TCase *t = tcase_create("maps");
    tcase_add_loop_test(t, generators, 0, COUNT(generated));
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {maps};
    return cl_check_main(suites, 1);
}
