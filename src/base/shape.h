/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shapes, boxes and grids: the integers of an index space.
 *
 * Rank 0 to CLAST_MAXDIM; zero-length axes are legal everywhere. One axis of a shape
 * may be CL_UNKNOWN until a counting segment ran. A box is lo[a] <= i[a] < lo[a] +
 * n[a]. A grid cuts each axis into consecutive parts
 * ("tiles" are the outer product, numbered in C order); a zero-length axis has no
 * parts, so no tiles.
 */
#ifndef CL_BASE_SHAPE_H
#define CL_BASE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "clast/types.h"

#define CL_MAXDIM  CLAST_MAXDIM
#define CL_UNKNOWN ((int64_t)-1)

typedef struct {
    int ndim;
    int64_t dim[CL_MAXDIM];
} cl_shape;

typedef struct {
    int ndim;
    int64_t lo[CL_MAXDIM], n[CL_MAXDIM];
} cl_box;

/* One axis of a grid: `count` parts covering [0, n). cuts NULL: all of length `size`
 * but the last; else part i is [cuts[i], cuts[i + 1]), count + 1 ascending numbers,
 * memory of whoever owns the grid. No part is empty. */
typedef struct {
    int64_t n, size, count;
    const int64_t *cuts;
} cl_axis;

typedef struct {
    int ndim;
    cl_axis axis[CL_MAXDIM];
} cl_grid;

cl_shape cl_shape_of(int ndim, const int64_t *dim);
bool cl_shape_equal(const cl_shape *a, const cl_shape *b);
bool cl_shape_is_known(const cl_shape *s);
/* Product of the extents; false where it overflows int64 or an extent is unknown. A
 * zero extent gives 0. */
bool cl_shape_count(const cl_shape *s, int64_t *count);
/* Broadcast of two shapes; false where they do not fit. An unknown extent fits 1 only:
 * two unknown ones need not agree. */
bool cl_shape_broadcast(const cl_shape *a, const cl_shape *b, cl_shape *out);
/* "(3, 4)", "(5,)", "()" as Python writes it; returns text. */
const char *cl_shape_text(const cl_shape *s, char *text, size_t size);

cl_box cl_box_whole(const cl_shape *s);
int64_t cl_box_count(
    const cl_box *b); /* elements; a box never overflows, its shape was checked */
bool cl_box_intersect(const cl_box *a, const cl_box *b, cl_box *out); /* false: empty */

/* Every step[a]-th index along each axis: those that are first[a] + k * step[a] for any
 * integer k. Steps are >= 1. */
typedef struct {
    int64_t first[CL_MAXDIM], step[CL_MAXDIM];
} cl_lattice;

cl_lattice cl_lattice_all(void);
/* The lattice's first index on the axis that is not below `at`. */
int64_t cl_lattice_next(const cl_lattice *l, int axis, int64_t at);
bool cl_lattice_meets(const cl_lattice *l, const cl_box *box);

cl_axis cl_axis_regular(int64_t n, int64_t size);
int64_t cl_axis_lo(const cl_axis *a, int64_t part);
int64_t cl_axis_hi(const cl_axis *a, int64_t part);
int64_t cl_axis_find(const cl_axis *a, int64_t i); /* the part that holds 0 <= i < n */

int64_t cl_grid_tiles(const cl_grid *g);
cl_grid cl_grid_single(const cl_shape *s); /* one tile (none for a zero-length axis) */
cl_shape cl_grid_shape(const cl_grid *g);
void cl_grid_coords(const cl_grid *g, int64_t tile, int64_t *coords);
int64_t cl_grid_tile(const cl_grid *g, const int64_t *coords);
cl_box cl_grid_box(const cl_grid *g, int64_t tile);
int64_t cl_grid_largest(const cl_grid *g); /* elements of the largest possible tile */
bool cl_grid_equal(const cl_grid *a, const cl_grid *b);

#endif
