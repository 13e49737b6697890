/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What printing needs of an array: all of it up to 1000 elements, else the first and
 * last three along each axis that is longer than six, as NumPy's print options are set.
 *
 * The corners are slices joined again, so that only the blocks under them are planned
 * and computed.
 */
#include "cli.h"

enum { THRESHOLD = 1000, EDGE = 3 };

static bool is_long(clast_array *a)
{
    const int64_t *shape = clast_shape(a);
    int64_t size = 1;
    for (int i = 0; i < clast_ndim(a); i++) {
        if (shape[i] == 0)
            return false;
        if (size <= THRESHOLD) /* beyond it only a zero can change the answer */
            size = shape[i] > THRESHOLD ? THRESHOLD + 1 : size * shape[i];
    }
    return size > THRESHOLD;
}

/* Both ends of one axis, after those of the axes after it: corners are slices of the
 * array itself, and nothing between them is planned. */
static clast_array *ends_of(clast_array *a, int axis)
{
    if (axis == clast_ndim(a) || clast_array_status(a) != CLAST_OK)
        return a;
    const int64_t n = clast_shape(a)[axis];
    if (n <= 2 * EDGE)
        return ends_of(a, axis + 1);
    clast_array *ends[] = {ends_of(clast_slice(a, axis, 0, EDGE, 1), axis + 1),
                           ends_of(clast_slice(a, axis, n - EDGE, n, 1), axis + 1)};
    return clast_concatenate(2, ends, axis);
}

clast_array *summarize(clast_array *a, bool *is_cut)
{
    *is_cut = is_long(a);
    return *is_cut ? ends_of(a, 0) : a;
}
