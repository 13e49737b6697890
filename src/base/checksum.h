/* SPDX-License-Identifier: BSD-3-Clause */
/* A checksum of bytes that were stored and come back: it finds damage, not malice. */
#ifndef CL_BASE_CHECKSUM_H
#define CL_BASE_CHECKSUM_H

#include <stdint.h>

/* Of 32 bytes at a time; how they are cut into pieces makes no difference. The same in
 * every version, on machines of one byte order: files hold it. */
typedef struct {
    uint64_t lane[4], bytes;
    unsigned char rest[32]; /* bytes % 32 of them */
} cl_checksum_state;

void cl_checksum_begin(cl_checksum_state *s);
void cl_checksum_add(cl_checksum_state *s, const void *data, uint64_t bytes);
uint64_t cl_checksum_end(const cl_checksum_state *s);

/* All three. About 10 GB/s. */
uint64_t cl_checksum(const void *data, uint64_t bytes);

#endif
