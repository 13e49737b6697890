/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plan under construction: what the steps of cl_plan_build() hand to each other.
 *
 *   snapshot  reachable nodes become *items*, topologically numbered; casts that an
 *             operation needs of its operands become items too; each item knows what it
 *             is a view of
 *   fuse      decides what exists as blocks: *recipes*, one operation each, with leaves
 *             (item, map from the recipe's space) and a program
 *   settle    windows of sources, grids of recipes and tensors
 *   lower     tensors, views, stages; tasks and operands in "raw" order (by stage)
 *   order     ranks; tasks nobody needs get none. Raw operands and blocks are gone
 *             after
 *
 * Everything here lives in draft.scratch or in arrays that cl_draft_fini() frees; what
 * the plan keeps is in plan->arena.
 */
#ifndef CL_GRAPH_DRAFT_H
#define CL_GRAPH_DRAFT_H

#include "graph/build.h"
#include "graph/interval.h"

enum { CL_MAX_INPUTS = 24, CL_MAX_INSNS = 200, CL_MAX_PIECES = 64, CL_MAX_NESTED = 8 };

/* A way in which a recipe uses an item. */
typedef struct {
    uint32_t recipe;
    cl_map map; /* from the recipe's space to the item's index */
} cl_use;

typedef struct {
    cl_node node; /* a copy: in, map, chunk point into the store or the scratch arena */
    uint32_t id;  /* of the node, for errors */
    uint32_t *in; /* items */
    uint32_t base; /* what it is a view of, through maps and rechunks: maybe itself */
    cl_map map;    /* to base's index */
    uint32_t hint; /* nearest RECHUNK on the way to base, or CL_NONE */
    cl_map hint_map;
    double cost; /* cycles an element if it and what is below were computed inline */
    bool reads_arrays; /* some leaf below is an array, not a constant or a sequence */
    bool reads_cheap;  /* all leaves below are sources, constants or much smaller */
    bool is_random;    /* RANDOM is below */
    bool forced;       /* somebody needs it as blocks */
    uint32_t recipe;   /* that makes it, or CL_NONE */
    uint32_t tensor;   /* once lowered, or CL_NONE */
    uint32_t view;     /* memo of cl_draft_view */
    uint32_t whole;    /* memo of lower_user.c: a view of it as one block, or CL_NONE */
    uint32_t parts;    /* SVD: bits of the outputs that are used */
    uint32_t part[3];  /* ... and their items */
    uint32_t nested;   /* concatenations and reshapes, one below the other, that a read
                          goes through */
    cl_use *use;
    uint32_t nuse, use_capacity;
} cl_item;

typedef struct {
    uint32_t item; /* a base */
    cl_map map;    /* from the recipe's space */
} cl_leaf;

typedef enum {
    CL_RECIPE_MAP,
    CL_RECIPE_FOLD,
    CL_RECIPE_GEMM,
    CL_RECIPE_SVD,
    CL_RECIPE_USER
} cl_recipe_kind;

typedef struct {
    cl_recipe_kind kind;
    uint32_t item; /* whose value it makes */
    bool must;     /* not to be replaced by a view */
    bool dead;     /* replaced by a view after all */
    cl_shape space;
    uint32_t nfront, ninsn; /* bounds on inputs and instructions while fusing */
    uint32_t nleaf;
    cl_leaf *leaf;
    cl_program program;
    char *label;
    uint32_t hint; /* RECHUNK item */
    cl_map hint_map;
    uint32_t sink;        /* first sink that stores it directly, or CL_NONE */
    cl_grid grid;         /* of space; GEMM, SVD: of the product, of the rows */
    cl_axis panels;       /* GEMM: K */
    uint32_t inner;       /* axes that a second pass walks innermost */
    const cl_grid *order; /* tasks follow the tiles of this grid, which they read */
    uint32_t stage;       /* its first stage */
} cl_recipe;

/* Raw tasks of one stage, and how order walks them. */
typedef struct {
    uint32_t first, count;    /* raw task numbers */
    uint32_t recipe;          /* or CL_NONE */
    uint32_t inner;           /* STORE: axes that are walked innermost, backwards */
    uint8_t order[CL_MAXDIM]; /* STORE, persisted MAP: axes, slowest first */
    bool is_barrier;  /* MAP: when one task is wanted, all are, in the walk's order */
    bool is_mirrored; /* MAP: tile (i, j) goes with tile (j, i) */
    uint32_t sibling; /* next stage that reads the same tiles; CL_NONE */
    bool is_followed; /* order.c: a store or fold reads what its tasks make */
    int64_t group[2]; /* GEMM: tiles of a super-tile along rows and columns */
    const uint8_t
        *done; /* STORE: by task, whether its unit is stored already; or NULL */
} cl_walk;

typedef struct {
    cl_plan *plan;
    const cl_nodes *nodes;
    uint32_t nfact, nsink;
    const cl_source_facts *fact;
    const cl_sink_facts *sink;
    cl_plan_settings settings;
    uint64_t lacked; /* what settings.room would have to be, or 0 */
    cl_error *err;
    cl_arena scratch;
    uint64_t program; /* identify.c: the program's number, and its sources by number */
    uint32_t nused, *used;

    cl_item *item;
    size_t nitem, item_capacity;
    uint32_t *sink_item;
    cl_recipe *recipe;
    size_t nrecipe, recipe_capacity;

    /* By source index: the window that is read, which of its elements (step 0: one),
     * and whether anything is. */
    cl_box *window;
    cl_intervals **intervals; /* by axis, what of the window; NULL: nothing so far */
    cl_lattice *wanted;
    bool *is_read;
    /* No chunks, and only reductions read it, in the order of its axes. */
    bool *is_swept;
    uint32_t *source_tensor;
    uint32_t *last_reader; /* siblings.c: stage, or CL_NONE */

    cl_tensor *tensor;
    cl_grid *natural; /* by tensor: the grid that consumers should follow */
    bool *is_aligned; /* by tensor: that grid comes from storage */
    size_t ntensor, tensor_capacity, natural_capacity, aligned_capacity;
    cl_view *view;
    size_t nview, view_capacity;
    cl_stage *stage;
    cl_walk *walk;
    size_t nstage, stage_capacity, walk_capacity;
    cl_plan_source *source;
    size_t nsource, source_capacity;

    uint32_t *operand_start, *operand; /* raw */
    size_t ntask, noperand, start_capacity, operand_capacity;
    cl_block *block;
    size_t nblock, block_capacity;
    size_t nread;     /* of the task being written, behind `operand` */
    bool is_unsorted; /* ... which do not ascend */
} cl_draft;

static inline bool cl_item_is_elementwise(const cl_item *it)
{
    return it->node.op < CL_NELEMENTWISE;
}
/* It has its own blocks made by a recipe (a MAPPED item too, if that was chosen). */
static inline bool cl_item_is_made(const cl_draft *d, const cl_item *it)
{
    return it->recipe != CL_NONE && !d->recipe[it->recipe].dead;
}

void cl_draft_fini(cl_draft *d);
clast_status cl_draft_nomem(cl_draft *d);
/* CLAST_EBUDGET where what planning holds, with so many bytes more, is not to be
 * had. */
clast_status cl_draft_room(cl_draft *d, uint64_t more);
/* CLAST_ECANCELED where somebody canceled. */
clast_status cl_draft_go_on(cl_draft *d);
/* The same at each of 4096 steps. */
static inline clast_status cl_draft_step(cl_draft *d, uint64_t step)
{
    return step % 4096 ? CLAST_OK : cl_draft_go_on(d);
}

/* The steps, in this order. */
clast_status cl_draft_snapshot(cl_draft *d);
clast_status cl_draft_identify(cl_draft *d);
clast_status cl_draft_fuse(cl_draft *d);
clast_status cl_draft_windows(cl_draft *d);
clast_status cl_draft_lower(cl_draft *d);
clast_status cl_draft_order(cl_draft *d);

/* snapshot.c: a new item that converts `in` to dtype. */
clast_status cl_draft_cast(cl_draft *d, uint32_t in, clast_dtype dtype, uint32_t *out);
/* emit.c: writes a recipe's program, leaves and label. */
clast_status cl_draft_emit(cl_draft *d, cl_recipe *recipe);

/* tensors.c: tensors and views. */
clast_status cl_draft_tensor(cl_draft *d, clast_dtype dtype, const cl_grid *grid,
                             uint32_t first_block, uint32_t step, uint32_t *tensor);
clast_status cl_draft_sources(cl_draft *d);
clast_status cl_draft_view_tensor(cl_draft *d, uint32_t tensor, uint32_t *view);
clast_status cl_draft_view_map(cl_draft *d, uint32_t child, const cl_map *map,
                               const cl_shape *shape, uint32_t *view);
clast_status cl_draft_view_reshape(cl_draft *d, uint32_t child, const cl_shape *shape,
                                   uint32_t *view);
clast_status cl_draft_view_concat(cl_draft *d, int axis, uint32_t n,
                                  const uint32_t *children, const int64_t *starts,
                                  const cl_shape *shape, uint32_t *view);
/* view_pad.c: *view becomes that of the padded array, where a view can be. */
clast_status cl_draft_view_padded(cl_draft *d, const cl_user_input *in, uint32_t *view);
/* The view of an item through a map (NULL: identity), in the map's space. */
clast_status cl_draft_view(cl_draft *d, uint32_t item, uint32_t *view);
clast_status cl_draft_view_mapped(cl_draft *d, uint32_t item, const cl_map *map,
                                  const cl_shape *space, uint32_t *view);
/* The grid that the storage of an item suggests, in the space of a map to it.
 * *is_aligned: it comes from storage chunks; *is_whole: it covers every axis. false:
 * none to be had. */
clast_status cl_draft_natural(cl_draft *d, uint32_t item, const cl_map *map,
                              const cl_shape *space, cl_grid *grid, bool *is_aligned,
                              bool *is_whole, bool *found);

/* A grid of the map's input seen in its space; axes that the map does not reach are
 * whole. */
clast_status cl_draft_project(cl_draft *d, const cl_grid *from, const cl_map *map,
                              const cl_shape *space, cl_grid *grid, bool *is_whole);

/* settle.c: grids. */
clast_status cl_settle_space(cl_draft *d, cl_recipe *recipe);
clast_status cl_settle_gemm(cl_draft *d, cl_recipe *recipe);
clast_status cl_settle_svd(cl_draft *d, cl_recipe *recipe);
/* settle_user.c */
clast_status cl_settle_user(cl_draft *d, cl_recipe *recipe);
clast_status cl_settle_units(cl_draft *d, uint32_t sink, cl_grid *units);
uint64_t cl_draft_target(const cl_draft *d);

/* lower.c: writing stages, blocks, tasks. */
clast_status cl_lower_stage(cl_draft *d, const cl_stage *stage, uint32_t recipe,
                            uint32_t *index);
clast_status cl_lower_blocks(cl_draft *d, int64_t count, uint32_t *first);
clast_status cl_lower_tiles(cl_draft *d, uint32_t tensor, uint8_t flags);
clast_status cl_lower_read(cl_draft *d, uint32_t view, const cl_box *box);
/* Forgets what was read; its bytes and how many blocks they are in. */
uint64_t cl_lower_read_bytes(cl_draft *d, int64_t *blocks);
/* What the functions below need now and then. */
void cl_lower_sort_reads(cl_draft *d);
clast_status cl_lower_more_reads(cl_draft *d);
clast_status cl_lower_more_operands(cl_draft *d);
clast_status cl_lower_more_tasks(cl_draft *d);
const uint32_t *cl_lower_views(cl_draft *d, uint32_t n, const uint32_t *views);
char *cl_lower_label(cl_draft *d, const char *a, const char *b);

/* A block of more pages than can be counted has as many as can: no budget holds it. */
static inline void cl_lower_block(cl_draft *d, uint32_t block, uint32_t tensor,
                                  uint64_t bytes, uint8_t flags)
{
    cl_block *const b = &d->block[block];
    const uint64_t pages = cl_pages(bytes);
    b->tensor = tensor;
    b->pages = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
    b->flags = flags;
}

/* The task being written reads the block. */
static inline clast_status cl_lower_read_block(cl_draft *d, uint32_t block)
{
    const uint32_t operand = cl_operand(block, CL_R);
    const size_t at = d->noperand + d->nread;
    if (at >= d->operand_capacity)
        CL_TRY(cl_lower_more_reads(d));
    if (d->nread > 0 && d->operand[at - 1] >= operand) {
        if (d->operand[at - 1] == operand)
            return CLAST_OK;
        d->is_unsorted = true;
    }
    d->operand[at] = operand;
    d->nread++;
    return CLAST_OK;
}

/* The i-th of them. */
static inline uint32_t cl_lower_was_read(const cl_draft *d, size_t i)
{
    return cl_operand_block(d->operand[d->noperand + i]);
}

/* Whether all of them have one of these flags. */
bool cl_lower_reads_only(const cl_draft *d, uint8_t flags);

static inline void cl_lower_forget_reads(cl_draft *d)
{
    d->nread = 0;
    d->is_unsorted = false;
}

/* Writes what was read as R operands, each block once. */
static inline void cl_lower_reads(cl_draft *d)
{
    cl_lower_sort_reads(d);
    d->noperand += d->nread;
    d->nread = 0;
}

static inline clast_status cl_lower_operand(cl_draft *d, uint32_t block, cl_mode mode)
{
    if (d->noperand >= d->operand_capacity)
        CL_TRY(cl_lower_more_operands(d));
    d->operand[d->noperand++] = cl_operand(block, mode);
    return CLAST_OK;
}

/* Ends a task. */
static inline clast_status cl_lower_task(cl_draft *d)
{
    if (d->ntask + 2 > d->start_capacity)
        CL_TRY(cl_lower_more_tasks(d));
    d->operand_start[0] = 0;
    d->operand_start[++d->ntask] = (uint32_t)d->noperand;
    return CLAST_OK;
}

/* lower_map.c */
/* `bytes`: of a task besides what its leaves gather. */
clast_status cl_lower_leaves(cl_draft *d, cl_recipe *recipe, uint64_t bytes,
                             uint32_t *views);
double cl_lower_cost(const cl_recipe *recipe);
void cl_lower_walk(cl_draft *d, uint32_t stage, const cl_grid *from, const cl_grid *to,
                   uint32_t inner);
/* Tasks of a stage that reads views over the tiles of its own grid; out CL_NONE: none.
 */
clast_status cl_lower_grid(cl_draft *d, const cl_grid *grid, uint32_t n,
                           const uint32_t *views, uint32_t out);
clast_status cl_lower_map(cl_draft *d, cl_recipe *recipe);

/* siblings.c: the stage shares passes over sources with others of their kind. */
void cl_lower_siblings(cl_draft *d, const cl_recipe *recipe, uint32_t stage);

/* lower_copy.c: what tasks that are about to be written read. */
typedef struct {
    uint32_t node;
    const cl_grid *grid; /* a task a tile, in the space of the views */
    uint64_t bytes;      /* of a task besides what the views gather */
    bool is_walked;      /* tasks may run in the order of what one view reads ... */
    bool has_order;      /* ... and have to: */
    cl_grid order;
} cl_reading;

/* Puts copies under views where tasks would gather more than fits or many crumbs. */
clast_status cl_lower_fitted(cl_draft *d, cl_reading *r, uint32_t n, uint32_t *views);
/* The same for one view and tasks that need nothing else. */
clast_status cl_lower_staged(cl_draft *d, uint32_t node, const cl_grid *consumer,
                             uint32_t *view);
/* Bytes that the views of a task may gather within the budget. */
double cl_lower_room(const cl_draft *d, const cl_reading *r);
/* Whether bytes are more than a share of it; notes that the budget bent the plan. */
bool cl_lower_exceeds(cl_draft *d, double bytes, double most);
/* Copies *view into tiles of a grid of its own space and makes *view these. `order`:
 * the grid that is read, in the same space, or NULL: as readers want them. */
clast_status cl_lower_copy(cl_draft *d, uint32_t node, clast_dtype dtype,
                           const cl_grid *grid, const cl_grid *order, uint32_t *view);
/* lower_gather.c: the same for reshapes and concatenations. */
clast_status cl_lower_gathered(cl_draft *d, const cl_reading *r, uint32_t *view);

clast_status cl_lower_user(cl_draft *d, cl_recipe *recipe);
clast_status cl_lower_fold(cl_draft *d, cl_recipe *recipe);
clast_status cl_lower_gemm(cl_draft *d, cl_recipe *recipe);
clast_status cl_lower_svd(cl_draft *d, cl_recipe *recipe);
clast_status cl_lower_store(cl_draft *d, uint32_t sink);

/* stored.c: marks the tasks of a store whose units are there; a number for what is. */
clast_status cl_lower_stored(cl_draft *d, uint32_t sink, const cl_grid *units,
                             uint32_t stage);
uint64_t cl_sink_hash_stored(const cl_sink_facts *sink, const cl_shape *shape);

#endif
