/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many files as one input: cat(AXIS, FILES:/path) and stack(AXIS, FILES:/path).
 *
 * FILES are names, patterns of glob(7) and @LIST, a file of names, one a line; between
 * commas. The matches of a pattern are sorted by their bytes, names keep the order that
 * they are given in.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MOST_AXIS = CLAST_NO_AXIS - 1 }; /* numbers beyond it mean it */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool is_many(const place *p)
{
    const size_t n = strlen(p->path);
    return (begins(p->file, "cat(") || begins(p->file, "stack(")) &&
           p->path[n - 1] == ')';
}

static int no_memory(const char *option)
{
    complain("%s: the process is out of memory", option);
    return EXIT_NO_FIT;
}

static bool add(file_list *l, const char *name)
{
    if (l->n == l->room) {
        const int room = l->room == 0 ? 64 : 2 * l->room;
        char **more = realloc(l->file, (size_t)room * sizeof *more);
        if (more == NULL)
            return false;
        l->file = more;
        l->room = room;
    }
    l->file[l->n] = strdup(name);
    return l->file[l->n++] != NULL;
}

void file_list_free(file_list *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->file[i]);
    free(l->file);
    free(l->text);
    free(l->path);
    *l = (file_list){0};
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_matches(file_list *l, const char *option, const char *pattern)
{
    glob_t found;
    const int result = glob(pattern, GLOB_NOSORT, NULL, &found);
    bool is_added = true;
    if (result == GLOB_NOMATCH)
        complain("%s: no file matches '%s'", option, pattern);
    else if (result != 0)
        complain("%s: '%s': %s", option, pattern,
                 result == GLOB_NOSPACE ? "out of memory" : "a folder cannot be read");
    if (result != 0)
        return EXIT_WRONG;
    qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, compare);
    for (size_t i = 0; i < found.gl_pathc && is_added; i++)
        is_added = add(l, found.gl_pathv[i]);
    globfree(&found);
    return is_added ? EXIT_DONE : no_memory(option);
}

static int add_list(file_list *l, const char *option, const char *name)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    bool is_added = true;
    FILE *from = fopen(name, "r");
    if (from == NULL) {
        complain("%s: @%s: %s", option, name, strerror(errno));
        return EXIT_WRONG;
    }
    while (is_added && (n = getline(&line, &room, from)) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        is_added = line[0] == '\0' || add(l, line);
    }
    const bool is_broken = ferror(from) != 0;
    free(line);
    fclose(from);
    if (is_broken) {
        complain("%s: @%s: it cannot be read", option, name);
        return EXIT_WRONG;
    }
    return is_added ? EXIT_DONE : no_memory(option);
}

/* The text without spaces around it, in place. */
static char *trim(char *text)
{
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n > 0 && strchr(" \t", text[n - 1]) != NULL; n--)
        text[n - 1] = '\0';
    return text;
}

/* What is before the next comma; *rest is what is behind it, or NULL. */
static char *cut(char **rest)
{
    char *text = *rest, *comma = strchr(text, ',');
    *rest = comma != NULL ? comma + 1 : NULL;
    if (comma != NULL)
        *comma = '\0';
    return trim(text);
}

static int add_item(file_list *l, const char *option, const char *item)
{
    if (item[0] == '@')
        return add_list(l, option, item + 1);
    if (strpbrk(item, "*?[") != NULL)
        return add_matches(l, option, item);
    return add(l, item) ? EXIT_DONE : no_memory(option);
}

/* Cuts l->text into the axis and the files. */
static int read_files(file_list *l, const char *option)
{
    char *end = NULL, *rest = strchr(l->text, '(') + 1;
    l->axis_name = cut(&rest);
    const long axis = strtol(l->axis_name, &end, 10);
    if (end != l->axis_name && *end == '\0') {
        l->axis_name = NULL;
        l->axis = axis < -MOST_AXIS  ? -MOST_AXIS
                  : axis > MOST_AXIS ? MOST_AXIS
                                     : (int)axis;
    }
    int code = EXIT_DONE;
    while (code == EXIT_DONE && rest != NULL) {
        const char *item = cut(&rest);
        if (item[0] != '\0')
            code = add_item(l, option, item);
    }
    if (code == EXIT_DONE && l->n == 0) {
        complain("%s: '%s' names no files: it is written as %s(AXIS, FILES:/path)",
                 option, l->text, l->is_stack ? "stack" : "cat");
        code = EXIT_WRONG;
    }
    return code;
}

int read_many(const char *option, place *p)
{
    file_list *l = &p->many;
    *l = (file_list){.is_stack = begins(p->file, "stack("),
                     .text = strdup(p->file),
                     .path = strdup(p->path)};
    if (l->text == NULL || l->path == NULL)
        return no_memory(option);
    l->path[strlen(l->path) - 1] = '\0'; /* the bracket */
    p->path = l->path;
    return read_files(l, option);
}
