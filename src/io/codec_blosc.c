/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blosc (filter 32001): a container of its own, with a shuffle and one of several
 * compressors inside.
 *
 * Its header, the first 16 bytes, says how long it is and how long what is in it;
 * both must be what HDF5 says, and cl_blosc_decode() checks that before the library
 * reads on. The library is called without its threads and its global state.
 */
#include "io/codec.h"

#if CL_HAVE_BLOSC
#include <blosc.h>

enum { COMPRESSOR = 6 }; /* which parameter */

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
#endif
