/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The canary: a dataset that would be read past libhdf5 has a stored chunk read both
 * ways when it is opened, the first one, or the last one where the array's end cuts it;
 * both where different filters were left out of them, as may be at the edge. If one bit
 * differs the library's way is used from then on. That costs a chunk, of which zlib
 * takes three times as long as we do, and guards against what we do not know about the
 * format. Of a chunk without filters the two ends say as much as all of it: where it
 * lies. Chunks with filters of more than 8 MiB are spared: the memory for it would not
 * be in anybody's budget.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/strip.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_source.h"

#define CANARY_BYTES ((uint64_t)8 << 20)
#define CANARY_END   ((int64_t)64 << 10) /* bytes of an end, about */
#define CANARY_TRIES 64                  /* chunks looked at for one that is stored */

typedef struct {
    cl_box box;     /* clipped */
    bool is_stored; /* it has an address */
    uint32_t mask;  /* of the filters that were left out */
} sample;

/* A chunk by its place in C order. */
static sample chunk_at(cl_hdf5_source *s, int64_t index)
{
    const cl_source_info *info = &s->base.info;
    sample c = {.box = {.ndim = info->shape.ndim}};
    hsize_t offset[CL_MAXDIM];
    for (int a = c.box.ndim - 1; a >= 0; a--) {
        const int64_t n = (info->shape.dim[a] - 1) / info->chunk[a] + 1;
        c.box.lo[a] = index % n * info->chunk[a];
        index /= n;
        const int64_t left = info->shape.dim[a] - c.box.lo[a];
        c.box.n[a] = left < info->chunk[a] ? left : info->chunk[a];
        offset[a] = (hsize_t)c.box.lo[a];
    }
    uint64_t at, bytes;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    c.is_stored = cl_hdf5_source_wake(s, NULL) == CLAST_OK &&
                  cl_hdf5_locate(s->client->dataset, offset, &at, &bytes, &c.mask) ==
                      CL_CHUNK_STORED;
    cl_hdf5_leave(&guard);
    return c;
}

static clast_status read_box(cl_hdf5_source *s, const cl_box *box, void *dst,
                             void *staging, cl_error *err)
{
    uint64_t stored;
    CL_TRY(cl_source_fetch(&s->base, box, dst, staging, &stored, err));
    return cl_source_decode(&s->base, box, dst, staging, err);
}

/* Whether both ways agree on a box. Where they both fail, the chunk is damaged, and
 * whoever reads it will hear so. Without memory for the test: yes. */
static bool both_agree(cl_hdf5_source *s, const cl_box *box)
{
    const uint64_t bytes =
        (uint64_t)cl_box_count(box) * clast_dtype_size(s->base.info.dtype);
    const uint64_t staging = cl_source_staging(&s->base, box);
    char *memory = cl_alloc(2 * bytes + staging + 256);
    if (!memory)
        return true;
    char *fast = memory + (64 - (uintptr_t)memory % 64);
    char *slow = fast + (bytes + 63) / 64 * 64;
    char *work = slow + (bytes + 63) / 64 * 64;
    const cl_access access = s->access;
    const clast_status fast_status = read_box(s, box, fast, work, NULL);
    s->access = CL_ACCESS_LIBRARY;
    const clast_status slow_status = read_box(s, box, slow, work, NULL);
    s->access = access;
    const bool is_equal = fast_status == CLAST_OK && slow_status == CLAST_OK
                              ? memcmp(fast, slow, bytes) == 0
                              : slow_status != CLAST_OK;
    cl_free(memory);
    return is_equal;
}

/* The same of the box that is a chunk, or of its first and last rows. */
static bool chunk_agrees(cl_hdf5_source *s, const cl_box *box)
{
    if (s->access == CL_ACCESS_FILTERED)
        return both_agree(s, box);
    int64_t extent[CL_MAXDIM];
    const int64_t item = (int64_t)clast_dtype_size(s->base.info.dtype);
    cl_strip_extents(box, NULL, CANARY_END / item, extent);
    const cl_box first = cl_strip_first(box, extent);
    cl_box last = first;
    for (int a = 0; a < box->ndim; a++)
        last.lo[a] += box->n[a] - first.n[a];
    return both_agree(s, &first) && both_agree(s, &last);
}

static bool sing(cl_hdf5_source *s)
{
    const cl_source_info *info = &s->base.info;
    int64_t n = 1;
    bool is_cut = false;
    for (int a = 0; a < info->shape.ndim; a++) {
        if (info->shape.dim[a] == 0)
            return true;
        n *= (info->shape.dim[a] - 1) / info->chunk[a] + 1;
        is_cut = is_cut || info->shape.dim[a] % info->chunk[a] != 0;
    }
    sample first = {0}, last = {0};
    for (int64_t i = 0; i < n && i < CANARY_TRIES && !first.is_stored; i++)
        first = chunk_at(s, i);
    if (is_cut)
        last = chunk_at(s, n - 1);
    const bool is_alike = last.mask == first.mask && !s->has_raw_edges;
    const bool is_spared = !first.is_stored || (last.is_stored && is_alike);
    return (is_spared || chunk_agrees(s, &first.box)) &&
           (!last.is_stored || chunk_agrees(s, &last.box));
}

void cl_hdf5_try_canary(cl_hdf5_source *s, const cl_log *log)
{
    const bool is_due =
        s->access == CL_ACCESS_CHUNKED ||
        (s->access == CL_ACCESS_FILTERED && s->chunk_bytes <= CANARY_BYTES);
    if (!is_due || sing(s))
        return;
    cl_log_warning(log,
                   "%s: direct reading gave other bits than H5Dread, which is used "
                   "from here on",
                   s->where);
    s->access = CL_ACCESS_LIBRARY;
    s->base.info.is_slow = true;
    s->base.info.staging_per_chunk = s->base.info.staging_fixed = 0;
    cl_hdf5_count_staging(s);
}
