/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Row runs of boxes, and their batching.
 *
 * A part of two C-contiguous boxes falls into rows: the trailing axes that the part
 * covers wholly in both boxes, times the last axis that it does not. All outer axes
 * are counted through by an odometer, so each row is contiguous on both sides and the
 * number of rows is the least possible. Cost: O(rows), no allocation.
 *
 * Invariant of a batch: the pieces in iov cover the file bytes [begin, end) without
 * holes.
 */
#include "io/contiguous.h"

#include <errno.h>
#include <string.h>

#define LARGEST_CALL                                                                   \
    ((uint64_t)1                                                                       \
     << 30) /* Linux moves at most 2 GiB - 4 KiB a call                    \
                         */

#define LONG_LIST 4096 /* pieces of a read past the page cache */

void cl_runs_init(cl_runs *runs, int fd, bool is_write, uint64_t limit)
{
    runs->fd = fd;
    runs->is_write = is_write;
    runs->limit = limit;
    runs->gap_most = is_write ? 0 : CL_RUNS_GAP;
    runs->direct = NULL;
    runs->behind = NULL;
    runs->begin = runs->end = runs->moved = 0;
    runs->patience = CL_PATIENT;
    runs->waited = false;
    runs->n = 0;
    runs->most = CL_SYS_IOV;
    runs->iov = runs->own;
    if (is_write)
        memset(runs->gap, 0, sizeof runs->gap);
}

void cl_runs_pass_cache(cl_runs *runs, const cl_direct *direct, void *room)
{
    const size_t list = LONG_LIST * sizeof *runs->iov;
    runs->direct = direct;
    runs->room = (cl_direct_room){room, CL_RUNS_ROOM - list};
    runs->iov = (void *)((char *)room + runs->room.bytes);
    runs->most = LONG_LIST;
}

static int write_pieces(cl_runs *runs, int n)
{
    const int error = cl_sys_write_all(runs->fd, runs->iov, n, (off_t)runs->begin);
    return error || !runs->behind ? error
                                  : cl_behind_wrote(runs->behind, runs->fd, runs->begin,
                                                    runs->end - runs->begin);
}

/* What is in the page cache first, so that one knows whether all is; not where it is
 * passed. */
static int read_pieces(cl_runs *runs, int n)
{
    off_t at = (off_t)runs->begin;
    int first = 0, error = EAGAIN;
    if (runs->patience != CL_PATIENT && !runs->direct)
        error = cl_sys_read_now(runs->fd, runs->iov, n, &first, &at);
    if (error != EAGAIN)
        return error;
    runs->waited = runs->patience != CL_PATIENT;
    if (runs->patience == CL_HASTY)
        return EAGAIN;
    return runs->direct ? cl_direct_read_all(runs->direct, &runs->room, runs->fd,
                                             runs->iov, n, at)
                        : cl_sys_read_all(runs->fd, runs->iov + first, n - first, at);
}

int cl_runs_flush(cl_runs *runs)
{
    const int n = runs->n;
    if (n == 0)
        return 0;
    runs->n = 0;
    runs->moved += runs->end - runs->begin;
    return runs->is_write ? write_pieces(runs, n) : read_pieces(runs, n);
}

/* A reader bridges what lies in pages that it reads anyway, and a quarter more: two
 * halves of a row must not each read all of it. */
static bool is_cheap(const cl_runs *runs, uint64_t gap, uint64_t bytes)
{
    return gap <= runs->gap_most &&
           (runs->is_write || gap + bytes <= CL_RUNS_GAP || gap <= bytes / 4);
}

static bool is_bridged(const cl_runs *runs, uint64_t at, uint64_t bytes)
{
    return runs->n > 0 && runs->n <= runs->most - 2 && at >= runs->end &&
           is_cheap(runs, at - runs->end, bytes) &&
           at + bytes - runs->begin <= LARGEST_CALL;
}

static void append(cl_runs *runs, void *memory, uint64_t bytes)
{
    struct iovec *last = runs->n > 0 ? &runs->iov[runs->n - 1] : NULL;
    if (last && (char *)last->iov_base + last->iov_len == memory)
        last->iov_len += bytes;
    else
        runs->iov[runs->n++] = (struct iovec){memory, bytes};
    runs->end += bytes;
}

int cl_runs_add(cl_runs *runs, uint64_t at, void *memory, uint64_t bytes)
{
    if (bytes == 0)
        return 0;
    if (at > runs->limit || bytes > runs->limit - at)
        return -1;
    while (bytes > 0) {
        const uint64_t piece = bytes < LARGEST_CALL ? bytes : LARGEST_CALL;
        if (!is_bridged(runs, at, piece)) {
            const int error = cl_runs_flush(runs);
            if (error != 0)
                return error;
            runs->begin = runs->end = at;
        }
        if (at > runs->end) {
            runs->iov[runs->n++] = (struct iovec){runs->gap, at - runs->end};
            runs->end = at;
        }
        append(runs, memory, piece);
        memory = (char *)memory + piece;
        at += piece;
        bytes -= piece;
    }
    return 0;
}

/* How a part falls into rows: axes [0, outer) are counted, the rest is one row. */
typedef struct {
    int outer;
    int64_t row;
} rows;

static rows rows_of(const cl_box *part, const cl_box *a, const cl_box *b)
{
    rows r = {part->ndim, 1};
    while (r.outer > 0) {
        const int axis = --r.outer;
        r.row *= part->n[axis];
        if (part->n[axis] != a->n[axis] || part->n[axis] != b->n[axis])
            break;
    }
    return r;
}

int64_t cl_box_position(const cl_box *part, const cl_box *box)
{
    int64_t position = 0;
    for (int a = 0; a < box->ndim; a++)
        position = position * box->n[a] + (part->lo[a] - box->lo[a]);
    return position;
}

bool cl_box_is_run(const cl_box *part, const cl_box *box)
{
    int axis = 0;
    while (axis < part->ndim && part->n[axis] == 1)
        axis++;
    for (axis++; axis < part->ndim; axis++)
        if (part->n[axis] != box->n[axis])
            return false;
    return true;
}

/* The next row in C order; false after the last. `at` is a box of one row. */
static bool next_row(const cl_box *part, int outer, cl_box *at)
{
    for (int a = outer - 1; a >= 0; a--) {
        if (++at->lo[a] < part->lo[a] + part->n[a])
            return true;
        at->lo[a] = part->lo[a];
    }
    return false;
}

int cl_runs_box(cl_runs *runs, uint64_t at, const cl_box *file_box, void *memory,
                const cl_box *memory_box, const cl_box *part, uint64_t item)
{
    if (cl_box_count(part) == 0)
        return 0;
    const rows r = rows_of(part, file_box, memory_box);
    cl_box row = *part;
    do {
        const uint64_t there = (uint64_t)cl_box_position(&row, file_box) * item;
        const uint64_t here = (uint64_t)cl_box_position(&row, memory_box) * item;
        const int error = cl_runs_add(runs, at + there, (char *)memory + here,
                                      (uint64_t)r.row * item);
        if (error != 0)
            return error;
    } while (next_row(part, r.outer, &row));
    return 0;
}

/* The first axis along which it pays to go step by step; the pieces may still be
 * bridged. */
static int stepping_axis(const cl_runs *runs, const cl_box *file_box,
                         const cl_lattice *wanted, uint64_t item)
{
    uint64_t stride = item;
    int axis = file_box->ndim;
    for (int a = file_box->ndim - 1; a >= 0; a--) {
        uint64_t left_out;
        if (wanted->step[a] > 1 &&
            (__builtin_mul_overflow((uint64_t)wanted->step[a] - 1, stride, &left_out) ||
             left_out > runs->gap_most / 8))
            axis = a;
        stride *= (uint64_t)file_box->n[a];
    }
    return axis;
}

int cl_runs_lattice(cl_runs *runs, uint64_t at, const cl_box *file_box, void *memory,
                    const cl_box *memory_box, const cl_box *part,
                    const cl_lattice *wanted, uint64_t item)
{
    const int a = stepping_axis(runs, file_box, wanted, item);
    if (a == file_box->ndim)
        return cl_runs_box(runs, at, file_box, memory, memory_box, part, item);
    cl_lattice inner = *wanted;
    inner.step[a] = 1;
    cl_box one = *part;
    one.n[a] = 1;
    int error = 0;
    const int64_t end = part->lo[a] + part->n[a];
    for (int64_t i = cl_lattice_next(wanted, a, part->lo[a]); i < end && error == 0;
         i += wanted->step[a]) {
        one.lo[a] = i;
        error =
            cl_runs_lattice(runs, at, file_box, memory, memory_box, &one, &inner, item);
    }
    return error;
}

void cl_rows_copy(void *dst, const cl_box *dst_box, uint64_t dst_item, const void *src,
                  const cl_box *src_box, uint64_t src_item, const cl_box *part,
                  cl_row_fn *fn, void *arg)
{
    if (cl_box_count(part) == 0)
        return;
    const rows r = rows_of(part, dst_box, src_box);
    cl_box row = *part;
    do {
        const uint64_t to = (uint64_t)cl_box_position(&row, dst_box) * dst_item;
        const uint64_t from = (uint64_t)cl_box_position(&row, src_box) * src_item;
        fn(arg, (char *)dst + to, (const char *)src + from, r.row);
    } while (next_row(part, r.outer, &row));
}
