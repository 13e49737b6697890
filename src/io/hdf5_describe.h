/* SPDX-License-Identifier: BSD-3-Clause */
/* The helper process's side of untrusted files: what a dataset is, written as a flat
 * description (description.h). */
#ifndef CL_IO_HDF5_DESCRIBE_H
#define CL_IO_HDF5_DESCRIBE_H

#include <stdbool.h>

#include "base/status.h"

/* Writes the description of file:path to the descriptor, or that of the error. False:
 * it could not be written. Call it in a process that has nothing to lose, and leave
 * that by _exit(). */
bool cl_hdf5_describe(const char *file, const char *path, bool raw, int fd);

#endif
