/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Of a huge source often only the ends are used: the corners that are printed, the
 * first and the last step. Its tiles lie in the bounding box of all that is read, axis
 * by axis; what no reader wants on an axis becomes one part of it, whose tiles nobody
 * reads, so that tables grow with what is used and not with what lies between.
 *
 * Parts that are used are those of the whole axis: the same elements are in the same
 * tiles, whatever else is read. Cost: O(parts that are used).
 */
#include "graph/interval.h"

#include "graph/grid.h"

static void remove_at(cl_intervals *s, int i)
{
    for (s->n--; i < s->n; i++) {
        s->lo[i] = s->lo[i + 1];
        s->hi[i] = s->hi[i + 1];
    }
}

/* Interval i takes the next one in. */
static void join(cl_intervals *s, int i)
{
    s->hi[i] = s->hi[i] > s->hi[i + 1] ? s->hi[i] : s->hi[i + 1];
    remove_at(s, i + 1);
}

void cl_intervals_add(cl_intervals *s, int64_t lo, int64_t hi)
{
    int i = s->n++;
    for (; i > 0 && s->lo[i - 1] > lo; i--) {
        s->lo[i] = s->lo[i - 1];
        s->hi[i] = s->hi[i - 1];
    }
    s->lo[i] = lo;
    s->hi[i] = hi;
    for (i = 0; i + 1 < s->n;)
        if (s->lo[i + 1] <= s->hi[i])
            join(s, i);
        else
            i++;
    if (s->n <= CL_MOST_INTERVALS)
        return;
    int nearest = 0;
    for (i = 1; i + 1 < s->n; i++)
        if (s->lo[i + 1] - s->hi[i] < s->lo[nearest + 1] - s->hi[nearest])
            nearest = i;
    join(s, nearest);
}

/* The parts that the intervals meet, as intervals of parts. */
static cl_intervals parts_of(const cl_axis *whole, const cl_intervals *used)
{
    cl_intervals parts = {0};
    for (int i = 0; i < used->n; i++)
        if (used->lo[i] < used->hi[i])
            cl_intervals_add(&parts, cl_axis_find(whole, used->lo[i]),
                             cl_axis_find(whole, used->hi[i] - 1) + 1);
    return parts;
}

clast_status cl_axis_used(cl_arena *arena, const cl_axis *whole, int64_t lo, int64_t n,
                          const cl_intervals *used, cl_axis *out)
{
    if (n == 0 || whole->count == 0)
        return cl_axis_window(arena, whole, lo, n, out);
    const cl_intervals parts = parts_of(whole, used);
    const int64_t all = cl_axis_find(whole, lo + n - 1) - cl_axis_find(whole, lo) + 1;
    int64_t most = 1;
    for (int i = 0; i < parts.n; i++)
        most += parts.hi[i] - parts.lo[i] + 1;
    if (most > all / 2)
        return cl_axis_window(arena, whole, lo, n, out);
    int64_t *const cuts = cl_arena_array(arena, (size_t)most + 1, sizeof *cuts);
    if (!cuts)
        return CLAST_ENOMEM;
    int64_t count = 0; /* cuts[0] = 0 */
    for (int i = 0; i < parts.n; i++)
        for (int64_t p = parts.lo[i]; p <= parts.hi[i]; p++) {
            const int64_t end = p < whole->count ? cl_axis_lo(whole, p) : whole->n;
            if (end - lo > cuts[count] && end - lo < n)
                cuts[++count] = end - lo;
        }
    cuts[++count] = n;
    *out = (cl_axis){.n = n, .count = count, .cuts = cuts};
    return CLAST_OK;
}
