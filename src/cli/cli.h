/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The `clast` command: what its files share. It uses the public interface only, but for
 * base/utf8.h, whose functions it is built with.
 *
 * stdout carries what was asked for (values, a description, a plan); everything else
 * goes to stderr. Functions that can fail write their message and return an exit code.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "clast.h"

/* Exit codes; interruptions are 128 + the signal's number. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG = 2, EXIT_NO_FIT = 3 };

enum { MAX_NAMES = 256 };

/* Many files as one array. */
typedef struct {
    char **file;
    int n, room; /* n == 0: it is one file */
    bool is_stack;
    const char *axis_name; /* in `text`; NULL: by number */
    int axis;
    char *text, *path; /* copies */
} file_list;

/* One --in or --out. name is NULL for an output without one. */
typedef struct {
    const char *name, *file, *path;
    file_list many;
} place;

/* --chunks of a copy. */
typedef struct {
    const char *path; /* NULL: any dataset of the rank */
    int n;            /* 0: auto */
    int64_t length[CLAST_MAXDIM];
} chunk_rule;

enum { MAX_RULES = 64, MAX_WORDS = 2 };

/* What the command line of any command says. */
typedef struct {
    const char *program, *program_file;
    int nword;
    char *word[MAX_WORDS]; /* arguments that are no options, but for eval's program */
    int nin, nout;
    place in[MAX_NAMES], out[MAX_NAMES];
    uint64_t memory;       /* 0: default */
    double memory_percent; /* of the machine's; 0: `memory` holds */
    int workers;
    const char *scratch;
    uint64_t block;
    int nchunk; /* 0: default */
    int64_t chunk[CLAST_MAXDIM];
    const char *compress; /* NULL: same */
    int nrule;
    chunk_rule rule[MAX_RULES];
    bool overwrite, raw, explain, stats, progress, quiet, no_sync, no_attrs, no_mapping,
        in_place, json, resume;
    bool nan_differs, any_dtype, any_coordinates, decoded, check;
    double rtol, atol;
    const char *stats_file; /* JSON; NULL: text on stderr */
    const char *trace_file, *graph_file;
    bool untrusted; /* nobody vouches for what is read */
} cli_options;

/* main.c */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
int exit_code_of(clast_status status, bool is_running);
int finish_stdout(int code); /* the code, or EXIT_FAILED where stdout took no more */

/* options.c: EXIT_DONE, or the message is written. argv is cut at '=' and ":/". */
typedef enum { EVAL = 1, COPY = 2, INFO = 4, DIFF = 8 } command_set;
int parse_options(command_set command, int argc, char **argv, cli_options *o);
/* FILE:/path, at the last ":/", or FILE::/path, at the first "::/", for paths that have
 * a ":/" themselves; path is NULL where there is none. */
void split_place(char *text, const char **file, const char **path);

/* many.c: cat(AXIS, FILES and stack(AXIS, FILES, before their ":/path)". */
bool is_many(const place *p);
/* Fills p->many; EXIT_DONE, or the message is written. */
int read_many(const char *option, place *p);
void file_list_free(file_list *many);

/* session.c: a context as the options say, watched by signals, the log and progress. */
int session_open(const cli_options *o, clast_ctx **ctx);
/* Of many runs: what is said of one beside another means nothing. */
void session_without_hints(const cli_options *o, clast_ctx *ctx);
/* The exit code of a run that failed, with its message. */
int session_failed(clast_ctx *ctx, clast_status status);
void session_close(clast_ctx **ctx);

/* history.c: what files say of the run, to be freed; NULL: no memory. */
char *history_line(const cli_options *o);

/* eval.c, copy.c, diff.c, info.c */
int command_eval(int argc, char **argv);
int command_copy(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_info(int argc, char **argv);
void write_stdout(void *arg, const char *text, size_t bytes);

/* paths.c: the datasets of a file, by name. A zeroed list is empty. */
typedef struct {
    char **path;
    size_t n, room;
    bool is_short; /* of memory */
} path_list;
int paths_read(const cli_options *o, clast_ctx *ctx, const char *file, path_list *list);
void paths_free(path_list *list);

/* check.c: reads these datasets; EXIT_FAILED where one is damaged, or not read. */
int check_datasets(const cli_options *o, clast_ctx *ctx, const char *file, size_t n,
                   char *const *path);
/* Whether what is stored in `file` can be that large; of an untrusted file something
 * may claim to be what no time would suffice to read: `why` says that then. */
bool is_credible(const char *file, const char *path, clast_array *a, char *why,
                 size_t room);

/* interrupt.c */
void interrupt_watch(clast_ctx *ctx); /* signals cancel runs of ctx */
void interrupt_forget(void);
int interrupt_code(void); /* 0, or 128 + the signal that came */

/* report.c: files beside the results. `option` is for messages; a NULL file is legal
 * for the check. Both give EXIT_DONE, or the message is written; a report_fn
 * likewise. */
typedef int report_fn(FILE *to, void *arg);
int report_check(const char *option, const char *file); /* could it be written? */
int report_write(const char *option, const char *file, report_fn *write, void *arg);

/* progress.c */
void progress_watch(clast_ctx *ctx, bool is_asked);
void progress_hide(void); /* before anything else is written to stderr */
void progress_done(const clast_stats *stats);

/* graph.c */
bool is_graph_file(const char *file); /* by its name: .dot or .svg */
int draw_graph(const char *file, clast_ctx *ctx, int n, const clast_sink *sink);

/* json.c: bytes that are not UTF-8 become \udc80 to \udcff. */
void write_json_string(FILE *to, const char *text);
/* A real number; NaN and the infinities as strings. */
void write_json_scalar(FILE *to, clast_dtype dtype, const void *value);

/* plain.c: for people: what is not UTF-8, or would steer a terminal, as '?'. */
void write_plain(FILE *to, const char *text);

/* stats.c */
int write_stats(const cli_options *o, const clast_options *settled,
                const clast_stats *stats);

/* summary.c: the array that printing needs: its ends only where it is long. */
clast_array *summarize(clast_array *a, bool *is_cut);

/* print.c: writes data of this dtype and of the summary's shape as numpy's str() does;
 * `full` is the shape of the whole array. */
int print_array(FILE *to, clast_dtype dtype, int ndim, const int64_t *full,
                const int64_t *shape, const void *data);

/* digits.c: numbers as numpy writes them */
enum { DIGITS_TEXT = 400 };
/* Shortest digits that round-trip, as str() of a scalar. */
void scalar_text(clast_dtype dtype, const void *value, char text[DIGITS_TEXT]);
/* How the floats of one array are written. */
typedef struct {
    bool is_float32, is_exponential, has_sign; /* has_sign: + before positive ones */
    int left, right;                           /* columns around the point */
    int precision, exponent;                   /* digits of an exponential's parts */
} float_layout;
/* From the value at every `step` bytes. */
void layout_begin(float_layout *l, bool is_float32, bool has_sign, const char *data,
                  size_t n, size_t step);
void layout_text(const float_layout *l, const void *value, char text[DIGITS_TEXT]);

#endif
