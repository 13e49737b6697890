/* SPDX-License-Identifier: BSD-3-Clause */
/* Copying a whole file in the cheapest way that the file system has. */
#ifndef CL_IO_FILE_COPY_H
#define CL_IO_FILE_COPY_H

#include <stdatomic.h>
#include <stdbool.h>

/* Whether `to` now shares all blocks of `from`, which costs no copying. */
bool cl_file_clone(int from, int to);

/* All bytes of `from` to the empty file `to`: a reflink, else copied by the kernel,
 * else read and written. 0 or an errno; ECANCELED where *is_canceled (which may be
 * NULL) came to be true. */
int cl_file_copy(int from, int to, const atomic_bool *is_canceled);

#endif
