/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tiny tasks in their order, without the core.
 *
 * Where everything fits and nothing is loaded a task waits for nothing but the tasks
 * that make what it reads, and these have lower ranks. So nobody has to be asked what
 * is next. The ranks are dealt out in pieces of a few to as many lanes as there are
 * workers; a worker runs its lane, in rank order, and before each task waits until what
 * it reads is made. One word a lane, `done`, says how far it is. Between two processors
 * travel that word and what was made, as in a loop that somebody wrote by hand.
 *
 * A worker may come late, or lose its processor. So it leases its lane for LEASE pieces
 * at a time. Who has looked 50 us for something that nobody has leased takes that lease
 * himself, and the next ones at once, until the lane's own worker is back. Who waits
 * longer for what somebody else has leased naps for a quarter of the time that it has
 * waited. So nobody has to be woken: for that each task would have to look whether
 * somebody sleeps, behind a fence.
 *
 * INVARIANTS
 *   - a lease is one worker's; it begins when the lane is done up to there
 *   - all tasks of a lane below its `done` are done, and what they made can be read
 *   - of the tasks that it has leased a worker runs the lowest
 *   - what a task makes is in its worker's pool (pool.h) until all lanes are past the
 *     last reader
 *
 * It cannot come to a stop. Of the tasks that are not done take the lowest: what it
 * reads is made. If it is leased, its worker has nothing lower and runs it. Otherwise
 * the lane's worker leases it, or one that waits; and whoever does not run a task waits
 * for a lower one. A task that fails ends the run at its rank: `end` is lowered to it,
 * and lower ranks, which need nothing of it, are run. So the failure of lowest rank is
 * the one that is reported.
 *
 * MEMORY. A worker knows that all tasks below `low` are done, and runs none that is
 * more than WINDOW ranks a worker above it. So what is alive, besides the blocks that
 * rank order has at the least `low` of all workers, was made in twice that many ranks.
 * With what pools keep that is within the prediction (cl_needs_peak), and so is that no
 * more is taken than all blocks and a workspace for each worker.
 *
 * Cost: some 10 instructions an operand, 100 a task; the mutex only for memory.
 */
#include "sched/in_order_internal.h"

#include "base/least.h"

#include <math.h>

#define LOOK_TIME 50e-6 /* seconds to look for what nobody has leased */
#define MOST_NAP  1e-3

/* Ranks that a worker runs ahead, for each worker; pieces of a lease; looks between two
 * readings of the clock. */
enum { WINDOW = 32, LEASE = 8, LOOKS = 4 };

/* How it went. */
typedef enum {
    WENT_ON,
    AGAIN, /* there is a lower task to be run first */
    OVER   /* the run ends before this task */
} way;

/* ---- the end ---- */

static bool is_over(const cl_runner *r, uint32_t task)
{
    return task >= atomic_load_explicit(&r->o->end, memory_order_relaxed);
}

/* The run ends before this task. With the mutex. */
static void end_at(cl_in_order *o, uint32_t task, clast_status status)
{
    if (task >= atomic_load_explicit(&o->end, memory_order_relaxed))
        return;
    o->status = status;
    o->failed = task;
    atomic_store_explicit(&o->end, task, memory_order_relaxed);
}

static void look_for_cancel(cl_runner *r)
{
    cl_driver *const d = r->o->driver;
    if (atomic_load_explicit(&d->engine->state, memory_order_relaxed) !=
        CL_ENGINE_CANCELED)
        return;
    cl_mutex_lock(d->mutex);
    if (r->o->status == CLAST_OK)
        end_at(r->o, 0, CLAST_ECANCELED);
    cl_mutex_unlock(d->mutex);
}

static way fail(cl_runner *r, uint32_t task, clast_status status)
{
    cl_driver *const d = r->o->driver;
    cl_mutex_lock(d->mutex);
    cl_driver_fail(d, task, CL_NONE, &r->err);
    end_at(r->o, task, status);
    cl_mutex_unlock(d->mutex);
    return OVER;
}

/* ---- lanes and leases ---- */

static uint32_t lane_of(const cl_runner *r, uint32_t task)
{
    const uint32_t piece = task >> r->o->shift, n = r->n;
    return n & (n - 1) ? piece % n : piece & (n - 1);
}

/* The first task of a lane's piece; there may be none so high. */
static uint32_t first_of(const cl_runner *r, uint32_t l, uint32_t piece)
{
    const uint64_t task = ((uint64_t)piece * r->n + l) << r->o->shift;
    return (uint32_t)cl_lesser_u(task, CL_NONE);
}

static uint32_t leased(const cl_runner *r, uint32_t l)
{
    return atomic_load_explicit(&r->o->runner[l].lane.leased, memory_order_relaxed);
}

/* Takes the lease of the lane that begins there; false: another one just did. */
static bool lease(cl_runner *r, uint32_t l, uint32_t piece)
{
    cl_share *const s = &r->share[l];
    uint32_t expected = piece;
    if (!atomic_compare_exchange_strong_explicit(
            &r->o->runner[l].lane.leased, &expected, piece + LEASE,
            memory_order_relaxed, memory_order_relaxed))
        return false;
    s->at = first_of(r, l, piece);
    s->until = first_of(r, l, piece + LEASE);
    s->leased = piece + LEASE;
    return true;
}

/* Takes the lease that the task is in if nobody has it; at once where this worker had
 * the lane's last lease, for that lane's worker did not come. */
static bool help(cl_runner *r, uint32_t l, uint32_t task, double waited)
{
    const uint32_t piece = leased(r, l);
    if (first_of(r, l, piece) > task ||
        (waited < LOOK_TIME && (piece == 0 || piece != r->share[l].leased)))
        return false;
    if (!lease(r, l, piece))
        return false;
    r->helps = true;
    return true;
}

static uint32_t look_at(cl_runner *r, uint32_t l)
{
    r->share[l].seen =
        atomic_load_explicit(&r->o->runner[l].lane.done, memory_order_acquire);
    return r->share[l].seen;
}

static void nap(cl_runner *r, double waited)
{
    look_for_cancel(r);
    cl_thread_nap(fmin(waited / 4, MOST_NAP));
}

/* Until the lane is past `needed`, without which `task` cannot be run. */
static way wait_for(cl_runner *r, uint32_t l, uint32_t needed, uint32_t task)
{
    if (look_at(r, l) > needed)
        return WENT_ON;
    const double begin = cl_clock();
    double waited = 0;
    way went = WENT_ON;
    for (uint32_t looks = 0; look_at(r, l) <= needed; looks++) {
        went = is_over(r, task) ? OVER : help(r, l, needed, waited) ? AGAIN : WENT_ON;
        if (went != WENT_ON)
            break;
        cl_thread_relax();
        if (looks % LOOKS == 0)
            waited = cl_clock() - begin;
        if (waited > LOOK_TIME)
            nap(r, waited);
    }
    r->waited += waited;
    return went;
}

/* Until the task `needed` is done. */
static inline way await(cl_runner *r, uint32_t needed, uint32_t task)
{
    if (needed < r->low)
        return WENT_ON;
    const uint32_t l = lane_of(r, needed);
    return r->share[l].seen > needed ? WENT_ON : wait_for(r, l, needed, task);
}

/* `low` from what was seen. */
static void find_low(cl_runner *r)
{
    uint32_t low = r->share[0].seen;
    for (uint32_t l = 1; l < r->n; l++)
        low = r->share[l].seen < low ? r->share[l].seen : low;
    r->low = low;
}

/* Until the task is within the window. */
static way keep_near(cl_runner *r, uint32_t task)
{
    const uint32_t most = WINDOW * r->n;
    way went = WENT_ON;
    if (task <= most || task - most <= r->low)
        return WENT_ON;
    for (uint32_t l = 0; went == WENT_ON && l < r->n; l++)
        if (r->share[l].seen < task - most)
            went = wait_for(r, l, task - most - 1, task);
    find_low(r);
    return went;
}

/* ---- tasks ---- */

typedef struct {
    uint32_t id, copy_mask;
    const cl_stage *stage;
    const uint32_t *operand, *outputs, *end; /* outputs: where they begin at least */
} job;

static job job_of(const cl_runner *r, uint32_t id)
{
    const cl_segment *const s = r->o->s;
    job j = {.id = id,
             .stage = &r->o->driver->plan->stage[s->task_stage[id]],
             .operand = s->operand + s->operand_start[id],
             .end = s->operand + s->operand_start[id + 1]};
    j.outputs = j.stage->outputs > 0 ? j.end - j.stage->outputs : j.operand;
    return j;
}

/* Whether the buffer of the block that the operand renews becomes the next version's:
 * where nobody else wants it once its other readers are done. */
static bool takes_over(const cl_runner *r, const job *j, const uint32_t *renewed)
{
    const cl_segment *const s = r->o->s;
    const uint32_t old = cl_operand_block(renewed[0]);
    const uint32_t next = cl_operand_block(renewed[1]);
    return !(s->block[old].flags & (CL_BLOCK_PERSIST | CL_BLOCK_RESIDENT)) &&
           s->block[old].pages == s->block[next].pages &&
           s->consumer[s->consumer_start[old + 1] - 1] == j->id;
}

/* All but the last one, which overwrites it. */
static way await_readers(cl_runner *r, uint32_t block, uint32_t task)
{
    const cl_segment *const s = r->o->s;
    const uint32_t last = s->consumer_start[block + 1] - 1;
    way went = WENT_ON;
    for (uint32_t c = s->consumer_start[block]; went == WENT_ON && c < last; c++)
        went = await(r, s->consumer[c], task);
    return went;
}

static way await_operands(cl_runner *r, const job *j)
{
    const uint32_t *const end = j->stage->outputs > 0 ? j->outputs : j->end;
    way went = WENT_ON;
    for (const uint32_t *at = j->operand; went == WENT_ON && at < end; at++) {
        const cl_mode mode = cl_operand_mode(*at);
        const uint32_t block = cl_operand_block(*at);
        const uint32_t producer = r->o->s->block[block].producer;
        if (mode != CL_W && producer != CL_NONE)
            went = await(r, producer, j->id);
        if (mode != CL_W && mode != CL_R && went == WENT_ON && takes_over(r, j, at))
            went = await_readers(r, block, j->id);
    }
    return went;
}

static bool make(cl_runner *r, uint32_t block, uint32_t task)
{
    cl_pool *const pool = &r->pool;
    if (cl_pool_has(pool, r->o->s->block[block].pages))
        return cl_pool_make(pool, block, task);
    find_low(r);
    if (pool->soonest != CL_NONE && pool->soonest >= r->low) {
        for (uint32_t l = 0; l < r->n; l++)
            if (r->share[l].seen <= pool->soonest)
                look_at(r, l);
        find_low(r);
    }
    cl_pool_collect(pool, r->low);
    return cl_pool_make(pool, block, task);
}

static bool make_outputs(cl_runner *r, job *j)
{
    uint32_t bit = 1;
    bool is_made = true;
    for (const uint32_t *at = j->outputs; is_made && at < j->end; at++) {
        const cl_mode mode = cl_operand_mode(*at);
        const uint32_t block = cl_operand_block(*at);
        if (mode == CL_W)
            is_made = make(r, block, j->id);
        if (mode == CL_R || mode == CL_W)
            continue;
        const uint32_t next = cl_operand_block(at[1]);
        if (takes_over(r, j, at)) {
            is_made = cl_pool_take_over(&r->pool, block, next, j->id);
        } else {
            is_made = make(r, next, j->id);
            j->copy_mask |= bit;
        }
        bit <<= 1;
        at++;
    }
    return is_made;
}

static way run_task(cl_runner *r, uint32_t id)
{
    job j = job_of(r, id);
    way went = keep_near(r, id);
    if (went == WENT_ON)
        went = await_operands(r, &j);
    if (went != WENT_ON)
        return went;
    r->err.status = CLAST_OK;
    clast_status status = CLAST_OK;
    if (cl_pool_has_workspace(&r->pool, j.stage->workspace_pages) &&
        make_outputs(r, &j))
        status = cl_exec_task(r->o->driver->exec, id, j.copy_mask, r->pool.workspace,
                              &r->err);
    else
        status = cl_error_set(&r->err, CLAST_ENOMEM,
                              "%s: no address space for a task's blocks",
                              j.stage->label ? j.stage->label : "task");
    return status == CLAST_OK ? WENT_ON : fail(r, id, status);
}

/* ---- a worker ---- */

/* Those of a piece are one batch. */
static void trace_tasks(const cl_runner *r, uint32_t first, uint32_t end, double begin)
{
    const cl_driver *const d = r->o->driver;
    uint32_t task[CL_MOST_PIECE], n = 0;
    for (uint32_t t = first; t < end; t++)
        task[n++] = t;
    cl_trace_add_tasks(&d->engine->trace, r->own, d->plan, task, n, begin, cl_clock());
}

/* What is left of the piece that is next in the lane. */
static way run_piece(cl_runner *r, uint32_t l)
{
    cl_share *const s = &r->share[l];
    const uint32_t first = s->at, piece = first >> r->o->shift;
    const uint32_t next = first_of(r, l, piece / r->n + 1);
    const uint32_t end =
        (uint32_t)cl_lesser_u(((uint64_t)piece + 1) << r->o->shift, r->o->s->ntask);
    /* Who leased what comes before may still be at it. */
    way went = s->seen >= first ? WENT_ON : wait_for(r, l, first - 1, first);
    const double begin = r->is_traced ? cl_clock() : 0;
    uint32_t t = first;
    while (went == WENT_ON && t < end) {
        went = is_over(r, t) ? OVER : run_task(r, t);
        if (went != WENT_ON)
            break;
        s->seen = ++t < end ? t : next;
        atomic_store_explicit(&r->o->runner[l].lane.done, s->seen,
                              memory_order_release);
    }
    s->at = t < end ? t : next;
    if (r->is_traced)
        trace_tasks(r, first, t, begin);
    return went;
}

/* The lane whose next task is the lowest that this worker has leased: its own one, if
 * it helps nobody. */
static uint32_t choose_lane(cl_runner *r)
{
    uint32_t best = r->own;
    bool helps = false;
    for (uint32_t l = 0; r->helps && l < r->n; l++) {
        const cl_share *const s = &r->share[l];
        if (l == r->own || s->at >= s->until)
            continue;
        helps = true;
        best = s->at < r->share[best].at ? l : best;
    }
    r->helps = helps;
    return best;
}

/* Nobody leaves before all is done: the last tasks of a lane may be nobody's yet. */
static way see_to_others(cl_runner *r)
{
    const uint32_t last = r->o->s->ntask - 1;
    way went = WENT_ON;
    for (uint32_t l = 0; went == WENT_ON && l < r->n; l++)
        went = wait_for(r, l, last, last);
    return went == AGAIN ? AGAIN : OVER;
}

/* Those who want to know how far the run is. */
static void look_on(cl_runner *r)
{
    cl_driver *const d = r->o->driver;
    const double now = cl_clock();
    if (now < r->due)
        return;
    cl_mutex_lock(d->mutex);
    if (now >= d->due)
        cl_driver_look_on(d, now);
    r->due = d->due;
    cl_mutex_unlock(d->mutex);
}

static void begin_worker(cl_runner *r, uint32_t n)
{
    cl_driver *const d = r->o->driver;
    r->n = n;
    r->is_traced = d->engine->trace.lanes > 0;
    atomic_store_explicit(&r->o->n, n, memory_order_relaxed);
    cl_mutex_lock(d->mutex);
    d->workers = (int)n;
    r->due = d->due;
    cl_mutex_unlock(d->mutex);
}

static void end_worker(cl_runner *r, double seconds)
{
    cl_driver *const d = r->o->driver;
    cl_mutex_lock(d->mutex);
    cl_pool_empty(&r->pool);
    d->busy += seconds - r->waited;
    d->wait_task += r->waited;
    cl_mutex_unlock(d->mutex);
}

void cl_in_order_main(void *driver, int worker, int nworkers)
{
    cl_in_order *const o = ((cl_driver *)driver)->in_order;
    cl_runner *const r = &o->runner[worker];
    cl_share *const own = &r->share[worker];
    const double begin = cl_clock();
    begin_worker(r, (uint32_t)nworkers);
    for (way went = o->s->ntask > 0 ? WENT_ON : OVER; went != OVER;) {
        if (own->at >= own->until && r->due < INFINITY)
            look_on(r); /* with no lease of its own, which nobody else could take */
        while (own->at >= own->until && own->at < o->s->ntask)
            lease(r, r->own, leased(r, r->own));
        const uint32_t l = choose_lane(r);
        look_for_cancel(r);
        went = r->share[l].at < o->s->ntask ? run_piece(r, l) : see_to_others(r);
    }
    end_worker(r, cl_clock() - begin);
}
