/* SPDX-License-Identifier: BSD-3-Clause */
/* Each call of the table counts before it does what the real one does. */
#include "disk_faults.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "io/sys.h"

static cl_sys_table real;
static bool is_installed, is_deadly;
static int bad_errno;
static int64_t bad_call;
static const char *bad_target; /* NULL: none */
static _Atomic int64_t calls;
static const char *_Atomic failed = "";

static bool is_due(void)
{
    return atomic_fetch_add(&calls, 1) + 1 == bad_call;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Whether the call fails, with errno set; at its end the process does not come back. */
static bool fails(const char *what)
{
    if (!is_due())
        return false;
    if (is_deadly)
        die();
    failed = what;
    errno = bad_errno;
    return true;
}

static ssize_t bad_preadv(int fd, const struct iovec *iov, int n, off_t at)
{
    return fails("read") ? -1 : real.preadv(fd, iov, n, at);
}

/* What goes wrong here is forgiven, as an ordinary read follows: let that one fail. */
static ssize_t bad_preadv_now(int fd, const struct iovec *iov, int n, off_t at)
{
    errno = EAGAIN;
    return -1;
}

static ssize_t bad_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    if (!is_due())
        return real.pwritev(fd, iov, n, at);
    if (is_deadly) {
        const struct iovec half = {iov->iov_base, iov->iov_len / 2};
        real.pwritev(fd, &half, 1, at);
        die();
    }
    failed = "write";
    errno = bad_errno;
    return -1;
}

static ssize_t bad_copy(int from, off_t *in, int to, off_t *out, size_t bytes,
                        unsigned flags)
{
    return fails("copy") ? -1 : real.copy_file_range(from, in, to, out, bytes, flags);
}

static int bad_fallocate(int fd, int mode, off_t at, off_t bytes)
{
    return fails("fallocate") ? -1 : real.fallocate(fd, mode, at, bytes);
}

static int bad_ftruncate(int fd, off_t bytes)
{
    return fails("ftruncate") ? -1 : real.ftruncate(fd, bytes);
}

static int bad_fsync(int fd)
{
    return fails("fsync") ? -1 : real.fsync(fd);
}

static int bad_fdatasync(int fd)
{
    return fails("fdatasync") ? -1 : real.fdatasync(fd);
}

static int bad_push(int fd, off_t at, off_t bytes, unsigned flags)
{
    return fails("sync_file_range") ? -1 : real.sync_file_range(fd, at, bytes, flags);
}

static int bad_rename(const char *from, const char *to)
{
    const char *slash = strrchr(to, '/');
    const bool is_meant = bad_target && strcmp(slash ? slash + 1 : to, bad_target) == 0;
    if (!fails("rename") && !is_meant)
        return real.rename(from, to);
    failed = "rename";
    errno = bad_errno;
    return -1;
}

static void install(int64_t n)
{
    if (!is_installed)
        real = cl_sys;
    is_installed = true;
    atomic_store(&calls, 0);
    bad_target = NULL;
    failed = "";
    bad_call = n;
    cl_sys = (cl_sys_table){bad_preadv,    bad_pwritev,   bad_copy,      bad_fallocate,
                            bad_ftruncate, bad_fsync,     bad_fdatasync, bad_rename,
                            bad_push,      bad_preadv_now};
}

void disk_fail(int64_t n, int error)
{
    is_deadly = false;
    bad_errno = error;
    install(n);
}

void disk_fail_rename(const char *to, int error)
{
    disk_fail(0, error);
    bad_target = to;
}

void disk_kill(int64_t n)
{
    is_deadly = true;
    install(n);
}

void disk_mend(void)
{
    if (is_installed)
        cl_sys = real;
    is_installed = false;
}

int64_t disk_calls(void)
{
    return atomic_load(&calls);
}

const char *disk_failed(void)
{
    return failed;
}
