/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scales lie beside the dataset, under the name of the axis. One that is there already
 * is shared if it has the same length and the same numbers; else the name gets a number
 * behind it ("lat_2"), so nothing that exists is touched. An axis that has a name and
 * no coordinate gets what netCDF-4 writes for that: a scale without data whose NAME
 * says so. An output of one axis that bears the axis' own name is the scale itself.
 * Where some axes of an output have names and others have none, these get such a scale
 * too, "unnamed_0" by their number: netCDF-C (4.9) cannot read a dataset of which only
 * some axes have scales. For us they go on having no name (hdf5_dims.c).
 *
 * The values go to the file in pieces while it is made, long before any other data; a
 * scale is a few kilobytes, and nothing that goes wrong here refuses the output.
 *
 * What describes scales (CLASS, NAME, DIMENSION_LIST, REFERENCE_LIST) is written by
 * HDF5's high-level library. It holds no lock of its own; ours is held.
 */
#include "io/hdf5_scales.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "io/hdf5_carry.h"
#include "io/hdf5_dims.h"
#include "io/hdf5_type.h"

enum {
    PIECE = 1024,    /* elements that are written or compared at once */
    MOST_NAMES = 64, /* "lat", "lat_2", ... that are tried */
    MOST_TEXT = 2048 /* of a path */
};

/* ---- the axes of an output */

/* What the scale of an axis is to be. */
typedef struct {
    cl_output_dim dim;
    int64_t n;
    bool is_unlimited;
    char name[32]; /* of an axis that has none */
} axis_scale;

static bool is_named(const cl_output *o, int axis)
{
    const char *name = o->spec.dim ? o->spec.dim[axis].name : NULL;
    return name && name[0] && !strchr(name, '/');
}

static bool has_names(const cl_output *o)
{
    int a = 0;
    while (a < o->spec.shape.ndim && !is_named(o, a))
        a++;
    return a < o->spec.shape.ndim;
}

bool cl_hdf5_axis_is_unlimited(const cl_output *o, int axis)
{
    hsize_t most = 0;
    const cl_hdf5_source *s =
        o->spec.dim ? (const cl_hdf5_source *)o->spec.dim[axis].like : NULL;
    if (!s || o->is_direct || cl_hdf5_source_wake(s, NULL) != CLAST_OK)
        return false;
    const hid_t space = H5Dget_space(s->client->dataset);
    const bool is_unlimited = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 &&
                              H5Sget_simple_extent_dims(space, NULL, &most) == 1 &&
                              most == H5S_UNLIMITED;
    if (space >= 0)
        H5Sclose(space);
    return is_unlimited;
}

/* Of an axis of an output that has_names(). */
static void settle_scale(const cl_output *o, int axis, axis_scale *s)
{
    s->n = o->spec.shape.dim[axis];
    s->is_unlimited = cl_hdf5_axis_is_unlimited(o, axis);
    if (is_named(o, axis)) {
        s->dim = o->spec.dim[axis];
        return;
    }
    snprintf(s->name, sizeof s->name, CL_UNNAMED "%d", axis);
    s->dim = (cl_output_dim){.name = s->name};
}

/* ---- values of an axis, piece by piece */

static hid_t open_piece(hid_t space, int64_t at, int64_t n)
{
    const hsize_t start = (hsize_t)at, count = (hsize_t)n;
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) < 0)
        return -1;
    return H5Screate_simple(1, &count, NULL);
}

static void gather(const cl_output_dim *dim, int64_t at, int64_t n, char *to)
{
    const size_t item = clast_dtype_size(dim->dtype);
    const char *from = dim->values;
    for (int64_t i = 0; i < n; i++)
        memcpy(to + (size_t)i * item, from + (at + i) * dim->stride, item);
}

typedef bool piece_fn(hid_t dataset, hid_t type, hid_t memory, hid_t space,
                      const char *values, size_t bytes);

static bool write_piece(hid_t dataset, hid_t type, hid_t memory, hid_t space,
                        const char *values, size_t bytes)
{
    return H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, values) >= 0;
}

static bool compare_piece(hid_t dataset, hid_t type, hid_t memory, hid_t space,
                          const char *values, size_t bytes)
{
    char stored[PIECE * 16];
    return H5Dread(dataset, type, memory, space, H5P_DEFAULT, stored) >= 0 &&
           memcmp(stored, values, bytes) == 0;
}

/* Whether fn said yes to all pieces. */
static bool for_pieces(hid_t dataset, const cl_output_dim *dim, int64_t n, piece_fn *fn)
{
    char values[PIECE * 16];
    const hid_t type = cl_hdf5_type_make(dim->dtype), space = H5Dget_space(dataset);
    bool is_good = type >= 0 && space >= 0;
    for (int64_t at = 0; at < n && is_good; at += PIECE) {
        const int64_t count = n - at < PIECE ? n - at : PIECE;
        const hid_t memory = open_piece(space, at, count);
        gather(dim, at, count, values);
        is_good = memory >= 0 && fn(dataset, type, memory, space, values,
                                    (size_t)count * clast_dtype_size(dim->dtype));
        if (memory >= 0)
            H5Sclose(memory);
    }
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return is_good;
}

/* ---- scales that are there */

static bool has_dtype(hid_t dataset, clast_dtype dtype)
{
    const hid_t stored = H5Dget_type(dataset), wanted = cl_hdf5_type_make(dtype);
    const bool is_equal = stored >= 0 && wanted >= 0 && H5Tequal(stored, wanted) > 0;
    if (stored >= 0)
        H5Tclose(stored);
    if (wanted >= 0)
        H5Tclose(wanted);
    return is_equal;
}

static bool fits(hid_t scale, const axis_scale *s)
{
    const cl_output_dim *dim = &s->dim;
    if (H5DSis_scale(scale) <= 0 || !cl_hdf5_is_of_length(scale, s->n))
        return false;
    if (!dim->values)
        return !cl_hdf5_scale_has_variable(scale);
    return cl_hdf5_scale_has_variable(scale) && has_dtype(scale, dim->dtype) &&
           for_pieces(scale, dim, s->n, compare_piece);
}

/* ---- scales that are made */

/* chunk: of one that can grow; 0: it cannot. */
static hid_t create(hid_t group, const char *name, hid_t type, hid_t space,
                    hsize_t chunk)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = H5I_INVALID_HID;
    if (list >= 0 && H5Pset_obj_track_times(list, 0) >= 0 &&
        (chunk == 0 || H5Pset_chunk(list, 1, &chunk) >= 0))
        dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (list >= 0)
        H5Pclose(list);
    return dataset;
}

static hid_t create_scale(hid_t group, const char *name, const axis_scale *s)
{
    const cl_output_dim *dim = &s->dim;
    const hsize_t length = (hsize_t)s->n, most = H5S_UNLIMITED;
    const hid_t space = H5Screate_simple(1, &length, s->is_unlimited ? &most : NULL);
    const hid_t type =
        dim->values ? cl_hdf5_type_make(dim->dtype) : H5Tcopy(H5T_IEEE_F32BE);
    const hid_t scale = space >= 0 && type >= 0 ? create(group, name, type, space,
                                                         !s->is_unlimited ? 0
                                                         : length < PIECE ? length
                                                                          : PIECE)
                                                : H5I_INVALID_HID;
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return scale;
}

static bool fill_scale(hid_t group, hid_t scale, const char *name, const axis_scale *s,
                       cl_error *err)
{
    const cl_output_dim *dim = &s->dim;
    char text[128];
    int left;
    if (!dim->values) {
        snprintf(text, sizeof text, CL_NO_VARIABLE "%10lld", (long long)s->n);
        return H5DSset_scale(scale, text) >= 0;
    }
    return for_pieces(scale, dim, s->n, write_piece) &&
           H5DSset_scale(scale, name) >= 0 &&
           (!dim->like || cl_hdf5_carry(dim->like, CL_CARRY_VALUES, dim->dtype, group,
                                        scale, &left, err) == CLAST_OK);
}

static hid_t make_scale(hid_t group, const char *name, const axis_scale *s,
                        cl_error *err)
{
    const hid_t scale = create_scale(group, name, s);
    if (scale < 0 || fill_scale(group, scale, name, s, err))
        return scale;
    H5Dclose(scale);
    H5Ldelete(group, name, H5P_DEFAULT);
    return H5I_INVALID_HID;
}

/* The scale of an axis, shared or made; negative: there is none. */
static hid_t find_scale(hid_t group, const axis_scale *s, cl_error *err)
{
    char name[MOST_TEXT];
    for (int i = 1; i <= MOST_NAMES; i++) {
        const int used = i == 1 ? snprintf(name, sizeof name, "%s", s->dim.name)
                                : snprintf(name, sizeof name, "%s_%d", s->dim.name, i);
        if (used >= (int)sizeof name)
            break;
        if (H5Lexists(group, name, H5P_DEFAULT) <= 0)
            return make_scale(group, name, s, err);
        const hid_t scale = H5Oopen(group, name, H5P_DEFAULT);
        if (scale >= 0 && H5Iget_type(scale) == H5I_DATASET && fits(scale, s))
            return scale;
        if (scale >= 0)
            H5Oclose(scale);
    }
    return H5I_INVALID_HID;
}

/* ---- outputs */

static const char *last_part(const cl_output *o)
{
    return strrchr(o->path, '/') + 1;
}

static hid_t open_group(hid_t file, const cl_output *o)
{
    char path[MOST_TEXT];
    snprintf(path, sizeof path, "%.*s/", (int)(last_part(o) - 1 - o->path), o->path);
    return H5Gopen2(file, path, H5P_DEFAULT);
}

static bool attach(hid_t group, hid_t dataset, const cl_output *o, int axis,
                   cl_error *err)
{
    axis_scale s;
    settle_scale(o, axis, &s);
    if (o->spec.shape.ndim == 1 && strcmp(s.dim.name, last_part(o)) == 0)
        return H5DSset_scale(dataset, s.dim.name) >= 0;
    const hid_t scale = find_scale(group, &s, err);
    if (scale < 0)
        return false;
    const bool is_good = H5DSattach_scale(dataset, scale, (unsigned)axis) >= 0;
    H5Oclose(scale);
    return is_good;
}

clast_status cl_hdf5_scales_attach(hid_t file, cl_output *o, cl_error *err)
{
    cl_error why = {0};
    if (!has_names(o))
        return CLAST_OK;
    const hid_t group = open_group(file, o);
    const hid_t dataset = H5Dopen2(file, o->path, H5P_DEFAULT);
    for (int a = 0; a < o->spec.shape.ndim; a++)
        if (group < 0 || dataset < 0 || !attach(group, dataset, o, a, &why))
            o->lost_scales++;
    if (dataset >= 0)
        H5Dclose(dataset);
    if (group >= 0)
        H5Gclose(group);
    return why.status == CLAST_ENOMEM ? cl_error_set(err, CLAST_ENOMEM, "%s", why.text)
                                      : CLAST_OK;
}

bool cl_hdf5_scales_include(const cl_output *o, hid_t dataset, const char *path)
{
    const size_t folder = (size_t)(last_part(o) - o->path);
    for (int a = 0; has_names(o) && a < o->spec.shape.ndim; a++) {
        axis_scale s;
        settle_scale(o, a, &s);
        if (strncmp(path, o->path, folder) == 0 &&
            strcmp(path + folder, s.dim.name) == 0 && fits(dataset, &s) &&
            cl_hdf5_carry_is_all(s.dim.like, dataset))
            return true;
    }
    return false;
}

/* ---- replaced datasets */

struct cl_scale_user {
    hobj_ref_t dataset;
    int axis;
};

static herr_t detach(hid_t dataset, unsigned axis, hid_t scale, void *arg)
{
    /* The list is changed under the iteration: one, then begin anew. */
    return H5DSdetach_scale(dataset, scale, axis) < 0 ? -1 : 1;
}

static void release_own(hid_t dataset)
{
    const hid_t space = H5Dget_space(dataset);
    const int ndim = space < 0 ? 0 : H5Sget_simple_extent_ndims(space);
    if (space >= 0)
        H5Sclose(space);
    for (int a = 0; a < ndim; a++)
        while (H5DSiterate_scales(dataset, (unsigned)a, NULL, detach, NULL) > 0)
            continue;
}

/* As HDF5's specification of dimension scales has it: {dataset, dimension}. */
static hid_t user_type(void)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(struct cl_scale_user));
    if (type >= 0 && (H5Tinsert(type, "dataset", HOFFSET(struct cl_scale_user, dataset),
                                H5T_STD_REF_OBJ) < 0 ||
                      H5Tinsert(type, "dimension", HOFFSET(struct cl_scale_user, axis),
                                H5T_NATIVE_INT) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static bool read_users(hid_t attribute, cl_scale_users *users)
{
    const hid_t space = H5Aget_space(attribute), type = user_type();
    const hssize_t n = space < 0 ? 0 : H5Sget_simple_extent_npoints(space);
    bool is_good = true;
    if (n > 0 && type >= 0) {
        users->user = cl_calloc((size_t)n, sizeof *users->user);
        is_good = users->user != NULL;
        if (is_good && H5Aread(attribute, type, users->user) >= 0)
            users->n = (size_t)n;
    }
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return is_good;
}

bool cl_hdf5_scales_release(hid_t dataset, cl_scale_users *users)
{
    *users = (cl_scale_users){0};
    if (H5DSis_scale(dataset) <= 0) {
        release_own(dataset);
        return true;
    }
    const hid_t attribute = H5Aexists(dataset, "REFERENCE_LIST") > 0
                                ? H5Aopen(dataset, "REFERENCE_LIST", H5P_DEFAULT)
                                : -1;
    const bool is_good = attribute < 0 || read_users(attribute, users);
    if (attribute >= 0)
        H5Aclose(attribute);
    for (size_t i = 0; i < users->n; i++) {
        const hid_t user =
            H5Rdereference2(dataset, H5P_DEFAULT, H5R_OBJECT, &users->user[i].dataset);
        if (user < 0)
            continue;
        H5DSdetach_scale(user, dataset, (unsigned)users->user[i].axis);
        H5Oclose(user);
    }
    return is_good;
}

static bool has_length(hid_t dataset, int axis, hid_t scale)
{
    hsize_t length[H5S_MAX_RANK];
    const hid_t space = H5Dget_space(dataset);
    const int ndim = space < 0 ? 0 : H5Sget_simple_extent_dims(space, length, NULL);
    if (space >= 0)
        H5Sclose(space);
    return axis < ndim && cl_hdf5_is_of_length(scale, (int64_t)length[axis]);
}

void cl_hdf5_scales_restore(hid_t dataset, const char *name, cl_scale_users *users)
{
    for (size_t i = 0; i < users->n; i++) {
        const int axis = users->user[i].axis;
        const hid_t user =
            H5Rdereference2(dataset, H5P_DEFAULT, H5R_OBJECT, &users->user[i].dataset);
        if (user < 0)
            continue;
        if (H5Iget_type(user) == H5I_DATASET && has_length(user, axis, dataset) &&
            (H5DSis_scale(dataset) > 0 || H5DSset_scale(dataset, name) >= 0))
            H5DSattach_scale(user, dataset, (unsigned)axis);
        H5Oclose(user);
    }
}

void cl_hdf5_scale_users_fini(cl_scale_users *users)
{
    cl_free(users->user);
    *users = (cl_scale_users){0};
}
