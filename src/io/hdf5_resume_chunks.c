/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks in journals: noted or logged when they are stored, taken over by a later run.
 *
 * A checksum is of the chunk's elements in C order where the journal has only its
 * place, else of its bytes as they are in the journal. Nothing is taken over unread:
 * one that differs is computed again.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checksum.h"
#include "io/contiguous.h"
#include "io/hdf5_order.h"
#include "io/hdf5_resume.h"

static uint32_t number_of(const cl_outputs *outputs, const cl_output *o)
{
    uint32_t n = 0;
    for (const cl_output *p = outputs->output; p < o; p++)
        n += p->file == o->file;
    return n;
}

/* The rows of a part of the data; n counts bytes. */
static void each_row(const cl_output *o, const void *data, const cl_box *box,
                     const cl_box *part, cl_row_fn *fn, void *arg)
{
    const int64_t item = (int64_t)o->filters.item;
    const int last = part->ndim - 1;
    cl_box in = *box, of = *part;
    if (last < 0) {
        fn(arg, NULL, data, item);
        return;
    }
    in.lo[last] *= item;
    in.n[last] *= item;
    of.lo[last] *= item;
    of.n[last] *= item;
    cl_rows_copy((void *)(uintptr_t)data, &in, 1, data, &in, 1, &of, fn, arg);
}

static void add_row(void *arg, void *dst, const void *src, int64_t n)
{
    cl_checksum_state *const s = arg;
    cl_checksum_add(s, src, (uint64_t)n);
}

/* Of the part's elements in C order. */
static uint64_t sum_of(const cl_output *o, const void *data, const cl_box *box,
                       const cl_box *part)
{
    cl_checksum_state s;
    cl_checksum_begin(&s);
    each_row(o, data, box, part, add_row, &s);
    return cl_checksum_end(&s);
}

/* --- what is stored ----------------------------------------------------------------
 */

/* The part's elements as rows of data, which the journal writes one after another. */
typedef struct {
    struct iovec *piece;
    int n;
} rows;

static void note_row(void *arg, void *dst, const void *src, int64_t n)
{
    rows *r = arg;
    r->piece[r->n++] = (struct iovec){(void *)(uintptr_t)src, (size_t)n};
}

static clast_status log_rows(const cl_outputs *outputs, const cl_output *o,
                             const cl_box *box, const cl_box *part,
                             cl_journal_entry *entry, const void *data, cl_error *err)
{
    const cl_output_file *f = &outputs->file[o->file];
    const int64_t count = cl_box_count(part);
    const int last = part->ndim - 1;
    const int64_t most = last >= 0 ? count / part->n[last] : 1;
    rows r = {.piece = most < INT32_MAX ? cl_alloc_array((size_t)most, sizeof *r.piece)
                                        : NULL};
    if (!r.piece)
        return cl_resume_no_memory(f->atomic.file, err);
    entry->bytes = (uint64_t)count * o->filters.item;
    each_row(o, data, box, part, note_row, &r);
    const clast_status status = cl_journal_append(f->journal, entry, r.n, r.piece, err);
    cl_free(r.piece);
    return status;
}

clast_status cl_resume_note(const cl_outputs *outputs, const cl_output *o,
                            const cl_box *box, const cl_box *part, int64_t index,
                            const void *data, cl_error *err)
{
    const cl_output_file *f = &outputs->file[o->file];
    cl_journal_entry entry = {.output = number_of(outputs, o),
                              .chunk = index,
                              .checksum = sum_of(o, data, box, part)};
    return f->is_logged
               ? log_rows(outputs, o, box, part, &entry, data, err)
               : cl_journal_add(f->journal, &entry,
                                (uint64_t)cl_box_count(part) * o->filters.item, err);
}

clast_status cl_resume_log(const cl_outputs *outputs, const cl_output *o, int64_t index,
                           uint32_t mask, const void *bytes, uint64_t size,
                           cl_error *err)
{
    const cl_journal_entry entry = {.output = number_of(outputs, o),
                                    .mask = mask,
                                    .chunk = index,
                                    .checksum = cl_checksum(bytes, size),
                                    .bytes = size};
    struct iovec piece = {(void *)(uintptr_t)bytes, size};
    return cl_journal_append(outputs->file[o->file].journal, &entry, 1, &piece, err);
}
/* --- taking over -------------------------------------------------------------------
 */

typedef struct {
    cl_outputs *outputs;
    size_t file;
    bool is_dry;
    unsigned char *room; /* for a chunk as it is stored, then for one in C order */
    uint64_t capacity;
    int64_t damaged;
} takeover;

/* The n-th output of a file, NULL: there are not so many. */
static cl_output *output_of(const takeover *t, uint32_t n)
{
    for (size_t i = 0; i < t->outputs->n; i++)
        if (t->outputs->output[i].file == t->file && n-- == 0)
            return &t->outputs->output[i];
    return NULL;
}
static clast_status make_room(takeover *t, uint64_t bytes, cl_error *err)
{
    if (bytes <= t->capacity)
        return CLAST_OK;
    cl_free(t->room);
    t->capacity = 0;
    t->room = cl_alloc(bytes);
    if (!t->room)
        return cl_resume_no_memory(t->outputs->file[t->file].atomic.file, err);
    t->capacity = bytes;
    return CLAST_OK;
}

/* A chunk whose bytes are in the file. */
static clast_status take_place(takeover *t, cl_output *o, const cl_journal_entry *e,
                               bool *is_good, cl_error *err)
{
    const cl_output_file *f = &t->outputs->file[t->file];
    cl_box part;
    const cl_box chunk = cl_output_chunk(o, e->chunk, &part);
    CL_TRY(make_room(t, o->chunk_bytes, err));
    struct iovec piece = {t->room, o->chunk_bytes};
    const int error = cl_sys_read_all(
        f->fd, &piece, 1, (off_t)(o->address + (uint64_t)e->chunk * o->chunk_bytes));
    if (error > 0)
        return cl_error_set(err, cl_status_from_errno(error), "%s: reading failed: %s",
                            f->atomic.temp, strerror(error));
    *is_good = error == 0 && sum_of(o, t->room, &chunk, &part) == e->checksum;
    return CLAST_OK;
}

/* A chunk of the journal, into the new file. */
static clast_status take_bytes(takeover *t, cl_output *o, int fd,
                               const cl_journal_entry *e, bool *is_good, cl_error *err)
{
    cl_output_file *f = &t->outputs->file[t->file];
    cl_box part;
    const cl_box chunk = cl_output_chunk(o, e->chunk, &part);
    const uint64_t most =
        o->is_direct ? o->chunk_bytes : cl_filters_bound(&o->filters, o->chunk_bytes);
    *is_good = e->bytes <= most;
    if (!*is_good)
        return CLAST_OK;
    CL_TRY(make_room(t, most, err));
    CL_TRY(cl_journal_read(fd, e, t->room, is_good, err));
    if (!*is_good)
        return CLAST_OK;
    if (!o->is_direct) {
        CL_TRY(
            cl_chunk_order_put(f->order, o, e->chunk, e->mask, t->room, e->bytes, err));
        return cl_chunk_order_drain(f->order, t->room, t->capacity, err);
    }
    cl_runs runs;
    cl_runs_init(&runs, f->fd, true, f->bytes);
    int error = cl_runs_box(&runs, o->address + (uint64_t)e->chunk * o->chunk_bytes,
                            &chunk, t->room, &part, &part, o->filters.item);
    if (!error)
        error = cl_runs_flush(&runs);
    if (error)
        return cl_error_set(err, cl_status_from_errno(error < 0 ? EIO : error),
                            "%s: writing failed: %s", f->atomic.file,
                            strerror(error < 0 ? EIO : error));
    return CLAST_OK;
}

static clast_status take_entry(void *arg, int fd, const cl_journal_entry *e,
                               cl_error *err)
{
    takeover *t = arg;
    const cl_output_file *f = &t->outputs->file[t->file];
    cl_output *o = output_of(t, e->output);
    bool is_good = o && e->chunk >= 0 && e->chunk < o->chunks;
    const atomic_bool *is_canceled = t->outputs->output[0].spec.is_canceled;
    if (is_canceled && atomic_load(is_canceled))
        return cl_error_set(err, CLAST_ECANCELED, "canceled while it was resumed");
    if (is_good && cl_output_is_taken(o, e->chunk))
        return CLAST_OK; /* a second record of the same bytes */
    if (is_good && !t->is_dry)
        CL_TRY(f->is_logged ? take_bytes(t, o, fd, e, &is_good, err)
                            : take_place(t, o, e, &is_good, err));
    t->damaged += !is_good;
    if (is_good && !cl_output_take(o, e->chunk))
        return cl_resume_no_memory(f->atomic.file, err);
    return CLAST_OK;
}

static void tell_taken(const takeover *t)
{
    const cl_outputs *outputs = t->outputs;
    for (size_t i = 0; i < outputs->n; i++) {
        const cl_output *o = &outputs->output[i];
        if (o->file == t->file && o->taken)
            cl_log_info(&outputs->log,
                        "%s:%s: %lld of %lld chunks are there from an earlier run",
                        o->spec.file, o->path,
                        (long long)(o->chunks - atomic_load(&o->missing)),
                        (long long)o->chunks);
    }
    if (t->damaged > 0)
        cl_log_warning(&outputs->log,
                       "%s: %lld chunks of an earlier run are damaged and are computed "
                       "again",
                       outputs->file[t->file].atomic.file, (long long)t->damaged);
}

clast_status cl_resume_take(cl_outputs *outputs, size_t file, const char *name,
                            bool is_dry, cl_error *err)
{
    takeover t = {.outputs = outputs, .file = file, .is_dry = is_dry};
    cl_journal_state again = {0};
    const clast_status status = cl_journal_look(name, &again, take_entry, &t, err);
    cl_free(again.text);
    cl_free(t.room);
    if (status == CLAST_OK && !is_dry)
        tell_taken(&t);
    return status;
}
