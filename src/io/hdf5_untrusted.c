/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sources of untrusted files.
 *
 * The file is opened here as plain bytes, and by a helper process with libhdf5; the
 * helper's description of the dataset (description.h) is checked and becomes a source
 * whose stored bytes are read and decoded like any other's, by positioned reads and
 * Clast's own filters. So no byte of the file reaches libhdf5 in this process. What
 * cannot be read that way is refused.
 */
#include "io/hdf5_untrusted.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/hdf5_source.h"
#include "io/helper.h"

typedef struct {
    cl_hdf5_source hdf5;
    cl_hdf5_file file;
    cl_untrusted how;
} untrusted_source;

static void close_untrusted(cl_source *source)
{
    untrusted_source *u = (untrusted_source *)source;
    cl_direct_close(&u->file.direct);
    if (u->file.fd >= 0)
        close(u->file.fd);
    cl_free(u->file.name);
    cl_free(u->hdf5.name);
    cl_free(u->hdf5.where);
    cl_free(u->hdf5.described);
    cl_free(u);
}

static const cl_source_class untrusted_class = {.close = close_untrusted,
                                                .staging = cl_hdf5_staging,
                                                .fetch = cl_hdf5_fetch,
                                                .decode = cl_hdf5_decode};

/* --- what it says ---------------------------------------------------------------- */

/* The chunks once more, as they lie in the file: one behind the other. Since each place
 * is behind the last one's, none is named twice. */
static clast_status check_order(const cl_hdf5_source *s, cl_child *child, cl_error *err)
{
    uint32_t order[1024];
    uint64_t free_from = 0;
    for (uint64_t done = 0; done < s->ndescribed;) {
        const uint64_t left = s->ndescribed - done;
        const size_t n = left < 1024 ? (size_t)left : 1024;
        CL_TRY(cl_child_read(child, order, n * sizeof *order, err));
        for (size_t i = 0; i < n; i++) {
            if (order[i] >= s->ndescribed)
                return cl_error_set(err, CLAST_EFORMAT, "its description is wrong");
            const cl_described_chunk *c = &s->described[order[i]];
            if (c->at < free_from)
                return cl_error_set(err, CLAST_EFORMAT,
                                    "two of its chunks share bytes of the file");
            free_from = c->at + c->bytes;
        }
        done += n;
    }
    return CLAST_OK;
}

static clast_status receive_chunks(untrusted_source *u, cl_child *child,
                                   const cl_description *d, const cl_described *r,
                                   cl_error *err)
{
    cl_hdf5_source *s = &u->hdf5;
    const uint64_t bytes = d->nchunk * sizeof *s->described;
    if (d->nchunk == 0)
        return CLAST_OK;
    CL_TRY(u->how.charge(u->how.arg, bytes, err));
    s->base.info.table_bytes = bytes;
    s->described = cl_alloc(bytes);
    if (!s->described)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for its %llu chunks",
                            (unsigned long long)d->nchunk);
    s->ndescribed = d->nchunk;
    CL_TRY(cl_child_read(child, s->described, bytes, err));
    for (uint64_t i = 0; i < d->nchunk; i++)
        CL_TRY(cl_described_chunk_check(d, r, &u->file.at_open,
                                        i > 0 ? &s->described[i - 1] : NULL,
                                        &s->described[i], err));
    return check_order(s, child, err);
}

/* What was checked becomes what classification would have found. */
static void adopt(untrusted_source *u, const cl_description *d, const cl_described *r,
                  bool raw)
{
    cl_hdf5_source *s = &u->hdf5;
    cl_source_info *info = &s->base.info;
    int64_t count = 0;
    s->convert = r->convert;
    s->filters = r->filters;
    s->chunk_bytes = r->chunk_bytes;
    s->address = d->address;
    s->is_raw = raw;
    s->has_raw_edges = d->has_raw_edges;
    memcpy(s->fill, d->fill, sizeof s->fill);
    info->dtype = r->convert.dtype;
    info->shape = r->shape;
    info->has_chunks = d->layout == CL_DESCRIBED_CHUNKED;
    for (int a = 0; a < r->shape.ndim && info->has_chunks; a++)
        info->chunk[a] = d->chunk[a];
    info->is_filtered = d->nfilter > 0;
    cl_filters_describe(&r->filters, &info->compression);
    s->access = d->layout == CL_DESCRIBED_CONTIGUOUS ? CL_ACCESS_CONTIGUOUS
                : !info->has_chunks                  ? CL_ACCESS_NONE
                : info->is_filtered                  ? CL_ACCESS_FILTERED
                                                     : CL_ACCESS_CHUNKED;
    if (cl_shape_count(&r->shape, &count) && count == 0)
        s->access = CL_ACCESS_NONE;
    uint64_t number[7];
    memcpy(number, d->head.file, sizeof d->head.file);
    number[5] = ~d->object; /* never that of the same dataset, if trusted */
    number[6] = raw;
    s->base.identity = cl_identity_hash(number, 7);
    cl_hdf5_count_staging(s);
}

static clast_status receive(untrusted_source *u, cl_child *child, bool raw,
                            cl_error *err)
{
    cl_description d;
    cl_described r;
    cl_error inner = {0};
    clast_status status = cl_child_read(child, &d, sizeof d, &inner);
    const bool is_named = status == CLAST_OK && d.head.status != CLAST_OK;
    if (status == CLAST_OK)
        status = cl_description_check(&d, &u->file.at_open, &r, &inner);
    if (status == CLAST_OK)
        status = receive_chunks(u, child, &d, &r, &inner);
    if (status == CLAST_OK) {
        adopt(u, &d, &r, raw);
        cl_helper_tell(&u->how, &d.head);
    } else if (is_named) { /* the helper's own text says of what it speaks */
        return cl_error_set(err, status, "%s", inner.text);
    } else {
        return cl_error_set(err, status, "%s: %s", u->hdf5.where, inner.text);
    }
    return CLAST_OK;
}

/* --- opening --------------------------------------------------------------------- */

static clast_status open_all(untrusted_source *u, const char *file, bool raw,
                             cl_child *said, cl_error *err)
{
    cl_child child;
    CL_TRY(cl_helper_open_file(&u->file.fd, &u->file.at_open, file, err));
    cl_direct_open(&u->file.direct, u->file.fd, (uint64_t)u->file.at_open.st_size);
    if (said)
        return receive(u, said, raw, err);
    CL_TRY(cl_helper_start(&child, &u->how, raw ? CL_HELPER_STORED : CL_HELPER_DECODED,
                           u->file.name, u->hdf5.name, err));
    const clast_status status = receive(u, &child, raw, err);
    cl_child_end(&child);
    cl_helper_lock_file(u->file.fd);
    return status;
}

clast_status cl_source_open_untrusted(cl_source **source, const char *file,
                                      const char *path, bool raw,
                                      const cl_untrusted *how, cl_error *err)
{
    return cl_source_open_described(source, file, path, raw, how, NULL, err);
}

clast_status cl_source_open_described(cl_source **source, const char *file,
                                      const char *path, bool raw,
                                      const cl_untrusted *how, cl_child *said,
                                      cl_error *err)
{
    *source = NULL;
    if (!file || !*file || !path || !*path)
        return cl_error_set(err, CLAST_EVALUE, "a file and a path in it are needed");
    untrusted_source *u = cl_calloc(1, sizeof *u);
    if (!u)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a source");
    cl_hdf5_source *s = &u->hdf5;
    u->how = *how;
    u->file.fd = -1;
    s->client = &s->own;
    u->file.id = s->own.dataset = s->memory_type = H5I_INVALID_HID;
    u->file.is_host = true; /* it does not rest, and is not opened again */
    u->file.name = cl_strdup(file);
    s->file = &u->file;
    s->base.class = &untrusted_class;
    s->is_described = s->base.info.is_untrusted = true;
    cl_hdf5_name_source(s, file, path);
    clast_status status = CLAST_OK;
    if (!u->file.name || !s->name || !s->where)
        status = cl_error_set(err, CLAST_ENOMEM, "no memory for a source");
    else
        status = open_all(u, file, raw, said, err);
    s->base.info.file = u->file.name;
    s->base.info.path = s->name;
    if (status == CLAST_OK) {
        *source = &s->base;
        return CLAST_OK;
    }
    if (s->base.info.table_bytes > 0)
        how->uncharge(how->arg, s->base.info.table_bytes);
    close_untrusted(&s->base);
    return status;
}
