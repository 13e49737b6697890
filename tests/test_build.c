/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plans of whole expressions: their structure, counted, and every promise of
 * graph/plan.h, checked by the validator of plan_tools.h that kit_build() calls.
 */
#include "alloc_faults.h"
#include "check_main.h"
#include "plan_tools.h"

static const int64_t square_chunk[] = {1024, 1024};

#define F8   CLAST_FLOAT64
#define NONE CL_NO_NODE

static const cl_shape scalar = {0};

START_TEST(mean_of_a_column)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(40960, 2048), square_chunk, false);
    kit_store(&k, kit_reduce(&k, CLAST_MEAN, x, 1), NULL);
    kit_build(&k);
    /* 40 leaves a column in 3 chains, 2 columns */
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FOLD), 80);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_JOIN), 0);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FINISH), 2);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_MAP), 0);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_STORE), 2);
    kit_close(&k);
}
END_TEST

START_TEST(sum_of_all_has_levels_of_joins)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(65536, 65536), square_chunk, false);
    kit_store(&k, kit_reduce(&k, CLAST_SUM, x, 3), NULL);
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FOLD), 4096);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_JOIN), 16); /* 256 chains */
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FINISH), 1);
    kit_close(&k);
}
END_TEST

/* x + x.T - mean(x, 0): one pass of folds, one fused map, one store. */
START_TEST(symmetrise)
{
    kit k;
    kit_open(&k);
    const cl_shape s = DIMS(4096, 4096);
    const cl_node_id x = kit_source(&k, F8, s, square_chunk, false);
    const cl_node_id mean = kit_rows(&k, kit_reduce(&k, CLAST_MEAN, x, 1), 4096);
    const cl_node_id sum = kit_op(&k, CL_OP_ADD, F8, s, x, kit_transpose(&k, x));
    kit_store(&k, kit_op(&k, CL_OP_SUB, F8, s, sum, mean), square_chunk);
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FOLD), 16);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FINISH), 4);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_MAP), 16);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_STORE), 16);
    const cl_stage *const map = kit_stage(&k, CL_STAGE_MAP);
    ck_assert_str_eq(map->label, "add+sub");
    ck_assert_uint_eq(map->nview, 3);
    ck_assert_uint_eq(kit_source_pages(&k), 16 * 2048);

    /* (i, j) and (j, i) are stored next to each other */
    const cl_segment *const g = &k.plan.segment[0];
    uint32_t at[16] = {0}, n = 0;
    for (uint32_t t = 0; t < g->ntask; t++)
        if (k.plan.stage[g->task_stage[t]].kind == CL_STAGE_MAP)
            at[g->task_index[t]] = n++;
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = i + 1; j < 4; j++)
            ck_assert_int_eq(abs((int)at[i * 4 + j] - (int)at[j * 4 + i]), 1);
    kit_close(&k);
}
END_TEST

START_TEST(matmul_walks_super_tiles)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(8192, 8192), square_chunk, false);
    kit_store(&k, kit_matmul(&k, x, x), square_chunk);
    k.settings.budget_pages = cl_pages(CLAST_MIB(256));
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_GEMM), 512);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_STORE), 64);

    /* Within a run of one k, tiles of one super-tile: blocks are read far less often
     * than twice a task. Count loads with room for the operands of one k only. */
    const cl_segment *const g = &k.plan.segment[0];
    uint32_t loads = 0, held[64], nheld = 0;
    for (uint32_t t = 0; t < g->ntask; t++) {
        if (k.plan.stage[g->task_stage[t]].kind != CL_STAGE_GEMM)
            continue;
        for (uint32_t i = g->operand_start[t]; i < g->operand_start[t + 1]; i++) {
            if (cl_operand_mode(g->operand[i]) != CL_R)
                continue;
            const uint32_t b = cl_operand_block(g->operand[i]);
            bool hit = false;
            for (uint32_t h = 0; h < nheld && h < 8; h++)
                hit |= held[(nheld - 1 - h) % 64] == b;
            if (hit)
                continue;
            held[nheld++ % 64] = b;
            loads++;
        }
    }
    ck_assert_uint_le(loads, 320); /* 1016 or so without super-tiles */
    kit_close(&k);
}
END_TEST

/* Half of the tiles of x @ x.T and x.T @ x are transposes, made right after those that
 * they read; with another order of rows, or of another array, none is. */
static const struct {
    int first_turned, second_turned;
    int64_t step; /* of the second one's rows, as they are in x */
    uint64_t tasks;
} symmetric_case[] = {
    {0, 1, 1, 36 * 8 + 28}, {1, 0, 1, 36 * 8 + 28}, {0, 1, -1, 512}, {0, 0, 1, 512}};

START_TEST(symmetric_products_compute_half)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(8192, 8192), square_chunk, false);
    cl_map rows = cl_map_identity(2);
    rows.step[0] = symmetric_case[_i].step;
    rows.off[0] = rows.step[0] < 0 ? 8191 : 0;
    const cl_node_id y = kit_map(&k, x, DIMS(8192, 8192), rows);
    kit_store(&k,
              kit_matmul(&k, symmetric_case[_i].first_turned ? kit_transpose(&k, x) : x,
                         symmetric_case[_i].second_turned ? kit_transpose(&k, y) : y),
              square_chunk);
    k.settings.budget_pages = cl_pages(CLAST_MIB(256));
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_GEMM), symmetric_case[_i].tasks);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_STORE), 64);
    const cl_segment *const g = &k.plan.segment[0];
    uint64_t mirrors = 0;
    for (uint32_t t = 0; t < g->ntask; t++) {
        int64_t at[2];
        if (!plan_is_mirror(&k.plan, t, at))
            continue;
        mirrors++;
        const uint32_t block = cl_operand_block(g->operand[g->operand_start[t]]);
        const uint32_t from = g->block[block].producer;
        ck_assert_uint_lt(from, t);
        ck_assert_uint_le(t - from, 2); /* at most the other one's store between */
    }
    ck_assert_uint_eq(mirrors, symmetric_case[_i].tasks < 512 ? 28 : 0);
    kit_close(&k);
}
END_TEST

/* Where two tiles are more than one and its panels, turning one would need more memory
 * than multiplying. */
START_TEST(large_tiles_are_not_turned)
{
    static const int64_t chunk[] = {2048, 256};
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(4096, 512), chunk, false);
    kit_store(&k, kit_matmul(&k, x, kit_transpose(&k, x)), NULL);
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_GEMM), 4 * 2);
    ck_assert(!kit_stage(&k, CL_STAGE_GEMM)->is_symmetric);
    kit_close(&k);
}
END_TEST

/* x.T @ x: chains and the maps that add them (docs/numeric-grids.md). */
static const struct {
    int64_t rows, columns;
    uint64_t panels, chains, adds;
} chain_case[] = {
    {7168, 1024, 7, 1, 0},     {16384, 1024, 16, 4, 3},  {65536, 1024, 64, 16, 15},
    {65536, 2048, 64, 4, 12},  {65536, 4096, 64, 1, 0},  {65536, 64, 32, 8, 1},
    {66560, 1024, 65, 13, 12}, {1000000, 1, 489, 16, 1},
};

START_TEST(long_products_have_chains)
{
    kit k;
    kit_open(&k);
    const cl_shape shape = DIMS(chain_case[_i].rows, chain_case[_i].columns);
    const cl_node_id x = kit_source(&k, F8, shape, square_chunk, false);
    kit_store(&k, kit_matmul(&k, kit_transpose(&k, x), x), NULL);
    kit_build(&k);
    const cl_segment *const g = &k.plan.segment[0];
    uint64_t beginnings = 0, tiles = 0;
    for (uint32_t t = 0; t < g->ntask; t++) {
        const cl_stage *const s = &k.plan.stage[g->task_stage[t]];
        int64_t at[2];
        if (s->kind != CL_STAGE_GEMM || plan_is_mirror(&k.plan, t, at))
            continue;
        bool accumulates = false;
        for (uint32_t i = g->operand_start[t]; i < g->operand_start[t + 1]; i++)
            accumulates |= cl_operand_mode(g->operand[i]) == CL_ACC;
        ck_assert_int_eq(accumulates, g->task_index[t] % s->nfold % s->njoin != 0);
        beginnings += !accumulates;
        tiles += g->task_index[t] % s->nfold == 0;
    }
    const cl_stage *const gemm = kit_stage(&k, CL_STAGE_GEMM);
    ck_assert_int_eq(gemm->nfold, chain_case[_i].panels);
    ck_assert_uint_eq(beginnings, tiles * chain_case[_i].chains);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_MAP), chain_case[_i].adds);
    kit_close(&k);
}
END_TEST

START_TEST(grid_ignores_the_budget)
{
    kit k[2];
    for (int i = 0; i < 2; i++) {
        kit_open(&k[i]);
        const cl_node_id x =
            kit_source(&k[i], F8, DIMS(5000, 5000), square_chunk, false);
        kit_store(&k[i], kit_matmul(&k[i], x, kit_transpose(&k[i], x)), NULL);
        k[i].settings.budget_pages = i ? 20000 : 1000000;
        k[i].settings.workers = 1 + i;
        kit_build(&k[i]);
    }
    ck_assert_uint_eq(k[0].plan.nstage, k[1].plan.nstage);
    ck_assert_uint_ne(k[0].plan.hash, k[1].plan.hash);
    for (uint32_t t = 0; t < k[0].plan.ntensor; t++)
        ck_assert(cl_grid_equal(&k[0].plan.tensor[t].grid, &k[1].plan.tensor[t].grid));
    kit_close(&k[0]);
    kit_close(&k[1]);
}
END_TEST

START_TEST(plan_does_not_depend_on_the_store)
{
    kit k[2];
    for (int i = 0; i < 2; i++) {
        kit_open(&k[i]);
        if (i == 1) /* other node ids */
            (void)kit_const(&k[i], 7, DIMS(3));
        const cl_node_id x = kit_source(&k[i], F8, DIMS(3000, 300), NULL, false);
        kit_store(&k[i], kit_op(&k[i], CL_OP_EXP, F8, DIMS(3000, 300), x, NONE), NULL);
        kit_build(&k[i]);
    }
    ck_assert_uint_eq(k[0].plan.hash, k[1].plan.hash);
    kit_close(&k[0]);
    kit_close(&k[1]);
}
END_TEST

/* parts asked for -> stages that exist */
static const struct {
    uint32_t parts;
    int64_t rows, columns;
    uint64_t qr, join, unjoin, q;
} svd_case[] = {
    {7, 200000, 200, 40, 6, 6, 40}, {2, 200000, 200, 40, 6, 0, 0},
    {6, 200000, 200, 40, 6, 0, 0},  {1, 200000, 200, 40, 6, 6, 40},
    {7, 300, 200, 1, 0, 0, 1},      {7, 200, 200, 1, 0, 0, 1},
    {7, 10, 0, 0, 0, 0, 0},
};

START_TEST(svd_tree)
{
    static const int64_t chunk[] = {5000, 200};
    kit k;
    kit_open(&k);
    const int64_t m = svd_case[_i].rows, n = svd_case[_i].columns;
    const cl_node_id x = kit_source(&k, F8, DIMS(m, n), chunk, false);
    const cl_node_id svd = kit_op(&k, CL_OP_SVD, F8, DIMS(m, n), x, NONE);
    for (uint8_t p = 0; p < 3; p++)
        if (svd_case[_i].parts >> p & 1)
            kit_store(&k, kit_part(&k, svd, p), NULL);
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_QR), svd_case[_i].qr);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_QR_JOIN), svd_case[_i].join);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_SVD), n > 0);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_Q_JOIN), svd_case[_i].unjoin);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_Q), svd_case[_i].q);
    kit_close(&k);
}
END_TEST

START_TEST(slices_read_what_they_show)
{
    kit k;
    kit_open(&k);
    const cl_shape whole = DIMS(1000000, 100000);
    const cl_node_id x = kit_source(&k, F8, whole, NULL, false);
    const cl_node_id y = kit_op(&k, CL_OP_ADD, F8, whole, x,
                                kit_scalar(&k, kit_const(&k, 1, scalar), whole));
    kit_store(&k, kit_slice(&k, y, 500, 10, 1), NULL);
    kit_build(&k);
    ck_assert_int_eq(k.plan.source[0].origin[0], 500);
    const cl_shape window = cl_grid_shape(&k.plan.tensor[k.plan.source[0].tensor].grid);
    ck_assert_int_eq(window.dim[0], 10);
    ck_assert_uint_le(kit_source_pages(&k), 10 * 100000 * 8 / 4096 + 8);
    kit_close(&k);
}
END_TEST

/* Nothing is spent on what lies between the ends of a huge source. */
START_TEST(sparse_uses_make_small_plans)
{
    static const int64_t chunk[] = {1000, 1000};
    for (int is_filtered = 0; is_filtered < 2; is_filtered++) {
        kit k;
        kit_open(&k);
        const int64_t n = (int64_t)1 << 50;
        const cl_node_id x =
            kit_source(&k, CLAST_FLOAT64, DIMS(n, 1000), chunk, is_filtered);
        kit_store(&k, kit_slice(&k, x, 0, 5, 1), NULL);
        kit_store(&k, kit_slice(&k, x, n / 2, 5, 1), NULL);
        kit_store(&k, kit_slice(&k, x, n - 1, 5, -1), NULL);
        kit_build(&k);
        ck_assert_uint_le(k.plan.segment->nblock, 20);
        ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_STORE), 3);
        ck_assert_uint_le(kit_source_pages(&k), 3 * 1000000 * 8 / 4096 + 3);
        kit_close(&k);
    }
}
END_TEST

START_TEST(filtered_sources_keep_whole_chunks)
{
    static const int64_t chunk[] = {100, 1000};
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(10000, 1000), chunk, true);
    kit_store(&k, kit_slice(&k, x, 150, 100, 1), NULL);
    kit_build(&k);
    const cl_shape window = cl_grid_shape(&k.plan.tensor[k.plan.source[0].tensor].grid);
    ck_assert_int_eq(k.plan.source[0].origin[0], 100);
    ck_assert_int_eq(window.dim[0], 200);
    kit_close(&k);
}
END_TEST

/* mean(x, 0)[0:10] of a wide array folds one column of tiles only */
START_TEST(what_nobody_reads_is_not_computed)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(8192, 8192), square_chunk, false);
    const cl_node_id mean = kit_reduce(&k, CLAST_MEAN, x, 1);
    kit_store(&k, kit_slice(&k, mean, 0, 10, 1), NULL);
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FOLD), 8);
    ck_assert_uint_eq(kit_source_pages(&k), 8 * 2048);
    kit_close(&k);
}
END_TEST

START_TEST(concatenate_and_reshape)
{
    kit k;
    kit_open(&k);
    const cl_node_id a = kit_source(&k, F8, DIMS(3000, 700), square_chunk, false);
    const cl_node_id b = kit_source(&k, F8, DIMS(500, 700), NULL, false);
    const cl_node_id in[2] = {a, b};
    const cl_node cat = {
        .op = CL_OP_CONCAT, .dtype = F8, .nin = 2, .in = in, .shape = DIMS(3500, 700)};
    const cl_node_id c = kit_add(&k, &cat);
    const cl_node_id flat = kit_op(&k, CL_OP_RESHAPE, F8, DIMS(2450000), c, NONE);
    kit_store(&k, kit_op(&k, CL_OP_SQRT, F8, DIMS(3500, 700), c, NONE), NULL);
    kit_store(&k, kit_slice(&k, flat, 1000, 2000000, 1), NULL);
    kit_store(&k, kit_slice(&k, c, 3499, 3500, -1), NULL);
    kit_build(&k);
    kit_close(&k);
}
END_TEST

static const struct {
    int64_t m, k, n;
} empty_case[] = {{0, 5, 3}, {4, 0, 3}, {4, 5, 0}, {0, 0, 0}};

START_TEST(zero_lengths)
{
    kit k;
    kit_open(&k);
    const int64_t m = empty_case[_i].m, n = empty_case[_i].n, in = empty_case[_i].k;
    const cl_node_id a = kit_source(&k, F8, DIMS(m, in), square_chunk, _i & 1);
    const cl_node_id b = kit_memory(&k, F8, DIMS(in, n));
    kit_store(&k, kit_matmul(&k, a, b), square_chunk);
    kit_store(&k, kit_reduce(&k, CLAST_SUM, a, 1), NULL);
    kit_store(&k, kit_reduce(&k, CLAST_SUM, a, 3), NULL);
    kit_store(&k, kit_op(&k, CL_OP_EXP, F8, DIMS(m, in), a, NONE), NULL);
    kit_build(&k);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_GEMM), m * in * n > 0);
    ck_assert_uint_eq(kit_tasks(&k, CL_STAGE_FINISH), 1 + (in > 0));
    kit_close(&k);
}
END_TEST

/* mean(x) and std(x - mean(x)) of one source: siblings, two passes */
START_TEST(siblings_share_a_pass)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(8192, 4096), square_chunk, true);
    kit_store(&k, kit_reduce(&k, CLAST_MEAN, x, 3), NULL);
    kit_store(&k, kit_reduce(&k, CLAST_MAX, x, 3), NULL);
    kit_store(&k, kit_reduce(&k, CLAST_MIN, x, 1), NULL);
    kit_build(&k);
    const cl_segment *const g = &k.plan.segment[0];
    for (uint32_t b = 0; b < g->nblock; b++) {
        if (!(g->block[b].flags & CL_BLOCK_SOURCE))
            continue;
        const uint32_t c = g->consumer_start[b];
        ck_assert_uint_eq(g->consumer_start[b + 1] - c, 3);
        ck_assert_uint_le(g->consumer[c + 2] - g->consumer[c], 64);
    }
    kit_close(&k);
}
END_TEST

static cl_node_id times(kit *k, cl_node_id a, cl_node_id b)
{
    return kit_op(k, CL_OP_MUL, F8, kit_node(k, a)->shape, a, b);
}

/* Means of u * u, v * v and u * v: those of u alone and of v alone meet in the third.
 * Then maps that are stored and a reduction, in one pass over their source. */
START_TEST(several_results_share_a_pass)
{
    kit k;
    kit_open(&k);
    const cl_shape shape = DIMS(8192, 4096);
    const cl_node_id u = kit_source(&k, F8, shape, square_chunk, false);
    const cl_node_id v = kit_source(&k, F8, shape, square_chunk, false);
    if (_i == 1) {
        kit_store(&k, kit_op(&k, CL_OP_SQRT, F8, shape, u, NONE), square_chunk);
        kit_store(&k, kit_op(&k, CL_OP_EXP, F8, shape, u, NONE), square_chunk);
        kit_store(&k, kit_reduce(&k, CLAST_MEAN, u, 1), NULL);
    } else {
        kit_store(&k, kit_reduce(&k, CLAST_MEAN, times(&k, u, u), 1), NULL);
        kit_store(&k, kit_reduce(&k, CLAST_MEAN, times(&k, v, v), 1), NULL);
        kit_store(&k, kit_reduce(&k, CLAST_MEAN, times(&k, u, v), 1), NULL);
    }
    kit_build(&k);
    ck_assert_uint_le(kit_longest_life(&k), 8);
    kit_close(&k);
}
END_TEST

/* What is stored in other units is no sibling: its tiles would wait in memory. */
START_TEST(some_results_do_not_share)
{
    static const int64_t columns[] = {8192, 64};
    kit k;
    kit_open(&k);
    const cl_shape shape = DIMS(8192, 4096);
    const cl_node_id u = kit_source(&k, F8, shape, square_chunk, false);
    kit_store(&k, kit_op(&k, CL_OP_SQRT, F8, shape, u, NONE), columns);
    kit_store(&k, kit_reduce(&k, CLAST_MEAN, u, 2), NULL);
    kit_build(&k);
    ck_assert_uint_gt(kit_longest_life(&k), 8);
    kit_close(&k);
}
END_TEST

START_TEST(persisted_arrays_are_kept)
{
    kit k;
    kit_open(&k);
    const cl_shape s = DIMS(2000, 2000);
    const cl_node_id x = kit_source(&k, F8, s, NULL, false);
    const cl_node_id wanted[3] = {x, kit_op(&k, CL_OP_EXP, F8, s, x, NONE),
                                  kit_transpose(&k, x)};
    for (int i = 0; i < 3; i++) {
        kit_store(&k, wanted[i], NULL);
        k.sink[i].is_persist = true;
        k.sink[i].is_memory = false;
    }
    kit_build(&k);
    for (uint32_t i = 0; i < 3; i++) {
        const cl_tensor *const t = &k.plan.tensor[cl_plan_sink_tensor(&k.plan, i)];
        for (int64_t tile = 0; tile < cl_grid_tiles(&t->grid); tile++) {
            const cl_block *const b =
                cl_plan_block(&k.plan, t->first_block + (uint32_t)tile * t->block_step);
            ck_assert(b->flags & CL_BLOCK_PERSIST);
            ck_assert_uint_ne(b->producer, CL_NONE);
        }
    }
    kit_close(&k);
}
END_TEST

static void append_text(void *arg, const char *text, size_t bytes)
{
    char *const all = arg;
    const size_t used = strlen(all);
    if (used + bytes < 8192) {
        memcpy(all + used, text, bytes);
        all[used + bytes] = 0;
    }
}

START_TEST(described)
{
    static char text[8192];
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, DIMS(40960, 2048), square_chunk, false);
    kit_store(&k, kit_reduce(&k, CLAST_MEAN, x, 1), NULL);
    kit_build(&k);
    text[0] = 0;
    ck_assert_int_eq(cl_plan_describe(&k.plan, append_text, text), CLAST_OK);
    ck_assert_ptr_nonnull(strstr(text, "source 0: float64 (40960, 2048), tiles (1024, "
                                       "1024), 640 MiB\n"));
    ck_assert_ptr_nonnull(strstr(text, "mean"));
    ck_assert_ptr_nonnull(strstr(text, "84 tasks, "));
    kit_close(&k);
}
END_TEST

/* ---- contiguous sources ---- */

typedef enum {
    FOLDS,
    SLICE_FOLDS,
    TWO_PASSES,
    BESIDE_ANOTHER,
    BESIDE_CHUNKS,
    TURNED,
    PRODUCT,
    STORED_AS_WELL,
    COPIED,
    JOINED
} reader;

static const struct {
    reader reading;
    bool is_rows;
} readings[] = {
    {FOLDS, true},          {SLICE_FOLDS, true},     {TWO_PASSES, true},
    {BESIDE_ANOTHER, true}, {BESIDE_CHUNKS, false},  {TURNED, false},
    {PRODUCT, false},       {STORED_AS_WELL, false}, {COPIED, false},
    {JOINED, false},
};

static void read_as(kit *k, reader reading, cl_node_id x)
{
    const cl_shape s = DIMS(4096, 4096);
    const cl_node_id mean = kit_reduce(k, CLAST_MEAN, x, 1);
    const bool has_chunks = reading == BESIDE_CHUNKS;
    switch (reading) {
    case FOLDS:
        kit_store(k, mean, NULL);
        kit_store(k, kit_reduce(k, CLAST_SUM, kit_op(k, CL_OP_EXP, F8, s, x, NONE), 3),
                  NULL);
        break;
    case SLICE_FOLDS:
        kit_store(k, kit_reduce(k, CLAST_SUM, kit_slice(k, x, 7, 4000, 1), 2), NULL);
        break;
    case TWO_PASSES:
        kit_store(k,
                  kit_reduce(k, CLAST_STD,
                             kit_op(k, CL_OP_SUB, F8, s, x, kit_rows(k, mean, 4096)),
                             1),
                  NULL);
        break;
    case BESIDE_ANOTHER:
    case BESIDE_CHUNKS:
        kit_store(
            k,
            kit_reduce(
                k, CLAST_MAX,
                kit_op(k, CL_OP_SUB, F8, s, x,
                       kit_source(k, F8, s, has_chunks ? square_chunk : NULL, false)),
                3),
            NULL);
        break;
    case TURNED:
        kit_store(k, mean, NULL);
        kit_store(k, kit_reduce(k, CLAST_SUM, kit_transpose(k, x), 1), NULL);
        break;
    case PRODUCT:
        kit_store(k, mean, NULL);
        kit_store(k, kit_matmul(k, x, x), square_chunk);
        break;
    case STORED_AS_WELL:
        kit_store(k, mean, NULL);
        kit_store(k, kit_op(k, CL_OP_EXP, F8, s, x, NONE), square_chunk);
        break;
    case COPIED:
        kit_store(k, x, square_chunk);
        break;
    case JOINED: {
        const cl_node_id both[] = {x, x};
        const cl_node n = {.op = CL_OP_CONCAT,
                           .dtype = F8,
                           .nin = 2,
                           .shape = DIMS(8192, 4096),
                           .in = both};
        kit_store(k, kit_reduce(k, CLAST_SUM, kit_add(k, &n), 3), NULL);
        break;
    }
    }
}

/* Rows, where reductions alone follow the dataset; squares as soon as anything else
 * does. */
START_TEST(contiguous_sources)
{
    kit k;
    kit_open(&k);
    read_as(&k, readings[_i].reading,
            kit_source(&k, F8, DIMS(4096, 4096), NULL, false));
    kit_build(&k);
    const cl_grid *g = &k.plan.tensor[k.plan.source[0].tensor].grid;
    ck_assert_int_eq(cl_axis_hi(&g->axis[1], 0), readings[_i].is_rows ? 4096 : 704);
    ck_assert_int_eq(cl_axis_hi(&g->axis[0], 0), readings[_i].is_rows ? 128 : 704);
    kit_close(&k);
}
END_TEST

static clast_status build(kit *k, uint64_t *lacked)
{
    k->err = (cl_error){0};
    return cl_plan_build(&k->plan, k->nodes, k->nfact, k->fact, k->nsink, k->sink,
                         &k->settings, lacked, &k->err);
}

/* With what it says that it lacks a plan gets further, in the end to a plan. */
START_TEST(says_what_it_lacks)
{
    kit k;
    kit_open(&k);
    uint64_t lacked = 1;
    int refusals = 0;
    const cl_shape s = DIMS(16384, 16384);
    kit_store(&k, kit_op(&k, CL_OP_EXP, F8, s, kit_memory(&k, F8, s), NONE), NULL);
    k.settings.block_bytes = 8192;
    k.settings.room = 1;
    for (; build(&k, &lacked) != CLAST_OK; refusals++) {
        ck_assert_int_eq(k.err.status, CLAST_EBUDGET);
        ck_assert_uint_gt(lacked, k.settings.room);
        k.settings.room = lacked;
    }
    ck_assert_int_gt(refusals, 1);
    ck_assert_uint_eq(lacked, 0);
    ck_assert_uint_lt(k.plan.bytes, k.settings.room);
    kit_close(&k);
}
END_TEST

static clast_status build_and_free(void *arg)
{
    kit *k = arg;
    uint64_t lacked;
    const clast_status status = build(k, &lacked);
    ck_assert_int_eq(k->err.status, status);
    if (status != CLAST_OK)
        return status; /* and nothing is left to be freed */
    plan_validate(&k->plan);
    cl_plan_fini(&k->plan);
    return CLAST_OK;
}

START_TEST(every_allocation_may_fail)
{
    kit k;
    kit_open(&k);
    const cl_shape s = DIMS(3000, 3000);
    const cl_node_id x = kit_source(&k, F8, s, square_chunk, false);
    const cl_node_id y = kit_op(&k, CL_OP_ADD, F8, s, x, kit_transpose(&k, x));
    kit_store(&k, kit_matmul(&k, y, x), square_chunk);
    kit_store(&k, kit_reduce(&k, CLAST_VAR, y, 1), NULL);
    fail_every_allocation(build_and_free, &k, 10);
    kit_close(&k);
}
END_TEST

static Suite *suite(void)
{
    Suite *const s = suite_create("build");
    TCase *const t = tcase_create("plans");
    tcase_add_test(t, mean_of_a_column);
    tcase_add_test(t, sum_of_all_has_levels_of_joins);
    tcase_add_test(t, symmetrise);
    tcase_add_test(t, matmul_walks_super_tiles);
    tcase_add_loop_test(t, symmetric_products_compute_half, 0,
                        sizeof symmetric_case / sizeof *symmetric_case);
    tcase_add_test(t, large_tiles_are_not_turned);
    tcase_add_loop_test(t, long_products_have_chains, 0,
                        sizeof chain_case / sizeof chain_case[0]);
    tcase_add_test(t, grid_ignores_the_budget);
    tcase_add_test(t, plan_does_not_depend_on_the_store);
    tcase_add_loop_test(t, svd_tree, 0, sizeof svd_case / sizeof svd_case[0]);
    tcase_add_test(t, slices_read_what_they_show);
    tcase_add_test(t, sparse_uses_make_small_plans);
    tcase_add_test(t, filtered_sources_keep_whole_chunks);
    tcase_add_test(t, what_nobody_reads_is_not_computed);
    tcase_add_test(t, concatenate_and_reshape);
    tcase_add_loop_test(t, zero_lengths, 0, sizeof empty_case / sizeof empty_case[0]);
    tcase_add_test(t, siblings_share_a_pass);
    tcase_add_loop_test(t, several_results_share_a_pass, 0, 2);
    tcase_add_test(t, some_results_do_not_share);
    tcase_add_test(t, persisted_arrays_are_kept);
    tcase_add_test(t, described);
    tcase_add_loop_test(t, contiguous_sources, 0,
                        (int)(sizeof readings / sizeof *readings));
    tcase_add_test(t, says_what_it_lacks);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
