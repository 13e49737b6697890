/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller as stages: maps, folds and tasks.
 *
 * Map: a task for each tile of the space; it reads what lies under the tile of each
 * input, with the halo, through a view of the padded array where there is one. An input
 * that is wanted whole is copied into one block first, once for all that want it so.
 *
 * Fold: a partial for each tile, the kept axes' tiles o outside and the reduced ones k
 * (C order) inside; levels of joins of nearly equal size, at most CL_CHAIN at a time;
 * a finish, or, without one, the last join writes the result itself. What is combined
 * with what depends on the number of tiles alone.
 *
 * Task: a map of one tile without axes, whose outputs are tensors of one block each,
 * numbered one after another, so that PART items find theirs.
 */
#include "graph/draft.h"

#include <string.h>

typedef struct {
    cl_draft *d;
    const cl_recipe *r;
    const cl_user *u; /* in the plan's arena */
    cl_stage base;
    uint32_t *view;
    /* folds */
    cl_grid kept;
    int64_t nout, nfold;
} lowering;

/* ---- the description, in the plan's arena --------------------------------------- */

static const int64_t *numbers(cl_draft *d, const int64_t *from, int n, bool *ok)
{
    if (!from)
        return NULL;
    int64_t *const to = cl_arena_array(&d->plan->arena, (size_t)n + 1, sizeof *to);
    *ok &= to != NULL;
    if (to && n > 0)
        memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

static const cl_user *user_copy(cl_draft *d, const cl_user *from, const char *label)
{
    cl_arena *const arena = &d->plan->arena;
    cl_user *const u = cl_arena_alloc(arena, sizeof *u);
    cl_user_input *const in =
        cl_arena_array(arena, from->ninput + 1u, sizeof *from->input);
    cl_user_output *const out =
        cl_arena_array(arena, from->noutput + 1u, sizeof *from->output);
    if (!u || !in || !out)
        return NULL;
    bool ok = true;
    *u = *from;
    u->name = label;
    u->chunk = numbers(d, from->chunk, from->space.ndim, &ok);
    u->input = in;
    u->output = out;
    for (uint32_t i = 0; i < from->ninput; i++) {
        in[i] = from->input[i];
        in[i].before = numbers(d, in[i].before, in[i].shape.ndim, &ok);
        in[i].after = numbers(d, in[i].after, in[i].shape.ndim, &ok);
    }
    memcpy(out, from->output, from->noutput * sizeof *out);
    return ok ? u : NULL;
}

/* ---- inputs --------------------------------------------------------------------- */

/* A view of the item that is one tile in memory, or none of an empty array. */
static clast_status view_whole(lowering *l, uint32_t item, uint32_t *view)
{
    cl_draft *const d = l->d;
    if (d->item[item].whole == CL_NONE) {
        uint32_t v = CL_NONE;
        CL_TRY(cl_draft_view(d, item, &v));
        const cl_shape shape = d->item[item].node.shape;
        const cl_grid one = cl_grid_single(&shape);
        const cl_tensor *const t =
            d->view[v].kind == CL_VIEW_TENSOR ? &d->tensor[d->view[v].tensor] : NULL;
        const bool is_one = t && !t->strided && cl_grid_tiles(&t->grid) == 1;
        if (!is_one && cl_grid_tiles(&one) > 0) {
            CL_TRY(cl_lower_copy(d, d->item[item].id,
                                 (clast_dtype)d->item[item].node.dtype, &one, NULL,
                                 &v));
            char *const label = cl_lower_label(d, l->u->name, "copy");
            if (!label)
                return cl_draft_nomem(d);
            d->stage[d->nstage - 1].label = label;
        }
        d->item[item].whole = v;
    }
    *view = d->item[item].whole;
    return CLAST_OK;
}

/* The grid of the space as an input that is read by blocks sees it. */
static cl_grid grid_under(const lowering *l, const cl_user_input *in)
{
    cl_grid g = cl_grid_single(&in->shape);
    const int shift = l->u->space.ndim - in->shape.ndim;
    for (int a = 0; a < g.ndim; a++)
        if (in->shape.dim[a] == l->u->space.dim[a + shift])
            g.axis[a] = l->r->grid.axis[a + shift];
    return g;
}

static clast_status view_input(lowering *l, uint32_t i)
{
    cl_draft *const d = l->d;
    const cl_user_input *const in = &l->u->input[i];
    const uint32_t item = d->item[l->r->item].in[i];
    if (in->access == CLAST_ACCESS_WHOLE)
        return view_whole(l, item, &l->view[i]);
    CL_TRY(cl_draft_view(d, item, &l->view[i]));
    const cl_grid consumer = grid_under(l, in);
    CL_TRY(cl_lower_staged(d, d->item[l->r->item].id, &consumer, &l->view[i]));
    return cl_draft_view_padded(d, in, &l->view[i]);
}

static clast_status read_inputs(lowering *l, const cl_box *block)
{
    for (uint32_t i = 0; i < l->u->ninput; i++) {
        cl_user_window w;
        cl_user_window_of(&l->u->input[i], &l->u->space, block, &w);
        if (cl_box_count(&w.box) > 0)
            CL_TRY(cl_lower_read(l->d, l->view[i], &w.box));
    }
    return CLAST_OK;
}

static double cost_of(const lowering *l)
{
    enum { GUESS = 10 }; /* cycles an element */
    return (l->u->cost > 0 ? l->u->cost : GUESS) * (double)cl_grid_largest(&l->r->grid);
}

static clast_status stage_new(lowering *l, cl_user_role role, int64_t tasks,
                              bool reads_arrays)
{
    cl_stage s = l->base;
    uint32_t index;
    s.role = role;
    s.tasks = (uint64_t)tasks;
    s.nview = reads_arrays ? l->u->ninput : 0;
    s.view = l->view;
    return cl_lower_stage(l->d, &s, (uint32_t)(l->r - l->d->recipe), &index);
}

/* ---- maps and tasks ------------------------------------------------------------- */

static clast_status outputs(lowering *l, uint32_t *first)
{
    cl_draft *const d = l->d;
    for (uint32_t o = 0; o < l->u->noutput; o++) {
        const cl_user_output *const out = &l->u->output[o];
        const cl_grid grid = l->u->is_task ? cl_grid_single(&out->shape) : l->r->grid;
        uint32_t tensor;
        CL_TRY(cl_draft_tensor(d, out->dtype, &grid, 0, 1, &tensor));
        CL_TRY(cl_lower_tiles(d, tensor, 0));
        if (o == 0)
            *first = tensor;
    }
    return CLAST_OK;
}

static clast_status lower_tiles(lowering *l)
{
    cl_draft *const d = l->d;
    const cl_grid *const grid = &l->r->grid;
    const int64_t tiles = cl_grid_tiles(grid);
    const bool is_cheap = l->u->pure && l->u->cost > 0;
    CL_TRY(outputs(l, &l->base.out));
    CL_TRY(stage_new(l, CL_USER_MAP, tiles, true));
    for (int64_t t = 0; t < tiles; t++) {
        const cl_box box = cl_grid_box(grid, t);
        CL_TRY(read_inputs(l, &box));
        /* What the task reads can all be had again. */
        const bool is_pure =
            is_cheap && cl_lower_reads_only(d, CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT);
        cl_lower_reads(d);
        for (uint32_t o = 0; o < l->u->noutput; o++) {
            const cl_tensor *const x = &d->tensor[l->base.out + o];
            if (cl_grid_tiles(&x->grid) == 0)
                continue;
            const uint32_t block = x->first_block + (uint32_t)t;
            if (is_pure)
                d->block[block].flags |= CL_BLOCK_RECOMPUTE;
            CL_TRY(cl_lower_operand(d, block, CL_W));
        }
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

/* ---- folds ---------------------------------------------------------------------- */

/* The block of the space whose parts are o along the kept axes and k along the
 * others. */
static cl_box fold_box(const cl_grid *g, uint32_t axes, int64_t o, int64_t k)
{
    cl_box box = {.ndim = g->ndim};
    for (int a = g->ndim; a-- > 0;) {
        int64_t *const from = axes >> a & 1 ? &k : &o;
        const int64_t part = *from % g->axis[a].count;
        *from /= g->axis[a].count;
        box.lo[a] = cl_axis_lo(&g->axis[a], part);
        box.n[a] = cl_axis_hi(&g->axis[a], part) - box.lo[a];
    }
    return box;
}

static void split_axes(lowering *l)
{
    const cl_grid *const g = &l->r->grid;
    l->nfold = 1;
    for (int a = 0; a < g->ndim; a++) {
        if (l->u->axes >> a & 1)
            l->nfold *= g->axis[a].count;
        else
            l->kept.axis[l->kept.ndim++] = g->axis[a];
    }
    l->nout = cl_grid_tiles(&l->kept);
}

/* Bytes of one kept element's partial: it has a size, or the map would not exist. */
static uint64_t element_bytes(const lowering *l)
{
    int64_t count = 0;
    (void)cl_shape_count(&l->u->output[1].shape, &count);
    return (uint64_t)count * clast_dtype_size(l->u->output[1].dtype);
}

/* `each` partials an output tile. Sizes beyond 64 bits are as good as the largest: no
 * budget holds them. */
static clast_status partials(lowering *l, int64_t each, uint32_t *first)
{
    CL_TRY(cl_lower_blocks(l->d, l->nout * each, first));
    for (int64_t o = 0; o < l->nout; o++) {
        const cl_box box = cl_grid_box(&l->kept, o);
        size_t bytes;
        if (!cl_mul_size((size_t)cl_box_count(&box), element_bytes(l), &bytes))
            bytes = INT64_MAX;
        for (int64_t k = 0; k < each; k++)
            cl_lower_block(l->d, *first + (uint32_t)(o * each + k), CL_NONE, bytes, 0);
    }
    return CLAST_OK;
}

/* The result's tensor: tiles of the kept axes, the rest whole. */
static clast_status fold_result(lowering *l)
{
    const cl_user_output *const out = &l->u->output[0];
    cl_grid grid = l->kept;
    for (int a = 0; a < out->shape.ndim; a++)
        grid.axis[grid.ndim++] = cl_axis_regular(
            out->shape.dim[a], out->shape.dim[a] > 0 ? out->shape.dim[a] : 1);
    CL_TRY(cl_draft_tensor(l->d, out->dtype, &grid, 0, 1, &l->base.out));
    return cl_lower_tiles(l->d, l->base.out, 0);
}

/* Where a level of `count` partials an output tile is written: the last one, where
 * nothing finishes it, is the result. */
static clast_status level_blocks(lowering *l, int64_t count, uint32_t *first)
{
    if (count > 1 || l->u->has_finish)
        return partials(l, count, first);
    *first = l->d->tensor[l->base.out].first_block;
    return CLAST_OK;
}

static clast_status lower_leaves(lowering *l, uint32_t *first)
{
    cl_draft *const d = l->d;
    CL_TRY(level_blocks(l, l->nfold, first));
    CL_TRY(stage_new(l, CL_USER_MAP, l->nout * l->nfold, true));
    for (int64_t o = 0; o < l->nout; o++)
        for (int64_t k = 0; k < l->nfold; k++) {
            const cl_box box = fold_box(&l->r->grid, l->u->axes, o, k);
            CL_TRY(read_inputs(l, &box));
            cl_lower_reads(d);
            CL_TRY(cl_lower_operand(d, *first + (uint32_t)(o * l->nfold + k), CL_W));
            CL_TRY(cl_lower_task(d));
        }
    return CLAST_OK;
}

/* One level of joins: `below` partials an output tile become `count`. */
static clast_status lower_joins(lowering *l, int64_t below, int64_t count,
                                uint32_t *first)
{
    cl_draft *const d = l->d;
    const uint32_t from = *first;
    CL_TRY(level_blocks(l, count, first));
    l->base.njoin = count;
    CL_TRY(stage_new(l, CL_USER_COMBINE, l->nout * count, false));
    for (int64_t o = 0; o < l->nout; o++)
        for (int64_t j = 0; j < count; j++) {
            for (int64_t i = j * below / count; i < (j + 1) * below / count; i++)
                CL_TRY(cl_lower_operand(d, from + (uint32_t)(o * below + i), CL_R));
            CL_TRY(cl_lower_operand(d, *first + (uint32_t)(o * count + j), CL_W));
            CL_TRY(cl_lower_task(d));
        }
    return CLAST_OK;
}

static clast_status lower_finish(lowering *l, uint32_t last)
{
    cl_draft *const d = l->d;
    if (!l->u->has_finish)
        return CLAST_OK;
    CL_TRY(stage_new(l, CL_USER_FINISH, l->nout, false));
    for (int64_t o = 0; o < l->nout; o++) {
        if (l->nfold > 0)
            CL_TRY(cl_lower_operand(d, last + (uint32_t)o, CL_R));
        CL_TRY(cl_lower_operand(d, d->tensor[l->base.out].first_block + (uint32_t)o,
                                CL_W));
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

static clast_status lower_fold(lowering *l)
{
    uint32_t last = CL_NONE;
    split_axes(l);
    CL_TRY(fold_result(l));
    if (cl_grid_tiles(&l->d->tensor[l->base.out].grid) == 0)
        return CLAST_OK;
    l->base.axes = l->u->axes;
    l->base.nfold = l->nfold;
    if (l->nfold > 0)
        CL_TRY(lower_leaves(l, &last));
    for (int64_t below = l->nfold; below > 1;) {
        const int64_t count = (below + CL_CHAIN - 1) / CL_CHAIN;
        CL_TRY(lower_joins(l, below, count, &last));
        below = count;
    }
    return lower_finish(l, last);
}

clast_status cl_lower_user(cl_draft *d, cl_recipe *r)
{
    const cl_node node = d->item[r->item].node;
    const uint32_t source = node.params.source;
    lowering l = {.d = d, .r = r, .u = user_copy(d, d->fact[source].user, r->label)};
    if (!l.u)
        return cl_draft_nomem(d);
    l.view = cl_arena_array(&d->plan->arena, l.u->ninput + 1u, sizeof *l.view);
    if (!l.view)
        return cl_draft_nomem(d);
    for (uint32_t i = 0; i < l.u->ninput; i++)
        CL_TRY(view_input(&l, i));
    l.base = (cl_stage){.kind = CL_STAGE_USER,
                        .label = r->label,
                        .node = d->item[r->item].id,
                        .dtype = l.u->output[0].dtype,
                        .out = CL_NONE,
                        .user = l.u,
                        .source = source,
                        .space = r->grid,
                        .cost = cost_of(&l)};
    CL_TRY(l.u->is_fold ? lower_fold(&l) : lower_tiles(&l));
    d->item[r->item].tensor = l.base.out;
    d->item[r->item].view = CL_NONE;
    return CLAST_OK;
}
