/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller over blocks: generators and block kernels, which blocks they
 * are called for, and what stays of them. Expected values come from plain loops.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "temp_folder.h"
#include "user_blocks.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

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
    clast_ctx *ctx = user_open(2);
    const clast_map_options options = {.dtype = CLAST_FLOAT64,
                                       .ndim = ndim,
                                       .shape = shape,
                                       .chunk = generated[_i].chunk};
    clast_array *a =
        clast_map(ctx, 0, NULL, user_number, (void *)(uintptr_t)shape, &options);
    ck_assert_int_eq(clast_ndim(a), ndim);
    user_fetch(a, CLAST_FLOAT64, ndim, shape, got);
    int64_t count = 1;
    for (int a1 = 0; a1 < ndim; a1++)
        count *= shape[a1];
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq(got[i], (double)i);
    clast_close(&ctx);
}
END_TEST

/* ---- several inputs ---- */

/* out = a + row * whole[0] - whole[last]; shapes as broadcast. */
static clast_status combine_inputs(clast_call *call, void *user, int nin,
                                   const clast_view *in, int nout, clast_buffer *out)
{
    const float *whole = in[2].data;
    const double *a = in[0].data, *row = in[1].data;
    int64_t index[2] = {0, 0}, at = 0;
    if (nin != 3 || in[1].ndim != 1 || in[2].ndim != 2 || in[2].shape[0] != 3 ||
        in[2].shape[1] != 2 || in[0].shape[1] != 1)
        return clast_call_fail(call, "other shapes than promised");
    if (in[1].origin[0] != clast_call_origin(call)[1] || in[0].origin[1] != 0)
        return clast_call_fail(call, "other origins than promised");
    do {
        const double v = a[in[0].strides[0] * index[0]] +
                         row[index[1]] * (double)whole[0] -
                         (double)whole[in[2].strides[0] * 2 + 1];
        ((double *)out->data)[at++] = v;
    } while (user_next(2, out->shape, index));
    return CLAST_OK;
}

START_TEST(inputs_broadcast)
{
    static const int64_t column[2] = {7, 1}, row[1] = {5}, table[2] = {3, 2},
                         shape[2] = {7, 5}, chunk[2] = {2, 3};
    double x[7], y[5], got[35];
    float z[6] = {2, 0, 0, 0, 0, 1000};
    clast_ctx *ctx = user_open(2);
    const clast_buffer whole = user_buffer(z, CLAST_FLOAT32, 2, table);
    clast_array *const in[3] = {user_borrowed(ctx, 2, column, x),
                                user_borrowed(ctx, 1, row, y),
                                clast_copy_in(ctx, &whole)};
    const clast_map_input how[3] = {{.access = CLAST_ACCESS_BLOCK},
                                    {.access = CLAST_ACCESS_BLOCK},
                                    {.access = CLAST_ACCESS_WHOLE}};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .chunk = chunk, .inputs = how};
    user_fetch(clast_map(ctx, 3, in, combine_inputs, NULL, &options), CLAST_FLOAT64, 2,
               shape, got);
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 5; j++)
            ck_assert_double_eq(got[5 * i + j], i + 2 * j - 1000);
    clast_close(&ctx);
}
END_TEST

/* A map of a map, sliced: only blocks that are needed are called for. */
static clast_status twice(clast_call *call, void *user, int nin, const clast_view *in,
                          int nout, clast_buffer *out)
{
    const double *from = in->data;
    double *to = out->data;
    atomic_fetch_add((atomic_int *)user, 1);
    for (int64_t i = 0; i < out->shape[0]; i++)
        to[i] = 2 * from[i];
    return CLAST_OK;
}

START_TEST(only_what_is_needed)
{
    static const int64_t n = 100, chunk = 10, part = 15;
    double x[100], got[15];
    atomic_int calls = 0;
    clast_ctx *ctx = user_open(2);
    const clast_map_options options = {.dtype = CLAST_FLOAT64, .chunk = &chunk};
    clast_array *a = user_borrowed(ctx, 1, &n, x);
    clast_array *b = clast_map(ctx, 1, &a, twice, &calls, &options);
    clast_array *c = clast_map(ctx, 1, &b, twice, &calls, &options);
    user_fetch(clast_add(clast_slice(c, 0, 25, 40, 1), clast_int(ctx, 1)),
               CLAST_FLOAT64, 1, &part, got);
    for (int i = 0; i < 15; i++)
        ck_assert_double_eq(got[i], 4 * (25 + i) + 1);
    ck_assert_int_eq(calls, 4);
    clast_close(&ctx);
}
END_TEST

/* ---- blocks depend on nothing but the expression ---- */

/* The flat number of the block's first element. */
static clast_status mark(clast_call *call, void *user, int nin, const clast_view *in,
                         int nout, clast_buffer *out)
{
    const int64_t *o = clast_call_origin(call);
    double *to = out->data;
    for (size_t i = 0; i < out->bytes / sizeof *to; i++)
        to[i] = (double)(o[0] * 1000 + o[1]);
    return CLAST_OK;
}

static void marked(int workers, uint64_t memory, bool is_stored, bool is_persisted,
                   double *got)
{
    static const int64_t shape[2] = {300, 200}, chunk[2] = {30, 200};
    const clast_options opened = {.memory = memory,
                                  .workers = workers,
                                  .scratch = "/tmp",
                                  .block = CLAST_KIB(64)};
    clast_ctx *ctx = clast_open(&opened);
    clast_array *r = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *x = clast_mul(clast_rechunk(r, 2, chunk), clast_double(ctx, 2));
    const clast_map_options options = {.dtype = CLAST_FLOAT64};
    clast_array *a = clast_map(ctx, 1, &x, mark, NULL, &options);
    if (is_persisted)
        a = clast_persist(a);
    const clast_buffer into = user_buffer(got, CLAST_FLOAT64, 2, shape);
    static const int64_t stored[2] = {7, 11};
    const clast_hdf5_options how = {.chunks = stored, .no_sync = true};
    const clast_sink sinks[2] = {clast_sink_fetch(a, &into),
                                 clast_sink_hdf5(a, "map.h5", "/x", &how)};
    ck_assert_msg(clast_compute(ctx, is_stored ? 2 : 1, sinks) == CLAST_OK, "%s",
                  clast_ctx_error(ctx));
    clast_close(&ctx);
}

START_TEST(blocks_are_fixed)
{
    static double first[60000], got[60000];
    marked(1, CLAST_MIB(64), false, false, first);
    ck_assert_double_eq(first[0], 0);
    ck_assert_double_ne(first[59999], 0);
    marked(4, CLAST_MIB(64), false, false, got);
    ck_assert_mem_eq(got, first, sizeof got);
    marked(2, CLAST_MIB(2), true, false, got);
    ck_assert_mem_eq(got, first, sizeof got);
    marked(2, CLAST_MIB(2), false, true, got);
    ck_assert_mem_eq(got, first, sizeof got);
}
END_TEST

/* A pure generator in a budget that its blocks do not fit into together. */
START_TEST(pure_maps_may_run_again)
{
    static const int64_t shape[2] = {512, 512}, chunk[2] = {32, 512};
    static double got[512];
    const clast_options opened = {.memory = CLAST_KIB(1200),
                                  .workers = 2,
                                  .scratch = "/tmp",
                                  .block = CLAST_KIB(128)};
    clast_ctx *ctx = clast_open(&opened);
    const clast_map_options options = {.name = "number",
                                       .pure = true,
                                       .cost = 0.1,
                                       .dtype = CLAST_FLOAT64,
                                       .ndim = 2,
                                       .shape = shape,
                                       .chunk = chunk};
    clast_array *a =
        clast_map(ctx, 0, NULL, user_number, (void *)(uintptr_t)shape, &options);
    clast_array *b = clast_sub(a, clast_mean(a, 0));
    user_fetch(clast_max(clast_abs(b), 0), CLAST_FLOAT64, 1, shape, got);
    for (int i = 0; i < 512; i++)
        ck_assert_double_eq(got[i], 255.5 * 512);
    ck_assert_uint_eq(clast_ctx_stats(ctx).spilled, 0);
    clast_close(&ctx);
}
END_TEST

typedef struct {
    char text[4096];
    size_t used;
} words;

static void collect(void *arg, const char *text, size_t bytes)
{
    words *w = arg;
    const size_t room = sizeof w->text - 1 - w->used;
    const size_t n = bytes < room ? bytes : room;
    memcpy(w->text + w->used, text, n);
    w->used += n;
}

/* A plan shows maps by name, with their blocks, and calls nothing. */
START_TEST(explained)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    words w = {{0}, 0};
    clast_ctx *ctx = user_open(1);
    const clast_map_options options = user_ten_blocks("heat");
    clast_array *a = clast_map(ctx, 0, NULL, user_number, NULL, &options);
    const clast_buffer into = user_buffer(got, CLAST_FLOAT64, 2, shape);
    const clast_sink sink = clast_sink_fetch(a, &into);
    ck_assert_int_eq(clast_explain(ctx, 1, &sink, collect, &w), CLAST_OK);
    const char *line = strstr(w.text, "heat");
    ck_assert_ptr_nonnull(line);
    char *end = strchr(line, '\n');
    ck_assert_ptr_nonnull(end);
    *end = 0;
    ck_assert_ptr_nonnull(strstr(line, "user"));
    ck_assert_ptr_nonnull(strstr(line, "(10, 3)"));
    clast_close(&ctx);
}
END_TEST

/* What belongs to a map goes with the last that is built on it. */
START_TEST(scopes_free_maps)
{
    static const int64_t n = 100;
    double x[100], got[100];
    atomic_int calls = 0;
    clast_ctx *ctx = user_open(1);
    clast_array *a = clast_keep(user_borrowed(ctx, 1, &n, x));
    const clast_map_options options = {.name = "twice", .dtype = CLAST_FLOAT64};
    uint64_t before = 0;
    for (int i = 0; i < 20; i++) {
        clast_scope_begin(ctx);
        clast_array *b = clast_map(ctx, 1, &a, twice, &calls, &options);
        user_fetch(clast_add(b, b), CLAST_FLOAT64, 1, &n, got);
        ck_assert_double_eq(got[99], 4 * 99);
        clast_scope_end(ctx);
        if (i == 2)
            before = cl_alloc_live();
    }
    ck_assert_uint_eq(cl_alloc_live(), before);
    ck_assert_int_eq(calls, 20);
    clast_close(&ctx);
}
END_TEST

static Suite *maps(void)
{
    Suite *s = suite_create("user_map");
    TCase *t = tcase_create("maps");
    tcase_add_checked_fixture(t, temp_folder_begin, temp_folder_end);
    tcase_add_loop_test(t, generators, 0, COUNT(generated));
    tcase_add_test(t, inputs_broadcast);
    tcase_add_test(t, only_what_is_needed);
    tcase_add_test(t, blocks_are_fixed);
    tcase_add_test(t, pure_maps_may_run_again);
    tcase_add_test(t, explained);
    tcase_add_test(t, scopes_free_maps);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {maps};
    return cl_check_main(suites, 1);
}
