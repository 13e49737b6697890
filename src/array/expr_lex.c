/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tokenizer of the expression language: Python's spelling of numbers, names,
 * strings and operators.
 *
 * One token at a time, no memory of its own: tokens point into the program. Newlines
 * separate statements except within brackets; `#` comments and backslash-newline are
 * skipped. Bytes outside ASCII are legal in comments only. Integers are 128 bits wide
 * here, so that 2**63 - 1 and -9223372036854775808 are what they say; whether a value
 * fits int64 is asked where it becomes an array.
 */
#include "array/expr_lex.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER                                                                     \
    320 /* characters of a float's text: more never change its value much */

clast_status cl_expr_fail(cl_error *err, cl_position at, clast_status status,
                          const char *format, ...)
{
    char text[CL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cl_error_set(err, status, "line %d, column %d: %s", at.line, at.column,
                        text);
}

static const char *const spelling[CL_NTOKEN] = {
    [CL_TOKEN_END] = "the end of the program",
    [CL_TOKEN_NEWLINE] = "the end of the line",
    [CL_TOKEN_INT] = "a number",
    [CL_TOKEN_FLOAT] = "a number",
    [CL_TOKEN_IMAGINARY] = "a number",
    [CL_TOKEN_STRING] = "a string",
    [CL_TOKEN_NAME] = "a name",
#define TEXT(NAME, text) [CL_TOKEN_##NAME] = text,
    CL_TOKEN_MAP(TEXT)
#undef TEXT
};

const char *cl_token_text(cl_token_kind kind)
{
    return spelling[kind];
}

clast_status cl_lexer_init(cl_lexer *lexer, const char *program, cl_error *err)
{
    *lexer = (cl_lexer){.next = program, .at = {1, 1}, .err = err};
    if (strnlen(program, CL_EXPR_MAX_PROGRAM + 1) > CL_EXPR_MAX_PROGRAM)
        return cl_error_set(err, CLAST_ESYNTAX, "the program is longer than %zu bytes",
                            CL_EXPR_MAX_PROGRAM);
    lexer->c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (lexer->c == (locale_t)0)
        return cl_error_set(err, CLAST_ENOMEM, "no memory to read the program");
    return CLAST_OK;
}

void cl_lexer_fini(cl_lexer *lexer)
{
    if (lexer->c != (locale_t)0)
        freelocale(lexer->c);
    lexer->c = (locale_t)0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One byte on, which is no newline. Continuation bytes of UTF-8 take no column. */
static void step(cl_lexer *lexer)
{
    lexer->next++;
    if (((unsigned char)*lexer->next & 0xC0) != 0x80)
        lexer->at.column++;
}

static void skip(cl_lexer *lexer, size_t bytes)
{
    while (bytes-- > 0)
        step(lexer);
}

static void step_line(cl_lexer *lexer)
{
    lexer->next++;
    lexer->at.line++;
    lexer->at.column = 1;
}

/* Blanks, comments, continued lines, and newlines within brackets. */
static void skip_blanks(cl_lexer *lexer)
{
    for (;;) {
        const char *p = lexer->next;
        if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\f') {
            step(lexer);
        } else if (*p == '#') {
            while (*lexer->next != '\0' && *lexer->next != '\n')
                step(lexer);
        } else if (*p == '\\' && (p[1] == '\n' || (p[1] == '\r' && p[2] == '\n'))) {
            skip(lexer, p[1] == '\n' ? 1 : 2);
            step_line(lexer);
        } else if (*p == '\n' && lexer->brackets > 0) {
            step_line(lexer);
        } else {
            return;
        }
    }
}

/* The digits of an int in base 2, 8, 10 or 16; underscores stand between digits. */
static clast_status read_integer(cl_lexer *lexer, cl_token *token, const char *digits,
                                 const char *end, int base)
{
    cl_wide value = 0;
    for (const char *p = digits; p < end; p++) {
        if (*p == '_')
            continue;
        const int digit = is_digit(*p) ? *p - '0' : (*p | 0x20) - 'a' + 10;
        value = value * base + digit;
        if (value >> 100 != 0)
            return cl_expr_fail(lexer->err, token->at, CLAST_EVALUE,
                                "the integer is too large: int64 ends at "
                                "9223372036854775807");
    }
    token->kind = CL_TOKEN_INT;
    token->integer = value;
    return CLAST_OK;
}

static int base_of_prefix(const char *p)
{
    if (p[0] != '0')
        return 10;
    switch (p[1] | 0x20) {
    case 'x':
        return 16;
    case 'o':
        return 8;
    case 'b':
        return 2;
    default:
        return 10;
    }
}

static bool is_digit_of(char c, int base)
{
    if (base == 16)
        return isxdigit((unsigned char)c) != 0;
    return c >= '0' && c < '0' + base;
}

/* The end of a run of digits, underscores between them allowed. */
static const char *digits_end(const char *p, int base)
{
    while (is_digit_of(*p, base) || (*p == '_' && is_digit_of(p[1], base)))
        p++;
    return p;
}

static clast_status bad_number(cl_lexer *lexer, const cl_token *token)
{
    return cl_expr_fail(lexer->err, token->at, CLAST_ESYNTAX,
                        "this is not a number as Python writes it");
}

static clast_status read_float(cl_lexer *lexer, cl_token *token, const char *end)
{
    char text[MAX_NUMBER + 1];
    size_t n = 0;
    for (const char *p = token->text; p < end; p++) {
        if (*p == '_')
            continue;
        if (n == MAX_NUMBER)
            return cl_expr_fail(lexer->err, token->at, CLAST_ESYNTAX,
                                "the number has more than %d characters", MAX_NUMBER);
        text[n++] = *p;
    }
    text[n] = '\0';
    token->kind = CL_TOKEN_FLOAT;
    token->number = strtod_l(text, NULL, lexer->c);
    return CLAST_OK;
}

/* Digits, then a fraction, then an exponent, each optional; where it ends. */
static const char *decimal_end(const char *p, bool *is_float)
{
    *is_float = false;
    p = digits_end(p, 10);
    if (*p == '.') {
        *is_float = true;
        p = digits_end(p + 1, 10);
    }
    if ((*p | 0x20) == 'e') {
        const char *digits = p + 1 + (p[1] == '+' || p[1] == '-');
        if (is_digit(*digits)) {
            *is_float = true;
            p = digits_end(digits, 10);
        }
    }
    return p;
}

static clast_status read_number(cl_lexer *lexer, cl_token *token)
{
    const int base = base_of_prefix(token->text);
    const char *digits = token->text + (base == 10 ? 0 : 2);
    bool is_float = false;
    const char *end =
        base == 10 ? decimal_end(digits, &is_float) : digits_end(digits, base);
    const bool is_imaginary = base == 10 && (*end | 0x20) == 'j';
    if (end == digits || is_letter(end[is_imaginary]) || is_digit(end[is_imaginary]))
        return bad_number(lexer, token);
    if (is_float || is_imaginary) {
        CL_TRY(read_float(lexer, token, end));
        if (is_imaginary)
            token->kind = CL_TOKEN_IMAGINARY;
    } else {
        /* Python refuses 012, and takes 00. */
        if (base == 10 && *digits == '0' &&
            strspn(digits, "0_") < (size_t)(end - digits))
            return bad_number(lexer, token);
        CL_TRY(read_integer(lexer, token, digits, end, base));
    }
    token->length = (size_t)(end - token->text) + is_imaginary;
    skip(lexer, token->length);
    return CLAST_OK;
}

static clast_status read_string(cl_lexer *lexer, cl_token *token)
{
    const char quote = *lexer->next;
    step(lexer);
    token->kind = CL_TOKEN_STRING;
    token->text = lexer->next;
    while (*lexer->next != quote) {
        if (*lexer->next == '\0' || *lexer->next == '\n' || *lexer->next == '\\')
            return cl_expr_fail(lexer->err, token->at, CLAST_ESYNTAX,
                                "the string has no end (strings are dtype names)");
        step(lexer);
    }
    token->length = (size_t)(lexer->next - token->text);
    step(lexer);
    return CLAST_OK;
}

static void read_name(cl_lexer *lexer, cl_token *token)
{
    token->kind = CL_TOKEN_NAME;
    while (is_letter(*lexer->next) || is_digit(*lexer->next))
        step(lexer);
    token->length = (size_t)(lexer->next - token->text);
}

/* What people type from habit, and what to write instead. */
static const struct {
    const char *text, *message;
} refused[] = {
    {"<<", "<< and >> are not supported: multiply by a power of two"},
    {">>", "<< and >> are not supported: divide with // by a power of two"},
    {":=", ":= is not supported: assign in a statement of its own"},
    {"->", "-> is not supported"},
    {"&&", "&& is not an operator here: use &"},
    {"||", "|| is not an operator here: use |"},
    {"!", "! is not an operator here: use ~"},
    {"**=", "**= is not supported: write y = y ** ..."},
    {"//=", "//= is not supported: write y = y // ..."},
    {"+=", "+= is not supported: write y = y + ..."},
    {"-=", "-= is not supported: write y = y - ..."},
    {"*=", "*= is not supported: write y = y * ..."},
    {"/=", "/= is not supported: write y = y / ..."},
    {"%=", "%= is not supported: write y = y % ..."},
    {"@=", "@= is not supported: write y = y @ ..."},
    {"&=", "&= is not supported: write y = y & ..."},
    {"|=", "|= is not supported: write y = y | ..."},
    {"^=", "^= is not supported: write y = y ^ ..."},
};

static clast_status refuse_habits(cl_lexer *lexer)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const size_t n = strlen(refused[i].text);
        const bool is_ne = *lexer->next == '!' && lexer->next[1] == '=';
        if (strncmp(lexer->next, refused[i].text, n) == 0 && !is_ne)
            return cl_expr_fail(lexer->err, lexer->at, CLAST_ESYNTAX, "%s",
                                refused[i].message);
    }
    return CLAST_OK;
}

/* The longest operator that the text begins with. */
static clast_status read_operator(cl_lexer *lexer, cl_token *token)
{
    CL_TRY(refuse_habits(lexer));
    for (int kind = CL_TOKEN_PLUS; kind < CL_NTOKEN; kind++) {
        const size_t n = strlen(spelling[kind]);
        if (n > token->length && strncmp(lexer->next, spelling[kind], n) == 0) {
            token->kind = (cl_token_kind)kind;
            token->length = n;
        }
    }
    if (token->length == 0) {
        const unsigned char c = (unsigned char)*lexer->next;
        if (c > 0x20 && c < 0x7F)
            return cl_expr_fail(lexer->err, token->at, CLAST_ESYNTAX,
                                "unexpected character '%c'", c);
        return cl_expr_fail(lexer->err, token->at, CLAST_ESYNTAX,
                            "unexpected byte 0x%02x", c);
    }
    skip(lexer, token->length);
    return CLAST_OK;
}

static void count_brackets(cl_lexer *lexer, cl_token_kind kind)
{
    if (kind == CL_TOKEN_LPAREN || kind == CL_TOKEN_LBRACKET)
        lexer->brackets++;
    else if ((kind == CL_TOKEN_RPAREN || kind == CL_TOKEN_RBRACKET) &&
             lexer->brackets > 0)
        lexer->brackets--;
}

clast_status cl_lexer_next(cl_lexer *lexer, cl_token *token)
{
    skip_blanks(lexer);
    const char *p = lexer->next;
    *token = (cl_token){.kind = CL_TOKEN_END, .at = lexer->at, .text = p};
    if (*p == '\0')
        return CLAST_OK;
    if (*p == '\n') {
        token->kind = CL_TOKEN_NEWLINE;
        step_line(lexer);
        return CLAST_OK;
    }
    if (is_digit(*p) || (*p == '.' && is_digit(p[1])))
        return read_number(lexer, token);
    if (*p == '"' || *p == '\'')
        return read_string(lexer, token);
    if (is_letter(*p)) {
        read_name(lexer, token);
        return CLAST_OK;
    }
    CL_TRY(read_operator(lexer, token));
    count_brackets(lexer, token->kind);
    return CLAST_OK;
}
