/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers as NumPy writes them.
 *
 * A float is written with the fewest digits that read back as the same float of its own
 * width, found by trying lengths with the C library's correctly rounded conversions.
 * Within an array at most 8 digits follow the point, all values share one layout
 * (positional or with an exponent), and shorter ones are padded: this is what
 * numpy.core.arrayprint's FloatingFormat does with floatmode 'maxprec'.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { PRECISION = 8 };

static double load(bool is_float32, const void *value)
{
    float narrow = 0;
    double wide = 0;
    if (is_float32) {
        memcpy(&narrow, value, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&wide, value, sizeof wide);
    return wide;
}

/* d.ddde+xx with the fewest digits; returns how many follow the point. */
static int shortest(bool is_float32, double v, char text[DIGITS_TEXT])
{
    const int most = is_float32 ? 8 : 16;
    for (int digits = 0; digits < most; digits++) {
        snprintf(text, DIGITS_TEXT, "%.*e", digits, v);
        const bool is_same =
            is_float32 ? (double)strtof(text, NULL) == v : strtod(text, NULL) == v;
        if (is_same)
            return digits;
    }
    snprintf(text, DIGITS_TEXT, "%.*e", most, v);
    return most;
}

static int exponent_of(const char *text)
{
    return atoi(strchr(text, 'e') + 1);
}

/* Drops zeros at the end of a fraction, keeps the point. */
static void trim_zeros(char *text)
{
    char *end = text + strlen(text);
    while (end > text && end[-1] == '0')
        end--;
    *end = '\0';
}

/* Positional, a point always there, at most `precision` digits after it (-1: all). */
static void positional(bool is_float32, double v, int precision, char text[DIGITS_TEXT])
{
    char e[DIGITS_TEXT];
    const int after = shortest(is_float32, v, e) - exponent_of(e);
    if (precision >= 0 && after > precision) {
        snprintf(text, DIGITS_TEXT, "%.*f", precision, v);
        trim_zeros(text);
        return;
    }
    if (after > 0) {
        snprintf(text, DIGITS_TEXT, "%.*f", after, v);
        return;
    }
    /* The digits, then zeros up to the point: not the exact value's further digits. */
    char *out = text;
    for (const char *p = e; *p != 'e'; p++)
        if (*p != '.')
            *out++ = *p;
    for (int i = after; i < 0; i++)
        *out++ = '0';
    *out++ = '.';
    *out = '\0';
}

/* d.ddd and the exponent apart. */
static void scientific(bool is_float32, double v, int precision, char text[DIGITS_TEXT],
                       int *exponent)
{
    const int digits = shortest(is_float32, v, text);
    if (precision >= 0 && digits > precision)
        snprintf(text, DIGITS_TEXT, "%.*e", precision, v);
    *exponent = exponent_of(text);
    *strchr(text, 'e') = '\0';
    if (strchr(text, '.') == NULL)
        strcat(text, ".");
    else
        trim_zeros(text);
}

/* ---- scalars ---- */

static bool drop_point(char *text)
{
    char *last = text + strlen(text) - 1;
    if (*last != '.')
        return false;
    *last = '\0';
    return true;
}

/* `tail` follows a whole number: ".0" or nothing. */
static void float_scalar(bool is_float32, double v, bool has_sign, const char *tail,
                         char text[DIGITS_TEXT])
{
    char digits[DIGITS_TEXT];
    int exponent = 0;
    const char *sign = has_sign && (isnan(v) || !signbit(v)) ? "+" : "";
    if (!isfinite(v)) {
        snprintf(text, DIGITS_TEXT, "%s%s", sign,
                 isnan(v) ? "nan"
                 : v < 0  ? "-inf"
                          : "inf");
    } else if (v == 0 || (fabs(v) < 1e16 && fabs(v) >= 1e-4)) {
        positional(is_float32, v, -1, digits);
        const bool is_whole = drop_point(digits);
        snprintf(text, DIGITS_TEXT, "%s%.300s%s", sign, digits, is_whole ? tail : "");
    } else {
        scientific(is_float32, v, -1, digits, &exponent);
        drop_point(digits);
        snprintf(text, DIGITS_TEXT, "%s%.300se%c%02d", sign, digits,
                 exponent < 0 ? '-' : '+', abs(exponent));
    }
}

static void complex_scalar(bool is_float32, double re, double im,
                           char text[DIGITS_TEXT])
{
    char r[DIGITS_TEXT], i[DIGITS_TEXT];
    if (re == 0 && !signbit(re)) {
        float_scalar(is_float32, im, false, "", i);
        snprintf(text, DIGITS_TEXT, "%.100sj", i);
        return;
    }
    float_scalar(is_float32, re, false, "", r);
    float_scalar(is_float32, im, true, "", i);
    snprintf(text, DIGITS_TEXT, "(%.100s%.100sj)", r, i);
}

static void integer_text(clast_dtype dtype, const void *value, char text[DIGITS_TEXT])
{
    const size_t size = clast_dtype_size(dtype);
    int64_t v = 0;
    memcpy(&v, value, size); /* the machine is little-endian */
    if (dtype >= CLAST_UINT8) {
        snprintf(text, DIGITS_TEXT, "%llu", (unsigned long long)(uint64_t)v);
        return;
    }
    const int shift = 64 - 8 * (int)size;
    v = (int64_t)((uint64_t)v << shift) >> shift;
    snprintf(text, DIGITS_TEXT, "%lld", (long long)v);
}

void scalar_text(clast_dtype dtype, const void *value, char text[DIGITS_TEXT])
{
    const bool is_narrow = dtype == CLAST_FLOAT32 || dtype == CLAST_COMPLEX64;
    if (dtype == CLAST_BOOL)
        snprintf(text, DIGITS_TEXT, "%s",
                 *(const unsigned char *)value ? "True" : "False");
    else if (dtype < CLAST_FLOAT32)
        integer_text(dtype, value, text);
    else if (dtype < CLAST_COMPLEX64)
        float_scalar(is_narrow, load(is_narrow, value), false, ".0", text);
    else
        complex_scalar(is_narrow, load(is_narrow, value),
                       load(is_narrow, (const char *)value + (is_narrow ? 4 : 8)),
                       text);
}

/* ---- floats of one array ---- */

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Whether exponents are needed, from the non-zero finite values. */
static bool needs_exponent(bool is_float32, const char *data, size_t n, size_t step)
{
    double largest = 0, smallest = INFINITY;
    for (size_t i = 0; i < n; i++) {
        const double v = fabs(load(is_float32, data + i * step));
        if (!isfinite(v) || v == 0)
            continue;
        largest = fmax(largest, v);
        smallest = fmin(smallest, v);
    }
    if (largest == 0)
        return false;
    const double ratio =
        is_float32 ? (double)((float)largest / (float)smallest) : largest / smallest;
    return largest >= 1e8 || smallest < 1e-4 || ratio > 1000;
}

static void widen(float_layout *l, double v)
{
    char text[DIGITS_TEXT];
    int exponent = 0;
    if (l->is_exponential)
        scientific(l->is_float32, v, PRECISION, text, &exponent);
    else
        positional(l->is_float32, v, PRECISION, text);
    const int left = (int)strcspn(text, ".") + (l->has_sign && !signbit(v));
    const int right = (int)strlen(strchr(text, '.') + 1);
    l->left = larger(l->left, left);
    l->right = larger(l->right, right);
    l->exponent = larger(l->exponent, abs(exponent) >= 100 ? 3 : 2);
}

void layout_begin(float_layout *l, bool is_float32, bool has_sign, const char *data,
                  size_t n, size_t step)
{
    *l = (float_layout){.is_float32 = is_float32, .has_sign = has_sign};
    l->is_exponential = needs_exponent(is_float32, data, n, step);
    bool is_all_finite = true, has_negative = false;
    for (size_t i = 0; i < n; i++) {
        const double v = load(is_float32, data + i * step);
        if (isfinite(v)) {
            widen(l, v);
        } else {
            is_all_finite = false;
            has_negative |= isinf(v) && v < 0;
        }
    }
    l->precision = l->right;
    if (l->is_exponential) /* the e, its sign and its digits stand right of the point */
        l->right = l->exponent + 2 + l->precision;
    if (is_all_finite)
        return;
    const int point = l->right + 1;
    const int infinity = 3 + (has_sign || has_negative);
    l->left = larger(l->left, larger(3, infinity) - point);
}

void layout_text(const float_layout *l, const void *value, char text[DIGITS_TEXT])
{
    const double v = load(l->is_float32, value);
    char number[DIGITS_TEXT];
    int exponent = 0;
    const char *sign = l->has_sign && (isnan(v) || !signbit(v)) ? "+" : "";
    if (!isfinite(v)) {
        snprintf(number, sizeof number, "%s%s", sign,
                 isnan(v) ? "nan"
                 : v < 0  ? "-inf"
                          : "inf");
        snprintf(text, DIGITS_TEXT, "%*s", l->left + l->right + 1, number);
        return;
    }
    if (l->is_exponential) {
        /* Padded with the value's own digits, as NumPy's min_digits does. */
        snprintf(number, sizeof number, "%#.*e", l->precision, v);
        exponent = exponent_of(number);
        *strchr(number, 'e') = '\0';
    } else {
        positional(l->is_float32, v, l->precision, number);
    }
    const int before = (int)strcspn(number, ".") + (int)strlen(sign);
    int n = snprintf(text, DIGITS_TEXT, "%*s%s%.300s", larger(l->left - before, 0), "",
                     sign, number);
    if (l->is_exponential) {
        snprintf(text + n, (size_t)(DIGITS_TEXT - n), "e%c%0*d",
                 exponent < 0 ? '-' : '+', l->exponent, abs(exponent));
        return;
    }
    for (int i = (int)strlen(strchr(number, '.') + 1); i < l->precision; i++)
        text[n++] = ' ';
    text[n] = '\0';
}
