/* SPDX-License-Identifier: BSD-3-Clause */
/* The CF attributes of a dataset. Called under the lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_CF_H
#define CL_IO_HDF5_CF_H

#include <hdf5.h>

#include "io/convert.h"

/* The attribute that says "bool" of integers that are none. */
#define CL_CF_BOOL "dtype"

/* Reads _FillValue, missing_value, scale_factor, add_offset, _Unsigned and dtype, and
 * sets has_cf, cf and dtype of a conversion whose `stored` is known, and that itself
 * where it is not what it seems. Attributes that are no numbers are passed over. */
void cl_hdf5_cf_read(hid_t dataset, cl_convert *convert);
bool cl_hdf5_cf_is_bool(hid_t dataset);

/* The numbers of an attribute, at most n of them; *is_float32 tells their type. Returns
 * how many, 0 where there is none or it is not numeric. */
int cl_hdf5_attribute(hid_t object, const char *name, double *value, int n,
                      bool *is_float32);
/* The text of an attribute of one string; false where there is none, it is something
 * else, or `size` bytes do not hold it and its end. */
bool cl_hdf5_text_attribute(hid_t object, const char *name, char *text, size_t size);

#endif
