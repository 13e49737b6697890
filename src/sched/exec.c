/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running one task.
 *
 * The plan stores no boxes: a task is a stage and an index, from which its box follows;
 * the box is pushed through the stage's views, whose pieces name tiles; a tile names a
 * block, and a block has an address while the task runs. What comes out are spans, the
 * only thing that kernels know.
 *
 * Cost: a task pays O(pieces) before its kernel starts, about 0.1 us each.
 */
#include "sched/exec_job.h"

#include "base/alloc.h"
#include "kernel/linalg.h"

#include <string.h>

/* ---- what a run shares ---- */

/* Where the window of caller's memory that a tensor stands for begins. */
static char *window(const cl_source_info *info, const cl_plan_source *at)
{
    char *data = info->data;
    for (int a = 0; a < info->shape.ndim; a++)
        data += at->origin[a] * info->stride[a];
    return data;
}

static clast_status make_loops(cl_exec *exec, cl_error *err)
{
    const cl_plan *plan = exec->plan;
    for (uint32_t i = 0; i < plan->nstage; i++) {
        const cl_stage *stage = &plan->stage[i];
        if (stage->kind != CL_STAGE_MAP && stage->kind != CL_STAGE_FOLD)
            continue;
        const clast_status status =
            stage->kind == CL_STAGE_FOLD
                ? cl_fold_loop_new(&exec->loop[i], stage->reduction, &stage->program)
                : cl_loop_new(&exec->loop[i], &stage->program);
        if (status != CLAST_OK)
            return cl_error_set(err, status, "%s: %s", stage->label,
                                clast_status_text(status));
    }
    return CLAST_OK;
}

clast_status cl_exec_init(cl_exec *exec, const cl_plan *plan, const cl_run *run,
                          cl_error *err)
{
    *exec = (cl_exec){.plan = plan,
                      .sources = run->sources,
                      .sinks = run->sinks,
                      .outputs = run->outputs};
    exec->loop = cl_calloc(plan->nstage, sizeof *exec->loop);
    exec->base = cl_calloc(plan->ntensor, sizeof *exec->base);
    if (!exec->loop || !exec->base)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for %u stages", plan->nstage);
    for (uint32_t i = 0; i < plan->nsource; i++) {
        const cl_plan_source *s = &plan->source[i];
        const cl_source *source = run->sources[s->source].source;
        const cl_source_info *info = source ? cl_source_get_info(source) : NULL;
        if (info && info->is_memory && plan->tensor[s->tensor].strided)
            exec->base[s->tensor] = window(info, s);
    }
    return make_loops(exec, err);
}

void cl_exec_fini(cl_exec *exec)
{
    if (exec->loop)
        for (uint32_t i = 0; i < exec->plan->nstage; i++)
            cl_loop_free(exec->loop[i]);
    cl_free(exec->loop);
    cl_free(exec->base);
    exec->loop = NULL;
    exec->base = NULL;
}

cl_home cl_exec_home(const cl_exec *exec, uint32_t block)
{
    const cl_block *b = cl_plan_block(exec->plan, block);
    const cl_tensor *tensor = &exec->plan->tensor[b->tensor];
    const cl_plan_source *s = &exec->plan->source[exec->source_of[b->tensor]];
    const uint32_t step = tensor->block_step ? tensor->block_step : 1;
    cl_home home = {exec->sources[s->source].source,
                    cl_grid_box(&tensor->grid, (block - tensor->first_block) / step),
                    &s->wanted};
    for (int a = 0; a < home.box.ndim; a++)
        home.box.lo[a] += s->origin[a];
    return home;
}

/* ---- what a task of a stage is about ---- */

cl_box cl_stage_box(const cl_stage *stage, int64_t kept, int64_t folded)
{
    const cl_grid *space = &stage->space;
    cl_box box = {.ndim = space->ndim};
    for (int a = space->ndim; a-- > 0;) {
        const cl_axis *axis = &space->axis[a];
        int64_t *index = stage->axes >> a & 1u ? &folded : &kept;
        const int64_t part = axis->count ? *index % axis->count : 0;
        *index = axis->count ? *index / axis->count : 0;
        box.lo[a] = axis->count ? cl_axis_lo(axis, part) : 0;
        box.n[a] = axis->count ? cl_axis_hi(axis, part) - box.lo[a] : 0;
    }
    return box;
}

cl_box cl_task_box(const cl_plan *plan, const cl_task *task)
{
    const cl_stage *stage = task->stage;
    return stage->kind == CL_STAGE_MAP
               ? cl_grid_box(&plan->tensor[stage->out].grid, task->index)
               : cl_stage_box(stage, task->index / stage->nfold,
                              task->index % stage->nfold);
}

cl_fold cl_stage_fold(const cl_stage *stage)
{
    const cl_program *p = &stage->program;
    cl_fold fold = {
        .reduction = stage->reduction,
        .dtype = stage->kind == CL_STAGE_FOLD
                     ? cl_program_dtype(p, (uint16_t)(p->ninput + p->ninsn - 1))
                     : stage->dtype,
        .axes = stage->axes,
        .ddof = stage->ddof,
    };
    memcpy(fold.flat_stride, stage->flat_stride, sizeof fold.flat_stride);
    return fold;
}

/* ---- workspace ---- */

void *cl_job_take(cl_job *job, uint64_t bytes)
{
    const uint64_t at = (job->used + 63) & ~(uint64_t)63;
    if (at < job->used || __builtin_add_overflow(at, bytes, &job->used))
        job->used = UINT64_MAX; /* which no task is given */
    return job->is_measuring || job->used > job->room ? NULL : job->workspace + at;
}

clast_status cl_job_check(const cl_job *job)
{
    if (job->used <= job->room)
        return CLAST_OK;
    return cl_error_set(
        job->err, CLAST_EINTERNAL, "task %u needs %llu bytes of workspace and has %llu",
        job->task.id, (unsigned long long)job->used, (unsigned long long)job->room);
}

/* ---- operands ---- */

/* Beyond the leading ones that are read. */
static uint32_t find_operand(const cl_job *job, cl_mode mode, uint32_t i)
{
    i -= mode == CL_R ? job->reads : 0;
    for (uint32_t k = job->reads; k < job->task.noperand; k++)
        if (cl_operand_mode(job->task.operand[k]) == mode && i-- == 0)
            return cl_operand_block(job->task.operand[k]);
    return CL_NONE;
}

static void *address_of(const cl_job *job, uint32_t block)
{
    return block == CL_NONE || job->is_measuring ? NULL : job->exec->address[block];
}

const void *cl_job_input(const cl_job *job, uint32_t i)
{
    if (i < job->reads)
        return job->exec->address[cl_operand_block(job->task.operand[i])];
    return address_of(job, find_operand(job, CL_R, i));
}

void *cl_job_output(const cl_job *job, uint32_t i)
{
    return address_of(job, find_operand(job, CL_W, i));
}

uint32_t cl_job_count(const cl_job *job, cl_mode mode)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < job->task.noperand; k++)
        n += cl_operand_mode(job->task.operand[k]) == mode;
    return n;
}

/* ---- views ---- */

typedef struct {
    cl_job *job;
    uint64_t count;
} reader;

static const char *piece_data(const cl_job *job, const cl_piece *piece)
{
    const cl_exec *exec = job->exec;
    if (exec->base[piece->tensor])
        return exec->base[piece->tensor] + piece->offset;
    const cl_tensor *t = &exec->plan->tensor[piece->tensor];
    const char *tile =
        exec->address[t->first_block + (uint32_t)piece->tile * t->block_step];
    return tile ? tile + piece->offset : NULL;
}

static void shape_span(cl_span *span, const cl_piece *piece)
{
    span->box = piece->out;
    for (int a = 0; a < piece->out.ndim; a++)
        span->stride[a] = piece->stride[a];
}

static clast_status add_span(void *arg, const cl_piece *piece)
{
    reader *r = arg;
    cl_job *job = r->job;
    const uint64_t at = job->used;
    if (__builtin_add_overflow(at, sizeof(cl_span), &job->used))
        job->used = UINT64_MAX;
    r->count++;
    if (job->is_measuring) {
        if (r->count == 1) {
            shape_span(job->first, piece);
            const uintptr_t base = (uintptr_t)job->exec->base[piece->tensor];
            job->is_first_aligned = (base + (uintptr_t)piece->offset) % 64 == 0;
        }
        return CLAST_OK;
    }
    CL_TRY(cl_job_check(job));
    cl_span *span = (cl_span *)(void *)(job->workspace + at);
    shape_span(span, piece);
    span->data = piece_data(job, piece);
    if (!span->data)
        return cl_error_set(job->err, CLAST_EINTERNAL,
                            "tile %lld of tensor %u is no operand of task %u",
                            (long long)piece->tile, piece->tensor, job->task.id);
    return CLAST_OK;
}

clast_status cl_job_view(cl_job *job, uint32_t view, const cl_box *box, cl_input *input)
{
    const cl_plan *plan = job->exec->plan;
    reader r = {.job = job};
    const cl_span *spans = cl_job_take(job, 0);
    CL_TRY(cl_view_pieces(plan->view, plan->tensor, view, box, add_span, &r));
    *input = (cl_input){(size_t)r.count, job->is_measuring ? job->first : spans};
    return CLAST_OK;
}

clast_status cl_job_views(cl_job *job, const cl_box *box, cl_input **inputs)
{
    const cl_stage *stage = job->task.stage;
    *inputs = cl_job_take(job, stage->nview * sizeof **inputs);
    for (uint32_t i = 0; i < stage->nview; i++) {
        cl_input input;
        CL_TRY(cl_job_view(job, stage->view[i], box, &input));
        if (*inputs)
            (*inputs)[i] = input;
    }
    return CLAST_OK;
}

/* ---- tasks ---- */

/* Fresh versions of blocks that others still read in the old one. */
static void copy_versions(const cl_job *job, uint32_t copy_mask)
{
    uint32_t i = 0;
    for (uint32_t k = 0; copy_mask && k + 1 < job->task.noperand; k++) {
        const cl_mode mode = cl_operand_mode(job->task.operand[k]);
        if (mode != CL_RW && mode != CL_ACC)
            continue;
        const uint32_t from = cl_operand_block(job->task.operand[k]);
        const uint32_t to = cl_operand_block(job->task.operand[k + 1]);
        const uint64_t pages = cl_plan_block(job->exec->plan, to)->pages;
        if (copy_mask >> i & 1u && pages)
            memcpy(job->exec->address[to], job->exec->address[from],
                   (size_t)pages * CL_PAGE);
        copy_mask &= ~(1u << i++);
    }
}

static uint32_t leading_reads(const cl_task *task)
{
    uint32_t n = 0;
    if (task->stage->outputs > 0)
        return task->noperand - task->stage->outputs;
    while (n < task->noperand && cl_operand_mode(task->operand[n]) == CL_R)
        n++;
    return n;
}

static clast_status run(cl_job *job)
{
    const cl_stage *stage = job->task.stage;
    const bool is_blas = stage->kind >= CL_STAGE_GEMM && stage->kind <= CL_STAGE_Q;
    if (is_blas)
        cl_blas_begin();
    const clast_status status = cl_job_table[stage->kind](job);
    if (is_blas)
        cl_blas_end();
    return status;
}

clast_status cl_exec_task(cl_exec *exec, uint32_t id, uint32_t copy_mask,
                          void *workspace, cl_error *err)
{
    const cl_task task = cl_task_get(exec->plan, id);
    const cl_stage *stage = task.stage;
    cl_job job; /* member by member: clearing it takes longer than a tiny task's core */
    job.exec = exec;
    job.task = task;
    job.reads = leading_reads(&task);
    job.is_measuring = job.is_first_aligned = job.is_unreadable = false;
    job.workspace = workspace;
    job.room = (uint64_t)stage->workspace_pages * CL_PAGE;
    job.used = 0;
    job.first = NULL;
    job.err = err;
    if (copy_mask)
        copy_versions(&job, copy_mask);
    const clast_status status = run(&job);
    if (status == CLAST_OK)
        return CLAST_OK;
    if (status == CLAST_ECANCELED)
        return cl_error_set(err, status, "canceled");
    cl_error_set(err, status, "%s", clast_status_text(status));
    if (stage->label && !job.is_unreadable)
        cl_error_prefix(err, stage->label);
    return status;
}
