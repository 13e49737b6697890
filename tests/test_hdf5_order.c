/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of chunks in files: the same bytes whoever puts what when, and what happens
 * when the place where chunks wait fails. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/sys.h"

/* Three datasets of one file, chunks of 16 KiB and of 64 bytes and of 128 KiB, and one
 * that libhdf5 does not place. */
enum { OUTPUTS = 4, UNITS_MOST = 1024 };
static const struct {
    const char *path;
    int64_t shape[2], chunk[2], unit[2];
    int gzip;
} rows[OUTPUTS] = {{"/u", {256, 200}, {64, 32}, {128, 32}, 1},
                   {"/g/s", {7, 100}, {1, 8}, {1, 8}, 4},
                   {"/plain", {50, 60}, {10, 60}, {10, 60}, 0},
                   {"/vt", {300, 300}, {128, 128}, {128, 300}, 1}};

typedef struct {
    size_t output;
    cl_box box;
} unit;

typedef struct {
    cl_outputs *outputs;
    cl_output_spec spec[OUTPUTS];
    unit unit[UNITS_MOST];
    int n;
    atomic_int next, failed;
} work;

static void spec_all(work *w, const char *file)
{
    w->n = 0;
    for (size_t i = 0; i < OUTPUTS; i++) {
        cl_output_spec *s = &w->spec[i];
        *s = (cl_output_spec){.file = file,
                              .path = rows[i].path,
                              .dtype = CLAST_FLOAT64,
                              .compression = files_gzip(rows[i].gzip, rows[i].gzip > 0),
                              .no_sync = true};
        s->shape = cl_shape_of(2, rows[i].shape);
        memcpy(s->chunk, rows[i].chunk, sizeof rows[i].chunk);
        cl_grid grid = {.ndim = 2};
        for (int a = 0; a < 2; a++)
            grid.axis[a] = cl_axis_regular(rows[i].shape[a], rows[i].unit[a]);
        for (int64_t k = 0; k < cl_grid_tiles(&grid); k++)
            w->unit[w->n++] = (unit){i, cl_grid_box(&grid, k)};
    }
}

static void shuffle(work *w, unsigned seed)
{
    uint64_t state = seed;
    for (int i = w->n - 1; seed > 0 && i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const int k = (int)((state >> 33) % (uint64_t)(i + 1));
        const unit one = w->unit[i];
        w->unit[i] = w->unit[k];
        w->unit[k] = one;
    }
}

/* Values that depend on the place only and compress more here, less there. */
static double value(size_t output, int64_t row, int64_t column)
{
    const uint64_t noise = (uint64_t)(row * 131 + column) * 0x9e3779b97f4a7c15u;
    return (double)(noise >> (column % 60)) + (double)output;
}

static clast_status put(work *w, const unit *u, cl_error *err)
{
    uint64_t stored;
    const cl_box *b = &u->box;
    double *data = cl_alloc((size_t)cl_box_count(b) * sizeof *data), *p = data;
    for (int64_t i = 0; i < b->n[0]; i++)
        for (int64_t k = 0; k < b->n[1]; k++)
            *p++ = value(u->output, b->lo[0] + i, b->lo[1] + k);
    void *staging = cl_alloc(cl_output_staging(&w->spec[u->output]) + 1);
    const clast_status status =
        cl_output_put(w->outputs, u->output, b, data, staging, &stored, err);
    cl_free(staging);
    cl_free(data);
    return status;
}

static void *put_some(void *arg)
{
    work *w = arg;
    cl_error err = {0};
    for (int i; (i = atomic_fetch_add(&w->next, 1)) < w->n;)
        if (put(w, &w->unit[i], &err) != CLAST_OK)
            atomic_fetch_add(&w->failed, 1);
    return NULL;
}

static void store(work *w, const char *file, unsigned seed, int threads)
{
    cl_error err = {0};
    cl_thread thread[8];
    spec_all(w, file);
    shuffle(w, seed);
    atomic_init(&w->next, 0);
    atomic_init(&w->failed, 0);
    ck_assert_msg(cl_outputs_begin(&w->outputs, OUTPUTS, w->spec, NULL, &err) ==
                      CLAST_OK,
                  "%s", err.text);
    for (int t = 1; t < threads; t++)
        ck_assert_int_eq(cl_thread_start(&thread[t], put_some, w), CLAST_OK);
    put_some(w);
    for (int t = 1; t < threads; t++)
        cl_thread_join(&thread[t]);
    ck_assert_int_eq(atomic_load(&w->failed), 0);
    ck_assert_msg(cl_outputs_commit(w->outputs, &err) == CLAST_OK, "%s", err.text);
}

static void check_values(const char *file)
{
    for (size_t i = 0; i < OUTPUTS; i++) {
        const cl_box box = {2, {0, 0}, {rows[i].shape[0], rows[i].shape[1]}};
        double *read = files_h5dread(file, rows[i].path, CLAST_FLOAT64, &box);
        for (int64_t k = 0; k < cl_box_count(&box); k++)
            ck_assert_double_eq(read[k],
                                value(i, k / rows[i].shape[1], k % rows[i].shape[1]));
        cl_free(read);
    }
}

/* Seed 0 is the order of the file itself: nothing waits. */
START_TEST(any_order_gives_the_same_file)
{
    static work w;
    size_t na, nb;
    const uint64_t live = cl_alloc_live();
    store(&w, "a.h5", 0, 1);
    store(&w, "b.h5", (unsigned)_i + 1, 1 + _i % 4);
    char *a = files_slurp("a.h5", &na), *b = files_slurp("b.h5", &nb);
    ck_assert_uint_eq(na, nb);
    files_same(a, b, na);
    cl_free(a);
    cl_free(b);
    check_values("b.h5");
    ck_assert_uint_eq(cl_alloc_live(), live);
    ck_assert_int_eq(files_count(), 2);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

/* ---- a spool that fails: files without a name ---- */

static atomic_int calls_left;

static bool is_due(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0 &&
           atomic_fetch_sub(&calls_left, 1) <= 0;
}

static ssize_t full_disk(int fd, const struct iovec *iov, int n, off_t at)
{
    if (!is_due(fd))
        return pwritev(fd, iov, n, at);
    errno = ENOSPC;
    return -1;
}

static ssize_t bad_read(int fd, const struct iovec *iov, int n, off_t at)
{
    if (!is_due(fd))
        return preadv(fd, iov, n, at);
    errno = EIO;
    return -1;
}

static ssize_t damaged_read(int fd, const struct iovec *iov, int n, off_t at)
{
    const ssize_t done = preadv(fd, iov, n, at);
    if (done > 0 && is_due(fd))
        ((char *)iov[0].iov_base)[done / 2 < (ssize_t)iov[0].iov_len ? done / 2 : 0] ^=
            4;
    return done;
}

static const struct {
    ssize_t (*read)(int fd, const struct iovec *iov, int n, off_t at);
    ssize_t (*write)(int fd, const struct iovec *iov, int n, off_t at);
    int after;
    clast_status status;
} faults[] = {
    {preadv, full_disk, 0, CLAST_ENOSPACE}, {preadv, full_disk, 20, CLAST_ENOSPACE},
    {bad_read, pwritev, 0, CLAST_EIO},      {bad_read, pwritev, 9, CLAST_EIO},
    {damaged_read, pwritev, 0, CLAST_EIO},  {damaged_read, pwritev, 1, CLAST_EIO},
    {damaged_read, pwritev, 30, CLAST_EIO}};
enum { FAULTS = sizeof faults / sizeof *faults };

START_TEST(a_spool_that_fails)
{
    static work w;
    cl_error err = {0};
    const cl_sys_table good = cl_sys;
    const uint64_t live = cl_alloc_live();
    spec_all(&w, "a.h5");
    shuffle(&w, 5);
    ck_assert_int_eq(cl_outputs_begin(&w.outputs, OUTPUTS, w.spec, NULL, &err),
                     CLAST_OK);
    atomic_store(&calls_left, faults[_i].after);
    cl_sys.preadv = faults[_i].read;
    cl_sys.pwritev = faults[_i].write;
    clast_status status = CLAST_OK;
    for (int i = 0; i < w.n && status == CLAST_OK; i++)
        status = put(&w, &w.unit[i], &err);
    if (status == CLAST_OK)
        status = cl_outputs_commit(w.outputs, &err);
    else
        cl_outputs_abort(w.outputs);
    cl_sys = good;
    ck_assert_msg(status == faults[_i].status, "%s: %s", clast_status_name(status),
                  err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "a.h5:/"));
    ck_assert_uint_eq(cl_alloc_live(), live);
    ck_assert_int_eq(files_count(), 0);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("hdf5_order");
    TCase *t = tcase_create("order");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_loop_test(t, any_order_gives_the_same_file, 0, 4);
    tcase_add_loop_test(t, a_spool_that_fails, 0, FAULTS);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {make_suite};
    return cl_check_main(suites, 1);
}
