/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heat in a box: the 7-point stencil over a 3-D array, step by step.
 *
 * A step is a map with a halo of one element. CLAST_PAD_EDGE repeats the outermost
 * elements, so nothing flows through the walls and the sum stays what it is. A few
 * steps make one graph; then the array is persisted, so that the next graph does not
 * begin at the beginning again, and the one before is given back.
 *
 * Checked against plain loops, bit for bit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <clast.h>

enum { N = 40, ROUNDS = 4, STEPS = 3 };

static const int64_t shape[3] = {N, N, N};

static double stir(double here, double sum)
{
    return here + 0.125 * (sum - 6 * here);
}

/* out[i][j][k] from in[i + 1][j + 1][k + 1] and its six neighbours. */
static clast_status heat_kernel(clast_call *call, void *user, int nin,
                                const clast_view *in, int nout, clast_buffer *out)
{
    const int64_t si = in->strides[0], sj = in->strides[1];
    const double *u = in->data;
    double *to = out->data;
    (void)user, (void)nin, (void)nout;
    for (int64_t i = 0; i < out->shape[0]; i++) {
        if (clast_call_is_canceled(call))
            return CLAST_ECANCELED;
        for (int64_t j = 0; j < out->shape[1]; j++) {
            const double *x = u + (i + 1) * si + (j + 1) * sj + 1;
            for (int64_t k = 0; k < out->shape[2]; k++, x++)
                *to++ = stir(*x, x[-si] + x[si] + x[-sj] + x[sj] + x[-1] + x[1]);
        }
    }
    return CLAST_OK;
}

static clast_array *heat_step(clast_ctx *ctx, clast_array *u)
{
    static const int64_t depth[3] = {1, 1, 1}, chunk[3] = {16, 16, -1};
    const clast_map_input halo = {.depth = depth, .pad = CLAST_PAD_EDGE};
    const clast_map_options options = {
        .name = "heat", .dtype = CLAST_FLOAT64, .chunk = chunk, .inputs = &halo};
    return clast_map(ctx, 1, &u, heat_kernel, NULL, &options);
}

static clast_array *heat(clast_ctx *ctx, clast_array *u)
{
    clast_array *last = NULL;
    for (int r = 0; r < ROUNDS; r++) {
        for (int s = 0; s < STEPS; s++)
            u = heat_step(ctx, u);
        u = clast_persist(u);
        clast_drop(last);
        last = u;
    }
    return u;
}

/* ---- the same in plain loops ---- */

static double at(const double *u, int i, int j, int k)
{
    i = i < 0 ? 0 : i < N ? i : N - 1;
    j = j < 0 ? 0 : j < N ? j : N - 1;
    k = k < 0 ? 0 : k < N ? k : N - 1;
    return u[(i * N + j) * N + k];
}

static void plain_step(const double *u, double *to)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < N; k++)
                *to++ =
                    stir(at(u, i, j, k), at(u, i - 1, j, k) + at(u, i + 1, j, k) +
                                             at(u, i, j - 1, k) + at(u, i, j + 1, k) +
                                             at(u, i, j, k - 1) + at(u, i, j, k + 1));
}

int main(void)
{
    static double u[2][N * N * N], found[N * N * N];
    for (size_t i = 0; i < N * N * N; i++)
        u[0][i] = (double)(i * 2654435761u % 1000);

    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(16)});
    const clast_buffer begin = {u[0], sizeof u[0], CLAST_FLOAT64, 3, shape, NULL};
    const clast_buffer end = {found, sizeof found, CLAST_FLOAT64, 3, shape, NULL};
    clast_fetch(heat(ctx, clast_copy_in(ctx, &begin)), &end);

    for (int s = 0; s < ROUNDS * STEPS; s++)
        plain_step(u[s % 2], u[(s + 1) % 2]);
    int code = EXIT_SUCCESS;
    if (clast_ctx_status(ctx) != CLAST_OK) {
        fprintf(stderr, "heat: %s\n", clast_ctx_error(ctx));
        code = EXIT_FAILURE;
    } else if (memcmp(found, u[ROUNDS * STEPS % 2], sizeof found) != 0) {
        fprintf(stderr, "heat: not what plain loops give\n");
        code = EXIT_FAILURE;
    } else {
        printf("%d steps of %d x %d x %d: the same as plain loops\n", ROUNDS * STEPS, N,
               N, N);
    }
    clast_close(&ctx);
    return code;
}
