/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said before a run, beside what the run does: the workloads of
 * docs/performance.md on small files, with one worker and a quarter, an eighth, a
 * sixteenth of the data as budget.
 *
 * Bytes that are read and spilled are within a tenth of what was predicted (a block is
 * always forgiven), and the peak is never above the predicted one. Where nothing is
 * loaded and all fits it is not with any number of workers, which is tried with random
 * programs of tiny tasks.
 */
#include "check_main.h"
#include "clast.h"
#include "hdf5_files.h"
#include "random_plan.h"

#include <string.h>

enum { BLOCK = 128 << 10 };

static void begin(void)
{
    files_begin();
    files_make(&(file_spec){.file = "square.h5",
                            .path = "/x",
                            .ndim = 2,
                            .shape = {3072, 3072},
                            .chunk = {128, 128},
                            .is_noise = true});
    files_make(&(file_spec){.file = "tall.h5",
                            .path = "/x",
                            .ndim = 2,
                            .shape = {163840, 32},
                            .chunk = {2048, 32},
                            .is_noise = true});
    files_make(&(file_spec){.file = "climate.h5",
                            .path = "/x",
                            .type = H5T_NATIVE_FLOAT,
                            .ndim = 3,
                            .shape = {480, 91, 180},
                            .chunk = {24, 23, 45},
                            .filters = FILTER_DEFLATE | FILTER_SHUFFLE});
}

static const struct {
    const char *name, *file, *program;
    uint64_t bytes;   /* of the data */
    int smallest;     /* share of them that is tried: products want three tiles */
    int64_t chunk[2]; /* of the stored result; 0: its value is wanted only */
} workloads[] = {
    {"elementwise",
     "square.h5",
     "sum(exp(-x*x/2)*sin(x) + sqrt(abs(x)))",
     72 << 20,
     16,
     {0}},
    {"symmetrise", "square.h5", "x + x.T - mean(x, axis=0)", 72 << 20, 16, {128, 128}},
    {"climate-mean", "climate.h5", "sum(mean(x, axis=0))", 30 << 20, 16, {0}},
    {"climate-anomaly",
     "climate.h5",
     "(x - mean(x, axis=0)).astype(float64).std(axis=0).sum()",
     30 << 20,
     16,
     {0}},
    {"matmul", "square.h5", "x @ x.T", 72 << 20, 8, {128, 128}},
    {"svd",
     "tall.h5",
     "u, s, v = svd(x); concatenate([s[:3], reshape(sum(u**2), (1,)), "
     "reshape(abs(v[0, 0]), (1,))])",
     40 << 20,
     16,
     {0}},
    {"rechunk", "square.h5", "x", 72 << 20, 16, {3072, 8}},
};

static void check_bytes(const char *what, uint64_t told, uint64_t is, const char *name,
                        int share)
{
    const uint64_t apart = told > is ? told - is : is - told;
    ck_assert_msg(apart <= is / 10 || apart <= BLOCK,
                  "%s at 1/%d: %s %llu KiB, predicted %llu", name, share, what,
                  (unsigned long long)is >> 10, (unsigned long long)told >> 10);
}

/* What svd makes again instead of spilling hangs on when loads come. Of the anomaly
 * less than a per cent of what it moves is spilled at a sixteenth, a block more or less
 * as spills end sooner or later. There the sum is told. */
static bool tells_sum_only(const char *name)
{
    return strcmp(name, "svd") == 0 || strcmp(name, "climate-anomaly") == 0;
}

static clast_status compute(clast_array *y, const int64_t *chunks)
{
    static double values[8];
    if (chunks[0])
        return clast_to_hdf5(y, "y.h5", "/y",
                             &(clast_hdf5_options){
                                 .overwrite = true, .chunks = chunks, .no_sync = true});
    const clast_buffer into = {.data = values,
                               .bytes = sizeof values,
                               .dtype = CLAST_FLOAT64,
                               .ndim = clast_ndim(y),
                               .shape = clast_shape(y)};
    return clast_fetch(clast_astype(y, CLAST_FLOAT64), &into);
}

static void check_peak(const clast_stats *s, const char *name, int share)
{
    ck_assert_uint_gt(s->peak, 0);
    ck_assert_msg(s->peak <= s->predicted_peak,
                  "%s at 1/%d: a peak of %llu KiB, predicted %llu", name, share,
                  (unsigned long long)s->peak >> 10,
                  (unsigned long long)s->predicted_peak >> 10);
}

START_TEST(workloads_do_what_is_said)
{
    const int i = _i;
    for (int share = 4; share <= workloads[i].smallest; share *= 2) {
        clast_ctx *ctx =
            clast_open(&(clast_options){.memory = workloads[i].bytes / (uint64_t)share,
                                        .workers = 1,
                                        .block = BLOCK});
        const clast_name x = {"x", clast_from_hdf5(ctx, workloads[i].file, "/x")};
        clast_array *y = clast_expr(ctx, workloads[i].program, 1, &x);
        ck_assert_msg(compute(y, workloads[i].chunk) == CLAST_OK, "%s at 1/%d: %s",
                      workloads[i].name, share, clast_ctx_error(ctx));
        const clast_stats s = clast_ctx_stats(ctx);
        check_bytes("read", s.predicted_read, s.read, workloads[i].name, share);
        if (tells_sum_only(workloads[i].name))
            check_bytes("moved", s.predicted_read + s.predicted_spilled,
                        s.read + s.spilled, workloads[i].name, share);
        else
            check_bytes("spilled", s.predicted_spilled, s.spilled, workloads[i].name,
                        share);
        check_peak(&s, workloads[i].name, share);
        clast_close(&ctx);
    }
}
END_TEST

enum { SIDE = 96, PROGRAMS = 40 };

/* Views, reductions and products of each other, several of them used twice. */
static clast_array *random_program(clast_ctx *ctx, dice *d)
{
    static const int64_t shape[2] = {SIDE, SIDE};
    clast_array *y = clast_random(ctx, 2, shape, 7, CLAST_FLOAT64), *x = y;
    for (uint32_t n = 2 + dice_below(d, 5); n > 0; n--) {
        clast_array *const before = y;
        switch (dice_below(d, 6)) {
        case 0:
            y = clast_add(y, clast_transpose(y));
            break;
        case 1:
            y = clast_sub(y, clast_mean(y, (int)dice_below(d, 2)));
            break;
        case 2:
            y = clast_matmul(y, x);
            break;
        case 3:
            y = clast_exp(clast_neg(clast_abs(y)));
            break;
        case 4:
            y = clast_mul(y, clast_flip(x, (int)dice_below(d, 2)));
            break;
        default:
            y = clast_add(y, clast_max(y, (int)dice_below(d, 2)));
        }
        x = dice_one_in(d, 3) ? before : x;
    }
    return y;
}

START_TEST(nobody_runs_ahead_of_the_prediction)
{
    static double values[2][SIDE][SIDE];
    static const int workers[] = {1, 2, 4, 8};
    for (uint64_t seed = 1; seed <= PROGRAMS; seed++)
        for (int i = 0; i < 4; i++) {
            dice d = dice_of(seed);
            clast_ctx *ctx = clast_open(
                &(clast_options){.memory = CLAST_MIB(64),
                                 .workers = workers[i],
                                 .block = (uint64_t)512 << dice_below(&d, 5)});
            clast_array *y = random_program(ctx, &d);
            const clast_buffer into = {.data = values[i > 0],
                                       .bytes = sizeof values[0],
                                       .dtype = CLAST_FLOAT64,
                                       .ndim = 2,
                                       .shape = clast_shape(y)};
            ck_assert_msg(clast_fetch(y, &into) == CLAST_OK, "%s",
                          clast_ctx_error(ctx));
            const clast_stats s = clast_ctx_stats(ctx);
            ck_assert_uint_eq(s.predicted_read, 0);
            ck_assert_msg(s.peak <= s.predicted_peak,
                          "seed %d, %d workers: a peak of %llu KiB, predicted %llu",
                          (int)seed, workers[i], (unsigned long long)s.peak >> 10,
                          (unsigned long long)s.predicted_peak >> 10);
            ck_assert(memcmp(values[i > 0], values[0], sizeof values[0]) == 0);
            clast_close(&ctx);
        }
}
END_TEST

static Suite *prediction(void)
{
    Suite *s = suite_create("prediction");
    TCase *t = tcase_create("prediction");
    tcase_add_unchecked_fixture(t, begin, files_end);
    tcase_add_loop_test(t, workloads_do_what_is_said, 0,
                        (int)(sizeof workloads / sizeof *workloads));
    tcase_set_timeout(t, 300);
    suite_add_tcase(s, t);
    TCase *a = tcase_create("ahead");
    tcase_add_test(a, nobody_runs_ahead_of_the_prediction);
    suite_add_tcase(s, a);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {prediction};
    return cl_check_main(suites, 1);
}
