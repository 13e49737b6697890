/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file is walked from its root, down into groups that lie above a replaced dataset
 * only. Everything that a new file would lose ends the walk: an attribute of a group, a
 * link that is not a hard one, an object that is neither replaced nor made again as it
 * is (dimension scales are) or has a second name, a user block. Cost: one look at each
 * link, at most one more than there are paths.
 */
#include "io/hdf5_rest.h"

#include <string.h>

#include "io/hdf5_walk.h"

static bool is_replaced(const cl_hdf5_replaced *r, const char *path)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->paths[i], path) == 0)
            return true;
    return false;
}

static bool is_above_replaced(const cl_hdf5_replaced *r, const cl_walk_item *item)
{
    const size_t n = strlen(item->path);
    for (size_t i = 0; i < r->n; i++)
        if (strncmp(r->paths[i], item->path, n) == 0 && r->paths[i][n] == '/')
            return true;
    return item->depth == 0 && item->path[1] == '\0';
}

/* Without attributes that would be lost. */
static bool is_bare(const cl_hdf5_replaced *r, const cl_walk_item *item)
{
    if (item->nattribute == 0)
        return true;
    const hid_t group = H5Gopen2(item->group, item->name, H5P_DEFAULT);
    const bool result = group >= 0 && r->is_said_again(r->arg, group, item->path);
    if (group >= 0)
        H5Gclose(group);
    return result;
}

static bool is_remade(const cl_hdf5_replaced *r, const cl_walk_item *item)
{
    const hid_t dataset = H5Dopen2(item->group, item->name, H5P_DEFAULT);
    const bool result = dataset >= 0 && r->is_remade(r->arg, dataset, item->path);
    if (dataset >= 0)
        H5Dclose(dataset);
    return result;
}

static cl_walk_step look_at(void *arg, const cl_walk_item *item)
{
    const cl_hdf5_replaced *r = arg;
    const bool is_lost = item->kind == H5O_TYPE_DATASET
                             ? is_replaced(r, item->path) || is_remade(r, item)
                         : item->kind == H5O_TYPE_GROUP
                             ? is_bare(r, item) && is_above_replaced(r, item)
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

bool cl_hdf5_rest_is_empty(hid_t file, const cl_hdf5_replaced *replaced)
{
    union { /* looking does not change it; the walk's argument serves others too */
        const cl_hdf5_replaced *in;
        void *arg;
    } r = {.in = replaced};
    return !has_user_block(file) &&
           cl_hdf5_walk(file, false, NULL, look_at, r.arg) == CL_WALK_DONE;
}
