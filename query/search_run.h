/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_run.h: a search while it runs: search.c takes candidates from the store, search_batch.c looks at them. Private to
 * these two. */
#pragma once

#include <pthread.h>

#include "query/question.h"
#include "query/search.h"
#include "query/search_stream.h"
#include "query/want.h"

enum sp_search_stop {
    SP_SEARCH_STOP_NONE,
    SP_SEARCH_STOP_PAGE_FULL,
    SP_SEARCH_STOP_TIME,
    SP_SEARCH_STOP_PART
};

/* Candidates are read in batches, sorted by trace id, so that what is stored side by side is unpacked once: few at first, because a
 * page is often full soon and because a search whose time is up goes on behind the last whole batch; then more and more, at once where
 * everything has to be looked at anyway. A search with less memory than default makes them smaller. */
#define SP_SEARCH_BATCH_MIN         ((size_t)16)
#define SP_SEARCH_BATCH_MAX         ((size_t)1024 * 1024)
#define SP_SEARCH_BATCH_GROWTH      ((size_t)16)
#define SP_SEARCH_BATCH_GROWTH_ALL  ((size_t)16384)
#define SP_SEARCH_BATCH_MEMORY_PART ((size_t)16)
/* Threads that look at one batch, if it is so large and no other query wants them. */
#define SP_SEARCH_THREADS    ((uint32_t)2)
#define SP_SEARCH_SHARED_MIN ((size_t)512)

/* One result of the page being made. */
struct sp_search_kept {
    struct sp_search_key key;
    uint64_t batch;     /* that brought it */
    struct sp_buf json; /* the result as it will be sent */
};

/* What a thread needs to look at traces. The first is the search's own. */
struct sp_search_worker {
    struct sp_search *search;
    struct sp_arena arena; /* of the candidate being looked at */
    struct sp_pipeline *pipeline;
    struct sp_search_order order; /* its scalar is the worker's */
    const struct sp_stop *stop;   /* only the search's own thread tells how far it is */
    uint64_t spans;               /* looked at, since the batch began */
    enum sp_status status;
    struct sp_error error;
    bool made;
};

struct sp_search {
    struct sp_query_call *call;
    struct sp_question question;
    struct sp_search_order order;
    struct sp_search_cursor cursor; /* zero: the first page */
    struct sp_result_view view;
    struct sp_stop
        stop_asking; /* asked by all reads of the caller's thread: tells how far the search is, too */
    struct sp_scanned scanned;
    struct sp_search_stream stream;
    size_t sent_count; /* of kept: the first of them, which no other can come before any more */

    struct sp_query_want want;
    struct sp_search_worker workers[SP_SEARCH_THREADS];
    _Atomic size_t next;  /* of the batch: the first that nobody looks at yet */
    _Atomic bool ended;   /* somebody failed, or is out of time */
    pthread_mutex_t lock; /* of kept to matched, while several threads look */

    struct sp_search_kept *kept; /* ascending by key */
    size_t kept_count, limit, kept_bytes;
    bool more; /* there are matches behind the page */
    _Atomic uint64_t matched;

    struct sp_candidate *batch; /* candidates that were not looked at yet */
    struct sp_trace_id *batch_ids;
    size_t batch_count, batch_room, batch_max; /* batch_max: of this one */
    _Atomic size_t batch_looked;               /* of them that were looked at */
    uint64_t batch_number;
    struct sp_candidate
        last; /* of those that were looked at, in the order of the scan; zero: none */

    uint64_t considered, spans;
    enum sp_search_stop stop;
    enum sp_status status; /* of the visitor */
    struct sp_error *reterr;
};

/* Threads' parts of a search whose question and order are made. SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_search_batch_init(struct sp_search *search, struct sp_error *reterr);
void sp_search_batch_fini(struct sp_search *search);

/* Begins a batch of at most count candidates: room for them. Errors as above. */
SP_MUST_USE enum sp_status sp_search_batch_begin(struct sp_search *search, size_t count);

/* Looks at the candidates of the batch, at least one. SP_DEADLINE: at some of them. */
SP_MUST_USE enum sp_status sp_search_batch_look(struct sp_search *search);

/* In the order of a scan: newer first, then by id. */
static inline int sp_search_compare_places(const struct sp_candidate *a,
                                           const struct sp_candidate *b)
{
    if (a->bound_unix_ns != b->bound_unix_ns)
        return a->bound_unix_ns > b->bound_unix_ns ? -1 : 1;
    return sp_trace_id_compare(&a->trace_id, &b->trace_id);
}
