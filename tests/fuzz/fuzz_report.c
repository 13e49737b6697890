/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: what a helper says of a whole file, as text, names or JSON. An input is
 * a byte that says which, then the text. What is let through holds nothing that a
 * terminal obeys, and comes whole.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "io/file_report.h"

typedef struct {
    size_t pieces, bytes;
    bool is_text;
} heard;

/* C0, DEL, C1, and what separates lines or orders them, as it is in UTF-8. */
static bool is_control(const unsigned char *p, size_t left)
{
    const bool is_c1 = left > 1 && p[0] == 0xC2 && p[1] >= 0x80 && p[1] <= 0x9F;
    const bool is_letter_mark = left > 1 && p[0] == 0xD8 && p[1] == 0x9C; /* U+061C */
    bool is_mark = false;
    if (left > 2 && p[0] == 0xE2 && p[1] == 0x80) /* U+200E, F, U+2028 to 202E */
        is_mark = p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE);
    if (left > 2 && p[0] == 0xE2 && p[1] == 0x81) /* U+2066 to 2069 */
        is_mark = p[2] >= 0xA6 && p[2] <= 0xA9;
    return (p[0] < 32 && p[0] != '\n') || p[0] == 127 || is_c1 || is_letter_mark ||
           is_mark;
}

static void hear(void *arg, const char *text, size_t bytes)
{
    heard *h = arg;
    h->pieces++;
    h->bytes += bytes;
    for (size_t i = 0; i < bytes; i++)
        if (h->is_text ? is_control((const unsigned char *)text + i, bytes - i)
                       : text[i] == '\0')
            abort();
    if (!h->is_text && (bytes == 0 || text[0] != '/'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t n = size > 0 ? size - 1 : 0;
    static const cl_report_kind kinds[] = {CL_REPORT_TEXT, CL_REPORT_NAMES,
                                           CL_REPORT_JSON};
    const cl_report_kind kind = kinds[size > 0 ? data[0] % CL_REPORT_KINDS : 0];
    heard h = {.is_text = kind != CL_REPORT_NAMES};
    cl_error err = {0};
    char *text = malloc(n + !n);
    if (!text)
        abort();
    if (n > 0)
        memcpy(text, data + 1, n);
    if (cl_report_text_check(kind, text, n, &err) == CLAST_OK) {
        cl_report_speak(kind, text, n, hear, &h);
        if (h.bytes + (h.is_text ? 0 : h.pieces) != n)
            abort();
    } else if (err.text[0] == '\0') {
        abort();
    }
    free(text);
    return 0;
}
