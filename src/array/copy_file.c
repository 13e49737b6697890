/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of files: runs that fill the datasets whose storage changes.
 *
 * One turn (turn.h) for the whole copy. io/duplicate.h makes the file; what it lists is
 * filled in runs of MOST_DATASETS datasets or about MOST_BYTES, whichever comes first,
 * so that thousands of datasets need neither as many open ones nor one plan for all.
 * The nodes of a run live as long as the run. What is said of progress is put together:
 * the tasks of later runs are estimated from their bytes.
 */
#include <string.h>

#include "array/compress.h"
#include "array/make.h"
#include "array/request.h"
#include "array/turn.h"
#include "base/least.h"
#include "io/duplicate.h"

enum { MOST_DATASETS = 64 };
#define MOST_BYTES ((uint64_t)1 << 30)

typedef struct {
    clast_ctx *ctx;
    cl_copy *copy;
    cl_listener listener;        /* the user's */
    uint64_t bytes, done, batch; /* in all, of earlier runs, of this one */
    double start;
    clast_stats stats; /* sums */
} copying;

/* ---- progress and figures */

static void tell(void *arg, const clast_progress *progress)
{
    const copying *c = arg;
    clast_progress p = *progress;
    const double runs = c->batch > 0 ? (double)c->bytes / (double)c->batch : 1;
    const double before = c->bytes > 0 ? (double)c->done / (double)c->bytes : 0;
    p.tasks = (uint64_t)((double)progress->tasks * runs);
    p.tasks_done += (uint64_t)((double)p.tasks * before);
    p.read += c->stats.read;
    p.written += c->stats.written;
    p.spilled += c->stats.spilled;
    p.predicted_read = p.predicted_written = c->bytes;
    p.predicted_spilled += c->stats.spilled;
    p.seconds = cl_clock() - c->start;
    c->listener.fn(c->listener.arg, &p);
}

static void add_stats(clast_stats *sum, const clast_stats *s)
{
    sum->memory = s->memory;
    sum->minimum_memory = cl_larger_u(sum->minimum_memory, s->minimum_memory);
    sum->predicted_peak = cl_larger_u(sum->predicted_peak, s->predicted_peak);
    sum->peak = cl_larger_u(sum->peak, s->peak);
    sum->plan_bytes = cl_larger_u(sum->plan_bytes, s->plan_bytes);
    sum->predicted_read += s->predicted_read;
    sum->read += s->read;
    sum->predicted_written += s->predicted_written;
    sum->written += s->written;
    sum->predicted_spilled += s->predicted_spilled;
    sum->spilled += s->spilled;
    sum->stored_read += s->stored_read;
    sum->stored_written += s->stored_written;
    sum->tasks += s->tasks;
    sum->blocks += s->blocks;
    sum->plan_seconds += s->plan_seconds;
    sum->run_seconds += s->run_seconds;
    sum->wait_memory += s->wait_memory;
    sum->wait_read += s->wait_read;
    sum->wait_task += s->wait_task;
    sum->workers = s->workers > sum->workers ? s->workers : sum->workers;
}

/* ---- one run; with the lock, which is let go while it runs */

static clast_status run(copying *c, size_t first, size_t n, const cl_node_id *nodes,
                        cl_error *err)
{
    clast_ctx *ctx = c->ctx;
    cl_request request;
    if (cl_request_prepare_copy(&request, ctx, c->copy, first, n, nodes, err) ==
        CLAST_OK) {
        cl_ctx_unlock(ctx);
        cl_request_run(&request, err);
        cl_mutex_lock(ctx->lock);
        add_stats(&c->stats, &request.stats);
    }
    cl_request_fini(&request);
    return err->status;
}

static clast_status fill(copying *c, const char *file, size_t first, size_t n,
                         cl_error *err)
{
    cl_make m;
    cl_node_id nodes[MOST_DATASETS];
    cl_make_begin_within(&m, "copy", c->ctx);
    for (size_t i = 0; i < n; i++)
        nodes[i] = cl_node_bits(&m, file, cl_copy_get(c->copy, first + i)->path);
    if (cl_make_failed(&m))
        cl_error_set(err, m.err.status, "%s", m.err.text);
    else
        run(c, first, n, nodes, err);
    cl_make_drop(&m);
    return err->status;
}

/* How many datasets the run from `first` on takes. */
static size_t choose_batch(copying *c, size_t first)
{
    size_t n = 0;
    const size_t count = cl_copy_count(c->copy);
    c->batch = 0;
    while (first + n < count && n < MOST_DATASETS && (n == 0 || c->batch < MOST_BYTES))
        c->batch += cl_copy_get(c->copy, first + n++)->bytes;
    return n;
}

static clast_status fill_all(copying *c, const char *file, cl_error *err)
{
    const size_t count = cl_copy_count(c->copy);
    for (size_t i = 0; i < count; i++)
        c->bytes += cl_copy_get(c->copy, i)->bytes;
    for (size_t first = 0; first < count;) {
        const size_t n = choose_batch(c, first);
        if (atomic_load(&c->ctx->is_canceled))
            return cl_error_set(err, CLAST_ECANCELED, "copy: canceled");
        CL_TRY(fill(c, file, first, n, err));
        first += n;
        c->done += c->batch;
    }
    return CLAST_OK;
}

/* ---- all of it; with the lock */

static clast_status copy_file(copying *c, const cl_copy_settings *set, cl_error *err)
{
    clast_ctx *ctx = c->ctx;
    cl_ctx_unlock(ctx);
    cl_copy_begin(&c->copy, set, err);
    cl_mutex_lock(ctx->lock);
    if (err->status != CLAST_OK)
        return err->status;
    const uint64_t charged = cl_copy_bytes(c->copy);
    clast_status status = cl_engine_charge(ctx->engine, charged, err);
    if (status == CLAST_OK) {
        status = fill_all(c, set->in, err);
        cl_engine_uncharge(ctx->engine, charged);
    }
    cl_ctx_unlock(ctx);
    if (status == CLAST_OK)
        status = cl_copy_commit(c->copy, err);
    else
        cl_copy_abort(c->copy);
    cl_mutex_lock(ctx->lock);
    return status;
}

static void copy_in_turn(clast_ctx *ctx, const cl_copy_settings *set, cl_error *err)
{
    copying c = {.ctx = ctx, .listener = ctx->user_listener, .start = cl_clock()};
    ctx->listener = (cl_listener){c.listener.fn ? tell : NULL, &c};
    copy_file(&c, set, err);
    ctx->listener = (cl_listener){0};
    ctx->stats = c.stats;
}

/* ---- public */

static clast_status read_rule(const clast_copy_chunks *from, cl_copy_rule *rule,
                              cl_error *err)
{
    if (from->ndim < 0 || from->ndim > CLAST_MAXDIM ||
        (from->ndim > 0 && !from->length))
        return cl_error_set(err, CLAST_EVALUE, "chunks of %d dimensions", from->ndim);
    rule->path = from->path;
    rule->ndim = from->ndim;
    for (int a = 0; a < from->ndim; a++) {
        rule->chunk[a] = from->length[a];
        if (rule->chunk[a] < 1 && rule->chunk[a] != -1)
            return cl_error_set(err, CLAST_EVALUE,
                                "chunk extent %lld of axis %d: at least 1, or -1 for "
                                "the whole axis",
                                (long long)rule->chunk[a], a);
    }
    return CLAST_OK;
}

static clast_status check_options(const clast_copy_options *o, cl_error *err)
{
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0)
            return cl_error_set(err, CLAST_ENOTSUP, "reserved[%zu] must be zero", i);
    if (o->nchunks < 0 || (o->nchunks > 0 && !o->chunks))
        return cl_error_set(err, CLAST_EVALUE, "%d chunks%s", o->nchunks,
                            o->chunks ? "" : ", but NULL in their place");
    return CLAST_OK;
}

static clast_status settle(const clast_copy_options *o, cl_copy_settings *set,
                           cl_error *err)
{
    if (!set->in || !set->out)
        return cl_error_set(err, CLAST_EVALUE, "the name of a file is NULL");
    CL_TRY(check_options(o, err));
    CL_TRY(cl_compress_ask(&set->compression, &set->keeps, o->compress, o->gzip,
                           o->shuffle, err));
    set->overwrite = o->overwrite;
    set->no_sync = o->no_sync;
    set->rule = cl_calloc((size_t)o->nchunks + 1, sizeof *set->rule);
    if (!set->rule)
        return cl_error_set(err, CLAST_ENOMEM, "the process is out of memory");
    for (int i = 0; i < o->nchunks; i++)
        CL_TRY(read_rule(&o->chunks[i], &set->rule[set->nrule++], err));
    return CLAST_OK;
}

clast_status clast_hdf5_copy(clast_ctx *ctx, const char *in, const char *group,
                             const char *out, const clast_copy_options *options)
{
    static const clast_copy_options defaults;
    cl_error err = {0};
    if (!ctx)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    cl_copy_settings set = {
        .in = in, .group = group, .out = out, .is_canceled = &ctx->is_canceled};
    if (settle(options ? options : &defaults, &set, &err) == CLAST_OK)
        copy_in_turn(ctx, &set, &err);
    cl_free(set.rule);
    if (strncmp(err.text, "copy: ", 6) != 0)
        cl_error_prefix(&err, "copy");
    cl_turn_end(ctx, &err);
    return err.status;
}
