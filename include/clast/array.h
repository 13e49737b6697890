/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Arrays: sources, elementwise operations, reductions, views.
 *
 * Every function here but clast_persist() returns an expression and computes nothing:
 * its own cost is that of a node, and @cost speaks of the run that needs it. Semantics
 * are NumPy 2's: broadcasting, dtype promotion (NEP 50; scalars made by clast_double()
 * and its like are weak), NaN propagation, ties to the first element in C order,
 * wrapping integer overflow. Empty arrays are legal wherever nothing else is said.
 *
 * A call that cannot be right returns a *poisoned* array, which carries status and
 * message; an operation passes on its leftmost poisoned operand. Besides what @errors
 * lists, every function can give CLAST_EVALUE for NULL in place of an argument,
 * CLAST_ECONTEXT for operands of two contexts, CLAST_ENOMEM, CLAST_ESHAPE where the
 * result would have more bytes than 64 bits count, and CLAST_EBUSY within a callback of
 * the same context.
 */
#ifndef CLAST_ARRAY_H
#define CLAST_ARRAY_H

#include <stdbool.h>

#include "clast/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sources ---- */

typedef struct clast_read_options {
    bool raw; /**< leave _FillValue, missing_value, scale_factor and add_offset alone */
    bool untrusted;       /**< nobody vouches for the file: libhdf5 opens it in another
                             process only; docs/untrusted.md */
    uint64_t reserved[4]; /**< zero */
} clast_read_options;

/**
 * A dataset of an HDF5 file. Opens the file now, reads data when a run needs it.
 *
 * netCDF/CF attributes are applied as xarray does: _FillValue and missing_value become
 * NaN, scale_factor and add_offset are applied; the result is then float32 or float64.
 * clast_from_hdf5_with() can leave them alone, and read files that nobody vouches for.
 *
 * @return  array of the dataset's shape and, without such attributes, its dtype
 * @errors  CLAST_ENOENT no such file or dataset (the message lists those that are
 *          there), CLAST_EACCESS, also a file that this program itself has open for
 *          writing, CLAST_EFORMAT not HDF5 or damaged, CLAST_EDTYPE the type has no
 *          counterpart here, CLAST_ENOTSUP a reserved field is not zero, or libhdf5 is
 *          not the one that was compiled against; in a run: CLAST_EIO, CLAST_EFORMAT
 * @cost    one read of each chunk a run, more where the budget is short
 */
CLAST_API clast_array *clast_from_hdf5(clast_ctx *ctx, const char *file,
                                       const char *path);
CLAST_API clast_array *clast_from_hdf5_with(clast_ctx *ctx, const char *file,
                                            const char *path,
                                            const clast_read_options *options);

/**
 * A dataset that the host itself has open, by its id (a hid_t of the same libhdf5 that
 * Clast is linked with; 64 bits wide): one in a file that is open for writing, with
 * data that was not flushed, in a file of another driver (core, family, ...), or one
 * without a name. CF attributes are applied as clast_from_hdf5() does.
 *
 * The id is held by a reference of its own: the host may close it, and its file, and
 * the dataset stays open until the array and all that is built on it are gone. (A file
 * whose close degree is H5F_CLOSE_STRONG goes with the host's H5Fclose(), and reading
 * fails then.) Like borrowed memory the dataset must stay as it is during a run and is
 * read anew by each. No two calls give the same array.
 *
 * @param dataset  id of an open dataset
 * @return         array of its shape and, without CF attributes, its dtype
 * @errors         CLAST_EVALUE not the id of an open dataset; CLAST_EFORMAT,
 *                 CLAST_EDTYPE, CLAST_ENOTSUP as clast_from_hdf5(); in a run: CLAST_EIO
 *                 its shape was changed, CLAST_EFORMAT it cannot be read
 * @cost           H5Dread() of whole chunks under the HDF5 lock. Where the host's file
 *                 is open for reading only, with the default driver, and still has its
 *                 name, it is opened a second time and read as clast_from_hdf5() does.
 */
CLAST_API clast_array *clast_from_hdf5_id(clast_ctx *ctx, int64_t dataset);
CLAST_API clast_array *clast_from_hdf5_id_with(clast_ctx *ctx, int64_t dataset,
                                               const clast_read_options *options);

typedef struct clast_files_options {
    bool raw;   /**< as in clast_read_options */
    bool stack; /**< along a new axis, not an existing one */
    const char
        *name; /**< the axis by name, or what a new one is called; NULL: by number */
    int axis;  /**< its place: of the arrays, or, with `stack`, of the result */
    bool any_coordinates; /**< do not compare names and coordinates of axes, nor
                             standard_name: the first file's hold */
    uint64_t reserved[4]; /**< zero */
} clast_files_options;

/**
 * One dataset of each of many files, after each other on an axis, in the order given.
 * Extents but for that axis, decoded dtype, units and calendar must agree; packing need
 * not, but with `raw`. Where the first file has a coordinate for the axis, those of all
 * are read now and must rise or fall all along; times with other units ("since" another
 * date, hours for days) are converted to the first file's. Names of axes, coordinates
 * of the other axes (number by number; times as instants) and a standard_name that both
 * have must be the first file's, unless any_coordinates.
 *
 * @param n        files, at least 1
 * @param options  NULL: after each other on axis 0
 * @return         array of the dtype of all
 * @errors         those of clast_from_hdf5() and clast_concatenate(); CLAST_ESHAPE,
 *                 CLAST_EDTYPE, CLAST_EVALUE files that do not fit, with the names of
 *                 both; CLAST_EAXIS; CLAST_EBUDGET; CLAST_EBUSY a run has the budget
 * @cost           opens each file once now and again when it is read, of which 32 are
 *                 open at a time; reads the coordinates of each file now; 8 KiB of the
 *                 budget a file; one read of each chunk a run
 */
CLAST_API clast_array *clast_from_hdf5_files(clast_ctx *ctx, int n,
                                             const char *const *files, const char *path,
                                             const clast_files_options *options);

/**
 * The array that the buffer holds now; the buffer is not needed any more.
 *
 * @return  array of the buffer's shape and dtype
 * @errors  CLAST_EBUDGET the copy does not fit beside what the budget holds already;
 *          CLAST_EDTYPE, CLAST_ESHAPE, CLAST_EVALUE the buffer makes no sense or is too
 *          short
 * @cost    one copy now; its bytes count in the budget while the array lives
 */
CLAST_API clast_array *clast_copy_in(clast_ctx *ctx, const clast_buffer *data);

/**
 * The caller's memory itself, read anew by each run. It must stay as it is during a run
 * and exist as long as the array or anything built on it.
 *
 * @return  array of the buffer's shape and dtype
 * @errors  CLAST_EDTYPE, CLAST_ESHAPE, CLAST_EVALUE as clast_copy_in()
 * @cost    nothing now; outside the budget; mostly used in place
 */
CLAST_API clast_array *clast_borrow(clast_ctx *ctx, const clast_buffer *data);

/**
 * Weak scalars: 0-d arrays that take the dtype of the array they meet, as Python's
 * numbers do with NumPy. Operators on weak scalars alone are Python's: 7 // 2 is 3,
 * True + True is 2, division by zero is CLAST_EVALUE.
 */
CLAST_API clast_array *clast_double(clast_ctx *ctx, double v);
CLAST_API clast_array *clast_int(clast_ctx *ctx, int64_t v);
CLAST_API clast_array *clast_bool(clast_ctx *ctx, bool v);
CLAST_API clast_array *clast_complex(clast_ctx *ctx, double re, double im);

/**
 * Constant arrays.
 *
 * @param shape  ndim numbers, each >= 0; NULL is legal where ndim is 0
 * @param value  0-d array, a weak scalar say; converted as clast_astype() does, but a
 *               weak integer must fit
 * @return       array of that shape and dtype
 * @errors       CLAST_ESHAPE a negative extent, more than CLAST_MAXDIM axes, a value
 *               that is not 0-d; CLAST_EDTYPE; CLAST_EVALUE the value does not fit
 * @cost         no memory: consumers take the constant
 */
CLAST_API clast_array *clast_zeros(clast_ctx *ctx, int ndim, const int64_t *shape,
                                   clast_dtype dtype);
CLAST_API clast_array *clast_ones(clast_ctx *ctx, int ndim, const int64_t *shape,
                                  clast_dtype dtype);
CLAST_API clast_array *clast_full(clast_ctx *ctx, int ndim, const int64_t *shape,
                                  clast_array *value, clast_dtype dtype);

/**
 * start, start + step, ... below stop (above it for a negative step), as numpy.arange:
 * element i is start + i * ((start + step) - start) in float64, as NumPy fills a range,
 * then converted to dtype (NumPy itself computes float32 ranges in float32).
 *
 * @return  1-d array of ceil((stop - start) / step) elements, none where that is
 *          negative
 * @errors  CLAST_EVALUE step 0, a number that is not finite, more than 2**63 - 1
 *          elements; CLAST_EDTYPE bool
 * @cost    generated where it is used
 */
CLAST_API clast_array *clast_arange(clast_ctx *ctx, double start, double stop,
                                    double step, clast_dtype dtype);
CLAST_API clast_array *clast_arange_int(clast_ctx *ctx, int64_t start, int64_t stop,
                                        int64_t step, clast_dtype dtype);

/**
 * Uniform numbers in [0, 1), from Philox 4x32-10 keyed by the seed and the element's
 * global index (Salmon et al., SC11): the same for any chunking, workers and slicing.
 *
 * @param dtype  CLAST_FLOAT32 (24 random bits) or CLAST_FLOAT64 (53)
 * @return       array of that shape and dtype
 * @errors       CLAST_EDTYPE any other dtype; CLAST_ESHAPE as clast_zeros()
 * @cost         generated where it is used, anew for each use
 */
CLAST_API clast_array *clast_random(clast_ctx *ctx, int ndim, const int64_t *shape,
                                    uint64_t seed, clast_dtype dtype);

/* ---- what an array is ---- */

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

/* ---- axes and their names ---- */

/** In place of an axis: one that no array has. What clast_axis() gives where there is
 * none; every operation refuses it. */
#define CLAST_NO_AXIS 2147483647

/**
 * The axis of this name. Datasets of netCDF-4 files, and others with dimension scales,
 * bring the names and coordinates of their axes; docs/hdf5.md says how operations pass
 * them on.
 *
 * @return  0 <= axis < n; CLAST_NO_AXIS where no axis or several have the name, and
 *          then the context's first error (CLAST_EAXIS) lists those that are there; the
 *          same for a poisoned array
 */
CLAST_API int clast_axis(clast_array *a, const char *name);

/** What an axis is called; NULL where it has no name, or there is no such axis. Lives
 * as long as the array. */
CLAST_API const char *clast_axis_name(clast_array *a, int axis);

/**
 * The coordinate of an axis: latitudes, times. Its values, decoded as
 * clast_from_hdf5() says, are read now.
 *
 * @return  1-d array of the axis' length
 * @errors  CLAST_EAXIS; CLAST_ENOENT the axis has no coordinate; CLAST_EVALUE arrays
 *          whose coordinates differ were combined; CLAST_ENOTSUP more than 2**24
 *          numbers; CLAST_EBUDGET; those of opening and reading a file; CLAST_EBUSY a
 *          run has the budget
 * @cost    one small read, at the first call; the numbers count in the budget
 */
CLAST_API clast_array *clast_axis_coordinate(clast_array *a, int axis);

/**
 * The part of an axis whose coordinates lie in a range, both ends included; -INFINITY
 * and INFINITY leave an end open. Coordinates may rise or fall, the lower end comes
 * first all the same. What is compared with float32 coordinates is rounded to float32.
 *
 * @return  a slice: array of a's rank; only the chunks that it touches are read
 * @errors  CLAST_EINDEX no coordinate lies in the range; CLAST_EVALUE lo > hi, NaN,
 *          coordinates that neither rise nor fall all along; those of
 *          clast_axis_coordinate()
 * @cost    O(axis) now, besides that of clast_axis_coordinate()
 */
CLAST_API clast_array *clast_sel(clast_array *a, int axis, double lo, double hi);

/**
 * The same by dates, for coordinates with CF units such as "days since 1850-01-01" and
 * any CF calendar: from the first instant of `from` to the last one of `to`. A date is
 * "2000", "2000-01", "2000-01-31", "2000-01-31T12", "2000-01-31T12:30" or with seconds,
 * UTC where no time zone follows, and stands for all of its year, month, day, hour, ...
 * Coordinates are rounded to milliseconds.
 *
 * @param from, to  NULL: open
 * @errors          those of clast_sel(); CLAST_EVALUE no such date, coordinates that
 *                  are no times, units of months or years
 */
CLAST_API clast_array *clast_sel_time(clast_array *a, int axis, const char *from,
                                      const char *to);

typedef enum clast_match {
    CLAST_EXACT,  /**< the coordinate itself, else CLAST_EINDEX */
    CLAST_NEAREST /**< the nearest coordinate; of two the one with the lower index */
} clast_match;

/**
 * One place of an axis, by its coordinate: a value as for clast_sel(), or the first
 * instant of a date as for clast_sel_time().
 *
 * @return  array without that axis
 * @errors  CLAST_EINDEX; CLAST_EVALUE a match that is none, and as above
 */
CLAST_API clast_array *clast_sel_at(clast_array *a, int axis, double value,
                                    clast_match match);
CLAST_API clast_array *clast_sel_time_at(clast_array *a, int axis, const char *when,
                                         clast_match match);

/* ---- elementwise: operands broadcast, dtypes promote ---- */

/**
 * Arithmetic. add is `or` for bools, mul `and`; div is the true division; floordiv
 * rounds down and mod has the sign of b, where integer x // 0 and x % 0 are 0.
 *
 * @return  array of the broadcast shape and the promoted dtype; div of bools and
 *          integers gives float64; floordiv, mod and pow of bools int8; NaN propagates
 * @errors  CLAST_ESHAPE the shapes do not broadcast; CLAST_EDTYPE sub of two bools,
 *          floordiv and mod of complex numbers; CLAST_EVALUE a weak integer does not
 *          fit into the dtype it meets, a weak negative exponent of integers
 * @cost    fused with its neighbours into one pass: one read of each operand
 */
CLAST_API clast_array *clast_add(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_sub(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_mul(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_div(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_floordiv(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_mod(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_pow(clast_array *a, clast_array *b);

/**
 * Negative and absolute value.
 *
 * @return  array of a's shape and dtype; abs of complex numbers is their modulus, real;
 *          the most negative integer stays as it is
 * @errors  CLAST_EDTYPE neg of bools
 * @cost    fused
 */
CLAST_API clast_array *clast_neg(clast_array *a);
CLAST_API clast_array *clast_abs(clast_array *a);

/**
 * Comparisons. Complex numbers order by real, then by imaginary part; a weak integer
 * beyond the other operand's dtype compares as the number it is.
 *
 * @return  bool array of the broadcast shape; NaN makes ne true, the others false
 * @errors  CLAST_ESHAPE the shapes do not broadcast
 * @cost    fused
 */
CLAST_API clast_array *clast_eq(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_ne(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_lt(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_le(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_gt(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_ge(clast_array *a, clast_array *b);

/**
 * Bit by bit; of bools the logical operations.
 *
 * @return  array of the broadcast shape and the promoted dtype
 * @errors  CLAST_ESHAPE, CLAST_EVALUE as clast_add(); CLAST_EDTYPE neither bool nor
 *          integer
 * @cost    fused
 */
CLAST_API clast_array *clast_and(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_or(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_xor(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_invert(clast_array *a);

/**
 * Functions, within 1 ulp for real operands: sqrt is rounded correctly, float64 exp is
 * within 0.7, sin and cos within 0.9 ulp (Tang 1989; Cody and Waite 1980), the others
 * SLEEF's; complex ones are the C library's. See docs/numeric-grids.md.
 *
 * @return  array of a's shape; floats and complex numbers keep their dtype, bool and
 *          integers of 8 and 16 bits give float32 (8 bits would be float16 in NumPy),
 *          others float64; NaN propagates, sqrt and log of negative reals give NaN
 * @cost    fused
 */
CLAST_API clast_array *clast_sqrt(clast_array *a);
CLAST_API clast_array *clast_exp(clast_array *a);
CLAST_API clast_array *clast_log(clast_array *a);
CLAST_API clast_array *clast_sin(clast_array *a);
CLAST_API clast_array *clast_cos(clast_array *a);

/**
 * The smaller and the larger of two; a NaN on either side wins.
 *
 * @return  array of the broadcast shape and the promoted dtype
 * @errors  CLAST_ESHAPE, CLAST_EVALUE as clast_add()
 * @cost    fused
 */
CLAST_API clast_array *clast_minimum(clast_array *a, clast_array *b);
CLAST_API clast_array *clast_maximum(clast_array *a, clast_array *b);

/**
 * a where the condition is true, else b.
 *
 * @param condition  any dtype; nonzero is true, NaN too
 * @return           array of the shape that all three broadcast to, of the dtype that
 *                   a and b promote to
 * @errors           CLAST_ESHAPE the shapes do not broadcast; CLAST_EVALUE a weak
 *                   integer does not fit
 * @cost             fused; both a and b are computed everywhere
 */
CLAST_API clast_array *clast_where(clast_array *condition, clast_array *a,
                                   clast_array *b);

/**
 * Converts as C does and NumPy's astype(casting="unsafe"): floats are cut off, integers
 * wrap, complex to real drops the imaginary part, to bool is "not zero".
 *
 * @return  array of a's shape; a float out of the integer's range gives some integer
 * @errors  CLAST_EDTYPE not a dtype
 * @cost    fused
 */
CLAST_API clast_array *clast_astype(clast_array *a, clast_dtype dtype);

/* ---- reductions ---- */

typedef enum clast_reduction {
    CLAST_SUM,    /**< bool and integers: int64 or uint64, wrapping */
    CLAST_MEAN,   /**< integers give float64; an empty axis gives NaN */
    CLAST_VAR,    /**< Chan et al. 1983; n - ddof <= 0 gives NaN or inf as NumPy */
    CLAST_STD,    /**< the root of it */
    CLAST_MIN,    /**< a NaN wins; an empty axis is CLAST_ESHAPE */
    CLAST_MAX,    /**< likewise */
    CLAST_ARGMIN, /**< int64, the first of equals; of all axes: as if flattened */
    CLAST_ARGMAX, /**< likewise; over one axis or all */
    CLAST_ANY,    /**< bool; NaN counts as true; empty: false */
    CLAST_EVERY,  /**< numpy.all; empty: true */
    /* Of the elements that are no NaN (complex: in neither part), as numpy.nansum and
     * its like; bool and integers as without. Where no element is left: */
    CLAST_NANSUM,    /**< 0 */
    CLAST_NANMEAN,   /**< NaN */
    CLAST_NANVAR,    /**< NaN, and where n - ddof <= 0 */
    CLAST_NANSTD,    /**< likewise */
    CLAST_NANMIN,    /**< NaN; an empty axis is CLAST_ESHAPE */
    CLAST_NANMAX,    /**< likewise */
    CLAST_NANARGMIN, /**< -1, where NumPy raises an error */
    CLAST_NANARGMAX, /**< likewise */
    CLAST_NREDUCTION
} clast_reduction;

typedef struct clast_reduce_options {
    int naxes;            /**< 0: all axes where axes is NULL, else none, as axis=() */
    const int *axes;      /**< naxes axes, negative from the end, none twice */
    bool keepdims;        /**< reduced axes stay with length 1 */
    double ddof;          /**< variances divide by n - ddof; otherwise 0 */
    uint64_t reserved[4]; /**< zero */
} clast_reduce_options;

/**
 * A reduction over any axes.
 *
 * @param options  NULL: all axes, no keepdims, ddof 0
 * @return         array of a's shape without the reduced axes; floats keep their dtype
 *                 (float32 is added in float64; variances of complex numbers are
 *                 real); NaN propagates where the list above says nothing else
 * @errors         CLAST_EAXIS out of range, given twice, more than one but not all for
 *                 positions of extremes; CLAST_ESHAPE extremes or their positions of an
 *                 empty axis; CLAST_EVALUE ddof; CLAST_ENOTSUP a reserved field is not
 *                 zero
 * @cost           one read of each chunk; partial results in chains of at most 16
 *                 tiles, then a tree, so that the bits do not depend on the workers
 */
CLAST_API clast_array *clast_reduce(clast_array *a, clast_reduction op,
                                    const clast_reduce_options *options);

/**
 * Short forms of clast_reduce().
 *
 * @param axis  0 <= axis < n, negative counts from the end, or CLAST_ALL
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
CLAST_API clast_array *clast_nansum(clast_array *a, int axis);
CLAST_API clast_array *clast_nanmean(clast_array *a, int axis);
CLAST_API clast_array *clast_nanvar(clast_array *a, int axis);
CLAST_API clast_array *clast_nanstd(clast_array *a, int axis);
CLAST_API clast_array *clast_nanmin(clast_array *a, int axis);
CLAST_API clast_array *clast_nanmax(clast_array *a, int axis);
CLAST_API clast_array *clast_nanargmin(clast_array *a, int axis);
CLAST_API clast_array *clast_nanargmax(clast_array *a, int axis);

/* ---- views: the dtype stays; nothing moves where the consumer can address it ---- */

/**
 * a[start:stop:step] on one axis, with Python's clamping and negative bounds; CLAST_END
 * stands for an omitted bound.
 *
 * @return  array of a's rank; only the chunks that it touches are read
 * @errors  CLAST_EAXIS, CLAST_EVALUE step 0
 */
CLAST_API clast_array *clast_slice(clast_array *a, int axis, int64_t start,
                                   int64_t stop, int64_t step);

/**
 * NumPy's basic index as text: "::2, -1, None, ..., 3:0:-1".
 *
 * @return  array without the axes that integers took, one of length 1 for each None
 * @errors  CLAST_ESYNTAX, CLAST_EINDEX out of range or too many, CLAST_EVALUE step 0;
 *          the message names the column
 */
CLAST_API clast_array *clast_index(clast_array *a, const char *basic);

/**
 * Axes in another order: all reversed; output axis i is input axis axes[i]; two of them
 * exchanged.
 *
 * @errors  CLAST_EAXIS out of range, given twice, naxes is not the rank
 */
CLAST_API clast_array *clast_transpose(clast_array *a);
CLAST_API clast_array *clast_permute(clast_array *a, int naxes, const int *axes);
CLAST_API clast_array *clast_swapaxes(clast_array *a, int axis1, int axis2);

/** Reverses the order along one axis, or along CLAST_ALL. @errors CLAST_EAXIS */
CLAST_API clast_array *clast_flip(clast_array *a, int axis);

/**
 * Repeats axes of length 1, and the whole along new axes in front.
 *
 * @return  array of that shape; read as often as the operand itself
 * @errors  CLAST_ESHAPE a's shape does not broadcast to this one
 */
CLAST_API clast_array *clast_broadcast_to(clast_array *a, int ndim,
                                          const int64_t *shape);

/**
 * A new axis of length 1 at `axis` of the result; an axis of length 1 dropped, or with
 * CLAST_ALL all of them.
 *
 * @errors  CLAST_EAXIS; CLAST_ESHAPE more than CLAST_MAXDIM axes, an axis to be dropped
 *          that is not of length 1
 */
CLAST_API clast_array *clast_expand_dims(clast_array *a, int axis);
CLAST_API clast_array *clast_squeeze(clast_array *a, int axis);

/**
 * The elements in C order in another shape; one extent may be -1, for what is left.
 *
 * @errors  CLAST_ESHAPE the numbers of elements differ, -1 twice
 * @cost    one copy within the budget where axes of length 1 are not all that changes
 */
CLAST_API clast_array *clast_reshape(clast_array *a, int ndim, const int64_t *shape);

/**
 * Arrays after each other on an existing axis; or on a new one at `axis` of the result.
 *
 * @param arrays  n >= 1 arrays, of equal shapes but for concatenate's axis
 * @return        array of the promoted dtype
 * @errors        CLAST_EAXIS; CLAST_ESHAPE other extents differ, concatenate of 0-d
 *                arrays, stack beyond CLAST_MAXDIM axes
 * @cost          each member is read once; no copy where consumers take it in parts
 */
CLAST_API clast_array *clast_concatenate(int n, clast_array *const *arrays, int axis);
CLAST_API clast_array *clast_stack(int n, clast_array *const *arrays, int axis);

/**
 * The same array cut into tiles of this shape wherever it has to exist as blocks.
 *
 * @param chunk  ndim numbers >= 1, or -1: the whole axis
 * @errors       CLAST_ESHAPE ndim is not the rank, CLAST_EVALUE
 * @cost         one copy within the budget, spilled where that is short
 */
CLAST_API clast_array *clast_rechunk(clast_array *a, int ndim, const int64_t *chunk);

/* ---- lifetime ---- */

/** Moves an array from its scope to the context, and returns it. */
CLAST_API clast_array *clast_keep(clast_array *a);

/** Gives a kept or persisted array back; what was built on it stays valid. NULL is
 * legal. Arrays of a scope go with the scope: nothing happens to them. */
CLAST_API void clast_drop(clast_array *a);

/**
 * Computes the array now and keeps its blocks, so that later runs read them instead of
 * computing anew.
 *
 * @return  array of a's shape and dtype
 * @errors  those of clast_compute(), which are also the context's
 * @cost    one run; the blocks stay within the budget, spilled where it is short, until
 *          the array and all that is built on it are gone
 */
CLAST_API clast_array *clast_persist(clast_array *a);

#ifdef __cplusplus
}
#endif
#endif
