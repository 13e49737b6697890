/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nodes: expressions as plain records {op, dtype, shape, params, inputs}, without
 * pointers or callbacks.
 *
 * The store belongs to a context. A node is immutable and counted: handles and
 * consumers hold it; at zero its slot is free again. Equal bytes mean equal values
 * (borrowed memory is never merged by value: its source index differs). Not thread-safe
 * by itself; the context's mutex guards it.
 */
#ifndef CL_GRAPH_NODE_H
#define CL_GRAPH_NODE_H

#include "base/alloc.h"
#include "base/op.h"
#include "base/shape.h"
#include "base/view.h"

typedef struct {
    uint32_t v;
} cl_node_id;
#define CL_NO_NODE ((cl_node_id){UINT32_MAX})

/* What an operation is told besides its inputs. Unused members are zero, all padding is
 * zero. */
typedef struct {
    cl_scalar imm[2];  /* CONST, ARANGE, RANDOM (as in cl_imm) */
    uint8_t imm_type;  /* ARANGE: clast_dtype of imm */
    uint8_t weak;      /* CONST of a weak scalar: 1 + cl_kind; 0: strong */
    uint8_t reduction; /* REDUCE */
    uint8_t part;      /* PART: which output */
    int32_t axis;      /* CONCAT */
    uint32_t axes;   /* REDUCE: bit a set: axis a of the input is reduced (result has no
                        such axes) */
    uint32_t source; /* SOURCE, USER: index into the context's source table */
    double ddof;     /* REDUCE */
} cl_params;

typedef struct {
    uint16_t op; /* cl_op */
    uint8_t dtype;
    uint32_t nin;
    cl_shape shape;
    cl_params params;
    const cl_node_id *in;
    const cl_map
        *map; /* MAPPED: from this node's index to the input's; NULL otherwise */
    const int64_t *chunk; /* RECHUNK: ndim numbers; NULL otherwise */
} cl_node;

typedef struct cl_nodes cl_nodes;

cl_nodes *cl_nodes_new(void); /* NULL: no memory */
void cl_nodes_free(cl_nodes *nodes);
/* Adds a copy of *node, takes a reference on each input, and gives the caller one; an
 * equal live node is shared. */
clast_status cl_nodes_add(cl_nodes *nodes, const cl_node *node, cl_node_id *id);
const cl_node *cl_nodes_get(const cl_nodes *nodes,
                            cl_node_id id); /* valid while referenced */
void cl_nodes_keep(cl_nodes *nodes, cl_node_id id);
/* Drops a reference; `on_source_gone` (may be NULL) is told the source index of each
 * SOURCE or USER node that vanishes. */
void cl_nodes_drop(cl_nodes *nodes, cl_node_id id,
                   void (*on_source_gone)(void *arg, uint32_t source), void *arg);

static inline uint64_t cl_hash_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}
/* Goes on hashing from h with all that a node says but its inputs. */
uint64_t cl_node_hash(const cl_node *node, uint64_t h);

#endif
