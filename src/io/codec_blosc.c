/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blosc (filter 32001): a container of its own, with a shuffle and one of several
 * compressors inside.
 *
 * Its header, the first 16 bytes, says how long it is and how long what is in it;
 * both must be what HDF5 says, and cl_blosc_decode() checks that before the library
 * reads on. The library is called without its threads and its global state. A chunk
 * that does not shrink is left as it is, as the filter does.
 */
#include "io/codec.h"

#if CL_HAVE_BLOSC
#include <blosc.h>

/* Which parameter: the filter's version and the format's come first. */
enum {
    ITEM = 2,
    CHUNK = 3,
    LEVEL = CL_BLOSC_LEVEL,
    SHUFFLE = CL_BLOSC_SHUFFLE,
    COMPRESSOR = CL_BLOSC_COMPRESSOR,
    VALUES = 7
};

bool cl_blosc_knows(const uint32_t *value)
{
    const char *name;
    return value[COMPRESSOR] <= INT8_MAX &&
           blosc_compcode_to_compname((int)value[COMPRESSOR], &name) >= 0;
}

bool cl_blosc_decode(void *state, const uint32_t *value, const void *in,
                     uint64_t in_bytes, void *out, void *scratch, uint64_t bytes)
{
    size_t unpacked;
    return in_bytes >= BLOSC_MIN_HEADER_LENGTH && bytes <= INT32_MAX &&
           blosc_cbuffer_validate(in, in_bytes, &unpacked) >= 0 && unpacked == bytes &&
           blosc_decompress_ctx(in, out, bytes, 1) == (int)bytes;
}

/* As the filter: what a file leaves out is level 5 and shuffled bytes. */
uint32_t cl_blosc_fit(uint32_t *value, uint32_t n, uint32_t item, uint64_t chunk_bytes)
{
    value[0] = value[1] = 2;
    value[ITEM] = item;
    value[CHUNK] = (uint32_t)chunk_bytes;
    if (n <= LEVEL)
        value[LEVEL] = 5;
    if (n <= SHUFFLE)
        value[SHUFFLE] = 1;
    return n > VALUES ? n : VALUES;
}

/* What the library takes by itself: three blocks, each at most a chunk, and tables. */
uint64_t cl_blosc_pack_bytes(const uint32_t *value, uint64_t chunk_bytes)
{
    uint64_t tables = (uint64_t)1 << 20;
#if CL_HAVE_ZSTD
    if (value[COMPRESSOR] == BLOSC_ZSTD) /* its levels: 2 n - 1, and the last is 22 */
        tables =
            cl_zstd_pack_bytes(value[LEVEL] < 9 ? 2 * value[LEVEL] : 22, chunk_bytes);
#endif
    return 3 * chunk_bytes + tables;
}

bool cl_blosc_encode(void *state, const uint32_t *value, const void *in, uint64_t bytes,
                     void *out, uint64_t *packed)
{
    const char *name;
    *packed = 0;
    if (bytes > BLOSC_MAX_BUFFERSIZE || value[LEVEL] > 9 ||
        blosc_compcode_to_compname((int)value[COMPRESSOR], &name) < 0)
        return true;
    const int shuffle = value[SHUFFLE] <= BLOSC_BITSHUFFLE ? (int)value[SHUFFLE] : 1;
    const int n = blosc_compress_ctx((int)value[LEVEL], shuffle, value[ITEM], bytes, in,
                                     out, bytes, name, 0, 1);
    *packed = n > 0 ? (uint64_t)n : 0;
    return n >= 0;
}
#endif
