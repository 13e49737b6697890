/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions by functions of the caller: partials are joined in the order of their
 * blocks, whatever their number; what nothing could hold is refused.
 */
#include <string.h>

#include "check_main.h"
#include "clast.h"
#include "user_blocks.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

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
        r[0] = r[0] * BASE + (uint64_t)data[user_flat(2, in->strides, index)];
        r[1] *= BASE;
    } while (user_next(2, in->shape, index));
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
    clast_ctx *ctx = user_open(2);
    clast_array *a = user_borrowed(ctx, 2, shape, memory);
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
    user_fetch(h, CLAST_UINT64, 1, &kept, got);
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
    clast_ctx *ctx = user_open(2);
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
    user_fetch(h, CLAST_INT64, 1, &bins, got);
    ck_assert_mem_eq(got, want, sizeof got);
    /* One block: nothing to combine. */
    const clast_map_options one = {
        .dtype = CLAST_INT64, .ndim = 2, .shape = shape, .fold = &fold};
    user_fetch(clast_map(ctx, 0, NULL, count_digits, NULL, &one), CLAST_INT64, 1, &bins,
               got);
    ck_assert_mem_eq(got, want, sizeof got);
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
    clast_ctx *ctx = user_open(1);
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

static Suite *folds(void)
{
    Suite *s = suite_create("user_fold");
    TCase *t = tcase_create("folds");
    tcase_add_loop_test(t, folds_in_order, 0, COUNT(folded));
    tcase_add_test(t, folds_without_finish);
    tcase_add_test(t, giants);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {folds};
    return cl_check_main(suites, 1);
}
