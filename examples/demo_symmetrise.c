/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * y = x + x.T - mean(x, axis=0) of a matrix four times larger than the budget, stored.
 *
 *     demo_symmetrise FOLDER
 *
 * Checked against plain loops: for sample columns j the mean is added up again and all
 * y[i][j] are computed from x[i][j] and x[j][i].
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "demo.h"

enum { N = 11776 }; /* 1.03 GiB */

static bool check(clast_ctx *ctx, const char *in, const char *out)
{
    static const int samples[] = {0, 1, 1023, 1024, 5000, N - 1};
    clast_array *x = clast_from_hdf5(ctx, in, "/x");
    clast_array *y = clast_from_hdf5(ctx, out, "/y");
    double worst = 0;
    for (size_t s = 0; s < sizeof samples / sizeof *samples; s++) {
        char index[64];
        const int j = samples[s];
        snprintf(index, sizeof index, ":, %d", j);
        double *column = demo_get(x, index), *found = demo_get(y, index);
        snprintf(index, sizeof index, "%d", j);
        double *row = demo_get(x, index);
        long double sum = 0;
        for (int i = 0; i < N; i++)
            sum += (long double)column[i];
        const double mean = (double)(sum / N);
        for (int i = 0; i < N; i++)
            worst = fmax(worst, fabs(found[i] - (column[i] + row[i] - mean)));
        free(column);
        free(found);
        free(row);
    }
    printf("  largest error in 6 columns: %.3g\n", worst);
    return worst <= 1e-12;
}

static void compute(clast_ctx *ctx, const char *in, const char *out)
{
    clast_array *x = clast_from_hdf5(ctx, in, "/x");
    clast_array *y = clast_sub(clast_add(x, clast_transpose(x)), clast_mean(x, 0));
    clast_to_hdf5(y, out, "/y", &(clast_hdf5_options){.overwrite = true});
}

int main(int argc, char **argv)
{
    const demo d = {.title = "x + x.T - mean(x, axis=0)",
                    .rows = N,
                    .columns = N,
                    .chunks = (const int64_t[]){1024, 1024},
                    .compute = compute,
                    .check = check};
    return demo_main(&d, argc, argv);
}
