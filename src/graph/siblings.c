/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Siblings: stages that read the same tiles of sources, which order runs side by side,
 * so that several reductions and stored results cost one pass over their inputs.
 *
 * Reductions and elementwise stages take part whose leaves are all sources (a second
 * pass, as in x - mean(x), has to wait for the first) and whose grids are equal. Two
 * that read one source through one map become siblings, and so do theirs: u * u, v * v
 * and u * v are one ring. An elementwise stage takes part only where its tiles are
 * stored as they come; kept for later they would be spilled, which costs more than
 * reading twice.
 *
 * Rings are lists through cl_walk.sibling. O(leaves) for a stage, as each source knows
 * the last stage that read it, and rings are bounded.
 */
#include "graph/draft.h"

enum { MOST_SIBLINGS = 32 };

static bool reads_sources(const cl_draft *d, const cl_recipe *r)
{
    for (uint32_t i = 0; i < r->nleaf; i++)
        if (d->item[r->leaf[i].item].node.op != CL_OP_SOURCE)
            return false;
    return true;
}

static bool shares_leaf(const cl_recipe *a, const cl_leaf *leaf)
{
    for (uint32_t i = 0; i < a->nleaf; i++)
        if (a->leaf[i].item == leaf->item && cl_map_equal(&a->leaf[i].map, &leaf->map))
            return true;
    return false;
}

static uint32_t next_of(const cl_draft *d, uint32_t stage)
{
    const uint32_t next = d->walk[stage].sibling;
    return next == CL_NONE ? stage : next;
}

/* Members of the ring; CL_NONE where `other` is one of them. */
static uint32_t ring_size(const cl_draft *d, uint32_t stage, uint32_t other)
{
    uint32_t n = 1;
    for (uint32_t s = next_of(d, stage); s != stage; s = next_of(d, s), n++)
        if (s == other)
            return CL_NONE;
    return n;
}

/* Two rings become one where each goes on where the other did. */
static void join_rings(cl_draft *d, uint32_t a, uint32_t b)
{
    const uint32_t n = ring_size(d, a, b);
    if (a == b || n == CL_NONE || n + ring_size(d, b, a) > MOST_SIBLINGS)
        return;
    const uint32_t after_a = next_of(d, a);
    d->walk[a].sibling = next_of(d, b);
    d->walk[b].sibling = after_a;
}

void cl_lower_siblings(cl_draft *d, const cl_recipe *r, uint32_t stage)
{
    if (!reads_sources(d, r))
        return;
    for (uint32_t i = 0; i < r->nleaf; i++) {
        const cl_leaf *const leaf = &r->leaf[i];
        uint32_t *const last = &d->last_reader[d->item[leaf->item].node.params.source];
        if (*last != CL_NONE && *last != stage) {
            const cl_recipe *const other = &d->recipe[d->walk[*last].recipe];
            if (shares_leaf(other, leaf) && cl_grid_equal(&other->grid, &r->grid))
                join_rings(d, stage, *last);
        }
        *last = stage;
    }
}
