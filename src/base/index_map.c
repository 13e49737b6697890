/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Index maps: in[a] = off[a] + step[a] * out[src[a]], or off[a] where src[a] is -1.
 *
 * Kept in one normal form, so that equal maps have equal bytes: step is 0 where src is
 * -1, a step of 0 has src -1, and everything beyond nin is zero. The laws are in
 * docs/index-maps.md.
 */
#include "base/view.h"

#include <string.h>

static void set_constant(cl_map *m, int a, int64_t off)
{
    m->src[a] = -1;
    m->off[a] = off;
    m->step[a] = 0;
}

cl_map cl_map_identity(int ndim)
{
    cl_map m;
    memset(&m, 0, sizeof m);
    m.nout = m.nin = ndim;
    for (int a = 0; a < ndim; a++) {
        m.src[a] = (int8_t)a;
        m.step[a] = 1;
    }
    return m;
}

cl_map cl_map_compose(const cl_map *outer, const cl_map *inner)
{
    cl_map m;
    memset(&m, 0, sizeof m);
    m.nout = outer->nout;
    m.nin = inner->nin;
    for (int a = 0; a < inner->nin; a++) {
        const int middle = inner->src[a];
        if (middle < 0) {
            set_constant(&m, a, inner->off[a]);
            continue;
        }
        const int64_t off = inner->off[a] + inner->step[a] * outer->off[middle];
        const int64_t step = inner->step[a] * outer->step[middle];
        if (outer->src[middle] < 0 || step == 0) {
            set_constant(&m, a, off);
            continue;
        }
        m.src[a] = outer->src[middle];
        m.off[a] = off;
        m.step[a] = step;
    }
    return m;
}

void cl_map_apply(const cl_map *m, const int64_t *out, int64_t *in)
{
    for (int a = 0; a < m->nin; a++)
        in[a] = m->off[a] + (m->src[a] < 0 ? 0 : m->step[a] * out[m->src[a]]);
}

cl_box cl_map_box(const cl_map *m, const cl_box *out)
{
    cl_box in = {.ndim = m->nin};
    const bool is_empty = cl_box_count(out) == 0;
    for (int a = 0; a < m->nin; a++) {
        const int s = m->src[a];
        in.lo[a] = m->off[a];
        in.n[a] = is_empty ? 0 : 1;
        if (s < 0)
            continue;
        in.lo[a] += m->step[a] * out->lo[s];
        if (is_empty)
            continue;
        const int64_t reach = m->step[a] * (out->n[s] - 1);
        in.lo[a] += reach < 0 ? reach : 0;
        in.n[a] += reach < 0 ? -reach : reach;
    }
    return in;
}

bool cl_map_is_identity(const cl_map *m)
{
    if (m->nout != m->nin)
        return false;
    for (int a = 0; a < m->nin; a++)
        if (m->src[a] != a || m->off[a] != 0 || m->step[a] != 1)
            return false;
    return true;
}

bool cl_map_equal(const cl_map *a, const cl_map *b)
{
    const size_t n = (size_t)a->nin;
    return a->nout == b->nout && a->nin == b->nin && memcmp(a->src, b->src, n) == 0 &&
           memcmp(a->off, b->off, n * sizeof *a->off) == 0 &&
           memcmp(a->step, b->step, n * sizeof *a->step) == 0;
}

bool cl_map_is_injective(const cl_map *m, const cl_shape *out)
{
    uint32_t driving = 0; /* bit s: output axis s moves an input axis */
    for (int a = 0; a < m->nin; a++)
        if (m->src[a] >= 0 && m->step[a] != 0)
            driving |= (uint32_t)1 << m->src[a];
    bool is_injective = true;
    for (int s = 0; s < out->ndim; s++) {
        if (out->dim[s] == 0)
            return true;
        if (out->dim[s] != 1 && !(driving >> s & 1))
            is_injective = false;
    }
    return is_injective;
}
