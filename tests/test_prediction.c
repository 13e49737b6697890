/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said before a run, beside what the run does: the workloads of
 * docs/performance.md on small files, with one worker and a quarter, an eighth, a
 * sixteenth of the data as budget.
 *
 * With one worker bytes that are read and spilled are those that were predicted, every
 * time, and the peak is never above the predicted one. The same is tried with random
 * programs on files of several layouts, with blocks of several sizes and budgets from
 * the least that the plan runs in to where all fits; with several workers the budget
 * holds and the result is the same. Where nothing is loaded and all fits the predicted
 * peak is a bound with any number of workers, which is tried with random programs of
 * tiny tasks.
 *
 *     test_prediction [--programs N] [--first SEED]
 */
#include "check_main.h"
#include "check_share.h"
#include "clast.h"
#include "hdf5_files.h"
#include "random_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 128 << 10 };

static uint64_t programs = 30 / CL_CHECK_EVERY, first_seed = 1;

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

static void check_bytes(const char *what, uint64_t told, uint64_t is, const char *name)
{
    ck_assert_msg(told == is, "%s: %s %llu bytes, predicted %llu", name, what,
                  (unsigned long long)is, (unsigned long long)told);
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

/* One worker. What is being spilled may be gone a little sooner or later; a run that
 * spills nothing takes what was predicted. */
static void check_told(const clast_stats *s, const char *name)
{
    check_bytes("read", s->predicted_read, s->read, name);
    check_bytes("spilled", s->predicted_spilled, s->spilled, name);
    check_bytes("written", s->predicted_written, s->written, name);
    ck_assert_uint_gt(s->peak, 0);
    ck_assert_msg(s->peak <= s->predicted_peak && s->predicted_peak <= s->memory,
                  "%s: a peak of %llu bytes, predicted %llu of %llu", name,
                  (unsigned long long)s->peak, (unsigned long long)s->predicted_peak,
                  (unsigned long long)s->memory);
    if (s->spilled == 0)
        check_bytes("a peak of", s->predicted_peak, s->peak, name);
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
        char name[64];
        snprintf(name, sizeof name, "%s at 1/%d", workloads[i].name, share);
        check_told(&s, name);
        clast_close(&ctx);
    }
}
END_TEST

/* ---- random programs on files ---- */

enum { N = 256 }; /* x and y of a file are N x N */

static const struct {
    const char *file;
    hsize_t chunk[2];
    int filters;
} layouts[] = {
    {"plain.h5", {32, 32}, 0},
    {"gzip.h5", {32, 32}, FILTER_DEFLATE | FILTER_SHUFFLE},
    {"contiguous.h5", {0}, 0},
    {"odd.h5", {48, 20}, 0},
    {"odd_gzip.h5", {20, 100}, FILTER_DEFLATE},
};

enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static void make_layouts(void)
{
    files_begin();
    for (int i = 0; i < LAYOUTS; i++)
        for (int k = 0; k < 2; k++)
            files_make(&(file_spec){.file = layouts[i].file,
                                    .path = k == 0 ? "/x" : "/y",
                                    .ndim = 2,
                                    .shape = {N, N},
                                    .chunk = {layouts[i].chunk[0], layouts[i].chunk[1]},
                                    .filters = layouts[i].filters,
                                    .is_noise = k == 0,
                                    .is_added = k > 0});
}

/* Of what a file has: N x N. */
static const char *const firsts[] = {
    "x + 0*y",
    "u, s, vt = svd(reshape(x, (4096, 16))); reshape(u*s, (256, 256)) + 0*y",
    "u, s, vt = svd(x[:, :16]); x @ x[:, :16] @ vt @ u.T + y",
    "(x - mean(x, axis=0))/(std(x, axis=0) + 1) + 0*y",
    "reshape(reshape(x.T, (1024, 64)) + 1, (256, 256)) - y",
};

/* Of what was made before: N x N. */
static const char *const seconds[] = {
    "x @ y",
    "x.T @ y",
    "x @ x.T + 0*y",
    "x + y.T",
    "x - mean(y)",
    "x.T + y.T @ x",
    "x[::-1, :] + y[:, ::-1]",
    "(x - mean(x, axis=0))/(std(y, axis=0) + 1)",
    "exp(-abs(x)) - max(y, axis=1)",
    "x*sum(y, axis=0) + y*sum(x, axis=1)",
    "mean(x, axis=0)*x.T - y",
    "where(x > y.T, x, y)",
};

/* And in the end: of any shape. */
static const char *const lasts[] = {
    "x + y",
    "x @ y",
    "sum(x*y, axis=0) + mean(x*x, axis=1)",
    "concatenate([x, y.T], axis=1)",
    "stack([x, y, x.T], axis=2)",
    "var(x - y.T, axis=0) + var(x.T - y, axis=0)",
    "abs(x - y.T).sum(axis=1) + x.T.sum(axis=1)",
    "reshape(x, (512, 128)) @ reshape(y, (128, 512))",
    "x[:, None, :64] + y[None, :16, :64]",
    "sum(x)*max(y)",
};

#define ONE_OF(d, list) (list)[dice_below(d, sizeof(list) / sizeof *(list))]

static clast_array *of_two(const char *text, clast_array *x, clast_array *y)
{
    const clast_name names[] = {{"x", x}, {"y", y}};
    return clast_expr(clast_array_ctx(x), text, 2, names);
}

typedef struct {
    uint64_t seed, block, memory;
    int layout, workers;
    char text[512];
} trial;

/* The same for the same seed. */
static clast_array *program_on(clast_ctx *ctx, trial *t)
{
    dice d = dice_of(t->seed);
    const char *const file = layouts[t->layout].file;
    clast_array *x = clast_from_hdf5(ctx, file, "/x");
    clast_array *y = clast_from_hdf5(ctx, file, "/y");
    const char *text = ONE_OF(&d, firsts);
    size_t n = (size_t)snprintf(t->text, sizeof t->text, "%s", text);
    clast_array *z = of_two(text, x, y);
    for (uint32_t k = dice_below(&d, 3); k > 0; k--) {
        text = ONE_OF(&d, seconds);
        n += (size_t)snprintf(t->text + n, sizeof t->text - n, " | %s", text);
        clast_array *const next = of_two(text, z, dice_one_in(&d, 2) ? y : x);
        y = dice_one_in(&d, 2) ? z : y;
        z = next;
    }
    text = ONE_OF(&d, lasts);
    snprintf(t->text + n, sizeof t->text - n, " | %s", text);
    return of_two(text, z, y);
}

/* What it answered is in `values`. */
static clast_stats attempt(trial *t, double *values, size_t bytes)
{
    clast_stats s;
    clast_status status;
    do {
        clast_ctx *ctx = clast_open(&(clast_options){
            .memory = t->memory, .workers = t->workers, .block = t->block});
        clast_array *y = program_on(ctx, t);
        status = clast_fetch(y, &(clast_buffer){.data = values,
                                                .bytes = bytes,
                                                .dtype = CLAST_FLOAT64,
                                                .ndim = clast_ndim(y),
                                                .shape = clast_shape(y)});
        s = clast_ctx_stats(ctx);
        ck_assert_msg(status == CLAST_OK ||
                          (status == CLAST_EBUDGET && s.minimum_memory > t->memory),
                      "seed %d: %s: %s", (int)t->seed, t->text, clast_ctx_error(ctx));
        t->memory = s.minimum_memory; /* of one that is refused: what would do */
        clast_close(&ctx);
    } while (status != CLAST_OK);
    return s;
}

START_TEST(random_programs_do_what_is_said)
{
    enum { MOST = 4 * N * N };
    double *const values = malloc(MOST * sizeof *values);
    double *const same = malloc(MOST * sizeof *same);
    ck_assert(values && same);
    uint64_t spilling = 0;
    for (uint64_t seed = first_seed; seed < first_seed + programs; seed++) {
        dice d = dice_of(seed + 1);
        trial t = {.seed = seed,
                   .block = (uint64_t)8192 << dice_below(&d, 4),
                   .memory = CLAST_MIB(64),
                   .layout = (int)dice_below(&d, LAYOUTS),
                   .workers = 1};
        memset(values, 0, MOST * sizeof *values);
        const clast_stats ample = attempt(&t, values, MOST * sizeof *values);
        for (uint64_t share = 0; share <= 4; share++) {
            const uint64_t least = ample.minimum_memory, most = ample.peak;
            t.workers = share == 3 ? 2 + (int)dice_below(&d, 2) : 1;
            t.memory = least + (most > least ? (most - least) * share / 4 : 0);
            memset(same, 0, MOST * sizeof *same);
            const clast_stats s = attempt(&t, same, MOST * sizeof *same);
            char name[640];
            snprintf(name, sizeof name, "seed %d, %s, blocks of %d KiB, %d KiB: %s",
                     (int)seed, layouts[t.layout].file, (int)(t.block >> 10),
                     (int)(s.memory >> 10), t.text);
            ck_assert_msg(s.peak <= s.memory, "%s: a peak of %llu", name,
                          (unsigned long long)s.peak);
            ck_assert_msg(memcmp(values, same, MOST * sizeof *same) == 0,
                          "%s: another result", name);
            if (t.workers == 1)
                check_told(&s, name);
            spilling += s.spilled > 0;
        }
    }
    ck_assert_uint_gt(spilling, programs / 4);
    free(values);
    free(same);
}
END_TEST

/* ---- tiny tasks, nothing loaded ---- */

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
    TCase *r = tcase_create("random");
    tcase_add_unchecked_fixture(r, make_layouts, files_end);
    tcase_add_test(r, random_programs_do_what_is_said);
    tcase_set_timeout(r, 7200);
    suite_add_tcase(s, r);
    TCase *a = tcase_create("ahead");
    tcase_add_test(a, nobody_runs_ahead_of_the_prediction);
    suite_add_tcase(s, a);
    return s;
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2)
        *(strcmp(argv[i], "--first") ? &programs : &first_seed) =
            strtoull(argv[i + 1], NULL, 10);
    Suite *(*const suites[])(void) = {prediction};
    return cl_check_main(suites, 1);
}
