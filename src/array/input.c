/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays from outside: HDF5 datasets, copies of memory, borrowed memory.
 *
 * Each is an entry of the context's source table and a SOURCE node. The same dataset of
 * the same unchanged file is one entry; memory is never merged by value.
 */
#include "array/labels.h"

#include <string.h>

#include "base/buffer.h"

/* The node for an entry that nobody else has; takes the entry over, also on failure. */
static cl_node_id enter(cl_make *m, const cl_source_entry *entry)
{
    uint32_t index;
    const cl_source_info *info = cl_source_get_info(entry->source);
    if (cl_sources_add(&m->ctx->sources, entry, &index) != CLAST_OK) {
        cl_source_close(entry->source);
        if (entry->charged)
            cl_engine_uncharge(m->ctx->engine, entry->charged);
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    }
    const cl_shape shape = info->shape;
    const cl_node_id id = cl_node_source(m, index, info->dtype, &shape);
    if (cl_make_failed(m))
        cl_sources_remove(&m->ctx->sources, m->ctx->engine, index);
    return id;
}

static bool is_same(const cl_source_entry *entry, const cl_source *source, bool raw)
{
    if (!entry->source || entry->is_raw != raw)
        return false;
    const cl_source_info *a = cl_source_get_info(entry->source);
    const cl_source_info *b = cl_source_get_info(source);
    return !a->is_memory && strcmp(a->path, b->path) == 0 &&
           cl_source_identity(entry->source) == cl_source_identity(source);
}

static bool is_read_options_ok(cl_make *m, const clast_read_options *o)
{
    for (size_t i = 0; o && i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0) {
            cl_make_fail(m, CLAST_ENOTSUP, "reserved[%zu] must be zero", i);
            return false;
        }
    return true;
}

/* The labels that a file gives the axes of a dataset. */
static clast_status read_labels(cl_make *m, const cl_source *source, cl_label **labels)
{
    const cl_source_info *info = cl_source_get_info(source);
    const int ndim = info->shape.ndim;
    cl_dim dim[CL_MAXDIM];
    cl_label label[CL_MAXDIM];
    clast_status status = cl_source_dims(source, dim, &m->err);
    for (int a = 0; a < ndim; a++) {
        label[a] = (cl_label){.name = dim[a].name, .part = {.step = 1}};
        if (!dim[a].coordinate || status != CLAST_OK)
            continue;
        label[a].part.of = cl_coordinate_of_file(m->ctx, info->file, dim[a].coordinate,
                                                 info->shape.dim[a]);
        status = label[a].part.of ? CLAST_OK : CLAST_ENOMEM;
    }
    if (status == CLAST_OK)
        status = cl_labels_new(ndim, label, labels);
    for (int a = 0; a < ndim; a++)
        cl_coordinate_drop(label[a].part.of);
    cl_dims_free(ndim, dim);
    return status;
}

static cl_node_id labeled(cl_make *m, const cl_source *source, cl_node_id id)
{
    cl_label *labels = NULL;
    if (cl_make_failed(m))
        return CL_NO_NODE;
    if (read_labels(m, source, &labels) != CLAST_OK)
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    m->labels = labels;
    return id;
}

/* The node of a dataset that was opened with this status; takes the source over. */
static cl_node_id dataset(cl_make *m, cl_source *source, clast_status status, bool raw)
{
    if (status != CLAST_OK) {
        cl_error_prefix(&m->err, m->op);
        return CL_NO_NODE;
    }
    const cl_sources *table = &m->ctx->sources;
    for (uint32_t i = 0; i < table->count; i++)
        if (is_same(&table->entry[i], source, raw)) {
            const cl_source_info *info = cl_source_get_info(table->entry[i].source);
            const uint64_t charged = cl_source_get_info(source)->table_bytes;
            cl_source_close(source);
            if (charged)
                cl_engine_uncharge(m->ctx->engine, charged);
            return labeled(m, table->entry[i].source,
                           cl_node_source(m, i, info->dtype, &info->shape));
        }
    const cl_source_entry entry = {.source = source,
                                   .is_raw = raw,
                                   .charged = cl_source_get_info(source)->table_bytes};
    return labeled(m, source, enter(m, &entry));
}

static clast_status charge(void *engine, uint64_t bytes, cl_error *err)
{
    return cl_engine_charge(engine, bytes, err);
}

static void uncharge(void *engine, uint64_t bytes)
{
    cl_engine_uncharge(engine, bytes);
}

cl_untrusted cl_ctx_untrusted(clast_ctx *ctx)
{
    return (cl_untrusted){.helper = ctx->options.helper,
                          .log = &ctx->log,
                          .is_told = &ctx->is_told,
                          .charge = charge,
                          .uncharge = uncharge,
                          .arg = ctx->engine};
}

cl_node_id cl_node_bits(cl_make *m, const char *file, const char *path)
{
    cl_source *source = NULL;
    if (cl_source_open_hdf5(&source, file, path, CL_READ_BITS, &m->ctx->log, &m->err) ==
        CLAST_OK)
        return enter(m, &(cl_source_entry){.source = source});
    cl_error_prefix(&m->err, m->op);
    return CL_NO_NODE;
}

clast_array *clast_from_hdf5_with(clast_ctx *ctx, const char *file, const char *path,
                                  const clast_read_options *options)
{
    cl_make m;
    cl_source *source = NULL;
    const bool raw = options && options->raw;
    if (!cl_make_begin_ctx(&m, "from_hdf5", ctx) || !is_read_options_ok(&m, options))
        return cl_make_end(&m, CL_NO_NODE);
    if (!file || !path)
        return cl_make_end(&m, cl_make_fail(&m, CLAST_EVALUE, "the %s is NULL",
                                            file ? "path" : "file"));
    const cl_untrusted how = cl_ctx_untrusted(ctx);
    const cl_read_mode reading = raw ? CL_READ_STORED : CL_READ_DECODED;
    const clast_status status =
        options && options->untrusted
            ? cl_source_open_untrusted(&source, file, path, raw, &how, &m.err)
            : cl_source_open_hdf5(&source, file, path, reading, &ctx->log, &m.err);
    return cl_make_end(&m, dataset(&m, source, status, raw));
}

clast_array *clast_from_hdf5(clast_ctx *ctx, const char *file, const char *path)
{
    return clast_from_hdf5_with(ctx, file, path, NULL);
}

clast_array *clast_from_hdf5_id_with(clast_ctx *ctx, int64_t id,
                                     const clast_read_options *options)
{
    cl_make m;
    cl_source *source = NULL;
    const bool raw = options && options->raw;
    if (!cl_make_begin_ctx(&m, "from_hdf5_id", ctx) || !is_read_options_ok(&m, options))
        return cl_make_end(&m, CL_NO_NODE);
    if (options && options->untrusted)
        return cl_make_end(&m, cl_make_fail(&m, CLAST_ENOTSUP,
                                            "what is open in this process is trusted"));
    const clast_status status = cl_source_open_hdf5_id(
        &source, id, raw ? CL_READ_STORED : CL_READ_DECODED, &ctx->log, &m.err);
    return cl_make_end(&m, dataset(&m, source, status, raw));
}

clast_array *clast_from_hdf5_id(clast_ctx *ctx, int64_t id)
{
    return clast_from_hdf5_id_with(ctx, id, NULL);
}

static bool is_buffer_ok(cl_make *m, const clast_buffer *data)
{
    if (!data)
        cl_make_fail(m, CLAST_EVALUE, "the buffer is NULL");
    else if (cl_buffer_check(data, &m->err) != CLAST_OK)
        cl_error_prefix(&m->err, m->op);
    return !cl_make_failed(m);
}

static cl_node_id borrowed(cl_make *m, const clast_buffer *data,
                           void (*free_data)(void *), uint64_t charged)
{
    cl_source *source = NULL;
    if (cl_source_open_memory(&source, data, free_data, &m->err) != CLAST_OK) {
        cl_error_prefix(&m->err, m->op);
        if (free_data)
            free_data(data->data);
        if (charged)
            cl_engine_uncharge(m->ctx->engine, charged);
        return CL_NO_NODE;
    }
    return enter(m, &(cl_source_entry){.source = source, .charged = charged});
}

static cl_node_id copied(cl_make *m, const clast_buffer *data)
{
    const size_t bytes = cl_buffer_bytes(data);
    if (cl_engine_charge(m->ctx->engine, bytes, &m->err) != CLAST_OK) {
        cl_error_prefix(&m->err, m->op);
        return CL_NO_NODE;
    }
    cl_plan_cache_trim(&m->ctx->plans, cl_engine_free_bytes(m->ctx->engine));
    clast_buffer copy = *data;
    copy.strides = NULL;
    copy.bytes = bytes;
    copy.data = cl_alloc(bytes);
    if (!copy.data) {
        cl_engine_uncharge(m->ctx->engine, bytes);
        return cl_make_fail(m, CLAST_ENOMEM, "no memory for a copy of %zu bytes",
                            bytes);
    }
    cl_buffer_copy(data, copy.data);
    return borrowed(m, &copy, cl_free, bytes);
}

clast_array *clast_copy_in(clast_ctx *ctx, const clast_buffer *data)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    if (cl_make_begin_ctx(&m, "copy_in", ctx) && is_buffer_ok(&m, data))
        result = copied(&m, data);
    return cl_make_end(&m, result);
}

clast_array *clast_borrow(clast_ctx *ctx, const clast_buffer *data)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    if (cl_make_begin_ctx(&m, "borrow", ctx) && is_buffer_ok(&m, data))
        result = borrowed(&m, data, NULL, 0);
    return cl_make_end(&m, result);
}
