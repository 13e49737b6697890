/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numeric grids: the golden tables of docs/numeric-grids.md. A change here changes bits
 * of results, so it is a decision and not a repair.
 */
#include "check_main.h"
#include "graph/grid.h"

enum { MIB = 1 << 20 };

/* size: of the tiles along each axis */
static const struct {
    int ndim;
    int64_t shape[4];
    size_t element;
    int64_t size[4];
} default_case[] = {
    {1, {100000000}, 8, {523584}},
    {1, {1000}, 8, {1000}},
    {2, {16384, 16384}, 8, {704, 704}},
    {2, {16384, 16384}, 4, {1024, 1024}},
    {2, {1000, 1000}, 8, {512, 512}},
    {2, {2000000, 200}, 8, {2560, 200}},
    {2, {100, 10000000}, 8, {100, 5184}},
    {2, {16384, 16384}, 1, {2048, 2048}},
    {3, {10000, 180, 360}, 4, {16, 180, 360}},
    {3, {1000, 1000, 1000}, 8, {2, 512, 512}},
    {2, {0, 5}, 8, {1, 5}},
};

START_TEST(default_tiles)
{
    cl_shape shape = cl_shape_of(default_case[_i].ndim, default_case[_i].shape);
    const cl_grid g = cl_grid_default(&shape, default_case[_i].element, 4 * MIB);
    for (int a = 0; a < g.ndim; a++) {
        ck_assert_int_eq(g.axis[a].n, shape.dim[a]);
        ck_assert_int_eq(g.axis[a].size, default_case[_i].size[a]);
    }
}
END_TEST

/* Whole rows, as long as 32 of them are a tile. */
static const struct {
    int ndim;
    int64_t shape[4];
    size_t element;
    int64_t size[4];
} rows_case[] = {
    {1, {100000000}, 8, {523584}},
    {2, {16384, 16384}, 8, {32, 16384}},
    {2, {16384, 16384}, 4, {64, 16384}},
    {2, {16384, 16384}, 1, {256, 16384}},
    {2, {5120, 5120}, 8, {64, 5120}},
    {2, {40000, 40000}, 8, {39, 13376}},
    {2, {1000, 1000}, 8, {512, 1000}},
    {2, {2000000, 200}, 8, {2560, 200}},
    {2, {100, 10000000}, 8, {32, 16384}},
    {3, {10000, 180, 360}, 4, {16, 180, 360}},
    {3, {1000, 1000, 1000}, 8, {1, 512, 1000}},
    {2, {0, 5}, 8, {1, 5}},
};

START_TEST(tiles_of_rows)
{
    cl_shape shape = cl_shape_of(rows_case[_i].ndim, rows_case[_i].shape);
    const cl_grid g = cl_grid_rows(&shape, rows_case[_i].element, 4 * MIB);
    for (int a = 0; a < g.ndim; a++) {
        ck_assert_int_eq(g.axis[a].n, shape.dim[a]);
        ck_assert_int_eq(g.axis[a].size, rows_case[_i].size[a]);
    }
}
END_TEST

static const struct {
    int ndim;
    int64_t shape[4], chunk[4];
    bool is_filtered;
    size_t element;
    int64_t size[4];
} storage_case[] = {
    {2, {16384, 16384}, {1024, 1024}, false, 8, {1024, 1024}},
    {2, {16384, 16384}, {1024, 1024}, false, 4, {1024, 1024}},
    {2, {16384, 16384}, {256, 256}, true, 8, {512, 512}},
    {2, {16384, 16384}, {128, 256}, true, 8, {512, 512}},
    {2, {16384, 16384}, {16384, 64}, false, 8, {16384, 64}},
    {2, {16384, 16384}, {4096, 4096}, false, 8, {1024, 1024}},
    {2, {16384, 16384}, {4096, 4096}, true, 8, {4096, 4096}},
    {2, {2000000, 200}, {10000, 200}, false, 8, {5000, 200}},
    {3, {20000, 180, 360}, {1, 180, 360}, true, 4, {16, 180, 360}},
    {3, {10000, 720, 1440}, {100, 64, 64}, true, 4, {100, 64, 128}},
    {1, {100000000}, {1000}, true, 8, {512000}},
    {2, {300, 300}, {100, 100}, true, 8, {300, 300}},
    {2, {0, 300}, {100, 100}, true, 8, {100, 100}},
};

START_TEST(storage_tiles)
{
    cl_arena arena = {0};
    cl_grid g;
    const cl_shape shape = cl_shape_of(storage_case[_i].ndim, storage_case[_i].shape);
    ck_assert_int_eq(cl_grid_storage(&arena, &shape, storage_case[_i].chunk,
                                     storage_case[_i].is_filtered,
                                     storage_case[_i].element, 4 * MIB, &g),
                     CLAST_OK);
    for (int a = 0; a < g.ndim; a++) {
        ck_assert_int_eq(g.axis[a].n, shape.dim[a]);
        ck_assert_ptr_null(g.axis[a].cuts);
        ck_assert_int_eq(g.axis[a].size, storage_case[_i].size[a]);
    }
    cl_arena_fini(&arena);
}
END_TEST

/* Every grid that fits: 2 to 8 MiB, or one tile, or nothing left to cut or merge. */
START_TEST(fitted_tiles_are_in_bounds)
{
    static const int64_t sides[] = {1, 7, 64, 1000, 4097, 100003};
    cl_arena arena = {0};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            for (int64_t size = 1; size <= 2048; size = 3 * size + 1) {
                cl_grid g = {.ndim = 2};
                g.axis[0] = cl_axis_regular(sides[i], size);
                g.axis[1] = cl_axis_regular(sides[j], 2 * size);
                ck_assert_int_eq(cl_grid_fit(&arena, &g, 8, 4 * MIB), CLAST_OK);
                const int64_t bytes = 8 * cl_grid_largest(&g);
                ck_assert_int_le(bytes, 8 * MIB);
                ck_assert(bytes >= 2 * MIB || cl_grid_tiles(&g) == 1);
                ck_assert_int_eq(g.axis[0].n, sides[i]);
                ck_assert_int_eq(cl_axis_hi(&g.axis[1], g.axis[1].count - 1), sides[j]);
            }
    cl_arena_fini(&arena);
}
END_TEST

/* Two indices are in one part of the projection iff their images are in one part. */
START_TEST(projection_follows_the_map)
{
    static const int64_t cuts[] = {0, 3, 4, 9, 17, 20};
    const cl_axis axes[2] = {{.n = 20, .count = 5, .cuts = cuts},
                             cl_axis_regular(20, 6)};
    cl_arena arena = {0};
    for (int which = 0; which < 2; which++)
        for (int64_t step = -4; step <= 4; step++)
            for (int64_t off = 0; off < 20 && step != 0; off++) {
                const int64_t room = step > 0 ? (19 - off) / step : off / -step;
                const int64_t n = room + 1;
                cl_axis out;
                ck_assert_int_eq(
                    cl_axis_project(&arena, &axes[which], off, step, n, &out),
                    CLAST_OK);
                ck_assert_int_eq(out.n, n);
                for (int64_t i = 1; i < n; i++) {
                    const bool same =
                        cl_axis_find(&out, i) == cl_axis_find(&out, i - 1);
                    const bool image = cl_axis_find(&axes[which], off + step * i) ==
                                       cl_axis_find(&axes[which], off + step * (i - 1));
                    ck_assert_int_eq(same, image);
                }
            }
    cl_arena_fini(&arena);
}
END_TEST

static Suite *suite(void)
{
    Suite *const s = suite_create("grid_rule");
    TCase *const t = tcase_create("golden");
    tcase_add_loop_test(t, tiles_of_rows, 0,
                        (int)(sizeof rows_case / sizeof *rows_case));
    tcase_add_loop_test(t, default_tiles, 0,
                        sizeof default_case / sizeof default_case[0]);
    tcase_add_loop_test(t, storage_tiles, 0,
                        sizeof storage_case / sizeof storage_case[0]);
    tcase_add_test(t, fitted_tiles_are_in_bounds);
    tcase_add_test(t, projection_follows_the_map);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
