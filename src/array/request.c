/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests: from sinks to a plan and its run.
 *
 * Everything that can be refused is refused in prepare, before a byte is read: poisoned
 * arrays, buffers that do not fit, outputs that exist. A request holds its nodes, so
 * that sources stay open while it runs though handles go. Outputs are published when
 * the run succeeded and removed otherwise.
 */
#include "array/request.h"

#include "array/candidate.h"
#include "array/fit.h"
#include "array/plan_key.h"
#include "array/user_call.h"
#include "base/least.h"
#include "io/duplicate.h"

#include <stdio.h>
#include <string.h>

/* What is made free at least where planning lacks memory. */
#define LEAST_ROOM ((uint64_t)8 << 20)

static clast_status no_memory(cl_error *err)
{
    return cl_error_set(err, CLAST_ENOMEM, "compute: the process is out of memory");
}

static clast_status check_array(const clast_ctx *ctx, const clast_sink *sink,
                                cl_error *err)
{
    clast_array *a = sink->array ? sink->array : &cl_poison_null;
    if (a->status != CLAST_OK)
        return cl_error_set(err, a->status, "%s", a->message);
    if (a->ctx != ctx)
        return cl_error_set(err, CLAST_ECONTEXT,
                            "compute: the array belongs to another context");
    return CLAST_OK;
}

/* Of the last specification. */
static clast_status prepare_axes(cl_request *request, const clast_sink *sink,
                                 cl_error *err)
{
    const size_t i = request->nspec - 1;
    if (sink->options && sink->options->no_attributes)
        return CLAST_OK;
    CL_TRY(cl_axes_out_new(sink->array, &request->axes[i], err));
    request->spec[i].dim = cl_axes_out_dims(request->axes[i]);
    return CLAST_OK;
}

static clast_status prepare_sink(cl_request *request, const clast_sink *sink,
                                 cl_persisted **persist, cl_error *err)
{
    const uint32_t i = request->nsink;
    cl_sink_facts *facts = &request->facts[i];
    cl_run_sink *run = &request->run_sink[i];
    CL_TRY(check_array(request->ctx, sink, err));
    if (persist) {
        facts->is_persist = true;
        run->persist = persist;
    } else if (sink->into) {
        CL_TRY(cl_sink_check_buffer(sink, err));
        facts->is_memory = true;
        run->into = sink->into;
    } else {
        cl_output_spec *spec = &request->spec[request->nspec];
        CL_TRY(cl_sink_settle(request->ctx, sink, spec, err));
        request->nspec++; /* it owns something now */
        CL_TRY(prepare_axes(request, sink, err));
        memcpy(facts->chunk, spec->chunk, sizeof facts->chunk);
        facts->staging = cl_output_staging(spec);
        run->output = request->nspec - 1;
        run->spec = spec;
    }
    facts->node = sink->array->id;
    cl_nodes_keep(request->ctx->nodes, facts->node);
    request->nheld = ++request->nsink;
    return CLAST_OK;
}

/* Beside the first output, else /var/tmp. */
static clast_status settle_scratch(cl_request *request, cl_error *err)
{
    request->scratch_folder =
        request->ctx->scratch ? request->ctx->scratch : "/var/tmp";
    if (request->ctx->scratch || request->nspec == 0)
        return CLAST_OK;
    request->scratch = cl_strdup(request->spec[0].file);
    if (!request->scratch)
        return no_memory(err);
    char *slash = strrchr(request->scratch, '/');
    if (slash)
        slash[slash == request->scratch] = '\0';
    request->scratch_folder = slash ? request->scratch : ".";
    return CLAST_OK;
}

static clast_status gather_sources(cl_request *request, cl_error *err)
{
    const cl_sources *table = &request->ctx->sources;
    request->nsource = table->count;
    request->source = cl_calloc((size_t)table->count + 1, sizeof *request->source);
    request->source_facts =
        cl_calloc((size_t)table->count + 1, sizeof *request->source_facts);
    if (!request->source || !request->source_facts)
        return no_memory(err);
    cl_sources_facts(table, request->source_facts);
    for (uint32_t i = 0; i < table->count; i++) {
        const cl_callee *callee = table->entry[i].callee;
        request->source[i] = (cl_run_source){.source = table->entry[i].source,
                                             .persisted = table->entry[i].persisted,
                                             .user = callee ? &callee->function : NULL};
    }
    return CLAST_OK;
}

static cl_run run_of(cl_request *request, cl_outputs *outputs)
{
    return (cl_run){.sources = request->source,
                    .sinks = request->run_sink,
                    .outputs = outputs,
                    .scratch_folder = request->scratch_folder,
                    .stats = &request->stats,
                    .is_canceled = &request->ctx->is_canceled,
                    .progress =
                        request->ctx->listener.fn ? &request->ctx->progress : NULL,
                    .in_background = request->in_background,
                    .displaced = request->displaced,
                    .least = request->planned.least,
                    .block = request->planned.block,
                    .admission = &request->planned.admission};
}

/* Again with more memory: twice as much as there was, as nobody knows yet how much the
 * plan takes; not where all there is would still be less than what it is known to take.
 * *more: there was some to be had. */
static clast_status displace(cl_request *request, const cl_run *run, bool *more,
                             cl_error *err)
{
    cl_engine *engine = request->ctx->engine;
    const uint64_t there = cl_engine_free_bytes(engine), before = request->displaced;
    *more = false;
    if (request->lacked == 0)
        return CLAST_OK;
    const uint64_t twice = cl_larger_u(2 * there, LEAST_ROOM);
    const clast_status status = cl_engine_displace(engine, run, request->lacked, twice,
                                                   &request->displaced, err);
    *more = request->displaced > before;
    if (status != CLAST_OK || !*more)
        return status;
    /* What is free and which blocks are in memory is the key's. */
    cl_plan_key_fini(&request->key);
    return cl_plan_key_make(&request->key, request, err);
}

static clast_status plan_again(cl_request *request, const cl_run *run, cl_error *err)
{
    cl_planned_fini(&request->planned);
    *err = (cl_error){0};
    return cl_candidate_choose(request, run, err);
}

/* Where planning lacks memory, plans that are kept go, then persisted arrays to
 * scratch, those used longest ago first, and it is tried again. */
static clast_status make_plan(cl_request *request, const cl_run *run, cl_error *err)
{
    cl_plan_cache *cache = &request->ctx->plans;
    bool more = cache->bytes > 0;
    clast_status status = cl_candidate_choose(request, run, err);
    if (status == CLAST_EBUDGET && more) {
        cl_plan_cache_trim(cache, 0);
        status = plan_again(request, run, err);
    }
    for (more = true; status == CLAST_EBUDGET && more;) {
        cl_error full = {0};
        if (displace(request, run, &more, &full) != CLAST_OK) {
            *err = full;
            return full.status;
        }
        if (more)
            status = plan_again(request, run, err);
    }
    if (status == CLAST_EBUDGET)
        cl_fit_name_blocks(request, run, err);
    return status;
}

/* An earlier run's plan, if all that it was made for is as it was; else one is made.
 * Plans that are kept go where this one needs their memory. */
static clast_status provide_plan(cl_request *request, cl_error *err)
{
    clast_ctx *ctx = request->ctx;
    const double start = cl_clock();
    const cl_run run = run_of(request, NULL);
    cl_planned *planned = &request->planned;
    CL_TRY(cl_plan_key_make(&request->key, request, err));
    request->is_reused = cl_plan_cache_take(&ctx->plans, &request->key, planned);
    if (request->is_reused && !cl_engine_has_scratch(ctx->engine, &run)) {
        cl_planned_fini(planned);
        request->is_reused = false;
    }
    if (!request->is_reused)
        CL_TRY(make_plan(request, &run, err));
    request->is_planned = !atomic_load(&ctx->is_canceled);
    cl_plan_cache_trim(&ctx->plans, cl_engine_unused(&planned->admission));
    request->plan_seconds = cl_clock() - start;
    return CLAST_OK;
}

static clast_status begin(cl_request *request, clast_ctx *ctx, size_t n, cl_error *err)
{
    *request = (cl_request){.ctx = ctx};
    request->spec = cl_calloc(n + 1, sizeof *request->spec);
    request->axes = cl_calloc(n + 1, sizeof *request->axes);
    request->facts = cl_calloc(n + 1, sizeof *request->facts);
    request->run_sink = cl_calloc(n + 1, sizeof *request->run_sink);
    if (!request->spec || !request->axes || !request->facts || !request->run_sink)
        return no_memory(err);
    return CLAST_OK;
}

static bool may_be_resumed(const cl_request *request)
{
    for (size_t i = 0; i < request->nspec; i++)
        if (request->spec[i].identity)
            return true;
    return false;
}

/* The tables of outputs belong to what a plan needs, but those of a run that may be
 * resumed are made before there is one. */
static clast_status check_tables(const cl_request *request, cl_error *err)
{
    uint64_t bytes = 0;
    const uint64_t memory = request->ctx->options.memory;
    for (size_t i = 0; i < request->nspec; i++)
        bytes += cl_output_table_bytes(&request->spec[i]);
    if (bytes <= memory)
        return CLAST_OK;
    return cl_error_set(err, CLAST_EBUDGET,
                        "a memory budget of %llu bytes is too small: the tables of the "
                        "outputs' chunks alone take %llu",
                        (unsigned long long)memory, (unsigned long long)bytes);
}

/* What an earlier run left is looked for before the plan is made, which leaves out what
 * is stored. Comparing checksums may take long: the lock is let go. */
static clast_status resume(cl_request *request, cl_error *err)
{
    clast_ctx *ctx = request->ctx;
    clast_status status;
    CL_TRY(cl_request_identify(request, err));
    CL_TRY(check_tables(request, err));
    if (request->is_dry) {
        status = cl_outputs_look(&request->outputs, request->nspec, request->spec, err);
    } else {
        cl_ctx_unlock(ctx);
        status = cl_outputs_begin(&request->outputs, request->nspec, request->spec,
                                  &ctx->log, err);
        cl_mutex_lock(ctx->lock);
    }
    for (uint32_t i = 0; i < request->nsink && status == CLAST_OK; i++)
        if (request->run_sink[i].spec)
            request->facts[i].stored =
                cl_outputs_stored(request->outputs, request->run_sink[i].output);
    return status;
}

/* With all sinks settled. */
static clast_status plan(cl_request *request, cl_error *err)
{
    CL_TRY(settle_scratch(request, err));
    CL_TRY(gather_sources(request, err));
    if (may_be_resumed(request))
        CL_TRY(resume(request, err));
    return provide_plan(request, err);
}

clast_status cl_request_prepare(cl_request *request, clast_ctx *ctx, int n,
                                const clast_sink *sinks, cl_persisted **persist,
                                bool is_dry, cl_error *err)
{
    *request = (cl_request){.ctx = ctx};
    if (n < 0 || (n > 0 && !sinks))
        return cl_error_set(err, CLAST_EVALUE, "compute: %d sinks%s", n,
                            sinks ? "" : ", but NULL in their place");
    CL_TRY(begin(request, ctx, (size_t)n, err));
    request->is_dry = is_dry;
    for (int i = 0; i < n; i++)
        CL_TRY(prepare_sink(request, &sinks[i], persist, err));
    CL_TRY(cl_sinks_check_overlap(ctx, n, sinks, err));
    if (request->nspec > 0)
        CL_TRY(cl_outputs_check(request->nspec, request->spec, err));
    return plan(request, err);
}

clast_status cl_request_prepare_copy(cl_request *request, clast_ctx *ctx,
                                     struct cl_copy *copy, size_t first, size_t n,
                                     const cl_node_id *nodes, cl_error *err)
{
    CL_TRY(begin(request, ctx, n, err));
    for (size_t i = 0; i < n; i++) {
        cl_output_spec *spec = &request->spec[i];
        cl_sink_facts *facts = &request->facts[i];
        cl_copy_spec(copy, first + i, spec);
        for (int a = 0; a < spec->shape.ndim; a++)
            facts->chunk[a] = spec->chunk[a] < spec->shape.dim[a] ? spec->chunk[a]
                                                                  : spec->shape.dim[a];
        facts->staging = cl_output_staging(spec);
        facts->node = nodes[i];
        request->run_sink[i] = (cl_run_sink){.output = i, .spec = spec};
        cl_nodes_keep(ctx->nodes, facts->node);
        request->nspec++;
        request->nheld = ++request->nsink;
    }
    return plan(request, err);
}

/* What the engine does not know. */
static void add_own_figures(cl_request *request, double start)
{
    request->stats.memory = request->ctx->options.memory;
    request->stats.plan_bytes = request->planned.plan.bytes;
    request->stats.plan_reused = request->is_reused;
    request->stats.plan_seconds = request->plan_seconds;
    request->stats.run_seconds = start > 0 ? cl_clock() - start : 0;
}

clast_status cl_request_predict(cl_request *request, cl_error *err)
{
    const cl_run run = run_of(request, NULL);
    const clast_status status = cl_engine_predict(
        request->ctx->engine, &request->planned.plan, &run, &request->stats, err);
    add_own_figures(request, 0);
    return status;
}

clast_status cl_request_run(cl_request *request, cl_error *err)
{
    clast_ctx *ctx = request->ctx;
    cl_outputs *outputs = request->outputs;
    const double start = cl_clock();
    request->outputs = NULL;
    if (request->nspec > 0 && !outputs)
        CL_TRY(
            cl_outputs_begin(&outputs, request->nspec, request->spec, &ctx->log, err));
    const cl_run run = run_of(request, outputs);
    clast_status status = cl_engine_run(ctx->engine, &request->planned.plan, &run, err);
    if (status == CLAST_OK && outputs)
        status = cl_outputs_commit(outputs, err);
    else
        cl_outputs_abort(outputs);
    add_own_figures(request, start);
    return status;
}

/* One that is refused is no use, and what a cancel cut short not the best. */
static void give_back_plan(cl_request *request)
{
    const cl_budget *b = &request->planned.admission.budget;
    if (request->is_planned && b->needs.least <= b->pages)
        cl_plan_cache_put(&request->ctx->plans, &request->key, &request->planned,
                          request->ctx->options.memory);
    cl_planned_fini(&request->planned);
    cl_plan_key_fini(&request->key);
}

void cl_request_fini(cl_request *request)
{
    give_back_plan(request); /* while what it is bound to is still there */
    for (uint32_t i = 0; i < request->nheld; i++)
        cl_node_drop(request->ctx, request->facts[i].node);
    cl_outputs_abort(request->outputs);
    cl_free(request->identity);
    for (size_t i = 0; i < request->nspec; i++) {
        cl_free((void *)(uintptr_t)request->spec[i].inputs);
        cl_axes_out_free(request->axes[i]);
    }
    cl_free(request->axes);
    cl_free(request->spec);
    cl_free(request->facts);
    cl_free(request->run_sink);
    cl_free(request->source);
    cl_free(request->source_facts);
    cl_free(request->scratch);
    *request = (cl_request){0};
}
