/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the planner: expressions in few words, and a validator that checks every
 * promise that graph/plan.h makes about a plan.
 */
#ifndef CL_TESTS_PLAN_TOOLS_H
#define CL_TESTS_PLAN_TOOLS_H

#include <stdlib.h>
#include <string.h>

#include "check_quiet.h"
#include "graph/build.h"

#define DIMS(...)                                                                      \
    ((cl_shape){.ndim = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),     \
                .dim = {__VA_ARGS__}})

/* As ck_assert, but free of charge where it holds: that one makes a system call. */
#define REQUIRE(condition)                                                             \
    do {                                                                               \
        if (!(condition))                                                              \
            ck_abort_msg("not so: %s", #condition);                                    \
    } while (0)

typedef struct {
    cl_nodes *nodes;
    cl_source_facts fact[8];
    uint32_t nfact;
    cl_sink_facts sink[8];
    uint32_t nsink;
    cl_plan_settings settings;
    cl_plan plan;
    cl_error err;
} kit;

void kit_open(kit *k);
void kit_close(kit *k);
const cl_node *kit_node(const kit *k, cl_node_id id);
cl_node_id kit_add(kit *k, const cl_node *n);
/* An HDF5-like source; chunk NULL: contiguous. */
cl_node_id kit_source(kit *k, clast_dtype dtype, cl_shape shape, const int64_t *chunk,
                      bool is_filtered);
cl_node_id kit_memory(kit *k, clast_dtype dtype, cl_shape shape);
cl_node_id kit_op(kit *k, cl_op op, clast_dtype dtype, cl_shape shape, cl_node_id a,
                  cl_node_id b);
cl_node_id kit_const(kit *k, double v, cl_shape shape);
cl_node_id kit_map(kit *k, cl_node_id in, cl_shape shape, cl_map map);
cl_node_id kit_transpose(kit *k, cl_node_id in);
/* in[start:stop:step] on axis 0, all of the others */
cl_node_id kit_slice(kit *k, cl_node_id in, int64_t start, int64_t count, int64_t step);
/* Broadcasts a vector of n along rows: (rows, n). */
cl_node_id kit_rows(kit *k, cl_node_id in, int64_t rows);
cl_node_id kit_scalar(kit *k, cl_node_id in, cl_shape shape);
cl_node_id kit_reduce(kit *k, clast_reduction r, cl_node_id in, uint32_t axes);
cl_node_id kit_matmul(kit *k, cl_node_id a, cl_node_id b);
cl_node_id kit_part(kit *k, cl_node_id svd, uint8_t part);
/* chunk NULL: into memory. */
void kit_store(kit *k, cl_node_id node, const int64_t *chunk);
void plan_validate(const cl_plan *p);
/* Whether a task makes a tile of a product that is another one transposed, and where
 * its tile is. */
bool plan_is_mirror(const cl_plan *p, uint32_t task, int64_t *at);
/* Validates the plan, too. */
void kit_build(kit *k);
/* Live tasks of stages of a kind. */
uint64_t kit_tasks(const kit *k, cl_stage_kind kind);
const cl_stage *kit_stage(const kit *k, cl_stage_kind kind);
/* Pages of source blocks that something reads. */
uint64_t kit_source_pages(const kit *k);
/* The longest way, in tasks, from the first reader of a source block to its last. */
uint32_t kit_longest_life(const kit *k);

#endif
