/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every public function on a poisoned array, a poisoned context and NULL: nothing
 * crashes, arrays come back poisoned, with the first operand's message.
 *
 * tests/lint/poison_complete.sh compares this file with what the library exports, so
 * that a function that is missing here fails.
 */
#include <string.h>

#include "check_main.h"
#include "clast.h"

typedef clast_array *unary_fn(clast_array *a);
typedef clast_array *binary_fn(clast_array *a, clast_array *b);
typedef clast_array *along_fn(clast_array *a, int axis);

static unary_fn *const unary[] = {clast_neg,       clast_abs,  clast_invert, clast_sqrt,
                                  clast_exp,       clast_log,  clast_sin,    clast_cos,
                                  clast_transpose, clast_keep, clast_persist};
static binary_fn *const binary[] = {
    clast_add, clast_sub,     clast_mul,     clast_div,   clast_floordiv,
    clast_mod, clast_pow,     clast_eq,      clast_ne,    clast_lt,
    clast_le,  clast_gt,      clast_ge,      clast_and,   clast_or,
    clast_xor, clast_minimum, clast_maximum, clast_matmul};
static along_fn *const along[] = {
    clast_sum,      clast_mean,        clast_var,     clast_std,    clast_min,
    clast_max,      clast_argmin,      clast_argmax,  clast_any,    clast_all,
    clast_flip,     clast_expand_dims, clast_squeeze, clast_nansum, clast_nanmean,
    clast_nanvar,   clast_nanstd,      clast_nanmin,  clast_nanmax, clast_nanargmin,
    clast_nanargmax};
#define COUNT(table) (sizeof(table) / sizeof *(table))

static clast_status do_nothing(clast_call *call, void *user, int nin,
                               const clast_view *in, int nout, clast_buffer *out)
{
    return CLAST_OK;
}

static void no_chunk(void *arg, int ndim, const int64_t *chunk)
{
    ck_abort_msg("a chunk of a file that is not read");
}

static void write_nothing(void *arg, const char *text, size_t bytes) {}

static void lock_nothing(void *arg) {}

static void log_nothing(void *arg, clast_log_level level, const char *message) {}

static void is_poisoned(clast_array *a, clast_status status)
{
    ck_assert_int_eq(clast_array_status(a), status);
    ck_assert_str_ne(clast_error(a), "");
    ck_assert_int_eq(clast_ndim(a), -1);
    ck_assert_ptr_null(clast_shape(a));
    ck_assert_int_eq(clast_array_dtype(a), CLAST_NDTYPE);
}

/* All functions that take arrays, with `bad` in the first place and in others. */
static void try_operations(clast_array *bad, clast_array *good, clast_status status)
{
    static const int64_t extents[2] = {2, 2};
    static const int axes[2] = {1, 0};
    for (size_t i = 0; i < COUNT(unary); i++)
        is_poisoned(unary[i](bad), status);
    for (size_t i = 0; i < COUNT(binary); i++) {
        is_poisoned(binary[i](bad, good), status);
        is_poisoned(binary[i](good, bad), status);
    }
    for (size_t i = 0; i < COUNT(along); i++)
        is_poisoned(along[i](bad, 0), status);
    clast_array *const members[2] = {good, bad};
    is_poisoned(clast_where(good, bad, good), status);
    is_poisoned(clast_astype(bad, CLAST_INT8), status);
    is_poisoned(clast_reduce(bad, CLAST_SUM, NULL), status);
    is_poisoned(clast_slice(bad, 0, 0, 1, 1), status);
    is_poisoned(clast_index(bad, "0"), status);
    is_poisoned(clast_permute(bad, 2, axes), status);
    is_poisoned(clast_swapaxes(bad, 0, 1), status);
    is_poisoned(clast_broadcast_to(bad, 2, extents), status);
    is_poisoned(clast_reshape(bad, 2, extents), status);
    is_poisoned(clast_rechunk(bad, 2, extents), status);
    is_poisoned(clast_concatenate(2, members, 0), status);
    is_poisoned(clast_stack(2, members, 0), status);
    ck_assert_int_eq(clast_axis(bad, "x"), CLAST_NO_AXIS);
    ck_assert_ptr_null(clast_axis_name(bad, 0));
    is_poisoned(clast_axis_coordinate(bad, 0), status);
    is_poisoned(clast_sel(bad, 0, 0, 1), status);
    is_poisoned(clast_sel_time(bad, 0, "2000", "2001"), status);
    is_poisoned(clast_sel_at(bad, 0, 1, CLAST_EXACT), status);
    is_poisoned(clast_sel_time_at(bad, 0, "2000", CLAST_NEAREST), status);
    clast_comparison found;
    ck_assert_int_eq(clast_compare(bad, good, NULL, &found), status);
    ck_assert_int_eq(clast_compare(good, bad, NULL, &found), status);
    const clast_svd_result svd = clast_svd(bad);
    is_poisoned(svd.u, status);
    is_poisoned(svd.s, status);
    is_poisoned(svd.vt, status);
}

/* Functions of the caller, with `bad` among the inputs. */
static void try_kernels(clast_ctx *ctx, clast_array *bad, clast_array *good,
                        clast_status status)
{
    static const int64_t bytes[1] = {8};
    static const clast_output output = {CLAST_UINT8, 1, bytes};
    clast_array *const in[2] = {good, bad};
    clast_array *made = NULL;
    is_poisoned(clast_map(ctx, 2, in, do_nothing, NULL,
                          &(clast_map_options){.dtype = CLAST_INT8}),
                status);
    ck_assert_int_eq(clast_task(ctx, 2, in, 1, &output, &made, do_nothing, NULL, NULL),
                     status);
    is_poisoned(made, status);
}

/* A run that was over before it began. */
static void try_run(clast_run *run, clast_status status)
{
    ck_assert_int_eq(clast_wait(run, -1), status);
    ck_assert_int_eq(clast_wait(run, 0), status);
    ck_assert_str_ne(clast_run_error(run), "");
    ck_assert_uint_eq(clast_run_stats(run).tasks, 0);
    clast_run_cancel(run);
    clast_run_close(&run);
    ck_assert_ptr_null(run);
}

static void try_sinks(clast_ctx *ctx, clast_array *bad, clast_status status)
{
    double out[4];
    const int64_t shape[2] = {2, 2};
    const clast_buffer into = {out, sizeof out, CLAST_FLOAT64, 2, shape, NULL};
    const clast_sink sinks[2] = {clast_sink_fetch(bad, &into),
                                 clast_sink_hdf5(bad, "/nonexistent/x.h5", "/x", NULL)};
    ck_assert_int_eq(clast_fetch(bad, &into), status);
    ck_assert_int_eq(clast_to_hdf5(bad, "/nonexistent/x.h5", "/x", NULL), status);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(clast_compute(ctx, 1, &sinks[i]), status);
        ck_assert_int_eq(clast_explain(ctx, 1, &sinks[i], write_nothing, NULL), status);
        ck_assert_int_eq(clast_graph(ctx, 1, &sinks[i], write_nothing, NULL), status);
        try_run(clast_submit(ctx, 1, &sinks[i]), status);
    }
    const clast_name name = {"x", bad};
    is_poisoned(clast_expr(ctx, "x + 1", 1, &name), status);
    clast_array *result = NULL;
    ck_assert_int_eq(clast_expr_values(ctx, "x + 1", 1, &name, 1,
                                       (const char *const[]){NULL}, &result),
                     status);
    is_poisoned(result, status);
    clast_drop(bad);
}

START_TEST(poisoned_arrays)
{
    clast_ctx *ctx =
        clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 1});
    clast_array *good = clast_zeros(ctx, 2, (int64_t[]){2, 2}, CLAST_FLOAT64);
    clast_array *bad = clast_mean(good, 9);
    is_poisoned(bad, CLAST_EAXIS);
    try_operations(bad, good, CLAST_EAXIS);
    ck_assert_str_eq(clast_error(clast_add(good, bad)), clast_error(bad));
    is_poisoned(clast_full(ctx, 0, NULL, bad, CLAST_INT8), CLAST_EAXIS);
    ck_assert_ptr_eq(clast_array_ctx(bad), ctx);
    try_kernels(ctx, bad, good, CLAST_EAXIS);
    try_sinks(ctx, bad, CLAST_EAXIS);
    clast_close(&ctx);
}
END_TEST

/* What makes arrays on a context that could not be opened. */
static void try_creation(clast_ctx *ctx, clast_status status)
{
    double v[4] = {0};
    const int64_t shape[2] = {2, 2};
    const clast_buffer data = {v, sizeof v, CLAST_FLOAT64, 2, shape, NULL};
    is_poisoned(clast_double(ctx, 1), status);
    is_poisoned(clast_int(ctx, 1), status);
    is_poisoned(clast_bool(ctx, true), status);
    is_poisoned(clast_complex(ctx, 1, 1), status);
    is_poisoned(clast_zeros(ctx, 2, shape, CLAST_INT8), status);
    is_poisoned(clast_ones(ctx, 2, shape, CLAST_INT8), status);
    is_poisoned(clast_full(ctx, 2, shape, clast_int(ctx, 1), CLAST_INT8), status);
    is_poisoned(clast_arange(ctx, 0, 1, 1, CLAST_FLOAT64), status);
    is_poisoned(clast_arange_int(ctx, 0, 1, 1, CLAST_INT64), status);
    is_poisoned(clast_random(ctx, 2, shape, 1, CLAST_FLOAT64), status);
    is_poisoned(clast_copy_in(ctx, &data), status);
    is_poisoned(clast_borrow(ctx, &data), status);
    is_poisoned(clast_from_hdf5(ctx, "x.h5", "/x"), status);
    is_poisoned(clast_from_hdf5_with(ctx, "x.h5", "/x", NULL), status);
    is_poisoned(clast_from_hdf5_id(ctx, -1), status);
    is_poisoned(
        clast_from_hdf5_files(ctx, 1, (const char *const[]){"x.h5"}, "/x", NULL),
        status);
    is_poisoned(clast_from_hdf5_id_with(ctx, -1, NULL), status);
    is_poisoned(clast_map(ctx, 0, NULL, do_nothing, NULL,
                          &(clast_map_options){.dtype = CLAST_INT8}),
                status);
    clast_array *made[3] = {NULL, NULL, NULL};
    ck_assert_int_eq(clast_task(ctx, 0, NULL, 2, NULL, made, do_nothing, NULL, NULL),
                     status);
    is_poisoned(made[0], status);
    is_poisoned(made[1], status);
    ck_assert_ptr_null(made[2]);
}

static void try_context(clast_ctx *ctx, clast_status status)
{
    ck_assert_int_eq(clast_ctx_status(ctx), status);
    ck_assert_str_ne(clast_ctx_error(ctx), "");
    clast_scope_begin(ctx);
    try_creation(ctx, status);
    clast_scope_end(ctx);
    clast_set_log(ctx, log_nothing, NULL);
    ck_assert_int_eq(clast_set_hdf5_lock(lock_nothing, NULL, NULL), CLAST_EVALUE);
    clast_cancel(ctx);
    clast_ctx_clear(ctx);
    ck_assert_int_eq(clast_ctx_status(ctx), status);
    ck_assert_uint_eq(clast_ctx_options(ctx).memory, 0);
    ck_assert_uint_eq(clast_ctx_stats(ctx).tasks, 0);
    ck_assert_int_eq(clast_compute(ctx, 0, NULL), status);
    ck_assert_int_eq(clast_explain(ctx, 0, NULL, write_nothing, NULL), status);
    ck_assert_int_eq(clast_hdf5_info(ctx, "x.h5", NULL, write_nothing, NULL), status);
    ck_assert_int_eq(clast_hdf5_info_json(ctx, "x.h5", NULL, write_nothing, NULL),
                     status);
    ck_assert_int_eq(clast_hdf5_info_with(ctx, "x.h5", NULL, NULL, write_nothing, NULL),
                     status);
    ck_assert_int_eq(clast_hdf5_datasets_with(ctx, "x.h5", NULL, write_nothing, NULL),
                     status);
    ck_assert_int_eq(clast_hdf5_copy(ctx, "x.h5", NULL, "y.h5", NULL), status);
    ck_assert_int_eq(clast_hdf5_datasets(ctx, "x.h5", write_nothing, NULL), status);
    bool is_equal = false;
    int64_t chunks = 0;
    ck_assert_int_eq(clast_hdf5_damage(ctx, "x.h5", "/x", &chunks, no_chunk, NULL),
                     status);
    ck_assert_int_eq(clast_hdf5_same(ctx, "x.h5", "/x", "y.h5", "/y", &is_equal),
                     status);
    ck_assert_int_eq(clast_graph(ctx, 0, NULL, write_nothing, NULL), status);
    ck_assert_int_eq(clast_trace(ctx, write_nothing, NULL), status);
    clast_set_progress(ctx, NULL, NULL);
    try_run(clast_submit(ctx, 0, NULL), status);
}

START_TEST(poisoned_context)
{
    clast_ctx *ctx = clast_open(&(clast_options){.workers = -1});
    try_context(ctx, CLAST_EVALUE);
    clast_array *bad = clast_int(ctx, 1);
    try_operations(bad, bad, CLAST_EVALUE);
    try_kernels(ctx, bad, bad, CLAST_EVALUE);
    try_sinks(ctx, bad, CLAST_EVALUE);
    clast_close(&ctx);
    ck_assert_ptr_null(ctx);
}
END_TEST

START_TEST(null)
{
    try_context(NULL, CLAST_EVALUE);
    try_operations(NULL, NULL, CLAST_EVALUE);
    is_poisoned(clast_concatenate(0, NULL, 0), CLAST_EVALUE);
    is_poisoned(clast_stack(0, NULL, 0), CLAST_EVALUE);
    try_kernels(NULL, NULL, NULL, CLAST_EVALUE);
    ck_assert_int_eq(clast_call_fail(NULL, "why"), CLAST_EVALUE);
    ck_assert_ptr_null(clast_call_workspace(NULL));
    ck_assert(!clast_call_is_canceled(NULL));
    ck_assert_int_eq(clast_call_ndim(NULL), -1);
    ck_assert_ptr_null(clast_call_origin(NULL));
    ck_assert_ptr_null(clast_call_extent(NULL));
    ck_assert_ptr_null(clast_array_ctx(NULL));
    clast_ctx *none = NULL;
    clast_close(&none);
    clast_close(NULL);
    try_run(NULL, CLAST_EVALUE);
    clast_run_close(NULL);
}
END_TEST

/* Counts without what they count. */
START_TEST(expressions)
{
    clast_ctx *ctx =
        clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 1});
    const clast_name name = {"x", clast_int(ctx, 1)};
    const char *const wanted[1] = {NULL};
    clast_array *result = NULL;
    const struct {
        const char *program;
        int n;
        const clast_name *names;
        int nwanted;
        const char *const *wanted;
        clast_array **results;
    } rows[] = {
        {NULL, 1, &name, 1, wanted, &result}, {"x", -1, &name, 1, wanted, &result},
        {"x", 1, NULL, 1, wanted, &result},   {"x", 1, &name, -1, wanted, &result},
        {"x", 1, &name, 1, NULL, &result},    {"x", 1, &name, 1, wanted, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        result = NULL;
        clast_ctx_clear(ctx);
        ck_assert_int_eq(clast_expr_values(ctx, rows[i].program, rows[i].n,
                                           rows[i].names, rows[i].nwanted,
                                           rows[i].wanted, rows[i].results),
                         CLAST_EVALUE);
        ck_assert_int_eq(clast_ctx_status(ctx), CLAST_EVALUE);
        if (rows[i].results && rows[i].nwanted > 0)
            is_poisoned(result, CLAST_EVALUE);
    }
    clast_close(&ctx);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(clast_status_name(CLAST_NSTATUS), "CLAST_?");
    ck_assert_str_ne(clast_status_text(CLAST_NSTATUS), "");
    ck_assert_str_eq(clast_dtype_name(CLAST_NDTYPE), "?");
    ck_assert_uint_eq(clast_dtype_size(CLAST_NDTYPE), 0);
}
END_TEST

static Suite *poison(void)
{
    Suite *s = suite_create("poison");
    TCase *c = tcase_create("poison");
    tcase_add_test(c, poisoned_arrays);
    tcase_add_test(c, poisoned_context);
    tcase_add_test(c, null);
    tcase_add_test(c, expressions);
    tcase_add_test(c, names);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {poison};
    return cl_check_main(suites, 1);
}
