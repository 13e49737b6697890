/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions of one box: the order in which a program's values are joined.
 *
 * The order is a function of the box and the reduced axes alone. The box is cut into
 * *panels* of at most 8192 values (fold_panel.h); the values of each are folded into a
 * record. For one place of the kept axes the panels of all reduced axes follow in C
 * order; their records are joined pairwise: a stack of records of which equal sizes are
 * joined, as a binary counter counts. O(log panels) records, and rounding errors that
 * grow with the logarithm.
 *
 * Values that are brought piece by piece (cl_feed) come in *windows* of whole panels,
 * in C order of the box. Places of the kept axes that a window leaves unfinished keep
 * their stacks until the next; for each of them the panels, and so the joins, are the
 * same and in the same order as where all values are there from the start.
 *
 * ARGMIN and ARGMAX need no tree: they carry one record through all panels.
 */
#include <string.h>

#include "base/strip.h"
#include "kernel/fold_panel.h"

#define MAXDEPTH 64

/* One place of the kept axes, as wide as a panel, with what its panels came to. */
typedef struct {
    char *records; /* memory of the stack */
    cl_record stack[MAXDEPTH];
    int64_t rank[MAXDEPTH]; /* panels in each */
    int depth;
} place;

typedef struct {
    cl_panels cut;
    int64_t stride[CL_MAXDIM];         /* of a kept axis in the output, in elements */
    size_t record_first, record_bytes; /* of one record of a stack */
    int64_t step[CL_MAXDIM];           /* a window's extent along each axis */
    int64_t nplace;                    /* that are unfinished at once */
    int64_t place_stride[CL_MAXDIM];   /* of a panel along a kept axis, among them */
    place *places, *place, only;       /* all; the current one; where there is one */
} folding;

/* ---- joining panels ---- */

static cl_record new_record(const folding *g, int level)
{
    char *at = g->place->records + (size_t)level * g->record_bytes;
    return (cl_record){at, g->cut.f.second_size ? at + g->record_first : NULL, 0};
}

/* Joins the two topmost records into the lower. */
static void join_top(const folding *g, int64_t width)
{
    place *p = g->place;
    p->depth--;
    cl_record_join(&g->cut.f, &p->stack[p->depth - 1], &p->stack[p->depth], width);
    p->rank[p->depth - 1] += p->rank[p->depth];
}

static void push_panel(const folding *g, const cl_panel *values, int64_t width)
{
    place *p = g->place;
    cl_record *top = &p->stack[p->depth];
    *top = new_record(g, p->depth);
    p->rank[p->depth++] = 1;
    cl_record_fold_all(&g->cut.f, &values->matrix, values->stack, values->matrix_bytes,
                       top, g->cut.buffer, g->cut.lanes);
    while (p->depth > 1 && p->rank[p->depth - 1] == p->rank[p->depth - 2])
        join_top(g, width);
}

/* ---- windows and places ---- */

static int64_t panels_along(const folding *g, int a)
{
    return (g->cut.box->n[a] + g->cut.part[a] - 1) / g->cut.part[a];
}

/* Places whose reduced axes a window does not cover wait for the next: all of those
 * along kept axes behind the first such axis. */
static void plan_places(folding *g)
{
    const cl_box *box = g->cut.box;
    int first = box->ndim;
    for (int a = box->ndim - 1; a >= 0; a--)
        if (cl_panels_reduce(&g->cut, a) && g->step[a] < box->n[a])
            first = a;
    g->nplace = 1;
    for (int a = box->ndim - 1; a >= 0; a--) {
        g->place_stride[a] = 0;
        if (a < first || cl_panels_reduce(&g->cut, a))
            continue;
        g->place_stride[a] = g->nplace;
        g->nplace *= panels_along(g, a);
    }
}

static void choose_place(folding *g, const int64_t *at)
{
    int64_t index = 0;
    for (int a = 0; g->nplace > 1 && a < g->cut.box->ndim; a++)
        index += at[a] / g->cut.part[a] * g->place_stride[a];
    g->place = &g->places[index];
}

/* Steps `at` over the axes that are reduced (or kept), panel by panel of the window. */
static bool next_part(const folding *g, const cl_box *w, bool reduced, int64_t *at)
{
    for (int a = g->cut.box->ndim - 1; a >= 0; a--) {
        if (cl_panels_reduce(&g->cut, a) != reduced)
            continue;
        const int64_t from = w->lo[a] - g->cut.box->lo[a];
        at[a] += g->cut.part[a];
        if (at[a] < from + w->n[a])
            return true;
        at[a] = from;
    }
    return false;
}

/* Joins what is left of the place at `at`, and that to the partial. */
static void end_place(const folding *g, const int64_t *at, const cl_record *partial)
{
    int64_t width = 1, element = 0;
    for (int a = 0; a < g->cut.box->ndim; a++) {
        const int64_t left = g->cut.box->n[a] - at[a];
        element += at[a] * g->stride[a];
        if (!cl_panels_reduce(&g->cut, a))
            width *= left < g->cut.part[a] ? left : g->cut.part[a];
    }
    while (g->place->depth > 1)
        join_top(g, width);
    cl_record result = cl_record_at(&g->cut.f, partial, element);
    cl_record_join(&g->cut.f, &result, &g->place->stack[0], width);
}

/* All panels that the window has of one place of the kept axes. */
static clast_status fold_place(folding *g, const cl_box *w, int64_t *at)
{
    cl_panel p;
    do {
        CL_TRY(cl_panels_load(&g->cut, at, &p));
        if (g->cut.f.is_arg)
            cl_panels_scan(&g->cut, &p, &g->place->stack[0]);
        else
            push_panel(g, &p, p.stack * p.matrix.columns);
    } while (next_part(g, w, true, at));
    return CLAST_OK;
}

static clast_status fold_window(folding *g, const cl_box *w, const cl_record *partial)
{
    int64_t at[CL_MAXDIM];
    bool is_first = true, is_last = true;
    for (int a = 0; a < g->cut.box->ndim; a++) {
        at[a] = w->lo[a] - g->cut.box->lo[a];
        is_first &= !cl_panels_reduce(&g->cut, a) || at[a] == 0;
        is_last &= !cl_panels_reduce(&g->cut, a) || at[a] + w->n[a] == g->cut.box->n[a];
    }
    do {
        choose_place(g, at);
        if (is_first) {
            g->place->depth = 0;
            g->place->stack[0] = new_record(g, 0);
        }
        CL_TRY(fold_place(g, w, at));
        if (is_last)
            end_place(g, at, partial);
    } while (next_part(g, w, false, at));
    return CLAST_OK;
}

static clast_status fold_windows(folding *g, const cl_feed *feed,
                                 const cl_record *partial)
{
    cl_box w = cl_strip_first(g->cut.box, g->step);
    do {
        CL_TRY(feed->bring(feed->arg, &w));
        CL_TRY(fold_window(g, &w, partial));
    } while (cl_strip_next(g->cut.box, g->step, &w));
    return CLAST_OK;
}

/* ---- the interface ---- */

static bool is_summed(clast_reduction r)
{
    return r == CLAST_SUM || r == CLAST_MEAN || r == CLAST_VAR || r == CLAST_STD;
}

clast_status cl_fold_loop_new(cl_loop **loop, clast_reduction reduction,
                              const cl_program *program)
{
    cl_program shorter = *program;
    if (program->ninsn == 0)
        return cl_loop_new(loop, program);
    const cl_insn *last = &program->insn[program->ninsn - 1];
    const uint16_t before = (uint16_t)(program->ninput + program->ninsn - 2);
    const clast_dtype read = (clast_dtype)last->type;
    if (is_summed(reduction) && last->op == CL_OP_CAST &&
        last->dtype == CLAST_FLOAT64 && last->arg[0] == before &&
        (cl_dtype_is_integer(read) || read == CLAST_FLOAT32))
        shorter.ninsn--;
    return cl_loop_new(loop, &shorter);
}

static int record_depth(int64_t panels)
{
    int depth = 2;
    for (; panels > 1; panels /= 2)
        depth++;
    return depth;
}

static int64_t reduced_count(const cl_fold *fold, const cl_box *box)
{
    int64_t n = 1;
    for (int a = 0; a < box->ndim; a++)
        n *= (fold->axes >> a & 1) ? box->n[a] : 1;
    return n;
}

static size_t record_bytes(const cl_folder *f, int64_t width)
{
    return cl_round_up((size_t)width * f->first_size) +
           cl_round_up((size_t)width * f->second_size);
}

/* Elements of a panel's buffer: values, or what is put together of them. */
static int64_t buffer_elements(const cl_box *box)
{
    const int64_t n = cl_extent_product(box->n, 0, box->ndim);
    return n < CL_PANEL ? n : CL_PANEL;
}

/* One record as wide as a panel, or a stack of narrow ones, for any box that is not
 * larger: what a box's own numbers give would not bound a smaller box's. A panel has at
 * least as many elements as its record. */
size_t cl_fold_workspace(const cl_fold *fold, const cl_loop *loop,
                         const cl_box *largest)
{
    const cl_folder f = cl_folder_of(fold, loop->dtype, loop->loops);
    const int64_t reduced = reduced_count(fold, largest);
    const int64_t all = cl_extent_product(largest->n, 0, largest->ndim);
    const int64_t kept = all / (reduced ? reduced : 1);
    const int64_t narrow = kept < CL_LANES ? kept : CL_LANES;
    const int64_t panels = all / (narrow ? narrow : 1);
    const int depth = record_depth(panels < reduced ? panels : reduced) + 1;
    const size_t one = record_bytes(&f, kept < CL_WIDTH ? kept : CL_WIDTH);
    const size_t many = (size_t)depth * record_bytes(&f, narrow);
    return cl_round_up(loop->workspace) +
           cl_round_up((size_t)buffer_elements(largest) * f.size) + CL_FOLD_LANES +
           (one > many ? one : many);
}

/* How the box is cut, and what its records take. */
static void plan(folding *g, const cl_feed *feed)
{
    cl_panels_cut(&g->cut);
    int64_t elements = 1;
    for (int a = g->cut.box->ndim - 1; a >= 0; a--) {
        g->stride[a] = cl_panels_reduce(&g->cut, a) ? 0 : elements;
        elements *= cl_panels_reduce(&g->cut, a) ? 1 : g->cut.box->n[a];
    }
    const int64_t width =
        cl_extent_product(g->cut.part, g->cut.first_stack, g->cut.first_row) *
        cl_extent_product(g->cut.part, g->cut.first_column, g->cut.box->ndim);
    g->record_first = cl_round_up((size_t)width * g->cut.f.first_size);
    g->record_bytes = record_bytes(&g->cut.f, width);
    g->nplace = 1;
    if (!feed)
        return;
    cl_strip_extents(g->cut.box, g->cut.part, feed->most, g->step);
    plan_places(g);
}

/* Of the stack of a place that is unfinished while others are. */
static size_t place_bytes(const folding *g)
{
    int64_t panels = 1;
    for (int a = 0; a < g->cut.box->ndim; a++)
        panels *= cl_panels_reduce(&g->cut, a) ? panels_along(g, a) : 1;
    return (size_t)(record_depth(panels) + 1) * g->record_bytes;
}

uint64_t cl_fold_states(const cl_fold *fold, const cl_loop *loop, const cl_box *box,
                        const cl_feed *feed)
{
    folding g = {.cut = {.fold = fold,
                         .box = box,
                         .f = cl_folder_of(fold, loop->dtype, loop->loops)}};
    if (cl_extent_product(box->n, 0, box->ndim) == 0)
        return 0;
    plan(&g, feed);
    return g.nplace == 1 ? 0
                         : cl_round_up((size_t)g.nplace * sizeof *g.places) +
                               (uint64_t)g.nplace * place_bytes(&g);
}

static void begin(folding *g, const cl_loop *loop, const cl_input *inputs,
                  const cl_feed *feed, void *workspace, const cl_poll *poll)
{
    plan(g, feed);
    char *at = workspace;
    cl_machine_init(&g->cut.machine, loop, inputs,
                    cl_extent_product(g->cut.box->n, 0, g->cut.box->ndim), at, poll);
    at += cl_round_up(loop->workspace);
    g->cut.buffer = at;
    at += cl_round_up((size_t)buffer_elements(g->cut.box) * g->cut.f.size);
    g->cut.lanes = at;
    at += CL_FOLD_LANES;
    g->only.records = at;
    g->places = &g->only;
    if (g->nplace == 1)
        return;
    const size_t each = place_bytes(g);
    char *const states = feed->states;
    g->places = (place *)(void *)states;
    for (int64_t i = 0; i < g->nplace; i++)
        g->places[i].records = states +
                               cl_round_up((size_t)g->nplace * sizeof *g->places) +
                               (size_t)i * each;
}

clast_status cl_fold_run(const cl_fold *fold, const cl_loop *loop, const cl_box *box,
                         const cl_input *inputs, const cl_feed *feed, void *partial,
                         bool first, void *workspace, const cl_poll *poll)
{
    folding g; /* not cleared, which would take longer than a tiny box does */
    g.cut.fold = fold;
    g.cut.box = box;
    g.cut.f = cl_folder_of(fold, loop->dtype, loop->loops);
    const int64_t reduced = reduced_count(fold, box);
    int64_t elements = 1;
    for (int a = 0; a < box->ndim; a++)
        elements *= (fold->axes >> a & 1) ? 1 : box->n[a];
    if (first)
        memset(partial, 0, CL_PARTIAL_HEADER);
    cl_record whole = cl_record_of(&g.cut.f, partial, elements);
    if (first)
        cl_record_clear(&g.cut.f, &whole, elements);
    if (reduced == 0 || elements == 0)
        return CLAST_OK;
    begin(&g, loop, inputs, feed, workspace, poll);
    CL_TRY(feed ? fold_windows(&g, feed, &whole) : fold_window(&g, box, &whole));
    whole.count += reduced;
    memcpy(partial, &whole.count, sizeof whole.count);
    return CLAST_OK;
}
