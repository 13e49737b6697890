/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the public handles are made of: contexts, scopes, arrays.
 *
 * An array is a handle on a node of its context's store, or, poisoned, a status and a
 * message. Handles hang in a doubly linked list of the scope that owns them; scopes
 * form a stack that begins with the context's own, and kept handles hang in a list
 * beside it.
 *
 * Locking: `lock` guards everything of a context but `status`, which is read without it
 * (release after the text was written). It is held while an operation is built or a
 * plan made, not while a plan runs, so that expressions can be built during a run. What
 * belongs to the run under way (`listener`, `progress`) is its own while it has the
 * turn (turn.h). `canceling` and `ending` are taken after the lock, or alone: by
 * callbacks too, and by who asks for the end of a run while another one is planned.
 * `calling` (a variable of the thread) is the chain of the callbacks that the thread is
 * in, each of a context; those of a run's threads go on with the chain of the thread
 * that waits for the run (`callers`). Functions that would need the lock of one of
 * these contexts give CLAST_EBUSY, since what holds it waits for them.
 */
#ifndef CL_ARRAY_HANDLE_H
#define CL_ARRAY_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "array/plan_cache.h"
#include "array/source.h"
#include "base/log.h"
#include "base/thread.h"
#include "clast.h"
#include "graph/node.h"
#include "sched/run.h"

typedef struct cl_scope {
    struct cl_scope *outer;
    clast_array *first;
} cl_scope;

struct clast_array {
    clast_ctx *ctx; /* NULL: a static poisoned object */
    clast_status status;
    const char *message; /* "" for a healthy array */
    char *owned;         /* the message's memory, NULL where it is static */
    cl_node_id id;
    const cl_node
        *node; /* NULL for a poisoned array; stays valid as the handle holds it */
    struct cl_label *labels; /* one an axis (labels.h); NULL: none */
    cl_scope *scope;
    clast_array *prev, *next; /* in the scope */
    bool is_persisted;
};

/* Who is told how far runs are. */
typedef struct {
    clast_progress_fn *fn;
    void *arg;
} cl_listener;

/* A callback under way; lies on the stack of who calls it. */
typedef struct cl_calling {
    const clast_ctx *ctx;
    const struct cl_calling *outer;
} cl_calling;

struct clast_ctx {
    _Atomic int status; /* the first error */
    char text[CL_ERROR_TEXT];
    bool is_static; /* the one context that stands for "no memory": never written */
    bool is_dead;   /* poisoned from birth */
    clast_options options;
    char *scratch, *helper;
    cl_mutex *lock; /* points at `mutex`, so that a const context can be locked */
    cl_mutex mutex;
    cl_cond idle; /* a turn has ended */
    uint64_t turns_asked, turns_ended;
    cl_mutex ending;    /* guards what is known of the end of all runs, and `waiting` */
    cl_cond ended;      /* a run has, or a thread waits no more */
    uint64_t waiting;   /* threads that wait for the end of a run */
    cl_mutex canceling; /* guards `current`, and run->is_canceled of all runs */
    clast_run *current; /* has the turn; NULL: a call that waits for its end */
    const cl_calling *callers; /* callbacks of other contexts that wait for this turn */
    clast_run *runs;           /* all that were not closed */
    clast_run *first, *last;   /* of those that wait in the background */
    cl_thread background;      /* does them */
    bool is_joinable, is_background_alive;
    cl_nodes *nodes;
    cl_sources sources;
    cl_engine *engine;
    cl_plan_cache plans;
    cl_scope root, kept;
    cl_scope *scope;      /* innermost */
    uint64_t lost_scopes; /* begun without memory for them: their ends count only */
    cl_log user_log, log; /* `log` leads through us to user_log */
    cl_listener user_listener, listener; /* of the next run, of this one */
    cl_progress progress;                /* leads through us to listener */
    clast_stats stats;
    atomic_bool is_cancelable, is_canceled;
    uint64_t least_read; /* of the runs so far, for the hint about persisting */
    bool hinted;
    bool is_told; /* that helpers are not confined */
};

/* The lock, unless this thread is inside a callback of the context: CLAST_EBUSY. A dead
 * context has no lock to take and needs none. */
clast_status cl_ctx_lock(const clast_ctx *ctx);
/* Whether this thread is inside such a callback: it would wait for itself. */
bool cl_ctx_is_calling(const clast_ctx *ctx);
void cl_ctx_unlock(const clast_ctx *ctx);
/* Marks that this thread runs a callback of ctx, until the end; callbacks of other
 * contexts may be around it. */
void cl_ctx_callback_begin(cl_calling *call, const clast_ctx *ctx);
void cl_ctx_callback_end(const cl_calling *call);
/* The callbacks that this thread is in, innermost first. */
const cl_calling *cl_ctx_callbacks(void);
/* Records an error unless there is one already. Under the lock. */
void cl_ctx_record(clast_ctx *ctx, clast_status status, const char *message);
/* Puts a longer message in the place of the first error where that is its end: the same
 * error, with its place in the program. Takes the lock. */
void cl_ctx_refine(clast_ctx *ctx, clast_status status, const char *message);

/* Static poisoned arrays, for when there is no context or no memory for a handle. */
extern clast_array cl_poison_memory, cl_poison_busy, cl_poison_null, cl_poison_none;

/* A handle in the innermost scope. It takes over one reference on `id`, and the labels.
 * Without memory: gives both back and returns the static poisoned array. Under the
 * lock.
 */
clast_array *cl_handle_new(clast_ctx *ctx, cl_node_id id, struct cl_label *labels);
clast_array *cl_handle_poisoned(clast_ctx *ctx, clast_status status,
                                const char *message);
/* The same with the lock taken inside, and recorded; ctx NULL: the static object. */
clast_array *cl_array_poison(clast_ctx *ctx, clast_status status, const char *text);
void cl_scope_free(clast_ctx *ctx, cl_scope *scope); /* frees the handles in it */
void cl_node_drop(clast_ctx *ctx, cl_node_id id); /* and the sources that go with it */

/* The tile where options say nothing, the smallest trace. */
enum { CL_BLOCK_BYTES = 4 << 20, CL_LEAST_TRACE = 64 << 10 };

#endif
