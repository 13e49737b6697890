/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A copy under way: the two files, and which object of the one is which of the other.
 * All functions are called under the lock of hdf5_lib.h.
 */
#ifndef CL_IO_HDF5_COPY_H
#define CL_IO_HDF5_COPY_H

#include "io/duplicate.h"
#include "io/hdf5_file.h"
#include "io/hdf5_output.h"
#include "io/hdf5_walk.h"

/* A committed datatype of the source and its counterpart. */
typedef struct {
    uint64_t address;
    hid_t id;
} cl_copied_type;

struct cl_copy {
    cl_copy_settings set;
    cl_hdf5_file *in;
    hid_t start;             /* the group that is copied */
    cl_output_file file;     /* what outputs of runs share */
    cl_hdf5_objects objects; /* paths in the source, which are those in the copy */
    size_t ntype, type_room;
    cl_copied_type *type;
    size_t n, room;
    cl_copy_dataset *dataset; /* to be filled */
    cl_error *err;            /* of the call under way */
};

/* libhdf5 or writing failed: notes "file:/path: what" and returns CL_WALK_STOP. */
cl_walk_step cl_copy_fail(cl_copy *copy, const char *path, const char *what);
bool cl_copy_no_memory(cl_copy *copy, const char *what); /* notes it; false */
bool cl_copy_is_canceled(cl_copy *copy);                 /* and notes it */

/* The type to make an object of the copy with: the counterpart of a committed one, else
 * the type itself. To be closed; negative: libhdf5 failed. */
hid_t cl_copy_type(cl_copy *copy, hid_t type);

/* hdf5_copy_dataset.c: makes the dataset, with its data where no run is to fill it;
 * references are left for later. */
bool cl_copy_make_dataset(cl_copy *copy, const cl_walk_item *item, hid_t links);
/* The data of a dataset of references, once all objects are there. */
bool cl_copy_fill_references(cl_copy *copy, hid_t from, const char *path);

/* hdf5_copy_values.c: elements in memory, with the references in them led to the
 * objects of the copy. Those that lead to nothing that is copied become null. */
void cl_copy_translate(cl_copy *copy, hid_t type, void *value, size_t n);
/* All attributes, and the comment, of one object. */
bool cl_copy_attributes(cl_copy *copy, const cl_walk_item *item);

#endif
