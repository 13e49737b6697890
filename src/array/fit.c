/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fit: a plan whose copies suit the budget, and the least budget that would do.
 *
 * Copies are put in for the budget (graph/lower_copy.c), and what they take may be more
 * than what they save. So a plan that is refused is made as for other budgets too. What
 * would do for a plan that the budget bent is found by planning for less: the first
 * figure that its own plans keep to. A plan that the budget did not bend costs one
 * planning and one measuring of its tasks. Blocks are part of what decides the last
 * bits of results, so other ones are not taken, but tried and named where a plan is
 * refused.
 */
#include "array/fit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/least.h"

/* Rounds of planning for less, until a figure is one that its own plan keeps to; and
 * how many budgets for copies are tried in all. */
enum { MOST_ROUNDS = 8, MOST_TRIED = 4 + 4 * MOST_ROUNDS };

/* Blocks that are named instead are no smaller than this. */
#define LEAST_BLOCK ((uint64_t)4096)

/* The plan that fits best so far. */
typedef struct {
    cl_plan plan;
    cl_admission admission;
    uint64_t need;       /* bytes, the least that the plan runs in */
    uint64_t copy_pages; /* that its copies were put in for */
    uint64_t lacked;     /* bytes, where there was too little memory to plan it */
} fitted;

/* Plans that were made on the way: nothing is planned twice for a figure. */
typedef struct {
    cl_request *request;
    const cl_run *run;
    uint64_t held;  /* bytes of plans that are kept meanwhile */
    uint64_t block; /* bytes of blocks */
    struct {
        uint64_t copy_pages, need; /* UINT64_MAX: there is no such plan */
        bool is_bent;
    } tried[MOST_TRIED];
    int ntried;
} search;

/* Bytes that blocks of a run may have: persisted ones that it reads are among them, as
 * far as they are in memory now. */
static uint64_t within_reach(const cl_request *request)
{
    const clast_ctx *ctx = request->ctx;
    return cl_engine_free_bytes(ctx->engine) + request->key.persisted;
}

/* *lacked: 0, or what would have to be free for planning to get further. */
static clast_status build(const cl_request *request, cl_order_kind order, uint64_t held,
                          uint64_t block, cl_plan *plan, uint64_t *lacked,
                          cl_error *err)
{
    const clast_ctx *ctx = request->ctx;
    const uint64_t all = cl_engine_free_bytes(ctx->engine);
    const uint64_t others = held + ctx->plans.bytes;
    const cl_plan_settings settings = {.block_bytes = block,
                                       .budget_pages = within_reach(request) / CL_PAGE,
                                       .copy_pages = request->planned.copy_pages,
                                       .room = all > others ? all - others : 1,
                                       .workers = ctx->options.workers,
                                       .order = order,
                                       .is_unfused =
                                           cl_engine_tuning(ctx->engine).is_unfused,
                                       .is_canceled = &ctx->is_canceled};
    const clast_status status =
        cl_plan_build(plan, ctx->nodes, request->nsource, request->source_facts,
                      request->nsink, request->facts, &settings, lacked, err);
    *lacked += *lacked > 0 ? others : 0;
    return status;
}

clast_status cl_fit_build(cl_request *request, cl_order_kind order, uint64_t held,
                          cl_plan *plan, cl_error *err)
{
    uint64_t ignored; /* there is a plan in another order already */
    return build(request, order, held, request->ctx->options.block, plan, &ignored,
                 err);
}

/* Pages that would be free if the budget were so many bytes. */
static uint64_t free_pages(const cl_request *request, uint64_t memory)
{
    const clast_ctx *ctx = request->ctx;
    const uint64_t taken = ctx->options.memory - within_reach(request);
    return memory > taken ? (memory - taken) / CL_PAGE : 0;
}

static clast_status make(search *s, fitted *f, cl_error *err)
{
    cl_request *request = s->request;
    request->planned.copy_pages = f->copy_pages;
    CL_TRY(build(request, request->planned.order, s->held, s->block, &f->plan,
                 &f->lacked, err));
    cl_run own = *s->run;
    own.admission = &f->admission;
    return cl_engine_minimum(request->ctx->engine, &f->plan, &own, &f->need, err);
}

static clast_status fit_copies(search *s, uint64_t pages, fitted *f, cl_error *err)
{
    *f = (fitted){.need = UINT64_MAX, .copy_pages = pages > 0 ? pages : 1};
    const clast_status status = make(s, f, err);
    if (s->ntried < MOST_TRIED) {
        s->tried[s->ntried].copy_pages = f->copy_pages;
        s->tried[s->ntried].need = f->need;
        s->tried[s->ntried++].is_bent = f->plan.is_bent;
    }
    return status;
}

/* The same, where it needs less than `best`; what fails is no alternative. */
static uint64_t try_copies(search *s, uint64_t pages, fitted *best)
{
    cl_error ignored = {0};
    fitted other;
    s->held = best->plan.bytes;
    fit_copies(s, pages, &other, &ignored);
    const uint64_t need = other.need;
    if (need < best->need) {
        const fitted worse = *best;
        *best = other;
        other = worse;
    }
    cl_plan_fini(&other.plan);
    return need;
}

/* The first plan that does with the budget, else the one that needs least. `unbound`:
 * what is needed without regard to the budget, where that was planned. */
static clast_status fit(search *s, fitted *best, uint64_t *unbound, cl_error *err)
{
    const uint64_t memory = s->request->ctx->options.memory;
    const uint64_t pages = free_pages(s->request, memory);
    CL_TRY(fit_copies(s, pages, best, err));
    if (!best->plan.is_bent)
        *unbound = best->need;
    else if (best->need > memory)
        *unbound = try_copies(s, CL_COPY_UNBOUND, best);
    for (uint64_t part = 2; part <= 4 && best->need > memory; part *= 2)
        try_copies(s, pages / part, best);
    return CLAST_OK;
}

/* What is needed with copies for so many pages. */
static uint64_t need_of(search *s, uint64_t pages, bool *is_bent)
{
    int i = 0;
    while (i < s->ntried && s->tried[i].copy_pages != (pages > 0 ? pages : 1))
        i++;
    if (i < s->ntried) {
        *is_bent = s->tried[i].is_bent;
        return s->tried[i].need;
    }
    cl_error ignored = {0};
    fitted f;
    fit_copies(s, pages, &f, &ignored);
    *is_bent = f.plan.is_bent;
    cl_plan_fini(&f.plan);
    return f.need;
}

/* What fit() would come to with another budget, from the same plans. */
static uint64_t need_with(search *s, uint64_t memory)
{
    bool is_bent;
    const uint64_t pages = free_pages(s->request, memory);
    uint64_t need = need_of(s, pages, &is_bent);
    if (need == UINT64_MAX)
        return need;
    if (is_bent && need > memory)
        need = cl_lesser_u(need, need_of(s, CL_COPY_UNBOUND, &is_bent));
    for (uint64_t part = 2; part <= 4 && need > memory; part *= 2)
        need = cl_lesser_u(need, need_of(s, pages / part, &is_bent));
    return need;
}

/* The least figure found that a budget may be, from `least` on: with it one of its own
 * plans fits. */
static uint64_t find_least(search *s, uint64_t least, uint64_t unbound)
{
    const uint64_t memory = s->request->ctx->options.memory;
    const bool is_refused = least > memory;
    const uint64_t most = is_refused ? cl_engine_rounded(unbound) : memory;
    uint64_t need = least;
    for (int i = 0; i < MOST_ROUNDS && need < most && !atomic_load(s->run->is_canceled);
         i++) {
        const uint64_t tried = is_refused ? cl_engine_rounded(need) : need;
        need = need_with(s, tried);
        if (need <= tried)
            return tried;
    }
    return most < UINT64_MAX ? most : 0;
}

/* The least need of a plan of such blocks; UINT64_MAX: there is none. */
static uint64_t need_in_blocks(search *s, uint64_t block)
{
    search other = {
        .request = s->request, .run = s->run, .held = s->held, .block = block};
    return need_with(&other, s->request->ctx->options.memory);
}

/* The first blocks found, by halves or doubles from those that were asked for, with
 * which a plan fits; 0: none. Smaller ones take less at once, larger ones make fewer
 * tasks, which need less to be planned. */
static uint64_t find_block(search *s, bool smaller)
{
    const uint64_t memory = s->request->ctx->options.memory;
    uint64_t block = s->block;
    while (!atomic_load(s->run->is_canceled)) {
        block = smaller ? block / 2 : cl_larger_u(block * 2, 1024);
        if (smaller ? block < LEAST_BLOCK : block > memory)
            break;
        const uint64_t need = block <= memory ? need_in_blocks(s, block) : memory + 1;
        if (need <= memory)
            return block;
        if (smaller && need == UINT64_MAX)
            break;
    }
    return 0;
}

void cl_fit_name_blocks(cl_request *request, const cl_run *run, cl_error *err)
{
    search s = {.request = request, .run = run, .block = request->ctx->options.block};
    const size_t n = strlen(err->text);
    const uint64_t block = find_block(&s, false);
    if (block)
        snprintf(err->text + n, sizeof err->text - n,
                 "; blocks of %" PRIu64 " KiB (the option block) would do",
                 block / 1024);
}

clast_status cl_fit_plan(cl_request *request, const cl_run *run, cl_error *err)
{
    const clast_ctx *ctx = request->ctx;
    uint64_t unbound = UINT64_MAX;
    fitted f = {.need = UINT64_MAX};
    search s = {.request = request, .run = run, .block = ctx->options.block};
    const clast_status status = fit(&s, &f, &unbound, err);
    request->lacked = f.lacked;
    request->planned.plan = f.plan;
    request->planned.admission = f.admission;
    request->planned.least = request->planned.block = 0;
    s.held = f.plan.bytes;
    if (status == CLAST_OK && (f.plan.is_bent || f.need > ctx->options.memory))
        request->planned.least = find_least(&s, f.need, unbound);
    if (status == CLAST_OK && f.need > ctx->options.memory)
        request->planned.block = find_block(&s, true);
    request->planned.copy_pages = f.copy_pages;
    return status;
}
