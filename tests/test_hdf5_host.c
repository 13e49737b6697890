/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts that use HDF5 themselves: their own open datasets in files of every driver,
 * read while they are open for writing and nothing was flushed, held beyond the host's
 * own close.
 */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "host_files.h"

/* ---- files of the host */

static hid_t use_family(hid_t list)
{
    H5Pset_fapl_family(list, 1 << 20, H5P_DEFAULT);
    return list;
}

static hid_t use_split(hid_t list)
{
    H5Pset_fapl_split(list, "-m", H5P_DEFAULT, "-r", H5P_DEFAULT);
    return list;
}

static hid_t use_stdio(hid_t list)
{
    H5Pset_fapl_stdio(list);
    return list;
}

static hid_t use_log(hid_t list)
{
    H5Pset_fapl_log(list, NULL, 0, 0);
    return list;
}

static hid_t use_latest(hid_t list)
{
    H5Pset_libver_bounds(list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    return list;
}

static const struct {
    const char *file;
    host_driver_fn *driver;
    bool is_on_disk; /* can be opened again for reading */
} drivers[] = {{"sec2.h5", host_use_default, true}, {"core.h5", host_use_core, false},
               {"part%d.h5", use_family, true},     {"split", use_split, true},
               {"stdio.h5", use_stdio, true},       {"log.h5", use_log, true},
               {"late.h5", use_latest, true}};
enum { DRIVERS = sizeof drivers / sizeof *drivers };

/* Twice the transposed transpose of it: the planner cuts and reads it otherwise. */
static void computes(clast_array *a)
{
    static double values[HOST_N];
    clast_array *twice = clast_add(a, clast_transpose(clast_transpose(a)));
    ck_assert_int_eq(host_fetch(clast_div(twice, clast_double(host_ctx, 2)), values),
                     CLAST_OK);
    files_same(values, host_wanted, sizeof values);
}

static void try_unflushed(int driver, int layout, bool is_anonymous)
{
    const hid_t file = host_make_file(drivers[driver].file, drivers[driver].driver);
    const hid_t dataset = host_make_dataset(file, layout, is_anonymous);
    ck_assert_int_eq(H5Iget_ref(dataset), 1);
    clast_array *a = clast_from_hdf5_id(host_ctx, dataset);
    host_reads(a);
    ck_assert_int_eq(H5Iget_ref(dataset), 2);
    H5Dclose(dataset);
    H5Fclose(file);
    computes(a);
    ck_assert_int_eq(files_open_ids(), 1);
}

/* Open for writing, nothing flushed; the host closes all it has before the last run. */
START_TEST(unflushed)
{
    for (int i = 0; i < 2 * LAYOUTS; i++) {
        clast_scope_begin(host_ctx);
        try_unflushed(_i, i / 2, i % 2);
        clast_scope_end(host_ctx);
        ck_assert_int_eq(files_open_ids(), 0);
    }
}
END_TEST

static void try_read_only(const char *name, host_driver_fn *driver, int layout)
{
    hid_t file = host_make_file(name, driver);
    H5Dclose(host_make_dataset(file, layout, false));
    H5Fclose(file);
    file = host_open_file(name, H5F_ACC_RDONLY, driver);
    const hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
    clast_array *a = clast_from_hdf5_id(host_ctx, dataset);
    const bool is_plain = driver == host_use_default || driver == use_latest;
    ck_assert_int_eq(H5Iget_ref(dataset), is_plain ? 1 : 2);
    H5Dclose(dataset);
    H5Fclose(file);
    host_reads(a);
    computes(a);
    if (is_plain)
        host_reads(clast_sub(clast_add(a, clast_from_hdf5(host_ctx, name, "/x")), a));
}

/* Open for reading only, through each driver: with the default one opened once more. */
START_TEST(read_only)
{
    for (int layout = 0; layout < LAYOUTS && drivers[_i].is_on_disk; layout++) {
        clast_scope_begin(host_ctx);
        try_read_only(drivers[_i].file, drivers[_i].driver, layout);
        clast_scope_end(host_ctx);
        ck_assert_int_eq(files_open_ids(), 0);
    }
}
END_TEST

/* A file that lost its name, or whose name is another file's now, is read through the
 * host's id. */
START_TEST(lost_name)
{
    for (int layout = 0; layout < LAYOUTS; layout++) {
        hid_t file = host_make_file("a.h5", host_use_default);
        H5Dclose(host_make_dataset(file, layout, false));
        H5Fclose(file);
        file = host_open_file("a.h5", H5F_ACC_RDONLY, host_use_default);
        const hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
        ck_assert_int_eq(unlink("a.h5"), 0);
        if (layout % 2 == 1)
            H5Fclose(host_make_file("a.h5", host_use_default));
        clast_array *a = clast_from_hdf5_id(host_ctx, dataset);
        ck_assert_int_eq(H5Iget_ref(dataset), 2);
        H5Dclose(dataset);
        H5Fclose(file);
        host_reads(a);
        computes(a);
    }
}
END_TEST

/* Each run reads what the host has written by then. */
START_TEST(read_anew_by_each_run)
{
    for (int layout = 0; layout < LAYOUTS; layout++) {
        const hid_t file = host_make_file("a.h5", host_use_default);
        const hid_t dataset = host_make_dataset(file, layout, false);
        clast_scope_begin(host_ctx);
        clast_array *a = clast_from_hdf5_id(host_ctx, dataset);
        for (int round = 0; round < 3; round++) {
            host_reads(a);
            for (int i = 0; i < HOST_N; i++)
                host_wanted[i] += 1;
            H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                     host_wanted);
        }
        host_reads(a);
        clast_scope_end(host_ctx);
        H5Dclose(dataset);
        H5Fclose(file);
    }
}
END_TEST

START_TEST(another_shape)
{
    static double values[HOST_N];
    const hid_t file = host_make_file("a.h5", host_use_default);
    const hid_t dataset = host_make_dataset(file, _i, false);
    clast_array *a = clast_from_hdf5_id(host_ctx, dataset);
    H5Dset_extent(dataset, (const hsize_t[2]){HOST_ROWS / 2, HOST_COLUMNS});
    ck_assert_int_eq(host_fetch(a, values), CLAST_EIO);
    ck_assert_ptr_nonnull(
        strstr(clast_ctx_error(host_ctx), "a.h5:/x was given another"));
    H5Dset_extent(dataset, (const hsize_t[2]){HOST_ROWS, HOST_COLUMNS});
    ck_assert_int_eq(host_fetch(a, values), CLAST_OK);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* The array keeps the dataset open, but not against a file that closes strongly. */
START_TEST(strong_close)
{
    static double values[HOST_N];
    const hid_t file = host_make_file("a.h5", host_use_strong);
    clast_array *a =
        clast_from_hdf5_id(host_ctx, host_make_dataset(file, CHUNKED, false));
    host_reads(a);
    H5Fclose(file);
    ck_assert_int_eq(host_fetch(a, values), CLAST_EFORMAT);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(host_ctx), "a.h5:/x: reading failed"));
}
END_TEST

START_TEST(held_until_the_last_use)
{
    const hid_t file = host_make_file("a.h5", host_use_default);
    const hid_t dataset = host_make_dataset(file, FILTERED, false);
    clast_scope_begin(host_ctx);
    clast_array *twice = clast_keep(
        clast_mul(clast_from_hdf5_id(host_ctx, dataset), clast_double(host_ctx, 1)));
    clast_scope_end(host_ctx);
    ck_assert_int_eq(H5Iget_ref(dataset), 2);
    host_reads(twice);
    clast_drop(twice);
    ck_assert_int_eq(H5Iget_ref(dataset), 1);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* ---- CF attributes */

START_TEST(cf_and_raw)
{
    const int64_t shape[2] = {HOST_ROWS, HOST_COLUMNS};
    static double values[HOST_N];
    const double scale = 0.5, fill = host_wanted[3];
    const hid_t file = host_make_file("a.h5", host_use_core);
    const hid_t dataset = host_make_dataset(file, FILTERED, false),
                space = H5Screate(H5S_SCALAR);
    const struct {
        const char *name;
        double value;
    } attributes[] = {{"scale_factor", scale}, {"_FillValue", fill}};
    for (int i = 0; i < 2; i++) {
        const hid_t id = H5Acreate2(dataset, attributes[i].name, H5T_NATIVE_DOUBLE,
                                    space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(id, H5T_NATIVE_DOUBLE, &attributes[i].value);
        H5Aclose(id);
    }
    host_reads(
        clast_from_hdf5_id_with(host_ctx, dataset, &(clast_read_options){.raw = true}));
    const clast_buffer into = {values, sizeof values, CLAST_FLOAT64, 2, shape, NULL};
    ck_assert_int_eq(clast_fetch(clast_from_hdf5_id(host_ctx, dataset), &into),
                     CLAST_OK);
    for (int i = 0; i < HOST_N; i++)
        ck_assert(host_wanted[i] == fill ? values[i] != values[i]
                                         : values[i] == host_wanted[i] * scale);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* ---- refusals */

static void refuses(int64_t id, clast_status status, const char *text)
{
    clast_array *a = clast_from_hdf5_id(host_ctx, id);
    ck_assert_int_eq(clast_array_status(a), status);
    ck_assert_msg(strstr(clast_error(a), text), "%s", clast_error(a));
}

START_TEST(refused_ids)
{
    const hid_t file = host_make_file("a.h5", host_use_default);
    const hid_t dataset = host_make_dataset(file, CONTIGUOUS, false);
    refuses(file, CLAST_EVALUE, "not the id of a dataset");
    refuses(-1, CLAST_EVALUE, "no open id");
    refuses(INT64_MAX, CLAST_EVALUE, "no open id");
    H5Dclose(dataset);
    refuses(dataset, CLAST_EVALUE, "no open id of the libhdf5 that Clast uses");
    const hid_t space = H5Screate(H5S_NULL);
    const hid_t null = H5Dcreate2(file, "null", H5T_NATIVE_INT, space, H5P_DEFAULT,
                                  H5P_DEFAULT, H5P_DEFAULT);
    refuses(null, CLAST_ESHAPE, "a.h5:/null has a null dataspace");
    ck_assert_int_eq(H5Iget_ref(null), 1);
    H5Dclose(null);
    H5Sclose(space);
    const clast_read_options options = {.reserved = {1}};
    ck_assert_int_eq(
        clast_array_status(clast_from_hdf5_id_with(host_ctx, file, &options)),
        CLAST_ENOTSUP);
    H5Fclose(file);
}
END_TEST

/* By its name: a file that the host has open for writing is refused, one that it has
 * open for reading is not, and one that is open in Clast can be opened by the host. */
START_TEST(by_name)
{
    const hid_t file =
        host_make_file("a.h5", _i == 0 ? host_use_default : host_use_strong);
    H5Dclose(host_make_dataset(file, FILTERED, false));
    clast_array *a = clast_from_hdf5(host_ctx, "a.h5", "/x");
    ck_assert_int_eq(clast_array_status(a), CLAST_EACCESS);
    ck_assert_ptr_nonnull(strstr(clast_error(a), "clast_from_hdf5_id()"));
    H5Fclose(file);
    const hid_t again = host_open_file("a.h5", H5F_ACC_RDONLY, host_use_default);
    host_reads(clast_from_hdf5(host_ctx, "./a.h5", "/x"));
    H5Fclose(again);
    H5Fclose(host_open_file("a.h5", H5F_ACC_RDONLY, host_use_default));
}
END_TEST

/* ---- copies */

/* Chunks that the array's end cuts are not filtered in the source; compressed otherwise
 * they are, and the copy says so. */
START_TEST(raw_edges_in_a_copy)
{
    const file_spec spec = {.file = "a.h5",
                            .path = "/x",
                            .ndim = 2,
                            .shape = {37, 53},
                            .chunk = {8, 16},
                            .is_latest = true,
                            .has_raw_edges = true,
                            .filters = FILTER_DEFLATE};
    const cl_box whole = {2, {0, 0}, {37, 53}};
    const clast_copy_options options = {.gzip = 2, .overwrite = true};
    files_make(&spec);
    ck_assert_int_eq(clast_hdf5_copy(host_ctx, "a.h5", NULL, "b.h5", &options),
                     CLAST_OK);
    void *before = files_h5dread("a.h5", "/x", CLAST_FLOAT64, &whole);
    void *after = files_h5dread("b.h5", "/x", CLAST_FLOAT64, &whole);
    files_same(after, before, 37 * 53 * sizeof(double));
    cl_free(before);
    cl_free(after);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_host");
    TCase *t = tcase_create("datasets");
    tcase_add_checked_fixture(t, host_begin, host_end);
    tcase_add_loop_test(t, unflushed, 0, DRIVERS);
    tcase_add_loop_test(t, read_only, 0, DRIVERS);
    tcase_add_test(t, lost_name);
    tcase_add_test(t, read_anew_by_each_run);
    tcase_add_loop_test(t, another_shape, CHUNKED, FILTERED + 1);
    tcase_add_test(t, strong_close);
    tcase_add_test(t, held_until_the_last_use);
    tcase_add_test(t, cf_and_raw);
    tcase_add_test(t, refused_ids);
    tcase_add_loop_test(t, by_name, 0, 2);
    tcase_add_test(t, raw_edges_in_a_copy);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
