/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast_expr(): a program's text to arrays.
 *
 * Parse, bind the given names, run the statements, look up what is wanted. Inputs that
 * are poisoned are passed on as any operation does. Every error of the program begins
 * with "line L, column C: ", which the command line turns into a caret; it replaces the
 * operation's own message as the context's first error, where that came from here: the
 * one ends with the other.
 *
 * All memory of parsing and evaluating is one arena, freed before return. The arrays
 * made on the way belong to the caller's scope, as if each function had been called by
 * hand.
 */
#include "clast/expr.h"

#include <string.h>

#include "array/expr_eval.h"
#include "array/handle.h"
#include "clast/array.h"

static const cl_position nowhere = {1, 1};

/* ---- the given names ---- */

static bool is_identifier(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return name[0] != '\0' && !(name[0] >= '0' && name[0] <= '9') &&
           strspn(name, letters) == strlen(name);
}

static clast_status bind_inputs(cl_expr_scope *scope, int n, const clast_name *names)
{
    for (int i = 0; i < n; i++) {
        const char *name = names[i].name;
        if (!name || !is_identifier(name))
            return cl_error_set(scope->env.err, CLAST_ENAME,
                                "expr: '%.60s' is not a name", name ? name : "");
        if (cl_expr_lookup(scope, name))
            return cl_error_set(scope->env.err, CLAST_ENAME,
                                "expr: the name '%.60s' is given twice", name);
        if (!names[i].array)
            return cl_error_set(scope->env.err, CLAST_EVALUE,
                                "expr: the array of '%.60s' is NULL", name);
        const cl_value v = {.kind = CL_VALUE_ARRAY, .array = names[i].array};
        CL_TRY(cl_expr_bind(scope, nowhere, name, &v));
        cl_expr_lookup(scope, name)->is_input = true;
    }
    return CLAST_OK;
}

static clast_status check_used(const cl_expr_scope *scope)
{
    for (size_t i = 0; i < scope->count; i++)
        if (scope->variable[i].is_input && !scope->variable[i].is_used)
            return cl_error_set(scope->env.err, CLAST_ENAME,
                                "expr: the name '%.60s' is given but never used",
                                scope->variable[i].name);
    return CLAST_OK;
}

/* ---- the wanted values ---- */

static clast_status value_of(cl_expr_scope *scope, const char *wanted, cl_value *v,
                             cl_position *at)
{
    *at = scope->last_at;
    *v = scope->last;
    if (!wanted)
        return CLAST_OK;
    cl_variable *variable = cl_expr_lookup(scope, wanted);
    if (!variable)
        return cl_error_set(scope->env.err, CLAST_ENAME,
                            "expr: the program has no name '%.60s'", wanted);
    variable->is_used = true;
    *v = variable->value;
    return CLAST_OK;
}

static clast_status take_wanted(cl_expr_scope *scope, int nwanted,
                                const char *const *wanted, clast_array **results)
{
    for (int i = 0; i < nwanted; i++) {
        cl_value v;
        cl_position at;
        CL_TRY(value_of(scope, wanted[i], &v, &at));
        if (cl_value_is_sequence(&v) && v.kind == CL_VALUE_TUPLE)
            return cl_expr_fail(scope->env.err, at, CLAST_EVALUE,
                                "the value is a tuple of %zu, and one array is wanted: "
                                "unpack it, as in u, s, vt = svd(a)",
                                v.count);
        CL_TRY(cl_value_to_array(&scope->env, at, &v, &results[i]));
    }
    return CLAST_OK;
}

static clast_status evaluate(cl_expr_scope *scope, const char *program, int n,
                             const clast_name *names, int nwanted,
                             const char *const *wanted, clast_array **results)
{
    cl_expr_statement *first = NULL;
    CL_TRY(bind_inputs(scope, n, names));
    CL_TRY(cl_expr_parse(program, &scope->env.arena, &first, scope->env.err));
    CL_TRY(cl_expr_run(scope, first));
    CL_TRY(take_wanted(scope, nwanted, wanted, results));
    return check_used(scope);
}

static clast_status check_call(const char *program, int n, const clast_name *names,
                               int nwanted, const char *const *wanted,
                               clast_array **results, cl_error *err)
{
    if (!program)
        return cl_error_set(err, CLAST_EVALUE, "expr: the program is NULL");
    if (n < 0 || (n > 0 && !names))
        return cl_error_set(err, CLAST_EVALUE, "expr: %d names%s", n,
                            names ? "" : ", but NULL in their place");
    if (nwanted < 0 || (nwanted > 0 && (!wanted || !results)))
        return cl_error_set(err, CLAST_EVALUE, "expr: %d values are wanted%s", nwanted,
                            wanted && results ? "" : ", but NULL stands for them");
    return CLAST_OK;
}

/* The first of the given arrays that is poisoned; NULL: none. */
static clast_array *poisoned_input(int n, const clast_name *names)
{
    for (int i = 0; i < n; i++)
        if (names[i].array && clast_array_status(names[i].array) != CLAST_OK)
            return names[i].array;
    return NULL;
}

/* Says it in the program's words: with the place, and for the operation's own words
 * where they have become the first error. */
static clast_array *fail(clast_ctx *ctx, bool was_fine, const cl_error *err)
{
    if (ctx && was_fine)
        cl_ctx_refine(ctx, err->status, err->text);
    return cl_array_poison(ctx, err->status, err->text);
}

clast_status clast_expr_values(clast_ctx *ctx, const char *program, int n,
                               const clast_name *names, int nwanted,
                               const char *const *wanted, clast_array **results)
{
    cl_error err = {0};
    clast_array *passed = NULL;
    const bool was_fine = clast_ctx_status(ctx) == CLAST_OK;
    if (check_call(program, n, names, nwanted, wanted, results, &err) == CLAST_OK)
        passed = poisoned_input(n, names);
    if (!passed && err.status == CLAST_OK) {
        cl_expr_scope scope = {.env = {.ctx = ctx, .err = &err}};
        evaluate(&scope, program, n, names, nwanted, wanted, results);
        cl_arena_fini(&scope.env.arena);
        if (err.status == CLAST_OK)
            return CLAST_OK;
    }
    if (!passed)
        passed = fail(ctx, was_fine, &err);
    for (int i = 0; i < nwanted && results; i++)
        results[i] = passed;
    return clast_array_status(passed);
}

clast_array *clast_expr(clast_ctx *ctx, const char *program, int n,
                        const clast_name *names)
{
    clast_array *result = NULL;
    const char *const wanted[] = {NULL};
    clast_expr_values(ctx, program, n, names, 1, wanted, &result);
    return result;
}
