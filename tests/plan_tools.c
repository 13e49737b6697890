/* SPDX-License-Identifier: BSD-3-Clause */
/* Building nodes and plans for the tests of graph, and the validator of plans. */
#include "plan_tools.h"

#include <string.h>

void kit_open(kit *k)
{
    memset(k, 0, sizeof *k);
    k->nodes = cl_nodes_new();
    ck_assert_ptr_nonnull(k->nodes);
    k->settings.workers = 2;
}

void kit_close(kit *k)
{
    cl_plan_fini(&k->plan);
    cl_nodes_free(k->nodes);
}

const cl_node *kit_node(const kit *k, cl_node_id id)
{
    return cl_nodes_get(k->nodes, id);
}

cl_node_id kit_add(kit *k, const cl_node *n)
{
    cl_node_id id;
    ck_assert_int_eq(cl_nodes_add(k->nodes, n, &id), CLAST_OK);
    return id;
}

cl_node_id kit_source(kit *k, clast_dtype dtype, cl_shape shape, const int64_t *chunk,
                      bool is_filtered)
{
    cl_source_facts *const f = &k->fact[k->nfact];
    f->dtype = dtype;
    f->shape = shape;
    f->has_chunks = chunk != NULL;
    f->is_filtered = is_filtered;
    f->staging_per_chunk = 100;
    if (chunk)
        memcpy(f->chunk, chunk, (size_t)shape.ndim * sizeof *chunk);
    const cl_node n = {.op = CL_OP_SOURCE,
                       .dtype = (uint8_t)dtype,
                       .shape = shape,
                       .params = {.source = k->nfact++}};
    return kit_add(k, &n);
}

cl_node_id kit_memory(kit *k, clast_dtype dtype, cl_shape shape)
{
    const cl_node_id id = kit_source(k, dtype, shape, NULL, false);
    cl_source_facts *const f = &k->fact[k->nfact - 1];
    f->is_memory = true;
    int64_t stride = (int64_t)clast_dtype_size(dtype);
    for (int a = shape.ndim - 1; a >= 0; a--) {
        f->stride[a] = stride;
        stride *= shape.dim[a];
    }
    return id;
}

cl_node_id kit_op(kit *k, cl_op op, clast_dtype dtype, cl_shape shape, cl_node_id a,
                  cl_node_id b)
{
    const cl_node_id in[2] = {a, b};
    const cl_node n = {.op = (uint16_t)op,
                       .dtype = (uint8_t)dtype,
                       .nin = b.v == UINT32_MAX ? 1 : 2,
                       .shape = shape,
                       .in = in};
    return kit_add(k, &n);
}

cl_node_id kit_const(kit *k, double v, cl_shape shape)
{
    const cl_node n = {.op = CL_OP_CONST,
                       .dtype = CLAST_FLOAT64,
                       .shape = shape,
                       .params = {.imm = {{.f64 = v}}}};
    return kit_add(k, &n);
}

cl_node_id kit_map(kit *k, cl_node_id in, cl_shape shape, cl_map map)
{
    const cl_node n = {.op = CL_OP_MAPPED,
                       .dtype = kit_node(k, in)->dtype,
                       .nin = 1,
                       .shape = shape,
                       .in = &in,
                       .map = &map};
    return kit_add(k, &n);
}

cl_node_id kit_transpose(kit *k, cl_node_id in)
{
    const cl_shape s = kit_node(k, in)->shape;
    cl_map m = cl_map_identity(2);
    m.src[0] = 1;
    m.src[1] = 0;
    return kit_map(k, in, DIMS(s.dim[1], s.dim[0]), m);
}

cl_node_id kit_slice(kit *k, cl_node_id in, int64_t start, int64_t count, int64_t step)
{
    cl_shape s = kit_node(k, in)->shape;
    cl_map m = cl_map_identity(s.ndim);
    m.off[0] = start;
    m.step[0] = step;
    s.dim[0] = count;
    return kit_map(k, in, s, m);
}

cl_node_id kit_rows(kit *k, cl_node_id in, int64_t rows)
{
    cl_map m = cl_map_identity(1);
    m.nout = 2;
    m.src[0] = 1;
    return kit_map(k, in, DIMS(rows, kit_node(k, in)->shape.dim[0]), m);
}

cl_node_id kit_scalar(kit *k, cl_node_id in, cl_shape shape)
{
    const cl_map m = {.nout = shape.ndim, .nin = 0};
    return kit_map(k, in, shape, m);
}

cl_node_id kit_reduce(kit *k, clast_reduction r, cl_node_id in, uint32_t axes)
{
    const cl_node *const x = kit_node(k, in);
    cl_node n = {.op = CL_OP_REDUCE,
                 .dtype = (uint8_t)cl_reduction_dtype(r, (clast_dtype)x->dtype),
                 .nin = 1,
                 .in = &in,
                 .params = {.reduction = (uint8_t)r, .axes = axes}};
    for (int a = 0; a < x->shape.ndim; a++)
        if (!(axes >> a & 1))
            n.shape.dim[n.shape.ndim++] = x->shape.dim[a];
    return kit_add(k, &n);
}

cl_node_id kit_matmul(kit *k, cl_node_id a, cl_node_id b)
{
    const cl_node *const x = kit_node(k, a), *const y = kit_node(k, b);
    const clast_dtype t =
        cl_dtype_promote((clast_dtype)x->dtype, (clast_dtype)y->dtype);
    return kit_op(k, CL_OP_MATMUL, t, DIMS(x->shape.dim[0], y->shape.dim[1]), a, b);
}

cl_node_id kit_part(kit *k, cl_node_id svd, uint8_t part)
{
    const cl_node *const x = kit_node(k, svd);
    const int64_t m = x->shape.dim[0], n = x->shape.dim[1];
    const cl_node node = {.op = CL_OP_PART,
                          .dtype = x->dtype,
                          .nin = 1,
                          .in = &svd,
                          .shape = part == 0   ? DIMS(m, n)
                                   : part == 1 ? DIMS(n)
                                               : DIMS(n, n),
                          .params = {.part = part}};
    return kit_add(k, &node);
}

void kit_store(kit *k, cl_node_id node, const int64_t *chunk)
{
    cl_sink_facts *const s = &k->sink[k->nsink++];
    s->node = node;
    s->is_memory = chunk == NULL;
    if (chunk)
        memcpy(s->chunk, chunk, (size_t)kit_node(k, node)->shape.ndim * sizeof *chunk);
}

/* ---- the validator ----------------------------------------------------------------
 */

typedef struct {
    const cl_plan *plan;
    uint32_t want[4096];
    size_t n;
} gathered;

static clast_status gather_piece(void *arg, const cl_piece *piece)
{
    gathered *const g = arg;
    const cl_tensor *const t = &g->plan->tensor[piece->tensor];
    REQUIRE(piece->tile < cl_grid_tiles(&t->grid));
    const uint32_t b = t->first_block + (uint32_t)piece->tile * t->block_step;
    for (size_t i = 0; i < g->n; i++)
        if (g->want[i] == b)
            return CLAST_OK;
    REQUIRE(g->n < 4096);
    g->want[g->n++] = b;
    return CLAST_OK;
}

static cl_box fold_box(const cl_stage *s, uint32_t index)
{
    int64_t k = index % s->nfold, o = index / s->nfold;
    cl_box box = {.ndim = s->space.ndim};
    for (int a = s->space.ndim - 1; a >= 0; a--) {
        int64_t *const at = s->axes >> a & 1 ? &k : &o;
        const int64_t part = *at % s->space.axis[a].count;
        *at /= s->space.axis[a].count;
        box.lo[a] = cl_axis_lo(&s->space.axis[a], part);
        box.n[a] = cl_axis_hi(&s->space.axis[a], part) - box.lo[a];
    }
    return box;
}

/* The box that a task asks of view v. */
static cl_box task_box(const cl_plan *p, const cl_stage *s, uint32_t index, uint32_t v)
{
    if (s->kind == CL_STAGE_FOLD)
        return fold_box(s, index);
    if (s->kind == CL_STAGE_STORE)
        return cl_grid_box(&s->units, index);
    if (s->kind == CL_STAGE_MAP)
        return cl_grid_box(&p->tensor[s->out].grid, index);
    const cl_axis *const x = &s->space.axis[0];
    const int64_t part = s->kind == CL_STAGE_QR ? index : index % s->nfold;
    const int64_t lo = cl_axis_lo(x, part), n = cl_axis_hi(x, part) - lo;
    if (s->kind == CL_STAGE_QR)
        return (cl_box){.ndim = 2, .lo = {lo, 0}, .n = {n, s->columns}};
    const cl_box c = cl_grid_box(&p->tensor[s->out].grid, index / s->nfold);
    return v == 0 ? (cl_box){.ndim = 2, .lo = {c.lo[0], lo}, .n = {c.n[0], n}}
                  : (cl_box){.ndim = 2, .lo = {lo, c.lo[1]}, .n = {n, c.n[1]}};
}

bool plan_is_mirror(const cl_plan *p, uint32_t task, int64_t *at)
{
    const cl_segment *const g = &p->segment[0];
    const cl_stage *const s = &p->stage[g->task_stage[task]];
    if (s->kind != CL_STAGE_GEMM)
        return false;
    cl_grid_coords(&p->tensor[s->out].grid, g->task_index[task] / s->nfold, at);
    return cl_gemm_is_mirror(s, at);
}

/* It reads the last version of the tile across the diagonal, and nothing else. */
static void check_mirror(const cl_plan *p, const cl_segment *g, uint32_t task,
                         const int64_t *at)
{
    const cl_stage *const s = &p->stage[g->task_stage[task]];
    const cl_tensor *const t = &p->tensor[s->out];
    const int64_t tile = cl_grid_tile(&t->grid, (const int64_t[]){at[1], at[0]});
    const uint32_t first = g->operand_start[task];
    REQUIRE(g->operand_start[task + 1] - first == 2);
    REQUIRE(cl_operand_mode(g->operand[first]) == CL_R);
    REQUIRE(cl_operand_mode(g->operand[first + 1]) == CL_W);
    REQUIRE(cl_operand_block(g->operand[first]) ==
            t->first_block + (uint32_t)tile * t->block_step);
}

/* R operands of a task that reads through views are exactly the blocks of its pieces.
 */
static void check_reads(const cl_plan *p, const cl_segment *g, uint32_t task)
{
    const cl_stage *const s = &p->stage[g->task_stage[task]];
    static gathered want;
    want.plan = p;
    want.n = 0;
    if (s->kind == CL_STAGE_JOIN || s->kind == CL_STAGE_FINISH)
        return;
    if (s->nview == 0 && s->kind != CL_STAGE_MAP && s->kind != CL_STAGE_FOLD)
        return;
    int64_t at[2];
    if (plan_is_mirror(p, task, at)) {
        check_mirror(p, g, task, at);
        return;
    }
    for (uint32_t v = 0; v < s->nview; v++) {
        const cl_box box = task_box(p, s, g->task_index[task], v);
        const cl_shape shape = p->view[s->view[v]].shape;
        REQUIRE(box.ndim == shape.ndim);
        for (int a = 0; a < box.ndim; a++)
            REQUIRE(box.lo[a] + box.n[a] <= shape.dim[a]);
        REQUIRE(cl_view_pieces(p->view, p->tensor, s->view[v], &box, gather_piece,
                               &want) == CLAST_OK);
    }
    size_t n = 0;
    for (uint32_t i = g->operand_start[task]; i < g->operand_start[task + 1]; i++) {
        if (cl_operand_mode(g->operand[i]) != CL_R)
            continue;
        bool found = false;
        for (size_t j = 0; j < want.n; j++)
            found |= want.want[j] == cl_operand_block(g->operand[i]);
        REQUIRE(found); /* no block that it has no piece of */
        n++;
    }
    REQUIRE(n == want.n);
}

static void check_program(const cl_stage *s)
{
    const cl_program *const p = &s->program;
    REQUIRE(p->ninput <= 24 + 1);
    REQUIRE(p->ninput == s->nview);
    REQUIRE(p->ninput + p->ninsn > 0);
    for (uint16_t i = 0; i < p->ninsn; i++) {
        const cl_insn *const n = &p->insn[i];
        for (int a = 0; a < cl_ops[n->op].arity; a++) {
            REQUIRE(n->arg[a] < p->ninput + i);
            const bool is_condition = n->op == CL_OP_WHERE && a == 0;
            REQUIRE(cl_program_dtype(p, n->arg[a]) == is_condition ? CLAST_BOOL
                                                                   : n->type);
        }
        if (cl_ops[n->op].arity == 0)
            REQUIRE(n->imm < p->nimm);
    }
    const uint16_t last = (uint16_t)(p->ninput + p->ninsn - 1);
    REQUIRE(cl_program_dtype(p, last) == s->dtype);
}

/* Where a stage says so, operands are read and then so many written. */
static void check_outputs(const cl_plan *p, const cl_segment *g, uint32_t task)
{
    const uint32_t outputs = p->stage[g->task_stage[task]].outputs;
    const uint32_t end = g->operand_start[task + 1], split = end - outputs;
    REQUIRE(outputs <= end - g->operand_start[task]);
    for (uint32_t i = g->operand_start[task]; outputs > 0 && i < end; i++)
        REQUIRE(cl_operand_mode(g->operand[i]) == (i < split ? CL_R : CL_W));
}

void plan_validate(const cl_plan *p)
{
    REQUIRE(p->nsegment == 1);
    const cl_segment *const g = &p->segment[0];
    uint8_t *const made = calloc(g->nblock + 1u, 1);
    uint32_t *const readers = calloc(g->nblock + 1u, sizeof *readers);
    for (uint32_t s = 0; s < p->nstage; s++)
        if (p->stage[s].kind == CL_STAGE_MAP || p->stage[s].kind == CL_STAGE_FOLD)
            check_program(&p->stage[s]);

    for (uint32_t t = 0; t < g->ntask; t++) {
        uint32_t before = CL_NONE;
        bool took_over = false;
        for (uint32_t i = g->operand_start[t]; i < g->operand_start[t + 1]; i++) {
            const uint32_t b = cl_operand_block(g->operand[i]);
            const cl_mode mode = cl_operand_mode(g->operand[i]);
            REQUIRE(b < g->nblock);
            const cl_block *const x = &g->block[b];
            REQUIRE(!took_over || mode == CL_W);
            if (mode == CL_W) { /* SSA: one producer, which is this task */
                REQUIRE(made[b] == 0);
                REQUIRE(x->producer == t);
                REQUIRE(x->pages > 0);
                made[b] = 1;
                if (took_over) /* the new version is as large as the old one */
                    REQUIRE(x->pages == cl_plan_block(p, before)->pages);
            } else { /* a home, or a producer that came before */
                const int home = CL_BLOCK_SOURCE | CL_BLOCK_RESIDENT | CL_BLOCK_PERSIST;
                REQUIRE(made[b] || (x->producer == CL_NONE && x->flags & home));
                for (uint32_t j = g->operand_start[t]; j < i; j++)
                    REQUIRE(cl_operand_block(g->operand[j]) != b);
                bool listed = false;
                for (uint32_t c = g->consumer_start[b]; c < g->consumer_start[b + 1];
                     c++)
                    listed |= g->consumer[c] == t;
                REQUIRE(listed);
                readers[b]++;
            }
            took_over = mode == CL_ACC || mode == CL_RW;
            before = b;
        }
        REQUIRE(!took_over);
        check_outputs(p, g, t);
        check_reads(p, g, t);
    }
    for (uint32_t b = 0; b < g->nblock; b++) {
        REQUIRE(g->consumer_start[b + 1] - g->consumer_start[b] == readers[b]);
        for (uint32_t c = g->consumer_start[b] + 1; c < g->consumer_start[b + 1]; c++)
            REQUIRE(g->consumer[c - 1] < g->consumer[c]);
        if (!made[b] && readers[b] == 0 && !(g->block[b].flags & CL_BLOCK_PERSIST))
            REQUIRE(g->block[b].pages + g->block[b].load_pages == 0);
    }
    free(made);
    free(readers);
}

void kit_build(kit *k)
{
    uint64_t lacked;
    const clast_status status =
        cl_plan_build(&k->plan, k->nodes, k->nfact, k->fact, k->nsink, k->sink,
                      &k->settings, &lacked, &k->err);
    ck_assert_msg(status == CLAST_OK, "%s", k->err.text);
    plan_validate(&k->plan);
}

uint64_t kit_tasks(const kit *k, cl_stage_kind kind)
{
    uint64_t n = 0;
    for (uint32_t s = 0; s < k->plan.nstage; s++)
        n += k->plan.stage[s].kind == kind ? k->plan.stage[s].tasks : 0;
    return n;
}

const cl_stage *kit_stage(const kit *k, cl_stage_kind kind)
{
    for (uint32_t s = 0; s < k->plan.nstage; s++)
        if (k->plan.stage[s].kind == kind)
            return &k->plan.stage[s];
    return NULL;
}

uint64_t kit_source_pages(const kit *k)
{
    uint64_t n = 0;
    const cl_segment *const g = &k->plan.segment[0];
    for (uint32_t b = 0; b < g->nblock; b++)
        n += g->block[b].flags & CL_BLOCK_SOURCE ? g->block[b].pages : 0;
    return n;
}

uint32_t kit_longest_life(const kit *k)
{
    const cl_segment *const g = &k->plan.segment[0];
    uint32_t most = 0;
    for (uint32_t b = 0; b < g->nblock; b++) {
        const uint32_t c = g->consumer_start[b], end = g->consumer_start[b + 1];
        if (!(g->block[b].flags & CL_BLOCK_SOURCE) || c == end)
            continue;
        const uint32_t life = g->consumer[end - 1] - g->consumer[c] + 1;
        most = life > most ? life : most;
    }
    return most;
}
