/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said of a file, gathered. Under the lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_REPORT_H
#define CL_IO_HDF5_REPORT_H

#include "base/text.h"
#include "io/hdf5_file.h"
#include "io/store.h"

/* Names come with a zero byte behind each; text is plain. path: of one object, NULL: of
 * all. */
clast_status cl_hdf5_report_text(cl_report_kind kind, const cl_hdf5_file *file,
                                 const char *path, cl_text *text, cl_error *err);

#endif
