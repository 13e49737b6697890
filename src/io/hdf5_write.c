/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making output files: temporary files, and datasets in them. What may be made is
 * checked before (hdf5_settle.c).
 *
 * An unfiltered output is allocated when it is made (contiguous, or chunks under HDF5
 * 1.10's implicit index: chunk k at address + k * bytes), the file is closed, its
 * blocks are reserved on the disk, and from then on it is plain positioned writes
 * without any lock. libhdf5 must not touch such a dataset again before the file is
 * finished: it would write stale buffers over it. A filtered one keeps the default,
 * older format and gets its chunks by H5Dwrite_chunk.
 *
 * Object times are not recorded, so the same data gives the same file. The order in
 * which links are made is: netCDF opens a file for writing only if its groups have it,
 * and lists variables in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/direct.h"
#include "io/hdf5_attributes.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_carry.h"
#include "io/hdf5_cf.h"
#include "io/hdf5_file.h"
#include "io/hdf5_filters.h"
#include "io/hdf5_globals.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_order.h"
#include "io/hdf5_output.h"
#include "io/hdf5_provenance.h"
#include "io/hdf5_scales.h"
#include "io/hdf5_type.h"
#include "io/hdf5_writer.h"
#include "io/sys.h"

#define LARGE_SHARE 8 /* of what the page cache can hold */

/* Links are found in the order in which they were made, as netCDF wants it. Of
 * attributes the order is known, but not indexed: HDF5 leaves that index behind when
 * one is renamed, which is how h5py replaces an attribute. */
#define LINKS      (H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED)
#define ATTRIBUTES H5P_CRT_ORDER_TRACKED

/* --- datasets -----------------------------------------------------------------------
 */

/* The older format keeps attributes in their order anyway, and in less room. */
static herr_t set_layout(hid_t list, const cl_output *o, bool is_new_format)
{
    hsize_t chunk[CL_MAXDIM];
    if (H5Pset_obj_track_times(list, 0) < 0 ||
        (is_new_format && H5Pset_attr_creation_order(list, ATTRIBUTES) < 0))
        return -1;
    if (o->is_direct && (H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) < 0 ||
                         H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) < 0))
        return -1;
    if (o->is_contiguous)
        return 0;
    for (int a = 0; a < o->spec.shape.ndim; a++)
        chunk[a] = (hsize_t)o->chunk[a];
    return H5Pset_chunk(list, o->spec.shape.ndim, chunk) >= 0 &&
                   cl_hdf5_filters_write(list, &o->filters)
               ? 0
               : -1;
}

static hid_t make_space(const cl_output *o)
{
    const cl_shape *shape = &o->spec.shape;
    hsize_t dim[CL_MAXDIM], most[CL_MAXDIM];
    for (int a = 0; a < shape->ndim; a++) {
        dim[a] = (hsize_t)shape->dim[a];
        most[a] = cl_hdf5_axis_is_unlimited(o, a) ? H5S_UNLIMITED : dim[a];
    }
    return shape->ndim == 0 ? H5Screate(H5S_SCALAR)
                            : H5Screate_simple(shape->ndim, dim, most);
}

/* How groups are made, a new file's root among them: a list of class H5P_GROUP_CREATE
 * or H5P_FILE_CREATE. */
static herr_t set_group(hid_t list)
{
    return list >= 0 && H5Pset_obj_track_times(list, 0) >= 0 &&
                   H5Pset_link_creation_order(list, LINKS) >= 0 &&
                   H5Pset_attr_creation_order(list, ATTRIBUTES) >= 0
               ? 0
               : -1;
}

/* Makes the groups above a path that are missing; the path comes back as it was. */
static herr_t make_groups(hid_t file, char *prefix)
{
    const hid_t list = H5Pcreate(H5P_GROUP_CREATE);
    herr_t result = set_group(list);
    for (char *p = strchr(prefix + 1, '/'); p && result >= 0; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (H5Lexists(file, prefix, H5P_DEFAULT) <= 0) {
            const hid_t group =
                H5Gcreate2(file, prefix, H5P_DEFAULT, list, H5P_DEFAULT);
            result = group < 0 ? -1 : H5Gclose(group);
        }
        *p = '/';
    }
    if (list >= 0)
        H5Pclose(list);
    return result;
}

/* An enumeration of h5py's kind is nothing to netCDF, which leaves it out without a
 * word; this is what xarray writes and reads. The bytes are the same. */
static bool is_number_of_bool(const cl_output *o)
{
    return o->is_netcdf && o->spec.dtype == CLAST_BOOL;
}

static hid_t create(hid_t file, const cl_output *o, bool is_new_format)
{
    hid_t dataset = H5I_INVALID_HID;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = make_space(o);
    const hid_t type =
        cl_hdf5_type_make(is_number_of_bool(o) ? CLAST_INT8 : o->spec.dtype);
    if (list >= 0 && space >= 0 && type >= 0 && set_layout(list, o, is_new_format) >= 0)
        dataset =
            H5Dcreate2(file, o->path, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (list >= 0)
        H5Pclose(list);
    return dataset;
}

/* --- files --------------------------------------------------------------------------
 */

static bool needs_new_format(const cl_outputs *outputs, size_t file)
{
    for (size_t i = 0; i < outputs->n; i++) {
        const cl_output *o = &outputs->output[i];
        if (o->file == file && o->is_direct && !o->is_contiguous)
            return true;
    }
    return false;
}

/* An empty file is there where a file is replaced. */
static hid_t create_file(const cl_atomic_file *atomic, hid_t access)
{
    const hid_t list = H5Pcreate(H5P_FILE_CREATE);
    hid_t file = H5I_INVALID_HID;
    if (set_group(list) >= 0)
        file = H5Fcreate(atomic->temp, atomic->existed ? H5F_ACC_TRUNC : H5F_ACC_EXCL,
                         list, access);
    if (list >= 0)
        cl_hdf5_close_list(list);
    return file;
}

/* What libhdf5's writes met, else what libhdf5 says. */
clast_status cl_output_fail(const cl_output_file *f, cl_error *err, const char *format,
                            ...)
{
    char text[CL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (f->error == 0)
        return cl_hdf5_fail(err, CLAST_EIO, "%s", text);
    return cl_error_set(err, cl_status_from_errno(f->error), "%s: %s", text,
                        strerror(f->error));
}

static hid_t open_atomic(cl_output_file *f, bool is_new_format, bool is_there)
{
    const cl_atomic_file *atomic = &f->atomic;
    const hid_t access = cl_hdf5_access_list();
    hid_t file = H5I_INVALID_HID;
    if (access >= 0 && cl_hdf5_writer_use(access, &f->error, atomic->in_place) &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
        (!is_new_format ||
         H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0))
        file = is_there ? H5Fopen(atomic->temp, H5F_ACC_RDWR, access)
                        : create_file(atomic, access);
    if (access >= 0)
        cl_hdf5_close_list(access);
    if (file >= 0)
        cl_hdf5_close_on_exec(file);
    return file;
}

/* The attributes of a dataset that was just made. */
static clast_status describe(hid_t file, hid_t dataset, cl_output *o, cl_error *err)
{
    if (!o->spec.like)
        return CLAST_OK;
    char *name = strrchr(o->path, '/');
    *name = '\0';
    const hid_t group = H5Gopen2(file, *o->path ? o->path : "/", H5P_DEFAULT);
    *name = '/';
    const clast_status status =
        cl_hdf5_carry(o->spec.like, o->spec.level, o->spec.dtype, group, dataset,
                      &o->lost_attributes, err);
    if (group >= 0)
        H5Gclose(group);
    return status;
}

/* Deletes what is replaced; scales and datasets that refer to it must not go on doing
 * so, since references know no deletion. */
static clast_status remove_old(const cl_output_file *f, hid_t file, const cl_output *o,
                               cl_scale_users *users, cl_error *err)
{
    if (H5Lexists(file, o->path, H5P_DEFAULT) <= 0)
        return CLAST_OK;
    const hid_t old = H5Oopen(file, o->path, H5P_DEFAULT);
    bool is_good = true;
    if (old >= 0 && H5Iget_type(old) == H5I_DATASET)
        is_good = cl_hdf5_scales_release(old, users);
    if (old >= 0)
        H5Oclose(old);
    if (!is_good)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for dimension scales");
    if (H5Ldelete(file, o->path, H5P_DEFAULT) >= 0)
        return CLAST_OK;
    cl_hdf5_scale_users_fini(users);
    return cl_output_fail(f, err, "%s:%s cannot be replaced", o->spec.file, o->path);
}

static clast_status make_dataset(const cl_output_file *f, hid_t file, cl_output *o,
                                 cl_error *err)
{
    if (make_groups(file, o->path) < 0)
        return cl_output_fail(f, err, "%s:%s: its groups cannot be made", o->spec.file,
                              o->path);
    cl_scale_users users = {0};
    CL_TRY(remove_old(f, file, o, &users, err));
    const hid_t dataset = create(file, o, f->is_new_format);
    clast_status status = dataset >= 0 ? describe(file, dataset, o, err) : CLAST_OK;
    if (dataset >= 0 && is_number_of_bool(o))
        cl_hdf5_attribute_put_text(dataset, CL_CF_BOOL, "bool");
    if (dataset >= 0)
        cl_hdf5_provenance_put(dataset, &o->spec);
    if (dataset >= 0)
        cl_hdf5_scales_restore(dataset, strrchr(o->path, '/') + 1, &users);
    cl_hdf5_scale_users_fini(&users);
    if (dataset >= 0 && !o->is_direct && !cl_hdf5_filters_check(dataset, &o->filters))
        status = cl_error_set(err, CLAST_ENOTSUP, CL_HDF5_FILTERS_CHANGED, o->spec.file,
                              o->path);
    if (dataset < 0 || H5Dclose(dataset) < 0)
        status = cl_output_fail(f, err, "%s:%s cannot be made", o->spec.file, o->path);
    return status;
}

static clast_status make_datasets(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    f->is_new_format = needs_new_format(outputs, index);
    const hid_t file = open_atomic(f, f->is_new_format, f->atomic.is_copy);
    if (file < 0)
        return cl_output_fail(f, err, "%s%s", f->atomic.file,
                              f->atomic.in_place ? " cannot be opened for writing"
                                                 : ": a file beside it cannot be made");
    clast_status status = CLAST_OK;
    f->is_begun = true;
    if (f->lent)
        cl_hdf5_file_share(f->lent, file);
    for (size_t i = 0; i < outputs->n && status == CLAST_OK; i++)
        if (outputs->output[i].file == index)
            status = make_dataset(f, file, &outputs->output[i], err);
    for (size_t i = 0; i < outputs->n && status == CLAST_OK; i++)
        if (outputs->output[i].file == index)
            status = cl_hdf5_scales_attach(file, &outputs->output[i], err);
    if (!f->atomic.is_copy && status == CLAST_OK)
        status = cl_hdf5_globals_put(file, outputs, index, err);
    const cl_output_spec *line = cl_output_file_historian(outputs, index);
    if (line && status == CLAST_OK)
        status = cl_hdf5_history_put(file, line, f->history, err);
    if (f->lent)
        cl_hdf5_file_share(f->lent, H5I_INVALID_HID);
    if ((H5Fclose(file) < 0 || f->error) && status == CLAST_OK)
        status = cl_output_fail(f, err, "%s: writing failed", f->atomic.file);
    return status;
}

/* Whether the last chunk is where the implicit index should have put it. */
static bool find_chunks(hid_t dataset, cl_output *o)
{
    hsize_t first[CL_MAXDIM] = {0}, last[CL_MAXDIM];
    uint64_t end = 0, bytes = 0;
    uint32_t mask;
    for (int a = 0; a < o->spec.shape.ndim; a++)
        last[a] = (hsize_t)((o->grid[a] - 1) * o->chunk[a]);
    return cl_hdf5_locate(dataset, first, &o->address, &bytes, &mask) ==
               CL_CHUNK_STORED &&
           bytes == o->chunk_bytes &&
           cl_hdf5_locate(dataset, last, &end, &bytes, &mask) == CL_CHUNK_STORED &&
           end == o->address + (uint64_t)(o->chunks - 1) * o->chunk_bytes;
}

static clast_status find_dataset(hid_t file, cl_output *o, cl_error *err)
{
    const hid_t dataset = H5Dopen2(file, o->path, H5P_DEFAULT);
    if (dataset < 0)
        return cl_hdf5_fail(err, CLAST_EINTERNAL, "%s:%s is not there", o->spec.file,
                            o->path);
    if (o->is_contiguous)
        o->address = H5Dget_offset(dataset);
    const bool is_found = o->is_contiguous || find_chunks(dataset, o);
    H5Dclose(dataset);
    if (!is_found)
        return cl_error_set(err, CLAST_EINTERNAL,
                            "%s:%s: its chunks do not lie one after another",
                            o->spec.file, o->path);
    return CLAST_OK;
}

/* The addresses of the direct outputs, from the closed file. */
static clast_status find_datasets(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    cl_hdf5_file *file;
    CL_TRY(cl_hdf5_file_open(&file, f->atomic.temp, err));
    clast_status status = CLAST_OK;
    for (size_t i = 0; i < outputs->n && status == CLAST_OK; i++) {
        cl_output *o = &outputs->output[i];
        if (o->file == index && o->is_direct && o->chunks > 0)
            status = find_dataset(file->id, o, err);
    }
    f->bytes = (uint64_t)file->at_open.st_size;
    cl_hdf5_file_close(file);
    return status;
}

/* Blocks on the disk for the direct outputs, so that a full disk is found now. Those
 * that are so large that the system would slow their writers anyway go to the disk at
 * once. */
static clast_status reserve(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    f->fd = open(f->atomic.temp, O_RDWR | O_CLOEXEC);
    if (f->fd < 0)
        return cl_error_set(err, cl_status_from_errno(errno), "%s: opening failed: %s",
                            f->atomic.file, strerror(errno));
    uint64_t all = 0;
    for (size_t i = 0; i < outputs->n; i++) {
        const cl_output *o = &outputs->output[i];
        if (o->file != index || !o->is_direct || o->chunks == 0)
            continue;
        const uint64_t bytes = (uint64_t)o->chunks * o->chunk_bytes;
        if (o->address > f->bytes || bytes > f->bytes - o->address)
            return cl_error_set(err, CLAST_EINTERNAL, "%s:%s lies outside of its file",
                                o->spec.file, o->path);
        const int error = cl_sys_reserve(f->fd, (off_t)o->address, (off_t)bytes);
        if (error)
            return cl_error_set(err, cl_status_from_errno(error),
                                "%s:%s: no room for its %llu bytes: %s", o->spec.file,
                                o->path, (unsigned long long)bytes, strerror(error));
        all += bytes; /* within the file: no overflow */
    }
    f->is_large = all >= cl_cache_room(all) / LARGE_SHARE;
    return CLAST_OK;
}

/* The filtered outputs of a file; none: it stays closed. */
static clast_status open_filtered(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    for (size_t i = 0; i < outputs->n; i++) {
        cl_output *o = &outputs->output[i];
        if (o->file != index || o->is_direct)
            continue;
        if (f->id < 0)
            f->id = open_atomic(f, false, true);
        if (f->id >= 0)
            o->dataset = H5Dopen2(f->id, o->path, H5P_DEFAULT);
        if (o->dataset < 0)
            return cl_output_fail(f, err, "%s:%s cannot be opened", o->spec.file,
                                  o->path);
    }
    return CLAST_OK;
}

bool cl_output_file_has_filters(const cl_outputs *outputs, size_t index)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == index && !outputs->output[i].is_direct)
            return true;
    return false;
}

static clast_status reopen(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    if (!cl_output_file_has_filters(outputs, index))
        return CLAST_OK;
    f->is_late = f->lent != NULL;
    if (!f->is_late)
        CL_TRY(open_filtered(outputs, index, err));
    return cl_chunk_order_new(&f->order, outputs, index, err);
}

static clast_status begin_locked(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    CL_TRY(cl_hdf5_check_library(err));
    CL_TRY(make_datasets(outputs, index, err));
    if (f->lent)
        cl_hdf5_file_give_back(f->lent, false);
    CL_TRY(find_datasets(outputs, index, err));
    CL_TRY(reserve(outputs, index, err));
    return reopen(outputs, index, err);
}

clast_status cl_output_file_late(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    cl_hdf5_guard guard;
    if (!f->is_late)
        return CLAST_OK;
    cl_hdf5_enter(&guard);
    clast_status status = cl_hdf5_file_lend(f->lent, err);
    if (status == CLAST_OK)
        status = open_filtered(outputs, index, err);
    f->is_late = status != CLAST_OK;
    cl_hdf5_leave(&guard);
    return status;
}

clast_status cl_output_file_begin(cl_outputs *outputs, size_t file, cl_error *err)
{
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    const clast_status status = begin_locked(outputs, file, err);
    cl_hdf5_leave(&guard);
    return status;
}

clast_status cl_output_file_continue(cl_outputs *outputs, size_t file, cl_error *err)
{
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    clast_status status = find_datasets(outputs, file, err);
    if (status == CLAST_OK)
        status = reserve(outputs, file, err);
    cl_hdf5_leave(&guard);
    return status;
}

void cl_output_file_undo(cl_outputs *outputs, size_t index)
{
    cl_output_file *f = &outputs->file[index];
    cl_hdf5_guard guard;
    if (!f->atomic.in_place || !f->is_begun)
        return;
    cl_hdf5_enter(&guard);
    const bool is_ours = !f->lent || cl_hdf5_file_lend(f->lent, NULL) == CLAST_OK;
    const hid_t file = is_ours ? open_atomic(f, false, true) : H5I_INVALID_HID;
    for (size_t i = 0; i < outputs->n && file >= 0; i++) {
        cl_scale_users users = {0};
        if (outputs->output[i].file == index)
            remove_old(f, file, &outputs->output[i], &users, NULL);
        cl_hdf5_scale_users_fini(&users);
    }
    if (file >= 0)
        H5Fclose(file);
    cl_hdf5_leave(&guard);
}
