/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which instruction set the inner loops use.
 *
 * loops_isa.c is compiled once per level with that level's flags; the choice is made
 * once, on first use, from what the CPU says it has. Several threads may make it at the
 * same time: they come to the same answer.
 */
#include "kernel/loops.h"

#include <stdatomic.h>

/* Those that this build has (its option instruction_sets). */
static const cl_loops *const levels[CL_NISA] = {
    [CL_ISA_BASELINE] = &cl_loops_baseline,
#ifdef CL_HAS_AVX2
    [CL_ISA_AVX2] = &cl_loops_avx2,
#endif
#ifdef CL_HAS_AVX512
    [CL_ISA_AVX512] = &cl_loops_avx512,
#endif
};

static _Atomic(const cl_loops *) chosen;

static bool has_isa(cl_isa isa)
{
    switch (isa) {
    case CL_ISA_BASELINE:
        return true;
    case CL_ISA_AVX2:
        return __builtin_cpu_supports("avx2");
    case CL_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    case CL_NISA:
        break;
    }
    return false;
}

bool cl_loops_set(cl_isa isa)
{
    if (!levels[isa] || !has_isa(isa))
        return false;
    atomic_store_explicit(&chosen, levels[isa], memory_order_relaxed);
    return true;
}

const cl_loops *cl_loops_now(void)
{
    const cl_loops *l = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (l)
        return l;
    int isa = CL_NISA - 1;
    while (!cl_loops_set((cl_isa)isa))
        isa--;
    return levels[isa];
}
