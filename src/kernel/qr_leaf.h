/* SPDX-License-Identifier: BSD-3-Clause */
/* Householder QR of a few tall columns, in as few passes over them as there are. */
#ifndef CL_KERNEL_QR_LEAF_H
#define CL_KERNEL_QR_LEAF_H

#include <stdint.h>

#define CL_QR_LEAF 8 /* columns, at most */

/* Factors rows x n, rows >= n, column-major, in place: R on and above the diagonal, the
 * reflectors below it, their factors in tau (as LAPACK's ?geqr2). */
void cl_qr_leaf_factor(int64_t rows, int64_t n, double *a, int64_t lda, double *tau);

/* T of these reflectors (Schreiber & Van Loan), upper triangle, from the products of
 * all pairs of them. */
void cl_qr_leaf_block_factor(int64_t n, const double *tau, const double *gram,
                             int64_t ldg, double *t, int64_t ldt);

#endif
