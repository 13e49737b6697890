/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plain eager reference. Integers are computed in 128 bits and cut to size; floats
 * in their own type, one operation at a time; complex numbers by C's operators where
 * NumPy's algorithm gives the same, by the textbook where it does not.
 */
#include "naive.h"

#include <complex.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/philox.h"

/* ---- numbers ---- */

uint64_t naive_next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

int64_t naive_below(uint64_t *state, int64_t n)
{
    return (int64_t)(naive_next(state) % (uint64_t)n);
}

static const double float_specials[] = {
    0.0,      -0.0,   1.0,          -1.0,    2.0,      0.5,    3.0,   -2.5,
    INFINITY, NAN,    -INFINITY,    1e-310,  1e300,    -1e300, 1e-40, 3e38,
    -7.0,     127.0,  1e10,         -129.0,  65536.25, 2.2e9,  -3e9,  1e19,
    -1.5e19,  9.3e18, 4294967296.0, FLT_MAX, DBL_MAX};
#define NFLOAT (int)(sizeof float_specials / sizeof *float_specials)

static const int64_t int_specials[] = {0,         1,         -1,        2,         3,
                                       -7,        INT8_MIN,  INT8_MAX,  INT16_MIN, 10,
                                       INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX, 255};
#define NINT (int)(sizeof int_specials / sizeof *int_specials)

int naive_specials(clast_dtype dtype)
{
    switch (cl_dtype_kind(dtype)) {
    case CL_KIND_BOOL:
        return 2;
    case CL_KIND_INT:
    case CL_KIND_UINT:
        return NINT;
    case CL_KIND_FLOAT:
        return NFLOAT;
    case CL_KIND_COMPLEX:
        return 64;
    }
    return 0;
}

cl_scalar naive_special(clast_dtype dtype, int i)
{
    cl_scalar v = {.i64 = 0};
    switch (cl_dtype_kind(dtype)) {
    case CL_KIND_BOOL:
        v.u8 = (uint8_t)i;
        break;
    case CL_KIND_INT:
    case CL_KIND_UINT:
        v.i64 = int_specials[i];
        return cl_scalar_cast(v, CLAST_INT64, dtype);
    case CL_KIND_FLOAT:
        v.f64 = float_specials[i];
        return cl_scalar_cast(v, CLAST_FLOAT64, dtype);
    case CL_KIND_COMPLEX: /* pairs of the first eleven, spread */
        v.c128[0] = float_specials[(i * 7) % 11];
        v.c128[1] = float_specials[(i * 5 + i / 11) % 11];
        return cl_scalar_cast(v, CLAST_COMPLEX128, dtype);
    }
    return v;
}

cl_scalar naive_random(uint64_t *state, clast_dtype dtype)
{
    cl_scalar v = {.i64 = 0};
    if (naive_below(state, 4) == 0)
        return naive_special(dtype, (int)naive_below(state, naive_specials(dtype)));
    if (dtype == CLAST_BOOL) {
        v.u8 = naive_next(state) & 1;
    } else if (cl_dtype_is_integer(dtype)) {
        v.u64 = naive_next(state);
        const size_t size = clast_dtype_size(dtype);
        memset((char *)&v + size, 0, sizeof v - size);
    } else {
        v.c128[0] = ((double)naive_next(state) * 0x1p-64 - 0.5) * 200;
        v.c128[1] = ((double)naive_next(state) * 0x1p-64 - 0.5) * 200;
        return cl_scalar_cast(v, CLAST_COMPLEX128, dtype);
    }
    return v;
}

/* ---- dtype rules ---- */

bool naive_allows(cl_op op, clast_dtype type)
{
    const cl_kind kind = cl_dtype_kind(type);
    switch ((cl_rule)cl_ops[op].rule) {
    case CL_RULE_ARITH:
    case CL_RULE_ORDER:
    case CL_RULE_MODULUS:
        return true;
    case CL_RULE_NUMBER:
    case CL_RULE_POWER:
        return kind != CL_KIND_BOOL;
    case CL_RULE_DIVIDE:
    case CL_RULE_REAL:
        return kind >= CL_KIND_FLOAT;
    case CL_RULE_BITS:
        return kind < CL_KIND_FLOAT;
    case CL_RULE_FLOOR:
        return kind != CL_KIND_BOOL && kind != CL_KIND_COMPLEX;
    case CL_RULE_OTHER:
        return op == CL_OP_WHERE;
    }
    return false;
}

clast_dtype naive_result(cl_op op, clast_dtype type)
{
    if (cl_ops[op].rule == CL_RULE_ORDER)
        return CLAST_BOOL;
    return cl_ops[op].rule == CL_RULE_MODULUS ? cl_dtype_real(type) : type;
}

/* ---- integers ---- */

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

static wide to_wide(cl_scalar v, clast_dtype t)
{
    switch (t) {
    case CLAST_INT8:
        return v.i8;
    case CLAST_INT16:
        return v.i16;
    case CLAST_INT32:
        return v.i32;
    case CLAST_INT64:
        return v.i64;
    case CLAST_UINT16:
        return v.u16;
    case CLAST_UINT32:
        return v.u32;
    case CLAST_UINT64:
        return (wide)v.u64;
    default:
        return v.u8;
    }
}

static cl_scalar from_wide(wide x, clast_dtype t)
{
    cl_scalar v = {.i64 = 0};
    const uint64_t bits = (uint64_t)x;
    memcpy(&v, &bits, clast_dtype_size(t));
    return v;
}

static wide floor_quotient(wide a, wide b)
{
    if (b == 0)
        return 0;
    wide q = a / b;
    return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

static wide wide_power(wide a, wide b)
{
    uint64_t r = 1, factor = (uint64_t)a;
    for (; b > 0; b >>= 1, factor *= factor)
        if (b & 1)
            r *= factor;
    return (wide)r;
}

static cl_scalar apply_integer(cl_op op, clast_dtype t, const cl_scalar *arg)
{
    const wide a = to_wide(arg[0], t), b = to_wide(arg[1], t);
    switch (op) {
    case CL_OP_ADD:
        return from_wide(a + b, t);
    case CL_OP_SUB:
        return from_wide(a - b, t);
    case CL_OP_MUL:
        return from_wide((wide)((uwide)a * (uwide)b), t);
    case CL_OP_FLOORDIV:
        return from_wide(floor_quotient(a, b), t);
    case CL_OP_MOD:
        return from_wide(b == 0 ? 0 : a - b * floor_quotient(a, b), t);
    case CL_OP_POW:
        return from_wide(wide_power(a, b), t);
    case CL_OP_NEG:
        return from_wide(-a, t);
    case CL_OP_ABS:
        return from_wide(a < 0 ? -a : a, t);
    case CL_OP_EQ:
        return from_wide(a == b, CLAST_BOOL);
    case CL_OP_NE:
        return from_wide(a != b, CLAST_BOOL);
    case CL_OP_LT:
        return from_wide(a < b, CLAST_BOOL);
    case CL_OP_LE:
        return from_wide(a <= b, CLAST_BOOL);
    case CL_OP_GT:
        return from_wide(a > b, CLAST_BOOL);
    case CL_OP_GE:
        return from_wide(a >= b, CLAST_BOOL);
    case CL_OP_AND:
        return from_wide(a & b, t);
    case CL_OP_OR:
        return from_wide(a | b, t);
    case CL_OP_XOR:
        return from_wide(a ^ b, t);
    case CL_OP_INVERT:
        return from_wide(~a, t);
    case CL_OP_MINIMUM:
        return from_wide(a < b ? a : b, t);
    default:
        return from_wide(a > b ? a : b, t); /* MAXIMUM */
    }
}

static cl_scalar apply_bool(cl_op op, const cl_scalar *arg)
{
    cl_scalar one = {.u8 = 0};
    switch (op) {
    case CL_OP_ADD:
        one.u8 = arg[0].u8 | arg[1].u8;
        return one;
    case CL_OP_MUL:
        one.u8 = arg[0].u8 & arg[1].u8;
        return one;
    case CL_OP_INVERT:
        one.u8 = !arg[0].u8;
        return one;
    default:
        return apply_integer(op, CLAST_BOOL, arg);
    }
}

/* ---- floats: float32 in float, float64 in double ---- */

#define REAL_FUNCTIONS(T, F)                                                           \
    static T floor_divide_##T(T a, T b)                                                \
    {                                                                                  \
        const T m = F(fmod)(a, b);                                                     \
        if (b == 0)                                                                    \
            return a / b;                                                              \
        T q = (a - m) / b;                                                             \
        if (m != 0 && (b < 0) != (m < 0))                                              \
            q -= 1;                                                                    \
        if (q == 0)                                                                    \
            return F(copysign)(0, a / b);                                              \
        const T down = F(floor)(q);                                                    \
        return q - down > (T)0.5 ? down + 1 : down;                                    \
    }                                                                                  \
    static T apply_##T(cl_op op, T a, T b)                                             \
    {                                                                                  \
        const T m = F(fmod)(a, b);                                                     \
        switch (op) {                                                                  \
        case CL_OP_ADD:                                                                \
            return a + b;                                                              \
        case CL_OP_SUB:                                                                \
            return a - b;                                                              \
        case CL_OP_MUL:                                                                \
            return a * b;                                                              \
        case CL_OP_DIV:                                                                \
            return a / b;                                                              \
        case CL_OP_FLOORDIV:                                                           \
            return floor_divide_##T(a, b);                                             \
        case CL_OP_MOD:                                                                \
            if (b == 0 || isnan(m))                                                    \
                return m;                                                              \
            if (m == 0)                                                                \
                return F(copysign)(0, b);                                              \
            return (m < 0) != (b < 0) ? m + b : m;                                     \
        case CL_OP_POW:                                                                \
            return F(pow)(a, b);                                                       \
        case CL_OP_NEG:                                                                \
            return -a;                                                                 \
        case CL_OP_ABS:                                                                \
            return F(fabs)(a);                                                         \
        case CL_OP_SQRT:                                                               \
            return F(sqrt)(a);                                                         \
        case CL_OP_EXP:                                                                \
            return F(exp)(a);                                                          \
        case CL_OP_LOG:                                                                \
            return F(log)(a);                                                          \
        case CL_OP_SIN:                                                                \
            return F(sin)(a);                                                          \
        case CL_OP_COS:                                                                \
            return F(cos)(a);                                                          \
        case CL_OP_MINIMUM:                                                            \
            return isnan(a) || a < b ? a : b;                                          \
        default:                                                                       \
            return isnan(a) || a > b ? a : b; /* MAXIMUM */                            \
        }                                                                              \
    }
#define SAME_NAME(function)  function
#define FLOAT_NAME(function) function##f
REAL_FUNCTIONS(double, SAME_NAME)
REAL_FUNCTIONS(float, FLOAT_NAME)

static bool compare(cl_op op, double a, double b)
{
    switch (op) {
    case CL_OP_EQ:
        return a == b;
    case CL_OP_NE:
        return a != b;
    case CL_OP_LT:
        return a < b;
    case CL_OP_LE:
        return a <= b;
    case CL_OP_GT:
        return a > b;
    default:
        return a >= b;
    }
}

/* ---- complex ---- */

static bool compare_complex(cl_op op, const double *a, const double *b)
{
    const bool has_nan = isnan(a[1]) || isnan(b[1]);
    if (op == CL_OP_EQ)
        return a[0] == b[0] && a[1] == b[1];
    if (op == CL_OP_NE)
        return a[0] != b[0] || a[1] != b[1];
    if (a[0] == b[0])
        return compare(op, a[1], b[1]);
    return !has_nan && compare(op, a[0], b[0]);
}

/* Complex64 through the same steps in float, so that roundings agree. */
#define COMPLEX_FUNCTIONS(T, F)                                                        \
    static T _Complex make_##T(T re, T im)                                             \
    {                                                                                  \
        T parts[2] = {re, im};                                                         \
        T _Complex z;                                                                  \
        memcpy(&z, parts, sizeof z);                                                   \
        return z;                                                                      \
    }                                                                                  \
    static T _Complex times_##T(T _Complex a, T _Complex b)                            \
    {                                                                                  \
        const T ar = F(creal)(a), ai = F(cimag)(a), br = F(creal)(b),                  \
                bi = F(cimag)(b);                                                      \
        return make_##T(ar * br - ai * bi, ar * bi + ai * br);                         \
    }                                                                                  \
    static T _Complex over_##T(T _Complex a, T _Complex b)                             \
    {                                                                                  \
        const T ar = F(creal)(a), ai = F(cimag)(a), br = F(creal)(b),                  \
                bi = F(cimag)(b);                                                      \
        if (F(fabs)(br) >= F(fabs)(bi)) {                                              \
            if (br == 0 && bi == 0)                                                    \
                return make_##T(ar / F(fabs)(br), ai / F(fabs)(br));                   \
            const T q = bi / br, s = 1 / (br + bi * q);                                \
            return make_##T((ar + ai * q) * s, (ai - ar * q) * s);                     \
        }                                                                              \
        const T q = br / bi, s = 1 / (bi + br * q);                                    \
        return make_##T((ar * q + ai) * s, (ai * q - ar) * s);                         \
    }                                                                                  \
    static T _Complex power_##T(T _Complex a, T _Complex b)                            \
    {                                                                                  \
        const T br = F(creal)(b), bi = F(cimag)(b);                                    \
        if (br == 0 && bi == 0)                                                        \
            return 1;                                                                  \
        if (F(creal)(a) == 0 && F(cimag)(a) == 0)                                      \
            return br > 0 && bi == 0 ? 0 : make_##T((T)NAN, (T)NAN);                   \
        if (bi != 0 || F(floor)(br) != br || F(fabs)(br) >= 100)                       \
            return F(cpow)(a, b);                                                      \
        const int n = abs((int)br);                                                    \
        if (br > 0 && n <= 3)                                                          \
            return n == 1 ? a : times_##T(a, n == 2 ? a : times_##T(a, a));            \
        T _Complex r = 1, p = a;                                                       \
        for (int left = n;;) {                                                         \
            if (left & 1)                                                              \
                r = times_##T(r, p);                                                   \
            left >>= 1;                                                                \
            if (left == 0)                                                             \
                break;                                                                 \
            p = times_##T(p, p);                                                       \
        }                                                                              \
        return br < 0 ? over_##T(1, r) : r;                                            \
    }                                                                                  \
    static T _Complex apply_complex_##T(cl_op op, T _Complex a, T _Complex b)          \
    {                                                                                  \
        switch (op) {                                                                  \
        case CL_OP_ADD:                                                                \
            return a + b;                                                              \
        case CL_OP_SUB:                                                                \
            return a - b;                                                              \
        case CL_OP_MUL:                                                                \
            return times_##T(a, b);                                                    \
        case CL_OP_DIV:                                                                \
            return over_##T(a, b);                                                     \
        case CL_OP_POW:                                                                \
            return power_##T(a, b);                                                    \
        case CL_OP_NEG:                                                                \
            return -a;                                                                 \
        case CL_OP_SQRT:                                                               \
            return F(csqrt)(a);                                                        \
        case CL_OP_EXP:                                                                \
            return F(cexp)(a);                                                         \
        case CL_OP_LOG:                                                                \
            return F(clog)(a);                                                         \
        case CL_OP_SIN:                                                                \
            return F(csin)(a);                                                         \
        default:                                                                       \
            return F(ccos)(a); /* COS */                                               \
        }                                                                              \
    }
COMPLEX_FUNCTIONS(double, SAME_NAME)
COMPLEX_FUNCTIONS(float, FLOAT_NAME)

static cl_scalar apply_complex(cl_op op, clast_dtype t, const cl_scalar *arg)
{
    const cl_scalar a = cl_scalar_cast(arg[0], t, CLAST_COMPLEX128);
    const cl_scalar b = cl_scalar_cast(arg[1], t, CLAST_COMPLEX128);
    cl_scalar r = {.i64 = 0};
    if (cl_ops[op].rule == CL_RULE_ORDER) {
        r.u8 = compare_complex(op, a.c128, b.c128);
    } else if (op == CL_OP_MINIMUM || op == CL_OP_MAXIMUM) {
        const cl_op order = op == CL_OP_MINIMUM ? CL_OP_LE : CL_OP_GE;
        const bool is_nan = isnan(a.c128[0]) || isnan(a.c128[1]);
        r = is_nan || compare_complex(order, a.c128, b.c128) ? arg[0] : arg[1];
    } else if (op == CL_OP_ABS && t == CLAST_COMPLEX64) {
        r.f32 = hypotf(arg[0].c64[0], arg[0].c64[1]);
    } else if (op == CL_OP_ABS) {
        r.f64 = hypot(a.c128[0], a.c128[1]);
    } else if (t == CLAST_COMPLEX64) {
        const float _Complex z =
            apply_complex_float(op, make_float(arg[0].c64[0], arg[0].c64[1]),
                                make_float(arg[1].c64[0], arg[1].c64[1]));
        memcpy(&r, &z, sizeof z);
    } else {
        const double _Complex z = apply_complex_double(
            op, make_double(a.c128[0], a.c128[1]), make_double(b.c128[0], b.c128[1]));
        memcpy(&r, &z, sizeof z);
    }
    return r;
}

/* ---- any ---- */

cl_scalar naive_apply(cl_op op, clast_dtype t, clast_dtype dtype, const cl_scalar *arg)
{
    cl_scalar r = {.i64 = 0};
    if (op == CL_OP_CAST)
        return cl_scalar_cast(arg[0], t, dtype);
    if (op == CL_OP_WHERE)
        return arg[0].u8 ? arg[1] : arg[2];
    switch (cl_dtype_kind(t)) {
    case CL_KIND_BOOL:
        return apply_bool(op, arg);
    case CL_KIND_INT:
    case CL_KIND_UINT:
        return apply_integer(op, t, arg);
    case CL_KIND_COMPLEX:
        return apply_complex(op, t, arg);
    case CL_KIND_FLOAT:
        break;
    }
    const bool is_single = t == CLAST_FLOAT32;
    if (cl_ops[op].rule == CL_RULE_ORDER)
        r.u8 = is_single ? compare(op, (double)arg[0].f32, (double)arg[1].f32)
                         : compare(op, arg[0].f64, arg[1].f64);
    else if (is_single)
        r.f32 = apply_float(op, arg[0].f32, arg[1].f32);
    else
        r.f64 = apply_double(op, arg[0].f64, arg[1].f64);
    return r;
}

static cl_scalar make(const cl_insn *in, const cl_imm *imm, int ndim,
                      const int64_t *index)
{
    int64_t i = imm->base;
    for (int a = 0; a < ndim; a++)
        i += imm->coef[a] * index[a];
    cl_scalar r = {.i64 = 0};
    if (in->op == CL_OP_CONST)
        return imm->value[0];
    if (in->op == CL_OP_ARANGE && in->type == CLAST_FLOAT64)
        r.f64 = imm->value[0].f64 + (double)i * imm->value[1].f64;
    else if (in->op == CL_OP_ARANGE)
        r.u64 = imm->value[0].u64 + (uint64_t)i * imm->value[1].u64;
    else if (in->dtype == CLAST_FLOAT32)
        r.f32 = cl_philox_float(cl_philox_at((uint64_t)i, imm->value[0].u64));
    else
        r.f64 = cl_philox_double(cl_philox_at((uint64_t)i, imm->value[0].u64));
    if (in->op == CL_OP_ARANGE)
        return cl_scalar_cast(r, (clast_dtype)in->type, (clast_dtype)in->dtype);
    return r;
}

cl_scalar naive_read(const cl_input *input, clast_dtype dtype, int ndim,
                     const int64_t *index)
{
    cl_scalar v = {.i64 = 0};
    for (size_t s = 0; s < input->count; s++) {
        const cl_span *span = &input->span[s];
        const char *at = span->data;
        bool is_inside = true;
        for (int a = 0; a < ndim; a++) {
            const int64_t i = index[a] - span->box.lo[a];
            is_inside &= i >= 0 && i < span->box.n[a];
            at += i * span->stride[a];
        }
        if (is_inside)
            memcpy(&v, at, clast_dtype_size(dtype));
    }
    return v;
}

cl_scalar naive_program(const cl_program *p, const cl_input *inputs,
                        const int64_t *index)
{
    cl_scalar value[256];
    for (int i = 0; i < p->ninput; i++)
        value[i] =
            naive_read(&inputs[i], (clast_dtype)p->input_dtype[i], p->ndim, index);
    for (int i = 0; i < p->ninsn; i++) {
        const cl_insn *in = &p->insn[i];
        cl_scalar arg[3] = {{.i64 = 0}, {.i64 = 0}, {.i64 = 0}};
        for (int k = 0; k < cl_ops[in->op].arity; k++)
            arg[k] = value[in->arg[k]];
        value[p->ninput + i] = cl_ops[in->op].arity == 0
                                   ? make(in, &p->imm[in->imm], p->ndim, index)
                                   : naive_apply((cl_op)in->op, (clast_dtype)in->type,
                                                 (clast_dtype)in->dtype, arg);
    }
    return value[p->ninput + p->ninsn - 1];
}

/* ---- comparing ---- */

bool naive_same(cl_scalar a, cl_scalar b, clast_dtype dtype)
{
    if (cl_dtype_kind(dtype) < CL_KIND_FLOAT)
        return memcmp(&a, &b, clast_dtype_size(dtype)) == 0;
    const int parts = cl_dtype_is_complex(dtype) ? 2 : 1;
    const bool is_single = dtype == CLAST_FLOAT32 || dtype == CLAST_COMPLEX64;
    for (int p = 0; p < parts; p++) {
        const double x = is_single ? (double)a.c64[p] : a.c128[p];
        const double y = is_single ? (double)b.c64[p] : b.c128[p];
        if (memcmp(&x, &y, sizeof x) != 0 && !(isnan(x) && isnan(y)))
            return false;
    }
    return true;
}

double naive_ulps_f64(double got, long double want)
{
    const double near = (double)want;
    if (isnan(near) || isinf(near) || isnan(got) || isinf(got))
        return near == got || (isnan(near) && isnan(got)) ? 0 : INFINITY;
    const double size = fabs(near), unit = nextafter(size, INFINITY) - size;
    return (double)(fabsl((long double)got - want) / (long double)unit);
}

double naive_ulps_f32(float got, long double want)
{
    const float near = (float)want;
    if (isnan(near) || isinf(near) || isnan(got) || isinf(got))
        return near == got || (isnan(near) && isnan(got)) ? 0 : INFINITY;
    const float size = fabsf(near), unit = nextafterf(size, INFINITY) - size;
    return (double)(fabsl((long double)got - want) / (long double)unit);
}

bool naive_next_index(const cl_box *box, int64_t *index)
{
    for (int a = box->ndim - 1; a >= 0; a--) {
        if (++index[a] < box->lo[a] + box->n[a])
            return true;
        index[a] = box->lo[a];
    }
    return false;
}
