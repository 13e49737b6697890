/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block memory: the limit holds in pages that are really touched, whatever sizes come
 * one after another.
 */
#include "sched/memory.h"

#include "base/alloc.h"
#include "check_main.h"
#include "graph/plan.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define HUGE 512u /* pages of a huge page */

/* Pages of a slot that are in memory. */
static uint64_t touched(void *slot, uint64_t pages)
{
    unsigned char in[4 * HUGE];
    ck_assert_uint_le(pages, sizeof in);
    ck_assert_int_eq(mincore(slot, pages * CL_PAGE, in), 0);
    uint64_t n = 0;
    for (uint64_t i = 0; i < pages; i++)
        n += in[i] & 1u;
    return n;
}

static const uint64_t sizes[] = {1, 2, 3, 7, 64, 511, HUGE, HUGE + 1, 2 * HUGE};

START_TEST(test_slots_are_whole_and_apart)
{
    const uint64_t pages = sizes[_i];
    cl_memory *m = cl_memory_new(8 * pages);
    char *slot[8];
    for (int i = 0; i < 8; i++) {
        slot[i] = cl_memory_take(m, pages);
        ck_assert_ptr_nonnull(slot[i]);
        ck_assert_uint_eq(
            (uintptr_t)slot[i] % (pages % HUGE ? CL_PAGE : HUGE * CL_PAGE), 0);
        memset(slot[i], i + 1, pages * CL_PAGE);
    }
    ck_assert_ptr_null(cl_memory_take(m, 1));
    for (int i = 0; i < 8; i++)
        for (uint64_t k = 0; k < pages * CL_PAGE; k += 509)
            ck_assert_int_eq(slot[i][k], i + 1);
    ck_assert_uint_eq(cl_memory_live(m), 8 * pages);
    for (int i = 0; i < 8; i++)
        cl_memory_give(m, slot[i], pages);
    ck_assert_uint_eq(cl_memory_live(m), 0);
    ck_assert_uint_eq(cl_memory_cached(m), 8 * pages);
    ck_assert_uint_eq(cl_memory_peak(m), 8 * pages);
    cl_memory_free(m);
}
END_TEST

START_TEST(test_slot_is_reused_without_faults)
{
    cl_memory *m = cl_memory_new(10);
    char *a = cl_memory_take(m, 3);
    a[5] = 42;
    cl_memory_give(m, a, 3);
    char *b = cl_memory_take(m, 3);
    ck_assert_ptr_eq(a, b);
    ck_assert_int_eq(b[5], 42);
    ck_assert_uint_eq(cl_memory_cached(m), 0);
    cl_memory_give(m, b, 3);
    cl_memory_free(m);
}
END_TEST

/* Every class takes the whole limit in turn: pages move between classes. */
START_TEST(test_other_sizes_get_the_pages)
{
    const uint64_t limit = 4 * HUGE;
    cl_memory *m = cl_memory_new(limit);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        void *slot[4 * HUGE];
        const uint64_t n = limit / sizes[s];
        for (uint64_t i = 0; i < n; i++) {
            slot[i] = cl_memory_take(m, sizes[s]);
            ck_assert_ptr_nonnull(slot[i]);
            memset(slot[i], 1, sizes[s] * CL_PAGE);
            ck_assert_uint_le(cl_memory_live(m) + cl_memory_cached(m), limit);
        }
        for (uint64_t i = 0; i < n; i++)
            cl_memory_give(m, slot[i], sizes[s]);
    }
    cl_memory_free(m);
}
END_TEST

START_TEST(test_pages_given_back_are_untouched)
{
    cl_memory *m = cl_memory_new(100);
    char *a = cl_memory_take(m, 60);
    memset(a, 1, 60 * CL_PAGE);
    ck_assert_uint_eq(touched(a, 60), 60);
    cl_memory_give(m, a, 60);
    ck_assert_uint_eq(touched(a, 60), 60);
    /* As many as are lacking. */
    void *b = cl_memory_take(m, 70);
    ck_assert_uint_eq(touched(a, 60), 30);
    ck_assert_uint_eq(cl_memory_cached(m), 30);
    ck_assert_uint_eq(touched(b, 70), 0);
    cl_memory_give(m, b, 70);
    cl_memory_set_limit(m, 20);
    ck_assert_uint_eq(cl_memory_cached(m), 20);
    ck_assert_ptr_null(cl_memory_take(m, 21));
    ck_assert_ptr_nonnull(cl_memory_take(m, 20));
    cl_memory_free(m);
}
END_TEST

/* Blocks of nearly equal size take turns in a slot, which has no more pages than the
 * one in it. */
START_TEST(test_near_sizes_share)
{
    cl_memory *m = cl_memory_new(200);
    char *a = cl_memory_take(m, 100);
    memset(a, 1, 100 * CL_PAGE);
    cl_memory_give(m, a, 100);
    char *b = cl_memory_take(m, 97);
    ck_assert_ptr_eq(a, b);
    ck_assert_uint_eq(touched(b, 100), 97);
    ck_assert_uint_eq(cl_memory_cached(m), 0);
    cl_memory_give(m, b, 97);
    ck_assert_uint_eq(cl_memory_cached(m), 97);
    ck_assert_ptr_eq(cl_memory_take(m, 104), a);
    ck_assert_uint_eq(touched(a, 100), 97);
    ck_assert_uint_eq(cl_memory_cached(m), 0);
    cl_memory_free(m);
}
END_TEST

/* Huge pages are given back whole. */
START_TEST(test_huge_pages_go_whole)
{
    cl_memory *m = cl_memory_new(4 * HUGE);
    char *a = cl_memory_take(m, 4 * HUGE);
    memset(a, 1, 4 * HUGE * CL_PAGE);
    cl_memory_give(m, a, 4 * HUGE);
    ck_assert_ptr_nonnull(cl_memory_take(m, HUGE + 1));
    ck_assert_uint_eq(cl_memory_cached(m), 2 * HUGE);
    ck_assert_uint_eq(touched(a, 4 * HUGE), 2 * HUGE);
    cl_memory_free(m);
}
END_TEST

/* A slot that is no multiple of a huge page must not be touched beyond what is written.
 */
START_TEST(test_no_page_beyond_the_slot)
{
    cl_memory *m = cl_memory_new(4 * HUGE);
    char *a = cl_memory_take(m, HUGE + 1);
    char *b = cl_memory_take(m, HUGE + 1);
    a[0] = 1;
    ck_assert_uint_eq(touched(a, HUGE + 1), 1);
    ck_assert_uint_eq(touched(b, HUGE + 1), 0);
    cl_memory_free(m);
}
END_TEST

START_TEST(test_nothing_is_valid)
{
    cl_memory *m = cl_memory_new(0);
    void *a = cl_memory_take(m, 0);
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_eq((uintptr_t)a % 64, 0);
    cl_memory_give(m, a, 0);
    ck_assert_ptr_null(cl_memory_take(m, 1));
    cl_memory_free(m);
}
END_TEST

/* Random sizes and lives against a model; each slot keeps its mark. */
START_TEST(test_random_lives)
{
    enum { SLOTS = 64, STEPS = 20000 };
    const uint64_t limit = 3000;
    cl_memory *m = cl_memory_new(limit);
    struct {
        char *at;
        uint64_t pages;
        char mark;
    } slot[SLOTS] = {{0}};
    uint64_t live = 0, seed = (uint64_t)_i * 2 + 1;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const size_t k = seed >> 58;
        if (slot[k].at) {
            ck_assert_int_eq(slot[k].at[0], slot[k].mark);
            ck_assert_int_eq(slot[k].at[slot[k].pages * CL_PAGE - 1], slot[k].mark);
            cl_memory_give(m, slot[k].at, slot[k].pages);
            live -= slot[k].pages;
            slot[k].at = NULL;
            continue;
        }
        slot[k].pages = sizes[(seed >> 40) % 6] + (seed >> 33) % 3;
        slot[k].at = cl_memory_take(m, slot[k].pages);
        ck_assert_int_eq(slot[k].at != NULL, live + slot[k].pages <= limit);
        if (!slot[k].at)
            continue;
        live += slot[k].pages;
        slot[k].mark = (char)(step & 127);
        slot[k].at[0] = slot[k].at[slot[k].pages * CL_PAGE - 1] = slot[k].mark;
        ck_assert_uint_eq(cl_memory_live(m), live);
        ck_assert_uint_le(live + cl_memory_cached(m), limit);
    }
    cl_memory_free(m);
}
END_TEST

START_TEST(test_tables_may_fail)
{
    const uint64_t before = cl_alloc_live();
    for (int n = 1; n < 12; n++) {
        cl_alloc_fail_after(n);
        cl_memory *m = cl_memory_new(100);
        void *a = m ? cl_memory_take(m, 3) : NULL;
        void *b = m ? cl_memory_take(m, 5) : NULL;
        cl_alloc_fail_after(-1);
        if (a)
            cl_memory_give(m, a, 3);
        if (b)
            cl_memory_give(m, b, 5);
        a = m ? cl_memory_take(m, 100) : NULL;
        ck_assert(!m || a);
        cl_memory_free(m);
        ck_assert_uint_eq(cl_alloc_live(), before);
    }
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* A tight limit of address space: classes that hold nothing give theirs back. */
START_TEST(test_short_address_space)
{
    cl_memory *m = cl_memory_new((uint64_t)1 << 30);
    void *first = cl_memory_take(m, 1);
    ck_assert_ptr_nonnull(first);
    struct rlimit old, tight;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)1 << 29;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
    for (uint64_t pages = 20000; pages < 20040; pages++) {
        void *p = cl_memory_take(m, pages);
        ck_assert_ptr_nonnull(p);
        cl_memory_give(m, p, pages);
    }
    ck_assert_ptr_null(cl_memory_take(m, (uint64_t)1 << 18));
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &old), 0);
    ck_assert_ptr_nonnull(cl_memory_take(m, (uint64_t)1 << 18));
    cl_memory_free(m);
}
END_TEST
#endif

static Suite *memory_suite(void)
{
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");
    tcase_add_loop_test(t, test_slots_are_whole_and_apart, 0,
                        sizeof sizes / sizeof *sizes);
    tcase_add_test(t, test_slot_is_reused_without_faults);
    tcase_add_test(t, test_other_sizes_get_the_pages);
    tcase_add_test(t, test_pages_given_back_are_untouched);
    tcase_add_test(t, test_near_sizes_share);
    tcase_add_test(t, test_huge_pages_go_whole);
    tcase_add_test(t, test_no_page_beyond_the_slot);
    tcase_add_test(t, test_nothing_is_valid);
    tcase_add_loop_test(t, test_random_lives, 0, 4);
    tcase_add_test(t, test_tables_may_fail);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(t, test_short_address_space);
#endif
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {memory_suite};
    return cl_check_main(suites, 1);
}
