/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/build.h: makes nodes and checks their types. Private to lib/traceql.
 *
 * Every function returns NULL after it has written builder->reterr and builder->status: what it was asked for means
 * nothing, is too deep, or the arena is full. */
#pragma once

#include "lib/traceql/tokens.h"

/* Lists of nodes are lists of pointers to them. */
#define SP_TRACEQL_POINTER_BYTES sizeof(void *)

struct sp_traceql_builder {
    struct sp_arena *arena;
    struct sp_error *reterr;
    enum sp_status status;
};

/* What the parser holds while it builds. items is the writable list of node->items when node was just built. */
struct sp_traceql_operand {
    struct sp_traceql_node *node;
    const struct sp_traceql_node **items;
    uint32_t offset;
    bool is_nil; /* the word nil; node is NULL */
    /* by(), rate(), ...: no operand of an operator, but its metric may be compared */
    bool is_stage;
};

SP_PRINTF(3, 4)
struct sp_traceql_node *sp_traceql_fail(struct sp_traceql_builder *b, uint32_t offset,
                                        const char *format, ...);
struct sp_traceql_node *sp_traceql_fail_memory(struct sp_traceql_builder *b);

/* A node of one kind and type over at most two children; depth and reads_span follow from them. */
struct sp_traceql_node *sp_traceql_make(struct sp_traceql_builder *b,
                                        enum sp_traceql_node_kind kind, enum sp_traceql_type type,
                                        uint32_t offset, const struct sp_traceql_node *left,
                                        const struct sp_traceql_node *right);
struct sp_traceql_node *sp_traceql_make_literal(struct sp_traceql_builder *b, uint32_t offset,
                                                struct sp_traceql_value value);
struct sp_traceql_node *sp_traceql_make_field(struct sp_traceql_builder *b, uint32_t offset,
                                              struct sp_traceql_field field);

/* Takes items over. */
bool sp_traceql_set_items(struct sp_traceql_builder *b, struct sp_traceql_node *node,
                          const struct sp_traceql_node *const *items, uint32_t item_count);

struct sp_traceql_node *sp_traceql_make_repeated(struct sp_traceql_builder *b, uint32_t offset,
                                                 const struct sp_traceql_operand *of,
                                                 uint64_t limit);

/* -x and !x, into *operand. */
bool sp_traceql_apply_unary(struct sp_traceql_builder *b, enum sp_traceql_token_kind op,
                            uint32_t offset, struct sp_traceql_operand *operand);

/* left op right, into *left. */
bool sp_traceql_apply_in_span(struct sp_traceql_builder *b, enum sp_traceql_token_kind op,
                              uint32_t offset, struct sp_traceql_operand *left,
                              const struct sp_traceql_operand *right);
bool sp_traceql_apply_in_stage(struct sp_traceql_builder *b, enum sp_traceql_token_kind op,
                               uint32_t offset, struct sp_traceql_operand *left,
                               const struct sp_traceql_operand *right);

struct sp_traceql_node *sp_traceql_make_filter(struct sp_traceql_builder *b, uint32_t offset,
                                               const struct sp_traceql_node *condition);
struct sp_traceql_node *sp_traceql_make_aggregate(struct sp_traceql_builder *b, uint32_t offset,
                                                  enum sp_traceql_aggregate aggregate,
                                                  const struct sp_traceql_node *of);
struct sp_traceql_node *sp_traceql_make_group(struct sp_traceql_builder *b, uint32_t offset,
                                              const struct sp_traceql_node *of);

/* An id in quotes that is compared with a field of ids gets the form that ids have: lower-case, and filled with zeros in front. */
bool sp_traceql_complete_id(struct sp_traceql_builder *b, const struct sp_traceql_node *field,
                            struct sp_traceql_node *literal);

bool sp_traceql_is_number(enum sp_traceql_type type); /* integer, number, duration, attribute */

/* Is it a value worked out from a set of spans, or a constant: nothing that is a set of spans or a metric itself? */
bool sp_traceql_is_scalar(const struct sp_traceql_node *node);

/* Does the series come from compare(), on which no second stage works? */
bool sp_traceql_is_comparison_series(const struct sp_traceql_node *node);
