/* SPDX-License-Identifier: BSD-3-Clause */
/* Random plans for the simulator: every shape of graph that the scheduler core knows.
 */
#ifndef CL_TESTS_RANDOM_PLAN_H
#define CL_TESTS_RANDOM_PLAN_H

#include "plans.h"

/* xorshift64*: the same numbers everywhere. */
typedef struct {
    uint64_t state;
} dice;
dice dice_of(uint64_t seed);
uint32_t dice_below(dice *d, uint32_t n); /* 0 .. n-1; 0 for n = 0 */
static inline bool dice_one_in(dice *d, uint32_t n)
{
    return dice_below(d, n) == 0;
}

void random_plan(plans *p, dice *d);

/* Pages without which some task can never start (see docs/task-model.md). */
uint64_t random_plan_minimum(const cl_plan *plan);

#endif
