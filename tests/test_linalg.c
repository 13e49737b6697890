/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block linear algebra against plain loops.
 *
 * Products are compared exactly for integers and within the a priori rounding bound for
 * floats, over operands laid out in every way that views make. Factorisations are
 * judged by what defines them: residual, orthogonality, triangle, order, signs, all at
 * a small multiple of eps * n.
 */
#include "kernel/linalg.h"

#include <cblas.h>
#include <complex.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/op.h"
#include "base/thread.h"
#include "check_main.h"

/* ---- matrices ---- */

static uint64_t state;

static uint64_t draw(void)
{
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}

static double uniform(void)
{
    return (double)(draw() >> 11) * 0x1p-52 - 1;
}

static cl_scalar random_element(clast_dtype t)
{
    cl_scalar s;
    memset(&s, 0, sizeof s);
    if (t == CLAST_BOOL) {
        s.u8 = draw() >> 40 & 1;
    } else if (cl_dtype_is_integer(t)) {
        s.u64 = draw(); /* any bits: products must wrap */
    } else {
        const double z[2] = {uniform(), uniform()};
        memcpy(s.c128, z, sizeof z);
        s = cl_scalar_cast(s, CLAST_COMPLEX128, t);
    }
    return s;
}

/* A C-order matrix of random elements; freed by the caller. */
static char *random_matrix(clast_dtype t, int64_t rows, int64_t columns)
{
    const size_t size = clast_dtype_size(t);
    char *m = cl_alloc((size_t)(rows * columns) * size);
    for (int64_t i = 0; i < rows * columns; i++) {
        const cl_scalar s = random_element(t);
        memcpy(m + (size_t)i * size, &s, size);
    }
    return m;
}

static double complex number(clast_dtype t, const void *m, int64_t i)
{
    const size_t size = clast_dtype_size(t);
    cl_scalar s;
    memset(&s, 0, sizeof s);
    memcpy(&s, (const char *)m + (size_t)i * size, size);
    s = cl_scalar_cast(s, t, CLAST_COMPLEX128);
    double complex z; /* by memory: clang's headers may lack CMPLX */
    memcpy(&z, s.c128, sizeof z);
    return z;
}

static double epsilon(clast_dtype t)
{
    return cl_dtype_real(t) == CLAST_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* ---- layouts of an operand ---- */

typedef enum {
    PLAIN,      /* C order */
    TRANSPOSED, /* column-major */
    PADDED,     /* rows further apart than they are long */
    FLIPPED,    /* negative strides on both axes */
    SPREAD,     /* every third element */
    SPLIT,      /* four spans with different layouts */
    OFFSET,     /* part of a larger span, whose box begins elsewhere */
    NLAYOUT
} layout;

typedef struct {
    char *memory;
    cl_box box;
    cl_span span[4];
    cl_input input;
} operand;

static cl_span make_span(char *memory, const cl_box *box, int64_t size, int64_t down,
                         int64_t across)
{
    cl_span s = {*box, memory, {down * size, across * size}};
    if (down < 0)
        s.data += -down * size * (box->n[0] - 1);
    if (across < 0)
        s.data += -across * size * (box->n[1] - 1);
    return s;
}

static void copy_into(const operand *o, const cl_span *s, size_t size,
                      const char *plain)
{
    for (int64_t i = s->box.lo[0]; i < s->box.lo[0] + s->box.n[0]; i++)
        for (int64_t j = s->box.lo[1]; j < s->box.lo[1] + s->box.n[1]; j++) {
            const int64_t y = i - o->box.lo[0], x = j - o->box.lo[1];
            if (y < 0 || x < 0 || y >= o->box.n[0] || x >= o->box.n[1])
                continue;
            const int64_t at =
                (i - s->box.lo[0]) * s->stride[0] + (j - s->box.lo[1]) * s->stride[1];
            memcpy(o->memory + (s->data - o->memory) + at,
                   plain + (size_t)(y * o->box.n[1] + x) * size, size);
        }
}

/* The four quarters (some may be empty) of a box, each laid out in its own way. */
static size_t split(operand *o, int64_t size)
{
    const int64_t r = o->box.n[0], c = o->box.n[1], y = r / 2, x = c / 3;
    size_t count = 0;
    char *at = o->memory;
    for (int q = 0; q < 4; q++) {
        cl_box b = o->box;
        b.lo[0] += q / 2 ? y : 0;
        b.lo[1] += q % 2 ? x : 0;
        b.n[0] = q / 2 ? r - y : y;
        b.n[1] = q % 2 ? c - x : x;
        if (cl_box_count(&b) == 0)
            continue;
        o->span[count++] = q == 1   ? make_span(at, &b, size, 1, b.n[0])
                           : q == 2 ? make_span(at, &b, size, -b.n[1], 1)
                                    : make_span(at, &b, size, b.n[1], 1);
        at += cl_box_count(&b) * size;
    }
    return count;
}

static void lay_out(operand *o, layout how, clast_dtype t, int64_t rows,
                    int64_t columns, const char *plain)
{
    const int64_t size = (int64_t)clast_dtype_size(t);
    *o = (operand){.box = {2, {5, 70}, {rows, columns}}};
    o->memory = cl_calloc((size_t)((rows + 4) * (columns + 9) * 3), (size_t)size);
    cl_box larger = {2, {3, 66}, {rows + 4, columns + 9}};
    size_t count = 1;
    switch (how) {
    case PLAIN:
        o->span[0] = make_span(o->memory, &o->box, size, columns, 1);
        break;
    case TRANSPOSED:
        o->span[0] = make_span(o->memory, &o->box, size, 1, rows);
        break;
    case PADDED:
        o->span[0] = make_span(o->memory, &o->box, size, columns + 5, 1);
        break;
    case FLIPPED:
        o->span[0] = make_span(o->memory, &o->box, size, -columns, -1);
        break;
    case SPREAD:
        o->span[0] = make_span(o->memory, &o->box, size, 3 * columns, 3);
        break;
    case SPLIT:
        count = split(o, size);
        break;
    case OFFSET:
    case NLAYOUT:
        o->span[0] = make_span(o->memory, &larger, size, 1, rows + 4);
        break;
    }
    o->input = (cl_input){count, o->span};
    for (size_t s = 0; s < count; s++)
        copy_into(o, &o->span[s], (size_t)size, plain);
}

/* ---- products ---- */

/* c += a @ b in the widest type of the kind. */
static void reference_integer(clast_dtype t, int64_t m, int64_t n, int64_t k,
                              const char *a, const char *b, char *c)
{
    const size_t size = clast_dtype_size(t);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            memcpy(&sum, c + (size_t)(i * n + j) * size, size);
            for (int64_t l = 0; l < k; l++) {
                uint64_t x = 0, y = 0;
                memcpy(&x, a + (size_t)(i * k + l) * size, size);
                memcpy(&y, b + (size_t)(l * n + j) * size, size);
                sum = t == CLAST_BOOL ? sum | (x & y) : sum + x * y;
            }
            memcpy(c + (size_t)(i * n + j) * size, &sum, size); /* little-endian */
        }
}

/* The largest error over the bound (k + 2) eps |a| |b|; c0 is what c was before. */
static double worst_error(clast_dtype t, int64_t m, int64_t n, int64_t k, const char *a,
                          const char *b, const char *c0, const char *c)
{
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double complex sum = c0 ? number(t, c0, i * n + j) : 0;
            double size = cabs(sum);
            for (int64_t l = 0; l < k; l++) {
                const double complex x = number(t, a, i * k + l);
                const double complex y = number(t, b, l * n + j);
                sum += x * y;
                size += cabs(x) * cabs(y);
            }
            const double bound = (double)(2 * k + 4) * epsilon(t) * size + DBL_MIN;
            const double error = cabs(sum - number(t, c, i * n + j)) / bound;
            worst = error > worst || isnan(error) ? error : worst;
        }
    return worst;
}

static void check_product(clast_dtype t, int64_t m, int64_t n, int64_t k, layout la,
                          layout lb, bool first)
{
    const size_t size = clast_dtype_size(t), bytes = (size_t)(m * n) * size;
    char *pa = random_matrix(t, m, k), *pb = random_matrix(t, k, n);
    char *c = random_matrix(t, m, n), *want = cl_calloc(bytes, 1);
    const size_t room = cl_gemm_workspace(t, m, n, k);
    char *work = cl_alloc(room);
    operand a, b;
    lay_out(&a, la, t, m, k, pa);
    lay_out(&b, lb, t, k, n, pb);
    if (!first)
        memcpy(want, c, bytes);
    ck_assert_int_eq(
        cl_gemm_run(t, &a.box, &a.input, &b.box, &b.input, c, first, work, NULL),
        CLAST_OK);
    if (t < CLAST_FLOAT32) {
        reference_integer(t, m, n, k, pa, pb, want);
        ck_assert_int_eq(memcmp(c, want, bytes), 0);
    } else {
        const double worst = worst_error(t, m, n, k, pa, pb, want, c);
        ck_assert_msg(worst <= 1, "%s: error %g of the bound", clast_dtype_name(t),
                      worst);
    }
    cl_free(pa), cl_free(pb), cl_free(c), cl_free(want), cl_free(work);
    cl_free(a.memory), cl_free(b.memory);
}

static const struct {
    int64_t m, n, k;
} sizes[] = {{1, 1, 1},   {1, 7, 5}, {7, 1, 5}, {5, 7, 1},
             {13, 9, 17}, {4, 6, 0}, {3, 3, 3}, {6, 4, 259}};

START_TEST(test_layouts)
{
    const clast_dtype t = (clast_dtype)_i;
    const uint64_t before = cl_alloc_live();
    state = 88172645463325252u;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int la = 0; la < NLAYOUT; la++)
            for (int lb = 0; lb < NLAYOUT; lb++)
                check_product(t, sizes[s].m, sizes[s].n, sizes[s].k, (layout)la,
                              (layout)lb, (la + lb) % 2 == 0);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

/* Beyond one part of c, one panel of K, one strip. */
START_TEST(test_large)
{
    static const clast_dtype types[] = {CLAST_FLOAT32, CLAST_COMPLEX128, CLAST_INT16,
                                        CLAST_BOOL};
    state = 362436069362436069u + (uint64_t)_i;
    check_product(types[_i], 2051, 7, 300, TRANSPOSED, PLAIN, true);
    check_product(types[_i], 3, 2100, 600, SPLIT, TRANSPOSED, false);
}
END_TEST

/* What is in c before a first product does not matter, and NaN times 0 is NaN. */
START_TEST(test_nan)
{
    const double nan_and_one[2] = {NAN, 1}, zero_and_two[2] = {0, 2};
    double c = NAN, work[16];
    operand a, b;
    lay_out(&a, PLAIN, CLAST_FLOAT64, 1, 2, (const char *)zero_and_two);
    lay_out(&b, PLAIN, CLAST_FLOAT64, 2, 1, (const char *)zero_and_two);
    ck_assert_uint_le(cl_gemm_workspace(CLAST_FLOAT64, 1, 1, 2), sizeof work);
    cl_gemm_run(CLAST_FLOAT64, &a.box, &a.input, &b.box, &b.input, &c, true, work,
                NULL);
    ck_assert(c == 4);
    cl_free(b.memory);
    lay_out(&b, PLAIN, CLAST_FLOAT64, 2, 1, (const char *)nan_and_one);
    cl_gemm_run(CLAST_FLOAT64, &a.box, &a.input, &b.box, &b.input, &c, true, work,
                NULL);
    ck_assert(isnan(c));
    cl_free(a.memory), cl_free(b.memory);
}
END_TEST

static bool say_stop(void *arg)
{
    return true;
}

START_TEST(test_cancels)
{
    const cl_poll poll = {say_stop, NULL};
    static double x[16], c[16], t[(8 + CL_QR_NB) * 4], work[CL_QR_NB * CL_QR_NB * 2];
    operand a;
    lay_out(&a, PLAIN, CLAST_FLOAT64, 4, 4, (const char *)x);
    ck_assert_int_eq(cl_gemm_run(CLAST_FLOAT64, &a.box, &a.input, &a.box, &a.input, c,
                                 true, work, &poll),
                     CLAST_ECANCELED);
    ck_assert_int_eq(cl_gemm_run(CLAST_INT64, &a.box, &a.input, &a.box, &a.input, c,
                                 true, work, &poll),
                     CLAST_ECANCELED);
    ck_assert_int_eq(cl_qr_run(CLAST_FLOAT64, &a.box, &a.input, t, c, work, &poll),
                     CLAST_ECANCELED);
    ck_assert_int_eq(cl_q_run(CLAST_FLOAT64, 4, 4, t, x, c, work, &poll),
                     CLAST_ECANCELED);
    cl_free(a.memory);
}
END_TEST

/* ---- judging factors ---- */

/* max |x @ y - want|; x is m x k, y k x n. */
static double residual(clast_dtype t, int64_t m, int64_t n, int64_t k, const void *x,
                       const void *y, const void *want)
{
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double complex sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += number(t, x, i * k + l) * number(t, y, l * n + j);
            const double error = cabs(sum - number(t, want, i * n + j));
            worst = error > worst || isnan(error) ? error : worst;
        }
    return worst;
}

/* max |q^H q - 1| of a rows x n matrix. */
static double unorthogonality(clast_dtype t, int64_t rows, int64_t n, const void *q)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double complex sum = i == j ? -1 : 0;
            for (int64_t l = 0; l < rows; l++)
                sum += conj(number(t, q, l * n + i)) * number(t, q, l * n + j);
            worst = cabs(sum) > worst || isnan(cabs(sum)) ? cabs(sum) : worst;
        }
    return worst;
}

static bool is_upper(clast_dtype t, int64_t n, const void *r)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            if (number(t, r, i * n + j) != 0)
                return false;
    return true;
}

static void *identity(clast_dtype t, int64_t n)
{
    const size_t size = clast_dtype_size(t);
    char *m = cl_calloc((size_t)(n * n), size);
    const cl_scalar one = cl_scalar_cast((cl_scalar){.f64 = 1}, CLAST_FLOAT64, t);
    for (int64_t i = 0; i < n; i++)
        memcpy(m + (size_t)(i * n + i) * size, &one, size);
    return m;
}

static const clast_dtype inexact[] = {CLAST_FLOAT32, CLAST_FLOAT64, CLAST_COMPLEX64,
                                      CLAST_COMPLEX128};

static const struct {
    int64_t rows, n;
    layout how;
} tall[] = {{1, 1, PLAIN},
            {9, 1, FLIPPED},
            {5, 5, TRANSPOSED},
            {CL_QR_NB, CL_QR_NB, PLAIN},
            {CL_QR_NB + 1, CL_QR_NB + 1, SPLIT},
            {133, CL_QR_NB, SPREAD},
            {133, CL_QR_NB + 1, OFFSET},
            {81, 2 * CL_QR_NB, TRANSPOSED},
            {200, 2 * CL_QR_NB + 7, SPLIT},
            {600, 70, SPREAD},
            {300, 140, PLAIN}};

/* ---- QR ---- */

static void check_qr(clast_dtype t, int64_t rows, int64_t n, layout how)
{
    const size_t size = clast_dtype_size(t);
    const double small = 10 * epsilon(t) * (double)rows;
    char *plain = random_matrix(t, rows, n), *eye = identity(t, n);
    char *r = cl_alloc((size_t)(n * n) * size),
         *q = cl_alloc((size_t)(rows * n) * size);
    char *v = cl_alloc((size_t)cl_reflector_bytes(t, rows, n));
    char *work = cl_alloc(cl_qr_workspace(t, rows, n));
    operand a;
    lay_out(&a, how, t, rows, n, plain);
    ck_assert_int_eq(cl_qr_run(t, &a.box, &a.input, v, r, work, NULL), CLAST_OK);
    ck_assert(is_upper(t, n, r));
    ck_assert_int_eq(cl_q_run(t, rows, n, v, eye, q, work, NULL), CLAST_OK);
    ck_assert_double_le(unorthogonality(t, rows, n, q), small);
    ck_assert_double_le(residual(t, rows, n, n, q, r, plain), small);
    ck_assert_int_eq(cl_q_run(t, rows, n, v, r, q, work, NULL), CLAST_OK);
    ck_assert_double_le(residual(t, rows, n, n, q, eye, plain), small); /* Q @ R = A */
    cl_free(plain), cl_free(eye), cl_free(r), cl_free(q), cl_free(v), cl_free(work);
    cl_free(a.memory);
}

START_TEST(test_qr)
{
    const uint64_t before = cl_alloc_live();
    state = 521288629521288629u;
    for (size_t s = 0; s < sizeof tall / sizeof *tall; s++)
        check_qr(inexact[_i], tall[s].rows, tall[s].n, tall[s].how);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

/* Triangles stacked and factored: Q @ R must give the stack back. */
START_TEST(test_qr_join)
{
    const clast_dtype t = inexact[_i / 3];
    const int64_t n = (int64_t[]){1, 17, 43}[_i % 3], count = 3, rows = count * n;
    const size_t size = clast_dtype_size(t), square = (size_t)(n * n) * size;
    const double small = 10 * epsilon(t) * (double)rows;
    state = 123456789123456789u;
    char *stack = random_matrix(t, rows, n), *eye = identity(t, n);
    const void *triangles[3];
    for (int64_t i = 0; i < count; i++) {
        triangles[i] = stack + (size_t)i * square;
        for (int64_t row = 1; row < n; row++)
            memset(stack + (size_t)i * square + (size_t)(row * n) * size, 0,
                   (size_t)row * size);
    }
    char *r = cl_alloc(square), *q = cl_alloc(3 * square);
    char *v = cl_alloc((size_t)cl_reflector_bytes(t, rows, n));
    char *work = cl_alloc(cl_qr_workspace(t, rows, n));
    ck_assert_int_eq(cl_qr_join_run(t, n, 3, triangles, v, r, work, NULL), CLAST_OK);
    ck_assert(is_upper(t, n, r));
    ck_assert_int_eq(cl_q_run(t, rows, n, v, eye, q, work, NULL), CLAST_OK);
    ck_assert_double_le(unorthogonality(t, rows, n, q), small);
    ck_assert_double_le(residual(t, rows, n, n, q, r, stack), small);
    cl_free(stack), cl_free(eye), cl_free(r), cl_free(q), cl_free(v), cl_free(work);
}
END_TEST

START_TEST(test_qr_refuses)
{
    const cl_box wide = {2, {0, 0}, {3, 4}}, square = {2, {0, 0}, {3, 3}};
    const cl_input none = {0, NULL};
    ck_assert_int_eq(cl_qr_run(CLAST_FLOAT64, &wide, &none, NULL, NULL, NULL, NULL),
                     CLAST_EVALUE);
    ck_assert_int_eq(cl_qr_run(CLAST_INT32, &square, &none, NULL, NULL, NULL, NULL),
                     CLAST_EVALUE);
}
END_TEST

/* ---- SVD ---- */

/* Row i of vt: the component of largest modulus is real and positive. */
static bool has_fixed_signs(clast_dtype t, int64_t n, const void *vt)
{
    for (int64_t i = 0; i < n; i++) {
        double complex top = 0;
        for (int64_t j = 0; j < n; j++) {
            const double complex z = number(t, vt, i * n + j);
            top = cabs(z) > cabs(top) * (1 + 4 * epsilon(t)) ? z : top;
        }
        if (!(creal(top) > 0) || cimag(top) != 0)
            return false;
    }
    return true;
}

/* u @ diag(s) @ vt against a. */
static double svd_residual(clast_dtype t, int64_t n, const void *u, const void *s,
                           const void *vt, const void *a)
{
    const clast_dtype real = cl_dtype_real(t);
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double complex sum = -number(t, a, i * n + j);
            for (int64_t l = 0; l < n; l++)
                sum += number(t, u, i * n + l) * number(real, s, l) *
                       number(t, vt, l * n + j);
            worst = cabs(sum) > worst || isnan(cabs(sum)) ? cabs(sum) : worst;
        }
    return worst;
}

static bool is_descending(clast_dtype real, int64_t n, const void *s)
{
    for (int64_t i = 0; i < n; i++) {
        const double v = creal(number(real, s, i));
        if (!(v >= 0) || (i > 0 && v > creal(number(real, s, i - 1))))
            return false;
    }
    return true;
}

/* max |x - y| over n numbers. */
static double distance(clast_dtype t, int64_t n, const void *x, const void *y)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = cabs(number(t, x, i) - number(t, y, i));
        worst = d > worst || isnan(d) ? d : worst;
    }
    return worst;
}

static void check_svd(clast_dtype t, int64_t n)
{
    const clast_dtype real = cl_dtype_real(t);
    const size_t square = (size_t)(n * n) * clast_dtype_size(t);
    const size_t vector = (size_t)n * clast_dtype_size(real);
    const double small = 20 * epsilon(t) * (double)n;
    char *a = random_matrix(t, n, n), *before = cl_alloc(square);
    char *u = cl_alloc(square), *vt = cl_alloc(square), *s = cl_alloc(vector);
    char *other = cl_alloc(square), *s2 = cl_alloc(vector);
    char *work = cl_alloc(cl_svd_workspace(t, n));
    memcpy(before, a, square);
    ck_assert_int_eq(cl_svd_run(t, n, a, u, s, vt, work), CLAST_OK);
    ck_assert_int_eq(memcmp(a, before, square), 0);
    ck_assert(is_descending(real, n, s));
    ck_assert(has_fixed_signs(t, n, vt));
    ck_assert_double_le(unorthogonality(t, n, n, u), small);
    ck_assert_double_le(unorthogonality(t, n, n, vt), small);
    ck_assert_double_le(svd_residual(t, n, u, s, vt, a), small);
    ck_assert_int_eq(cl_svd_run(t, n, a, other, s2, NULL, work), CLAST_OK);
    ck_assert_int_eq(memcmp(other, u, square), 0);
    ck_assert_int_eq(cl_svd_run(t, n, a, NULL, s2, other, work), CLAST_OK);
    ck_assert_int_eq(memcmp(other, vt, square), 0);
    ck_assert_int_eq(cl_svd_run(t, n, a, NULL, s2, NULL, work), CLAST_OK);
    ck_assert_double_le(distance(real, n, s, s2), small);
    cl_free(a), cl_free(before), cl_free(u), cl_free(vt), cl_free(s), cl_free(other);
    cl_free(s2), cl_free(work);
}

START_TEST(test_svd)
{
    static const int64_t ns[] = {1, 2, 3, 7, 30, 64};
    const uint64_t before = cl_alloc_live();
    state = 987654321987654321u;
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++)
        check_svd(inexact[_i], ns[i]);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

/* Known by hand: [[0, 2], [-3, 0]]. */
START_TEST(test_svd_by_hand)
{
    const double a[4] = {0, 2, -3, 0};
    double u[4], s[2], vt[4];
    char *work = cl_alloc(cl_svd_workspace(CLAST_FLOAT64, 2));
    ck_assert_int_eq(cl_svd_run(CLAST_FLOAT64, 2, a, u, s, vt, work), CLAST_OK);
    const double want_u[4] = {0, 1, -1, 0}, want_s[2] = {3, 2},
                 want_vt[4] = {1, 0, 0, 1};
    ck_assert_double_le(distance(CLAST_FLOAT64, 4, u, want_u), 1e-15);
    ck_assert_double_le(distance(CLAST_FLOAT64, 2, s, want_s), 1e-15);
    ck_assert_double_le(distance(CLAST_FLOAT64, 4, vt, want_vt), 1e-15);
    cl_free(work);
}
END_TEST

START_TEST(test_svd_refuses)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    const clast_dtype t = inexact[_i];
    char *work = cl_alloc(cl_svd_workspace(t, 3)), *a = identity(t, 3);
    double s[3];
    const size_t size = clast_dtype_size(t);
    for (size_t i = 0; i < 3; i++) {
        cl_scalar z = {.c128 = {0, 0}};
        z.c128[cl_dtype_is_complex(t)] = bad[i]; /* complex: the imaginary part */
        z = cl_scalar_cast(z, CLAST_COMPLEX128, t);
        memcpy(a + 5 * size, &z, size);
        ck_assert_int_eq(cl_svd_run(t, 3, a, NULL, s, NULL, work), CLAST_EVALUE);
    }
    ck_assert_int_eq(cl_svd_run(CLAST_INT64, 3, a, NULL, s, NULL, work), CLAST_EVALUE);
    ck_assert_uint_eq(cl_svd_workspace(CLAST_INT64, 3), SIZE_MAX);
    ck_assert_int_eq(cl_svd_run(t, 0, a, NULL, s, NULL, work), CLAST_OK);
    cl_free(work), cl_free(a);
}
END_TEST

/* ---- threads of BLAS ---- */

START_TEST(test_blas_threads)
{
    openblas_set_num_threads(2);
    const int before = openblas_get_num_threads(), width = cl_fork_width();
    cl_blas_enter();
    ck_assert_int_eq(openblas_get_num_threads(), 1);
    cl_blas_enter();
    cl_blas_leave();
    ck_assert_int_eq(openblas_get_num_threads(), 1);
    cl_blas_leave();
    ck_assert_int_eq(openblas_get_num_threads(), before);
    ck_assert_int_eq(cl_fork_width(), width);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("linalg");
    TCase *p = tcase_create("product");
    tcase_add_loop_test(p, test_layouts, 0, CLAST_NDTYPE);
    tcase_add_loop_test(p, test_large, 0, 4);
    tcase_add_test(p, test_nan);
    tcase_add_test(p, test_cancels);
    tcase_add_test(p, test_blas_threads);
    suite_add_tcase(s, p);
    TCase *q = tcase_create("factor");
    tcase_add_loop_test(q, test_qr, 0, 4);
    tcase_add_loop_test(q, test_qr_join, 0, 12);
    tcase_add_test(q, test_qr_refuses);
    tcase_add_loop_test(q, test_svd, 0, 4);
    tcase_add_test(q, test_svd_by_hand);
    tcase_add_loop_test(q, test_svd_refuses, 0, 4);
    suite_add_tcase(s, q);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
