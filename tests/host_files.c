/* SPDX-License-Identifier: BSD-3-Clause */
#include "host_files.h"

#include <string.h>

clast_ctx *host_ctx;
double host_wanted[HOST_N];

void host_begin(void)
{
    files_begin();
    for (int i = 0; i < HOST_N; i++)
        host_wanted[i] = i % 97 - 3.5;
    host_ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    ck_assert_str_eq(clast_ctx_error(host_ctx), "");
}

void host_end(void)
{
    clast_close(&host_ctx);
    ck_assert_int_eq(files_open_ids(), 0);
    files_end();
}

hid_t host_use_default(hid_t list)
{
    return list;
}

hid_t host_use_core(hid_t list)
{
    H5Pset_fapl_core(list, 1 << 16, false);
    return list;
}

hid_t host_use_strong(hid_t list)
{
    H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
    return list;
}

static hid_t creation_list(int layout)
{
    static const hsize_t chunk[2] = {HOST_CHUNK, HOST_CHUNK};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (layout == CHUNKED || layout == FILTERED)
        H5Pset_chunk(list, 2, chunk);
    if (layout == FILTERED)
        H5Pset_shuffle(list), H5Pset_deflate(list, 4);
    if (layout == COMPACT)
        H5Pset_layout(list, H5D_COMPACT);
    return list;
}

hid_t host_make_dataset(hid_t file, int layout, bool is_anonymous)
{
    static const hsize_t dim[2] = {HOST_ROWS, HOST_COLUMNS},
                         most[2] = {H5S_UNLIMITED, HOST_COLUMNS};
    const bool is_chunked = layout == CHUNKED || layout == FILTERED;
    const hid_t list = creation_list(layout),
                space = H5Screate_simple(2, dim, is_chunked ? most : NULL);
    const hid_t dataset =
        is_anonymous ? H5Dcreate_anon(file, H5T_IEEE_F64BE, space, list, H5P_DEFAULT)
                     : H5Dcreate2(file, "/x", H5T_IEEE_F64BE, space, H5P_DEFAULT, list,
                                  H5P_DEFAULT);
    ck_assert(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                       host_wanted) >= 0);
    H5Sclose(space);
    H5Pclose(list);
    return dataset;
}

hid_t host_make_file(const char *name, host_driver_fn *driver)
{
    const hid_t list = driver(H5Pcreate(H5P_FILE_ACCESS));
    const hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, list);
    ck_assert_int_ge(file, 0);
    H5Pclose(list);
    return file;
}

hid_t host_open_file(const char *name, unsigned flags, host_driver_fn *driver)
{
    const hid_t list = driver(H5Pcreate(H5P_FILE_ACCESS));
    const hid_t file = H5Fopen(name, flags, list);
    ck_assert_int_ge(file, 0);
    H5Pclose(list);
    return file;
}

clast_status host_fetch(clast_array *a, double *values)
{
    const int64_t shape[2] = {HOST_ROWS, HOST_COLUMNS};
    const clast_buffer into = {values, HOST_N * sizeof *values, CLAST_FLOAT64, 2, shape,
                               NULL};
    return clast_fetch(a, &into);
}

void host_reads(clast_array *a)
{
    static double values[HOST_N];
    memset(values, 0, sizeof values);
    ck_assert_str_eq(clast_error(a), "");
    ck_assert_int_eq(host_fetch(a, values), CLAST_OK);
    files_same(values, host_wanted, sizeof values);
}
