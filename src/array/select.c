/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Selections by coordinate: which indices a range or a point of an axis has.
 *
 * The coordinates are looked at when the expression is built; what comes out is a plain
 * slice or index, which pushes down into the reader like any other. They have to rise
 * or fall strictly, so that a range is one run of indices. Numbers are compared as
 * float64, float32 coordinates with bounds rounded to float32: 0.1 then means the
 * coordinate that is written so. Dates are compared as instants (base/calendar.h).
 */
#include "array/labels.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/calendar.h"

/* One call: an axis and its coordinates. */
typedef struct {
    cl_make *m;
    int axis;
    int64_t n;
    const char *name;
    cl_coordinate_part part;
    const cl_values *values;
    bool is_time;
    cl_time_units units;
} selection;

static bool fail(selection *s, clast_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(selection *s, clast_status status, const char *format, ...)
{
    char text[CL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cl_make_fail(s->m, status, "axis '%.60s': %s", s->name, text);
    return false;
}

static double number_at(const selection *s, int64_t i)
{
    return cl_values_at(s->values, s->part.start + i * s->part.step);
}

static int64_t instant_at(const selection *s, int64_t i)
{
    return cl_time_instant(&s->units, number_at(s, i));
}

/* ---- the coordinates */

static bool is_monotonic(selection *s)
{
    const char *file, *path;
    const bool rises = s->n < 2 || number_at(s, 1) > number_at(s, 0);
    for (int64_t i = 0; i < s->n; i++) {
        const double v = number_at(s, i), before = i > 0 ? number_at(s, i - 1) : v;
        if (i == 0 ? !isnan(v) : rises ? v > before : v < before)
            continue;
        cl_coordinate_place(s->part.of, &file, &path);
        return fail(s, CLAST_EVALUE,
                    "the coordinates of %s:%s do not rise or fall all along: number "
                    "%lld is %.10g%s%.10g",
                    file, path, (long long)i, v, i > 0 ? " after " : ", ", before);
    }
    return true;
}

static bool load(selection *s)
{
    s->values = cl_coordinate_load(s->part.of, &s->m->err);
    if (!s->values) {
        cl_error_prefix(&s->m->err, s->m->op);
        return false;
    }
    return is_monotonic(s);
}

static bool begin(selection *s, cl_make *m, clast_array *a, int axis)
{
    const cl_shape *shape = &a->node->shape;
    *s = (selection){.m = m};
    if (!cl_make_axis(m, axis, shape, &s->axis))
        return false;
    s->n = shape->dim[s->axis];
    if (!a->labels || !a->labels[s->axis].part.of) {
        char text[240];
        cl_make_fail(m, CLAST_ENOENT, "axis %d has no coordinate (the axes are %s)",
                     axis, cl_labels_text(a, text, sizeof text));
        return false;
    }
    s->name = a->labels[s->axis].name ? a->labels[s->axis].name : "";
    s->part = a->labels[s->axis].part;
    return load(s);
}

static bool begin_time(selection *s, cl_make *m, clast_array *a, int axis)
{
    const char *why;
    if (!begin(s, m, a, axis))
        return false;
    s->is_time = true;
    const cl_values *v = s->values;
    return cl_time_units_parse(v->units, v->calendar, &s->units, &why) ||
           fail(s, CLAST_EVALUE, "dates need times, its units are '%s'%s%s: %s",
                v->units, v->calendar[0] ? " calendar " : "", v->calendar, why);
}

static bool read_date(selection *s, const char *text, int64_t *first, int64_t *end)
{
    const char *why;
    return cl_calendar_period(s->units.calendar, text, first, end, &why) ||
           fail(s, CLAST_EVALUE, "'%.60s': %s", text, why);
}

/* What is compared with these coordinates. */
static double rounded(const selection *s, double v)
{
    return s->values->dtype == CLAST_FLOAT32 ? (double)(float)v : v;
}

/* ---- indices */

static bool fail_none(selection *s, const char *what)
{
    if (s->n == 0)
        return fail(s, CLAST_EINDEX, "%s: it is empty", what);
    return fail(s, CLAST_EINDEX, "%s (there are %lld, from %.10g to %.10g%s%s)", what,
                (long long)s->n, number_at(s, 0), number_at(s, s->n - 1),
                s->values->units[0] ? " " : "", s->values->units);
}

typedef struct {
    int64_t first, end;
} run;

/* Takes i into the run of indices that are in. */
static void add(run *r, int64_t i)
{
    if (r->end == 0)
        r->first = i;
    r->end = i + 1;
}

static bool find_range(selection *s, double lo, double hi, run *r)
{
    char what[100];
    *r = (run){0, 0};
    if (isnan(lo) || isnan(hi))
        return fail(s, CLAST_EVALUE, "an end of the range is NaN");
    if (lo > hi)
        return fail(s, CLAST_EVALUE,
                    "the range %.10g to %.10g is empty: the lower end comes first, and "
                    "ranges do not wrap around",
                    lo, hi);
    for (int64_t i = 0; i < s->n; i++) {
        const double v = number_at(s, i);
        if (v >= rounded(s, lo) && v <= rounded(s, hi))
            add(r, i);
    }
    snprintf(what, sizeof what, "no coordinate lies in %.10g to %.10g", lo, hi);
    return r->end > 0 || fail_none(s, what);
}

static bool find_period(selection *s, const char *from, const char *to, run *r)
{
    char what[160];
    int64_t first = INT64_MIN, end = INT64_MAX, other;
    *r = (run){0, 0};
    if ((from && !read_date(s, from, &first, &other)) ||
        (to && !read_date(s, to, &other, &end)))
        return false;
    if (first >= end)
        return fail(s, CLAST_EVALUE,
                    "'%.60s' to '%.60s' is empty: the earlier end comes first", from,
                    to);
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t t = instant_at(s, i);
        if (t >= first && t < end)
            add(r, i);
    }
    snprintf(what, sizeof what, "no time lies in '%.60s' to '%.60s'",
             from ? from : "None", to ? to : "None");
    return r->end > 0 || fail_none(s, what);
}

/* The index at the least distance; INFINITY: none. Strict, so that the first wins. */
static int64_t nearest(const selection *s, double value, int64_t instant, double *least)
{
    int64_t at = -1;
    *least = INFINITY;
    for (int64_t i = 0; i < s->n; i++) {
        const double d = s->is_time ? fabs((double)instant_at(s, i) - (double)instant)
                                    : fabs(number_at(s, i) - value);
        if (d < *least) {
            *least = d;
            at = i;
        }
    }
    return at;
}

static bool is_match(selection *s, clast_match match)
{
    return match == CLAST_EXACT || match == CLAST_NEAREST ||
           fail(s, CLAST_EVALUE, "%d is no way to match", (int)match);
}

static bool find_number(selection *s, double value, clast_match match, int64_t *at)
{
    char what[80];
    double distance;
    if (!is_match(s, match))
        return false;
    if (!isfinite(value))
        return fail(s, CLAST_EVALUE, "%g is no coordinate", value);
    *at = nearest(s, rounded(s, value), 0, &distance);
    snprintf(what, sizeof what, "no coordinate is %.10g", value);
    return (*at >= 0 && (match == CLAST_NEAREST || distance == 0)) ||
           fail_none(s, what);
}

static bool find_instant(selection *s, const char *when, clast_match match, int64_t *at)
{
    char what[100];
    double distance;
    int64_t first, end;
    if (!is_match(s, match) || !read_date(s, when, &first, &end))
        return false;
    *at = nearest(s, 0, first, &distance);
    snprintf(what, sizeof what, "no time is '%.60s'", when);
    return (*at >= 0 && (match == CLAST_NEAREST || distance == 0)) ||
           fail_none(s, what);
}

/* ---- calls */

static clast_array *sliced(cl_make *m, bool is_found, clast_array *a, int axis, run r)
{
    if (!is_found)
        return cl_make_end(m, CL_NO_NODE);
    cl_make_close(m);
    return clast_slice(a, axis, r.first, r.end, 1);
}

static clast_array *indexed(cl_make *m, bool is_found, clast_array *a, int axis,
                            int64_t at)
{
    if (!is_found)
        return cl_make_end(m, CL_NO_NODE);
    cl_make_close(m);
    cl_index_item item[CL_MAXDIM];
    for (int k = 0; k < axis; k++)
        item[k] = (cl_index_item){CL_INDEX_SLICE, 0, CLAST_END, CLAST_END, 1};
    item[axis] = (cl_index_item){.kind = CL_INDEX_INTEGER, .start = at};
    return cl_array_index(a, "sel", (size_t)axis + 1, item);
}

clast_array *clast_sel(clast_array *a, int axis, double lo, double hi)
{
    cl_make m;
    selection s = {0};
    run r = {0, 0};
    const bool is_found = cl_make_begin(&m, "sel", 1, &a) && begin(&s, &m, a, axis) &&
                          find_range(&s, lo, hi, &r);
    return sliced(&m, is_found, a, s.axis, r);
}

clast_array *clast_sel_time(clast_array *a, int axis, const char *from, const char *to)
{
    cl_make m;
    selection s = {0};
    run r = {0, 0};
    const bool is_found = cl_make_begin(&m, "sel", 1, &a) &&
                          begin_time(&s, &m, a, axis) && find_period(&s, from, to, &r);
    return sliced(&m, is_found, a, s.axis, r);
}

clast_array *clast_sel_at(clast_array *a, int axis, double value, clast_match match)
{
    cl_make m;
    selection s = {0};
    int64_t at = 0;
    const bool is_found = cl_make_begin(&m, "sel", 1, &a) && begin(&s, &m, a, axis) &&
                          find_number(&s, value, match, &at);
    return indexed(&m, is_found, a, s.axis, at);
}

clast_array *clast_sel_time_at(clast_array *a, int axis, const char *when,
                               clast_match match)
{
    cl_make m;
    selection s = {0};
    int64_t at = 0;
    bool is_found = cl_make_begin(&m, "sel", 1, &a);
    if (is_found && !when) {
        cl_make_fail(&m, CLAST_EVALUE, "the date is NULL");
        is_found = false;
    }
    is_found =
        is_found && begin_time(&s, &m, a, axis) && find_instant(&s, when, match, &at);
    return indexed(&m, is_found, a, s.axis, at);
}
