/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the demonstrations share: a file of random numbers, time and peak memory against
 * the promise, small pieces read back for checking.
 *
 * The promise: growth of the process over the moment of clast_open() stays within the
 * budget + 48 MiB + 8 MiB per worker.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <clast.h>

#define DEMO_MEMORY CLAST_MIB(256)

/* A field of /proc/self/status in bytes. */
static uint64_t demo_status(const char *field)
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

static double demo_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* From here on the peak counts: returns the memory that the process has now. */
static uint64_t demo_peak_begin(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f != NULL) {
        fputs("5", f);
        fclose(f);
    }
    return demo_status("VmRSS");
}

/* Reports time and peak; false where the promise is broken. */
static bool demo_report(clast_ctx *ctx, uint64_t before, double seconds)
{
    const double mib = 1024.0 * 1024.0;
    const uint64_t peak = demo_status("VmHWM");
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
static bool demo_make(const char *file, int64_t rows, int64_t columns,
                      const int64_t *chunks)
{
    clast_ctx *ctx = clast_open(&(clast_options){.memory = DEMO_MEMORY});
    const int64_t shape[] = {rows, columns};
    clast_array *x = clast_random(ctx, 2, shape, 2024, CLAST_FLOAT64);
    const clast_hdf5_options options = {
        .chunks = chunks, .overwrite = true, .no_sync = true};
    const double start = demo_clock();
    const clast_status status = clast_to_hdf5(x, file, "/x", &options);
    if (status != CLAST_OK)
        fprintf(stderr, "demo: %s\n", clast_ctx_error(ctx));
    else
        printf("  %s: /x is %lld x %lld float64, %.2f GiB, made in %.2f s\n", file,
               (long long)rows, (long long)columns,
               (double)rows * (double)columns * 8 / (double)CLAST_GIB(1),
               demo_clock() - start);
    clast_close(&ctx);
    return status == CLAST_OK;
}

/* a[index] as plain numbers, to be freed; ends the program where that fails. */
static double *demo_get(clast_array *a, const char *index)
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

static void demo_path(char *path, size_t size, const char *folder, const char *name)
{
    if (snprintf(path, size, "%s/%s", folder, name) >= (int)size) {
        fprintf(stderr, "demo: the folder's name is too long\n");
        exit(EXIT_FAILURE);
    }
}

#endif
