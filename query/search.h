/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search.h: the order of search results and the cursor that continues a search. Private to query/search*.c. */
#pragma once

#include "query/search_result.h"
#include "storage/storage.h"

struct sp_query_call;

enum sp_search_by {
    SP_SEARCH_BY_START,
    SP_SEARCH_BY_DURATION,
    SP_SEARCH_BY_SPANS,
    SP_SEARCH_BY_ERRORS,
    SP_SEARCH_BY_SCALAR, /* a number made of the sets of spans that were found */
};

struct sp_search_order {
    struct sp_slice text; /* as written */
    enum sp_search_by by;
    bool descending;
    const struct sp_traceql_query *query; /* BY_SCALAR: of it */
    struct sp_pipeline *scalar;           /* BY_SCALAR; sp_pipeline_free */
};

/* "", "-start", "duration", "-max(duration)" ... SP_INVALID_ARGUMENT (parameter "order"), SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_search_order_parse(struct sp_query_call *call, struct sp_slice text,
                                                 struct sp_search_order *ret,
                                                 struct sp_error *reterr);

/* What the order sorts by, the first the smallest. Works the scalar out and notes it in the result. Errors: sp_pipeline_extreme. */
SP_MUST_USE enum sp_status sp_search_rank(const struct sp_search_order *order,
                                          struct sp_search_result *result, struct sp_arena *arena,
                                          uint64_t *ret, struct sp_error *reterr);

/* Place of a trace in the total order: ascending by rank, then trace id. Descending orders have their rank inverted. */
struct sp_search_key {
    uint64_t rank;
    struct sp_trace_id trace_id;
};

int sp_search_key_compare(const struct sp_search_key *a, const struct sp_search_key *b);

/* Where a search goes on, over the range that its first page had (a relative time would have moved).
 *
 * A page has what is behind key in the total order. A search whose time was up goes on in the order of the scan instead: with the
 * candidates behind position. Of those up to border it had looked at before it was out of time: of them only what is behind
 * border_key is still to be told. */
struct sp_search_cursor {
    struct sp_search_key key; /* zero: everything */
    struct sp_time_range range;
    bool resumes;
    struct sp_candidate border, position; /* zero: in front of all */
    struct sp_search_key border_key;
};

/* key, range, border, position, border key, and two fingerprints of all of it and of the question */
#define SP_CURSOR_BYTES 128
#define SP_CURSOR_TEXT  ((SP_CURSOR_BYTES * 8 + 5) / 6 + 1)

/* question: everything that makes a cursor foreign: query, order, from, to, as bytes. The text is base64url without
 * padding, terminated. */
void sp_search_cursor_format(const struct sp_search_cursor *cursor, struct sp_slice question,
                             char out[SP_CURSOR_TEXT]);

/* SP_INVALID_ARGUMENT (parameter "cursor"): not a cursor, or one of another question. */
SP_MUST_USE enum sp_status sp_search_cursor_parse(struct sp_slice text, struct sp_slice question,
                                                  struct sp_search_cursor *ret,
                                                  struct sp_error *reterr);
