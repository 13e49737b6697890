/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shuffle, deflate and Fletcher's checksum.
 *
 * Shuffle writes byte 0 of all elements, then byte 1, and so on; bytes behind the last
 * whole element are copied. Undoing it is a transpose of bytes: 16 elements at a time,
 * log2(item) rounds of SSE2's interleave turn item registers of like bytes into item
 * registers of whole elements, at memory speed. Other element sizes go byte by byte.
 *
 * Deflate is zlib's container. libdeflate wants the decoded size in advance, which HDF5
 * knows, and checks the Adler-32.
 *
 * HDF5's fletcher32 sums big-endian 16-bit words modulo 65535 and is stored little
 * endian; libraries up to 1.6.2 stored it with the bytes of each half swapped, which is
 * accepted when reading, as HDF5 does.
 */
#include "io/filters.h"

#include <libdeflate.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

cl_packer *cl_packer_new(int level)
{
    return libdeflate_alloc_compressor(level);
}
void cl_packer_free(cl_packer *packer)
{
    libdeflate_free_compressor(packer);
}
cl_unpacker *cl_unpacker_new(void)
{
    return libdeflate_alloc_decompressor();
}
void cl_unpacker_free(cl_unpacker *unpacker)
{
    libdeflate_free_decompressor(unpacker);
}

/* zlib's own bound is bytes * 1.001 + 12; libdeflate's is 5 bytes for every 10000. */
uint64_t cl_filters_bound(uint64_t bytes)
{
    return bytes + bytes / 512 + 256;
}

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

static uint32_t fold(uint32_t sum)
{
    return (sum & 0xffff) + (sum >> 16);
}

uint32_t cl_fletcher32(const void *data, uint64_t bytes)
{
    const uint8_t *p = data;
    uint32_t sum1 = 0, sum2 = 0;
    for (uint64_t words = bytes / 2; words > 0;) {
        /* 360 words at most leave both sums within 32 bits. */
        uint64_t block = words < 360 ? words : 360;
        words -= block;
        for (; block > 0; block--, p += 2) {
            sum1 += (uint32_t)(p[0] << 8 | p[1]);
            sum2 += sum1;
        }
        sum1 = fold(sum1);
        sum2 = fold(sum2);
    }
    if (bytes % 2) {
        sum1 += (uint32_t)*p << 8;
        sum2 += sum1;
        sum1 = fold(sum1);
        sum2 = fold(sum2);
    }
    return fold(sum2) << 16 | fold(sum1);
}

static bool check_fletcher(const uint8_t *data, uint64_t bytes)
{
    const uint8_t *s = data + bytes;
    const uint32_t stored = (uint32_t)s[0] | (uint32_t)s[1] << 8 |
                            (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
    const uint32_t swapped = (stored & 0x00ff00ffu) << 8 | (stored & 0xff00ff00u) >> 8;
    const uint32_t sum = cl_fletcher32(data, bytes);
    return sum == stored || sum == swapped;
}

static bool is_on(int position, uint32_t mask)
{
    return position >= 0 && !(mask >> position & 1);
}

static bool inflate(cl_unpacker *unpacker, const void *in, uint64_t in_bytes, void *out,
                    uint64_t bytes)
{
    return libdeflate_zlib_decompress(unpacker, in, in_bytes, out, bytes, NULL) ==
           LIBDEFLATE_SUCCESS;
}

bool cl_filters_undo(const cl_filters *filters, uint32_t mask, cl_unpacker *unpacker,
                     const void *stored, uint64_t stored_bytes, void *out, void *work,
                     uint64_t bytes, const char **what)
{
    const void *data = stored;
    if (is_on(filters->fletcher, mask)) {
        *what = "its checksum does not match";
        if (stored_bytes < 4 || !check_fletcher(data, stored_bytes - 4))
            return false;
        stored_bytes -= 4;
    }
    const bool shuffled = is_on(filters->shuffle, mask) && filters->item > 1;
    if (is_on(filters->deflate, mask)) {
        *what = "its deflate stream is damaged";
        void *inflated = shuffled ? work : out;
        if (!inflate(unpacker, data, stored_bytes, inflated, bytes))
            return false;
        data = inflated;
    } else if (stored_bytes != bytes) {
        *what = "its stored size is not that of a chunk";
        return false;
    }
    if (shuffled)
        cl_unshuffle(out, data, bytes, filters->item);
    else if (data != out)
        memcpy(out, data, bytes);
    return true;
}

const void *cl_filters_apply(const cl_filters *filters, cl_packer *packer,
                             const void *in, uint64_t bytes, void *work, void *out,
                             uint64_t *stored_bytes, uint32_t *mask)
{
    const void *data = in;
    *stored_bytes = bytes;
    *mask = 0;
    if (filters->shuffle >= 0 && filters->item > 1) {
        cl_shuffle(work, in, bytes, filters->item);
        data = work;
    }
    if (filters->deflate < 0)
        return data;
    const size_t packed =
        bytes > 0 ? libdeflate_zlib_compress(packer, data, bytes, out, bytes - 1) : 0;
    if (packed == 0) {
        *mask = 1u << filters->deflate;
        return data;
    }
    *stored_bytes = packed;
    return out;
}
