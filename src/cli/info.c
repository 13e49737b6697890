/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast info: what is in a file, from its metadata alone; as text or as JSON.
 */
#include <string.h>

#include "cli.h"

static const char help[] = "clast info [--json] FILE[:/path]\n"
                           "\n"
                           "Describes an HDF5 file, or one object in it: names, "
                           "shapes, dtypes, chunks, filters,\n"
                           "sizes, attributes. Reads no data.\n"
                           "\n"
                           "  --json              as one JSON object, with the values "
                           "of attributes\n";

static int describe(bool is_json, const char *file, const char *path)
{
    clast_ctx *ctx = clast_open(NULL);
    const clast_status status =
        is_json ? clast_hdf5_info_json(ctx, file, path, write_stdout, NULL)
                : clast_hdf5_info(ctx, file, path, write_stdout, NULL);
    if (status != CLAST_OK)
        complain("%s", clast_ctx_error(ctx));
    clast_close(&ctx);
    return exit_code_of(status, false);
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
    return describe(o.json, file, path);
}
