/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressing chunks as other programs do: the codecs' own libraries in the framing
 * that each HDF5 filter has, and bitshuffle as it is defined, bit by bit. */
#ifndef CL_TESTS_PACKING_H
#define CL_TESTS_PACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;
    uint32_t id;
    bool is_here;
    int nvalue;
    unsigned value[8]; /* value[item_at] is the size of an element */
    int item_at;       /* -1: none */
} packing;

enum { PACKINGS = 13 };
extern const packing packings[PACKINGS];

/* The parameters of the filter for elements of `item` bytes. */
packing packing_for(int index, uint32_t item);
/* Compressed bytes at out, which has room for 2 * bytes + 1024; how many, 0 where the
 * filter would give up. */
size_t packing_run(const packing *p, const void *in, size_t bytes, void *out);
/* One block as bitshuffle has it: n elements, a multiple of 8. */
void packing_bits(unsigned char *out, const unsigned char *in, size_t n, size_t item);

#endif
