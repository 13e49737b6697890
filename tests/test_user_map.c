/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller over blocks: generators, block kernels, halos with every pad
 * mode, reductions. Expected values come from plain loops over whole arrays; what a
 * kernel is shown (shapes, origins, halos) is checked within the kernel.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

static clast_ctx *open_with(uint64_t memory, int workers)
{
    const clast_options options = {
        .memory = memory, .workers = workers, .scratch = "/tmp"};
    return clast_open(&options);
}

static clast_ctx *open_some(int workers)
{
    return open_with(CLAST_MIB(64), workers);
}

static clast_buffer buffer(void *data, clast_dtype dtype, int ndim,
                           const int64_t *shape)
{
    size_t bytes = clast_dtype_size(dtype);
    for (int a = 0; a < ndim; a++)
        bytes *= (size_t)shape[a];
    return (clast_buffer){data, bytes, dtype, ndim, shape, NULL};
}

static void fetch(clast_array *a, clast_dtype dtype, int ndim, const int64_t *shape,
                  void *data)
{
    const clast_buffer into = buffer(data, dtype, ndim, shape);
    ck_assert_msg(clast_fetch(a, &into) == CLAST_OK, "%s",
                  clast_ctx_error(clast_array_ctx(a)));
}

/* Goes to the next index of a shape in C order; false at the end. */
static bool next(int ndim, const int64_t *shape, int64_t *index)
{
    for (int a = ndim; a-- > 0; index[a] = 0)
        if (++index[a] < shape[a])
            return true;
    return false;
}

static int64_t flat(int ndim, const int64_t *strides, const int64_t *index)
{
    int64_t at = 0;
    for (int a = 0; a < ndim; a++)
        at += strides[a] * index[a];
    return at;
}

/* ---- generators */

/* The flat index in `user`, a shape. */
static clast_status number(clast_call *call, void *user, int nin, const clast_view *in,
                           int nout, clast_buffer *out)
{
    const int64_t *whole = user, *origin = clast_call_origin(call);
    int64_t index[CLAST_MAXDIM] = {0}, at = 0;
    double *to = out->data;
    if (nin != 0 || nout != 1 || out->ndim != clast_call_ndim(call) ||
        (uintptr_t)to % 64 != 0)
        return clast_call_fail(call, "called otherwise than promised");
    for (int a = 0; a < out->ndim; a++)
        if (out->shape[a] != clast_call_extent(call)[a])
            return clast_call_fail(call, "the output is not the block");
    do {
        int64_t v = 0;
        for (int a = 0; a < out->ndim; a++)
            v = v * whole[a] + origin[a] + index[a];
        if (flat(out->ndim, out->strides, index) != at)
            return clast_call_fail(call, "not in C order");
        to[at++] = (double)v;
    } while (next(out->ndim, out->shape, index));
    return CLAST_OK;
}

static const struct {
    int ndim;
    int64_t shape[3], chunk[3];
} generated[] = {
    {0, {0}, {0}},
    {1, {10}, {3}},
    {1, {10}, {-1}},
    {2, {7, 5}, {2, 5}},
    {3, {4, 3, 5}, {3, 2, 2}},
    {1, {0}, {3}},
    {2, {0, 4}, {1, 2}},
    {2, {3, 4}, {100, 1}},
};

START_TEST(generators)
{
    const int ndim = generated[_i].ndim;
    const int64_t *shape = generated[_i].shape;
    double got[64];
    clast_ctx *ctx = open_some(2);
    const clast_map_options options = {.dtype = CLAST_FLOAT64,
                                       .ndim = ndim,
                                       .shape = shape,
                                       .chunk = generated[_i].chunk};
    clast_array *a =
        clast_map(ctx, 0, NULL, number, (void *)(uintptr_t)shape, &options);
    ck_assert_int_eq(clast_ndim(a), ndim);
    fetch(a, CLAST_FLOAT64, ndim, shape, got);
    int64_t count = 1;
    for (int a1 = 0; a1 < ndim; a1++)
        count *= shape[a1];
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq(got[i], (double)i);
    clast_close(&ctx);
}
END_TEST

/* ---- what a kernel is shown ---- */

/* An array whose elements are their flat indices, in several guises. */
typedef clast_array *guise_fn(clast_ctx *ctx, int ndim, const int64_t *shape,
                              double *memory);

static clast_array *borrowed(clast_ctx *ctx, int ndim, const int64_t *shape,
                             double *memory)
{
    const clast_buffer data = buffer(memory, CLAST_FLOAT64, ndim, shape);
    for (size_t i = 0; i < data.bytes / sizeof *memory; i++)
        memory[i] = (double)i;
    return clast_borrow(ctx, &data);
}

static clast_array *in_tiles(clast_ctx *ctx, int ndim, const int64_t *shape,
                             double *memory)
{
    const int64_t chunk[3] = {3, 2, 4};
    return clast_rechunk(borrowed(ctx, ndim, shape, memory), ndim, chunk);
}

static clast_array *computed(clast_ctx *ctx, int ndim, const int64_t *shape,
                             double *memory)
{
    return clast_sub(clast_add(in_tiles(ctx, ndim, shape, memory), clast_int(ctx, 3)),
                     clast_int(ctx, 3));
}

static clast_array *flipped(clast_ctx *ctx, int ndim, const int64_t *shape,
                            double *memory)
{
    const clast_buffer data = buffer(memory, CLAST_FLOAT64, ndim, shape);
    const size_t n = data.bytes / sizeof *memory;
    for (size_t i = 0; i < n; i++)
        memory[i] = (double)(n - 1 - i);
    return clast_flip(clast_borrow(ctx, &data), CLAST_ALL);
}

static clast_array *generated_too(clast_ctx *ctx, int ndim, const int64_t *shape,
                                  double *memory)
{
    static const int64_t chunk[3] = {2, 3, 2};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .ndim = ndim, .shape = shape, .chunk = chunk};
    return clast_map(ctx, 0, NULL, number, (void *)(uintptr_t)shape, &options);
}

static guise_fn *const guises[] = {borrowed, in_tiles, computed, flipped,
                                   generated_too};

/* What the test knows of an input that a kernel is shown. */
typedef struct {
    int ndim;
    const int64_t *shape, *before, *after;
    clast_pad pad;
    double value;
} known;

static int64_t beyond(clast_pad pad, int64_t i, int64_t n)
{
    while (i < 0 || i >= n) {
        if (n == 1 || pad == CLAST_PAD_EDGE)
            i = i < 0 ? 0 : n - 1;
        else if (pad == CLAST_PAD_WRAP)
            i += i < 0 ? n : -n;
        else if (pad == CLAST_PAD_REFLECT)
            i = i < 0 ? -i : 2 * (n - 1) - i;
        else
            i = i < 0 ? -1 - i : 2 * n - 1 - i;
    }
    return i;
}

static double expected(const known *k, const int64_t *at)
{
    int64_t v = 0;
    for (int a = 0; a < k->ndim; a++) {
        if (k->pad == CLAST_PAD_CONSTANT && (at[a] < 0 || at[a] >= k->shape[a]))
            return k->value;
        v = v * k->shape[a] + beyond(k->pad, at[a], k->shape[a]);
    }
    return (double)v;
}

/* Origin, halo and lengths of one axis; `lo` and `n` are the block's. */
static const char *wrong_axis(const known *k, const clast_view *v, int a, int64_t lo,
                              int64_t n)
{
    int64_t before = k->before ? k->before[a] : 0, after = k->after ? k->after[a] : 0;
    if (k->pad == CLAST_PAD_NONE) {
        before = lo < before ? lo : before;
        after = k->shape[a] - lo - n < after ? k->shape[a] - lo - n : after;
    }
    if (v->halo_lo[a] != before || v->halo_hi[a] != after)
        return "the halo is not what was asked for";
    if (v->origin[a] != lo - before || v->shape[a] != n + before + after)
        return "the origin or the shape is wrong";
    return NULL;
}

static const char *wrong_view(const clast_call *call, const known *k,
                              const clast_view *v)
{
    const double *data = v->data;
    int64_t index[CLAST_MAXDIM] = {0}, at[CLAST_MAXDIM];
    if (v->ndim != k->ndim || v->dtype != CLAST_FLOAT64)
        return "another rank or dtype";
    if ((uintptr_t)data % 64 != 0 || (v->ndim > 0 && v->strides[v->ndim - 1] != 1))
        return "not aligned, or the last axis is not contiguous";
    for (int a = 0; a < k->ndim; a++) {
        const char *wrong =
            wrong_axis(k, v, a, clast_call_origin(call)[a], clast_call_extent(call)[a]);
        if (wrong)
            return wrong;
    }
    do {
        for (int a = 0; a < k->ndim; a++)
            at[a] = v->origin[a] + index[a];
        if (data[flat(v->ndim, v->strides, index)] != expected(k, at))
            return "an element is wrong";
    } while (next(v->ndim, v->shape, index));
    return NULL;
}

/* Checks what it is shown, and passes on the block without its halo. */
static clast_status show(clast_call *call, void *user, int nin, const clast_view *in,
                         int nout, clast_buffer *out)
{
    const char *wrong = wrong_view(call, user, in);
    if (wrong)
        return clast_call_fail(call, wrong);
    const double *from = in->data;
    double *to = out->data;
    int64_t index[CLAST_MAXDIM] = {0};
    from += flat(in->ndim, in->strides, in->halo_lo);
    do
        *to++ = from[flat(in->ndim, in->strides, index)];
    while (next(out->ndim, out->shape, index));
    return CLAST_OK;
}

/* Halos within a block, longer than a block, longer than the array. */
static const struct {
    int ndim;
    int64_t shape[3], chunk[3], before[3], after[3];
} halos[] = {
    {1, {10}, {3}, {0}, {0}},
    {1, {10}, {3}, {1}, {2}},
    {1, {10}, {3}, {5}, {0}},
    {1, {7}, {2}, {30}, {17}},
    {1, {1}, {1}, {3}, {4}},
    {1, {2}, {1}, {7}, {6}},
    {1, {4}, {3}, {90}, {33}},
    {2, {0, 3}, {1, 1}, {2, 2}, {1, 0}},
    {2, {6, 7}, {4, 3}, {1, 2}, {2, 1}},
    {2, {6, 7}, {6, -1}, {0, 3}, {0, 0}},
    {2, {5, 3}, {1, 1}, {6, 4}, {11, 7}},
    {3, {4, 5, 3}, {2, 3, 3}, {1, 1, 1}, {1, 1, 1}},
    {3, {2, 1, 4}, {1, 1, 2}, {2, 1, 9}, {0, 2, 3}},
};

START_TEST(halos_of_all_modes)
{
    const int row = _i % COUNT(halos), ndim = halos[row].ndim;
    const clast_pad pad = (clast_pad)(_i / COUNT(halos));
    const int64_t *shape = halos[row].shape;
    double memory[64], got[64];
    clast_ctx *ctx = open_some(8);
    known k = {ndim, shape, halos[row].before, halos[row].after, pad, -2.5};
    for (int g = 0; g < COUNT(guises); g++) {
        const clast_map_input how = {
            .depth = k.before, .depth_after = k.after, .pad = pad, .value = k.value};
        const clast_map_options options = {.name = "show",
                                           .dtype = CLAST_FLOAT64,
                                           .chunk = halos[row].chunk,
                                           .inputs = &how};
        clast_array *a = guises[g](ctx, ndim, shape, memory);
        int64_t count = 1;
        for (int x = 0; x < ndim; x++)
            count *= shape[x];
        fetch(clast_map(ctx, 1, &a, show, &k, &options), CLAST_FLOAT64, ndim, shape,
              got);
        for (int64_t i = 0; i < count; i++)
            ck_assert_double_eq(got[i], (double)i);
    }
    clast_close(&ctx);
}
END_TEST

/* numpy.pad(numpy.arange(n), (before, after), mode), one digit an element. */
static const struct {
    clast_pad pad;
    int64_t n, before, after;
    const char *digits;
} golden[] = {
    {CLAST_PAD_EDGE, 1, 2, 3, "000000"},
    {CLAST_PAD_EDGE, 2, 2, 1, "00011"},
    {CLAST_PAD_EDGE, 5, 0, 4, "012344444"},
    {CLAST_PAD_EDGE, 3, 6, 6, "000000012222222"},
    {CLAST_PAD_REFLECT, 1, 2, 3, "000000"},
    {CLAST_PAD_REFLECT, 2, 2, 1, "01010"},
    {CLAST_PAD_REFLECT, 3, 2, 2, "2101210"},
    {CLAST_PAD_REFLECT, 5, 4, 0, "432101234"},
    {CLAST_PAD_REFLECT, 3, 6, 6, "210121012101210"},
    {CLAST_PAD_REFLECT, 4, 9, 9, "3210123210123210123210"},
    {CLAST_PAD_SYMMETRIC, 1, 2, 3, "000000"},
    {CLAST_PAD_SYMMETRIC, 2, 2, 1, "10011"},
    {CLAST_PAD_SYMMETRIC, 4, 3, 3, "2100123321"},
    {CLAST_PAD_SYMMETRIC, 5, 4, 0, "321001234"},
    {CLAST_PAD_SYMMETRIC, 2, 5, 5, "001100110011"},
    {CLAST_PAD_SYMMETRIC, 4, 9, 9, "0012332100123321001233"},
    {CLAST_PAD_WRAP, 1, 2, 3, "000000"},
    {CLAST_PAD_WRAP, 3, 2, 2, "1201201"},
    {CLAST_PAD_WRAP, 5, 4, 0, "123401234"},
    {CLAST_PAD_WRAP, 3, 6, 6, "012012012012012"},
    {CLAST_PAD_WRAP, 4, 9, 9, "3012301230123012301230"},
};

/* One block: compares what it sees with the digits. */
static clast_status compare_digits(clast_call *call, void *user, int nin,
                                   const clast_view *in, int nout, clast_buffer *out)
{
    const char *digits = user;
    const double *data = in->data;
    if (in->shape[0] != (int64_t)strlen(digits))
        return clast_call_fail(call, "another length");
    for (int64_t i = 0; i < in->shape[0]; i++)
        if (data[i] != digits[i] - '0')
            return clast_call_fail(call, "another element than NumPy's");
    memset(out->data, 0, out->bytes);
    return CLAST_OK;
}

START_TEST(padded_as_numpy)
{
    double memory[8], got[8];
    clast_ctx *ctx = open_some(1);
    clast_array *a = borrowed(ctx, 1, &golden[_i].n, memory);
    const int64_t whole = -1;
    const clast_map_input how = {.depth = &golden[_i].before,
                                 .depth_after = &golden[_i].after,
                                 .pad = golden[_i].pad};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .chunk = &whole, .inputs = &how};
    fetch(clast_map(ctx, 1, &a, compare_digits, (void *)(uintptr_t)golden[_i].digits,
                    &options),
          CLAST_FLOAT64, 1, &golden[_i].n, got);
    clast_close(&ctx);
}
END_TEST

/* ---- several inputs ---- */

/* out = a + row * whole[0] - whole[last]; shapes as broadcast. */
static clast_status combine_inputs(clast_call *call, void *user, int nin,
                                   const clast_view *in, int nout, clast_buffer *out)
{
    const float *whole = in[2].data;
    const double *a = in[0].data, *row = in[1].data;
    int64_t index[2] = {0, 0}, at = 0;
    if (nin != 3 || in[1].ndim != 1 || in[2].ndim != 2 || in[2].shape[0] != 3 ||
        in[2].shape[1] != 2 || in[0].shape[1] != 1)
        return clast_call_fail(call, "other shapes than promised");
    if (in[1].origin[0] != clast_call_origin(call)[1] || in[0].origin[1] != 0)
        return clast_call_fail(call, "other origins than promised");
    do {
        const double v = a[in[0].strides[0] * index[0]] +
                         row[index[1]] * (double)whole[0] -
                         (double)whole[in[2].strides[0] * 2 + 1];
        ((double *)out->data)[at++] = v;
    } while (next(2, out->shape, index));
    return CLAST_OK;
}

START_TEST(inputs_broadcast)
{
    static const int64_t column[2] = {7, 1}, row[1] = {5}, table[2] = {3, 2},
                         shape[2] = {7, 5}, chunk[2] = {2, 3};
    double x[7], y[5], got[35];
    float z[6] = {2, 0, 0, 0, 0, 1000};
    clast_ctx *ctx = open_some(2);
    const clast_buffer whole = buffer(z, CLAST_FLOAT32, 2, table);
    clast_array *const in[3] = {borrowed(ctx, 2, column, x), borrowed(ctx, 1, row, y),
                                clast_copy_in(ctx, &whole)};
    const clast_map_input how[3] = {{.access = CLAST_ACCESS_BLOCK},
                                    {.access = CLAST_ACCESS_BLOCK},
                                    {.access = CLAST_ACCESS_WHOLE}};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .chunk = chunk, .inputs = how};
    fetch(clast_map(ctx, 3, in, combine_inputs, NULL, &options), CLAST_FLOAT64, 2,
          shape, got);
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 5; j++)
            ck_assert_double_eq(got[5 * i + j], i + 2 * j - 1000);
    clast_close(&ctx);
}
END_TEST

/* A map of a map, sliced: only blocks that are needed are called for. */
static clast_status twice(clast_call *call, void *user, int nin, const clast_view *in,
                          int nout, clast_buffer *out)
{
    const double *from = in->data;
    double *to = out->data;
    atomic_fetch_add((atomic_int *)user, 1);
    for (int64_t i = 0; i < out->shape[0]; i++)
        to[i] = 2 * from[i];
    return CLAST_OK;
}

START_TEST(only_what_is_needed)
{
    static const int64_t n = 100, chunk = 10, part = 15;
    double x[100], got[15];
    atomic_int calls = 0;
    clast_ctx *ctx = open_some(2);
    const clast_map_options options = {.dtype = CLAST_FLOAT64, .chunk = &chunk};
    clast_array *a = borrowed(ctx, 1, &n, x);
    clast_array *b = clast_map(ctx, 1, &a, twice, &calls, &options);
    clast_array *c = clast_map(ctx, 1, &b, twice, &calls, &options);
    fetch(clast_add(clast_slice(c, 0, 25, 40, 1), clast_int(ctx, 1)), CLAST_FLOAT64, 1,
          &part, got);
    for (int i = 0; i < 15; i++)
        ck_assert_double_eq(got[i], 4 * (25 + i) + 1);
    ck_assert_int_eq(calls, 4);
    clast_close(&ctx);
}
END_TEST

/* ---- blocks depend on nothing but the expression ---- */

/* The flat number of the block's first element. */
static clast_status mark(clast_call *call, void *user, int nin, const clast_view *in,
                         int nout, clast_buffer *out)
{
    const int64_t *o = clast_call_origin(call);
    double *to = out->data;
    for (size_t i = 0; i < out->bytes / sizeof *to; i++)
        to[i] = (double)(o[0] * 1000 + o[1]);
    return CLAST_OK;
}

static void marked(int workers, uint64_t memory, bool is_stored, bool is_persisted,
                   double *got)
{
    static const int64_t shape[2] = {300, 200}, chunk[2] = {30, 200};
    const clast_options opened = {.memory = memory,
                                  .workers = workers,
                                  .scratch = "/tmp",
                                  .block = CLAST_KIB(64)};
    clast_ctx *ctx = clast_open(&opened);
    clast_array *r = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *x = clast_mul(clast_rechunk(r, 2, chunk), clast_double(ctx, 2));
    const clast_map_options options = {.dtype = CLAST_FLOAT64};
    clast_array *a = clast_map(ctx, 1, &x, mark, NULL, &options);
    if (is_persisted)
        a = clast_persist(a);
    const clast_buffer into = buffer(got, CLAST_FLOAT64, 2, shape);
    static const int64_t stored[2] = {7, 11};
    const clast_hdf5_options how = {.chunks = stored, .no_sync = true};
    const clast_sink sinks[2] = {
        clast_sink_fetch(a, &into),
        clast_sink_hdf5(a, "/tmp/clast-test-user-map.h5", "/x", &how)};
    ck_assert_msg(clast_compute(ctx, is_stored ? 2 : 1, sinks) == CLAST_OK, "%s",
                  clast_ctx_error(ctx));
    clast_close(&ctx);
}

START_TEST(blocks_are_fixed)
{
    static double first[60000], got[60000];
    marked(1, CLAST_MIB(64), false, false, first);
    ck_assert_double_eq(first[0], 0);
    ck_assert_double_ne(first[59999], 0);
    marked(4, CLAST_MIB(64), false, false, got);
    ck_assert_mem_eq(got, first, sizeof got);
    marked(2, CLAST_MIB(2), true, false, got);
    ck_assert_mem_eq(got, first, sizeof got);
    marked(2, CLAST_MIB(2), false, true, got);
    ck_assert_mem_eq(got, first, sizeof got);
    remove("/tmp/clast-test-user-map.h5");
}
END_TEST

/* A pure generator in a budget that its blocks do not fit into together. */
START_TEST(pure_maps_may_run_again)
{
    static const int64_t shape[2] = {512, 512}, chunk[2] = {32, 512};
    static double got[512];
    const clast_options opened = {.memory = CLAST_KIB(1200),
                                  .workers = 2,
                                  .scratch = "/tmp",
                                  .block = CLAST_KIB(128)};
    clast_ctx *ctx = clast_open(&opened);
    const clast_map_options options = {.name = "number",
                                       .pure = true,
                                       .cost = 0.1,
                                       .dtype = CLAST_FLOAT64,
                                       .ndim = 2,
                                       .shape = shape,
                                       .chunk = chunk};
    clast_array *a =
        clast_map(ctx, 0, NULL, number, (void *)(uintptr_t)shape, &options);
    clast_array *b = clast_sub(a, clast_mean(a, 0));
    fetch(clast_max(clast_abs(b), 0), CLAST_FLOAT64, 1, shape, got);
    for (int i = 0; i < 512; i++)
        ck_assert_double_eq(got[i], 255.5 * 512);
    ck_assert_uint_eq(clast_ctx_stats(ctx).spilled, 0);
    clast_close(&ctx);
}
END_TEST

/* ---- reductions ---- */

/* A partial is {hash, factor}: joining two is not commutative, so order matters. Over
 * several kept elements the record is a trailing axis of 2. */
enum { BASE = 31 };

static clast_status hash_block(clast_call *call, void *user, int nin,
                               const clast_view *in, int nout, clast_buffer *out)
{
    const int axis = *(int *)user;
    const double *data = in->data;
    uint64_t *record = out->data;
    int64_t index[2] = {0, 0};
    if (out->ndim != 2 || out->shape[1] != 2)
        return clast_call_fail(call, "the partial has another shape");
    for (int64_t i = 0; i < out->shape[0]; i++) {
        record[2 * i] = 0;
        record[2 * i + 1] = 1;
    }
    do {
        uint64_t *r = record + 2 * index[1 - axis];
        r[0] = r[0] * BASE + (uint64_t)data[flat(2, in->strides, index)];
        r[1] *= BASE;
    } while (next(2, in->shape, index));
    return CLAST_OK;
}

static clast_status join_hashes(clast_call *call, void *user, int nin,
                                const clast_view *in, int nout, clast_buffer *out)
{
    uint64_t *to = out->data;
    if (nin < 2 || nin > 16)
        return clast_call_fail(call, "too few or too many partials");
    memcpy(to, in[0].data, out->bytes);
    for (int k = 1; k < nin; k++) {
        const uint64_t *from = in[k].data;
        for (int64_t i = 0; i < out->shape[0]; i++) {
            to[2 * i] = to[2 * i] * from[2 * i + 1] + from[2 * i];
            to[2 * i + 1] *= from[2 * i + 1];
        }
    }
    return CLAST_OK;
}

static clast_status take_hash(clast_call *call, void *user, int nin,
                              const clast_view *in, int nout, clast_buffer *out)
{
    const uint64_t *from = nin ? in->data : NULL;
    uint64_t *to = out->data;
    for (int64_t i = 0; i < out->shape[0]; i++)
        to[i] = nin ? from[2 * i] : 4711;
    return CLAST_OK;
}

static const struct {
    int64_t shape[2], chunk[2];
    int axis;
} folded[] = {
    {{5, 4}, {5, 4}, 0},   {{5, 4}, {2, 3}, 0},   {{5, 4}, {2, 3}, 1},
    {{100, 3}, {1, 2}, 0}, {{3, 100}, {2, 1}, 1}, {{300, 2}, {1, 1}, 0},
    {{17, 2}, {1, -1}, 0}, {{16, 2}, {1, 1}, 0},  {{0, 3}, {1, 1}, 0},
    {{3, 0}, {1, 1}, 0},   {{257, 1}, {1, 1}, 0},
};

START_TEST(folds_in_order)
{
    static const int64_t two = 2;
    const int64_t *shape = folded[_i].shape;
    int axis = folded[_i].axis;
    static double memory[1024];
    uint64_t got[128];
    clast_ctx *ctx = open_some(2);
    clast_array *a = borrowed(ctx, 2, shape, memory);
    const clast_fold fold = {.naxes = 1,
                             .axes = &axis,
                             .partial = {CLAST_UINT64, 1, &two},
                             .combine = join_hashes,
                             .finish = take_hash};
    const clast_map_options options = {
        .dtype = CLAST_UINT64, .chunk = folded[_i].chunk, .fold = &fold};
    clast_array *h = clast_map(ctx, 1, &a, hash_block, &axis, &options);
    const int64_t kept = shape[1 - axis], length = shape[axis];
    ck_assert_int_eq(clast_ndim(h), 1);
    fetch(h, CLAST_UINT64, 1, &kept, got);
    for (int64_t i = 0; i < kept; i++) {
        uint64_t want = length ? 0 : 4711;
        for (int64_t k = 0; k < length; k++)
            want = want * BASE +
                   (uint64_t)(axis == 0 ? k * shape[1] + i : i * shape[1] + k);
        ck_assert_uint_eq(got[i], want);
    }
    clast_close(&ctx);
}
END_TEST

/* Over all axes, no finish: counts in a trailing axis, from a generator's space. */
static clast_status count_digits(clast_call *call, void *user, int nin,
                                 const clast_view *in, int nout, clast_buffer *out)
{
    const int64_t *o = clast_call_origin(call), *n = clast_call_extent(call);
    int64_t *bins = out->data;
    memset(bins, 0, out->bytes);
    for (int64_t i = 0; i < n[0]; i++)
        for (int64_t j = 0; j < n[1]; j++)
            bins[((o[0] + i) * 50 + o[1] + j) % 7]++;
    return CLAST_OK;
}

static clast_status add_counts(clast_call *call, void *user, int nin,
                               const clast_view *in, int nout, clast_buffer *out)
{
    int64_t *to = out->data;
    memset(to, 0, out->bytes);
    for (int k = 0; k < nin; k++)
        for (int64_t i = 0; i < out->shape[0]; i++)
            to[i] += ((const int64_t *)in[k].data)[i];
    return CLAST_OK;
}

START_TEST(folds_without_finish)
{
    static const int64_t bins = 7, shape[2] = {40, 50}, chunk[2] = {7, 11};
    int64_t got[7], want[7] = {0};
    clast_ctx *ctx = open_some(2);
    const clast_fold fold = {.partial = {CLAST_INT64, 1, &bins},
                             .combine = add_counts,
                             .ndim = 1,
                             .shape = &bins};
    const clast_map_options options = {.name = "histogram",
                                       .dtype = CLAST_INT64,
                                       .ndim = 2,
                                       .shape = shape,
                                       .chunk = chunk,
                                       .fold = &fold};
    clast_array *h = clast_map(ctx, 0, NULL, count_digits, NULL, &options);
    for (int i = 0; i < 2000; i++)
        want[i % 7]++;
    fetch(h, CLAST_INT64, 1, &bins, got);
    ck_assert_mem_eq(got, want, sizeof got);
    /* One block: nothing to combine. */
    const clast_map_options one = {
        .dtype = CLAST_INT64, .ndim = 2, .shape = shape, .fold = &fold};
    fetch(clast_map(ctx, 0, NULL, count_digits, NULL, &one), CLAST_INT64, 1, &bins,
          got);
    ck_assert_mem_eq(got, want, sizeof got);
    clast_close(&ctx);
}
END_TEST

/* ---- failing, canceling, not fitting ---- */

/* Fails in the blocks from (user) on. */
static clast_status fail_from(clast_call *call, void *user, int nin,
                              const clast_view *in, int nout, clast_buffer *out)
{
    memset(out->data, 0, out->bytes);
    return clast_call_origin(call)[0] >= *(int64_t *)user
               ? clast_call_fail(call, "too hot")
               : CLAST_OK;
}

static clast_status fail_oddly(clast_call *call, void *user, int nin,
                               const clast_view *in, int nout, clast_buffer *out)
{
    memset(out->data, 0, out->bytes);
    if (*(int *)user == CLAST_EMATH)
        clast_call_fail(call, "it swings");
    return (clast_status) * (int *)user;
}

static clast_map_options ten_blocks(const char *name)
{
    static const int64_t shape[2] = {100, 3}, chunk[2] = {10, 3};
    return (clast_map_options){.name = name,
                               .dtype = CLAST_FLOAT64,
                               .ndim = 2,
                               .shape = shape,
                               .chunk = chunk};
}

START_TEST(failures_name_the_block)
{
    static const int64_t shape[2] = {100, 3};
    static const char file[] = "/tmp/clast-test-user-fails.h5";
    static double got[300];
    int64_t from = 40;
    clast_ctx *ctx = open_some(1 + 3 * _i);
    const clast_map_options options = ten_blocks("heat");
    clast_array *a = clast_map(ctx, 0, NULL, fail_from, &from, &options);
    const clast_buffer into = buffer(got, CLAST_FLOAT64, 2, shape);
    const clast_sink sinks[2] = {clast_sink_fetch(a, &into),
                                 clast_sink_hdf5(a, file, "/x", NULL)};
    ck_assert_int_eq(clast_compute(ctx, 2, sinks), CLAST_EUSER);
    if (_i == 0)
        ck_assert_str_eq(clast_ctx_error(ctx),
                         "heat: block (4, 0) at (40, 0): too hot");
    else
        ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "0): too hot"));
    FILE *left = fopen(file, "r");
    ck_assert_ptr_null(left);
    /* The context goes on. */
    clast_ctx_clear(ctx);
    from = 1000;
    ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
    clast_close(&ctx);
}
END_TEST

static const struct {
    int returned;
    clast_status status;
    const char *message;
} odd[] = {
    {CLAST_EIO, CLAST_EIO, "odd: block (0, 0) at (0, 0): read or write failed"},
    {CLAST_EMATH, CLAST_EMATH, "odd: block (0, 0) at (0, 0): it swings"},
    {77777, CLAST_EUSER,
     "odd: block (0, 0) at (0, 0): returned 77777, which is no status"},
    {-1, CLAST_EUSER, "odd: block (0, 0) at (0, 0): returned -1, which is no status"},
    {CLAST_ECANCELED, CLAST_EUSER,
     "odd: block (0, 0) at (0, 0): gave up, though nobody canceled the run"},
};

START_TEST(odd_statuses)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    int returned = odd[_i].returned;
    clast_ctx *ctx = open_some(1);
    const clast_map_options options = ten_blocks("odd");
    clast_array *a = clast_map(ctx, 0, NULL, fail_oddly, &returned, &options);
    const clast_buffer into = buffer(got, CLAST_FLOAT64, 2, shape);
    ck_assert_int_eq(clast_fetch(a, &into), odd[_i].status);
    ck_assert_str_eq(clast_ctx_error(ctx), odd[_i].message);
    clast_close(&ctx);
}
END_TEST

/* A callback that runs another context, whose callbacks, in whatever thread, turn to the
 * one that waits for them. */
typedef struct {
    clast_ctx *outer, *inner;
    atomic_int refused, other_threads;
    pthread_t waiting;
} nest;

static clast_status turn_back(clast_call *call, void *user, int nin,
                              const clast_view *in, int nout, clast_buffer *out)
{
    nest *n = user;
    n->other_threads += !pthread_equal(pthread_self(), n->waiting);
    n->refused += clast_compute(n->outer, 0, NULL) == CLAST_EBUSY &&
                  clast_array_status(clast_int(n->outer, 1)) == CLAST_EBUSY &&
                  clast_compute(n->inner, 0, NULL) == CLAST_EBUSY;
    for (int i = 0; i < 200000; i++) /* so long that the other worker comes */
        clast_call_is_canceled(call);
    memset(out->data, 0, out->bytes);
    return CLAST_OK;
}

static clast_status run_inner(clast_call *call, void *user, int nin,
                              const clast_view *in, int nout, clast_buffer *out)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    nest *n = user;
    n->waiting = pthread_self();
    const clast_map_options options = ten_blocks("inner");
    const clast_buffer into = buffer(got, CLAST_FLOAT64, 2, shape);
    memset(out->data, 0, out->bytes);
    return clast_fetch(clast_map(n->inner, 0, NULL, turn_back, n, &options), &into);
}

START_TEST(contexts_that_call_each_other)
{
    static const int64_t one = 1;
    double got = 1;
    nest n = {.outer = open_some(1), .inner = open_some(2)};
    const clast_map_options options = {
        .name = "outer", .dtype = CLAST_FLOAT64, .ndim = 1, .shape = &one};
    const clast_buffer into = buffer(&got, CLAST_FLOAT64, 1, &one);
    clast_array *a = clast_map(n.outer, 0, NULL, run_inner, &n, &options);
    for (int i = 1; i <= 20 && n.other_threads == 0; i++) {
        ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
        ck_assert_int_eq(n.refused, 10 * i);
    }
    ck_assert_int_eq(clast_compute(n.outer, 0, NULL), CLAST_OK); /* no longer */
    clast_close(&n.inner);
    clast_close(&n.outer);
}
END_TEST

/* The first block cancels; all wait until they see it. */
static clast_status cancel_and_wait(clast_call *call, void *user, int nin,
                                    const clast_view *in, int nout, clast_buffer *out)
{
    clast_ctx *ctx = user;
    int64_t one = 1;
    if (clast_array_status(clast_zeros(ctx, 1, &one, CLAST_INT8)) != CLAST_EBUSY ||
        clast_compute(ctx, 0, NULL) != CLAST_EBUSY)
        return clast_call_fail(call, "the context should be busy");
    if (clast_call_origin(call)[0] == 0)
        clast_cancel(ctx);
    while (!clast_call_is_canceled(call))
        ;
    return CLAST_ECANCELED;
}

START_TEST(cancels)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    clast_ctx *ctx = open_some(2);
    const clast_map_options options = ten_blocks("long");
    clast_array *a = clast_map(ctx, 0, NULL, cancel_and_wait, ctx, &options);
    const clast_buffer into = buffer(got, CLAST_FLOAT64, 2, shape);
    ck_assert_int_eq(clast_fetch(a, &into), CLAST_ECANCELED);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_ECANCELED);
    clast_close(&ctx);
}
END_TEST

static clast_status use_workspace(clast_call *call, void *user, int nin,
                                  const clast_view *in, int nout, clast_buffer *out)
{
    char *work = clast_call_workspace(call);
    const size_t bytes = *(size_t *)user;
    if (!bytes != !work || (uintptr_t)work % 64 != 0)
        return clast_call_fail(call, "another workspace than asked for");
    if (work)
        memset(work, 1, bytes);
    memset(out->data, 0, out->bytes);
    return CLAST_OK;
}

START_TEST(workspaces)
{
    static const size_t asked[] = {0, 1, 100000, 8 << 20};
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    clast_ctx *ctx = open_some(4);
    const clast_buffer into = buffer(got, CLAST_FLOAT64, 2, shape);
    for (int i = 0; i < COUNT(asked); i++) {
        size_t bytes = asked[i];
        clast_map_options options = ten_blocks("work");
        options.workspace = bytes;
        clast_array *a = clast_map(ctx, 0, NULL, use_workspace, &bytes, &options);
        ck_assert_int_eq(clast_fetch(a, &into), CLAST_OK);
        ck_assert_uint_ge(clast_ctx_stats(ctx).peak, bytes);
    }
    static const uint64_t much[] = {CLAST_MIB(65), UINT64_MAX / 2, UINT64_MAX};
    for (int i = 0; i < COUNT(much); i++) {
        clast_map_options options = ten_blocks("much");
        options.workspace = much[i];
        clast_array *a = clast_map(ctx, 0, NULL, use_workspace, NULL, &options);
        clast_ctx_clear(ctx);
        ck_assert_int_eq(clast_fetch(a, &into), CLAST_EBUDGET);
        ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "much"));
    }
    clast_close(&ctx);
}
END_TEST

/* Partials and blocks that nothing could hold, or nobody could count. */
START_TEST(giants)
{
    static const int64_t giant[2] = {(int64_t)1 << 30, (int64_t)1 << 26},
                         large[1] = {(int64_t)1 << 40}, one_block[2] = {-1, -1},
                         few[2] = {-1, 1 << 20};
    static const int axes[1] = {1};
    const struct {
        const int64_t *chunk;
        clast_output partial;
    } rows[] = {
        {one_block, {CLAST_FLOAT64, 0, NULL}},
        {few, {CLAST_FLOAT64, 1, large}},
        {(const int64_t[]){1, 1}, {CLAST_FLOAT64, 0, NULL}},
    };
    clast_ctx *ctx = open_some(1);
    for (int i = 0; i < COUNT(rows); i++) {
        const clast_fold fold = {.naxes = 1,
                                 .axes = axes,
                                 .partial = rows[i].partial,
                                 .combine = add_counts,
                                 .finish = take_hash};
        const clast_map_options options = {.name = "giant",
                                           .dtype = CLAST_UINT64,
                                           .ndim = 2,
                                           .shape = giant,
                                           .chunk = rows[i].chunk,
                                           .fold = &fold};
        uint64_t v;
        const clast_buffer into = {&v, sizeof v, CLAST_UINT64, 0, NULL, NULL};
        clast_array *a = clast_map(ctx, 0, NULL, count_digits, NULL, &options);
        clast_ctx_clear(ctx);
        ck_assert_int_eq(clast_fetch(clast_index(a, "5"), &into), CLAST_EBUDGET);
    }
    clast_close(&ctx);
}
END_TEST

/* ---- what is refused ---- */

typedef clast_array *refused_fn(clast_ctx *ctx, clast_array *a, clast_array *b);

/* One option at a time is wrong. a is (4, 6), b is (5, 6). */
static clast_array *map_with(clast_ctx *ctx, clast_array *a,
                             const clast_map_options *options)
{
    return clast_map(ctx, 1, &a, show, NULL, options);
}

static clast_array *with_input(clast_ctx *ctx, clast_array *a, clast_map_input input)
{
    const clast_map_options options = {.dtype = CLAST_FLOAT64, .inputs = &input};
    return map_with(ctx, a, &options);
}

static clast_array *with_fold(clast_ctx *ctx, clast_array *a, clast_fold fold)
{
    const clast_map_options options = {.dtype = CLAST_FLOAT64, .fold = &fold};
    return map_with(ctx, a, &options);
}

static const int64_t minus[2] = {0, -1}, zero[2] = {0, 3}, one[2] = {1, 1},
                     far[2] = {4 * 65, 0}, huge[2] = {INT64_MAX / 2, INT64_MAX / 2},
                     most[2] = {INT64_MAX, INT64_MAX};
static const int axes_out[1] = {2}, axes_twice[2] = {0, -2};

#define REFUSED(name, ...)                                                             \
    static clast_array *name(clast_ctx *ctx, clast_array *a, clast_array *b)           \
    {                                                                                  \
        return __VA_ARGS__;                                                            \
    }
REFUSED(no_kernel, clast_map(ctx, 1, &a, NULL, NULL, &(clast_map_options){0}))
REFUSED(no_options, clast_map(ctx, 1, &a, show, NULL, NULL))
REFUSED(negative_nin, clast_map(ctx, -1, &a, show, NULL, &(clast_map_options){0}))
REFUSED(no_inputs, clast_map(ctx, 1, NULL, show, NULL, &(clast_map_options){0}))
REFUSED(bad_dtype, map_with(ctx, a, &(clast_map_options){.dtype = CLAST_NDTYPE}))
REFUSED(bad_reserved, map_with(ctx, a, &(clast_map_options){.reserved = {1}}))
REFUSED(bad_cost, map_with(ctx, a, &(clast_map_options){.cost = NAN}))
REFUSED(bad_shape, map_with(ctx, a, &(clast_map_options){.ndim = 2, .shape = one}))
REFUSED(null_shape,
        clast_map(ctx, 0, NULL, show, NULL, &(clast_map_options){.ndim = 2}))
REFUSED(other_ndim, map_with(ctx, a, &(clast_map_options){.ndim = 3}))
REFUSED(huge_shape, clast_map(ctx, 0, NULL, show, NULL,
                              &(clast_map_options){.ndim = 2, .shape = huge}))
REFUSED(huge_fold,
        clast_map(ctx, 0, NULL, show, NULL,
                  &(clast_map_options){
                      .dtype = CLAST_INT8,
                      .ndim = 2,
                      .shape = huge,
                      .fold = &(clast_fold){.combine = show,
                                            .partial = {CLAST_INT8, 0, NULL}}}))
REFUSED(bad_chunk, map_with(ctx, a, &(clast_map_options){.chunk = zero}))
REFUSED(unlike, clast_map(ctx, 2, (clast_array *const[]){a, b}, show, NULL,
                          &(clast_map_options){.dtype = CLAST_INT8}))
REFUSED(bad_access, with_input(ctx, a, (clast_map_input){.access = CLAST_NACCESS}))
REFUSED(bad_pad, with_input(ctx, a, (clast_map_input){.pad = CLAST_NPAD}))
REFUSED(bad_depth, with_input(ctx, a, (clast_map_input){.depth = minus}))
REFUSED(whole_depth,
        with_input(ctx, a,
                   (clast_map_input){.access = CLAST_ACCESS_WHOLE, .depth = one}))
REFUSED(far_depth,
        with_input(ctx, a, (clast_map_input){.depth = far, .pad = CLAST_PAD_WRAP}))
REFUSED(huge_depth, with_input(ctx, a, (clast_map_input){.depth = huge}))
REFUSED(most_depth, with_input(ctx, a, (clast_map_input){.depth = most}))
REFUSED(most_repeats,
        with_input(ctx, clast_slice(a, 1, 0, 2, 1),
                   (clast_map_input){.depth = most, .pad = CLAST_PAD_REFLECT}))
REFUSED(input_reserved, with_input(ctx, a, (clast_map_input){.reserved = {0, 2}}))
REFUSED(spread_depth,
        clast_map(ctx, 2, (clast_array *const[]){a, clast_slice(a, 0, 0, 1, 1)}, show,
                  NULL,
                  &(clast_map_options){
                      .inputs = (clast_map_input[]){{.depth = NULL}, {.depth = one}}}))
REFUSED(no_combine,
        with_fold(ctx, a, (clast_fold){.partial = {.dtype = CLAST_FLOAT64}}))
REFUSED(bad_axes,
        with_fold(ctx, a, (clast_fold){.naxes = 1, .axes = axes_out, .combine = show}))
REFUSED(same_axes,
        with_fold(ctx, a,
                  (clast_fold){.naxes = 2, .axes = axes_twice, .combine = show}))
REFUSED(null_axes, with_fold(ctx, a, (clast_fold){.naxes = 2, .combine = show}))
REFUSED(other_partial,
        with_fold(ctx, a,
                  (clast_fold){.combine = show, .partial = {.dtype = CLAST_INT8}}))
REFUSED(empty_partial,
        with_fold(ctx, a,
                  (clast_fold){
                      .combine = show, .finish = show, .partial = {0, 2, zero}}))
REFUSED(empty_axis,
        with_fold(ctx, clast_slice(a, 0, 0, 0, 1),
                  (clast_fold){.combine = show, .partial = {.dtype = CLAST_FLOAT64}}))

static const struct {
    refused_fn *make;
    clast_status status;
} refused[] = {
    {no_kernel, CLAST_EVALUE},       {no_options, CLAST_EVALUE},
    {negative_nin, CLAST_EVALUE},    {no_inputs, CLAST_EVALUE},
    {bad_dtype, CLAST_EDTYPE},       {bad_reserved, CLAST_ENOTSUP},
    {bad_cost, CLAST_EVALUE},        {bad_shape, CLAST_ESHAPE},
    {null_shape, CLAST_EVALUE},      {other_ndim, CLAST_EVALUE},
    {huge_shape, CLAST_ESHAPE},      {huge_fold, CLAST_ESHAPE},
    {bad_chunk, CLAST_EVALUE},       {unlike, CLAST_ESHAPE},
    {bad_access, CLAST_EVALUE},      {bad_pad, CLAST_EVALUE},
    {bad_depth, CLAST_EVALUE},       {whole_depth, CLAST_EVALUE},
    {far_depth, CLAST_ENOTSUP},      {huge_depth, CLAST_ESHAPE},
    {input_reserved, CLAST_ENOTSUP}, {spread_depth, CLAST_EVALUE},
    {no_combine, CLAST_EVALUE},      {bad_axes, CLAST_EAXIS},
    {same_axes, CLAST_EAXIS},        {null_axes, CLAST_EVALUE},
    {other_partial, CLAST_EVALUE},   {empty_partial, CLAST_ESHAPE},
    {empty_axis, CLAST_ESHAPE},      {most_depth, CLAST_ESHAPE},
    {most_repeats, CLAST_ENOTSUP},
};

START_TEST(refusals)
{
    static const int64_t shape_a[2] = {4, 6}, shape_b[2] = {5, 6};
    double x[24], y[30];
    const uint64_t before = cl_alloc_live();
    clast_ctx *ctx = open_some(1);
    clast_array *a = borrowed(ctx, 2, shape_a, x), *b = borrowed(ctx, 2, shape_b, y);
    clast_array *made = refused[_i].make(ctx, a, b);
    ck_assert_msg(clast_array_status(made) == refused[_i].status, "%s",
                  clast_error(made));
    ck_assert_str_ne(clast_error(made), "");
    clast_ctx *other = open_some(1);
    ck_assert_int_eq(clast_array_status(
                         clast_map(other, 1, &a, show, NULL, &(clast_map_options){0})),
                     CLAST_ECONTEXT);
    clast_close(&other);
    clast_close(&ctx);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

typedef struct {
    char text[4096];
    size_t used;
} words;

static void collect(void *arg, const char *text, size_t bytes)
{
    words *w = arg;
    const size_t room = sizeof w->text - 1 - w->used;
    const size_t n = bytes < room ? bytes : room;
    memcpy(w->text + w->used, text, n);
    w->used += n;
}

/* A plan shows maps by name, with their blocks, and calls nothing. */
START_TEST(explained)
{
    static const int64_t shape[2] = {100, 3};
    static double got[300];
    words w = {{0}, 0};
    clast_ctx *ctx = open_some(1);
    const clast_map_options options = ten_blocks("heat");
    clast_array *a = clast_map(ctx, 0, NULL, fail_from, NULL, &options);
    const clast_buffer into = buffer(got, CLAST_FLOAT64, 2, shape);
    const clast_sink sink = clast_sink_fetch(a, &into);
    ck_assert_int_eq(clast_explain(ctx, 1, &sink, collect, &w), CLAST_OK);
    const char *line = strstr(w.text, "heat");
    ck_assert_ptr_nonnull(line);
    char *end = strchr(line, '\n');
    ck_assert_ptr_nonnull(end);
    *end = 0;
    ck_assert_ptr_nonnull(strstr(line, "user"));
    ck_assert_ptr_nonnull(strstr(line, "(10, 3)"));
    clast_close(&ctx);
}
END_TEST

/* What belongs to a map goes with the last that is built on it. */
START_TEST(scopes_free_maps)
{
    static const int64_t n = 100;
    double x[100], got[100];
    atomic_int calls = 0;
    clast_ctx *ctx = open_some(1);
    clast_array *a = clast_keep(borrowed(ctx, 1, &n, x));
    const clast_map_options options = {.name = "twice", .dtype = CLAST_FLOAT64};
    uint64_t before = 0;
    for (int i = 0; i < 20; i++) {
        clast_scope_begin(ctx);
        clast_array *b = clast_map(ctx, 1, &a, twice, &calls, &options);
        fetch(clast_add(b, b), CLAST_FLOAT64, 1, &n, got);
        ck_assert_double_eq(got[99], 4 * 99);
        clast_scope_end(ctx);
        if (i == 2)
            before = cl_alloc_live();
    }
    ck_assert_uint_eq(cl_alloc_live(), before);
    ck_assert_int_eq(calls, 20);
    clast_close(&ctx);
}
END_TEST

/* ---- a stencil over a file that is larger than the budget ---- */

enum { ROWS = 500, COLUMNS = 420, STEPS = 3 };

static clast_status smooth(clast_call *call, void *user, int nin, const clast_view *in,
                           int nout, clast_buffer *out)
{
    const int64_t s = in->strides[0];
    double *to = out->data;
    for (int64_t i = 0; i < out->shape[0]; i++) {
        const double *x = (const double *)in->data + (i + 1) * s + 1;
        for (int64_t j = 0; j < out->shape[1]; j++, x++)
            *to++ = (x[0] + x[-1] + x[1] + x[-s] + x[s]) / 5;
    }
    return CLAST_OK;
}

static double reflected(const double *x, int64_t i, int64_t j)
{
    return x[beyond(CLAST_PAD_REFLECT, i, ROWS) * COLUMNS +
             beyond(CLAST_PAD_REFLECT, j, COLUMNS)];
}

static void plain_smooth(const double *x, double *to)
{
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t j = 0; j < COLUMNS; j++)
            *to++ =
                (reflected(x, i, j) + reflected(x, i, j - 1) + reflected(x, i, j + 1) +
                 reflected(x, i - 1, j) + reflected(x, i + 1, j)) /
                5;
}

static const struct {
    uint64_t memory;
    int workers;
} smoothed[] = {{CLAST_MIB(64), 1}, {CLAST_KIB(1500), 1}, {CLAST_MIB(2), 8}};

START_TEST(stencils_out_of_core)
{
    static const char file[] = "/tmp/clast-test-user-stencil.h5";
    static const int64_t shape[2] = {ROWS, COLUMNS}, chunk[2] = {64, 80},
                         depth[2] = {1, 1};
    static double x[2][ROWS * COLUMNS], got[ROWS * COLUMNS];
    const clast_options opened = {.memory = smoothed[_i].memory,
                                  .workers = smoothed[_i].workers,
                                  .scratch = "/tmp",
                                  .block = CLAST_KIB(64)};
    const clast_hdf5_options stored = {
        .chunks = chunk, .gzip = 1, .no_sync = true, .overwrite = true};
    const clast_map_input how = {.depth = depth, .pad = CLAST_PAD_REFLECT};
    const clast_map_options options = {
        .name = "smooth", .dtype = CLAST_FLOAT64, .inputs = &how};
    clast_ctx *ctx = clast_open(&opened);
    clast_array *r = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    ck_assert_int_eq(clast_to_hdf5(r, file, "/x", &stored), CLAST_OK);
    clast_array *y = clast_from_hdf5(ctx, file, "/x");
    fetch(y, CLAST_FLOAT64, 2, shape, x[0]);
    for (int s = 0; s < STEPS; s++) {
        y = clast_map(ctx, 1, &y, smooth, NULL, &options);
        plain_smooth(x[s % 2], x[(s + 1) % 2]);
    }
    fetch(y, CLAST_FLOAT64, 2, shape, got);
    ck_assert_mem_eq(got, x[STEPS % 2], sizeof got);
    ck_assert_uint_le(clast_ctx_stats(ctx).peak, smoothed[_i].memory);
    clast_close(&ctx);
    remove(file);
}
END_TEST

static Suite *maps(void)
{
    Suite *s = suite_create("user_map");
    TCase *t = tcase_create("maps");
    tcase_add_loop_test(t, generators, 0, COUNT(generated));
    tcase_add_loop_test(t, halos_of_all_modes, 0, COUNT(halos) * CLAST_NPAD);
    tcase_add_loop_test(t, padded_as_numpy, 0, COUNT(golden));
    tcase_add_test(t, inputs_broadcast);
    tcase_add_test(t, only_what_is_needed);
    tcase_add_test(t, blocks_are_fixed);
    tcase_add_test(t, pure_maps_may_run_again);
    tcase_add_loop_test(t, folds_in_order, 0, COUNT(folded));
    tcase_add_test(t, folds_without_finish);
    tcase_add_loop_test(t, failures_name_the_block, 0, 2);
    tcase_add_loop_test(t, odd_statuses, 0, COUNT(odd));
    tcase_add_test(t, contexts_that_call_each_other);
    tcase_add_test(t, cancels);
    tcase_add_test(t, workspaces);
    tcase_add_test(t, giants);
    tcase_add_loop_test(t, refusals, 0, COUNT(refused));
    tcase_add_test(t, explained);
    tcase_add_test(t, scopes_free_maps);
    tcase_add_loop_test(t, stencils_out_of_core, 0, COUNT(smoothed));
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {maps};
    return cl_check_main(suites, 1);
}
