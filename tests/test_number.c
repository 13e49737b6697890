/* SPDX-License-Identifier: BSD-3-Clause */
/* Python's numbers: the values are CPython's. */
#include "array/number.h"

#include <math.h>
#include <string.h>

#include "check_main.h"

#define B(v)                                                                           \
    {                                                                                  \
        .kind = CL_KIND_BOOL, .integer = (v)                                           \
    }
#define I(v)                                                                           \
    {                                                                                  \
        .kind = CL_KIND_INT, .integer = (v)                                            \
    }
#define F(v)                                                                           \
    {                                                                                  \
        .kind = CL_KIND_FLOAT, .number = {(v), 0 }                                     \
    }
#define C(x, y)                                                                        \
    {                                                                                  \
        .kind = CL_KIND_COMPLEX, .number = {(x), (y) }                                 \
    }
#define POWER(n) ((cl_wide)1 << (n))

static const struct {
    cl_op op;
    cl_number a, b, result;
} binary[] = {
    {CL_OP_ADD, B(1), B(1), I(2)},
    {CL_OP_ADD, I(INT64_MAX), I(1), I(POWER(63))},
    {CL_OP_SUB, I(INT64_MIN), I(INT64_MAX), I(1 - POWER(64))},
    {CL_OP_MUL, F(-0.5), I(3), F(-1.5)},
    {CL_OP_MUL, C(1, 2), C(3, -1), C(5, 5)},
    {CL_OP_DIV, I(7), I(2), F(3.5)},
    {CL_OP_DIV, I(0), I(-5), F(-0.0)},
    /* where both operands are rounded first, or the quotient twice, it is another
     * one */
    {CL_OP_DIV, I(INT64_C(9007199254740993)), I(3), F(3002399751580331.0)},
    {CL_OP_DIV, I(POWER(126) + 1), I(POWER(126)), F(1.0)},
    {CL_OP_DIV, I((POWER(54) + 2) * 1024 + 1), I(1024), F(0x1p54 + 4)},
    {CL_OP_DIV, I((POWER(54) + 2) * 1024), I(1024), F(0x1p54)},
    {CL_OP_DIV, I(1), I(3), F(1.0 / 3)},
    {CL_OP_DIV, C(1, 2), C(3, 4), C(0.44, 0.08)},
    {CL_OP_FLOORDIV, I(-7), I(2), I(-4)},
    {CL_OP_FLOORDIV, I(7), I(-1), I(-7)},
    {CL_OP_FLOORDIV, F(-7), F(2), F(-4)},
    {CL_OP_FLOORDIV, F(1), F(-INFINITY), F(-1)},
    {CL_OP_MOD, I(-7), I(3), I(2)},
    {CL_OP_MOD, I(7), I(-3), I(-2)},
    {CL_OP_MOD, F(-1), F(3), F(2)},
    {CL_OP_MOD, F(0), F(-3), F(-0.0)},
    {CL_OP_POW, I(2), I(-1), F(0.5)},
    {CL_OP_POW, I(-3), I(5), I(-243)},
    {CL_OP_POW, I(2), I(126), I(POWER(126))},
    {CL_OP_POW, I(-1), I(INT64_MAX), I(-1)},
    {CL_OP_POW, F(0), F(-INFINITY), F(INFINITY)},
    {CL_OP_POW, C(0, 1), I(2), C(-1, 0)},
    {CL_OP_POW, C(0, 2), I(-1), C(0, -0.5)},
    {CL_OP_POW, C(0, 0), I(0), C(1, 0)},
    /* exact, though neither fits the other's type */
    {CL_OP_EQ, I(INT64_C(9007199254740993)), F(9007199254740992.0), B(0)},
    {CL_OP_GT, I(INT64_C(9007199254740993)), F(9007199254740992.0), B(1)},
    {CL_OP_LT, F(INFINITY), I(POWER(126)), B(0)},
    {CL_OP_LT, F(-1e300), I(-POWER(126)), B(1)},
    {CL_OP_LE, I(1), F(NAN), B(0)},
    {CL_OP_NE, I(1), F(NAN), B(1)},
    {CL_OP_EQ, C(1, 0), B(1), B(1)},
    {CL_OP_AND, B(1), B(0), B(0)},
    {CL_OP_XOR, B(1), I(3), I(2)},
    {CL_OP_OR, I(-POWER(100)), I(1), I(1 - POWER(100))},
};

static void check_number(const cl_number *r, const cl_number *wanted)
{
    ck_assert_int_eq(r->kind, wanted->kind);
    ck_assert(r->kind >= CL_KIND_FLOAT || r->integer == wanted->integer);
    for (int i = 0; i < 2 && r->kind >= CL_KIND_FLOAT; i++) {
        ck_assert_double_eq(r->number[i], wanted->number[i]);
        ck_assert_int_eq(signbit(r->number[i]) != 0, signbit(wanted->number[i]) != 0);
    }
}

START_TEST(two_operands)
{
    const char *why = "nothing";
    cl_number r;
    ck_assert(cl_number_apply(binary[_i].op, &binary[_i].a, &binary[_i].b, &r, &why));
    ck_assert_ptr_null(why);
    check_number(&r, &binary[_i].result);
}
END_TEST

static const struct {
    cl_op op;
    cl_number a, result;
} unary[] = {
    {CL_OP_NEG, B(1), I(-1)},    {CL_OP_NEG, I(INT64_MIN), I(POWER(63))},
    {CL_OP_NEG, F(0), F(-0.0)},  {CL_OP_ABS, I(INT64_MIN), I(POWER(63))},
    {CL_OP_ABS, C(3, -4), F(5)}, {CL_OP_INVERT, B(1), I(-2)},
    {CL_OP_INVERT, I(-1), I(0)},
};

START_TEST(one_operand)
{
    const char *why = "nothing";
    cl_number r;
    ck_assert(cl_number_apply(unary[_i].op, &unary[_i].a, NULL, &r, &why));
    ck_assert_ptr_null(why);
    check_number(&r, &unary[_i].result);
}
END_TEST

/* why NULL: no operator of Python. */
static const struct {
    cl_op op;
    cl_number a, b;
    const char *why;
} refused[] = {
    {CL_OP_DIV, I(1), B(0), "division by zero"},
    {CL_OP_FLOORDIV, F(1), I(0), "division by zero"},
    {CL_OP_MOD, I(1), I(0), "division by zero"},
    {CL_OP_DIV, C(1, 1), C(0, 0), "division by zero"},
    {CL_OP_POW, I(0), I(-1), "division by zero"},
    {CL_OP_POW, C(0, 0), C(0, 1), "division by zero"},
    {CL_OP_POW, I(2), I(127), "too large"},
    {CL_OP_POW, F(10), F(400), "out of the range"},
    {CL_OP_POW, C(1e200, 1), I(2), "out of the range"},
    {CL_OP_ADD, I(POWER(126)), I(POWER(126)), "too large"},
    {CL_OP_MUL, I(POWER(64)), I(POWER(64)), "too large"},
    {CL_OP_FLOORDIV, I(-POWER(126) - POWER(126)), I(-1), "too large"},
    {CL_OP_LT, C(1, 0), I(1), NULL},
    {CL_OP_FLOORDIV, C(1, 0), I(1), NULL},
    {CL_OP_AND, F(1), I(1), NULL},
    {CL_OP_SIN, F(1), F(1), NULL},
};

START_TEST(what_python_refuses)
{
    const char *why;
    cl_number r;
    const bool is_python =
        cl_number_apply(refused[_i].op, &refused[_i].a, &refused[_i].b, &r, &why);
    ck_assert_int_eq(is_python, refused[_i].why != NULL);
    if (is_python) {
        ck_assert_ptr_nonnull(why);
        ck_assert_msg(strstr(why, refused[_i].why) != NULL, "%s", why);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("number");
    TCase *t = tcase_create("python");
    tcase_add_loop_test(t, two_operands, 0, sizeof binary / sizeof *binary);
    tcase_add_loop_test(t, one_operand, 0, sizeof unary / sizeof *unary);
    tcase_add_loop_test(t, what_python_refuses, 0, sizeof refused / sizeof *refused);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
