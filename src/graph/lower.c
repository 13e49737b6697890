/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lowering: recipes become stages, and stages tasks, operands and blocks in flat
 * arrays.
 *
 * Tasks are written in *raw* order, stage after stage, inputs first, so a task's
 * producers always come before it; order.c renumbers them. While a task is written the
 * blocks it reads are collected behind the operands there are, then sorted and made
 * unique where they do not ascend, so that each occurs once. The tiles under a box are
 * enumerated as a range on each axis where one map leads to the tensor (the usual
 * case); through concatenations and reshapes, or steps that may skip tiles, the pieces
 * of the view say exactly what is read.
 */
#include "graph/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 30 }; /* tasks or blocks: operands pack a block into 30 bits */

static clast_status too_many(cl_draft *d, const char *what, double count)
{
    return cl_error_set(d->err, CLAST_ENOTSUP,
                        "the plan would have %.3g %s, more than 2^30; larger blocks "
                        "(the option block, or rechunk) make fewer",
                        count, what);
}

/* What a task without operands takes while it is planned, beside its block. */
#define TASK_BYTES 28

/* Plans that take less to be planned are made whatever the budget is, so that the run's
 * admission can tell the exact minimum. */
#define SMALL ((uint64_t)4 << 20)

static uint64_t held(const cl_draft *d)
{
    return d->scratch.bytes + d->plan->arena.bytes +
           d->item_capacity * sizeof *d->item + d->recipe_capacity * sizeof *d->recipe +
           d->tensor_capacity * sizeof *d->tensor +
           d->natural_capacity * sizeof *d->natural + d->aligned_capacity +
           d->view_capacity * sizeof *d->view + d->stage_capacity * sizeof *d->stage +
           d->walk_capacity * sizeof *d->walk + d->source_capacity * sizeof *d->source +
           d->start_capacity * sizeof *d->operand_start +
           d->operand_capacity * sizeof *d->operand +
           d->block_capacity * sizeof *d->block;
}

clast_status cl_draft_go_on(cl_draft *d)
{
    if (d->settings.is_canceled && atomic_load(d->settings.is_canceled))
        return cl_error_set(d->err, CLAST_ECANCELED, "canceled while it was planned");
    return CLAST_OK;
}

clast_status cl_draft_room(cl_draft *d, uint64_t more)
{
    CL_TRY(cl_draft_go_on(d));
    const uint64_t need = held(d) + more, room = d->settings.room;
    if (room == 0 || need <= SMALL || need <= room)
        return CLAST_OK;
    d->lacked = need;
    return cl_error_set(d->err, CLAST_EBUDGET,
                        "making a plan of so many tasks needs more than %.0f MiB, "
                        "%.0f MiB of the memory budget are free",
                        (double)need / 1048576, (double)room / 1048576);
}

clast_status cl_lower_stage(cl_draft *d, const cl_stage *stage, uint32_t recipe,
                            uint32_t *index)
{
    if (stage->tasks > MOST - d->ntask)
        return too_many(d, "tasks", (double)stage->tasks + (double)d->ntask);
    CL_TRY(cl_draft_room(d, stage->tasks * TASK_BYTES));
    const size_t need = d->nstage + 1;
    if (!cl_grow(&d->stage, &d->stage_capacity, need, sizeof *d->stage) ||
        !cl_grow(&d->walk, &d->walk_capacity, need, sizeof *d->walk))
        return cl_draft_nomem(d);
    d->stage[d->nstage] = *stage;
    d->walk[d->nstage] = (cl_walk){.first = (uint32_t)d->ntask,
                                   .count = (uint32_t)stage->tasks,
                                   .recipe = recipe,
                                   .sibling = CL_NONE};
    for (int a = 0; a < CL_MAXDIM; a++)
        d->walk[d->nstage].order[a] = (uint8_t)a;
    if (recipe != CL_NONE && d->recipe[recipe].stage == CL_NONE)
        d->recipe[recipe].stage = (uint32_t)d->nstage;
    *index = (uint32_t)d->nstage++;
    return CLAST_OK;
}

clast_status cl_lower_blocks(cl_draft *d, int64_t count, uint32_t *first)
{
    if (count > MOST - (int64_t)d->nblock)
        return too_many(d, "blocks", (double)count + (double)d->nblock);
    CL_TRY(cl_draft_room(d, (uint64_t)count * sizeof(cl_block)));
    const size_t need = d->nblock + (size_t)count;
    if (!cl_grow(&d->block, &d->block_capacity, need, sizeof *d->block))
        return cl_draft_nomem(d);
    *first = (uint32_t)d->nblock;
    for (; d->nblock < need; d->nblock++)
        d->block[d->nblock] = (cl_block){.producer = CL_NONE, .tensor = CL_NONE};
    return CLAST_OK;
}

/* Blocks of all tiles of a tensor, every version of them. */
clast_status cl_lower_tiles(cl_draft *d, uint32_t tensor, uint8_t flags)
{
    const cl_grid grid = d->tensor[tensor].grid;
    const int64_t tiles = cl_grid_tiles(&grid);
    const uint32_t step = d->tensor[tensor].block_step;
    const uint64_t element = clast_dtype_size(d->tensor[tensor].dtype);
    uint32_t first;
    if (tiles > MOST)
        return too_many(d, "blocks", (double)tiles);
    CL_TRY(cl_lower_blocks(d, tiles * step, &first));
    d->tensor[tensor].first_block = first + step - 1;
    for (int64_t t = 0; t < tiles; t++) {
        const cl_box box = cl_grid_box(&grid, t);
        const uint64_t bytes = (uint64_t)cl_box_count(&box) * element;
        for (uint32_t v = 0; v < step; v++)
            cl_lower_block(d, first + (uint32_t)t * step + v, tensor, bytes,
                           v + 1 == step ? flags : 0);
    }
    return CLAST_OK;
}

/* ---- reading -------------------------------------------------------------------- */

/* As many operands as an offset can count. */
static clast_status grow_operands(cl_draft *d, size_t need)
{
    if (need >= UINT32_MAX)
        return too_many(d, "operands", (double)need);
    CL_TRY(cl_draft_room(d, need / 2 * sizeof *d->operand));
    if (!cl_grow(&d->operand, &d->operand_capacity, need, sizeof *d->operand))
        return cl_draft_nomem(d);
    if (d->operand_capacity >= UINT32_MAX)
        d->operand_capacity = UINT32_MAX - 1;
    return CLAST_OK;
}

clast_status cl_lower_more_reads(cl_draft *d)
{
    return grow_operands(d, d->noperand + d->nread + 1);
}

clast_status cl_lower_more_operands(cl_draft *d)
{
    return grow_operands(d, d->noperand + 1);
}

clast_status cl_lower_more_tasks(cl_draft *d)
{
    return cl_grow(&d->operand_start, &d->start_capacity, d->ntask + 2,
                   sizeof *d->operand_start)
               ? CLAST_OK
               : cl_draft_nomem(d);
}

static clast_status read_piece(void *arg, const cl_piece *piece)
{
    cl_draft *const d = arg;
    const cl_tensor *const t = &d->tensor[piece->tensor];
    return cl_lower_read_block(d,
                               t->first_block + (uint32_t)piece->tile * t->block_step);
}

/* Whether a step along the axis may pass over a whole part. */
static bool may_skip(const cl_axis *a, int64_t step)
{
    const int64_t s = step < 0 ? -step : step;
    return s > 1 && (a->cuts != NULL || s > a->size);
}

/* The tiles that a box of the tensor meets, in C order. */
static clast_status read_range(cl_draft *d, const cl_tensor *t, const cl_box *box)
{
    int64_t lo[CL_MAXDIM], hi[CL_MAXDIM], at[CL_MAXDIM];
    const int n = t->grid.ndim;
    for (int a = 0; a < n; a++) {
        if (box->n[a] == 0)
            return CLAST_OK;
        at[a] = lo[a] = cl_axis_find(&t->grid.axis[a], box->lo[a]);
        hi[a] = cl_axis_find(&t->grid.axis[a], box->lo[a] + box->n[a] - 1);
    }
    for (;;) {
        const uint32_t tile = (uint32_t)cl_grid_tile(&t->grid, at);
        CL_TRY(cl_lower_read_block(d, t->first_block + tile * t->block_step));
        int a = n - 1;
        for (; a >= 0 && at[a] == hi[a]; a--)
            at[a] = lo[a];
        if (a < 0)
            return CLAST_OK;
        at[a]++;
    }
}

clast_status cl_lower_read(cl_draft *d, uint32_t view, const cl_box *box)
{
    const cl_view *const v = &d->view[view];
    if (v->kind == CL_VIEW_TENSOR)
        return read_range(d, &d->tensor[v->tensor], box);
    if (v->kind == CL_VIEW_MAP && d->view[v->child].kind == CL_VIEW_TENSOR) {
        const cl_tensor *const t = &d->tensor[d->view[v->child].tensor];
        bool is_range = true;
        for (int a = 0; a < v->map.nin; a++)
            is_range &=
                v->map.src[a] < 0 || !may_skip(&t->grid.axis[a], v->map.step[a]);
        if (is_range) {
            const cl_box inner = cl_map_box(&v->map, box);
            return cl_box_count(box) == 0 ? CLAST_OK : read_range(d, t, &inner);
        }
    }
    return cl_view_pieces(d->view, d->tensor, view, box, read_piece, d);
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Blocks that were read ascend, and each occurs once: mostly they do already. */
void cl_lower_sort_reads(cl_draft *d)
{
    uint32_t *const read = d->operand + d->noperand;
    if (!d->is_unsorted)
        return;
    qsort(read, d->nread, sizeof *read, compare);
    size_t n = 1;
    for (size_t i = 1; i < d->nread; i++)
        if (read[i] != read[n - 1])
            read[n++] = read[i];
    d->nread = n;
    d->is_unsorted = false;
}

bool cl_lower_reads_only(const cl_draft *d, uint8_t flags)
{
    for (size_t i = 0; i < d->nread; i++)
        if (!(d->block[cl_lower_was_read(d, i)].flags & flags))
            return false;
    return true;
}

uint64_t cl_lower_read_bytes(cl_draft *d, int64_t *blocks)
{
    uint64_t pages = 0;
    cl_lower_sort_reads(d);
    for (size_t i = 0; i < d->nread; i++)
        pages += d->block[cl_lower_was_read(d, i)].pages;
    *blocks = (int64_t)d->nread;
    cl_lower_forget_reads(d);
    return pages * CL_PAGE;
}

const uint32_t *cl_lower_views(cl_draft *d, uint32_t n, const uint32_t *views)
{
    uint32_t *const copy = cl_arena_array(&d->plan->arena, n + 1u, sizeof *copy);
    if (copy && n > 0)
        memcpy(copy, views, n * sizeof *copy);
    return copy;
}

char *cl_lower_label(cl_draft *d, const char *a, const char *b)
{
    const size_t bytes = strlen(a) + (b ? strlen(b) + 1 : 0) + 1;
    char *const text = cl_arena_alloc(&d->plan->arena, bytes);
    if (text)
        snprintf(text, bytes, "%s%s%s", a, b ? " " : "", b ? b : "");
    return text;
}

/* ---- all of it ------------------------------------------------------------------ */

static clast_status lower_recipe(cl_draft *d, cl_recipe *r)
{
    switch (r->kind) {
    case CL_RECIPE_MAP:
        CL_TRY(cl_settle_space(d, r));
        return cl_lower_map(d, r);
    case CL_RECIPE_FOLD:
        CL_TRY(cl_settle_space(d, r));
        return cl_lower_fold(d, r);
    case CL_RECIPE_GEMM:
        CL_TRY(cl_settle_gemm(d, r));
        return cl_lower_gemm(d, r);
    case CL_RECIPE_USER:
        CL_TRY(cl_settle_user(d, r));
        return cl_lower_user(d, r);
    default:
        CL_TRY(cl_settle_svd(d, r));
        return cl_lower_svd(d, r);
    }
}

static clast_status persist_sink(cl_draft *d, uint32_t sink)
{
    const uint32_t tensor = d->item[d->sink_item[sink]].tensor;
    if (tensor == CL_NONE)
        return cl_error_set(d->err, CLAST_EINTERNAL, "a persisted array has no blocks");
    const cl_tensor *const t = &d->tensor[tensor];
    const int64_t tiles = cl_grid_tiles(&t->grid);
    for (int64_t i = 0; i < tiles; i++)
        d->block[t->first_block + (uint32_t)i * t->block_step].flags |=
            CL_BLOCK_PERSIST;
    return CLAST_OK;
}

/* The tensors of a task's outputs follow each other. */
static void find_output(cl_draft *d, uint32_t item)
{
    cl_item *const part = &d->item[item];
    if (part->node.op != CL_OP_PART)
        return;
    const cl_item *const of = &d->item[part->in[0]];
    if (of->node.op == CL_OP_USER)
        part->tensor = of->tensor + part->node.params.part;
}

clast_status cl_draft_lower(cl_draft *d)
{
    if (!cl_grow(&d->operand_start, &d->start_capacity, 1, sizeof *d->operand_start))
        return cl_draft_nomem(d);
    d->operand_start[0] = 0;
    CL_TRY(cl_draft_sources(d));
    for (size_t i = 0; i < d->nitem; i++) {
        const uint32_t recipe = d->item[i].recipe;
        if (recipe != CL_NONE && !d->recipe[recipe].dead)
            CL_TRY(lower_recipe(d, &d->recipe[recipe]));
        find_output(d, (uint32_t)i);
    }
    for (uint32_t s = 0; s < d->nsink; s++)
        CL_TRY(d->sink[s].is_persist ? persist_sink(d, s) : cl_lower_store(d, s));
    return CLAST_OK;
}
