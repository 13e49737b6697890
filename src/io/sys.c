/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of system calls and the loops around them.
 *
 * A short transfer is not an error on Linux (signals, quota boundaries, network file
 * systems), so every transfer is a loop that advances its pieces. fsync is never
 * repeated: after EIO the kernel has dropped the dirty pages and a second fsync would
 * report success for lost data.
 */
#include "io/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

static ssize_t preadv_now(int fd, const struct iovec *iov, int n, off_t at)
{
    return preadv2(fd, iov, n, at, RWF_NOWAIT);
}

static int set_lease(int fd, int kind)
{
    return fcntl(fd, F_SETLEASE, kind);
}

static int get_lease(int fd)
{
    return fcntl(fd, F_GETLEASE);
}

static void *map(int fd, off_t at, size_t bytes)
{
    return mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, at);
}

static int populate(void *memory, size_t bytes)
{
    const int advice = 22; /* MADV_POPULATE_READ, since Linux 5.14 */
    return madvise(memory, bytes, advice);
}

cl_sys_table cl_sys = {
    preadv, pwritev,         copy_file_range, fallocate, ftruncate, fsync, fdatasync,
    rename, sync_file_range, preadv_now,      set_lease, get_lease, map,   populate};

typedef ssize_t transfer_fn(int fd, const struct iovec *iov, int n, off_t at);

/* Drops `bytes` from the front of the pieces; returns how many pieces are used up. */
static int advance(struct iovec *iov, int n, size_t bytes)
{
    int used = 0;
    while (used < n && bytes >= iov[used].iov_len)
        bytes -= iov[used++].iov_len;
    if (used < n) {
        iov[used].iov_base = (char *)iov[used].iov_base + bytes;
        iov[used].iov_len -= bytes;
    }
    return used;
}

/* Pieces from *first on; both move on with what was done. */
static int transfer_from(transfer_fn *fn, int fd, struct iovec *iov, int n, int *first,
                         off_t *at)
{
    *first += advance(iov + *first, n - *first, 0);
    while (*first < n) {
        const int some = n - *first < CL_SYS_IOV ? n - *first : CL_SYS_IOV;
        const ssize_t done = fn(fd, iov + *first, some, *at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        if (done == 0)
            return -1;
        *at += done;
        *first += advance(iov + *first, n - *first, (size_t)done);
    }
    return 0;
}

static int transfer(transfer_fn *fn, int fd, struct iovec *iov, int n, off_t at)
{
    int first = 0;
    return transfer_from(fn, fd, iov, n, &first, &at);
}

int cl_sys_read_all(int fd, struct iovec *iov, int n, off_t at)
{
    return transfer(cl_sys.preadv, fd, iov, n, at);
}

/* Whatever it failed with, the ordinary read tells the truth: kernels before 5.11 say
 * here that a file ends where it does not, seccomp profiles of containers that it is
 * forbidden.
 */
int cl_sys_read_now(int fd, struct iovec *iov, int n, int *first, off_t *at)
{
    const int error = transfer_from(cl_sys.preadv_now, fd, iov, n, first, at);
    return error == 0 ? 0 : EAGAIN;
}

int cl_sys_write_all(int fd, struct iovec *iov, int n, off_t at)
{
    const int error = transfer(cl_sys.pwritev, fd, iov, n, at);
    return error < 0 ? EIO : error;
}

static int compare_room(int fd, off_t bytes)
{
    struct statvfs fs;
    if (fstatvfs(fd, &fs) != 0)
        return 0; /* nothing is known; the writes will tell */
    const unsigned long long room = (unsigned long long)fs.f_bavail * fs.f_frsize;
    return room < (unsigned long long)bytes ? ENOSPC : 0;
}

int cl_sys_allocate(int fd, off_t at, off_t bytes)
{
    int result;
    do
        result = cl_sys.fallocate(fd, 0, at, bytes);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    return errno == ENOSYS || errno == EINVAL ? EOPNOTSUPP : errno;
}

int cl_sys_reserve(int fd, off_t at, off_t bytes)
{
    const int error = cl_sys_allocate(fd, at, bytes);
    return error == EOPNOTSUPP ? compare_room(fd, bytes) : error;
}

int cl_sys_push(int fd, off_t at, off_t bytes, cl_push how)
{
    static const unsigned flags_of[] = {
        [CL_PUSH] = SYNC_FILE_RANGE_WRITE,
        [CL_PUSH_PACED] = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE,
        [CL_PUSH_AND_WAIT] = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                             SYNC_FILE_RANGE_WAIT_AFTER,
    };
    int result;
    do
        result = cl_sys.sync_file_range(fd, at, bytes, flags_of[how]);
    while (result != 0 && errno == EINTR);
    const bool is_unable = result != 0 && (errno == ESPIPE || errno == EINVAL ||
                                           errno == ENOSYS || errno == EOPNOTSUPP);
    return result == 0 || is_unable ? 0 : errno;
}

int cl_sys_truncate(int fd, off_t bytes)
{
    int result;
    do
        result = cl_sys.ftruncate(fd, bytes);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

int cl_sys_sync_data(int fd)
{
    return cl_sys.fdatasync(fd) == 0 ? 0 : errno;
}

int cl_sys_sync(int fd)
{
    return cl_sys.fsync(fd) == 0 ? 0 : errno;
}

int cl_sys_rename(const char *from, const char *to)
{
    return cl_sys.rename(from, to) == 0 ? 0 : errno;
}
