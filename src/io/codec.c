/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of codecs, and those whose chunk is one stream of their library.
 *
 * A library is told how long its output must be, since HDF5 knows the size of a chunk;
 * a stream of any other length is damaged. Deflate is zlib's container (libdeflate
 * checks its Adler-32). LZF and Zstandard are stored as their libraries write them, lzf
 * by h5py, zstd by the filter's registered plugin.
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

#if CL_HAVE_LZF
static bool lzf_decode(void *state, const uint32_t *value, const void *in,
                       uint64_t in_bytes, void *out, void *scratch, uint64_t bytes)
{
    return in_bytes <= UINT32_MAX && bytes <= UINT32_MAX &&
           lzf_decompress(in, (unsigned)in_bytes, out, (unsigned)bytes) == bytes;
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
#endif

static const cl_codec codecs[] = {
    {1, "deflate", 0, NULL, bound, deflate_open, deflate_close, deflate_decode},
#if CL_HAVE_LZF
    {32000, "lzf", 0, NULL, bound, NULL, NULL, lzf_decode},
#endif
#if CL_HAVE_BLOSC
    /* Its library works on three blocks, each at most a chunk. */
    {32001, "blosc", 3, cl_blosc_knows, bound, NULL, NULL, cl_blosc_decode},
#endif
#if CL_HAVE_LZ4
    {32004, "lz4", 0, NULL, cl_lz4_bound, NULL, NULL, cl_lz4_decode},
#endif
#if CL_HAVE_ZSTD
    {32008, "bitshuffle", 0, cl_bitshuffle_knows, cl_bitshuffle_bound, zstd_open,
     zstd_close, cl_bitshuffle_decode},
    {32015, "zstd", 0, NULL, bound, zstd_open, zstd_close, zstd_decode},
#elif CL_HAVE_LZ4
    {32008, "bitshuffle", 0, cl_bitshuffle_knows, cl_bitshuffle_bound, NULL, NULL,
     cl_bitshuffle_decode},
#endif
};
enum { CODECS = sizeof codecs / sizeof *codecs };

const cl_codec *cl_codec_find(uint32_t id, const uint32_t *value)
{
    for (size_t i = 0; i < CODECS; i++)
        if (codecs[i].id == id)
            return !codecs[i].knows || codecs[i].knows(value) ? &codecs[i] : NULL;
    return NULL;
}

const char *cl_codec_option(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *option;
    } missing[] = {
#if !CL_HAVE_LZF
        {32000, "lzf"},
#endif
#if !CL_HAVE_BLOSC
        {32001, "blosc"},
#endif
#if !CL_HAVE_LZ4
        {32004, "lz4"},
        {32008, "lz4"},
#endif
#if !CL_HAVE_ZSTD
        {32015, "zstd"},
#endif
        {0, NULL},
    };
    size_t i = 0;
    while (missing[i].option && missing[i].id != id)
        i++;
    return missing[i].option;
}
