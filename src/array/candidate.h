/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request's plan: the cheapest of several orders where the budget binds.
 */
#ifndef CL_ARRAY_CANDIDATE_H
#define CL_ARRAY_CANDIDATE_H

#include "array/request.h"

/* Fills request->planned; run: with its admission. */
clast_status cl_candidate_choose(cl_request *request, const cl_run *run, cl_error *err);
/* A line about the order, and why it was taken. */
void cl_candidate_describe(const cl_request *request, char *text, size_t size);

#endif
