/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing units of outputs.
 *
 * A unit is cut into storage chunks. Direct outputs are written in place by positioned
 * writes, rows of neighbouring chunks in one call; the padding of chunks that the
 * array's end cuts stays zero. Others are gathered, shuffled and compressed by the
 * caller of put, and go to the file in an order of their own (hdf5_order.h); only
 * H5Dwrite_chunk takes the lock.
 *
 * Each chunk is written exactly once: libhdf5 would keep the old filter mask of a
 * rewritten one.
 *
 * Writers of a synced file go at the pace of the disk (behind.h), so that the final
 * fsync is short; those of direct outputs that would fill much of the page cache do so
 * synced or not.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "io/contiguous.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_order.h"
#include "io/hdf5_resume.h"

#define ALIGN 64

static uint64_t align(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* The chunk's elements, what the filters make of them, and what they work with. */
static uint64_t chunk_room(const cl_output *o)
{
    return 2 * align(o->chunk_bytes) +
           align(cl_filters_bound(&o->filters, o->chunk_bytes));
}

static uint64_t staging_of(const cl_output *o)
{
    return chunk_room(o) + align(cl_packer_bytes(&o->filters, o->chunk_bytes));
}

uint64_t cl_output_staging(const cl_output_spec *spec)
{
    cl_output o;
    uint64_t bytes = 0;
    if (cl_output_settle(&o, spec, NULL) == CLAST_OK && !o.is_direct)
        bytes = staging_of(&o);
    cl_free(o.path);
    return bytes;
}

/* The chunks of a unit in C order. */
typedef struct {
    const cl_output *o;
    const cl_box *box;
    int64_t at[CL_MAXDIM], left;
} unit_walk;

static unit_walk unit_begin(const cl_output *o, const cl_box *box)
{
    unit_walk w = {.o = o, .box = box, .left = 1};
    for (int a = 0; a < box->ndim; a++) {
        w.at[a] = box->lo[a] / o->chunk[a];
        w.left *= (box->n[a] - 1) / o->chunk[a] + 1;
    }
    return w;
}

static void unit_next(unit_walk *w)
{
    w->left--;
    for (int a = w->box->ndim - 1; a >= 0; a--) {
        const int64_t end = w->box->lo[a] + w->box->n[a];
        if (++w->at[a] * w->o->chunk[a] < end)
            return;
        w->at[a] = w->box->lo[a] / w->o->chunk[a];
    }
}

/* The whole chunk, its part within the array, and its number. */
static cl_box unit_chunk(const unit_walk *w, cl_box *part, int64_t *index)
{
    cl_box chunk = {.ndim = w->box->ndim};
    *index = 0;
    for (int a = 0; a < chunk.ndim; a++) {
        chunk.lo[a] = w->at[a] * w->o->chunk[a];
        chunk.n[a] = w->o->chunk[a];
        *index = *index * w->o->grid[a] + w->at[a];
    }
    if (!cl_box_intersect(&chunk, w->box, part))
        *part = chunk; /* rank 0 */
    return chunk;
}

cl_box cl_output_chunk(const cl_output *o, int64_t index, cl_box *part)
{
    const cl_box whole = cl_box_whole(&o->spec.shape);
    cl_box chunk = {.ndim = whole.ndim};
    for (int a = chunk.ndim - 1; a >= 0; a--) {
        chunk.lo[a] = index % o->grid[a] * o->chunk[a];
        chunk.n[a] = o->chunk[a];
        index /= o->grid[a];
    }
    if (!cl_box_intersect(&chunk, &whole, part))
        *part = chunk; /* rank 0 */
    return chunk;
}

static clast_status check_unit(const cl_output *o, const cl_box *box, cl_error *err)
{
    const cl_shape *shape = &o->spec.shape;
    bool is_good = box->ndim == shape->ndim;
    for (int a = 0; is_good && a < box->ndim; a++) {
        const int64_t end = box->lo[a] + box->n[a];
        is_good = box->lo[a] >= 0 && box->n[a] > 0 && end <= shape->dim[a] &&
                  box->lo[a] % o->chunk[a] == 0 &&
                  (end == shape->dim[a] || end % o->chunk[a] == 0);
    }
    if (is_good)
        return CLAST_OK;
    return cl_error_set(err, CLAST_EINTERNAL, "%s:%s: a unit that is not whole chunks",
                        o->spec.file, o->path);
}

/* Each chunk once. */
static clast_status mark_chunk(cl_output *o, int64_t index, cl_error *err)
{
    const unsigned char bit = (unsigned char)(1u << index % 8);
    if (!(atomic_fetch_or(&o->written[index / 8], bit) & bit)) {
        atomic_fetch_sub(&o->missing, 1);
        return CLAST_OK;
    }
    return cl_error_set(err, CLAST_EINTERNAL, "%s:%s: chunk %lld is written twice",
                        o->spec.file, o->path, (long long)index);
}

bool cl_output_is_taken(const cl_output *o, int64_t index)
{
    return o->taken && o->taken[index / 8] >> index % 8 & 1;
}

bool cl_output_take(cl_output *o, int64_t index)
{
    if (!o->taken && !(o->taken = cl_calloc((size_t)(o->chunks / 8 + 1), 1)))
        return false;
    o->taken[index / 8] |= (unsigned char)(1u << index % 8);
    return cl_output_is_taken(o, index) && mark_chunk(o, index, NULL) == CLAST_OK;
}

static clast_status fail_write(const cl_output *o, int error, cl_error *err)
{
    return cl_error_set(err, cl_status_from_errno(error), "%s:%s: writing failed: %s",
                        o->spec.file, o->path, strerror(error));
}

static clast_status fail_packing(const cl_output *o, cl_error *err)
{
    return cl_error_set(err, CLAST_ENOMEM, "%s:%s: no memory to compress", o->spec.file,
                        o->path);
}

clast_status cl_output_behind(const cl_output *o, cl_output_file *f, uint64_t bytes,
                              cl_error *err)
{
    if (!f->is_synced || f->fd < 0)
        return CLAST_OK;
    const int error = cl_behind_grew(&f->behind, f->fd, bytes);
    return error ? fail_write(o, error, err) : CLAST_OK;
}

static int put_chunk_direct(cl_output *o, cl_runs *runs, const unit_walk *w,
                            const void *data)
{
    cl_box part;
    int64_t index;
    const cl_box chunk = unit_chunk(w, &part, &index);
    const uint64_t at = o->address + (uint64_t)index * o->chunk_bytes;
    /* Holes between chunks belong to other units; those within this chunk are ours. */
    const int error = at != runs->end ? cl_runs_flush(runs) : 0;
    if (error)
        return error;
    return cl_runs_box(runs, at, &chunk, (void *)(uintptr_t)data, w->box, &part,
                       o->filters.item);
}

static clast_status note_unit(const cl_outputs *outputs, const cl_output *o,
                              const cl_box *box, const void *data, cl_error *err)
{
    unit_walk w = unit_begin(o, box);
    for (; w.left > 0; unit_next(&w)) {
        cl_box part;
        int64_t index;
        unit_chunk(&w, &part, &index);
        if (!cl_output_is_taken(o, index))
            CL_TRY(cl_resume_note(outputs, o, box, &part, index, data, err));
    }
    return CLAST_OK;
}

static clast_status put_direct(cl_outputs *outputs, cl_output *o, const cl_box *box,
                               const void *data, uint64_t *stored, cl_error *err)
{
    cl_output_file *f = &outputs->file[o->file];
    cl_runs runs;
    int error = 0;
    cl_runs_init(&runs, f->fd, true, f->bytes);
    runs.gap_most = CL_RUNS_GAP;
    runs.behind = f->is_large ? &f->behind : NULL;
    unit_walk w = unit_begin(o, box);
    for (; w.left > 0 && error == 0; unit_next(&w)) {
        cl_box part;
        int64_t index;
        unit_chunk(&w, &part, &index);
        if (cl_output_is_taken(o, index))
            continue;
        CL_TRY(mark_chunk(o, index, err));
        error = put_chunk_direct(o, &runs, &w, data);
    }
    if (error == 0)
        error = cl_runs_flush(&runs);
    *stored = runs.moved;
    if (error)
        return fail_write(o, error < 0 ? EIO : error, err);
    if (!f->is_large)
        CL_TRY(cl_output_behind(o, f, runs.moved, err));
    return f->journal ? note_unit(outputs, o, box, data, err) : CLAST_OK;
}

static void copy_row(void *arg, void *dst, const void *src, int64_t n)
{
    const cl_output *o = arg;
    memcpy(dst, src, (size_t)n * o->filters.item);
}

/* The chunk's bytes: in data where they lie together there, else gathered. */
static const void *gather_chunk(cl_output *o, const cl_box *box, const void *data,
                                const cl_box *chunk, const cl_box *part, void *room)
{
    const uint64_t item = o->filters.item;
    const bool is_whole = cl_box_count(part) == cl_box_count(chunk);
    if (is_whole && cl_box_is_run(part, box))
        return (const char *)data + (uint64_t)cl_box_position(part, box) * item;
    if (!is_whole)
        memset(room, 0, o->chunk_bytes);
    cl_rows_copy(room, chunk, item, data, box, item, part, copy_row, o);
    return room;
}

clast_status cl_output_write_chunk(const cl_output *o, cl_output_file *f,
                                   const cl_box *chunk, uint32_t mask,
                                   const void *bytes, uint64_t size, cl_error *err)
{
    hsize_t offset[CL_MAXDIM];
    for (int a = 0; a < chunk->ndim; a++)
        offset[a] = (hsize_t)chunk->lo[a];
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    clast_status status = CLAST_OK;
    if (H5Dwrite_chunk(o->dataset, H5P_DEFAULT, mask, offset, size, bytes) < 0 ||
        f->error)
        status = cl_output_fail(f, err, "%s:%s: writing failed", o->spec.file, o->path);
    cl_hdf5_leave(&guard);
    return status;
}

static clast_status put_filtered_chunk(cl_outputs *outputs, cl_output *o,
                                       const unit_walk *w, const void *data,
                                       unsigned char *staging, const cl_packer *packer,
                                       uint64_t *stored, cl_error *err)
{
    cl_box part;
    int64_t index;
    uint64_t size;
    uint32_t mask;
    cl_output_file *f = &outputs->file[o->file];
    const cl_box chunk = unit_chunk(w, &part, &index);
    unsigned char *work = staging + align(o->chunk_bytes);
    if (cl_output_is_taken(o, index))
        return CLAST_OK;
    CL_TRY(mark_chunk(o, index, err));
    const void *in = gather_chunk(o, w->box, data, &chunk, &part, staging);
    const void *bytes = cl_filters_apply(packer, in, o->chunk_bytes, work,
                                         work + align(o->chunk_bytes), &size, &mask);
    if (!bytes)
        return fail_packing(o, err);
    *stored += size;
    CL_TRY(cl_chunk_order_put(f->order, o, index, mask, bytes, size, err));
    if (f->journal)
        CL_TRY(cl_resume_log(outputs, o, index, mask, bytes, size, err));
    return cl_chunk_order_drain(f->order, staging, chunk_room(o), err);
}

static clast_status put_filtered(cl_outputs *outputs, cl_output *o, const cl_box *box,
                                 const void *data, void *staging, uint64_t *stored,
                                 cl_error *err)
{
    cl_packer packer;
    if (!cl_packer_open(&packer, &o->filters, o->chunk_bytes,
                        (unsigned char *)staging + chunk_room(o)))
        return fail_packing(o, err);
    clast_status status = CLAST_OK;
    unit_walk w = unit_begin(o, box);
    for (; w.left > 0 && status == CLAST_OK; unit_next(&w))
        status =
            put_filtered_chunk(outputs, o, &w, data, staging, &packer, stored, err);
    cl_packer_close(&packer);
    return status;
}

static clast_status put_by_library(cl_output *o, const cl_output_file *f,
                                   const cl_box *box, const void *data, void *staging,
                                   uint64_t *stored, cl_error *err)
{
    for (unit_walk w = unit_begin(o, box); w.left > 0; unit_next(&w)) {
        cl_box part;
        int64_t index;
        unit_chunk(&w, &part, &index);
        CL_TRY(mark_chunk(o, index, err));
        const uint64_t size = (uint64_t)cl_box_count(&part) * o->filters.item;
        const void *bytes = gather_chunk(o, box, data, &part, &part, staging);
        *stored += size;
        CL_TRY(cl_chunk_order_put(f->order, o, index, 0, bytes, size, err));
        CL_TRY(cl_chunk_order_drain(f->order, staging, chunk_room(o), err));
    }
    return CLAST_OK;
}

clast_status cl_output_put(cl_outputs *outputs, size_t index, const cl_box *box,
                           const void *data, void *staging, uint64_t *stored,
                           cl_error *err)
{
    *stored = 0;
    cl_output *o = &outputs->output[index];
    if (o->chunks == 0)
        return CLAST_OK;
    CL_TRY(check_unit(o, box, err));
    if (o->by_library)
        return put_by_library(o, &outputs->file[o->file], box, data, staging, stored,
                              err);
    return o->is_direct ? put_direct(outputs, o, box, data, stored, err)
                        : put_filtered(outputs, o, box, data, staging, stored, err);
}
