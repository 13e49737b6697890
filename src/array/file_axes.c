/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joining goes by position, as all else, but the result has the labels of the first
 * file: rows of one that counts its latitudes from the south would silently get those
 * of another place. So each file's axes are compared while it is open anyway.
 *
 * Names must be equal; coordinates too, exactly, as xarray's join="exact" wants them,
 * and the message says by how much they differ, so that noise is seen to be noise.
 * Times are compared as instants, texts (names of stations) as a whole. What only one
 * of two files has is a difference, but for the units of a coordinate, which are often
 * left out, and standard_name.
 *
 * Each coordinate of each file is read once, one at a time.
 */
#include "array/file_axes.h"

#include <stdio.h>
#include <string.h>

#define HINT "; the option any_coordinates joins them all the same"

/* "'lat'", "without a name" */
static const char *name_text(const char *name, char *text, size_t size)
{
    if (!name)
        return "without a name";
    snprintf(text, size, "'%.100s'", name);
    return text;
}

static clast_status compare_name(const cl_source_info *a, const cl_source_info *b,
                                 int axis, const char *wanted, const char *name,
                                 cl_error *err)
{
    char x[104], y[104];
    if (wanted && name ? strcmp(wanted, name) == 0 : wanted == name)
        return CLAST_OK;
    return cl_error_set(err, CLAST_EVALUE, "axis %d of %s:%s is %s, that of %s is %s%s",
                        axis, b->file, b->path, name_text(name, y, sizeof y), a->file,
                        name_text(wanted, x, sizeof x), HINT);
}

/* What an axis without a name is called, in messages only. */
static const char *axis_text(const cl_file_axes *axes, int axis, char text[24])
{
    if (axes->dim[axis].name)
        return axes->dim[axis].name;
    snprintf(text, 24, "%d", axis);
    return text;
}

static clast_status fail_one(const cl_file_axes *axes, int axis,
                             const cl_source_info *with, const cl_source_info *without,
                             cl_error *err)
{
    char text[24];
    return cl_error_set(err, CLAST_EVALUE,
                        "axis '%.100s' has coordinates in %s, but none in %s" HINT,
                        axis_text(axes, axis, text), with->file, without->file);
}

static clast_status fail_pair(const cl_file_axes *axes, int axis,
                              const cl_source_info *other, const char *why,
                              cl_error *err)
{
    char text[24];
    return cl_error_set(err, CLAST_EVALUE,
                        "axis '%.100s' of %s and of %s has different coordinates: "
                        "%s" HINT,
                        axis_text(axes, axis, text), axes->info->file, other->file,
                        why);
}

/* ---- values */

static clast_status read_values(const cl_file_axes *axes, cl_values *values,
                                const char *file, const char *path, int64_t n,
                                uint64_t *charged, cl_error *err)
{
    const uint64_t bytes = (uint64_t)n * sizeof(double);
    if (n > CL_COORDINATE_MOST)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "%s:%s: a coordinate has at most %lld numbers, not %lld"
                            "%s",
                            file, path, (long long)CL_COORDINATE_MOST, (long long)n,
                            HINT);
    CL_TRY(cl_engine_charge(axes->ctx->engine, bytes, err));
    const clast_status status = cl_values_read(values, file, path, n, err);
    if (status == CLAST_OK)
        *charged += bytes;
    else
        cl_engine_uncharge(axes->ctx->engine, bytes);
    return status;
}

static clast_status compare_numbers(const cl_file_axes *axes, int axis,
                                    const cl_source_info *other, const char *path,
                                    cl_error *err)
{
    char why[300];
    cl_values values;
    uint64_t charged = 0;
    const cl_values *wanted = &axes->values[axis];
    CL_TRY(read_values(axes, &values, other->file, path, wanted->n, &charged, err));
    const clast_status status = cl_values_compare(wanted, &values, why, sizeof why);
    cl_free(values.data);
    cl_engine_uncharge(axes->ctx->engine, charged);
    return status == CLAST_OK ? CLAST_OK : fail_pair(axes, axis, other, why, err);
}

static clast_status compare_texts(const cl_file_axes *axes, int axis,
                                  const cl_source_info *other, const char *path,
                                  cl_error *err)
{
    bool is_equal;
    const char *const file[2] = {axes->info->file, other->file};
    const char *const paths[2] = {axes->dim[axis].texts, path};
    CL_TRY(cl_hdf5_same(file, paths, &is_equal, err));
    return is_equal ? CLAST_OK
                    : fail_pair(axes, axis, other,
                                "they are no numbers, and their elements or their "
                                "datatypes differ",
                                err);
}

static clast_status compare_coordinate(const cl_file_axes *axes, int axis,
                                       const cl_source_info *other, const cl_dim *dim,
                                       cl_error *err)
{
    const cl_dim *wanted = &axes->dim[axis];
    const bool has_first = wanted->coordinate || wanted->texts;
    const bool has_other = dim->coordinate || dim->texts;
    if (has_first != has_other)
        return has_first ? fail_one(axes, axis, axes->info, other, err)
                         : fail_one(axes, axis, other, axes->info, err);
    if (!has_first || axis == axes->joined)
        return CLAST_OK;
    if (!wanted->coordinate != !dim->coordinate)
        return fail_pair(axes, axis, other, "only one of them has numbers", err);
    return dim->coordinate ? compare_numbers(axes, axis, other, dim->coordinate, err)
                           : compare_texts(axes, axis, other, dim->texts, err);
}

/* ---- standard_name */

static clast_status compare_standard_name(const cl_file_axes *axes,
                                          const cl_source *other, cl_error *err)
{
    char name[CL_STANDARD_NAME];
    const cl_source_info *info = cl_source_get_info(other);
    if (!axes->standard_name[0] ||
        !cl_source_attribute(other, "standard_name", name, sizeof name) || !name[0] ||
        strcmp(name, axes->standard_name) == 0)
        return CLAST_OK;
    return cl_error_set(err, CLAST_EVALUE,
                        "%s:%s has standard_name '%s', %s has '%s'" HINT, info->file,
                        info->path, name, axes->info->file, axes->standard_name);
}

/* ---- calls */

clast_status cl_file_axes_begin(cl_file_axes *axes, clast_ctx *ctx,
                                const cl_source *first, cl_error *err)
{
    *axes = (cl_file_axes){.ctx = ctx, .info = cl_source_get_info(first), .joined = -1};
    return cl_source_dims(first, axes->dim, err);
}

clast_status cl_file_axes_expect(cl_file_axes *axes, int joined, const cl_source *first,
                                 cl_error *err)
{
    axes->joined = joined;
    if (!cl_source_attribute(first, "standard_name", axes->standard_name,
                             sizeof axes->standard_name))
        axes->standard_name[0] = '\0';
    for (int k = 0; k < axes->info->shape.ndim; k++)
        if (k != joined && axes->dim[k].coordinate)
            CL_TRY(read_values(axes, &axes->values[k], axes->info->file,
                               axes->dim[k].coordinate, axes->info->shape.dim[k],
                               &axes->charged, err));
    return CLAST_OK;
}

clast_status cl_file_axes_compare(const cl_file_axes *axes, const cl_source *other,
                                  cl_error *err)
{
    cl_dim dim[CL_MAXDIM];
    const cl_source_info *info = cl_source_get_info(other);
    clast_status status = cl_source_dims(other, dim, err);
    for (int k = 0; k < info->shape.ndim && status == CLAST_OK; k++) {
        status = compare_name(axes->info, info, k, axes->dim[k].name, dim[k].name, err);
        if (status == CLAST_OK)
            status = compare_coordinate(axes, k, info, &dim[k], err);
    }
    cl_dims_free(info->shape.ndim, dim);
    return status == CLAST_OK ? compare_standard_name(axes, other, err) : status;
}

void cl_file_axes_fini(cl_file_axes *axes)
{
    cl_dims_free(CL_MAXDIM, axes->dim);
    for (int k = 0; k < CL_MAXDIM; k++)
        cl_free(axes->values[k].data);
    if (axes->charged > 0)
        cl_engine_uncharge(axes->ctx->engine, axes->charged);
    *axes = (cl_file_axes){0};
}
