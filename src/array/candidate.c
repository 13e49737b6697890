/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Candidates: orders of the same tasks, rehearsed, the cheapest taken.
 *
 * The first is the operations' own traversal. Where its dry run reads nothing twice and
 * spills nothing, there is nothing to gain and nothing else is tried. Otherwise the
 * others are planned and rehearsed as well; what counts are bytes that are moved beyond
 * the one reading of each block. Equal ones leave the earlier. No order changes a bit of
 * what is computed, so the choice may depend on the budget.
 *
 * Copies are put in for the budget (graph/lower_copy.c), and what they take may be more
 * than what they save. So a plan that is refused is made as for other budgets too. What
 * would do for a plan that the budget bent is found by planning for less: the first
 * figure that its own plans keep to.
 *
 * A candidate costs its planning and one pass of the core, about 1 us a task; plans of
 * more than a million tasks keep the first.
 */
#include "array/candidate.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define MOST_TASKS 1000000

static const char *const order_name[CL_NORDER] = {
    [CL_ORDER_TRAVERSALS] = "traversals of the operations",
    [CL_ORDER_SMALL_TILES] = "traversals with smaller super-tiles",
    [CL_ORDER_DEPTH_FIRST] = "depth first",
    [CL_ORDER_GREEDY] = "what has begun first",
};

static clast_status build(cl_request *request, cl_order_kind order, cl_plan *plan,
                          cl_error *err)
{
    clast_ctx *ctx = request->ctx;
    const cl_plan_settings settings = {.block_bytes = ctx->options.block,
                                       .budget_pages =
                                           cl_engine_free_bytes(ctx->engine) / CL_PAGE,
                                       .copy_pages = request->copy_pages,
                                       .workers = ctx->options.workers,
                                       .order = order};
    return cl_plan_build(plan, ctx->nodes, request->nsource, request->source_facts,
                         request->nsink, request->facts, &settings, err);
}

static bool has_products(const cl_plan *plan)
{
    for (uint32_t i = 0; i < plan->nstage; i++)
        if (plan->stage[i].kind == CL_STAGE_GEMM)
            return true;
    return false;
}

static uint64_t count_tasks(const cl_plan *plan)
{
    uint64_t tasks = 0;
    for (uint32_t i = 0; i < plan->nsegment; i++)
        tasks += plan->segment[i].ntask;
    return tasks;
}

static void say(cl_request *request, cl_order_kind order, uint64_t bytes)
{
    char *const text = request->order_note;
    const size_t at = strlen(text), room = sizeof request->order_note - at;
    char size[CL_BYTES_TEXT];
    snprintf(text + at, room, "%s%s %s", at > 0 ? ", " : "", order_name[order],
             cl_bytes_text(bytes, size));
}

/* The plan in this order, if it is cheaper than the request's. One that cannot be run,
 * because it spills and there is no room for that, is no candidate. */
static clast_status try(cl_request *request, const cl_run *run, cl_order_kind order,
                        uint64_t *least, cl_error *err)
{
    cl_plan plan = {0};
    cl_error refusal = {0};
    uint64_t excess = 0;
    if (atomic_load(run->is_canceled))
        return cl_error_set(err, CLAST_ECANCELED, "canceled while it was planned");
    clast_status status = build(request, order, &plan, &refusal);
    if (status == CLAST_OK)
        status = cl_engine_excess(request->ctx->engine, &plan, run, &excess, &refusal);
    if (status == CLAST_OK) {
        say(request, order, excess);
        if (excess < *least) {
            const cl_plan worse = request->plan;
            request->plan = plan;
            request->order = order;
            plan = worse;
            *least = excess;
        }
    }
    cl_plan_fini(&plan);
    return CLAST_OK;
}

/* ---- copies that fit ---- */

#define MOST_ROUNDS 8

/* Pages that would be free if the budget were so many bytes. */
static uint64_t free_pages(const cl_request *request, uint64_t memory)
{
    const clast_ctx *ctx = request->ctx;
    const uint64_t taken = ctx->options.memory - cl_engine_free_bytes(ctx->engine);
    return memory > taken ? (memory - taken) / CL_PAGE : 0;
}

/* A plan whose copies are put in for so many pages, and what it needs. */
static clast_status build_for(cl_request *request, const cl_run *run, uint64_t pages,
                              cl_plan *plan, uint64_t *need, cl_error *err)
{
    request->copy_pages = pages > 0 ? pages : 1;
    CL_TRY(build(request, request->order, plan, err));
    return cl_engine_minimum(request->ctx->engine, plan, run, need, err);
}

/* The first plan that does with a budget, else the one that needs least, and its need.
 * `unbound`: that of the plan without regard to the budget, where it was made. */
static clast_status fit(cl_request *request, const cl_run *run, uint64_t memory,
                        cl_plan *best, uint64_t *least, uint64_t *unbound,
                        cl_error *err)
{
    const uint64_t pages = free_pages(request, memory);
    const uint64_t copies[] = {pages, CL_COPY_UNBOUND, pages / 2, pages / 4};
    CL_TRY(build_for(request, run, copies[0], best, least, err));
    uint64_t settled = request->copy_pages;
    if (!best->is_bent)
        *unbound = *least;
    for (size_t i = best->is_bent ? 1 : 2;
         i<sizeof copies / sizeof *copies && * least> memory; i++) {
        cl_error ignored = {0};
        cl_plan plan = {0};
        uint64_t need = UINT64_MAX;
        build_for(request, run, copies[i], &plan, &need, &ignored);
        if (i == 1)
            *unbound = need;
        if (need < *least) {
            const cl_plan worse = *best;
            *best = plan;
            plan = worse;
            *least = need;
            settled = request->copy_pages;
        }
        cl_plan_fini(&plan);
    }
    request->copy_pages = settled;
    return CLAST_OK;
}

/* The least figure found that a budget may be, from `least` on: with it one of its own
 * plans fits. */
static void settle_least(cl_request *request, const cl_run *run, uint64_t least,
                         uint64_t unbound)
{
    const uint64_t memory = request->ctx->options.memory;
    const uint64_t copy_pages = request->copy_pages;
    const bool is_refused = least > memory;
    const uint64_t most = is_refused ? cl_engine_rounded(unbound) : memory;
    uint64_t need = least;
    request->least = most < UINT64_MAX ? most : 0;
    for (int i = 0; i < MOST_ROUNDS && need < most && !atomic_load(run->is_canceled);
         i++) {
        const uint64_t tried = is_refused ? cl_engine_rounded(need) : need;
        cl_plan plan = {0};
        cl_error ignored = {0};
        need = UINT64_MAX;
        fit(request, run, tried, &plan, &need, &unbound, &ignored);
        cl_plan_fini(&plan);
        if (need <= tried) {
            request->least = tried;
            break;
        }
    }
    request->copy_pages = copy_pages;
}

static clast_status first_plan(cl_request *request, const cl_run *run, cl_error *err)
{
    const uint64_t memory = request->ctx->options.memory;
    uint64_t least, unbound = UINT64_MAX;
    request->least = 0;
    CL_TRY(fit(request, run, memory, &request->plan, &least, &unbound, err));
    if (request->plan.is_bent || least > memory)
        settle_least(request, run, least, unbound);
    return CLAST_OK;
}

/* Where no order can be rehearsed, the run itself says why, or --explain. One task that
 * does not fit will not in any order; but an order that spills may be all that is wrong.
 */
static clast_status choose(cl_request *request, const cl_run *run, cl_error *err)
{
    cl_error refusal = {0};
    uint64_t least = 0;
    const cl_tuning tuning = cl_engine_tuning(request->ctx->engine);
    request->order_note[0] = '\0';
    request->order = tuning.has_order ? tuning.order : CL_ORDER_TRAVERSALS;
    CL_TRY(first_plan(request, run, err));
    if (tuning.has_order || count_tasks(&request->plan) > MOST_TASKS)
        return CLAST_OK;
    const clast_status status =
        cl_engine_excess(request->ctx->engine, &request->plan, run, &least, &refusal);
    if (status == CLAST_EBUDGET || (status == CLAST_OK && least == 0))
        return CLAST_OK;
    if (status == CLAST_OK)
        say(request, request->order, least);
    else
        least = UINT64_MAX;
    for (int k = CL_ORDER_TRAVERSALS + 1; k < CL_NORDER && least > 0; k++)
        if (k != CL_ORDER_SMALL_TILES || has_products(&request->plan))
            CL_TRY(try(request, run, (cl_order_kind)k, &least, err));
    return CLAST_OK;
}

clast_status cl_candidate_choose(cl_request *request, const cl_run *run, cl_error *err)
{
    const double start = cl_clock();
    const clast_status status = choose(request, run, err);
    request->plan_seconds = cl_clock() - start;
    return status;
}

void cl_candidate_describe(const cl_request *request, char *text, size_t size)
{
    if (request->order_note[0] == '\0')
        snprintf(text, size, "order:   %s; nothing is moved twice\n",
                 order_name[request->order]);
    else
        snprintf(text, size, "order:   %s, moves least twice: %s\n",
                 order_name[request->order], request->order_note);
}
