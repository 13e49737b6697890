/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Candidates: orders of the same tasks, rehearsed, the cheapest taken.
 *
 * The first is the operations' own traversal. Where its dry run reads nothing twice and
 * spills nothing, there is nothing to gain and nothing else is tried. Otherwise the
 * others are planned and rehearsed as well; what counts are bytes that are moved beyond
 * the one reading of each block. Equal ones leave the earlier. No order changes a bit
 * of what is computed, so the choice may depend on the budget.
 *
 * A candidate costs its planning and one pass of the core. Where all of them would take
 * longer than a quarter of the time that moving those bytes takes, the first is kept;
 * so it is by plans of more than a third of the budget.
 */
#include "array/candidate.h"

#include <stdio.h>
#include <string.h>

#include "array/fit.h"
#include "base/bytes.h"

/* Plans of so few tasks try all orders in any case; otherwise a task of each costs so
 * much, and bytes move so fast. Estimates, so that the choice is the same in each
 * run. */
#define FEW_TASKS      20000
#define TASK_SECONDS   1.5e-6
#define BYTES_A_SECOND 2e9

static const char *const order_name[] = {
    [CL_ORDER_TRAVERSALS] = "traversals of the operations",
    [CL_ORDER_SMALL_TILES] = "traversals with smaller super-tiles",
    [CL_ORDER_DEPTH_FIRST] = "depth first",
    [CL_ORDER_GREEDY] = "what has begun first",
    [CL_ORDER_SINGLE_TILES] = "traversals with single tiles",
};

static bool has_products(const cl_plan *plan)
{
    for (uint32_t i = 0; i < plan->nstage; i++)
        if (plan->stage[i].kind == CL_STAGE_GEMM)
            return true;
    return false;
}

/* Whether another plan can be made and rehearsed beside this one: planning takes 1.3
 * times the plan's bytes, a rehearsal at most 0.7 times those of the plan more, and
 * nothing else is held yet. */
static bool has_room_for_another(const cl_request *request)
{
    return request->planned.plan.bytes <=
           cl_engine_free_bytes(request->ctx->engine) / 3;
}

/* Whether other orders can save more time than it takes to look for them. */
static bool is_worth_looking(const cl_request *request, uint64_t excess)
{
    const uint64_t tasks = request->planned.admission.budget.tasks;
    return tasks <= FEW_TASKS || (double)tasks * TASK_SECONDS * (CL_NORDER - 1) <=
                                     (double)excess / BYTES_A_SECOND / 4;
}

static void say(cl_request *request, cl_order_kind order, uint64_t bytes)
{
    char *const text = request->planned.order_note;
    const size_t at = strlen(text), room = sizeof request->planned.order_note - at;
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
    cl_admission admission = {0};
    cl_run own = *run;
    cl_error refusal = {0};
    uint64_t excess = 0;
    own.admission = &admission;
    clast_status status =
        cl_fit_build(request, order, request->planned.plan.bytes, &plan, &refusal);
    if (status == CLAST_OK)
        status = cl_engine_excess(request->ctx->engine, &plan, &own, &excess, &refusal);
    if (status == CLAST_OK) {
        say(request, order, excess);
        if (excess < *least) {
            const cl_plan worse = request->planned.plan;
            request->planned.plan = plan;
            request->planned.admission = admission;
            request->planned.order = order;
            plan = worse;
            *least = excess;
        }
    }
    cl_plan_fini(&plan);
    if (status == CLAST_ECANCELED)
        *err = refusal;
    return status == CLAST_ECANCELED ? status : CLAST_OK;
}

/* Before any is tried: whether they are, with what the first one moves twice, or
 * UINT64_MAX where it lacks scratch. */
static clast_status look_at_first(cl_request *request, const cl_run *run,
                                  uint64_t *excess, cl_error *err)
{
    cl_error refusal = {0};
    cl_orders *const orders = &request->planned.orders;
    *orders = CL_ORDERS_ASKED;
    if (cl_engine_tuning(request->ctx->engine).has_order)
        return CLAST_OK;
    *orders = CL_ORDERS_NO_ROOM;
    if (!has_room_for_another(request))
        return CLAST_OK;
    const clast_status status = cl_engine_excess(
        request->ctx->engine, &request->planned.plan, run, excess, &refusal);
    if (status == CLAST_ECANCELED)
        return cl_error_set(err, status, "%s", refusal.text);
    *orders = CL_ORDERS_TRIED;
    if (status == CLAST_EBUDGET)
        *orders = CL_ORDERS_REFUSED;
    else if (status != CLAST_OK)
        *excess = UINT64_MAX;
    else if (*excess == 0)
        *orders = CL_ORDERS_NOT_NEEDED;
    else if (!is_worth_looking(request, *excess))
        *orders = CL_ORDERS_TOO_DEAR;
    return CLAST_OK;
}

/* Where no order can be rehearsed, the run itself says why, or --explain. One task that
 * does not fit will not in any order; but an order that spills may be all that is
 * wrong.
 */
clast_status cl_candidate_choose(cl_request *request, const cl_run *run, cl_error *err)
{
    uint64_t least = 0;
    const cl_tuning tuning = cl_engine_tuning(request->ctx->engine);
    request->planned.order_note[0] = '\0';
    request->planned.order = tuning.has_order ? tuning.order : CL_ORDER_TRAVERSALS;
    CL_TRY(cl_fit_plan(request, run, err));
    CL_TRY(look_at_first(request, run, &least, err));
    if (request->planned.orders != CL_ORDERS_TRIED)
        return CLAST_OK;
    if (least < UINT64_MAX)
        say(request, request->planned.order, least);
    for (int k = CL_ORDER_TRAVERSALS + 1; k < CL_NORDER && least > 0; k++)
        if (k != CL_ORDER_SMALL_TILES || has_products(&request->planned.plan))
            CL_TRY(try(request, run, (cl_order_kind)k, &least, err));
    return CLAST_OK;
}

void cl_candidate_describe(const cl_request *request, char *text, size_t size)
{
    static const char *const reason[] = {
        [CL_ORDERS_TRIED] = "no other could be rehearsed",
        [CL_ORDERS_NOT_NEEDED] = "no other was needed",
        [CL_ORDERS_ASKED] = "it was asked for",
        [CL_ORDERS_NO_ROOM] = "no other was tried, as memory lacks room for two plans",
        [CL_ORDERS_REFUSED] = "no other was tried, as the plan is refused",
        [CL_ORDERS_TOO_DEAR] =
            "no other was tried, as that takes longer than what it could save",
    };
    const cl_planned *p = &request->planned;
    const bool is_known = p->admission.is_rehearsed || p->orders == CL_ORDERS_TRIED;
    const cl_orders why = is_known ? p->orders : CL_ORDERS_REFUSED;
    char bytes[CL_BYTES_TEXT];
    if (p->order_note[0])
        snprintf(text, size, "order:   %s, moves least twice: %s\n",
                 order_name[p->order], p->order_note);
    else if (!p->admission.is_rehearsed)
        snprintf(text, size, "order:   %s; %s\n", order_name[p->order], reason[why]);
    else if (p->admission.excess == 0)
        snprintf(text, size, "order:   %s; nothing is moved twice\n",
                 order_name[p->order]);
    else
        snprintf(text, size, "order:   %s, moves %s twice; %s\n", order_name[p->order],
                 cl_bytes_text(p->admission.excess, bytes), reason[why]);
}
