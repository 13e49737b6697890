/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datasets of a file, by name.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void add_path(void *arg, const char *text, size_t bytes)
{
    path_list *list = arg;
    if (list->n == list->room) {
        const size_t room = list->room > 0 ? 2 * list->room : 64;
        char **more = realloc(list->path, room * sizeof *more);
        list->is_short = list->is_short || more == NULL;
        if (more == NULL)
            return;
        list->path = more;
        list->room = room;
    }
    char *path = strndup(text, bytes);
    list->is_short = list->is_short || path == NULL;
    if (path != NULL)
        list->path[list->n++] = path;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int paths_read(const cli_options *o, clast_ctx *ctx, const char *file, path_list *list)
{
    const clast_info_options options = {.untrusted = o->untrusted};
    const clast_status status =
        clast_hdf5_datasets_with(ctx, file, &options, add_path, list);
    if (status != CLAST_OK) {
        complain("%s", clast_ctx_error(ctx));
        return exit_code_of(status, false);
    }
    if (list->is_short) {
        complain("no memory for a list of datasets");
        return EXIT_WRONG;
    }
    if (list->n > 0)
        qsort(list->path, list->n, sizeof *list->path, by_name);
    return EXIT_DONE;
}

void paths_free(path_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->path[i]);
    free(list->path);
    *list = (path_list){0};
}
