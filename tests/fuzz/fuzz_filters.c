/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: undoing the filters of a chunk, for any pipeline and any stored bytes.
 *
 * An input is a little program: the size of an element, the number of elements, the
 * chunk's filter mask, the filters with their parameters, then the stored bytes. Input,
 * output and work are allocated at exactly their sizes, so that the sanitizer sees each
 * byte out of bounds. That the result depends on the input alone is checked by undoing
 * it twice over different old contents.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "io/filters.h"

static const uint32_t ids[] = {1, 2, 3, 32000, 32001, 32004, 32008, 32015, 4, 99};
enum { IDS = sizeof ids / sizeof *ids, ELEMENTS = 2048 };

typedef struct {
    const uint8_t *at;
    size_t left;
} input;

static uint32_t take(input *in, size_t bytes)
{
    uint32_t number = 0;
    for (size_t i = 0; i < bytes && in->left > 0; i++, in->at++, in->left--)
        number |= (uint32_t)*in->at << 8 * i;
    return number;
}

static bool take_filters(input *in, cl_filters *filters)
{
    cl_filters_init(filters, 1 + take(in, 1) % 16);
    const int n = (int)(take(in, 1) % 4);
    bool is_ours = true;
    for (int i = 0; i < n && is_ours; i++) {
        unsigned value[8] = {0};
        const uint32_t id = ids[take(in, 1) % IDS], values = take(in, 1) % 9;
        for (uint32_t v = 0; v < values; v++)
            value[v] = take(in, 4);
        is_ours = cl_filters_add(filters, id, i, value, values);
    }
    return is_ours;
}

static uint8_t *filled(size_t bytes, int with)
{
    uint8_t *p = malloc(bytes ? bytes : 1);
    if (!p)
        abort();
    memset(p, with, bytes);
    return p;
}

static bool undo(const cl_filters *filters, uint32_t mask, const input *in,
                 uint8_t *out, size_t bytes)
{
    const char *what = NULL;
    cl_unpacker unpacker;
    uint8_t *work = filled(bytes, 0x5a), *stored = filled(in->left, 0);
    memcpy(stored, in->at, in->left);
    if (!cl_unpacker_open(&unpacker, filters))
        abort();
    const bool is_good =
        cl_filters_undo(&unpacker, mask, stored, in->left, out, work, bytes, &what);
    if (!is_good && !what)
        abort(); /* no reason given */
    cl_unpacker_close(&unpacker);
    free(work);
    free(stored);
    return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, size};
    cl_filters filters;
    const size_t elements = take(&in, 2) % ELEMENTS;
    const uint32_t mask = take(&in, 1);
    if (!take_filters(&in, &filters))
        return 0;
    const size_t bytes = elements * filters.item;
    if (in.left > cl_filters_bound(&filters, bytes))
        return 0; /* what is read never gets so far */
    uint8_t *one = filled(bytes, 0), *other = filled(bytes, 0xff);
    const bool is_good = undo(&filters, mask, &in, one, bytes);
    if (undo(&filters, mask, &in, other, bytes) != is_good ||
        (is_good && memcmp(one, other, bytes) != 0))
        abort(); /* something of the result was not written */
    free(one);
    free(other);
    return 0;
}
