/* SPDX-License-Identifier: BSD-3-Clause */
/* `clast info` as text for people. Under the lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_INFO_H
#define CL_IO_HDF5_INFO_H

#include "io/hdf5_walk.h"

/* What is said of one item; a cl_hdf5_walk_fn whose argument is a cl_text. */
cl_walk_step cl_hdf5_info_item(void *text, const cl_walk_item *item);

#endif
