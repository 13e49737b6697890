/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers of bytes as people read them: in the largest unit of which there is at least
 * one, with a digit after the point below ten. Plans, drawings and descriptions of
 * files use the same words, so that what one shows is found in the others.
 */
#include "base/bytes.h"

#include <stdio.h>

const char *cl_bytes_text(uint64_t bytes, char text[CL_BYTES_TEXT])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    size_t u = 0;
    for (; v >= 1024 && u + 1 < sizeof unit / sizeof unit[0]; u++)
        v /= 1024;
    snprintf(text, CL_BYTES_TEXT, v < 10 && u > 0 ? "%.1f %s" : "%.0f %s", v, unit[u]);
    return text;
}
