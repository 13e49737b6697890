/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator's world (simulator_model.h).
 *
 * Pages are counted from the buffers alone: blocks in memory, loads under way with what
 * they need besides, workspaces of running tasks. The rules of order (nobody overtakes
 * the lowest task, nothing needed sooner is evicted) are checked where the world can
 * judge them without guessing: one place, nothing ever run twice.
 */
#include "simulator_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void model_fail(model *m, const char *format, ...)
{
    if (m->failed)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(m->message, sizeof m->message, format, arguments);
    va_end(arguments);
    m->failed = true;
}

void model_say(const model *m, const char *format, ...)
{
    if (!m->verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("# ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a ^ b * 0x9e3779b97f4a7c15u) + 0x632be59bd9b4e019u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return z ^ z >> 27;
}

static const cl_block *block_of(const model *m, uint32_t block)
{
    return plans_find_block(m->plan, block);
}

static uint64_t charge(const model *m, uint32_t block)
{
    const cl_block *b = block_of(m, block);
    return b->flags & CL_BLOCK_RESIDENT ? 0 : b->pages;
}

static uint64_t value_read(const model *m, uint32_t task)
{
    const plans_operands o = plans_find_task(m->plan, task);
    uint64_t value = mix(task, 1);
    for (uint32_t i = 0; i < o.n; i++)
        if (cl_operand_mode(o.at[i]) != CL_W)
            value = mix(value, m->expected[cl_operand_block(o.at[i])]);
    return value;
}

static void expect_values(model *m)
{
    for (uint32_t b = 0; b < m->nblock; b++)
        m->expected[b] = mix(b, 7);
    for (uint32_t t = 0; t < m->ntask; t++) {
        const plans_operands o = plans_find_task(m->plan, t);
        const uint64_t value = value_read(m, t);
        for (uint32_t i = 0; i < o.n; i++) {
            const uint32_t b = cl_operand_block(o.at[i]);
            if (cl_operand_mode(o.at[i]) == CL_W)
                m->expected[b] = mix(value, i);
            else
                m->last_use[b]++;
        }
        for (uint32_t i = 0; i < o.n; i++)
            if (block_of(m, cl_operand_block(o.at[i]))->flags & CL_BLOCK_RECOMPUTE)
                m->reruns = true;
    }
}

bool model_init(model *m, const cl_plan *plan, const cl_core_limits *limits)
{
    const cl_segment *last = &plan->segment[plan->nsegment - 1];
    memset(m, 0, sizeof *m);
    m->plan = plan;
    m->ntask = last->task_base + last->ntask;
    m->nblock = last->block_base + last->nblock;
    m->budget = limits->budget_pages;
    m->scratch = limits->scratch_pages;
    m->nplace = limits->nplace;
    m->expected = cl_calloc(m->nblock + (size_t)1, sizeof *m->expected);
    m->last_use = cl_calloc(m->nblock + (size_t)1, sizeof *m->last_use);
    m->released = cl_calloc(m->nblock + (size_t)1, sizeof *m->released);
    m->phase = cl_calloc(m->ntask + (size_t)1, sizeof *m->phase);
    bool ok = m->expected && m->last_use && m->released && m->phase;
    for (uint32_t p = 0; p < m->nplace; p++) {
        m->place[p].cell = cl_calloc(m->nblock + (size_t)1, sizeof(cell));
        ok = ok && m->place[p].cell;
    }
    if (ok)
        expect_values(m);
    return ok;
}

void model_fini(model *m)
{
    cl_free(m->expected);
    cl_free(m->last_use);
    cl_free(m->released);
    cl_free(m->phase);
    for (uint32_t p = 0; p < m->nplace; p++)
        cl_free(m->place[p].cell);
}

static void take_pages(model *m, uint16_t p, uint64_t pages)
{
    m->place[p].used += pages;
    if (m->place[p].used > m->budget)
        model_fail(m, "place %u uses %llu of %llu pages", p,
                   (unsigned long long)m->place[p].used, (unsigned long long)m->budget);
}

static void give_pages(model *m, uint16_t p, uint64_t pages)
{
    if (m->place[p].used < pages)
        model_fail(m, "place %u gives back more pages than it has", p);
    m->place[p].used -= pages;
}

static job *add_job(model *m, job j)
{
    if (m->njob == MOST_JOBS) {
        model_fail(m, "more than %d jobs under way", MOST_JOBS);
        m->njob--;
    }
    m->job[m->njob] = j;
    return &m->job[m->njob++];
}

uint32_t model_lowest_idle(const model *m)
{
    const cl_segment *s = &m->plan->segment[m->segments - 1];
    const uint32_t end = s->task_base + s->ntask;
    for (uint32_t t = 0; t < end; t++)
        if (m->phase[t] == TASK_IDLE)
            return t;
    return CL_NONE;
}

static bool is_readable(const model *m, uint32_t block, uint16_t p)
{
    return m->place[p].cell[block].state == CELL_HERE ||
           (block_of(m, block)->flags & CL_BLOCK_RESIDENT);
}

/* All read operands are at the place, and none is on its way to scratch. */
static bool is_served(const model *m, uint32_t task, uint16_t p)
{
    const plans_operands o = plans_find_task(m->plan, task);
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        if (cl_operand_mode(o.at[i]) != CL_W &&
            (!is_readable(m, block, p) || m->place[p].cell[block].spilling))
            return false;
    }
    return true;
}

static uint32_t next_use(const model *m, uint32_t block)
{
    for (uint32_t i = 0; i < m->segments; i++) {
        const cl_segment *s = &m->plan->segment[i];
        for (uint32_t t = 0; t < s->ntask; t++) {
            if (m->phase[s->task_base + t] != TASK_IDLE)
                continue;
            for (uint32_t o = s->operand_start[t]; o < s->operand_start[t + 1]; o++)
                if (cl_operand_block(s->operand[o]) == block)
                    return s->task_base + t;
        }
    }
    return CL_NONE;
}

/* Memory of a block that is still wanted goes: only for one needed later than the
 * lowest task. */
static void check_victim(model *m, uint32_t block, uint32_t before)
{
    if (m->nplace > 1 || m->reruns || before == CL_NONE)
        return;
    const uint32_t use = next_use(m, block);
    if (use <= before)
        model_fail(m, "block %u is evicted though task %u needs it and task %u is next",
                   block, use, before);
}

/* Nothing is loaded while the lowest task has all its operands and lacks memory. */
static void check_load(model *m, uint32_t block)
{
    const uint32_t head = model_lowest_idle(m);
    if (m->nplace > 1 || m->reruns || head == CL_NONE || !is_served(m, head, 0))
        return;
    const plans_operands o = plans_find_task(m->plan, head);
    uint64_t need = m->plan->stage[o.stage].workspace_pages;
    for (uint32_t i = 0; i < o.n; i++) {
        if (cl_operand_mode(o.at[i]) >= CL_RW)
            return; /* it may take over a buffer */
        if (cl_operand_mode(o.at[i]) == CL_W)
            need += charge(m, cl_operand_block(o.at[i]));
    }
    if (m->place[0].used + need > m->budget)
        model_fail(m, "block %u is loaded while task %u lacks memory", block, head);
}

static bool can_be_had_again(const model *m, uint32_t block, uint16_t p)
{
    if (block_of(m, block)->flags & (CL_BLOCK_SOURCE | CL_BLOCK_RECOMPUTE))
        return true;
    for (uint32_t q = 0; q < m->nplace; q++) {
        const cell *c = &m->place[q].cell[block];
        if (c->in_scratch || (q != p && c->state == CELL_HERE))
            return true;
    }
    return false;
}

/* Some version that the task makes is nowhere. */
static bool misses_output(const model *m, uint32_t task)
{
    const plans_operands o = plans_find_task(m->plan, task);
    bool missing = false;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        bool somewhere = false;
        for (uint32_t p = 0; p < m->nplace; p++)
            somewhere = somewhere || m->place[p].cell[block].state == CELL_HERE ||
                        m->place[p].cell[block].in_scratch;
        missing = missing || (cl_operand_mode(o.at[i]) == CL_W && !somewhere);
    }
    return missing;
}

/* Its producer has to run again for another output: then this one goes, too. */
static bool is_made_again(const model *m, uint32_t block)
{
    const uint32_t producer = block_of(m, block)->producer;
    return m->reruns && producer != CL_NONE && misses_output(m, producer);
}

static bool is_wanted(const model *m, uint32_t block)
{
    return m->last_use[block] > 0 ||
           ((block_of(m, block)->flags & CL_BLOCK_PERSIST) && !m->released[block]);
}

static void do_free(model *m, const cl_action *a, uint32_t before)
{
    cell *c = &m->place[a->place].cell[a->block];
    if (c->state != CELL_HERE || c->users || c->copying || c->spilling)
        model_fail(m, "block %u is freed at %u: state %u, %u users, %u copies, %d",
                   a->block, a->place, c->state, c->users, c->copying, c->spilling);
    const bool is_good = c->value == m->expected[a->block]; /* no failed load */
    if (is_wanted(m, a->block) && is_good && !m->stopped) {
        if (!can_be_had_again(m, a->block, a->place) && !is_made_again(m, a->block))
            model_fail(m, "block %u is freed though it is wanted", a->block);
        check_victim(m, a->block, c->in_scratch ? CL_NONE : before);
    }
    c->state = CELL_NONE;
    give_pages(m, a->place, charge(m, a->block));
}

static void do_discard(model *m, const cl_action *a)
{
    cell *c = &m->place[a->place].cell[a->block];
    if (!c->in_scratch || c->reading_scratch)
        model_fail(m, "block %u is discarded: in scratch %d, being read %d", a->block,
                   c->in_scratch, c->reading_scratch);
    if (is_wanted(m, a->block) && c->state != CELL_HERE &&
        !(m->reruns && can_be_had_again(m, a->block, a->place)))
        model_fail(m, "block %u is discarded though it is wanted", a->block);
    c->in_scratch = false;
    m->place[a->place].scratch -= charge(m, a->block);
}

static void do_load(model *m, const cl_action *a)
{
    cell *c = &m->place[a->place].cell[a->block];
    const cl_block *b = block_of(m, a->block);
    if (c->state != CELL_NONE || (b->flags & CL_BLOCK_RESIDENT))
        model_fail(m, "block %u is loaded over itself", a->block);
    if (a->from_scratch ? !c->in_scratch : !(b->flags & CL_BLOCK_SOURCE))
        model_fail(m, "block %u is loaded from where it is not", a->block);
    check_load(m, a->block);
    c->state = CELL_LOADING;
    c->reading_scratch = a->from_scratch;
    take_pages(m, a->place, b->pages + (a->from_scratch ? 0 : (uint64_t)b->load_pages));
    add_job(m, (job){.kind = JOB_LOAD,
                     .place = a->place,
                     .epoch = a->epoch,
                     .id = a->block,
                     .from_scratch = a->from_scratch});
}

static void do_copy(model *m, const cl_action *a)
{
    cell *c = &m->place[a->place].cell[a->block];
    cell *from = &m->place[a->from].cell[a->block];
    if (c->state != CELL_NONE || from->state != CELL_HERE || a->from == a->place)
        model_fail(m, "block %u is copied from %u (state %u) to %u (state %u)",
                   a->block, a->from, from->state, a->place, c->state);
    c->state = CELL_LOADING;
    from->copying++;
    take_pages(m, a->place, charge(m, a->block));
    add_job(m, (job){.kind = JOB_COPY,
                     .place = a->place,
                     .from = a->from,
                     .epoch = a->epoch,
                     .id = a->block,
                     .value = from->value});
}

static void do_spill(model *m, const cl_action *a, uint32_t before)
{
    model_place *place = &m->place[a->place];
    cell *c = &place->cell[a->block];
    const uint8_t flags = block_of(m, a->block)->flags;
    if (flags & (CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT))
        model_fail(m, "block %u is spilled though it has a home", a->block);
    if (c->state != CELL_HERE || c->spilling || c->in_scratch)
        model_fail(m, "block %u is spilled: state %u", a->block, c->state);
    if (before != CL_NONE && c->users && m->nplace == 1 && !m->reruns)
        model_fail(m, "block %u is spilled though it is pinned", a->block);
    check_victim(m, a->block, before);
    place->scratch += charge(m, a->block);
    if (place->scratch > m->scratch)
        model_fail(m, "scratch of %u uses %llu of %llu pages", a->place,
                   (unsigned long long)place->scratch, (unsigned long long)m->scratch);
    if (place->scratch > m->peak_scratch)
        m->peak_scratch = place->scratch;
    c->spilling = true;
    add_job(m, (job){.kind = JOB_SPILL,
                     .place = a->place,
                     .epoch = a->epoch,
                     .id = a->block,
                     .value = c->value});
}

void model_action(model *m, const cl_action *a, uint32_t before)
{
    static const char *const name[] = {"load", "spill", "free", "discard", "copy"};
    model_say(m, "%s %u at %u%s", name[a->kind], a->block, a->place,
              a->from_scratch ? " from scratch" : "");
    if (a->epoch != m->place[a->place].epoch) {
        model_fail(m, "%s of block %u in an old epoch", name[a->kind], a->block);
        return;
    }
    if (m->stopped && a->kind != CL_ACTION_FREE && a->kind != CL_ACTION_DISCARD)
        model_fail(m, "%s of block %u after the end", name[a->kind], a->block);
    switch (a->kind) {
    case CL_ACTION_FREE:
        do_free(m, a, before);
        break;
    case CL_ACTION_DISCARD:
        do_discard(m, a);
        break;
    case CL_ACTION_LOAD:
        do_load(m, a);
        break;
    case CL_ACTION_COPY:
        do_copy(m, a);
        break;
    case CL_ACTION_SPILL:
        do_spill(m, a, before);
        break;
    }
}

/* Ranks: in one place and without recomputation no served task is overtaken. */
static void check_order(model *m, uint32_t task)
{
    const uint32_t head = model_lowest_idle(m);
    if (m->nplace > 1 || m->reruns || head >= task)
        return;
    if (is_served(m, head, 0))
        model_fail(m, "task %u overtakes task %u, which has its operands", task, head);
}

static void check_rerun(model *m, uint32_t task)
{
    if (!m->reruns || !misses_output(m, task))
        model_fail(m, "task %u runs again for nothing", task);
}

static void check_reads(model *m, uint32_t task, uint16_t p, uint32_t copy_mask)
{
    const plans_operands o = plans_find_task(m->plan, task);
    uint32_t bit = 1;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        const cl_mode mode = cl_operand_mode(o.at[i]);
        bool taken = false;
        if (mode >= CL_RW) {
            taken = !(copy_mask & bit);
            bit <<= 1;
        }
        if (mode == CL_W || taken || (block_of(m, block)->flags & CL_BLOCK_RESIDENT))
            continue;
        const cell *c = &m->place[p].cell[block];
        if (c->state != CELL_HERE || c->value != m->expected[block])
            model_fail(m, "task %u reads block %u at %u: state %u, %s value", task,
                       block, p, c->state,
                       c->value == m->expected[block] ? "right" : "wrong");
    }
}

/* The buffer of `old` becomes that of the next version, which nobody else may notice.
 */
static void take_over(model *m, uint32_t old, uint16_t p)
{
    cell *c = &m->place[p].cell[old];
    const bool last = m->last_use[old] == 1 || m->reruns;
    if (c->users || c->copying || c->spilling || !last ||
        (block_of(m, old)->flags & CL_BLOCK_RESIDENT))
        model_fail(m, "block %u is overwritten: %u users, %u copies, %u uses left", old,
                   c->users, c->copying, m->last_use[old]);
    if ((block_of(m, old)->flags & CL_BLOCK_PERSIST) && !m->released[old])
        model_fail(m, "persisted block %u is overwritten", old);
    c->state = CELL_NONE;
    give_pages(m, p, charge(m, old));
}

static void start(model *m, const cl_start *start, uint16_t p)
{
    const uint32_t task = start->task;
    const plans_operands o = plans_find_task(m->plan, task);
    model_place *place = &m->place[p];
    model_say(m, "start %u at %u, copies %x", task, p, start->copy_mask);
    if (m->phase[task] == TASK_RUNNING || m->stopped || start->epoch != place->epoch)
        model_fail(m, "task %u must not start (phase %u)", task, m->phase[task]);
    if (m->phase[task] == TASK_DONE)
        check_rerun(m, task);
    check_order(m, task);
    check_reads(m, task, p, ~0u);
    uint32_t bit = 1;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        cell *c = &place->cell[block];
        const cl_mode mode = cl_operand_mode(o.at[i]);
        if (mode == CL_W) {
            if (c->state != CELL_NONE)
                model_fail(m, "output %u of task %u is there already", block, task);
            c->state = CELL_MAKING;
            take_pages(m, p, charge(m, block));
            continue;
        }
        const bool taken = mode >= CL_RW && !(start->copy_mask & bit);
        bit <<= mode >= CL_RW;
        if (taken)
            take_over(m, block, p);
        else
            c->users++;
    }
    const uint32_t workspace = m->plan->stage[o.stage].workspace_pages;
    if (workspace > m->workspace) {
        take_pages(m, p, workspace - m->workspace);
        m->workspace = workspace;
    }
    m->phase[task] = TASK_RUNNING;
    place->busy++;
    add_job(m, (job){.kind = JOB_TASK,
                     .place = p,
                     .epoch = start->epoch,
                     .id = task,
                     .copy_mask = start->copy_mask,
                     .batch = m->batch,
                     .workspace = m->workspace});
}

void model_starts(model *m, const cl_start *starts, size_t n, uint16_t place)
{
    m->batch++;
    m->workspace = 0;
    for (size_t i = 0; i < n && !m->failed; i++)
        start(m, &starts[i], place);
    for (size_t i = 0; i < n && !m->failed; i++)
        if (starts[i].workspace_pages != (i == 0 ? m->workspace : 0))
            model_fail(m, "task %u is told of a workspace of %u pages, not %u",
                       starts[i].task, starts[i].workspace_pages, m->workspace);
}

/* The last task of those that were taken together gives their workspace back. */
static uint32_t workspace_left(model *m, const job *j)
{
    for (uint32_t i = 0; i < m->njob; i++) {
        job *other = &m->job[i];
        if (other->kind != JOB_TASK || other->batch != j->batch)
            continue;
        if (other->workspace < j->workspace)
            other->workspace = j->workspace;
        return 0;
    }
    return j->workspace;
}

static void end_task(model *m, job *j, bool well)
{
    const plans_operands o = plans_find_task(m->plan, j->id);
    model_place *place = &m->place[j->place];
    check_reads(m, j->id, j->place, j->copy_mask);
    const uint64_t value = value_read(m, j->id);
    uint32_t bit = 1;
    for (uint32_t i = 0; i < o.n; i++) {
        const uint32_t block = cl_operand_block(o.at[i]);
        cell *c = &place->cell[block];
        const cl_mode mode = cl_operand_mode(o.at[i]);
        if (mode == CL_W) {
            c->state = CELL_HERE;
            c->value = mix(value, i);
            continue;
        }
        const bool taken = mode >= CL_RW && !(j->copy_mask & bit);
        bit <<= mode >= CL_RW;
        c->users -= !taken;
        if (well && m->last_use[block] > 0)
            m->last_use[block]--;
    }
    j->workspace = workspace_left(m, j);
    give_pages(m, j->place, j->workspace);
    m->phase[j->id] = well ? TASK_DONE : TASK_IDLE;
    place->busy--;
}

static void end_load(model *m, const job *j, bool well)
{
    cell *c = &m->place[j->place].cell[j->id];
    c->state = CELL_HERE; /* a failed one waits for its FREE, too */
    c->value = j->kind == JOB_COPY ? j->value
               : j->from_scratch   ? c->scratch_value
                                   : m->expected[j->id];
    c->reading_scratch = false;
    if (!well)
        c->value = 0;
    if (j->kind == JOB_LOAD && !j->from_scratch)
        give_pages(m, j->place, block_of(m, j->id)->load_pages);
    if (j->kind == JOB_COPY && !j->orphan)
        m->place[j->from].cell[j->id].copying--;
}

static void end_spill(model *m, const job *j, bool well)
{
    cell *c = &m->place[j->place].cell[j->id];
    if (c->state != CELL_HERE || c->value != j->value)
        model_fail(m, "block %u changed while it was spilled", j->id);
    c->spilling = false;
    c->in_scratch = well;
    c->scratch_value = j->value;
    if (!well)
        m->place[j->place].scratch -= charge(m, j->id);
}

static cl_event event_of(const job *j, bool well)
{
    static const cl_event_kind event[] = {CL_EVENT_DONE, CL_EVENT_LOADED,
                                          CL_EVENT_SPILLED, CL_EVENT_LOADED};
    return (cl_event){.kind = well ? event[j->kind] : CL_EVENT_FAILED,
                      .place = j->place,
                      .epoch = j->epoch,
                      .task = j->kind == JOB_TASK ? j->id : CL_NONE,
                      .block = j->kind == JOB_TASK ? CL_NONE : j->id,
                      .workspace_pages = j->workspace,
                      .status = well ? CLAST_OK : CLAST_EIO};
}

cl_event model_ghost(model *m, uint32_t i)
{
    const job j = m->ghost[i];
    m->ghost[i] = m->ghost[--m->nghost];
    model_say(m, "ghost of job %u at %u", j.id, j.place);
    return event_of(&j, j.id % 5 != 0);
}

cl_event model_end_job(model *m, uint32_t i, bool well)
{
    static const char *const name[] = {"done", "loaded", "spilled", "copied"};
    job j = m->job[i];
    m->job[i] = m->job[--m->njob];
    model_say(m, "%s%s %u at %u", well ? "" : "not ", name[j.kind], j.id, j.place);
    if (j.kind == JOB_TASK)
        end_task(m, &j, well);
    else if (j.kind == JOB_SPILL)
        end_spill(m, &j, well);
    else
        end_load(m, &j, well);
    return event_of(&j, well);
}

void model_lose(model *m, uint16_t p)
{
    model_place *place = &m->place[p];
    model_say(m, "place %u is lost", p);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->njob; i++) {
        job j = m->job[i];
        if (j.place == p) {
            if (m->nghost < MOST_GHOSTS)
                m->ghost[m->nghost++] = j;
            if (j.kind == JOB_TASK)
                m->phase[j.id] = TASK_IDLE;
            if (j.kind == JOB_COPY && !j.orphan)
                m->place[j.from].cell[j.id].copying--;
            continue;
        }
        j.orphan = j.orphan || (j.kind == JOB_COPY && j.from == p);
        m->job[kept++] = j;
    }
    m->njob = kept;
    memset(place->cell, 0, m->nblock * sizeof *place->cell);
    place->used = place->scratch = 0;
    place->busy = 0;
    place->epoch++;
    m->reruns = m->lost = true;
}

void model_adopt(model *m, uint32_t block, bool in_scratch)
{
    cell *c = &m->place[0].cell[block];
    c->value = c->scratch_value = m->expected[block];
    c->in_scratch = in_scratch;
    if (in_scratch)
        m->peak_scratch = m->place[0].scratch += charge(m, block);
    else
        take_pages(m, 0, charge(m, block));
    c->state = in_scratch ? CELL_NONE : CELL_HERE;
}

static void check_end_of(model *m, const cl_core *core, uint32_t block)
{
    const uint8_t flags = block_of(m, block)->flags;
    cl_at at = flags & CL_BLOCK_RESIDENT ? CL_AT_MEMORY : CL_AT_NOWHERE;
    for (uint32_t p = 0; p < m->nplace; p++) {
        const cell *c = &m->place[p].cell[block];
        if (c->state == CELL_HERE)
            at = CL_AT_MEMORY;
        if (c->in_scratch && at == CL_AT_NOWHERE)
            at = CL_AT_SCRATCH;
        if ((c->state == CELL_HERE && c->value != m->expected[block]) ||
            (c->in_scratch && c->scratch_value != m->expected[block]))
            model_fail(m, "block %u has a wrong value at the end", block);
    }
    if (cl_core_where(core, block) != at)
        model_fail(m, "block %u is said to be at %d, is at %d", block,
                   cl_core_where(core, block), at);
    const bool persists = (flags & CL_BLOCK_PERSIST) && !m->released[block];
    if (persists && at == CL_AT_NOWHERE)
        model_fail(m, "persisted block %u is lost", block);
    if (!persists && !(flags & CL_BLOCK_RESIDENT) && at != CL_AT_NOWHERE)
        model_fail(m, "block %u was never freed", block);
}

void model_check_end(model *m, const cl_core *core)
{
    for (uint32_t t = 0; t < m->ntask; t++)
        if (m->phase[t] != TASK_DONE)
            model_fail(m, "task %u never ran", t);
    for (uint32_t b = 0; b < m->nblock; b++)
        check_end_of(m, core, b);
}
