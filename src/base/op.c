/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operation table made into data, and what follows from it: dtypes of reductions,
 * sizes of their partials, sizes of QR factors.
 *
 * A partial is a header and one array per component, each beginning at a multiple of
 * 64 bytes, so that components are aligned for any dtype and any number of elements.
 */
#include "base/op.h"

#define ROW_ELEMENTWISE(NAME, name, arity, rule, cost)                                 \
    [CL_OP_##NAME] = {#name, arity, CL_RULE_##rule, cost},
#define ROW_STRUCTURE(NAME, name) [CL_OP_##NAME] = {#name, 0, CL_RULE_OTHER, 0},

const cl_op_info cl_ops[CL_NOP] = {CL_ELEMENTWISE_MAP(ROW_ELEMENTWISE)
                                       CL_STRUCTURE_MAP(ROW_STRUCTURE)};

const char *cl_reduction_name(clast_reduction r)
{
    static const char *const names[CLAST_NREDUCTION] = {
        [CLAST_SUM] = "sum",
        [CLAST_MEAN] = "mean",
        [CLAST_VAR] = "var",
        [CLAST_STD] = "std",
        [CLAST_MIN] = "min",
        [CLAST_MAX] = "max",
        [CLAST_ARGMIN] = "argmin",
        [CLAST_ARGMAX] = "argmax",
        [CLAST_ANY] = "any",
        [CLAST_EVERY] = "all",
        [CLAST_NANSUM] = "nansum",
        [CLAST_NANMEAN] = "nanmean",
        [CLAST_NANVAR] = "nanvar",
        [CLAST_NANSTD] = "nanstd",
        [CLAST_NANMIN] = "nanmin",
        [CLAST_NANMAX] = "nanmax",
        [CLAST_NANARGMIN] = "nanargmin",
        [CLAST_NANARGMAX] = "nanargmax",
    };
    return (unsigned)r < CLAST_NREDUCTION ? names[r] : "?";
}

clast_reduction cl_reduction_plain(clast_reduction r)
{
    return r >= CLAST_NANSUM && r < CLAST_NREDUCTION
               ? (clast_reduction)(r - CLAST_NANSUM + CLAST_SUM)
               : r;
}

/* The widest dtype of the input's kind. */
static clast_dtype widest(clast_dtype t)
{
    static const uint8_t wide[] = {[CL_KIND_BOOL] = CLAST_INT64,
                                   [CL_KIND_INT] = CLAST_INT64,
                                   [CL_KIND_UINT] = CLAST_UINT64,
                                   [CL_KIND_FLOAT] = CLAST_FLOAT64,
                                   [CL_KIND_COMPLEX] = CLAST_COMPLEX128};
    return (clast_dtype)wide[cl_dtype_kind(t)];
}

static clast_dtype inexact(clast_dtype t, clast_dtype otherwise)
{
    return cl_dtype_kind(t) >= CL_KIND_FLOAT ? otherwise : CLAST_FLOAT64;
}

clast_dtype cl_accumulator(clast_reduction r, clast_dtype input)
{
    switch (cl_reduction_plain(r)) {
    case CLAST_SUM:
        return widest(input);
    case CLAST_MEAN:
    case CLAST_VAR:
    case CLAST_STD:
        return inexact(input, widest(input));
    case CLAST_ANY:
    case CLAST_EVERY:
        return CLAST_BOOL;
    default:
        return input;
    }
}

clast_dtype cl_reduction_dtype(clast_reduction r, clast_dtype input)
{
    switch (cl_reduction_plain(r)) {
    case CLAST_SUM:
        return cl_dtype_kind(input) < CL_KIND_FLOAT ? widest(input) : input;
    case CLAST_MEAN:
        return inexact(input, input);
    case CLAST_VAR:
    case CLAST_STD:
        return inexact(input, cl_dtype_real(input));
    case CLAST_ARGMIN:
    case CLAST_ARGMAX:
        return CLAST_INT64;
    case CLAST_ANY:
    case CLAST_EVERY:
        return CLAST_BOOL;
    default:
        return input;
    }
}

/* The dtype of the second component; CLAST_NDTYPE where there is none. M2 with a count
 * is as large as a complex number. */
static clast_dtype second_component(clast_reduction r)
{
    if (r == CLAST_NANVAR || r == CLAST_NANSTD)
        return CLAST_COMPLEX128;
    if (r == CLAST_NANMEAN || r == CLAST_VAR || r == CLAST_STD)
        return CLAST_FLOAT64;
    return cl_reduction_is_place(r) ? CLAST_INT64 : CLAST_NDTYPE;
}

/* Adds elements * size, rounded up to 64, to *bytes; stays at INT64_MAX. */
static void add_component(int64_t *bytes, clast_dtype dtype, int64_t elements)
{
    int64_t size;
    if (__builtin_mul_overflow(elements, (int64_t)clast_dtype_size(dtype), &size) ||
        __builtin_add_overflow(size, CL_PARTIAL_HEADER - 1, &size) ||
        __builtin_add_overflow(*bytes, size / CL_PARTIAL_HEADER * CL_PARTIAL_HEADER,
                               bytes))
        *bytes = INT64_MAX;
}

int64_t cl_partial_second(clast_reduction r, clast_dtype input, int64_t elements)
{
    int64_t bytes = CL_PARTIAL_HEADER;
    add_component(&bytes, cl_accumulator(r, input), elements);
    return bytes;
}

int64_t cl_partial_bytes(clast_reduction r, clast_dtype input, int64_t elements)
{
    int64_t bytes = cl_partial_second(r, input, elements);
    add_component(&bytes, second_component(r), elements);
    return bytes;
}

int64_t cl_reflector_column(clast_dtype dtype, int64_t rows)
{
    const int64_t line = 64 / (int64_t)clast_dtype_size(dtype);
    return rows > INT64_MAX - line ? INT64_MAX : (rows + line - 1) / line * line;
}

int64_t cl_reflector_bytes(clast_dtype dtype, int64_t rows, int64_t n)
{
    int64_t height, elements, bytes;
    if (__builtin_add_overflow(cl_reflector_column(dtype, rows), (int64_t)CL_QR_NB,
                               &height) ||
        __builtin_mul_overflow(height, n, &elements) ||
        __builtin_mul_overflow(elements, (int64_t)clast_dtype_size(dtype), &bytes))
        return INT64_MAX;
    return bytes;
}
