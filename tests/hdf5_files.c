/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datasets made with libhdf5 only, so that what Clast reads is compared with another
 * program's writing, and its own H5Dread.
 */
#include "hdf5_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "io/hdf5_type.h"
#include "temp_folder.h"

void files_begin(void)
{
    temp_folder_begin();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void files_end(void)
{
    temp_folder_end();
}

int files_count(void)
{
    return temp_folder_count();
}

static hid_t open_file(const file_spec *s)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS),
                create = H5Pcreate(H5P_FILE_CREATE);
    if (s->is_latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    if (s->user_block)
        H5Pset_userblock(create, s->user_block);
    const hid_t file = s->is_added ? H5Fopen(s->file, H5F_ACC_RDWR, access)
                                   : H5Fcreate(s->file, H5F_ACC_TRUNC, create, access);
    H5Pclose(access);
    H5Pclose(create);
    ck_assert(file >= 0);
    return file;
}

static hid_t properties(const file_spec *s, hid_t type)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (s->chunk[0])
        ck_assert(H5Pset_chunk(list, s->ndim, s->chunk) >= 0);
    if (s->filters & FILTER_SHUFFLE)
        H5Pset_shuffle(list);
    if (s->filters & FILTER_DEFLATE)
        H5Pset_deflate(list, 4);
    if (s->filters & FILTER_FLETCHER)
        H5Pset_fletcher32(list);
    if (s->has_raw_edges)
        H5Pset_chunk_opts(list, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
    if (s->is_early)
        H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    if (s->fill)
        ck_assert(H5Pset_fill_value(list, type, s->fill) >= 0);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pclose(links);
    return list;
}

static hid_t space_of(const file_spec *s)
{
    hsize_t most[4];
    if (s->ndim == 0)
        return H5Screate(H5S_SCALAR);
    for (int a = 0; a < s->ndim; a++)
        most[a] = a < s->unlimited ? H5S_UNLIMITED : s->shape[a];
    return H5Screate_simple(s->ndim, s->shape, most);
}

static double value_of(const file_spec *s, uint64_t i)
{
    uint64_t h = (i + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
    return s->is_noise ? (double)(h >> 11) * 0x1p-53 * 120 : (double)(i % 97);
}

static void fill_with_bytes(unsigned char *data, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(i * 7 % 120);
}

static void write_values(const file_spec *s, hid_t dataset, hid_t space)
{
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const hid_t type = H5Dget_type(dataset);
    const H5T_class_t class = H5Tget_class(type);
    const hsize_t zero[4] = {0};
    if (count <= 0) {
        H5Tclose(type);
        return;
    }
    if (s->written[0])
        H5Sselect_hyperslab(space, H5S_SELECT_SET, zero, NULL, s->written, NULL);
    const size_t size = H5Tget_size(type) > 8 ? H5Tget_size(type) : 8;
    double *data = cl_alloc((size_t)count * size);
    for (hssize_t i = 0; i < count; i++)
        data[i] = value_of(s, (uint64_t)i);
    hid_t memory = H5T_NATIVE_DOUBLE;
    if (class != H5T_FLOAT && class != H5T_INTEGER) {
        fill_with_bytes((unsigned char *)data, (uint64_t)count * size);
        memory = type;
    }
    ck_assert(H5Dwrite(dataset, memory, space, space, H5P_DEFAULT, data) >= 0);
    cl_free(data);
    H5Tclose(type);
}

cl_compression files_gzip(int level, bool shuffle)
{
    cl_compression c = {.shuffle = shuffle ? CL_SHUFFLE_BYTES : CL_SHUFFLE_NONE};
    if (level > 0) {
        c.codec = 1;
        c.n = 1;
        c.value[0] = (uint32_t)level;
    }
    return c;
}

void files_make(const file_spec *s)
{
    const hid_t type = s->type > 0 ? s->type : H5T_NATIVE_DOUBLE;
    const hid_t file = open_file(s), list = properties(s, type), space = space_of(s);
    const hid_t dataset =
        H5Dcreate2(file, s->path, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    ck_assert(dataset >= 0);
    write_values(s, dataset, space);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(list);
    ck_assert(H5Fclose(file) >= 0);
}

cl_source *files_open(const char *file, const char *path, bool raw)
{
    cl_error err = {0};
    cl_source *source;
    const clast_status status =
        cl_source_open_hdf5(&source, file, path, raw, NULL, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    return source;
}

#define GUARD 64

static void *guarded(uint64_t bytes)
{
    void *p = NULL;
    ck_assert_int_eq(posix_memalign(&p, 64, bytes + GUARD), 0);
    memset(p, 0xa5, bytes + GUARD);
    return p;
}

static void check_guard(const unsigned char *p, uint64_t bytes)
{
    for (int i = 0; i < GUARD; i++)
        ck_assert_int_eq(p[bytes + (uint64_t)i], 0xa5);
}

void *files_read_box(cl_source *source, const cl_box *box)
{
    cl_error err = {0};
    uint64_t stored;
    const uint64_t bytes = (uint64_t)cl_box_count(box) *
                           clast_dtype_size(cl_source_get_info(source)->dtype);
    const uint64_t nstaging = cl_source_staging(source, box);
    unsigned char *dst = guarded(bytes), *staging = guarded(nstaging);
    clast_status status = cl_source_fetch(source, box, dst, staging, &stored, &err);
    if (status == CLAST_OK)
        status = cl_source_decode(source, box, dst, staging, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    check_guard(dst, bytes);
    check_guard(staging, nstaging);
    free(staging);
    void *result = cl_alloc(bytes);
    memcpy(result, dst, bytes);
    free(dst);
    return result;
}

void *files_read(cl_source *source)
{
    const cl_box box = cl_box_whole(&cl_source_get_info(source)->shape);
    return files_read_box(source, &box);
}

void *files_h5dread(const char *file, const char *path, clast_dtype dtype,
                    const cl_box *box)
{
    hsize_t lo[4] = {0}, n[4] = {0};
    const hid_t id = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(id, path, H5P_DEFAULT);
    ck_assert(dataset >= 0);
    const hid_t space = H5Dget_space(dataset), type = cl_hdf5_type_make(dtype);
    for (int a = 0; a < box->ndim; a++) {
        lo[a] = (hsize_t)box->lo[a];
        n[a] = (hsize_t)box->n[a];
    }
    const hid_t memory =
        box->ndim ? H5Screate_simple(box->ndim, n, NULL) : H5Screate(H5S_SCALAR);
    if (box->ndim && cl_box_count(box) > 0)
        H5Sselect_hyperslab(space, H5S_SELECT_SET, lo, NULL, n, NULL);
    void *data = cl_calloc((size_t)cl_box_count(box) + 1, clast_dtype_size(dtype));
    if (cl_box_count(box) > 0)
        ck_assert(H5Dread(dataset, type, memory, space, H5P_DEFAULT, data) >= 0);
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(id);
    return data;
}

void files_same(const void *a, const void *b, size_t bytes)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < bytes; i++)
        ck_assert_msg(x[i] == y[i], "byte %zu of %zu differs: %02x, %02x", i, bytes,
                      x[i], y[i]);
}

void files_attribute(const char *file, const char *path, const char *name, hid_t type,
                     const void *value, hsize_t n)
{
    const hid_t id = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t object = H5Oopen(id, path, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, &n, NULL);
    const hid_t attribute =
        H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Oclose(object);
    H5Fclose(id);
}

ssize_t files_open_ids(void)
{
    const unsigned kinds =
        H5F_OBJ_FILE | H5F_OBJ_DATASET | H5F_OBJ_GROUP | H5F_OBJ_ATTR;
    return H5Fget_obj_count(H5F_OBJ_ALL, kinds);
}

int64_t files_transient_ids(void)
{
    const H5I_type_t kinds[] = {H5I_DATATYPE, H5I_DATASPACE, H5I_GENPROP_LST,
                                H5I_ERROR_STACK};
    int64_t n = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        hsize_t members = 0;
        H5Inmembers(kinds[i], &members);
        n += (int64_t)members;
    }
    return n;
}

/* A dataset or, with a name, an attribute of it. */
static void add_value(hid_t parent, const char *name, hid_t type, hsize_t n,
                      const void *value, bool is_attribute)
{
    const hid_t space = H5Screate_simple(1, &n, NULL);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(list, 0);
    const hid_t id =
        is_attribute
            ? H5Acreate2(parent, name, type, space, H5P_DEFAULT, H5P_DEFAULT)
            : H5Dcreate2(parent, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    ck_assert_int_ge(id, 0);
    ck_assert_int_ge(is_attribute
                         ? H5Awrite(id, type, value)
                         : H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value),
                     0);
    ck_assert_int_ge(is_attribute ? H5Aclose(id) : H5Dclose(id), 0);
    H5Pclose(list);
    H5Sclose(space);
}

void files_odd_types(const char *file)
{
    static const char *const texts[3] = {"one", "", "a longer text than the others"};
    static const int16_t numbers[2] = {-7, 9};
    hobj_ref_t reference[2];
    const hid_t f = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t list = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(list, 0);
    const hid_t group = H5Gcreate2(f, "/odd", H5P_DEFAULT, list, H5P_DEFAULT);
    const hid_t text = H5Tcopy(H5T_C_S1);
    ck_assert_int_ge(H5Tset_size(text, H5T_VARIABLE), 0);
    const hid_t committed = H5Tcopy(H5T_NATIVE_SHORT);
    ck_assert_int_ge(
        H5Tcommit2(group, "type", committed, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Rcreate(&reference[0], f, "/x", H5R_OBJECT, -1), 0);
    ck_assert_int_ge(H5Rcreate(&reference[1], f, "/odd", H5R_OBJECT, -1), 0);
    add_value(group, "texts", text, 3, texts, false);
    add_value(group, "references", H5T_STD_REF_OBJ, 2, reference, false);
    add_value(group, "typed", committed, 2, numbers, false);
    add_value(group, "of", H5T_STD_REF_OBJ, 1, reference, true);
    add_value(group, "units", text, 1, texts, true);
    H5Lcreate_soft("/x", group, "link", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/x", group, "far", H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(committed);
    H5Tclose(text);
    H5Gclose(group);
    H5Pclose(list);
    ck_assert_int_ge(H5Fclose(f), 0);
}

char *files_slurp(const char *name, size_t *bytes)
{
    struct stat st;
    FILE *f = fopen(name, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    *bytes = (size_t)st.st_size;
    char *text = cl_alloc(*bytes + 1);
    ck_assert_uint_eq(fread(text, 1, *bytes, f), *bytes);
    fclose(f);
    return text;
}
