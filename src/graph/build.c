/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From nodes to a plan: the steps of draft.h one after another, then the tables moved
 * into the plan's arena and hashed.
 *
 * The hash covers what decides the plan: the items (with inputs as item numbers, so
 * that the store's history does not matter), the facts of sources and sinks and the
 * settings. Two runs with equal hashes have equal plans.
 */
#include "graph/build.h"

#include "graph/draft.h"

#include <string.h>

clast_status cl_draft_nomem(cl_draft *d)
{
    return cl_error_set(d->err, CLAST_ENOMEM, "no memory for the plan");
}

void cl_draft_fini(cl_draft *d)
{
    cl_arena_fini(&d->scratch);
    void *const owned[] = {d->item,       d->recipe,        d->tensor,  d->natural,
                           d->is_aligned, d->view,          d->stage,   d->walk,
                           d->source,     d->operand_start, d->operand, d->block,
                           d->read};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        cl_free(owned[i]);
}

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

static uint64_t hash_all(const cl_draft *d)
{
    uint64_t h =
        cl_hash_mix(cl_hash_mix(0, d->settings.block_bytes), d->settings.budget_pages);
    h = cl_hash_mix(cl_hash_mix(h, d->settings.copy_pages),
                    (uint64_t)d->settings.workers);
    h = cl_hash_mix(h, d->settings.is_unfused);
    for (size_t i = 0; i < d->nitem; i++) {
        const cl_item *const it = &d->item[i];
        h = cl_node_hash(&it->node, h);
        for (uint32_t k = 0; k < it->node.nin; k++)
            h = cl_hash_mix(h, it->in[k]);
    }
    for (uint32_t s = 0; s < d->nfact; s++)
        if (d->is_read[s] || d->fact[s].user)
            h = hash_source(cl_hash_mix(h, s), &d->fact[s]);
    for (uint32_t s = 0; s < d->nsink; s++) {
        const cl_sink_facts *const f = &d->sink[s];
        h = cl_hash_mix(cl_hash_mix(h, d->sink_item[s]),
                        (uint64_t)f->is_memory << 1 | f->is_persist);
        if (!f->is_memory && !f->is_persist)
            h = mix_numbers(h, d->item[d->sink_item[s]].node.shape.ndim, f->chunk);
        h = cl_hash_mix(h, f->staging_per_chunk);
    }
    return h;
}

static clast_status fill_sinks(cl_draft *d)
{
    cl_plan *const plan = d->plan;
    plan->nsink = d->nsink;
    plan->sink = cl_arena_array(&plan->arena, d->nsink + 1u, sizeof *plan->sink);
    if (!plan->sink)
        return cl_draft_nomem(d);
    for (uint32_t s = 0; s < d->nsink; s++) {
        const cl_item *const it = &d->item[d->sink_item[s]];
        plan->sink[s] =
            (cl_plan_sink){.dtype = (clast_dtype)it->node.dtype,
                           .shape = it->node.shape,
                           .tensor = d->sink[s].is_persist ? it->tensor : CL_NONE};
    }
    return CLAST_OK;
}

static void *moved(cl_arena *arena, const void *from, size_t count, size_t size)
{
    void *const to = cl_arena_array(arena, count + 1, size);
    if (to && count > 0)
        memcpy(to, from, count * size);
    return to;
}

static clast_status publish(cl_draft *d)
{
    cl_plan *const p = d->plan;
    p->nstage = (uint32_t)d->nstage;
    p->ntensor = (uint32_t)d->ntensor;
    p->nview = (uint32_t)d->nview;
    p->nsource = (uint32_t)d->nsource;
    p->stage = moved(&p->arena, d->stage, d->nstage, sizeof *d->stage);
    p->tensor = moved(&p->arena, d->tensor, d->ntensor, sizeof *d->tensor);
    p->view = moved(&p->arena, d->view, d->nview, sizeof *d->view);
    p->source = moved(&p->arena, d->source, d->nsource, sizeof *d->source);
    if (!p->stage || !p->tensor || !p->view || !p->source)
        return cl_draft_nomem(d);
    CL_TRY(fill_sinks(d));
    p->hash = hash_all(d);
    p->bytes = p->arena.bytes;
    return CLAST_OK;
}

clast_status cl_plan_build(cl_plan *plan, const cl_nodes *nodes, uint32_t nsource,
                           const cl_source_facts *sources, uint32_t nsink,
                           const cl_sink_facts *sinks, const cl_plan_settings *settings,
                           cl_error *err)
{
    static clast_status (*const steps[])(cl_draft * d) = {
        cl_draft_snapshot, cl_draft_fuse,  cl_draft_windows,
        cl_draft_lower,    cl_draft_order, publish};
    *plan = (cl_plan){0};
    cl_draft d = {.plan = plan,
                  .nodes = nodes,
                  .nfact = nsource,
                  .fact = sources,
                  .nsink = nsink,
                  .sink = sinks,
                  .settings = *settings,
                  .err = err};
    clast_status status = CLAST_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == CLAST_OK; i++)
        status = steps[i](&d);
    cl_draft_fini(&d);
    if (status != CLAST_OK)
        cl_plan_fini(plan);
    return status;
}

uint32_t cl_plan_sink_tensor(const cl_plan *plan, uint32_t sink)
{
    return plan->sink[sink].tensor;
}
