/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cutting boxes into panels, and loading them: a panel's values are computed into a
 * buffer in cache, or, where the program is just an input that lies well, read in
 * place. Spans only decide where values are read from.
 */
#include "kernel/fold_panel.h"

#include <string.h>

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
    while (a > 0 && (box->n[a - 1] == 1 || (fold->axes >> (a - 1) & 1) == reduced))
        a--;
    return a;
}

/* With several panels to join, records are narrow: their stack stays in cache. */
void cl_panels_cut(cl_panels *g)
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
        outer *= cl_panels_reduce(g, a) ? box->n[a] : 1;
    const int64_t rows = cl_extent_product(box->n, g->first_row, g->first_column);
    const int64_t columns = cl_extent_product(box->n, g->first_column, ndim);
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
}

/* ---- the values of a panel ---- */

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
static bool read_in_place(const cl_panels *g, cl_panel *p)
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
    const int64_t run = cl_extent_product(p->box.n, cut, g->first_column);
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
clast_status cl_panels_load(cl_panels *g, const int64_t *at, cl_panel *p)
{
    p->box.ndim = g->box->ndim;
    for (int a = 0; a < p->box.ndim; a++) {
        const int64_t left = g->box->n[a] - at[a];
        p->box.lo[a] = g->box->lo[a] + at[a];
        p->box.n[a] = left < g->part[a] ? left : g->part[a];
    }
    const int64_t size = g->machine.loop->size;
    p->stack = cl_extent_product(p->box.n, g->first_stack, g->first_row);
    p->matrix.rows = cl_extent_product(p->box.n, g->first_row, g->first_column);
    p->matrix.columns = cl_extent_product(p->box.n, g->first_column, p->box.ndim);
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
static int64_t row_index(const cl_panels *g, const cl_panel *p, int64_t r)
{
    int64_t index = 0;
    for (int a = p->box.ndim - 1; a >= 0; a--) {
        if (!cl_panels_reduce(g, a))
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

static void scan_row(const cl_panels *g, const cl_panel *p, const cl_matrix *m,
                     int64_t r, cl_record *best)
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
static int64_t find_row(const cl_panels *g, const cl_matrix *m, const void *value)
{
    int64_t r = 0, n = 0, at = 0;
    for (; r < m->rows && at == n; r += n) {
        n = m->run < m->rows - r ? m->run : m->rows - r;
        at = g->f.scan->find(cl_matrix_row(m, r), n, value);
    }
    return r - n + at;
}

/* One column: its extreme first, its place only where it is better than the best. */
static void scan_column(const cl_panels *g, const cl_panel *p, const cl_matrix *m,
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

void cl_panels_scan(const cl_panels *g, const cl_panel *p, cl_record *best)
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
