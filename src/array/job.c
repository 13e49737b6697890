/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs: from sinks to a plan and its run.
 *
 * Everything that can be refused is refused in prepare, before a byte is read: poisoned
 * arrays, buffers that do not fit, outputs that exist. A job holds its nodes, so that
 * sources stay open while it runs though handles go. Outputs are published when the run
 * succeeded and removed otherwise.
 */
#include "array/job.h"

#include <stdio.h>
#include <string.h>

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

static clast_status prepare_sink(cl_job *job, const clast_sink *sink, cl_kept **keep,
                                 cl_error *err)
{
    const uint32_t i = job->nsink;
    cl_sink_facts *facts = &job->facts[i];
    cl_run_sink *run = &job->run_sink[i];
    CL_TRY(check_array(job->ctx, sink, err));
    if (keep) {
        facts->is_persist = true;
        run->keep = keep;
    } else if (sink->into) {
        CL_TRY(cl_sink_check_buffer(sink, err));
        facts->is_memory = true;
        run->into = sink->into;
    } else {
        cl_output_spec *spec = &job->spec[job->nspec];
        CL_TRY(cl_sink_settle(job->ctx, sink, spec, err));
        memcpy(facts->chunk, spec->chunk, sizeof facts->chunk);
        facts->staging_per_chunk = cl_output_staging_per_chunk(spec);
        run->output = job->nspec++;
        run->spec = spec;
    }
    facts->node = sink->array->id;
    cl_nodes_keep(job->ctx->nodes, facts->node);
    job->nheld = ++job->nsink;
    return CLAST_OK;
}

/* Beside the first output, else /var/tmp. */
static clast_status settle_scratch(cl_job *job, cl_error *err)
{
    job->scratch_folder = job->ctx->scratch ? job->ctx->scratch : "/var/tmp";
    if (job->ctx->scratch || job->nspec == 0)
        return CLAST_OK;
    job->scratch = cl_strdup(job->spec[0].file);
    if (!job->scratch)
        return no_memory(err);
    char *slash = strrchr(job->scratch, '/');
    if (slash)
        slash[slash == job->scratch] = '\0';
    job->scratch_folder = slash ? job->scratch : ".";
    return CLAST_OK;
}

static clast_status gather_sources(cl_job *job, cl_error *err)
{
    const cl_sources *table = &job->ctx->sources;
    job->nsource = table->count;
    job->source = cl_calloc((size_t)table->count + 1, sizeof *job->source);
    job->source_facts = cl_calloc((size_t)table->count + 1, sizeof *job->source_facts);
    if (!job->source || !job->source_facts)
        return no_memory(err);
    cl_sources_facts(table, job->source_facts);
    for (uint32_t i = 0; i < table->count; i++)
        job->source[i] = (cl_run_source){.source = table->entry[i].source,
                                         .kept = table->entry[i].kept};
    return CLAST_OK;
}

static clast_status make_plan(cl_job *job, cl_error *err)
{
    clast_ctx *ctx = job->ctx;
    const double start = cl_clock();
    const cl_plan_settings settings = {.block_bytes = ctx->options.block,
                                       .budget_pages =
                                           cl_engine_free_bytes(ctx->engine) / CL_PAGE,
                                       .workers = ctx->options.workers};
    CL_TRY(cl_plan_build(&job->plan, ctx->nodes, job->nsource, job->source_facts,
                         job->nsink, job->facts, &settings, err));
    job->plan_seconds = cl_clock() - start;
    return CLAST_OK;
}

clast_status cl_job_prepare(cl_job *job, clast_ctx *ctx, int n, const clast_sink *sinks,
                            cl_kept **keep, cl_error *err)
{
    *job = (cl_job){.ctx = ctx};
    if (n < 0 || (n > 0 && !sinks))
        return cl_error_set(err, CLAST_EVALUE, "compute: %d sinks%s", n,
                            sinks ? "" : ", but NULL in their place");
    const size_t count = (size_t)n + 1;
    job->spec = cl_calloc(count, sizeof *job->spec);
    job->facts = cl_calloc(count, sizeof *job->facts);
    job->run_sink = cl_calloc(count, sizeof *job->run_sink);
    if (!job->spec || !job->facts || !job->run_sink)
        return no_memory(err);
    for (int i = 0; i < n; i++)
        CL_TRY(prepare_sink(job, &sinks[i], keep, err));
    CL_TRY(cl_sinks_check_overlap(ctx, n, sinks, err));
    if (job->nspec > 0)
        CL_TRY(cl_outputs_check(job->nspec, job->spec, err));
    CL_TRY(settle_scratch(job, err));
    CL_TRY(gather_sources(job, err));
    return make_plan(job, err);
}

static cl_run run_of(cl_job *job, cl_outputs *outputs)
{
    return (cl_run){.sources = job->source,
                    .sinks = job->run_sink,
                    .outputs = outputs,
                    .scratch_folder = job->scratch_folder,
                    .stats = &job->stats,
                    .is_cancelled = &job->ctx->is_cancelled};
}

/* What the engine does not know. */
static void add_own_figures(cl_job *job, double start)
{
    job->stats.memory = job->ctx->options.memory;
    job->stats.workers = job->ctx->options.workers;
    job->stats.plan_bytes = job->plan.bytes;
    job->stats.plan_seconds = job->plan_seconds;
    job->stats.run_seconds = start > 0 ? cl_clock() - start : 0;
}

clast_status cl_job_predict(cl_job *job, cl_error *err)
{
    const cl_run run = run_of(job, NULL);
    const clast_status status =
        cl_engine_predict(job->ctx->engine, &job->plan, &run, &job->stats, err);
    add_own_figures(job, 0);
    return status;
}

clast_status cl_job_run(cl_job *job, cl_error *err)
{
    clast_ctx *ctx = job->ctx;
    cl_outputs *outputs = NULL;
    const double start = cl_clock();
    if (job->nspec > 0)
        CL_TRY(cl_outputs_begin(&outputs, job->nspec, job->spec, &ctx->log, err));
    const cl_run run = run_of(job, outputs);
    clast_status status = cl_engine_run(ctx->engine, &job->plan, &run, err);
    if (status == CLAST_OK && outputs)
        status = cl_outputs_commit(outputs, err);
    else
        cl_outputs_abort(outputs);
    add_own_figures(job, start);
    return status;
}

void cl_job_fini(cl_job *job)
{
    for (uint32_t i = 0; i < job->nheld; i++)
        cl_node_drop(job->ctx, job->facts[i].node);
    cl_plan_fini(&job->plan);
    cl_free(job->spec);
    cl_free(job->facts);
    cl_free(job->run_sink);
    cl_free(job->source);
    cl_free(job->source_facts);
    cl_free(job->scratch);
    *job = (cl_job){0};
}
