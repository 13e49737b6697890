/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leases and windows.
 *
 * A read lease (F_SETLEASE, fcntl(2)) is refused while the file is open for writing, by
 * anyone and be it only through a mapping, and to who neither owns the file nor may
 * take leases. It belongs to the open file, not to a thread, so holders are counted.
 * Once somebody waits, the kernel says so to who asks (F_GETLEASE), and no more holders
 * are let in: the last of those that are in gives it back within a strip's time.
 *
 * The kernel also sends a signal to the owner of the descriptor, by default SIGIO to
 * the process, which would end it. Nobody here needs it, and signals are the host's. So
 * the owner is a thread that sleeps with all signals blocked, one for the process, as
 * long as any file needs it. It is named each time, since the kernel forgets it with
 * the lease.
 *
 * What else may happen to a mapped page. It is populated before it is used
 * (MADV_POPULATE_READ), so that what cannot be read is an error there, and then read as
 * any other. It may be reclaimed before it is touched, and its second reading may fail,
 * which is a signal again. That takes a kernel that drops a page which was referenced
 * some microseconds ago, and a disk that fails just then: what any program risks with
 * the pages of its own code, and with its swapped memory. mlock() would rule it out, at
 * the price of moving each page between lists under one lock, which took more than the
 * copy on two threads, and it would take from what the host may lock; references by
 * vmsplice() to a pipe cost a sixth. The lease itself is taken away after
 * /proc/sys/fs/lease-break-time (45 s), which only a process that was stopped in the
 * middle of a strip can miss.
 *
 * File systems are those whose ways to their pages heed leases, as far as anyone goes
 * through them: network file systems know of changes too late, overlays have two
 * inodes.
 * Not heeded are open(O_RDONLY | O_TRUNC), which POSIX leaves undefined and Linux does;
 * and who truncates a file from above, through an overlay of its folder or as a client
 * of this machine's NFS server. Hosts to which this may happen have options.no_mapping.
 */
#include "io/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "io/direct.h"
#include "io/sys.h"

#define WINDOW     ((uint64_t)16 << 20) /* bytes of address space */
#define MOST_SHOWN ((uint64_t)8 << 20)  /* resident before all are let go */

static bool is_local(int fd)
{
    static const unsigned long local[] = {
        0xEF53,     /* ext2, ext3, ext4 */
        0x58465342, /* XFS */
        0x9123683E, /* Btrfs */
        0xF2F52010, /* F2FS */
        0xCA451A4E, /* bcachefs */
        0x01021994, /* tmpfs */
    };
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0)
        return false;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (((unsigned long)fs.f_type & 0xFFFFFFFF) == local[i])
            return true;
    return false;
}

/* ---- whom the kernel tells ---- */

/* users: leases that may name it. It is started and ended by one thread at a time. */
static struct {
    cl_mutex change, mutex;
    cl_cond cond;
    cl_thread thread;
    int users;
    pid_t id; /* 0: it has not begun */
    bool is_over;
} sleeper = {.change = CL_MUTEX_INIT, .mutex = CL_MUTEX_INIT};

static void *sleep_on(void *arg)
{
    cl_mutex_lock(&sleeper.mutex);
    sleeper.id = (pid_t)syscall(SYS_gettid);
    cl_cond_broadcast(&sleeper.cond);
    while (!sleeper.is_over)
        cl_cond_wait(&sleeper.cond, &sleeper.mutex);
    cl_mutex_unlock(&sleeper.mutex);
    return NULL;
}

static bool start_sleeper(void)
{
    sleeper.id = 0;
    sleeper.is_over = false;
    cl_cond_init(&sleeper.cond);
    if (cl_thread_start(&sleeper.thread, sleep_on, NULL) != CLAST_OK) {
        cl_cond_fini(&sleeper.cond);
        return false;
    }
    cl_mutex_lock(&sleeper.mutex);
    while (!sleeper.id)
        cl_cond_wait(&sleeper.cond, &sleeper.mutex);
    cl_mutex_unlock(&sleeper.mutex);
    return true;
}

static void end_sleeper(void)
{
    cl_mutex_lock(&sleeper.mutex);
    sleeper.is_over = true;
    cl_cond_broadcast(&sleeper.cond);
    cl_mutex_unlock(&sleeper.mutex);
    cl_thread_join(&sleeper.thread);
    cl_cond_fini(&sleeper.cond);
}

/* 0: there is none. */
static pid_t use_sleeper(void)
{
    cl_mutex_lock(&sleeper.change);
    const bool is_there = sleeper.users > 0 || start_sleeper();
    sleeper.users += is_there;
    const pid_t id = is_there ? sleeper.id : 0;
    cl_mutex_unlock(&sleeper.change);
    return id;
}

static void unuse_sleeper(void)
{
    cl_mutex_lock(&sleeper.change);
    if (--sleeper.users == 0)
        end_sleeper();
    cl_mutex_unlock(&sleeper.change);
}

/* ---- leases ---- */

void cl_lease_init(cl_lease *l, int fd)
{
    *l = (cl_lease){.fd = fd};
    cl_mutex_init(&l->mutex);
}

void cl_lease_fini(cl_lease *l)
{
    if (l->told)
        unuse_sleeper();
    cl_mutex_fini(&l->mutex);
}

static bool set_lease(cl_lease *l)
{
    const struct f_owner_ex owner = {F_OWNER_TID, l->told};
    return fcntl(l->fd, F_SETOWN_EX, &owner) == 0 &&
           cl_sys.set_lease(l->fd, F_RDLCK) == 0;
}

static bool take_first(cl_lease *l)
{
    if (l->is_refused)
        return false;
    if (!l->told && is_local(l->fd))
        l->told = use_sleeper();
    const bool is_given = l->told && set_lease(l);
    l->is_refused = !is_given && (!l->told || errno != EAGAIN); /* a writer's doing */
    if (l->is_refused && l->told) {
        l->told = 0;
        unuse_sleeper();
    }
    return is_given;
}

bool cl_lease_take(cl_lease *l)
{
    cl_mutex_lock(&l->mutex);
    const bool is_given =
        l->holders > 0 ? cl_sys.get_lease(l->fd) == F_RDLCK : take_first(l);
    l->holders += is_given;
    cl_mutex_unlock(&l->mutex);
    return is_given;
}

void cl_lease_give(cl_lease *l)
{
    cl_mutex_lock(&l->mutex);
    if (--l->holders == 0)
        cl_sys.set_lease(l->fd, F_UNLCK);
    cl_mutex_unlock(&l->mutex);
}

/* ---- windows ---- */

static bool slide(cl_window *w, int fd, uint64_t at)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    cl_window_close(w);
    const uint64_t from = at & ~(page - 1);
    void *memory = cl_sys.map(fd, (off_t)from, WINDOW);
    if (memory == MAP_FAILED)
        return false;
    *w = (cl_window){.memory = memory, .from = from, .bytes = WINDOW};
    return true;
}

static bool has(const cl_window *w, uint64_t at, uint64_t bytes)
{
    return w->memory && at >= w->from && at - w->from <= w->bytes &&
           bytes <= w->bytes - (at - w->from) && w->shown + bytes <= MOST_SHOWN;
}

/* Makes the pages present, which lie around the bytes. */
static bool populate(char *memory, uint64_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t skipped = (uintptr_t)memory & (page - 1);
    int result;
    do
        result = cl_sys.populate(memory - skipped, bytes + skipped);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

const void *cl_window_show(cl_window *w, int fd, uint64_t at, uint64_t bytes)
{
    uint64_t cached;
    if (bytes > MOST_SHOWN / 2 || !cl_cache_holds(fd, at, bytes, &cached) ||
        cached < bytes || (!has(w, at, bytes) && !slide(w, fd, at)))
        return NULL;
    char *memory = w->memory + (at - w->from);
    w->shown += bytes;
    return populate(memory, bytes) ? memory : NULL;
}

void cl_window_close(cl_window *w)
{
    if (w->memory)
        munmap(w->memory, w->bytes);
    *w = (cl_window){0};
}
