/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scopes: who owns the arrays.
 *
 * Every handle is born into the innermost scope and goes with it; keep moves it to a
 * list of the context's own, drop gives a kept or persisted one back at once. What was
 * built on a handle stays valid, because nodes count their consumers.
 *
 * A scope that begins without memory for it is only counted, so that begins and ends
 * still pair; its arrays then belong to the next outer one.
 */
#include "array/labels.h"

static void link_handle(cl_scope *scope, clast_array *a)
{
    a->scope = scope;
    a->prev = NULL;
    a->next = scope->first;
    if (a->next)
        a->next->prev = a;
    scope->first = a;
}

static void unlink_handle(clast_array *a)
{
    if (a->prev)
        a->prev->next = a->next;
    else
        a->scope->first = a->next;
    if (a->next)
        a->next->prev = a->prev;
}

static void source_gone(void *arg, uint32_t source)
{
    clast_ctx *ctx = arg;
    cl_plan_cache_forget(&ctx->plans, ctx->sources.entry[source].serial);
    cl_sources_remove(&ctx->sources, ctx->engine, source);
}

void cl_node_drop(clast_ctx *ctx, cl_node_id id)
{
    cl_nodes_drop(ctx->nodes, id, source_gone, ctx);
}

clast_array *cl_handle_new(clast_ctx *ctx, cl_node_id id, cl_label *labels)
{
    clast_array *a = cl_calloc(1, sizeof *a);
    if (!a) {
        cl_labels_free(cl_nodes_get(ctx->nodes, id)->shape.ndim, labels);
        cl_node_drop(ctx, id);
        cl_ctx_record(ctx, CLAST_ENOMEM, cl_poison_memory.message);
        return &cl_poison_memory;
    }
    a->ctx = ctx;
    a->message = "";
    a->id = id;
    a->node = cl_nodes_get(ctx->nodes, id);
    a->labels = labels;
    link_handle(ctx->scope, a);
    return a;
}

clast_array *cl_handle_poisoned(clast_ctx *ctx, clast_status status,
                                const char *message)
{
    clast_array *a = ctx->is_static ? NULL : cl_calloc(1, sizeof *a);
    char *text = a ? cl_strdup(message) : NULL;
    if (!text) {
        cl_free(a);
        return &cl_poison_memory;
    }
    a->ctx = ctx;
    a->status = status;
    a->message = a->owned = text;
    a->id = CL_NO_NODE;
    link_handle(ctx->scope, a);
    return a;
}

clast_array *cl_array_poison(clast_ctx *ctx, clast_status status, const char *text)
{
    if (!ctx)
        return &cl_poison_null;
    if (cl_ctx_lock(ctx) != CLAST_OK)
        return &cl_poison_busy;
    cl_ctx_record(ctx, status, text);
    clast_array *a = cl_handle_poisoned(ctx, status, text);
    cl_ctx_unlock(ctx);
    return a;
}

static void free_handle(clast_array *a)
{
    unlink_handle(a);
    if (a->node) {
        cl_labels_free(a->node->shape.ndim, a->labels);
        cl_node_drop(a->ctx, a->id);
    }
    cl_free(a->owned);
    cl_free(a);
}

void cl_scope_free(clast_ctx *ctx, cl_scope *scope)
{
    while (scope->first)
        free_handle(scope->first);
}

void clast_scope_begin(clast_ctx *ctx)
{
    if (!ctx || ctx->is_static || cl_ctx_lock(ctx) != CLAST_OK)
        return;
    cl_scope *scope = ctx->lost_scopes ? NULL : cl_calloc(1, sizeof *scope);
    if (scope) {
        scope->outer = ctx->scope;
        ctx->scope = scope;
    } else {
        ctx->lost_scopes++;
        cl_ctx_record(ctx, CLAST_ENOMEM, "scope_begin: the process is out of memory");
    }
    cl_ctx_unlock(ctx);
}

void clast_scope_end(clast_ctx *ctx)
{
    if (!ctx || ctx->is_static || cl_ctx_lock(ctx) != CLAST_OK)
        return;
    cl_scope *scope = ctx->scope;
    if (ctx->lost_scopes) {
        ctx->lost_scopes--;
    } else if (scope == &ctx->root) {
        cl_ctx_record(ctx, CLAST_EVALUE, "scope_end: no scope is open");
    } else {
        ctx->scope = scope->outer;
        cl_scope_free(ctx, scope);
        cl_free(scope);
    }
    cl_ctx_unlock(ctx);
}

clast_array *clast_keep(clast_array *a)
{
    if (!a)
        return &cl_poison_null;
    if (!a->ctx || cl_ctx_lock(a->ctx) != CLAST_OK)
        return a;
    unlink_handle(a);
    link_handle(&a->ctx->kept, a);
    cl_ctx_unlock(a->ctx);
    return a;
}

void clast_drop(clast_array *a)
{
    if (!a || !a->ctx)
        return;
    clast_ctx *ctx = a->ctx;
    if (cl_ctx_lock(ctx) != CLAST_OK)
        return;
    if (a->scope == &ctx->kept || a->is_persisted)
        free_handle(a);
    cl_ctx_unlock(ctx);
}
