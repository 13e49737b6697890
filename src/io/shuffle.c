/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte and bit transposes.
 *
 * Shuffle writes byte 0 of all elements, then byte 1, and so on; bytes behind the last
 * whole element are copied. Undoing it is a transpose of bytes: 16 elements at a time,
 * log2(item) rounds of SSE2's interleave turn item registers of like bytes into item
 * registers of whole elements, at memory speed. Other element sizes go byte by byte.
 *
 * Bitshuffle's rows are bits. A strip of up to 128 elements is undone in two steps that
 * stay in the first-level cache: for each byte of the element its 8 rows are unshuffled
 * as if they were the bytes of 8-byte elements, and each of those, an 8 x 8 matrix of
 * bits, is transposed by three exchanges (Warren, Hacker's Delight, 7-3); then the
 * bytes of the strip are unshuffled. Doing it is the same steps in the other order.
 * Cost: about four passes over the strip.
 */
#include "io/shuffle.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static void shuffle_bytes(uint8_t *dst, const uint8_t *src, uint64_t first, uint64_t n,
                          uint32_t item)
{
    for (uint32_t b = 0; b < item; b++)
        for (uint64_t i = first; i < n; i++)
            dst[b * n + i] = src[i * item + b];
}

static void unshuffle_bytes(uint8_t *dst, const uint8_t *src, uint64_t first,
                            uint64_t n, uint32_t item)
{
    for (uint64_t i = first; i < n; i++)
        for (uint32_t b = 0; b < item; b++)
            dst[i * item + b] = src[b * n + i];
}

#if defined(__SSE2__)

static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void store(uint8_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

/* Asks for the lines that will be written a page later: the destination is rarely in
 * cache, and the hardware looks ahead within a page only. */
static inline void prefetch(const uint8_t *dst, uint64_t bytes)
{
    const uintptr_t later = (uintptr_t)dst + 4096;
    for (uint64_t b = 0; b < bytes; b += 64)
        __builtin_prefetch((const void *)(later + b), 1);
}

/*
 * One round of the perfect shuffle: registers i and i + item/2 interleave into 2i and
 * 2i + 1. After log2(item) rounds, 16 elements' bytes are in element order. Written as
 * a macro for constant item, so that the registers stay registers.
 */
#define UNSHUFFLE_SSE2(ITEM)                                                           \
    static uint64_t unshuffle_sse2_##ITEM(uint8_t *dst, const uint8_t *src,            \
                                          uint64_t n)                                  \
    {                                                                                  \
        uint64_t i = 0;                                                                \
        for (; i + 16 <= n; i += 16) {                                                 \
            __m128i a[ITEM], b[ITEM];                                                  \
            prefetch(dst + i * ITEM, 16 * ITEM);                                       \
            for (int k = 0; k < ITEM; k++)                                             \
                a[k] = load(src + (uint64_t)k * n + i);                                \
            for (int step = 1; step < ITEM; step *= 2) {                               \
                for (int k = 0; k < ITEM / 2; k++) {                                   \
                    b[2 * k] = _mm_unpacklo_epi8(a[k], a[k + ITEM / 2]);               \
                    b[2 * k + 1] = _mm_unpackhi_epi8(a[k], a[k + ITEM / 2]);           \
                }                                                                      \
                for (int k = 0; k < ITEM; k++)                                         \
                    a[k] = b[k];                                                       \
            }                                                                          \
            for (int k = 0; k < ITEM; k++)                                             \
                store(dst + i * ITEM + 16 * (uint64_t)k, a[k]);                        \
        }                                                                              \
        return i;                                                                      \
    }

/* The inverse: 16 elements' registers de-interleave, even bytes to the lower half. */
#define SHUFFLE_SSE2(ITEM)                                                             \
    static uint64_t shuffle_sse2_##ITEM(uint8_t *dst, const uint8_t *src, uint64_t n)  \
    {                                                                                  \
        const __m128i low = _mm_set1_epi16(0xff);                                      \
        uint64_t i = 0;                                                                \
        for (; i + 16 <= n; i += 16) {                                                 \
            __m128i a[ITEM], b[ITEM];                                                  \
            for (int k = 0; k < ITEM; k++)                                             \
                a[k] = load(src + i * ITEM + 16 * (uint64_t)k);                        \
            for (int step = 1; step < ITEM; step *= 2) {                               \
                for (int k = 0; k < ITEM / 2; k++) {                                   \
                    b[k] = _mm_packus_epi16(_mm_and_si128(a[2 * k], low),              \
                                            _mm_and_si128(a[2 * k + 1], low));         \
                    b[k + ITEM / 2] = _mm_packus_epi16(                                \
                        _mm_srli_epi16(a[2 * k], 8), _mm_srli_epi16(a[2 * k + 1], 8)); \
                }                                                                      \
                for (int k = 0; k < ITEM; k++)                                         \
                    a[k] = b[k];                                                       \
            }                                                                          \
            for (int k = 0; k < ITEM; k++)                                             \
                store(dst + (uint64_t)k * n + i, a[k]);                                \
        }                                                                              \
        return i;                                                                      \
    }

UNSHUFFLE_SSE2(2)
UNSHUFFLE_SSE2(4)
UNSHUFFLE_SSE2(8)
UNSHUFFLE_SSE2(16)
SHUFFLE_SSE2(2)
SHUFFLE_SSE2(4)
SHUFFLE_SSE2(8)
SHUFFLE_SSE2(16)

typedef uint64_t shuffle_fn(uint8_t *dst, const uint8_t *src, uint64_t n);
static shuffle_fn *const shuffle_of[17] = {[2] = shuffle_sse2_2,
                                           [4] = shuffle_sse2_4,
                                           [8] = shuffle_sse2_8,
                                           [16] = shuffle_sse2_16};
static shuffle_fn *const unshuffle_of[17] = {[2] = unshuffle_sse2_2,
                                             [4] = unshuffle_sse2_4,
                                             [8] = unshuffle_sse2_8,
                                             [16] = unshuffle_sse2_16};

static uint64_t by_table(shuffle_fn *const *table, uint8_t *dst, const uint8_t *src,
                         uint64_t n, uint32_t item)
{
    return item <= 16 && table[item] ? table[item](dst, src, n) : 0;
}

#else
#define by_table(table, dst, src, n, item) ((uint64_t)0)
#endif

void cl_shuffle(void *dst, const void *src, uint64_t bytes, uint32_t item)
{
    const uint64_t n = bytes / item;
    const uint64_t first = by_table(shuffle_of, dst, src, n, item);
    shuffle_bytes(dst, src, first, n, item);
    const uint64_t whole = n * item;
    memcpy((char *)dst + whole, (const char *)src + whole, bytes - whole);
}

void cl_unshuffle(void *dst, const void *src, uint64_t bytes, uint32_t item)
{
    const uint64_t n = bytes / item;
    const uint64_t first = by_table(unshuffle_of, dst, src, n, item);
    unshuffle_bytes(dst, src, first, n, item);
    const uint64_t whole = n * item;
    memcpy((char *)dst + whole, (const char *)src + whole, bytes - whole);
}

enum { COLUMNS = 16, STRIP = 8 * COLUMNS }; /* bytes of a row, elements, a strip */

/* Bit e of byte k becomes bit k of byte e; its own inverse. */
static uint64_t transpose_bits(uint64_t x)
{
    uint64_t t = (x ^ x >> 7) & 0x00aa00aa00aa00aau;
    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & 0x0000cccc0000ccccu;
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & 0x00000000f0f0f0f0u;
    return x ^ t ^ t << 28;
}

/* One byte of 8 * columns elements from its 8 rows of bits, which are `stride` apart.
 */
static void unshuffle_rows(uint8_t *dst, const uint8_t *src, uint64_t stride,
                           uint64_t columns)
{
    uint8_t rows[STRIP];
    uint64_t cell[COLUMNS];
    for (uint64_t k = 0; k < 8; k++)
        memcpy(rows + k * columns, src + k * stride, columns);
    cl_unshuffle(cell, rows, 8 * columns, 8);
    for (uint64_t i = 0; i < columns; i++)
        cell[i] = transpose_bits(cell[i]);
    memcpy(dst, cell, 8 * columns);
}

/* A block: n elements, a multiple of 8. */
static void unshuffle_block(uint8_t *dst, const uint8_t *src, uint64_t n, uint32_t item)
{
    uint8_t bytes[STRIP * CL_BITSHUFFLE_ITEM];
    const uint64_t stride = n / 8;
    for (uint64_t at = 0; at < stride; at += COLUMNS) {
        const uint64_t columns = stride - at < COLUMNS ? stride - at : COLUMNS;
        for (uint32_t j = 0; j < item; j++)
            unshuffle_rows(bytes + j * 8 * columns, src + 8 * j * stride + at, stride,
                           columns);
        cl_unshuffle(dst + at * 8 * item, bytes, 8 * columns * item, item);
    }
}

/* The 8 rows of bits of one byte of 8 * columns elements. */
static void shuffle_rows(uint8_t *dst, const uint8_t *src, uint64_t stride,
                         uint64_t columns)
{
    uint8_t rows[STRIP];
    uint64_t cell[COLUMNS];
    memcpy(cell, src, 8 * columns);
    for (uint64_t i = 0; i < columns; i++)
        cell[i] = transpose_bits(cell[i]);
    cl_shuffle(rows, cell, 8 * columns, 8);
    for (uint64_t k = 0; k < 8; k++)
        memcpy(dst + k * stride, rows + k * columns, columns);
}

static void shuffle_block(uint8_t *dst, const uint8_t *src, uint64_t n, uint32_t item)
{
    uint8_t bytes[STRIP * CL_BITSHUFFLE_ITEM];
    const uint64_t stride = n / 8;
    for (uint64_t at = 0; at < stride; at += COLUMNS) {
        const uint64_t columns = stride - at < COLUMNS ? stride - at : COLUMNS;
        cl_shuffle(bytes, src + at * 8 * item, 8 * columns * item, item);
        for (uint32_t j = 0; j < item; j++)
            shuffle_rows(dst + 8 * j * stride + at, bytes + j * 8 * columns, stride,
                         columns);
    }
}

typedef void block_fn(uint8_t *dst, const uint8_t *src, uint64_t n, uint32_t item);

static void by_blocks(block_fn *run, void *dst, const void *src, uint64_t bytes,
                      uint32_t item, uint32_t block)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    for (uint64_t left = bytes / item / 8 * 8, n; left > 0; left -= n) {
        n = left < block ? left : block;
        run(to, from, n, item);
        to += n * item;
        from += n * item;
        bytes -= n * item;
    }
    memcpy(to, from, bytes);
}

void cl_bitshuffle(void *dst, const void *src, uint64_t bytes, uint32_t item,
                   uint32_t block)
{
    by_blocks(shuffle_block, dst, src, bytes, item, block);
}

void cl_bitunshuffle(void *dst, const void *src, uint64_t bytes, uint32_t item,
                     uint32_t block)
{
    by_blocks(unshuffle_block, dst, src, bytes, item, block);
}

uint32_t cl_bitshuffle_block(uint32_t item)
{
    const uint32_t elements = 8192 / item / 8 * 8;
    return elements < 128 ? 128 : elements;
}
