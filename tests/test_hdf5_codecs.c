/* SPDX-License-Identifier: BSD-3-Clause */
/* Datasets stored by filters that libhdf5 does not have by itself: chunks written as
 * their plugins do, a file that the plugins wrote, and outputs, also in a process that
 * has registered such a filter. */
#include <string.h>

#include "array/compress.h"
#include "base/alloc.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/hdf5_source.h"
#include "packing.h"

enum { ROWS = 37, COLUMNS = 53, HEIGHT = 8, WIDTH = 16, CHUNK = HEIGHT * WIDTH };

static const cl_box boxes[] = {{2, {0, 0}, {37, 53}},
                               {2, {8, 16}, {16, 32}},
                               {2, {3, 5}, {20, 31}},
                               {2, {36, 0}, {1, 53}},
                               {2, {0, 52}, {37, 1}}};
enum { BOXES = sizeof boxes / sizeof *boxes };

typedef struct {
    hid_t type;
    uint32_t item;
    hid_t file, dataset;
    const packing *p;
} writer;

static hid_t create(const writer *w, const char *path, bool is_packed)
{
    const hsize_t shape[] = {ROWS, COLUMNS}, chunk[] = {HEIGHT, WIDTH};
    const hid_t space = H5Screate_simple(2, shape, NULL);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 2, chunk);
    /* Optional: libhdf5 need not have it. */
    if (is_packed)
        ck_assert(H5Pset_filter(list, (H5Z_filter_t)w->p->id, H5Z_FLAG_OPTIONAL,
                                (size_t)w->p->nvalue, w->p->value) >= 0);
    const hid_t id =
        H5Dcreate2(w->file, path, w->type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    ck_assert(id >= 0);
    H5Pclose(list);
    H5Sclose(space);
    return id;
}

/* Chunk k of the dataset as the filter makes it. The third one is left as it was, which
 * its mask says, and the fifth is not written. */
static void put_chunk(const writer *w, int k, const void *data)
{
    unsigned char out[CHUNK * 8 * 2 + 1024];
    const int across = (COLUMNS - 1) / WIDTH + 1;
    const hsize_t offset[] = {(hsize_t)(k / across * HEIGHT),
                              (hsize_t)(k % across * WIDTH)};
    const size_t bytes = CHUNK * w->item;
    const size_t n = k == 2 ? 0 : packing_run(w->p, data, bytes, out);
    const void *stored = n ? (const void *)out : data;
    if (k != 4)
        ck_assert(H5Dwrite_chunk(w->dataset, H5P_DEFAULT, n ? 0 : 1, offset,
                                 n ? n : bytes, stored) >= 0);
}

static void make_values(double *value)
{
    for (int i = 0; i < ROWS * COLUMNS; i++)
        value[i] = i * i % 97 - 3;
}

/* "/packed" by the filter and "/plain" by libhdf5, the same elements. */
static void make_file(const packing *p, hid_t type)
{
    writer w = {.type = type, .item = (uint32_t)H5Tget_size(type), .p = p};
    static double value[ROWS * COLUMNS];
    unsigned char chunk[CHUNK * 8];
    make_values(value);
    w.file = H5Fcreate("a.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t plain = create(&w, "/plain", false);
    H5Dwrite(plain, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, value);
    w.dataset = create(&w, "/packed", true);
    const hsize_t size[] = {HEIGHT, WIDTH}, zero[] = {0, 0};
    const hid_t memory = H5Screate_simple(2, size, NULL);
    const hid_t space = H5Dget_space(plain);
    const int across = (COLUMNS - 1) / WIDTH + 1, down = (ROWS - 1) / HEIGHT + 1;
    for (int k = 0; k < across * down; k++) {
        hsize_t lo[] = {(hsize_t)(k / across * HEIGHT), (hsize_t)(k % across * WIDTH)};
        hsize_t n[] = {ROWS - lo[0] < HEIGHT ? ROWS - lo[0] : HEIGHT,
                       COLUMNS - lo[1] < WIDTH ? COLUMNS - lo[1] : WIDTH};
        memset(chunk, 0xee, sizeof chunk); /* behind the array's end */
        H5Sselect_hyperslab(space, H5S_SELECT_SET, lo, NULL, n, NULL);
        H5Sselect_hyperslab(memory, H5S_SELECT_SET, zero, NULL, n, NULL);
        H5Dread(plain, type, memory, space, H5P_DEFAULT, chunk);
        put_chunk(&w, k, chunk);
        if (k == 4) {
            memset(chunk, 0, sizeof chunk);
            H5Dwrite(plain, type, memory, space, H5P_DEFAULT, chunk);
        }
    }
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(plain);
    H5Dclose(w.dataset);
    H5Fclose(w.file);
}

static void compare(clast_dtype dtype)
{
    cl_source *source = files_open("a.h5", "/packed", true);
    ck_assert_int_eq(((const cl_hdf5_source *)source)->access, CL_ACCESS_FILTERED);
    for (int b = 0; b < BOXES; b++) {
        void *ours = files_read_box(source, &boxes[b]);
        void *theirs = files_h5dread("a.h5", "/plain", dtype, &boxes[b]);
        files_same(ours, theirs,
                   (size_t)cl_box_count(&boxes[b]) * clast_dtype_size(dtype));
        cl_free(ours);
        cl_free(theirs);
    }
    cl_source_close(source);
    ck_assert_int_eq(files_open_ids(), 0);
}

START_TEST(written_as_plugins_do)
{
    const struct {
        hid_t type;
        clast_dtype dtype;
    } types[] = {{H5T_NATIVE_DOUBLE, CLAST_FLOAT64},
                 {H5T_IEEE_F32BE, CLAST_FLOAT32},
                 {H5T_NATIVE_SHORT, CLAST_INT16},
                 {H5T_NATIVE_SCHAR, CLAST_INT8}};
    for (size_t t = 0; t < sizeof types / sizeof *types && packings[_i].is_here; t++) {
        const packing p = packing_for(_i, (uint32_t)H5Tget_size(types[t].type));
        make_file(&p, types[t].type);
        compare(types[t].dtype);
    }
}
END_TEST

/* make_reference_filters.py says what is in it. */
START_TEST(written_by_plugins)
{
    static const struct {
        const char *path;
        bool is_here;
    } rows[] = {{"/lzf", CL_HAVE_LZF},
                {"/lz4", CL_HAVE_LZ4},
                {"/lz4_blocks", CL_HAVE_LZ4},
                {"/blosc", CL_HAVE_BLOSC},
                {"/blosc_zstd_bits", CL_HAVE_BLOSC},
                {"/bitshuffle", true},
                {"/bitshuffle_lz4", CL_HAVE_LZ4},
                {"/bitshuffle_lz4_blocks", CL_HAVE_LZ4}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        if (!rows[r].is_here)
            continue;
        cl_source *source =
            files_open(CL_TEST_FILES "/reference_filters.h5", rows[r].path, false);
        const clast_dtype dtype = cl_source_get_info(source)->dtype;
        ck_assert_int_eq(((const cl_hdf5_source *)source)->access, CL_ACCESS_FILTERED);
        void *data = files_read(source);
        for (int64_t i = 0; i < 23 * 31; i++) {
            const double wanted = (double)(i * i % 251) + (double)i / 8;
            const double got = dtype == CLAST_INT16     ? ((int16_t *)data)[i]
                               : dtype == CLAST_INT32   ? ((int32_t *)data)[i]
                               : dtype == CLAST_FLOAT32 ? (double)((float *)data)[i]
                                                        : ((double *)data)[i];
            const bool is_float = dtype == CLAST_FLOAT32 || dtype == CLAST_FLOAT64;
            ck_assert_msg(got == (is_float ? wanted : (double)(int64_t)wanted),
                          "%s: element %d is %g", rows[r].path, (int)i, got);
        }
        cl_free(data);
        cl_source_close(source);
    }
}
END_TEST

static void refused(const char *words)
{
    cl_error err = {0};
    cl_source *source;
    ck_assert_int_eq(cl_source_open_hdf5(&source, "a.h5", "/packed", true, NULL, &err),
                     CLAST_ENOTSUP);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_int_eq(files_open_ids(), 0);
}

/* Nobody here has the filter; or Clast has it, but not for a type that only libhdf5
 * converts. */
START_TEST(nobody_has_it)
{
    const packing unknown = {"none", 60000, true, 1, {1}, -1};
    make_file(&unknown, H5T_NATIVE_INT);
    refused("filter 60000");
#if CL_HAVE_LZF
    const hid_t type = H5Tcopy(H5T_STD_I32LE);
    H5Tset_precision(type, 20);
    make_file(&packings[0], type);
    H5Tclose(type);
    refused("filter 32000");
#endif
}
END_TEST

/* --- outputs ------------------------------------------------------------------------
 */

static const char *const asked[] = {"lzf",
                                    "lz4",
                                    "zstd",
                                    "blosc",
                                    "blosc:zstd:9",
                                    "bitshuffle",
                                    "bitshuffle:zstd",
                                    "bitshuffle:none"};
enum { ASKED = sizeof asked / sizeof *asked };

static bool make_spec(cl_output_spec *spec, const char *compress, clast_dtype dtype)
{
    static const int64_t shape[] = {ROWS, COLUMNS};
    bool is_same;
    cl_error err = {0};
    *spec = (cl_output_spec){.file = "b.h5",
                             .path = "/packed",
                             .dtype = dtype,
                             .chunk = {HEIGHT, WIDTH},
                             .overwrite = true,
                             .no_sync = true};
    spec->shape = cl_shape_of(2, shape);
    const clast_status status =
        cl_compress_ask(&spec->compression, &is_same, compress, 0, 0, &err);
    ck_assert_msg(status == CLAST_OK || status == CLAST_ENOTSUP, "%s", err.text);
    spec->compression.fletcher = dtype == CLAST_INT16;
    return status == CLAST_OK;
}

static clast_status write(const cl_output_spec *spec, const void *data, cl_error *err)
{
    const cl_box whole = cl_box_whole(&spec->shape);
    cl_outputs *outputs;
    uint64_t stored;
    const clast_status begun = cl_outputs_begin(&outputs, 1, spec, NULL, err);
    if (begun != CLAST_OK)
        return begun;
    void *staging = cl_alloc(cl_output_staging(spec));
    const clast_status put =
        cl_output_put(outputs, 0, &whole, data, staging, &stored, err);
    cl_free(staging);
    if (put == CLAST_OK)
        return cl_outputs_commit(outputs, err);
    cl_outputs_abort(outputs);
    return put;
}

/* Every seventh row of chunks is noise, which no codec makes smaller. */
static void *make_elements(clast_dtype dtype)
{
    const size_t item = clast_dtype_size(dtype);
    unsigned char *data = cl_calloc(ROWS * COLUMNS, item);
    uint64_t h = 1;
    for (size_t i = 0; i < ROWS * COLUMNS * item; i++) {
        h = h * 6364136223846793005u + 1442695040888963407u;
        const bool is_noise = i / (COLUMNS * item) / HEIGHT == 1;
        data[i] = is_noise        ? (unsigned char)(h >> 56)
                  : i % item == 0 ? (unsigned char)(i / item % 50)
                                  : 0;
    }
    return data;
}

static void written_and_read(const cl_output_spec *spec)
{
    cl_error err = {0};
    void *data = make_elements(spec->dtype);
    const clast_status status = write(spec, data, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    cl_source *source = files_open("b.h5", "/packed", true);
    const cl_source_info *info = cl_source_get_info(source);
    ck_assert_int_eq(((const cl_hdf5_source *)source)->access, CL_ACCESS_FILTERED);
    ck_assert_mem_eq(&info->compression, &spec->compression, sizeof spec->compression);
    void *read = files_read(source);
    files_same(read, data, ROWS * COLUMNS * clast_dtype_size(spec->dtype));
    cl_free(read);
    cl_free(data);
    cl_source_close(source);
    ck_assert_int_eq(files_open_ids(), 0);
}

START_TEST(written_by_us)
{
    static const clast_dtype dtypes[] = {CLAST_UINT8, CLAST_INT16, CLAST_FLOAT32,
                                         CLAST_FLOAT64, CLAST_COMPLEX128};
    cl_output_spec spec;
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        if (make_spec(&spec, asked[_i], dtypes[d]))
            written_and_read(&spec);
}
END_TEST

static size_t no_filter(unsigned flags, size_t n, const unsigned *value, size_t bytes,
                        size_t *room, void **data)
{
    return 0;
}

/* As bitshuffle's: its own parameters in front of the user's. */
static herr_t shift(hid_t list, hid_t type, hid_t space)
{
    unsigned flags, value[11] = {0, 5, (unsigned)H5Tget_size(type)};
    size_t n = 8;
    if (H5Pget_filter_by_id2(list, 32008, &flags, &n, value + 3, 0, NULL, NULL) < 0 ||
        value[3] % 8 != 0 || value[4] > 3)
        return -1;
    return H5Pmodify_filter(list, 32008, flags, n + 3, value);
}

static herr_t spoil(hid_t list, hid_t type, hid_t space)
{
    const unsigned value[] = {0, 4, 3};
    return H5Pmodify_filter(list, 32008, H5Z_FLAG_OPTIONAL, 3, value);
}

static void with_host(herr_t (*set_local)(hid_t, hid_t, hid_t))
{
    const H5Z_class2_t own = {H5Z_CLASS_T_VERS, 32008, 1,         1,
                              "the host's",     NULL,  set_local, no_filter};
    ck_assert(H5Zregister(&own) >= 0);
}

/* What the host registered completes the parameters, and stays. */
START_TEST(host_has_it)
{
    cl_output_spec spec;
    cl_error err = {0};
    with_host(shift);
    for (int i = 5; i < ASKED; i++)
        if (make_spec(&spec, asked[i], CLAST_FLOAT64))
            written_and_read(&spec);
    ck_assert_int_gt(H5Zfilter_avail(32008), 0);
    H5Zunregister(32008);
    with_host(spoil);
    ck_assert(make_spec(&spec, "bitshuffle:none", CLAST_FLOAT64));
    void *data = make_elements(CLAST_FLOAT64);
    ck_assert_int_eq(write(&spec, data, &err), CLAST_ENOTSUP);
    ck_assert_msg(strstr(err.text, "b.h5:/packed: a filter that is registered"), "%s",
                  err.text);
    cl_free(data);
    H5Zunregister(32008);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_codecs");
    TCase *t = tcase_create("codecs");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_loop_test(t, written_as_plugins_do, 0, PACKINGS);
    tcase_add_test(t, written_by_plugins);
    tcase_add_test(t, nobody_has_it);
    tcase_add_loop_test(t, written_by_us, 0, ASKED);
    tcase_add_test(t, host_has_it);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
