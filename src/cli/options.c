/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command lines of all commands.
 *
 * One table of options, each with the commands that know it and a function that reads
 * its value; `--name value` and `--name=value` are the same. The word after `eval` is
 * the program also when it begins with `-`, unless it is an option itself; then the
 * program is the first word that is none, or the word after `--`. Names and places are
 * cut out of argv where they stand, at the first '=' and the first "::/", else the last
 * ":/".
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

typedef int read_fn(cli_options *o, const char *option, char *value);

static int wrong(const char *option, const char *value, const char *wanted)
{
    complain("%s: '%s' is not %s", option, value, wanted);
    return EXIT_WRONG;
}

/* ---- values ---- */

/* 2G, 256M, 64KiB, 4096: bytes, at least 1. */
static bool read_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    if (*text < '0' || *text > '9')
        return false;
    char *end = NULL;
    errno = 0;
    const double number = strtod(text, &end);
    uint64_t scale = 1;
    const char *unit = *end != '\0' ? strchr(units, *end & ~0x20) : NULL;
    if (unit != NULL) {
        scale <<= 10 * (unit - units + 1);
        end++;
        if (*end == 'i')
            end++;
    }
    if (*end == 'B')
        end++;
    const double total = number * (double)scale;
    if (*end != '\0' || errno != 0 || !(total >= 1) || total > 9e18)
        return false;
    *bytes = (uint64_t)total;
    return true;
}

static bool read_integer(const char *text, int64_t *v)
{
    char *end = NULL;
    errno = 0;
    *v = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0;
}

static int read_memory(cli_options *o, const char *option, char *value)
{
    const size_t n = strlen(value);
    o->memory_percent = 0;
    if (n > 1 && value[n - 1] == '%') {
        char *end = NULL;
        const double percent = strtod(value, &end);
        if (end != value + n - 1 || !(percent > 0) || percent > 100)
            return wrong(option, value, "a part of the memory, such as 50%");
        o->memory_percent = percent;
        return EXIT_DONE;
    }
    return read_size(value, &o->memory)
               ? EXIT_DONE
               : wrong(option, value, "a size such as 2G, 256M or 50%");
}

static int read_workers(cli_options *o, const char *option, char *value)
{
    int64_t v = 0;
    if (!read_integer(value, &v) || v < 1 || v > 256)
        return wrong(option, value, "a number from 1 to 256");
    o->workers = (int)v;
    return EXIT_DONE;
}

static int read_scratch(cli_options *o, const char *option, char *value)
{
    o->scratch = value;
    return EXIT_DONE;
}

static int read_block(cli_options *o, const char *option, char *value)
{
    return read_size(value, &o->block) ? EXIT_DONE
                                       : wrong(option, value, "a size such as 4M");
}

/* 1024,-1 */
static bool read_lengths(const char *text, int *n, int64_t *length)
{
    *n = 0;
    for (const char *rest = text; rest != NULL;) {
        const char *comma = strchr(rest, ',');
        char item[32];
        const size_t bytes = comma != NULL ? (size_t)(comma - rest) : strlen(rest);
        if (bytes == 0 || bytes >= sizeof item || *n == CLAST_MAXDIM)
            return false;
        memcpy(item, rest, bytes);
        item[bytes] = '\0';
        int64_t *v = &length[(*n)++];
        if (!read_integer(item, v) || (*v < 1 && *v != -1))
            return false;
        rest = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

static int read_chunks(cli_options *o, const char *option, char *value)
{
    return read_lengths(value, &o->nchunk, o->chunk)
               ? EXIT_DONE
               : wrong(option, value,
                       "a list of lengths such as 1024,1024 (-1: the whole axis)");
}

/* [PATH=]N,N,... or [PATH=]auto */
static int read_chunk_rule(cli_options *o, const char *option, char *value)
{
    if (o->nrule == MAX_RULES) {
        complain("%s: more than %d of them", option, MAX_RULES);
        return EXIT_WRONG;
    }
    chunk_rule *rule = &o->rule[o->nrule++];
    char *equals = strrchr(value, '=');
    const char *lengths = equals != NULL ? equals + 1 : value;
    rule->path = equals != NULL ? value : NULL;
    rule->n = 0;
    if (strcmp(lengths, "auto") != 0 && !read_lengths(lengths, &rule->n, rule->length))
        return wrong(option, value,
                     "[PATH=]N,N,... with lengths (-1: the whole axis), or auto");
    if (equals != NULL)
        *equals = '\0';
    return EXIT_DONE;
}

static int read_compress(cli_options *o, const char *option, char *value)
{
    o->compress = strcmp(value, "same") == 0 ? NULL : value;
    return EXIT_DONE;
}

static int read_program_file(cli_options *o, const char *option, char *value)
{
    o->program_file = value;
    return EXIT_DONE;
}

static int read_stats(cli_options *o, const char *option, char *value)
{
    o->stats = true;
    if (value == NULL)
        return EXIT_DONE;
    if (strncmp(value, "json:", 5) != 0 || value[5] == '\0')
        return wrong(option, value, "json:FILE");
    o->stats_file = value + 5;
    return EXIT_DONE;
}

static int read_trace(cli_options *o, const char *option, char *value)
{
    o->trace_file = value;
    return EXIT_DONE;
}

static int read_graph(cli_options *o, const char *option, char *value)
{
    o->graph_file = value;
    return is_graph_file(value) ? EXIT_DONE
                                : wrong(option, value, "a FILE.dot or FILE.svg");
}

static int set_quiet(cli_options *o, const char *option, char *value)
{
    o->quiet = true;
    o->progress = false;
    return EXIT_DONE;
}

static int set_progress(cli_options *o, const char *option, char *value)
{
    o->progress = true;
    o->quiet = false;
    return EXIT_DONE;
}

static int read_tolerance(const char *option, const char *value, double *v)
{
    char *end = NULL;
    *v = strtod(value, &end);
    return end != value && *end == '\0' && *v >= 0 && *v - *v == 0
               ? EXIT_DONE
               : wrong(option, value, "a number such as 1e-6");
}

static int read_rtol(cli_options *o, const char *option, char *value)
{
    return read_tolerance(option, value, &o->rtol);
}

static int read_atol(cli_options *o, const char *option, char *value)
{
    return read_tolerance(option, value, &o->atol);
}

/* ---- names and places ---- */

static bool is_name(const char *text, size_t n)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return n > 0 && !(text[0] >= '0' && text[0] <= '9') && strspn(text, letters) >= n;
}

void split_place(char *text, const char **file, const char **path)
{
    char *cut = strstr(text, "::/");
    *file = text;
    *path = cut != NULL ? cut + 2 : NULL;
    for (char *p = text; *path == NULL && (p = strstr(p, ":/")) != NULL; p++)
        cut = p;
    if (cut == NULL)
        return;
    if (*path == NULL)
        *path = cut + 1;
    *cut = '\0';
}

/* NAME=FILE:/path or, where a name may be missing, FILE:/path. */
static int read_place(const char *option, char *value, bool needs_name, place *p)
{
    char *equals = strchr(value, '=');
    const bool has_name = equals != NULL && is_name(value, (size_t)(equals - value));
    if (needs_name && !has_name)
        return wrong(option, value, "NAME=FILE:/path");
    p->name = NULL;
    char *rest = value;
    if (has_name) {
        *equals = '\0';
        p->name = value;
        rest = equals + 1;
    }
    split_place(rest, &p->file, &p->path);
    if (p->path == NULL || p->file[0] == '\0' || p->path[1] == '\0')
        return wrong(option, rest, "FILE:/path with a file and the path of a dataset");
    return EXIT_DONE;
}

static bool is_same(const char *a, const char *b)
{
    return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int read_in(cli_options *o, const char *option, char *value)
{
    if (o->nin == MAX_NAMES) {
        complain("%s: more than %d of them", option, MAX_NAMES);
        return EXIT_WRONG;
    }
    place *p = &o->in[o->nin];
    int code = read_place(option, value, true, p);
    if (code == EXIT_DONE && is_many(p))
        code = read_many(option, p);
    if (code != EXIT_DONE)
        return code;
    for (int i = 0; i < o->nin; i++)
        if (is_same(o->in[i].name, p->name)) {
            complain("%s: the name '%s' is given twice", option, p->name);
            return EXIT_WRONG;
        }
    o->nin++;
    return EXIT_DONE;
}

static int read_out(cli_options *o, const char *option, char *value)
{
    if (o->nout == MAX_NAMES) {
        complain("%s: more than %d of them", option, MAX_NAMES);
        return EXIT_WRONG;
    }
    place *p = &o->out[o->nout];
    const int code = read_place(option, value, false, p);
    if (code != EXIT_DONE)
        return code;
    for (int i = 0; i < o->nout; i++) {
        if (is_same(o->out[i].name, p->name)) {
            complain("%s: %s%s is given twice", option,
                     p->name != NULL ? "the name " : "an output without a name",
                     p->name != NULL ? p->name : "");
            return EXIT_WRONG;
        }
        if (is_same(o->out[i].file, p->file) && is_same(o->out[i].path, p->path)) {
            complain("%s: %s:%s is given twice", option, p->file, p->path);
            return EXIT_WRONG;
        }
    }
    o->nout++;
    return EXIT_DONE;
}

/* ---- the command line ---- */

typedef enum { FLAG, VALUE, OPTIONAL } value_kind; /* OPTIONAL: only with '=' */

enum { RUNS = EVAL | COPY, ALL_RUNS = RUNS | DIFF | INFO };

static const struct {
    const char *name;
    int commands;
    value_kind kind;
    read_fn *read; /* NULL: a flag that only sets the bool there */
    size_t sets;
} options[] = {
    {"--in", EVAL, VALUE, read_in, 0},
    {"--out", EVAL, VALUE, read_out, 0},
    {"--memory", ALL_RUNS, VALUE, read_memory, 0},
    {"--workers", ALL_RUNS, VALUE, read_workers, 0},
    {"--scratch", ALL_RUNS, VALUE, read_scratch, 0},
    {"--block", ALL_RUNS, VALUE, read_block, 0},
    {"--chunks", EVAL, VALUE, read_chunks, 0},
    {"--chunks", COPY, VALUE, read_chunk_rule, 0},
    {"--compress", RUNS, VALUE, read_compress, 0},
    {"-f", EVAL, VALUE, read_program_file, 0},
    {"--stats", RUNS, OPTIONAL, read_stats, 0},
    {"--trace", EVAL, VALUE, read_trace, 0},
    {"--graph", EVAL, VALUE, read_graph, 0},
    {"--progress", ALL_RUNS, FLAG, set_progress, 0},
    {"--overwrite", RUNS, FLAG, NULL, offsetof(cli_options, overwrite)},
    {"--untrusted", EVAL | DIFF | INFO, FLAG, NULL, offsetof(cli_options, untrusted)},
    {"--raw", EVAL, FLAG, NULL, offsetof(cli_options, raw)},
    {"--any-coordinates", EVAL, FLAG, NULL, offsetof(cli_options, any_coordinates)},
    {"--explain", EVAL, FLAG, NULL, offsetof(cli_options, explain)},
    {"--quiet", ALL_RUNS, FLAG, set_quiet, 0},
    {"--no-sync", RUNS, FLAG, NULL, offsetof(cli_options, no_sync)},
    {"--no-attrs", EVAL, FLAG, NULL, offsetof(cli_options, no_attrs)},
    {"--no-mapping", EVAL, FLAG, NULL, offsetof(cli_options, no_mapping)},
    {"--resume", EVAL, FLAG, NULL, offsetof(cli_options, resume)},
    {"--in-place", EVAL, FLAG, NULL, offsetof(cli_options, in_place)},
    {"--json", INFO | DIFF, FLAG, NULL, offsetof(cli_options, json)},
    {"--rtol", DIFF, VALUE, read_rtol, 0},
    {"--atol", DIFF, VALUE, read_atol, 0},
    {"--nan-differs", DIFF, FLAG, NULL, offsetof(cli_options, nan_differs)},
    {"--any-dtype", DIFF, FLAG, NULL, offsetof(cli_options, any_dtype)},
    {"--decoded", DIFF, FLAG, NULL, offsetof(cli_options, decoded)},
    {"--check", INFO, FLAG, NULL, offsetof(cli_options, check)},
};

enum { NOPTIONS = sizeof options / sizeof *options };

/* The option that the word is, or -1. `-f` before another option is a program: minus
 * f. */
static int find_option(command_set command, const char *word, const char *following)
{
    const size_t n = strcspn(word, "=");
    for (int i = 0; i < NOPTIONS; i++) {
        if (!(options[i].commands & (int)command) || strlen(options[i].name) != n ||
            strncmp(options[i].name, word, n) != 0)
            continue;
        if (strcmp(word, "-f") == 0 &&
            (following == NULL || strncmp(following, "--", 2) == 0))
            return -1;
        return i;
    }
    return -1;
}

/* Reads the option at argv[*i] and steps over its value. */
static int read_option(cli_options *o, int option, int argc, char **argv, int *i)
{
    char *equals = strchr(argv[*i], '=');
    char *value = equals != NULL ? equals + 1 : NULL;
    const char *name = options[option].name;
    if (options[option].kind == FLAG && value != NULL) {
        complain("%s: takes no value", name);
        return EXIT_WRONG;
    }
    if (options[option].kind == VALUE && value == NULL) {
        if (*i + 1 >= argc) {
            complain("%s: its value is missing", name);
            return EXIT_WRONG;
        }
        value = argv[++*i];
    }
    if (options[option].read != NULL)
        return options[option].read(o, name, value);
    *(bool *)((char *)o + options[option].sets) = true;
    return EXIT_DONE;
}

static const char *name_of(command_set command)
{
    return command == EVAL   ? "eval"
           : command == COPY ? "copy"
           : command == DIFF ? "diff"
                             : "info";
}

static int read_program(cli_options *o, char *word)
{
    if (o->program != NULL) {
        complain("unexpected argument '%s': the program is one word, in quotes", word);
        return EXIT_WRONG;
    }
    o->program = word;
    return EXIT_DONE;
}

static void complain_of_option(command_set command, const char *word)
{
    if (command == COPY && strcmp(word, "--untrusted") == 0)
        complain("copy: there is no option '--untrusted': what is copied besides "
                 "numbers only "
                 "libhdf5 can read, which would then open the file in this process. "
                 "clast eval x --untrusted --in x=IN:/x --out OUT:/x copies the values "
                 "of a dataset");
    else
        complain("there is no option '%s' (clast %s --help lists them)", word,
                 name_of(command));
}

/* may_be_program: eval's first word is one, whatever it begins with. */
static int read_word(command_set command, cli_options *o, char *word,
                     bool may_be_program)
{
    const bool is_long = word[0] == '-' && word[1] == '-';
    if (is_long && !may_be_program) {
        complain_of_option(command, word);
        return EXIT_WRONG;
    }
    if (command == EVAL)
        return read_program(o, word);
    if (o->nword == MAX_WORDS || (command == INFO && o->nword == 1)) {
        complain("%s: unexpected argument '%s'", name_of(command), word);
        return EXIT_WRONG;
    }
    o->word[o->nword++] = word;
    return EXIT_DONE;
}

static int read_environment(cli_options *o)
{
    char *memory = getenv("CLAST_MEMORY");
    char *workers = getenv("CLAST_WORKERS");
    o->scratch = getenv("CLAST_SCRATCH");
    int code = EXIT_DONE;
    if (memory != NULL && *memory != '\0')
        code = read_memory(o, "CLAST_MEMORY", memory);
    if (code == EXIT_DONE && workers != NULL && *workers != '\0')
        code = read_workers(o, "CLAST_WORKERS", workers);
    return code;
}

static int check_eval(cli_options *o)
{
    if ((o->program == NULL) == (o->program_file == NULL)) {
        complain(o->program == NULL ? "eval: the program is missing"
                                    : "eval: there is a program and -f as well");
        return EXIT_WRONG;
    }
    if (o->resume && o->nout == 0) {
        complain("--resume: without --out nothing is kept");
        return EXIT_WRONG;
    }
    if (o->compress != NULL && o->nout == 0) {
        complain("--compress %s: without --out nothing is stored", o->compress);
        return EXIT_WRONG;
    }
    if (o->trace_file != NULL && (o->explain || o->graph_file != NULL)) {
        complain("--trace: with --explain or --graph nothing runs");
        return EXIT_WRONG;
    }
    if (o->scratch == NULL && o->nout == 0)
        o->scratch = getenv("TMPDIR");
    return EXIT_DONE;
}

int parse_options(command_set command, int argc, char **argv, cli_options *o)
{
    memset(o, 0, sizeof *o);
    int code = read_environment(o);
    bool has_ended = false; /* options, by a "--" */
    for (int i = 0; i < argc && code == EXIT_DONE; i++) {
        if (!has_ended && strcmp(argv[i], "--") == 0 && i + 1 < argc) {
            has_ended = command != EVAL;
            if (command == EVAL)
                code = read_word(command, o, argv[++i], true);
            continue;
        }
        const int option = has_ended ? -1
                                     : find_option(command, argv[i],
                                                   i + 1 < argc ? argv[i + 1] : NULL);
        code = option >= 0 ? read_option(o, option, argc, argv, &i)
                           : read_word(command, o, argv[i],
                                       has_ended || (command == EVAL && i == 0));
    }
    if (code == EXIT_DONE && command == EVAL)
        code = check_eval(o);
    if (o->scratch != NULL && o->scratch[0] == '\0')
        o->scratch = NULL;
    return code;
}
