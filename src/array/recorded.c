/* SPDX-License-Identifier: BSD-3-Clause */
/* What ran when, as text. */
#include "array/answer.h"

static void trace(clast_ctx *ctx, const void *question, cl_voice *voice, cl_error *err)
{
    if (ctx->options.trace)
        cl_engine_write_trace(ctx->engine, cl_voice_say, voice);
    else
        cl_error_set(err, CLAST_EVALUE,
                     "trace: nothing is recorded, the option trace was 0");
}

clast_status clast_trace(clast_ctx *ctx, clast_text_fn *write, void *arg)
{
    return cl_answer(ctx, write, arg, trace, NULL);
}
