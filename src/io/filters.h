/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The filter pipelines that Clast does and undoes itself, as HDF5 stores them.
 *
 * A pipeline is [shuffle or bitshuffle] [one codec] [fletcher32] in this order; each is
 * skipped for a chunk where its bit in the chunk's filter mask is set (bit i is the
 * i-th filter that the dataset has). Thread-safe: no state but the caller's.
 */
#ifndef CL_IO_FILTERS_H
#define CL_IO_FILTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/codec.h"

#define CL_FILTERS_MOST 32 /* bits of a filter mask */

typedef struct {
    int shuffle, pack, fletcher; /* position in the pipeline, -1: not there */
    uint32_t item;               /* bytes of an element: what is shuffled */
    uint32_t bit_block; /* bits are shuffled, in blocks of so many elements; 0: bytes */
    uint32_t bit_asked; /* the same as the file has it; 0: the default */
    const cl_codec *codec; /* at `pack` */
    uint32_t n, value[CL_CODEC_VALUES];
} cl_filters;

void cl_filters_init(cl_filters *filters, uint32_t item);
/* The next filter of the dataset and its parameters; false: the pipeline is not one of
 * ours, and `filters` must not be used. */
bool cl_filters_add(cl_filters *filters, uint32_t id, int position,
                    const unsigned *value, size_t n);
/* What outputs inherit; all zeros where Clast cannot write every filter. */
void cl_filters_describe(const cl_filters *filters, cl_compression *c);
/* Whether chunks of the one can be undone as those of the other: all but versions. */
bool cl_filters_same(const cl_filters *a, const cl_filters *b);
/* The pipeline of a new dataset whose chunks have so many bytes; false: this build
 * cannot write it. */
bool cl_filters_set(cl_filters *filters, const cl_compression *c, uint32_t item,
                    uint64_t chunk_bytes);
/* Filter number `position`, with parameters for H5Pset_filter(); 0: there is none. */
uint32_t cl_filters_get(const cl_filters *filters, int position,
                        uint32_t value[CL_CODEC_VALUES], uint32_t *n);
/* The level of deflate, 0: none, or not known. */
int cl_filters_gzip(const cl_filters *filters);

/* The most bytes that a chunk of `bytes` bytes is accepted or written with. */
uint64_t cl_filters_bound(const cl_filters *filters, uint64_t bytes);
/* How many chunks of memory a codec's own library takes while it decodes. */
int cl_filters_work(const cl_filters *filters);

/* What one thread keeps from chunk to chunk; one that is zeroed may be closed. */
typedef struct {
    const cl_filters *filters;
    void *state;
} cl_unpacker;
bool cl_unpacker_open(cl_unpacker *unpacker, const cl_filters *filters); /* memory */
void cl_unpacker_close(cl_unpacker *unpacker);

/*
 * Undoes the pipeline: stored to `bytes` bytes at out. work has room for `bytes` bytes.
 * false: the data is damaged, *what says how.
 */
bool cl_filters_undo(const cl_unpacker *unpacker, uint32_t mask, const void *stored,
                     uint64_t stored_bytes, void *out, void *work, uint64_t bytes,
                     const char **what);

/* What one thread keeps while it filters chunks of that size. `memory` has
 * cl_packer_bytes() bytes, aligned to 64, and is the packer's until it is closed. */
typedef struct {
    const cl_filters *filters;
    void *state;
} cl_packer;
uint64_t cl_packer_bytes(const cl_filters *filters, uint64_t chunk_bytes);
bool cl_packer_open(cl_packer *packer, const cl_filters *filters, uint64_t chunk_bytes,
                    void *memory); /* false: no memory */
void cl_packer_close(cl_packer *packer);
/*
 * Applies the pipeline. Returns the address of the result, which is in, work (`bytes`
 * bytes) or out (cl_filters_bound() bytes), its length and its mask: where the codec
 * does not make it smaller the chunk is stored without. NULL: the codec's library has
 * no memory.
 */
const void *cl_filters_apply(const cl_packer *packer, const void *in, uint64_t bytes,
                             void *work, void *out, uint64_t *stored_bytes,
                             uint32_t *mask);

uint32_t cl_fletcher32(const void *data, uint64_t bytes);

#endif
