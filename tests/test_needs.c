/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a plan needs, told from its tables, beside what random plans take when the
 * scheduler core goes through them.
 */
#include "check_main.h"
#include "random_plan.h"
#include "sched/engine.h"

#define SEEDS 2000

/* Nothing is loaded: sources become the caller's memory. */
static void make_resident(cl_plan *plan)
{
    for (uint32_t i = 0; i < plan->nsegment; i++)
        for (uint32_t b = 0; b < plan->segment[i].nblock; b++) {
            cl_block *block = &plan->segment[i].block[b];
            if (block->flags & CL_BLOCK_SOURCE)
                block->flags ^= CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT;
        }
}

static void drain(cl_core *core)
{
    cl_action action;
    while (cl_core_next_action(core, &action))
        ck_assert(action.kind == CL_ACTION_FREE);
}

/* What an earlier run left. */
static void adopt(cl_core *core, const cl_plan *plan)
{
    for (uint32_t i = 0; i < plan->nsegment; i++)
        for (uint32_t b = 0; b < plan->segment[i].nblock; b++)
            if (plan->segment[i].block[b].producer == CL_NONE &&
                plan->segment[i].block[b].flags == CL_BLOCK_PERSIST)
                ck_assert(cl_core_adopt(core, plan->segment[i].block_base + b, false));
}

static uint64_t peak_of_run(const cl_plan *plan)
{
    const cl_core_limits limits = {.budget_pages = UINT32_MAX, .nplace = 1};
    cl_core *core;
    cl_error err = {0};
    cl_start start;
    ck_assert_int_eq(cl_core_new(&core, plan, &limits, &err), CLAST_OK);
    adopt(core, plan);
    while (cl_core_take(core, 0, &start, 1)) {
        drain(core);
        cl_core_post(core, &(cl_event){.kind = CL_EVENT_DONE,
                                       .task = start.task,
                                       .epoch = start.epoch,
                                       .workspace_pages = start.workspace_pages,
                                       .block = CL_NONE});
        drain(core);
    }
    ck_assert(cl_core_is_finished(core));
    const uint64_t peak = cl_core_get_counts(core).peak_pages;
    cl_core_free(core);
    return peak;
}

START_TEST(test_peak_is_that_of_a_run)
{
    uint32_t peaks = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        plans p = {0};
        dice d = dice_of(seed);
        random_plan(&p, &d);
        make_resident(&p.plan);
        const cl_needs needs = cl_needs_of(&p.plan, 1);
        ck_assert(!needs.loads);
        ck_assert_msg(needs.peak == peak_of_run(&p.plan), "seed %llu",
                      (unsigned long long)seed);
        ck_assert_uint_le(needs.peak, needs.all);
        for (uint32_t width = 2; width < 80; width += 30) {
            const cl_needs wide = cl_needs_of(&p.plan, width);
            ck_assert_uint_ge(wide.peak, needs.peak);
            ck_assert_uint_le(wide.peak, 80 * needs.all);
            ck_assert_uint_eq(wide.least, needs.least);
            peaks += wide.peak > needs.peak;
        }
        plans_fini(&p);
    }
    ck_assert_uint_gt(peaks, SEEDS); /* more at once take more */
}
END_TEST

START_TEST(test_least_is_the_neediest_task)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        plans p = {0};
        dice d = dice_of(seed);
        random_plan(&p, &d);
        const cl_needs needs = cl_needs_of(&p.plan, 2);
        ck_assert_msg(needs.least >= random_plan_minimum(&p.plan), "seed %llu",
                      (unsigned long long)seed);
        ck_assert_uint_le(needs.least, needs.all);
        plans_fini(&p);
    }
}
END_TEST

static Suite *needs_suite(void)
{
    Suite *s = suite_create("needs");
    TCase *t = tcase_create("needs");
    tcase_add_test(t, test_peak_is_that_of_a_run);
    tcase_add_test(t, test_least_is_the_neediest_task);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {needs_suite};
    return cl_check_main(suites, 1);
}
