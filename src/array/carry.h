/* SPDX-License-Identifier: BSD-3-Clause */
/* What an array's values are to those of the datasets it is computed from, and so which
 * attributes of them its outputs may repeat. */
#ifndef CL_ARRAY_CARRY_H
#define CL_ARRAY_CARRY_H

#include "array/source.h"

typedef struct {
    const cl_source *source; /* HDF5; NULL: nothing is known */
    cl_carry_level level;
} cl_carry;

/* O(nodes below root). CLAST_ENOMEM. */
clast_status cl_carry_of(const cl_nodes *nodes, const cl_sources *sources,
                         cl_node_id root, cl_carry *carry);

#endif
