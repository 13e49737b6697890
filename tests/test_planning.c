/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What planning itself takes of the memory, by the allocator's own count: at most 1.3
 * times the plan, in every order, for tasks of few and of many operands, and never more
 * than the budget.
 */
#include "array/handle.h"
#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "graph/draft.h"

enum { WIDTH = 1000, ROWS = 100 };

/* ---- the planner's tables, from raw tasks */

static const struct {
    int reads; /* blocks of the row before */
    cl_order_kind order;
    double most; /* bytes at the peak, a byte of the plan */
} cases[] = {
    {0, CL_ORDER_TRAVERSALS, 1.3},  {1, CL_ORDER_TRAVERSALS, 1.3},
    {3, CL_ORDER_TRAVERSALS, 1.3},  {9, CL_ORDER_TRAVERSALS, 1.3},
    {0, CL_ORDER_DEPTH_FIRST, 1.3}, {9, CL_ORDER_DEPTH_FIRST, 1.3},
    {1, CL_ORDER_GREEDY, 1.3},      {3, CL_ORDER_GREEDY, 1.3},
    {9, CL_ORDER_GREEDY, 1.3},
};

static void write_tasks(cl_draft *d, int reads)
{
    uint32_t first;
    ck_assert_int_eq(cl_lower_blocks(d, WIDTH * ROWS, &first), CLAST_OK);
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t t = 0; t < WIDTH; t++) {
            const uint32_t block = row * WIDTH + t;
            for (int k = 0; k < reads && row > 0; k++)
                cl_lower_read_block(d, (row - 1) * WIDTH + (t + (uint32_t)k) % WIDTH);
            cl_lower_reads(d);
            cl_lower_block(d, block, CL_NONE, CL_PAGE,
                           reads == 0 || row + 1 == ROWS ? CL_BLOCK_PERSIST : 0);
            cl_lower_operand(d, block, CL_W);
            if (cl_lower_task(d) != CLAST_OK)
                ck_abort_msg("no memory");
        }
}

START_TEST(peak)
{
    const int64_t kept = cases[_i].reads == 0 ? (int64_t)WIDTH * ROWS : WIDTH;
    const cl_sink_facts sink = {.is_persist = true};
    cl_plan plan = {0};
    cl_error err = {0};
    uint32_t zero = 0, index;
    cl_item item = {.tensor = 0};
    cl_tensor tensor = {.grid = {.ndim = 1, .axis[0] = cl_axis_regular(kept, 1)},
                        .first_block = WIDTH * ROWS - (uint32_t)kept,
                        .block_step = 1};
    cl_draft d = {.plan = &plan, .err = &err, .nsink = 1, .sink = &sink};
    const cl_stage stage = {
        .kind = CL_STAGE_EMPTY, .out = CL_NONE, .tasks = WIDTH * ROWS};
    d.settings.order = cases[_i].order;
    const uint64_t before = cl_alloc_live();
    cl_alloc_forget_peak();
    ck_assert_int_eq(cl_lower_stage(&d, &stage, CL_NONE, &index), CLAST_OK);
    write_tasks(&d, cases[_i].reads);
    d.item = &item;
    d.tensor = &tensor;
    d.sink_item = &zero;
    ck_assert_int_eq(cl_draft_order(&d), CLAST_OK);
    const double most = (double)(cl_alloc_peak() - before);
    d.item = NULL;
    d.tensor = NULL;
    cl_draft_fini(&d);
    const double all = (double)(cl_alloc_live() - before);
    ck_assert_uint_eq(plan.segment->ntask, WIDTH * ROWS);
    ck_assert_double_ge((double)plan.arena.bytes, 0.99 * all);
    ck_assert_msg(most <= cases[_i].most * all, "%.1f bytes a task for %.1f",
                  most / (WIDTH * ROWS), all / (WIDTH * ROWS));
    cl_plan_fini(&plan);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

/* ---- through the library, where the budget is tight */

static void no_text(void *arg, const char *text, size_t bytes) {}

/* A run of `tiles` tiles, some with all neighbours, or what it would do. */
static clast_status plan_tiles(uint64_t memory, int64_t tiles, bool is_explained,
                               uint64_t *most)
{
    double sum = 0;
    clast_ctx *ctx =
        clast_open(&(clast_options){.memory = memory, .workers = 1, .block = 4096});
    const int64_t shape[2] = {tiles, 512};
    clast_array *a = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    a = clast_sum(clast_add(a, clast_mean(a, 0)), CLAST_ALL);
    const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    const clast_sink sink = clast_sink_fetch(a, &into);
    const uint64_t before = cl_alloc_live();
    cl_alloc_forget_peak();
    const clast_status status = is_explained
                                    ? clast_explain(ctx, 1, &sink, no_text, NULL)
                                    : clast_fetch(a, &into);
    *most = cl_alloc_peak() - before;
    clast_close(&ctx);
    return status;
}

static const struct {
    uint64_t memory; /* MiB */
    int64_t tiles;
    bool is_refused;
} tight[] = {
    {4, 1000, false},  {6, 15000, false},  {4, 30000, true},    {8, 30000, false},
    {8, 100000, true}, {12, 100000, true}, {32, 100000, false},
};

START_TEST(within_the_budget)
{
    uint64_t most = 0;
    for (int is_explained = 0; is_explained < 2; is_explained++) {
        const clast_status status =
            plan_tiles(tight[_i].memory << 20, tight[_i].tiles, is_explained, &most);
        ck_assert_int_eq(status, tight[_i].is_refused ? CLAST_EBUDGET : CLAST_OK);
        ck_assert_msg(most <= tight[_i].memory << 20, "%.1f MiB",
                      (double)most / 1048576);
    }
}
END_TEST

static Suite *planning(void)
{
    Suite *s = suite_create("planning");
    TCase *t = tcase_create("memory");
    tcase_add_loop_test(t, peak, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(t, within_the_budget, 0, sizeof tight / sizeof *tight);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {planning};
    return cl_check_main(suites, 1);
}
