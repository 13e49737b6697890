/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A depth-first walk with a stack and a visited mark per node, so that long chains need
 * no recursion and shared parts are entered once: O(nodes + edges).
 */
#include "array/walk.h"

typedef struct {
    cl_node_id *stack;
    size_t depth, capacity;
    uint8_t *seen; /* by slot */
    size_t nseen;
} walk;

static bool push(walk *w, cl_node_id id)
{
    if (!cl_grow(&w->stack, &w->capacity, w->depth + 1, sizeof *w->stack))
        return false;
    w->stack[w->depth++] = id;
    return true;
}

/* Marks a node; *is_new tells whether it was not marked before. */
static bool mark(walk *w, cl_node_id id, bool *is_new)
{
    const size_t before = w->nseen;
    if (id.v >= before) {
        size_t capacity = before;
        if (!cl_grow(&w->seen, &capacity, (size_t)id.v + 1, sizeof *w->seen))
            return false;
        for (size_t i = before; i < capacity; i++)
            w->seen[i] = 0;
        w->nseen = capacity;
    }
    *is_new = !w->seen[id.v];
    w->seen[id.v] = 1;
    return true;
}

clast_status cl_walk_sources(const cl_nodes *nodes, cl_node_id root, cl_walk_fn *fn,
                             void *arg)
{
    walk w = {0};
    bool is_ok = push(&w, root);
    while (is_ok && w.depth > 0) {
        const cl_node_id id = w.stack[--w.depth];
        bool is_new;
        is_ok = mark(&w, id, &is_new);
        if (!is_ok || !is_new)
            continue;
        const cl_node *node = cl_nodes_get(nodes, id);
        if (node->op == CL_OP_SOURCE)
            fn(arg, node->params.source, node);
        for (uint32_t i = node->nin; is_ok && i > 0; i--)
            is_ok = push(&w, node->in[i - 1]);
    }
    cl_free(w.stack);
    cl_free(w.seen);
    return is_ok ? CLAST_OK : CLAST_ENOMEM;
}
