/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory traffic of kernels on one core, in GB/s, beside memcpy and a triad measured in
 * the same run.
 *
 * Each kernel runs over a 2-D box of float64 of 64 MiB, tile by tile of 1024 x 1024 as
 * the engine does, several times; the best time counts. Bytes are those that must move:
 * every input once, the output once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "kernel/fold.h"
#include "kernel/map.h"

enum { SIDE = 3072, TILE = 1024, REPEATS = 5 };

typedef struct {
    double *a, *b, *c, *out;
    cl_loop *loop;
    void *workspace;
    int ninput;
    const double *input[3];
    int64_t stride[3][2]; /* elements */
    cl_fold fold;
    bool is_fold;
} job;

static void run_tile(const job *j, int64_t row, int64_t column)
{
    static _Alignas(64) double partial[SIDE * 4];
    const cl_box box = {.ndim = 2, .lo = {row, column}, .n = {TILE, TILE}};
    cl_span span[3];
    cl_input input[3];
    for (int i = 0; i < j->ninput; i++) {
        const int64_t *s = j->stride[i];
        span[i] =
            (cl_span){.box = box,
                      .data = (const char *)(j->input[i] + row * s[0] + column * s[1]),
                      .stride = {8 * s[0], 8 * s[1]}};
        input[i] = (cl_input){1, &span[i]};
    }
    double *out = j->out + row * SIDE + column * TILE;
    if (j->is_fold)
        cl_fold_run(&j->fold, j->loop, &box, input, partial, true, j->workspace, NULL);
    else
        cl_map_run(j->loop, &box, input, out, j->workspace, NULL);
}

static void run_all(const job *j)
{
    for (int64_t r = 0; r < SIDE; r += TILE)
        for (int64_t c = 0; c < SIDE; c += TILE)
            run_tile(j, r, c);
}

static void report(const char *name, double bytes, double seconds)
{
    printf("%-24s %6.2f GB/s\n", name, bytes / seconds * 1e-9);
}

static void measure(const char *name, job *j, const cl_program *p, double arrays)
{
    if (cl_loop_new(&j->loop, p) != CLAST_OK)
        exit(EXIT_FAILURE);
    const cl_box box = {.ndim = 2, .n = {TILE, TILE}};
    const size_t bytes = j->is_fold ? cl_fold_workspace(&j->fold, j->loop, &box)
                                    : cl_loop_workspace(j->loop);
    j->workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    double best = 1e9;
    for (int k = 0; k < REPEATS; k++) {
        const double start = cl_clock();
        run_all(j);
        const double t = cl_clock() - start;
        best = t < best ? t : best;
    }
    report(name, arrays * SIDE * SIDE * 8, best);
    free(j->workspace);
    cl_loop_free(j->loop);
}

static void measure_plain(job *j)
{
    double copy = 1e9, triad = 1e9;
    const size_t n = (size_t)SIDE * SIDE;
    for (int k = 0; k < REPEATS; k++) {
        double start = cl_clock();
        memcpy(j->out, j->a, n * 8);
        const double t = cl_clock() - start;
        copy = t < copy ? t : copy;
        start = cl_clock();
        for (size_t i = 0; i < n; i++)
            j->out[i] = j->a[i] + 3 * j->b[i];
        const double u = cl_clock() - start;
        triad = u < triad ? u : triad;
    }
    report("memcpy", 16.0 * (double)n, copy);
    report("triad", 24.0 * (double)n, triad);
}

#define STEP(name, x, y)                                                               \
    {                                                                                  \
        .op = CL_OP_##name, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64, .arg = {    \
            x,                                                                         \
            y                                                                          \
        }                                                                              \
    }

static void set_input(job *j, int i, const double *x, int64_t row, int64_t column)
{
    j->input[i] = x;
    j->stride[i][0] = row;
    j->stride[i][1] = column;
}

int main(void)
{
    static const uint8_t dtype[] = {CLAST_FLOAT64, CLAST_FLOAT64, CLAST_FLOAT64};
    static const cl_insn sum3[] = {STEP(ADD, 0, 1), STEP(ADD, 3, 2)};
    static const cl_insn centred[] = {STEP(ADD, 0, 1), STEP(SUB, 3, 2)};
    static const cl_insn functions[] = {STEP(EXP, 0, 0)};
    static const cl_insn squares[] = {STEP(SUB, 0, 1), STEP(MUL, 2, 2)};
    const size_t n = (size_t)SIDE * SIDE;
    job j = {.ninput = 3};
    double **const arrays[] = {&j.a, &j.b, &j.c, &j.out};
    for (int k = 0; k < 4; k++) {
        *arrays[k] = aligned_alloc(64, n * 8);
        if (!*arrays[k])
            return EXIT_FAILURE;
        for (size_t i = 0; i < n; i++)
            (*arrays[k])[i] = (double)(i % 1000) * 1e-3;
    }
    measure_plain(&j);

    cl_program p = {.ndim = 2, .ninput = 3, .ninsn = 2, .input_dtype = dtype};
    set_input(&j, 0, j.a, SIDE, 1);
    set_input(&j, 1, j.b, SIDE, 1);
    set_input(&j, 2, j.c, SIDE, 1);
    p.insn = sum3;
    measure("a + b + c", &j, &p, 4);
    set_input(&j, 1, j.a, 1, SIDE);
    set_input(&j, 2, j.c, 0, 1);
    p.insn = centred;
    measure("x + x.T - row", &j, &p, 3);
    p.insn = functions;
    p.ninsn = 1;
    p.ninput = j.ninput = 1;
    measure("exp(a)", &j, &p, 2);

    j.is_fold = true;
    j.fold = (cl_fold){.reduction = CLAST_SUM, .dtype = CLAST_FLOAT64, .axes = 3};
    p.ninsn = 0;
    measure("sum(a)", &j, &p, 1);
    j.fold.axes = 1;
    measure("sum(a, axis=0)", &j, &p, 1);
    j.fold.axes = 2;
    measure("sum(a, axis=1)", &j, &p, 1);
    j.fold.axes = 3;
    j.fold.reduction = CLAST_VAR;
    measure("var(a)", &j, &p, 1);
    j.fold.reduction = CLAST_MAX;
    measure("max(a)", &j, &p, 1);
    j.fold.reduction = CLAST_SUM;
    set_input(&j, 1, j.b, SIDE, 1);
    p.ninput = (uint16_t)(j.ninput = 2);
    p.ninsn = 2;
    p.insn = squares;
    measure("sum((a - b)^2)", &j, &p, 2);
    for (int k = 0; k < 4; k++)
        free(*arrays[k]);
    return EXIT_SUCCESS;
}
