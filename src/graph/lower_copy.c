/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Staging: copies between grids that fit each other badly.
 *
 * A task that would gather more than CL_MAX_PIECES tiles of one operand, or more than
 * 16 T of tiles and four times what it wants of them (rows stored, columns wanted),
 * reads a copy instead. Axis by axis the copy's tiles are the shorter of both grids',
 * doubled while they have less than T/32 or a reader would gather too many of them (and
 * more than a copy gathers). All copies run
 * at once, in the order of what they read: each source tile is read once, and where the
 * copy does not fit in memory it is written and read once.
 *
 * Reshapes read runs in C order. Where a few sampled tasks gather too many tiles or
 * short runs, what is reshaped is copied into *slabs* first (tiles that are contiguous
 * in C order), then the reshaped array too if its reader wants another grid.
 *
 * Copies change no value, so no bits; whether there is one depends on grids only.
 * Broadcast operands are never copied: they would become as large as the space.
 */
#include "graph/draft.h"
#include "graph/grid.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_TILES = 16, LEAST_RUN = 512, MOST_RUNS = 1 << 16 };

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

static bool is_too_much(const cl_draft *d, double gathered, double wanted)
{
    return gathered > MOST_TILES * (double)cl_draft_target(d) && gathered > 4 * wanted;
}

/* How the tiles of a tensor and those of its reader lie to each other, in the space of
 * the reader. Axes that the map does not reach have 1. */
typedef struct {
    double from[CL_MAXDIM], to[CL_MAXDIM];
} fit;

/* Whether the largest task would gather too much. */
static bool fits(const cl_draft *d, const cl_tensor *t, const cl_map *map,
                 const cl_grid *consumer, fit *f)
{
    const double element = (double)clast_dtype_size(t->dtype);
    double tiles = 1;
    for (int s = 0; s < consumer->ndim; s++)
        f->from[s] = f->to[s] = 1;
    for (int a = 0; a < map->nin; a++) {
        const int s = map->src[a];
        if (s < 0)
            continue;
        const double step = fabs((double)map->step[a]);
        const double from = (double)cl_axis_largest(&t->grid.axis[a]) / step;
        f->from[s] = from > 1 ? from : 1;
        f->to[s] = (double)cl_axis_largest(&consumer->axis[s]);
        tiles *= ceil(f->to[s] / f->from[s]);
    }
    const double gathered = tiles * (double)cl_grid_largest(&t->grid) * element;
    return tiles <= CL_MAX_PIECES &&
           !is_too_much(d, gathered, (double)cl_grid_largest(consumer) * element);
}

/* The axis on which sizes are shortest compared with the longer of both grids' (or with
 * the reader's only); -1: on none. */
static int shortest(const fit *f, const double *size, int ndim, bool of_reader)
{
    int best = -1;
    double room = 1;
    for (int s = 0; s < ndim; s++) {
        const double most = f->from[s] > f->to[s] && !of_reader ? f->from[s] : f->to[s];
        if (most / size[s] > room) {
            room = most / size[s];
            best = s;
        }
    }
    return best;
}

/* The grid of a copy between the two. */
static cl_grid between(const cl_draft *d, const fit *f, const cl_shape *space,
                       size_t element)
{
    const double least = (double)cl_draft_target(d) / 32 / (double)element;
    double size[CL_MAXDIM], elements = 1, read = 1, gathered = 1;
    for (int s = 0; s < space->ndim; s++) {
        size[s] = floor(f->from[s] < f->to[s] ? f->from[s] : f->to[s]);
        elements *= size[s];
        read *= ceil(f->to[s] / size[s]);
    }
    for (;;) {
        const bool is_many = read > CL_MAX_PIECES && gathered < read;
        const int s = shortest(f, size, space->ndim, is_many);
        if (s < 0 || (!is_many && elements >= least))
            break;
        gathered *= size[s] * 2 > f->from[s] ? 2 : 1;
        read /= ceil(f->to[s] / size[s]);
        size[s] *= 2;
        read *= ceil(f->to[s] / size[s]);
        elements *= 2;
    }
    cl_grid middle = cl_grid_single(space);
    for (int s = 0; s < space->ndim; s++) {
        const int64_t n = space->dim[s];
        middle.axis[s] = cl_axis_regular(n, size[s] < (double)n ? (int64_t)size[s] : n);
    }
    return middle;
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

/* ---- reshapes ------------------------------------------------------------------- */

/* Tiles that are contiguous in C order, of about T. */
static cl_grid slabs(const cl_draft *d, const cl_shape *shape, size_t element)
{
    int64_t left = (int64_t)(cl_draft_target(d) / element);
    cl_grid g = {.ndim = shape->ndim};
    for (int a = shape->ndim - 1; a >= 0; a--) {
        const int64_t n = shape->dim[a], size = n <= left ? n : left;
        g.axis[a] = cl_axis_regular(n, size > 0 ? size : 1);
        left = size < n ? 1 : left / (n > 0 ? n : 1);
    }
    return g;
}

typedef struct {
    cl_draft *d;
    int64_t runs;
    clast_dtype dtype;
} sample;

static clast_status count_piece(void *arg, const cl_piece *piece)
{
    sample *const s = arg;
    cl_draft *const d = s->d;
    const cl_tensor *const t = &d->tensor[piece->tensor];
    s->dtype = t->dtype;
    if (++s->runs > MOST_RUNS)
        return CLAST_ECANCELED;
    return t->strided ? CLAST_OK
                      : cl_lower_read_block(d, t->first_block + (uint32_t)piece->tile *
                                                                    t->block_step);
}

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Whether the first, middle or last task of a grid would gather too much through the
 * view. */
static clast_status is_heavy(cl_draft *d, uint32_t view, const cl_grid *grid,
                             bool *heavy, clast_dtype *dtype)
{
    const int64_t tiles = cl_grid_tiles(grid), at[3] = {0, tiles / 2, tiles - 1};
    *heavy = false;
    for (int i = 0; i < 3 && tiles > 0 && !*heavy; i++) {
        const cl_box box = cl_grid_box(grid, at[i]);
        sample s = {.d = d};
        d->nread = 0;
        const clast_status status =
            cl_view_pieces(d->view, d->tensor, view, &box, count_piece, &s);
        if (status != CLAST_OK && status != CLAST_ECANCELED)
            return status;
        if (d->nread > 1)
            qsort(d->read, d->nread, sizeof *d->read, ascending);
        double pages = 0;
        for (size_t k = 0; k < d->nread; k++)
            if (k == 0 || d->read[k] != d->read[k - 1])
                pages += d->block[d->read[k]].pages;
        d->nread = 0;
        const double wanted =
            (double)cl_box_count(&box) * (double)clast_dtype_size(s.dtype);
        *heavy = status == CLAST_ECANCELED || is_too_much(d, pages * CL_PAGE, wanted) ||
                 (s.runs > CL_MAX_PIECES && wanted / (double)s.runs < LEAST_RUN);
        *dtype = s.dtype;
    }
    return CLAST_OK;
}

static clast_status staged_reshape(cl_draft *d, uint32_t node, const cl_grid *consumer,
                                   uint32_t *view)
{
    const cl_view top = d->view[*view];
    uint32_t reshaped = top.kind == CL_VIEW_MAP ? top.child : *view;
    if (d->view[reshaped].kind != CL_VIEW_RESHAPE)
        return CLAST_OK;
    bool heavy;
    clast_dtype dtype;
    CL_TRY(is_heavy(d, *view, consumer, &heavy, &dtype));
    if (!heavy)
        return CLAST_OK;

    const size_t element = clast_dtype_size(dtype);
    const cl_shape shape = d->view[reshaped].shape;
    const cl_grid out = slabs(d, &shape, element);
    CL_TRY(is_heavy(d, reshaped, &out, &heavy, &dtype));
    if (heavy) {
        uint32_t child = d->view[reshaped].child;
        const cl_shape below = d->view[child].shape;
        const cl_grid in = slabs(d, &below, element);
        CL_TRY(cl_lower_staged(d, node, &in, &child));
        CL_TRY(cl_lower_copy(d, node, dtype, &in, NULL, &child));
        CL_TRY(cl_draft_view_reshape(d, child, &shape, &reshaped));
    }
    CL_TRY(cl_lower_copy(d, node, dtype, &out, NULL, &reshaped));
    *view = reshaped;
    if (top.kind == CL_VIEW_MAP)
        CL_TRY(cl_draft_view_map(d, reshaped, &top.map, &top.shape, view));
    return cl_lower_staged(d, node, consumer, view);
}

clast_status cl_lower_staged(cl_draft *d, uint32_t node, const cl_grid *consumer,
                             uint32_t *view)
{
    cl_map map;
    fit f;
    const cl_tensor *const t = tensor_below(d, *view, &map);
    const cl_shape space = d->view[*view].shape;
    if (cl_grid_tiles(consumer) == 0)
        return CLAST_OK;
    if (!t)
        return staged_reshape(d, node, consumer, view);
    if (!cl_map_is_injective(&map, &space) || fits(d, t, &map, consumer, &f))
        return CLAST_OK;
    const size_t element = clast_dtype_size(t->dtype);
    cl_grid from = cl_grid_single(&space);
    for (int s = 0; s < space.ndim; s++)
        if (f.from[s] < (double)space.dim[s])
            from.axis[s] = cl_axis_regular(space.dim[s], (int64_t)f.from[s]);
    const cl_grid middle = between(d, &f, &space, element);
    return cl_lower_copy(d, node, t->dtype, &middle, &from, view);
}
