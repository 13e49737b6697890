/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numeric grids (rules: docs/numeric-grids.md).
 *
 * Everything is done one axis at a time on the two forms that an axis has: regular
 * (n, size), which costs nothing whatever the count, and explicit cuts, which appear
 * where a window does not begin at a chunk, a chunk is cut into unequal parts, or a map
 * has a step. After each operation cuts that turn out regular go back to the short
 * form, so equal grids have equal records.
 */
#include "graph/grid.h"

#include <string.h>

enum {
    QUANTUM = 64, /* default tiles are multiples of it: vectors, cache lines, BLAS */
    ROWS = 32     /* that a tile of rows has at least */
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

int64_t cl_axis_largest(const cl_axis *a)
{
    if (!a->cuts)
        return a->count > 0 ? (a->size < a->n ? a->size : a->n) : 0;
    int64_t most = 0;
    for (int64_t i = 0; i < a->count; i++)
        if (a->cuts[i + 1] - a->cuts[i] > most)
            most = a->cuts[i + 1] - a->cuts[i];
    return most;
}

/* Takes cuts (count + 1 of them) over; regular ones become a regular axis. */
static cl_axis axis_of_cuts(const int64_t *cuts, int64_t count)
{
    const int64_t n = count > 0 ? cuts[count] : 0;
    if (count == 0)
        return cl_axis_regular(0, 1);
    const int64_t size = cuts[1];
    bool is_regular = cuts[count] - cuts[count - 1] <= size;
    for (int64_t i = 1; is_regular && i < count; i++)
        is_regular = cuts[i] == i * size;
    if (is_regular)
        return cl_axis_regular(n, size);
    return (cl_axis){.n = n, .size = 0, .count = count, .cuts = cuts};
}

static int64_t *new_cuts(cl_arena *arena, int64_t count)
{
    return cl_arena_array(arena, (size_t)count + 1, sizeof(int64_t));
}

/* A tile of about `want` on an axis of n: parts as equal as multiples of 64 allow. */
static int64_t even_size(int64_t n, int64_t want)
{
    if (n <= want)
        return n > 0 ? n : 1;
    if (want < QUANTUM)
        return want > 0 ? want : 1;
    const int64_t most = want / QUANTUM * QUANTUM;
    const int64_t even = ceil_div(n, ceil_div(n, most));
    return ceil_div(even, QUANTUM) * QUANTUM;
}

/* The largest s with s * s <= v. */
static int64_t square_root(int64_t v)
{
    int64_t lo = 0, hi = INT64_C(3037000499);
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo + 1) / 2;
        if (mid <= v / (mid > 0 ? mid : 1))
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* Of the last two axes: `left` elements, rows of up to `row` even where a square has
 * shorter ones (0: none has). */
static void cut_rows(int64_t rows, int64_t columns, int64_t left, int64_t row,
                     int64_t *size)
{
    const int64_t side = square_root(left);
    const bool is_square = row <= side;
    if (columns <= (is_square ? side : row)) {
        size[1] = even_size(columns, left);
        size[0] = even_size(rows, left / size[1]);
    } else if (is_square && rows <= side) {
        size[0] = even_size(rows, left);
        size[1] = even_size(columns, left / size[0]);
    } else {
        size[1] = even_size(columns, is_square ? side : row);
        size[0] = even_size(rows, is_square ? side : left / size[1]);
    }
}

static cl_grid grid_of(const cl_shape *shape, size_t element, uint64_t target,
                       int64_t row)
{
    cl_grid g = {.ndim = shape->ndim};
    int64_t left =
        (int64_t)(target / element); /* elements that a tile may still have */
    if (left < 1)
        left = 1;
    int64_t size[CL_MAXDIM];
    for (int a = 0; a < shape->ndim; a++)
        size[a] = 1;
    int a = shape->ndim - 1;
    if (a >= 1) {
        cut_rows(shape->dim[a - 1], shape->dim[a], left, row, &size[a - 1]);
        left /= size[a] * size[a - 1];
        a -= 2;
    }
    for (; a >= 0; a--) {
        const int64_t want = left > 0 ? left : 1;
        const int64_t n = shape->dim[a];
        size[a] = n <= want                    ? (n > 0 ? n : 1)
                  : a == 0 && shape->ndim == 1 ? even_size(n, want)
                                               : ceil_div(n, ceil_div(n, want));
        left /= size[a];
    }
    for (a = 0; a < shape->ndim; a++)
        g.axis[a] = cl_axis_regular(shape->dim[a], size[a]);
    return g;
}

cl_grid cl_grid_default(const cl_shape *shape, size_t element, uint64_t target)
{
    return grid_of(shape, element, target, 0);
}

cl_grid cl_grid_rows(const cl_shape *shape, size_t element, uint64_t target)
{
    return grid_of(shape, element, target, (int64_t)(target / ROWS / element));
}

/* Merges neighbours in pairs. */
static clast_status merge_pairs(cl_arena *arena, cl_axis *a)
{
    if (!a->cuts) {
        *a = cl_axis_regular(a->n, a->size > a->n / 2 ? a->n : 2 * a->size);
        return CLAST_OK;
    }
    const int64_t count = ceil_div(a->count, 2);
    int64_t *const cuts = new_cuts(arena, count);
    if (!cuts)
        return CLAST_ENOMEM;
    for (int64_t i = 0; i < count; i++)
        cuts[i] = a->cuts[2 * i];
    cuts[count] = a->n;
    *a = axis_of_cuts(cuts, count);
    return CLAST_OK;
}

/* Cuts each part into pieces of at most `most`, as equal as can be. */
static clast_status cut_parts(cl_arena *arena, cl_axis *a, int64_t most)
{
    const int64_t pieces = a->cuts ? 0 : ceil_div(cl_axis_largest(a), most);
    if (!a->cuts && (a->size % pieces == 0 || a->count == 1)) {
        *a = cl_axis_regular(a->n, ceil_div(cl_axis_largest(a), pieces));
        return CLAST_OK;
    }
    int64_t count = 0;
    for (int64_t i = 0; i < a->count; i++)
        count += ceil_div(cl_axis_hi(a, i) - cl_axis_lo(a, i), most);
    int64_t *const cuts = new_cuts(arena, count);
    if (!cuts)
        return CLAST_ENOMEM;
    int64_t at = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const int64_t lo = cl_axis_lo(a, i), hi = cl_axis_hi(a, i);
        const int64_t size = ceil_div(hi - lo, ceil_div(hi - lo, most));
        for (int64_t c = lo; c < hi; c += size)
            cuts[at++] = c;
    }
    cuts[at] = a->n;
    *a = axis_of_cuts(cuts, at);
    return CLAST_OK;
}

clast_status cl_grid_cut(cl_arena *arena, cl_grid *grid, uint32_t axes, int64_t most)
{
    while (cl_grid_largest(grid) > most) {
        int longest = -1;
        int64_t extent = 1;
        for (int a = 0; a < grid->ndim; a++) {
            const int64_t part = cl_axis_largest(&grid->axis[a]);
            if (axes >> a & 1 && part > extent) {
                longest = a;
                extent = part;
            }
        }
        if (longest < 0)
            return CLAST_OK;
        CL_TRY(cut_parts(arena, &grid->axis[longest], ceil_div(extent, 2)));
    }
    return CLAST_OK;
}

static clast_status grow(cl_arena *arena, cl_grid *grid, int64_t least)
{
    while (cl_grid_largest(grid) < least) {
        int shortest = -1;
        int64_t extent = INT64_MAX;
        for (int a = grid->ndim - 1; a >= 0; a--) {
            const int64_t part = cl_axis_largest(&grid->axis[a]);
            if (grid->axis[a].count > 1 && part < extent) {
                shortest = a;
                extent = part;
            }
        }
        if (shortest < 0)
            return CLAST_OK;
        CL_TRY(merge_pairs(arena, &grid->axis[shortest]));
    }
    return CLAST_OK;
}

static int64_t elements(uint64_t bytes, size_t element)
{
    const uint64_t n = bytes / element;
    return n > INT64_MAX ? INT64_MAX : n > 0 ? (int64_t)n : 1;
}

clast_status cl_grid_fit(cl_arena *arena, cl_grid *grid, size_t element,
                         uint64_t target)
{
    CL_TRY(cl_grid_cut(arena, grid, UINT32_MAX, elements(2 * target, element)));
    if (cl_grid_tiles(grid) <= 1)
        return CLAST_OK;
    return grow(arena, grid, elements((target + 1) / 2, element));
}

clast_status cl_grid_storage(cl_arena *arena, const cl_shape *shape,
                             const int64_t *chunk, bool is_filtered, size_t element,
                             uint64_t target, cl_grid *grid)
{
    *grid = (cl_grid){.ndim = shape->ndim};
    for (int a = 0; a < shape->ndim; a++)
        grid->axis[a] = cl_axis_regular(shape->dim[a], chunk[a] > 0 ? chunk[a] : 1);
    if (cl_grid_tiles(grid) == 0)
        return CLAST_OK;
    if (!is_filtered)
        CL_TRY(cl_grid_cut(arena, grid, UINT32_MAX, elements(2 * target, element)));
    return grow(arena, grid, elements((target + 1) / 2, element));
}

clast_status cl_axis_window(cl_arena *arena, const cl_axis *a, int64_t lo, int64_t n,
                            cl_axis *out)
{
    return cl_axis_project(arena, a, lo, 1, n, out);
}

/* The smallest i at which off + step * i is in another part than before: floor and
 * ceiling divisions of possibly negative numbers. */
static int64_t crossing(int64_t cut, int64_t off, int64_t step)
{
    const int64_t d = step > 0 ? cut - off : off - cut;
    const int64_t s = step > 0 ? step : -step;
    const int64_t floor = d >= 0 ? d / s : -ceil_div(-d, s);
    return step < 0 ? floor + 1 : floor * s == d ? floor : floor + 1;
}

clast_status cl_axis_project(cl_arena *arena, const cl_axis *a, int64_t off,
                             int64_t step, int64_t n, cl_axis *out)
{
    if (n == 0 || a->count == 0) {
        *out = cl_axis_regular(n, n > 0 ? n : 1);
        return CLAST_OK;
    }
    if (!a->cuts && off == 0 && step == 1) {
        *out = cl_axis_regular(n, a->size < n ? a->size : n);
        return CLAST_OK;
    }
    const int64_t last = off + step * (n - 1);
    const int64_t from = cl_axis_find(a, step > 0 ? off : last);
    const int64_t to = cl_axis_find(a, step > 0 ? last : off);
    int64_t *const cuts = new_cuts(arena, to - from + 1);
    if (!cuts)
        return CLAST_ENOMEM;
    int64_t count = 0; /* cuts[0] = 0 */
    for (int64_t i = from; i < to; i++) {
        const int64_t part = step > 0 ? i : to - 1 - (i - from);
        const int64_t c = crossing(cl_axis_hi(a, part), off, step);
        if (c > cuts[count] && c < n)
            cuts[++count] = c;
    }
    cuts[++count] = n;
    *out = axis_of_cuts(cuts, count);
    return CLAST_OK;
}

clast_status cl_axis_settle(cl_arena *arena, const cl_axis *a, int64_t least,
                            int64_t most, cl_axis *out)
{
    *out = *a;
    if (cl_axis_largest(out) > most)
        CL_TRY(cut_parts(arena, out, most));
    while (out->count > 1 && cl_axis_largest(out) < least)
        CL_TRY(merge_pairs(arena, out));
    return CLAST_OK;
}

clast_status cl_axis_chain(cl_arena *arena, uint32_t n, const cl_axis *axes,
                           cl_axis *out)
{
    int64_t count = 0, at = 0, length = 0;
    for (uint32_t i = 0; i < n; i++)
        count += axes[i].count;
    int64_t *const cuts = new_cuts(arena, count);
    if (!cuts)
        return CLAST_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        for (int64_t p = 0; p < axes[i].count; p++)
            cuts[at++] = length + cl_axis_lo(&axes[i], p);
        length += axes[i].n;
    }
    cuts[count] = length;
    *out = axis_of_cuts(cuts, count);
    return CLAST_OK;
}
