/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast copy: a file with its datasets in other chunks, or compressed otherwise.
 */
#include <string.h>

#include "cli.h"

static const char help[] =
    "clast copy IN[:/group] OUT\n"
    "\n"
    "Copies an HDF5 file, or what is in one of its groups, and stores its datasets "
    "another\n"
    "way:\n"
    "\n"
    "  clast copy in.h5 out.h5 --chunks 512,512 --compress gzip:4\n"
    "\n"
    "Everything is copied, and no value changes. Datasets of strings, of compounds "
    "and others\n"
    "that are not numbers stay stored as they are.\n"
    "\n"
    "  --chunks N,N,...    of all datasets with so many dimensions (-1: the whole "
    "axis);\n"
    "                      auto: near 1 MiB, of all datasets\n"
    "  --chunks PATH=N,... of one dataset, or PATH=auto; --chunks may come several "
    "times\n"
    "  --compress KIND     same (default), none, gzip:1 to gzip:9, lzf, lz4, "
    "zstd[:LEVEL],\n"
    "                      blosc[:CODEC[:LEVEL]], bitshuffle[:CODEC[:LEVEL]]\n"
    "  --overwrite         replace OUT where it exists; it may be IN\n"
    "  --memory SIZE       the budget: 2G, 256M or 50% (default: half of what is "
    "there)\n"
    "  --workers N         (default: the processors that this process may use)\n"
    "  --scratch DIR       where blocks go that do not fit (default: beside OUT)\n"
    "  --block SIZE        of the tiles that are moved at once (default: 4M)\n"
    "  --stats[=json:FILE] what it took, on stderr or in FILE\n"
    "  --progress          how far it is, on stderr\n"
    "  --quiet             no messages but errors\n"
    "  --no-sync           skip the fsyncs\n"
    "\n"
    "CLAST_MEMORY, CLAST_WORKERS and CLAST_SCRATCH stand for options that are not "
    "given.\n"
    "Exit codes: 0 done, 1 the copy failed, 2 command line or metadata wrong, 3 does "
    "not fit,\n"
    "129, 130 and 143 hung up on, interrupted, terminated.\n";

static clast_status copy(const cli_options *o, clast_ctx *ctx)
{
    clast_copy_chunks chunks[MAX_RULES];
    const char *file = NULL, *group = NULL;
    for (int i = 0; i < o->nrule; i++)
        chunks[i] =
            (clast_copy_chunks){o->rule[i].path, o->rule[i].n, o->rule[i].length};
    const clast_copy_options options = {.nchunks = o->nrule,
                                        .chunks = chunks,
                                        .compress = o->compress,
                                        .overwrite = o->overwrite,
                                        .no_sync = o->no_sync};
    split_place(o->word[0], &file, &group);
    return clast_hdf5_copy(ctx, file, group, o->word[1], &options);
}

static int run(const cli_options *o, clast_ctx *ctx)
{
    const clast_status status = copy(o, ctx);
    const clast_stats stats = clast_ctx_stats(ctx);
    if (status == CLAST_EFORMAT && stats.tasks == 0) { /* found before anything ran */
        complain("%s", clast_ctx_error(ctx));
        return EXIT_WRONG;
    }
    if (status != CLAST_OK)
        return session_failed(ctx, status);
    const clast_options settled = clast_ctx_options(ctx);
    if (!o->quiet)
        progress_done(&stats);
    return o->stats ? write_stats(o, &settled, &stats) : EXIT_DONE;
}

int command_copy(int argc, char **argv)
{
    static cli_options o;
    clast_ctx *ctx = NULL;
    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    int code = parse_options(COPY, argc, argv, &o);
    if (code == EXIT_DONE && o.nword != 2) {
        complain("copy: takes two arguments, IN or IN:/group, and OUT");
        code = EXIT_WRONG;
    }
    if (code == EXIT_DONE)
        code = report_check("--stats", o.stats_file);
    if (code == EXIT_DONE)
        code = session_open(&o, &ctx);
    if (code == EXIT_DONE)
        code = run(&o, ctx);
    session_close(&ctx);
    return code;
}
