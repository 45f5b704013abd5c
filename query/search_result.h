/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_result.h: one trace in a list of results. Private to the search. */
#pragma once

#include "query/spanset.h"

#define SP_RESULT_SPAN_IDS  20  /* matched span ids that a result lists */
#define SP_RESULT_SPANS     3   /* matched spans that a result shows with name and duration */
#define SP_RESULT_SERVICES  100 /* services that a result lists, those with most spans first */
#define SP_RESULT_SETS      20  /* sets of spans that a result lists */
#define SP_RESULT_SET_SPANS 100 /* spans that a result may be asked to list of each set */
#define SP_RESULT_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one result: names can be long */

/* Spans that come first by start and span id, ascending. */
struct sp_first_spans {
    uint32_t rows[SP_RESULT_SET_SPANS];
    uint32_t count, limit; /* limit: at most SP_RESULT_SET_SPANS */
};

struct sp_search_result {
    struct sp_trace_facts facts;
    struct sp_trace tree; /* facts.tree points at it, if the query needs it */
    uint64_t error_count;
    /* what the query made of the trace, sets without a span in range left out */
    struct sp_spanset *sets;
    uint32_t set_count;
    uint64_t matched_count; /* spans of the sets that start in range */
    /* the arena's: the number that results are ordered by; NULL: they are not ordered by one */
    const struct sp_operand *order_value;
};

/* How results are shown. */
struct sp_result_view {
    const struct sp_pipeline *pipeline; /* whose sets they are */
    struct sp_time_range range;
    uint32_t spans_per_set;
    const struct sp_service_row *services; /* for their colour slots */
    size_t service_count;
};

void sp_search_result_init(struct sp_search_result *result, const struct sp_batch *batch);

/* Runs the query on the trace and takes the sets over that it makes. Spans that do not start in range are not counted and not listed. needs_tree: somebody
 * besides the query does. facts.stop may have been set. Errors: sp_trace_facts_assemble, sp_pipeline_run. */
SP_MUST_USE enum sp_status sp_search_result_find(struct sp_search_result *result,
                                                 struct sp_pipeline *pipeline, bool needs_tree,
                                                 struct sp_time_range range, struct sp_arena *arena,
                                                 struct sp_error *reterr);

/* Writes the result into *out, which is new. arena: for what is thrown away afterwards. SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_search_result_write(const struct sp_search_result *result,
                                                  const struct sp_result_view *view,
                                                  struct sp_arena *arena, struct sp_buf *out,
                                                  struct sp_error *reterr);

/* ---- parts (search_spansets.c) ---- */

const struct sp_span *sp_result_span(const struct sp_search_result *result, uint32_t row);
uint64_t sp_first_spans_find(const struct sp_search_result *result, const struct sp_spanset *set,
                             struct sp_time_range range, struct sp_first_spans *first);

/* "spanId", "serviceName", "name" ... of a span, in an object that is open. */
void sp_result_write_span(const struct sp_span *span, struct sp_json_writer *w);

/* "orderValue" */
void sp_result_write_order_value(const struct sp_operand *value, struct sp_json_writer *w);

/* "spanSetCount", "spanSets". */
void sp_result_write_sets(const struct sp_search_result *result, const struct sp_result_view *view,
                          struct sp_json_writer *w);
