/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Units, names and the rest go with the values as far as an operation lets them.
 *
 * Every operation has a cap: at best its result is what the cap says. Selections cap
 * nothing, a sum or difference keeps units, a product has others. Operands that come
 * from different datasets must agree in units (selected side by side: also in fill
 * values and packing), else the result is another quantity. An operand without a
 * dataset, such as a number, is nothing to min, max and where; added, it is a shift
 * that may be a conversion (kelvin to Celsius), so the units are gone. Of what is
 * multiplied nobody knows: linear algebra and functions of the caller carry nothing.
 *
 * The walk is depth-first with a stack of its own and a record per node slot; each node
 * is settled once, when its inputs are. O(nodes + edges).
 */
#include "array/carry.h"

#include <string.h>

/* ---- operations ---- */

/* At best; NOTHING where it is not in the table. */
static const uint8_t caps[CL_NOP] = {
    [CL_OP_MAPPED] = CL_CARRY_VALUES,    [CL_OP_CONCAT] = CL_CARRY_VALUES,
    [CL_OP_RESHAPE] = CL_CARRY_VALUES,   [CL_OP_RECHUNK] = CL_CARRY_VALUES,
    [CL_OP_CAST] = CL_CARRY_QUANTITY,    [CL_OP_MINIMUM] = CL_CARRY_QUANTITY,
    [CL_OP_MAXIMUM] = CL_CARRY_QUANTITY, [CL_OP_WHERE] = CL_CARRY_QUANTITY,
    [CL_OP_ADD] = CL_CARRY_UNITS,        [CL_OP_SUB] = CL_CARRY_UNITS,
    [CL_OP_NEG] = CL_CARRY_UNITS,        [CL_OP_ABS] = CL_CARRY_UNITS,
};

static const uint8_t reduction_caps[CLAST_NREDUCTION] = {
    [CLAST_MEAN] = CL_CARRY_QUANTITY, [CLAST_MIN] = CL_CARRY_QUANTITY,
    [CLAST_MAX] = CL_CARRY_QUANTITY,  [CLAST_SUM] = CL_CARRY_UNITS,
    [CLAST_STD] = CL_CARRY_UNITS,
};

static cl_carry_level cap_of(const cl_node *node)
{
    const bool is_reduction =
        node->op == CL_OP_REDUCE && node->params.reduction < CLAST_NREDUCTION;
    const cl_carry_level cap =
        is_reduction ? reduction_caps[cl_reduction_plain(node->params.reduction)]
                     : caps[node->op];
    if (!is_reduction && node->op >= CL_NELEMENTWISE)
        return cap;
    return cap == CL_CARRY_NOTHING || node->dtype == CLAST_BOOL ? CL_CARRY_OTHER : cap;
}

/* Whether an operand without a dataset leaves the others what they are. */
static bool is_selection(uint16_t op)
{
    return op == CL_OP_MINIMUM || op == CL_OP_MAXIMUM || op == CL_OP_WHERE;
}

static cl_carry_level least(cl_carry_level a, cl_carry_level b)
{
    return a < b ? a : b;
}

/* What two operands are in common. */
static void combine(cl_carry *a, const cl_carry *b, uint16_t op)
{
    a->level = least(a->level, b->level);
    if (!a->source || !b->source) {
        if (!a->source)
            a->source = b->source;
        if (!is_selection(op) || a->level == CL_CARRY_NOTHING)
            a->level = CL_CARRY_OTHER;
        return;
    }
    const cl_source_info *x = cl_source_get_info(a->source);
    const cl_source_info *y = cl_source_get_info(b->source);
    if (x->encoding != y->encoding)
        a->level = least(a->level, CL_CARRY_QUANTITY);
    if (x->units != y->units)
        a->level = least(a->level, CL_CARRY_OTHER);
}

static cl_carry settle(const cl_node *node, const cl_sources *sources,
                       const cl_carry *of)
{
    cl_carry result = {NULL, CL_CARRY_NOTHING};
    if (node->op == CL_OP_SOURCE) {
        const cl_source *s = sources->entry[node->params.source].source;
        if (s && !cl_source_get_info(s)->is_memory)
            result = (cl_carry){s, CL_CARRY_VALUES};
        return result;
    }
    if (node->op == CL_OP_CONST || node->op == CL_OP_ARANGE)
        return (cl_carry){NULL, CL_CARRY_VALUES};
    const cl_carry_level cap = cap_of(node);
    if (cap == CL_CARRY_NOTHING)
        return result;
    const uint32_t first = node->op == CL_OP_WHERE; /* not the condition */
    for (uint32_t i = first; i < node->nin; i++) {
        if (i == first)
            result = of[node->in[i].v];
        else
            combine(&result, &of[node->in[i].v], node->op);
    }
    result.level = least(result.level, cap);
    return result;
}

/* ---- the walk ---- */

typedef struct {
    cl_node_id *stack;
    size_t depth, capacity;
    cl_carry *of; /* by slot */
    uint8_t *is_settled;
    size_t nof, nsettled;
} walk;

static bool push(walk *w, cl_node_id id)
{
    const size_t n = w->nof, m = w->nsettled;
    if (!cl_grow(&w->stack, &w->capacity, w->depth + 1, sizeof *w->stack) ||
        !cl_grow(&w->of, &w->nof, (size_t)id.v + 1, sizeof *w->of) ||
        !cl_grow(&w->is_settled, &w->nsettled, (size_t)id.v + 1, 1))
        return false;
    memset(w->of + n, 0, (w->nof - n) * sizeof *w->of);
    memset(w->is_settled + m, 0, w->nsettled - m);
    w->stack[w->depth++] = id;
    return true;
}

/* Pushes the inputs that are not settled; *is_ready: there are none. */
static bool push_inputs(walk *w, const cl_node *node, bool *is_ready)
{
    const size_t before = w->depth;
    for (uint32_t i = 0; i < node->nin; i++) {
        const cl_node_id in = node->in[i];
        if ((in.v >= w->nsettled || !w->is_settled[in.v]) && !push(w, in))
            return false;
    }
    *is_ready = w->depth == before;
    return true;
}

clast_status cl_carry_of(const cl_nodes *nodes, const cl_sources *sources,
                         cl_node_id root, cl_carry *carry)
{
    walk w = {0};
    bool is_ok = push(&w, root), is_ready = false;
    while (is_ok && w.depth > 0) {
        const cl_node_id id = w.stack[w.depth - 1];
        const cl_node *node = cl_nodes_get(nodes, id);
        is_ok = push_inputs(&w, node, &is_ready);
        if (!is_ok || !is_ready)
            continue;
        w.depth--;
        w.of[id.v] = settle(node, sources, w.of);
        w.is_settled[id.v] = 1;
    }
    if (is_ok)
        *carry = w.of[root.v];
    cl_free(w.stack);
    cl_free(w.of);
    cl_free(w.is_settled);
    return is_ok ? CLAST_OK : CLAST_ENOMEM;
}
