/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many input files, of which few may be open at a time: what is read is right whatever
 * rests, nothing stays open too many, and a file that became another one while it
 * rested is found out.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/hdf5_file.h"
#include "io/hdf5_lib.h"

enum { FILES = 24, LIMIT = 4, ROUNDS = 40 };

static cl_source *source[FILES];
static char name[FILES][16];
static double *wanted[FILES];

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(folder);
    int n = 0;
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* Contiguous, chunked and filtered ones, in turn. */
static void make(int i)
{
    const file_spec kinds[] = {
        {.ndim = 2, .shape = {6, 10}},
        {.ndim = 2, .shape = {6, 10}, .chunk = {4, 4}},
        {.ndim = 2, .shape = {6, 10}, .chunk = {4, 4}, .filters = FILTER_DEFLATE},
        {.ndim = 2, .shape = {6, 10}, .chunk = {5, 10}, .filters = FILTER_FLETCHER},
    };
    file_spec spec = kinds[i % 4];
    snprintf(name[i], sizeof name[i], "f%d.h5", i);
    spec.file = name[i];
    spec.path = "/x";
    files_make(&spec);
}

static void begin(void)
{
    files_begin();
    cl_hdf5_file_limit(LIMIT);
    for (int i = 0; i < FILES; i++) {
        make(i);
        source[i] = files_open(name[i], "/x", false);
        wanted[i] = files_read(source[i]);
    }
}

static void end(void)
{
    for (int i = 0; i < FILES; i++) {
        cl_source_close(source[i]);
        cl_free(wanted[i]);
    }
    ck_assert_int_eq(files_open_ids(), 0);
    cl_hdf5_file_limit(0);
    files_end();
}

/* The same box of two rows, from anywhere. */
static void check(int i, int row)
{
    const cl_box box = {.ndim = 2, .lo = {row, 0}, .n = {2, 10}};
    double *got = files_read_box(source[i], &box);
    files_same(got, wanted[i] + 10 * row, 20 * sizeof *got);
    cl_free(got);
}

START_TEST(few_are_open)
{
    const int before = descriptors();
    begin();
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        check(rand() % FILES, rand() % 5);
        ck_assert_int_le(descriptors(), before + LIMIT);
        ck_assert_int_le(files_open_ids(), 2 * LIMIT);
    }
    end();
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

/* All threads read files that the others make rest. */
static void read_some(void *arg, int worker, int nworkers)
{
    unsigned seed = (unsigned)worker;
    for (int round = 0; round < ROUNDS; round++)
        check(rand_r(&seed) % FILES, rand_r(&seed) % 5);
}

START_TEST(threads)
{
    begin();
    cl_team_run(CL_TEAM_PTHREADS, 8, read_some, NULL);
    end();
}
END_TEST

/* Two sources of one file, one of them closed while it rests; another working
 * directory. */
START_TEST(shared_files)
{
    begin();
    cl_source *second = files_open(name[2], "/x", true), *third;
    third = files_open(name[2], "/x", false);
    for (int i = 8; i < FILES; i++)
        check(i, 1);
    cl_source_close(second);
    char *folder = getcwd(NULL, 0);
    ck_assert_int_eq(chdir("/"), 0);
    check(2, 3);
    ck_assert_int_eq(chdir(folder), 0);
    free(folder);
    double *got = files_read(third);
    files_same(got, wanted[2], 60 * sizeof *got);
    cl_free(got);
    cl_source_close(third);
    end();
}
END_TEST

/* Attributes and names of axes of one that rests. */
START_TEST(attributes)
{
    char text[8];
    cl_dim dim[CL_MAXDIM];
    cl_error err = {0};
    begin();
    ck_assert(!cl_source_attribute(source[0], "units", text, sizeof text));
    ck_assert_int_eq(cl_source_dims(source[1], dim, &err), CLAST_OK);
    ck_assert_ptr_null(dim[0].name);
    check(0, 0);
    end();
}
END_TEST

typedef enum { REPLACED, WRITTEN, GONE } change;

START_TEST(another_file)
{
    double out[60];
    char staging[4096];
    uint64_t stored;
    cl_error err = {0};
    const cl_box box = {.ndim = 2, .n = {6, 10}};
    begin();
    for (int i = 8; i < FILES; i++)
        check(i, 0);
    if (_i == REPLACED) {
        ck_assert_int_eq(rename(name[9], name[1]), 0);
        ck_assert_int_eq(link(name[1], name[9]), 0);
    } else if (_i == WRITTEN) {
        FILE *f = fopen(name[1], "a");
        ck_assert_int_eq(fputc('x', f), 'x');
        fclose(f);
    } else {
        ck_assert_int_eq(unlink(name[1]), 0);
    }
    ck_assert_int_ne(cl_source_fetch(source[1], &box, out, staging, &stored, &err),
                     CLAST_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "f1.h5"));
    if (_i != GONE)
        ck_assert_ptr_nonnull(strstr(err.text, "another file"));
    check(2, 0);
    end();
}
END_TEST

/* A run that fails takes its dataset out of a file that it changed in place, but not
 * from under somebody who reads the file by then. */
START_TEST(failed_in_place)
{
    const file_spec spec = {.file = "a.h5", .path = "/x", .ndim = 2, .shape = {6, 10}};
    const cl_output_spec out = {.file = "a.h5",
                                .path = "/y",
                                .dtype = CLAST_FLOAT64,
                                .shape = cl_shape_of(2, (int64_t[]){6, 10}),
                                .chunk = {6, 10},
                                .in_place = true,
                                .no_sync = true};
    cl_hdf5_file *reader = NULL;
    cl_hdf5_guard guard;
    cl_outputs *outputs;
    cl_error err = {0};
    files_begin();
    files_make(&spec);
    ck_assert_msg(cl_outputs_begin(&outputs, 1, &out, NULL, &err) == CLAST_OK, "%s",
                  err.text);
    cl_hdf5_enter(&guard);
    if (_i == 1)
        ck_assert_msg(cl_hdf5_file_open(&reader, "a.h5", &err) == CLAST_OK, "%s",
                      err.text);
    cl_hdf5_leave(&guard);
    cl_outputs_abort(outputs);
    cl_hdf5_enter(&guard);
    if (reader)
        cl_hdf5_file_close(reader);
    cl_hdf5_leave(&guard);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    ck_assert_int_gt(H5Lexists(file, "x", H5P_DEFAULT), 0);
    ck_assert_int_eq(H5Lexists(file, "y", H5P_DEFAULT) > 0, _i == 1);
    H5Fclose(file);
    files_end();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_file");
    TCase *t = tcase_create("resting");
    tcase_add_test(t, few_are_open);
    tcase_add_test(t, threads);
    tcase_add_test(t, shared_files);
    tcase_add_test(t, attributes);
    tcase_add_loop_test(t, another_file, REPLACED, GONE + 1);
    suite_add_tcase(s, t);
    t = tcase_create("changed");
    tcase_add_loop_test(t, failed_in_place, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
