/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words for people: the plan's text, its drawing and the trace of a run use the same
 * ones, so that what one shows is found in the others.
 */
#include "graph/words.h"

#include <inttypes.h>
#include <stdio.h>

const char *cl_tile_text(const cl_grid *grid, char text[CL_WORDS])
{
    cl_shape s = {.ndim = grid->ndim};
    for (int a = 0; a < grid->ndim; a++)
        for (int64_t p = 0; p < grid->axis[a].count && p < 64; p++) {
            const int64_t n =
                cl_axis_hi(&grid->axis[a], p) - cl_axis_lo(&grid->axis[a], p);
            s.dim[a] = n > s.dim[a] ? n : s.dim[a];
        }
    return cl_shape_text(&s, text, CL_WORDS);
}

const cl_grid *cl_stage_grid(const cl_plan *plan, const cl_stage *stage)
{
    const bool is_of_input = stage->kind == CL_STAGE_FOLD ||
                             stage->kind == CL_STAGE_QR || stage->out == CL_NONE;
    return stage->kind == CL_STAGE_STORE ? &stage->units
           : is_of_input                 ? &stage->space
                                         : &plan->tensor[stage->out].grid;
}

/* ---- parts */

static cl_parts parts_of(int ndim, const cl_axis *axis, int64_t inner)
{
    cl_parts p = {.ndim = ndim, .inner = inner > 1 ? inner : 1};
    for (int a = 0; a < ndim; a++)
        p.count[a] = axis[a].count > 0 ? axis[a].count : 1;
    return p;
}

cl_parts cl_grid_parts(const cl_grid *grid)
{
    return parts_of(grid->ndim, grid->axis, 1);
}

cl_parts cl_stage_parts(const cl_plan *plan, const cl_stage *stage)
{
    const cl_grid *out = stage->out == CL_NONE ? NULL : &plan->tensor[stage->out].grid;
    switch (stage->kind) {
    case CL_STAGE_STORE:
        return parts_of(stage->units.ndim, stage->units.axis, 1);
    case CL_STAGE_QR:
        return parts_of(1, stage->space.axis, 1);
    case CL_STAGE_MAP:
    case CL_STAGE_FINISH:
    case CL_STAGE_Q:
        return out ? parts_of(out->ndim, out->axis, 1) : (cl_parts){.inner = 1};
    case CL_STAGE_FOLD:
    case CL_STAGE_GEMM:
        return out ? parts_of(out->ndim, out->axis, stage->nfold)
                   : (cl_parts){.inner = 1};
    case CL_STAGE_JOIN:
        return out ? parts_of(out->ndim, out->axis, stage->njoin)
                   : (cl_parts){.inner = 1};
    default:
        return (cl_parts){.inner = 1};
    }
}

const char *cl_part_text(const cl_parts *parts, uint32_t index, char text[CL_WORDS])
{
    cl_shape at = {.ndim = parts->ndim};
    int64_t tile = index / parts->inner;
    if (parts->ndim == 0 && parts->inner == 1) {
        snprintf(text, CL_WORDS, "#%" PRIu32, index);
        return text;
    }
    for (int a = parts->ndim - 1; a >= 0; a--) {
        at.dim[a] = a ? tile % parts->count[a] : tile;
        tile /= parts->count[a];
    }
    size_t n = (size_t)snprintf(text, CL_WORDS, "[");
    for (int a = 0; a < at.ndim && n < CL_WORDS; a++)
        n += (size_t)snprintf(text + n, CL_WORDS - n, "%s%" PRId64, a ? ", " : "",
                              at.dim[a]);
    if (n < CL_WORDS)
        n += (size_t)snprintf(text + n, CL_WORDS - n, "]");
    if (n < CL_WORDS && parts->inner > 1)
        snprintf(text + n, CL_WORDS - n, " #%" PRId64, index % parts->inner);
    return text;
}
