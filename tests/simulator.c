/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator: drives the scheduler core through random runs and checks every step
 * against a model that shares nothing with it (simulator_model.h).
 *
 * A seed decides everything: plan, places, workers, budget (from the exact minimum
 * upward), scratch, the order in which things end, failures, cancels, lost places. A
 * seed that fails is run again with its trace printed.
 *
 *     simulator [--seeds N] [--first S] [--verbose]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/core_internal.h"
#include "simulator_model.h"

enum { AMPLE = 1000000, MOST_STEPS = 100000 };

typedef struct {
    dice d;
    plans plans;
    cl_plan view; /* what the core sees of the plan: its first segments */
    cl_core *core;
    model m;
    uint32_t batch, loses;
    bool fits; /* as far as its first segments go */
    bool fails, cancels, lazy, has_adopted, must_succeed;
    bool canceled, block_failed;
    uint32_t first_failed; /* lowest rank of a failed task */
    uint32_t before;       /* lowest idle task when last drained */
} run;

static uint64_t choose_budget(dice *d, const cl_plan *plan)
{
    const uint64_t minimum = random_plan_minimum(plan);
    switch (dice_below(d, 5)) {
    case 0:
        return AMPLE;
    case 1:
    case 2:
        return minimum;
    case 3:
        return minimum + dice_below(d, 8);
    default:
        return minimum + dice_below(d, 60);
    }
}

/* Pages of everything in the first segments, and the largest workspace. */
static uint64_t all_pages(const cl_plan *plan, uint32_t nsegment)
{
    uint64_t all = 0, extra = 0;
    for (uint32_t i = 0; i < nsegment; i++)
        for (uint32_t b = 0; b < plan->segment[i].nblock; b++)
            if (!(plan->segment[i].block[b].flags & CL_BLOCK_RESIDENT))
                all += plan->segment[i].block[b].pages;
    for (uint32_t i = 0; i < plan->nstage; i++)
        if (plan->stage[i].workspace_pages > extra)
            extra = plan->stage[i].workspace_pages;
    return all + extra;
}

/* Nothing is loaded in the first segments. */
static void make_resident(run *r)
{
    const cl_plan *plan = &r->plans.plan;
    const uint32_t n = dice_one_in(&r->d, 4) ? 1 : plan->nsegment;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t b = 0; b < plan->segment[i].nblock; b++)
            if (plan->segment[i].block[b].flags & CL_BLOCK_SOURCE)
                plan->segment[i].block[b].flags ^= CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT;
}

/* The first segments fit, all of them mostly; workspaces of several tasks may not. */
static void choose_fitting(run *r, cl_core_limits *l)
{
    const cl_plan *plan = &r->plans.plan;
    const uint64_t minimum = random_plan_minimum(plan);
    const uint32_t n = dice_one_in(&r->d, 4) ? 1 : plan->nsegment;
    l->budget_pages = all_pages(plan, n) + dice_below(&r->d, 6);
    if (l->budget_pages < minimum)
        l->budget_pages = minimum;
    l->nplace = 1;
    l->scratch_pages = AMPLE;
    r->must_succeed = true;
}

static cl_core_limits choose_limits(run *r)
{
    dice *d = &r->d;
    cl_core_limits l = {.budget_pages = choose_budget(d, &r->plans.plan),
                        .scratch_pages = AMPLE,
                        .nplace = dice_one_in(d, 3) ? 2 + dice_below(d, 2) : 1,
                        .prefetch = dice_below(d, 7),
                        .loads = dice_below(d, 4),
                        .policy = dice_one_in(d, 8) ? CL_EVICT_LRU : CL_EVICT_FARTHEST};
    r->must_succeed = true;
    if (dice_one_in(d, 4)) {
        l.scratch_pages = dice_below(d, 20);
        r->must_succeed = l.budget_pages == AMPLE;
    }
    if (dice_one_in(d, 30) && l.budget_pages > 0 && l.budget_pages < AMPLE) {
        l.budget_pages--;
        r->must_succeed = false;
    }
    if (r->fits)
        choose_fitting(r, &l);
    return l;
}

/* By the core's own count, which the model's need not agree with before actions are
 * drained. */
static void check_reserved(run *r)
{
    for (uint32_t p = 0; p < r->m.nplace; p++)
        if (r->core->place[p].reserved > r->m.budget)
            model_fail(&r->m, "place %u has %" PRIu64 " of %" PRIu64 " pages reserved",
                       p, r->core->place[p].reserved, r->m.budget);
}

/* Blocks of an earlier run: in memory while they fit, else in scratch. */
static void choose_adopted(run *r, cl_core_limits *l, bool *in_scratch)
{
    uint64_t memory = 0, scratch = 0;
    for (uint32_t b = 0; b < r->m.nblock; b++) {
        const cl_block *block = plans_find_block(&r->plans.plan, b);
        if (block->producer != CL_NONE || block->flags != CL_BLOCK_PERSIST)
            continue;
        r->has_adopted = true;
        in_scratch[b] =
            memory + block->pages > l->budget_pages || dice_one_in(&r->d, 2);
        *(in_scratch[b] ? &scratch : &memory) += block->pages;
    }
    if (l->scratch_pages < scratch)
        l->scratch_pages = scratch;
    r->m.scratch = l->scratch_pages;
}

static void adopt(run *r, const bool *in_scratch)
{
    for (uint32_t b = 0; b < r->m.nblock; b++) {
        const cl_block *block = plans_find_block(&r->plans.plan, b);
        if (block->producer != CL_NONE || block->flags != CL_BLOCK_PERSIST)
            continue;
        const bool fits = r->m.place[0].used + block->pages <= r->m.budget;
        if (!fits && cl_core_adopt(r->core, b, false))
            model_fail(&r->m, "block %u is adopted without room for it", b);
        if (!cl_core_adopt(r->core, b, in_scratch[b]))
            model_fail(&r->m, "block %u is not adopted though there is room for it", b);
        model_adopt(&r->m, b, in_scratch[b]);
        check_reserved(r);
    }
}

static void remember_lowest(run *r)
{
    const uint32_t lowest = model_lowest_idle(&r->m);
    r->before = lowest < r->before ? lowest : r->before;
}

/* The core may give up by itself where memory or scratch cannot do. */
static void notice_failure(run *r)
{
    uint32_t task, block;
    check_reserved(r);
    const clast_status status = cl_core_failure(r->core, &task, &block);
    if (status == CLAST_OK || r->m.stopped)
        return;
    r->m.stopped = true;
    if (r->must_succeed || (status != CLAST_EBUDGET && status != CLAST_ENOSPACE))
        model_fail(&r->m, "the core failed with %s at task %u, block %u",
                   clast_status_name(status), task, block);
}

static void drain(run *r)
{
    cl_action a;
    while (!r->m.failed && cl_core_next_action(r->core, &a))
        model_action(&r->m, &a, r->before);
    r->before = CL_NONE;
    notice_failure(r);
}

static size_t take(run *r, uint16_t p)
{
    cl_start starts[8];
    model_place *place = &r->m.place[p];
    const uint32_t room = place->workers * r->batch - place->busy;
    remember_lowest(r);
    const size_t n =
        cl_core_take(r->core, p, starts, room < r->batch ? room : r->batch);
    const uint32_t before = r->before;
    drain(r);
    if (!r->m.failed)
        model_starts(&r->m, starts, n, p);
    r->before = before;
    drain(r);
    return n;
}

static void post(run *r, const cl_event *event)
{
    remember_lowest(r);
    cl_core_post(r->core, event);
    notice_failure(r);
    if (!r->lazy || dice_one_in(&r->d, 3))
        drain(r);
}

static void end_job(run *r)
{
    const uint32_t i = dice_below(&r->d, r->m.njob);
    const job j = r->m.job[i];
    bool well = !(r->fails && dice_one_in(&r->d, 40));
    if (j.orphan)
        well = dice_one_in(&r->d, 2);
    if (r->lazy)
        drain(r);
    remember_lowest(r);
    const cl_event event = model_end_job(&r->m, i, well);
    if (!well && !j.orphan) {
        r->m.stopped = true;
        if (j.kind == JOB_TASK && j.id < r->first_failed)
            r->first_failed = j.id;
        r->block_failed = r->block_failed || j.kind != JOB_TASK;
    }
    post(r, &event);
}

/* Somebody of a place that was given up speaks after all. */
static void haunt(run *r)
{
    if (r->m.nghost == 0)
        return;
    const cl_event event = model_ghost(&r->m, dice_below(&r->d, r->m.nghost));
    post(r, &event);
}

static void append(run *r)
{
    const uint32_t i = r->view.nsegment;
    cl_error error = {0};
    if (i == r->plans.plan.nsegment)
        return;
    model_say(&r->m, "append segment %u", i);
    r->view.nsegment++;
    if (cl_core_append(r->core, &r->view.segment[i], &error) != CLAST_OK)
        model_fail(&r->m, "append: %s", error.text);
    r->m.segments++;
    remember_lowest(r);
    drain(r);
}

static void release(run *r)
{
    const uint32_t b = dice_below(&r->d, r->m.nblock);
    const uint8_t flags = plans_find_block(&r->plans.plan, b)->flags;
    if (r->view.nsegment < r->plans.plan.nsegment || !(flags & CL_BLOCK_PERSIST) ||
        r->m.released[b])
        return;
    model_say(&r->m, "release %u", b);
    r->m.released[b] = true;
    cl_core_release(r->core, b);
    remember_lowest(r);
    drain(r);
}

static void lose(run *r)
{
    const uint16_t p = (uint16_t)dice_below(&r->d, r->m.nplace);
    if (r->loses == 0 || r->has_adopted) /* those cannot be made again */
        return;
    r->loses--;
    const cl_event event = {.kind = CL_EVENT_LOST,
                            .place = p,
                            .epoch = r->m.place[p].epoch,
                            .task = CL_NONE,
                            .block = CL_NONE};
    drain(r);
    model_lose(&r->m, p);
    cl_core_post(r->core, &event);
    drain(r);
}

static void cancel(run *r)
{
    if (!r->cancels)
        return;
    model_say(&r->m, "cancel");
    r->canceled = r->m.stopped = true;
    cl_core_cancel(r->core);
    drain(r);
}

static bool is_over(run *r)
{
    return cl_core_is_finished(r->core) &&
           (r->m.stopped || r->view.nsegment == r->plans.plan.nsegment);
}

/* Nothing is under way: some place must find something to do. */
static void push_on(run *r)
{
    size_t n = 0;
    const uint32_t jobs = r->m.njob;
    if (r->view.nsegment < r->plans.plan.nsegment)
        append(r);
    for (uint32_t p = 0; p < r->m.nplace; p++)
        n += take(r, (uint16_t)p);
    if (n == 0 && r->m.njob == jobs && !is_over(r) && !r->m.failed &&
        r->view.nsegment == r->plans.plan.nsegment)
        model_fail(&r->m, "nothing is under way and nothing starts");
}

static void step(run *r)
{
    const uint32_t what = dice_below(&r->d, 200);
    const uint16_t p = (uint16_t)dice_below(&r->d, r->m.nplace);
    if (what == 0)
        lose(r);
    else if (what == 1)
        cancel(r);
    else if (what < 8)
        append(r);
    else if (what < 14)
        release(r);
    else if (what < 24 && r->m.nghost > 0)
        haunt(r);
    else if (r->m.njob == 0)
        push_on(r);
    else if (what < 100 && r->m.place[p].busy < r->m.place[p].workers * r->batch)
        take(r, p);
    else
        end_job(r);
}

static void check_failure(run *r)
{
    uint32_t task, block;
    const clast_status status = cl_core_failure(r->core, &task, &block);
    if (!r->m.stopped && status != CLAST_OK)
        model_fail(&r->m, "a good run reports %s", clast_status_name(status));
    if (r->first_failed != CL_NONE && !r->block_failed &&
        (status != CLAST_EIO || task != r->first_failed))
        model_fail(&r->m, "task %u is reported, task %u failed first", task,
                   r->first_failed);
    if (r->canceled && r->first_failed == CL_NONE && !r->block_failed &&
        status != CLAST_ECANCELED)
        model_fail(&r->m, "a canceled run reports %s", clast_status_name(status));
}

static void check_counts(run *r)
{
    const cl_core_counts c = cl_core_get_counts(r->core);
    if (c.done != r->m.ntask + c.rearmed)
        model_fail(&r->m, "%" PRIu64 " tasks done, %u planned, %" PRIu64 " armed again",
                   c.done, r->m.ntask, c.rearmed);
    if (c.peak_pages > r->m.budget)
        model_fail(&r->m, "a peak of %" PRIu64 " pages", c.peak_pages);
    if (c.peak_scratch_pages != r->m.peak_scratch && !r->m.lost)
        model_fail(&r->m, "a peak of %" PRIu64 " pages in scratch, counted %" PRIu64,
                   c.peak_scratch_pages, r->m.peak_scratch);
}

/* Nothing is under way: nor does the core count anything that is, and what it has
 * reserved is what is there. A count that is wrong breaks no rule at once; it makes the
 * core wait for what does not come, or throw out what it need not. */
static void check_rest(run *r)
{
    for (uint32_t p = 0; p < r->m.nplace; p++) {
        const cl_place *c = &r->core->place[p];
        const model_place *m = &r->m.place[p];
        if (c->leaving || c->staging || c->loading || c->inflight || c->running)
            model_fail(&r->m,
                       "at rest place %u counts %" PRIu64 " pages leaving, %" PRIu64
                       " of staging, %u loads, %u transfers, %u tasks",
                       p, c->leaving, c->staging, c->loading, c->inflight, c->running);
        if (c->reserved != m->used || c->scratch != m->scratch)
            model_fail(&r->m,
                       "at rest place %u counts %" PRIu64 " pages and %" PRIu64
                       " in scratch, has %" PRIu64 " and %" PRIu64,
                       p, c->reserved, c->scratch, m->used, m->scratch);
    }
}

static void simulate(run *r)
{
    uint32_t steps = 0;
    while (!r->m.failed && !is_over(r)) {
        if (++steps > MOST_STEPS)
            model_fail(&r->m, "no end after %d steps", MOST_STEPS);
        step(r);
        if (r->lazy && r->m.njob == 0)
            drain(r);
    }
    if (r->m.failed)
        return;
    if (r->m.njob > 0)
        model_fail(&r->m, "finished with %u jobs under way", r->m.njob);
    check_failure(r);
    check_rest(r);
    if (r->m.stopped)
        return;
    check_counts(r);
    model_check_end(&r->m, r->core);
}

static void set_up(run *r)
{
    cl_core_limits limits = choose_limits(r);
    cl_error error = {0};
    if (!model_init(&r->m, &r->plans.plan, &limits)) {
        model_fail(&r->m, "no memory");
        return;
    }
    bool *in_scratch = cl_calloc(r->m.nblock + (size_t)1, sizeof *in_scratch);
    if (in_scratch == NULL) {
        model_fail(&r->m, "no memory");
        return;
    }
    choose_adopted(r, &limits, in_scratch);
    r->batch = dice_one_in(&r->d, 3) ? 1 + dice_below(&r->d, 8) : 1;
    for (uint32_t p = 0; p < limits.nplace; p++)
        r->m.place[p].workers = 1 + dice_below(&r->d, 3);
    r->fails = dice_one_in(&r->d, 6);
    r->cancels = dice_one_in(&r->d, 8);
    r->loses = dice_one_in(&r->d, 3) ? 1 + dice_below(&r->d, 3) : 0;
    r->lazy = dice_one_in(&r->d, 2);
    r->view = r->plans.plan;
    r->view.nsegment = r->m.segments = 1;
    if (cl_core_new(&r->core, &r->view, &limits, &error) != CLAST_OK)
        model_fail(&r->m, "new: %s", error.text);
    else
        adopt(r, in_scratch);
    cl_free(in_scratch);
    model_say(&r->m,
              "%u tasks, %u blocks, %u segments, %u places, budget %" PRIu64
              ", scratch %" PRIu64 ", prefetch %u",
              r->m.ntask, r->m.nblock, r->plans.plan.nsegment, limits.nplace,
              limits.budget_pages, limits.scratch_pages, limits.prefetch);
}

static void say_plan(const run *r)
{
    static const char *const mode[] = {"R", "W", "RW", "ACC"};
    for (uint32_t b = 0; b < r->m.nblock; b++) {
        const cl_block *block = plans_find_block(&r->plans.plan, b);
        model_say(&r->m, "block %u: %u + %u pages, flags %u, producer %d", b,
                  block->pages, block->load_pages, block->flags, (int)block->producer);
    }
    for (uint32_t t = 0; t < r->m.ntask; t++) {
        const plans_operands o = plans_find_task(&r->plans.plan, t);
        char text[200] = "";
        size_t at = 0;
        for (uint32_t i = 0; i < o.n && at + 20 < sizeof text; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, " %s %u",
                                   mode[cl_operand_mode(o.at[i])],
                                   cl_operand_block(o.at[i]));
        model_say(&r->m, "task %u:%s, workspace %u", t, text,
                  r->plans.plan.stage[o.stage].workspace_pages);
    }
}

/* True: the run kept all promises. */
static bool run_seed(uint64_t seed, bool verbose, cl_core_counts *sum)
{
    run *r = cl_calloc(1, sizeof *r);
    const uint64_t live = r == NULL ? 0 : cl_alloc_live();
    if (r == NULL)
        return false;
    r->d = dice_of(seed);
    r->first_failed = r->before = CL_NONE;
    random_plan(&r->plans, &r->d);
    r->fits = seed % 10 == 5;
    if (r->fits)
        make_resident(r);
    set_up(r);
    r->m.verbose = verbose;
    if (verbose)
        say_plan(r);
    if (!r->m.failed)
        simulate(r);
    if (r->core != NULL) {
        const cl_core_counts c = cl_core_get_counts(r->core);
        sum->done += c.done;
        sum->rearmed += c.rearmed;
        sum->spilled_pages += c.spilled_pages;
        sum->loaded_pages += c.loaded_pages;
    }
    cl_core_free(r->core);
    plans_fini(&r->plans);
    model_fini(&r->m);
    if (!r->m.failed && cl_alloc_live() != live)
        model_fail(&r->m, "%" PRIu64 " bytes leaked", cl_alloc_live() - live);
    const bool ok = !r->m.failed;
    if (!ok && verbose)
        printf("# seed %" PRIu64 ": %s\n", seed, r->m.message);
    cl_free(r);
    return ok;
}

static uint64_t number(const char *text)
{
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    uint64_t seeds = 20000, first = 1, bad = 0;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = number(argv[++i]);
        else if (strcmp(argv[i], "--first") == 0)
            first = number(argv[++i]);
        else if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else
            return fprintf(stderr, "usage: %s [--seeds N] [--first S] [--verbose]\n",
                           argv[0]),
                   2;
    }
    cl_core_counts sum = {0}, again = {0};
    printf("1..1\n");
    for (uint64_t s = first; s < first + seeds && bad == 0; s++) {
        if (run_seed(s, verbose, &sum))
            continue;
        bad = s;
        if (!verbose)
            run_seed(s, true, &again);
    }
    if (bad != 0)
        printf("not ok 1 - seed %" PRIu64
               "; replay: simulator --seeds 1 --first %" PRIu64 " --verbose\n",
               bad, bad);
    else
        printf("ok 1 - %" PRIu64 " seeds: %" PRIu64 " tasks done, %" PRIu64
               " armed again, %" PRIu64 " pages loaded, %" PRIu64 " spilled\n",
               seeds, sum.done, sum.rearmed, sum.loaded_pages, sum.spilled_pages);
    return bad != 0;
}
