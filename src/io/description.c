/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checks of a description.
 *
 * They are those that classification makes of a file that libhdf5 has opened, made once
 * more of numbers that anybody may have sent, and these: everything lies in the file;
 * no two chunks share bytes, so that the chunks decode to no more than the file can
 * hold; and no chunk claims to become larger than its codec can make it.
 */
#include "io/description.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define MAGIC      "clast description 2"
#define CHUNK_MOST ((uint64_t)UINT32_MAX)
/* deflate: 258 bytes for 2 bits, at most; the others: a run of zeros in a few bytes. */
#define DEFLATE_RATIO 1032
#define RATIO         ((uint64_t)1 << 17)
#define SLACK         ((uint64_t)64 << 10)

void cl_description_file(uint64_t number[5], const struct stat *file)
{
    number[0] = (uint64_t)file->st_dev;
    number[1] = (uint64_t)file->st_ino;
    number[2] = (uint64_t)file->st_size;
    number[3] = (uint64_t)file->st_mtim.tv_sec;
    number[4] = (uint64_t)file->st_mtim.tv_nsec;
}

void cl_described_head_init(cl_described_head *head, size_t bytes,
                            const struct stat *file)
{
    memset((void *)head, 0, bytes);
    memcpy(head->magic, MAGIC, sizeof MAGIC);
    head->head_bytes = (uint32_t)bytes;
    cl_description_file(head->file, file);
}

void cl_described_head_fail(cl_described_head *head, const cl_error *err)
{
    head->status = (uint32_t)err->status;
    snprintf(head->text, sizeof head->text, "%s", err->text);
}

static clast_status fail(cl_error *err, const char *what)
{
    return cl_error_set(err, CLAST_EFORMAT, "its description is wrong: %s", what);
}

/* The error that was described. Its text is shown to people: nothing but text. */
static clast_status pass_error(const cl_described_head *head, cl_error *err)
{
    char room[CL_ERROR_TEXT];
    cl_text text = {.data = room, .used = strnlen(head->text, sizeof room - 1)};
    memcpy(room, head->text, text.used);
    cl_text_tame(&text);
    return cl_error_set(err, (clast_status)head->status, "%.*s", (int)text.used, room);
}

clast_status cl_described_head_check(const cl_described_head *head, size_t bytes,
                                     const struct stat *file, cl_error *err)
{
    uint64_t number[5];
    if (memcmp(head->magic, MAGIC, sizeof MAGIC) != 0 || head->head_bytes != bytes)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "the helper program is of another version of Clast");
    if (head->status >= CLAST_NSTATUS)
        return fail(err, "its status");
    if (head->status != CLAST_OK)
        return pass_error(head, err);
    cl_description_file(number, file);
    if (memcmp(head->file, number, sizeof number) != 0)
        return cl_error_set(err, CLAST_EIO, "it was changed while it was opened");
    return CLAST_OK;
}

static clast_status check_elements(const cl_description *d, cl_described *r,
                                   cl_error *err)
{
    cl_convert *c = &r->convert;
    if (d->stored >= CLAST_NDTYPE || d->dtype >= CLAST_NDTYPE || d->is_swapped > 1 ||
        d->is_half > 1 || d->has_cf > 1 || d->has_scale > 1 || d->has_offset > 1 ||
        d->nfill > CL_CF_FILLS)
        return fail(err, "its elements");
    *c = (cl_convert){.stored = (clast_dtype)d->stored,
                      .dtype = (clast_dtype)d->dtype,
                      .is_swapped = d->is_swapped,
                      .is_half = d->is_half,
                      .has_cf = d->has_cf};
    c->cf = (cl_cf){.nfill = (int)d->nfill,
                    .has_scale = d->has_scale,
                    .has_offset = d->has_offset,
                    .scale = d->scale,
                    .offset = d->offset};
    memcpy(c->cf.fill, d->cf_fill, sizeof c->cf.fill);
    const bool is_number =
        cl_dtype_is_integer(c->stored) || cl_dtype_is_float(c->stored);
    const size_t stored = cl_convert_stored_size(c), size = clast_dtype_size(c->dtype);
    if (stored == 0 || size < stored || (c->is_half && c->stored != CLAST_FLOAT32) ||
        (c->has_cf ? !is_number || !cl_dtype_is_float(c->dtype)
                   : c->dtype != c->stored))
        return fail(err, "its dtype");
    return CLAST_OK;
}

static clast_status check_shape(const cl_description *d, cl_described *r, cl_error *err)
{
    int64_t bytes = (int64_t)sizeof(double) * 2;
    if (d->ndim > CL_MAXDIM)
        return fail(err, "its rank");
    r->shape.ndim = (int)d->ndim;
    for (uint32_t a = 0; a < d->ndim; a++) {
        r->shape.dim[a] = d->dim[a];
        if (d->dim[a] < 0 ||
            (d->dim[a] > 0 && __builtin_mul_overflow(bytes, d->dim[a], &bytes)))
            return fail(err, "its shape");
    }
    return CLAST_OK;
}

static clast_status check_grid(const cl_description *d, cl_described *r, cl_error *err)
{
    r->chunk_bytes = cl_convert_stored_size(&r->convert);
    r->grid = 1;
    if (d->ndim == 0)
        return fail(err, "its chunks");
    for (uint32_t a = 0; a < d->ndim; a++) {
        if (d->chunk[a] < 1 || (uint64_t)d->chunk[a] > CHUNK_MOST ||
            __builtin_mul_overflow(r->chunk_bytes, (uint64_t)d->chunk[a],
                                   &r->chunk_bytes))
            return fail(err, "its chunks");
        const int64_t n = d->dim[a] > 0 ? (d->dim[a] - 1) / d->chunk[a] + 1 : 0;
        if (__builtin_mul_overflow(r->grid, (uint64_t)n, &r->grid))
            r->grid = UINT64_MAX;
    }
    if (r->chunk_bytes > CHUNK_MOST)
        return fail(err, "its chunks");
    if (r->grid > CL_DESCRIBED_GRID)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "it is cut into %llu chunks; of an untrusted file at most "
                            "%d are read",
                            (unsigned long long)r->grid, CL_DESCRIBED_GRID);
    return CLAST_OK;
}

static clast_status check_filters(const cl_description *d, cl_described *r,
                                  cl_error *err)
{
    cl_filters_init(&r->filters, (uint32_t)cl_convert_stored_size(&r->convert));
    if (d->nfilter > CL_DESCRIBED_FILTERS)
        return fail(err, "its filters");
    for (uint32_t i = 0; i < d->nfilter; i++) {
        const cl_described_filter *f = &d->filter[i];
        if (f->nvalue > CL_DESCRIBED_VALUES)
            return fail(err, "its filters");
        if (!cl_filters_add(&r->filters, f->id, (int)i, f->value, f->nvalue))
            return cl_error_set(err, CLAST_ENOTSUP,
                                "it is stored with filter %u, or filters in an order, "
                                "that Clast does not undo itself; untrusted files are "
                                "read without libhdf5's filters",
                                f->id);
    }
    return CLAST_OK;
}

static clast_status check_contiguous(const cl_description *d, const cl_described *r,
                                     uint64_t file_bytes, cl_error *err)
{
    int64_t count;
    uint64_t bytes;
    if (!cl_shape_count(&r->shape, &count) ||
        __builtin_mul_overflow((uint64_t)count, cl_convert_stored_size(&r->convert),
                               &bytes) ||
        d->address > file_bytes || bytes > file_bytes - d->address)
        return cl_error_set(err, CLAST_EFORMAT,
                            "its data lies behind the end of the file");
    return CLAST_OK;
}

clast_status cl_description_check(const cl_description *d, const struct stat *file,
                                  cl_described *r, cl_error *err)
{
    *r = (cl_described){0};
    CL_TRY(cl_described_head_check(&d->head, sizeof *d, file, err));
    CL_TRY(check_elements(d, r, err));
    CL_TRY(check_shape(d, r, err));
    if (d->layout >= CL_DESCRIBED_LAYOUTS || d->has_raw_edges > 1)
        return fail(err, "its layout");
    if (d->layout != CL_DESCRIBED_CHUNKED && (d->nchunk > 0 || d->nfilter > 0))
        return fail(err, "chunks of what has none");
    if (d->layout == CL_DESCRIBED_CONTIGUOUS)
        return check_contiguous(d, r, (uint64_t)file->st_size, err);
    if (d->layout == CL_DESCRIBED_NOTHING)
        return CLAST_OK;
    CL_TRY(check_grid(d, r, err));
    CL_TRY(check_filters(d, r, err));
    return d->nchunk <= r->grid ? CLAST_OK : fail(err, "the number of its chunks");
}

clast_status cl_described_chunk_check(const cl_description *d, const cl_described *r,
                                      const struct stat *file,
                                      const cl_described_chunk *last,
                                      const cl_described_chunk *chunk, cl_error *err)
{
    const uint64_t end = (uint64_t)file->st_size;
    if (chunk->index >= r->grid || (last && chunk->index <= last->index))
        return fail(err, "the order of its chunks");
    if (chunk->bytes == 0 || chunk->at > end || chunk->bytes > end - chunk->at)
        return cl_error_set(err, CLAST_EFORMAT,
                            "a chunk lies behind the end of the file");
    if (d->nfilter == 0 && chunk->bytes != r->chunk_bytes)
        return cl_error_set(err, CLAST_EFORMAT,
                            "the stored size of a chunk is not that of a chunk");
    if (chunk->bytes > cl_filters_bound(&r->filters, r->chunk_bytes))
        return cl_error_set(err, CLAST_EFORMAT,
                            "a chunk is stored in more bytes than any filter makes");
    const uint64_t ratio = cl_filters_gzip(&r->filters) > 0 ? DEFLATE_RATIO : RATIO;
    if (r->chunk_bytes > SLACK && (r->chunk_bytes - SLACK) / ratio > chunk->bytes)
        return cl_error_set(err, CLAST_EFORMAT,
                            "%u bytes cannot become a chunk of %llu bytes",
                            chunk->bytes, (unsigned long long)r->chunk_bytes);
    return CLAST_OK;
}

const cl_described_chunk *cl_described_chunk_find(const cl_described_chunk *chunk,
                                                  uint64_t n, uint64_t index)
{
    uint64_t first = 0;
    while (n > 0) {
        const uint64_t half = n / 2;
        if (chunk[first + half].index < index) {
            first += half + 1;
            n -= half + 1;
        } else if (chunk[first + half].index > index) {
            n = half;
        } else {
            return &chunk[first + half];
        }
    }
    return NULL;
}
