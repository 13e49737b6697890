/* SPDX-License-Identifier: BSD-3-Clause */
/* Which attributes of an input its outputs repeat. Called under the lock of hdf5_lib.h.
 */
#ifndef CL_IO_HDF5_CARRY_H
#define CL_IO_HDF5_CARRY_H

#include "io/hdf5_source.h"

/* Sets info.units and info.encoding of a source whose dataset and conversion are known.
 */
void cl_hdf5_carry_digest(cl_hdf5_source *source, bool is_raw);

/* Writes the attributes that hold at this level to a dataset of `dtype` that was just
 * made in `group` (its own one). *left counts those that would hold and could not be
 * copied. CLAST_ENOMEM. */
clast_status cl_hdf5_carry(const cl_source *source, cl_carry_level level,
                           clast_dtype dtype, hid_t group, hid_t dataset, int *left,
                           cl_error *err);

/* Whether a dimension scale says nothing that the source's dataset does not say
 * equally. NULL: a source that says nothing. */
bool cl_hdf5_carry_is_all(const cl_source *source, hid_t scale);

#endif
