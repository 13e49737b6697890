/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datasets of any type compared.
 *
 * Both are read in their own type, which must be the same, by ranges of the first axis
 * of about PIECE bytes. Elements are then compared as their type says: what is behind
 * pointers by contents, references by paths, the rest as bytes.
 */
#include <string.h>

#include "base/alloc.h"
#include "io/hdf5_file.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_type.h"
#include "io/store.h"

#define PIECE ((uint64_t)1 << 20)

/* --- elements -----------------------------------------------------------------------
 */

static bool is_same_value(const hid_t *file, hid_t type, const char *a, const char *b,
                          size_t n);

static bool is_same_text(const char *a, const char *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x && y ? strcmp(x, y) == 0 : x == y || !*(x ? x : y);
}

static bool is_same_sequence(const hid_t *file, hid_t part, const char *a,
                             const char *b)
{
    hvl_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x.len == y.len && is_same_value(file, part, x.p, y.p, x.len);
}

static bool is_same_record(const hid_t *file, hid_t type, const char *a, const char *b)
{
    bool is_same = true;
    for (int i = 0; i < H5Tget_nmembers(type) && is_same; i++) {
        const size_t at = H5Tget_member_offset(type, (unsigned)i);
        const hid_t member = H5Tget_member_type(type, (unsigned)i);
        is_same = member >= 0 && is_same_value(file, member, a + at, b + at, 1);
        if (member >= 0)
            H5Tclose(member);
    }
    return is_same;
}

static bool is_same_reference(const hid_t *file, hid_t type, const char *a,
                              const char *b)
{
    char name[2][1024] = {"", ""};
    const H5R_type_t kind =
        H5Tequal(type, H5T_STD_REF_OBJ) > 0 ? H5R_OBJECT : H5R_DATASET_REGION;
    H5Rget_name(file[0], kind, a, name[0], sizeof name[0]);
    H5Rget_name(file[1], kind, b, name[1], sizeof name[1]);
    if (strcmp(name[0], name[1]) != 0 || kind == H5R_OBJECT || !name[0][0])
        return strcmp(name[0], name[1]) == 0;
    const hid_t x = H5Rget_region(file[0], kind, a),
                y = H5Rget_region(file[1], kind, b);
    hsize_t lo[2][H5S_MAX_RANK] = {{0}}, hi[2][H5S_MAX_RANK] = {{0}};
    const bool is_same = x >= 0 && y >= 0 &&
                         H5Sget_select_npoints(x) == H5Sget_select_npoints(y) &&
                         H5Sget_select_bounds(x, lo[0], hi[0]) >= 0 &&
                         H5Sget_select_bounds(y, lo[1], hi[1]) >= 0 &&
                         memcmp(lo[0], lo[1], sizeof lo[0]) == 0 &&
                         memcmp(hi[0], hi[1], sizeof hi[0]) == 0;
    if (x >= 0)
        H5Sclose(x);
    if (y >= 0)
        H5Sclose(y);
    return is_same;
}

static size_t parts_of(hid_t type)
{
    hsize_t dim[H5S_MAX_RANK], n = 1;
    for (int a = H5Tget_array_dims2(type, dim) - 1; a >= 0; a--)
        n *= dim[a];
    return (size_t)n;
}

static bool is_same_element(const hid_t *file, hid_t type, hid_t part, const char *a,
                            const char *b)
{
    const H5T_class_t class = H5Tget_class(type);
    switch (class) {
    case H5T_STRING:
        return is_same_text(a, b);
    case H5T_REFERENCE:
        return is_same_reference(file, type, a, b);
    case H5T_COMPOUND:
        return is_same_record(file, type, a, b);
    case H5T_VLEN:
        return part >= 0 && is_same_sequence(file, part, a, b);
    default:
        return part >= 0 && is_same_value(file, part, a, b, parts_of(type));
    }
}

static bool is_same_value(const hid_t *file, hid_t type, const char *a, const char *b,
                          size_t n)
{
    const size_t size = H5Tget_size(type);
    const H5T_class_t class = H5Tget_class(type);
    if (cl_hdf5_type_is_plain(type) ||
        (class == H5T_STRING && H5Tis_variable_str(type) <= 0))
        return n == 0 || memcmp(a, b, n * size) == 0;
    const hid_t part =
        class == H5T_VLEN || class == H5T_ARRAY ? H5Tget_super(type) : H5I_INVALID_HID;
    bool is_same = true;
    for (size_t i = 0; i < n && is_same; i++)
        is_same = is_same_element(file, type, part, a + i * size, b + i * size);
    if (part >= 0)
        H5Tclose(part);
    return is_same;
}

/* --- datasets -----------------------------------------------------------------------
 */

typedef struct {
    const char *const *name, *const *path; /* of the files, and in them */
    hid_t file[2], dataset[2];
    hid_t type, space;
    int ndim;
    hsize_t dim[H5S_MAX_RANK];
} pair;

/* What a range of the first axis holds, of one side; H5S_ALL for scalars. */
static char *read_range(const pair *p, int side, hid_t memory, hid_t file, size_t n,
                        cl_error *err)
{
    char *value = cl_calloc(n, H5Tget_size(p->type));
    if (!value)
        cl_error_set(err, CLAST_ENOMEM, "%s:%s: no memory for %zu of its elements",
                     p->name[side], p->path[side], n);
    else if (H5Dread(p->dataset[side], p->type, memory, file, H5P_DEFAULT, value) >= 0)
        return value;
    else
        cl_hdf5_fail(err, CLAST_EFORMAT, "%s:%s: reading failed", p->name[side],
                     p->path[side]);
    cl_free(value);
    return NULL;
}

static clast_status compare_range(const pair *p, hid_t memory, hid_t file, size_t n,
                                  bool *is_equal, cl_error *err)
{
    char *a = read_range(p, 0, memory, file, n, err);
    char *b = a ? read_range(p, 1, memory, file, n, err) : NULL;
    if (b)
        *is_equal = is_same_value(p->file, p->type, a, b, n);
    if (!cl_hdf5_type_is_plain(p->type) && a)
        H5Dvlen_reclaim(p->type, memory, H5P_DEFAULT, a);
    if (!cl_hdf5_type_is_plain(p->type) && b)
        H5Dvlen_reclaim(p->type, memory, H5P_DEFAULT, b);
    cl_free(a);
    cl_free(b);
    return b ? CLAST_OK : err->status;
}

static clast_status compare_rows(const pair *p, hsize_t first, hsize_t n, size_t row,
                                 bool *is_equal, cl_error *err)
{
    hsize_t lo[H5S_MAX_RANK] = {first}, extent[H5S_MAX_RANK];
    memcpy(extent, p->dim, sizeof extent);
    extent[0] = n;
    const hid_t memory = H5Screate_simple(p->ndim, extent, NULL);
    clast_status status = CLAST_OK;
    if (memory < 0 ||
        H5Sselect_hyperslab(p->space, H5S_SELECT_SET, lo, NULL, extent, NULL) < 0)
        status = cl_hdf5_fail(err, CLAST_ENOMEM, "%s:%s: no memory for a selection",
                              p->name[0], p->path[0]);
    else
        status = compare_range(p, memory, p->space, (size_t)n * row, is_equal, err);
    if (memory >= 0)
        H5Sclose(memory);
    return status;
}

static clast_status compare_values(pair *p, bool *is_equal, cl_error *err)
{
    size_t row = 1;
    p->ndim = H5Sget_simple_extent_dims(p->space, p->dim, NULL);
    const hssize_t count = H5Sget_simple_extent_npoints(p->space);
    if (H5Sget_simple_extent_type(p->space) == H5S_NULL || count == 0)
        return CLAST_OK;
    if (p->ndim == 0)
        return compare_range(p, p->space, p->space, 1, is_equal, err);
    for (int a = 1; a < p->ndim; a++)
        row *= (size_t)p->dim[a];
    const uint64_t bytes = (uint64_t)row * H5Tget_size(p->type);
    const hsize_t step = bytes < PIECE ? PIECE / bytes : 1;
    for (hsize_t i = 0; i < p->dim[0] && *is_equal; i += step) {
        const hsize_t n = step < p->dim[0] - i ? step : p->dim[0] - i;
        CL_TRY(compare_rows(p, i, n, row, is_equal, err));
    }
    return CLAST_OK;
}

static clast_status compare_pair(pair *p, bool *is_equal, cl_error *err)
{
    const hid_t type = H5Dget_type(p->dataset[1]), space = H5Dget_space(p->dataset[1]);
    p->type = H5Dget_type(p->dataset[0]);
    p->space = H5Dget_space(p->dataset[0]);
    clast_status status = CLAST_OK;
    *is_equal = type >= 0 && space >= 0 && H5Tequal(type, p->type) > 0 &&
                H5Sextent_equal(space, p->space) > 0;
    if (*is_equal)
        status = compare_values(p, is_equal, err);
    if (p->space >= 0)
        H5Sclose(p->space);
    if (p->type >= 0)
        H5Tclose(p->type);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    return status;
}

static clast_status open_pair(const char *const file[2], const char *const path[2],
                              cl_hdf5_file *f[2], pair *p, cl_error *err)
{
    for (int i = 0; i < 2; i++) {
        CL_TRY(cl_hdf5_file_open(&f[i], file[i], err));
        p->file[i] = f[i]->id;
        p->dataset[i] = H5Dopen2(f[i]->id, path[i], H5P_DEFAULT);
        if (p->dataset[i] < 0)
            return cl_hdf5_fail(err, CLAST_ENOENT, "%s:%s is not a dataset", file[i],
                                path[i]);
    }
    return CLAST_OK;
}

clast_status cl_hdf5_same(const char *const file[2], const char *const path[2],
                          bool *is_equal, cl_error *err)
{
    cl_hdf5_file *f[2] = {NULL, NULL};
    pair p = {
        .name = file, .path = path, .dataset = {H5I_INVALID_HID, H5I_INVALID_HID}};
    cl_error why = {0};
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    clast_status status = open_pair(file, path, f, &p, &why);
    if (status == CLAST_OK)
        status = compare_pair(&p, is_equal, &why);
    for (int i = 0; i < 2; i++) {
        if (p.dataset[i] >= 0)
            H5Dclose(p.dataset[i]);
        cl_hdf5_file_close(f[i]);
    }
    cl_hdf5_leave(&guard);
    return status == CLAST_OK ? status : cl_error_set(err, status, "%s", why.text);
}
