/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --graph: the plan as a drawing, in Graphviz' language or, by its `dot`, as SVG.
 *
 * dot is started without a shell; it reads the text from a temporary file and writes to
 * another one, so that no pipe can block either side.
 */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

extern char **environ;

typedef struct {
    clast_ctx *ctx;
    int n;
    const clast_sink *sink;
} drawing;

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);
    return n > m && strcmp(text + n - m, suffix) == 0;
}

bool is_graph_file(const char *file)
{
    return has_suffix(file, ".dot") || has_suffix(file, ".svg");
}

static void write_file(void *arg, const char *text, size_t bytes)
{
    fwrite(text, 1, bytes, arg);
}

static int write_dot(FILE *to, void *arg)
{
    const drawing *d = arg;
    const clast_status status = clast_graph(d->ctx, d->n, d->sink, write_file, to);
    if (status != CLAST_OK)
        complain("%s", clast_ctx_error(d->ctx));
    return exit_code_of(status, false);
}

/* 0, or the message is written. */
static int run_dot(char *from, FILE *to)
{
    static char dot[] = "dot", svg[] = "-Tsvg";
    char *const argv[] = {dot, svg, from, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(to), STDOUT_FILENO);
    const int error = posix_spawnp(&child, dot, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        complain(
            "--graph: Graphviz' dot, which makes SVG, cannot be run: %s. It needs no "
            "dot to write FILE.dot",
            strerror(error));
        return EXIT_FAILED;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return EXIT_DONE;
    complain("--graph: dot failed");
    return EXIT_FAILED;
}

static int write_svg(FILE *to, void *arg)
{
    const char *folder = getenv("TMPDIR");
    char name[4096];
    if (folder == NULL || strlen(folder) + 32 > sizeof name)
        folder = "/tmp";
    snprintf(name, sizeof name, "%s/clast-graph-XXXXXX", folder);
    const int fd = mkstemp(name);
    FILE *text = fd >= 0 ? fdopen(fd, "w") : NULL;
    int code = text != NULL ? write_dot(text, arg) : EXIT_FAILED;
    const bool is_written = text != NULL && fclose(text) == 0;
    if (!is_written) {
        complain("--graph: %s: %s", name, strerror(errno));
        code = EXIT_FAILED;
    }
    if (code == EXIT_DONE)
        code = run_dot(name, to);
    unlink(name);
    return code;
}

int draw_graph(const char *file, clast_ctx *ctx, int n, const clast_sink *sink)
{
    drawing d = {ctx, n, sink};
    const bool is_dot = has_suffix(file, ".dot");
    return report_write("--graph", file, is_dot ? write_dot : write_svg, &d);
}
