/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QR of a few columns: Q R gives them back and T is what the reflectors make, column by
 * column however large or small these are; bits do not depend on instruction sets.
 */
#include "kernel/qr_leaf.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "kernel/loops.h"
#include "naive.h"

enum { MOST_ROWS = 1003, LD = MOST_ROWS + 5 };

static const int64_t rows_tried[] = {1, 2, 7, 8, 9, 10, 17, 64, 333, MOST_ROWS};

/* What is done to random columns. */
static const struct {
    double scale, step; /* of column k: scale * step^k */
    int zero;           /* this column; -1: none */
    int twin;           /* this column is the first one again; -1: none */
} kinds[] = {{1, 1, -1, -1},      {1e-200, 1, -1, -1}, {1e200, 1, -1, -1},
             {1e-30, 1e8, -1, 3}, {1, 1, 0, -1},       {1, 1, 4, 2},
             {1e-160, 1, 1, -1},  {1e-320, 1, -1, -1}, {1, 1e-40, -1, -1}};

static void fill(uint64_t *seed, size_t kind, int64_t rows, int64_t n, double *a)
{
    double scale = kinds[kind].scale;
    for (int64_t k = 0; k < n; k++, scale *= kinds[kind].step)
        for (int64_t i = 0; i < rows; i++) {
            const double x = (double)naive_below(seed, 2000001) / 1000000 - 1;
            a[k * LD + i] = k == kinds[kind].zero ? 0 : x * scale;
            if (k == kinds[kind].twin)
                a[k * LD + i] = a[i];
        }
}

/* b = (I - tau v v^T) b, v: 1 and what is below the diagonal of column j. */
static void reflect(int64_t rows, const double *a, int64_t j, double tau, double *b)
{
    const double *v = a + j * LD;
    double sum = b[j];
    for (int64_t i = j + 1; i < rows; i++)
        sum += v[i] * b[i];
    b[j] -= tau * sum;
    for (int64_t i = j + 1; i < rows; i++)
        b[i] -= tau * sum * v[i];
}

static void check_columns(int64_t rows, int64_t n, const double *before,
                          const double *a, const double *tau)
{
    double b[MOST_ROWS];
    for (int64_t k = 0; k < n; k++) {
        double largest = DBL_MIN, wrong = 0;
        memset(b, 0, sizeof b);
        memcpy(b, a + k * LD, (size_t)(k + 1) * sizeof *b);
        for (int64_t j = n; j-- > 0;)
            reflect(rows, a, j, tau[j], b);
        for (int64_t i = 0; i < rows; i++) {
            largest = fmax(largest, fabs(before[k * LD + i]));
            wrong = fmax(wrong, fabs(b[i] - before[k * LD + i]));
            ck_assert(i <= k || fabs(a[k * LD + i]) <= 1);
        }
        ck_assert_msg(wrong <= 100 * DBL_EPSILON * largest, "column %d: %g of %g",
                      (int)k, wrong, largest);
    }
}

/* I - V T V^T is the product of the reflectors, on a random vector. */
static void check_block_factor(uint64_t *seed, int64_t rows, int64_t n, const double *a,
                               const double *tau)
{
    double gram[CL_QR_LEAF * CL_QR_LEAF] = {0}, t[CL_QR_LEAF * 16];
    double x[MOST_ROWS], y[MOST_ROWS], w[CL_QR_LEAF], z[CL_QR_LEAF];
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < j; k++) {
            gram[j * n + k] = a[k * LD + j];
            for (int64_t i = j + 1; i < rows; i++)
                gram[j * n + k] += a[j * LD + i] * a[k * LD + i];
        }
    cl_qr_leaf_block_factor(n, tau, gram, n, t, 16);
    for (int64_t i = 0; i < rows; i++)
        x[i] = y[i] = (double)naive_below(seed, 2001) / 1000 - 1;
    for (int64_t j = n; j-- > 0;)
        reflect(rows, a, j, tau[j], x);
    for (int64_t j = 0; j < n; j++) {
        w[j] = y[j];
        for (int64_t i = j + 1; i < rows; i++)
            w[j] += a[j * LD + i] * y[i];
    }
    for (int64_t i = 0; i < n; i++) {
        z[i] = 0;
        for (int64_t j = i; j < n; j++)
            z[i] += t[j * 16 + i] * w[j];
    }
    for (int64_t j = 0; j < n; j++) {
        y[j] -= z[j];
        for (int64_t i = j + 1; i < rows; i++)
            y[i] -= a[j * LD + i] * z[j];
    }
    for (int64_t i = 0; i < rows; i++)
        ck_assert(fabs(x[i] - y[i]) <= 1e-12);
}

START_TEST(gives_columns_back)
{
    uint64_t seed = (uint64_t)_i + 1;
    const size_t bytes = (size_t)LD * CL_QR_LEAF * sizeof(double);
    double *before = cl_calloc(1, bytes), *a = cl_alloc(bytes),
           *first = cl_alloc(bytes);
    double tau[CL_QR_LEAF];
    for (size_t r = 0; r < sizeof rows_tried / sizeof *rows_tried; r++)
        for (int64_t n = 1; n <= CL_QR_LEAF && n <= rows_tried[r]; n++) {
            fill(&seed, (size_t)_i, rows_tried[r], n, before);
            bool is_first = true;
            for (int isa = 0; isa < CL_NISA; isa++) {
                if (!cl_loops_set((cl_isa)isa))
                    continue;
                memcpy(a, before, bytes);
                cl_qr_leaf_factor(rows_tried[r], n, a, LD, tau);
                check_columns(rows_tried[r], n, before, a, tau);
                check_block_factor(&seed, rows_tried[r], n, a, tau);
                if (!is_first)
                    ck_assert_mem_eq(a, first, bytes);
                memcpy(first, a, bytes);
                is_first = false;
            }
        }
    cl_free(before), cl_free(a), cl_free(first);
}
END_TEST

/* What is not a number comes out as such, in its column and all that follow. */
START_TEST(spreads_what_is_no_number)
{
    uint64_t seed = 7;
    const double bad[] = {NAN, INFINITY};
    double *a = cl_calloc((size_t)LD * CL_QR_LEAF, sizeof *a), tau[CL_QR_LEAF];
    fill(&seed, 0, 100, CL_QR_LEAF, a);
    a[2 * LD + 50] = bad[_i];
    cl_qr_leaf_factor(100, CL_QR_LEAF, a, LD, tau);
    ck_assert(isfinite(a[0]) && isfinite(a[LD + 1]));
    for (int k = 2; k < CL_QR_LEAF; k++)
        ck_assert(!isfinite(a[k * LD + k]));
    cl_free(a);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("qr leaf");
    TCase *t = tcase_create("qr leaf");
    tcase_add_loop_test(t, gives_columns_back, 0, sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(t, spreads_what_is_no_number, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
