/* SPDX-License-Identifier: BSD-3-Clause */
/** The context: budget, workers, scopes, errors, canceling. */
#ifndef CLAST_CONTEXT_H
#define CLAST_CONTEXT_H

#include <stdbool.h>

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What clast_open takes. Zero a field, or the whole struct, for the default. */
typedef struct clast_options {
    uint64_t memory; /**< budget in bytes; 0: half of min(available memory, cgroup
                        limit, RLIMIT_AS) */
    int workers; /**< 0: the affinity mask, capped by the cgroup quota; at most 256 */
    const char *scratch; /**< folder for spilled blocks; NULL: beside the first output,
                            else /var/tmp (the command passes CLAST_SCRATCH or $TMPDIR;
                            the library reads no environment) */
    const char *cluster; /**< NULL: this process; anything else is not supported */
    uint64_t block; /**< target bytes of a numeric tile; 0: 4 MiB. Part of what decides
                       the bits. */
    uint64_t trace; /**< bytes of the budget for recording what runs do when
                             (clast_trace()), at least 64 KiB; 0: nothing is recorded */
    const char *helper;   /**< the program clast-describe, which opens untrusted files;
                           NULL: the one that is installed with the library */
    bool no_mapping;      /**< inputs are copied, never looked at where they are in the
                           page cache: for hosts whose inputs are cut by others in ways
                           that heed no lease (docs/hdf5.md) */
    uint64_t reserved[5]; /**< zero */
} clast_options;

typedef enum clast_log_level { CLAST_LOG_INFO, CLAST_LOG_WARNING } clast_log_level;
typedef void clast_log_fn(void *arg, clast_log_level level, const char *message);

/**
 * Opens a context. Never returns NULL: where it cannot be opened, the context is
 * poisoned and clast_ctx_status() says why; every call on it is safe and does nothing.
 *
 * @param options  NULL: defaults; its strings are copied
 * @errors         CLAST_EVALUE workers or trace, CLAST_ENOTSUP cluster or a reserved
 *                 field, CLAST_ENOMEM
 * @cost           reserves addresses, starts workers with the first run
 */
CLAST_API clast_ctx *clast_open(const clast_options *options);

/** Frees the context, its arrays and persisted blocks, and writes NULL; a run under way
 * in another thread is waited for. NULL and a pointer to NULL are legal. Within a
 * callback of the same context it does nothing. */
CLAST_API void clast_close(clast_ctx **ctx);

/** The first error since clast_open() or clast_ctx_clear(). */
CLAST_API clast_status clast_ctx_status(const clast_ctx *ctx);

/** Its message; "" where there is none. Valid until the next call on the context. */
CLAST_API const char *clast_ctx_error(const clast_ctx *ctx);

/** Forgets the first error. A context that is poisoned from birth stays so. */
CLAST_API void clast_ctx_clear(clast_ctx *ctx);

/**
 * Cancels the run that is under way, at the next task boundary; without one it does
 * nothing. May be called from any thread and any signal handler.
 */
CLAST_API void clast_cancel(clast_ctx *ctx);

/** Where messages go that are no errors. The library itself never writes to stderr.
 * NULL: nowhere. `fn` may be called from any thread of a run, one call at a time being
 * not promised, and what it calls on this context gives CLAST_EBUSY. */
CLAST_API void clast_set_log(clast_ctx *ctx, clast_log_fn *fn, void *arg);

typedef void clast_lock_fn(void *arg);

/**
 * Puts the host's lock in the place of Clast's own for every call of libhdf5, in the
 * whole process. A host that calls libhdf5 itself, from other threads than the one that
 * waits for Clast, gives the lock that it makes those calls under. It need not if
 * libhdf5 is thread-safe, and must if it is not: until this function was called, a
 * libhdf5 that is not thread-safe is refused (CLAST_ENOTSUP of what opens a file).
 *
 * `lock` and `unlock` are called in pairs by one thread, a worker of a run or the
 * caller of a Clast function, and never nest: a mutex that is not recursive does. They
 * must not call Clast. A thread that holds the lock must not call Clast either, since
 * other threads of the run would wait for it forever. It is
 * held for single reads and writes, never for a whole run.
 *
 * @param lock, unlock  both NULL: Clast's own lock (again). That too says that the host
 *                      keeps its calls of libhdf5 away from Clast's, by making none say
 * @return              CLAST_EVALUE one of them is NULL; CLAST_EBUSY a dataset, an
 *                      output or a call of Clast has HDF5 open: call it before the
 *                      first of them, or after the last was closed
 */
CLAST_API clast_status clast_set_hdf5_lock(clast_lock_fn *lock, clast_lock_fn *unlock,
                                           void *arg);

/** The settled options: what was chosen for each zero. `scratch` stays NULL where it
 * was: the folder is chosen for each run then, beside its first output. */
CLAST_API clast_options clast_ctx_options(const clast_ctx *ctx);

/**
 * Arrays made from here on belong to the new scope, until clast_scope_end() frees them.
 * Scopes nest. One stack a context: threads that share one share it.
 *
 * @errors  the context's: CLAST_EVALUE an end without a begin; CLAST_ENOMEM no memory
 *          for a scope, whose arrays then belong to the outer one
 */
CLAST_API void clast_scope_begin(clast_ctx *ctx);
CLAST_API void clast_scope_end(clast_ctx *ctx);

/** What the last run on this context did, beside what its plan predicted. Bytes and
 * seconds. */
typedef struct clast_stats {
    uint64_t memory;               /**< the budget */
    uint64_t minimum_memory;       /**< with which the plan would still run */
    uint64_t predicted_peak, peak; /**< predicted: a bound where nothing is loaded and
                                      everything fits; else that of a rehearsal, which
                                      one worker keeps to, and of which several differ
                                      a little, within the budget. A plan
                                      of 65,536 tasks and more that loads and fits is
                                      not rehearsed: predicted_* of its run are 0, which
                                      a predicted peak never is else */
    uint64_t predicted_read, read; /**< of sources, decoded bytes */
    uint64_t predicted_written, written; /**< by sinks, array bytes */
    uint64_t predicted_spilled, spilled;
    uint64_t stored_read, stored_written; /**< bytes that crossed the file descriptor */
    uint64_t plan_bytes, tasks, blocks;
    uint64_t plan_reused; /**< 1: an earlier run's plan, 0: planned for this run */
    double plan_seconds, run_seconds;
    double wait_memory, wait_read, wait_task; /**< summed over workers */
    int workers; /**< that took part: fewer than asked for in tiny plans and inside the
                    host's own parallel region */
} clast_stats;

/** Those of the last run, whether it succeeded or not; zeros before the first. */
CLAST_API clast_stats clast_ctx_stats(const clast_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
