/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Describing a dataset.
 *
 * The file is opened and classified as any input; links to other files are not
 * followed, plugins not loaded, and a virtual or external dataset is refused before its
 * classification would look at other files. Then each place of the grid is looked up
 * once, so that chunks come in the order of their index: O(places), a fraction of a
 * microsecond each. What this process believes is nobody's concern: the one that reads
 * the description checks all of it.
 */
#include "io/hdf5_describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/description.h"
#include "io/file_report.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_report.h"
#include "io/hdf5_source.h"

typedef struct {
    cl_description head;
    cl_described_chunk *chunk;
    size_t n, capacity;
} description;

static herr_t refuse_link(const char *parent_file, const char *parent_group,
                          const char *child_file, const char *child_object,
                          unsigned *flags, hid_t list, void *is_met)
{
    *(bool *)is_met = true;
    return -1;
}

static clast_status open_dataset(cl_hdf5_source *s, const char *path, cl_error *err)
{
    bool is_met = false;
    htri_t is_there = -1;
    const hid_t list = H5Pcreate(H5P_DATASET_ACCESS);
    if (list >= 0 && H5Pset_chunk_cache(list, 0, 0, 1) >= 0 &&
        H5Pset_elink_cb(list, refuse_link, &is_met) >= 0) {
        is_there = H5Lexists(s->file->id, path, list);
        s->client->dataset = H5Dopen2(s->file->id, path, list);
    }
    if (list >= 0)
        cl_hdf5_close_list(list);
    if (is_met)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "%s leads into another file, which is not followed from an "
                            "untrusted one",
                            s->where);
    if (s->client->dataset < 0 && is_there == 0)
        return cl_error_set(err, CLAST_ENOENT, "%s does not exist", s->where);
    if (s->client->dataset < 0)
        return cl_hdf5_fail(err, CLAST_EFORMAT, "%s cannot be opened", s->where);
    return CLAST_OK;
}

/* Before anything asks libhdf5 for the shape: that of a virtual dataset may be found
 * out in its parts. */
static clast_status refuse_other_files(const cl_hdf5_source *s, hid_t plist,
                                       cl_error *err)
{
    if (H5Pget_layout(plist) == H5D_VIRTUAL)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "%s is virtual: other files are not read for an untrusted "
                            "one",
                            s->where);
    if (H5Pget_external_count(plist) != 0)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "%s keeps its data in another file, which is not read for "
                            "an untrusted one",
                            s->where);
    return CLAST_OK;
}

static clast_status describe_filters(cl_description *d, const cl_hdf5_source *s,
                                     hid_t plist, cl_error *err)
{
    const int n = s->base.info.has_chunks ? H5Pget_nfilters(plist) : 0;
    if (n < 0 || n > CL_DESCRIBED_FILTERS)
        return cl_error_set(err, CLAST_ENOTSUP, "%s has %d filters", s->where, n);
    d->nfilter = (uint32_t)n;
    for (int i = 0; i < n; i++) {
        cl_described_filter *f = &d->filter[i];
        unsigned flags, config;
        char name[8];
        size_t nvalue = CL_DESCRIBED_VALUES;
        f->id = (uint32_t)H5Pget_filter2(plist, (unsigned)i, &flags, &nvalue, f->value,
                                         sizeof name, name, &config);
        f->nvalue =
            nvalue < CL_DESCRIBED_VALUES ? (uint32_t)nvalue : CL_DESCRIBED_VALUES;
    }
    return CLAST_OK;
}

static void describe_elements(cl_description *d, const cl_hdf5_source *s)
{
    const cl_convert *c = &s->convert;
    d->stored = c->stored;
    d->dtype = c->dtype;
    d->is_swapped = c->is_swapped;
    d->is_half = c->is_half;
    d->has_cf = c->has_cf;
    d->has_scale = c->cf.has_scale;
    d->has_offset = c->cf.has_offset;
    d->nfill = (uint32_t)c->cf.nfill;
    d->scale = c->cf.scale;
    d->offset = c->cf.offset;
    memcpy(d->cf_fill, c->cf.fill, sizeof d->cf_fill);
    memcpy(d->fill, s->fill, sizeof d->fill);
}

static clast_status describe_layout(cl_description *d, const cl_hdf5_source *s,
                                    cl_error *err)
{
    static const uint32_t layout[] = {[CL_ACCESS_NONE] = CL_DESCRIBED_NOTHING,
                                      [CL_ACCESS_CONTIGUOUS] = CL_DESCRIBED_CONTIGUOUS,
                                      [CL_ACCESS_CHUNKED] = CL_DESCRIBED_CHUNKED,
                                      [CL_ACCESS_FILTERED] = CL_DESCRIBED_CHUNKED,
                                      [CL_ACCESS_LIBRARY] = CL_DESCRIBED_LAYOUTS};
    const cl_shape *shape = &s->base.info.shape;
    d->layout = layout[s->access];
    if (d->layout == CL_DESCRIBED_LAYOUTS)
        return cl_error_set(
            err, CLAST_ENOTSUP,
            "%s is stored in a way that only libhdf5 reads (its layout, "
            "datatype or filters); untrusted files are not",
            s->where);
    d->address = s->address;
    d->has_raw_edges = s->has_raw_edges;
    d->ndim = (uint32_t)shape->ndim;
    for (int a = 0; a < shape->ndim; a++) {
        d->dim[a] = shape->dim[a];
        d->chunk[a] = s->base.info.has_chunks ? s->base.info.chunk[a] : 0;
    }
    return CLAST_OK;
}

/* Adds the chunk at this place of the grid, where one is stored. */
static clast_status add_chunk(description *d, const cl_hdf5_source *s, uint64_t index,
                              cl_error *err)
{
    const cl_source_info *info = &s->base.info;
    hsize_t offset[CL_MAXDIM];
    uint64_t rest = index, at, bytes;
    uint32_t mask;
    for (int a = info->shape.ndim - 1; a >= 0; a--) {
        const uint64_t n = (uint64_t)((info->shape.dim[a] - 1) / info->chunk[a] + 1);
        offset[a] = rest % n * (uint64_t)info->chunk[a];
        rest /= n;
    }
    const cl_chunk_state state =
        cl_hdf5_locate(s->client->dataset, offset, &at, &bytes, &mask);
    if (state == CL_CHUNK_ABSENT)
        return CLAST_OK;
    if (state == CL_CHUNK_UNKNOWN || bytes > UINT32_MAX)
        return cl_error_set(err, CLAST_EFORMAT,
                            "%s: it cannot be told where its chunks are", s->where);
    if (!cl_grow(&d->chunk, &d->capacity, d->n + 1, sizeof *d->chunk))
        return cl_error_set(err, CLAST_ENOMEM, "%s has too many chunks", s->where);
    d->chunk[d->n++] = (cl_described_chunk){index, at, (uint32_t)bytes, mask};
    return CLAST_OK;
}

static clast_status describe_chunks(description *d, const cl_hdf5_source *s,
                                    cl_error *err)
{
    const cl_source_info *info = &s->base.info;
    uint64_t grid = 1;
    for (int a = 0; a < info->shape.ndim; a++)
        if (__builtin_mul_overflow(
                grid, (uint64_t)((info->shape.dim[a] - 1) / info->chunk[a] + 1),
                &grid) ||
            grid > CL_DESCRIBED_GRID)
            return cl_error_set(err, CLAST_ENOTSUP,
                                "%s is cut into more than %d chunks, the most that are "
                                "read of an untrusted file",
                                s->where, CL_DESCRIBED_GRID);
    for (uint64_t i = 0; i < grid; i++)
        CL_TRY(add_chunk(d, s, i, err));
    d->head.nchunk = d->n;
    return CLAST_OK;
}

static clast_status describe(description *d, cl_hdf5_source *s, const char *file,
                             const char *path, bool raw, cl_error *err)
{
    H5O_info_t object;
    CL_TRY(cl_hdf5_file_open(&s->file, file, err));
    CL_TRY(open_dataset(s, path, err));
    const hid_t plist = H5Dget_create_plist(s->client->dataset);
    if (plist < 0 || H5Oget_info2(s->client->dataset, &object, H5O_INFO_BASIC) < 0)
        return cl_hdf5_fail(err, CLAST_EFORMAT, "%s: its properties cannot be read",
                            s->where);
    CL_TRY(refuse_other_files(s, plist, err));
    CL_TRY(cl_hdf5_classify(s, raw ? CL_READ_STORED : CL_READ_DECODED, err));
    cl_described_head_init(&d->head.head, sizeof d->head, &s->file->at_open);
    d->head.object = object.addr;
    describe_elements(&d->head, s);
    CL_TRY(describe_layout(&d->head, s, err));
    if (d->head.layout != CL_DESCRIBED_CHUNKED)
        return CLAST_OK;
    CL_TRY(describe_filters(&d->head, s, plist, err));
    return describe_chunks(d, s, err);
}

static bool write_all(int fd, const void *from, size_t bytes)
{
    const char *p = from;
    while (bytes > 0) {
        const ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            p += n;
            bytes -= (size_t)n;
        }
    }
    return true;
}

static int by_place(const void *a, const void *b, void *arg)
{
    const cl_described_chunk *chunk = arg;
    const uint64_t x = chunk[*(const uint32_t *)a].at,
                   y = chunk[*(const uint32_t *)b].at;
    return x < y ? -1 : x > y;
}

static bool write_description(const description *d, int fd)
{
    uint32_t *order = cl_alloc_array(d->n + 1, sizeof *order);
    if (!order)
        return false;
    for (size_t i = 0; i < d->n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, d->n, sizeof *order, by_place, d->chunk);
    const bool is_written = write_all(fd, &d->head, sizeof d->head) &&
                            write_all(fd, d->chunk, d->n * sizeof *d->chunk) &&
                            write_all(fd, order, d->n * sizeof *order);
    cl_free(order);
    return is_written;
}

static clast_status begin(cl_error *err)
{
    if (H5PLset_loading_state(0) < 0)
        return cl_error_set(err, CLAST_ENOTSUP, "libhdf5's plugins cannot be disabled");
    return CLAST_OK;
}

static bool write_report(cl_report *r, const cl_text *text, const cl_error *err, int fd)
{
    if (err->status != CLAST_OK)
        cl_described_head_fail(&r->head, err);
    else
        r->bytes = text->used;
    r->head.is_confined = cl_hdf5_capture_is_confined();
    return write_all(fd, r, sizeof *r) && write_all(fd, text->data, r->bytes);
}

bool cl_hdf5_describe_file(cl_report_kind kind, const char *file, const char *path,
                           int fd)
{
    cl_report r;
    cl_text text = {0};
    cl_error err = {0};
    cl_hdf5_file *f;
    cl_hdf5_guard guard;
    cl_described_head_init(&r.head, sizeof r, &(struct stat){0});
    cl_hdf5_set_lock(NULL, NULL, NULL); /* nobody else is here */
    cl_hdf5_enter(&guard);
    if (begin(&err) == CLAST_OK && cl_hdf5_file_open(&f, file, &err) == CLAST_OK) {
        cl_description_file(r.head.file, &f->at_open);
        cl_hdf5_report_text(kind, f, path, &text, &err);
    }
    cl_hdf5_leave(&guard);
    if (text.used > CL_REPORT_MOST)
        cl_error_set(&err, CLAST_ENOTSUP,
                     "what is to be said of %s is more than %d MiB, the most that is "
                     "heard of an untrusted file",
                     file, CL_REPORT_MOST >> 20);
    return write_report(&r, &text, &err, fd);
}

/* Nothing is closed: what libhdf5 holds of a hostile file is better left alone. */
bool cl_hdf5_describe(const char *file, const char *path, bool raw, int fd)
{
    static description d;
    static cl_hdf5_source s = {.own = {.dataset = H5I_INVALID_HID},
                               .memory_type = H5I_INVALID_HID};
    cl_error err = {0};
    cl_hdf5_guard guard;
    char where[1024];
    snprintf(where, sizeof where, "%s:%s%s", file, path[0] == '/' ? "" : "/", path);
    s.where = where;
    s.client = &s.own;
    cl_hdf5_set_lock(NULL, NULL, NULL); /* nobody else is here */
    cl_hdf5_enter(&guard);
    clast_status status = begin(&err);
    if (status == CLAST_OK)
        status = describe(&d, &s, file, path, raw, &err);
    cl_hdf5_leave(&guard);
    if (status != CLAST_OK) {
        d.n = 0;
        cl_described_head_init(&d.head.head, sizeof d.head, &(struct stat){0});
        cl_described_head_fail(&d.head.head, &err);
    }
    d.head.head.is_confined = cl_hdf5_capture_is_confined();
    return write_description(&d, fd);
}
