/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list of a few plans, the one used last in front.
 *
 * Keys are compared byte by byte; a hash only saves most comparisons. An entry costs
 * the bytes of its plan, of its key and its own.
 */
#include "array/plan_cache.h"

#include <string.h>

#include "graph/node.h"

/* Of the budget, for all plans. */
#define SHARE 16

typedef struct cl_cached_plan {
    struct cl_cached_plan *next;
    uint64_t hash;
    cl_plan_key key;
    cl_planned planned;
} cached;

void cl_planned_fini(cl_planned *planned)
{
    cl_plan_fini(&planned->plan);
    *planned = (cl_planned){0};
}

void cl_plan_key_fini(cl_plan_key *key)
{
    cl_free(key->bytes);
    *key = (cl_plan_key){0};
}

static uint64_t hash_of(const cl_plan_key *key)
{
    uint64_t h = key->size, v;
    size_t i = 0;
    for (; i + sizeof v <= key->size; i += sizeof v) {
        memcpy(&v, key->bytes + i, sizeof v);
        h = cl_hash_mix(h, v);
    }
    for (; i < key->size; i++)
        h = cl_hash_mix(h, key->bytes[i]);
    return h;
}

static uint64_t bytes_of(const cl_plan_key *key, const cl_planned *planned)
{
    return sizeof(cached) + key->capacity + planned->plan.bytes;
}

/* Takes the entry out of the list; it is the caller's. */
static cached *unlink_at(cl_plan_cache *cache, cached **at)
{
    cached *entry = *at;
    *at = entry->next;
    cache->count--;
    cache->bytes -= bytes_of(&entry->key, &entry->planned);
    return entry;
}

static void free_at(cl_plan_cache *cache, cached **at)
{
    cached *entry = unlink_at(cache, at);
    cl_plan_key_fini(&entry->key);
    cl_planned_fini(&entry->planned);
    cl_free(entry);
}

static void free_last(cl_plan_cache *cache)
{
    cached **at = &cache->first;
    while ((*at)->next)
        at = &(*at)->next;
    free_at(cache, at);
}

void cl_plan_cache_init(cl_plan_cache *cache, cl_engine *engine)
{
    *cache = (cl_plan_cache){.engine = engine};
}

void cl_plan_cache_fini(cl_plan_cache *cache)
{
    while (cache->first)
        free_last(cache);
}

void cl_plan_cache_trim(cl_plan_cache *cache, uint64_t most)
{
    if (cache->bytes <= most)
        return;
    while (cache->bytes > most)
        free_last(cache);
    cl_engine_set_spare(cache->engine, cache->bytes);
}

void cl_plan_cache_forget(cl_plan_cache *cache, uint64_t serial)
{
    const uint64_t before = cache->bytes;
    for (cached **at = &cache->first; *at;) {
        const cl_plan_key *k = &(*at)->key;
        if (k->oldest <= serial && serial <= k->newest)
            free_at(cache, at);
        else
            at = &(*at)->next;
    }
    if (cache->bytes != before)
        cl_engine_set_spare(cache->engine, cache->bytes);
}

bool cl_plan_cache_take(cl_plan_cache *cache, const cl_plan_key *key,
                        cl_planned *planned)
{
    const uint64_t hash = cache->first ? hash_of(key) : 0;
    for (cached **at = &cache->first; *at; at = &(*at)->next) {
        const cl_plan_key *k = &(*at)->key;
        if ((*at)->hash != hash || k->size != key->size ||
            memcmp(k->bytes, key->bytes, key->size) != 0)
            continue;
        cached *entry = unlink_at(cache, at);
        *planned = entry->planned;
        cl_plan_key_fini(&entry->key);
        cl_free(entry);
        cl_engine_set_spare(cache->engine, cache->bytes);
        return true;
    }
    return false;
}

/* What the cache may hold. */
static uint64_t room(const cl_plan_cache *cache, uint64_t memory)
{
    const uint64_t share = memory / SHARE;
    const uint64_t free_bytes = cl_engine_free_bytes(cache->engine);
    return share < free_bytes ? share : free_bytes;
}

void cl_plan_cache_put(cl_plan_cache *cache, cl_plan_key *key, cl_planned *planned,
                       uint64_t memory)
{
    const uint64_t most = room(cache, memory), bytes = bytes_of(key, planned);
    cached *entry = bytes <= most ? cl_alloc(sizeof *entry) : NULL;
    if (!entry) {
        cl_plan_key_fini(key);
        cl_planned_fini(planned);
        return;
    }
    *entry = (cached){cache->first, hash_of(key), *key, *planned};
    *key = (cl_plan_key){0};
    *planned = (cl_planned){0};
    cache->first = entry;
    cache->bytes += bytes;
    if (++cache->count > CL_CACHED_PLANS)
        free_last(cache);
    while (cache->bytes > most)
        free_last(cache);
    cl_engine_set_spare(cache->engine, cache->bytes);
}
