/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is stored already: chunks of a sink that an earlier run left.
 *
 * A unit whose chunks are all there needs no task, and then order.c finds nothing that
 * needs what was only made for it: reads and tasks shrink as they do for parts of an
 * expression that nobody uses. Grids are settled as if nothing were stored, so the bits
 * are those of a run from the start.
 */
#include "graph/draft.h"

static cl_grid chunks_of(const cl_sink_facts *sink, const cl_shape *shape)
{
    cl_grid g = {.ndim = shape->ndim};
    for (int a = 0; a < shape->ndim; a++)
        g.axis[a] =
            cl_axis_regular(shape->dim[a], sink->chunk[a] > 0 ? sink->chunk[a] : 1);
    return g;
}

/* Whether all chunks that a unit meets are stored. */
static bool is_stored(const uint8_t *stored, const cl_grid *chunks, const cl_box *unit)
{
    int64_t lo[CL_MAXDIM], hi[CL_MAXDIM], at[CL_MAXDIM];
    for (int a = 0; a < unit->ndim; a++) {
        at[a] = lo[a] = cl_axis_find(&chunks->axis[a], unit->lo[a]);
        hi[a] = cl_axis_find(&chunks->axis[a], unit->lo[a] + unit->n[a] - 1);
    }
    for (;;) {
        const int64_t c = cl_grid_tile(chunks, at);
        if (!(stored[c / 8] >> c % 8 & 1))
            return false;
        int a = unit->ndim - 1;
        for (; a >= 0 && at[a] == hi[a]; a--)
            at[a] = lo[a];
        if (a < 0)
            return true;
        at[a]++;
    }
}

clast_status cl_lower_stored(cl_draft *d, uint32_t sink, const cl_grid *units,
                             uint32_t stage)
{
    const cl_sink_facts *const s = &d->sink[sink];
    const int64_t tiles = cl_grid_tiles(units);
    if (!s->stored || tiles == 0)
        return CLAST_OK;
    const cl_grid chunks = chunks_of(s, &d->item[d->sink_item[sink]].node.shape);
    uint8_t *const done = cl_arena_alloc(&d->scratch, (size_t)tiles);
    if (!done)
        return cl_draft_nomem(d);
    for (int64_t t = 0; t < tiles; t++) {
        const cl_box unit = cl_grid_box(units, t);
        done[t] = is_stored(s->stored, &chunks, &unit);
    }
    d->walk[stage].done = done;
    return CLAST_OK;
}

uint64_t cl_sink_hash_stored(const cl_sink_facts *sink, const cl_shape *shape)
{
    const cl_grid chunks = chunks_of(sink, shape);
    const int64_t bytes = cl_grid_tiles(&chunks) / 8 + 1;
    uint64_t h = 1;
    for (int64_t i = 0; i < bytes; i++)
        h = cl_hash_mix(h, sink->stored[i]);
    return h;
}
