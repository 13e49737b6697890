/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gradient descent: 1000 steps of least squares, |A t - b|^2, with one graph.
 *
 * The graph is built once, on memory of this program that it reads anew with every run:
 * A and b, which stay, and t, which each step overwrites with what it fetched. So
 * nothing grows with the number of steps. The gradient is a fold: each block of rows
 * gives its part, parts are added in a fixed order, so that all runs give the same
 * bits.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <clast.h>

enum { ROWS = 4000, K = 8, CHUNK = 1000, STEPS = 1000 };

/* Rows of A, the same rows of b, and t as a whole: A^T (A t - b) of the block. */
static clast_status block_gradient(clast_call *call, void *user, int nin,
                                   const clast_view *in, int nout, clast_buffer *out)
{
    const double *a = in[0].data, *b = in[1].data, *t = in[2].data;
    double *g = out->data;
    (void)call, (void)user, (void)nin, (void)nout;
    memset(g, 0, out->bytes);
    for (int64_t i = 0; i < in[0].shape[0]; i++, a += in[0].strides[0]) {
        double rest = -b[i * in[1].strides[0]];
        for (int k = 0; k < K; k++)
            rest += a[k] * t[k];
        for (int k = 0; k < K; k++)
            g[k] += a[k] * rest;
    }
    return CLAST_OK;
}

static clast_status add_gradients(clast_call *call, void *user, int nin,
                                  const clast_view *in, int nout, clast_buffer *out)
{
    double *g = out->data;
    (void)call, (void)user, (void)nout;
    memset(g, 0, out->bytes);
    for (int i = 0; i < nin; i++)
        for (int k = 0; k < K; k++)
            g[k] += ((const double *)in[i].data)[k];
    return CLAST_OK;
}

/* t - rate * gradient(t) */
static clast_array *next_step(clast_ctx *ctx, clast_array *a, clast_array *b,
                              clast_array *t, double rate)
{
    static const int64_t k = K, chunk[2] = {CHUNK, -1};
    static const clast_map_input inputs[3] = {{.access = CLAST_ACCESS_BLOCK},
                                              {.access = CLAST_ACCESS_BLOCK},
                                              {.access = CLAST_ACCESS_WHOLE}};
    static const clast_fold sum = {.partial = {CLAST_FLOAT64, 1, &k},
                                   .combine = add_gradients,
                                   .ndim = 1,
                                   .shape = &k};
    static const clast_map_options options = {.name = "gradient",
                                              .dtype = CLAST_FLOAT64,
                                              .chunk = chunk,
                                              .inputs = inputs,
                                              .fold = &sum};
    clast_array *const in[3] = {a, b, t};
    clast_array *gradient = clast_map(ctx, 3, in, block_gradient, NULL, &options);
    return clast_sub(t, clast_mul(gradient, clast_double(ctx, rate)));
}

static double a[ROWS][K], b[ROWS];

/* b = A @ (1, 2, ..., K) */
static void make_data(void)
{
    uint32_t x = 1;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < K; k++) {
            x = x * 1664525u + 1013904223u;
            a[i][k] = (double)(x >> 8) / (1 << 24) - 0.5;
            b[i] += a[i][k] * (k + 1);
        }
}

int main(void)
{
    static const int64_t shape_a[2] = {ROWS, K}, shape_b[2] = {ROWS, 1}, k = K;
    double t[K] = {0}, next[K];
    make_data();
    /* A step is some 50 us of work: more workers would wait for each other. */
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(8), .workers = 1});
    const clast_buffer from_a = {a, sizeof a, CLAST_FLOAT64, 2, shape_a, NULL};
    const clast_buffer from_b = {b, sizeof b, CLAST_FLOAT64, 2, shape_b, NULL};
    const clast_buffer from_t = {t, sizeof t, CLAST_FLOAT64, 1, &k, NULL};
    const clast_buffer to = {next, sizeof next, CLAST_FLOAT64, 1, &k, NULL};
    clast_array *step =
        next_step(ctx, clast_borrow(ctx, &from_a), clast_borrow(ctx, &from_b),
                  clast_borrow(ctx, &from_t), 4.0 / ROWS);
    const clock_t begin = clock();
    for (int s = 0; s < STEPS && clast_ctx_status(ctx) == CLAST_OK; s++) {
        clast_fetch(step, &to);
        memcpy(t, next, sizeof t);
    }
    const double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;

    double worst = 0;
    for (int i = 0; i < K; i++)
        worst = fmax(worst, fabs(t[i] - (i + 1)));
    int code = EXIT_SUCCESS;
    if (clast_ctx_status(ctx) != CLAST_OK) {
        fprintf(stderr, "descent: %s\n", clast_ctx_error(ctx));
        code = EXIT_FAILURE;
    } else if (!(worst < 1e-9)) {
        fprintf(stderr, "descent: off by %g\n", worst);
        code = EXIT_FAILURE;
    } else {
        printf("%d steps, %.0f us of CPU time each: off by %.1e\n", STEPS,
               seconds / STEPS * 1e6, worst);
    }
    clast_close(&ctx);
    return code;
}
