/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which plans are run in order.
 *
 * Everything has to fit, and nothing to be loaded. Tasks have to be tiny, for a worker
 * may have to wait for a certain other one. And the order must be as good as any:
 * it is played through with tasks of equal length, each lane's one after another and
 * after what they read, and must keep the lanes busy for four fifths of the time. Rows
 * of tasks that go on from each other do; chains that are written one after another do
 * not, nor what has fewer tasks at a time than there are workers. These are the core's.
 *
 * Cost: about 5 instructions an operand and 4 bytes a task, before the run, of what is
 * set aside for the core or the lanes.
 */
#include "sched/in_order.h"

#include "base/alloc.h"
#include "sched/pool.h"

/* Lanes; pages that are alive at once, which pools walk through; a task's cycles. */
enum { MOST_LANES = 64, MOST_ALIVE = 512, MOST_CYCLES = 20000 };

/* Without those that wait for a disk, or for the caller. */
static bool is_tiny(const cl_plan *plan, const cl_run *run)
{
    for (uint32_t i = 0; i < plan->nstage; i++) {
        const cl_stage *s = &plan->stage[i];
        const bool waits = s->kind == CL_STAGE_USER ||
                           (s->kind == CL_STAGE_STORE && run->sinks[s->sink].spec);
        if (waits || s->cost > MOST_CYCLES)
            return false;
    }
    return true;
}

static bool reads_made(const cl_segment *s, uint32_t task)
{
    for (uint32_t o = s->operand_start[task]; o < s->operand_start[task + 1]; o++)
        if (s->block[cl_operand_block(s->operand[o])].producer < task)
            return true;
    return false;
}

/* As many ranks as make each row, judged by the first one, a piece of each lane. */
uint32_t cl_in_order_shift(const cl_plan *plan, int workers)
{
    const cl_segment *const s = &plan->segment[0];
    const uint32_t lanes = (uint32_t)workers, most = CL_MOST_PIECE * lanes;
    uint32_t row = 0, shift = 0;
    while (row < s->ntask && row < most && !reads_made(s, row))
        row++;
    while (2u << shift <= CL_MOST_PIECE && lanes << (shift + 1) <= row)
        shift++;
    return shift;
}

/* When the last task ends if each takes a time of 1. `ending` is by task. */
static uint32_t time_of(const cl_segment *s, uint32_t lanes, uint32_t shift,
                        uint32_t *ending)
{
    uint32_t end[MOST_LANES] = {0}, lane = 0, last = 0;
    for (uint32_t t = 0; t < s->ntask; t++) {
        const uint32_t *at = s->operand + s->operand_start[t];
        const uint32_t *const operands = s->operand + s->operand_start[t + 1];
        uint32_t begin = end[lane];
        for (; at < operands; at++) {
            const uint32_t producer = s->block[cl_operand_block(*at)].producer;
            const uint32_t made = producer < t ? ending[producer] : 0;
            begin = made > begin ? made : begin;
        }
        ending[t] = end[lane] = begin + 1;
        last = begin + 1 > last ? begin + 1 : last;
        if (((t + 1) & ((1u << shift) - 1)) == 0)
            lane = lane + 1 < lanes ? lane + 1 : 0;
    }
    return last;
}

static bool keeps_all_busy(const cl_plan *plan, int workers)
{
    const cl_segment *const s = &plan->segment[0];
    const uint32_t lanes = (uint32_t)workers;
    if (lanes == 1)
        return true;
    uint32_t *const ending = cl_alloc_array(s->ntask + (size_t)1, sizeof *ending);
    if (!ending)
        return false;
    const uint32_t shift = cl_in_order_shift(plan, workers);
    const uint64_t time = time_of(s, lanes, shift, ending);
    cl_free(ending);
    return time * lanes * 4 <= (uint64_t)s->ntask * 5;
}

bool cl_in_order_may_suit(const cl_needs *needs, uint64_t workers)
{
    return !needs->loads && workers <= MOST_LANES && needs->most <= CL_POOL_LARGEST &&
           needs->peak <= MOST_ALIVE;
}

bool cl_in_order_suits(const cl_driver *d, const cl_budget *budget)
{
    const cl_needs *const needs = &budget->needs;
    const uint64_t pages = cl_budget_pages(d->engine, budget);
    const uint32_t workers = (uint32_t)d->engine->options.workers;
    return d->plan->nsegment == 1 && !budget->binds && !budget->loads &&
           cl_in_order_may_suit(needs, (uint64_t)d->team) &&
           cl_needs_peak(needs, workers, UINT64_MAX) <= pages &&
           is_tiny(d->plan, d->run) && keeps_all_busy(d->plan, d->team);
}
