/* SPDX-License-Identifier: BSD-3-Clause */
/* The lesser and the larger of two numbers, and their difference, without evaluating
 * either twice. */
#ifndef CL_BASE_LEAST_H
#define CL_BASE_LEAST_H

#include <stdint.h>

static inline int64_t cl_lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t cl_lesser_u(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t cl_larger_u(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Not below zero. */
static inline uint64_t cl_minus_u(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

#endif
