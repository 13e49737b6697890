/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an output will be, and whether it can be: its path, chunks and filters from what
 * was asked for; then the file that exists, the place in it, and the other outputs of
 * the run. Nothing is changed: a run whose outputs cannot be made is refused before its
 * first byte is read.
 *
 * O(outputs squared) for paths that exclude each other; runs have few outputs.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "io/hdf5_file.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_output.h"
#include "io/hdf5_resume.h"
#include "io/hdf5_tree.h"
#include "io/hdf5_type.h"

#define CHUNK_MOST ((uint64_t)UINT32_MAX)
#define PATH_MOST  1024 /* bytes of a dataset's path: each group costs a search */

/* --- what can be checked without a file --------------------------------------------
 */

/* "a//b/./c/" to "/a/b/c". */
static char *normal_path(const char *path)
{
    char *normal = cl_alloc(strlen(path) + 2);
    char *end = normal;
    if (!normal)
        return NULL;
    while (*(path += strspn(path, "/"))) {
        const size_t n = strcspn(path, "/");
        if (n != 1 || *path != '.') {
            *end++ = '/';
            memcpy(end, path, n);
            end += n;
        }
        path += n;
    }
    *end = '\0';
    return normal;
}

static clast_status settle_chunks(cl_output *o, cl_error *err)
{
    const cl_output_spec *spec = &o->spec;
    int64_t count;
    if (spec->shape.ndim > 32 || !cl_shape_count(&spec->shape, &count))
        return cl_error_set(err, CLAST_ESHAPE, "%s:%s: its shape overflows 64 bits",
                            spec->file, o->path);
    o->chunk_bytes = clast_dtype_size(spec->dtype);
    o->chunks = count > 0;
    o->is_contiguous = true;
    for (int a = 0; a < spec->shape.ndim && count > 0; a++) {
        const int64_t n = spec->shape.dim[a], chunk = spec->chunk[a];
        if (chunk <= 0 || chunk > n)
            return cl_error_set(err, CLAST_EVALUE,
                                "%s:%s: chunks of %lld on axis %d of length %lld",
                                spec->file, o->path, (long long)chunk, a, (long long)n);
        o->chunk[a] = chunk;
        o->grid[a] = (n - 1) / chunk + 1;
        o->chunks *= o->grid[a];
        o->is_contiguous = o->is_contiguous && chunk == n;
        if (__builtin_mul_overflow(o->chunk_bytes, (uint64_t)chunk, &o->chunk_bytes))
            return cl_error_set(err, CLAST_EVALUE, "%s:%s: its chunks overflow 64 bits",
                                spec->file, o->path);
    }
    return CLAST_OK;
}

static clast_status settle_filters(cl_output *o, cl_error *err)
{
    static const cl_compression none;
    const bool is_plain = o->chunks == 0 || o->spec.shape.ndim == 0;
    const cl_compression *c = is_plain ? &none : &o->spec.compression;
    if (!cl_filters_set(&o->filters, c, (uint32_t)clast_dtype_size(o->spec.dtype),
                        o->chunk_bytes))
        return cl_error_set(err, CLAST_ENOTSUP,
                            "%s:%s: filter %u cannot be written with these parameters",
                            o->spec.file, o->path, c->codec);
    o->is_direct = memcmp(c, &none, sizeof none) == 0;
    o->is_contiguous = o->is_contiguous && o->is_direct;
    return CLAST_OK;
}

/* What the file is for is told by its name alone, so that it can be foreseen. */
static bool is_netcdf_name(const char *file)
{
    static const char *const endings[] = {".nc", ".nc4", ".cdf"};
    const size_t n = strlen(file);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t m = strlen(endings[i]);
        if (n > m && strcmp(file + n - m, endings[i]) == 0)
            return true;
    }
    return false;
}

clast_status cl_output_settle(cl_output *o, const cl_output_spec *spec, cl_error *err)
{
    if (spec->into)
        return cl_copy_settle(o, spec, err);
    *o = (cl_output){.spec = *spec, .dataset = H5I_INVALID_HID};
    if (!spec->file || !*spec->file || !spec->path)
        return cl_error_set(err, CLAST_EVALUE,
                            "an output needs a file and a path in it");
    o->is_netcdf = is_netcdf_name(spec->file);
    o->path = normal_path(spec->path);
    if (!o->path)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for an output");
    if (strlen(o->path) > PATH_MOST)
        return cl_error_set(err, CLAST_EVALUE,
                            "%s: the dataset's path has %zu bytes, at most %d can be",
                            spec->file, strlen(o->path), PATH_MOST);
    if (!*o->path)
        return cl_error_set(err, CLAST_EVALUE, "%s:%s is not the name of a dataset",
                            spec->file, spec->path);
    if (clast_dtype_size(spec->dtype) == 0)
        return cl_error_set(err, CLAST_EDTYPE, "%s:%s: no dtype", spec->file, o->path);
    CL_TRY(settle_chunks(o, err));
    CL_TRY(settle_filters(o, err));
    if (!o->is_contiguous && o->chunk_bytes > CHUNK_MOST)
        return cl_error_set(err, CLAST_EVALUE,
                            "%s:%s: its chunks have %llu bytes, HDF5 allows %llu",
                            spec->file, o->path, (unsigned long long)o->chunk_bytes,
                            (unsigned long long)CHUNK_MOST);
    return CLAST_OK;
}

/* --- what the existing file says -----------------------------------------------------
 */

/* A link that leads nowhere can be replaced where it is the output's own name. */
static clast_status check_dangling(hid_t file, const cl_output *o, cl_error *err)
{
    char text[300];
    if (o->spec.overwrite && H5Lexists(file, o->path, H5P_DEFAULT) > 0)
        return CLAST_OK;
    return cl_error_set(err, CLAST_EVALUE, "%s:%s: %s", o->spec.file, o->path,
                        cl_hdf5_tree_dangling(file, o->path, text, sizeof text));
}

static clast_status check_place(hid_t file, const cl_output *o, cl_error *err)
{
    bool is_external;
    const char *name = o->spec.file;
    const cl_tree_kind kind = cl_hdf5_tree_look(file, o->path, &is_external);
    if (is_external)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "%s:%s leads into another file; write to that file", name,
                            o->path);
    switch (kind) {
    case CL_TREE_NOTHING:
        return CLAST_OK;
    case CL_TREE_BLOCKED:
        return cl_error_set(err, CLAST_EVALUE,
                            "%s:%s: a part of the path is there and is not a group",
                            name, o->path);
    case CL_TREE_GROUP:
    case CL_TREE_OTHER:
        return cl_error_set(err, CLAST_EEXIST, "%s:%s exists and is not a dataset",
                            name, o->path);
    case CL_TREE_DANGLING:
        return check_dangling(file, o, err);
    default:
        if (o->spec.overwrite)
            return CLAST_OK;
        return cl_error_set(
            err, CLAST_EEXIST,
            "%s:%s exists; it is replaced only with the option overwrite", name,
            o->path);
    }
}

/* Whether the dataset that is to be replaced is that of a source, by any path. */
static bool is_read(const cl_hdf5_file *file, const cl_output *o)
{
    H5O_info_t info;
    if (H5Lexists(file->id, o->path, H5P_DEFAULT) <= 0 ||
        H5Oget_info_by_name2(file->id, o->path, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        return false;
    const cl_hdf5_client *c = file->client;
    while (c && c->address != info.addr)
        c = c->next;
    return c != NULL;
}

static clast_status check_in_file(const cl_output *o, cl_error *err)
{
    cl_hdf5_file *file;
    cl_hdf5_guard guard;
    cl_error why = {0};
    cl_hdf5_enter(&guard);
    clast_status status = cl_hdf5_file_open(&file, o->spec.file, &why);
    if (status == CLAST_EFORMAT) /* nothing of it is read: its name is what is wrong */
        status = cl_error_set(err, CLAST_EVALUE, "%s", why.text);
    else if (status != CLAST_OK)
        status = cl_error_set(err, status, "%s", why.text);
    else {
        status = check_place(file->id, o, err);
        if (status == CLAST_OK && o->spec.in_place && cl_hdf5_file_has_virtual())
            status = cl_error_set(err, CLAST_ENOTSUP,
                                  "%s:%s: while a virtual dataset is an input nothing "
                                  "is written in place: "
                                  "its elements may be those of what is changed; "
                                  "without the option in_place it works",
                                  o->spec.file, o->path);
        else if (status == CLAST_OK && o->spec.in_place && is_read(file, o))
            status = cl_error_set(
                err, CLAST_EVALUE,
                "%s:%s is an input as well: in place it would be gone before it was "
                "read; without the option in_place it can be replaced",
                o->spec.file, o->path);
        cl_hdf5_file_close(file);
    }
    cl_hdf5_leave(&guard);
    return status;
}

/* Whether one path is the other or lies above it. */
static bool is_within(const char *outer, const char *inner)
{
    const size_t n = strlen(outer);
    return strncmp(outer, inner, n) == 0 && (inner[n] == '\0' || inner[n] == '/');
}

static clast_status check_pair(const cl_output *a, const char *target_a,
                               const cl_output *b, const char *target_b, cl_error *err)
{
    if (strcmp(target_a, target_b) != 0 ||
        (!is_within(a->path, b->path) && !is_within(b->path, a->path)))
        return CLAST_OK;
    if (strcmp(a->path, b->path) == 0)
        return cl_error_set(err, CLAST_ENAME, "%s:%s is written twice", a->spec.file,
                            a->path);
    return cl_error_set(err, CLAST_EVALUE, "%s:%s and %s cannot both be datasets",
                        a->spec.file, a->path, b->path);
}

typedef struct {
    cl_output output;
    char *target;
    bool exists;
} checked;

static clast_status check_one(checked *all, size_t i, size_t n,
                              const cl_output_spec *specs, cl_error *err)
{
    checked *c = &all[i];
    const cl_output_spec *spec = &specs[i];
    CL_TRY(cl_output_settle(&c->output, spec, err));
    CL_TRY(cl_atomic_file_resolve(spec->file, &c->target, &c->exists, err));
    bool is_published;
    CL_TRY(cl_resume_check(n, specs, i, c->target, &is_published, err));
    if (c->exists && !is_published)
        CL_TRY(check_in_file(&c->output, err));
    for (size_t k = 0; k < i; k++)
        CL_TRY(check_pair(&all[k].output, all[k].target, &c->output, c->target, err));
    return CLAST_OK;
}

clast_status cl_outputs_check(size_t n, const cl_output_spec *specs, cl_error *err)
{
    checked *all = cl_calloc(n, sizeof *all);
    if (!all)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for %zu outputs", n);
    clast_status status = CLAST_OK;
    for (size_t i = 0; i < n && status == CLAST_OK; i++)
        status = check_one(all, i, n, specs, err);
    for (size_t i = 0; i < n; i++) {
        cl_free(all[i].output.path);
        cl_free(all[i].target);
    }
    cl_free(all);
    return status;
}
