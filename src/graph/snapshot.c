/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of the store a run needs: reachable nodes as items, inputs before users.
 *
 * A depth-first walk with an explicit stack numbers them; node ids never decide
 * anything, so that the plan is a function of the expression and not of the history of
 * the context. Unused PARTs of a factorisation are not reached and so are dead; the
 * used ones are noted at the factorisation. Where an operation computes in one dtype
 * and an operand has another, a CAST item is put between (elementwise programs do the
 * same by instructions, in emit.c).
 *
 * Each item also learns here what it is a view of: chains of MAPPED and RECHUNK compose
 * into one map to a *base*, which is none of the two. Concatenations and reshapes nest;
 * what is below CL_MAX_NESTED of them is copied, so that walks down views are short.
 */
#include "graph/draft.h"

#include <string.h>

static clast_status item_new(cl_draft *d, uint32_t *index)
{
    if (d->nitem >= CL_NONE - 1 ||
        !cl_grow(&d->item, &d->item_capacity, d->nitem + 1, sizeof *d->item))
        return cl_draft_nomem(d);
    cl_item *const it = &d->item[d->nitem];
    memset(it, 0, sizeof *it);
    it->hint = it->recipe = it->tensor = it->view = it->whole = CL_NONE;
    *index = (uint32_t)d->nitem++;
    return CLAST_OK;
}

/* Elements of `small` are at most an eighth of those of `big`. */
static bool is_much_smaller(const cl_shape *small, const cl_shape *big)
{
    int64_t s, b;
    return cl_shape_count(small, &s) && cl_shape_count(big, &b) && s <= b / 8;
}

/* What fusion asks of an elementwise item, from its inputs. */
static void weigh(cl_draft *d, cl_item *it)
{
    it->cost = cl_ops[it->node.op].cost;
    it->reads_cheap = true;
    it->is_random = it->node.op == CL_OP_RANDOM;
    for (uint32_t i = 0; i < it->node.nin; i++) {
        const cl_item *const base = &d->item[d->item[it->in[i]].base];
        if (cl_item_is_elementwise(base)) {
            it->cost += base->cost;
            it->reads_arrays |= base->reads_arrays;
            it->reads_cheap &= base->reads_cheap;
            it->is_random |= base->is_random;
            continue;
        }
        it->reads_arrays = true;
        it->reads_cheap &= base->node.op == CL_OP_SOURCE ||
                           is_much_smaller(&base->node.shape, &it->node.shape);
    }
}

/* Views are walked recursively, and a part shared by two branches once for each: where
 * they nest too deep, the item becomes blocks. */
static void nest(cl_draft *d, cl_item *it)
{
    if (it->node.op != CL_OP_CONCAT && it->node.op != CL_OP_RESHAPE)
        return;
    for (uint32_t i = 0; i < it->node.nin; i++) {
        const uint32_t below = d->item[d->item[it->in[i]].base].nested;
        it->nested = it->nested > below ? it->nested : below;
    }
    it->nested++;
    if (it->nested <= CL_MAX_NESTED)
        return;
    it->nested = 0;
    it->forced = true;
}

/* What the item is a view of. */
static void resolve(cl_draft *d, uint32_t index)
{
    cl_item *const it = &d->item[index];
    it->base = index;
    it->map = cl_map_identity(it->node.shape.ndim);
    if (it->node.op != CL_OP_MAPPED && it->node.op != CL_OP_RECHUNK)
        return;

    const cl_item *const child = &d->item[it->in[0]];
    const bool is_map = it->node.op == CL_OP_MAPPED;
    it->base = child->base;
    it->map = is_map ? cl_map_compose(it->node.map, &child->map) : child->map;
    it->hint = child->hint;
    if (child->hint != CL_NONE)
        it->hint_map =
            is_map ? cl_map_compose(it->node.map, &child->hint_map) : child->hint_map;
    if (!is_map) {
        it->hint = index;
        it->hint_map = cl_map_identity(it->node.shape.ndim);
    }
}

clast_status cl_draft_cast(cl_draft *d, uint32_t in, clast_dtype dtype, uint32_t *out)
{
    uint32_t index = CL_NONE;
    CL_TRY(item_new(d, &index));
    cl_item *const it = &d->item[index];
    it->in = cl_arena_alloc(&d->scratch, sizeof *it->in);
    if (!it->in)
        return cl_draft_nomem(d);
    it->in[0] = in;
    it->id = d->item[in].id;
    it->node.op = CL_OP_CAST;
    it->node.dtype = (uint8_t)dtype;
    it->node.nin = 1;
    it->node.shape = d->item[in].node.shape;
    resolve(d, index);
    weigh(d, it);
    *out = index;
    return CLAST_OK;
}

/* Operands of products and factorisations have the dtype of the node. */
static clast_status cast_operands(cl_draft *d, const cl_node *node, uint32_t *in)
{
    if (node->op != CL_OP_MATMUL && node->op != CL_OP_SVD)
        return CLAST_OK;
    for (uint32_t i = 0; i < node->nin; i++)
        if (d->item[in[i]].node.dtype != node->dtype)
            CL_TRY(cl_draft_cast(d, in[i], node->dtype, &in[i]));
    return CLAST_OK;
}

static clast_status add(cl_draft *d, cl_node_id id, const uint32_t *item_of)
{
    const cl_node *const node = cl_nodes_get(d->nodes, id);
    uint32_t *const in = cl_arena_array(&d->scratch, node->nin + 1u, sizeof *in);
    if (!in)
        return cl_draft_nomem(d);
    for (uint32_t i = 0; i < node->nin; i++)
        in[i] = item_of[node->in[i].v];
    CL_TRY(cast_operands(d, node, in));

    uint32_t index = CL_NONE;
    CL_TRY(item_new(d, &index));
    cl_item *const it = &d->item[index];
    it->node = *node;
    it->id = id.v;
    it->in = in;
    resolve(d, index);
    nest(d, it);
    if (cl_item_is_elementwise(it))
        weigh(d, it);
    if (node->op == CL_OP_PART) {
        d->item[in[0]].parts |= 1u << node->params.part;
        if (d->item[in[0]].node.op == CL_OP_SVD)
            d->item[in[0]].part[node->params.part] = index;
    }
    return CLAST_OK;
}

typedef struct {
    uint32_t *item_of; /* by node id; CL_NONE: not yet */
    size_t known, capacity;
    struct frame {
        uint32_t node, next;
    } * stack;
    size_t depth, stack_capacity;
} walk;

static clast_status enter(cl_draft *d, walk *w, uint32_t node)
{
    if (node >= w->known) {
        const size_t need = (size_t)node + 1;
        if (!cl_grow(&w->item_of, &w->capacity, need, sizeof *w->item_of))
            return cl_draft_nomem(d);
        for (; w->known < need; w->known++)
            w->item_of[w->known] = CL_NONE;
    }
    if (w->item_of[node] != CL_NONE)
        return CLAST_OK;
    if (!cl_grow(&w->stack, &w->stack_capacity, w->depth + 1, sizeof *w->stack))
        return cl_draft_nomem(d);
    w->stack[w->depth++] = (struct frame){node, 0};
    return CLAST_OK;
}

static clast_status reach(cl_draft *d, walk *w, uint32_t root)
{
    CL_TRY(enter(d, w, root));
    while (w->depth > 0) {
        struct frame *const top = &w->stack[w->depth - 1];
        const cl_node_id id = {top->node};
        const cl_node *const node = cl_nodes_get(d->nodes, id);
        if (w->item_of[id.v] != CL_NONE) {
            w->depth--;
        } else if (top->next < node->nin) {
            CL_TRY(enter(d, w, node->in[top->next++].v));
        } else {
            w->depth--;
            CL_TRY(add(d, id, w->item_of));
            w->item_of[id.v] = (uint32_t)d->nitem - 1;
        }
    }
    return CLAST_OK;
}

clast_status cl_draft_snapshot(cl_draft *d)
{
    walk w = {0};
    clast_status status = CLAST_OK;
    d->sink_item = cl_arena_array(&d->scratch, d->nsink + 1u, sizeof *d->sink_item);
    if (!d->sink_item)
        return cl_draft_nomem(d);
    for (uint32_t i = 0; i < d->nsink && status == CLAST_OK; i++) {
        status = reach(d, &w, d->sink[i].node.v);
        if (status == CLAST_OK)
            d->sink_item[i] = w.item_of[d->sink[i].node.v];
    }
    cl_free(w.item_of);
    cl_free(w.stack);
    return status;
}
