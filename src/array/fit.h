/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plans whose copies suit the budget.
 */
#ifndef CL_ARRAY_FIT_H
#define CL_ARRAY_FIT_H

#include "array/request.h"

/* A plan in an order, with copies put in for request->planned.copy_pages, beside plans
 * that hold so many bytes. */
clast_status cl_fit_build(cl_request *request, cl_order_kind order, uint64_t held,
                          cl_plan *plan, cl_error *err);
/* Fills request->planned but for its order, which is given: a plan that fits into the
 * budget, else the one that needs least. Where even making it is refused for memory
 * request->lacked says how much would have to be free, else that is 0. */
clast_status cl_fit_plan(cl_request *request, const cl_run *run, cl_error *err);
/* Adds to the error of a plan that could not be made within the budget the blocks with
 * which it could, if there are any. */
void cl_fit_name_blocks(cl_request *request, const cl_run *run, cl_error *err);

#endif
