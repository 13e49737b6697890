/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strings of files are not always UTF-8, JSON is: a sequence is passed on only where it
 * is well-formed (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). The
 * second byte's range depends on the first one's, which the table holds (Unicode 15,
 * table 3-7).
 */
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static size_t length_of(const unsigned char *p, size_t n)
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

size_t cl_utf8_read(const char *bytes, size_t n, uint32_t *code)
{
    static const unsigned char mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const unsigned char *p = (const unsigned char *)bytes;
    const size_t length = length_of(p, n);
    *code = p[0] & mask[length];
    for (size_t k = 1; k < length; k++)
        *code = *code << 6 | (p[k] & 0x3F);
    return length;
}

bool cl_utf8_is_steering(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C ||
           code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

size_t cl_utf8_json(const char *bytes, size_t n, char text[CL_UTF8_JSON])
{
    uint32_t code;
    const size_t length = cl_utf8_read(bytes, n, &code);
    if (length == 0)
        snprintf(text, CL_UTF8_JSON, "\\udc%02x", (unsigned char)*bytes);
    else if (cl_utf8_is_steering(code))
        snprintf(text, CL_UTF8_JSON, "\\u%04x", (unsigned)(code & 0xFFFF));
    else
        snprintf(text, CL_UTF8_JSON, "%s%.*s", code == '"' || code == '\\' ? "\\" : "",
                 (int)length, bytes);
    return length > 0 ? length : 1;
}
