/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program of MPI that lets Clast live in each of its ranks: mpi_host FILE ROWS. Each
 * rank adds its share of the rows of FILE:/x with a part of the memory and writes it to
 * a file of its own; rank 0 prints the sum of all. Then all ranks write one file at the
 * same time: one of them at least is done, and what is refused names the file.
 */
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <clast.h>

static void expect(int is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "%s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

int main(int argc, char **argv)
{
    int rank = 0, size = 1, level = 0, done = 0, all = 0;
    char name[4096];
    if (argc != 3)
        return 2;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const int64_t rows = strtoll(argv[2], NULL, 10);
    double part = 0, sum = 0;
    const clast_buffer into = {&part, sizeof part, CLAST_FLOAT64, 0, NULL, NULL};

    clast_ctx *ctx = clast_open(
        &(clast_options){.memory = CLAST_MIB(64) / (uint64_t)size, .workers = 1});
    clast_array *mine = clast_slice(clast_from_hdf5(ctx, argv[1], "/x"), 0,
                                    rows * rank / size, rows * (rank + 1) / size, 1);
    expect(clast_fetch(clast_sum(mine, CLAST_ALL), &into) == CLAST_OK,
           clast_ctx_error(ctx));
    snprintf(name, sizeof name, "%s.%d", argv[1], rank);
    expect(clast_to_hdf5(mine, name, "/part", NULL) == CLAST_OK, clast_ctx_error(ctx));
    MPI_Reduce(&part, &sum, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);

    snprintf(name, sizeof name, "%s.all", argv[1]);
    MPI_Barrier(MPI_COMM_WORLD);
    clast_array *whole = clast_from_hdf5(ctx, argv[1], "/x");
    done = clast_to_hdf5(whole, name, "/x", &(clast_hdf5_options){.overwrite = true}) ==
           CLAST_OK;
    expect(done || strstr(clast_ctx_error(ctx), name) != NULL, clast_ctx_error(ctx));
    clast_close(&ctx);
    MPI_Reduce(&done, &all, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    expect(rank != 0 || all >= 1, "no rank has written the file");
    if (rank == 0)
        printf("%.17g\n", sum);
    MPI_Finalize();
    return 0;
}
