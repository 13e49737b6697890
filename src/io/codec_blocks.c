/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LZ4 (filter 32004) and bitshuffle (filter 32008): chunks that are a header and a row
 * of blocks, each compressed by itself.
 *
 *     8 bytes   size of all blocks, decoded; most significant byte first, as all here
 *     4 bytes   size of a block, decoded
 *     blocks    4 bytes of stored size, then as many bytes
 *
 * A block of LZ4 whose stored size is its decoded one was left as it is. A block of
 * bitshuffle is LZ4 or Zstandard over elements whose bits are transposed; the last one
 * is cut to a multiple of 8 elements, and up to 7 elements behind it are stored as they
 * are. Sizes are compared with what the chunk and the input have left before they are
 * used. One block of scratch memory for bitshuffle, none for LZ4. Encoding works in the
 * caller's memory: the state of LZ4 or Zstandard, and for bitshuffle a block behind it.
 */
#include "io/codec.h"

#include <string.h>
#if CL_HAVE_LZ4
#include <lz4.h>
#endif
#if CL_HAVE_ZSTD
#include <zstd.h>
#endif

#include "io/shuffle.h"

#if CL_HAVE_LZ4 || CL_HAVE_ZSTD

enum { HEADER = 12 };
#define LZ4_BLOCK ((uint64_t)1 << 30) /* where no size of blocks was asked for */

static uint8_t *put_number(uint8_t *out, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, number >>= 8)
        out[i] = (uint8_t)number;
    return out + bytes;
}

typedef struct {
    const uint8_t *at;
    uint64_t left;
} input;

static bool take_number(input *in, int bytes, uint64_t *number)
{
    if (in->left < (uint64_t)bytes)
        return false;
    *number = 0;
    for (int i = 0; i < bytes; i++)
        *number = *number << 8 | in->at[i];
    in->at += bytes;
    in->left -= (uint64_t)bytes;
    return true;
}

/* The header, and whether it says what HDF5 says. */
static bool take_header(input *in, uint64_t bytes, uint64_t *block)
{
    uint64_t size;
    return take_number(in, 8, &size) && take_number(in, 4, block) && size == bytes;
}

/* The stored bytes of the next block. */
static const uint8_t *take_block(input *in, uint64_t *stored)
{
    const uint8_t *at = in->at + 4;
    if (!take_number(in, 4, stored) || *stored > in->left)
        return NULL;
    in->at += *stored;
    in->left -= *stored;
    return at;
}

#if CL_HAVE_LZ4
static bool unpack_lz4(void *state, const uint8_t *from, uint64_t stored, void *to,
                       uint64_t bytes)
{
    return stored <= INT32_MAX && bytes <= INT32_MAX &&
           LZ4_decompress_safe((const char *)from, to, (int)stored, (int)bytes) ==
               (int)bytes;
}

/* Headers of blocks; a block that grew is stored as it was. */
uint64_t cl_lz4_bound(const uint32_t *value, uint64_t bytes)
{
    const uint64_t block = value[0] > 0 ? value[0] : LZ4_BLOCK;
    return bytes + HEADER + 4 * (bytes / block + 1);
}

bool cl_lz4_decode(void *state, const uint32_t *value, const void *in,
                   uint64_t in_bytes, void *out, void *scratch, uint64_t bytes)
{
    input from = {in, in_bytes};
    uint8_t *to = out;
    uint64_t block, stored;
    if (!take_header(&from, bytes, &block) || (block == 0 && bytes > 0))
        return false;
    for (uint64_t left = bytes, n; left > 0; left -= n, to += n) {
        n = left < block ? left : block;
        const uint8_t *packed = take_block(&from, &stored);
        if (!packed)
            return false;
        if (stored == n)
            memcpy(to, packed, n);
        else if (!unpack_lz4(NULL, packed, stored, to, n))
            return false;
    }
    return true;
}

/* At most `room` bytes; 0: it has more. */
static uint64_t pack_lz4(void *state, const void *from, uint64_t bytes, void *to,
                         uint64_t room)
{
    const int most = room < INT32_MAX ? (int)room : INT32_MAX;
    return bytes <= LZ4_MAX_INPUT_SIZE ? (uint64_t)LZ4_compress_fast_extState(
                                             state, from, to, (int)bytes, most, 1)
                                       : 0;
}

uint64_t cl_lz4_pack_bytes(const uint32_t *value, uint64_t chunk_bytes)
{
    return (uint64_t)LZ4_sizeofState();
}

bool cl_lz4_encode(void *state, const uint32_t *value, const void *in, uint64_t bytes,
                   void *out, uint64_t *packed)
{
    const uint64_t asked = value[0] > 0 ? value[0] : LZ4_BLOCK;
    const uint64_t block = asked < bytes ? asked : bytes;
    const uint8_t *from = in;
    uint8_t *to = put_number(put_number(out, bytes, 8), block, 4);
    for (uint64_t left = bytes, n; left > 0; left -= n, from += n) {
        n = left < block ? left : block;
        uint64_t stored = pack_lz4(state, from, n, to + 4, n - 1);
        if (stored == 0)
            memcpy(to + 4, from, stored = n);
        to = put_number(to, stored, 4) + stored;
    }
    *packed = (uint64_t)(to - (uint8_t *)out);
    return true;
}
#else
static uint64_t pack_lz4(void *state, const void *from, uint64_t bytes, void *to,
                         uint64_t room)
{
    return 0;
}

static bool unpack_lz4(void *state, const uint8_t *from, uint64_t stored, void *to,
                       uint64_t bytes)
{
    return false;
}
#endif

static bool unpack_zstd(void *state, const uint8_t *from, uint64_t stored, void *to,
                        uint64_t bytes)
{
#if CL_HAVE_ZSTD
    return ZSTD_decompressDCtx(state, to, bytes, from, stored) == bytes;
#else
    return false;
#endif
}

/* Bitshuffle's parameters: two of its version, element, block, codec, its level. */
enum {
    ELEMENT = 2,
    BLOCK = 3,
    CODEC = CL_BITSHUFFLE_CODEC,
    LEVEL = CL_BITSHUFFLE_LEVEL,
    CODEC_LZ4 = CL_BITSHUFFLE_LZ4,
    CODEC_ZSTD = CL_BITSHUFFLE_ZSTD
};

bool cl_bitshuffle_knows(const uint32_t *value)
{
    return value[ELEMENT] > 0 && value[ELEMENT] <= CL_BITSHUFFLE_ITEM &&
           ((CL_HAVE_LZ4 && value[CODEC] == CODEC_LZ4) ||
            (CL_HAVE_ZSTD && value[CODEC] == CODEC_ZSTD));
}

static uint64_t block_of(const uint32_t *value)
{
    return value[BLOCK] > 0 ? value[BLOCK] : cl_bitshuffle_block(value[ELEMENT]);
}

/* A block may grow by one in 255, and 80 bytes with its header. */
uint64_t cl_bitshuffle_bound(const uint32_t *value, uint64_t bytes)
{
    const uint32_t item = value[ELEMENT];
    const uint64_t block = block_of(value);
    return bytes + bytes / 255 + HEADER + 80 * (bytes / (block * item) + 2);
}

bool cl_bitshuffle_decode(void *state, const uint32_t *value, const void *in,
                          uint64_t in_bytes, void *out, void *scratch, uint64_t bytes)
{
    const uint32_t item = value[ELEMENT];
    bool (*const unpack)(void *, const uint8_t *, uint64_t, void *, uint64_t) =
        value[CODEC] == CODEC_LZ4 ? unpack_lz4 : unpack_zstd;
    input from = {in, in_bytes};
    uint8_t *to = out;
    uint64_t block, stored;
    if (!take_header(&from, bytes, &block) || bytes % item != 0)
        return false;
    block = block / item > 0 ? block / item : cl_bitshuffle_block(item);
    if (block % 8 != 0)
        return false;
    uint64_t left = bytes / item;
    for (uint64_t n; left >= 8; left -= n, to += n * item) {
        n = left < block ? left / 8 * 8 : block;
        const uint8_t *packed = take_block(&from, &stored);
        if (!packed || !unpack(state, packed, stored, scratch, n * item))
            return false;
        cl_bitunshuffle(to, scratch, n * item, item, (uint32_t)n);
    }
    if (from.left < left * item)
        return false;
    memcpy(to, from.at, left * item);
    return true;
}

bool cl_bitshuffle_writes(const uint32_t *value)
{
    return value[BLOCK] % 8 == 0 && block_of(value) * value[ELEMENT] <= LZ4_BLOCK;
}

uint32_t cl_bitshuffle_fit(uint32_t *value, uint32_t n, uint32_t item,
                           uint64_t chunk_bytes)
{
    value[0] = 0;
    value[1] = 4;
    value[ELEMENT] = item;
    return n > LEVEL || (n == LEVEL && value[CODEC] != CODEC_ZSTD) ? n : LEVEL + 1;
}

/* What the chunk has of one block, and at most. */
static uint64_t block_bytes(const uint32_t *value, uint64_t chunk_bytes)
{
    const uint64_t bytes = block_of(value) * value[ELEMENT];
    return bytes < chunk_bytes ? bytes : chunk_bytes;
}

static uint64_t state_bytes(const uint32_t *value, uint64_t bytes)
{
    uint64_t state = 0;
#if CL_HAVE_LZ4
    if (value[CODEC] == CODEC_LZ4)
        state = (uint64_t)LZ4_sizeofState();
#endif
#if CL_HAVE_ZSTD
    if (value[CODEC] == CODEC_ZSTD)
        state = cl_zstd_pack_bytes(value[LEVEL], bytes);
#endif
    return (state + 63) / 64 * 64;
}

typedef struct {
    void *codec; /* its state */
    uint8_t *block;
} bit_packer;
enum { PACKER_BYTES = 64 };

uint64_t cl_bitshuffle_pack_bytes(const uint32_t *value, uint64_t chunk_bytes)
{
    const uint64_t bytes = block_bytes(value, chunk_bytes);
    return PACKER_BYTES + state_bytes(value, bytes) + bytes;
}

void *cl_bitshuffle_pack_open(const uint32_t *value, uint64_t chunk_bytes, void *memory)
{
    const uint64_t state = state_bytes(value, block_bytes(value, chunk_bytes));
    bit_packer *p = memory;
    p->codec = (uint8_t *)memory + PACKER_BYTES;
    p->block = (uint8_t *)memory + PACKER_BYTES + state;
#if CL_HAVE_ZSTD
    if (value[CODEC] == CODEC_ZSTD)
        p->codec = cl_zstd_pack_open(p->codec, state);
#endif
    return p->codec ? p : NULL;
}

/* One block behind its size; false: no memory. */
static bool pack_block(const bit_packer *p, const uint32_t *value, uint64_t bytes,
                       uint8_t *to, uint64_t *stored)
{
    const uint64_t room = bytes + bytes / 255 + 76;
#if CL_HAVE_ZSTD
    if (value[CODEC] == CODEC_ZSTD)
        return cl_zstd_encode(p->codec, value[LEVEL], p->block, bytes, to, room,
                              stored);
#endif
    *stored = pack_lz4(p->codec, p->block, bytes, to, room);
    return *stored > 0;
}

bool cl_bitshuffle_encode(void *state, const uint32_t *value, const void *in,
                          uint64_t bytes, void *out, uint64_t *packed)
{
    const uint32_t item = value[ELEMENT];
    const uint64_t block = block_of(value);
    const bit_packer *p = state;
    const uint8_t *from = in;
    uint8_t *to = put_number(put_number(out, bytes, 8), block * item, 4);
    uint64_t left = bytes / item, stored;
    for (uint64_t n; left >= 8; left -= n, from += n * item) {
        n = left < block ? left / 8 * 8 : block;
        cl_bitshuffle(p->block, from, n * item, item, (uint32_t)n);
        if (!pack_block(p, value, n * item, to + 4, &stored))
            return false;
        to = put_number(to, stored, 4) + stored;
    }
    memcpy(to, from, left * item);
    *packed = (uint64_t)(to + left * item - (uint8_t *)out);
    return true;
}
#endif
