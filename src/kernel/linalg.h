/* SPDX-License-Identifier: BSD-3-Clause */
/* Block linear algebra: one BLAS or LAPACK call's worth, single-threaded; workspaces
 * are the caller's. */
#ifndef CL_KERNEL_LINALG_H
#define CL_KERNEL_LINALG_H

#include "kernel/map.h"

/* Which BLAS computes, and for which processor: results of another one may differ in
 * their last bits. */
const char *cl_blas_name(void);
/* Whether it computes products of float64 of up to some 1e6 multiplications from the
 * operands as they lie, without copies. */
bool cl_blas_has_small_products(void);

/* c (m x n, C order) = [first: 0, else c] + a @ b, where a covers box_a (m x k) and b
 * covers box_b (k x n). BLAS for floats and complex (operands addressed in place where
 * one span with a unit stride covers them, transposed ones by flag, otherwise packed
 * into workspace); own loops for integers (wrapping) and bool (or of ands). K is walked
 * in panels of 256, M and N in parts of at most 2048. */
clast_status cl_gemm_run(clast_dtype dtype, const cl_box *box_a, const cl_input *a,
                         const cl_box *box_b, const cl_input *b, void *c, bool first,
                         void *workspace, const cl_poll *poll);
size_t cl_gemm_workspace(clast_dtype dtype, int64_t m, int64_t n, int64_t k);
/* The part of it that one operand needs, whose spans are known, if not yet their data:
 * nothing where BLAS can read it as it lies. A's part comes first. */
size_t cl_gemm_room(clast_dtype dtype, const cl_box *box, const cl_input *input,
                    bool is_left);

/* QR of a rows x n block (rows >= n), compact WY in blocks of at most CL_QR_NB columns
 * (LAPACK ?geqrt). reflectors: cl_reflector_bytes(dtype, rows, n) bytes, opaque;
 * triangle: n x n, C order, zeros below the diagonal. */
size_t cl_qr_workspace(clast_dtype dtype, int64_t rows, int64_t n);
clast_status cl_qr_run(clast_dtype dtype, const cl_box *box, const cl_input *a,
                       void *reflectors, void *triangle, void *workspace,
                       const cl_poll *poll);
/* The same of `count` stacked n x n triangles. */
clast_status cl_qr_join_run(clast_dtype dtype, int64_t n, size_t count,
                            const void *const *triangles, void *reflectors,
                            void *triangle, void *workspace, const cl_poll *poll);
/* out (rows x n, C order) = Q @ w, with w n x n in C order. */
clast_status cl_q_run(clast_dtype dtype, int64_t rows, int64_t n,
                      const void *reflectors, const void *w, void *out, void *workspace,
                      const cl_poll *poll);
/* SVD of an n x n matrix; u and vt C order; NULL: not wanted. s is real (float32 or
 * float64). Row i of vt (and column i of u with it) is scaled by a unit number so that
 * its component of largest modulus is real and positive. CLAST_EMATH where LAPACK does
 * not converge, CLAST_EVALUE where the matrix is not finite. */
clast_status cl_svd_run(clast_dtype dtype, int64_t n, const void *triangle, void *u,
                        void *s, void *vt, void *workspace);
size_t cl_svd_workspace(clast_dtype dtype, int64_t n);

/* BLAS threads: 1 during a run, restored after. Counted, process-wide, thread-safe. */
void cl_blas_enter(void);
void cl_blas_leave(void);
/* Around what calls BLAS or LAPACK in a run: where they cannot bear two threads at
 * once, the others wait. */
void cl_blas_begin(void);
void cl_blas_end(void);

#endif
