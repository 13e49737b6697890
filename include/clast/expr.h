/* SPDX-License-Identifier: BSD-3-Clause */
/** Programs as text: the subset of NumPy described in docs/expressions.md. */
#ifndef CLAST_EXPR_H
#define CLAST_EXPR_H

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A name that a program may use, and the array it stands for. */
typedef struct clast_name {
    const char *name;
    clast_array *array;
} clast_name;

/**
 * The value of a program's last expression statement; where it ends in an assignment,
 * that value.
 *
 * Evaluated by Python with every function of numpy in scope, the same text has the same
 * value, shape and dtype.
 *
 * @param names  n names and their arrays; each must be used, none given twice
 * @return       lazy array of the shape and dtype that the last operation gives; a
 *               scalar is a weak scalar
 * @errors       CLAST_ESYNTAX and everything the operations report, with line and
 *               column; CLAST_ENAME a name that is unknown, given twice, or never used;
 *               CLAST_EVALUE NULL, or no value; a poisoned input is passed on
 * @cost         linear in the text; computes nothing
 */
CLAST_API clast_array *clast_expr(clast_ctx *ctx, const char *program, int n,
                                  const clast_name *names);

/**
 * The same, for programs with several results: `wanted` names of the program's
 * variables, whose arrays are put into `results`. A NULL in `wanted` is the value of
 * the last expression statement.
 *
 * @param wanted   nwanted names
 * @param results  room for nwanted arrays
 * @return         CLAST_OK, or the first error; results are all poisoned then
 * @errors         those of clast_expr(); CLAST_ENAME a wanted name the program does not
 *                 have
 */
CLAST_API clast_status clast_expr_values(clast_ctx *ctx, const char *program, int n,
                                         const clast_name *names, int nwanted,
                                         const char *const *wanted,
                                         clast_array **results);

#ifdef __cplusplus
}
#endif
#endif
