/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Staging: a copy between two grids that fit each other badly.
 *
 * A task that would gather more than CL_MAX_PIECES tiles of one operand (rows stored,
 * columns wanted) reads a copy instead, whose tiles are the geometric mean of both,
 * axis by axis: with r tiles a task without it, there are about sqrt(r) in each of the
 * two steps. Copies change no value, so no bits; whether there is one depends on grids
 * only. Broadcast operands are never copied: they would become as large as the space.
 */
#include "graph/draft.h"
#include "graph/grid.h"

#include <math.h>

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

/* Tiles that the largest task gathers, and the grid between. */
static double between(const cl_tensor *t, const cl_map *map, const cl_shape *space,
                      const cl_grid *consumer, cl_grid *middle)
{
    double tiles = 1;
    *middle = cl_grid_single(space);
    for (int a = 0; a < map->nin; a++) {
        const int s = map->src[a];
        if (s < 0)
            continue;
        const double step =
            map->step[a] < 0 ? -(double)map->step[a] : (double)map->step[a];
        double from = (double)cl_axis_largest(&t->grid.axis[a]) / step;
        const double to = (double)cl_axis_largest(&consumer->axis[s]);
        from = from > 1 ? from : 1;
        tiles *= to > from ? ceil(to / from) : 1;
        double size = sqrt(from * to);
        if (size > from)
            size = floor(size / from) * from;
        middle->axis[s] = cl_axis_regular(space->dim[s], size > 1 ? (int64_t)size : 1);
    }
    return tiles;
}

clast_status cl_lower_staged(cl_draft *d, uint32_t node, const cl_grid *consumer,
                             uint32_t *view)
{
    cl_map map;
    cl_grid middle;
    const cl_tensor *const t = tensor_below(d, *view, &map);
    const cl_shape space = d->view[*view].shape;
    if (!t || cl_grid_tiles(consumer) == 0 || !cl_map_is_injective(&map, &space) ||
        between(t, &map, &space, consumer, &middle) <= CL_MAX_PIECES)
        return CLAST_OK;

    const clast_dtype dtype = t->dtype;
    uint32_t tensor, stage;
    CL_TRY(cl_draft_tensor(d, dtype, &middle, 0, 1, &tensor));
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
        .program = {.ndim = space.ndim, .ninput = 1, .input_dtype = input},
        .space = middle,
        .cost = 2 * (double)cl_grid_largest(&middle),
        .tasks = (uint64_t)cl_grid_tiles(&middle)};
    CL_TRY(cl_lower_stage(d, &s, CL_NONE, &stage));
    CL_TRY(cl_lower_grid(d, &middle, 1, view, tensor));
    return cl_draft_view_tensor(d, tensor, view);
}
