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
 * Q @ [w; 0] is not a sequence of block reflectors. With Q = I - V T V^H for all n
 * reflectors at once and V1 the first n rows of V it is [w; 0] - V (T V1^H w): one
 * product of the size of the result. T comes from the diagonal blocks that are stored
 * and the Gram matrix of V: T12 = -T1 (V^H V)12 T2 (Elmroth & Gustavson 2000). That is
 * 3 rows n^2 operations in two calls at full speed, where applying blocks of 40 columns
 * takes 4 rows n^2 and a pass over the result each.
 *
 * Cost: 2 n^2 (rows - n/3) operations for QR, 3 n^2 rows for Q @ w (times four for
 * complex numbers).
 */
#include "kernel/linalg.h"

#include <cblas.h>
#include <lapacke.h>
#include <string.h>

#include "base/op.h"
#include "kernel/dense.h"

/* Calls for one dtype, on untyped column-major memory. Those of LAPACK return info. */
typedef struct {
    /* rows x n in one block of n columns; the conjugate transpose of such a block
     * applied from the left */
    lapack_int (*factor)(lapack_int rows, lapack_int n, void *a, lapack_int lda,
                         void *t, lapack_int ldt, void *work);
    lapack_int (*apply)(lapack_int m, lapack_int n, lapack_int k, const void *v,
                        lapack_int ldv, const void *t, lapack_int ldt, void *c,
                        lapack_int ldc, void *work);
    /* upper triangle of c = beta c + a^H a, a: rows x n */
    void (*gram)(blasint rows, blasint n, const void *a, blasint lda, double beta,
                 void *c, blasint ldc);
    /* b = alpha op(a) b or alpha b op(a), a triangular, b: m x n */
    void (*triangular)(CBLAS_SIDE side, CBLAS_UPLO uplo, CBLAS_TRANSPOSE trans,
                       CBLAS_DIAG diag, blasint m, blasint n, double alpha,
                       const void *a, blasint lda, void *b, blasint ldb);
    /* c = -a^T b^T, c: m x n */
    void (*multiply)(blasint m, blasint n, blasint k, const void *a, blasint lda,
                     const void *b, blasint ldb, void *c, blasint ldc);
} calls;

#define LAPACK_CALLS(P, TRANS)                                                         \
    static lapack_int factor_##P(lapack_int rows, lapack_int n, void *a,               \
                                 lapack_int lda, void *t, lapack_int ldt, void *work)  \
    {                                                                                  \
        return LAPACKE_##P##geqrt_work(LAPACK_COL_MAJOR, rows, n, n, a, lda, t, ldt,   \
                                       work);                                          \
    }                                                                                  \
    static lapack_int apply_##P(lapack_int m, lapack_int n, lapack_int k,              \
                                const void *v, lapack_int ldv, const void *t,          \
                                lapack_int ldt, void *c, lapack_int ldc, void *work)   \
    {                                                                                  \
        return LAPACKE_##P##gemqrt_work(LAPACK_COL_MAJOR, 'L', TRANS, m, n, k, k, v,   \
                                        ldv, t, ldt, c, ldc, work);                    \
    }

LAPACK_CALLS(s, 'T')
LAPACK_CALLS(d, 'T')
LAPACK_CALLS(c, 'C')
LAPACK_CALLS(z, 'C')

/* SCALAR makes what BLAS takes as a factor: a number, or the address of a complex one.
 */
#define BLAS_CALLS(P, T, RANK_K, SCALAR)                                               \
    static void gram_##P(blasint rows, blasint n, const void *a, blasint lda,          \
                         double beta, void *c, blasint ldc)                            \
    {                                                                                  \
        cblas_##P##RANK_K(CblasColMajor, CblasUpper, CblasConjTrans, n, rows, 1, a,    \
                          lda, (T)beta, c, ldc);                                       \
    }                                                                                  \
    static void triangular_##P(CBLAS_SIDE side, CBLAS_UPLO uplo,                       \
                               CBLAS_TRANSPOSE trans, CBLAS_DIAG diag, blasint m,      \
                               blasint n, double alpha, const void *a, blasint lda,    \
                               void *b, blasint ldb)                                   \
    {                                                                                  \
        cblas_##P##trmm(CblasColMajor, side, uplo, trans, diag, m, n,                  \
                        SCALAR(T, alpha), a, lda, b, ldb);                             \
    }                                                                                  \
    static void multiply_##P(blasint m, blasint n, blasint k, const void *a,           \
                             blasint lda, const void *b, blasint ldb, void *c,         \
                             blasint ldc)                                              \
    {                                                                                  \
        cblas_##P##gemm(CblasColMajor, CblasTrans, CblasTrans, m, n, k, SCALAR(T, -1), \
                        a, lda, b, ldb, SCALAR(T, 0), c, ldc);                         \
    }
#define REAL(T, x) (T)(x)
#define COMPLEX(T, x)                                                                  \
    (const T[2])                                                                       \
    {                                                                                  \
        (T)(x), 0                                                                      \
    }

BLAS_CALLS(s, float, syrk, REAL)
BLAS_CALLS(d, double, syrk, REAL)
BLAS_CALLS(c, float, herk, COMPLEX)
BLAS_CALLS(z, double, herk, COMPLEX)

#define CALLS(P)                                                                       \
    {                                                                                  \
        factor_##P, apply_##P, gram_##P, triangular_##P, multiply_##P                  \
    }
static const calls lapack[CLAST_NDTYPE] = {
    [CLAST_FLOAT32] = CALLS(s),
    [CLAST_FLOAT64] = CALLS(d),
    [CLAST_COMPLEX64] = CALLS(c),
    [CLAST_COMPLEX128] = CALLS(z),
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

/* For all three: panels use n columns of at most CL_QR_NB, Q two n x n matrices. */
size_t cl_qr_workspace(clast_dtype dtype, int64_t rows, int64_t n)
{
    const size_t size = clast_dtype_size(dtype);
    const size_t panel = cl_carve_size(n, CL_QR_NB * size);
    size_t square = cl_carve_size(n, size);
    square = square == SIZE_MAX ? square : cl_carve_size(n, (size_t)n * size);
    const size_t squares = cl_carve_add(square, square);
    return panel > squares ? panel : squares;
}

/* Factors what lies in memory. */
static clast_status factor(const calls *call, const factors *f, char *memory,
                           void *work, const cl_poll *poll)
{
    const lapack_int ld = (lapack_int)f->rows, ldt = (lapack_int)f->nb;
    for (int64_t j = 0; j < f->n; j += f->nb) {
        if (cl_is_canceled(poll))
            return CLAST_ECANCELED;
        const lapack_int w = (lapack_int)width(f, j);
        const lapack_int below = (lapack_int)(f->rows - j);
        const lapack_int right = (lapack_int)(f->n - j) - w;
        char *v = memory + element(f, j, j), *t = memory + block_factor(f, j);
        if (call->factor(below, w, v, ld, t, ldt, work) != 0)
            return CLAST_EINTERNAL;
        if (right > 0 && call->apply(below, right, w, v, ld, t, ldt,
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

/* The first n rows of V, unit lower triangular, with the ones and zeros that the
 * block's memory does not hold. */
static void copy_top(const factors *f, clast_dtype dtype, const char *memory, char *v1)
{
    const cl_scalar one = cl_scalar_cast((cl_scalar){.f64 = 1}, CLAST_FLOAT64, dtype);
    for (int64_t j = 0; j < f->n; j++, v1 += (size_t)f->n * f->size) {
        memset(v1, 0, (size_t)j * f->size);
        memcpy(v1 + (size_t)j * f->size, &one, f->size);
        memcpy(v1 + (size_t)(j + 1) * f->size, memory + element(f, j + 1, j),
               (size_t)(f->n - j - 1) * f->size);
    }
}

/* T of all n reflectors; spare: n x n. */
static void make_block_factor(const calls *call, const factors *f, clast_dtype dtype,
                              const char *memory, char *t, char *spare)
{
    const blasint n = (blasint)f->n, rows = (blasint)f->rows;
    copy_top(f, dtype, memory, spare);
    call->gram(n, n, spare, n, 0, t, n);
    if (rows > n)
        call->gram(rows - n, n, memory + element(f, n, 0), rows, 1, t, n);
    for (int64_t j = 0; j < n; j += f->nb) {
        const blasint w = (blasint)width(f, j), left = (blasint)j;
        const char *const own = memory + block_factor(f, j);
        char *const column = t + (size_t)(j * n) * f->size;
        if (left > 0) {
            call->triangular(CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, left, w,
                             -1, t, n, column, n);
            call->triangular(CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, left,
                             w, 1, own, (blasint)f->nb, column, n);
        }
        for (int64_t k = 0; k < w; k++)
            memcpy(column + (size_t)(k * n + j) * f->size,
                   own + (size_t)(k * f->nb) * f->size, (size_t)(k + 1) * f->size);
    }
}

static void transpose(int64_t n, size_t size, const void *from, void *to)
{
    const cl_box box = {2, {0, 0}, {n, n}};
    const int64_t down = (int64_t)size, across = n * down, stride[2] = {across, down};
    cl_gather(&box, &(cl_input){1, &(cl_span){box, from, {down, across}}}, size, to,
              stride);
}

/* out += w */
static void add(clast_dtype dtype, int64_t count, const void *w, void *out)
{
    const int parts = cl_dtype_is_complex(dtype) ? 2 : 1;
    if (cl_dtype_real(dtype) == CLAST_FLOAT32)
        for (int64_t i = 0; i < count * parts; i++)
            ((float *)out)[i] += ((const float *)w)[i];
    else
        for (int64_t i = 0; i < count * parts; i++)
            ((double *)out)[i] += ((const double *)w)[i];
}

/* The C-order result is, column-major, its own transpose: [w; 0]^T - z^T V^T with
 * z = T V1^H w. */
clast_status cl_q_run(clast_dtype dtype, int64_t rows, int64_t n,
                      const void *reflectors, const void *w, void *out, void *workspace,
                      const cl_poll *poll)
{
    if (!is_possible(dtype, rows, n))
        return CLAST_EVALUE;
    if (n == 0)
        return CLAST_OK;
    const calls *const call = &lapack[dtype];
    const char *const v = reflectors;
    const factors f = make_factors(dtype, rows, n);
    const blasint columns = (blasint)n, ld = (blasint)rows;
    const size_t square = (size_t)(n * n) * f.size;
    char *at = workspace;
    char *const t = cl_carve(&at, n * n, f.size), *const z = at;

    make_block_factor(call, &f, dtype, v, t, z);
    if (cl_is_canceled(poll))
        return CLAST_ECANCELED;
    transpose(n, f.size, w, z);
    call->triangular(CblasLeft, CblasLower, CblasConjTrans, CblasUnit, columns, columns,
                     1, v, ld, z, columns);
    call->triangular(CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, columns,
                     columns, 1, t, columns, z, columns);
    transpose(n, f.size, z, out);
    call->triangular(CblasRight, CblasLower, CblasTrans, CblasUnit, columns, columns,
                     -1, v, ld, out, columns);
    add(dtype, n * n, w, out);
    if (rows > n)
        call->multiply(columns, ld - columns, columns, z, columns,
                       v + element(&f, n, 0), ld, (char *)out + square, columns);
    return CLAST_OK;
}
