/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Axes and their names: HDF5's dimension scales, as netCDF-4 uses them.
 *
 * A dataset's attribute DIMENSION_LIST has, for each axis, references to its scales;
 * the first one counts. The name of the axis is the name of the link that leads to the
 * scale, looked for in the dataset's group and the groups above it, as netCDF's scopes
 * have it, then wherever libhdf5 finds one. A dataset that is a scale itself and of one
 * axis is its own. DIMENSION_LABELS gives names where no scale does.
 *
 * The scale is the coordinate variable of the axis as well, if it is 1-d, of numbers
 * and of the axis' length. netCDF-4 stores a dimension that has no variable as a scale
 * too and says so in its attribute NAME: that is a name without coordinates, but for
 * those that outputs have for the sake of netCDF where an axis has no name.
 *
 * Sources: HDF5 Dimension Scale Specification; NetCDF-4 format specification, "Creating
 * netCDF-4 files with HDF5". Nothing here is an error but lack of memory: what is
 * damaged or unusual has no name.
 */
#include "io/hdf5_dims.h"

#include <string.h>

#include "base/alloc.h"
#include "io/hdf5_cf.h"

#define NAME_MOST 1024

/* ---- where a scale is */

typedef struct {
    haddr_t address;
    char *path; /* room for NAME_MOST */
    size_t used;
} search;

static herr_t compare_link(hid_t group, const char *name, const H5L_info_t *link,
                           void *arg)
{
    search *s = arg;
    if (link->type != H5L_TYPE_HARD || link->u.address != s->address ||
        s->used + strlen(name) >= NAME_MOST)
        return 0;
    strcpy(s->path + s->used, name);
    return 1;
}

/* In the group that the first s->used bytes of the path name. */
static bool is_in_group(hid_t file, search *s)
{
    s->path[s->used] = '\0';
    const hid_t group = H5Gopen2(file, s->path, H5P_DEFAULT);
    if (group < 0)
        return false;
    hsize_t at = 0;
    const herr_t found =
        H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &at, compare_link, s);
    H5Gclose(group);
    return found > 0;
}

/* The path of a scale: from the group of `beside` upwards, then anywhere. */
static bool find_path(hid_t scale, const char *beside, char path[NAME_MOST])
{
    H5O_info_t info;
    search s = {.path = path};
    const hid_t file = H5Iget_file_id(scale);
    bool is_found = false;
    if (file < 0 || H5Oget_info2(scale, &info, H5O_INFO_BASIC) < 0 ||
        strlen(beside) + 2 > NAME_MOST) {
        if (file >= 0)
            H5Fclose(file);
        return false;
    }
    s.address = info.addr;
    path[0] = '/';
    strcpy(path + (beside[0] != '/'), beside);
    for (size_t n = strlen(path); !is_found && n > 0; n--)
        if (path[n - 1] == '/') {
            s.used = n;
            is_found = is_in_group(file, &s);
        }
    H5Fclose(file);
    if (is_found)
        return true;
    const ssize_t n = H5Iget_name(scale, path, NAME_MOST);
    return n > 0 && n < NAME_MOST;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- what a scale is */

static bool is_scale(hid_t dataset)
{
    char text[32];
    return cl_hdf5_text_attribute(dataset, "CLASS", text, sizeof text) &&
           strcmp(text, "DIMENSION_SCALE") == 0;
}

bool cl_hdf5_scale_has_variable(hid_t scale)
{
    char text[256];
    return !cl_hdf5_text_attribute(scale, "NAME", text, sizeof text) ||
           strncmp(text, CL_NO_VARIABLE, sizeof CL_NO_VARIABLE - 1) != 0;
}

bool cl_hdf5_is_of_length(hid_t dataset, int64_t n)
{
    hsize_t length = 0;
    const hid_t space = H5Dget_space(dataset);
    const bool is_equal = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 &&
                          H5Sget_simple_extent_dims(space, &length, NULL) == 1 &&
                          length == (hsize_t)n;
    if (space >= 0)
        H5Sclose(space);
    return is_equal;
}

/* What is along an axis of n. */
typedef enum { NOTHING, NUMBERS, OTHERS } contents;

static contents contents_of(hid_t scale, int64_t n)
{
    if (!cl_hdf5_scale_has_variable(scale) || !cl_hdf5_is_of_length(scale, n))
        return NOTHING;
    const hid_t type = H5Dget_type(scale);
    const H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    if (type >= 0)
        H5Tclose(type);
    return class == H5T_INTEGER || class == H5T_FLOAT ? NUMBERS : OTHERS;
}

static clast_status no_memory(cl_error *err)
{
    return cl_error_set(err, CLAST_ENOMEM, "no memory for the names of axes");
}

static clast_status take(cl_dim *dim, const char *path, contents is, cl_error *err)
{
    if (last_part(path)[0] == '\0')
        return CLAST_OK;
    dim->name = cl_strdup(last_part(path));
    char **values = is == NUMBERS ? &dim->coordinate : &dim->texts;
    *values = is != NOTHING ? cl_strdup(path) : NULL;
    return dim->name && (*values || is == NOTHING) ? CLAST_OK : no_memory(err);
}

/* Whether outputs give this name to an axis that has none. */
static bool is_unnamed(const char *name)
{
    const size_t n = sizeof CL_UNNAMED - 1;
    return strncmp(name, CL_UNNAMED, n) == 0 && name[n] != '\0' &&
           name[n + strspn(name + n, "0123456789_")] == '\0';
}

static clast_status take_scale(hid_t scale, const char *beside, int64_t n, cl_dim *dim,
                               cl_error *err)
{
    char path[NAME_MOST];
    if (H5Iget_type(scale) != H5I_DATASET || !find_path(scale, beside, path))
        return CLAST_OK;
    if (!cl_hdf5_scale_has_variable(scale) && is_unnamed(last_part(path)))
        return CLAST_OK;
    return take(dim, path, contents_of(scale, n), err);
}

/* ---- the attributes of a dataset */

/* An attribute of one value of variable length for each axis. */
typedef struct {
    hid_t id, type, space; /* negative: not open */
} axis_list;

/* false: there is none. To be closed in either case. */
static bool open_list(hid_t dataset, const char *name, int ndim, axis_list *l)
{
    *l = (axis_list){H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID};
    if (H5Aexists(dataset, name) > 0)
        l->id = H5Aopen(dataset, name, H5P_DEFAULT);
    if (l->id < 0)
        return false;
    l->type = H5Aget_type(l->id);
    l->space = H5Aget_space(l->id);
    return l->type >= 0 && l->space >= 0 &&
           H5Sget_simple_extent_npoints(l->space) == ndim;
}

/* values: what was read; NULL: nothing. */
static void close_list(const axis_list *l, void *values)
{
    if (values)
        H5Dvlen_reclaim(l->type, l->space, H5P_DEFAULT, values);
    if (l->space >= 0)
        H5Sclose(l->space);
    if (l->type >= 0)
        H5Tclose(l->type);
    if (l->id >= 0)
        H5Aclose(l->id);
}

static bool is_reference_list(hid_t type)
{
    if (H5Tget_class(type) != H5T_VLEN)
        return false;
    const hid_t of = H5Tget_super(type);
    const bool is_fit = of >= 0 && H5Tequal(of, H5T_STD_REF_OBJ) > 0;
    if (of >= 0)
        H5Tclose(of);
    return is_fit;
}

static clast_status follow(hid_t dataset, const hvl_t *list, const char *path,
                           const cl_shape *shape, cl_dim *dim, cl_error *err)
{
    for (int a = 0; a < shape->ndim; a++) {
        if (list[a].len == 0 || !list[a].p)
            continue;
        const hid_t scale =
            H5Rdereference2(dataset, H5P_DEFAULT, H5R_OBJECT, list[a].p);
        if (scale < 0)
            continue;
        const clast_status status =
            take_scale(scale, path, shape->dim[a], &dim[a], err);
        H5Oclose(scale);
        CL_TRY(status);
    }
    return CLAST_OK;
}

static clast_status read_scales(hid_t dataset, const char *path, const cl_shape *shape,
                                cl_dim *dim, cl_error *err)
{
    hvl_t list[CL_MAXDIM] = {{0}};
    axis_list l;
    const bool is_read = open_list(dataset, "DIMENSION_LIST", shape->ndim, &l) &&
                         is_reference_list(l.type) && H5Aread(l.id, l.type, list) >= 0;
    const clast_status status =
        is_read ? follow(dataset, list, path, shape, dim, err) : CLAST_OK;
    close_list(&l, is_read ? list : NULL);
    return status;
}

/* Labels are the names of axes that have no other. */
static clast_status take_labels(char *const *text, int ndim, cl_dim *dim, cl_error *err)
{
    for (int a = 0; a < ndim; a++)
        if (!dim[a].name && text[a] && text[a][0] != '\0' &&
            !(dim[a].name = cl_strdup(text[a])))
            return no_memory(err);
    return CLAST_OK;
}

static clast_status read_labels(hid_t dataset, int ndim, cl_dim *dim, cl_error *err)
{
    char *text[CL_MAXDIM] = {NULL};
    axis_list l;
    const bool is_read = open_list(dataset, "DIMENSION_LABELS", ndim, &l) &&
                         H5Tis_variable_str(l.type) > 0 &&
                         H5Aread(l.id, l.type, text) >= 0;
    const clast_status status = is_read ? take_labels(text, ndim, dim, err) : CLAST_OK;
    close_list(&l, is_read ? text : NULL);
    return status;
}

clast_status cl_hdf5_dims_read(hid_t dataset, const char *path, const cl_shape *shape,
                               cl_dim *dim, cl_error *err)
{
    if (shape->ndim == 0)
        return CLAST_OK;
    CL_TRY(read_scales(dataset, path, shape, dim, err));
    if (!dim[0].name && is_scale(dataset))
        CL_TRY(take(&dim[0], path, contents_of(dataset, shape->dim[0]), err));
    return read_labels(dataset, shape->ndim, dim, err);
}

int cl_hdf5_dims_describe(hid_t dataset, cl_dim dim[CL_MAXDIM])
{
    char path[NAME_MOST];
    hsize_t extent[H5S_MAX_RANK];
    cl_shape shape = {0};
    const ssize_t n = H5Iget_name(dataset, path, sizeof path);
    const hid_t space = H5Dget_space(dataset);
    const int ndim = space < 0 ? 0 : H5Sget_simple_extent_dims(space, extent, NULL);
    if (space >= 0)
        H5Sclose(space);
    if (n <= 0 || n >= NAME_MOST || ndim < 1 || ndim > CL_MAXDIM)
        return 0;
    shape.ndim = ndim;
    for (int a = 0; a < ndim; a++)
        shape.dim[a] = (int64_t)extent[a];
    memset(dim, 0, (size_t)ndim * sizeof *dim);
    cl_hdf5_dims_read(dataset, path, &shape, dim, NULL);
    for (int a = 0; a < ndim; a++)
        if (dim[a].name)
            return ndim;
    cl_dims_free(ndim, dim);
    return 0;
}
