/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the scheduler's parts are worth, in bytes moved: one program on one dataset within
 * one budget, run with everything, and with one part switched off at a time. The results
 * are compared; the bytes are those of real runs, with predictions in brackets.
 *
 *     ablations PROGRAM FILE /path BYTES WORKERS
 *
 * PROGRAM gives one array of x, which is stored in FILE.ablation.h5 and removed, or a
 * scalar.
 */
#include <inttypes.h>
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
    {"plain depth first (no super-tiles, pairs, siblings)",
     {.has_order = true, .order = CL_ORDER_DEPTH_FIRST}},
    {"what has begun first", {.has_order = true, .order = CL_ORDER_GREEDY}},
};

/* A scalar is fetched, an array is stored. */
static clast_status compute(clast_array *y, const char *out, double *value)
{
    if (clast_ndim(y) == 0)
        return clast_fetch(y, &(clast_buffer){.data = value,
                                              .bytes = sizeof *value,
                                              .dtype = CLAST_FLOAT64});
    return clast_to_hdf5(y, out, "/y", NULL);
}

static clast_status run(const variant *v, char **argv, const char *out)
{
    double value = 0;
    clast_ctx *ctx = clast_open(&(clast_options){.memory = strtoull(argv[4], NULL, 10),
                                                 .workers = atoi(argv[5])});
    if (clast_ctx_status(ctx) == CLAST_OK) {
        cl_engine_tune(ctx->engine, &v->tuning);
        clast_array *x = clast_from_hdf5(ctx, argv[2], argv[3]);
        compute(clast_expr(ctx, argv[1], 1, &(clast_name){"x", x}), out, &value);
    }
    const clast_stats s = clast_ctx_stats(ctx);
    const clast_status status = clast_ctx_status(ctx);
    if (status == CLAST_OK)
        printf("%-52s %8.0f (%8.0f) %8.0f (%8.0f)\n", v->name,
               (double)s.read / (1 << 20), (double)s.predicted_read / (1 << 20),
               (double)s.spilled / (1 << 20), (double)s.predicted_spilled / (1 << 20));
    else
        fprintf(stderr, "ablations: %s\n", clast_ctx_error(ctx));
    clast_close(&ctx);
    return status;
}

int main(int argc, char **argv)
{
    char out[4096];
    clast_status status = CLAST_OK;
    if (argc != 6) {
        fprintf(stderr, "usage: ablations PROGRAM FILE /path BYTES WORKERS\n");
        return 2;
    }
    snprintf(out, sizeof out, "%s.ablation.h5", argv[2]);
    printf("%-52s %19s %19s\n", "", "read MiB", "spilled MiB");
    for (size_t i = 0; i < sizeof variants / sizeof *variants && !status; i++) {
        unlink(out);
        status = run(&variants[i], argv, out);
    }
    unlink(out);
    return status == CLAST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
