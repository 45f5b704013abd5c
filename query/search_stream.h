/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_stream.h: a search that tells how far it is and what it has found while it runs: one JSON object a line
 * (application/x-ndjson). Knows no order and no candidates: query/search.c says when a result is final. */
#pragma once

#include "query/internal.h"
#include "storage/storage.h"

/* Between two lines that tell how far a search is. */
#define SP_SEARCH_PROGRESS_NS ((uint64_t)100 * 1000 * 1000)

struct sp_search_stream {
    struct sp_query_call *call;
    bool open;        /* false: the answer goes whole, and nothing below does anything */
    uint64_t next_ns; /* monotonic: when to tell again */
};

struct sp_search_progress {
    const struct sp_scanned *scanned;
    uint64_t considered, known; /* traces; known: candidates found so far */
    const uint64_t
        *matched; /* traces; NULL: not a search, so neither these nor segments are told */
};

/* Sends the head of the reply if the request asked for lines. SP_OVERLOADED, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_search_stream_begin(struct sp_search_stream *stream,
                                                  struct sp_query_call *call,
                                                  struct sp_error *reterr);

/* {"trace":result}. False: it was not sent, now or at all; try again, or write it at the end. */
bool sp_search_stream_result(struct sp_search_stream *stream, struct sp_slice result);

/* Is it time for a line of progress? Says yes once for each. */
bool sp_search_stream_is_due(struct sp_search_stream *stream);

/* {"progress":{...}}; left out when there is no room, because the next one says more. */
void sp_search_stream_progress(const struct sp_search_stream *stream,
                               const struct sp_search_progress *progress);
