/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A text that grows, for descriptions whose length nobody knows before, and what JSON
 * wants of strings and numbers. Zeroed memory is an empty text; a failed allocation is
 * noted once, and nothing is added after it.
 */
#ifndef CL_BASE_TEXT_H
#define CL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *data; /* not terminated */
    size_t used, capacity;
    bool has_failed; /* no memory */
} cl_text;

void cl_text_add(cl_text *text, const char *bytes, size_t n);
/* At most 1023 bytes a call. */
void cl_text_say(cl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* How many of the bytes are, from the first on, plain text: well-formed UTF-8 without
 * control characters but newlines, and without what turns the direction of a line: all
 * that a terminal would obey rather than show. */
size_t cl_text_plain(const char *bytes, size_t n);
/* Puts a '?' in the place of each byte that is not. */
void cl_text_tame(cl_text *text);
/* In quotes; what is not plain text is escaped. Bytes that are not UTF-8 become \udc80
 * to \udcff, as Python's surrogateescape has it. */
void cl_text_json_string(cl_text *text, const char *bytes, size_t n);
/* The shortest digits that give the number back; "NaN", "Infinity" and "-Infinity" as
 * strings, because JSON has no such numbers. */
void cl_text_json_double(cl_text *text, double v, bool is_float32);
void cl_text_fini(cl_text *text);

#endif
