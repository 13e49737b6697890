/* SPDX-License-Identifier: BSD-3-Clause */
/* How plans are spoken of: tiles, the parts of an operation. */
#ifndef CL_GRAPH_WORDS_H
#define CL_GRAPH_WORDS_H

#include "graph/plan.h"

enum { CL_WORDS = 96 }; /* room that every text here fits in, or is cut to */

/* Tasks of a stage are numbered in C order over `count`, with `inner` of them to each
 * part: leaves of a fold, panels of a product. ndim 0: just numbered. */
typedef struct {
    int ndim;
    int64_t count[CL_MAXDIM];
    int64_t inner;
} cl_parts;

cl_parts cl_grid_parts(const cl_grid *grid);
cl_parts cl_stage_parts(const cl_plan *plan, const cl_stage *stage);
/* "[1, 2]", "[1, 2] #3" or "#7"; returns text. */
const char *cl_part_text(const cl_parts *parts, uint32_t index, char text[CL_WORDS]);

/* The largest tile of a grid as a shape. */
const char *cl_tile_text(const cl_grid *grid, char text[CL_WORDS]);
/* The grid that a stage is best described by: of what it makes, or of what it reads. */
const cl_grid *cl_stage_grid(const cl_plan *plan, const cl_stage *stage);

#endif
