/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sinks: what is checked and settled before a run.
 *
 * An HDF5 output takes its chunks from the first input of equal shape, or the first of
 * those that are joined to this shape, its filters
 * from the first input; without one, chunks come near 1 MiB by halving the longest
 * extents, uncompressed. Which attributes it carries is in carry.h. A buffer must be of
 * the array's dtype and shape, long enough, without overlap with itself, with another
 * buffer of the run or with memory it reads.
 */
#include "array/request.h"

#include <string.h>

#include "array/carry.h"
#include "array/compress.h"
#include "array/overlap.h"
#include "array/walk.h"
#include "base/text.h"

enum { CHUNK_BYTES = 1 << 20, MOST_INPUTS = 32 << 10 /* bytes of text */ };

clast_sink clast_sink_hdf5(clast_array *a, const char *file, const char *path,
                           const clast_hdf5_options *options)
{
    return (clast_sink){.array = a, .file = file, .path = path, .options = options};
}

clast_sink clast_sink_fetch(clast_array *a, const clast_buffer *into)
{
    return (clast_sink){.array = a, .into = into};
}

/* ---- what an output inherits */

typedef struct {
    const cl_sources *sources;
    const cl_nodes *nodes;
    const cl_shape *shape;
    const cl_source_info *first;
    const cl_source_info *alike; /* chunked, and of equal shape or the first of those
                                    that are joined to it */
} inheritance;

/* NULL: no dataset of a file. */
static const cl_source_info *dataset_of(const inheritance *h, const cl_node *node)
{
    const cl_source *s =
        node->op == CL_OP_SOURCE ? h->sources->entry[node->params.source].source : NULL;
    const cl_source_info *info = s ? cl_source_get_info(s) : NULL;
    return info && !info->is_memory ? info : NULL;
}

static bool look_at_node(void *arg, const cl_node *node, uint32_t number, bool is_first)
{
    inheritance *h = arg;
    const cl_source_info *info = is_first ? dataset_of(h, node) : NULL;
    if (info && !h->first)
        h->first = info;
    if (!is_first || h->alike || !cl_shape_equal(&node->shape, h->shape))
        return true;
    if (node->op == CL_OP_CONCAT)
        info = dataset_of(h, cl_nodes_get(h->nodes, node->in[0]));
    if (info && info->has_chunks)
        h->alike = info;
    return true;
}

/* ---- chunks */

static void near_one_mebibyte(const cl_shape *shape, size_t size, int64_t *chunk)
{
    double bytes = (double)size;
    for (int a = 0; a < shape->ndim; a++) {
        chunk[a] = shape->dim[a] > 0 ? shape->dim[a] : 1;
        bytes *= (double)chunk[a];
    }
    while (bytes > CHUNK_BYTES) {
        int longest = 0;
        for (int a = 1; a < shape->ndim; a++)
            if (chunk[a] > chunk[longest])
                longest = a;
        bytes /= (double)chunk[longest];
        chunk[longest] = chunk[longest] / 2 + chunk[longest] % 2;
        bytes *= (double)chunk[longest];
    }
}

static clast_status asked_chunks(const cl_shape *shape, const int64_t *asked,
                                 int64_t *chunk, cl_error *err)
{
    for (int a = 0; a < shape->ndim; a++) {
        if (asked[a] != -1 && asked[a] < 1)
            return cl_error_set(
                err, CLAST_EVALUE,
                "chunk extent %lld of axis %d: at least 1, or -1 for the "
                "whole axis",
                (long long)asked[a], a);
        const bool is_whole = asked[a] == -1 || asked[a] > shape->dim[a];
        chunk[a] = is_whole ? shape->dim[a] : asked[a];
        chunk[a] = chunk[a] > 0 ? chunk[a] : 1;
    }
    return CLAST_OK;
}

static clast_status settle_chunks(const cl_output_spec *spec, const int64_t *asked,
                                  const inheritance *h, int64_t *chunk, cl_error *err)
{
    const cl_shape *shape = &spec->shape;
    if (asked)
        CL_TRY(asked_chunks(shape, asked, chunk, err));
    else if (h->alike)
        memcpy(chunk, h->alike->chunk, sizeof spec->chunk);
    else
        near_one_mebibyte(shape, clast_dtype_size(spec->dtype), chunk);
    for (int a = 0; a < shape->ndim; a++)
        if (chunk[a] > shape->dim[a] && shape->dim[a] > 0)
            chunk[a] = shape->dim[a];
    return CLAST_OK;
}

static clast_status settle_filters(const clast_hdf5_options *o, const inheritance *h,
                                   cl_output_spec *spec, cl_error *err)
{
    bool is_same;
    CL_TRY(cl_compress_ask(&spec->compression, &is_same, o->compress, o->gzip,
                           o->shuffle, err));
    if (is_same && h->first) {
        spec->compression = h->first->compression;
        cl_compression_shuffle(&spec->compression, o->shuffle);
    }
    return CLAST_OK;
}

static clast_status settle_attributes(const clast_ctx *ctx, const clast_sink *sink,
                                      const clast_hdf5_options *o, cl_output_spec *spec,
                                      cl_error *err)
{
    cl_carry carry = {0};
    if (!o->no_attributes &&
        cl_carry_of(ctx->nodes, &ctx->sources, sink->array->id, &carry) != CLAST_OK)
        return cl_error_set(err, CLAST_ENOMEM, "the process is out of memory");
    spec->like = carry.source;
    spec->level = carry.level;
    return CLAST_OK;
}

typedef struct {
    const cl_sources *sources;
    cl_text text;
} input_list;

static void add_input(void *arg, uint32_t source, const cl_node *node)
{
    input_list *list = arg;
    const cl_source *s = list->sources->entry[source].source;
    const cl_source_info *info = s ? cl_source_get_info(s) : NULL;
    if (!info || !info->file || list->text.used > MOST_INPUTS)
        return;
    cl_text_say(&list->text, "%s%s:%s", list->text.used > 0 ? "\n" : "", info->file,
                info->path);
}

static bool settle_inputs(const clast_ctx *ctx, const clast_sink *sink,
                          cl_output_spec *spec)
{
    input_list list = {.sources = &ctx->sources};
    const clast_status status =
        cl_walk_sources(ctx->nodes, sink->array->id, add_input, &list);
    if (list.text.used > 0)
        cl_text_add(&list.text, "", 1);
    if (status == CLAST_OK && !list.text.has_failed) {
        spec->inputs = list.text.data;
        return true;
    }
    cl_text_fini(&list.text);
    return false;
}

/* Where the output says it comes from. spec->inputs is the specification's own. */
static clast_status settle_provenance(const clast_ctx *ctx, const clast_sink *sink,
                                      const clast_hdf5_options *o, cl_output_spec *spec,
                                      cl_error *err)
{
    if (o->no_attributes)
        return CLAST_OK;
    spec->version = CLAST_VERSION;
    spec->program = o->program;
    spec->history = o->history;
    return settle_inputs(ctx, sink, spec)
               ? CLAST_OK
               : cl_error_set(err, CLAST_ENOMEM, "the process is out of memory");
}

static clast_status settle(clast_ctx *ctx, const clast_sink *sink, cl_output_spec *spec,
                           cl_error *err)
{
    static const clast_hdf5_options defaults;
    const clast_hdf5_options *o = sink->options ? sink->options : &defaults;
    const cl_node *node = sink->array->node;
    inheritance h = {
        .sources = &ctx->sources, .nodes = ctx->nodes, .shape = &node->shape};
    if (!sink->file || !sink->path)
        return cl_error_set(err, CLAST_EVALUE, "the %s is NULL",
                            sink->file ? "path" : "file");
    if (o->resume && o->in_place)
        return cl_error_set(err, CLAST_EVALUE,
                            "a run that changes a file in place cannot be resumed");
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0)
            return cl_error_set(err, CLAST_ENOTSUP, "reserved[%zu] must be zero", i);
    if (cl_walk_nodes(ctx->nodes, 1, &sink->array->id, look_at_node, &h) != CLAST_OK)
        return cl_error_set(err, CLAST_ENOMEM, "the process is out of memory");
    *spec = (cl_output_spec){.file = sink->file,
                             .path = sink->path,
                             .dtype = (clast_dtype)node->dtype,
                             .shape = node->shape,
                             .overwrite = o->overwrite,
                             .no_sync = o->no_sync,
                             .identity = o->resume ? "" : NULL, /* known later */
                             .in_place = o->in_place,
                             .is_canceled = &ctx->is_canceled};
    CL_TRY(settle_filters(o, &h, spec, err));
    CL_TRY(settle_attributes(ctx, sink, o, spec, err));
    CL_TRY(settle_chunks(spec, o->chunks, &h, spec->chunk, err));
    return settle_provenance(ctx, sink, o, spec, err);
}

clast_status cl_sink_settle(clast_ctx *ctx, const clast_sink *sink,
                            cl_output_spec *spec, cl_error *err)
{
    const clast_status status = settle(ctx, sink, spec, err);
    cl_error_prefix(err, "to_hdf5");
    return status;
}

/* ---- buffers */

static clast_status check_buffer(const clast_sink *sink, cl_error *err)
{
    const clast_buffer *into = sink->into;
    const cl_node *node = sink->array->node;
    if (!into->data && into->ndim < 0)
        return cl_error_set(err, CLAST_EVALUE, "the buffer is NULL");
    CL_TRY(cl_buffer_check_output(into, err));
    if (into->dtype != node->dtype)
        return cl_error_set(err, CLAST_EDTYPE, "the buffer is %s, the array %s",
                            clast_dtype_name(into->dtype),
                            clast_dtype_name((clast_dtype)node->dtype));
    const cl_shape shape = cl_shape_of(into->ndim, into->shape);
    char x[512], y[512];
    if (!cl_shape_equal(&shape, &node->shape))
        return cl_error_set(err, CLAST_ESHAPE, "the buffer has shape %s, the array %s",
                            cl_shape_text(&shape, x, sizeof x),
                            cl_shape_text(&node->shape, y, sizeof y));
    return CLAST_OK;
}

clast_status cl_sink_check_buffer(const clast_sink *sink, cl_error *err)
{
    const clast_status status = check_buffer(sink, err);
    cl_error_prefix(err, "fetch");
    return status;
}

/* ---- buffers of one run against each other and against what it reads */

typedef struct {
    const cl_sources *sources;
    int n;
    const clast_sink *sinks;
    bool is_read; /* one of the buffers is memory that the run reads */
} collision;

static void look_for_collision(void *arg, uint32_t source, const cl_node *node)
{
    collision *c = arg;
    const cl_source *s = c->sources->entry[source].source;
    const cl_source_info *info = s ? cl_source_get_info(s) : NULL;
    if (!info || !info->is_memory)
        return;
    const int64_t size = (int64_t)clast_dtype_size(info->dtype);
    int64_t stride[CL_MAXDIM];
    for (int a = 0; a < info->shape.ndim; a++)
        stride[a] = info->stride[a] / size;
    const clast_buffer memory = {.data = info->data,
                                 .dtype = info->dtype,
                                 .ndim = info->shape.ndim,
                                 .shape = info->shape.dim,
                                 .strides = stride};
    for (int i = 0; i < c->n && !c->is_read; i++)
        c->is_read = c->sinks[i].into && cl_buffers_overlap(c->sinks[i].into, &memory);
}

static clast_status check_pairs(int n, const clast_sink *sinks, cl_error *err)
{
    for (int i = 1; i < n; i++)
        for (int k = 0; k < i && sinks[i].into; k++)
            if (sinks[k].into && cl_buffers_overlap(sinks[i].into, sinks[k].into))
                return cl_error_set(err, CLAST_EVALUE,
                                    "fetch: the buffers of sinks %d and %d overlap", k,
                                    i);
    return CLAST_OK;
}

clast_status cl_sinks_check_overlap(const clast_ctx *ctx, int n,
                                    const clast_sink *sinks, cl_error *err)
{
    collision c = {.sources = &ctx->sources, .n = n, .sinks = sinks};
    bool has_buffers = false;
    for (int i = 0; i < n; i++)
        has_buffers = has_buffers || sinks[i].into;
    if (!has_buffers)
        return CLAST_OK;
    CL_TRY(check_pairs(n, sinks, err));
    for (int i = 0; i < n; i++) {
        if (cl_walk_sources(ctx->nodes, sinks[i].array->id, look_for_collision, &c) !=
            CLAST_OK)
            return cl_error_set(err, CLAST_ENOMEM, "the process is out of memory");
        if (c.is_read)
            return cl_error_set(err, CLAST_EVALUE,
                                "fetch: the buffer is borrowed memory that the same "
                                "run reads");
    }
    return CLAST_OK;
}
