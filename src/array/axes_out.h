/* SPDX-License-Identifier: BSD-3-Clause */
/* What a sink writes of its array's axes: names and coordinates, settled before a run.
 */
#ifndef CL_ARRAY_AXES_OUT_H
#define CL_ARRAY_AXES_OUT_H

#include "array/labels.h"

typedef struct cl_axes_out cl_axes_out;

/* *axes: NULL where no axis has a name. Under the context's lock. CLAST_ENOMEM. */
clast_status cl_axes_out_new(clast_array *a, cl_axes_out **axes, cl_error *err);
/* For cl_output_spec.dim; lives as long as the axes. NULL of NULL. */
const cl_output_dim *cl_axes_out_dims(const cl_axes_out *axes);
void cl_axes_out_free(cl_axes_out *axes); /* under the lock; NULL is legal */

#endif
