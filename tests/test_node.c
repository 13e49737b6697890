/* SPDX-License-Identifier: BSD-3-Clause */
/* The store of nodes: sharing, counting, dying, and what happens without memory. */
#include "check_main.h"
#include "plan_tools.h"

static void count_source(void *arg, uint32_t source)
{
    *(uint32_t *)arg += 1 + source;
}

START_TEST(equal_bytes_are_one_node)
{
    kit k;
    kit_open(&k);
    const cl_node_id a = kit_const(&k, 1, DIMS(3, 4));
    const cl_node_id b = kit_const(&k, 1, DIMS(3, 4));
    ck_assert_uint_eq(a.v, b.v);
    ck_assert_uint_ne(a.v, kit_const(&k, 2, DIMS(3, 4)).v);
    ck_assert_uint_ne(a.v, kit_const(&k, 1, DIMS(4, 3)).v);
    const cl_node_id x = kit_transpose(&k, a), y = kit_transpose(&k, b);
    ck_assert_uint_eq(x.v, y.v);
    ck_assert_uint_ne(x.v, kit_slice(&k, a, 0, 3, 1).v);
    ck_assert_uint_ne(kit_slice(&k, a, 0, 2, 1).v, kit_slice(&k, a, 1, 2, 1).v);
    kit_close(&k);
}
END_TEST

START_TEST(chunks_are_part_of_a_node)
{
    static const int64_t chunk[2][2] = {{10, 20}, {20, 10}};
    kit k;
    kit_open(&k);
    cl_node_id in = kit_const(&k, 1, DIMS(100, 100)), id[2];
    for (int i = 0; i < 2; i++) {
        const cl_node n = {.op = CL_OP_RECHUNK,
                           .dtype = CLAST_FLOAT64,
                           .nin = 1,
                           .in = &in,
                           .shape = DIMS(100, 100),
                           .chunk = chunk[i]};
        id[i] = kit_add(&k, &n);
        ck_assert_int_eq(kit_node(&k, id[i])->chunk[0], chunk[i][0]);
    }
    ck_assert_uint_ne(id[0].v, id[1].v);
    kit_close(&k);
}
END_TEST

START_TEST(the_last_reference_frees_what_is_below)
{
    kit k;
    kit_open(&k);
    uint32_t gone = 0;
    const uint64_t empty = cl_alloc_live();
    const cl_node_id x = kit_source(&k, CLAST_FLOAT64, DIMS(5, 5), NULL, false);
    const cl_node_id y = kit_transpose(&k, x);
    cl_nodes_drop(k.nodes, x, count_source, &gone);
    ck_assert_uint_eq(gone, 0); /* y holds it */
    cl_nodes_keep(k.nodes, y);
    cl_nodes_drop(k.nodes, y, count_source, &gone);
    ck_assert_uint_eq(gone, 0);
    cl_nodes_drop(k.nodes, y, count_source, &gone);
    ck_assert_uint_eq(gone, 1);
    const cl_node_id z = kit_const(&k, 4, DIMS(2));
    ck_assert(z.v == x.v || z.v == y.v); /* slots are used again */
    ck_assert_uint_gt(cl_alloc_live(), empty);
    kit_close(&k);
}
END_TEST

START_TEST(long_chains_die_without_a_stack)
{
    kit k;
    kit_open(&k);
    cl_node_id x = kit_const(&k, 0, DIMS(8)), first = x;
    for (int i = 0; i < 200000; i++) {
        const cl_node_id next =
            kit_op(&k, CL_OP_SQRT, CLAST_FLOAT64, DIMS(8), x, CL_NO_NODE);
        cl_nodes_drop(k.nodes, x, NULL, NULL);
        x = next;
    }
    ck_assert_ptr_nonnull(kit_node(&k, first));
    const uint64_t before = cl_alloc_live();
    cl_nodes_drop(k.nodes, x, NULL, NULL);
    ck_assert_uint_lt(cl_alloc_live(), before / 10);
    kit_close(&k);
}
END_TEST

START_TEST(no_memory_changes_nothing)
{
    kit k;
    kit_open(&k);
    const cl_node_id x = kit_const(&k, 3, DIMS(8));
    cl_node_id id = CL_NO_NODE;
    const cl_node n = {
        .op = CL_OP_EXP, .dtype = CLAST_FLOAT64, .nin = 1, .in = &x, .shape = DIMS(8)};
    const uint64_t live = cl_alloc_live();
    cl_alloc_fail_after(0);
    ck_assert_int_eq(cl_nodes_add(k.nodes, &n, &id), CLAST_ENOMEM);
    cl_alloc_fail_after(-1);
    ck_assert_uint_eq(cl_alloc_live(), live);
    ck_assert_int_eq(cl_nodes_add(k.nodes, &n, &id), CLAST_OK);
    kit_close(&k);
    ck_assert_uint_lt(cl_alloc_live(), live);
}
END_TEST

static Suite *suite(void)
{
    Suite *const s = suite_create("node");
    TCase *const t = tcase_create("store");
    tcase_add_test(t, equal_bytes_are_one_node);
    tcase_add_test(t, chunks_are_part_of_a_node);
    tcase_add_test(t, the_last_reference_frees_what_is_below);
    tcase_add_test(t, long_chains_die_without_a_stack);
    tcase_add_test(t, no_memory_changes_nothing);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
