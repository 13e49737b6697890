/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller that fail, cancel, call contexts or want more memory than
 * there is; and every option of a map that is refused.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "temp_folder.h"
#include "user_blocks.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

/* Fails in the blocks from (user) on. */
static clast_status fail_from(clast_call *call, void *user, int nin,
                              const clast_view *in, int nout, clast_buffer *out)
{
    memset(out->data, 0, out->bytes);
    return clast_call_origin(call)[0] >= *(int64_t *)user
               ? clast_call_fail(call, "too hot")
               : CLAST_OK;
}

static clast_status fail_oddly(clast_call *call, void *user, int nin,
                               const clast_view *in, int nout, clast_buffer *out)
{
    memset(out->data, 0, out->bytes);
    if (*(int *)user == CLAST_EMATH)
        clast_call_fail(call, "it swings");
    return (clast_status) * (int *)user;
}

START_TEST(failures_name_the_block)
{
    static const int64_t shape[2] = {100, 3};
    static const char file[] = "fails.h5";
    static double got[300];
    int64_t from = 40;
    clast_ctx *ctx = user_open(1 + 3 * _i);
    const clast_map_options options = user_ten_blocks("heat");
    clast_array *a = clast_map(ctx, 0, NULL, fail_from, &from, &options);
    const clast_buffer into = user_buffer(got, CLAST_FLOAT64, 2, shape);
    const clast_sink sinks[2] = {clast_sink_fetch(a, &into),
                                 clast_sink_hdf5(a, file, "/x", NULL)};
    ck_assert_int_eq(clast_compute(ctx, 2, sinks), CLAST_EUSER);
    if (_i == 0)
        ck_assert_str_eq(clast_ctx_error(ctx),
                         "heat: block (4, 0) at (40, 0): too hot");
    else
        ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "0): too hot"));
    FILE *left = fopen(file, "r");
    ck_assert_ptr_null(left);
    /* The context goes on. */
    clast_ctx_clear(ctx);
    from = 1000;
    ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
    clast_close(&ctx);
}
END_TEST

static const struct {
    int returned;
    clast_status status;
    const char *message;
} odd[] = {
    {CLAST_EIO, CLAST_EIO, "odd: block (0, 0) at (0, 0): read or write failed"},
    {CLAST_EMATH, CLAST_EMATH, "odd: block (0, 0) at (0, 0): it swings"},
    {77777, CLAST_EUSER,
     "odd: block (0, 0) at (0, 0): returned 77777, which is no status"},
    {-1, CLAST_EUSER, "odd: block (0, 0) at (0, 0): returned -1, which is no status"},
    {CLAST_ECANCELED, CLAST_EUSER,
     "odd: block (0, 0) at (0, 0): gave up, though nobody canceled the run"},
};

START_TEST(odd_statuses)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    int returned = odd[_i].returned;
    clast_ctx *ctx = user_open(1);
    const clast_map_options options = user_ten_blocks("odd");
    clast_array *a = clast_map(ctx, 0, NULL, fail_oddly, &returned, &options);
    const clast_buffer into = user_buffer(got, CLAST_FLOAT64, 2, shape);
    ck_assert_int_eq(clast_fetch(a, &into), odd[_i].status);
    ck_assert_str_eq(clast_ctx_error(ctx), odd[_i].message);
    clast_close(&ctx);
}
END_TEST

/* A callback that runs another context, whose callbacks, in whatever thread, turn to
 * the one that waits for them. */
typedef struct {
    clast_ctx *outer, *inner;
    atomic_int refused, other_threads;
    pthread_t waiting;
} nest;

static clast_status turn_back(clast_call *call, void *user, int nin,
                              const clast_view *in, int nout, clast_buffer *out)
{
    nest *n = user;
    n->other_threads += !pthread_equal(pthread_self(), n->waiting);
    n->refused += clast_compute(n->outer, 0, NULL) == CLAST_EBUSY &&
                  clast_array_status(clast_int(n->outer, 1)) == CLAST_EBUSY &&
                  clast_compute(n->inner, 0, NULL) == CLAST_EBUSY;
    for (int i = 0; i < 200000; i++) /* so long that the other worker comes */
        clast_call_is_canceled(call);
    memset(out->data, 0, out->bytes);
    return CLAST_OK;
}

static clast_status run_inner(clast_call *call, void *user, int nin,
                              const clast_view *in, int nout, clast_buffer *out)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    nest *n = user;
    n->waiting = pthread_self();
    const clast_map_options options = user_ten_blocks("inner");
    const clast_buffer into = user_buffer(got, CLAST_FLOAT64, 2, shape);
    memset(out->data, 0, out->bytes);
    return clast_fetch(clast_map(n->inner, 0, NULL, turn_back, n, &options), &into);
}

START_TEST(contexts_that_call_each_other)
{
    static const int64_t one = 1;
    double got = 1;
    nest n = {.outer = user_open(1), .inner = user_open(2)};
    const clast_map_options options = {
        .name = "outer", .dtype = CLAST_FLOAT64, .ndim = 1, .shape = &one};
    const clast_buffer into = user_buffer(&got, CLAST_FLOAT64, 1, &one);
    clast_array *a = clast_map(n.outer, 0, NULL, run_inner, &n, &options);
    for (int i = 1; i <= 20 && n.other_threads == 0; i++) {
        ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
        ck_assert_int_eq(n.refused, 10 * i);
    }
    ck_assert_int_eq(clast_compute(n.outer, 0, NULL), CLAST_OK); /* no longer */
    clast_close(&n.inner);
    clast_close(&n.outer);
}
END_TEST

/* The first block cancels; all wait until they see it. */
static clast_status cancel_and_wait(clast_call *call, void *user, int nin,
                                    const clast_view *in, int nout, clast_buffer *out)
{
    clast_ctx *ctx = user;
    int64_t one = 1;
    if (clast_array_status(clast_zeros(ctx, 1, &one, CLAST_INT8)) != CLAST_EBUSY ||
        clast_compute(ctx, 0, NULL) != CLAST_EBUSY)
        return clast_call_fail(call, "the context should be busy");
    if (clast_call_origin(call)[0] == 0)
        clast_cancel(ctx);
    while (!clast_call_is_canceled(call))
        ;
    return CLAST_ECANCELED;
}

START_TEST(cancels)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    clast_ctx *ctx = user_open(2);
    const clast_map_options options = user_ten_blocks("long");
    clast_array *a = clast_map(ctx, 0, NULL, cancel_and_wait, ctx, &options);
    const clast_buffer into = user_buffer(got, CLAST_FLOAT64, 2, shape);
    ck_assert_int_eq(clast_fetch(a, &into), CLAST_ECANCELED);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_ECANCELED);
    clast_close(&ctx);
}
END_TEST

static clast_status use_workspace(clast_call *call, void *user, int nin,
                                  const clast_view *in, int nout, clast_buffer *out)
{
    char *work = clast_call_workspace(call);
    const size_t bytes = *(size_t *)user;
    if (!bytes != !work || (uintptr_t)work % 64 != 0)
        return clast_call_fail(call, "another workspace than asked for");
    if (work)
        memset(work, 1, bytes);
    memset(out->data, 0, out->bytes);
    return CLAST_OK;
}

START_TEST(workspaces)
{
    static const size_t asked[] = {0, 1, 100000, 8 << 20};
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    clast_ctx *ctx = user_open(4);
    const clast_buffer into = user_buffer(got, CLAST_FLOAT64, 2, shape);
    for (int i = 0; i < COUNT(asked); i++) {
        size_t bytes = asked[i];
        clast_map_options options = user_ten_blocks("work");
        options.workspace = bytes;
        clast_array *a = clast_map(ctx, 0, NULL, use_workspace, &bytes, &options);
        ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
        ck_assert_uint_ge(clast_ctx_stats(ctx).peak, bytes);
    }
    static const uint64_t much[] = {CLAST_MIB(65), UINT64_MAX / 2, UINT64_MAX};
    for (int i = 0; i < COUNT(much); i++) {
        clast_map_options options = user_ten_blocks("much");
        options.workspace = much[i];
        clast_array *a = clast_map(ctx, 0, NULL, use_workspace, NULL, &options);
        clast_ctx_clear(ctx);
        ck_assert_int_eq(clast_fetch(a, &into), CLAST_EBUDGET);
        ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "much"));
    }
    clast_close(&ctx);
}
END_TEST

/* ---- what is refused ---- */

typedef clast_array *refused_fn(clast_ctx *ctx, clast_array *a, clast_array *b);

/* One option at a time is wrong. a is (4, 6), b is (5, 6). */
static clast_array *map_with(clast_ctx *ctx, clast_array *a,
                             const clast_map_options *options)
{
    return clast_map(ctx, 1, &a, user_number, NULL, options);
}

static clast_array *with_input(clast_ctx *ctx, clast_array *a, clast_map_input input)
{
    const clast_map_options options = {.dtype = CLAST_FLOAT64, .inputs = &input};
    return map_with(ctx, a, &options);
}

static clast_array *with_fold(clast_ctx *ctx, clast_array *a, clast_fold fold)
{
    const clast_map_options options = {.dtype = CLAST_FLOAT64, .fold = &fold};
    return map_with(ctx, a, &options);
}

static const int64_t minus[2] = {0, -1}, zero[2] = {0, 3}, one[2] = {1, 1},
                     far[2] = {4 * 65, 0}, huge[2] = {INT64_MAX / 2, INT64_MAX / 2},
                     most[2] = {INT64_MAX, INT64_MAX};
static const int axes_out[1] = {2}, axes_twice[2] = {0, -2};

#define REFUSED(name, ...)                                                             \
    static clast_array *name(clast_ctx *ctx, clast_array *a, clast_array *b)           \
    {                                                                                  \
        return __VA_ARGS__;                                                            \
    }
REFUSED(no_kernel, clast_map(ctx, 1, &a, NULL, NULL, &(clast_map_options){0}))
REFUSED(no_options, clast_map(ctx, 1, &a, user_number, NULL, NULL))
REFUSED(negative_nin,
        clast_map(ctx, -1, &a, user_number, NULL, &(clast_map_options){0}))
REFUSED(no_inputs, clast_map(ctx, 1, NULL, user_number, NULL, &(clast_map_options){0}))
REFUSED(bad_dtype, map_with(ctx, a, &(clast_map_options){.dtype = CLAST_NDTYPE}))
REFUSED(bad_reserved, map_with(ctx, a, &(clast_map_options){.reserved = {1}}))
REFUSED(bad_cost, map_with(ctx, a, &(clast_map_options){.cost = NAN}))
REFUSED(bad_shape, map_with(ctx, a, &(clast_map_options){.ndim = 2, .shape = one}))
REFUSED(null_shape,
        clast_map(ctx, 0, NULL, user_number, NULL, &(clast_map_options){.ndim = 2}))
REFUSED(other_ndim, map_with(ctx, a, &(clast_map_options){.ndim = 3}))
REFUSED(huge_shape, clast_map(ctx, 0, NULL, user_number, NULL,
                              &(clast_map_options){.ndim = 2, .shape = huge}))
REFUSED(huge_fold,
        clast_map(ctx, 0, NULL, user_number, NULL,
                  &(clast_map_options){
                      .dtype = CLAST_INT8,
                      .ndim = 2,
                      .shape = huge,
                      .fold = &(clast_fold){.combine = user_number,
                                            .partial = {CLAST_INT8, 0, NULL}}}))
REFUSED(bad_chunk, map_with(ctx, a, &(clast_map_options){.chunk = zero}))
REFUSED(unlike, clast_map(ctx, 2, (clast_array *const[]){a, b}, user_number, NULL,
                          &(clast_map_options){.dtype = CLAST_INT8}))
REFUSED(bad_access, with_input(ctx, a, (clast_map_input){.access = CLAST_NACCESS}))
REFUSED(bad_pad, with_input(ctx, a, (clast_map_input){.pad = CLAST_NPAD}))
REFUSED(bad_depth, with_input(ctx, a, (clast_map_input){.depth = minus}))
REFUSED(whole_depth,
        with_input(ctx, a,
                   (clast_map_input){.access = CLAST_ACCESS_WHOLE, .depth = one}))
REFUSED(far_depth,
        with_input(ctx, a, (clast_map_input){.depth = far, .pad = CLAST_PAD_WRAP}))
REFUSED(huge_depth, with_input(ctx, a, (clast_map_input){.depth = huge}))
REFUSED(most_depth, with_input(ctx, a, (clast_map_input){.depth = most}))
REFUSED(most_repeats,
        with_input(ctx, clast_slice(a, 1, 0, 2, 1),
                   (clast_map_input){.depth = most, .pad = CLAST_PAD_REFLECT}))
REFUSED(input_reserved, with_input(ctx, a, (clast_map_input){.reserved = {0, 2}}))
REFUSED(spread_depth,
        clast_map(ctx, 2, (clast_array *const[]){a, clast_slice(a, 0, 0, 1, 1)},
                  user_number, NULL,
                  &(clast_map_options){
                      .inputs = (clast_map_input[]){{.depth = NULL}, {.depth = one}}}))
REFUSED(no_combine,
        with_fold(ctx, a, (clast_fold){.partial = {.dtype = CLAST_FLOAT64}}))
REFUSED(bad_axes,
        with_fold(ctx, a,
                  (clast_fold){.naxes = 1, .axes = axes_out, .combine = user_number}))
REFUSED(same_axes,
        with_fold(ctx, a,
                  (clast_fold){.naxes = 2, .axes = axes_twice, .combine = user_number}))
REFUSED(null_axes, with_fold(ctx, a, (clast_fold){.naxes = 2, .combine = user_number}))
REFUSED(other_partial, with_fold(ctx, a,
                                 (clast_fold){.combine = user_number,
                                              .partial = {.dtype = CLAST_INT8}}))
REFUSED(empty_partial, with_fold(ctx, a,
                                 (clast_fold){.combine = user_number,
                                              .finish = user_number,
                                              .partial = {0, 2, zero}}))
REFUSED(empty_axis, with_fold(ctx, clast_slice(a, 0, 0, 0, 1),
                              (clast_fold){.combine = user_number,
                                           .partial = {.dtype = CLAST_FLOAT64}}))

static const struct {
    refused_fn *make;
    clast_status status;
} refused[] = {
    {no_kernel, CLAST_EVALUE},       {no_options, CLAST_EVALUE},
    {negative_nin, CLAST_EVALUE},    {no_inputs, CLAST_EVALUE},
    {bad_dtype, CLAST_EDTYPE},       {bad_reserved, CLAST_ENOTSUP},
    {bad_cost, CLAST_EVALUE},        {bad_shape, CLAST_ESHAPE},
    {null_shape, CLAST_EVALUE},      {other_ndim, CLAST_EVALUE},
    {huge_shape, CLAST_ESHAPE},      {huge_fold, CLAST_ESHAPE},
    {bad_chunk, CLAST_EVALUE},       {unlike, CLAST_ESHAPE},
    {bad_access, CLAST_EVALUE},      {bad_pad, CLAST_EVALUE},
    {bad_depth, CLAST_EVALUE},       {whole_depth, CLAST_EVALUE},
    {far_depth, CLAST_ENOTSUP},      {huge_depth, CLAST_ESHAPE},
    {input_reserved, CLAST_ENOTSUP}, {spread_depth, CLAST_EVALUE},
    {no_combine, CLAST_EVALUE},      {bad_axes, CLAST_EAXIS},
    {same_axes, CLAST_EAXIS},        {null_axes, CLAST_EVALUE},
    {other_partial, CLAST_EVALUE},   {empty_partial, CLAST_ESHAPE},
    {empty_axis, CLAST_ESHAPE},      {most_depth, CLAST_ESHAPE},
    {most_repeats, CLAST_ENOTSUP},
};

START_TEST(refusals)
{
    static const int64_t shape_a[2] = {4, 6}, shape_b[2] = {5, 6};
    double x[24], y[30];
    const uint64_t before = cl_alloc_live();
    clast_ctx *ctx = user_open(1);
    clast_array *a = user_borrowed(ctx, 2, shape_a, x),
                *b = user_borrowed(ctx, 2, shape_b, y);
    clast_array *made = refused[_i].make(ctx, a, b);
    ck_assert_msg(clast_array_status(made) == refused[_i].status, "%s",
                  clast_error(made));
    ck_assert_str_ne(clast_error(made), "");
    clast_ctx *other = user_open(1);
    ck_assert_int_eq(clast_array_status(clast_map(other, 1, &a, user_number, NULL,
                                                  &(clast_map_options){0})),
                     CLAST_ECONTEXT);
    clast_close(&other);
    clast_close(&ctx);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

static Suite *errors(void)
{
    Suite *s = suite_create("user_errors");
    TCase *t = tcase_create("errors");
    tcase_add_checked_fixture(t, temp_folder_begin, temp_folder_end);
    tcase_add_loop_test(t, failures_name_the_block, 0, 2);
    tcase_add_loop_test(t, odd_statuses, 0, COUNT(odd));
    tcase_add_test(t, contexts_that_call_each_other);
    tcase_add_test(t, cancels);
    tcase_add_test(t, workspaces);
    tcase_add_loop_test(t, refusals, 0, COUNT(refused));
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {errors};
    return cl_check_main(suites, 1);
}
