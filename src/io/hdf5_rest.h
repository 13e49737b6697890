/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rest of a file: what stays when some of its datasets are replaced.
 */
#ifndef CL_IO_HDF5_REST_H
#define CL_IO_HDF5_REST_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether the file holds nothing but these datasets (normal paths, "/a/b") and the
 * plain groups above them, so that a new file can take its place. In doubt: false.
 * Under the lock of hdf5_lib.h. */
bool cl_hdf5_rest_is_empty(hid_t file, size_t n, const char *const *paths);

#endif
