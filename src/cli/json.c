/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strings for terminals, and as JSON.
 *
 * Names of files and datasets may be any bytes, those of files from elsewhere with a
 * purpose: what a terminal would obey is not written to one. What is not well-formed
 * UTF-8 (Unicode
 * 15, table 3-7) is written byte by byte as \udc80 to \udcff, as Python's
 * "surrogateescape" reads and writes it, so that the output is JSON and nothing is lost.
 */
#include <string.h>

#include "cli.h"

/* How many bytes the character of UTF-8 has; 0: it is none. */
static size_t utf8_length(const unsigned char *p)
{
    static const struct {
        unsigned char least, most; /* of the first byte */
        unsigned char from, to;    /* the second one's */
        size_t length;
    } rows[] = {{0x01, 0x7F, 0x00, 0xFF, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2},
                {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
                {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
                {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4},
                {0xF4, 0xF4, 0x80, 0x8F, 4}};
    size_t i = 0, n = 1;
    while (i < sizeof rows / sizeof *rows && (*p < rows[i].least || *p > rows[i].most))
        i++;
    if (i == sizeof rows / sizeof *rows || p[1] < rows[i].from || p[1] > rows[i].to)
        return 0;
    while (n < rows[i].length && (p[n] & 0xC0) == 0x80)
        n++;
    return n == rows[i].length ? n : 0;
}

static unsigned code_point(const unsigned char *p, size_t length)
{
    static const unsigned char mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned code = p[0] & mask[length];
    for (size_t k = 1; k < length; k++)
        code = code << 6 | (p[k] & 0x3F);
    return code;
}

/* Control characters, and those that separate lines or turn their direction. */
static bool is_steering(unsigned code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C ||
           code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

void write_plain(FILE *to, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p != '\0') {
        const size_t length = utf8_length(p);
        if (length == 0 || is_steering(code_point(p, length)))
            fputc('?', to);
        else
            fwrite(p, 1, length, to);
        p += length > 0 ? length : 1;
    }
}

void write_json_string(FILE *to, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    fputc('"', to);
    while (*p != '\0') {
        const size_t length = utf8_length(p);
        if (length == 0)
            fprintf(to, "\\udc%02x", *p);
        else if (*p == '"' || *p == '\\')
            fprintf(to, "\\%c", *p);
        else if (is_steering(code_point(p, length)))
            fprintf(to, "\\u%04x", code_point(p, length));
        else
            fwrite(p, 1, length, to);
        p += length > 0 ? length : 1;
    }
    fputc('"', to);
}

void write_json_scalar(FILE *to, clast_dtype dtype, const void *value)
{
    double v = 0;
    char text[DIGITS_TEXT];
    if (dtype == CLAST_FLOAT64)
        memcpy(&v, value, sizeof v);
    if (v - v == 0) {
        scalar_text(dtype, value, text);
        fputs(text, to);
    } else {
        fputs(v != v ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"", to);
    }
}
