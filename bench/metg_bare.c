/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * METG of no runtime at all: each thread owns a part of the columns and goes through
 * the rows; a counter a column says how far it is. This is the limit for the others.
 *
 * Two rows of outputs are kept, so a task waits for what it reads and for those that
 * read what it overwrites.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metg.h"

const char *const metg_name = "bare";

typedef struct {
    _Alignas(64) atomic_int done; /* rows */
    metg_output output[2];
} column;

typedef struct {
    int worker;
    const metg_graph *graph;
} part;

static column columns[METG_MOST];
static int workers;
static pthread_t thread[METG_MOST];
static part parts[METG_MOST];
static _Alignas(64) atomic_int round_begun, round_done;

static void wait_for(atomic_int *counter, int value)
{
    for (int spins = 0; atomic_load_explicit(counter, memory_order_acquire) < value;)
        if (++spins % 4096 == 0)
            sched_yield();
}

/* Columns of row step + 1 that read this one: they overwrite nothing before it is read,
 * which row step + 2 has to wait for. */
static bool reads(const metg_graph *g, int step, int reader, int read)
{
    int from[METG_MOST];
    const int n = metg_inputs(g, step, reader, from);
    for (int i = 0; i < n; i++)
        if (from[i] == read)
            return true;
    return false;
}

static void run_task(const metg_graph *g, int step, int point)
{
    int from[METG_MOST];
    const metg_output *input[METG_MOST];
    const int n = metg_inputs(g, step, point, from);
    for (int i = 0; i < n; i++) {
        wait_for(&columns[from[i]].done, step);
        input[i] = &columns[from[i]].output[(step + 1) % 2];
    }
    for (int c = 0; c < g->width && step > 1; c++)
        if (atomic_load_explicit(&columns[c].done, memory_order_acquire) < step &&
            reads(g, step - 1, c, point))
            wait_for(&columns[c].done, step);
    metg_execute(g, step, point, n, input, &columns[point].output[step % 2]);
    atomic_store_explicit(&columns[point].done, step + 1, memory_order_release);
}

static void run_part(int worker, const metg_graph *g)
{
    const int lo = g->width * worker / workers, hi = g->width * (worker + 1) / workers;
    for (int step = 0; step < g->steps; step++)
        for (int p = lo; p < hi; p++)
            run_task(g, step, p);
}

static void *member(void *arg)
{
    part *p = arg;
    for (int round = 1;; round++) {
        wait_for(&round_begun, round);
        if (p->graph == NULL)
            return NULL;
        run_part(p->worker, p->graph);
        atomic_fetch_add(&round_done, 1);
    }
}

void metg_begin(int n)
{
    workers = n;
    for (int w = 1; w < workers; w++) {
        parts[w].worker = w;
        if (pthread_create(&thread[w], NULL, member, &parts[w]) != 0) {
            fprintf(stderr, "bare: no thread to be had\n");
            exit(EXIT_FAILURE);
        }
    }
}

double metg_run(const metg_graph *g)
{
    const double begin = metg_clock();
    for (int c = 0; c < g->width; c++)
        atomic_store(&columns[c].done, 0);
    for (int w = 1; w < workers; w++)
        parts[w].graph = g;
    atomic_store(&round_done, 0);
    atomic_fetch_add(&round_begun, 1);
    run_part(0, g);
    wait_for(&round_done, workers - 1);
    return metg_clock() - begin;
}

void metg_end(void)
{
    for (int w = 1; w < workers; w++)
        parts[w].graph = NULL;
    atomic_fetch_add(&round_begun, 1);
    for (int w = 1; w < workers; w++)
        pthread_join(thread[w], NULL);
}
