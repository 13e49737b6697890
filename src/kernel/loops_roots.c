/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Square roots of float64 with AVX-512, rounded correctly, faster than the divider.
 *
 * The divider takes more than twice as long for a vector as Newton's iteration in the
 * multipliers, and both work at the same time: of three vectors one goes to it. This
 * file is the only loop that fuses products and sums, and the lint test no_fma leaves
 * it out: not the way but the correctly rounded result is what all levels share.
 *
 * Why the rounding is correct (P. Markstein, Computation of elementary functions on the
 * IBM RISC System/6000 processor, 1990; M. Cornea, J. Harrison, P. T. P. Tang,
 * Scientific Computing on Itanium-based Systems, 2002, for the hard cases). Let s be
 * the root, and x scaled by a power of 4 to 1 <= x < 4; numbers that are taken here are
 * so large that nothing underflows. All that follows needs of the first approximation
 * is the documented bound of its relative error, 2^-14.
 *
 *     y1 = 1/s (1 + b)         |b| < 2^-40, by one step of third order
 *     g = fl(s (1 + t))        |t| < 2^-79, by Newton's step with x - g1^2 rounded
 *     h = fl(1/(2 g) (1 + u))  |u| < 2^-79, likewise
 *     d = x - g^2              exact: a multiple of 2^-104 less than 2^-51
 *     v = g + d h              rounded once; this is the result
 *
 * Let g = s + e 2^-53, so |e| < 1.01, and h = 1/(2 g) + f 2^-53, so |f| < 0.26. Since
 * d = -e 2^-53 (2 g - e 2^-53), v before its rounding is s + w 2^-106 with
 *
 *     w = e^2 / (2 g) - e f (2 g - e 2^-53),   |e f 2 g| < 0.53 s,
 *     -4.3 < -1.06 s^2 < 2 s w < 1.03 + 1.06 s^2 < 5.3.
 *
 * The result is wrong only if the midpoint m of two doubles lies between v and s, or is
 * v. In units of 2^-106, m^2 is an odd square, thus 1 modulo 8, and x a multiple of
 * 2^54. So m^2 - x, which is 2 s (m - s) nearly to the last bit, is one of ..., -7, 1,
 * 9, 17, ..., of which only 1 is within reach of w. It needs m^2 = 1 modulo 2^54, or
 * modulo 2^55 for x >= 2: m is 2^53 + 1 or 2^54 - 1 in units of 2^-53, and x is 1 +
 * 2^-52 or 4 - 2^-51. These two mantissas are left to the divider.
 */
#include <immintrin.h>

#include "kernel/loops.h"

#define LEAST_BITS 0x07b0000000000000 /* 2^-900 */
#define INFINITE   0x7ff0000000000000

/* Whether all are positive numbers not below 2^-900 with other mantissas than all ones
 * and 1: one more than it, they are 0 and 2. */
static inline bool is_easy(__m512d x)
{
    const __m512i above =
        _mm512_sub_epi64(_mm512_castpd_si512(x), _mm512_set1_epi64(LEAST_BITS - 1));
    const __mmask8 within =
        _mm512_cmplt_epu64_mask(above, _mm512_set1_epi64(INFINITE - LEAST_BITS));
    return _mm512_mask_test_epi64_mask(within, above,
                                       _mm512_set1_epi64(0x000ffffffffffffd)) == 0xff;
}

static inline __m512d iterate(__m512d x)
{
    const __m512d half = _mm512_set1_pd(0.5);
    const __m512d y = _mm512_rsqrt14_pd(x);
    const __m512d e =
        _mm512_fnmadd_pd(_mm512_mul_pd(x, y), y, _mm512_set1_pd(1)); /* 1 - x y^2 */
    const __m512d series = _mm512_fmadd_pd(_mm512_set1_pd(0.375), e, half);
    const __m512d y1 = _mm512_fmadd_pd(_mm512_mul_pd(y, e), series, y);
    const __m512d g1 = _mm512_mul_pd(x, y1), h1 = _mm512_mul_pd(half, y1);
    const __m512d g = _mm512_fmadd_pd(_mm512_fnmadd_pd(g1, g1, x), h1, g1);
    const __m512d h = _mm512_fmadd_pd(_mm512_fnmadd_pd(g, h1, half), y1, h1);
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(g, g, x), h, g);
}

static inline void divide(double *r, const double *x, __mmask8 which)
{
    _mm512_mask_storeu_pd(r, which, _mm512_sqrt_pd(_mm512_maskz_loadu_pd(which, x)));
}

void cl_roots_avx512(size_t n, void *restrict out, const void *pa, const void *pb,
                     const void *pc)
{
    const double *x = pa;
    double *restrict r = out;
    (void)pb;
    (void)pc;
    size_t i = 0;
    for (; i + 24 <= n; i += 24) {
        const __m512d a = _mm512_loadu_pd(x + i), b = _mm512_loadu_pd(x + i + 8);
        divide(r + i + 16, x + i + 16, 0xff);
        if (__builtin_expect(is_easy(a) && is_easy(b), 1)) {
            _mm512_storeu_pd(r + i, iterate(a));
            _mm512_storeu_pd(r + i + 8, iterate(b));
        } else {
            divide(r + i, x + i, 0xff);
            divide(r + i + 8, x + i + 8, 0xff);
        }
    }
    for (; i < n; i += 8)
        divide(r + i, x + i, (__mmask8)(n - i < 8 ? (1 << (n - i)) - 1 : 0xff));
}
