/* SPDX-License-Identifier: BSD-3-Clause */
/* What a request's plan depends on, in bytes. */
#ifndef CL_ARRAY_PLAN_KEY_H
#define CL_ARRAY_PLAN_KEY_H

#include "array/request.h"

/* Of a request whose sinks, sources and scratch are settled. */
clast_status cl_plan_key_make(cl_plan_key *key, const cl_request *request,
                              cl_error *err);

#endif
