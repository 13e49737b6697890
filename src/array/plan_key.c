/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of plans: everything that a plan, what it needs and what its run will move are a
 * function of.
 *
 *   sinks    kind, storage chunks and filters of files, what is stored of them already;
 *            not where they go: addresses and strides of buffers, names of files and
 *            datasets are the run's
 *   nodes    the expression as the walk spells it (walk.h), without the ids that the
 *            store gave its nodes: built anew, it is the same
 *   sources  their place in the source table and what the planner is told of them.
 *            Files and functions of the caller also by a number that no other entry
 *            ever had. Memory only by layout and alignment: a run reads from where it
 *            is now. Persisted arrays with which of their blocks are in memory
 *   state    what is free of the budget, the folder for scratch, what a benchmark
 *            switched off. All other options are the context's for its life
 *
 * On the way persisted arrays that are read become those that go last where memory is
 * lacking.
 *
 * Each part has a length that what comes before it fixes, so equal bytes mean equal
 * parts. Cost: O(nodes + edges + persisted blocks that are read).
 */
#include "array/plan_key.h"

#include <string.h>

#include "array/walk.h"

typedef struct {
    cl_plan_key *key;
    const cl_request *request;
    bool is_ok;
} writer;

static void write_bytes(writer *w, const void *bytes, size_t size)
{
    cl_plan_key *k = w->key;
    w->is_ok = w->is_ok && cl_grow(&k->bytes, &k->capacity, k->size + size, 1);
    if (!w->is_ok || size == 0)
        return;
    memcpy(k->bytes + k->size, bytes, size);
    k->size += size;
}

static void write_number(writer *w, uint64_t v)
{
    write_bytes(w, &v, sizeof v);
}

static void write_numbers(writer *w, int n, const int64_t *v)
{
    write_bytes(w, v, (size_t)n * sizeof *v);
}

static void write_text(writer *w, const char *text)
{
    const size_t size = text ? strlen(text) : 0;
    write_number(w, text ? size + 1 : 0);
    write_bytes(w, text, size);
}

/* ---- sources */

static void write_persisted(writer *w, const cl_source_facts *f,
                            const cl_persisted *persisted)
{
    for (int a = 0; a < f->tiles->ndim; a++) {
        const cl_axis *x = &f->tiles->axis[a];
        write_number(w, (uint64_t)x->count);
        write_number(w, (uint64_t)x->size);
        write_number(w, x->cuts != NULL);
        if (x->cuts)
            write_numbers(w, (int)x->count + 1, x->cuts);
    }
    const size_t count = (size_t)cl_persisted_count(persisted);
    cl_plan_key *k = w->key;
    w->is_ok = w->is_ok && cl_grow(&k->bytes, &k->capacity, k->size + count, 1);
    if (!w->is_ok)
        return;
    cl_persisted_places(persisted, k->bytes + k->size);
    k->size += count;
    k->persisted += cl_persisted_bytes(persisted);
}

static void write_source(writer *w, uint32_t index)
{
    const cl_source_entry *e = &w->request->ctx->sources.entry[index];
    const cl_source_facts *f = &w->request->source_facts[index];
    const cl_source_info *info = e->source ? cl_source_get_info(e->source) : NULL;
    const bool is_memory = info && info->is_memory;
    write_number(w, is_memory ? 0 : e->persisted ? 1 : 2);
    if (is_memory) {
        write_numbers(w, f->shape.ndim, f->stride);
        write_number(w, (uintptr_t)info->data % 64);
    } else if (e->persisted) {
        cl_persisted_touch(w->request->ctx->engine, e->persisted);
        write_persisted(w, f, e->persisted);
    } else {
        write_number(w, e->serial);
        if (w->key->oldest == 0 || e->serial < w->key->oldest)
            w->key->oldest = e->serial;
        if (e->serial > w->key->newest)
            w->key->newest = e->serial;
    }
}

/* ---- nodes */

static void write_map(writer *w, const cl_map *map)
{
    write_number(w, (uint64_t)map->nout << 32 | (uint64_t)map->nin);
    write_bytes(w, map->src, (size_t)map->nin);
    write_numbers(w, map->nin, map->off);
    write_numbers(w, map->nin, map->step);
}

/* One met before is said by its number, which no operation can be taken for. */
static bool write_node(void *arg, const cl_node *n, uint32_t number, bool is_first)
{
    writer *w = arg;
    write_number(w, is_first ? UINT64_MAX : number);
    if (!is_first)
        return w->is_ok;
    write_number(w, (uint64_t)n->op << 48 | (uint64_t)n->dtype << 40 |
                        (uint64_t)n->shape.ndim << 32 | n->nin);
    write_number(w, (uint64_t)(n->map != NULL) << 1 | (n->chunk != NULL));
    write_numbers(w, n->shape.ndim, n->shape.dim);
    write_bytes(w, &n->params, sizeof n->params);
    if (n->map)
        write_map(w, n->map);
    if (n->chunk)
        write_numbers(w, n->shape.ndim, n->chunk);
    if (n->op == CL_OP_SOURCE || n->op == CL_OP_USER)
        write_source(w, n->params.source);
    return w->is_ok;
}

static clast_status write_nodes(writer *w)
{
    const cl_request *r = w->request;
    cl_node_id *roots = cl_alloc_array(r->nsink + 1u, sizeof *roots);
    if (!roots)
        return CLAST_ENOMEM;
    for (uint32_t i = 0; i < r->nsink; i++)
        roots[i] = r->facts[i].node;
    const clast_status status =
        cl_walk_nodes(r->ctx->nodes, r->nsink, roots, write_node, w);
    cl_free(roots);
    return status;
}

/* ---- the rest */

static void write_sink(writer *w, const cl_sink_facts *f, const cl_output_spec *spec)
{
    write_number(w, f->is_memory ? 0 : f->is_persist ? 1 : 2);
    if (!spec)
        return;
    write_number(w, (uint64_t)spec->shape.ndim);
    write_numbers(w, spec->shape.ndim, f->chunk);
    write_number(w, f->staging);
    write_number(w, spec->identity != NULL); /* a journal takes memory */
    write_number(w, f->stored != NULL);
    int64_t chunks = 1;
    for (int a = 0; a < spec->shape.ndim; a++)
        chunks *=
            spec->shape.dim[a] > 0 ? (spec->shape.dim[a] - 1) / f->chunk[a] + 1 : 0;
    if (f->stored)
        write_bytes(w, f->stored, (size_t)(chunks / 8 + 1));
}

static void write_state(writer *w)
{
    const cl_request *r = w->request;
    const cl_tuning tuning = cl_engine_tuning(r->ctx->engine);
    write_number(w, cl_engine_free_bytes(r->ctx->engine));
    write_number(w, tuning.is_unfused);
    write_number(w, (uint64_t)tuning.policy << 32 | (uint64_t)tuning.order << 2 |
                        (uint64_t)tuning.has_order << 1 | tuning.is_without_prefetch);
    write_text(w, r->scratch_folder);
}

clast_status cl_plan_key_make(cl_plan_key *key, const cl_request *request,
                              cl_error *err)
{
    writer w = {key, request, true};
    write_state(&w);
    write_number(&w, request->nsink);
    for (uint32_t i = 0; i < request->nsink; i++)
        write_sink(&w, &request->facts[i], request->run_sink[i].spec);
    if (write_nodes(&w) != CLAST_OK || !w.is_ok)
        return cl_error_set(err, CLAST_ENOMEM, "compute: the process is out of memory");
    return CLAST_OK;
}
