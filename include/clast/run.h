/* SPDX-License-Identifier: BSD-3-Clause */
/** Runs: results as futures, progress, and what a run did when. */
#ifndef CLAST_RUN_H
#define CLAST_RUN_H

#include "clast/context.h"
#include "clast/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A computation under way: a future for all its sinks. Belongs to its context. */
typedef struct clast_run clast_run;

/**
 * clast_compute() in the background: returns at once, and the run is planned and done
 * when those that were submitted or called before it on this context have ended. Order
 * is that of submission; runs of two contexts go side by side. Arrays, strings and
 * options may go after the call, scopes may end; buffers that it writes, or memory that
 * it borrows, must stay until the run has ended.
 *
 * @param sinks  n of them; n = 0 gives a run that does nothing
 * @return       never NULL; to be given back with clast_run_close(), or by
 *               clast_close()
 * @errors       as the run's: those of clast_compute(). Arrays that are poisoned or of
 *               another context, CLAST_ENOMEM and, within a callback of ctx,
 *               CLAST_EBUSY are known at once, all others when its turn has come. The
 *               context keeps the first error as always.
 * @cost         copies what the sinks name; a thread of its own runs what is queued, on
 *               a team of threads as clast_compute(), and ends when nothing is left.
 *               While it runs, clast_copy_in() is CLAST_EBUSY and other arrays can be
 *               made. While it is planned, about 1 us a task, a few times that where
 *               the budget binds, calls that make arrays wait; clast_wait() and what
 *               else concerns runs do not.
 */
CLAST_API clast_run *clast_submit(clast_ctx *ctx, int n, const clast_sink *sinks);

/**
 * Waits for the end of a run, from any thread, any number of times.
 *
 * @param seconds  at most so long; 0: only looks; negative: as long as it takes
 * @return         what clast_compute() would have returned; CLAST_EPENDING where the
 *                 run has not ended; CLAST_EVALUE run is NULL or seconds not a number;
 *                 CLAST_EBUSY within a callback of its context
 */
CLAST_API clast_status clast_wait(clast_run *run, double seconds);

/** Cancels this run, waiting for its turn, planned (within some thousand tasks) or
 * under way (at the next task boundary); others go on. It still has to be waited for.
 * From any thread and any callback, but not from signal handlers: clast_cancel() is for
 * them. */
CLAST_API void clast_run_cancel(clast_run *run);

/** The message of a run that has failed; "" before its end and after success. Valid
 * until clast_run_close(). */
CLAST_API const char *clast_run_error(clast_run *run);

/** What it did, as clast_ctx_stats(); zeros before its end. */
CLAST_API clast_stats clast_run_stats(clast_run *run);

/** Gives the run back and writes NULL. One that has not ended is waited for, since it
 * may write into the caller's memory: cancel it first where it is not wanted. Threads
 * that are in clast_wait() get their answer first. NULL and a
 * pointer to NULL are legal. Within a callback of its context it does nothing. */
CLAST_API void clast_run_close(clast_run **run);

/** How far a run is. Totals are those of the plan; predicted_* are 0 where a large plan
 * that fits was not rehearsed. */
typedef struct clast_progress {
    uint64_t tasks, tasks_done;
    uint64_t predicted_read, read;       /**< bytes of sources, decoded */
    uint64_t predicted_written, written; /**< array bytes that sinks took */
    uint64_t predicted_spilled, spilled;
    uint64_t memory; /**< bytes of the budget in use now */
    double seconds;  /**< since the run began */
} clast_progress;
typedef void clast_progress_fn(void *arg, const clast_progress *progress);

/**
 * Has `fn` called while runs are under way: by a thread of the run, which may be the
 * caller's, between two tasks; one call at a time, and at most ten in a second of all
 * runs of the context. So none comes from a short run, and the last one of a long run
 * is not its end. It may call clast_cancel() and clast_run_cancel(); other functions
 * that need its context give CLAST_EBUSY.
 *
 * @param fn  NULL: nobody. Holds for runs that begin after the call
 * @cost      a comparison for each batch of tasks
 */
CLAST_API void clast_set_progress(clast_ctx *ctx, clast_progress_fn *fn, void *arg);

/**
 * Writes what the last run did when, as JSON in Chrome's trace-event format (Perfetto
 * and chrome://tracing open it): a row for each worker and each I/O thread, an event
 * for each task and each transfer, named by operation and block, and counters for
 * memory, ready tasks and bytes a second. Tasks of a few microseconds and less are
 * timed together; those of them that follow each other in one operation share an event,
 * whose args.and lists the others. Where the rings were too small, the oldest events of
 * a row are dropped and the file says how many.
 *
 * @return  CLAST_OK; CLAST_EVALUE where clast_options.trace was 0 (or an argument is
 *          NULL); CLAST_EBUSY within a callback of ctx. Waits for runs under way.
 * @cost    none for runs without it; with it about 0.1 us an event, which for tiny
 *          tasks is less than that a task
 */
CLAST_API clast_status clast_trace(clast_ctx *ctx, clast_text_fn *write, void *arg);

#ifdef __cplusplus
}
#endif
#endif
