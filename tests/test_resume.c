/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs that go on where another one ended: what they read and write, whatever is left
 * of the journal; what is refused; and what is damaged is found.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "check_share.h"
#include "clast.h"
#include "disk_faults.h"
#include "hdf5_files.h"

enum { ROWS = 512, COLUMNS = 96 };

static const int64_t chunk[2] = {16, 96};

/* A run: x * 2 to out.h5:/y in 32 chunks, and the mean of x to out.h5:/m. */
typedef struct {
    int gzip;
    bool has_mean;
    double factor;
    int64_t rows; /* of a chunk */
    bool is_new;  /* not resumed */
    uint64_t memory;
    int workers;
    uint64_t block;
} attempt;

static const attempt usual[] = {
    {.gzip = -1, .factor = 2, .rows = 16, .workers = 1},
    {.gzip = 1, .factor = 2, .rows = 16, .workers = 1},
    {.gzip = -1, .factor = 2, .rows = 16, .workers = 1, .has_mean = true},
    {.gzip = 1, .factor = 2, .rows = 16, .workers = 1, .has_mean = true}};
enum { USUAL = sizeof usual / sizeof *usual };

static char text[480];
static clast_stats stats;

static clast_status run(const attempt *a)
{
    const int64_t chunks[2] = {a->rows, COLUMNS};
    const clast_options options = {.memory = a->memory ? a->memory : CLAST_MIB(64),
                                   .workers = a->workers,
                                   .scratch = ".",
                                   .block = a->block ? a->block : 12288};
    const clast_hdf5_options stored = {.chunks = chunks,
                                       .gzip = a->gzip,
                                       .no_sync = true,
                                       .resume = !a->is_new},
                             scalar = {
                                 .resume = !a->is_new, .gzip = -1, .no_sync = true};
    clast_ctx *ctx = clast_open(&options);
    clast_array *x = clast_from_hdf5(ctx, "in.h5", "/x");
    const clast_sink sink[2] = {
        clast_sink_hdf5(clast_mul(x, clast_double(ctx, a->factor)), "out.h5", "/y",
                        &stored),
        clast_sink_hdf5(clast_mean(x, CLAST_ALL), "out.h5", "/m", &scalar)};
    const clast_status status = clast_compute(ctx, 1 + a->has_mean, sink);
    snprintf(text, sizeof text, "%s", clast_ctx_error(ctx));
    stats = clast_ctx_stats(ctx);
    clast_close(&ctx);
    return status;
}

static void make_input(uint64_t seed)
{
    static const int64_t shape[2] = {ROWS, COLUMNS};
    const clast_options options = {.memory = CLAST_MIB(64), .workers = 1};
    const clast_hdf5_options stored = {.chunks = chunk, .gzip = -1, .overwrite = true};
    clast_ctx *ctx = clast_open(&options);
    clast_array *x = clast_random(ctx, 2, shape, seed, CLAST_FLOAT64);
    ck_assert_int_eq(clast_to_hdf5(x, "in.h5", "/x", &stored), CLAST_OK);
    clast_close(&ctx);
}

static void begin(void)
{
    files_begin();
    make_input(1);
}

static double *values(const char *file, const char *path)
{
    const cl_shape shape = cl_shape_of(2, (const int64_t[]){ROWS, COLUMNS});
    const cl_box box = cl_box_whole(&shape);
    return files_h5dread(file, path, CLAST_FLOAT64, &box);
}

/* The result is right and alone. */
static void check_result(const attempt *a, const char *when)
{
    double *x = values("in.h5", "/x"), *y = values("out.h5", "/y"), mean = 0;
    int wrong = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        wrong += y[i] != x[i] * a->factor;
    ck_assert_msg(wrong == 0, "%s: %d elements are wrong", when, wrong);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        mean += x[i] / (ROWS * COLUMNS);
    if (a->has_mean) {
        const cl_box all = {.ndim = 0};
        double *m = files_h5dread("out.h5", "/m", CLAST_FLOAT64, &all);
        ck_assert_msg(*m > mean - 1e-9 && *m < mean + 1e-9, "%s: the mean is %g", when,
                      *m);
        cl_free(m);
    }
    cl_free(x);
    cl_free(y);
    ck_assert_msg(files_count() == 2, "%s: something is left", when);
}

/* When all is written and nothing is published. */
static void interrupt_at_rename(const attempt *a)
{
    disk_fail_rename("out.h5", EIO);
    const clast_status status = run(a);
    disk_mend();
    ck_assert_int_eq(status, CLAST_EIO);
}

static int64_t count_calls(const attempt *a)
{
    disk_fail(0, 0);
    ck_assert_msg(run(a) == CLAST_OK, "%s", text);
    const int64_t n = disk_calls();
    disk_mend();
    unlink("out.h5");
    return n;
}

/* ---- what is done is not done again ---- */

/* Wherever a run ends, the next one reads what is missing and no more. A reduction has
 * nothing but its value. */
START_TEST(the_rest_is_read)
{
    const attempt *a = &usual[_i];
    const uint64_t all = ROWS * COLUMNS * sizeof(double);
    const int64_t calls = count_calls(a);
    uint64_t most = 0;
    interrupt_at_rename(a);
    ck_assert_msg(run(a) == CLAST_OK, "%s", text);
    ck_assert_uint_eq(stats.read, 0);
    check_result(a, "published");
    unlink("out.h5");
    for (int64_t n = calls; n > calls / 3; n -= calls / 15 + 1) {
        disk_fail(n, EIO);
        const clast_status failed = run(a);
        disk_mend();
        if (failed == CLAST_OK) { /* it could do without */
            unlink("out.h5");
            continue;
        }
        ck_assert_msg(run(a) == CLAST_OK, "%s", text);
        most = stats.read > most ? stats.read : most;
        check_result(a, "resumed");
        unlink("out.h5");
    }
    ck_assert_uint_gt(most, 0);
    ck_assert_uint_le(most, all);
}
END_TEST

/* Budget, workers and where it stops differ from attempt to attempt. */
START_TEST(many_attempts)
{
    attempt a = usual[_i];
    const int64_t calls = count_calls(&a);
    int attempts = 0;
    clast_status status = CLAST_EIO;
    while (status != CLAST_OK) {
        ck_assert_int_lt(attempts, 100);
        a.workers = 1 + attempts % 3;
        a.memory = CLAST_MIB(attempts % 2 ? 64 : 16);
        disk_fail(calls / 2 + attempts * 3, EIO);
        status = run(&a);
        disk_mend();
        attempts++;
    }
    check_result(&a, "after many attempts");
    ck_assert_int_gt(attempts, 1);
}
END_TEST

/* ---- the journal, cut off anywhere ---- */

typedef struct {
    char name[80], *data;
    size_t bytes;
} saved;

static bool is_left(const char *name)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strcmp(name, "in.h5") != 0;
}

static int save_all(saved *s)
{
    int n = 0;
    DIR *dir = opendir(".");
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (!is_left(e->d_name))
            continue;
        FILE *f = fopen(e->d_name, "rb");
        ck_assert_ptr_nonnull(f);
        snprintf(s[n].name, sizeof s[n].name, "%.79s", e->d_name);
        s[n].data = cl_alloc(1 << 20);
        s[n].bytes = fread(s[n].data, 1, 1 << 20, f);
        fclose(f);
        n++;
    }
    closedir(dir);
    return n;
}

/* As it was, the journal with `bytes` of it and the byte at `spoiled` another one. */
static void restore_all(const saved *s, int n, size_t bytes, size_t spoiled)
{
    for (int i = 0; i < n; i++) {
        const bool is_journal = strstr(s[i].name, "journal") != NULL;
        FILE *f = fopen(s[i].name, "wb");
        ck_assert_ptr_nonnull(f);
        fwrite(s[i].data, 1, is_journal && bytes < s[i].bytes ? bytes : s[i].bytes, f);
        if (is_journal && spoiled < s[i].bytes) {
            fseek(f, (long)spoiled, SEEK_SET);
            fputc(s[i].data[spoiled] ^ 0x55, f);
        }
        fclose(f);
    }
}

static size_t journal_bytes(const saved *s, int n)
{
    for (int i = 0; i < n; i++)
        if (strstr(s[i].name, "journal"))
            return s[i].bytes;
    ck_abort_msg("no journal is left");
    return 0;
}

static int leave_progress(const attempt *a, saved *s)
{
    interrupt_at_rename(a);
    return save_all(s);
}

static void remove_left(void)
{
    DIR *dir = opendir(".");
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (is_left(e->d_name))
            unlink(e->d_name);
    closedir(dir);
}

START_TEST(torn_anywhere)
{
    saved s[8];
    const attempt *a = &usual[_i];
    const int n = leave_progress(a, s);
    const size_t bytes = journal_bytes(s, n);
    for (size_t k = 0; k <= bytes; k += k < 500 ? 37 : bytes / 30) {
        char when[90];
        snprintf(when, sizeof when, "%zu of %zu bytes of the journal", k, bytes);
        remove_left();
        restore_all(s, n, k, SIZE_MAX);
        ck_assert_msg(run(a) == CLAST_OK, "%s: %s", when, text);
        check_result(a, when);
    }
    for (int i = 0; i < n; i++)
        cl_free(s[i].data);
}
END_TEST

/* A byte of the journal is another one: the run is refused, or right. */
START_TEST(spoiled_anywhere)
{
    saved s[8];
    const attempt *a = &usual[_i];
    const int n = leave_progress(a, s);
    const size_t bytes = journal_bytes(s, n);
    int refused = 0;
    for (size_t k = 1; k < bytes; k += k < 500 ? 39 : bytes / 31) {
        char when[90];
        snprintf(when, sizeof when, "byte %zu of %zu is spoiled", k, bytes);
        remove_left();
        restore_all(s, n, SIZE_MAX, k);
        if (run(a) == CLAST_OK) {
            check_result(a, when);
            continue;
        }
        ck_assert_msg(strstr(text, "remove") != NULL, "%s: %s", when, text);
        refused++;
    }
    ck_assert_int_gt(refused, 0); /* in the header */
    for (int i = 0; i < n; i++)
        cl_free(s[i].data);
}
END_TEST

/* ---- no memory ---- */

typedef struct {
    const attempt *a;
    saved left[8];
    int n;
} progress;

/* As long as it is not done, what was kept before is kept still. */
static clast_status go_on(void *arg)
{
    const progress *p = arg;
    remove_left();
    restore_all(p->left, p->n, SIZE_MAX, SIZE_MAX);
    const clast_status status = run(p->a);
    ck_assert((access("out.h5", F_OK) == 0) == (status == CLAST_OK));
    for (int i = 0; i < p->n && status != CLAST_OK; i++) {
        const saved *s = &p->left[i];
        FILE *f = fopen(s->name, "rb");
        ck_assert_msg(f != NULL, "%s: %s is gone", text, s->name);
        /* Behind the last whole record is what another one may take the place of. */
        for (size_t k = 0; k < s->bytes / 2 && strstr(s->name, "journal"); k++)
            ck_assert_msg(fgetc(f) == (unsigned char)s->data[k], "%s: %s is changed",
                          text, s->name);
        fclose(f);
    }
    return status;
}

START_TEST(every_allocation_fails)
{
    progress p = {.a = &usual[_i]};
    disk_fail(count_calls(p.a) * 2 / 3, EIO);
    ck_assert_int_ne(run(p.a), CLAST_OK);
    disk_mend();
    p.n = save_all(p.left);
    ck_assert_uint_gt(journal_bytes(p.left, p.n), 0);
    fail_every_allocation(go_on, &p, 100);
    check_result(p.a, "after all");
    for (int i = 0; i < p.n; i++)
        cl_free(p.left[i].data);
}
END_TEST

/* A chunk of the kept file is damaged: it is computed again. */
START_TEST(damaged_chunk)
{
    saved s[8];
    const attempt *a = &usual[0];
    const int n = leave_progress(a, s);
    FILE *f = fopen(".out.h5.clast-part", "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, -5000, SEEK_END), 0);
    fputs("damage", f);
    fclose(f);
    ck_assert_msg(run(a) == CLAST_OK, "%s", text);
    check_result(a, "a damaged chunk");
    ck_assert_uint_gt(stats.read, 0);
    ck_assert_uint_lt(stats.read, 3 * 16 * COLUMNS * sizeof(double));
    for (int i = 0; i < n; i++)
        cl_free(s[i].data);
}
END_TEST

/* ---- another run ---- */

static void another_factor(attempt *a)
{
    a->factor = 3;
}

static void another_chunk(attempt *a)
{
    a->rows = 32;
}

static void another_gzip(attempt *a)
{
    a->gzip = a->gzip < 0 ? 2 : -1;
}

static void another_output(attempt *a)
{
    a->has_mean = true;
}

static void another_block(attempt *a)
{
    a->block = 24576;
}

static void another_input(attempt *a)
{
    make_input(2);
}

/* In place, with the time of change set to what it was. */
static void forged_input(attempt *a)
{
    struct stat st;
    ck_assert_int_eq(stat("in.h5", &st), 0);
    FILE *f = fopen("in.h5", "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, -5000, SEEK_END), 0);
    fputs("another", f);
    fclose(f);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    ck_assert_int_eq(utimensat(AT_FDCWD, "in.h5", times, 0), 0);
}

static void another_target(attempt *a)
{
    const file_spec spec = {
        .file = "out.h5", .path = "/other", .ndim = 1, .shape = {5}};
    files_make(&spec);
}

static void no_resume(attempt *a)
{
    a->is_new = true;
}

static const struct {
    void (*change)(attempt *a);
    const char *said;
} others[] = {{another_factor, "program"},     {another_chunk, "output \"/y\""},
              {another_gzip, "output \"/y\""}, {another_output, "output \"/m\""},
              {another_block, "program"},      {another_input, "input"},
              {forged_input, "input"},         {another_target, "target that"},
              {no_resume, "earlier run"}};

/* Refused, with what differs; and once the journal is removed it starts over. */
START_TEST(another_run_is_refused)
{
    interrupt_at_rename(&usual[_i % 2]);
    attempt a = usual[_i % 2];
    others[_i / 2].change(&a);
    ck_assert_int_eq(run(&a), CLAST_EEXIST);
    ck_assert_msg(strstr(text, others[_i / 2].said) != NULL, "%s", text);
    ck_assert_msg(strstr(text, "remove") != NULL, "%s", text);
    ck_assert_int_eq(unlink(".out.h5.clast-journal"), 0);
    ck_assert_msg(run(&a) == CLAST_OK, "%s", text);
    check_result(&a, "started over");
}
END_TEST

/* Cannot be resumed by anybody. */
START_TEST(without_identity)
{
    const clast_options options = {.memory = CLAST_MIB(64), .workers = 1};
    const clast_hdf5_options stored = {.resume = true};
    clast_ctx *ctx = clast_open(&options);
    clast_array *x = clast_persist(clast_from_hdf5(ctx, "in.h5", "/x"));
    ck_assert_int_eq(clast_to_hdf5(x, "out.h5", "/y", &stored), CLAST_ENOTSUP);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "persisted"));
    ck_assert_int_eq(files_count(), 1);
    clast_close(&ctx);
}
END_TEST

/* Memory is known by its contents. */
START_TEST(from_memory)
{
    static double data[ROWS][COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        data[i / COLUMNS][i % COLUMNS] = i;
    static const int64_t shape[2] = {ROWS, COLUMNS};
    const clast_buffer buffer = {.data = data,
                                 .bytes = sizeof data,
                                 .dtype = CLAST_FLOAT64,
                                 .ndim = 2,
                                 .shape = shape};
    const clast_hdf5_options stored = {
        .chunks = chunk, .resume = true, .no_sync = true};
    const clast_options options = {
        .memory = CLAST_MIB(64), .workers = 1, .block = 12288};
    clast_ctx *ctx = clast_open(&options);
    clast_array *x = clast_neg(clast_borrow(ctx, &buffer));
    disk_fail_rename("out.h5", EIO);
    ck_assert_int_eq(clast_to_hdf5(x, "out.h5", "/y", &stored), CLAST_EIO);
    disk_mend();
    data[100][50] = -1;
    ck_assert_int_eq(clast_to_hdf5(x, "out.h5", "/y", &stored), CLAST_EEXIST);
    data[100][50] = 100 * COLUMNS + 50;
    ck_assert_int_eq(clast_to_hdf5(x, "out.h5", "/y", &stored), CLAST_OK);
    ck_assert_uint_lt(clast_ctx_stats(ctx).written, sizeof data / 4);
    clast_close(&ctx);
    double *y = values("out.h5", "/y");
    int wrong = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        wrong += y[i] != -i;
    ck_assert_int_eq(wrong, 0);
    cl_free(y);
}
END_TEST

/* ---- many of them */

/* 100,000 chunks in one output, under a sanitizer 25,000, stopped half-way. */
START_TEST(many_chunks)
{
    enum { LONG = 3200 / CL_CHECK_EVERY };
    static const int64_t shape[2] = {LONG, 2000}, small[2] = {8, 8};
    const clast_hdf5_options stored = {
        .chunks = small, .gzip = _i ? 1 : -1, .resume = true, .no_sync = true};
    const clast_options options = {.memory = CLAST_MIB(256), .workers = 2};
    clast_ctx *ctx = clast_open(&options);
    clast_array *x = clast_arange(ctx, 0, LONG * 2000, 1, CLAST_FLOAT32);
    x = clast_reshape(x, 2, shape);
    disk_fail(0, 0);
    ck_assert_int_eq(clast_to_hdf5(x, "out.h5", "/y", &stored), CLAST_OK);
    const int64_t calls = disk_calls();
    unlink("out.h5");
    disk_fail(calls / 2, EIO);
    ck_assert_int_eq(clast_to_hdf5(x, "out.h5", "/y", &stored), CLAST_EIO);
    disk_mend();
    ck_assert_int_eq(clast_to_hdf5(x, "out.h5", "/y", &stored), CLAST_OK);
    const uint64_t written = clast_ctx_stats(ctx).written;
    ck_assert_uint_lt(written, LONG * 2000 * sizeof(float));
    clast_close(&ctx);
    const cl_shape all = cl_shape_of(2, shape);
    const cl_box box = cl_box_whole(&all);
    float *y = files_h5dread("out.h5", "/y", CLAST_FLOAT32, &box);
    int wrong = 0;
    for (int i = 0; i < LONG * 2000; i++)
        wrong += y[i] != (float)i;
    cl_free(y);
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(files_count(), 2);
}
END_TEST

/* Double x to out.h5 and second.h5. */
static clast_status run_two(double factor, bool is_other_path)
{
    const clast_options options = {
        .memory = CLAST_MIB(64), .workers = 1, .block = 12288};
    const clast_hdf5_options stored = {
        .chunks = chunk, .gzip = -1, .no_sync = true, .resume = true};
    clast_ctx *ctx = clast_open(&options);
    clast_array *x = clast_from_hdf5(ctx, "in.h5", "/x");
    x = clast_mul(x, clast_double(ctx, factor));
    const clast_sink sink[2] = {
        clast_sink_hdf5(x, "out.h5", "/y", &stored),
        clast_sink_hdf5(x, "second.h5", is_other_path ? "/z" : "/y", &stored)};
    const clast_status status = clast_compute(ctx, 2, sink);
    snprintf(text, sizeof text, "%s", clast_ctx_error(ctx));
    stats = clast_ctx_stats(ctx);
    clast_close(&ctx);
    return status;
}

/* As a run leaves it that is killed when one of its two journals is removed. */
static void leave_one_journal(void)
{
    disk_fail_rename("second.h5", EIO);
    ck_assert_int_eq(run_two(2, false), CLAST_EIO);
    disk_mend();
    ck_assert_int_eq(rename(".second.h5.clast-part", "second.h5"), 0);
    ck_assert_int_eq(unlink(".second.h5.clast-journal"), 0);
    ck_assert_int_eq(files_count(), 4);
}

/* The journal that is left knows the file whose own is gone, and no other file or
 * run. */
START_TEST(one_journal_is_left)
{
    leave_one_journal();
    ck_assert_int_eq(run_two(3, false), CLAST_EEXIST);
    ck_assert_int_eq(run_two(2, true), CLAST_EEXIST);
    ck_assert_int_eq(rename("second.h5", "kept"), 0);
    const file_spec spec = {.file = "second.h5", .path = "/y", .ndim = 1, .shape = {5}};
    files_make(&spec);
    ck_assert_int_eq(run_two(2, false), CLAST_EEXIST);
    ck_assert_int_eq(rename("kept", "second.h5"), 0);
    ck_assert_msg(run_two(2, false) == CLAST_OK, "%s", text);
    ck_assert_uint_eq(stats.read, 0);
    ck_assert_int_eq(files_count(), 3);
    ck_assert_int_eq(run_two(2, false), CLAST_EEXIST); /* as after any other run */
}
END_TEST

enum { FILES = 1000 };

/* A thousand files of one run, where the process may have as many open; refused before
 * anything is made where it may not. */
START_TEST(many_files)
{
    static char name[FILES][16];
    static clast_sink sink[FILES];
    static const int64_t shape[1] = {100};
    static const clast_hdf5_options stored = {.no_sync = true, .resume = true},
                                    plain = {.no_sync = true};
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    const clast_options options = {.memory = CLAST_MIB(256), .workers = 1};
    clast_ctx *ctx = clast_open(&options);
    for (int i = 0; i < FILES; i++) {
        snprintf(name[i], sizeof name[i], "f%d.h5", i);
        clast_array *a = clast_random(ctx, 1, shape, (uint64_t)i, CLAST_FLOAT64);
        sink[i] = clast_sink_hdf5(a, name[i], "/y", i % 2 ? &plain : &stored);
    }
    const struct rlimit low = {500, limit.rlim_max}, high = {5000, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    ck_assert_int_ne(clast_compute(ctx, FILES, sink), CLAST_OK);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "Too many open files"));
    ck_assert_int_eq(files_count(), 1);
    if (limit.rlim_max >= high.rlim_cur) {
        setrlimit(RLIMIT_NOFILE, &high);
        clast_ctx_clear(ctx);
        clast_compute(ctx, FILES, sink);
        ck_assert_str_eq(clast_ctx_error(ctx), "");
        ck_assert_int_eq(files_count(), 1 + FILES);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    clast_close(&ctx);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resume");
    TCase *t = tcase_create("resume");
    tcase_add_checked_fixture(t, begin, files_end);
    tcase_add_loop_test(t, the_rest_is_read, 0, USUAL);
    tcase_add_loop_test(t, many_attempts, 0, USUAL);
    tcase_add_loop_test(t, torn_anywhere, 0, USUAL);
    tcase_add_loop_test(t, spoiled_anywhere, 0, USUAL);
    tcase_add_test(t, damaged_chunk);
    tcase_add_loop_test(t, every_allocation_fails, 0, 2); /* compressed, and not */
    tcase_add_loop_test(t, another_run_is_refused, 0,
                        2 * (int)(sizeof others / sizeof *others));
    tcase_add_test(t, without_identity);
    tcase_add_test(t, from_memory);
    tcase_add_loop_test(t, many_chunks, 0, 2);
    tcase_add_test(t, one_journal_is_left);
    tcase_add_test(t, many_files);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
