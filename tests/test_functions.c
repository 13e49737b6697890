/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The functions that work on whole vectors (exp, log, sin, cos, pow, sqrt of floats):
 * on a million arguments each, every instruction set of this CPU gives the same bits,
 * whatever stands beside a number, and errs by at most one unit in the last place; sqrt
 * not at all. `test_functions --sweep MILLIONS [NAME]` tries as many arguments, of that
 * function only if it is named, and tells the largest error.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "kernel/loops.h"
#include "naive.h"

#define BLOCK 4096
#define SHIFT 5 /* elements: other neighbours, and another place in the vector */

typedef long double exact_fn(long double, long double);

static long double exp_exact(long double x, long double y)
{
    return expl(x);
}
static long double log_exact(long double x, long double y)
{
    return logl(x);
}
static long double sin_exact(long double x, long double y)
{
    return sinl(x);
}
static long double cos_exact(long double x, long double y)
{
    return cosl(x);
}

static const struct {
    cl_op op;
    exact_fn *exact; /* NULL: the square root, which the C library rounds correctly */
} functions[] = {{CL_OP_EXP, exp_exact}, {CL_OP_LOG, log_exact}, {CL_OP_SIN, sin_exact},
                 {CL_OP_COS, cos_exact}, {CL_OP_POW, powl},      {CL_OP_SQRT, NULL}};
enum { NFUNCTION = sizeof functions / sizeof *functions };

static int64_t blocks = (1 << 20) / BLOCK;
static const char *only; /* function; NULL: all */

/* ---- arguments ---- */

/* Neighbours of x, up to three doubles away. */
static double near(uint64_t *seed, double x)
{
    for (int64_t k = naive_below(seed, 4); k > 0; k--)
        x = nextafter(x, naive_below(seed, 2) ? INFINITY : -INFINITY);
    return x;
}

static double any_sign(uint64_t *seed, double x)
{
    return naive_below(seed, 2) ? x : -x;
}

/* Numbers at which a method changes, or rounding is hard. */
static double hard(uint64_t *seed)
{
    static const double edges[] = {
        0,     0x1p-1074, 0x1p-1022, 0x1p-900, 0x1p-126, 0x1p-30, 708,   709.78, 745.13,
        49152, 1e5,       0x1p1023,  INFINITY, NAN,      88.72,   103.9, 39000,  1};
    const double k = (double)naive_below(seed, 1 << naive_below(seed, 17));
    switch (naive_below(seed, 6)) {
    case 0:
        return any_sign(seed, near(seed, edges[naive_below(seed, 18)]));
    case 1: /* zeros of sin and cos, and halves between them */
        return any_sign(seed, near(seed, k * 0x1.921fb54442d18p-1));
    case 2: /* halves between sixteenths of log(2) */
        return any_sign(seed, near(seed, k * 0x1.62e42fefa39efp-6));
    case 3: /* powers of two */
        return near(seed, ldexp(1, (int)naive_below(seed, 2098) - 1074));
    case 4: { /* squares of numbers in the middle between two doubles */
        const double m = (double)(((int64_t)1 << 53) + naive_below(seed, 1ll << 53));
        const long double middle = (long double)m + (m < 0x1p54 ? 1 : 0);
        return near(seed, (double)(middle * middle) *
                              ldexp(1, 2 * (int)naive_below(seed, 400) - 400));
    }
    default: /* squares, which have exact roots */
        return k * k * ldexp(1, 2 * (int)naive_below(seed, 400) - 400);
    }
}

static double argument(uint64_t *seed, int64_t block)
{
    const uint64_t bits = naive_next(seed);
    switch (block % 4) {
    case 0:
        return hard(seed);
    case 1: {
        double x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    case 2:
        return (double)(int64_t)bits * 0x1p-58; /* -32 to 32 */
    default:
        return ldexp((double)(int64_t)bits, (int)naive_below(seed, 80) - 124);
    }
}

static cl_scalar as(clast_dtype type, double x)
{
    return cl_scalar_cast((cl_scalar){.f64 = x}, CLAST_FLOAT64, type);
}

/* ---- one block ---- */

typedef struct {
    cl_op op;
    exact_fn *exact;
    clast_dtype type;
    size_t size;
    double worst, worst_at;
    char x[(BLOCK + SHIFT) * 8], y[(BLOCK + SHIFT) * 8]; /* the first ones once more */
    char first[BLOCK * 8], out[(BLOCK + SHIFT) * 8];
} trial;

static cl_scalar at(const trial *t, const char *values, int64_t i)
{
    cl_scalar v = {.i64 = 0};
    memcpy(&v, values + (size_t)i * t->size, t->size);
    return v;
}

static double plain(const trial *t, cl_scalar v)
{
    return t->type == CLAST_FLOAT32 ? (double)v.f32 : v.f64;
}

static void fill(trial *t, uint64_t *seed, int64_t block)
{
    const bool is_raw = t->type == CLAST_FLOAT32 && block % 4 == 1; /* any bits */
    for (int64_t i = 0; i < BLOCK; i++) {
        cl_scalar x = as(t->type, argument(seed, block));
        cl_scalar y = as(t->type, argument(seed, block % 8 < 4 ? block : 2));
        if (is_raw)
            x.u64 = naive_next(seed);
        memcpy(t->x + (size_t)i * t->size, &x, t->size);
        memcpy(t->y + (size_t)i * t->size, &y, t->size);
    }
    memcpy(t->x + BLOCK * t->size, t->x, SHIFT * t->size);
    memcpy(t->y + BLOCK * t->size, t->y, SHIFT * t->size);
}

static void call(trial *t, int64_t from, int64_t n, char *out)
{
    cl_loop_fn *const fn = cl_loops_now()->op[t->type][t->op];
    const size_t skip = (size_t)from * t->size;
    fn((size_t)n, out, t->x + skip, t->y + skip, NULL);
}

static void check_same(const trial *t, cl_scalar got, int64_t i, const char *how)
{
    const cl_scalar want = at(t, t->first, i);
    ck_assert_msg(naive_same(got, want, t->type), "%s %s of %a, %a: %s %s: %a, not %a",
                  cl_ops[t->op].name, clast_dtype_name(t->type),
                  plain(t, at(t, t->x, i)), plain(t, at(t, t->y, i)),
                  cl_loops_now()->name, how, plain(t, got), plain(t, want));
}

static void check_levels(trial *t)
{
    for (int isa = 0; isa < CL_NISA; isa++) {
        if (!cl_loops_set((cl_isa)isa))
            continue;
        call(t, 0, BLOCK, isa == CL_ISA_BASELINE ? t->first : t->out);
        for (int64_t i = 0; isa != CL_ISA_BASELINE && i < BLOCK; i++)
            check_same(t, at(t, t->out, i), i, "differs");
        call(t, SHIFT, BLOCK, t->out);
        for (int64_t i = 0; i < BLOCK; i++)
            check_same(t, at(t, t->out, i), (i + SHIFT) % BLOCK, "beside others");
    }
}

static void check_errors(trial *t)
{
    for (int64_t i = 0; i < BLOCK; i++) {
        const double x = plain(t, at(t, t->x, i)), y = plain(t, at(t, t->y, i));
        const cl_scalar got = at(t, t->first, i);
        if (!t->exact) {
            const cl_scalar want = t->type == CLAST_FLOAT32
                                       ? (cl_scalar){.f32 = sqrtf((float)x)}
                                       : (cl_scalar){.f64 = sqrt(x)};
            ck_assert_msg(naive_same(got, want, t->type), "sqrt(%a) = %a, not %a", x,
                          plain(t, got), plain(t, want));
            continue;
        }
        const long double want = t->exact(x, y);
        const double error = t->type == CLAST_FLOAT32 ? naive_ulps_f32(got.f32, want)
                                                      : naive_ulps_f64(got.f64, want);
        ck_assert_msg(error <= 1, "%s %s of %a, %a: %a is wrong by %g ulp",
                      cl_ops[t->op].name, clast_dtype_name(t->type), x, y,
                      plain(t, got), error);
        ck_assert_msg(plain(t, got) != 0 || !signbit(plain(t, got)) == !signbit(want),
                      "%s %s of %a, %a: a zero of the wrong sign", cl_ops[t->op].name,
                      clast_dtype_name(t->type), x, y);
        if (error > t->worst) {
            t->worst = error;
            t->worst_at = x;
        }
    }
}

static void try_function(int which, clast_dtype type)
{
    if (only && strcmp(only, cl_ops[functions[which].op].name) != 0)
        return;
    trial *t = calloc(1, sizeof *t);
    ck_assert_ptr_nonnull(t);
    t->op = functions[which].op;
    t->exact = functions[which].exact;
    t->type = type;
    t->size = clast_dtype_size(type);
    uint64_t seed = (uint64_t)which * 2 + (type == CLAST_FLOAT32);
    for (int64_t block = 0; block < blocks; block++) {
        fill(t, &seed, block);
        check_levels(t);
        check_errors(t);
    }
    printf("# %s %s: %g ulp at %a\n", cl_ops[t->op].name, clast_dtype_name(type),
           t->worst, t->worst_at);
    free(t);
}

START_TEST(levels_agree)
{
    try_function(_i / 2, _i % 2 ? CLAST_FLOAT32 : CLAST_FLOAT64);
}
END_TEST

/* What the C library says, alone and beside others of its kind, on every level. */
static void check_root(double x)
{
    enum { WIDE = 48 };
    double in[WIDE], out[WIDE];
    for (int i = 0; i < WIDE; i++)
        in[i] = x;
    for (int isa = 0; isa < CL_NISA; isa++) {
        if (!cl_loops_set((cl_isa)isa))
            continue;
        cl_loops_now()->op[CLAST_FLOAT64][CL_OP_SQRT](WIDE, out, in, NULL, NULL);
        for (int i = 0; i < WIDE; i++)
            ck_assert_msg(out[i] == sqrt(x), "%s: sqrt(%a) = %a, not %a",
                          cl_loops_now()->name, x, out[i], sqrt(x));
    }
}

START_TEST(roots_of_every_size)
{
    static const double mantissas[] = {
        1, 1 + 0x1p-52, 1 + 0x1p-51, 1 + 0x3p-52, 2 - 0x1p-52, 2 - 0x1p-51, 1.5};
    for (int exponent = -1074; exponent < 1024; exponent++)
        for (size_t m = 0; m < sizeof mantissas / sizeof *mantissas; m++)
            check_root(ldexp(mantissas[m], exponent));
}
END_TEST

/* An odd root of c, which is 1 modulo 8, modulo 2^bits: bit by bit. */
static uint64_t root_modulo(uint64_t c, int bits)
{
    uint64_t root = 1;
    for (int k = 3; k < bits; k++)
        if ((root * root - c) >> k & 1)
            root += (uint64_t)1 << (k - 1);
    return root;
}

/* The roots that are nearest to the middle m 2^-53 of two doubles: x = m^2 - c, in
 * units of 2^-106, is a double for a small c where m^2 = c modulo 2^54, or 2^55 from 2
 * on. */
START_TEST(hardest_roots)
{
    __extension__ typedef unsigned __int128 wide;
    const wide one = 1;
    int tried = 0;
    for (int64_t c = -4095; c < 4096; c += 8)
        for (int bits = 54; bits <= 55; bits++)
            for (int which = 0; which < 4; which++) {
                const uint64_t root = root_modulo((uint64_t)c, bits);
                const uint64_t other = which & 1 ? -root : root;
                const uint64_t half = (uint64_t)(which >> 1) << (bits - 1);
                const uint64_t m = (other + half) & (((uint64_t)1 << bits) - 1);
                const wide square = (wide)m * m;
                if (square < one << (bits + 52) || square >= one << (bits + 53))
                    continue;
                const uint64_t x = (uint64_t)((square - (wide)c) >> bits);
                check_root(ldexp((double)x, bits - 106));
                check_root(ldexp((double)x, bits - 106 - 800));
                tried++;
            }
    ck_assert_int_gt(tried, 500);
}
END_TEST

static Suite *functions_suite(void)
{
    Suite *s = suite_create("functions");
    TCase *t = tcase_create("functions");
    tcase_add_loop_test(t, levels_agree, 0, 2 * NFUNCTION);
    tcase_add_test(t, roots_of_every_size);
    tcase_add_test(t, hardest_roots);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--sweep") == 0) {
        blocks = atoll(argv[2]) * 1000000 / BLOCK;
        only = argc > 3 ? argv[3] : NULL;
        setenv("CK_DEFAULT_TIMEOUT", "0", 1);
    }
    Suite *(*const suites[])(void) = {functions_suite};
    return cl_check_main(suites, 1);
}
