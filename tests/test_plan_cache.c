/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plans that are kept for runs that repeat them: what is the same run and what is not,
 * values with a plan of an earlier run, runs that end badly, and whose memory it is.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array/handle.h"
#include "check_main.h"
#include "clast.h"

enum { N = 96 };

static clast_ctx *ctx;
static char folder[32], in_file[64], out_file[64];
/* One place for the borrowed memory and one for what is fetched, with room to move. */
static _Alignas(64) double memory[2 * N + 8];
static double result[2 * N];

static void open_ctx(void)
{
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    ck_assert_str_eq(clast_ctx_error(ctx), "");
    for (int i = 0; i < 2 * N + 8; i++)
        memory[i] = i;
    snprintf(folder, sizeof folder, "/tmp/clast-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(in_file, sizeof in_file, "%s/in.h5", folder);
    snprintf(out_file, sizeof out_file, "%s/out.h5", folder);
}

static void close_ctx(void)
{
    clast_close(&ctx);
    unlink(in_file);
    unlink(out_file);
    ck_assert_int_eq(rmdir(folder), 0);
}

static bool is_reused(void)
{
    return clast_ctx_stats(ctx).plan_reused;
}

/* ---- what is the same run: everything that can differ, one by one */

/* A run: f(x) for x of (8, 12) numbers that begin at memory + shift, fetched or
 * stored. */
typedef struct {
    int shift;      /* elements */
    int pitch;      /* of x's rows; 0: 12 */
    double factor;  /* f = (x[:, from:] * factor + 1), summed along axis */
    int from, axis; /* axis 2: not summed */
    int chunk;      /* of a rechunk; 0: none */
    bool is_float32, subtracts;
    bool is_twice; /* a second sink: x + 1 */
    bool is_swapped;
    bool to_file, with_gzip;
    int out_chunk;
    int result_pitch, result_shift;
} asked;

static clast_array *borrowed(const asked *q)
{
    const int64_t shape[2] = {8, 12}, strides[2] = {q->pitch ? q->pitch : 12, 1};
    const clast_buffer b = {
        memory + q->shift, sizeof memory - 64, CLAST_FLOAT64, 2, shape, strides};
    return clast_borrow(ctx, &b);
}

static clast_array *expression(const asked *q, clast_array *x)
{
    const int64_t chunk[2] = {q->chunk, 12};
    clast_array *a = q->is_float32 ? clast_astype(x, CLAST_FLOAT32) : x;
    a = clast_slice(a, 1, q->from, CLAST_END, 1);
    a = clast_mul(a, clast_double(ctx, q->factor));
    if (q->chunk)
        a = clast_rechunk(a, 2, chunk);
    a = q->subtracts ? clast_sub(a, clast_int(ctx, 1))
                     : clast_add(a, clast_int(ctx, 1));
    a = q->axis == 2 ? a : clast_sum(a, q->axis);
    return clast_astype(a, CLAST_FLOAT64);
}

static double element(const asked *q, int i, int j)
{
    const double x = memory[q->shift + i * (q->pitch ? q->pitch : 12) + j];
    return x * q->factor + (q->subtracts ? -1 : 1);
}

/* One of the expression's numbers: that of row and column 0. */
static double expected(const asked *q)
{
    double sum = q->axis == 2 ? element(q, 0, q->from) : 0;
    for (int i = 0; q->axis == 0 && i < 8; i++)
        sum += element(q, i, q->from);
    for (int j = q->from; q->axis == 1 && j < 12; j++)
        sum += element(q, 0, j);
    return sum;
}

static clast_sink store(const asked *q, clast_array *a)
{
    static int64_t chunk[2];
    static clast_hdf5_options options;
    chunk[0] = chunk[1] = q->out_chunk;
    options = (clast_hdf5_options){.overwrite = true,
                                   .gzip = q->with_gzip ? 1 : -1,
                                   .chunks = q->out_chunk ? chunk : NULL};
    return clast_sink_hdf5(a, out_file, "/y", &options);
}

static void do_run(const asked *q)
{
    static double second[N];
    clast_scope_begin(ctx);
    clast_array *x = borrowed(q), *a = expression(q, x);
    const int ndim = q->axis == 2 ? 2 : 1;
    const int64_t n0 = q->axis == 0 ? 12 - q->from : 8, shape[2] = {n0, 12 - q->from};
    const int64_t strides[2] = {ndim == 1         ? 1
                                : q->result_pitch ? q->result_pitch
                                                  : 12,
                                1};
    const clast_buffer into = {result + q->result_shift,
                               sizeof result - 64,
                               CLAST_FLOAT64,
                               ndim,
                               shape,
                               strides};
    const int64_t whole[2] = {8, 12};
    const clast_buffer next = {second, sizeof second, CLAST_FLOAT64, 2, whole, NULL};
    clast_sink sinks[2] = {clast_sink_fetch(a, &into),
                           clast_sink_fetch(clast_add(x, clast_int(ctx, 1)), &next)};
    if (q->to_file)
        sinks[0] = store(q, a);
    if (q->is_swapped) {
        const clast_sink s = sinks[0];
        sinks[0] = sinks[1];
        sinks[1] = s;
    }
    result[q->result_shift] = -1;
    ck_assert_int_eq(clast_compute(ctx, q->is_twice ? 2 : 1, sinks), CLAST_OK);
    if (!q->to_file)
        ck_assert_double_eq(result[q->result_shift], expected(q));
    if (q->is_twice)
        ck_assert_double_eq(second[N - 1], element(&(asked){.factor = 1}, 7, 11));
    clast_scope_end(ctx);
}

#define PLAIN .factor = 2

static const struct {
    const char *what;
    asked before, after;
    bool is_same;
} pairs[] = {
    {"nothing", {PLAIN}, {PLAIN}, true},
    {"where the source lies", {PLAIN}, {PLAIN, .shift = 8}, true},
    {"where the result goes", {PLAIN}, {PLAIN, .result_shift = 5}, true},
    {"strides of the result",
     {PLAIN, .axis = 2},
     {PLAIN, .axis = 2, .result_pitch = 14},
     true},
    {"alignment of the source", {PLAIN}, {PLAIN, .shift = 1}, false},
    {"strides of the source", {PLAIN}, {PLAIN, .pitch = 13}, false},
    {"a constant", {PLAIN}, {.factor = 3}, false},
    {"an operation", {PLAIN}, {PLAIN, .subtracts = true}, false},
    {"a slice", {PLAIN}, {PLAIN, .from = 1}, false},
    {"a parameter", {PLAIN}, {PLAIN, .axis = 1}, false},
    {"a reduction", {PLAIN}, {PLAIN, .axis = 2}, false},
    {"a dtype", {PLAIN}, {PLAIN, .is_float32 = true}, false},
    {"chunks within", {PLAIN, .chunk = 4}, {PLAIN, .chunk = 2}, false},
    {"one sink more", {PLAIN}, {PLAIN, .is_twice = true}, false},
    {"the order of sinks",
     {PLAIN, .is_twice = true},
     {PLAIN, .is_twice = true, .is_swapped = true},
     false},
    {"the kind of a sink", {PLAIN}, {PLAIN, .to_file = true}, false},
    {"nothing, to a file", {PLAIN, .to_file = true}, {PLAIN, .to_file = true}, true},
    {"chunks of a file",
     {PLAIN, .to_file = true, .out_chunk = 4},
     {PLAIN, .to_file = true, .out_chunk = 3},
     false},
    {"filters of a file",
     {PLAIN, .to_file = true},
     {PLAIN, .to_file = true, .with_gzip = true},
     false},
};

START_TEST(same_runs)
{
    do_run(&pairs[_i].before);
    ck_assert(!is_reused());
    do_run(&pairs[_i].after);
    ck_assert_msg(is_reused() == pairs[_i].is_same, "%s", pairs[_i].what);
    for (int i = 0; i < 4; i++) { /* both are there now */
        for (int k = 0; k < 2 * N + 8; k++)
            memory[k] += 1;
        do_run(i % 2 ? &pairs[_i].before : &pairs[_i].after);
        ck_assert(is_reused());
    }
}
END_TEST

/* Runs that are told apart may be plans apart, so nothing of one may be left in the
 * other: all pairs in one context, twice, with plans coming and going. */
START_TEST(many_plans)
{
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            do_run(&pairs[i].before);
            do_run(&pairs[i].after);
            ck_assert_uint_le(ctx->plans.count, CL_CACHED_PLANS);
        }
    ck_assert_uint_eq(ctx->plans.count, CL_CACHED_PLANS);
}
END_TEST

/* ---- sources */

static double sum_of(clast_array *a)
{
    double sum = -1;
    const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    clast_scope_begin(ctx);
    clast_fetch(clast_sum(a, CLAST_ALL), &into);
    clast_scope_end(ctx);
    ck_assert_str_eq(clast_ctx_error(ctx), "");
    return sum;
}

static clast_array *filled(int64_t n, double v)
{
    return clast_full(ctx, 1, &n, clast_double(ctx, v), CLAST_FLOAT64);
}

static void write_file(double v)
{
    const clast_hdf5_options options = {.overwrite = true};
    ck_assert_int_eq(clast_to_hdf5(filled(N, v), in_file, "/x", &options), CLAST_OK);
    ck_assert_int_eq(clast_to_hdf5(filled(N, -v), in_file, "/y", &options), CLAST_OK);
}

static double sum_of_file(const char *path)
{
    clast_scope_begin(ctx);
    const double sum = sum_of(clast_from_hdf5(ctx, in_file, path));
    clast_scope_end(ctx);
    return sum;
}

START_TEST(files)
{
    write_file(1);
    clast_array *x = clast_from_hdf5(ctx, in_file, "/x");
    ck_assert_double_eq(sum_of(x), N);
    ck_assert(!is_reused());
    ck_assert_double_eq(sum_of(x), N);
    ck_assert(is_reused());
    ck_assert_double_eq(sum_of_file("/x"), N); /* the same dataset: the same source */
    ck_assert(is_reused());
    ck_assert_double_eq(sum_of_file("/y"), -N);
    ck_assert(!is_reused());
    ck_assert_double_eq(sum_of_file("/y"), -N); /* opened anew */
    ck_assert(!is_reused());
}
END_TEST

START_TEST(changed_files)
{
    for (int i = 1; i < 4; i++) {
        write_file(i);
        ck_assert_double_eq(sum_of_file("/x"), N * i);
        ck_assert(!is_reused());
    }
}
END_TEST

/* Plans of what has gone do not stay. */
START_TEST(forgotten)
{
    write_file(1);
    const uint32_t others = ctx->plans.count;
    const uint64_t bytes = ctx->plans.bytes;
    clast_scope_begin(ctx);
    ck_assert_double_eq(sum_of(clast_from_hdf5(ctx, in_file, "/x")), N);
    ck_assert_uint_eq(ctx->plans.count, others + 1);
    clast_scope_end(ctx);
    ck_assert_uint_eq(ctx->plans.count, others);
    ck_assert_uint_eq(ctx->plans.bytes, bytes);
}
END_TEST

/* x = persist(x + 1): two plans take turns, as the array before is held. */
START_TEST(persisted)
{
    clast_array *x = clast_keep(clast_persist(filled(N, 0)));
    for (int i = 1; i < 8; i++) {
        clast_scope_begin(ctx);
        clast_array *next = clast_keep(clast_persist(clast_add(x, clast_int(ctx, 1))));
        clast_scope_end(ctx);
        clast_drop(x);
        x = next;
        ck_assert_double_eq(sum_of(x), N * (double)i);
    }
    ck_assert(is_reused());
    /* Something that takes memory makes other plans, as there is less of it. */
    clast_array *more = clast_keep(clast_persist(filled(N, 1)));
    ck_assert_double_eq(sum_of(x), N * 7.0);
    ck_assert(!is_reused());
    ck_assert_double_eq(sum_of(more), N);
    ck_assert(!is_reused());
    clast_drop(more);
    ck_assert_double_eq(sum_of(x), N * 7.0);
    ck_assert(is_reused());
}
END_TEST

/* Blocks that went to scratch between two runs make it another plan. */
START_TEST(persisted_in_scratch)
{
    clast_close(&ctx);
    ctx = clast_open(&(clast_options){
        .memory = CLAST_MIB(8), .workers = 1, .block = 1 << 18, .scratch = folder});
    const int64_t n = 400000;
    clast_array *x = clast_persist(filled(n, 1));
    ck_assert_double_eq(sum_of(x), n);
    ck_assert_double_eq(sum_of(x), n);
    ck_assert(is_reused());
    clast_array *y = clast_persist(clast_add(filled(3 * n / 2, 1), clast_int(ctx, 1)));
    ck_assert_double_eq(sum_of(y), 3.0 * n);
    ck_assert_double_eq(sum_of(x), n);
    ck_assert(!is_reused());
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}
END_TEST

START_TEST(options)
{
    const cl_tuning tuning = {.has_order = true, .order = CL_ORDER_DEPTH_FIRST};
    do_run(&(asked){PLAIN});
    cl_engine_tune(ctx->engine, &tuning);
    do_run(&(asked){PLAIN});
    ck_assert(!is_reused());
    cl_engine_tune(ctx->engine, &(cl_tuning){0});
    do_run(&(asked){PLAIN});
    ck_assert(is_reused());
}
END_TEST

/* ---- functions of the caller, and runs that end badly */

typedef struct {
    int calls;
    enum { GOES_ON, FAILS, CANCELS } next;
} behaviour;

static clast_status doubled(clast_call *call, void *arg, int nin, const clast_view *in,
                            int nout, clast_buffer *out)
{
    behaviour *b = arg;
    (void)nin, (void)nout;
    __atomic_add_fetch(&b->calls, 1, __ATOMIC_RELAXED);
    if (b->next == FAILS)
        return clast_call_fail(call, "as asked");
    if (b->next == CANCELS)
        clast_cancel(ctx);
    for (int64_t i = 0; i < in->shape[0]; i++)
        ((double *)out->data)[i] = 2 * ((const double *)in->data)[i * in->strides[0]];
    return CLAST_OK;
}

START_TEST(bad_ends)
{
    static const int64_t n = N, chunk = N / 4;
    behaviour b = {0, GOES_ON};
    const clast_map_options o = {
        .name = "doubled", .dtype = CLAST_FLOAT64, .chunk = &chunk};
    const clast_buffer from = {memory, sizeof memory, CLAST_FLOAT64, 1, &n, NULL};
    const clast_buffer into = {result, sizeof result, CLAST_FLOAT64, 1, &n, NULL};
    clast_array *x = clast_borrow(ctx, &from);
    clast_array *y = clast_map(ctx, 1, &x, doubled, &b, &o);
    static const int ends[] = {GOES_ON, FAILS,   GOES_ON, CANCELS,
                               FAILS,   CANCELS, GOES_ON};
    static const clast_status statuses[] = {CLAST_OK, CLAST_EUSER, CLAST_ECANCELED};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        b.next = ends[i];
        memory[N - 1] = (double)i + 0.5;
        ck_assert_int_eq(clast_fetch(y, &into), statuses[b.next]);
        ck_assert(is_reused() == (i > 0));
        if (b.next == GOES_ON)
            ck_assert_double_eq(result[N - 1], 2 * (double)i + 1);
        clast_ctx_clear(ctx);
    }
    /* The same of another function is another plan. */
    b.next = GOES_ON;
    clast_array *z = clast_map(ctx, 1, &x, doubled, &b, &o);
    ck_assert_int_eq(clast_fetch(z, &into), CLAST_OK);
    ck_assert(!is_reused());
}
END_TEST

static clast_array *too_large(void)
{
    const int64_t shape[2] = {1, 12 << 20};
    clast_array *a = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *gram = clast_matmul(a, clast_transpose(a));
    return clast_sum(clast_svd(gram).s, CLAST_ALL);
}

START_TEST(refused)
{
    clast_close(&ctx);
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(1) / 2, .workers = 1});
    double sum = 0;
    const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(clast_fetch(too_large(), &into), CLAST_EBUDGET);
        ck_assert_uint_eq(ctx->plans.count, 0);
        ck_assert_uint_eq(ctx->plans.bytes, 0);
    }
}
END_TEST

/* ---- whose memory it is */

static uint64_t held(void)
{
    return ctx->options.memory - cl_engine_free_bytes(ctx->engine) + ctx->plans.bytes;
}

START_TEST(bounded)
{
    clast_close(&ctx);
    ctx = clast_open(
        &(clast_options){.memory = CLAST_MIB(8), .workers = 1, .block = 4096});
    for (int i = 1; i <= 12; i++) {
        ck_assert_double_eq(sum_of(filled(20000 * i, 1)), 20000.0 * i);
        ck_assert_uint_le(ctx->plans.bytes, CLAST_MIB(8) / 16);
        ck_assert_uint_le(held(), ctx->options.memory);
    }
    ck_assert_uint_gt(ctx->plans.count, 1);
    /* One that is larger than the share is not kept. */
    for (int i = 0; i < 2; i++) {
        sum_of(filled(20000 * 300, 1));
        ck_assert_uint_gt(clast_ctx_stats(ctx).plan_bytes, CLAST_MIB(8) / 16);
        ck_assert(!is_reused());
        ck_assert_uint_le(ctx->plans.bytes, CLAST_MIB(8) / 16);
    }
}
END_TEST

/* What is copied in gets all that is free, plans or not. */
START_TEST(gives_way_to_copies)
{
    do_run(&(asked){PLAIN});
    ck_assert_uint_gt(ctx->plans.bytes, 0);
    const uint64_t free_bytes = cl_engine_free_bytes(ctx->engine);
    ck_assert_uint_gt(free_bytes + ctx->plans.bytes, ctx->options.memory);
    const int64_t n = (int64_t)(free_bytes / 8);
    double *much = calloc((size_t)n, sizeof *much);
    ck_assert_ptr_nonnull(much);
    const clast_buffer from = {much, (size_t)n * 8, CLAST_FLOAT64, 1, &n, NULL};
    clast_scope_begin(ctx);
    clast_array *copy = clast_copy_in(ctx, &from);
    ck_assert_str_eq(clast_error(copy), "");
    ck_assert_uint_eq(ctx->plans.bytes, 0);
    ck_assert_uint_le(held(), ctx->options.memory);
    free(much);
    clast_scope_end(ctx);
    do_run(&(asked){PLAIN});
    ck_assert(!is_reused());
}
END_TEST

/* A run that the budget binds has all of it: it is admitted as with no plan kept. */
START_TEST(gives_way_to_runs)
{
    clast_stats alone, after;
    for (int with_plans = 0; with_plans < 2; with_plans++) {
        clast_close(&ctx);
        ctx = clast_open(&(clast_options){
            .memory = CLAST_MIB(8), .workers = 1, .block = 1 << 16, .scratch = folder});
        for (int i = 0; with_plans && i < 4; i++)
            sum_of(filled(100000 * (i + 1), 1));
        ck_assert_uint_eq(ctx->plans.count > 0, with_plans);
        const int64_t shape[2] = {1024, 1024};
        clast_array *a = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
        clast_array *gram = clast_matmul(a, clast_transpose(a));
        sum_of(clast_add(gram, clast_mean(gram, 0)));
        *(with_plans ? &after : &alone) = clast_ctx_stats(ctx);
        ck_assert_uint_eq(ctx->plans.count, 1); /* its own */
    }
    ck_assert_uint_gt(alone.predicted_spilled, 0);
    ck_assert_uint_eq(after.predicted_spilled, alone.predicted_spilled);
    ck_assert_uint_eq(after.predicted_peak, alone.predicted_peak);
}
END_TEST

/* ---- threads */

static void *fetch_often(void *arg)
{
    clast_array *a = arg;
    double sum = 0;
    const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    for (int i = 0; i < 50; i++)
        if (clast_fetch(a, &into) != CLAST_OK || sum != 2 * N)
            return a;
    return NULL;
}

enum { SIDE = 200 };

/* Runs that fit, but whose workspaces may take all that is left of the budget when many
 * tasks are taken together: what kept plans hold is not theirs. */
START_TEST(beside_workspaces)
{
    static double data[SIDE * SIDE], out[SIDE * SIDE];
    const int64_t shape[2] = {SIDE, SIDE}, across[2] = {1, SIDE};
    const clast_buffer in = {data, sizeof data, CLAST_FLOAT64, 2, shape, across};
    const clast_buffer into = {out, sizeof out, CLAST_FLOAT64, 2, shape, NULL};
    clast_close(&ctx);
    ctx = clast_open(
        &(clast_options){.memory = CLAST_MIB(4), .workers = 2, .block = 1 << 15});
    for (int i = 0; i < SIDE * SIDE; i++)
        data[i] = i;
    clast_array *x = clast_borrow(ctx, &in), *y = x;
    for (int i = 0; i < 7; i++)
        y = clast_copy_in(ctx, &in);
    for (int i = 0; i < 60; i++) {
        clast_scope_begin(ctx);
        clast_array *a = clast_mul(clast_transpose(y), clast_int(ctx, 1 + i % 20));
        a = clast_sub(clast_add(a, x), clast_transpose(a));
        clast_fetch(clast_mul(a, clast_int(ctx, 2)), &into);
        ck_assert_str_eq(clast_ctx_error(ctx), "");
        ck_assert_uint_le(clast_ctx_stats(ctx).peak, CLAST_MIB(4));
        clast_scope_end(ctx);
    }
}
END_TEST

START_TEST(threads)
{
    clast_array *a = clast_sum(filled(N, 2), CLAST_ALL);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, fetch_often, a), 0);
    for (int i = 0; i < 20; i++) {
        double sum[2] = {0, 0};
        clast_run *runs[2];
        for (int k = 0; k < 2; k++) {
            const clast_buffer into = {&sum[k], 8, CLAST_FLOAT64, 0, NULL, NULL};
            const clast_sink sink = clast_sink_fetch(a, &into);
            runs[k] = clast_submit(ctx, 1, &sink);
        }
        clast_drop(filled(N, i)); /* meanwhile */
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(clast_wait(runs[k], -1), CLAST_OK);
            ck_assert_double_eq(sum[k], 2 * N);
            ck_assert(clast_run_stats(runs[k]).plan_reused || i == 0);
            clast_run_close(&runs[k]);
        }
    }
    void *failed = a;
    pthread_join(thread, &failed);
    ck_assert_ptr_null(failed);
    ck_assert_uint_eq(ctx->plans.count, 1);
}
END_TEST

static Suite *plan_cache(void)
{
    Suite *s = suite_create("plan_cache");
    TCase *t = tcase_create("plans");
    tcase_add_checked_fixture(t, open_ctx, close_ctx);
    tcase_add_loop_test(t, same_runs, 0, sizeof pairs / sizeof *pairs);
    tcase_add_test(t, many_plans);
    tcase_add_test(t, files);
    tcase_add_test(t, changed_files);
    tcase_add_test(t, forgotten);
    tcase_add_test(t, persisted);
    tcase_add_test(t, persisted_in_scratch);
    tcase_add_test(t, options);
    tcase_add_test(t, bad_ends);
    tcase_add_test(t, refused);
    tcase_add_test(t, bounded);
    tcase_add_test(t, gives_way_to_copies);
    tcase_add_test(t, gives_way_to_runs);
    tcase_add_test(t, beside_workspaces);
    tcase_add_test(t, threads);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {plan_cache};
    return cl_check_main(suites, 1);
}
