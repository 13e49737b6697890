/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running a prepared program over a cell, strip by strip, in one of two ways:
 *
 *   wide   the last axis is long: strips lie along it. An input of unit stride is read
 *          where it is; one of stride 0 is filled into its panel; any other (a
 *          transpose, say) is gathered into its panel for some rows at a time, so that
 *          each cache line of it is fetched once.
 *   flat   the last axis is short, or the cell is one column of the output: a strip is
 *          several rows, whole trailing axes. Inputs that are not contiguous over it
 *          are gathered, the result likewise scattered.
 *
 * A wide strip's last step writes into the output.
 */
#include "kernel/cell.h"

#include <string.h>

#include "base/least.h"
#include "kernel/gather.h"

#define POLL_CYCLES (1 << 25)
/* How far ahead of their use strips of rows are asked for, in rows; and up to how many
 * bytes of a strip a fast program does so. */
#define AHEAD      2
#define PREFETCHED 4096

typedef enum { IN_PLACE, FILLED, GATHERED } mode;

/* ---- the machine ---- */

static void *give(char **at, size_t bytes)
{
    void *p = *at;
    *at += cl_round_up(bytes);
    return p;
}

void cl_machine_init(cl_machine *m, const cl_loop *l, const cl_input *inputs,
                     int64_t most, void *workspace, const cl_poll *poll)
{
    char *at = workspace;
    const size_t ninput = l->ninput;
    *m = (cl_machine){.loop = l, .input = inputs, .poll = poll};
    m->slot = give(&at, (ninput + l->nregister) * sizeof *m->slot);
    m->reg = give(&at, (l->nregister + 1u) * sizeof *m->reg);
    m->span = give(&at, ninput * sizeof *m->span);
    m->base = give(&at, ninput * sizeof *m->base);
    m->panel = give(&at, ninput * sizeof *m->panel);
    m->held = give(&at, ninput * sizeof *m->held);
    m->nheld = give(&at, ninput * sizeof *m->nheld);
    m->mode = give(&at, ninput * sizeof *m->mode);
    m->stride = give(&at, ninput * sizeof *m->stride);
    m->ahead = give(&at, ninput * sizeof *m->ahead);
    m->coef = give(&at, l->nmaker * sizeof *m->coef);
    m->origin = give(&at, l->nmaker * sizeof *m->origin);
    for (size_t k = 0; k < l->nregister; k++)
        m->slot[ninput + k] = m->reg[k] = give(&at, (size_t)l->register_bytes);
    m->result = give(&at, (size_t)l->register_bytes);
    m->pool = give(&at, l->pool_bytes);
    for (size_t k = 0; k < l->nfixed; k++)
        cl_fill(l->fixed[k].size, most < l->strip ? most : l->strip,
                (const char *)&l->imm[l->fixed[k].imm].value[0],
                m->reg[l->fixed[k].out]);
}

clast_status cl_machine_poll(cl_machine *m, int64_t cycles)
{
    m->work += cycles;
    if (m->work < POLL_CYCLES)
        return CLAST_OK;
    m->work = 0;
    const bool is_over =
        m->poll && m->poll->is_canceled && m->poll->is_canceled(m->poll->arg);
    return is_over ? CLAST_ECANCELED : CLAST_OK;
}

/* ---- one strip ---- */

/* Moves the odometer over axes first to last; false when it is back at the start. */
static bool advance(int first, int last, const int64_t *n, int64_t *at)
{
    for (int a = last; a >= first; a--) {
        if (++at[a] < n[a])
            return true;
        at[a] = 0;
    }
    return false;
}

/* A generator fills a strip, axes `from` on of the extents n at position `at`, with one
 * call a row. */
static void make_strip(const cl_machine *m, const cl_step *s, int ndim, int from,
                       const int64_t *n, const int64_t *at)
{
    const int last = ndim - 1;
    const int64_t *coef = m->coef[s->maker];
    const int64_t index = m->origin[s->maker] + cl_cell_offset(ndim, coef, at);
    char *out = m->reg[s->out];
    int64_t row[CL_MAXDIM] = {0};
    do {
        s->make((size_t)n[last], out, index + cl_cell_offset(last, coef, row),
                coef[last], &m->loop->imm[s->imm]);
        out += n[last] * s->size;
    } while (advance(from, last - 1, n, row));
}

/* Asks for step k's share of the strips of later use, of `count` elements: all at once
 * they would be waited for, as more than a core can have on their way. A strip may lie
 * behind the box, where the next box begins. */
static void ask_ahead(const cl_machine *m, uint16_t k, int64_t count)
{
    const int64_t nstep = m->loop->nstep;
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        if (m->ahead[i] == 0)
            continue;
        const int64_t lines = (count * m->loop->input_size[i] + 63) / 64;
        const uintptr_t later = (uintptr_t)m->slot[i] + (uintptr_t)m->ahead[i];
        for (int64_t l = lines * k / nstep; l < lines * (k + 1) / nstep; l++)
            __builtin_prefetch((const void *)(later + (uintptr_t)(64 * l)));
    }
}

/* Runs all steps over `count` elements; the operands' slots are set. */
static clast_status run_steps(cl_machine *m, int64_t count, int ndim, int from,
                              const int64_t *n, const int64_t *at)
{
    const cl_loop *l = m->loop;
    for (const cl_step *s = l->step; s < l->step + l->nstep; s++) {
        if (m->asks_ahead)
            ask_ahead(m, (uint16_t)(s - l->step), count);
        if (s->make) {
            make_strip(m, s, ndim, from, n, at);
            continue;
        }
        const char *b = m->slot[s->arg[1]];
        if (s->refuses && s->refuses((size_t)count, b))
            return CLAST_EVALUE;
        s->fn((size_t)count, m->reg[s->out], m->slot[s->arg[0]], b, m->slot[s->arg[2]]);
    }
    return cl_machine_poll(m, count * l->cost);
}

/* Whether all addresses of the input in this cell are aligned for typed loops. */
static bool is_aligned(const cl_machine *m, uint32_t i, int ndim)
{
    const uint8_t size = m->loop->input_size[i];
    uintptr_t bits = (uintptr_t)m->base[i];
    for (int a = 0; a < ndim; a++)
        bits |= (uintptr_t)m->stride[i][a];
    return bits % (size < 8 ? size : 8) == 0;
}

/* Fills the input's panel with n times the element at src, unless it is there. */
static void hold_fill(cl_machine *m, uint32_t i, const char *src, int64_t n)
{
    if (m->held[i] == src && m->nheld[i] >= n)
        return;
    cl_fill(m->loop->input_size[i], n, src, m->panel[i]);
    m->held[i] = src;
    m->nheld[i] = n;
}

/* ---- wide cells ---- */

typedef struct {
    int row, last; /* row -1: there is only one axis */
    int64_t rows, columns;
    bool has_gathered;
} frame;

/* The axis of a panel's rows: where most gathered inputs are contiguous, else the last
 * but one. */
static int choose_row_axis(const cl_machine *m, const cl_cell *c)
{
    int votes[CL_MAXDIM] = {0};
    int best = c->ndim - 2;
    for (uint32_t i = 0; i < m->loop->ninput; i++)
        for (int a = 0; m->mode[i] == GATHERED && a < c->ndim - 1; a++) {
            const int64_t stride = m->stride[i][a], size = m->loop->input_size[i];
            votes[a] += stride == size || stride == -size;
        }
    for (int a = c->ndim - 2; a >= 0; a--)
        if (votes[a] > votes[best])
            best = a;
    return best;
}

/* Gives every filled input a row of the pool, and all gathered ones as many rows as are
 * left: their number. `columns` is a multiple of 64. */
static int64_t share_pool(cl_machine *m, int64_t columns)
{
    int64_t left = (int64_t)m->loop->pool_bytes, row = 0;
    char *at = m->pool;
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        const int64_t bytes = columns * m->loop->input_size[i];
        left -= m->mode[i] == FILLED ? bytes : 0;
        row += m->mode[i] == GATHERED ? bytes : 0;
    }
    const int64_t rows = row ? left / row : INT64_MAX;
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        m->panel[i] = at;
        if (m->mode[i] != IN_PLACE)
            at += columns * m->loop->input_size[i] * (m->mode[i] == FILLED ? 1 : rows);
    }
    return rows;
}

/* How far ahead of a strip to ask for another one, where the hardware does not do it
 * early enough: it looks ahead within a page only, so not where rows are apart, and not
 * while a slow program computes. With rows that is the strip AHEAD rows further down,
 * with one axis the next. */
static void choose_ahead(cl_machine *m, const frame *f)
{
    const bool is_slow = cl_loop_is_slow(m->loop);
    m->asks_ahead = false;
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        const int64_t bytes = f->columns * m->loop->input_size[i];
        const int64_t step = f->row < 0 ? bytes : AHEAD * m->stride[i][f->row];
        const bool is_wanted =
            m->mode[i] == IN_PLACE && (is_slow || (f->row >= 0 && bytes <= PREFETCHED));
        m->ahead[i] = is_wanted ? step : 0;
        m->asks_ahead |= m->ahead[i] != 0;
    }
}

static frame wide_frame(cl_machine *m, const cl_cell *c)
{
    frame f = {.last = c->ndim - 1};
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        const int64_t stride = m->stride[i][f.last], size = m->loop->input_size[i];
        m->mode[i] = stride == 0                                   ? FILLED
                     : stride == size && is_aligned(m, i, c->ndim) ? IN_PLACE
                                                                   : GATHERED;
        f.has_gathered |= m->mode[i] == GATHERED;
    }
    f.row = choose_row_axis(m, c);
    const int64_t strip = m->loop->strip;
    const int64_t n = c->n[f.last], parts = (n + strip - 1) / strip;
    const int64_t even = (n + parts - 1) / parts, round = (even + 63) / 64 * 64;
    f.columns = round < strip ? round : strip;
    f.rows = share_pool(m, f.columns);
    choose_ahead(m, &f);
    return f;
}

static void gather_panel(cl_machine *m, const frame *f, int ndim, const int64_t *at,
                         int64_t rows, int64_t columns)
{
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        if (m->mode[i] != GATHERED)
            continue;
        const int64_t size = m->loop->input_size[i];
        const int64_t *stride = m->stride[i];
        cl_copy_box((size_t)size, 2, (const int64_t[]){rows, columns},
                    m->base[i] + cl_cell_offset(ndim, stride, at),
                    (const int64_t[]){f->row < 0 ? 0 : stride[f->row], stride[f->last]},
                    m->panel[i], (const int64_t[]){columns * size, size});
    }
}

/* Points the slots at the strip at position `at`, which is row k of the panel. */
static void set_wide_slots(cl_machine *m, int ndim, const int64_t *at, int64_t k,
                           int64_t columns)
{
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        const char *here = m->base[i] + cl_cell_offset(ndim, m->stride[i], at);
        m->slot[i] = m->panel[i];
        if (m->mode[i] == IN_PLACE)
            m->slot[i] = here;
        else if (m->mode[i] == GATHERED)
            m->slot[i] += k * columns * m->loop->input_size[i];
        else
            hold_fill(m, i, here, columns);
    }
}

/* rows x columns elements from position `at`; at is put back. */
static clast_status run_panel(cl_machine *m, const cl_cell *c, const frame *f,
                              int64_t *at, int64_t rows, int64_t columns)
{
    int64_t n[CL_MAXDIM];
    n[f->last] = columns;
    if (f->has_gathered)
        gather_panel(m, f, c->ndim, at, rows, columns);
    for (int64_t k = 0; k < rows; k++) {
        set_wide_slots(m, c->ndim, at, k, columns);
        m->reg[m->loop->nregister] = c->out + cl_cell_offset(c->ndim, c->stride, at);
        CL_TRY(run_steps(m, columns, c->ndim, f->last, n, at));
        if (f->row >= 0)
            at[f->row]++;
    }
    if (f->row >= 0)
        at[f->row] -= rows;
    return CLAST_OK;
}

clast_status cl_cell_run_wide(cl_machine *m, const cl_cell *c)
{
    const frame f = wide_frame(m, c);
    const int64_t width = c->n[f.last], height = f.row < 0 ? 1 : c->n[f.row];
    int64_t outer[CL_MAXDIM], at[CL_MAXDIM] = {0};
    memcpy(outer, c->n, sizeof outer);
    outer[f.last] = 1;
    if (f.row >= 0)
        outer[f.row] = 1;
    do {
        for (int64_t x = 0; x < width; x += f.columns)
            for (int64_t y = 0; y < height; y += f.rows) {
                at[f.last] = x;
                if (f.row >= 0)
                    at[f.row] = y;
                CL_TRY(run_panel(m, c, &f, at, cl_lesser(f.rows, height - y),
                                 cl_lesser(f.columns, width - x)));
            }
        at[f.last] = 0;
        if (f.row >= 0)
            at[f.row] = 0;
    } while (advance(0, c->ndim - 1, outer, at));
    return CLAST_OK;
}

/* ---- flat cells ---- */

/* Strides of a C-contiguous block; true where `stride` is just that. */
static bool compact_strides(int ndim, int from, const int64_t *n, int64_t size,
                            const int64_t *stride, int64_t *compact)
{
    bool is_same = true;
    for (int a = ndim - 1; a >= from; a--) {
        compact[a] = size;
        is_same &= stride[a] == size || n[a] == 1;
        size *= n[a];
    }
    return is_same;
}

static bool is_constant(int ndim, int from, const int64_t *stride)
{
    for (int a = from; a < ndim; a++)
        if (stride[a] != 0)
            return false;
    return true;
}

static void set_flat_slot(cl_machine *m, uint32_t i, int ndim, int from,
                          const int64_t *n, const int64_t *at, int64_t count)
{
    const int64_t *stride = m->stride[i];
    const char *here = m->base[i] + cl_cell_offset(ndim, stride, at);
    int64_t compact[CL_MAXDIM];
    m->slot[i] = m->panel[i];
    if (is_constant(ndim, from, stride)) {
        hold_fill(m, i, here, count);
        return;
    }
    const size_t size = m->loop->input_size[i];
    if (compact_strides(ndim, from, n, (int64_t)size, stride, compact) &&
        m->mode[i] == IN_PLACE) {
        m->slot[i] = here;
        return;
    }
    if (m->held[i] == here && m->nheld[i] >= count)
        return;
    cl_copy_box(size, ndim - from, n + from, here, stride + from, m->panel[i],
                compact + from);
    m->held[i] = here;
    m->nheld[i] = count;
}

/* One strip: the extents n[from] ... of the last axis, at position `at`. */
static clast_status run_flat_strip(cl_machine *m, const cl_cell *c, int from,
                                   const int64_t *n, const int64_t *at, int64_t count)
{
    int64_t compact[CL_MAXDIM];
    char *out = c->out + cl_cell_offset(c->ndim, c->stride, at);
    const int64_t size = m->loop->size;
    const bool is_direct = compact_strides(c->ndim, from, n, size, c->stride, compact);
    for (uint32_t i = 0; i < m->loop->ninput; i++)
        set_flat_slot(m, i, c->ndim, from, n, at, count);
    m->reg[m->loop->nregister] = is_direct ? out : m->result;
    CL_TRY(run_steps(m, count, c->ndim, from, n, at));
    if (!is_direct)
        cl_copy_box((size_t)size, c->ndim - from, n + from, m->result, compact + from,
                    out, c->stride + from);
    return CLAST_OK;
}

clast_status cl_cell_run_flat(cl_machine *m, const cl_cell *c)
{
    int from = c->ndim - 1;
    int64_t inner = 1;
    m->asks_ahead = false;
    while (from > 0 && inner * c->n[from] <= m->loop->strip)
        inner *= c->n[from--];
    char *panel = m->pool;
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        m->mode[i] = is_aligned(m, i, c->ndim) ? IN_PLACE : GATHERED;
        m->panel[i] = panel;
        panel += cl_round_up((size_t)(m->loop->strip * m->loop->input_size[i]));
    }
    const int64_t most = cl_lesser(c->n[from], m->loop->strip / inner);
    int64_t n[CL_MAXDIM], at[CL_MAXDIM] = {0};
    memcpy(n, c->n, sizeof n);
    do {
        for (at[from] = 0; at[from] < c->n[from]; at[from] += most) {
            n[from] = cl_lesser(most, c->n[from] - at[from]);
            CL_TRY(run_flat_strip(m, c, from, n, at, n[from] * inner));
        }
        at[from] = 0;
    } while (advance(0, from - 1, c->n, at));
    return CLAST_OK;
}
