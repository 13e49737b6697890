/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs of small plans, end to end: values, budgets, spilling, loading, failures,
 * canceling, persisted blocks.
 *
 * Most tests compute y = x - flip(x) on a 1-D array of TILES tiles: every tile of x is
 * wanted at both ends of the run, so that a small budget has to spill (x computed) or
 * load again (x read).
 */
#include "sched/run.h"

#include "base/alloc.h"
#include "check_main.h"
#include "io/source_class.h"
#include "io/sys.h"
#include "plans.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { TILES = 48, TILE = 8192, TOTAL = TILES * TILE, PAGES = TILE * 8 / CL_PAGE };

/* ---- plans ---- */

static const uint8_t two_doubles[] = {CLAST_FLOAT64, CLAST_FLOAT64};
static const cl_insn sub_insn = {
    .op = CL_OP_SUB, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64, .arg = {0, 1}};
static const cl_program sub_program = {
    .ndim = 1, .ninput = 2, .ninsn = 1, .input_dtype = two_doubles, .insn = &sub_insn};
static const cl_insn twice_insn = {
    .op = CL_OP_ADD, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64, .arg = {0, 0}};
static const cl_program twice_program = {.ndim = 1,
                                         .ninput = 1,
                                         .ninsn = 1,
                                         .input_dtype = two_doubles,
                                         .insn = &twice_insn};
static const cl_insn iota_insn = {
    .op = CL_OP_ARANGE, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64};
static const cl_imm iota_imm = {.value = {{.f64 = 0}, {.f64 = 1}}, .coef = {1}};
static const cl_program iota_program = {
    .ndim = 1, .ninsn = 1, .nimm = 1, .insn = &iota_insn, .imm = &iota_imm};

typedef struct {
    plans p;
    cl_tensor tensor[4];
    cl_view view[4];
    cl_plan_source source;
    cl_plan_sink sink;
} fixture;

static const uint32_t views_01[] = {0, 1}, view_2[] = {2}, view_0[] = {0};

static cl_tensor tiles(uint32_t first_block, uint32_t step)
{
    return (cl_tensor){.dtype = CLAST_FLOAT64,
                       .grid = {1, {cl_axis_regular(TOTAL, TILE)}},
                       .first_block = first_block,
                       .block_step = step};
}

static cl_view whole(uint32_t tensor)
{
    return (cl_view){.kind = CL_VIEW_TENSOR, .shape = {1, {TOTAL}}, .tensor = tensor};
}

static uint32_t add_stage(fixture *f, cl_stage_kind kind, const cl_program *program,
                          uint32_t out, uint32_t nview, const uint32_t *view)
{
    const uint32_t s = plans_stage(&f->p, 0, 1e4);
    cl_stage *stage = &f->p.plan.stage[s];
    stage->kind = kind;
    stage->label = kind == CL_STAGE_STORE ? "store" : "sub";
    stage->dtype = CLAST_FLOAT64;
    stage->out = out;
    stage->nview = nview;
    stage->view = view;
    if (program)
        stage->program = *program;
    stage->units = (cl_grid){1, {cl_axis_regular(TOTAL, TILE)}};
    return s;
}

static void add_task(fixture *f, uint32_t stage, uint32_t index)
{
    const uint32_t t = plans_task(&f->p, stage);
    f->p.task_index[t] = index;
}

static void end_plan(fixture *f)
{
    plans_end(&f->p);
    ck_assert(!f->p.failed);
    cl_plan *plan = &f->p.plan;
    plan->tensor = f->tensor;
    plan->ntensor = 4;
    plan->view = f->view;
    plan->nview = 4;
    plan->source = &f->source;
    plan->sink = &f->sink;
    plan->nsink = 1;
    f->sink = (cl_plan_sink){.dtype = CLAST_FLOAT64, .shape = {1, {TOTAL}}};
}

typedef enum { COMPUTED, READ, RESIDENT, PERSISTED } origin;

/* Blocks 0.. are x (one block where it is the caller's memory). */
static uint32_t add_x(fixture *f, origin from)
{
    static const uint8_t flags[] = {0, CL_BLOCK_SOURCE, CL_BLOCK_RESIDENT,
                                    CL_BLOCK_PERSIST};
    const uint32_t n = from == RESIDENT ? 1 : TILES;
    for (uint32_t i = 0; i < n; i++)
        plans_block(&f->p, from == RESIDENT ? 0 : PAGES, from == READ, flags[from]);
    for (uint32_t i = 0; i < n; i++)
        f->p.block[i].tensor = 0;
    f->tensor[0] = tiles(0, 1);
    if (from == RESIDENT) {
        f->tensor[0].grid.axis[0] = cl_axis_regular(TOTAL, TOTAL);
        f->tensor[0].strided = true;
        f->tensor[0].stride[0] = 8;
    }
    f->view[0] = whole(0);
    f->view[1] = (cl_view){
        .kind = CL_VIEW_MAP,
        .shape = {1, {TOTAL}},
        .child = 0,
        .map = {.nout = 1, .nin = 1, .src = {0}, .off = {TOTAL - 1}, .step = {-1}},
    };
    f->source = (cl_plan_source){.tensor = 0, .source = 0};
    f->p.plan.nsource = from != COMPUTED;
    return n;
}

static void compute_x(fixture *f)
{
    const uint32_t iota = add_stage(f, CL_STAGE_MAP, &iota_program, 0, 0, NULL);
    for (uint32_t i = 0; i < TILES; i++) {
        add_task(f, iota, i);
        plans_operand(&f->p, i, CL_W);
    }
}

/* y = x - flip(x), stored tile by tile. */
static void build_pairs(fixture *f, origin from)
{
    *f = (fixture){0};
    const uint32_t nx = add_x(f, from);
    f->tensor[1] = tiles(nx, 1);
    f->view[2] = whole(1);
    if (from == COMPUTED)
        compute_x(f);
    const uint32_t sub = add_stage(f, CL_STAGE_MAP, &sub_program, 1, 2, views_01);
    const uint32_t store = add_stage(f, CL_STAGE_STORE, NULL, CL_NONE, 1, view_2);
    for (uint32_t i = 0; i < TILES; i++) {
        const uint32_t y = plans_block(&f->p, PAGES, 0, 0);
        const uint32_t a = from == RESIDENT ? 0 : i;
        const uint32_t b = from == RESIDENT ? 0 : TILES - 1 - i;
        add_task(f, sub, i);
        plans_operand(&f->p, a, CL_R);
        if (a != b)
            plans_operand(&f->p, b, CL_R);
        plans_operand(&f->p, y, CL_W);
        add_task(f, store, i);
        plans_operand(&f->p, y, CL_R);
    }
    end_plan(f);
}

/* ---- sources ---- */

static double memory[TOTAL], result[TOTAL];

typedef struct {
    cl_source base;
    cl_engine *engine;
    atomic_int calls, fail_at, cancel_at;
    atomic_int cold_from, cold_to; /* fetches between them would wait */
    atomic_int hasty, refused;     /* fetches that must not wait; that did not come */
} fake;

static uint64_t fake_staging(const cl_source *source, const cl_box *box)
{
    return CL_PAGE;
}

static clast_status fake_fetch(cl_source *source, const cl_box *box,
                               const cl_lattice *wanted, void *dst, void *staging,
                               cl_fetching *how, cl_error *err)
{
    fake *s = (fake *)source;
    const int call = ++s->calls;
    const bool is_hasty = how->patience == CL_HASTY;
    how->waited = call >= s->cold_from && call < s->cold_to;
    s->hasty += is_hasty;
    s->refused += is_hasty && how->waited;
    if (call == s->cancel_at)
        cl_engine_cancel(s->engine);
    if (call >= s->fail_at)
        return cl_error_set(err, CLAST_EIO, "the disk is gone at %lld",
                            (long long)box->lo[0]);
    memset(staging, is_hasty && how->waited ? 0 : 1, CL_PAGE);
    how->stored = (uint64_t)box->n[0];
    return CLAST_OK;
}

static clast_status fake_decode(cl_source *source, const cl_box *box, void *dst,
                                void *staging, cl_error *err)
{
    double *x = dst;
    char *fetched = staging;
    for (int64_t i = 0; i < box->n[0]; i++)
        x[i] = fetched[0] == 1 ? (double)(box->lo[0] + i) : -1;
    fetched[0] = 0;
    return CLAST_OK;
}

static const cl_source_class fake_class = {
    .staging = fake_staging, .fetch = fake_fetch, .decode = fake_decode};

static void open_fake(fake *s, cl_engine *engine)
{
    memset(s, 0, sizeof *s);
    s->base.class = &fake_class;
    s->base.info.dtype = CLAST_FLOAT64;
    s->base.info.shape = (cl_shape){1, {TOTAL}};
    s->engine = engine;
    s->fail_at = s->cancel_at = s->cold_from = s->cold_to = 1 << 30;
}

static void open_memory(fake *s)
{
    open_fake(s, NULL);
    for (int i = 0; i < TOTAL; i++)
        memory[i] = i;
    s->base.info.is_memory = true;
    s->base.info.data = memory;
    s->base.info.stride[0] = 8;
}

/* ---- engines ---- */

static const int64_t shape[] = {TOTAL};
static const clast_buffer into = {.data = result,
                                  .bytes = sizeof result,
                                  .dtype = CLAST_FLOAT64,
                                  .ndim = 1,
                                  .shape = shape};

static cl_engine *open_engine(uint64_t bytes, int workers, cl_team_kind team)
{
    cl_engine *engine = NULL;
    const cl_engine_options o = {
        .memory = bytes, .workers = workers, .team = team, .trace = CLAST_KIB(8)};
    ck_assert_int_eq(cl_engine_new(&engine, &o, NULL), CLAST_OK);
    return engine;
}

static clast_status run_fixture(cl_engine *engine, fixture *f, fake *source,
                                cl_persisted *persisted, clast_stats *stats,
                                cl_error *err)
{
    const cl_run_source s = {source ? &source->base : NULL, persisted, NULL};
    const cl_run_sink sink = {.into = &into};
    const cl_run run = {
        .sources = &s, .sinks = &sink, .scratch_folder = "/tmp", .stats = stats};
    *stats = (clast_stats){0};
    memset(result, 0, sizeof result);
    return cl_engine_run(engine, &f->p.plan, &run, err);
}

static void check_pairs(void)
{
    int i = 0;
    while (i < TOTAL && result[i] == 2.0 * i - (TOTAL - 1))
        i++;
    ck_assert_msg(i == TOTAL, "element %d is %g", i, result[i % TOTAL]);
}

/* An engine at rest holds nothing but what is persisted. */
static void check_rest(cl_engine *engine, uint64_t bytes)
{
    ck_assert_uint_le(bytes - cl_engine_free_bytes(engine), 16384);
}

static const struct {
    origin from;
    uint64_t bytes;
    int workers;
    cl_team_kind team;
} runs[] = {
    {RESIDENT, CLAST_MIB(64), 1, CL_TEAM_PTHREADS},
    {RESIDENT, CLAST_KIB(600), 2, CL_TEAM_PTHREADS},
    {COMPUTED, CLAST_MIB(64), 2, CL_TEAM_PTHREADS},
    {COMPUTED, CLAST_MIB(1), 1, CL_TEAM_PTHREADS},
    {COMPUTED, CLAST_MIB(1), 3, CL_TEAM_PTHREADS},
    {COMPUTED, CLAST_KIB(600), 4, CL_TEAM_PTHREADS},
    {READ, CLAST_MIB(64), 1, CL_TEAM_PTHREADS},
    {READ, CLAST_MIB(64), 3, CL_TEAM_PTHREADS},
    {READ, CLAST_MIB(1), 2, CL_TEAM_PTHREADS},
    {READ, CLAST_KIB(600), 4, CL_TEAM_PTHREADS},
#ifdef _OPENMP
    {COMPUTED, CLAST_MIB(1), 2, CL_TEAM_OPENMP},
    {READ, CLAST_MIB(1), 2, CL_TEAM_OPENMP},
#endif
};

START_TEST(test_values)
{
    fixture f;
    fake source;
    cl_engine *engine = open_engine(runs[_i].bytes, runs[_i].workers, runs[_i].team);
    const uint64_t all = cl_engine_free_bytes(engine);
    build_pairs(&f, runs[_i].from);
    if (runs[_i].from == RESIDENT)
        open_memory(&source);
    else
        open_fake(&source, engine);
    for (int round = 0; round < 2; round++) {
        clast_stats stats;
        cl_error err = {0};
        const clast_status status =
            run_fixture(engine, &f, &source, NULL, &stats, &err);
        ck_assert_msg(status == CLAST_OK, "%s", err.text);
        check_pairs();
        ck_assert_uint_le(stats.peak, runs[_i].bytes);
        ck_assert_uint_le(stats.predicted_peak, runs[_i].bytes);
        ck_assert_uint_eq(stats.written, sizeof result);
        ck_assert_uint_eq(stats.predicted_written, sizeof result);
        const bool is_tight = runs[_i].bytes < CLAST_MIB(3);
        /* A task that ran ahead of its order may leave what has to be spilled. */
        if (runs[_i].from == COMPUTED || runs[_i].workers == 1)
            ck_assert_int_eq(stats.spilled > 0, runs[_i].from == COMPUTED && is_tight);
        ck_assert_int_eq(stats.predicted_spilled > 0,
                         runs[_i].from == COMPUTED && is_tight);
        if (runs[_i].from == READ) {
            ck_assert_uint_ge(stats.read, sizeof result);
            ck_assert_uint_eq(stats.stored_read, stats.read / 8);
            ck_assert_int_eq(stats.predicted_read > sizeof result, is_tight);
        }
        ck_assert_uint_eq(cl_engine_free_bytes(engine), all);
    }
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

/* ---- admission ---- */

START_TEST(test_refusal_names_the_numbers)
{
    fixture f;
    fake source;
    clast_stats stats;
    cl_error err = {0};
    build_pairs(&f, READ);
    cl_engine *engine = open_engine(CLAST_KIB(200) - 1, 1, CL_TEAM_PTHREADS);
    open_fake(&source, engine);
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, &err),
                     CLAST_EBUDGET);
    ck_assert_ptr_nonnull(strstr(err.text, "199.9 KiB is too small"));
    ck_assert_ptr_nonnull(strstr(err.text, "would do"));
    ck_assert_int_eq(source.calls, 0);
    ck_assert_uint_gt(stats.minimum_memory, CLAST_KIB(200));
    check_rest(engine, CLAST_KIB(200));
    cl_engine_free(engine);

    /* What the message names does, a page less does not. */
    const uint64_t least = stats.minimum_memory;
    for (int less = 0; less < 2; less++) {
        engine = open_engine(least - (uint64_t)less * CL_PAGE, 1, CL_TEAM_PTHREADS);
        open_fake(&source, engine);
        err.status = CLAST_OK;
        ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, &err),
                         less ? CLAST_EBUDGET : CLAST_OK);
        if (!less)
            check_pairs();
        cl_engine_free(engine);
    }
    plans_fini(&f.p);
}
END_TEST

START_TEST(test_charges)
{
    cl_error err = {0};
    cl_engine *engine = open_engine(CLAST_MIB(2), 1, CL_TEAM_PTHREADS);
    const uint64_t all = cl_engine_free_bytes(engine);
    ck_assert_int_eq(cl_engine_charge(engine, CLAST_MIB(1), NULL), CLAST_OK);
    ck_assert_uint_eq(cl_engine_free_bytes(engine), all - CLAST_MIB(1));
    ck_assert_int_eq(cl_engine_charge(engine, CLAST_MIB(1), &err), CLAST_EBUDGET);
    cl_engine_uncharge(engine, CLAST_MIB(1));
    ck_assert_uint_eq(cl_engine_free_bytes(engine), all);
    cl_engine_free(engine);
}
END_TEST

/* The dry run with one worker and nothing to wait for is the run. */
START_TEST(test_prediction)
{
    fixture f;
    clast_stats dry = {0}, stats;
    cl_engine *engine = open_engine(CLAST_MIB(1), 1, CL_TEAM_PTHREADS);
    build_pairs(&f, COMPUTED);
    const cl_run_sink sink = {.into = &into};
    const cl_run run = {.sinks = &sink, .scratch_folder = "/tmp"};
    memset(result, 0, sizeof result);
    ck_assert_int_eq(cl_engine_predict(engine, &f.p.plan, &run, &dry, NULL), CLAST_OK);
    ck_assert(result[0] == 0 && result[TOTAL - 1] == 0);
    ck_assert_int_eq(run_fixture(engine, &f, NULL, NULL, &stats, NULL), CLAST_OK);
    ck_assert_uint_eq(dry.predicted_spilled, stats.predicted_spilled);
    ck_assert_uint_eq(dry.tasks, 3 * TILES);
    ck_assert_uint_eq(dry.blocks, 2 * TILES);
    ck_assert_uint_le(dry.minimum_memory, CLAST_MIB(1));
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

/* ---- reductions: chains, a join, a finish ---- */

START_TEST(test_sum)
{
    enum { CHAINS = (TILES + CL_CHAIN - 1) / CL_CHAIN };
    fixture f = {0};
    fake source;
    add_x(&f, RESIDENT);
    const uint32_t fold =
        add_stage(&f, CL_STAGE_FOLD, &twice_program, CL_NONE, 1, view_0);
    const uint32_t end = add_stage(&f, CL_STAGE_FINISH, NULL, 1, 0, NULL);
    const uint32_t store = add_stage(&f, CL_STAGE_STORE, NULL, CL_NONE, 1, view_2);
    for (uint32_t s = 0; s < 2; s++) {
        cl_stage *stage = &f.p.plan.stage[s];
        stage->space = (cl_grid){1, {cl_axis_regular(TOTAL, TILE)}};
        stage->axes = 1;
        stage->reduction = CLAST_SUM;
        stage->nfold = TILES;
        stage->flat_stride[0] = 1;
    }
    f.p.plan.stage[store].units = (cl_grid){0, {{0}}};
    f.tensor[1] =
        (cl_tensor){.dtype = CLAST_FLOAT64, .first_block = 1 + TILES, .block_step = 1};
    f.view[2] = (cl_view){.kind = CL_VIEW_TENSOR, .tensor = 1};
    for (uint32_t k = 0; k < TILES; k++) {
        const uint32_t partial = plans_block(&f.p, 1, 0, 0);
        add_task(&f, fold, k);
        plans_operand(&f.p, 0, CL_R);
        if (k % CL_CHAIN)
            plans_operand(&f.p, partial - 1, CL_ACC);
        plans_operand(&f.p, partial, CL_W);
    }
    const uint32_t y = plans_block(&f.p, 1, 0, 0);
    add_task(&f, end, 0);
    for (uint32_t c = 1; c <= CHAINS; c++)
        plans_operand(&f.p, c * CL_CHAIN < TILES ? c * CL_CHAIN : TILES, CL_R);
    plans_operand(&f.p, y, CL_W);
    add_task(&f, store, 0);
    plans_operand(&f.p, y, CL_R);
    end_plan(&f);
    f.sink.shape = (cl_shape){0};

    double value = 0;
    const clast_buffer scalar = {.data = &value, .bytes = 8, .dtype = CLAST_FLOAT64};
    open_memory(&source);
    const cl_run_source s = {&source.base, NULL, NULL};
    const cl_run_sink sink = {.into = &scalar};
    const cl_run run = {.sources = &s, .sinks = &sink, .scratch_folder = "/tmp"};
    cl_error err = {0};
    for (int workers = 1; workers <= 3; workers++) {
        cl_engine *engine = open_engine(CLAST_MIB(1), workers, CL_TEAM_PTHREADS);
        const clast_status status = cl_engine_run(engine, &f.p.plan, &run, &err);
        ck_assert_msg(status == CLAST_OK, "%s", err.text);
        ck_assert(value == (double)TOTAL * (TOTAL - 1));
        value = 0;
        cl_engine_free(engine);
    }
    plans_fini(&f.p);
}
END_TEST

/* A reduction over nothing: FINISH without operands. */
static const struct {
    clast_reduction reduction;
    bool expected;
} empties[] = {{CLAST_ANY, false}, {CLAST_EVERY, true}};

START_TEST(test_empty_reduction)
{
    fixture f = {0};
    const uint32_t end = add_stage(&f, CL_STAGE_FINISH, NULL, 1, 0, NULL);
    const uint32_t store = add_stage(&f, CL_STAGE_STORE, NULL, CL_NONE, 1, view_2);
    cl_stage *stage = &f.p.plan.stage[end];
    stage->space = (cl_grid){1, {cl_axis_regular(0, 1)}};
    stage->axes = 1;
    stage->reduction = empties[_i].reduction;
    f.p.plan.stage[store].units = (cl_grid){0, {{0}}};
    f.tensor[1] = (cl_tensor){.dtype = CLAST_BOOL, .block_step = 1};
    f.view[2] = (cl_view){.kind = CL_VIEW_TENSOR, .tensor = 1};
    const uint32_t y = plans_block(&f.p, 1, 0, 0);
    add_task(&f, end, 0);
    plans_operand(&f.p, y, CL_W);
    add_task(&f, store, 0);
    plans_operand(&f.p, y, CL_R);
    end_plan(&f);
    f.sink = (cl_plan_sink){.dtype = CLAST_BOOL};

    bool value = !empties[_i].expected;
    const clast_buffer scalar = {.data = &value, .bytes = 1, .dtype = CLAST_BOOL};
    const cl_run_sink sink = {.into = &scalar};
    const cl_run run = {.sinks = &sink};
    cl_engine *engine = open_engine(CLAST_MIB(1), 1, CL_TEAM_PTHREADS);
    ck_assert_int_eq(cl_engine_run(engine, &f.p.plan, &run, NULL), CLAST_OK);
    ck_assert_int_eq(value, empties[_i].expected);
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

/* ---- failures ---- */

START_TEST(test_failed_load)
{
    fixture f;
    fake source;
    clast_stats stats;
    cl_error err = {0};
    build_pairs(&f, READ);
    cl_engine *engine = open_engine(CLAST_MIB(1), 1 + _i % 3, CL_TEAM_PTHREADS);
    const uint64_t all = cl_engine_free_bytes(engine);
    open_fake(&source, engine);
    source.fail_at = 1 + 7 * _i;
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, &err), CLAST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "the disk is gone"));
    ck_assert_uint_eq(cl_engine_free_bytes(engine), all);
    source.fail_at = 1 << 30;
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, NULL), CLAST_OK);
    check_pairs();
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

/* What would make a worker wait goes to the I/O threads, with all that follows, until
 * they find that nothing waits any more. */
static const struct {
    int cold_from, cold_to, workers;
    int most_refused;              /* at least one where anything is cold */
    int least_patient, least_came; /* loads by I/O threads; by workers */
} colds[] = {
    {1 << 30, 1 << 30, 1, 0, 0, TILES}, {1 << 30, 1 << 30, 3, 0, 0, TILES},
    {1, 1 << 30, 1, 1, TILES, 0},       {1, 1 << 30, 3, 3, TILES, 0},
    {4, 1 << 30, 1, 1, TILES - 3, 0},   {1, 3, 1, 1, 5, 1},
};

START_TEST(test_cold_source)
{
    fixture f;
    fake source;
    clast_stats stats;
    build_pairs(&f, READ);
    cl_engine *engine = open_engine(CLAST_MIB(1), colds[_i].workers, CL_TEAM_PTHREADS);
    open_fake(&source, engine);
    source.cold_from = colds[_i].cold_from;
    source.cold_to = colds[_i].cold_to;
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, NULL), CLAST_OK);
    check_pairs();
    const int loads = (int)(stats.read / (TILE * sizeof(double)));
    const int came = source.hasty - source.refused, patient = loads - came;
    ck_assert_int_eq(source.calls, loads + source.refused);
    ck_assert_int_eq(source.refused > 0, colds[_i].most_refused > 0);
    ck_assert_int_le(source.refused, colds[_i].most_refused);
    ck_assert_int_ge(patient, colds[_i].least_patient);
    ck_assert_int_ge(came, colds[_i].least_came);
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

/* Workers hand tasks to each other while loads begin and end. */
START_TEST(test_many_hands)
{
    fixture f;
    fake source;
    clast_stats stats;
    build_pairs(&f, READ);
    cl_engine *engine =
        open_engine(_i ? CLAST_MIB(64) : CLAST_MIB(1), 4, CL_TEAM_PTHREADS);
    open_fake(&source, engine);
    for (int round = 0; round < 40; round++) {
        source.calls = 0;
        source.cold_from = round % TILES;
        source.cold_to = source.cold_from + round / 2;
        ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, NULL),
                         CLAST_OK);
        check_pairs();
    }
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

START_TEST(test_cancel)
{
    fixture f;
    fake source;
    clast_stats stats;
    cl_error err = {0};
    build_pairs(&f, READ);
    cl_engine *engine = open_engine(CLAST_MIB(1), 1 + _i % 3, CL_TEAM_PTHREADS);
    const uint64_t all = cl_engine_free_bytes(engine);
    cl_engine_cancel(engine); /* no run: nothing happens */
    open_fake(&source, engine);
    source.cancel_at = 1 + 5 * _i;
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, &err),
                     CLAST_ECANCELED);
    ck_assert_int_eq(err.status, CLAST_ECANCELED);
    ck_assert_uint_eq(cl_engine_free_bytes(engine), all);
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, NULL), CLAST_OK);
    check_pairs();
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

/* Asked for before the engine runs: not lost, and nothing is read. */
START_TEST(test_cancel_before)
{
    fixture f;
    fake source;
    clast_stats stats = {0};
    build_pairs(&f, READ);
    cl_engine *engine = open_engine(CLAST_MIB(1), 2, CL_TEAM_PTHREADS);
    open_fake(&source, engine);
    atomic_bool is_canceled = true;
    const cl_run_source s = {&source.base, NULL, NULL};
    const cl_run_sink sink = {.into = &into};
    const cl_run run = {.sources = &s,
                        .sinks = &sink,
                        .scratch_folder = "/tmp",
                        .stats = &stats,
                        .is_canceled = &is_canceled};
    ck_assert_int_eq(cl_engine_run(engine, &f.p.plan, &run, NULL), CLAST_ECANCELED);
    ck_assert_uint_eq(stats.read, 0);
    is_canceled = false;
    ck_assert_int_eq(cl_engine_run(engine, &f.p.plan, &run, NULL), CLAST_OK);
    check_pairs();
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

static atomic_int writes_left;
static cl_sys_table real;

static ssize_t failing_write(int fd, const struct iovec *iov, int n, off_t at)
{
    if (writes_left-- > 0)
        return real.pwritev(fd, iov, n, at);
    errno = ENOSPC;
    return -1;
}

START_TEST(test_full_scratch)
{
    fixture f;
    clast_stats stats;
    cl_error err = {0};
    build_pairs(&f, COMPUTED);
    cl_engine *engine = open_engine(CLAST_MIB(1), 2, CL_TEAM_PTHREADS);
    const uint64_t all = cl_engine_free_bytes(engine);
    real = cl_sys;
    writes_left = 3 * _i;
    cl_sys.pwritev = failing_write;
    ck_assert_int_eq(run_fixture(engine, &f, NULL, NULL, &stats, &err), CLAST_ENOSPACE);
    ck_assert_ptr_nonnull(strstr(err.text, "/tmp"));
    cl_sys = real;
    ck_assert_uint_eq(cl_engine_free_bytes(engine), all);
    ck_assert_int_eq(run_fixture(engine, &f, NULL, NULL, &stats, NULL), CLAST_OK);
    check_pairs();
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

/* Every allocation fails in turn: an error, no leak, and the engine still works. */
START_TEST(test_allocations_fail)
{
    static const origin from[] = {COMPUTED, READ, RESIDENT};
    fixture f;
    fake source;
    clast_stats stats;
    build_pairs(&f, from[_i]);
    cl_engine *engine = open_engine(CLAST_MIB(1), 1, CL_TEAM_PTHREADS);
    if (from[_i] == RESIDENT)
        open_memory(&source);
    else
        open_fake(&source, engine);
    const uint64_t all = cl_engine_free_bytes(engine);
    clast_status status = CLAST_ENOMEM;
    for (int n = 1; status != CLAST_OK; n++) {
        cl_error err = {0};
        cl_alloc_fail_after(n);
        status = run_fixture(engine, &f, &source, NULL, &stats, &err);
        cl_alloc_fail_after(-1);
        ck_assert_msg(status == CLAST_OK || status == CLAST_ENOMEM, "%d: %s", n,
                      err.text);
        ck_assert_uint_eq(cl_engine_free_bytes(engine), all);
    }
    check_pairs();
    cl_engine_free(engine);
    plans_fini(&f.p);
}
END_TEST

START_TEST(test_no_leak)
{
    const uint64_t before = cl_alloc_live();
    fixture f;
    fake source;
    clast_stats stats;
    build_pairs(&f, READ);
    cl_engine *engine = open_engine(CLAST_MIB(1), 2, CL_TEAM_PTHREADS);
    open_fake(&source, engine);
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, NULL), CLAST_OK);
    source.fail_at = source.calls + 5;
    ck_assert_int_eq(run_fixture(engine, &f, &source, NULL, &stats, NULL), CLAST_EIO);
    cl_engine_free(engine);
    plans_fini(&f.p);
    ck_assert_uint_eq(cl_alloc_live(), before);
}
END_TEST

/* ---- persisted blocks ---- */

static void build_persist(fixture *f)
{
    *f = (fixture){0};
    add_x(f, COMPUTED);
    compute_x(f);
    for (uint32_t i = 0; i < TILES; i++)
        f->p.block[i].flags = CL_BLOCK_PERSIST;
    end_plan(f);
    f->sink.tensor = 0;
}

static const uint64_t persist_budgets[] = {CLAST_MIB(64), CLAST_MIB(4), CLAST_MIB(1)};

START_TEST(test_persisted)
{
    fixture first, second;
    clast_stats stats;
    cl_error err = {0};
    cl_persisted *persisted = NULL;
    const uint64_t bytes = persist_budgets[_i];
    cl_engine *engine = open_engine(bytes, 2, CL_TEAM_PTHREADS);
    const uint64_t all = cl_engine_free_bytes(engine);
    build_persist(&first);
    build_pairs(&second, PERSISTED);
    const cl_run_sink sink = {.persist = &persisted};
    const cl_run run = {.sinks = &sink, .scratch_folder = "/tmp"};
    clast_status status = cl_engine_run(engine, &first.p.plan, &run, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    ck_assert_ptr_nonnull(persisted);
    ck_assert_int_eq(cl_persisted_grid(persisted)->axis[0].count, TILES);
    ck_assert_uint_lt(cl_engine_free_bytes(engine), all);
    for (int round = 0; round < 3; round++) {
        status = run_fixture(engine, &second, NULL, persisted, &stats, &err);
        ck_assert_msg(status == CLAST_OK, "%s", err.text);
        check_pairs();
        ck_assert_uint_le(stats.peak, bytes);
    }
    cl_persisted_free(engine, persisted);
    ck_assert_uint_eq(cl_engine_free_bytes(engine), all);
    cl_engine_free(engine);
    plans_fini(&first.p);
    plans_fini(&second.p);
}
END_TEST

static Suite *run_suite(void)
{
    Suite *s = suite_create("run");
    TCase *t = tcase_create("run");
    tcase_add_loop_test(t, test_values, 0, sizeof runs / sizeof *runs);
    tcase_add_test(t, test_refusal_names_the_numbers);
    tcase_add_test(t, test_charges);
    tcase_add_test(t, test_prediction);
    tcase_add_test(t, test_sum);
    tcase_add_loop_test(t, test_empty_reduction, 0, 2);
    tcase_add_loop_test(t, test_failed_load, 0, 7);
    tcase_add_loop_test(t, test_cold_source, 0, sizeof colds / sizeof *colds);
    tcase_add_loop_test(t, test_many_hands, 0, 2);
    tcase_add_loop_test(t, test_cancel, 0, 7);
    tcase_add_test(t, test_cancel_before);
    tcase_add_loop_test(t, test_full_scratch, 0, 4);
    tcase_add_loop_test(t, test_allocations_fail, 0, 3);
    tcase_add_test(t, test_no_leak);
    tcase_add_loop_test(t, test_persisted, 0,
                        sizeof persist_budgets / sizeof *persist_budgets);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {run_suite};
    return cl_check_main(suites, 1);
}
