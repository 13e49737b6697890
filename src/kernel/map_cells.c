/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running a prepared program over a box, cell by cell.
 *
 * The box is cut into *cells*, the common refinement of all inputs' spans: in a cell
 * every input is an address and constant strides. Axes that all inputs, generators and
 * the output step through alike are merged. A cell whose last axis then is long, and
 * contiguous in the output, is walked as a wide one, any other as a flat one (map.c).
 *
 * The output is C-contiguous over the box. O(elements + cells * axes * inputs).
 */
#include "kernel/cell.h"
#include "kernel/gather.h"

#define WIDE_ENOUGH 64

/* The box that is computed and where its result goes. */
typedef struct {
    const cl_box *box;
    char *out;
    int64_t stride[CL_MAXDIM];
} target;

/* Whether axis a continues the cell's last axis in every memory and generator. */
static bool is_mergeable(const cl_machine *m, const cl_cell *c, const target *t, int a,
                         int64_t n)
{
    const int k = c->ndim - 1;
    if (k < 0 || c->stride[k] != t->stride[a] * n)
        return false;
    for (uint32_t i = 0; i < m->loop->ninput; i++)
        if (m->stride[i][k] != m->span[i]->stride[a] * n)
            return false;
    for (const cl_step *s = m->loop->step; s < m->loop->step + m->loop->nstep; s++)
        if (s->make && m->coef[s->maker][k] != m->loop->imm[s->imm].coef[a] * n)
            return false;
    return true;
}

static void add_axis(cl_machine *m, cl_cell *c, const target *t, int a, int64_t n)
{
    int k = c->ndim - 1;
    if (is_mergeable(m, c, t, a, n)) {
        c->n[k] *= n;
    } else {
        k = c->ndim++;
        c->n[k] = n;
    }
    c->stride[k] = t->stride[a];
    for (uint32_t i = 0; i < m->loop->ninput; i++)
        m->stride[i][k] = m->span[i]->stride[a];
    for (const cl_step *s = m->loop->step; s < m->loop->step + m->loop->nstep; s++)
        if (s->make)
            m->coef[s->maker][k] = m->loop->imm[s->imm].coef[a];
}

/* A cell of one element still has an axis. */
static void add_unit_axis(cl_machine *m, cl_cell *c)
{
    c->ndim = 1;
    c->n[0] = 1;
    c->stride[0] = m->loop->size;
    for (uint32_t i = 0; i < m->loop->ninput; i++)
        m->stride[i][0] = m->loop->input_size[i];
    for (uint32_t g = 0; g < m->loop->nmaker; g++)
        m->coef[g][0] = 1;
}

static int64_t offset_in(const cl_box *part, const cl_box *whole, const int64_t *stride)
{
    int64_t offset = 0;
    for (int a = 0; a < part->ndim; a++)
        offset += (part->lo[a] - whole->lo[a]) * stride[a];
    return offset;
}

static clast_status run_cell(cl_machine *m, const cl_box *part, const target *t)
{
    cl_cell c = {.out = t->out + offset_in(part, t->box, t->stride)};
    for (uint32_t i = 0; i < m->loop->ninput; i++) {
        const cl_span *span = m->span[i];
        m->base[i] = span->data + offset_in(part, &span->box, span->stride);
        m->held[i] = NULL;
        m->nheld[i] = 0;
    }
    for (const cl_step *s = m->loop->step; s < m->loop->step + m->loop->nstep; s++) {
        if (!s->make)
            continue;
        const cl_imm *imm = &m->loop->imm[s->imm];
        m->origin[s->maker] =
            imm->base + cl_cell_offset(part->ndim, imm->coef, part->lo);
    }
    for (int a = 0; a < part->ndim; a++)
        if (part->n[a] > 1)
            add_axis(m, &c, t, a, part->n[a]);
    if (c.ndim == 0)
        add_unit_axis(m, &c);
    const int last = c.ndim - 1;
    const bool is_wide =
        c.stride[last] == m->loop->size && (last == 0 || c.n[last] >= WIDE_ENOUGH);
    return is_wide ? cl_cell_run_wide(m, &c) : cl_cell_run_flat(m, &c);
}

/* Cuts `part` by the spans of inputs `input` on and runs each cell. */
static clast_status refine(cl_machine *m, uint32_t input, const cl_box *part,
                           const target *t)
{
    if (input == m->loop->ninput)
        return run_cell(m, part, t);
    const cl_input *in = &m->input[input];
    for (size_t k = 0; k < in->count; k++) {
        cl_box smaller;
        if (!cl_box_intersect(part, &in->span[k].box, &smaller))
            continue;
        m->span[input] = &in->span[k];
        CL_TRY(refine(m, input + 1, &smaller, t));
    }
    return CLAST_OK;
}

clast_status cl_machine_run(cl_machine *m, const cl_box *box, char *out)
{
    const cl_loop *l = m->loop;
    target t = {.box = box, .out = out};
    int64_t bytes = l->size;
    for (int a = box->ndim - 1; a >= 0; a--) {
        t.stride[a] = bytes;
        bytes *= box->n[a];
    }
    if (bytes == 0)
        return CLAST_OK;
    if (l->nstep > 0)
        return refine(m, 0, box, &t);
    cl_gather(box, &m->input[l->ninput - 1], l->size, out, t.stride);
    return cl_machine_poll(m, bytes / l->size);
}

clast_status cl_map_run(const cl_loop *loop, const cl_box *box, const cl_input *inputs,
                        void *out, void *workspace, const cl_poll *poll)
{
    cl_machine machine;
    cl_machine_init(&machine, loop, inputs, cl_box_count(box), workspace, poll);
    return cl_machine_run(&machine, box, out);
}
