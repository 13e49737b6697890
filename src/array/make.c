/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One public call that makes arrays: its operands, its first error, its nodes.
 *
 * Every node added on the way is held until the close, the result by its handle from
 * then on; nodes that did not become part of the result vanish. An error is noted once,
 * gets the operation's name in front, becomes the message of the poisoned result and,
 * where it is new, the context's first error. A poisoned operand's message is passed on
 * as it is and is not new.
 */
#include "array/labels.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void init(cl_make *m, const char *op, clast_ctx *ctx)
{
    memset(m, 0, sizeof *m);
    m->ctx = ctx;
    m->op = op;
    m->held = m->few;
    m->capacity = CL_MAKE_FEW;
}

static bool lock(cl_make *m)
{
    if (cl_ctx_lock(m->ctx) != CLAST_OK) {
        m->passed = &cl_poison_busy;
        return false;
    }
    m->is_locked = true;
    return true;
}

bool cl_make_begin_ctx(cl_make *m, const char *op, clast_ctx *ctx)
{
    init(m, op, ctx);
    if (!ctx) {
        m->passed = &cl_poison_null;
        return false;
    }
    if (!lock(m))
        return false;
    if (ctx->is_dead)
        cl_error_set(&m->err, clast_ctx_status(ctx), "%s", ctx->text);
    return !ctx->is_dead;
}

/* The context is that of the first operand that has one: the static ones have none. */
static clast_ctx *context_of(int n, clast_array *const *operands)
{
    for (int i = 0; i < n; i++)
        if (operands[i] && operands[i]->ctx)
            return operands[i]->ctx;
    return NULL;
}

bool cl_make_begin(cl_make *m, const char *op, int n, clast_array *const *operands)
{
    init(m, op, n > 0 && operands ? context_of(n, operands) : NULL);
    if (n <= 0 || !operands)
        m->passed = &cl_poison_none;
    for (int i = 0; i < n && operands && !m->passed; i++) {
        if (!operands[i])
            m->passed = &cl_poison_null;
        else if (operands[i]->status != CLAST_OK)
            m->passed = operands[i];
    }
    if (m->passed && (!m->ctx || !m->passed->ctx))
        return false;
    if (!lock(m))
        return false;
    if (m->passed)
        return false;
    m->operand = operands;
    m->noperand = (size_t)n;
    for (int i = 1; i < n; i++)
        if (operands[i]->ctx != m->ctx) {
            cl_make_fail(m, CLAST_ECONTEXT,
                         "operand %d belongs to another context than operand 1", i + 1);
            return false;
        }
    return true;
}

/* The poisoned result: of an operand, or of this call's own error. */
static clast_array *poisoned(cl_make *m)
{
    if (m->passed && !m->is_locked)
        return m->passed;
    if (m->passed)
        return cl_handle_poisoned(m->ctx, m->passed->status, m->passed->message);
    if (!cl_make_failed(m))
        cl_make_fail(m, CLAST_EINTERNAL, "the result is missing");
    cl_ctx_record(m->ctx, m->err.status, m->err.text);
    if (m->err.status == CLAST_ENOMEM)
        return &cl_poison_memory;
    return cl_handle_poisoned(m->ctx, m->err.status, m->err.text);
}

clast_array *cl_make_handle(cl_make *m, cl_node_id result)
{
    if (m->passed || cl_make_failed(m) || result.v == CL_NO_NODE.v)
        return poisoned(m);
    if (!m->labels && cl_labels_derive(m, result, &m->labels) != CLAST_OK) {
        cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
        return poisoned(m);
    }
    cl_label *labels = m->labels;
    m->labels = NULL;
    cl_nodes_keep(m->ctx->nodes, result);
    return cl_handle_new(m->ctx, result, labels);
}

void cl_make_begin_within(cl_make *m, const char *op, clast_ctx *ctx)
{
    init(m, op, ctx);
}

void cl_make_drop(cl_make *m)
{
    for (size_t i = 0; i < m->nheld; i++)
        cl_node_drop(m->ctx, m->held[i]);
    if (m->held != m->few)
        cl_free(m->held);
}

void cl_make_close(cl_make *m)
{
    if (!m->is_locked)
        return;
    cl_make_drop(m);
    cl_ctx_unlock(m->ctx);
}

clast_array *cl_make_end(cl_make *m, cl_node_id result)
{
    clast_array *a = cl_make_handle(m, result);
    cl_make_close(m);
    return a;
}

cl_node_id cl_make_fail(cl_make *m, clast_status status, const char *format, ...)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    char text[CL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cl_error_set(&m->err, status, "%s", text);
    cl_error_prefix(&m->err, m->op);
    return CL_NO_NODE;
}

/* Makes room for one more held node, before it is made. */
static bool has_room(cl_make *m)
{
    if (m->nheld < m->capacity)
        return true;
    const bool is_few = m->held == m->few;
    cl_node_id *more =
        cl_realloc_array(is_few ? NULL : m->held, m->capacity, 2 * sizeof *more);
    if (!more)
        return false;
    if (is_few)
        memcpy(more, m->few, sizeof m->few);
    m->held = more;
    m->capacity *= 2;
    return true;
}

/* Bytes of the whole array fit into int64, so that no index below overflows. */
static bool is_countable(const cl_node *node)
{
    int64_t count, bytes;
    const int64_t size = (int64_t)clast_dtype_size((clast_dtype)node->dtype);
    return cl_shape_count(&node->shape, &count) &&
           !__builtin_mul_overflow(count, size, &bytes);
}

cl_node_id cl_make_add(cl_make *m, const cl_node *node)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    if (!is_countable(node)) {
        char text[512];
        return cl_make_fail(m, CLAST_ESHAPE,
                            "shape %s of %s has more bytes than 64 bits count",
                            cl_shape_text(&node->shape, text, sizeof text),
                            clast_dtype_name((clast_dtype)node->dtype));
    }
    cl_node_id id = CL_NO_NODE;
    if (!has_room(m) || cl_nodes_add(m->ctx->nodes, node, &id) != CLAST_OK)
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    m->held[m->nheld++] = id;
    return id;
}

cl_node_id cl_make_hold(cl_make *m, cl_node_id id)
{
    if (!has_room(m)) {
        cl_node_drop(m->ctx, id);
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    }
    m->held[m->nheld++] = id;
    return id;
}

const cl_node *cl_make_node(const cl_make *m, cl_node_id id)
{
    return cl_nodes_get(m->ctx->nodes, id);
}

cl_node cl_node_of(cl_op op, clast_dtype dtype, const cl_shape *shape)
{
    cl_node node;
    memset(&node, 0, sizeof node);
    node.op = (uint16_t)op;
    node.dtype = (uint8_t)dtype;
    node.shape.ndim = shape->ndim;
    memcpy(node.shape.dim, shape->dim, (size_t)shape->ndim * sizeof *shape->dim);
    return node;
}

bool cl_make_axis(cl_make *m, int axis, const cl_shape *shape, int *result)
{
    const int n = shape->ndim;
    if (axis >= -n && axis < n) {
        *result = axis < 0 ? axis + n : axis;
        return true;
    }
    if (axis == CLAST_NO_AXIS) {
        cl_make_fail(m, CLAST_EAXIS, "CLAST_NO_AXIS: no axis has the name looked for");
        return false;
    }
    char text[512];
    cl_make_fail(m, CLAST_EAXIS,
                 "axis %d is out of range for an array of %d dimension%s, shape %s",
                 axis, n, n == 1 ? "" : "s", cl_shape_text(shape, text, sizeof text));
    return false;
}

bool cl_make_dtype(cl_make *m, clast_dtype dtype)
{
    if ((int)dtype >= 0 && dtype < CLAST_NDTYPE)
        return true;
    cl_make_fail(m, CLAST_EDTYPE, "%d is no dtype", (int)dtype);
    return false;
}

bool cl_make_shape(cl_make *m, int ndim, const int64_t *dim, cl_shape *shape)
{
    if (ndim < 0 || ndim > CLAST_MAXDIM) {
        cl_make_fail(m, CLAST_ESHAPE, "%d dimensions, there can be 0 to %d", ndim,
                     CLAST_MAXDIM);
        return false;
    }
    if (ndim > 0 && !dim) {
        cl_make_fail(m, CLAST_EVALUE, "the shape is NULL");
        return false;
    }
    for (int a = 0; a < ndim; a++)
        if (dim[a] < 0) {
            cl_make_fail(m, CLAST_ESHAPE, "negative extent %lld of axis %d",
                         (long long)dim[a], a);
            return false;
        }
    *shape = cl_shape_of(ndim, dim);
    return true;
}
