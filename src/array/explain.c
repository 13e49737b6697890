/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that answer in text: what a run would do (explain, graph), what a file holds
 * (info), what ran when (trace).
 *
 * Each takes its turn (turn.h), because it wants the engine or a plan. The text goes to
 * the caller's function piece by piece; that counts as a callback, so calls of the same
 * context from there are CLAST_EBUSY.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "array/candidate.h"
#include "array/turn.h"
#include "base/bytes.h"
#include "base/text.h"

typedef struct {
    const clast_ctx *ctx;
    clast_text_fn *write;
    void *arg;
} voice;

static void speak(void *arg, const char *text, size_t bytes)
{
    const voice *v = arg;
    cl_calling own;
    cl_ctx_callback_begin(&own, v->ctx);
    v->write(v->arg, text, bytes);
    cl_ctx_callback_end(&own);
}

/* ---- plans */

/* Says something of a request that is planned. */
typedef void tell_fn(cl_request *request, voice *v, cl_error *err);

static clast_status tell(clast_ctx *ctx, int n, const clast_sink *sinks,
                         clast_text_fn *write, void *arg, tell_fn *say)
{
    cl_error err = {0};
    cl_request request;
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    if (cl_request_prepare(&request, ctx, n, sinks, NULL, true, &err) == CLAST_OK)
        say(&request, &v, &err);
    cl_request_fini(&request);
    cl_turn_end(ctx, &err);
    return err.status;
}

static void tell_target(void *arg, const char *file, cl_target_fate fate,
                        uint64_t bytes)
{
    static const char *const fates[] = {
        [CL_TARGET_NEW] = "is made",
        [CL_TARGET_REPLACED] = "is replaced, as nothing else is in it",
        [CL_TARGET_COPIED] = "is copied first: ",
        [CL_TARGET_CLONED] = "is copied first, by sharing its blocks: ",
        [CL_TARGET_IN_PLACE] =
            "is changed in place, without a copy: a run that is killed damages it"};
    char size[CL_BYTES_TEXT] = "";
    if (fate == CL_TARGET_COPIED || fate == CL_TARGET_CLONED)
        cl_bytes_text(bytes, size);
    cl_text_say(arg, "file:    %.900s %s%s\n", file, fates[fate], size);
}

/* What becomes of the output files. */
static void describe_files(const cl_request *request, voice *v, cl_error *err)
{
    cl_text text = {0};
    if (request->nspec > 0 && cl_outputs_foresee(request->nspec, request->spec,
                                                 tell_target, &text, err) == CLAST_OK)
        speak(v, text.data, text.used);
    cl_text_fini(&text);
}

static void describe(cl_request *request, voice *v, cl_error *err)
{
    if (cl_plan_describe(&request->planned.plan, speak, v) != CLAST_OK) {
        cl_error_set(err, CLAST_ENOMEM, "explain: the process is out of memory");
        return;
    }
    const clast_status status = cl_request_predict(request, err);
    if (status != CLAST_OK && status != CLAST_EBUDGET)
        return;
    const clast_stats *s = &request->stats;
    char text[640];
    cl_candidate_describe(request, text, sizeof text);
    speak(v, text, strlen(text));
    const int n = snprintf(text, sizeof text,
                           "memory:  budget %" PRIu64 ", at least %" PRIu64
                           ", predicted peak %" PRIu64 "\nbytes:   read %" PRIu64
                           ", written %" PRIu64 ", spilled %" PRIu64
                           "\nworkers: %d, scratch %s\n",
                           s->memory, s->minimum_memory, s->predicted_peak,
                           s->predicted_read, s->predicted_written,
                           s->predicted_spilled, s->workers, request->scratch_folder);
    speak(v, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
    describe_files(request, v, err);
}

clast_status clast_explain(clast_ctx *ctx, int n, const clast_sink *sinks,
                           clast_text_fn *write, void *arg)
{
    return tell(ctx, n, sinks, write, arg, describe);
}

/* "FILE:/path" of what the request reads and writes; the names of one drawing. */
typedef struct {
    const cl_request *request;
    char text[1024];
} names;

static const char *file_name(names *n, const char *file, const char *path)
{
    snprintf(n->text, sizeof n->text, "%s:%s", file, path);
    return n->text;
}

static const char *source_name(void *arg, uint32_t source)
{
    names *n = arg;
    const cl_run_source *s = &n->request->source[source];
    const cl_source_info *info = s->source ? cl_source_get_info(s->source) : NULL;
    if (!info)
        return "persisted";
    return info->is_memory ? "memory" : file_name(n, info->file, info->path);
}

static const char *sink_name(void *arg, uint32_t sink)
{
    names *n = arg;
    const cl_output_spec *spec = n->request->run_sink[sink].spec;
    return spec ? file_name(n, spec->file, spec->path) : "memory";
}

static void draw(cl_request *request, voice *v, cl_error *err)
{
    names own = {.request = request};
    if (cl_plan_draw(&request->planned.plan,
                     &(cl_plan_names){source_name, sink_name, &own}, speak,
                     v) != CLAST_OK)
        cl_error_set(err, CLAST_ENOMEM, "graph: the process is out of memory");
}

clast_status clast_graph(clast_ctx *ctx, int n, const clast_sink *sinks,
                         clast_text_fn *write, void *arg)
{
    return tell(ctx, n, sinks, write, arg, draw);
}

/* ---- files and runs */

static clast_status report(clast_ctx *ctx, cl_report_kind kind, const char *file,
                           const char *path, const clast_info_options *o, voice *v,
                           cl_error *err)
{
    const char *op = kind == CL_REPORT_NAMES ? "datasets" : "info";
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0)
            return cl_error_set(err, CLAST_ENOTSUP, "%s: reserved[%zu] must be zero",
                                op, i);
    if (!file)
        return cl_error_set(err, CLAST_EVALUE, "%s: the file is NULL", op);
    if (!o->untrusted)
        return cl_hdf5_report(kind, file, path, speak, v, err);
    const cl_untrusted how = cl_ctx_untrusted(ctx);
    return cl_untrusted_report(kind, file, path, &how, speak, v, err);
}

static clast_status inform(clast_ctx *ctx, cl_report_kind kind, const char *file,
                           const char *path, const clast_info_options *options,
                           clast_text_fn *write, void *arg)
{
    static const clast_info_options defaults;
    cl_error err = {0};
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    report(ctx, kind, file, path, options ? options : &defaults, &v, &err);
    cl_turn_end(ctx, &err);
    return err.status;
}

clast_status clast_hdf5_info_with(clast_ctx *ctx, const char *file, const char *path,
                                  const clast_info_options *options,
                                  clast_text_fn *write, void *arg)
{
    const cl_report_kind kind =
        options && options->json ? CL_REPORT_JSON : CL_REPORT_TEXT;
    return inform(ctx, kind, file, path, options, write, arg);
}

clast_status clast_hdf5_info(clast_ctx *ctx, const char *file, const char *path,
                             clast_text_fn *write, void *arg)
{
    return clast_hdf5_info_with(ctx, file, path, NULL, write, arg);
}

clast_status clast_hdf5_info_json(clast_ctx *ctx, const char *file, const char *path,
                                  clast_text_fn *write, void *arg)
{
    const clast_info_options options = {.json = true};
    return clast_hdf5_info_with(ctx, file, path, &options, write, arg);
}

clast_status clast_hdf5_datasets_with(clast_ctx *ctx, const char *file,
                                      const clast_info_options *options,
                                      clast_text_fn *fn, void *arg)
{
    return inform(ctx, CL_REPORT_NAMES, file, NULL, options, fn, arg);
}

clast_status clast_hdf5_datasets(clast_ctx *ctx, const char *file, clast_text_fn *fn,
                                 void *arg)
{
    return clast_hdf5_datasets_with(ctx, file, NULL, fn, arg);
}

clast_status clast_hdf5_same(clast_ctx *ctx, const char *file_a, const char *path_a,
                             const char *file_b, const char *path_b, bool *is_equal)
{
    const char *const file[2] = {file_a, file_b}, *const path[2] = {path_a, path_b};
    cl_error err = {0};
    if (!ctx)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    if (!file_a || !path_a || !file_b || !path_b || !is_equal)
        cl_error_set(&err, CLAST_EVALUE, "same: NULL in place of an argument");
    else
        cl_hdf5_same(file, path, is_equal, &err);
    cl_turn_end(ctx, &err);
    return err.status;
}

clast_status clast_trace(clast_ctx *ctx, clast_text_fn *write, void *arg)
{
    cl_error err = {0};
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    voice v = {ctx, write, arg};
    if (ctx->options.trace)
        cl_engine_write_trace(ctx->engine, speak, &v);
    else
        cl_error_set(&err, CLAST_EVALUE,
                     "trace: nothing is recorded, options.trace was 0");
    cl_turn_end(ctx, &err);
    return err.status;
}
