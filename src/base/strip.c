/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The axis that is cut is the first such that one grain of it, with one of each axis
 * before and all of those behind, is no more than wanted. So strips are few, and each
 * is one run of memory where grains are 1. O(axes) a strip.
 */
#include "base/strip.h"
#include "base/least.h"

void cl_strip_extents(const cl_box *box, const int64_t *grain, int64_t most,
                      int64_t *extent)
{
    int64_t before = 1, behind = cl_box_count(box);
    bool is_cut = false;
    for (int a = 0; a < box->ndim; a++) {
        const int64_t least = grain ? grain[a] : 1;
        extent[a] = is_cut ? box->n[a] : least;
        behind /= box->n[a];
        const int64_t each = before * least * behind;
        if (!is_cut && each <= most) {
            extent[a] =
                most / each >= box->n[a] / least + 1 ? box->n[a] : most / each * least;
            is_cut = true;
        }
        before *= least;
    }
}

cl_box cl_strip_first(const cl_box *box, const int64_t *extent)
{
    cl_box strip = *box;
    for (int a = 0; a < box->ndim; a++)
        strip.n[a] = cl_lesser(extent[a], box->n[a]);
    return strip;
}

bool cl_strip_next(const cl_box *box, const int64_t *extent, cl_box *strip)
{
    for (int a = box->ndim - 1; a >= 0; a--) {
        const int64_t end = box->lo[a] + box->n[a];
        strip->lo[a] += strip->n[a];
        const bool goes_on = strip->lo[a] < end;
        strip->lo[a] = goes_on ? strip->lo[a] : box->lo[a];
        strip->n[a] = cl_lesser(extent[a], end - strip->lo[a]);
        if (goes_on)
            return true;
    }
    return false;
}
