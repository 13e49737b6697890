/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of a prepared program, and evaluation of one box, for map.c, map_cells.c
 * and fold.c.
 *
 * Operands of a step are *slots*: pointers to the current strip of an input (slots 0 to
 * ninput - 1) or to a register. Results go to registers; number `nregister` is the
 * result's strip. Constants live in registers of their own, filled once a task.
 */
#ifndef CL_KERNEL_LOOP_H
#define CL_KERNEL_LOOP_H

#include "kernel/loops.h"
#include "kernel/map.h"

#define CL_ALIGN 64

typedef struct {
    cl_loop_fn *fn;                           /* NULL for a generator */
    cl_make_fn *make;                         /* imm tells of what */
    bool (*refuses)(size_t n, const void *a); /* of operand 1; NULL: accepts all */
    uint16_t out;                             /* a register */
    uint16_t arg[3]; /* slots; those beyond the arity repeat the first */
    uint16_t imm;
    uint16_t maker; /* number among the generators */
    uint8_t size;   /* bytes of an element that a generator makes */
} cl_step;

typedef struct {
    uint16_t out, imm; /* a register */
    uint8_t size;
} cl_fixed;

struct cl_loop {
    const cl_loops *loops;
    int ndim;
    uint16_t ninput, nstep, nfixed, nmaker, nregister;
    clast_dtype dtype;            /* of the result */
    uint8_t size;                 /* bytes of an element of the result */
    int64_t strip;                /* elements of a register */
    int64_t register_bytes, cost; /* cycles an element, roughly */
    size_t pool_bytes;            /* of all inputs' panels */
    size_t workspace;
    uint8_t *input_size; /* bytes of an element, each */
    cl_step *step;
    cl_fixed *fixed;
    cl_imm *imm;
};

/* Whether a strip computes for longer than memory takes to bring one: then it is short,
 * and a later one is asked for meanwhile. Vectors take an eighth or so of what op.h
 * guesses: 32 are some 4 cycles an element, in which memory brings about a float64. */
static inline bool cl_loop_is_slow(const cl_loop *loop)
{
    return loop->cost - loop->ninput > 32;
}

static inline size_t cl_round_up(size_t bytes)
{
    return (bytes + CL_ALIGN - 1) / CL_ALIGN * CL_ALIGN;
}

/* What a program runs on: registers and slots, the same ones over all boxes of a task.
 */
typedef struct {
    const cl_loop *loop;
    const cl_input *input;
    const cl_poll *poll;
    const char **slot;            /* operands */
    char **reg;                   /* results */
    const cl_span **span;         /* an input's span in the current cell */
    const char **base;            /* its first element there */
    int64_t (*stride)[CL_MAXDIM]; /* and its strides along the cell's merged axes */
    int64_t *ahead;  /* bytes from an input's strip to the one to ask for; 0: none */
    bool asks_ahead; /* whether any is asked for in the current cell */
    int64_t (*coef)[CL_MAXDIM]; /* a generator's, likewise */
    int64_t *origin;            /* a generator's index at the cell's first element */
    char *pool;                 /* memory of the panels */
    char **panel;               /* an input's gathered elements */
    const char **held;          /* what a panel was filled from, in this cell */
    int64_t *nheld;             /* and how many elements */
    uint8_t *mode;              /* how an input is read in the current cell */
    char *result;               /* a register for results that are scattered */
    int64_t work;               /* cycles since the last poll */
} cl_machine;

/* Lays the machine out in workspace (cl_loop_workspace bytes) and fills constants for
 * boxes of at most `most` elements. */
void cl_machine_init(cl_machine *machine, const cl_loop *loop, const cl_input *inputs,
                     int64_t most, void *workspace, const cl_poll *poll);

/* Computes a box, inside the inputs', into out, C-contiguous over the box. */
clast_status cl_machine_run(cl_machine *machine, const cl_box *box, char *out);

/* Counts `cycles` and now and then asks whether to go on. */
clast_status cl_machine_poll(cl_machine *machine, int64_t cycles);

#endif
