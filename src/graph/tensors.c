/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is read of each source, and how stages address what exists.
 *
 * The window of a source is the bounding box of all that any recipe or sink asks of it,
 * found by pushing whole spaces down through maps, concatenations and reshapes. Only
 * the window becomes a tensor; filtered sources round it out to whole chunks. What lies
 * between far parts of it that are used becomes one tile (interval.c). Steps go down
 * too, and give the lattice of the elements that are wanted: a source leaves out of the
 * window what lies between. The view
 * of a source is a map with the window's offset above the tensor, and maps compose, so
 * a chain of views is one map deep wherever neither concatenation nor reshape is on the
 * way.
 */
#include "graph/draft.h"
#include "graph/grid.h"

#include <string.h>

/* ---- windows -------------------------------------------------------------------- */

/* What is asked for: every step-th element of a box, from its first one. */
typedef struct {
    cl_box box;
    int64_t step[CL_MAXDIM];
    bool is_swept; /* by a reduction that follows the array, in the order of its axes */
} region;

static region dense(const cl_box *box)
{
    region r = {.box = *box};
    for (int a = 0; a < box->ndim; a++)
        r.step[a] = 1;
    return r;
}

/* Which elements of the input a map takes a region to. */
static region through(const cl_map *m, const region *out)
{
    region in = {.box = cl_map_box(m, &out->box), .is_swept = out->is_swept};
    int last = -1;
    for (int a = 0; a < m->nin; a++) {
        const int s = m->src[a];
        in.is_swept &= s < 0 || s > last;
        last = s < 0 ? last : s;
        const bool is_one = s < 0 || out->box.n[s] <= 1;
        const int64_t step = is_one ? 1 : m->step[a] * out->step[s];
        in.step[a] = step < 0 ? -step : step;
    }
    return in;
}

static void touch(cl_draft *d, uint32_t item, const region *asked);

static int64_t common_step(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The coarsest lattice that holds both. One element has no step. */
static void want(cl_lattice *l, const region *r, bool is_first)
{
    for (int a = 0; a < r->box.ndim; a++) {
        const int64_t lo = r->box.lo[a], step = r->box.n[a] > 1 ? r->step[a] : 0;
        const int64_t apart = is_first ? 0 : lo - l->first[a];
        if (is_first)
            l->first[a] = lo;
        l->step[a] = common_step(is_first ? 0 : l->step[a], step);
        l->step[a] = common_step(l->step[a], apart < 0 ? -apart : apart);
    }
}

/* Without memory nothing is noted, and all of the window counts as used. */
static void note_used(cl_draft *d, uint32_t source, const cl_box *box)
{
    cl_intervals **const used = &d->intervals[source];
    if (!*used && !d->is_read[source])
        *used = cl_arena_array(&d->scratch, (size_t)box->ndim + 1, sizeof **used);
    for (int a = 0; *used && a < box->ndim; a++)
        cl_intervals_add(&(*used)[a], box->lo[a], box->lo[a] + box->n[a]);
}

static void touch_source(cl_draft *d, uint32_t source, const region *asked)
{
    cl_box *const w = &d->window[source];
    const cl_box *const box = &asked->box;
    d->is_swept[source] &= asked->is_swept;
    if (cl_box_count(box) > 0)
        note_used(d, source, box);
    const bool is_first = !d->is_read[source] || cl_box_count(w) == 0;
    if (!is_first && cl_box_count(box) == 0)
        return;
    d->is_read[source] = true;
    want(&d->wanted[source], asked, is_first);
    if (is_first) {
        *w = *box;
        return;
    }
    for (int a = 0; a < w->ndim; a++) {
        const int64_t lo = w->lo[a] < box->lo[a] ? w->lo[a] : box->lo[a];
        const int64_t hi = w->lo[a] + w->n[a], other = box->lo[a] + box->n[a];
        w->lo[a] = lo;
        w->n[a] = (hi > other ? hi : other) - lo;
    }
}

/* Along the axis of the join the parts are taken whole. */
static void touch_concat(cl_draft *d, const cl_item *it, const region *asked)
{
    const cl_box *const box = &asked->box;
    const int axis = it->node.params.axis;
    int64_t start = 0;
    for (uint32_t i = 0; i < it->node.nin; i++) {
        const cl_shape shape = d->item[it->in[i]].node.shape;
        cl_box mine = cl_box_whole(&shape), part;
        mine = *box;
        mine.lo[axis] = start;
        mine.n[axis] = shape.dim[axis];
        start += shape.dim[axis];
        if (!cl_box_intersect(&mine, box, &part)) {
            const region nothing = {.box.ndim = shape.ndim};
            touch(d, it->in[i], &nothing);
            continue;
        }
        part.lo[axis] -= mine.lo[axis];
        region in = *asked;
        in.is_swept = false;
        in.box = part;
        in.step[axis] = 1;
        touch(d, it->in[i], &in);
    }
}

/* In C order a box lies between its first and its last element; what is between them in
 * the other shape is a box up to the first axis on which they differ. */
static void touch_reshape(cl_draft *d, const cl_item *it, const cl_box *box)
{
    const cl_shape *const shape = &it->node.shape;
    const cl_shape in = d->item[it->in[0]].node.shape;
    cl_box part = {.ndim = in.ndim};
    if (cl_box_count(box) > 0) {
        int64_t first = 0, last = 0;
        for (int a = 0; a < shape->ndim; a++) {
            first = first * shape->dim[a] + box->lo[a];
            last = last * shape->dim[a] + box->lo[a] + box->n[a] - 1;
        }
        bool same = true;
        int64_t inner = 1;
        for (int a = 0; a < in.ndim; a++)
            inner *= in.dim[a];
        for (int a = 0; a < in.ndim; a++) {
            inner /= in.dim[a];
            const int64_t lo = first / inner % in.dim[a], hi = last / inner % in.dim[a];
            part.lo[a] = same ? lo : 0;
            part.n[a] = same ? hi - lo + 1 : in.dim[a];
            same &= lo == hi;
        }
    }
    const region all = dense(&part);
    touch(d, it->in[0], &all);
}

static void touch_below(cl_draft *d, const cl_item *it, const region *asked)
{
    if (it->node.op == CL_OP_SOURCE)
        touch_source(d, it->node.params.source, asked);
    else if (it->node.op == CL_OP_CONCAT)
        touch_concat(d, it, asked);
    else if (it->node.op == CL_OP_RESHAPE)
        touch_reshape(d, it, &asked->box);
}

static void touch(cl_draft *d, uint32_t item, const region *asked)
{
    const cl_item *const top = &d->item[item];
    if (cl_item_is_made(d, top))
        return;
    const cl_item *const it = &d->item[top->base];
    const region mine = through(&top->map, asked);
    if (it->node.op == CL_OP_SOURCE || !cl_item_is_made(d, it))
        touch_below(d, it, &mine);
}

/* All of an item. */
static void touch_whole(cl_draft *d, uint32_t item)
{
    const cl_box box = cl_box_whole(&d->item[item].node.shape);
    const region all = dense(&box);
    touch(d, item, &all);
}

static bool is_plain_source(const cl_draft *d, const cl_node *node)
{
    if (node->op != CL_OP_SOURCE)
        return false;
    const cl_source_facts *const f = &d->fact[node->params.source];
    return !f->has_chunks && !f->is_memory && !f->tiles;
}

/* A reduction that takes its grid from sources without chunks: nothing else that it
 * reads is as large. */
static bool is_sweep(const cl_draft *d, const cl_recipe *r)
{
    int64_t all, n;
    if (r->kind != CL_RECIPE_FOLD || r->hint != CL_NONE ||
        !cl_shape_count(&r->space, &all))
        return false;
    for (uint32_t l = 0; l < r->nleaf; l++) {
        const cl_node *const node = &d->item[r->leaf[l].item].node;
        if (!is_plain_source(d, node) &&
            (!cl_shape_count(&node->shape, &n) || n >= all))
            return false;
    }
    return true;
}

/* A leaf may be the very item that its recipe copies: look below it. */
static void touch_leaf(cl_draft *d, const cl_recipe *r, const cl_leaf *leaf)
{
    const cl_box space = cl_box_whole(&r->space);
    region all = dense(&space);
    all.is_swept = is_sweep(d, r);
    const region asked = through(&leaf->map, &all);
    if (leaf->item != r->item)
        touch(d, leaf->item, &asked);
    else
        touch_below(d, &d->item[leaf->item], &asked);
}

static void round_to_chunks(const cl_source_facts *f, cl_box *w)
{
    for (int a = 0; a < w->ndim; a++) {
        if (w->n[a] == 0 || f->chunk[a] <= 0)
            continue;
        const int64_t lo = w->lo[a] / f->chunk[a] * f->chunk[a];
        const int64_t last = (w->lo[a] + w->n[a] - 1) / f->chunk[a];
        const int64_t end = f->shape.dim[a] / f->chunk[a] > last
                                ? (last + 1) * f->chunk[a]
                                : f->shape.dim[a];
        w->lo[a] = lo;
        w->n[a] = end - lo;
    }
}

clast_status cl_draft_windows(cl_draft *d)
{
    d->window = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->window);
    d->wanted = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->wanted);
    d->is_read = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->is_read);
    d->is_swept = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->is_swept);
    d->intervals = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->intervals);
    d->source_tensor =
        cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->source_tensor);
    d->last_reader = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->last_reader);
    if (!d->window || !d->wanted || !d->intervals || !d->is_read || !d->is_swept ||
        !d->source_tensor || !d->last_reader)
        return cl_draft_nomem(d);
    memset(d->is_swept, true, d->nfact * sizeof *d->is_swept);
    memset(d->last_reader, 0xff, d->nfact * sizeof *d->last_reader);
    for (size_t i = 0; i < d->nrecipe; i++) {
        const cl_recipe *const r = &d->recipe[i];
        if (r->dead)
            continue;
        for (uint32_t l = 0; l < r->nleaf; l++)
            touch_leaf(d, r, &r->leaf[l]);
        const cl_item *const it = &d->item[r->item];
        if (r->kind == CL_RECIPE_MAP || r->kind == CL_RECIPE_FOLD)
            continue;
        for (uint32_t k = 0; k < it->node.nin; k++)
            touch_whole(d, it->in[k]);
    }
    for (uint32_t i = 0; i < d->nsink; i++)
        touch_whole(d, d->sink_item[i]);
    for (uint32_t s = 0; s < d->nfact; s++) {
        const cl_source_facts *const f = &d->fact[s];
        if (!d->is_read[s])
            continue;
        if (f->is_memory || f->tiles)
            d->window[s] = cl_box_whole(&f->shape);
        else if (f->has_chunks && f->is_filtered)
            round_to_chunks(f, &d->window[s]);
    }
    return CLAST_OK;
}

/* ---- tensors -------------------------------------------------------------------- */

clast_status cl_draft_tensor(cl_draft *d, clast_dtype dtype, const cl_grid *grid,
                             uint32_t first_block, uint32_t step, uint32_t *tensor)
{
    const size_t need = d->ntensor + 1;
    if (!cl_grow(&d->tensor, &d->tensor_capacity, need, sizeof *d->tensor) ||
        !cl_grow(&d->natural, &d->natural_capacity, need, sizeof *d->natural) ||
        !cl_grow(&d->is_aligned, &d->aligned_capacity, need, sizeof *d->is_aligned))
        return cl_draft_nomem(d);
    cl_tensor *const t = &d->tensor[d->ntensor];
    memset(t, 0, sizeof *t);
    t->dtype = dtype;
    t->grid = *grid;
    t->first_block = first_block;
    t->block_step = step;
    d->natural[d->ntensor] = *grid;
    d->is_aligned[d->ntensor] = true;
    *tensor = (uint32_t)d->ntensor++;
    return CLAST_OK;
}

/* Bytes of staging while a tile is loaded. */
static uint64_t staging(const cl_source_facts *f, const cl_box *window,
                        const cl_box *tile, uint64_t bytes)
{
    uint64_t chunks = 1;
    for (int a = 0; f->has_chunks && a < tile->ndim; a++) {
        const int64_t c = f->chunk[a] > 0 ? f->chunk[a] : 1;
        const int64_t lo = window->lo[a] + tile->lo[a];
        chunks *= (uint64_t)((lo + tile->n[a] - 1) / c - lo / c + 1);
    }
    return f->staging_fixed + chunks * f->staging_per_chunk + (f->is_slow ? bytes : 0);
}

static clast_status source_blocks(cl_draft *d, uint32_t source, uint32_t tensor)
{
    const cl_source_facts *const f = &d->fact[source];
    const cl_grid grid = d->tensor[tensor].grid;
    const int64_t tiles = cl_grid_tiles(&grid);
    uint32_t first;
    CL_TRY(cl_lower_blocks(d, tiles, &first));
    d->tensor[tensor].first_block = first;
    for (int64_t t = 0; t < tiles; t++) {
        const uint32_t b = first + (uint32_t)t;
        const cl_box box = cl_grid_box(&grid, t);
        const uint64_t bytes =
            (uint64_t)cl_box_count(&box) * clast_dtype_size(f->dtype);
        if (f->is_memory) {
            cl_lower_block(d, b, tensor, 0, CL_BLOCK_RESIDENT);
        } else if (f->tiles) {
            cl_lower_block(d, b, tensor, bytes, CL_BLOCK_PERSIST);
        } else {
            cl_lower_block(d, b, tensor, bytes, CL_BLOCK_SOURCE);
            d->block[b].load_pages =
                (uint32_t)cl_pages(staging(f, &d->window[source], &box, bytes));
        }
    }
    return CLAST_OK;
}

/* The grid of the window: that of the whole array where storage has one, so that the
 * same elements are in the same tiles whatever the window. */
static clast_status source_grid(cl_draft *d, uint32_t source, cl_grid *grid)
{
    const cl_source_facts *const f = &d->fact[source];
    const cl_box *const w = &d->window[source];
    cl_shape shape = {.ndim = w->ndim};
    memcpy(shape.dim, w->n, sizeof shape.dim);
    const size_t element = clast_dtype_size(f->dtype);
    cl_arena *const arena = &d->plan->arena;
    if (f->has_chunks)
        CL_TRY(cl_grid_storage(arena, &f->shape, f->chunk, f->is_filtered, element,
                               cl_draft_target(d), grid));
    else if (d->is_swept[source])
        *grid = cl_grid_rows(&shape, element, cl_draft_target(d));
    else
        *grid = cl_grid_default(&shape, element, cl_draft_target(d));
    for (int a = 0; a < w->ndim; a++) {
        const cl_axis whole = grid->axis[a];
        const int64_t lo = f->has_chunks ? w->lo[a] : 0; /* of the window in `whole` */
        cl_intervals used = {.n = 1, .lo = {w->lo[a]}, .hi = {w->lo[a] + w->n[a]}};
        if (d->intervals[source])
            used = d->intervals[source][a];
        for (int i = 0; i < used.n; i++) {
            used.lo[i] += lo - w->lo[a];
            used.hi[i] += lo - w->lo[a];
        }
        CL_TRY(cl_axis_used(arena, &whole, lo, w->n[a], &used, &grid->axis[a]));
    }
    return CLAST_OK;
}

static clast_status copy_grid(cl_draft *d, const cl_grid *from, cl_grid *to)
{
    *to = *from;
    for (int a = 0; a < from->ndim; a++) {
        if (!from->axis[a].cuts)
            continue;
        const size_t count = (size_t)from->axis[a].count + 1;
        int64_t *const cuts = cl_arena_array(&d->plan->arena, count, sizeof *cuts);
        if (!cuts)
            return cl_draft_nomem(d);
        memcpy(cuts, from->axis[a].cuts, count * sizeof *cuts);
        to->axis[a].cuts = cuts;
    }
    return CLAST_OK;
}

static clast_status source_tensor(cl_draft *d, uint32_t s)
{
    const cl_source_facts *const f = &d->fact[s];
    cl_grid grid;
    if (f->is_memory)
        grid = cl_grid_single(&f->shape);
    else if (f->tiles)
        CL_TRY(copy_grid(d, f->tiles, &grid));
    else if (source_grid(d, s, &grid) != CLAST_OK)
        return cl_draft_nomem(d);
    uint32_t tensor;
    CL_TRY(cl_draft_tensor(d, f->dtype, &grid, 0, 1, &tensor));
    d->source_tensor[s] = tensor;
    d->is_aligned[tensor] = !f->is_memory && (f->has_chunks || f->tiles);
    if (f->is_memory) {
        d->tensor[tensor].strided = true;
        memcpy(d->tensor[tensor].stride, f->stride, sizeof f->stride);
    }
    CL_TRY(source_blocks(d, s, tensor));
    if (!cl_grow(&d->source, &d->source_capacity, d->nsource + 1, sizeof *d->source))
        return cl_draft_nomem(d);
    cl_plan_source *const p = &d->source[d->nsource++];
    *p = (cl_plan_source){.tensor = tensor, .source = s};
    memcpy(p->origin, d->window[s].lo, sizeof p->origin);
    p->wanted = d->wanted[s];
    for (int a = 0; a < CL_MAXDIM; a++) /* 0: one element, or no such axis */
        p->wanted.step[a] = p->wanted.step[a] > 0 ? p->wanted.step[a] : 1;
    return CLAST_OK;
}

clast_status cl_draft_sources(cl_draft *d)
{
    for (uint32_t s = 0; s < d->nfact; s++) {
        d->source_tensor[s] = CL_NONE;
        if (d->is_read[s])
            CL_TRY(source_tensor(d, s));
    }
    return CLAST_OK;
}

/* ---- views ---------------------------------------------------------------------- */

static clast_status view_new(cl_draft *d, cl_view_kind kind, const cl_shape *shape,
                             uint32_t *view)
{
    if (!cl_grow(&d->view, &d->view_capacity, d->nview + 1, sizeof *d->view))
        return cl_draft_nomem(d);
    cl_view *const v = &d->view[d->nview];
    memset(v, 0, sizeof *v);
    v->kind = kind;
    v->shape = *shape;
    *view = (uint32_t)d->nview++;
    return CLAST_OK;
}

clast_status cl_draft_view_map(cl_draft *d, uint32_t child, const cl_map *map,
                               const cl_shape *shape, uint32_t *view)
{
    cl_map whole = *map;
    if (d->view[child].kind == CL_VIEW_MAP) {
        whole = cl_map_compose(map, &d->view[child].map);
        child = d->view[child].child;
    }
    if (cl_map_is_identity(&whole) && cl_shape_equal(shape, &d->view[child].shape)) {
        *view = child;
        return CLAST_OK;
    }
    CL_TRY(view_new(d, CL_VIEW_MAP, shape, view));
    d->view[*view].child = child;
    d->view[*view].map = whole;
    return CLAST_OK;
}

clast_status cl_draft_view_tensor(cl_draft *d, uint32_t tensor, uint32_t *view)
{
    const cl_shape shape = cl_grid_shape(&d->tensor[tensor].grid);
    CL_TRY(view_new(d, CL_VIEW_TENSOR, &shape, view));
    d->view[*view].tensor = tensor;
    return CLAST_OK;
}

clast_status cl_draft_view_reshape(cl_draft *d, uint32_t child, const cl_shape *shape,
                                   uint32_t *view)
{
    CL_TRY(view_new(d, CL_VIEW_RESHAPE, shape, view));
    d->view[*view].child = child;
    return CLAST_OK;
}

static clast_status view_source(cl_draft *d, const cl_item *it, uint32_t *view)
{
    const uint32_t source = it->node.params.source;
    uint32_t leaf = CL_NONE;
    CL_TRY(cl_draft_view_tensor(d, d->source_tensor[source], &leaf));
    cl_map shift = cl_map_identity(it->node.shape.ndim);
    for (int a = 0; a < shift.nin; a++)
        shift.off[a] = -d->window[source].lo[a];
    return cl_draft_view_map(d, leaf, &shift, &it->node.shape, view);
}

static clast_status concat_new(cl_draft *d, int axis, uint32_t n,
                               const uint32_t *children, const int64_t *starts,
                               const cl_shape *shape, uint32_t *view)
{
    CL_TRY(view_new(d, CL_VIEW_CONCAT, shape, view));
    cl_view *const v = &d->view[*view];
    v->axis = axis;
    v->nchild = n;
    v->children = children;
    v->starts = starts;
    return CLAST_OK;
}

clast_status cl_draft_view_concat(cl_draft *d, int axis, uint32_t n,
                                  const uint32_t *children, const int64_t *starts,
                                  const cl_shape *shape, uint32_t *view)
{
    uint32_t *const in = cl_arena_array(&d->plan->arena, n + 1u, sizeof *in);
    int64_t *const at = cl_arena_array(&d->plan->arena, n + 1u, sizeof *at);
    if (!in || !at)
        return cl_draft_nomem(d);
    memcpy(in, children, n * sizeof *in);
    memcpy(at, starts, (n + 1u) * sizeof *at);
    return concat_new(d, axis, n, in, at, shape, view);
}

static clast_status view_concat(cl_draft *d, uint32_t item, uint32_t *view)
{
    const cl_item *const it = &d->item[item];
    const uint32_t n = it->node.nin;
    const int axis = it->node.params.axis;
    uint32_t *const children =
        cl_arena_array(&d->plan->arena, n + 1u, sizeof *children);
    int64_t *const starts = cl_arena_array(&d->plan->arena, n + 1u, sizeof *starts);
    if (!children || !starts)
        return cl_draft_nomem(d);
    for (uint32_t i = 0; i < n; i++) {
        CL_TRY(cl_draft_view(d, it->in[i], &children[i]));
        starts[i + 1] = starts[i] + d->item[it->in[i]].node.shape.dim[axis];
    }
    return concat_new(d, axis, n, children, starts, &it->node.shape, view);
}

static clast_status view_base(cl_draft *d, uint32_t item, uint32_t *view)
{
    const cl_item *const it = &d->item[item];
    uint32_t child = CL_NONE;
    switch (it->node.op) {
    case CL_OP_SOURCE:
        return view_source(d, it, view);
    case CL_OP_CONCAT:
        return view_concat(d, item, view);
    case CL_OP_RESHAPE:
        CL_TRY(cl_draft_view(d, it->in[0], &child));
        return cl_draft_view_reshape(d, child, &it->node.shape, view);
    default:
        return cl_error_set(d->err, CLAST_EINTERNAL, "%s is read but was never planned",
                            cl_ops[it->node.op].name);
    }
}

clast_status cl_draft_view(cl_draft *d, uint32_t item, uint32_t *view)
{
    cl_item *const it = &d->item[item];
    if (it->view == CL_NONE) {
        uint32_t made = CL_NONE;
        if (it->tensor != CL_NONE)
            CL_TRY(cl_draft_view_tensor(d, it->tensor, &made));
        else if (it->base != item)
            CL_TRY(cl_draft_view_mapped(d, it->base, &it->map, &it->node.shape, &made));
        else
            CL_TRY(view_base(d, item, &made));
        it->view = made;
    }
    *view = it->view;
    return CLAST_OK;
}

clast_status cl_draft_view_mapped(cl_draft *d, uint32_t item, const cl_map *map,
                                  const cl_shape *space, uint32_t *view)
{
    uint32_t child = CL_NONE;
    CL_TRY(cl_draft_view(d, item, &child));
    return cl_draft_view_map(d, child, map, space, view);
}

/* ---- what storage suggests --------------------------------------------------------
 */

clast_status cl_draft_project(cl_draft *d, const cl_grid *from, const cl_map *map,
                              const cl_shape *space, cl_grid *grid, bool *is_whole)
{
    bool covered[CL_MAXDIM] = {false};
    *grid = cl_grid_single(space);
    for (int a = 0; a < map->nin; a++) {
        const int s = map->src[a];
        if (s < 0)
            continue;
        covered[s] = true;
        if (cl_axis_project(&d->plan->arena, &from->axis[a], map->off[a], map->step[a],
                            space->dim[s], &grid->axis[s]) != CLAST_OK)
            return cl_draft_nomem(d);
    }
    *is_whole = true;
    for (int s = 0; s < space->ndim; s++)
        *is_whole &= covered[s] || space->dim[s] <= 1;
    return CLAST_OK;
}

/* The children's grids one after another; other axes as in the child of most elements.
 */
static clast_status natural_concat(cl_draft *d, const cl_item *it, cl_grid *grid,
                                   bool *is_aligned, bool *found)
{
    const int axis = it->node.params.axis;
    int64_t most = -1;
    cl_axis *const along = cl_arena_array(&d->scratch, it->node.nin, sizeof *along);
    if (!along)
        return cl_draft_nomem(d);
    *is_aligned = true;
    for (uint32_t i = 0; i < it->node.nin; i++) {
        const cl_item *const in = &d->item[it->in[i]];
        const cl_map identity = cl_map_identity(in->node.shape.ndim);
        cl_grid g;
        bool aligned, whole;
        CL_TRY(cl_draft_natural(d, it->in[i], &identity, &in->node.shape, &g, &aligned,
                                &whole, found));
        if (!*found)
            return CLAST_OK;
        *is_aligned &= aligned;
        if (g.axis[axis].n > most) {
            most = g.axis[axis].n;
            *grid = g;
        }
        along[i] = g.axis[axis];
    }
    if (cl_axis_chain(&d->plan->arena, it->node.nin, along, &grid->axis[axis]) !=
        CLAST_OK)
        return cl_draft_nomem(d);
    return CLAST_OK;
}

clast_status cl_draft_natural(cl_draft *d, uint32_t item, const cl_map *map,
                              const cl_shape *space, cl_grid *grid, bool *is_aligned,
                              bool *is_whole, bool *found)
{
    const cl_item *it = &d->item[item];
    cl_map whole = *map;
    if (it->tensor == CL_NONE && it->base != item) {
        whole = cl_map_compose(map, &it->map);
        it = &d->item[it->base];
    }
    *found = true;
    uint32_t tensor = it->tensor;
    if (tensor == CL_NONE && it->node.op == CL_OP_SOURCE) {
        const uint32_t source = it->node.params.source;
        tensor = d->source_tensor[source];
        for (int a = 0; a < whole.nin; a++)
            whole.off[a] -= d->window[source].lo[a];
    }
    cl_grid from;
    if (tensor != CL_NONE) {
        from = d->natural[tensor];
        *is_aligned = d->is_aligned[tensor];
        *found = !d->tensor[tensor].strided;
    } else if (it->node.op == CL_OP_CONCAT) {
        CL_TRY(natural_concat(d, it, &from, is_aligned, found));
    } else {
        *found = false;
    }
    if (!*found)
        return CLAST_OK;
    return cl_draft_project(d, &from, &whole, space, grid, is_whole);
}
