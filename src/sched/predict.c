/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dry run: the scheduler core driven by workers that compute nothing.
 *
 * What the core asked for on the way is the prediction: the peak, bytes read, written
 * and spilled. It is the run's own state machine with the run's own limits, so the
 * prediction errs only by what the time changes that tasks and disks take. Spills end
 * at once.
 *
 * With one worker time changes nothing (alone.h): a task runs if there is one, else the
 * oldest load ends. The run does the same, so that its figures are these.
 *
 * With several as many tasks are kept under way as there are workers, and one load
 * less; the oldest ends when there are more, or when nothing can be started, loads
 * before tasks.
 *
 * Where all blocks fit and none has to be loaded there is nothing to rehearse: the peak
 * is known from the plan's tables (needs.c), and nothing is read twice or spilled.
 *
 * Cost: one pass of the core, about 0.3 us a task; without a rehearsal, a pass over the
 * stages.
 */
#include "sched/engine.h"

#include "base/alloc.h"

#include <string.h>

/* What is under way, oldest first. */
typedef struct {
    cl_event event[CL_MOST_REHEARSED + 1];
    uint32_t first, n;
} line;

/* The same of any length. */
typedef struct {
    cl_action *action;
    size_t first, n, room;
} queue;

enum { WAS_READ = 1, IS_NEW = 2 };

typedef struct {
    const cl_plan *plan;
    cl_core *core;
    const char *scratch_folder;
    const atomic_bool *is_canceled;
    bool has_scratch; /* it is there and not full */
    uint64_t read, written;
    uint64_t again;   /* of `read`: what had been read before */
    uint8_t *is_read; /* by block: WAS_READ, ever; IS_NEW, and no task that wants it has
                         begun since */
    uint64_t leaving; /* pages: of persisted blocks that go before the first task */
    uint64_t staging, most_staging; /* pages: of loads that no task has waited for */
    line tasks, loads;              /* under way */
    uint32_t width;                 /* so many of each */
    bool is_alone, lacks_memory, was_canceled;
    bool has_spilled; /* alone: since there was no task */
    uint64_t steps;
    queue turn; /* alone: loads under way */
} rehearsal;

static uint64_t box_bytes(const cl_box *box, clast_dtype dtype)
{
    return (uint64_t)cl_box_count(box) * clast_dtype_size(dtype);
}

static uint64_t loaded_bytes(const cl_plan *plan, uint32_t block)
{
    const cl_block *b = cl_plan_block(plan, block);
    if (b->tensor == CL_NONE)
        return (uint64_t)b->pages * CL_PAGE;
    const cl_tensor *t = &plan->tensor[b->tensor];
    const cl_box box = cl_grid_box(&t->grid, (block - t->first_block) /
                                                 (t->block_step ? t->block_step : 1));
    return box_bytes(&box, t->dtype);
}

static void note_read(rehearsal *r, uint32_t block)
{
    const uint64_t bytes = loaded_bytes(r->plan, block);
    r->read += bytes;
    r->again += r->is_read[block] ? bytes : 0;
    r->is_read[block] = WAS_READ | IS_NEW;
    r->staging += cl_plan_block(r->plan, block)->load_pages;
    if (r->staging > r->most_staging)
        r->most_staging = r->staging;
}

/* Whatever the task reads has arrived when it begins. */
static void note_arrived(rehearsal *r, const cl_task *task)
{
    for (uint32_t i = 0; i < task->noperand; i++) {
        const uint32_t block = cl_operand_block(task->operand[i]);
        if (r->is_read[block] & IS_NEW)
            r->staging -= cl_plan_block(r->plan, block)->load_pages;
        r->is_read[block] &= WAS_READ;
    }
}

/* The oldest of the line ends. */
static bool end_oldest(rehearsal *r, line *l)
{
    if (l->n == 0)
        return false;
    const cl_event event = l->event[l->first];
    l->first = (l->first + 1) % (CL_MOST_REHEARSED + 1);
    l->n--;
    cl_core_post(r->core, &event);
    return true;
}

static void join_line(rehearsal *r, line *l, uint32_t width, const cl_event *event)
{
    l->event[(l->first + l->n++) % (CL_MOST_REHEARSED + 1)] = *event;
    if (l->n > width)
        end_oldest(r, l);
}

static void join_queue(rehearsal *r, const cl_action *action)
{
    queue *q = &r->turn;
    if (q->n == q->room && q->first > 0 && q->first >= q->room / 2) {
        q->n -= q->first;
        memmove(q->action, q->action + q->first, q->n * sizeof *q->action);
        q->first = 0;
    }
    r->lacks_memory = !cl_grow(&q->action, &q->room, q->n + 1, sizeof *q->action);
    if (r->lacks_memory)
        cl_core_cancel(r->core);
    else
        q->action[q->n++] = *action;
}

/* Whether there were any to answer. */
static bool answer_actions(rehearsal *r)
{
    bool any = false;
    cl_action action;
    while (cl_core_next_action(r->core, &action)) {
        cl_event event = {.place = action.place,
                          .epoch = action.epoch,
                          .task = CL_NONE,
                          .block = action.block};
        if (action.kind == CL_ACTION_LOAD) {
            event.kind = CL_EVENT_LOADED;
            if (!action.from_scratch)
                note_read(r, action.block);
            if (r->is_alone)
                join_queue(r, &action);
            else
                join_line(r, &r->loads, r->width - 1, &event);
        } else if (action.kind == CL_ACTION_SPILL) {
            event.kind = CL_EVENT_SPILLED;
            cl_core_post(r->core, &event);
            r->has_spilled = true;
        } else {
            continue;
        }
        any = true;
    }
    return any;
}

/* What is loaded meanwhile arrives before the task ends. */
static bool end_task(rehearsal *r)
{
    while (end_oldest(r, &r->loads))
        answer_actions(r);
    return end_oldest(r, &r->tasks);
}

/* Array bytes that a task of the stage gives to a sink. */
static uint64_t written_bytes(const cl_plan *plan, const cl_stage *stage,
                              uint32_t index)
{
    if (stage->kind != CL_STAGE_STORE)
        return 0;
    const cl_box box = cl_grid_box(&stage->units, index);
    return box_bytes(&box, plan->sink[stage->sink].dtype);
}

static cl_event rehearse_task(rehearsal *r, const cl_start *start)
{
    const cl_task task = cl_task_get(r->plan, start->task);
    r->written += written_bytes(r->plan, task.stage, task.index);
    note_arrived(r, &task);
    return (cl_event){.kind = CL_EVENT_DONE,
                      .epoch = start->epoch,
                      .task = start->task,
                      .block = CL_NONE,
                      .workspace_pages = start->workspace_pages};
}

static clast_status stopped(const rehearsal *r, const cl_budget *budget, cl_error *err)
{
    return cl_error_set(
        err, CLAST_EBUDGET,
        "a budget of %llu pages for blocks is too small: the plan stops "
        "after %llu of %llu tasks",
        (unsigned long long)budget->pages,
        (unsigned long long)cl_core_get_counts(r->core).done,
        (unsigned long long)budget->tasks);
}

/* A plan that must spill, and a folder that does not take it: what the folder says. */
static clast_status lacks_scratch(const rehearsal *r, cl_error *err)
{
    uint64_t room = 0;
    const char *folder = r->scratch_folder ? r->scratch_folder : "none";
    if (r->scratch_folder)
        CL_TRY(cl_scratch_room(folder, &room, err));
    return cl_error_set(
        err, CLAST_ENOSPACE,
        "the plan has to spill blocks: scratch folder \"%s\" has room "
        "for %llu bytes, which is too little after %llu bytes; more "
        "memory would do as well",
        folder, (unsigned long long)room,
        (unsigned long long)(cl_core_get_counts(r->core).peak_scratch_pages * CL_PAGE));
}

/* Now and then. */
static bool look_for_cancel(rehearsal *r)
{
    if (r->steps++ % 4096 == 0 && r->is_canceled)
        r->was_canceled = atomic_load(r->is_canceled);
    return r->was_canceled;
}

/* As the worker of a run does it; false: there is nothing more to do. */
static bool take_turn(rehearsal *r)
{
    cl_start start;
    cl_event event = {.kind = CL_EVENT_LOADED, .task = CL_NONE};
    const size_t n = cl_core_take(r->core, 0, &start, 1);
    answer_actions(r);
    if (n > 0) {
        event = rehearse_task(r, &start);
    } else if (r->has_spilled) {
        r->has_spilled = false; /* that may do for a task */
        return true;
    } else if (r->turn.first < r->turn.n) {
        const cl_action load = r->turn.action[r->turn.first++];
        event.epoch = load.epoch;
        event.block = load.block;
    } else {
        return false;
    }
    cl_core_post(r->core, &event);
    answer_actions(r);
    return true;
}

/* Several workers. */
static void rehearse_many(rehearsal *r)
{
    bool goes_on = true;
    while (goes_on && !look_for_cancel(r)) {
        cl_start start;
        if (r->tasks.n == r->width) {
            end_task(r);
            answer_actions(r);
        }
        const size_t n = cl_core_take(r->core, 0, &start, 1);
        goes_on = answer_actions(r) || n > 0;
        if (n > 0) {
            const cl_event done = rehearse_task(r, &start);
            join_line(r, &r->tasks, r->width, &done);
        }
        goes_on =
            answer_actions(r) || goes_on || end_oldest(r, &r->loads) || end_task(r);
    }
}

static clast_status rehearse(rehearsal *r, const cl_budget *budget, cl_error *err)
{
    if (!r->is_alone)
        rehearse_many(r);
    else
        while (!look_for_cancel(r) && take_turn(r))
            ;
    if (r->was_canceled)
        return cl_error_set(err, CLAST_ECANCELED, "canceled while it was planned");
    if (r->lacks_memory)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for the dry run's tables");
    uint32_t task, block;
    const clast_status status = cl_core_failure(r->core, &task, &block);
    if (status == CLAST_OK && !cl_core_is_finished(r->core))
        return stopped(r, budget, err);
    if (status == CLAST_ENOSPACE || (status == CLAST_EBUDGET && !r->has_scratch))
        return lacks_scratch(r, err);
    return cl_error_set(err, status, "the dry run: %s", clast_status_text(status));
}

static clast_status adopt_dry(rehearsal *r, const cl_run *run, const cl_budget *budget,
                              cl_error *err)
{
    const size_t blocks = (size_t)budget->blocks;
    void **address = cl_calloc(blocks, sizeof *address);
    uint64_t *slot = cl_calloc(blocks, sizeof *slot);
    clast_status status = CLAST_OK;
    if (address && slot)
        status = cl_persisted_adopt(r->core, r->plan, run, budget, address, slot,
                                    &r->leaving, err);
    else
        status = cl_error_set(err, CLAST_ENOMEM, "no memory for the dry run's tables");
    cl_free(address);
    cl_free(slot);
    return status;
}

static void note(const rehearsal *r, cl_admission *a)
{
    const cl_core_counts counts = cl_core_get_counts(r->core);
    const uint64_t spilled = counts.spilled_pages + r->leaving;
    a->excess = r->again + (spilled + counts.reloaded_pages) * (uint64_t)CL_PAGE;
    a->scratch_pages = counts.peak_scratch_pages;
    /* What is being spilled holds its memory a little longer. With several workers a
     * run that throws something out takes all that it is given; in any other each load
     * may be under way until its block is wanted. */
    const uint64_t most = a->budget.pages;
    const uint64_t pages = counts.peak_pages + (r->is_alone ? 0 : r->most_staging);
    const bool takes_all = r->is_alone ? counts.spilled_pages > 0 : a->excess > 0;
    a->peak = a->budget.fixed +
              (takes_all || pages > most ? most : pages) * (uint64_t)CL_PAGE;
    a->read = r->read;
    a->written = r->written;
    a->spilled = (spilled + a->budget.leaving) * CL_PAGE;
}

/* All bytes that sinks are given. */
static uint64_t all_written(const cl_plan *plan)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        const cl_segment *s = &plan->segment[i];
        for (uint32_t t = 0; t < s->ntask; t++)
            bytes +=
                written_bytes(plan, &plan->stage[s->task_stage[t]], s->task_index[t]);
    }
    return bytes;
}

clast_status cl_predict(cl_engine *engine, const cl_plan *plan, const cl_run *run,
                        cl_admission *admission, cl_error *err)
{
    uint64_t room = 0;
    const uint32_t workers = (uint32_t)engine->options.workers;
    cl_budget *budget = &admission->budget;
    if (!budget->binds && !budget->loads) {
        admission->excess = admission->scratch_pages = 0;
        admission->peak =
            budget->fixed +
            cl_needs_peak(&budget->needs, workers, budget->pages) * CL_PAGE;
        admission->written = all_written(plan);
        admission->read = 0;
        admission->spilled = budget->leaving * CL_PAGE;
        admission->is_rehearsed = true;
        return CLAST_OK;
    }
    rehearsal r = {.plan = plan,
                   .scratch_folder = run->scratch_folder,
                   .is_canceled = run->is_canceled,
                   .is_alone = cl_budget_is_alone(engine, budget),
                   .width = workers < CL_MOST_REHEARSED ? workers : CL_MOST_REHEARSED};
    r.has_scratch = run->scratch_folder &&
                    cl_scratch_room(run->scratch_folder, &room, NULL) == CLAST_OK &&
                    room > 0;
    CL_TRY(cl_budget_core(&r.core, engine, plan, run, budget, err));
    clast_status status = adopt_dry(&r, run, budget, err);
    r.is_read = cl_calloc((size_t)budget->blocks + 1, 1);
    if (status == CLAST_OK && !r.is_read)
        status = cl_error_set(err, CLAST_ENOMEM, "no memory for the dry run's tables");
    if (status == CLAST_OK)
        status = rehearse(&r, budget, err);
    cl_free(r.is_read);
    cl_free(r.turn.action);
    note(&r, admission);
    admission->is_rehearsed = status == CLAST_OK;
    cl_core_free(r.core);
    return status;
}
