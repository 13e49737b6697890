/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Grids: axes cut into consecutive parts, tiles as their outer product.
 *
 * An axis is regular (one size, the last part may be short) or a list of cuts. Finding
 * the part of an index is a division or a bisection; tiles are numbered in C order of
 * their coordinates. The bisection takes the last cut that is not above the index, so
 * it also steps over empty parts, which concatenations have and grids do not.
 */
#include "base/shape.h"

#include <string.h>

cl_axis cl_axis_regular(int64_t n, int64_t size)
{
    if (n <= 0)
        return (cl_axis){.size = size > 0 ? size : 1};
    if (size <= 0 || size > n)
        size = n;
    return (cl_axis){.n = n, .size = size, .count = (n - 1) / size + 1};
}

int64_t cl_axis_lo(const cl_axis *a, int64_t part)
{
    return a->cuts ? a->cuts[part] : part * a->size;
}

int64_t cl_axis_hi(const cl_axis *a, int64_t part)
{
    if (a->cuts)
        return a->cuts[part + 1];
    return part + 1 < a->count ? (part + 1) * a->size : a->n;
}

int64_t cl_axis_find(const cl_axis *a, int64_t i)
{
    if (!a->cuts)
        return i / a->size;
    int64_t lo = 0, hi = a->count; /* cuts[lo] <= i < cuts[hi] */
    while (hi - lo > 1) {
        const int64_t middle = lo + (hi - lo) / 2;
        if (a->cuts[middle] <= i)
            lo = middle;
        else
            hi = middle;
    }
    return lo;
}

int64_t cl_grid_tiles(const cl_grid *g)
{
    int64_t tiles = 1;
    for (int a = 0; a < g->ndim; a++)
        tiles *= g->axis[a].count;
    return tiles;
}

cl_grid cl_grid_single(const cl_shape *s)
{
    cl_grid g = {.ndim = s->ndim};
    for (int a = 0; a < s->ndim; a++)
        g.axis[a] = cl_axis_regular(s->dim[a], s->dim[a]);
    return g;
}

cl_shape cl_grid_shape(const cl_grid *g)
{
    cl_shape s = {.ndim = g->ndim};
    for (int a = 0; a < g->ndim; a++)
        s.dim[a] = g->axis[a].n;
    return s;
}

void cl_grid_coords(const cl_grid *g, int64_t tile, int64_t *coords)
{
    for (int a = g->ndim - 1; a >= 0; a--) {
        coords[a] = tile % g->axis[a].count;
        tile /= g->axis[a].count;
    }
}

int64_t cl_grid_tile(const cl_grid *g, const int64_t *coords)
{
    int64_t tile = 0;
    for (int a = 0; a < g->ndim; a++)
        tile = tile * g->axis[a].count + coords[a];
    return tile;
}

cl_box cl_grid_box(const cl_grid *g, int64_t tile)
{
    cl_box b = {.ndim = g->ndim};
    int64_t coords[CL_MAXDIM];
    cl_grid_coords(g, tile, coords);
    for (int a = 0; a < g->ndim; a++) {
        b.lo[a] = cl_axis_lo(&g->axis[a], coords[a]);
        b.n[a] = cl_axis_hi(&g->axis[a], coords[a]) - b.lo[a];
    }
    return b;
}

static int64_t largest_part(const cl_axis *a)
{
    int64_t largest = 0;
    if (!a->cuts)
        return a->n < a->size ? a->n : a->size;
    for (int64_t i = 0; i < a->count; i++)
        if (a->cuts[i + 1] - a->cuts[i] > largest)
            largest = a->cuts[i + 1] - a->cuts[i];
    return largest;
}

int64_t cl_grid_largest(const cl_grid *g)
{
    int64_t largest = 1;
    for (int a = 0; a < g->ndim; a++)
        largest *= largest_part(&g->axis[a]);
    return largest;
}

/* Equal parts, however they are stored. */
static bool is_equal_axis(const cl_axis *a, const cl_axis *b)
{
    if (a->n != b->n || a->count != b->count)
        return false;
    if (!a->cuts && !b->cuts)
        return a->count <= 1 || a->size == b->size;
    for (int64_t i = 0; i < a->count; i++)
        if (cl_axis_lo(a, i) != cl_axis_lo(b, i))
            return false;
    return true;
}

bool cl_grid_equal(const cl_grid *a, const cl_grid *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (!is_equal_axis(&a->axis[i], &b->axis[i]))
            return false;
    return true;
}
