/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Index maps and views: how an element of one index space addresses another, without
 * moving anything.
 *
 * A *map* takes an output index to an input index: in[a] = off[a] + step[a] *
 * out[src[a]], or off[a] alone where src[a] is -1. Slices of either step, integers,
 * newaxis, transposes, flips and broadcasts are maps, and so is every composition of
 * them (docs/index-maps.md has the laws, tests/test_view.c tries them all on small
 * shapes). Normal form: step is 0 where src is -1, src is -1 where step is 0, and
 * everything beyond nin is zero. Each output axis should be the src of at most one
 * input axis (the public operations make no diagonals; pieces are right for them all
 * the same).
 *
 * A *view* is a node of a small tree in a flat table: blocks of a tensor at the leaves,
 * above them maps, concatenations and C-order reshapes. Asked for a box, it yields
 * *pieces*: sub-boxes that partition the box, each lying within one tile and addressed
 * by constant strides. Pieces are computed when a task starts, never stored.
 */
#ifndef CL_BASE_VIEW_H
#define CL_BASE_VIEW_H

#include "base/shape.h"

typedef struct {
    int nout, nin;
    int8_t src[CL_MAXDIM];
    int64_t off[CL_MAXDIM], step[CL_MAXDIM];
} cl_map;

cl_map cl_map_identity(int ndim);
cl_map cl_map_compose(const cl_map *outer,
                      const cl_map *inner); /* x -> inner(outer(x)) */
void cl_map_apply(const cl_map *m, const int64_t *out, int64_t *in);
/* The smallest box that holds the image of a box. Empty boxes give empty boxes, but for
 * an input of rank 0, whose one box has one element. */
cl_box cl_map_box(const cl_map *m, const cl_box *out);
bool cl_map_is_identity(const cl_map *m);
bool cl_map_equal(const cl_map *a, const cl_map *b);
/* No two output indices share an input index (no broadcast over an axis longer than 1
 * in `out`). */
bool cl_map_is_injective(const cl_map *m, const cl_shape *out);

/* An array that exists (or will) as tiles: what a view reads. */
typedef struct {
    clast_dtype dtype;
    cl_grid grid;
    uint32_t first_block, block_step; /* tile t is block first_block + t * block_step */
    bool strided; /* caller's memory: one tile, `stride` holds; otherwise a tile is
                     C-contiguous */
    int64_t stride[CL_MAXDIM]; /* bytes */
} cl_tensor;

typedef enum {
    CL_VIEW_TENSOR,
    CL_VIEW_MAP,
    CL_VIEW_CONCAT,
    CL_VIEW_RESHAPE
} cl_view_kind;

typedef struct {
    cl_view_kind kind;
    cl_shape shape;
    uint32_t tensor;          /* TENSOR: index into the tensor table */
    uint32_t child;           /* MAP, RESHAPE: index into the view table */
    cl_map map;               /* MAP */
    int axis;                 /* CONCAT */
    uint32_t nchild;          /* CONCAT */
    const uint32_t *children; /* CONCAT: view indices */
    const int64_t *starts;    /* CONCAT: nchild + 1 offsets along axis */
} cl_view;

typedef struct {
    cl_box out; /* part of the box that was asked for, in the view's coordinates */
    uint32_t tensor;
    int64_t tile;
    int64_t
        offset; /* bytes from the tile's first element to the element at out.lo; for a
                   strided tensor from its `data`; may be anything that stays inside */
    int64_t stride[CL_MAXDIM]; /* bytes per step along each axis of the view; 0 where it
                                  broadcasts */
} cl_piece;

typedef clast_status cl_piece_fn(void *arg, const cl_piece *piece);

/* Calls fn for each piece of `box`, in a fixed order; stops at the first status other
 * than CLAST_OK and returns it. An empty box has no pieces. */
clast_status cl_view_pieces(const cl_view *views, const cl_tensor *tensors,
                            uint32_t root, const cl_box *box, cl_piece_fn *fn,
                            void *arg);

#endif
