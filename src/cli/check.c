/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast info --check: reads every dataset of numbers, which finds damaged chunks,
 * and says what its values are.
 *
 * What is missing (NaN, and what _FillValue and missing_value name) is counted and left
 * out of minimum, maximum and mean. All of it is one run of reductions a dataset, and a
 * second one, over the stored numbers, tells NaN from fill values where something is
 * missing. A dataset that cannot be read is named with its first damaged chunk, and the
 * next one follows.
 */
#include <math.h>
#include <string.h>

#include "cli.h"

typedef struct {
    clast_ctx *ctx;
    const char *file;
    bool is_damaged;
} check;

typedef struct {
    int64_t missing, nans; /* what is missing, and NaN is stored for */
    char least[8], most[8];
    double sum;
} summary;

/* What minimum and maximum are taken in: integers stay exact. */
static clast_dtype dtype_of_ends(clast_dtype dtype)
{
    if (dtype >= CLAST_INT8 && dtype <= CLAST_INT64)
        return CLAST_INT64;
    return dtype == CLAST_BOOL || (dtype >= CLAST_UINT8 && dtype <= CLAST_UINT64)
               ? CLAST_UINT64
               : CLAST_FLOAT64;
}

static clast_array *fill(clast_ctx *ctx, clast_array *is_missing, clast_array *v,
                         double with)
{
    return clast_where(is_missing, clast_double(ctx, with), v);
}

static clast_status summarize_values(clast_ctx *ctx, clast_array *x, summary *s)
{
    const clast_dtype ends = dtype_of_ends(clast_array_dtype(x));
    clast_array *v = clast_astype(x, CLAST_FLOAT64);
    clast_array *is_missing = clast_ne(v, v);
    clast_array *low = clast_astype(x, ends), *high = low;
    if (ends == CLAST_FLOAT64) {
        low = fill(ctx, is_missing, v, INFINITY);
        high = fill(ctx, is_missing, v, -INFINITY);
    }
    const clast_buffer into[] = {
        {.data = &s->missing, .bytes = 8, .dtype = CLAST_INT64},
        {.data = s->least, .bytes = 8, .dtype = ends},
        {.data = s->most, .bytes = 8, .dtype = ends},
        {.data = &s->sum, .bytes = 8, .dtype = CLAST_FLOAT64}};
    const clast_sink sinks[] = {
        clast_sink_fetch(clast_sum(is_missing, CLAST_ALL), &into[0]),
        clast_sink_fetch(clast_min(low, CLAST_ALL), &into[1]),
        clast_sink_fetch(clast_max(high, CLAST_ALL), &into[2]),
        clast_sink_fetch(clast_sum(fill(ctx, is_missing, v, 0), CLAST_ALL), &into[3])};
    return clast_compute(ctx, 4, sinks);
}

/* NaNs as they are stored, which missing numbers may be besides fill values. */
static clast_status count_nans(check *c, const char *path, summary *s)
{
    clast_array *x =
        clast_from_hdf5_with(c->ctx, c->file, path, &(clast_read_options){.raw = true});
    const clast_buffer into = {.data = &s->nans, .bytes = 8, .dtype = CLAST_INT64};
    const clast_sink sink =
        clast_sink_fetch(clast_sum(clast_ne(x, x), CLAST_ALL), &into);
    return clast_compute(c->ctx, 1, &sink);
}

static void say(const char *path, int64_t count, clast_dtype dtype, const summary *s)
{
    const int64_t n = count - s->missing;
    const double mean = s->sum / (double)n;
    const clast_dtype ends = dtype_of_ends(dtype);
    const struct {
        const char *name;
        clast_dtype dtype;
        const void *value;
    } rows[] = {{"min", ends, s->least},
                {"max", ends, s->most},
                {"mean", CLAST_FLOAT64, &mean}};
    printf("%s  %lld elements, %lld NaN, %lld fill", path, (long long)count,
           (long long)s->nans, (long long)(s->missing - s->nans));
    for (int i = 0; i < 3 && n > 0; i++) {
        char text[DIGITS_TEXT];
        scalar_text(rows[i].dtype, rows[i].value, text);
        printf(", %s %s", rows[i].name, text);
    }
    putchar('\n');
}

static int damaged(check *c, const char *message)
{
    complain("%s", message);
    c->is_damaged = true;
    return EXIT_DONE;
}

/* Of complex numbers the absolute values. */
static int check_dataset(check *c, const char *path)
{
    clast_array *x = clast_from_hdf5(c->ctx, c->file, path);
    const clast_status opened = clast_array_status(x);
    if (opened == CLAST_EDTYPE || opened == CLAST_ESHAPE)
        return EXIT_DONE; /* no numbers */
    if (opened == CLAST_ENOENT)
        return session_failed(c->ctx, opened);
    if (opened != CLAST_OK)
        return damaged(c, clast_error(x));
    int64_t count = 1;
    for (int a = 0; a < clast_ndim(x); a++)
        count *= clast_shape(x)[a];
    const clast_dtype dtype = clast_array_dtype(x);
    if (dtype == CLAST_COMPLEX64 || dtype == CLAST_COMPLEX128)
        x = clast_abs(x);
    summary s = {0};
    clast_status status = CLAST_OK;
    if (count > 0)
        status = summarize_values(c->ctx, x, &s);
    if (status == CLAST_OK && s.missing > 0)
        status = count_nans(c, path, &s);
    if (status == CLAST_EFORMAT || status == CLAST_EIO)
        return damaged(c, clast_ctx_error(c->ctx));
    if (status != CLAST_OK)
        return session_failed(c->ctx, status);
    progress_hide();
    say(path, count, dtype, &s);
    return EXIT_DONE;
}

int check_datasets(clast_ctx *ctx, const char *file, size_t n, char *const *path)
{
    check c = {.ctx = ctx, .file = file};
    int code = EXIT_DONE;
    for (size_t i = 0; i < n && code == EXIT_DONE; i++) {
        clast_ctx_clear(ctx);
        clast_scope_begin(ctx);
        code = check_dataset(&c, path[i]);
        clast_scope_end(ctx);
        if (interrupt_code() != 0)
            code = interrupt_code();
    }
    return code == EXIT_DONE && c.is_damaged ? EXIT_FAILED : code;
}
