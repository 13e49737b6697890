/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions of boxes: values against definitions in long double, bits against other
 * cuts of the same values, other instruction sets and values that come piece by piece,
 * chains and joins of partials,
 * rounding errors, hard variances, empty axes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "check_share.h"
#include "kernel/fold.h"
#include "kernel/gather.h"
#include "kernel/loops.h"
#include "naive.h"
#include "spans.h"

static void *aligned(size_t bytes)
{
    void *p = NULL;
    ck_assert_int_eq(posix_memalign(&p, 64, bytes + 64), 0);
    return p;
}

/* The identity: the values are the input's. */
static cl_program identity(int ndim, const uint8_t *dtype)
{
    return (cl_program){.ndim = ndim, .ninput = 1, .input_dtype = dtype};
}

/* The loop is freed. */
static void fold_loop(const cl_fold *f, cl_loop *loop, const cl_box *box,
                      const cl_input *input, void *partial, bool first)
{
    const size_t bytes = cl_fold_workspace(f, loop, box);
    char *workspace = aligned(bytes);
    memset(workspace + bytes, 0x5A, 64);
    ck_assert_int_eq(
        cl_fold_run(f, loop, box, input, NULL, partial, first, workspace, NULL),
        CLAST_OK);
    for (int k = 0; k < 64; k++)
        ck_assert_int_eq(workspace[bytes + (size_t)k], 0x5A);
    free(workspace);
    cl_loop_free(loop);
}

static void fold_program(const cl_fold *f, const cl_program *p, const cl_box *box,
                         const cl_input *input, void *partial, bool first)
{
    cl_loop *loop = NULL;
    ck_assert_int_eq(cl_fold_loop_new(&loop, f->reduction, p), CLAST_OK);
    fold_loop(f, loop, box, input, partial, first);
}

static int64_t kept_count(const cl_fold *f, const cl_box *box)
{
    int64_t n = 1;
    for (int a = 0; a < box->ndim; a++)
        n *= f->axes >> a & 1 ? 1 : box->n[a];
    return n;
}

/* ---- the definition of one output element ---- */

typedef struct {
    int64_t count, at;
    long double sum[2], size[2], m2;
    uint64_t wrapped;
    cl_scalar best;
    bool any, every, has_nan;
} expectation;

static bool is_nan(cl_scalar v, clast_dtype t)
{
    const cl_scalar z = cl_scalar_cast(v, t, CLAST_COMPLEX128);
    return cl_dtype_kind(t) >= CL_KIND_FLOAT && (isnan(z.c128[0]) || isnan(z.c128[1]));
}

static bool is_better(const cl_fold *f, cl_scalar v, cl_scalar best)
{
    const clast_reduction plain = cl_reduction_plain(f->reduction);
    const bool is_least = plain == CLAST_MIN || plain == CLAST_ARGMIN;
    const cl_scalar arg[3] = {v, best, v};
    if (is_nan(v, f->dtype) || is_nan(best, f->dtype))
        return is_nan(v, f->dtype) && !is_nan(best, f->dtype);
    return naive_apply(is_least ? CL_OP_LT : CL_OP_GT, f->dtype, CLAST_BOOL, arg).u8;
}

/* The elements that go into output element `wanted`: its place on the axes that
 * stay. */
static cl_box box_of(const cl_fold *f, const cl_box *box, int64_t wanted)
{
    cl_box part = *box;
    for (int a = box->ndim; a-- > 0;) {
        if (f->axes >> a & 1)
            continue;
        part.lo[a] = box->lo[a] + wanted % box->n[a];
        part.n[a] = 1;
        wanted /= box->n[a];
    }
    return part;
}

/* Visits the elements of an output element, twice for the squares. */
static expectation expect(const cl_fold *f, const cl_program *p, const cl_box *box,
                          const cl_input *in, int64_t wanted)
{
    const int passes = cl_reduction_is_variance(f->reduction) ? 2 : 1;
    const cl_box part = box_of(f, box, wanted);
    expectation e = {.every = true, .at = -1};
    for (int pass = 0; pass < passes; pass++) {
        int64_t index[CL_MAXDIM];
        memcpy(index, part.lo, sizeof index);
        do {
            int64_t flat = 0;
            for (int a = 0; a < box->ndim; a++)
                flat += f->axes >> a & 1 ? f->flat_stride[a] * index[a] : 0;
            const cl_scalar v = naive_program(p, in, index);
            const cl_scalar z = cl_scalar_cast(v, f->dtype, CLAST_COMPLEX128);
            const long double re = z.c128[0], im = z.c128[1];
            if (cl_reduction_skips_nan(f->reduction) && is_nan(v, f->dtype))
                continue;
            if (pass == 1) {
                const long double dr = re - e.sum[0] / e.count,
                                  di = im - e.sum[1] / e.count;
                e.m2 += dr * dr + di * di;
                continue;
            }
            e.sum[0] += re, e.sum[1] += im;
            e.size[0] += fabsl(re), e.size[1] += fabsl(im);
            e.wrapped += cl_scalar_cast(v, f->dtype, CLAST_UINT64).u64;
            const bool truth = cl_scalar_cast(v, f->dtype, CLAST_BOOL).u8;
            e.any |= truth, e.every &= truth;
            if (e.count == 0 || is_better(f, v, e.best))
                e.best = v, e.at = flat;
            e.count++;
        } while (naive_next_index(&part, index));
    }
    return e;
}

static double tolerance(const expectation *e, int part, double rounding)
{
    const double depth = e->count > 1 ? ceil(log2((double)e->count)) : 1;
    return 8 * 0x1p-53 * depth * (double)e->size[part] +
           rounding * fabs((double)e->sum[part]);
}

static bool is_near(double got, long double want, double within)
{
    if (isnan((double)want) || isinf((double)want))
        return isnan((double)want) ? isnan(got) : got == (double)want;
    return fabsl((long double)got - want) <= within;
}

/* What is about a mean that is off by d is larger by d d: all there is where many equal
 * numbers, of which the mean is rounded, have no variance. */
static double of_the_mean(const cl_fold *f, const expectation *e, long double want)
{
    const double free = fmax((double)e->count - f->ddof, 1);
    double square = 0;
    for (int k = 0; k < 2; k++)
        square += pow(tolerance(e, k, 0), 2) / (double)e->count / free;
    return cl_reduction_plain(f->reduction) == CLAST_VAR
               ? square
               : sqrt((double)(want * want) + square) - (double)want;
}

static void check_element(const cl_fold *f, const expectation *e, cl_scalar got)
{
    const clast_dtype dtype = cl_reduction_dtype(f->reduction, f->dtype);
    const bool is_single = f->dtype == CLAST_FLOAT32 || f->dtype == CLAST_COMPLEX64;
    const double rounding = is_single ? 0x1p-24 : 0x1p-52;
    const cl_scalar z = cl_scalar_cast(got, dtype, CLAST_COMPLEX128);
    const bool skips = cl_reduction_skips_nan(f->reduction);
    const long double n = e->count, free = n - f->ddof;
    const long double var = skips && free <= 0 ? NAN : e->m2 / fmaxl(free, 0);
    const clast_reduction plain = cl_reduction_plain(f->reduction);
    const int parts = cl_dtype_is_complex(f->dtype) ? 2 : 1;
    switch (plain) {
    case CLAST_SUM:
        if (cl_dtype_kind(f->dtype) < CL_KIND_FLOAT) {
            ck_assert_uint_eq(got.u64, e->wrapped);
            break;
        }
        for (int k = 0; k < 2; k++)
            ck_assert(is_near(z.c128[k], e->sum[k], tolerance(e, k, rounding)));
        break;
    case CLAST_MEAN:
        for (int k = 0; k < parts; k++)
            ck_assert(is_near(z.c128[k], e->sum[k] / n,
                              2 * tolerance(e, k, rounding) / (double)n));
        break;
    case CLAST_VAR:
    case CLAST_STD: {
        const long double want = plain == CLAST_STD ? sqrtl(var) : var;
        const double relative = (1e-12 + 4 * rounding) * (double)want;
        ck_assert_msg(is_near(z.c128[0], want, relative + of_the_mean(f, e, want)),
                      "got %.17g, not %.17Lg", z.c128[0], want);
        break;
    }
    case CLAST_MIN:
    case CLAST_MAX: {
        const cl_scalar equal[3] = {got, e->best, got};
        if (e->count == 0 || is_nan(e->best, f->dtype))
            ck_assert(is_nan(got, f->dtype));
        else
            ck_assert(naive_apply(CL_OP_EQ, f->dtype, CLAST_BOOL, equal).u8);
        break;
    }
    case CLAST_ARGMIN:
    case CLAST_ARGMAX:
        ck_assert_int_eq(got.i64, e->at);
        break;
    case CLAST_ANY:
        ck_assert_int_eq(got.u8, e->any);
        break;
    case CLAST_EVERY:
        ck_assert_int_eq(got.u8, e->every);
        break;
    case CLAST_NANSUM: /* not plain */
    case CLAST_NANMEAN:
    case CLAST_NANVAR:
    case CLAST_NANSTD:
    case CLAST_NANMIN:
    case CLAST_NANMAX:
    case CLAST_NANARGMIN:
    case CLAST_NANARGMAX:
    case CLAST_NREDUCTION:
        break;
    }
}

/* ---- random folds ---- */

static cl_box random_box(uint64_t *seed)
{
    static const int64_t most[] = {1, 30000, 300, 40, 14, 8};
    cl_box box = {.ndim = (int)naive_below(seed, 6)};
    for (int a = 0; a < box.ndim; a++) {
        box.lo[a] = naive_below(seed, 50);
        box.n[a] = 1 + naive_below(seed, most[box.ndim]);
    }
    return box;
}

/* Values without infinities or extremes, so that sums have a tolerance. Where NaN is
 * left out there are none, some or only such. */
static void calm(spans *s, const cl_fold *f, uint64_t *seed)
{
    static const int64_t each[] = {1, 2, 5, 3000};
    const bool has_nan = cl_reduction_skips_nan(f->reduction) && naive_below(seed, 4);
    const int64_t every = has_nan ? each[naive_below(seed, 4)] : 0;
    const int64_t size = (int64_t)clast_dtype_size(s->dtype);
    const cl_span *span = s->span;
    int64_t bytes = size;
    const char *low = span->data;
    for (int a = 0; a < span->box.ndim; a++) {
        const int64_t extent = (span->box.n[a] - 1) * span->stride[a];
        low += extent < 0 ? extent : 0;
        bytes += extent < 0 ? -extent : extent;
    }
    char *at = s->memory + (low - s->memory);
    for (int64_t i = 0; i + size <= bytes; i += size) {
        cl_scalar v = {.c128 = {(double)naive_below(seed, 2000) / 8 - 100,
                                (double)naive_below(seed, 2000) / 7 - 100}};
        if (has_nan && naive_below(seed, every) == 0)
            v.c128[0] = v.c128[1] = NAN;
        const cl_scalar w = cl_scalar_cast(v, CLAST_COMPLEX128, s->dtype);
        memcpy(at + i, &w, (size_t)size);
    }
}

/* NaN is left out of floats and complex numbers only. */
static clast_dtype random_dtype(uint64_t *seed, clast_reduction r)
{
    const int first = cl_reduction_skips_nan(r) ? CLAST_FLOAT32 : 0;
    return (clast_dtype)(first + naive_below(seed, CLAST_NDTYPE - first));
}

static cl_fold random_fold(uint64_t *seed, clast_reduction r, const cl_box *box)
{
    cl_fold f = {.reduction = r,
                 .dtype = random_dtype(seed, r),
                 .axes = (uint32_t)naive_next(seed) & ((1u << box->ndim) - 1),
                 .ddof = (double)naive_below(seed, 2)};
    int64_t stride = 1;
    for (int a = box->ndim - 1; a >= 0; a--)
        if (f.axes >> a & 1) {
            f.flat_stride[a] = stride;
            stride *= box->lo[a] + box->n[a];
        }
    return f;
}

static void check_values(const cl_fold *f, const cl_program *p, const cl_box *box,
                         const cl_input *input, const void *partial, uint64_t *seed)
{
    const int64_t elements = kept_count(f, box);
    const size_t size = clast_dtype_size(cl_reduction_dtype(f->reduction, f->dtype));
    char *out = aligned((size_t)elements * size);
    cl_fold_finish(f, elements, partial, out);
    for (int k = 0; k < 3; k++) {
        const int64_t i = naive_below(seed, elements);
        const expectation e = expect(f, p, box, input, i);
        cl_scalar got = {.i64 = 0};
        memcpy(&got, out + (size_t)i * size, size);
        check_element(f, &e, got);
    }
    free(out);
}

START_TEST(random_folds)
{
    uint64_t seed = (uint64_t)_i + 100;
    for (int round = 0; round < 70; round += CL_CHECK_EVERY) {
        const cl_box box = random_box(&seed);
        const cl_fold f = random_fold(&seed, (clast_reduction)_i, &box);
        const uint8_t dtype = (uint8_t)f.dtype;
        const cl_program p = identity(box.ndim, &dtype);
        const int64_t elements = kept_count(&f, &box);
        const size_t bytes = (size_t)cl_partial_bytes(f.reduction, f.dtype, elements);
        char *one = aligned(bytes), *other = aligned(bytes);
        memset(one, 0, bytes), memset(other, 0, bytes);
        spans s;
        spans_init(&s, &seed, f.dtype, &box, true);
        const bool is_calm =
            cl_reduction_plain(f.reduction) < CLAST_MIN || round / CL_CHECK_EVERY % 2;
        if (is_calm)
            calm(&s, &f, &seed);
        cl_loops_set(CL_ISA_BASELINE);
        fold_program(&f, &p, &box, &s.input, one, true);
        check_values(&f, &p, &box, &s.input, one, &seed);
        for (int isa = 0; isa < CL_NISA; isa++) {
            if (!cl_loops_set((cl_isa)isa))
                continue;
            spans_cut(&s, &seed); /* neither cuts nor levels change a bit */
            fold_program(&f, &p, &box, &s.input, other, true);
            if (is_calm)
                ck_assert_mem_eq(one, other, bytes);
            check_values(&f, &p, &box, &s.input, other, &seed);
        }
        spans_fini(&s);
        free(one);
        free(other);
    }
}
END_TEST

/* ---- values that come piece by piece ---- */

enum { PANEL = 8192 };

typedef struct {
    const cl_input *all; /* the values */
    const cl_box *box;
    size_t size;
    int64_t most, brought, calls, fail_at, last;
    char *memory; /* of one part */
    int64_t room;
    cl_span span;
} pieces;

/* The flat index in the box of a part's first element. */
static int64_t flat_index(const cl_box *part, const cl_box *box)
{
    int64_t flat = 0;
    for (int a = 0; a < box->ndim; a++)
        flat = flat * box->n[a] + part->lo[a] - box->lo[a];
    return flat;
}

/* Its memory is to be freed. */
static pieces pieces_of(const cl_input *all, const cl_box *box, size_t size,
                        int64_t most)
{
    pieces p = {.all = all,
                .box = box,
                .size = size,
                .most = most,
                .room = most > PANEL ? most : PANEL,
                .fail_at = -1,
                .last = -1};
    p.memory = aligned((size_t)p.room * size);
    return p;
}

/* Only this part can be read from here on. */
static clast_status bring(void *arg, const cl_box *part)
{
    pieces *p = arg;
    const int64_t count = cl_box_count(part);
    int64_t stride[CL_MAXDIM], step = (int64_t)p->size;
    if (p->calls++ == p->fail_at)
        return CLAST_EIO;
    ck_assert_int_le(count, p->most > PANEL ? p->most : PANEL);
    ck_assert_int_gt(flat_index(part, p->box), p->last); /* in C order */
    p->last = flat_index(part, p->box);
    p->brought += count;
    for (int a = part->ndim - 1; a >= 0; a--) {
        ck_assert_int_ge(part->lo[a], p->box->lo[a]);
        ck_assert_int_le(part->lo[a] + part->n[a], p->box->lo[a] + p->box->n[a]);
        p->span.stride[a] = stride[a] = step;
        step *= part->n[a];
    }
    memset(p->memory, 0xA5, (size_t)p->room * p->size);
    cl_gather(part, p->all, p->size, p->memory, stride);
    p->span.box = *part;
    p->span.data = p->memory;
    return CLAST_OK;
}

static clast_status fold_pieces(const cl_fold *f, const cl_program *p,
                                const cl_box *box, pieces *from, void *partial)
{
    cl_loop *loop = NULL;
    ck_assert_int_eq(cl_loop_new(&loop, p), CLAST_OK);
    cl_feed feed = {.bring = bring, .arg = from, .most = from->most};
    const size_t bytes = cl_fold_workspace(f, loop, box);
    const uint64_t states = cl_fold_states(f, loop, box, &feed);
    char *workspace = aligned(bytes), *places = aligned(states);
    feed.states = places;
    memset(places + states, 0x5A, 64);
    const cl_input input = {1, &from->span};
    const clast_status status =
        cl_fold_run(f, loop, box, &input, &feed, partial, true, workspace, NULL);
    for (int k = 0; k < 64; k++)
        ck_assert_int_eq(places[states + (size_t)k], 0x5A);
    free(workspace);
    free(places);
    cl_loop_free(loop);
    return status;
}

/* Whatever the pieces are, the bits are those of the values in one piece. */
START_TEST(values_piece_by_piece)
{
    static const int64_t sizes[] = {1, 5000, 16384, 40000};
    uint64_t seed = (uint64_t)_i + 900;
    int64_t most_calls = 0;
    for (int round = 0; round < 70; round++) {
        const cl_box box = random_box(&seed);
        const cl_fold f = random_fold(&seed, (clast_reduction)_i, &box);
        const uint8_t dtype = (uint8_t)f.dtype;
        const cl_insn twice = {
            .op = CL_OP_ADD, .type = dtype, .dtype = dtype, .arg = {0, 0}};
        cl_program p = identity(box.ndim, &dtype);
        if (round % 3 == 0 && f.dtype != CLAST_BOOL)
            p.ninsn = 1, p.insn = &twice;
        const int64_t elements = kept_count(&f, &box);
        const size_t bytes = (size_t)cl_partial_bytes(f.reduction, f.dtype, elements);
        char *one = aligned(bytes), *other = aligned(bytes);
        memset(one, 0, bytes), memset(other, 0, bytes);
        spans s;
        spans_init(&s, &seed, f.dtype, &box, true);
        calm(&s, &f, &seed);
        fold_program(&f, &p, &box, &s.input, one, true);
        pieces from = pieces_of(&s.input, &box, clast_dtype_size(f.dtype),
                                sizes[naive_below(&seed, 4)]);
        ck_assert_int_eq(fold_pieces(&f, &p, &box, &from, other), CLAST_OK);
        ck_assert_mem_eq(one, other, bytes);
        ck_assert_int_eq(from.brought, cl_box_count(&box));
        most_calls = from.calls > most_calls ? from.calls : most_calls;
        from.fail_at = naive_below(&seed, from.calls);
        from.calls = 0, from.last = -1;
        ck_assert_int_eq(fold_pieces(&f, &p, &box, &from, other), CLAST_EIO);
        spans_fini(&s);
        free(from.memory);
        free(one);
        free(other);
    }
    ck_assert_int_gt(most_calls, 2);
}
END_TEST

/* Sums down the columns of something wide: places wait for each other's pieces. */
START_TEST(places_that_wait)
{
    uint64_t seed = 77;
    const cl_box box = {3, {2, 3, 4}, {3, 40, 1500}};
    const cl_fold f = {.reduction = CLAST_VAR, .dtype = CLAST_FLOAT64, .axes = 3};
    const uint8_t dtype = CLAST_FLOAT64;
    const cl_program p = identity(3, &dtype);
    const size_t bytes = (size_t)cl_partial_bytes(f.reduction, f.dtype, 1500);
    char *one = aligned(bytes), *other = aligned(bytes);
    memset(one, 0, bytes), memset(other, 0, bytes);
    spans s;
    spans_init(&s, &seed, f.dtype, &box, false);
    calm(&s, &f, &seed);
    fold_program(&f, &p, &box, &s.input, one, true);
    pieces from = pieces_of(&s.input, &box, sizeof(double), 1500 * 20);
    cl_loop *loop = NULL;
    ck_assert_int_eq(cl_loop_new(&loop, &p), CLAST_OK);
    const cl_feed feed = {.most = from.most};
    ck_assert_uint_gt(cl_fold_states(&f, loop, &box, &feed), 3 * bytes / 2);
    cl_loop_free(loop);
    ck_assert_int_eq(fold_pieces(&f, &p, &box, &from, other), CLAST_OK);
    ck_assert_mem_eq(one, other, bytes);
    ck_assert_int_ge(from.calls, 6);
    spans_fini(&s);
    free(from.memory);
    free(one);
    free(other);
}
END_TEST

/* Real numbers that a program's last step makes float64 of are folded as they are, and
 * give what converting them first gives: of an input, and of a step's result. */
START_TEST(conversions_left_out)
{
    static const clast_reduction sums[] = {CLAST_SUM, CLAST_MEAN, CLAST_VAR, CLAST_STD};
    uint64_t seed = (uint64_t)_i + 900;
    for (int round = 0; round < 200; round++) {
        const cl_box box = random_box(&seed);
        cl_fold f = random_fold(&seed, sums[_i], &box);
        const uint8_t dtype = (uint8_t)f.dtype;
        const cl_insn insn[] = {
            {.op = CL_OP_MUL, .type = dtype, .dtype = dtype, .arg = {0, 0}},
            {.op = CL_OP_CAST,
             .type = dtype,
             .dtype = CLAST_FLOAT64,
             .arg = {(uint16_t)(round % 2)}}};
        cl_program p = identity(box.ndim, &dtype);
        p.insn = insn + (1 - round % 2);
        p.ninsn = (uint16_t)(1 + round % 2);
        f.dtype = CLAST_FLOAT64;
        const int64_t elements = kept_count(&f, &box);
        const size_t bytes = (size_t)cl_partial_bytes(f.reduction, f.dtype, elements);
        char *plain = aligned(bytes), *shorter = aligned(bytes);
        memset(plain, 0, bytes), memset(shorter, 0, bytes);
        spans s;
        spans_init(&s, &seed, (clast_dtype)dtype, &box, true);
        calm(&s, &f, &seed);
        for (int isa = 0; isa < CL_NISA; isa++) {
            if (!cl_loops_set((cl_isa)isa))
                continue;
            cl_loop *loop = NULL;
            ck_assert_int_eq(cl_loop_new(&loop, &p), CLAST_OK);
            fold_loop(&f, loop, &box, &s.input, plain, true);
            fold_program(&f, &p, &box, &s.input, shorter, true);
            ck_assert_mem_eq(plain, shorter, bytes);
        }
        spans_fini(&s);
        free(plain);
        free(shorter);
    }
}
END_TEST

/* A chain of leaves and a join of partials give what the whole gives. */
START_TEST(chains_and_joins)
{
    uint64_t seed = (uint64_t)_i + 500;
    for (int round = 0; round < 35; round++) {
        cl_box box = random_box(&seed);
        if (box.ndim == 0 || box.n[0] < 2)
            continue;
        cl_fold f = random_fold(&seed, (clast_reduction)_i, &box);
        if (!(f.axes & 1)) {
            f.axes |= 1;
            f.flat_stride[0] = 1 << 20;
        }
        const uint8_t dtype = (uint8_t)f.dtype;
        const cl_program p = identity(box.ndim, &dtype);
        const int64_t elements = kept_count(&f, &box);
        const size_t bytes = (size_t)cl_partial_bytes(f.reduction, f.dtype, elements);
        void *chain = aligned(bytes), *left = aligned(bytes), *right = aligned(bytes);
        spans s;
        spans_init(&s, &seed, f.dtype, &box, true);
        calm(&s, &f, &seed);
        cl_box top = box, bottom = box;
        top.n[0] = 1 + naive_below(&seed, box.n[0] - 1);
        bottom.lo[0] += top.n[0];
        bottom.n[0] -= top.n[0];
        fold_program(&f, &p, &top, &s.input, chain, true);
        fold_program(&f, &p, &bottom, &s.input, chain, false);
        check_values(&f, &p, &box, &s.input, chain, &seed);
        fold_program(&f, &p, &top, &s.input, left, true);
        fold_program(&f, &p, &bottom, &s.input, right, true);
        cl_fold_join(&f, elements, 2, (const void *const[]){left, right}, left);
        check_values(&f, &p, &box, &s.input, left, &seed);
        spans_fini(&s);
        free(chain);
        free(left);
        free(right);
    }
}
END_TEST

/* ---- particular cases ---- */

static void fold_vector(clast_reduction r, const double *x, int64_t n, double ddof,
                        void *out)
{
    const uint8_t dtype = CLAST_FLOAT64;
    const cl_program p = identity(1, &dtype);
    const cl_box box = {.ndim = 1, .n = {n}};
    const cl_span span = {.box = box, .data = (const char *)x, .stride = {8}};
    const cl_input input = {1, &span};
    const cl_fold f = {.reduction = r,
                       .dtype = CLAST_FLOAT64,
                       .axes = 1,
                       .ddof = ddof,
                       .flat_stride = {1}};
    _Alignas(64) char partial[256];
    fold_program(&f, &p, &box, &input, partial, true);
    cl_fold_finish(&f, 1, partial, out);
}

static double fold_doubles(clast_reduction r, const double *x, int64_t n, double ddof)
{
    double out;
    fold_vector(r, x, n, ddof, &out);
    return out;
}

static int64_t fold_place(clast_reduction r, const double *x, int64_t n)
{
    int64_t out;
    fold_vector(r, x, n, 0, &out);
    return out;
}

START_TEST(empty_axes)
{
    ck_assert(fold_doubles(CLAST_SUM, NULL, 0, 0) == 0);
    ck_assert(isnan(fold_doubles(CLAST_MEAN, NULL, 0, 0)));
    ck_assert(isnan(fold_doubles(CLAST_VAR, NULL, 0, 0)));
    ck_assert(fold_doubles(CLAST_NANSUM, NULL, 0, 0) == 0);
    ck_assert(isnan(fold_doubles(CLAST_NANMEAN, NULL, 0, 0)));
    ck_assert(isnan(fold_doubles(CLAST_NANSTD, NULL, 0, 0)));
}
END_TEST

START_TEST(degrees_of_freedom)
{
    const double one[] = {5}, two[] = {1, 3};
    ck_assert(isnan(fold_doubles(CLAST_VAR, one, 1, 1)));
    ck_assert(isnan(fold_doubles(CLAST_VAR, one, 1, 2)));
    ck_assert(isinf(fold_doubles(CLAST_VAR, two, 2, 2)));
    ck_assert(fold_doubles(CLAST_VAR, two, 2, 0.5) == 2 / 1.5);
}
END_TEST

START_TEST(variance_far_from_zero)
{
    enum { N = 100000 };
    double *x = cl_alloc_array(N, sizeof *x);
    for (int i = 0; i < N; i++)
        x[i] = 1e8 + (i % 2 ? 0.25 : -0.25);
    ck_assert(fabs(fold_doubles(CLAST_VAR, x, N, 0) - 0.0625) < 1e-12);
    cl_free(x);
}
END_TEST

/* What is left out, by hand: what is left, and where nothing is. */
START_TEST(nan_left_out)
{
    const double x[] = {NAN, 3, -1, NAN, 3}, none[] = {NAN, NAN};
    const double far[] = {NAN, INFINITY};
    ck_assert(fold_doubles(CLAST_NANSUM, x, 5, 0) == 5);
    ck_assert(fold_doubles(CLAST_NANMEAN, x + 1, 3, 0) == 1);
    ck_assert(fold_doubles(CLAST_NANVAR, x + 1, 3, 0) == 4);
    ck_assert(fold_doubles(CLAST_NANSTD, x + 1, 3, 1) == sqrt(8));
    ck_assert(fold_doubles(CLAST_NANMIN, x, 5, 0) == -1);
    ck_assert(fold_doubles(CLAST_NANMAX, x, 5, 0) == 3);
    ck_assert_int_eq(fold_place(CLAST_NANARGMIN, x, 5), 2);
    ck_assert_int_eq(fold_place(CLAST_NANARGMAX, x, 5), 1);
    ck_assert_int_eq(fold_place(CLAST_NANARGMIN, far, 2), 1);
    ck_assert(fold_doubles(CLAST_NANMIN, far, 2, 0) == (double)INFINITY);
    ck_assert(fold_doubles(CLAST_NANSUM, none, 2, 0) == 0);
    for (int r = CLAST_NANMEAN; r <= CLAST_NANMAX; r++)
        ck_assert(isnan(fold_doubles((clast_reduction)r, none, 2, 0)));
    ck_assert_int_eq(fold_place(CLAST_NANARGMIN, none, 2), -1);
    ck_assert_int_eq(fold_place(CLAST_NANARGMAX, none, 2), -1);
    ck_assert(isnan(fold_doubles(CLAST_NANVAR, x + 1, 2, 2))); /* var: inf */
}
END_TEST

/* Squares of what is joined with nothing would overflow. */
START_TEST(numbers_beside_nothing)
{
    enum { N = 40000 };
    double *x = cl_alloc_array(N, sizeof *x);
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < N; i++)
            x[i] = (i < N / 2) == (turn == 0) ? (double)NAN : 0x1p900;
        ck_assert(fold_doubles(CLAST_NANVAR, x, N, 0) == 0);
        ck_assert(fold_doubles(CLAST_NANMEAN, x, N, 0) == 0x1p900);
    }
    cl_free(x);
}
END_TEST

/* Where no NaN is, the bits are those of the plain reduction. */
START_TEST(without_nan)
{
    enum { N = 50001 };
    uint64_t seed = 5;
    double *x = cl_alloc_array(N, sizeof *x);
    for (int i = 0; i < N; i++)
        x[i] = (double)naive_below(&seed, 1 << 20) / 7 - 1e4;
    for (int r = CLAST_NANSUM; r < CLAST_NANARGMIN; r++) {
        const double got = fold_doubles((clast_reduction)r, x, N, 0);
        const double want =
            fold_doubles(cl_reduction_plain((clast_reduction)r), x, N, 0);
        ck_assert_msg(got == want, "%s: %.17g, not %.17g",
                      cl_reduction_name((clast_reduction)r), got, want);
    }
    cl_free(x);
}
END_TEST

static Suite *fold_suite(void)
{
    Suite *s = suite_create("fold");
    TCase *t = tcase_create("fold");
    tcase_add_loop_test(t, random_folds, 0, CLAST_NREDUCTION);
    tcase_add_loop_test(t, conversions_left_out, 0, 4);
    tcase_add_loop_test(t, chains_and_joins, 0, CLAST_NREDUCTION);
    tcase_add_loop_test(t, values_piece_by_piece, 0, CLAST_NREDUCTION);
    tcase_add_test(t, places_that_wait);
    tcase_add_test(t, empty_axes);
    tcase_add_test(t, degrees_of_freedom);
    tcase_add_test(t, variance_far_from_zero);
    tcase_add_test(t, nan_left_out);
    tcase_add_test(t, numbers_beside_nothing);
    tcase_add_test(t, without_nan);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {fold_suite};
    return cl_check_main(suites, 1);
}
