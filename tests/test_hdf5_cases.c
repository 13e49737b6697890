/* SPDX-License-Identifier: BSD-3-Clause */
/* Files as they come: filters that only libhdf5 undoes, fill values that nobody
 * defined, very many chunks, boxes that need little of them; and what a process with
 * threads of its own sees of our reading. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/contiguous.h"
#include "io/hdf5_source.h"
#include "io/sys.h"

/* most: NULL: the shape */
static hid_t create_growing(const char *path, hid_t type, int ndim,
                            const hsize_t *shape, const hsize_t *most, hid_t list,
                            bool is_latest)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (is_latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate("a.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hid_t space = H5Screate_simple(ndim, shape, most);
    const hid_t id =
        H5Dcreate2(file, path, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    ck_assert(id >= 0);
    H5Pclose(access);
    H5Sclose(space);
    H5Fclose(file); /* the dataset keeps it open */
    return id;
}

static hid_t create(const char *path, hid_t type, int ndim, const hsize_t *shape,
                    hid_t list, bool is_latest)
{
    return create_growing(path, type, ndim, shape, NULL, list, is_latest);
}

static void compare(int64_t n, cl_access access)
{
    cl_source *source = files_open("a.h5", "/x", true);
    ck_assert_int_eq(((const cl_hdf5_source *)source)->access, access);
    const clast_dtype dtype = cl_source_get_info(source)->dtype;
    const cl_box box = {.ndim = 1, .n = {n}};
    void *ours = files_read_box(source, &box);
    void *theirs = files_h5dread("a.h5", "/x", dtype, &box);
    files_same(ours, theirs, (size_t)n * clast_dtype_size(dtype));
    cl_free(ours);
    cl_free(theirs);
    cl_source_close(source);
    ck_assert_int_eq(files_open_ids(), 0);
}

/* --- left to libhdf5 ------------------------------------------------------------- */

static void use_nbit(hid_t list)
{
    H5Pset_nbit(list);
}

static void use_scaleoffset(hid_t list)
{
    H5Pset_scaleoffset(list, H5Z_SO_INT, H5Z_SO_INT_MINBITS_DEFAULT);
}

static void use_szip(hid_t list)
{
    unsigned config = 0;
    if (H5Zfilter_avail(H5Z_FILTER_SZIP) > 0 &&
        H5Zget_filter_info(H5Z_FILTER_SZIP, &config) >= 0 &&
        config & H5Z_FILTER_CONFIG_ENCODE_ENABLED)
        H5Pset_szip(list, H5_SZIP_NN_OPTION_MASK, 16);
    else
        H5Pset_scaleoffset(list, H5Z_SO_INT, 20);
}

static void use_two(hid_t list)
{
    H5Pset_deflate(list, 4);
    H5Pset_deflate(list, 4);
}

START_TEST(filters_of_libhdf5)
{
    static void (*const use[])(hid_t list) = {use_nbit, use_scaleoffset, use_szip,
                                              use_two};
    const hsize_t n = 1000, chunk = 96;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE), type = H5Tcopy(H5T_STD_I32LE);
    int values[1000];
    if (_i == 0)
        H5Tset_precision(type, 17);
    H5Pset_chunk(list, 1, &chunk);
    use[_i](list);
    for (int i = 0; i < 1000; i++)
        values[i] = i * 37 % 1201;
    const hid_t id = create("/x", type, 1, &n, list, false);
    ck_assert(H5Dwrite(id, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(id);
    H5Tclose(type);
    H5Pclose(list);
    compare(1000, CL_ACCESS_LIBRARY);
}
END_TEST

/* A filter of the host's own, under a number that is ours, makes other values of the
 * chunks than Clast does: the canary finds it, and the library's values are used. */

static size_t complement(unsigned flags, size_t n, const unsigned value[], size_t bytes,
                         size_t *room, void **buffer)
{
    unsigned char *p = *buffer;
    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char)~p[i];
    return bytes;
}

static void take_warning(void *arg, clast_log_level level, const char *text)
{
    if (level == CLAST_LOG_WARNING && strstr(text, "other bits than H5Dread"))
        ++*(int *)arg;
}

START_TEST(canary_falls_back)
{
    const H5Z_class2_t odd = {H5Z_CLASS_T_VERS, 32008, 1,    1,
                              "odd bitshuffle", NULL,  NULL, complement};
    const hsize_t n = 1000, chunk = 64;
    const unsigned value[] = {0, 4, 4, 0, 0};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    int values[1000], warnings = 0;
    for (int i = 0; i < 1000; i++)
        values[i] = i;
    ck_assert(H5Zregister(&odd) >= 0);
    H5Pset_chunk(list, 1, &chunk);
    H5Pset_filter(list, 32008, H5Z_FLAG_MANDATORY, 5, value);
    const hid_t id = create("/x", H5T_NATIVE_INT, 1, &n, list, false);
    ck_assert(H5Dwrite(id, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(id);
    H5Pclose(list);
    cl_error err = {0};
    cl_source *source;
    const cl_log log = {take_warning, &warnings};
    ck_assert_int_eq(cl_source_open_hdf5(&source, "a.h5", "/x", true, &log, &err),
                     CLAST_OK);
    ck_assert_int_eq(warnings, 1);
    ck_assert(cl_source_get_info(source)->is_slow);
    int *got = files_read(source);
    files_same(got, values, sizeof values);
    cl_free(got);
    cl_source_close(source);
    H5Zunregister(32008);
}
END_TEST

/* What libhdf5 reads for a comparison says which file, and the filter that is missing,
 * not only the folder where no plugin was. */
START_TEST(missing_filter_is_named)
{
    const H5Z_class2_t odd = {H5Z_CLASS_T_VERS, 305,  1,    1,
                              "of the host",    NULL, NULL, complement};
    const char *const file[] = {"a.h5", "a.h5"}, *const path[] = {"/x", "/x"};
    const hsize_t n = 100, chunk = 64;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    const int values[200] = {1, 2, 3};
    bool is_equal = false;
    cl_error err = {0};
    H5Tinsert(type, "a", 0, H5T_NATIVE_INT);
    H5Tinsert(type, "b", 4, H5T_NATIVE_INT);
    ck_assert(H5Zregister(&odd) >= 0);
    H5Pset_chunk(list, 1, &chunk);
    H5Pset_filter(list, 305, H5Z_FLAG_MANDATORY, 0, NULL);
    const hid_t id = create("/x", type, 1, &n, list, false);
    ck_assert(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(id);
    H5Tclose(type);
    H5Pclose(list);
    ck_assert_int_eq(cl_hdf5_same(file, path, &is_equal, &err), CLAST_OK);
    ck_assert(is_equal);
    H5Zunregister(305);
    ck_assert_int_eq(cl_hdf5_same(file, path, &is_equal, &err), CLAST_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "a.h5:/x: reading failed"));
    ck_assert_ptr_nonnull(strstr(err.text, "required filter"));
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

/* Of bytes there are more than an int64 counts. */
START_TEST(shape_that_overflows)
{
    const hsize_t shape[] = {(hsize_t)1 << 33, ((hsize_t)1 << 28) + 1};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    cl_error err = {0};
    cl_source *source;
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_LATE);
    H5Dclose(create("/x", H5T_STD_I32LE, 2, shape, list, false));
    H5Pclose(list);
    ck_assert_int_eq(
        cl_source_open_hdf5(&source, "a.h5", "/x", CL_READ_STORED, NULL, &err),
        CLAST_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "a.h5:/x"));
    ck_assert_ptr_nonnull(strstr(err.text, "268435457 elements on axis 1"));
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

/* Whole bitfields are unsigned integers, on every way of reading. */
START_TEST(bitfields)
{
    const hsize_t n = 100, chunk = 32;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    uint16_t values[100];
    for (int i = 0; i < 100; i++)
        values[i] = (uint16_t)(i * 777);
    if (_i == 1)
        H5Pset_layout(list, H5D_COMPACT);
    if (_i > 1)
        H5Pset_chunk(list, 1, &chunk);
    if (_i > 2)
        H5Pset_deflate(list, 1);
    const hid_t id = create("/x", H5T_STD_B16BE, 1, &n, list, false);
    ck_assert(H5Dwrite(id, H5T_NATIVE_B16, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(id);
    H5Pclose(list);
    cl_source *source = files_open("a.h5", "/x", true);
    ck_assert_int_eq(cl_source_get_info(source)->dtype, CLAST_UINT16);
    ck_assert_int_eq(cl_source_get_info(source)->is_slow, _i == 1);
    uint16_t *got = files_read(source);
    files_same(got, values, sizeof values);
    cl_free(got);
    cl_source_close(source);
}
END_TEST

/* --- fill values ----------------------------------------------------------------- */

/* An undefined one leaves open what is read; here it is zeros. */
START_TEST(undefined_fill)
{
    const hsize_t n = 1000, chunk = 64;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_fill_value(list, H5T_NATIVE_INT, NULL);
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_LATE);
    if (_i > 0)
        H5Pset_chunk(list, 1, &chunk);
    if (_i > 1)
        H5Pset_deflate(list, 1);
    H5Dclose(create("/x", H5T_NATIVE_INT, 1, &n, list, false));
    H5Pclose(list);
    cl_source *source = files_open("a.h5", "/x", true);
    int *got = files_read(source);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(got[i], 0);
    cl_free(got);
    cl_source_close(source);
}
END_TEST

/* --- how much is read ------------------------------------------------------------ */

static struct {
    int64_t calls, bytes;
} reads;

static ssize_t count_read(int fd, const struct iovec *iov, int n, off_t at)
{
    const ssize_t got = preadv(fd, iov, n, at);
    reads.calls++;
    reads.bytes += got > 0 ? got : 0;
    return got;
}

/* The five chunk indices, as HDF5 1.10 chooses them. Those whose axes may grow have no
 * end of which it is known how deep it is; they are looked up in the same few steps. */
static const struct {
    const char *index;
    bool is_latest, is_early;
    int unlimited;
    int64_t opened, read; /* calls, at most */
} big_indices[] = {
    {"B-tree 1", false, true, 0, 64, 700},
    {"implicit", true, true, 0, 64, 700},
    {"fixed array", true, false, 0, 64, 700},
    {"extensible array", true, false, 1, 64, 700},
    {"B-tree 2", true, false, 2, 64, 700},
};
enum { BIG_INDICES = sizeof big_indices / sizeof *big_indices, CHUNKS = 120000 };

static void make_big_index(int k)
{
    const int ndim = big_indices[k].unlimited > 1 ? 2 : 1;
    const hsize_t shape[2] = {CHUNKS, 1}, chunk[2] = {1, 1};
    const hsize_t most[2] = {big_indices[k].unlimited > 0 ? H5S_UNLIMITED : CHUNKS,
                             H5S_UNLIMITED};
    signed char *ones = cl_alloc(CHUNKS);
    memset(ones, 1, CHUNKS);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, ndim, chunk);
    H5Pset_alloc_time(list, big_indices[k].is_early ? H5D_ALLOC_TIME_EARLY
                                                    : H5D_ALLOC_TIME_INCR);
    if (!big_indices[k].is_early)
        H5Pset_fletcher32(list);
    const hid_t id = create_growing("/x", H5T_NATIVE_SCHAR, ndim, shape, most, list,
                                    big_indices[k].is_latest);
    ck_assert_int_ge(
        H5Dwrite(id, H5T_NATIVE_SCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, ones), 0);
    H5Dclose(id);
    H5Pclose(list);
    cl_free(ones);
}

/* Opening looks at a path down the chunk index, whatever its size. */
START_TEST(many_chunks_open_in_few_reads)
{
    make_big_index(_i);
    const cl_sys_table before = cl_sys;
    memset(&reads, 0, sizeof reads);
    cl_sys.preadv = count_read;
    cl_source *source = files_open("a.h5", "/x", true);
    ck_assert_msg(reads.calls <= big_indices[_i].opened && reads.bytes <= 1 << 20,
                  "%s: %lld reads, %lld bytes to open", big_indices[_i].index,
                  (long long)reads.calls, (long long)reads.bytes);
    const int ndim = cl_source_get_info(source)->shape.ndim;
    const cl_box box = {.ndim = ndim, .lo = {CHUNKS - 500}, .n = {500, 1}};
    signed char *got = files_read_box(source, &box);
    for (int i = 0; i < 500; i++)
        ck_assert_int_eq(got[i], 1);
    cl_free(got);
    ck_assert_msg(reads.calls <= big_indices[_i].read, "%s: %lld reads",
                  big_indices[_i].index, (long long)reads.calls);
    cl_sys = before;
    cl_source_close(source);
}
END_TEST

/* Of what is not compressed only the box is read, and small gaps: per row of the box
 * less than CL_RUNS_GAP bytes more. Of a compressed dataset whole chunks are, those
 * that the box touches, each once. */
typedef struct {
    int filters;
    hsize_t chunk[2];
    cl_box box;
    int64_t least, most; /* bytes */
} amplification;

enum { SIDE = 1024 };

static const amplification amplifications[] = {
    /* contiguous: whole rows, a block, a column in rows of 8 KiB, one element */
    {0, {0, 0}, {2, {10, 0}, {20, SIDE}}, 20 * SIDE * 8, 20 * SIDE * 8},
    {0, {0, 0}, {2, {8, 16}, {100, 100}}, 100 * 800, 100 * 800},
    {0, {0, 0}, {2, {0, 5}, {SIDE, 1}}, SIDE * 8, SIDE * 8},
    {0, {0, 0}, {2, {7, 7}, {1, 1}}, 8, 8},
    /* rows with gaps that cost less than a call */
    {0, {0, 0}, {2, {0, 0}, {64, 900}}, 64 * 900 * 8, 64 * SIDE * 8},
    /* unfiltered chunks of 64 x 64: a chunk, the corner of four, a row of each */
    {0, {64, 64}, {2, {64, 64}, {64, 64}}, 64 * 64 * 8, 64 * 64 * 8},
    {0, {64, 64}, {2, {63, 63}, {2, 2}}, 4 * 8, 4 * (8 + CL_RUNS_GAP)},
    {0, {64, 64}, {2, {5, 0}, {1, SIDE}}, SIDE * 8, SIDE * 8 + 15 * CL_RUNS_GAP},
};
enum { AMPLIFICATIONS = sizeof amplifications / sizeof *amplifications };

/* A page cache that has the first bytes of everything, or nothing, or all. */
static ssize_t cached_bytes;

static ssize_t read_cached(int fd, const struct iovec *iov, int n, off_t at)
{
    if (cached_bytes <= 0) {
        errno = cached_bytes < 0 ? EOPNOTSUPP : EAGAIN;
        return -1;
    }
    const struct iovec some = {iov->iov_base, iov->iov_len < (size_t)cached_bytes
                                                  ? iov->iov_len
                                                  : (size_t)cached_bytes};
    const ssize_t got = preadv(fd, &some, 1, at);
    cached_bytes -= got;
    return got;
}

/* Whoever must not wait gets all or nothing, and whoever may the same values. */
START_TEST(what_is_not_cached_is_told)
{
    static const ssize_t caches[] = {-1, 0, 1000, 1 << 30};
    const bool is_cached = caches[_i] == 1 << 30;
    file_spec spec = {.file = "a.h5", .path = "/x", .ndim = 2, .shape = {SIDE, SIDE}};
    files_make(&spec);
    cl_source *source = files_open("a.h5", "/x", true);
    const cl_box box = {2, {10, 0}, {20, SIDE}};
    const cl_lattice all = cl_lattice_all();
    const uint64_t bytes = (uint64_t)cl_box_count(&box) * 8;
    void *expected = files_read_box(source, &box), *dst = cl_alloc(bytes);
    const cl_sys_table before = cl_sys;
    cl_sys.preadv_now = read_cached;
    for (int p = CL_WATCHFUL; p <= CL_HASTY; p++) {
        cl_fetching how = {.patience = (cl_patience)p};
        cached_bytes = caches[_i];
        memset(dst, 0xff, bytes);
        ck_assert_int_eq(
            cl_source_fetch_some(source, &box, &all, dst, NULL, &how, NULL), CLAST_OK);
        ck_assert_int_eq(how.waited, !is_cached);
        if (is_cached || p == CL_WATCHFUL) {
            ck_assert_int_eq(cl_source_decode(source, &box, dst, NULL, NULL), CLAST_OK);
            ck_assert_mem_eq(dst, expected, bytes);
            ck_assert_uint_eq(how.stored, bytes);
        }
    }
    cl_sys = before;
    cl_free(dst);
    cl_free(expected);
    cl_source_close(source);
}
END_TEST

START_TEST(only_what_is_needed_is_read)
{
    const amplification *a = &amplifications[_i];
    file_spec spec = {.file = "a.h5", .path = "/x", .ndim = 2, .shape = {SIDE, SIDE}};
    memcpy(spec.chunk, a->chunk, sizeof a->chunk);
    files_make(&spec);
    cl_source *source = files_open("a.h5", "/x", true);
    const uint64_t bytes = (uint64_t)cl_box_count(&a->box) * 8;
    void *dst = cl_alloc(bytes),
         *staging = cl_alloc(cl_source_staging(source, &a->box));
    uint64_t stored = 0;
    cl_error err = {0};
    const cl_sys_table before = cl_sys;
    memset(&reads, 0, sizeof reads);
    cl_sys.preadv = count_read;
    ck_assert_int_eq(cl_source_fetch(source, &a->box, dst, staging, &stored, &err),
                     CLAST_OK);
    cl_sys = before;
    ck_assert_msg((int64_t)stored >= a->least && (int64_t)stored <= a->most,
                  "%lld bytes", (long long)stored);
    /* Besides, libhdf5 reads nodes of the chunk index. */
    ck_assert_int_ge(reads.bytes, (int64_t)stored);
    ck_assert_int_le(reads.bytes, (int64_t)stored + (a->chunk[0] ? 1 << 16 : 0));
    cl_free(dst);
    cl_free(staging);
    cl_source_close(source);
}
END_TEST

/* Steps: what is wanted is there, and what lies between is left out where it is longer
 * than a gap that is bridged. */
START_TEST(steps)
{
    static const cl_lattice lattices[] = {
        {{0, 0}, {7, 1}}, {{3, 0}, {100, 1}},   {{-5, 900}, {64, 700}},
        {{0, 0}, {1, 3}}, {{40, 5}, {200, 40}}, {{7, 7}, {1024, 1024}}};
    static const hsize_t chunks[][2] = {{0, 0}, {64, 64}, {128, 128}};
    const cl_box boxes[] = {{2, {0, 0}, {SIDE, SIDE}}, {2, {10, 100}, {700, 650}}};
    file_spec spec = {.file = "a.h5",
                      .path = "/x",
                      .ndim = 2,
                      .shape = {SIDE, SIDE},
                      .filters = _i == 2 ? FILTER_DEFLATE | FILTER_SHUFFLE : 0};
    memcpy(spec.chunk, chunks[_i], sizeof chunks[_i]);
    files_make(&spec);
    cl_source *source = files_open("a.h5", "/x", true);
    for (size_t b = 0; b < 2; b++) {
        const cl_box *box = &boxes[b];
        const uint64_t bytes = (uint64_t)cl_box_count(box) * 8;
        double *dst = cl_alloc(bytes), *all = files_read_box(source, box);
        void *staging = cl_alloc(cl_source_staging(source, box) + 1);
        for (size_t l = 0; l < sizeof lattices / sizeof *lattices; l++) {
            const cl_lattice *wanted = &lattices[l];
            cl_error err = {0};
            cl_fetching how = {.patience = CL_PATIENT};
            int64_t seen = 0;
            memset(dst, 0xff, bytes);
            ck_assert_int_eq(
                cl_source_fetch_some(source, box, wanted, dst, staging, &how, &err),
                CLAST_OK);
            ck_assert_int_eq(cl_source_decode(source, box, dst, staging, &err),
                             CLAST_OK);
            for (int64_t i = cl_lattice_next(wanted, 0, box->lo[0]);
                 i < box->lo[0] + box->n[0]; i += wanted->step[0])
                for (int64_t j = cl_lattice_next(wanted, 1, box->lo[1]);
                     j < box->lo[1] + box->n[1]; j += wanted->step[1], seen++) {
                    const int64_t at = (i - box->lo[0]) * box->n[1] + j - box->lo[1];
                    ck_assert_msg(dst[at] == all[at], "(%d, %d)", (int)i, (int)j);
                }
            if (_i < 2)
                ck_assert_int_le((int64_t)how.stored, seen * (8 + CL_RUNS_GAP));
            if (_i == 0 && wanted->step[1] == 1)
                ck_assert_int_eq((int64_t)how.stored, seen * 8);
        }
        cl_free(dst);
        cl_free(all);
        cl_free(staging);
    }
    cl_source_close(source);
}
END_TEST

START_TEST(each_compressed_chunk_is_read_once)
{
    file_spec spec = {.file = "a.h5",
                      .path = "/x",
                      .ndim = 2,
                      .shape = {SIDE, SIDE},
                      .chunk = {128, 128},
                      .filters = FILTER_DEFLATE,
                      .is_noise = true};
    files_make(&spec);
    cl_source *source = files_open("a.h5", "/x", true);
    const cl_box boxes[] = {{2, {0, 0}, {SIDE, SIDE}}, {2, {127, 127}, {2, 2}}};
    uint64_t stored[2];
    for (int b = 0; b < 2; b++) {
        void *dst = cl_alloc((uint64_t)cl_box_count(&boxes[b]) * 8);
        void *staging = cl_alloc(cl_source_staging(source, &boxes[b]));
        cl_error err = {0};
        stored[b] = 0;
        ck_assert_int_eq(
            cl_source_fetch(source, &boxes[b], dst, staging, &stored[b], &err),
            CLAST_OK);
        cl_free(dst);
        cl_free(staging);
    }
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t id = H5Dopen2(file, "/x", H5P_DEFAULT);
    ck_assert_uint_eq(stored[0], H5Dget_storage_size(id));
    ck_assert_uint_le(stored[1], stored[0] / 64 * 4 + 4096);
    H5Dclose(id);
    H5Fclose(file);
    cl_source_close(source);
}
END_TEST

/* --- threads --------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 20 };

/* A missing dataset, so that libhdf5 has something to print. */
static void *fail_often(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        cl_error err = {0};
        cl_source *source;
        *(int *)arg += cl_source_open_hdf5(&source, "a.h5", "/none", true, NULL,
                                           &err) != CLAST_ENOENT;
    }
    return NULL;
}

START_TEST(no_thread_prints)
{
    files_make(&(file_spec){.file = "a.h5", .path = "/x", .ndim = 1, .shape = {9}});
    H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)H5Eprint2, NULL); /* as at the start */
    pthread_t thread[THREADS];
    int failed[THREADS] = {0};
    struct stat st;
    fflush(stderr);
    const int kept = dup(STDERR_FILENO), to = open("said", O_CREAT | O_RDWR, 0600);
    dup2(to, STDERR_FILENO);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, fail_often, &failed[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    fflush(stderr);
    fstat(to, &st);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(to);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(failed[i], 0);
    ck_assert_int_eq(st.st_size, 0);
}
END_TEST

static void *host_reads(void *arg)
{
    const hid_t file = H5Fopen("b.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    double data[37 * 53]; /* a thread's own */
    for (int i = 0; i < ROUNDS; i++) {
        const hid_t id = H5Dopen2(file, "/x", H5P_DEFAULT);
        memset(data, 0, sizeof data);
        *(int *)arg +=
            H5Dread(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0;
        for (int k = 0; k < 37 * 53; k++)
            *(int *)arg += data[k] != k % 97;
        H5Dclose(id);
    }
    H5Fclose(file);
    return NULL;
}

static void *clast_reads(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        cl_source *source = files_open("a.h5", "/x", true);
        double *data = files_read(source);
        for (int k = 0; k < 37 * 53; k++)
            *(int *)arg += data[k] != k % 97;
        cl_free(data);
        cl_source_close(source);
    }
    return NULL;
}

/* Where libhdf5 is built for threads, the host may use it while Clast does. */
START_TEST(host_reads_meanwhile)
{
    hbool_t is_safe = false;
    H5is_library_threadsafe(&is_safe);
    file_spec spec = {.file = "a.h5",
                      .path = "/x",
                      .ndim = 2,
                      .shape = {37, 53},
                      .chunk = {8, 16},
                      .filters = FILTER_DEFLATE | FILTER_SHUFFLE};
    files_make(&spec);
    spec.file = "b.h5";
    files_make(&spec);
    pthread_t thread[THREADS];
    int wrong[THREADS] = {0};
    for (int i = 0; i < THREADS && is_safe; i++)
        pthread_create(&thread[i], NULL, i % 2 ? host_reads : clast_reads, &wrong[i]);
    for (int i = 0; i < THREADS && is_safe; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(wrong[i], 0);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_cases");
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_loop_test(t, filters_of_libhdf5, 0, 4);
    tcase_add_test(t, canary_falls_back);
    tcase_add_test(t, missing_filter_is_named);
    tcase_add_test(t, shape_that_overflows);
    tcase_add_loop_test(t, bitfields, 0, 4);
    tcase_add_loop_test(t, undefined_fill, 0, 3);
    suite_add_tcase(s, t);
    t = tcase_create("how much is read");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_loop_test(t, many_chunks_open_in_few_reads, 0, BIG_INDICES);
    tcase_add_loop_test(t, only_what_is_needed_is_read, 0, AMPLIFICATIONS);
    tcase_add_loop_test(t, what_is_not_cached_is_told, 0, 4);
    tcase_add_loop_test(t, steps, 0, 3);
    tcase_add_test(t, each_compressed_chunk_is_read_once);
    suite_add_tcase(s, t);
    t = tcase_create("threads");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_test(t, no_thread_prints);
    tcase_add_test(t, host_reads_meanwhile);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
