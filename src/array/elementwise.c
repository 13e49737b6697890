/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Elementwise operations: the rules of dtype and shape, and their errors.
 *
 * All operations go one way: operators on weak scalars alone are Python's (weak.c);
 * otherwise the operands' dtypes promote (NEP 50), the rule of the operation's row in
 * base/op.h says in which dtype it computes, and every operand becomes a node of that
 * dtype and of the broadcast shape, by CAST and MAPPED nodes where it is not already.
 * The nodes of an operation so have operands that need no further rules.
 *
 * Comparing an integer array with a weak integer outside its dtype's range has a
 * constant answer, as in NumPy 2, instead of the range error that the arithmetic
 * operations give.
 */
#include "array/make.h"

/* What a rule makes of the promoted dtype; CLAST_NDTYPE: refused. */
static clast_dtype computed_dtype(cl_rule rule, clast_dtype t)
{
    const bool is_bool = t == CLAST_BOOL, is_integer = cl_dtype_is_integer(t);
    switch (rule) {
    case CL_RULE_NUMBER:
        return is_bool ? CLAST_NDTYPE : t;
    case CL_RULE_DIVIDE:
        return is_bool || is_integer ? CLAST_FLOAT64 : t;
    case CL_RULE_BITS:
        return is_bool || is_integer ? t : CLAST_NDTYPE;
    case CL_RULE_REAL:
        if (is_bool || (is_integer && clast_dtype_size(t) <= 2))
            return CLAST_FLOAT32;
        return is_integer ? CLAST_FLOAT64 : t;
    case CL_RULE_FLOOR:
        if (cl_dtype_is_complex(t))
            return CLAST_NDTYPE;
        return is_bool ? CLAST_INT8 : t;
    case CL_RULE_POWER:
        return is_bool ? CLAST_INT8 : t;
    default:
        return t;
    }
}

static clast_dtype result_dtype(cl_rule rule, clast_dtype computed)
{
    return rule == CL_RULE_ORDER     ? CLAST_BOOL
           : rule == CL_RULE_MODULUS ? cl_dtype_real(computed)
                                     : computed;
}

static cl_node_id refuse(cl_make *m, cl_op op, clast_dtype t)
{
    if (op == CL_OP_SUB)
        return cl_make_fail(m, CLAST_EDTYPE,
                            "bools cannot be subtracted, use xor (the ^ operator)");
    if (op == CL_OP_NEG)
        return cl_make_fail(m, CLAST_EDTYPE,
                            "a bool cannot be negated, use invert (the ~ operator)");
    return cl_make_fail(m, CLAST_EDTYPE, "not defined for %s%s", clast_dtype_name(t),
                        cl_ops[op].rule == CL_RULE_BITS ? ", only for bool and integers"
                                                        : "");
}

/* The shape that all operands broadcast to. */
static bool common_shape(cl_make *m, size_t n, const cl_node_id *ids, cl_shape *shape)
{
    *shape = (cl_shape){0};
    for (size_t i = 0; i < n; i++) {
        const cl_shape so_far = *shape, *next = &cl_make_node(m, ids[i])->shape;
        if (cl_shape_broadcast(&so_far, next, shape))
            continue;
        char a[512], b[512];
        cl_make_fail(m, CLAST_ESHAPE, "shapes %s and %s do not broadcast together",
                     cl_shape_text(&so_far, a, sizeof a),
                     cl_shape_text(next, b, sizeof b));
        return false;
    }
    return true;
}

cl_node_id cl_node_operated(cl_make *m, cl_op op, clast_dtype dtype, size_t n,
                            const cl_node_id *ids, const cl_shape *shape)
{
    cl_node_id in[3];
    for (size_t i = 0; i < n; i++)
        in[i] = cl_node_broadcast(m, ids[i], shape);
    cl_node node = cl_node_of(op, dtype, shape);
    node.nin = (uint32_t)n;
    node.in = in;
    return cl_make_add(m, &node);
}

/* Whether `weak` is an integer scalar that does not fit into the integer dtype. */
static bool is_out_of_range(const cl_node *weak, clast_dtype dtype)
{
    return cl_node_is_weak(weak) && cl_node_weak_kind(weak) == CL_KIND_INT &&
           cl_dtype_is_integer(dtype) && !cl_int_fits(weak->params.imm[0].i64, dtype);
}

/* An array against an integer beyond its dtype: all elements compare alike. */
static cl_node_id compare_beyond(cl_make *m, cl_op op, bool is_weak_left, int64_t weak,
                                 const cl_shape *shape)
{
    const bool is_less = (weak > 0) != is_weak_left; /* left < right */
    const bool answer = op == CL_OP_NE ||
                        ((op == CL_OP_LT || op == CL_OP_LE) && is_less) ||
                        ((op == CL_OP_GT || op == CL_OP_GE) && !is_less);
    return cl_node_const(m, CLAST_BOOL, (cl_scalar){.b = answer}, shape);
}

static bool is_negative_power(const cl_make *m, cl_op op, clast_dtype computed,
                              const cl_node_id *ids)
{
    if (op != CL_OP_POW || !cl_dtype_is_integer(computed))
        return false;
    const cl_node *exponent = cl_make_node(m, ids[1]);
    return cl_node_is_weak(exponent) && cl_node_weak_kind(exponent) == CL_KIND_INT &&
           exponent->params.imm[0].i64 < 0;
}

static cl_node_id elementwise(cl_make *m, cl_op op, size_t n, const cl_node_id *ids)
{
    cl_node_id result, in[2];
    cl_shape shape;
    if (cl_weak_apply(m, op, n, ids, &result))
        return result;
    if (!common_shape(m, n, ids, &shape))
        return CL_NO_NODE;
    const cl_rule rule = (cl_rule)cl_ops[op].rule;
    const clast_dtype promoted = cl_node_promote(m, n, ids);
    const clast_dtype computed = computed_dtype(rule, promoted);
    if (computed == CLAST_NDTYPE)
        return refuse(m, op, promoted);
    if (is_negative_power(m, op, computed, ids))
        return cl_make_fail(m, CLAST_EVALUE,
                            "integers to negative integer powers are not allowed");
    for (size_t i = 0; i < n; i++) {
        const cl_node *node = cl_make_node(m, ids[i]);
        if (rule == CL_RULE_ORDER && is_out_of_range(node, computed))
            return compare_beyond(m, op, i == 0, node->params.imm[0].i64, &shape);
    }
    for (size_t i = 0; i < n; i++)
        in[i] = cl_node_as(m, ids[i], computed);
    return cl_node_operated(m, op, result_dtype(rule, computed), n, in, &shape);
}

static cl_node_id choose(cl_make *m, const cl_node_id *ids)
{
    cl_shape shape;
    if (!common_shape(m, 3, ids, &shape))
        return CL_NO_NODE;
    const clast_dtype dtype = cl_node_promote(m, 2, ids + 1);
    const cl_node_id in[3] = {cl_node_as(m, ids[0], CLAST_BOOL),
                              cl_node_as(m, ids[1], dtype),
                              cl_node_as(m, ids[2], dtype)};
    return cl_node_operated(m, CL_OP_WHERE, dtype, 3, in, &shape);
}

static clast_array *apply(cl_op op, int n, clast_array *const *operands)
{
    cl_make m;
    cl_node_id ids[3], result = CL_NO_NODE;
    if (cl_make_begin(&m, cl_ops[op].name, n, operands)) {
        for (int i = 0; i < n; i++)
            ids[i] = operands[i]->id;
        result =
            op == CL_OP_WHERE ? choose(&m, ids) : elementwise(&m, op, (size_t)n, ids);
    }
    return cl_make_end(&m, result);
}

static clast_array *unary(cl_op op, clast_array *a)
{
    return apply(op, 1, &a);
}

static clast_array *binary(cl_op op, clast_array *a, clast_array *b)
{
    clast_array *const operands[2] = {a, b};
    return apply(op, 2, operands);
}

clast_array *clast_add(clast_array *a, clast_array *b)
{
    return binary(CL_OP_ADD, a, b);
}

clast_array *clast_sub(clast_array *a, clast_array *b)
{
    return binary(CL_OP_SUB, a, b);
}

clast_array *clast_mul(clast_array *a, clast_array *b)
{
    return binary(CL_OP_MUL, a, b);
}

clast_array *clast_div(clast_array *a, clast_array *b)
{
    return binary(CL_OP_DIV, a, b);
}

clast_array *clast_floordiv(clast_array *a, clast_array *b)
{
    return binary(CL_OP_FLOORDIV, a, b);
}

clast_array *clast_mod(clast_array *a, clast_array *b)
{
    return binary(CL_OP_MOD, a, b);
}

clast_array *clast_pow(clast_array *a, clast_array *b)
{
    return binary(CL_OP_POW, a, b);
}

clast_array *clast_neg(clast_array *a)
{
    return unary(CL_OP_NEG, a);
}

clast_array *clast_abs(clast_array *a)
{
    return unary(CL_OP_ABS, a);
}

clast_array *clast_eq(clast_array *a, clast_array *b)
{
    return binary(CL_OP_EQ, a, b);
}

clast_array *clast_ne(clast_array *a, clast_array *b)
{
    return binary(CL_OP_NE, a, b);
}

clast_array *clast_lt(clast_array *a, clast_array *b)
{
    return binary(CL_OP_LT, a, b);
}

clast_array *clast_le(clast_array *a, clast_array *b)
{
    return binary(CL_OP_LE, a, b);
}

clast_array *clast_gt(clast_array *a, clast_array *b)
{
    return binary(CL_OP_GT, a, b);
}

clast_array *clast_ge(clast_array *a, clast_array *b)
{
    return binary(CL_OP_GE, a, b);
}

clast_array *clast_and(clast_array *a, clast_array *b)
{
    return binary(CL_OP_AND, a, b);
}

clast_array *clast_or(clast_array *a, clast_array *b)
{
    return binary(CL_OP_OR, a, b);
}

clast_array *clast_xor(clast_array *a, clast_array *b)
{
    return binary(CL_OP_XOR, a, b);
}

clast_array *clast_invert(clast_array *a)
{
    return unary(CL_OP_INVERT, a);
}

clast_array *clast_sqrt(clast_array *a)
{
    return unary(CL_OP_SQRT, a);
}

clast_array *clast_exp(clast_array *a)
{
    return unary(CL_OP_EXP, a);
}

clast_array *clast_log(clast_array *a)
{
    return unary(CL_OP_LOG, a);
}

clast_array *clast_sin(clast_array *a)
{
    return unary(CL_OP_SIN, a);
}

clast_array *clast_cos(clast_array *a)
{
    return unary(CL_OP_COS, a);
}

clast_array *clast_minimum(clast_array *a, clast_array *b)
{
    return binary(CL_OP_MINIMUM, a, b);
}

clast_array *clast_maximum(clast_array *a, clast_array *b)
{
    return binary(CL_OP_MAXIMUM, a, b);
}

clast_array *clast_where(clast_array *condition, clast_array *a, clast_array *b)
{
    clast_array *const operands[3] = {condition, a, b};
    return apply(CL_OP_WHERE, 3, operands);
}

/* astype: a weak scalar becomes a strong one of its own range first, so that values
 * wrap as an array's do. */
static cl_node_id converted(cl_make *m, cl_node_id id, clast_dtype dtype)
{
    if (!cl_make_dtype(m, dtype))
        return CL_NO_NODE;
    const clast_dtype own = (clast_dtype)cl_make_node(m, id)->dtype;
    return cl_node_as(m, cl_node_as(m, id, own), dtype);
}

clast_array *clast_astype(clast_array *a, clast_dtype dtype)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, "astype", 1, &a)
                               ? converted(&m, a->id, dtype)
                               : CL_NO_NODE);
}
