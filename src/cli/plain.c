/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strings for terminals. Names of files and datasets may be any bytes, those of files
 * from elsewhere with a purpose: what a terminal would obey is not written to one.
 */
#include <string.h>

#include "base/utf8.h"
#include "cli.h"

void write_plain(FILE *to, const char *text)
{
    const char *const end = text + strlen(text);
    while (text < end) {
        uint32_t code;
        const size_t length = cl_utf8_read(text, (size_t)(end - text), &code);
        if (length == 0 || cl_utf8_is_steering(code))
            fputc('?', to);
        else
            fwrite(text, 1, length, to);
        text += length > 0 ? length : 1;
    }
}
