/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Atomic words of fibers: each use may hand over to any other fiber that can go on.
 *
 * For a source that is compiled for the simulator, before anything else of it. The
 * operations below are replaced, which name their order of memory; another one would
 * hand over to nobody, so that its races went unseen.
 */
#ifndef CL_TESTS_FIBERS_ATOMICS_H
#define CL_TESTS_FIBERS_ATOMICS_H

#include "fibers.h"

#include <stdatomic.h>

#undef atomic_load_explicit
#define atomic_load_explicit(at, order) (fibers_hand_over(), *(at))
#undef atomic_store_explicit
#define atomic_store_explicit(at, value, order)                                        \
    do {                                                                               \
        fibers_hand_over();                                                            \
        *(at) = (value);                                                               \
        fibers_hand_over();                                                            \
    } while (0)
static inline bool fibers_exchange(_Atomic uint32_t *at, uint32_t *expected,
                                   uint32_t value)
{
    fibers_hand_over();
    const uint32_t found = *at;
    const bool is_expected = found == *expected;
    if (is_expected)
        *at = value;
    *expected = found;
    fibers_hand_over();
    return is_expected;
}
#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(at, expected, value, order, otherwise) \
    fibers_exchange(at, expected, value)

#endif
