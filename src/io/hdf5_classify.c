/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which way a dataset is read: one look at its properties when it is opened.
 *
 * The fast ways need: a layout that is contiguous or chunked, an exact datatype, at
 * most the filters of a pipeline of filters.h, and a descriptor to read from.
 * Everything else that libhdf5 can read at all goes through H5Dread; what it cannot
 * read, or what would not mean what it says, is refused here, before anything is
 * allocated by numbers that the file holds. A chunk rank that is not the dataset's, or
 * a chunk extent of zero, is refused because libhdf5 itself does not survive it.
 *
 * Data that lives in other files (virtual datasets, external storage) is read, and the
 * log names the files.
 */
#include "io/hdf5_source.h"

#include <stdio.h>
#include <string.h>

#include "io/hdf5_carry.h"
#include "io/hdf5_cf.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_type.h"

#define CHUNK_MOST ((uint64_t)UINT32_MAX)

static clast_status read_shape(cl_hdf5_source *s, cl_error *err)
{
    hsize_t dim[H5S_MAX_RANK];
    cl_shape *shape = &s->base.info.shape;
    const hid_t space = H5Dget_space(s->client->dataset);
    const H5S_class_t class =
        space < 0 ? H5S_NO_CLASS : H5Sget_simple_extent_type(space);
    const int ndim = class == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : 0;
    const bool is_read =
        class == H5S_SCALAR || (class == H5S_SIMPLE && ndim >= 0 && ndim <= CL_MAXDIM &&
                                H5Sget_simple_extent_dims(space, dim, NULL) == ndim);
    if (space >= 0)
        H5Sclose(space);
    if (class == H5S_NULL)
        return cl_error_set(err, CLAST_ESHAPE,
                            "%s has a null dataspace: there are no elements", s->where);
    if (!is_read)
        return cl_hdf5_fail(err, CLAST_EFORMAT, "%s: its shape cannot be read",
                            s->where);
    shape->ndim = ndim;
    int64_t count = (int64_t)sizeof(double) * 2;
    for (int a = 0; a < ndim; a++) {
        shape->dim[a] = (int64_t)dim[a];
        if (dim[a] > INT64_MAX ||
            (dim[a] > 0 && __builtin_mul_overflow(count, shape->dim[a], &count)))
            return cl_error_set(err, CLAST_EFORMAT,
                                "%s: its shape overflows 64 bits, with %llu elements "
                                "on axis %d",
                                s->where, (unsigned long long)dim[a], a);
    }
    return CLAST_OK;
}

static clast_status read_chunk_shape(cl_hdf5_source *s, hid_t plist, cl_error *err)
{
    cl_source_info *info = &s->base.info;
    hsize_t chunk[H5S_MAX_RANK];
    const int ndim = H5Pget_chunk(plist, H5S_MAX_RANK, chunk);
    if (ndim != info->shape.ndim)
        return cl_error_set(err, CLAST_EFORMAT, "%s has %d axes, its chunks have %d",
                            s->where, info->shape.ndim, ndim);
    info->has_chunks = true;
    s->chunk_bytes = cl_convert_stored_size(&s->convert);
    for (int a = 0; a < ndim; a++) {
        info->chunk[a] = (int64_t)chunk[a];
        if (chunk[a] == 0 || chunk[a] > CHUNK_MOST ||
            __builtin_mul_overflow(s->chunk_bytes, chunk[a], &s->chunk_bytes))
            return cl_error_set(err, CLAST_EFORMAT,
                                "%s: its chunks have an impossible extent of %llu on "
                                "axis %d",
                                s->where, (unsigned long long)chunk[a], a);
    }
    if (s->chunk_bytes > CHUNK_MOST)
        return cl_error_set(err, CLAST_EFORMAT, "%s: its chunks have %llu bytes",
                            s->where, (unsigned long long)s->chunk_bytes);
    return CLAST_OK;
}

typedef struct {
    H5Z_filter_t id; /* negative: it cannot be read */
    char name[64];
    unsigned value[32];
    size_t nvalue;
} filter;

static filter read_filter(hid_t plist, int position)
{
    filter f = {.nvalue = sizeof f.value / sizeof *f.value};
    unsigned flags, config;
    f.id = H5Pget_filter2(plist, (unsigned)position, &flags, &f.nvalue, f.value,
                          sizeof f.name, f.name, &config);
    if (f.nvalue > sizeof f.value / sizeof *f.value)
        f.nvalue = sizeof f.value / sizeof *f.value;
    f.name[sizeof f.name - 1] = '\0';
    return f;
}

/* *is_ours: we can decode it. */
static clast_status read_filters(cl_hdf5_source *s, hid_t plist, bool *is_ours,
                                 cl_error *err)
{
    const int n = H5Pget_nfilters(plist);
    cl_filters_init(&s->filters, (uint32_t)cl_convert_stored_size(&s->convert));
    *is_ours = n >= 0;
    for (int i = 0; i < n && *is_ours; i++) {
        const filter f = read_filter(plist, i);
        if (f.id < 0)
            return cl_hdf5_fail(err, CLAST_EFORMAT, "%s: filter %d cannot be read",
                                s->where, i);
        *is_ours = cl_filters_add(&s->filters, (uint32_t)f.id, i, f.value, f.nvalue);
    }
    s->base.info.is_filtered = n > 0;
    if (*is_ours)
        cl_filters_describe(&s->filters, &s->base.info.compression);
    return CLAST_OK;
}

/* What is left to libhdf5 needs each filter there, be it as a plugin. */
static clast_status check_filters(const cl_hdf5_source *s, hid_t plist, cl_error *err)
{
    for (int i = 0; i < H5Pget_nfilters(plist); i++) {
        const filter f = read_filter(plist, i);
        const char *option = cl_codec_option((uint32_t)f.id);
        if (H5Zfilter_avail(f.id) <= 0)
            return cl_error_set(err, CLAST_ENOTSUP,
                                "%s is stored with filter %d (%.40s), which this "
                                "libhdf5 does not have%s%s",
                                s->where, (int)f.id, f.name[0] ? f.name : "unnamed",
                                option ? "; Clast reads it when built with -D" : "",
                                option ? option : "");
    }
    return CLAST_OK;
}

/* The fill value in the file's own representation; zeros where none was set. */
static void read_fill(cl_hdf5_source *s, hid_t plist)
{
    H5D_fill_value_t defined;
    if (H5Pfill_value_defined(plist, &defined) >= 0 &&
        defined != H5D_FILL_VALUE_UNDEFINED)
        if (H5Pget_fill_value(plist, s->memory_type, s->fill) < 0)
            memset(s->fill, 0, sizeof s->fill);
}

static void name_other_files(cl_hdf5_source *s, hid_t plist, bool is_virtual)
{
    char name[200] = "";
    size_t n = 0;
    off_t offset;
    hsize_t size;
    if (!is_virtual) {
        H5Pget_external(plist, 0, sizeof name - 1, name, &offset, &size);
        snprintf(s->note, sizeof s->note, "keeps its data outside of the file, in '%s'",
                 name);
        return;
    }
    if (H5Pget_virtual_count(plist, &n) >= 0 && n > 0)
        H5Pget_virtual_filename(plist, 0, name, sizeof name);
    snprintf(s->note, sizeof s->note,
             "is virtual, made of %zu parts, the first in '%s'", n, name);
}

static clast_status classify_chunked(cl_hdf5_source *s, hid_t plist, bool is_fast,
                                     cl_error *err)
{
    bool is_ours = false;
    unsigned options = 0;
    CL_TRY(read_chunk_shape(s, plist, err));
    CL_TRY(read_filters(s, plist, &is_ours, err));
    if (H5Pget_chunk_opts(plist, &options) >= 0)
        s->has_raw_edges = options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS;
    if (!is_fast || !is_ours)
        return check_filters(s, plist, err);
    s->access = s->base.info.is_filtered ? CL_ACCESS_FILTERED : CL_ACCESS_CHUNKED;
    return CLAST_OK;
}

/* H5Dget_offset of what was never written is not reliably undefined, so ask for the
 * space first. */
static void classify_contiguous(cl_hdf5_source *s)
{
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    if (H5Dget_space_status(s->client->dataset, &status) < 0)
        return;
    const haddr_t address = H5Dget_offset(s->client->dataset);
    if (status == H5D_SPACE_STATUS_NOT_ALLOCATED ||
        H5Dget_storage_size(s->client->dataset) == 0) {
        s->access = CL_ACCESS_NONE;
    } else if (address != HADDR_UNDEF) {
        s->access = CL_ACCESS_CONTIGUOUS;
        s->address = address;
    }
}

static clast_status classify_layout(cl_hdf5_source *s, hid_t plist, bool is_exact,
                                    cl_error *err)
{
    const H5D_layout_t layout = H5Pget_layout(plist);
    const bool is_external = H5Pget_external_count(plist) > 0;
    const bool is_fast = is_exact && s->file->fd >= 0 && !is_external;
    int64_t count;
    s->access = CL_ACCESS_LIBRARY;
    if (layout == H5D_VIRTUAL || is_external) {
        name_other_files(s, plist, layout == H5D_VIRTUAL);
        s->client->is_virtual = layout == H5D_VIRTUAL;
        s->base.identity = cl_identity_unique(); /* other files may change unseen */
    }
    if (layout == H5D_CHUNKED)
        CL_TRY(classify_chunked(s, plist, is_fast, err));
    else if (layout == H5D_CONTIGUOUS && is_fast)
        classify_contiguous(s);
    if (cl_shape_count(&s->base.info.shape, &count) && count == 0)
        s->access = CL_ACCESS_NONE;
    return CLAST_OK;
}

static clast_status read_datatype(cl_hdf5_source *s, cl_read_mode reading,
                                  bool *is_exact, cl_error *err)
{
    cl_hdf5_type type;
    const hid_t id = H5Dget_type(s->client->dataset);
    if (id < 0)
        return cl_hdf5_fail(err, CLAST_EFORMAT, "%s: its datatype cannot be read",
                            s->where);
    const clast_status status = reading == CL_READ_BITS
                                    ? cl_hdf5_type_bits(id, s->where, &type, err)
                                    : cl_hdf5_type_read(id, s->where, &type, err);
    if (status != CLAST_OK) {
        H5Tclose(id);
        return status;
    }
    *is_exact = type.is_exact;
    s->convert.stored = s->convert.dtype = type.dtype;
    s->convert.is_swapped = type.is_swapped;
    s->convert.is_half = type.is_half;
    /* A copy: a type that is an object of the file would keep it open. */
    s->memory_type = type.is_exact ? H5Tcopy(id) : cl_hdf5_type_make_read(&type);
    H5Tclose(id);
    if (reading == CL_READ_DECODED)
        cl_hdf5_cf_read(s->client->dataset, &s->convert);
    s->base.info.dtype = s->convert.dtype;
    cl_hdf5_carry_digest(s, reading != CL_READ_DECODED);
    return CLAST_OK;
}

static uint64_t identity(cl_hdf5_source *s, cl_read_mode reading)
{
    H5O_info_t object = {0};
    H5Oget_info2(s->client->dataset, &object, H5O_INFO_BASIC);
    s->client->address = object.addr;
    const struct stat *st = &s->file->at_open;
    const uint64_t number[] = {(uint64_t)st->st_dev,
                               (uint64_t)st->st_ino,
                               (uint64_t)st->st_size,
                               (uint64_t)st->st_mtim.tv_sec,
                               (uint64_t)st->st_mtim.tv_nsec,
                               (uint64_t)object.addr,
                               (uint64_t)reading};
    return cl_identity_hash(number, sizeof number / sizeof *number);
}

clast_status cl_hdf5_classify(cl_hdf5_source *s, cl_read_mode reading, cl_error *err)
{
    bool is_exact = false;
    cl_filters_init(&s->filters, 0);
    s->base.identity = identity(s, reading);
    CL_TRY(read_datatype(s, reading, &is_exact, err));
    CL_TRY(read_shape(s, err));
    const hid_t plist = H5Dget_create_plist(s->client->dataset);
    if (plist < 0)
        return cl_hdf5_fail(err, CLAST_EFORMAT, "%s: its properties cannot be read",
                            s->where);
    read_fill(s, plist);
    const clast_status status = classify_layout(s, plist, is_exact, err);
    H5Pclose(plist);
    s->base.info.is_slow = s->access == CL_ACCESS_LIBRARY;
    cl_hdf5_count_staging(s);
    return status;
}
