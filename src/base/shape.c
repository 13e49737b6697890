/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shapes and boxes.
 *
 * Plain values, copied freely. Counts are checked once, when a shape is made
 * (cl_shape_count); a box lies inside a checked shape, so that its own product cannot
 * overflow. A shape with a zero extent has no elements however large the others are.
 */
#include "base/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

cl_shape cl_shape_of(int ndim, const int64_t *dim)
{
    cl_shape s = {.ndim = ndim};
    if (ndim > 0)
        memcpy(s.dim, dim, (size_t)ndim * sizeof *dim);
    return s;
}

bool cl_shape_equal(const cl_shape *a, const cl_shape *b)
{
    return a->ndim == b->ndim &&
           memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof *a->dim) == 0;
}

bool cl_shape_is_known(const cl_shape *s)
{
    for (int a = 0; a < s->ndim; a++)
        if (s->dim[a] < 0)
            return false;
    return true;
}

bool cl_shape_count(const cl_shape *s, int64_t *count)
{
    if (!cl_shape_is_known(s))
        return false;
    bool overflow = false;
    int64_t product = 1;
    for (int a = 0; a < s->ndim; a++) {
        if (s->dim[a] == 0) {
            *count = 0;
            return true;
        }
        overflow |= __builtin_mul_overflow(product, s->dim[a], &product);
    }
    if (overflow)
        return false;
    *count = product;
    return true;
}

/* Extent of `s` at an axis counted from the end; missing leading axes are 1 long. */
static int64_t from_end(const cl_shape *s, int i)
{
    return i < s->ndim ? s->dim[s->ndim - 1 - i] : 1;
}

bool cl_shape_broadcast(const cl_shape *a, const cl_shape *b, cl_shape *out)
{
    cl_shape result = {.ndim = a->ndim > b->ndim ? a->ndim : b->ndim};
    for (int i = 0; i < result.ndim; i++) {
        const int64_t x = from_end(a, i), y = from_end(b, i);
        if (x != 1 && y != 1 && (x != y || x == CL_UNKNOWN))
            return false;
        result.dim[result.ndim - 1 - i] = x == 1 ? y : x;
    }
    *out = result;
    return true;
}

/* Appends to text at *used, keeping the terminator inside size. */
static void append(char *text, size_t size, size_t *used, const char *piece)
{
    for (; *piece && *used + 1 < size; piece++)
        text[(*used)++] = *piece;
    if (size > 0)
        text[*used] = '\0';
}

const char *cl_shape_text(const cl_shape *s, char *text, size_t size)
{
    size_t used = 0;
    append(text, size, &used, "(");
    for (int a = 0; a < s->ndim; a++) {
        char number[24] = "?";
        if (s->dim[a] != CL_UNKNOWN)
            snprintf(number, sizeof number, "%" PRId64, s->dim[a]);
        append(text, size, &used, number);
        if (a + 1 < s->ndim)
            append(text, size, &used, ", ");
    }
    append(text, size, &used, s->ndim == 1 ? ",)" : ")");
    return text;
}

cl_box cl_box_whole(const cl_shape *s)
{
    cl_box b = {.ndim = s->ndim};
    memcpy(b.n, s->dim, (size_t)s->ndim * sizeof *b.n);
    return b;
}

int64_t cl_box_count(const cl_box *b)
{
    const cl_shape s = cl_shape_of(b->ndim, b->n);
    int64_t count = 0;
    return cl_shape_count(&s, &count) ? count : 0;
}

bool cl_box_intersect(const cl_box *a, const cl_box *b, cl_box *out)
{
    cl_box result = {.ndim = a->ndim};
    bool is_full = true;
    for (int i = 0; i < a->ndim; i++) {
        const int64_t ahi = a->lo[i] + a->n[i], bhi = b->lo[i] + b->n[i];
        const int64_t lo = a->lo[i] > b->lo[i] ? a->lo[i] : b->lo[i];
        const int64_t hi = ahi < bhi ? ahi : bhi;
        result.lo[i] = lo;
        result.n[i] = hi > lo ? hi - lo : 0;
        is_full = is_full && hi > lo;
    }
    *out = result;
    return is_full;
}

cl_lattice cl_lattice_all(void)
{
    cl_lattice l = {0};
    for (int a = 0; a < CL_MAXDIM; a++)
        l.step[a] = 1;
    return l;
}

int64_t cl_lattice_next(const cl_lattice *l, int axis, int64_t at)
{
    const int64_t step = l->step[axis], left = (l->first[axis] - at) % step;
    return at + (left < 0 ? left + step : left);
}

bool cl_lattice_meets(const cl_lattice *l, const cl_box *box)
{
    for (int a = 0; a < box->ndim; a++)
        if (cl_lattice_next(l, a, box->lo[a]) >= box->lo[a] + box->n[a])
            return false;
    return true;
}
