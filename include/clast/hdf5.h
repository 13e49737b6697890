/* SPDX-License-Identifier: BSD-3-Clause */
/** Whole HDF5 files: what is in one. */
#ifndef CLAST_HDF5_H
#define CLAST_HDF5_H

#include <stdbool.h>

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes a description of a file, or of one object in it where path is not NULL:
 * names, shapes, dtypes, chunks, filters, sizes, attributes. Reads no data.
 * CLAST_ENOENT, CLAST_EACCESS, CLAST_EFORMAT. */
CLAST_API clast_status clast_hdf5_info(clast_ctx *ctx, const char *file,
                                       const char *path, clast_text_fn *write,
                                       void *arg);

/** The same as one JSON object, with attributes' values; docs/tools.md describes it. */
CLAST_API clast_status clast_hdf5_info_json(clast_ctx *ctx, const char *file,
                                            const char *path, clast_text_fn *write,
                                            void *arg);

#ifdef __cplusplus
}
#endif
#endif
