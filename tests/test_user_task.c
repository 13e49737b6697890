/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks: functions of the caller on whole arrays and opaque bytes, in one graph with
 * everything else.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "user_blocks.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

static clast_buffer scalar(void *data, clast_dtype dtype)
{
    return (clast_buffer){data, clast_dtype_size(dtype), dtype, 0, NULL, NULL};
}

static double fetch_double(clast_array *a)
{
    double v = -1;
    const clast_buffer into = scalar(&v, CLAST_FLOAT64);
    ck_assert_msg(clast_fetch(a, &into) == CLAST_OK, "%s",
                  clast_ctx_error(clast_array_ctx(a)));
    return v;
}

/* ---- records that only the kernels know */

typedef struct {
    int64_t id, depth;
    double sum;
} record;

static const int64_t record_bytes[1] = {sizeof(record)};
static const clast_output opaque = {CLAST_UINT8, 1, record_bytes};

static clast_status make_record(clast_call *call, void *user, int nin,
                                const clast_view *in, int nout, clast_buffer *out)
{
    record *r = out->data;
    if (nin != 0 || nout != 1 || out->bytes != sizeof *r || clast_call_ndim(call) != 0)
        return clast_call_fail(call, "called otherwise than promised");
    *r = (record){*(int64_t *)user, 0, (double)*(int64_t *)user};
    return CLAST_OK;
}

static clast_status join_records(clast_call *call, void *user, int nin,
                                 const clast_view *in, int nout, clast_buffer *out)
{
    record *r = out->data;
    *r = (record){0};
    for (int i = 0; i < nin; i++) {
        const record *from = in[i].data;
        if (in[i].ndim != 1 || in[i].shape[0] != sizeof *from ||
            in[i].dtype != CLAST_UINT8 || (uintptr_t)from % 64 != 0)
            return clast_call_fail(call, "an input is no record");
        r->id += from->id;
        r->sum += from->sum;
        r->depth = from->depth >= r->depth ? from->depth + 1 : r->depth;
    }
    return CLAST_OK;
}

static clast_status sum_of_record(clast_call *call, void *user, int nin,
                                  const clast_view *in, int nout, clast_buffer *out)
{
    *(double *)out->data = ((const record *)in->data)->sum;
    return CLAST_OK;
}

static clast_array *one(clast_ctx *ctx, int nin, clast_array *const *in,
                        const clast_output *output, clast_kernel *kernel, void *user)
{
    clast_array *made = NULL;
    ck_assert_int_eq(clast_task(ctx, nin, in, 1, output, &made, kernel, user, NULL),
                     CLAST_OK);
    return made;
}

static const struct {
    int leaves, fan_in, workers;
} trees[] = {{1, 2, 1}, {7, 2, 2}, {64, 4, 4}, {500, 3, 4}, {300, 300, 2}};

START_TEST(trees_of_records)
{
    static int64_t number[500];
    static clast_array *level[500];
    static const clast_output real = {CLAST_FLOAT64, 0, NULL};
    int n = trees[_i].leaves;
    clast_ctx *ctx = user_open(trees[_i].workers);
    for (int i = 0; i < n; i++) {
        number[i] = i;
        level[i] = one(ctx, 0, NULL, &opaque, make_record, &number[i]);
    }
    while (n > 1) {
        int m = 0;
        for (int i = 0; i < n; i += trees[_i].fan_in) {
            const int part = n - i < trees[_i].fan_in ? n - i : trees[_i].fan_in;
            level[m++] = one(ctx, part, &level[i], &opaque, join_records, NULL);
        }
        n = m;
    }
    clast_array *sum = one(ctx, 1, level, &real, sum_of_record, NULL);
    const double leaves = trees[_i].leaves;
    ck_assert_double_eq(fetch_double(sum), leaves * (leaves - 1) / 2);
    clast_close(&ctx);
}
END_TEST

/* ---- arrays into tasks, tasks into arrays */

/* {minimum, maximum} of any 2-D array, and its transpose. */
static clast_status range_and_turn(clast_call *call, void *user, int nin,
                                   const clast_view *in, int nout, clast_buffer *out)
{
    const double *x = in->data;
    double *range = out[0].data, *turned = out[1].data;
    if (nout != 3 || in->ndim != 2 || in->origin[0] != 0 || in->halo_lo[0] != 0)
        return clast_call_fail(call, "called otherwise than promised");
    if (out[2].bytes != 0 || out[2].ndim != 1 || out[2].shape[0] != 0)
        return clast_call_fail(call, "the empty output is not empty");
    range[0] = range[1] = x[0];
    for (int64_t i = 0; i < in->shape[0]; i++)
        for (int64_t j = 0; j < in->shape[1]; j++) {
            const double v = x[in->strides[0] * i + in->strides[1] * j];
            range[0] = v < range[0] ? v : range[0];
            range[1] = v > range[1] ? v : range[1];
            turned[out[1].strides[0] * j + i] = v;
        }
    return CLAST_OK;
}

START_TEST(arrays_and_tasks)
{
    static const int64_t shape[2] = {20, 30}, turned[2] = {30, 20}, two = 2, none = 0,
                         chunk[2] = {7, 8};
    static const clast_output outputs[3] = {
        {CLAST_FLOAT64, 1, &two}, {CLAST_FLOAT64, 2, turned}, {CLAST_INT8, 1, &none}};
    static double x[600], got[600];
    clast_array *made[3];
    clast_ctx *ctx = user_open(2);
    for (int i = 0; i < 600; i++)
        x[i] = (i * 37) % 601;
    const clast_buffer data = {x, sizeof x, CLAST_FLOAT64, 2, shape, NULL};
    clast_array *a = clast_rechunk(clast_borrow(ctx, &data), 2, chunk);
    clast_array *b = clast_add(a, clast_mean(a, CLAST_ALL));
    ck_assert_int_eq(
        clast_task(ctx, 1, &b, 3, outputs, made, range_and_turn, NULL, NULL), CLAST_OK);
    /* turned.T - b is zero; range[1] - range[0] is the range of x. */
    clast_array *zero = clast_sub(clast_transpose(made[1]), b);
    clast_array *range =
        clast_sub(clast_index(made[0], "1"), clast_index(made[0], "0"));
    ck_assert_double_eq(fetch_double(clast_max(clast_abs(zero), CLAST_ALL)), 0);
    ck_assert_double_eq(
        fetch_double(clast_sub(
            range, clast_sub(clast_max(b, CLAST_ALL), clast_min(b, CLAST_ALL)))),
        0);
    const clast_buffer into = {got, sizeof got, CLAST_FLOAT64, 2, turned, NULL};
    clast_array *kept = clast_persist(made[1]);
    ck_assert_int_eq(clast_fetch(kept, &into), CLAST_OK);
    ck_assert_int_eq(clast_fetch(made[2], &(clast_buffer){.data = got,
                                                          .dtype = CLAST_INT8,
                                                          .ndim = 1,
                                                          .shape = &none}),
                     CLAST_OK);
    clast_close(&ctx);
}
END_TEST

/* ---- several tasks on one array; calls are counted */

static clast_status sum_all(clast_call *call, void *user, int nin, const clast_view *in,
                            int nout, clast_buffer *out)
{
    double sum = 0;
    for (int i = 0; i < nin; i++)
        for (int64_t k = 0; k < in[i].shape[0]; k++)
            sum += ((const double *)in[i].data)[k];
    *(double *)out->data = sum;
    atomic_fetch_add((atomic_int *)user, 1);
    return CLAST_OK;
}

START_TEST(shared_inputs)
{
    static const clast_output real = {CLAST_FLOAT64, 0, NULL};
    clast_ctx *ctx = user_open(3);
    const int64_t chunk = 100;
    atomic_int calls = 0;
    clast_array *x =
        clast_rechunk(clast_arange(ctx, 0, 1000, 1, CLAST_FLOAT64), 1, &chunk);
    clast_array *total = clast_double(ctx, 0);
    for (int i = 0; i < 10; i++) {
        clast_array *const in[2] = {x, i % 2 ? x : clast_slice(x, 0, 0, 10 * i, 1)};
        total = clast_add(total, one(ctx, 2, in, &real, sum_all, &calls));
    }
    double want = 15 * 499500;
    for (int i = 0; i < 10; i += 2)
        want += 10.0 * i * (10 * i - 1) / 2;
    ck_assert_double_eq(fetch_double(total), want);
    ck_assert_int_eq(calls, 10);
    clast_close(&ctx);
}
END_TEST

/* ---- what nobody needs is not called; what fails is named */

static clast_status never(clast_call *call, void *user, int nin, const clast_view *in,
                          int nout, clast_buffer *out)
{
    return clast_call_fail(call, NULL);
}

START_TEST(needed_or_not)
{
    clast_ctx *ctx = user_open(2);
    int64_t seven = 7;
    const clast_task_options options = {.name = "load piece 7"};
    clast_array *bad = NULL, *good = one(ctx, 0, NULL, &opaque, make_record, &seven);
    ck_assert_int_eq(clast_task(ctx, 1, &good, 1, &opaque, &bad, never, NULL, &options),
                     CLAST_OK);
    static const clast_output real = {CLAST_FLOAT64, 0, NULL};
    ck_assert_double_eq(fetch_double(one(ctx, 1, &good, &real, sum_of_record, NULL)),
                        7);
    clast_array *after = one(ctx, 1, &bad, &real, sum_of_record, NULL);
    double v;
    const clast_buffer into = scalar(&v, CLAST_FLOAT64);
    ck_assert_int_eq(clast_fetch(after, &into), CLAST_EUSER);
    ck_assert_str_eq(clast_ctx_error(ctx), "load piece 7: it did not say why");
    clast_close(&ctx);
}
END_TEST

/* ---- what does not fit is refused by name */

START_TEST(too_large)
{
    static const int64_t half[1] = {40 << 20}, huge[1] = {(int64_t)1 << 50};
    static const int64_t *const bytes[] = {half, huge};
    clast_ctx *ctx = user_open(2);
    const clast_task_options options = {.name = "glutton"};
    const clast_output output = {CLAST_UINT8, 1, bytes[_i]};
    clast_array *a = NULL, *b = NULL;
    ck_assert_int_eq(clast_task(ctx, 0, NULL, 1, &output, &a, never, NULL, &options),
                     CLAST_OK);
    ck_assert_int_eq(clast_task(ctx, 1, &a, 1, &output, &b, never, NULL, &options),
                     CLAST_OK);
    uint8_t v;
    const clast_buffer into = scalar(&v, CLAST_UINT8);
    ck_assert_int_eq(clast_fetch(clast_index(b, "3"), &into), CLAST_EBUDGET);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "glutton"));
    /* An array of many tiles as the input of a small task. */
    static const clast_output small = {CLAST_UINT8, 0, NULL};
    clast_array *x = clast_arange(ctx, 0, 1e7, 1, CLAST_FLOAT64);
    ck_assert_int_eq(clast_task(ctx, 1, &x, 1, &small, &a, never, NULL, &options),
                     CLAST_OK);
    clast_ctx_clear(ctx);
    ck_assert_int_eq(clast_fetch(a, &into), CLAST_EBUDGET);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "glutton copy"));
    clast_close(&ctx);
}
END_TEST

/* ---- a long function sees a cancel from outside; others are built meanwhile */

static clast_status work_until_canceled(clast_call *call, void *user, int nin,
                                        const clast_view *in, int nout,
                                        clast_buffer *out)
{
    atomic_store((atomic_bool *)user, true);
    while (!clast_call_is_canceled(call))
        ;
    return CLAST_ECANCELED;
}

START_TEST(canceled_from_outside)
{
    static const clast_output real = {CLAST_FLOAT64, 0, NULL};
    atomic_bool has_begun = false;
    double v;
    const clast_buffer into = scalar(&v, CLAST_FLOAT64);
    clast_ctx *ctx = user_open(2);
    clast_scope_begin(ctx);
    const clast_sink sink = clast_sink_fetch(
        one(ctx, 0, NULL, &real, work_until_canceled, &has_begun), &into);
    clast_run *run = clast_submit(ctx, 1, &sink);
    clast_scope_end(ctx);
    while (!atomic_load(&has_begun))
        ;
    clast_array *next = clast_add(clast_double(ctx, 1), clast_double(ctx, 2));
    clast_run_cancel(run);
    ck_assert_int_eq(clast_wait(run, -1), CLAST_ECANCELED);
    clast_run_close(&run);
    ck_assert_double_eq(fetch_double(next), 3);
    clast_close(&ctx);
}
END_TEST

/* ---- a loop of tasks on the caller's memory costs no memory */

/* x becomes (x + 1) / 2 a step. */
static clast_status half_way(clast_call *call, void *user, int nin,
                             const clast_view *in, int nout, clast_buffer *out)
{
    *(double *)out->data = (*(const double *)in->data + 1) / 2;
    return CLAST_OK;
}

START_TEST(loops)
{
    static const clast_output real = {CLAST_FLOAT64, 0, NULL};
    double x = 0, y;
    clast_ctx *ctx = user_open(2);
    const clast_buffer from = scalar(&x, CLAST_FLOAT64), to = scalar(&y, CLAST_FLOAT64);
    clast_array *a = clast_borrow(ctx, &from);
    clast_array *b = one(ctx, 1, &a, &real, half_way, NULL);
    uint64_t before = 0;
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(clast_fetch(b, &to), CLAST_OK);
        ck_assert_double_eq(y, (x + 1) / 2);
        x = y;
        if (i == 2)
            before = cl_alloc_live();
    }
    ck_assert_uint_eq(cl_alloc_live(), before);
    ck_assert_double_eq(x, 1);
    clast_close(&ctx);
}
END_TEST

/* ---- arguments */

START_TEST(refusals)
{
    static const int64_t minus[1] = {-1};
    static const clast_output negative = {CLAST_UINT8, 1, minus},
                              no_dtype = {CLAST_NDTYPE, 0, NULL},
                              no_shape = {CLAST_UINT8, 1, NULL};
    static const clast_task_options odd = {.reserved = {1}};
    const struct {
        int nin, nout;
        const clast_output *outputs;
        clast_kernel *kernel;
        const clast_task_options *options;
        clast_status status;
    } rows[] = {
        {0, 0, &opaque, never, NULL, CLAST_EVALUE},
        {0, 33, &opaque, never, NULL, CLAST_EVALUE},
        {0, -1, &opaque, never, NULL, CLAST_EVALUE},
        {-1, 1, &opaque, never, NULL, CLAST_EVALUE},
        {1, 1, &opaque, never, NULL, CLAST_EVALUE},
        {0, 1, NULL, never, NULL, CLAST_EVALUE},
        {0, 1, &opaque, NULL, NULL, CLAST_EVALUE},
        {0, 1, &negative, never, NULL, CLAST_ESHAPE},
        {0, 1, &no_dtype, never, NULL, CLAST_EDTYPE},
        {0, 1, &no_shape, never, NULL, CLAST_EVALUE},
        {0, 1, &opaque, never, &odd, CLAST_ENOTSUP},
    };
    const uint64_t before = cl_alloc_live();
    clast_ctx *ctx = user_open(1);
    for (int i = 0; i < COUNT(rows); i++) {
        clast_array *made[40] = {NULL};
        clast_ctx_clear(ctx);
        ck_assert_int_eq(clast_task(ctx, rows[i].nin, NULL, rows[i].nout,
                                    rows[i].outputs, made, rows[i].kernel, NULL,
                                    rows[i].options),
                         rows[i].status);
        for (int k = 0; k < rows[i].nout; k++)
            ck_assert_int_eq(clast_array_status(made[k]), rows[i].status);
        ck_assert_int_eq(clast_ctx_status(ctx) != CLAST_OK, rows[i].nin != 1);
    }
    ck_assert_int_eq(clast_task(ctx, 0, NULL, 1, &opaque, NULL, never, NULL, NULL),
                     CLAST_EVALUE);
    clast_close(&ctx);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

static Suite *tasks(void)
{
    Suite *s = suite_create("user_task");
    TCase *t = tcase_create("tasks");
    tcase_add_loop_test(t, trees_of_records, 0, COUNT(trees));
    tcase_add_test(t, arrays_and_tasks);
    tcase_add_test(t, shared_inputs);
    tcase_add_test(t, needed_or_not);
    tcase_add_loop_test(t, too_large, 0, 2);
    tcase_add_test(t, canceled_from_outside);
    tcase_add_test(t, loops);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {tasks};
    return cl_check_main(suites, 1);
}
