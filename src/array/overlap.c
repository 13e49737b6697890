/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which elements of the caller's memory are the same.
 *
 * Within one buffer: with axes in the order of their strides, each stride must exceed
 * what the axes before it span. That is exact for all layouts made by slicing and
 * transposing.
 *
 * Between two: whether some element of one shares a byte with some of the other is
 * whether sum(step[i] * x[i]) can come to lie within a range, each x[i] between bounds,
 * steps being the strides of both. Steps are tried from the largest down, each only as
 * far as the others can make up for, so that layouts of one matrix (columns beside
 * columns, say) take a few tries an axis. A search that gets long answers "they do".
 */
#include "array/overlap.h"

#include "base/dtype.h"

clast_status cl_buffer_check_output(const clast_buffer *b, cl_error *err)
{
    CL_TRY(cl_buffer_check(b, err));
    for (int a = 0; a < b->ndim; a++)
        if (b->shape[a] == 0)
            return CLAST_OK;
    int64_t stride[CL_MAXDIM];
    int order[CL_MAXDIM], n = 0;
    uint64_t span = 1;
    cl_buffer_strides(b, stride);
    for (int a = 0; a < b->ndim; a++) {
        if (b->shape[a] == 1)
            continue;
        stride[a] = stride[a] < 0 ? -stride[a] : stride[a];
        int at = n++;
        for (; at > 0 && stride[order[at - 1]] > stride[a]; at--)
            order[at] = order[at - 1];
        order[at] = a;
    }
    for (int i = 0; i < n; i++) {
        const int a = order[i];
        if ((uint64_t)stride[a] < span)
            return cl_error_set(
                err, CLAST_EVALUE,
                "the buffer's elements overlap: axis %d has stride %lld", a,
                (long long)b->strides[a]);
        span += (uint64_t)stride[a] * (uint64_t)(b->shape[a] - 1);
    }
    return CLAST_OK;
}

/* ---- between two */

enum { MOST_TRIES = 10000 };

__extension__ typedef __int128 wide; /* sums of spans */

typedef struct {
    wide step, least, most; /* of x */
} term;

typedef struct {
    term term[2 * CL_MAXDIM]; /* the largest steps first, no two alike */
    int n, tries;
} equation;

/* x in [0, n) with this step is part of the sum. */
static void add_term(equation *e, wide step, int64_t n)
{
    term new = {step < 0 ? -step : step, 0, n - 1};
    if (step < 0)
        new = (term){-step, 1 - n, 0};
    if (n == 1 || step == 0)
        return;
    int at = e->n;
    for (int i = 0; i < e->n; i++)
        if (e->term[i].step == new.step) {
            e->term[i].least += new.least;
            e->term[i].most += new.most;
            return;
        }
    for (; at > 0 && e->term[at - 1].step < new.step; at--)
        e->term[at] = e->term[at - 1];
    e->term[at] = new;
    e->n++;
}

static wide divide_down(wide a, wide b)
{
    return a / b - (a % b != 0 && a < 0);
}

/* Whether the terms from i on can sum up to something within [low, high]. */
static bool is_solvable(equation *e, int i, wide low, wide high)
{
    wide least = 0, most = 0;
    if (i == e->n)
        return low <= 0 && high >= 0;
    if (--e->tries < 0)
        return true;
    for (int k = i + 1; k < e->n; k++) {
        least += e->term[k].step * e->term[k].least;
        most += e->term[k].step * e->term[k].most;
    }
    const term *t = &e->term[i];
    wide x = -divide_down(most - low, t->step),
         end = divide_down(high - least, t->step);
    x = x < t->least ? t->least : x;
    end = end > t->most ? t->most : end;
    for (; x <= end; x++)
        if (is_solvable(e, i + 1, low - x * t->step, high - x * t->step))
            return true;
    return false;
}

bool cl_buffers_overlap(const clast_buffer *a, const clast_buffer *b)
{
    int64_t stride[CL_MAXDIM];
    equation e = {.tries = MOST_TRIES};
    const wide x = (wide)clast_dtype_size(a->dtype),
               y = (wide)clast_dtype_size(b->dtype);
    if (cl_buffer_bytes(a) == 0 || cl_buffer_bytes(b) == 0)
        return false;
    cl_buffer_strides(a, stride);
    for (int k = 0; k < a->ndim; k++)
        add_term(&e, stride[k] * x, a->shape[k]);
    cl_buffer_strides(b, stride);
    for (int k = 0; k < b->ndim; k++)
        add_term(&e, -stride[k] * y, b->shape[k]);
    /* an element of a begins at most y - 1 bytes behind one of b, at most x - 1
     * before */
    const wide apart = (wide)(uintptr_t)b->data - (wide)(uintptr_t)a->data;
    return is_solvable(&e, 0, apart - (x - 1), apart + (y - 1));
}
