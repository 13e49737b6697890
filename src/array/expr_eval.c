/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The evaluator: a walk over the tree that calls public array functions.
 *
 * Names are looked up among the program's variables, then among constants, dtypes and
 * functions, so that an input may be called `e` or `sum`. Operators on scalars alone
 * are Python's; as soon as an array takes part they are the array functions, and
 * whatever those report gets the operator's place in the program. Nothing is computed
 * here: arrays are expressions until a sink takes them.
 *
 * Recursion is as deep as the tree, which the parser bounds.
 */
#include "array/expr_eval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "array/expr_call.h"
#include "array/make.h"

typedef clast_status eval_fn(cl_expr_scope *scope, const cl_expr_node *node,
                             cl_value *out);

static clast_status eval(cl_expr_scope *scope, const cl_expr_node *node, cl_value *out);

/* ---- names ---- */

cl_variable *cl_expr_lookup(cl_expr_scope *scope, const char *name)
{
    for (size_t i = 0; i < scope->count; i++)
        if (strcmp(scope->variable[i].name, name) == 0)
            return &scope->variable[i];
    return NULL;
}

static clast_status add_variable(cl_expr_scope *scope, cl_position at, const char *name,
                                 cl_variable **out)
{
    if (scope->count == CL_EXPR_MAX_NAMES)
        return cl_expr_fail(scope->env.err, at, CLAST_ENAME,
                            "the program has more than %d names", CL_EXPR_MAX_NAMES);
    if (scope->count == scope->capacity) {
        const size_t capacity = scope->capacity == 0 ? 16 : 2 * scope->capacity;
        cl_variable *grown = cl_arena_array(&scope->env.arena, capacity, sizeof *grown);
        if (!grown)
            return cl_error_set(scope->env.err, CLAST_ENOMEM, "no memory for a name");
        if (scope->count > 0)
            memcpy(grown, scope->variable, scope->count * sizeof *grown);
        scope->variable = grown;
        scope->capacity = capacity;
    }
    *out = &scope->variable[scope->count++];
    **out = (cl_variable){.name = name};
    return CLAST_OK;
}

clast_status cl_expr_bind(cl_expr_scope *scope, cl_position at, const char *name,
                          const cl_value *value)
{
    cl_variable *v = cl_expr_lookup(scope, name);
    if (!v)
        CL_TRY(add_variable(scope, at, name, &v));
    v->value = *value;
    return CLAST_OK;
}

static const struct {
    const char *name;
    cl_value value;
} constants[] = {
    {"None", {.kind = CL_VALUE_NONE}},
    {"newaxis", {.kind = CL_VALUE_NONE}},
    {"True", {.kind = CL_VALUE_BOOL, .integer = 1}},
    {"False", {.kind = CL_VALUE_BOOL}},
    {"Ellipsis", {.kind = CL_VALUE_ELLIPSIS}},
    {"pi", {.kind = CL_VALUE_FLOAT, .number = {3.14159265358979323846, 0}}},
    {"e", {.kind = CL_VALUE_FLOAT, .number = {2.71828182845904523536, 0}}},
    {"inf", {.kind = CL_VALUE_FLOAT, .number = {INFINITY, 0}}},
    {"nan", {.kind = CL_VALUE_FLOAT, .number = {NAN, 0}}},
    {"np", {.kind = CL_VALUE_MODULE, .text = "np"}},
    {"numpy", {.kind = CL_VALUE_MODULE, .text = "np"}},
    {"linalg", {.kind = CL_VALUE_MODULE, .text = "linalg"}},
};

/* What the language itself calls by this name. */
static bool find_builtin(const char *name, cl_value *out)
{
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (strcmp(constants[i].name, name) == 0) {
            *out = constants[i].value;
            return true;
        }
    clast_dtype dtype = CLAST_NDTYPE;
    if (cl_expr_find_dtype(name, &dtype)) {
        *out = (cl_value){.kind = CL_VALUE_DTYPE,
                          .dtype = dtype,
                          .text = name,
                          .function = cl_expr_cast_to(dtype)};
        return true;
    }
    const cl_expr_function *function = cl_expr_find_function(name, CL_AS_FUNCTION);
    if (!function)
        return false;
    *out = (cl_value){
        .kind = CL_VALUE_FUNCTION, .text = function->name, .function = function};
    return true;
}

/* "a, b, c": the program's names, as far as they fit. */
static void list_names(const cl_expr_scope *scope, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < scope->count; i++) {
        const int n = snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                               scope->variable[i].name);
        if (n < 0 || (size_t)n >= size - used) {
            snprintf(text + used, size - used, "%s", i > 0 ? ", ..." : "...");
            return;
        }
        used += (size_t)n;
    }
}

static clast_status eval_name(cl_expr_scope *scope, const cl_expr_node *node,
                              cl_value *out)
{
    cl_variable *v = cl_expr_lookup(scope, node->text);
    if (v) {
        v->is_used = true;
        *out = v->value;
        return CLAST_OK;
    }
    if (find_builtin(node->text, out))
        return CLAST_OK;
    if (cl_expr_find_function(node->text, CL_AS_METHOD))
        return cl_expr_fail(scope->env.err, node->at, CLAST_ENAME,
                            "%s is a method: write x.%s(...)", node->text, node->text);
    char names[200];
    list_names(scope, names, sizeof names);
    return cl_expr_fail(scope->env.err, node->at, CLAST_ENAME,
                        "the name '%.60s' is unknown%s%s%s", node->text,
                        scope->count > 0 ? " (the names here are " : "", names,
                        scope->count > 0 ? ")" : "");
}

/* ---- literals ---- */

static clast_status eval_int(cl_expr_scope *scope, const cl_expr_node *node,
                             cl_value *out)
{
    *out = cl_value_int(node->integer);
    return CLAST_OK;
}

static clast_status eval_float(cl_expr_scope *scope, const cl_expr_node *node,
                               cl_value *out)
{
    *out = cl_value_float(node->number);
    return CLAST_OK;
}

static clast_status eval_imaginary(cl_expr_scope *scope, const cl_expr_node *node,
                                   cl_value *out)
{
    *out = (cl_value){.kind = CL_VALUE_COMPLEX, .number = {0, node->number}};
    return CLAST_OK;
}

static clast_status eval_string(cl_expr_scope *scope, const cl_expr_node *node,
                                cl_value *out)
{
    *out = (cl_value){.kind = CL_VALUE_STRING, .text = node->text};
    return CLAST_OK;
}

static clast_status eval_ellipsis(cl_expr_scope *scope, const cl_expr_node *node,
                                  cl_value *out)
{
    *out = (cl_value){.kind = CL_VALUE_ELLIPSIS};
    return CLAST_OK;
}

static clast_status eval_sequence(cl_expr_scope *scope, const cl_expr_node *node,
                                  cl_value *out)
{
    cl_value *item = cl_arena_array(&scope->env.arena, node->count + 1, sizeof *item);
    if (!item)
        return cl_error_set(scope->env.err, CLAST_ENOMEM, "no memory for a tuple");
    for (size_t i = 0; i < node->count; i++)
        CL_TRY(eval(scope, node->child[i], &item[i]));
    *out =
        (cl_value){.kind = node->kind == CL_EXPR_LIST ? CL_VALUE_LIST : CL_VALUE_TUPLE,
                   .item = item,
                   .count = node->count};
    return CLAST_OK;
}

/* ---- operators ---- */

static clast_array *(*const array_binary[CL_NTOKEN])(clast_array *, clast_array *) = {
    [CL_TOKEN_PLUS] = clast_add,       [CL_TOKEN_MINUS] = clast_sub,
    [CL_TOKEN_STAR] = clast_mul,       [CL_TOKEN_SLASH] = clast_div,
    [CL_TOKEN_FLOOR] = clast_floordiv, [CL_TOKEN_PERCENT] = clast_mod,
    [CL_TOKEN_AT] = clast_matmul,      [CL_TOKEN_POWER] = clast_pow,
    [CL_TOKEN_AND] = clast_and,        [CL_TOKEN_OR] = clast_or,
    [CL_TOKEN_XOR] = clast_xor,        [CL_TOKEN_LT] = clast_lt,
    [CL_TOKEN_LE] = clast_le,          [CL_TOKEN_GT] = clast_gt,
    [CL_TOKEN_GE] = clast_ge,          [CL_TOKEN_EQ] = clast_eq,
    [CL_TOKEN_NE] = clast_ne,
};

/* Of two operands one is an array or both are scalars: Python would join tuples and
 * lists with + and repeat them with *, which nobody means here. */
static clast_status check_operand(cl_expr_scope *scope, const cl_expr_node *node,
                                  const cl_value *v, const cl_value *other)
{
    const bool is_fine = v->kind == CL_VALUE_ARRAY || cl_value_is_scalar(v) ||
                         (cl_value_is_sequence(v) && other->kind == CL_VALUE_ARRAY);
    if (is_fine)
        return CLAST_OK;
    const char *hint = cl_value_is_sequence(v)        ? " (write array(...))"
                       : v->kind == CL_VALUE_FUNCTION ? " (it is not called)"
                                                      : "";
    return cl_expr_fail(scope->env.err, node->at, CLAST_EDTYPE, "%s does not take %s%s",
                        cl_token_text(node->op), cl_value_kind_text(v), hint);
}

/* An operand as an array, given the other one. What int64 does not hold is divided as
 * the float that it becomes. */
static clast_status to_operand(cl_expr_scope *scope, const cl_expr_node *node, int i,
                               const cl_value *v, const cl_value *other,
                               clast_array **out)
{
    const cl_position at = node->child[i]->at;
    if (other->kind != CL_VALUE_ARRAY || !cl_value_is_scalar(v))
        return cl_value_to_array(&scope->env, at, v, out);
    const clast_dtype dtype =
        node->op == CL_TOKEN_SLASH ? CLAST_FLOAT64 : clast_array_dtype(other->array);
    const bool is_compared = node->op >= CL_TOKEN_LT && node->op <= CL_TOKEN_NE;
    return cl_value_to_operand(&scope->env, at, v, dtype, is_compared, out);
}

static clast_status eval_binary(cl_expr_scope *scope, const cl_expr_node *node,
                                cl_value *out)
{
    cl_value a, b;
    clast_array *p = NULL, *q = NULL;
    CL_TRY(eval(scope, node->child[0], &a));
    CL_TRY(eval(scope, node->child[1], &b));
    CL_TRY(check_operand(scope, node, &a, &b));
    CL_TRY(check_operand(scope, node, &b, &a));
    if (cl_value_is_scalar(&a) && cl_value_is_scalar(&b))
        return cl_scalar_binary(&scope->env, node->at, node->op, &a, &b, out);
    CL_TRY(to_operand(scope, node, 0, &a, &b, &p));
    CL_TRY(to_operand(scope, node, 1, &b, &a, &q));
    return cl_value_take(&scope->env, node->at, array_binary[node->op](p, q), out);
}

static clast_status eval_unary(cl_expr_scope *scope, const cl_expr_node *node,
                               cl_value *out)
{
    cl_value a;
    CL_TRY(eval(scope, node->child[0], &a));
    CL_TRY(check_operand(scope, node, &a, &a));
    if (cl_value_is_scalar(&a))
        return cl_scalar_unary(&scope->env, node->at, node->op, &a, out);
    if (node->op == CL_TOKEN_PLUS) {
        *out = a;
        if (clast_array_dtype(a.array) == CLAST_BOOL)
            return cl_expr_fail(scope->env.err, node->at, CLAST_EDTYPE,
                                "unary + does not take bool");
        return CLAST_OK;
    }
    clast_array *result =
        node->op == CL_TOKEN_INVERT ? clast_invert(a.array) : clast_neg(a.array);
    return cl_value_take(&scope->env, node->at, result, out);
}

/* ---- attributes and calls ---- */

static clast_status no_attribute(cl_expr_scope *scope, const cl_expr_node *node,
                                 const cl_value *base)
{
    return cl_expr_fail(
        scope->env.err, node->at, CLAST_ENAME, "%s has no attribute '%.60s'",
        base->kind == CL_VALUE_MODULE ? base->text : cl_value_kind_text(base),
        node->text);
}

static clast_status module_attribute(cl_expr_scope *scope, const cl_expr_node *node,
                                     const cl_value *base, cl_value *out)
{
    if (strcmp(base->text, "np") == 0) {
        const bool is_python = strcmp(node->text, "None") == 0 ||
                               strcmp(node->text, "True") == 0 ||
                               strcmp(node->text, "False") == 0;
        return !is_python && find_builtin(node->text, out)
                   ? CLAST_OK
                   : no_attribute(scope, node, base);
    }
    const cl_expr_function *f = cl_expr_find_function(node->text, CL_IN_LINALG);
    if (!f)
        return no_attribute(scope, node, base);
    *out = (cl_value){.kind = CL_VALUE_FUNCTION, .text = f->name, .function = f};
    return CLAST_OK;
}

static clast_status shape_tuple(cl_expr_scope *scope, clast_array *a, cl_value *out)
{
    const int ndim = clast_ndim(a);
    cl_value *item = cl_arena_array(&scope->env.arena, (size_t)ndim + 1, sizeof *item);
    if (!item)
        return cl_error_set(scope->env.err, CLAST_ENOMEM, "no memory for a tuple");
    for (int i = 0; i < ndim; i++)
        item[i] = cl_value_int(clast_shape(a)[i]);
    *out = (cl_value){.kind = CL_VALUE_TUPLE, .item = item, .count = (size_t)ndim};
    return CLAST_OK;
}

static clast_status array_size(cl_expr_scope *scope, clast_array *a, cl_value *out)
{
    cl_wide size = 1;
    for (int i = 0; i < clast_ndim(a); i++)
        size *= clast_shape(a)[i]; /* an array's size was checked when it was made */
    *out = cl_value_int(size);
    return CLAST_OK;
}

static clast_status array_attribute(cl_expr_scope *scope, const cl_expr_node *node,
                                    const cl_value *base, cl_value *out)
{
    clast_array *a = base->array;
    if (strcmp(node->text, "T") == 0)
        return cl_value_take(&scope->env, node->at, clast_transpose(a), out);
    if (strcmp(node->text, "shape") == 0)
        return shape_tuple(scope, a, out);
    if (strcmp(node->text, "size") == 0)
        return array_size(scope, a, out);
    if (strcmp(node->text, "ndim") == 0) {
        *out = cl_value_int(clast_ndim(a));
        return CLAST_OK;
    }
    if (strcmp(node->text, "dtype") == 0) {
        const clast_dtype dtype = clast_array_dtype(a);
        *out = (cl_value){.kind = CL_VALUE_DTYPE,
                          .dtype = dtype,
                          .text = clast_dtype_name(dtype),
                          .function = cl_expr_cast_to(dtype)};
        return CLAST_OK;
    }
    const cl_expr_function *f = cl_expr_find_function(node->text, CL_AS_METHOD);
    cl_value *self = cl_arena_alloc(&scope->env.arena, sizeof *self);
    if (!self)
        return cl_error_set(scope->env.err, CLAST_ENOMEM, "no memory for a method");
    if (!f)
        return no_attribute(scope, node, base);
    *self = *base;
    *out = (cl_value){
        .kind = CL_VALUE_FUNCTION, .text = f->name, .function = f, .self = self};
    return CLAST_OK;
}

static clast_status eval_attribute(cl_expr_scope *scope, const cl_expr_node *node,
                                   cl_value *out)
{
    cl_value base;
    const cl_expr_node *left = node->child[0];
    CL_TRY(eval(scope, left, &base));
    if (base.kind == CL_VALUE_MODULE)
        return module_attribute(scope, node, &base, out);
    if (base.kind == CL_VALUE_ARRAY)
        return array_attribute(scope, node, &base, out);
    return no_attribute(scope, node, &base);
}

static clast_status eval_call(cl_expr_scope *scope, const cl_expr_node *node,
                              cl_value *out)
{
    cl_value callee;
    CL_TRY(eval(scope, node->child[0], &callee));
    if (!callee.function)
        return cl_expr_fail(scope->env.err, node->at, CLAST_EVALUE,
                            "%s cannot be called", cl_value_kind_text(&callee));
    const size_t n = node->count - 1;
    cl_arena *arena = &scope->env.arena;
    cl_value *args = cl_arena_array(arena, n + 1, sizeof *args);
    const char **names = cl_arena_array(arena, n + 1, sizeof *names);
    cl_position *places = cl_arena_array(arena, n + 1, sizeof *places);
    if (!args || !names || !places)
        return cl_error_set(scope->env.err, CLAST_ENOMEM, "no memory for a call");
    for (size_t i = 0; i < n; i++) {
        const cl_expr_node *argument = node->child[i + 1];
        const bool is_keyword = argument->kind == CL_EXPR_KEYWORD;
        names[i] = is_keyword ? argument->text : NULL;
        places[i] = argument->at;
        CL_TRY(eval(scope, is_keyword ? argument->child[0] : argument, &args[i]));
    }
    return cl_expr_call(&scope->env, node->at, &callee, n, args, names, places, out);
}

/* ---- indexing ---- */

/* Bounds beyond int64 mean what the nearest int64 means. */
static clast_status slice_part(cl_expr_scope *scope, const cl_expr_node *node,
                               int64_t *out)
{
    *out = CLAST_END;
    if (!node)
        return CLAST_OK;
    cl_value v;
    CL_TRY(eval(scope, node, &v));
    if (v.kind == CL_VALUE_NONE)
        return CLAST_OK;
    if (v.kind != CL_VALUE_INT)
        return cl_expr_fail(scope->env.err, node->at, CLAST_EINDEX,
                            "a slice is made of ints, not of %s",
                            cl_value_kind_text(&v));
    *out = v.integer > INT64_MAX - 1   ? INT64_MAX - 1
           : v.integer < INT64_MIN + 1 ? INT64_MIN + 1
                                       : (int64_t)v.integer;
    return CLAST_OK;
}

static clast_status slice_item(cl_expr_scope *scope, const cl_expr_node *node,
                               cl_index_item *item)
{
    item->kind = CL_INDEX_SLICE;
    CL_TRY(slice_part(scope, node->child[0], &item->start));
    CL_TRY(slice_part(scope, node->child[1], &item->stop));
    CL_TRY(slice_part(scope, node->child[2], &item->step));
    if (item->step == 0)
        return cl_expr_fail(scope->env.err, node->at, CLAST_EINDEX,
                            "a slice's step cannot be 0");
    if (item->step == CLAST_END)
        item->step = 1;
    return CLAST_OK;
}

static clast_status value_item(cl_expr_scope *scope, cl_position at, const cl_value *v,
                               cl_index_item *item)
{
    switch (v->kind) {
    case CL_VALUE_NONE:
        item->kind = CL_INDEX_NEWAXIS;
        return CLAST_OK;
    case CL_VALUE_ELLIPSIS:
        item->kind = CL_INDEX_ELLIPSIS;
        return CLAST_OK;
    case CL_VALUE_INT:
        if (v->integer < INT64_MIN || v->integer > INT64_MAX)
            return cl_expr_fail(scope->env.err, at, CLAST_EINDEX,
                                "the index is out of the range of int64");
        item->kind = CL_INDEX_INTEGER;
        item->start = (int64_t)v->integer;
        return CLAST_OK;
    default:
        return cl_expr_fail(scope->env.err, at, CLAST_ENOTSUP,
                            "an index is made of ints, slices, None and ..., not of %s",
                            cl_value_kind_text(v));
    }
}

enum { MAX_INDEX = 3 * CLAST_MAXDIM };

static clast_status index_array(cl_expr_scope *scope, const cl_expr_node *node,
                                clast_array *a, cl_value *out)
{
    cl_index_item items[MAX_INDEX];
    if (node->count - 1 > MAX_INDEX)
        return cl_expr_fail(scope->env.err, node->at, CLAST_EINDEX,
                            "the index has %zu items, more than %d", node->count - 1,
                            MAX_INDEX);
    for (size_t i = 1; i < node->count; i++) {
        const cl_expr_node *child = node->child[i];
        cl_index_item *item = &items[i - 1];
        *item = (cl_index_item){0};
        if (child->kind == CL_EXPR_SLICE) {
            CL_TRY(slice_item(scope, child, item));
            continue;
        }
        cl_value v;
        CL_TRY(eval(scope, child, &v));
        CL_TRY(value_item(scope, child->at, &v, item));
    }
    return cl_value_take(&scope->env, node->at,
                         cl_array_index(a, "index", node->count - 1, items), out);
}

static clast_status index_sequence(cl_expr_scope *scope, const cl_expr_node *node,
                                   const cl_value *base, cl_value *out)
{
    cl_value v = {0};
    if (node->count == 2 && !node->is_tuple && node->child[1]->kind != CL_EXPR_SLICE)
        CL_TRY(eval(scope, node->child[1], &v));
    if (v.kind != CL_VALUE_INT)
        return cl_expr_fail(scope->env.err, node->at, CLAST_EINDEX,
                            "%s is indexed by one int here", cl_value_kind_text(base));
    const cl_wide count = (cl_wide)base->count;
    const cl_wide i = v.integer < 0 ? v.integer + count : v.integer;
    if (i < 0 || i >= count)
        return cl_expr_fail(scope->env.err, node->at, CLAST_EINDEX,
                            "the index is out of range for %zu items", base->count);
    *out = base->item[i];
    return CLAST_OK;
}

static clast_status eval_index(cl_expr_scope *scope, const cl_expr_node *node,
                               cl_value *out)
{
    cl_value base;
    CL_TRY(eval(scope, node->child[0], &base));
    if (base.kind == CL_VALUE_ARRAY)
        return index_array(scope, node, base.array, out);
    if (cl_value_is_sequence(&base))
        return index_sequence(scope, node, &base, out);
    return cl_expr_fail(scope->env.err, node->at, CLAST_EINDEX, "%s cannot be indexed",
                        cl_value_kind_text(&base));
}

/* KEYWORD and SLICE are read by the nodes that hold them. */
static eval_fn *const evaluators[] = {
    [CL_EXPR_INT] = eval_int,
    [CL_EXPR_FLOAT] = eval_float,
    [CL_EXPR_IMAGINARY] = eval_imaginary,
    [CL_EXPR_STRING] = eval_string,
    [CL_EXPR_NAME] = eval_name,
    [CL_EXPR_ELLIPSIS] = eval_ellipsis,
    [CL_EXPR_TUPLE] = eval_sequence,
    [CL_EXPR_LIST] = eval_sequence,
    [CL_EXPR_UNARY] = eval_unary,
    [CL_EXPR_BINARY] = eval_binary,
    [CL_EXPR_ATTRIBUTE] = eval_attribute,
    [CL_EXPR_CALL] = eval_call,
    [CL_EXPR_INDEX] = eval_index,
};

static clast_status eval(cl_expr_scope *scope, const cl_expr_node *node, cl_value *out)
{
    *out = (cl_value){0};
    return evaluators[node->kind](scope, node, out);
}

/* ---- statements ---- */

static clast_status unpack(cl_expr_scope *scope, const cl_expr_statement *s,
                           const cl_value *v)
{
    if (!cl_value_is_sequence(v))
        return cl_expr_fail(scope->env.err, s->value->at, CLAST_EVALUE,
                            "%s cannot be unpacked into %zu names",
                            cl_value_kind_text(v), s->ntarget);
    if (v->count != s->ntarget)
        return cl_expr_fail(scope->env.err, s->at, CLAST_EVALUE,
                            "%zu values cannot be unpacked into %zu names", v->count,
                            s->ntarget);
    for (size_t i = 0; i < s->ntarget; i++)
        CL_TRY(cl_expr_bind(scope, s->target[i]->at, s->target[i]->text, &v->item[i]));
    return CLAST_OK;
}

static clast_status run_statement(cl_expr_scope *scope, const cl_expr_statement *s)
{
    cl_value v;
    CL_TRY(eval(scope, s->value, &v));
    scope->last = v;
    scope->last_at = s->value->at;
    scope->has_last = true;
    if (s->unpacks)
        return unpack(scope, s, &v);
    if (s->ntarget == 1)
        return cl_expr_bind(scope, s->at, s->target[0]->text, &v);
    return CLAST_OK;
}

clast_status cl_expr_run(cl_expr_scope *scope, const cl_expr_statement *first)
{
    for (const cl_expr_statement *s = first; s; s = s->next)
        CL_TRY(run_statement(scope, s));
    return CLAST_OK;
}
