/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random plans (random_plan.h).
 *
 * A plan is grown pattern by pattern on a pool of versions that may be read: maps with
 * several inputs and outputs, RW in place, ACC chains as a matrix product makes them,
 * reduction trees, sources, pure producers that may be recomputed, stores. Later
 * segments begin with what earlier ones persisted. Versions that were overwritten stay
 * in the pool now and then, so that old versions are read as well.
 */
#include "random_plan.h"

enum { POOL = 256, STAGES = 3 };

typedef struct {
    plans *p;
    dice *d;
    uint32_t pool[POOL], npool;
    uint32_t most_pages;
    bool last_segment;
} grower;

dice dice_of(uint64_t seed)
{
    uint64_t z = seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (dice){(z ^ z >> 31) | 1};
}

uint32_t dice_below(dice *d, uint32_t n)
{
    d->state ^= d->state >> 12;
    d->state ^= d->state << 25;
    d->state ^= d->state >> 27;
    const uint32_t x = (uint32_t)((d->state * 0x2545f4914f6cdd1du) >> 32);
    return n == 0 ? 0 : x % n;
}

static uint32_t pages(grower *g)
{
    return dice_one_in(g->d, 12) ? 0 : 1 + dice_below(g->d, g->most_pages);
}

static void offer(grower *g, uint32_t block)
{
    if (g->npool < POOL)
        g->pool[g->npool++] = block;
    else
        g->pool[dice_below(g->d, POOL)] = block;
}

static void forget(grower *g, uint32_t block)
{
    for (uint32_t i = 0; i < g->npool; i++)
        if (g->pool[i] == block)
            g->pool[i] = g->pool[--g->npool];
}

static uint32_t home_block(grower *g)
{
    if (dice_one_in(g->d, 5))
        return plans_block(g->p, pages(g), 0, CL_BLOCK_RESIDENT);
    return plans_block(g->p, pages(g), dice_below(g->d, 4), CL_BLOCK_SOURCE);
}

static uint32_t any(grower *g)
{
    if (g->npool == 0 || dice_one_in(g->d, 6))
        offer(g, home_block(g));
    return g->pool[dice_below(g->d, g->npool)];
}

static uint32_t new_task(grower *g)
{
    return plans_task(g->p, dice_below(g->d, STAGES));
}

static uint8_t persisted(grower *g)
{
    return dice_one_in(g->d, g->last_segment ? 10 : 3) ? CL_BLOCK_PERSIST : 0;
}

/* Up to n different versions; returns how many. */
static uint32_t choose(grower *g, uint32_t *chosen, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t b = any(g);
        bool is_new = true;
        for (uint32_t j = 0; j < k; j++)
            is_new = is_new && chosen[j] != b;
        if (is_new)
            chosen[k++] = b;
    }
    return k;
}

static void map(grower *g)
{
    uint32_t in[4];
    const uint32_t n = choose(g, in, dice_below(g->d, 5));
    new_task(g);
    for (uint32_t i = 0; i < n; i++)
        plans_operand(g->p, in[i], CL_R);
    for (uint32_t k = 1 + (dice_one_in(g->d, 4) ? dice_below(g->d, 3) : 0); k > 0;
         k--) {
        const uint32_t out = plans_block(g->p, pages(g), 0, persisted(g));
        plans_operand(g->p, out, CL_W);
        if (!dice_one_in(g->d, 8))
            offer(g, out);
    }
}

static uint32_t update(grower *g, uint32_t old, cl_mode mode)
{
    const cl_block *b = old >= g->p->block_base ? &g->p->block[old - g->p->block_base]
                                                : plans_find_block(&g->p->plan, old);
    const uint32_t size = dice_one_in(g->d, 10) ? pages(g) : b->pages;
    const uint32_t made = plans_block(g->p, size, 0, persisted(g));
    plans_operand(g->p, old, mode);
    plans_operand(g->p, made, CL_W);
    if (!dice_one_in(g->d, 3))
        forget(g, old);
    offer(g, made);
    return made;
}

static void in_place(grower *g)
{
    uint32_t in[3];
    const uint32_t n = choose(g, in, 3);
    new_task(g);
    const uint32_t writes = 1 + (n > 1 && dice_one_in(g->d, 3));
    for (uint32_t i = writes; i < n; i++)
        plans_operand(g->p, in[i], CL_R);
    for (uint32_t i = 0; i < writes && i < n; i++)
        update(g, in[i], CL_RW);
}

/* C = sum over k of A_k B_k, the panels read from files or made before. */
static void product(grower *g)
{
    const uint32_t depth = 2 + dice_below(g->d, 5);
    uint32_t c = CL_NONE;
    for (uint32_t k = 0; k < depth; k++) {
        uint32_t in[2];
        const uint32_t n = choose(g, in, 2);
        new_task(g);
        for (uint32_t i = 0; i < n; i++)
            if (in[i] != c)
                plans_operand(g->p, in[i], CL_R);
        if (k > 0) {
            c = update(g, c, CL_ACC);
            continue;
        }
        c = plans_block(g->p, pages(g), 0, 0);
        plans_operand(g->p, c, CL_W);
        offer(g, c);
    }
}

static void tree(grower *g)
{
    uint32_t level[8], n = 2 + dice_below(g->d, 7);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t in = any(g);
        new_task(g);
        plans_operand(g->p, in, CL_R);
        level[i] = plans_block(g->p, pages(g), 0, 0);
        plans_operand(g->p, level[i], CL_W);
    }
    while (n > 1) {
        const uint32_t half = (n + 1) / 2;
        for (uint32_t i = 0; i < half; i++) {
            new_task(g);
            plans_operand(g->p, level[2 * i], CL_R);
            if (2 * i + 1 < n)
                plans_operand(g->p, level[2 * i + 1], CL_R);
            level[i] = plans_block(g->p, pages(g), 0, half == 1 ? persisted(g) : 0);
            plans_operand(g->p, level[i], CL_W);
        }
        n = half;
    }
    offer(g, level[0]);
}

static void chain(grower *g)
{
    uint32_t block = any(g);
    for (uint32_t k = 2 + dice_below(g->d, 5); k > 0; k--) {
        new_task(g);
        plans_operand(g->p, block, CL_R);
        block = plans_block(g->p, pages(g), 0, 0);
        plans_operand(g->p, block, CL_W);
    }
    offer(g, block);
}

/* Pure tasks of sources: their results may be dropped. */
static void recomputable(grower *g)
{
    for (uint32_t k = 1 + dice_below(g->d, 4); k > 0; k--) {
        uint32_t in[2];
        in[0] = plans_block(g->p, pages(g), dice_below(g->d, 3), CL_BLOCK_SOURCE);
        in[1] = plans_block(g->p, pages(g), dice_below(g->d, 3), CL_BLOCK_SOURCE);
        new_task(g);
        plans_operand(g->p, in[0], CL_R);
        if (dice_one_in(g->d, 2))
            plans_operand(g->p, in[1], CL_R);
        const uint8_t flags = (uint8_t)(CL_BLOCK_RECOMPUTE | persisted(g));
        const uint32_t out = plans_block(g->p, pages(g), 0, flags);
        plans_operand(g->p, out, CL_W);
        offer(g, out);
        offer(g, in[0]);
    }
}

static void store(grower *g)
{
    uint32_t in[3];
    const uint32_t n = choose(g, in, 3);
    new_task(g);
    for (uint32_t i = 0; i < n; i++)
        plans_operand(g->p, in[i], CL_R);
}

static void grow_segment(grower *g)
{
    static void (*const pattern[])(grower *) = {
        map, map, map, in_place, in_place, product, tree, chain, recomputable, store};
    const uint32_t n = sizeof pattern / sizeof *pattern;
    for (uint32_t k = 1 + dice_below(g->d, 9); k > 0; k--)
        pattern[dice_below(g->d, n)](g);
}

/* Only persisted blocks, and sources, are read by later segments. */
static void persist_pool(grower *g)
{
    const cl_plan *plan = &g->p->plan;
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->npool; i++)
        if (plans_find_block(plan, g->pool[i])->flags & CL_BLOCK_PERSIST)
            g->pool[n++] = g->pool[i];
    g->npool = n;
}

void random_plan(plans *p, dice *d)
{
    grower g = {.p = p, .d = d, .most_pages = 1 + dice_below(d, 6)};
    for (int i = 0; i < STAGES; i++)
        plans_stage(p, dice_one_in(d, 2) ? 0 : dice_below(d, 4),
                    dice_one_in(d, 2) ? 0 : 1e5);
    /* Some of an earlier run's. */
    for (uint32_t k = dice_one_in(d, 4) ? 1 + dice_below(d, 3) : 0; k > 0; k--)
        offer(&g, plans_block(p, pages(&g), 0, CL_BLOCK_PERSIST));
    const uint32_t segments = dice_one_in(d, 3) ? 2 + dice_below(d, 3) : 1;
    for (uint32_t s = 0; s < segments; s++) {
        g.last_segment = s + 1 == segments;
        grow_segment(&g);
        plans_end(p);
        if (!p->failed)
            persist_pool(&g);
    }
    plans_sort_out(p);
}

/* A later reader of the version, in any segment: its buffer cannot be taken over. */
static bool is_read_later(const cl_plan *plan, uint32_t block, uint32_t task)
{
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        const cl_segment *s = &plan->segment[i];
        for (uint32_t t = s->ntask; t-- > 0 && s->task_base + t > task;)
            for (uint32_t o = s->operand_start[t]; o < s->operand_start[t + 1]; o++)
                if (cl_operand_block(s->operand[o]) == block)
                    return true;
    }
    return false;
}

static uint64_t task_minimum(const cl_plan *plan, uint32_t task)
{
    const plans_operands o = plans_find_task(plan, task);
    uint64_t held = 0, load = 0, made = plan->stage[o.stage].workspace_pages;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        const cl_block *b = plans_find_block(plan, block);
        const cl_mode mode = cl_operand_mode(o.at[i]);
        if (mode == CL_W) {
            made += b->pages;
            continue;
        }
        const bool charged = !(b->flags & CL_BLOCK_RESIDENT);
        held += charged ? b->pages : 0;
        load = charged && b->load_pages > load ? b->load_pages : load;
        if (mode == CL_R)
            continue;
        const cl_block *next = plans_find_block(plan, cl_operand_block(o.at[i + 1]));
        if (!(b->flags & (CL_BLOCK_PERSIST | CL_BLOCK_RESIDENT)) &&
            b->pages == next->pages && !is_read_later(plan, block, task))
            made -= next->pages; /* its W operand adds them */
    }
    return held + (made > load ? made : load);
}

uint64_t random_plan_minimum(const cl_plan *plan)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < plan->nsegment; i++)
        for (uint32_t t = 0; t < plan->segment[i].ntask; t++) {
            const uint64_t m = task_minimum(plan, plan->segment[i].task_base + t);
            most = m > most ? m : most;
        }
    return most;
}
