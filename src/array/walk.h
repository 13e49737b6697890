/* SPDX-License-Identifier: BSD-3-Clause */
/* The nodes of an expression, in the order in which it names them. */
#ifndef CL_ARRAY_WALK_H
#define CL_ARRAY_WALK_H

#include "graph/node.h"

/* number: how many nodes came before it, the first time. false: stop. */
typedef bool cl_walk_node_fn(void *arg, const cl_node *node, uint32_t number,
                             bool is_first);
/* Calls fn for each root and for each input of each node, a node before its inputs,
 * leftmost first; inputs of a node that was met before are not walked again. So what fn
 * is told spells the expression. CLAST_ENOMEM, also where fn stops. */
clast_status cl_walk_nodes(const cl_nodes *nodes, uint32_t n, const cl_node_id *roots,
                           cl_walk_node_fn *fn, void *arg);

typedef void cl_walk_fn(void *arg, uint32_t source, const cl_node *node);
/* Calls fn once for each SOURCE node below `root`, leftmost first. CLAST_ENOMEM. */
clast_status cl_walk_sources(const cl_nodes *nodes, cl_node_id root, cl_walk_fn *fn,
                             void *arg);

#endif
