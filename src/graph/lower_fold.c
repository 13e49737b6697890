/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions: leaves in chains of CL_CHAIN, levels of joins, a finish.
 *
 * The program's space has a grid; its tiles along the kept axes are the output's tiles
 * o, those along the reduced axes (C order) the leaves k = 0 .. nfold - 1 of each.
 * Every leaf's partial is a version of its chain's one buffer. What is combined with
 * what depends on nfold only: joins go from left to right, so whether a group of
 * partials is joined by one task, or large ones by one task each as they come, changes
 * no bit. The latter has two of them in memory instead of CL_CHAIN + 1.
 */
#include "graph/draft.h"
#include "graph/grid.h"

typedef struct {
    cl_stage base; /* what all stages of one reduction share */
    cl_grid out;
    int64_t nout, nfold;
    uint64_t *bytes; /* of a partial, by o */
    bool is_stepped; /* CL_CHAIN partials at once would be too large */
} fold;

enum { MOST_LEVELS = 16 }; /* CL_CHAIN to that power is more than there are leaves */

static void split_axes(const cl_recipe *r, uint32_t axes, fold *f)
{
    f->nfold = 1;
    for (int a = 0; a < r->grid.ndim; a++) {
        if (axes >> a & 1)
            f->nfold *= r->grid.axis[a].count;
        else
            f->out.axis[f->out.ndim++] = r->grid.axis[a];
    }
    f->nout = cl_grid_tiles(&f->out);
    int64_t stride = 1;
    for (int a = r->grid.ndim - 1; a >= 0; a--)
        if (axes >> a & 1) {
            f->base.flat_stride[a] = stride;
            stride *= r->grid.axis[a].n;
        }
}

/* Tile of the space that is leaf k of output tile o. */
static void leaf_coords(const cl_grid *g, uint32_t axes, int64_t o, int64_t k,
                        int64_t *coords)
{
    for (int a = g->ndim - 1; a >= 0; a--) {
        int64_t *const from = axes >> a & 1 ? &k : &o;
        coords[a] = *from % g->axis[a].count;
        *from /= g->axis[a].count;
    }
}

static clast_status partials(cl_draft *d, const fold *f, int64_t each, uint32_t *first)
{
    CL_TRY(cl_lower_blocks(d, f->nout * each, first));
    for (int64_t o = 0; o < f->nout; o++)
        for (int64_t k = 0; k < each; k++)
            cl_lower_block(d, *first + (uint32_t)(o * each + k), CL_NONE, f->bytes[o],
                           0);
    return CLAST_OK;
}

static clast_status leaves(cl_draft *d, cl_recipe *r, fold *f)
{
    uint32_t views[2 * CL_MAX_INSNS], stage;
    CL_TRY(cl_lower_leaves(d, r, f->nout > 0 ? f->bytes[0] : 0, views));
    CL_TRY(partials(d, f, f->nfold, &f->base.partial_first));
    cl_stage s = f->base;
    s.kind = CL_STAGE_FOLD;
    s.label = r->label;
    s.nview = r->nleaf;
    s.view = cl_lower_views(d, r->nleaf, views);
    s.program = r->program;
    s.cost = cl_lower_cost(r) + (double)cl_grid_largest(&r->grid);
    s.tasks = (uint64_t)(f->nout * f->nfold);
    if (!s.view)
        return cl_draft_nomem(d);
    CL_TRY(cl_lower_stage(d, &s, (uint32_t)(r - d->recipe), &stage));
    cl_lower_siblings(d, r, stage);

    for (int64_t o = 0; o < f->nout; o++)
        for (int64_t k = 0; k < f->nfold; k++) {
            if (r->nleaf > 0) {
                int64_t coords[CL_MAXDIM];
                leaf_coords(&r->grid, s.axes, o, k, coords);
                cl_box box = {.ndim = r->grid.ndim};
                for (int a = 0; a < box.ndim; a++) {
                    box.lo[a] = cl_axis_lo(&r->grid.axis[a], coords[a]);
                    box.n[a] = cl_axis_hi(&r->grid.axis[a], coords[a]) - box.lo[a];
                }
                for (uint32_t i = 0; i < r->nleaf; i++)
                    CL_TRY(cl_lower_read(d, views[i], &box));
            }
            cl_lower_reads(d);
            const uint32_t b = s.partial_first + (uint32_t)(o * f->nfold + k);
            if (k % CL_CHAIN != 0)
                CL_TRY(cl_lower_operand(d, b - 1, CL_ACC));
            CL_TRY(cl_lower_operand(d, b, CL_W));
            CL_TRY(cl_lower_task(d));
        }
    return CLAST_OK;
}

/* The partials of one level; entry c of output tile o is joined from up to CL_CHAIN
 * entries of the level below. The lowest level has chains of leaves instead. */
typedef struct level {
    const struct level *below;
    uint32_t first;
    int64_t each, count; /* blocks and entries an output tile */
    bool is_stepped;     /* entry c is the last of its group's versions */
} level;

static uint32_t entry(const level *l, int64_t o, int64_t c)
{
    int64_t at = c, end = (c + 1) * CL_CHAIN;
    const int64_t most = l->below ? l->below->count : l->each;
    end = end < most ? end : most;
    if (!l->below)
        at = end - 1;
    else if (l->is_stepped && end == c * CL_CHAIN + 1)
        return entry(l->below, o, end - 1); /* alone: as it is */
    else if (l->is_stepped)
        at = end - c - 2; /* a group has one version less than entries */
    return l->first + (uint32_t)(o * l->each + at);
}

/* One task a group, which has all its entries in memory at once. */
static clast_status join_at_once(cl_draft *d, const fold *f, const level *l)
{
    for (int64_t o = 0; o < f->nout; o++)
        for (int64_t j = 0; j < l->count; j++) {
            const int64_t end = (j + 1) * CL_CHAIN;
            for (int64_t c = j * CL_CHAIN; c < l->below->count && c < end; c++)
                CL_TRY(cl_lower_operand(d, entry(l->below, o, c), CL_R));
            CL_TRY(cl_lower_operand(d, l->first + (uint32_t)(o * l->each + j), CL_W));
            CL_TRY(cl_lower_task(d));
        }
    return CLAST_OK;
}

/* A task for each entry but the first of a group, which the others are added to. The
 * sum comes first, so that it is wanted before what is added. */
static clast_status join_in_steps(cl_draft *d, const fold *f, const level *l)
{
    for (int64_t o = 0; o < f->nout; o++) {
        uint32_t next = l->first + (uint32_t)(o * l->each), sum = CL_NONE;
        for (int64_t c = 0; c < l->below->count; c++) {
            const uint32_t in = entry(l->below, o, c);
            if (c % CL_CHAIN == 0) {
                sum = in;
                continue;
            }
            CL_TRY(cl_lower_operand(d, sum, CL_ACC));
            CL_TRY(cl_lower_operand(d, next, CL_W));
            CL_TRY(cl_lower_operand(d, in, CL_R));
            CL_TRY(cl_lower_task(d));
            sum = next++;
        }
    }
    return CLAST_OK;
}

static clast_status join(cl_draft *d, const fold *f, level *l)
{
    l->count = (l->below->count - 1) / CL_CHAIN + 1;
    l->is_stepped = f->is_stepped;
    l->each = f->is_stepped ? l->below->count - l->count : l->count;
    uint32_t stage;
    CL_TRY(partials(d, f, l->each, &l->first));
    cl_stage s = f->base;
    s.kind = CL_STAGE_JOIN;
    s.label = "join";
    s.njoin = l->each;
    s.partial_first = l->first;
    s.tasks = (uint64_t)(f->nout * l->each);
    CL_TRY(cl_lower_stage(d, &s, CL_NONE, &stage));
    return f->is_stepped ? join_in_steps(d, f, l) : join_at_once(d, f, l);
}

static clast_status finish(cl_draft *d, const fold *f, const level *l, uint32_t tensor)
{
    uint32_t stage;
    cl_stage s = f->base;
    s.kind = CL_STAGE_FINISH;
    s.label = "finish";
    s.tasks = (uint64_t)f->nout;
    CL_TRY(cl_lower_stage(d, &s, CL_NONE, &stage));
    for (int64_t o = 0; o < f->nout; o++) {
        for (int64_t c = 0; c < l->count; c++)
            CL_TRY(cl_lower_operand(d, entry(l, o, c), CL_R));
        CL_TRY(cl_lower_operand(d, d->tensor[tensor].first_block + (uint32_t)o, CL_W));
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

clast_status cl_lower_fold(cl_draft *d, cl_recipe *r)
{
    const cl_item *const it = &d->item[r->item];
    const clast_dtype input = (clast_dtype)d->item[it->in[0]].node.dtype;
    fold f = {.base = {.node = it->id,
                       .dtype = input,
                       .space = r->grid,
                       .axes = it->node.params.axes,
                       .reduction = (clast_reduction)it->node.params.reduction,
                       .ddof = it->node.params.ddof}};
    split_axes(r, f.base.axes, &f);
    f.base.nfold = f.nfold;
    f.bytes = cl_arena_array(&d->scratch, (size_t)f.nout + 1, sizeof *f.bytes);
    if (!f.bytes)
        return cl_draft_nomem(d);
    for (int64_t o = 0; o < f.nout; o++) {
        const cl_box box = cl_grid_box(&f.out, o);
        f.bytes[o] =
            (uint64_t)cl_partial_bytes(f.base.reduction, input, cl_box_count(&box));
    }
    f.is_stepped = f.nout > 0 && f.bytes[0] * CL_CHAIN > cl_draft_target(d);
    uint32_t tensor;
    CL_TRY(cl_draft_tensor(d, (clast_dtype)it->node.dtype, &f.out, 0, 1, &tensor));
    f.base.out = tensor;
    CL_TRY(cl_lower_tiles(d, tensor, 0));

    level levels[MOST_LEVELS] = {0};
    int top = 0;
    if (f.nfold > 0 && f.nout > 0) {
        CL_TRY(leaves(d, r, &f));
        levels[0] = (level){.first = f.base.partial_first,
                            .each = f.nfold,
                            .count = (f.nfold - 1) / CL_CHAIN + 1};
        /* The last join is the finish's, but for partials that are joined in steps. */
        const int64_t most = f.is_stepped ? 1 : CL_CHAIN;
        for (; levels[top].count > most; top++) {
            levels[top + 1].below = &levels[top];
            CL_TRY(join(d, &f, &levels[top + 1]));
        }
    }
    CL_TRY(finish(d, &f, &levels[top], tensor));
    d->item[r->item].tensor = tensor;
    return CLAST_OK;
}
