/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pipelines, and Fletcher's checksum.
 *
 * Reading undoes the stages from the last to the first: the checksum is verified and
 * taken off, the codec decodes to out (or to work, where a shuffle comes after), the
 * shuffle transposes to out. So one chunk of work is enough for any pipeline, and the
 * buffer that is not the codec's target is its scratch memory.
 *
 * HDF5's fletcher32 sums big-endian 16-bit words modulo 65535 and is stored little
 * endian; libraries up to 1.6.2 stored it with the bytes of each half swapped, which is
 * accepted when reading, as HDF5 does.
 */
#include "io/filters.h"

#include <libdeflate.h>
#include <string.h>

#include "io/shuffle.h"

enum { DEFLATE = 1, SHUFFLE = 2, FLETCHER = 3, BITSHUFFLE = 32008 };

cl_packer *cl_packer_new(int level)
{
    return libdeflate_alloc_compressor(level);
}

void cl_packer_free(cl_packer *packer)
{
    libdeflate_free_compressor(packer);
}

/* --- what the pipeline is -------------------------------------------------------- */

void cl_filters_init(cl_filters *filters, uint32_t item)
{
    *filters = (cl_filters){.shuffle = -1, .pack = -1, .fletcher = -1, .item = item};
}

/* Shuffle works on the size that it was set up with, which is an element's. */
static bool add_shuffle(cl_filters *f, int position, const uint32_t *value)
{
    f->shuffle = position;
    return value[0] == f->item;
}

/* Bitshuffle without a codec, which leaves that to the next filter. */
static bool add_bitshuffle(cl_filters *f, int position, const uint32_t *value)
{
    const uint32_t item = value[2], block = value[3];
    if (item == 0 || item > CL_BITSHUFFLE_ITEM || block % 8 != 0)
        return false;
    f->shuffle = position;
    f->item = item;
    f->bit_block = block ? block : cl_bitshuffle_block(item);
    return true;
}

static bool add_codec(cl_filters *f, uint32_t id, int position, const uint32_t *value)
{
    f->codec = cl_codec_find(id, value);
    f->pack = position;
    memcpy(f->value, value, sizeof f->value);
    return f->codec != NULL;
}

bool cl_filters_add(cl_filters *f, uint32_t id, int position, const unsigned *value,
                    size_t n)
{
    uint32_t known[CL_CODEC_VALUES] = {0};
    for (size_t i = 0; i < n && i < CL_CODEC_VALUES; i++)
        known[i] = value[i];
    if (f->fletcher >= 0 || position >= CL_FILTERS_MOST)
        return false;
    if (id == FLETCHER) {
        f->fletcher = position;
        return true;
    }
    if (f->pack >= 0)
        return false;
    const bool is_bits = id == BITSHUFFLE && known[4] == 0;
    if (id != SHUFFLE && !is_bits)
        return add_codec(f, id, position, known);
    if (f->shuffle >= 0)
        return false;
    return is_bits ? add_bitshuffle(f, position, known)
                   : add_shuffle(f, position, known);
}

void cl_filters_deflate(cl_filters *filters, int position, int level)
{
    filters->pack = position;
    filters->value[0] = (uint32_t)level;
    filters->codec = cl_codec_find(DEFLATE, filters->value);
}

int cl_filters_gzip(const cl_filters *filters)
{
    const bool is_gzip = filters->codec && filters->codec->id == DEFLATE;
    return is_gzip && filters->value[0] <= 9 ? (int)filters->value[0] : 0;
}

uint64_t cl_filters_bound(const cl_filters *filters, uint64_t bytes)
{
    const uint64_t checksum = 4;
    return checksum +
           (filters->codec ? filters->codec->bound(filters->value, bytes) : bytes);
}

int cl_filters_work(const cl_filters *filters)
{
    return filters->codec ? filters->codec->work : 0;
}

/* --- the checksum ---------------------------------------------------------------- */

static uint32_t fold(uint32_t sum)
{
    return (sum & 0xffff) + (sum >> 16);
}

uint32_t cl_fletcher32(const void *data, uint64_t bytes)
{
    const uint8_t *p = data;
    uint32_t sum1 = 0, sum2 = 0;
    for (uint64_t words = bytes / 2; words > 0;) {
        /* 360 words at most leave both sums within 32 bits. */
        uint64_t block = words < 360 ? words : 360;
        words -= block;
        for (; block > 0; block--, p += 2) {
            sum1 += (uint32_t)(p[0] << 8 | p[1]);
            sum2 += sum1;
        }
        sum1 = fold(sum1);
        sum2 = fold(sum2);
    }
    if (bytes % 2) {
        sum1 += (uint32_t)*p << 8;
        sum2 += sum1;
        sum1 = fold(sum1);
        sum2 = fold(sum2);
    }
    return fold(sum2) << 16 | fold(sum1);
}

static bool check_fletcher(const uint8_t *data, uint64_t bytes)
{
    const uint8_t *s = data + bytes;
    const uint32_t stored = (uint32_t)s[0] | (uint32_t)s[1] << 8 |
                            (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
    const uint32_t swapped = (stored & 0x00ff00ffu) << 8 | (stored & 0xff00ff00u) >> 8;
    const uint32_t sum = cl_fletcher32(data, bytes);
    return sum == stored || sum == swapped;
}

/* --- undoing it ------------------------------------------------------------------ */

bool cl_unpacker_open(cl_unpacker *unpacker, const cl_filters *filters)
{
    *unpacker = (cl_unpacker){.filters = filters};
    if (!filters->codec || !filters->codec->open)
        return true;
    unpacker->state = filters->codec->open();
    return unpacker->state != NULL;
}

void cl_unpacker_close(cl_unpacker *unpacker)
{
    if (unpacker->state)
        unpacker->filters->codec->close(unpacker->state);
    unpacker->state = NULL;
}

static bool is_on(int position, uint32_t mask)
{
    return position >= 0 && !(mask >> position & 1);
}

static void unshuffle(const cl_filters *f, void *out, const void *data, uint64_t bytes)
{
    if (f->bit_block > 0)
        cl_bitunshuffle(out, data, bytes, f->item, f->bit_block);
    else
        cl_unshuffle(out, data, bytes, f->item);
}

bool cl_filters_undo(const cl_unpacker *unpacker, uint32_t mask, const void *stored,
                     uint64_t stored_bytes, void *out, void *work, uint64_t bytes,
                     const char **what)
{
    const cl_filters *f = unpacker->filters;
    const void *data = stored;
    if (is_on(f->fletcher, mask)) {
        *what = "its checksum does not match";
        if (stored_bytes < 4 || !check_fletcher(data, stored_bytes - 4))
            return false;
        stored_bytes -= 4;
    }
    const bool is_shuffled =
        is_on(f->shuffle, mask) && (f->item > 1 || f->bit_block > 0);
    if (is_on(f->pack, mask)) {
        *what = "its compressed data is damaged";
        void *unpacked = is_shuffled ? work : out, *scratch = is_shuffled ? out : work;
        if (!f->codec->decode(unpacker->state, f->value, data, stored_bytes, unpacked,
                              scratch, bytes))
            return false;
        data = unpacked;
    } else if (stored_bytes != bytes) {
        *what = "its stored size is not that of a chunk";
        return false;
    }
    if (is_shuffled)
        unshuffle(f, out, data, bytes);
    else if (data != out)
        memcpy(out, data, bytes);
    return true;
}

/* --- applying it ----------------------------------------------------------------- */

/* The checksum goes behind the data, which moves to out for it. */
static const void *add_fletcher(const void *data, void *out, uint64_t *bytes)
{
    const uint32_t sum = cl_fletcher32(data, *bytes);
    uint8_t *end = (uint8_t *)out + *bytes;
    if (data != out)
        memcpy(out, data, *bytes);
    for (int i = 0; i < 4; i++)
        end[i] = (uint8_t)(sum >> 8 * i);
    *bytes += 4;
    return out;
}

static const void *pack(const cl_filters *filters, cl_packer *packer, const void *data,
                        void *out, uint64_t *bytes, uint32_t *mask)
{
    if (filters->pack < 0)
        return data;
    const size_t packed =
        *bytes > 0 ? libdeflate_zlib_compress(packer, data, *bytes, out, *bytes - 1)
                   : 0;
    if (packed == 0) {
        *mask = 1u << filters->pack;
        return data;
    }
    *bytes = packed;
    return out;
}

const void *cl_filters_apply(const cl_filters *filters, cl_packer *packer,
                             const void *in, uint64_t bytes, void *work, void *out,
                             uint64_t *stored_bytes, uint32_t *mask)
{
    const void *data = in;
    *stored_bytes = bytes;
    *mask = 0;
    if (filters->shuffle >= 0 && filters->item > 1) {
        cl_shuffle(work, in, bytes, filters->item);
        data = work;
    }
    data = pack(filters, packer, data, out, stored_bytes, mask);
    return filters->fletcher >= 0 ? add_fletcher(data, out, stored_bytes) : data;
}
