/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks in order: the one whose turn it is goes to the file at once, others into a
 * spool.
 *
 * HDF5 gives a chunk its address when it is written, so the order of writing decides
 * about the bytes of the file. One thread at a time writes, the chunk `next`; whoever
 * has the one behind it waits for that write. All others append theirs to the spool, an
 * unlinked file in the target's folder, which is gone however the process ends. Whoever
 * has put a chunk then writes up to DRAIN_MOST that waited, in the workspace it has
 * anyway; what is too large for that, and what is left, is written at the end.
 *
 * A chunk in the spool has a header with a checksum of both. The table says where each
 * waiting chunk is. Space comes back when nothing waits, and in a large spool after
 * each chunk where the file system can punch holes.
 *
 * Cost: of the chunks that come too early, one more write and read of their stored
 * bytes and as much room on the disk; 8 bytes of memory a chunk of the file, from the
 * first chunk that waits.
 */
#include "io/hdf5_order.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checksum.h"
#include "base/thread.h"
#include "io/scratch.h"
#include "io/sys.h"

#define DRAIN_MOST 16                   /* chunks at one call */
#define KEEP       ((uint64_t)1 << 20)  /* an empty spool of that size is not cut */
#define LARGE      ((uint64_t)64 << 20) /* one that gives back space chunk by chunk */

typedef struct {
    int64_t number;
    uint64_t size, mask, sum; /* sum: of the three before and of the bytes */
} header;

struct cl_chunk_order {
    cl_outputs *outputs;
    size_t file;
    int64_t total;
    cl_mutex mutex; /* guards all below; not held during I/O */
    cl_cond written;
    int64_t next, nwaiting; /* waiting: from when their place is chosen */
    bool is_writing;        /* `next`, or reading it back */
    int fd;                 /* the spool; -1: none yet */
    cl_behind behind;       /* its writers keep to the disk's pace; its own mutex */
    uint64_t end;           /* of the spool */
    uint64_t *place;        /* in the spool, plus 1; 0: is not there */
};

/* --- begin and end -----------------------------------------------------------------
 */

static bool is_ordered(const cl_chunk_order *order, const cl_output *o)
{
    return o->file == order->file && !o->is_direct;
}

clast_status cl_chunk_order_new(cl_chunk_order **out, cl_outputs *outputs, size_t file,
                                cl_error *err)
{
    cl_chunk_order *order = cl_calloc(1, sizeof *order);
    *out = order;
    if (!order)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for an output file");
    order->outputs = outputs;
    order->file = file;
    order->fd = -1;
    for (size_t i = 0; i < outputs->n; i++) {
        cl_output *o = &outputs->output[i];
        o->first = order->total;
        if (is_ordered(order, o))
            order->total += o->chunks;
    }
    cl_mutex_init(&order->mutex);
    cl_behind_init(&order->behind);
    cl_cond_init(&order->written);
    return CLAST_OK;
}

uint64_t cl_chunk_order_bytes(int64_t chunks)
{
    return (uint64_t)chunks * sizeof(uint64_t);
}

void cl_chunk_order_free(cl_chunk_order *order)
{
    if (!order)
        return;
    if (order->fd >= 0)
        close(order->fd);
    cl_free(order->place);
    cl_cond_fini(&order->written);
    cl_mutex_fini(&order->mutex);
    cl_behind_fini(&order->behind);
    cl_free(order);
}

static clast_status fail(const cl_output *o, const char *what, int error, cl_error *err)
{
    return cl_error_set(err, cl_status_from_errno(error < 0 ? EIO : error),
                        "%s:%s: %s failed: %s", o->spec.file, o->path, what,
                        error < 0 ? "the file ends too early" : strerror(error));
}

/* --- the spool ---------------------------------------------------------------------
 */

static uint64_t sum_of(const header *h, const void *bytes)
{
    cl_checksum_state s;
    cl_checksum_begin(&s);
    cl_checksum_add(&s, h, offsetof(header, sum));
    cl_checksum_add(&s, bytes, h->size);
    return cl_checksum_end(&s);
}

static clast_status open_spool(cl_chunk_order *order, const cl_output *o, cl_error *err)
{
    const cl_atomic_file *atomic = &order->outputs->file[order->file].atomic;
    if (!order->place)
        order->place = cl_calloc((size_t)order->total, sizeof *order->place);
    char *folder = order->place ? cl_strdup(atomic->target) : NULL;
    if (!folder)
        return cl_error_set(err, CLAST_ENOMEM, "%s:%s: no memory for chunks that wait",
                            o->spec.file, o->path);
    char *slash = strrchr(folder, '/');
    strcpy(slash ? slash + 1 : folder, ".");
    order->fd = cl_scratch_file(folder);
    const int error = errno;
    cl_free(folder);
    return order->fd >= 0 ? CLAST_OK : fail(o, "writing", error, err);
}

/* Under the mutex, which it lets go while it writes. */
static clast_status keep(cl_chunk_order *order, const cl_output *o, header *h,
                         const void *bytes, cl_error *err)
{
    if (order->fd < 0)
        CL_TRY(open_spool(order, o, err));
    const uint64_t at = order->end, all = sizeof *h + h->size;
    order->end += all;
    order->nwaiting++;
    cl_mutex_unlock(&order->mutex);
    h->sum = sum_of(h, bytes);
    struct iovec piece[2] = {{h, sizeof *h},
                             {(void *)(uintptr_t)bytes, (size_t)h->size}};
    int error = cl_sys_write_all(order->fd, piece, 2, (off_t)at);
    if (error == 0)
        error = cl_behind_grew(&order->behind, order->fd, all);
    cl_mutex_lock(&order->mutex);
    if (error)
        return fail(o, "writing", error, err);
    order->place[h->number] = at + 1;
    return CLAST_OK;
}

static int read_at(const cl_chunk_order *order, void *to, uint64_t bytes, uint64_t at)
{
    struct iovec piece = {to, (size_t)bytes};
    return cl_sys_read_all(order->fd, &piece, 1, (off_t)at);
}

/* The chunk `next`; one that does not fit into the room is left where it is. */
static clast_status read_back(const cl_chunk_order *order, const cl_output *o,
                              uint64_t at, header *h, void *room, uint64_t bytes,
                              bool *fits, cl_error *err)
{
    int error = read_at(order, h, sizeof *h, at);
    *fits = error == 0 && h->size <= bytes;
    if (*fits)
        error = read_at(order, room, h->size, at + sizeof *h);
    if (error)
        return fail(o, "reading back", error, err);
    if (h->number != order->next || (*fits && sum_of(h, room) != h->sum))
        return cl_error_set(err, CLAST_EIO,
                            "%s:%s: a chunk that waited for its turn is damaged: it is "
                            "not what was written",
                            o->spec.file, o->path);
    return CLAST_OK;
}

/* Gives back the space of a chunk, under the mutex. That it fails does no harm. */
static void release(cl_chunk_order *order, uint64_t at, uint64_t bytes)
{
    if (--order->nwaiting > 0) {
        if (order->end >= LARGE)
            cl_sys.fallocate(order->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                             (off_t)at, (off_t)bytes);
        return;
    }
    if (order->end > KEEP)
        cl_sys_truncate(order->fd, 0);
    order->end = 0;
}

/* --- writing -----------------------------------------------------------------------
 */

static clast_status write_chunk(const cl_chunk_order *order, const cl_output *o,
                                const header *h, const void *bytes, cl_error *err)
{
    cl_output_file *f = &order->outputs->file[order->file];
    cl_box part;
    const cl_box chunk = cl_output_chunk(o, h->number - o->first, &part);
    CL_TRY(o->by_library ? cl_copy_put(o, f, &part, bytes, err)
                         : cl_output_write_chunk(o, f, &chunk, (uint32_t)h->mask, bytes,
                                                 h->size, err));
    return cl_output_behind(o, f, h->size, err);
}

/* Both under the mutex. Between them it is free. */
static void begin_next(cl_chunk_order *order)
{
    order->is_writing = true;
    cl_mutex_unlock(&order->mutex);
}

static void end_next(cl_chunk_order *order, bool is_written)
{
    cl_mutex_lock(&order->mutex);
    order->is_writing = false;
    order->next += is_written;
    cl_cond_broadcast(&order->written);
}

/* Nothing is written before all is there. */
static bool is_late(const cl_chunk_order *order)
{
    return order->outputs->file[order->file].is_late;
}

clast_status cl_chunk_order_put(cl_chunk_order *order, const cl_output *o,
                                int64_t index, uint32_t mask, const void *bytes,
                                uint64_t size, cl_error *err)
{
    header h = {.number = o->first + index, .size = size, .mask = mask};
    clast_status status;
    cl_mutex_lock(&order->mutex);
    while (order->is_writing && h.number == order->next + 1)
        cl_cond_wait(&order->written, &order->mutex);
    if (h.number == order->next && !is_late(order)) {
        begin_next(order);
        status = write_chunk(order, o, &h, bytes, err);
        end_next(order, status == CLAST_OK);
    } else {
        status = keep(order, o, &h, bytes, err);
    }
    cl_mutex_unlock(&order->mutex);
    return status;
}

/* Whose chunk `next` is. */
static const cl_output *next_output(const cl_chunk_order *order)
{
    const cl_output *o = order->outputs->output;
    while (!is_ordered(order, o) || order->next - o->first >= o->chunks)
        o++;
    return o;
}

static bool is_due(const cl_chunk_order *order)
{
    return !order->is_writing && !is_late(order) && order->next < order->total &&
           order->place && order->place[order->next];
}

/* Under the mutex, which it lets go for the I/O. */
static clast_status drain_one(cl_chunk_order *order, void *room, uint64_t bytes,
                              bool *fits, cl_error *err)
{
    header h;
    const cl_output *o = next_output(order);
    const uint64_t at = order->place[order->next] - 1;
    begin_next(order);
    clast_status status = read_back(order, o, at, &h, room, bytes, fits, err);
    if (status == CLAST_OK && *fits)
        status = write_chunk(order, o, &h, room, err);
    const bool is_written = status == CLAST_OK && *fits;
    end_next(order, is_written);
    if (is_written)
        release(order, at, sizeof h + h.size);
    return status;
}

clast_status cl_chunk_order_drain(cl_chunk_order *order, void *room, uint64_t bytes,
                                  cl_error *err)
{
    clast_status status = CLAST_OK;
    bool fits = true;
    cl_mutex_lock(&order->mutex);
    for (int n = 0; n < DRAIN_MOST && fits && status == CLAST_OK && is_due(order); n++)
        status = drain_one(order, room, bytes, &fits, err);
    cl_mutex_unlock(&order->mutex);
    return status;
}

/* The most that a chunk of any of the outputs can have. */
static uint64_t largest(const cl_chunk_order *order)
{
    uint64_t most = 0;
    for (size_t i = 0; i < order->outputs->n; i++) {
        const cl_output *o = &order->outputs->output[i];
        const uint64_t bytes = cl_filters_bound(&o->filters, o->chunk_bytes);
        if (is_ordered(order, o))
            most = bytes > most ? bytes : most;
        if (is_ordered(order, o))
            most = o->chunk_bytes > most ? o->chunk_bytes : most;
    }
    return most;
}

clast_status cl_chunk_order_finish(cl_chunk_order *order, cl_error *err)
{
    if (order->next == order->total)
        return CLAST_OK;
    const atomic_bool *is_canceled = order->outputs->output[0].spec.is_canceled;
    const uint64_t bytes = largest(order);
    clast_status status = CLAST_OK;
    void *room = cl_alloc((size_t)bytes);
    if (!room)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for chunks that waited");
    while (status == CLAST_OK && is_due(order)) {
        status = cl_chunk_order_drain(order, room, bytes, err);
        if (status == CLAST_OK && is_canceled && atomic_load(is_canceled))
            status = cl_error_set(err, CLAST_ECANCELED,
                                  "canceled before all chunks were in the file");
    }
    cl_free(room);
    if (status == CLAST_OK && order->next < order->total)
        status = cl_error_set(err, CLAST_EINTERNAL, "chunk %lld of %lld is not there",
                              (long long)order->next, (long long)order->total);
    return status;
}
