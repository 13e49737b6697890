/* SPDX-License-Identifier: BSD-3-Clause */
/* Which plans are run in order: rows of tasks that go on from each other, written row
 * by row, and nothing that would leave workers idle, wait long or need the core. And
 * what that takes of the memory, by the allocator's own count. */
#include "base/alloc.h"
#include "check_main.h"
#include "plans.h"
#include "sched/in_order.h"
#include "sched/pool.h"

enum { STEPS = 40 };

/* Whom a task of a row reads in the row before. */
typedef enum { OWN, NEIGHBOURS, ALL } reads;

static void task_of_row(plans *p, uint32_t row, uint32_t width, uint32_t at, reads what,
                        uint32_t pages)
{
    const uint32_t before = (row - 1) * width;
    plans_task(p, 0);
    for (uint32_t c = 0; row > 0 && c < width; c++)
        if (c == at || what == ALL ||
            (what == NEIGHBOURS && c + 1 >= at && c <= at + 1))
            plans_operand(p, before + c, CL_R);
    plans_operand(p, plans_block(p, pages, 0, 0), CL_W);
}

static void rows(plans *p, uint32_t width, reads what, uint32_t pages)
{
    plans_stage(p, 0, 0);
    for (uint32_t row = 0; row < STEPS; row++)
        for (uint32_t c = 0; c < width; c++)
            task_of_row(p, row, width, c, what, pages);
    plans_end(p);
    plans_sort_out(p);
}

/* The same tasks as rows of which each reads its own column, column by column. */
static void chains(plans *p, uint32_t width)
{
    plans_stage(p, 0, 0);
    for (uint32_t c = 0; c < width; c++)
        for (uint32_t step = 0; step < STEPS; step++)
            task_of_row(p, step, 1, 0, OWN, 1);
    for (size_t i = 0; i < p->noperand; i++) /* each chain its own blocks */
        if (cl_operand_mode(p->operand[i]) == CL_R)
            p->operand[i] = cl_operand(cl_operand_block(p->operand[i + 1]) - 1, CL_R);
    plans_end(p);
    plans_sort_out(p);
}

static cl_engine *new_engine(int workers)
{
    cl_engine *engine;
    cl_error err = {0};
    const cl_engine_options options = {
        .memory = (uint64_t)1 << 30, .workers = workers, .team = CL_TEAM_PTHREADS};
    ck_assert_int_eq(cl_engine_new(&engine, &options, &err), CLAST_OK);
    return engine;
}

static bool suits(plans *p, int workers)
{
    cl_engine *const engine = new_engine(workers);
    const cl_run_sink sink = {.spec = NULL};
    const cl_run run = {.sinks = &sink};
    const cl_needs needs = cl_needs_of(&p->plan, (uint32_t)workers);
    const cl_budget budget = {.needs = needs, .pages = 100000, .loads = needs.loads};
    const cl_driver d = {
        .engine = engine, .plan = &p->plan, .run = &run, .team = workers};
    const bool does = cl_in_order_suits(&d, &budget);
    cl_engine_free(engine);
    return does;
}

START_TEST(test_rows)
{
    static const struct {
        uint32_t width;
        reads what;
        int workers;
        bool suits;
        uint32_t shift;
    } cases[] = {
        {16, OWN, 2, true, 3},        {16, NEIGHBOURS, 2, true, 3},
        {16, ALL, 2, true, 3},        {2, NEIGHBOURS, 2, true, 0},
        {16, NEIGHBOURS, 4, true, 2}, {64, ALL, 2, true, 3},
        {7, OWN, 3, true, 1},         {2, OWN, 8, false, 0},
        {1, OWN, 2, false, 0},        {1, OWN, 1, true, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plans p = {0};
        rows(&p, cases[i].width, cases[i].what, 1);
        ck_assert_msg(suits(&p, cases[i].workers) == cases[i].suits, "case %zu", i);
        ck_assert_uint_eq(cl_in_order_shift(&p.plan, cases[i].workers), cases[i].shift);
        plans_fini(&p);
    }
}
END_TEST

START_TEST(test_chains)
{
    plans p = {0};
    chains(&p, 16);
    ck_assert(!p.failed);
    ck_assert(!suits(&p, 2)); /* two workers would take turns in each chain */
    ck_assert(suits(&p, 1));
    plans_fini(&p);
}
END_TEST

/* Blocks are large from the begin. */
static void nothing(plans *p) {}

static void workspace(plans *p)
{
    for (uint32_t i = 0; i < p->plan.nstage; i++)
        p->plan.stage[i].workspace_pages = 100;
}

static void long_tasks(plans *p)
{
    for (uint32_t i = 0; i < p->plan.nstage; i++)
        p->plan.stage[i].cost = 1e6;
}

static void function_of_the_caller(plans *p)
{
    for (uint32_t i = 0; i < p->plan.nstage; i++)
        p->plan.stage[i].kind = CL_STAGE_USER;
}

static void load(plans *p)
{
    p->plan.segment[0].block[0].flags |= CL_BLOCK_SOURCE;
}

static void all_stays(plans *p)
{
    for (uint32_t b = 0; b < p->plan.segment[0].nblock; b++)
        p->plan.segment[0].block[b].flags |= CL_BLOCK_PERSIST;
}

START_TEST(test_what_needs_the_core)
{
    static const struct {
        void (*change)(plans *p);
        uint32_t pages;
    } cases[] = {{nothing, 5},    {workspace, 1},
                 {long_tasks, 1}, {function_of_the_caller, 1},
                 {load, 1},       {all_stays, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plans p = {0};
        rows(&p, 16, NEIGHBOURS, cases[i].pages);
        cases[i].change(&p);
        ck_assert_msg(!suits(&p, 1) && !suits(&p, 2), "case %zu", i);
        plans_fini(&p);
    }
}
END_TEST

/* Every block is listed by the pool of some worker, and none goes before the end. */
static void list_all(cl_driver *d, cl_pool *pools)
{
    const uint32_t n = (uint32_t)d->team;
    cl_pool_use use = {0};
    for (uint32_t i = 0; i < n; i++)
        cl_pool_init(&pools[i], d, &use);
    for (uint32_t b = 0; b < d->plan->segment[0].nblock; b++)
        ck_assert(cl_pool_make(&pools[b % n], b, b));
    for (uint32_t i = 0; i < n; i++)
        cl_pool_collect(&pools[i], CL_NONE);
    cl_mutex_lock(d->mutex);
    for (uint32_t i = 0; i < n; i++)
        cl_pool_empty(&pools[i]);
    cl_mutex_unlock(d->mutex);
    for (uint32_t i = 0; i < n; i++)
        cl_pool_fini(&pools[i]);
    ck_assert_uint_eq(use.pages, 0);
}

START_TEST(test_memory_is_charged)
{
    static const int teams[] = {1, 2, 7, 40, 64};
    const int team = teams[_i];
    plans p = {0};
    rows(&p, 64, OWN, 1);
    cl_engine *const engine = new_engine(team);
    const cl_run_sink sink = {.spec = NULL};
    const cl_run run = {.sinks = &sink};
    const cl_budget budget = cl_budget_of(engine, &p.plan, &run);
    cl_pool *const pools = cl_calloc((size_t)team, sizeof *pools);
    cl_driver d = {.mutex = &engine->mutex,
                   .engine = engine,
                   .plan = &p.plan,
                   .run = &run,
                   .team = team,
                   .address = cl_calloc((size_t)budget.blocks, sizeof *d.address)};
    list_all(&d, pools); /* from here on the memory manager has all its tables */
    const uint64_t before = cl_alloc_live();
    cl_alloc_forget_peak();
    cl_in_order *const o = cl_in_order_new(&d);
    list_all(&d, pools);
    const uint64_t most = cl_alloc_peak() - before;
    const uint64_t addresses = budget.blocks * sizeof *d.address;
    ck_assert_uint_gt(most, (uint64_t)team * 1024);
    ck_assert_uint_le(most, cl_in_order_bytes((uint64_t)team, budget.blocks));
    ck_assert_uint_le(most + addresses + p.plan.bytes, budget.fixed);
    cl_in_order_free(o);
    ck_assert_uint_eq(cl_alloc_live(), before);
    cl_free(d.address);
    cl_free(pools);
    cl_engine_free(engine);
    plans_fini(&p);
}
END_TEST

static Suite *in_order_suite(void)
{
    Suite *s = suite_create("in_order");
    TCase *t = tcase_create("in_order");
    tcase_add_test(t, test_rows);
    tcase_add_test(t, test_chains);
    tcase_add_test(t, test_what_needs_the_core);
    tcase_add_loop_test(t, test_memory_is_charged, 0, 5);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {in_order_suite};
    return cl_check_main(suites, 1);
}
