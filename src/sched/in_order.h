/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running tiny tasks in their order, without the core (in_order.c, in_order_tables.c),
 * and when that is right (in_order_suits.c).
 *
 * The third way in which a plan can be run, beside the core and the core's own short
 * way where everything fits. Where cl_in_order_suits() says so, a run has no core, and
 * its driver no tables but addresses.
 *
 * What is said of failures and pages is guarded by the engine's mutex; the rest is a
 * worker's own, constant, or atomic.
 */
#ifndef CL_SCHED_IN_ORDER_H
#define CL_SCHED_IN_ORDER_H

#include "sched/driver.h"

/* Ranks of a piece at most. */
enum { CL_MOST_PIECE = 8 };

/* Whether everything fits and nothing is loaded, tasks are tiny, and the driver's team
 * is about as fast in rank order as in any. */
bool cl_in_order_suits(const cl_driver *driver, const cl_budget *budget);
/* Consecutive ranks that one worker runs: their number as a power of two. */
uint32_t cl_in_order_shift(const cl_plan *plan, int workers);

/* Whether such needs leave that possible; then what it takes at most, in bytes: lanes,
 * and lists of pools while they grow, but not the driver's table of addresses. */
bool cl_in_order_may_suit(const cl_needs *needs, uint64_t workers);
uint64_t cl_in_order_bytes(uint64_t workers, uint64_t blocks);

/* For the driver's plan and team. NULL: no memory. */
cl_in_order *cl_in_order_new(cl_driver *driver);
void cl_in_order_free(cl_in_order *o); /* NULL is legal */

/* What each member of the team does. */
void cl_in_order_main(void *driver, int worker, int nworkers);

/* Tasks that are done; during the run, nearly. */
uint64_t cl_in_order_done(const cl_in_order *o);
/* After the run: CLAST_OK, or the lowest task that failed and its status; the most
 * pages that blocks, workspaces and pools had. */
clast_status cl_in_order_failure(const cl_in_order *o, uint32_t *task);
uint64_t cl_in_order_peak(const cl_in_order *o);

#endif
