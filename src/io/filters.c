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

#include <string.h>

#include "io/shuffle.h"

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
    f->bit_asked = block;
    return true;
}

static bool add_codec(cl_filters *f, uint32_t id, int position, const uint32_t *value,
                      size_t n)
{
    f->codec = cl_codec_find(id, value);
    f->pack = position;
    f->n = (uint32_t)n;
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
    if (id == CL_FILTER_FLETCHER32) {
        f->fletcher = position;
        return true;
    }
    if (f->pack >= 0)
        return false;
    const bool is_bits =
        id == CL_FILTER_BITSHUFFLE && known[CL_BITSHUFFLE_CODEC] == CL_BITSHUFFLE_NONE;
    if (id != CL_FILTER_SHUFFLE && !is_bits)
        return add_codec(f, id, position, known, n);
    if (f->shuffle >= 0)
        return false;
    return is_bits ? add_bitshuffle(f, position, known)
                   : add_shuffle(f, position, known);
}

void cl_filters_describe(const cl_filters *f, cl_compression *c)
{
    *c = (cl_compression){.fletcher = f->fletcher >= 0, .bit_block = f->bit_asked};
    if (f->shuffle >= 0)
        c->shuffle = f->bit_block > 0 ? CL_SHUFFLE_BITS : CL_SHUFFLE_BYTES;
    if (!f->codec)
        return;
    c->codec = f->codec->id;
    c->n = f->n;
    memcpy(c->value, f->value, sizeof c->value);
    if (f->codec->fit)
        c->n = f->codec->fit(c->value, c->n, 0, 0);
    if (f->n > CL_CODEC_VALUES || !cl_codec_can_write(c->codec, c->value))
        *c = (cl_compression){0};
}

bool cl_filters_same(const cl_filters *a, const cl_filters *b)
{
    /* What a dataset decides comes behind the versions of filter and format. */
    const size_t first = a->codec && a->codec->fit ? 2 : 0;
    return a->shuffle == b->shuffle && a->pack == b->pack &&
           a->fletcher == b->fletcher && a->item == b->item &&
           a->bit_block == b->bit_block && a->codec == b->codec &&
           (!a->codec || memcmp(a->value + first, b->value + first,
                                sizeof a->value - first * sizeof *a->value) == 0);
}

static bool set_codec(cl_filters *f, const cl_compression *c, int position,
                      uint64_t chunk_bytes)
{
    uint32_t value[CL_CODEC_VALUES];
    memcpy(value, c->value, sizeof value);
    f->codec = cl_codec_can_write(c->codec, value) ? cl_codec_any(c->codec) : NULL;
    if (!f->codec)
        return false;
    const uint32_t n =
        f->codec->fit ? f->codec->fit(value, c->n, f->item, chunk_bytes) : c->n;
    return add_codec(f, c->codec, position, value, n);
}

bool cl_filters_set(cl_filters *f, const cl_compression *c, uint32_t item,
                    uint64_t chunk_bytes)
{
    int n = 0;
    const uint32_t bits[CL_CODEC_VALUES] = {[2] = item, [3] = c->bit_block};
    cl_filters_init(f, item);
    if (c->shuffle == CL_SHUFFLE_BYTES)
        f->shuffle = n++;
    if (c->shuffle == CL_SHUFFLE_BITS && !add_bitshuffle(f, n++, bits))
        return false;
    if (c->codec && !set_codec(f, c, n++, chunk_bytes))
        return false;
    if (c->fletcher)
        f->fletcher = n;
    return true;
}

uint32_t cl_filters_get(const cl_filters *f, int position,
                        uint32_t value[CL_CODEC_VALUES], uint32_t *n)
{
    memset(value, 0, CL_CODEC_VALUES * sizeof *value);
    *n = 0;
    if (position < 0)
        return 0;
    if (position == f->pack) {
        memcpy(value, f->value, sizeof f->value);
        *n = f->n;
        return f->codec->id;
    }
    if (position == f->shuffle && f->bit_block > 0) {
        const uint32_t bits[] = {0, 4, f->item, f->bit_asked, 0};
        memcpy(value, bits, sizeof bits);
        *n = sizeof bits / sizeof *bits;
        return CL_FILTER_BITSHUFFLE;
    }
    return position == f->shuffle    ? CL_FILTER_SHUFFLE
           : position == f->fletcher ? CL_FILTER_FLETCHER32
                                     : 0;
}

int cl_filters_gzip(const cl_filters *filters)
{
    const bool is_gzip = filters->codec && filters->codec->id == CL_FILTER_DEFLATE;
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

uint64_t cl_packer_bytes(const cl_filters *f, uint64_t chunk_bytes)
{
    return f->codec && f->codec->pack_bytes
               ? f->codec->pack_bytes(f->value, chunk_bytes)
               : 0;
}

bool cl_packer_open(cl_packer *packer, const cl_filters *f, uint64_t chunk_bytes,
                    void *memory)
{
    *packer = (cl_packer){.filters = f, .state = memory};
    if (!f->codec || !f->codec->pack_open)
        return true;
    packer->state = f->codec->pack_open(f->value, chunk_bytes, memory);
    return packer->state != NULL;
}

void cl_packer_close(cl_packer *packer)
{
    const cl_codec *codec = packer->filters->codec;
    if (packer->state && codec && codec->pack_close)
        codec->pack_close(packer->state);
    packer->state = NULL;
}

/* false: no memory. */
static bool pack(const cl_packer *packer, const void **data, void *out, uint64_t *bytes,
                 uint32_t *mask)
{
    const cl_filters *f = packer->filters;
    uint64_t packed = 0;
    if (!f->codec)
        return true;
    if (*bytes > 0 &&
        !f->codec->encode(packer->state, f->value, *data, *bytes, out, &packed))
        return false;
    if (packed == 0 || packed >= *bytes) {
        *mask = 1u << f->pack;
        return true;
    }
    *bytes = packed;
    *data = out;
    return true;
}

const void *cl_filters_apply(const cl_packer *packer, const void *in, uint64_t bytes,
                             void *work, void *out, uint64_t *stored_bytes,
                             uint32_t *mask)
{
    const cl_filters *f = packer->filters;
    const void *data = in;
    *stored_bytes = bytes;
    *mask = 0;
    if (f->bit_block > 0) {
        cl_bitshuffle(work, in, bytes, f->item, f->bit_block);
        data = work;
    } else if (f->shuffle >= 0 && f->item > 1) {
        cl_shuffle(work, in, bytes, f->item);
        data = work;
    }
    if (!pack(packer, &data, out, stored_bytes, mask))
        return NULL;
    return f->fletcher >= 0 ? add_fletcher(data, out, stored_bytes) : data;
}
