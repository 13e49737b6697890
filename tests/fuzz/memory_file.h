/* SPDX-License-Identifier: BSD-3-Clause */
/* Files without a name for fuzz targets, used again for each input. */
#ifndef CL_TESTS_FUZZ_MEMORY_FILE_H
#define CL_TESTS_FUZZ_MEMORY_FILE_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Opened where *fd is negative; then it holds these bytes, to be read from the
 * first. */
static inline void memory_file_set(int *fd, const void *bytes, size_t n)
{
    if (*fd < 0)
        *fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, 0) != 0 || pwrite(*fd, bytes, n, 0) != (ssize_t)n ||
        lseek(*fd, 0, SEEK_SET) != 0)
        abort();
}

#endif
