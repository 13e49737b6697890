/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Matrix products: each tile of the result is a chain of accumulations over K panels,
 * in fixed order.
 *
 * A result of few tiles and many panels (x.T @ x of a tall matrix) would be one long
 * chain and so the work of one worker: K is cut into several chains then, each with
 * tiles of its own, which are added in a fixed tree afterwards. How many is a question
 * of the grid alone, so that neither workers nor memory change a bit.
 *
 * All versions of a tile have numbers of their own (tile * nfold + k); a tensor's
 * tiles are the last ones of their chain. Super-tiles say only in which order tasks
 * run: p x q tiles of the result stay in memory while one pass over K reads each panel
 * of A and B once, so that A is read ceil(columns / q) times and B ceil(rows / p) times
 * (Irony, Toledo and Tiskin 2004 have the lower bound, 2 n^3 / sqrt(memory)).
 *
 * A product of an array and its own transpose is symmetric: tiles on and above the
 * diagonal are computed, those below it are transposes of theirs, each one task. That
 * is so where the result has several tiles, one chain for each, and they are not much
 * larger than panels.
 */
#include "graph/draft.h"
#include "graph/grid.h"

/* Chains that all tiles have together where K is cut; panels of the shortest chain. */
enum { MOST_CHAINS = 16, LEAST_PANELS = 4 };

/* Panels of one chain. */
static int64_t chain_length(int64_t tiles, int64_t panels)
{
    const int64_t most = MOST_CHAINS / tiles, few = panels / LEAST_PANELS;
    const int64_t count = most < few ? most : few;
    return count > 1 ? (panels - 1) / count + 1 : panels;
}

/* The most columns of tiles beside p rows: with p x q tiles of the result the panels of
 * the shorter side stay for a step of K and those of the other come one by one. */
static int64_t most_columns(double budget, int64_t p, int64_t columns, double tile,
                            double a, double b)
{
    const double rows = (double)p;
    const double wide = (budget - rows * a - b) / (rows * tile); /* p <= q */
    double q = wide;
    if (wide < rows) {
        q = (budget - a) / (rows * tile + b);
        q = q < rows ? q : rows;
    }
    return q < (double)columns ? (int64_t)q : columns;
}

/* p and q of the super-tile that fits and reads least. */
static void group_tiles(cl_draft *d, const cl_recipe *r, const cl_stage *s,
                        int64_t *group)
{
    const size_t element = clast_dtype_size(s->dtype);
    const int64_t rows = r->grid.axis[0].count, columns = r->grid.axis[1].count;
    const double tr = (double)cl_axis_largest(&r->grid.axis[0]);
    const double tc = (double)cl_axis_largest(&r->grid.axis[1]);
    const double tk = (double)cl_axis_largest(&r->panels);
    const double tile = tr * tc * (double)element, a = tr * tk * (double)element,
                 b = tk * tc * (double)element;
    /* Larger super-tiles read less, smaller ones leave room for what is loaded ahead:
     * the dry run of both decides. */
    const double share = d->settings.order == CL_ORDER_TRAVERSALS ? 0.97 : 0.75;
    const double whole = d->settings.budget_pages
                             ? share * (double)d->settings.budget_pages * CL_PAGE
                             : 1e30;
    const double budget = whole - (s->is_symmetric ? tile : 0);
    double least = 1e300;
    group[0] = group[1] = 1;
    if (rows == 0 || columns == 0 || d->settings.order == CL_ORDER_SINGLE_TILES)
        return;
    for (int64_t p = 1; p <= rows && p <= 4096; p++) {
        const int64_t q = most_columns(budget, p, columns, tile, a, b);
        if (q < 1)
            break;
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

/* Two tiles of the result are no more than one and the panels of one step: so a task
 * that turns a tile needs no more memory than others. */
static bool has_small_tiles(const cl_recipe *r)
{
    const double rows = (double)cl_axis_largest(&r->grid.axis[0]);
    const double columns = (double)cl_axis_largest(&r->grid.axis[1]);
    return rows * columns <= (rows + columns) * (double)cl_axis_largest(&r->panels);
}

/* Whether view[1] of a product is view[0] transposed, whatever array they are of. */
static bool is_symmetric(const cl_draft *d, const cl_recipe *r)
{
    const cl_item *const it = &d->item[r->item];
    const cl_item *const a = &d->item[it->in[0]], *const b = &d->item[it->in[1]];
    const cl_grid rows = {.ndim = 1, .axis = {r->grid.axis[0]}};
    const cl_grid columns = {.ndim = 1, .axis = {r->grid.axis[1]}};
    cl_map turn = cl_map_identity(2);
    turn.src[0] = 1;
    turn.src[1] = 0;
    const cl_map turned = cl_map_compose(&turn, &a->map);
    return a->base == b->base && cl_map_equal(&turned, &b->map) &&
           cl_grid_equal(&rows, &columns);
}

/* An empty sum: zeros. */
static clast_status zeros(cl_draft *d, cl_recipe *r)
{
    const cl_node *const node = &d->item[r->item].node;
    cl_insn *const insn = cl_arena_alloc(&d->plan->arena, sizeof *insn);
    cl_imm *const imm = cl_arena_alloc(&d->plan->arena, sizeof *imm);
    uint8_t *const input = cl_arena_alloc(&d->plan->arena, 1);
    if (!insn || !imm || !input)
        return cl_draft_nomem(d);
    *insn = (cl_insn){.op = CL_OP_CONST, .type = node->dtype, .dtype = node->dtype};
    r->program = (cl_program){.ndim = 2,
                              .ninsn = 1,
                              .nimm = 1,
                              .input_dtype = input,
                              .insn = insn,
                              .imm = imm};
    r->nleaf = 0;
    return cl_lower_map(d, r);
}

/* The tasks of a tile below the diagonal: only the last one does something, and reads
 * the last version of a tile that comes before it. */
static clast_status mirror_tasks(cl_draft *d, const cl_recipe *r, const int64_t *at,
                                 uint32_t first)
{
    const int64_t nk = r->panels.count, tile = cl_grid_tile(&r->grid, at);
    const int64_t other = cl_grid_tile(&r->grid, (const int64_t[]){at[1], at[0]});
    for (int64_t k = 0; k < nk - 1; k++)
        CL_TRY(cl_lower_task(d));
    CL_TRY(cl_lower_read_block(d, first + (uint32_t)(other * nk + nk - 1)));
    cl_lower_reads(d);
    CL_TRY(cl_lower_operand(d, first + (uint32_t)(tile * nk + nk - 1), CL_W));
    return cl_lower_task(d);
}

static clast_status tasks(cl_draft *d, const cl_recipe *r, const cl_stage *s,
                          uint32_t first)
{
    const int64_t nk = s->nfold, chain = s->njoin, tiles = cl_grid_tiles(&r->grid);
    const uint32_t *const views = s->view;
    for (int64_t t = 0; t < tiles; t++) {
        const cl_box box = cl_grid_box(&r->grid, t);
        int64_t at[2];
        cl_grid_coords(&r->grid, t, at);
        if (cl_gemm_is_mirror(s, at)) {
            CL_TRY(mirror_tasks(d, r, at, first));
            continue;
        }
        for (int64_t k = 0; k < nk; k++) {
            const int64_t lo = cl_axis_lo(&r->panels, k);
            const int64_t n = cl_axis_hi(&r->panels, k) - lo;
            const cl_box a = {.ndim = 2, .lo = {box.lo[0], lo}, .n = {box.n[0], n}};
            const cl_box b = {.ndim = 2, .lo = {lo, box.lo[1]}, .n = {n, box.n[1]}};
            CL_TRY(cl_lower_read(d, views[0], &a));
            CL_TRY(cl_lower_read(d, views[1], &b));
            cl_lower_reads(d);
            const uint32_t version = first + (uint32_t)(t * nk + k);
            if (k % chain > 0)
                CL_TRY(cl_lower_operand(d, version - 1, CL_ACC));
            CL_TRY(cl_lower_operand(d, version, CL_W));
            CL_TRY(cl_lower_task(d));
        }
    }
    return CLAST_OK;
}

/* out = the sum of n tensors, left to right. */
static clast_status add(cl_draft *d, const cl_recipe *r, uint32_t n, const uint32_t *in,
                        uint32_t *out)
{
    const cl_node *const node = &d->item[r->item].node;
    uint32_t views[MOST_CHAINS], stage;
    cl_insn *const insn = cl_arena_array(&d->plan->arena, n, sizeof *insn);
    uint8_t *const inputs = cl_arena_alloc(&d->plan->arena, n);
    if (!insn || !inputs)
        return cl_draft_nomem(d);
    for (uint32_t i = 0; i < n; i++) {
        CL_TRY(cl_draft_view_tensor(d, in[i], &views[i]));
        inputs[i] = node->dtype;
        if (i > 0)
            insn[i - 1] =
                (cl_insn){.op = CL_OP_ADD,
                          .type = node->dtype,
                          .dtype = node->dtype,
                          .arg = {i > 1 ? (uint16_t)(n + i - 2) : 0, (uint16_t)i}};
    }
    CL_TRY(cl_draft_tensor(d, (clast_dtype)node->dtype, &r->grid, 0, 1, out));
    CL_TRY(cl_lower_tiles(d, *out, 0));
    const cl_stage s = {.kind = CL_STAGE_MAP,
                        .label = "matmul: add",
                        .node = d->item[r->item].id,
                        .dtype = (clast_dtype)node->dtype,
                        .out = *out,
                        .nview = n,
                        .view = cl_lower_views(d, n, views),
                        .program = {.ndim = 2,
                                    .ninput = (uint16_t)n,
                                    .ninsn = (uint16_t)(n - 1),
                                    .input_dtype = inputs,
                                    .insn = insn},
                        .space = r->grid,
                        .cost = 2 * n * (double)cl_grid_largest(&r->grid),
                        .tasks = (uint64_t)cl_grid_tiles(&r->grid)};
    if (!s.view)
        return cl_draft_nomem(d);
    CL_TRY(cl_lower_stage(d, &s, CL_NONE, &stage));
    return cl_lower_grid(d, &r->grid, n, views, *out);
}

/* As many chains at a time as six tiles of the target size hold, at least two: adding
 * takes no more memory than multiplying tiles of the usual size. */
static clast_status add_chains(cl_draft *d, const cl_recipe *r, uint32_t *tensor,
                               int64_t count)
{
    const size_t element = clast_dtype_size((clast_dtype)d->item[r->item].node.dtype);
    const uint64_t tile = (uint64_t)cl_grid_largest(&r->grid) * element;
    const uint64_t fit = 6 * cl_draft_target(d) / (tile ? tile : 1);
    const int64_t fan = fit < 3             ? 2
                        : fit > MOST_CHAINS ? MOST_CHAINS
                                            : (int64_t)fit - 1;
    while (count > 1) {
        int64_t sums = 0;
        for (int64_t i = 0; i < count; sums++) {
            const int64_t n = count - i < fan ? count - i : fan;
            if (n == 1)
                tensor[sums] = tensor[i];
            else
                CL_TRY(add(d, r, (uint32_t)n, tensor + i, &tensor[sums]));
            i += n;
        }
        count = sums;
    }
    return CLAST_OK;
}

/* The tensors of all chains over the versions of the first. */
static clast_status chain_tensors(cl_draft *d, const cl_recipe *r, clast_dtype dtype,
                                  int64_t chain, uint32_t *tensor)
{
    const int64_t nk = r->panels.count;
    CL_TRY(cl_draft_tensor(d, dtype, &r->grid, 0, (uint32_t)nk, &tensor[0]));
    CL_TRY(cl_lower_tiles(d, tensor[0], 0));
    const uint32_t first = d->tensor[tensor[0]].first_block - (uint32_t)(nk - 1);
    for (int64_t c = 0; c * chain < nk; c++) {
        const int64_t end = (c + 1) * chain < nk ? (c + 1) * chain : nk;
        const uint32_t last = first + (uint32_t)(end - 1);
        if (c == 0)
            d->tensor[tensor[0]].first_block = last;
        else
            CL_TRY(cl_draft_tensor(d, dtype, &r->grid, last, (uint32_t)nk, &tensor[c]));
    }
    return CLAST_OK;
}

clast_status cl_lower_gemm(cl_draft *d, cl_recipe *r)
{
    const cl_item it = d->item[r->item];
    const clast_dtype dtype = (clast_dtype)it.node.dtype;
    const int64_t nk = r->panels.count, tiles = cl_grid_tiles(&r->grid);
    if (nk == 0)
        return zeros(d, r);
    if (nk > INT32_MAX || tiles > INT32_MAX)
        return cl_error_set(d->err, CLAST_ENOTSUP,
                            "a product of %lld tiles and %lld panels is too large",
                            (long long)tiles, (long long)nk);
    const int64_t chain = chain_length(tiles > 0 ? tiles : 1, nk);
    uint32_t views[2], tensor[MOST_CHAINS], stage;
    CL_TRY(cl_draft_view(d, it.in[0], &views[0]));
    CL_TRY(cl_draft_view(d, it.in[1], &views[1]));
    const cl_grid grid_a = {.ndim = 2, .axis = {r->grid.axis[0], r->panels}};
    const cl_grid grid_b = {.ndim = 2, .axis = {r->panels, r->grid.axis[1]}};
    const uint64_t element = clast_dtype_size(dtype);
    const uint64_t result = (uint64_t)cl_grid_largest(&r->grid) * element;
    cl_reading read_a = {.node = it.id,
                         .grid = &grid_a,
                         .bytes =
                             result + (uint64_t)cl_grid_largest(&grid_b) * element};
    cl_reading read_b = {.node = it.id,
                         .grid = &grid_b,
                         .bytes =
                             result + (uint64_t)cl_grid_largest(&grid_a) * element};
    CL_TRY(cl_lower_fitted(d, &read_a, 1, &views[0]));
    CL_TRY(cl_lower_fitted(d, &read_b, 1, &views[1]));
    CL_TRY(chain_tensors(d, r, dtype, chain, tensor));
    const uint32_t first =
        d->tensor[tensor[0]].first_block - (uint32_t)((chain < nk ? chain : nk) - 1);
    cl_stage s = {.kind = CL_STAGE_GEMM,
                  .label = r->label,
                  .node = it.id,
                  .dtype = dtype,
                  .out = tensor[0],
                  .nview = 2,
                  .view = cl_lower_views(d, 2, views),
                  .space = {.ndim = 1, .axis = {r->panels}},
                  .nfold = nk,
                  .njoin = chain,
                  .is_symmetric = tiles > 1 && chain >= nk && has_small_tiles(r) &&
                                  is_symmetric(d, r),
                  .cost = (double)cl_grid_largest(&r->grid) *
                          (double)cl_axis_largest(&r->panels) / 16,
                  .tasks = (uint64_t)tiles * (uint64_t)nk};
    if (!s.view)
        return cl_draft_nomem(d);
    CL_TRY(cl_lower_stage(d, &s, (uint32_t)(r - d->recipe), &stage));
    group_tiles(d, r, &s, d->walk[stage].group);
    CL_TRY(tasks(d, r, &s, first));
    CL_TRY(add_chains(d, r, tensor, (nk - 1) / chain + 1));
    d->item[r->item].tensor = tensor[0];
    return CLAST_OK;
}
