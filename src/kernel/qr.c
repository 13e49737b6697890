/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QR of a block, compact WY (Schreiber & Van Loan 1989), in LAPACK's form.
 *
 * The block is gathered column-major into the reflectors' own memory and factored there
 * in place: rows x n, reflectors below the diagonal, R on and above it; after it the
 * block factors T, one nb x nb triangle per nb columns, nb = min(CL_QR_NB, n). Columns
 * begin on cache lines, for a vector that lies across two costs two loads; the rows
 * that fill the last one are never looked at.
 *
 * Columns are taken nb at a time: ?geqrt for the panel V, or where small products are
 * fast the same as here on a smaller scale (qr_leaf.c for eight columns), then I - V
 * T^H V^H for what is right of it, C. While V is used its triangle holds ones and zeros
 * and R's part lies in the workspace, so that V^H C and C - V W are one kind of product
 * over all rows, where ?gemqrt cuts the triangle off and multiplies it apart.
 *
 * V^H C has few rows and columns and a long inner dimension. One call copies both
 * operands into the library's own layout before they are used for so few numbers; where
 * it does without for products below some size, this one is put together of such, and
 * so is that of Q. So it is for float64, up to some width, on processors with AVX-512;
 * others gain nothing.
 *
 * Q @ [w; 0] is not a sequence of block reflectors. With Q = I - V T V^H for all n
 * reflectors at once and V1 the first n rows of V it is [w; 0] - V (T V1^H w): one
 * product of the size of the result. T comes from the diagonal blocks that are stored
 * and the Gram matrix of V: T12 = -T1 (V^H V)12 T2 (Elmroth & Gustavson 2000). That is
 * 3 rows n^2 operations in two calls at full speed, where applying blocks of CL_QR_NB
 * columns takes 4 rows n^2 and a pass over the result each.
 *
 * Cost: 2 n^2 (rows - n/3) operations for QR, 3 n^2 rows for Q @ w (times four for
 * complex numbers).
 */
#include "base/least.h"
#include "kernel/linalg.h"

#include <cblas.h>
#include <lapacke.h>
#include <string.h>

#include "base/op.h"
#include "kernel/dense.h"
#include "kernel/qr_leaf.h"

/* c = beta c + some product of a and b, c: m x n, with an inner dimension of k. */
typedef void product_fn(blasint m, blasint n, blasint k, const void *a, blasint lda,
                        const void *b, blasint ldb, double beta, void *c, blasint ldc);

/* Calls for one dtype, on untyped column-major memory. */
typedef struct {
    /* rows x n in one block of n columns; LAPACK's info */
    lapack_int (*factor)(lapack_int rows, lapack_int n, void *a, lapack_int lda,
                         void *t, lapack_int ldt, void *work);
    product_fn *cross;      /* a^H b */
    product_fn *subtract;   /* -a b */
    product_fn *transposed; /* -a b^T */
    /* upper triangle of c = beta c + a^H a, a: rows x n */
    void (*gram)(blasint rows, blasint n, const void *a, blasint lda, double beta,
                 void *c, blasint ldc);
    /* b = alpha op(a) b or alpha b op(a), a triangular, b: m x n */
    void (*triangular)(CBLAS_SIDE side, CBLAS_UPLO uplo, CBLAS_TRANSPOSE trans,
                       CBLAS_DIAG diag, blasint m, blasint n, double alpha,
                       const void *a, blasint lda, void *b, blasint ldb);
} calls;

/* SCALAR makes what BLAS takes as a factor: a number, or the address of a complex one.
 */
#define PRODUCT(name, P, T, SCALAR, OP_A, OP_B, ALPHA)                                 \
    static void name##_##P(blasint m, blasint n, blasint k, const void *a,             \
                           blasint lda, const void *b, blasint ldb, double beta,       \
                           void *c, blasint ldc)                                       \
    {                                                                                  \
        cblas_##P##gemm(CblasColMajor, OP_A, OP_B, m, n, k, SCALAR(T, ALPHA), a, lda,  \
                        b, ldb, SCALAR(T, beta), c, ldc);                              \
    }
#define DEFINE_CALLS(P, T, RANK_K, SCALAR)                                             \
    static lapack_int factor_##P(lapack_int rows, lapack_int n, void *a,               \
                                 lapack_int lda, void *t, lapack_int ldt, void *work)  \
    {                                                                                  \
        return LAPACKE_##P##geqrt_work(LAPACK_COL_MAJOR, rows, n, n, a, lda, t, ldt,   \
                                       work);                                          \
    }                                                                                  \
    PRODUCT(cross, P, T, SCALAR, CblasConjTrans, CblasNoTrans, 1)                      \
    PRODUCT(subtract, P, T, SCALAR, CblasNoTrans, CblasNoTrans, -1)                    \
    PRODUCT(transposed, P, T, SCALAR, CblasNoTrans, CblasTrans, -1)                    \
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
    }
#define REAL(T, x) (T)(x)
#define COMPLEX(T, x)                                                                  \
    (const T[2])                                                                       \
    {                                                                                  \
        (T)(x), 0                                                                      \
    }

DEFINE_CALLS(s, float, syrk, REAL)
DEFINE_CALLS(d, double, syrk, REAL)
DEFINE_CALLS(c, float, herk, COMPLEX)
DEFINE_CALLS(z, double, herk, COMPLEX)

#define CALLS(P)                                                                       \
    {                                                                                  \
        factor_##P, cross_##P, subtract_##P, transposed_##P, gram_##P, triangular_##P  \
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
    int64_t ld; /* from column to column */
    size_t size;
} factors;

static factors make_factors(clast_dtype dtype, int64_t rows, int64_t n)
{
    return (factors){rows, n, n < CL_QR_NB ? n : CL_QR_NB,
                     cl_reflector_column(dtype, rows), clast_dtype_size(dtype)};
}

static size_t element(const factors *f, int64_t row, int64_t column)
{
    return (size_t)(column * f->ld + row) * f->size;
}

static size_t block_factor(const factors *f, int64_t column)
{
    return (size_t)(f->ld * f->n + column * f->nb) * f->size;
}

static int64_t width(const factors *f, int64_t column)
{
    return f->n - column < f->nb ? f->n - column : f->nb;
}

static bool is_possible(clast_dtype dtype, int64_t rows, int64_t n)
{
    return lapack[dtype].factor && n >= 0 && rows >= n &&
           cl_fits_blas(cl_reflector_column(dtype, rows));
}

/* For all three: panels use n columns of at most CL_QR_NB and three squares of as many,
 * Q two n x n matrices. */
size_t cl_qr_workspace(clast_dtype dtype, int64_t rows, int64_t n)
{
    const size_t size = clast_dtype_size(dtype);
    const size_t panel = cl_carve_add(cl_carve_size(3 * CL_QR_NB, CL_QR_NB * size),
                                      cl_carve_size(n, CL_QR_NB * size));
    size_t square = cl_carve_size(n, size);
    square = square == SIZE_MAX ? square : cl_carve_size(n, (size_t)n * size);
    const size_t squares = cl_carve_add(square, square);
    return panel > squares ? panel : squares;
}

/* An operand of a product in tiles: its elements, and how far apart they are along the
 * result's rows (columns) and along the inner dimension; one of them is 1. */
typedef struct {
    const char *data;
    int64_t outer, inner;
} side;

typedef struct {
    int64_t m, n, k;
} extent;

typedef struct {
    product_fn *fn;
    int64_t m, n, k;
    extent tile;
    side a, b;
    bool sums;  /* c is added to */
    bool upper; /* only what is not below c's diagonal need be right */
} product;

static const char *at(const side *s, size_t size, int64_t outer, int64_t inner)
{
    return s->data + (size_t)(outer * s->outer + inner * s->inner) * size;
}

static blasint leading(const side *s)
{
    return (blasint)(s->outer > s->inner ? s->outer : s->inner);
}

static void multiply(const product *p, size_t size, char *c, int64_t ldc)
{
    for (int64_t k = 0; k < p->k; k += p->tile.k)
        for (int64_t j = 0; j < p->n; j += p->tile.n) {
            const int64_t m = p->upper ? cl_lesser(j + p->tile.n, p->m) : p->m;
            for (int64_t i = 0; i < m; i += p->tile.m)
                p->fn((blasint)cl_lesser(p->tile.m, p->m - i),
                      (blasint)cl_lesser(p->tile.n, p->n - j),
                      (blasint)cl_lesser(p->tile.k, p->k - k), at(&p->a, size, i, k),
                      leading(&p->a), at(&p->b, size, j, k), leading(&p->b),
                      p->sums || k > 0, c + (size_t)(j * ldc + i) * size, (blasint)ldc);
        }
}

/* Whether a product is put together of small ones. Of a wider one the copies are made
 * use of often enough. */
static bool has_tiles(clast_dtype dtype, int64_t narrowest)
{
    return dtype == CLAST_FLOAT64 && narrowest <= 256 && cl_blas_has_small_products();
}

static extent tile_of(clast_dtype dtype, int64_t narrowest, extent tile)
{
    return has_tiles(dtype, narrowest) ? tile
                                       : (extent){INT32_MAX, INT32_MAX, INT32_MAX};
}

/* a^H b for tall a and b of m and n columns. */
static product cross(clast_dtype dtype, int64_t rows, int64_t m, const char *a,
                     int64_t lda, int64_t n, const char *b, int64_t ldb)
{
    return (product){.fn = lapack[dtype].cross,
                     .m = m,
                     .n = n,
                     .k = rows,
                     .tile = tile_of(dtype, cl_lesser(m, n), (extent){32, 16, 256}),
                     .a = {a, lda, 1},
                     .b = {b, ldb, 1}};
}

/* Upper triangle of c = [sums: c +] a^H a. */
static void gram(clast_dtype dtype, int64_t rows, int64_t n, const char *a, int64_t lda,
                 bool sums, char *c, int64_t ldc)
{
    product p = cross(dtype, rows, n, a, lda, n, a, lda);
    p.upper = true;
    p.sums = sums;
    if (rows > 0 && has_tiles(dtype, n))
        multiply(&p, clast_dtype_size(dtype), c, ldc);
    else if (rows > 0)
        lapack[dtype].gram((blasint)rows, (blasint)n, a, (blasint)lda, sums, c,
                           (blasint)ldc);
}

/* The first n rows of V, unit lower triangular with the ones and zeros that stand for
 * R's elements in memory: at `to`, of `ld` rows. */
static void write_top(clast_dtype dtype, int64_t n, char *to, int64_t ld)
{
    const size_t size = clast_dtype_size(dtype);
    const cl_scalar one = cl_scalar_cast((cl_scalar){.f64 = 1}, CLAST_FLOAT64, dtype);
    for (int64_t j = 0; j < n; j++, to += (size_t)ld * size) {
        memset(to, 0, (size_t)j * size);
        memcpy(to + (size_t)j * size, &one, size);
    }
}

/* The upper triangle, with the diagonal, of n columns. */
static void copy_upper(const factors *f, int64_t n, const char *from, int64_t from_ld,
                       char *to, int64_t to_ld)
{
    for (int64_t j = 0; j < n; j++)
        memcpy(to + (size_t)(j * to_ld) * f->size,
               from + (size_t)(j * from_ld) * f->size, (size_t)(j + 1) * f->size);
}

/* Applies the panel of w columns from `column` on, whose block factor is t, to all that
 * is right of it. */
static void apply(const calls *call, clast_dtype dtype, const factors *f,
                  int64_t column, int64_t w, char *memory, const char *t, char *work)
{
    const int64_t right = f->n - column - w, below = f->rows - column;
    char *const v = memory + element(f, column, column);
    char *const c = memory + element(f, column, column + w);
    char *const held = cl_carve(&work, CL_QR_NB * CL_QR_NB, f->size);
    copy_upper(f, w, v, f->ld, held, w);
    write_top(dtype, w, v, f->ld);
    const product p = cross(dtype, below, w, v, f->ld, right, c, f->ld);
    multiply(&p, f->size, work, w);
    call->triangular(CblasLeft, CblasUpper, CblasConjTrans, CblasNonUnit, (blasint)w,
                     (blasint)right, 1, t, (blasint)f->nb, work, (blasint)w);
    call->subtract((blasint)below, (blasint)right, (blasint)w, v, (blasint)f->ld, work,
                   (blasint)w, 1, c, (blasint)f->ld);
    copy_upper(f, w, held, w, v, f->ld);
}

/* Rows that only fill a cache line: what is spilled of them should be something. */
static void clear_padding(const factors *f, char *memory)
{
    for (int64_t j = 0; f->ld > f->rows && j < f->n; j++)
        memset(memory + element(f, f->rows, j), 0, (size_t)(f->ld - f->rows) * f->size);
}

/* T of all n reflectors, those of nb columns each are at `parts`; spare: n x n. */
static void make_block_factor(const calls *call, const factors *f, clast_dtype dtype,
                              const char *memory, const char *parts, char *t,
                              char *spare)
{
    const blasint n = (blasint)f->n;
    const char *const below = memory + element(f, n, 0);
    for (int64_t j = 0; j < n; j++)
        memcpy(spare + (size_t)(j * n) * f->size, memory + element(f, 0, j),
               (size_t)n * f->size);
    write_top(dtype, n, spare, n);
    gram(dtype, n, n, spare, n, false, t, n);
    gram(dtype, f->rows - n, n, below, f->ld, true, t, n);
    for (int64_t j = 0; j < n; j += f->nb) {
        const blasint w = (blasint)width(f, j), left = (blasint)j;
        const char *const own = parts + (size_t)(j * f->nb) * f->size;
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

/* Up to CL_QR_LEAF columns of float64 and their block factor. */
static void factor_leaf(const factors *f, int64_t column, int64_t w, char *memory,
                        char *t, char *work)
{
    const int64_t rows = f->rows - column;
    char *const v = memory + element(f, column, column);
    double tau[CL_QR_LEAF];
    char *const held = cl_carve(&work, CL_QR_LEAF * CL_QR_LEAF, f->size);
    char *const products = cl_carve(&work, CL_QR_LEAF * CL_QR_LEAF, f->size);
    cl_qr_leaf_factor(rows, w, (double *)(void *)v, f->ld, tau);
    copy_upper(f, w, v, f->ld, held, w);
    write_top(CLAST_FLOAT64, w, v, f->ld);
    gram(CLAST_FLOAT64, rows, w, v, f->ld, false, products, w);
    copy_upper(f, w, held, w, v, f->ld);
    cl_qr_leaf_block_factor(w, tau, (const double *)(const void *)products, w,
                            (double *)(void *)t, f->nb);
}

/* A panel of w columns in the way of the whole matrix, by leaves. t: of the panel. */
static void factor_by_leaves(const calls *call, clast_dtype dtype, const factors *f,
                             int64_t rows, int64_t w, char *panel, char *t, char *work)
{
    const factors p = {rows, w, cl_lesser(w, CL_QR_LEAF), f->ld, f->size};
    char *const parts = cl_carve(&work, w * p.nb, p.size);
    char *const whole = cl_carve(&work, w * w, p.size);
    for (int64_t j = 0; j < w; j += p.nb) {
        const int64_t leaf = width(&p, j);
        char *const part = parts + (size_t)(j * p.nb) * p.size;
        factor_leaf(&p, j, leaf, panel, part, work);
        if (j + leaf < w)
            apply(call, dtype, &p, j, leaf, panel, part, work);
    }
    make_block_factor(call, &p, dtype, panel, parts, whole, work);
    copy_upper(&p, w, whole, w, t, f->nb);
}

/* Factors what lies in memory. */
static clast_status factor(clast_dtype dtype, const factors *f, char *memory,
                           void *work, const cl_poll *poll)
{
    const calls *const call = &lapack[dtype];
    clear_padding(f, memory);
    for (int64_t j = 0; j < f->n; j += f->nb) {
        if (cl_is_canceled(poll))
            return CLAST_ECANCELED;
        const int64_t w = width(f, j);
        char *const panel = memory + element(f, j, j);
        char *const t = memory + block_factor(f, j);
        if (has_tiles(dtype, w))
            factor_by_leaves(call, dtype, f, f->rows - j, w, panel, t, work);
        else if (call->factor((lapack_int)(f->rows - j), (lapack_int)w, panel,
                              (lapack_int)f->ld, t, (lapack_int)f->nb, work) != 0)
            return CLAST_EINTERNAL;
        if (j + w < f->n)
            apply(call, dtype, f, j, w, memory, t, work);
    }
    return CLAST_OK;
}

/* R in C order, zeros below the diagonal. */
static void copy_triangle(const factors *f, const char *memory, char *triangle)
{
    const size_t row_bytes = (size_t)f->n * f->size;
    const cl_box box = {2, {0, 0}, {f->n, f->n}};
    const cl_span span = {box, memory, {(int64_t)f->size, f->ld * (int64_t)f->size}};
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
    const int64_t stride[2] = {(int64_t)f.size, f.ld * (int64_t)f.size};
    cl_gather(box, a, f.size, reflectors, stride);
    CL_TRY(factor(dtype, &f, reflectors, workspace, poll));
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
    const int64_t size = (int64_t)f.size, stride[2] = {size, f.ld * size};
    const cl_box box = {2, {0, 0}, {n, n}};
    for (size_t i = 0; i < count; i++) {
        const cl_span span = {box, triangles[i], {n * size, size}};
        cl_gather(&box, &(cl_input){1, &span}, f.size,
                  (char *)reflectors + element(&f, (int64_t)i * n, 0), stride);
    }
    CL_TRY(factor(dtype, &f, reflectors, workspace, poll));
    copy_triangle(&f, reflectors, triangle);
    return CLAST_OK;
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
    const blasint columns = (blasint)n, ld = (blasint)f.ld;
    const size_t square = (size_t)(n * n) * f.size;
    char *at = workspace;
    char *const t = cl_carve(&at, n * n, f.size), *const z = at;

    make_block_factor(call, &f, dtype, v, v + block_factor(&f, 0), t, z);
    if (cl_is_canceled(poll))
        return CLAST_ECANCELED;
    transpose(n, f.size, w, z);
    call->triangular(CblasLeft, CblasLower, CblasConjTrans, CblasUnit, columns, columns,
                     1, v, ld, z, columns);
    call->triangular(CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, columns,
                     columns, 1, t, columns, z, columns);
    transpose(n, f.size, z, t);
    memcpy(out, t, square);
    call->triangular(CblasRight, CblasLower, CblasTrans, CblasUnit, columns, columns,
                     -1, v, ld, out, columns);
    add(dtype, n * n, w, out);
    const product below = {.fn = call->transposed,
                           .m = n,
                           .n = rows - n,
                           .k = n,
                           .tile = tile_of(dtype, n, (extent){64, 24, 128}),
                           .a = {t, 1, n},
                           .b = {v + element(&f, n, 0), 1, f.ld}};
    multiply(&below, f.size, (char *)out + square, n);
    return CLAST_OK;
}
