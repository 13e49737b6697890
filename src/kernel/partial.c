/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Partials: records of whole boxes with their header, joined, cleared, and the final
 * values made of them.
 *
 * All of it goes element by element, in the order of the records (record.c); what a
 * component holds for which reduction is said in base/op.h.
 */
#include <math.h>
#include <string.h>

#include "kernel/record.h"

static cl_record record_to_read(const cl_folder *f, const void *partial,
                                int64_t elements)
{
    const union {
        const void *given;
        void *read;
    } p = {partial};
    return cl_record_of(f, p.read, elements);
}

void cl_fold_join(const cl_fold *fold, int64_t elements, size_t n,
                  const void *const *partial, void *out)
{
    const cl_folder f = cl_folder_of(fold, fold->dtype, cl_loops_now());
    const int64_t bytes = cl_partial_bytes(fold->reduction, fold->dtype, elements);
    if (partial[0] != out)
        memcpy(out, partial[0], (size_t)bytes);
    cl_record sum = cl_record_of(&f, out, elements);
    for (size_t i = 1; i < n; i++) {
        const cl_record right = record_to_read(&f, partial[i], elements);
        cl_record_join(&f, &sum, &right, elements);
    }
    memcpy(out, &sum.count, sizeof sum.count);
}

/* Pieces of numbers made and cast at a time. */
#define PIECE 256

/* n sums or M2 from number i on, divided: M2 by what ddof leaves of the count, at least
 * 0. */
static void divide_by_all(const cl_folder *f, const cl_record *r, int64_t i, int64_t n,
                          double *v)
{
    const double *x =
        (const double *)(const void *)(f->is_moment ? r->second : r->first);
    const double free = (double)r->count - f->fold->ddof;
    const double by = !f->is_moment ? (double)r->count : free > 0 ? free : 0;
    for (int64_t k = 0; k < n; k++)
        v[k] = x[i + k] / by;
}

/* The same, each by its own count; NaN for what nothing is left of, as NumPy has it. */
static void divide_by_own(const cl_folder *f, const cl_record *r, int64_t i, int64_t n,
                          double *v)
{
    const double *x = (const double *)(const void *)r->first;
    const double *second = (const double *)(const void *)r->second;
    for (int64_t k = i; k < i + n; k++) {
        const double count = f->is_moment ? second[2 * k + 1] : second[k / f->parts];
        const double by = f->is_moment ? count - f->fold->ddof : count;
        v[k - i] = (f->is_moment ? second[2 * k] : x[k]) / (by > 0 ? by : (double)NAN);
    }
}

/* Sums and M2 divided, or the roots of that. */
static void finish_numbers(const cl_folder *f, const cl_record *r, int64_t elements,
                           char *out)
{
    const cl_fold *fold = f->fold;
    const clast_dtype to =
        cl_dtype_real(cl_reduction_dtype(fold->reduction, fold->dtype));
    const bool is_root = cl_reduction_plain(fold->reduction) == CLAST_STD;
    const int64_t n = f->is_moment ? elements : elements * f->parts;
    for (int64_t i = 0; i < n; i += PIECE) {
        double v[PIECE];
        const int64_t m = n - i < PIECE ? n - i : PIECE;
        (f->is_counted ? divide_by_own : divide_by_all)(f, r, i, m, v);
        for (int64_t k = 0; k < m && is_root; k++)
            v[k] = sqrt(v[k]);
        f->loops->cast[CLAST_FLOAT64][to]((size_t)m, out, v, NULL, NULL);
        out += (size_t)m * clast_dtype_size(to);
    }
}

/* The places, -1 where there is nothing but NaN: only then the value is one. */
static void finish_places(const cl_folder *f, const cl_record *r, int64_t elements,
                          void *out)
{
    int64_t *at = out;
    memcpy(out, r->second, (size_t)elements * f->second_size);
    if (!cl_reduction_skips_nan(f->fold->reduction))
        return;
    for (int64_t i = 0; i < elements; i += PIECE) {
        uint8_t is_nan[PIECE];
        const int64_t m = elements - i < PIECE ? elements - i : PIECE;
        const char *value = r->first + (size_t)i * f->first_size;
        f->loops->op[f->fold->dtype][CL_OP_NE]((size_t)m, is_nan, value, value, NULL);
        for (int64_t k = 0; k < m; k++)
            at[i + k] = is_nan[k] ? -1 : at[i + k];
    }
}

void cl_fold_clear(const cl_fold *fold, int64_t elements, void *partial)
{
    const cl_folder f = cl_folder_of(fold, fold->dtype, cl_loops_now());
    memset(partial, 0,
           (size_t)cl_partial_bytes(fold->reduction, fold->dtype, elements));
    cl_record r = cl_record_of(&f, partial, elements);
    cl_record_clear(&f, &r, elements);
}

void cl_fold_finish(const cl_fold *fold, int64_t elements, const void *partial,
                    void *out)
{
    const cl_folder f = cl_folder_of(fold, fold->dtype, cl_loops_now());
    const cl_record r = record_to_read(&f, partial, elements);
    const clast_dtype to = cl_reduction_dtype(fold->reduction, fold->dtype);
    if (f.is_moment || f.is_counted || fold->reduction == CLAST_MEAN)
        finish_numbers(&f, &r, elements, out);
    else if (f.is_arg)
        finish_places(&f, &r, elements, out);
    else
        f.loops->cast[cl_accumulator(fold->reduction, fold->dtype)][to](
            (size_t)elements, out, r.first, NULL, NULL);
}
