/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Characters of UTF-8: which bytes are one, which ones a terminal would obey rather
 * than show, and how JSON writes them. Pure functions, which the command is built from
 * too.
 */
#ifndef CL_BASE_UTF8_H
#define CL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of the n > 0 bytes are the first character, and which one it is; 0: they
 * begin with none. */
size_t cl_utf8_read(const char *bytes, size_t n, uint32_t *code);

/* Control characters, and those of Unicode that separate lines or order what is written
 * from right to left (UAX 9). All of them have four digits. */
bool cl_utf8_is_steering(uint32_t code);

enum { CL_UTF8_JSON = 8 };
/* The first of n > 0 bytes' characters within a JSON string, with its escape where it
 * is a quote, a backslash or steers; a byte that is no UTF-8 becomes \udc80 to \udcff,
 * as Python's surrogateescape has it. Returns for how many of the bytes that stands. */
size_t cl_utf8_json(const char *bytes, size_t n, char text[CL_UTF8_JSON]);

#endif
