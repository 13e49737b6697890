/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeding tasks.
 *
 * A block's memory while its task is fed:
 *
 *   [ strip, CL_STRIP bytes | staging | cl_fed | states of the fold ]
 *
 * The first part is the same few pages for all strips of all tiles that a worker reads
 * (a slot that was given back last is taken next), so it stays in the worker's cache,
 * and pages of the rest that were never touched stay so.
 *
 * A view that shows a tile as it lies has one piece, of the tile's elements in C order;
 * axes of length 1 may come and go. So a strip of the task's box is a box of the
 * source, found axis by axis.
 */
#include "sched/feed.h"

#include "base/strip.h"
#include "kernel/dense.h"
#include "sched/engine.h"

#include <string.h>

/* States of a fold that still leave its strips in cache. */
#define MOST_STATES ((uint64_t)512 << 10)

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + 63) & ~(uint64_t)63;
}

/* Elements of a strip: of each input the same, so the largest decides. */
static int64_t most_elements(const cl_program *p)
{
    size_t size = 1;
    for (uint16_t i = 0; i < p->ninput; i++) {
        const size_t other = clast_dtype_size((clast_dtype)p->input_dtype[i]);
        size = other > size ? other : size;
    }
    return (int64_t)(CL_STRIP / size);
}

/* ---- whether ---- */

/* What the views of a task show of one block. */
typedef struct {
    const cl_plan *plan;
    uint32_t block;
    uint32_t pieces, hits; /* of the view; of the block, in all views */
    cl_piece hit;
} sight;

static clast_status look(void *arg, const cl_piece *piece)
{
    sight *s = arg;
    const cl_tensor *t = &s->plan->tensor[piece->tensor];
    s->pieces++;
    if (t->strided || s->block != cl_tile_block(t, (uint64_t)piece->tile))
        return CLAST_OK;
    s->hits++;
    s->hit = *piece;
    return CLAST_OK;
}

/* One view shows the block, and nothing else. */
static bool is_seen_alone(const cl_stage *stage, const cl_box *box, sight *s)
{
    bool is_alone = true;
    for (uint32_t i = 0; i < stage->nview; i++) {
        const uint32_t before = s->hits;
        s->pieces = 0;
        if (cl_view_pieces(s->plan->view, s->plan->tensor, stage->view[i], box, look,
                           s))
            return false;
        is_alone &= s->hits == before || s->pieces == 1;
    }
    return is_alone && s->hits == 1;
}

/* Finds the tile's axes among the box's; false where lengths do not fit. */
static bool match_axes(const cl_box *box, const cl_box *tile, int8_t *axis)
{
    int t = 0;
    for (int a = 0; a < box->ndim; a++) {
        axis[a] = -1;
        if (box->n[a] == 1)
            continue;
        while (t < tile->ndim && tile->n[t] == 1)
            t++;
        if (t == tile->ndim || tile->n[t] != box->n[a])
            return false;
        axis[a] = (int8_t)t++;
    }
    while (t < tile->ndim && tile->n[t] == 1)
        t++;
    return t == tile->ndim;
}

/* The box's strides in C order. */
static void c_strides(const cl_box *box, int64_t element, int64_t *stride)
{
    for (int a = box->ndim - 1; a >= 0; a--) {
        stride[a] = element;
        element *= box->n[a];
    }
}

static bool is_as_it_lies(const cl_piece *piece, const cl_box *box, const cl_home *home,
                          int64_t element)
{
    int8_t axis[CL_MAXDIM];
    int64_t stride[CL_MAXDIM];
    c_strides(box, element, stride);
    for (int a = 0; a < box->ndim; a++)
        if (box->n[a] > 1 && piece->stride[a] != stride[a])
            return false;
    return piece->offset == 0 && match_axes(box, &home->box, axis);
}

/* Strips cost no more than the tile, and nothing in between is left out. */
static bool is_plain(const cl_home *home)
{
    bool is_dense = true;
    for (int a = 0; a < home->box.ndim; a++)
        is_dense &= home->wanted->step[a] == 1;
    return is_dense && cl_source_get_info(home->source)->is_plain;
}

static uint64_t states(const cl_exec *exec, const cl_stage *stage, const cl_box *box)
{
    if (stage->kind != CL_STAGE_FOLD)
        return 0;
    const cl_fold fold = cl_stage_fold(stage);
    const cl_feed feed = {.most = most_elements(&stage->program)};
    return cl_fold_states(&fold, exec->loop[stage - exec->plan->stage], box, &feed);
}

static uint64_t fed_at(const cl_home *home)
{
    return CL_STRIP + round_up(cl_source_staging(home->source, &home->box));
}

static uint64_t states_at(const cl_home *home)
{
    return fed_at(home) + round_up(sizeof(cl_fed));
}

bool cl_feed_is_possible(const cl_exec *exec, uint32_t id, uint32_t block)
{
    const cl_task task = cl_task_get(exec->plan, id);
    const cl_stage *stage = task.stage;
    if (stage->kind != CL_STAGE_MAP && stage->kind != CL_STAGE_FOLD)
        return false;
    const cl_block *b = cl_plan_block(exec->plan, block);
    const cl_home home = cl_exec_home(exec, block);
    if ((uint64_t)b->pages * CL_PAGE < 2 * CL_STRIP || !is_plain(&home))
        return false;
    const cl_box box = cl_task_box(exec->plan, &task);
    sight s = {.plan = exec->plan, .block = block};
    const clast_dtype dtype = exec->plan->tensor[b->tensor].dtype;
    if (!is_seen_alone(stage, &box, &s) ||
        !is_as_it_lies(&s.hit, &box, &home, (int64_t)clast_dtype_size(dtype)))
        return false;
    const uint64_t more = states(exec, stage, &box);
    return more <= MOST_STATES &&
           states_at(&home) + more <= (uint64_t)b->pages * CL_PAGE;
}

/* ---- doing it ---- */

/* The part of the task's box, in the source. */
static cl_box strip_of(const cl_feeder *f, const cl_fed *fed, const cl_box *part)
{
    cl_box box = fed->home.box;
    for (int a = 0; a < part->ndim; a++) {
        const int t = fed->axis[a];
        if (t < 0)
            continue;
        box.lo[t] += part->lo[a] - f->box.lo[a];
        box.n[t] = part->n[a];
    }
    return box;
}

static int64_t size_of(const cl_fed *fed)
{
    return (int64_t)clast_dtype_size(cl_source_get_info(fed->home.source)->dtype);
}

static void lay_out(cl_fed *fed, const cl_box *part, const void *data)
{
    fed->span.box = *part;
    fed->span.data = data;
    c_strides(part, size_of(fed), fed->span.stride);
}

static clast_status bring_one(cl_feeder *f, cl_fed *fed, const cl_box *part)
{
    cl_exec *exec = f->job->exec;
    cl_fetching how = {.patience = CL_WATCHFUL};
    const cl_box box = strip_of(f, fed, part);
    CL_TRY(cl_source_fetch_some(fed->home.source, &box, fed->home.wanted, fed->strip,
                                fed->staging, &how, f->job->err));
    if (how.waited)
        atomic_store(&exec->has_waited, true);
    exec->stored_read += how.stored;
    CL_TRY(cl_source_decode(fed->home.source, &box, fed->strip, fed->staging,
                            f->job->err));
    lay_out(fed, part, fed->strip);
    return CLAST_OK;
}

/* What was found, shown or not. */
static clast_status hide_all(cl_feeder *f, cl_error *err)
{
    clast_status status = CLAST_OK;
    for (cl_fed *fed = f->first; fed; fed = fed->next) {
        if (!fed->is_found)
            continue;
        const clast_status own = cl_source_hide(fed->home.source, fed->is_shown, err);
        status = status == CLAST_OK ? own : status;
        fed->is_found = fed->is_shown = false;
    }
    return status;
}

static bool find_all(cl_feeder *f, const cl_box *part)
{
    bool is_found = !f->job->exec->copies_input;
    for (cl_fed *fed = f->first; fed && is_found; fed = fed->next) {
        const cl_box box = strip_of(f, fed, part);
        fed->is_found = cl_source_find(fed->home.source, &box, &fed->at);
        is_found = fed->is_found;
    }
    return is_found;
}

static bool show_all(cl_feeder *f, const cl_box *part)
{
    const int64_t count = cl_box_count(part);
    for (cl_fed *fed = f->first; fed; fed = fed->next) {
        const void *data = cl_source_show(fed->home.source, &fed->window, fed->at,
                                          (uint64_t)(count * size_of(fed)));
        if (!data)
            return false;
        fed->is_shown = true;
        lay_out(fed, part, data);
    }
    for (cl_fed *fed = f->first; fed; fed = fed->next)
        f->job->exec->stored_read += (uint64_t)(count * size_of(fed));
    return true;
}

/* All inputs' strips where they are. */
static bool bring_in_place(cl_feeder *f, const cl_box *part)
{
    if (!f->is_copying && find_all(f, part) && show_all(f, part))
        return true;
    hide_all(f, NULL); /* it is read next, and checked then */
    f->is_copying = true;
    return false;
}

static clast_status bring(void *arg, const cl_box *part)
{
    cl_feeder *f = arg;
    /* who computes asks less often than this */
    if (cl_is_canceled(&f->job->exec->poll))
        return CLAST_ECANCELED;
    const clast_status before = hide_all(f, f->job->err);
    f->job->is_unreadable = before != CLAST_OK;
    CL_TRY(before);
    if (bring_in_place(f, part))
        return CLAST_OK;
    for (cl_fed *fed = f->first; fed; fed = fed->next) {
        const clast_status status = bring_one(f, fed, part);
        f->job->is_unreadable = status != CLAST_OK;
        CL_TRY(status);
    }
    return CLAST_OK;
}

/* The input that is the block, whose one span begins where the block does. */
static cl_input *input_at(const cl_stage *stage, cl_input *inputs, const void *address)
{
    for (uint32_t i = 0; i < stage->nview; i++)
        if (inputs[i].count == 1 && inputs[i].span->data == address)
            return &inputs[i];
    return NULL;
}

static clast_status add(cl_feeder *f, uint32_t block, cl_input *inputs)
{
    const cl_job *job = f->job;
    char *const memory = job->exec->address[block];
    const cl_home home = cl_exec_home(job->exec, block);
    cl_input *input = input_at(job->task.stage, inputs, memory);
    cl_fed *fed = (cl_fed *)(void *)(memory + fed_at(&home));
    *fed = (cl_fed){
        .next = f->first, .home = home, .strip = memory, .staging = memory + CL_STRIP};
    if (!input || !match_axes(&f->box, &home.box, fed->axis))
        return cl_error_set(job->err, CLAST_EINTERNAL, "block %u was not read", block);
    fed->span = *input->span;
    input->span = &fed->span;
    f->first = fed;
    f->feed.states = memory + states_at(&home);
    return CLAST_OK;
}

clast_status cl_feed_begin(cl_feeder *f, cl_job *job, const cl_box *box,
                           cl_input *inputs)
{
    *f = (cl_feeder){.job = job, .box = *box};
    f->feed = (cl_feed){
        .bring = bring, .arg = f, .most = most_elements(&job->task.stage->program)};
    for (uint32_t i = 0; i < job->reads; i++) {
        const uint32_t block = cl_operand_block(job->task.operand[i]);
        if (job->exec->is_unread[block])
            CL_TRY(add(f, block, inputs));
    }
    return CLAST_OK;
}

clast_status cl_feed_map(cl_feeder *f, const cl_loop *loop, const cl_input *inputs,
                         char *out, void *workspace)
{
    const cl_poll *poll = &f->job->exec->poll;
    const size_t size = clast_dtype_size(f->job->task.stage->dtype);
    int64_t extent[CL_MAXDIM];
    cl_strip_extents(&f->box, NULL, f->feed.most, extent);
    cl_box strip = cl_strip_first(&f->box, extent);
    do {
        CL_TRY(bring(f, &strip));
        CL_TRY(cl_map_run(loop, &strip, inputs, out, workspace, poll));
        out += (size_t)cl_box_count(&strip) * size;
    } while (cl_strip_next(&f->box, extent, &strip));
    return CLAST_OK;
}

clast_status cl_feed_end(cl_feeder *f, clast_status status)
{
    const clast_status last = hide_all(f, status == CLAST_OK ? f->job->err : NULL);
    for (cl_fed *fed = f->first; fed; fed = fed->next)
        cl_window_close(&fed->window);
    if (status != CLAST_OK)
        return status;
    f->job->is_unreadable = last != CLAST_OK;
    return last;
}
