/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fusion: what has to exist as blocks, and what is computed where it is used.
 *
 * Items are visited from users to inputs, so that when an elementwise item's turn comes
 * every use of it is known: by which recipe, through which map from that recipe's
 * space. It is inlined into its users unless
 *   - somebody needs it as blocks (matmul, svd, concatenate, reshape, a sink),
 *   - it is reached by broadcasting, which would compute it many times over (but
 *     constants and sequences are cheaper than reading them),
 *   - several recipes use it and computing it again costs more than CHEAP cycles an
 *     element, or reads something else than sources and much smaller arrays,
 *   - one recipe uses it through several maps, and that would cost more than AGAIN
 *     cycles an element, about what writing and reading it does,
 *   - a program would get too many inputs or instructions. `nfront` of a recipe counts
 *     the distinct (item, map) pairs that are still inputs or may become ones, so the
 *     bound holds at every step and no program has to be taken apart afterwards.
 * Then it gets a recipe of its own, a MAP.
 *
 * A view of an elementwise item that is wanted as blocks gets a recipe in the view's
 * space: so slices push down, and only what is asked for is computed. If the item
 * itself turns out to exist, that recipe is dropped again and the view reads its
 * blocks.
 *
 * Cost: O(uses), each a map of 32 axes at most.
 */
#include "graph/draft.h"

#include <string.h>

enum { CHEAP = 16, AGAIN = 64, TRIVIAL = 4, MAX_USES = 16 };

static clast_status new_recipe(cl_draft *d, cl_recipe_kind kind, uint32_t item,
                               const cl_shape *space, uint32_t *index)
{
    if (!cl_grow(&d->recipe, &d->recipe_capacity, d->nrecipe + 1, sizeof *d->recipe))
        return cl_draft_nomem(d);
    cl_recipe *const r = &d->recipe[d->nrecipe];
    memset(r, 0, sizeof *r);
    r->kind = kind;
    r->item = item;
    r->space = *space;
    r->hint = r->sink = r->stage = CL_NONE;
    *index = (uint32_t)d->nrecipe++;
    d->item[item].recipe = *index;
    return CLAST_OK;
}

static bool is_used(const cl_item *it, uint32_t recipe, const cl_map *map)
{
    for (uint32_t i = 0; i < it->nuse; i++)
        if (it->use[i].recipe == recipe && cl_map_equal(&it->use[i].map, map))
            return true;
    return false;
}

/* The recipe reads item `in` through `map` (from its space). */
static clast_status reach(cl_draft *d, uint32_t recipe, uint32_t in, const cl_map *map)
{
    const cl_item *const top = &d->item[in];
    cl_recipe *const r = &d->recipe[recipe];
    cl_item *const base = &d->item[top->base];
    const cl_map whole = cl_map_compose(map, &top->map);
    if (r->hint == CL_NONE && top->hint != CL_NONE) {
        r->hint = top->hint;
        r->hint_map = cl_map_compose(map, &top->hint_map);
    }
    if (is_used(base, recipe, &whole))
        return CLAST_OK;

    if (base->nuse == base->use_capacity) {
        const uint32_t capacity = base->use_capacity ? 2 * base->use_capacity : 2;
        cl_use *const use = cl_arena_array(&d->scratch, capacity, sizeof *use);
        if (!use)
            return cl_draft_nomem(d);
        if (base->nuse > 0)
            memcpy(use, base->use, base->nuse * sizeof *use);
        base->use = use;
        base->use_capacity = capacity;
    }
    base->use[base->nuse++] = (cl_use){recipe, whole};
    if (base->node.nin > 0 || !cl_item_is_elementwise(base))
        r->nfront++;
    return CLAST_OK;
}

/* A MAP recipe for the item itself (its own inputs are reached when its turn comes), or
 * for a view of an elementwise item. */
static clast_status make_map(cl_draft *d, uint32_t item, bool must)
{
    if (d->item[item].recipe == CL_NONE) {
        uint32_t recipe;
        const cl_shape space = d->item[item].node.shape;
        CL_TRY(new_recipe(d, CL_RECIPE_MAP, item, &space, &recipe));
        if (d->item[item].base != item) {
            const cl_map identity = cl_map_identity(space.ndim);
            CL_TRY(reach(d, recipe, item, &identity));
        }
    }
    d->recipe[d->item[item].recipe].must |= must;
    return CLAST_OK;
}

/* Somebody reads the item through a view. */
static clast_status want(cl_draft *d, uint32_t item)
{
    cl_item *const it = &d->item[item];
    cl_item *const base = &d->item[it->base];
    if (!cl_item_is_elementwise(base))
        return CLAST_OK;
    if (it == base || !cl_map_is_injective(&it->map, &it->node.shape)) {
        base->forced = true;
        return CLAST_OK;
    }
    return make_map(d, item, false);
}

/* Somebody keeps the item's blocks: it needs a tensor of its own. */
static clast_status want_blocks(cl_draft *d, uint32_t item)
{
    cl_item *const it = &d->item[item];
    const bool is_computed = it->base == item && it->node.op != CL_OP_SOURCE &&
                             it->node.op != CL_OP_CONCAT &&
                             it->node.op != CL_OP_RESHAPE;
    if (is_computed && !cl_item_is_elementwise(it))
        return CLAST_OK;
    if (is_computed) {
        it->forced = true;
        return CLAST_OK;
    }
    if (it->base ==
        item) { /* a copy of something that is only read: in its own space */
        uint32_t recipe;
        if (it->recipe != CL_NONE)
            return CLAST_OK;
        const cl_shape space = it->node.shape;
        const cl_map identity = cl_map_identity(space.ndim);
        CL_TRY(new_recipe(d, CL_RECIPE_MAP, item, &space, &recipe));
        d->recipe[recipe].must = true;
        return reach(d, recipe, item, &identity);
    }
    return make_map(d, item, true);
}

static bool is_trivial(const cl_item *it)
{
    return !it->reads_arrays && !it->is_random && it->cost <= TRIVIAL;
}

/* Whether inlining keeps every program within its bounds. */
static bool fits(const cl_draft *d, const cl_item *it)
{
    for (uint32_t i = 0; i < it->nuse; i++) {
        const uint32_t recipe = it->use[i].recipe;
        uint32_t uses = 0;
        for (uint32_t j = 0; j < it->nuse; j++)
            uses += it->use[j].recipe == recipe;
        const uint32_t nin = it->node.nin;
        if (nin == 0 && d->recipe[recipe].ninsn + uses <= CL_MAX_INSNS)
            continue;
        /* each use becomes at most nin inputs and, with casts, nin + 1 instructions */
        if (d->recipe[recipe].nfront + uses * nin > CL_MAX_INPUTS + uses ||
            d->recipe[recipe].ninsn + uses * (nin + 1) > CL_MAX_INSNS)
            return false;
    }
    return true;
}

static bool is_inlined(const cl_draft *d, const cl_item *it)
{
    if (it->forced || it->nuse > MAX_USES)
        return false;
    if (d->settings.is_unfused && it->node.nin > 0)
        return false;
    if (!fits(d, it))
        return false;
    if (is_trivial(it))
        return true;
    bool several = false;
    for (uint32_t i = 0; i < it->nuse; i++) {
        if (!cl_map_is_injective(&it->use[i].map, &d->recipe[it->use[i].recipe].space))
            return false;
        several |= it->use[i].recipe != it->use[0].recipe;
    }
    if (several)
        return it->cost <= CHEAP && it->reads_cheap;
    return it->nuse <= 1 || (it->nuse - 1) * it->cost <= AGAIN;
}

/* Recipes of views of an item that exists after all are dropped. */
static void drop_view_makes(cl_draft *d, uint32_t item)
{
    const cl_item *const it = &d->item[item];
    for (uint32_t i = 0; i < it->nuse; i++) {
        cl_recipe *const r = &d->recipe[it->use[i].recipe];
        const cl_item *const root = &d->item[r->item];
        if (r->kind == CL_RECIPE_MAP && !r->must && r->item != item &&
            root->base == item)
            r->dead = true;
    }
}

static clast_status visit_elementwise(cl_draft *d, uint32_t item)
{
    const uint32_t nin = d->item[item].node.nin;
    if (!is_inlined(d, &d->item[item])) {
        const cl_map identity = cl_map_identity(d->item[item].node.shape.ndim);
        CL_TRY(make_map(d, item, true));
        drop_view_makes(d, item);
        const uint32_t recipe = d->item[item].recipe;
        d->recipe[recipe].ninsn = nin + 1;
        for (uint32_t i = 0; i < nin; i++)
            CL_TRY(reach(d, recipe, d->item[item].in[i], &identity));
        return CLAST_OK;
    }
    for (uint32_t u = 0; u < d->item[item].nuse; u++) {
        const cl_use use = d->item[item].use[u];
        cl_recipe *const r = &d->recipe[use.recipe];
        r->ninsn += nin + 1;
        r->nfront -= nin > 0;
        for (uint32_t i = 0; i < nin; i++)
            CL_TRY(reach(d, use.recipe, d->item[item].in[i], &use.map));
    }
    return CLAST_OK;
}

static clast_status visit_reduce(cl_draft *d, uint32_t item)
{
    uint32_t recipe;
    const uint32_t in = d->item[item].in[0];
    const cl_shape space = d->item[in].node.shape;
    const cl_map identity = cl_map_identity(space.ndim);
    CL_TRY(new_recipe(d, CL_RECIPE_FOLD, item, &space, &recipe));
    return reach(d, recipe, in, &identity);
}

static clast_status visit(cl_draft *d, uint32_t item)
{
    const cl_item *const it = &d->item[item];
    const uint32_t nin = it->node.nin;
    const cl_shape shape = it->node.shape;
    uint32_t recipe;
    switch (it->node.op) {
    case CL_OP_REDUCE:
        return visit_reduce(d, item);
    case CL_OP_MATMUL:
        CL_TRY(new_recipe(d, CL_RECIPE_GEMM, item, &shape, &recipe));
        break;
    case CL_OP_SVD:
        CL_TRY(new_recipe(d, CL_RECIPE_SVD, item, &d->item[it->in[0]].node.shape,
                          &recipe));
        break;
    case CL_OP_USER:
        CL_TRY(new_recipe(d, CL_RECIPE_USER, item, &shape, &recipe));
        break;
    case CL_OP_CONCAT:
    case CL_OP_RESHAPE:
        if (it->forced)
            CL_TRY(want_blocks(d, item));
        break;
    default:
        return cl_item_is_elementwise(it) ? visit_elementwise(d, item) : CLAST_OK;
    }
    for (uint32_t i = 0; i < nin; i++)
        CL_TRY(want(d, d->item[item].in[i]));
    return CLAST_OK;
}

clast_status cl_draft_fuse(cl_draft *d)
{
    for (uint32_t i = 0; i < d->nsink; i++)
        CL_TRY(d->sink[i].is_persist ? want_blocks(d, d->sink_item[i])
                                     : want(d, d->sink_item[i]));
    for (size_t i = d->nitem; i-- > 0;)
        CL_TRY(visit(d, (uint32_t)i));
    for (uint32_t i = 0; i < d->nsink; i++) {
        const cl_item *const it = &d->item[d->sink_item[i]];
        if (it->recipe != CL_NONE && d->recipe[it->recipe].sink == CL_NONE)
            d->recipe[it->recipe].sink = i;
    }
    for (size_t i = 0; i < d->nrecipe; i++)
        if (!d->recipe[i].dead)
            CL_TRY(cl_draft_emit(d, &d->recipe[i]));
    return CLAST_OK;
}
