/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each kind of stage does with one task: a table of short functions.
 *
 * Every function has three parts in this order: boxes from the index, workspace from
 * the job, one kernel call. While measuring it ends before the third. Nothing here
 * decides anything: shapes of kernel calls are the plan's, whatever is in memory and
 * whoever runs it.
 */
#include "sched/exec_job.h"

#include "base/alloc.h"
#include "kernel/gather.h"
#include "sched/feed.h"

#include <string.h>

static clast_status run_empty(cl_job *job)
{
    return CLAST_OK;
}

/* ---- elementwise ---- */

static clast_status run_map(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const cl_exec *exec = job->exec;
    const cl_box box = cl_task_box(exec->plan, &job->task);
    const cl_loop *loop = exec->loop[stage - exec->plan->stage];
    cl_input *inputs;
    CL_TRY(cl_job_views(job, &box, &inputs));
    void *work = cl_job_take(job, cl_loop_workspace(loop));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    void *out = cl_job_output(job, 0);
    if (!cl_feed_is_wanted(job))
        return cl_map_run(loop, &box, inputs, out, work, &exec->poll);
    cl_feeder feeder;
    clast_status status = cl_feed_begin(&feeder, job, &box, inputs);
    if (status == CLAST_OK)
        status = cl_feed_map(&feeder, loop, inputs, out, work);
    return cl_feed_end(&feeder, status);
}

/* ---- reductions ---- */

/* Elements of the partials of output tile o. */
static int64_t kept_elements(const cl_stage *stage, int64_t o)
{
    const cl_box box = cl_stage_box(stage, o, 0);
    int64_t n = 1;
    for (int a = 0; a < box.ndim; a++)
        if (!(stage->axes >> a & 1u))
            n *= box.n[a];
    return n;
}

static clast_status run_fold(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const cl_exec *exec = job->exec;
    const int64_t k = job->task.index % stage->nfold;
    const cl_box box = cl_task_box(exec->plan, &job->task);
    const cl_loop *loop = exec->loop[stage - exec->plan->stage];
    const cl_fold fold = cl_stage_fold(stage);
    cl_input *inputs;
    CL_TRY(cl_job_views(job, &box, &inputs));
    void *work = cl_job_take(job, cl_fold_workspace(&fold, loop, &box));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    void *const out = cl_job_output(job, 0);
    const bool is_first = k % CL_CHAIN == 0;
    if (!cl_feed_is_wanted(job))
        return cl_fold_run(&fold, loop, &box, inputs, NULL, out, is_first, work,
                           &exec->poll);
    cl_feeder feeder;
    clast_status status = cl_feed_begin(&feeder, job, &box, inputs);
    if (status == CLAST_OK)
        status = cl_fold_run(&fold, loop, &box, inputs, &feeder.feed, out, is_first,
                             work, &exec->poll);
    return cl_feed_end(&feeder, status);
}

/* The table of the task's R operands, in order. */
static const void **partials(cl_job *job, uint32_t *count)
{
    *count = cl_job_count(job, CL_R);
    const void **partial = cl_job_take(job, *count * sizeof *partial);
    if (partial)
        for (uint32_t i = 0; i < *count; i++)
            partial[i] = cl_job_input(job, i);
    return partial;
}

/* Onto the version that is taken over, or into a new one. */
static clast_status run_join(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const cl_fold fold = cl_stage_fold(stage);
    const int64_t elements = kept_elements(stage, job->task.index / stage->njoin);
    void *const out = cl_job_output(job, 0);
    if (cl_job_count(job, CL_ACC) > 0) {
        if (job->is_measuring)
            return CLAST_OK;
        CL_TRY(cl_job_check(job));
        const void *const pair[2] = {out, cl_job_input(job, 0)};
        cl_fold_join(&fold, elements, 2, pair, out);
        return CLAST_OK;
    }
    uint32_t count;
    const void **partial = partials(job, &count);
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    cl_fold_join(&fold, elements, count, partial, out);
    return CLAST_OK;
}

static clast_status run_finish(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const cl_fold fold = cl_stage_fold(stage);
    const int64_t elements = kept_elements(stage, job->task.index);
    uint32_t count;
    const void **partial = partials(job, &count);
    if (count == 1) {
        if (job->is_measuring)
            return CLAST_OK;
        CL_TRY(cl_job_check(job));
        cl_fold_finish(&fold, elements, partial[0], cl_job_output(job, 0));
        return CLAST_OK;
    }
    void *joined = cl_job_take(
        job, (uint64_t)cl_partial_bytes(fold.reduction, fold.dtype, elements));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    if (count)
        cl_fold_join(&fold, elements, count, partial, joined);
    else
        cl_fold_clear(&fold, elements, joined);
    cl_fold_finish(&fold, elements, joined, cl_job_output(job, 0));
    return CLAST_OK;
}

/* ---- products ---- */

/* A tile of a symmetric product from the one across the diagonal. */
static clast_status run_mirror(cl_job *job, const cl_box *out)
{
    const clast_dtype dtype = job->task.stage->dtype;
    const int64_t size = (int64_t)clast_dtype_size(dtype);
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    const cl_span span = {*out, cl_job_input(job, 0), {size, out->n[0] * size}};
    const int64_t stride[2] = {out->n[1] * size, size};
    cl_gather(out, &(cl_input){1, &span}, (size_t)size, cl_job_output(job, 0), stride);
    return CLAST_OK;
}

static clast_status run_gemm(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const cl_exec *exec = job->exec;
    const int64_t k = job->task.index % stage->nfold;
    const int64_t tile = job->task.index / stage->nfold;
    const cl_grid *grid = &exec->plan->tensor[stage->out].grid;
    const cl_box out = cl_grid_box(grid, tile);
    int64_t at[2];
    cl_grid_coords(grid, tile, at);
    if (cl_gemm_is_mirror(stage, at))
        return run_mirror(job, &out);
    const int64_t lo = cl_axis_lo(&stage->space.axis[0], k);
    const int64_t n = cl_axis_hi(&stage->space.axis[0], k) - lo;
    const cl_box box_a = {2, {out.lo[0], lo}, {out.n[0], n}};
    const cl_box box_b = {2, {lo, out.lo[1]}, {n, out.n[1]}};
    cl_input a, b;
    CL_TRY(cl_job_view(job, stage->view[0], &box_a, &a));
    const size_t room_a = cl_gemm_room(stage->dtype, &box_a, &a, true);
    CL_TRY(cl_job_view(job, stage->view[1], &box_b, &b));
    const size_t room_b = cl_gemm_room(stage->dtype, &box_b, &b, false);
    void *work = cl_job_take(job, room_a);
    cl_job_take(job, room_b);
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    return cl_gemm_run(stage->dtype, &box_a, &a, &box_b, &b, cl_job_output(job, 0),
                       k % stage->njoin == 0, work, &exec->poll);
}

/* ---- factorisations ---- */

/* Rows `index` of the matrix, all columns. */
static cl_box row_part(const cl_stage *stage, int64_t index)
{
    const cl_axis *rows = &stage->space.axis[0];
    const int64_t lo = cl_axis_lo(rows, index);
    return (cl_box){2, {lo, 0}, {cl_axis_hi(rows, index) - lo, stage->columns}};
}

static clast_status run_qr(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const cl_box box = row_part(stage, job->task.index);
    cl_input a;
    CL_TRY(cl_job_view(job, stage->view[0], &box, &a));
    void *work = cl_job_take(job, cl_qr_workspace(stage->dtype, box.n[0], box.n[1]));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    return cl_qr_run(stage->dtype, &box, &a, cl_job_output(job, 0),
                     cl_job_output(job, 1), work, &job->exec->poll);
}

static clast_status run_qr_join(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    uint32_t count;
    const void **triangle = partials(job, &count);
    void *work = cl_job_take(
        job, cl_qr_workspace(stage->dtype, count * stage->columns, stage->columns));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    return cl_qr_join_run(stage->dtype, stage->columns, count, triangle,
                          cl_job_output(job, 0), cl_job_output(job, 1), work,
                          &job->exec->poll);
}

static clast_status run_svd(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    void *work = cl_job_take(job, cl_svd_workspace(stage->dtype, stage->columns));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    void *part[3];
    uint32_t next = 0;
    for (uint32_t i = 0; i < 3; i++)
        part[i] = stage->part_mask >> i & 1u ? cl_job_output(job, next++) : NULL;
    const clast_status status =
        cl_svd_run(stage->dtype, stage->columns, cl_job_input(job, 0), part[0], part[1],
                   part[2], work);
    return status == CLAST_EVALUE
               ? cl_error_set(job->err, status, "the matrix has a NaN or an infinity")
               : status;
}

/* Q of a join is applied at once to all rows of the stack, then cut into the parts that
 * belong to each of the stacked triangles. */
static clast_status run_q_join(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const int64_t n = stage->columns;
    const uint32_t count = cl_job_count(job, CL_W);
    const size_t part = (size_t)(n * n) * clast_dtype_size(stage->dtype);
    char *stack = cl_job_take(job, count * part);
    void *work = cl_job_take(job, cl_qr_workspace(stage->dtype, count * n, n));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    CL_TRY(cl_q_run(stage->dtype, count * n, n, cl_job_input(job, 0),
                    cl_job_input(job, 1), stack, work, &job->exec->poll));
    for (uint32_t i = 0; i < count; i++)
        memcpy(cl_job_output(job, i), stack + i * part, part);
    return CLAST_OK;
}

static clast_status run_q(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const cl_box box = row_part(stage, job->task.index);
    void *work = cl_job_take(job, cl_qr_workspace(stage->dtype, box.n[0], box.n[1]));
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    return cl_q_run(stage->dtype, box.n[0], box.n[1], cl_job_input(job, 0),
                    cl_job_input(job, 1), cl_job_output(job, 0), work,
                    &job->exec->poll);
}

/* ---- sinks ---- */

/* C order strides in bytes; returns the bytes of the box. */
static uint64_t c_strides(const cl_box *box, size_t element, int64_t *stride)
{
    int64_t step = (int64_t)element;
    for (int a = box->ndim; a-- > 0;) {
        stride[a] = step;
        step *= box->n[a];
    }
    return (uint64_t)step;
}

static clast_status fetch(const cl_exec *exec, const clast_buffer *into,
                          const cl_box *box, const cl_input *input)
{
    const int64_t element = (int64_t)clast_dtype_size(into->dtype);
    int64_t stride[CL_MAXDIM];
    int64_t step = element;
    char *out = into->data;
    for (int a = into->ndim; a-- > 0;) {
        stride[a] = into->strides ? into->strides[a] * element : step;
        step *= into->shape[a];
        out += box->lo[a] * stride[a];
    }
    cl_gather(box, input, (size_t)element, out, stride);
    return CLAST_OK;
}

/* One span covers the box in C order: its data can be handed on as they are. */
static bool is_contiguous(const cl_box *box, const cl_input *input, size_t element)
{
    if (input->count != 1)
        return false;
    int64_t stride[CL_MAXDIM];
    c_strides(box, element, stride);
    for (int a = 0; a < box->ndim; a++)
        if (box->n[a] > 1 && input->span->stride[a] != stride[a])
            return false;
    return true;
}

static clast_status put(cl_job *job, const cl_run_sink *sink, const cl_box *box,
                        const cl_input *input)
{
    const size_t element = clast_dtype_size(sink->spec->dtype);
    int64_t stride[CL_MAXDIM];
    const uint64_t bytes = c_strides(box, element, stride);
    void *staging = cl_job_take(job, cl_output_staging(sink->spec));
    char *gathered = NULL;
    if (!is_contiguous(box, input, element))
        gathered = cl_job_take(job, bytes);
    if (job->is_measuring)
        return CLAST_OK;
    CL_TRY(cl_job_check(job));
    if (gathered)
        cl_gather(box, input, element, gathered, stride);
    const void *data = gathered ? gathered : input->count ? input->span->data : NULL;
    uint64_t stored = 0;
    CL_TRY(cl_output_put(job->exec->outputs, sink->output, box, data, staging, &stored,
                         job->err));
    job->exec->stored_written += stored;
    return CLAST_OK;
}

static clast_status run_store(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    cl_exec *exec = job->exec;
    const cl_run_sink *sink = &exec->sinks[stage->sink];
    const cl_box box = cl_grid_box(&stage->units, job->task.index);
    cl_input input;
    CL_TRY(cl_job_view(job, stage->view[0], &box, &input));
    if (sink->into) {
        if (job->is_measuring)
            return CLAST_OK;
        CL_TRY(cl_job_check(job));
        CL_TRY(fetch(exec, sink->into, &box, &input));
    } else {
        CL_TRY(put(job, sink, &box, &input));
    }
    if (!job->is_measuring)
        exec->written += (uint64_t)cl_box_count(&box) *
                         clast_dtype_size(exec->plan->sink[stage->sink].dtype);
    return CLAST_OK;
}

cl_job_fn *const cl_job_table[CL_STAGE_STORE + 1] = {
    [CL_STAGE_EMPTY] = run_empty,   [CL_STAGE_MAP] = run_map,
    [CL_STAGE_FOLD] = run_fold,     [CL_STAGE_JOIN] = run_join,
    [CL_STAGE_FINISH] = run_finish, [CL_STAGE_GEMM] = run_gemm,
    [CL_STAGE_QR] = run_qr,         [CL_STAGE_QR_JOIN] = run_qr_join,
    [CL_STAGE_SVD] = run_svd,       [CL_STAGE_Q_JOIN] = run_q_join,
    [CL_STAGE_Q] = run_q,           [CL_STAGE_USER] = cl_job_user,
    [CL_STAGE_STORE] = run_store,
};
