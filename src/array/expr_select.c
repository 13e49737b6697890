/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sel(x, lat=(-30, 30), time='2000-01'): selections by coordinate in the expression
 * language. Not in NumPy; the names of keywords are those of x's axes.
 */
#include <math.h>
#include <string.h>

#include "array/expr_call.h"
#include "array/labels.h"

/* An end of a range: a number, or None, which leaves it open. */
static bool to_end(const cl_value *v, double open, double *out)
{
    *out = v->kind == CL_VALUE_NONE    ? open
           : v->kind == CL_VALUE_FLOAT ? v->number[0]
                                       : (double)v->integer;
    return v->kind == CL_VALUE_NONE || v->kind == CL_VALUE_FLOAT ||
           v->kind == CL_VALUE_INT;
}

static bool is_text_or_none(const cl_value *v)
{
    return v->kind == CL_VALUE_STRING || v->kind == CL_VALUE_NONE;
}

/* What one keyword selects; NULL: it is nothing that selects. */
static clast_array *select_one(clast_array *a, int axis, const cl_value *v,
                               clast_match match)
{
    double lo, hi;
    const bool is_pair = v->kind == CL_VALUE_TUPLE && v->count == 2;
    if (v->kind == CL_VALUE_STRING)
        return match == CLAST_NEAREST ? clast_sel_time_at(a, axis, v->text, match)
                                      : clast_sel_time(a, axis, v->text, v->text);
    if (v->kind == CL_VALUE_INT || v->kind == CL_VALUE_FLOAT) {
        to_end(v, 0, &lo);
        return clast_sel_at(a, axis, lo, match);
    }
    if (is_pair && to_end(&v->item[0], -INFINITY, &lo) &&
        to_end(&v->item[1], INFINITY, &hi))
        return clast_sel(a, axis, lo, hi);
    if (is_pair && is_text_or_none(&v->item[0]) && is_text_or_none(&v->item[1]))
        return clast_sel_time(a, axis, v->item[0].text, v->item[1].text);
    return NULL;
}

clast_status cl_call_select(cl_call *call, cl_value *out)
{
    clast_array *a = NULL;
    clast_match match = CLAST_EXACT;
    CL_TRY(cl_call_array(call, 0, &a));
    if (cl_call_has(call, 1)) {
        if (call->arg[1].kind != CL_VALUE_STRING ||
            strcmp(call->arg[1].text, "nearest") != 0)
            return cl_call_error(call, CLAST_ENOTSUP,
                                 "only method='nearest' is supported");
        match = CLAST_NEAREST;
    }
    for (int i = 0; i < call->naxis; i++) {
        int axis;
        cl_value taken;
        clast_array *part = cl_axis_named(a, "sel", call->axis[i].name, &axis);
        part = part ? part : select_one(a, axis, call->axis[i].value, match);
        if (!part)
            return cl_expr_fail(call->env->err, call->axis[i].at, CLAST_EVALUE,
                                "sel: %.60s must be a number, a date in quotes or a "
                                "tuple of two of them, not %s",
                                call->axis[i].name,
                                cl_value_kind_text(call->axis[i].value));
        CL_TRY(cl_value_take(call->env, call->axis[i].at, part, &taken));
        a = part;
    }
    return cl_call_take(call, a, out);
}
