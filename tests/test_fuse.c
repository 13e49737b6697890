/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes one program and what exists as blocks. The validator of plan_tools.h
 * checks that programs are in SSA form and their operands have the right dtypes. */
#include "check_main.h"
#include "plan_tools.h"

#define F8   CLAST_FLOAT64
#define NONE CL_NO_NODE

static const cl_shape side = {.ndim = 2, .dim = {3000, 3000}};

static cl_node_id unary(kit *k, cl_op op, cl_node_id a)
{
    return kit_op(k, op, F8, kit_node(k, a)->shape, a, NONE);
}

static cl_node_id binary(kit *k, cl_op op, cl_node_id a, cl_node_id b)
{
    return kit_op(k, op, F8, kit_node(k, a)->shape, a, b);
}

static int stages(const kit *k, cl_stage_kind kind)
{
    int n = 0;
    for (uint32_t s = 0; s < k->plan.nstage; s++)
        n += k->plan.stage[s].kind == kind && k->plan.stage[s].tasks > 0;
    return n;
}

START_TEST(a_chain_is_swallowed_by_its_reduction)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, side, NULL, false);
    const cl_node_id y =
        unary(&k, CL_OP_EXP, unary(&k, CL_OP_NEG, binary(&k, CL_OP_MUL, x, x)));
    kit_store(&k, kit_reduce(&k, CLAST_SUM, binary(&k, CL_OP_ADD, y, y), 3), NULL);
    kit_build(&k);
    ck_assert_int_eq(stages(&k, CL_STAGE_MAP), 0);
    const cl_stage *const fold = kit_stage(&k, CL_STAGE_FOLD);
    ck_assert_uint_eq(fold->program.ninput, 1);
    ck_assert_uint_eq(fold->program.ninsn, 4); /* mul, neg, exp, add: each once */
    ck_assert_str_eq(fold->label, "mul+neg+exp+add+sum");
    kit_close(&k);
}
END_TEST

/* exp costs too much to be computed for both sums; abs does not */
static const struct {
    cl_op op;
    int maps;
} shared_case[] = {{CL_OP_POW, 1}, {CL_OP_ABS, 0}};

START_TEST(shared_by_two_reductions)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, side, NULL, false);
    const cl_op op = shared_case[_i].op;
    const cl_node_id y = kit_op(&k, op, F8, side, x, cl_ops[op].arity == 2 ? x : NONE);
    kit_store(&k, kit_reduce(&k, CLAST_SUM, y, 3), NULL);
    kit_store(&k, kit_reduce(&k, CLAST_MAX, y, 1), NULL);
    kit_build(&k);
    ck_assert_int_eq(stages(&k, CL_STAGE_MAP), shared_case[_i].maps);
    kit_close(&k);
}
END_TEST

START_TEST(broadcast_is_not_computed_again)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, side, NULL, false);
    const cl_node_id v = kit_source(&k, F8, DIMS(3000), NULL, false);
    const cl_node_id w = kit_rows(&k, unary(&k, CL_OP_EXP, v), 3000);
    kit_store(&k, binary(&k, CL_OP_ADD, x, w), NULL);
    kit_build(&k);
    ck_assert_int_eq(stages(&k, CL_STAGE_MAP), 2);
    kit_close(&k);
}
END_TEST

START_TEST(sequences_are_computed_in_place)
{
    kit k;
    kit_open(&k);
    const cl_node range = {.op = CL_OP_ARANGE,
                           .dtype = F8,
                           .shape = DIMS(9000),
                           .params = {.imm = {{.f64 = 1}, {.f64 = 2}}, .imm_type = F8}};
    const cl_node_id r = kit_slice(&k, kit_add(&k, &range), 8998, 3000, -2);
    const cl_node_id x = kit_source(&k, F8, side, NULL, false);
    kit_store(&k, binary(&k, CL_OP_ADD, x, kit_rows(&k, r, 3000)), NULL);
    kit_build(&k);
    ck_assert_int_eq(stages(&k, CL_STAGE_MAP), 1);
    const cl_program *const p = &kit_stage(&k, CL_STAGE_MAP)->program;
    ck_assert_uint_eq(p->ninput, 1);
    ck_assert_int_eq(p->insn[0].op, CL_OP_ARANGE);
    ck_assert_int_eq(p->imm[0].base, 8998);
    ck_assert_int_eq(p->imm[0].coef[0], 0);
    ck_assert_int_eq(p->imm[0].coef[1], -2);
    kit_close(&k);
}
END_TEST

/* RANDOM of (3000, 3000) transposed: the flat index follows */
START_TEST(random_numbers_keep_their_index)
{
    kit k;
    kit_open(&k);
    const cl_node random = {.op = CL_OP_RANDOM,
                            .dtype = F8,
                            .shape = side,
                            .params = {.imm = {{.u64 = 42}}}};
    kit_store(&k, unary(&k, CL_OP_NEG, kit_transpose(&k, kit_add(&k, &random))), NULL);
    kit_build(&k);
    const cl_program *const p = &kit_stage(&k, CL_STAGE_MAP)->program;
    ck_assert_uint_eq(p->imm[0].value[0].u64, 42);
    ck_assert_int_eq(p->imm[0].coef[0], 1);
    ck_assert_int_eq(p->imm[0].coef[1], 3000);
    kit_close(&k);
}
END_TEST

START_TEST(operands_of_a_product_exist_in_its_dtype)
{
    kit k;
    kit_open(&k);
    const cl_node_id a = kit_source(&k, CLAST_FLOAT32, side, NULL, false);
    const cl_node_id b = kit_source(&k, F8, side, NULL, false);
    kit_store(&k, kit_matmul(&k, kit_transpose(&k, a), b), NULL);
    kit_build(&k);
    ck_assert_int_eq(stages(&k, CL_STAGE_MAP), 1);
    ck_assert_str_eq(kit_stage(&k, CL_STAGE_MAP)->label, "astype");
    const cl_stage *const gemm = kit_stage(&k, CL_STAGE_GEMM);
    for (uint32_t v = 0; v < 2; v++) {
        const cl_view *view = &k.plan.view[gemm->view[v]];
        while (view->kind == CL_VIEW_MAP)
            view = &k.plan.view[view->child];
        ck_assert_int_eq(k.plan.tensor[view->tensor].dtype, F8);
    }
    kit_close(&k);
}
END_TEST

/* y is stored, so its transpose and its slice read the blocks. */
START_TEST(views_of_what_exists_are_views)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, side, NULL, false);
    const cl_node_id y = unary(&k, CL_OP_ABS, x);
    kit_store(&k, y, NULL);
    kit_store(&k, kit_transpose(&k, y), NULL);
    kit_store(&k, kit_slice(&k, y, 5, 100, 3), NULL);
    kit_build(&k);
    ck_assert_int_eq(stages(&k, CL_STAGE_MAP), 1);
    kit_close(&k);
}
END_TEST

START_TEST(operands_are_converted)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, CLAST_INT32, side, NULL, false);
    const cl_node_id y = kit_source(&k, CLAST_FLOAT32, side, NULL, false);
    const cl_node_id less = kit_op(&k, CL_OP_LT, CLAST_BOOL, side, x, y);
    const cl_node_id in[3] = {less, x, y};
    const cl_node where = {
        .op = CL_OP_WHERE, .dtype = F8, .nin = 3, .in = in, .shape = side};
    kit_store(&k, kit_add(&k, &where), NULL);
    kit_build(&k);
    const cl_program *const p = &kit_stage(&k, CL_STAGE_MAP)->program;
    ck_assert_uint_eq(p->ninput, 2);
    ck_assert_uint_eq(p->ninsn, 4); /* two casts, lt, where: the casts are shared */
    kit_close(&k);
}
END_TEST

/* A rechunk on the way decides the grid. */
START_TEST(rechunk_sets_the_grid)
{
    static const int64_t chunk[] = {1000, 500};
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_source(&k, F8, side, NULL, false);
    const cl_node r = {.op = CL_OP_RECHUNK,
                       .dtype = F8,
                       .nin = 1,
                       .in = &x,
                       .shape = side,
                       .chunk = chunk};
    kit_store(&k, unary(&k, CL_OP_EXP, kit_transpose(&k, kit_add(&k, &r))), NULL);
    kit_build(&k);
    const cl_stage *const map = kit_stage(&k, CL_STAGE_MAP);
    ck_assert_int_eq(k.plan.tensor[map->out].grid.axis[0].size, 500);
    ck_assert_int_eq(k.plan.tensor[map->out].grid.axis[1].size, 1000);
    kit_close(&k);
}
END_TEST

/* y = y[:-1] + y[1:] again and again would double the program each time. */
START_TEST(programs_stay_within_bounds)
{
    kit k;
    kit_open(&k);
    cl_node_id y = kit_source(&k, F8, DIMS(5000, 100), NULL, false);
    for (int i = 0; i < 40; i++) {
        const int64_t n = kit_node(&k, y)->shape.dim[0] - 1;
        y = binary(&k, CL_OP_ADD, kit_slice(&k, y, 0, n, 1), kit_slice(&k, y, 1, n, 1));
    }
    cl_node_id sum = y;
    for (int i = 0; i < 60; i++) { /* many sources in one sum */
        const cl_node_id z = kit_memory(&k, F8, kit_node(&k, y)->shape);
        k.nfact = i % 6 + 2;
        sum = binary(&k, i % 2 ? CL_OP_ADD : CL_OP_MUL, sum, z);
    }
    k.nfact = 8;
    kit_store(&k, sum, NULL);
    kit_build(&k);
    for (uint32_t s = 0; s < k.plan.nstage; s++) {
        ck_assert_uint_le(k.plan.stage[s].program.ninput, 24);
        ck_assert_uint_le(k.plan.stage[s].program.ninsn, 200);
    }
    ck_assert_int_ge(stages(&k, CL_STAGE_MAP), 2);
    kit_close(&k);
}
END_TEST

static Suite *suite(void)
{
    Suite *const s = suite_create("fuse");
    TCase *const t = tcase_create("programs");
    tcase_add_test(t, a_chain_is_swallowed_by_its_reduction);
    tcase_add_loop_test(t, shared_by_two_reductions, 0, 2);
    tcase_add_test(t, broadcast_is_not_computed_again);
    tcase_add_test(t, sequences_are_computed_in_place);
    tcase_add_test(t, random_numbers_keep_their_index);
    tcase_add_test(t, operands_of_a_product_exist_in_its_dtype);
    tcase_add_test(t, views_of_what_exists_are_views);
    tcase_add_test(t, operands_are_converted);
    tcase_add_test(t, rechunk_sets_the_grid);
    tcase_add_test(t, programs_stay_within_bounds);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
