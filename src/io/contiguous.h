/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs: pieces of a box that are contiguous in a file, batched into few system calls.
 *
 * A caller adds {file offset, memory, bytes} in ascending file order. Neighbours in the
 * file share one preadv or pwritev, also across small gaps (a reader's together with
 * the piece behind them at most CL_RUNS_GAP bytes, or a quarter of it): gaps are read
 * into a junk buffer, or written as zeros (so only a writer that owns the gap may let
 * it be bridged). Not thread-safe: one batch belongs to one call.
 */
#ifndef CL_IO_CONTIGUOUS_H
#define CL_IO_CONTIGUOUS_H

#include <stdint.h>

#include "base/shape.h"
#include "io/behind.h"
#include "io/direct.h"
#include "io/store.h"
#include "io/sys.h"

#define CL_RUNS_GAP 4096 /* bytes: bridging this costs less than a system call */

typedef struct {
    int fd;
    bool is_write;
    uint64_t limit;    /* no byte at or behind this offset is touched */
    uint64_t gap_most; /* bytes: the widest hole that is bridged; a writer's is 0 unless
                          it says otherwise */
    const cl_direct *direct; /* a reader's way past the page cache; NULL: none */
    cl_direct_room room;     /* its */
    cl_behind *behind;       /* a writer's, who is told of each write; NULL: none */
    uint64_t begin, end, moved;
    cl_patience patience; /* a reader's; CL_PATIENT unless it says otherwise */
    bool waited;          /* for the disk, or would have had to */
    int n, most;          /* pieces */
    struct iovec *iov, own[CL_SYS_IOV];
    unsigned char gap[CL_RUNS_GAP];
} cl_runs;

void cl_runs_init(cl_runs *runs, int fd, bool is_write, uint64_t limit);
/* The reads go past the page cache. room: CL_RUNS_ROOM bytes for what is read on the
 * way to many places and for a longer list of these; it must live as long. */
enum { CL_RUNS_ROOM = (2 << 20) - 4096 };
void cl_runs_pass_cache(cl_runs *runs, const cl_direct *direct, void *room);
/* 0, an errno, or -1 where the file ends too early. */
int cl_runs_add(cl_runs *runs, uint64_t at, void *memory, uint64_t bytes);
int cl_runs_flush(cl_runs *runs);

/*
 * Moves a box between a C-contiguous piece of the file and C-contiguous memory.
 *   file_box  what the bytes at `at` are, memory_box what the bytes at `memory` are
 *   part      the elements to move; lies within both
 */
int cl_runs_box(cl_runs *runs, uint64_t at, const cl_box *file_box, void *memory,
                const cl_box *memory_box, const cl_box *part, uint64_t item);

/* The same of those elements of the part that are on the lattice, and of others where
 * leaving them out saves no read. */
int cl_runs_lattice(cl_runs *runs, uint64_t at, const cl_box *file_box, void *memory,
                    const cl_box *memory_box, const cl_box *part,
                    const cl_lattice *wanted, uint64_t item);

/* The same between two pieces of memory, row by row through fn (memcpy or a
 * conversion). dst_item and src_item are the bytes of an element. */
typedef void cl_row_fn(void *arg, void *dst, const void *src, int64_t n);
void cl_rows_copy(void *dst, const cl_box *dst_box, uint64_t dst_item, const void *src,
                  const cl_box *src_box, uint64_t src_item, const cl_box *part,
                  cl_row_fn *fn, void *arg);
/* Whether the part is one contiguous run of the box's memory. */
bool cl_box_is_run(const cl_box *part, const cl_box *box);
/* The position of the part's first element in the box, in elements. */
int64_t cl_box_position(const cl_box *part, const cl_box *box);

#endif
