/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plans by hand, for tests and benchmarks of the scheduler: blocks and tasks are added
 * one by one, CSR arrays are made at the end of each segment.
 *
 * Nothing is reported: where memory is short or a plan is wrong `failed` is set.
 */
#ifndef CL_TESTS_PLANS_H
#define CL_TESTS_PLANS_H

#include "graph/plan.h"

typedef struct {
    cl_plan plan; /* complete after plans_end() */
    cl_block *block;
    uint32_t *task_stage, *task_index, *operand_start, *operand;
    size_t nblock, ntask, noperand;
    size_t block_room, stage_room, index_room, start_room, operand_room;
    size_t segment_room, stages_room;
    uint32_t task_base, block_base;
    bool failed;
} plans;

/* Zeroed memory is an empty builder. */
uint32_t plans_stage(plans *p, uint32_t workspace_pages, double cost);
uint32_t plans_block(plans *p, uint32_t pages, uint32_t load_pages, uint8_t flags);
uint32_t plans_task(plans *p, uint32_t stage);
/* An operand of the last task; W makes it the block's producer. */
void plans_operand(plans *p, uint32_t block, cl_mode mode);
void plans_end(plans *p); /* of a segment */
/* Gives tasks that read and then write nothing but outputs a stage of their own by the
 * number of these, which says so (cl_stage.outputs). After the last segment. */
void plans_sort_out(plans *p);
void plans_fini(plans *p);

/* All segments, by global id. */
const cl_block *plans_find_block(const cl_plan *plan, uint32_t block);

typedef struct {
    const uint32_t *at;
    uint32_t n, stage;
} plans_operands;
plans_operands plans_find_task(const cl_plan *plan, uint32_t task);

#endif
