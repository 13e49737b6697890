/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QR of a block, compact WY (Schreiber & Van Loan 1989), in LAPACK's form.
 *
 * The block is gathered column-major into the reflectors' own memory and factored there
 * in place: rows x n, reflectors below the diagonal, R on and above it; after it the
 * block factors T, one nb x nb triangle per nb columns, nb = min(CL_QR_NB, n). Columns
 * are taken nb at a time: ?geqrt for the panel, ?gemqrt for what is right of it. That
 * is what one call of ?geqrt would do (with nb = 40 it ran at twice ?geqrf's speed on
 * tall blocks), with a place to give up after each panel.
 *
 * Q @ w needs no workspace for a column-major copy: the C-order result is,
 * column-major, its own transpose (Q [w; 0])^T = [w^T 0] Q^T, to which the block
 * reflectors are applied from the right, last one first. LAPACK has Q^H on that side,
 * not Q^T: complex w is conjugated on the way in and the result on the way out.
 *
 * Cost: 2 n^2 (rows - n/3) operations for QR, 4 n^2 (rows - n/2) for Q @ w (times four
 * for complex numbers).
 */
#include "kernel/linalg.h"

#include <lapacke.h>
#include <string.h>

#include "base/op.h"
#include "kernel/dense.h"

/* LAPACK's calls for one dtype, on untyped memory. geqrt factors rows x n in one block
 * of n columns; gemqrt applies such a block: from the left conjugate-transposed, or
 * from the right likewise. Returned: LAPACK's info. */
typedef struct {
    lapack_int (*factor)(lapack_int rows, lapack_int n, void *a, lapack_int lda,
                         void *t, lapack_int ldt, void *work);
    lapack_int (*apply)(char side, lapack_int m, lapack_int n, lapack_int k,
                        const void *v, lapack_int ldv, const void *t, lapack_int ldt,
                        void *c, lapack_int ldc, void *work);
} calls;

#define CALLS(P, TRANS)                                                                \
    static lapack_int factor_##P(lapack_int rows, lapack_int n, void *a,               \
                                 lapack_int lda, void *t, lapack_int ldt, void *work)  \
    {                                                                                  \
        return LAPACKE_##P##geqrt_work(LAPACK_COL_MAJOR, rows, n, n, a, lda, t, ldt,   \
                                       work);                                          \
    }                                                                                  \
    static lapack_int apply_##P(char side, lapack_int m, lapack_int n, lapack_int k,   \
                                const void *v, lapack_int ldv, const void *t,          \
                                lapack_int ldt, void *c, lapack_int ldc, void *work)   \
    {                                                                                  \
        return LAPACKE_##P##gemqrt_work(LAPACK_COL_MAJOR, side, TRANS, m, n, k, k, v,  \
                                        ldv, t, ldt, c, ldc, work);                    \
    }

CALLS(s, 'T')
CALLS(d, 'T')
CALLS(c, 'C')
CALLS(z, 'C')

static const calls lapack[CLAST_NDTYPE] = {
    [CLAST_FLOAT32] = {factor_s, apply_s},
    [CLAST_FLOAT64] = {factor_d, apply_d},
    [CLAST_COMPLEX64] = {factor_c, apply_c},
    [CLAST_COMPLEX128] = {factor_z, apply_z},
};

/* How a factored block lies in the memory of its reflectors; offsets in bytes. */
typedef struct {
    int64_t rows, n, nb;
    size_t size;
} factors;

static factors make_factors(clast_dtype dtype, int64_t rows, int64_t n)
{
    return (factors){rows, n, n < CL_QR_NB ? n : CL_QR_NB, clast_dtype_size(dtype)};
}

static size_t element(const factors *f, int64_t row, int64_t column)
{
    return (size_t)(column * f->rows + row) * f->size;
}

static size_t block_factor(const factors *f, int64_t column)
{
    return (size_t)(f->rows * f->n + column * f->nb) * f->size;
}

static int64_t width(const factors *f, int64_t column)
{
    return f->n - column < f->nb ? f->n - column : f->nb;
}

static bool is_possible(clast_dtype dtype, int64_t rows, int64_t n)
{
    return lapack[dtype].factor && n >= 0 && rows >= n && cl_fits_blas(rows);
}

/* For all three: panels and updates each use n columns of at most CL_QR_NB. */
size_t cl_qr_workspace(clast_dtype dtype, int64_t rows, int64_t n)
{
    return cl_carve_size(n, CL_QR_NB * clast_dtype_size(dtype));
}

/* Factors what lies in memory. */
static clast_status factor(const calls *call, const factors *f, char *memory,
                           void *work, const cl_poll *poll)
{
    const lapack_int ld = (lapack_int)f->rows, ldt = (lapack_int)f->nb;
    for (int64_t j = 0; j < f->n; j += f->nb) {
        if (cl_is_cancelled(poll))
            return CLAST_ECANCELED;
        const lapack_int w = (lapack_int)width(f, j);
        const lapack_int below = (lapack_int)(f->rows - j);
        const lapack_int right = (lapack_int)(f->n - j) - w;
        char *v = memory + element(f, j, j), *t = memory + block_factor(f, j);
        if (call->factor(below, w, v, ld, t, ldt, work) != 0)
            return CLAST_EINTERNAL;
        if (right > 0 && call->apply('L', below, right, w, v, ld, t, ldt,
                                     memory + element(f, j, j + w), ld, work) != 0)
            return CLAST_EINTERNAL;
    }
    return CLAST_OK;
}

/* R in C order, zeros below the diagonal. */
static void copy_triangle(const factors *f, const char *memory, char *triangle)
{
    const size_t row_bytes = (size_t)f->n * f->size;
    const cl_box box = {2, {0, 0}, {f->n, f->n}};
    const cl_span span = {box, memory, {(int64_t)f->size, f->rows * (int64_t)f->size}};
    const int64_t stride[2] = {(int64_t)row_bytes, (int64_t)f->size};
    cl_gather(&box, &(cl_input){1, &span}, f->size, triangle, stride);
    for (int64_t i = 1; i < f->n; i++)
        memset(triangle + (size_t)i * row_bytes, 0, (size_t)i * f->size);
}

clast_status cl_qr_run(clast_dtype dtype, const cl_box *box, const cl_input *a,
                       void *reflectors, void *triangle, void *workspace,
                       const cl_poll *poll)
{
    if (!is_possible(dtype, box->n[0], box->n[1]))
        return CLAST_EVALUE;
    const factors f = make_factors(dtype, box->n[0], box->n[1]);
    const int64_t stride[2] = {(int64_t)f.size, f.rows * (int64_t)f.size};
    cl_gather(box, a, f.size, reflectors, stride);
    CL_TRY(factor(&lapack[dtype], &f, reflectors, workspace, poll));
    copy_triangle(&f, reflectors, triangle);
    return CLAST_OK;
}

clast_status cl_qr_join_run(clast_dtype dtype, int64_t n, size_t count,
                            const void *const *triangles, void *reflectors,
                            void *triangle, void *workspace, const cl_poll *poll)
{
    int64_t rows;
    if (__builtin_mul_overflow(n, (int64_t)count, &rows) ||
        !is_possible(dtype, rows, n))
        return CLAST_EVALUE;
    const factors f = make_factors(dtype, rows, n);
    const int64_t size = (int64_t)f.size, stride[2] = {size, rows * size};
    const cl_box box = {2, {0, 0}, {n, n}};
    for (size_t i = 0; i < count; i++) {
        const cl_span span = {box, triangles[i], {n * size, size}};
        cl_gather(&box, &(cl_input){1, &span}, f.size,
                  (char *)reflectors + element(&f, (int64_t)i * n, 0), stride);
    }
    CL_TRY(factor(&lapack[dtype], &f, reflectors, workspace, poll));
    copy_triangle(&f, reflectors, triangle);
    return CLAST_OK;
}

/* Negates the imaginary parts; nothing for real dtypes. */
static void conjugate(clast_dtype dtype, int64_t count, void *data)
{
    float *f = data;
    double *d = data;
    for (int64_t i = 0; dtype == CLAST_COMPLEX64 && i < count; i++)
        f[2 * i + 1] = -f[2 * i + 1];
    for (int64_t i = 0; dtype == CLAST_COMPLEX128 && i < count; i++)
        d[2 * i + 1] = -d[2 * i + 1];
}

clast_status cl_q_run(clast_dtype dtype, int64_t rows, int64_t n,
                      const void *reflectors, const void *w, void *out, void *workspace,
                      const cl_poll *poll)
{
    if (!is_possible(dtype, rows, n))
        return CLAST_EVALUE;
    if (n == 0)
        return CLAST_OK;
    const calls *call = &lapack[dtype];
    const char *const memory = reflectors;
    const factors f = make_factors(dtype, rows, n);
    const size_t column = (size_t)n * f.size; /* of out, seen column-major: a row */
    memcpy(out, w, (size_t)n * column);
    memset((char *)out + (size_t)n * column, 0, (size_t)(rows - n) * column);
    conjugate(dtype, n * n, out);
    for (int64_t j = (n - 1) / f.nb * f.nb; j >= 0; j -= f.nb) {
        if (cl_is_cancelled(poll))
            return CLAST_ECANCELED;
        if (call->apply('R', (lapack_int)n, (lapack_int)(rows - j),
                        (lapack_int)width(&f, j), memory + element(&f, j, j),
                        (lapack_int)rows, memory + block_factor(&f, j),
                        (lapack_int)f.nb, (char *)out + (size_t)j * column,
                        (lapack_int)n, workspace) != 0)
            return CLAST_EINTERNAL;
    }
    conjugate(dtype, rows * n, out);
    return CLAST_OK;
}
