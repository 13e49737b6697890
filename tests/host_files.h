/* SPDX-License-Identifier: BSD-3-Clause */
/* A host's own HDF5 datasets, which a context reads: what its tests share. */
#ifndef CL_TESTS_HOST_FILES_H
#define CL_TESTS_HOST_FILES_H

#include <hdf5.h>
#include <stdbool.h>

#include "check_quiet.h"
#include "clast.h"
#include "hdf5_files.h"

enum {
    HOST_ROWS = 30,
    HOST_COLUMNS = 50,
    HOST_N = HOST_ROWS * HOST_COLUMNS,
    HOST_CHUNK = 20
};

/* Of the fixture: a context of two workers, and what every dataset holds. */
extern clast_ctx *host_ctx;
extern double host_wanted[HOST_N];

/* The fixture; end: nothing is open any more. */
void host_begin(void);
void host_end(void);

/* Changes a list of H5Fcreate() or H5Fopen(). */
typedef hid_t host_driver_fn(hid_t list);
hid_t host_use_default(hid_t list);
hid_t host_use_core(hid_t list);
hid_t host_use_strong(hid_t list);
hid_t host_make_file(const char *name, host_driver_fn *driver);
hid_t host_open_file(const char *name, unsigned flags, host_driver_fn *driver);

/* How a dataset is stored. */
enum { CONTIGUOUS, CHUNKED, FILTERED, COMPACT, LAYOUTS };
/* A dataset of `host_wanted`, "/x" or, with is_anonymous, without a name. */
hid_t host_make_dataset(hid_t file, int layout, bool is_anonymous);

clast_status host_fetch(clast_array *a, double *values);
/* Computes it; the test fails where that does not give `host_wanted`. */
void host_reads(clast_array *a);

#endif
