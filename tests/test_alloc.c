/* SPDX-License-Identifier: BSD-3-Clause */
/* The accounting allocator: every byte is counted, every failure leaves things whole.
 */
#include "base/alloc.h"

#include <errno.h>
#include <string.h>

#include "check_main.h"

static const size_t sizes[] = {0, 1, 15, 16, 17, 4095, 4096, 100000, 5000000};

/* One check for many bytes: Check reports each of its own to the parent process. */
static bool is_filled(const void *p, size_t n, int value)
{
    const unsigned char *byte = p;
    for (size_t i = 0; i < n; i++)
        if (byte[i] != value)
            return false;
    return true;
}

START_TEST(test_counts_and_aligns)
{
    const size_t n = sizes[_i];
    const uint64_t before = cl_alloc_live();
    char *p = cl_alloc(n), *q = cl_alloc(n);
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_ne(p, q);
    ck_assert_uint_eq((uintptr_t)p % 16, 0);
    ck_assert_uint_eq(cl_alloc_live() - before, 2 * n);
    memset(p, 1, n);
    p = cl_realloc_array(p, n + 3, 7);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 16, 0);
    ck_assert(is_filled(p, n, 1));
    ck_assert_uint_eq(cl_alloc_live() - before, n + 7 * (n + 3));
    cl_free(p);
    cl_free(q);
    cl_free(NULL);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

START_TEST(test_zeroes)
{
    unsigned char *p = cl_calloc(1000, 3);
    ck_assert(is_filled(p, 3000, 0));
    cl_free(p);
    char *copy = cl_strdup("clast");
    ck_assert_str_eq(copy, "clast");
    cl_free(copy);
}
END_TEST

START_TEST(test_refuses_overflow)
{
    const uint64_t before = cl_alloc_live();
    cl_arena arena = {0};
    ck_assert_ptr_null(cl_alloc(SIZE_MAX));
    ck_assert_ptr_null(cl_alloc(SIZE_MAX - 15));
    ck_assert_ptr_null(cl_alloc_array(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(cl_calloc(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(cl_calloc(SIZE_MAX, 1));
    ck_assert_ptr_null(cl_arena_array(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(cl_arena_alloc(&arena, SIZE_MAX - 20));
    char *p = cl_strdup("kept");
    ck_assert_ptr_null(cl_realloc_array(p, SIZE_MAX / 2, 3));
    ck_assert_str_eq(p, "kept");
    cl_free(p);
    cl_arena_fini(&arena);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

/* Each way to allocate counts as one allocation and fails alike. */
static bool can_allocate(int way)
{
    void *p = way == 0   ? cl_alloc(8)
              : way == 1 ? cl_calloc(2, 4)
              : way == 2 ? cl_alloc_array(2, 4)
              : way == 3 ? cl_strdup("x")
                         : cl_realloc_array(NULL, 1, 8);
    const bool ok = p != NULL;
    cl_free(p);
    return ok;
}

START_TEST(test_fails_on_demand)
{
    for (int64_t n = 0; n < 5; n++) {
        cl_alloc_fail_after(n);
        for (int64_t i = 1; i < n; i++)
            ck_assert(can_allocate(_i));
        ck_assert(!can_allocate(_i));
        ck_assert(!can_allocate(_i));
        cl_alloc_fail_after(-1);
        ck_assert(can_allocate(_i));
    }
}
END_TEST

START_TEST(test_grows)
{
    const uint64_t before = cl_alloc_live();
    int *p = NULL;
    size_t capacity = 0, moves = 0;
    for (size_t i = 0; i < 10000; i++) {
        const size_t last = capacity;
        ck_assert(cl_grow(&p, &capacity, i + 1, sizeof *p));
        moves += capacity != last;
        if (capacity != last) /* both are there while the elements are moved */
            ck_assert_uint_le((last + capacity) * sizeof *p,
                              cl_grow_most(1, i + 1, sizeof *p));
        p[i] = (int)i;
    }
    for (size_t i = 0; i < 10000; i++)
        ck_assert_int_eq(p[i], (int)i);
    ck_assert_uint_le(moves, 30); /* by half: logarithmically often */
    const size_t was = capacity;
    int *const here = p;
    cl_alloc_fail_after(1);
    ck_assert(cl_grow(&p, &capacity, was, sizeof *p));
    ck_assert(!cl_grow(&p, &capacity, was + 1, sizeof *p));
    cl_alloc_fail_after(-1);
    ck_assert_ptr_eq(p, here);
    ck_assert_uint_eq(capacity, was);
    ck_assert(!cl_grow(&p, &capacity, SIZE_MAX / 2, sizeof *p));
    cl_free(p);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

/* What has grown is the same in huge pages, if there are any, and stays where it is. */
START_TEST(test_settles)
{
    const uint64_t before = cl_alloc_live();
    uint32_t *p = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < (2u << 20) + 5; i++) {
        ck_assert(cl_grow(&p, &capacity, i + (size_t)1, sizeof *p));
        p[i] = i;
    }
    const uint32_t *const here = p;
    const uint64_t live = cl_alloc_live();
    errno = 77;
    cl_alloc_settle(p);
    cl_alloc_settle(NULL);
    ck_assert_int_eq(errno, 77);
    ck_assert_ptr_eq(p, here);
    ck_assert_uint_eq(cl_alloc_live(), live);
    for (uint32_t i = 0; i < (2u << 20) + 5; i++)
        if (p[i] != i)
            ck_abort_msg("%u is at %u", p[i], i);
    cl_free(p);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

START_TEST(test_arena)
{
    const uint64_t before = cl_alloc_live();
    cl_arena arena = {0};
    unsigned char *got[200];
    for (size_t i = 0; i < 200; i++) {
        const size_t n = i * i * 3;
        got[i] = cl_arena_alloc(&arena, n);
        ck_assert_ptr_nonnull(got[i]);
        ck_assert_uint_eq((uintptr_t)got[i] % 16, 0);
        ck_assert(is_filled(got[i], n, 0));
        memset(got[i], (int)i, n);
    }
    for (size_t i = 0; i < 200; i++)
        ck_assert(is_filled(got[i], i * i * 3, (int)i)); /* nobody overlaps */
    ck_assert_uint_eq(cl_alloc_live() - before, arena.bytes);
    cl_alloc_fail_after(1);
    ck_assert_ptr_null(cl_arena_alloc(&arena, 100 << 20));
    cl_alloc_fail_after(-1);
    cl_arena_fini(&arena);
    ck_assert_uint_eq(arena.bytes, 0);
    cl_arena_fini(&arena);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("alloc");
    TCase *t = tcase_create("alloc");
    tcase_add_loop_test(t, test_counts_and_aligns, 0, sizeof sizes / sizeof *sizes);
    tcase_add_test(t, test_zeroes);
    tcase_add_test(t, test_refuses_overflow);
    tcase_add_loop_test(t, test_fails_on_demand, 0, 5);
    tcase_add_test(t, test_grows);
    tcase_add_test(t, test_settles);
    tcase_add_test(t, test_arena);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
