/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions of one box: the order in which a program's values are joined.
 *
 * The order is a function of the box and the reduced axes alone; spans only decide
 * where values are read from. The box's last kept axes are the columns (K), the reduced
 * axes before them the rows (R), the kept axes before those are a stack of such
 * matrices (S); axes further out are walked one index at a time. The box is cut into
 * *panels* of at most 8192 values, stack x rows x columns: a panel's values are
 * computed into a buffer in cache (or, where the program is just an input that lies
 * well, read in place) and folded into a record. For one place of the kept axes the
 * panels of all reduced axes follow in C order; their records are joined pairwise: a
 * stack of records of which equal sizes are joined, as a binary counter counts. O(log
 * panels) records, and rounding errors that grow with the logarithm.
 *
 * ARGMIN and ARGMAX need no tree: they carry one record through all panels.
 */
#include <string.h>

#include "kernel/loop.h"
#include "kernel/record.h"

#define MAXDEPTH 64
/* Output elements of a panel that joins no other. */
#define CL_WIDTH 1024

typedef struct {
    const cl_fold *fold;
    cl_folder f;
    const cl_box *box;
    cl_machine machine;
    int first_column, first_row, first_stack; /* axes; each part ends at the next */
    int64_t part[CL_MAXDIM];                  /* a panel's extent along each axis */
    int64_t stride[CL_MAXDIM]; /* of a kept axis in the output, in elements */
    char *buffer, *lanes, *records;
    size_t record_first, record_bytes; /* of one record of the stack */
    cl_record stack[MAXDEPTH];
    int64_t rank[MAXDEPTH]; /* panels in each */
    int depth;
} folding;

static bool is_reduced(const cl_fold *fold, int axis)
{
    return fold->axes >> axis & 1;
}

static int64_t product(const int64_t *n, int from, int to)
{
    int64_t p = 1;
    for (int a = from; a < to; a++)
        p *= n[a];
    return p;
}

/* ---- cutting the box ---- */

/* Cuts axes from..to - 1 so that a part has at most `most` elements, whole last axes
 * first; an axis that is cut is cut evenly. Returns the part's elements. */
static int64_t cut_axes(const cl_box *box, int from, int to, int64_t most,
                        int64_t *part)
{
    int64_t room = most, elements = 1;
    for (int a = to - 1; a >= from; a--) {
        const int64_t n = box->n[a], fits = room < 1 ? 1 : room;
        const int64_t parts = (n + fits - 1) / fits;
        part[a] = (n + parts - 1) / parts;
        room = part[a] == n ? room / n : 1;
        elements *= part[a];
    }
    return elements;
}

/* The axis at which the run of (reduced or kept) axes ending before `end` begins; axes
 * of length 1 belong to any run. */
static int run_start(const cl_fold *fold, const cl_box *box, int end, bool reduced)
{
    int a = end;
    while (a > 0 && (box->n[a - 1] == 1 || is_reduced(fold, a - 1) == reduced))
        a--;
    return a;
}

/* With several panels to join, records are narrow: their stack stays in cache. */
static void plan_panels(folding *g)
{
    const cl_box *box = g->box;
    const int ndim = box->ndim;
    g->first_column = run_start(g->fold, box, ndim, false);
    g->first_row = run_start(g->fold, box, g->first_column, true);
    g->first_stack = run_start(g->fold, box, g->first_row, false);
    for (int a = 0; a < g->first_stack; a++)
        g->part[a] = 1;
    int64_t outer = 1;
    for (int a = 0; a < g->first_stack; a++)
        outer *= is_reduced(g->fold, a) ? box->n[a] : 1;
    const int64_t rows = product(box->n, g->first_row, g->first_column);
    const int64_t columns = product(box->n, g->first_column, ndim);
    const bool is_whole =
        outer == 1 && columns <= CL_LANES && rows <= CL_PANEL / columns;
    const int64_t width = is_whole ? CL_WIDTH : CL_LANES;
    const int64_t c = cut_axes(box, g->first_column, ndim, CL_LANES, g->part);
    const int64_t r =
        cut_axes(box, g->first_row, g->first_column, CL_PANEL / c, g->part);
    int64_t room = c == columns && r == rows ? CL_PANEL / (c * r) : 1;
    if (room > width / c)
        room = width / c;
    cut_axes(box, g->first_stack, g->first_row, room, g->part);
    int64_t elements = 1;
    for (int a = ndim - 1; a >= 0; a--) {
        g->stride[a] = is_reduced(g->fold, a) ? 0 : elements;
        elements *= is_reduced(g->fold, a) ? 1 : box->n[a];
    }
}

/* ---- the values of a panel ---- */

typedef struct {
    cl_box box;
    cl_matrix matrix; /* the first of the stack */
    int64_t stack, matrix_bytes;
} panel;

/* One stride for axes from..to - 1 together; false where there is none. */
static bool common_stride(const cl_box *box, const int64_t *stride, int from, int to,
                          int64_t *common)
{
    int64_t next = 0;
    bool has_any = false;
    for (int a = to - 1; a >= from; a--) {
        if (box->n[a] == 1)
            continue;
        if (has_any && stride[a] != next)
            return false;
        if (!has_any)
            *common = stride[a];
        has_any = true;
        next = stride[a] * box->n[a];
    }
    return true;
}

/* The first of the axes from..to - 1 such that those from it on have one stride. */
static int run_axis(const cl_box *box, const int64_t *stride, int from, int to)
{
    int64_t any;
    while (from < to && !common_stride(box, stride, from, to, &any))
        from++;
    return from;
}

static const cl_span *span_around(const cl_input *input, const cl_box *box)
{
    for (size_t s = 0; s < input->count; s++) {
        const cl_box *b = &input->span[s].box;
        bool is_inside = true;
        for (int a = 0; a < box->ndim; a++)
            is_inside &=
                b->lo[a] <= box->lo[a] && box->lo[a] + box->n[a] <= b->lo[a] + b->n[a];
        if (is_inside)
            return &input->span[s];
    }
    return NULL;
}

/* Points the panel into the input itself where the program is no more than that and
 * the values lie as a folder wants them. */
static bool read_in_place(const folding *g, panel *p)
{
    const cl_loop *l = g->machine.loop;
    if (l->nstep > 0)
        return false;
    const cl_span *span = span_around(&g->machine.input[l->ninput - 1], &p->box);
    if (!span)
        return false;
    const int64_t size = l->size, columns = p->matrix.columns;
    int64_t unit = size, row = columns * size, matrix = p->matrix.rows * row, run_bytes;
    const int cut = run_axis(&p->box, span->stride, g->first_row, g->first_column);
    const int64_t run = product(p->box.n, cut, g->first_column);
    if (!common_stride(&p->box, span->stride, g->first_column, p->box.ndim, &unit) ||
        !common_stride(&p->box, span->stride, cut, g->first_column, &row))
        return false;
    run_bytes = run * row;
    if (!common_stride(&p->box, span->stride, g->first_row, cut, &run_bytes) ||
        !common_stride(&p->box, span->stride, g->first_stack, g->first_row, &matrix))
        return false;
    const char *data = span->data;
    for (int a = 0; a < p->box.ndim; a++)
        data += (p->box.lo[a] - span->box.lo[a]) * span->stride[a];
    const uintptr_t bits =
        (uintptr_t)data | (uintptr_t)row | (uintptr_t)matrix | (uintptr_t)run_bytes;
    const bool is_grouped = cl_matrix_group(p->matrix.rows, columns) > 1;
    const bool is_short = cl_matrix_is_short(&p->matrix);
    if (unit != size || bits % (size < 8 ? (uintptr_t)size : 8) != 0 ||
        (is_grouped && row != columns * size) ||
        (is_short && (matrix != p->matrix.rows * size || run != p->matrix.rows)))
        return false;
    p->matrix.data = data;
    p->matrix.run = run;
    p->matrix.run_bytes = run_bytes;
    p->matrix.row_bytes = row;
    p->matrix_bytes = matrix;
    return true;
}

/* The panel at position `at` of the box, with its values. */
static clast_status load_panel(folding *g, const int64_t *at, panel *p)
{
    p->box.ndim = g->box->ndim;
    for (int a = 0; a < p->box.ndim; a++) {
        const int64_t left = g->box->n[a] - at[a];
        p->box.lo[a] = g->box->lo[a] + at[a];
        p->box.n[a] = left < g->part[a] ? left : g->part[a];
    }
    const int64_t size = g->machine.loop->size;
    p->stack = product(p->box.n, g->first_stack, g->first_row);
    p->matrix.rows = product(p->box.n, g->first_row, g->first_column);
    p->matrix.columns = product(p->box.n, g->first_column, p->box.ndim);
    if (read_in_place(g, p))
        return cl_machine_poll(&g->machine,
                               p->stack * p->matrix.rows * p->matrix.columns);
    p->matrix.data = g->buffer;
    p->matrix.row_bytes = p->matrix.columns * size;
    p->matrix.run = p->matrix.rows;
    p->matrix.run_bytes = p->matrix.rows * p->matrix.row_bytes;
    p->matrix_bytes = p->matrix.rows * p->matrix.row_bytes;
    return cl_machine_run(&g->machine, &p->box, g->buffer);
}

/* ---- least and greatest with their places ---- */

/* The index of row r of a panel: of the flattening, or of the axis. */
static int64_t row_index(const folding *g, const panel *p, int64_t r)
{
    int64_t index = 0;
    for (int a = p->box.ndim - 1; a >= 0; a--) {
        if (!is_reduced(g->fold, a))
            continue;
        int64_t i = p->box.lo[a];
        if (a >= g->first_row && a < g->first_column) {
            i += r % p->box.n[a];
            r /= p->box.n[a];
        }
        index += g->fold->flat_stride[a] * i;
    }
    return index;
}

static void scan_row(const folding *g, const panel *p, const cl_matrix *m, int64_t r,
                     cl_record *best)
{
    const char *x = cl_matrix_row(m, r);
    const int64_t index = row_index(g, p, r);
    int64_t *at = (int64_t *)(void *)best->second;
    if (best->count == 0) {
        memcpy(best->first, x, (size_t)m->columns * g->f.size);
        for (int64_t i = 0; i < m->columns; i++)
            at[i] = index;
    } else {
        g->f.scan->best[g->f.which](best->first, at, x, m->columns, index);
    }
    best->count++;
}

/* The first row of the matrix, of one column, that equals *value. */
static int64_t find_row(const folding *g, const cl_matrix *m, const void *value)
{
    int64_t r = 0, n = 0, at = 0;
    for (; r < m->rows && at == n; r += n) {
        n = m->run < m->rows - r ? m->run : m->rows - r;
        at = g->f.scan->find(cl_matrix_row(m, r), n, value);
    }
    return r - n + at;
}

/* One column: its extreme first, its place only where it is better than the best. */
static void scan_column(const folding *g, const panel *p, const cl_matrix *m,
                        cl_record *best)
{
    cl_scalar extreme;
    cl_record of_panel = {.first = (char *)&extreme};
    int64_t *at = (int64_t *)(void *)best->second, is_worse = 1;
    cl_record_fold(&g->f, m, &of_panel, g->buffer, g->lanes);
    const int64_t row = find_row(g, m, &extreme);
    if (best->count == 0) {
        memcpy(best->first, &extreme, g->f.size);
        is_worse = 0;
    } else {
        g->f.scan->best[g->f.which](best->first, &is_worse, (const char *)&extreme, 1,
                                    0);
    }
    if (!is_worse)
        *at = row_index(g, p, row);
    best->count += m->rows;
}

static void scan_panel(const folding *g, const panel *p, cl_record *best)
{
    const int64_t size = (int64_t)g->f.size, counted = best->count;
    for (int64_t s = 0; s < p->stack; s++) {
        cl_matrix m = p->matrix;
        m.data += s * p->matrix_bytes;
        cl_record part = cl_record_at(&g->f, best, s * m.columns);
        part.count = counted;
        if (m.columns == 1 && m.row_bytes == size)
            scan_column(g, p, &m, &part);
        else
            for (int64_t r = 0; r < m.rows; r++)
                scan_row(g, p, &m, r, &part);
    }
    best->count = counted + p->matrix.rows;
}

/* ---- joining panels ---- */

static cl_record new_record(const folding *g, int level)
{
    char *at = g->records + (size_t)level * g->record_bytes;
    return (cl_record){at, g->f.second_size ? at + g->record_first : NULL, 0};
}

/* Joins the two topmost records into the lower. */
static void join_top(folding *g, int64_t width)
{
    g->depth--;
    cl_record_join(&g->f, &g->stack[g->depth - 1], &g->stack[g->depth], width);
    g->rank[g->depth - 1] += g->rank[g->depth];
}

static void push_panel(folding *g, const panel *p, int64_t width)
{
    cl_record *top = &g->stack[g->depth];
    *top = new_record(g, g->depth);
    g->rank[g->depth++] = 1;
    cl_record_fold_all(&g->f, &p->matrix, p->stack, p->matrix_bytes, top, g->buffer,
                       g->lanes);
    while (g->depth > 1 && g->rank[g->depth - 1] == g->rank[g->depth - 2])
        join_top(g, width);
}

/* Steps `at` over the axes that are reduced (or kept), panel by panel. */
static bool next_part(const folding *g, bool reduced, int64_t *at)
{
    for (int a = g->box->ndim - 1; a >= 0; a--) {
        if (is_reduced(g->fold, a) != reduced)
            continue;
        at[a] += g->part[a];
        if (at[a] < g->box->n[a])
            return true;
        at[a] = 0;
    }
    return false;
}

/* All panels of one place of the kept axes, joined into stack[0]. */
static clast_status fold_place(folding *g, int64_t *at, int64_t *width)
{
    panel p;
    g->depth = 0;
    g->stack[0] = new_record(g, 0);
    do {
        CL_TRY(load_panel(g, at, &p));
        *width = p.stack * p.matrix.columns;
        if (g->f.is_arg)
            scan_panel(g, &p, &g->stack[0]);
        else
            push_panel(g, &p, *width);
    } while (next_part(g, true, at));
    while (g->depth > 1)
        join_top(g, *width);
    return CLAST_OK;
}

static clast_status fold_places(folding *g, const cl_record *partial)
{
    int64_t at[CL_MAXDIM] = {0}, width = 0;
    do {
        CL_TRY(fold_place(g, at, &width));
        int64_t element = 0;
        for (int a = 0; a < g->box->ndim; a++)
            element += at[a] * g->stride[a];
        cl_record place = cl_record_at(&g->f, partial, element);
        cl_record_join(&g->f, &place, &g->stack[0], width);
    } while (next_part(g, false, at));
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
        n *= is_reduced(fold, a) ? box->n[a] : 1;
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
    const int64_t n = product(box->n, 0, box->ndim);
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
    const int64_t all = product(largest->n, 0, largest->ndim);
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

static void begin(folding *g, const cl_loop *loop, const cl_input *inputs,
                  void *workspace, const cl_poll *poll)
{
    char *at = workspace;
    cl_machine_init(&g->machine, loop, inputs, product(g->box->n, 0, g->box->ndim), at,
                    poll);
    at += cl_round_up(loop->workspace);
    g->buffer = at;
    at += cl_round_up((size_t)buffer_elements(g->box) * g->f.size);
    g->lanes = at;
    at += CL_FOLD_LANES;
    g->records = at;
    plan_panels(g);
    const int64_t width = product(g->part, g->first_stack, g->first_row) *
                          product(g->part, g->first_column, g->box->ndim);
    g->record_first = cl_round_up((size_t)width * g->f.first_size);
    g->record_bytes = record_bytes(&g->f, width);
}

clast_status cl_fold_run(const cl_fold *fold, const cl_loop *loop, const cl_box *box,
                         const cl_input *inputs, void *partial, bool first,
                         void *workspace, const cl_poll *poll)
{
    folding g = {
        .fold = fold, .box = box, .f = cl_folder_of(fold, loop->dtype, loop->loops)};
    const int64_t reduced = reduced_count(fold, box);
    int64_t elements = 1;
    for (int a = 0; a < box->ndim; a++)
        elements *= is_reduced(fold, a) ? 1 : box->n[a];
    if (first)
        memset(partial, 0, CL_PARTIAL_HEADER);
    cl_record whole = cl_record_of(&g.f, partial, elements);
    if (first)
        cl_record_clear(&g.f, &whole, elements);
    if (reduced == 0 || elements == 0)
        return CLAST_OK;
    begin(&g, loop, inputs, workspace, poll);
    CL_TRY(fold_places(&g, &whole));
    whole.count += reduced;
    memcpy(partial, &whole.count, sizeof whole.count);
    return CLAST_OK;
}
