/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths are looked at component by component, because HDF5 has no call that says why
 * a path does not lead anywhere. Cost: one lookup a component.
 */
#include "io/hdf5_tree.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/hdf5_walk.h"

#define NAMES_MOST 20
#define PATH_USUAL 2048

static cl_tree_kind kind_of(hid_t file, const char *path)
{
    H5O_info_t info;
    if (H5Oget_info_by_name2(file, path, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        return CL_TREE_DANGLING;
    return info.type == H5O_TYPE_GROUP     ? CL_TREE_GROUP
           : info.type == H5O_TYPE_DATASET ? CL_TREE_DATASET
                                           : CL_TREE_OTHER;
}

static cl_tree_kind look_at_link(hid_t file, const char *path, bool *is_external)
{
    H5L_info_t link;
    if (H5Lexists(file, path, H5P_DEFAULT) <= 0)
        return CL_TREE_NOTHING;
    if (H5Lget_info(file, path, &link, H5P_DEFAULT) >= 0 &&
        link.type == H5L_TYPE_EXTERNAL)
        *is_external = true;
    if (H5Oexists_by_name(file, path, H5P_DEFAULT) <= 0)
        return CL_TREE_DANGLING;
    return kind_of(file, path);
}

cl_tree_kind cl_hdf5_tree_look(hid_t file, const char *path, bool *is_external)
{
    *is_external = false;
    cl_tree_kind kind = CL_TREE_GROUP;
    /* paths of usual length need no memory, of which there may be none */
    char room[PATH_USUAL];
    const bool is_usual = strlen(path) < sizeof room;
    char *prefix = is_usual ? strcpy(room, path) : cl_strdup(path);
    if (!prefix)
        return CL_TREE_DANGLING;
    for (char *end = prefix; *end && kind == CL_TREE_GROUP;) {
        end += strspn(end, "/");
        if (!*end)
            break;
        end += strcspn(end, "/");
        const char kept = *end;
        *end = '\0';
        kind = look_at_link(file, prefix, is_external);
        *end = kept;
        if (kept && kind != CL_TREE_GROUP && kind != CL_TREE_DANGLING)
            kind = kind == CL_TREE_NOTHING ? kind : CL_TREE_BLOCKED;
    }
    if (!is_usual)
        cl_free(prefix);
    return kind;
}

static void say_target(hid_t file, const char *path, char *text, size_t size)
{
    H5L_info_t link;
    char value[1024];
    const char *target_file = "", *target = value;
    if (H5Lget_info(file, path, &link, H5P_DEFAULT) < 0)
        return;
    const bool is_external = link.type == H5L_TYPE_EXTERNAL;
    if (link.type == H5L_TYPE_HARD) {
        snprintf(text, size, "no object can be read where the link %s leads to", path);
        return;
    }
    if (link.type != H5L_TYPE_SOFT && !is_external) {
        snprintf(text, size, "the link %s is of class %d, which its writer defined",
                 path, (int)link.type);
        return;
    }
    if (link.u.val_size > sizeof value ||
        H5Lget_val(file, path, value, sizeof value, H5P_DEFAULT) < 0)
        return;
    value[sizeof value - 1] = '\0';
    if (is_external &&
        H5Lunpack_elink_val(value, link.u.val_size, NULL, &target_file, &target) < 0)
        return;
    snprintf(text, size, "the link %s leads to %s%s%s, which is not there", path,
             target_file, is_external ? ":" : "", target);
}

const char *cl_hdf5_tree_dangling(hid_t file, const char *path, char *text, size_t size)
{
    snprintf(text, size, "a link on the way leads nowhere");
    char *prefix = cl_strdup(path);
    for (char *end = prefix; end && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        const char next = *end;
        bool is_external;
        *end = '\0';
        if (look_at_link(file, prefix, &is_external) == CL_TREE_DANGLING) {
            say_target(file, prefix, text, size);
            break;
        }
        *end = next;
    }
    cl_free(prefix);
    return text;
}

typedef struct {
    char *text;
    size_t size, used;
    int n;
} name_list;

static cl_walk_step add_name(void *arg, const cl_walk_item *item)
{
    name_list *list = arg;
    if (item->kind != H5O_TYPE_DATASET || item->first)
        return CL_WALK_ON;
    const size_t room = list->size - list->used;
    if (list->n == NAMES_MOST || strlen(item->path) + sizeof ", , ..." > room) {
        snprintf(list->text + list->used, room, ", ...");
        return CL_WALK_STOP;
    }
    list->used += (size_t)snprintf(list->text + list->used, room, "%s%s",
                                   list->n++ > 0 ? ", " : "", item->path);
    return CL_WALK_ON;
}

const char *cl_hdf5_tree_datasets(hid_t file, char *text, size_t size)
{
    name_list list = {.text = text, .size = size};
    snprintf(text, size, "none");
    cl_hdf5_walk(file, false, NULL, add_name, &list);
    return text;
}
