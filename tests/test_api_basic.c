/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every public operation on small arrays, against values worked out by hand (or by
 * NumPy 1.24 where its semantics are the point). Values are fetched as complex128,
 * which holds all that the tables hold.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "clast.h"
#include "paper.h"

enum { MOST = 64 };

static clast_ctx *ctx;

static void open_ctx(void)
{
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}

static void close_ctx(void)
{
    clast_close(&ctx);
    ck_assert_ptr_null(ctx);
}

static const char *shape_text(clast_array *a, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < clast_ndim(a); i++)
        n += (size_t)snprintf(text + n, size - n, i ? ",%lld" : "%lld",
                              (long long)clast_shape(a)[i]);
    snprintf(text + n, size - n, ")");
    return text;
}

/* dtype, shape and values (real parts; imaginary ones where `im` is given). */
static void expect_both(int line, clast_array *a, clast_dtype dtype, const char *shape,
                        int n, const double *re, const double *im)
{
    char text[128];
    double got[2 * MOST] = {0};
    ck_assert_msg(clast_array_status(a) == CLAST_OK, "line %d: %s", line,
                  clast_error(a));
    ck_assert_msg(clast_array_dtype(a) == dtype, "line %d: dtype %s", line,
                  clast_dtype_name(clast_array_dtype(a)));
    ck_assert_msg(strcmp(shape_text(a, text, sizeof text), shape) == 0,
                  "line %d: shape %s", line, text);
    const clast_buffer into = {got,           sizeof got,     CLAST_COMPLEX128,
                               clast_ndim(a), clast_shape(a), NULL};
    const clast_status status = clast_fetch(clast_astype(a, CLAST_COMPLEX128), &into);
    ck_assert_msg(status == CLAST_OK, "line %d: %s", line, clast_ctx_error(ctx));
    for (int i = 0; i < n; i++) {
        const bool same = got[2 * i] == re[i] || (isnan(got[2 * i]) && isnan(re[i]));
        ck_assert_msg(same && got[2 * i + 1] == (im ? im[i] : 0),
                      "line %d: element %d is %.17g%+.17gj, not %.17g%+.17gj", line, i,
                      got[2 * i], got[2 * i + 1], re[i], im ? im[i] : 0);
    }
}

#define COUNT(...) (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double))
#define EXPECT(a, dtype, shape, ...)                                                   \
    expect_both(__LINE__, a, dtype, shape, COUNT(__VA_ARGS__),                         \
                (const double[]){__VA_ARGS__}, NULL)
#define EXPECT_EMPTY(a, dtype, shape)                                                  \
    expect_both(__LINE__, a, dtype, shape, 0, NULL, NULL)

/* An array of these values, of shape (rows, columns), or (columns,) for rows 0. */
static clast_array *make(clast_dtype dtype, int rows, int columns, const double *v)
{
    const int64_t shape[2] = {rows ? rows : columns, columns};
    const size_t count = (size_t)(rows ? rows : 1) * (size_t)columns;
    const clast_buffer data = {(void *)(uintptr_t)v,
                               count * sizeof *v,
                               CLAST_FLOAT64,
                               rows ? 2 : 1,
                               shape,
                               NULL};
    return clast_astype(clast_copy_in(ctx, &data), dtype);
}

#define VECTOR(dtype, ...)                                                             \
    make(dtype, 0, COUNT(__VA_ARGS__), (const double[]){__VA_ARGS__})
#define MATRIX(dtype, rows, columns, ...)                                              \
    make(dtype, rows, columns, (const double[]){__VA_ARGS__})

static clast_array *integer(int64_t v)
{
    return clast_int(ctx, v);
}

static clast_array *real(double v)
{
    return clast_double(ctx, v);
}

START_TEST(arithmetic)
{
    clast_array *i = VECTOR(CLAST_INT32, 7, -7, 0), *j = VECTOR(CLAST_INT32, 2, 2, 3);
    clast_array *f = VECTOR(CLAST_FLOAT32, 0.5, -1.5, 4);
    EXPECT(clast_add(i, j), CLAST_INT32, "(3)", 9, -5, 3);
    EXPECT(clast_sub(i, j), CLAST_INT32, "(3)", 5, -9, -3);
    EXPECT(clast_mul(i, j), CLAST_INT32, "(3)", 14, -14, 0);
    EXPECT(clast_div(i, j), CLAST_FLOAT64, "(3)", 3.5, -3.5, 0);
    EXPECT(clast_floordiv(i, j), CLAST_INT32, "(3)", 3, -4, 0);
    EXPECT(clast_mod(i, j), CLAST_INT32, "(3)", 1, 1, 0);
    EXPECT(clast_floordiv(i, integer(0)), CLAST_INT32, "(3)", 0, 0, 0);
    EXPECT(clast_pow(j, integer(3)), CLAST_INT32, "(3)", 8, 8, 27);
    EXPECT(clast_neg(f), CLAST_FLOAT32, "(3)", -0.5, 1.5, -4);
    EXPECT(clast_abs(f), CLAST_FLOAT32, "(3)", 0.5, 1.5, 4);
    EXPECT(clast_add(f, real(1)), CLAST_FLOAT32, "(3)", 1.5, -0.5, 5);
    EXPECT(clast_add(i, real(0.5)), CLAST_FLOAT64, "(3)", 7.5, -6.5, 0.5);
    EXPECT(clast_add(i, f), CLAST_FLOAT64, "(3)", 7.5, -8.5, 4);
    EXPECT(clast_minimum(i, j), CLAST_INT32, "(3)", 2, -7, 0);
    EXPECT(clast_maximum(f, real(NAN)), CLAST_FLOAT32, "(3)", NAN, NAN, NAN);
    EXPECT(clast_sqrt(VECTOR(CLAST_INT64, 4, 9)), CLAST_FLOAT64, "(2)", 2, 3);
    EXPECT(clast_sqrt(VECTOR(CLAST_INT8, 4, 9)), CLAST_FLOAT32, "(2)", 2, 3);
    EXPECT(clast_exp(VECTOR(CLAST_FLOAT64, 0)), CLAST_FLOAT64, "(1)", 1);
    EXPECT(clast_log(VECTOR(CLAST_FLOAT64, 1)), CLAST_FLOAT64, "(1)", 0);
    EXPECT(clast_sin(VECTOR(CLAST_FLOAT64, 0)), CLAST_FLOAT64, "(1)", 0);
    EXPECT(clast_cos(VECTOR(CLAST_FLOAT64, 0)), CLAST_FLOAT64, "(1)", 1);
}
END_TEST

START_TEST(bools_and_bits)
{
    clast_array *b = VECTOR(CLAST_BOOL, 1, 0, 1), *c = VECTOR(CLAST_BOOL, 1, 1, 0);
    clast_array *i = VECTOR(CLAST_UINT8, 12, 10, 255);
    EXPECT(clast_add(b, c), CLAST_BOOL, "(3)", 1, 1, 1);
    EXPECT(clast_mul(b, c), CLAST_BOOL, "(3)", 1, 0, 0);
    EXPECT(clast_div(b, VECTOR(CLAST_BOOL, 1, 1, 1)), CLAST_FLOAT64, "(3)", 1, 0, 1);
    EXPECT(clast_pow(b, c), CLAST_INT8, "(3)", 1, 0, 1);
    EXPECT(clast_add(b, integer(2)), CLAST_INT64, "(3)", 3, 2, 3);
    EXPECT(clast_and(b, c), CLAST_BOOL, "(3)", 1, 0, 0);
    EXPECT(clast_or(i, integer(1)), CLAST_UINT8, "(3)", 13, 11, 255);
    EXPECT(clast_xor(i, integer(8)), CLAST_UINT8, "(3)", 4, 2, 247);
    EXPECT(clast_invert(i), CLAST_UINT8, "(3)", 243, 245, 0);
    EXPECT(clast_invert(b), CLAST_BOOL, "(3)", 0, 1, 0);
    EXPECT(clast_where(b, i, integer(7)), CLAST_UINT8, "(3)", 12, 7, 255);
    EXPECT(clast_where(VECTOR(CLAST_FLOAT64, 0, NAN, 2), real(1.5), integer(7)),
           CLAST_FLOAT64, "(3)", 7, 1.5, 1.5);
}
END_TEST

START_TEST(comparisons)
{
    clast_array *u = VECTOR(CLAST_UINT8, 0, 5, 255);
    EXPECT(clast_lt(u, integer(5)), CLAST_BOOL, "(3)", 1, 0, 0);
    EXPECT(clast_le(u, integer(5)), CLAST_BOOL, "(3)", 1, 1, 0);
    EXPECT(clast_gt(u, integer(5)), CLAST_BOOL, "(3)", 0, 0, 1);
    EXPECT(clast_ge(u, integer(5)), CLAST_BOOL, "(3)", 0, 1, 1);
    EXPECT(clast_eq(u, integer(5)), CLAST_BOOL, "(3)", 0, 1, 0);
    EXPECT(clast_ne(u, integer(5)), CLAST_BOOL, "(3)", 1, 0, 1);
    /* beyond the dtype: constant answers */
    EXPECT(clast_lt(u, integer(300)), CLAST_BOOL, "(3)", 1, 1, 1);
    EXPECT(clast_ge(u, integer(300)), CLAST_BOOL, "(3)", 0, 0, 0);
    EXPECT(clast_gt(u, integer(-1)), CLAST_BOOL, "(3)", 1, 1, 1);
    EXPECT(clast_eq(u, integer(-1)), CLAST_BOOL, "(3)", 0, 0, 0);
    EXPECT(clast_ne(u, integer(-1)), CLAST_BOOL, "(3)", 1, 1, 1);
    EXPECT(clast_lt(integer(300), u), CLAST_BOOL, "(3)", 0, 0, 0);
    EXPECT(clast_gt(integer(300), u), CLAST_BOOL, "(3)", 1, 1, 1);
    EXPECT(clast_lt(integer(-1), u), CLAST_BOOL, "(3)", 1, 1, 1);
}
END_TEST

/* Operators on weak scalars alone are Python's. */
START_TEST(weak_scalars)
{
    clast_array *yes = clast_bool(ctx, true);
    EXPECT(clast_add(yes, yes), CLAST_INT64, "()", 2);
    EXPECT(clast_div(integer(7), integer(2)), CLAST_FLOAT64, "()", 3.5);
    EXPECT(clast_floordiv(integer(-7), integer(2)), CLAST_INT64, "()", -4);
    EXPECT(clast_mod(integer(-7), integer(2)), CLAST_INT64, "()", 1);
    EXPECT(clast_floordiv(real(-7.5), integer(2)), CLAST_FLOAT64, "()", -4);
    EXPECT(clast_mod(real(-7.5), integer(2)), CLAST_FLOAT64, "()", 0.5);
    EXPECT(clast_pow(integer(2), integer(10)), CLAST_INT64, "()", 1024);
    EXPECT(clast_pow(integer(2), integer(-1)), CLAST_FLOAT64, "()", 0.5);
    EXPECT(clast_neg(yes), CLAST_INT64, "()", -1);
    EXPECT(clast_invert(yes), CLAST_INT64, "()", -2);
    EXPECT(clast_and(yes, yes), CLAST_BOOL, "()", 1);
    EXPECT(clast_abs(clast_complex(ctx, 3, -4)), CLAST_FLOAT64, "()", 5);
    EXPECT(clast_eq(integer(INT64_C(9007199254740993)), real(9007199254740992.0)),
           CLAST_BOOL, "()", 0);
    EXPECT(clast_lt(real(0.5), integer(1)), CLAST_BOOL, "()", 1);
    /* a weak result stays weak */
    EXPECT(clast_add(VECTOR(CLAST_FLOAT32, 1), clast_add(real(1), integer(1))),
           CLAST_FLOAT32, "(1)", 3);
    const double re = -5, im = 10;
    expect_both(__LINE__, clast_mul(clast_complex(ctx, 1, 2), clast_complex(ctx, 3, 4)),
                CLAST_COMPLEX128, "()", 1, &re, &im);
}
END_TEST

START_TEST(broadcasting)
{
    clast_array *row = VECTOR(CLAST_INT16, 1, 2, 3);
    clast_array *column = MATRIX(CLAST_INT16, 2, 1, 10, 20);
    EXPECT(clast_add(row, column), CLAST_INT16, "(2,3)", 11, 12, 13, 21, 22, 23);
    EXPECT(clast_broadcast_to(row, 2, (int64_t[]){2, 3}), CLAST_INT16, "(2,3)", 1, 2, 3,
           1, 2, 3);
    EXPECT_EMPTY(clast_add(column, clast_zeros(ctx, 2, (int64_t[]){2, 0}, CLAST_INT8)),
                 CLAST_INT16, "(2,0)");
}
END_TEST

START_TEST(creation)
{
    EXPECT(clast_zeros(ctx, 1, (int64_t[]){2}, CLAST_BOOL), CLAST_BOOL, "(2)", 0, 0);
    EXPECT(clast_ones(ctx, 1, (int64_t[]){2}, CLAST_COMPLEX64), CLAST_COMPLEX64, "(2)",
           1, 1);
    EXPECT(clast_full(ctx, 1, (int64_t[]){2}, real(2.75), CLAST_INT8), CLAST_INT8,
           "(2)", 2, 2);
    EXPECT(clast_arange(ctx, 1, 2, 0.25, CLAST_FLOAT64), CLAST_FLOAT64, "(4)", 1, 1.25,
           1.5, 1.75);
    EXPECT(clast_arange_int(ctx, 5, -2, -3, CLAST_INT32), CLAST_INT32, "(3)", 5, 2, -1);
    EXPECT_EMPTY(clast_arange_int(ctx, 5, 5, 1, CLAST_INT32), CLAST_INT32, "(0)");
    EXPECT(clast_astype(VECTOR(CLAST_INT32, 300, -1), CLAST_UINT8), CLAST_UINT8, "(2)",
           44, 255);
    clast_array *u = clast_random(ctx, 1, (int64_t[]){1000}, 1, CLAST_FLOAT64);
    EXPECT(clast_all(clast_and(clast_ge(u, integer(0)), clast_lt(u, integer(1))),
                     CLAST_ALL),
           CLAST_BOOL, "()", 1);
}
END_TEST

START_TEST(reductions)
{
    clast_array *a = MATRIX(CLAST_FLOAT32, 2, 3, 3, 1, 2, 6, 5, 4);
    clast_array *i = MATRIX(CLAST_INT8, 2, 2, 100, 100, 1, 2);
    EXPECT(clast_sum(a, CLAST_ALL), CLAST_FLOAT32, "()", 21);
    EXPECT(clast_sum(a, 0), CLAST_FLOAT32, "(3)", 9, 6, 6);
    EXPECT(clast_sum(a, -1), CLAST_FLOAT32, "(2)", 6, 15);
    EXPECT(clast_sum(i, 1), CLAST_INT64, "(2)", 200, 3);
    EXPECT(clast_mean(i, 1), CLAST_FLOAT64, "(2)", 100, 1.5);
    EXPECT(clast_mean(a, 1), CLAST_FLOAT32, "(2)", 2, 5);
    EXPECT(clast_var(i, 1), CLAST_FLOAT64, "(2)", 0, 0.25);
    EXPECT(clast_std(i, 1), CLAST_FLOAT64, "(2)", 0, 0.5);
    EXPECT(clast_min(a, 1), CLAST_FLOAT32, "(2)", 1, 4);
    EXPECT(clast_max(a, 0), CLAST_FLOAT32, "(3)", 6, 5, 4);
    EXPECT(clast_argmin(a, 1), CLAST_INT64, "(2)", 1, 2);
    EXPECT(clast_argmax(a, CLAST_ALL), CLAST_INT64, "()", 3);
    EXPECT(clast_any(clast_gt(a, integer(5)), 1), CLAST_BOOL, "(2)", 0, 1);
    EXPECT(clast_all(clast_gt(a, integer(3)), 1), CLAST_BOOL, "(2)", 0, 1);
    const int both[2] = {1, 0};
    EXPECT(clast_reduce(
               a, CLAST_SUM,
               &(clast_reduce_options){.naxes = 2, .axes = both, .keepdims = true}),
           CLAST_FLOAT32, "(1,1)", 21);
    EXPECT(clast_reduce(i, CLAST_VAR,
                        &(clast_reduce_options){
                            .naxes = 1, .axes = both, .keepdims = true, .ddof = 1}),
           CLAST_FLOAT64, "(2,1)", 0, 0.5);
    /* no axes: each element for itself */
    EXPECT(
        clast_reduce(i, CLAST_SUM, &(clast_reduce_options){.naxes = 0, .axes = both}),
        CLAST_INT64, "(2,2)", 100, 100, 1, 2);
    EXPECT(
        clast_reduce(i, CLAST_STD, &(clast_reduce_options){.naxes = 0, .axes = both}),
        CLAST_FLOAT64, "(2,2)", 0, 0, 0, 0);
    EXPECT(clast_sum(real(2.5), CLAST_ALL), CLAST_FLOAT64, "()", 2.5);
    EXPECT(clast_argmax(integer(3), CLAST_ALL), CLAST_INT64, "()", 0);
    /* empty ones */
    clast_array *e = clast_zeros(ctx, 2, (int64_t[]){0, 2}, CLAST_FLOAT64);
    EXPECT(clast_sum(e, 0), CLAST_FLOAT64, "(2)", 0, 0);
    EXPECT(clast_mean(e, 0), CLAST_FLOAT64, "(2)", NAN, NAN);
    EXPECT(clast_all(e, 0), CLAST_BOOL, "(2)", 1, 1);
    EXPECT_EMPTY(clast_max(e, 1), CLAST_FLOAT64, "(0)");
}
END_TEST

START_TEST(reductions_without_nan)
{
    clast_array *a =
        MATRIX(CLAST_FLOAT32, 3, 3, 3, NAN, 1, NAN, NAN, NAN, -INFINITY, 5, NAN);
    EXPECT(clast_nansum(a, 1), CLAST_FLOAT32, "(3)", 4, 0, -INFINITY);
    EXPECT(clast_nansum(a, CLAST_ALL), CLAST_FLOAT32, "()", -INFINITY);
    EXPECT(clast_nanmean(a, 1), CLAST_FLOAT32, "(3)", 2, NAN, -INFINITY);
    EXPECT(clast_nanvar(a, 1), CLAST_FLOAT32, "(3)", 1, NAN, NAN);
    EXPECT(clast_nanstd(a, 1), CLAST_FLOAT32, "(3)", 1, NAN, NAN);
    EXPECT(clast_nanmin(a, 0), CLAST_FLOAT32, "(3)", -INFINITY, 5, 1);
    EXPECT(clast_nanmax(a, -1), CLAST_FLOAT32, "(3)", 3, NAN, 5);
    EXPECT(clast_nanargmin(a, 1), CLAST_INT64, "(3)", 2, -1, 0);
    EXPECT(clast_nanargmax(a, 0), CLAST_INT64, "(3)", 0, 2, 0);
    EXPECT(clast_nanargmax(a, CLAST_ALL), CLAST_INT64, "()", 7);
    const int axes[2] = {1, 0};
    EXPECT(clast_reduce(a, CLAST_NANVAR,
                        &(clast_reduce_options){
                            .naxes = 1, .axes = axes, .keepdims = true, .ddof = 1}),
           CLAST_FLOAT32, "(3,1)", 2, NAN, NAN);
    /* no axes: each element for itself */
    clast_array *v = VECTOR(CLAST_FLOAT64, 2, NAN);
    const clast_reduce_options none = {.naxes = 0, .axes = axes};
    EXPECT(clast_reduce(v, CLAST_NANSUM, &none), CLAST_FLOAT64, "(2)", 2, 0);
    EXPECT(clast_reduce(v, CLAST_NANMEAN, &none), CLAST_FLOAT64, "(2)", 2, NAN);
    EXPECT(clast_reduce(v, CLAST_NANVAR, &none), CLAST_FLOAT64, "(2)", 0, NAN);
    EXPECT(clast_reduce(v, CLAST_NANMAX, &none), CLAST_FLOAT64, "(2)", 2, NAN);
    EXPECT(clast_nansum(real(NAN), CLAST_ALL), CLAST_FLOAT64, "()", 0);
    EXPECT(clast_nanargmin(real(NAN), CLAST_ALL), CLAST_INT64, "()", -1);
    /* bool and integers have none: as without */
    clast_array *i = MATRIX(CLAST_INT8, 2, 2, 100, 100, 1, 2);
    EXPECT(clast_nansum(i, 1), CLAST_INT64, "(2)", 200, 3);
    EXPECT(clast_nanmean(i, 1), CLAST_FLOAT64, "(2)", 100, 1.5);
    EXPECT(clast_nanmin(clast_gt(i, integer(50)), 1), CLAST_BOOL, "(2)", 1, 0);
    EXPECT(clast_nanargmax(i, 0), CLAST_INT64, "(2)", 0, 0);
    EXPECT(clast_nansum(integer(3), CLAST_ALL), CLAST_INT64, "()", 3);
    /* complex: a number is NaN if either part is */
    clast_array *z = clast_add(
        VECTOR(CLAST_COMPLEX64, 1, NAN, 3, 5),
        clast_mul(clast_complex(ctx, 0, 1), VECTOR(CLAST_FLOAT32, 1, 1, 0, 7)));
    clast_array *gap = clast_where(clast_eq(z, clast_complex(ctx, 5, 7)),
                                   clast_complex(ctx, 9, NAN), z);
    expect_both(__LINE__, clast_nansum(gap, 0), CLAST_COMPLEX64, "()", 1,
                (const double[]){4}, (const double[]){1});
    expect_both(__LINE__, clast_nanmean(gap, 0), CLAST_COMPLEX64, "()", 1,
                (const double[]){2}, (const double[]){0.5});
    EXPECT(clast_nanvar(gap, 0), CLAST_FLOAT32, "()", 1.25);
    EXPECT(clast_nanmax(gap, 0), CLAST_COMPLEX64, "()", 3);
    EXPECT(clast_nanargmax(gap, 0), CLAST_INT64, "()", 2);
    /* empty ones */
    clast_array *e = clast_zeros(ctx, 2, (int64_t[]){0, 2}, CLAST_FLOAT64);
    EXPECT(clast_nansum(e, 0), CLAST_FLOAT64, "(2)", 0, 0);
    EXPECT(clast_nanstd(e, 0), CLAST_FLOAT64, "(2)", NAN, NAN);
    EXPECT_EMPTY(clast_nanmax(e, 1), CLAST_FLOAT64, "(0)");
}
END_TEST

START_TEST(views)
{
    clast_array *a = MATRIX(CLAST_INT32, 2, 3, 0, 1, 2, 3, 4, 5);
    EXPECT(clast_transpose(a), CLAST_INT32, "(3,2)", 0, 3, 1, 4, 2, 5);
    EXPECT(clast_permute(a, 2, (int[]){1, 0}), CLAST_INT32, "(3,2)", 0, 3, 1, 4, 2, 5);
    EXPECT(clast_swapaxes(a, 0, -1), CLAST_INT32, "(3,2)", 0, 3, 1, 4, 2, 5);
    EXPECT(clast_flip(a, 1), CLAST_INT32, "(2,3)", 2, 1, 0, 5, 4, 3);
    EXPECT(clast_flip(a, CLAST_ALL), CLAST_INT32, "(2,3)", 5, 4, 3, 2, 1, 0);
    EXPECT(clast_slice(a, 1, CLAST_END, CLAST_END, -2), CLAST_INT32, "(2,2)", 2, 0, 5,
           3);
    EXPECT(clast_slice(a, 1, -2, CLAST_END, 1), CLAST_INT32, "(2,2)", 1, 2, 4, 5);
    EXPECT(clast_expand_dims(a, 1), CLAST_INT32, "(2,1,3)", 0, 1, 2, 3, 4, 5);
    EXPECT(clast_squeeze(clast_expand_dims(a, 0), 0), CLAST_INT32, "(2,3)", 0, 1, 2, 3,
           4, 5);
    EXPECT(clast_reshape(a, 1, (int64_t[]){-1}), CLAST_INT32, "(6)", 0, 1, 2, 3, 4, 5);
    EXPECT(clast_reshape(clast_transpose(a), 2, (int64_t[]){2, -1}), CLAST_INT32,
           "(2,3)", 0, 3, 1, 4, 2, 5);
    EXPECT(clast_reshape(a, 3, (int64_t[]){2, 1, 3}), CLAST_INT32, "(2,1,3)", 0, 1, 2,
           3, 4, 5);
    EXPECT(clast_rechunk(a, 2, (int64_t[]){1, 2}), CLAST_INT32, "(2,3)", 0, 1, 2, 3, 4,
           5);
    clast_array *const parts[3] = {a, clast_slice(a, 0, 0, 0, 1),
                                   MATRIX(CLAST_FLOAT64, 1, 3, 7, 8, 9)};
    EXPECT(clast_concatenate(3, parts, 0), CLAST_FLOAT64, "(3,3)", 0, 1, 2, 3, 4, 5, 7,
           8, 9);
    clast_array *const pair[2] = {VECTOR(CLAST_INT8, 1, 2), VECTOR(CLAST_INT8, 3, 4)};
    EXPECT(clast_stack(2, pair, -1), CLAST_INT8, "(2,2)", 1, 3, 2, 4);
    EXPECT(clast_stack(2, pair, 0), CLAST_INT8, "(2,2)", 1, 2, 3, 4);
}
END_TEST

START_TEST(indices)
{
    clast_array *a = MATRIX(CLAST_INT32, 2, 3, 0, 1, 2, 3, 4, 5);
    EXPECT(clast_index(a, "1"), CLAST_INT32, "(3)", 3, 4, 5);
    EXPECT(clast_index(a, "-1, 2"), CLAST_INT32, "()", 5);
    EXPECT(clast_index(a, "..., ::2"), CLAST_INT32, "(2,2)", 0, 2, 3, 5);
    EXPECT(clast_index(a, " :, None, 2:0:-1 ,"), CLAST_INT32, "(2,1,2)", 2, 1, 5, 4);
    EXPECT(clast_index(a, "newaxis, 0, ..."), CLAST_INT32, "(1,3)", 0, 1, 2);
    EXPECT_EMPTY(clast_index(a, "5:, :"), CLAST_INT32, "(0,3)");
    EXPECT(clast_index(a, "-100:100"), CLAST_INT32, "(2,3)", 0, 1, 2, 3, 4, 5);
    EXPECT(clast_index(integer(4), "None"), CLAST_INT64, "(1)", 4);
}
END_TEST

START_TEST(products)
{
    clast_array *a = MATRIX(CLAST_FLOAT64, 2, 3, 1, 2, 3, 4, 5, 6);
    clast_array *v = VECTOR(CLAST_FLOAT32, 1, 0, -1), *w = VECTOR(CLAST_INT32, 1, 2);
    EXPECT(clast_matmul(a, clast_transpose(a)), CLAST_FLOAT64, "(2,2)", 14, 32, 32, 77);
    EXPECT(clast_matmul(a, v), CLAST_FLOAT64, "(2)", -2, -2);
    EXPECT(clast_matmul(w, a), CLAST_FLOAT64, "(3)", 9, 12, 15);
    EXPECT(clast_matmul(v, v), CLAST_FLOAT32, "()", 2);
    EXPECT(clast_matmul(w, w), CLAST_INT32, "()", 5);
    clast_array *e = clast_zeros(ctx, 2, (int64_t[]){2, 0}, CLAST_FLOAT64);
    EXPECT(clast_matmul(e, clast_transpose(e)), CLAST_FLOAT64, "(2,2)", 0, 0, 0, 0);
}
END_TEST

/* max |a - u diag(s) vt| and the shapes, for a tall and a wide matrix. */
START_TEST(decompositions)
{
    clast_array *tall = MATRIX(CLAST_FLOAT64, 3, 2, 1, 2, 3, 4, 5, 7);
    clast_array *both[2] = {tall, clast_transpose(tall)};
    for (int i = 0; i < 2; i++) {
        const clast_svd_result r = clast_svd(both[i]);
        clast_array *back = clast_matmul(clast_mul(r.u, r.s), r.vt);
        clast_array *worst = clast_max(clast_abs(clast_sub(back, both[i])), CLAST_ALL);
        EXPECT(clast_lt(worst, real(1e-14)), CLAST_BOOL, "()", 1);
        ck_assert_int_eq(clast_shape(r.s)[0], 2);
        EXPECT(clast_gt(clast_index(r.s, "0"), clast_index(r.s, "1")), CLAST_BOOL, "()",
               1);
    }
}
END_TEST

START_TEST(memory)
{
    double data[2][4] = {{0, 1, 2, 3}, {4, 5, 6, 7}};
    const int64_t shape[2] = {2, 2}, strides[2] = {4, -2};
    const clast_buffer reversed = {
        &data[0][2], sizeof data - sizeof **data, CLAST_FLOAT64, 2, shape, strides};
    clast_array *copied = clast_copy_in(ctx, &reversed);
    clast_array *borrowed = clast_borrow(ctx, &reversed);
    EXPECT(copied, CLAST_FLOAT64, "(2,2)", 2, 0, 6, 4);
    EXPECT(borrowed, CLAST_FLOAT64, "(2,2)", 2, 0, 6, 4);
    data[0][2] = 9;
    EXPECT(copied, CLAST_FLOAT64, "(2,2)", 2, 0, 6, 4);
    EXPECT(borrowed, CLAST_FLOAT64, "(2,2)", 9, 0, 6, 4);
    /* into Fortran order */
    double out[6] = {0};
    const int64_t into_shape[2] = {2, 3}, fortran[2] = {1, 2};
    const clast_buffer into = {out, sizeof out, CLAST_FLOAT64, 2, into_shape, fortran};
    ck_assert_int_eq(clast_fetch(MATRIX(CLAST_FLOAT64, 2, 3, 1, 2, 3, 4, 5, 6), &into),
                     CLAST_OK);
    const double wanted[6] = {1, 4, 2, 5, 3, 6};
    ck_assert_mem_eq(out, wanted, sizeof out);
}
END_TEST

START_TEST(persisting)
{
    clast_array *x = clast_random(ctx, 2, (int64_t[]){50, 40}, 3, CLAST_FLOAT64);
    clast_array *p = clast_persist(x);
    ck_assert_str_eq(clast_error(p), "");
    EXPECT(clast_all(clast_eq(p, x), CLAST_ALL), CLAST_BOOL, "()", 1);
    clast_array *twice = clast_mul(p, integer(2));
    clast_drop(p);
    EXPECT(clast_all(clast_eq(twice, clast_add(x, x)), CLAST_ALL), CLAST_BOOL, "()", 1);
    clast_array *gap = clast_persist(MATRIX(CLAST_FLOAT64, 2, 2, 1, NAN, NAN, 5));
    EXPECT(clast_nanmean(gap, CLAST_ALL), CLAST_FLOAT64, "()", 3);
    EXPECT(clast_sub(gap, clast_nanmax(gap, 0)), CLAST_FLOAT64, "(2,2)", 0, NAN, NAN,
           0);
}
END_TEST

START_TEST(files)
{
    char file[] = "/tmp/clast-test-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(file));
    snprintf(path, sizeof path, "%s/a.h5", file);
    clast_array *a = MATRIX(CLAST_FLOAT32, 2, 3, 0, 1, 2, 3, 4, 5);
    const int64_t chunks[2] = {1, -1};
    const clast_hdf5_options packed = {.chunks = chunks, .gzip = 4};
    ck_assert_int_eq(clast_to_hdf5(a, path, "/g/a", &packed), CLAST_OK);
    clast_array *b = clast_from_hdf5(ctx, path, "/g/a");
    EXPECT(b, CLAST_FLOAT32, "(2,3)", 0, 1, 2, 3, 4, 5);
    /* a second dataset, read from and written to the same file */
    ck_assert_int_eq(clast_to_hdf5(clast_add(b, integer(1)), path, "/b", NULL),
                     CLAST_OK);
    EXPECT(clast_from_hdf5(ctx, path, "/b"), CLAST_FLOAT32, "(2,3)", 1, 2, 3, 4, 5, 6);
    ck_assert_int_eq(clast_to_hdf5(b, path, "/b", NULL), CLAST_EEXIST);
    /* the dataset itself, with overwrite */
    clast_array *c = clast_from_hdf5(ctx, path, "/g/a");
    const clast_hdf5_options over = {.overwrite = true};
    ck_assert_int_eq(clast_to_hdf5(clast_mul(c, integer(10)), path, "/g/a", &over),
                     CLAST_OK);
    EXPECT(clast_from_hdf5(ctx, path, "/g/a"), CLAST_FLOAT32, "(2,3)", 0, 10, 20, 30,
           40, 50);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(file), 0);
}
END_TEST

START_TEST(explaining)
{
    paper p = {.n = 0};
    double out;
    const clast_buffer into = {&out, sizeof out, CLAST_FLOAT64, 0, NULL, NULL};
    const clast_sink sink = clast_sink_fetch(
        clast_sum(clast_ones(ctx, 2, (int64_t[]){100, 100}, CLAST_FLOAT64), CLAST_ALL),
        &into);
    ck_assert_int_eq(clast_explain(ctx, 1, &sink, paper_note, &p), CLAST_OK);
    ck_assert_ptr_nonnull(strstr(p.text, "predicted peak"));
    ck_assert_int_eq(clast_compute(ctx, 1, &sink), CLAST_OK);
    ck_assert_double_eq(out, 10000);
    ck_assert(clast_ctx_stats(ctx).tasks > 0);
    ck_assert_int_eq(clast_ctx_stats(ctx).memory, CLAST_MIB(64));
}
END_TEST

static Suite *basic(void)
{
    Suite *s = suite_create("api_basic");
    const struct {
        const char *name;
        const TTest *test;
    } cases[] = {
        {"arithmetic", arithmetic},
        {"bools_and_bits", bools_and_bits},
        {"comparisons", comparisons},
        {"weak_scalars", weak_scalars},
        {"broadcasting", broadcasting},
        {"creation", creation},
        {"reductions", reductions},
        {"reductions_without_nan", reductions_without_nan},
        {"views", views},
        {"indices", indices},
        {"products", products},
        {"decompositions", decompositions},
        {"memory", memory},
        {"persisting", persisting},
        {"files", files},
        {"explaining", explaining},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TCase *c = tcase_create(cases[i].name);
        tcase_add_checked_fixture(c, open_ctx, close_ctx);
        tcase_add_test(c, cases[i].test);
        suite_add_tcase(s, c);
    }
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {basic};
    return cl_check_main(suites, 1);
}
