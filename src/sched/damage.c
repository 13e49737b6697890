/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which chunks of a source cannot be read.
 *
 * A run ends at the first chunk that is damaged. This is asked afterwards, of sources
 * that are known to be damaged: each chunk is read and decoded once, by a team that
 * takes one after another from a counter. Each of its workers has room for one chunk,
 * as many as the budget holds. What is found is a bit a chunk, which stays charged
 * until it is dropped; the workers' room is given back before.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "sched/engine.h"

enum { ALIGN = 64 };

typedef struct {
    cl_source *source;
    const cl_source_info *info;
    const atomic_bool *is_canceled;
    cl_damage *damage;
    uint64_t values, room; /* bytes of a chunk's elements; of a worker's room */
    unsigned char *memory;
    _Atomic int64_t next;
    cl_mutex mutex; /* guards the next one */
    cl_error error; /* what is no damage, the first */
} search;

void cl_damage_chunk(const cl_damage *damage, int64_t index, int64_t *chunk)
{
    for (int a = damage->ndim - 1; a >= 0; a--) {
        chunk[a] = index % damage->grid[a];
        index /= damage->grid[a];
    }
}

bool cl_damage_has(const cl_damage *damage, int64_t index)
{
    return atomic_load(&damage->bits[index / 8]) >> index % 8 & 1;
}

static cl_box box_of(const search *s, int64_t index)
{
    const cl_shape *shape = &s->info->shape;
    cl_box box = {.ndim = shape->ndim};
    int64_t at[CL_MAXDIM] = {0};
    cl_damage_chunk(s->damage, index, at);
    for (int a = 0; a < shape->ndim; a++) {
        const int64_t chunk = s->info->chunk[a];
        box.lo[a] = at[a] * chunk;
        box.n[a] =
            chunk < shape->dim[a] - box.lo[a] ? chunk : shape->dim[a] - box.lo[a];
    }
    return box;
}

static void read_chunk(search *s, int64_t index, unsigned char *room)
{
    uint64_t stored = 0;
    cl_error err = {0};
    const cl_box box = box_of(s, index);
    void *staging = room + s->values;
    if (cl_source_fetch(s->source, &box, room, staging, &stored, &err) == CLAST_OK)
        cl_source_decode(s->source, &box, room, staging, &err);
    if (err.status == CLAST_EFORMAT || err.status == CLAST_EIO) {
        atomic_fetch_or(&s->damage->bits[index / 8], (unsigned char)(1u << index % 8));
    } else if (err.status != CLAST_OK) {
        cl_mutex_lock(&s->mutex);
        cl_error_set(&s->error, err.status, "%s", err.text);
        cl_mutex_unlock(&s->mutex);
        atomic_store(&s->next, s->damage->chunks);
    }
}

static void read_chunks(void *arg, int worker, int nworkers)
{
    search *s = arg;
    const int64_t chunks = s->damage->chunks;
    unsigned char *room = s->memory + (uint64_t)worker * s->room;
    for (int64_t i = 0; (i = atomic_fetch_add(&s->next, 1)) < chunks;)
        if (atomic_load(s->is_canceled))
            atomic_store(&s->next, chunks);
        else
            read_chunk(s, i, room);
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* How many chunks there are, and what one needs. */
static void measure(search *s)
{
    const cl_shape *shape = &s->info->shape;
    cl_damage *d = s->damage;
    int64_t count;
    if (!s->info->has_chunks || !cl_shape_count(shape, &count) || count == 0)
        return;
    d->ndim = shape->ndim;
    d->chunks = 1;
    for (int a = 0; a < shape->ndim; a++) {
        d->grid[a] = (shape->dim[a] - 1) / s->info->chunk[a] + 1;
        d->chunks *= d->grid[a];
    }
    const cl_box box = box_of(s, 0);
    s->values =
        aligned((uint64_t)cl_box_count(&box) * clast_dtype_size(s->info->dtype));
    s->room = s->values + aligned(cl_source_staging(s->source, &box));
}

/* Charges the map and room for as many workers as the budget has, one at least. */
static clast_status charge(const search *s, cl_engine *engine, uint64_t map,
                           uint64_t *workers, cl_error *err)
{
    for (*workers = (uint64_t)engine->options.workers; *workers > 1; --*workers) {
        cl_error too_many = {0};
        if (cl_engine_charge(engine, map + *workers * s->room, &too_many) == CLAST_OK)
            return CLAST_OK;
    }
    *workers = 1;
    return cl_engine_charge(engine, map + s->room, err);
}

static clast_status read_all(search *s, cl_engine *engine, cl_error *err)
{
    const uint64_t map = (uint64_t)s->damage->chunks / 8 + 1;
    uint64_t workers;
    CL_TRY(charge(s, engine, map, &workers, err));
    s->damage->charged = map;
    void *memory = cl_alloc(workers * s->room + ALIGN);
    s->damage->bits = cl_calloc(map, 1);
    if (memory && s->damage->bits) {
        s->memory = (unsigned char *)memory + (ALIGN - (uintptr_t)memory % ALIGN);
        cl_team_run(engine->options.team, (int)workers, read_chunks, s);
        cl_error_set(err, s->error.status, "%s", s->error.text);
        if (atomic_load(s->is_canceled))
            cl_error_set(err, CLAST_ECANCELED, "canceled");
    } else {
        cl_error_set(err, CLAST_ENOMEM, "no memory to read its chunks");
    }
    cl_free(memory);
    cl_engine_uncharge(engine, workers * s->room);
    return err->status;
}

clast_status cl_engine_find_damage(cl_engine *engine, cl_source *source,
                                   const atomic_bool *is_canceled, cl_damage *damage,
                                   cl_error *err)
{
    search s = {.source = source,
                .info = cl_source_get_info(source),
                .is_canceled = is_canceled,
                .damage = damage};
    *damage = (cl_damage){0};
    measure(&s);
    if (damage->chunks == 0)
        return CLAST_OK;
    cl_mutex_init(&s.mutex);
    const clast_status status = read_all(&s, engine, err);
    cl_mutex_fini(&s.mutex);
    return status;
}

void cl_engine_drop_damage(cl_engine *engine, cl_damage *damage)
{
    cl_free((void *)(uintptr_t)damage->bits);
    cl_engine_uncharge(engine, damage->charged);
    *damage = (cl_damage){0};
}
