/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A dataset as a source: what its classification found, shared by open and read.
 *
 * Immutable after open. `stored` bytes are elements as they are in the file after its
 * filters; convert makes of them what is handed out.
 */
#ifndef CL_IO_HDF5_SOURCE_H
#define CL_IO_HDF5_SOURCE_H

#include "io/convert.h"
#include "io/description.h"
#include "io/filters.h"
#include "io/hdf5_file.h"
#include "io/source_class.h"

typedef enum {
    CL_ACCESS_NONE,       /* nothing is stored: fill values */
    CL_ACCESS_CONTIGUOUS, /* positioned reads at `address` */
    CL_ACCESS_CHUNKED,    /* positioned reads within unfiltered chunks */
    CL_ACCESS_FILTERED,   /* whole stored chunks, decoded by us */
    CL_ACCESS_LIBRARY     /* H5Dread under the lock */
} cl_access;

typedef struct {
    cl_source base;
    cl_hdf5_file *file;
    cl_hdf5_client *client,
        own;            /* the dataset, which is closed while the file rests; by
                                    address, as it changes while the source does not */
    hid_t memory_type;  /* of the stored elements, for H5Dread */
    char *name, *where; /* path; "file:/path" for messages */
    cl_convert convert;
    cl_access access;
    uint64_t address;     /* CONTIGUOUS */
    uint64_t chunk_bytes; /* stored, 0 if not chunked */
    cl_filters filters;
    bool is_large;          /* unfiltered, and too large for the page cache */
    bool is_raw;            /* CF attributes are left alone */
    bool has_raw_edges;     /* chunks that the array's end cuts are stored unfiltered */
    unsigned char fill[16]; /* one stored element */
    char note[300];         /* for the log: which other files are read; or "" */
    bool is_described; /* untrusted: chunks are looked up here, not by libhdf5, which
                          has neither file nor dataset open */
    cl_described_chunk *described; /* by their index in the grid */
    uint64_t ndescribed;
} cl_hdf5_source;

/* A dataset of a file, by path; no canary. */
clast_status cl_hdf5_open(cl_hdf5_source **source, const char *file, const char *path,
                          cl_read_mode reading, cl_error *err);
/* Sees to it that the dataset is open, as cl_hdf5_file_wake() says. Under the lock. */
clast_status cl_hdf5_source_wake(const cl_hdf5_source *s, cl_error *err);
/* Fills everything that depends on the dataset, which is open. Under the lock. */
clast_status cl_hdf5_classify(cl_hdf5_source *s, cl_read_mode reading, cl_error *err);

/* Sets `name` and `where`; without memory for them they stay NULL. */
void cl_hdf5_name_source(cl_hdf5_source *s, const char *file, const char *path);

/* The class functions (hdf5_read.c); any thread, not under the lock. */
uint64_t cl_hdf5_staging(const cl_source *source, const cl_box *box);
clast_status cl_hdf5_fetch(cl_source *source, const cl_box *box,
                           const cl_lattice *wanted, void *dst, void *staging,
                           cl_fetching *how, cl_error *err);
clast_status cl_hdf5_decode(cl_source *source, const cl_box *box, void *dst,
                            void *staging, cl_error *err);
/* Boxes in place (hdf5_show.c). */
bool cl_hdf5_find(cl_source *source, const cl_box *box, uint64_t *at);
const void *cl_hdf5_show(cl_source *source, cl_window *window, uint64_t at,
                         uint64_t bytes);
clast_status cl_hdf5_hide(cl_source *source, bool was_shown, cl_error *err);
/* Reads a chunk or two both ways; where they differ, falls back on the library. Not
 * under the lock. */
void cl_hdf5_try_canary(cl_hdf5_source *s, const cl_log *log);
/* Sets the staging numbers of info. */
void cl_hdf5_count_staging(cl_hdf5_source *s);

#endif
