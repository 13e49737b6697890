/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The course of a demonstration: make the input, compute under a budget that is a
 * quarter of it, report time and peak memory against the promise, check, clean up.
 */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint64_t memory = CLAST_MIB(256);

/* A field of /proc/self/status in bytes. */
static uint64_t status_field(const char *field)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    const size_t n = strlen(field);
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, n) == 0 && line[n] == ':')
            kib = strtoull(line + n + 1, NULL, 10);
    if (f != NULL)
        fclose(f);
    return kib * 1024;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* From here on the peak counts: returns the memory that the process has now. */
static uint64_t begin_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f != NULL) {
        fputs("5", f);
        fclose(f);
    }
    return status_field("VmRSS");
}

/* Reports time and peak; false where the promise is broken. */
static bool report(clast_ctx *ctx, uint64_t before, double seconds)
{
    const double mib = 1024.0 * 1024.0;
    const uint64_t peak = status_field("VmHWM");
    const uint64_t growth = peak > before ? peak - before : 0;
    const clast_options options = clast_ctx_options(ctx);
    const uint64_t promise =
        options.memory + CLAST_MIB(48) + CLAST_MIB(8) * (uint64_t)options.workers;
    const clast_stats stats = clast_ctx_stats(ctx);
    printf(
        "  %.2f s with %d workers; read %.0f MiB, wrote %.0f MiB, spilled %.0f MiB\n",
        seconds, options.workers, (double)stats.read / mib, (double)stats.written / mib,
        (double)stats.spilled / mib);
    printf("  memory grew by %.0f MiB; promised at most %.0f MiB (%.0f MiB budget)\n",
           (double)growth / mib, (double)promise / mib, (double)options.memory / mib);
    return growth <= promise;
}

/* Writes rows x columns uniform numbers to file:/x, made by Clast itself. */
static bool make_input(const demo *d, const char *file)
{
    clast_ctx *ctx = clast_open(&(clast_options){.memory = memory});
    const int64_t shape[] = {d->rows, d->columns};
    clast_array *x = clast_random(ctx, 2, shape, 2024, CLAST_FLOAT64);
    const clast_hdf5_options options = {
        .chunks = d->chunks, .overwrite = true, .no_sync = true};
    const double start = now();
    const clast_status status = clast_to_hdf5(x, file, "/x", &options);
    if (status != CLAST_OK)
        fprintf(stderr, "demo: %s\n", clast_ctx_error(ctx));
    else
        printf("  %s: /x is %lld x %lld float64, %.2f GiB, made in %.2f s\n", file,
               (long long)d->rows, (long long)d->columns,
               (double)d->rows * (double)d->columns * 8 / (double)CLAST_GIB(1),
               now() - start);
    clast_close(&ctx);
    return status == CLAST_OK;
}

/* a[index] as plain numbers, to be freed; ends the program where that fails. */
double *demo_get(clast_array *a, const char *index)
{
    clast_array *part = clast_index(a, index);
    size_t count = 1;
    for (int i = 0; i < clast_ndim(part); i++)
        count *= (size_t)clast_shape(part)[i];
    double *data = calloc(count + 1, sizeof *data);
    const clast_buffer into = {.data = data,
                               .bytes = count * sizeof *data,
                               .dtype = CLAST_FLOAT64,
                               .ndim = clast_ndim(part),
                               .shape = clast_shape(part)};
    if (data == NULL || clast_fetch(part, &into) != CLAST_OK) {
        fprintf(stderr, "demo: %s\n", clast_error(part));
        exit(EXIT_FAILURE);
    }
    return data;
}

static void join_path(char *path, size_t size, const char *folder, const char *name)
{
    if (snprintf(path, size, "%s/%s", folder, name) >= (int)size) {
        fprintf(stderr, "demo: the folder's name is too long\n");
        exit(EXIT_FAILURE);
    }
}

static bool compute(const demo *d, const char *in, const char *out)
{
    const uint64_t before = begin_peak();
    clast_ctx *ctx = clast_open(&(clast_options){.memory = memory});
    const double start = now();
    d->compute(ctx, in, out);
    bool is_fine = clast_ctx_status(ctx) == CLAST_OK;
    const double seconds = now() - start;
    if (is_fine && d->flops > 0)
        printf("  %.1f GFLOP/s\n", d->flops / seconds * 1e-9);
    if (is_fine)
        is_fine = report(ctx, before, seconds);
    else
        fprintf(stderr, "demo: %s\n", clast_ctx_error(ctx));
    clast_close(&ctx);
    return is_fine;
}

static bool check(const demo *d, const char *in, const char *out)
{
    clast_ctx *ctx = clast_open(&(clast_options){.memory = memory});
    const bool is_right = d->check(ctx, in, out);
    clast_close(&ctx);
    return is_right;
}

int demo_main(const demo *d, int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    char in[4096], out[4096];
    join_path(in, sizeof in, folder, "demo_in.h5");
    join_path(out, sizeof out, folder, "demo_out.h5");
    printf("%s\n", d->title);
    const bool is_fine = make_input(d, in) && compute(d, in, out) && check(d, in, out);
    remove(in);
    remove(out);
    printf("  %s\n", is_fine ? "ok" : "FAILED");
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
