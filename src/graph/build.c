/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From nodes to a plan: the steps of draft.h one after another, then the tables moved
 * into the plan's arena and hashed.
 *
 * The hash covers what decides the plan: the program (identify.c), the places of its
 * sources, what is stored already, and the settings. Two runs with equal hashes have
 * equal plans.
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
                           d->source,     d->operand_start, d->operand, d->block};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        cl_free(owned[i]);
}

/* What the program's number leaves open: which sources these are, and all that decides
 * how rather than what. */
static uint64_t hash_all(const cl_draft *d)
{
    const cl_plan_settings *const o = &d->settings;
    uint64_t h = cl_hash_mix(cl_hash_mix(d->program, o->budget_pages), o->copy_pages);
    h = cl_hash_mix(h, (uint64_t)o->workers << 8 | (uint64_t)o->order);
    for (uint32_t i = 0; i < d->nused; i++)
        h = cl_hash_mix(h, d->used[i]);
    for (uint32_t s = 0; s < d->nsink; s++)
        if (d->sink[s].stored)
            h = cl_hash_mix(h, cl_sink_hash_stored(
                                   &d->sink[s], &d->item[d->sink_item[s]].node.shape));
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
                           uint64_t *lacked, cl_error *err)
{
    static clast_status (*const steps[])(cl_draft * d) = {
        cl_draft_snapshot, cl_draft_identify, cl_draft_fuse, cl_draft_windows,
        cl_draft_lower,    cl_draft_order,    publish};
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
        if ((status = cl_draft_go_on(&d)) == CLAST_OK)
            status = steps[i](&d);
    *lacked = d.lacked;
    cl_draft_fini(&d);
    if (status != CLAST_OK)
        cl_plan_fini(plan);
    return status;
}

uint32_t cl_plan_sink_tensor(const cl_plan *plan, uint32_t sink)
{
    return plan->sink[sink].tensor;
}
