/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turns: one run a context at a time, in the order in which they asked.
 *
 * Whoever wants the engine asks for a number and waits until those before have ended:
 * callers for themselves, the background thread for the runs that were submitted. All
 * under the context's lock, which waiting gives away.
 */
#ifndef CL_ARRAY_TURN_H
#define CL_ARRAY_TURN_H

#include "array/handle.h"

/* Takes the lock, asks and waits. On an error (a dead context, a callback of this one)
 * nothing is held. */
clast_status cl_turn_begin(clast_ctx *ctx, cl_error *err);
/* Records the error, ends the turn and gives the lock back. */
void cl_turn_end(clast_ctx *ctx, const cl_error *err);

/* The parts, with the lock held. run: what has the turn, NULL: the caller itself. */
uint64_t cl_turn_ask(clast_ctx *ctx);
void cl_turn_take(clast_ctx *ctx, uint64_t number, clast_run *run);
void cl_turn_give(clast_ctx *ctx, const cl_error *err);

/* Prepares and runs, with the turn; lets the lock go while it runs. persist: persist
 * the only sink into it; NULL: as the sinks say. true: it came to a run, which
 * ctx->stats speaks of. */
bool cl_turn_run(clast_ctx *ctx, int n, const clast_sink *sinks, cl_persisted **persist,
                 cl_error *err);

/* Frees the runs that nobody closed. Their turns have ended. */
void cl_runs_fini(clast_ctx *ctx);
/* Under ctx->canceling. */
bool cl_run_is_canceled(const clast_run *run);

#endif
