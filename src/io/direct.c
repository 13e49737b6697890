/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Direct reads of any range into any memory.
 *
 * Direct I/O moves whole sectors to aligned addresses, and datasets begin anywhere. So
 * the sectors around the range are read with the first of them at the first aligned
 * address of the memory; what no longer fits at the end goes to a few sectors on the
 * stack, in the same call. The bytes are then moved down to where they belong, by less
 * than two sectors. What goes to many places is read to the caller's room and copied.
 *
 *   file     |..start.......at...................at + bytes...|
 *   memory   |m..place.....................................end|  + tail
 *
 * The system writes dirty pages of the range to the disk before it reads, so that a
 * direct read sees what any process wrote before. Anything unusual, such as an end of
 * the file that is nearer than it was, is left to the ordinary read, and so are ranges
 * of which half is in the cache already.
 */
#include "io/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "io/sys.h"

#define PAGE      4096
#define FEW_BYTES ((uint64_t)1 << 30)   /* files that every cache may have */
#define LEAST     ((uint64_t)256 << 10) /* a piece that is worth a request */

static uint64_t pretended;

void cl_cache_pretend(uint64_t room)
{
    pretended = room;
}

uint64_t cl_cache_room(uint64_t bytes)
{
    if (pretended)
        return pretended;
    return bytes < FEW_BYTES ? UINT64_MAX : cl_limit_memory("");
}

/* ---- what the system can do ---- */

bool cl_cache_holds(int fd, uint64_t at, uint64_t bytes, uint64_t *cached)
{
    const struct {
        uint64_t at, bytes;
    } range = {at, bytes};
    struct {
        uint64_t cached, dirty, written_back, evicted, evicted_lately;
    } pages = {0};
    const long cachestat = 451; /* since Linux 6.5 */
    if (syscall(cachestat, fd, &range, &pages, 0) != 0)
        return false;
    *cached = pages.cached * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static bool is_alignment(uint32_t n)
{
    return n > 0 && n <= PAGE && (n & (n - 1)) == 0;
}

static bool ask_alignment(cl_direct *direct, int fd)
{
#ifdef STATX_DIOALIGN
    struct statx s;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &s) == 0 &&
        s.stx_mask & STATX_DIOALIGN) {
        direct->memory = s.stx_dio_mem_align;
        direct->file = s.stx_dio_offset_align;
        return is_alignment(direct->memory) && is_alignment(direct->file);
    }
#endif
    return false;
}

void cl_direct_open(cl_direct *direct, int fd, uint64_t bytes)
{
    char name[40];
    uint64_t cached;
    *direct = (cl_direct){0};
    const uint64_t room = cl_cache_room(bytes);
    /* Where nobody tells what is cached, all of the data must not be able to be. */
    direct->least = cl_cache_holds(fd, 0, PAGE, &cached) ? room / 2 : room;
    if (bytes < direct->least || !ask_alignment(direct, fd))
        return;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    direct->fd = open(name, O_RDONLY | O_DIRECT | O_CLOEXEC);
    direct->is_open = direct->fd >= 0;
}

void cl_direct_close(cl_direct *direct)
{
    if (direct->is_open)
        close(direct->fd);
    direct->is_open = false;
}

/* ---- reading ---- */

static uint64_t up(uint64_t bytes, uint64_t step)
{
    return (bytes + step - 1) & ~(step - 1);
}

static bool is_cached(int fd, uint64_t at, uint64_t bytes)
{
    uint64_t cached;
    return cl_cache_holds(fd, at, bytes, &cached) && cached >= bytes / 2;
}

/* Reads the sectors of a range to the pieces of memory. 0, an errno, or -1 where the
 * ordinary read has to do it. */
static int read_sectors(const cl_direct *direct, struct iovec *iov, int n, uint64_t at,
                        uint64_t ahead, uint64_t bytes)
{
    ssize_t got;
    do
        got = cl_sys.preadv(direct->fd, iov, n, (off_t)(at - ahead));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EINVAL ? -1 : errno;
    return (uint64_t)got < ahead + bytes ? -1 : 0;
}

/* To one place. */
static int read_long(const cl_direct *direct, char *memory, uint64_t bytes, uint64_t at)
{
    _Alignas(PAGE) unsigned char tail[4 * PAGE];
    const uint64_t ahead = at & (direct->file - 1);
    const uint64_t skipped = -(uintptr_t)memory & (direct->memory - 1);
    const uint64_t inside = (bytes - skipped) & ~((uint64_t)direct->file - 1);
    const uint64_t outside = up(ahead + bytes, direct->file) - inside;
    struct iovec iov[2] = {{memory + skipped, inside}, {tail, outside}};
    const int error = read_sectors(direct, iov, outside > 0 ? 2 : 1, at, ahead, bytes);
    if (error != 0)
        return error;
    const uint64_t moved = inside - ahead < bytes ? inside - ahead : bytes;
    if (skipped + ahead > 0)
        memmove(memory, memory + skipped + ahead, moved);
    memcpy(memory + moved, tail, bytes - moved);
    return 0;
}

/* Copies to the pieces from *iov on, which are used up. */
static void deal(struct iovec **iov, const char *from, uint64_t bytes)
{
    while (bytes > 0) {
        struct iovec *to = *iov;
        const size_t some = to->iov_len < bytes ? to->iov_len : (size_t)bytes;
        memcpy(to->iov_base, from, some);
        to->iov_base = (char *)to->iov_base + some;
        to->iov_len -= some;
        from += some;
        bytes -= some;
        *iov += to->iov_len == 0;
    }
}

/* To many places, by way of the room. *bytes comes back as what is still to be read, to
 * the pieces from *iov on. */
static int read_scattered(const cl_direct *direct, const cl_direct_room *room,
                          struct iovec **iov, uint64_t *bytes, uint64_t at)
{
    char *memory = (char *)room->memory + (-(uintptr_t)room->memory & (PAGE - 1));
    const uint64_t most = (room->bytes - 3 * PAGE) & ~((uint64_t)PAGE - 1);
    int error = 0;
    while (*bytes > 0 && error == 0) {
        const uint64_t ahead = at & (direct->file - 1);
        const uint64_t some = *bytes < most ? *bytes : most;
        struct iovec sectors = {memory, up(ahead + some, direct->file)};
        error = read_sectors(direct, &sectors, 1, at, ahead, some);
        if (error == 0) {
            deal(iov, memory + ahead, some);
            *bytes -= some;
            at += some;
        }
    }
    return error;
}

/* How many pieces are read together: a long one, or all short ones up to the next. */
static int count_pieces(const struct iovec *iov, int n, uint64_t *bytes)
{
    int i = 1;
    *bytes = iov->iov_len;
    for (; iov->iov_len < LEAST && i < n && iov[i].iov_len < LEAST; i++)
        *bytes += iov[i].iov_len;
    return i;
}

int cl_direct_read_all(const cl_direct *direct, const cl_direct_room *room, int fd,
                       struct iovec *iov, int n, off_t at)
{
    int error = 0;
    while (n > 0 && error == 0) {
        uint64_t bytes;
        const int some = count_pieces(iov, n, &bytes);
        struct iovec *piece = iov;
        uint64_t left = bytes;
        error = -1;
        if (bytes >= LEAST && !is_cached(fd, (uint64_t)at, bytes))
            error = some > 1 ? read_scattered(direct, room, &piece, &left, (uint64_t)at)
                             : read_long(direct, iov->iov_base, bytes, (uint64_t)at);
        if (error < 0)
            error = cl_sys_read_all(fd, piece, some - (int)(piece - iov),
                                    at + (off_t)(bytes - left));
        iov += some;
        n -= some;
        at += (off_t)bytes;
    }
    return error;
}
