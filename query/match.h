/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match.h: does a span match { ... }? A syntax tree becomes a flat program that is run for each span of a whole
 * trace, and hints for the store's scan. Pure: no store, no request. What each operator means: docs/traceql.md. */
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

struct sp_match;

/* Compiles the one spanset filter of a query.
 *
 * arena  owns the program, except its regular expressions: sp_match_free.    query  must outlive it.
 *
 * SP_UNIMPLEMENTED  a part of the language that is not evaluated yet; reterr->offset says where it stands.
 * SP_INVALID_ARGUMENT  a pattern, with its offset.    SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_match_compile(struct sp_arena *arena,
                                            const struct sp_traceql_query *query,
                                            struct sp_match **ret, struct sp_error *reterr);
void sp_match_free(struct sp_match *match); /* NULL is fine */

/* Does it read parents, children or positions in the tree? */
bool sp_match_needs_tree(const struct sp_match *match);

/* One span: row of facts->tree if there is one, otherwise index in facts->batch. One thread at a time.
 * SP_LIMIT  a regular expression took too long on this span.     Or what facts->stop says. */
SP_MUST_USE enum sp_status sp_match_span(struct sp_match *match, const struct sp_trace_facts *facts,
                                         uint32_t row, bool *ret_matched, struct sp_error *reterr);

/* Conditions for sp_store_scan that every matching span satisfies; memory of arena. Leaves the range alone. */
SP_MUST_USE enum sp_status
sp_match_hints(struct sp_arena *arena, const struct sp_traceql_query *query, struct sp_scan *scan);
