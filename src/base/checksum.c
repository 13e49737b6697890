/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four lanes of multiply and fold over 8-byte words; the last words are filled up with
 * zeros, and the number of bytes ends it.
 */
#include "base/checksum.h"

#include <stddef.h>
#include <string.h>

#define PRIME 0x9e3779b185ebca87u

static uint64_t fold(uint64_t lane, uint64_t word)
{
    lane = (lane ^ word) * PRIME;
    return lane ^ lane >> 29;
}

static const char *add_blocks(uint64_t *lane, const char *p, uint64_t n)
{
    uint64_t own[4] = {lane[0], lane[1], lane[2], lane[3]};
    for (; n > 0; n--, p += 32)
        for (int i = 0; i < 4; i++) {
            uint64_t word;
            memcpy(&word, p + 8 * i, 8);
            own[i] = fold(own[i], word);
        }
    memcpy(lane, own, sizeof own);
    return p;
}

void cl_checksum_begin(cl_checksum_state *s)
{
    *s = (cl_checksum_state){.lane = {PRIME, 1, ~PRIME, 2}};
}

void cl_checksum_add(cl_checksum_state *s, const void *data, uint64_t bytes)
{
    const size_t held = s->bytes % 32;
    const char *p = data;
    s->bytes += bytes;
    if (held + bytes < 32) {
        memcpy(s->rest + held, p, bytes);
        return;
    }
    if (held > 0) {
        memcpy(s->rest + held, p, 32 - held);
        add_blocks(s->lane, (const char *)s->rest, 1);
        p += 32 - held;
        bytes -= 32 - held;
    }
    p = add_blocks(s->lane, p, bytes / 32);
    memcpy(s->rest, p, bytes % 32);
}

uint64_t cl_checksum_end(const cl_checksum_state *s)
{
    uint64_t lane[4], sum = s->bytes * PRIME;
    memcpy(lane, s->lane, sizeof lane);
    if (s->bytes % 32 > 0) {
        char last[32] = {0};
        memcpy(last, s->rest, s->bytes % 32);
        add_blocks(lane, last, 1);
    }
    for (int i = 0; i < 4; i++)
        sum = (sum ^ lane[i]) * PRIME + (sum >> 31);
    return sum ^ sum >> 32;
}

uint64_t cl_checksum(const void *data, uint64_t bytes)
{
    cl_checksum_state s;
    cl_checksum_begin(&s);
    cl_checksum_add(&s, data, bytes);
    return cl_checksum_end(&s);
}
