/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A depth-first walk with a stack and a number per node, so that long chains need no
 * recursion and shared parts are entered once: O(nodes + edges).
 */
#include "array/walk.h"

typedef struct {
    cl_node_id *stack;
    size_t depth, capacity;
    uint32_t *number; /* by slot: 1 + number, 0: not met yet */
    size_t nslot;
    uint32_t met;
} walk;

static bool push(walk *w, uint32_t n, const cl_node_id *ids)
{
    if (!cl_grow(&w->stack, &w->capacity, w->depth + n, sizeof *w->stack))
        return false;
    for (uint32_t i = n; i > 0; i--)
        w->stack[w->depth++] = ids[i - 1];
    return true;
}

/* *is_first: it had no number before. */
static bool number(walk *w, cl_node_id id, bool *is_first)
{
    const size_t before = w->nslot;
    if (id.v >= before) {
        size_t capacity = before;
        if (!cl_grow(&w->number, &capacity, (size_t)id.v + 1, sizeof *w->number))
            return false;
        for (size_t i = before; i < capacity; i++)
            w->number[i] = 0;
        w->nslot = capacity;
    }
    *is_first = w->number[id.v] == 0;
    if (*is_first)
        w->number[id.v] = ++w->met;
    return true;
}

clast_status cl_walk_nodes(const cl_nodes *nodes, uint32_t n, const cl_node_id *roots,
                           cl_walk_node_fn *fn, void *arg)
{
    walk w = {0};
    bool is_ok = push(&w, n, roots);
    while (is_ok && w.depth > 0) {
        const cl_node_id id = w.stack[--w.depth];
        bool is_first = false;
        is_ok = number(&w, id, &is_first);
        if (!is_ok)
            break;
        const cl_node *node = cl_nodes_get(nodes, id);
        is_ok = fn(arg, node, w.number[id.v] - 1, is_first) &&
                (!is_first || push(&w, node->nin, node->in));
    }
    cl_free(w.stack);
    cl_free(w.number);
    return is_ok ? CLAST_OK : CLAST_ENOMEM;
}

typedef struct {
    cl_walk_fn *fn;
    void *arg;
} looker;

static bool look(void *arg, const cl_node *node, uint32_t number, bool is_first)
{
    const looker *l = arg;
    (void)number;
    if (is_first && node->op == CL_OP_SOURCE)
        l->fn(l->arg, node->params.source, node);
    return true;
}

clast_status cl_walk_sources(const cl_nodes *nodes, cl_node_id root, cl_walk_fn *fn,
                             void *arg)
{
    return cl_walk_nodes(nodes, 1, &root, look, &(looker){fn, arg});
}
