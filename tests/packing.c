/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table of filters with parameters, and one packer for each filter. What a filter's
 * chunk looks like is written down a second time here, from the filters' descriptions,
 * so that a misreading in src/io shows.
 */
#include "packing.h"

#include <stdlib.h>
#include <string.h>
#if CL_HAVE_LZF
#include <lzf.h>
#endif
#if CL_HAVE_ZSTD
#include <zstd.h>
#endif
#if CL_HAVE_LZ4
#include <lz4.h>
#endif
#if CL_HAVE_BLOSC
#include <blosc.h>
#endif

enum { LZF = 32000, BLOSC = 32001, LZ4 = 32004, BITSHUFFLE = 32008, ZSTD = 32015 };

const packing packings[PACKINGS] = {
    {"lzf", LZF, CL_HAVE_LZF, 3, {4, 0x105, 0}, -1},
    {"zstd", ZSTD, CL_HAVE_ZSTD, 1, {3}, -1},
    {"zstd, no parameters", ZSTD, CL_HAVE_ZSTD, 0, {0}, -1},
    {"lz4", LZ4, CL_HAVE_LZ4, 0, {0}, -1},
    {"lz4, small blocks", LZ4, CL_HAVE_LZ4, 1, {100}, -1},
    {"blosc, lz4", BLOSC, CL_HAVE_BLOSC, 7, {2, 2, 0, 0, 5, 1, 1}, 2},
    {"blosc, bits, zstd", BLOSC, CL_HAVE_BLOSC, 7, {2, 2, 0, 0, 5, 2, 5}, 2},
    {"blosc, no shuffle", BLOSC, CL_HAVE_BLOSC, 7, {2, 2, 0, 0, 9, 0, 0}, 2},
    {"bitshuffle", BITSHUFFLE, true, 3, {0, 4, 0}, 2},
    {"bitshuffle, small blocks", BITSHUFFLE, true, 5, {0, 4, 0, 24, 0}, 2},
    {"bitshuffle, lz4", BITSHUFFLE, CL_HAVE_LZ4, 5, {0, 4, 0, 0, 2}, 2},
    {"bitshuffle, lz4, small blocks", BITSHUFFLE, CL_HAVE_LZ4, 5, {0, 4, 0, 16, 2}, 2},
    {"bitshuffle, zstd", BITSHUFFLE, CL_HAVE_ZSTD, 6, {0, 4, 0, 0, 3, 3}, 2},
};

packing packing_for(int index, uint32_t item)
{
    packing p = packings[index];
    if (p.item_at >= 0)
        p.value[p.item_at] = item;
    return p;
}

static unsigned char *put_number(unsigned char *out, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, number >>= 8)
        out[i] = (unsigned char)number;
    return out + bytes;
}

#if CL_HAVE_LZF
/* As h5py: nothing where it would not become smaller. */
static size_t pack_lzf(const packing *p, const void *in, size_t bytes, void *out)
{
    return lzf_compress(in, (unsigned)bytes, out, (unsigned)bytes);
}
#endif

#if CL_HAVE_ZSTD
static size_t pack_zstd(const packing *p, const void *in, size_t bytes, void *out)
{
    const int level = p->value[0] ? (int)p->value[0] : 3;
    return ZSTD_compress(out, 2 * bytes + 1024, in, bytes, level);
}
#endif

#if CL_HAVE_BLOSC
static size_t pack_blosc(const packing *p, const void *in, size_t bytes, void *out)
{
    const char *name;
    blosc_compcode_to_compname((int)p->value[6], &name);
    return (size_t)blosc_compress_ctx((int)p->value[4], (int)p->value[5], p->value[2],
                                      bytes, in, out, 2 * bytes + 1024, name, 0, 1);
}
#endif

#if CL_HAVE_LZ4
static size_t pack_lz4_block(const void *in, size_t bytes, void *out)
{
    return (size_t)LZ4_compress_default(in, out, (int)bytes,
                                        LZ4_compressBound((int)bytes));
}

static size_t pack_lz4(const packing *p, const void *in, size_t bytes, void *out)
{
    const size_t wanted = p->value[0] ? p->value[0] : (size_t)1 << 30;
    const size_t block = wanted < bytes ? wanted : bytes;
    const unsigned char *from = in;
    unsigned char *to = put_number(out, bytes, 8);
    to = put_number(to, block, 4);
    for (size_t left = bytes, n; left > 0; left -= n, from += n) {
        n = left < block ? left : block;
        size_t packed = pack_lz4_block(from, n, to + 4);
        if (packed >= n)
            memcpy(to + 4, from, packed = n);
        to = put_number(to, packed, 4) + packed;
    }
    return (size_t)(to - (unsigned char *)out);
}
#endif

void packing_bits(unsigned char *out, const unsigned char *in, size_t n, size_t item)
{
    memset(out, 0, n * item);
    for (size_t i = 0; i < n; i++)
        for (size_t bit = 0; bit < 8 * item; bit++)
            if (in[i * item + bit / 8] >> bit % 8 & 1)
                out[bit * (n / 8) + i / 8] |= (unsigned char)(1u << i % 8);
}

/* One block behind its size, as its codec has it. */
static size_t pack_block(const packing *p, const unsigned char *in, size_t bytes,
                         unsigned char *out)
{
    size_t packed = 0;
#if CL_HAVE_LZ4
    if (p->value[4] == 2)
        packed = pack_lz4_block(in, bytes, out + 4);
#endif
#if CL_HAVE_ZSTD
    if (p->value[4] == 3)
        packed = ZSTD_compress(out + 4, ZSTD_compressBound(bytes), in, bytes,
                               p->value[5] ? (int)p->value[5] : 3);
#endif
    put_number(out, packed, 4);
    return packed + 4;
}

static size_t pack_bitshuffle(const packing *p, const void *in, size_t bytes, void *out)
{
    const size_t item = p->value[2];
    size_t block = 8192 / item / 8 * 8;
    block = p->value[3] ? p->value[3] : block < 128 ? 128 : block;
    unsigned char *bits = malloc(block * item), *to = out;
    const unsigned char *from = in;
    if (p->value[4]) {
        to = put_number(to, bytes, 8);
        to = put_number(to, block * item, 4);
    }
    size_t left = bytes / item;
    for (size_t n; left >= 8; left -= n, from += n * item) {
        n = left < block ? left / 8 * 8 : block;
        packing_bits(bits, from, n, item);
        if (p->value[4])
            to += pack_block(p, bits, n * item, to);
        else
            memcpy(to, bits, n * item), to += n * item;
    }
    free(bits);
    memcpy(to, from, left * item);
    return (size_t)(to + left * item - (unsigned char *)out);
}

static const struct {
    uint32_t id;
    size_t (*run)(const packing *p, const void *in, size_t bytes, void *out);
} packers[] = {
#if CL_HAVE_LZF
    {LZF, pack_lzf},
#endif
#if CL_HAVE_ZSTD
    {ZSTD, pack_zstd},
#endif
#if CL_HAVE_BLOSC
    {BLOSC, pack_blosc},
#endif
#if CL_HAVE_LZ4
    {LZ4, pack_lz4},
#endif
    {BITSHUFFLE, pack_bitshuffle},
};

size_t packing_run(const packing *p, const void *in, size_t bytes, void *out)
{
    for (size_t i = 0; i < sizeof packers / sizeof *packers; i++)
        if (packers[i].id == p->id)
            return packers[i].run(p, in, bytes, out);
    return 0;
}
