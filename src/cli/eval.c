/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast eval: a program over datasets, to datasets or to stdout.
 *
 * Options, program, context, inputs, expression, then one clast_compute() for all
 * outputs, or a fetch of what is to be shown. Each step returns an exit code and leaves
 * cleaning up to command_eval(). Errors of the program show its line and a caret.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char help[] =
    "clast eval PROGRAM --in NAME=FILE:/path ... [--out [NAME=]FILE:/path] ...\n"
    "\n"
    "Evaluates a program, a subset of Python with NumPy's functions, on HDF5 "
    "datasets:\n"
    "\n"
    "  clast eval 'x + x.T - mean(x, axis=0)' --in x=in.h5:/x --out out.h5:/y\n"
    "  clast eval 'u, s, vt = svd(a)' --in a=in.h5:/a --out s=out.h5:/s\n"
    "  clast eval \"mean(sel(x, time='2000'), axis='time')\" --in 'x=cat(time, "
    "*.nc:/t2m)'\n"
    "\n"
    "Without --out the value is printed. The word after eval is the program, also when "
    "it\n"
    "begins with '-'.\n"
    "\n"
    "  -f FILE             the program is in FILE; -f - reads it from standard input\n"
    "  --in NAME=FILE:/path\n"
    "                      the dataset that a name stands for\n"
    "  --in 'NAME=cat(AXIS, FILES:/path)'\n"
    "                      that of many files, after each other; stack(...): on a new "
    "axis;\n"
    "                      FILES: names, patterns, @LIST of names, between commas\n"
    "  --any-coordinates   join files whose axes have other names or coordinates: the "
    "first\n"
    "                      file's hold\n"
    "  --out [NAME=]FILE:/path\n"
    "                      where the value goes, or that of a name of the program\n"
    "  --memory SIZE       the budget: 2G, 256M or 50% (default: half of what is "
    "there)\n"
    "  --workers N         (default: the processors that this process may use)\n"
    "  --scratch DIR       where blocks go that do not fit (default: beside the "
    "output)\n"
    "  --block SIZE        of the tiles that are computed at once (default: 4M)\n"
    "  --chunks N,N,...    of the outputs' storage; -1: the whole axis\n"
    "  --compress KIND     same (as the first input), none, gzip:1 to gzip:9, lzf, "
    "lz4,\n"
    "                      zstd[:LEVEL], blosc[:CODEC[:LEVEL]], "
    "bitshuffle[:CODEC[:LEVEL]]\n"
    "  --overwrite         replace a dataset that exists\n"
    "  --no-attrs          write no attributes: not the inputs', no names of axes, no\n"
    "                      program, no history\n"
    "  --in-place          change an existing output file as it is, without a copy.\n"
    "                      DANGER: killed or crashed half-way, the whole file is "
    "lost:\n"
    "                      of 60 files 49 were damaged, 41 of them without any error\n"
    "  --untrusted         open no input with libhdf5 in this process: files from "
    "elsewhere\n"
    "  --raw               leave _FillValue, scale_factor and add_offset alone\n"
    "  --explain           print the plan and stop\n"
    "  --stats[=json:FILE] what was planned and what it took, on stderr or in FILE\n"
    "  --graph FILE        draw the plan and stop; FILE.dot, or FILE.svg by Graphviz\n"
    "  --trace FILE.json   what ran when, for Perfetto or chrome://tracing\n"
    "  --progress          how far it is, on stderr (default: a bar on a terminal, "
    "after\n"
    "                      one second)\n"
    "  --quiet             no messages but errors\n"
    "  --no-sync           skip the fsyncs\n"
    "  --no-mapping        copy all input, look at none where it is in the page cache\n"
    "  --resume            keep what is done when the run is interrupted, fails or is "
    "killed;\n"
    "                      the same command goes on from there\n"
    "\n"
    "CLAST_MEMORY, CLAST_WORKERS and CLAST_SCRATCH stand for options that are not "
    "given;\n"
    "SOURCE_DATE_EPOCH dates the line that the output file's history gets.\n"
    "Exit codes: 0 done, 1 the run failed, 2 command line, program or metadata wrong, "
    "3\n"
    "does not fit, 129, 130 and 143 hung up on, interrupted, terminated.\n";

enum { MAX_PROGRAM = 1 << 20 };

/* What one evaluation owns. */
typedef struct {
    cli_options o;
    char *text; /* of a program that was read */
    char *history;
    clast_ctx *ctx;
    clast_array *result[MAX_NAMES];
    clast_sink sink[MAX_NAMES];
    clast_hdf5_options stored;
    bool has_run;
} job;

/* ---- the program ---- */

static int read_program(job *j)
{
    const char *name = j->o.program_file;
    if (name == NULL)
        return EXIT_DONE;
    FILE *from = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (from == NULL) {
        complain("-f: %s: %s", name, strerror(errno));
        return EXIT_WRONG;
    }
    j->text = calloc(1, MAX_PROGRAM + 2);
    const size_t n = j->text != NULL ? fread(j->text, 1, MAX_PROGRAM + 1, from) : 0;
    const bool is_broken = j->text == NULL || ferror(from) != 0;
    if (from != stdin)
        fclose(from);
    if (is_broken || n > MAX_PROGRAM || memchr(j->text, '\0', n) != NULL) {
        complain("-f: %s: %s", name,
                 is_broken         ? "it cannot be read"
                 : n > MAX_PROGRAM ? "a program has at most 1 MiB"
                                   : "it holds a zero byte");
        return EXIT_WRONG;
    }
    j->o.program = j->text;
    return EXIT_DONE;
}

/* The line of the program, and a caret under the column. */
static void show_place(const char *program, int line, int column)
{
    for (int i = 1; i < line; i++) {
        const char *end = strchr(program, '\n');
        if (end == NULL)
            return;
        program = end + 1;
    }
    const int n = (int)strcspn(program, "\r\n");
    if (n > 400)
        return;
    fprintf(stderr, "    %.*s\n    ", n, program);
    const char *p = program;
    for (int i = 1; i < column && p < program + n; p++) {
        if (((unsigned char)*p & 0xC0) == 0x80)
            continue;
        fputc(*p == '\t' ? '\t' : ' ', stderr);
        i++;
    }
    fputs("^\n", stderr);
}

static int program_failed(const job *j, clast_array *a)
{
    int line = 0, column = 0;
    complain("%s", clast_error(a));
    if (sscanf(clast_error(a), "line %d, column %d:", &line, &column) == 2)
        show_place(j->o.program, line, column);
    return exit_code_of(clast_array_status(a), false);
}

/* ---- from inputs to results ---- */

static clast_array *open_many(const job *j, const place *in)
{
    const file_list *l = &in->many;
    const clast_files_options options = {.raw = j->o.raw,
                                         .stack = l->is_stack,
                                         .name = l->axis_name,
                                         .axis = l->axis,
                                         .any_coordinates = j->o.any_coordinates};
    return clast_from_hdf5_files(j->ctx, l->n, (const char *const *)l->file, in->path,
                                 &options);
}

/* Nobody would open many files in a helper of its own each. */
static bool is_trusted(const job *j, const place *in)
{
    if (in->many.n == 0 || !j->o.untrusted)
        return true;
    complain("--untrusted: '%s' is made of many files, which libhdf5 opens in this "
             "process: give each as an input of its own, and concatenate them",
             in->name);
    return false;
}

static int open_inputs(job *j, clast_name *names)
{
    const clast_read_options options = {.raw = j->o.raw, .untrusted = j->o.untrusted};
    for (int i = 0; i < j->o.nin; i++) {
        const place *in = &j->o.in[i];
        if (!is_trusted(j, in))
            return EXIT_WRONG;
        names[i].name = in->name;
        names[i].array =
            in->many.n > 0 ? open_many(j, in)
                           : clast_from_hdf5_with(j->ctx, in->file, in->path, &options);
        const clast_status status = clast_array_status(names[i].array);
        if (status != CLAST_OK) {
            complain("%s", clast_error(names[i].array));
            return exit_code_of(status, false);
        }
    }
    return interrupt_code();
}

static int build(job *j)
{
    static clast_name names[MAX_NAMES];
    const int code = open_inputs(j, names);
    if (code != EXIT_DONE)
        return code;
    const char *wanted[MAX_NAMES] = {NULL};
    for (int i = 0; i < j->o.nout; i++)
        wanted[i] = j->o.out[i].name;
    const int nwanted = j->o.nout > 0 ? j->o.nout : 1;
    clast_expr_values(j->ctx, j->o.program, j->o.nin, names, nwanted, wanted,
                      j->result);
    if (clast_array_status(j->result[0]) != CLAST_OK)
        return program_failed(j, j->result[0]);
    return interrupt_code();
}

/* ---- sinks ---- */

/* --explain and --graph: the plan, in place of its run. */
static bool is_dry(const job *j)
{
    return j->o.explain || j->o.graph_file != NULL;
}

static int explain(const job *j, int n)
{
    if (j->o.graph_file != NULL) {
        const int code = draw_graph(j->o.graph_file, j->ctx, n, j->sink);
        if (code != EXIT_DONE || !j->o.explain)
            return code;
    }
    const clast_status status = clast_explain(j->ctx, n, j->sink, write_stdout, NULL);
    return status == CLAST_OK ? EXIT_DONE : session_failed(j->ctx, status);
}

static clast_status compute(job *j, int n)
{
    j->has_run = true;
    const clast_status status = clast_compute(j->ctx, n, j->sink);
    const clast_stats stats = clast_ctx_stats(j->ctx);
    if (status == CLAST_OK && !j->o.quiet)
        progress_done(&stats);
    return status;
}

static int store(job *j)
{
    j->history = history_line(&j->o);
    j->stored = (clast_hdf5_options){.chunks = j->o.nchunk > 0 ? j->o.chunk : NULL,
                                     .compress = j->o.compress,
                                     .overwrite = j->o.overwrite,
                                     .no_sync = j->o.no_sync,
                                     .no_attributes = j->o.no_attrs,
                                     .resume = j->o.resume,
                                     .in_place = j->o.in_place,
                                     .program = j->o.program,
                                     .history = j->history};
    for (int i = 0; i < j->o.nout; i++) {
        const place *out = &j->o.out[i];
        if (j->o.nchunk > 0 && clast_ndim(j->result[i]) != j->o.nchunk) {
            complain("--chunks: %d lengths for %s:%s, which has %d dimensions",
                     j->o.nchunk, out->file, out->path, clast_ndim(j->result[i]));
            return EXIT_WRONG;
        }
        j->sink[i] = clast_sink_hdf5(j->result[i], out->file, out->path, &j->stored);
    }
    if (is_dry(j))
        return explain(j, j->o.nout);
    const clast_status status = compute(j, j->o.nout);
    return status == CLAST_OK ? EXIT_DONE : session_failed(j->ctx, status);
}

/* Fetches what is shown of the value, and shows it. */
static int print(job *j)
{
    clast_array *value = j->result[0];
    bool is_cut = false;
    clast_array *shown = summarize(value, &is_cut);
    if (clast_array_status(shown) != CLAST_OK)
        return program_failed(j, shown);
    clast_buffer buffer = {.dtype = clast_array_dtype(shown),
                           .ndim = clast_ndim(shown),
                           .shape = clast_shape(shown)};
    size_t bytes = clast_dtype_size(buffer.dtype);
    bool is_huge = false;
    for (int i = 0; i < buffer.ndim; i++)
        is_huge |= __builtin_mul_overflow(bytes, (size_t)buffer.shape[i], &bytes);
    buffer.bytes = bytes;
    buffer.data = is_huge ? NULL : calloc(1, bytes + 1);
    if (buffer.data == NULL) {
        complain(
            "eval: the part of the value that is printed does not fit into memory");
        return EXIT_NO_FIT;
    }
    j->sink[0] = clast_sink_fetch(shown, &buffer);
    int code = EXIT_DONE;
    if (is_dry(j)) {
        code = explain(j, 1);
    } else {
        const clast_status status = compute(j, 1);
        code = status == CLAST_OK
                   ? print_array(stdout, buffer.dtype, buffer.ndim, clast_shape(value),
                                 buffer.shape, buffer.data)
                   : session_failed(j->ctx, status);
    }
    free(buffer.data);
    return code;
}

/* ---- what is written beside the results ---- */

static int check_reports(const cli_options *o)
{
    int code = report_check("--stats", o->stats_file);
    if (code == EXIT_DONE)
        code = report_check("--trace", o->trace_file);
    if (code == EXIT_DONE)
        code = report_check("--graph", o->graph_file);
    return code;
}

static void write_file(void *arg, const char *text, size_t bytes)
{
    fwrite(text, 1, bytes, arg);
}

static int write_trace(FILE *to, void *arg)
{
    clast_ctx *ctx = arg;
    const clast_status status = clast_trace(ctx, write_file, to);
    if (status != CLAST_OK)
        complain("%s", clast_ctx_error(ctx));
    return exit_code_of(status, true);
}

/* Also of a run that failed. */
static int trace(job *j, int code)
{
    if (j->o.trace_file == NULL || !j->has_run)
        return code;
    const int written = report_write("--trace", j->o.trace_file, write_trace, j->ctx);
    return code != EXIT_DONE ? code : written;
}

static int run(job *j)
{
    int code = read_program(j);
    if (code == EXIT_DONE)
        code = check_reports(&j->o);
    if (code == EXIT_DONE)
        code = session_open(&j->o, &j->ctx);
    if (code == EXIT_DONE)
        code = build(j);
    if (code == EXIT_DONE)
        code = j->o.nout > 0 ? store(j) : print(j);
    code = trace(j, code);
    if (code == EXIT_DONE && j->o.stats && !is_dry(j)) {
        const clast_options settled = clast_ctx_options(j->ctx);
        const clast_stats stats = clast_ctx_stats(j->ctx);
        code = write_stats(&j->o, &settled, &stats);
    }
    return code;
}

int command_eval(int argc, char **argv)
{
    static job j;
    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    int code = parse_options(EVAL, argc, argv, &j.o);
    if (code == EXIT_DONE)
        code = run(&j);
    session_close(&j.ctx);
    free(j.text);
    for (int i = 0; i < j.o.nin; i++)
        file_list_free(&j.o.in[i].many);
    free(j.history);
    return code;
}
