/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records: what a reduction keeps for some output elements; the components of a partial
 * (base/op.h) without its header.
 *
 * `first` holds sums, means, extremes or truths, `second` M2 or indices. Joining is
 * always (left, right) in C order, so that the first of equals and every rounding are
 * fixed by the order of joins alone.
 */
#ifndef CL_KERNEL_RECORD_H
#define CL_KERNEL_RECORD_H

#include "kernel/fold.h"
#include "kernel/loop.h"

/* Elements of a panel, at most, and its columns side by side. */
#define CL_PANEL 8192
#define CL_LANES 512
/* Fewer columns than this are read as a matrix of fewer, wider rows. */
#define CL_GROUP 64
/* Rows, or wide rows, of a panel, at most: wide ones have more than half of CL_GROUP.
 */
#define CL_ROWS (2 * CL_PANEL / CL_GROUP + 2)

typedef struct {
    char *first, *second; /* second NULL: the reduction has none */
    int64_t count;        /* elements that went into each */
} cl_record;

/* Rows x columns of a program's values in memory. Rows come in runs of `run`: row r is
 * at (r / run) * run_bytes + (r % run) * row_bytes. */
typedef struct {
    const char *data;
    int64_t rows, columns; /* elements */
    int64_t run, run_bytes;
    int64_t row_bytes; /* from row to row in a run; columns lie side by side */
} cl_matrix;

/* How a fold accumulates: derived from it once. */
typedef struct {
    const cl_fold *fold;
    const cl_loops *loops;
    const cl_acc_loops *acc;
    /* Where elements are counted one by one: the sums if none is NaN, and the counts */
    const cl_acc_loops *plain, *numbers;
    const cl_scan_loops *scan; /* of the real dtype for variances */
    cl_acc kind;
    int parts;         /* numbers in an element as acc sees it: 2 for sums of complex */
    size_t size;       /* bytes of an element of the input */
    size_t first_size; /* bytes of a record's components */
    size_t second_size; /* 0: there is none */
    bool is_moment, is_arg;
    bool is_counted; /* NANMEAN, NANVAR, NANSTD: each output element for itself */
    int which;       /* of scan->best */
} cl_folder;

/* `read`: the dtype of what is folded, which is the fold's or is read as if it were. */
cl_folder cl_folder_of(const cl_fold *fold, clast_dtype read, const cl_loops *loops);

/* The record that joins nothing: count 0. */
void cl_record_clear(const cl_folder *f, cl_record *r, int64_t n);
/* left = left and right, n output elements. */
void cl_record_join(const cl_folder *f, cl_record *left, const cl_record *right,
                    int64_t n);
/* The record's part from output element `at` on. */
cl_record cl_record_at(const cl_folder *f, const cl_record *r, int64_t at);

const char *cl_matrix_row(const cl_matrix *m, int64_t r);
/* Rows of the matrix that make one wide row: as many as go into CL_GROUP columns, at
 * least 1. */
int64_t cl_matrix_group(int64_t rows, int64_t columns);
/* One column of so few rows that a stack of them is folded together: matrices and rows
 * must be side by side. */
static inline bool cl_matrix_is_short(const cl_matrix *m)
{
    return m->columns == 1 && m->rows <= 16;
}
/* Folds the rows of the matrix into a record of `columns` elements that is overwritten;
 * lanes: CL_FOLD_LANES bytes. Not for ARGMIN and ARGMAX. Where cl_matrix_group() is
 * more than 1 the rows of a run must be side by side, and where it does not divide the
 * run, `spare` has room for the matrix. */
#define CL_FOLD_LANES (CL_LANES * 16 + 2 * CL_GROUP * 16)
void cl_record_fold(const cl_folder *f, const cl_matrix *m, cl_record *out, char *spare,
                    char *lanes);
/* `n` consecutive matrices. */
void cl_record_fold_all(const cl_folder *f, const cl_matrix *m, int64_t n,
                        int64_t matrix_bytes, cl_record *out, char *spare, char *lanes);

/* The partial's components as a record. */
cl_record cl_record_of(const cl_folder *f, void *partial, int64_t elements);

#endif
