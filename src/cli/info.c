/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast info: what is in a file, from its metadata alone; as text or as JSON.
 */
#include <string.h>

#include "cli.h"

static const char help[] =
    "clast info [--json] [--check] FILE[:/path]\n"
    "\n"
    "Describes an HDF5 file, or one object in it: names, "
    "shapes, dtypes, chunks, filters,\n"
    "sizes, attributes. Reads no data but with "
    "--check.\n"
    "\n"
    "  --json              as one JSON object, with the values "
    "of attributes\n"
    "  --check             reads all datasets of numbers: "
    "elements, NaNs, fill values,\n"
    "                      min, max, mean of the "
    "others; names damaged chunks\n"
    "  --untrusted         open the file with libhdf5 in "
    "another process only:\n"
    "                      for files that nobody vouches "
    "for\n"
    "  --memory SIZE, --workers N, --scratch DIR, --block SIZE, "
    "--progress, --quiet\n"
    "                      for --check, as in clast eval\n"
    "\n"
    "Exit codes: 0 done, 1 --check found damage or did not read all, 2 command line "
    "or metadata wrong, 3 does\n"
    "not fit, 129, 130 and 143 hung up on, interrupted, "
    "terminated.\n";

static int describe(const cli_options *o, const char *file, const char *path)
{
    clast_ctx *ctx = NULL;
    const clast_info_options options = {.json = o->json, .untrusted = o->untrusted};
    int code = session_open(o, &ctx);
    if (code == EXIT_DONE) {
        const clast_status status =
            clast_hdf5_info_with(ctx, file, path, &options, write_stdout, NULL);
        if (status != CLAST_OK)
            complain("%s", clast_ctx_error(ctx));
        code = exit_code_of(status, false);
    }
    session_close(&ctx);
    return code;
}

static int check(const cli_options *o, const char *file, const char *path)
{
    clast_ctx *ctx = NULL;
    path_list list = {0};
    char one[4096];
    char *const only[] = {one};
    int code = session_open(o, &ctx);
    session_without_hints(o, ctx);
    if (path != NULL)
        snprintf(one, sizeof one, "%s", path);
    else if (code == EXIT_DONE)
        code = paths_read(o, ctx, file, &list);
    if (code == EXIT_DONE)
        code = check_datasets(o, ctx, file, path != NULL ? 1 : list.n,
                              path != NULL ? only : list.path);
    paths_free(&list);
    session_close(&ctx);
    return code;
}

int command_info(int argc, char **argv)
{
    static cli_options o;
    const char *file = NULL, *path = NULL;
    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    const int code = parse_options(INFO, argc, argv, &o);
    if (code != EXIT_DONE)
        return code;
    if (o.nword != 1) {
        complain("info: takes one argument, FILE or FILE:/path");
        return EXIT_WRONG;
    }
    split_place(o.word[0], &file, &path);
    return o.check ? check(&o, file, path) : describe(&o, file, path);
}
