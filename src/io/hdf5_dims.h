/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of axes and their coordinate variables, as dimension scales say them. */
#ifndef CL_IO_HDF5_DIMS_H
#define CL_IO_HDF5_DIMS_H

#include <hdf5.h>

#include "io/store.h"

/* How the NAME of a scale begins that stands for a dimension without a variable
 * (netCDF-4 format specification); the dimension's length follows, in ten columns. */
#define CL_NO_VARIABLE "This is a netCDF dimension but not a netCDF variable."

/* How scales without a variable are called that stand for axes without a name; the
 * axis' number follows. */
#define CL_UNNAMED "unnamed_"

/* Whether the scale's numbers are coordinates. Under the lock of hdf5_lib.h, as all
 * here. */
bool cl_hdf5_scale_has_variable(hid_t scale);
/* Of one axis, with n elements. */
bool cl_hdf5_is_of_length(hid_t dataset, int64_t n);
/* Of a dataset of this shape at `path`; the entries of `dim` are zero before. */
clast_status cl_hdf5_dims_read(hid_t dataset, const char *path, const cl_shape *shape,
                               cl_dim *dim, cl_error *err);
/* Of any dataset, for descriptions: how many axes it has; 0 where none has a name, and
 * then there is nothing to free. */
int cl_hdf5_dims_describe(hid_t dataset, cl_dim dim[CL_MAXDIM]);

#endif
