/* SPDX-License-Identifier: BSD-3-Clause */
/* The bracket around answers. */
#include "array/answer.h"

void cl_voice_say(void *arg, const char *text, size_t bytes)
{
    const cl_voice *v = arg;
    cl_calling own;
    cl_ctx_callback_begin(&own, v->ctx);
    v->write(v->arg, text, bytes);
    cl_ctx_callback_end(&own);
}

clast_status cl_answer(clast_ctx *ctx, clast_text_fn *write, void *arg,
                       cl_answer_fn *answer, const void *question)
{
    cl_error err = {0};
    if (!ctx || !write)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    cl_voice voice = {ctx, write, arg};
    answer(ctx, question, &voice, &err);
    cl_turn_end(ctx, &err);
    return err.status;
}
