/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening a dataset.
 *
 * The path is followed through soft links; a link to another file is followed as well,
 * and that file is then opened like any input, so that addresses and descriptor belong
 * together. Where the dataset is missing the message lists those that are there.
 *
 * The canary: a dataset that would be read past libhdf5 has its first stored chunk (and
 * the last one, where the array's end cuts it) read both ways when it is opened. If one
 * bit differs the library's way is used from then on. That costs two chunks and guards
 * against what we do not know about the format. Chunks of more than 8 MiB are spared:
 * the memory for it would not be in anybody's budget.
 */
#include "io/hdf5_source.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_tree.h"

#define CANARY_BYTES ((uint64_t)8 << 20)
#define CANARY_TRIES 64 /* chunks looked at for one that is stored */

static void close_hdf5(cl_source *source)
{
    cl_hdf5_source *s = (cl_hdf5_source *)source;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    if (s->memory_type >= 0)
        H5Tclose(s->memory_type);
    if (s->dataset >= 0)
        H5Dclose(s->dataset);
    cl_hdf5_file_close(s->file);
    cl_hdf5_leave(&guard);
    cl_free(s->name);
    cl_free(s->where);
    cl_free(s);
}

static const cl_source_class hdf5_class = {close_hdf5, cl_hdf5_staging, cl_hdf5_fetch,
                                           cl_hdf5_decode};

static hid_t open_dataset(hid_t file, const char *path)
{
    const hid_t list = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t dataset = H5I_INVALID_HID;
    if (list >= 0 && H5Pset_chunk_cache(list, 0, 0, 1) >= 0)
        dataset = H5Dopen2(file, path, list);
    if (list >= 0)
        cl_hdf5_close_list(list);
    return dataset;
}

static clast_status explain_missing(cl_hdf5_source *s, const char *path, cl_error *err)
{
    char list[300];
    bool is_link = false;
    if (cl_hdf5_errno() != 0)
        return cl_hdf5_fail(err, CLAST_EIO, "%s cannot be opened", s->where);
    const cl_tree_kind kind = cl_hdf5_tree_look(s->file->id, path, &is_link);
    if (kind == CL_TREE_GROUP)
        return cl_error_set(err, CLAST_ENOENT,
                            "%s is a group, not a dataset; datasets: %s", s->where,
                            cl_hdf5_tree_datasets(s->file->id, list, sizeof list));
    if (kind == CL_TREE_NOTHING || kind == CL_TREE_BLOCKED)
        return cl_error_set(err, CLAST_ENOENT, "%s does not exist; datasets: %s",
                            s->where,
                            cl_hdf5_tree_datasets(s->file->id, list, sizeof list));
    if (kind == CL_TREE_DANGLING)
        return cl_error_set(
            err, CLAST_ENOENT, "%s: %s", s->where,
            cl_hdf5_tree_dangling(s->file->id, path, list, sizeof list));
    return cl_hdf5_fail(err, CLAST_EFORMAT, "%s cannot be opened", s->where);
}

static clast_status fail_link(const cl_hdf5_source *s, cl_error *err)
{
    return cl_hdf5_fail(err, CLAST_EFORMAT, "%s: its link cannot be followed",
                        s->where);
}

/* A dataset behind an external link: its own file takes the place of the first, and it
 * is found there by its address, since its name may be lost on the way. */
static clast_status move_to_own_file(cl_hdf5_source *s, cl_error *err)
{
    char name[4096];
    H5O_info_t object;
    const hid_t file = H5Iget_file_id(s->dataset);
    const bool is_here = file >= 0 && cl_hdf5_descriptor(file) == s->file->fd;
    const ssize_t n = file >= 0 ? H5Fget_name(file, name, sizeof name) : -1;
    if (file >= 0)
        H5Fclose(file);
    if (is_here || s->file->fd < 0)
        return CLAST_OK;
    if (n <= 0 || n >= (ssize_t)sizeof name ||
        H5Oget_info2(s->dataset, &object, H5O_INFO_BASIC) < 0)
        return fail_link(s, err);
    H5Dclose(s->dataset);
    s->dataset = H5I_INVALID_HID;
    cl_hdf5_file *there;
    CL_TRY(cl_hdf5_file_open(&there, name, err));
    cl_hdf5_file_close(s->file);
    s->file = there;
    s->dataset = H5Oopen_by_addr(there->id, object.addr);
    return s->dataset < 0 ? fail_link(s, err) : CLAST_OK;
}

static clast_status open_locked(cl_hdf5_source *s, const char *file, const char *path,
                                bool raw, cl_error *err)
{
    CL_TRY(cl_hdf5_file_open(&s->file, file, err));
    s->dataset = open_dataset(s->file->id, path);
    if (s->dataset < 0)
        return explain_missing(s, path, err);
    CL_TRY(move_to_own_file(s, err));
    return cl_hdf5_classify(s, raw, err);
}

/* --- the canary ------------------------------------------------------------------ */

/* The box of a chunk by its place in C order, clipped; *is_stored tells whether it has
 * an address. */
static cl_box chunk_at(cl_hdf5_source *s, int64_t index, bool *is_stored)
{
    const cl_source_info *info = &s->base.info;
    cl_box box = {.ndim = info->shape.ndim};
    hsize_t offset[CL_MAXDIM];
    for (int a = box.ndim - 1; a >= 0; a--) {
        const int64_t n = (info->shape.dim[a] - 1) / info->chunk[a] + 1;
        box.lo[a] = index % n * info->chunk[a];
        index /= n;
        const int64_t left = info->shape.dim[a] - box.lo[a];
        box.n[a] = left < info->chunk[a] ? left : info->chunk[a];
        offset[a] = (hsize_t)box.lo[a];
    }
    uint64_t at, bytes;
    uint32_t mask;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    *is_stored =
        cl_hdf5_locate(s->dataset, offset, &at, &bytes, &mask) == CL_CHUNK_STORED;
    cl_hdf5_leave(&guard);
    return box;
}

static clast_status read_box(cl_hdf5_source *s, const cl_box *box, void *dst,
                             void *staging, cl_error *err)
{
    uint64_t stored;
    CL_TRY(cl_source_fetch(&s->base, box, dst, staging, &stored, err));
    return cl_source_decode(&s->base, box, dst, staging, err);
}

/* Whether both ways agree on a box. Where they both fail, the chunk is damaged, and
 * whoever reads it will hear so. Without memory for the test: yes. */
static bool both_agree(cl_hdf5_source *s, const cl_box *box)
{
    const uint64_t bytes =
        (uint64_t)cl_box_count(box) * clast_dtype_size(s->base.info.dtype);
    const uint64_t staging = cl_source_staging(&s->base, box);
    char *memory = cl_alloc(2 * bytes + staging + 256);
    if (!memory)
        return true;
    char *fast = memory + (64 - (uintptr_t)memory % 64);
    char *slow = fast + (bytes + 63) / 64 * 64;
    char *work = slow + (bytes + 63) / 64 * 64;
    const cl_access access = s->access;
    const clast_status fast_status = read_box(s, box, fast, work, NULL);
    s->access = CL_ACCESS_LIBRARY;
    const clast_status slow_status = read_box(s, box, slow, work, NULL);
    s->access = access;
    const bool is_equal = fast_status == CLAST_OK && slow_status == CLAST_OK
                              ? memcmp(fast, slow, bytes) == 0
                              : slow_status != CLAST_OK;
    cl_free(memory);
    return is_equal;
}

static bool sing(cl_hdf5_source *s)
{
    const cl_source_info *info = &s->base.info;
    int64_t n = 1;
    bool is_cut = false, is_stored = false;
    for (int a = 0; a < info->shape.ndim; a++) {
        n *= (info->shape.dim[a] - 1) / info->chunk[a] + 1;
        is_cut = is_cut || info->shape.dim[a] % info->chunk[a] != 0;
    }
    cl_box box = {0};
    for (int64_t i = 0; i < n && i < CANARY_TRIES && !is_stored; i++)
        box = chunk_at(s, i, &is_stored);
    if (is_stored && !both_agree(s, &box))
        return false;
    if (!is_cut)
        return true;
    box = chunk_at(s, n - 1, &is_stored);
    return !is_stored || both_agree(s, &box);
}

static void try_canary(cl_hdf5_source *s, const cl_log *log)
{
    if ((s->access != CL_ACCESS_FILTERED && s->access != CL_ACCESS_CHUNKED) ||
        s->chunk_bytes > CANARY_BYTES || sing(s))
        return;
    cl_log_warning(log,
                   "%s: direct reading gave other bits than H5Dread, which is used "
                   "from here on",
                   s->where);
    s->access = CL_ACCESS_LIBRARY;
    s->base.info.is_slow = true;
    s->base.info.staging_per_chunk = s->base.info.staging_fixed = 0;
    cl_hdf5_count_staging(s);
}

static cl_hdf5_source *new_source(const char *file, const char *path)
{
    cl_hdf5_source *s = cl_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    const size_t bytes = strlen(file) + strlen(path) + 3;
    s->base.class = &hdf5_class;
    s->dataset = s->memory_type = H5I_INVALID_HID;
    s->name = cl_strdup(path);
    s->where = cl_alloc(bytes);
    if (s->where)
        snprintf(s->where, bytes, "%s:%s%s", file, path[0] == '/' ? "" : "/", path);
    return s;
}

clast_status cl_source_open_hdf5(cl_source **source, const char *file, const char *path,
                                 bool raw, const cl_log *log, cl_error *err)
{
    *source = NULL;
    if (!file || !*file || !path || !*path)
        return cl_error_set(err, CLAST_EVALUE, "a file and a path in it are needed");
    cl_hdf5_source *s = new_source(file, path);
    if (!s || !s->name || !s->where) {
        cl_source_close(s ? &s->base : NULL);
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a source");
    }
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    const clast_status status = open_locked(s, file, path, raw, err);
    cl_hdf5_leave(&guard);
    if (status != CLAST_OK) {
        cl_source_close(&s->base);
        return status;
    }
    s->base.info.file = s->file->name;
    s->base.info.path = s->name;
    if (s->note[0])
        cl_log_info(log, "%s: %s", s->where, s->note);
    try_canary(s, log);
    *source = &s->base;
    return CLAST_OK;
}
