/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Element types: one table of facts, one of promotions, one conversion of single
 * elements.
 *
 * Promotion of two dtypes is NumPy's lattice, written out as a table because it is
 * shorter and plainer than its rules (int64 with uint64 gives float64; 8 and 16 bit
 * integers fit into float32, wider ones need float64). Weak operands (NEP 50) take part
 * by kind only.
 *
 * Conversions of floats that are out of an integer's range are undefined in C. NumPy
 * on x86-64 gives what the truncating conversion instructions give: the smallest
 * int32 or int64, of which narrower types keep the low bits. That is spelled out here
 * in defined C, so that constants convert like the kernels' elements everywhere. (For
 * float64 to uint32 beyond int32's range NumPy's vector loops and its scalar ones
 * disagree; this is what its scalar ones give.)
 */
#include "base/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    uint8_t size, kind;
} facts[CLAST_NDTYPE] = {
    [CLAST_BOOL] = {"bool", 1, CL_KIND_BOOL},
    [CLAST_INT8] = {"int8", 1, CL_KIND_INT},
    [CLAST_INT16] = {"int16", 2, CL_KIND_INT},
    [CLAST_INT32] = {"int32", 4, CL_KIND_INT},
    [CLAST_INT64] = {"int64", 8, CL_KIND_INT},
    [CLAST_UINT8] = {"uint8", 1, CL_KIND_UINT},
    [CLAST_UINT16] = {"uint16", 2, CL_KIND_UINT},
    [CLAST_UINT32] = {"uint32", 4, CL_KIND_UINT},
    [CLAST_UINT64] = {"uint64", 8, CL_KIND_UINT},
    [CLAST_FLOAT32] = {"float32", 4, CL_KIND_FLOAT},
    [CLAST_FLOAT64] = {"float64", 8, CL_KIND_FLOAT},
    [CLAST_COMPLEX64] = {"complex64", 8, CL_KIND_COMPLEX},
    [CLAST_COMPLEX128] = {"complex128", 16, CL_KIND_COMPLEX},
};

static bool is_dtype(clast_dtype t)
{
    return (unsigned)t < CLAST_NDTYPE;
}

size_t clast_dtype_size(clast_dtype dtype)
{
    return is_dtype(dtype) ? facts[dtype].size : 0;
}

const char *clast_dtype_name(clast_dtype dtype)
{
    return is_dtype(dtype) ? facts[dtype].name : "?";
}

cl_kind cl_dtype_kind(clast_dtype dtype)
{
    return (cl_kind)facts[dtype].kind;
}

/* One row a dtype, in the order of clast_dtype. */
#define BO CLAST_BOOL
#define I1 CLAST_INT8
#define I2 CLAST_INT16
#define I4 CLAST_INT32
#define I8 CLAST_INT64
#define U1 CLAST_UINT8
#define U2 CLAST_UINT16
#define U4 CLAST_UINT32
#define U8 CLAST_UINT64
#define F4 CLAST_FLOAT32
#define F8 CLAST_FLOAT64
#define C8 CLAST_COMPLEX64
#define CX CLAST_COMPLEX128
static const uint8_t promotion[CLAST_NDTYPE][CLAST_NDTYPE] = {
    {BO, I1, I2, I4, I8, U1, U2, U4, U8, F4, F8, C8, CX}, /* bool */
    {I1, I1, I2, I4, I8, I2, I4, I8, F8, F4, F8, C8, CX}, /* int8 */
    {I2, I2, I2, I4, I8, I2, I4, I8, F8, F4, F8, C8, CX}, /* int16 */
    {I4, I4, I4, I4, I8, I4, I4, I8, F8, F8, F8, CX, CX}, /* int32 */
    {I8, I8, I8, I8, I8, I8, I8, I8, F8, F8, F8, CX, CX}, /* int64 */
    {U1, I2, I2, I4, I8, U1, U2, U4, U8, F4, F8, C8, CX}, /* uint8 */
    {U2, I4, I4, I4, I8, U2, U2, U4, U8, F4, F8, C8, CX}, /* uint16 */
    {U4, I8, I8, I8, I8, U4, U4, U4, U8, F8, F8, CX, CX}, /* uint32 */
    {U8, F8, F8, F8, F8, U8, U8, U8, U8, F8, F8, CX, CX}, /* uint64 */
    {F4, F4, F4, F8, F8, F4, F4, F8, F8, F4, F8, C8, CX}, /* float32 */
    {F8, F8, F8, F8, F8, F8, F8, F8, F8, F8, F8, CX, CX}, /* float64 */
    {C8, C8, C8, CX, CX, C8, C8, CX, CX, C8, CX, C8, CX}, /* complex64 */
    {CX, CX, CX, CX, CX, CX, CX, CX, CX, CX, CX, CX, CX}, /* complex128 */
};

clast_dtype cl_dtype_promote(clast_dtype a, clast_dtype b)
{
    return (clast_dtype)promotion[a][b];
}

clast_dtype cl_dtype_of_weak(cl_kind weak)
{
    static const uint8_t own[] = {[CL_KIND_BOOL] = BO,
                                  [CL_KIND_INT] = I8,
                                  [CL_KIND_UINT] = I8,
                                  [CL_KIND_FLOAT] = F8,
                                  [CL_KIND_COMPLEX] = CX};
    return (clast_dtype)own[weak];
}

clast_dtype cl_dtype_promote_weak(clast_dtype strong, cl_kind weak)
{
    const cl_kind kind = cl_dtype_kind(strong);
    if (weak == CL_KIND_UINT)
        weak = CL_KIND_INT;
    if (kind >= weak)
        return strong;
    if (kind == CL_KIND_FLOAT) /* with a weak complex: of the same precision */
        return strong == F4 ? C8 : CX;
    return cl_dtype_of_weak(weak);
}

clast_dtype cl_dtype_real(clast_dtype t)
{
    return t == C8 ? F4 : t == CX ? F8 : t;
}

bool cl_dtype_parse(const char *name, clast_dtype *dtype)
{
    for (int t = 0; t < CLAST_NDTYPE; t++)
        if (strcmp(name, facts[t].name) == 0) {
            *dtype = (clast_dtype)t;
            return true;
        }
    return false;
}

/* ---- single elements ---- */

/* What cvttsd2si gives: truncated, INT64_MIN for NaN and whatever does not fit. */
static int64_t truncate64(double v)
{
    return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
}

static int32_t truncate32(double v)
{
    return v > -0x1p31 - 1 && v < 0x1p31 ? (int32_t)v : INT32_MIN;
}

/* As compilers convert to uint64_t on x86-64 without AVX-512: the upper half by way of
 * a subtraction, so that -1.0 becomes the largest number and 2^64 becomes 0. */
static uint64_t truncate_unsigned(double v)
{
    if (v >= 0x1p63)
        return (uint64_t)truncate64(v - 0x1p63) ^ (uint64_t)1 << 63;
    return (uint64_t)truncate64(v);
}

/* An element in the widest type of its kind; kind UINT is held in u, INT and BOOL in i.
 */
typedef struct {
    cl_kind kind;
    int64_t i;
    uint64_t u;
    double re, im;
} wide;

static wide widen(cl_scalar v, clast_dtype from)
{
    wide w = {.kind = cl_dtype_kind(from)};
    switch (from) {
    case CLAST_BOOL:
        w.i = v.u8 != 0;
        break;
    case CLAST_INT8:
        w.i = v.i8;
        break;
    case CLAST_INT16:
        w.i = v.i16;
        break;
    case CLAST_INT32:
        w.i = v.i32;
        break;
    case CLAST_INT64:
        w.i = v.i64;
        break;
    case CLAST_UINT8:
        w.u = v.u8;
        break;
    case CLAST_UINT16:
        w.u = v.u16;
        break;
    case CLAST_UINT32:
        w.u = v.u32;
        break;
    case CLAST_UINT64:
        w.u = v.u64;
        break;
    case CLAST_FLOAT32:
        w.re = (double)v.f32;
        break;
    case CLAST_FLOAT64:
        w.re = v.f64;
        break;
    case CLAST_COMPLEX64:
        w.re = (double)v.c64[0], w.im = (double)v.c64[1];
        break;
    case CLAST_COMPLEX128:
        w.re = v.c128[0], w.im = v.c128[1];
        break;
    case CLAST_NDTYPE:
        break;
    }
    return w;
}

static bool is_inexact(const wide *w)
{
    return w->kind >= CL_KIND_FLOAT;
}

static bool to_bool(const wide *w)
{
    return is_inexact(w) ? w->re != 0 || w->im != 0 : (w->i != 0 || w->u != 0);
}

/* The low bits of an integer; `bits` is the width of the target. */
static uint64_t to_bits(const wide *w, clast_dtype to)
{
    if (w->kind == CL_KIND_UINT)
        return w->u;
    if (!is_inexact(w))
        return (uint64_t)w->i;
    if (to == CLAST_UINT64)
        return truncate_unsigned(w->re);
    if (to == CLAST_INT64 || to == CLAST_UINT32)
        return (uint64_t)truncate64(w->re);
    return (uint64_t)truncate32(w->re);
}

/* Straight from the integer: going through double would round twice. */
static float to_float(const wide *w)
{
    return w->kind == CL_KIND_UINT ? (float)w->u
           : is_inexact(w)         ? (float)w->re
                                   : (float)w->i;
}

static double to_double(const wide *w)
{
    return w->kind == CL_KIND_UINT ? (double)w->u
           : is_inexact(w)         ? w->re
                                   : (double)w->i;
}

cl_scalar cl_scalar_cast(cl_scalar v, clast_dtype from, clast_dtype to)
{
    const wide w = widen(v, from);
    cl_scalar out;
    memset(&out, 0, sizeof out);
    switch (to) {
    case CLAST_BOOL:
        out.u8 = to_bool(&w);
        break;
    case CLAST_INT8:
    case CLAST_UINT8:
        out.u8 = (uint8_t)to_bits(&w, to);
        break;
    case CLAST_INT16:
    case CLAST_UINT16:
        out.u16 = (uint16_t)to_bits(&w, to);
        break;
    case CLAST_INT32:
    case CLAST_UINT32:
        out.u32 = (uint32_t)to_bits(&w, to);
        break;
    case CLAST_INT64:
    case CLAST_UINT64:
        out.u64 = to_bits(&w, to);
        break;
    case CLAST_FLOAT32:
        out.f32 = to_float(&w);
        break;
    case CLAST_FLOAT64:
        out.f64 = to_double(&w);
        break;
    case CLAST_COMPLEX64:
        out.c64[0] = to_float(&w), out.c64[1] = (float)w.im;
        break;
    case CLAST_COMPLEX128:
        out.c128[0] = to_double(&w), out.c128[1] = w.im;
        break;
    case CLAST_NDTYPE:
        break;
    }
    return out;
}

bool cl_int_fits(int64_t v, clast_dtype dtype)
{
    const int bits = 8 * (int)clast_dtype_size(dtype);
    if (!cl_dtype_is_integer(dtype))
        return true;
    if (cl_dtype_kind(dtype) == CL_KIND_UINT)
        return v >= 0 && (bits == 64 || v < (int64_t)1 << bits);
    return bits == 64 ||
           (v >= -((int64_t)1 << (bits - 1)) && v < (int64_t)1 << (bits - 1));
}
