/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that answer in text. Each takes its turn (turn.h), because it wants the engine
 * or a plan. The text goes to the caller's function piece by piece; that counts as a
 * callback, so calls of the same context from there are CLAST_EBUSY.
 */
#ifndef CL_ARRAY_ANSWER_H
#define CL_ARRAY_ANSWER_H

#include "array/turn.h"

typedef struct {
    const clast_ctx *ctx;
    clast_text_fn *write;
    void *arg;
} cl_voice;

/* A clast_text_fn; arg: a cl_voice. */
void cl_voice_say(void *arg, const char *text, size_t bytes);

/* Says what is asked for, with the turn. */
typedef void cl_answer_fn(clast_ctx *ctx, const void *question, cl_voice *voice,
                          cl_error *err);
/* CLAST_EVALUE ctx or write is NULL; those of turns; what the function found. */
clast_status cl_answer(clast_ctx *ctx, clast_text_fn *write, void *arg,
                       cl_answer_fn *answer, const void *question);

#endif
