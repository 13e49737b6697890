/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing at the pace of the disk: what stores and copies write and have not waited for
 * is bounded, and an error of the disk that nothing but sync_file_range tells is the
 * run's error.
 *
 * The windows are made small, so that small files have many of them.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "clast.h"
#include "disk_faults.h"
#include "hdf5_files.h"
#include "io/behind.h"
#include "io/direct.h"
#include "io/sys.h"

enum { WINDOW = 64 << 10, BLOCK = 64 << 10, ROWS = 640, BYTES = ROWS * ROWS * 8 };

typedef struct {
    const char *name;
    int gzip;
    bool is_large; /* for the page cache */
    bool copies;
    bool no_sync;
} kind;

static const kind kinds[] = {
    {"a store", -1, false, false, false},
    {"a compressed store", 1, false, false, false},
    {"a large store", -1, true, false, false},
    {"a large store without syncs", -1, true, false, true},
    {"a copy", -1, false, true, false},
    {"a compressed copy", 1, false, true, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static char text[480]; /* of the last run's error */

static clast_ctx *open_context(int workers)
{
    return clast_open(&(clast_options){
        .memory = CLAST_MIB(32), .workers = workers, .scratch = ".", .block = BLOCK});
}

static clast_status store(clast_ctx *ctx, const kind *k, const char *file)
{
    static const int64_t shape[2] = {ROWS, ROWS}, chunk[2] = {64, 64};
    return clast_to_hdf5(
        clast_random(ctx, 2, shape, 1, CLAST_FLOAT64), file, "/x",
        &(clast_hdf5_options){.chunks = chunk, .gzip = k->gzip, .no_sync = k->no_sync});
}

static clast_status copy(clast_ctx *ctx, const kind *k)
{
    static const int64_t chunk[2] = {40, 40};
    static const clast_copy_chunks chunks = {.ndim = 2, .length = chunk};
    return clast_hdf5_copy(ctx, "in.h5", NULL, "out.h5",
                           &(clast_copy_options){.nchunks = k->gzip < 0,
                                                 .chunks = &chunks,
                                                 .gzip = k->gzip});
}

static clast_status run(const kind *k, int workers)
{
    clast_ctx *ctx = open_context(workers);
    const clast_status status = k->copies ? copy(ctx, k) : store(ctx, k, "out.h5");
    snprintf(text, sizeof text, "%s", clast_ctx_error(ctx));
    clast_close(&ctx);
    return status;
}

static void begin(const kind *k)
{
    const kind input = {.gzip = -1};
    files_begin();
    cl_behind_window = WINDOW;
    cl_cache_pretend(k->is_large ? 4096 : 0);
    clast_ctx *ctx = open_context(1);
    ck_assert_int_eq(store(ctx, &input, "in.h5"), CLAST_OK);
    clast_close(&ctx);
}

static void end(void)
{
    cl_cache_pretend(0);
    cl_behind_window = CL_BEHIND_WINDOW;
    files_end();
}

/* So many windows are under way or not full yet, however many workers there are, and
 * what each has just written is not counted yet; the same of the spool of chunks that
 * wait for their turn, where chunks have one; and libhdf5 keeps what it converts in a
 * cache of its own. */
static uint64_t most_dirty(const kind *k, int workers)
{
    const uint64_t windows = workers == 1 ? 2 : 3;
    const uint64_t file = windows * WINDOW + (uint64_t)workers * 2 * BLOCK;
    return (k->copies || k->gzip >= 0 ? 2 : 1) * file + (k->copies ? 1 << 20 : 0);
}
START_TEST(dirty_pages_are_bounded)
{
    const kind *k = &kinds[_i];
    for (int workers = 1; workers <= 4; workers += 3) {
        const uint64_t most = most_dirty(k, workers);
        begin(k);
        disk_watch(0, 0);
        ck_assert_msg(run(k, workers) == CLAST_OK, "%s: %s", k->name, text);
        const uint64_t dirty = disk_most_dirty();
        const int64_t pushes = disk_pushes();
        disk_mend();
        ck_assert_msg(dirty <= most,
                      "%s, %d workers: %llu bytes were dirty, %llu may be", k->name,
                      workers, (unsigned long long)dirty, (unsigned long long)most);
        ck_assert_uint_ge(dirty, WINDOW / 2);
        ck_assert_msg(pushes >= BYTES / WINDOW / 2, "%s: %d pushes", k->name,
                      (int)pushes);
        end();
    }
}
END_TEST

START_TEST(errors_that_only_a_push_tells)
{
    const kind *k = &kinds[_i];
    int64_t n = 1;
    begin(k);
    for (clast_status status = CLAST_EIO; status != CLAST_OK; n += 9) {
        disk_watch(n, EIO);
        status = run(k, 1);
        disk_mend();
        const bool has_failed = *disk_failed() != '\0';
        ck_assert_msg(status == (has_failed ? CLAST_EIO : CLAST_OK), "%s, push %d: %s",
                      k->name, (int)n, text);
        ck_assert(!has_failed || strstr(text, "out.h5:/x: writing failed") != NULL);
        ck_assert_int_eq(access("out.h5", F_OK) == 0, !has_failed);
        ck_assert_int_eq(files_count(), has_failed ? 1 : 2);
    }
    ck_assert_int_gt(n, 30);
    end();
}
END_TEST

/* Some file systems cannot, and do without. */
START_TEST(what_a_disk_cannot_is_no_error)
{
    static const int errors[] = {ESPIPE, EINVAL, ENOSYS, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        begin(&kinds[_i]);
        disk_watch(2, errors[i]);
        ck_assert_msg(run(&kinds[_i], 1) == CLAST_OK, "%s", text);
        ck_assert_str_eq(disk_failed(), "sync_file_range");
        disk_mend();
        end();
    }
}
END_TEST

/* Writers who only say that they wrote, to a disk that is slow when it is told to. */
enum { WRITERS = 4, PIECE = 4 << 10, PIECES = 200 };

static struct {
    cl_behind behind;
    _Atomic uint64_t written;
    atomic_int pushing, pushes;
    atomic_bool were_two, was_much;
} crowd;

/* The n-th is made when n windows are full. Until it is back one more may be, and a
 * piece of each writer may come on top; others have the time to break that. */
static int slow_push(int fd, off_t at, off_t bytes, unsigned flags)
{
    (void)fd, (void)at, (void)bytes, (void)flags;
    const int n = atomic_fetch_add(&crowd.pushes, 1) + 1;
    const uint64_t most = (uint64_t)(n + 1) * WINDOW + WRITERS * PIECE;
    if (atomic_fetch_add(&crowd.pushing, 1) > 0)
        crowd.were_two = true;
    for (int i = 0; i < 1000 && !crowd.were_two && !crowd.was_much; i++) {
        sched_yield();
        if (crowd.written > most)
            crowd.was_much = true;
    }
    atomic_fetch_sub(&crowd.pushing, 1);
    return 0;
}

static void *write_pieces(void *arg)
{
    (void)arg;
    for (int i = 0; i < PIECES; i++) {
        atomic_fetch_add(&crowd.written, PIECE);
        cl_behind_grew(&crowd.behind, -1, PIECE);
    }
    return NULL;
}

START_TEST(a_crowd_waits_for_who_pushes)
{
    cl_thread thread[WRITERS];
    const cl_sys_table real = cl_sys;
    cl_sys.sync_file_range = slow_push;
    cl_behind_window = WINDOW;
    cl_behind_init(&crowd.behind);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(cl_thread_start(&thread[i], write_pieces, NULL), CLAST_OK);
    for (int i = 0; i < WRITERS; i++)
        cl_thread_join(&thread[i]);
    cl_behind_fini(&crowd.behind);
    cl_behind_window = CL_BEHIND_WINDOW;
    cl_sys = real;
    ck_assert(!crowd.were_two);
    ck_assert(!crowd.was_much);
    ck_assert_int_eq(crowd.pushes, WRITERS * PIECE * PIECES / WINDOW);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("behind");
    TCase *t = tcase_create("behind");
    tcase_add_loop_test(t, dirty_pages_are_bounded, 0, KINDS);
    tcase_add_loop_test(t, errors_that_only_a_push_tells, 0, KINDS);
    tcase_add_loop_test(t, what_a_disk_cannot_is_no_error, 0, 3);
    tcase_add_test(t, a_crowd_waits_for_who_pushes);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
