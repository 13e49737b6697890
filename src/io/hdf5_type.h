/* SPDX-License-Identifier: BSD-3-Clause */
/* HDF5 datatypes and Clast's dtypes, in both directions. Called under the lock of
 * hdf5_lib.h. */
#ifndef CL_IO_HDF5_TYPE_H
#define CL_IO_HDF5_TYPE_H

#include <hdf5.h>
#include <stdbool.h>

#include "base/dtype.h"

typedef struct {
    clast_dtype dtype;
    bool is_swapped; /* bytes in the other order than this machine's */
    bool is_half;    /* float16, which becomes float32 */
    bool is_exact;   /* false: only libhdf5 can convert it; H5Dread with `dtype` */
} cl_hdf5_type;

/* CLAST_EDTYPE for what Clast has no dtype for: the message names type and place. */
clast_status cl_hdf5_type_read(hid_t type, const char *where, cl_hdf5_type *result,
                               cl_error *err);
/* Any type of 1, 2, 4, 8 or 16 bytes that points nowhere, as its bytes: unsigned
 * integers, or complex128. */
clast_status cl_hdf5_type_bits(hid_t type, const char *where, cl_hdf5_type *result,
                               cl_error *err);
/* Whether its elements are their bytes: nothing of them lies elsewhere in the file. */
bool cl_hdf5_type_is_plain(hid_t type);
/* A new type in this machine's byte order: bool as h5py's enum, complex as h5py's
 * compound of r and i. Negative: libhdf5 failed. */
hid_t cl_hdf5_type_make(clast_dtype dtype);
/* As what H5Dread is to read an inexact type: that of its dtype, in the other byte
 * order where is_swapped says so. */
hid_t cl_hdf5_type_make_read(const cl_hdf5_type *type);
/* A short English description, such as "int32", "float64, big-endian" or "a
 * variable-length string". */
const char *cl_hdf5_type_text(hid_t type, char *text, size_t size);

#endif
