/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs as trees. Trees live in the arena that the parser is given; names and
 * strings are terminated copies. */
#ifndef CL_ARRAY_EXPR_PARSE_H
#define CL_ARRAY_EXPR_PARSE_H

#include "array/expr_lex.h"
#include "base/alloc.h"

typedef enum {
    CL_EXPR_INT,
    CL_EXPR_FLOAT,
    CL_EXPR_IMAGINARY,
    CL_EXPR_STRING,
    CL_EXPR_NAME,
    CL_EXPR_ELLIPSIS,
    CL_EXPR_TUPLE,     /* children: items */
    CL_EXPR_LIST,      /* children: items */
    CL_EXPR_UNARY,     /* op; child 0 */
    CL_EXPR_BINARY,    /* op; children 0 and 1 */
    CL_EXPR_ATTRIBUTE, /* child 0 . text */
    CL_EXPR_CALL,      /* child 0 called with the others */
    CL_EXPR_KEYWORD,   /* text = child 0, an argument of a call */
    CL_EXPR_INDEX,     /* child 0 [ the others ] */
    CL_EXPR_SLICE      /* three children: start, stop, step, NULL where left out */
} cl_expr_kind;

typedef struct cl_expr_node {
    cl_expr_kind kind;
    cl_token_kind op;
    cl_position at;
    int depth; /* of the tree below, at most CL_EXPR_MAX_DEPTH */
    const char *text;
    cl_wide integer;
    double number;
    bool is_tuple; /* INDEX: a comma stood in the brackets */
    size_t count;
    struct cl_expr_node **child;
} cl_expr_node;

/* `names = value`, or an expression where there are no names. */
typedef struct cl_expr_statement {
    cl_position at;
    size_t ntarget;
    const cl_expr_node *const *target; /* NAMEs */
    bool unpacks;                      /* u, = x has one target and unpacks */
    const cl_expr_node *value;
    struct cl_expr_statement *next;
} cl_expr_statement;

/* How deep brackets may nest, and how deep a tree may be (a sum of n terms is n deep):
 * what keeps a hostile program off the end of the stack. */
#define CL_EXPR_MAX_NESTING 100
#define CL_EXPR_MAX_DEPTH   2000

clast_status cl_expr_parse(const char *program, cl_arena *arena,
                           cl_expr_statement **first, cl_error *err);

#endif
