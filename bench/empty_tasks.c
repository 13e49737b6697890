/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a task costs that does nothing: W x S empty tasks in the patterns of Task Bench
 * (no_comm, stencil with 3 dependences, nearest with 9), each of which makes a block.
 *
 * Tasks are written as lowering writes them, ordered by the planner's ordering pass,
 * and run by pthreads that drive the scheduler core under one spinning lock, in
 * batches, as the driver does with tiny tasks. Printed are nanoseconds a task for each
 * part, the bytes a task of plan and core together, and the most that was resident
 * meanwhile (as the kernel counts pages; 0 where it does not say).
 *
 * Where the budget binds (`--share N`: an N-th of all blocks fits), the core keeps the
 * order of uses, loads and spills are answered at once, and `all` has the dry run that
 * comes first (the run with one worker) as well.
 *
 *     empty_tasks [--tasks N] [--width W] [--batch N] [--pattern NAME] [--share N]
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "graph/draft.h"
#include "sched/core.h"

enum { MOST_BATCH = 256 };

typedef struct {
    const char *name;
    int64_t radius; /* of dependences; no_comm: 0 */
} pattern;

typedef struct {
    int64_t width, steps;
    size_t batch;
    uint64_t budget_pages; /* of blocks, which have a page each */
} setting;

typedef struct {
    cl_core *core;
    size_t batch;
    _Alignas(64) atomic_flag lock;
} bench;

/* Nanoseconds of parts, and bytes. */
typedef struct {
    double build, order, set_up, run[2], planning_bytes, plan_bytes, core_bytes;
} figures;

static void check(clast_status status, const cl_error *err)
{
    if (status == CLAST_OK)
        return;
    fprintf(stderr, "empty_tasks: %s\n", err->text);
    exit(EXIT_FAILURE);
}

/* Bytes of the process as the kernel has them under a name; 0: it does not. */
static double resident(const char *name)
{
    char line[128];
    unsigned long long kib = 0;
    const size_t length = strlen(name);
    FILE *const file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, length) == 0)
            kib = strtoull(line + length, NULL, 10);
    if (file)
        fclose(file);
    return (double)kib * 1024;
}

/* The peak is what is resident now. false: the kernel does not forget it. */
static bool forget_peak(void)
{
    malloc_trim(0);
    FILE *const file = fopen("/proc/self/clear_refs", "w");
    const bool is_written = file && fputs("5", file) >= 0;
    return file && fclose(file) == 0 && is_written;
}

/* Task t of row s reads the blocks at most `radius` away in row s - 1 and writes block
 * s * width + t. */
static clast_status write_tasks(cl_draft *d, const pattern *p, const setting *s)
{
    uint32_t first;
    CL_TRY(cl_lower_blocks(d, s->width * s->steps, &first));
    for (int64_t step = 0; step < s->steps; step++)
        for (int64_t t = 0; t < s->width; t++) {
            const int64_t lo = t < p->radius ? 0 : t - p->radius;
            const int64_t end = t + p->radius + 1, hi = end > s->width ? s->width : end;
            const uint32_t block = (uint32_t)(step * s->width + t);
            for (int64_t c = lo; c < hi && step > 0; c++)
                CL_TRY(cl_lower_read_block(d, (uint32_t)((step - 1) * s->width + c)));
            cl_lower_reads(d);
            cl_lower_block(d, block, CL_NONE, CL_PAGE,
                           step + 1 == s->steps ? CL_BLOCK_PERSIST : 0);
            CL_TRY(cl_lower_operand(d, block, CL_W));
            CL_TRY(cl_lower_task(d));
        }
    return CLAST_OK;
}

/* What is wanted is the last row, as a persisted array would be. */
static void make_plan(cl_plan *plan, const pattern *p, const setting *s, figures *f)
{
    const uint64_t before = cl_alloc_live();
    const uint32_t tasks = (uint32_t)(s->width * s->steps);
    const cl_sink_facts sink = {.is_persist = true};
    cl_error err = {0};
    uint32_t zero = 0, stage;
    cl_item item = {.tensor = 0};
    cl_tensor tensor = {.grid = {.ndim = 1, .axis[0] = cl_axis_regular(s->width, 1)},
                        .first_block = tasks - (uint32_t)s->width,
                        .block_step = 1};
    cl_draft d = {.plan = plan, .err = &err, .nsink = 1, .sink = &sink};
    plan->nstage = 1;
    plan->stage = cl_arena_alloc(&plan->arena, sizeof *plan->stage);
    check(plan->stage ? CLAST_OK : cl_draft_nomem(&d), &err);
    *plan->stage = (cl_stage){.kind = CL_STAGE_EMPTY, .out = CL_NONE, .tasks = tasks};

    const bool has_peak = forget_peak();
    const double resident_before = resident("VmRSS:");
    const double begin = cl_clock();
    check(cl_lower_stage(&d, plan->stage, CL_NONE, &stage), &err);
    check(write_tasks(&d, p, s), &err);
    const double built = cl_clock();
    d.item = &item;
    d.tensor = &tensor;
    d.sink_item = &zero;
    check(cl_draft_order(&d), &err);
    const double ordered = cl_clock();
    f->planning_bytes = has_peak ? resident("VmHWM:") - resident_before : 0;
    d.item = NULL; /* not the draft's own */
    d.tensor = NULL;
    *plan->stage = d.stage[stage];
    cl_draft_fini(&d);
    f->build = built - begin;
    f->order = ordered - built;
    f->plan_bytes = (double)(cl_alloc_live() - before);
}

static void lock(bench *b)
{
    while (atomic_flag_test_and_set_explicit(&b->lock, memory_order_acquire))
        __builtin_ia32_pause();
}

static void unlock(bench *b)
{
    atomic_flag_clear_explicit(&b->lock, memory_order_release);
}

/* Does at once what the core asks for. */
static void answer(cl_core *core)
{
    cl_action action;
    while (cl_core_next_action(core, &action)) {
        cl_event event = {.place = action.place,
                          .epoch = action.epoch,
                          .task = CL_NONE,
                          .block = action.block};
        if (action.kind == CL_ACTION_LOAD)
            event.kind = CL_EVENT_LOADED;
        else if (action.kind == CL_ACTION_SPILL)
            event.kind = CL_EVENT_SPILLED;
        else
            continue;
        cl_core_post(core, &event);
    }
}

static void work(void *arg, int worker, int nworkers)
{
    bench *b = arg;
    cl_start start[MOST_BATCH];
    size_t n = 0;
    for (bool finished = false; !finished;) {
        lock(b);
        for (size_t i = 0; i < n; i++)
            cl_core_post(b->core,
                         &(cl_event){.kind = CL_EVENT_DONE,
                                     .task = start[i].task,
                                     .block = CL_NONE,
                                     .epoch = start[i].epoch,
                                     .workspace_pages = start[i].workspace_pages});
        n = cl_core_take(b->core, 0, start, b->batch);
        answer(b->core);
        finished = cl_core_is_finished(b->core);
        unlock(b);
        for (int i = 0; n == 0 && i < 20; i++)
            cl_thread_relax();
    }
}

static void run(const cl_plan *plan, int workers, const setting *s, figures *f)
{
    const cl_core_limits limits = {
        .budget_pages = s->budget_pages, .scratch_pages = 1u << 30, .nplace = 1};
    bench b = {.batch = s->batch, .lock = ATOMIC_FLAG_INIT};
    cl_error err = {0};
    uint32_t task, block;
    const double begin = cl_clock();
    check(cl_core_new(&b.core, plan, &limits, &err), &err);
    const double ready = cl_clock();
    cl_team_run(CL_TEAM_PTHREADS, workers, work, &b);
    f->run[workers - 1] = cl_clock() - ready;
    f->set_up = ready - begin;
    f->core_bytes = (double)cl_core_bytes(b.core);
    if (cl_core_failure(b.core, &task, &block) != CLAST_OK ||
        cl_core_get_counts(b.core).done < plan->segment[0].ntask) {
        fprintf(stderr, "empty_tasks: the run failed\n");
        exit(EXIT_FAILURE);
    }
    cl_core_free(b.core);
}

static void measure(const pattern *p, const setting *s, bool binds)
{
    figures f;
    cl_plan plan = {0};
    make_plan(&plan, p, s, &f);
    run(&plan, 1, s, &f);
    run(&plan, 2, s, &f);
    const double n = (double)plan.segment[0].ntask, ns = 1e9 / n;
    const double dry = binds ? f.set_up + f.run[0] : 0;
    printf("%-12s %9.0f %7.0f %7.0f %7.0f %9.0f %9.0f %9.0f %7.0f %9.0f\n", p->name, n,
           f.build * ns, f.order * ns, f.set_up * ns, f.run[0] * ns, f.run[1] * ns,
           (f.build + f.order + dry + f.set_up + f.run[1]) * ns,
           (f.plan_bytes + f.core_bytes) / n, f.planning_bytes / n);
    cl_plan_fini(&plan);
}

static const char *text(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return NULL;
}

static int64_t argument(int argc, char **argv, const char *name, int64_t otherwise,
                        int64_t most)
{
    const char *const given = text(argc, argv, name);
    const int64_t value = given ? strtoll(given, NULL, 10) : otherwise;
    return value < 1 ? 1 : (value > most ? most : value);
}

int main(int argc, char **argv)
{
    static const pattern patterns[] = {
        {"no_comm", 0}, {"stencil", 1}, {"nearest_9", 4}};
    const int64_t tasks = argument(argc, argv, "--tasks", 1000000, 100000000);
    const int64_t share = argument(argc, argv, "--share", 1, tasks);
    const char *const only = text(argc, argv, "--pattern");
    setting s = {.width = argument(argc, argv, "--width", 1000, tasks),
                 .batch = (size_t)argument(argc, argv, "--batch", 64, MOST_BATCH)};
    s.steps = (tasks + s.width - 1) / s.width;
    s.budget_pages = (uint64_t)(s.width * s.steps / share);
    printf("%-12s %9s %7s %7s %7s %9s %9s %9s %7s %9s\n", "ns a task", "tasks", "build",
           "order", "set-up", "1 worker", "2 workers", "all (2)", "bytes", "planning");
    double most = 0; /* resident; each pattern begins with forgetting it */
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (!only || strcmp(only, patterns[i].name) == 0) {
            measure(&patterns[i], &s, share > 1);
            const double peak = resident("VmHWM:");
            most = peak > most ? peak : most;
        }
    printf("peak resident set %.0f MiB\n", most / (1 << 20));
    return EXIT_SUCCESS;
}
