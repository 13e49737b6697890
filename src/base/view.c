/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Views: from a box to the pieces of tiles that hold it.
 *
 * The walk goes down the tree with a box of the *asked* index space and, for each axis
 * of the node it is at, an affine form of the asked indices: the coordinate there.
 * Maps rewrite the forms and leave the box whole. The other nodes may *cut* the box:
 *
 *   TENSOR    each axis at its tile borders; then every form has constant strides
 *   CONCAT    the axis at the borders of the children
 *   RESHAPE   where the digits of the flat index stop being affine: both shapes are
 *             first factored into groups of axes of equal product; a group is one
 *             affine form, written in the mixed radix of its input axes
 *
 * One routine does all three. A *cell* holds a few quantities that are affine near the
 * box's first corner, each with the room it has below and above before the cell ends
 * (a tile border, a digit's range). Axes are tried from the smallest step to the
 * largest: while whole axes fit, the box grows; where one does not, the rest is cut
 * off. If an outer axis is left then, one index of the outermost is peeled and handled
 * alone. So cuts are exact for steps of either sign and for several asked axes moving
 * one coordinate, pieces partition the box, and the work is O(pieces) times the rank.
 * For an affine extension of mixed-radix digits, staying in range is also sufficient:
 * digits in range are unique (docs/index-maps.md).
 */
#include "base/view.h"

#include <string.h>

/* A coordinate: off + sum over asked axes of coef[s] * x[s]. */
typedef struct {
    int64_t off, coef[CL_MAXDIM];
} form;

typedef struct {
    const cl_view *views;
    const cl_tensor *tensors;
    cl_piece_fn *fn;
    void *arg;
    int ndim; /* of the asked space */
} walk;

static void clear_form(form *f, int ndim, int64_t off)
{
    f->off = off;
    memset(f->coef, 0, (size_t)ndim * sizeof *f->coef);
}

/* f += factor * g */
static void add_form(form *f, int ndim, int64_t factor, const form *g)
{
    f->off += factor * g->off;
    for (int s = 0; s < ndim; s++)
        f->coef[s] += factor * g->coef[s];
}

static int64_t value_at(const form *f, int ndim, const int64_t *x)
{
    int64_t v = f->off;
    for (int s = 0; s < ndim; s++)
        v += f->coef[s] * x[s];
    return v;
}

/* ---- cutting a box into cells ---- */

/* What a form is cut by: the parts of an axis, or (axis NULL) the digits of its value
 * in a mixed radix, the last being the fastest. */
typedef struct {
    const cl_axis *axis;
    int ndigit;
    int64_t radix[CL_MAXDIM], weight[CL_MAXDIM];
} ruler;

typedef struct {
    int64_t value;                              /* of the form at the corner */
    int64_t part;                               /* axis: which one */
    int64_t below[CL_MAXDIM], above[CL_MAXDIM]; /* room of each quantity */
} cell;

typedef clast_status cell_fn(const walk *w, const void *arg, const cl_box *box,
                             const cell *c);

/* A cut under way: what is cut by what, and who gets the cells. */
typedef struct {
    const form *form;
    const ruler *ruler;
    cell_fn *fn;
    const void *arg;
    int naxes;
    int8_t axes[CL_MAXDIM]; /* that move the form, smallest step first */
} cut;

static int64_t digit(const ruler *r, int i, int64_t value)
{
    return r->axis ? value : value / r->weight[i] % r->radix[i];
}

/* How quantity i changes when the form at the corner changes by `step`. */
static int64_t digit_step(const ruler *r, int i, const cell *c, int64_t step)
{
    return r->axis ? step : digit(r, i, c->value + step) - digit(r, i, c->value);
}

static void open_cell(const walk *w, const cut *k, const cl_box *box, cell *c)
{
    const ruler *r = k->ruler;
    c->value = value_at(k->form, w->ndim, box->lo);
    if (r->axis) {
        c->part = cl_axis_find(r->axis, c->value);
        c->below[0] = c->value - cl_axis_lo(r->axis, c->part);
        c->above[0] = cl_axis_hi(r->axis, c->part) - 1 - c->value;
        return;
    }
    for (int i = 0; i < r->ndigit; i++) {
        c->below[i] = digit(r, i, c->value);
        c->above[i] = r->radix[i] - 1 - c->below[i];
    }
}

/* How many indices of an asked axis, at most n, stay in the cell; takes their room. */
static int64_t extend(const ruler *r, cell *c, int64_t step, int64_t n)
{
    const int count = r->axis ? 1 : r->ndigit;
    int64_t delta[CL_MAXDIM], most = n;
    if (n == 1)
        return 1;
    for (int i = 0; i < count; i++) {
        delta[i] = digit_step(r, i, c, step);
        const int64_t reach = delta[i] > 0   ? c->above[i] / delta[i] + 1
                              : delta[i] < 0 ? c->below[i] / -delta[i] + 1
                                             : most;
        most = reach < most ? reach : most;
    }
    for (int i = 0; i < count; i++) {
        if (delta[i] > 0)
            c->above[i] -= delta[i] * (most - 1);
        else
            c->below[i] += delta[i] * (most - 1);
    }
    return most;
}

static int outermost(const cut *k, const cl_box *box)
{
    int j = k->naxes - 1;
    while (j > 0 && box->n[k->axes[j]] == 1)
        j--;
    return j;
}

/* Calls k->fn for the cells that partition a box (not empty). */
static clast_status cut_box(const walk *w, const cut *k, cl_box box)
{
    for (;;) {
        cell c;
        open_cell(w, k, &box, &c);
        int64_t whole = 0, n = 1;
        int j = 0;
        for (; j < k->naxes; j++) {
            const int s = k->axes[j];
            whole = box.n[s];
            n = extend(k->ruler, &c, k->form->coef[s], whole);
            if (n < whole)
                break;
        }
        if (j == k->naxes)
            return k->fn(w, k->arg, &box, &c);
        const int last = outermost(k, &box), s = k->axes[last];
        cl_box first = box;
        first.n[s] = last == j ? n : 1;
        CL_TRY(last == j ? k->fn(w, k->arg, &first, &c) : cut_box(w, k, first));
        box.lo[s] += first.n[s];
        box.n[s] -= first.n[s];
    }
}

static int64_t magnitude(int64_t v)
{
    return v < 0 ? -v : v;
}

static clast_status cut_form(const walk *w, const form *f, const ruler *r,
                             const cl_box *box, cell_fn *fn, const void *arg)
{
    cut k = {.form = f, .ruler = r, .fn = fn, .arg = arg};
    for (int s = 0; s < w->ndim; s++) {
        if (box->n[s] == 1 || f->coef[s] == 0)
            continue;
        int j = k.naxes++;
        for (; j > 0 && magnitude(f->coef[k.axes[j - 1]]) >= magnitude(f->coef[s]); j--)
            k.axes[j] = k.axes[j - 1];
        k.axes[j] = (int8_t)s;
    }
    return cut_box(w, &k, *box);
}

/* ---- tensors ---- */

typedef struct {
    uint32_t tensor;
    const form *at;
    int axis; /* the next to cut */
    int64_t part[CL_MAXDIM];
} tensor_state;

/* Bytes from one element to the next along each axis of a tile. */
static void tile_strides(const cl_tensor *t, const int64_t *part, int64_t *stride)
{
    int64_t step = (int64_t)clast_dtype_size(t->dtype);
    for (int a = t->grid.ndim - 1; a >= 0; a--) {
        const cl_axis *axis = &t->grid.axis[a];
        stride[a] = t->strided ? t->stride[a] : step;
        step *= cl_axis_hi(axis, part[a]) - cl_axis_lo(axis, part[a]);
    }
}

static clast_status emit_piece(const walk *w, const tensor_state *st, const cl_box *box)
{
    const cl_tensor *t = &w->tensors[st->tensor];
    int64_t stride[CL_MAXDIM];
    cl_piece piece = {.out = *box, .tensor = st->tensor};
    piece.tile = cl_grid_tile(&t->grid, st->part);
    tile_strides(t, st->part, stride);
    for (int a = 0; a < t->grid.ndim; a++) {
        const int64_t i = value_at(&st->at[a], w->ndim, box->lo);
        piece.offset += (i - cl_axis_lo(&t->grid.axis[a], st->part[a])) * stride[a];
        for (int s = 0; s < w->ndim; s++)
            piece.stride[s] += st->at[a].coef[s] * stride[a];
    }
    return w->fn(w->arg, &piece);
}

static clast_status cut_tensor(const walk *w, const tensor_state *st,
                               const cl_box *box);

static clast_status on_part(const walk *w, const void *arg, const cl_box *box,
                            const cell *c)
{
    tensor_state st = *(const tensor_state *)arg;
    st.part[st.axis++] = c->part;
    return cut_tensor(w, &st, box);
}

static clast_status cut_tensor(const walk *w, const tensor_state *st, const cl_box *box)
{
    const cl_grid *grid = &w->tensors[st->tensor].grid;
    if (st->axis == grid->ndim)
        return emit_piece(w, st, box);
    const ruler r = {.axis = &grid->axis[st->axis]};
    return cut_form(w, &st->at[st->axis], &r, box, on_part, st);
}

/* ---- concatenations ---- */

static clast_status visit(const walk *w, uint32_t node, const form *at,
                          const cl_box *box);

typedef struct {
    const cl_view *view;
    const form *at;
} concat_state;

static clast_status on_child(const walk *w, const void *arg, const cl_box *box,
                             const cell *c)
{
    const concat_state *st = arg;
    form at[CL_MAXDIM];
    memcpy(at, st->at, (size_t)st->view->shape.ndim * sizeof *at);
    at[st->view->axis].off -= st->view->starts[c->part];
    return visit(w, st->view->children[c->part], at, box);
}

static clast_status visit_concat(const walk *w, const cl_view *v, const form *at,
                                 const cl_box *box)
{
    const cl_axis children = {
        .n = v->starts[v->nchild], .count = v->nchild, .cuts = v->starts};
    const ruler r = {.axis = &children};
    const concat_state st = {v, at};
    return cut_form(w, &at[v->axis], &r, box, on_child, &st);
}

/* ---- reshapes ---- */

typedef struct {
    const cl_view *view;
    const cl_shape *in;
    const form *at;        /* coordinates in the reshaped array */
    form *below;           /* coordinates in the child, as far as known */
    int out_axis, in_axis; /* where the next group begins */
} reshape_state;

/* A group that is being cut: its flat index and the child's axes it is written in. */
typedef struct {
    reshape_state next; /* what follows it */
    form flat;
    ruler ruler;
    int8_t axes[CL_MAXDIM]; /* the child's axes, one a digit */
} group;

/* The shortest runs of axes from *out and *in on that have equal products; both at
 * least one axis long where there are axes left. Extents are not 0 here. */
static void find_group(const cl_shape *out, const cl_shape *in, int *o, int *i)
{
    int64_t a = 1, b = 1;
    if (*o < out->ndim)
        a = out->dim[(*o)++];
    if (*i < in->ndim)
        b = in->dim[(*i)++];
    while (a != b) {
        if (a < b)
            a *= out->dim[(*o)++];
        else
            b *= in->dim[(*i)++];
    }
}

static group make_group(const walk *w, const reshape_state *st)
{
    group g = {.next = *st};
    find_group(&st->view->shape, st->in, &g.next.out_axis, &g.next.in_axis);
    clear_form(&g.flat, w->ndim, 0);
    int64_t weight = 1;
    for (int a = g.next.out_axis - 1; a >= st->out_axis; a--) {
        add_form(&g.flat, w->ndim, weight, &st->at[a]);
        weight *= st->view->shape.dim[a];
    }
    weight = 1;
    for (int a = g.next.in_axis - 1; a >= st->in_axis; a--) {
        clear_form(&st->below[a], w->ndim, 0);
        if (st->in->dim[a] == 1)
            continue;
        const int i = g.ruler.ndigit++;
        g.axes[i] = (int8_t)a;
        g.ruler.radix[i] = st->in->dim[a];
        g.ruler.weight[i] = weight;
        weight *= st->in->dim[a];
    }
    return g;
}

static clast_status visit_groups(const walk *w, const reshape_state *st,
                                 const cl_box *box);

/* The digits are affine over this box: finds the child's coordinates. */
static clast_status on_affine(const walk *w, const void *arg, const cl_box *box,
                              const cell *c)
{
    const group *g = arg;
    for (int i = 0; i < g->ruler.ndigit; i++) {
        form *f = &g->next.below[g->axes[i]];
        clear_form(f, w->ndim, digit(&g->ruler, i, c->value));
        for (int s = 0; s < w->ndim; s++) {
            if (box->n[s] == 1 || g->flat.coef[s] == 0)
                continue;
            f->coef[s] = digit_step(&g->ruler, i, c, g->flat.coef[s]);
            f->off -= f->coef[s] * box->lo[s];
        }
    }
    return visit_groups(w, &g->next, box);
}

static clast_status visit_groups(const walk *w, const reshape_state *st,
                                 const cl_box *box)
{
    const cl_shape *out = &st->view->shape;
    if (st->out_axis == out->ndim && st->in_axis == st->in->ndim)
        return visit(w, st->view->child, st->below, box);
    const group g = make_group(w, st);
    if (g.ruler.ndigit > 1)
        return cut_form(w, &g.flat, &g.ruler, box, on_affine, &g);
    if (g.ruler.ndigit == 1)
        st->below[g.axes[0]] = g.flat;
    return visit_groups(w, &g.next, box);
}

static clast_status visit_reshape(const walk *w, const cl_view *v, const form *at,
                                  const cl_box *box)
{
    form below[CL_MAXDIM];
    const reshape_state st = {
        .view = v, .in = &w->views[v->child].shape, .at = at, .below = below};
    return visit_groups(w, &st, box);
}

/* ---- the walk ---- */

static clast_status visit_map(const walk *w, const cl_view *v, const form *at,
                              const cl_box *box)
{
    form below[CL_MAXDIM];
    for (int a = 0; a < v->map.nin; a++) {
        clear_form(&below[a], w->ndim, v->map.off[a]);
        if (v->map.src[a] >= 0)
            add_form(&below[a], w->ndim, v->map.step[a], &at[v->map.src[a]]);
    }
    return visit(w, v->child, below, box);
}

static clast_status visit(const walk *w, uint32_t node, const form *at,
                          const cl_box *box)
{
    const cl_view *v = &w->views[node];
    switch (v->kind) {
    case CL_VIEW_MAP:
        return visit_map(w, v, at, box);
    case CL_VIEW_CONCAT:
        return visit_concat(w, v, at, box);
    case CL_VIEW_RESHAPE:
        return visit_reshape(w, v, at, box);
    case CL_VIEW_TENSOR:
        break;
    }
    const tensor_state st = {.tensor = v->tensor, .at = at};
    return cut_tensor(w, &st, box);
}

clast_status cl_view_pieces(const cl_view *views, const cl_tensor *tensors,
                            uint32_t root, const cl_box *box, cl_piece_fn *fn,
                            void *arg)
{
    if (cl_box_count(box) == 0)
        return CLAST_OK;
    const walk w = {views, tensors, fn, arg, box->ndim};
    form at[CL_MAXDIM];
    for (int a = 0; a < box->ndim; a++) {
        clear_form(&at[a], w.ndim, 0);
        at[a].coef[a] = 1;
    }
    return visit(&w, root, at, box);
}
