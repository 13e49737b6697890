/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Singular values of a tall matrix by a tree of QR factorisations (TSQR: Demmel,
 * Grigori, Hoemmen and Langou 2012, algorithm 1).
 *
 * QR of each row part; triangles joined FAN_IN at a time up to one; its SVD; then, only
 * where u is wanted, the small orthogonal factors down the tree again and each part's
 * rows of u. Joins of a level are of nearly equal size, so none has a single triangle.
 * Reflectors of parts that read sources only can be had again by reading: they are
 * marked so, and a run short of memory drops them instead of spilling.
 */
#include "graph/draft.h"

enum { FAN_IN = 8, MAX_LEVELS = 16 };

/* Two thirds of what products reach. */
#define FLOPS_PER_CYCLE 20.0

/* One level of the tree: `count` triangles, made from `below` of the level beneath. */
typedef struct {
    int64_t count, below;
    uint32_t reflectors, triangles, w; /* first blocks */
} level;

typedef struct {
    cl_recipe *recipe;
    cl_stage base;
    int64_t n;
    size_t element;
    int nlevel;
    level level[MAX_LEVELS];
    uint32_t view, u, s, vt; /* tensors, or CL_NONE */
} tree;

static int64_t group_lo(const level *l, int64_t g)
{
    return g * l->below / l->count;
}

static uint64_t square_bytes(const tree *t)
{
    return (uint64_t)t->n * (uint64_t)t->n * t->element;
}

static clast_status squares(cl_draft *d, const tree *t, int64_t count, uint32_t *first)
{
    CL_TRY(cl_lower_blocks(d, count, first));
    for (int64_t i = 0; i < count; i++)
        cl_lower_block(d, *first + (uint32_t)i, CL_NONE, square_bytes(t), 0);
    return CLAST_OK;
}

static clast_status stage_new(cl_draft *d, tree *t, cl_stage_kind kind,
                              const char *label, int64_t tasks, double rows)
{
    cl_stage s = t->base;
    uint32_t index;
    s.kind = kind;
    s.label = label;
    s.tasks = (uint64_t)tasks;
    s.cost = 2 * rows * (double)t->n * (double)t->n / FLOPS_PER_CYCLE;
    s.out = kind == CL_STAGE_Q ? t->u : CL_NONE;
    s.nview = kind == CL_STAGE_QR;
    s.view = cl_lower_views(d, s.nview, &t->view);
    if (!s.view)
        return cl_draft_nomem(d);
    return cl_lower_stage(
        d, &s, kind == CL_STAGE_QR ? (uint32_t)(t->recipe - d->recipe) : CL_NONE,
        &index);
}

static clast_status factor_parts(cl_draft *d, tree *t)
{
    const cl_axis *const rows = &t->recipe->grid.axis[0];
    level *const l = &t->level[0];
    l->count = rows->count;
    CL_TRY(cl_lower_blocks(d, l->count, &l->reflectors));
    CL_TRY(squares(d, t, l->count, &l->triangles));
    CL_TRY(
        stage_new(d, t, CL_STAGE_QR, "svd: qr", l->count, (double)cl_axis_hi(rows, 0)));
    for (int64_t i = 0; i < l->count; i++) {
        const int64_t lo = cl_axis_lo(rows, i), m = cl_axis_hi(rows, i) - lo;
        const cl_box box = {.ndim = 2, .lo = {lo, 0}, .n = {m, t->n}};
        const uint32_t reflectors = l->reflectors + (uint32_t)i;
        CL_TRY(cl_lower_read(d, t->view, &box));
        cl_lower_block(d, reflectors, CL_NONE,
                       (uint64_t)cl_reflector_bytes(t->base.dtype, m, t->n),
                       cl_lower_reads_only(d, CL_BLOCK_SOURCE) ? CL_BLOCK_RECOMPUTE
                                                               : 0);
        cl_lower_reads(d);
        CL_TRY(cl_lower_operand(d, reflectors, CL_W));
        CL_TRY(cl_lower_operand(d, l->triangles + (uint32_t)i, CL_W));
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

static clast_status join_level(cl_draft *d, tree *t)
{
    if (t->nlevel == MAX_LEVELS)
        return cl_error_set(d->err, CLAST_ENOTSUP, "too many row parts");
    const level *const from = &t->level[t->nlevel - 1];
    level *const l = &t->level[t->nlevel++];
    l->below = from->count;
    l->count = (from->count - 1) / FAN_IN + 1;
    CL_TRY(cl_lower_blocks(d, l->count, &l->reflectors));
    CL_TRY(squares(d, t, l->count, &l->triangles));
    CL_TRY(stage_new(d, t, CL_STAGE_QR_JOIN, "svd: join", l->count,
                     FAN_IN * (double)t->n));
    for (int64_t g = 0; g < l->count; g++) {
        const int64_t lo = group_lo(l, g), hi = group_lo(l, g + 1);
        const uint32_t reflectors = l->reflectors + (uint32_t)g;
        cl_lower_block(
            d, reflectors, CL_NONE,
            (uint64_t)cl_reflector_bytes(t->base.dtype, (hi - lo) * t->n, t->n), 0);
        for (int64_t i = lo; i < hi; i++)
            CL_TRY(cl_lower_operand(d, from->triangles + (uint32_t)i, CL_R));
        CL_TRY(cl_lower_operand(d, reflectors, CL_W));
        CL_TRY(cl_lower_operand(d, l->triangles + (uint32_t)g, CL_W));
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

/* The block of a whole output that is one tile. */
static uint32_t only_block(const cl_draft *d, uint32_t tensor)
{
    return d->tensor[tensor].first_block;
}

static clast_status factor_root(cl_draft *d, tree *t)
{
    level *const root = &t->level[t->nlevel - 1];
    CL_TRY(stage_new(d, t, CL_STAGE_SVD, "svd", 1, 20 * (double)t->n));
    CL_TRY(cl_lower_operand(d, root->triangles, CL_R));
    if (t->u != CL_NONE) {
        CL_TRY(squares(d, t, 1, &root->w));
        CL_TRY(cl_lower_operand(d, root->w, CL_W));
    }
    CL_TRY(cl_lower_operand(d, only_block(d, t->s), CL_W));
    if (t->vt != CL_NONE)
        CL_TRY(cl_lower_operand(d, only_block(d, t->vt), CL_W));
    return cl_lower_task(d);
}

static clast_status unjoin_level(cl_draft *d, tree *t, int index)
{
    const level *const l = &t->level[index];
    level *const to = &t->level[index - 1];
    CL_TRY(squares(d, t, to->count, &to->w));
    CL_TRY(stage_new(d, t, CL_STAGE_Q_JOIN, "svd: q join", l->count,
                     FAN_IN * (double)t->n));
    for (int64_t g = 0; g < l->count; g++) {
        CL_TRY(cl_lower_operand(d, l->reflectors + (uint32_t)g, CL_R));
        CL_TRY(cl_lower_operand(d, l->w + (uint32_t)g, CL_R));
        for (int64_t i = group_lo(l, g); i < group_lo(l, g + 1); i++)
            CL_TRY(cl_lower_operand(d, to->w + (uint32_t)i, CL_W));
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

static clast_status write_u(cl_draft *d, tree *t)
{
    const level *const l = &t->level[0];
    const cl_axis *const rows = &t->recipe->grid.axis[0];
    CL_TRY(
        stage_new(d, t, CL_STAGE_Q, "svd: q", l->count, (double)cl_axis_hi(rows, 0)));
    for (int64_t i = 0; i < l->count; i++) {
        CL_TRY(cl_lower_operand(d, l->reflectors + (uint32_t)i, CL_R));
        CL_TRY(cl_lower_operand(d, l->w + (uint32_t)i, CL_R));
        CL_TRY(cl_lower_operand(d, only_block(d, t->u) + (uint32_t)i, CL_W));
        CL_TRY(cl_lower_task(d));
    }
    return CLAST_OK;
}

static clast_status output(cl_draft *d, clast_dtype dtype, const cl_grid *grid,
                           uint32_t *tensor)
{
    CL_TRY(cl_draft_tensor(d, dtype, grid, 0, 1, tensor));
    return cl_lower_tiles(d, *tensor, 0);
}

/* s is always made: the stage writes it. u and vt where somebody reads them. */
static clast_status outputs(cl_draft *d, tree *t, uint32_t parts)
{
    const cl_shape vector = {.ndim = 1, .dim = {t->n}};
    const cl_shape square = {.ndim = 2, .dim = {t->n, t->n}};
    const cl_grid one = cl_grid_single(&vector), all = cl_grid_single(&square);
    t->u = t->vt = CL_NONE;
    CL_TRY(output(d, cl_dtype_real(t->base.dtype), &one, &t->s));
    if (parts & 1)
        CL_TRY(output(d, t->base.dtype, &t->recipe->grid, &t->u));
    if (parts & 4)
        CL_TRY(output(d, t->base.dtype, &all, &t->vt));
    const uint32_t tensors[3] = {t->u, t->s, t->vt};
    for (int i = 0; i < 3; i++)
        if (parts >> i & 1)
            d->item[d->item[t->recipe->item].part[i]].tensor = tensors[i];
    return CLAST_OK;
}

clast_status cl_lower_svd(cl_draft *d, cl_recipe *r)
{
    const cl_item it = d->item[r->item];
    const cl_shape shape = d->item[it.in[0]].node.shape;
    const clast_dtype dtype = (clast_dtype)it.node.dtype;
    tree t = {.recipe = r,
              .n = shape.dim[1],
              .element = clast_dtype_size(dtype),
              .nlevel = 1,
              .base = {.node = it.id,
                       .dtype = dtype,
                       .space = {.ndim = 1, .axis = {r->grid.axis[0]}},
                       .columns = shape.dim[1],
                       .part_mask = it.parts | 2}};
    if (shape.dim[0] < shape.dim[1])
        return cl_error_set(d->err, CLAST_EINTERNAL,
                            "svd of a wide matrix (%lld x %lld)",
                            (long long)shape.dim[0], (long long)shape.dim[1]);
    CL_TRY(outputs(d, &t, it.parts));
    if (t.n == 0)
        return CLAST_OK;
    CL_TRY(cl_draft_view(d, it.in[0], &t.view));
    CL_TRY(cl_lower_staged(d, it.id, &r->grid, &t.view));
    CL_TRY(factor_parts(d, &t));
    while (t.level[t.nlevel - 1].count > 1)
        CL_TRY(join_level(d, &t));
    CL_TRY(factor_root(d, &t));
    if (t.u == CL_NONE)
        return CLAST_OK;
    for (int l = t.nlevel - 1; l > 0; l--)
        CL_TRY(unjoin_level(d, &t, l));
    return write_u(d, &t);
}
