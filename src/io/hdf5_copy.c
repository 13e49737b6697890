/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of files: two walks through the source.
 *
 * The first makes every object, in the order of creation where a group keeps it, with
 * its own creation properties: groups, committed types, datasets (hdf5_copy_dataset.c),
 * soft and external links as they are. An object that comes again by another link gets
 * a hard link. The second adds attributes (hdf5_copy_values.c), because these may refer
 * to any object. A committed type is made when it is first needed, without a name, and
 * linked when the walk comes to its name.
 *
 * The copy has the source's user block and, as far as its superblock tells, the same
 * version of the format. Cost: two looks at each object, and what libhdf5 needs for
 * data that it copies itself.
 */
#include "io/hdf5_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_writer.h"
#include "io/sys.h"

cl_walk_step cl_copy_fail(cl_copy *copy, const char *path, const char *what)
{
    if (copy->file.error != 0)
        cl_output_fail(&copy->file, copy->err, "%s: writing failed", copy->set.out);
    else
        cl_hdf5_fail(copy->err, CLAST_EFORMAT, "%s:%s: %s", copy->set.in, path, what);
    return CL_WALK_STOP;
}

bool cl_copy_no_memory(cl_copy *copy, const char *what)
{
    cl_error_set(copy->err, CLAST_ENOMEM, "no memory for %s", what);
    return false;
}

static bool check_canceled(const cl_copy *copy, cl_error *err)
{
    const atomic_bool *flag = copy->set.is_canceled;
    if (!flag || !atomic_load(flag))
        return false;
    cl_error_set(err, CLAST_ECANCELED, "canceled before the copy was complete");
    return true;
}

bool cl_copy_is_canceled(cl_copy *copy)
{
    return check_canceled(copy, copy->err);
}

/* --- committed types ----------------------------------------------------------------
 */

static cl_copied_type *find_type(cl_copy *copy, uint64_t address)
{
    for (size_t i = 0; i < copy->ntype; i++)
        if (copy->type[i].address == address)
            return &copy->type[i];
    return NULL;
}

static hid_t commit_type(cl_copy *copy, hid_t type, uint64_t address)
{
    if (!cl_grow(&copy->type, &copy->type_room, copy->ntype + 1, sizeof *copy->type)) {
        cl_copy_no_memory(copy, "a list of types");
        return H5I_INVALID_HID;
    }
    const hid_t list = H5Tget_create_plist(type);
    const hid_t id = H5Tcopy(type);
    if (list < 0 || id < 0 ||
        H5Tcommit_anon(copy->file.id, id, list, H5P_DEFAULT) < 0) {
        if (list >= 0)
            H5Pclose(list);
        if (id >= 0)
            H5Tclose(id);
        return H5I_INVALID_HID;
    }
    H5Pclose(list);
    copy->type[copy->ntype++] = (cl_copied_type){address, id};
    return id;
}

hid_t cl_copy_type(cl_copy *copy, hid_t type)
{
    H5O_info_t info;
    if (H5Tcommitted(type) <= 0 || H5Oget_info2(type, &info, H5O_INFO_BASIC) < 0)
        return H5Tcopy(type);
    const cl_copied_type *known = find_type(copy, info.addr);
    const hid_t id = known ? known->id : commit_type(copy, type, info.addr);
    return id >= 0 && H5Iinc_ref(id) > 0 ? id : H5I_INVALID_HID;
}

static bool copy_type(cl_copy *copy, const cl_walk_item *item, hid_t links)
{
    const hid_t from = H5Topen2(item->group, item->name, H5P_DEFAULT);
    const hid_t to = from < 0 ? from : cl_copy_type(copy, from);
    const bool is_good =
        to >= 0 && H5Olink(to, copy->file.id, item->path, links, H5P_DEFAULT) >= 0;
    if (to >= 0)
        H5Tclose(to);
    if (from >= 0)
        H5Tclose(from);
    return is_good;
}

/* --- groups and links ---------------------------------------------------------------
 */

/* What a group is made with. One by one, because the list that libhdf5 gives of a group
 * has the addresses of its links in it. */
static bool copy_properties(hid_t group, hid_t to)
{
    unsigned links = 0, attributes = 0, most = 8, least = 6, dense = 8, compact = 6;
    hbool_t has_times = 1;
    const hid_t from = H5Gget_create_plist(group);
    const bool is_good = from >= 0 && to >= 0 &&
                         H5Pget_link_creation_order(from, &links) >= 0 &&
                         H5Pset_link_creation_order(to, links) >= 0 &&
                         H5Pget_link_phase_change(from, &dense, &compact) >= 0 &&
                         H5Pset_link_phase_change(to, dense, compact) >= 0 &&
                         H5Pget_attr_creation_order(from, &attributes) >= 0 &&
                         H5Pset_attr_creation_order(to, attributes) >= 0 &&
                         H5Pget_attr_phase_change(from, &most, &least) >= 0 &&
                         H5Pset_attr_phase_change(to, most, least) >= 0 &&
                         H5Pget_obj_track_times(from, &has_times) >= 0 &&
                         H5Pset_obj_track_times(to, has_times) >= 0;
    if (from >= 0)
        H5Pclose(from);
    return is_good;
}

static bool copy_group(cl_copy *copy, const cl_walk_item *item, hid_t links)
{
    const hid_t from = H5Gopen2(item->group, item->name, H5P_DEFAULT);
    const hid_t list = H5Pcreate(H5P_GROUP_CREATE);
    hid_t to = H5I_INVALID_HID;
    if (from >= 0 && copy_properties(from, list))
        to = H5Gcreate2(copy->file.id, item->path, links, list, H5P_DEFAULT);
    if (to >= 0)
        H5Gclose(to);
    if (list >= 0)
        H5Pclose(list);
    if (from >= 0)
        H5Gclose(from);
    return to >= 0;
}

static bool copy_link(cl_copy *copy, const cl_walk_item *item, hid_t links)
{
    cl_link_target target;
    if (!cl_hdf5_link_target(item, &target))
        return cl_copy_no_memory(copy, "a link");
    const hid_t to = copy->file.id;
    herr_t result = -1;
    if (item->link == H5L_TYPE_SOFT)
        result = H5Lcreate_soft(target.path, to, item->path, links, H5P_DEFAULT);
    else if (item->link == H5L_TYPE_EXTERNAL)
        result = H5Lcreate_external(target.file, target.path, to, item->path, links,
                                    H5P_DEFAULT);
    cl_hdf5_link_target_fini(&target);
    return result >= 0;
}

/* What links are made with: the character set of the name. */
static hid_t link_list(const cl_walk_item *item)
{
    H5L_info_t info;
    const hid_t list = H5Pcreate(H5P_LINK_CREATE);
    if (list >= 0 && item->depth > 0 &&
        H5Lget_info(item->group, item->name, &info, H5P_DEFAULT) >= 0)
        H5Pset_char_encoding(list, info.cset);
    return list;
}

static bool copy_object(cl_copy *copy, const cl_walk_item *item, hid_t links)
{
    if (item->link != H5L_TYPE_HARD)
        return copy_link(copy, item, links);
    if (item->first)
        return H5Lcreate_hard(copy->file.id, item->first, copy->file.id, item->path,
                              links, H5P_DEFAULT) >= 0;
    if (item->kind == H5O_TYPE_GROUP)
        return copy_group(copy, item, links);
    if (item->kind == H5O_TYPE_DATASET)
        return cl_copy_make_dataset(copy, item, links);
    return item->kind == H5O_TYPE_NAMED_DATATYPE && copy_type(copy, item, links);
}

static cl_walk_step make_item(void *arg, const cl_walk_item *item)
{
    cl_copy *copy = arg;
    if (cl_copy_is_canceled(copy))
        return CL_WALK_STOP;
    if (item->path[1] == '\0') /* the start is there already */
        return CL_WALK_ON;
    const hid_t links = link_list(item);
    const bool is_good =
        links >= 0 && copy_object(copy, item, links) && copy->file.error == 0;
    if (!is_good)
        cl_copy_fail(copy, item->path, "it cannot be copied");
    if (links >= 0)
        H5Pclose(links);
    return is_good ? CL_WALK_ON : CL_WALK_STOP;
}

static cl_walk_step describe_item(void *arg, const cl_walk_item *item)
{
    cl_copy *copy = arg;
    if (cl_copy_is_canceled(copy))
        return CL_WALK_STOP;
    if (item->link != H5L_TYPE_HARD || item->first)
        return CL_WALK_ON;
    return cl_copy_attributes(copy, item) ? CL_WALK_ON : CL_WALK_STOP;
}

static clast_status walk(cl_copy *copy, cl_hdf5_objects *objects, cl_hdf5_walk_fn *fn)
{
    const cl_walk_end end = cl_hdf5_walk(copy->start, true, objects, fn, copy);
    cl_walk_fail(end, copy->set.in, "cannot be copied", copy->err);
    return copy->err->status;
}

/* --- the two files ------------------------------------------------------------------
 */

static clast_status open_source(cl_copy *copy, cl_error *err)
{
    const char *group = copy->set.group ? copy->set.group : "/";
    CL_TRY(cl_hdf5_file_open(&copy->in, copy->set.in, err));
    copy->start = H5Gopen2(copy->in->id, group, H5P_DEFAULT);
    if (copy->start < 0)
        return cl_hdf5_fail(err, CLAST_ENOENT, "%s:%s is not a group", copy->set.in,
                            group);
    return CLAST_OK;
}

/* The format of the source: what its superblock's version needs at least. */
static bool set_format(const cl_copy *copy, hid_t access)
{
    H5F_info2_t info;
    if (H5Fget_info2(copy->in->id, &info) < 0 || info.super.version < 2)
        return true;
    return H5Pset_libver_bounds(
               access, info.super.version == 2 ? H5F_LIBVER_V18 : H5F_LIBVER_V110,
               H5F_LIBVER_LATEST) >= 0;
}

/* Properties of the file, and of the start as its root group. */
static hid_t file_list(const cl_copy *copy)
{
    const hid_t list = H5Fget_create_plist(copy->in->id);
    if (list < 0 || copy_properties(copy->start, list))
        return list;
    H5Pclose(list);
    return H5I_INVALID_HID;
}

static clast_status make_file(cl_copy *copy, cl_error *err)
{
    cl_output_file *f = &copy->file;
    const hid_t access = cl_hdf5_access_list(), list = file_list(copy);
    if (access >= 0 && list >= 0 && cl_hdf5_writer_use(access, &f->error, false) &&
        set_format(copy, access))
        f->id =
            H5Fcreate(f->atomic.temp, f->atomic.existed ? H5F_ACC_TRUNC : H5F_ACC_EXCL,
                      list, access);
    if (list >= 0)
        H5Pclose(list);
    if (access >= 0)
        H5Pclose(access);
    if (f->id < 0)
        return cl_output_fail(f, err, "%s: a file beside it cannot be made",
                              copy->set.out);
    cl_hdf5_close_on_exec(f->id);
    f->fd = open(f->atomic.temp, O_RDWR | O_CLOEXEC);
    return CLAST_OK;
}

static clast_status check_target(const cl_copy_settings *set, cl_error *err)
{
    char *target;
    bool exists;
    CL_TRY(cl_atomic_file_resolve(set->out, &target, &exists, err));
    cl_free(target);
    if (exists && !set->overwrite)
        return cl_error_set(err, CLAST_EEXIST,
                            "%s exists; it is replaced only with the option overwrite",
                            set->out);
    return CLAST_OK;
}

static clast_status check_rules(const cl_copy *copy, cl_error *err)
{
    for (size_t i = 0; i < copy->set.nrule; i++) {
        const cl_copy_rule *rule = &copy->set.rule[i];
        if (rule->path && !rule->is_used)
            return cl_error_set(err, CLAST_ENOENT,
                                "%s has no dataset %s that could be stored in other "
                                "chunks",
                                copy->set.in, rule->path);
    }
    return CLAST_OK;
}

static clast_status make_everything(cl_copy *copy, cl_error *err)
{
    CL_TRY(cl_hdf5_check_library(err));
    CL_TRY(open_source(copy, err));
    CL_TRY(check_target(&copy->set, err));
    cl_atomic_file *atomic = &copy->file.atomic;
    CL_TRY(cl_atomic_file_begin(atomic, copy->set.out, err));
    if (atomic->existed)
        CL_TRY(cl_atomic_file_empty(atomic, err));
    CL_TRY(make_file(copy, err));
    CL_TRY(walk(copy, &copy->objects, make_item));
    CL_TRY(check_rules(copy, err));
    return walk(copy, NULL, describe_item);
}

clast_status cl_copy_begin(cl_copy **copy, const cl_copy_settings *settings,
                           cl_error *err)
{
    cl_hdf5_guard guard;
    cl_error own = {0};
    *copy = NULL;
    cl_copy *c = cl_calloc(1, sizeof *c);
    if (!c)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a copy");
    c->set = *settings;
    c->file.id = c->start = H5I_INVALID_HID;
    c->file.fd = -1;
    c->file.is_synced = !settings->no_sync;
    cl_behind_init(&c->file.behind);
    c->err = &own;
    cl_hdf5_enter(&guard);
    const clast_status status = make_everything(c, &own);
    cl_hdf5_leave(&guard);
    c->err = NULL;
    if (status != CLAST_OK) {
        cl_copy_abort(c);
        return cl_error_set(err, status, "%s", own.text);
    }
    *copy = c;
    return CLAST_OK;
}

/* --- its end ------------------------------------------------------------------------
 */

static clast_status close_files(cl_copy *copy, cl_error *err)
{
    cl_output_file *f = &copy->file;
    cl_hdf5_guard guard;
    clast_status status = CLAST_OK;
    cl_hdf5_enter(&guard);
    for (size_t i = 0; i < copy->ntype; i++)
        H5Tclose(copy->type[i].id);
    copy->ntype = 0;
    if (copy->start >= 0)
        H5Gclose(copy->start);
    copy->start = H5I_INVALID_HID;
    if (f->id >= 0 && (H5Fclose(f->id) < 0 || f->error))
        status = cl_output_fail(f, err, "%s: writing failed", copy->set.out);
    f->id = H5I_INVALID_HID;
    cl_hdf5_leave(&guard);
    return status;
}

static clast_status copy_user_block(cl_copy *copy, cl_error *err)
{
    hsize_t bytes = 0;
    char piece[512]; /* user blocks are powers of two from 512 on */
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    const hid_t list = H5Fget_create_plist(copy->in->id);
    if (list >= 0) {
        H5Pget_userblock(list, &bytes);
        H5Pclose(list);
    }
    cl_hdf5_leave(&guard);
    for (hsize_t at = 0; at < bytes; at += sizeof piece) {
        struct iovec iov = {piece, sizeof piece};
        const bool is_read = pread(copy->in->fd, piece, sizeof piece, (off_t)at) ==
                             (ssize_t)sizeof piece;
        const int error =
            is_read ? cl_sys_write_all(copy->file.fd, &iov, 1, (off_t)at) : EIO;
        if (error)
            return cl_error_set(err, cl_status_from_errno(error),
                                "%s: its user block cannot be copied: %s", copy->set.in,
                                strerror(error));
    }
    return CLAST_OK;
}

static clast_status finish(cl_copy *copy, cl_error *err)
{
    cl_output_file *f = &copy->file;
    CL_TRY(close_files(copy, err));
    CL_TRY(copy_user_block(copy, err));
    CL_TRY(cl_hdf5_file_check(copy->in, err));
    if (f->fd >= 0 && close(f->fd) != 0) {
        f->fd = -1;
        return cl_error_set(err, cl_status_from_errno(errno), "%s: writing failed: %s",
                            copy->set.out, strerror(errno));
    }
    f->fd = -1;
    CL_TRY(cl_atomic_file_sync(&f->atomic, f->is_synced, err));
    if (check_canceled(copy, err))
        return CLAST_ECANCELED;
    return cl_atomic_file_publish(&f->atomic, f->is_synced, err);
}

clast_status cl_copy_commit(cl_copy *copy, cl_error *err)
{
    cl_error own = {0};
    const clast_status status = finish(copy, &own);
    cl_copy_abort(copy);
    return status == CLAST_OK ? status : cl_error_set(err, status, "%s", own.text);
}

void cl_copy_abort(cl_copy *copy)
{
    if (!copy)
        return;
    cl_hdf5_guard guard;
    close_files(copy, NULL);
    if (copy->file.fd >= 0)
        close(copy->file.fd);
    cl_atomic_file_abort(&copy->file.atomic);
    cl_hdf5_enter(&guard);
    cl_hdf5_file_close(copy->in);
    cl_hdf5_leave(&guard);
    for (size_t i = 0; i < copy->n; i++) {
        cl_free(copy->dataset[i].path);
        cl_free(copy->dataset[i].target);
    }
    cl_free(copy->dataset);
    cl_free(copy->type);
    cl_hdf5_objects_fini(&copy->objects);
    cl_behind_fini(&copy->file.behind);
    cl_free(copy);
}

/* --- what is to be filled -----------------------------------------------------------
 */

size_t cl_copy_count(const cl_copy *copy)
{
    return copy->n;
}

const cl_copy_dataset *cl_copy_get(const cl_copy *copy, size_t index)
{
    return &copy->dataset[index];
}

uint64_t cl_copy_bytes(const cl_copy *copy)
{
    return copy->objects.arena.bytes + copy->objects.room * sizeof(cl_hdf5_object) +
           copy->room * (sizeof(cl_copy_dataset) + 128);
}
