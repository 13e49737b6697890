/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What hosts do that was not meant: long chains, much sharing, memory of every stride,
 * scopes in any order, runs cancelled from elsewhere. Tables and a plain loop beside
 * each.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "temp_folder.h"

static clast_ctx *ctx;

static void open_ctx(void)
{
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(128), .workers = 2});
}

static void close_ctx(void)
{
    clast_close(&ctx);
    ck_assert_uint_eq(cl_alloc_live(), 0);
}

/* ---- chains: `steps` times the same step on {1, 2} */

typedef clast_array *step_fn(clast_array *y, clast_array *x, int i);

static clast_array *wide(clast_array *a)
{
    return clast_broadcast_to(a, 2, (const int64_t[]){2, 2});
}

static clast_array *add_one(clast_array *y, clast_array *x, int i)
{
    return clast_add(y, clast_double(ctx, 1));
}

static clast_array *flip(clast_array *y, clast_array *x, int i)
{
    return clast_flip(y, 0);
}

static clast_array *grow_and_shrink(clast_array *y, clast_array *x, int i)
{
    return i % 2 ? clast_squeeze(y, 0) : clast_expand_dims(y, 0);
}

static clast_array *twice(clast_array *y, clast_array *x, int i)
{
    return clast_add(y, y);
}

static clast_array *less_itself(clast_array *y, clast_array *x, int i)
{
    return clast_sub(clast_add(y, y), y);
}

static clast_array *join_and_cut(clast_array *y, clast_array *x, int i)
{
    clast_array *const both[2] = {y, y};
    return clast_slice(clast_concatenate(2, both, 0), 0, 2, CLAST_END, 1);
}

static clast_array *sum_and_spread(clast_array *y, clast_array *x, int i)
{
    return clast_sub(clast_sum(wide(y), 0), y);
}

static clast_array *turn(clast_array *y, clast_array *x, int i)
{
    clast_array *square = clast_reshape(clast_transpose(wide(y)), 1, (int64_t[]){4});
    return clast_slice(square, 0, 0, CLAST_END, 3);
}

static clast_array *recut(clast_array *y, clast_array *x, int i)
{
    return clast_rechunk(y, 1, (const int64_t[]){i % 2 + 1});
}

static clast_array *choose(clast_array *y, clast_array *x, int i)
{
    return clast_where(clast_gt(y, x), y, clast_minimum(x, y));
}

static const struct {
    step_fn *step;
    int steps;
    double first, second;
} chains[] = {
    {add_one, 5000, 5001, 5002},
    {flip, 5001, 2, 1},
    {grow_and_shrink, 5000, 1, 2},
    {twice, 60, 0x1p60, 0x1p61},
    {less_itself, 3000, 1, 2},
    {join_and_cut, 300, 1, 2},
    {sum_and_spread, 300, 1, 2},
    {turn, 200, 1, 2},
    {recut, 300, 1, 2},
    {choose, 1000, 1, 2},
};

START_TEST(long_chains)
{
    double data[2] = {1, 2}, out[2] = {0};
    const int64_t shape[1] = {2};
    const clast_buffer in = {data, sizeof data, CLAST_FLOAT64, 1, shape, NULL};
    const clast_buffer into = {out, sizeof out, CLAST_FLOAT64, 1, shape, NULL};
    clast_array *x = clast_borrow(ctx, &in), *y = x;
    for (int i = 0; i < chains[_i].steps; i++)
        y = chains[_i].step(y, x, i);
    ck_assert_int_eq(clast_fetch(y, &into), CLAST_OK);
    ck_assert_double_eq(out[0], chains[_i].first);
    ck_assert_double_eq(out[1], chains[_i].second);
}
END_TEST

/* ---- memory with strides: element (i, j) of `data` is at i * s0 + j * s1 from
 * origin */

enum { ROWS = 5, COLUMNS = 7, ROOM = 400 };

static const struct {
    int origin, s0, s1;
} layouts[] = {
    {0, COLUMNS, 1},
    {0, 1, ROWS},
    {0, 20, 2},
    {ROOM - 1, -COLUMNS, -1},
    {200, -9, 1},
    {200, 9, -1},
    {0, 0, 0},
    {0, 0, 1},
    {0, 1, 0},
    {0, 1, 1},
    {0, 3, 1},
    {200, -3, 2},
    {ROOM - 1, -1, -ROWS},
    {200, 1, -1},
};

static clast_buffer layout_of(double *data, int i, const int64_t *shape,
                              int64_t *strides)
{
    strides[0] = layouts[i].s0;
    strides[1] = layouts[i].s1;
    size_t span = 1;
    for (int a = 0; a < 2; a++)
        span += (size_t)(shape[a] - 1) *
                (size_t)(strides[a] < 0 ? -strides[a] : strides[a]);
    return (clast_buffer){data + layouts[i].origin,
                          span * sizeof *data,
                          CLAST_FLOAT64,
                          2,
                          shape,
                          strides};
}

static double at(const double *data, int i, int row, int column)
{
    return data[layouts[i].origin + row * layouts[i].s0 + column * layouts[i].s1];
}

START_TEST(strides_of_inputs)
{
    double data[ROOM], out[ROWS][COLUMNS], turned[COLUMNS][ROWS], sums[ROWS];
    const int64_t shape[2] = {ROWS, COLUMNS}, across[2] = {COLUMNS, ROWS};
    int64_t strides[2];
    for (int i = 0; i < ROOM; i++)
        data[i] = i;
    const clast_buffer in = layout_of(data, _i, shape, strides);
    clast_array *const both[2] = {clast_borrow(ctx, &in), clast_copy_in(ctx, &in)};
    for (int k = 0; k < 2; k++) {
        const clast_sink sinks[] = {
            clast_sink_fetch(
                clast_neg(both[k]),
                &(clast_buffer){out, sizeof out, CLAST_FLOAT64, 2, shape, NULL}),
            clast_sink_fetch(
                clast_transpose(both[k]),
                &(clast_buffer){turned, sizeof turned, CLAST_FLOAT64, 2, across, NULL}),
            clast_sink_fetch(
                clast_sum(both[k], 1),
                &(clast_buffer){sums, sizeof sums, CLAST_FLOAT64, 1, shape, NULL}),
        };
        ck_assert_msg(clast_compute(ctx, 3, sinks) == CLAST_OK, "%s",
                      clast_ctx_error(ctx));
        for (int r = 0; r < ROWS; r++) {
            double sum = 0;
            for (int c = 0; c < COLUMNS; c++) {
                const double want = at(data, _i, r, c);
                ck_assert_double_eq(out[r][c], -want);
                ck_assert_double_eq(turned[c][r], want);
                sum += want;
            }
            ck_assert_double_eq(sums[r], sum);
        }
    }
}
END_TEST

/* Outputs of the same layouts: each element once and nothing beside them, or refused
 * because elements overlap. */
START_TEST(strides_of_outputs)
{
    double data[ROOM], want[ROOM];
    const int64_t shape[2] = {ROWS, COLUMNS};
    int64_t strides[2];
    bool overlaps = false;
    for (int i = 0; i < ROOM; i++)
        data[i] = want[i] = -1;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) {
            double *w =
                &want[layouts[_i].origin + r * layouts[_i].s0 + c * layouts[_i].s1];
            overlaps = overlaps || *w != -1;
            *w = r * COLUMNS + c;
        }
    const clast_buffer into = layout_of(data, _i, shape, strides);
    clast_array *a = clast_arange_int(ctx, 0, ROWS * COLUMNS, 1, CLAST_FLOAT64);
    const clast_status status = clast_fetch(clast_reshape(a, 2, shape), &into);
    if (overlaps) {
        ck_assert_int_eq(status, CLAST_EVALUE);
        for (int i = 0; i < ROOM; i++)
            ck_assert_double_eq(data[i], -1);
    } else {
        ck_assert_msg(status == CLAST_OK, "%s", clast_ctx_error(ctx));
        ck_assert_mem_eq(data, want, sizeof data);
    }
}
END_TEST

/* ---- scopes: programs of one letter a step on arrays 'a' and 'b'
 *
 * ( begin, ) end, a and b make, A and B keep, x and y drop, p persist a as a, + makes a
 * from a and b. What is alive at the end is computed. */

static const struct {
    const char *steps;
    double a, b; /* 0: not alive at the end */
} lives[] = {
    {"a", 1, 0},
    {"(a)", 0, 0},
    {"(aA)", 1, 0},
    {"(aAx)", 0, 0},
    {"(aAAx)", 0, 0},
    {"((aA))", 1, 0},
    {"((aA)x)", 0, 0},
    {"(a(b+A))", 3, 0},
    {"a(b+A)", 3, 0},
    {"(aAbB)+", 3, 2},
    {"(aAbB)+xy", 3, 0},
    {"(ap)", 0, 0},
    {"(apA)", 1, 0},
    {"(apAx)", 0, 0},
    {"a(b+pA)", 3, 0},
    {"(a(bB)A)y", 1, 0},
    {"(ap(b+A))", 3, 0},
    {"a(b(+A)B)", 3, 2},
    {"(aAbB)+p(xy)", 0, 0},
};

static clast_array *make(double v)
{
    return clast_add(clast_ones(ctx, 1, (const int64_t[]){3}, CLAST_FLOAT64),
                     clast_double(ctx, v - 1));
}

static double last_of(clast_array *a)
{
    double out[3] = {0};
    const int64_t shape[1] = {3};
    const clast_buffer into = {out, sizeof out, CLAST_FLOAT64, 1, shape, NULL};
    ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
    return out[2];
}

static void live(char step, clast_array **a, clast_array **b)
{
    switch (step) {
    case '(':
        clast_scope_begin(ctx);
        break;
    case ')':
        clast_scope_end(ctx);
        break;
    case 'a':
        *a = make(1);
        break;
    case 'b':
        *b = make(2);
        break;
    case 'A':
        ck_assert_ptr_eq(clast_keep(*a), *a);
        break;
    case 'B':
        ck_assert_ptr_eq(clast_keep(*b), *b);
        break;
    case 'x':
        clast_drop(*a);
        break;
    case 'y':
        clast_drop(*b);
        break;
    case 'p':
        *a = clast_persist(*a);
        break;
    default:
        *a = clast_add(*a, *b);
    }
}

START_TEST(scopes)
{
    clast_array *a = NULL, *b = NULL;
    for (const char *step = lives[_i].steps; *step; step++)
        live(*step, &a, &b);
    ck_assert_str_eq(clast_ctx_error(ctx), "");
    if (lives[_i].a != 0)
        ck_assert_double_eq(last_of(a), lives[_i].a);
    if (lives[_i].b != 0)
        ck_assert_double_eq(last_of(b), lives[_i].b);
}
END_TEST

/* ---- cancelling */

static void *cancel_until(void *done)
{
    while (!__atomic_load_n((bool *)done, __ATOMIC_ACQUIRE))
        clast_cancel(ctx);
    return NULL;
}

/* A run that is cancelled all the time ends; the context is as good as before. */
START_TEST(cancelled_from_another_thread)
{
    pthread_t thread;
    bool is_done = false;
    double sum = 0;
    const int64_t shape[2] = {1500, 1500};
    const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    clast_array *x = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *y = clast_sum(clast_matmul(x, x), CLAST_ALL);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_until, &is_done), 0);
    ck_assert_int_eq(clast_fetch(y, &into), CLAST_ECANCELED);
    __atomic_store_n(&is_done, true, __ATOMIC_RELEASE);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_ECANCELED);
    clast_ctx_clear(ctx);
    clast_cancel(ctx); /* without a run it does nothing */
    ck_assert_int_eq(clast_fetch(clast_mean(x, CLAST_ALL), &into), CLAST_OK);
    ck_assert(sum > 0.49 && sum < 0.51);
}
END_TEST

/* ---- plans that no budget holds */

static void discard(void *arg, const char *text, size_t bytes) {}

START_TEST(endless_plans_are_refused_before_they_are_made)
{
    for (int bits = 46; bits < 62; bits += 3) {
        const int64_t shape[1] = {INT64_C(1) << bits};
        const clast_sink sink = clast_sink_hdf5(clast_ones(ctx, 1, shape, CLAST_INT8),
                                                "never.h5", "/x", NULL);
        const clast_status status = clast_explain(ctx, 1, &sink, discard, NULL);
        ck_assert_msg(status == CLAST_EBUDGET || status == CLAST_ENOTSUP, "2^%d: %s",
                      bits, clast_status_name(status));
        ck_assert_uint_lt(cl_alloc_live(), CLAST_MIB(1));
    }
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof *(rows)))

/* ---- outputs of many chunks */

/* The budget in bytes that would do for an array in chunks of eight numbers. */
static double wanted_budget(int64_t chunks, const clast_hdf5_options *how)
{
    double wanted = 0;
    char unit = ' ';
    const int64_t shape[1] = {8 * chunks};
    clast_ctx *small =
        clast_open(&(clast_options){.memory = CLAST_KIB(64), .workers = 1});
    clast_array *x = clast_ones(small, 1, shape, CLAST_FLOAT64);
    ck_assert_int_eq(clast_to_hdf5(x, "many.h5", "/x", how), CLAST_EBUDGET);
    const char *text = strstr(clast_ctx_error(small), "once; ");
    ck_assert_msg(text && sscanf(text, "once; %lf %ciB would do", &wanted, &unit) == 2,
                  "%s", clast_ctx_error(small));
    clast_close(&small);
    return wanted * (unit == 'K' ? 1024 : 1048576);
}

/* What is kept of a million chunks belongs to what a run needs: a bit each where they
 * lie at known places, eight bytes more where they may have to wait. */
START_TEST(tables_of_outputs_are_in_the_budget)
{
    static const int64_t chunk[1] = {8};
    const clast_hdf5_options stored = {.chunks = chunk, .gzip = 1},
                             plain = {.chunks = chunk, .gzip = -1};
    const double with = wanted_budget(1000000, &stored);
    const double without = wanted_budget(1000000, &plain);
    ck_assert_double_ge(with, 8e6);
    ck_assert_double_ge(with - without, 7.5e6);
    ck_assert_double_ge(without, 1e6 / 8);
}
END_TEST

/* Where the chunks come in the opposite order nearly all of them wait. */
START_TEST(no_more_is_allocated_than_the_budget)
{
    static const int64_t chunk[1] = {8}, shape[1] = {8 * 50000};
    const clast_hdf5_options stored = {
        .chunks = chunk, .gzip = 1, .no_sync = true, .overwrite = true};
    const uint64_t before = cl_alloc_live();
    clast_ctx *small = clast_open(
        &(clast_options){.memory = CLAST_MIB(24), .workers = 2, .block = 4096});
    clast_array *x = clast_flip(clast_ones(small, 1, shape, CLAST_FLOAT64), 0);
    cl_alloc_forget_peak();
    ck_assert_msg(clast_to_hdf5(x, "waiting.h5", "/x", &stored) == CLAST_OK, "%s",
                  clast_ctx_error(small));
    ck_assert_uint_le(cl_alloc_peak() - before, CLAST_MIB(24));
    clast_close(&small);
}
END_TEST

static Suite *limits(void)
{
    Suite *s = suite_create("api_limits");
    TCase *c = tcase_create("limits");
    tcase_add_checked_fixture(c, open_ctx, close_ctx);
    tcase_add_loop_test(c, long_chains, 0, COUNT(chains));
    tcase_add_loop_test(c, strides_of_inputs, 0, COUNT(layouts));
    tcase_add_loop_test(c, strides_of_outputs, 0, COUNT(layouts));
    tcase_add_loop_test(c, scopes, 0, COUNT(lives));
    tcase_add_test(c, cancelled_from_another_thread);
    tcase_add_test(c, endless_plans_are_refused_before_they_are_made);
    suite_add_tcase(s, c);
    TCase *f = tcase_create("files");
    tcase_add_checked_fixture(f, temp_folder_begin, temp_folder_end);
    tcase_add_test(f, tables_of_outputs_are_in_the_budget);
    tcase_add_test(f, no_more_is_allocated_than_the_budget);
    suite_add_tcase(s, f);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {limits};
    return cl_check_main(suites, 1);
}
