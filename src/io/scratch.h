/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scratch: an unlinked temporary file of page-multiple slots, with positioned I/O and
 * checksums.
 *
 * O_TMPFILE, else mkostemp and unlink, so nothing is left after any kind of death.
 * Slots of equal size are reused; space is reserved ahead (fallocate) so that a full
 * disk is found early. A checksum per slot is kept in memory and verified on the
 * way back. Written bytes are pushed to disk behind the writer and dropped from the
 * page cache. Thread-safe.
 */
#ifndef CL_IO_SCRATCH_H
#define CL_IO_SCRATCH_H

#include <stdint.h>

#include "base/status.h"

typedef struct cl_scratch cl_scratch;

/* A new file in the folder without a name, for reading and writing; -1 and errno. */
int cl_scratch_file(const char *folder);

clast_status cl_scratch_open(cl_scratch **scratch, const char *folder, cl_error *err);
void cl_scratch_close(cl_scratch *scratch); /* NULL is legal */
/* Writes bytes; *slot names the place. */
clast_status cl_scratch_write(cl_scratch *scratch, const void *data, uint64_t bytes,
                              uint64_t *slot, cl_error *err);
clast_status cl_scratch_read(cl_scratch *scratch, uint64_t slot, void *data,
                             uint64_t bytes, cl_error *err);
void cl_scratch_release(cl_scratch *scratch, uint64_t slot);
/* Sets room aside for so many bytes besides those that slots hold, and for some more
 * where the disk has it, as slots of one size are no room for another; kept until
 * cl_scratch_unreserve(). Does nothing where the file system cannot: room is asked for
 * as slots are made. On an error all is as it was. */
clast_status cl_scratch_reserve(cl_scratch *scratch, uint64_t bytes, cl_error *err);
void cl_scratch_unreserve(cl_scratch *scratch);
uint64_t cl_scratch_bytes(const cl_scratch *scratch); /* now allotted in the file */
/* Bytes free in the folder's file system. */
clast_status cl_scratch_room(const char *folder, uint64_t *bytes, cl_error *err);

#endif
