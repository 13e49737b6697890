/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A growing array of bytes. Numbers in JSON have a point, whatever the host's locale
 * writes.
 */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

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

size_t cl_text_plain(const char *bytes, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint32_t code;
        const size_t length = cl_utf8_read(bytes + i, n - i, &code);
        if (length == 0 || (code != '\n' && cl_utf8_is_steering(code)))
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
    char piece[CL_UTF8_JSON];
    cl_text_add(text, "\"", 1);
    for (size_t i = 0; i < n;) {
        i += cl_utf8_json(bytes + i, n - i, piece);
        cl_text_add(text, piece, strlen(piece));
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
