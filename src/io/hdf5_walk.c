/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk is ours and not H5Ovisit's or H5Lvisit's, because those cannot pass over a
 * group, speak of links only or of objects only, and open what they cannot name. The
 * recursion is bounded, as each level takes about a KiB of stack inside libhdf5.
 *
 * Cost: one lookup of a link and one of an object's header for each link.
 */
#include "io/hdf5_walk.h"

#include <string.h>

#include "io/hdf5_lib.h"

typedef struct {
    cl_hdf5_walk_fn *fn;
    void *arg;
    bool by_creation, keeps_all;
    cl_hdf5_objects *objects;
    char *
        path; /* of what is looked at, without the slash at its end: "" for the start */
    size_t capacity;
    int depth;
    cl_walk_end end;
} walk;

static H5_index_t order_of(const walk *w, hid_t group)
{
    unsigned flags = 0;
    const hid_t list = w->by_creation ? H5Gget_create_plist(group) : H5I_INVALID_HID;
    if (list < 0)
        return H5_INDEX_NAME;
    H5Pget_link_creation_order(list, &flags);
    H5Pclose(list);
    return flags & H5P_CRT_ORDER_TRACKED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
}

static void look_at_object(hid_t group, const char *name, cl_walk_item *item)
{
    H5O_info_t info;
    if (H5Oget_info_by_name2(group, name, &info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS,
                             H5P_DEFAULT) < 0)
        return;
    item->kind = info.type;
    item->address = info.addr;
    item->links = info.rc;
    item->nattribute = info.num_attrs;
}

static bool remember(walk *w, const cl_walk_item *item)
{
    if (item->first || item->kind == H5O_TYPE_UNKNOWN ||
        (item->links < 2 && item->depth > 0 && !w->keeps_all))
        return true;
    return cl_hdf5_objects_add(w->objects, item->address, item->path);
}

static herr_t look_at_link(hid_t group, const char *name, const H5L_info_t *link,
                           void *arg);

static bool look_into(walk *w, hid_t parent, const char *name)
{
    if (++w->depth > CL_WALK_MOST_DEPTH) {
        w->end = CL_WALK_TOO_DEEP;
        return false;
    }
    const hid_t group = H5Gopen2(parent, name, H5P_DEFAULT);
    if ((group < 0 || H5Literate(group, order_of(w, group), H5_ITER_INC, NULL,
                                 look_at_link, w) < 0) &&
        w->end == CL_WALK_DONE)
        w->end = CL_WALK_FAILED;
    if (group >= 0)
        H5Gclose(group);
    w->depth--;
    return w->end == CL_WALK_DONE;
}

/* false: the walk has ended. */
static bool look_at(walk *w, cl_walk_item *item)
{
    if (item->link == H5L_TYPE_HARD) {
        look_at_object(item->group, item->name, item);
        if (item->kind != H5O_TYPE_UNKNOWN)
            item->first = cl_hdf5_objects_find(w->objects, item->address);
    }
    if (!remember(w, item)) {
        w->end = CL_WALK_NO_MEMORY;
        return false;
    }
    const cl_walk_step step = w->fn(w->arg, item);
    if (step == CL_WALK_STOP) {
        w->end = CL_WALK_STOPPED;
        return false;
    }
    if (step == CL_WALK_OVER || item->kind != H5O_TYPE_GROUP || item->first)
        return true;
    return look_into(w, item->group, item->name);
}

static herr_t look_at_link(hid_t group, const char *name, const H5L_info_t *link,
                           void *arg)
{
    walk *w = arg;
    const size_t before = strlen(w->path), bytes = strlen(name);
    if (!cl_grow(&w->path, &w->capacity, before + bytes + 2, 1)) {
        w->end = CL_WALK_NO_MEMORY;
        return -1;
    }
    w->path[before] = '/';
    memcpy(w->path + before + 1, name, bytes + 1);
    cl_walk_item item = {.group = group,
                         .name = name,
                         .path = w->path,
                         .depth = w->depth,
                         .link = link->type,
                         .kind = H5O_TYPE_UNKNOWN};
    if (link->type != H5L_TYPE_HARD)
        item.link_bytes = link->u.val_size;
    const bool goes_on = look_at(w, &item);
    w->path[before] = '\0';
    return goes_on ? 0 : -1;
}

cl_walk_end cl_hdf5_walk(hid_t start, bool by_creation, cl_hdf5_objects *objects,
                         cl_hdf5_walk_fn *fn, void *arg)
{
    cl_hdf5_objects own = {0};
    walk w = {.fn = fn,
              .arg = arg,
              .by_creation = by_creation,
              .keeps_all = objects != NULL,
              .objects = objects ? objects : &own,
              .end = CL_WALK_DONE};
    cl_walk_item item = {.group = start,
                         .name = ".",
                         .path = "/",
                         .link = H5L_TYPE_HARD,
                         .kind = H5O_TYPE_UNKNOWN};
    if (cl_grow(&w.path, &w.capacity, 256, 1)) {
        w.path[0] = '\0';
        look_at(&w, &item);
    } else {
        w.end = CL_WALK_NO_MEMORY;
    }
    cl_free(w.path);
    cl_hdf5_objects_fini(&own);
    return w.end;
}

clast_status cl_walk_fail(cl_walk_end end, const char *file, const char *what,
                          cl_error *err)
{
    switch (end) {
    case CL_WALK_NO_MEMORY:
        return cl_error_set(err, CLAST_ENOMEM,
                            "%s %s: no memory for its list of objects", file, what);
    case CL_WALK_FAILED:
        return cl_hdf5_fail(err, CLAST_EFORMAT, "%s %s: a group cannot be read", file,
                            what);
    case CL_WALK_TOO_DEEP:
        return cl_error_set(err, CLAST_EFORMAT,
                            "%s %s: its groups are nested more than %d deep", file,
                            what, CL_WALK_MOST_DEPTH);
    default:
        return CLAST_OK;
    }
}

bool cl_hdf5_link_target(const cl_walk_item *item, cl_link_target *target)
{
    *target = (cl_link_target){"", "?", cl_calloc(item->link_bytes + 1, 1)};
    if (!target->memory)
        return false;
    if (H5Lget_val(item->group, item->name, target->memory, item->link_bytes,
                   H5P_DEFAULT) < 0)
        return true;
    if (item->link == H5L_TYPE_SOFT)
        target->path = target->memory;
    else if (item->link != H5L_TYPE_EXTERNAL ||
             H5Lunpack_elink_val(target->memory, item->link_bytes, NULL, &target->file,
                                 &target->path) < 0)
        target->file = "";
    return true;
}

void cl_hdf5_link_target_fini(cl_link_target *target)
{
    cl_free(target->memory);
    *target = (cl_link_target){0};
}
