/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers.
 *
 * A worker reports what it finished and takes what is next in one short critical
 * section. In order of urgency: stop where the run is over; decode what was fetched,
 * because tasks wait for it; take tasks; read what the page cache has; sleep. While
 * tasks are tiny it takes several at once, as many as ran in the last 20 us or so, so
 * that the mutex is not what is measured, but no more than its share of those that are
 * ready.
 *
 * Waking: whoever leaves tasks that are ready wakes one sleeper; each one that finds
 * work wakes the next. Loads that arrive wake one. While tasks run, a worker that found
 * nothing looks out for 50 us before it sleeps: waking it would take longer than a tiny
 * task. Nobody waits for another worker of the team: a team of one does everything
 * itself, within a parallel region of the host too.
 *
 * The core's tables are some twenty cache lines for a tiny task, which cost more to
 * fetch from the other processor than to use. So who holds the mutex does for others
 * what it can: it puts tasks into the hands of those that look out, and reports what
 * they ran. Who was given tasks does not ask for the mutex after them: it posts them
 * and looks out, for who gave them will be back soon, or is looking for posts already.
 * Only when nobody came for about a microsecond it takes the mutex itself. So one
 * worker has the core's tables as long as tasks are tiny, and what goes to and fro are
 * one or two cache lines a task. `told` of a hand says whose turn it is; but for
 * posting, only the holder of the mutex changes it.
 *
 * Canceling sets a flag and wakes nobody: a sleeping worker implies a running task or
 * transfer, whose end looks at the flag.
 */
#include "sched/alone.h"
#include "sched/transfer.h"

#include "base/alloc.h"

#include <math.h>

#define BATCH      CL_BATCH
#define BATCH_TIME 20e-6 /* seconds that a batch should last at most */
#define SPIN_TIME  50e-6 /* seconds to look out for work before sleeping */
#define PATIENCE   20    /* looks, of some 50 ns, that a report waits for who gave */

typedef struct {
    cl_start start;
    clast_status status;
} run_task;

/* What the holder of the mutex and a worker without it say to each other. */
typedef enum {
    TOLD_NOTHING,
    TOLD_POSTED, /* by the worker: what is in hand was run */
    TOLD_TAKEN,  /* to it: there are tasks in hand */
    TOLD_LOOK    /* to it: take the mutex and see */
} word;

/* What a worker has in hand, in three parts on cache lines of their own. */
typedef struct cl_hand {
    /* With the mutex, or the worker's own between being taken and posted. One task fits
     * on the line of what is said of it, two nearly. */
    _Alignas(64) _Atomic word told;
    uint16_t count, want; /* tasks; how many to take at once */
    uint32_t workspace_pages;
    float seconds;   /* that the tasks took */
    void *workspace; /* of all of them, which run one after another */
    run_task task[BATCH];

    /* With the mutex. */
    _Alignas(64) struct cl_hand *looking; /* next of those that look out */
    bool is_reported;                     /* it is still told that it was posted */

    /* The worker's own. */
    _Alignas(64) cl_driver *driver;
    uint32_t lane;
    double hungry;       /* since when nothing was found; 0: something was */
    double waited;       /* for what was in hand */
    cl_error err[BATCH]; /* of tasks that failed, once they are posted */
} hand;

void *cl_worker_hands(cl_driver *d, int workers)
{
    char *const p = cl_alloc_array((size_t)workers + 1, sizeof *d->hand);
    if (!p)
        return NULL;
    d->hand = (hand *)(void *)(p + (-(uintptr_t)p & (_Alignof(hand) - 1)));
    d->nhand = workers;
    for (int i = 0; i < workers; i++) {
        hand *h = &d->hand[i];
        atomic_init(&h->told, TOLD_NOTHING);
        h->count = 0;
        h->want = 1;
        h->looking = NULL;
        h->is_reported = false;
        h->driver = d;
        h->lane = (uint32_t)i;
        h->hungry = h->waited = 0;
    }
    return p;
}

static word heard(hand *h)
{
    return atomic_load_explicit(&h->told, memory_order_acquire);
}

static void say(hand *h, word told)
{
    atomic_store_explicit(&h->told, told, memory_order_release);
}

/* Whether anybody's tasks wait for being reported; some may have been just now. */
static bool has_posts(const cl_driver *d)
{
    for (int i = 0; i < d->nhand; i++)
        if (heard(&d->hand[i]) == TOLD_POSTED)
            return true;
    return false;
}

static void enlist(hand *h)
{
    h->looking = h->driver->looking;
    h->driver->looking = h;
}

static void delist(hand *h)
{
    hand **at = &h->driver->looking;
    while (*at != h)
        at = &(*at)->looking;
    *at = h->looking;
    h->is_reported = false;
}

/* Nothing can be given for now to those whose tasks were reported. */
static void hush(const cl_driver *d)
{
    for (hand *h = d->looking; h; h = h->looking) {
        if (h->is_reported)
            say(h, TOLD_NOTHING);
        h->is_reported = false;
    }
}

void cl_driver_wake(cl_driver *d)
{
    hand *h = d->looking;
    if (h) {
        delist(h);
        say(h, TOLD_LOOK);
    } else if (d->idle) {
        cl_cond_signal(&d->work);
    }
}

/* ---- tasks; with the mutex ---- */

/* The old version's buffer becomes the new version's. */
static void take_over(cl_driver *d, uint32_t from, uint32_t to)
{
    d->address[to] = d->address[from];
    d->address[from] = NULL;
}

static bool make_block(cl_driver *d, uint32_t block)
{
    d->address[block] = cl_alone_take(d, cl_plan_block(d->plan, block)->pages);
    return d->address[block];
}

/* Addresses for what the task writes. */
static bool make_outputs(cl_driver *d, const cl_task *task, uint32_t copy_mask)
{
    uint32_t renewed = 0, i = 0;
    if (task->stage->outputs > 0)
        i = task->noperand - task->stage->outputs;
    for (; i < task->noperand; i++) {
        const uint32_t block = cl_operand_block(task->operand[i]);
        const cl_mode mode = cl_operand_mode(task->operand[i]);
        if (mode == CL_R)
            continue;
        if (mode == CL_W) {
            if (!make_block(d, block))
                return false;
            continue;
        }
        const uint32_t next = cl_operand_block(task->operand[++i]);
        if (!(copy_mask >> renewed++ & 1u))
            take_over(d, block, next);
        else if (!make_block(d, next))
            return false;
    }
    return true;
}

/* And for what it will read itself. */
static bool make_unread(cl_driver *d, const cl_task *task)
{
    bool is_made = true;
    for (uint32_t i = 0; is_made && i < task->noperand; i++) {
        const uint32_t block = cl_operand_block(task->operand[i]);
        is_made = !d->is_unread[block] || make_block(d, block);
    }
    return is_made;
}

static bool make_blocks(cl_driver *d, const cl_task *task, uint32_t copy_mask)
{
    return make_outputs(d, task, copy_mask) && (d->unread == 0 || make_unread(d, task));
}

static void prepare(hand *h, uint32_t i)
{
    cl_driver *d = h->driver;
    run_task *t = &h->task[i];
    const cl_task task = cl_task_get(d->plan, t->start.task);
    t->status = CLAST_OK;
    if (h->workspace && make_blocks(d, &task, t->start.copy_mask))
        return;
    h->err[i].status = CLAST_OK;
    t->status = cl_error_set(&h->err[i], CLAST_ENOMEM,
                             "%s: no address space for a task's blocks",
                             task.stage->label ? task.stage->label : "task");
}

static void finish(const hand *h, uint32_t i, uint32_t workspace_pages)
{
    cl_driver *d = h->driver;
    const run_task *t = &h->task[i];
    if (t->status != CLAST_OK)
        cl_driver_fail(d, t->start.task, CL_NONE, &h->err[i]);
    cl_core_post(d->core, &(cl_event){
                              .kind = t->status ? CL_EVENT_FAILED : CL_EVENT_DONE,
                              .epoch = t->start.epoch,
                              .task = t->start.task,
                              .block = CL_NONE,
                              .workspace_pages = workspace_pages,
                              .status = t->status,
                          });
}

/* As many of `ready` tasks as it wants, but no more than its share. */
static size_t share(const hand *h, size_t ready)
{
    const size_t workers = (size_t)h->driver->workers;
    const size_t part = (ready + workers - 1) / workers;
    if (h->want == 1 || workers == 1 || part >= h->want)
        return h->want;
    return part ? part : 1;
}

/* Puts up to `most` tasks in hand. */
static void fill(hand *h, size_t most)
{
    cl_driver *d = h->driver;
    cl_start start[BATCH];
    h->count = (uint16_t)cl_core_take(d->core, 0, start, most);
    cl_driver_drain(d);
    if (h->count > 0) {
        h->workspace_pages = start[0].workspace_pages;
        h->workspace = cl_alone_take(d, h->workspace_pages);
    }
    for (uint32_t i = 0; i < h->count; i++) {
        h->task[i].start = start[i];
        prepare(h, i);
    }
    d->running += h->count;
}

/* To one that looks out for work, who then needs neither the mutex nor the core's
 * tables, which are in the caches of who has them. */
static bool give(cl_driver *d, size_t ready)
{
    hand *h = d->looking;
    delist(h); /* filling it may begin loads, which wake those that look out */
    fill(h, share(h, ready));
    if (!h->count) {
        enlist(h);
        say(h, TOLD_NOTHING);
        return false;
    }
    say(h, TOLD_TAKEN);
    return true;
}

static bool take_tasks(hand *h)
{
    cl_driver *d = h->driver;
    const size_t ready = cl_core_ready(d->core);
    const size_t most = share(h, ready);
    while (d->looking && cl_core_ready(d->core) > 1 && give(d, ready))
        ;
    hush(d);
    fill(h, most);
    if (h->count == most && cl_core_ready(d->core))
        cl_driver_wake(d);
    h->hungry = h->count ? 0 : h->hungry;
    return h->count;
}

/* Twice as many next time if these took no time, fewer if they did. Functions of the
 * caller are taken one by one: what one took says nothing of the next. So are all where
 * a worker alone does what was foretold (alone.h). */
static void adapt(hand *h, double seconds)
{
    if (h->driver->has_calls || cl_alone_has(h->driver))
        h->want = 1;
    else if (seconds > BATCH_TIME)
        h->want = h->want > 4 ? h->want / 4 : 1;
    else if (h->count == h->want && seconds < BATCH_TIME / 2 && h->want < BATCH)
        h->want *= 2;
}

static void trace_tasks(const hand *h, double begin, double end)
{
    cl_driver *d = h->driver;
    uint32_t task[BATCH];
    for (uint32_t i = 0; i < h->count; i++)
        task[i] = h->task[i].start.task;
    cl_trace_add_tasks(&d->engine->trace, h->lane, d->plan, task, h->count, begin, end);
}

/* What was taken; without the mutex. Returns the time. */
static double run_tasks(hand *h)
{
    cl_driver *d = h->driver;
    const double first = cl_clock();
    for (uint32_t i = 0; i < h->count; i++) {
        run_task *t = &h->task[i];
        if (t->status != CLAST_OK)
            continue;
        h->err[i].status = CLAST_OK;
        t->status = cl_exec_task(d->exec, t->start.task, t->start.copy_mask,
                                 h->workspace, &h->err[i]);
    }
    const double now = cl_clock();
    if (d->engine->trace.lanes)
        trace_tasks(h, first, now);
    h->seconds = (float)(now - first);
    adapt(h, now - first);
    return now;
}

/* What was run, by its worker or another. */
static void report_tasks(hand *h)
{
    cl_driver *d = h->driver;
    d->busy += (double)h->seconds;
    if (h->workspace)
        cl_memory_give(d->engine->memory, h->workspace, h->workspace_pages);
    for (uint32_t i = 0; i < h->count; i++)
        finish(h, i, i + 1 < h->count ? 0 : h->workspace_pages);
    d->running -= h->count;
    h->count = 0;
}

/* Others that were posted. They go on to be told so until there is something to say. */
static void serve(cl_driver *d)
{
    for (int i = 0; i < d->nhand; i++) {
        hand *h = &d->hand[i];
        if (h->is_reported || heard(h) != TOLD_POSTED)
            continue;
        report_tasks(h);
        enlist(h);
        h->is_reported = true;
    }
}

/* ---- the loop; with the mutex ---- */

static bool is_over(cl_driver *d)
{
    return d->stalled || (cl_core_is_finished(d->core) && !d->transfers && !d->running);
}

static void look_for_cancel(cl_driver *d)
{
    if (d->canceled || atomic_load(&d->engine->state) != CL_ENGINE_CANCELED)
        return;
    d->canceled = true;
    cl_core_cancel(d->core);
    cl_driver_drain(d);
}

/* Nothing runs, nothing is under way, nothing can be taken: that must not be. */
static bool is_stalled(const cl_driver *d)
{
    return !d->running && !d->transfers;
}

static void sleep_until_woken(cl_driver *d)
{
    double *wait = cl_core_wants_memory(d->core) ? &d->wait_memory
                   : d->loads                    ? &d->wait_read
                                                 : &d->wait_task;
    const double begin = cl_clock();
    d->idle++;
    cl_cond_wait(&d->work, d->mutex);
    d->idle--;
    *wait += cl_clock() - begin;
}

/* Without the mutex, until another worker says something, or posts, or `end`. With the
 * mutex after that, unless there are tasks in hand. What was posted waits for so many
 * looks before its worker asks for the mutex. */
static word listen(hand *h, double end, int looks)
{
    cl_driver *d = h->driver;
    for (;;) {
        word told = heard(h);
        for (int i = told == TOLD_POSTED ? looks : 32; i > 0; i--) {
            told = heard(h);
            if (told == TOLD_TAKEN)
                return told;
            if (told == TOLD_LOOK || (told == TOLD_NOTHING && has_posts(d)))
                break;
            cl_thread_relax();
        }
        looks = 2; /* it may be nobody else's turn */
        const bool is_late = told == TOLD_LOOK || cl_clock() >= end;
        if (is_late)
            cl_mutex_lock(d->mutex);
        else if (!has_posts(d) || !cl_mutex_try_lock(d->mutex))
            continue;
        hush(d);
        told = heard(h);
        const bool is_wanted = told != TOLD_NOTHING || has_posts(d);
        if (told == TOLD_TAKEN || !(is_wanted || is_late)) {
            cl_mutex_unlock(d->mutex);
            continue;
        }
        if (told != TOLD_NOTHING)
            return told;
        delist(h);
        return is_wanted ? TOLD_LOOK : TOLD_NOTHING;
    }
}

/* Runs what is in hand and reports it, and goes on while others put more there. Without
 * the mutex; with it in the end. */
static void run_and_report(hand *h, bool is_given)
{
    cl_driver *d = h->driver;
    for (;;) {
        const double now = run_tasks(h);
        word told = TOLD_POSTED;
        if (is_given || !cl_mutex_try_lock(d->mutex)) {
            say(h, TOLD_POSTED);
            told = listen(h, now + SPIN_TIME, is_given ? PATIENCE : 2);
        }
        if (told == TOLD_TAKEN) {
            h->waited += cl_clock() - now;
            is_given = true;
            continue;
        }
        if (told == TOLD_POSTED) {
            say(h, TOLD_NOTHING);
            report_tasks(h);
        }
        serve(d);
        cl_driver_drain(d);
        if (now >= d->due)
            cl_driver_look_on(d, now);
        return;
    }
}

/* Lets the mutex go until another worker has work; false: there was none for long. */
static bool look_out(hand *h)
{
    cl_driver *d = h->driver;
    const double begin = cl_clock();
    if (h->hungry == 0)
        h->hungry = begin;
    const double end = h->hungry + SPIN_TIME;
    if (!d->running || begin >= end)
        return false;
    say(h, TOLD_NOTHING);
    enlist(h);
    cl_mutex_unlock(d->mutex);
    const word told = listen(h, end, 0);
    h->waited += cl_clock() - begin;
    if (told == TOLD_TAKEN) {
        h->hungry = 0;
        run_and_report(h, true);
        return true;
    }
    serve(d); /* of what was posted since it looked, too */
    cl_driver_drain(d);
    return told != TOLD_NOTHING || cl_core_ready(d->core) > 0;
}

void cl_worker_main(void *arg, int worker, int nworkers)
{
    cl_driver *d = arg;
    hand *h = &d->hand[worker];
    cl_mutex_lock(d->mutex);
    d->workers = nworkers;
    while (!is_over(d)) {
        look_for_cancel(d);
        if (cl_transfer_decode(d, h->lane)) {
            if (d->due < INFINITY && cl_clock() >= d->due)
                cl_driver_look_on(d, cl_clock());
            continue;
        }
        if (!d->threads && cl_transfer_io(d, h->lane))
            continue;
        if (take_tasks(h)) {
            cl_mutex_unlock(d->mutex);
            run_and_report(h, false);
            continue;
        }
        if (cl_transfer_read(d, h->lane) || is_over(d) || d->to_decode.first ||
            (!d->threads && d->to_io.first))
            continue;
        d->stalled = is_stalled(d);
        if (!d->stalled && !look_out(h))
            sleep_until_woken(d);
    }
    d->wait_task += h->waited;
    while (d->looking)
        cl_driver_wake(d);
    cl_cond_broadcast(&d->work);
    cl_mutex_unlock(d->mutex);
}
