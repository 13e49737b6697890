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

void cl_text_json_string(cl_text *text, const char *bytes, size_t n)
{
    cl_text_add(text, "\"", 1);
    for (size_t i = 0; i < n;) {
        const unsigned char *p = (const unsigned char *)bytes + i;
        const size_t length = utf8_length(p, n - i);
        if (length == 0)
            cl_text_say(text, "\\udc%02x", *p);
        else if (*p < 0x20 || *p == 0x7F)
            cl_text_say(text, "\\u%04x", *p);
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
