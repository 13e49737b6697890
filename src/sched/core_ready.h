/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of ranks as a bitmap of three levels: the lowest member, or the next one from a
 * given rank on, is found with three count-trailing-zeros. A word of level 2 stands for
 * 2^18 ranks, so that its linear walk is short for 1e7 tasks.
 */
#ifndef CL_SCHED_CORE_READY_H
#define CL_SCHED_CORE_READY_H

#include "graph/plan.h"

typedef struct {
    uint64_t *level[3];
    size_t words[3];
    uint32_t low; /* no word of level 2 below this one has a bit */
    uint32_t n;   /* members */
} cl_ready;

/* Makes room for ranks below n; false: no memory, the set unchanged. */
bool cl_ready_grow(cl_ready *set, uint32_t n);
void cl_ready_fini(cl_ready *set);
uint64_t cl_ready_bytes(const cl_ready *set);
/* The lowest member >= rank, or CL_NONE. */
uint32_t cl_ready_next(const cl_ready *set, uint32_t rank);

static inline bool cl_ready_has(const cl_ready *set, uint32_t r)
{
    return set->level[0][r >> 6] >> (r & 63) & 1;
}

static inline void cl_ready_set(cl_ready *set, uint32_t r)
{
    uint64_t *const word = &set->level[0][r >> 6], before = *word;
    const uint64_t bit = 1ull << (r & 63);
    *word = before | bit;
    set->n += !(before & bit);
    if (before != 0)
        return;
    set->level[1][r >> 12] |= 1ull << (r >> 6 & 63);
    set->level[2][r >> 18] |= 1ull << (r >> 12 & 63);
    if (r >> 18 < set->low)
        set->low = r >> 18;
}

static inline void cl_ready_clear(cl_ready *set, uint32_t r)
{
    uint64_t *const word = &set->level[0][r >> 6];
    set->n -= (uint32_t)(*word >> (r & 63) & 1);
    if ((*word &= ~(1ull << (r & 63))) != 0)
        return;
    if ((set->level[1][r >> 12] &= ~(1ull << (r >> 6 & 63))) != 0)
        return;
    set->level[2][r >> 18] &= ~(1ull << (r >> 12 & 63));
    while (set->low < set->words[2] && set->level[2][set->low] == 0)
        set->low++;
}

#endif
