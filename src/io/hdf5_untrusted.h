/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources of untrusted files: what is behind cl_source_open_untrusted(). */
#ifndef CL_IO_HDF5_UNTRUSTED_H
#define CL_IO_HDF5_UNTRUSTED_H

#include "io/child.h"
#include "io/store.h"

/* The same, where what a helper says is read from `said`, which stays the caller's;
 * NULL: one is started. */
clast_status cl_source_open_described(cl_source **source, const char *file,
                                      const char *path, bool raw,
                                      const cl_untrusted *how, cl_child *said,
                                      cl_error *err);

#endif
