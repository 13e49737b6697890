/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads datasets as Clast stores sees them, for foreign.py: reader FILE OUT [HELPER].
 * With a helper the file is untrusted.
 *
 * Two lines of stdin are the path of a dataset, and where to begin and how many
 * elements to read on each axis (empty: everything). The answer is a line: "read WAY
 * DTYPE BYTES", and the elements are appended to OUT in C order; or "refused STATUS
 * MESSAGE". Data is read raw, as the file has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/shape.h"
#include "io/hdf5_source.h"

#define MOST ((uint64_t)256 << 20)

static const char *const ways[] = {[CL_ACCESS_NONE] = "fill",
                                   [CL_ACCESS_CONTIGUOUS] = "contiguous",
                                   [CL_ACCESS_CHUNKED] = "chunked",
                                   [CL_ACCESS_FILTERED] = "filtered",
                                   [CL_ACCESS_LIBRARY] = "libhdf5"};

/* False: these are not two numbers for each axis, within the shape. */
static bool parse_box(const char *text, const cl_shape *shape, cl_box *box)
{
    *box = cl_box_whole(shape);
    if (*text == '\0')
        return true;
    for (int a = 0; a < shape->ndim; a++) {
        char *end;
        box->lo[a] = strtoll(text, &end, 10);
        box->n[a] = strtoll(end, &end, 10);
        if (end == text || box->lo[a] < 0 || box->n[a] < 0 ||
            box->lo[a] > shape->dim[a] - box->n[a])
            return false;
        text = end;
    }
    return *text == '\0';
}

static clast_status read_box(cl_source *source, const char *wanted, FILE *out,
                             uint64_t *bytes, cl_error *err)
{
    const cl_source_info *info = cl_source_get_info(source);
    cl_box box;
    if (!parse_box(wanted, &info->shape, &box))
        return cl_error_set(err, CLAST_EVALUE, "not a box of it: %s", wanted);
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

/* Whatever it asks for; foreign.py limits what a process has. */
static clast_status charge(void *arg, uint64_t bytes, cl_error *err)
{
    (void)arg, (void)bytes, (void)err;
    return CLAST_OK;
}

static void uncharge(void *arg, uint64_t bytes)
{
    (void)arg, (void)bytes;
}

static void read_one(const char *file, const char *helper, const char *path,
                     const char *wanted, FILE *out)
{
    bool is_told = false;
    const cl_untrusted how = {
        .helper = helper, .is_told = &is_told, .charge = charge, .uncharge = uncharge};
    cl_error err = {0};
    cl_source *source;
    uint64_t bytes = 0;
    clast_status status =
        helper ? cl_source_open_untrusted(&source, file, path, true, &how, &err)
               : cl_source_open_hdf5(&source, file, path, CL_READ_STORED, NULL, &err);
    if (status == CLAST_OK)
        status = read_box(source, wanted, out, &bytes, &err);
    if (status == CLAST_OK)
        printf("read %s %s %llu\n", ways[((cl_hdf5_source *)source)->access],
               clast_dtype_name(cl_source_get_info(source)->dtype),
               (unsigned long long)bytes);
    else
        printf("refused %s %s\n", clast_status_name(status), err.text);
    cl_source_close(source);
}

/* A line without its end. */
static bool read_line(char *text, int size)
{
    if (!fgets(text, size, stdin))
        return false;
    text[strcspn(text, "\n")] = '\0';
    return true;
}

int main(int argc, char **argv)
{
    char path[8192], wanted[2048];
    FILE *out = argc == 3 || argc == 4 ? fopen(argv[2], "wb") : NULL;
    if (!out) {
        fputs("usage: reader FILE OUT [HELPER]\n", stderr);
        return 2;
    }
    while (read_line(path, sizeof path) && read_line(wanted, sizeof wanted)) {
        read_one(argv[1], argv[3], path, wanted, out);
        fflush(out);
        fflush(stdout);
    }
    fclose(out);
    return 0;
}
