/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Codecs: the compressing filters that Clast does and undoes itself, as a table.
 *
 * A row says what the filter's number and name are, which of its parameters we know,
 * how long a compressed chunk may be, how it is made and undone. Rows of libraries that
 * this build lacks are missing: libhdf5 may then have the filter. To add a codec, write
 * a row. Thread-safe: a codec keeps nothing but the state that its caller holds.
 */
#ifndef CL_IO_CODEC_H
#define CL_IO_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/compression.h"

typedef struct {
    uint32_t id; /* as registered with The HDF Group */
    const char *name;
    int work; /* chunks of memory that its library takes while it runs */
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

    /* NULL: any parameters that it knows can be written. */
    bool (*writes)(const uint32_t *value);
    /* What the filter's own set_local does: puts what the dataset decides (and its
     * version) into n parameters; how many there are then. NULL: nothing. */
    uint32_t (*fit)(uint32_t *value, uint32_t n, uint32_t item, uint64_t chunk_bytes);
    /* The memory that one thread needs to encode, which the caller gives, aligned to 64
     * bytes (or leaves to the codec's library), and what is made in it. NULL: none, and
     * the state is that memory itself. pack_open may return other memory, which
     * pack_close frees; NULL: there is none. */
    uint64_t (*pack_bytes)(const uint32_t *value, uint64_t chunk_bytes);
    void *(*pack_open)(const uint32_t *value, uint64_t chunk_bytes, void *memory);
    void (*pack_close)(void *state);
    /* `bytes` > 0 bytes, encoded at out, which has room for bound() bytes. *packed: how
     * many; 0, or as many as there were, where it does not become smaller. false: its
     * library has no memory. The same input gives the same output. */
    bool (*encode)(void *state, const uint32_t *value, const void *in, uint64_t bytes,
                   void *out, uint64_t *packed);
} cl_codec;

/* NULL: unknown here, or not with these parameters. */
const cl_codec *cl_codec_find(uint32_t id, const uint32_t *value);
/* With any parameters. */
const cl_codec *cl_codec_any(uint32_t id);
/* Whether what these become in a dataset can be written. */
bool cl_codec_can_write(uint32_t id, const uint32_t *value);
/* The build option that would add this filter, NULL: none does. */
const char *cl_codec_option(uint32_t id);

/* --- rows that have a file of their own ------------------------------------------ */

bool cl_blosc_knows(const uint32_t *value);
bool cl_blosc_decode(void *state, const uint32_t *value, const void *in,
                     uint64_t in_bytes, void *out, void *scratch, uint64_t bytes);
uint32_t cl_blosc_fit(uint32_t *value, uint32_t n, uint32_t item, uint64_t chunk_bytes);
uint64_t cl_blosc_pack_bytes(const uint32_t *value, uint64_t chunk_bytes);
bool cl_blosc_encode(void *state, const uint32_t *value, const void *in, uint64_t bytes,
                     void *out, uint64_t *packed);

/* Zstandard: what its context takes for so many bytes, that context, and one stream. */
uint64_t cl_zstd_pack_bytes(uint32_t level, uint64_t bytes);
void *cl_zstd_pack_open(void *memory, uint64_t bytes);
bool cl_zstd_encode(void *state, uint32_t level, const void *in, uint64_t bytes,
                    void *out, uint64_t room, uint64_t *packed);

uint64_t cl_lz4_bound(const uint32_t *value, uint64_t bytes);
bool cl_lz4_decode(void *state, const uint32_t *value, const void *in,
                   uint64_t in_bytes, void *out, void *scratch, uint64_t bytes);

uint64_t cl_lz4_pack_bytes(const uint32_t *value, uint64_t chunk_bytes);
bool cl_lz4_encode(void *state, const uint32_t *value, const void *in, uint64_t bytes,
                   void *out, uint64_t *packed);

bool cl_bitshuffle_knows(const uint32_t *value);
bool cl_bitshuffle_writes(const uint32_t *value);
uint64_t cl_bitshuffle_bound(const uint32_t *value, uint64_t bytes);
bool cl_bitshuffle_decode(void *state, const uint32_t *value, const void *in,
                          uint64_t in_bytes, void *out, void *scratch, uint64_t bytes);
uint32_t cl_bitshuffle_fit(uint32_t *value, uint32_t n, uint32_t item,
                           uint64_t chunk_bytes);
uint64_t cl_bitshuffle_pack_bytes(const uint32_t *value, uint64_t chunk_bytes);
void *cl_bitshuffle_pack_open(const uint32_t *value, uint64_t chunk_bytes,
                              void *memory);
bool cl_bitshuffle_encode(void *state, const uint32_t *value, const void *in,
                          uint64_t bytes, void *out, uint64_t *packed);

#endif
