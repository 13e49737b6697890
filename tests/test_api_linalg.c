/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decompositions and long products through the public interface: residual and
 * orthogonality for every dtype and for shapes from one column to square to wide, and
 * the same bits whatever the memory and the workers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "clast.h"

/* The smallest makes runs drop, recompute and spill. */
static const clast_options setting[] = {
    {.memory = CLAST_MIB(256), .workers = 1, .block = CLAST_KIB(64)},
    {.memory = CLAST_MIB(256), .workers = 3, .block = CLAST_KIB(64)},
    {.memory = CLAST_MIB(2), .workers = 1, .block = CLAST_KIB(64)},
    {.memory = CLAST_MIB(4), .workers = 3, .block = CLAST_KIB(64)},
};
enum { SETTINGS = sizeof setting / sizeof setting[0] };

static const struct {
    int64_t rows, columns;
} size_case[] = {{20000, 20}, {3001, 1}, {120, 119}, {100, 100}, {20, 9000}, {1, 1}};

static const struct {
    clast_dtype dtype;
    double tolerance;
} dtype_case[] = {{CLAST_FLOAT32, 2e-5},
                  {CLAST_FLOAT64, 1e-13},
                  {CLAST_COMPLEX64, 2e-5},
                  {CLAST_COMPLEX128, 1e-13}};
enum { DTYPES = sizeof dtype_case / sizeof dtype_case[0] };

/* rows x columns complex numbers in [-1/2, 1/2) + i [-1/2, 1/2), always the same. */
static double *numbers(int64_t count)
{
    double *x = malloc((size_t)count * 2 * sizeof *x);
    uint64_t state = 1;
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < 2 * count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = (double)(state >> 40) / (1 << 24) - 0.5;
    }
    return x;
}

static clast_array *matrix(clast_ctx *ctx, const double *data, int64_t rows,
                           int64_t columns, clast_dtype dtype)
{
    const int64_t shape[2] = {rows, columns}, real[2] = {2 * columns, 2};
    const bool is_complex = dtype == CLAST_COMPLEX64 || dtype == CLAST_COMPLEX128;
    const size_t bytes = (size_t)(rows * columns) * 2 * sizeof *data;
    const clast_buffer buffer = {(void *)(uintptr_t)data,
                                 is_complex ? bytes : bytes - sizeof *data,
                                 is_complex ? CLAST_COMPLEX128 : CLAST_FLOAT64,
                                 2,
                                 shape,
                                 is_complex ? NULL : real};
    return clast_astype(clast_borrow(ctx, &buffer), dtype);
}

static void *fetched(clast_ctx *ctx, clast_array *a, clast_dtype dtype, size_t *bytes)
{
    size_t n = clast_dtype_size(dtype);
    for (int i = 0; i < clast_ndim(a); i++)
        n *= (size_t)clast_shape(a)[i];
    void *data = malloc(n);
    ck_assert_ptr_nonnull(data);
    const clast_buffer into = {data, n, dtype, clast_ndim(a), clast_shape(a), NULL};
    const clast_status status = clast_fetch(a, &into);
    ck_assert_msg(status == CLAST_OK, "%s", clast_ctx_error(ctx));
    *bytes = n;
    return data;
}

static double largest(clast_ctx *ctx, clast_array *a)
{
    size_t bytes;
    clast_array *const most = clast_max(clast_abs(a), CLAST_ALL);
    double *const at =
        fetched(ctx, clast_astype(most, CLAST_FLOAT64), CLAST_FLOAT64, &bytes);
    const double value = *at;
    free(at);
    return value;
}

/* |q^H q - 1|, q: m x n; of q^T where `by_rows`. */
static double skewness(clast_ctx *ctx, clast_array *q, bool by_rows)
{
    size_t bytes;
    clast_array *const wide = clast_astype(q, CLAST_COMPLEX128);
    double *const z = fetched(ctx, wide, CLAST_COMPLEX128, &bytes);
    const int64_t m = clast_shape(q)[by_rows], n = clast_shape(q)[!by_rows];
    const int64_t down = by_rows ? 1 : n, across = by_rows ? m : 1;
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double re = i == j ? -1 : 0, im = 0;
            for (int64_t l = 0; l < m; l++) {
                const double *const a = z + 2 * (l * down + i * across);
                const double *const b = z + 2 * (l * down + j * across);
                re += a[0] * b[0] + a[1] * b[1];
                im += a[0] * b[1] - a[1] * b[0];
            }
            most = fmax(most, hypot(re, im));
        }
    free(z);
    return most;
}

static void expect_same(void **first, void *data, size_t bytes)
{
    if (*first) {
        ck_assert_int_eq(memcmp(*first, data, bytes), 0);
        free(data);
    } else {
        *first = data;
    }
}

START_TEST(svd)
{
    const int64_t rows = size_case[_i / DTYPES].rows;
    const int64_t columns = size_case[_i / DTYPES].columns;
    const int64_t k = rows < columns ? rows : columns;
    const clast_dtype dtype = dtype_case[_i % DTYPES].dtype;
    const double tolerance = dtype_case[_i % DTYPES].tolerance;
    double *const data = numbers(rows * columns);
    void *first[3] = {NULL, NULL, NULL};
    for (int i = 0; i < SETTINGS; i++) {
        clast_ctx *ctx = clast_open(&setting[i]);
        clast_array *const a = matrix(ctx, data, rows, columns, dtype);
        const clast_svd_result r = clast_svd(a);
        clast_array *const part[3] = {r.u, r.s, r.vt};
        for (int p = 0; p < 3; p++) {
            size_t bytes;
            void *const out = fetched(ctx, part[p], clast_array_dtype(part[p]), &bytes);
            expect_same(&first[p], out, bytes);
        }
        if (i == 0) {
            clast_array *const back = clast_matmul(clast_mul(r.u, r.s), r.vt);
            ck_assert_double_le(largest(ctx, clast_sub(back, a)),
                                tolerance * (double)k);
            ck_assert_double_le(skewness(ctx, r.u, false), tolerance);
            ck_assert_double_le(skewness(ctx, r.vt, true), tolerance);
        }
        clast_close(&ctx);
    }
    for (int p = 0; p < 3; p++)
        free(first[p]);
    free(data);
}
END_TEST

/* K of many panels: chains and the tree that adds them. */
START_TEST(long_product)
{
    enum { ROWS = 20000, COLUMNS = 30 };
    const clast_dtype dtype = dtype_case[_i].dtype;
    double *const data = numbers(ROWS * COLUMNS);
    void *first = NULL;
    for (int i = 0; i < SETTINGS; i++) {
        clast_ctx *ctx = clast_open(&setting[i]);
        clast_array *const a = matrix(ctx, data, ROWS, COLUMNS, dtype);
        size_t bytes;
        clast_array *const gram = clast_matmul(clast_transpose(a), a);
        void *const out = fetched(ctx, gram, dtype, &bytes);
        expect_same(&first, out, bytes);
        clast_close(&ctx);
    }
    free(first);
    free(data);
}
END_TEST

START_TEST(not_finite)
{
    double *const data = numbers(100 * 4);
    data[2 * 77] = _i ? INFINITY : NAN;
    clast_ctx *ctx = clast_open(&setting[0]);
    double s[4];
    const int64_t shape[1] = {4};
    const clast_buffer into = {s, sizeof s, CLAST_FLOAT64, 1, shape, NULL};
    const clast_svd_result r = clast_svd(matrix(ctx, data, 100, 4, CLAST_FLOAT64));
    ck_assert_int_eq(clast_fetch(r.s, &into), CLAST_EVALUE);
    ck_assert_str_eq(clast_ctx_error(ctx), "svd: the matrix has a NaN or an infinity");
    clast_close(&ctx);
    free(data);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("linear algebra");
    TCase *t = tcase_create("linear algebra");
    tcase_add_loop_test(t, svd, 0,
                        (int)(sizeof size_case / sizeof size_case[0]) * DTYPES);
    tcase_add_loop_test(t, long_product, 0, DTYPES);
    tcase_add_loop_test(t, not_finite, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
