/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strings of files are not always UTF-8, JSON is: a sequence is passed on only where it
 * is well-formed (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). The
 * second byte's range depends on the first one's, which the table holds.
 */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void cl_text_add(cl_text *text, const char *bytes, size_t n)
{
    if (text->has_failed ||
        !cl_grow(&text->data, &text->capacity, text->used + n + 1, 1)) {
        text->has_failed = true;
        return;
    }
    memcpy(text->data + text->used, bytes, n);
    text->used += n;
}

void cl_text_say(cl_text *text, const char *format, ...)
{
    char piece[1024];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (n > 0)
        cl_text_add(text, piece,
                    (size_t)n < sizeof piece ? (size_t)n : sizeof piece - 1);
}

/* Bytes of the well-formed sequence at p, 0: there is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char first, last, low, high; /* of the first byte, of the second */
        size_t length;
    } forms[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                 {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                 {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last || forms[i].length > n ||
            p[1] < forms[i].low || p[1] > forms[i].high)
            continue;
        for (size_t k = 2; k < forms[i].length; k++)
            if (p[k] < 0x80 || p[k] > 0xBF)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static unsigned code_point(const unsigned char *p, size_t length)
{
    static const unsigned char mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned code = p[0] & mask[length];
    for (size_t k = 1; k < length; k++)
        code = code << 6 | (p[k] & 0x3F);
    return code;
}

/* Control characters, and those of Unicode that separate lines or order what is written
 * from right to left (UAX 9). All of them have four digits. */
static bool is_steering(unsigned code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C ||
           code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

size_t cl_text_plain(const char *bytes, size_t n)
{
    size_t i = 0;
    while (i < n) {
        const unsigned char *p = (const unsigned char *)bytes + i;
        const size_t length = utf8_length(p, n - i);
        if (length == 0 || (*p != '\n' && is_steering(code_point(p, length))))
            break;
        i += length;
    }
    return i;
}

void cl_text_tame(cl_text *text)
{
    for (size_t i = 0; i < text->used;) {
        i += cl_text_plain(text->data + i, text->used - i);
        if (i < text->used)
            text->data[i] = '?';
    }
}

void cl_text_json_string(cl_text *text, const char *bytes, size_t n)
{
    cl_text_add(text, "\"", 1);
    for (size_t i = 0; i < n;) {
        const unsigned char *p = (const unsigned char *)bytes + i;
        const size_t length = utf8_length(p, n - i);
        if (length == 0)
            cl_text_say(text, "\\udc%02x", *p);
        else if (is_steering(code_point(p, length)))
            cl_text_say(text, "\\u%04x", code_point(p, length));
        else if (*p == '"' || *p == '\\')
            cl_text_say(text, "\\%c", *p);
        else
            cl_text_add(text, bytes + i, length);
        i += length > 0 ? length : 1;
    }
    cl_text_add(text, "\"", 1);
}

void cl_text_json_double(cl_text *text, double v, bool is_float32)
{
    char digits[40];
    const int most = is_float32 ? 9 : 17;
    if (isnan(v) || isinf(v)) {
        cl_text_say(text, "\"%s\"",
                    isnan(v) ? "NaN"
                    : v < 0  ? "-Infinity"
                             : "Infinity");
        return;
    }
    for (int n = is_float32 ? 6 : 15; n <= most; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, v);
        if (is_float32 ? (double)strtof(digits, NULL) == v : strtod(digits, NULL) == v)
            break;
    }
    for (char *p = digits; *p; p++) /* a host's locale may write a comma */
        *p = *p == ',' ? '.' : *p;
    cl_text_say(text, "%s", digits);
}

void cl_text_fini(cl_text *text)
{
    cl_free(text->data);
    *text = (cl_text){0};
}
