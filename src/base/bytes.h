/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of bytes as people read them. */
#ifndef CL_BASE_BYTES_H
#define CL_BASE_BYTES_H

#include <stdint.h>

enum { CL_BYTES_TEXT = 24 };

/* "8 B", "1.5 GiB", "640 MiB": to the nearest; returns text. */
const char *cl_bytes_text(uint64_t bytes, char text[CL_BYTES_TEXT]);

#endif
