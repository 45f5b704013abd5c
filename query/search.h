/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search.h: the order of search results and the cursor that continues a search. */
#pragma once

#include "storage/storage.h"

enum sp_search_order { /* in the order of the choices in query/routes.c */
                       SP_ORDER_START_DOWN,
                       SP_ORDER_START_UP,
                       SP_ORDER_DURATION_DOWN,
                       SP_ORDER_DURATION_UP,
                       SP_ORDER_SPANS_DOWN,
                       SP_ORDER_SPANS_UP,
                       SP_ORDER_ERRORS_DOWN,
                       SP_ORDER_ERRORS_UP,
};

/* Place of a trace in the total order: ascending by rank, then trace id. Descending orders have their rank inverted. */
struct sp_search_key {
    uint64_t rank;
    struct sp_trace_id trace_id;
};

int sp_search_key_compare(const struct sp_search_key *a, const struct sp_search_key *b);

/* Where a search goes on: behind key, over the range that its first page had (a relative time would have moved). */
struct sp_search_cursor {
    struct sp_search_key key;
    struct sp_time_range range;
};

#define SP_CURSOR_BYTES                                                                            \
    56 /* rank, trace id, from, to, two fingerprints of all of it and of the question */
#define SP_CURSOR_TEXT ((SP_CURSOR_BYTES * 8 + 5) / 6 + 1)

/* question: everything that makes a cursor foreign: query, order, from, to, as bytes. The text is base64url without
 * padding, terminated. */
void sp_search_cursor_format(const struct sp_search_cursor *cursor, struct sp_slice question,
                             char out[SP_CURSOR_TEXT]);

/* SP_INVALID_ARGUMENT (parameter "cursor"): not a cursor, or one of another question. */
SP_MUST_USE enum sp_status sp_search_cursor_parse(struct sp_slice text, struct sp_slice question,
                                                  struct sp_search_cursor *ret,
                                                  struct sp_error *reterr);
