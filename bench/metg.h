/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * METG: the least granularity of tasks at which a runtime is still half as fast as the
 * machine (Slaughter et al., "Task Bench", SC20).
 *
 * A graph has `steps` rows of `width` tasks. A task reads what some columns of the row
 * before wrote, checks it, runs `iterations` of a kernel and writes {step, point}. The
 * patterns say which columns; written from the paper's definitions. Every runtime has a
 * program of its own (metg_<name>.c: the four functions at the end) and shares metg.c:
 * patterns, kernels, and the search for the granularity.
 */
#ifndef METG_H
#define METG_H

#include <stdbool.h>
#include <stdint.h>

enum { METG_MOST = 64 }; /* columns, and so dependences of a task */

typedef enum { METG_COMPUTE, METG_MEMORY } metg_kernel;

typedef struct {
    int pattern; /* index into metg_patterns */
    int width, steps, radix;
    metg_kernel kernel;
    int64_t iterations;
} metg_graph;

extern const char *const metg_patterns[];

typedef struct {
    int32_t step, point;
} metg_output;

/* Columns of row step - 1 that a task reads, ascending; their number. Row 0: none. */
int metg_inputs(const metg_graph *g, int step, int point, int *columns);
/* Does the task's work. A wrong input ends the program. */
void metg_execute(const metg_graph *g, int step, int point, int ninput,
                  const metg_output *const *input, metg_output *output);
double metg_clock(void); /* seconds */

/* ---- what a runtime's program defines ---- */

extern const char *const metg_name;
/* Starts the runtime; not timed. */
void metg_begin(int workers);
/* Builds and runs the graph: seconds of both. */
double metg_run(const metg_graph *g);
void metg_end(void);

#endif
