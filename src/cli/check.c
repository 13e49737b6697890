/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast info --check: reads every dataset of numbers once, which finds damaged chunks,
 * and says what its values are.
 *
 * What is missing (NaN, and what _FillValue and missing_value name) is counted and left
 * out of minimum, maximum and mean. All of it is one run of reductions a dataset. A
 * dataset that cannot be read is named with its first damaged chunk, and the next one
 * follows.
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
    int64_t missing;
    double least, most, sum;
} summary;

static clast_status summarize_values(clast_ctx *ctx, clast_array *x, summary *s)
{
    clast_array *v = clast_astype(x, CLAST_FLOAT64);
    clast_array *is_missing = clast_ne(v, v);
    const clast_buffer into[] = {
        {.data = &s->missing, .bytes = 8, .dtype = CLAST_INT64},
        {.data = &s->least, .bytes = 8, .dtype = CLAST_FLOAT64},
        {.data = &s->most, .bytes = 8, .dtype = CLAST_FLOAT64},
        {.data = &s->sum, .bytes = 8, .dtype = CLAST_FLOAT64}};
    const clast_sink sinks[] = {
        clast_sink_fetch(clast_sum(is_missing, CLAST_ALL), &into[0]),
        clast_sink_fetch(
            clast_min(clast_where(is_missing, clast_double(ctx, INFINITY), v),
                      CLAST_ALL),
            &into[1]),
        clast_sink_fetch(
            clast_max(clast_where(is_missing, clast_double(ctx, -INFINITY), v),
                      CLAST_ALL),
            &into[2]),
        clast_sink_fetch(
            clast_sum(clast_where(is_missing, clast_double(ctx, 0), v), CLAST_ALL),
            &into[3])};
    return clast_compute(ctx, 4, sinks);
}

static void say(const char *path, int64_t count, const summary *s)
{
    const int64_t n = count - s->missing;
    const double values[] = {s->least, s->most, s->sum / (double)n};
    static const char *const names[] = {"min", "max", "mean"};
    printf("%s  %lld elements, %lld missing", path, (long long)count,
           (long long)s->missing);
    for (int i = 0; i < 3 && n > 0; i++) {
        char text[DIGITS_TEXT];
        scalar_text(CLAST_FLOAT64, &values[i], text);
        printf(", %s %s", names[i], text);
    }
    putchar('\n');
}

/* Of complex numbers the absolute values. */
static int check_dataset(check *c, const char *path)
{
    clast_array *x = clast_from_hdf5(c->ctx, c->file, path);
    const clast_status opened = clast_array_status(x);
    if (opened == CLAST_EDTYPE)
        return EXIT_DONE; /* not numbers */
    if (opened != CLAST_OK) {
        complain("%s", clast_error(x));
        c->is_damaged = true;
        return EXIT_DONE;
    }
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
    if (status == CLAST_OK) {
        progress_hide();
        say(path, count, &s);
        return EXIT_DONE;
    }
    if (status != CLAST_EFORMAT && status != CLAST_EIO)
        return session_failed(c->ctx, status);
    complain("%s", clast_ctx_error(c->ctx));
    c->is_damaged = true;
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
