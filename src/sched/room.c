/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room for a run beside persisted blocks.
 *
 * Persisted arrays may fill what the run that made them had; the next plan has other
 * tables and other tasks. What does not fit beside these is in scratch before the first
 * of them starts. Who goes is what eviction would say at that moment: first blocks that
 * the plan does not read, of the array that was used longest ago, as far as they leave
 * no memory for the neediest task or for the blocks that are read; then of the latter
 * those whose first use is farthest.
 *
 * All of that follows from the plan's tables and from where blocks are. So admission
 * and the rehearsal know it without anything being moved (cl_room_settle, cl_room_stay)
 * and the run does it before it makes tables of its own (cl_room_make). Planning, which
 * has no plan to ask, has arrays spilled that were used longest ago, where that frees
 * what it is known to lack (cl_engine_displace).
 *
 * First uses are not sorted: the rank up to which blocks stay is found by bisection.
 * Cost: O(blocks of persisted arrays), times the bits of a rank where some that are
 * read go; no memory.
 */
#include "base/least.h"
#include "sched/engine.h"

/* Blocks of arrays that another thread may drop are written with the mutex held, so
 * many bytes at a time. */
#define HELD_FOR ((uint64_t)8 << 20)

/* ---- where blocks are; with the mutex ---- */

typedef struct {
    uint64_t others, own;         /* pages in memory: of arrays not read, and read */
    uint64_t others_out, own_out; /* in scratch */
} whereabouts;

static whereabouts look(const cl_engine *engine, const cl_plan *plan, const cl_run *run)
{
    whereabouts w = {0};
    for (const cl_persisted *k = engine->persisted; k; k = k->next) {
        const bool is_own = cl_persisted_is_read(k, plan, run);
        uint64_t in = 0, out = 0;
        for (uint64_t i = 0; i < k->count; i++)
            *(k->block[i].address ? &in : &out) += k->block[i].pages;
        *(is_own ? &w.own : &w.others) += in;
        *(is_own ? &w.own_out : &w.others_out) += out;
    }
    return w;
}

/* Of blocks that the plan does not read, those used last stay as far as they fit: their
 * pages. */
static uint64_t kept(const cl_engine *engine, const cl_plan *plan, const cl_run *run,
                     uint64_t room)
{
    uint64_t pages = 0;
    for (const cl_persisted *k = engine->persisted; k; k = k->next) {
        if (cl_persisted_is_read(k, plan, run))
            continue;
        for (uint64_t i = 0; i < k->count; i++) {
            if (!k->block[i].address)
                continue;
            if (k->block[i].pages > room - pages)
                return pages;
            pages += k->block[i].pages;
        }
    }
    return pages;
}

static uint64_t all_pages(const cl_engine *engine, const cl_budget *b)
{
    return cl_minus_u(engine->options.memory, engine->charged + b->fixed) / CL_PAGE;
}

/* ---- blocks that the plan reads ---- */

static uint32_t first_use(const cl_plan *plan, uint32_t block)
{
    for (uint32_t i = 0; i < plan->nsegment; i++) {
        const cl_segment *s = &plan->segment[i];
        const uint32_t k = block - s->block_base;
        if (block >= s->block_base && k < s->nblock &&
            s->consumer_start[k] < s->consumer_start[k + 1])
            return s->consumer[s->consumer_start[k]];
        for (uint32_t e = 0; e < s->nextern; e++)
            if (s->extern_block[e] == block &&
                s->extern_start[e] < s->extern_start[e + 1])
                return s->extern_consumer[s->extern_start[e]];
    }
    return CL_NONE;
}

typedef struct {
    const cl_plan *plan;
    uint64_t rank, pages; /* pages: of blocks in memory wanted before that rank */
} weighing;

static void weigh(void *arg, cl_persisted_block *p, uint32_t block)
{
    weighing *w = arg;
    if (p->address && first_use(w->plan, block) < w->rank)
        w->pages += p->pages;
}

static uint64_t pages_before(const cl_plan *plan, const cl_run *run, uint64_t rank)
{
    weighing w = {.plan = plan, .rank = rank};
    cl_persisted_each(plan, run, weigh, &w);
    return w.pages;
}

cl_stay cl_room_stay(const cl_plan *plan, const cl_run *run, uint64_t pages)
{
    uint64_t low = 0, high = (uint64_t)CL_NONE + 1;
    if (pages_before(plan, run, high) <= pages)
        return (cl_stay){.rank = high};
    while (high - low > 1) {
        const uint64_t mid = low + (high - low) / 2;
        *(pages_before(plan, run, mid) <= pages ? &low : &high) = mid;
    }
    return (cl_stay){.rank = low, .left = pages - pages_before(plan, run, low)};
}

bool cl_room_stays(cl_stay *stay, const cl_plan *plan, const cl_persisted_block *p,
                   uint32_t block)
{
    const uint32_t use = first_use(plan, block);
    if (!p->address || use < stay->rank)
        return p->address;
    if (use > stay->rank || p->pages > stay->left)
        return false;
    stay->left -= p->pages;
    return true;
}

typedef struct {
    const cl_plan *plan;
    cl_stay stay;
    uint64_t pages;
} leaving;

static void count_leaving(void *arg, cl_persisted_block *p, uint32_t block)
{
    leaving *l = arg;
    if (p->address && !cl_room_stays(&l->stay, l->plan, p, block))
        l->pages += p->pages;
}

static uint64_t own_leaving(const cl_plan *plan, const cl_run *run, uint64_t pages)
{
    leaving l = {.plan = plan, .stay = cl_room_stay(plan, run, pages)};
    cl_persisted_each(plan, run, count_leaving, &l);
    return l.pages;
}

void cl_room_settle(cl_budget *b, const cl_engine *engine, const cl_plan *plan,
                    const cl_run *run)
{
    const whereabouts w = look(engine, plan, run);
    const uint64_t all = all_pages(engine, b);
    const uint64_t room = cl_minus_u(all, cl_larger_u(b->needs.least, w.own));
    b->others = w.others;
    b->others_out = w.others_out;
    b->own_out = w.own_out;
    b->leaving = b->own_leaving = b->others_stuck = 0;
    b->own_are_stuck = false;
    if (w.others > room) {
        const uint64_t stay = kept(engine, plan, run, room);
        if (cl_budget_scratch(engine, run, b) < w.own_out + w.others - stay)
            b->others_stuck = w.others;
        else
            b->leaving = w.others - stay;
    }
    b->others -= b->leaving;
    b->others_out += b->leaving;
    b->pages = cl_minus_u(all, b->others);
    if (w.own <= b->pages)
        return;
    b->own_leaving = own_leaving(plan, run, b->pages);
    b->own_are_stuck = cl_budget_scratch(engine, run, b) < w.own_out + b->own_leaving;
}

/* ---- moving them ---- */

/* Its memory is given back; `bytes` counts what was written. */
static clast_status spill(cl_engine *engine, cl_persisted_block *p, uint64_t *bytes,
                          cl_error *err)
{
    cl_scratch *scratch;
    uint64_t slot;
    CL_TRY(cl_spill_open(&engine->spill, &scratch, err));
    CL_TRY(cl_scratch_write(scratch, p->address, (uint64_t)p->pages * CL_PAGE, &slot,
                            err));
    p->slot = slot + 1;
    *bytes += (uint64_t)p->pages * CL_PAGE;
    return CLAST_OK;
}

/* With the mutex. */
static void give(cl_engine *engine, cl_persisted_block *p)
{
    cl_memory_give(engine->memory, p->address, p->pages);
    p->address = NULL;
}

typedef struct {
    cl_engine *engine;
    const cl_plan *plan;
    cl_stay stay;
    const atomic_bool *is_canceled;
    uint64_t *bytes;
    clast_status status;
    cl_error *err;
} mover;

static bool is_canceled(const cl_engine *engine, const atomic_bool *also)
{
    return atomic_load(&engine->state) == CL_ENGINE_CANCELED ||
           (also && atomic_load(also));
}

static clast_status canceled(const mover *m)
{
    return cl_error_set(m->err, CLAST_ECANCELED, "%s",
                        clast_status_text(CLAST_ECANCELED));
}

/* The array is held by who runs, so that the block can be written without the mutex. */
static void move_own(void *arg, cl_persisted_block *p, uint32_t block)
{
    mover *m = arg;
    if (m->status != CLAST_OK || !p->address ||
        cl_room_stays(&m->stay, m->plan, p, block))
        return;
    m->status = is_canceled(m->engine, m->is_canceled)
                    ? canceled(m)
                    : spill(m->engine, p, m->bytes, m->err);
    if (m->status != CLAST_OK)
        return;
    cl_mutex_lock(&m->engine->mutex);
    give(m->engine, p);
    cl_mutex_unlock(&m->engine->mutex);
}

/* With the mutex: spills blocks that the plan, if there is one, does not read, those
 * used longest ago first, until no more than `room` pages of them are in memory, for a
 * while. *more: there are some left to spill. */
static clast_status move_others(const mover *m, const cl_run *run, uint64_t room,
                                bool *more)
{
    uint64_t before = *m->bytes, pages = 0;
    cl_persisted *last = NULL;
    for (cl_persisted *k = m->engine->persisted; k; k = k->next) {
        last = k;
        if (m->plan && cl_persisted_is_read(k, m->plan, run))
            continue;
        for (uint64_t i = 0; i < k->count; i++)
            pages += k->block[i].address ? k->block[i].pages : 0;
    }
    for (cl_persisted *k = last; k && pages > room; k = k->previous) {
        if (m->plan && cl_persisted_is_read(k, m->plan, run))
            continue;
        for (uint64_t i = k->count; i-- > 0 && pages > room;) {
            cl_persisted_block *p = &k->block[i];
            if (!p->address)
                continue;
            *more = *m->bytes - before >= HELD_FOR;
            if (*more)
                return CLAST_OK;
            CL_TRY(spill(m->engine, p, m->bytes, m->err));
            pages -= p->pages;
            give(m->engine, p);
        }
    }
    *more = false;
    return CLAST_OK;
}

static clast_status displace(const mover *m, const cl_run *run, uint64_t room)
{
    clast_status status = CLAST_OK;
    bool more = true;
    while (status == CLAST_OK && more) {
        if (is_canceled(m->engine, m->is_canceled))
            return canceled(m);
        cl_mutex_lock(&m->engine->mutex);
        m->engine->spill.folder = run->scratch_folder;
        status = move_others(m, run, room, &more);
        cl_mutex_unlock(&m->engine->mutex);
    }
    return status;
}

clast_status cl_room_make(cl_engine *engine, const cl_plan *plan, const cl_run *run,
                          const cl_budget *b, uint64_t *bytes, cl_error *err)
{
    mover m = {.engine = engine,
               .plan = plan,
               .is_canceled = run->is_canceled,
               .bytes = bytes,
               .err = err};
    CL_TRY(displace(&m, run, cl_minus_u(all_pages(engine, b), b->pages)));
    m.stay = cl_room_stay(plan, run, b->pages);
    cl_persisted_each(plan, run, move_own, &m);
    return m.status;
}

clast_status cl_engine_displace(cl_engine *engine, const cl_run *run, uint64_t least,
                                uint64_t wanted, uint64_t *moved, cl_error *err)
{
    const uint64_t there = cl_engine_free_bytes(engine);
    const uint64_t lacked = cl_pages(cl_minus_u(least, there));
    const uint64_t more = cl_pages(cl_minus_u(cl_larger_u(least, wanted), there));
    cl_mutex_lock(&engine->mutex);
    const whereabouts w = look(engine, &(cl_plan){0}, run);
    const cl_budget b = {.others_out = w.others_out};
    const uint64_t room = cl_budget_scratch(engine, run, &b);
    cl_mutex_unlock(&engine->mutex);
    const uint64_t most = cl_lesser_u(w.others, room);
    if (lacked > most)
        return CLAST_OK;
    const mover m = {
        .engine = engine, .is_canceled = run->is_canceled, .bytes = moved, .err = err};
    const clast_status status = displace(&m, run, w.others - cl_lesser_u(more, most));
    cl_mutex_lock(&engine->mutex);
    cl_spill_end(&engine->spill);
    /* What blocks have touched is the plan's now. */
    cl_memory_set_limit(engine->memory, cl_memory_live(engine->memory));
    cl_engine_adjust_limit(engine);
    cl_mutex_unlock(&engine->mutex);
    return status;
}
