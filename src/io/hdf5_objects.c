/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses are hashed by a multiplication (Knuth, The Art of Computer Programming,
 * vol. 3, 6.4), whose upper bits choose the place. Cost: O(1) a look.
 */
#include "io/hdf5_objects.h"

#include <string.h>

static size_t place_of(const cl_hdf5_objects *o, uint64_t address)
{
    size_t i = (size_t)(address * 0x9e3779b97f4a7c15u >> 20) & (o->room - 1);
    while (o->entry[i].path && o->entry[i].address != address)
        i = (i + 1) & (o->room - 1);
    return i;
}

const char *cl_hdf5_objects_find(const cl_hdf5_objects *objects, uint64_t address)
{
    return objects->room > 0 ? objects->entry[place_of(objects, address)].path : NULL;
}

static bool grow(cl_hdf5_objects *o)
{
    cl_hdf5_objects more = *o;
    more.room = o->room > 0 ? 2 * o->room : 64;
    more.entry = cl_calloc(more.room, sizeof *more.entry);
    if (!more.entry)
        return false;
    for (size_t i = 0; i < o->room; i++)
        if (o->entry[i].path)
            more.entry[place_of(&more, o->entry[i].address)] = o->entry[i];
    cl_free(o->entry);
    *o = more;
    return true;
}

bool cl_hdf5_objects_add(cl_hdf5_objects *objects, uint64_t address, const char *path)
{
    if (3 * (objects->count + 1) > 2 * objects->room && !grow(objects))
        return false;
    const size_t bytes = strlen(path) + 1;
    char *copy = cl_arena_array(&objects->arena, bytes, 1);
    if (!copy)
        return false;
    memcpy(copy, path, bytes);
    objects->entry[place_of(objects, address)] = (cl_hdf5_object){address, copy};
    objects->count++;
    return true;
}

void cl_hdf5_objects_fini(cl_hdf5_objects *objects)
{
    cl_free(objects->entry);
    cl_arena_fini(&objects->arena);
    *objects = (cl_hdf5_objects){0};
}
