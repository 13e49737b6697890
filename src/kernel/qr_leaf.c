/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QR of a leaf: up to eight columns that lie in the second-level cache.
 *
 * LAPACK takes several passes over all columns for each reflector: a norm, a scaling,
 * products with the columns to the right, an update of these. Here it is one pass for a
 * reflector: while it is applied, the products of the next column with all others are
 * summed. They give that column's norm, and since v = a / (alpha - beta) below the
 * diagonal also the products of its reflector with the columns to its right: v^T b =
 * (a^T b) / (alpha - beta) + b's own element on the diagonal's row.
 *
 * Sums of products overflow and underflow where LAPACK's norms do not. A column whose
 * sums are not well between, zeros and NaN among them, takes LAPACK's way.
 */
#include "kernel/qr_leaf.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

#include "kernel/loops.h"

/* Between these no term of a sum that counts was lost. */
#define LEAST 1e-200
#define MOST  1e200

static bool is_calm(const double *dots, int64_t n)
{
    bool is_between = true;
    for (int64_t k = 0; k < n; k++)
        is_between &= fabs(dots[k]) >= LEAST && fabs(dots[k]) <= MOST;
    return is_between;
}

/* The reflector of the first of n columns, applied to the others; dots: of the column
 * below its first element with all of them, afterwards of the second one likewise. */
static double reflect(const cl_loops *loops, int64_t rows, int64_t n, double *a,
                      int64_t lda, double *dots)
{
    const double alpha = a[0], beta = -copysign(hypot(alpha, sqrt(dots[0])), alpha);
    const double tau = (beta - alpha) / beta, scale = 1 / (alpha - beta);
    double c[CL_QR_LEAF] = {0};
    a[0] = beta;
    for (int64_t k = 1; k < n; k++) {
        c[k - 1] = tau * (a[k * lda] + dots[k] * scale);
        a[k * lda] -= c[k - 1];
    }
    if (n == 1) {
        loops->reflect[0](rows - 1, a + 1, scale, NULL, 0, NULL, NULL);
        return tau;
    }
    /* The second column's own diagonal is no part of its sums. */
    a[1] *= scale;
    for (int64_t k = 1; k < n; k++)
        a[k * lda + 1] -= a[1] * c[k - 1];
    loops->reflect[n - 1](rows - 2, a + 2, scale, a + lda + 2, lda, c, dots);
    return tau;
}

static double reflect_carefully(const cl_loops *loops, int64_t rows, int64_t n,
                                double *a, int64_t lda, double *dots)
{
    double tau;
    const blasint below = (blasint)(rows - 1);
    LAPACKE_dlarfg_work((lapack_int)rows, &a[0], a + 1, 1, &tau);
    for (int64_t k = 1; k < n && tau != 0; k++) {
        double *b = a + k * lda;
        const double c = tau * (b[0] + cblas_ddot(below, a + 1, 1, b + 1, 1));
        b[0] -= c;
        cblas_daxpy(below, -c, a + 1, 1, b + 1, 1);
    }
    if (n > 1)
        loops->products(rows - 2, n - 1, a + lda + 2, lda, dots);
    return tau;
}

void cl_qr_leaf_factor(int64_t rows, int64_t n, double *a, int64_t lda, double *tau)
{
    const cl_loops *const loops = cl_loops_now();
    double dots[CL_QR_LEAF];
    loops->products(rows - 1, n, a + 1, lda, dots);
    for (int64_t j = 0; j < n; j++, a += lda + 1, rows--)
        tau[j] = is_calm(dots, n - j)
                     ? reflect(loops, rows, n - j, a, lda, dots)
                     : reflect_carefully(loops, rows, n - j, a, lda, dots);
}

void cl_qr_leaf_block_factor(int64_t n, const double *tau, const double *gram,
                             int64_t ldg, double *t, int64_t ldt)
{
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i < j; i++) {
            double sum = 0;
            for (int64_t l = i; l < j; l++)
                sum += t[l * ldt + i] * gram[j * ldg + l];
            t[j * ldt + i] = -tau[j] * sum;
        }
        t[j * ldt + j] = tau[j];
    }
}
