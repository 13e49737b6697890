/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where an input lies under a block of a map: the part that is read and the part that
 * the kernel sees.
 *
 * Both are functions of descriptions only, so that the planner, which writes down what
 * a task reads, and the worker, which addresses it, cannot disagree. A halo that is
 * padded by elements of the array itself is read through a view of the padded array;
 * one that is padded by a number, or not at all, is read as far as the array goes.
 */
#include "base/user.h"

bool cl_pad_is_view(clast_pad pad)
{
    return pad >= CLAST_PAD_EDGE && pad <= CLAST_PAD_WRAP;
}

int64_t cl_pad_index(clast_pad pad, int64_t i, int64_t n)
{
    if (n == 1 || pad == CLAST_PAD_EDGE)
        return i < 0 ? 0 : i < n ? i : n - 1;
    const int64_t period = pad == CLAST_PAD_WRAP      ? n
                           : pad == CLAST_PAD_REFLECT ? 2 * (n - 1)
                                                      : 2 * n;
    const int64_t at = (i % period + period) % period;
    const int64_t mirror = pad == CLAST_PAD_REFLECT ? period - at : period - 1 - at;
    return at < n ? at : mirror;
}

static int64_t halo(const int64_t *depth, int axis)
{
    return depth ? depth[axis] : 0;
}

int64_t cl_user_before(const cl_user_input *in, int axis)
{
    return halo(in->before, axis);
}

int64_t cl_user_after(const cl_user_input *in, int axis)
{
    return halo(in->after, axis);
}

/* One axis of it: n elements of the array, the block's are [lo, lo + count). */
static void cut(const cl_user_input *in, int a, int64_t lo, int64_t count,
                cl_user_window *w)
{
    const int64_t n = in->shape.dim[a], before = cl_user_before(in, a),
                  after = cl_user_after(in, a);
    int64_t first = lo - before, last = lo + count + after;
    const int64_t inside = first > 0 ? first : 0, until = last < n ? last : n;
    if (in->pad == CLAST_PAD_NONE) {
        first = inside;
        last = until;
    }
    w->origin[a] = first;
    w->shape[a] = last - first;
    w->lo[a] = lo - first;
    w->hi[a] = last - lo - count;
    if (cl_pad_is_view(in->pad)) {
        w->box.lo[a] = first + before; /* the padded array begins at -before */
        w->box.n[a] = last - first;
        w->at[a] = 0;
    } else {
        w->box.lo[a] = inside;
        w->box.n[a] = until - inside;
        w->at[a] = inside - first;
    }
    w->is_filled |= w->box.n[a] != w->shape[a];
}

void cl_user_window_of(const cl_user_input *in, const cl_shape *space,
                       const cl_box *block, cl_user_window *w)
{
    const int shift = space->ndim - in->shape.ndim;
    w->box.ndim = in->shape.ndim;
    w->is_filled = false;
    for (int a = 0; a < in->shape.ndim; a++) {
        const bool is_whole = in->access == CLAST_ACCESS_WHOLE;
        const bool is_spread =
            !is_whole && in->shape.dim[a] == 1 && space->dim[a + shift] != 1;
        if (is_whole || is_spread)
            cut(in, a, 0, in->shape.dim[a], w);
        else
            cut(in, a, block->lo[a + shift], block->n[a + shift], w);
    }
}
