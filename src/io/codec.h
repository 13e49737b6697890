/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Codecs: the compressing filters that Clast undoes itself, as a table.
 *
 * A row says what the filter's number and name are, which of its parameters we know,
 * how long a compressed chunk may be, and how it is undone. Rows of libraries that this
 * build lacks are missing: libhdf5 may then have the filter. To add a codec, write a
 * row. Thread-safe: a codec keeps nothing but the state that its caller holds.
 */
#ifndef CL_IO_CODEC_H
#define CL_IO_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CL_CODEC_VALUES 8 /* parameters that are kept; the others are 0 */

typedef struct {
    uint32_t id; /* as registered with The HDF Group */
    const char *name;
    int work; /* chunks of memory that its library takes while it decodes */
    /* NULL: any parameters will do. */
    bool (*knows)(const uint32_t *value);
    /* The most bytes that a chunk of `bytes` bytes is stored in. */
    uint64_t (*bound)(const uint32_t *value, uint64_t bytes);
    /* What one thread needs to decode; open gives NULL without memory. Both NULL: it
     * needs nothing. */
    void *(*open)(void);
    void (*close)(void *state);
    /* Exactly `bytes` bytes to out, or false: the input is damaged. scratch has room
     * for as many. Reads nothing outside of in and writes nothing outside of the other
     * two, whatever the input holds. */
    bool (*decode)(void *state, const uint32_t *value, const void *in,
                   uint64_t in_bytes, void *out, void *scratch, uint64_t bytes);
} cl_codec;

/* NULL: unknown here, or not with these parameters. */
const cl_codec *cl_codec_find(uint32_t id, const uint32_t *value);
/* The build option that would add this filter, NULL: none does. */
const char *cl_codec_option(uint32_t id);

/* --- rows that have a file of their own ------------------------------------------ */

bool cl_blosc_knows(const uint32_t *value);
bool cl_blosc_decode(void *state, const uint32_t *value, const void *in,
                     uint64_t in_bytes, void *out, void *scratch, uint64_t bytes);

uint64_t cl_lz4_bound(const uint32_t *value, uint64_t bytes);
bool cl_lz4_decode(void *state, const uint32_t *value, const void *in,
                   uint64_t in_bytes, void *out, void *scratch, uint64_t bytes);

bool cl_bitshuffle_knows(const uint32_t *value);
uint64_t cl_bitshuffle_bound(const uint32_t *value, uint64_t bytes);
bool cl_bitshuffle_decode(void *state, const uint32_t *value, const void *in,
                          uint64_t in_bytes, void *out, void *scratch, uint64_t bytes);

#endif
