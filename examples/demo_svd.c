/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * u, s, vt = svd(a) of a tall matrix four times larger than the budget, all stored.
 *
 *     demo_svd FOLDER
 *
 * Checked by what defines it, in plain loops: a @ v = s * u in sample rows, vt @ vt.T =
 * 1, u.T @ u = 1 and sum(s ** 2) = sum(a ** 2) over all rows.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "demo.h"

enum { ROWS = 1400000, COLUMNS = 100, STEP = 20000 }; /* 1.04 GiB */

/* The largest |a v_k - s_k u_k| of one slab of rows, relative to s[0]. */
static double residual(const double *a, const double *u, const double *s,
                       const double *vt, int rows)
{
    double worst = 0;
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < COLUMNS; k++) {
            double sum = 0;
            for (int j = 0; j < COLUMNS; j++)
                sum += a[i * COLUMNS + j] * vt[k * COLUMNS + j];
            worst = fmax(worst, fabs(sum - s[k] * u[i * COLUMNS + k]) / s[0]);
        }
    return worst;
}

/* The largest entry of vt @ vt.T - 1. */
static double orthogonality(const double *vt)
{
    double worst = 0;
    for (int p = 0; p < COLUMNS; p++)
        for (int q = 0; q < COLUMNS; q++) {
            double sum = p == q ? -1 : 0;
            for (int j = 0; j < COLUMNS; j++)
                sum += vt[p * COLUMNS + j] * vt[q * COLUMNS + j];
            worst = fmax(worst, fabs(sum));
        }
    return worst;
}

static bool check(clast_ctx *ctx, const char *in, const char *out)
{
    clast_array *a = clast_from_hdf5(ctx, in, "/x");
    clast_array *u = clast_from_hdf5(ctx, out, "/u");
    double *s = demo_get(clast_from_hdf5(ctx, out, "/s"), ":");
    double *vt = demo_get(clast_from_hdf5(ctx, out, "/vt"), ":");
    static double gram[3]; /* u0.u0, u0.u1, u1.u1 */
    double worst = 0, squares = 0, sum_s = 0;
    for (int i = 0; i < ROWS; i += STEP) {
        char index[64];
        snprintf(index, sizeof index, "%d:%d", i, i + STEP);
        double *slab = demo_get(a, index), *left = demo_get(u, index);
        for (int k = 0; k < STEP * COLUMNS; k++)
            squares += slab[k] * slab[k];
        for (int k = 0; k < STEP * COLUMNS; k += COLUMNS) {
            gram[0] += left[k] * left[k];
            gram[1] += left[k] * left[k + 1];
            gram[2] += left[k + 1] * left[k + 1];
        }
        worst = fmax(worst, residual(slab, left, s, vt, 100));
        free(slab);
        free(left);
    }
    for (int k = 0; k < COLUMNS; k++)
        sum_s += s[k] * s[k];
    const double norm = fabs(sum_s - squares) / squares;
    const double v = orthogonality(vt);
    const double w = fmax(fabs(gram[0] - 1), fmax(fabs(gram[1]), fabs(gram[2] - 1)));
    printf("  |a v - s u| / s[0] <= %.3g, |vt vt.T - 1| <= %.3g, |u.T u - 1| <= %.3g, "
           "norm off by %.3g\n",
           worst, v, w, norm);
    free(s);
    free(vt);
    return worst <= 1e-13 && v <= 1e-12 && w <= 1e-11 && norm <= 1e-11;
}

static void compute(clast_ctx *ctx, const char *in, const char *out)
{
    const clast_hdf5_options options = {.overwrite = true};
    const clast_svd_result svd = clast_svd(clast_from_hdf5(ctx, in, "/x"));
    const clast_sink sinks[] = {clast_sink_hdf5(svd.u, out, "/u", &options),
                                clast_sink_hdf5(svd.s, out, "/s", &options),
                                clast_sink_hdf5(svd.vt, out, "/vt", &options)};
    clast_compute(ctx, 3, sinks);
}

int main(int argc, char **argv)
{
    const demo d = {.title = "u, s, vt = svd(a)",
                    .rows = ROWS,
                    .columns = COLUMNS,
                    .chunks = (const int64_t[]){8192, COLUMNS},
                    .compute = compute,
                    .check = check};
    return demo_main(&d, argc, argv);
}
