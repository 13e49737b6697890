/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file is walked from its root, down into groups that lie above a replaced dataset
 * only. Everything that a new file would lose ends the walk: an attribute of a group,
 * a link that is not a hard one, an object that is not replaced or has a second name, a
 * user block. Cost: one look at each link, at most one more than there are paths.
 */
#include "io/hdf5_rest.h"

#include <stdio.h>
#include <string.h>

#define PATH_ROOM 4096

typedef struct {
    size_t n;
    const char *const *paths;
    char at[PATH_ROOM]; /* the group that is looked at, "" for the root */
} walk;

static bool is_replaced(const walk *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->paths[i], w->at) == 0)
            return true;
    return false;
}

static bool is_above_replaced(const walk *w)
{
    const size_t n = strlen(w->at);
    for (size_t i = 0; i < w->n; i++)
        if (strncmp(w->paths[i], w->at, n) == 0 && w->paths[i][n] == '/')
            return true;
    return false;
}

static herr_t look_at(hid_t group, const char *name, const H5L_info_t *link, void *arg);

/* 0: nothing stays of the group at w->at. */
static herr_t look_into(walk *w, hid_t file, const char *path)
{
    H5O_info_t info;
    const hid_t group = H5Gopen2(file, path, H5P_DEFAULT);
    if (group < 0)
        return -1;
    herr_t result = -1;
    if (H5Oget_info2(group, &info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS) >= 0 &&
        info.num_attrs == 0 && info.rc == 1)
        result =
            H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, look_at, w) ? -1 : 0;
    H5Gclose(group);
    return result;
}

static herr_t look_at(hid_t group, const char *name, const H5L_info_t *link, void *arg)
{
    walk *w = arg;
    H5O_info_t info;
    const size_t before = strlen(w->at);
    const int more = snprintf(w->at + before, PATH_ROOM - before, "/%s", name);
    herr_t result = -1;
    if (link->type == H5L_TYPE_HARD && more > 0 && (size_t)more < PATH_ROOM - before &&
        H5Oget_info_by_name2(group, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
        info.rc == 1) {
        if (info.type == H5O_TYPE_DATASET)
            result = is_replaced(w) ? 0 : -1;
        else if (info.type == H5O_TYPE_GROUP && is_above_replaced(w))
            result = look_into(w, group, name);
    }
    w->at[before] = '\0';
    return result;
}

static bool has_user_block(hid_t file)
{
    hsize_t bytes = 1;
    const hid_t list = H5Fget_create_plist(file);
    if (list < 0)
        return true;
    const bool is_there = H5Pget_userblock(list, &bytes) < 0 || bytes > 0;
    H5Pclose(list);
    return is_there;
}

bool cl_hdf5_rest_is_empty(hid_t file, size_t n, const char *const *paths)
{
    walk w = {.n = n, .paths = paths};
    return !has_user_block(file) && look_into(&w, file, "/") == 0;
}
