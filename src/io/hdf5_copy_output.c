/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outputs of a run that fill datasets of a copy.
 *
 * They are outputs as any others (hdf5_put.c) but for their beginning and end: the
 * datasets exist, the file is open and belongs to the copy, which publishes it. Chunks
 * go through H5Dwrite_chunk; where the filters are libhdf5's own, through H5Dwrite.
 */
#include "base/alloc.h"
#include "base/dtype.h"
#include "io/hdf5_copy.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_order.h"

void cl_copy_spec(cl_copy *copy, size_t index, cl_output_spec *spec)
{
    const cl_copy_dataset *d = &copy->dataset[index];
    *spec = (cl_output_spec){.file = copy->set.out,
                             .path = d->target,
                             .dtype = d->bits,
                             .shape = d->shape,
                             .no_sync = copy->set.no_sync,
                             .is_canceled = copy->set.is_canceled,
                             .into = copy,
                             .index = index};
    for (int a = 0; a < d->shape.ndim; a++)
        spec->chunk[a] = d->chunk[a];
}

clast_status cl_copy_settle(cl_output *o, const cl_output_spec *spec, cl_error *err)
{
    const cl_copy_dataset *d = &spec->into->dataset[spec->index];
    *o = (cl_output){.spec = *spec, .dataset = H5I_INVALID_HID};
    o->path = cl_strdup(d->target);
    o->filters = d->filters;
    o->by_library = d->by_library;
    o->chunk_bytes = clast_dtype_size(d->bits);
    o->chunks = 1;
    for (int a = 0; a < d->shape.ndim; a++) {
        o->chunk[a] = d->chunk[a];
        o->grid[a] = (d->shape.dim[a] - 1) / d->chunk[a] + 1;
        o->chunks *= o->grid[a];
        o->chunk_bytes *= (uint64_t)d->chunk[a];
    }
    if (!o->path)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for an output");
    return CLAST_OK;
}

static clast_status begin_one(cl_outputs *outputs, const cl_output_spec *spec,
                              cl_error *err)
{
    cl_output *o = &outputs->output[outputs->n];
    const clast_status status = cl_copy_settle(o, spec, err);
    outputs->n++;
    o->spec.file = NULL; /* a copy only */
    CL_TRY(status);
    CL_TRY(cl_output_begin(o, spec->file, err));
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    if (access >= 0 && H5Pset_chunk_cache(access, 0, 0, 1) >= 0)
        o->dataset = H5Dopen2(outputs->file->id, o->path, access);
    if (access >= 0)
        H5Pclose(access);
    if (o->dataset < 0)
        return cl_output_fail(outputs->file, err, "%s:%s cannot be opened", spec->file,
                              o->path);
    return CLAST_OK;
}

clast_status cl_copy_outputs_begin(cl_outputs *outputs, size_t n,
                                   const cl_output_spec *specs, cl_error *err)
{
    outputs->is_part = true;
    outputs->nfile = 1;
    outputs->file = &specs[0].into->file;
    outputs->output = cl_calloc(n, sizeof *outputs->output);
    if (!outputs->output)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for %zu outputs", n);
    cl_hdf5_guard guard;
    clast_status status = CLAST_OK;
    cl_hdf5_enter(&guard);
    for (size_t i = 0; i < n && status == CLAST_OK; i++)
        status = begin_one(outputs, &specs[i], err);
    cl_hdf5_leave(&guard);
    return status == CLAST_OK
               ? cl_chunk_order_new(&outputs->file->order, outputs, 0, err)
               : status;
}

clast_status cl_copy_outputs_end(cl_outputs *outputs, cl_error *err)
{
    bool is_good = true;
    cl_hdf5_guard guard;
    cl_chunk_order_free(outputs->file->order);
    outputs->file->order = NULL;
    cl_hdf5_enter(&guard);
    for (size_t i = 0; i < outputs->n; i++) {
        cl_output *o = &outputs->output[i];
        if (o->dataset >= 0)
            is_good = H5Dclose(o->dataset) >= 0 && is_good;
        o->dataset = H5I_INVALID_HID;
    }
    const clast_status status =
        is_good && !outputs->file->error
            ? CLAST_OK
            : cl_output_fail(outputs->file, err, "%s: writing failed",
                             outputs->file->atomic.file);
    cl_hdf5_leave(&guard);
    return status;
}

static herr_t write_box(const cl_output *o, const cl_box *box, const void *data)
{
    hsize_t lo[CL_MAXDIM], n[CL_MAXDIM];
    for (int a = 0; a < box->ndim; a++) {
        lo[a] = (hsize_t)box->lo[a];
        n[a] = (hsize_t)box->n[a];
    }
    const hid_t type = H5Dget_type(o->dataset), file = H5Dget_space(o->dataset);
    const hid_t memory = H5Screate_simple(box->ndim, n, NULL);
    herr_t result = -1;
    if (type >= 0 && file >= 0 && memory >= 0 &&
        H5Sselect_hyperslab(file, H5S_SELECT_SET, lo, NULL, n, NULL) >= 0)
        result = H5Dwrite(o->dataset, type, memory, file, H5P_DEFAULT, data);
    if (memory >= 0)
        H5Sclose(memory);
    if (file >= 0)
        H5Sclose(file);
    if (type >= 0)
        H5Tclose(type);
    return result;
}

clast_status cl_copy_put(const cl_output *o, const cl_output_file *f, const cl_box *box,
                         const void *data, cl_error *err)
{
    cl_hdf5_guard guard;
    clast_status status = CLAST_OK;
    cl_hdf5_enter(&guard);
    if (write_box(o, box, data) < 0 || f->error)
        status = cl_output_fail(f, err, "%s:%s: writing failed", o->spec.file, o->path);
    cl_hdf5_leave(&guard);
    return status;
}
