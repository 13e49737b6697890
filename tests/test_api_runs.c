/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs as a host program meets them: from several threads, from callbacks, with buffers
 * that overlap, with outputs that inherit, within budgets that are too small.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "clast.h"
#include "paper.h"

enum { N = 64 };

static clast_ctx *ctx;

static void open_ctx(void)
{
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}

static void close_ctx(void)
{
    clast_close(&ctx);
}

/* ---- threads: later runs wait for their turn, expressions are built meanwhile */

typedef struct {
    int seed, failed;
} caller;

static void *run_many(void *arg)
{
    caller *c = arg;
    for (int i = 0; i < 50; i++) {
        const int64_t shape[1] = {1000};
        double sum = 0;
        const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
        clast_array *a =
            clast_full(ctx, 1, shape, clast_int(ctx, c->seed + i), CLAST_FLOAT64);
        c->failed += clast_fetch(clast_sum(a, 0), &into) != CLAST_OK;
        c->failed += sum != 1000.0 * (c->seed + i);
    }
    return NULL;
}

START_TEST(threads_take_turns)
{
    caller callers[2] = {{1, 0}, {1000, 0}};
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run_many, &callers[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(callers[i].failed, 0);
    }
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}
END_TEST

/* ---- the hint, and a log callback that calls its own context */

typedef struct {
    int hints;
    clast_status made, run;
} listener;

static void listen(void *arg, clast_log_level level, const char *message)
{
    listener *l = arg;
    l->hints += strstr(message, "clast_persist()") ? 1 : 0;
    l->made = clast_array_status(clast_int(ctx, 1));
    l->run = clast_compute(ctx, 0, NULL);
}

static void total(clast_array *a)
{
    double sum = 0;
    const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
    ck_assert_int_eq(clast_fetch(clast_sum(a, CLAST_ALL), &into), CLAST_OK);
}

START_TEST(repeated_histories_are_hinted_at_once)
{
    char file[] = "/tmp/clast-test-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(file));
    snprintf(path, sizeof path, "%s/a.h5", file);
    const int64_t shape[2] = {N, N};
    ck_assert_int_eq(
        clast_to_hdf5(clast_random(ctx, 2, shape, 1, CLAST_FLOAT64), path, "/a", NULL),
        CLAST_OK);
    ck_assert_int_eq(
        clast_to_hdf5(clast_random(ctx, 2, shape, 2, CLAST_FLOAT64), path, "/b", NULL),
        CLAST_OK);
    ck_assert_int_eq(
        clast_to_hdf5(clast_random(ctx, 2, shape, 3, CLAST_FLOAT64), path, "/c", NULL),
        CLAST_OK);
    listener l = {0, CLAST_OK, CLAST_OK};
    clast_set_log(ctx, listen, &l);
    clast_array *a = clast_from_hdf5(ctx, path, "/a");
    clast_array *b = clast_add(a, clast_from_hdf5(ctx, path, "/b"));
    clast_array *c = clast_add(b, clast_from_hdf5(ctx, path, "/c"));
    total(a);
    ck_assert_int_eq(l.hints, 0);
    total(c);
    ck_assert_int_eq(l.hints, 1);
    ck_assert_int_eq(l.made, CLAST_EBUSY);
    ck_assert_int_eq(l.run, CLAST_EBUSY);
    total(c);
    ck_assert_int_eq(l.hints, 1);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(file), 0);
}
END_TEST

/* ---- what outputs inherit */

START_TEST(outputs_inherit_chunks_and_compression)
{
    char file[] = "/tmp/clast-test-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(file));
    snprintf(path, sizeof path, "%s/a.h5", file);
    const int64_t shape[2] = {40, 50}, chunks[2] = {7, 11};
    const clast_hdf5_options packed = {.chunks = chunks, .gzip = 3, .shuffle = 1};
    const clast_hdf5_options plain = {.gzip = -1, .shuffle = -1};
    ck_assert_int_eq(clast_to_hdf5(clast_random(ctx, 2, shape, 1, CLAST_FLOAT64), path,
                                   "/a", &packed),
                     CLAST_OK);
    clast_array *a = clast_from_hdf5(ctx, path, "/a");
    const struct {
        const char *path;
        clast_array *array;
        const clast_hdf5_options *options;
        bool has_chunks, has_gzip;
    } rows[] = {
        {"/like", clast_neg(a), NULL, true, true},
        {"/plain", clast_neg(a), &plain, true, false},
        {"/other", clast_sum(a, 0), NULL, false, true},
        {"/joined", clast_neg(clast_concatenate(2, (clast_array *[]){a, a}, 0)), NULL,
         true, true},
        {"/part", clast_slice(a, 0, 1, 30, 1), NULL, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        paper p = {.n = 0};
        ck_assert_int_eq(
            clast_to_hdf5(rows[i].array, path, rows[i].path, rows[i].options),
            CLAST_OK);
        ck_assert_int_eq(clast_hdf5_info(ctx, path, rows[i].path, paper_note, &p),
                         CLAST_OK);
        ck_assert_msg((strstr(p.text, "(7, 11)") != NULL) == rows[i].has_chunks, "%s",
                      p.text);
        ck_assert_msg((strstr(p.text, "gzip") != NULL) == rows[i].has_gzip, "%s",
                      p.text);
    }
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(file), 0);
}
END_TEST

/* ---- defaults and budgets */

/* Bytes of address space that this process has mapped: many under a sanitizer. */
static uint64_t mapped(void)
{
    unsigned long long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(statm);
    ck_assert_int_eq(fscanf(statm, "%llu", &pages), 1);
    fclose(statm);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A process with a limited address space takes half of it at most. */
START_TEST(the_default_budget_minds_the_address_space)
{
    const uint64_t limit = mapped() + CLAST_GIB(1);
    struct rlimit now;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &now), 0);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit less = {limit, now.rlim_max};
        if (setrlimit(RLIMIT_AS, &less) != 0)
            _exit(77);
        clast_ctx *c = clast_open(&(clast_options){.workers = 1});
        const clast_options o = clast_ctx_options(c);
        const bool is_ok = clast_ctx_status(c) == CLAST_OK && o.memory > 0 &&
                           o.memory <= limit / 2 && o.block > 0 && !o.scratch;
        _exit(is_ok ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_msg(WEXITSTATUS(status) == 0, "exit status %d", WEXITSTATUS(status));
}
END_TEST

/* A budget that is refused comes with one that works. */
START_TEST(refused_budgets_name_one_that_works)
{
    clast_options options = {.memory = CLAST_KIB(64), .workers = 1};
    const int64_t shape[2] = {600, 500};
    uint64_t minimum = 0;
    for (int i = 0; i < 2; i++) {
        double sum = 0;
        const clast_buffer into = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
        clast_ctx *c = clast_open(&options);
        clast_array *a = clast_random(c, 2, shape, 1, CLAST_FLOAT64);
        clast_array *square = clast_matmul(clast_transpose(a), a);
        const clast_sink sink = clast_sink_fetch(clast_sum(square, CLAST_ALL), &into);
        const clast_status wanted = i == 0 ? CLAST_EBUDGET : CLAST_OK;
        const clast_status status = clast_compute(c, 1, &sink);
        ck_assert_msg(status == wanted, "budget %" PRIu64 ": %s", options.memory,
                      clast_ctx_error(c));
        minimum = clast_ctx_stats(c).minimum_memory;
        if (i == 0)
            ck_assert_uint_gt(minimum, options.memory);
        options.memory = minimum;
        clast_close(&c);
    }
}
END_TEST

/* What a run says would do does, whether it was refused or not, though copies, and with
 * them what is needed, depend on the budget. */
START_TEST(minimum_budgets_are_enough)
{
    static const uint64_t first[] = {CLAST_KIB(64), CLAST_MIB(1), CLAST_MIB(64)};
    const int64_t shape[2] = {171, 698}, other[2] = {698, 171};
    static double all[171 * 698];
    uint64_t memory = first[_i];
    for (int i = 0; i < 3; i++) {
        const clast_buffer into = {all, sizeof all, CLAST_FLOAT64, 2, other, NULL};
        clast_ctx *c =
            clast_open(&(clast_options){.memory = memory, .workers = 1, .block = 4096});
        clast_array *a = clast_random(c, 2, shape, 1, CLAST_FLOAT64);
        clast_array *turned = clast_reshape(clast_transpose(a), 2, shape);
        clast_array *back = clast_reshape(clast_add(turned, a), 2, other);
        const clast_sink sink = clast_sink_fetch(back, &into);
        const clast_status status = clast_compute(c, 1, &sink);
        ck_assert_msg(status == CLAST_OK || (i == 0 && status == CLAST_EBUDGET),
                      "budget %" PRIu64 ": %s", memory, clast_ctx_error(c));
        memory = clast_ctx_stats(c).minimum_memory;
        clast_close(&c);
    }
}
END_TEST

/* ---- overlap: rows of {first element, rows, columns} of a matrix of N columns */

typedef struct {
    int first, rows, columns;
    bool overlaps;
} region;

/* All beside the region of 4 rows and 8 columns that begins at element (4, 8). */
static const region regions[] = {
    {4 * N + 8, 4, 8, true},
    {4 * N + 16, 4, 8, false},
    {4 * N, 4, 8, false},
    {4 * N + 15, 4, 8, true},
    {4 * N + 1, 4, 8, true},
    {8 * N + 8, 4, 8, false},
    {7 * N + 15, 1, 1, true},
    {7 * N + 16, 1, 1, false},
    {0, 4, N, false},
    {0, 5, N, true},
    {3 * N + 60, 2, 8, false},
    {3 * N + 60, 2, 13, true},
    {4 * N + 16, 1, N - 8, false},
    {4 * N + 16, 1, N - 7, true},
};

static clast_buffer region_of(double *data, const region *r, int64_t shape[2],
                              int64_t strides[2])
{
    shape[0] = r->rows;
    shape[1] = r->columns;
    strides[0] = N;
    strides[1] = 1;
    return (clast_buffer){
        data + r->first, (size_t)((r->rows - 1) * N + r->columns) * sizeof *data,
        CLAST_FLOAT64,   2,
        shape,           strides};
}

START_TEST(overlapping_buffers_are_refused)
{
    static double data[16 * N];
    const region fixed = {4 * N + 8, 4, 8, true};
    int64_t shape[2][2], strides[2][2];
    const clast_buffer a = region_of(data, &fixed, shape[0], strides[0]);
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        const region *r = &regions[i];
        const clast_status wanted = r->overlaps ? CLAST_EVALUE : CLAST_OK;
        const clast_buffer b = region_of(data, r, shape[1], strides[1]);
        const clast_sink two[2] = {
            clast_sink_fetch(clast_ones(ctx, 2, shape[0], CLAST_FLOAT64), &a),
            clast_sink_fetch(clast_ones(ctx, 2, shape[1], CLAST_FLOAT64), &b)};
        ck_assert_msg(clast_compute(ctx, 2, two) == wanted, "outputs, row %zu", i);
        /* one is read, the other written, by one sink and by two */
        clast_array *read = clast_borrow(ctx, &a);
        double sum = 0;
        const clast_buffer scalar = {&sum, sizeof sum, CLAST_FLOAT64, 0, NULL, NULL};
        const clast_sink mixed[2] = {
            clast_sink_fetch(clast_sum(read, CLAST_ALL), &scalar), two[1]};
        ck_assert_msg(clast_compute(ctx, 2, mixed) == wanted, "input, row %zu", i);
    }
}
END_TEST

static Suite *runs(void)
{
    Suite *s = suite_create("api_runs");
    TCase *c = tcase_create("runs");
    tcase_add_checked_fixture(c, open_ctx, close_ctx);
    tcase_add_test(c, threads_take_turns);
    tcase_add_test(c, repeated_histories_are_hinted_at_once);
    tcase_add_test(c, outputs_inherit_chunks_and_compression);
    tcase_add_test(c, the_default_budget_minds_the_address_space);
    tcase_add_test(c, refused_budgets_name_one_that_works);
    tcase_add_loop_test(c, minimum_budgets_are_enough, 0, 3);
    tcase_add_test(c, overlapping_buffers_are_refused);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {runs};
    return cl_check_main(suites, 1);
}
