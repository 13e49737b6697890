/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler core by hand: single rules on plans of a few tasks, where the expected
 * actions can be written down. The simulator covers their combinations.
 */
#include "alloc_faults.h"
#include "check_main.h"
#include "plans.h"
#include "sched/core.h"
#include "sched/core_ready.h"

static cl_core *new_core(const plans *p, uint64_t budget, uint64_t scratch,
                         uint32_t prefetch)
{
    const cl_core_limits limits = {.budget_pages = budget,
                                   .scratch_pages = scratch,
                                   .nplace = 1,
                                   .prefetch = prefetch,
                                   .loads = 1};
    cl_core *core = NULL;
    cl_error error = {0};
    ck_assert(!p->failed);
    ck_assert_int_eq(cl_core_new(&core, &p->plan, &limits, &error), CLAST_OK);
    return core;
}

static void expect_action(cl_core *core, cl_action_kind kind, uint32_t block)
{
    cl_action a;
    ck_assert(cl_core_next_action(core, &a));
    ck_assert_int_eq(a.kind, kind);
    ck_assert_uint_eq(a.block, block);
}

static void expect_silence(cl_core *core)
{
    cl_action a;
    ck_assert(!cl_core_next_action(core, &a));
}

static void expect_start(cl_core *core, uint32_t task, uint32_t copy_mask)
{
    cl_start s;
    ck_assert_uint_eq(cl_core_take(core, 0, &s, 1), 1);
    ck_assert_uint_eq(s.task, task);
    ck_assert_uint_eq(s.copy_mask, copy_mask);
}

static void expect_nothing(cl_core *core)
{
    cl_start s;
    ck_assert_uint_eq(cl_core_take(core, 0, &s, 1), 0);
}

static void post(cl_core *core, cl_event_kind kind, uint32_t id)
{
    const bool is_task = kind == CL_EVENT_DONE;
    cl_core_post(core, &(cl_event){.kind = kind,
                                   .task = is_task ? id : CL_NONE,
                                   .block = is_task ? CL_NONE : id});
}

/* A producer and n readers of one block; the reader `rw` updates it in place. */
static void fan(plans *p, uint32_t n, uint32_t rw, uint8_t flags)
{
    plans_stage(p, 0, 0);
    const uint32_t block = plans_block(p, 1, 0, flags);
    plans_task(p, 0);
    plans_operand(p, block, CL_W);
    for (uint32_t i = 0; i < n; i++) {
        plans_task(p, 0);
        plans_operand(p, block, i == rw ? CL_RW : CL_R);
        if (i == rw)
            plans_operand(p, plans_block(p, 1, 0, 0), CL_W);
    }
    plans_end(p);
}

START_TEST(test_ready_finds_every_rank)
{
    static const uint32_t rank[] = {0, 1, 63, 64, 4095, 4096, 262143, 262144, 700000};
    const uint32_t n = sizeof rank / sizeof *rank;
    cl_ready set = {0};
    ck_assert(cl_ready_grow(&set, 700001));
    ck_assert_uint_eq(cl_ready_next(&set, 0), CL_NONE);
    for (uint32_t i = n; i-- > 0;) {
        cl_ready_set(&set, rank[i]);
        cl_ready_set(&set, rank[i]); /* again */
        ck_assert_uint_eq(cl_ready_next(&set, 0), rank[i]);
        ck_assert_uint_eq(set.n, n - i);
    }
    for (uint32_t i = 0; i < n; i++)
        ck_assert_uint_eq(cl_ready_next(&set, i == 0 ? 0 : rank[i - 1] + 1), rank[i]);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert(cl_ready_has(&set, rank[i]));
        cl_ready_clear(&set, rank[i]);
        cl_ready_clear(&set, rank[i]); /* again */
        ck_assert_uint_eq(set.n, n - i - 1);
        ck_assert_uint_eq(cl_ready_next(&set, 0), i + 1 < n ? rank[i + 1] : CL_NONE);
    }
    cl_ready_fini(&set);
}
END_TEST

START_TEST(test_block_is_freed_after_last_reader)
{
    plans p = {0};
    fan(&p, 2, CL_NONE, 0);
    cl_core *core = new_core(&p, 10, 0, 0);
    expect_start(core, 0, 0);
    expect_nothing(core);
    post(core, CL_EVENT_DONE, 0);
    expect_start(core, 1, 0);
    expect_start(core, 2, 0);
    post(core, CL_EVENT_DONE, 2);
    expect_silence(core);
    post(core, CL_EVENT_DONE, 1);
    expect_action(core, CL_ACTION_FREE, 0);
    expect_silence(core);
    ck_assert(cl_core_is_finished(core));
    cl_core_free(core);
    plans_fini(&p);
}
END_TEST

/* In place only for the last reader of a version that nobody keeps. */
START_TEST(test_take_over)
{
    static const struct {
        uint32_t readers, rw;
        uint8_t flags;
        uint32_t copy_mask;
    } table[] = {{1, 0, 0, 0}, {2, 1, 0, 0}, {2, 0, 0, 1}, {1, 0, CL_BLOCK_PERSIST, 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        plans p = {0};
        fan(&p, table[i].readers, table[i].rw, table[i].flags);
        cl_core *core = new_core(&p, 10, 0, 0);
        expect_start(core, 0, 0);
        post(core, CL_EVENT_DONE, 0);
        for (uint32_t t = 1; t <= table[i].rw; t++) {
            expect_start(core, t, 0);
            post(core, CL_EVENT_DONE, t);
        }
        expect_start(core, table[i].rw + 1, table[i].copy_mask);
        ck_assert_uint_eq(cl_core_get_counts(core).peak_pages, 1 + table[i].copy_mask);
        cl_core_free(core);
        plans_fini(&p);
    }
}
END_TEST

/* Tasks 0 to 2 make blocks of 2 pages, read in this order: 1, 2, 0. */
static void three(plans *p)
{
    static const uint32_t read[] = {1, 2, 0};
    plans_stage(p, 0, 0);
    for (uint32_t i = 0; i < 3; i++) {
        plans_block(p, 2, 0, 0);
        plans_task(p, 0);
        plans_operand(p, i, CL_W);
    }
    for (uint32_t i = 0; i < 3; i++) {
        plans_task(p, 0);
        plans_operand(p, read[i], CL_R);
    }
    plans_end(p);
}

START_TEST(test_victim_is_the_farthest)
{
    plans p = {0};
    three(&p);
    cl_core *core = new_core(&p, 4, 2, 0);
    expect_start(core, 0, 0);
    post(core, CL_EVENT_DONE, 0);
    expect_start(core, 1, 0);
    post(core, CL_EVENT_DONE, 1);
    expect_action(core, CL_ACTION_SPILL, 0); /* read last */
    post(core, CL_EVENT_SPILLED, 0);
    expect_action(core, CL_ACTION_FREE, 0);
    expect_start(core, 2, 0);
    ck_assert_int_eq(cl_core_where(core, 0), CL_AT_SCRATCH);
    ck_assert_uint_eq(cl_core_get_counts(core).peak_pages, 4);
    cl_core_free(core);
    plans_fini(&p);
}
END_TEST

START_TEST(test_what_cannot_fit_fails)
{
    static const struct {
        uint64_t scratch;
        clast_status status;
    } table[] = {{0, CLAST_EBUDGET}, {1, CLAST_ENOSPACE}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        plans p = {0};
        uint32_t task, block;
        three(&p);
        cl_core *core = new_core(&p, 4, table[i].scratch, 0);
        for (uint32_t t = 0; t < 2; t++) {
            expect_start(core, t, 0);
            post(core, CL_EVENT_DONE, t);
        }
        expect_nothing(core);
        ck_assert_int_eq(cl_core_failure(core, &task, &block), table[i].status);
        ck_assert_uint_eq(task, 2);
        ck_assert(cl_core_is_finished(core));
        cl_core_free(core);
        plans_fini(&p);
    }
}
END_TEST

static size_t take_one(cl_core *core, uint32_t *task)
{
    cl_action action;
    cl_start s = {.task = CL_NONE};
    const size_t n = cl_core_take(core, 0, &s, 1);
    while (cl_core_next_action(core, &action))
        ck_assert_int_eq(action.kind, CL_ACTION_FREE);
    *task = s.task;
    return n;
}

/* Blocks 0 and 2 are made of nothing, 1 of 0; the last task reads 1 and 2. In order two
 * pages do. Task 2 could start beside task 0, but then 1 would never be made. */
START_TEST(test_nothing_overtakes_where_nothing_can_leave)
{
    plans p = {0};
    plans_stage(&p, 0, 0);
    for (uint32_t b = 0; b < 3; b++) {
        plans_block(&p, 1, 0, 0);
        plans_task(&p, 0);
        if (b == 1)
            plans_operand(&p, 0, CL_R);
        plans_operand(&p, b, CL_W);
    }
    plans_task(&p, 0);
    plans_operand(&p, 1, CL_R);
    plans_operand(&p, 2, CL_R);
    plans_end(&p);
    cl_core *core = new_core(&p, 2, 0, 0);
    for (uint32_t t = 0; t < 4; t++) {
        uint32_t task, block;
        ck_assert_uint_eq(take_one(core, &task), 1);
        ck_assert_uint_eq(task, t);
        ck_assert_uint_eq(take_one(core, &task), 0);
        post(core, CL_EVENT_DONE, t);
        ck_assert_int_eq(cl_core_failure(core, &task, &block), CLAST_OK);
    }
    while (cl_core_next_action(core, &(cl_action){0}))
        ;
    ck_assert(cl_core_is_finished(core));
    cl_core_free(core);
    plans_fini(&p);
}
END_TEST

/* n tasks, each of which reads a source of its own. */
static void readers(plans *p, uint32_t n)
{
    plans_stage(p, 0, 0);
    for (uint32_t i = 0; i < n; i++) {
        plans_block(p, 1, 1, CL_BLOCK_SOURCE);
        plans_task(p, 0);
        plans_operand(p, i, CL_R);
    }
    plans_end(p);
}

START_TEST(test_prefetch_looks_so_far_ahead)
{
    for (uint32_t ahead = 0; ahead < 4; ahead++) {
        plans p = {0};
        readers(&p, 8);
        cl_core *core = new_core(&p, 100, 0, ahead);
        for (uint32_t i = 0; i <= ahead; i++)
            expect_action(core, CL_ACTION_LOAD, i);
        expect_silence(core);
        cl_core_free(core);
        plans_fini(&p);
    }
}
END_TEST

START_TEST(test_lowest_failure_is_reported)
{
    plans p = {0};
    uint32_t task, block;
    fan(&p, 3, CL_NONE, 0);
    cl_core *core = new_core(&p, 10, 0, 0);
    expect_start(core, 0, 0);
    post(core, CL_EVENT_DONE, 0);
    for (uint32_t t = 1; t <= 2; t++)
        expect_start(core, t, 0);
    for (uint32_t t = 2; t >= 1; t--)
        cl_core_post(core, &(cl_event){.kind = CL_EVENT_FAILED,
                                       .task = t,
                                       .block = CL_NONE,
                                       .status = t == 1 ? CLAST_EMATH : CLAST_EIO});
    expect_nothing(core);
    ck_assert_int_eq(cl_core_failure(core, &task, &block), CLAST_EMATH);
    ck_assert_uint_eq(task, 1);
    ck_assert(cl_core_is_finished(core));
    cl_core_free(core);
    plans_fini(&p);
}
END_TEST

START_TEST(test_cancel_takes_back_what_nobody_saw)
{
    plans p = {0};
    uint32_t task, block;
    readers(&p, 3);
    cl_core *core = new_core(&p, 100, 0, 0);
    expect_nothing(core); /* has asked for the first block */
    cl_core_cancel(core);
    expect_silence(core);
    ck_assert_int_eq(cl_core_failure(core, &task, &block), CLAST_ECANCELED);
    ck_assert(cl_core_is_finished(core));
    cl_core_free(core);
    plans_fini(&p);
}
END_TEST

/* Task 0 makes block 1 of source 0, task 1 reads the source, task 2 block 1. */
START_TEST(test_last_reader)
{
    static const uint8_t flags[] = {0, CL_BLOCK_RECOMPUTE};
    for (size_t i = 0; i < sizeof flags; i++) {
        plans p = {0};
        plans_stage(&p, 0, 0);
        const uint32_t source = plans_block(&p, 1, 1, CL_BLOCK_SOURCE);
        const uint32_t made = plans_block(&p, 1, 0, flags[i]);
        const uint32_t read[] = {source, source, made};
        for (uint32_t t = 0; t < 3; t++) {
            plans_task(&p, 0);
            plans_operand(&p, read[t], CL_R);
            if (t == 0)
                plans_operand(&p, made, CL_W);
        }
        plans_end(&p);
        cl_core *core = new_core(&p, 100, 0, 0);
        ck_assert_uint_eq(cl_core_last_reader(core, source), CL_NONE);
        expect_nothing(core);
        expect_action(core, CL_ACTION_LOAD, source);
        post(core, CL_EVENT_LOADED, source);
        expect_start(core, 0, 0);
        post(core, CL_EVENT_DONE, 0);
        ck_assert_uint_eq(cl_core_last_reader(core, source), flags[i] ? CL_NONE : 1);
        ck_assert_uint_eq(cl_core_last_reader(core, made), 2);
        cl_core_free(core);
        plans_fini(&p);
    }
}
END_TEST

static clast_status make_and_free(void *arg)
{
    const cl_core_limits limits = {.budget_pages = 2, .nplace = 2, .prefetch = 3};
    cl_core *core = NULL;
    cl_error error = {0};
    const clast_status status = cl_core_new(&core, arg, &limits, &error);
    ck_assert((status == CLAST_OK) == (core != NULL));
    cl_core_free(core);
    return status;
}

START_TEST(test_no_memory)
{
    plans p = {0};
    fan(&p, 5, 2, 0);
    fail_every_allocation(make_and_free, &p.plan, 5);
    plans_fini(&p);
}
END_TEST

START_TEST(test_segment_must_continue)
{
    plans p = {0};
    cl_error error = {0};
    fan(&p, 1, CL_NONE, 0);
    cl_core *core = new_core(&p, 10, 0, 0);
    ck_assert_int_eq(cl_core_append(core, &p.plan.segment[0], &error), CLAST_EINTERNAL);
    cl_core_free(core);
    plans_fini(&p);
}
END_TEST

static Suite *core_suite(void)
{
    Suite *s = suite_create("core");
    TCase *t = tcase_create("core");
    tcase_add_test(t, test_ready_finds_every_rank);
    tcase_add_test(t, test_block_is_freed_after_last_reader);
    tcase_add_test(t, test_last_reader);
    tcase_add_test(t, test_take_over);
    tcase_add_test(t, test_victim_is_the_farthest);
    tcase_add_test(t, test_what_cannot_fit_fails);
    tcase_add_test(t, test_nothing_overtakes_where_nothing_can_leave);
    tcase_add_test(t, test_prefetch_looks_so_far_ahead);
    tcase_add_test(t, test_lowest_failure_is_reported);
    tcase_add_test(t, test_cancel_takes_back_what_nobody_saw);
    tcase_add_test(t, test_no_memory);
    tcase_add_test(t, test_segment_must_continue);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {core_suite};
    return cl_check_main(suites, 1);
}
