/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One public call that makes arrays: begin checks the operands and takes the lock, node
 * functions add nodes or note the first error, end makes the handle and gives the lock
 * back. It is called in any case.
 *
 *     cl_make m;
 *     return cl_make_end(&m, cl_make_begin(&m, "transpose", 1, &a)
 *                                ? cl_node_reversed(&m, a->id)
 *                                : CL_NO_NODE);
 *
 * Node functions return CL_NO_NODE after an error and accept it, so that calls nest
 * without checks between. Nodes on the way are held until the end.
 */
#ifndef CL_ARRAY_MAKE_H
#define CL_ARRAY_MAKE_H

#include "array/handle.h"

enum { CL_MAKE_FEW = 8 };

typedef struct {
    clast_ctx *ctx;
    const char *op; /* what the user called */
    cl_error err;
    clast_array *passed;         /* a poisoned operand, or a static one */
    clast_array *const *operand; /* what labels are derived from */
    size_t noperand;
    struct cl_label *labels; /* of the next handle, which takes them; NULL: derived. Set
                                when nothing can fail any more */
    bool is_locked;
    cl_node_id *held, few[CL_MAKE_FEW];
    size_t nheld, capacity;
} cl_make;

bool cl_make_begin(cl_make *m, const char *op, int n, clast_array *const *operands);
bool cl_make_begin_ctx(cl_make *m, const char *op, clast_ctx *ctx);
/* Where the caller has the lock: nodes are held until cl_make_drop(). */
void cl_make_begin_within(cl_make *m, const char *op, clast_ctx *ctx);
void cl_make_drop(cl_make *m);
/* A handle for the result; several may be made before the close. */
clast_array *cl_make_handle(cl_make *m, cl_node_id result);
void cl_make_close(cl_make *m);
clast_array *cl_make_end(cl_make *m, cl_node_id result); /* handle and close */

/* Notes the error "op: ..."; always CL_NO_NODE. */
cl_node_id cl_make_fail(cl_make *m, clast_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool cl_make_failed(const cl_make *m)
{
    return m->err.status != CLAST_OK;
}

/* Checks the extents, adds the node and holds it. */
cl_node_id cl_make_add(cl_make *m, const cl_node *node);
/* Holds a node of which the call has a reference, which it takes over. */
cl_node_id cl_make_hold(cl_make *m, cl_node_id id);
const cl_node *cl_make_node(const cl_make *m, cl_node_id id);
/* A zeroed record with these members. */
cl_node cl_node_of(cl_op op, clast_dtype dtype, const cl_shape *shape);

/* false: noted as an error. `axis` becomes 0 <= axis < ndim. */
bool cl_make_axis(cl_make *m, int axis, const cl_shape *shape, int *result);
bool cl_make_dtype(cl_make *m, clast_dtype dtype);
bool cl_make_shape(cl_make *m, int ndim, const int64_t *dim, cl_shape *shape);

/* ---- nodes that several operations use */

cl_node_id cl_node_const(cl_make *m, clast_dtype dtype, cl_scalar value,
                         const cl_shape *shape);
cl_node_id cl_node_weak(cl_make *m, cl_kind kind, cl_scalar value);
/* An elementwise operation whose operands have the dtypes of its row and shapes that
 * broadcast to `shape`. */
cl_node_id cl_node_operated(cl_make *m, cl_op op, clast_dtype dtype, size_t n,
                            const cl_node_id *ids, const cl_shape *shape);
bool cl_node_is_weak(const cl_node *node);
cl_kind cl_node_weak_kind(const cl_node *node);
/* The node in this dtype: itself where it is already; a weak integer that does not fit
 * is CLAST_EVALUE. */
cl_node_id cl_node_as(cl_make *m, cl_node_id id, clast_dtype dtype);
/* A view; itself where the map is the identity. */
cl_node_id cl_node_mapped(cl_make *m, cl_node_id id, const cl_map *map,
                          const cl_shape *shape);
cl_node_id cl_node_broadcast(cl_make *m, cl_node_id id, const cl_shape *shape);
cl_node_id cl_node_permuted(cl_make *m, cl_node_id id, const int *axes);
cl_node_id cl_node_reversed(cl_make *m, cl_node_id id); /* transpose */
/* New axes of length 1 where bit a of `axes` says so (axes of the result). */
cl_node_id cl_node_expanded(cl_make *m, cl_node_id id, uint32_t axes);
/* Without the axes (of the operand) that bits name; each has length 1. */
cl_node_id cl_node_squeezed(cl_make *m, cl_node_id id, uint32_t axes);
/* Nodes of fitting shapes after each other on an axis, in the dtype that they promote
 * to; `members` is changed. */
cl_node_id cl_node_joined(cl_make *m, size_t n, cl_node_id *members, int axis);
cl_node_id cl_node_source(cl_make *m, uint32_t index, clast_dtype dtype,
                          const cl_shape *shape);

/* How files that nobody vouches for are opened for this context. */
cl_untrusted cl_ctx_untrusted(clast_ctx *ctx);
/* A dataset's elements as their bytes (CL_READ_BITS), a node of its own. */
cl_node_id cl_node_bits(cl_make *m, const char *file, const char *path);

/* The dtype that these nodes promote to; weak ones by kind only. */
clast_dtype cl_node_promote(const cl_make *m, size_t n, const cl_node_id *ids);

/* An operator on weak scalars alone, as Python computes it. false: not such a case,
 * nothing done; true: *result is the weak scalar, or CL_NO_NODE after an error. */
bool cl_weak_apply(cl_make *m, cl_op op, size_t n, const cl_node_id *ids,
                   cl_node_id *result);

/* ---- one item of a basic index */

typedef enum {
    CL_INDEX_INTEGER, /* start */
    CL_INDEX_SLICE,   /* start, stop, step; CLAST_END: omitted */
    CL_INDEX_NEWAXIS,
    CL_INDEX_ELLIPSIS
} cl_index_kind;

typedef struct {
    cl_index_kind kind;
    int column; /* for messages, from 1; 0: not said */
    int64_t start, stop, step;
} cl_index_item;

/* a[items] with the name of the operation that errors speak of. */
clast_array *cl_array_index(clast_array *a, const char *op, size_t n,
                            const cl_index_item *items);

#endif
