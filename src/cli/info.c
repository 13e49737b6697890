/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast info: what is in a file, from its metadata alone.
 */
#include <string.h>

#include "cli.h"

static const char help[] = "clast info FILE[:/path]\n"
                           "\n"
                           "Describes an HDF5 file, or one object in it: names, "
                           "shapes, dtypes, chunks, filters,\n"
                           "sizes, attributes. Reads no data.\n";

int command_info(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    if (argc != 1) {
        complain("info: takes one argument, FILE or FILE:/path");
        return EXIT_WRONG;
    }
    const char *file = NULL, *path = NULL;
    split_place(argv[0], &file, &path);
    clast_ctx *ctx = clast_open(NULL);
    const clast_status status = clast_hdf5_info(ctx, file, path, write_stdout, NULL);
    if (status != CLAST_OK)
        complain("%s", clast_ctx_error(ctx));
    clast_close(&ctx);
    return exit_code_of(status, false);
}
