/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Elementwise stages (one task a tile) and stores (one task a unit of whole chunks).
 *
 * A leaf whose tiles are the stage's own is read by tile number, without boxes: plans
 * of very many tiny tasks are written at the speed of memory.
 */
#include "graph/draft.h"
#include "graph/grid.h"

#include <string.h>

/* A leaf as tasks read it. */
typedef struct {
    uint32_t view;
    bool is_same; /* tile t of the stage is tile t of this tensor */
    uint32_t first, step;
} reader;

static reader reader_of(const cl_draft *d, uint32_t view, const cl_grid *grid)
{
    reader r = {.view = view};
    if (d->view[view].kind == CL_VIEW_TENSOR) {
        const cl_tensor *const t = &d->tensor[d->view[view].tensor];
        r.is_same = cl_grid_equal(&t->grid, grid);
        r.first = t->first_block;
        r.step = t->block_step;
    }
    return r;
}

/* A sink that stores what the recipe makes walks its tiles, so these may follow what
 * they read. */
static bool is_walked(const cl_draft *d, const cl_recipe *r)
{
    return r->kind == CL_RECIPE_MAP && r->sink != CL_NONE &&
           !d->sink[r->sink].is_persist;
}

clast_status cl_lower_leaves(cl_draft *d, cl_recipe *r, uint64_t bytes, uint32_t *views)
{
    for (uint32_t i = 0; i < r->nleaf; i++)
        CL_TRY(cl_draft_view_mapped(d, r->leaf[i].item, &r->leaf[i].map, &r->space,
                                    &views[i]));
    cl_reading reading = {.node = d->item[r->item].id,
                          .grid = &r->grid,
                          .bytes = bytes,
                          .is_walked = is_walked(d, r)};
    CL_TRY(cl_lower_fitted(d, &reading, r->nleaf, views));
    if (!reading.has_order)
        return CLAST_OK;
    cl_grid *const order = cl_arena_alloc(&d->scratch, sizeof *order);
    if (!order)
        return cl_draft_nomem(d);
    *order = reading.order;
    r->order = order;
    return CLAST_OK;
}

double cl_lower_cost(const cl_recipe *r)
{
    double each = 1 + r->nleaf;
    for (uint16_t i = 0; i < r->program.ninsn; i++)
        each += cl_ops[r->program.insn[i].op].cost;
    return each * (double)cl_grid_largest(&r->grid);
}

/* Axes along which a leaf that a reduction made is broadcast: the second pass of
 * x - mean(x, 0) walks down columns, so that a column may stay in memory. */
static uint32_t inner_axes(const cl_draft *d, const cl_recipe *r)
{
    uint32_t inner = 0, all = 0;
    for (int a = 0; a < r->space.ndim; a++)
        all |= r->space.dim[a] > 1 ? 1u << a : 0;
    for (uint32_t i = 0; i < r->nleaf; i++) {
        const cl_leaf *const leaf = &r->leaf[i];
        if (d->item[leaf->item].node.op != CL_OP_REDUCE)
            continue;
        uint32_t missing = all;
        for (int a = 0; a < leaf->map.nin; a++)
            if (leaf->map.src[a] >= 0)
                missing &= ~(1u << leaf->map.src[a]);
        inner |= missing;
    }
    return inner == all ? 0 : inner;
}

/* x and x.T both: tile (i, j) and tile (j, i) read the same blocks. */
static bool is_mirrored(const cl_recipe *r)
{
    if (r->grid.ndim != 2)
        return false;
    const cl_axis *const x = r->grid.axis;
    if (x[0].cuts || x[1].cuts || x[0].n != x[1].n || x[0].size != x[1].size)
        return false;
    for (uint32_t i = 0; i < r->nleaf; i++)
        for (uint32_t j = 0; j < r->nleaf; j++) {
            const cl_map *const a = &r->leaf[i].map, *const b = &r->leaf[j].map;
            if (r->leaf[i].item == r->leaf[j].item && a->nin == 2 && b->nin == 2 &&
                a->src[0] == 0 && a->src[1] == 1 && b->src[0] == 1 && b->src[1] == 0)
                return true;
        }
    return false;
}

/* Walk fastest along the axes on which what is read is longest, measured in tiles of
 * the walk: so a block that was loaded is used up before the next. */
void cl_lower_walk(cl_draft *d, uint32_t stage, const cl_grid *from, const cl_grid *to,
                   uint32_t inner)
{
    double weight[CL_MAXDIM];
    uint8_t *const order = d->walk[stage].order;
    d->walk[stage].inner = inner;
    for (int a = 0; a < to->ndim; a++) {
        const double part = (double)cl_axis_largest(&to->axis[a]);
        const double ratio =
            from ? (double)cl_axis_largest(&from->axis[a]) / (part > 0 ? part : 1) : 1;
        weight[a] = (ratio > 1.5 ? ratio : 1) + (inner >> a & 1 ? 1e18 : 0);
    }
    for (int i = 1; i < to->ndim; i++) /* insertion sort: stable */
        for (int j = i; j > 0 && weight[order[j]] < weight[order[j - 1]]; j--) {
            const uint8_t swap = order[j];
            order[j] = order[j - 1];
            order[j - 1] = swap;
        }
}

clast_status cl_lower_grid(cl_draft *d, const cl_grid *grid, uint32_t n,
                           const uint32_t *views, uint32_t out)
{
    reader readers[2 * CL_MAX_INSNS];
    bool all_same = true;
    for (uint32_t i = 0; i < n; i++) {
        readers[i] = reader_of(d, views[i], grid);
        all_same &= readers[i].is_same;
    }
    const int64_t tiles = cl_grid_tiles(grid);
    for (int64_t t = 0; t < tiles; t++) {
        cl_box box;
        if (!all_same)
            box = cl_grid_box(grid, t);
        for (uint32_t i = 0; i < n; i++) {
            const reader *const r = &readers[i];
            CL_TRY(r->is_same ? cl_lower_read_block(d, r->first + (uint32_t)t * r->step)
                              : cl_lower_read(d, r->view, &box));
        }
        cl_lower_reads(d);
        if (out != CL_NONE)
            CL_TRY(cl_lower_operand(d, d->tensor[out].first_block + (uint32_t)t, CL_W));
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

clast_status cl_lower_map(cl_draft *d, cl_recipe *r)
{
    const cl_node *const node = &d->item[r->item].node;
    uint32_t views[2 * CL_MAX_INSNS], tensor, stage;
    const uint64_t bytes = (uint64_t)cl_grid_largest(&r->grid) *
                           clast_dtype_size((clast_dtype)node->dtype);
    CL_TRY(cl_lower_leaves(d, r, bytes, views));
    CL_TRY(cl_draft_tensor(d, (clast_dtype)node->dtype, &r->grid, 0, 1, &tensor));
    CL_TRY(cl_lower_tiles(d, tensor, 0));
    const cl_stage s = {.kind = CL_STAGE_MAP,
                        .label = r->label,
                        .node = d->item[r->item].id,
                        .dtype = (clast_dtype)node->dtype,
                        .out = tensor,
                        .nview = r->nleaf,
                        .view = cl_lower_views(d, r->nleaf, views),
                        .program = r->program,
                        .space = r->grid,
                        .cost = cl_lower_cost(r),
                        .tasks = (uint64_t)cl_grid_tiles(&r->grid)};
    if (!s.view)
        return cl_draft_nomem(d);
    CL_TRY(cl_lower_stage(d, &s, (uint32_t)(r - d->recipe), &stage));
    r->inner = inner_axes(d, r);
    d->walk[stage].is_mirrored = is_mirrored(r);
    CL_TRY(cl_lower_grid(d, &r->grid, r->nleaf, views, tensor));
    d->item[r->item].tensor = tensor;
    d->item[r->item].view = CL_NONE;
    return CLAST_OK;
}

/* What a store needs besides tiles: the unit, gathered, and room to filter a chunk. */
static uint64_t unit_bytes(const cl_draft *d, uint32_t sink, const cl_grid *units)
{
    const cl_sink_facts *const s = &d->sink[sink];
    const size_t element =
        clast_dtype_size((clast_dtype)d->item[d->sink_item[sink]].node.dtype);
    return s->is_memory ? 0 : (uint64_t)cl_grid_largest(units) * element + s->staging;
}

/* Units are not longer than tiles on any axis: a tile is stored when it is made. */
static bool is_within(const cl_grid *units, const cl_grid *tiles)
{
    for (int a = 0; a < units->ndim; a++)
        if (cl_axis_largest(&units->axis[a]) > cl_axis_largest(&tiles->axis[a]))
            return false;
    return true;
}

clast_status cl_lower_store(cl_draft *d, uint32_t sink)
{
    const uint32_t item = d->sink_item[sink];
    const cl_item *const it = &d->item[item];
    cl_grid units, natural;
    CL_TRY(cl_settle_units(d, sink, &units));
    uint32_t view, stage;
    CL_TRY(cl_draft_view(d, item, &view));
    cl_reading reading = {.node = it->id,
                          .grid = &units,
                          .bytes = unit_bytes(d, sink, &units),
                          .is_walked = true};
    CL_TRY(cl_lower_fitted(d, &reading, 1, &view));
    const cl_stage s = {.kind = CL_STAGE_STORE,
                        .label = "store",
                        .node = it->id,
                        .dtype = (clast_dtype)it->node.dtype,
                        .out = CL_NONE,
                        .nview = 1,
                        .view = cl_lower_views(d, 1, &view),
                        .units = units,
                        .sink = sink,
                        .cost = 2 * (double)cl_grid_largest(&units),
                        .tasks = (uint64_t)cl_grid_tiles(&units)};
    if (!s.view)
        return cl_draft_nomem(d);
    CL_TRY(cl_lower_stage(d, &s, CL_NONE, &stage));
    CL_TRY(cl_lower_stored(d, sink, &units, stage));
    const cl_map identity = cl_map_identity(it->node.shape.ndim);
    bool aligned, whole, found;
    CL_TRY(cl_draft_natural(d, item, &identity, &it->node.shape, &natural, &aligned,
                            &whole, &found));
    const cl_recipe *const made =
        cl_item_is_made(d, it) ? &d->recipe[it->recipe] : NULL;
    const cl_grid *order = found ? &natural : NULL;
    if (made && made->order)
        order = made->order;
    if (reading.has_order)
        order = &reading.order;
    cl_lower_walk(d, stage, order, &units, made ? made->inner : 0);
    if (made && made->kind == CL_RECIPE_MAP && is_within(&units, &made->grid))
        cl_lower_siblings(d, made, made->stage);
    return cl_lower_grid(d, &units, 1, &view, CL_NONE);
}
