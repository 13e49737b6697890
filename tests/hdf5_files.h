/* SPDX-License-Identifier: BSD-3-Clause */
/* Files for the HDF5 tests: a folder of their own, datasets of every kind made with
 * libhdf5 itself, and whole reads through Clast. */
#ifndef CL_TESTS_HDF5_FILES_H
#define CL_TESTS_HDF5_FILES_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check_quiet.h"
#include "io/store.h"

/* temp_folder.h, without libhdf5's own messages. */
void files_begin(void);
void files_end(void);
int files_count(void);

enum { FILTER_DEFLATE = 1, FILTER_SHUFFLE = 2, FILTER_FLETCHER = 4 };

typedef struct {
    const char *file, *path;
    hid_t type; /* in the file; <= 0: native double */
    int ndim;
    hsize_t shape[4], chunk[4]; /* chunk[0] 0: contiguous */
    int unlimited;              /* how many axes, from the first */
    bool is_latest;             /* file format */
    bool is_early;              /* allocation */
    bool has_raw_edges;
    int filters;
    hsize_t user_block;
    const void *fill;   /* in the file's type */
    hsize_t written[4]; /* extents that get data; [0] 0: all */
    bool is_noise;      /* values that do not compress */
    bool is_added;      /* into the file that is there */
} file_spec;

/* Deflate of that level, 0: none, with or without shuffle. */
cl_compression files_gzip(int level, bool shuffle);

/* Element i (C order over the shape) gets a value that depends on i only. */
void files_make(const file_spec *spec);

/* A box through cl_source_*; to be freed with cl_free. Staging is guarded. */
void *files_read_box(cl_source *source, const cl_box *box);
void *files_read(cl_source *source);
cl_source *files_open(const char *file, const char *path, bool raw);
/* The same box by H5Dread in the type of the dtype. */
void *files_h5dread(const char *file, const char *path, clast_dtype dtype,
                    const cl_box *box);
/* Fails the test where the bytes differ, naming the first. */
void files_same(const void *a, const void *b, size_t bytes);
/* A file as it lies on the disk; cl_free() it. */
char *files_slurp(const char *name, size_t *bytes);
void files_attribute(const char *file, const char *path, const char *name, hid_t type,
                     const void *value, hsize_t n);
/* What no array is made of, added to a file that is there: /odd with texts, references
 * to /x, a committed type and a dataset of it, soft links, attributes of texts and of
 * references. Object times are off. */
void files_odd_types(const char *file);
/* Files, datasets, groups and attributes that are open in the whole process. */
ssize_t files_open_ids(void);
/* Types, spaces, property lists and error stacks, libhdf5's own included. */
int64_t files_transient_ids(void);

#endif
