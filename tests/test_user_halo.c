/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a kernel of the caller is shown of its block's surroundings, with every pad
 * mode: shapes, origins and elements are checked within the kernel. And a stencil over
 * a file that is larger than the budget, against plain loops over the whole array.
 */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "clast.h"
#include "temp_folder.h"
#include "user_blocks.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

/* An array whose elements are their flat indices, in several guises. */
typedef clast_array *guise_fn(clast_ctx *ctx, int ndim, const int64_t *shape,
                              double *memory);

static clast_array *in_tiles(clast_ctx *ctx, int ndim, const int64_t *shape,
                             double *memory)
{
    const int64_t chunk[3] = {3, 2, 4};
    return clast_rechunk(user_borrowed(ctx, ndim, shape, memory), ndim, chunk);
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
    const clast_buffer data = user_buffer(memory, CLAST_FLOAT64, ndim, shape);
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
    return clast_map(ctx, 0, NULL, user_number, (void *)(uintptr_t)shape, &options);
}

static guise_fn *const guises[] = {user_borrowed, in_tiles, computed, flipped,
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
        if (data[user_flat(v->ndim, v->strides, index)] != expected(k, at))
            return "an element is wrong";
    } while (user_next(v->ndim, v->shape, index));
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
    from += user_flat(in->ndim, in->strides, in->halo_lo);
    do
        *to++ = from[user_flat(in->ndim, in->strides, index)];
    while (user_next(out->ndim, out->shape, index));
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
    clast_ctx *ctx = user_open(8);
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
        user_fetch(clast_map(ctx, 1, &a, show, &k, &options), CLAST_FLOAT64, ndim,
                   shape, got);
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
    clast_ctx *ctx = user_open(1);
    clast_array *a = user_borrowed(ctx, 1, &golden[_i].n, memory);
    const int64_t whole = -1;
    const clast_map_input how = {.depth = &golden[_i].before,
                                 .depth_after = &golden[_i].after,
                                 .pad = golden[_i].pad};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .chunk = &whole, .inputs = &how};
    user_fetch(clast_map(ctx, 1, &a, compare_digits,
                         (void *)(uintptr_t)golden[_i].digits, &options),
               CLAST_FLOAT64, 1, &golden[_i].n, got);
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
    static const char file[] = "stencil.h5";
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
    user_fetch(y, CLAST_FLOAT64, 2, shape, x[0]);
    for (int s = 0; s < STEPS; s++) {
        y = clast_map(ctx, 1, &y, smooth, NULL, &options);
        plain_smooth(x[s % 2], x[(s + 1) % 2]);
    }
    user_fetch(y, CLAST_FLOAT64, 2, shape, got);
    ck_assert_mem_eq(got, x[STEPS % 2], sizeof got);
    ck_assert_uint_le(clast_ctx_stats(ctx).peak, smoothed[_i].memory);
    clast_close(&ctx);
}
END_TEST

static Suite *halos_of_maps(void)
{
    Suite *s = suite_create("user_halo");
    TCase *t = tcase_create("halos");
    tcase_add_loop_test(t, halos_of_all_modes, 0, COUNT(halos) * CLAST_NPAD);
    tcase_add_loop_test(t, padded_as_numpy, 0, COUNT(golden));
    suite_add_tcase(s, t);
    TCase *f = tcase_create("files");
    tcase_add_checked_fixture(f, temp_folder_begin, temp_folder_end);
    tcase_add_loop_test(f, stencils_out_of_core, 0, COUNT(smoothed));
    suite_add_tcase(s, f);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {halos_of_maps};
    return cl_check_main(suites, 1);
}
