/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the demonstrations share: each is a formula over a file of random numbers, and a
 * check of its result in plain loops.
 *
 * Memory is measured, too: growth of the process over the moment of clast_open() stays
 * within the budget + 48 MiB + 8 MiB per worker.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdbool.h>
#include <stdint.h>

#include <clast.h>

typedef struct {
    const char *title;
    int64_t rows, columns; /* of the input, float64 */
    const int64_t *chunks;
    double flops; /* 0: not worth telling */
    /* From in:/x to out; errors stay in the context. */
    void (*compute)(clast_ctx *ctx, const char *in, const char *out);
    /* Whether out is right. */
    bool (*check)(clast_ctx *ctx, const char *in, const char *out);
} demo;

/* argv[1]: the folder for the files; they are removed at the end. */
int demo_main(const demo *d, int argc, char **argv);

/* a[index] as plain numbers, to be freed; ends the program where that fails. */
double *demo_get(clast_array *a, const char *index);

#endif
