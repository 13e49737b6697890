/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of axes and their coordinate variables, as dimension scales say them. */
#ifndef CL_IO_HDF5_DIMS_H
#define CL_IO_HDF5_DIMS_H

#include <hdf5.h>

#include "io/store.h"

/* Of a dataset of this shape at `path`; the entries of `dim` are zero before. Under the
 * lock of hdf5_lib.h. */
clast_status cl_hdf5_dims_read(hid_t dataset, const char *path, const cl_shape *shape,
                               cl_dim *dim, cl_error *err);
/* Of any dataset, for descriptions: how many axes it has; 0 where none has a name, and
 * then there is nothing to free. Under the lock. */
int cl_hdf5_dims_describe(hid_t dataset, cl_dim dim[CL_MAXDIM]);

#endif
