/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_result.h: one trace in a list of results. Private to the search. */
#pragma once

#include "query/match.h"

#define SP_RESULT_SPAN_IDS  20  /* matched span ids that a result lists */
#define SP_RESULT_SPANS     3   /* matched spans that a result shows with name and duration */
#define SP_RESULT_SERVICES  100 /* services that a result lists, those with most spans first */
#define SP_RESULT_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one result: names can be long */

struct sp_search_result {
    struct sp_trace_facts facts;
    uint64_t error_count, matched_count;
    const struct sp_span *matched[SP_RESULT_SPAN_IDS]; /* the earliest, by start and span id */
    size_t listed_count;
};

void sp_search_result_init(struct sp_search_result *result, const struct sp_batch *batch);

/* Notes that a span matched. */
void sp_search_result_match(struct sp_search_result *result, const struct sp_span *span);

/* Writes the result into *out, which is new. arena: for what is thrown away afterwards. SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_search_result_write(const struct sp_search_result *result,
                                                  const struct sp_service_row *services,
                                                  size_t service_count, struct sp_arena *arena,
                                                  struct sp_buf *out, struct sp_error *reterr);
