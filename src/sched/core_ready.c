/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bitmap of ranks (core_ready.h).
 *
 * A bit of level k + 1 says that a word of level k is not zero. Setting and clearing
 * touch one word per level, clearing mostly one only; they are inline. Finding the next
 * member climbs until a word has a bit to the right place and descends again.
 */
#include "sched/core_ready.h"

#include <string.h>

bool cl_ready_grow(cl_ready *set, uint32_t n)
{
    uint64_t *fresh[3] = {NULL, NULL, NULL};
    size_t words[3];
    bool ok = true;
    for (int k = 0; k < 3; k++) {
        words[k] = (n >> (6 + 6 * k)) + 1u;
        fresh[k] = cl_calloc(words[k], sizeof *fresh[k]);
        ok = ok && fresh[k] != NULL;
    }
    for (int k = 0; k < 3; k++) {
        if (ok && set->words[k] > 0)
            memcpy(fresh[k], set->level[k], set->words[k] * sizeof *fresh[k]);
        cl_free(ok ? set->level[k] : fresh[k]);
        if (ok) {
            set->level[k] = fresh[k];
            set->words[k] = words[k];
        }
    }
    return ok;
}

void cl_ready_fini(cl_ready *set)
{
    for (int k = 0; k < 3; k++)
        cl_free(set->level[k]);
    *set = (cl_ready){0};
}

uint64_t cl_ready_bytes(const cl_ready *set)
{
    return 8 * (uint64_t)(set->words[0] + set->words[1] + set->words[2]);
}

/* The lowest bit of `word` at or above `bit`, or -1. */
static int bit_from(uint64_t word, uint32_t bit)
{
    const uint64_t rest = bit > 63 ? 0 : word >> bit << bit;
    return rest == 0 ? -1 : __builtin_ctzll(rest);
}

uint32_t cl_ready_next(const cl_ready *set, uint32_t rank)
{
    if (rank >> 18 < set->low)
        rank = set->low << 18;
    if (rank >> 6 >= set->words[0])
        return CL_NONE;
    int bit = bit_from(set->level[0][rank >> 6], rank & 63);
    if (bit >= 0)
        return (rank & ~63u) | (uint32_t)bit;
    uint32_t word0 = rank >> 6;
    bit = bit_from(set->level[1][word0 >> 6], (word0 & 63) + 1);
    if (bit < 0) {
        uint32_t word1 = word0 >> 6, word2 = word1 >> 6;
        bit = bit_from(set->level[2][word2], (word1 & 63) + 1);
        while (bit < 0) {
            if (++word2 >= set->words[2])
                return CL_NONE;
            bit = bit_from(set->level[2][word2], 0);
        }
        word1 = word2 << 6 | (uint32_t)bit;
        word0 = word1 << 6;
        bit = __builtin_ctzll(set->level[1][word1]);
    }
    word0 = (word0 & ~63u) | (uint32_t)bit;
    return word0 << 6 | (uint32_t)__builtin_ctzll(set->level[0][word0]);
}
