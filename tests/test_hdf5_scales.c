/* SPDX-License-Identifier: BSD-3-Clause */
/* Dimension scales of outputs, as libhdf5's own high-level library reads them: which
 * are made, which are shared, and what happens when a part of it is replaced. */
#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "hdf5_files.h"

enum { ROWS = 3, COLUMNS = 1500 };

static double lat[2 * ROWS], lon[COLUMNS];

static void fill(void)
{
    for (int i = 0; i < 2 * ROWS; i++)
        lat[i] = 10 * i;
    for (int i = 0; i < COLUMNS; i++)
        lon[i] = 0.25 * i;
}

static cl_output_dim dims[3];

/* /PATH of shape (ROWS, COLUMNS, 2): lat from a strided vector, lon, and a bare
 * name. */
static cl_output_spec spec_of(const char *path)
{
    fill();
    dims[0] = (cl_output_dim){.name = "lat",
                              .values = lat,
                              .stride = 2 * sizeof *lat,
                              .dtype = CLAST_FLOAT64};
    dims[1] = (cl_output_dim){
        .name = "lon", .values = lon, .stride = sizeof *lon, .dtype = CLAST_FLOAT64};
    dims[2] = (cl_output_dim){.name = "bounds"};
    return (cl_output_spec){.file = "a.h5",
                            .path = path,
                            .dtype = CLAST_INT8,
                            .shape = {.ndim = 3, .dim = {ROWS, COLUMNS, 2}},
                            .chunk = {ROWS, COLUMNS, 2},
                            .overwrite = true,
                            .no_sync = true,
                            .dim = dims};
}

static clast_status begin_and_put(const cl_output_spec *spec, cl_outputs **outputs,
                                  cl_error *err)
{
    int64_t count = 0;
    uint64_t stored;
    CL_TRY(cl_outputs_begin(outputs, 1, spec, NULL, err));
    ck_assert(cl_shape_count(&spec->shape, &count));
    void *zeros = cl_calloc((size_t)count, clast_dtype_size(spec->dtype));
    const cl_box box = cl_box_whole(&spec->shape);
    const clast_status status =
        cl_output_put(*outputs, 0, &box, zeros, NULL, &stored, err);
    cl_free(zeros);
    return status;
}

static void store(const cl_output_spec *spec)
{
    cl_error err = {0};
    cl_outputs *outputs;
    clast_status status = begin_and_put(spec, &outputs, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    status = cl_outputs_commit(outputs, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    ck_assert_int_eq(files_open_ids(), 0);
}

static herr_t note_path(hid_t dataset, unsigned axis, hid_t scale, void *arg)
{
    return H5Iget_name(scale, arg, 64) > 0 ? 1 : -1;
}

/* The path of the first scale of an axis, "" where there is none. */
static const char *scale_of(const char *path, unsigned axis)
{
    static char name[64];
    name[0] = '\0';
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (H5DSget_num_scales(dataset, axis) > 0)
        H5DSiterate_scales(dataset, axis, NULL, note_path, name);
    H5Dclose(dataset);
    H5Fclose(file);
    return name;
}

static bool exists(const char *path)
{
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    const bool is_there = H5Lexists(file, path, H5P_DEFAULT) > 0;
    H5Fclose(file);
    return is_there;
}

static void check_values(const char *path, const double *wanted, int step, int64_t n)
{
    const cl_shape shape = {.ndim = 1, .dim = {n}};
    const cl_box box = cl_box_whole(&shape);
    double *values = files_h5dread("a.h5", path, CLAST_FLOAT64, &box);
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq(values[i], wanted[i * step]);
    cl_free(values);
}

START_TEST(made)
{
    char name[100] = "";
    const cl_output_spec spec = spec_of("/x");
    store(&spec);
    ck_assert_str_eq(scale_of("/x", 0), "/lat");
    ck_assert_str_eq(scale_of("/x", 1), "/lon");
    ck_assert_str_eq(scale_of("/x", 2), "/bounds");
    check_values("/lat", lat, 2, ROWS);
    check_values("/lon", lon, 1, COLUMNS);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t scale = H5Dopen2(file, "/bounds", H5P_DEFAULT);
    ck_assert_int_gt(H5DSget_scale_name(scale, name, sizeof name), 0);
    ck_assert_str_eq(name,
                     "This is a netCDF dimension but not a netCDF variable.         2");
    ck_assert_int_eq(H5Dget_storage_size(scale), 0);
    H5Dclose(scale);
    H5Fclose(file);
}
END_TEST

/* Equal ones are shared, others get another name; groups have their own. */
START_TEST(shared)
{
    cl_output_spec spec = spec_of("/x");
    store(&spec);
    spec = spec_of("/y");
    store(&spec);
    ck_assert_str_eq(scale_of("/y", 0), "/lat");
    ck_assert_str_eq(scale_of("/y", 2), "/bounds");
    spec = spec_of("/z");
    lon[COLUMNS - 1] = 0;
    store(&spec);
    ck_assert_str_eq(scale_of("/z", 0), "/lat");
    ck_assert_str_eq(scale_of("/z", 1), "/lon_2");
    check_values("/lon_2", lon, 1, COLUMNS);
    spec = spec_of("/w");
    spec.shape.dim[2] = spec.chunk[2] = 5;
    store(&spec);
    ck_assert_str_eq(scale_of("/w", 1), "/lon");
    ck_assert_str_eq(scale_of("/w", 2), "/bounds_2");
    spec = spec_of("/g/x");
    store(&spec);
    ck_assert_str_eq(scale_of("/g/x", 0), "/g/lat");
}
END_TEST

/* What has the name and is no such scale stays as it is. */
START_TEST(names_that_are_taken)
{
    cl_output_spec spec = spec_of("/lat");
    store(&spec);
    ck_assert_str_eq(scale_of("/lat", 0), "/lat_2");
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "/lat_3", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_soft("/nowhere", file, "/lat_4", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    spec = spec_of("/y");
    lat[0] = -1;
    store(&spec);
    ck_assert_str_eq(scale_of("/y", 0), "/lat_5");
    spec = spec_of("/v");
    dims[0].name = "a/b";
    dims[1].name = "";
    store(&spec);
    ck_assert_str_eq(scale_of("/v", 0), "/unnamed_0");
    ck_assert_str_eq(scale_of("/v", 1), "/unnamed_1");
    ck_assert_str_eq(scale_of("/v", 2), "/bounds");
}
END_TEST

/* All axes have scales, or none: netCDF-C reads nothing between. Those that stand for
 * no name are none when they are read, and are made again where all is replaced. */
START_TEST(axes_without_names)
{
    cl_dim dim[3] = {{0}};
    cl_source *source;
    cl_output_spec spec = spec_of("/x");
    dims[0].name = dims[1].name = NULL;
    store(&spec);
    store(&spec);
    ck_assert_str_eq(scale_of("/x", 0), "/unnamed_0");
    ck_assert_str_eq(scale_of("/x", 1), "/unnamed_1");
    ck_assert(!exists("/unnamed_0_2"));
    ck_assert_int_eq(
        cl_source_open_hdf5(&source, "a.h5", "/x", CL_READ_DECODED, NULL, NULL),
        CLAST_OK);
    ck_assert_int_eq(cl_source_dims(source, dim, NULL), CLAST_OK);
    ck_assert_ptr_null(dim[0].name);
    ck_assert_ptr_null(dim[1].name);
    ck_assert_str_eq(dim[2].name, "bounds");
    cl_dims_free(3, dim);
    cl_source_close(source);
    dims[2].name = NULL;
    spec.path = "/y";
    store(&spec);
    ck_assert_str_eq(scale_of("/y", 0), "");
}
END_TEST

/* A vector that is its own coordinate is the scale, not beside it. */
START_TEST(own_coordinate)
{
    cl_output_spec spec = spec_of("/lat");
    spec.shape = (cl_shape){.ndim = 1, .dim = {ROWS}};
    store(&spec);
    ck_assert(!exists("/lat_2"));
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t scale = H5Dopen2(file, "/lat", H5P_DEFAULT);
    ck_assert_int_gt(H5DSis_scale(scale), 0);
    H5Dclose(scale);
    H5Fclose(file);
}
END_TEST

/* Replacing what is attached leaves no reference to what was deleted. */
START_TEST(replaced)
{
    cl_output_spec spec = spec_of("/x");
    store(&spec);
    store(&spec);
    ck_assert_str_eq(scale_of("/x", 0), "/lat");
    ck_assert(!exists("/lat_2"));
    /* The scale itself: first by a vector of its length, then by a longer one. */
    spec = (cl_output_spec){.file = "a.h5",
                            .path = "/lat",
                            .dtype = CLAST_FLOAT32,
                            .shape = {.ndim = 1, .dim = {ROWS}},
                            .chunk = {ROWS},
                            .overwrite = true,
                            .no_sync = true};
    store(&spec);
    ck_assert_str_eq(scale_of("/x", 0), "/lat");
    spec.shape.dim[0] = spec.chunk[0] = ROWS + 1;
    store(&spec);
    ck_assert_str_eq(scale_of("/x", 0), "");
    ck_assert_str_eq(scale_of("/x", 1), "/lon");
}
END_TEST

/* The scale is not replaced, and whoever refers to it still does. */
static clast_status begin_to_replace(void *arg)
{
    cl_error err = {0};
    cl_outputs *outputs = NULL;
    const clast_status status = cl_outputs_begin(&outputs, 1, arg, NULL, &err);
    cl_outputs_abort(outputs);
    ck_assert_int_eq(files_open_ids(), 0);
    ck_assert_str_eq(scale_of("/x", 0), "/lat");
    return status;
}

START_TEST(out_of_memory)
{
    cl_output_spec spec = spec_of("/x");
    store(&spec);
    spec.path = "/lat";
    spec.dim = NULL;
    fail_every_allocation(begin_to_replace, &spec, 20);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_scales");
    TCase *t = tcase_create("scales");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_test(t, made);
    tcase_add_test(t, shared);
    tcase_add_test(t, names_that_are_taken);
    tcase_add_test(t, axes_without_names);
    tcase_add_test(t, own_coordinate);
    tcase_add_test(t, replaced);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
