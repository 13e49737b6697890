/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who owns arrays: scopes, keep and drop, closing; and that nothing is left behind. The
 * allocator's count of live bytes is the witness.
 */
#include <string.h>

#include "alloc_faults.h"
#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"

static clast_ctx *ctx;

static void open_ctx(void)
{
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 1});
}

static void close_ctx(void)
{
    clast_close(&ctx);
    ck_assert_uint_eq(cl_alloc_live(), 0);
}

static clast_array *number(double v)
{
    return clast_add(clast_ones(ctx, 1, (int64_t[]){4}, CLAST_FLOAT64),
                     clast_double(ctx, v));
}

static double first_of(clast_array *a)
{
    double out[4] = {0};
    const clast_buffer into = {out, sizeof out, CLAST_FLOAT64, 1, clast_shape(a), NULL};
    ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
    return out[0];
}

START_TEST(a_scope_frees_its_arrays)
{
    number(0);
    clast_scope_begin(ctx);
    number(1);
    clast_scope_end(ctx);
    const uint64_t before = cl_alloc_live();
    for (int i = 0; i < 100; i++) {
        clast_scope_begin(ctx);
        for (int k = 0; k < 10; k++)
            clast_neg(number(i * 10 + k + 2));
        clast_scope_end(ctx);
    }
    /* the node table may have grown, for ten nodes and not for a thousand */
    ck_assert_uint_lt(cl_alloc_live() - before, 20000);
}
END_TEST

START_TEST(kept_arrays_outlive_their_scope)
{
    clast_scope_begin(ctx);
    clast_array *a = number(2);
    ck_assert_ptr_eq(clast_keep(a), a);
    ck_assert_ptr_eq(clast_keep(a), a);
    clast_scope_end(ctx);
    ck_assert_double_eq(first_of(a), 3);
    clast_array *b = clast_neg(a);
    clast_drop(a);
    ck_assert_double_eq(first_of(b), -3);
}
END_TEST

START_TEST(drop_is_for_kept_arrays)
{
    clast_array *a = number(2);
    clast_drop(a);
    ck_assert_double_eq(first_of(a), 3);
    clast_drop(NULL);
}
END_TEST

START_TEST(copies_are_charged_and_given_back)
{
    enum { COUNT = 5 << 20 };
    double *data = cl_calloc(COUNT, sizeof *data);
    const int64_t shape[1] = {COUNT};
    const clast_buffer b = {data, COUNT * sizeof *data, CLAST_FLOAT64, 1, shape, NULL};
    for (int i = 0; i < 3; i++) {
        clast_scope_begin(ctx);
        clast_array *a = clast_copy_in(ctx, &b);
        ck_assert_str_eq(clast_error(a), "");
        ck_assert_int_eq(clast_array_status(clast_copy_in(ctx, &b)), CLAST_EBUDGET);
        clast_scope_end(ctx);
    }
    cl_free(data);
}
END_TEST

START_TEST(an_end_without_a_begin_is_an_error)
{
    clast_scope_end(ctx);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_EVALUE);
    ck_assert_str_eq(clast_ctx_error(ctx), "scope_end: no scope is open");
}
END_TEST

START_TEST(close_frees_open_scopes)
{
    clast_scope_begin(ctx);
    clast_scope_begin(ctx);
    clast_keep(number(1));
    clast_mean(number(1), 7);
    clast_persist(number(5));
}
END_TEST

START_TEST(equal_expressions_are_one_node)
{
    const uint64_t before = cl_alloc_live();
    clast_array *a = number(1);
    const uint64_t one = cl_alloc_live() - before;
    clast_array *b = number(1);
    ck_assert_uint_lt(cl_alloc_live() - before - one, one);
    ck_assert_ptr_eq(clast_shape(a), clast_shape(b));
}
END_TEST

static clast_status run_a_little(void *arg)
{
    double out[4] = {0};
    const int64_t shape[1] = {4};
    const clast_buffer into = {out, sizeof out, CLAST_FLOAT64, 1, shape, NULL};
    clast_ctx *c = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 1});
    clast_scope_begin(c);
    clast_array *x = clast_arange(c, 0, 4, 1, CLAST_FLOAT64);
    clast_array *y = clast_sub(clast_mul(x, x), clast_mean(x, 0));
    const clast_status status = clast_fetch(y, &into);
    const clast_status first = clast_ctx_status(c);
    clast_scope_end(c);
    clast_close(&c);
    ck_assert_msg(first == status || first == CLAST_ENOMEM, "%s",
                  clast_status_name(first));
    if (status == CLAST_OK)
        ck_assert(out[0] == -1.5 && out[3] == 7.5);
    return status;
}

START_TEST(every_allocation_fails_in_turn)
{
    fail_every_allocation(run_a_little, NULL, 10);
}
END_TEST

static Suite *scopes(void)
{
    Suite *s = suite_create("api_scopes");
    TCase *c = tcase_create("scopes");
    tcase_add_checked_fixture(c, open_ctx, close_ctx);
    tcase_add_test(c, a_scope_frees_its_arrays);
    tcase_add_test(c, kept_arrays_outlive_their_scope);
    tcase_add_test(c, drop_is_for_kept_arrays);
    tcase_add_test(c, copies_are_charged_and_given_back);
    tcase_add_test(c, an_end_without_a_begin_is_an_error);
    tcase_add_test(c, close_frees_open_scopes);
    tcase_add_test(c, equal_expressions_are_one_node);
    tcase_add_test(c, every_allocation_fails_in_turn);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {scopes};
    return cl_check_main(suites, 1);
}
