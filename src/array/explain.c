/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run would do, in text and as a drawing: it is planned and rehearsed, not
 * run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "array/answer.h"
#include "array/candidate.h"
#include "base/bytes.h"
#include "base/text.h"

/* Says something of a request that is planned. */
typedef void tell_fn(cl_request *request, cl_voice *v, cl_error *err);

typedef struct {
    int n;
    const clast_sink *sinks;
    tell_fn *tell;
} plan_question;

static void plan_and_tell(clast_ctx *ctx, const void *question, cl_voice *v,
                          cl_error *err)
{
    const plan_question *q = question;
    cl_request request;
    if (cl_request_prepare(&request, ctx, q->n, q->sinks, NULL, true, err) == CLAST_OK)
        q->tell(&request, v, err);
    cl_request_fini(&request);
}

static clast_status tell(clast_ctx *ctx, int n, const clast_sink *sinks,
                         clast_text_fn *write, void *arg, tell_fn *say)
{
    const plan_question question = {n, sinks, say};
    return cl_answer(ctx, write, arg, plan_and_tell, &question);
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
static void describe_files(const cl_request *request, cl_voice *v, cl_error *err)
{
    cl_text text = {0};
    if (request->nspec > 0 && cl_outputs_foresee(request->nspec, request->spec,
                                                 tell_target, &text, err) == CLAST_OK)
        cl_voice_say(v, text.data, text.used);
    cl_text_fini(&text);
}

static void describe(cl_request *request, cl_voice *v, cl_error *err)
{
    if (cl_plan_describe(&request->planned.plan, cl_voice_say, v) != CLAST_OK) {
        cl_error_set(err, CLAST_ENOMEM, "explain: the process is out of memory");
        return;
    }
    const clast_status status = cl_request_predict(request, err);
    if (status != CLAST_OK && status != CLAST_EBUDGET)
        return;
    const clast_stats *s = &request->stats;
    char text[640];
    cl_candidate_describe(request, text, sizeof text);
    cl_voice_say(v, text, strlen(text));
    snprintf(text, sizeof text, "memory:  budget %" PRIu64 ", at least %" PRIu64,
             s->memory, s->minimum_memory);
    cl_voice_say(v, text, strlen(text));
    if (status == CLAST_OK)
        snprintf(text, sizeof text,
                 ", predicted peak %" PRIu64 "\nbytes:   read %" PRIu64
                 ", written %" PRIu64 ", spilled %" PRIu64 "\n",
                 s->predicted_peak, s->predicted_read, s->predicted_written,
                 s->predicted_spilled);
    else
        snprintf(text, sizeof text, ": refused\n");
    cl_voice_say(v, text, strlen(text));
    snprintf(text, sizeof text, "workers: %d, scratch %s\n", s->workers,
             request->scratch_folder);
    cl_voice_say(v, text, strlen(text));
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

static void draw(cl_request *request, cl_voice *v, cl_error *err)
{
    names own = {.request = request};
    if (cl_plan_draw(&request->planned.plan,
                     &(cl_plan_names){source_name, sink_name, &own}, cl_voice_say,
                     v) != CLAST_OK)
        cl_error_set(err, CLAST_ENOMEM, "graph: the process is out of memory");
}

clast_status clast_graph(clast_ctx *ctx, int n, const clast_sink *sinks,
                         clast_text_fn *write, void *arg)
{
    return tell(ctx, n, sinks, write, arg, draw);
}
