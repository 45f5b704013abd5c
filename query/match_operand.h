/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match_operand.h: values while { ... } is evaluated on one span, and what operators do with them. Private to
 * query/match*.c. */
#pragma once

#include "query/match.h"

enum sp_operand_kind {
    SP_OPERAND_NIL,    /* the span has no such attribute, or the operation has no result */
    SP_OPERAND_OPAQUE, /* it is there, but compares with nothing: bytes, kvlist, empty */
    SP_OPERAND_SCALAR,
    SP_OPERAND_ARRAY, /* an attribute's array: any of its items */
    SP_OPERAND_EACH,  /* a field of events or links: any of them */
};

struct sp_operand {
    enum sp_operand_kind kind;
    union {
        struct sp_traceql_value scalar;
        const struct sp_value *array; /* ARRAY; OPAQUE: the value, or NULL for a span */
        const struct sp_traceql_field *each;
    };
    /* what scalar.string points at when it is an id; so operands are not copied */
    char text[SP_TRACE_ID_TEXT];
};

/* Where a field is read. */
struct sp_span_place {
    const struct sp_trace_facts *facts;
    uint32_t row; /* of the tree if there is one, else index in the batch */
};

void sp_operand_literal(const struct sp_traceql_value *value, struct sp_operand *ret);
void sp_operand_bool(bool value, struct sp_operand *ret);
/* A copy, whose text is its own. */
void sp_operand_move(const struct sp_operand *from, struct sp_operand *ret);

/* ---- fields (match_field.c) ---- */

void sp_operand_field(const struct sp_span_place *place, const struct sp_traceql_field *field,
                      struct sp_operand *ret);

/* How many events or links an SP_OPERAND_EACH stands for, and one of them. */
uint32_t sp_operand_each_count(const struct sp_span_place *place,
                               const struct sp_traceql_field *field);
void sp_operand_each(const struct sp_span_place *place, const struct sp_traceql_field *field,
                     uint32_t index, struct sp_operand *ret);

/* An attribute's value as an operand. */
void sp_operand_value(const struct sp_value *value, struct sp_operand *ret);

/* ---- operators (match_operand.c) ---- */

bool sp_operand_is_true(const struct sp_span_place *place, const struct sp_operand *operand);
bool sp_operand_exists(const struct sp_span_place *place, const struct sp_operand *operand);
void sp_operand_not(const struct sp_span_place *place, struct sp_operand *operand);
void sp_operand_negate(struct sp_operand *operand);
void sp_operand_arithmetic(struct sp_operand *left, enum sp_traceql_arithmetic operation,
                           const struct sp_operand *right);

/* Pairs of events or links compared between two questions whether to stop; and matches of a regular expression, which may take
 * milliseconds each. */
#define SP_STOP_PAIRS       4096u
#define SP_STOP_REGEX_PAIRS 16u

/* SP_LIMIT, SP_NO_MEMORY: of the regular expression.     What place->facts->stop says. *reterr is filled. */
SP_MUST_USE enum sp_status
sp_operand_compare(const struct sp_span_place *place, const struct sp_operand *left,
                   enum sp_traceql_comparison comparison, const struct sp_operand *right,
                   struct sp_regex *regex, bool *ret, struct sp_error *reterr);
