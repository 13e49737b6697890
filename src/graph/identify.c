/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs by number: what decides the bits of a run, and nothing else.
 *
 * That are the items, with inputs as item numbers and sources as numbers in the order
 * of their first use, so that the store's history does not matter; the facts of sources
 * and sinks; and the size of blocks. The budget, the workers and the order of tasks
 * change no bit and are not in it: an interrupted run may be taken up with others.
 */
#include "graph/draft.h"

#include <string.h>

static uint64_t mix_numbers(uint64_t h, int n, const int64_t *v)
{
    for (int i = 0; i < n; i++)
        h = cl_hash_mix(h, (uint64_t)v[i]);
    return h;
}

static uint64_t hash_user(uint64_t h, const cl_user *u)
{
    for (const char *c = u->name; *c; c++)
        h = cl_hash_mix(h, (uint64_t)*c);
    h = cl_hash_mix(h, (uint64_t)u->version << 32 | (uint64_t)u->pure << 3 |
                           (uint64_t)u->is_task << 2 | (uint64_t)u->is_fold << 1 |
                           u->has_finish);
    h = cl_hash_mix(cl_hash_mix(cl_hash_mix(h, u->workspace), u->axes),
                    (uint64_t)u->cost);
    h = mix_numbers(h, u->space.ndim, u->space.dim);
    if (u->chunk)
        h = mix_numbers(h, u->space.ndim, u->chunk);
    for (uint32_t i = 0; i < u->ninput; i++) {
        const cl_user_input *const in = &u->input[i];
        h = cl_hash_mix(h, (uint64_t)in->dtype << 16 | (uint64_t)in->pad << 8 |
                               in->access);
        h = cl_hash_mix(cl_hash_mix(h, in->value.u64), (uint64_t)in->shape.ndim);
        h = mix_numbers(h, in->shape.ndim, in->shape.dim);
        if (in->before)
            h = mix_numbers(h, in->shape.ndim, in->before);
        if (in->after)
            h = mix_numbers(h, in->shape.ndim, in->after);
    }
    for (uint32_t i = 0; i < u->noutput; i++)
        h = mix_numbers(cl_hash_mix(h, u->output[i].dtype), u->output[i].shape.ndim,
                        u->output[i].shape.dim);
    return h;
}

static uint64_t hash_source(uint64_t h, const cl_source_facts *f)
{
    if (f->user)
        return hash_user(h, f->user);
    const int n = f->shape.ndim;
    h = cl_hash_mix(h, (uint64_t)f->dtype << 32 | (uint64_t)n << 8 |
                           (uint64_t)f->is_memory << 4 | (uint64_t)f->has_chunks << 3 |
                           (uint64_t)f->is_filtered << 2 | (uint64_t)f->is_slow << 1 |
                           (f->tiles != NULL));
    h = mix_numbers(h, n, f->shape.dim);
    if (f->is_memory)
        h = mix_numbers(h, n, f->stride);
    if (f->has_chunks)
        h = mix_numbers(h, n, f->chunk);
    for (int a = 0; f->tiles && a < n; a++) {
        const cl_axis *const x = &f->tiles->axis[a];
        h = cl_hash_mix(cl_hash_mix(h, (uint64_t)x->count), (uint64_t)x->size);
        h = x->cuts ? mix_numbers(h, (int)x->count, x->cuts) : h;
    }
    return cl_hash_mix(cl_hash_mix(h, f->staging_per_chunk), f->staging_fixed);
}

static uint64_t hash_sink(uint64_t h, const cl_draft *d, uint32_t s)
{
    const cl_sink_facts *const f = &d->sink[s];
    h = cl_hash_mix(cl_hash_mix(h, d->sink_item[s]),
                    (uint64_t)f->is_memory << 1 | f->is_persist);
    if (!f->is_memory && !f->is_persist)
        h = mix_numbers(h, d->item[d->sink_item[s]].node.shape.ndim, f->chunk);
    return cl_hash_mix(h, f->staging);
}

/* The item with its source numbered anew; a source that is met first is added. */
static uint64_t hash_item(uint64_t h, cl_draft *d, const cl_item *it, uint32_t *number)
{
    cl_node node = it->node;
    if (node.op == CL_OP_SOURCE || node.op == CL_OP_USER) {
        const uint32_t source = node.params.source;
        if (number[source] == 0) {
            h = hash_source(h, &d->fact[source]);
            d->used[d->nused++] = source;
            number[source] = d->nused;
        }
        node.params.source = number[source];
    }
    h = cl_node_hash(&node, h);
    for (uint32_t k = 0; k < node.nin; k++)
        h = cl_hash_mix(h, it->in[k]);
    return h;
}

clast_status cl_draft_identify(cl_draft *d)
{
    uint32_t *const number = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *number);
    d->used = cl_arena_array(&d->scratch, d->nfact + 1u, sizeof *d->used);
    if (!number || !d->used)
        return cl_draft_nomem(d);
    uint64_t h = cl_hash_mix(0, d->settings.block_bytes);
    for (size_t i = 0; i < d->nitem; i++)
        h = hash_item(h, d, &d->item[i], number);
    for (uint32_t s = 0; s < d->nsink; s++)
        h = hash_sink(h, d, s);
    d->program = h;
    return CLAST_OK;
}

clast_status cl_program_identify(const cl_nodes *nodes, uint32_t nsource,
                                 const cl_source_facts *sources, uint32_t nsink,
                                 const cl_sink_facts *sinks, uint64_t block_bytes,
                                 uint64_t *program, uint32_t *used, uint32_t *nused,
                                 cl_error *err)
{
    cl_draft d = {.nodes = nodes,
                  .nfact = nsource,
                  .fact = sources,
                  .nsink = nsink,
                  .sink = sinks,
                  .settings = {.block_bytes = block_bytes},
                  .err = err};
    clast_status status = cl_draft_snapshot(&d);
    if (status == CLAST_OK)
        status = cl_draft_identify(&d);
    *program = d.program;
    *nused = status == CLAST_OK ? d.nused : 0;
    if (*nused > 0)
        memcpy(used, d.used, d.nused * sizeof *used);
    cl_draft_fini(&d);
    return status;
}
