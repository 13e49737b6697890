/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Typed inner loops, compiled once per instruction set and chosen at run time.
 *
 * Every level computes the same bits: no contraction, no reassociation, functions that
 * need no FMA (SLEEF's family cinz, and own ones). Only the payload and sign of a NaN
 * may differ. Loops read and write contiguous, element-aligned memory; `out` overlaps
 * no operand.
 */
#ifndef CL_KERNEL_LOOPS_H
#define CL_KERNEL_LOOPS_H

#include "base/program.h"

/* What programs are made of once they are prepared: the table's operations, a few that
 * take over from POW where the exponent is constant, and pairs of operations in one
 * pass: (a op b) op' c for ADD, SUB and MUL of floats, CL_LOOP_PAIR + 3 op + op'. */
enum {
    CL_LOOP_SQUARE = CL_NELEMENTWISE, /* a * a */
    CL_LOOP_RECIPROCAL,               /* 1 / a */
    CL_LOOP_COPY,
    CL_LOOP_PAIR,
    CL_NLOOP = CL_LOOP_PAIR + 9
};

typedef void cl_loop_fn(size_t n, void *restrict out, const void *a, const void *b,
                        const void *c);
/* Elements index, index + step, ... of a generator. */
typedef void cl_make_fn(size_t n, void *restrict out, int64_t index, int64_t step,
                        const cl_imm *imm);

/* Accumulators by columns: the only order in which folds add. */
typedef enum {
    CL_ACC_SUM,  /* of integers wrapping in 64 bits, of floats in float64 */
    CL_ACC_MEAN, /* in float64 */
    CL_ACC_MIN,
    CL_ACC_MAX,
    CL_ACC_ANY,
    CL_ACC_EVERY,
    CL_ACC_NANSUM,  /* of what is no NaN; like all below of floats, extremes of complex
                       numbers too */
    CL_ACC_NUMBERS, /* how many are no NaN, in float64 */
    CL_ACC_NANMIN,  /* NaN where there is nothing else */
    CL_ACC_NANMAX,
    CL_NACC
} cl_acc;

typedef struct {
    size_t size; /* bytes of one accumulator */
    void (*init)(void *acc, int64_t n);
    /* acc[c] = acc[c] op column c of the rows x[0], x[1], ..., eight at a time as a
     * tree: with e = rows / 8, of rows t, t + e, ... t + 7 e; the rest one by one.
     * Eight streams far apart keep more of memory busy than one. */
    void (*rows)(void *acc, const char *const *x, int64_t rows, int64_t columns);
    /* acc[i] = acc[i] op other[i] */
    void (*combine)(void *acc, const void *other, int64_t n);
    /* The `groups` groups of n accumulators joined into the first, by halving */
    void (*halve)(void *acc, int64_t groups, int64_t n);
    /* acc[i] = the `length` consecutive elements from i * length on, left to right */
    void (*runs)(void *acc, const char *x, int64_t n, int64_t length);
} cl_acc_loops;

typedef struct {
    /* acc[c] += (x[r][c] - mean[c])^2, rows as above */
    void (*squares)(double *acc, const char *const *x, int64_t rows, const double *mean,
                    int64_t columns);
    /* The same of what is no NaN */
    void (*nansquares)(double *acc, const char *const *x, int64_t rows,
                       const double *mean, int64_t columns);
    /* One row against the best so far: where x is better, best = x and at = index.
     * [0] least, [1] greatest: a NaN is better than any number; [2], [3] likewise: any
     * number is better than a NaN */
    void (*best[4])(void *best, int64_t *at, const char *x, int64_t columns,
                    int64_t index);
    /* The first element that equals *value, or is NaN where *value is; n: none */
    int64_t (*find)(const char *x, int64_t n, const void *value);
} cl_scan_loops;

/* dst[r * dst_row + c] = src[r + c * src_column] for the columns of 64 bytes and as
 * many rows, a multiple of them; steps count bytes. */
typedef void cl_turn_fn(int64_t rows, const char *src, int64_t src_column, char *dst,
                        int64_t dst_row);

/* v[i] *= scale; column k of a: a[i] -= v[i] * c[k], for as many columns as the
 * function is for; dots[k] = sum of column 0 times column k of what they are then. */
typedef void cl_reflect_fn(int64_t rows, double *restrict v, double scale,
                           double *restrict a, int64_t lda, const double *restrict c,
                           double *restrict dots);

typedef struct {
    const char *name;
    cl_loop_fn *const *op[CLAST_NDTYPE];          /* [type computed in][operation] */
    cl_loop_fn *cast[CLAST_NDTYPE][CLAST_NDTYPE]; /* [from][to] */
    cl_make_fn *arange[CLAST_NDTYPE];             /* int64, uint64, float64 */
    cl_make_fn *random[CLAST_NDTYPE];             /* float32, float64 */
    const cl_acc_loops *acc[CLAST_NDTYPE];        /* [type][cl_acc]; sums and means of
                                                     complex: as twice the reals */
    const cl_scan_loops *scan[CLAST_NDTYPE];
    /* Means and squares about them of two sets of numbers joined into the first: with d
     * = other[i] - mean[i], mean[i] += d share and m2[i] += other_m2[i] + d d weight */
    void (*join_moments)(int64_t n, double *restrict mean, double *restrict m2,
                         const double *restrict other, const double *restrict other_m2,
                         double share, double weight);
    bool (*has_negative[CLAST_NDTYPE])(size_t n, const void *a); /* signed integers */
    cl_reflect_fn *reflect[8];                                   /* by columns */
    /* dots[k] = sum of column 0 times column k of a */
    void (*products)(int64_t rows, int64_t columns, const double *a, int64_t lda,
                     double *dots);
    cl_turn_fn *turn[9]; /* by bytes of a word; NULL: there is no better way */
} cl_loops;

typedef enum { CL_ISA_BASELINE, CL_ISA_AVX2, CL_ISA_AVX512, CL_NISA } cl_isa;

/* The loops of this CPU's best level, or of the level that was set. */
const cl_loops *cl_loops_now(void);
/* Tests: use this level from now on; false: the CPU or this build lacks it, and nothing
 * changed. */
bool cl_loops_set(cl_isa isa);

extern const cl_loops cl_loops_baseline, cl_loops_avx2, cl_loops_avx512;
/* Square roots of float64, rounded correctly as everywhere (loops_roots.c). */
extern cl_loop_fn cl_roots_avx512;

#endif
