/* SPDX-License-Identifier: Apache-2.0
 *
 * query/spanset.h: what a query finds in a whole trace: sets of its spans. A syntax tree becomes a flat program
 * (spanset_compile.c) for a machine without recursion (spanset_run.c). Pure: no store, no request. What each operator and
 * stage means: docs/traceql.md.
 *
 * Rows are those of facts->tree if there is one, otherwise indices in facts->batch. A set is an ascending list of rows, not a
 * bitmap: most sets are small beside their trace, and by() makes many of them. */
#pragma once

#include "query/match.h"

/* What by() or an aggregate says of a set. */
struct sp_spanset_value {
    const struct sp_spanset_value *earlier; /* of the same set; NULL: this was the first */
    const struct sp_traceql_node *node;     /* GROUP, AGGREGATE, or a PIPELINE that ends in one */
    enum sp_traceql_type type;              /* DURATION, STATUS, KIND: how to show an integer */
    struct sp_value value; /* EMPTY: nil. What cannot be compared is there as its text */
};

struct sp_spanset {
    const uint32_t *rows; /* ascending; at least one */
    uint32_t count;
    const struct sp_spanset_value *values; /* the newest first; NULL: none */
};

struct sp_spanset_list {
    struct sp_spanset *sets; /* of by(): in the order of their values. The caller's from now on */
    uint32_t count;          /* 0: the query finds nothing here */
};

struct sp_pipeline;

/* Compiles the stages of a query, or those in front of a metric.
 *
 * stages  items of a PIPELINE of the query, NULL: all of the query, which then must end in sets of spans.
 * arena   owns the program, except its regular expressions: sp_pipeline_free.    query  must outlive it.
 *
 * SP_UNIMPLEMENTED  the query ends in a series.   SP_INVALID_ARGUMENT  a pattern, with its offset.   SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_pipeline_compile(struct sp_arena *arena,
                                               const struct sp_traceql_query *query,
                                               const struct sp_traceql_node *const *stages,
                                               uint32_t stage_count, struct sp_pipeline **ret,
                                               struct sp_error *reterr);
void sp_pipeline_free(struct sp_pipeline *pipeline); /* NULL is fine */

/* Does it need facts->tree (sp_trace_facts_assemble)? */
bool sp_pipeline_needs_tree(const struct sp_pipeline *pipeline);

/* Runs it on one trace. One thread at a time.
 *
 * arena  owns the sets, and what is needed on the way: O(rows) for each operator.
 * SP_LIMIT  the arena is full, or a regular expression took too long.   SP_NO_MEMORY.   Or what facts->stop says. */
SP_MUST_USE enum sp_status sp_pipeline_run(struct sp_pipeline *pipeline,
                                           const struct sp_trace_facts *facts,
                                           struct sp_arena *arena, struct sp_spanset_list *ret,
                                           struct sp_error *reterr);

/* Of a query of sp_traceql_parse_scalar, compiled: the greatest, or the least, of its values over the sets; NIL when none has one.
 * Errors as above. */
SP_MUST_USE enum sp_status
sp_pipeline_extreme(struct sp_pipeline *pipeline, const struct sp_trace_facts *facts,
                    struct sp_arena *arena, const struct sp_spanset *sets, uint32_t set_count,
                    bool greatest, struct sp_operand *ret, struct sp_error *reterr);

/* Adds what each step of another one of the same query was given and gave, which is 0 there afterwards. */
void sp_pipeline_add_counts(struct sp_pipeline *into, struct sp_pipeline *from);

/* "steps": what each step was given and gave, in all traces so far. */
void sp_pipeline_explain(const struct sp_pipeline *pipeline, struct sp_json_writer *w);

/* The fields of all select() stages, in the order written, repeated ones once; the pipeline's memory. */
const struct sp_traceql_node *const *sp_pipeline_selected(const struct sp_pipeline *pipeline,
                                                          uint32_t *ret_count);
