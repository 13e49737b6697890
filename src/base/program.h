/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Elementwise programs: what graph writes and kernel runs; base owns the form so that
 * they never see each other.
 *
 * A program is in SSA form. Values 0 .. ninput-1 are the inputs (read through views);
 * instruction i defines value ninput + i. The last value is the result. Operands of an
 * instruction all have the dtype `type` (for WHERE: a is bool, b and c have `type`; for
 * CAST: a has dtype `type`, the result `dtype`). Conversions are explicit CASTs. ARANGE
 * and RANDOM know the element's index as an affine function of the task's index space:
 * index = base + sum over axes of coef[axis] * i[axis], i the global index in the
 * program's space.
 */
#ifndef CL_BASE_PROGRAM_H
#define CL_BASE_PROGRAM_H

#include "base/op.h"
#include "base/shape.h"

typedef struct {
    uint16_t op;     /* cl_op, elementwise part */
    uint8_t type;    /* clast_dtype computed in */
    uint8_t dtype;   /* clast_dtype of the result */
    uint16_t arg[3]; /* values */
    uint16_t imm;    /* CONST, ARANGE, RANDOM: index into imms */
} cl_insn;

typedef struct {
    cl_scalar value[2]; /* CONST: value[0] in the result's dtype. ARANGE: start, step,
                           both in `type` (int64, uint64 or float64; computed there,
                           then cast to dtype). RANDOM: seed.u64 */
    int64_t base;
    int64_t coef[CL_MAXDIM];
} cl_imm;

typedef struct {
    int ndim; /* of the program's index space */
    uint16_t ninput, ninsn, nimm;
    const uint8_t *input_dtype; /* clast_dtype each */
    const cl_insn *insn;
    const cl_imm *imm;
} cl_program;

/* dtype of a value */
static inline clast_dtype cl_program_dtype(const cl_program *p, uint16_t value)
{
    return (clast_dtype)(value < p->ninput ? p->input_dtype[value]
                                           : p->insn[value - p->ninput].dtype);
}

#endif
