/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole runs under faults: every allocation fails in turn, the disk is full; and two
 * contexts at once.
 *
 * After every failure: a clear status, no output, nothing of the engine's memory lost,
 * and the same process goes on working.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "clast.h"

static char folder[64], in[96], out[96];

static clast_ctx *open_with(uint64_t memory, uint64_t block)
{
    const clast_options options = {
        .memory = memory, .workers = 1, .scratch = folder, .block = block};
    return clast_open(&options);
}

static void begin(void)
{
    strcpy(folder, "/tmp/clast-faults-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(in, sizeof in, "%s/in.h5", folder);
    snprintf(out, sizeof out, "%s/out.h5", folder);
    clast_ctx *ctx = open_with(CLAST_MIB(64), 0);
    const int64_t shape[2] = {60, 40}, chunk[2] = {16, 16};
    const clast_hdf5_options stored = {.chunks = chunk, .gzip = 1, .no_sync = true};
    clast_array *x = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    ck_assert_int_eq(clast_to_hdf5(x, in, "/x", &stored), CLAST_OK);
    clast_close(&ctx);
}

static void end(void)
{
    unlink(in);
    unlink(out);
    ck_assert_msg(rmdir(folder) == 0, "something is left in %s", folder);
}

/* ---- formulas */

typedef clast_array *formula_fn(clast_ctx *ctx, clast_array *x);

static clast_array *elementwise(clast_ctx *ctx, clast_array *x)
{
    return clast_add(clast_mul(x, clast_double(ctx, 2)), clast_mean(x, 0));
}

static clast_array *product(clast_ctx *ctx, clast_array *x)
{
    return clast_matmul(x, clast_transpose(x));
}

static clast_array *factors(clast_ctx *ctx, clast_array *x)
{
    return clast_svd(clast_slice(x, 1, 0, 8, 1)).u;
}

/* Within 6 MiB it has to spill. */
static clast_array *spilling(clast_ctx *ctx, clast_array *x)
{
    const int64_t shape[2] = {700, 700};
    clast_array *r = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    clast_array *m = clast_matmul(r, clast_transpose(r));
    return clast_sub(clast_transpose(m), clast_mean(m, 0));
}

static clast_array *persisted(clast_ctx *ctx, clast_array *x)
{
    return clast_sum(clast_persist(clast_add(x, x)), 0);
}

static clast_array *program(clast_ctx *ctx, clast_array *x)
{
    const clast_name name = {"x", x};
    return clast_expr(ctx, "a = x[::2] * 3; where(a > 1, a, -a).T + std(a, axis=1)", 1,
                      &name);
}

static clast_status fill(clast_call *call, void *user, int nin, const clast_view *from,
                         int nout, clast_buffer *to)
{
    for (int i = 0; i < nout; i++)
        memset(to[i].data, 0, to[i].bytes);
    return CLAST_OK;
}

/* A stencil, a fold of it, and two tasks on what it makes. */
static clast_array *functions(clast_ctx *ctx, clast_array *x)
{
    static const int64_t depth[2] = {3, 20}, bytes[1] = {100};
    static const int axes[1] = {1};
    static const clast_output made[2] = {{CLAST_UINT8, 1, bytes},
                                         {CLAST_FLOAT64, 0, NULL}};
    const clast_map_input how = {.depth = depth, .pad = CLAST_PAD_REFLECT};
    const clast_fold rows = {.naxes = 1,
                             .axes = axes,
                             .partial = {CLAST_FLOAT64, 0, NULL},
                             .combine = fill,
                             .finish = fill};
    const clast_map_options stencil = {.name = "stencil",
                                       .dtype = CLAST_FLOAT64,
                                       .inputs = &how},
                            fold = {
                                .name = "fold", .dtype = CLAST_FLOAT64, .fold = &rows};
    clast_array *y = clast_map(ctx, 1, &x, fill, NULL, &stencil);
    clast_array *z = clast_map(ctx, 1, &y, fill, NULL, &fold);
    clast_array *parts[2] = {NULL, NULL}, *last = NULL;
    clast_task(ctx, 1, &z, 2, made, parts, fill, NULL, NULL);
    clast_task(ctx, 2, parts, 1, &made[1], &last, fill, NULL, NULL);
    return clast_add(y, last);
}

static const struct {
    formula_fn *formula;
    uint64_t memory, block;
} runs[] = {
    {elementwise, CLAST_MIB(64), 0}, {product, CLAST_MIB(64), 0},
    {factors, CLAST_MIB(64), 0},     {spilling, CLAST_MIB(6), CLAST_KIB(256)},
    {persisted, CLAST_MIB(64), 0},   {program, CLAST_MIB(64), 0},
    {functions, CLAST_MIB(64), 0},
};

/* Two runs one after another, both in the background; the worse status. */
static clast_status submit_both(clast_ctx *ctx, const clast_sink *sinks)
{
    clast_status worst = CLAST_OK;
    clast_run *run[2] = {clast_submit(ctx, 1, &sinks[0]),
                         clast_submit(ctx, 1, &sinks[1])};
    for (int i = 0; i < 2; i++) {
        const clast_status status = clast_wait(run[i], -1);
        ck_assert_int_eq(status == CLAST_OK, clast_run_error(run[i])[0] == '\0');
        worst = status != CLAST_OK ? status : worst;
        clast_run_close(&run[i]);
    }
    return worst;
}

typedef struct {
    int i; /* in `runs` */
    bool in_background;
} attempt;

static clast_status run_once(void *arg)
{
    static const clast_hdf5_options stored = {.gzip = 1, .no_sync = true};
    const attempt *a = arg;
    clast_ctx *ctx = open_with(runs[a->i].memory, runs[a->i].block);
    clast_array *x = clast_from_hdf5(ctx, in, "/x");
    const clast_sink sinks[] = {
        clast_sink_hdf5(runs[a->i].formula(ctx, x), out, "/g/y", &stored),
        clast_sink_hdf5(x, out, "/x", &stored)};
    const clast_status status =
        a->in_background ? submit_both(ctx, sinks) : clast_compute(ctx, 2, sinks);
    if (!a->in_background || status == CLAST_OK)
        ck_assert((access(out, F_OK) == 0) == (status == CLAST_OK));
    unlink(out);
    clast_close(&ctx);
    return status;
}

START_TEST(every_allocation_fails_in_turn)
{
    fail_every_allocation(run_once, &(attempt){_i, false}, 50);
}
END_TEST

/* The thread, the runs that wait, and what a run copies of its sinks, fail as well. */
START_TEST(in_the_background)
{
    fail_every_allocation(run_once, &(attempt){_i, true}, 50);
}
END_TEST

/* ---- a full disk, by the limit on file sizes */

static const char *const storages[] = {
    "none", "gzip:1", "bitshuffle:none", "lzf", "lz4", "zstd", "blosc", "bitshuffle"};
enum { STORAGES = sizeof storages / sizeof *storages };

START_TEST(full_disk)
{
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    const struct rlimit low = {1 << 20, old.rlim_max};
    const clast_hdf5_options stored = {.compress = storages[_i]};
    const int64_t shape[2] = {1000, 1000};
    signal(SIGXFSZ, SIG_IGN);
    clast_ctx *ctx = open_with(CLAST_MIB(64), 0);
    clast_array *big = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    setrlimit(RLIMIT_FSIZE, &low);
    const clast_status status = clast_to_hdf5(big, out, "/y", &stored);
    if (status == CLAST_ENOTSUP) { /* not in this build */
        clast_close(&ctx);
        return;
    }
    ck_assert_int_eq(status, CLAST_ENOSPACE);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "File too large"));
    setrlimit(RLIMIT_FSIZE, &old);
    ck_assert_int_ne(access(out, F_OK), 0);
    /* The context goes on, and so does libhdf5's exit handler after this test. */
    ck_assert_int_eq(clast_to_hdf5(big, out, "/y", &stored), CLAST_OK);
    clast_close(&ctx);
}
END_TEST

/* ---- two at once */

static void *run_some(void *arg)
{
    static const int64_t shape[2] = {300, 200};
    clast_status *status = arg;
    for (int i = 0; i < 20 && *status == CLAST_OK; i++) {
        double sum = 0;
        const clast_buffer into = {.data = &sum, .bytes = sizeof sum};
        clast_buffer scalar = into;
        scalar.dtype = CLAST_FLOAT64;
        const clast_options options = {.memory = CLAST_MIB(32), .workers = 2};
        clast_ctx *ctx = clast_open(&options);
        clast_array *x = clast_from_hdf5(ctx, in, "/x");
        clast_array *r = clast_random(ctx, 2, shape, 3, CLAST_FLOAT64);
        *status = clast_fetch(
            clast_add(clast_sum(clast_matmul(r, clast_transpose(r)), CLAST_ALL),
                      clast_sum(x, CLAST_ALL)),
            &scalar);
        clast_close(&ctx);
    }
    return NULL;
}

START_TEST(two_contexts_in_two_threads)
{
    pthread_t thread[2];
    clast_status status[2] = {CLAST_OK, CLAST_OK};
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run_some, &status[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    ck_assert_int_eq(status[0], CLAST_OK);
    ck_assert_int_eq(status[1], CLAST_OK);
}
END_TEST

static Suite *faults(void)
{
    Suite *s = suite_create("faults");
    TCase *t = tcase_create("faults");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, every_allocation_fails_in_turn, 0,
                        (int)(sizeof runs / sizeof *runs));
    tcase_add_loop_test(t, in_the_background, 0, 2);
    tcase_add_loop_test(t, full_disk, 0, STORAGES);
    tcase_add_test(t, two_contexts_in_two_threads);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {faults};
    return cl_check_main(suites, 1);
}
