/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The objects of a file by their addresses, with a path that leads to each: what tells
 * that two links are of one object, and where a reference leads. A hash table with
 * linear probing; the paths lie in an arena. Zeroed memory is an empty table.
 */
#ifndef CL_IO_HDF5_OBJECTS_H
#define CL_IO_HDF5_OBJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

typedef struct {
    uint64_t address;
    const char *path; /* NULL: a free place */
} cl_hdf5_object;

typedef struct {
    cl_hdf5_object *entry;
    size_t count, room; /* room: a power of two, at most 2/3 taken */
    cl_arena arena;
} cl_hdf5_objects;

/* NULL: not there. */
const char *cl_hdf5_objects_find(const cl_hdf5_objects *objects, uint64_t address);
/* Keeps a copy of the path. false: no memory. */
bool cl_hdf5_objects_add(cl_hdf5_objects *objects, uint64_t address, const char *path);
void cl_hdf5_objects_fini(cl_hdf5_objects *objects);

#endif
