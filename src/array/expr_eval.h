/* SPDX-License-Identifier: BSD-3-Clause */
/* Statements run: names bound to values, expressions evaluated. */
#ifndef CL_ARRAY_EXPR_EVAL_H
#define CL_ARRAY_EXPR_EVAL_H

#include "array/expr_value.h"

/* A name of the program. Inputs remember whether they were read. */
typedef struct {
    const char *name;
    cl_value value;
    bool is_input, is_used;
} cl_variable;

typedef struct {
    cl_expr_env env;
    cl_variable *variable;
    size_t count, capacity;
    cl_value last; /* of the last statement */
    cl_position last_at;
    bool has_last;
} cl_expr_scope;

/* Most names that a program may have. */
#define CL_EXPR_MAX_NAMES 4096

cl_variable *cl_expr_lookup(cl_expr_scope *scope, const char *name); /* NULL: none */
clast_status cl_expr_bind(cl_expr_scope *scope, cl_position at, const char *name,
                          const cl_value *value);
clast_status cl_expr_run(cl_expr_scope *scope, const cl_expr_statement *first);

#endif
