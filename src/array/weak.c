/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operators on weak scalars alone, as Python computes them on its numbers: True + True
 * is 2, 7 / 2 is 3.5, 2 ** -1 is 0.5, -7 // 2 is -4, (-8.0) ** 0.5 is complex.
 *
 * Integers here have 64 bits; where Python's would be longer, the result is
 * CLAST_EVALUE instead of a wrapped number. Division by zero and float powers that
 * overflow are errors, as in Python. Operators that Python does not have for these
 * kinds (complex order, `//` of complex, `&` of floats) are left to the elementwise
 * rules, which refuse them with the array's message.
 */
#include "array/make.h"

#include <math.h>
#include <string.h>

typedef struct {
    cl_kind kind;
    int64_t i;   /* BOOL, INT */
    double f;    /* FLOAT */
    double c[2]; /* COMPLEX */
} number;

/* Fills *r; false: an error was noted. */
typedef bool apply_fn(cl_make *m, const number *a, const number *b, number *r);

typedef struct {
    apply_fn *integer, *real, *complex_; /* NULL: not Python's */
} operator_row;

static number number_of(const cl_node *node)
{
    number v = {.kind = cl_node_weak_kind(node)};
    const cl_scalar s = node->params.imm[0];
    switch (v.kind) {
    case CL_KIND_BOOL:
        v.i = s.b;
        break;
    case CL_KIND_FLOAT:
        v.f = s.f64;
        break;
    case CL_KIND_COMPLEX:
        memcpy(v.c, s.c128, sizeof v.c);
        break;
    default:
        v.i = s.i64;
        break;
    }
    return v;
}

static number raised(number v, cl_kind kind)
{
    if (kind >= CL_KIND_FLOAT && v.kind < CL_KIND_FLOAT)
        v.f = (double)v.i;
    if (kind == CL_KIND_COMPLEX && v.kind < CL_KIND_COMPLEX)
        v.c[0] = v.f;
    v.kind = kind;
    return v;
}

static cl_node_id node_of(cl_make *m, const number *v)
{
    cl_scalar s;
    memset(&s, 0, sizeof s);
    if (v->kind == CL_KIND_BOOL)
        s.b = v->i != 0;
    else if (v->kind == CL_KIND_FLOAT)
        s.f64 = v->f;
    else if (v->kind == CL_KIND_COMPLEX)
        memcpy(s.c128, v->c, sizeof s.c128);
    else
        s.i64 = v->i;
    return cl_node_weak(m, v->kind, s);
}

static bool fail(cl_make *m, const char *what)
{
    cl_make_fail(m, CLAST_EVALUE, "%s", what);
    return false;
}

static const char too_long[] = "the integer result does not fit into 64 bits";
static const char by_zero[] = "division by zero";

static bool set_int(number *r, int64_t v)
{
    *r = (number){.kind = CL_KIND_INT, .i = v};
    return true;
}

static bool set_bool(number *r, bool v)
{
    *r = (number){.kind = CL_KIND_BOOL, .i = v};
    return true;
}

static bool set_float(number *r, double v)
{
    *r = (number){.kind = CL_KIND_FLOAT, .f = v};
    return true;
}

static bool set_complex(number *r, double re, double im)
{
    *r = (number){.kind = CL_KIND_COMPLEX, .c = {re, im}};
    return true;
}

/* ---- + - * */

static bool add_int(cl_make *m, const number *a, const number *b, number *r)
{
    int64_t v;
    return __builtin_add_overflow(a->i, b->i, &v) ? fail(m, too_long) : set_int(r, v);
}

static bool sub_int(cl_make *m, const number *a, const number *b, number *r)
{
    int64_t v;
    return __builtin_sub_overflow(a->i, b->i, &v) ? fail(m, too_long) : set_int(r, v);
}

static bool mul_int(cl_make *m, const number *a, const number *b, number *r)
{
    int64_t v;
    return __builtin_mul_overflow(a->i, b->i, &v) ? fail(m, too_long) : set_int(r, v);
}

static bool add_float(cl_make *m, const number *a, const number *b, number *r)
{
    return set_float(r, a->f + b->f);
}

static bool sub_float(cl_make *m, const number *a, const number *b, number *r)
{
    return set_float(r, a->f - b->f);
}

static bool mul_float(cl_make *m, const number *a, const number *b, number *r)
{
    return set_float(r, a->f * b->f);
}

static bool add_complex(cl_make *m, const number *a, const number *b, number *r)
{
    return set_complex(r, a->c[0] + b->c[0], a->c[1] + b->c[1]);
}

static bool sub_complex(cl_make *m, const number *a, const number *b, number *r)
{
    return set_complex(r, a->c[0] - b->c[0], a->c[1] - b->c[1]);
}

static bool mul_complex(cl_make *m, const number *a, const number *b, number *r)
{
    return set_complex(r, a->c[0] * b->c[0] - a->c[1] * b->c[1],
                       a->c[0] * b->c[1] + a->c[1] * b->c[0]);
}

/* ---- / // % */

static bool div_int(cl_make *m, const number *a, const number *b, number *r)
{
    if (b->i == 0)
        return fail(m, by_zero);
    return set_float(r, (double)((long double)a->i / (long double)b->i));
}

static bool div_float(cl_make *m, const number *a, const number *b, number *r)
{
    return b->f == 0 ? fail(m, by_zero) : set_float(r, a->f / b->f);
}

/* Smith's method (CACM 5, 1962), as Python's complex division. */
static bool div_complex(cl_make *m, const number *a, const number *b, number *r)
{
    const double *x = a->c, *y = b->c;
    if (y[0] == 0 && y[1] == 0)
        return fail(m, by_zero);
    if (fabs(y[0]) >= fabs(y[1])) {
        const double ratio = y[1] / y[0], d = y[0] + y[1] * ratio;
        return set_complex(r, (x[0] + x[1] * ratio) / d, (x[1] - x[0] * ratio) / d);
    }
    const double ratio = y[0] / y[1], d = y[0] * ratio + y[1];
    return set_complex(r, (x[0] * ratio + x[1]) / d, (x[1] * ratio - x[0]) / d);
}

static bool floordiv_int(cl_make *m, const number *a, const number *b, number *r)
{
    if (b->i == 0)
        return fail(m, by_zero);
    if (b->i == -1)
        return a->i == INT64_MIN ? fail(m, too_long) : set_int(r, -a->i);
    const int64_t q = a->i / b->i;
    return set_int(r, q - (a->i % b->i != 0 && (a->i < 0) != (b->i < 0)));
}

static bool mod_int(cl_make *m, const number *a, const number *b, number *r)
{
    if (b->i == 0)
        return fail(m, by_zero);
    if (b->i == -1)
        return set_int(r, 0);
    const int64_t rest = a->i % b->i;
    return set_int(r, rest != 0 && (rest < 0) != (b->i < 0) ? rest + b->i : rest);
}

/* Quotient and remainder of floats with the divisor's sign, as CPython's divmod. */
static void divmod(double a, double b, double *quotient, double *rest)
{
    double mod = fmod(a, b);
    double div = (a - mod) / b;
    if (mod != 0) {
        if ((b < 0) != (mod < 0)) {
            mod += b;
            div -= 1;
        }
    } else {
        mod = copysign(0.0, b);
    }
    *rest = mod;
    if (div == 0) {
        *quotient = copysign(0.0, a / b);
        return;
    }
    *quotient = floor(div);
    if (div - *quotient > 0.5)
        *quotient += 1;
}

static bool floordiv_float(cl_make *m, const number *a, const number *b, number *r)
{
    double quotient, rest;
    if (b->f == 0)
        return fail(m, by_zero);
    divmod(a->f, b->f, &quotient, &rest);
    return set_float(r, quotient);
}

static bool mod_float(cl_make *m, const number *a, const number *b, number *r)
{
    double quotient, rest;
    if (b->f == 0)
        return fail(m, by_zero);
    divmod(a->f, b->f, &quotient, &rest);
    return set_float(r, rest);
}

/* ---- ** */

static bool pow_complex(cl_make *m, const number *a, const number *b, number *r);

static bool pow_float(cl_make *m, const number *a, const number *b, number *r)
{
    if (a->f == 0 && b->f < 0)
        return fail(m, "0.0 cannot be raised to a negative power");
    if (a->f < 0 && isfinite(a->f) && isfinite(b->f) && b->f != floor(b->f)) {
        const number x = raised(*a, CL_KIND_COMPLEX), y = raised(*b, CL_KIND_COMPLEX);
        return pow_complex(m, &x, &y, r);
    }
    const double v = pow(a->f, b->f);
    if (isinf(v) && isfinite(a->f) && isfinite(b->f))
        return fail(m, "the power is too large for a float");
    return set_float(r, v);
}

static bool pow_int(cl_make *m, const number *a, const number *b, number *r)
{
    if (b->i < 0) {
        const number x = {.kind = CL_KIND_FLOAT, .f = (double)a->i};
        const number y = {.kind = CL_KIND_FLOAT, .f = (double)b->i};
        return pow_float(m, &x, &y, r);
    }
    int64_t v = 1, square = a->i;
    bool is_square_lost = false;
    for (int64_t n = b->i; n > 0; n >>= 1) {
        if (n & 1) {
            if (is_square_lost || __builtin_mul_overflow(v, square, &v))
                return fail(m, too_long);
        }
        is_square_lost =
            is_square_lost || __builtin_mul_overflow(square, square, &square);
    }
    return set_int(r, v);
}

/* By polar form; small whole exponents by squaring, as CPython. */
static bool pow_complex(cl_make *m, const number *a, const number *b, number *r)
{
    const double *x = a->c, *y = b->c;
    if (y[0] == 0 && y[1] == 0)
        return set_complex(r, 1, 0);
    if (x[0] == 0 && x[1] == 0)
        return y[1] != 0 || y[0] < 0
                   ? fail(m, "0.0 cannot be raised to a negative or complex power")
                   : set_complex(r, 0, 0);
    if (y[1] == 0 && y[0] == floor(y[0]) && fabs(y[0]) <= 100) {
        const number one = {.kind = CL_KIND_COMPLEX, .c = {1, 0}};
        number v = one, square = *a;
        for (int n = (int)fabs(y[0]); n > 0; n >>= 1) {
            if (n & 1)
                mul_complex(m, &v, &square, &v);
            mul_complex(m, &square, &square, &square);
        }
        *r = v;
        return y[0] > 0 || div_complex(m, &one, &v, r);
    }
    const double modulus = hypot(x[0], x[1]), angle = atan2(x[1], x[0]);
    double length = pow(modulus, y[0]), phase = angle * y[0];
    if (y[1] != 0) {
        length *= exp(-angle * y[1]);
        phase += y[1] * log(modulus);
    }
    return set_complex(r, length * cos(phase), length * sin(phase));
}

/* ---- - abs */

static bool neg_int(cl_make *m, const number *a, const number *b, number *r)
{
    return a->i == INT64_MIN ? fail(m, too_long) : set_int(r, -a->i);
}

static bool neg_float(cl_make *m, const number *a, const number *b, number *r)
{
    return set_float(r, -a->f);
}

static bool neg_complex(cl_make *m, const number *a, const number *b, number *r)
{
    return set_complex(r, -a->c[0], -a->c[1]);
}

static bool abs_int(cl_make *m, const number *a, const number *b, number *r)
{
    return a->i < 0 ? neg_int(m, a, b, r) : set_int(r, a->i);
}

static bool abs_float(cl_make *m, const number *a, const number *b, number *r)
{
    return set_float(r, fabs(a->f));
}

static bool abs_complex(cl_make *m, const number *a, const number *b, number *r)
{
    return set_float(r, hypot(a->c[0], a->c[1]));
}

/* ---- comparisons: exact, also between integers and floats (see compare_mixed) */

#define COMPARE(name, op)                                                              \
    static bool name##_int(cl_make *m, const number *a, const number *b, number *r)    \
    {                                                                                  \
        return set_bool(r, a->i op b->i);                                              \
    }                                                                                  \
    static bool name##_float(cl_make *m, const number *a, const number *b, number *r)  \
    {                                                                                  \
        return set_bool(r, a->f op b->f);                                              \
    }
COMPARE(eq, ==)
COMPARE(ne, !=)
COMPARE(lt, <)
COMPARE(le, <=)
COMPARE(gt, >)
COMPARE(ge, >=)
#undef COMPARE

static bool eq_complex(cl_make *m, const number *a, const number *b, number *r)
{
    return set_bool(r, a->c[0] == b->c[0] && a->c[1] == b->c[1]);
}

static bool ne_complex(cl_make *m, const number *a, const number *b, number *r)
{
    return set_bool(r, a->c[0] != b->c[0] || a->c[1] != b->c[1]);
}

/* ---- & | ^ ~: of two bools a bool, otherwise an integer */

static bool set_bits(const number *a, const number *b, int64_t v, number *r)
{
    return a->kind == CL_KIND_BOOL && b->kind == CL_KIND_BOOL ? set_bool(r, v != 0)
                                                              : set_int(r, v);
}

static bool and_int(cl_make *m, const number *a, const number *b, number *r)
{
    return set_bits(a, b, a->i & b->i, r);
}

static bool or_int(cl_make *m, const number *a, const number *b, number *r)
{
    return set_bits(a, b, a->i | b->i, r);
}

static bool xor_int(cl_make *m, const number *a, const number *b, number *r)
{
    return set_bits(a, b, a->i ^ b->i, r);
}

static bool invert_int(cl_make *m, const number *a, const number *b, number *r)
{
    return set_int(r, ~a->i);
}

static const operator_row operators[CL_NELEMENTWISE] = {
    [CL_OP_ADD] = {add_int, add_float, add_complex},
    [CL_OP_SUB] = {sub_int, sub_float, sub_complex},
    [CL_OP_MUL] = {mul_int, mul_float, mul_complex},
    [CL_OP_DIV] = {div_int, div_float, div_complex},
    [CL_OP_FLOORDIV] = {floordiv_int, floordiv_float, NULL},
    [CL_OP_MOD] = {mod_int, mod_float, NULL},
    [CL_OP_POW] = {pow_int, pow_float, pow_complex},
    [CL_OP_NEG] = {neg_int, neg_float, neg_complex},
    [CL_OP_ABS] = {abs_int, abs_float, abs_complex},
    [CL_OP_EQ] = {eq_int, eq_float, eq_complex},
    [CL_OP_NE] = {ne_int, ne_float, ne_complex},
    [CL_OP_LT] = {lt_int, lt_float, NULL},
    [CL_OP_LE] = {le_int, le_float, NULL},
    [CL_OP_GT] = {gt_int, gt_float, NULL},
    [CL_OP_GE] = {ge_int, ge_float, NULL},
    [CL_OP_AND] = {and_int, NULL, NULL},
    [CL_OP_OR] = {or_int, NULL, NULL},
    [CL_OP_XOR] = {xor_int, NULL, NULL},
    [CL_OP_INVERT] = {invert_int, NULL, NULL},
};

/* The sign of i - f without rounding i; f is not NaN. */
static int order_mixed(int64_t i, double f)
{
    if (f >= 0x1p63)
        return -1;
    if (f < -0x1p63)
        return 1;
    const int64_t whole = (int64_t)f;
    if (i != whole)
        return i < whole ? -1 : 1;
    const double rest = f - (double)whole;
    return (rest < 0) - (rest > 0);
}

/* An integer against a float: both are replaced by numbers that compare the same. */
static void compare_mixed(number *a, number *b)
{
    const bool is_a_int = a->kind < CL_KIND_FLOAT;
    const double f = is_a_int ? b->f : a->f;
    const int order = isnan(f) ? 0 : order_mixed(is_a_int ? a->i : b->i, f);
    a->f = isnan(f) ? f : is_a_int ? order : -order;
    b->f = 0;
    a->kind = b->kind = CL_KIND_FLOAT;
}

static apply_fn *function_of(const operator_row *row, cl_kind kind)
{
    return kind == CL_KIND_COMPLEX ? row->complex_
           : kind == CL_KIND_FLOAT ? row->real
                                   : row->integer;
}

bool cl_weak_apply(cl_make *m, cl_op op, size_t n, const cl_node_id *ids,
                   cl_node_id *result)
{
    number v[2] = {{.kind = CL_KIND_BOOL}, {.kind = CL_KIND_BOOL}}, r;
    *result = CL_NO_NODE;
    if (op >= CL_NELEMENTWISE || n == 0 || n > 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        const cl_node *node = cl_make_node(m, ids[i]);
        if (!cl_node_is_weak(node))
            return false;
        v[i] = number_of(node);
    }
    cl_kind kind = n == 2 && v[1].kind > v[0].kind ? v[1].kind : v[0].kind;
    apply_fn *fn = function_of(&operators[op], kind);
    if (!fn)
        return false;
    const bool is_mixed =
        n == 2 && (v[0].kind < CL_KIND_FLOAT) != (v[1].kind < CL_KIND_FLOAT);
    if (cl_ops[op].rule == CL_RULE_ORDER && kind == CL_KIND_FLOAT && is_mixed)
        compare_mixed(&v[0], &v[1]);
    if (kind >= CL_KIND_FLOAT)
        for (size_t i = 0; i < n; i++)
            v[i] = raised(v[i], kind);
    if (fn(m, &v[0], &v[1], &r))
        *result = node_of(m, &r);
    return true;
}
