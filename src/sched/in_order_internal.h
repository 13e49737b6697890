/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks in order from inside: a run's lanes and workers, which in_order.c runs and
 * in_order_tables.c makes, frees and tells of.
 *
 * A lane's two words are anybody's, and atomic. What follows them is its worker's own,
 * constant once all have begun, or guarded by the engine's mutex where it says so.
 */
#ifndef CL_SCHED_IN_ORDER_INTERNAL_H
#define CL_SCHED_IN_ORDER_INTERNAL_H

#include "sched/in_order.h"
#include "sched/pool.h"

/* What everybody sees of a lane. */
typedef struct {
    _Atomic uint32_t done;   /* all its tasks below this one are */
    _Atomic uint32_t leased; /* pieces */
} cl_lane;

/* What a worker knows of a lane, and what it has leased of it. */
typedef struct {
    uint32_t seen;      /* its `done`, some time ago */
    uint32_t at, until; /* tasks that are left of the lease; the same: none */
    uint32_t leased;    /* pieces, when that lease was taken; 0: none ever was */
} cl_share;

/* A worker and its lane. */
typedef struct {
    _Alignas(64) cl_lane lane; /* for others to read, on a line of its own */
    _Alignas(64) cl_in_order *o;
    uint32_t own; /* lane */
    uint32_t n;   /* lanes */
    uint32_t low; /* all tasks below are done */
    bool helps;   /* it may have leases of other lanes */
    bool is_traced;
    cl_share *share; /* by lane */
    double waited;
    double due; /* when somebody is to be told how far the run is; INFINITY: never */
    cl_pool pool;
    cl_error err;
} cl_runner;

struct cl_in_order {
    cl_driver *driver;
    const cl_segment *s;
    uint32_t shift; /* a piece is 1 << shift ranks */
    int workers;
    cl_runner *runner; /* by lane */
    cl_share *share;
    void *memory;

    /* With the mutex. */
    cl_pool_use use;
    clast_status status;
    uint32_t failed;

    _Atomic uint32_t n;                /* lanes; 0: nobody came yet */
    _Alignas(64) _Atomic uint32_t end; /* no task from here on is run */
};

#endif
