/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many files as one array, through clast_from_hdf5_files(): more of them than the
 * process may have open, what is refused and what the message says, and every
 * allocation fails in turn. `--many` has 10,000 files with 1024 descriptors.
 */
#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "clast.h"
#include "hdf5_files.h"

enum { STEPS = 2, ROWS = 3 };

static int nfiles = 300;
static rlim_t descriptors = 48;

/* ---- files */

typedef struct {
    int number;       /* its times are 2 * number and the next one */
    const char *rows; /* what the second axis is called */
    double first_row, step;
    bool has_rows; /* coordinates on it */
    const char *standard_name;
} file_kind;

static const file_kind usual = {0, "lat", 10, 5, true, "air_temperature"};

static const char *name_of(int i)
{
    static char name[32];
    snprintf(name, sizeof name, "m%05d.nc", i);
    return name;
}

static hid_t add_scale(hid_t file, const char *name, hsize_t n, double first,
                       double step, const char *says)
{
    double value[ROWS];
    for (int i = 0; i < ROWS; i++)
        value[i] = first + i * step;
    H5LTmake_dataset_double(file, name, 1, &n, value);
    const hid_t scale = H5Dopen2(file, name, H5P_DEFAULT);
    H5DSset_scale(scale, says);
    return scale;
}

/* Element (t, r) of file i is 100 * i + 10 * t + r. */
static void make_file(const file_kind *k)
{
    const hsize_t shape[2] = {STEPS, ROWS};
    float value[STEPS * ROWS];
    for (int i = 0; i < STEPS * ROWS; i++)
        value[i] = (float)(100 * k->number + 10 * (i / ROWS) + i % ROWS);
    const hid_t file =
        H5Fcreate(name_of(k->number), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(file >= 0);
    H5LTmake_dataset_float(file, "x", 2, shape, value);
    if (k->standard_name)
        H5LTset_attribute_string(file, "x", "standard_name", k->standard_name);
    const hid_t dataset = H5Dopen2(file, "x", H5P_DEFAULT);
    const hid_t scale[2] = {
        add_scale(file, "time", STEPS, 2.0 * k->number, 1, "time"),
        add_scale(file, k->rows, ROWS, k->first_row, k->step,
                  k->has_rows ? k->rows
                              : "This is a netCDF dimension but not a netCDF "
                                "variable.         3")};
    for (unsigned a = 0; a < 2; a++) {
        H5DSattach_scale(dataset, scale[a], a);
        H5Dclose(scale[a]);
    }
    H5Dclose(dataset);
    ck_assert(H5Fclose(file) >= 0);
}

static void make_usual(int n)
{
    for (int i = 0; i < n; i++) {
        file_kind k = usual;
        k.number = i;
        make_file(&k);
    }
}

/* The first n files; *array stays in error where they do not go together. */
static clast_array *join(clast_ctx *ctx, int n, const clast_files_options *options)
{
    char(*name)[32] = cl_alloc_array((size_t)n, sizeof *name);
    const char **file = cl_alloc_array((size_t)n, sizeof *file);
    clast_array *a = NULL;
    for (int i = 0; name && file && i < n; i++)
        file[i] = strcpy(name[i], name_of(i));
    if (name && file)
        a = clast_from_hdf5_files(ctx, n, file, "/x", options);
    cl_free(file);
    cl_free(name);
    return a;
}

/* ---- more than may be open */

/* Twice over all of them, in other orders than they were opened in. */
START_TEST(more_files_than_descriptors)
{
    struct rlimit limit;
    make_usual(nfiles);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit low = {descriptors, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    clast_ctx *ctx =
        clast_open(&(clast_options){.memory = CLAST_MIB(256), .workers = 2});
    clast_array *x = join(ctx, nfiles, NULL);
    ck_assert_msg(clast_array_status(x) == CLAST_OK, "%s", clast_error(x));
    ck_assert_int_eq(clast_shape(x)[0], (int64_t)STEPS * nfiles);
    clast_array *sum =
        clast_sum(clast_sub(x, clast_slice(x, 0, CLAST_END, CLAST_END, -1)), CLAST_ALL);
    clast_array *last = clast_sel(x, 0, 2.0 * nfiles - 1, 2.0 * nfiles);
    double total = 1;
    float row[ROWS] = {0};
    ck_assert_int_eq(
        clast_fetch(sum, &(clast_buffer){&total, sizeof total, clast_array_dtype(sum),
                                         0, NULL, NULL}),
        CLAST_OK);
    const int64_t shape[2] = {1, ROWS};
    ck_assert_int_eq(clast_fetch(last, &(clast_buffer){row, sizeof row, CLAST_FLOAT32,
                                                       2, shape, NULL}),
                     CLAST_OK);
    for (int r = 0; r < ROWS; r++)
        ck_assert_float_eq(row[r], (float)(100 * (nfiles - 1) + 10 + r));
    clast_close(&ctx);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

/* ---- what is refused */

static const struct {
    file_kind second;
    clast_files_options options;
    clast_status status;
    const char *text; /* of the error */
} refusals[] = {
    {{1, "lat", 10, 5, true, "air_temperature"}, {0}, CLAST_OK, ""},
    {{1, "lat", 10, 5, true, NULL}, {0}, CLAST_OK, ""},
    {{1, "lat", 20, -5, true, "air_temperature"},
     {0},
     CLAST_EVALUE,
     "from_hdf5_files: axis 'lat' of m00000.nc and of m00001.nc has different "
     "coordinates: number 0 is 10 and 20; 2 of 3 differ, by at most 10; "
     "the option any_coordinates joins them all the same"},
    {{1, "lat", 20, -5, true, NULL}, {.any_coordinates = true}, CLAST_OK, ""},
    {{1, "lon", 10, 5, true, NULL},
     {0},
     CLAST_EVALUE,
     "axis 1 of m00001.nc:/x is 'lon', that of m00000.nc is 'lat'"},
    {{1, "lon", 10, 5, true, NULL}, {.any_coordinates = true}, CLAST_OK, ""},
    {{1, "lat", 10, 5, false, NULL},
     {0},
     CLAST_EVALUE,
     "axis 'lat' has coordinates in m00000.nc, but none in m00001.nc"},
    {{1, "lat", 10, 5, true, "dew_point_temperature"},
     {0},
     CLAST_EVALUE,
     "m00001.nc:/x has standard_name 'dew_point_temperature', m00000.nc has "
     "'air_temperature'"},
    {{0, "lat", 10, 5, true, NULL}, {0}, CLAST_ENOENT, "m00001.nc"},
    {{1, "lat", 10, 5, true, NULL}, {.axis = 2}, CLAST_EAXIS, "axis 2"},
    {{1, "lat", 10, 5, true, NULL}, {.name = "level"}, CLAST_EAXIS, "'level'"},
    {{1, "lat", 10, 5, true, NULL},
     {.stack = true},
     CLAST_EVALUE,
     "axis 'time' of m00000.nc and of m00001.nc has different coordinates: number 0 "
     "is 0 and 2; 2 of 2 differ, by at most 2"},
    {{1, "lat", 10, 5, true, NULL},
     {.reserved = {0, 1}},
     CLAST_ENOTSUP,
     "reserved[1] must be zero"},
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

START_TEST(refused)
{
    make_file(&usual);
    make_file(&refusals[_i].second);
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(16)});
    clast_array *x = join(ctx, 2, &refusals[_i].options);
    ck_assert_msg(clast_array_status(x) == refusals[_i].status &&
                      strstr(clast_error(x), refusals[_i].text),
                  "%s", clast_error(x));
    clast_close(&ctx);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

/* What is compared is in the budget, and given back. */
START_TEST(budget)
{
    make_usual(40);
    clast_ctx *ctx = clast_open(&(clast_options){.memory = 256 << 10});
    clast_array *x = join(ctx, 40, NULL);
    ck_assert_int_eq(clast_array_status(x), CLAST_EBUDGET);
    x = join(ctx, 8, NULL);
    ck_assert_msg(clast_array_status(x) == CLAST_OK, "%s", clast_error(x));
    clast_close(&ctx);
}
END_TEST

static clast_status join_three(void *arg)
{
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(16)});
    if (!ctx)
        return CLAST_ENOMEM;
    clast_status status = clast_ctx_status(ctx);
    clast_array *x = status == CLAST_OK ? join(ctx, 3, NULL) : NULL;
    if (status == CLAST_OK)
        status = x ? clast_array_status(x) : CLAST_ENOMEM;
    clast_close(&ctx);
    ck_assert_int_eq(files_open_ids(), 0);
    return status;
}

START_TEST(out_of_memory)
{
    make_usual(3);
    fail_every_allocation(join_three, NULL, 30);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("file_set");
    TCase *t = tcase_create("many files");
    tcase_set_timeout(t, 1800);
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_test(t, more_files_than_descriptors);
    tcase_add_loop_test(t, refused, 0, REFUSALS);
    tcase_add_test(t, budget);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--many") == 0) {
        nfiles = 10000;
        descriptors = 1024;
    }
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
