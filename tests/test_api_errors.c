/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is refused while an expression is built, with which status and which words.
 * Every refusal is a poisoned array; the first is the context's error; operations pass
 * it on.
 */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "clast.h"

static clast_ctx *ctx, *other;
static clast_array *matrix, *integers, *bools, *floats, *complexes, *scalar, *empty;

static void open_ctx(void)
{
    const clast_options options = {.memory = CLAST_MIB(64), .workers = 1};
    ctx = clast_open(&options);
    other = clast_open(&options);
    const int64_t shape[2] = {4, 5}, none[2] = {0, 5};
    matrix = clast_zeros(ctx, 2, shape, CLAST_FLOAT64);
    integers = clast_zeros(ctx, 1, shape, CLAST_UINT8);
    bools = clast_zeros(ctx, 1, shape, CLAST_BOOL);
    floats = clast_zeros(ctx, 1, shape, CLAST_FLOAT32);
    complexes = clast_zeros(ctx, 1, shape, CLAST_COMPLEX64);
    scalar = clast_int(ctx, 300);
    empty = clast_zeros(ctx, 2, none, CLAST_FLOAT32);
}

static void close_ctx(void)
{
    clast_close(&ctx);
    clast_close(&other);
}

static void refused(int line, clast_array *a, clast_status status, const char *text)
{
    ck_assert_msg(clast_array_status(a) == status, "line %d: %s (%s)", line,
                  clast_status_name(clast_array_status(a)), clast_error(a));
    ck_assert_msg(strcmp(clast_error(a), text) == 0, "line %d: %s", line,
                  clast_error(a));
    ck_assert_int_eq(clast_ndim(a), -1);
    ck_assert_ptr_null(clast_shape(a));
    ck_assert_int_eq(clast_array_dtype(a), CLAST_NDTYPE);
}
#define REFUSED(a, status, text) refused(__LINE__, a, status, text)

START_TEST(elementwise)
{
    REFUSED(clast_add(matrix, integers), CLAST_ESHAPE,
            "add: shapes (4, 5) and (4,) do not broadcast together");
    REFUSED(clast_sub(bools, bools), CLAST_EDTYPE,
            "sub: bools cannot be subtracted, use xor (the ^ operator)");
    REFUSED(clast_neg(bools), CLAST_EDTYPE,
            "neg: a bool cannot be negated, use invert (the ~ operator)");
    REFUSED(clast_and(floats, integers), CLAST_EDTYPE,
            "and: not defined for float32, only for bool and integers");
    REFUSED(clast_invert(matrix), CLAST_EDTYPE,
            "invert: not defined for float64, only for bool and integers");
    REFUSED(clast_floordiv(complexes, floats), CLAST_EDTYPE,
            "floordiv: not defined for complex64");
    REFUSED(clast_mod(complexes, floats), CLAST_EDTYPE,
            "mod: not defined for complex64");
    REFUSED(clast_add(integers, scalar), CLAST_EVALUE,
            "add: integer 300 is out of range for uint8");
    REFUSED(clast_where(bools, integers, scalar), CLAST_EVALUE,
            "where: integer 300 is out of range for uint8");
    REFUSED(clast_pow(integers, clast_int(ctx, -1)), CLAST_EVALUE,
            "pow: integers to negative integer powers are not allowed");
    REFUSED(clast_div(scalar, clast_int(ctx, 0)), CLAST_EVALUE,
            "div: division by zero");
    REFUSED(clast_mul(scalar, clast_int(ctx, INT64_MAX)), CLAST_EVALUE,
            "mul: the integer result does not fit into 64 bits");
    REFUSED(clast_astype(matrix, CLAST_NDTYPE), CLAST_EDTYPE, "astype: 13 is no dtype");
    REFUSED(clast_add(matrix, clast_int(other, 1)), CLAST_ECONTEXT,
            "add: operand 2 belongs to another context than operand 1");
}
END_TEST

START_TEST(reductions)
{
    REFUSED(clast_mean(matrix, 3), CLAST_EAXIS,
            "mean: axis 3 is out of range for an array of 2 dimensions, shape (4, 5)");
    REFUSED(clast_max(empty, 0), CLAST_ESHAPE,
            "max: axis 0 is empty and nothing has no max, shape (0, 5)");
    REFUSED(clast_argmin(empty, CLAST_ALL), CLAST_ESHAPE,
            "argmin: axis 0 is empty and nothing has no argmin, shape (0, 5)");
    REFUSED(clast_nanmin(empty, 0), CLAST_ESHAPE,
            "nanmin: axis 0 is empty and nothing has no nanmin, shape (0, 5)");
    REFUSED(clast_nanmean(matrix, 2), CLAST_EAXIS,
            "nanmean: axis 2 is out of range for an array of 2 dimensions, shape "
            "(4, 5)");
    const int twice[2] = {1, -1};
    REFUSED(clast_reduce(matrix, CLAST_SUM,
                         &(clast_reduce_options){.naxes = 2, .axes = twice}),
            CLAST_EAXIS, "sum: axis -1 is given twice");
    REFUSED(clast_reduce(matrix, CLAST_SUM, &(clast_reduce_options){.ddof = 1}),
            CLAST_EVALUE, "sum: ddof is for var, std, nanvar and nanstd only");
    REFUSED(clast_reduce(matrix, CLAST_VAR, &(clast_reduce_options){.ddof = INFINITY}),
            CLAST_EVALUE, "var: ddof is inf");
    REFUSED(clast_reduce(matrix, CLAST_ARGMAX,
                         &(clast_reduce_options){.naxes = 0, .axes = twice}),
            CLAST_EAXIS, "argmax: takes one axis or all of them, not 0");
    REFUSED(clast_reduce(matrix, CLAST_NANARGMAX,
                         &(clast_reduce_options){.naxes = 0, .axes = twice}),
            CLAST_EAXIS, "nanargmax: takes one axis or all of them, not 0");
    REFUSED(clast_reduce(matrix, CLAST_NANSUM, &(clast_reduce_options){.ddof = 1}),
            CLAST_EVALUE, "nansum: ddof is for var, std, nanvar and nanstd only");
    REFUSED(clast_reduce(matrix, CLAST_SUM,
                         &(clast_reduce_options){.naxes = -1, .axes = twice}),
            CLAST_EVALUE, "sum: naxes is -1");
    REFUSED(clast_reduce(matrix, (clast_reduction)99, NULL), CLAST_EVALUE,
            "reduce: 99 is no reduction");
}
END_TEST

START_TEST(views)
{
    const int64_t odd[2] = {3, -1}, two[2] = {-1, -1}, wide[2] = {4, 6};
    const int axes[2] = {0, 0};
    REFUSED(clast_permute(matrix, 2, axes), CLAST_EAXIS,
            "permute: axis 0 is given twice");
    REFUSED(clast_permute(matrix, 1, axes), CLAST_EAXIS,
            "permute: 1 axes given for an array of 2");
    REFUSED(
        clast_swapaxes(matrix, 0, 2), CLAST_EAXIS,
        "swapaxes: axis 2 is out of range for an array of 2 dimensions, shape (4, 5)");
    REFUSED(clast_flip(integers, -2), CLAST_EAXIS,
            "flip: axis -2 is out of range for an array of 1 dimension, shape (4,)");
    REFUSED(clast_slice(matrix, 0, 0, 1, 0), CLAST_EVALUE, "slice: the step is 0");
    REFUSED(clast_squeeze(matrix, 0), CLAST_ESHAPE,
            "squeeze: axis 0 has length 4, not 1, shape (4, 5)");
    REFUSED(clast_reshape(matrix, 2, odd), CLAST_ESHAPE,
            "reshape: 20 elements of shape (4, 5) do not fit into shape (3, ?)");
    REFUSED(clast_reshape(matrix, 2, two), CLAST_ESHAPE,
            "reshape: only one extent can be -1");
    const int64_t many[CLAST_MAXDIM + 1] = {-1, -1};
    REFUSED(clast_reshape(matrix, CLAST_MAXDIM + 1, many), CLAST_ESHAPE,
            "reshape: 33 dimensions, there can be 0 to 32");
    REFUSED(clast_broadcast_to(matrix, 2, wide), CLAST_ESHAPE,
            "broadcast_to: shape (4, 5) does not broadcast to (4, 6)");
    REFUSED(clast_rechunk(matrix, 1, wide), CLAST_ESHAPE,
            "rechunk: 1 chunk extents for an array of 2 dimensions");
    clast_array *const parts[2] = {matrix, empty}, *const mixed[2] = {matrix, integers};
    REFUSED(clast_stack(2, parts, 0), CLAST_ESHAPE,
            "stack: array 1 has shape (0, 5), which does not fit to array 0 of shape "
            "(4, 5)");
    REFUSED(
        clast_concatenate(2, mixed, 0), CLAST_ESHAPE,
        "concatenate: array 1 has shape (4,), which does not fit to array 0 of shape "
        "(4, 5)");
}
END_TEST

START_TEST(indices)
{
    REFUSED(clast_index(matrix, "1, 7"), CLAST_EINDEX,
            "index: index 7 is out of range for axis 1 of 5 (column 4)");
    REFUSED(clast_index(matrix, "0,0,0"), CLAST_EINDEX,
            "index: too many indices: 3 for an array of 2 dimensions, shape (4, 5)");
    REFUSED(clast_index(matrix, "..., ..."), CLAST_EINDEX,
            "index: there can be one \"...\" only, not 2");
    REFUSED(clast_index(matrix, "::0"), CLAST_EVALUE,
            "index: the step is 0 (column 1)");
    REFUSED(clast_index(matrix, "1 x"), CLAST_ESYNTAX,
            "index: found 'x', expected ',' or the end (column 3)");
    REFUSED(clast_index(matrix, "0\xc3\xa9"), CLAST_ESYNTAX,
            "index: found '\xc3\xa9', expected ',' or the end (column 2)");
    REFUSED(
        clast_index(matrix, ""), CLAST_ESYNTAX,
        "index: the index ends, expected an integer, a slice, None or ... (column 1)");
}
END_TEST

START_TEST(creation)
{
    const int64_t minus[1] = {-1}, huge[2] = {INT64_MAX, 2};
    REFUSED(clast_zeros(ctx, 1, minus, CLAST_INT8), CLAST_ESHAPE,
            "zeros: negative extent -1 of axis 0");
    REFUSED(clast_zeros(ctx, 33, huge, CLAST_INT8), CLAST_ESHAPE,
            "zeros: 33 dimensions, there can be 0 to 32");
    REFUSED(clast_ones(ctx, 2, huge, CLAST_INT8), CLAST_ESHAPE,
            "ones: shape (9223372036854775807, 2) of int8 has more bytes than 64 bits "
            "count");
    REFUSED(clast_full(ctx, 0, NULL, matrix, CLAST_INT8), CLAST_ESHAPE,
            "full: the value has 2 dimensions, it must have 0");
    REFUSED(clast_arange_int(ctx, 0, 1, 0, CLAST_INT8), CLAST_EVALUE,
            "arange: the step is 0");
    REFUSED(clast_arange(ctx, 0, NAN, 1, CLAST_FLOAT64), CLAST_EVALUE,
            "arange: from 0 to nan by 1: finite numbers and a step other than 0 are "
            "wanted");
    REFUSED(clast_random(ctx, 0, NULL, 1, CLAST_INT8), CLAST_EDTYPE,
            "random: not defined for int8, only for float32 and float64");
    double v[3];
    const int64_t four[1] = {4};
    const clast_buffer small = {v, sizeof v, CLAST_FLOAT64, 1, four, NULL};
    REFUSED(
        clast_borrow(ctx, &small), CLAST_EVALUE,
        "borrow: the buffer has 24 bytes, its shape and strides need more (C order)");
    REFUSED(clast_from_hdf5(ctx, NULL, "/x"), CLAST_EVALUE,
            "from_hdf5: the file is NULL");
    ck_assert_int_eq(
        clast_array_status(clast_from_hdf5(ctx, "/nonexistent/file.h5", "/x")),
        CLAST_ENOENT);
}
END_TEST

START_TEST(algebra)
{
    REFUSED(clast_matmul(matrix, matrix), CLAST_ESHAPE,
            "matmul: shapes (4, 5) and (4, 5) do not fit: 5 columns, but 4 rows");
    REFUSED(
        clast_matmul(matrix, scalar), CLAST_ESHAPE,
        "matmul: operands of 1 or 2 dimensions are wanted, these have shapes (4, 5) "
        "and ()");
    const clast_svd_result r = clast_svd(integers);
    REFUSED(r.u, CLAST_ESHAPE,
            "svd: a matrix with elements is wanted, this has shape (4,)");
    REFUSED(r.s, CLAST_ESHAPE, clast_error(r.u));
    REFUSED(r.vt, CLAST_ESHAPE, clast_error(r.u));
}
END_TEST

START_TEST(sinks)
{
    double out[20];
    const int64_t shape[2] = {4, 5}, turned[2] = {5, 4}, same[2] = {1, 1};
    clast_buffer into = {out, sizeof out, CLAST_FLOAT32, 2, shape, NULL};
    const struct {
        clast_dtype dtype;
        const int64_t *shape, *strides;
        size_t bytes;
        clast_status status;
        const char *text;
    } rows[] = {
        {CLAST_FLOAT32, shape, NULL, sizeof out, CLAST_EDTYPE,
         "fetch: the buffer is float32, the array float64"},
        {CLAST_FLOAT64, turned, NULL, sizeof out, CLAST_ESHAPE,
         "fetch: the buffer has shape (5, 4), the array (4, 5)"},
        {CLAST_FLOAT64, shape, same, sizeof out, CLAST_EVALUE,
         "fetch: the buffer's elements overlap: axis 1 has stride 1"},
        {CLAST_FLOAT64, shape, NULL, 8, CLAST_EVALUE,
         "fetch: the buffer has 8 bytes, its shape and strides need more (C order)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        into.dtype = rows[i].dtype;
        into.shape = rows[i].shape;
        into.strides = rows[i].strides;
        into.bytes = rows[i].bytes;
        clast_ctx_clear(ctx);
        ck_assert_int_eq(clast_fetch(matrix, &into), rows[i].status);
        ck_assert_str_eq(clast_ctx_error(ctx), rows[i].text);
    }
    clast_ctx_clear(ctx);
    ck_assert_int_eq(clast_fetch(matrix, NULL), CLAST_EVALUE);
    ck_assert_str_eq(clast_ctx_error(ctx), "fetch: the buffer is NULL");
    clast_ctx_clear(ctx);
    ck_assert_int_eq(clast_to_hdf5(matrix, "/nonexistent/out.h5", "/x", NULL),
                     CLAST_ENOENT);
    const clast_hdf5_options wrong = {.gzip = 10};
    ck_assert_int_eq(clast_to_hdf5(matrix, "/nonexistent/out.h5", "/x", &wrong),
                     CLAST_EVALUE);
}
END_TEST

/* The first error stays, until it is cleared; healthy arrays compute all the same. */
START_TEST(first_error)
{
    double out[20];
    const clast_buffer into = {out, sizeof out,          CLAST_FLOAT64,
                               2,   clast_shape(matrix), NULL};
    clast_array *bad = clast_mean(matrix, 3);
    clast_array *worse = clast_add(clast_neg(bools), bad);
    ck_assert_str_eq(clast_ctx_error(ctx), clast_error(bad));
    ck_assert_int_eq(clast_array_status(worse), CLAST_EDTYPE);
    ck_assert_str_eq(clast_error(clast_sum(bad, 0)), clast_error(bad));
    ck_assert_int_eq(clast_fetch(matrix, &into), CLAST_OK);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_EAXIS);
    clast_ctx_clear(ctx);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_OK);
    ck_assert_str_eq(clast_ctx_error(ctx), "");
    ck_assert_int_eq(clast_fetch(bad, &into), CLAST_EAXIS);
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_EAXIS);
}
END_TEST

START_TEST(options)
{
    const clast_options wrong[] = {
        {.workers = -1}, {.workers = 257}, {.cluster = "tcp://a:1"}, {.reserved = {1}}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        clast_ctx *dead = clast_open(&wrong[i]);
        ck_assert_int_ne(clast_ctx_status(dead), CLAST_OK);
        clast_ctx_clear(dead);
        ck_assert_int_ne(clast_ctx_status(dead), CLAST_OK);
        clast_close(&dead);
    }
}
END_TEST

static Suite *errors(void)
{
    Suite *s = suite_create("api_errors");
    TCase *c = tcase_create("errors");
    tcase_add_checked_fixture(c, open_ctx, close_ctx);
    const TTest *const tests[] = {elementwise, reductions,  views,
                                  indices,     creation,    algebra,
                                  sinks,       first_error, options};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {errors};
    return cl_check_main(suites, 1);
}
