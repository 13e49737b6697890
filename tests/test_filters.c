/* SPDX-License-Identifier: BSD-3-Clause */
/* The storage filters: every element size and odd length, both directions, masks, and
 * damage. */
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "io/filters.h"

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

enum { BYTES = 4096 };

static bool round_trip(const cl_filters *f, const void *in, uint32_t *mask)
{
    static unsigned char work[BYTES], out[BYTES + 512], back[BYTES], work2[BYTES];
    const char *what = NULL;
    uint64_t stored;
    cl_packer *packer = cl_packer_new(f->level);
    cl_unpacker *unpacker = cl_unpacker_new();
    const void *data = cl_filters_apply(f, packer, in, BYTES, work, out, &stored, mask);
    ck_assert_uint_le(stored, BYTES);
    const bool is_good =
        cl_filters_undo(f, *mask, unpacker, data, stored, back, work2, BYTES, &what) &&
        memcmp(back, in, BYTES) == 0;
    cl_packer_free(packer);
    cl_unpacker_free(unpacker);
    return is_good;
}

START_TEST(pipelines)
{
    const cl_filters f = {.shuffle = _i & 1 ? 0 : -1,
                          .deflate = _i & 2 ? _i & 1 : -1,
                          .fletcher = -1,
                          .level = 4,
                          .item = 8};
    unsigned char in[BYTES];
    uint32_t mask;
    for (int i = 0; i < BYTES; i++)
        in[i] = (unsigned char)(i / 8 % 50);
    ck_assert(round_trip(&f, in, &mask));
    ck_assert_uint_eq(mask, 0);
    make_bytes(in, BYTES);
    uint64_t h = 1;
    for (int i = 0; i < BYTES; i++) {
        h = h * 6364136223846793005u + 1442695040888963407u;
        in[i] = (unsigned char)(h >> 56);
    }
    ck_assert(round_trip(&f, in, &mask));
    ck_assert_uint_eq(mask, f.deflate >= 0 ? 1u << f.deflate : 0);
}
END_TEST

/* A damaged or short stream is found, never read or written out of bounds. */
START_TEST(damage)
{
    const cl_filters f = {
        .shuffle = 0, .deflate = 1, .fletcher = -1, .level = 6, .item = 4};
    unsigned char in[BYTES], work[BYTES], out[BYTES + 512], back[BYTES], work2[BYTES];
    uint64_t stored;
    uint32_t mask;
    int found = 0;
    for (int i = 0; i < BYTES; i++)
        in[i] = (unsigned char)(i * i % 251);
    cl_packer *packer = cl_packer_new(6);
    cl_unpacker *unpacker = cl_unpacker_new();
    const unsigned char *data =
        cl_filters_apply(&f, packer, in, BYTES, work, out, &stored, &mask);
    unsigned char *copy = cl_alloc(stored);
    for (uint64_t i = 0; i < stored; i++) {
        const char *what = NULL;
        memcpy(copy, data, stored);
        copy[i] ^= 0x10;
        const bool is_good = cl_filters_undo(&f, mask, unpacker, copy, stored, back,
                                             work2, BYTES, &what);
        found += !is_good;
        ck_assert(is_good || what != NULL);
        ck_assert(
            !cl_filters_undo(&f, mask, unpacker, data, i, back, work2, BYTES, &what));
    }
    ck_assert_int_gt(found, (int)stored * 9 / 10);
    cl_free(copy);
    cl_packer_free(packer);
    cl_unpacker_free(unpacker);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("filters");
    TCase *t = tcase_create("filters");
    tcase_add_loop_test(t, shuffle_and_back, 0, 9);
    tcase_add_test(t, fletcher_known);
    tcase_add_loop_test(t, pipelines, 0, 4);
    tcase_add_test(t, damage);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
