/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/tokens.h: text to tokens, and the tables of names and operators. Private to lib/traceql. */
#pragma once

#include "lib/traceql/traceql.h"

enum sp_traceql_token_kind {
    SP_TOKEN_END,
    SP_TOKEN_LITERAL, /* value: a string, a number or a duration */
    SP_TOKEN_FIELD,   /* field: an attribute, or an intrinsic with its scope (span:name) */
    SP_TOKEN_WORD,    /* text: anything else made of letters, digits and '_' */
    SP_TOKEN_BRACE_OPEN,
    SP_TOKEN_BRACE_CLOSE,
    SP_TOKEN_PAREN_OPEN,
    SP_TOKEN_PAREN_CLOSE,
    SP_TOKEN_COMMA,
    SP_TOKEN_PIPE,
    SP_TOKEN_NOT,
    /* From here on: binary operators, each with a row in the table of operators. */
    SP_TOKEN_AND,
    SP_TOKEN_OR,
    SP_TOKEN_EQ,
    SP_TOKEN_NE,
    SP_TOKEN_LT,
    SP_TOKEN_LE,
    SP_TOKEN_GT,
    SP_TOKEN_GE,
    SP_TOKEN_MATCH,
    SP_TOKEN_NOT_MATCH,
    SP_TOKEN_DESCENDANT,
    SP_TOKEN_ANCESTOR,
    SP_TOKEN_SIBLING,
    SP_TOKEN_NOT_CHILD,
    SP_TOKEN_NOT_PARENT,
    SP_TOKEN_NOT_DESCENDANT,
    SP_TOKEN_NOT_ANCESTOR,
    SP_TOKEN_UNION_CHILD,
    SP_TOKEN_UNION_PARENT,
    SP_TOKEN_UNION_DESCENDANT,
    SP_TOKEN_UNION_ANCESTOR,
    SP_TOKEN_UNION_SIBLING,
    SP_TOKEN_WITHOUT, /* a word, which the parser takes for an operator where one may stand */
    SP_TOKEN_ADD,
    SP_TOKEN_SUBTRACT,
    SP_TOKEN_MULTIPLY,
    SP_TOKEN_DIVIDE,
    SP_TOKEN_MODULO,
    SP_TOKEN_POWER,
};

struct sp_traceql_token {
    enum sp_traceql_token_kind kind;
    uint32_t offset, len; /* in the query */
    struct sp_slice text;
    struct sp_traceql_value value;
    struct sp_traceql_field field;
};

/* How tightly operators bind. AND and OR are equals and group to the left, as in Tempo. */
enum sp_traceql_precedence {
    SP_PRECEDENCE_LOGIC = 1,
    SP_PRECEDENCE_COMPARE = 2, /* and the structural operators */
    SP_PRECEDENCE_ADD = 3,
    SP_PRECEDENCE_UNARY = 4,
    SP_PRECEDENCE_MULTIPLY = 5,
    SP_PRECEDENCE_POWER = 6, /* groups to the right */
    SP_PRECEDENCE_ATOM = 7,
};

struct sp_traceql_lexer {
    struct sp_arena *arena; /* for names and strings with escapes */
    struct sp_slice text;
    size_t pos;
    struct sp_error *reterr;
};

/* Reads the next token. SP_INVALID_ARGUMENT with the offset in reterr; SP_LIMIT when the arena is full. */
SP_MUST_USE enum sp_status sp_traceql_next_token(struct sp_traceql_lexer *lexer,
                                                 struct sp_traceql_token *ret);

/* A piece of the query for a message: its first bytes, cut between characters. */
struct sp_slice sp_traceql_clip(struct sp_slice text);

/* The operator that begins s: its kind and length in bytes; SP_TOKEN_END if none does. */
enum sp_traceql_token_kind sp_traceql_find_operator(struct sp_slice s, uint32_t *ret_len);

/* 0 for tokens that are no binary operators. */
enum sp_traceql_precedence sp_traceql_precedence(enum sp_traceql_token_kind kind);

/* What a binary operator means in each place; false where it means nothing. */
bool sp_traceql_as_comparison(enum sp_traceql_token_kind kind, enum sp_traceql_comparison *ret);
bool sp_traceql_as_arithmetic(enum sp_traceql_token_kind kind, enum sp_traceql_arithmetic *ret);
bool sp_traceql_as_relation(enum sp_traceql_token_kind kind, enum sp_traceql_relation *ret);
const char *sp_traceql_arithmetic_text(enum sp_traceql_arithmetic arithmetic);

/* "name" -> NAME; "trace:duration" -> TRACE_DURATION; NONE for other texts. */

/* Can a span lack it, so that `= nil` makes sense? */
bool sp_traceql_intrinsic_optional(enum sp_traceql_intrinsic intrinsic);

/* true, false, ok, error, unset, the kinds, minInt, maxInt. */
bool sp_traceql_find_constant(struct sp_slice word, struct sp_traceql_value *ret);

bool sp_traceql_find_aggregate(struct sp_slice word, enum sp_traceql_aggregate *ret);
bool sp_traceql_find_metric(struct sp_slice word, enum sp_traceql_metric *ret);
const char *sp_traceql_aggregate_call(enum sp_traceql_aggregate aggregate); /* "count()" */
const char *sp_traceql_metric_call(enum sp_traceql_metric metric);          /* "rate()" */

/* "span", "resource", ...; "" for ANY. */
const char *sp_traceql_scope_name(enum sp_traceql_scope scope);
bool sp_traceql_find_scope(struct sp_slice word, enum sp_traceql_scope *ret);

/* May the byte stand in an attribute name without quotes? */
bool sp_traceql_is_attribute_byte(uint8_t byte);
