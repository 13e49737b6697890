/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks that read their tile themselves, strip by strip (sched/feed.h): that they do,
 * and that it changes no bit; and what comes of strips that are not in the page cache,
 * that come in crumbs, that cannot be read, of a file that is cut meanwhile.
 *
 * What a run reads is seen through the table of system calls: a chunk of a tile that is
 * loaded is one read, of one that is fed it is several.
 */
#include "check_main.h"
#include "clast.h"
#include "fetched.h"
#include "hdf5_files.h"

#include "base/alloc.h"
#include "io/sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 1536, TILE = 2 << 20, SMALL = 64 << 10 };

/* ---- programs ---- */

static const struct {
    const char *file, *program;
    int fed; /* so many workers are sure to be fed; 0: none is */
} programs[] = {
    {"x.h5", "sum(x)", 1},
    {"x.h5", "max(x)", 1},
    {"x.h5", "argmin(x)", 1},
    {"x.h5", "mean(x, axis=0)", 3},
    {"x.h5", "var(x, axis=1)", 3},
    {"x.h5", "std(x)", 1},
    {"x.h5", "sum(exp(-x * x / 2) * sin(x))", 1},
    {"x.h5", "sum(x - y)", 1},
    {"x.h5", "mean(where(x > y, x, y)[:, None, :], axis=0)", 1},
    {"x.h5", "sqrt(abs(x)) + 1", 3},
    {"wide.h5", "mean(x, axis=0)", 1},
    {"wide.h5", "sum(x)", 1},
    {"small.h5", "sum(x)", 1},
    {"small.h5", "std(x, axis=0)", 1},
    {"packed.h5", "mean(x, axis=0)", 1},
    /* what is seen another way than it lies, or more than once, is loaded */
    {"x.h5", "sum(x.T)", 0},
    {"x.h5", "argmax(x[::-1])", 0},
    {"x.h5", "sum(x + x.T)", 0},
    {"x.h5", "sum(x @ x)", 0},
};
enum { PROGRAMS = sizeof programs / sizeof *programs };

/* ---- what is read ---- */

static cl_sys_table real;
static size_t most;              /* bytes of a strip, within a chunk */
static atomic_int strips, tiles; /* reads of at most that; of more */
static atomic_int cached;        /* so many reads more find what they look for */
static atomic_int fails_at;      /* ordinary reads: the next one is 0 */
static int crumb;                /* bytes that come at once, at most; 0: any */
static int cancels_at;           /* after so many strips; 0: never */
static clast_ctx *running;       /* whose run that is */
static const char *cut;          /* the file that is cut when nothing is cached */

static size_t bytes_of(const struct iovec *iov, int n)
{
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

static void count(size_t bytes)
{
    if (bytes > most)
        tiles++;
    else if (bytes > SMALL && ++strips == cancels_at)
        clast_cancel(running);
}

static ssize_t read_cached(int fd, const struct iovec *iov, int n, off_t at)
{
    if (cached-- <= 0) {
        if (cut)
            ck_assert_int_eq(truncate(cut, 4 << 20), 0);
        errno = EAGAIN;
        return -1;
    }
    count(bytes_of(iov, n));
    if (crumb == 0)
        return real.preadv(fd, iov, n, at);
    const struct iovec some = {
        iov->iov_base, iov->iov_len < (size_t)crumb ? iov->iov_len : (size_t)crumb};
    return real.preadv(fd, &some, 1, at);
}

static ssize_t read_patiently(int fd, const struct iovec *iov, int n, off_t at)
{
    if (bytes_of(iov, n) > SMALL && fails_at-- == 0) {
        errno = EIO;
        return -1;
    }
    count(bytes_of(iov, n));
    return real.preadv(fd, iov, n, at);
}

/* Strips in place: test_lease.c. */
static int no_lease(int fd, int kind)
{
    errno = EINVAL;
    return -1;
}

static void watch(int program)
{
    most = strstr("small.h5 packed.h5", programs[program].file) ? TILE / 8 : TILE / 4;
    real = cl_sys;
    cl_sys.preadv_now = read_cached;
    cl_sys.preadv = read_patiently;
    cl_sys.set_lease = no_lease;
    strips = tiles = 0;
    cached = fails_at = 1 << 30;
    crumb = cancels_at = 0;
    cut = NULL;
}

static void unwatch(void)
{
    cl_sys = real;
}

/* ---- runs ---- */

static void make_files(void)
{
    file_spec spec = {.file = "x.h5",
                      .path = "/x",
                      .ndim = 2,
                      .shape = {SIDE, SIDE},
                      .chunk = {512, 512},
                      .is_noise = true};
    files_make(&spec);
    spec.file = "y.h5";
    files_make(&spec);
    spec.file = "wide.h5"; /* chunks of 2 MiB one after the other */
    spec.chunk[0] = 128;
    spec.chunk[1] = 2048;
    spec.shape[1] = 2048;
    files_make(&spec);
    spec.file = "small.h5"; /* four chunks a tile */
    spec.shape[1] = SIDE;
    spec.chunk[0] = spec.chunk[1] = 256;
    files_make(&spec);
    spec.file = "packed.h5";
    spec.type = H5T_NATIVE_SHORT;
    spec.chunk[0] = spec.chunk[1] = 512;
    spec.is_noise = false;
    files_make(&spec);
    const double scale = 0.5;
    files_attribute("packed.h5", "/x", "scale_factor", H5T_NATIVE_DOUBLE, &scale, 1);
}

static void begin(void)
{
    files_begin();
    make_files();
}

/* The program's bits; cl_free() them. */
static clast_status compute(int i, int workers, uint64_t memory, void **values,
                            size_t *bytes, clast_stats *stats, char *text)
{
    clast_ctx *ctx = clast_open(
        &(clast_options){.memory = memory, .workers = workers, .block = TILE});
    const clast_name names[] = {{"x", clast_from_hdf5(ctx, programs[i].file, "/x")},
                                {"y", clast_from_hdf5(ctx, "y.h5", "/x")}};
    const size_t n = strchr(programs[i].program, 'y') ? 2 : 1;
    clast_array *a = clast_expr(ctx, programs[i].program, n, names);
    fetched got;
    running = ctx;
    const clast_status status = fetch_bytes(a, &got);
    *values = got.values;
    *bytes = got.bytes;
    if (stats)
        *stats = clast_ctx_stats(ctx);
    if (text)
        snprintf(text, 400, "%s", clast_ctx_error(ctx));
    clast_close(&ctx);
    return status;
}

/* With nothing in the page cache: whole tiles, by the I/O threads. */
static void *expected(int i, size_t *bytes)
{
    void *values;
    watch(i);
    cached = 0;
    ck_assert_int_eq(compute(i, 2, CLAST_MIB(64), &values, bytes, NULL, NULL),
                     CLAST_OK);
    unwatch();
    return values;
}

static void check(int i, int workers, uint64_t memory, const void *want, size_t bytes)
{
    void *got;
    size_t n;
    clast_stats s;
    char text[400];
    const clast_status status = compute(i, workers, memory, &got, &n, &s, text);
    ck_assert_msg(status == CLAST_OK, "%s", text);
    ck_assert_uint_eq(n, bytes);
    ck_assert(memcmp(got, want, bytes) == 0);
    ck_assert_uint_le(s.peak, memory);
    if (programs[i].fed)
        ck_assert_uint_eq(s.read, s.predicted_read);
    cl_free(got);
}

START_TEST(tasks_are_fed)
{
    size_t bytes;
    void *want = expected(_i, &bytes);
    ck_assert_int_eq(strips, 0);
    for (int workers = 1; workers <= 3; workers++)
        for (uint64_t memory = CLAST_MIB(16); memory <= CLAST_MIB(64); memory *= 4) {
            watch(_i);
            check(_i, workers, memory, want, bytes);
            unwatch();
            if (workers == 1 && programs[_i].fed)
                ck_assert_int_eq(tiles, 0);
            if (workers <= programs[_i].fed)
                ck_assert_int_gt(strips, 0);
            if (programs[_i].fed == 0)
                ck_assert_int_eq(strips, 0);
        }
    cl_free(want);
}
END_TEST

/* From some strip on nothing is in the page cache: it is waited for, and then the I/O
 * threads load what follows. */
START_TEST(strips_that_are_waited_for)
{
    size_t bytes;
    void *want = expected(_i, &bytes);
    for (int first = 0; first < 24; first += 5)
        for (int workers = 1; workers <= 2; workers++) {
            watch(_i);
            cached = first;
            check(_i, workers, CLAST_MIB(32), want, bytes);
            unwatch();
            ck_assert_int_gt(tiles, 0);
            if (workers == 1)
                ck_assert_int_eq(strips > 0, first > 1);
        }
    cl_free(want);
}
END_TEST

START_TEST(strips_in_crumbs)
{
    size_t bytes;
    void *want = expected(_i, &bytes);
    watch(_i);
    crumb = 10007;
    check(_i, 2, CLAST_MIB(32), want, bytes);
    unwatch();
    cl_free(want);
}
END_TEST

/* In the middle of a tile. The message says which file, as where a load fails. */
START_TEST(strips_that_cannot_be_read)
{
    size_t bytes;
    void *want = expected(3, &bytes), *got;
    char text[400];
    for (int first = 1; first < 12; first++) {
        watch(3);
        cached = first;
        fails_at = 0;
        const clast_status status =
            compute(3, 1 + first % 2, CLAST_MIB(32), &got, &bytes, NULL, text);
        unwatch();
        cl_free(got);
        ck_assert_int_eq(status, CLAST_EIO);
        ck_assert_msg(strstr(text, "x.h5:/x: reading failed"), "%s", text);
        ck_assert_msg(!strstr(text, "mean:"), "%s", text);
    }
    watch(3);
    check(3, 2, CLAST_MIB(32), want, bytes);
    unwatch();
    cl_free(want);
}
END_TEST

/* In the middle of a tile: no other strip is read. */
START_TEST(runs_that_are_canceled)
{
    static const int program[] = {0, 9}; /* a reduction, an elementwise one */
    for (size_t i = 0; i < sizeof program / sizeof *program; i++) {
        void *got;
        size_t bytes;
        watch(program[i]);
        cancels_at = 2;
        const clast_status status =
            compute(program[i], 1, CLAST_MIB(32), &got, &bytes, NULL, NULL);
        unwatch();
        cl_free(got);
        ck_assert_int_eq(status, CLAST_ECANCELED);
        const int read = strips;
        ck_assert_int_eq(read, 2);
    }
}
END_TEST

START_TEST(files_that_are_cut_meanwhile)
{
    void *got;
    size_t bytes;
    char text[400];
    for (int first = 1; first < 12; first += 5) {
        make_files();
        watch(3);
        cached = first;
        cut = "x.h5";
        const clast_status status =
            compute(3, 1 + first % 2, CLAST_MIB(32), &got, &bytes, NULL, text);
        unwatch();
        cl_free(got);
        ck_assert_msg(status == CLAST_EIO || status == CLAST_EFORMAT, "%s", text);
        ck_assert_msg(strstr(text, "x.h5"), "%s", text);
        ck_assert_msg(strstr(text, "cut off") || strstr(text, "changed"), "%s", text);
    }
}
END_TEST

static Suite *feed(void)
{
    Suite *s = suite_create("feed");
    TCase *t = tcase_create("feed");
    tcase_add_unchecked_fixture(t, begin, files_end);
    tcase_add_loop_test(t, tasks_are_fed, 0, PROGRAMS);
    tcase_add_loop_test(t, strips_that_are_waited_for, 0, 10);
    tcase_add_loop_test(t, strips_in_crumbs, 0, 10);
    tcase_add_test(t, strips_that_cannot_be_read);
    tcase_add_test(t, runs_that_are_canceled);
    tcase_add_test(t, files_that_are_cut_meanwhile);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {feed};
    return cl_check_main(suites, 1);
}
