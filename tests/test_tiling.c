/* SPDX-License-Identifier: BSD-3-Clause */
/* Grids: parts partition their axis, tiles partition the array, numbering is C order.
 */
#include "base/shape.h"

#include "check_main.h"

static const int64_t uneven[] = {0, 3, 4, 10}, even[] = {0, 4, 8, 10};

static const struct {
    cl_axis axis;
    int64_t largest;
} axes[] = {
    {{.n = 10, .size = 4, .count = 3}, 4},
    {{.n = 10, .size = 10, .count = 1}, 10},
    {{.n = 10, .size = 1, .count = 10}, 1},
    {{.n = 1, .size = 1, .count = 1}, 1},
    {{.n = 10, .count = 3, .cuts = uneven}, 6},
    {{.n = 10, .count = 3, .cuts = even}, 4},
    {{.n = 0, .size = 1, .count = 0}, 0},
};

START_TEST(test_parts_partition)
{
    const cl_axis *a = &axes[_i].axis;
    int64_t at = 0;
    for (int64_t p = 0; p < a->count; p++) {
        ck_assert_int_eq(cl_axis_lo(a, p), at);
        ck_assert_int_gt(cl_axis_hi(a, p), at);
        for (; at < cl_axis_hi(a, p); at++)
            ck_assert_int_eq(cl_axis_find(a, at), p);
    }
    ck_assert_int_eq(at, a->n);
    const cl_grid g = {1, {*a}};
    ck_assert_int_eq(cl_grid_largest(&g), axes[_i].largest);
    ck_assert_int_eq(cl_grid_tiles(&g), a->count);
}
END_TEST

static const struct {
    int64_t n, size, count, settled;
} regular[] = {
    {10, 4, 3, 4},  {12, 4, 3, 4},
    {10, 0, 1, 10}, {10, 99, 1, 10},
    {0, 5, 0, 5},   {0, 0, 0, 1},
    {1, 1, 1, 1},   {INT64_MAX, INT64_C(1) << 40, 8388608, 1099511627776},
};

START_TEST(test_regular)
{
    const cl_axis a = cl_axis_regular(regular[_i].n, regular[_i].size);
    ck_assert_int_eq(a.n, regular[_i].n);
    ck_assert_int_eq(a.count, regular[_i].count);
    ck_assert_int_eq(a.size, regular[_i].settled);
    if (a.count > 0)
        ck_assert_int_eq(cl_axis_hi(&a, a.count - 1), a.n);
}
END_TEST

static cl_grid sample(void)
{
    return (cl_grid){3, {axes[4].axis, axes[0].axis, cl_axis_regular(3, 2)}};
}

START_TEST(test_tiles_partition)
{
    static int seen[10][10][3];
    const cl_grid g = sample();
    int64_t previous[3] = {-1, -1, -1};
    ck_assert_int_eq(cl_grid_tiles(&g), 18);
    ck_assert_int_eq(cl_grid_largest(&g), 6 * 4 * 2);
    for (int64_t t = 0; t < 18; t++) {
        int64_t c[3];
        cl_grid_coords(&g, t, c);
        ck_assert_int_eq(cl_grid_tile(&g, c), t);
        ck_assert(c[0] > previous[0] || (c[0] == previous[0] && c[1] > previous[1]) ||
                  (c[0] == previous[0] && c[1] == previous[1] && c[2] > previous[2]));
        const cl_box b = cl_grid_box(&g, t);
        for (int64_t i = b.lo[0]; i < b.lo[0] + b.n[0]; i++)
            for (int64_t j = b.lo[1]; j < b.lo[1] + b.n[1]; j++)
                for (int64_t k = b.lo[2]; k < b.lo[2] + b.n[2]; k++)
                    seen[i][j][k]++;
        for (int a = 0; a < 3; a++)
            previous[a] = c[a];
    }
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(seen[i / 30][i / 3 % 10][i % 3], 1);
}
END_TEST

START_TEST(test_single)
{
    const cl_shape s = {3, {5, 1, 7}}, scalar = {0, {0}}, empty = {2, {3, 0}};
    const cl_grid g = cl_grid_single(&s), o = cl_grid_single(&scalar),
                  e = cl_grid_single(&empty);
    const cl_shape back = cl_grid_shape(&g);
    ck_assert_int_eq(cl_grid_tiles(&g), 1);
    ck_assert_int_eq(cl_grid_largest(&g), 35);
    ck_assert(cl_shape_equal(&back, &s));
    ck_assert_int_eq(cl_grid_tiles(&o), 1);
    ck_assert_int_eq(cl_grid_largest(&o), 1);
    ck_assert_int_eq(cl_grid_box(&o, 0).ndim, 0);
    ck_assert_int_eq(cl_grid_tiles(&e), 0);
    ck_assert_int_eq(cl_grid_largest(&e), 0);
}
END_TEST

START_TEST(test_equal)
{
    const cl_grid a = sample();
    cl_grid b = a;
    ck_assert(cl_grid_equal(&a, &b));
    b.axis[1] = axes[5].axis; /* the same parts as axes[0], written as cuts */
    ck_assert(cl_grid_equal(&a, &b));
    ck_assert(cl_grid_equal(&b, &a));
    b.axis[1] = axes[4].axis;
    ck_assert(!cl_grid_equal(&a, &b));
    b.axis[1] = cl_axis_regular(10, 3);
    ck_assert(!cl_grid_equal(&a, &b));
    b.axis[1] = cl_axis_regular(11, 4);
    ck_assert(!cl_grid_equal(&a, &b));
    b = a;
    b.ndim = 2;
    ck_assert(!cl_grid_equal(&a, &b));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("grid");
    TCase *t = tcase_create("grid");
    tcase_add_loop_test(t, test_parts_partition, 0, sizeof axes / sizeof *axes);
    tcase_add_loop_test(t, test_regular, 0, sizeof regular / sizeof *regular);
    tcase_add_test(t, test_tiles_partition);
    tcase_add_test(t, test_single);
    tcase_add_test(t, test_equal);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
