/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of one machine: workers and I/O threads around the scheduler core.
 *
 * Lives for one run. `mutex` (the engine's) guards the core, the memory manager and
 * everything here but `exec`, which is constant while tasks run. An entry of `address`
 * is written under the mutex, before the task that uses it is taken under the same
 * mutex, and is read by that task without it. Where tasks are run in order their worker
 * writes it without the mutex, and the word that says they are done publishes it
 * (in_order.h).
 */
#ifndef CL_SCHED_DRIVER_H
#define CL_SCHED_DRIVER_H

#include "sched/engine.h"

#define CL_IO_THREADS 2

/* A load or a spill under way. */
typedef struct cl_transfer {
    struct cl_transfer *next;
    struct cl_transfer *later; /* alone.h: of its list */
    cl_action action;
    void *data, *staging;
    uint32_t pages, staging_pages;
    uint64_t slot;   /* scratch */
    uint64_t stored; /* bytes that were read from a file */
    bool is_unread;  /* it arrives without its elements: its task reads them */
    bool is_there;   /* alone.h: a load that waits for its turn */
    bool is_encoded; /* ... and for being decoded */
    bool is_owner;   /* alone.h: a spill whose block has gone, and left it the memory */
    bool is_dropped; /* ... whose slot nobody wants any more */
    clast_status status;
    cl_error err;
} cl_transfer;

typedef struct {
    cl_transfer *first, *last;
} cl_transfers;

typedef struct {
    uint32_t task, block; /* the other is CL_NONE */
    cl_error err;
} cl_failure;

typedef struct cl_in_order cl_in_order;

typedef struct {
    cl_mutex *mutex;
    cl_cond work, io; /* workers, I/O threads wait here */
    cl_engine *engine;
    const cl_plan *plan;
    const cl_run *run;
    cl_core *core;         /* NULL: tasks are run in order */
    cl_in_order *in_order; /* NULL: the core says what is next */
    int team;              /* workers that are asked for */
    cl_exec *exec;

    void **address; /* by block */
    /* These two only with a core. */
    uint64_t *slot;      /* by block: 1 + slot in scratch, 0: none */
    uint8_t *is_unread;  /* by block that is loaded; feed.h */
    uint32_t unread;     /* such blocks */
    uint32_t *source_of; /* by tensor: index into plan->source, or CL_NONE */
    uint64_t nblock;
    bool has_calls;       /* of functions of the caller */
    struct cl_hand *hand; /* by lane; there until all workers have left */
    int nhand;

    /* to_read: loads that workers try; to_io: what I/O threads do. */
    cl_transfers to_read, to_io, to_decode, spare;
    const struct cl_transfer_policy *policy; /* transfer.h; NULL without a core */

    /* Of a worker alone (alone.h): what I/O threads do first; all loads, oldest first;
     * spills that have not ended; whether the core was told of one since it had no
     * task. */
    cl_transfers to_spill, turn;
    cl_transfer *leaving;
    bool has_spilled;
    uint64_t most; /* pages that were live at once */

    bool is_cold;       /* what is loaded is not in the page cache: I/O threads read */
    uint32_t there;     /* loads of theirs in a row that were there all the same */
    uint32_t transfers; /* of them under way */
    uint32_t loads;     /* ... that bring something */
    uint32_t running;   /* tasks */
    uint32_t idle;      /* workers that sleep */
    struct cl_hand *looking; /* of those that look out for work */
    bool canceled, stalled, io_stops;
    double busy; /* seconds within tasks, of all workers */

    cl_thread io_thread[CL_IO_THREADS];
    uint32_t threads; /* started; workers do their work where there are none */
    uint32_t nio;     /* of them that came */
    bool io_started;

    cl_failure *failure;
    size_t nfailure, failure_room;
    uint64_t read, stored_read, spilled;
    double wait_memory, wait_read, wait_task;
    int workers; /* that came */

    double begun, due;   /* due: of the next sample or progress report */
    bool is_telling;     /* somebody is in the progress function */
    uint64_t fixed;      /* bytes besides blocks */
    clast_progress told; /* totals, and what was told last */
} cl_driver;

/* Runs the plan to its end, or to a failure, by the core, which must hold the plan's
 * segments, or in order. */
clast_status cl_driver_run(cl_driver *driver, cl_error *err);
/* How many workers the run is worth. */
int cl_driver_team(const cl_driver *d);
/* drain.c: frees the driver's tables, gives back all memory and scratch that these
 * name. With the mutex held; tolerates a driver that never ran. */
void cl_driver_sweep(cl_driver *driver);

/* Makes hands for so many workers (worker.c); the address is for cl_free. */
void *cl_worker_hands(cl_driver *d, int workers);
/* What each member of the team does. */
void cl_worker_main(void *driver, int worker, int nworkers);

/* ---- between driver.c, worker.c, drain.c and transfer.c; with the mutex held ---- */

/* drain.c: takes the core's actions: frees and discards at once, queues loads and
 * spills. */
void cl_driver_drain(cl_driver *d);
void cl_driver_fail(cl_driver *d, uint32_t task, uint32_t block, const cl_error *err);
/* worker.c: one worker that does nothing, if there is one. */
void cl_driver_wake(cl_driver *d);
/* Samples and progress, as far as they are due; may let the mutex go. */
void cl_driver_look_on(cl_driver *d, double now);

#endif
