/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pipeline of tasks: load many pieces, normalise each by a reference, join them in
 * rolling triples, compare random pairs of these, keep the best.
 *
 * What tasks hand to each other are records of their own; the graph knows their size
 * and nothing else. Nothing runs before the fetch at the end, and then everything that
 * does not wait for something else runs at the same time.
 *
 * Checked against the same functions called one after another.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <clast.h>

enum { PIECES = 60, LENGTH = 500, TRIPLES = PIECES - 2, PAIRS = 120 };

typedef struct {
    int32_t id;
    double value[LENGTH];
} piece;

typedef struct {
    int32_t first, second;
    double distance;
} match;

/* ---- what is computed ---- */

static void load(int32_t id, piece *out)
{
    uint32_t x = (uint32_t)id * 2654435761u + 12345;
    *out = (piece){.id = id};
    for (int i = 0; i < LENGTH; i++) {
        x = x * 1664525u + 1013904223u;
        out->value[i] = (double)(x >> 8) / (1 << 24) + 1;
    }
}

static void normalise(const piece *in, const piece *reference, piece *out)
{
    *out = *in;
    for (int i = 0; i < LENGTH; i++)
        out->value[i] /= reference->value[i];
}

static void roll(const piece *a, const piece *b, const piece *c, piece *out)
{
    *out = *b;
    for (int i = 0; i < LENGTH; i++)
        out->value[i] = (a->value[i] + b->value[i] + c->value[i]) / 3;
}

static void compare(const piece *a, const piece *b, match *out)
{
    double sum = 0;
    for (int i = 0; i < LENGTH; i++)
        sum += (a->value[i] - b->value[i]) * (a->value[i] - b->value[i]);
    *out = (match){a->id, b->id, sqrt(sum)};
}

static const match *better(const match *a, const match *b)
{
    return b->distance < a->distance ? b : a;
}

/* ---- as kernels ---- */

#define KERNEL(name)                                                                   \
    static clast_status name(clast_call *call, void *user, int nin,                    \
                             const clast_view *in, int nout, clast_buffer *out)

KERNEL(load_kernel)
{
    (void)nin, (void)in, (void)nout;
    const int32_t id = *(const int32_t *)user;
    if (id < 0)
        return clast_call_fail(call, "there is no such piece");
    load(id, out->data);
    return CLAST_OK;
}

KERNEL(normalise_kernel)
{
    (void)call, (void)user, (void)nin, (void)nout;
    normalise(in[0].data, in[1].data, out->data);
    return CLAST_OK;
}

KERNEL(roll_kernel)
{
    (void)call, (void)user, (void)nin, (void)nout;
    roll(in[0].data, in[1].data, in[2].data, out->data);
    return CLAST_OK;
}

KERNEL(compare_kernel)
{
    (void)call, (void)user, (void)nin, (void)nout;
    compare(in[0].data, in[1].data, out->data);
    return CLAST_OK;
}

KERNEL(best_kernel)
{
    (void)call, (void)user, (void)nout;
    const match *best = in[0].data;
    for (int i = 1; i < nin; i++)
        best = better(best, in[i].data);
    memcpy(out->data, best, sizeof *best);
    return CLAST_OK;
}

/* One task with one output of so many bytes. */
static clast_array *task(clast_ctx *ctx, const char *name, clast_kernel *kernel,
                         void *user, int64_t bytes, int nin, clast_array *const *in)
{
    const clast_output output = {CLAST_UINT8, 1, &bytes};
    const clast_task_options options = {.name = name, .pure = true};
    clast_array *result = NULL;
    clast_task(ctx, nin, in, 1, &output, &result, kernel, user, &options);
    return result;
}

/* Two triples of each pair, the same every time. */
static void draw(int pair, int *a, int *b)
{
    *a = pair * 7 % TRIPLES;
    *b = (pair * 13 + 5) % TRIPLES;
    *b = *a == *b ? (*b + 1) % TRIPLES : *b;
}

static clast_array *best_match(clast_ctx *ctx, int32_t *ids)
{
    clast_array *loaded[PIECES], *normal[PIECES], *rolled[TRIPLES], *found[PAIRS];
    for (int i = 0; i < PIECES; i++)
        loaded[i] = task(ctx, "load", load_kernel, &ids[i], sizeof(piece), 0, NULL);
    for (int i = 0; i < PIECES; i++) {
        clast_array *const in[2] = {loaded[i], loaded[0]};
        normal[i] =
            task(ctx, "normalise", normalise_kernel, NULL, sizeof(piece), 2, in);
    }
    for (int i = 0; i < TRIPLES; i++)
        rolled[i] = task(ctx, "roll", roll_kernel, NULL, sizeof(piece), 3, &normal[i]);
    for (int i = 0; i < PAIRS; i++) {
        int a, b;
        draw(i, &a, &b);
        clast_array *const in[2] = {rolled[a], rolled[b]};
        found[i] = task(ctx, "compare", compare_kernel, NULL, sizeof(match), 2, in);
    }
    return task(ctx, "best", best_kernel, NULL, sizeof(match), PAIRS, found);
}

/* ---- one after another ---- */

static match plain_best(const int32_t *ids)
{
    static piece normal[PIECES], rolled[TRIPLES], reference, one;
    load(ids[0], &reference);
    for (int i = 0; i < PIECES; i++) {
        load(ids[i], &one);
        normalise(&one, &reference, &normal[i]);
    }
    for (int i = 0; i < TRIPLES; i++)
        roll(&normal[i], &normal[i + 1], &normal[i + 2], &rolled[i]);
    match best = {0, 0, INFINITY};
    for (int i = 0; i < PAIRS; i++) {
        int a, b;
        match m;
        draw(i, &a, &b);
        compare(&rolled[a], &rolled[b], &m);
        best = *better(&best, &m);
    }
    return best;
}

int main(void)
{
    int32_t ids[PIECES];
    for (int i = 0; i < PIECES; i++)
        ids[i] = i;
    const int64_t bytes = sizeof(match);
    match best = {0};
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(32)});
    const clast_buffer into = {&best, sizeof best, CLAST_UINT8, 1, &bytes, NULL};
    clast_fetch(best_match(ctx, ids), &into);

    const match plain = plain_best(ids);
    int code = EXIT_SUCCESS;
    if (clast_ctx_status(ctx) != CLAST_OK) {
        fprintf(stderr, "pipeline: %s\n", clast_ctx_error(ctx));
        code = EXIT_FAILURE;
    } else if (best.first != plain.first || best.second != plain.second ||
               best.distance != plain.distance) {
        fprintf(stderr, "pipeline: not what it is one after another\n");
        code = EXIT_FAILURE;
    } else {
        printf("of %d pairs the best is (%d, %d) at %.6f\n", PAIRS, best.first,
               best.second, best.distance);
    }
    clast_close(&ctx);
    return code;
}
