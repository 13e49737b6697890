/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Labels of results, derived from the nodes that an operation added.
 *
 * Between the node of a result and those of its operands lie the few nodes of the one
 * operation; each kind of node says what becomes of the labels of its inputs:
 *
 *   view          the axes that its map steps along, coordinates stepped along likewise
 *   reduction     the axes that are left
 *   elementwise   those of all operands together
 *   concatenate   the same; coordinates of the joined axis one after another
 *   matmul        rows of the first, columns of the second operand
 *
 * and all others make arrays without labels. Where operands meet, the axis keeps the
 * name that all of those that have one agree on, and none where they do not: values are
 * NumPy's, which goes by position. Operands are found by their node; the search goes no
 * further than MOST_DEPTH nodes, which no operation reaches.
 *
 * Cost: nothing where no operand has labels, else O(operands x axes).
 */
#include "array/labels.h"

#include <stdio.h>
#include <string.h>

enum { MOST_DEPTH = 8 };

/* ---- blocks of labels */

static bool are_blank(int ndim, const cl_label *labels)
{
    for (int a = 0; labels && a < ndim; a++)
        if (labels[a].name || labels[a].part.of)
            return false;
    return true;
}

clast_status cl_labels_new(int ndim, const cl_label *from, cl_label **labels)
{
    size_t bytes = (size_t)ndim * sizeof *from;
    *labels = NULL;
    if (are_blank(ndim, from))
        return CLAST_OK;
    for (int a = 0; a < ndim; a++)
        bytes += from[a].name ? strlen(from[a].name) + 1 : 0;
    cl_label *to = cl_alloc(bytes);
    if (!to)
        return CLAST_ENOMEM;
    char *text = (char *)(to + ndim);
    for (int a = 0; a < ndim; a++) {
        to[a] = from[a];
        cl_coordinate_keep(to[a].part.of);
        if (!from[a].name)
            continue;
        strcpy(text, from[a].name);
        to[a].name = text;
        text += strlen(text) + 1;
    }
    *labels = to;
    return CLAST_OK;
}

void cl_labels_free(int ndim, cl_label *labels)
{
    for (int a = 0; labels && a < ndim; a++)
        cl_coordinate_drop(labels[a].part.of);
    cl_free(labels);
}

/* ---- deriving */

typedef struct {
    const cl_make *m;
    cl_coordinate **made; /* on the way, given back at the end */
    size_t nmade, capacity;
    bool has_failed; /* no memory */
} derivation;

static bool hold(derivation *d, cl_coordinate *c)
{
    if (c && cl_grow(&d->made, &d->capacity, d->nmade + 1, sizeof *d->made)) {
        d->made[d->nmade++] = c;
        return true;
    }
    cl_coordinate_drop(c);
    d->has_failed = true;
    return false;
}

static void clear(cl_label *to, int ndim)
{
    for (int a = 0; a < ndim; a++)
        to[a] = (cl_label){.part = {.step = 1}};
}

/* The coordinate of an axis of n on which two operands meet. */
static cl_coordinate_part meet(derivation *d, const cl_coordinate_part *a,
                               const cl_coordinate_part *b, int64_t n)
{
    if (!a->of || !b->of)
        return a->of ? *a : *b;
    if (cl_coordinate_is_same(a, b))
        return *a;
    cl_coordinate_part both = {.step = 1};
    if (cl_coordinate_is_deep(a->of) || cl_coordinate_is_deep(b->of))
        return both;
    cl_coordinate *c = cl_coordinate_of_both(a, b, n);
    if (hold(d, c))
        both.of = c;
    return both;
}

/* What one axis is called after another operand came in; false: they disagree. */
static bool meet_name(cl_label *to, const cl_label *next)
{
    if (to->name && next->name && strcmp(to->name, next->name) != 0)
        return false;
    to->name = to->name ? to->name : next->name;
    return true;
}

/* is_out: axes on which operands disagreed, which stay without labels. `except`: an
 * axis whose coordinates do not meet, or -1. */
static void merge(derivation *d, const cl_shape *shape, cl_label *to,
                  const cl_label *next, uint32_t *is_out, int except)
{
    for (int a = 0; a < shape->ndim; a++) {
        if (!(*is_out >> a & 1u) && meet_name(&to[a], &next[a])) {
            if (a != except)
                to[a].part = meet(d, &to[a].part, &next[a].part, shape->dim[a]);
            continue;
        }
        *is_out |= 1u << a;
        to[a] = (cl_label){.part = {.step = 1}};
    }
}

static void derive(derivation *d, cl_node_id id, int depth, cl_label *to);

static void of_operand(const clast_array *a, cl_label *to)
{
    if (a->labels)
        memcpy(to, a->labels, (size_t)a->node->shape.ndim * sizeof *to);
}

static void of_view(derivation *d, const cl_node *node, int depth, cl_label *to)
{
    cl_label from[CL_MAXDIM];
    const cl_map *map = node->map;
    derive(d, node->in[0], depth, from);
    for (int k = 0; k < map->nin; k++) {
        const int o = map->src[k];
        if (o < 0 || map->step[k] == 0)
            continue;
        to[o] = from[k];
        to[o].part.start += map->off[k] * from[k].part.step;
        to[o].part.step *= map->step[k];
    }
}

static void of_reduction(derivation *d, const cl_node *node, int depth, cl_label *to)
{
    cl_label from[CL_MAXDIM];
    derive(d, node->in[0], depth, from);
    const int ndim = cl_make_node(d->m, node->in[0])->shape.ndim;
    for (int k = 0, o = 0; k < ndim; k++)
        if (!(node->params.axes >> k & 1u))
            to[o++] = from[k];
}

static void of_elements(derivation *d, const cl_node *node, int depth, cl_label *to)
{
    uint32_t is_out = 0;
    for (uint32_t i = 0; i < node->nin; i++) {
        cl_label next[CL_MAXDIM];
        derive(d, node->in[i], depth, next);
        merge(d, &node->shape, to, next, &is_out, -1);
    }
}

static void of_matmul(derivation *d, const cl_node *node, int depth, cl_label *to)
{
    for (int i = 0; i < 2; i++) {
        cl_label from[CL_MAXDIM];
        derive(d, node->in[i], depth, from);
        to[i] = from[i];
    }
}

/* Whether the node is this one with a view or conversion around it. */
static bool leads_to(const cl_make *m, cl_node_id id, cl_node_id wanted)
{
    for (int i = 0; i < 3 && id.v != wanted.v; i++) {
        const cl_node *node = cl_make_node(m, id);
        if (node->op != CL_OP_MAPPED && node->op != CL_OP_CAST)
            return false;
        id = node->in[0];
    }
    return id.v == wanted.v;
}

/* Members come in the order of the operands, of which some may be left out. `is_whole`:
 * all members have a coordinate on the axis, which `parts` are. */
static void of_members(derivation *d, const cl_node *node, cl_label *to,
                       cl_coordinate_part *parts, int64_t *lengths, bool *is_whole)
{
    const cl_make *m = d->m;
    const int axis = node->params.axis;
    uint32_t is_out = 0;
    for (uint32_t i = 0, k = 0; i < node->nin; i++, k++) {
        while (k < m->noperand && !leads_to(m, node->in[i], m->operand[k]->id))
            k++;
        cl_label next[CL_MAXDIM];
        clear(next, node->shape.ndim);
        if (k < m->noperand) {
            cl_make one = *m; /* a member is made of its own operand only */
            one.operand = m->operand + k;
            one.noperand = 1;
            d->m = &one;
            derive(d, node->in[i], 0, next);
            d->m = m;
        }
        merge(d, &node->shape, to, next, &is_out, axis);
        parts[i] = next[axis].part;
        lengths[i] = cl_make_node(m, node->in[i])->shape.dim[axis];
        *is_whole = *is_whole && parts[i].of && !cl_coordinate_is_deep(parts[i].of);
    }
    *is_whole = *is_whole && !(is_out >> axis & 1u);
}

static void of_concatenation(derivation *d, const cl_node *node, cl_label *to)
{
    cl_coordinate_part *parts = cl_alloc_array(node->nin, sizeof *parts);
    int64_t *lengths = cl_alloc_array(node->nin, sizeof *lengths);
    bool is_whole = true;
    if (parts && lengths) {
        of_members(d, node, to, parts, lengths, &is_whole);
        cl_label *joined = &to[node->params.axis];
        joined->part = (cl_coordinate_part){.step = 1};
        if (is_whole && !d->has_failed) {
            cl_coordinate *c = cl_coordinate_joined(node->nin, parts, lengths);
            if (hold(d, c))
                joined->part.of = c;
        }
    } else {
        d->has_failed = true;
    }
    cl_free(parts);
    cl_free(lengths);
}

static void derive(derivation *d, cl_node_id id, int depth, cl_label *to)
{
    const cl_make *m = d->m;
    const cl_node *node = cl_make_node(m, id);
    clear(to, node->shape.ndim);
    const size_t few = m->noperand < 4 ? m->noperand : 4;
    for (size_t i = 0; i < few; i++)
        if (m->operand[i]->id.v == id.v) {
            of_operand(m->operand[i], to);
            return;
        }
    if (depth == MOST_DEPTH || d->has_failed)
        return;
    if (node->op == CL_OP_MAPPED)
        of_view(d, node, depth + 1, to);
    else if (node->op == CL_OP_REDUCE)
        of_reduction(d, node, depth + 1, to);
    else if (node->op == CL_OP_MATMUL)
        of_matmul(d, node, depth + 1, to);
    else if (node->op == CL_OP_CONCAT)
        of_concatenation(d, node, to);
    else if (node->op < CL_NELEMENTWISE || node->op == CL_OP_RECHUNK)
        of_elements(d, node, depth + 1, to);
}

static bool has_labels(const cl_make *m)
{
    for (size_t i = 0; i < m->noperand; i++)
        if (m->operand[i]->labels)
            return true;
    return false;
}

clast_status cl_labels_derive(const cl_make *m, cl_node_id result, cl_label **labels)
{
    *labels = NULL;
    if (!has_labels(m))
        return CLAST_OK;
    cl_label to[CL_MAXDIM];
    derivation d = {.m = m};
    derive(&d, result, 0, to);
    clast_status status = CLAST_ENOMEM;
    if (!d.has_failed)
        status = cl_labels_new(cl_make_node(m, result)->shape.ndim, to, labels);
    for (size_t i = 0; i < d.nmade; i++)
        cl_coordinate_drop(d.made[i]);
    cl_free(d.made);
    return status;
}

/* ---- names */

const char *cl_labels_text(const clast_array *a, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int k = 0; k < a->node->shape.ndim && used < size; k++) {
        const char *name = a->labels ? a->labels[k].name : NULL;
        const char *comma = k > 0 ? ", " : "";
        const int n = name ? snprintf(text + used, size - used, "%s%s", comma, name)
                           : snprintf(text + used, size - used, "%s%d", comma, k);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

int cl_make_axis_named(cl_make *m, clast_array *a, const char *name)
{
    char text[240];
    int axis = -1, found = 0;
    for (int k = 0; a->labels && k < a->node->shape.ndim; k++)
        if (a->labels[k].name && strcmp(a->labels[k].name, name) == 0) {
            axis = k;
            found++;
        }
    if (found == 1)
        return axis;
    if (found > 1)
        cl_make_fail(m, CLAST_EAXIS, "%d axes are called '%.60s': give its number",
                     found, name);
    else if (a->labels)
        cl_make_fail(m, CLAST_EAXIS, "there is no axis '%.60s' (the axes are %s)", name,
                     cl_labels_text(a, text, sizeof text));
    else
        cl_make_fail(m, CLAST_EAXIS,
                     "there is no axis '%.60s': the axes of this array have no names",
                     name);
    return -1;
}

/* ---- for sinks */

void cl_array_dims(clast_array *a, cl_array_dim *dim)
{
    for (int k = 0; k < a->node->shape.ndim; k++) {
        cl_error ignored = {0};
        const cl_label *label = a->labels ? &a->labels[k] : NULL;
        dim[k] = (cl_array_dim){.node = CL_NO_NODE};
        if (!label)
            continue;
        dim[k].name = label->name;
        if (!label->part.of || cl_coordinate_node(&label->part, a->node->shape.dim[k],
                                                  &dim[k].node, &ignored) != CLAST_OK)
            dim[k].node = CL_NO_NODE;
        else
            cl_coordinate_place(label->part.of, &dim[k].file, &dim[k].path);
    }
}
