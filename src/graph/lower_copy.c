/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Staging: whether tasks read the tiles of another grid directly or a copy of them.
 *
 * Directly is cheapest: what is read is read once, as long as the tasks that share
 * tiles follow each other. So a copy is put between only where
 *   - a task and what it gathers would not fit into the budget,
 *   - it would gather many tiles and little of each (more than CL_MAX_PIECES of them
 *     for pieces below LEAST_PIECE bytes), or
 *   - it gathers more than 16 T and four times what it wants, nobody can say in which
 *     order tasks run, and the whole tensor does not fit: tiles would be read again and
 *     again.
 * Of several operands the one that gathers most for nothing is copied first.
 *
 * Axis by axis a copy's tiles are the shorter of both grids', doubled while they have
 * less than T/32 or a reader would gather too many of them (and more than a copy
 * gathers), as far as both sides then fit into the budget: the plan of Rechunker
 * (rechunker.readthedocs.io, "Algorithm"). All copies run at once, in the order of what
 * they read: each source tile is read once, and where the copy does not fit in memory
 * it is written and read once. Where that leaves crumbs, two copies share the way.
 *
 * Copies change no value, so no bits; therefore they alone may depend on the budget.
 * Broadcast operands are never copied: they would become as large as the space.
 */
#include "graph/draft.h"
#include "graph/grid.h"

#include <math.h>
#include <string.h>

enum { MOST_TILES = 16, LEAST_PIECE = 16384, MOST_DEPTH = 3, SAMPLED_PARTS = 1024 };

/* Bytes that a task may have in memory: a sixteenth of the budget is for the plan, its
 * tables and loads under way. Without a budget sixteen tiles. */
static double room(const cl_draft *d)
{
    const uint64_t pages =
        d->settings.copy_pages ? d->settings.copy_pages : d->settings.budget_pages;
    if (pages == 0)
        return MOST_TILES * (double)cl_draft_target(d);
    return (double)pages * CL_PAGE * 15 / 16;
}

bool cl_lower_exceeds(cl_draft *d, double bytes, double most)
{
    d->plan->is_bent = d->plan->is_bent || bytes > most;
    return bytes > most;
}

double cl_lower_room(const cl_draft *d, const cl_reading *r)
{
    const int workers = d->settings.workers > 1 ? d->settings.workers : 1;
    const double left = room(d) - workers * (double)r->bytes;
    return left > 0 ? left : 0;
}

/* The tensor that the view reads through at most one map, and that map. */
static const cl_tensor *tensor_below(const cl_draft *d, uint32_t view, cl_map *map)
{
    const cl_view *v = &d->view[view];
    *map = cl_map_identity(v->shape.ndim);
    if (v->kind == CL_VIEW_MAP) {
        *map = v->map;
        v = &d->view[v->child];
    }
    if (v->kind != CL_VIEW_TENSOR || d->tensor[v->tensor].strided)
        return NULL;
    return &d->tensor[v->tensor];
}

/* ---- how two grids lie to each other --------------------------------------------- */

/* In the space of the reader; axes that the map does not reach have 1. */
typedef struct {
    double from[CL_MAXDIM], to[CL_MAXDIM]; /* longest tiles */
    double tile;                           /* bytes of the largest tile that is read */
    double tiles, gathered, wanted;        /* of the neediest task: count, bytes */
    bool is_copyable;
} fit;

/* Tiles of `from`, and their length in all, that a part of `to` meets at most. Grids
 * repeat themselves, so the first parts and the last one tell. */
static void meet(const cl_axis *from, int64_t off, int64_t step, const cl_axis *to,
                 double *tiles, double *length)
{
    *tiles = *length = 1;
    for (int64_t p = 0; p < to->count; p++) {
        if (p == SAMPLED_PARTS)
            p = to->count - 1;
        const int64_t a = off + step * cl_axis_lo(to, p);
        const int64_t b = off + step * (cl_axis_hi(to, p) - 1);
        const int64_t lo = cl_axis_find(from, a < b ? a : b);
        const int64_t hi = cl_axis_find(from, a < b ? b : a);
        const double length_here =
            (double)(cl_axis_hi(from, hi) - cl_axis_lo(from, lo));
        *tiles = *tiles > (double)(hi - lo + 1) ? *tiles : (double)(hi - lo + 1);
        *length = *length > length_here ? *length : length_here;
    }
}

static fit fit_of(const cl_draft *d, uint32_t view, const cl_grid *to)
{
    fit f = {.tiles = 1};
    cl_map map;
    const cl_tensor *const t = tensor_below(d, view, &map);
    if (!t)
        return f;
    const double element = (double)clast_dtype_size(t->dtype);
    f.is_copyable = cl_map_is_injective(&map, &d->view[view].shape);
    f.tile = f.gathered = f.wanted = element;
    for (int s = 0; s < to->ndim; s++) {
        f.from[s] = f.to[s] = 1;
        f.wanted *= (double)cl_axis_largest(&to->axis[s]);
    }
    for (int a = 0; a < map.nin; a++) {
        const cl_axis *const axis = &t->grid.axis[a];
        const int s = map.src[a];
        double tiles = 1, length = (double)cl_axis_largest(axis);
        f.tile *= length;
        if (s >= 0) {
            const double step = fabs((double)map.step[a]);
            f.from[s] = length / step > 1 ? length / step : 1;
            f.to[s] = (double)cl_axis_largest(&to->axis[s]);
            meet(axis, map.off[a], map.step[a], &to->axis[s], &tiles, &length);
        }
        f.tiles *= tiles;
        f.gathered *= length;
    }
    return f;
}

static bool is_scattered(const fit *f)
{
    return f->tiles > CL_MAX_PIECES && f->wanted < f->tiles * LEAST_PIECE;
}

/* ---- the grid between ------------------------------------------------------------ */

/* The axis on which sizes are shortest compared with the longer of both grids' (or with
 * the reader's only); -1: on none. */
static int shortest(const fit *f, const double *size, int ndim, bool of_reader,
                    uint32_t closed)
{
    int best = -1;
    double least = 1;
    for (int s = 0; s < ndim; s++) {
        const double most = f->from[s] > f->to[s] && !of_reader ? f->from[s] : f->to[s];
        if (!(closed >> s & 1) && most / size[s] > least) {
            least = most / size[s];
            best = s;
        }
    }
    return best;
}

typedef struct {
    double elements, read, gathered; /* of a copy; copies a reader; tiles a copy */
} measure;

static measure measured(const fit *f, const double *size, int ndim)
{
    measure m = {1, 1, 1};
    for (int s = 0; s < ndim; s++) {
        m.elements *= size[s];
        m.read *= ceil(f->to[s] / size[s]);
        m.gathered *= ceil(size[s] / f->from[s]);
    }
    return m;
}

/* Sizes of a copy's tiles; `most`: bytes of copies that a reader may gather. */
static measure between(cl_draft *d, const fit *f, int ndim, double element, double most,
                       double *size)
{
    const double least = (double)cl_draft_target(d) / 32 / element;
    uint32_t closed = 0;
    for (int s = 0; s < ndim; s++)
        size[s] = floor(f->from[s] < f->to[s] ? f->from[s] : f->to[s]);
    measure now = measured(f, size, ndim);
    for (;;) {
        const bool is_many = now.read > CL_MAX_PIECES && now.gathered < now.read;
        if (!is_many && now.elements >= least)
            return now;
        const int s = shortest(f, size, ndim, is_many, closed);
        if (s < 0)
            return now;
        size[s] *= 2;
        const measure next = measured(f, size, ndim);
        if (d->settings.budget_pages > 0 &&
            (cl_lower_exceeds(d, next.gathered * f->tile + 2 * next.elements * element,
                              room(d)) ||
             cl_lower_exceeds(d, next.read * next.elements * element, most))) {
            size[s] /= 2;
            closed |= 1u << s;
        } else {
            now = next;
        }
    }
}

static cl_grid grid_of(const cl_shape *space, const double *size)
{
    cl_grid g = cl_grid_single(space);
    for (int s = 0; s < space->ndim; s++) {
        const int64_t n = space->dim[s];
        const bool is_cut = size[s] < (double)n;
        g.axis[s] = cl_axis_regular(n, is_cut ? (int64_t)size[s] : n);
    }
    return g;
}

clast_status cl_lower_copy(cl_draft *d, uint32_t node, clast_dtype dtype,
                           const cl_grid *grid, const cl_grid *order, uint32_t *view)
{
    uint32_t tensor, stage;
    CL_TRY(cl_draft_tensor(d, dtype, grid, 0, 1, &tensor));
    CL_TRY(cl_lower_tiles(d, tensor, 0));
    uint8_t *const input = cl_arena_alloc(&d->plan->arena, 1);
    const uint32_t *const views = cl_lower_views(d, 1, view);
    if (!input || !views)
        return cl_draft_nomem(d);
    *input = (uint8_t)dtype;
    const cl_stage s = {
        .kind = CL_STAGE_MAP,
        .label = "copy",
        .node = node,
        .dtype = dtype,
        .out = tensor,
        .nview = 1,
        .view = views,
        .program = {.ndim = grid->ndim, .ninput = 1, .input_dtype = input},
        .space = *grid,
        .cost = 2 * (double)cl_grid_largest(grid),
        .tasks = (uint64_t)cl_grid_tiles(grid)};
    CL_TRY(cl_lower_stage(d, &s, CL_NONE, &stage));
    cl_lower_walk(d, stage, order, grid, 0);
    d->walk[stage].is_barrier = order != NULL;
    CL_TRY(cl_lower_grid(d, grid, 1, view, tensor));
    return cl_draft_view_tensor(d, tensor, view);
}

/* ---- the decision ---------------------------------------------------------------- */

static clast_status stage(cl_draft *d, const cl_reading *r, double most, int depth,
                          uint32_t *view)
{
    cl_map map;
    const cl_tensor *const t = tensor_below(d, *view, &map);
    const clast_dtype dtype = t->dtype;
    const double element = (double)clast_dtype_size(dtype);
    const cl_shape space = d->view[*view].shape;
    const fit f = fit_of(d, *view, r->grid);
    const cl_grid order = grid_of(&space, f.from);
    double size[CL_MAXDIM];
    const measure m = between(d, &f, space.ndim, element, most, size);
    const bool is_crumbs = m.elements * element < (double)cl_draft_target(d) / 256 &&
                           m.read > CL_MAX_PIECES && depth < MOST_DEPTH;
    if (!is_crumbs) {
        const cl_grid copies = grid_of(&space, size);
        return cl_lower_copy(d, r->node, dtype, &copies, &order, view);
    }
    for (int s = 0; s < space.ndim; s++) /* half the way, in logarithms */
        size[s] = floor(sqrt(f.from[s] * f.to[s]));
    const cl_grid half = grid_of(&space, size);
    const cl_reading on_the_way = {.node = r->node,
                                   .grid = &half,
                                   .bytes = (uint64_t)cl_grid_largest(&half) *
                                            (uint64_t)element};
    CL_TRY(stage(d, &on_the_way, cl_lower_room(d, &on_the_way), depth + 1, view));
    const fit rest = fit_of(d, *view, &half);
    const cl_grid copies = grid_of(&space, rest.from);
    CL_TRY(cl_lower_copy(d, r->node, dtype, &half, &copies, view));
    return stage(d, r, most, depth + 1, view);
}

/* Whether tiles would be read again and again, as tasks come in no useful order. */
static bool is_unordered(cl_draft *d, cl_reading *r, uint32_t view, const fit *f)
{
    if (!f->is_copyable || f->gathered <= 4 * f->wanted)
        return false;
    cl_map map;
    const cl_tensor *const t = tensor_below(d, view, &map);
    const cl_grid order = grid_of(&d->view[view].shape, f->from);
    if (r->is_walked && (!r->has_order || cl_grid_equal(&r->order, &order))) {
        r->order = order;
        r->has_order = true;
        return false;
    }
    double whole = (double)clast_dtype_size(t->dtype);
    for (int a = 0; a < t->grid.ndim; a++)
        whole *= (double)t->grid.axis[a].n;
    return f->gathered > MOST_TILES * (double)cl_draft_target(d) &&
           cl_lower_exceeds(d, whole, cl_lower_room(d, r) / 2);
}

/* Bytes that the first, the middle and the last task read, whichever reads most. What
 * several operands read counts once. */
static clast_status sampled(cl_draft *d, const cl_grid *grid, uint32_t n,
                            const uint32_t *views, double *most)
{
    const int64_t tiles = cl_grid_tiles(grid), at[3] = {0, tiles / 2, tiles - 1};
    int64_t blocks;
    *most = 0;
    for (int i = 0; i < 3; i++) {
        const cl_box box = cl_grid_box(grid, at[i]);
        d->nread = 0;
        for (uint32_t v = 0; v < n; v++)
            CL_TRY(cl_lower_read(d, views[v], &box));
        const double bytes = (double)cl_lower_read_bytes(d, &blocks);
        *most = bytes > *most ? bytes : *most;
    }
    return CLAST_OK;
}

/* Copies what gathers most for nothing until a task fits. */
static clast_status fit_budget(cl_draft *d, const cl_reading *r, uint32_t n,
                               uint32_t *views)
{
    const double most = cl_lower_room(d, r);
    for (uint32_t copied = 0; copied < n; copied++) {
        double all = 0, gain = 0, rest;
        uint32_t which = n;
        for (uint32_t i = 0; i < n; i++) {
            const fit f = fit_of(d, views[i], r->grid);
            all += f.gathered;
            if (f.is_copyable && f.gathered - 2 * f.wanted > gain) {
                gain = f.gathered - 2 * f.wanted;
                which = i;
            }
        }
        if (all <= most || which == n)
            return CLAST_OK;
        CL_TRY(sampled(d, r->grid, n, views, &all));
        if (!cl_lower_exceeds(d, all, most))
            return CLAST_OK;
        const fit f = fit_of(d, views[which], r->grid);
        rest = most - all + f.gathered;
        CL_TRY(stage(d, r, rest > f.wanted ? rest : f.wanted, 0, &views[which]));
    }
    return CLAST_OK;
}

clast_status cl_lower_fitted(cl_draft *d, cl_reading *r, uint32_t n, uint32_t *views)
{
    if (cl_grid_tiles(r->grid) == 0)
        return CLAST_OK;
    for (uint32_t i = 0; i < n; i++) {
        CL_TRY(cl_lower_gathered(d, r, &views[i]));
        const fit f = fit_of(d, views[i], r->grid);
        if (f.is_copyable && (is_scattered(&f) || is_unordered(d, r, views[i], &f)))
            CL_TRY(stage(d, r, cl_lower_room(d, r), 0, &views[i]));
    }
    return fit_budget(d, r, n, views);
}

clast_status cl_lower_staged(cl_draft *d, uint32_t node, const cl_grid *consumer,
                             uint32_t *view)
{
    cl_reading r = {.node = node, .grid = consumer};
    return cl_lower_fitted(d, &r, 1, view);
}
