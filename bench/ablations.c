/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the scheduler's parts are worth, in bytes moved: one program on one dataset
 * within one budget, run with everything, and with one part switched off at a time. The
 * bytes are those of real runs, with predictions in brackets. Each result is compared
 * with the first, bit for bit, but for the one without fusion: sums of an array that is
 * stored first may have other leaves.
 *
 *     ablations PROGRAM FILE /path BYTES WORKERS
 *
 * PROGRAM gives one array of x, which is stored beside FILE and removed, or a scalar.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array/handle.h"

typedef struct {
    const char *name;
    cl_tuning tuning;
} variant;

static const variant variants[] = {
    {"everything", {0}},
    {"first order only", {.has_order = true}},
    {"least recently used goes", {.policy = CL_EVICT_LRU}},
    {"first in goes first", {.policy = CL_EVICT_FIFO}},
    {"first order, least recently used", {.policy = CL_EVICT_LRU, .has_order = true}},
    {"first order, first in first out", {.policy = CL_EVICT_FIFO, .has_order = true}},
    {"nothing loaded ahead", {.is_without_prefetch = true}},
    {"no super-tiles", {.has_order = true, .order = CL_ORDER_SINGLE_TILES}},
    {"plain depth first (no super-tiles, pairs, siblings)",
     {.has_order = true, .order = CL_ORDER_DEPTH_FIRST}},
    {"no fusion", {.is_unfused = true}},
    {"what has begun first", {.has_order = true, .order = CL_ORDER_GREEDY}},
};

/* Where a value goes: arrays to `file`, scalars here. */
typedef struct {
    const char *file;
    double scalar;
    bool is_array;
} result;

static clast_status compute(clast_array *y, result *r)
{
    r->is_array = clast_ndim(y) > 0;
    if (r->is_array)
        return clast_to_hdf5(y, r->file, "/y",
                             &(clast_hdf5_options){.overwrite = true});
    return clast_fetch(y, &(clast_buffer){.data = &r->scalar,
                                          .bytes = sizeof r->scalar,
                                          .dtype = CLAST_FLOAT64});
}

static clast_status run(const variant *v, char **argv, result *r)
{
    clast_ctx *ctx = clast_open(&(clast_options){.memory = strtoull(argv[4], NULL, 10),
                                                 .workers = atoi(argv[5])});
    if (clast_ctx_status(ctx) == CLAST_OK) {
        cl_engine_tune(ctx->engine, &v->tuning);
        clast_array *x = clast_from_hdf5(ctx, argv[2], argv[3]);
        compute(clast_expr(ctx, argv[1], 1, &(clast_name){"x", x}), r);
    }
    const clast_stats s = clast_ctx_stats(ctx);
    const clast_status status = clast_ctx_status(ctx);
    if (status == CLAST_OK)
        printf("%-52s %8.0f (%8.0f) %8.0f (%8.0f) %8.2f\n", v->name,
               (double)s.read / (1 << 20), (double)s.predicted_read / (1 << 20),
               (double)s.spilled / (1 << 20), (double)s.predicted_spilled / (1 << 20),
               s.run_seconds);
    else
        fprintf(stderr, "ablations: %s\n", clast_ctx_error(ctx));
    clast_close(&ctx);
    return status;
}

/* The largest difference of two stored arrays relative to the largest element; NaN
 * where that cannot be told. */
static double array_difference(const result *first, const result *r)
{
    double most = NAN;
    clast_ctx *ctx = clast_open(NULL);
    const clast_name names[] = {{"a", clast_from_hdf5(ctx, first->file, "/y")},
                                {"b", clast_from_hdf5(ctx, r->file, "/y")}};
    clast_fetch(
        clast_expr(ctx, "float64(max(abs(a - b)) / max(abs(a)))", 2, names),
        &(clast_buffer){.data = &most, .bytes = sizeof most, .dtype = CLAST_FLOAT64});
    clast_close(&ctx);
    return most;
}

static bool is_same(const variant *v, const result *first, const result *r)
{
    const double d = r->is_array
                         ? array_difference(first, r)
                         : fabs(r->scalar - first->scalar) / fabs(first->scalar);
    if (d == 0 || (v->tuning.is_unfused && d <= 1e-12))
        return true;
    fprintf(stderr, "ablations: %s: the result differs by %g of it\n", v->name, d);
    return false;
}

int main(int argc, char **argv)
{
    char file[2][4096];
    bool good = argc == 6;
    if (!good)
        fprintf(stderr, "usage: ablations PROGRAM FILE /path BYTES WORKERS\n");
    else
        printf("%-52s %19s %19s %8s\n", "", "read MiB", "spilled MiB", "seconds");
    result first = {.file = file[0]};
    for (size_t i = 0; i < sizeof variants / sizeof *variants && good; i++) {
        result r = {.file = file[i > 0]};
        snprintf(file[i > 0], sizeof *file, "%s.%s.h5", argv[2], i ? "other" : "first");
        good = run(&variants[i], argv, i ? &r : &first) == CLAST_OK &&
               (i == 0 || is_same(&variants[i], &first, &r));
    }
    unlink(file[0]);
    unlink(file[1]);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
