/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operators of a program on Python's scalars: number.c computes; here is how operators
 * are written, and errors point at them.
 */
#include "array/expr_value.h"

typedef struct {
    cl_token_kind token;
    cl_op op;
} spelling;

static const spelling binary[] = {
    {CL_TOKEN_PLUS, CL_OP_ADD},       {CL_TOKEN_MINUS, CL_OP_SUB},
    {CL_TOKEN_STAR, CL_OP_MUL},       {CL_TOKEN_SLASH, CL_OP_DIV},
    {CL_TOKEN_FLOOR, CL_OP_FLOORDIV}, {CL_TOKEN_PERCENT, CL_OP_MOD},
    {CL_TOKEN_POWER, CL_OP_POW},      {CL_TOKEN_AND, CL_OP_AND},
    {CL_TOKEN_OR, CL_OP_OR},          {CL_TOKEN_XOR, CL_OP_XOR},
    {CL_TOKEN_LT, CL_OP_LT},          {CL_TOKEN_LE, CL_OP_LE},
    {CL_TOKEN_GT, CL_OP_GT},          {CL_TOKEN_GE, CL_OP_GE},
    {CL_TOKEN_EQ, CL_OP_EQ},          {CL_TOKEN_NE, CL_OP_NE},
};

cl_value cl_value_int(cl_wide v)
{
    return (cl_value){.kind = CL_VALUE_INT, .integer = v};
}

cl_value cl_value_float(double v)
{
    return (cl_value){.kind = CL_VALUE_FLOAT, .number = {v, 0}};
}

static cl_number number_of(const cl_value *v)
{
    switch (v->kind) {
    case CL_VALUE_BOOL:
        return cl_number_bool(v->integer != 0);
    case CL_VALUE_FLOAT:
        return cl_number_float(v->number[0]);
    case CL_VALUE_COMPLEX:
        return cl_number_complex(v->number[0], v->number[1]);
    default:
        return cl_number_int(v->integer);
    }
}

static cl_value value_of(const cl_number *v)
{
    switch (v->kind) {
    case CL_KIND_BOOL:
        return (cl_value){.kind = CL_VALUE_BOOL, .integer = v->integer};
    case CL_KIND_FLOAT:
        return cl_value_float(v->number[0]);
    case CL_KIND_COMPLEX:
        return (cl_value){.kind = CL_VALUE_COMPLEX,
                          .number = {v->number[0], v->number[1]}};
    default:
        return cl_value_int(v->integer);
    }
}

/* b: NULL, or the second operand. */
static clast_status apply(cl_expr_env *env, cl_position at, cl_op op, const cl_value *a,
                          const cl_value *b, cl_value *out)
{
    const cl_number x = number_of(a), y = b ? number_of(b) : x;
    cl_number r;
    const char *why;
    if (!cl_number_apply(op, &x, b ? &y : NULL, &r, &why))
        return cl_expr_fail(env->err, at, CLAST_EVALUE,
                            "the operator does not take %s here",
                            cl_value_kind_text(y.kind > x.kind ? b : a));
    if (why)
        return cl_expr_fail(env->err, at, CLAST_EVALUE, "%s", why);
    *out = value_of(&r);
    return CLAST_OK;
}

clast_status cl_scalar_binary(cl_expr_env *env, cl_position at, cl_token_kind op,
                              const cl_value *a, const cl_value *b, cl_value *out)
{
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
        if (binary[i].token == op)
            return apply(env, at, binary[i].op, a, b, out);
    return cl_expr_fail(env->err, at, CLAST_ESHAPE, "@ does not take scalars");
}

clast_status cl_scalar_unary(cl_expr_env *env, cl_position at, cl_token_kind op,
                             const cl_value *a, cl_value *out)
{
    if (op != CL_TOKEN_PLUS)
        return apply(env, at, op == CL_TOKEN_INVERT ? CL_OP_INVERT : CL_OP_NEG, a, NULL,
                     out);
    *out = *a;
    if (a->kind == CL_VALUE_BOOL)
        out->kind = CL_VALUE_INT;
    return CLAST_OK;
}
