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

#include "demo.h"

enum { M = 8192, K = 16896 }; /* 1.03 GiB */

static bool check(const char *in, const char *out)
{
    static const int samples[] = {0, 511, 1024, 4097, M - 1};
    enum { COUNT = sizeof samples / sizeof *samples };
    clast_ctx *ctx = clast_open(&(clast_options){.memory = DEMO_MEMORY});
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
    clast_close(&ctx);
    return worst <= 1e-12;
}

static bool run(const char *in, const char *out)
{
    const uint64_t before = demo_peak_begin();
    clast_ctx *ctx = clast_open(&(clast_options){.memory = DEMO_MEMORY});
    const double start = demo_clock();

    clast_array *x = clast_from_hdf5(ctx, in, "/x");
    clast_array *g = clast_matmul(x, clast_transpose(x));
    clast_to_hdf5(g, out, "/g", &(clast_hdf5_options){.overwrite = true});

    bool is_fine = clast_ctx_status(ctx) == CLAST_OK;
    const double seconds = demo_clock() - start;
    if (is_fine) {
        printf("  %.1f GFLOP/s\n", 2.0 * M * M * K / seconds * 1e-9);
        is_fine = demo_report(ctx, before, seconds);
    } else {
        fprintf(stderr, "demo: %s\n", clast_ctx_error(ctx));
    }
    clast_close(&ctx);
    return is_fine;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    char in[4096], out[4096];
    demo_path(in, sizeof in, folder, "matmul_in.h5");
    demo_path(out, sizeof out, folder, "matmul_out.h5");
    printf("x @ x.T\n");
    const bool is_fine = demo_make(in, M, K, (const int64_t[]){1024, 512}) &&
                         run(in, out) && check(in, out);
    remove(in);
    remove(out);
    printf("  %s\n", is_fine ? "ok" : "FAILED");
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
