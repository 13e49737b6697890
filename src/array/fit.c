/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fit: a plan whose copies suit the budget, and the least budget that would do.
 *
 * Copies are put in for the budget (graph/lower_copy.c), and what they take may be more
 * than what they save. So a plan that is refused is made as for other budgets too. What
 * would do for a plan that the budget bent is found by planning for less: the first
 * figure that its own plans keep to. A plan that the budget did not bend costs one
 * planning and one measuring of its tasks.
 */
#include "array/fit.h"

/* Rounds of planning for less, until a figure is one that its own plan keeps to. */
#define MOST_ROUNDS 8

/* The plan that fits best so far. */
typedef struct {
    cl_plan plan;
    cl_admission admission;
    uint64_t need;       /* bytes, the least that the plan runs in */
    uint64_t copy_pages; /* that its copies were put in for */
} fitted;

clast_status cl_fit_build(cl_request *request, cl_order_kind order, cl_plan *plan,
                          cl_error *err)
{
    clast_ctx *ctx = request->ctx;
    const cl_plan_settings settings = {
        .block_bytes = ctx->options.block,
        .budget_pages = cl_engine_free_bytes(ctx->engine) / CL_PAGE,
        .copy_pages = request->planned.copy_pages,
        .workers = ctx->options.workers,
        .order = order,
        .is_unfused = cl_engine_tuning(ctx->engine).is_unfused};
    return cl_plan_build(plan, ctx->nodes, request->nsource, request->source_facts,
                         request->nsink, request->facts, &settings, err);
}

/* Pages that would be free if the budget were so many bytes. */
static uint64_t free_pages(const cl_request *request, uint64_t memory)
{
    const clast_ctx *ctx = request->ctx;
    const uint64_t taken = ctx->options.memory - cl_engine_free_bytes(ctx->engine);
    return memory > taken ? (memory - taken) / CL_PAGE : 0;
}

static clast_status fit_copies(cl_request *request, const cl_run *run, uint64_t pages,
                               fitted *f, cl_error *err)
{
    *f = (fitted){.need = UINT64_MAX, .copy_pages = pages > 0 ? pages : 1};
    request->planned.copy_pages = f->copy_pages;
    CL_TRY(cl_fit_build(request, request->planned.order, &f->plan, err));
    cl_run own = *run;
    own.admission = &f->admission;
    return cl_engine_minimum(request->ctx->engine, &f->plan, &own, &f->need, err);
}

/* The same, where it needs less than `best`; what fails is no alternative. */
static uint64_t try_copies(cl_request *request, const cl_run *run, uint64_t pages,
                           fitted *best)
{
    cl_error ignored = {0};
    fitted other;
    fit_copies(request, run, pages, &other, &ignored);
    const uint64_t need = other.need;
    if (need < best->need) {
        const fitted worse = *best;
        *best = other;
        other = worse;
    }
    cl_plan_fini(&other.plan);
    return need;
}

/* The first plan that does with a budget, else the one that needs least. `unbound`: what
 * is needed without regard to the budget, where that was planned. */
static clast_status fit(cl_request *request, const cl_run *run, uint64_t memory,
                        fitted *best, uint64_t *unbound, cl_error *err)
{
    const uint64_t pages = free_pages(request, memory);
    CL_TRY(fit_copies(request, run, pages, best, err));
    if (!best->plan.is_bent)
        *unbound = best->need;
    else if (best->need > memory)
        *unbound = try_copies(request, run, CL_COPY_UNBOUND, best);
    for (uint64_t part = 2; part <= 4 && best->need > memory; part *= 2)
        try_copies(request, run, pages / part, best);
    return CLAST_OK;
}

/* The least figure found that a budget may be, from `least` on: with it one of its own
 * plans fits. */
static uint64_t find_least(cl_request *request, const cl_run *run, uint64_t least,
                           uint64_t unbound)
{
    const uint64_t memory = request->ctx->options.memory;
    const bool is_refused = least > memory;
    const uint64_t most = is_refused ? cl_engine_rounded(unbound) : memory;
    uint64_t need = least;
    for (int i = 0; i < MOST_ROUNDS && need < most && !atomic_load(run->is_canceled);
         i++) {
        const uint64_t tried = is_refused ? cl_engine_rounded(need) : need;
        fitted f = {.need = UINT64_MAX};
        cl_error ignored = {0};
        fit(request, run, tried, &f, &unbound, &ignored);
        need = f.need;
        cl_plan_fini(&f.plan);
        if (need <= tried)
            return tried;
    }
    return most < UINT64_MAX ? most : 0;
}

clast_status cl_fit_plan(cl_request *request, const cl_run *run, cl_error *err)
{
    const uint64_t memory = request->ctx->options.memory;
    uint64_t unbound = UINT64_MAX;
    fitted f = {.need = UINT64_MAX};
    const clast_status status = fit(request, run, memory, &f, &unbound, err);
    request->planned.plan = f.plan;
    request->planned.admission = f.admission;
    request->planned.least = 0;
    if (status == CLAST_OK && (f.plan.is_bent || f.need > memory))
        request->planned.least = find_least(request, run, f.need, unbound);
    request->planned.copy_pages = f.copy_pages;
    return status;
}
