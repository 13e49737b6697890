/* SPDX-License-Identifier: BSD-3-Clause */
/* `clast info --json`: what hdf5_info.c says, for programs. Under the lock of
 * hdf5_lib.h. docs/tools.md describes the members. */
#ifndef CL_IO_HDF5_JSON_H
#define CL_IO_HDF5_JSON_H

#include "base/text.h"
#include "io/hdf5_walk.h"

/* {"file": ..., "objects": [ ... ]}; the items in between, a cl_hdf5_walk_fn whose
 * argument is the text. */
void cl_hdf5_json_begin(cl_text *text, const char *file);
cl_walk_step cl_hdf5_json_item(void *text, const cl_walk_item *item);
void cl_hdf5_json_end(cl_text *text);

#endif
