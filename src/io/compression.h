/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What chunks of an output are stored with: what is asked for or inherited from an
 * input, without what depends on the dataset (sizes of elements and chunks).
 *
 * All zeros: as they are. Two that are equal byte by byte store a dataset in the same
 * way.
 */
#ifndef CL_IO_COMPRESSION_H
#define CL_IO_COMPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define CL_CODEC_VALUES 8 /* parameters that are kept; the others are 0 */

/* Filters, by the numbers that The HDF Group has registered. */
enum {
    CL_FILTER_DEFLATE = 1,
    CL_FILTER_SHUFFLE = 2,
    CL_FILTER_FLETCHER32 = 3,
    CL_FILTER_LZF = 32000,
    CL_FILTER_BLOSC = 32001,
    CL_FILTER_LZ4 = 32004,
    CL_FILTER_BITSHUFFLE = 32008,
    CL_FILTER_ZSTD = 32015
};
/* Which parameter is what. Those before say versions and what the dataset decides. */
enum { CL_BLOSC_LEVEL = 4, CL_BLOSC_SHUFFLE = 5, CL_BLOSC_COMPRESSOR = 6 };
enum { CL_BITSHUFFLE_CODEC = 4, CL_BITSHUFFLE_LEVEL = 5 };
enum { CL_BITSHUFFLE_NONE = 0, CL_BITSHUFFLE_LZ4 = 2, CL_BITSHUFFLE_ZSTD = 3 };

typedef enum { CL_SHUFFLE_NONE, CL_SHUFFLE_BYTES, CL_SHUFFLE_BITS } cl_shuffling;

typedef struct {
    uint32_t shuffle;                /* cl_shuffling */
    uint32_t bit_block;              /* CL_SHUFFLE_BITS: elements, 0: bitshuffle's */
    uint32_t codec;                  /* the filter's number; 0: none */
    uint32_t n;                      /* parameters that the filter is given */
    uint32_t value[CL_CODEC_VALUES]; /* as registered; 0 what the dataset decides */
    uint32_t fletcher;               /* 1: a checksum behind it */
} cl_compression;

/* Completes what was asked for, in these words, as the filter does by itself.
 * CLAST_ENOTSUP this build lacks the codec. */
clast_status cl_compression_settle(cl_compression *c, const char *text, cl_error *err);
/* The option `shuffle` for what is inherited. */
void cl_compression_shuffle(cl_compression *c, int shuffle);

#endif
