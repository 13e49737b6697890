/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "title", "institution", "Conventions": what netCDF calls global attributes lies in
 * the root group or in the groups below it, and describes all that they hold.
 *
 * A new file's root takes after the root of the first output's input. The group of an
 * output takes after the group of its input where that is not the root itself. Where
 * one group takes after several, as the root does after "/" and "/product" when
 * "/product/x" becomes "/x", the nearer one is asked first, and of several outputs the
 * first. A file that is added to says what it said.
 *
 * Not repeated is what is about the one file: its library, its identity, its structure
 * (netCDF-4, PyTables, NeXus), and the extent in space and time of all that was in it
 * (ACDD 1.3). The history is the file's own (hdf5_provenance.c).
 */
#include "io/hdf5_globals.h"

#include <string.h>

#include "io/hdf5_attributes.h"
#include "io/hdf5_source.h"

enum { MOST_ATTRIBUTES = 1024 /* of a group */, MOST_PATH = 1024 };

/* A star stands for any end. */
static const char *const not_repeated[] = {"history",
                                           "_NCProperties",
                                           "_nc3_strict",
                                           "CLASS",
                                           "FILTERS",
                                           "PYTABLES_FORMAT_VERSION",
                                           "NX_class",
                                           "default",
                                           "signal",
                                           "axes",
                                           "file_name",
                                           "file_time",
                                           "HDF5_Version",
                                           "h5py_version",
                                           "coordinates",
                                           "tracking_id",
                                           "uuid",
                                           "date_created",
                                           "date_modified",
                                           "date_issued",
                                           "date_metadata_modified",
                                           "geospatial_*",
                                           "time_coverage_*",
                                           "encoding-type",
                                           "encoding-version",
                                           "model_config",
                                           "keras_version",
                                           "backend",
                                           "TITLE",
                                           "VERSION"};

static bool is_repeated(const char *name)
{
    for (size_t i = 0; i < sizeof not_repeated / sizeof *not_repeated; i++) {
        const char *star = strchr(not_repeated[i], '*');
        if (star ? strncmp(name, not_repeated[i], (size_t)(star - not_repeated[i])) == 0
                 : strcmp(name, not_repeated[i]) == 0)
            return false;
    }
    return true;
}

/* ---- which group takes after which ---- */

/* The root of an output's input, or its own group if that is not the root; negative:
 * there is none. */
static hid_t open_origin(const cl_output *o, bool is_root)
{
    char path[MOST_PATH] = "/";
    const cl_hdf5_source *s = (const cl_hdf5_source *)o->spec.like;
    if (!s || s->base.info.is_untrusted || cl_hdf5_source_wake(s, NULL) != CLAST_OK)
        return H5I_INVALID_HID;
    if (!is_root) {
        const ssize_t n = H5Iget_name(s->client->dataset, path, sizeof path);
        if (n <= 0 || n >= (ssize_t)sizeof path || strrchr(path, '/') == path)
            return H5I_INVALID_HID;
        *strrchr(path, '/') = '\0';
    }
    return H5Gopen2(s->client->dataset, path, H5P_DEFAULT);
}

/* The first output of the file that has an input to take after; NULL: none. */
static cl_output *first_like(const cl_outputs *outputs, size_t index)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == index && outputs->output[i].spec.like)
            return &outputs->output[i];
    return NULL;
}

/* Whether the output lies in this group, not in one below it. */
static bool is_in(const cl_output *o, const char *group)
{
    const size_t n = (size_t)(strrchr(o->path, '/') - o->path);
    return n == 0 ? strcmp(group, "/") == 0
                  : strlen(group) == n && strncmp(o->path, group, n) == 0;
}

/* ---- writing ---- */

typedef struct {
    hid_t to;
    int seen, left;
    bool is_out_of_memory;
} copier;

static herr_t copy_one(hid_t from, const char *name, const H5A_info_t *info, void *arg)
{
    copier *c = arg;
    if (++c->seen > MOST_ATTRIBUTES) {
        c->left++;
        return 1;
    }
    if (!is_repeated(name) || H5Aexists(c->to, name) > 0)
        return 0;
    const cl_copied result = cl_hdf5_attribute_copy(from, name, c->to);
    c->left += result == CL_NOT_COPIED;
    c->is_out_of_memory = result == CL_COPY_NO_MEMORY;
    return c->is_out_of_memory;
}

static clast_status put(hid_t file, cl_output *o, bool is_root, cl_error *err)
{
    const hid_t from = open_origin(o, is_root);
    if (from < 0)
        return CLAST_OK;
    char path[MOST_PATH + 1] = "/";
    if (!is_root)
        memcpy(path, o->path, (size_t)(strrchr(o->path, '/') - o->path));
    copier c = {.to = H5Gopen2(file, path, H5P_DEFAULT)};
    if (c.to >= 0) {
        H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, NULL, copy_one, &c);
        H5Gclose(c.to);
    }
    H5Gclose(from);
    o->lost_attributes += c.left;
    return c.is_out_of_memory
               ? cl_error_set(err, CLAST_ENOMEM, "no memory to copy attributes")
               : CLAST_OK;
}

clast_status cl_hdf5_globals_put(hid_t file, cl_outputs *outputs, size_t index,
                                 cl_error *err)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == index)
            CL_TRY(put(file, &outputs->output[i], false, err));
    cl_output *first = first_like(outputs, index);
    return first ? put(file, first, true, err) : CLAST_OK;
}

/* ---- looking ---- */

typedef struct {
    const cl_outputs *outputs;
    size_t index;
    const char *path, *but;
} question;

/* 1: the origin says the same, -1: something else, 0: nothing. */
static int compare(const cl_output *o, bool is_root, hid_t group, const char *name)
{
    int result = 0;
    const hid_t from = open_origin(o, is_root);
    if (from < 0)
        return 0;
    if (is_repeated(name) && H5Aexists(from, name) > 0) {
        const uint64_t hash = cl_hdf5_attribute_hash(from, name, 0);
        result = hash != 0 && hash == cl_hdf5_attribute_hash(group, name, 0) ? 1 : -1;
    }
    H5Gclose(from);
    return result;
}

static herr_t look_at(hid_t group, const char *name, const H5A_info_t *info, void *arg)
{
    const question *q = arg;
    int found = q->but && strcmp(name, q->but) == 0;
    for (size_t i = 0; i < q->outputs->n && found == 0; i++) {
        const cl_output *o = &q->outputs->output[i];
        if (o->file == q->index && is_in(o, q->path))
            found = compare(o, false, group, name);
    }
    const cl_output *first = first_like(q->outputs, q->index);
    if (found == 0 && first && strcmp(q->path, "/") == 0)
        found = compare(first, true, group, name);
    return found != 1;
}

bool cl_hdf5_globals_include(const cl_outputs *outputs, size_t index, hid_t group,
                             const char *path, const char *but)
{
    question q = {outputs, index, path, but};
    return H5Aiterate2(group, H5_INDEX_NAME, H5_ITER_INC, NULL, look_at, &q) == 0;
}
