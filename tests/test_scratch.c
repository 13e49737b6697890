/* SPDX-License-Identifier: BSD-3-Clause */
/* Scratch: bytes come back as they went, damage is found, space is used again. */
#include "io/scratch.h"

#include "alloc_faults.h"
#include "base/alloc.h"
#include "base/thread.h"
#include "check_main.h"
#include "io/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/clast-scratch-XXXXXX";
static cl_sys_table real;

static void make_folder(void)
{
    real = cl_sys;
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* Nothing may be left in it, whatever happened. */
static void remove_folder(void)
{
    cl_sys = real;
    ck_assert_int_eq(rmdir(folder), 0);
    memcpy(strrchr(folder, '-') + 1, "XXXXXX", 6);
}

static cl_scratch *open_scratch(void)
{
    cl_scratch *s = NULL;
    ck_assert_int_eq(cl_scratch_open(&s, folder, NULL), CLAST_OK);
    return s;
}

static void fill(char *data, size_t bytes, int seed)
{
    for (size_t i = 0; i < bytes; i++)
        data[i] = (char)(i * 31u + i / 251u + (size_t)seed * 7u);
}

static const size_t sizes[] = {1, 7, 8, 31, 32, 33, 4095, 4096, 12345, 262144, 1000003};

START_TEST(test_bytes_come_back)
{
    const size_t bytes = sizes[_i];
    char *out = cl_alloc(bytes), *in = cl_alloc(bytes);
    cl_scratch *s = open_scratch();
    uint64_t slot[5];
    for (int i = 0; i < 5; i++) {
        fill(out, bytes, i);
        ck_assert_int_eq(cl_scratch_write(s, out, bytes, &slot[i], NULL), CLAST_OK);
    }
    for (int i = 5; i-- > 0;) {
        fill(out, bytes, i);
        ck_assert_int_eq(cl_scratch_read(s, slot[i], in, bytes, NULL), CLAST_OK);
        ck_assert_mem_eq(in, out, bytes);
    }
    cl_scratch_close(s);
    cl_free(out);
    cl_free(in);
}
END_TEST

START_TEST(test_space_is_used_again)
{
    static char data[1 << 20];
    cl_scratch *s = open_scratch();
    ck_assert_uint_eq(cl_scratch_bytes(s), 0);
    uint64_t slot[8], most = 0;
    for (int round = 0; round < 100; round++) {
        const size_t bytes = sizeof data >> round % 4;
        for (int i = 0; i < 8; i++)
            ck_assert_int_eq(cl_scratch_write(s, data, bytes, &slot[i], NULL),
                             CLAST_OK);
        most = cl_scratch_bytes(s) > most ? cl_scratch_bytes(s) : most;
        for (int i = 0; i < 8; i++)
            cl_scratch_release(s, slot[round % 2 ? i : 7 - i]);
    }
    ck_assert_uint_le(most, (uint64_t)64 << 20);
    ck_assert_uint_eq(cl_scratch_bytes(s), 0);
    cl_scratch_close(s);
}
END_TEST

/* Slots of several sizes freed in any order; the others keep their bytes. */
START_TEST(test_random_lives)
{
    enum { SLOTS = 32, MOST = 20000 };
    static char out[MOST], in[MOST];
    cl_scratch *s = open_scratch();
    struct {
        uint64_t slot;
        size_t bytes;
        int seed;
    } live[SLOTS] = {{0}};
    uint64_t seed = (uint64_t)_i + 1;
    for (int step = 0; step < 2000; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const size_t k = seed >> 59;
        if (live[k].bytes) {
            fill(out, live[k].bytes, live[k].seed);
            ck_assert_int_eq(cl_scratch_read(s, live[k].slot, in, live[k].bytes, NULL),
                             CLAST_OK);
            ck_assert_mem_eq(in, out, live[k].bytes);
            cl_scratch_release(s, live[k].slot);
            live[k].bytes = 0;
        } else {
            live[k].bytes = 1 + (seed >> 30) % MOST;
            live[k].seed = step;
            fill(out, live[k].bytes, step);
            ck_assert_int_eq(
                cl_scratch_write(s, out, live[k].bytes, &live[k].slot, NULL), CLAST_OK);
        }
    }
    cl_scratch_close(s);
}
END_TEST

/* ---- faults ---- */

static ssize_t damaged_read(int fd, const struct iovec *iov, int n, off_t at)
{
    const ssize_t got = real.preadv(fd, iov, n, at);
    if (got > 0)
        ((char *)iov[0].iov_base)[got / 2] ^= 4;
    return got;
}

START_TEST(test_damage_is_found)
{
    const size_t bytes = sizes[_i];
    char *data = cl_alloc(bytes);
    fill(data, bytes, 3);
    cl_scratch *s = open_scratch();
    uint64_t slot;
    ck_assert_int_eq(cl_scratch_write(s, data, bytes, &slot, NULL), CLAST_OK);
    cl_sys.preadv = damaged_read;
    cl_error err = {0};
    ck_assert_int_eq(cl_scratch_read(s, slot, data, bytes, &err), CLAST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
    cl_scratch_close(s);
    cl_free(data);
}
END_TEST

static int error_to_give;

static ssize_t failing_write(int fd, const struct iovec *iov, int n, off_t at)
{
    errno = error_to_give;
    return -1;
}

static ssize_t failing_read(int fd, const struct iovec *iov, int n, off_t at)
{
    errno = error_to_give;
    return -1;
}

/* File systems without files that have no name: the C library's open() gives way to
 * this one in the whole program. */
static int unnamed_error; /* 0: they can */
static int nunnamed;

int open(const char *name, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE
                            ? (mode_t)va_arg(more, unsigned)
                            : 0;
    va_end(more);
    if ((flags & O_TMPFILE) == O_TMPFILE && unnamed_error != 0) {
        nunnamed++;
        errno = unnamed_error;
        return -1;
    }
    return openat(AT_FDCWD, name, flags, mode);
}

/* The file has a name for a moment then, and nothing is left of it either. */
START_TEST(test_no_unnamed_files)
{
    static const int errors[] = {EOPNOTSUPP, EISDIR, EINVAL};
    char data[5000], back[5000];
    fill(data, sizeof data, 1);
    nunnamed = 0;
    unnamed_error = errors[_i];
    cl_scratch *s = open_scratch();
    unnamed_error = 0;
    ck_assert_int_eq(nunnamed, 1);
    uint64_t slot;
    ck_assert_int_eq(cl_scratch_write(s, data, sizeof data, &slot, NULL), CLAST_OK);
    ck_assert_int_eq(cl_scratch_read(s, slot, back, sizeof back, NULL), CLAST_OK);
    ck_assert_mem_eq(back, data, sizeof data);
    cl_scratch_close(s);
}
END_TEST

static int failing_allocate(int fd, int mode, off_t at, off_t bytes)
{
    errno = error_to_give;
    return -1;
}

static const struct {
    int error;
    clast_status status;
} faults[] = {{ENOSPC, CLAST_ENOSPACE}, {EIO, CLAST_EIO}, {EDQUOT, CLAST_ENOSPACE}};

/* A failed write leaves a scratch that works when the fault is gone. */
START_TEST(test_faults_are_reported)
{
    char data[5000], back[5000];
    fill(data, sizeof data, 1);
    error_to_give = faults[_i].error;
    cl_scratch *s = open_scratch();
    uint64_t slot;
    cl_error err = {0};
    cl_sys.fallocate = failing_allocate;
    ck_assert_int_eq(cl_scratch_write(s, data, sizeof data, &slot, &err),
                     faults[_i].status);
    ck_assert_ptr_nonnull(strstr(err.text, folder));
    cl_sys = real;
    cl_sys.pwritev = failing_write;
    ck_assert_int_eq(cl_scratch_write(s, data, sizeof data, &slot, NULL),
                     faults[_i].status);
    cl_sys = real;
    ck_assert_int_eq(cl_scratch_write(s, data, sizeof data, &slot, NULL), CLAST_OK);
    cl_sys.preadv = failing_read;
    ck_assert_int_eq(cl_scratch_read(s, slot, back, sizeof back, NULL),
                     faults[_i].status);
    cl_sys = real;
    ck_assert_int_eq(cl_scratch_read(s, slot, back, sizeof back, NULL), CLAST_OK);
    ck_assert_mem_eq(data, back, sizeof data);
    cl_scratch_close(s);
}
END_TEST

static int calls;

static int counting_allocate(int fd, int mode, off_t at, off_t bytes)
{
    calls++;
    return real.fallocate(fd, mode, at, bytes);
}

/* Room that was set aside is there whatever comes and goes, and then goes too. */
START_TEST(test_room_is_kept)
{
    enum { ROOM = 170 << 20 }; /* with an eighth more, just below a step of 64 MiB */
    static char data[1 << 20];
    cl_scratch *s = open_scratch();
    uint64_t slot[3];
    ck_assert_int_eq(cl_scratch_write(s, data, sizeof data, &slot[0], NULL), CLAST_OK);
    ck_assert_int_eq(cl_scratch_reserve(s, ROOM, NULL), CLAST_OK);
    const uint64_t all = cl_scratch_bytes(s);
    ck_assert_uint_ge(all, sizeof data + ROOM + ROOM / 8);
    calls = 0;
    cl_sys.fallocate = counting_allocate;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(cl_scratch_write(s, data, sizeof data, &slot[i], NULL),
                         CLAST_OK);
    for (int i = 0; i < 3; i++)
        cl_scratch_release(s, slot[i]);
    ck_assert_int_eq(calls, 0);
    ck_assert_uint_eq(cl_scratch_bytes(s), all);
    const uint64_t free = all - sizeof data; /* but for the first slot */
    ck_assert_int_eq(cl_scratch_reserve(s, free, NULL), CLAST_OK); /* is there */
    ck_assert_int_eq(calls, 0);
    cl_scratch_unreserve(s);
    ck_assert_uint_le(cl_scratch_bytes(s), (uint64_t)64 << 20); /* for the first slot */
    ck_assert_uint_ge(cl_scratch_bytes(s), sizeof data);
    cl_scratch_close(s);
}
END_TEST

/* Scratch is none the worse for room that is not to be had. */
START_TEST(test_room_is_refused)
{
    static const int no_room[] = {ENOSPC, EDQUOT, EOPNOTSUPP, EINVAL};
    const bool is_refused = no_room[_i] == ENOSPC || no_room[_i] == EDQUOT;
    char data[5000], back[5000];
    fill(data, sizeof data, 1);
    cl_scratch *s = open_scratch();
    cl_error err = {0};
    uint64_t slot;
    error_to_give = no_room[_i];
    cl_sys.fallocate = failing_allocate;
    ck_assert_int_eq(cl_scratch_reserve(s, 123456789, &err),
                     is_refused ? CLAST_ENOSPACE : CLAST_OK);
    if (is_refused)
        ck_assert(strstr(err.text, folder) && strstr(err.text, "123456789"));
    ck_assert_uint_eq(cl_scratch_bytes(s), 0);
    if (is_refused)
        cl_sys = real;
    ck_assert_int_eq(cl_scratch_write(s, data, sizeof data, &slot, NULL), CLAST_OK);
    ck_assert_int_eq(cl_scratch_read(s, slot, back, sizeof back, NULL), CLAST_OK);
    ck_assert_mem_eq(data, back, sizeof data);
    cl_scratch_release(s, slot);
    cl_scratch_unreserve(s);
    ck_assert_uint_eq(cl_scratch_bytes(s), 0);
    cl_scratch_close(s);
}
END_TEST

START_TEST(test_folder_is_missing)
{
    char path[64];
    cl_scratch *s = NULL;
    cl_error err = {0};
    uint64_t room;
    snprintf(path, sizeof path, "%s/none", folder);
    ck_assert_int_eq(cl_scratch_open(&s, path, &err), CLAST_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_int_eq(cl_scratch_room(path, &room, NULL), CLAST_ENOENT);
    ck_assert_int_eq(cl_scratch_room(folder, &room, NULL), CLAST_OK);
    ck_assert_uint_gt(room, 0);
}
END_TEST

static clast_status open_and_write(void *arg)
{
    const char data[100] = {0};
    cl_scratch *s = NULL;
    uint64_t slot;
    clast_status status = cl_scratch_open(&s, folder, NULL);
    if (status == CLAST_OK)
        status = cl_scratch_write(s, data, sizeof data, &slot, NULL);
    cl_scratch_close(s);
    return status;
}

START_TEST(test_allocations_fail)
{
    fail_every_allocation(open_and_write, NULL, 2);
}
END_TEST

/* ---- threads ---- */

static void write_and_read(void *arg, int worker, int nworkers)
{
    cl_scratch *s = arg;
    char out[3000], in[3000];
    for (int i = 0; i < 200; i++) {
        const size_t bytes = 1 + (size_t)(i * 37 + worker) % sizeof out;
        uint64_t slot;
        fill(out, bytes, i * 16 + worker);
        if (cl_scratch_write(s, out, bytes, &slot, NULL) ||
            cl_scratch_read(s, slot, in, bytes, NULL) || memcmp(in, out, bytes))
            abort();
        if (i % 3)
            cl_scratch_release(s, slot);
    }
}

START_TEST(test_threads_do_not_meet)
{
    cl_scratch *s = open_scratch();
    cl_team_run(CL_TEAM_PTHREADS, 4, write_and_read, s);
    cl_scratch_close(s);
}
END_TEST

static Suite *scratch_suite(void)
{
    const int nsizes = sizeof sizes / sizeof *sizes;
    Suite *s = suite_create("scratch");
    TCase *t = tcase_create("scratch");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_loop_test(t, test_bytes_come_back, 0, nsizes);
    tcase_add_test(t, test_space_is_used_again);
    tcase_add_loop_test(t, test_random_lives, 0, 3);
    tcase_add_loop_test(t, test_damage_is_found, 0, nsizes);
    tcase_add_loop_test(t, test_faults_are_reported, 0, 3);
    tcase_add_test(t, test_room_is_kept);
    tcase_add_loop_test(t, test_room_is_refused, 0, 4);
    tcase_add_loop_test(t, test_no_unnamed_files, 0, 3);
    tcase_add_test(t, test_folder_is_missing);
    tcase_add_test(t, test_allocations_fail);
    tcase_add_test(t, test_threads_do_not_meet);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {scratch_suite};
    return cl_check_main(suites, 1);
}
