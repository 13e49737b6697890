/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intervals of an axis against a plain set of numbers, and axes that spend parts only
 * on what is used: the parts under it are those of the whole axis, the rest is one
 * each.
 */
#include "check_main.h"
#include "graph/interval.h"

enum { N = 400 };

static uint32_t dice(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static bool covers(const cl_intervals *s, int64_t x)
{
    for (int i = 0; i < s->n; i++)
        if (s->lo[i] <= x && x < s->hi[i])
            return true;
    return false;
}

START_TEST(sets)
{
    uint32_t seed = (uint32_t)_i + 1;
    bool is_in[N] = {false};
    cl_intervals s = {0};
    int added = 0;
    for (; added < 9; added++) {
        const int64_t lo = dice(&seed, N - 30), hi = lo + 1 + dice(&seed, 30);
        cl_intervals_add(&s, lo, hi);
        for (int64_t x = lo; x < hi; x++)
            is_in[x] = true;
        ck_assert_int_le(s.n, CL_MOST_INTERVALS);
        for (int i = 0; i + 1 < s.n; i++)
            ck_assert_int_lt(s.hi[i], s.lo[i + 1]);
        int runs = 0;
        for (int x = 0; x < N; x++) {
            runs += is_in[x] && (x == 0 || !is_in[x - 1]);
            ck_assert(!is_in[x] || covers(&s, x));
        }
        /* Exact until there are too many. */
        for (int x = 0; x < N && runs <= CL_MOST_INTERVALS && added < 4; x++)
            ck_assert(is_in[x] == covers(&s, x));
    }
}
END_TEST

/* An axis of parts of 7, or of unequal ones; a window of it; what is used of that. */
START_TEST(axes)
{
    static const int64_t uneven[] = {0,   1,   9,   30,  31,  32, 80,
                                     100, 101, 220, 250, 399, N};
    uint32_t seed = (uint32_t)_i + 1;
    cl_arena arena = {0};
    cl_axis whole = cl_axis_regular(N, 7), out;
    if (_i % 2)
        whole = (cl_axis){.n = N, .count = 12, .cuts = uneven};
    const int64_t lo = dice(&seed, 50), n = N - lo - dice(&seed, 50);
    cl_intervals used = {0};
    for (int i = 0; i < 3; i++) {
        const int64_t at = lo + dice(&seed, (uint32_t)n - 5);
        cl_intervals_add(&used, at, at + 1 + dice(&seed, 5));
    }
    ck_assert_int_eq(cl_axis_used(&arena, &whole, lo, n, &used, &out), CLAST_OK);
    ck_assert_int_eq(out.n, n);
    int64_t parts = 0, at = 0;
    for (int64_t p = 0; p < out.count; p++) {
        ck_assert_int_eq(cl_axis_lo(&out, p), at);
        at = cl_axis_hi(&out, p);
        ck_assert_int_gt(at, cl_axis_lo(&out, p));
    }
    ck_assert_int_eq(at, n);
    for (int64_t x = 0; x < n; x++) {
        if (!covers(&used, lo + x))
            continue;
        const int64_t p = cl_axis_find(&out, x), q = cl_axis_find(&whole, lo + x);
        const int64_t from = cl_axis_lo(&whole, q) - lo,
                      to = cl_axis_hi(&whole, q) - lo;
        ck_assert_int_eq(cl_axis_lo(&out, p), from > 0 ? from : 0);
        ck_assert_int_eq(cl_axis_hi(&out, p), to < n ? to : n);
        parts += x == 0 || p != cl_axis_find(&out, x - 1) || !covers(&used, lo + x - 1);
    }
    const int64_t all = cl_axis_find(&whole, lo + n - 1) - cl_axis_find(&whole, lo) + 1;
    if (out.count < all)
        ck_assert_int_le(out.count, 2 * parts + 1);
    else
        ck_assert_int_ge(2 * (2 * parts + 1) + 2, all);
    cl_arena_fini(&arena);
}
END_TEST

static Suite *interval(void)
{
    Suite *s = suite_create("interval");
    TCase *t = tcase_create("intervals");
    tcase_add_loop_test(t, sets, 0, 50);
    tcase_add_loop_test(t, axes, 0, 100);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {interval};
    return cl_check_main(suites, 1);
}
