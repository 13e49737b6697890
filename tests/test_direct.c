/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Past the page cache: whatever the alignment of file and memory, bytes and errors are
 * those of the ordinary read. Where the file system of /tmp cannot do direct I/O, the
 * same calls read as ever; only what counts direct reads is left out then.
 */
#include "io/behind.h"
#include "io/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/contiguous.h"
#include "io/sys.h"

enum { MIB = 1 << 20, FILE_BYTES = 3 * MIB + 1234 };

static cl_sys_table real;
static cl_direct direct;
static int file = -1;
static unsigned char *truth, *room;
static int ndirect, fail_with; /* direct reads so far, and with what they fail */
static ssize_t cut;            /* > 0: they give no more bytes */

static ssize_t watch(int fd, const struct iovec *iov, int n, off_t at)
{
    const bool is_direct = fcntl(fd, F_GETFL) & O_DIRECT;
    ndirect += is_direct;
    errno = fail_with;
    if (is_direct && fail_with)
        return -1;
    const ssize_t got = real.preadv(fd, iov, n, at);
    return is_direct && cut > 0 && got > cut ? cut : got;
}

/* Nothing of the file is in the cache afterwards, unless it is dirty. */
static void forget(void)
{
    ck_assert_int_eq(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
    ndirect = 0;
}

static void write_truth(int64_t at, int64_t bytes, int seed)
{
    for (int64_t i = at; i < at + bytes; i++)
        truth[i] = (unsigned char)(i * 31 + i / 251 + seed);
    ck_assert_int_eq(pwrite(file, truth + at, (size_t)bytes, at), bytes);
}

static void begin(void)
{
    files_begin();
    truth = cl_alloc(FILE_BYTES);
    room = cl_alloc(CL_DIRECT_ROOM);
    file = open("data", O_RDWR | O_CREAT, 0600);
    ck_assert_int_ge(file, 0);
    write_truth(0, FILE_BYTES, 1);
    cl_cache_pretend(4096);
    cl_direct_open(&direct, file, FILE_BYTES);
    real = cl_sys;
    cl_sys.preadv = watch;
    fail_with = 0;
    cut = 0;
    ck_assert_int_eq(fdatasync(file), 0);
    forget();
}

static void end(void)
{
    cl_sys = real;
    cl_cache_pretend(0);
    cl_direct_close(&direct);
    close(file);
    cl_free(truth);
    cl_free(room);
    files_end();
}

static int read_pieces(struct iovec *iov, int n, int64_t at)
{
    const cl_direct_room r = {room, CL_DIRECT_ROOM};
    if (!direct.is_open)
        return cl_sys_read_all(file, iov, n, at);
    return cl_direct_read_all(&direct, &r, file, iov, n, at);
}

/* Into memory at this distance from a page, with bytes around it that must stay. */
static int read_one(int64_t at, size_t bytes, size_t skew)
{
    unsigned char *memory = NULL;
    ck_assert_int_eq(posix_memalign((void **)&memory, 4096, bytes + 12288), 0);
    memset(memory, 0xa5, bytes + 12288);
    struct iovec piece = {memory + skew, bytes};
    const int error = read_pieces(&piece, 1, at);
    for (size_t i = 0; i < 12288; i++)
        ck_assert(memory[i < skew ? i : bytes + i] == 0xa5);
    ck_assert(error != 0 || memcmp(memory + skew, truth + at, bytes) == 0);
    free(memory);
    return error;
}

static const struct {
    int64_t at;
    size_t bytes, skew;
} places[] = {
    {0, MIB, 0},
    {1, MIB, 0},
    {4096, MIB, 64},
    {511, MIB + 1, 8},
    {512, MIB - 1, 4095},
    {4095, MIB, 4095},
    {2048, 2 * MIB, 512},
    {70001, 262144, 1},
    {4095, 262145, 513},
    {3, 100000, 5},
    {0, FILE_BYTES, 0},
    {1, FILE_BYTES - 1, 1},
    {2 * MIB, MIB + 1234, 3},
    {FILE_BYTES - 300001, 300001, 7},
};
enum { PLACES = sizeof places / sizeof *places };

START_TEST(any_alignment)
{
    begin();
    ck_assert_int_eq(read_one(places[_i].at, places[_i].bytes, places[_i].skew), 0);
    const bool is_long = places[_i].bytes >= 262144;
    if (direct.is_open)
        ck_assert_int_eq(ndirect, is_long);
    end();
}
END_TEST

/* Pieces of all lengths, from everywhere in memory. */
START_TEST(many_places)
{
    static const size_t lengths[] = {1, 2048, 300000, 4096, 77, 100000};
    enum { N = 2000 };
    struct iovec *iov = cl_alloc(N * sizeof *iov);
    unsigned char *memory = cl_alloc(2 * FILE_BYTES);
    begin();
    for (int64_t at = 0; at < 5000; at += 1237) {
        size_t used = 0, bytes = 0;
        int n = 0;
        for (; n < N; n++) {
            const size_t k = _i ? lengths[(size_t)n % 6] : 2048;
            if (bytes + k + (size_t)at > FILE_BYTES)
                break;
            iov[n] = (struct iovec){memory + used, k};
            used += k + (size_t)n % 7;
            bytes += k;
        }
        struct iovec *copy = cl_alloc((size_t)n * sizeof *iov);
        memcpy(copy, iov, (size_t)n * sizeof *iov);
        forget();
        ck_assert_int_eq(read_pieces(copy, n, at), 0);
        for (size_t i = 0, from = (size_t)at; i < (size_t)n; from += iov[i++].iov_len)
            ck_assert(memcmp(iov[i].iov_base, truth + from, iov[i].iov_len) == 0);
        if (direct.is_open)
            ck_assert_int_ge(ndirect, 2);
        cl_free(copy);
    }
    cl_free(memory);
    cl_free(iov);
    end();
}
END_TEST

/* What is in the cache is faster to copy, and stays there. */
START_TEST(cached_data_are_copied)
{
    begin();
    unsigned char *memory = cl_alloc(FILE_BYTES);
    ck_assert_int_eq(pread(file, memory, FILE_BYTES, 0), FILE_BYTES);
    ck_assert_int_eq(read_one(1, 2 * MIB, 0), 0);
    ck_assert_int_eq(ndirect, 0);
    forget();
    ck_assert_int_eq(read_one(1, 2 * MIB, 0), 0);
    ck_assert(!direct.is_open || ndirect == 1);
    cl_free(memory);
    end();
}
END_TEST

/* Bytes that another descriptor has just written and nobody has synced. */
START_TEST(dirty_pages_are_seen)
{
    begin();
    write_truth(MIB + 100, 200000, 77);
    ndirect = 0;
    ck_assert_int_eq(read_one(5, 2 * MIB, 0), 0);
    ck_assert(!direct.is_open || ndirect == 1);
    end();
}
END_TEST

START_TEST(errors_are_those_of_the_disk)
{
    begin();
    fail_with = EIO;
    ck_assert_int_eq(read_one(5, MIB, 0), direct.is_open ? EIO : 0);
    fail_with = EINVAL; /* it cannot after all */
    ck_assert_int_eq(read_one(5, MIB, 0), 0);
    end();
}
END_TEST

START_TEST(short_reads_are_completed)
{
    begin();
    unsigned char *memory = cl_alloc(400000);
    for (cut = 1; cut < 2 * MIB; cut = cut * 9 + 511) {
        forget();
        ck_assert_int_eq(read_one(777, MIB, 16), 0);
        forget();
        struct iovec two[2] = {{memory, 200000}, {memory + 200000, 200000}};
        ck_assert_int_eq(read_pieces(two, 2, 777), 0);
        ck_assert(memcmp(memory, truth + 777, 400000) == 0);
    }
    cl_free(memory);
    end();
}
END_TEST

START_TEST(cut_off_file_ends_early)
{
    begin();
    ck_assert_int_eq(ftruncate(file, 2 * MIB + 100), 0);
    forget();
    ck_assert_int_eq(read_one(MIB, MIB + 100, 0), 0);
    ck_assert_int_eq(read_one(MIB, MIB + 101, 0), -1);
    ck_assert_int_eq(read_one(2 * MIB + 200, MIB, 0), -1);
    end();
}
END_TEST

/* No second descriptor for data that the cache can hold. */
START_TEST(small_data_are_left_to_the_cache)
{
    begin();
    cl_direct other;
    cl_cache_pretend(4 * FILE_BYTES);
    cl_direct_open(&other, file, FILE_BYTES);
    ck_assert(!other.is_open);
    cl_cache_pretend(0);
    cl_direct_open(&other, file, FILE_BYTES);
    ck_assert(!other.is_open);
    end();
}
END_TEST

/* ---- datasets ---- */

static const file_spec datasets[] = {
    {.shape = {700, 1024}, .chunk = {350, 512}},
    {.shape = {700, 1024}, .chunk = {350, 256}, .user_block = 512},
    {.shape = {701, 1023}, .chunk = {300, 500}},
    {.shape = {700, 1024}},
    {.shape = {700, 1024}, .user_block = 1024},
};
enum { DATASETS = sizeof datasets / sizeof *datasets };

/* Whole, in parts, and with the staging that it says. */
START_TEST(datasets_are_the_same)
{
    const cl_box boxes[] = {{2, {0, 0}, {700, 1023}},
                            {2, {0, 0}, {350, 512}},
                            {2, {350, 512}, {350, 511}},
                            {2, {3, 100}, {650, 900}},
                            {2, {690, 1000}, {10, 23}}};
    begin();
    file_spec spec = datasets[_i % DATASETS];
    spec.file = "a.h5";
    spec.path = "/x";
    spec.ndim = 2;
    spec.type = _i < DATASETS ? H5T_NATIVE_DOUBLE : H5T_IEEE_F64BE;
    files_make(&spec);
    close(file);
    file = open("a.h5", O_RDWR);
    ck_assert_int_eq(fdatasync(file), 0);
    cl_source *source = files_open("a.h5", "/x", true);
    for (size_t b = 0; b < sizeof boxes / sizeof *boxes; b++) {
        forget();
        void *x = files_read_box(source, &boxes[b]);
        void *y = files_h5dread("a.h5", "/x", CLAST_FLOAT64, &boxes[b]);
        files_same(x, y, (size_t)cl_box_count(&boxes[b]) * 8);
        cl_free(x);
        cl_free(y);
        ck_assert(!direct.is_open || b > 0 || ndirect > 0);
        if (direct.is_open)
            ck_assert_uint_ge(cl_source_staging(source, &boxes[b]), CL_RUNS_ROOM);
    }
    cl_source_close(source);
    end();
}
END_TEST

/* A failure says what it always said; afterwards all is well again. */
START_TEST(failed_load_says_why)
{
    const cl_box box = {2, {0, 0}, {700, 1023}};
    begin();
    file_spec spec = datasets[_i];
    spec.file = "a.h5";
    spec.path = "/x";
    spec.ndim = 2;
    files_make(&spec);
    close(file);
    file = open("a.h5", O_RDWR);
    ck_assert_int_eq(fdatasync(file), 0);
    cl_source *source = files_open("a.h5", "/x", true);
    double *dst = cl_alloc((size_t)cl_box_count(&box) * sizeof *dst);
    void *staging = cl_alloc(cl_source_staging(source, &box) + 1);
    forget();
    fail_with = EIO;
    cl_error err = {0};
    uint64_t stored;
    const clast_status status =
        cl_source_fetch(source, &box, dst, staging, &stored, &err);
    ck_assert_int_eq(status, direct.is_open ? CLAST_EIO : CLAST_OK);
    if (direct.is_open)
        ck_assert_msg(strstr(err.text, "a.h5:/x: reading failed: "), "%s", err.text);
    fail_with = 0;
    ck_assert_int_eq(cl_source_fetch(source, &box, dst, staging, &stored, &err),
                     CLAST_OK);
    cl_free(dst);
    cl_free(staging);
    cl_source_close(source);
    end();
}
END_TEST

/* ---- writing ---- */

START_TEST(ring_is_bounded)
{
    enum { PIECE = 4000, N = 400 };
    const uint64_t window = cl_behind_window;
    cl_behind behind;
    begin();
    cl_behind_init(&behind);
    for (int i = 0; i < N; i++) {
        const int64_t at = i * 7 % N * PIECE + 5; /* not in order */
        write_truth(at, PIECE, i);
        cl_behind_wrote(&behind, file, (uint64_t)at, PIECE);
        ck_assert_uint_eq(behind.n, i < CL_BEHIND_RANGES ? i + 1 : CL_BEHIND_RANGES);
        ck_assert_uint_eq(behind.bytes, (uint64_t)behind.n * PIECE);
    }
    for (int i = 0; i < 20; i++) {
        cl_behind_wrote(&behind, file, 0, window / 4 + 1);
        ck_assert_uint_le(behind.bytes, window + window / 4 + 1);
        ck_assert(i < 4 || behind.n <= 5);
    }
    unsigned char *all = cl_alloc(FILE_BYTES);
    ck_assert_int_eq(pread(file, all, FILE_BYTES, 0), FILE_BYTES);
    ck_assert(memcmp(all, truth, FILE_BYTES) == 0);
    cl_free(all);
    cl_behind_fini(&behind);
    end();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("direct");
    TCase *t = tcase_create("reading");
    tcase_add_loop_test(t, any_alignment, 0, PLACES);
    tcase_add_loop_test(t, many_places, 0, 2);
    tcase_add_test(t, cached_data_are_copied);
    tcase_add_test(t, dirty_pages_are_seen);
    tcase_add_test(t, errors_are_those_of_the_disk);
    tcase_add_test(t, short_reads_are_completed);
    tcase_add_test(t, cut_off_file_ends_early);
    tcase_add_test(t, small_data_are_left_to_the_cache);
    tcase_add_loop_test(t, datasets_are_the_same, 0, DATASETS + 1);
    tcase_add_loop_test(t, failed_load_says_why, 0, DATASETS);
    suite_add_tcase(s, t);
    TCase *w = tcase_create("writing");
    tcase_add_test(w, ring_is_bounded);
    suite_add_tcase(s, w);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
