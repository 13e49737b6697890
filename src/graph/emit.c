/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs: the SSA code of a recipe, from its root down to what exists as blocks.
 *
 * A value is computed once for each (item, map) pair, and constants once for each
 * value: common subexpressions vanish. While code is written the number of inputs is
 * not known, so a value that is an input is written as LEAF | index and renumbered at
 * the end. Operands are converted by CAST instructions to the dtype that the operation
 * computes in, which follows from the result's dtype and the operation's rule.
 *
 * Sequences and random numbers are functions of the flat index in the node's shape,
 * which under a map is affine in the recipe's space: base + sum coef[axis] * i[axis].
 */
#include "graph/draft.h"

#include <stdio.h>
#include <string.h>

enum { LEAF = 0x8000, MAX_VALUES = 2 * CL_MAX_INSNS + 64, LABEL = 56 };

typedef struct {
    uint32_t base;
    uint16_t value;
    cl_map map;
} known;

typedef struct {
    cl_draft *d;
    cl_recipe *recipe;
    uint16_t ninsn, nimm, nleaf, nknown;
    cl_insn insn[MAX_VALUES];
    cl_imm imm[MAX_VALUES];
    cl_leaf leaf[MAX_VALUES];
    known known[MAX_VALUES];
    bool is_named[CL_NOP];
    char label[LABEL + 32];
} writer;

static clast_status value_of(writer *w, uint32_t base, const cl_map *map, bool is_root,
                             uint16_t *value);

static clast_dtype dtype_of(const writer *w, uint16_t value)
{
    return (clast_dtype)(value & LEAF
                             ? w->d->item[w->leaf[value & ~LEAF].item].node.dtype
                             : w->insn[value].dtype);
}

static clast_status too_long(const writer *w)
{
    return cl_error_set(w->d->err, CLAST_EINTERNAL,
                        "a program of more than %d values was fused", MAX_VALUES);
}

static clast_status add_insn(writer *w, const cl_insn *insn, uint16_t *value)
{
    if (w->ninsn == MAX_VALUES)
        return too_long(w);
    w->insn[w->ninsn] = *insn;
    *value = w->ninsn++;
    return CLAST_OK;
}

static void name(writer *w, uint16_t op)
{
    if (w->is_named[op] || op == CL_OP_CONST || op == CL_OP_CAST)
        return;
    w->is_named[op] = true;
    const size_t used = strlen(w->label);
    if (used < LABEL)
        snprintf(w->label + used, sizeof w->label - used, "%s%s", used ? "+" : "",
                 cl_ops[op].name);
}

/* The same value in another dtype. Constants are converted now. */
static clast_status convert(writer *w, uint16_t in, clast_dtype dtype, uint16_t *value)
{
    const clast_dtype from = dtype_of(w, in);
    *value = in;
    if (from == dtype)
        return CLAST_OK;
    const cl_insn cast = {
        .op = CL_OP_CAST, .type = (uint8_t)from, .dtype = (uint8_t)dtype, .arg = {in}};
    for (uint16_t i = 0; i < w->ninsn; i++) /* the same conversion twice */
        if (w->insn[i].op == CL_OP_CAST && w->insn[i].arg[0] == in &&
            w->insn[i].dtype == (uint8_t)dtype) {
            *value = i;
            return CLAST_OK;
        }
    return add_insn(w, &cast, value);
}

/* The dtype that operands have, from the result's and the rule. */
static clast_dtype computed_in(writer *w, const cl_node *node, const uint16_t *arg)
{
    const clast_dtype first = node->nin > 0 ? dtype_of(w, arg[0]) : CLAST_BOOL;
    switch (cl_ops[node->op].rule) {
    case CL_RULE_ORDER:
        return cl_dtype_promote(first, dtype_of(w, arg[1]));
    case CL_RULE_MODULUS:
        return first;
    default:
        return (clast_dtype)(node->op == CL_OP_CAST ? first : node->dtype);
    }
}

static clast_status constant(writer *w, const cl_node *node, uint16_t *value)
{
    for (uint16_t i = 0; i < w->ninsn; i++)
        if (w->insn[i].op == CL_OP_CONST && w->insn[i].dtype == node->dtype &&
            memcmp(&w->imm[w->insn[i].imm].value[0], &node->params.imm[0],
                   sizeof(cl_scalar)) == 0) {
            *value = i;
            return CLAST_OK;
        }
    cl_imm *const imm = &w->imm[w->nimm];
    memset(imm, 0, sizeof *imm);
    imm->value[0] = node->params.imm[0];
    const cl_insn insn = {
        .op = CL_OP_CONST, .type = node->dtype, .dtype = node->dtype, .imm = w->nimm++};
    return add_insn(w, &insn, value);
}

/* ARANGE and RANDOM: the flat index under the map. Unsigned, so that the wrap-around of
 * what is never used (an axis of length 1, say) is harmless. */
static clast_status sequence(writer *w, const cl_node *node, const cl_map *map,
                             uint16_t *value)
{
    cl_imm *const imm = &w->imm[w->nimm];
    memset(imm, 0, sizeof *imm);
    memcpy(imm->value, node->params.imm, sizeof imm->value);
    uint64_t stride = 1, base = 0;
    for (int a = node->shape.ndim - 1; a >= 0; a--) {
        base += stride * (uint64_t)map->off[a];
        if (map->src[a] >= 0) {
            int64_t *const coef = &imm->coef[map->src[a]];
            *coef = (int64_t)((uint64_t)*coef + stride * (uint64_t)map->step[a]);
        }
        stride *= (uint64_t)node->shape.dim[a];
    }
    imm->base = (int64_t)base;
    const uint8_t type = node->op == CL_OP_ARANGE ? node->params.imm_type : node->dtype;
    const cl_insn insn = {
        .op = node->op, .type = type, .dtype = node->dtype, .imm = w->nimm++};
    return add_insn(w, &insn, value);
}

static clast_status operation(writer *w, uint32_t item, const cl_map *map,
                              uint16_t *value)
{
    const cl_item *const it = &w->d->item[item];
    const cl_node *const node = &it->node;
    if (node->op == CL_OP_CONST)
        return constant(w, node, value);
    if (node->nin == 0) {
        name(w, node->op);
        return sequence(w, node, map, value);
    }

    cl_insn insn = {.op = node->op, .dtype = node->dtype};
    for (uint32_t i = 0; i < node->nin; i++) {
        const cl_item *const in = &w->d->item[it->in[i]];
        const cl_map to_base = cl_map_compose(map, &in->map);
        if (w->recipe->hint == CL_NONE && in->hint != CL_NONE) {
            w->recipe->hint = in->hint;
            w->recipe->hint_map = cl_map_compose(map, &in->hint_map);
        }
        CL_TRY(value_of(w, in->base, &to_base, false, &insn.arg[i]));
    }
    name(w, node->op);
    if (node->op == CL_OP_CAST)
        return convert(w, insn.arg[0], (clast_dtype)node->dtype, value);
    const clast_dtype type = computed_in(w, node, insn.arg);
    insn.type = (uint8_t)type;
    const bool is_where = node->op == CL_OP_WHERE;
    for (uint32_t i = 0; i < node->nin; i++)
        CL_TRY(convert(w, insn.arg[i], is_where && i == 0 ? CLAST_BOOL : type,
                       &insn.arg[i]));
    return add_insn(w, &insn, value);
}

/* The value of a base under a map; inputs are leaves. */
static clast_status value_of(writer *w, uint32_t base, const cl_map *map, bool is_root,
                             uint16_t *value)
{
    for (uint16_t i = 0; i < w->nknown; i++)
        if (w->known[i].base == base && cl_map_equal(&w->known[i].map, map)) {
            *value = w->known[i].value;
            return CLAST_OK;
        }
    if (w->nknown == MAX_VALUES || w->nleaf == MAX_VALUES || w->nimm == MAX_VALUES)
        return too_long(w);
    const cl_item *const it = &w->d->item[base];
    if (cl_item_is_elementwise(it) && (is_root || !cl_item_is_made(w->d, it))) {
        CL_TRY(operation(w, base, map, value));
    } else {
        w->leaf[w->nleaf] = (cl_leaf){base, *map};
        *value = (uint16_t)(LEAF | w->nleaf++);
    }
    if (w->nknown < MAX_VALUES)
        w->known[w->nknown++] = (known){base, *value, *map};
    return CLAST_OK;
}

static uint16_t renumber(const writer *w, uint16_t value)
{
    return (uint16_t)(value & LEAF ? value & ~LEAF : value + w->nleaf);
}

/* Moves what was written into the plan's arena. */
static clast_status publish(writer *w)
{
    cl_arena *const arena = &w->d->plan->arena;
    cl_insn *const insn = cl_arena_array(arena, w->ninsn + 1u, sizeof *insn);
    cl_imm *const imm = cl_arena_array(arena, w->nimm + 1u, sizeof *imm);
    uint8_t *const input = cl_arena_array(arena, w->nleaf + 1u, sizeof *input);
    cl_leaf *const leaf = cl_arena_array(&w->d->scratch, w->nleaf + 1u, sizeof *leaf);
    if (!insn || !imm || !input || !leaf)
        return cl_draft_nomem(w->d);
    for (uint16_t i = 0; i < w->ninsn; i++) {
        insn[i] = w->insn[i];
        const int nin = cl_ops[insn[i].op].arity;
        for (int a = 0; a < nin; a++)
            insn[i].arg[a] = renumber(w, insn[i].arg[a]);
    }
    memcpy(imm, w->imm, w->nimm * sizeof *imm);
    memcpy(leaf, w->leaf, w->nleaf * sizeof *leaf);
    for (uint16_t i = 0; i < w->nleaf; i++)
        input[i] = w->d->item[leaf[i].item].node.dtype;
    w->recipe->leaf = leaf;
    w->recipe->nleaf = w->nleaf;
    w->recipe->program = (cl_program){.ndim = w->recipe->space.ndim,
                                      .ninput = w->nleaf,
                                      .ninsn = w->ninsn,
                                      .nimm = w->nimm,
                                      .input_dtype = input,
                                      .insn = insn,
                                      .imm = imm};
    return CLAST_OK;
}

static clast_status write_program(writer *w)
{
    cl_recipe *const recipe = w->recipe;
    const cl_item *const it = &w->d->item[recipe->item];
    const bool is_fold = recipe->kind == CL_RECIPE_FOLD;
    const cl_item *const root = is_fold ? &w->d->item[it->in[0]] : it;
    /* an item that is made in its own space opens itself; a view of it reads it */
    const bool opens = !is_fold && it->base == recipe->item;
    uint16_t value;
    CL_TRY(value_of(w, root->base, &root->map, opens, &value));
    if (w->ninsn > 0 && value != w->ninsn - 1) { /* the last value is the result */
        const uint8_t dtype = (uint8_t)dtype_of(w, value);
        const cl_insn move = {
            .op = CL_OP_CAST, .type = dtype, .dtype = dtype, .arg = {value}};
        CL_TRY(add_insn(w, &move, &value));
    }
    if (is_fold) {
        const char *const reduction =
            cl_reduction_name((clast_reduction)it->node.params.reduction);
        const size_t used = strlen(w->label);
        snprintf(w->label + used, sizeof w->label - used, "%s%s", used ? "+" : "",
                 reduction);
    }
    return publish(w);
}

/* The tables are large, and nothing in them is read before it was written. */
static void clear(writer *w)
{
    w->ninsn = w->nimm = w->nleaf = w->nknown = 0;
    memset(w->is_named, 0, sizeof w->is_named);
    memset(w->label, 0, sizeof w->label);
}

clast_status cl_draft_emit(cl_draft *d, cl_recipe *recipe)
{
    static const char *const plain[] = {
        [CL_RECIPE_MAP] = "copy", [CL_RECIPE_GEMM] = "matmul", [CL_RECIPE_SVD] = "svd"};
    if (recipe->kind == CL_RECIPE_USER) {
        const uint32_t source = d->item[recipe->item].node.params.source;
        recipe->label = cl_lower_label(d, d->fact[source].user->name, NULL);
        return recipe->label ? CLAST_OK : cl_draft_nomem(d);
    }
    writer *const w = cl_alloc(sizeof *w);
    if (!w)
        return cl_draft_nomem(d);
    clear(w);
    w->d = d;
    w->recipe = recipe;
    clast_status status = CLAST_OK;
    if (recipe->kind == CL_RECIPE_MAP || recipe->kind == CL_RECIPE_FOLD)
        status = write_program(w);
    if (status == CLAST_OK) {
        const cl_node *const node = &d->item[recipe->item].node;
        const bool is_cast = recipe->program.ninsn > 0 && node->op == CL_OP_CAST;
        const char *const text =
            w->label[0] ? w->label
            : is_cast   ? "astype"
            : recipe->kind == CL_RECIPE_MAP && recipe->program.ninsn > 0
                ? "full"
                : plain[recipe->kind];
        recipe->label = cl_lower_label(d, text, NULL);
        if (!recipe->label)
            status = cl_draft_nomem(d);
    }
    cl_free(w);
    return status;
}
