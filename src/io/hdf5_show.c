/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Boxes of a dataset in place.
 *
 * Without filters a box of a contiguous dataset, or of one chunk, may be one run of the
 * file's bytes as they are handed out. It is looked for under libhdf5's lock, and shown
 * under a lease (lease.h), without any lock: a thread that opens the file for writing
 * may have libhdf5's while it waits for the lease to end.
 */
#include "base/least.h"
#include "io/contiguous.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_source.h"

/* The chunk that the box begins in. */
static cl_box chunk_of(const cl_hdf5_source *s, const cl_box *box)
{
    cl_box chunk = {.ndim = box->ndim};
    for (int a = 0; a < box->ndim; a++) {
        chunk.n[a] = s->base.info.chunk[a];
        chunk.lo[a] = box->lo[a] / chunk.n[a] * chunk.n[a];
    }
    return chunk;
}

static bool is_within(const cl_box *box, const cl_box *outer)
{
    for (int a = 0; a < box->ndim; a++)
        if (box->lo[a] < outer->lo[a] ||
            box->lo[a] + box->n[a] > outer->lo[a] + outer->n[a])
            return false;
    return true;
}

/* Where the chunk is stored; false: nowhere, or not as it should be. */
static bool find_chunk(const cl_hdf5_source *s, const cl_box *chunk, uint64_t *at)
{
    hsize_t offset[CL_MAXDIM];
    uint64_t bytes;
    uint32_t mask;
    cl_hdf5_guard guard;
    for (int a = 0; a < chunk->ndim; a++)
        offset[a] = (hsize_t)chunk->lo[a];
    cl_hdf5_enter(&guard);
    const bool is_found = cl_hdf5_source_wake(s, NULL) == CLAST_OK &&
                          cl_hdf5_locate(s->client->dataset, offset, at, &bytes,
                                         &mask) == CL_CHUNK_STORED &&
                          bytes == s->chunk_bytes;
    cl_hdf5_leave(&guard);
    return is_found;
}

/* The run of the file that the box is. Kernels want elements aligned. */
static bool find_run(const cl_hdf5_source *s, const cl_box *box, uint64_t *at)
{
    const uint64_t item = cl_convert_stored_size(&s->convert);
    const uint64_t most = (uint64_t)s->file->at_open.st_size;
    const bool has_chunks = s->access == CL_ACCESS_CHUNKED;
    const cl_box outer =
        has_chunks ? chunk_of(s, box) : cl_box_whole(&s->base.info.shape);
    *at = s->address;
    if (!is_within(box, &outer) || !cl_box_is_run(box, &outer) ||
        (has_chunks && !find_chunk(s, &outer, at)))
        return false;
    const uint64_t skipped = (uint64_t)cl_box_position(box, &outer) * item;
    const uint64_t bytes = (uint64_t)cl_box_count(box) * item;
    if (*at > most || skipped > most - *at || bytes > most - *at - skipped)
        return false;
    *at += skipped;
    return *at % cl_lesser_u(item, 8) == 0;
}

bool cl_hdf5_find(cl_source *source, const cl_box *box, uint64_t *at)
{
    const cl_hdf5_source *s = (const cl_hdf5_source *)source;
    if (cl_hdf5_file_use(s->file, NULL) != CLAST_OK)
        return false;
    if (s->file->fd >= 0 && find_run(s, box, at))
        return true;
    cl_hdf5_file_unuse(s->file);
    return false;
}

/* The file is as long as it was when it was opened, and stays so. */
const void *cl_hdf5_show(cl_source *source, cl_window *window, uint64_t at,
                         uint64_t bytes)
{
    cl_hdf5_file *f = ((const cl_hdf5_source *)source)->file;
    if (!cl_lease_take(&f->lease))
        return NULL;
    const void *shown = cl_hdf5_file_check(f, NULL) == CLAST_OK
                            ? cl_window_show(window, f->fd, at, bytes)
                            : NULL;
    if (!shown)
        cl_lease_give(&f->lease);
    return shown;
}

/* A lease that was held for too long is lost, and the file may have been changed. */
clast_status cl_hdf5_hide(cl_source *source, bool was_shown, cl_error *err)
{
    cl_hdf5_file *f = ((const cl_hdf5_source *)source)->file;
    clast_status status = CLAST_OK;
    if (was_shown) {
        status = cl_hdf5_file_check(f, err);
        cl_lease_give(&f->lease);
    }
    cl_hdf5_file_unuse(f);
    return status;
}
