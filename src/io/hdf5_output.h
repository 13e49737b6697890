/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outputs under way: what begin sets up and put and commit use.
 *
 * After begin, datasets and files do not change but for: the map and number of written
 * chunks (atomic), the count of bytes for write-behind (atomic), and what libhdf5 does
 * under the lock of hdf5_lib.h.
 */
#ifndef CL_IO_HDF5_OUTPUT_H
#define CL_IO_HDF5_OUTPUT_H

#include <hdf5.h>
#include <stdatomic.h>

#include "io/atomic_file.h"
#include "io/behind.h"
#include "io/filters.h"
#include "io/journal.h"
#include "io/store.h"

typedef struct cl_chunk_order cl_chunk_order; /* hdf5_order.h */

typedef struct {
    cl_output_spec spec; /* file and path are copies */
    char *path;          /* normal form: "/a/b" */
    size_t file;
    bool is_direct;     /* positioned writes at `address`; else H5Dwrite_chunk */
    bool is_contiguous; /* one chunk, the whole array */
    bool is_netcdf;     /* by the name of its file: for programs that read no more */
    bool by_library;    /* of a copy: H5Dwrite, for filters that are libhdf5's only */
    hid_t dataset;      /* not direct: open until commit */
    uint64_t address, chunk_bytes;
    int64_t first; /* not direct: the number of its first chunk in the file's order */
    int64_t chunk[CL_MAXDIM], grid[CL_MAXDIM], chunks;
    cl_filters filters;
    _Atomic unsigned char *written; /* a bit a chunk */
    unsigned char *taken; /* likewise: chunks of an earlier attempt; NULL: none */
    _Atomic int64_t missing;
    int lost_attributes; /* that could not be copied */
    int lost_scales;     /* of axes with a name */
} cl_output;

typedef struct {
    cl_atomic_file atomic;
    hid_t id;      /* open while any of its datasets is not direct */
    int fd;        /* for positioned writes; -1: none */
    int error;     /* what libhdf5's writes met first; under its lock */
    char *history; /* of the file that is replaced; NULL: none */
    uint64_t bytes;
    char *lent;   /* changed in place, and perhaps an input as well: its name */
    bool is_late; /* lent: libhdf5 writes its chunks when all have been computed */
    bool is_synced, is_begun; /* begun: datasets may have been made */
    bool is_new_format;       /* its objects are made in that of HDF5 1.10 */
    bool is_large;            /* its direct outputs would fill much of the page cache */
    cl_behind behind;
    cl_chunk_order *order; /* of one whose chunks libhdf5 places; NULL otherwise */
    cl_journal *journal;   /* of one that can be resumed; NULL otherwise */
    bool is_logged;        /* its chunks are in the journal, not only their places */
    char *journal_name;
    bool is_kept;      /* it is an earlier attempt's: not to be removed */
    bool is_published; /* by an earlier attempt: nothing is left to do */
} cl_output_file;

struct cl_outputs {
    cl_log log;
    size_t n, nfile;
    cl_output *output;
    cl_output_file *file;
    bool is_part; /* the file is that of a copy, which goes on */
    uint64_t all; /* checksum of what all of them are; 0: not known yet */
};

/* Settles path, chunks and filters of an output from its spec; all that can be checked
 * without a file is checked. */
clast_status cl_output_settle(cl_output *o, const cl_output_spec *spec, cl_error *err);
/* Gives a settled output its own copy of the file's name and a map of its chunks, none
 * of which is written. */
clast_status cl_output_begin(cl_output *o, const char *file, cl_error *err);
/* The first output of a file that has a line of history; NULL: none. */
const cl_output_spec *cl_output_file_historian(const cl_outputs *outputs, size_t file);
/* Begins the temporary file of one that exists: as a copy of it, or empty where nothing
 * but what is replaced is in it; or settles that the file itself is changed. */
clast_status cl_output_file_prepare(cl_outputs *outputs, size_t file, cl_error *err);
/* Readies a file whose datasets are made for positioned writes. */
clast_status cl_output_file_continue(cl_outputs *outputs, size_t file, cl_error *err);
/* CLAST_EIO, or what the file's error means, with this text and the reason. */
clast_status cl_output_fail(const cl_output_file *f, cl_error *err, const char *format,
                            ...) __attribute__((format(printf, 3, 4)));
/* Makes the datasets of a file under its temporary name; they are ready for put. */
clast_status cl_output_file_begin(cl_outputs *outputs, size_t file, cl_error *err);
/* Whether libhdf5 places chunks of any of its outputs. */
bool cl_output_file_has_filters(const cl_outputs *outputs, size_t file);
/* All chunks are computed: opens a file for those that waited for that. */
clast_status cl_output_file_late(cl_outputs *outputs, size_t file, cl_error *err);
/* The run is over, and the file closed. */
void cl_output_file_give_back(cl_output_file *f);
/* After a failure, with the file closed: takes the datasets of the run out of a file
 * that was changed as it is, as far as that can be done, and unless somebody in this
 * process reads it by now: what he has open must not change under him. */
void cl_output_file_undo(cl_outputs *outputs, size_t file);

/* Outputs that fill datasets of a copy (hdf5_copy_output.c); put takes the lock. */
clast_status cl_copy_settle(cl_output *o, const cl_output_spec *spec, cl_error *err);
clast_status cl_copy_outputs_begin(cl_outputs *outputs, size_t n,
                                   const cl_output_spec *specs, cl_error *err);
clast_status cl_copy_put(const cl_output *o, const cl_output_file *f, const cl_box *box,
                         const void *data, cl_error *err);
clast_status cl_copy_outputs_end(cl_outputs *outputs, cl_error *err);

/* hdf5_put.c: the whole chunk of this number, its part within the array. */
cl_box cl_output_chunk(const cl_output *o, int64_t index, cl_box *part);
/* A chunk that an earlier attempt stored: marked, and nothing else is to be done. */
bool cl_output_take(cl_output *o, int64_t index);
bool cl_output_is_taken(const cl_output *o, int64_t index);
/* Writes a compressed chunk into the file. */
clast_status cl_output_write_chunk(const cl_output *o, cl_output_file *f,
                                   const cl_box *chunk, uint32_t mask,
                                   const void *bytes, uint64_t size, cl_error *err);
/* So many bytes were written to the file, which is not large: the disk is told of them
 * in time where the file is synced. */
clast_status cl_output_behind(const cl_output *o, cl_output_file *f, uint64_t bytes,
                              cl_error *err);

#endif
