/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The workers' simulator: src/sched/worker.c with the real scheduler core, and
 * src/sched/in_order.c with its pools, on one thread.
 *
 * Workers are fibers. Whatever they share is behind a mutex, a condition or an atomic
 * word; all of these are replaced (fibers.h, fibers_atomics.h), so that each may hand
 * over to any other fiber that can go on. Time is a number that advances when tasks
 * run, when somebody waits, and now and then. A seed decides everything, so that a lost
 * wake-up, a task that is handed out and forgotten, a report that is counted twice show
 * as what they are, every time: nobody can go on, a task runs twice, a buffer is given
 * back twice. What a machine does with memory behind the program's back is for
 * ThreadSanitizer, which runs the driver's tests.
 *
 * Not modelled: decoding, reads by workers and feeds, which are stubs here.
 *
 * Checked besides: every task reads the right versions, in memory that nobody else
 * writes to; its workspace is as large as it needs and its batch's alone; pages stay
 * within the budget; nobody sleeps while tasks are ready that memory allows; nothing is
 * left in the end. Tasks in order are any plan's that fits, not only those that suit;
 * workers come late, or so late that others must have done their part.
 *
 *     worker_simulator [--seeds N] [--first S]
 */
#include "fibers_atomics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/core_internal.h"
#include "sched/in_order.h"
#include "sched/pool.h"

#include "../src/sched/worker.c"

enum { MOST_WORKERS = FIBERS_MOST - 2 };
#define VERY_LATE 1e3 /* seconds: longer than any run takes */

/* ---- the world ---- */

/* A slot of block memory. */
typedef struct {
    uint64_t pages, value;
    bool is_live, is_used; /* used: of a workspace, by a task that runs */
} slot_of_memory;

typedef struct {
    dice d;
    plans plans;
    uint32_t ntask, nblock;
    uint64_t *expected; /* by block */
    uint8_t *runs;      /* by task: under way */
    uint32_t *ran;      /* by task */
    uint64_t *scratch;  /* by block */

    int nworker, ended; /* ended: of them */

    slot_of_memory **slot; /* all that were ever taken */
    size_t nslot, slot_room;
    uint64_t live, limit; /* pages */
    cl_needs needs;
    uint64_t ahead; /* its limit */

    cl_engine engine;
    cl_driver driver;
    cl_exec exec;
    void *hands;
    cl_action *queue; /* loads and spills */
    size_t queue_at, queue_n, queue_room;

    bool fits, reruns, fails, canceled_first, has_failed;
    bool cancels, was_canceled; /* by a task */
    uint32_t lowest_failed;
    int late;          /* worker that comes when all should be over; -1: none */
    uint32_t slowness; /* of tasks, in tenths of microseconds */
} world;

static world *w;

/* Tasks are ready that memory allows, one sleeps and nobody is about to wake. */
static void check_sleepers(void)
{
    const cl_driver *d = &w->driver;
    bool is_told = fibers_is_waking();
    for (int i = 0; i < d->nhand; i++)
        is_told = is_told || d->hand[i].told == TOLD_LOOK;
    if (!d->core) /* nobody is ever woken */
        return;
    if (!is_told && fibers_sleeps(&d->work) && d->core->fits && !d->core->starved &&
        !d->core->stopped && cl_core_ready(d->core) > 0)
        fibers_complain("a worker sleeps while tasks are ready");
}

/* ---- what the driver has ---- */

const cl_block *cl_plan_later_block(const cl_plan *plan, uint32_t block)
{
    return plans_find_block(plan, block);
}

/* Without a mutex at the very begin only. */
void *cl_memory_take(cl_memory *memory, uint64_t pages)
{
    slot_of_memory *s = cl_calloc(1, sizeof *s);
    if (!s || !cl_grow(&w->slot, &w->slot_room, w->nslot + 1, sizeof(void *))) {
        fibers_complain("no memory");
        return NULL;
    }
    *s = (slot_of_memory){.pages = pages, .is_live = true};
    w->slot[w->nslot++] = s;
    w->live += pages;
    if (w->live > w->limit)
        fibers_complain("%" PRIu64 " of %" PRIu64 " pages are taken", w->live,
                        w->limit);
    if (fibers_index() >= 0)
        fibers_hand_over(); /* whoever looks at what is being prepared */
    return s;
}

void cl_memory_give(cl_memory *memory, void *slot, uint64_t pages)
{
    slot_of_memory *s = slot;
    if (!s->is_live || s->pages != pages || s->is_used)
        fibers_complain("%" PRIu64 " pages are given back that were %s", pages,
                        s->is_used   ? "being worked in"
                        : s->is_live ? "others"
                                     : "given back before");
    s->is_live = false;
    w->live -= pages;
}

void *cl_alone_take(cl_driver *d, uint64_t pages)
{
    return cl_memory_take(d->engine->memory, pages);
}

void cl_driver_fail(cl_driver *d, uint32_t task, uint32_t block, const cl_error *err)
{
    d->nfailure++;
}

void cl_driver_look_on(cl_driver *d, double now) {}

/* Is not called: traces are off. */
void cl_trace_add_tasks(cl_trace *trace, uint32_t lane, const cl_plan *plan,
                        const uint32_t *task, uint32_t count, double begin, double end)
{
    abort();
}

uint64_t cl_budget_pages(const cl_engine *engine, const cl_budget *budget)
{
    return w->limit;
}

static void free_block(cl_driver *d, uint32_t block)
{
    if (d->address[block])
        cl_memory_give(NULL, d->address[block], cl_plan_block(d->plan, block)->pages);
    d->address[block] = NULL;
}

void cl_driver_drain(cl_driver *d)
{
    cl_action a;
    if (!fibers_has_mutex())
        fibers_complain("the core is used without the mutex");
    while (cl_core_next_action(d->core, &a)) {
        if (a.kind == CL_ACTION_FREE) {
            free_block(d, a.block);
        } else if (a.kind != CL_ACTION_DISCARD) {
            if (!cl_grow(&w->queue, &w->queue_room, w->queue_n + 1, sizeof *w->queue))
                fibers_complain("no memory");
            w->queue[w->queue_n++] = a;
            d->transfers++;
            cl_cond_signal(&d->io);
        }
    }
}

/* Nobody's here: all transfers end as soon as they have. */
const cl_transfer_policy cl_alone_in_turn;

bool cl_transfer_decode(cl_driver *d, uint32_t lane)
{
    return false;
}

bool cl_transfer_read(cl_driver *d, uint32_t lane)
{
    return false;
}

bool cl_transfer_io(cl_driver *d, uint32_t lane)
{
    return false;
}

static void move_block(cl_driver *d, const cl_action *a)
{
    const cl_block *b = cl_plan_block(d->plan, a->block);
    const bool loads = a->kind == CL_ACTION_LOAD;
    const uint32_t staging = loads && !a->from_scratch ? b->load_pages : 0;
    slot_of_memory *data =
        loads ? cl_memory_take(NULL, b->pages) : d->address[a->block];
    slot_of_memory *work = cl_memory_take(NULL, staging);
    cl_mutex_unlock(d->mutex);
    fibers_pass(dice_below(&w->d, 1000) * 1e-7);
    if (loads)
        data->value = a->from_scratch ? w->scratch[a->block] : w->expected[a->block];
    else
        w->scratch[a->block] = data->value;
    cl_mutex_lock(d->mutex);
    cl_memory_give(NULL, work, staging);
    if (loads)
        d->address[a->block] = data;
    d->transfers--;
    cl_core_post(d->core,
                 &(cl_event){.kind = loads ? CL_EVENT_LOADED : CL_EVENT_SPILLED,
                             .epoch = a->epoch,
                             .task = CL_NONE,
                             .block = a->block});
    cl_driver_drain(d);
    cl_driver_wake(d);
}

static void io_fiber(void)
{
    cl_driver *d = &w->driver;
    cl_mutex_lock(d->mutex);
    while (!d->io_stops) {
        if (w->queue_at == w->queue_n) {
            cl_cond_wait(&d->io, d->mutex);
            continue;
        }
        const cl_action a = w->queue[w->queue_at++];
        move_block(d, &a);
    }
    cl_mutex_unlock(d->mutex);
    fibers_end();
}

static bool are_done(void)
{
    bool are = true;
    for (uint32_t t = 0; t < w->ntask; t++)
        are = are && w->ran[t];
    return are;
}

/* Each may come late. */
static void run_in_order(void)
{
    const bool is_late = fibers_index() == w->late;
    if (is_late)
        fibers_pass(VERY_LATE);
    else if (dice_one_in(&w->d, 3))
        fibers_pass(dice_below(&w->d, 3000) * 1e-7);
    const bool goes_well = !w->has_failed && !w->was_canceled && !w->canceled_first;
    if (is_late && goes_well && !are_done())
        fibers_complain("a worker came late and there is still something to do");
    cl_in_order_main(&w->driver, fibers_index(), w->nworker);
}

static void worker_fiber(void)
{
    cl_driver *d = &w->driver;
    if (d->in_order)
        run_in_order();
    else
        cl_worker_main(d, fibers_index(), w->nworker);
    cl_mutex_lock(d->mutex);
    if (++w->ended == w->nworker) {
        d->io_stops = true;
        cl_cond_broadcast(&d->io);
    }
    cl_mutex_unlock(d->mutex);
    fibers_end();
}

/* ---- tasks ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    const uint64_t z = (a ^ (b + 1) * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return z ^ z >> 29;
}

static uint64_t value_made(uint32_t task, uint32_t operand)
{
    const plans_operands o = plans_find_task(&w->plans.plan, task);
    uint64_t value = mix(task, operand);
    for (uint32_t i = 0; i < o.n; i++)
        if (cl_operand_mode(o.at[i]) != CL_W)
            value = mix(value, w->expected[cl_operand_block(o.at[i])]);
    return value;
}

static void check_operand(uint32_t task, uint32_t block, bool is_taken, uint32_t next)
{
    const cl_plan *plan = &w->plans.plan;
    if (cl_plan_block(plan, block)->flags & CL_BLOCK_RESIDENT)
        return;
    const slot_of_memory *s = w->driver.address[is_taken ? next : block];
    if (!s || !s->is_live || s->value != w->expected[block])
        fibers_complain("task %u reads block %u: %s", task, block,
                        !s           ? "it is not there"
                        : s->is_live ? "not its version"
                                     : "it was given back");
    if (is_taken && w->driver.address[block])
        fibers_complain("block %u has a buffer that was taken over", block);
}

static void check_operands(uint32_t task, uint32_t copy_mask)
{
    const plans_operands o = plans_find_task(&w->plans.plan, task);
    uint32_t renewed = 0;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        const cl_mode mode = cl_operand_mode(o.at[i]);
        if (mode == CL_W) {
            if (!w->driver.address[block])
                fibers_complain("task %u has no memory for block %u", task, block);
            continue;
        }
        const bool is_taken = mode != CL_R && !(copy_mask >> renewed & 1u);
        renewed += mode != CL_R;
        check_operand(task, block, is_taken,
                      is_taken ? cl_operand_block(o.at[i + 1]) : 0);
    }
}

static void check_workspace(uint32_t task, const slot_of_memory *work)
{
    const uint32_t need =
        w->plans.plan.stage[plans_find_task(&w->plans.plan, task).stage]
            .workspace_pages;
    if (!work->is_live || work->pages < need)
        fibers_complain("task %u has %" PRIu64 " pages of workspace%s, needs %u", task,
                        work->pages, work->is_live ? "" : " no more", need);
}

clast_status cl_exec_task(cl_exec *exec, uint32_t id, uint32_t copy_mask,
                          void *workspace, cl_error *err)
{
    const plans_operands o = plans_find_task(&w->plans.plan, id);
    slot_of_memory *work = workspace;
    fibers_say("runs task %u", id);
    if (fibers_has_mutex())
        fibers_complain("task %u runs with the mutex", id);
    if (w->runs[id] || (w->ran[id] && !w->reruns))
        fibers_complain("task %u runs twice", id);
    if (w->canceled_first)
        fibers_complain("task %u runs though the run was canceled before", id);
    check_workspace(id, work);
    if (work->is_used)
        fibers_complain("task %u works where another one does", id);
    check_operands(id, copy_mask);
    w->runs[id] = 1;
    work->is_used = true;
    fibers_pass(dice_below(&w->d, w->slowness) *
                (dice_one_in(&w->d, 20) ? 1e-5 : 1e-7));
    check_workspace(id, work);
    check_operands(id, copy_mask);
    work->is_used = false;
    w->runs[id] = 0;
    w->ran[id]++;
    if (w->cancels && dice_one_in(&w->d, 50)) {
        w->engine.state = CL_ENGINE_CANCELED;
        w->was_canceled = true;
    }
    if (w->fails && dice_one_in(&w->d, 20)) {
        w->has_failed = true;
        w->lowest_failed = id < w->lowest_failed ? id : w->lowest_failed;
        return cl_error_set(err, CLAST_EIO, "it failed");
    }
    for (uint32_t i = 0; i < o.n; i++)
        if (cl_operand_mode(o.at[i]) == CL_W)
            ((slot_of_memory *)w->driver.address[cl_operand_block(o.at[i])])->value =
                w->expected[cl_operand_block(o.at[i])];
    return CLAST_OK;
}

/* ---- a run ---- */

/* Layers of many small tasks, each of which reads one or two of the layer before. */
static void layers(plans *p, dice *d)
{
    const uint32_t width = 2 + dice_below(d, 40), depth = 1 + dice_below(d, 8);
    uint32_t before[42], made[42];
    for (uint32_t i = 0; i < 3; i++)
        plans_stage(p, dice_below(d, 4), 0);
    for (uint32_t k = 0; k < depth; k++) {
        for (uint32_t i = 0; i < width; i++) {
            plans_task(p, dice_below(d, 3));
            if (k > 0)
                plans_operand(p, before[i], CL_R);
            if (k > 0 && i + 1 < width && dice_one_in(d, 2))
                plans_operand(p, before[i + 1], CL_R);
            made[i] = plans_block(p, dice_below(d, 3), 0,
                                  dice_one_in(d, 40) ? CL_BLOCK_PERSIST : 0);
            plans_operand(p, made[i], CL_W);
        }
        memcpy(before, made, sizeof before);
    }
    plans_end(p);
    if (dice_one_in(d, 2))
        plans_sort_out(p);
}

/* Many blocks, each added to a sum as soon as it is there: in rank order three are in
 * memory, while one sum takes long any number. Beside each there may be another one,
 * which nobody reads. */
static void sums(plans *p, dice *d)
{
    const bool is_wasteful = dice_one_in(d, 2);
    uint32_t sum = CL_NONE;
    plans_stage(p, dice_below(d, 3), 0);
    for (uint32_t n = 20 + dice_below(d, 1000); n > 0; n--) {
        plans_task(p, 0);
        const uint32_t made = plans_block(p, 1 + dice_below(d, 4), 0, 0);
        plans_operand(p, made, CL_W);
        if (is_wasteful)
            plans_operand(p, plans_block(p, 1, 0, 0), CL_W);
        plans_task(p, 0);
        plans_operand(p, made, CL_R);
        if (sum != CL_NONE)
            plans_operand(p, sum, CL_ACC);
        sum = plans_block(p, 1, 0, 0);
        plans_operand(p, sum, CL_W);
    }
    plans_end(p);
    if (dice_one_in(d, 2))
        plans_sort_out(p);
}

static void survey(void)
{
    const cl_plan *plan = &w->plans.plan;
    const cl_segment *last = &plan->segment[plan->nsegment - 1];
    w->ntask = last->task_base + last->ntask;
    w->nblock = last->block_base + last->nblock;
    w->expected = cl_calloc(w->nblock + 1u, sizeof *w->expected);
    w->scratch = cl_calloc(w->nblock + 1u, sizeof *w->scratch);
    w->runs = cl_calloc(w->ntask + 1u, sizeof *w->runs);
    w->ran = cl_calloc(w->ntask + 1u, sizeof *w->ran);
    w->driver.address = cl_calloc(w->nblock + 1u, sizeof *w->driver.address);
    for (uint32_t b = 0; b < w->nblock; b++) {
        w->expected[b] = mix(b, 7);
        w->reruns =
            w->reruns || (plans_find_block(plan, b)->flags & CL_BLOCK_RECOMPUTE);
    }
    for (uint32_t t = 0; t < w->ntask; t++) {
        const plans_operands o = plans_find_task(plan, t);
        for (uint32_t i = 0; i < o.n; i++)
            if (cl_operand_mode(o.at[i]) == CL_W)
                w->expected[cl_operand_block(o.at[i])] = value_made(t, i);
    }
}

/* Pages of everything, and the largest workspace or load. */
static uint64_t all_pages(void)
{
    const cl_plan *plan = &w->plans.plan;
    uint64_t all = 0, extra = 0;
    for (uint32_t b = 0; b < w->nblock; b++) {
        const cl_block *block = plans_find_block(plan, b);
        all += block->flags & CL_BLOCK_RESIDENT ? 0 : block->pages;
        extra = block->load_pages > extra ? block->load_pages : extra;
    }
    for (uint32_t i = 0; i < plan->nstage; i++)
        if (plan->stage[i].workspace_pages > extra)
            extra = plan->stage[i].workspace_pages;
    return all + extra;
}

static void make_resident(void)
{
    const cl_plan *plan = &w->plans.plan;
    for (uint32_t i = 0; i < plan->nsegment; i++)
        for (uint32_t b = 0; b < plan->segment[i].nblock; b++)
            if (plan->segment[i].block[b].flags & CL_BLOCK_SOURCE)
                plan->segment[i].block[b].flags ^= CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT;
}

/* Blocks of an earlier run: in memory where they fit. */
static void adopt(void)
{
    for (uint32_t b = 0; b < w->nblock; b++) {
        const cl_block *block = plans_find_block(&w->plans.plan, b);
        if (block->producer != CL_NONE || block->flags != CL_BLOCK_PERSIST)
            continue;
        const bool in_scratch =
            !w->fits && (w->live + block->pages > w->limit || dice_one_in(&w->d, 2));
        if (w->driver.core && !cl_core_adopt(w->driver.core, b, in_scratch))
            fibers_complain("block %u is not adopted", b);
        w->scratch[b] = w->expected[b];
        if (in_scratch)
            continue;
        slot_of_memory *s = cl_memory_take(NULL, block->pages);
        s->value = w->expected[b];
        w->driver.address[b] = s;
    }
}

/* Whether it could be run in order, were its order good; with memory for that. */
static bool can_be_in_order(void)
{
    bool can = w->fits && w->plans.plan.nsegment == 1;
    for (uint32_t b = 0; b < w->nblock; b++)
        can = can && plans_find_block(&w->plans.plan, b)->pages <= CL_POOL_LARGEST;
    return can && w->needs.most <= CL_POOL_LARGEST;
}

static bool set_up_in_order(void)
{
    cl_driver *drv = &w->driver;
    dice *d = &w->d;
    w->limit = cl_needs_peak(&w->needs, (uint32_t)w->nworker, UINT64_MAX);
    w->cancels = dice_one_in(d, 20);
    w->late = w->nworker > 1 && dice_one_in(d, 4)
                  ? (int)dice_below(d, (uint32_t)w->nworker)
                  : -1;
    drv->team = w->nworker;
    drv->in_order = cl_in_order_new(drv);
    return drv->in_order;
}

static bool set_up_core(void)
{
    cl_error err = {0};
    cl_driver *drv = &w->driver;
    const uint32_t workers = (uint32_t)w->nworker;
    const cl_core_limits limits = {.budget_pages = w->limit,
                                   .ahead_pages = w->ahead,
                                   .task_pages = w->needs.most,
                                   .scratch_pages = 1000000,
                                   .nplace = 1,
                                   .prefetch = 2 * workers + 2,
                                   .loads = workers};
    if (cl_core_new(&drv->core, drv->plan, &limits, &err) == CLAST_OK)
        return true;
    fibers_complain("%s", err.text);
    return false;
}

static bool set_up(void)
{
    dice *d = &w->d;
    static void (*const make[])(plans *, dice *) = {
        layers, layers, random_plan, random_plan, random_plan, sums};
    make[dice_below(d, sizeof make / sizeof *make)](&w->plans, d);
    survey();
    w->fits = !dice_one_in(d, 4);
    if (w->fits)
        make_resident();
    const uint64_t minimum = random_plan_minimum(&w->plans.plan);
    w->limit = w->fits ? all_pages() + dice_below(d, 12) : minimum + dice_below(d, 20);
    if (w->limit < minimum)
        w->limit = minimum;
    w->nworker = 1 + (int)dice_below(d, MOST_WORKERS);
    w->fails = dice_one_in(d, 10);
    w->slowness = dice_one_in(d, 3) ? 2000 : 1 + dice_below(d, 30);
    const uint32_t workers = (uint32_t)w->nworker;
    w->needs = cl_needs_of(&w->plans.plan, workers);
    /* The engine's, or less, as far as nothing but the lowest task ever starts. */
    w->ahead = cl_needs_ahead(&w->needs, workers, w->limit);
    if (dice_one_in(d, 2))
        w->ahead = 1 + dice_below(d, w->limit < 20 ? (uint32_t)w->limit : 20);
    cl_driver *drv = &w->driver;
    drv->mutex = &w->engine.mutex;
    drv->engine = &w->engine;
    drv->plan = &w->plans.plan;
    drv->exec = &w->exec;
    drv->threads = 2;
    drv->due = INFINITY;
    w->hands = cl_worker_hands(drv, w->nworker);
    drv->has_calls = dice_one_in(d, 8);
    w->engine.state = CL_ENGINE_RUNNING;
    w->late = -1;
    w->lowest_failed = CL_NONE;
    if (!(can_be_in_order() && dice_one_in(d, 2) ? set_up_in_order() : set_up_core()))
        return false;
    adopt();
    w->canceled_first = dice_one_in(d, 40);
    if (w->canceled_first)
        w->engine.state = CL_ENGINE_CANCELED;
    for (int i = 0; i < w->nworker + CL_IO_THREADS; i++)
        fibers_add(i < w->nworker ? worker_fiber : io_fiber);
    return true;
}

/* Without a core, what stays is there in the end; more may be. */
static bool must_be_here(uint32_t b, bool is_here)
{
    const cl_block *block = plans_find_block(&w->plans.plan, b);
    if (block->flags & CL_BLOCK_RESIDENT)
        return false;
    if (!w->driver.core)
        return is_here || block->flags & CL_BLOCK_PERSIST;
    return cl_core_where(w->driver.core, b) == CL_AT_MEMORY;
}

/* What is left in memory is what the core says, and is charged. */
static void check_memory(bool is_good)
{
    uint64_t held = 0;
    for (uint32_t b = 0; b < w->nblock; b++) {
        const slot_of_memory *s = w->driver.address[b];
        held += s ? s->pages : 0;
        if (is_good && must_be_here(b, s != NULL) != (s != NULL))
            fibers_complain("block %u is %sin memory and should %sbe", b,
                            s ? "" : "not ", s ? "not " : "");
        if (is_good && s && s->value != w->expected[b])
            fibers_complain("block %u has a wrong value in the end", b);
    }
    if (held != w->live)
        fibers_complain("%" PRIu64 " pages are taken in the end, blocks have %" PRIu64,
                        w->live, held);
    if (is_good && w->driver.core && w->driver.core->place[0].reserved != held)
        fibers_complain("%" PRIu64
                        " pages are reserved in the end, blocks have %" PRIu64,
                        w->driver.core->place[0].reserved, held);
}

/* What is said before a run holds, whoever ran ahead. */
static void check_peak(void)
{
    uint64_t told = cl_needs_peak(&w->needs, (uint32_t)w->nworker, w->limit);
    if (w->driver.core && w->ahead < told && w->needs.peak + w->ahead < told)
        told = w->needs.peak + w->ahead;
    const uint64_t peak = w->driver.core ? cl_core_get_counts(w->driver.core).peak_pages
                                         : cl_in_order_peak(w->driver.in_order);
    if (w->fits && peak > told)
        fibers_complain("a peak of %" PRIu64 " pages, %" PRIu64 " were predicted", peak,
                        told);
}

/* Of tasks in order: what fails first is what is reported, and all before it ran. */
static clast_status failure_in_order(void)
{
    uint32_t task;
    const clast_status status = cl_in_order_failure(w->driver.in_order, &task);
    if (status == CLAST_EIO && task != w->lowest_failed)
        fibers_complain("task %u is reported, task %u failed", task, w->lowest_failed);
    for (uint32_t t = 0; status == CLAST_EIO && t < task; t++)
        if (!w->ran[t])
            fibers_complain("task %u failed and task %u did not run", task, t);
    if (status == CLAST_OK && cl_in_order_done(w->driver.in_order) != w->ntask)
        fibers_complain("%" PRIu64 " of %u tasks are done in the end",
                        cl_in_order_done(w->driver.in_order), w->ntask);
    return status;
}

static void check_end(void)
{
    uint32_t task, block;
    const clast_status status = w->driver.in_order
                                    ? failure_in_order()
                                    : cl_core_failure(w->driver.core, &task, &block);
    if (w->driver.running || w->driver.transfers)
        fibers_complain("%u tasks and %u transfers are under way in the end",
                        w->driver.running, w->driver.transfers);
    if (w->driver.stalled)
        fibers_complain("the run came to a stop");
    for (int i = 0; i < w->driver.nhand; i++)
        if (w->driver.hand[i].count > 0)
            fibers_complain("worker %d has tasks in hand in the end", i);
    if (w->driver.looking)
        fibers_complain("a worker is gone and still listed");
    if (w->canceled_first && status != CLAST_ECANCELED)
        fibers_complain("a canceled run reports %s", clast_status_name(status));
    const bool may_be_canceled = w->was_canceled && status == CLAST_ECANCELED;
    if (!w->canceled_first && !may_be_canceled &&
        status != (w->has_failed ? CLAST_EIO : CLAST_OK))
        fibers_complain("a run %s reports %s",
                        w->has_failed ? "with a failure" : "that is good",
                        clast_status_name(status));
    for (uint32_t t = 0; t < w->ntask && status == CLAST_OK; t++)
        if (!w->ran[t])
            fibers_complain("task %u never ran", t);
    check_memory(status == CLAST_OK);
    check_peak();
}

static void tear_down(void)
{
    for (size_t i = 0; i < w->nslot; i++)
        cl_free(w->slot[i]);
    cl_core_free(w->driver.core);
    cl_in_order_free(w->driver.in_order);
    cl_free(w->slot);
    cl_free(w->queue);
    cl_free(w->hands);
    cl_free(w->expected);
    cl_free(w->scratch);
    cl_free(w->runs);
    cl_free(w->ran);
    cl_free(w->driver.address);
    plans_fini(&w->plans);
}

static bool run_seed(uint64_t seed, bool verbose, uint64_t *tasks)
{
    w = cl_calloc(1, sizeof *w);
    if (!w)
        return false;
    w->d = dice_of(seed);
    fibers_begin(&w->d, verbose, check_sleepers);
    if (set_up())
        fibers_run();
    if (!fibers_complaint())
        check_end();
    for (uint32_t t = 0; t < w->ntask; t++)
        *tasks += w->ran[t];
    const bool is_good = !fibers_complaint();
    if (!is_good && verbose)
        printf("# seed %" PRIu64 ": %s\n", seed, fibers_complaint());
    tear_down();
    cl_free(w);
    w = NULL;
    return is_good;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 2000, first = 1, bad = 0, tasks = 0;
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--seeds") == 0   ? &seeds
                           : strcmp(argv[i], "--first") == 0 ? &first
                                                             : NULL;
        if (!number || i + 1 == argc)
            return fprintf(stderr, "usage: %s [--seeds N] [--first S]\n", argv[0]), 2;
        *number = strtoull(argv[++i], NULL, 10);
    }
    printf("1..1\n");
    for (uint64_t s = first; s < first + seeds && bad == 0; s++)
        bad = run_seed(s, false, &tasks) ? 0 : s;
    if (bad) {
        run_seed(bad, true, &tasks);
        printf("not ok 1 - seed %" PRIu64
               "; again: worker_simulator --seeds 1 --first %" PRIu64 "\n",
               bad, bad);
    } else {
        printf("ok 1 - %" PRIu64 " seeds: %" PRIu64 " tasks\n", seeds, tasks);
    }
    return bad != 0;
}
