/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2,
 * 3; SC11), and how Clast makes numbers of it.
 *
 * Element i of the stream of a seed is block {i mod 2^32, i div 2^32, 0, 0} under the
 * key {seed mod 2^32, seed div 2^32}. With the block's words w0 ... w3,
 *
 *     float64: ((w1 * 2^32 + w0) div 2^11) * 2^-53      float32: (w0 div 2^8) * 2^-24
 *
 * This mapping is part of the interface: files made from a seed can be made again.
 */
#ifndef CL_KERNEL_PHILOX_H
#define CL_KERNEL_PHILOX_H

#include <stdint.h>

typedef struct {
    uint32_t w[4];
} cl_philox;

static inline cl_philox cl_philox_block(cl_philox counter, uint32_t k0, uint32_t k1)
{
    uint32_t c0 = counter.w[0], c1 = counter.w[1], c2 = counter.w[2], c3 = counter.w[3];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53 * c0, p1 = (uint64_t)0xCD9E8D57 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return (cl_philox){{c0, c1, c2, c3}};
}

static inline cl_philox cl_philox_at(uint64_t index, uint64_t seed)
{
    const cl_philox counter = {{(uint32_t)index, (uint32_t)(index >> 32), 0, 0}};
    return cl_philox_block(counter, (uint32_t)seed, (uint32_t)(seed >> 32));
}

static inline double cl_philox_double(cl_philox b)
{
    const uint64_t bits = (uint64_t)b.w[1] << 32 | b.w[0];
    return (double)(int64_t)(bits >> 11) * 0x1p-53;
}

static inline float cl_philox_float(cl_philox b)
{
    return (float)(int32_t)(b.w[0] >> 8) * 0x1p-24f;
}

#endif
