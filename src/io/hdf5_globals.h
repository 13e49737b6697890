/* SPDX-License-Identifier: BSD-3-Clause */
/* What a new file says of itself: the attributes of the groups that its outputs' inputs
 * lie in. Called under the lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_GLOBALS_H
#define CL_IO_HDF5_GLOBALS_H

#include "io/hdf5_output.h"

/* Writes them into a file whose datasets are made. Those that could not be copied count
 * among the outputs' lost_attributes. CLAST_ENOMEM. */
clast_status cl_hdf5_globals_put(hid_t file, cl_outputs *outputs, size_t index,
                                 cl_error *err);
/* Whether all that a group says, but for what has this name (NULL: nothing), is what
 * the function above would write into a new file. */
bool cl_hdf5_globals_include(const cl_outputs *outputs, size_t index, hid_t group,
                             const char *path, const char *but);

#endif
