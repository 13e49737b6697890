/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What reading a dataset past libhdf5 takes to know, as flat bytes: how it comes from
 * the process that read the metadata of a file that nobody trusts.
 *
 * A head, then its chunks by their index in the grid (C order), then their numbers once
 * more in the order in which they lie in the file. The other side may be in the hands
 * of whoever wrote the file: every member is a plain number until it was checked, and
 * what cl_description_check() lets through cannot lead to a read outside of the file,
 * to an index outside of the array, or to memory that was not asked for.
 */
#ifndef CL_IO_DESCRIPTION_H
#define CL_IO_DESCRIPTION_H

#include <sys/stat.h>

#include "base/shape.h"
#include "io/convert.h"
#include "io/filters.h"

enum {
    CL_DESCRIBED_FILTERS = 4,
    CL_DESCRIBED_VALUES = 32,
    CL_DESCRIBED_GRID = 1 << 22 /* places for chunks, at most */
};

typedef struct {
    uint32_t id, nvalue, value[CL_DESCRIBED_VALUES];
} cl_described_filter;

typedef enum {
    CL_DESCRIBED_NOTHING, /* fill values only */
    CL_DESCRIBED_CONTIGUOUS,
    CL_DESCRIBED_CHUNKED,
    CL_DESCRIBED_LAYOUTS
} cl_described_layout;

/* How all begins that a helper says. */
typedef struct {
    char magic[24];
    uint32_t head_bytes; /* of what it is the beginning of */
    uint32_t status; /* but CLAST_OK: `text` says why, nothing else is set or follows */
    char text[CL_ERROR_TEXT];
    uint64_t file[5]; /* cl_description_file() */
    uint64_t is_confined;
} cl_described_head;

typedef struct {
    cl_described_head head;
    uint64_t object; /* a number of the dataset in its file */
    uint32_t stored, dtype, is_swapped, is_half; /* cl_convert */
    uint32_t has_cf, has_scale, has_offset, nfill;
    double scale, offset, cf_fill[CL_CF_FILLS];
    unsigned char fill[16];
    uint32_t layout, has_raw_edges, nfilter, ndim;
    int64_t dim[CL_MAXDIM], chunk[CL_MAXDIM];
    uint64_t address; /* contiguous */
    uint64_t nchunk;  /* that are stored */
    cl_described_filter filter[CL_DESCRIBED_FILTERS];
} cl_description;

typedef struct {
    uint64_t index, at;
    uint32_t bytes, mask;
} cl_described_chunk;

/* Sets what is `bytes` long and begins with this head to zero, then magic, size and
 * file. */
void cl_described_head_init(cl_described_head *head, size_t bytes,
                            const struct stat *file);
/* Makes it the description of an error. */
void cl_described_head_fail(cl_described_head *head, const cl_error *err);
/* The described error, where it is one, with nothing but plain text; CLAST_ENOTSUP:
 * another version said it; CLAST_EFORMAT, and CLAST_EIO of another file than this. */
clast_status cl_described_head_check(const cl_described_head *head, size_t bytes,
                                     const struct stat *file, cl_error *err);
/* What a file is told apart by. */
void cl_description_file(uint64_t number[5], const struct stat *file);

/* What the checks yield. */
typedef struct {
    cl_convert convert;
    cl_shape shape;
    cl_filters filters;
    uint64_t chunk_bytes; /* 0: no chunks */
    uint64_t grid;        /* places for chunks */
} cl_described;

/* CLAST_EFORMAT where it is not in itself consistent, or not of this file;
 * CLAST_ENOTSUP for filters and sizes that are not read from untrusted files; the
 * described error where it is one. */
clast_status cl_description_check(const cl_description *d, const struct stat *file,
                                  cl_described *result, cl_error *err);
/* One chunk, which follows `last` (NULL: the first). */
clast_status cl_described_chunk_check(const cl_description *d, const cl_described *r,
                                      const struct stat *file,
                                      const cl_described_chunk *last,
                                      const cl_described_chunk *chunk, cl_error *err);

/* By its index in the grid; NULL: it was never written. O(log n). */
const cl_described_chunk *cl_described_chunk_find(const cl_described_chunk *chunk,
                                                  uint64_t n, uint64_t index);

#endif
