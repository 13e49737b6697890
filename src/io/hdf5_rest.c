/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file is walked from its root, down into groups that lie above a replaced dataset
 * only. Everything that a new file would lose ends the walk: an attribute of a group,
 * a link that is not a hard one, an object that is not replaced or has a second name, a
 * user block. Cost: one look at each link, at most one more than there are paths.
 */
#include "io/hdf5_rest.h"

#include <string.h>

#include "io/hdf5_walk.h"

typedef struct {
    size_t n;
    const char *const *paths;
} replaced;

static bool is_replaced(const replaced *r, const char *path)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->paths[i], path) == 0)
            return true;
    return false;
}

static bool is_above_replaced(const replaced *r, const cl_walk_item *item)
{
    const size_t n = strlen(item->path);
    for (size_t i = 0; i < r->n; i++)
        if (strncmp(r->paths[i], item->path, n) == 0 && r->paths[i][n] == '/')
            return true;
    return item->depth == 0 && item->path[1] == '\0';
}

static cl_walk_step look_at(void *arg, const cl_walk_item *item)
{
    const replaced *r = arg;
    const bool is_lost = item->kind == H5O_TYPE_DATASET ? is_replaced(r, item->path)
                         : item->kind == H5O_TYPE_GROUP
                             ? item->nattribute == 0 && is_above_replaced(r, item)
                             : false;
    return item->link == H5L_TYPE_HARD && item->links == 1 && is_lost ? CL_WALK_ON
                                                                      : CL_WALK_STOP;
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
    replaced r = {n, paths};
    return !has_user_block(file) &&
           cl_hdf5_walk(file, false, NULL, look_at, &r) == CL_WALK_DONE;
}
