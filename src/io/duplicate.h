/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying a whole HDF5 file, with datasets stored in another way.
 *
 * begin makes everything under a temporary name but the data of those datasets whose
 * storage changes: these are listed, their chunks are filled by runs of the engine, in
 * as many as the caller likes, and commit publishes the file. Sources of such a run are
 * opened with CL_READ_BITS, its outputs have the spec that cl_copy_spec() gives. All
 * functions take the lock of hdf5_lib.h inside.
 */
#ifndef CL_IO_DUPLICATE_H
#define CL_IO_DUPLICATE_H

#include "io/filters.h"
#include "io/store.h"

typedef struct cl_copy cl_copy;

/* Chunks of datasets: of one, or of all of a rank. */
typedef struct {
    const char *path; /* from the start of the copy; NULL: any dataset of the rank */
    int ndim;         /* 0: chunks near 1 MiB, for any rank */
    int64_t chunk[CL_MAXDIM]; /* -1: the whole axis */
    bool is_used;             /* set where a dataset met it */
} cl_copy_rule;

typedef struct {
    const char *in, *group; /* the group that is copied; NULL: all */
    const char *out;
    size_t nrule;
    cl_copy_rule *rule; /* of those that fit the one with a path wins, then the first */
    bool keeps;         /* filters stay; else the compression below is wanted */
    cl_compression compression; /* checksums stay in any case */
    bool overwrite, no_sync;
    const atomic_bool *is_canceled; /* NULL: never */
} cl_copy_settings;

/* A dataset whose data is to be filled in. */
typedef struct {
    char *path;   /* in the source file */
    char *target; /* in the copy */
    cl_shape shape;
    clast_dtype bits; /* as CL_READ_BITS has it */
    int64_t chunk[CL_MAXDIM];
    cl_filters filters;
    bool by_library; /* libhdf5 has to filter */
    uint64_t bytes;
} cl_copy_dataset;

clast_status cl_copy_begin(cl_copy **copy, const cl_copy_settings *settings,
                           cl_error *err);
size_t cl_copy_count(const cl_copy *copy);
const cl_copy_dataset *cl_copy_get(const cl_copy *copy, size_t index);
/* Memory that the tables take. */
uint64_t cl_copy_bytes(const cl_copy *copy);
/* What a run's sink is told; valid as long as the copy. */
void cl_copy_spec(cl_copy *copy, size_t index, cl_output_spec *spec);
/* Frees in every case. */
clast_status cl_copy_commit(cl_copy *copy, cl_error *err);
void cl_copy_abort(cl_copy *copy); /* NULL is legal */

#endif
