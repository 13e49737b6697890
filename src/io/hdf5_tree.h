/* SPDX-License-Identifier: BSD-3-Clause */
/* What is where in an HDF5 file: paths, groups, lists of datasets. Called under the
 * lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_TREE_H
#define CL_IO_HDF5_TREE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum {
    CL_TREE_NOTHING,
    CL_TREE_BLOCKED, /* nothing, and a part of the path is not a group */
    CL_TREE_GROUP,
    CL_TREE_DATASET,
    CL_TREE_OTHER,   /* a committed type */
    CL_TREE_DANGLING /* a link that leads nowhere */
} cl_tree_kind;

/* What is at the path; *is_external: a link to another file is on the way. */
cl_tree_kind cl_hdf5_tree_look(hid_t file, const char *path, bool *is_external);

/* The first link on the path that leads nowhere, and where it should: "the link /a
 * leads to /b, which is not there"; returns text. */
const char *cl_hdf5_tree_dangling(hid_t file, const char *path, char *text,
                                  size_t size);

/* The names of the first datasets, as ", "-separated text; returns text. */
const char *cl_hdf5_tree_datasets(hid_t file, char *text, size_t size);

#endif
