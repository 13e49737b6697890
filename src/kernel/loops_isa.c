/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inner loops of one instruction set: CL_ISA names it (baseline, avx2, avx512), and
 * this file is compiled once for each with that set's flags.
 *
 * loops_integer.inc, loops_float.inc and loops_complex.inc hold one body per kind,
 * included here once per dtype with T (the element), N (its short name) and DT (its
 * clast_dtype) defined. Each leaves behind row_<N>, its loops by operation, acc_<N> and
 * scan_<N>, its reductions. Loops are written plainly for the compiler to vectorise; no
 * level may contract or reassociate.
 */
#include <complex.h>
#include <immintrin.h>
#include <math.h>
#include <sleef.h>
#include <string.h>

#include "kernel/loops.h"
#include "kernel/philox.h"

#define JOIN3_(a, b, c) a##b##c
#define JOIN3(a, b, c)  JOIN3_(a, b, c)
#define NAMED(op)       JOIN3(op, _, N)

typedef struct {
    float re, im;
} c64;
typedef struct {
    double re, im;
} c128;

/* A loop over T giving R: `expression` of a, b and c. */
#define LOOP(OP, R, expression)                                                        \
    static void NAMED(OP)(size_t n, void *restrict out, const void *pa,                \
                          const void *pb, const void *pc)                              \
    {                                                                                  \
        R *restrict r = out;                                                           \
        const T *restrict x = pa, *restrict y = pb;                                    \
        (void)pc;                                                                      \
        for (size_t i = 0; i < n; i++) {                                               \
            const T a = x[i], b = y[i];                                                \
            (void)b;                                                                   \
            r[i] = expression;                                                         \
        }                                                                              \
    }
#define LOOP1(OP, R, expression)                                                       \
    static void NAMED(OP)(size_t n, void *restrict out, const void *pa,                \
                          const void *pb, const void *pc)                              \
    {                                                                                  \
        R *restrict r = out;                                                           \
        const T *restrict x = pa;                                                      \
        (void)pb;                                                                      \
        (void)pc;                                                                      \
        for (size_t i = 0; i < n; i++) {                                               \
            const T a = x[i];                                                          \
            r[i] = expression;                                                         \
        }                                                                              \
    }
#define WHERE_LOOP                                                                     \
    static void NAMED(WHERE)(size_t n, void *restrict out, const void *pa,             \
                             const void *pb, const void *pc)                           \
    {                                                                                  \
        T *restrict r = out;                                                           \
        const uint8_t *restrict which = pa;                                            \
        const T *restrict x = pb, *restrict y = pc;                                    \
        for (size_t i = 0; i < n; i++) {                                               \
            const T a = x[i], b = y[i];                                                \
            r[i] = which[i] ? a : b;                                                   \
        }                                                                              \
    }
#define ORDER_LOOPS                                                                    \
    LOOP(EQ, uint8_t, a == b)                                                          \
    LOOP(NE, uint8_t, a != b)                                                          \
    LOOP(LT, uint8_t, a < b)                                                           \
    LOOP(LE, uint8_t, a <= b)                                                          \
    LOOP(GT, uint8_t, a > b)                                                           \
    LOOP(GE, uint8_t, a >= b)
#define ENTRY(OP)      [CL_OP_##OP] = NAMED(OP),
#define LOOP_ENTRY(OP) [CL_LOOP_##OP] = NAMED(OP),
#define ORDER_ENTRIES  ENTRY(EQ) ENTRY(NE) ENTRY(LT) ENTRY(LE) ENTRY(GT) ENTRY(GE)

#include "kernel/loops_fold.inc"

/* clang-format off */
#define DT CLAST_BOOL
#define N  b1
#define T  uint8_t
#include "kernel/loops_bool.inc"
#undef DT
#undef N
#undef T

#define SIGNED 1
#define DT CLAST_INT8
#define N  i8
#define T  int8_t
#define U  uint32_t
#define LEAST INT8_MIN
#define GREATEST INT8_MAX
#include "kernel/loops_integer.inc"

#define DT CLAST_INT16
#define N  i16
#define T  int16_t
#define U  uint32_t
#define LEAST INT16_MIN
#define GREATEST INT16_MAX
#include "kernel/loops_integer.inc"

#define DT CLAST_INT32
#define N  i32
#define T  int32_t
#define U  uint32_t
#define LEAST INT32_MIN
#define GREATEST INT32_MAX
#include "kernel/loops_integer.inc"

#define DT CLAST_INT64
#define N  i64
#define T  int64_t
#define U  uint64_t
#define LEAST INT64_MIN
#define GREATEST INT64_MAX
#include "kernel/loops_integer.inc"
#undef SIGNED

#define SIGNED 0
#define LEAST 0
#define DT CLAST_UINT8
#define N  u8
#define T  uint8_t
#define U  uint32_t
#define GREATEST UINT8_MAX
#include "kernel/loops_integer.inc"

#define LEAST 0
#define DT CLAST_UINT16
#define N  u16
#define T  uint16_t
#define U  uint32_t
#define GREATEST UINT16_MAX
#include "kernel/loops_integer.inc"

#define LEAST 0
#define DT CLAST_UINT32
#define N  u32
#define T  uint32_t
#define U  uint32_t
#define GREATEST UINT32_MAX
#include "kernel/loops_integer.inc"

#define LEAST 0
#define DT CLAST_UINT64
#define N  u64
#define T  uint64_t
#define U  uint64_t
#define GREATEST UINT64_MAX
#include "kernel/loops_integer.inc"
#undef SIGNED
/* clang-format on */

/* Vectors of floats: loads and stores, SLEEF's name for the lanes, and for the
 * functions of loops_function.inc as many words of 64 bits, a choice for each element,
 * and the entries of a table of 16 that the low bits of words name. */
#if defined(__AVX512F__)
#define VECTOR_f64          __m512d
#define VECTOR_f32          __m512
#define LOAD_f64(p)         _mm512_loadu_pd(p)
#define LOAD_f32(p)         _mm512_loadu_ps(p)
#define STORE_f64(p, v)     _mm512_storeu_pd(p, v)
#define STORE_f32(p, v)     _mm512_storeu_ps(p, v)
#define SLEEF_f64(function) Sleef_cinz_##function##d8_u10avx512fnofma
#define SLEEF_f32(function) Sleef_cinz_##function##f16_u10avx512fnofma
typedef __m512i WORDS_f64;
typedef __mmask8 CHOICE;
#define ALL_f64(x)         _mm512_set1_pd(x)
#define SELECT(c, no, yes) _mm512_mask_blend_pd(c, no, yes)
#define IS_ODD(k)          _mm512_test_epi64_mask(k, _mm512_set1_epi64(1))
#define EXCEEDS(x, bound)                                                              \
    _mm512_cmp_pd_mask(_mm512_abs_pd(x), ALL_f64(bound), _CMP_NLE_UQ)
#define COUNTED(c) (c)
#define EVERY_ONE  0xff
#define LOOK_UP(table, k)                                                              \
    _mm512_permutex2var_pd(_mm512_load_pd(table), k, _mm512_load_pd((table) + 8))
#elif defined(__AVX2__)
#define VECTOR_f64          __m256d
#define VECTOR_f32          __m256
#define LOAD_f64(p)         _mm256_loadu_pd(p)
#define LOAD_f32(p)         _mm256_loadu_ps(p)
#define STORE_f64(p, v)     _mm256_storeu_pd(p, v)
#define STORE_f32(p, v)     _mm256_storeu_ps(p, v)
#define SLEEF_f64(function) Sleef_cinz_##function##d4_u10avx
#define SLEEF_f32(function) Sleef_cinz_##function##f8_u10avx
typedef __m256i WORDS_f64;
typedef __m256d CHOICE;
#define ALL_f64(x)          _mm256_set1_pd(x)
#define SELECT(c, no, yes)  _mm256_blendv_pd(no, yes, c)
#define IS_ODD(k)           ((__m256d)((k) << 63))
#define EXCEEDS(x, bound)                                                              \
    _mm256_cmp_pd(_mm256_andnot_pd(ALL_f64(-0.0), x), ALL_f64(bound), _CMP_NLE_UQ)
#define COUNTED(c)        _mm256_movemask_pd(c)
#define EVERY_ONE         0xf
#define LOOK_UP(table, k) _mm256_i64gather_pd(table, (k)&15, 8)
#else
#define VECTOR_f64          __m128d
#define VECTOR_f32          __m128
#define LOAD_f64(p)         _mm_loadu_pd(p)
#define LOAD_f32(p)         _mm_loadu_ps(p)
#define STORE_f64(p, v)     _mm_storeu_pd(p, v)
#define STORE_f32(p, v)     _mm_storeu_ps(p, v)
#define SLEEF_f64(function) Sleef_cinz_##function##d2_u10sse2
#define SLEEF_f32(function) Sleef_cinz_##function##f4_u10sse2
typedef __m128i WORDS_f64;
typedef __m128d CHOICE;
#define ALL_f64(x)          _mm_set1_pd(x)
#define SELECT(c, no, yes)  _mm_or_pd(_mm_andnot_pd(c, no), _mm_and_pd(c, yes))
#define IS_ODD(k)           ((__m128d)(-((k)&1)))
#define EXCEEDS(x, bound)   _mm_cmpnle_pd(_mm_andnot_pd(ALL_f64(-0.0), x), ALL_f64(bound))
#define COUNTED(c)          _mm_movemask_pd(c)
#define EVERY_ONE           0x3
#define LOOK_UP(table, k)   _mm_setr_pd((table)[(k)[0] & 15], (table)[(k)[1] & 15])
#endif

#include "kernel/loops_function.inc"

/* clang-format off */
#define DT CLAST_FLOAT32
#define N  f32
#define T  float
#define M(function) function##f
#define VECTOR VECTOR_f32
#define LOAD LOAD_f32
#define STORE STORE_f32
#define SLEEF SLEEF_f32
#define EXP_OF SLEEF_f32(exp)
#define SIN_OF SLEEF_f32(sin)
#define COS_OF SLEEF_f32(cos)
#include "kernel/loops_float.inc"

#define DT CLAST_FLOAT64
#define N  f64
#define T  double
#define M(function) function
#define VECTOR VECTOR_f64
#define LOAD LOAD_f64
#define STORE STORE_f64
#define SLEEF SLEEF_f64
#define EXP_OF exp_f64
#define SIN_OF sin_f64
#define COS_OF cos_f64
#if defined(__AVX512F__)
#define ROOTS cl_roots_avx512
#endif
#include "kernel/loops_float.inc"

#define DT CLAST_COMPLEX64
#define N  c64
#define T  c64
#define REAL float
#define C99 float _Complex
#define M(function) function##f
#include "kernel/loops_complex.inc"

#define DT CLAST_COMPLEX128
#define N  c128
#define T  c128
#define REAL double
#define C99 double _Complex
#define M(function) function
#include "kernel/loops_complex.inc"
/* clang-format on */

#include "kernel/loops_cast.inc"
#include "kernel/loops_make.inc"
#include "kernel/loops_move.inc"
#include "kernel/loops_qr_leaf.inc"

static void join_moments(int64_t n, double *restrict mean, double *restrict m2,
                         const double *restrict other, const double *restrict other_m2,
                         double share, double weight)
{
    for (int64_t i = 0; i < n; i++) {
        const double delta = other[i] - mean[i];
        mean[i] += delta * share;
        m2[i] += other_m2[i] + delta * delta * weight;
    }
}

#define ROW(DT, N)  [DT] = JOIN3(row, _, N),
#define ACC(DT, N)  [DT] = JOIN3(acc, _, N),
#define SCAN(DT, N) [DT] = &JOIN3(scan, _, N),
#define DTYPES(X)                                                                      \
    X(CLAST_BOOL, b1)                                                                  \
    X(CLAST_INT8, i8)                                                                  \
    X(CLAST_INT16, i16)                                                                \
    X(CLAST_INT32, i32)                                                                \
    X(CLAST_INT64, i64)                                                                \
    X(CLAST_UINT8, u8)                                                                 \
    X(CLAST_UINT16, u16)                                                               \
    X(CLAST_UINT32, u32)                                                               \
    X(CLAST_UINT64, u64)                                                               \
    X(CLAST_FLOAT32, f32)                                                              \
    X(CLAST_FLOAT64, f64)                                                              \
    X(CLAST_COMPLEX64, c64)                                                            \
    X(CLAST_COMPLEX128, c128)

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const cl_loops JOIN3(cl_loops, _, CL_ISA) = {
    .name = TEXT(CL_ISA),
    .op = {DTYPES(ROW)},
    .cast = {CASTS},
    .arange = {[CLAST_INT64] = arange_i64,
               [CLAST_UINT64] = arange_u64,
               [CLAST_FLOAT64] = arange_f64},
    .random = {[CLAST_FLOAT32] = random_f32, [CLAST_FLOAT64] = random_f64},
    .acc = {DTYPES(ACC)},
    .scan = {DTYPES(SCAN)},
    .join_moments = join_moments,
    .has_negative = {[CLAST_INT8] = has_negative_i8,
                     [CLAST_INT16] = has_negative_i16,
                     [CLAST_INT32] = has_negative_i32,
                     [CLAST_INT64] = has_negative_i64},
    .reflect = {reflect_0, reflect_1, reflect_2, reflect_3, reflect_4, reflect_5,
                reflect_6, reflect_7},
    .products = products_f64,
    .turn = TURNS,
};
