/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser of the expression language: recursive descent for what nests, precedence
 * climbing for binary operators. docs/expressions.md has the grammar.
 *
 * Precedence and associativity are Python's: comparisons bind loosest, then | ^ &, then
 * + -, then * / // % @, then the unary signs, then **, whose right operand may carry a
 * sign and which groups to the right. Nodes live in the caller's arena.
 *
 * Recursion is bounded twice: by the nesting of brackets and signs while parsing, and
 * by the depth of the finished tree, which the evaluator descends. Linear in the
 * program.
 */
#include "array/expr_parse.h"

#include <string.h>

typedef struct {
    cl_lexer lexer;
    cl_token token; /* the next one */
    cl_arena *arena;
    cl_error *err;
    int nesting;
} parser;

/* A list of nodes while its length is not yet known. */
typedef struct {
    cl_expr_node **item;
    size_t count, capacity;
} node_list;

static clast_status parse_expression(parser *p, cl_expr_node **out);
static clast_status parse_unary(parser *p, cl_expr_node **out);

static clast_status no_memory(parser *p)
{
    return cl_error_set(p->err, CLAST_ENOMEM, "no memory for the program");
}

static clast_status advance(parser *p)
{
    return cl_lexer_next(&p->lexer, &p->token);
}

static clast_status unexpected(parser *p, const char *wanted)
{
    const cl_token *t = &p->token;
    if (t->kind == CL_TOKEN_NAME)
        return cl_expr_fail(p->err, t->at, CLAST_ESYNTAX,
                            "expected %s, not the name '%.*s'", wanted,
                            (int)(t->length < 60 ? t->length : 60), t->text);
    const bool is_spelt = t->kind > CL_TOKEN_NAME;
    return cl_expr_fail(p->err, t->at, CLAST_ESYNTAX,
                        is_spelt ? "expected %s, not '%s'" : "expected %s, not %s",
                        wanted, cl_token_text(t->kind));
}

static clast_status expect(parser *p, cl_token_kind kind, const char *wanted)
{
    return p->token.kind == kind ? advance(p) : unexpected(p, wanted);
}

/* ---- nodes ---- */

static clast_status push(parser *p, node_list *list, cl_expr_node *node)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        cl_expr_node **item = cl_arena_array(p->arena, capacity, sizeof *item);
        if (!item)
            return no_memory(p);
        if (list->count > 0)
            memcpy(item, list->item, list->count * sizeof *item);
        list->item = item;
        list->capacity = capacity;
    }
    list->item[list->count++] = node;
    return CLAST_OK;
}

static clast_status new_node(parser *p, cl_expr_kind kind, cl_position at,
                             const node_list *children, cl_expr_node **out)
{
    cl_expr_node *node = cl_arena_alloc(p->arena, sizeof *node);
    if (!node)
        return no_memory(p);
    node->kind = kind;
    node->at = at;
    if (children) {
        node->child = children->item;
        node->count = children->count;
    }
    for (size_t i = 0; i < node->count; i++)
        if (node->child[i] && node->child[i]->depth >= node->depth)
            node->depth = node->child[i]->depth + 1;
    if (node->depth > CL_EXPR_MAX_DEPTH)
        return cl_expr_fail(p->err, at, CLAST_ESYNTAX,
                            "the expression is more than %d operations deep: give "
                            "parts of it names",
                            CL_EXPR_MAX_DEPTH);
    *out = node;
    return CLAST_OK;
}

static clast_status new_node1(parser *p, cl_expr_kind kind, cl_position at,
                              cl_expr_node *child, cl_expr_node **out)
{
    node_list list = {0};
    CL_TRY(push(p, &list, child));
    return new_node(p, kind, at, &list, out);
}

static clast_status new_binary(parser *p, const cl_token *op, cl_expr_node *left,
                               cl_expr_node *right, cl_expr_node **out)
{
    node_list list = {0};
    CL_TRY(push(p, &list, left));
    CL_TRY(push(p, &list, right));
    CL_TRY(new_node(p, CL_EXPR_BINARY, op->at, &list, out));
    (*out)->op = op->kind;
    return CLAST_OK;
}

static clast_status copy_text(parser *p, const cl_token *token, const char **out)
{
    char *text = cl_arena_alloc(p->arena, token->length + 1);
    if (!text)
        return no_memory(p);
    memcpy(text, token->text, token->length);
    *out = text;
    return CLAST_OK;
}

static clast_status new_text(parser *p, cl_expr_kind kind, cl_expr_node **out)
{
    CL_TRY(new_node(p, kind, p->token.at, NULL, out));
    CL_TRY(copy_text(p, &p->token, &(*out)->text));
    return advance(p);
}

/* ---- what may stand in an expression ---- */

/* Python's words that mean something else there. */
static const struct {
    const char *word, *message;
} reserved[] = {
    {"and", "'and' is not supported: use & (with brackets around comparisons)"},
    {"or", "'or' is not supported: use | (with brackets around comparisons)"},
    {"not", "'not' is not supported: use ~"},
    {"is", "'is' is not supported: use =="},
    {"in", "'in' is not supported"},
    {"if", "'if' is not supported: use where(condition, a, b)"},
    {"else", "'else' is not supported: use where(condition, a, b)"},
    {"for", "'for' is not supported: operations act on whole arrays"},
    {"while", "'while' is not supported: operations act on whole arrays"},
    {"lambda", "'lambda' is not supported"},
    {"def", "'def' is not supported"},
    {"class", "'class' is not supported"},
    {"return", "'return' is not supported: the last expression is the value"},
    {"import", "'import' is not supported: NumPy's names are there already"},
    {"from", "'from' is not supported: NumPy's names are there already"},
    {"del", "'del' is not supported"},
    {"pass", "'pass' is not supported"},
    {"assert", "'assert' is not supported"},
    {"await", "'await' is not supported"},
    {"async", "'async' is not supported"},
    {"break", "'break' is not supported"},
    {"continue", "'continue' is not supported"},
    {"elif", "'elif' is not supported"},
    {"except", "'except' is not supported"},
    {"finally", "'finally' is not supported"},
    {"global", "'global' is not supported"},
    {"nonlocal", "'nonlocal' is not supported"},
    {"raise", "'raise' is not supported"},
    {"try", "'try' is not supported"},
    {"with", "'with' is not supported"},
    {"yield", "'yield' is not supported"},
};

static bool is_word(const cl_token *token, const char *word)
{
    return token->kind == CL_TOKEN_NAME && strlen(word) == token->length &&
           strncmp(token->text, word, token->length) == 0;
}

static clast_status refuse_reserved(parser *p)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (is_word(&p->token, reserved[i].word))
            return cl_expr_fail(p->err, p->token.at, CLAST_ESYNTAX, "%s",
                                reserved[i].message);
    return CLAST_OK;
}

static clast_status parse_number(parser *p, cl_expr_node **out)
{
    const cl_expr_kind kind = p->token.kind == CL_TOKEN_INT     ? CL_EXPR_INT
                              : p->token.kind == CL_TOKEN_FLOAT ? CL_EXPR_FLOAT
                                                                : CL_EXPR_IMAGINARY;
    CL_TRY(new_node(p, kind, p->token.at, NULL, out));
    (*out)->integer = p->token.integer;
    (*out)->number = p->token.number;
    return advance(p);
}

/* Items separated by commas up to `close`, which is taken. */
static clast_status parse_items(parser *p, cl_token_kind close, node_list *items,
                                bool *has_comma)
{
    *has_comma = false;
    while (p->token.kind != close) {
        cl_expr_node *item = NULL;
        CL_TRY(parse_expression(p, &item));
        CL_TRY(push(p, items, item));
        if (p->token.kind != CL_TOKEN_COMMA)
            break;
        *has_comma = true;
        CL_TRY(advance(p));
    }
    return expect(p, close, close == CL_TOKEN_RPAREN ? "',' or ')'" : "',' or ']'");
}

/* (a), (a,), (a, b), () or [a, b]. */
static clast_status parse_bracketed(parser *p, cl_expr_node **out)
{
    const cl_position at = p->token.at;
    const bool is_list = p->token.kind == CL_TOKEN_LBRACKET;
    CL_TRY(advance(p));
    node_list items = {0};
    bool has_comma = false;
    CL_TRY(parse_items(p, is_list ? CL_TOKEN_RBRACKET : CL_TOKEN_RPAREN, &items,
                       &has_comma));
    if (!is_list && items.count == 1 && !has_comma) {
        *out = items.item[0];
        return CLAST_OK;
    }
    return new_node(p, is_list ? CL_EXPR_LIST : CL_EXPR_TUPLE, at, &items, out);
}

static clast_status parse_atom(parser *p, cl_expr_node **out)
{
    switch (p->token.kind) {
    case CL_TOKEN_INT:
    case CL_TOKEN_FLOAT:
    case CL_TOKEN_IMAGINARY:
        return parse_number(p, out);
    case CL_TOKEN_STRING:
        return new_text(p, CL_EXPR_STRING, out);
    case CL_TOKEN_NAME:
        CL_TRY(refuse_reserved(p));
        return new_text(p, CL_EXPR_NAME, out);
    case CL_TOKEN_ELLIPSIS:
        CL_TRY(new_node(p, CL_EXPR_ELLIPSIS, p->token.at, NULL, out));
        return advance(p);
    case CL_TOKEN_LPAREN:
    case CL_TOKEN_LBRACKET:
        return parse_bracketed(p, out);
    default:
        return unexpected(p, "a value");
    }
}

/* One argument of a call; `name = value` becomes a KEYWORD. */
static clast_status parse_argument(parser *p, bool *has_keyword, cl_expr_node **out)
{
    if (p->token.kind == CL_TOKEN_STAR || p->token.kind == CL_TOKEN_POWER)
        return cl_expr_fail(p->err, p->token.at, CLAST_ESYNTAX,
                            "unpacked arguments (* and **) are not supported");
    const cl_position at = p->token.at;
    CL_TRY(parse_expression(p, out));
    if (p->token.kind != CL_TOKEN_ASSIGN) {
        if (*has_keyword)
            return cl_expr_fail(p->err, at, CLAST_ESYNTAX,
                                "a positional argument follows a keyword argument");
        return CLAST_OK;
    }
    if ((*out)->kind != CL_EXPR_NAME)
        return unexpected(p, "',' or ')'");
    CL_TRY(advance(p));
    *has_keyword = true;
    const char *name = (*out)->text;
    cl_expr_node *value = NULL;
    CL_TRY(parse_expression(p, &value));
    CL_TRY(new_node1(p, CL_EXPR_KEYWORD, at, value, out));
    (*out)->text = name;
    return CLAST_OK;
}

/* f(...), with f already there. */
static clast_status parse_call(parser *p, cl_expr_node **node)
{
    node_list parts = {0};
    CL_TRY(push(p, &parts, *node));
    CL_TRY(advance(p));
    bool has_keyword = false;
    while (p->token.kind != CL_TOKEN_RPAREN) {
        cl_expr_node *argument = NULL;
        CL_TRY(parse_argument(p, &has_keyword, &argument));
        CL_TRY(push(p, &parts, argument));
        if (p->token.kind != CL_TOKEN_COMMA)
            break;
        CL_TRY(advance(p));
    }
    CL_TRY(expect(p, CL_TOKEN_RPAREN, "',' or ')'"));
    return new_node(p, CL_EXPR_CALL, (*node)->at, &parts, node);
}

static bool ends_slice_part(cl_token_kind kind)
{
    return kind == CL_TOKEN_COLON || kind == CL_TOKEN_COMMA ||
           kind == CL_TOKEN_RBRACKET;
}

/* One item of an index: an expression, or start:stop:step with any part left out. */
static clast_status parse_index_item(parser *p, cl_expr_node **out)
{
    const cl_position at = p->token.at;
    cl_expr_node *part[3] = {NULL, NULL, NULL};
    int parts = 0;
    for (;;) {
        if (!ends_slice_part(p->token.kind))
            CL_TRY(parse_expression(p, &part[parts]));
        parts++;
        if (parts == 3 || p->token.kind != CL_TOKEN_COLON)
            break;
        CL_TRY(advance(p));
    }
    if (parts == 1) {
        *out = part[0];
        return part[0] ? CLAST_OK : unexpected(p, "an index");
    }
    node_list list = {0};
    for (int i = 0; i < 3; i++)
        CL_TRY(push(p, &list, part[i]));
    return new_node(p, CL_EXPR_SLICE, at, &list, out);
}

/* a[...], with a already there. */
static clast_status parse_index(parser *p, cl_expr_node **node)
{
    const cl_position at = p->token.at;
    node_list parts = {0};
    CL_TRY(push(p, &parts, *node));
    CL_TRY(advance(p));
    bool is_tuple = false;
    do {
        cl_expr_node *item = NULL;
        CL_TRY(parse_index_item(p, &item));
        CL_TRY(push(p, &parts, item));
        if (p->token.kind != CL_TOKEN_COMMA)
            break;
        is_tuple = true;
        CL_TRY(advance(p));
    } while (p->token.kind != CL_TOKEN_RBRACKET);
    CL_TRY(expect(p, CL_TOKEN_RBRACKET, "',' or ']'"));
    CL_TRY(new_node(p, CL_EXPR_INDEX, at, &parts, node));
    (*node)->is_tuple = is_tuple;
    return CLAST_OK;
}

/* a.name, with a already there. */
static clast_status parse_attribute(parser *p, cl_expr_node **node)
{
    CL_TRY(advance(p));
    if (p->token.kind != CL_TOKEN_NAME)
        return unexpected(p, "a name after '.'");
    cl_expr_node *base = *node;
    CL_TRY(new_node1(p, CL_EXPR_ATTRIBUTE, p->token.at, base, node));
    CL_TRY(copy_text(p, &p->token, &(*node)->text));
    return advance(p);
}

static clast_status parse_postfix(parser *p, cl_expr_node **out)
{
    CL_TRY(parse_atom(p, out));
    for (;;) {
        if (p->token.kind == CL_TOKEN_LPAREN)
            CL_TRY(parse_call(p, out));
        else if (p->token.kind == CL_TOKEN_LBRACKET)
            CL_TRY(parse_index(p, out));
        else if (p->token.kind == CL_TOKEN_DOT)
            CL_TRY(parse_attribute(p, out));
        else
            return CLAST_OK;
    }
}

static clast_status enter(parser *p)
{
    if (++p->nesting > CL_EXPR_MAX_NESTING * 2)
        return cl_expr_fail(p->err, p->token.at, CLAST_ESYNTAX,
                            "brackets and signs nest more than %d deep",
                            CL_EXPR_MAX_NESTING);
    return CLAST_OK;
}

/* a ** b, where b may carry a sign and be a power itself. */
static clast_status parse_power(parser *p, cl_expr_node **out)
{
    CL_TRY(parse_postfix(p, out));
    if (p->token.kind != CL_TOKEN_POWER)
        return CLAST_OK;
    const cl_token op = p->token;
    CL_TRY(advance(p));
    cl_expr_node *exponent = NULL;
    CL_TRY(parse_unary(p, &exponent));
    return new_binary(p, &op, *out, exponent, out);
}

static bool is_sign(cl_token_kind kind)
{
    return kind == CL_TOKEN_PLUS || kind == CL_TOKEN_MINUS || kind == CL_TOKEN_INVERT;
}

static clast_status parse_unary(parser *p, cl_expr_node **out)
{
    CL_TRY(enter(p));
    if (!is_sign(p->token.kind)) {
        CL_TRY(parse_power(p, out));
    } else {
        const cl_token op = p->token;
        CL_TRY(advance(p));
        cl_expr_node *operand = NULL;
        CL_TRY(parse_unary(p, &operand));
        CL_TRY(new_node1(p, CL_EXPR_UNARY, op.at, operand, out));
        (*out)->op = op.kind;
    }
    p->nesting--;
    return CLAST_OK;
}

enum { NOT_BINARY, COMPARISON };

/* How tightly a binary operator binds; COMPARISON is loosest. */
static const unsigned char binding[CL_NTOKEN] = {
    [CL_TOKEN_LT] = COMPARISON, [CL_TOKEN_LE] = COMPARISON, [CL_TOKEN_GT] = COMPARISON,
    [CL_TOKEN_GE] = COMPARISON, [CL_TOKEN_EQ] = COMPARISON, [CL_TOKEN_NE] = COMPARISON,
    [CL_TOKEN_OR] = 2,          [CL_TOKEN_XOR] = 3,         [CL_TOKEN_AND] = 4,
    [CL_TOKEN_PLUS] = 5,        [CL_TOKEN_MINUS] = 5,       [CL_TOKEN_STAR] = 6,
    [CL_TOKEN_SLASH] = 6,       [CL_TOKEN_FLOOR] = 6,       [CL_TOKEN_PERCENT] = 6,
    [CL_TOKEN_AT] = 6,
};

/* Precedence climbing: operators that bind at least as tightly as `least`. */
static clast_status parse_binary(parser *p, int least, cl_expr_node **out)
{
    CL_TRY(parse_unary(p, out));
    bool is_comparison = false;
    for (;;) {
        const cl_token op = p->token;
        const int level = binding[op.kind];
        if (level == NOT_BINARY || level < least)
            return CLAST_OK;
        if (level == COMPARISON && is_comparison)
            return cl_expr_fail(p->err, op.at, CLAST_ESYNTAX,
                                "comparisons cannot be chained: write "
                                "(a < b) & (b < c)");
        is_comparison = level == COMPARISON;
        CL_TRY(advance(p));
        cl_expr_node *right = NULL;
        CL_TRY(parse_binary(p, level + 1, &right));
        CL_TRY(new_binary(p, &op, *out, right, out));
    }
}

/* Words that would stand where an operator is expected get their own message. */
static clast_status parse_expression(parser *p, cl_expr_node **out)
{
    CL_TRY(enter(p));
    CL_TRY(parse_binary(p, COMPARISON, out));
    if (p->token.kind == CL_TOKEN_NAME)
        CL_TRY(refuse_reserved(p));
    p->nesting--;
    return CLAST_OK;
}

/* ---- statements ---- */

/* a or a, b or a, : a TUPLE where a comma stood. */
static clast_status parse_expression_list(parser *p, cl_expr_node **out)
{
    const cl_position at = p->token.at;
    CL_TRY(parse_expression(p, out));
    if (p->token.kind != CL_TOKEN_COMMA)
        return CLAST_OK;
    node_list items = {0};
    CL_TRY(push(p, &items, *out));
    while (p->token.kind == CL_TOKEN_COMMA) {
        CL_TRY(advance(p));
        const cl_token_kind kind = p->token.kind;
        if (kind == CL_TOKEN_END || kind == CL_TOKEN_NEWLINE ||
            kind == CL_TOKEN_SEMICOLON || kind == CL_TOKEN_ASSIGN)
            break;
        cl_expr_node *item = NULL;
        CL_TRY(parse_expression(p, &item));
        CL_TRY(push(p, &items, item));
    }
    return new_node(p, CL_EXPR_TUPLE, at, &items, out);
}

static clast_status check_target(parser *p, const cl_expr_node *node)
{
    if (node->kind != CL_EXPR_NAME)
        return cl_expr_fail(p->err, node->at, CLAST_ESYNTAX,
                            "only names can be assigned to: y = ... or u, s = ...");
    if (strcmp(node->text, "True") == 0 || strcmp(node->text, "False") == 0 ||
        strcmp(node->text, "None") == 0)
        return cl_expr_fail(p->err, node->at, CLAST_ESYNTAX, "%s cannot be assigned to",
                            node->text);
    return CLAST_OK;
}

static clast_status set_targets(parser *p, cl_expr_node *node, cl_expr_statement *s)
{
    s->unpacks = node->kind == CL_EXPR_TUPLE || node->kind == CL_EXPR_LIST;
    node_list list = {0};
    if (s->unpacks)
        list = (node_list){node->child, node->count, node->count};
    else
        CL_TRY(push(p, &list, node));
    for (size_t i = 0; i < list.count; i++)
        CL_TRY(check_target(p, list.item[i]));
    s->target = (const cl_expr_node *const *)list.item;
    s->ntarget = list.count;
    return CLAST_OK;
}

static clast_status parse_statement(parser *p, cl_expr_statement *s)
{
    s->at = p->token.at;
    cl_expr_node *node = NULL;
    CL_TRY(parse_expression_list(p, &node));
    if (p->token.kind == CL_TOKEN_ASSIGN) {
        CL_TRY(set_targets(p, node, s));
        CL_TRY(advance(p));
        CL_TRY(parse_expression_list(p, &node));
        if (p->token.kind == CL_TOKEN_ASSIGN)
            return cl_expr_fail(p->err, p->token.at, CLAST_ESYNTAX,
                                "chained assignments are not supported");
    }
    s->value = node;
    const cl_token_kind kind = p->token.kind;
    if (kind != CL_TOKEN_END && kind != CL_TOKEN_NEWLINE && kind != CL_TOKEN_SEMICOLON)
        return unexpected(p, "an operator or the end of the statement");
    return CLAST_OK;
}

static clast_status parse_program(parser *p, cl_expr_statement **first)
{
    CL_TRY(advance(p));
    cl_expr_statement **link = first;
    while (p->token.kind != CL_TOKEN_END) {
        if (p->token.kind == CL_TOKEN_NEWLINE || p->token.kind == CL_TOKEN_SEMICOLON) {
            CL_TRY(advance(p));
            continue;
        }
        cl_expr_statement *s = cl_arena_alloc(p->arena, sizeof *s);
        if (!s)
            return no_memory(p);
        CL_TRY(parse_statement(p, s));
        *link = s;
        link = &s->next;
    }
    if (!*first)
        return cl_expr_fail(p->err, p->token.at, CLAST_ESYNTAX, "the program is empty");
    return CLAST_OK;
}

clast_status cl_expr_parse(const char *program, cl_arena *arena,
                           cl_expr_statement **first, cl_error *err)
{
    parser p = {.arena = arena, .err = err};
    *first = NULL;
    clast_status status = cl_lexer_init(&p.lexer, program, err);
    if (status == CLAST_OK)
        status = parse_program(&p, first);
    cl_lexer_fini(&p.lexer);
    return status;
}
