/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Python's arithmetic on Python's scalars, as constants in a program mean it.
 *
 * bool and int are exact (128 bits, overflow is an error), / gives floats, // and %
 * round down, ** of an int by a negative int is a float; what Python raises an
 * exception for (division by zero, overflow of a power) is an error here. Differences:
 * an int that does not fit a double exactly is rounded before it is divided, and
 * complex powers are the C library's. One table of functions an operator; the operand
 * of lower kind is converted first.
 */
#include "array/expr_value.h"

#include <complex.h>
#include <math.h>
#include <string.h>

typedef clast_status scalar_fn(cl_expr_env *env, cl_position at, const cl_value *a,
                               const cl_value *b, cl_value *out);

cl_value cl_value_int(cl_wide v)
{
    return (cl_value){.kind = CL_VALUE_INT, .integer = v};
}

cl_value cl_value_float(double v)
{
    return (cl_value){.kind = CL_VALUE_FLOAT, .number = {v, 0}};
}

static cl_value make_bool(bool v)
{
    return (cl_value){.kind = CL_VALUE_BOOL, .integer = v};
}

static cl_value make_complex(double re, double im)
{
    return (cl_value){.kind = CL_VALUE_COMPLEX, .number = {re, im}};
}

static cl_value_kind common_kind(const cl_value *a, const cl_value *b)
{
    const cl_value_kind kind = a->kind > b->kind ? a->kind : b->kind;
    return kind < CL_VALUE_INT ? CL_VALUE_INT : kind;
}

static cl_value convert(const cl_value *v, cl_value_kind kind)
{
    const bool is_integer = v->kind <= CL_VALUE_INT;
    if (kind <= CL_VALUE_INT)
        return cl_value_int(v->integer);
    const double re = is_integer ? (double)v->integer : v->number[0];
    return kind == CL_VALUE_FLOAT
               ? cl_value_float(re)
               : make_complex(re, v->kind == CL_VALUE_COMPLEX ? v->number[1] : 0.0);
}

/* ---- errors ---- */

static clast_status too_large(cl_expr_env *env, cl_position at)
{
    return cl_expr_fail(env->err, at, CLAST_EVALUE,
                        "the integer is too large: int64 ends at 9223372036854775807");
}

static clast_status zero_division(cl_expr_env *env, cl_position at)
{
    return cl_expr_fail(env->err, at, CLAST_EVALUE, "division by zero");
}

static clast_status no_operator(cl_expr_env *env, cl_position at, const cl_value *v)
{
    return cl_expr_fail(env->err, at, CLAST_EVALUE,
                        "the operator does not take %s here", cl_value_kind_text(v));
}

/* ---- + - * ---- */

static clast_status add(cl_expr_env *env, cl_position at, const cl_value *a,
                        const cl_value *b, cl_value *out)
{
    if (a->kind == CL_VALUE_INT) {
        cl_wide v = 0;
        if (__builtin_add_overflow(a->integer, b->integer, &v))
            return too_large(env, at);
        *out = cl_value_int(v);
    } else if (a->kind == CL_VALUE_FLOAT) {
        *out = cl_value_float(a->number[0] + b->number[0]);
    } else {
        *out = make_complex(a->number[0] + b->number[0], a->number[1] + b->number[1]);
    }
    return CLAST_OK;
}

static clast_status subtract(cl_expr_env *env, cl_position at, const cl_value *a,
                             const cl_value *b, cl_value *out)
{
    if (a->kind == CL_VALUE_INT) {
        cl_wide v = 0;
        if (__builtin_sub_overflow(a->integer, b->integer, &v))
            return too_large(env, at);
        *out = cl_value_int(v);
    } else if (a->kind == CL_VALUE_FLOAT) {
        *out = cl_value_float(a->number[0] - b->number[0]);
    } else {
        *out = make_complex(a->number[0] - b->number[0], a->number[1] - b->number[1]);
    }
    return CLAST_OK;
}

static clast_status multiply(cl_expr_env *env, cl_position at, const cl_value *a,
                             const cl_value *b, cl_value *out)
{
    if (a->kind == CL_VALUE_INT) {
        cl_wide v = 0;
        if (__builtin_mul_overflow(a->integer, b->integer, &v))
            return too_large(env, at);
        *out = cl_value_int(v);
    } else if (a->kind == CL_VALUE_FLOAT) {
        *out = cl_value_float(a->number[0] * b->number[0]);
    } else {
        const double *p = a->number, *q = b->number;
        *out = make_complex(p[0] * q[0] - p[1] * q[1], p[0] * q[1] + p[1] * q[0]);
    }
    return CLAST_OK;
}

/* ---- / // % ---- */

/* Smith, Algorithm 116 (CACM 1962), as Python divides. */
static cl_value divide_complex(const double *a, const double *b)
{
    if (fabs(b[0]) >= fabs(b[1])) {
        const double ratio = b[1] / b[0], scale = b[0] + b[1] * ratio;
        return make_complex((a[0] + a[1] * ratio) / scale,
                            (a[1] - a[0] * ratio) / scale);
    }
    const double ratio = b[0] / b[1], scale = b[0] * ratio + b[1];
    return make_complex((a[0] * ratio + a[1]) / scale, (a[1] * ratio - a[0]) / scale);
}

static clast_status divide(cl_expr_env *env, cl_position at, const cl_value *a,
                           const cl_value *b, cl_value *out)
{
    if (a->kind == CL_VALUE_COMPLEX) {
        if (b->number[0] == 0 && b->number[1] == 0)
            return zero_division(env, at);
        *out = divide_complex(a->number, b->number);
        return CLAST_OK;
    }
    const cl_value p = convert(a, CL_VALUE_FLOAT), q = convert(b, CL_VALUE_FLOAT);
    if (q.number[0] == 0)
        return zero_division(env, at);
    *out = cl_value_float(p.number[0] / q.number[0]);
    return CLAST_OK;
}

/* float_divmod() of CPython: the remainder has the sign of b, and q * b + r is a. */
static void divmod_float(double a, double b, double *quotient, double *remainder)
{
    double r = fmod(a, b);
    double q = (a - r) / b;
    if (r != 0) {
        if ((b < 0) != (r < 0)) {
            r += b;
            q -= 1;
        }
    } else {
        r = copysign(0.0, b);
    }
    if (q != 0) {
        const double down = floor(q);
        q = q - down > 0.5 ? down + 1 : down;
    } else {
        q = copysign(0.0, a / b);
    }
    *quotient = q;
    *remainder = r;
}

static clast_status divmod(cl_expr_env *env, cl_position at, const cl_value *a,
                           const cl_value *b, cl_value *quotient, cl_value *remainder)
{
    if (a->kind == CL_VALUE_COMPLEX)
        return no_operator(env, at, a);
    if (a->kind == CL_VALUE_FLOAT) {
        if (b->number[0] == 0)
            return zero_division(env, at);
        *quotient = *remainder = cl_value_float(0);
        divmod_float(a->number[0], b->number[0], &quotient->number[0],
                     &remainder->number[0]);
        return CLAST_OK;
    }
    if (b->integer == 0)
        return zero_division(env, at);
    if (b->integer == -1) { /* the one case where / could overflow */
        const cl_value zero = cl_value_int(0);
        *remainder = zero;
        return subtract(env, at, &zero, a, quotient);
    }
    cl_wide q = a->integer / b->integer, r = a->integer % b->integer;
    if (r != 0 && (r < 0) != (b->integer < 0)) {
        r += b->integer;
        q -= 1;
    }
    *quotient = cl_value_int(q);
    *remainder = cl_value_int(r);
    return CLAST_OK;
}

static clast_status floor_divide(cl_expr_env *env, cl_position at, const cl_value *a,
                                 const cl_value *b, cl_value *out)
{
    cl_value remainder;
    return divmod(env, at, a, b, out, &remainder);
}

static clast_status modulo(cl_expr_env *env, cl_position at, const cl_value *a,
                           const cl_value *b, cl_value *out)
{
    cl_value quotient;
    return divmod(env, at, a, b, &quotient, out);
}

/* ---- ** ---- */

static clast_status power_int(cl_expr_env *env, cl_position at, cl_wide base,
                              cl_wide exponent, cl_value *out)
{
    cl_wide result = 1;
    while (exponent > 0) {
        if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result))
            return too_large(env, at);
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base))
            return too_large(env, at);
    }
    *out = cl_value_int(result);
    return CLAST_OK;
}

static clast_status power_complex(cl_expr_env *env, cl_position at, const cl_value *a,
                                  const cl_value *b, cl_value *out)
{
    const cl_value p = convert(a, CL_VALUE_COMPLEX), q = convert(b, CL_VALUE_COMPLEX);
    if (q.number[0] == 0 && q.number[1] == 0) {
        *out = make_complex(1, 0);
        return CLAST_OK;
    }
    if (p.number[0] == 0 && p.number[1] == 0) {
        if (q.number[1] != 0 || q.number[0] < 0)
            return zero_division(env, at);
        *out = make_complex(0, 0);
        return CLAST_OK;
    }
    double complex base, exponent;
    memcpy(&base, p.number, sizeof base);
    memcpy(&exponent, q.number, sizeof exponent);
    const double complex result = cpow(base, exponent);
    *out = make_complex(creal(result), cimag(result));
    return CLAST_OK;
}

static clast_status power(cl_expr_env *env, cl_position at, const cl_value *a,
                          const cl_value *b, cl_value *out)
{
    if (a->kind == CL_VALUE_INT && b->integer >= 0)
        return power_int(env, at, a->integer, b->integer, out);
    if (a->kind == CL_VALUE_COMPLEX)
        return power_complex(env, at, a, b, out);
    const double base = convert(a, CL_VALUE_FLOAT).number[0];
    const double exponent = convert(b, CL_VALUE_FLOAT).number[0];
    if (base == 0 && exponent < 0)
        return zero_division(env, at);
    if (base < 0 && isfinite(base) && isfinite(exponent) && exponent != floor(exponent))
        return power_complex(env, at, a, b, out);
    const double result = pow(base, exponent);
    if (isinf(result) && isfinite(base) && isfinite(exponent))
        return cl_expr_fail(env->err, at, CLAST_EVALUE,
                            "the power is out of the range of float64");
    *out = cl_value_float(result);
    return CLAST_OK;
}

/* ---- & | ^ and comparisons ---- */

static clast_status bitwise(cl_expr_env *env, cl_position at, cl_token_kind op,
                            const cl_value *a, const cl_value *b, cl_value *out)
{
    if (a->kind > CL_VALUE_INT || b->kind > CL_VALUE_INT)
        return no_operator(env, at, a->kind > CL_VALUE_INT ? a : b);
    const cl_wide v = op == CL_TOKEN_AND  ? a->integer & b->integer
                      : op == CL_TOKEN_OR ? a->integer | b->integer
                                          : a->integer ^ b->integer;
    *out = cl_value_int(v);
    if (a->kind == CL_VALUE_BOOL && b->kind == CL_VALUE_BOOL)
        out->kind = CL_VALUE_BOOL;
    return CLAST_OK;
}

static bool compare_ordered(cl_token_kind op, bool is_less, bool is_equal,
                            bool is_greater)
{
    switch (op) {
    case CL_TOKEN_LT:
        return is_less;
    case CL_TOKEN_LE:
        return is_less || is_equal;
    case CL_TOKEN_GT:
        return is_greater;
    case CL_TOKEN_GE:
        return is_greater || is_equal;
    case CL_TOKEN_EQ:
        return is_equal;
    default:
        return !is_equal;
    }
}

static clast_status compare(cl_expr_env *env, cl_position at, cl_token_kind op,
                            const cl_value *a, const cl_value *b, cl_value *out)
{
    const cl_value_kind kind = common_kind(a, b);
    const cl_value p = convert(a, kind), q = convert(b, kind);
    if (kind == CL_VALUE_COMPLEX && op != CL_TOKEN_EQ && op != CL_TOKEN_NE)
        return no_operator(env, at, a->kind == CL_VALUE_COMPLEX ? a : b);
    if (kind == CL_VALUE_INT) {
        *out = make_bool(compare_ordered(
            op, p.integer<q.integer, p.integer == q.integer, p.integer> q.integer));
    } else if (kind == CL_VALUE_FLOAT) {
        /* long double holds every int64, so that an int and a float compare exactly. */
        const long double x = a->kind <= CL_VALUE_INT ? (long double)a->integer
                                                      : (long double)p.number[0];
        const long double y = b->kind <= CL_VALUE_INT ? (long double)b->integer
                                                      : (long double)q.number[0];
        *out = make_bool(compare_ordered(op, x<y, x == y, x> y));
    } else {
        const bool is_equal = p.number[0] == q.number[0] && p.number[1] == q.number[1];
        *out = make_bool(compare_ordered(op, false, is_equal, false));
    }
    return CLAST_OK;
}

static scalar_fn *const arithmetic[CL_NTOKEN] = {
    [CL_TOKEN_PLUS] = add,           [CL_TOKEN_MINUS] = subtract,
    [CL_TOKEN_STAR] = multiply,      [CL_TOKEN_SLASH] = divide,
    [CL_TOKEN_FLOOR] = floor_divide, [CL_TOKEN_PERCENT] = modulo,
    [CL_TOKEN_POWER] = power,
};

clast_status cl_scalar_binary(cl_expr_env *env, cl_position at, cl_token_kind op,
                              const cl_value *a, const cl_value *b, cl_value *out)
{
    if (arithmetic[op]) {
        const cl_value_kind kind = common_kind(a, b);
        const cl_value p = convert(a, kind), q = convert(b, kind);
        return arithmetic[op](env, at, &p, &q, out);
    }
    switch (op) {
    case CL_TOKEN_AND:
    case CL_TOKEN_OR:
    case CL_TOKEN_XOR:
        return bitwise(env, at, op, a, b, out);
    case CL_TOKEN_AT:
        return cl_expr_fail(env->err, at, CLAST_ESHAPE, "@ does not take scalars");
    default:
        return compare(env, at, op, a, b, out);
    }
}

clast_status cl_scalar_unary(cl_expr_env *env, cl_position at, cl_token_kind op,
                             const cl_value *a, cl_value *out)
{
    const cl_value v = convert(a, common_kind(a, a));
    if (op == CL_TOKEN_PLUS) {
        *out = v;
        return CLAST_OK;
    }
    if (op == CL_TOKEN_INVERT) {
        if (v.kind != CL_VALUE_INT)
            return no_operator(env, at, a);
        *out = cl_value_int(~v.integer);
        return CLAST_OK;
    }
    if (v.kind == CL_VALUE_INT) {
        const cl_value zero = cl_value_int(0);
        return subtract(env, at, &zero, &v, out);
    }
    *out = v.kind == CL_VALUE_FLOAT ? cl_value_float(-v.number[0])
                                    : make_complex(-v.number[0], -v.number[1]);
    return CLAST_OK;
}
