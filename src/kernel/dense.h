/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of block linear algebra share: carving up a workspace, asking whether
 * to give up. */
#ifndef CL_KERNEL_DENSE_H
#define CL_KERNEL_DENSE_H

#include <stdint.h>

#include "base/alloc.h"
#include "kernel/gather.h"

#define CL_CARVE_ALIGN ((size_t)64)

/* Bytes of count elements, rounded up so that what follows is aligned; SIZE_MAX where
 * it overflows. */
static inline size_t cl_carve_size(int64_t count, size_t size)
{
    size_t bytes;
    if (count < 0 || !cl_mul_size((size_t)count, size, &bytes) ||
        __builtin_add_overflow(bytes, CL_CARVE_ALIGN - 1, &bytes))
        return SIZE_MAX;
    return bytes & ~(CL_CARVE_ALIGN - 1);
}

static inline size_t cl_carve_add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

/* Takes the next part of a workspace. */
static inline void *cl_carve(char **at, int64_t count, size_t size)
{
    void *p = *at;
    *at += cl_carve_size(count, size);
    return p;
}

static inline bool cl_is_canceled(const cl_poll *poll)
{
    return poll && poll->is_canceled && poll->is_canceled(poll->arg);
}

/* Whether BLAS and LAPACK can count so far: their integers have 32 bits. */
static inline bool cl_fits_blas(int64_t n)
{
    return n >= 0 && n <= INT32_MAX;
}

#endif
