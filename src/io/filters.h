/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The storage filters that Clast owns: shuffle, deflate, fletcher32, as HDF5 stores
 * them.
 *
 * A pipeline is [shuffle] [deflate] [fletcher32] in this order; each is skipped for a
 * chunk where its bit in the chunk's filter mask is set (bit i is the i-th filter that
 * the dataset has). Thread-safe: no state but the caller's.
 */
#ifndef CL_IO_FILTERS_H
#define CL_IO_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    int shuffle, deflate, fletcher; /* position in the pipeline, -1: not there */
    int level;                      /* deflate */
    uint32_t item;                  /* bytes of an element: what shuffle works on */
} cl_filters;

typedef struct libdeflate_compressor cl_packer;
typedef struct libdeflate_decompressor cl_unpacker;
cl_packer *cl_packer_new(int level); /* NULL: no memory */
void cl_packer_free(cl_packer *packer);
cl_unpacker *cl_unpacker_new(void); /* NULL: no memory */
void cl_unpacker_free(cl_unpacker *unpacker);

/* The most bytes that a chunk of `bytes` bytes is accepted or written with. */
uint64_t cl_filters_bound(uint64_t bytes);

/*
 * Undoes the pipeline: stored (which is overwritten where that helps) to `bytes` bytes
 * at out. work has room for `bytes` bytes. false: the data is damaged, *what says how.
 */
bool cl_filters_undo(const cl_filters *filters, uint32_t mask, cl_unpacker *unpacker,
                     const void *stored, uint64_t stored_bytes, void *out, void *work,
                     uint64_t bytes, const char **what);

/*
 * Applies shuffle and deflate. Returns the address of the result, which is in, work
 * (`bytes` bytes) or out (cl_filters_bound(bytes) bytes), its length and its mask:
 * where deflate does not make it smaller the chunk is stored without.
 */
const void *cl_filters_apply(const cl_filters *filters, cl_packer *packer,
                             const void *in, uint64_t bytes, void *work, void *out,
                             uint64_t *stored_bytes, uint32_t *mask);

void cl_shuffle(void *dst, const void *src, uint64_t bytes, uint32_t item);
void cl_unshuffle(void *dst, const void *src, uint64_t bytes, uint32_t item);
uint32_t cl_fletcher32(const void *data, uint64_t bytes);

#endif
