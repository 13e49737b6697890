/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Matrix products of blocks: c (+)= a @ b.
 *
 * The product is cut into parts of at most 2048 x 2048 of c and, within a part, panels
 * of 256 along K, which are added in ascending order; the cuts depend on m, n and k
 * alone, so that the bits do too. An operand's panel is used where it lies if one span
 * covers it with unit stride along one axis (along the other BLAS's flag transposes);
 * anything else (several spans, negative or zero strides, gaps) is packed in C order
 * into the workspace first.
 *
 * Floats and complex numbers go to ?gemm. Integers wrap: their loops run on the
 * unsigned type of the same width, four rows of b at a time over strips of 512 columns,
 * so that a strip of b stays in cache and the inner loop is one vectorised update of c.
 *
 * Cost: 2mnk operations, and one copy of each panel that has to be packed.
 */
#include "base/least.h"
#include "kernel/linalg.h"

#include <cblas.h>
#include <string.h>

#include "kernel/dense.h"

#define PART  ((int64_t)2048)
#define PANEL ((int64_t)256)
#define STRIP ((int64_t)512)
#define ROWS  ((int64_t)64) /* of integer products between two polls */

typedef struct {
    const char *data;
    int64_t ld; /* elements */
    bool is_transposed;
} operand;

/* One call's worth. */
typedef struct {
    int64_t m, n, k;
    operand a, b;
    char *c;
    int64_t ldc;
    bool first;
} product;

typedef clast_status product_fn(const product *p, const cl_poll *poll);

/* ---- floats and complex numbers: BLAS ---- */

static CBLAS_TRANSPOSE flag(const operand *o)
{
    return o->is_transposed ? CblasTrans : CblasNoTrans;
}

#define BLAS_REAL(name, T, call)                                                       \
    static clast_status name(const product *p, const cl_poll *poll)                    \
    {                                                                                  \
        call(CblasRowMajor, flag(&p->a), flag(&p->b), (blasint)p->m, (blasint)p->n,    \
             (blasint)p->k, 1, (const T *)(const void *)p->a.data, (blasint)p->a.ld,   \
             (const T *)(const void *)p->b.data, (blasint)p->b.ld, p->first ? 0 : 1,   \
             (T *)(void *)p->c, (blasint)p->ldc);                                      \
        return CLAST_OK;                                                               \
    }

#define BLAS_COMPLEX(name, T, call)                                                    \
    static clast_status name(const product *p, const cl_poll *poll)                    \
    {                                                                                  \
        const T one[2] = {1, 0}, beta[2] = {p->first ? 0 : 1, 0};                      \
        call(CblasRowMajor, flag(&p->a), flag(&p->b), (blasint)p->m, (blasint)p->n,    \
             (blasint)p->k, one, p->a.data, (blasint)p->a.ld, p->b.data,               \
             (blasint)p->b.ld, beta, p->c, (blasint)p->ldc);                           \
        return CLAST_OK;                                                               \
    }

BLAS_REAL(multiply_f32, float, cblas_sgemm)
BLAS_REAL(multiply_f64, double, cblas_dgemm)
BLAS_COMPLEX(multiply_c64, float, cblas_cgemm)
BLAS_COMPLEX(multiply_c128, double, cblas_zgemm)

/* ---- integers and bool: own loops ---- */

/* Integer products are exact, so which instructions they use may depend on the CPU. */
#if defined(__x86_64__)
#define WIDER __attribute__((target("avx2")))
static bool has_wider(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
#define WIDER
static bool has_wider(void)
{
    return false;
}
#endif

/* WIDE keeps 8 and 16 bit products from being promoted to signed int, where they could
 * overflow. */
#define ROW(name, target, T, WIDE, TIMES, PLUS)                                        \
    target static void name(T *restrict c, const T *restrict a, const T *restrict b,   \
                            int64_t ldb, int64_t k, int64_t n)                         \
    {                                                                                  \
        int64_t l = 0;                                                                 \
        for (; l + 4 <= k; l += 4) {                                                   \
            const T *b0 = b + l * ldb, *b1 = b0 + ldb, *b2 = b1 + ldb, *b3 = b2 + ldb; \
            const WIDE a0 = a[l], a1 = a[l + 1], a2 = a[l + 2], a3 = a[l + 3];         \
            for (int64_t j = 0; j < n; j++)                                            \
                c[j] = (T)(c[j] PLUS(a0 TIMES b0[j]) PLUS(a1 TIMES b1[j])              \
                               PLUS(a2 TIMES b2[j]) PLUS(a3 TIMES b3[j]));             \
        }                                                                              \
        for (; l < k; l++) {                                                           \
            const T *b0 = b + l * ldb;                                                 \
            const WIDE a0 = a[l];                                                      \
            for (int64_t j = 0; j < n; j++)                                            \
                c[j] = (T)(c[j] PLUS(a0 TIMES b0[j]));                                 \
        }                                                                              \
    }

#define WRAPPING(name, T, WIDE, TIMES, PLUS)                                           \
    ROW(row_##name, , T, WIDE, TIMES, PLUS)                                            \
    ROW(wide_row_##name, WIDER, T, WIDE, TIMES, PLUS)                                  \
    static clast_status multiply_##name(const product *p, const cl_poll *poll)         \
    {                                                                                  \
        const T *a = (const T *)(const void *)p->a.data;                               \
        const T *b = (const T *)(const void *)p->b.data;                               \
        T *c = (T *)(void *)p->c;                                                      \
        void (*const row)(T *restrict, const T *restrict, const T *restrict, int64_t,  \
                          int64_t, int64_t) =                                          \
            has_wider() ? wide_row_##name : row_##name;                                \
        for (int64_t i = 0; p->first && i < p->m; i++)                                 \
            memset(c + i * p->ldc, 0, (size_t)p->n * sizeof *c);                       \
        for (int64_t j = 0; j < p->n; j += STRIP) {                                    \
            const int64_t n = p->n - j < STRIP ? p->n - j : STRIP;                     \
            for (int64_t i = 0; i < p->m; i++) {                                       \
                if (i % ROWS == 0 && cl_is_canceled(poll))                             \
                    return CLAST_ECANCELED;                                            \
                row(c + i * p->ldc + j, a + i * p->a.ld, b + j, p->b.ld, p->k, n);     \
            }                                                                          \
        }                                                                              \
        return CLAST_OK;                                                               \
    }

WRAPPING(u8, uint8_t, uint32_t, *, +)
WRAPPING(u16, uint16_t, uint32_t, *, +)
WRAPPING(u32, uint32_t, uint32_t, *, +)
WRAPPING(u64, uint64_t, uint64_t, *, +)
WRAPPING(bool, uint8_t, uint8_t, &, |)

static product_fn *const multiply[CLAST_NDTYPE] = {
    [CLAST_BOOL] = multiply_bool,      [CLAST_INT8] = multiply_u8,
    [CLAST_INT16] = multiply_u16,      [CLAST_INT32] = multiply_u32,
    [CLAST_INT64] = multiply_u64,      [CLAST_UINT8] = multiply_u8,
    [CLAST_UINT16] = multiply_u16,     [CLAST_UINT32] = multiply_u32,
    [CLAST_UINT64] = multiply_u64,     [CLAST_FLOAT32] = multiply_f32,
    [CLAST_FLOAT64] = multiply_f64,    [CLAST_COMPLEX64] = multiply_c64,
    [CLAST_COMPLEX128] = multiply_c128};

/* ---- operands ---- */

static bool covers(const cl_box *span, const cl_box *part)
{
    for (int a = 0; a < 2; a++)
        if (part->lo[a] < span->lo[a] ||
            part->lo[a] + part->n[a] > span->lo[a] + span->n[a])
            return false;
    return true;
}

/* The leading dimension for lines of `length` elements, `count` of them `stride` bytes
 * apart; 0 where BLAS cannot express it. */
static int64_t leading(int64_t stride, int64_t count, int64_t length, int64_t size)
{
    if (count == 1)
        return length;
    if (stride % size != 0 || stride / size < length || !cl_fits_blas(stride / size))
        return 0;
    return stride / size;
}

/* Whether a part can be used where it lies. */
static bool find_in_place(const cl_span *span, const cl_box *part, int64_t size,
                          bool may_transpose, operand *o)
{
    const int64_t rows = part->n[0], columns = part->n[1];
    const int64_t down = span->stride[0], across = span->stride[1];
    *o = (operand){.data = span->data};
    for (int a = 0; a < 2; a++)
        o->data += (part->lo[a] - span->box.lo[a]) * span->stride[a];
    if (!may_transpose && (uintptr_t)o->data % (uintptr_t)size != 0)
        return false; /* our own loops; BLAS takes what comes */
    if (columns == 1 || across == size)
        o->ld = leading(down, rows, columns, size);
    if (o->ld == 0 && may_transpose && (rows == 1 || down == size)) {
        o->ld = leading(across, columns, rows, size);
        o->is_transposed = true;
    }
    return o->ld > 0;
}

static operand find_operand(const cl_input *input, const cl_box *part, size_t size,
                            bool may_transpose, char *room)
{
    operand o;
    for (size_t s = 0; s < input->count; s++)
        if (covers(&input->span[s].box, part) &&
            find_in_place(&input->span[s], part, (int64_t)size, may_transpose, &o))
            return o;
    const int64_t stride[2] = {part->n[1] * (int64_t)size, (int64_t)size};
    cl_gather(part, input, size, room, stride);
    return (operand){.data = room, .ld = part->n[1]};
}

/* ---- the whole ---- */

static cl_box part_of(const cl_box *box, int64_t row, int64_t rows, int64_t column,
                      int64_t columns)
{
    return (cl_box){2, {box->lo[0] + row, box->lo[1] + column}, {rows, columns}};
}

/* Whether every part of a box lies in its only span as BLAS can use it. Addresses are
 * not looked at: the answer is the same before there are data. */
static bool is_in_place(clast_dtype dtype, const cl_box *box, const cl_input *input)
{
    const int64_t size = (int64_t)clast_dtype_size(dtype);
    if (dtype < CLAST_FLOAT32 || input->count != 1 || !covers(&input->span->box, box))
        return false;
    for (int a = 0; a < 2; a++) {
        const int64_t step = input->span->stride[a], unit = input->span->stride[1 - a];
        if (unit == size && step % size == 0 && step / size >= box->n[1 - a] &&
            cl_fits_blas(step / size))
            return true;
    }
    return false;
}

size_t cl_gemm_room(clast_dtype dtype, const cl_box *box, const cl_input *input,
                    bool is_left)
{
    const int64_t lines = is_left ? PART : PANEL, length = is_left ? PANEL : PART;
    if (is_in_place(dtype, box, input))
        return 0;
    return cl_carve_size(cl_lesser(box->n[0], lines) * cl_lesser(box->n[1], length),
                         clast_dtype_size(dtype));
}

size_t cl_gemm_workspace(clast_dtype dtype, int64_t m, int64_t n, int64_t k)
{
    const size_t size = clast_dtype_size(dtype);
    return cl_carve_add(cl_carve_size(cl_lesser(m, PART) * cl_lesser(k, PANEL), size),
                        cl_carve_size(cl_lesser(k, PANEL) * cl_lesser(n, PART), size));
}

clast_status cl_gemm_run(clast_dtype dtype, const cl_box *box_a, const cl_input *a,
                         const cl_box *box_b, const cl_input *b, void *c, bool first,
                         void *workspace, const cl_poll *poll)
{
    const size_t size = clast_dtype_size(dtype);
    const int64_t m = box_a->n[0], k = box_a->n[1], n = box_b->n[1];
    const bool is_blas = dtype >= CLAST_FLOAT32;
    char *const room_a = workspace;
    char *const room_b = room_a + cl_gemm_room(dtype, box_a, a, true);
    if (k == 0 && first)
        memset(c, 0, (size_t)m * (size_t)n * size);
    for (int64_t i = 0; i < m; i += PART) {
        for (int64_t j = 0; j < n; j += PART) {
            product p = {.m = cl_lesser(m - i, PART), .n = cl_lesser(n - j, PART)};
            p.c = (char *)c + (i * n + j) * (int64_t)size;
            p.ldc = n;
            for (int64_t l = 0; l < k; l += PANEL) {
                if (cl_is_canceled(poll))
                    return CLAST_ECANCELED;
                p.k = cl_lesser(k - l, PANEL);
                p.first = first && l == 0;
                const cl_box part_a = part_of(box_a, i, p.m, l, p.k);
                const cl_box part_b = part_of(box_b, l, p.k, j, p.n);
                p.a = find_operand(a, &part_a, size, is_blas, room_a);
                p.b = find_operand(b, &part_b, size, is_blas, room_b);
                CL_TRY(multiply[dtype](&p, poll));
            }
        }
    }
    return CLAST_OK;
}
