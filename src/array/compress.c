/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words for compression: NAME[:PART[:LEVEL]].
 *
 * A row of the table says which filter a name stands for, which of its parameters PART
 * and LEVEL set, and what is usual where they are left out. What blosc and bitshuffle
 * have inside is a second table, of the same numbers that their files have.
 */
#include "array/compress.h"

#include <stddef.h>
#include <string.h>

#define WORDS                                                                          \
    "same, none, gzip:1 to gzip:9, lzf, lz4, zstd[:1 to :22], "                        \
    "blosc[:blosclz|:lz4|:lz4hc|:zlib|:zstd[:1 to :9]], "                              \
    "bitshuffle[:none|:lz4|:zstd[:1 to :22]]"

/* What is inside of a container. */
typedef struct {
    const char *name;
    uint32_t number;
    long levels;
} part;
static const part blosc_parts[] = {{"lz4", 1, 9},  {"blosclz", 0, 9}, {"lz4hc", 2, 9},
                                   {"zlib", 4, 9}, {"zstd", 5, 9},    {NULL, 0, 0}};
static const part bitshuffle_parts[] = {{"lz4", CL_BITSHUFFLE_LZ4, 0},
                                        {"none", CL_BITSHUFFLE_NONE, 0},
                                        {"zstd", CL_BITSHUFFLE_ZSTD, 22},
                                        {NULL, 0, 0}};

typedef struct {
    const char *name;
    cl_compression usual;
    const part *parts; /* NULL: LEVEL comes first; else the first is the usual one */
    int part_at;
    int level_at;
    long levels; /* 1 to this; 0: none can be given */
    bool needs_level;
} word;

static const word words[] = {
    {.name = "gzip",
     .usual = {.shuffle = CL_SHUFFLE_BYTES, .codec = CL_FILTER_DEFLATE, .n = 1},
     .levels = 9,
     .needs_level = true},
    {.name = "lzf",
     .usual = {.shuffle = CL_SHUFFLE_BYTES, .codec = CL_FILTER_LZF, .n = 3}},
    {.name = "lz4", .usual = {.shuffle = CL_SHUFFLE_BYTES, .codec = CL_FILTER_LZ4}},
    {.name = "zstd",
     .usual =
         {.shuffle = CL_SHUFFLE_BYTES, .codec = CL_FILTER_ZSTD, .n = 1, .value = {3}},
     .levels = 22},
    {.name = "blosc",
     .usual = {.codec = CL_FILTER_BLOSC,
               .n = 7,
               .value = {[CL_BLOSC_LEVEL] = 5, [CL_BLOSC_SHUFFLE] = 1}},
     .parts = blosc_parts,
     .part_at = CL_BLOSC_COMPRESSOR,
     .level_at = CL_BLOSC_LEVEL},
    {.name = "bitshuffle",
     .usual = {.codec = CL_FILTER_BITSHUFFLE, .n = 5},
     .parts = bitshuffle_parts,
     .part_at = CL_BITSHUFFLE_CODEC,
     .level_at = CL_BITSHUFFLE_LEVEL},
};
enum { NWORD = sizeof words / sizeof *words };

/* The next piece behind a colon; false: there is none. */
static bool next_piece(const char **at, const char **piece, size_t *length)
{
    if (**at == '\0')
        return false;
    *piece = *at + 1;
    *length = strcspn(*piece, ":");
    *at = *piece + *length;
    return true;
}

static bool is_word(const char *piece, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(piece, name, length) == 0;
}

static bool read_level(const char *piece, size_t length, long most, uint32_t *level)
{
    long number = 0;
    for (size_t i = 0; i < length && number <= most; i++) {
        if (piece[i] < '0' || piece[i] > '9')
            return false;
        number = 10 * number + piece[i] - '0';
    }
    *level = (uint32_t)number;
    return length > 0 && piece[0] != '0' && number <= most;
}

static const part *find_part(const word *w, const char *piece, size_t length)
{
    const part *p = w->parts;
    while (p->name && !is_word(piece, length, p->name))
        p++;
    return p->name ? p : NULL;
}

/* Bitshuffle without a codec is a shuffle, and its level exists for one codec only. */
static void settle_bitshuffle(cl_compression *c)
{
    if (c->value[CL_BITSHUFFLE_CODEC] == CL_BITSHUFFLE_NONE)
        *c = (cl_compression){.shuffle = CL_SHUFFLE_BITS};
    else if (c->value[CL_BITSHUFFLE_CODEC] == CL_BITSHUFFLE_ZSTD) {
        c->n = CL_BITSHUFFLE_LEVEL + 1;
        c->value[CL_BITSHUFFLE_LEVEL] =
            c->value[CL_BITSHUFFLE_LEVEL] ? c->value[CL_BITSHUFFLE_LEVEL] : 3;
    }
}

/* What stands behind the name; false: that cannot be. */
static bool read_rest(const word *w, const char *rest, cl_compression *c)
{
    const char *piece;
    size_t length;
    long levels = w->levels;
    *c = w->usual;
    if (w->parts) {
        const bool is_named = next_piece(&rest, &piece, &length);
        const part *p = is_named ? find_part(w, piece, length) : w->parts;
        if (!p)
            return false;
        c->value[w->part_at] = p->number;
        levels = p->levels;
    }
    if (next_piece(&rest, &piece, &length)) {
        if (!read_level(piece, length, levels, &c->value[w->level_at]))
            return false;
    } else if (w->needs_level) {
        return false;
    }
    if (c->codec == CL_FILTER_BITSHUFFLE)
        settle_bitshuffle(c);
    return *rest == '\0';
}

static clast_status read_text(cl_compression *c, const char *text, cl_error *err)
{
    const size_t length = strcspn(text, ":");
    const word *w = words;
    while (w < words + NWORD && !is_word(text, length, w->name))
        w++;
    if (w == words + NWORD || !read_rest(w, text + length, c))
        return cl_error_set(err, CLAST_EVALUE, "compression '%s' is none of %s", text,
                            WORDS);
    return cl_compression_settle(c, text, err);
}

clast_status cl_compress_ask(cl_compression *c, bool *is_same, const char *text,
                             int gzip, int shuffle, cl_error *err)
{
    *c = (cl_compression){0};
    if (gzip < -1 || gzip > 9 || shuffle < -1 || shuffle > 1)
        return cl_error_set(err, CLAST_EVALUE,
                            "gzip is %d (-1 to 9), shuffle %d (-1 to 1)", gzip,
                            shuffle);
    if (text && gzip != 0)
        return cl_error_set(err, CLAST_EVALUE,
                            "compression is asked for twice: '%s', and gzip %d", text,
                            gzip);
    *is_same = text ? strcmp(text, "same") == 0 : gzip == 0;
    if (gzip > 0) {
        *c = words[0].usual;
        c->value[0] = (uint32_t)gzip;
    } else if (text && !*is_same && strcmp(text, "none") != 0) {
        CL_TRY(read_text(c, text, err));
    }
    cl_compression_shuffle(c, shuffle);
    return CLAST_OK;
}
