/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads from the page cache, by workers.
 */
#ifndef CL_SCHED_WARM_H
#define CL_SCHED_WARM_H

#include "sched/driver.h"

/* Reads the oldest load that workers try, or hands it to the I/O threads; false: there
 * is none. With the mutex held, which is let go meanwhile. */
bool cl_warm_read(cl_driver *d, uint32_t lane);

#endif
