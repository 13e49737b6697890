/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said to a function for text, kept to be looked at. */
#ifndef PAPER_H
#define PAPER_H

#include <string.h>

#include "check_quiet.h"

typedef struct {
    char text[8192];
    size_t n;
} paper;

/* A clast_text_fn; arg: a paper, zeroed at first. */
static inline void paper_note(void *arg, const char *text, size_t bytes)
{
    paper *p = arg;
    ck_assert(p->n + bytes < sizeof p->text);
    memcpy(p->text + p->n, text, bytes);
    p->n += bytes;
}

#endif
