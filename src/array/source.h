/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The source table of a context: what SOURCE and USER nodes index.
 *
 * Equal datasets of equal files share an entry, so that their nodes are equal. An entry
 * lives as long as its SOURCE node: the node store tells when that goes. Guarded by the
 * context's lock.
 */
#ifndef CL_ARRAY_SOURCE_H
#define CL_ARRAY_SOURCE_H

#include "graph/build.h"
#include "io/store.h"
#include "sched/run.h"

typedef struct {
    cl_source *source;        /* HDF5 and memory; NULL otherwise */
    struct cl_callee *callee; /* a function of the caller, for USER nodes */
    cl_persisted *persisted;  /* a persisted array's blocks */
    clast_dtype persisted_dtype;
    uint64_t serial; /* no other entry of the table ever had it */
    bool is_raw;
    uint64_t charged; /* bytes of the budget that go back with it */
} cl_source_entry;

typedef struct {
    cl_source_entry *entry;
    uint32_t count;
    uint32_t full; /* entries before this one are all taken */
    size_t capacity;
    uint64_t added; /* so far */
} cl_sources;

/* Takes over what the entry names; on failure it stays the caller's. */
clast_status cl_sources_add(cl_sources *sources, const cl_source_entry *entry,
                            uint32_t *index);
/* Closes what the entry holds and frees its place. */
void cl_sources_remove(cl_sources *sources, cl_engine *engine, uint32_t index);
void cl_sources_fini(cl_sources *sources, cl_engine *engine);

/* What the planner is told; entries without a source are left zero. */
void cl_sources_facts(const cl_sources *sources, cl_source_facts *facts);

#endif
