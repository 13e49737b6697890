/* SPDX-License-Identifier: BSD-3-Clause */
/* Each call of the table counts before it does what the real one does. */
#include "disk_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
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

/* ---- what is not on the disk yet ---- */

typedef struct {
    ino_t file;
    uint64_t at, bytes;
    bool is_pushed; /* on its way */
} stretch;

static bool is_watching;
static pthread_mutex_t watch = PTHREAD_MUTEX_INITIALIZER;
static stretch dirty[4096];
static int ndirty;
static uint64_t dirty_bytes, most_dirty;
static int64_t pushes, bad_push_call;

static ino_t inode_of(int fd)
{
    struct stat s = {0};
    return fstat(fd, &s) == 0 ? s.st_ino : 0;
}

static void note_written(int fd, off_t at, ssize_t bytes)
{
    if (!is_watching || bytes <= 0)
        return;
    pthread_mutex_lock(&watch);
    if (ndirty == sizeof dirty / sizeof *dirty)
        ndirty--, dirty_bytes = most_dirty = UINT64_MAX / 2; /* too many to be good */
    dirty[ndirty++] = (stretch){inode_of(fd), (uint64_t)at, (uint64_t)bytes, false};
    dirty_bytes += (uint64_t)bytes;
    most_dirty = dirty_bytes > most_dirty ? dirty_bytes : most_dirty;
    pthread_mutex_unlock(&watch);
}

/* What was on its way to this part of the file has come. */
static void note_waited(int fd, uint64_t at, uint64_t bytes, bool all)
{
    const ino_t file = inode_of(fd);
    int kept = 0;
    pthread_mutex_lock(&watch);
    for (int i = 0; i < ndirty; i++) {
        const stretch s = dirty[i];
        const bool is_there = s.file == file && s.at >= at && s.at - at < bytes;
        if (is_there && (all || s.is_pushed))
            dirty_bytes -= s.bytes;
        else
            dirty[kept++] = s;
    }
    ndirty = kept;
    pthread_mutex_unlock(&watch);
}

static void note_pushed(int fd, uint64_t at, uint64_t bytes)
{
    const ino_t file = inode_of(fd);
    pthread_mutex_lock(&watch);
    for (int i = 0; i < ndirty; i++)
        if (dirty[i].file == file && dirty[i].at >= at && dirty[i].at - at < bytes)
            dirty[i].is_pushed = true;
    pthread_mutex_unlock(&watch);
}

static int watched_push(int fd, off_t at, off_t bytes, unsigned flags)
{
    const uint64_t from = (uint64_t)at, n = bytes ? (uint64_t)bytes : UINT64_MAX;
    pthread_mutex_lock(&watch);
    const bool is_bad = ++pushes == bad_push_call;
    pthread_mutex_unlock(&watch);
    if (is_bad) {
        failed = "sync_file_range";
        errno = bad_errno;
        return -1;
    }
    const int result = real.sync_file_range(fd, at, bytes, flags);
    if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
        note_waited(fd, from, n, false);
    if (flags & SYNC_FILE_RANGE_WRITE)
        note_pushed(fd, from, n);
    if (flags & SYNC_FILE_RANGE_WAIT_AFTER)
        note_waited(fd, from, n, true);
    return result;
}

/* ---- the table ---- */

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
    if (!is_due()) {
        const ssize_t done = real.pwritev(fd, iov, n, at);
        note_written(fd, at, done);
        return done;
    }
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
    if (fails("fsync"))
        return -1;
    note_waited(fd, 0, UINT64_MAX, true);
    return real.fsync(fd);
}

static int bad_fdatasync(int fd)
{
    if (fails("fdatasync"))
        return -1;
    note_waited(fd, 0, UINT64_MAX, true);
    return real.fdatasync(fd);
}

static int bad_push(int fd, off_t at, off_t bytes, unsigned flags)
{
    if (is_watching)
        return watched_push(fd, at, bytes, flags);
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

/* So that all that is read is read by calls that may fail. */
static int no_lease(int fd, int kind)
{
    errno = EINVAL;
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
    is_watching = false;
    cl_sys = (cl_sys_table){
        bad_preadv, bad_pwritev,    bad_copy,   bad_fallocate, bad_ftruncate,
        bad_fsync,  bad_fdatasync,  bad_rename, bad_push,      bad_preadv_now,
        no_lease,   real.get_lease, real.map,   real.populate};
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

void disk_watch(int64_t n, int error)
{
    disk_fail(0, error);
    ndirty = 0;
    dirty_bytes = most_dirty = 0;
    pushes = 0;
    bad_push_call = n;
    is_watching = true;
}

uint64_t disk_most_dirty(void)
{
    return most_dirty;
}

int64_t disk_pushes(void)
{
    return pushes;
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
