/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast diff: two datasets, or all datasets of two files by their paths.
 *
 * Numbers are compared by clast_compare(), everything else by clast_hdf5_same(). A line
 * for each dataset that differs, nothing where all is equal; with --json one object.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char help[] =
    "clast diff A:/x B:/x\n"
    "clast diff A B\n"
    "\n"
    "Compares two datasets, or all datasets of two HDF5 files by their paths: shapes, "
    "dtypes,\n"
    "values as they are stored. Says of each that differs how many elements do, the "
    "largest\n"
    "difference |a - b| and the largest relative one |a - b| / |b|, and where. "
    "Integers "
    "are\n"
    "compared exactly. Attributes are not looked at.\n"
    "\n"
    "  --rtol R, --atol A  elements differ where |a - b| > A + R * |b| (default: 0)\n"
    "  --nan-differs       two NaNs in one place differ (default: they are equal)\n"
    "  --any-dtype         values count, dtypes may differ\n"
    "  --decoded           compare what _FillValue, scale_factor and add_offset make "
    "of them\n"
    "  --untrusted         open both files with libhdf5 in another process only: files "
    "that\n"
    "                      nobody vouches for; of these, numbers alone are compared\n"
    "  --json              as one JSON object\n"
    "  --memory SIZE, --workers N, --scratch DIR, --block SIZE, --progress, --quiet\n"
    "                      as in clast eval\n"
    "\n"
    "CLAST_MEMORY, CLAST_WORKERS and CLAST_SCRATCH stand for options that are not "
    "given.\n"
    "Exit codes: 0 equal, 1 different, 2 something went wrong, 3 does not fit, 129, "
    "130 and 143\n"
    "hung up on, interrupted, terminated.\n";

typedef struct {
    const cli_options *o;
    clast_ctx *ctx;
    const char *file[2];
    size_t n; /* datasets written so far */
    bool differs;
    bool is_partial; /* something could not be compared, and the rest was */
} diff;

/* ---- what is written ---- */

static void say_index(const int64_t *index, int ndim)
{
    putchar('[');
    for (int a = 0; a < ndim; a++)
        printf("%s%lld", a > 0 ? ", " : "", (long long)index[a]);
    putchar(']');
}

static void say_largest(const clast_comparison *c)
{
    if (c->is_integer)
        printf("%llu", (unsigned long long)c->largest_integer);
    else
        write_json_scalar(stdout, CLAST_FLOAT64, &c->largest);
}

/* How both texts and JSON say where the differences are largest. */
static void say_differences(const clast_comparison *c, const char *at,
                            const char *relative)
{
    say_largest(c);
    fputs(at, stdout);
    say_index(c->where, c->ndim);
    fputs(relative, stdout);
    write_json_scalar(stdout, CLAST_FLOAT64, &c->largest_relative);
}

static void say_path(const char *name, const char *path)
{
    fputs(name, stdout);
    if (path != NULL)
        write_json_string(stdout, path);
    else
        fputs("null", stdout);
}

static void begin_json(diff *d, const char *a, const char *b)
{
    fputs(d->n++ > 0 ? ",\n" : "\n", stdout);
    say_path("{\"a\": ", a);
    say_path(", \"b\": ", b);
}

static void say_json(diff *d, const char *a, const char *b, const clast_comparison *c,
                     bool is_equal)
{
    static const char *const word[] = {"false", "true"};
    begin_json(d, a, b);
    printf(", \"equal\": %s, \"same_shape\": %s, \"same_dtype\": %s, \"count\": %lld, "
           "\"different\": %lld, \"one_nan\": %lld, \"largest\": ",
           word[is_equal], word[c->same_shape], word[c->same_dtype],
           (long long)c->count, (long long)c->different, (long long)c->one_nan);
    say_differences(c, ", \"where\": ", ", \"largest_relative\": ");
    fputs(", \"where_relative\": ", stdout);
    say_index(c->where_relative, c->ndim);
    fputs("}", stdout);
}

static void say_shape(clast_array *a)
{
    const int n = clast_ndim(a);
    putchar('(');
    for (int i = 0; i < n; i++)
        printf("%s%lld", i > 0 ? ", " : "", (long long)clast_shape(a)[i]);
    fputs(n == 1 ? ",)" : ")", stdout);
}

static void say_text(const char *path, clast_array *a, clast_array *b,
                     const clast_comparison *c)
{
    const char *separator = ": ";
    write_plain(stdout, path);
    if (!c->same_shape) {
        fputs(": shape ", stdout);
        say_shape(a);
        fputs(" and ", stdout);
        say_shape(b);
        separator = "; ";
    }
    if (!c->same_dtype) {
        printf("%sdtype %s and %s", separator, clast_dtype_name(clast_array_dtype(a)),
               clast_dtype_name(clast_array_dtype(b)));
        separator = "; ";
    }
    if (c->different > 0) {
        printf("%s%lld of %lld elements differ, by at most ", separator,
               (long long)c->different, (long long)c->count);
        say_differences(c, " at ", ", relative ");
        fputs(" at ", stdout);
        say_index(c->where_relative, c->ndim);
    }
    if (c->one_nan > 0)
        printf("; %lld of them for a NaN", (long long)c->one_nan);
    putchar('\n');
}

static void say_other(diff *d, const char *a, const char *b, const char *what)
{
    if (what != NULL)
        d->differs = true;
    if (d->o->json) {
        begin_json(d, a, b);
        printf(", \"equal\": %s}", what != NULL ? "false" : "true");
    } else if (what != NULL) {
        write_plain(stdout, a != NULL ? a : b);
        printf(": %s\n", what);
    }
}

/* ---- one pair ---- */

/* 1, which a failed run is elsewhere, means "different" here. */
static int failed(clast_ctx *ctx, clast_status status)
{
    const int code = session_failed(ctx, status);
    return code == EXIT_FAILED ? EXIT_WRONG : code;
}

static int compare_others(diff *d, const char *a, const char *b)
{
    bool is_equal = false;
    clast_ctx_clear(d->ctx);
    const clast_status status =
        clast_hdf5_same(d->ctx, d->file[0], a, d->file[1], b, &is_equal);
    if (status != CLAST_OK)
        return failed(d->ctx, status);
    say_other(d, a, b, is_equal ? NULL : "its elements, type or shape differ");
    return EXIT_DONE;
}

static int compare_arrays(diff *d, const char *a, const char *b, clast_array *x,
                          clast_array *y)
{
    clast_comparison c;
    const clast_compare_options options = {
        .rtol = d->o->rtol, .atol = d->o->atol, .nan_differs = d->o->nan_differs};
    const clast_status status = clast_compare(x, y, &options, &c);
    if (status != CLAST_OK)
        return failed(d->ctx, status);
    const bool is_equal =
        c.same_shape && c.different == 0 && (c.same_dtype || d->o->any_dtype);
    d->differs = d->differs || !is_equal;
    progress_hide();
    if (d->o->json)
        say_json(d, a, b, &c, is_equal);
    else if (!is_equal)
        say_text(a, x, y, &c);
    return EXIT_DONE;
}

/* Of an array of it: whether there is one, or something that no array is made of. */
static bool is_dataset(clast_status status)
{
    return status == CLAST_OK || status == CLAST_EDTYPE || status == CLAST_ESHAPE;
}

static bool are_credible(diff *d, const char *a, const char *b, clast_array *x,
                         clast_array *y)
{
    char why[500];
    const bool is_good =
        !d->o->untrusted || (is_credible(d->file[0], a, x, why, sizeof why) &&
                             is_credible(d->file[1], b, y, why, sizeof why));
    if (!is_good)
        complain("%s", why);
    d->is_partial = d->is_partial || !is_good;
    return is_good;
}

static int compare_pair(diff *d, const char *a, const char *b)
{
    const clast_read_options options = {.raw = !d->o->decoded,
                                        .untrusted = d->o->untrusted};
    clast_scope_begin(d->ctx);
    clast_array *x = clast_from_hdf5_with(d->ctx, d->file[0], a, &options);
    clast_array *y = clast_from_hdf5_with(d->ctx, d->file[1], b, &options);
    const clast_status first = clast_array_status(x), second = clast_array_status(y);
    int code = EXIT_DONE;
    if (first == CLAST_OK && second == CLAST_OK) {
        code = are_credible(d, a, b, x, y) ? compare_arrays(d, a, b, x, y) : EXIT_DONE;
    } else if (d->o->untrusted && first != CLAST_EBUDGET && second != CLAST_EBUDGET) {
        complain("%s", clast_error(first != CLAST_OK ? x : y));
        d->is_partial = true;
    } else if (is_dataset(first) && is_dataset(second)) {
        code = compare_others(d, a, b);
    } else {
        complain("%s", clast_error(first != CLAST_OK ? x : y));
        code = first == CLAST_EBUDGET || second == CLAST_EBUDGET ? EXIT_NO_FIT
                                                                 : EXIT_WRONG;
    }
    clast_scope_end(d->ctx);
    return code;
}

/* ---- files ---- */

static int compare_lists(diff *d, const path_list *x, const path_list *y)
{
    int code = EXIT_DONE;
    for (size_t i = 0, k = 0; (i < x->n || k < y->n) && code == EXIT_DONE;) {
        const int order = i == x->n   ? 1
                          : k == y->n ? -1
                                      : strcmp(x->path[i], y->path[k]);
        if (order == 0)
            code = compare_pair(d, x->path[i], y->path[k]);
        else if (order < 0)
            say_other(d, x->path[i], NULL, "only in the first file");
        else
            say_other(d, NULL, y->path[k], "only in the second file");
        i += order <= 0;
        k += order >= 0;
        if (interrupt_code() != 0)
            code = interrupt_code();
    }
    return code;
}

static int compare_files(diff *d)
{
    path_list list[2] = {{0}, {0}};
    int code = paths_read(d->o, d->ctx, d->file[0], &list[0]);
    if (code == EXIT_DONE)
        code = paths_read(d->o, d->ctx, d->file[1], &list[1]);
    if (code == EXIT_DONE)
        code = compare_lists(d, &list[0], &list[1]);
    paths_free(&list[0]);
    paths_free(&list[1]);
    return code;
}

static int run(diff *d)
{
    const char *path[2] = {NULL, NULL};
    split_place(d->o->word[0], &d->file[0], &path[0]);
    split_place(d->o->word[1], &d->file[1], &path[1]);
    if ((path[0] == NULL) != (path[1] == NULL)) {
        complain("diff: takes two files, or two datasets");
        return EXIT_WRONG;
    }
    if (d->o->json)
        fputs("{\"datasets\": [", stdout);
    const int code =
        path[0] != NULL ? compare_pair(d, path[0], path[1]) : compare_files(d);
    if (d->o->json && code == EXIT_DONE)
        printf("\n], \"equal\": %s}\n", d->differs || d->is_partial ? "false" : "true");
    if (code != EXIT_DONE)
        return code;
    return d->is_partial ? EXIT_WRONG : d->differs ? EXIT_FAILED : EXIT_DONE;
}

int command_diff(int argc, char **argv)
{
    static cli_options o;
    diff d = {.o = &o};
    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    int code = parse_options(DIFF, argc, argv, &o);
    if (code == EXIT_DONE && o.nword != 2) {
        complain("diff: takes two arguments, A and B or A:/x and B:/x");
        code = EXIT_WRONG;
    }
    if (code == EXIT_DONE)
        code = session_open(&o, &d.ctx);
    if (code == EXIT_DONE) {
        session_without_hints(&o, d.ctx);
        code = run(&d);
    }
    session_close(&d.ctx);
    return code;
}
