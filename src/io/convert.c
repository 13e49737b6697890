/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Conversion strip by strip.
 *
 * A strip of stored elements is first copied to a small buffer, so that the steps after
 * that (swap, widen, mask and scale) are plain loops over memory that does not overlap,
 * and so that in-place conversion is right: by the time the strip's results are written
 * its sources are safe, and later strips lie behind them. Everything is O(n) and stays
 * in the first-level cache.
 *
 * The CF arithmetic is done in the dtype that is handed out, in this order: convert,
 * replace fill values by NaN, multiply, add.
 */
#include "io/convert.h"

#include <math.h>
#include <string.h>

#define STRIP 1024

size_t cl_convert_stored_size(const cl_convert *c)
{
    return c->is_half ? 2 : clast_dtype_size(c->stored);
}

bool cl_convert_is_identity(const cl_convert *c)
{
    return !c->is_swapped && !c->is_half && !c->has_cf && c->stored == c->dtype &&
           c->stored != CLAST_BOOL;
}

static void swap2(void *p, int64_t n)
{
    uint16_t *v = p;
    for (int64_t i = 0; i < n; i++)
        v[i] = __builtin_bswap16(v[i]);
}

static void swap4(void *p, int64_t n)
{
    uint32_t *v = p;
    for (int64_t i = 0; i < n; i++)
        v[i] = __builtin_bswap32(v[i]);
}

static void swap8(void *p, int64_t n)
{
    uint64_t *v = p;
    for (int64_t i = 0; i < n; i++)
        v[i] = __builtin_bswap64(v[i]);
}

/* The members of a complex number are swapped one by one. */
static void swap(void *p, const cl_convert *c, int64_t n)
{
    const int parts = cl_dtype_is_complex(c->stored) ? 2 : 1;
    const size_t size = cl_convert_stored_size(c) / (size_t)parts;
    if (size == 2)
        swap2(p, n);
    else if (size == 4)
        swap4(p, n * parts);
    else if (size == 8)
        swap8(p, n * parts);
}

/* A file may hold any byte where a bool should be. */
static void normalise_bools(unsigned char *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        v[i] = v[i] != 0;
}

/* IEEE half to float: exact; a NaN keeps its payload and is made quiet. */
static float half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h >> 15) << 31;
    const uint32_t exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 0) {
        const float tiny = (float)fraction * 0x1p-24f;
        return sign ? -tiny : tiny;
    }
    uint32_t bits = sign | (exponent + 112) << 23 | fraction << 13;
    if (exponent == 31)
        bits = sign | 0x7f800000u | fraction << 13 | (fraction ? 0x400000u : 0);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void widen_halves(float *dst, const uint16_t *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = half_to_float(src[i]);
}

typedef void widen_fn(void *dst, const void *src, int64_t n);

#define WIDEN(FROM, TO)                                                                \
    static void FROM##_to_##TO(void *dst, const void *src, int64_t n)                  \
    {                                                                                  \
        const FROM *s = src;                                                           \
        TO *d = dst;                                                                   \
        for (int64_t i = 0; i < n; i++)                                                \
            d[i] = (TO)s[i];                                                           \
    }
#define WIDEN_BOTH(FROM) WIDEN(FROM, float) WIDEN(FROM, double)
WIDEN_BOTH(int8_t)
WIDEN_BOTH(int16_t)
WIDEN_BOTH(uint8_t)
WIDEN_BOTH(uint16_t)
WIDEN(int32_t, double)
WIDEN(int64_t, double)
WIDEN(uint32_t, double)
WIDEN(uint64_t, double)
WIDEN(float, float)
WIDEN(float, double)
WIDEN(double, double)

/* [stored][handed out is float64]; NULL: never asked for (it would shrink). */
static widen_fn *const widen[CLAST_NDTYPE][2] = {
    [CLAST_INT8] = {int8_t_to_float, int8_t_to_double},
    [CLAST_INT16] = {int16_t_to_float, int16_t_to_double},
    [CLAST_INT32] = {NULL, int32_t_to_double},
    [CLAST_INT64] = {NULL, int64_t_to_double},
    [CLAST_UINT8] = {uint8_t_to_float, uint8_t_to_double},
    [CLAST_UINT16] = {uint16_t_to_float, uint16_t_to_double},
    [CLAST_UINT32] = {NULL, uint32_t_to_double},
    [CLAST_UINT64] = {NULL, uint64_t_to_double},
    [CLAST_FLOAT32] = {float_to_float, float_to_double},
    [CLAST_FLOAT64] = {NULL, double_to_double},
};

#define FINISH(TYPE)                                                                   \
    static void finish_##TYPE(TYPE *v, const cl_cf *cf, int64_t n)                     \
    {                                                                                  \
        for (int f = 0; f < cf->nfill; f++) {                                          \
            const TYPE fill = (TYPE)cf->fill[f];                                       \
            for (int64_t i = 0; i < n; i++)                                            \
                v[i] = v[i] == fill ? (TYPE)NAN : v[i];                                \
        }                                                                              \
        const TYPE scale = (TYPE)cf->scale, offset = (TYPE)cf->offset;                 \
        for (int64_t i = 0; cf->has_scale && i < n; i++)                               \
            v[i] *= scale;                                                             \
        for (int64_t i = 0; cf->has_offset && i < n; i++)                              \
            v[i] += offset;                                                            \
    }
FINISH(float)
FINISH(double)

static void decode_cf(const cl_convert *c, void *dst, const void *strip, int64_t n)
{
    const bool is_double = c->dtype == CLAST_FLOAT64;
    widen[c->stored][is_double](dst, strip, n);
    if (is_double)
        finish_double(dst, &c->cf, n);
    else
        finish_float(dst, &c->cf, n);
}

void cl_convert_run(void *arg, void *dst, const void *src, int64_t n)
{
    const cl_convert *c = arg;
    const size_t from = cl_convert_stored_size(c), to = clast_dtype_size(c->dtype);
    if (cl_convert_is_identity(c)) {
        memmove(dst, src, (size_t)n * to);
        return;
    }
    _Alignas(16) unsigned char strip[STRIP * 16];
    float halves[STRIP];
    while (n > 0) {
        const int64_t now = n < STRIP ? n : STRIP;
        const void *values = strip;
        memcpy(strip, src, (size_t)now * from);
        if (c->is_swapped)
            swap(strip, c, now);
        if (c->stored == CLAST_BOOL)
            normalise_bools(strip, now);
        if (c->is_half) {
            const void *raw = strip;
            widen_halves(halves, raw, now);
            values = halves;
        }
        if (c->has_cf)
            decode_cf(c, dst, values, now);
        else
            memcpy(dst, values, (size_t)now * to);
        dst = (char *)dst + (size_t)now * to;
        src = (const char *)src + (size_t)now * from;
        n -= now;
    }
}
