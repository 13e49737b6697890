/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening a dataset, by the names of file and path or by the host's own id.
 *
 * The path is followed through soft links; a link to another file is followed as well,
 * and that file is then opened like any input, so that addresses and descriptor belong
 * together. Where the dataset is missing the message lists those that are there.
 *
 * A dataset of the host is held by one more reference to its id and read by H5Dread,
 * which sees what the host has not flushed, whatever driver the file is open with. Only
 * where the host has the file open for reading, through libhdf5's plain driver, is it
 * opened once more by its name, to be read as any other input.
 */
#include "io/hdf5_source.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/hdf5_cf.h"
#include "io/hdf5_dims.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_tree.h"

#define NAME_ROOM 4096

static void close_hdf5(cl_source *source)
{
    cl_hdf5_source *s = (cl_hdf5_source *)source;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    if (s->memory_type >= 0)
        H5Tclose(s->memory_type);
    cl_hdf5_file_leave(s->file, s->client);
    cl_hdf5_file_close(s->file);
    cl_hdf5_leave(&guard);
    cl_free(s->name);
    cl_free(s->where);
    cl_free(s);
}

clast_status cl_hdf5_source_wake(const cl_hdf5_source *s, cl_error *err)
{
    if (s->is_described)
        return cl_error_set(err, CLAST_EINTERNAL, "%s: libhdf5 must not open it",
                            s->where);
    return cl_hdf5_file_wake(s->file, s->client, err);
}

static clast_status read_dims(const cl_source *source, cl_dim *dim, cl_error *err)
{
    const cl_hdf5_source *s = (const cl_hdf5_source *)source;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    clast_status status = cl_hdf5_source_wake(s, err);
    if (status == CLAST_OK)
        status = cl_hdf5_dims_read(s->client->dataset, s->name, &s->base.info.shape,
                                   dim, err);
    cl_hdf5_leave(&guard);
    return status;
}

static bool read_attribute(const cl_source *source, const char *name, char *text,
                           size_t size)
{
    const cl_hdf5_source *s = (const cl_hdf5_source *)source;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    const bool is_read = cl_hdf5_source_wake(s, NULL) == CLAST_OK &&
                         cl_hdf5_text_attribute(s->client->dataset, name, text, size);
    cl_hdf5_leave(&guard);
    return is_read;
}

static clast_status describe_hdf5(cl_source *source, cl_text *text, cl_error *err)
{
    const cl_hdf5_source *s = (const cl_hdf5_source *)source;
    const struct stat *st = &s->file->at_open;
    char real[PATH_MAX];
    if (s->note[0] || s->file->is_host)
        return cl_error_set(
            err, CLAST_ENOTSUP, "%s: a run that reads it cannot be resumed: %s",
            s->where, s->note[0] ? s->note : "nothing says whether it was changed");
    const char *name = realpath(s->file->place, real) ? real : s->file->place;
    cl_text_say(text, "input ");
    cl_text_json_string(text, name, strlen(name));
    cl_text_say(text, ":");
    cl_text_json_string(text, s->name, strlen(s->name));
    /* The inode's time too: that of the contents can be set to what it was. */
    cl_text_say(text, " changed %lld.%09ld (%lld.%09ld), %lld bytes, inode %llu",
                (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
                (long long)st->st_size, (unsigned long long)st->st_ino);
    return CLAST_OK;
}

static const cl_source_class hdf5_class = {
    close_hdf5,     cl_hdf5_staging, cl_hdf5_fetch, cl_hdf5_decode, read_dims,
    read_attribute, describe_hdf5,   cl_hdf5_find,  cl_hdf5_show,   cl_hdf5_hide};

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
    const hid_t why = H5Eget_current_stack(); /* looking about clears it */
    const cl_tree_kind kind = cl_hdf5_tree_look(s->file->id, path, &is_link);
    if (kind == CL_TREE_DATASET || kind == CL_TREE_OTHER) {
        H5Eset_current_stack(why);
        return cl_hdf5_fail(err, CLAST_EFORMAT, "%s cannot be opened", s->where);
    }
    H5Eclose_stack(why);
    if (kind == CL_TREE_GROUP)
        return cl_error_set(err, CLAST_ENOENT,
                            "%s is a group, not a dataset; datasets: %s", s->where,
                            cl_hdf5_tree_datasets(s->file->id, list, sizeof list));
    if (kind == CL_TREE_NOTHING || kind == CL_TREE_BLOCKED)
        return cl_error_set(err, CLAST_ENOENT, "%s does not exist; datasets: %s",
                            s->where,
                            cl_hdf5_tree_datasets(s->file->id, list, sizeof list));
    return cl_error_set(err, CLAST_ENOENT, "%s: %s", s->where,
                        cl_hdf5_tree_dangling(s->file->id, path, list, sizeof list));
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
    char name[NAME_ROOM];
    H5O_info_t object;
    const hid_t file = H5Iget_file_id(s->client->dataset);
    const bool is_here = file >= 0 && cl_hdf5_descriptor(file) == s->file->fd;
    const ssize_t n = file >= 0 ? H5Fget_name(file, name, sizeof name) : -1;
    if (file >= 0)
        H5Fclose(file);
    if (is_here || s->file->fd < 0)
        return CLAST_OK;
    if (n <= 0 || n >= (ssize_t)sizeof name ||
        H5Oget_info2(s->client->dataset, &object, H5O_INFO_BASIC) < 0)
        return fail_link(s, err);
    H5Dclose(s->client->dataset);
    s->client->dataset = H5I_INVALID_HID;
    cl_hdf5_file *there;
    CL_TRY(cl_hdf5_file_open(&there, name, err));
    cl_hdf5_file_close(s->file);
    s->file = there;
    s->client->dataset = H5Oopen_by_addr(there->id, object.addr);
    return s->client->dataset < 0 ? fail_link(s, err) : CLAST_OK;
}

static clast_status open_locked(cl_hdf5_source *s, const char *file, const char *path,
                                cl_read_mode reading, cl_error *err)
{
    CL_TRY(cl_hdf5_file_open(&s->file, file, err));
    s->client->dataset = open_dataset(s->file->id, path);
    if (s->client->dataset < 0)
        return explain_missing(s, path, err);
    CL_TRY(move_to_own_file(s, err));
    CL_TRY(cl_hdf5_classify(s, reading, err));
    cl_hdf5_file_join(s->file, s->client);
    return CLAST_OK;
}

static cl_hdf5_source *new_source(void)
{
    cl_hdf5_source *s = cl_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base.class = &hdf5_class;
    s->client = &s->own;
    s->client->dataset = s->memory_type = H5I_INVALID_HID;
    return s;
}

void cl_hdf5_name_source(cl_hdf5_source *s, const char *file, const char *path)
{
    const size_t bytes = strlen(file) + strlen(path) + 3;
    s->name = cl_strdup(path);
    s->where = cl_alloc(bytes);
    if (s->where)
        snprintf(s->where, bytes, "%s:%s%s", file, path[0] == '/' ? "" : "/", path);
}

/* Whether the host has the file of this dataset open for reading only and through
 * libhdf5's plain driver; *st is that file's then. */
static bool is_plain_read_only(hid_t dataset, struct stat *st)
{
    unsigned intent = 0;
    bool is_plain = false;
    const hid_t file = H5Iget_file_id(dataset);
    const hid_t list = file < 0 ? file : H5Fget_access_plist(file);
    if (list >= 0 && H5Fget_intent(file, &intent) >= 0 && intent == H5F_ACC_RDONLY &&
        H5Pget_driver(list) == H5FD_SEC2) {
        const int fd = cl_hdf5_descriptor(file);
        is_plain = fd >= 0 && fstat(fd, st) == 0;
    }
    if (list >= 0)
        H5Pclose(list);
    if (file >= 0)
        H5Fclose(file);
    return is_plain;
}

/* Opens the host's dataset once more, in a file of ours. Where that does not go, the
 * host's stays. */
static void open_again(cl_hdf5_source *s)
{
    struct stat st;
    H5O_info_t object;
    cl_hdf5_file *there;
    if (!is_plain_read_only(s->client->dataset, &st) ||
        H5Oget_info2(s->client->dataset, &object, H5O_INFO_BASIC) < 0 ||
        cl_hdf5_file_open(&there, s->file->name, NULL) != CLAST_OK)
        return;
    hid_t ours = H5I_INVALID_HID;
    if (there->at_open.st_dev == st.st_dev && there->at_open.st_ino == st.st_ino)
        ours = H5Oopen_by_addr(there->id, object.addr);
    if (H5Iget_type(ours) == H5I_DATASET) {
        H5Dclose(s->client->dataset);
        s->client->dataset = ours;
        cl_hdf5_file_close(s->file);
        s->file = there;
        return;
    }
    if (ours >= 0)
        H5Oclose(ours);
    cl_hdf5_file_close(there);
}

static clast_status name_host(cl_hdf5_source *s, cl_error *err)
{
    char path[NAME_ROOM] = "";
    CL_TRY(cl_hdf5_file_of_host(&s->file, s->client->dataset, err));
    const ssize_t n = H5Iget_name(s->client->dataset, path, sizeof path);
    cl_hdf5_name_source(s, s->file->name, n > 0 ? path : "/(a dataset without a name)");
    if (s->name && s->where)
        return CLAST_OK;
    return cl_error_set(err, CLAST_ENOMEM, "no memory for a source");
}

static clast_status open_id_locked(cl_hdf5_source *s, hid_t id, cl_read_mode reading,
                                   cl_error *err)
{
    CL_TRY(cl_hdf5_check_library(err));
    const H5I_type_t type = H5Iget_type(id);
    if (type < 0)
        return cl_error_set(err, CLAST_EVALUE,
                            "%lld is no open id of the libhdf5 that Clast uses",
                            (long long)id);
    if (type != H5I_DATASET)
        return cl_error_set(err, CLAST_EVALUE, "%lld is not the id of a dataset",
                            (long long)id);
    if (H5Iinc_ref(id) < 0)
        return cl_hdf5_fail(err, CLAST_EVALUE, "the id %lld cannot be held",
                            (long long)id);
    s->client->dataset = id;
    CL_TRY(name_host(s, err));
    open_again(s);
    CL_TRY(cl_hdf5_classify(s, reading, err));
    if (!s->file->is_host)
        cl_hdf5_file_join(s->file, s->client);
    if (s->file->fd < 0) /* nothing tells whether it was changed since */
        s->base.identity = cl_identity_unique();
    return CLAST_OK;
}

/* Whether both are stored in the same form, so that the canary of one speaks for
 * both. */
static bool is_stored_like(const cl_hdf5_source *a, const cl_hdf5_source *b)
{
    const cl_filters *f = &a->filters, *g = &b->filters;
    bool is_alike = a->access == b->access && a->convert.stored == b->convert.stored &&
                    a->convert.is_swapped == b->convert.is_swapped &&
                    a->convert.is_half == b->convert.is_half &&
                    a->has_raw_edges == b->has_raw_edges && f->shuffle == g->shuffle &&
                    f->pack == g->pack && f->fletcher == g->fletcher &&
                    f->item == g->item && f->bit_block == g->bit_block &&
                    f->codec == g->codec &&
                    a->base.info.shape.ndim == b->base.info.shape.ndim;
    for (int k = 0; is_alike && k < a->base.info.shape.ndim; k++)
        is_alike = a->base.info.chunk[k] == b->base.info.chunk[k];
    return is_alike;
}

/* Hands the source out, or frees it. */
static clast_status finish(cl_source **source, cl_hdf5_source *s, clast_status status,
                           const cl_source *like, const cl_log *log)
{
    if (status != CLAST_OK) {
        cl_source_close(&s->base);
        return status;
    }
    s->base.info.file = s->file->name;
    s->base.info.path = s->name;
    if (s->note[0])
        cl_log_info(log, "%s: %s", s->where, s->note);
    if (!like || !is_stored_like(s, (const cl_hdf5_source *)like))
        cl_hdf5_try_canary(s, log);
    *source = &s->base;
    return CLAST_OK;
}

clast_status cl_hdf5_open(cl_hdf5_source **source, const char *file, const char *path,
                          cl_read_mode reading, cl_error *err)
{
    *source = NULL;
    if (!file || !*file || !path || !*path)
        return cl_error_set(err, CLAST_EVALUE, "a file and a path in it are needed");
    cl_hdf5_source *s = new_source();
    if (s)
        cl_hdf5_name_source(s, file, path);
    if (!s || !s->name || !s->where) {
        cl_source_close(s ? &s->base : NULL);
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a source");
    }
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    const clast_status status = open_locked(s, file, path, reading, err);
    cl_hdf5_leave(&guard);
    if (status == CLAST_OK)
        *source = s;
    else
        cl_source_close(&s->base);
    return status;
}

clast_status cl_source_open_hdf5(cl_source **source, const char *file, const char *path,
                                 cl_read_mode reading, const cl_log *log, cl_error *err)
{
    cl_hdf5_source *s;
    *source = NULL;
    CL_TRY(cl_hdf5_open(&s, file, path, reading, err));
    return finish(source, s, CLAST_OK, NULL, log);
}

clast_status cl_source_open_hdf5_like(cl_source **source, const char *file,
                                      const char *path, cl_read_mode reading,
                                      const cl_source *like, const cl_log *log,
                                      cl_error *err)
{
    cl_hdf5_source *s;
    *source = NULL;
    CL_TRY(cl_hdf5_open(&s, file, path, reading, err));
    return finish(source, s, CLAST_OK, like, log);
}

clast_status cl_source_open_hdf5_id(cl_source **source, int64_t dataset,
                                    cl_read_mode reading, const cl_log *log,
                                    cl_error *err)
{
    *source = NULL;
    cl_hdf5_source *s = new_source();
    if (!s)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a source");
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    const clast_status status = open_id_locked(s, (hid_t)dataset, reading, err);
    cl_hdf5_leave(&guard);
    return finish(source, s, status, NULL, log);
}
