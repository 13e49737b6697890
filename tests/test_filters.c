/* SPDX-License-Identifier: BSD-3-Clause */
/* The storage filters: every element size and odd length, both directions, masks, and
 * damage. */
#include <string.h>

#include "array/compress.h"
#include "base/alloc.h"
#include "check_main.h"
#include "io/filters.h"
#include "io/shuffle.h"
#include "packing.h"

static void make_bytes(unsigned char *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        p[i] = (unsigned char)(i * 2654435761u >> 11);
}

/* Shuffle as it is defined, and back, for lengths around the vector width. */
START_TEST(shuffle_and_back)
{
    static const uint32_t items[] = {1, 2, 3, 4, 6, 8, 12, 16, 24};
    const uint32_t item = items[_i];
    static unsigned char in[2048], shuffled[2048], back[2048];
    for (uint64_t bytes = 0; bytes < 40 * (uint64_t)item + 5; bytes++) {
        const uint64_t n = bytes / item;
        make_bytes(in, bytes);
        cl_shuffle(shuffled, in, bytes, item);
        for (uint64_t i = 0; i < n * item; i++)
            ck_assert_int_eq(shuffled[i % item * n + i / item], in[i]);
        cl_unshuffle(back, shuffled, bytes, item);
        ck_assert_int_eq(memcmp(back, in, bytes), 0);
    }
}
END_TEST

/* Words of 16 bits, most significant byte first, modulo 65535 (Fletcher 1982). */
START_TEST(fletcher_known)
{
    ck_assert_uint_eq(cl_fletcher32("", 0), 0);
    ck_assert_uint_eq(cl_fletcher32("\x01\x02", 2), 0x01020102u);
    ck_assert_uint_eq(cl_fletcher32("\x01\x02\x03\x04", 4), 0x05080406u);
    ck_assert_uint_eq(cl_fletcher32("\x01\x02\x03", 3), 0x05040402u);
}
END_TEST

/* --- codecs ---------------------------------------------------------------------- */

enum { MOST = 24000 };

/* All buffers are as large as they are said to have to be, so that a sanitizer sees
 * what is written behind them. Returns the stored bytes, to be freed. */
static unsigned char *apply(const cl_filters *f, const void *in, size_t bytes,
                            uint64_t *n, uint32_t *mask)
{
    unsigned char *work = cl_alloc(bytes), *out = cl_alloc(cl_filters_bound(f, bytes)),
                  *state = cl_alloc(cl_packer_bytes(f, bytes) + 1);
    cl_packer packer;
    ck_assert(cl_packer_open(&packer, f, bytes, state));
    const void *data = cl_filters_apply(&packer, in, bytes, work, out, n, mask);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_le(*n, bytes + (f->fletcher >= 0 ? 4 : 0));
    unsigned char *stored = cl_alloc(*n + 1);
    memcpy(stored, data, *n);
    cl_packer_close(&packer);
    cl_free(work);
    cl_free(out);
    cl_free(state);
    return stored;
}

/* The pipeline of [shuffle] [codec] [fletcher32] as bits of `kind`. */
static cl_filters pipeline(const packing *p, uint32_t item, int kind)
{
    cl_filters f;
    int n = 0;
    const unsigned shuffle[] = {item};
    cl_filters_init(&f, item);
    if (kind & 1)
        ck_assert(cl_filters_add(&f, 2, n++, shuffle, 1));
    ck_assert_msg(cl_filters_add(&f, p->id, n++, p->value, (size_t)p->nvalue), "%s",
                  p->name);
    if (kind & 2)
        ck_assert(cl_filters_add(&f, 3, n++, NULL, 0));
    return f;
}

/* What another program stores for these bytes. */
static size_t store(const packing *p, uint32_t item, int kind, const void *in,
                    size_t bytes, unsigned char *out)
{
    static unsigned char shuffled[MOST];
    memcpy(shuffled, in, bytes);
    if (kind & 1)
        cl_shuffle(shuffled, in, bytes, item);
    size_t n = packing_run(p, shuffled, bytes, out);
    if (n > 0 && kind & 2) {
        const uint32_t sum = cl_fletcher32(out, n);
        for (int i = 0; i < 4; i++)
            out[n++] = (unsigned char)(sum >> 8 * i);
    }
    return n;
}

/* The output and the work are as large as they must be and no larger, so that a
 * sanitizer sees what is written behind them. */
static bool undo(const cl_filters *f, uint32_t mask, const void *stored, size_t n,
                 const void *wanted, size_t bytes)
{
    const char *what = NULL;
    unsigned char *in = cl_alloc(n + 1), *out = cl_alloc(bytes),
                  *work = cl_alloc(bytes);
    cl_unpacker unpacker;
    memcpy(in + 1, stored, n);
    ck_assert(cl_unpacker_open(&unpacker, f));
    const bool is_good =
        cl_filters_undo(&unpacker, mask, in + 1, n, out, work, bytes, &what);
    ck_assert(is_good || what);
    const bool is_equal = is_good && memcmp(out, wanted, bytes) == 0;
    cl_unpacker_close(&unpacker);
    cl_free(in);
    cl_free(out);
    cl_free(work);
    return is_equal;
}

static void make_values(unsigned char *in, size_t bytes, uint32_t item, bool is_noise)
{
    uint64_t h = 1;
    for (size_t i = 0; i < bytes; i++) {
        h = h * 6364136223846793005u + 1442695040888963407u;
        in[i] = is_noise        ? (unsigned char)(h >> 56)
                : i % item == 0 ? (unsigned char)(i / item % 100)
                                : (unsigned char)(i % item);
    }
}

/* What is asked for in words, in each element size and length around the blocks, over
 * values that compress and that do not: what comes back, and what other programs store
 * with the parameters that the file gets. */
static const struct {
    const char *text;
    uint32_t codec;
    bool is_here;
    int n;
    uint32_t value[CL_CODEC_VALUES]; /* of elements of 4 bytes, chunks of 4000 */
} asked[] = {
    {"none", 0, true, 0, {0}},
    {"gzip:1", 1, true, 1, {1}},
    {"gzip:9", 1, true, 1, {9}},
    {"lzf", 32000, CL_HAVE_LZF, 3, {4, 0x105, 4000}},
    {"lz4", 32004, CL_HAVE_LZ4, 0, {0}},
    {"zstd", 32015, CL_HAVE_ZSTD, 1, {3}},
    {"zstd:19", 32015, CL_HAVE_ZSTD, 1, {19}},
    {"blosc", 32001, CL_HAVE_BLOSC, 7, {2, 2, 4, 4000, 5, 1, 1}},
    {"blosc:zstd:9", 32001, CL_HAVE_BLOSC, 7, {2, 2, 4, 4000, 9, 1, 5}},
    {"blosc:blosclz:1", 32001, CL_HAVE_BLOSC, 7, {2, 2, 4, 4000, 1, 1, 0}},
    {"bitshuffle", 32008, CL_HAVE_LZ4, 5, {0, 4, 4, 0, 2}},
    {"bitshuffle:lz4", 32008, CL_HAVE_LZ4, 5, {0, 4, 4, 0, 2}},
    {"bitshuffle:zstd", 32008, CL_HAVE_ZSTD, 6, {0, 4, 4, 0, 3, 3}},
    {"bitshuffle:zstd:7", 32008, CL_HAVE_ZSTD, 6, {0, 4, 4, 0, 3, 7}},
    {"bitshuffle:none", 32008, true, 5, {0, 4, 4, 0, 0}},
};
enum { ASKED = sizeof asked / sizeof *asked };

static bool ask(const char *text, cl_compression *c, cl_error *err)
{
    bool is_same;
    return cl_compress_ask(c, &is_same, text, 0, 0, err) == CLAST_OK;
}

START_TEST(words)
{
    cl_compression c;
    cl_error err = {0};
    if (!asked[_i].is_here) {
        ck_assert(!ask(asked[_i].text, &c, &err));
        ck_assert_int_eq(err.status, CLAST_ENOTSUP);
        return;
    }
    ck_assert_msg(ask(asked[_i].text, &c, &err), "%s", err.text);
    cl_filters f;
    ck_assert(cl_filters_set(&f, &c, 4, 4000));
    uint32_t value[CL_CODEC_VALUES], n;
    const int at = c.shuffle == CL_SHUFFLE_BYTES;
    ck_assert_uint_eq(cl_filters_get(&f, at, value, &n), asked[_i].codec);
    ck_assert_uint_eq(n, asked[_i].n);
    ck_assert_mem_eq(value, asked[_i].value, sizeof value);
    /* What is read back from such a file is inherited as it was asked for. */
    cl_filters read;
    cl_compression same;
    cl_filters_init(&read, 4);
    uint32_t id;
    for (int i = 0; (id = cl_filters_get(&f, i, value, &n)) != 0; i++) {
        value[0] = id == 2 ? 4 : value[0];
        ck_assert(cl_filters_add(&read, id, i, value, id == 2 ? 1 : n));
    }
    cl_filters_describe(&read, &same);
    ck_assert_mem_eq(&same, &c, sizeof c);
}
END_TEST

START_TEST(no_words)
{
    static const char *const wrong[] = {"",
                                        "zip",
                                        "gzip",
                                        "gzip:",
                                        "gzip:0",
                                        "gzip:10",
                                        "gzip:4:1",
                                        "gzip:04",
                                        "lzf:1",
                                        "lz4:1",
                                        "zstd:0",
                                        "zstd:23",
                                        "zstd:x",
                                        "zstd:99999999999999999999",
                                        "blosc:",
                                        "blosc:5",
                                        "blosc:lz4:10",
                                        "blosc:lz4:1:1",
                                        "bitshuffle:lz4:1",
                                        "bitshuffle:none:1",
                                        "bitshuffle:gzip",
                                        "Gzip:1",
                                        "gzip:4 ",
                                        ":gzip:4"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cl_compression c;
        cl_error err = {0};
        ck_assert_msg(!ask(wrong[i], &c, &err), "'%s'", wrong[i]);
        ck_assert_int_eq(err.status, CLAST_EVALUE);
        ck_assert_ptr_nonnull(
            strstr(err.text, "bitshuffle[:none|:lz4|:zstd[:1 to :22]]"));
    }
}
END_TEST

/* Each codec with each element size, lengths around its blocks, alone and between the
 * other filters, over values that compress and that do not. */
START_TEST(codecs)
{
    static const size_t counts[] = {1, 7, 8, 9, 130, 1024, 1500};
    static unsigned char in[MOST], stored[2 * MOST + 1024];
    if (!packings[_i].is_here)
        return;
    for (uint32_t item = 1; item <= 16; item *= 2)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int kind = 0; kind < 8; kind++) {
                const packing p = packing_for(_i, item);
                /* Bitshuffle alone is a shuffle: no other one beside it. */
                if (strncmp(p.name, "bitshuffle", 10) == 0 && p.value[4] == 0 &&
                    kind & 1)
                    continue;
                const size_t bytes = counts[c] * item;
                make_values(in, bytes, item, kind & 4);
                const cl_filters f = pipeline(&p, item, kind);
                const size_t n = store(&p, item, kind, in, bytes, stored);
                ck_assert_msg(n > 0 || bytes < 40 || kind & 4, "%s, %zu bytes", p.name,
                              bytes);
                ck_assert_uint_le(n, cl_filters_bound(&f, bytes));
                ck_assert_msg(n == 0 || undo(&f, 0, stored, n, in, bytes),
                              "%s: %zu elements of %u bytes, pipeline %d", p.name,
                              counts[c], item, kind);
            }
}
END_TEST

/* The parameters of a file, which the filter is then told once more. */
static packing as_packing(const cl_filters *f)
{
    packing p = {.name = "asked", .item_at = -1};
    uint32_t value[CL_CODEC_VALUES], n;
    const int at = f->pack >= 0 ? f->pack : f->shuffle;
    p.id = cl_filters_get(f, at, value, &n);
    p.nvalue = (int)n;
    memcpy(p.value, value, sizeof p.value);
    return p;
}

/* Bytes as another program stores them, but for deflate, which has no one form. */
static void same_bytes(const cl_filters *f, const void *in, size_t bytes,
                       const unsigned char *stored, uint64_t n, uint32_t mask)
{
    static unsigned char theirs[2 * MOST + 1024];
    const int kind = (f->shuffle >= 0 && f->bit_block == 0) | 2 * (f->fletcher >= 0);
    if ((f->codec && f->codec->id == 1) || (f->pack < 0 && f->bit_block == 0) ||
        mask != 0)
        return;
    const packing p = as_packing(f);
    ck_assert_uint_eq(store(&p, f->item, kind, in, bytes, theirs), n);
    ck_assert_mem_eq(stored, theirs, n);
}

START_TEST(encoders)
{
    static const size_t counts[] = {1, 7, 8, 9, 130, 1024, 1500};
    static unsigned char in[MOST];
    cl_compression c;
    cl_error err = {0};
    if (!asked[_i].is_here)
        return;
    ck_assert(ask(asked[_i].text, &c, &err));
    for (uint32_t item = 1; item <= 16; item *= 2)
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            for (int kind = 0; kind < 4; kind++) {
                const size_t bytes = counts[k] * item;
                cl_filters f;
                uint64_t n;
                uint32_t mask;
                make_values(in, bytes, item, kind & 2);
                c.fletcher = kind & 1;
                ck_assert(cl_filters_set(&f, &c, item, bytes));
                unsigned char *stored = apply(&f, in, bytes, &n, &mask);
                ck_assert_msg(undo(&f, mask, stored, n, in, bytes),
                              "%s: %zu elements of %u bytes", asked[_i].text, counts[k],
                              item);
                same_bytes(&f, in, bytes, stored, n, mask);
                if (f.pack >= 0 && kind & 2) /* noise is left as it is */
                    ck_assert_uint_eq(mask, 1u << f.pack);
                if (f.pack < 0 || (!(kind & 2) && bytes >= 500))
                    ck_assert_uint_eq(mask, 0);
                cl_free(stored);
            }
}
END_TEST

/* For the shorter block at a chunk's end a level of Zstandard may mean parameters that
 * take more memory. */
START_TEST(shorter_last_block)
{
#if CL_HAVE_ZSTD
    static unsigned char in[5280 * 8];
    const unsigned value[] = {0, 4, 8, 4096, 3, 1};
    cl_filters theirs, f;
    cl_compression c;
    uint64_t n;
    uint32_t mask;
    make_values(in, sizeof in, 8, false);
    cl_filters_init(&theirs, 8);
    ck_assert(cl_filters_add(&theirs, 32008, 0, value, 6));
    cl_filters_describe(&theirs, &c);
    ck_assert(cl_filters_set(&f, &c, 8, sizeof in));
    unsigned char *stored = apply(&f, in, sizeof in, &n, &mask);
    ck_assert_uint_eq(mask, 0);
    ck_assert(undo(&f, mask, stored, n, in, sizeof in));
    cl_free(stored);
#endif
}
END_TEST

/* A codec that a chunk's mask skips, in every combination. */
START_TEST(masks)
{
    static unsigned char in[MOST], stored[2 * MOST + 1024];
    if (!packings[_i].is_here || packings[_i].value[4] == 0)
        return;
    const packing p = packing_for(_i, 4);
    const size_t bytes = 4000;
    const cl_filters f = pipeline(&p, 4, 3);
    make_values(in, bytes, 4, false);
    for (uint32_t mask = 0; mask < 8; mask++) {
        const int kind = (mask & 1 ? 0 : 1) | (mask & 4 ? 0 : 2);
        size_t n = store(&p, 4, kind, in, bytes, stored);
        if (mask & 2) {
            memcpy(stored, in, n = bytes);
            if (kind & 1)
                cl_shuffle(stored, in, bytes, 4);
            const uint32_t sum = cl_fletcher32(stored, n);
            for (int i = 0; i < 4 && kind & 2; i++)
                stored[n++] = (unsigned char)(sum >> 8 * i);
        }
        ck_assert_msg(undo(&f, mask, stored, n, in, bytes), "%s, mask %u", p.name,
                      mask);
    }
}
END_TEST

/* Damaged and short streams are found or give other values; nothing is read or written
 * out of bounds. A stream of the wrong length is always found. */
START_TEST(damage)
{
    static unsigned char in[MOST], stored[2 * MOST + 1024];
    const bool is_deflate = _i == PACKINGS;
    packing p = {"deflate", 1, true, 1, {6}, -1};
    if (!is_deflate)
        p = packing_for(_i, 4);
    if (!p.is_here)
        return;
    const size_t bytes = 4000;
    make_values(in, bytes, 4, false);
    const cl_filters f = pipeline(&p, 4, 0);
    size_t n = 0;
    if (is_deflate) {
        uint32_t mask;
        uint64_t packed;
        unsigned char *made = apply(&f, in, bytes, &packed, &mask);
        memcpy(stored, made, n = packed);
        cl_free(made);
        ck_assert_uint_eq(mask, 0);
    } else {
        n = packing_run(&p, in, bytes, stored);
    }
    const size_t step = n / 300 + 1;
    for (size_t i = 0; i < n; i += step) {
        stored[i] ^= 0x10;
        ck_assert(!is_deflate || !undo(&f, 0, stored, n, in, bytes));
        undo(&f, 0, stored, n, in, bytes);
        stored[i] ^= 0x30;
        undo(&f, 0, stored, n, in, bytes);
        stored[i] ^= 0x20;
        ck_assert_msg(!undo(&f, 0, stored, i, in, bytes), "%s cut to %zu", p.name, i);
    }
    ck_assert(undo(&f, 0, stored, n, in, bytes));
    ck_assert(!undo(&f, 0, stored, n, in, bytes - 4));
}
END_TEST

/* Pipelines that are not ours. */
START_TEST(refused)
{
    static const struct {
        int n;
        uint32_t id[3];
        unsigned value[3][8];
    } rows[] = {
        {2, {1, 2}, {{4}, {4}}},    /* shuffle behind the codec */
        {2, {2, 2}, {{4}, {4}}},    /* twice */
        {2, {1, 1}, {{4}, {4}}},    /* two codecs */
        {2, {3, 1}, {{0}, {4}}},    /* behind the checksum */
        {1, {2}, {{8}}},            /* shuffled by another size */
        {1, {32008}, {{0, 0, 0}}},  /* no element */
        {1, {32008}, {{0, 0, 17}}}, /* larger than any number */
        {1, {32008}, {{0, 0, 4, 12}}},
        {1, {32008}, {{0, 0, 4, 0, 9}}}, /* no such codec */
        {1, {4}, {{0}}},
        {1, {0}, {{0}}},
        {1, {99999}, {{0}}},
#if CL_HAVE_BLOSC
        {1, {32001}, {{2, 2, 4, 0, 5, 1, 99}}},
#endif
    };
    cl_filters f;
    cl_filters_init(&f, 4);
    bool is_ours = true;
    for (int i = 0; i < rows[_i].n; i++)
        is_ours =
            is_ours && cl_filters_add(&f, rows[_i].id[i], i, rows[_i].value[i], 8);
    ck_assert(!is_ours);
}
END_TEST

enum { REFUSED = 12 + CL_HAVE_BLOSC };

static Suite *suite(void)
{
    Suite *s = suite_create("filters");
    TCase *t = tcase_create("filters");
    tcase_add_loop_test(t, shuffle_and_back, 0, 9);
    tcase_add_test(t, fletcher_known);
    tcase_add_loop_test(t, codecs, 0, PACKINGS);
    tcase_add_loop_test(t, words, 0, ASKED);
    tcase_add_test(t, no_words);
    tcase_add_test(t, shorter_last_block);
    tcase_add_loop_test(t, encoders, 0, ASKED);
    tcase_add_loop_test(t, masks, 0, PACKINGS);
    tcase_add_loop_test(t, damage, 0, PACKINGS + 1);
    tcase_add_loop_test(t, refused, 0, REFUSED);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
