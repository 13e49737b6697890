/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan as text: sources with their windows, a line for each stage, totals. Columns
 * are as wide as their longest entry, so a first pass measures and a second one writes.
 * What the neediest task of a stage reads at once tells whether copies were put between
 * grids (a stage "copy"), or tiles are gathered directly.
 */
#include "base/bytes.h"
#include "graph/build.h"
#include "graph/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 7, CELL = CL_WORDS };

typedef struct {
    char cell[COLUMNS][CELL];
} row;

typedef struct {
    clast_text_fn *write;
    void *arg;
    size_t width[COLUMNS];
    bool is_measuring;
    uint64_t *reads; /* by stage: pages that a task reads, at most */
} table;

static void say(const table *t, const char *text)
{
    t->write(t->arg, text, strlen(text));
}

static void add_row(table *t, const row *r)
{
    char line[COLUMNS * (CELL + 2) + 2];
    size_t at = 0;
    for (int c = 0; c < COLUMNS; c++) {
        const size_t n = strlen(r->cell[c]);
        if (t->is_measuring) {
            t->width[c] = n > t->width[c] ? n : t->width[c];
            continue;
        }
        const char *const pad = c + 1 < COLUMNS ? "  " : "\n";
        const bool is_number = c + 1 == COLUMNS;
        at += (size_t)snprintf(line + at, sizeof line - at,
                               is_number ? "%*s%s" : "%-*s%s", (int)t->width[c],
                               r->cell[c], pad);
    }
    if (!t->is_measuring)
        t->write(t->arg, line, at);
}

static void shape_cell(char *text, const cl_shape *s)
{
    cl_shape_text(s, text, CELL);
}

static void stage_row(table *t, const cl_plan *plan, const cl_stage *s)
{
    row r = {0};
    if (s->tasks == 0)
        return;
    const cl_grid *const g = cl_stage_grid(plan, s);
    const cl_shape shape = cl_grid_shape(g);
    snprintf(r.cell[0], CELL, "%s", s->label ? s->label : "");
    snprintf(r.cell[1], CELL, "%s", cl_stage_kind_name(s->kind));
    snprintf(r.cell[2], CELL, "%s", clast_dtype_name(s->dtype));
    shape_cell(r.cell[3], &shape);
    cl_tile_text(g, r.cell[4]);
    cl_bytes_text(t->reads[s - plan->stage] * CL_PAGE, r.cell[5]);
    snprintf(r.cell[6], CELL, "%" PRIu64, s->tasks);
    add_row(t, &r);
}

static void stage_rows(table *t, const cl_plan *plan)
{
    static const row head = {
        {"stage", "kind", "dtype", "shape", "tile", "reads", "tasks"}};
    add_row(t, &head);
    for (uint32_t i = 0; i < plan->nstage; i++)
        stage_row(t, plan, &plan->stage[i]);
}

static void count_reads(table *t, const cl_plan *plan)
{
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        const cl_segment *const g = &plan->segment[i];
        for (uint32_t k = 0; k < g->ntask; k++) {
            uint64_t *const most = &t->reads[g->task_stage[k]], pages = 0;
            for (uint32_t o = g->operand_start[k]; o < g->operand_start[k + 1]; o++)
                if (cl_operand_mode(g->operand[o]) == CL_R)
                    pages +=
                        cl_plan_block(plan, cl_operand_block(g->operand[o]))->pages;
            *most = pages > *most ? pages : *most;
        }
    }
}

static void source_line(const table *t, const cl_plan *plan, const cl_plan_source *s)
{
    const cl_tensor *const x = &plan->tensor[s->tensor];
    const cl_shape shape = cl_grid_shape(&x->grid);
    cl_shape origin = {.ndim = shape.ndim};
    bool is_moved = false;
    int64_t count = 0;
    for (int a = 0; a < shape.ndim; a++) {
        origin.dim[a] = s->origin[a];
        is_moved |= s->origin[a] != 0;
    }
    char size[CELL], text[CELL], tile[CELL], from[CELL] = "", line[5 * CELL];
    (void)cl_shape_count(&shape, &count);
    cl_bytes_text((uint64_t)count * clast_dtype_size(x->dtype), size);
    shape_cell(text, &shape);
    cl_tile_text(&x->grid, tile);
    if (is_moved)
        shape_cell(from, &origin);
    snprintf(line, sizeof line, "source %" PRIu32 ": %s %s%s%s, tiles %s, %s%s\n",
             s->source, clast_dtype_name(x->dtype), text, is_moved ? " from " : "",
             from, x->strided ? text : tile, size, x->strided ? " in memory" : "");
    say(t, line);
}

static void totals(const table *t, const cl_plan *plan)
{
    uint64_t tasks = 0, blocks = 0, read = 0, made = 0;
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        const cl_segment *const g = &plan->segment[i];
        tasks += g->ntask;
        for (uint32_t b = 0; b < g->nblock; b++) {
            const cl_block *const x = &g->block[b];
            blocks += x->pages > 0;
            if (x->flags & CL_BLOCK_SOURCE)
                read += (uint64_t)x->pages * CL_PAGE;
            else
                made += (uint64_t)x->pages * CL_PAGE;
        }
    }
    char from[CELL], to[CELL], own[CELL], line[4 * CELL];
    cl_bytes_text(read, from);
    cl_bytes_text(made, to);
    cl_bytes_text(plan->bytes, own);
    snprintf(line, sizeof line,
             "%" PRIu64 " tasks, %" PRIu64
             " blocks: %s of sources, %s computed; plan %016" PRIx64 " takes %s\n",
             tasks, blocks, from, to, plan->hash, own);
    say(t, line);
}

clast_status cl_plan_describe(const cl_plan *plan, clast_text_fn *write, void *arg)
{
    table t = {.write = write, .arg = arg, .is_measuring = true};
    t.reads = cl_calloc(plan->nstage + 1u, sizeof *t.reads);
    if (!t.reads)
        return CLAST_ENOMEM;
    count_reads(&t, plan);
    for (uint32_t i = 0; i < plan->nsource; i++)
        source_line(&t, plan, &plan->source[i]);
    stage_rows(&t, plan);
    t.is_measuring = false;
    stage_rows(&t, plan);
    totals(&t, plan);
    cl_free(t.reads);
    return CLAST_OK;
}
