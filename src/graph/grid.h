/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numeric grids: the shape of every kernel call, as a function of shape, element size,
 * storage chunks and the target of --block only (docs/numeric-grids.md has the rules
 * and the golden tables, tests/test_grid_rule.c holds them).
 *
 * Grids whose parts are unequal own their cuts in the arena that is passed. All
 * functions return CLAST_ENOMEM or CLAST_OK.
 */
#ifndef CL_GRAPH_GRID_H
#define CL_GRAPH_GRID_H

#include "base/alloc.h"
#include "base/view.h"

/* Without storage chunks: the last two axes grow as a square, in multiples of 64, then
 * the others from last to first. */
cl_grid cl_grid_default(const cl_shape *shape, size_t element, uint64_t target);
/* The same for an array that is gone through in C order: whole rows, as long as a tile
 * has 32 of them. */
cl_grid cl_grid_rows(const cl_shape *shape, size_t element, uint64_t target);

/* With storage chunks: small chunks grouped, large ones cut unless filtered. */
clast_status cl_grid_storage(cl_arena *arena, const cl_shape *shape,
                             const int64_t *chunk, bool is_filtered, size_t element,
                             uint64_t target, cl_grid *grid);

/* Merges or cuts tiles until they have between target / 2 and 2 * target bytes. */
clast_status cl_grid_fit(cl_arena *arena, cl_grid *grid, size_t element,
                         uint64_t target);
/* Only cuts, and only axes whose bit is set in `axes`, until a tile has at most `most`
 * elements. */
clast_status cl_grid_cut(cl_arena *arena, cl_grid *grid, uint32_t axes, int64_t most);

/* The parts of [0, a->n) that lie in [lo, lo + n), counted from lo. */
clast_status cl_axis_window(cl_arena *arena, const cl_axis *a, int64_t lo, int64_t n,
                            cl_axis *out);
/* Cuts of [0, n) where off + step * i crosses a cut of `a`. */
clast_status cl_axis_project(cl_arena *arena, const cl_axis *a, int64_t off,
                             int64_t step, int64_t n, cl_axis *out);
/* Merges parts shorter than `least` and cuts those longer than `most`. */
clast_status cl_axis_settle(cl_arena *arena, const cl_axis *a, int64_t least,
                            int64_t most, cl_axis *out);
/* n axes one after another: all parts of the first, then of the second, ... */
clast_status cl_axis_chain(cl_arena *arena, uint32_t n, const cl_axis *axes,
                           cl_axis *out);
int64_t cl_axis_largest(const cl_axis *a);

#endif
