/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Past the page cache: data that it cannot hold are read straight into place. Those
 * that are written so that they do not stay in it: behind.h.
 *
 * The cache keeps what was read for the next reader. Of data that are larger than the
 * cache nothing is left when their turn comes again, so filling it costs a copy and the
 * reclaiming of pages, and pushes out what others could have used.
 */
#ifndef CL_IO_DIRECT_H
#define CL_IO_DIRECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Bytes that the page cache can hold: the memory that is available now. UINT64_MAX
 * where `bytes` are so few that nobody need ask. */
uint64_t cl_cache_room(uint64_t bytes);
/* Bytes of the range that are in the page cache, in whole pages; false: the system does
 * not tell. */
bool cl_cache_holds(int fd, uint64_t at, uint64_t bytes, uint64_t *cached);
/* For tests: what cl_cache_room() says from now on of any number of bytes; 0: the
 * truth. */
void cl_cache_pretend(uint64_t room);

/* A second descriptor of a file for direct I/O. Zeroed memory is one that is not
 * open. */
typedef struct {
    bool is_open;
    int fd;
    uint32_t memory, file; /* what addresses and offsets are multiples of; <= 4096 */
    uint64_t least;        /* bytes: a dataset of fewer is left to the cache */
} cl_direct;

/* Opens it where the file, of so many bytes, is too large for the cache and its file
 * system says that it can do direct I/O. */
void cl_direct_open(cl_direct *direct, int fd, uint64_t bytes);
void cl_direct_close(cl_direct *direct);

enum { CL_DIRECT_ROOM = 512 << 10 };
/* Memory for what goes to many places, of at least CL_DIRECT_ROOM bytes. */
typedef struct {
    void *memory;
    uint64_t bytes;
} cl_direct_room;

/* Reads as cl_sys_read_all() does from fd, and with the same result: what is long
 * enough and not in the cache, past it. */
int cl_direct_read_all(const cl_direct *direct, const cl_direct_room *room, int fd,
                       struct iovec *iov, int n, off_t at);

#endif
