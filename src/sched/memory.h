/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block memory: page-counted slots in reserved address space.
 *
 * INVARIANTS
 *   - live + cached pages <= limit, where live is what was taken and not given back,
 * and cached what was given back but is still touched
 *   - a page that is neither live nor cached is not touched: it costs address space
 * only
 *   - cl_memory_give() cannot fail and allocates nothing
 *
 * Guarded by the engine's mutex; no function here locks.
 */
#ifndef CL_SCHED_MEMORY_H
#define CL_SCHED_MEMORY_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cl_memory cl_memory;

/* limit: pages that may be live or cached. NULL: no memory for the tables. */
cl_memory *cl_memory_new(uint64_t limit);
/* Everything must have been given back, or is lost with it. NULL is legal. */
void cl_memory_free(cl_memory *memory);

/* A slot of so many pages, page-aligned, contents undefined. NULL: the limit is reached
 * or the process has no address space left. Zero pages give an address that is valid
 * and must not be written to. */
void *cl_memory_take(cl_memory *memory, uint64_t pages);
void cl_memory_give(cl_memory *memory, void *slot, uint64_t pages);

/* Sets the limit and gives cached pages back to the system until they fit. A limit
 * below the live pages is legal: nothing can be taken then. */
void cl_memory_set_limit(cl_memory *memory, uint64_t limit);

/* Whether so many can be taken. */
bool cl_memory_has_room(const cl_memory *memory, uint64_t pages);
uint64_t cl_memory_live(const cl_memory *memory);
uint64_t cl_memory_cached(const cl_memory *memory);
uint64_t cl_memory_peak(const cl_memory *memory); /* of live */

#endif
