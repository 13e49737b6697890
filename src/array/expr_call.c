/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of the expression language.
 *
 * Positional arguments fill parameters from the left, keywords by name, as in Python; a
 * method's array is its first argument. A parameter that NumPy has and Clast has not is
 * in the table with a '!' and is refused unless it is None, so that a program never
 * means something else than it does in NumPy.
 */
#include "array/expr_call.h"

#include "array/labels.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

clast_status cl_call_error(cl_call *call, clast_status status, const char *format, ...)
{
    char text[CL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cl_expr_fail(call->env->err, call->at, status, "%s: %s",
                        call->function->name, text);
}

clast_status cl_call_take(cl_call *call, clast_array *a, cl_value *out)
{
    return cl_value_take(call->env, call->at, a, out);
}

static const char *parameter_name(const cl_call *call, int i)
{
    const char *name = call->function->parameter[i];
    return name[0] == '!' ? name + 1 : name;
}

/* An argument that is not what it should be. */
static clast_status bad_argument(cl_call *call, int i, clast_status status,
                                 const char *wanted)
{
    return cl_expr_fail(call->env->err, call->arg_at[i], status,
                        "%s: %s must be %s, not %s", call->function->name,
                        parameter_name(call, i), wanted,
                        cl_value_kind_text(&call->arg[i]));
}

/* ---- arguments as what is wanted ---- */

bool cl_call_has(const cl_call *call, int i)
{
    return call->arg[i].kind != CL_VALUE_ABSENT && call->arg[i].kind != CL_VALUE_NONE;
}

clast_status cl_call_array(cl_call *call, int i, clast_array **out)
{
    return cl_value_to_array(call->env, call->arg_at[i], &call->arg[i], out);
}

clast_status cl_call_operand(cl_call *call, int i, clast_dtype dtype, clast_array **out)
{
    return cl_value_to_operand(call->env, call->arg_at[i], &call->arg[i], dtype, false,
                               out);
}

clast_status cl_call_arrays(cl_call *call, int i, size_t *n, clast_array ***out)
{
    const cl_value *v = &call->arg[i];
    if (!cl_value_is_sequence(v))
        return bad_argument(call, i, CLAST_EVALUE, "a list or tuple of arrays");
    *n = v->count;
    *out = cl_arena_array(&call->env->arena, v->count + 1, sizeof **out);
    if (!*out)
        return cl_call_error(call, CLAST_ENOMEM, "no memory for its arguments");
    for (size_t k = 0; k < v->count; k++)
        CL_TRY(cl_value_to_array(call->env, call->arg_at[i], &v->item[k], &(*out)[k]));
    return CLAST_OK;
}

static bool is_integer(const cl_value *v)
{
    return v->kind == CL_VALUE_INT || v->kind == CL_VALUE_BOOL;
}

clast_status cl_call_int(cl_call *call, int i, int64_t *out)
{
    const cl_value *v = &call->arg[i];
    if (!is_integer(v))
        return bad_argument(call, i, CLAST_EVALUE, "an int");
    if (v->integer < INT64_MIN || v->integer > INT64_MAX)
        return cl_call_error(call, CLAST_EVALUE, "%s is out of the range of int64",
                             parameter_name(call, i));
    *out = (int64_t)v->integer;
    return CLAST_OK;
}

/* The array whose axes the arguments of a call speak of: its first argument, or the
 * first of several to be joined. NULL: it is none. */
static clast_array *subject(const cl_call *call)
{
    const cl_value *v = &call->arg[0];
    if (cl_value_is_sequence(v) && v->count > 0)
        v = &v->item[0];
    return v->kind == CL_VALUE_ARRAY ? v->array : NULL;
}

/* An axis by its name. */
static clast_status to_named_axis(cl_call *call, int i, const char *name, int *out)
{
    cl_value ignored;
    clast_array *a = subject(call), *failed;
    if ((call->function->flags & CL_NEW_AXIS) != 0)
        return bad_argument(call, i, CLAST_EAXIS,
                            "an int: it is the place of a new axis");
    if (!a)
        return cl_expr_fail(call->env->err, call->arg_at[i], CLAST_EAXIS,
                            "%s: axis '%.60s': only arrays have axes with names",
                            call->function->name, name);
    failed = cl_axis_named(a, call->function->name, name, out);
    return failed ? cl_value_take(call->env, call->arg_at[i], failed, &ignored)
                  : CLAST_OK;
}

static clast_status to_axis(cl_call *call, int i, const cl_value *v, int *out)
{
    if (v->kind == CL_VALUE_STRING)
        return to_named_axis(call, i, v->text, out);
    if (v->kind != CL_VALUE_INT)
        return bad_argument(call, i, CLAST_EAXIS, "an int, a name or a tuple of them");
    if (v->integer < -INT_MAX || v->integer > INT_MAX)
        return cl_call_error(call, CLAST_EAXIS, "%s is out of range",
                             parameter_name(call, i));
    *out = (int)v->integer;
    return CLAST_OK;
}

clast_status cl_call_axis(cl_call *call, int i, int *out)
{
    if (cl_value_is_sequence(&call->arg[i]))
        return bad_argument(call, i, CLAST_EAXIS, "an int or a name");
    return to_axis(call, i, &call->arg[i], out);
}

clast_status cl_call_axes(cl_call *call, int i, int *n, int axes[CLAST_MAXDIM])
{
    const cl_value *v = &call->arg[i];
    const bool is_one = !cl_value_is_sequence(v);
    const size_t count = is_one ? 1 : v->count;
    if (count > CLAST_MAXDIM)
        return cl_call_error(call, CLAST_EAXIS, "%s has %zu numbers, more than %d",
                             parameter_name(call, i), count, CLAST_MAXDIM);
    for (size_t k = 0; k < count; k++)
        CL_TRY(to_axis(call, i, is_one ? v : &v->item[k], &axes[k]));
    *n = (int)count;
    return CLAST_OK;
}

clast_status cl_call_shape(cl_call *call, int i, int *n, int64_t shape[CLAST_MAXDIM])
{
    const cl_value *v = &call->arg[i];
    const bool is_one = !cl_value_is_sequence(v);
    const size_t count = is_one ? 1 : v->count;
    if (count > CLAST_MAXDIM)
        return cl_call_error(call, CLAST_ESHAPE, "%s has %zu axes, more than %d",
                             parameter_name(call, i), count, CLAST_MAXDIM);
    for (size_t k = 0; k < count; k++) {
        const cl_value *extent = is_one ? v : &v->item[k];
        if (!is_integer(extent))
            return bad_argument(call, i, CLAST_ESHAPE, "an int or a tuple of ints");
        if (extent->integer < INT64_MIN || extent->integer > INT64_MAX)
            return cl_call_error(call, CLAST_ESHAPE, "%s is out of the range of int64",
                                 parameter_name(call, i));
        shape[k] = (int64_t)extent->integer;
    }
    *n = (int)count;
    return CLAST_OK;
}

clast_status cl_call_double(cl_call *call, int i, double *out)
{
    const cl_value *v = &call->arg[i];
    if (v->kind == CL_VALUE_FLOAT)
        *out = v->number[0];
    else if (is_integer(v))
        *out = (double)v->integer;
    else
        return bad_argument(call, i, CLAST_EVALUE, "a number");
    return CLAST_OK;
}

clast_status cl_call_bool(cl_call *call, int i, bool *out)
{
    if (!cl_call_has(call, i))
        return CLAST_OK;
    if (!is_integer(&call->arg[i]))
        return bad_argument(call, i, CLAST_EVALUE, "True or False");
    *out = call->arg[i].integer != 0;
    return CLAST_OK;
}

/* "f4" and its like: only as text, not as names. */
static bool find_type_code(const char *text, clast_dtype *dtype)
{
    static const struct {
        const char *code;
        clast_dtype dtype;
    } codes[] = {
        {"?", CLAST_BOOL},     {"i1", CLAST_INT8},        {"i2", CLAST_INT16},
        {"i4", CLAST_INT32},   {"i8", CLAST_INT64},       {"u1", CLAST_UINT8},
        {"u2", CLAST_UINT16},  {"u4", CLAST_UINT32},      {"u8", CLAST_UINT64},
        {"f4", CLAST_FLOAT32}, {"f8", CLAST_FLOAT64},     {"c8", CLAST_COMPLEX64},
        {"b1", CLAST_BOOL},    {"c16", CLAST_COMPLEX128},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i].code, text) == 0) {
            *dtype = codes[i].dtype;
            return true;
        }
    return false;
}

clast_status cl_call_dtype(cl_call *call, int i, clast_dtype *out)
{
    const cl_value *v = &call->arg[i];
    if (v->kind == CL_VALUE_DTYPE) {
        *out = v->dtype;
        return CLAST_OK;
    }
    if (v->kind != CL_VALUE_STRING)
        return bad_argument(call, i, CLAST_EDTYPE, "a dtype such as float32");
    if (!find_type_code(v->text, out) && !cl_expr_find_dtype(v->text, out))
        return cl_expr_fail(call->env->err, call->arg_at[i], CLAST_EDTYPE,
                            "%s: there is no dtype '%.40s' (bool, int8 to int64, uint8 "
                            "to uint64, float32, float64, complex64, complex128)",
                            call->function->name, v->text);
    return CLAST_OK;
}

/* ---- binding ---- */

static int parameter_count(const cl_expr_function *f)
{
    int n = 0;
    while (f->parameter[n])
        n++;
    return n;
}

static clast_status bind_one(cl_call *call, int i, const cl_value *v, cl_position at)
{
    if (call->arg[i].kind != CL_VALUE_ABSENT)
        return cl_expr_fail(call->env->err, at, CLAST_ENAME, "%s: %s is given twice",
                            call->function->name, parameter_name(call, i));
    if (call->function->parameter[i][0] == '!' && v->kind != CL_VALUE_NONE)
        return cl_expr_fail(call->env->err, at, CLAST_ENOTSUP,
                            "%s: the argument %s is not supported",
                            call->function->name, parameter_name(call, i));
    call->arg[i] = *v;
    call->arg_at[i] = at;
    return CLAST_OK;
}

/* Names that NumPy gave to parameters besides their first ones. */
static const char *first_name(const char *name)
{
    static const char *const names[][2] = {
        {"min", "a_min"}, {"max", "a_max"}, {"shape", "newshape"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0)
            return names[i][1];
    return name;
}

static clast_status bind_axis(cl_call *call, const char *name, const cl_value *v,
                              cl_position at)
{
    for (int i = 0; i < call->naxis; i++)
        if (strcmp(call->axis[i].name, name) == 0)
            return cl_expr_fail(call->env->err, at, CLAST_ENAME,
                                "%s: %.60s is given twice", call->function->name, name);
    if (call->naxis == CLAST_MAXDIM)
        return cl_call_error(call, CLAST_EAXIS, "more than %d axes", CLAST_MAXDIM);
    call->axis[call->naxis].name = name;
    call->axis[call->naxis].value = v;
    call->axis[call->naxis++].at = at;
    return CLAST_OK;
}

static clast_status bind_keyword(cl_call *call, const char *name, const cl_value *v,
                                 cl_position at)
{
    const int n = parameter_count(call->function);
    const bool is_by_axis = (call->function->flags & CL_BY_AXIS) != 0;
    for (int i = is_by_axis; i < n; i++)
        if (strcmp(parameter_name(call, i), name) == 0 ||
            strcmp(parameter_name(call, i), first_name(name)) == 0)
            return bind_one(call, i, v, at);
    if (is_by_axis)
        return bind_axis(call, name, v, at);
    return cl_expr_fail(call->env->err, at, CLAST_ENAME,
                        "%s: there is no argument named %.40s", call->function->name,
                        name);
}

/* x.reshape(2, 3) as x.reshape((2, 3)). */
static bool packs(const cl_call *call, const cl_value *self, size_t npositional,
                  const cl_value *args)
{
    return self && (call->function->flags & CL_PACKS) != 0 && npositional > 1 &&
           !cl_value_is_sequence(args);
}

static clast_status bind_positional(cl_call *call, int first, size_t n,
                                    const cl_value *args, const cl_position *places)
{
    const int room = parameter_count(call->function) - first;
    if (n > (size_t)(room > 0 ? room : 0))
        return cl_expr_fail(call->env->err, call->at, CLAST_EVALUE,
                            "%s: takes at most %d arguments, not %zu",
                            call->function->name, room, n);
    for (size_t i = 0; i < n; i++)
        CL_TRY(bind_one(call, first + (int)i, &args[i], places[i]));
    return CLAST_OK;
}

static clast_status check_required(cl_call *call)
{
    for (int i = 0; i < call->function->required; i++)
        if (call->arg[i].kind == CL_VALUE_ABSENT)
            return cl_call_error(call, CLAST_EVALUE, "the argument %s is missing",
                                 parameter_name(call, i));
    return CLAST_OK;
}

clast_status cl_expr_call(cl_expr_env *env, cl_position at, const cl_value *function,
                          size_t n, const cl_value *args, const char *const *names,
                          const cl_position *places, cl_value *out)
{
    cl_call call = {.env = env, .at = at, .function = function->function};
    int first = 0;
    if (function->self)
        CL_TRY(bind_one(&call, first++, function->self, at));
    size_t npositional = 0;
    while (npositional < n && !names[npositional])
        npositional++;
    if (packs(&call, function->self, npositional, args)) {
        const cl_value tuple = {
            .kind = CL_VALUE_TUPLE, .item = args, .count = npositional};
        CL_TRY(bind_positional(&call, first, 1, &tuple, places));
    } else {
        CL_TRY(bind_positional(&call, first, npositional, args, places));
    }
    for (size_t i = npositional; i < n; i++)
        CL_TRY(bind_keyword(&call, names[i], &args[i], places[i]));
    CL_TRY(check_required(&call));
    return function->function->call(&call, out);
}
