/* SPDX-License-Identifier: BSD-3-Clause */
/* What is not read of HDF5 files, because of what it is, where it is, or that it is
 * damaged or another one by now; and what is said of it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_source.h"

static file_spec contiguous(void)
{
    return (file_spec){.file = "a.h5", .path = "/x", .ndim = 2, .shape = {37, 53}};
}

static file_spec chunked(int filters)
{
    file_spec spec = contiguous();
    spec.chunk[0] = 8;
    spec.chunk[1] = 16;
    spec.filters = filters;
    return spec;
}

static void make_simple(const char *path, hid_t type)
{
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    const hsize_t n = 2;
    const hid_t space = H5Screate_simple(1, &n, NULL);
    const hid_t id =
        H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(id >= 0);
    H5Dclose(id);
    H5Sclose(space);
    H5Fclose(file);
}

static void refused(const char *file, const char *path, clast_status wanted,
                    const char *words)
{
    cl_error err = {0};
    cl_source *source;
    const clast_status status =
        cl_source_open_hdf5(&source, file, path, false, NULL, &err);
    ck_assert_msg(status == wanted, "%s: %s, %s", path, clast_status_name(status),
                  err.text);
    ck_assert_ptr_null(source);
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' lacks '%s'", err.text, words);
    ck_assert_int_eq(files_open_ids(), 0);
}

START_TEST(refused_types)
{
    files_make(&(file_spec){.file = "a.h5", .path = "/x", .ndim = 1, .shape = {3}});
    const hid_t fixed = H5Tcopy(H5T_C_S1), text = H5Tcopy(H5T_C_S1);
    const hid_t vlen = H5Tvlen_create(H5T_NATIVE_INT);
    const hid_t compound = H5Tcreate(H5T_COMPOUND, 16);
    const hid_t padded = H5Tcreate(H5T_COMPOUND, 24);
    const hid_t choice = H5Tenum_create(H5T_NATIVE_INT8);
    const hsize_t three = 3;
    const hid_t array = H5Tarray_create2(H5T_NATIVE_INT, 1, &three);
    const hid_t bits = H5Tcopy(H5T_STD_B16LE);
    const signed char one = 1;
    H5Tset_precision(bits, 12);
    H5Tset_size(fixed, 10);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tinsert(compound, "x", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(compound, "y", 8, H5T_NATIVE_DOUBLE);
    H5Tinsert(padded, "r", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(padded, "i", 16, H5T_NATIVE_DOUBLE);
    H5Tenum_insert(choice, "RED", &one);
    const struct {
        const char *path;
        hid_t type;
        const char *words;
    } rows[] = {{"/fixed", fixed, "a string of 10 bytes"},
                {"/text", text, "a variable-length string"},
                {"/vlen", vlen, "a variable-length sequence"},
                {"/compound", compound, "a compound of 2 members"},
                {"/padded", padded, "a compound of 2 members and 24 bytes"},
                {"/choice", choice, "an enum"},
                {"/array", array, "an array type"},
                {"/long", H5T_NATIVE_LDOUBLE, "a float of 16 bytes"},
                {"/bits", bits, "a bitfield"},
                {"/reference", H5T_STD_REF_OBJ, "a reference"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_simple(rows[i].path, rows[i].type);
        refused("a.h5", rows[i].path, CLAST_EDTYPE, rows[i].words);
        refused("a.h5", rows[i].path, CLAST_EDTYPE, rows[i].path);
    }
    const hid_t ids[] = {fixed, text, vlen, compound, padded, choice, array, bits};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        H5Tclose(ids[i]);
}
END_TEST

START_TEST(refused_places)
{
    files_make(&(file_spec){.file = "a.h5", .path = "/x", .ndim = 1, .shape = {3}});
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    const hid_t null = H5Screate(H5S_NULL);
    H5Dclose(H5Dcreate2(file, "/null", H5T_NATIVE_INT, null, H5P_DEFAULT, H5P_DEFAULT,
                        H5P_DEFAULT));
    H5Sclose(null);
    H5Fclose(file);
    FILE *text = fopen("text", "w");
    fputs("this is no HDF5 file", text);
    fclose(text);
    refused("none.h5", "/x", CLAST_ENOENT, "none.h5");
    refused("a.h5", "/y", CLAST_ENOENT, "/x");
    refused("a.h5", "/x/y", CLAST_ENOENT, "does not exist");
    refused("a.h5", "/g", CLAST_ENOENT, "is a group");
    refused("a.h5", "/null", CLAST_ESHAPE, "null dataspace");
    refused("text", "/x", CLAST_EFORMAT, "HDF5");
    refused("/tmp", "/x", CLAST_EFORMAT, "regular file");
    refused("a.h5", "", CLAST_EVALUE, "path");
}
END_TEST

START_TEST(file_open_for_writing)
{
    file_spec spec = chunked(0);
    files_make(&spec);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    cl_error err = {0};
    cl_source *source;
    ck_assert_int_eq(cl_source_open_hdf5(&source, "a.h5", "/x", false, NULL, &err),
                     CLAST_EACCESS);
    ck_assert_ptr_nonnull(strstr(err.text, "open for writing"));
    H5Fclose(file);
}
END_TEST

static clast_status read_status(cl_source *source, cl_error *err)
{
    const cl_box box = cl_box_whole(&cl_source_get_info(source)->shape);
    uint64_t stored;
    const size_t bytes = (size_t)cl_box_count(&box) * 16;
    void *dst = cl_alloc(bytes),
         *staging = cl_alloc(cl_source_staging(source, &box) + 1);
    clast_status status = cl_source_fetch(source, &box, dst, staging, &stored, err);
    if (status == CLAST_OK)
        status = cl_source_decode(source, &box, dst, staging, err);
    cl_free(dst);
    cl_free(staging);
    return status;
}

START_TEST(damaged_chunk)
{
    static const int filters[] = {FILTER_DEFLATE, FILTER_DEFLATE | FILTER_SHUFFLE,
                                  FILTER_DEFLATE | FILTER_SHUFFLE | FILTER_FLETCHER,
                                  FILTER_FLETCHER};
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        file_spec spec = chunked(filters[f]);
        files_make(&spec);
        uint64_t at, bytes;
        uint32_t mask;
        const hsize_t offset[] = {16, 32};
        cl_source *source = files_open("a.h5", "/x", false);
        cl_hdf5_guard guard;
        cl_hdf5_enter(&guard);
        ck_assert_int_eq(cl_hdf5_locate(((cl_hdf5_source *)source)->client->dataset,
                                        offset, &at, &bytes, &mask),
                         CL_CHUNK_STORED);
        cl_hdf5_leave(&guard);
        cl_source_close(source);
        const int fd = open("a.h5", O_RDWR);
        unsigned char byte;
        ck_assert_int_eq(pread(fd, &byte, 1, (off_t)(at + bytes / 2)), 1);
        byte ^= 0x55;
        ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)(at + bytes / 2)), 1);
        close(fd);
        cl_error err = {0};
        source = files_open("a.h5", "/x", false);
        ck_assert_int_eq(read_status(source, &err), CLAST_EFORMAT);
        ck_assert_msg(strstr(err.text, "a.h5:/x: chunk (2, 2)") != NULL, "%s",
                      err.text);
        cl_source_close(source);
    }
}
END_TEST

/* The file says that a chunk has 60,000 bytes, which no filter made of it: no such
 * thing is read into what is reserved for a chunk. */
START_TEST(chunk_of_another_size)
{
    static const unsigned char junk[60000] = {0xff, 0xff, 0xff, 0xff};
    const file_spec spec = chunked(FILTER_DEFLATE);
    const hsize_t second[2] = {8, 16};
    files_make(&spec);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
    ck_assert_int_ge(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, second, sizeof junk, junk),
                     0);
    H5Dclose(dataset);
    H5Fclose(file);
    cl_source *source = files_open("a.h5", "/x", false);
    cl_error err = {0};
    ck_assert_int_eq(read_status(source, &err), CLAST_EFORMAT);
    ck_assert_msg(strstr(err.text, "chunk (1, 1): it is stored in more bytes than any "
                                   "filter makes of it"),
                  "%s", err.text);
    cl_source_close(source);
}
END_TEST

START_TEST(changed_file)
{
    for (int f = 0; f < 2; f++) {
        file_spec spec = f ? chunked(FILTER_DEFLATE) : contiguous();
        files_make(&spec);
        cl_source *source = files_open("a.h5", "/x", false);
        cl_error err = {0};
        ck_assert_int_eq(truncate("a.h5", 3000), 0);
        ck_assert_int_eq(read_status(source, &err), CLAST_EIO);
        ck_assert_ptr_nonnull(strstr(err.text, "changed"));
        cl_source_close(source);
    }
}
END_TEST

/* A file that was cut off before it was opened. */
START_TEST(cut_off)
{
    file_spec spec = contiguous();
    files_make(&spec);
    ck_assert_int_eq(truncate("a.h5", 3000), 0);
    cl_error err = {0};
    cl_source *source;
    clast_status status = cl_source_open_hdf5(&source, "a.h5", "/x", false, NULL, &err);
    if (status == CLAST_OK)
        status = read_status(source, &err);
    ck_assert_int_eq(status, CLAST_EFORMAT);
    cl_source_close(source);
}
END_TEST

START_TEST(replaced_file_is_read_as_it_was)
{
    file_spec spec = chunked(FILTER_DEFLATE);
    files_make(&spec);
    cl_source *source = files_open("a.h5", "/x", false);
    double *before = files_read(source);
    const uint64_t identity = cl_source_identity(source);
    spec.file = "b.h5";
    spec.is_noise = true;
    files_make(&spec);
    ck_assert_int_eq(rename("b.h5", "a.h5"), 0);
    double *after = files_read(source);
    files_same(before, after, 37 * 53 * sizeof *before);
    cl_source *second = files_open("a.h5", "/x", false);
    ck_assert_uint_ne(cl_source_identity(second), identity);
    double *now = files_read(second);
    ck_assert_int_ne(memcmp(now, before, 37 * 53 * sizeof *before), 0);
    cl_source_close(source);
    cl_source_close(second);
    cl_free(before);
    cl_free(after);
    cl_free(now);
}
END_TEST

static hid_t follow_nothing(const char *name, hid_t group, const void *value,
                            size_t bytes, hid_t link_list, hid_t access_list)
{
    return H5I_INVALID_HID;
}

/* Where a link was to lead. */
START_TEST(damaged_object)
{
    H5O_info_t info;
    const file_spec spec = chunked(0);
    files_make(&spec);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert(H5Oget_info_by_name2(file, "/x", &info, H5O_INFO_BASIC, H5P_DEFAULT) >=
              0);
    H5Fclose(file);
    const int fd = open("a.h5", O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "damaged!", 8, (off_t)info.addr), 8);
    close(fd);
    refused("a.h5", "/x", CLAST_ENOENT,
            "a.h5:/x: no object can be read where the link /x leads to");
}
END_TEST

START_TEST(links)
{
    file_spec spec = chunked(FILTER_DEFLATE);
    files_make(&spec);
    const hid_t file = H5Fcreate("b.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("a.h5", "/x", file, "/far", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/far", file, "/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", file, "/dangling", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/lost", file, "/chain", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/circle", file, "/circle", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("none.h5", "/y", file, "/lost", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("a.h5", "/none/x", file, "/empty", H5P_DEFAULT, H5P_DEFAULT);
    const H5L_class_t own = {.version = H5L_LINK_CLASS_T_VERS,
                             .id = (H5L_type_t)100,
                             .trav_func = follow_nothing};
    ck_assert(H5Lregister(&own) >= 0);
    H5Lcreate_ud(file, "/own", own.id, "?", 1, H5P_DEFAULT, H5P_DEFAULT);
    H5Lunregister(own.id);
    const hid_t type = H5Tcopy(H5T_NATIVE_INT);
    H5Tcommit2(file, "/type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
    H5Fclose(file);
    cl_source *direct = files_open("a.h5", "/x", false);
    double *wanted = files_read(direct);
    const char *const names[] = {"/far", "/soft"};
    for (int i = 0; i < 2; i++) {
        cl_source *source = files_open("b.h5", names[i], false);
        double *got = files_read(source);
        files_same(got, wanted, 37 * 53 * sizeof *got);
        ck_assert_uint_eq(cl_source_identity(source), cl_source_identity(direct));
        ck_assert(!cl_source_get_info(source)->is_slow);
        cl_free(got);
        cl_source_close(source);
    }
    cl_free(wanted);
    cl_source_close(direct);
    static const struct {
        const char *path, *said;
    } dangling[] = {
        {"/dangling", "the link /dangling leads to /nowhere, which is not there"},
        {"/dangling/deep", "the link /dangling leads to /nowhere, which"},
        {"/lost", "the link /lost leads to none.h5:/y, which is not there"},
        {"/empty", "the link /empty leads to a.h5:/none/x, which is not there"},
        {"/chain", "the link /chain leads to /lost, which is not there"},
        {"/circle", "the link /circle leads to /circle, which is not there"},
        {"/own/x", "the link /own is of class 100, which its writer defined"},
    };
    for (size_t i = 0; i < sizeof dangling / sizeof *dangling; i++)
        refused("b.h5", dangling[i].path, CLAST_ENOENT, dangling[i].said);
    refused("b.h5", "/type", CLAST_EFORMAT, "/type cannot be opened (libhdf5: ");
}
END_TEST

/* Of the formats that people take for HDF5 the message says what makes HDF5 of them. */
START_TEST(other_formats)
{
    static const struct {
        const char *bytes, *said;
    } row[] = {
        {"CDF\1", "a.h5 is a netCDF-3 file (nccopy -k nc4"},
        {"CDF\2", "a.h5 is a netCDF-3 file"},
        {"CDF\5", "a.h5 is a netCDF-3 file"},
        {"\016\003\023\001", "a.h5 is an HDF4 file (h4toh5"},
        {"GRIB", "a.h5 is a GRIB file (cdo -f nc4 copy"},
        {"CDF\3", "a.h5 cannot be opened as an HDF5 file (libhdf5: "},
        {"CDF", "a.h5 cannot be opened as an HDF5 file (libhdf5: "},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (size_t bytes = 8; bytes <= 4096; bytes *= 512) {
            char content[4096] = {0};
            memcpy(content, row[i].bytes, strlen(row[i].bytes));
            FILE *const file = fopen("a.h5", "wb");
            ck_assert_ptr_nonnull(file);
            ck_assert_uint_eq(fwrite(content, 1, bytes, file), bytes);
            ck_assert_int_eq(fclose(file), 0);
            refused("a.h5", "/x", CLAST_EFORMAT, row[i].said);
        }
}
END_TEST

/* What a process found out of its one file it does not say of another one. */
START_TEST(other_format_of_the_one_file)
{
    files_make(&(file_spec){.file = "b.h5", .path = "/x", .ndim = 1, .shape = {3}});
    FILE *const file = fopen("a.h5", "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fprintf(file, "GRIB%100d", 0), 104);
    ck_assert_int_eq(fclose(file), 0);
    cl_hdf5_capture_alone(NULL);
    refused("a.h5", "/x", CLAST_EFORMAT, "a.h5 is a GRIB file");
    refused("b.h5", "/x", CLAST_EFORMAT, "b.h5 cannot be opened as an HDF5 file");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_refused");
    TCase *t = tcase_create("refused");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_test(t, refused_types);
    tcase_add_test(t, refused_places);
    tcase_add_test(t, file_open_for_writing);
    tcase_add_test(t, damaged_chunk);
    tcase_add_test(t, chunk_of_another_size);
    tcase_add_test(t, changed_file);
    tcase_add_test(t, cut_off);
    tcase_add_test(t, replaced_file_is_read_as_it_was);
    tcase_add_test(t, damaged_object);
    tcase_add_test(t, links);
    tcase_add_test(t, other_formats);
    tcase_add_test(t, other_format_of_the_one_file);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
