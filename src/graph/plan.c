/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plans as finished records: everything hangs in the plan's arena, so giving one back
 * is one call. Blocks are found by global id through the segment that holds them.
 */
#include "graph/plan.h"

void cl_plan_fini(cl_plan *plan)
{
    cl_arena_fini(&plan->arena);
    *plan = (cl_plan){0};
}

const char *cl_stage_kind_name(cl_stage_kind kind)
{
    static const char *const name[] = {
        [CL_STAGE_EMPTY] = "empty",   [CL_STAGE_MAP] = "map",
        [CL_STAGE_FOLD] = "fold",     [CL_STAGE_JOIN] = "join",
        [CL_STAGE_FINISH] = "finish", [CL_STAGE_GEMM] = "gemm",
        [CL_STAGE_QR] = "qr",         [CL_STAGE_QR_JOIN] = "qr-join",
        [CL_STAGE_SVD] = "svd",       [CL_STAGE_Q_JOIN] = "q-join",
        [CL_STAGE_Q] = "q",           [CL_STAGE_USER] = "user",
        [CL_STAGE_STORE] = "store"};
    return name[kind];
}

const cl_block *cl_plan_later_block(const cl_plan *plan, uint32_t block)
{
    for (uint32_t s = plan->nsegment; s-- > 1;) {
        const cl_segment *const g = &plan->segment[s];
        if (block >= g->block_base && block - g->block_base < g->nblock)
            return &g->block[block - g->block_base];
    }
    return NULL;
}
