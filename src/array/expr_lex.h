/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs as text to tokens, each with its line and column. */
#ifndef CL_ARRAY_EXPR_LEX_H
#define CL_ARRAY_EXPR_LEX_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>

#include "array/number.h"
#include "base/status.h"

/* Where something stands in the program; both count from 1, columns count characters.
 */
typedef struct {
    int line, column;
} cl_position;

/* X(NAME, spelling): tokens spelt in one way. */
#define CL_TOKEN_MAP(X)                                                                \
    X(PLUS, "+")                                                                       \
    X(MINUS, "-")                                                                      \
    X(STAR, "*")                                                                       \
    X(SLASH, "/")                                                                      \
    X(FLOOR, "//")                                                                     \
    X(PERCENT, "%")                                                                    \
    X(AT, "@")                                                                         \
    X(POWER, "**")                                                                     \
    X(AND, "&")                                                                        \
    X(OR, "|")                                                                         \
    X(XOR, "^")                                                                        \
    X(INVERT, "~")                                                                     \
    X(LT, "<")                                                                         \
    X(LE, "<=")                                                                        \
    X(GT, ">")                                                                         \
    X(GE, ">=")                                                                        \
    X(EQ, "==")                                                                        \
    X(NE, "!=")                                                                        \
    X(ASSIGN, "=")                                                                     \
    X(LPAREN, "(")                                                                     \
    X(RPAREN, ")")                                                                     \
    X(LBRACKET, "[")                                                                   \
    X(RBRACKET, "]")                                                                   \
    X(COMMA, ",")                                                                      \
    X(COLON, ":")                                                                      \
    X(DOT, ".")                                                                        \
    X(ELLIPSIS, "...")                                                                 \
    X(SEMICOLON, ";")

typedef enum {
    CL_TOKEN_END,
    CL_TOKEN_NEWLINE,
    CL_TOKEN_INT,
    CL_TOKEN_FLOAT,
    CL_TOKEN_IMAGINARY,
    CL_TOKEN_STRING,
    CL_TOKEN_NAME,
#define CL_TOKEN_ENUM(NAME, spelling) CL_TOKEN_##NAME,
    CL_TOKEN_MAP(CL_TOKEN_ENUM)
#undef CL_TOKEN_ENUM
        CL_NTOKEN
} cl_token_kind;

typedef struct {
    cl_token_kind kind;
    cl_position at;
    const char *text; /* STRING: without the quotes */
    size_t length;
    cl_wide integer; /* INT */
    double number;   /* FLOAT, IMAGINARY */
} cl_token;

typedef struct {
    const char *next;
    cl_position at;
    int brackets; /* open ones: newlines within them mean nothing */
    locale_t c;   /* numbers are read in the "C" locale, whatever the host's is */
    cl_error *err;
} cl_lexer;

/* Longest program, in bytes. */
#define CL_EXPR_MAX_PROGRAM ((size_t)1 << 20)

clast_status cl_lexer_init(cl_lexer *lexer, const char *program, cl_error *err);
void cl_lexer_fini(cl_lexer *lexer);
clast_status cl_lexer_next(cl_lexer *lexer, cl_token *token);

/* "+" for PLUS, "a name" for NAME, ...: for messages. */
const char *cl_token_text(cl_token_kind kind);

/* Sets "line L, column C: message". */
clast_status cl_expr_fail(cl_error *err, cl_position at, clast_status status,
                          const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
