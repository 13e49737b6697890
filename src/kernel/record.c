/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records: folding a matrix of values by columns, and joining.
 *
 * A matrix of few columns is read as one of fewer, wider rows: G rows side by side make
 * columns * G <= 64 lanes, each lane adds its own column, and at the end the G parts
 * are joined by halving. G follows from the matrix's extents alone, so the order of
 * every addition does, and with eight rows added as a tree (loops_fold.inc) it is
 * pairwise in all but the number of such rows, which a panel bounds. Rows are read
 * where they are; only a wide row that two runs share is put together in spare memory.
 *
 * Variances take a panel's mean first and then its squares about that mean (the panel
 * is in cache), and join by Chan, Golub, LeVeque: Updating formulae and a pairwise
 * algorithm for computing sample variances (1979), eq. 2.1.
 */
#include "kernel/record.h"

#include <string.h>

/* Bytes of a matrix that is asked for in advance, at most. */
#define PREFETCHED 16384

static const cl_acc kinds[CLAST_NREDUCTION] = {
    [CLAST_SUM] = CL_ACC_SUM,          [CLAST_MEAN] = CL_ACC_MEAN,
    [CLAST_VAR] = CL_ACC_MEAN,         [CLAST_STD] = CL_ACC_MEAN,
    [CLAST_MIN] = CL_ACC_MIN,          [CLAST_MAX] = CL_ACC_MAX,
    [CLAST_ARGMIN] = CL_ACC_MIN,       [CLAST_ARGMAX] = CL_ACC_MAX,
    [CLAST_ANY] = CL_ACC_ANY,          [CLAST_EVERY] = CL_ACC_EVERY,
    [CLAST_NANSUM] = CL_ACC_NANSUM,    [CLAST_NANMEAN] = CL_ACC_NANSUM,
    [CLAST_NANVAR] = CL_ACC_NANSUM,    [CLAST_NANSTD] = CL_ACC_NANSUM,
    [CLAST_NANMIN] = CL_ACC_NANMIN,    [CLAST_NANMAX] = CL_ACC_NANMAX,
    [CLAST_NANARGMIN] = CL_ACC_NANMIN, [CLAST_NANARGMAX] = CL_ACC_NANMAX};

cl_folder cl_folder_of(const cl_fold *fold, clast_dtype read, const cl_loops *loops)
{
    const clast_reduction r = fold->reduction;
    cl_folder f = {.fold = fold, .loops = loops, .kind = kinds[r]};
    if (read != fold->dtype) /* sums of integers are then sums of float64 */
        f.kind = CL_ACC_MEAN;
    const bool is_sum =
        f.kind == CL_ACC_SUM || f.kind == CL_ACC_MEAN || f.kind == CL_ACC_NANSUM;
    const bool is_split = is_sum && cl_dtype_is_complex(read);
    const clast_dtype summed = is_split ? cl_dtype_real(read) : read;
    f.parts = is_split ? 2 : 1;
    f.acc = &loops->acc[summed][f.kind];
    f.plain = &loops->acc[summed][CL_ACC_MEAN];
    f.numbers = &loops->acc[summed][CL_ACC_NUMBERS];
    f.scan = loops->scan[summed];
    f.is_moment = cl_reduction_is_variance(r);
    f.is_arg = cl_reduction_is_place(r);
    f.is_counted = r == CLAST_NANMEAN || (f.is_moment && cl_reduction_skips_nan(r));
    f.which = (cl_reduction_plain(r) == CLAST_ARGMAX) + 2 * cl_reduction_skips_nan(r);
    f.size = clast_dtype_size(read);
    f.first_size = f.acc->size * (size_t)f.parts;
    f.second_size = 8 * ((size_t)(f.is_moment || f.is_arg) + f.is_counted);
    return f;
}

cl_record cl_record_of(const cl_folder *f, void *partial, int64_t elements)
{
    char *bytes = partial;
    cl_record r = {.first = bytes + CL_PARTIAL_HEADER};
    if (f->second_size)
        r.second =
            bytes + cl_partial_second(f->fold->reduction, f->fold->dtype, elements);
    memcpy(&r.count, partial, sizeof r.count);
    return r;
}

cl_record cl_record_at(const cl_folder *f, const cl_record *r, int64_t at)
{
    cl_record part = *r;
    part.first += (size_t)at * f->first_size;
    if (part.second)
        part.second += (size_t)at * f->second_size;
    return part;
}

void cl_record_clear(const cl_folder *f, cl_record *r, int64_t n)
{
    f->acc->init(r->first, n * f->parts);
    if (r->second)
        memset(r->second, 0, (size_t)n * f->second_size);
    r->count = 0;
}

/* ---- joining ---- */

static void copy_record(const cl_folder *f, cl_record *to, const cl_record *from,
                        int64_t n)
{
    memcpy(to->first, from->first, (size_t)n * f->first_size);
    if (to->second)
        memcpy(to->second, from->second, (size_t)n * f->second_size);
    to->count = from->count;
}

static void join_moments(const cl_folder *f, cl_record *left, const cl_record *right,
                         int64_t n)
{
    const double a = (double)left->count, b = (double)right->count;
    const double share = b / (a + b), weight = a * share;
    double *mean = (double *)(void *)left->first, *m2 = (double *)(void *)left->second;
    const double *other = (const double *)(const void *)right->first;
    const double *other_m2 = (const double *)(const void *)right->second;
    if (f->parts == 1) {
        f->loops->join_moments(n, mean, m2, other, other_m2, share, weight);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int p = 0; p < f->parts; p++) {
            const double delta = other[i * f->parts + p] - mean[i * f->parts + p];
            square += delta * delta;
            mean[i * f->parts + p] += delta * share;
        }
        m2[i] += other_m2[i] + square * weight;
    }
}

/* M2 and the count of an output element, or the count alone. */
static int counted_step(const cl_folder *f)
{
    return f->is_moment ? 2 : 1;
}

static double *counts_of(const cl_folder *f, const cl_record *r)
{
    return (double *)(void *)r->second + counted_step(f) - 1;
}

/* As above, each output element by its own counts: x of the left one, y of the right
 * one. */
static void join_element(const cl_folder *f, double *mean, double *x,
                         const double *other, const double *y)
{
    const double a = x[1], b = y[1];
    double square = 0;
    if (b == 0)
        return;
    if (a == 0) {
        memcpy(mean, other, (size_t)f->parts * sizeof *mean);
        memcpy(x, y, 2 * sizeof *x);
        return;
    }
    const double share = b / (a + b), weight = a * share;
    for (int p = 0; p < f->parts; p++) {
        const double delta = other[p] - mean[p];
        square += delta * delta;
        mean[p] += delta * share;
    }
    x[0] += y[0] + square * weight;
    x[1] = a + b;
}

static void join_counted(const cl_folder *f, cl_record *left, const cl_record *right,
                         int64_t n)
{
    double *first = (double *)(void *)left->first;
    double *second = (double *)(void *)left->second;
    const double *other = (const double *)(const void *)right->first;
    const double *other_second = (const double *)(const void *)right->second;
    if (f->is_moment) {
        for (int64_t i = 0; i < n; i++)
            join_element(f, first + i * f->parts, second + 2 * i, other + i * f->parts,
                         other_second + 2 * i);
        return;
    }
    f->plain->combine(first, other, n * f->parts);
    f->plain->combine(second, other_second, n);
}

/* The better value wins, the lower index among equals. */
static void join_args(const cl_folder *f, cl_record *left, const cl_record *right,
                      int64_t n)
{
    int64_t *at = (int64_t *)(void *)left->second;
    const int64_t *other = (const int64_t *)(const void *)right->second;
    for (int64_t i = 0; i < n; i++) {
        char *best = left->first + (size_t)i * f->first_size;
        const char *x = right->first + (size_t)i * f->first_size;
        if (other[i] < at[i] && f->scan->find(x, 1, best) == 0)
            at[i] = other[i];
        else
            f->scan->best[f->which](best, &at[i], x, 1, other[i]);
    }
}

void cl_record_join(const cl_folder *f, cl_record *left, const cl_record *right,
                    int64_t n)
{
    if (right->count == 0)
        return;
    if (left->count == 0) {
        copy_record(f, left, right, n);
        return;
    }
    if (f->is_counted)
        join_counted(f, left, right, n);
    else if (f->is_moment)
        join_moments(f, left, right, n);
    else if (f->is_arg)
        join_args(f, left, right, n);
    else
        f->acc->combine(left->first, right->first, n * f->parts);
    left->count += right->count;
}

/* ---- folding a matrix ---- */

int64_t cl_matrix_group(int64_t rows, int64_t columns)
{
    const int64_t most = CL_GROUP / columns;
    return most < 1 ? 1 : most < rows ? most : rows;
}

const char *cl_matrix_row(const cl_matrix *m, int64_t r)
{
    return m->data + r / m->run * m->run_bytes + r % m->run * m->row_bytes;
}

/* A matrix read as `whole` rows of group * columns elements and one of rest * columns
 * (0: none). */
typedef struct {
    int64_t group, whole, rest;
    const char *row[CL_ROWS];
} wide_matrix;

/* Where reading is: a run and the row in it. */
typedef struct {
    const char *run;
    int64_t at;
} place;

/* At most n rows of one run, side by side. */
static const char *next_rows(const cl_matrix *m, place *p, int64_t *n)
{
    const char *row = p->run + p->at * m->row_bytes;
    *n = *n < m->run - p->at ? *n : m->run - p->at;
    p->at += *n;
    if (p->at == m->run) {
        p->at = 0;
        p->run += m->run_bytes;
    }
    return row;
}

/* n rows side by side: where they are, or copied together into *spare, which moves
 * on. */
static const char *wide_row(const cl_matrix *m, place *p, int64_t n, char **spare)
{
    int64_t k = n;
    const char *row = next_rows(m, p, &k), *wide = *spare;
    if (k == n)
        return row;
    for (;;) {
        memcpy(*spare, row, (size_t)(k * m->row_bytes));
        *spare += k * m->row_bytes;
        n -= k;
        if (n == 0)
            return wide;
        k = n;
        row = next_rows(m, p, &k);
    }
}

static void widen(const cl_matrix *m, char *spare, wide_matrix *w)
{
    place p = {m->data, 0};
    w->group = cl_matrix_group(m->rows, m->columns);
    w->whole = m->rows / w->group;
    w->rest = m->rows - w->whole * w->group;
    for (int64_t i = 0; i < w->whole; i++)
        w->row[i] = wide_row(m, &p, w->group, &spare);
    if (w->rest)
        w->row[w->whole] = wide_row(m, &p, w->rest, &spare);
}

/* One accumulator a column, of n columns as `by` sees them, into out. */
static void fold_columns(const cl_acc_loops *by, const wide_matrix *w, int64_t n,
                         char *out, char *lanes)
{
    char *acc = w->group == 1 ? out : lanes;
    by->init(acc, w->group * n);
    by->rows(acc, w->row, w->whole, w->group * n);
    if (w->rest)
        by->rows(acc, w->row + w->whole, 1, w->rest * n);
    if (w->group == 1)
        return;
    by->halve(acc, w->group, n);
    memcpy(out, acc, (size_t)n * by->size);
}

/* M2 of every column about the means in `mean`, every `step`th number of m2. */
static void fold_squares(const cl_folder *f, const wide_matrix *w, int64_t columns,
                         const double *mean, double *m2, int step, char *lanes)
{
    const int64_t n = columns * f->parts, wide = w->group * n;
    double *sum = (double *)(void *)lanes, *about = sum + wide;
    for (int64_t g = 0; g < w->group && w->group > 1; g++)
        memcpy(about + g * n, mean, (size_t)n * sizeof *mean);
    mean = w->group > 1 ? about : mean;
    memset(sum, 0, (size_t)wide * sizeof *sum);
    void (*const squares)(double *, const char *const *, int64_t, const double *,
                          int64_t) =
        f->is_counted ? f->scan->nansquares : f->scan->squares;
    squares(sum, w->row, w->whole, mean, wide);
    if (w->rest)
        squares(sum, w->row + w->whole, 1, mean, w->rest * n);
    f->loops->acc[CLAST_FLOAT64][CL_ACC_SUM].halve(sum, w->group, n);
    for (int64_t i = 0; i < columns; i++)
        m2[i * step] = f->parts == 1 ? sum[i] : sum[2 * i] + sum[2 * i + 1];
}

/* By a power of two it is a product with its inverse, which has the same bits. */
static void divide(int64_t n, double *restrict x, int64_t count)
{
    const double by = (double)count, inverse = 1 / by;
    if ((count & (count - 1)) == 0)
        for (int64_t i = 0; i < n; i++)
            x[i] *= inverse;
    else
        for (int64_t i = 0; i < n; i++)
            x[i] /= by;
}

static void fold_moments(const cl_folder *f, const cl_matrix *m, const wide_matrix *w,
                         cl_record *out, char *lanes)
{
    double *mean = (double *)(void *)out->first;
    fold_columns(f->acc, w, m->columns * f->parts, out->first, lanes);
    divide(m->columns * f->parts, mean, m->rows);
    fold_squares(f, w, m->columns, mean, (double *)(void *)out->second, 1, lanes);
}

/* Sums and counts of what is no NaN. Sums of all elements show whether there is one; if
 * not they are those sums, to the bit, and nothing has to be counted. */
static void fold_numbers(const cl_folder *f, const cl_matrix *m, const wide_matrix *w,
                         cl_record *out, char *lanes)
{
    const int64_t n = m->columns * f->parts;
    const double *sum = (const double *)(const void *)out->first;
    double *count = counts_of(f, out);
    const int step = counted_step(f);
    bool is_whole = true;
    fold_columns(f->plain, w, n, out->first, lanes);
    for (int64_t i = 0; i < n; i++)
        is_whole &= sum[i] == sum[i];
    if (is_whole) {
        for (int64_t i = 0; i < m->columns; i++)
            count[i * step] = (double)m->rows;
        return;
    }
    char *counted = lanes + CL_GROUP * 16;
    const double *of_part = (const double *)(const void *)counted;
    fold_columns(f->acc, w, n, out->first, lanes);
    fold_columns(f->numbers, w, n, counted, lanes);
    for (int64_t i = 0; i < m->columns; i++)
        count[i * step] = of_part[i * f->parts];
}

static void fold_counted(const cl_folder *f, const cl_matrix *m, const wide_matrix *w,
                         cl_record *out, char *lanes)
{
    fold_numbers(f, m, w, out, lanes);
    if (!f->is_moment)
        return;
    double *mean = (double *)(void *)out->first, *count = counts_of(f, out);
    for (int64_t i = 0; i < m->columns; i++)
        for (int p = 0; p < f->parts && count[2 * i] > 0; p++)
            mean[i * f->parts + p] /= count[2 * i];
    fold_squares(f, w, m->columns, mean, (double *)(void *)out->second, 2, lanes);
}

void cl_record_fold(const cl_folder *f, const cl_matrix *m, cl_record *out, char *spare,
                    char *lanes)
{
    wide_matrix w;
    widen(m, spare, &w);
    out->count = m->rows;
    if (f->is_counted)
        fold_counted(f, m, &w, out, lanes);
    else if (f->is_moment)
        fold_moments(f, m, &w, out, lanes);
    else
        fold_columns(f->acc, &w, m->columns * f->parts, out->first, lanes);
}

/* Asks for every second line (its neighbour comes along) of a matrix too small for the
 * hardware to see a pattern, while the one before it is folded. */
static void prefetch(const cl_folder *f, const cl_matrix *m, const char *data)
{
    const int64_t bytes = m->rows * m->columns * (int64_t)f->size;
    if (m->run != m->rows || bytes > PREFETCHED)
        return;
    for (int64_t b = 0; b < bytes; b += 128)
        __builtin_prefetch(data + b);
}

void cl_record_fold_all(const cl_folder *f, const cl_matrix *m, int64_t n,
                        int64_t matrix_bytes, cl_record *out, char *spare, char *lanes)
{
    if (cl_matrix_is_short(m) && f->parts == 1 && !f->is_moment) {
        f->acc->runs(out->first, m->data, n, m->rows);
        if (f->is_counted)
            f->numbers->runs(out->second, m->data, n, m->rows);
        out->count = m->rows;
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        cl_matrix one = *m;
        one.data += i * matrix_bytes;
        if (i + 1 < n)
            prefetch(f, m, one.data + matrix_bytes);
        cl_record part = cl_record_at(f, out, i * m->columns);
        cl_record_fold(f, &one, &part, spare, lanes);
    }
    out->count = m->rows;
}
