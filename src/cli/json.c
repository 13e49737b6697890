/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strings and numbers as JSON. What is not well-formed UTF-8 is written byte by byte as
 * \udc80 to \udcff, so that the output is JSON and nothing is lost.
 */
#include <string.h>

#include "base/utf8.h"
#include "cli.h"

void write_json_string(FILE *to, const char *text)
{
    const char *const end = text + strlen(text);
    char piece[CL_UTF8_JSON];
    fputc('"', to);
    while (text < end) {
        text += cl_utf8_json(text, (size_t)(end - text), piece);
        fputs(piece, to);
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
