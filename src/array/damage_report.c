/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which chunks of a dataset cannot be read, told to the caller.
 *
 * They are looked for in a turn, with the lock let go, by the engine (sched/damage.c),
 * and told in C order under the lock, as any callback.
 */
#include "array/turn.h"

static void tell(clast_ctx *ctx, const cl_damage *damage, clast_chunk_fn *fn, void *arg)
{
    cl_calling own;
    cl_ctx_callback_begin(&own, ctx);
    for (int64_t i = 0; i < damage->chunks; i++) {
        int64_t at[CL_MAXDIM] = {0};
        if (!cl_damage_has(damage, i))
            continue;
        cl_damage_chunk(damage, i, at);
        fn(arg, damage->ndim, at);
    }
    cl_ctx_callback_end(&own);
}

static void find(clast_ctx *ctx, const char *file, const char *path, int64_t *chunks,
                 clast_chunk_fn *fn, void *arg, cl_error *err)
{
    cl_source *source;
    cl_damage damage;
    if (cl_source_open_hdf5(&source, file, path, CL_READ_STORED, NULL, err) != CLAST_OK)
        return;
    cl_ctx_unlock(ctx);
    cl_engine_find_damage(ctx->engine, source, &ctx->is_canceled, &damage, err);
    cl_mutex_lock(ctx->lock);
    if (err->status == CLAST_OK)
        tell(ctx, &damage, fn, arg);
    *chunks = damage.chunks;
    cl_engine_drop_damage(ctx->engine, &damage);
    cl_source_close(source);
}

clast_status clast_hdf5_damage(clast_ctx *ctx, const char *file, const char *path,
                               int64_t *chunks, clast_chunk_fn *fn, void *arg)
{
    cl_error err = {0};
    if (!ctx)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    if (!file || !path || !chunks || !fn)
        cl_error_set(&err, CLAST_EVALUE, "NULL in place of an argument");
    else
        find(ctx, file, path, chunks, fn, arg, &err);
    cl_error_prefix(&err, "damage");
    cl_turn_end(ctx, &err);
    return err.status;
}
