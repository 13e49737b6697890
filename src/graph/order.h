/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An order under construction: raw tasks, who reads what, and the ranks found so far.
 *
 *   order_written.c  the sweep: what is needed, and whether tasks may stay as written
 *   order.c          the traversals, and the steps one after another
 *   order_greedy.c   another order, made of the first one
 *   order_final.c    the plan's arrays
 */
#ifndef CL_GRAPH_ORDER_H
#define CL_GRAPH_ORDER_H

#include "graph/draft.h"

typedef struct {
    cl_draft *d;
    cl_segment *segment;      /* the plan's */
    cl_arena walk;            /* what goes once all tasks are ranked */
    uint32_t n;               /* raw tasks */
    uint32_t *stage;          /* by raw task */
    uint32_t *producer;       /* by block: raw task or CL_NONE */
    uint32_t *consumer_start; /* by block */
    uint32_t *consumer;       /* NULL where nobody asks for readers; pending too */
    uint32_t *pending;  /* by task that runs as soon as it can: reads whose producer has
                           no rank yet */
    uint32_t *rank;     /* by task: CL_NONE not yet, CL_DEAD never */
    uint32_t *sequence; /* by rank: raw task; once all are ranked */
    uint32_t nranked;
    size_t noperand;  /* of all that are ranked */
    bool is_straight; /* it is the plain depth-first one, whoever asked for it */
    /* Of tasks that run as they were written: whether all are needed, the most pages
     * that are alive at once, and pages that every order holds at some moment. */
    bool is_whole;
    uint64_t peak, least;
    uint32_t *stack;
    size_t depth, capacity;
    uint8_t *is_grouped; /* by task of products: its super-tile was entered; of copies:
                            all were pushed */
} cl_order;

#define CL_DEAD (CL_NONE - 1)

static inline bool cl_operand_reads(uint32_t operand)
{
    return cl_operand_mode(operand) != CL_W;
}

/* CLAST_EBUDGET where what the order and the draft hold, with so many bytes more, is
 * not to be had. */
clast_status cl_order_room(const cl_order *o, uint64_t more);
/* Finds the stage of each task, which may have held something else. */
void cl_order_find_stages(cl_order *o);

/* Frees an array and forgets it: the address of a pointer. */
void cl_order_drop(void *address);
/* Begins of the lists of readers, from their counts. */
void cl_order_sum_readers(cl_order *o);

/* Marks tasks that nobody needs CL_DEAD; finds producers, and counts readers in
 * consumer_start, one place above each block's own. Of tasks as they were written it
 * also says whether every one is needed (is_whole), what is alive at once at most
 * (peak), and what any order holds at some moment (least). Writes into each stage how
 * many blocks its tasks write (outputs): the scheduler relies on it. */
void cl_order_sweep(cl_order *o);
/* After the sweep: no other order is worth looking for. */
bool cl_order_is_written_well(const cl_order *o);

/* Ranks the ranked tasks anew. */
clast_status cl_order_greedy(cl_order *o);

/* The plan's segment, of the ranked tasks, or of all as they were written. */
clast_status cl_order_publish(cl_order *o);
clast_status cl_order_publish_written(cl_order *o);

#endif
