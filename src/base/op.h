/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operation table: one row an operation. array, graph and kernel include this table
 * and never each other.
 *
 * Columns of CL_ELEMENTWISE_MAP(X): X(NAME, name, arity, rule, cost)
 *   NAME   CL_OP_<NAME>
 *   name   as the user writes it (public function, expression language)
 *   rule   dtype rule, below
 *   cost   rough cycles an element, for deciding what may be recomputed
 */
#ifndef CL_BASE_OP_H
#define CL_BASE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "clast/array.h"

/*
 * dtype rules: how operand dtypes give the dtype computed in and that of the result.
 *
 *   ARITH    promoted; bool allowed                              -> same
 *   NUMBER   promoted; bool refused                              -> same
 *   DIVIDE   promoted, then bool and integers to float64         -> same
 *   BITS     promoted; bool and integers only                    -> same
 *   ORDER    promoted                                            -> bool
 *   REAL     bool, 8 and 16 bits to float32, other integers to
 *            float64, floats and complex unchanged               -> same
 *   MODULUS  promoted (one operand)                              -> its real dtype
 *   FLOOR    promoted; bool to int8, complex refused             -> same
 *   POWER    promoted; bool to int8                              -> same
 */
typedef enum {
    CL_RULE_ARITH,
    CL_RULE_NUMBER,
    CL_RULE_DIVIDE,
    CL_RULE_BITS,
    CL_RULE_ORDER,
    CL_RULE_REAL,
    CL_RULE_MODULUS,
    CL_RULE_FLOOR,
    CL_RULE_POWER,
    CL_RULE_OTHER
} cl_rule;

#define CL_ELEMENTWISE_MAP(X)                                                          \
    X(ADD, add, 2, ARITH, 1)                                                           \
    X(SUB, sub, 2, NUMBER, 1)                                                          \
    X(MUL, mul, 2, ARITH, 1)                                                           \
    X(DIV, div, 2, DIVIDE, 4)                                                          \
    X(FLOORDIV, floordiv, 2, FLOOR, 12)                                                \
    X(MOD, mod, 2, FLOOR, 12)                                                          \
    X(POW, pow, 2, POWER, 40)                                                          \
    X(NEG, neg, 1, NUMBER, 1)                                                          \
    X(ABS, abs, 1, MODULUS, 1)                                                         \
    X(EQ, eq, 2, ORDER, 1)                                                             \
    X(NE, ne, 2, ORDER, 1)                                                             \
    X(LT, lt, 2, ORDER, 1)                                                             \
    X(LE, le, 2, ORDER, 1)                                                             \
    X(GT, gt, 2, ORDER, 1)                                                             \
    X(GE, ge, 2, ORDER, 1)                                                             \
    X(AND, and, 2, BITS, 1)                                                            \
    X(OR, or, 2, BITS, 1)                                                              \
    X(XOR, xor, 2, BITS, 1)                                                            \
    X(INVERT, invert, 1, BITS, 1)                                                      \
    X(SQRT, sqrt, 1, REAL, 5)                                                          \
    X(EXP, exp, 1, REAL, 12)                                                           \
    X(LOG, log, 1, REAL, 14)                                                           \
    X(SIN, sin, 1, REAL, 14)                                                           \
    X(COS, cos, 1, REAL, 14)                                                           \
    X(MINIMUM, minimum, 2, ARITH, 1)                                                   \
    X(MAXIMUM, maximum, 2, ARITH, 1)                                                   \
    X(WHERE, where, 3, OTHER,                                                          \
      1) /* operand 0 is bool, 1 and 2 share the result's dtype */                     \
    X(CAST, astype, 1, OTHER, 1)   /* from the operand's dtype to the result's */      \
    X(CONST, full, 0, OTHER, 0)    /* an immediate */                                  \
    X(ARANGE, arange, 0, OTHER, 1) /* imm[0] + index * imm[1] */                       \
    X(RANDOM, random, 0, OTHER,                                                        \
      10) /* imm[0].u64 is the seed; element of the flat index */

/* Operations on whole arrays: X(NAME, name) */
#define CL_STRUCTURE_MAP(X)                                                            \
    X(SOURCE, source)      /* params: source index */                                  \
    X(MAPPED, view)        /* params: a cl_map in compact form */                      \
    X(CONCAT, concatenate) /* params: axis */                                          \
    X(RESHAPE, reshape)                                                                \
    X(RECHUNK, rechunk) /* params: tile shape */                                       \
    X(REDUCE,                                                                          \
      reduce) /* params: cl_reduction, ddof, axes mask; result without the axes */     \
    X(MATMUL, matmul) /* 2-D only; 1-D operands come through views */                  \
    X(SVD, svd)       /* tall 2-D only; wide ones come through views */                \
    X(PART, part)     /* params: which output of a several-output node */              \
    X(USER, user)     /* params: source index of a function of the caller */

typedef enum {
#define CL_OP_ENUM5(NAME, name, arity, rule, cost) CL_OP_##NAME,
#define CL_OP_ENUM2(NAME, name)                    CL_OP_##NAME,
    CL_ELEMENTWISE_MAP(CL_OP_ENUM5) CL_NELEMENTWISE,
    CL_OP_BEFORE_STRUCTURE_ = CL_NELEMENTWISE - 1,
    CL_STRUCTURE_MAP(CL_OP_ENUM2) CL_NOP
#undef CL_OP_ENUM5
#undef CL_OP_ENUM2
} cl_op;

typedef struct {
    const char *name;
    uint8_t arity;
    uint8_t rule; /* cl_rule */
    uint8_t cost;
} cl_op_info;

extern const cl_op_info cl_ops[CL_NOP];

/*
 * Partial results of reductions: "composite" arrays, one record an output element,
 * stored as one header and one array per component. bytes = cl_partial_bytes(reduction,
 * dtype of the input, output elements).
 *
 *   header          64 bytes: int64 count of elements in each output element
 *   SUM, MEAN       one array of the accumulator dtype (cl_accumulator)
 *   VAR, STD        mean, then M2: float64 (complex: mean complex128, M2 float64)
 *   MIN, MAX        the value in the input's dtype
 *   ARGMIN, ARGMAX  the value, then an int64 index (of the axis, or flat in C order)
 *   ANY, EVERY      bool
 *   NANSUM          as SUM
 *   NANMEAN         the sum, then how many elements are in it: float64
 *   NANVAR, NANSTD  mean, then pairs of float64: M2 and how many elements
 *   NANMIN, NANMAX, NANARGMIN, NANARGMAX   as those without NAN
 *
 * Those that leave NaN out are of floats and complex numbers only. The parts of complex
 * numbers are summed one by one: either both are NaN or none (array/reduce.c sees to
 * it); extremes look at both.
 */
#define CL_PARTIAL_HEADER 64

/* What values are added up in. SUM: float32 in float64, complex64 in complex128, bool
 * and integers in int64, unsigned ones in uint64; MEAN: integers in float64. */
clast_dtype cl_accumulator(clast_reduction r, clast_dtype input);

/* dtype of the final result. */
clast_dtype cl_reduction_dtype(clast_reduction r, clast_dtype input);
int64_t cl_partial_bytes(clast_reduction r, clast_dtype input, int64_t elements);
/* Where the second component begins. Each component begins at a multiple of 64 bytes,
 * the first at CL_PARTIAL_HEADER. INT64_MAX where a size overflows. */
int64_t cl_partial_second(clast_reduction r, clast_dtype input, int64_t elements);
const char *cl_reduction_name(clast_reduction r); /* "sum", ..., "nanargmax" */

/* The reduction that does to NaN what it does to numbers: SUM for NANSUM, and so on;
 * for others itself. */
clast_reduction cl_reduction_plain(clast_reduction r);
static inline bool cl_reduction_skips_nan(clast_reduction r)
{
    return cl_reduction_plain(r) != r;
}
static inline bool cl_reduction_is_variance(clast_reduction r)
{
    return cl_reduction_plain(r) == CLAST_VAR || cl_reduction_plain(r) == CLAST_STD;
}
/* ARGMIN and its like. */
static inline bool cl_reduction_is_place(clast_reduction r)
{
    return cl_reduction_plain(r) == CLAST_ARGMIN ||
           cl_reduction_plain(r) == CLAST_ARGMAX;
}

/* Compact WY factors of a rows x n block: the reflectors, column-major with columns of
 * cl_reflector_column elements (whole cache lines), and below them CL_QR_NB x n block
 * factors. */
#define CL_QR_NB 32
int64_t cl_reflector_column(clast_dtype dtype, int64_t rows);
int64_t cl_reflector_bytes(clast_dtype dtype, int64_t rows, int64_t n);

#endif
