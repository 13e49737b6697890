/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Matrix products: each tile of the result is a chain of accumulations over K panels,
 * in fixed order.
 *
 * All versions of a tile have numbers of their own (tile * nfold + k); the tensor's
 * tiles are the last ones. Super-tiles say only in which order tasks run: p x q tiles
 * of the result stay in memory while one pass over K reads each panel of A and B once,
 * so that A is read ceil(columns / q) times and B ceil(rows / p) times (Irony, Toledo
 * and Tiskin 2004 have the lower bound, 2 n^3 / sqrt(memory)).
 */
#include "graph/draft.h"
#include "graph/grid.h"

/* p and q of the super-tile that fits and reads least. */
static void group_tiles(cl_draft *d, const cl_make *m, size_t element, int64_t *group)
{
    const int64_t rows = m->grid.axis[0].count, columns = m->grid.axis[1].count;
    const double tr = (double)cl_axis_largest(&m->grid.axis[0]);
    const double tc = (double)cl_axis_largest(&m->grid.axis[1]);
    const double tk = (double)cl_axis_largest(&m->panels);
    const double budget = d->settings.budget_pages
                              ? 0.75 * (double)d->settings.budget_pages * CL_PAGE
                              : 1e30;
    const double tile = tr * tc * (double)element, a = tr * tk * (double)element,
                 b = tk * tc * (double)element;
    double least = 1e300;
    group[0] = group[1] = 1;
    if (rows == 0 || columns == 0)
        return;
    for (int64_t p = 1; p <= rows && p <= 4096; p++) {
        const double room = budget - (double)p * a;
        if (room < (double)p * tile + b)
            break;
        const double most = room / ((double)p * tile + b);
        const int64_t q = most < (double)columns ? (int64_t)most : columns;
        const double passes_a = (double)((columns - 1) / q + 1);
        const double passes_b = (double)((rows - 1) / p + 1);
        const double reads =
            passes_a * a * (double)rows + passes_b * b * (double)columns;
        if (reads < least) {
            least = reads;
            group[0] = p;
            group[1] = q;
        }
    }
}

/* An empty sum: zeros. */
static clast_status zeros(cl_draft *d, cl_make *m)
{
    const cl_node *const node = &d->item[m->item].node;
    cl_insn *const insn = cl_arena_alloc(&d->plan->arena, sizeof *insn);
    cl_imm *const imm = cl_arena_alloc(&d->plan->arena, sizeof *imm);
    uint8_t *const input = cl_arena_alloc(&d->plan->arena, 1);
    if (!insn || !imm || !input)
        return cl_draft_nomem(d);
    *insn = (cl_insn){.op = CL_OP_CONST, .type = node->dtype, .dtype = node->dtype};
    m->program = (cl_program){.ndim = 2,
                              .ninsn = 1,
                              .nimm = 1,
                              .input_dtype = input,
                              .insn = insn,
                              .imm = imm};
    m->nleaf = 0;
    return cl_lower_map(d, m);
}

static clast_status tasks(cl_draft *d, const cl_make *m, const uint32_t *views,
                          uint32_t first)
{
    const int64_t nk = m->panels.count, tiles = cl_grid_tiles(&m->grid);
    for (int64_t t = 0; t < tiles; t++) {
        const cl_box box = cl_grid_box(&m->grid, t);
        for (int64_t k = 0; k < nk; k++) {
            const int64_t lo = cl_axis_lo(&m->panels, k);
            const int64_t n = cl_axis_hi(&m->panels, k) - lo;
            const cl_box a = {.ndim = 2, .lo = {box.lo[0], lo}, .n = {box.n[0], n}};
            const cl_box b = {.ndim = 2, .lo = {lo, box.lo[1]}, .n = {n, box.n[1]}};
            CL_TRY(cl_lower_read(d, views[0], &a));
            CL_TRY(cl_lower_read(d, views[1], &b));
            CL_TRY(cl_lower_reads(d));
            const uint32_t version = first + (uint32_t)(t * nk + k);
            if (k > 0)
                CL_TRY(cl_lower_operand(d, version - 1, CL_ACC));
            CL_TRY(cl_lower_operand(d, version, CL_W));
            CL_TRY(cl_lower_task(d));
        }
    }
    return CLAST_OK;
}

clast_status cl_lower_gemm(cl_draft *d, cl_make *m)
{
    const cl_item it = d->item[m->item];
    const clast_dtype dtype = (clast_dtype)it.node.dtype;
    const int64_t nk = m->panels.count, tiles = cl_grid_tiles(&m->grid);
    if (nk == 0)
        return zeros(d, m);
    if (nk > INT32_MAX || tiles > INT32_MAX)
        return cl_error_set(d->err, CLAST_ENOTSUP,
                            "a product of %lld tiles and %lld panels is too large",
                            (long long)tiles, (long long)nk);
    uint32_t views[2], tensor, stage;
    CL_TRY(cl_draft_view(d, it.in[0], &views[0]));
    CL_TRY(cl_draft_view(d, it.in[1], &views[1]));
    const cl_grid grid_a = {.ndim = 2, .axis = {m->grid.axis[0], m->panels}};
    const cl_grid grid_b = {.ndim = 2, .axis = {m->panels, m->grid.axis[1]}};
    CL_TRY(cl_lower_staged(d, it.id, &grid_a, &views[0]));
    CL_TRY(cl_lower_staged(d, it.id, &grid_b, &views[1]));
    CL_TRY(cl_draft_tensor(d, dtype, &m->grid, 0, (uint32_t)nk, &tensor));
    CL_TRY(cl_lower_tiles(d, tensor, 0));
    cl_stage s = {.kind = CL_STAGE_GEMM,
                  .label = m->label,
                  .node = it.id,
                  .dtype = dtype,
                  .out = tensor,
                  .nview = 2,
                  .view = cl_lower_views(d, 2, views),
                  .space = {.ndim = 1, .axis = {m->panels}},
                  .nfold = nk,
                  .cost = (double)cl_grid_largest(&m->grid) *
                          (double)cl_axis_largest(&m->panels) / 16,
                  .tasks = (uint64_t)tiles * (uint64_t)nk};
    if (!s.view)
        return cl_draft_nomem(d);
    CL_TRY(cl_lower_stage(d, &s, (uint32_t)(m - d->make), &stage));
    group_tiles(d, m, clast_dtype_size(dtype), d->walk[stage].group);
    CL_TRY(tasks(d, m, views, d->tensor[tensor].first_block - (uint32_t)(nk - 1)));
    d->item[m->item].tensor = tensor;
    return CLAST_OK;
}
