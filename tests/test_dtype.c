/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Element types against NumPy. The expected tables were printed by NumPy 1.24 with
 * NPY_PROMOTION_STATE=weak (the rules of NumPy 2): numpy.promote_types, dtypes of
 * array + Python scalar, and astype of one-element arrays on x86-64.
 */
#include "base/dtype.h"

#include <math.h>
#include <string.h>

#include "check_main.h"

static const char *const codes[CLAST_NDTYPE] = {
    "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "cx"};

static const char *const promoted[CLAST_NDTYPE] = {
    "b1 i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 cx", /* bool */
    "i1 i1 i2 i4 i8 i2 i4 i8 f8 f4 f8 c8 cx", /* int8 */
    "i2 i2 i2 i4 i8 i2 i4 i8 f8 f4 f8 c8 cx", /* int16 */
    "i4 i4 i4 i4 i8 i4 i4 i8 f8 f8 f8 cx cx", /* int32 */
    "i8 i8 i8 i8 i8 i8 i8 i8 f8 f8 f8 cx cx", /* int64 */
    "u1 i2 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 cx", /* uint8 */
    "u2 i4 i4 i4 i8 u2 u2 u4 u8 f4 f8 c8 cx", /* uint16 */
    "u4 i8 i8 i8 i8 u4 u4 u4 u8 f8 f8 cx cx", /* uint32 */
    "u8 f8 f8 f8 f8 u8 u8 u8 u8 f8 f8 cx cx", /* uint64 */
    "f4 f4 f4 f8 f8 f4 f4 f8 f8 f4 f8 c8 cx", /* float32 */
    "f8 f8 f8 f8 f8 f8 f8 f8 f8 f8 f8 cx cx", /* float64 */
    "c8 c8 c8 cx cx c8 c8 cx cx c8 cx c8 cx", /* complex64 */
    "cx cx cx cx cx cx cx cx cx cx cx cx cx", /* complex128 */
};

/* With True, 1, 1.0 and 1j. */
static const char *const with_weak[CLAST_NDTYPE] = {
    "b1 i8 f8 cx", /* bool */
    "i1 i1 f8 cx", /* int8 */
    "i2 i2 f8 cx", /* int16 */
    "i4 i4 f8 cx", /* int32 */
    "i8 i8 f8 cx", /* int64 */
    "u1 u1 f8 cx", /* uint8 */
    "u2 u2 f8 cx", /* uint16 */
    "u4 u4 f8 cx", /* uint32 */
    "u8 u8 f8 cx", /* uint64 */
    "f4 f4 f4 c8", /* float32 */
    "f8 f8 f8 cx", /* float64 */
    "c8 c8 c8 c8", /* complex64 */
    "cx cx cx cx", /* complex128 */
};

START_TEST(test_promotes)
{
    for (int b = 0; b < CLAST_NDTYPE; b++) {
        const clast_dtype t = cl_dtype_promote((clast_dtype)_i, (clast_dtype)b);
        ck_assert_msg(strncmp(codes[t], promoted[_i] + 3 * b, 2) == 0, "%s with %s: %s",
                      clast_dtype_name((clast_dtype)_i),
                      clast_dtype_name((clast_dtype)b), clast_dtype_name(t));
    }
}
END_TEST

static const cl_kind weak_kinds[] = {CL_KIND_BOOL, CL_KIND_INT, CL_KIND_FLOAT,
                                     CL_KIND_COMPLEX};

START_TEST(test_promotes_weak)
{
    for (int k = 0; k < 4; k++) {
        const clast_dtype t = cl_dtype_promote_weak((clast_dtype)_i, weak_kinds[k]);
        ck_assert_msg(strncmp(codes[t], with_weak[_i] + 3 * k, 2) == 0, "%s: %s",
                      clast_dtype_name((clast_dtype)_i), clast_dtype_name(t));
    }
}
END_TEST

START_TEST(test_weak_alone)
{
    static const clast_dtype own[] = {CLAST_BOOL, CLAST_INT64, CLAST_FLOAT64,
                                      CLAST_COMPLEX128};
    for (int k = 0; k < 4; k++)
        ck_assert_int_eq(cl_dtype_of_weak(weak_kinds[k]), own[k]);
}
END_TEST

static const struct {
    const char *name;
    size_t size;
    cl_kind kind;
    clast_dtype real;
} facts[CLAST_NDTYPE] = {
    {"bool", 1, CL_KIND_BOOL, CLAST_BOOL},
    {"int8", 1, CL_KIND_INT, CLAST_INT8},
    {"int16", 2, CL_KIND_INT, CLAST_INT16},
    {"int32", 4, CL_KIND_INT, CLAST_INT32},
    {"int64", 8, CL_KIND_INT, CLAST_INT64},
    {"uint8", 1, CL_KIND_UINT, CLAST_UINT8},
    {"uint16", 2, CL_KIND_UINT, CLAST_UINT16},
    {"uint32", 4, CL_KIND_UINT, CLAST_UINT32},
    {"uint64", 8, CL_KIND_UINT, CLAST_UINT64},
    {"float32", 4, CL_KIND_FLOAT, CLAST_FLOAT32},
    {"float64", 8, CL_KIND_FLOAT, CLAST_FLOAT64},
    {"complex64", 8, CL_KIND_COMPLEX, CLAST_FLOAT32},
    {"complex128", 16, CL_KIND_COMPLEX, CLAST_FLOAT64},
};

START_TEST(test_facts)
{
    const clast_dtype t = (clast_dtype)_i;
    clast_dtype parsed = CLAST_NDTYPE;
    ck_assert_str_eq(clast_dtype_name(t), facts[_i].name);
    ck_assert_uint_eq(clast_dtype_size(t), facts[_i].size);
    ck_assert_int_eq(cl_dtype_kind(t), facts[_i].kind);
    ck_assert_int_eq(cl_dtype_real(t), facts[_i].real);
    ck_assert(cl_dtype_parse(facts[_i].name, &parsed));
    ck_assert_int_eq(parsed, t);
}
END_TEST

START_TEST(test_no_dtypes)
{
    clast_dtype t = CLAST_INT8;
    static const char *const names[] = {"", "f4", "float", "Bool", "int", "float64 "};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert(!cl_dtype_parse(names[i], &t));
    ck_assert_int_eq(t, CLAST_INT8);
    ck_assert_uint_eq(clast_dtype_size(CLAST_NDTYPE), 0);
    ck_assert_str_eq(clast_dtype_name((clast_dtype)-1), "?");
}
END_TEST

/* ---- casts ---- */

/* Bits in int8, int16, int32, int64, uint8, uint16, uint32, uint64. */
static const struct {
    double v;
    uint64_t bits[8];
} from_double[] = {
    {1.9, {1, 1, 1, 1, 1, 1, 1, 1}},
    {-1.9,
     {0xffu, 0xffffu, 0xffffffffu, 0xffffffffffffffffu, 0xffu, 0xffffu, 0xffffffffu,
      0xffffffffffffffffu}},
    {127.5, {0x7fu, 0x7fu, 0x7fu, 0x7fu, 0x7fu, 0x7fu, 0x7fu, 0x7fu}},
    {128.0, {0x80u, 0x80u, 0x80u, 0x80u, 0x80u, 0x80u, 0x80u, 0x80u}},
    {-129.0,
     {0x7fu, 0xff7fu, 0xffffff7fu, 0xffffffffffffff7fu, 0x7fu, 0xff7fu, 0xffffff7fu,
      0xffffffffffffff7fu}},
    {255.0, {0xffu, 0xffu, 0xffu, 0xffu, 0xffu, 0xffu, 0xffu, 0xffu}},
    {300.7, {0x2cu, 0x12cu, 0x12cu, 0x12cu, 0x2cu, 0x12cu, 0x12cu, 0x12cu}},
    {-300.7,
     {0xd4u, 0xfed4u, 0xfffffed4u, 0xfffffffffffffed4u, 0xd4u, 0xfed4u, 0xfffffed4u,
      0xfffffffffffffed4u}},
    {70000.0, {0x70u, 0x1170u, 0x11170u, 0x11170u, 0x70u, 0x1170u, 0x11170u, 0x11170u}},
    {-1.0,
     {0xffu, 0xffffu, 0xffffffffu, 0xffffffffffffffffu, 0xffu, 0xffffu, 0xffffffffu,
      0xffffffffffffffffu}},
    {0x1.fffffffc00000p+30,
     {0xffu, 0xffffu, 0x7fffffffu, 0x7fffffffu, 0xffu, 0xffffu, 0x7fffffffu,
      0x7fffffffu}},
    {0x1.0000000000000p+31,
     {0, 0, 0x80000000u, 0x80000000u, 0, 0, 0x80000000u, 0x80000000u}},
    {-0x1.0000000100000p+31,
     {0, 0, 0x80000000u, 0xffffffff80000000u, 0, 0, 0x80000000u, 0xffffffff80000000u}},
    {-0x1.0000000200000p+31,
     {0, 0, 0x80000000u, 0xffffffff7fffffffu, 0, 0, 0x7fffffffu, 0xffffffff7fffffffu}},
    {0x1.0000000000000p+32, {0, 0, 0x80000000u, 0x100000000u, 0, 0, 0, 0x100000000u}},
    {-0x1.0000000100000p+32,
     {0, 0, 0x80000000u, 0xfffffffeffffffffu, 0, 0, 0xffffffffu, 0xfffffffeffffffffu}},
    {0x1.fffffffffffffp+62,
     {0, 0, 0x80000000u, 0x7ffffffffffffc00u, 0, 0, 0xfffffc00u, 0x7ffffffffffffc00u}},
    {0x1.0000000000000p+63,
     {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0x8000000000000000u}},
    {-0x1.0000000000000p+63,
     {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0x8000000000000000u}},
    {0x1.fffffffffffffp+63,
     {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0xfffffffffffff800u}},
    {0x1.0000000000000p+64, {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0}},
    {0x1.7e43c8800759cp+996, {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0}},
    {-0x1.7e43c8800759cp+996,
     {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0x8000000000000000u}},
    {INFINITY, {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0}},
    {-INFINITY, {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0x8000000000000000u}},
    {NAN, {0, 0, 0x80000000u, 0x8000000000000000u, 0, 0, 0, 0x8000000000000000u}},
};

static uint64_t low_bits(cl_scalar v, clast_dtype t)
{
    const size_t size = clast_dtype_size(t);
    return size == 1 ? v.u8 : size == 2 ? v.u16 : size == 4 ? v.u32 : v.u64;
}

START_TEST(test_float_to_integer)
{
    const double v = from_double[_i].v;
    for (int t = CLAST_INT8; t <= CLAST_UINT64; t++) {
        const uint64_t want = from_double[_i].bits[t - CLAST_INT8];
        cl_scalar s = {.f64 = v};
        ck_assert_uint_eq(
            low_bits(cl_scalar_cast(s, CLAST_FLOAT64, (clast_dtype)t), (clast_dtype)t),
            want);
        s = (cl_scalar){.c128 = {v, 5}};
        ck_assert_uint_eq(low_bits(cl_scalar_cast(s, CLAST_COMPLEX128, (clast_dtype)t),
                                   (clast_dtype)t),
                          want);
        if ((double)(float)v == v || isnan(v)) {
            s = (cl_scalar){.f32 = (float)v};
            ck_assert_uint_eq(low_bits(cl_scalar_cast(s, CLAST_FLOAT32, (clast_dtype)t),
                                       (clast_dtype)t),
                              want);
        }
    }
}
END_TEST

START_TEST(test_integer_to_float)
{
    cl_scalar s = {.i64 =
                       INT64_C(16777217) << 24 | 1}; /* rounds up, twice-rounded down */
    ck_assert(cl_scalar_cast(s, CLAST_INT64, CLAST_FLOAT32).f32 == (float)s.i64);
    s.u64 = UINT64_MAX;
    ck_assert(cl_scalar_cast(s, CLAST_UINT64, CLAST_FLOAT64).f64 == 0x1p64);
    ck_assert(cl_scalar_cast(s, CLAST_INT64, CLAST_FLOAT64).f64 == -1);
    ck_assert(cl_scalar_cast(s, CLAST_UINT64, CLAST_COMPLEX64).c64[0] == 0x1p64f);
    ck_assert(cl_scalar_cast(s, CLAST_UINT64, CLAST_COMPLEX64).c64[1] == 0);
    s.i8 = -3;
    ck_assert(cl_scalar_cast(s, CLAST_INT8, CLAST_COMPLEX128).c128[0] == -3);
    s.f64 = 1e300;
    ck_assert(isinf(cl_scalar_cast(s, CLAST_FLOAT64, CLAST_FLOAT32).f32));
}
END_TEST

START_TEST(test_to_bool)
{
    static const struct {
        cl_scalar v;
        clast_dtype from;
        bool want;
    } cases[] = {
        {{.i64 = 256}, CLAST_INT64, true},
        {{.i64 = 0}, CLAST_INT64, false},
        {{.u64 = (uint64_t)1 << 63}, CLAST_UINT64, true},
        {{.f64 = NAN}, CLAST_FLOAT64, true},
        {{.f64 = -0.0}, CLAST_FLOAT64, false},
        {{.f32 = 1e-40f}, CLAST_FLOAT32, true},
        {{.c128 = {0, 1e-300}}, CLAST_COMPLEX128, true},
        {{.c64 = {0, -0.0f}}, CLAST_COMPLEX64, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const cl_scalar b = cl_scalar_cast(cases[i].v, cases[i].from, CLAST_BOOL);
        ck_assert_int_eq(b.u8, cases[i].want);
    }
}
END_TEST

START_TEST(test_integer_wraps)
{
    const cl_scalar s = {.i64 = -1};
    ck_assert_uint_eq(cl_scalar_cast(s, CLAST_INT64, CLAST_UINT16).u16, 65535);
    ck_assert_int_eq(cl_scalar_cast((cl_scalar){.u8 = 200}, CLAST_UINT8, CLAST_INT8).i8,
                     -56);
    ck_assert_int_eq(
        cl_scalar_cast((cl_scalar){.i8 = -56}, CLAST_INT8, CLAST_INT64).i64, -56);
    ck_assert_uint_eq(
        cl_scalar_cast((cl_scalar){.u8 = 1}, CLAST_BOOL, CLAST_UINT32).u32, 1);
}
END_TEST

static const struct {
    int64_t v;
    clast_dtype dtype;
    bool fits;
} fits[] = {
    {127, CLAST_INT8, true},          {128, CLAST_INT8, false},
    {-128, CLAST_INT8, true},         {-129, CLAST_INT8, false},
    {255, CLAST_UINT8, true},         {256, CLAST_UINT8, false},
    {-1, CLAST_UINT8, false},         {-1, CLAST_UINT64, false},
    {INT64_MAX, CLAST_UINT64, true},  {INT64_MIN, CLAST_INT64, true},
    {4294967295, CLAST_UINT32, true}, {4294967296, CLAST_UINT32, false},
    {INT64_MIN, CLAST_FLOAT32, true}, {7, CLAST_BOOL, true},
};

START_TEST(test_int_fits)
{
    ck_assert(cl_int_fits(fits[_i].v, fits[_i].dtype) == fits[_i].fits);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("dtype");
    TCase *t = tcase_create("dtype");
    tcase_add_loop_test(t, test_promotes, 0, CLAST_NDTYPE);
    tcase_add_loop_test(t, test_promotes_weak, 0, CLAST_NDTYPE);
    tcase_add_test(t, test_weak_alone);
    tcase_add_loop_test(t, test_facts, 0, CLAST_NDTYPE);
    tcase_add_test(t, test_no_dtypes);
    tcase_add_loop_test(t, test_float_to_integer, 0,
                        sizeof from_double / sizeof *from_double);
    tcase_add_test(t, test_integer_to_float);
    tcase_add_test(t, test_to_bool);
    tcase_add_test(t, test_integer_wraps);
    tcase_add_loop_test(t, test_int_fits, 0, sizeof fits / sizeof *fits);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
