/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernels on one core beside plain loops that move or compute the same.
 *
 * A box of 3072 x 3072 float64 is taken in tiles of 1024 x 1024, as the engine does;
 * inputs are tiles of the wide array (their rows are apart), outputs are compact. Every
 * kernel has a limit: the loop a compiler makes of the formula over the same tiles, or
 * the bare loop over its vectors. The two alternate, so that a machine shared with
 * others slows both; the best CPU time of each counts. Bytes are those that must move:
 * every input once, the output once.
 */
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/fold.h"
#include "kernel/loops.h"
#include "kernel/map.h"

enum { SIDE = 3072, TILE = 1024, REPEATS = 15, PLACES = SIDE / TILE };

typedef struct {
    double *a, *b, *c, *out;
} arrays;

/* The formula over one tile; out is compact. */
typedef void plain_fn(const double *a, const double *b, const double *c, double *out);

typedef struct {
    const char *name;
    plain_fn *limit;
    double arrays; /* that must move */
    int ninput;
    int64_t stride[3][2]; /* of the inputs x, y and z, in elements */
    const char *from;     /* the array each of them is */
    int ninsn;
    cl_insn insn[2];
    uint32_t axes; /* 0: no reduction */
    clast_reduction reduction;
} kernel;

static volatile double sink;

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- limits ---- */

static void limit_copy(const double *a, const double *b, const double *c, double *out)
{
    for (int r = 0; r < TILE; r++)
        memcpy(out + r * TILE, a + r * SIDE, TILE * sizeof *a);
}

static void limit_triad(const double *a, const double *b, const double *c, double *out)
{
    for (int r = 0; r < TILE; r++)
        for (int k = 0; k < TILE; k++)
            out[r * TILE + k] = a[r * SIDE + k] + 3 * b[r * SIDE + k];
}

static void limit_sum3(const double *a, const double *b, const double *c, double *out)
{
    for (int r = 0; r < TILE; r++)
        for (int k = 0; k < TILE; k++)
            out[r * TILE + k] = a[r * SIDE + k] + b[r * SIDE + k] + c[r * SIDE + k];
}

/* Sixteen vectors of sums: nothing but loads bounds it. */
__attribute__((target("avx2"))) static void limit_sum(const double *a, const double *b,
                                                      const double *c, double *out)
{
    __m256d s[16];
    for (int k = 0; k < 16; k++)
        s[k] = _mm256_setzero_pd();
    for (int r = 0; r < TILE; r++)
        for (const double *x = a + r * SIDE; x < a + r * SIDE + TILE; x += 64)
            for (int k = 0; k < 16; k++)
                s[k] = _mm256_add_pd(s[k], _mm256_loadu_pd(x + 4 * k));
    for (int k = 1; k < 16; k++)
        s[0] = _mm256_add_pd(s[0], s[k]);
    sink = _mm256_cvtsd_f64(s[0]);
}

__attribute__((target("avx2"))) static void
limit_distance(const double *a, const double *b, const double *c, double *out)
{
    __m256d s[8];
    for (int k = 0; k < 8; k++)
        s[k] = _mm256_setzero_pd();
    for (int r = 0; r < TILE; r++)
        for (int i = r * SIDE; i < r * SIDE + TILE; i += 32)
            for (int k = 0; k < 8; k++) {
                const __m256d d = _mm256_sub_pd(_mm256_loadu_pd(a + i + 4 * k),
                                                _mm256_loadu_pd(b + i + 4 * k));
                s[k] = _mm256_add_pd(s[k], _mm256_mul_pd(d, d));
            }
    for (int k = 1; k < 8; k++)
        s[0] = _mm256_add_pd(s[0], s[k]);
    sink = _mm256_cvtsd_f64(s[0]);
}

/* The engine's own loop over vectors, row by row. */
static void limit_exp(const double *a, const double *b, const double *c, double *out)
{
    cl_loop_fn *const loop = cl_loops_now()->op[CLAST_FLOAT64][CL_OP_EXP];
    for (int r = 0; r < TILE; r++)
        loop(TILE, out + r * TILE, a + r * SIDE, NULL, NULL);
}

/* ---- kernels ---- */

#define STEP(name, x, y)                                                               \
    {                                                                                  \
        .op = CL_OP_##name, .type = CLAST_FLOAT64, .dtype = CLAST_FLOAT64, .arg = {    \
            x,                                                                         \
            y                                                                          \
        }                                                                              \
    }
/* clang-format off */
#define ROWS    {SIDE, 1}
#define COLUMNS {1, SIDE}
#define ONE_ROW {0, 1}

static const kernel kernels[] = {
    {"copy", limit_copy, 2, 1, {ROWS}, "a", 0, {{0}}, 0, 0},
    {"a + b", limit_triad, 3, 2, {ROWS, ROWS}, "ab", 1, {STEP(ADD, 0, 1)}, 0, 0},
    {"a + b + c", limit_sum3, 4, 3, {ROWS, ROWS, ROWS}, "abc", 2,
     {STEP(ADD, 0, 1), STEP(ADD, 3, 2)}, 0, 0},
    {"a.T", limit_copy, 2, 1, {COLUMNS}, "a", 0, {{0}}, 0, 0},
    {"x + x.T - row", limit_triad, 3, 3, {ROWS, COLUMNS, ONE_ROW}, "aac", 2,
     {STEP(ADD, 0, 1), STEP(SUB, 3, 2)}, 0, 0},
    {"exp(a)", limit_exp, 2, 1, {ROWS}, "a", 1, {STEP(EXP, 0, 0)}, 0, 0},
    {"sum(a)", limit_sum, 1, 1, {ROWS}, "a", 0, {{0}}, 3, CLAST_SUM},
    {"sum(a, axis=0)", limit_sum, 1, 1, {ROWS}, "a", 0, {{0}}, 1, CLAST_SUM},
    {"sum(a, axis=1)", limit_sum, 1, 1, {ROWS}, "a", 0, {{0}}, 2, CLAST_SUM},
    {"sum(a.T, axis=1)", limit_sum, 1, 1, {COLUMNS}, "a", 0, {{0}}, 2, CLAST_SUM},
    {"var(a)", limit_sum, 1, 1, {ROWS}, "a", 0, {{0}}, 3, CLAST_VAR},
    {"max(a)", limit_sum, 1, 1, {ROWS}, "a", 0, {{0}}, 3, CLAST_MAX},
    {"argmax(a)", limit_sum, 1, 1, {ROWS}, "a", 0, {{0}}, 3, CLAST_ARGMAX},
    {"sum((a - b)^2)", limit_distance, 2, 2, {ROWS, ROWS}, "ab", 2,
     {STEP(SUB, 0, 1), STEP(MUL, 2, 2)}, 3, CLAST_SUM},
};
/* clang-format on */

/* ---- running ---- */

static void run_tile(const kernel *k, const cl_loop *loop, const arrays *x, void *work,
                     int64_t row, int64_t column, double *out)
{
    static _Alignas(64) char partial[SIDE * 32];
    const double *const array[] = {x->a, x->b, x->c};
    const cl_box box = {.ndim = 2, .lo = {row, column}, .n = {TILE, TILE}};
    cl_span span[3];
    cl_input input[3];
    for (int i = 0; i < k->ninput; i++) {
        const int64_t *s = k->stride[i];
        const double *first = array[k->from[i] - 'a'] + row * s[0] + column * s[1];
        span[i] = (cl_span){
            .box = box, .data = (const char *)first, .stride = {8 * s[0], 8 * s[1]}};
        input[i] = (cl_input){1, &span[i]};
    }
    const cl_fold fold = {.reduction = k->reduction,
                          .dtype = CLAST_FLOAT64,
                          .axes = k->axes,
                          .flat_stride = {SIDE, 1}};
    if (k->axes)
        cl_fold_run(&fold, loop, &box, input, NULL, partial, true, work, NULL);
    else
        cl_map_run(loop, &box, input, out, work, NULL);
}

/* CPU seconds of all tiles, of the kernel or (loop NULL) of its limit. */
static double time_all(const kernel *k, const cl_loop *loop, const arrays *x,
                       void *work)
{
    const double start = cpu_seconds();
    for (int64_t r = 0; r < PLACES; r++)
        for (int64_t c = 0; c < PLACES; c++) {
            const size_t first = (size_t)(r * TILE * SIDE + c * TILE);
            double *out = x->out + (r * PLACES + c) * TILE * TILE;
            if (loop)
                run_tile(k, loop, x, work, r * TILE, c * TILE, out);
            else
                k->limit(x->a + first, x->b + first, x->c + first, out);
        }
    return cpu_seconds() - start;
}

static size_t workspace_bytes(const kernel *k, const cl_loop *loop)
{
    const cl_box box = {.ndim = 2, .n = {TILE, TILE}};
    const cl_fold fold = {
        .reduction = k->reduction, .dtype = CLAST_FLOAT64, .axes = k->axes};
    return k->axes ? cl_fold_workspace(&fold, loop, &box) : cl_loop_workspace(loop);
}

static bool measure(const kernel *k, const arrays *x)
{
    static const uint8_t dtype[] = {CLAST_FLOAT64, CLAST_FLOAT64, CLAST_FLOAT64};
    const cl_program p = {.ndim = 2,
                          .ninput = (uint16_t)k->ninput,
                          .ninsn = (uint16_t)k->ninsn,
                          .input_dtype = dtype,
                          .insn = k->insn};
    cl_loop *loop;
    if (cl_loop_new(&loop, &p) != CLAST_OK)
        return false;
    const size_t bytes = workspace_bytes(k, loop);
    void *work = aligned_alloc(64, (bytes + 63) / 64 * 64);
    double best = 1e9, limit = 1e9;
    for (int i = 0; i < REPEATS && work; i++) {
        const double t = time_all(k, loop, x, work);
        const double l = time_all(k, NULL, x, NULL);
        best = t < best ? t : best;
        limit = l < limit ? l : limit;
    }
    const double moved = k->arrays * SIDE * SIDE * 8e-9;
    printf("%-18s %8.2f %8.2f %6.0f %% %10.1f\n", k->name, moved / best, moved / limit,
           100 * limit / best, (double)bytes / 1024);
    free(work);
    cl_loop_free(loop);
    return work != NULL;
}

int main(int argc, char **argv)
{
    const size_t n = (size_t)SIDE * SIDE;
    arrays x = {0};
    double **const all[] = {&x.a, &x.b, &x.c, &x.out};
    bool is_ok = true;
    for (int k = 0; k < 4; k++) {
        *all[k] = aligned_alloc(64, n * 8);
        for (size_t i = 0; i < n && *all[k]; i++)
            (*all[k])[i] = (double)(i % 1000) * 1e-3;
        is_ok &= *all[k] != NULL;
    }
    printf("%-18s %8s %8s %8s %10s\n", "kernel", "GB/s", "limit", "share", "work/KiB");
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels && is_ok; i++)
        if (argc < 2 || strstr(kernels[i].name, argv[1]))
            is_ok = measure(&kernels[i], &x);
    for (int k = 0; k < 4; k++)
        free(*all[k]);
    return is_ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
