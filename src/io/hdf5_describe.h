/* SPDX-License-Identifier: BSD-3-Clause */
/* The helper process's side of untrusted files: what a dataset is, written as a flat
 * description (description.h), or what is in a file, as a report (file_report.h). Call
 * these in a process that has nothing to lose, and leave that by _exit(). */
#ifndef CL_IO_HDF5_DESCRIBE_H
#define CL_IO_HDF5_DESCRIBE_H

#include <stdbool.h>

#include "io/store.h"

/* Writes the description of file:path to the descriptor, or that of the error. False:
 * it could not be written. */
bool cl_hdf5_describe(const char *file, const char *path, bool raw, int fd);
/* The same of a report; path NULL: of the whole file. */
bool cl_hdf5_describe_file(cl_report_kind kind, const char *file, const char *path,
                           int fd);

#endif
