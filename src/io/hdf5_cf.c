/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed data means what its attributes say (CF conventions 1.10, sections 2.5.1 and
 * 8.1), decoded as xarray.open_dataset(mask_and_scale=True) does:
 *
 *   value = stored * scale_factor + add_offset;  NaN where stored is a fill value
 *
 * Fill values are _FillValue and every number of missing_value, but NaNs (those are NaN
 * anyhow). The dtype that is handed out:
 *
 *   fill values only     float32 and float64 as they are; integers of one or two bytes
 *                        float32, larger ones float64
 *   scale and/or offset  float32 if stored in at most two bytes of integer or in
 *                        float16/float32, a scale is there, and all of the two
 *                        attributes that are there are float32; else float64
 *   _Unsigned = "true"   a signed integer is read as the unsigned one of its size
 *   dtype = "bool"       an integer of one byte is bool, unless there is a fill value
 *                        or packing: that is how xarray writes bools to netCDF
 *
 * The third is xarray's rule, but for integers of 4 or 8 bytes and float64,
 * which xarray would cut down to float32 in some cases; here they always give float64.
 * Comparison with the fill value and all arithmetic are done in that dtype, fill first.
 * bool and complex datasets are left alone.
 */
#include "io/hdf5_cf.h"

#include <math.h>
#include <string.h>

static bool is_numeric(hid_t type)
{
    const H5T_class_t class = H5Tget_class(type);
    return class == H5T_INTEGER || class == H5T_FLOAT;
}

static int read_numbers(hid_t attribute, hid_t type, double *value, int n)
{
    const hid_t space = H5Aget_space(attribute);
    const hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    if (space >= 0)
        H5Sclose(space);
    if (count < 1 || count > n || !is_numeric(type))
        return 0;
    return H5Aread(attribute, H5T_NATIVE_DOUBLE, value) < 0 ? 0 : (int)count;
}

int cl_hdf5_attribute(hid_t object, const char *name, double *value, int n,
                      bool *is_float32)
{
    *is_float32 = false;
    if (H5Aexists(object, name) <= 0)
        return 0;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return 0;
    const hid_t type = H5Aget_type(attribute);
    const int count = type < 0 ? 0 : read_numbers(attribute, type, value, n);
    *is_float32 =
        count > 0 && H5Tget_class(type) == H5T_FLOAT && H5Tget_size(type) <= 4;
    if (type >= 0)
        H5Tclose(type);
    H5Aclose(attribute);
    return count;
}

/* One string of either kind; false where it is none, or has no room. */
static bool read_text(hid_t attribute, hid_t type, char *text, size_t size)
{
    char *variable = NULL;
    bool is_read = false;
    const hid_t space = H5Aget_space(attribute);
    const bool is_one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
    if (is_one && H5Tget_class(type) == H5T_STRING) {
        if (H5Tis_variable_str(type) > 0) {
            is_read = H5Aread(attribute, type, &variable) >= 0 && variable &&
                      strlen(variable) < size;
            if (is_read)
                strcpy(text, variable);
        } else if (H5Tget_size(type) < size) {
            text[H5Tget_size(type)] = '\0';
            is_read = H5Aread(attribute, type, text) >= 0;
        }
    }
    H5free_memory(variable);
    if (space >= 0)
        H5Sclose(space);
    return is_read;
}

bool cl_hdf5_text_attribute(hid_t object, const char *name, char *text, size_t size)
{
    if (H5Aexists(object, name) <= 0)
        return false;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return false;
    const hid_t type = H5Aget_type(attribute);
    const bool is_read = type >= 0 && read_text(attribute, type, text, size);
    if (type >= 0)
        H5Tclose(type);
    H5Aclose(attribute);
    return is_read;
}

static bool text_is(hid_t object, const char *name, const char *wanted)
{
    char text[16];
    return cl_hdf5_text_attribute(object, name, text, sizeof text) &&
           strcmp(text, wanted) == 0;
}

static void read_fills(hid_t dataset, cl_cf *cf)
{
    static const char *const names[] = {"missing_value", "_FillValue"};
    for (int i = 0; i < 2; i++) {
        double value[CL_CF_FILLS / 2];
        bool is_float32;
        const int n =
            cl_hdf5_attribute(dataset, names[i], value, CL_CF_FILLS / 2, &is_float32);
        for (int k = 0; k < n; k++)
            if (!isnan(value[k]))
                cf->fill[cf->nfill++] = value[k];
    }
}

static void apply_unsigned(hid_t dataset, cl_convert *c)
{
    if (c->stored < CLAST_INT8 || c->stored > CLAST_INT64 ||
        !text_is(dataset, "_Unsigned", "true"))
        return;
    c->stored = (clast_dtype)(c->stored - CLAST_INT8 + CLAST_UINT8);
    c->dtype = c->stored;
    /* A fill value is given in the signed type. */
    const double range = ldexp(1, 8 * (int)clast_dtype_size(c->stored));
    for (int i = 0; i < c->cf.nfill; i++)
        if (c->cf.fill[i] < 0)
            c->cf.fill[i] += range;
}

bool cl_hdf5_cf_is_bool(hid_t dataset)
{
    return text_is(dataset, CL_CF_BOOL, "bool");
}

void cl_hdf5_cf_read(hid_t dataset, cl_convert *c)
{
    cl_cf *cf = &c->cf;
    bool is_scale32, is_offset32;
    if (!cl_dtype_is_integer(c->stored) && !cl_dtype_is_float(c->stored))
        return;
    read_fills(dataset, cf);
    cf->has_scale =
        cl_hdf5_attribute(dataset, "scale_factor", &cf->scale, 1, &is_scale32) == 1;
    cf->has_offset =
        cl_hdf5_attribute(dataset, "add_offset", &cf->offset, 1, &is_offset32) == 1;
    apply_unsigned(dataset, c);
    const bool is_packed = cf->has_scale || cf->has_offset;
    c->has_cf = cf->nfill > 0 || is_packed;
    if (!c->has_cf && (c->stored == CLAST_INT8 || c->stored == CLAST_UINT8) &&
        cl_hdf5_cf_is_bool(dataset))
        c->stored = c->dtype = CLAST_BOOL;
    if (!c->has_cf)
        return;
    const bool is_short =
        c->stored == CLAST_FLOAT32 || clast_dtype_size(c->stored) <= 2;
    const bool is_single =
        cf->has_scale && is_scale32 && (!cf->has_offset || is_offset32);
    c->dtype = is_short && (!is_packed || is_single) ? CLAST_FLOAT32 : CLAST_FLOAT64;
}
