/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading boxes of a dataset.
 *
 * Fetch looks up where the box's chunks are stored (the only step under the lock, a
 * fraction of a microsecond a chunk) and reads with as few positioned reads as
 * possible. Decode undoes filters and converts, without any lock, so both scale with
 * threads.
 *
 *   unfiltered  stored elements go straight to the end of dst, C-contiguous over the
 *               box; decode converts them in place, front to back; staging = [room for
 *               reads past the page cache][table of chunks]
 *   filtered    staging = [table of chunks][two chunks of work][their stored bytes,
 *               back to back][what the codec's library takes]; decode inflates straight
 *               into dst where the chunk is one run of the box, else row by row
 *   library     H5Dread to the end of dst
 *
 * Chunks that were never written hold the fill value, in stored representation. Every
 * read is bounded by the size of the file, every stored chunk by cl_filters_bound().
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/contiguous.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_source.h"

#define ALIGN 64

/* A chunk of the box, in staging between fetch and decode. */
typedef struct {
    uint64_t at, bytes, slot;
    uint32_t mask, state; /* cl_chunk_state */
} chunk_entry;

/* The chunks that a box touches, in C order. */
typedef struct {
    const cl_source_info *info;
    const cl_box *box;
    int64_t first[CL_MAXDIM], count[CL_MAXDIM], at[CL_MAXDIM];
    int64_t n;
} chunk_walk;

static uint64_t align(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static chunk_walk walk_begin(const cl_hdf5_source *s, const cl_box *box)
{
    chunk_walk w = {.info = &s->base.info, .box = box, .n = 1};
    for (int a = 0; a < box->ndim; a++) {
        const int64_t chunk = w.info->chunk[a];
        w.first[a] = box->lo[a] / chunk;
        w.count[a] = (box->lo[a] + box->n[a] - 1) / chunk - w.first[a] + 1;
        w.n *= w.count[a];
    }
    return w;
}

static void walk_next(chunk_walk *w)
{
    for (int a = w->box->ndim - 1; a >= 0; a--) {
        if (++w->at[a] < w->count[a])
            return;
        w->at[a] = 0;
    }
}

/* The whole chunk, also where it reaches over the array's end, and its part that is in
 * the box. */
static cl_box chunk_box(const chunk_walk *w, cl_box *part)
{
    cl_box chunk = {.ndim = w->box->ndim};
    for (int a = 0; a < chunk.ndim; a++) {
        chunk.lo[a] = (w->first[a] + w->at[a]) * w->info->chunk[a];
        chunk.n[a] = w->info->chunk[a];
    }
    cl_box_intersect(&chunk, w->box, part);
    return chunk;
}

static bool is_partial(const chunk_walk *w, const cl_box *chunk)
{
    for (int a = 0; a < chunk->ndim; a++)
        if (chunk->n[a] > w->info->shape.dim[a] - chunk->lo[a])
            return true;
    return false;
}

static clast_status fail_chunk(const cl_hdf5_source *s, const chunk_walk *w,
                               clast_status status, const char *what, cl_error *err)
{
    char text[200] = "(";
    size_t used = 1;
    for (int a = 0; a < w->box->ndim && used < sizeof text - 1; a++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%lld",
                             a > 0 ? ", " : "", (long long)(w->first[a] + w->at[a]));
    return cl_error_set(err, status, "%s: chunk %s%s: %s", s->where, text,
                        w->box->ndim == 1 ? ",)" : ")", what);
}

static bool is_large(const cl_hdf5_source *s)
{
    const cl_box whole = cl_box_whole(&s->base.info.shape);
    const uint64_t item = cl_convert_stored_size(&s->convert);
    return s->file->direct.is_open &&
           (uint64_t)cl_box_count(&whole) >= s->file->direct.least / item;
}

void cl_hdf5_count_staging(cl_hdf5_source *s)
{
    cl_source_info *info = &s->base.info;
    s->is_large =
        (s->access == CL_ACCESS_CONTIGUOUS || s->access == CL_ACCESS_CHUNKED) &&
        is_large(s);
    info->staging_fixed = s->is_large ? CL_RUNS_ROOM : 0;
    info->is_plain =
        (s->access == CL_ACCESS_CONTIGUOUS || s->access == CL_ACCESS_CHUNKED) &&
        !s->is_large;
    info->is_in_place = info->is_plain && cl_convert_is_identity(&s->convert);
    const uint64_t chunk = align(s->chunk_bytes);
    switch (s->access) {
    case CL_ACCESS_FILTERED:
        info->staging_per_chunk = align(sizeof(chunk_entry)) +
                                  align(cl_filters_bound(&s->filters, s->chunk_bytes));
        info->staging_fixed = (2 + (uint64_t)cl_filters_work(&s->filters)) * chunk;
        break;
    case CL_ACCESS_CHUNKED:
        info->staging_per_chunk = align(sizeof(chunk_entry));
        break;
    case CL_ACCESS_LIBRARY: /* what libhdf5 allocates: a stored and a decoded chunk */
        info->staging_fixed = info->is_filtered ? 2 * chunk : chunk;
        break;
    default:
        break;
    }
}

uint64_t cl_hdf5_staging(const cl_source *source, const cl_box *box)
{
    const cl_hdf5_source *s = (const cl_hdf5_source *)source;
    uint64_t bytes = source->info.staging_fixed;
    if (source->info.staging_per_chunk > 0 && cl_box_count(box) > 0)
        bytes += (uint64_t)walk_begin(s, box).n * source->info.staging_per_chunk;
    return bytes;
}

/* Where the stored elements of an unfiltered box go: the end of dst. */
static void *tail_of(const cl_hdf5_source *s, const cl_box *box, void *dst)
{
    const size_t more =
        clast_dtype_size(s->convert.dtype) - cl_convert_stored_size(&s->convert);
    return (char *)dst + (size_t)cl_box_count(box) * more;
}

/* A cl_row_fn that ignores src. */
static void fill_row(void *arg, void *dst, const void *src, int64_t n)
{
    const cl_hdf5_source *s = arg;
    const size_t item = cl_convert_stored_size(&s->convert);
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)dst + (size_t)i * item, s->fill, item);
}

static void fill_part(cl_hdf5_source *s, void *raw, const cl_box *box,
                      const cl_box *part)
{
    const uint64_t item = cl_convert_stored_size(&s->convert);
    cl_rows_copy(raw, box, item, raw, box, item, part, fill_row, s);
}

static clast_status check_moved(const cl_hdf5_source *s, int error, cl_error *err)
{
    if (error == 0)
        return CLAST_OK;
    if (error < 0)
        return cl_error_set(
            err, CLAST_EFORMAT,
            "%s: data lies behind the end of the file (%lld bytes): the "
            "file is cut off or damaged",
            s->where, (long long)s->file->at_open.st_size);
    return cl_error_set(err, cl_status_from_errno(error), "%s: reading failed: %s",
                        s->where, strerror(error));
}

/* staging: NULL where the cache is not passed, as for what has filters. */
static void begin_runs(const cl_hdf5_source *s, const cl_fetching *how, cl_runs *runs,
                       void *staging)
{
    cl_runs_init(runs, s->file->fd, false, (uint64_t)s->file->at_open.st_size);
    runs->patience = how->patience;
    if (staging && s->is_large && s->file->direct.is_open)
        cl_runs_pass_cache(runs, &s->file->direct, staging);
}

/* What is left to read, where there was no error so far, and what came of it all. */
static clast_status end_runs(const cl_hdf5_source *s, cl_runs *runs, int error,
                             cl_fetching *how, cl_error *err)
{
    if (error == 0)
        error = cl_runs_flush(runs);
    how->stored = runs->moved;
    how->waited = runs->waited;
    return how->patience == CL_HASTY && how->waited ? CLAST_OK
                                                    : check_moved(s, error, err);
}

static bool select_box(hid_t space, const int64_t *origin, const cl_box *part)
{
    hsize_t lo[CL_MAXDIM], n[CL_MAXDIM];
    for (int a = 0; a < part->ndim; a++) {
        lo[a] = (hsize_t)(part->lo[a] - origin[a]);
        n[a] = (hsize_t)part->n[a];
    }
    return space >= 0 &&
           (part->ndim == 0 ||
            H5Sselect_hyperslab(space, H5S_SELECT_SET, lo, NULL, n, NULL) >= 0);
}

static hid_t memory_space(const cl_box *box)
{
    hsize_t dim[CL_MAXDIM];
    for (int a = 0; a < box->ndim; a++)
        dim[a] = (hsize_t)box->n[a];
    return box->ndim == 0 ? H5Screate(H5S_SCALAR)
                          : H5Screate_simple(box->ndim, dim, NULL);
}

/* A host may have given its dataset another extent since it was opened. */
static bool has_shape(hid_t space, const cl_shape *shape)
{
    hsize_t dim[CL_MAXDIM];
    if (space < 0 || H5Sget_simple_extent_ndims(space) != shape->ndim ||
        H5Sget_simple_extent_dims(space, dim, NULL) != shape->ndim)
        return false;
    for (int a = 0; a < shape->ndim; a++)
        if (dim[a] != (hsize_t)shape->dim[a])
            return false;
    return true;
}

/* The part of a box through H5Dread; raw is C-contiguous over the box. Under the lock.
 */
static clast_status read_by_library(const cl_hdf5_source *s, const cl_box *box,
                                    const cl_box *part, void *raw, cl_error *err)
{
    const int64_t zero[CL_MAXDIM] = {0};
    const hid_t memory = memory_space(box), file = H5Dget_space(s->client->dataset);
    clast_status status = CLAST_OK;
    if (file >= 0 && !has_shape(file, &s->base.info.shape))
        status = cl_error_set(
            err, CLAST_EIO, "%s was given another shape while it is in use", s->where);
    else if (!select_box(memory, box->lo, part) || !select_box(file, zero, part) ||
             H5Dread(s->client->dataset, s->memory_type, memory, file, H5P_DEFAULT,
                     raw) < 0)
        status = cl_hdf5_fail(err, CLAST_EFORMAT, "%s: reading failed", s->where);
    if (memory >= 0)
        H5Sclose(memory);
    if (file >= 0)
        H5Sclose(file);
    return status;
}

/* Where a chunk is: the one question to libhdf5, unless there is a description. */
static void locate(const cl_hdf5_source *s, const cl_box *chunk, chunk_entry *e)
{
    hsize_t offset[CL_MAXDIM];
    uint64_t index = 0;
    for (int a = 0; a < chunk->ndim; a++) {
        const int64_t extent = s->base.info.chunk[a], dim = s->base.info.shape.dim[a];
        offset[a] = (hsize_t)chunk->lo[a];
        index = index * (uint64_t)((dim - 1) / extent + 1) +
                (uint64_t)(chunk->lo[a] / extent);
    }
    if (!s->is_described) {
        e->state =
            cl_hdf5_locate(s->client->dataset, offset, &e->at, &e->bytes, &e->mask);
        return;
    }
    const cl_described_chunk *c =
        cl_described_chunk_find(s->described, s->ndescribed, index);
    e->state = c ? CL_CHUNK_STORED : CL_CHUNK_ABSENT;
    if (c) {
        e->at = c->at;
        e->bytes = c->bytes;
        e->mask = c->mask;
    }
}

/* Where a chunk is stored, if anything of its part in the box is wanted. */
static void look_up(const cl_hdf5_source *s, const cl_box *chunk,
                    const cl_lattice *wanted, const cl_box *part, chunk_entry *e)
{
    *e = (chunk_entry){.state = CL_CHUNK_UNWANTED};
    if (cl_lattice_meets(wanted, part))
        locate(s, chunk, e);
}

static void enter(const cl_hdf5_source *s, cl_hdf5_guard *guard)
{
    if (!s->is_described)
        cl_hdf5_enter(guard);
}

static clast_status wake(const cl_hdf5_source *s, cl_error *err)
{
    return s->is_described ? CLAST_OK : cl_hdf5_source_wake(s, err);
}

static void leave(const cl_hdf5_source *s, const cl_hdf5_guard *guard)
{
    if (!s->is_described)
        cl_hdf5_leave(guard);
}

/* --- unfiltered ---------------------------------------------------------------- */

static clast_status locate_plain(cl_hdf5_source *s, const cl_box *box,
                                 const cl_lattice *wanted, void *raw,
                                 chunk_entry *table, cl_error *err)
{
    cl_hdf5_guard guard;
    enter(s, &guard);
    clast_status status = wake(s, err);
    chunk_walk w = walk_begin(s, box);
    for (int64_t i = 0; i < w.n && status == CLAST_OK; i++, walk_next(&w)) {
        cl_box part;
        const cl_box chunk = chunk_box(&w, &part);
        look_up(s, &chunk, wanted, &part, &table[i]);
        if (table[i].state == CL_CHUNK_STORED && table[i].bytes != s->chunk_bytes)
            status = fail_chunk(s, &w, CLAST_EFORMAT,
                                "its stored size is not that of a chunk", err);
        if (table[i].state == CL_CHUNK_UNKNOWN)
            status = read_by_library(s, box, &part, raw, err);
    }
    leave(s, &guard);
    return status;
}

static clast_status fetch_chunked(cl_hdf5_source *s, const cl_box *box,
                                  const cl_lattice *wanted, void *raw, void *staging,
                                  cl_fetching *how, cl_error *err)
{
    chunk_entry *table = (void *)((char *)staging + s->base.info.staging_fixed);
    cl_runs runs;
    int error = 0;
    const uint64_t item = cl_convert_stored_size(&s->convert);
    CL_TRY(locate_plain(s, box, wanted, raw, table, err));
    begin_runs(s, how, &runs, staging);
    chunk_walk w = walk_begin(s, box);
    for (int64_t i = 0; i < w.n && error == 0; i++, walk_next(&w)) {
        cl_box part;
        const cl_box chunk = chunk_box(&w, &part);
        if (table[i].state == CL_CHUNK_STORED)
            error = cl_runs_lattice(&runs, table[i].at, &chunk, raw, box, &part, wanted,
                                    item);
        else if (table[i].state == CL_CHUNK_ABSENT)
            fill_part(s, raw, box, &part);
    }
    return end_runs(s, &runs, error, how, err);
}

static clast_status fetch_contiguous(cl_hdf5_source *s, const cl_box *box,
                                     const cl_lattice *wanted, void *raw, void *staging,
                                     cl_fetching *how, cl_error *err)
{
    cl_runs runs;
    const cl_box whole = cl_box_whole(&s->base.info.shape);
    begin_runs(s, how, &runs, staging);
    int error = cl_runs_lattice(&runs, s->address, &whole, raw, box, box, wanted,
                                cl_convert_stored_size(&s->convert));
    return end_runs(s, &runs, error, how, err);
}

static clast_status fetch_by_library(cl_hdf5_source *s, const cl_box *box, void *raw,
                                     cl_fetching *how, cl_error *err)
{
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    clast_status status = cl_hdf5_source_wake(s, err);
    if (status == CLAST_OK)
        status = read_by_library(s, box, box, raw, err);
    cl_hdf5_leave(&guard);
    how->stored = (uint64_t)cl_box_count(box) * cl_convert_stored_size(&s->convert);
    return status;
}

/* --- filtered ------------------------------------------------------------------ */

typedef struct {
    chunk_entry *table;
    unsigned char *slots, *work, *more_work;
} staging_layout;

static staging_layout lay_out(const cl_hdf5_source *s, int64_t chunks, void *staging)
{
    staging_layout l = {.table = staging};
    l.work = (unsigned char *)staging + align((uint64_t)chunks * sizeof(chunk_entry));
    l.more_work = l.work + align(s->chunk_bytes);
    l.slots = l.more_work + align(s->chunk_bytes);
    return l;
}

/* Stored bytes through H5Dread_chunk, where no address was to be had. Under the lock.
 */
static clast_status read_stored(const cl_hdf5_source *s, const chunk_walk *w,
                                const cl_box *chunk, chunk_entry *e, void *slot,
                                cl_error *err)
{
    hsize_t offset[CL_MAXDIM], size = 0;
    for (int a = 0; a < chunk->ndim; a++)
        offset[a] = (hsize_t)chunk->lo[a];
    if (H5Dget_chunk_storage_size(s->client->dataset, offset, &size) >= 0 &&
        size <= cl_filters_bound(&s->filters, s->chunk_bytes) &&
        H5Dread_chunk(s->client->dataset, H5P_DEFAULT, offset, &e->mask, slot) >= 0) {
        e->bytes = size;
        return CLAST_OK;
    }
    cl_error inner = {0};
    cl_hdf5_fail(&inner, CLAST_EFORMAT, "it cannot be read");
    return fail_chunk(s, w, inner.status, inner.text, err);
}

static clast_status locate_filtered(cl_hdf5_source *s, const cl_box *box,
                                    const cl_lattice *wanted, const staging_layout *l,
                                    cl_error *err)
{
    const uint64_t most = cl_filters_bound(&s->filters, s->chunk_bytes);
    uint64_t used = 0;
    cl_hdf5_guard guard;
    enter(s, &guard);
    clast_status status = wake(s, err);
    chunk_walk w = walk_begin(s, box);
    for (int64_t i = 0; i < w.n && status == CLAST_OK; i++, walk_next(&w)) {
        cl_box part;
        const cl_box chunk = chunk_box(&w, &part);
        chunk_entry *e = &l->table[i];
        look_up(s, &chunk, wanted, &part, e);
        if (e->state == CL_CHUNK_UNKNOWN)
            status = read_stored(s, &w, &chunk, e, l->slots + used, err);
        else if (e->state == CL_CHUNK_STORED && e->bytes > most)
            status = fail_chunk(
                s, &w, CLAST_EFORMAT,
                "it is stored in more bytes than any filter makes of it", err);
        if (s->has_raw_edges && is_partial(&w, &chunk))
            e->mask = UINT32_MAX;
        e->slot = used;
        used += e->bytes;
    }
    leave(s, &guard);
    return status;
}

static clast_status fetch_filtered(cl_hdf5_source *s, const cl_box *box,
                                   const cl_lattice *wanted, void *staging,
                                   cl_fetching *how, cl_error *err)
{
    const int64_t n = walk_begin(s, box).n;
    const staging_layout l = lay_out(s, n, staging);
    cl_runs runs;
    uint64_t stored = 0;
    int error = 0;
    CL_TRY(locate_filtered(s, box, wanted, &l, err));
    begin_runs(s, how, &runs, NULL);
    for (int64_t i = 0; i < n && error == 0; i++) {
        const chunk_entry *e = &l.table[i];
        if (e->state == CL_CHUNK_STORED)
            error = cl_runs_add(&runs, e->at, l.slots + e->slot, e->bytes);
        stored += e->bytes;
    }
    const clast_status status = end_runs(s, &runs, error, how, err);
    how->stored = stored;
    return status;
}

/* One chunk from its slot to its place in dst. A chunk that is one run of the box is
 * decoded there and converted in place. */
static const char *decode_chunk(cl_hdf5_source *s, const chunk_entry *e,
                                const staging_layout *l, const cl_unpacker *unpacker,
                                const cl_box *box, const cl_box *chunk,
                                const cl_box *part, void *dst)
{
    const char *what = NULL;
    const uint64_t from = cl_convert_stored_size(&s->convert);
    const uint64_t to = clast_dtype_size(s->convert.dtype);
    const bool is_whole = cl_box_count(part) == cl_box_count(chunk);
    const bool is_direct = from == to && is_whole && cl_box_is_run(part, box);
    char *place = (char *)dst + (uint64_t)cl_box_position(part, box) * to;
    void *out = is_direct ? (void *)place : l->work;
    if (e->state == CL_CHUNK_UNWANTED)
        return NULL;
    if (e->state == CL_CHUNK_ABSENT)
        fill_row(s, out, NULL, cl_box_count(chunk));
    else if (!cl_filters_undo(unpacker, e->mask, l->slots + e->slot, e->bytes, out,
                              l->more_work, s->chunk_bytes, &what))
        return what;
    if (!is_direct)
        cl_rows_copy(dst, box, to, l->work, chunk, from, part, cl_convert_run,
                     &s->convert);
    else if (!cl_convert_is_identity(&s->convert))
        cl_convert_run(&s->convert, place, place, cl_box_count(part));
    return NULL;
}

static clast_status decode_filtered(cl_hdf5_source *s, const cl_box *box, void *dst,
                                    void *staging, cl_error *err)
{
    cl_unpacker unpacker;
    if (!cl_unpacker_open(&unpacker, &s->filters))
        return cl_error_set(err, CLAST_ENOMEM, "%s: no memory to decode", s->where);
    clast_status status = CLAST_OK;
    chunk_walk w = walk_begin(s, box);
    const staging_layout l = lay_out(s, w.n, staging);
    for (int64_t i = 0; i < w.n && status == CLAST_OK; i++, walk_next(&w)) {
        cl_box part;
        const cl_box chunk = chunk_box(&w, &part);
        const char *what =
            decode_chunk(s, &l.table[i], &l, &unpacker, box, &chunk, &part, dst);
        if (what)
            status = fail_chunk(s, &w, CLAST_EFORMAT, what, err);
    }
    cl_unpacker_close(&unpacker);
    return status;
}

/* --- the class functions --------------------------------------------------------- */

static clast_status check_box(const cl_hdf5_source *s, const cl_box *box, cl_error *err)
{
    const cl_shape *shape = &s->base.info.shape;
    bool is_inside = box->ndim == shape->ndim;
    for (int a = 0; is_inside && a < box->ndim; a++)
        is_inside = box->lo[a] >= 0 && box->n[a] >= 0 && box->lo[a] <= shape->dim[a] &&
                    box->n[a] <= shape->dim[a] - box->lo[a];
    if (is_inside)
        return CLAST_OK;
    return cl_error_set(err, CLAST_EINTERNAL, "%s: a box outside of the array",
                        s->where);
}

/* While the file is used. */
static clast_status fetch(cl_hdf5_source *s, const cl_box *box,
                          const cl_lattice *wanted, void *dst, void *staging,
                          cl_fetching *how, cl_error *err)
{
    CL_TRY(cl_hdf5_file_check(s->file, err));
    void *raw = tail_of(s, box, dst);
    switch (s->access) {
    case CL_ACCESS_NONE:
        fill_part(s, raw, box, box);
        return CLAST_OK;
    case CL_ACCESS_CONTIGUOUS:
        return fetch_contiguous(s, box, wanted, raw, staging, how, err);
    case CL_ACCESS_CHUNKED:
        return fetch_chunked(s, box, wanted, raw, staging, how, err);
    case CL_ACCESS_FILTERED:
        return fetch_filtered(s, box, wanted, staging, how, err);
    default:
        how->waited = how->patience == CL_HASTY; /* nobody knows what libhdf5 does */
        return how->waited ? CLAST_OK : fetch_by_library(s, box, raw, how, err);
    }
}

clast_status cl_hdf5_fetch(cl_source *source, const cl_box *box,
                           const cl_lattice *wanted, void *dst, void *staging,
                           cl_fetching *how, cl_error *err)
{
    cl_hdf5_source *s = (cl_hdf5_source *)source;
    CL_TRY(check_box(s, box, err));
    CL_TRY(cl_hdf5_file_use(s->file, err));
    clast_status status = fetch(s, box, wanted, dst, staging, how, err);
    if (status == CLAST_OK) /* nor was it changed while it was read */
        status = cl_hdf5_file_check(s->file, err);
    cl_hdf5_file_unuse(s->file);
    return status;
}

clast_status cl_hdf5_decode(cl_source *source, const cl_box *box, void *dst,
                            void *staging, cl_error *err)
{
    cl_hdf5_source *s = (cl_hdf5_source *)source;
    if (s->access == CL_ACCESS_FILTERED)
        return decode_filtered(s, box, dst, staging, err);
    if (!cl_convert_is_identity(&s->convert))
        cl_convert_run(&s->convert, dst, tail_of(s, box, dst), cl_box_count(box));
    return CLAST_OK;
}
