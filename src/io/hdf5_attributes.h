/* SPDX-License-Identifier: BSD-3-Clause */
/* Attributes of HDF5 objects: looking for, copying and writing them. Called under the
 * lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_ATTRIBUTES_H
#define CL_IO_HDF5_ATTRIBUTES_H

#include <hdf5.h>
#include <stdbool.h>

#include "base/status.h"

/* Bytes of one attribute that is copied or read at most: the most that fits into the
 * header of an object in the older format. */
#define CL_ATTRIBUTE_MOST ((size_t)60000)

typedef enum {
    CL_COPIED,
    CL_NOT_COPIED, /* of a kind or size that is not copied, or libhdf5 refused */
    CL_COPY_NO_MEMORY
} cl_copied;

/* Copies an attribute of integers, floats, strings of either kind or members of an
 * enumeration, of any shape. All else, references above all, is not copied: they would
 * lead nowhere in another file. */
cl_copied cl_hdf5_attribute_copy(hid_t from, const char *name, hid_t to);

/* The text of a string attribute, to be freed with cl_free; NULL where there is none,
 * it is not one string or too long. */
char *cl_hdf5_attribute_text(hid_t object, const char *name);
/* Writes a text, in the place of what has that name; of variable length where it is
 * long. Negative: libhdf5 failed. */
herr_t cl_hdf5_attribute_put_text(hid_t object, const char *name, const char *text);
/* One number or text as it would be written, from memory that is like `type`. */
herr_t cl_hdf5_attribute_put(hid_t object, const char *name, hid_t type,
                             const void *value);

/* Mixes name and value of an attribute into a hash; nothing where there is none. Texts
 * hash alike as either kind of string, numbers only where their types are the same. */
uint64_t cl_hdf5_attribute_hash(hid_t object, const char *name, uint64_t hash);

#endif
