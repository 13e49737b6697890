/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Elementwise programs: every operation on every dtype it allows, casts between all
 * pairs, random programs over random boxes and spans, generators, accuracy; each on
 * every instruction set of this CPU.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "kernel/loop.h"
#include "kernel/philox.h"
#include "naive.h"
#include "spans.h"

static void *aligned(size_t bytes)
{
    void *p = NULL;
    ck_assert_int_eq(posix_memalign(&p, 64, bytes + 64), 0);
    return p;
}

static clast_status run(const cl_program *p, const cl_box *box, const cl_input *inputs,
                        void *out)
{
    cl_loop *loop = NULL;
    const clast_status made = cl_loop_new(&loop, p);
    if (made != CLAST_OK)
        return made;
    void *workspace = aligned(cl_loop_workspace(loop));
    const clast_status status = cl_map_run(loop, box, inputs, out, workspace, NULL);
    free(workspace);
    cl_loop_free(loop);
    return status;
}

static bool is_function(cl_op op)
{
    return op == CL_OP_EXP || op == CL_OP_LOG || op == CL_OP_SIN || op == CL_OP_COS ||
           op == CL_OP_POW;
}

/* ---- one operation ---- */

#define LINE 1500

typedef struct {
    cl_op op;
    clast_dtype type, dtype;
    cl_scalar arg[3][LINE];
    int64_t n;
} case_of_op;

/* All pairs of special values, then random ones. */
static void fill_case(case_of_op *c, uint64_t *seed)
{
    const int count = naive_specials(c->type);
    c->n = LINE;
    for (int64_t i = 0; i < c->n; i++)
        for (int k = 0; k < 3; k++) {
            const clast_dtype t = c->op == CL_OP_WHERE && k == 0 ? CLAST_BOOL : c->type;
            const int64_t at = k == 0 ? i % count : i / count;
            const bool is_listed = i < (int64_t)count * count && t == c->type && k < 2;
            c->arg[k][i] =
                is_listed ? naive_special(t, (int)at) : naive_random(seed, t);
        }
    /* no negative exponents of integers: they are refused */
    for (int64_t i = 0; i < c->n && c->op == CL_OP_POW; i++) {
        const cl_scalar wide = cl_scalar_cast(c->arg[1][i], c->type, CLAST_INT64);
        if (cl_dtype_kind(c->type) == CL_KIND_INT && wide.i64 < 0)
            c->arg[1][i] = naive_special(c->type, 2 + (int)(i % 3 == 0));
    }
    for (int64_t i = 0; i < c->n && c->op == CL_OP_POW; i++)
        if (cl_dtype_kind(c->type) == CL_KIND_INT) {
            const cl_scalar wide = cl_scalar_cast(c->arg[1][i], c->type, CLAST_INT64);
            if (wide.i64 < 0)
                c->arg[1][i] = naive_special(c->type, 3);
        }
}

static double ulps(const case_of_op *c, cl_scalar got, int64_t i)
{
    static long double (*const functions[CL_NELEMENTWISE])(long double) = {
        [CL_OP_EXP] = expl, [CL_OP_LOG] = logl, [CL_OP_SIN] = sinl, [CL_OP_COS] = cosl};
    const bool is_single = c->type == CLAST_FLOAT32;
    const long double a = is_single ? c->arg[0][i].f32 : c->arg[0][i].f64;
    const long double b = is_single ? c->arg[1][i].f32 : c->arg[1][i].f64;
    const long double want = c->op == CL_OP_POW ? powl(a, b) : functions[c->op](a);
    return is_single ? naive_ulps_f32(got.f32, want) : naive_ulps_f64(got.f64, want);
}

static void check_result(const case_of_op *c, cl_scalar got, int64_t i, const char *isa)
{
    const cl_scalar arg[3] = {c->arg[0][i], c->arg[1][i], c->arg[2][i]};
    const cl_scalar want = naive_apply(c->op, c->type, c->dtype, arg);
    if (cl_dtype_is_float(c->type) && is_function(c->op))
        ck_assert_msg(ulps(c, got, i) <= 1.0, "%s %s %s: %g (%a, %a): %g ulp", isa,
                      cl_ops[c->op].name, clast_dtype_name(c->type),
                      c->type == CLAST_FLOAT32 ? (double)got.f32 : got.f64,
                      c->type == CLAST_FLOAT32 ? (double)arg[0].f32 : arg[0].f64,
                      c->type == CLAST_FLOAT32 ? (double)arg[1].f32 : arg[1].f64,
                      ulps(c, got, i));
    else
        ck_assert_msg(naive_same(got, want, c->dtype),
                      "%s %s %s -> %s: element %d: %llx %llx gives %llx, not %llx", isa,
                      cl_ops[c->op].name, clast_dtype_name(c->type),
                      clast_dtype_name(c->dtype), (int)i, (long long)arg[0].i64,
                      (long long)arg[1].i64, (long long)got.i64, (long long)want.i64);
}

static void run_case(const case_of_op *c, uint8_t *memory[3], void *out)
{
    const int arity = cl_ops[c->op].arity;
    uint8_t dtype[3];
    cl_span span[3];
    cl_input input[3];
    cl_box box = {.ndim = 1, .n = {c->n}};
    for (int k = 0; k < arity; k++) {
        dtype[k] = c->op == CL_OP_WHERE && k == 0 ? CLAST_BOOL : (uint8_t)c->type;
        const int64_t size = (int64_t)clast_dtype_size((clast_dtype)dtype[k]);
        for (int64_t i = 0; i < c->n; i++)
            memcpy(memory[k] + i * size, &c->arg[k][i], (size_t)size);
        span[k] = (cl_span){.box = box, .data = (char *)memory[k], .stride = {size}};
        input[k] = (cl_input){1, &span[k]};
    }
    const cl_insn insn = {.op = (uint16_t)c->op,
                          .type = (uint8_t)c->type,
                          .dtype = (uint8_t)c->dtype,
                          .arg = {0, 1, 2}};
    const cl_program p = {.ndim = 1,
                          .ninput = (uint16_t)arity,
                          .ninsn = 1,
                          .input_dtype = dtype,
                          .insn = &insn};
    ck_assert_int_eq(run(&p, &box, input, out), CLAST_OK);
}

static void check_case(case_of_op *c, uint64_t *seed)
{
    uint8_t *memory[3];
    cl_scalar *first = aligned(LINE * sizeof *first);
    char *out = aligned(LINE * sizeof(cl_scalar));
    for (int k = 0; k < 3; k++)
        memory[k] = aligned(LINE * sizeof(cl_scalar));
    const size_t size = clast_dtype_size(c->dtype);
    fill_case(c, seed);
    for (int isa = 0; isa < CL_NISA; isa++) {
        if (!cl_loops_set((cl_isa)isa))
            continue;
        run_case(c, memory, out);
        for (int64_t i = 0; i < c->n; i++) {
            cl_scalar got = {.i64 = 0};
            memcpy(&got, out + (size_t)i * size, size);
            check_result(c, got, i, cl_loops_now()->name);
            if (isa == CL_ISA_BASELINE)
                first[i] = got;
            ck_assert(naive_same(first[i], got, c->dtype));
        }
    }
    for (int k = 0; k < 3; k++)
        free(memory[k]);
    free(first);
    free(out);
}

START_TEST(operations)
{
    uint64_t seed = 1;
    case_of_op *c = cl_calloc(1, sizeof *c);
    c->type = (clast_dtype)_i;
    for (int op = 0; op < CL_NELEMENTWISE; op++) {
        c->op = (cl_op)op;
        if (cl_ops[op].arity == 0 || !naive_allows(c->op, c->type))
            continue;
        c->dtype = naive_result(c->op, c->type);
        check_case(c, &seed);
    }
    cl_free(c);
}
END_TEST

START_TEST(casts)
{
    uint64_t seed = 2;
    case_of_op *c = cl_calloc(1, sizeof *c);
    *c = (case_of_op){.op = CL_OP_CAST, .type = (clast_dtype)_i};
    for (int to = 0; to < CLAST_NDTYPE; to++) {
        c->dtype = (clast_dtype)to;
        check_case(c, &seed);
    }
    cl_free(c);
}
END_TEST

/* ---- constant exponents, refused exponents ---- */

START_TEST(constant_powers)
{
    static const double exponents[] = {2, 0.5, 1, -1, 0, 3};
    const double x[] = {0.0, -0.0, 2.0, -3.0, 1e-200, INFINITY, -INFINITY, 0.1};
    const int n = sizeof x / sizeof *x;
    const uint8_t dtype = CLAST_FLOAT64;
    const cl_box box = {.ndim = 1, .n = {n}};
    const cl_span span = {.box = box, .data = (const char *)x, .stride = {8}};
    const cl_input input = {1, &span};
    cl_imm imm = {.value = {{.f64 = exponents[_i]}}};
    const cl_insn insn[] = {
        {.op = CL_OP_CONST, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64},
        {.op = CL_OP_POW,
         .type = CLAST_FLOAT64,
         .dtype = CLAST_FLOAT64,
         .arg = {0, 1}}};
    const cl_program p = {.ndim = 1,
                          .ninput = 1,
                          .ninsn = 2,
                          .nimm = 1,
                          .input_dtype = &dtype,
                          .insn = insn,
                          .imm = &imm};
    double out[8];
    ck_assert_int_eq(run(&p, &box, &input, out), CLAST_OK);
    for (int i = 0; i < n; i++) {
        const double by[] = {x[i] * x[i], sqrt(x[i]), x[i],
                             1 / x[i],    1,          x[i] * x[i] * x[i]};
        if (_i < 5)
            ck_assert(naive_same((cl_scalar){.f64 = out[i]}, (cl_scalar){.f64 = by[_i]},
                                 CLAST_FLOAT64));
        else
            ck_assert(naive_ulps_f64(out[i], powl((long double)x[i], 3)) <= 1);
    }
}
END_TEST

/* x * x / d, and then less d: the quotient is made in one pass with the product, and d
 * itself is used once more. Some divisors have an exact inverse. */
START_TEST(constant_divisors)
{
    static const double divisors[] = {2,      -0.5,     8,       1,       3,
                                      0,      -0.0,     1.5,     0x1p-70, NAN,
                                      0x1p70, INFINITY, 0x1p120, 0x1p-120};
    const double x[] = {0.0,  -0.0,   2.0,      -3.0,      1e-38, 3e-22, 1e-20,
                        1e19, 3e-160, INFINITY, -INFINITY, NAN,   0.1,   1e-162};
    enum { N = sizeof x / sizeof *x };
    const clast_dtype t = _i % 2 ? CLAST_FLOAT32 : CLAST_FLOAT64;
    const int64_t size = (int64_t)clast_dtype_size(t);
    const uint8_t dtype = (uint8_t)t;
    const double d = divisors[_i / 2];
    char in[8 * N], out[8 * N];
    for (int i = 0; i < N; i++) {
        const cl_scalar v = cl_scalar_cast((cl_scalar){.f64 = x[i]}, CLAST_FLOAT64, t);
        memcpy(in + i * size, &v, (size_t)size);
    }
    const cl_box box = {.ndim = 1, .n = {N}};
    const cl_span span = {.box = box, .data = in, .stride = {size}};
    const cl_input input = {1, &span};
    const cl_imm imm = {
        .value = {cl_scalar_cast((cl_scalar){.f64 = d}, CLAST_FLOAT64, t)}};
    const cl_insn insn[] = {
        {.op = CL_OP_CONST, .type = dtype, .dtype = dtype},
        {.op = CL_OP_MUL, .type = dtype, .dtype = dtype, .arg = {0, 0}},
        {.op = CL_OP_DIV, .type = dtype, .dtype = dtype, .arg = {2, 1}},
        {.op = CL_OP_SUB, .type = dtype, .dtype = dtype, .arg = {3, 1}},
    };
    for (uint16_t n = 3; n <= 4; n++) {
        const cl_program p = {.ndim = 1,
                              .ninput = 1,
                              .ninsn = n,
                              .nimm = 1,
                              .input_dtype = &dtype,
                              .insn = insn,
                              .imm = &imm};
        ck_assert_int_eq(run(&p, &box, &input, out), CLAST_OK);
        for (int i = 0; i < N; i++) {
            cl_scalar got = {0}, want;
            memcpy(&got, out + i * size, (size_t)size);
            if (t == CLAST_FLOAT32) {
                const float f = (float)x[i], square = f * f, ratio = square / (float)d;
                want = (cl_scalar){.f32 = n == 3 ? ratio : ratio - (float)d};
            } else {
                const double square = x[i] * x[i], ratio = square / d;
                want = (cl_scalar){.f64 = n == 3 ? ratio : ratio - d};
            }
            ck_assert_msg(naive_same(got, want, t), "%s: %g ** 2 / %g",
                          clast_dtype_name(t), x[i], d);
        }
    }
}
END_TEST

/* Strips by the cost of an element; the values are the same anyhow. */
START_TEST(slow_programs_take_short_strips)
{
    static const struct {
        cl_op op;
        clast_dtype dtype;
        bool is_slow;
        int64_t strip;
    } cases[] = {{CL_OP_ADD, CLAST_FLOAT64, false, 1024},
                 {CL_OP_EXP, CLAST_FLOAT64, true, 256},
                 {CL_OP_EXP, CLAST_FLOAT32, true, 512},
                 {CL_OP_EXP, CLAST_COMPLEX128, true, 256}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t dtype = (uint8_t)cases[i].dtype;
        cl_insn insn[3];
        for (uint16_t k = 0; k < 3; k++)
            insn[k] = (cl_insn){.op = (uint16_t)cases[i].op,
                                .type = dtype,
                                .dtype = dtype,
                                .arg = {k, k}};
        const cl_program p = {
            .ndim = 1, .ninput = 1, .ninsn = 3, .input_dtype = &dtype, .insn = insn};
        cl_loop *loop = NULL;
        ck_assert_int_eq(cl_loop_new(&loop, &p), CLAST_OK);
        ck_assert_int_eq(cl_loop_is_slow(loop), cases[i].is_slow);
        ck_assert_int_eq(loop->strip, cases[i].strip);
        ck_assert_int_eq(loop->register_bytes,
                         cases[i].strip * (int64_t)clast_dtype_size(cases[i].dtype));
        cl_loop_free(loop);
    }
}
END_TEST

static void check_is_fast(const cl_program *p)
{
    cl_loop *loop = NULL;
    ck_assert_int_eq(cl_loop_new(&loop, p), CLAST_OK);
    ck_assert(!cl_loop_is_slow(loop));
    ck_assert_int_eq(loop->strip, 1024);
    cl_loop_free(loop);
}

/* What is done by a cheaper loop costs what that does, and memory's part is no
 * computing. */
START_TEST(squares_and_sums_are_fast)
{
    enum { INPUTS = 20 };
    uint8_t dtype[INPUTS];
    const cl_imm two = {.value = {{.f64 = 2}}};
    cl_insn insn[INPUTS];
    memset(dtype, CLAST_FLOAT64, sizeof dtype);
    for (uint16_t k = 0; k < INPUTS; k++)
        insn[k] = (cl_insn){.op = k == 0 ? CL_OP_CONST : CL_OP_POW,
                            .type = CLAST_FLOAT64,
                            .dtype = CLAST_FLOAT64,
                            .arg = {k, 1}};
    insn[1].arg[0] = 0;
    check_is_fast(&(cl_program){.ndim = 1,
                                .ninput = 1,
                                .ninsn = 4,
                                .nimm = 1,
                                .input_dtype = dtype,
                                .insn = insn,
                                .imm = &two});
    for (uint16_t k = 0; k < INPUTS - 1; k++) {
        insn[k].op = CL_OP_ADD;
        insn[k].arg[0] = k == 0 ? 0 : (uint16_t)(INPUTS + k - 1);
        insn[k].arg[1] = (uint16_t)(k + 1);
    }
    check_is_fast(&(cl_program){.ndim = 1,
                                .ninput = INPUTS,
                                .ninsn = INPUTS - 1,
                                .input_dtype = dtype,
                                .insn = insn});
}
END_TEST

START_TEST(negative_integer_powers_are_refused)
{
    const int32_t x[] = {2, 3, 4}, e[] = {1, -1, 2};
    const uint8_t dtype[] = {CLAST_INT32, CLAST_INT32};
    const cl_box box = {.ndim = 1, .n = {3}};
    const cl_span a = {.box = box, .data = (const char *)x, .stride = {4}};
    const cl_span b = {.box = box, .data = (const char *)e, .stride = {4}};
    const cl_input input[] = {{1, &a}, {1, &b}};
    const cl_insn insn = {
        .op = CL_OP_POW, .type = CLAST_INT32, .dtype = CLAST_INT32, .arg = {0, 1}};
    const cl_program p = {
        .ndim = 1, .ninput = 2, .ninsn = 1, .input_dtype = dtype, .insn = &insn};
    int32_t out[3];
    ck_assert_int_eq(run(&p, &box, input, out), CLAST_EVALUE);
}
END_TEST

/* ---- random programs ---- */

#define MOST_INPUTS 4
#define MOST_STEPS  24

typedef struct {
    cl_program p;
    uint8_t input_dtype[MOST_INPUTS];
    cl_insn insn[2 * MOST_STEPS];
    cl_imm imm[2 * MOST_STEPS];
    spans in[MOST_INPUTS];
    cl_input input[MOST_INPUTS];
    cl_box box;
} trial;

static cl_box random_box(uint64_t *seed)
{
    static const int64_t most[] = {1, 20000, 200, 40, 14, 7, 5};
    cl_box box = {.ndim = (int)naive_below(seed, 7)};
    for (int a = 0; a < box.ndim; a++) {
        box.lo[a] = naive_below(seed, 50);
        box.n[a] =
            naive_below(seed, 8) == 0 ? 1 : 1 + naive_below(seed, most[box.ndim]);
    }
    return box;
}

static uint16_t add_insn(trial *t, cl_op op, clast_dtype type, clast_dtype dtype)
{
    t->insn[t->p.ninsn] =
        (cl_insn){.op = (uint16_t)op, .type = (uint8_t)type, .dtype = (uint8_t)dtype};
    return (uint16_t)(t->p.ninput + t->p.ninsn++);
}

/* A value of the wanted dtype: an earlier one, converted where necessary. */
static uint16_t some_value(trial *t, uint64_t *seed, clast_dtype want)
{
    const uint16_t v = (uint16_t)naive_below(seed, t->p.ninput + t->p.ninsn);
    const clast_dtype has = cl_program_dtype(&t->p, v);
    if (has == want)
        return v;
    const uint16_t cast = add_insn(t, CL_OP_CAST, has, want);
    t->insn[cast - t->p.ninput].arg[0] = v;
    return cast;
}

static void add_maker(trial *t, uint64_t *seed)
{
    static const cl_op makers[] = {CL_OP_CONST, CL_OP_ARANGE, CL_OP_RANDOM};
    static const clast_dtype types[] = {CLAST_INT64, CLAST_UINT64, CLAST_FLOAT64};
    const cl_op op = makers[naive_below(seed, 3)];
    clast_dtype type = types[naive_below(seed, 3)];
    clast_dtype dtype = (clast_dtype)naive_below(seed, CLAST_NDTYPE);
    if (op == CL_OP_RANDOM)
        type = dtype = naive_below(seed, 2) ? CLAST_FLOAT32 : CLAST_FLOAT64;
    if (op == CL_OP_CONST)
        type = dtype;
    const uint16_t v = add_insn(t, op, type, dtype);
    cl_imm *imm = &t->imm[t->p.nimm];
    *imm = (cl_imm){.value = {naive_random(seed, type), naive_random(seed, type)},
                    .base = naive_below(seed, 1000)};
    for (int a = 0; a < t->p.ndim; a++)
        imm->coef[a] = naive_below(seed, 100) - 50;
    t->insn[v - t->p.ninput].imm = t->p.nimm++;
}

static void add_step(trial *t, uint64_t *seed)
{
    const cl_op op = (cl_op)naive_below(seed, CL_NELEMENTWISE);
    const clast_dtype type = (clast_dtype)naive_below(seed, CLAST_NDTYPE);
    if (cl_ops[op].arity == 0) {
        add_maker(t, seed);
        return;
    }
    if (op == CL_OP_CAST || !naive_allows(op, type) ||
        (is_function(op) && !cl_dtype_is_complex(type)))
        return; /* functions of reals have a test of their own */
    uint16_t arg[3] = {0, 0, 0};
    for (int k = 0; k < cl_ops[op].arity; k++)
        arg[k] = some_value(t, seed, op == CL_OP_WHERE && k == 0 ? CLAST_BOOL : type);
    const uint16_t v = add_insn(t, op, type, naive_result(op, type));
    memcpy(t->insn[v - t->p.ninput].arg, arg, sizeof arg);
}

static void make_trial(trial *t, uint64_t *seed)
{
    memset(t, 0, sizeof *t);
    t->box = random_box(seed);
    t->p = (cl_program){.ndim = t->box.ndim,
                        .ninput = (uint16_t)naive_below(seed, MOST_INPUTS + 1),
                        .input_dtype = t->input_dtype,
                        .insn = t->insn,
                        .imm = t->imm};
    for (int i = 0; i < t->p.ninput; i++) {
        t->input_dtype[i] = (uint8_t)naive_below(seed, CLAST_NDTYPE);
        spans_init(&t->in[i], seed, (clast_dtype)t->input_dtype[i], &t->box, true);
        spans_cut(&t->in[i], seed);
        t->input[i] = t->in[i].input;
    }
    if (t->p.ninput == 0)
        add_maker(t, seed);
    const int steps = (int)naive_below(seed, 10);
    for (int k = 0; k < steps; k++)
        add_step(t, seed);
}

static void check_trial(trial *t, int number)
{
    const clast_dtype dtype =
        cl_program_dtype(&t->p, (uint16_t)(t->p.ninput + t->p.ninsn - 1));
    const size_t size = clast_dtype_size(dtype);
    const size_t bytes = (size_t)cl_box_count(&t->box) * size;
    char *out = aligned(bytes), *first = aligned(bytes);
    for (int isa = 0; isa < CL_NISA; isa++) {
        if (!cl_loops_set((cl_isa)isa))
            continue;
        memset(out, 0xA5, bytes + 64);
        ck_assert_int_eq(run(&t->p, &t->box, t->input, out), CLAST_OK);
        for (int k = 0; k < 64; k++) /* nothing was written behind the result */
            ck_assert_int_eq((unsigned char)out[bytes + (size_t)k], 0xA5);
        if (isa == CL_ISA_BASELINE)
            memcpy(first, out, bytes);
        int64_t index[CL_MAXDIM];
        memcpy(index, t->box.lo, sizeof index);
        size_t at = 0;
        do {
            cl_scalar got = {.i64 = 0}, other = {.i64 = 0};
            memcpy(&got, out + at, size);
            memcpy(&other, first + at, size);
            const cl_scalar want = isa ? other : naive_program(&t->p, t->input, index);
            ck_assert_msg(naive_same(got, want, dtype),
                          "trial %d, %s, byte %zu of %zu: %llx, not %llx", number,
                          cl_loops_now()->name, at, bytes, (long long)got.i64,
                          (long long)want.i64);
            at += size;
        } while (naive_next_index(&t->box, index));
    }
    free(out);
    free(first);
}

START_TEST(programs)
{
    uint64_t seed = (uint64_t)_i;
    trial *t = cl_calloc(1, sizeof *t);
    for (int k = 0; k < 60; k++) {
        make_trial(t, &seed);
        check_trial(t, k);
        for (int i = 0; i < t->p.ninput; i++)
            spans_fini(&t->in[i]);
    }
    cl_free(t);
}
END_TEST

START_TEST(empty_boxes)
{
    const uint8_t dtype = CLAST_FLOAT32;
    const cl_insn insn = {
        .op = CL_OP_NEG, .type = CLAST_FLOAT32, .dtype = CLAST_FLOAT32};
    const cl_program p = {
        .ndim = 2, .ninput = 1, .ninsn = 1, .input_dtype = &dtype, .insn = &insn};
    const cl_box box = {.ndim = 2, .n = {3, 0}};
    const cl_input input = {0, NULL};
    char out = 7;
    ck_assert_int_eq(run(&p, &box, &input, &out), CLAST_OK);
    ck_assert_int_eq(out, 7);
}
END_TEST

/* ---- accuracy ---- */

START_TEST(accuracy)
{
    static const cl_op functions[] = {CL_OP_EXP, CL_OP_LOG, CL_OP_SIN, CL_OP_COS,
                                      CL_OP_POW};
    uint64_t seed = 5;
    case_of_op *c = cl_calloc(1, sizeof *c);
    uint8_t *memory[3] = {aligned(LINE * 16), aligned(LINE * 16), aligned(LINE * 16)};
    char *out = aligned(LINE * 16);
    c->op = functions[_i];
    c->n = LINE;
    for (int round = 0; round < 40; round++) {
        c->type = c->dtype = round % 2 ? CLAST_FLOAT32 : CLAST_FLOAT64;
        const size_t size = clast_dtype_size(c->type);
        for (int64_t i = 0; i < c->n; i++)
            for (int k = 0; k < 2; k++) { /* any bits, or moderate numbers */
                cl_scalar v = {.u64 = naive_next(&seed)};
                if (round % 4 < 2)
                    v = cl_scalar_cast((cl_scalar){.f64 = (double)v.i64 * 0x1p-58},
                                       CLAST_FLOAT64, c->type);
                c->arg[k][i] = v;
            }
        run_case(c, memory, out);
        for (int64_t i = 0; i < c->n; i++) {
            cl_scalar got = {.i64 = 0};
            memcpy(&got, out + (size_t)i * size, size);
            check_result(c, got, i, cl_loops_now()->name);
        }
    }
    for (int k = 0; k < 3; k++)
        free(memory[k]);
    free(out);
    cl_free(c);
}
END_TEST

/* Known answers of Random123 1.09 (tests/kat_vectors). */
START_TEST(philox)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        cl_philox c;
        memcpy(c.w, known[k].counter, sizeof c.w);
        const cl_philox got = cl_philox_block(c, known[k].key[0], known[k].key[1]);
        ck_assert_mem_eq(got.w, known[k].want, sizeof got.w);
    }
    const cl_philox zero = cl_philox_at(0, 0);
    ck_assert(cl_philox_double(zero) == (double)(0xe169c58d6627e8d5 >> 11) * 0x1p-53);
    ck_assert(cl_philox_float(zero) == (float)(0x6627e8d5 >> 8) * 0x1p-24f);
}
END_TEST

/* ---- canceling ---- */

static bool yes(void *arg)
{
    ++*(int *)arg;
    return true;
}

START_TEST(canceling)
{
    const int64_t n = 1 << 22;
    cl_imm imm = {.value = {{.u64 = 1}}, .coef = {1}};
    const cl_insn insn[] = {
        {.op = CL_OP_RANDOM, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64},
        {.op = CL_OP_POW, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64}};
    const cl_program p = {.ndim = 1, .ninsn = 2, .nimm = 1, .insn = insn, .imm = &imm};
    const cl_box box = {.ndim = 1, .n = {n}};
    int asked = 0;
    const cl_poll poll = {yes, &asked};
    cl_loop *loop = NULL;
    ck_assert_int_eq(cl_loop_new(&loop, &p), CLAST_OK);
    void *workspace = aligned(cl_loop_workspace(loop)), *out = aligned((size_t)n * 8);
    ck_assert_int_eq(cl_map_run(loop, &box, NULL, out, workspace, &poll),
                     CLAST_ECANCELED);
    ck_assert_int_eq(asked, 1);
    free(workspace);
    free(out);
    cl_loop_free(loop);
}
END_TEST

static Suite *map_suite(void)
{
    Suite *s = suite_create("map");
    TCase *t = tcase_create("map");
    tcase_add_loop_test(t, operations, 0, CLAST_NDTYPE);
    tcase_add_loop_test(t, casts, 0, CLAST_NDTYPE);
    tcase_add_loop_test(t, constant_powers, 0, 6);
    tcase_add_loop_test(t, constant_divisors, 0, 28);
    tcase_add_test(t, negative_integer_powers_are_refused);
    tcase_add_test(t, slow_programs_take_short_strips);
    tcase_add_test(t, squares_and_sums_are_fast);
    tcase_add_loop_test(t, programs, 0, 12);
    tcase_add_test(t, empty_boxes);
    tcase_add_loop_test(t, accuracy, 0, 5);
    tcase_add_test(t, philox);
    tcase_add_test(t, canceling);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {map_suite};
    return cl_check_main(suites, 1);
}
