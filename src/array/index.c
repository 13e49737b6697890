/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Basic indexing: slices, integers, None and `...`, as one view.
 *
 * A list of items becomes one index map: each integer or slice consumes an input axis,
 * each slice or None makes an output axis, the ellipsis stands for the axes that are
 * left. Slices clamp as Python's do; integers must be in range.
 *
 * The text form is read by a hand-written scanner:
 *
 *     index := item { "," item } [ "," ]
 *     item  := integer | [integer] ":" [integer] [ ":" [integer] ] | "None" | "newaxis"
 *            | "..."
 */
#include "array/make.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- slices */

typedef struct {
    int64_t start, step, count;
} range;

static int64_t clamped(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Python's slice.indices(n) with the number of elements. step != 0. */
static range range_of(int64_t n, int64_t start, int64_t stop, int64_t step)
{
    const bool is_down = step < 0;
    const int64_t low = is_down ? -1 : 0, high = is_down ? n - 1 : n;
    start = start == CLAST_END ? (is_down ? high : low)
                               : clamped(start < 0 ? start + n : start, low, high);
    stop = stop == CLAST_END ? (is_down ? low : high)
                             : clamped(stop < 0 ? stop + n : stop, low, high);
    const int64_t span = is_down ? start - stop : stop - start;
    if (span <= 0)
        return (range){0, 1, 0};
    const uint64_t stride = is_down ? -(uint64_t)step : (uint64_t)step;
    const int64_t count = (int64_t)(((uint64_t)span - 1) / stride) + 1;
    return (range){start, count == 1 ? 1 : step, count};
}

/* ---- items to a map */

typedef struct {
    cl_map map;
    cl_shape shape; /* of the result */
    int axis;       /* next input axis */
} mapping;

/* " (column 5)" behind a message, where the column is known. */
static const char *where(const cl_index_item *item, char *text, size_t size)
{
    if (item->column > 0)
        snprintf(text, size, " (column %d)", item->column);
    else
        text[0] = '\0';
    return text;
}

static bool take_integer(cl_make *m, mapping *to, const cl_index_item *item, int64_t n)
{
    char text[32];
    const int64_t i = item->start < 0 ? item->start + n : item->start;
    if (i < 0 || i >= n) {
        cl_make_fail(m, CLAST_EINDEX,
                     "index %lld is out of range for axis %d of %lld%s",
                     (long long)item->start, to->axis, (long long)n,
                     where(item, text, sizeof text));
        return false;
    }
    to->map.src[to->axis] = -1;
    to->map.off[to->axis] = i;
    to->map.step[to->axis++] = 0;
    return true;
}

static bool has_axis_left(cl_make *m, mapping *to)
{
    if (to->shape.ndim < CL_MAXDIM)
        return true;
    cl_make_fail(m, CLAST_ESHAPE, "the result has more than %d dimensions", CL_MAXDIM);
    return false;
}

static bool take_range(cl_make *m, mapping *to, range r)
{
    if (!has_axis_left(m, to))
        return false;
    to->map.src[to->axis] = (int8_t)to->shape.ndim;
    to->map.off[to->axis] = r.start;
    to->map.step[to->axis++] = r.step;
    to->shape.dim[to->shape.ndim++] = r.count;
    return true;
}

static bool take(cl_make *m, mapping *to, const cl_shape *from,
                 const cl_index_item *item, int left)
{
    char text[32];
    switch (item->kind) {
    case CL_INDEX_INTEGER:
        return take_integer(m, to, item, from->dim[to->axis]);
    case CL_INDEX_SLICE:
        if (item->step == 0) {
            cl_make_fail(m, CLAST_EVALUE, "the step is 0%s",
                         where(item, text, sizeof text));
            return false;
        }
        return take_range(m, to,
                          range_of(from->dim[to->axis], item->start, item->stop,
                                   item->step == CLAST_END ? 1 : item->step));
    case CL_INDEX_NEWAXIS:
        if (!has_axis_left(m, to))
            return false;
        to->shape.dim[to->shape.ndim++] = 1;
        return true;
    default: /* CL_INDEX_ELLIPSIS */
        for (; left > 0; left--)
            if (!take_range(m, to, (range){0, 1, from->dim[to->axis]}))
                return false;
        return true;
    }
}

/* Input axes that no item consumes; -1: noted as an error. */
static int axes_left(cl_make *m, const cl_shape *from, size_t n,
                     const cl_index_item *items)
{
    int used = 0, ellipses = 0;
    char text[512];
    for (size_t i = 0; i < n; i++) {
        ellipses += items[i].kind == CL_INDEX_ELLIPSIS;
        used += items[i].kind == CL_INDEX_INTEGER || items[i].kind == CL_INDEX_SLICE;
    }
    if (ellipses > 1)
        cl_make_fail(m, CLAST_EINDEX, "there can be one \"...\" only, not %d",
                     ellipses);
    else if (used > from->ndim)
        cl_make_fail(m, CLAST_EINDEX,
                     "too many indices: %d for an array of %d dimension%s, shape %s",
                     used, from->ndim, from->ndim == 1 ? "" : "s",
                     cl_shape_text(from, text, sizeof text));
    return cl_make_failed(m) ? -1 : from->ndim - used;
}

static cl_node_id indexed(cl_make *m, cl_node_id id, size_t n,
                          const cl_index_item *items)
{
    static const cl_index_item rest = {.kind = CL_INDEX_ELLIPSIS};
    if (cl_make_failed(m))
        return CL_NO_NODE;
    const cl_shape *from = &cl_make_node(m, id)->shape;
    int left = axes_left(m, from, n, items);
    if (left < 0)
        return CL_NO_NODE;
    mapping to = {.map = cl_map_identity(from->ndim)};
    for (size_t i = 0; i < n; i++) {
        if (!take(m, &to, from, &items[i], left))
            return CL_NO_NODE;
        left = items[i].kind == CL_INDEX_ELLIPSIS ? 0 : left;
    }
    if (!take(m, &to, from, &rest, left))
        return CL_NO_NODE;
    to.map.nout = to.shape.ndim;
    return cl_node_mapped(m, id, &to.map, &to.shape);
}

clast_array *cl_array_index(clast_array *a, const char *op, size_t n,
                            const cl_index_item *items)
{
    cl_make m;
    return cl_make_end(&m, cl_make_begin(&m, op, 1, &a) ? indexed(&m, a->id, n, items)
                                                        : CL_NO_NODE);
}

/* ---- text to items */

typedef struct {
    cl_make *m;
    const char *text, *at;
} scanner;

enum { MOST_ITEMS = 2 * CL_MAXDIM };

static int column_of(const scanner *s)
{
    return (int)(s->at - s->text) + 1;
}

static bool wrong(scanner *s, const char *expected)
{
    int bytes = *s->at != '\0'; /* of a character in UTF-8 */
    while (bytes > 0 && (s->at[bytes] & 0xc0) == 0x80)
        bytes++;
    if (*s->at)
        cl_make_fail(s->m, CLAST_ESYNTAX, "found '%.*s', expected %s (column %d)",
                     bytes, s->at, expected, column_of(s));
    else
        cl_make_fail(s->m, CLAST_ESYNTAX, "the index ends, expected %s (column %d)",
                     expected, column_of(s));
    return false;
}

static void skip_space(scanner *s)
{
    while (isspace((unsigned char)*s->at))
        s->at++;
}

static bool accept(scanner *s, const char *word)
{
    skip_space(s);
    const size_t n = strlen(word);
    if (strncmp(s->at, word, n) != 0)
        return false;
    s->at += n;
    return true;
}

/* An optional integer; *v stays where there is none. false: noted. */
static bool scan_integer(scanner *s, int64_t *v, bool *found)
{
    skip_space(s);
    const char *digits = s->at + (*s->at == '-' || *s->at == '+');
    *found = isdigit((unsigned char)*digits);
    if (!*found)
        return digits == s->at || wrong(s, "an integer");
    char *end;
    errno = 0;
    *v = strtoll(s->at, &end, 10);
    if (errno || *v == CLAST_END) {
        cl_make_fail(s->m, CLAST_EINDEX, "the integer does not fit (column %d)",
                     column_of(s));
        return false;
    }
    s->at = end;
    return true;
}

static bool scan_bounds(scanner *s, cl_index_item *item)
{
    bool found;
    item->kind = CL_INDEX_SLICE;
    if (!scan_integer(s, &item->stop, &found))
        return false;
    return !accept(s, ":") || scan_integer(s, &item->step, &found);
}

static bool scan_item(scanner *s, cl_index_item *item)
{
    bool found;
    skip_space(s);
    *item = (cl_index_item){.column = column_of(s),
                            .start = CLAST_END,
                            .stop = CLAST_END,
                            .step = CLAST_END};
    if (accept(s, "...")) {
        item->kind = CL_INDEX_ELLIPSIS;
        return true;
    }
    if (accept(s, "None") || accept(s, "newaxis")) {
        item->kind = CL_INDEX_NEWAXIS;
        return true;
    }
    if (!scan_integer(s, &item->start, &found))
        return false;
    if (accept(s, ":"))
        return scan_bounds(s, item);
    item->kind = CL_INDEX_INTEGER;
    return found || wrong(s, "an integer, a slice, None or ...");
}

static bool scan(cl_make *m, const char *text, cl_index_item *items, size_t *n)
{
    scanner s = {m, text, text};
    *n = 0;
    do {
        if (*n == MOST_ITEMS) {
            cl_make_fail(m, CLAST_EINDEX, "more than %d items", MOST_ITEMS);
            return false;
        }
        if (!scan_item(&s, &items[*n]))
            return false;
        ++*n;
        skip_space(&s);
        if (*s.at == '\0')
            return true;
        if (!accept(&s, ","))
            return wrong(&s, "',' or the end");
        skip_space(&s);
    } while (*s.at);
    return true;
}

clast_array *clast_index(clast_array *a, const char *basic)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    cl_index_item items[MOST_ITEMS];
    size_t n;
    if (cl_make_begin(&m, "index", 1, &a)) {
        if (!basic)
            cl_make_fail(&m, CLAST_EVALUE, "the index is NULL");
        else if (scan(&m, basic, items, &n))
            result = indexed(&m, a->id, n, items);
    }
    return cl_make_end(&m, result);
}

clast_array *clast_slice(clast_array *a, int axis, int64_t start, int64_t stop,
                         int64_t step)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    int at;
    cl_index_item items[CL_MAXDIM];
    if (cl_make_begin(&m, "slice", 1, &a) &&
        cl_make_axis(&m, axis, &a->node->shape, &at)) {
        const cl_index_item whole = {CL_INDEX_SLICE, 0, CLAST_END, CLAST_END, 1};
        for (int k = 0; k < at; k++)
            items[k] = whole;
        items[at] = (cl_index_item){CL_INDEX_SLICE, 0, start, stop, step};
        result = indexed(&m, a->id, (size_t)at + 1, items);
    }
    return cl_make_end(&m, result);
}
