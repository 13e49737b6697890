/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SVD of a square block by divide and conquer (LAPACK ?gesdd), with unique signs.
 *
 * LAPACK counts column-major, our block is C order: what it sees is the transpose. From
 * a^T = U S V^H follows a = (V^H)^T S U^T, so LAPACK's V^H, column-major, is our u in C
 * order, and its U is our vt: no copy and no conjugation, the two just change places.
 *
 * Vectors are unique up to a unit factor (for simple singular values). It is chosen so
 * that in each row of vt the component of largest modulus, the first of equals, is real
 * and positive; the column of u turns the other way.
 *
 * Cost: about 22 n^3 operations with vectors, 8/3 n^3 without.
 */
#include "kernel/linalg.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

#include "kernel/dense.h"

/* One call of ?gesdd; work NULL: only asks for its size. */
typedef struct {
    char job;
    lapack_int n;
    void *a, *s, *u, *vt, *work, *rwork;
    lapack_int lwork;
    lapack_int *iwork;
} request;

typedef lapack_int svd_fn(const request *r);

#define SVD_REAL(P)                                                                    \
    static lapack_int svd_##P(const request *r)                                        \
    {                                                                                  \
        return LAPACKE_##P##gesdd_work(LAPACK_COL_MAJOR, r->job, r->n, r->n, r->a,     \
                                       r->n, r->s, r->u, r->n, r->vt, r->n, r->work,   \
                                       r->lwork, r->iwork);                            \
    }
#define SVD_COMPLEX(P)                                                                 \
    static lapack_int svd_##P(const request *r)                                        \
    {                                                                                  \
        return LAPACKE_##P##gesdd_work(LAPACK_COL_MAJOR, r->job, r->n, r->n, r->a,     \
                                       r->n, r->s, r->u, r->n, r->vt, r->n, r->work,   \
                                       r->lwork, r->rwork, r->iwork);                  \
    }

SVD_REAL(s)
SVD_REAL(d)
SVD_COMPLEX(c)
SVD_COMPLEX(z)

static svd_fn *const decompose[CLAST_NDTYPE] = {[CLAST_FLOAT32] = svd_s,
                                                [CLAST_FLOAT64] = svd_d,
                                                [CLAST_COMPLEX64] = svd_c,
                                                [CLAST_COMPLEX128] = svd_z};

/* Elements of `work` that ?gesdd asks for, the more of both jobs. */
static int64_t work_count(clast_dtype dtype, int64_t n)
{
    double most = 1;
    for (int i = 0; i < 2; i++) {
        double answer[2] = {0, 0}, dummy[2];
        lapack_int none[1];
        const request r = {.job = "NA"[i],
                           .n = (lapack_int)n,
                           .a = dummy,
                           .s = dummy,
                           .u = dummy,
                           .vt = dummy,
                           .work = answer,
                           .rwork = dummy,
                           .lwork = -1,
                           .iwork = none};
        decompose[dtype](&r);
        cl_scalar first;
        memcpy(&first, answer, sizeof answer);
        const cl_scalar count = cl_scalar_cast(first, dtype, CLAST_FLOAT64);
        most = count.f64 > most ? count.f64 : most;
    }
    /* A float32 holds large counts only roughly: one unit in its last place more. */
    return (int64_t)(most * (1 + 0x1p-22)) + 1;
}

/* Real numbers of `rwork`, complex dtypes only: ?gesdd's formula for square matrices.
 */
static int64_t rwork_count(clast_dtype dtype, int64_t n)
{
    return cl_dtype_is_complex(dtype) ? 5 * n * n + 7 * n : 0;
}

size_t cl_svd_workspace(clast_dtype dtype, int64_t n)
{
    if (!decompose[dtype] || n > 1 << 20 || n < 0)
        return SIZE_MAX;
    if (n == 0)
        return 0;
    const size_t size = clast_dtype_size(dtype);
    const size_t square = cl_carve_size(n * n, size);
    const size_t real = clast_dtype_size(cl_dtype_real(dtype));
    size_t bytes = cl_carve_add(square, square); /* the block; vectors nobody wants */
    bytes = cl_carve_add(bytes, cl_carve_size(work_count(dtype, n), size));
    bytes = cl_carve_add(bytes, cl_carve_size(rwork_count(dtype, n), real));
    return cl_carve_add(bytes, cl_carve_size(8 * n, sizeof(lapack_int)));
}

static bool is_finite(clast_dtype dtype, int64_t count, const void *data)
{
    const float *f = data;
    const double *d = data;
    const bool is_single = cl_dtype_real(dtype) == CLAST_FLOAT32;
    bool ok = true;
    count *= cl_dtype_is_complex(dtype) ? 2 : 1;
    for (int64_t i = 0; i < count; i++)
        ok &= is_single ? isfinite(f[i]) != 0 : isfinite(d[i]) != 0;
    return ok;
}

/* ---- signs ---- */

/* The two kernels are one text in float and double; a real vector has components of one
 * part, a complex one of two. */
#define SIGNS(T)                                                                       \
    /* z[i] *= (re, im) for i < n, `step` elements apart. */                           \
    static void turn_##T(T *z, int parts, int64_t n, int64_t step, double re,          \
                         double im)                                                    \
    {                                                                                  \
        for (int64_t i = 0; i < n; i++, z += step * parts) {                           \
            const double x = (double)z[0], y = parts == 2 ? (double)z[1] : 0;          \
            z[0] = (T)(x * re - y * im);                                               \
            if (parts == 2)                                                            \
                z[1] = (T)(x * im + y * re);                                           \
        }                                                                              \
    }                                                                                  \
    static void fix_signs_##T(int parts, int64_t n, T *u, T *vt)                       \
    {                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                              \
            T *row = vt + i * n * parts, *top = row;                                   \
            double most = -1;                                                          \
            for (int64_t j = 0; j < n; j++) {                                          \
                T *z = row + j * parts;                                                \
                const double x = (double)z[0], y = parts == 2 ? (double)z[1] : 0;      \
                if (x * x + y * y > most) {                                            \
                    most = x * x + y * y;                                              \
                    top = z;                                                           \
                }                                                                      \
            }                                                                          \
            const double modulus = parts == 2 ? hypot((double)top[0], (double)top[1])  \
                                              : fabs((double)top[0]);                  \
            const double re = (double)top[0] / modulus;                                \
            const double im = parts == 2 ? (double)top[1] / modulus : 0;               \
            if (!(modulus > 0) || (re == 1 && im == 0))                                \
                continue;                                                              \
            turn_##T(row, parts, n, 1, re, -im);                                       \
            if (parts == 2)                                                            \
                top[1] = 0;                                                            \
            if (u)                                                                     \
                turn_##T(u + i * parts, parts, n, n, re, im);                          \
        }                                                                              \
    }

SIGNS(float)
SIGNS(double)

static void fix_signs(clast_dtype dtype, int64_t n, void *u, void *vt)
{
    const int parts = cl_dtype_is_complex(dtype) ? 2 : 1;
    if (cl_dtype_real(dtype) == CLAST_FLOAT32)
        fix_signs_float(parts, n, u, vt);
    else
        fix_signs_double(parts, n, u, vt);
}

clast_status cl_svd_run(clast_dtype dtype, int64_t n, const void *triangle, void *u,
                        void *s, void *vt, void *workspace)
{
    if (!decompose[dtype] || n > 1 << 20 || n < 0)
        return CLAST_EVALUE;
    if (n == 0)
        return CLAST_OK;
    if (!is_finite(dtype, n * n, triangle))
        return CLAST_EVALUE;
    const size_t size = clast_dtype_size(dtype);
    const bool has_vectors = u || vt;
    char *at = workspace;
    void *a = cl_carve(&at, n * n, size);
    void *spare = cl_carve(&at, n * n, size);
    memcpy(a, triangle, (size_t)(n * n) * size);
    void *left = u ? u : spare, *right = vt ? vt : spare;
    request r = {.job = has_vectors ? 'A' : 'N', .n = (lapack_int)n, .a = a, .s = s};
    r.u = right; /* LAPACK's U is our vt */
    r.vt = left;
    const int64_t lwork = work_count(dtype, n);
    r.lwork = (lapack_int)(lwork < INT32_MAX ? lwork : INT32_MAX);
    r.work = cl_carve(&at, lwork, size);
    r.rwork =
        cl_carve(&at, rwork_count(dtype, n), clast_dtype_size(cl_dtype_real(dtype)));
    r.iwork = (lapack_int *)cl_carve(&at, 8 * n, sizeof(lapack_int));
    const lapack_int info = decompose[dtype](&r);
    if (info != 0)
        return info > 0 ? CLAST_EMATH : CLAST_EINTERNAL;
    if (has_vectors)
        fix_signs(dtype, n, u, right);
    return CLAST_OK;
}
