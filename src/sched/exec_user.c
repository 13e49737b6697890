/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One call of a function of the caller.
 *
 * What an input is for the block follows from base/user.h. Where that is one aligned
 * rectangle in memory already, a tile say, the function gets its address; otherwise the
 * pieces are gathered into the workspace, which holds the tables of views, the gathered
 * inputs and what the function declared for itself. All of it is laid out before
 * anything is touched, so that measuring and running take the same bytes.
 *
 * A failure is told with the block: its number and first index. The stage's label,
 * which is the name that the caller gave, comes in front where all failures pass
 * (exec.c).
 */
#include "kernel/gather.h"
#include "sched/exec_job.h"

#include <stdio.h>
#include <string.h>

/* One input on its way to the function; pointers are into the workspace. */
typedef struct {
    cl_user_window window;
    cl_input input;
    char *gathered;            /* NULL: the only span is used in place */
    int64_t stride[CL_MAXDIM]; /* bytes; of the memory the function sees */
} arrival;

/* ---- the block ------------------------------------------------------------------ */

/* What of the space the task is for, and its place among the tiles. */
typedef struct {
    cl_box box; /* of the space; of its kept axes where partials are joined */
    int64_t coords[CL_MAXDIM];
} block;

static bool is_kept(const cl_user *u, int axis)
{
    return !(u->is_fold && u->axes >> axis & 1);
}

/* Kept axes take from o, reduced ones, if they are wanted at all, from k. */
static void find_block(const cl_stage *s, int64_t o, int64_t k, bool joins, block *b)
{
    int ndim = 0;
    int axes[CL_MAXDIM];
    for (int a = 0; a < s->space.ndim; a++)
        if (!joins || is_kept(s->user, a))
            axes[ndim++] = a;
    b->box.ndim = ndim;
    for (int i = ndim; i-- > 0;) {
        const cl_axis *axis = &s->space.axis[axes[i]];
        int64_t *from = is_kept(s->user, axes[i]) ? &o : &k;
        b->coords[i] = *from % axis->count;
        *from /= axis->count;
        b->box.lo[i] = cl_axis_lo(axis, b->coords[i]);
        b->box.n[i] = cl_axis_hi(axis, b->coords[i]) - b->box.lo[i];
    }
}

static void block_of(const cl_job *job, block *b)
{
    const cl_stage *s = job->task.stage;
    const int64_t index = job->task.index;
    if (s->role == CL_USER_FINISH)
        find_block(s, index, 0, true, b);
    else if (s->role == CL_USER_COMBINE)
        find_block(s, index / s->njoin, 0, true, b);
    else if (s->user->is_fold)
        find_block(s, index / s->nfold, index % s->nfold, false, b);
    else
        find_block(s, index, 0, false, b);
}

/* Kept axes of the block, then those of the output itself. */
static cl_shape output_shape(const cl_user *u, const block *b, bool joins,
                             const cl_user_output *out)
{
    cl_shape shape = {.ndim = 0};
    for (int i = 0; i < b->box.ndim; i++)
        if (joins || is_kept(u, i))
            shape.dim[shape.ndim++] = b->box.n[i];
    for (int a = 0; a < out->shape.ndim; a++)
        shape.dim[shape.ndim++] = out->shape.dim[a];
    return shape;
}

/* ---- layout --------------------------------------------------------------------- */

/* C order strides in bytes; returns the bytes of the whole. */
static uint64_t c_order(int ndim, const int64_t *n, size_t element, int64_t *stride)
{
    uint64_t step = element;
    for (int a = ndim; a-- > 0;) {
        stride[a] = (int64_t)step;
        step *= (uint64_t)n[a];
    }
    return step;
}

/* The function can be given the only span as it is. */
static bool is_usable(const cl_job *job, const cl_user_window *w, const cl_input *input,
                      size_t element)
{
    if (w->is_filled || input->count != 1)
        return false;
    const cl_span *span = input->span;
    const bool is_aligned =
        job->is_measuring ? job->is_first_aligned : (uintptr_t)span->data % 64 == 0;
    const int last = w->box.ndim - 1;
    bool is_even = true;
    for (int a = 0; a < w->box.ndim; a++)
        is_even &= span->stride[a] % (int64_t)element == 0;
    return is_aligned && is_even &&
           (last < 0 || w->box.n[last] == 1 || span->stride[last] == (int64_t)element);
}

static clast_status lay_out_input(cl_job *job, uint32_t i, const block *b, arrival *at)
{
    const cl_stage *s = job->task.stage;
    const cl_user_input *in = &s->user->input[i];
    const size_t element = clast_dtype_size(in->dtype);
    cl_user_window_of(in, &s->user->space, &b->box, &at->window);
    CL_TRY(cl_job_view(job, s->view[i], &at->window.box, &at->input));
    const int ndim = in->shape.ndim;
    const uint64_t bytes = c_order(ndim, at->window.shape, element, at->stride);
    at->gathered = NULL;
    if (!is_usable(job, &at->window, &at->input, element)) {
        at->gathered = cl_job_take(job, bytes);
        return CLAST_OK;
    }
    for (int a = 0; a < ndim; a++)
        if (at->window.box.n[a] > 1 || a + 1 < ndim)
            at->stride[a] = at->input.span->stride[a];
    return CLAST_OK;
}

/* The tables of one call. */
typedef struct {
    int nin, nout;
    clast_view *view;
    clast_buffer *out;
    arrival *arrival; /* of arrays; NULL for partials */
    int64_t *number;  /* shapes and the like, one after another */
} tables;

/* Room for the numbers of one view: five of them an axis. */
static uint64_t take_tables(cl_job *job, tables *t)
{
    const cl_stage *s = job->task.stage;
    const cl_user *u = s->user;
    const bool joins = s->role != CL_USER_MAP;
    uint64_t numbers = 0;
    t->nin = joins ? (int)cl_job_count(job, CL_R) : (int)u->ninput;
    t->nout = joins || u->is_fold ? 1 : (int)u->noutput;
    for (uint32_t i = 0; !joins && i < u->ninput; i++)
        numbers += 5 * (uint64_t)u->input[i].shape.ndim;
    numbers += joins ? (uint64_t)t->nin * 5 * CL_MAXDIM : 0;
    numbers += (uint64_t)t->nout * 2 * CL_MAXDIM;
    t->view = cl_job_take(job, (uint64_t)t->nin * sizeof *t->view);
    t->out = cl_job_take(job, (uint64_t)t->nout * sizeof *t->out);
    t->number = cl_job_take(job, numbers * sizeof *t->number);
    t->arrival = cl_job_take(job, joins ? 0 : (uint64_t)u->ninput * sizeof *t->arrival);
    return numbers;
}

static int64_t *put_numbers(tables *t, int n, const int64_t *from)
{
    int64_t *const at = t->number;
    if (n > 0 && from)
        memcpy(at, from, (size_t)n * sizeof *at);
    else if (n > 0)
        memset(at, 0, (size_t)n * sizeof *at);
    t->number += n;
    return at;
}

/* ---- filling -------------------------------------------------------------------- */

static int64_t *put_strides(tables *t, int ndim, const int64_t *bytes, size_t element)
{
    int64_t *const stride = put_numbers(t, ndim, bytes);
    for (int a = 0; a < ndim; a++)
        stride[a] /= (int64_t)element;
    return stride;
}

/* A number everywhere, the array where it is. */
static void gather(const cl_user_input *in, const arrival *at)
{
    const cl_user_window *w = &at->window;
    const size_t element = clast_dtype_size(in->dtype);
    char *to = at->gathered;
    int64_t count = 1;
    for (int a = 0; a < in->shape.ndim; a++)
        count *= w->shape[a];
    if (w->is_filled)
        cl_fill(element, count, (const char *)&in->value, to);
    for (int a = 0; a < in->shape.ndim; a++)
        to += w->at[a] * at->stride[a];
    if (cl_box_count(&w->box) > 0)
        cl_gather(&w->box, &at->input, element, to, at->stride);
}

static void fill_view(const cl_user_input *in, const arrival *at, tables *t,
                      clast_view *view)
{
    const int ndim = in->shape.ndim;
    if (at->gathered)
        gather(in, at);
    *view = (clast_view){
        .data = at->gathered ? at->gathered : at->input.span->data,
        .dtype = in->dtype,
        .ndim = ndim,
        .shape = put_numbers(t, ndim, at->window.shape),
        .strides = put_strides(t, ndim, at->stride, clast_dtype_size(in->dtype)),
        .origin = put_numbers(t, ndim, at->window.origin),
        .halo_lo = put_numbers(t, ndim, at->window.lo),
        .halo_hi = put_numbers(t, ndim, at->window.hi)};
}

static void fill_partial(const cl_job *job, uint32_t i, const block *b,
                         const cl_shape *shape, tables *t, clast_view *view)
{
    const clast_dtype dtype = job->task.stage->user->output[1].dtype;
    int64_t stride[CL_MAXDIM], origin[CL_MAXDIM] = {0};
    c_order(shape->ndim, shape->dim, clast_dtype_size(dtype), stride);
    memcpy(origin, b->box.lo, (size_t)b->box.ndim * sizeof *origin);
    *view = (clast_view){
        .data = cl_job_input(job, i),
        .dtype = dtype,
        .ndim = shape->ndim,
        .shape = put_numbers(t, shape->ndim, shape->dim),
        .strides = put_strides(t, shape->ndim, stride, clast_dtype_size(dtype)),
        .origin = put_numbers(t, shape->ndim, origin),
        .halo_lo = put_numbers(t, shape->ndim, NULL),
        .halo_hi = put_numbers(t, shape->ndim, NULL)};
}

/* *next: the W operand that the next output which is not empty has. */
static void fill_output(const cl_job *job, const cl_user_output *out,
                        const cl_shape *shape, uint32_t *next, tables *t,
                        clast_buffer *buffer)
{
    const size_t element = clast_dtype_size(out->dtype);
    int64_t stride[CL_MAXDIM];
    const uint64_t bytes = c_order(shape->ndim, shape->dim, element, stride);
    *buffer = (clast_buffer){.data = bytes ? cl_job_output(job, (*next)++) : NULL,
                             .bytes = (size_t)bytes,
                             .dtype = out->dtype,
                             .ndim = shape->ndim,
                             .shape = put_numbers(t, shape->ndim, shape->dim),
                             .strides = put_strides(t, shape->ndim, stride, element)};
}

static void fill_tables(const cl_job *job, const block *b, tables *t)
{
    const cl_stage *s = job->task.stage;
    const cl_user *u = s->user;
    const bool joins = s->role != CL_USER_MAP;
    const cl_user_output *out =
        &u->output[u->is_fold && s->role != CL_USER_FINISH ? 1 : 0];
    if (joins) {
        const cl_shape shape = output_shape(u, b, true, &u->output[1]);
        for (int i = 0; i < t->nin; i++)
            fill_partial(job, (uint32_t)i, b, &shape, t, &t->view[i]);
    } else {
        for (int i = 0; i < t->nin; i++)
            fill_view(&u->input[i], &t->arrival[i], t, &t->view[i]);
    }
    uint32_t next = 0;
    for (int o = 0; o < t->nout; o++) {
        const cl_shape shape =
            u->is_task ? out[o].shape : output_shape(u, b, joins, &out[o]);
        fill_output(job, &out[o], &shape, &next, t, &t->out[o]);
    }
}

/* ---- the call ------------------------------------------------------------------- */

static int tuple(char *text, size_t size, int n, const int64_t *v)
{
    const cl_shape shape = cl_shape_of(n, v);
    cl_shape_text(&shape, text, size);
    return n;
}

/* "block (1, 0) at (512, 0): what is wrong" */
static clast_status explain(cl_job *job, const block *b, clast_status status,
                            const char *text)
{
    char where[200] = "", at[200] = "";
    if (tuple(where, sizeof where, b->box.ndim, b->coords) == 0)
        return cl_error_set(job->err, status, "%s", text);
    tuple(at, sizeof at, b->box.ndim, b->box.lo);
    return cl_error_set(job->err, status, "block %s at %s: %s", where, at, text);
}

/* What the function returned, and whether it may say so. */
static clast_status judge(cl_job *job, const block *b, const clast_call *call,
                          clast_status status)
{
    char text[64];
    if (status == CLAST_OK && !call->has_failed)
        return CLAST_OK;
    if ((unsigned)status >= CLAST_NSTATUS) {
        snprintf(text, sizeof text, "returned %d, which is no status", (int)status);
        return explain(job, b, CLAST_EUSER, text);
    }
    if (status == CLAST_ECANCELED && call->is_canceled && call->is_canceled(call->arg))
        return status;
    if (call->has_failed)
        return explain(job, b,
                       status == CLAST_OK || status == CLAST_ECANCELED ? CLAST_EUSER
                                                                       : status,
                       call->message);
    if (status == CLAST_ECANCELED)
        return explain(job, b, CLAST_EUSER, "gave up, though nobody canceled the run");
    return explain(job, b, status, clast_status_text(status));
}

clast_status cl_job_user(cl_job *job)
{
    const cl_stage *s = job->task.stage;
    const cl_user *u = s->user;
    block b;
    tables t;
    arrival unseen;
    block_of(job, &b);
    take_tables(job, &t);
    for (uint32_t i = 0; s->role == CL_USER_MAP && i < u->ninput; i++)
        CL_TRY(lay_out_input(job, i, &b, t.arrival ? &t.arrival[i] : &unseen));
    void *work = cl_job_take(job, u->workspace);
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    fill_tables(job, &b, &t);
    clast_call call = {.workspace = u->workspace ? work : NULL,
                       .ndim = b.box.ndim,
                       .origin = b.box.lo,
                       .extent = b.box.n,
                       .is_canceled = job->exec->poll.is_canceled,
                       .arg = job->exec->poll.arg};
    const cl_user_function *f = job->exec->sources[s->source].user;
    return judge(job, &b, &call,
                 f->fn(f->arg, s->role, &call, t.nin, t.view, t.nout, t.out));
}
