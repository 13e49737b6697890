/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Python's arithmetic on Python's numbers: True + True is 2, 7 / 2 is 3.5, 2 ** -1 is
 * 0.5, -7 // 2 is -4, (-8.0) ** 0.5 is complex.
 *
 * bool and int are exact: 128 bits, and what does not fit is an error, never a wrapped
 * number. int / int is the quotient rounded once, int and float compare exactly, as in
 * Python; what it raises an exception for (division by zero, a power out of range) is
 * an error here. The operand of lower kind is converted first, then one table row per
 * operator has a function for each kind. Rows without one (complex order, // of
 * complex, & of floats) are no Python.
 */
#include "array/number.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* What is wrong, or NULL. */
typedef const char *unary_fn(const cl_number *a, cl_number *r);
typedef const char *binary_fn(const cl_number *a, const cl_number *b, cl_number *r);

typedef struct {
    unary_fn *integer, *real, *complex_;
} unary_row;

typedef struct {
    binary_fn *integer, *real, *complex_;
} binary_row;

__extension__ typedef unsigned __int128 unsigned_wide;

static const cl_wide most = (cl_wide)(~(unsigned_wide)0 >> 1);
static const char too_large[] =
    "the integer is too large: int64 ends at 9223372036854775807";
static const char by_zero[] = "division by zero";
static const char out_of_range[] = "the power is out of the range of float64";

cl_number cl_number_bool(bool v)
{
    return (cl_number){.kind = CL_KIND_BOOL, .integer = v};
}

cl_number cl_number_int(cl_wide v)
{
    return (cl_number){.kind = CL_KIND_INT, .integer = v};
}

cl_number cl_number_float(double v)
{
    return (cl_number){.kind = CL_KIND_FLOAT, .number = {v, 0}};
}

cl_number cl_number_complex(double re, double im)
{
    return (cl_number){.kind = CL_KIND_COMPLEX, .number = {re, im}};
}

cl_number cl_number_as(const cl_number *v, cl_kind kind)
{
    cl_number r = *v;
    if (kind >= CL_KIND_FLOAT && v->kind < CL_KIND_FLOAT)
        r.number[0] = (double)v->integer;
    if (kind == CL_KIND_COMPLEX && v->kind < CL_KIND_COMPLEX)
        r.number[1] = 0;
    r.kind = kind;
    return r;
}

static const char *set_bool(cl_number *r, bool v)
{
    *r = cl_number_bool(v);
    return NULL;
}

static const char *set_int(cl_number *r, cl_wide v)
{
    *r = cl_number_int(v);
    return NULL;
}

static const char *set_float(cl_number *r, double v)
{
    *r = cl_number_float(v);
    return NULL;
}

static const char *set_complex(cl_number *r, double re, double im)
{
    *r = cl_number_complex(re, im);
    return NULL;
}

/* ---- + - * */

#define EXACT(name)                                                                    \
    static const char *name##_int(const cl_number *a, const cl_number *b,              \
                                  cl_number *r)                                        \
    {                                                                                  \
        cl_wide v = 0;                                                                 \
        return __builtin_##name##_overflow(a->integer, b->integer, &v)                 \
                   ? too_large                                                         \
                   : set_int(r, v);                                                    \
    }
EXACT(add)
EXACT(sub)
EXACT(mul)
#undef EXACT

static const char *add_float(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_float(r, a->number[0] + b->number[0]);
}

static const char *sub_float(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_float(r, a->number[0] - b->number[0]);
}

static const char *mul_float(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_float(r, a->number[0] * b->number[0]);
}

static const char *add_complex(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_complex(r, a->number[0] + b->number[0], a->number[1] + b->number[1]);
}

static const char *sub_complex(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_complex(r, a->number[0] - b->number[0], a->number[1] - b->number[1]);
}

static const char *mul_complex(const cl_number *a, const cl_number *b, cl_number *r)
{
    const double *x = a->number, *y = b->number;
    return set_complex(r, x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]);
}

/* ---- / // % */

static unsigned_wide magnitude(cl_wide v)
{
    return v < 0 ? -(unsigned_wide)v : (unsigned_wide)v;
}

/* The quotient rounded once: its first 64 bits, with the last one set where anything
 * was cut off, round to a double as the quotient itself does. */
static const char *div_int(const cl_number *a, const cl_number *b, cl_number *r)
{
    if (b->integer == 0)
        return by_zero;
    const unsigned_wide y = magnitude(b->integer);
    unsigned_wide q = magnitude(a->integer) / y, rest = magnitude(a->integer) % y;
    int exponent = 0;
    bool is_cut = false;
    for (; rest != 0 && q >> 63 == 0; exponent--) {
        /* rest < y <= 2**127 */
        rest <<= 1;
        q = q << 1 | (rest >= y);
        rest -= rest >= y ? y : 0;
    }
    for (; q >> 64 != 0; exponent++) {
        is_cut |= q & 1;
        q >>= 1;
    }
    const double v = ldexp((double)((uint64_t)q | (is_cut || rest != 0)), exponent);
    return set_float(r, (a->integer < 0) != (b->integer < 0) ? -v : v);
}

static const char *div_float(const cl_number *a, const cl_number *b, cl_number *r)
{
    return b->number[0] == 0 ? by_zero : set_float(r, a->number[0] / b->number[0]);
}

/* Smith, Algorithm 116 (CACM 5, 1962), as Python divides. */
static const char *div_complex(const cl_number *a, const cl_number *b, cl_number *r)
{
    const double *x = a->number, *y = b->number;
    if (y[0] == 0 && y[1] == 0)
        return by_zero;
    if (fabs(y[0]) >= fabs(y[1])) {
        const double ratio = y[1] / y[0], scale = y[0] + y[1] * ratio;
        return set_complex(r, (x[0] + x[1] * ratio) / scale,
                           (x[1] - x[0] * ratio) / scale);
    }
    const double ratio = y[0] / y[1], scale = y[0] * ratio + y[1];
    return set_complex(r, (x[0] * ratio + x[1]) / scale, (x[1] * ratio - x[0]) / scale);
}

static const char *floordiv_int(const cl_number *a, const cl_number *b, cl_number *r)
{
    const cl_wide x = a->integer, y = b->integer;
    if (y == 0)
        return by_zero;
    if (y == -1) /* the one divisor with which / may overflow */
        return x < -most ? too_large : set_int(r, -x);
    return set_int(r, x / y - (x % y != 0 && (x < 0) != (y < 0)));
}

static const char *mod_int(const cl_number *a, const cl_number *b, cl_number *r)
{
    const cl_wide y = b->integer;
    if (y == 0)
        return by_zero;
    const cl_wide rest = y == -1 ? 0 : a->integer % y;
    return set_int(r, rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest);
}

/* float_divmod() of CPython: the rest has the sign of b, and quotient * b + rest is a.
 * */
static void divmod(double a, double b, double *quotient, double *rest)
{
    double r = fmod(a, b);
    double q = (a - r) / b;
    if (r == 0) {
        r = copysign(0.0, b);
    } else if ((b < 0) != (r < 0)) {
        r += b;
        q -= 1;
    }
    if (q != 0) {
        const double down = floor(q);
        q = q - down > 0.5 ? down + 1 : down;
    } else {
        q = copysign(0.0, a / b);
    }
    *quotient = q;
    *rest = r;
}

static const char *floordiv_float(const cl_number *a, const cl_number *b, cl_number *r)
{
    double quotient, rest;
    if (b->number[0] == 0)
        return by_zero;
    divmod(a->number[0], b->number[0], &quotient, &rest);
    return set_float(r, quotient);
}

static const char *mod_float(const cl_number *a, const cl_number *b, cl_number *r)
{
    double quotient, rest;
    if (b->number[0] == 0)
        return by_zero;
    divmod(a->number[0], b->number[0], &quotient, &rest);
    return set_float(r, rest);
}

/* ---- ** */

static const char *pow_squaring(const cl_number *a, int exponent, cl_number *r)
{
    const cl_number one = cl_number_complex(1, 0);
    cl_number v = one, square = *a;
    for (int n = abs(exponent); n > 0; n >>= 1) {
        if (n & 1)
            mul_complex(&v, &square, &v);
        mul_complex(&square, &square, &square);
    }
    *r = v;
    return exponent > 0 ? NULL : div_complex(&one, &v, r);
}

static const char *pow_polar(const double *x, const double *y, cl_number *r)
{
    const double modulus = hypot(x[0], x[1]), angle = atan2(x[1], x[0]);
    double length = pow(modulus, y[0]), phase = angle * y[0];
    if (y[1] != 0) {
        length *= exp(-angle * y[1]);
        phase += y[1] * log(modulus);
    }
    return set_complex(r, length * cos(phase), length * sin(phase));
}

/* Small whole exponents by squaring, as CPython. Of infinities it may be NaN where
 * Python raises OverflowError. */
static const char *pow_complex(const cl_number *a, const cl_number *b, cl_number *r)
{
    const double *x = a->number, *y = b->number;
    if (y[0] == 0 && y[1] == 0)
        return set_complex(r, 1, 0);
    if (x[0] == 0 && x[1] == 0)
        return y[1] != 0 || y[0] < 0 ? by_zero : set_complex(r, 0, 0);
    const bool is_whole = y[1] == 0 && y[0] == floor(y[0]) && fabs(y[0]) <= 100;
    const char *why = is_whole ? pow_squaring(a, (int)y[0], r) : pow_polar(x, y, r);
    if (why)
        return why;
    return isinf(r->number[0]) || isinf(r->number[1]) ? out_of_range : NULL;
}

static const char *pow_float(const cl_number *a, const cl_number *b, cl_number *r)
{
    const double base = a->number[0], exponent = b->number[0];
    const bool is_finite = isfinite(base) && isfinite(exponent);
    if (is_finite && base == 0 && exponent < 0)
        return by_zero;
    if (is_finite && base < 0 && exponent != floor(exponent)) {
        const cl_number x = cl_number_complex(base, 0);
        const cl_number y = cl_number_complex(exponent, 0);
        return pow_complex(&x, &y, r);
    }
    const double v = pow(base, exponent);
    return is_finite && isinf(v) ? out_of_range : set_float(r, v);
}

static const char *pow_int(const cl_number *a, const cl_number *b, cl_number *r)
{
    if (b->integer < 0) {
        const cl_number x = cl_number_as(a, CL_KIND_FLOAT);
        const cl_number y = cl_number_as(b, CL_KIND_FLOAT);
        return pow_float(&x, &y, r);
    }
    cl_wide v = 1, square = a->integer;
    for (cl_wide n = b->integer; n > 0;) {
        if ((n & 1) != 0 && __builtin_mul_overflow(v, square, &v))
            return too_large;
        n >>= 1;
        if (n > 0 && __builtin_mul_overflow(square, square, &square))
            return too_large;
    }
    return set_int(r, v);
}

/* ---- comparisons */

/* The sign of i - f without rounding i; f is not NaN. */
static int order_mixed(cl_wide i, double f)
{
    if (f >= 0x1p127)
        return -1;
    if (f < -0x1p127)
        return 1;
    const cl_wide whole = (cl_wide)f;
    if (i != whole)
        return i < whole ? -1 : 1;
    const double rest = f - (double)whole;
    return (rest < 0) - (rest > 0);
}

/* An integer against a float: both are replaced by numbers that compare the same. */
static void make_comparable(cl_number *a, cl_number *b)
{
    const bool is_a_int = a->kind < CL_KIND_FLOAT;
    const double f = is_a_int ? b->number[0] : a->number[0];
    const int order = isnan(f) ? 0 : order_mixed(is_a_int ? a->integer : b->integer, f);
    *a = cl_number_float(isnan(f) ? f : is_a_int ? order : -order);
    *b = cl_number_float(0);
}

#define COMPARE(name, op)                                                              \
    static const char *name##_int(const cl_number *a, const cl_number *b,              \
                                  cl_number *r)                                        \
    {                                                                                  \
        return set_bool(r, a->integer op b->integer);                                  \
    }                                                                                  \
    static const char *name##_float(const cl_number *a, const cl_number *b,            \
                                    cl_number *r)                                      \
    {                                                                                  \
        return set_bool(r, a->number[0] op b->number[0]);                              \
    }
COMPARE(eq, ==)
COMPARE(ne, !=)
COMPARE(lt, <)
COMPARE(le, <=)
COMPARE(gt, >)
COMPARE(ge, >=)
#undef COMPARE

static const char *eq_complex(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_bool(r, a->number[0] == b->number[0] && a->number[1] == b->number[1]);
}

static const char *ne_complex(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_bool(r, a->number[0] != b->number[0] || a->number[1] != b->number[1]);
}

/* ---- & | ^: of two bools a bool, otherwise an integer */

static const char *set_bits(const cl_number *a, const cl_number *b, cl_wide v,
                            cl_number *r)
{
    return a->kind == CL_KIND_BOOL && b->kind == CL_KIND_BOOL ? set_bool(r, v != 0)
                                                              : set_int(r, v);
}

static const char *and_int(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_bits(a, b, a->integer & b->integer, r);
}

static const char *or_int(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_bits(a, b, a->integer | b->integer, r);
}

static const char *xor_int(const cl_number *a, const cl_number *b, cl_number *r)
{
    return set_bits(a, b, a->integer ^ b->integer, r);
}

/* ---- one operand */

static const char *neg_int(const cl_number *a, cl_number *r)
{
    return a->integer < -most ? too_large : set_int(r, -a->integer);
}

static const char *neg_float(const cl_number *a, cl_number *r)
{
    return set_float(r, -a->number[0]);
}

static const char *neg_complex(const cl_number *a, cl_number *r)
{
    return set_complex(r, -a->number[0], -a->number[1]);
}

static const char *abs_int(const cl_number *a, cl_number *r)
{
    return a->integer < 0 ? neg_int(a, r) : set_int(r, a->integer);
}

static const char *abs_float(const cl_number *a, cl_number *r)
{
    return set_float(r, fabs(a->number[0]));
}

static const char *abs_complex(const cl_number *a, cl_number *r)
{
    return set_float(r, hypot(a->number[0], a->number[1]));
}

static const char *invert_int(const cl_number *a, cl_number *r)
{
    return set_int(r, ~a->integer);
}

static const unary_row unary[CL_NELEMENTWISE] = {
    [CL_OP_NEG] = {neg_int, neg_float, neg_complex},
    [CL_OP_ABS] = {abs_int, abs_float, abs_complex},
    [CL_OP_INVERT] = {invert_int, NULL, NULL},
};

static const binary_row binary[CL_NELEMENTWISE] = {
    [CL_OP_ADD] = {add_int, add_float, add_complex},
    [CL_OP_SUB] = {sub_int, sub_float, sub_complex},
    [CL_OP_MUL] = {mul_int, mul_float, mul_complex},
    [CL_OP_DIV] = {div_int, div_float, div_complex},
    [CL_OP_FLOORDIV] = {floordiv_int, floordiv_float, NULL},
    [CL_OP_MOD] = {mod_int, mod_float, NULL},
    [CL_OP_POW] = {pow_int, pow_float, pow_complex},
    [CL_OP_EQ] = {eq_int, eq_float, eq_complex},
    [CL_OP_NE] = {ne_int, ne_float, ne_complex},
    [CL_OP_LT] = {lt_int, lt_float, NULL},
    [CL_OP_LE] = {le_int, le_float, NULL},
    [CL_OP_GT] = {gt_int, gt_float, NULL},
    [CL_OP_GE] = {ge_int, ge_float, NULL},
    [CL_OP_AND] = {and_int, NULL, NULL},
    [CL_OP_OR] = {or_int, NULL, NULL},
    [CL_OP_XOR] = {xor_int, NULL, NULL},
};

static bool apply_unary(cl_op op, const cl_number *a, cl_number *r, const char **why)
{
    const unary_row *row = &unary[op];
    unary_fn *fn = a->kind == CL_KIND_COMPLEX ? row->complex_
                   : a->kind == CL_KIND_FLOAT ? row->real
                                              : row->integer;
    if (fn)
        *why = fn(a, r);
    return fn != NULL;
}

bool cl_number_apply(cl_op op, const cl_number *a, const cl_number *b, cl_number *r,
                     const char **why)
{
    *why = NULL;
    if (op >= CL_NELEMENTWISE)
        return false;
    if (!b)
        return apply_unary(op, a, r, why);
    const cl_kind kind = a->kind > b->kind ? a->kind : b->kind;
    const binary_row *row = &binary[op];
    binary_fn *fn = kind == CL_KIND_COMPLEX ? row->complex_
                    : kind == CL_KIND_FLOAT ? row->real
                                            : row->integer;
    if (!fn)
        return false;
    cl_number x = *a, y = *b;
    if (cl_ops[op].rule == CL_RULE_ORDER && kind == CL_KIND_FLOAT && a->kind != b->kind)
        make_comparable(&x, &y);
    if (kind >= CL_KIND_FLOAT) {
        x = cl_number_as(&x, kind);
        y = cl_number_as(&y, kind);
    }
    *why = fn(&x, &y, r);
    return true;
}
