/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tasks of a plan have in memory, whatever grids meet: copies between grids that
 * do not fit, partials and gathers in steps.
 */
#include "check_main.h"
#include "plan_tools.h"

static const int64_t square_chunk[] = {1024, 1024};

#define F8 CLAST_FLOAT64

static const cl_shape scalar = {0};

/* Rows stored, columns wanted: a copy between, and no task gathers too much. */
START_TEST(badly_fitting_grids_are_staged)
{
    static const int64_t rows[] = {1, 1024}, columns[] = {1024, 1};
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(1024, 1024), rows, true);
    kit_store(&k, x, columns);
    k.settings.block_bytes = 4096;
    kit_build(&k);
    ck_assert_str_eq(kit_stage(&k, CL_STAGE_MAP)->label, "copy");
    const cl_segment *const g = &k.plan.segment[0];
    for (uint32_t t = 0; t < g->ntask; t++)
        REQUIRE(g->operand_start[t + 1] - g->operand_start[t] <= 64 + 1);
    kit_close(&k);
}
END_TEST

/* What a task has in memory: its largest, in bytes, without load staging. */
static uint64_t most_bytes(const cl_plan *plan)
{
    const cl_segment *const g = &plan->segment[0];
    uint64_t most = 0;
    for (uint32_t t = 0; t < g->ntask; t++) {
        uint64_t pages = 0;
        for (uint32_t i = g->operand_start[t]; i < g->operand_start[t + 1]; i++)
            pages += g->block[cl_operand_block(g->operand[i])].pages;
        most = pages > most ? pages : most;
    }
    return most * CL_PAGE;
}

/* Arrays stored by rows or columns, wanted across: tens of MiB a task, not all. */
START_TEST(footprints_are_bounded)
{
    static const struct {
        int64_t shape[2], chunk[2], out[2];
        bool is_reshaped;
    } row[] = {
        {{400, 1000000}, {1, 1000000}, {400, 1000}, false},
        {{1000000, 50}, {1000000, 1}, {1000, 50}, false},
        {{1000000, 100}, {1000000, 1}, {100000, 0}, true},
        {{300, 200000}, {300, 1}, {100000, 0}, true},
        {{8000, 8000}, {1, 8000}, {8000, 1}, false},
    };
    const size_t i = (size_t)_i;
    kit k;
    kit_open(&k);
    const int64_t *const n = row[i].shape;
    cl_node_id x = kit_source(&k, F8, DIMS(n[0], n[1]), row[i].chunk, true);
    if (row[i].is_reshaped)
        x = kit_op(&k, CL_OP_RESHAPE, F8, DIMS(n[0] * n[1]), x, CL_NO_NODE);
    kit_store(&k, x, row[i].out);
    kit_build(&k);
    ck_assert_uint_le(most_bytes(&k.plan), CLAST_MIB(150));
    kit_close(&k);
}
END_TEST

/* Rows of 16 KiB, so partials of 16 KiB: seventeen would be four times the target. */
START_TEST(large_partials_are_joined_in_steps)
{
    static const struct {
        int64_t rows;
        uint64_t joins;
    } row[] = {{1, 0},    {16, 0},     {17, 1},    {256, 15},
               {257, 16}, {4096, 255}, {4097, 256}};
    static const int64_t chunk[] = {1, 2048};
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(row[_i].rows, 2048), chunk, false);
    kit_store(&k, kit_reduce(&k, CLAST_SUM, x, 1), NULL);
    k.settings.block_bytes = 16384;
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FOLD), (uint64_t)row[_i].rows);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_JOIN), row[_i].joins);
    ck_assert_uint_le(most_bytes(&k.plan), 4 * (16384 + CL_PAGE));
    kit_close(&k);
}
END_TEST

static uint64_t copies(const cl_plan *plan)
{
    uint64_t n = 0;
    for (uint32_t s = 0; s < plan->nstage; s++)
        n += strcmp(plan->stage[s].label, "copy") == 0 ? plan->stage[s].tasks : 0;
    return n;
}

/* Squares stored, columns wanted: gathered directly where a band of 88 MiB fits, copied
 * where not. Either way each source tile is used up by tasks that follow each other. */
START_TEST(copies_follow_the_budget)
{
    static const struct {
        uint64_t budget; /* MiB */
        bool is_added;   /* rechunk(x) + 1 instead of x */
        uint64_t copies;
        uint32_t life;
    } row[] = {
        {242, false, 0, 16},   {121, false, 0, 16},   {96, false, 1936, 31},
        {60, false, 1936, 31}, {32, false, 1936, 31}, {242, true, 0, 31},
        {60, true, 1936, 16},
    };
    static const int64_t columns[] = {11264, 64};
    const cl_shape shape = DIMS(11264, 11264);
    kit k;
    kit_open(&k);
    cl_node_id x = kit_source(&k, F8, shape, square_chunk, false);
    if (row[_i].is_added) {
        const cl_node rechunk = {.op = CL_OP_RECHUNK,
                                 .dtype = F8,
                                 .nin = 1,
                                 .shape = shape,
                                 .in = &x,
                                 .chunk = columns};
        x = kit_op(&k, CL_OP_ADD, F8, shape, kit_add(&k, &rechunk),
                   kit_scalar(&k, kit_const(&k, 1, scalar), shape));
    }
    kit_store(&k, x, columns);
    k.settings.budget_pages = CLAST_MIB(row[_i].budget) / CL_PAGE;
    kit_build(&k);
    ck_assert_uint_eq(copies(&k.plan), row[_i].copies);
    ck_assert_uint_eq(kit_longest_life(&k), row[_i].life);
    ck_assert_uint_le(most_bytes(&k.plan), CLAST_MIB(row[_i].budget));
    kit_close(&k);
}
END_TEST

/* 4096 tiles, room for four: no grid between is coarse enough, so copies of copies. */
START_TEST(crumbs_are_copied_twice)
{
    static const int64_t rows[] = {1, 8192}, columns[] = {4096, 1};
    kit k;
    kit_open(&k);
    kit_store(&k, kit_source(&k, F8, DIMS(4096, 8192), rows, true), columns);
    k.settings.block_bytes = 65536;
    k.settings.budget_pages = 4 * 65536 / CL_PAGE;
    kit_build(&k);
    uint32_t stages = 0;
    for (uint32_t s = 0; s < k.plan.nstage; s++)
        stages += strcmp(k.plan.stage[s].label, "copy") == 0;
    ck_assert_uint_eq(stages, 3);
    ck_assert_uint_lt(copies(&k.plan), 262144);
    kit_close(&k);
}
END_TEST

/* Thousands of short arrays one after another, stacked or not: a tree of copies. */
START_TEST(many_members_are_gathered_in_steps)
{
    enum { MEMBERS = 5000 };
    static cl_node_id in[MEMBERS];
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(MEMBERS), NULL, false);
    const cl_shape one = DIMS(3);
    for (int64_t i = 0; i < MEMBERS; i++) {
        const cl_node_id c = kit_const(&k, (double)i, one);
        in[i] = kit_op(&k, CL_OP_ADD, F8, one, c,
                       kit_scalar(&k, kit_slice(&k, x, i, 1, 1), one));
    }
    const cl_node all = {.op = CL_OP_CONCAT,
                         .dtype = F8,
                         .nin = MEMBERS,
                         .shape = DIMS(3 * MEMBERS),
                         .in = in};
    const cl_node_id y = kit_add(&k, &all);
    kit_store(&k, y, NULL);
    kit_store(&k, kit_slice(&k, y, 3 * MEMBERS - 1, 3 * MEMBERS, -1), NULL);
    kit_build(&k);
    const cl_segment *const g = &k.plan.segment[0];
    for (uint32_t t = 0; t < g->ntask; t++)
        REQUIRE(g->operand_start[t + 1] - g->operand_start[t] <= 2 * 64 + 1);
    ck_assert_uint_le(k.plan.bytes, CLAST_MIB(48));
    kit_close(&k);
}
END_TEST

/* Shifts of shifts share everything, and concatenations nest without end: plans stay
 * small and no walk goes deep. */
START_TEST(views_may_nest)
{
    kit k;
    kit_open(&k);
    static const int64_t chunk[] = {100};
    cl_node_id x = kit_source(&k, F8, DIMS(100), chunk, false);
    const cl_node_id one = kit_source(&k, F8, DIMS(1), chunk, false);
    for (int i = 0; i < 3000; i++) {
        const cl_node_id in[2] = {i % 2 ? x : one, i % 2 ? one : x};
        cl_node node = {.op = CL_OP_CONCAT, .dtype = F8, .nin = 2, .in = in};
        node.shape = DIMS(101 + i);
        cl_node_id next;
        ck_assert_int_eq(cl_nodes_add(k.nodes, &node, &next), CLAST_OK);
        x = next;
    }
    kit_store(&k, x, NULL);
    kit_build(&k);
    ck_assert_uint_gt(k.plan.segment[0].ntask, 300);
    ck_assert_uint_lt(k.plan.segment[0].ntask, 4000);
    kit_close(&k);
}
END_TEST

static Suite *suite(void)
{
    Suite *const s = suite_create("footprint");
    TCase *const t = tcase_create("plans");
    tcase_add_test(t, badly_fitting_grids_are_staged);
    tcase_add_loop_test(t, footprints_are_bounded, 0, 5);
    tcase_add_loop_test(t, large_partials_are_joined_in_steps, 0, 7);
    tcase_add_loop_test(t, copies_follow_the_budget, 0, 7);
    tcase_add_test(t, crumbs_are_copied_twice);
    tcase_add_test(t, many_members_are_gathered_in_steps);
    tcase_add_test(t, views_may_nest);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
