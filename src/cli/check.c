/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast info --check: reads every dataset of numbers, which finds damaged chunks,
 * and says what its values are.
 *
 * What is missing (NaN, and what _FillValue and missing_value name) is counted and left
 * out of minimum, maximum and mean. All of it is one run of reductions a dataset, and a
 * second one, over the stored numbers, tells NaN from fill values where something is
 * missing. Of a dataset that cannot be read all chunks are tried, after the run that
 * failed: it is named with how many are damaged and where, without statistics, and the
 * next one follows. With --json all of it is one object.
 */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

/* What deflate makes of a byte, at most; and what nobody minds reading. */
#define MOST_RATIO 1032.
#define FREE_BYTES (64. * (1 << 30))

enum { LISTED = 6 }; /* damaged chunks that are named */

typedef struct {
    clast_ctx *ctx;
    const char *file;
    bool is_json, is_untrusted, is_damaged;
    size_t n; /* JSON: datasets written so far */
} check;

/* Damaged chunks of one dataset, as they are told. */
typedef struct {
    bool is_json;
    int64_t n;
    char text[512]; /* the first ones */
} damage;

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
    const clast_read_options options = {.raw = true, .untrusted = c->is_untrusted};
    clast_array *x = clast_from_hdf5_with(c->ctx, c->file, path, &options);
    const clast_buffer into = {.data = &s->nans, .bytes = 8, .dtype = CLAST_INT64};
    const clast_sink sink =
        clast_sink_fetch(clast_sum(clast_ne(x, x), CLAST_ALL), &into);
    return clast_compute(c->ctx, 1, &sink);
}

static void say_values(int64_t n, clast_dtype dtype, const summary *s, bool is_json)
{
    const double mean = s->sum / (double)n;
    const clast_dtype ends = dtype_of_ends(dtype);
    const struct {
        const char *name;
        clast_dtype dtype;
        const void *value;
    } rows[] = {{"min", ends, s->least},
                {"max", ends, s->most},
                {"mean", CLAST_FLOAT64, &mean}};
    for (int i = 0; i < 3 && n > 0; i++) {
        char text[DIGITS_TEXT];
        printf(is_json ? ", \"%s\": " : ", %s ", rows[i].name);
        scalar_text(rows[i].dtype, rows[i].value, text);
        if (is_json)
            write_json_scalar(stdout, rows[i].dtype, rows[i].value);
        else
            fputs(text, stdout);
    }
}

static void begin_dataset(check *c, const char *path)
{
    progress_hide();
    if (!c->is_json) {
        write_plain(stdout, path);
        fputs("  ", stdout);
        return;
    }
    fputs(c->n++ > 0 ? ",\n{\"path\": " : "\n{\"path\": ", stdout);
    write_json_string(stdout, path);
}

static void say(check *c, const char *path, int64_t count, clast_dtype dtype,
                const summary *s)
{
    begin_dataset(c, path);
    printf(c->is_json ? ", \"elements\": %lld, \"nan\": %lld, \"fill\": %lld"
                      : "%lld elements, %lld NaN, %lld fill",
           (long long)count, (long long)s->nans, (long long)(s->missing - s->nans));
    say_values(count - s->missing, dtype, s, c->is_json);
    fputs(c->is_json ? "}" : "\n", stdout);
}

/* ---- damage ---- */

static void note_chunk(void *arg, int ndim, const int64_t *chunk)
{
    damage *d = arg;
    char text[32 * CLAST_MAXDIM] = "";
    size_t used = 0;
    for (int a = 0; a < ndim; a++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld",
                                 a > 0 ? ", " : "", (long long)chunk[a]);
    if (d->is_json)
        printf("%s[%s]", d->n > 0 ? ", " : "", text);
    used = strlen(d->text);
    if (d->n < LISTED)
        snprintf(d->text + used, sizeof d->text - used, "%s(%s%s)",
                 d->n > 0 ? ", " : "", text, ndim == 1 ? "," : "");
    d->n++;
}

/* Which chunks they are nobody looks for in an untrusted file: that is libhdf5's way to
 * them. The dataset has neither of its members then. */
static void say_damaged(check *c, const char *path, int64_t count)
{
    begin_dataset(c, path);
    printf(c->is_json ? ", \"elements\": %lld, \"error\": \"it is damaged\"}"
                      : "%lld elements, no statistics: it is damaged\n",
           (long long)count);
}

/* Which chunks they are, after the error of the run has been said. */
static int say_damage(check *c, const char *path, int64_t count)
{
    int64_t chunks = 0;
    damage d = {.is_json = c->is_json};
    clast_ctx_clear(c->ctx);
    begin_dataset(c, path);
    printf(c->is_json ? ", \"elements\": %lld, \"damaged\": ["
                      : "%lld elements, no statistics: ",
           (long long)count);
    const clast_status status =
        clast_hdf5_damage(c->ctx, c->file, path, &chunks, note_chunk, &d);
    if (c->is_json)
        printf("], \"chunks\": %lld}", (long long)chunks);
    else if (d.n == 0)
        puts("it is damaged");
    else
        printf("%lld of %lld chunks are damaged: %s%s\n", (long long)d.n,
               (long long)chunks, d.text, d.n > LISTED ? ", ..." : "");
    return status == CLAST_OK || status == CLAST_EFORMAT || status == CLAST_EIO
               ? EXIT_DONE
               : session_failed(c->ctx, status);
}

bool is_credible(const char *file, const char *path, clast_array *a, char *why,
                 size_t room)
{
    struct stat st;
    double bytes = (double)clast_dtype_size(clast_array_dtype(a));
    for (int i = 0; i < clast_ndim(a); i++)
        bytes *= (double)clast_shape(a)[i];
    if (stat(file, &st) != 0)
        st.st_size = 0;
    if (bytes <= FREE_BYTES || bytes <= (double)st.st_size * MOST_RATIO)
        return true;
    snprintf(
        why, room,
        "%s:%s: claims to be %.3g bytes, which %lld bytes of a file cannot hold: it "
        "is not read",
        file, path, bytes, (long long)st.st_size);
    return false;
}

static void say_error(check *c, const char *message)
{
    complain("%s", message);
    c->is_damaged = true;
}

/* There is not even an array. */
static int say_unreadable(check *c, const char *path, const char *message)
{
    say_error(c, message);
    if (!c->is_json)
        return EXIT_DONE;
    begin_dataset(c, path);
    fputs(", \"error\": ", stdout);
    write_json_string(stdout, message);
    putchar('}');
    return EXIT_DONE;
}

/* Of complex numbers the absolute values. */
static int check_dataset(check *c, const char *path)
{
    const clast_read_options options = {.untrusted = c->is_untrusted};
    clast_array *x = clast_from_hdf5_with(c->ctx, c->file, path, &options);
    const clast_status opened = clast_array_status(x);
    if (opened == CLAST_EDTYPE || opened == CLAST_ESHAPE)
        return EXIT_DONE; /* no numbers */
    if (opened == CLAST_ENOENT || opened == CLAST_EBUDGET || opened == CLAST_ENOMEM ||
        opened == CLAST_ECANCELED) /* it says nothing of the file */
        return session_failed(c->ctx, opened);
    if (opened != CLAST_OK)
        return say_unreadable(c, path, clast_error(x));
    char why[500];
    if (c->is_untrusted && !is_credible(c->file, path, x, why, sizeof why))
        return say_unreadable(c, path, why);
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
    if (status == CLAST_EFORMAT || status == CLAST_EIO) {
        say_error(c, clast_ctx_error(c->ctx));
        if (!c->is_untrusted)
            return say_damage(c, path, count);
        say_damaged(c, path, count);
        return EXIT_DONE;
    }
    if (status != CLAST_OK)
        return session_failed(c->ctx, status);
    say(c, path, count, dtype, &s);
    return EXIT_DONE;
}

int check_datasets(const cli_options *o, clast_ctx *ctx, const char *file, size_t n,
                   char *const *path)
{
    const bool is_json = o->json;
    check c = {
        .ctx = ctx, .file = file, .is_json = is_json, .is_untrusted = o->untrusted};
    int code = EXIT_DONE;
    if (is_json) {
        fputs("{\"file\": ", stdout);
        write_json_string(stdout, file);
        fputs(", \"datasets\": [", stdout);
    }
    for (size_t i = 0; i < n && code == EXIT_DONE; i++) {
        clast_ctx_clear(ctx);
        clast_scope_begin(ctx);
        code = check_dataset(&c, path[i]);
        clast_scope_end(ctx);
        if (interrupt_code() != 0)
            code = interrupt_code();
    }
    if (is_json && code == EXIT_DONE)
        printf("\n], \"damaged\": %s}\n", c.is_damaged ? "true" : "false");
    return code == EXIT_DONE && c.is_damaged ? EXIT_FAILED : code;
}
