/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Coordinates: whole 1-d datasets, read when they are asked for.
 *
 * They are small, so libhdf5 reads them: no other way has to be chosen, or tried by a
 * canary. A file that is open already is not opened again.
 */
#include "base/alloc.h"
#include "io/hdf5_source.h"

static clast_status read_values(cl_hdf5_source *s, cl_values *v, cl_error *err)
{
    const cl_source_info *info = &s->base.info;
    const cl_box box = cl_box_whole(&info->shape);
    uint64_t stored;
    if (info->shape.ndim != 1 || info->shape.dim[0] != v->n)
        return cl_error_set(err, CLAST_ESHAPE,
                            "%s has not the %lld elements of its axis", s->where,
                            (long long)v->n);
    s->access = v->n > 0 ? CL_ACCESS_LIBRARY : CL_ACCESS_NONE;
    v->dtype = info->dtype;
    v->data = cl_alloc_array((size_t)v->n, clast_dtype_size(v->dtype));
    if (!v->data)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for %s", s->where);
    if (!cl_source_attribute(&s->base, "units", v->units, sizeof v->units))
        v->units[0] = '\0';
    if (!cl_source_attribute(&s->base, "calendar", v->calendar, sizeof v->calendar))
        v->calendar[0] = '\0';
    CL_TRY(cl_source_fetch(&s->base, &box, v->data, NULL, &stored, err));
    return cl_source_decode(&s->base, &box, v->data, NULL, err);
}

clast_status cl_values_read(cl_values *values, const char *file, const char *path,
                            int64_t n, cl_error *err)
{
    cl_hdf5_source *s;
    *values = (cl_values){.n = n};
    CL_TRY(cl_hdf5_open(&s, file, path, CL_READ_DECODED, err));
    const clast_status status = read_values(s, values, err);
    cl_source_close(&s->base);
    if (status != CLAST_OK) {
        cl_free(values->data);
        values->data = NULL;
    }
    return status;
}
