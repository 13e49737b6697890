/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stores on a disk of which every call fails in turn, and in a process that is killed
 * at every call in turn.
 *
 * Whatever happens, each target is what it was or what it should become, bit for bit,
 * the message says what failed, and the next run ends as if nothing had been: the same
 * bytes, and nothing beside them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "check_share.h"
#include "clast.h"
#include "disk_faults.h"
#include "hdf5_files.h"
#include "io/direct.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
/* libhdf5 1.10.8 itself loses some bytes where it cannot read what it copies; what
 * Clast loses is counted by cl_alloc_live(). */
static void forgive_libhdf5(bool forgives)
{
    if (forgives)
        __lsan_disable();
    else
        __lsan_enable();
}
#else
static void forgive_libhdf5(bool forgives) {}
#endif

/* What is stored: x * 2 in a.h5 and, where there are two, x + 1 in b.h5. */
typedef struct {
    const char *name;
    int gzip;
    bool overwrite; /* a.h5:/y is there, alone or beside /rest */
    bool has_rest;
    int nfile;
    bool resume;   /* the next run goes on with what is left */
    bool is_large; /* for the page cache */
    bool copies;   /* in.h5 to a.h5 instead, with other chunks or compression */
} scenario;

static const scenario scenarios[] = {
    {"a new file", -1, false, false, 1, false, false, false},
    {"a new file, compressed", 1, false, false, 1, false, false, false},
    {"a dataset more", -1, false, true, 1, false, false, false},
    {"a dataset more, compressed", 1, false, true, 1, false, false, false},
    {"another dataset in its place", -1, true, true, 1, false, false, false},
    {"another file in its place", 1, true, false, 1, false, false, false},
    {"two files", -1, false, true, 2, false, false, false},
    {"two files, compressed", 1, true, true, 2, false, false, false},
    {"a new file, resumed", -1, false, false, 1, true, false, false},
    {"a new file, compressed, resumed", 1, false, false, 1, true, false, false},
    {"a dataset more, resumed", -1, false, true, 1, true, false, false},
    {"another dataset, compressed, resumed", 1, true, true, 1, true, false, false},
    {"two files, resumed", -1, true, false, 2, true, false, false},
    {"two files, compressed, resumed", 1, false, true, 2, true, false, false},
    {"a large file", -1, false, false, 1, false, true, false},
    {"two large files, resumed", -1, true, false, 2, true, true, false},
    {"a copy", -1, false, false, 1, false, false, true},
    {"a copy, compressed", 1, false, false, 1, false, false, true},
    {"a copy in a file's place", -1, true, true, 1, false, false, true},
    {"a copy in a file's place, compressed", 1, true, true, 1, false, false, true},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* Of the calls of a scenario each so-manieth, beginning with another one for each
 * scenario; `--every` tries all. */
static int stride = 5 * CL_CHECK_EVERY;

static const char *const target[2] = {"a.h5", "b.h5"};
static char text[480]; /* of the last run's error */

/* ---- runs ---- */

static clast_ctx *open_context(void)
{
    const clast_options options = {
        .memory = CLAST_MIB(32), .workers = 1, .scratch = "."};
    return clast_open(&options);
}

/* Attributes, texts and references are copied besides. */
static clast_status copy(clast_ctx *ctx, const scenario *s)
{
    static const int64_t rows[2] = {10, -1};
    static const clast_copy_chunks chunks = {.ndim = 2, .length = rows};
    return clast_hdf5_copy(ctx, "in.h5", NULL, target[0],
                           &(clast_copy_options){.nchunks = s->gzip < 0,
                                                 .chunks = &chunks,
                                                 .gzip = s->gzip,
                                                 .overwrite = s->overwrite});
}

static clast_status store(clast_ctx *ctx, const scenario *s)
{
    static const int64_t chunk[2] = {16, 16};
    const clast_hdf5_options stored = {.chunks = chunk,
                                       .gzip = s->gzip,
                                       .overwrite = s->overwrite,
                                       .resume = s->resume};
    clast_array *x = clast_from_hdf5(ctx, "in.h5", "/x");
    const clast_sink sink[2] = {
        clast_sink_hdf5(clast_mul(x, clast_double(ctx, 2)), target[0], "/y", &stored),
        clast_sink_hdf5(clast_add(x, clast_double(ctx, 1)), target[1], "/y", &stored)};
    return clast_compute(ctx, s->nfile, sink);
}

static clast_status run(const scenario *s)
{
    clast_ctx *ctx = open_context();
    const clast_status status = s->copies ? copy(ctx, s) : store(ctx, s);
    snprintf(text, sizeof text, "%s", clast_ctx_error(ctx));
    clast_close(&ctx);
    return status;
}

/* In a process of its own; its exit status. kill_at 0: it lives. */
static int run_apart(const scenario *s, int64_t kill_at)
{
    int code;
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (kill_at > 0)
            disk_kill(kill_at);
        _exit(run(s) == CLAST_OK ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &code, 0), child);
    return code;
}

static void store_ones(const char *path)
{
    static const int64_t shape[2] = {30, 20};
    const clast_hdf5_options stored = {.gzip = -1};
    clast_ctx *ctx = open_context();
    clast_array *ones = clast_ones(ctx, 2, shape, CLAST_FLOAT64);
    ck_assert_int_eq(clast_to_hdf5(ones, "a.h5", path, &stored), CLAST_OK);
    clast_close(&ctx);
}

static void make_input(void)
{
    static const int64_t shape[2] = {60, 40}, chunk[2] = {16, 16};
    const clast_hdf5_options stored = {.chunks = chunk, .gzip = 1};
    clast_ctx *ctx = open_context();
    clast_array *x = clast_random(ctx, 2, shape, 1, CLAST_FLOAT64);
    ck_assert_int_eq(clast_to_hdf5(x, "in.h5", "/x", &stored), CLAST_OK);
    clast_close(&ctx);
    files_odd_types("in.h5");
}

/* ---- files ---- */

typedef struct {
    char *data; /* NULL: it is not there */
    size_t bytes;
} contents;

static contents slurp(const char *name)
{
    contents c = {NULL, 0};
    if (access(name, F_OK) == 0)
        c.data = files_slurp(name, &c.bytes);
    return c;
}

static bool is_same(contents a, contents b)
{
    return (a.data != NULL) == (b.data != NULL) && a.bytes == b.bytes &&
           (!a.data || memcmp(a.data, b.data, a.bytes) == 0);
}

static void restore(const char *name, contents c)
{
    unlink(name);
    if (!c.data)
        return;
    FILE *f = fopen(name, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(c.data, 1, c.bytes, f), c.bytes);
    fclose(f);
}

/* What was there and what there should be. */
static contents before[2], after[2];

static void begin(int i)
{
    const scenario *s = &scenarios[i];
    files_begin();
    cl_cache_pretend(s->is_large ? 4096 : 0);
    make_input();
    if (s->has_rest)
        store_ones("/rest");
    if (s->overwrite)
        store_ones("/y");
    for (int f = 0; f < s->nfile; f++)
        before[f] = slurp(target[f]);
    ck_assert_msg(run(s) == CLAST_OK, "%s: %s", s->name, text);
    for (int f = 0; f < s->nfile; f++) {
        after[f] = slurp(target[f]);
        restore(target[f], before[f]);
    }
}

static void end(int i)
{
    for (int f = 0; f < scenarios[i].nfile; f++) {
        cl_free(before[f].data);
        cl_free(after[f].data);
    }
    files_end();
}

/* How many targets are new; the others are old. Nothing else passes. */
static int count_new(const scenario *s, const char *when)
{
    int n = 0;
    for (int f = 0; f < s->nfile; f++) {
        const contents now = slurp(target[f]);
        const bool is_new = is_same(now, after[f]);
        ck_assert_msg(is_new || is_same(now, before[f]), "%s, %s: %s is damaged",
                      s->name, when, target[f]);
        n += is_new;
        cl_free(now.data);
    }
    return n;
}

/* The input, the targets, and nothing else. */
static void check_clean(const scenario *s, const char *when)
{
    int names = 1;
    for (int f = 0; f < s->nfile; f++)
        names += access(target[f], F_OK) == 0;
    ck_assert_msg(files_count() == names, "%s, %s: something is left", s->name, when);
}

/* It could do without what failed: a copy in the kernel is made by hand, a file that
 * cannot be looked through is copied instead of replaced, which leaves holes in it. */
static void check_values(const scenario *s)
{
    for (int f = 0; f < s->nfile; f++) {
        const cl_shape shape = cl_shape_of(2, (const int64_t[]){60, 40});
        const cl_box box = cl_box_whole(&shape);
        double *x = files_h5dread("in.h5", "/x", CLAST_FLOAT64, &box);
        double *y =
            files_h5dread(target[f], s->copies ? "/x" : "/y", CLAST_FLOAT64, &box);
        for (int i = 0; i < 60 * 40 && !s->copies; i++)
            x[i] = f == 0 ? x[i] * 2 : x[i] + 1;
        files_same(y, x, 60 * 40 * sizeof *x);
        cl_free(x);
        cl_free(y);
    }
    check_clean(s, "done without");
}

/* The next run finds a way from whatever is there. */
static void check_retry(const scenario *s, const char *when)
{
    for (int f = 0; f < s->nfile && !s->resume; f++)
        restore(target[f], before[f]);
    ck_assert_msg(run(s) == CLAST_OK, "%s, after %s: %s", s->name, when, text);
    ck_assert_int_eq(count_new(s, when), s->nfile);
    check_clean(s, when);
    for (int f = 0; f < s->nfile; f++)
        restore(target[f], before[f]);
}

/* ---- tests ---- */

static int64_t first_call(int i)
{
    return 1 + i * 2 % stride;
}

/* Only the folder's fsync comes after a file is in place. */
static void check_failure(const scenario *s, clast_status status, int error,
                          const char *when)
{
    const int n = count_new(s, when);
    ck_assert_msg(status == (error == EIO ? CLAST_EIO : CLAST_ENOSPACE), "%s: %s, %s",
                  when, clast_status_name(status), text);
    ck_assert_msg(strstr(text, ".h5") != NULL, "%s: %s", when, text);
    ck_assert_msg(n == 0 || strstr(text, "in place") != NULL, "%s: %s", when, text);
    if (!s->resume)
        check_clean(s, when);
}

START_TEST(every_call_fails_in_turn)
{
    const scenario *s = &scenarios[_i];
    const int errors[] = {EIO, ENOSPC, EDQUOT};
    begin(_i);
    int64_t n = first_call(_i);
    clast_status status = CLAST_EIO;
    const uint64_t live = cl_alloc_live();
    while (status != CLAST_OK) {
        char when[100];
        const int error = errors[n / stride % 3];
        disk_fail(n, error);
        if (s->copies)
            forgive_libhdf5(true);
        status = run(s);
        if (s->copies)
            forgive_libhdf5(false);
        disk_mend();
        snprintf(when, sizeof when, "%s (call %d) failed", disk_failed(), (int)n);
        ck_assert_msg(cl_alloc_live() == live, "%s: a leak", when);
        if (*disk_failed() == '\0')
            ck_assert_int_eq(status, CLAST_OK);
        else if (status != CLAST_OK)
            check_failure(s, status, error, when);
        else
            check_values(s);
        for (int f = 0; f < s->nfile && status == CLAST_OK; f++)
            restore(target[f], before[f]);
        if (*disk_failed() != '\0')
            status = CLAST_EIO;
        check_retry(s, when);
        n += stride;
    }
    ck_assert_int_gt(n, 20);
    end(_i);
}
END_TEST

START_TEST(killed_at_every_call)
{
    const scenario *s = &scenarios[_i];
    begin(_i);
    int64_t n = first_call(_i);
    for (;; n += stride) {
        char when[100];
        const int code = run_apart(s, n);
        snprintf(when, sizeof when, "killed at call %d", (int)n);
        const int done = count_new(s, when);
        if (WIFEXITED(code)) {
            ck_assert_int_eq(WEXITSTATUS(code), 0);
            ck_assert_int_eq(done, s->nfile);
            break;
        }
        ck_assert_int_eq(WTERMSIG(code), SIGKILL);
        check_retry(s, when);
    }
    ck_assert_int_gt(n, 20);
    check_clean(s, "at the end");
    end(_i);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("store_faults");
    TCase *t = tcase_create("faults");
    tcase_add_loop_test(t, killed_at_every_call, 0, SCENARIOS);
    tcase_add_loop_test(t, every_call_fails_in_turn, 0, SCENARIOS);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--every") == 0)
        stride = 1;
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
