/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The grids of stages, chosen from what storage suggests (docs/numeric-grids.md).
 *
 * An elementwise program or a reduction follows, in this order: a rechunk on the way;
 * the largest leaf that covers its whole space; the chunks of the sink that stores it,
 * where that leaf has no storage chunks; the default tiling. A product takes rows from
 * its left operand, columns from its right one and panels from the left one's columns.
 * Nothing here looks at the budget or at workers.
 */
#include "graph/draft.h"
#include "graph/grid.h"

enum { GEMM_LEAST = 512, GEMM_MOST = 2048, GEMM_TILE = 1024, PANEL_LEAST = 256 };

uint64_t cl_draft_target(const cl_draft *d)
{
    return d->settings.block_bytes ? d->settings.block_bytes : CLAST_MIB(4);
}

static clast_status checked(cl_draft *d, clast_status status)
{
    return status == CLAST_OK ? CLAST_OK : cl_draft_nomem(d);
}

static uint64_t bytes_of(const cl_node *node)
{
    int64_t n;
    return cl_shape_count(&node->shape, &n)
               ? (uint64_t)n * clast_dtype_size((clast_dtype)node->dtype)
               : 0;
}

static const cl_sink_facts *chunked_sink(const cl_draft *d, const cl_recipe *recipe)
{
    if (recipe->sink == CL_NONE)
        return NULL;
    const cl_sink_facts *const s = &d->sink[recipe->sink];
    return s->is_memory || s->is_persist ? NULL : s;
}

/* The grid of the largest leaf that covers the space. */
static clast_status follow_leaf(cl_draft *d, const cl_recipe *recipe, cl_grid *grid,
                                size_t *element, bool *is_aligned, bool *found)
{
    uint64_t most = 0;
    *found = *is_aligned = false;
    for (uint32_t i = 0; i < recipe->nleaf; i++) {
        const cl_leaf *const leaf = &recipe->leaf[i];
        const cl_node *const node = &d->item[leaf->item].node;
        const size_t size = clast_dtype_size((clast_dtype)node->dtype);
        if (size > *element)
            *element = size;
        const uint64_t bytes = bytes_of(node);
        cl_grid g;
        bool aligned, whole, has;
        CL_TRY(cl_draft_natural(d, leaf->item, &leaf->map, &recipe->space, &g, &aligned,
                                &whole, &has));
        const bool is_better =
            !*found || bytes > most || (bytes == most && aligned && !*is_aligned);
        if (!has || !whole || !is_better)
            continue;
        *grid = g;
        *is_aligned = aligned;
        most = bytes;
        *found = true;
    }
    return CLAST_OK;
}

/* A rechunk's tiles seen through the map; axes it does not know are whole. */
static clast_status follow_hint(cl_draft *d, const cl_recipe *recipe, cl_grid *grid)
{
    const cl_node *const node = &d->item[recipe->hint].node;
    *grid = cl_grid_single(&recipe->space);
    for (int a = 0; a < recipe->hint_map.nin; a++) {
        const int s = recipe->hint_map.src[a];
        const cl_axis whole = cl_axis_regular(node->shape.dim[a], node->chunk[a]);
        if (s >= 0)
            CL_TRY(checked(d, cl_axis_project(&d->plan->arena, &whole,
                                              recipe->hint_map.off[a],
                                              recipe->hint_map.step[a],
                                              recipe->space.dim[s], &grid->axis[s])));
    }
    return CLAST_OK;
}

/* Partials have a tile's kept elements each: not more than twice the target. */
static clast_status bound_partials(cl_draft *d, cl_recipe *recipe, uint32_t axes,
                                   clast_reduction r, clast_dtype dtype)
{
    const int64_t each = cl_partial_bytes(r, dtype, 1024) / 1024;
    cl_grid kept = recipe->grid;
    for (int a = 0; a < kept.ndim; a++)
        if (axes >> a & 1)
            kept.axis[a] = cl_axis_regular(1, 1);
    const int64_t most = (int64_t)(2 * cl_draft_target(d)) / (each > 0 ? each : 1);
    CL_TRY(checked(d, cl_grid_cut(&d->plan->arena, &kept, ~axes, most > 0 ? most : 1)));
    for (int a = 0; a < kept.ndim; a++)
        if (!(axes >> a & 1))
            recipe->grid.axis[a] = kept.axis[a];
    return CLAST_OK;
}

clast_status cl_settle_space(cl_draft *d, cl_recipe *recipe)
{
    const cl_item *const it = &d->item[recipe->item];
    const bool is_fold = recipe->kind == CL_RECIPE_FOLD;
    const clast_dtype dtype =
        (clast_dtype)(is_fold ? d->item[it->in[0]].node.dtype : it->node.dtype);
    cl_arena *const arena = &d->plan->arena;
    if (recipe->hint != CL_NONE)
        return follow_hint(d, recipe, &recipe->grid);

    size_t element = clast_dtype_size(dtype);
    bool is_aligned, found;
    CL_TRY(follow_leaf(d, recipe, &recipe->grid, &element, &is_aligned, &found));
    const cl_sink_facts *const sink = chunked_sink(d, recipe);
    if (!is_aligned && sink && !is_fold)
        CL_TRY(checked(d, cl_grid_storage(arena, &recipe->space, sink->chunk, false,
                                          element, cl_draft_target(d), &recipe->grid)));
    else if (!found)
        recipe->grid = cl_grid_default(&recipe->space, element, cl_draft_target(d));
    CL_TRY(checked(d, cl_grid_fit(arena, &recipe->grid, element, cl_draft_target(d))));
    if (is_fold)
        CL_TRY(bound_partials(d, recipe, it->node.params.axes,
                              (clast_reduction)it->node.params.reduction, dtype));
    return CLAST_OK;
}

/* About GEMM_TILE, in equal parts. */
static cl_axis regular_axis(int64_t n)
{
    const int64_t parts = n > 0 ? (n - 1) / GEMM_TILE + 1 : 1;
    const int64_t size = (n + parts - 1) / parts;
    return cl_axis_regular(n, n > GEMM_TILE ? (size + 63) / 64 * 64 : n);
}

static clast_status operand_axis(cl_draft *d, uint32_t item, int axis, int64_t least,
                                 cl_axis *out, bool *found)
{
    const cl_shape shape = d->item[item].node.shape;
    const cl_map identity = cl_map_identity(shape.ndim);
    cl_grid g;
    bool aligned, whole;
    CL_TRY(cl_draft_natural(d, item, &identity, &shape, &g, &aligned, &whole, found));
    if (*found)
        return checked(
            d, cl_axis_settle(&d->plan->arena, &g.axis[axis], least, GEMM_MOST, out));
    *out = regular_axis(shape.dim[axis]);
    return CLAST_OK;
}

clast_status cl_settle_gemm(cl_draft *d, cl_recipe *recipe)
{
    const cl_item *const it = &d->item[recipe->item];
    const uint32_t a = it->in[0], b = it->in[1];
    bool found;
    recipe->grid.ndim = 2;
    CL_TRY(operand_axis(d, a, 0, GEMM_LEAST, &recipe->grid.axis[0], &found));
    CL_TRY(operand_axis(d, b, 1, GEMM_LEAST, &recipe->grid.axis[1], &found));
    CL_TRY(operand_axis(d, a, 1, PANEL_LEAST, &recipe->panels, &found));
    if (!found)
        CL_TRY(operand_axis(d, b, 0, PANEL_LEAST, &recipe->panels, &found));
    return CLAST_OK;
}

/* Consecutive parts joined until each has at least `least` rows; what is left over goes
 * to the last. */
static clast_status join_rows(cl_draft *d, const cl_axis *in, int64_t least,
                              cl_axis *out)
{
    int64_t *const cuts =
        cl_arena_array(&d->plan->arena, (size_t)in->count + 1, sizeof *cuts);
    if (!cuts)
        return cl_draft_nomem(d);
    int64_t count = 0;
    for (int64_t i = 0; i < in->count; i++) {
        const int64_t hi = cl_axis_hi(in, i);
        if (hi - cuts[count] >= least && (in->n - hi >= least || hi == in->n))
            cuts[++count] = hi;
    }
    if (count == 0 || cuts[count] != in->n)
        cuts[++count] = in->n;
    const cl_axis joined = {.n = in->n, .count = count, .cuts = cuts};
    return checked(d, cl_axis_project(&d->plan->arena, &joined, 0, 1, in->n, out));
}

clast_status cl_settle_svd(cl_draft *d, cl_recipe *recipe)
{
    const cl_item *const it = &d->item[recipe->item];
    const uint32_t in = it->in[0];
    const cl_shape shape = d->item[in].node.shape;
    const int64_t m = shape.dim[0], n = shape.dim[1];
    recipe->grid = cl_grid_single(&shape);
    if (n == 0 || m < 2 * n)
        return CLAST_OK;

    const int64_t row = n * (int64_t)clast_dtype_size((clast_dtype)it->node.dtype);
    const int64_t target = (int64_t)cl_draft_target(d);
    int64_t least = target / 2 / row, most = 2 * target / row;
    least = least > 2 * n ? least : 2 * n;
    most = most > 4 * n ? most : 4 * n;
    const cl_map identity = cl_map_identity(2);
    cl_grid g;
    bool aligned, whole, found;
    CL_TRY(cl_draft_natural(d, in, &identity, &shape, &g, &aligned, &whole, &found));
    cl_axis rows =
        found ? g.axis[0]
              : cl_axis_regular(m, least > target / row ? least : target / row);
    const cl_axis natural = rows;
    CL_TRY(checked(d, cl_axis_settle(&d->plan->arena, &natural, 1, most, &rows)));
    return join_rows(d, &rows, least, &recipe->grid.axis[0]);
}

/* Units follow the producer's tiles where those are whole chunks. */
clast_status cl_settle_units(cl_draft *d, uint32_t sink, cl_grid *units)
{
    const cl_sink_facts *const s = &d->sink[sink];
    const uint32_t item = d->sink_item[sink];
    const cl_node *const node = &d->item[item].node;
    const size_t element = clast_dtype_size((clast_dtype)node->dtype);
    const cl_map identity = cl_map_identity(node->shape.ndim);
    bool aligned, whole, found;
    CL_TRY(cl_draft_natural(d, item, &identity, &node->shape, units, &aligned, &whole,
                            &found));
    if (!found)
        *units = cl_grid_default(&node->shape, element, cl_draft_target(d));
    if (s->is_memory)
        return CLAST_OK;
    bool fits =
        found && (uint64_t)cl_grid_largest(units) * element <= 4 * cl_draft_target(d);
    for (int a = 0; a < units->ndim; a++) {
        const cl_axis *const x = &units->axis[a];
        const int64_t c = s->chunk[a] > 0 ? s->chunk[a] : 1;
        fits &= x->count <= 1 || (!x->cuts && x->size % c == 0);
    }
    if (fits)
        return CLAST_OK;
    return checked(d, cl_grid_storage(&d->plan->arena, &node->shape, s->chunk, true,
                                      element, cl_draft_target(d), units));
}
