/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From nodes to a plan: prune, share, fold views, fuse, settle grids, lower, order.
 *
 * A pure function: the same node bytes and settings give the same plan, bit for bit. It
 * asks nobody anything; what it has to know of sources and sinks is handed in.
 */
#ifndef CL_GRAPH_BUILD_H
#define CL_GRAPH_BUILD_H

#include <stdatomic.h>

#include "graph/node.h"
#include "graph/plan.h"

/* What the planner must know of a source. */
typedef struct {
    clast_dtype dtype;
    cl_shape shape;
    bool is_memory; /* caller's or copied memory: one RESIDENT strided block */
    int64_t stride[CL_MAXDIM]; /* bytes, for memory */
    bool has_chunks;
    int64_t chunk[CL_MAXDIM];   /* storage chunks, where has_chunks */
    bool is_filtered;           /* a chunk must be decoded whole */
    uint64_t staging_per_chunk; /* bytes beyond the block while one chunk is loaded
                                   (stored bytes' bound) */
    uint64_t staging_fixed;     /* ... and per load, whatever its size */
    bool is_slow;               /* H5Dread: staging of the same size as the block */
    const cl_grid *
        tiles; /* persisted arrays: their grid (blocks exist already); NULL otherwise */
    const cl_user *user; /* a function of the caller; nothing else is set then */
} cl_source_facts;

/* What the planner must know of a sink. */
typedef struct {
    cl_node_id node;
    bool is_memory;           /* fetched into a buffer: any units do */
    bool is_persist;          /* its blocks stay: no STORE stage */
    int64_t chunk[CL_MAXDIM]; /* storage chunks of an HDF5 output */
    uint64_t staging;         /* bytes that storing needs while a chunk is filtered */
    const uint8_t *stored;    /* HDF5: a bit a chunk, in C order: what is there already
                                   and needs no task; NULL: nothing */
} cl_sink_facts;

/* Candidates for the order of tasks. None changes what is computed. */
typedef enum {
    CL_ORDER_TRAVERSALS,  /* depth first, bent by what operations know of themselves */
    CL_ORDER_SMALL_TILES, /* the same, super-tiles of products with room for more */
    CL_ORDER_DEPTH_FIRST, /* plain */
    CL_ORDER_GREEDY,      /* what has begun is completed first, weighed by bytes */
    CL_NORDER,
    CL_ORDER_SINGLE_TILES = CL_NORDER /* traversals without super-tiles, to see what
                                         these are worth: no candidate */
} cl_order_kind;

typedef struct {
    uint64_t block_bytes;  /* --block: target of a numeric tile; 0: 4 MiB */
    uint64_t budget_pages; /* orders and groups, never changes the numeric grid */
    uint64_t copy_pages;   /* the budget that copies are put in for; 0: budget_pages */
    uint64_t room; /* bytes that planning may take, the plan included; 0: any. Decides
                      only whether there is a plan */
    int workers;
    cl_order_kind order;
    bool is_unfused; /* every operation makes blocks: what fusion is worth */
    const atomic_bool *is_canceled; /* asked now and then; NULL: nobody cancels */
} cl_plan_settings;

/* copy_pages of a plan whose copies do not depend on the budget. */
#define CL_COPY_UNBOUND UINT64_MAX

/* *lacked: 0, or where the room is too little and this is refused for that, what it
 * would have to be at least to get further. */
clast_status cl_plan_build(cl_plan *plan, const cl_nodes *nodes, uint32_t nsource,
                           const cl_source_facts *sources, uint32_t nsink,
                           const cl_sink_facts *sinks, const cl_plan_settings *settings,
                           uint64_t *lacked, cl_error *err);

/* A number for what decides the bits of a run's results: the expressions, the facts of
 * what they read, the chunks they are stored in and the size of blocks; not which
 * sources these are. used: nsource places, gets the sources' indices in the order in
 * which the number counts them. */
clast_status cl_program_identify(const cl_nodes *nodes, uint32_t nsource,
                                 const cl_source_facts *sources, uint32_t nsink,
                                 const cl_sink_facts *sinks, uint64_t block_bytes,
                                 uint64_t *program, uint32_t *used, uint32_t *nused,
                                 cl_error *err);

/* For a persisted sink: the tensor that holds it (its tiles are those blocks). */
uint32_t cl_plan_sink_tensor(const cl_plan *plan, uint32_t sink);

/* The plan as text, for people: one line a stage with label, dtype, shape, tile, bytes
 * that a task reads, tasks; then totals. */
clast_status cl_plan_describe(const cl_plan *plan, clast_text_fn *write, void *arg);

/* What sources and sinks are called, by the indices that plan->source[].source and
 * stages have. Valid until the next call. */
typedef struct {
    const char *(*source)(void *arg, uint32_t source);
    const char *(*sink)(void *arg, uint32_t sink);
    void *arg;
} cl_plan_names;
/* The plan as a graph in Graphviz' language: by task up to 300 of them, else by
 * operation. CLAST_ENOMEM. */
clast_status cl_plan_draw(const cl_plan *plan, const cl_plan_names *names,
                          clast_text_fn *write, void *arg);

#endif
