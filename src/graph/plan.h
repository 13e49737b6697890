/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan: what graph hands to sched. Flat arrays, no pointers per task; a pure
 * function of nodes and settings.
 *
 * DESIGN
 *   tensors   arrays that exist as tiles; tile t of tensor x is block
 *             x.first_block + t * x.block_step
 *   views     how stages address tensors (base/view.h)
 *   stages    one lowered operation each; a task is {stage, index} and derives its
 *             boxes from the stage
 *   blocks    SSA: an entry is one *version* of a block and has one producer, or a home
 *             that it is loaded from
 *   operands  of a task, in order: {block, mode}. R reads; W produces; RW and ACC take
 *             over the buffer of the version they name and are followed at once by the
 *             W entry of the version they produce (copied first where someone else
 *             still reads the old one). ACC is RW whose order was fixed by the planner.
 *             A block occurs at most once among a task's R entries.
 *   rank      tasks are numbered in rank order: lower is wanted sooner. A task's
 *             producers have lower ranks.
 *   segments  a plan is a list of them; later segments may read blocks flagged
 *             CL_BLOCK_PERSIST of earlier ones. Ids go on counting. This version's
 *             planner makes one; the core and the simulator take any number.
 *
 * Memory: 8 B (stage, index) + 4 B operand offset + 4 B an operand a task; 20 B + 4 B a
 * consumer a block.
 */
#ifndef CL_GRAPH_PLAN_H
#define CL_GRAPH_PLAN_H

#include "base/alloc.h"
#include "base/program.h"
#include "base/user.h"
#include "base/view.h"

#define CL_NONE UINT32_MAX
#define CL_PAGE 4096u
static inline uint64_t cl_pages(uint64_t bytes)
{
    return (bytes + CL_PAGE - 1) / CL_PAGE;
}

typedef enum { CL_R, CL_W, CL_RW, CL_ACC } cl_mode;
/* An operand packs block and mode. */
static inline uint32_t cl_operand(uint32_t block, cl_mode mode)
{
    return block << 2 | (uint32_t)mode;
}
static inline uint32_t cl_operand_block(uint32_t o)
{
    return o >> 2;
}
static inline cl_mode cl_operand_mode(uint32_t o)
{
    return (cl_mode)(o & 3u);
}

enum {
    CL_BLOCK_SOURCE =
        1, /* loaded from its tensor's source; never spilled, dropped instead */
    CL_BLOCK_RESIDENT =
        2, /* caller's memory: there from the start, no charge, never evicted */
    CL_BLOCK_PERSIST =
        4, /* outlives its last consumer (persisted, or read by a later segment) */
    CL_BLOCK_RECOMPUTE = 8 /* its producer is pure and reads only SOURCE blocks: may be
                              dropped and recomputed */
};

typedef struct {
    uint32_t producer; /* task, or CL_NONE for SOURCE and RESIDENT */
    uint32_t tensor;   /* what it is a tile (or a version of a tile) of; CL_NONE for
                          partials */
    uint32_t pages;    /* charged while in memory */
    uint32_t
        load_pages; /* further pages while it is being loaded: stored bytes, staging */
    uint8_t flags;
} cl_block;

/* One lowered operation. Which members are used is said per kind. */
typedef enum {
    CL_STAGE_EMPTY,  /* nothing (benchmarks, tests) */
    CL_STAGE_MAP,    /* index: tile of `out`. Runs `program` over the tile's box, inputs
                        through `view[]` */
    CL_STAGE_FOLD,   /* reduction leaves; index = o * nfold + k. Folds the program's
                        values over the k-th reduced tile (C order over the reduced
                        axes of `space`) of output tile o into a partial. k % CL_CHAIN
                        == 0 starts a chain (W), otherwise ACC on the partial of k - 1.
                        Block of (o, k): partial_first + o * nfold + k */
    CL_STAGE_JOIN,   /* index = o * njoin + j. Joins its R operands (at most CL_CHAIN
                        partials, in order) into one: onto the ACC operand where it has
                        one, into a new partial otherwise */
    CL_STAGE_FINISH, /* index = o: tile of `out`. Joins its R operands (as JOIN) and
                        writes final values */
    /* from here to Q: with BLAS */
    CL_STAGE_GEMM, /* index = tile of `out` * nfold + k. out tile += view[0](rows, K_k)
                      @ view[1](K_k, columns); k % njoin = 0 starts a chain (W), later k
                      accumulate (ACC). Grid of K: space.axis[0]. is_symmetric: out tile
                      (i, j) with i > j is tile (j, i) transposed, by the task of the
                      last k alone */
    CL_STAGE_QR,   /* index: row part i of space.axis[0]. Factors view[0](rows i, all
                      columns). Operands: R..., then W reflectors (rows x n + factors),
                      W triangle (n x n, C order, zero below) */
    CL_STAGE_QR_JOIN, /* R: 2 or more triangles stacked; W reflectors, W triangle */
    CL_STAGE_SVD, /* R: one triangle (n x n); W u (n x n), W s (n, real), W vt (n x n);
                     any of u and vt may be absent as `part_mask` says (bit 0 u, 1 s, 2
                     vt) */
    CL_STAGE_Q_JOIN, /* R reflectors of a QR_JOIN, R w (n x n); one W (n x n) for each
                        triangle that was stacked */
    CL_STAGE_Q,    /* index: row part i, tile of `out`. R reflectors i, R w (n x n), W u
                      tile (rows x n) */
    CL_STAGE_USER, /* a function of the caller, by `role`. MAP: index = tile of space
                      (of a fold: o * nfold + k as FOLD); R..., W each output that is
                      not empty, or the partial. COMBINE: index = o * njoin + j; R
                      partials, W one. FINISH: index = o; R the last partial or none, W
                      tile of `out` */
    CL_STAGE_STORE /* index: tile of `units`. Gathers view[0] over the unit's box and
                      gives it to sink `sink` */
} cl_stage_kind;

const char *cl_stage_kind_name(cl_stage_kind kind); /* "gemm" */

#define CL_CHAIN 16

typedef struct {
    cl_stage_kind kind;
    const char *label; /* operations fused into it, for people: "add+mean" */
    uint32_t node;     /* index of the node that errors speak of */
    clast_dtype dtype; /* computed in */
    uint32_t out;      /* tensor, or CL_NONE */
    uint32_t nview;
    const uint32_t *view;
    cl_program program; /* MAP, FOLD */
    cl_grid space; /* FOLD: grid of the program's space; GEMM: axis[0] cuts K; QR, Q:
                      axis[0] cuts rows */
    uint32_t axes; /* FOLD, JOIN, FINISH: bits of the reduced axes of space */
    clast_reduction reduction;
    double ddof;
    int64_t flat_stride[CL_MAXDIM]; /* ARG*: index = sum over reduced axes of
                                       flat_stride[a] * i[a] */
    int64_t nfold, njoin;
    bool is_symmetric; /* GEMM */
    uint32_t partial_first;
    int64_t columns;          /* QR...: n */
    uint32_t part_mask;       /* SVD */
    const cl_user *user;      /* USER */
    cl_user_role role;        /* USER */
    uint32_t source;          /* USER: index into the context's source table */
    cl_grid units;            /* STORE */
    uint32_t sink;            /* STORE: index into the run's sinks */
    uint32_t workspace_pages; /* of one task, besides operands: the largest. sched
                                 measures it (it knows the kernels) before the core sees
                                 the plan; graph leaves it 0 */
    uint32_t outputs;         /* of every task, which has R operands, then so many W,
                                 and nothing else; 0: they have to be looked at */
    double cost;              /* cycles of one task, roughly */
    uint64_t tasks;
} cl_stage;

/* Whether the tile at these places of a product's result is a transposed one. */
static inline bool cl_gemm_is_mirror(const cl_stage *s, const int64_t *at)
{
    return s->is_symmetric && at[0] > at[1];
}

/* A tensor that is read from a source of the context. */
typedef struct {
    uint32_t tensor, source;   /* source: index into the context's source table */
    int64_t origin[CL_MAXDIM]; /* global index of the tensor's element (0, ..., 0): only
                                  a window is loaded */
    cl_lattice wanted; /* global indices; no task looks at other elements of the tensor,
                          so they need not be read */
} cl_plan_source;

/* A sink's array as the planner settled it. */
typedef struct {
    clast_dtype dtype;
    cl_shape shape;
    uint32_t tensor; /* of a persisted sink; CL_NONE otherwise */
} cl_plan_sink;

/* Tasks and blocks of one segment. Ids in it are global; the first task is task_base,
 * the first block block_base. */
typedef struct {
    uint32_t task_base, ntask, block_base, nblock;
    uint32_t *task_stage; /* ntask */
    uint32_t *task_index;
    uint32_t *operand_start;  /* ntask + 1 */
    uint32_t *operand;        /* operand_start[ntask] */
    cl_block *block;          /* nblock */
    uint32_t *consumer_start; /* nblock + 1: tasks of this segment that read this
                                 segment's blocks, ascending. */
    uint32_t *consumer;
    uint32_t
        nextern; /* blocks of earlier segments read here: id, and consumers as above */
    uint32_t *extern_block, *extern_start, *extern_consumer;
} cl_segment;

typedef struct {
    uint32_t nsegment;
    cl_segment *segment;
    uint32_t nstage, ntensor, nview, nsource, nsink;
    cl_stage *stage;
    cl_tensor *tensor;
    cl_view *view;
    cl_plan_source *source;
    cl_plan_sink *sink;
    uint64_t bytes; /* of the plan itself: charged to the budget */
    uint64_t hash;  /* of nodes and settings */
    bool is_bent;   /* not the plan of CL_COPY_UNBOUND: the budget had its say */
    cl_arena arena; /* owns stages, views, grids, labels */
} cl_plan;

void cl_plan_fini(cl_plan *plan); /* tolerates zeroed memory */

/* By global id: beyond the first segment, and anywhere. */
const cl_block *cl_plan_later_block(const cl_plan *plan, uint32_t block);
static inline const cl_block *cl_plan_block(const cl_plan *plan, uint32_t block)
{
    const cl_segment *const first = plan->segment;
    return plan->nsegment > 0 && block < first->nblock
               ? &first->block[block]
               : cl_plan_later_block(plan, block);
}

#endif
