/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the classification of a dataset. An input is an HDF5 file; libhdf5 opens
 * it in this process, which is what helpers do and nobody else, and what it answers
 * decides how /x is read (hdf5_classify.c), how its attributes decode it, and what a
 * helper would say of it.
 *
 * What is accepted must be sound: an element count that a size holds, chunks that are
 * not empty, a reading that asks for memory that can be counted.
 *
 * libhdf5 is not instrumented, and does not survive every file. So the fuzzer runs this
 * target in processes of its own and goes on after a crash; whose it was, ours or
 * libhdf5's, is told by the frame on top (scripts/fuzz_crashes.py). No corpus of it is
 * replayed by other builds.
 */
#include "fuzz_target.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/dtype.h"
#include "io/store.h"

static void check(const cl_source_info *info)
{
    uint64_t bytes = clast_dtype_size(info->dtype);
    if (info->shape.ndim < 0 || info->shape.ndim > CL_MAXDIM || bytes == 0)
        abort();
    for (int a = 0; a < info->shape.ndim; a++) {
        if (info->shape.dim[a] < 0 || (info->has_chunks && info->chunk[a] <= 0))
            abort();
        if (info->shape.dim[a] == 0)
            return;
    }
    for (int a = 0; a < info->shape.ndim; a++)
        if (__builtin_mul_overflow(bytes, (uint64_t)info->shape.dim[a], &bytes))
            abort();
}

/* In the working folder: libhdf5 wants a name that leads somewhere. */
static void write_file(const uint8_t *data, size_t size, char *name, size_t room)
{
    snprintf(name, room, "input-%d.h5", (int)getpid());
    const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];
    write_file(data, size, name, sizeof name);
    for (int raw = 0; raw < 2; raw++) {
        cl_error err = {0};
        cl_source *source = NULL;
        const clast_status status =
            cl_source_open_hdf5(&source, name, "/x", raw, NULL, &err);
        if (status == CLAST_OK)
            check(cl_source_get_info(source));
        else if (err.text[0] == '\0')
            abort(); /* no reason given */
        cl_source_close(source);
    }
    unlink(name);
    return 0;
}
