/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The `clast` command: picks the subcommand, knows the exit codes.
 *
 * 0 done; 1 the run failed; 2 the command line, the program or what the files say of
 * themselves is wrong; 3 it does not fit into the memory; 129, 130 and 143 interrupted.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Messages have names of files in them: lines, but nothing else that a terminal obeys.
 */
static void write_lines(FILE *to, char *text)
{
    for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        write_plain(to, text);
        fputc('\n', to);
    }
    write_plain(to, text);
}

void complain(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    flockfile(stderr);
    progress_hide();
    fputs("clast: ", stderr);
    if (text != NULL)
        write_lines(stderr, text);
    fputc('\n', stderr);
    funlockfile(stderr);
    free(text);
}

int exit_code_of(clast_status status, bool is_running)
{
    switch (status) {
    case CLAST_OK:
        return EXIT_DONE;
    case CLAST_EBUDGET:
        return EXIT_NO_FIT;
    case CLAST_ECANCELED:
        return interrupt_code() != 0 ? interrupt_code() : EXIT_FAILED;
    case CLAST_EEXIST:
    case CLAST_EACCESS:
    case CLAST_ENOENT:
    case CLAST_ENAME:
    case CLAST_ENOTSUP:
    case CLAST_EVALUE:
        return EXIT_WRONG;
    default:
        return is_running ? EXIT_FAILED : EXIT_WRONG;
    }
}

int finish_stdout(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    complain("standard output: %s", strerror(errno));
    return code != EXIT_DONE ? code : EXIT_FAILED;
}

void write_stdout(void *arg, const char *text, size_t bytes)
{
    fwrite(text, 1, bytes, stdout);
}

static const char help[] =
    "clast: formulas over HDF5 datasets larger than memory\n"
    "\n"
    "  clast eval PROGRAM --in NAME=FILE:/path ... [--out [NAME=]FILE:/path] ...\n"
    "  clast copy IN[:/group] OUT [--chunks N,N] [--compress KIND]\n"
    "  clast diff A[:/x] B[:/x]\n"
    "  clast info [--json] [--check] FILE[:/path]\n"
    "  clast --version\n"
    "\n"
    "eval computes, copy stores a whole file in other chunks or compression, diff "
    "compares\n"
    "datasets or files, info describes and checks. clast COMMAND --help has all "
    "options.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"eval", command_eval},
    {"copy", command_copy},
    {"diff", command_diff},
    {"info", command_info},
};

/* After a failure without exit handlers: libhdf5's own one crashes when a file could
 * not be closed because the disk was full. All is closed and flushed here. */
static _Noreturn void leave(int code)
{
    if (code == EXIT_DONE)
        exit(code);
    fflush(NULL);
    _exit(code);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(help, stderr);
        return EXIT_WRONG;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("clast " CLAST_VERSION);
        return finish_stdout(EXIT_DONE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, stdout);
        return finish_stdout(EXIT_DONE);
    }
    clast_set_hdf5_lock(NULL, NULL, NULL); /* nobody else here calls libhdf5 */
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            leave(finish_stdout(commands[i].run(argc - 2, argv + 2)));
    complain("there is no command '%s': eval, copy, diff and info are", argv[1]);
    return EXIT_WRONG;
}
