/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Padded arrays as views: numpy.pad's edge, reflect, symmetric and wrap, without a
 * copy.
 *
 * Along one axis the padded array is a concatenation of runs in which the array's index
 * goes up, down, or stays: flips, slices and broadcasts of the array itself. Axes are
 * padded one after another, so corners are what NumPy puts there. Nothing is computed;
 * a task that reads a halo across an edge gathers a few pieces more.
 *
 * The number of runs is bounded where maps are made (CL_MOST_REPEATS).
 */
#include "graph/draft.h"

typedef struct {
    int64_t first, count, index, step; /* position, length; index of the first */
} run;

/* The longest run that begins at position i and ends before `end`: up or down to where
 * the array turns or begins again. */
static run next_run(clast_pad pad, int64_t i, int64_t end, int64_t n)
{
    run r = {.first = i, .count = end - i, .index = cl_pad_index(pad, i, n)};
    if (pad == CLAST_PAD_EDGE || n == 1)
        return r;
    const int64_t period = pad == CLAST_PAD_REFLECT ? 2 * (n - 1) : 2 * n;
    const bool goes_down = pad != CLAST_PAD_WRAP && (i % period + period) % period >= n;
    const int64_t bottom = pad == CLAST_PAD_REFLECT ? 1 : 0;
    const int64_t left = goes_down ? r.index - bottom + 1 : n - r.index;
    r.count = left < r.count ? left : r.count;
    r.step = goes_down ? -1 : 1;
    return r;
}

static clast_status view_run(cl_draft *d, uint32_t child, const cl_shape *shape,
                             int axis, const run *r, uint32_t *view)
{
    cl_map map = cl_map_identity(shape->ndim);
    cl_shape part = *shape;
    part.dim[axis] = r->count;
    map.off[axis] = r->index;
    map.step[axis] = r->step;
    if (r->step == 0)
        map.src[axis] = -1;
    return cl_draft_view_map(d, child, &map, &part, view);
}

/* Both sides of the array, and it itself in one piece between them. */
static clast_status pad_axis(cl_draft *d, clast_pad pad, int axis, int64_t before,
                             int64_t after, cl_shape *shape, uint32_t *view)
{
    const int64_t n = shape->dim[axis], bound[4] = {-before, 0, n, n + after};
    size_t capacity = 0, starts_capacity = 0;
    uint32_t *children = NULL;
    int64_t *starts = NULL;
    uint32_t count = 0;
    clast_status status = CLAST_OK;
    for (int part = 0; part < 3; part++)
        for (int64_t i = bound[part]; i < bound[part + 1] && status == CLAST_OK;) {
            const run whole = {.first = 0, .count = n, .step = 1};
            const run r = part == 1 ? whole : next_run(pad, i, bound[part + 1], n);
            if (!cl_grow(&children, &capacity, count + 2u, sizeof *children) ||
                !cl_grow(&starts, &starts_capacity, count + 2u, sizeof *starts)) {
                status = cl_draft_nomem(d);
                break;
            }
            status = view_run(d, *view, shape, axis, &r, &children[count]);
            starts[count++] = r.first + before;
            i += r.count;
        }
    if (status == CLAST_OK) {
        starts[count] = before + n + after;
        shape->dim[axis] = starts[count];
        status = cl_draft_view_concat(d, axis, count, children, starts, shape, view);
    }
    cl_free(children);
    cl_free(starts);
    return status;
}

clast_status cl_draft_view_padded(cl_draft *d, const cl_user_input *in, uint32_t *view)
{
    cl_shape shape = in->shape;
    if (!cl_pad_is_view(in->pad))
        return CLAST_OK;
    for (int a = 0; a < shape.ndim; a++) {
        const int64_t before = cl_user_before(in, a), after = cl_user_after(in, a);
        if (before + after > 0 && shape.dim[a] > 0)
            CL_TRY(pad_axis(d, in->pad, a, before, after, &shape, view));
    }
    return CLAST_OK;
}
