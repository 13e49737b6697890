/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Coordinates: the numbers along an axis, such as latitudes and times.
 *
 * A coordinate is a 1-d dataset beside the data, or made of others; it is read when
 * somebody asks for its numbers, and then held, charged to the budget, as long as an
 * array has it. Counted; guarded by the context's lock.
 */
#ifndef CL_ARRAY_COORDINATE_H
#define CL_ARRAY_COORDINATE_H

#include "base/status.h"
#include "graph/node.h"
#include "io/store.h"

typedef struct cl_coordinate cl_coordinate;

/* Most numbers that a coordinate may have. */
#define CL_COORDINATE_MOST ((int64_t)1 << 24)

/* Elements start, start + step, ... of a coordinate; how many is for the axis to
 * say. */
typedef struct {
    cl_coordinate *of; /* NULL: none */
    int64_t start, step;
} cl_coordinate_part;

/* Each gives one reference; NULL: no memory. Parts are held as long as it lives. */
cl_coordinate *cl_coordinate_of_file(clast_ctx *ctx, const char *file, const char *path,
                                     int64_t n);
/* Numbers that were read already, of several files, of which this is the first. Takes
 * values->data over and leaves it NULL; NULL: *err. */
cl_coordinate *cl_coordinate_of_values(clast_ctx *ctx, cl_values *values,
                                       const char *file, const char *path,
                                       cl_error *err);
/* Of arrays that meet in an operation: the first, if the numbers of both agree. */
cl_coordinate *cl_coordinate_of_both(const cl_coordinate_part *a,
                                     const cl_coordinate_part *b, int64_t n);
/* One after another: n[i] numbers of part i. Times with another origin are converted to
 * that of the first part. */
cl_coordinate *cl_coordinate_joined(size_t nparts, const cl_coordinate_part *parts,
                                    const int64_t *n);
void cl_coordinate_keep(cl_coordinate *c);
void cl_coordinate_drop(cl_coordinate *c); /* NULL is legal */

/* Whether they are the same numbers without looking at them. */
bool cl_coordinate_is_same(const cl_coordinate_part *a, const cl_coordinate_part *b);

/* Coordinates made of others are at most so deep: nothing is made of deeper ones. */
enum { CL_COORDINATE_DEPTH = 64 };
bool cl_coordinate_is_deep(const cl_coordinate *c);

/* Its numbers, which are its own; NULL: *err says why. */
const cl_values *cl_coordinate_load(cl_coordinate *c, cl_error *err);
/* A part of it, n numbers, as a node with a reference. */
clast_status cl_coordinate_node(const cl_coordinate_part *part, int64_t n,
                                cl_node_id *id, cl_error *err);
/* The dataset whose attributes it has (of several, the first one's). */
void cl_coordinate_place(const cl_coordinate *c, const char **file, const char **path);

/* Appends numbers to others (`to` zeroed: to none) with room for `*room`: in the dtype
 * that both promote to, times in the units of the first ones, then as float64. `why`
 * says what is wrong: CLAST_EVALUE the units do not go together, CLAST_ENOMEM. */
clast_status cl_values_append(cl_values *to, size_t *room, const cl_values *next,
                              char *why, size_t size);
/* Compares as many numbers as `a` has; times by their instants, NaN is equal to NaN.
 * CLAST_EVALUE where they differ: `why` has the first place, both values there, as `a`
 * has its units, and by how much they differ at most. Units that only one has are not
 * compared. */
clast_status cl_values_compare(const cl_values *a, const cl_values *b, char *why,
                               size_t size);
/* One number of loaded ones as float64. */
double cl_values_at(const cl_values *v, int64_t i);

#endif
