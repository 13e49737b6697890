/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The source table: a growing array with holes. A free place is looked for from the
 * first that may be one, so that adding many in a row costs O(1) each.
 */
#include "array/source.h"

#include "array/user_call.h"

#include <string.h>

#include "base/alloc.h"

static bool is_free(const cl_source_entry *e)
{
    return !e->source && !e->persisted && !e->callee;
}

clast_status cl_sources_add(cl_sources *sources, const cl_source_entry *entry,
                            uint32_t *index)
{
    uint32_t i = sources->full;
    while (i < sources->count && !is_free(&sources->entry[i]))
        i++;
    if (!cl_grow(&sources->entry, &sources->capacity, (size_t)i + 1,
                 sizeof *sources->entry))
        return CLAST_ENOMEM;
    sources->entry[i] = *entry;
    sources->entry[i].serial = ++sources->added;
    sources->full = i + 1;
    if (i == sources->count)
        sources->count++;
    *index = i;
    return CLAST_OK;
}

void cl_sources_remove(cl_sources *sources, cl_engine *engine, uint32_t index)
{
    cl_source_entry *e = &sources->entry[index];
    cl_source_close(e->source);
    cl_callee_free(e->callee);
    if (e->persisted)
        cl_persisted_free(engine, e->persisted);
    if (e->charged)
        cl_engine_uncharge(engine, e->charged);
    *e = (cl_source_entry){0};
    if (index < sources->full)
        sources->full = index;
}

void cl_sources_fini(cl_sources *sources, cl_engine *engine)
{
    for (uint32_t i = 0; i < sources->count; i++)
        if (!is_free(&sources->entry[i]))
            cl_sources_remove(sources, engine, i);
    cl_free(sources->entry);
    *sources = (cl_sources){0};
}

static void facts_of(const cl_source_info *info, cl_source_facts *f)
{
    f->dtype = info->dtype;
    f->shape = info->shape;
    f->is_memory = info->is_memory;
    memcpy(f->stride, info->stride, sizeof f->stride);
    f->has_chunks = info->has_chunks;
    memcpy(f->chunk, info->chunk, sizeof f->chunk);
    f->is_filtered = info->is_filtered;
    f->staging_per_chunk = info->staging_per_chunk;
    f->staging_fixed = info->staging_fixed;
    f->is_slow = info->is_slow;
}

void cl_sources_facts(const cl_sources *sources, cl_source_facts *facts)
{
    for (uint32_t i = 0; i < sources->count; i++) {
        const cl_source_entry *e = &sources->entry[i];
        facts[i] = (cl_source_facts){0};
        if (e->source)
            facts_of(cl_source_get_info(e->source), &facts[i]);
        if (e->callee)
            facts[i].user = &e->callee->user;
        if (e->persisted) {
            facts[i].tiles = cl_persisted_grid(e->persisted);
            facts[i].shape = cl_grid_shape(facts[i].tiles);
            facts[i].dtype = e->persisted_dtype;
        }
    }
}
