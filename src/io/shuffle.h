/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transposes that make numbers compress better: bytes by significance (HDF5's shuffle)
 * and bits by significance (bitshuffle). Both keep the number of bytes; source and
 * destination do not overlap. Any alignment.
 */
#ifndef CL_IO_SHUFFLE_H
#define CL_IO_SHUFFLE_H

#include <stdint.h>

/* Elements of `item` > 0 bytes; bytes behind the last whole element are copied. */
void cl_shuffle(void *dst, const void *src, uint64_t bytes, uint32_t item);
void cl_unshuffle(void *dst, const void *src, uint64_t bytes, uint32_t item);

#define CL_BITSHUFFLE_ITEM 16 /* the largest element, bytes */

/* Bitshuffle in blocks of `block` elements, a multiple of 8: in a block, bit k of byte
 * j of all elements is row 8 j + k. The last block is shorter, and up to 7 elements
 * behind it are copied. */
void cl_bitshuffle(void *dst, const void *src, uint64_t bytes, uint32_t item,
                   uint32_t block);
void cl_bitunshuffle(void *dst, const void *src, uint64_t bytes, uint32_t item,
                     uint32_t block);
/* How many elements a block has where the file says 0. */
uint32_t cl_bitshuffle_block(uint32_t item);

#endif
