/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of codecs, and those whose chunk is one stream of their library.
 *
 * A library is told how long its output must be, since HDF5 knows the size of a chunk;
 * a stream of any other length is damaged. Deflate is zlib's container (libdeflate
 * checks its Adler-32). LZF and Zstandard are stored as their libraries write them, lzf
 * by h5py, zstd by the filter's registered plugin.
 *
 * Encoding gives what the registered filter would store, but that nothing is stored
 * which did not become smaller: HDF5 keeps such a chunk as it was. Zstandard's context
 * lies in the memory that the caller reserved (this is why its functions for that are
 * used, which it exports but reserves the right to change), so that nothing is
 * allocated while chunks are encoded; Blosc and libdeflate allocate by themselves.
 *
 * Bounds: what a library stores at worst, and what a filter that may be skipped is
 * stored with, since HDF5 keeps a chunk as it was where an optional filter fails.
 */
#include "io/codec.h"

#include <libdeflate.h>
#include <string.h>
#if CL_HAVE_LZF
#include <lzf.h>
#endif
#if CL_HAVE_ZSTD
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#endif

/* zlib's own bound is bytes * 1.001 + 12; libdeflate's is 5 bytes for every 10000;
 * Zstandard's is one in 256 and 64; LZF and Blosc do not grow but for 16 bytes. */
static uint64_t bound(const uint32_t *value, uint64_t bytes)
{
    return bytes + bytes / 128 + 256;
}

static void *deflate_open(void)
{
    return libdeflate_alloc_decompressor();
}

static void deflate_close(void *state)
{
    libdeflate_free_decompressor(state);
}

static bool deflate_decode(void *state, const uint32_t *value, const void *in,
                           uint64_t in_bytes, void *out, void *scratch, uint64_t bytes)
{
    return libdeflate_zlib_decompress(state, in, in_bytes, out, bytes, NULL) ==
           LIBDEFLATE_SUCCESS;
}

static bool deflate_writes(const uint32_t *value)
{
    return value[0] >= 1 && value[0] <= 9;
}

/* zlib's levels are promises about size and time, and libdeflate's of the same numbers
 * do more: these are the fastest that come to zlib's size on shuffled numbers, within a
 * few thousandths. */
static void *deflate_pack_open(const uint32_t *value, uint64_t chunk_bytes,
                               void *memory)
{
    static const int level[] = {0, 1, 1, 2, 2, 4, 5, 7, 8, 9};
    return libdeflate_alloc_compressor(level[value[0]]);
}

static void deflate_pack_close(void *state)
{
    libdeflate_free_compressor(state);
}

static bool deflate_encode(void *state, const uint32_t *value, const void *in,
                           uint64_t bytes, void *out, uint64_t *packed)
{
    *packed = libdeflate_zlib_compress(state, in, bytes, out, bytes - 1);
    return true;
}

#if CL_HAVE_LZF
static bool lzf_decode(void *state, const uint32_t *value, const void *in,
                       uint64_t in_bytes, void *out, void *scratch, uint64_t bytes)
{
    return in_bytes <= UINT32_MAX && bytes <= UINT32_MAX &&
           lzf_decompress(in, (unsigned)in_bytes, out, (unsigned)bytes) == bytes;
}

/* The revision of h5py's filter, the version of the format, and the chunk. */
static uint32_t lzf_fit(uint32_t *value, uint32_t n, uint32_t item,
                        uint64_t chunk_bytes)
{
    value[0] = 4;
    value[1] = 0x105;
    value[2] = (uint32_t)chunk_bytes;
    return n > 3 ? n : 3;
}

static bool lzf_encode(void *state, const uint32_t *value, const void *in,
                       uint64_t bytes, void *out, uint64_t *packed)
{
    *packed = bytes <= UINT32_MAX
                  ? lzf_compress(in, (unsigned)bytes, out, (unsigned)bytes)
                  : 0;
    return true;
}
#endif

#if CL_HAVE_ZSTD
static void *zstd_open(void)
{
    return ZSTD_createDCtx();
}

static void zstd_close(void *state)
{
    ZSTD_freeDCtx(state);
}

static bool zstd_decode(void *state, const uint32_t *value, const void *in,
                        uint64_t in_bytes, void *out, void *scratch, uint64_t bytes)
{
    return ZSTD_decompressDCtx(state, out, bytes, in, in_bytes) == bytes;
}

static int zstd_level(uint32_t value)
{
    const int level = (int)value, most = ZSTD_maxCLevel();
    return value == 0 ? ZSTD_CLEVEL_DEFAULT : level > most ? most : level;
}

uint64_t cl_zstd_pack_bytes(uint32_t level, uint64_t bytes)
{
    /* Of a last block that is shorter, too: below these sizes a level means other
     * parameters, which may take more. */
    static const uint64_t tiers[] = {16 << 10, 128 << 10, 256 << 10, UINT64_MAX};
    uint64_t most = 0;
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++) {
        const uint64_t size = bytes < tiers[i] ? bytes : tiers[i];
        const uint64_t room = ZSTD_estimateCCtxSize_usingCParams(
            ZSTD_getCParams(zstd_level(level), size, 0));
        most = room > most ? room : most;
    }
    return most;
}

static uint64_t zstd_pack_bytes(const uint32_t *value, uint64_t chunk_bytes)
{
    return cl_zstd_pack_bytes(value[0], chunk_bytes);
}

void *cl_zstd_pack_open(void *memory, uint64_t bytes)
{
    return ZSTD_initStaticCCtx(memory, bytes);
}

static void *zstd_pack_open(const uint32_t *value, uint64_t chunk_bytes, void *memory)
{
    return cl_zstd_pack_open(memory, zstd_pack_bytes(value, chunk_bytes));
}

bool cl_zstd_encode(void *state, uint32_t level, const void *in, uint64_t bytes,
                    void *out, uint64_t room, uint64_t *packed)
{
    *packed = ZSTD_compressCCtx(state, out, room, in, bytes, zstd_level(level));
    return !ZSTD_isError(*packed);
}

static bool zstd_encode(void *state, const uint32_t *value, const void *in,
                        uint64_t bytes, void *out, uint64_t *packed)
{
    return cl_zstd_encode(state, value[0], in, bytes, out, bound(value, bytes), packed);
}
#endif

static const cl_codec codecs[] = {
    {.id = CL_FILTER_DEFLATE,
     .name = "deflate",
     .bound = bound,
     .open = deflate_open,
     .close = deflate_close,
     .decode = deflate_decode,
     .writes = deflate_writes,
     .pack_open = deflate_pack_open,
     .pack_close = deflate_pack_close,
     .encode = deflate_encode},
#if CL_HAVE_LZF
    {.id = CL_FILTER_LZF,
     .name = "lzf",
     .bound = bound,
     .decode = lzf_decode,
     .fit = lzf_fit,
     .encode = lzf_encode},
#endif
#if CL_HAVE_BLOSC
    {.id = CL_FILTER_BLOSC,
     .name = "blosc",
     .work = 3, /* its library works on three blocks, each at most a chunk */
     .knows = cl_blosc_knows,
     .bound = bound,
     .decode = cl_blosc_decode,
     .fit = cl_blosc_fit,
     .pack_bytes = cl_blosc_pack_bytes,
     .encode = cl_blosc_encode},
#endif
#if CL_HAVE_LZ4
    {.id = CL_FILTER_LZ4,
     .name = "lz4",
     .bound = cl_lz4_bound,
     .decode = cl_lz4_decode,
     .pack_bytes = cl_lz4_pack_bytes,
     .encode = cl_lz4_encode},
#endif
#if CL_HAVE_ZSTD || CL_HAVE_LZ4
    {.id = CL_FILTER_BITSHUFFLE,
     .name = "bitshuffle",
     .knows = cl_bitshuffle_knows,
     .bound = cl_bitshuffle_bound,
#if CL_HAVE_ZSTD
     .open = zstd_open,
     .close = zstd_close,
#endif
     .decode = cl_bitshuffle_decode,
     .writes = cl_bitshuffle_writes,
     .fit = cl_bitshuffle_fit,
     .pack_bytes = cl_bitshuffle_pack_bytes,
     .pack_open = cl_bitshuffle_pack_open,
     .encode = cl_bitshuffle_encode},
#endif
#if CL_HAVE_ZSTD
    {.id = CL_FILTER_ZSTD,
     .name = "zstd",
     .bound = bound,
     .open = zstd_open,
     .close = zstd_close,
     .decode = zstd_decode,
     .pack_bytes = zstd_pack_bytes,
     .pack_open = zstd_pack_open,
     .encode = zstd_encode},
#endif
};
enum { CODECS = sizeof codecs / sizeof *codecs };

const cl_codec *cl_codec_any(uint32_t id)
{
    for (size_t i = 0; i < CODECS; i++)
        if (codecs[i].id == id)
            return &codecs[i];
    return NULL;
}

const cl_codec *cl_codec_find(uint32_t id, const uint32_t *value)
{
    const cl_codec *codec = cl_codec_any(id);
    return codec && (!codec->knows || codec->knows(value)) ? codec : NULL;
}

bool cl_codec_can_write(uint32_t id, const uint32_t *value)
{
    /* What a dataset's own numbers decide need not be there yet. */
    const cl_codec *codec = cl_codec_any(id);
    uint32_t fitted[CL_CODEC_VALUES];
    memcpy(fitted, value, sizeof fitted);
    if (codec && codec->fit)
        codec->fit(fitted, CL_CODEC_VALUES, 1, 0);
    return codec && (!codec->knows || codec->knows(fitted)) &&
           (!codec->writes || codec->writes(fitted));
}

const char *cl_codec_option(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *option;
    } missing[] = {
#if !CL_HAVE_LZF
        {CL_FILTER_LZF, "lzf"},
#endif
#if !CL_HAVE_BLOSC
        {CL_FILTER_BLOSC, "blosc"},
#endif
#if !CL_HAVE_LZ4
        {CL_FILTER_LZ4, "lz4"},
        {CL_FILTER_BITSHUFFLE, "lz4"},
#endif
#if !CL_HAVE_ZSTD
        {CL_FILTER_ZSTD, "zstd"},
#endif
        {0, NULL},
    };
    size_t i = 0;
    while (missing[i].option && missing[i].id != id)
        i++;
    return missing[i].option;
}
