/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller as entries of the source table: everything that was said of
 * one, copied, and its three kernels.
 *
 * An entry lives as long as its USER node. Workers call it through cl_callee.function,
 * which marks the thread as running a callback of the context.
 */
#ifndef CL_ARRAY_USER_CALL_H
#define CL_ARRAY_USER_CALL_H

#include "array/make.h"
#include "base/user.h"

typedef struct cl_callee {
    cl_user user; /* its tables are `arena`'s */
    cl_user_function function;
    clast_ctx *ctx;
    clast_kernel *kernel[CL_NUSER]; /* by role */
    void *arg;
    cl_arena arena;
} cl_callee;

/* With these members set; NULL: no memory. */
cl_callee *cl_callee_new(clast_ctx *ctx, const char *name, clast_kernel *kernel,
                         void *arg);
void cl_callee_free(cl_callee *callee);
/* `count` zeroed things of `size` bytes in the callee's arena; NULL: noted as an
 * error. */
void *cl_callee_array(cl_make *m, cl_callee *callee, size_t count, size_t size);
/* A node that calls it, of this dtype and shape; takes the callee over in any case. */
cl_node_id cl_callee_node(cl_make *m, cl_callee *callee, uint32_t nin,
                          clast_array *const *in, clast_dtype dtype,
                          const cl_shape *shape);

/* What both maps and tasks are given: false: noted as an error. */
bool cl_make_output(cl_make *m, const char *what, const clast_output *output,
                    cl_user_output *out);
bool cl_make_zeros(cl_make *m, size_t n, const uint64_t *reserved);
bool cl_make_kernel(cl_make *m, const char *op, clast_ctx *ctx, int nin,
                    clast_array *const *in, clast_kernel *kernel);

#endif
