/* SPDX-License-Identifier: BSD-3-Clause */
/* Which sources an expression reads, in the order in which it names them. */
#ifndef CL_ARRAY_WALK_H
#define CL_ARRAY_WALK_H

#include "graph/node.h"

typedef void cl_walk_fn(void *arg, uint32_t source, const cl_node *node);

/* Calls fn once for each SOURCE node below `root`, leftmost first. CLAST_ENOMEM. */
clast_status cl_walk_sources(const cl_nodes *nodes, cl_node_id root, cl_walk_fn *fn,
                             void *arg);

#endif
