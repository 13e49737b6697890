/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the caller: what graph plans by and sched calls; base owns the form so
 * that array, graph and sched need not see each other.
 *
 * A USER node names an entry of the context's source table; the entry holds a cl_user
 * (what the planner is told) and a cl_user_function (whom to call). The planner never
 * sees a pointer to code: equal descriptions give equal plans.
 *
 * Three shapes of work share it:
 *   map    one output tile for each tile of the space
 *   fold   a partial for each tile, joined CL_CHAIN at a time, finished
 *   task   no axes, one tile; any number of outputs, each one block
 */
#ifndef CL_BASE_USER_H
#define CL_BASE_USER_H

#include "base/dtype.h"
#include "base/shape.h"
#include "clast/task.h"

/* Beyond these, views of a padded input would have too many pieces. */
enum { CL_MOST_REPEATS = 64, CL_MOST_OUTPUTS = 32 };

/* Axis a of an input lies on axis a + space.ndim - shape.ndim of the space; where only
 * the input's extent is 1 it is broadcast. */
typedef struct {
    clast_access access;
    clast_pad pad;
    clast_dtype dtype;
    cl_scalar value; /* CONSTANT, in dtype */
    cl_shape shape;
    const int64_t *before, *after; /* halo, a number an axis; NULL: none */
} cl_user_input;

/* What a kernel writes: the block's kept axes, then these. */
typedef struct {
    clast_dtype dtype;
    cl_shape shape;
} cl_user_output;

typedef struct {
    const char *name;
    uint32_t version;
    bool pure, is_task, is_fold, has_finish;
    double cost;
    uint64_t workspace;
    cl_shape space;
    const int64_t *chunk; /* space.ndim numbers; NULL: to be chosen */
    uint32_t ninput, noutput;
    const cl_user_input *input;
    const cl_user_output *output; /* map: the one, without axes of its own; task: all;
                                     fold: [0] the result's, [1] the partial's */
    uint32_t axes;                /* fold: reduced axes of the space */
} cl_user;

/* EDGE, REFLECT, SYMMETRIC, WRAP: what lies beyond the edge are elements of the
 * array. */
bool cl_pad_is_view(clast_pad pad);
/* Which of n >= 1 elements stands at position i of such a halo; i is any number. As
 * numpy.pad, whose reflections go on for ever. */
int64_t cl_pad_index(clast_pad pad, int64_t i, int64_t n);

int64_t cl_user_before(const cl_user_input *in, int axis);
int64_t cl_user_after(const cl_user_input *in, int axis);

/* Where an input lies for one block. */
typedef struct {
    cl_box box; /* what is read, of the array, or of the padded one where a view pads */
    int64_t origin[CL_MAXDIM],
        shape[CL_MAXDIM];                 /* what the kernel sees, of the array */
    int64_t lo[CL_MAXDIM], hi[CL_MAXDIM]; /* halo on both sides */
    int64_t at[CL_MAXDIM]; /* where what is read begins in what is seen */
    bool is_filled;        /* more is seen than read: CONSTANT */
} cl_user_window;
void cl_user_window_of(const cl_user_input *in, const cl_shape *space,
                       const cl_box *block, cl_user_window *w);

typedef enum { CL_USER_MAP, CL_USER_COMBINE, CL_USER_FINISH, CL_NUSER } cl_user_role;

struct clast_call {
    void *workspace;
    int ndim;
    const int64_t *origin, *extent;
    bool (*is_canceled)(void *arg); /* NULL: never */
    void *arg;
    bool has_failed;
    char message[256];
};

/* Calls the kernel of that role. */
typedef clast_status cl_user_fn(void *arg, cl_user_role role, clast_call *call, int nin,
                                const clast_view *in, int nout, clast_buffer *out);

typedef struct {
    cl_user_fn *fn;
    void *arg;
} cl_user_function;

#endif
