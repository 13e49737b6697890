/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing HDF5: what libhdf5 reads back, what existing files look like after success,
 * abort and failure, and what is refused before anything is written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/hdf5_attributes.h"
#include "io/sys.h"

typedef struct {
    int ndim;
    int64_t shape[3], chunk[3], unit[3]; /* chunks a unit, per axis */
    int gzip;
    bool shuffle;
} layout_row;

static const layout_row layouts[] = {{2, {37, 53}, {8, 16}, {1, 1}, 0, false},
                                     {2, {37, 53}, {8, 16}, {2, 3}, 0, false},
                                     {2, {37, 53}, {8, 16}, {1, 1}, 4, true},
                                     {2, {37, 53}, {8, 16}, {5, 2}, 1, false},
                                     {2, {37, 53}, {37, 53}, {1, 1}, 0, false},
                                     {2, {37, 53}, {37, 53}, {1, 1}, 6, true},
                                     {2, {37, 53}, {8, 16}, {1, 1}, 0, true},
                                     {3, {5, 6, 7}, {2, 3, 7}, {1, 1, 1}, 0, 0},
                                     {3, {5, 6, 7}, {1, 1, 1}, {5, 1, 3}, 0, 0},
                                     {1, {1}, {1}, {1}, 9, true},
                                     {0, {0}, {0}, {0}, 4, true},
                                     {2, {0, 5}, {1, 5}, {1, 1}, 4, true},
                                     {3, {2, 0, 3}, {1, 1, 1}, {1, 1, 1}, 0, 0},
                                     {1, {3000}, {64}, {7}, 0, false}};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static cl_output_spec spec_of(const layout_row *row, clast_dtype dtype,
                              const char *file, const char *path)
{
    cl_output_spec spec = {.file = file,
                           .path = path,
                           .dtype = dtype,
                           .compression = files_gzip(row->gzip, row->shuffle),
                           .no_sync = true};
    spec.shape = cl_shape_of(row->ndim, row->shape);
    memcpy(spec.chunk, row->chunk, sizeof row->chunk);
    return spec;
}

/* Bytes of the array; 0 and 1 so that they are good bools too. */
static unsigned char *make_data(const cl_output_spec *spec, unsigned seed)
{
    int64_t count;
    ck_assert(cl_shape_count(&spec->shape, &count));
    const size_t bytes = (size_t)count * clast_dtype_size(spec->dtype);
    unsigned char *data = cl_alloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)((i * 2654435761u + seed * 97u) >> 13 & 1);
    return data;
}

/* The elements of a unit, taken from the whole array. */
static void *cut(const cl_output_spec *spec, const unsigned char *data,
                 const cl_box *box)
{
    const size_t item = clast_dtype_size(spec->dtype);
    const int64_t n = cl_box_count(box);
    unsigned char *unit = cl_alloc((size_t)n * item);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0, scale = 1;
        for (int a = box->ndim - 1; a >= 0; a--) {
            at += (box->lo[a] + rest % box->n[a]) * scale;
            rest /= box->n[a];
            scale *= spec->shape.dim[a];
        }
        memcpy(unit + (size_t)i * item, data + (size_t)at * item, item);
    }
    return unit;
}

static clast_status put_all(cl_outputs *outputs, size_t index,
                            const cl_output_spec *spec, const layout_row *row,
                            const unsigned char *data, cl_error *err)
{
    clast_status status = CLAST_OK;
    cl_grid grid = {.ndim = row->ndim};
    for (int a = 0; a < row->ndim; a++)
        grid.axis[a] = cl_axis_regular(
            row->shape[a], row->chunk[a] * (row->unit[a] ? row->unit[a] : 1));
    const int64_t tiles = cl_grid_tiles(&grid);
    for (int64_t i = tiles - 1; i >= 0 && status == CLAST_OK; i--) {
        const cl_box box = cl_grid_box(&grid, i);
        uint64_t stored;
        void *unit = cut(spec, data, &box);
        void *staging = cl_alloc(cl_output_staging(spec) + 1);
        status = cl_output_put(outputs, index, &box, unit, staging, &stored, err);
        cl_free(staging);
        cl_free(unit);
    }
    return status;
}

static void check_data(const cl_output_spec *spec, const unsigned char *data)
{
    const cl_box box = cl_box_whole(&spec->shape);
    void *read = files_h5dread(spec->file, spec->path, spec->dtype, &box);
    files_same(read, data, (size_t)cl_box_count(&box) * clast_dtype_size(spec->dtype));
    cl_free(read);
}

static void store(const cl_output_spec *spec, const layout_row *row, unsigned seed)
{
    cl_error err = {0};
    cl_outputs *outputs;
    const ssize_t ids = files_open_ids();
    unsigned char *data = make_data(spec, seed);
    clast_status status = cl_outputs_begin(&outputs, 1, spec, NULL, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    status = put_all(outputs, 0, spec, row, data, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    status = cl_outputs_commit(outputs, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    check_data(spec, data);
    cl_free(data);
    ck_assert_int_eq(files_open_ids(), ids);
}

START_TEST(every_layout_and_dtype)
{
    const layout_row *row = &layouts[_i / CLAST_NDTYPE];
    const clast_dtype dtype = (clast_dtype)(_i % CLAST_NDTYPE);
    const uint64_t live = cl_alloc_live();
    cl_output_spec spec = spec_of(row, dtype, "a.h5", "/group/sub/x");
    store(&spec, row, 1);
    ck_assert_int_eq(files_count(), 1);
    ck_assert_uint_eq(cl_alloc_live(), live);
    /* Read back by us, too. */
    unsigned char *data = make_data(&spec, 1);
    cl_source *source = files_open("a.h5", "group/sub/x", false);
    const cl_source_info *info = cl_source_get_info(source);
    ck_assert_int_eq(info->dtype, dtype);
    ck_assert(cl_shape_equal(&info->shape, &spec.shape));
    int64_t count;
    cl_shape_count(&spec.shape, &count);
    if (count > 0 && row->ndim > 0) {
        ck_assert_mem_eq(&info->compression, &spec.compression,
                         sizeof spec.compression);
        ck_assert(!info->is_slow);
    }
    void *read = files_read(source);
    files_same(read, data, (size_t)count * clast_dtype_size(dtype));
    cl_free(read);
    cl_free(data);
    cl_source_close(source);
}
END_TEST

START_TEST(same_data_same_bytes)
{
    for (int i = 0; i < LAYOUTS; i++) {
        size_t na, nb;
        cl_output_spec spec = spec_of(&layouts[i], CLAST_FLOAT64, "a.h5", "/g/x");
        store(&spec, &layouts[i], 1);
        spec.file = "b.h5";
        store(&spec, &layouts[i], 1);
        char *a = files_slurp("a.h5", &na), *b = files_slurp("b.h5", &nb);
        ck_assert_uint_eq(na, nb);
        files_same(a, b, na);
        cl_free(a);
        cl_free(b);
        unlink("a.h5");
        unlink("b.h5");
    }
}
END_TEST

START_TEST(adding_and_replacing)
{
    const layout_row *row = &layouts[_i];
    file_spec old = {.file = "a.h5",
                     .path = "/old",
                     .ndim = 2,
                     .shape = {20, 30},
                     .chunk = {7, 8},
                     .filters = FILTER_DEFLATE,
                     .user_block = 512};
    files_make(&old);
    ck_assert_int_eq(chmod("a.h5", 0640), 0);
    const cl_box box = {2, {0, 0}, {20, 30}};
    double *before = files_h5dread("a.h5", "/old", CLAST_FLOAT64, &box);
    cl_output_spec spec = spec_of(row, CLAST_INT32, "a.h5", "/new");
    store(&spec, row, 1);
    cl_error err = {0};
    ck_assert_int_eq(cl_outputs_check(1, &spec, &err), CLAST_EEXIST);
    spec.overwrite = true;
    store(&spec, row, 2);
    spec.dtype = CLAST_COMPLEX64;
    store(&spec, row, 3);
    double *after = files_h5dread("a.h5", "/old", CLAST_FLOAT64, &box);
    files_same(before, after, 20 * 30 * sizeof *after);
    cl_free(before);
    cl_free(after);
    struct stat st;
    ck_assert_int_eq(stat("a.h5", &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(files_count(), 1);
}
END_TEST

/* What a file may hold beside the dataset that is replaced. */
static void rest_nothing(hid_t file) {}

static void rest_soft_link(hid_t file)
{
    H5Lcreate_soft("/nowhere", file, "/g/rest", H5P_DEFAULT, H5P_DEFAULT);
}

static void rest_group(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "/rest", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void rest_second_name(hid_t file)
{
    H5Lcreate_hard(file, "/g/x", file, "/rest", H5P_DEFAULT, H5P_DEFAULT);
}

static void rest_type(hid_t file)
{
    const hid_t type = H5Tcopy(H5T_NATIVE_INT);
    H5Tcommit2(file, "/rest", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
}

static void add_attribute(hid_t file, const char *name)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    H5Aclose(H5Acreate_by_name(file, name, "rest", H5T_NATIVE_INT, space, H5P_DEFAULT,
                               H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

static void rest_on_root(hid_t file)
{
    add_attribute(file, "/");
}

static void rest_on_group(hid_t file)
{
    add_attribute(file, "/g");
}

static const struct {
    void (*add)(hid_t file);
    const char *name; /* of what must stay: a link, or an object's attribute "rest" */
    bool is_attribute;
} rests[] = {
    {rest_nothing, NULL, false},  {rest_soft_link, "/g/rest", false},
    {rest_group, "/rest", false}, {rest_second_name, "/rest", false},
    {rest_type, "/rest", false},  {rest_on_root, "/", true},
    {rest_on_group, "/g", true},
};
enum { RESTS = sizeof rests / sizeof *rests };

/* A file of replaced datasets only begins anew; anything else in it stays. */
START_TEST(the_rest_stays)
{
    const layout_row *row = &layouts[0];
    size_t before, after;
    cl_output_spec spec = spec_of(row, CLAST_FLOAT64, "a.h5", "/g/x");
    store(&spec, row, 1);
    hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    rests[_i].add(file);
    H5Fclose(file);
    char *old = files_slurp("a.h5", &before);
    spec.overwrite = true;
    store(&spec, row, 1);
    char *new = files_slurp("a.h5", &after);
    const bool is_same = before == after && memcmp(old, new, before) == 0;
    ck_assert_int_eq(is_same, rests[_i].name == NULL);
    cl_free(old);
    cl_free(new);
    file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    const char *name = rests[_i].name;
    if (name && rests[_i].is_attribute)
        ck_assert_int_gt(H5Aexists_by_name(file, name, "rest", H5P_DEFAULT), 0);
    else if (name)
        ck_assert_int_gt(H5Lexists(file, name, H5P_DEFAULT), 0);
    H5Fclose(file);
    ck_assert_int_eq(files_count(), 1);
}
END_TEST

START_TEST(several_datasets_and_files)
{
    const int rows[] = {0, 2, 4, 10, 11, 3};
    enum { N = 6 };
    const char *const files[N] = {"a.h5", "a.h5", "b.h5", "a.h5", "b.h5", "b.h5"};
    const char *const paths[N] = {"/x", "/g/y", "/z", "/g/s", "e", "/g/w"};
    cl_output_spec specs[N];
    unsigned char *data[N];
    cl_outputs *outputs;
    cl_error err = {0};
    for (int i = 0; i < N; i++) {
        specs[i] = spec_of(&layouts[rows[i]], CLAST_FLOAT32, files[i], paths[i]);
        specs[i].no_sync = i > 2;
        data[i] = make_data(&specs[i], (unsigned)i);
    }
    ck_assert_msg(cl_outputs_begin(&outputs, N, specs, NULL, &err) == CLAST_OK, "%s",
                  err.text);
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(
            put_all(outputs, i, &specs[i], &layouts[rows[i]], data[i], &err), CLAST_OK);
    ck_assert_msg(cl_outputs_commit(outputs, &err) == CLAST_OK, "%s", err.text);
    for (int i = 0; i < N; i++) {
        check_data(&specs[i], data[i]);
        cl_free(data[i]);
    }
    ck_assert_int_eq(files_count(), 2);
}
END_TEST

/* The input's own file is the target, and the source stays open throughout. */
START_TEST(same_file_in_and_out)
{
    const layout_row *row = &layouts[2];
    cl_output_spec spec = spec_of(row, CLAST_FLOAT64, "a.h5", "/x");
    store(&spec, row, 1);
    cl_source *source = files_open("a.h5", "/x", false);
    void *before = files_read(source);
    spec.overwrite = true;
    store(&spec, row, 2);
    void *after = files_read(source);
    files_same(before, after, 37 * 53 * 8);
    cl_free(before);
    cl_free(after);
    cl_source_close(source);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

/* The folder holds a.h5 with these bytes, which are freed, and nothing is open. */
static void check_only_file(char *before, size_t bytes)
{
    size_t now;
    char *after = files_slurp("a.h5", &now);
    ck_assert_uint_eq(bytes, now);
    files_same(before, after, now);
    cl_free(before);
    cl_free(after);
    ck_assert_int_eq(files_count(), 1);
    ck_assert_int_eq(files_open_ids(), 0);
}

START_TEST(abort_leaves_nothing)
{
    const layout_row *row = &layouts[_i];
    size_t na;
    cl_error err = {0};
    cl_outputs *outputs;
    cl_output_spec spec = spec_of(row, CLAST_FLOAT64, "a.h5", "/x");
    store(&spec, row, 1);
    char *before = files_slurp("a.h5", &na);
    const uint64_t live = cl_alloc_live();
    cl_output_spec two[2] = {spec, spec};
    two[0].path = "/y";
    two[1].file = "new.h5";
    unsigned char *data = make_data(&spec, 2);
    ck_assert_int_eq(cl_outputs_begin(&outputs, 2, two, NULL, &err), CLAST_OK);
    ck_assert_int_eq(put_all(outputs, 0, &two[0], row, data, &err), CLAST_OK);
    cl_outputs_abort(outputs);
    cl_free(data);
    ck_assert_uint_eq(cl_alloc_live(), live);
    check_only_file(before, na);
}
END_TEST

START_TEST(incomplete_is_not_published)
{
    const layout_row *row = &layouts[_i];
    cl_error err = {0};
    cl_outputs *outputs;
    cl_output_spec spec = spec_of(row, CLAST_FLOAT64, "a.h5", "/x");
    ck_assert_int_eq(cl_outputs_begin(&outputs, 1, &spec, NULL, &err), CLAST_OK);
    ck_assert_int_eq(cl_outputs_commit(outputs, &err), CLAST_EINTERNAL);
    ck_assert_int_eq(files_count(), 0);
}
END_TEST

START_TEST(second_writer_is_refused)
{
    cl_error err = {0};
    cl_outputs *first, *second;
    cl_output_spec spec = spec_of(&layouts[0], CLAST_FLOAT64, "a.h5", "/x");
    ck_assert_int_eq(cl_outputs_begin(&first, 1, &spec, NULL, &err), CLAST_OK);
    spec.path = "/y";
    ck_assert_int_eq(cl_outputs_begin(&second, 1, &spec, NULL, &err), CLAST_EACCESS);
    ck_assert_ptr_nonnull(strstr(err.text, "another run"));
    ck_assert_ptr_null(second);
    cl_outputs_abort(first);
    store(&spec, &layouts[0], 1);
}
END_TEST

START_TEST(refused)
{
    const layout_row *row = &layouts[0];
    files_make(&(file_spec){.file = "a.h5", .path = "/x", .ndim = 1, .shape = {3}});
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_external("b.h5", "/", file, "/far", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    FILE *text = fopen("text", "w");
    fputs("no HDF5", text);
    fclose(text);
    const struct {
        const char *file, *path;
        bool overwrite;
        clast_status status;
        const char *words;
    } rows[] = {{"none/a.h5", "/x", false, CLAST_ENOENT, "none/a.h5"},
                {"a.h5", "/x", false, CLAST_EEXIST, "/x exists"},
                {"a.h5", "//x/", false, CLAST_EEXIST, "/x exists"},
                {"a.h5", "/g", true, CLAST_EEXIST, "not a dataset"},
                {"a.h5", "/x/y", true, CLAST_EVALUE, "not a group"},
                {"a.h5", "/", true, CLAST_EVALUE, "name of a dataset"},
                {"a.h5", "/far/x", true, CLAST_ENOTSUP, "another file"},
                {"text", "/x", true, CLAST_EVALUE, "text"},
                {"/tmp", "/x", true, CLAST_EVALUE, "regular file"},
                {"", "/x", true, CLAST_EVALUE, "needs a file"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cl_error err = {0};
        cl_output_spec spec = spec_of(row, CLAST_FLOAT64, rows[i].file, rows[i].path);
        spec.overwrite = rows[i].overwrite;
        const clast_status status = cl_outputs_check(1, &spec, &err);
        ck_assert_msg(status == rows[i].status, "%zu: %s: %s", i,
                      clast_status_name(status), err.text);
        ck_assert_msg(strstr(err.text, rows[i].words) != NULL, "%s", err.text);
    }
    cl_error err = {0};
    cl_output_spec two[2] = {spec_of(row, CLAST_INT8, "new.h5", "/x"),
                             spec_of(row, CLAST_INT8, "./new.h5", "x")};
    ck_assert_int_eq(cl_outputs_check(2, two, &err), CLAST_ENAME);
    err = (cl_error){0};
    two[1].path = "/x/y";
    ck_assert_int_eq(cl_outputs_check(2, two, &err), CLAST_EVALUE);
    ck_assert_int_eq(files_open_ids(), 0);
    ck_assert_int_eq(files_count(), 2);
}
END_TEST

/* --- faults
 * --------------------------------------------------------------------------- */

static int calls_left;

static bool is_due(int error)
{
    errno = error;
    return calls_left-- == 0;
}

static ssize_t bad_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    return is_due(EIO) ? -1 : pwritev(fd, iov, n, at);
}

static int bad_fallocate(int fd, int mode, off_t at, off_t bytes)
{
    return is_due(ENOSPC) ? -1 : fallocate(fd, mode, at, bytes);
}

static int bad_fsync(int fd)
{
    return is_due(EIO) ? -1 : fsync(fd);
}

static int bad_rename(const char *from, const char *to)
{
    return is_due(EIO) ? -1 : rename(from, to);
}

/* Each call that writes or publishes fails: an error, the old file as it was, nothing
 * beside it. */
START_TEST(faults)
{
    const cl_sys_table good = cl_sys;
    const clast_status wanted[] = {CLAST_EIO, CLAST_ENOSPACE, CLAST_EIO, CLAST_EIO};
    const layout_row *row = &layouts[0];
    size_t na;
    cl_error err = {0};
    cl_outputs *outputs = NULL;
    cl_output_spec spec = spec_of(row, CLAST_FLOAT64, "a.h5", "/x");
    store(&spec, row, 1);
    char *before = files_slurp("a.h5", &na);
    const uint64_t live = cl_alloc_live();
    unsigned char *data = make_data(&spec, 2);
    spec.overwrite = true;
    spec.no_sync = false;
    calls_left = _i == 0 ? 3 : 0;
    if (_i == 0)
        cl_sys.pwritev = bad_pwritev;
    else if (_i == 1)
        cl_sys.fallocate = bad_fallocate;
    else if (_i == 2)
        cl_sys.fsync = bad_fsync;
    else
        cl_sys.rename = bad_rename;
    clast_status status = cl_outputs_begin(&outputs, 1, &spec, NULL, &err);
    if (status == CLAST_OK)
        status = put_all(outputs, 0, &spec, row, data, &err);
    if (status == CLAST_OK) {
        status = cl_outputs_commit(outputs, &err);
        outputs = NULL;
    }
    cl_outputs_abort(outputs);
    cl_sys = good;
    cl_free(data);
    ck_assert_msg(status == wanted[_i], "%s: %s", clast_status_name(status), err.text);
    ck_assert_uint_eq(cl_alloc_live(), live);
    check_only_file(before, na);
}
END_TEST

/* A dataset with attributes to carry. */
static cl_source *make_described(void)
{
    const int16_t fill = -1;
    const double numbers[] = {1, 2, 3};
    files_make(&(file_spec){.file = "in.h5",
                            .path = "/y",
                            .type = H5T_NATIVE_SHORT,
                            .ndim = 1,
                            .shape = {6}});
    files_attribute("in.h5", "/y", "_FillValue", H5T_NATIVE_SHORT, &fill, 1);
    files_attribute("in.h5", "/y", "numbers", H5T_NATIVE_DOUBLE, numbers, 3);
    const hid_t file = H5Fopen("in.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "/y", H5P_DEFAULT);
    cl_hdf5_attribute_put_text(dataset, "units", "days since 2000-01-01");
    H5Dclose(dataset);
    H5Fclose(file);
    return files_open("in.h5", "/y", false);
}

static clast_status begin_and_abort(void *arg)
{
    cl_error err = {0};
    cl_outputs *outputs = NULL;
    const ssize_t ids = files_open_ids();
    const clast_status status = cl_outputs_begin(&outputs, 1, arg, NULL, &err);
    cl_outputs_abort(outputs);
    ck_assert_int_eq(files_count(), 1);
    ck_assert_int_eq(files_open_ids(), ids);
    return status;
}

START_TEST(out_of_memory)
{
    cl_output_spec spec = spec_of(&layouts[2], CLAST_FLOAT64, "a.h5", "/g/x");
    cl_source *source = make_described();
    spec.like = source;
    spec.level = CL_CARRY_UNITS;
    fail_every_allocation(begin_and_abort, &spec, 20);
    cl_source_close(source);
}
END_TEST

static void gather_text(void *arg, const char *text, size_t bytes)
{
    char *all = arg;
    strncat(all, text, bytes);
}

START_TEST(info)
{
    char text[4000] = "";
    cl_error err = {0};
    cl_output_spec spec = spec_of(&layouts[2], CLAST_INT16, "a.h5", "/g/x");
    const float scale = 0.5f;
    store(&spec, &layouts[2], 1);
    files_attribute("a.h5", "/g/x", "scale_factor", H5T_NATIVE_FLOAT, &scale, 1);
    ck_assert_int_eq(
        cl_hdf5_report(CL_REPORT_TEXT, "a.h5", NULL, gather_text, text, &err),
        CLAST_OK);
    const char *const words[] = {"/g  group", "/g/x  (37, 53) int16, chunks (8, 16)",
                                 "shuffle, gzip 4", "\"scale_factor\" = 0.5"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        ck_assert_msg(strstr(text, words[i]) != NULL, "'%s' lacks '%s'", text,
                      words[i]);
    text[0] = '\0';
    ck_assert_int_eq(
        cl_hdf5_report(CL_REPORT_TEXT, "a.h5", "/g/x", gather_text, text, &err),
        CLAST_OK);
    ck_assert_ptr_nonnull(strstr(text, "int16"));
    ck_assert_int_eq(
        cl_hdf5_report(CL_REPORT_TEXT, "a.h5", "/y", gather_text, text, &err),
        CLAST_ENOENT);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_write");
    TCase *t = tcase_create("outputs");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_loop_test(t, every_layout_and_dtype, 0, LAYOUTS * CLAST_NDTYPE);
    tcase_add_test(t, same_data_same_bytes);
    tcase_add_loop_test(t, adding_and_replacing, 0, LAYOUTS);
    tcase_add_loop_test(t, the_rest_stays, 0, RESTS);
    tcase_add_test(t, several_datasets_and_files);
    tcase_add_test(t, same_file_in_and_out);
    tcase_add_loop_test(t, abort_leaves_nothing, 0, 7);
    tcase_add_loop_test(t, incomplete_is_not_published, 0, 7);
    tcase_add_test(t, second_writer_is_refused);
    tcase_add_test(t, refused);
    tcase_add_loop_test(t, faults, 0, 4);
    tcase_add_test(t, out_of_memory);
    tcase_add_test(t, info);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
