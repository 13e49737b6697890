/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that move or publish data, as a table, so that tests can make each
 * of them fail in turn.
 *
 * The functions below finish what they began: they go on after EINTR and after short
 * transfers, so a caller sees everything done or an errno. The table is written by
 * tests only, before threads exist.
 */
#ifndef CL_IO_SYS_H
#define CL_IO_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct {
    ssize_t (*preadv)(int fd, const struct iovec *iov, int n, off_t at);
    ssize_t (*pwritev)(int fd, const struct iovec *iov, int n, off_t at);
    ssize_t (*copy_file_range)(int from, off_t *in, int to, off_t *out, size_t bytes,
                               unsigned flags);
    int (*fallocate)(int fd, int mode, off_t at, off_t bytes);
    int (*ftruncate)(int fd, off_t bytes);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*sync_file_range)(int fd, off_t at, off_t bytes, unsigned flags);
    /* preadv of what is in the page cache; EAGAIN where something is not. */
    ssize_t (*preadv_now)(int fd, const struct iovec *iov, int n, off_t at);
    int (*set_lease)(int fd, int kind); /* fcntl's F_SETLEASE and F_GETLEASE */
    int (*get_lease)(int fd);
    void *(*map)(int fd, off_t at, size_t bytes); /* for reading, shared */
    int (*populate)(void *memory, size_t bytes);  /* MADV_POPULATE_READ */
} cl_sys_table;

extern cl_sys_table cl_sys;

#define CL_SYS_IOV 256 /* pieces of one system call at most */

/* Reads all pieces from consecutive bytes of the file at `at`. The pieces are used up.
 * 0, or an errno; -1 where the file ended before that. */
int cl_sys_read_all(int fd, struct iovec *iov, int n, off_t at);
/* The same without waiting for a disk: EAGAIN where the bytes, or some of them, are not
 * in the page cache, or anything else went wrong. The pieces that are left are those
 * that did not come: *first is the first of them, *at where it begins. */
int cl_sys_read_now(int fd, struct iovec *iov, int n, int *first, off_t *at);
/* Likewise; 0 or an errno. */
int cl_sys_write_all(int fd, struct iovec *iov, int n, off_t at);
/* Makes the bytes of the file exist on the disk: 0 or an errno, EOPNOTSUPP where the
 * file system cannot. */
int cl_sys_allocate(int fd, off_t at, off_t bytes);
/* Likewise; where it cannot, the space that is free is compared instead. */
int cl_sys_reserve(int fd, off_t at, off_t bytes);
/* Has a range of the file (bytes 0: to its end) begin to go to the disk: at once; after
 * what is on its way there has come, so that not more and more is; or so, and waits. 0
 * or an errno, which no later sync of the file tells again: an error of the disk is
 * reported once. */
typedef enum { CL_PUSH, CL_PUSH_PACED, CL_PUSH_AND_WAIT } cl_push;
int cl_sys_push(int fd, off_t at, off_t bytes, cl_push how);
int cl_sys_truncate(int fd, off_t bytes);
int cl_sys_sync(int fd);
int cl_sys_sync_data(int fd); /* what is needed to read the bytes again */
int cl_sys_rename(const char *from, const char *to);

#endif
