/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random inputs for kernels: memory that is laid out in any way an engine might present
 * it in, cut into spans. The same values can be cut in two ways, so that tests see
 * whether a result depends on the cuts.
 */
#ifndef CL_TESTS_SPANS_H
#define CL_TESTS_SPANS_H

#include "naive.h"

#define SPANS_MAX 64

typedef struct {
    clast_dtype dtype;
    char *memory;
    cl_span span[SPANS_MAX];
    cl_input input;
} spans;

/* Fills `s` with random elements for a box: random order of axes in memory, random
 * directions, gaps, and (where `broadcasts`) axes of stride 0; one span. */
void spans_init(spans *s, uint64_t *seed, clast_dtype dtype, const cl_box *box,
                bool broadcasts);
/* The same elements, cut at random. */
void spans_cut(spans *s, uint64_t *seed);
void spans_fini(spans *s);

#endif
