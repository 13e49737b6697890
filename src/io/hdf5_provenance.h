/* SPDX-License-Identifier: BSD-3-Clause */
/* Where outputs say they come from. Called under the lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_PROVENANCE_H
#define CL_IO_HDF5_PROVENANCE_H

#include "io/hdf5_output.h"

/* Writes clast_version, clast_program and clast_inputs, those that the specification
 * has, to an output that was just made. */
void cl_hdf5_provenance_put(hid_t dataset, const cl_output_spec *spec);

/* What a file says; to be freed with cl_free. NULL: nothing. */
char *cl_hdf5_history(hid_t file);

/* Puts the line of history of a file's outputs in front of what its root says, or, in a
 * new file, of what the first input's file says; `old` is what the file said that is
 * replaced, or NULL. Nothing where that is the newest line already. CLAST_ENOMEM. */
clast_status cl_hdf5_history_put(hid_t file, const cl_output_spec *spec,
                                 const char *old, cl_error *err);

#endif
