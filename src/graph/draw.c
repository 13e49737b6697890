/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan as a graph in Graphviz' language: by task where there are few, by operation
 * otherwise.
 *
 * A vertex is a source, a stage (its tasks together) or a task; an edge is what flows
 * between two of them, with its bytes. Edges are found from the operands of the tasks:
 * whoever makes the block that is read. Equal edges are added up in a table with open
 * addressing. Vertices are numbered sources first, then stages or tasks.
 *
 * Cost: O(tasks + operands).
 */
#include "base/bytes.h"
#include "graph/build.h"
#include "graph/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Plans of more tasks are drawn by operation. */
enum { MOST_TASKS = 300, TEXT = 512 };

typedef struct {
    uint32_t from, to; /* vertices; from CL_NONE: a free slot */
    uint64_t bytes;
} edge;

typedef struct {
    const cl_plan *plan;
    const cl_plan_names *names;
    clast_text_fn *write;
    void *arg;
    bool by_task;
    uint32_t *source_of; /* by tensor: index into plan->source, or CL_NONE */
    uint64_t *made;      /* by stage: bytes */
    edge *edge;
    size_t nedge, room; /* room: a power of 2 */
} drawing;

static void say(const drawing *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const drawing *d, const char *format, ...)
{
    char text[2 * TEXT];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        d->write(d->arg, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

/* Text inside a quoted string. */
static const char *quoted(const char *from, char to[TEXT])
{
    size_t n = 0;
    for (; from && *from && n + 3 < TEXT; from++) {
        if (*from == '"' || *from == '\\')
            to[n++] = '\\';
        to[n++] = (unsigned char)*from < 0x20 ? ' ' : *from;
    }
    to[n] = '\0';
    return to;
}

/* ---- edges */

static edge *find(const drawing *d, uint32_t from, uint32_t to)
{
    for (size_t at = cl_hash_mix(cl_hash_mix(0, from), to);; at++) {
        edge *e = &d->edge[at & (d->room - 1)];
        if (e->from == CL_NONE || (e->from == from && e->to == to))
            return e;
    }
}

static bool make_room(drawing *d)
{
    if (2 * d->nedge < d->room)
        return true;
    const size_t before = d->room;
    edge *old = d->edge;
    d->room = before ? 2 * before : 64;
    d->edge = cl_alloc_array(d->room, sizeof *d->edge);
    if (!d->edge) {
        d->edge = old;
        d->room = before;
        return false;
    }
    for (size_t i = 0; i < d->room; i++)
        d->edge[i].from = CL_NONE;
    for (size_t i = 0; i < before; i++)
        if (old[i].from != CL_NONE)
            *find(d, old[i].from, old[i].to) = old[i];
    cl_free(old);
    return true;
}

static bool add_edge(drawing *d, uint32_t from, uint32_t to, uint64_t bytes)
{
    if (from == to && !d->by_task)
        return true; /* a chain within one operation */
    if (!make_room(d))
        return false;
    edge *e = find(d, from, to);
    d->nedge += e->from == CL_NONE;
    *e = (edge){from, to, (e->from == CL_NONE ? 0 : e->bytes) + bytes};
    return true;
}

/* ---- vertices */

static uint32_t stage_of(const drawing *d, uint32_t task)
{
    const cl_segment *s = d->plan->segment;
    while (task - s->task_base >= s->ntask)
        s++;
    return s->task_stage[task - s->task_base];
}

static uint32_t vertex_of_task(const drawing *d, uint32_t task)
{
    return d->plan->nsource + (d->by_task ? task : stage_of(d, task));
}

/* Where a block comes from; CL_NONE: from nowhere that is drawn. */
static uint32_t vertex_of_block(const drawing *d, const cl_block *block)
{
    if (block->producer != CL_NONE)
        return vertex_of_task(d, block->producer);
    return block->tensor == CL_NONE ? CL_NONE : d->source_of[block->tensor];
}

static bool look_at_task(drawing *d, const cl_segment *s, uint32_t i)
{
    const uint32_t to = vertex_of_task(d, s->task_base + i);
    for (uint32_t o = s->operand_start[i]; o < s->operand_start[i + 1]; o++) {
        const cl_block *block = cl_plan_block(d->plan, cl_operand_block(s->operand[o]));
        const uint64_t bytes = (uint64_t)block->pages * CL_PAGE;
        if (cl_operand_mode(s->operand[o]) == CL_W) {
            d->made[s->task_stage[i]] += bytes;
            continue;
        }
        const uint32_t from = vertex_of_block(d, block);
        if (from != CL_NONE && !add_edge(d, from, to, bytes))
            return false;
    }
    return true;
}

static bool look_at_tasks(drawing *d)
{
    for (uint32_t i = 0; i < d->plan->nsegment; i++)
        for (uint32_t k = 0; k < d->plan->segment[i].ntask; k++)
            if (!look_at_task(d, &d->plan->segment[i], k))
                return false;
    return true;
}

/* ---- words */

static void draw_source(const drawing *d, uint32_t i)
{
    const cl_plan_source *s = &d->plan->source[i];
    const cl_tensor *t = &d->plan->tensor[s->tensor];
    const cl_shape shape = cl_grid_shape(&t->grid);
    char name[TEXT], text[CL_WORDS], tile[CL_WORDS], size[CL_WORDS];
    int64_t count = 0;
    (void)cl_shape_count(&shape, &count);
    say(d,
        "  v%" PRIu32 " [shape=cylinder, label=\"%s\\n%s %s in tiles %s\\n%" PRId64
        " blocks, %s\"];\n",
        i, quoted(d->names->source(d->names->arg, s->source), name),
        clast_dtype_name(t->dtype), cl_shape_text(&shape, text, sizeof text),
        cl_tile_text(&t->grid, tile), t->strided ? 1 : cl_grid_tiles(&t->grid),
        cl_bytes_text((uint64_t)count * clast_dtype_size(t->dtype), size));
}

static void draw_stage(const drawing *d, uint32_t i)
{
    const cl_stage *s = &d->plan->stage[i];
    const cl_grid *grid = cl_stage_grid(d->plan, s);
    const cl_shape shape = cl_grid_shape(grid);
    const bool is_store = s->kind == CL_STAGE_STORE;
    char name[TEXT], label[TEXT], text[CL_WORDS], tile[CL_WORDS], size[CL_WORDS];
    if (s->tasks == 0)
        return;
    say(d,
        "  v%" PRIu32 " [shape=%s, label=\"%s%s%s\\n%s %s %s in tiles %s\\n%" PRIu64
        " tasks",
        d->plan->nsource + i, is_store ? "note" : "box", quoted(s->label, label),
        is_store ? " " : "",
        is_store ? quoted(d->names->sink(d->names->arg, s->sink), name) : "",
        cl_stage_kind_name(s->kind), clast_dtype_name(s->dtype),
        cl_shape_text(&shape, text, sizeof text), cl_tile_text(grid, tile), s->tasks);
    if (d->made[i])
        say(d, ", %s", cl_bytes_text(d->made[i], size));
    say(d, "\"];\n");
}

static void draw_task(const drawing *d, uint32_t id, uint32_t stage, uint32_t index)
{
    const cl_stage *s = &d->plan->stage[stage];
    const cl_parts parts = cl_stage_parts(d->plan, s);
    char label[TEXT], part[CL_WORDS];
    say(d, "  v%" PRIu32 " [shape=%s, label=\"%s\\n%s\"];\n", d->plan->nsource + id,
        s->kind == CL_STAGE_STORE ? "note" : "box", quoted(s->label, label),
        cl_part_text(&parts, index, part));
}

static void draw_vertices(const drawing *d)
{
    const cl_plan *plan = d->plan;
    for (uint32_t i = 0; i < plan->nsource; i++)
        draw_source(d, i);
    for (uint32_t i = 0; i < plan->nstage && !d->by_task; i++)
        draw_stage(d, i);
    for (uint32_t i = 0; i < plan->nsegment && d->by_task; i++)
        for (uint32_t k = 0; k < plan->segment[i].ntask; k++)
            draw_task(d, plan->segment[i].task_base + k, plan->segment[i].task_stage[k],
                      plan->segment[i].task_index[k]);
}

static void draw_edges(const drawing *d)
{
    char size[CL_WORDS];
    for (size_t i = 0; i < d->room; i++)
        if (d->edge[i].from != CL_NONE)
            say(d, "  v%" PRIu32 " -> v%" PRIu32 " [label=\"%s\"];\n", d->edge[i].from,
                d->edge[i].to, cl_bytes_text(d->edge[i].bytes, size));
}

/* ---- all of it */

static clast_status begin(drawing *d)
{
    const cl_plan *plan = d->plan;
    uint64_t tasks = 0;
    for (uint32_t i = 0; i < plan->nsegment; i++)
        tasks += plan->segment[i].ntask;
    d->by_task = tasks <= MOST_TASKS;
    d->source_of = cl_alloc_array((size_t)plan->ntensor + 1, sizeof *d->source_of);
    d->made = cl_calloc((size_t)plan->nstage + 1, sizeof *d->made);
    if (!d->source_of || !d->made)
        return CLAST_ENOMEM;
    for (uint32_t i = 0; i < plan->ntensor; i++)
        d->source_of[i] = CL_NONE;
    for (uint32_t i = 0; i < plan->nsource; i++)
        d->source_of[plan->source[i].tensor] = i;
    return look_at_tasks(d) ? CLAST_OK : CLAST_ENOMEM;
}

clast_status cl_plan_draw(const cl_plan *plan, const cl_plan_names *names,
                          clast_text_fn *write, void *arg)
{
    drawing d = {.plan = plan, .names = names, .write = write, .arg = arg};
    const clast_status status = begin(&d);
    if (status == CLAST_OK) {
        say(&d, "digraph clast {\n  rankdir=TB;\n  node [fontname=\"Helvetica\", "
                "fontsize=10];\n  edge [fontname=\"Helvetica\", fontsize=8];\n");
        draw_vertices(&d);
        draw_edges(&d);
        say(&d, "}\n");
    }
    cl_free(d.source_of);
    cl_free(d.made);
    cl_free(d.edge);
    return status;
}
