/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rest of a file: what stays when some of its datasets are replaced.
 */
#ifndef CL_IO_HDF5_REST_H
#define CL_IO_HDF5_REST_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t n;
    const char *const *paths; /* of the replaced datasets, normal: "/a/b" */
    /* Whether a dataset will be the same in the new file, in all that it says. */
    bool (*is_remade)(void *arg, hid_t dataset, const char *path);
    /* Whether all attributes of a group go into the new file. */
    bool (*is_said_again)(void *arg, hid_t group, const char *path);
    void *arg;
} cl_hdf5_replaced;

/* Whether the file holds nothing but these datasets and the plain groups above them, so
 * that a new file can take its place. In doubt: false. Under the lock of hdf5_lib.h. */
bool cl_hdf5_rest_is_empty(hid_t file, const cl_hdf5_replaced *replaced);

#endif
