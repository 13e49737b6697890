/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The blocks of a map by a function of the caller (docs/numeric-grids.md).
 *
 * What such a function computes may depend on how its space is cut, so the cut is a
 * function of the expression, the storage chunks of what it reads and --block alone:
 * unlike the grids of elementwise programs it looks neither at sinks nor at which part
 * of a source others read. In this order: the chunks that were asked for; those of the
 * largest input that covers the space, found by going down from it, at an elementwise
 * operation to its largest operand, until something has tiles of its own; the default
 * tiling.
 */
#include "graph/draft.h"
#include "graph/grid.h"

static clast_status checked(cl_draft *d, clast_status status)
{
    return status == CLAST_OK ? CLAST_OK : cl_draft_nomem(d);
}

static uint64_t bytes_of(const cl_draft *d, uint32_t item)
{
    const cl_node *const node = &d->item[d->item[item].base].node;
    int64_t n;
    return cl_shape_count(&node->shape, &n)
               ? (uint64_t)n * clast_dtype_size((clast_dtype)node->dtype)
               : 0;
}

/* A rechunk's tiles. */
static cl_grid asked(const cl_shape *shape, const int64_t *chunk)
{
    cl_grid g = {.ndim = shape->ndim};
    for (int a = 0; a < shape->ndim; a++) {
        const int64_t n = shape->dim[a],
                      c = chunk[a] < 0 || chunk[a] > n ? n : chunk[a];
        g.axis[a] = cl_axis_regular(n, c > 0 ? c : 1);
    }
    return g;
}

/* The tiles that an item which is no elementwise operation has by itself. */
static clast_status own_grid(cl_draft *d, const cl_item *it, cl_grid *grid, bool *found)
{
    *found = true;
    if (it->node.op == CL_OP_USER) {
        *grid = d->tensor[it->tensor].grid;
        return CLAST_OK;
    }
    const cl_source_facts *const f =
        it->node.op == CL_OP_SOURCE ? &d->fact[it->node.params.source] : NULL;
    *found = f && (f->tiles || f->has_chunks);
    if (!*found)
        return CLAST_OK;
    if (f->tiles) {
        *grid = *f->tiles;
        return CLAST_OK;
    }
    return checked(d, cl_grid_storage(&d->plan->arena, &f->shape, f->chunk,
                                      f->is_filtered, clast_dtype_size(f->dtype),
                                      cl_draft_target(d), grid));
}

/* Goes down from an item that is read through a map. */
static clast_status follow(cl_draft *d, uint32_t item, const cl_map *from,
                           const cl_shape *space, cl_grid *grid, bool *found)
{
    cl_map map = *from;
    cl_grid g;
    for (;;) {
        const cl_item *const top = &d->item[item], *const it = &d->item[top->base];
        if (top->hint != CL_NONE) {
            const cl_node *const node = &d->item[top->hint].node;
            map = cl_map_compose(&map, &top->hint_map);
            g = asked(&node->shape, node->chunk);
            *found = true;
            break;
        }
        map = cl_map_compose(&map, &top->map);
        if (!cl_item_is_elementwise(it) || it->node.nin == 0) {
            CL_TRY(own_grid(d, it, &g, found));
            break;
        }
        item = it->in[0];
        for (uint32_t i = 1; i < it->node.nin; i++)
            if (bytes_of(d, it->in[i]) > bytes_of(d, item))
                item = it->in[i];
    }
    if (!*found)
        return CLAST_OK;
    return cl_draft_project(d, &g, &map, space, grid, found);
}

/* From the space to the index of an input that is read by blocks. */
static cl_map input_map(const cl_user_input *in, const cl_shape *space)
{
    cl_map map = {.nout = space->ndim, .nin = in->shape.ndim};
    const int shift = space->ndim - in->shape.ndim;
    for (int a = 0; a < map.nin; a++) {
        const bool is_spread = in->shape.dim[a] == 1 && space->dim[a + shift] != 1;
        map.src[a] = (int8_t)(is_spread ? -1 : a + shift);
        map.step[a] = !is_spread;
    }
    return map;
}

static clast_status choose(cl_draft *d, const cl_user *u, const cl_item *it,
                           cl_grid *grid)
{
    size_t element = clast_dtype_size(u->output[0].dtype);
    uint64_t most = 0;
    bool is_set = false;
    for (uint32_t i = 0; i < u->ninput; i++) {
        if (u->input[i].access != CLAST_ACCESS_BLOCK)
            continue;
        const size_t size = clast_dtype_size(u->input[i].dtype);
        element = size > element ? size : element;
        const uint64_t bytes = bytes_of(d, it->in[i]);
        if (is_set && bytes <= most)
            continue;
        const cl_map map = input_map(&u->input[i], &u->space);
        cl_grid g;
        bool found;
        CL_TRY(follow(d, it->in[i], &map, &u->space, &g, &found));
        if (!found)
            continue;
        *grid = g;
        most = bytes;
        is_set = true;
    }
    if (!is_set)
        *grid = cl_grid_default(&u->space, element, cl_draft_target(d));
    return checked(d, cl_grid_fit(&d->plan->arena, grid, element, cl_draft_target(d)));
}

/* A block's partial has at most 2 T, where the kept axes can be cut so far. */
static clast_status bound_partials(cl_draft *d, const cl_user *u, cl_grid *grid)
{
    int64_t each = 0;
    if (!cl_shape_count(&u->output[1].shape, &each))
        each = INT64_MAX / 16;
    each *= (int64_t)clast_dtype_size(u->output[1].dtype);
    const int64_t most = (int64_t)(2 * cl_draft_target(d)) / (each > 0 ? each : 1);
    cl_grid kept = *grid;
    for (int a = 0; a < kept.ndim; a++)
        if (u->axes >> a & 1)
            kept.axis[a] = cl_axis_regular(1, 1);
    CL_TRY(
        checked(d, cl_grid_cut(&d->plan->arena, &kept, ~u->axes, most > 0 ? most : 1)));
    for (int a = 0; a < kept.ndim; a++)
        if (!(u->axes >> a & 1))
            grid->axis[a] = kept.axis[a];
    return CLAST_OK;
}

clast_status cl_settle_user(cl_draft *d, cl_recipe *recipe)
{
    const cl_item *const it = &d->item[recipe->item];
    const cl_user *const u = d->fact[it->node.params.source].user;
    if (u->chunk) {
        recipe->grid = asked(&u->space, u->chunk);
        return CLAST_OK;
    }
    CL_TRY(choose(d, u, it, &recipe->grid));
    return u->is_fold ? bound_partials(d, u, &recipe->grid) : CLAST_OK;
}
