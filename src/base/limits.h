/* SPDX-License-Identifier: BSD-3-Clause */
/* What this process may use of the machine. root: where /proc and /sys lie, "" but in
 * tests. Each call asks anew. */
#ifndef CL_BASE_LIMITS_H
#define CL_BASE_LIMITS_H

#include <stdint.h>

enum { CL_MOST_WORKERS = 256 }; /* that a context may have */

/* Bytes of memory that are available now, the page cache's included. */
uint64_t cl_limit_memory(const char *root);
int cl_limit_workers(const char *root);

#endif
