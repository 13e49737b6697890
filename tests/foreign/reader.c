/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads datasets as Clast stores sees them, for foreign.py: reader FILE OUT.
 *
 * Each line of stdin is the path of a dataset. The answer is a line: "read WAY DTYPE
 * BYTES", and the elements are appended to OUT in C order; or "refused STATUS MESSAGE".
 * Data is read raw, as the file has it.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "io/hdf5_source.h"

#define MOST ((uint64_t)256 << 20)

static const char *const ways[] = {[CL_ACCESS_NONE] = "fill",
                                   [CL_ACCESS_CONTIGUOUS] = "contiguous",
                                   [CL_ACCESS_CHUNKED] = "chunked",
                                   [CL_ACCESS_FILTERED] = "filtered",
                                   [CL_ACCESS_LIBRARY] = "libhdf5"};

static clast_status read_all(cl_source *source, FILE *out, uint64_t *bytes,
                             cl_error *err)
{
    const cl_source_info *info = cl_source_get_info(source);
    const cl_box box = cl_box_whole(&info->shape);
    const uint64_t staging_bytes = cl_source_staging(source, &box);
    uint64_t stored = 0;
    *bytes = (uint64_t)cl_box_count(&box) * clast_dtype_size(info->dtype);
    if (*bytes > MOST || staging_bytes > 4 * MOST)
        return cl_error_set(err, CLAST_ENOMEM, "too large for this test");
    void *dst = cl_alloc(*bytes + 1), *staging = cl_alloc(staging_bytes + 1);
    clast_status status =
        dst && staging ? CLAST_OK : cl_error_set(err, CLAST_ENOMEM, "too large");
    if (status == CLAST_OK)
        status = cl_source_fetch(source, &box, dst, staging, &stored, err);
    if (status == CLAST_OK)
        status = cl_source_decode(source, &box, dst, staging, err);
    if (status == CLAST_OK)
        fwrite(dst, 1, *bytes, out);
    cl_free(dst);
    cl_free(staging);
    return status;
}

static void read_one(const char *file, const char *path, FILE *out)
{
    cl_error err = {0};
    cl_source *source;
    uint64_t bytes;
    clast_status status = cl_source_open_hdf5(&source, file, path, true, NULL, &err);
    if (status == CLAST_OK)
        status = read_all(source, out, &bytes, &err);
    if (status == CLAST_OK)
        printf("read %s %s %llu\n", ways[((cl_hdf5_source *)source)->access],
               clast_dtype_name(cl_source_get_info(source)->dtype),
               (unsigned long long)bytes);
    else
        printf("refused %s %s\n", clast_status_name(status), err.text);
    cl_source_close(source);
}

int main(int argc, char **argv)
{
    char path[8192];
    FILE *out = argc == 3 ? fopen(argv[2], "wb") : NULL;
    if (!out) {
        fputs("usage: reader FILE OUT\n", stderr);
        return 2;
    }
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = '\0';
        read_one(argv[1], path, out);
        fflush(out);
        fflush(stdout);
    }
    fclose(out);
    return 0;
}
