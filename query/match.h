/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match.h: what an expression of { ... }, by() or an aggregate is on one span. It becomes a flat program that is run
 * for each span of a whole trace. Also hints for the store's scan. Pure: no store, no request. What each operator means:
 * docs/traceql.md. What is made of sets of spans: query/spanset.h. */
#pragma once

#include "lib/analysis/analysis.h"
#include "lib/traceql/traceql.h"
#include "storage/storage.h"

/* What a program may need to know about the trace around a span. */
struct sp_trace_facts {
    const struct sp_batch *batch; /* all stored spans of the trace */
    const struct sp_trace *tree;  /* NULL unless sp_match_needs_tree */
    /* the first span without a parent id by start, then span id; NULL: none */
    const struct sp_span *root;
    uint64_t start_unix_ns, end_unix_ns; /* of all its spans */
    /* NULL, or asked while one span takes long: two fields of many events compare every pair */
    const struct sp_stop *stop;
};

void sp_trace_facts_make(const struct sp_batch *batch, struct sp_trace_facts *ret);

/* Fills *ret with the tree of facts->batch and lets facts->tree point at it. SP_LIMIT, SP_NO_MEMORY: the arena is full. */
SP_MUST_USE enum sp_status sp_trace_facts_assemble(struct sp_trace_facts *facts,
                                                   struct sp_arena *arena, struct sp_trace *ret,
                                                   struct sp_error *reterr);

/* ---- one expression on one span ---- */

struct sp_match;

/* Compiles an expression on a span: the condition of a filter, or what an aggregate or by() reads.
 *
 * query       whose tree the expression is part of; must outlive the program.
 * expression  NULL: true, as in { }.
 * arena       owns the program, except its regular expressions: sp_match_free.
 *
 * SP_INVALID_ARGUMENT  a pattern, with its offset.    SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_match_compile(struct sp_arena *arena,
                                            const struct sp_traceql_query *query,
                                            const struct sp_traceql_node *expression,
                                            struct sp_match **ret, struct sp_error *reterr);
void sp_match_free(struct sp_match *match); /* NULL is fine */

/* Does it read parents, children or positions in the tree? */
bool sp_match_needs_tree(const struct sp_match *match);
bool sp_match_field_needs_tree(const struct sp_traceql_field *field);

/* Index of the first node of an expression; the others follow, up to its own. */
uint32_t sp_match_first_node(const struct sp_traceql_node *expression);

/* Is it { }? */
bool sp_match_is_everything(const struct sp_match *match);

/* Is the expression true on one span? row: of facts->tree if there is one, otherwise index in facts->batch. One thread at
 * a time. SP_LIMIT  a regular expression took too long on this span.     Or what facts->stop says. */
SP_MUST_USE enum sp_status sp_match_span(struct sp_match *match, const struct sp_trace_facts *facts,
                                         uint32_t row, bool *ret_matched, struct sp_error *reterr);

struct sp_operand; /* query/match_operand.h */

/* The expression's value on one span; it may point into *ret itself, so it is not to be copied. Errors as above. */
SP_MUST_USE enum sp_status sp_match_value(struct sp_match *match,
                                          const struct sp_trace_facts *facts, uint32_t row,
                                          struct sp_operand *ret, struct sp_error *reterr);

/* ---- hints ---- */

/* Where hints are made. */
struct sp_hint_maker {
    struct sp_arena *arena; /* their memory; what they hold besides goes with it */
    /* Asked by tests of texts, which are for the scan of a store; may be NULL. As long as the scan. */
    const struct sp_stop *stop;
};

/* Conditions for sp_store_scan: a trace that the query finds has a span in the range that satisfies them. Leaves the range alone. */
SP_MUST_USE enum sp_status sp_match_hints(const struct sp_hint_maker *maker,
                                          const struct sp_traceql_query *query,
                                          struct sp_scan *scan);
/* The same for what a PIPELINE, a RELATION or a FILTER of the query finds. */
SP_MUST_USE enum sp_status sp_match_hints_of(const struct sp_hint_maker *maker,
                                             const struct sp_traceql_query *query,
                                             const struct sp_traceql_node *part,
                                             struct sp_scan *scan);

/* The condition that a part of { ... } makes at least: true for no span that the condition is not true for. False: there is none. */
bool sp_match_condition(const struct sp_hint_maker *maker, const struct sp_traceql_node *node,
                        struct sp_condition *ret);

/* The same for the spans on which one expression is true, NULL: all. */
SP_MUST_USE enum sp_status sp_match_expression_hints(const struct sp_hint_maker *maker,
                                                     const struct sp_traceql_node *expression,
                                                     struct sp_scan *scan);

/* A COMPARE with =~ or !~ as a test of texts. What it does not know, because a match takes more than its limits or the time is up, may be.
 * NULL: maker->arena->error. */
const struct sp_text_test *sp_match_test(const struct sp_hint_maker *maker,
                                         const struct sp_traceql_node *node);
