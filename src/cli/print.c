/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays as numpy's str() writes them: nested brackets, aligned columns, lines of at
 * most 75 characters, "..." for what a summary leaves out.
 *
 * The data are those of the summary (summary.c); where an axis of the whole array is
 * longer than the summary's, the dots stand in its middle. Follows _formatArray() and
 * _extendLine() of numpy.core.arrayprint.
 */
#include <string.h>

#include "cli.h"

enum { WIDTH = 75, LINE = 4096 };

typedef struct {
    FILE *to;
    clast_dtype dtype;
    int ndim;
    const int64_t *full, *shape;
    const char *next; /* element to write */
    int width;        /* of the widest integer */
    float_layout real, imaginary;
    char line[LINE];
    int used; /* of the line; the first `indent` columns are blank */
} printer;

static bool is_narrow(clast_dtype dtype)
{
    return dtype == CLAST_FLOAT32 || dtype == CLAST_COMPLEX64;
}

static void complex_word(const printer *p, const void *value, char text[DIGITS_TEXT])
{
    char re[DIGITS_TEXT], im[DIGITS_TEXT];
    layout_text(&p->real, value, re);
    layout_text(&p->imaginary, (const char *)value + clast_dtype_size(p->dtype) / 2,
                im);
    int n = (int)strlen(im);
    while (n > 0 && im[n - 1] == ' ')
        n--;
    snprintf(text, DIGITS_TEXT, "%.100s%.*sj%.100s", re, n < 100 ? n : 100, im, im + n);
}

/* One element, padded to the column. */
static void word_of(const printer *p, const void *value, char text[DIGITS_TEXT])
{
    char digits[DIGITS_TEXT];
    if (p->dtype >= CLAST_COMPLEX64) {
        complex_word(p, value, text);
    } else if (p->dtype >= CLAST_FLOAT32) {
        layout_text(&p->real, value, text);
    } else {
        scalar_text(p->dtype, value, digits);
        snprintf(text, DIGITS_TEXT, "%*s", p->width, digits);
    }
}

/* Adds a word to the line, after ending it where the word does not fit. */
static void put_word(printer *p, int indent, int limit, const char *word)
{
    const int n = (int)strlen(word);
    if (p->used + n > limit && p->used > indent) {
        while (p->used > indent && p->line[p->used - 1] == ' ')
            p->used--;
        fprintf(p->to, "%.*s\n%*s", p->used - indent, p->line + indent, indent, "");
        p->used = indent;
    }
    if (p->used + n < LINE) {
        memcpy(p->line + p->used, word, (size_t)n);
        p->used += n;
    }
}

static bool is_cut(const printer *p, int axis)
{
    return p->full[axis] > p->shape[axis];
}

static void put_row(printer *p, int axis)
{
    const int indent = axis + 1, limit = WIDTH - axis - 1;
    const int64_t n = p->shape[axis];
    char word[DIGITS_TEXT];
    p->used = indent;
    for (int64_t i = 0; i < n; i++) {
        if (is_cut(p, axis) && i == n / 2) {
            put_word(p, indent, limit, "...");
            p->line[p->used++] = ' ';
        }
        word_of(p, p->next, word);
        p->next += clast_dtype_size(p->dtype);
        put_word(p, indent, limit, word);
        if (i + 1 < n)
            p->line[p->used++] = ' ';
    }
    fprintf(p->to, "%.*s", p->used - indent, p->line + indent);
}

static void put_newlines(printer *p, int axis)
{
    for (int i = axis + 1; i < p->ndim; i++)
        fputc('\n', p->to);
    fprintf(p->to, "%*s", axis + 1, "");
}

static void put_axis(printer *p, int axis)
{
    fputc('[', p->to);
    if (axis == p->ndim - 1) {
        put_row(p, axis);
    } else {
        const int64_t n = p->shape[axis];
        for (int64_t i = 0; i < n; i++) {
            if (is_cut(p, axis) && i == n / 2) {
                fputs("...", p->to);
                put_newlines(p, axis);
            }
            put_axis(p, axis + 1);
            if (i + 1 < n)
                put_newlines(p, axis);
        }
    }
    fputc(']', p->to);
}

static void measure(printer *p, const char *data, size_t n)
{
    const size_t size = clast_dtype_size(p->dtype);
    const bool narrow = is_narrow(p->dtype);
    if (p->dtype >= CLAST_FLOAT32)
        layout_begin(&p->real, narrow, false, data, n, size);
    if (p->dtype >= CLAST_COMPLEX64)
        layout_begin(&p->imaginary, narrow, true, data + size / 2, n, size);
    if (p->dtype == CLAST_BOOL)
        p->width = 5;
    for (size_t i = 0; p->dtype > CLAST_BOOL && p->dtype < CLAST_FLOAT32 && i < n;
         i++) {
        char text[DIGITS_TEXT];
        scalar_text(p->dtype, data + i * size, text);
        if ((int)strlen(text) > p->width)
            p->width = (int)strlen(text);
    }
}

int print_array(FILE *to, clast_dtype dtype, int ndim, const int64_t *full,
                const int64_t *shape, const void *data)
{
    if (ndim == 0) {
        char text[DIGITS_TEXT];
        scalar_text(dtype, data, text);
        fprintf(to, "%s\n", text);
        return EXIT_DONE;
    }
    printer p = {.to = to,
                 .dtype = dtype,
                 .ndim = ndim,
                 .full = full,
                 .shape = shape,
                 .next = data};
    size_t n = 1;
    for (int i = 0; i < ndim; i++)
        n *= (size_t)shape[i]; /* the data exist, so this does not overflow */
    if (n == 0) {
        fputs("[]\n", to);
        return EXIT_DONE;
    }
    measure(&p, data, n);
    put_axis(&p, 0);
    fputc('\n', to);
    return EXIT_DONE;
}
