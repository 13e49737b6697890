/* SPDX-License-Identifier: BSD-3-Clause */
/** Linear algebra. */
#ifndef CLAST_LINALG_H
#define CLAST_LINALG_H

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Matrix product of 1-D and 2-D operands, as numpy.matmul.
 *
 * @return  (n,)@(n,) is 0-d, (m,k)@(k,n) is (m,n), a 1-D operand loses its axis; dtypes
 *          promote; bool is or-of-ands; integers wrap; NaN propagates; k = 0 gives
 *          zeros; K panels are added in a fixed order, so the bits do not depend on
 *          workers or budget
 * @errors  CLAST_ESHAPE 0-d, more than 2-D, or inner lengths that differ
 * @cost    2mnk operations; bytes read fall with the square root of the budget
 */
CLAST_API clast_array *clast_matmul(clast_array *a, clast_array *b);

/** All three poisoned, or none. */
typedef struct clast_svd_result {
    clast_array *u, *s, *vt;
} clast_svd_result;

/**
 * Reduced singular value decomposition a = u @ diag(s) @ vt of a tall or wide matrix, k
 * = min(m, n).
 *
 * By TSQR (Demmel et al. 2012, direct variant of Benson et al. 2013) over blocks of
 * rows (of columns for a wide one), then the SVD of the k x k factor on one worker.
 * Signs: as LAPACK's, made unique so that the component of largest modulus in each row
 * of vt (the first of equals) is real and positive; of a wide matrix, in each column of
 * u.
 *
 * @return  u (m,k), s (k,) real and descending, vt (k,n); bool and integers are
 *          computed in float64
 * @errors  CLAST_ESHAPE not 2-D or an empty axis; in a run: CLAST_EBUDGET where about 6
 *          k x k matrices and one block of rows do not fit, CLAST_EVALUE a NaN or
 *          infinity in the input, CLAST_EMATH no convergence
 * @cost    s alone: one read, 2mk^2 operations; with u: two reads and about 8mk^2
 */
CLAST_API clast_svd_result clast_svd(clast_array *a);

#ifdef __cplusplus
}
#endif
#endif
