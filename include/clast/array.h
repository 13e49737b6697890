/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Arrays: sources, elementwise operations, reductions, views.
 *
 * Every function here returns an expression and computes nothing. Semantics are NumPy
 * 2's: broadcasting, dtype promotion (NEP 50; scalars made by clast_double and its like
 * are weak), NaN propagation, ties to the first element in C order, wrapping integer
 * overflow. A call that cannot be right returns a *poisoned* array, which carries
 * status and message; an operation passes on its leftmost poisoned operand.
 */
#ifndef CLAST_ARRAY_H
#define CLAST_ARRAY_H

#include <stdbool.h>

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sources
 * ------------------------------------------------------------------------------------------
 */

typedef struct clast_read_options {
    bool raw; /**< leave _FillValue, missing_value, scale_factor and add_offset alone */
    uint64_t reserved[4]; /**< zero */
} clast_read_options;

/**
 * A dataset of an HDF5 file. Opens the file now, reads data when a run needs it.
 *
 * netCDF/CF attributes are applied as xarray does: _FillValue and missing_value become
 * NaN, scale_factor and add_offset are applied; the result is then float32 or float64.
 * clast_from_hdf5_with() can leave them alone.
 *
 * @errors  CLAST_ENOENT no such file or dataset (the message lists those that are
 * there), CLAST_EACCESS, CLAST_EFORMAT not HDF5 or damaged, CLAST_EDTYPE the type has
 * no counterpart here
 */
CLAST_API clast_array *clast_from_hdf5(clast_ctx *ctx, const char *file,
                                       const char *path);
CLAST_API clast_array *clast_from_hdf5_with(clast_ctx *ctx, const char *file,
                                            const char *path,
                                            const clast_read_options *options);

/** The array that the buffer holds now. The copy counts in the budget while the array
 * lives. */
CLAST_API clast_array *clast_copy_in(clast_ctx *ctx, const clast_buffer *data);

/** The caller's memory itself, read anew by each run; constant during a run; outside
 * the budget. */
CLAST_API clast_array *clast_borrow(clast_ctx *ctx, const clast_buffer *data);

/** Weak scalars: they take the dtype of the array they meet, as Python's numbers do
 * with NumPy. */
CLAST_API clast_array *clast_double(clast_ctx *ctx, double v);
CLAST_API clast_array *clast_int(clast_ctx *ctx, int64_t v);
CLAST_API clast_array *clast_bool(clast_ctx *ctx, bool v);
CLAST_API clast_array *clast_complex(clast_ctx *ctx, double re, double im);

/** Constant arrays; shape is ndim numbers, each >= 0. */
CLAST_API clast_array *clast_zeros(clast_ctx *ctx, int ndim, const int64_t *shape,
                                   clast_dtype dtype);
CLAST_API clast_array *clast_ones(clast_ctx *ctx, int ndim, const int64_t *shape,
                                  clast_dtype dtype);
/** `value` is a 0-d array, a weak scalar say. */
CLAST_API clast_array *clast_full(clast_ctx *ctx, int ndim, const int64_t *shape,
                                  clast_array *value, clast_dtype dtype);

/** start, start + step, ... below stop (above it for a negative step), as numpy.arange:
 * element i is start + i * step, rounded once. ceil((stop - start) / step) elements,
 * none where that is negative. */
CLAST_API clast_array *clast_arange(clast_ctx *ctx, double start, double stop,
                                    double step, clast_dtype dtype);
CLAST_API clast_array *clast_arange_int(clast_ctx *ctx, int64_t start, int64_t stop,
                                        int64_t step, clast_dtype dtype);

/**
 * Uniform numbers in [0, 1), from Philox 4x32-10 keyed by the seed and the element's
 * global index (Salmon et al., SC11): the same for any chunking, workers and slicing.
 *
 * @param dtype  CLAST_FLOAT32 (24 random bits) or CLAST_FLOAT64 (53)
 */
CLAST_API clast_array *clast_random(clast_ctx *ctx, int ndim, const int64_t *shape,
                                    uint64_t seed, clast_dtype dtype);

/* ---- what an array is
 * --------------------------------------------------------------------------------- */

/** CLAST_OK, or why it is poisoned. */
CLAST_API clast_status clast_array_status(clast_array *a);
/** The message; "" for a healthy array. Lives as long as the array. */
CLAST_API const char *clast_error(clast_array *a);
/** -1 for a poisoned array. */
CLAST_API int clast_ndim(clast_array *a);
/** clast_ndim() numbers; NULL for a poisoned array. Lives as long as the array. */
CLAST_API const int64_t *clast_shape(clast_array *a);
/** CLAST_NDTYPE for a poisoned array. */
CLAST_API clast_dtype clast_array_dtype(clast_array *a);
/** NULL for an array that is poisoned because there was no memory to make it. */
CLAST_API clast_ctx *clast_array_ctx(clast_array *a);

/* ---- elementwise: operands broadcast, dtypes promote
 * -------------------------------------------------- */

CLAST_API clast_array *clast_add(clast_array *a, clast_array *b); /**< bool: or */
CLAST_API clast_array *clast_sub(clast_array *a,
                                 clast_array *b); /**< not for two bools */
CLAST_API clast_array *clast_mul(clast_array *a, clast_array *b); /**< bool: and */
CLAST_API clast_array *clast_div(clast_array *a,
                                 clast_array *b); /**< true division: floats */
CLAST_API clast_array *
clast_floordiv(clast_array *a, clast_array *b); /**< rounds down; integer x // 0 is 0 */
CLAST_API clast_array *clast_mod(clast_array *a,
                                 clast_array *b); /**< sign of b; integer x % 0 is 0 */
CLAST_API clast_array *clast_pow(clast_array *a,
                                 clast_array *b); /**< a weak negative integer exponent
                                                     of integers is CLAST_EVALUE */
CLAST_API clast_array *clast_neg(clast_array *a); /**< not for bool */
CLAST_API clast_array *clast_abs(clast_array *a); /**< complex: the modulus, real */

CLAST_API clast_array *clast_eq(clast_array *a,
                                clast_array *b); /**< comparisons give bool; */
CLAST_API clast_array *
clast_ne(clast_array *a, clast_array *b); /**< complex ones order lexicographically */
CLAST_API clast_array *clast_lt(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_le(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_gt(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_ge(clast_array *a, clast_array *b);

CLAST_API clast_array *clast_and(clast_array *a,
                                 clast_array *b); /**< bitwise, bool and integers */
CLAST_API clast_array *clast_or(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_xor(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_invert(clast_array *a);

/** <= 1 ulp for real operands; bool and small integers give float32 or float64 (NumPy
 * would give float16 for 8 bits: here float32). Complex ones are the C library's. */
CLAST_API clast_array *clast_sqrt(clast_array *a);
CLAST_API clast_array *clast_exp(clast_array *a);
CLAST_API clast_array *clast_log(clast_array *a);
CLAST_API clast_array *clast_sin(clast_array *a);
CLAST_API clast_array *clast_cos(clast_array *a);

CLAST_API clast_array *clast_minimum(clast_array *a, clast_array *b); /**< a NaN wins */
CLAST_API clast_array *clast_maximum(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_where(clast_array *condition, clast_array *a,
                                   clast_array *b);
/** Converts as C does and NumPy's astype(casting="unsafe"); complex to real drops the
 * imaginary part. */
CLAST_API clast_array *clast_astype(clast_array *a, clast_dtype dtype);

/* ---- reductions
 * ---------------------------------------------------------------------------------------
 */

typedef enum clast_reduction {
    CLAST_SUM,  /**< bool and integers: int64 or uint64, wrapping; float32 is added in
                   float64 */
    CLAST_MEAN, /**< integers give float64; an empty axis gives NaN */
    CLAST_VAR, /**< two-level moments (Chan et al. 1983); n - ddof <= 0 gives NaN or inf
                  as NumPy */
    CLAST_STD,
    CLAST_MIN, /**< NaN wins; an empty axis is CLAST_ESHAPE */
    CLAST_MAX,
    CLAST_ARGMIN, /**< int64, the first of equals; one axis or all (index into the
                     C-order flattening) */
    CLAST_ARGMAX,
    CLAST_ANY,   /**< bool; NaN counts as true; empty: false */
    CLAST_EVERY, /**< numpy.all; empty: true */
    CLAST_NREDUCTION
} clast_reduction;

typedef struct clast_reduce_options {
    int naxes; /**< 0 with axes NULL: all axes; 0 with axes not NULL: none, as axis=()
                */
    const int *axes; /**< naxes axes, negative ones count from the end, none twice */
    bool keepdims;   /**< reduced axes stay with length 1 */
    double ddof;     /**< var and std divide by n - ddof; otherwise 0 */
    uint64_t reserved[4]; /**< zero */
} clast_reduce_options;

/**
 * A reduction over any axes.
 *
 * Cost: one read of each chunk, partial results of at most 16 tiles in a chain, then a
 * tree.
 *
 * @errors  CLAST_EAXIS, CLAST_EDTYPE, CLAST_ESHAPE (min, max, arg of an empty axis),
 * CLAST_EVALUE (ddof)
 */
CLAST_API clast_array *clast_reduce(clast_array *a, clast_reduction op,
                                    const clast_reduce_options *options);

/** Short forms of clast_reduce: one axis (negative counts from the end), or CLAST_ALL.
 */
CLAST_API clast_array *clast_sum(clast_array *a, int axis);
CLAST_API clast_array *clast_mean(clast_array *a, int axis);
CLAST_API clast_array *clast_var(clast_array *a, int axis);
CLAST_API clast_array *clast_std(clast_array *a, int axis);
CLAST_API clast_array *clast_min(clast_array *a, int axis);
CLAST_API clast_array *clast_max(clast_array *a, int axis);
CLAST_API clast_array *clast_argmin(clast_array *a, int axis);
CLAST_API clast_array *clast_argmax(clast_array *a, int axis);
CLAST_API clast_array *clast_any(clast_array *a, int axis);
CLAST_API clast_array *clast_all(clast_array *a, int axis);

/* ---- views: they fold into how the consumer addresses its input
 * --------------------------------------- */

/** a[start:stop:step] on one axis, with Python's clamping and negative bounds;
 * CLAST_END stands for an omitted bound; step != 0. */
CLAST_API clast_array *clast_slice(clast_array *a, int axis, int64_t start,
                                   int64_t stop, int64_t step);
/** NumPy's basic index as text: "::2, -1, None, ..., 3:0:-1". Errors point at the
 * column. */
CLAST_API clast_array *clast_index(clast_array *a, const char *basic);
/** Reverses the axes. */
CLAST_API clast_array *clast_transpose(clast_array *a);
/** Output axis i is input axis axes[i]; a permutation of all axes. */
CLAST_API clast_array *clast_permute(clast_array *a, int naxes, const int *axes);
CLAST_API clast_array *clast_swapaxes(clast_array *a, int axis1, int axis2);
/** Reverses the order along one axis, or all. */
CLAST_API clast_array *clast_flip(clast_array *a, int axis);
CLAST_API clast_array *clast_broadcast_to(clast_array *a, int ndim,
                                          const int64_t *shape);
/** A new axis of length 1 at `axis` of the result. */
CLAST_API clast_array *clast_expand_dims(clast_array *a, int axis);
/** Drops an axis of length 1, or all of them. */
CLAST_API clast_array *clast_squeeze(clast_array *a, int axis);
/** C-order reshape; one extent may be -1. */
CLAST_API clast_array *clast_reshape(clast_array *a, int ndim, const int64_t *shape);
CLAST_API clast_array *clast_concatenate(int n, clast_array *const *arrays, int axis);
CLAST_API clast_array *clast_stack(int n, clast_array *const *arrays, int axis);
/** The same array cut into tiles of this shape wherever it has to exist as blocks;
 * chunk[i] -1: the whole axis. */
CLAST_API clast_array *clast_rechunk(clast_array *a, int ndim, const int64_t *chunk);

/* ---- lifetime
 * -----------------------------------------------------------------------------------------
 */

/** Moves an array from its scope to the context, and returns it. */
CLAST_API clast_array *clast_keep(clast_array *a);
/** Gives a kept or persisted array back; what was built on it stays valid. NULL is
 * legal. */
CLAST_API void clast_drop(clast_array *a);
/** Computes now; the result's blocks stay within the budget (spilled where it is short)
 * until the array goes. */
CLAST_API clast_array *clast_persist(clast_array *a);

#ifdef __cplusplus
}
#endif
#endif
