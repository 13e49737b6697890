/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Orders of graphs as they come, against the peaks that Dask's ordering reaches and
 * those of a depth-first search by name: one worker's peak of live blocks is at or
 * below the better of the two in one of the candidates, and a worker more costs at most
 * the footprint of a task more. Each task makes a block of one page; what nobody reads
 * is drained at once, as a store does.
 */
#include "check_main.h"
#include "graph/draft.h"
#include "sched/core.h"

enum { FAN_IN = 4, MOST_TASKS = 10000, MOST_DEPENDENCES = 40000, MOST_LEAVES = 4096 };

/* Tasks in the order of their names, each with what it reads. */
typedef struct {
    uint32_t ntask, start[MOST_TASKS + 1], dependence[MOST_DEPENDENCES];
    bool is_read[MOST_TASKS];
} shape;

static uint32_t task(shape *s)
{
    ck_assert_uint_lt(s->ntask, MOST_TASKS);
    s->start[s->ntask + 1] = s->start[s->ntask];
    return s->ntask++;
}

/* The last task reads another one. */
static void after(shape *s, uint32_t other)
{
    ck_assert_uint_lt(s->start[s->ntask], MOST_DEPENDENCES);
    s->dependence[s->start[s->ntask]++] = other;
    s->is_read[other] = true;
}

static uint32_t after_one(shape *s, uint32_t a)
{
    const uint32_t t = task(s);
    after(s, a);
    return t;
}

static uint32_t after_two(shape *s, uint32_t a, uint32_t b)
{
    const uint32_t t = after_one(s, a);
    after(s, b);
    return t;
}

static uint32_t tree(shape *s, const uint32_t *leaf, uint32_t n)
{
    uint32_t level[MOST_LEAVES];
    ck_assert_uint_le(n, MOST_LEAVES);
    memcpy(level, leaf, n * sizeof *leaf);
    while (n > 1) {
        uint32_t joined = 0;
        for (uint32_t i = 0; i < n; joined++) {
            const uint32_t t = task(s);
            for (uint32_t end = i + FAN_IN; i < end && i < n; i++)
                after(s, level[i]);
            level[joined] = t;
        }
        n = joined;
    }
    return level[0];
}

static void map_store(shape *s, uint32_t n, uint32_t unused)
{
    for (uint32_t i = 0; i < n; i++)
        after_one(s, task(s));
}

static void sum(shape *s, uint32_t n, uint32_t unused)
{
    uint32_t x[MOST_LEAVES];
    for (uint32_t i = 0; i < n; i++)
        x[i] = task(s);
    tree(s, x, n);
}

static void quadratic_means(shape *s, uint32_t n, uint32_t unused)
{
    uint32_t u[MOST_LEAVES], v[MOST_LEAVES], product[3][MOST_LEAVES];
    for (uint32_t i = 0; i < n; i++)
        u[i] = task(s);
    for (uint32_t i = 0; i < n; i++)
        v[i] = task(s);
    for (uint32_t i = 0; i < n; i++) {
        product[0][i] = after_one(s, u[i]);
        product[1][i] = after_one(s, v[i]);
        product[2][i] = after_two(s, u[i], v[i]);
    }
    for (int k = 0; k < 3; k++)
        tree(s, product[k], n);
}

/* The mean of each group over the years, and the mean of all that is left without
 * it. */
static void anomaly(shape *s, uint32_t years, uint32_t groups)
{
    uint32_t x[MOST_LEAVES], year[MOST_LEAVES], mean[MOST_LEAVES], left[MOST_LEAVES];
    for (uint32_t i = 0; i < years * groups; i++)
        x[i] = task(s);
    for (uint32_t g = 0; g < groups; g++) {
        for (uint32_t y = 0; y < years; y++)
            year[y] = x[y * groups + g];
        mean[g] = tree(s, year, years);
    }
    for (uint32_t i = 0; i < years * groups; i++)
        left[i] = after_two(s, x[i], mean[i % groups]);
    tree(s, left, years * groups);
}

/* Every input is cut into a piece for every output. */
static void all_to_all(shape *s, uint32_t n, uint32_t unused)
{
    uint32_t x[64], piece[64][64];
    for (uint32_t i = 0; i < n; i++)
        x[i] = task(s);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            piece[i][j] = after_one(s, x[i]);
    for (uint32_t j = 0; j < n; j++) {
        task(s);
        for (uint32_t i = 0; i < n; i++)
            after(s, piece[i][j]);
    }
}

/* The first of the steps reads nothing. */
static void stencil(shape *s, uint32_t n, uint32_t steps)
{
    uint32_t row = 0;
    for (uint32_t i = 0; i < n; i++)
        task(s);
    for (uint32_t step = 1; step < steps; step++, row += n)
        for (uint32_t i = 0; i < n; i++) {
            task(s);
            for (uint32_t k = i > 0 ? i - 1 : 0; k <= i + 1 && k < n; k++)
                after(s, row + k);
        }
}

static void product(shape *s, uint32_t n, uint32_t unused)
{
    for (uint32_t i = 0; i < 2 * n * n; i++)
        task(s);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            uint32_t term[64];
            for (uint32_t k = 0; k < n; k++)
                term[k] = after_two(s, i * n + k, n * n + k * n + j);
            tree(s, term, n);
        }
}

/* Tiles (i, j) with j <= i, each update a block of its own. */
static void cholesky(shape *s, uint32_t n, uint32_t unused)
{
    uint32_t a[16][16];
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j <= i; j++)
            a[i][j] = task(s);
    for (uint32_t k = 0; k < n; k++) {
        a[k][k] = after_one(s, a[k][k]);
        for (uint32_t i = k + 1; i < n; i++)
            a[i][k] = after_two(s, a[i][k], a[k][k]);
        for (uint32_t i = k + 1; i < n; i++)
            for (uint32_t j = k + 1; j <= i; j++) {
                a[i][j] = after_two(s, a[i][j], a[i][k]);
                if (j < i)
                    after(s, a[j][k]);
            }
    }
}

static const struct {
    const char *name;
    void (*build)(shape *s, uint32_t n, uint32_t m);
    uint32_t n, m;
    uint32_t peak; /* the better of Dask's and of a search by name */
} shapes[] = {
    {"map and store", map_store, 64, 0, 2},
    {"sum of 64", sum, 64, 0, 11},
    {"sum of 1024", sum, 1024, 0, 17},
    {"quadratic means of 256", quadratic_means, 256, 0, 39},
    {"anomalies of 16 x 8", anomaly, 16, 8, 88},
    {"anomalies of 64 x 16", anomaly, 64, 16, 459},
    {"all to all, 32", all_to_all, 32, 0, 65},
    {"stencil of 64 x 8", stencil, 64, 8, 16},
    {"product of 8 x 8 x 8", product, 8, 0, 78},
    {"Cholesky of 8", cholesky, 8, 0, 33},
    {"Cholesky of 16", cholesky, 16, 0, 134},
};

enum { INNER, LEAVES };

/* What is read comes first, in a stage of its own. */
static void write_stage(cl_draft *d, const shape *s, int stage, uint32_t *block)
{
    uint32_t index, count = 0;
    for (uint32_t t = 0; t < s->ntask; t++)
        count += s->is_read[t] == (stage == INNER);
    d->plan->stage[stage] = (cl_stage){
        .kind = stage == INNER ? CL_STAGE_EMPTY : CL_STAGE_STORE,
        .out = CL_NONE,
        .units = {.ndim = 1, .axis[0] = cl_axis_regular(count, 1)},
        .tasks = count,
    };
    ck_assert_int_eq(cl_lower_stage(d, &d->plan->stage[stage], CL_NONE, &index), 0);
    for (uint32_t t = 0, made = 0; t < s->ntask; t++) {
        if (s->is_read[t] != (stage == INNER))
            continue;
        for (uint32_t i = s->start[t]; i < s->start[t + 1]; i++)
            ck_assert_int_eq(cl_lower_read_block(d, block[s->dependence[i]]), 0);
        cl_lower_reads(d);
        if (stage == INNER) {
            block[t] = made++;
            cl_lower_block(d, block[t], CL_NONE, CL_PAGE, 0);
            ck_assert_int_eq(cl_lower_operand(d, block[t], CL_W), 0);
        }
        ck_assert_int_eq(cl_lower_task(d), 0);
    }
}

static void make_plan(cl_plan *plan, const shape *s, cl_order_kind order)
{
    static uint32_t block[MOST_TASKS];
    cl_error err = {0};
    uint32_t first, inner = 0;
    *plan = (cl_plan){.nstage = 2};
    cl_draft d = {.plan = plan, .err = &err, .settings = {.order = order}};
    plan->stage = cl_arena_array(&plan->arena, 2, sizeof *plan->stage);
    ck_assert_ptr_nonnull(plan->stage);
    for (uint32_t t = 0; t < s->ntask; t++)
        inner += s->is_read[t];
    ck_assert_int_eq(cl_lower_blocks(&d, inner, &first), CLAST_OK);
    write_stage(&d, s, INNER, block);
    write_stage(&d, s, LEAVES, block);
    ck_assert_int_eq(cl_draft_order(&d), CLAST_OK);
    ck_assert_uint_eq(plan->segment[0].ntask, s->ntask);
    cl_draft_fini(&d);
}

/* The most blocks that are alive at once, a store's own counted while it runs; with
 * `workers`, of tasks that take equally long. */
static uint64_t peak_of(const cl_plan *plan, uint32_t workers)
{
    const cl_core_limits limits = {.budget_pages = 1u << 30, .nplace = 1};
    cl_core *core;
    cl_error err = {0};
    cl_start running[8];
    cl_action action;
    uint32_t n = 0, first = 0;
    ck_assert_int_eq(cl_core_new(&core, plan, &limits, &err), CLAST_OK);
    while (!cl_core_is_finished(core)) {
        while (n < workers && cl_core_take(core, 0, &running[(first + n) % 8], 1))
            n++;
        ck_assert_uint_gt(n, 0);
        cl_core_post(core,
                     &(cl_event){.kind = CL_EVENT_DONE,
                                 .epoch = running[first].epoch,
                                 .workspace_pages = running[first].workspace_pages,
                                 .task = running[first].task,
                                 .block = CL_NONE});
        first = (first + 1) % 8;
        n--;
        while (cl_core_next_action(core, &action))
            ck_assert_int_eq(action.kind, CL_ACTION_FREE);
    }
    const uint64_t peak = cl_core_get_counts(core).peak_pages;
    cl_core_free(core);
    return peak;
}

static uint32_t largest_footprint(const shape *s)
{
    uint32_t most = 0;
    for (uint32_t t = 0; t < s->ntask; t++)
        if (s->start[t + 1] - s->start[t] + 1 > most)
            most = s->start[t + 1] - s->start[t] + 1;
    return most;
}

START_TEST(test_peak)
{
    static shape s;
    cl_plan plan;
    uint64_t best = UINT64_MAX;
    memset(&s, 0, sizeof s);
    shapes[_i].build(&s, shapes[_i].n, shapes[_i].m);
    for (int order = 0; order < CL_NORDER; order++) {
        make_plan(&plan, &s, (cl_order_kind)order);
        /* A store has a page too while it runs. */
        plan.stage[LEAVES].workspace_pages = 1;
        const uint64_t peak = peak_of(&plan, 1);
        best = peak < best ? peak : best;
        for (uint32_t workers = 2; workers <= 4; workers++) {
            const uint64_t more = (workers - 1) * largest_footprint(&s);
            ck_assert_msg(peak_of(&plan, workers) <= peak + more,
                          "%s, order %d: %u workers have %u blocks, one has %u",
                          shapes[_i].name, order, workers,
                          (unsigned)peak_of(&plan, workers), (unsigned)peak);
        }
        cl_plan_fini(&plan);
    }
    ck_assert_msg(best <= shapes[_i].peak, "%s: %u blocks, expected %u at most",
                  shapes[_i].name, (unsigned)best, shapes[_i].peak);
}
END_TEST

/* ---- tasks that stay in the order they were written in ---- */

enum { STEPS = 20 };

/* Rows of tasks that read their neighbours in the row before; the last one stays. */
static const struct {
    uint32_t width, pages; /* of a block */
    cl_order_kind order;
    uint64_t budget;
    bool has_more; /* a task that nobody needs, too */
    bool is_as_written;
} rows[] = {
    {2, 1, CL_ORDER_TRAVERSALS, 0, false, true},
    {16, 1, CL_ORDER_TRAVERSALS, 0, false, true},
    {16, 14, CL_ORDER_TRAVERSALS, 0, false, true},
    /* more than stays near */
    {16, 16, CL_ORDER_TRAVERSALS, 0, false, false},
    {300, 1, CL_ORDER_TRAVERSALS, 0, false, false},
    /* a quarter of the budget, and more */
    {16, 1, CL_ORDER_TRAVERSALS, 72, false, true},
    {16, 1, CL_ORDER_TRAVERSALS, 71, false, false},
    {16, 1, CL_ORDER_TRAVERSALS, 0, true, false},
    /* what was asked for by name */
    {16, 1, CL_ORDER_DEPTH_FIRST, 0, false, false},
    {16, 1, CL_ORDER_GREEDY, 0, false, false},
};

static void write_rows(cl_draft *d, uint32_t width, uint32_t pages, bool has_more)
{
    const uint32_t tasks = width * STEPS;
    const cl_stage stage = {
        .kind = CL_STAGE_EMPTY, .out = CL_NONE, .tasks = tasks + has_more};
    uint32_t index, first;
    ck_assert_int_eq(cl_lower_stage(d, &stage, CL_NONE, &index), CLAST_OK);
    ck_assert_int_eq(cl_lower_blocks(d, tasks + has_more, &first), CLAST_OK);
    for (uint32_t t = 0; t < tasks + has_more; t++) {
        const uint32_t at = t % width, row = t - at;
        for (uint32_t k = at > 0 ? at - 1 : 0; row > 0 && k <= at + 1 && k < width; k++)
            ck_assert_int_eq(cl_lower_read_block(d, row - width + k), CLAST_OK);
        cl_lower_reads(d);
        cl_lower_block(d, t, CL_NONE, (uint64_t)pages * CL_PAGE,
                       row + width == tasks ? CL_BLOCK_PERSIST : 0);
        ck_assert_int_eq(cl_lower_operand(d, t, CL_W), CLAST_OK);
        ck_assert_int_eq(cl_lower_task(d), CLAST_OK);
    }
}

START_TEST(test_rows_stay)
{
    const uint32_t width = rows[_i].width, tasks = width * STEPS;
    const cl_sink_facts sink = {.is_persist = true};
    cl_plan plan = {.nstage = 1};
    cl_error err = {0};
    uint32_t zero = 0, moved = 0;
    cl_item item = {.tensor = 0};
    cl_tensor tensor = {.grid = {.ndim = 1, .axis[0] = cl_axis_regular(width, 1)},
                        .first_block = tasks - width,
                        .block_step = 1};
    cl_draft d = {.plan = &plan, .err = &err, .nsink = 1, .sink = &sink};
    d.settings.order = rows[_i].order;
    d.settings.budget_pages = rows[_i].budget;
    write_rows(&d, width, rows[_i].pages, rows[_i].has_more);
    d.item = &item;
    d.tensor = &tensor;
    d.sink_item = &zero;
    ck_assert_int_eq(cl_draft_order(&d), CLAST_OK);
    const cl_segment *const s = plan.segment;
    ck_assert_uint_eq(s->ntask, tasks);
    ck_assert_uint_eq(d.stage[0].tasks, tasks);
    ck_assert_uint_eq(d.stage[0].outputs, 1);
    for (uint32_t t = 0; t < tasks; t++) {
        const uint32_t end = s->operand_start[t + 1] - 1;
        ck_assert_uint_eq(s->operand[end], cl_operand(s->task_index[t], CL_W));
        ck_assert_uint_eq(s->block[s->task_index[t]].producer, t);
        moved += s->task_index[t] != t;
    }
    ck_assert_int_eq(moved == 0, rows[_i].is_as_written);
    plan.stage = d.stage;
    if (rows[_i].is_as_written) /* at most twice what stays in the end */
        ck_assert_uint_le(peak_of(&plan, 1), 2 * width * rows[_i].pages);
    d.item = NULL;
    d.tensor = NULL;
    cl_draft_fini(&d);
    cl_plan_fini(&plan);
}
END_TEST

START_TEST(test_canceled)
{
    const atomic_bool is_canceled = true;
    cl_plan plan = {.nstage = 1};
    cl_error err = {0};
    cl_draft d = {.plan = &plan, .err = &err, .settings = {.order = _i}};
    write_rows(&d, 16, 1, false);
    d.settings.is_canceled = &is_canceled;
    ck_assert_int_eq(cl_draft_order(&d), CLAST_ECANCELED);
    ck_assert_str_eq(err.text, "canceled while it was planned");
    cl_draft_fini(&d);
    cl_plan_fini(&plan);
}
END_TEST

static Suite *order_suite(void)
{
    Suite *s = suite_create("order");
    TCase *t = tcase_create("order");
    tcase_add_loop_test(t, test_peak, 0, sizeof shapes / sizeof *shapes);
    tcase_add_loop_test(t, test_rows_stay, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(t, test_canceled, 0, CL_NORDER);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {order_suite};
    return cl_check_main(suites, 1);
}
