/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which chunks of a dataset cannot be read.
 *
 * A run ends at the first chunk that is damaged. This is asked afterwards, of datasets
 * that are known to be damaged: each chunk is read and decoded once, by the context's
 * workers, which take one after another from a counter. Each has room for one chunk, as
 * many as the budget holds. What is found is a bit a chunk; it is told in C order.
 */
#include <stdatomic.h>
#include <string.h>

#include "array/request.h"
#include "array/turn.h"
#include "base/alloc.h"
#include "base/dtype.h"

enum { ALIGN = 64 };

typedef struct {
    clast_ctx *ctx;
    cl_source *source;
    const cl_source_info *info;
    int64_t chunks, grid[CL_MAXDIM];
    uint64_t values, room; /* bytes of a chunk's elements; of a worker's room */
    unsigned char *memory;
    _Atomic unsigned char *damaged; /* a bit a chunk */
    _Atomic int64_t next;
    cl_mutex mutex; /* guards the next one */
    cl_error error; /* what is no damage, the first */
} search;

static cl_box box_of(const search *s, int64_t index, int64_t *at)
{
    const cl_shape *shape = &s->info->shape;
    cl_box box = {.ndim = shape->ndim};
    for (int a = shape->ndim - 1; a >= 0; a--) {
        const int64_t chunk = s->info->chunk[a];
        at[a] = index % s->grid[a];
        index /= s->grid[a];
        box.lo[a] = at[a] * chunk;
        box.n[a] =
            chunk < shape->dim[a] - box.lo[a] ? chunk : shape->dim[a] - box.lo[a];
    }
    return box;
}

static void read_chunk(search *s, int64_t index, unsigned char *room)
{
    int64_t at[CL_MAXDIM];
    uint64_t stored = 0;
    cl_error err = {0};
    const cl_box box = box_of(s, index, at);
    void *staging = room + s->values;
    if (cl_source_fetch(s->source, &box, room, staging, &stored, &err) == CLAST_OK)
        cl_source_decode(s->source, &box, room, staging, &err);
    if (err.status == CLAST_EFORMAT || err.status == CLAST_EIO) {
        atomic_fetch_or(&s->damaged[index / 8], (unsigned char)(1u << index % 8));
    } else if (err.status != CLAST_OK) {
        cl_mutex_lock(&s->mutex);
        cl_error_set(&s->error, err.status, "%s", err.text);
        cl_mutex_unlock(&s->mutex);
        atomic_store(&s->next, s->chunks);
    }
}

static void read_chunks(void *arg, int worker, int nworkers)
{
    search *s = arg;
    unsigned char *room = s->memory + (uint64_t)worker * s->room;
    for (int64_t i = 0; (i = atomic_fetch_add(&s->next, 1)) < s->chunks;)
        if (atomic_load(&s->ctx->is_canceled))
            atomic_store(&s->next, s->chunks);
        else
            read_chunk(s, i, room);
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* How many chunks there are, and what one needs. */
static clast_status measure(search *s, cl_error *err)
{
    const cl_shape *shape = &s->info->shape;
    int64_t at[CL_MAXDIM], count;
    s->chunks = 0;
    if (!s->info->has_chunks || !cl_shape_count(shape, &count) || count == 0)
        return CLAST_OK;
    s->chunks = 1;
    for (int a = 0; a < shape->ndim; a++) {
        s->grid[a] = (shape->dim[a] - 1) / s->info->chunk[a] + 1;
        s->chunks *= s->grid[a];
    }
    const cl_box box = box_of(s, 0, at);
    s->values =
        aligned((uint64_t)cl_box_count(&box) * clast_dtype_size(s->info->dtype));
    s->room = s->values + aligned(cl_source_staging(s->source, &box));
    return CLAST_OK;
}

/* With room for as many workers as the budget has, one at least. */
static clast_status read_all(search *s, cl_error *err)
{
    cl_engine *engine = s->ctx->engine;
    const uint64_t map = (uint64_t)s->chunks / 8 + 1;
    const uint64_t left = cl_engine_free_bytes(engine);
    const uint64_t fits = left > map ? (left - map) / s->room : 0;
    uint64_t workers = (uint64_t)s->ctx->options.workers;
    workers = fits < workers ? fits : workers;
    workers = workers > 0 ? workers : 1;
    const uint64_t bytes = map + workers * s->room;
    CL_TRY(cl_engine_charge(engine, bytes, err));
    void *memory = cl_alloc(workers * s->room + ALIGN);
    s->damaged = cl_calloc(map, 1);
    if (memory && s->damaged) {
        s->memory = (unsigned char *)memory + (ALIGN - (uintptr_t)memory % ALIGN);
        cl_ctx_unlock(s->ctx);
        cl_team_run(cl_team_default(), (int)workers, read_chunks, s);
        cl_mutex_lock(s->ctx->lock);
        cl_error_set(err, s->error.status, "%s", s->error.text);
        if (atomic_load(&s->ctx->is_canceled))
            cl_error_set(err, CLAST_ECANCELED, "canceled");
    } else {
        cl_error_set(err, CLAST_ENOMEM, "no memory to read its chunks");
    }
    cl_free(memory);
    cl_engine_uncharge(engine, bytes);
    return err->status;
}

static void tell(const search *s, clast_chunk_fn *fn, void *arg)
{
    cl_calling own;
    cl_ctx_callback_begin(&own, s->ctx);
    for (int64_t i = 0; i < s->chunks; i++) {
        int64_t at[CL_MAXDIM] = {0};
        if (!(s->damaged[i / 8] >> i % 8 & 1))
            continue;
        box_of(s, i, at);
        fn(arg, s->info->shape.ndim, at);
    }
    cl_ctx_callback_end(&own);
}

static void find(search *s, const char *file, const char *path, int64_t *chunks,
                 clast_chunk_fn *fn, void *arg, cl_error *err)
{
    if (cl_source_open_hdf5(&s->source, file, path, CL_READ_STORED, NULL, err) !=
        CLAST_OK)
        return;
    s->info = cl_source_get_info(s->source);
    if (measure(s, err) == CLAST_OK && s->chunks > 0 && read_all(s, err) == CLAST_OK)
        tell(s, fn, arg);
    *chunks = s->chunks;
    cl_source_close(s->source);
    cl_free((void *)(uintptr_t)s->damaged);
}

clast_status clast_hdf5_damage(clast_ctx *ctx, const char *file, const char *path,
                               int64_t *chunks, clast_chunk_fn *fn, void *arg)
{
    cl_error err = {0};
    if (!ctx)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    search s = {.ctx = ctx};
    cl_mutex_init(&s.mutex);
    if (!file || !path || !chunks || !fn)
        cl_error_set(&err, CLAST_EVALUE, "NULL in place of an argument");
    else
        find(&s, file, path, chunks, fn, arg, &err);
    cl_mutex_fini(&s.mutex);
    cl_error_prefix(&err, "damage");
    cl_turn_end(ctx, &err);
    return err.status;
}
