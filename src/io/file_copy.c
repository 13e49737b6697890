/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three ways, tried in order: FICLONE shares the blocks (O(1) on btrfs, xfs, ...),
 * copy_file_range copies inside the kernel, read and write work everywhere. Each may
 * give up at its start only; what copy_file_range has copied is not copied again.
 */
#include "io/file_copy.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/sys.h"

#define PIECE ((size_t)1 << 20)
#define RANGE ((size_t)32 << 20) /* between two looks for a cancel */

/* 0, an errno, or -1: not possible here. *at is how far it came. */
static int copy_in_kernel(int from, int to, const atomic_bool *is_canceled, off_t *at)
{
    for (;;) {
        if (is_canceled && atomic_load(is_canceled))
            return ECANCELED;
        off_t in = *at, out = *at;
        const ssize_t n = cl_sys.copy_file_range(from, &in, to, &out, RANGE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                           errno == EOPNOTSUPP || errno == EPERM
                       ? -1
                       : errno;
        if (n == 0)
            return 0;
        *at += n;
    }
}

static int copy_by_hand(int from, int to, const atomic_bool *is_canceled, off_t at)
{
    char *piece = cl_alloc(PIECE);
    if (!piece)
        return ENOMEM;
    int error = 0;
    for (;;) {
        if (is_canceled && atomic_load(is_canceled)) {
            error = ECANCELED;
            break;
        }
        struct iovec iov = {piece, PIECE};
        const ssize_t n = cl_sys.preadv(from, &iov, 1, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error = n < 0 ? errno : 0;
            break;
        }
        iov.iov_len = (size_t)n;
        error = cl_sys_write_all(to, &iov, 1, at);
        if (error != 0)
            break;
        at += n;
    }
    cl_free(piece);
    return error;
}

bool cl_file_clone(int from, int to)
{
    return ioctl(to, FICLONE, from) == 0;
}

int cl_file_copy(int from, int to, const atomic_bool *is_canceled)
{
    off_t at = 0;
    if (cl_file_clone(from, to))
        return 0;
    const int error = copy_in_kernel(from, to, is_canceled, &at);
    return error < 0 ? copy_by_hand(from, to, is_canceled, at) : error;
}
