/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Staging where pieces have to be looked at: below reshapes and concatenations no
 * formula says how many tiles a task gathers, so the first, the middle and the last
 * task are asked.
 *
 * Reshapes read runs in C order. Where tasks gather too many tiles or short runs, what
 * is reshaped is copied into *slabs* first (tiles that are contiguous in C order), then
 * the reshaped array too if its reader wants another grid.
 *
 * Where little of each of many blocks is wanted (thousands of short arrays, one after
 * another) a tree of copies gathers at most CL_MAX_PIECES of them at a time. The cuts
 * are found by halving the reader's tile along the axis that helps most.
 */
#include "graph/draft.h"
#include "graph/grid.h"

#include <string.h>

enum { LEAST_RUN = 512, LEAST_PIECE = 16384, MOST_RUNS = 1 << 16 };

/* What the neediest of some tasks gathers. */
typedef struct {
    cl_draft *d;
    int64_t runs, blocks;
    double bytes, wanted;
    clast_dtype dtype;
    cl_box box; /* of that task */
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

static clast_status look(cl_draft *d, uint32_t view, const cl_box *box, sample *out)
{
    sample s = {.d = d, .box = *box};
    cl_lower_forget_reads(d);
    const clast_status status =
        cl_view_pieces(d->view, d->tensor, view, box, count_piece, &s);
    if (status != CLAST_OK && status != CLAST_ECANCELED)
        return status;
    s.bytes = (double)cl_lower_read_bytes(d, &s.blocks);
    s.wanted = (double)cl_box_count(box) * (double)clast_dtype_size(s.dtype);
    if (out->d == NULL || s.blocks > out->blocks || s.runs > out->runs)
        *out = s;
    return CLAST_OK;
}

static clast_status sampled(cl_draft *d, uint32_t view, const cl_grid *grid, sample *s)
{
    const int64_t tiles = cl_grid_tiles(grid), at[3] = {0, tiles / 2, tiles - 1};
    *s = (sample){0};
    for (int i = 0; i < 3 && tiles > 0; i++) {
        const cl_box box = cl_grid_box(grid, at[i]);
        CL_TRY(look(d, view, &box, s));
    }
    return CLAST_OK;
}

static bool is_scattered(const sample *s)
{
    return s->blocks > CL_MAX_PIECES && s->wanted < (double)s->blocks * LEAST_PIECE;
}

/* ---- reshapes ------------------------------------------------------------------- */

static bool has_short_runs(const sample *s)
{
    return s->runs > MOST_RUNS ||
           (s->runs > CL_MAX_PIECES && s->wanted / (double)s->runs < LEAST_RUN);
}

static clast_status is_heavy(cl_draft *d, const cl_reading *r, uint32_t view,
                             const cl_grid *grid, bool *heavy, clast_dtype *dtype)
{
    sample s;
    CL_TRY(sampled(d, view, grid, &s));
    const double most = 16 * (double)cl_draft_target(d), has = cl_lower_room(d, r);
    *heavy = has_short_runs(&s) ||
             (s.bytes > 2 * s.wanted && cl_lower_exceeds(d, s.bytes, has)) ||
             (s.bytes > 4 * s.wanted && s.bytes > most);
    *dtype = s.dtype;
    return CLAST_OK;
}

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

/* A copy in slabs of what a view shows. */
static clast_status copy_slabs(cl_draft *d, uint32_t node, clast_dtype dtype,
                               uint32_t *view)
{
    const size_t element = clast_dtype_size(dtype);
    const cl_grid grid = slabs(d, &d->view[*view].shape, element);
    cl_reading r = {.node = node,
                    .grid = &grid,
                    .bytes = (uint64_t)cl_grid_largest(&grid) * element};
    CL_TRY(cl_lower_fitted(d, &r, 1, view));
    return cl_lower_copy(d, node, dtype, &grid, NULL, view);
}

static clast_status reshape(cl_draft *d, const cl_reading *r, uint32_t *view)
{
    const cl_view top = d->view[*view];
    uint32_t reshaped = top.kind == CL_VIEW_MAP ? top.child : *view;
    const cl_shape shape = d->view[reshaped].shape;
    bool heavy;
    clast_dtype dtype;
    CL_TRY(is_heavy(d, r, *view, r->grid, &heavy, &dtype));
    if (!heavy)
        return CLAST_OK;

    const cl_grid out = slabs(d, &shape, clast_dtype_size(dtype));
    CL_TRY(is_heavy(d, r, reshaped, &out, &heavy, &dtype));
    if (heavy) {
        uint32_t child = d->view[reshaped].child;
        CL_TRY(copy_slabs(d, r->node, dtype, &child));
        CL_TRY(cl_draft_view_reshape(d, child, &shape, &reshaped));
    }
    CL_TRY(cl_lower_copy(d, r->node, dtype, &out, NULL, &reshaped));
    *view = reshaped;
    return top.kind == CL_VIEW_MAP
               ? cl_draft_view_map(d, reshaped, &top.map, &top.shape, view)
               : CLAST_OK;
}

/* ---- many short pieces ---------------------------------------------------------- */

/* Halves a box until few blocks are below it; *count: how often. */
static clast_status halve(cl_draft *d, uint32_t view, sample s, int64_t *size)
{
    memcpy(size, s.box.n, sizeof s.box.n);
    while (s.blocks > CL_MAX_PIECES) {
        sample best = s;
        for (int a = 0; a < s.box.ndim; a++) {
            sample half = {0};
            cl_box box = s.box;
            if (box.n[a] == 1)
                continue;
            box.n[a] = (box.n[a] + 1) / 2;
            CL_TRY(look(d, view, &box, &half));
            if (half.blocks < best.blocks)
                best = half;
        }
        if (best.blocks == s.blocks)
            return CLAST_OK;
        s = best;
        memcpy(size, s.box.n, sizeof s.box.n);
    }
    return CLAST_OK;
}

/* Tiles of the size below a tile of the reader. */
static int64_t count_below(const cl_grid *reader, const int64_t *size)
{
    int64_t count = 1;
    for (int a = 0; a < reader->ndim; a++)
        count *= (cl_axis_largest(&reader->axis[a]) - 1) / size[a] + 1;
    return count;
}

/* The next level of the tree: CL_MAX_PIECES tiles become one. */
static void widen(const cl_grid *reader, int64_t *size)
{
    for (int factor = 2; factor <= CL_MAX_PIECES; factor *= 2) {
        int most = 0;
        double ratio = 0;
        for (int a = 0; a < reader->ndim; a++) {
            const double here =
                (double)cl_axis_largest(&reader->axis[a]) / (double)size[a];
            if (here > ratio) {
                ratio = here;
                most = a;
            }
        }
        size[most] *= 2;
    }
}

static clast_status gather(cl_draft *d, const cl_reading *r, const sample *s,
                           uint32_t *view)
{
    const cl_shape space = d->view[*view].shape;
    int64_t size[CL_MAXDIM];
    CL_TRY(halve(d, *view, *s, size));
    if (count_below(r->grid, size) == 1)
        return CLAST_OK;
    for (;;) {
        cl_grid level = {.ndim = space.ndim};
        for (int a = 0; a < space.ndim; a++)
            level.axis[a] = cl_axis_regular(space.dim[a], size[a]);
        CL_TRY(cl_lower_copy(d, r->node, s->dtype, &level, NULL, view));
        const int64_t count = count_below(r->grid, size);
        if (count <= CL_MAX_PIECES || s->wanted >= (double)count * LEAST_PIECE)
            return CLAST_OK;
        widen(r->grid, size);
    }
}

clast_status cl_lower_gathered(cl_draft *d, const cl_reading *r, uint32_t *view)
{
    const cl_view *v = &d->view[*view];
    if (v->kind == CL_VIEW_MAP)
        v = &d->view[v->child];
    if (v->kind == CL_VIEW_RESHAPE)
        return reshape(d, r, view);
    if (v->kind != CL_VIEW_CONCAT)
        return CLAST_OK;
    sample s;
    CL_TRY(sampled(d, *view, r->grid, &s));
    return is_scattered(&s) ? gather(d, r, &s, view) : CLAST_OK;
}
