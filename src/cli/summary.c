/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What printing needs of an array: all of it up to 1000 elements, else the first and
 * last three along each axis that is longer than six, as NumPy's print options are set.
 *
 * The ends are slices joined again, so that only the blocks under them are computed.
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

clast_array *summarize(clast_array *a, bool *is_cut)
{
    *is_cut = is_long(a);
    const int ndim = clast_ndim(a);
    for (int axis = 0; *is_cut && axis < ndim; axis++) {
        const int64_t n = clast_shape(a)[axis];
        if (n <= 2 * EDGE)
            continue;
        clast_array *ends[] = {clast_slice(a, axis, 0, EDGE, 1),
                               clast_slice(a, axis, n - EDGE, n, 1)};
        a = clast_concatenate(2, ends, axis);
        if (clast_array_status(a) != CLAST_OK)
            return a;
    }
    return a;
}
