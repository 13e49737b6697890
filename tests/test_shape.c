/* SPDX-License-Identifier: BSD-3-Clause */
/* Shapes and boxes: counts, overflow, broadcasting, texts, intersections. */
#include "base/shape.h"

#include <stdio.h>
#include <string.h>

#include "check_main.h"

#define BIG INT64_C(4611686018427387904) /* 2^62 */

static const struct {
    cl_shape shape;
    bool ok;
    int64_t count;
    const char *text;
} shapes[] = {
    {{0, {0}}, true, 1, "()"},
    {{1, {5}}, true, 5, "(5,)"},
    {{2, {3, 4}}, true, 12, "(3, 4)"},
    {{3, {3, 0, 4}}, true, 0, "(3, 0, 4)"},
    {{2, {BIG, 2}}, false, 0, "(4611686018427387904, 2)"},
    {{3, {BIG, BIG, 0}}, true, 0, "(4611686018427387904, 4611686018427387904, 0)"},
    {{2, {BIG, 1}}, true, BIG, "(4611686018427387904, 1)"},
    {{2, {CL_UNKNOWN, 3}}, false, 0, "(?, 3)"},
    {{2, {CL_UNKNOWN, 0}}, false, 0, "(?, 0)"},
};

START_TEST(test_count_and_text)
{
    char text[128], cut[5];
    int64_t count = -7;
    const cl_shape *s = &shapes[_i].shape;
    ck_assert(cl_shape_count(s, &count) == shapes[_i].ok);
    ck_assert_int_eq(count, shapes[_i].ok ? shapes[_i].count : -7);
    ck_assert_str_eq(cl_shape_text(s, text, sizeof text), shapes[_i].text);
    cl_shape_text(s, cut, sizeof cut);
    ck_assert_int_eq(strncmp(cut, shapes[_i].text, sizeof cut - 1), 0);
    ck_assert_uint_le(strlen(cut), sizeof cut - 1);
}
END_TEST

static const struct {
    cl_shape a, b;
    bool ok;
    cl_shape out;
} broadcasts[] = {
    {{0, {0}}, {0, {0}}, true, {0, {0}}},
    {{0, {0}}, {2, {3, 4}}, true, {2, {3, 4}}},
    {{1, {4}}, {2, {3, 4}}, true, {2, {3, 4}}},
    {{2, {3, 1}}, {1, {4}}, true, {2, {3, 4}}},
    {{3, {2, 1, 5}}, {2, {7, 1}}, true, {3, {2, 7, 5}}},
    {{1, {3}}, {1, {4}}, false, {0, {0}}},
    {{1, {0}}, {1, {1}}, true, {1, {0}}},
    {{1, {0}}, {1, {2}}, false, {0, {0}}},
    {{2, {CL_UNKNOWN, 3}}, {1, {3}}, true, {2, {CL_UNKNOWN, 3}}},
    {{1, {CL_UNKNOWN}}, {1, {1}}, true, {1, {CL_UNKNOWN}}},
    {{1, {CL_UNKNOWN}}, {1, {CL_UNKNOWN}}, false, {0, {0}}}, /* not known to agree */
};

START_TEST(test_broadcast)
{
    for (int swap = 0; swap < 2; swap++) {
        const cl_shape *a = swap ? &broadcasts[_i].b : &broadcasts[_i].a;
        const cl_shape *b = swap ? &broadcasts[_i].a : &broadcasts[_i].b;
        cl_shape out;
        ck_assert(cl_shape_broadcast(a, b, &out) == broadcasts[_i].ok);
        if (broadcasts[_i].ok)
            ck_assert(cl_shape_equal(&out, &broadcasts[_i].out));
    }
}
END_TEST

START_TEST(test_equal)
{
    const int64_t dim[] = {3, 4};
    const cl_shape a = cl_shape_of(2, dim), b = cl_shape_of(1, dim);
    const cl_shape c = cl_shape_of(0, NULL);
    ck_assert(cl_shape_equal(&a, &a));
    ck_assert(!cl_shape_equal(&a, &b));
    ck_assert(!cl_shape_equal(&b, &c));
    ck_assert_int_eq(c.ndim, 0);
}
END_TEST

static const struct {
    cl_box a, b;
    bool ok;
    cl_box out;
} boxes[] = {
    {{0, {0}, {0}}, {0, {0}, {0}}, true, {0, {0}, {0}}},
    {{1, {0}, {5}}, {1, {3}, {5}}, true, {1, {3}, {2}}},
    {{1, {0}, {5}}, {1, {5}, {5}}, false, {1, {5}, {0}}},
    {{1, {0}, {5}}, {1, {2}, {0}}, false, {1, {2}, {0}}},
    {{2, {0, 2}, {4, 4}}, {2, {1, 0}, {2, 9}}, true, {2, {1, 2}, {2, 4}}},
    {{2, {0, 2}, {4, 4}}, {2, {1, 7}, {2, 9}}, false, {2, {1, 7}, {2, 0}}},
};

START_TEST(test_intersect)
{
    for (int swap = 0; swap < 2; swap++) {
        const cl_box *a = swap ? &boxes[_i].b : &boxes[_i].a;
        const cl_box *b = swap ? &boxes[_i].a : &boxes[_i].b;
        cl_box out;
        ck_assert(cl_box_intersect(a, b, &out) == boxes[_i].ok);
        ck_assert_int_eq(out.ndim, boxes[_i].out.ndim);
        for (int i = 0; i < out.ndim; i++) {
            ck_assert_int_eq(out.lo[i], boxes[_i].out.lo[i]);
            ck_assert_int_eq(out.n[i], boxes[_i].out.n[i]);
        }
    }
}
END_TEST

START_TEST(test_whole)
{
    const cl_shape s = {3, {2, 3, 4}}, empty = {2, {3, 0}}, scalar = {0, {0}};
    const cl_box b = cl_box_whole(&s), e = cl_box_whole(&empty),
                 o = cl_box_whole(&scalar);
    ck_assert_int_eq(cl_box_count(&b), 24);
    ck_assert_int_eq(cl_box_count(&e), 0);
    ck_assert_int_eq(cl_box_count(&o), 1);
    ck_assert(b.lo[0] == 0 && b.lo[2] == 0 && b.n[1] == 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("shape");
    TCase *t = tcase_create("shape");
    tcase_add_loop_test(t, test_count_and_text, 0, sizeof shapes / sizeof *shapes);
    tcase_add_loop_test(t, test_broadcast, 0, sizeof broadcasts / sizeof *broadcasts);
    tcase_add_test(t, test_equal);
    tcase_add_loop_test(t, test_intersect, 0, sizeof boxes / sizeof *boxes);
    tcase_add_test(t, test_whole);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
