/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading HDF5: every index, filter and oddity against H5Dread, bit for bit. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/hdf5_source.h"
#include "io/hdf5_type.h"

static const double seven = 7;

/* How each of the chunk indices of HDF5 1.10 arises, and contiguous. */
typedef struct {
    const char *name;
    bool is_latest, is_early;
    int unlimited;
    bool is_contiguous;
} index_kind;

static const index_kind kinds[] = {{"B-tree 1", false, false, 0, false},
                                   {"fixed array", true, false, 0, false},
                                   {"extensible array", true, false, 1, false},
                                   {"B-tree 2", true, false, 2, false},
                                   {"implicit", true, true, 0, false},
                                   {"single chunk", true, false, 0, false},
                                   {"contiguous", false, false, 0, true}};

static const int filter_sets[] = {0,
                                  FILTER_DEFLATE,
                                  FILTER_SHUFFLE,
                                  FILTER_DEFLATE | FILTER_SHUFFLE,
                                  FILTER_DEFLATE | FILTER_SHUFFLE | FILTER_FLETCHER,
                                  FILTER_FLETCHER};
/* The last kind is contiguous: without chunks there are no filters. */
enum {
    KINDS = sizeof kinds / sizeof *kinds,
    CHUNKED_KINDS = KINDS - 1,
    SINGLE = KINDS - 2,
    SETS = 6
};

static const cl_box boxes[] = {
    {2, {0, 0}, {37, 53}}, {2, {0, 0}, {8, 16}},  {2, {8, 16}, {16, 32}},
    {2, {3, 5}, {1, 1}},   {2, {3, 5}, {20, 31}}, {2, {32, 48}, {5, 5}},
    {2, {36, 0}, {1, 53}}, {2, {0, 52}, {37, 1}}, {2, {5, 5}, {0, 7}}};
enum { BOXES = sizeof boxes / sizeof *boxes };

static void compare_boxes(const file_spec *spec, cl_access access)
{
    cl_source *source = files_open(spec->file, spec->path, true);
    const cl_hdf5_source *s = (const cl_hdf5_source *)source;
    const clast_dtype dtype = cl_source_get_info(source)->dtype;
    ck_assert_int_eq(s->access, access);
    for (int b = 0; b < BOXES; b++) {
        void *ours = files_read_box(source, &boxes[b]);
        void *theirs = files_h5dread(spec->file, spec->path, dtype, &boxes[b]);
        files_same(ours, theirs,
                   (size_t)cl_box_count(&boxes[b]) * clast_dtype_size(dtype));
        cl_free(ours);
        cl_free(theirs);
    }
    cl_source_close(source);
    ck_assert_int_eq(files_open_ids(), 0);
}

static file_spec spec_of(int kind, int filters)
{
    const index_kind *k = &kinds[kind];
    file_spec spec = {.file = "a.h5",
                      .path = "/x",
                      .ndim = 2,
                      .shape = {37, 53},
                      .chunk = {8, 16},
                      .unlimited = k->unlimited,
                      .is_latest = k->is_latest,
                      .is_early = k->is_early,
                      .filters = filters};
    if (k->is_contiguous)
        spec.chunk[0] = spec.chunk[1] = 0;
    if (kind == SINGLE) {
        spec.chunk[0] = 37;
        spec.chunk[1] = 53;
    }
    return spec;
}

static cl_access access_of(const file_spec *spec)
{
    return !spec->chunk[0] ? CL_ACCESS_CONTIGUOUS
           : spec->filters ? CL_ACCESS_FILTERED
                           : CL_ACCESS_CHUNKED;
}

START_TEST(index_and_filters)
{
    file_spec spec = spec_of(_i / SETS, filter_sets[_i % SETS]);
    files_make(&spec);
    compare_boxes(&spec, access_of(&spec));
}
END_TEST

/* Some of the chunks were never written; with and without a fill value. */
START_TEST(absent_chunks)
{
    file_spec spec = spec_of(_i / SETS, filter_sets[_i % SETS]);
    spec.written[0] = 12;
    spec.written[1] = 20;
    for (int with_fill = 0; with_fill < 2; with_fill++) {
        spec.fill = with_fill ? &seven : NULL;
        files_make(&spec);
        compare_boxes(&spec, access_of(&spec));
    }
}
END_TEST

static hid_t native(clast_dtype dtype)
{
    return cl_hdf5_type_make(dtype);
}

START_TEST(every_dtype)
{
    const clast_dtype dtype = (clast_dtype)(_i / 3);
    file_spec spec = spec_of(0, FILTER_DEFLATE | FILTER_SHUFFLE);
    if (_i % 3 == 1)
        spec.filters = 0;
    if (_i % 3 == 2)
        spec = spec_of(KINDS - 1, 0);
    spec.type = native(dtype);
    files_make(&spec);
    H5Tclose(spec.type);
    compare_boxes(&spec, access_of(&spec));
}
END_TEST

static hid_t half_type(bool is_big)
{
    const hid_t type = H5Tcopy(is_big ? H5T_IEEE_F32BE : H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

static hid_t brain_type(void)
{
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 7, 8, 0, 7);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 127);
    return type;
}

static hid_t big_complex(void)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(type, "r", 0, H5T_IEEE_F64BE);
    H5Tinsert(type, "i", 8, H5T_IEEE_F64BE);
    return type;
}

static hid_t narrow_integer(void)
{
    const hid_t type = H5Tcopy(H5T_STD_I32LE);
    H5Tset_precision(type, 20);
    return type;
}

/* Datatypes that are not this machine's, on each way of reading. */
START_TEST(odd_types)
{
    const struct {
        hid_t type;
        clast_dtype dtype;
        bool is_library;
    } odd[] = {{H5Tcopy(H5T_STD_I16BE), CLAST_INT16, false},
               {H5Tcopy(H5T_STD_U64BE), CLAST_UINT64, false},
               {H5Tcopy(H5T_IEEE_F32BE), CLAST_FLOAT32, false},
               {H5Tcopy(H5T_IEEE_F64BE), CLAST_FLOAT64, false},
               {half_type(false), CLAST_FLOAT32, false},
               {half_type(true), CLAST_FLOAT32, false},
               {big_complex(), CLAST_COMPLEX128, false},
               {brain_type(), CLAST_FLOAT32, true},
               {narrow_integer(), CLAST_INT32, true}};
    const int n = sizeof odd / sizeof *odd;
    for (int i = 0; i < n; i++) {
        file_spec spec = _i == 0   ? spec_of(0, FILTER_DEFLATE | FILTER_SHUFFLE)
                         : _i == 1 ? spec_of(0, 0)
                                   : spec_of(KINDS - 1, 0);
        spec.type = odd[i].type;
        files_make(&spec);
        cl_source *source = files_open("a.h5", "/x", true);
        ck_assert_int_eq(cl_source_get_info(source)->dtype, odd[i].dtype);
        cl_source_close(source);
        compare_boxes(&spec, odd[i].is_library ? CL_ACCESS_LIBRARY : access_of(&spec));
    }
    for (int i = 0; i < n; i++)
        H5Tclose(odd[i].type);
}
END_TEST

/* libhdf5 itself forgets the sign when such integers are read in the other byte order,
 * so the values are compared. */
#if !H5_VERSION_GE(1, 14, 0)
START_TEST(narrow_integers)
{
    enum { N = 16 };
    const hid_t orders[] = {H5T_STD_I16LE, H5T_STD_I16BE, H5T_STD_I64BE};
    const clast_dtype dtypes[] = {CLAST_INT16, CLAST_INT16, CLAST_INT64};
    const hsize_t shape = N;
    int64_t written[N];
    for (int i = 0; i < N; i++)
        written[i] = 3 * i - 20;
    const hid_t type = H5Tcopy(orders[_i]);
    H5Tset_precision(type, 7);
    const hid_t file = H5Fcreate("a.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, &shape, NULL);
    const hid_t dataset =
        H5Dcreate2(file, "x", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(
        H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, written), 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(file);
    H5Tclose(type);
    cl_source *source = files_open("a.h5", "/x", true);
    ck_assert_int_eq(cl_source_get_info(source)->dtype, dtypes[_i]);
    void *read = files_read(source);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(dtypes[_i] == CLAST_INT64 ? ((int64_t *)read)[i]
                                                   : ((int16_t *)read)[i],
                         written[i]);
    cl_free(read);
    cl_source_close(source);
}
END_TEST
#endif

START_TEST(raw_edges)
{
    for (int k = 0; k < KINDS - 1; k++) {
        file_spec spec = spec_of(k, FILTER_DEFLATE | FILTER_SHUFFLE);
        spec.has_raw_edges = true;
        spec.is_latest = true;
        files_make(&spec);
        compare_boxes(&spec, CL_ACCESS_FILTERED);
    }
}
END_TEST

/* Deflate gives up on noise, which sets a bit of the chunk's filter mask. */
START_TEST(noise_and_masks)
{
    file_spec spec = spec_of(0, FILTER_DEFLATE);
    spec.is_noise = true;
    files_make(&spec);
    compare_boxes(&spec, CL_ACCESS_FILTERED);

    spec.filters = FILTER_DEFLATE | FILTER_SHUFFLE;
    files_make(&spec);
    double chunk[8 * 16];
    for (int i = 0; i < 8 * 16; i++)
        chunk[i] = i * 0.5;
    const hsize_t offset[] = {8, 16};
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
    ck_assert(H5Dwrite_chunk(dataset, H5P_DEFAULT, 3, offset, sizeof chunk, chunk) >=
              0);
    H5Dclose(dataset);
    H5Fclose(file);
    compare_boxes(&spec, CL_ACCESS_FILTERED);
}
END_TEST

START_TEST(user_block)
{
    for (int k = 0; k < KINDS; k++)
        for (int f = 0; f < 2; f++) {
            file_spec spec = spec_of(k, f && k < KINDS - 1 ? FILTER_DEFLATE : 0);
            spec.user_block = k % 2 ? 512 : 1024;
            files_make(&spec);
            compare_boxes(&spec, access_of(&spec));
        }
}
END_TEST

/* Neither a scalar nor an empty array needs anything but its metadata. */
START_TEST(scalar_and_empty)
{
    files_make(&(file_spec){.file = "a.h5", .path = "/s"});
    files_make(&(file_spec){
        .file = "a.h5", .path = "/e", .ndim = 2, .shape = {0, 5}, .is_added = true});
    files_make(&(file_spec){.file = "a.h5",
                            .path = "/n",
                            .ndim = 1,
                            .shape = {0},
                            .chunk = {4},
                            .unlimited = 1,
                            .filters = FILTER_DEFLATE,
                            .is_added = true});
    cl_source *source = files_open("a.h5", "/s", false);
    double *value = files_read(source);
    ck_assert_double_eq(*value, 0);
    ck_assert_int_eq(cl_source_get_info(source)->shape.ndim, 0);
    cl_free(value);
    cl_source_close(source);
    const char *const empty[] = {"/e", "/n"};
    for (int i = 0; i < 2; i++) {
        source = files_open("a.h5", empty[i], false);
        cl_free(files_read(source));
        ck_assert_int_eq(cl_source_get_info(source)->shape.dim[0], 0);
        cl_source_close(source);
    }
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

START_TEST(never_written)
{
    file_spec spec = spec_of(KINDS - 1, 0);
    const hid_t file = H5Fcreate("a.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(2, spec.shape, NULL);
    H5Pset_fill_value(list, H5T_NATIVE_DOUBLE, &seven);
    H5Dclose(H5Dcreate2(file, "/x", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, list,
                        H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(list);
    H5Fclose(file);
    compare_boxes(&spec, CL_ACCESS_NONE);
}
END_TEST

/* Compact, virtual and external data, and filters that are not ours. */
START_TEST(library_way)
{
    file_spec spec = spec_of(0, 0);
    files_make(&spec);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(2, spec.shape, NULL);
    hid_t list[4];
    for (int i = 0; i < 4; i++)
        list[i] = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(list[0], H5D_COMPACT);
    H5Pset_virtual(list[1], space, ".", "/x", space);
    H5Pset_external(list[2], "outside", 0, 37 * 53 * 8);
    H5Pset_chunk(list[3], 2, spec.chunk);
    H5Pset_deflate(list[3], 1);
    H5Pset_shuffle(list[3]); /* the other way round */
    double *data = files_h5dread("a.h5", "/x", CLAST_FLOAT64, &boxes[0]);
    const char *const names[] = {"/compact", "/virtual", "/external", "/order"};
    for (int i = 0; i < 4; i++) {
        const hid_t id = H5Dcreate2(file, names[i], H5T_NATIVE_DOUBLE, space,
                                    H5P_DEFAULT, list[i], H5P_DEFAULT);
        ck_assert(id >= 0);
        if (i != 1)
            ck_assert(
                H5Dwrite(id, H5T_NATIVE_DOUBLE, space, space, H5P_DEFAULT, data) >= 0);
        H5Dclose(id);
        H5Pclose(list[i]);
    }
    cl_free(data);
    H5Sclose(space);
    H5Fclose(file);
    for (int i = 0; i < 4; i++) {
        spec.path = names[i];
        compare_boxes(&spec, CL_ACCESS_LIBRARY);
    }
}
END_TEST

START_TEST(bools)
{
    const hid_t type = native(CLAST_BOOL);
    const signed char values[] = {0, 1, 1, 0, 1, 5};
    const hsize_t n = 6;
    const hid_t file = H5Fcreate("a.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, &n, NULL);
    const hid_t id =
        H5Dcreate2(file, "/b", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(id, type, space, space, H5P_DEFAULT, values);
    H5Dclose(id);
    H5Sclose(space);
    H5Fclose(file);
    H5Tclose(type);
    cl_source *source = files_open("a.h5", "/b", false);
    ck_assert_int_eq(cl_source_get_info(source)->dtype, CLAST_BOOL);
    unsigned char *got = files_read(source);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(got[i], values[i] != 0);
    cl_free(got);
    cl_source_close(source);
}
END_TEST

/* --- CF ----------------------------------------------------------------------------
 */

typedef struct {
    clast_dtype stored;
    int fill_from;     /* 0 none, 1 _FillValue, 2 missing_value */
    int scale, offset; /* 0 none, 4 float32, 8 float64 */
    clast_dtype dtype;
} cf_row;

static const cf_row cf_rows[] = {
    {CLAST_INT16, 0, 0, 0, CLAST_INT16},     {CLAST_INT8, 1, 0, 0, CLAST_FLOAT32},
    {CLAST_INT16, 1, 0, 0, CLAST_FLOAT32},   {CLAST_UINT16, 2, 0, 0, CLAST_FLOAT32},
    {CLAST_INT32, 1, 0, 0, CLAST_FLOAT64},   {CLAST_INT64, 1, 0, 0, CLAST_FLOAT64},
    {CLAST_FLOAT32, 1, 0, 0, CLAST_FLOAT32}, {CLAST_FLOAT64, 2, 0, 0, CLAST_FLOAT64},
    {CLAST_INT16, 1, 4, 4, CLAST_FLOAT32},   {CLAST_INT16, 0, 4, 0, CLAST_FLOAT32},
    {CLAST_INT16, 1, 8, 8, CLAST_FLOAT64},   {CLAST_INT16, 1, 4, 8, CLAST_FLOAT64},
    {CLAST_INT16, 0, 0, 4, CLAST_FLOAT64},   {CLAST_INT32, 1, 4, 4, CLAST_FLOAT64},
    {CLAST_FLOAT32, 1, 4, 4, CLAST_FLOAT32}, {CLAST_FLOAT32, 0, 8, 0, CLAST_FLOAT64},
    {CLAST_FLOAT64, 1, 4, 4, CLAST_FLOAT64}};

static void put_attribute(const char *name, int bytes, double value)
{
    const float single = (float)value;
    if (bytes == 4)
        files_attribute("a.h5", "/x", name, H5T_NATIVE_FLOAT, &single, 1);
    if (bytes == 8)
        files_attribute("a.h5", "/x", name, H5T_NATIVE_DOUBLE, &value, 1);
}

static double cf_expected(const cf_row *row, double v)
{
    if (row->fill_from && v == 13)
        return NAN;
    if (row->dtype == CLAST_FLOAT32) {
        float f = (float)v;
        f = row->scale ? f * 0.1f : f;
        return (double)(row->offset ? f + 2.5f : f);
    }
    v = row->scale ? v * (row->scale == 4 ? (double)0.1f : 0.1) : v;
    return row->offset ? v + 2.5 : v;
}

START_TEST(cf)
{
    const cf_row *row = &cf_rows[_i / 2];
    file_spec spec = spec_of(0, _i % 2 ? FILTER_DEFLATE | FILTER_SHUFFLE : 0);
    const double thirteen = 13;
    spec.type = native(row->stored);
    files_make(&spec);
    H5Tclose(spec.type);
    if (row->fill_from)
        files_attribute("a.h5", "/x",
                        row->fill_from == 1 ? "_FillValue" : "missing_value",
                        H5T_NATIVE_DOUBLE, &thirteen, 1);
    put_attribute("scale_factor", row->scale, 0.1);
    put_attribute("add_offset", row->offset, 2.5);
    cl_source *source = files_open("a.h5", "/x", false);
    ck_assert_str_eq(clast_dtype_name(cl_source_get_info(source)->dtype),
                     clast_dtype_name(row->dtype));
    void *got = files_read(source);
    double *stored = files_h5dread("a.h5", "/x", CLAST_FLOAT64, &boxes[0]);
    for (int i = 0; i < 37 * 53 && row->dtype != CLAST_INT16; i++) {
        const double v = row->dtype == CLAST_FLOAT32 ? (double)((float *)got)[i]
                                                     : ((double *)got)[i];
        const double wanted = cf_expected(row, stored[i]);
        ck_assert_msg(v == wanted || (isnan(v) && isnan(wanted)), "%d: %g, not %g", i,
                      v, wanted);
    }
    cl_free(got);
    cl_free(stored);
    cl_source_close(source);
    source = files_open("a.h5", "/x", true);
    ck_assert_int_eq(cl_source_get_info(source)->dtype, row->stored);
    cl_source_close(source);
}
END_TEST

/* --- living with a host
 * ---------------------------------------------------------------- */

static herr_t host_printer(hid_t stack, void *arg)
{
    ++*(int *)arg;
    return 0;
}

START_TEST(error_printing_is_the_hosts)
{
    int called = 0;
    H5E_auto2_t print;
    void *arg;
    H5Eset_auto2(H5E_DEFAULT, host_printer, &called);
    cl_error err = {0};
    cl_source *source;
    file_spec spec = spec_of(0, FILTER_DEFLATE);
    files_make(&spec);
    cl_source_open_hdf5(&source, "a.h5", "/y", false, NULL, &err);
    ck_assert_int_eq(called, 0);
    H5Eget_auto2(H5E_DEFAULT, &print, &arg);
    ck_assert(print == host_printer && arg == &called);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}
END_TEST

START_TEST(sources_share_a_file_and_leave_nothing)
{
    file_spec spec = spec_of(0, FILTER_DEFLATE);
    files_make(&spec);
    spec.path = "/y";
    spec.is_added = true;
    files_make(&spec);
    cl_source_close(files_open("a.h5", "/x", false)); /* registers the driver */
    const uint64_t live = cl_alloc_live();
    const int64_t ids = files_transient_ids();
    cl_source *a = files_open("a.h5", "/x", false),
              *b = files_open("a.h5", "/y", false);
    ck_assert_int_eq(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_FILE), 1);
    const int fd = ((cl_hdf5_source *)a)->file->fd;
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_uint_ne(cl_source_identity(a), cl_source_identity(b));
    cl_free(files_read(a));
    cl_source_close(a);
    cl_source_close(b);
    ck_assert_int_eq(files_transient_ids(), ids);
    ck_assert_int_eq(files_open_ids(), 0);
    ck_assert_uint_eq(cl_alloc_live(), live);
}
END_TEST

static clast_status open_and_close(void *arg)
{
    cl_error err = {0};
    cl_source *source;
    const clast_status status =
        cl_source_open_hdf5(&source, "a.h5", "/x", CL_READ_DECODED, NULL, &err);
    cl_source_close(source);
    ck_assert_int_eq(files_open_ids(), 0);
    return status;
}

START_TEST(out_of_memory)
{
    file_spec spec = spec_of(0, FILTER_DEFLATE | FILTER_SHUFFLE);
    files_make(&spec);
    fail_every_allocation(open_and_close, NULL, 5);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_read");
    TCase *t = tcase_create("against H5Dread");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_loop_test(t, index_and_filters, 0, CHUNKED_KINDS * SETS + 1);
    tcase_add_loop_test(t, absent_chunks, 0, CHUNKED_KINDS * SETS);
    /* The bytes of a bool need to be 0 or 1: test bools. */
    tcase_add_loop_test(t, every_dtype, (CLAST_BOOL + 1) * 3, CLAST_NDTYPE * 3);
    tcase_add_loop_test(t, odd_types, 0, 3);
#if !H5_VERSION_GE(1, 14, 0) /* later versions refuse to write such types */
    tcase_add_loop_test(t, narrow_integers, 0, 3);
#endif
    tcase_add_test(t, raw_edges);
    tcase_add_test(t, noise_and_masks);
    tcase_add_test(t, user_block);
    tcase_add_test(t, scalar_and_empty);
    tcase_add_test(t, never_written);
    tcase_add_test(t, library_way);
    tcase_add_test(t, bools);
    tcase_add_loop_test(t, cf, 0, 2 * (int)(sizeof cf_rows / sizeof *cf_rows));
    suite_add_tcase(s, t);
    t = tcase_create("host");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_test(t, error_printing_is_the_hosts);
    tcase_add_test(t, sources_share_a_file_and_leave_nothing);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
