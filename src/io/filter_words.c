/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A row for each filter: which parameter is the level, and in a container which one
 * says what codec and what shuffle are inside, and by which numbers. A parameter that
 * the file leaves out is what the filter takes then; where its library decides that,
 * nothing is said.
 */
#include "io/filter_words.h"

#include "io/compression.h"

enum { MOST_WORDS = 6 };

/* One parameter: where it is, and what its numbers mean. */
typedef struct {
    uint32_t at;
    bool has_usual;
    uint32_t usual; /* where the file leaves it out */
    const char *word[MOST_WORDS];
} parameter;

static const parameter only_level = {.at = 0};

static const parameter blosc_level = {CL_BLOSC_LEVEL, true, 5, {NULL}};
static const parameter blosc_shuffle = {CL_BLOSC_SHUFFLE, true, 1, {NULL}};
static const cl_shuffled blosc_shuffles[] = {CL_SHUFFLED_NONE, CL_SHUFFLED_BYTES,
                                             CL_SHUFFLED_BITS};
static const parameter blosc_codec = {
    CL_BLOSC_COMPRESSOR,
    true,
    0,
    {"blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"}};

static const parameter bitshuffle_level = {.at = CL_BITSHUFFLE_LEVEL};
static const parameter bitshuffle_codec = {CL_BITSHUFFLE_CODEC,
                                           true,
                                           CL_BITSHUFFLE_NONE,
                                           {[CL_BITSHUFFLE_NONE] = "none",
                                            [CL_BITSHUFFLE_LZ4] = "lz4",
                                            [CL_BITSHUFFLE_ZSTD] = "zstd"}};

static const struct {
    uint32_t id;
    const char *name;
    const parameter *level, *codec, *shuffle; /* NULL: there is none */
} rows[] = {
    {CL_FILTER_DEFLATE, "deflate", &only_level, NULL, NULL},
    {CL_FILTER_LZF, "lzf", NULL, NULL, NULL},
    {CL_FILTER_BLOSC, "blosc", &blosc_level, &blosc_codec, &blosc_shuffle},
    {CL_FILTER_LZ4, "lz4", NULL, NULL, NULL},
    {CL_FILTER_BITSHUFFLE, "bitshuffle", &bitshuffle_level, &bitshuffle_codec, NULL},
    {CL_FILTER_ZSTD, "zstd", &only_level, NULL, NULL},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* false: the filter has no such parameter, or leaves it to its library. */
static bool number_of(const parameter *p, const uint32_t *value, size_t n,
                      uint32_t *number)
{
    if (!p || (p->at >= n && !p->has_usual))
        return false;
    *number = p->at < n ? value[p->at] : p->usual;
    return true;
}

static const char *word_of(const parameter *p, const uint32_t *value, size_t n)
{
    uint32_t number;
    if (!number_of(p, value, n, &number))
        return NULL;
    return number < MOST_WORDS && p->word[number] ? p->word[number] : "unknown";
}

/* Blosc is the only container that says it. */
static cl_shuffled shuffle_of(const parameter *p, const uint32_t *value, size_t n)
{
    uint32_t number;
    if (!number_of(p, value, n, &number))
        return CL_SHUFFLED_UNSAID;
    return number < sizeof blosc_shuffles / sizeof *blosc_shuffles
               ? blosc_shuffles[number]
               : CL_SHUFFLED_UNKNOWN;
}

cl_filter_words cl_filter_in_words(uint32_t id, const uint32_t *value, size_t n)
{
    cl_filter_words words = {0};
    uint32_t level = 0;
    size_t i = 0;
    while (i < ROWS && rows[i].id != id)
        i++;
    if (i == ROWS)
        return words;
    words.name = rows[i].name;
    words.codec = word_of(rows[i].codec, value, n);
    words.shuffle = shuffle_of(rows[i].shuffle, value, n);
    words.has_level = number_of(rows[i].level, value, n, &level);
    words.level = (int32_t)level; /* Zstandard has some below zero */
    return words;
}
