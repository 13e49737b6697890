/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operators on weak scalars alone, as Python computes them on its numbers (number.c).
 *
 * Weak integers have 64 bits; where Python's would be longer, the result is
 * CLAST_EVALUE instead of a wrapped number. Operators that Python does not have for
 * these kinds are left to the elementwise rules, which refuse them with the array's
 * message.
 */
#include "array/make.h"

#include <string.h>

#include "array/number.h"

static cl_number number_of(const cl_node *node)
{
    const cl_scalar s = node->params.imm[0];
    switch (cl_node_weak_kind(node)) {
    case CL_KIND_BOOL:
        return cl_number_bool(s.b);
    case CL_KIND_FLOAT:
        return cl_number_float(s.f64);
    case CL_KIND_COMPLEX:
        return cl_number_complex(s.c128[0], s.c128[1]);
    default:
        return cl_number_int(s.i64);
    }
}

static cl_node_id node_of(cl_make *m, const cl_number *v)
{
    cl_scalar s;
    memset(&s, 0, sizeof s);
    if (v->kind == CL_KIND_BOOL)
        s.b = v->integer != 0;
    else if (v->kind == CL_KIND_FLOAT)
        s.f64 = v->number[0];
    else if (v->kind == CL_KIND_COMPLEX)
        memcpy(s.c128, v->number, sizeof s.c128);
    else if (v->integer >= INT64_MIN && v->integer <= INT64_MAX)
        s.i64 = (int64_t)v->integer;
    else
        return cl_make_fail(m, CLAST_EVALUE,
                            "the integer result does not fit into 64 bits");
    return cl_node_weak(m, v->kind, s);
}

bool cl_weak_apply(cl_make *m, cl_op op, size_t n, const cl_node_id *ids,
                   cl_node_id *result)
{
    cl_number v[2], r;
    const char *why;
    *result = CL_NO_NODE;
    if (n == 0 || n > 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        const cl_node *node = cl_make_node(m, ids[i]);
        if (!cl_node_is_weak(node))
            return false;
        v[i] = number_of(node);
    }
    if (!cl_number_apply(op, &v[0], n == 2 ? &v[1] : NULL, &r, &why))
        return false;
    *result = why ? cl_make_fail(m, CLAST_EVALUE, "%s", why) : node_of(m, &r);
    return true;
}
