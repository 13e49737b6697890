/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * g = x @ x.T of a matrix four times larger than the budget, stored.
 *
 *     demo_matmul FOLDER
 *
 * Checked against plain loops: entries of sample rows are added up again from two rows
 * of x, and g must be symmetric there.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "demo.h"

enum { M = 8192, K = 16896 }; /* 1.03 GiB */

static bool check(clast_ctx *ctx, const char *in, const char *out)
{
    static const int samples[] = {0, 511, 1024, 4097, M - 1};
    enum { COUNT = sizeof samples / sizeof *samples };
    clast_array *x = clast_from_hdf5(ctx, in, "/x");
    clast_array *g = clast_from_hdf5(ctx, out, "/g");
    double *row[COUNT], *found[COUNT], worst = 0;
    for (int s = 0; s < COUNT; s++) {
        char index[32];
        snprintf(index, sizeof index, "%d", samples[s]);
        row[s] = demo_get(x, index);
        found[s] = demo_get(g, index);
    }
    for (int p = 0; p < COUNT; p++)
        for (int q = 0; q < COUNT; q++) {
            long double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (long double)row[p][k] * (long double)row[q][k];
            const double error = fabs(found[p][samples[q]] - (double)sum);
            worst = fmax(worst, error / (double)sum);
        }
    for (int s = 0; s < COUNT; s++) {
        free(row[s]);
        free(found[s]);
    }
    printf("  largest relative error in %d entries: %.3g\n", COUNT * COUNT, worst);
    return worst <= 1e-12;
}

static void compute(clast_ctx *ctx, const char *in, const char *out)
{
    clast_array *x = clast_from_hdf5(ctx, in, "/x");
    clast_array *g = clast_matmul(x, clast_transpose(x));
    clast_to_hdf5(g, out, "/g", &(clast_hdf5_options){.overwrite = true});
}

int main(int argc, char **argv)
{
    const demo d = {.title = "x @ x.T",
                    .rows = M,
                    .columns = K,
                    .chunks = (const int64_t[]){1024, 512},
                    .flops = 2.0 * M * M * K,
                    .compute = compute,
                    .check = check};
    return demo_main(&d, argc, argv);
}
