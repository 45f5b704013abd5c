/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_run.h: a search while it runs: search.c takes candidates from the store, search_batch.c looks at them, search_ranked.c at
 * the best of them only, where the store knows which these are, search_next.c says where the next page begins. Private to these four. */
#pragma once

#include <pthread.h>

#include "query/question.h"
#include "query/search.h"
#include "query/search_stream.h"
#include "query/shares.h"
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
/* A batch of so many candidates is measured first, in orders that this serves. */
#define SP_SEARCH_RANKED_MIN ((size_t)512)

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
    bool made;
};

/* Candidates; memory of the call. */
struct sp_search_batch {
    struct sp_candidate *items;
    struct sp_trace_id *ids; /* of the items, once they are sorted by them */
    size_t count, room;
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
    struct sp_search_worker workers[SP_SHARES_THREADS];
    pthread_mutex_t lock; /* of kept to matched, while several threads look */

    struct sp_search_kept *kept; /* ascending by key */
    size_t kept_count, limit, kept_bytes;
    bool counts_all; /* all matches are to be counted, whatever it takes */
    bool more;       /* there are matches behind the page */
    _Atomic uint64_t matched;

    struct sp_search_batch batch;          /* candidates that were not looked at yet */
    size_t batch_max;                      /* of this one */
    const struct sp_search_batch *looking; /* that the workers are looking at */
    _Atomic size_t batch_looked;           /* of them that were looked at */
    uint64_t batch_number;
    uint64_t batch_first_number; /* when the batch began */
    struct sp_candidate
        last; /* of those that were looked at, in the order of the scan; zero: none */

    struct sp_search_ranked *ranked; /* query/search_ranked.c; NULL: no batch was measured yet */
    bool left_out; /* candidates were not looked at that cannot get onto the page */
    /* The time was up, and of the total order everything up to this key was looked at; zero: that is not so. */
    struct sp_search_key ended_behind;

    uint64_t considered, spans;
    enum sp_search_stop stop;
    enum sp_status status; /* of the visitor */
    struct sp_error *reterr;
};

/* Threads' parts of a search whose question and order are made. SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_search_batch_init(struct sp_search *search, struct sp_error *reterr);
void sp_search_batch_fini(struct sp_search *search);

/* Room for so many candidates; what was in it is gone. Errors as above. */
SP_MUST_USE enum sp_status sp_search_batch_reserve(struct sp_search *search,
                                                   struct sp_search_batch *batch, size_t count,
                                                   struct sp_error *reterr);
/* Sorts by id. */
void sp_search_batch_sort(struct sp_search_batch *batch);
/* Sorts and looks at the candidates of a batch, at least one. SP_DEADLINE: at some of them. */
SP_MUST_USE enum sp_status sp_search_batch_look(struct sp_search *search,
                                                struct sp_search_batch *batch);

/* Results up to this one were told by earlier pages. */
const struct sp_search_key *sp_search_told(const struct sp_search *search,
                                           const struct sp_candidate *candidate);

/* ---- query/search_ranked.c ---- */

/* Is it known of traces that were measured where they stand in the order? */
bool sp_search_ranks(const struct sp_search *search);
/* Looks at the candidates of the batch in the order of the results, as far as they can get onto the page. is_last: no others will come. *ret_looked:
 * how many, those of an unfinished part left out. SP_DEADLINE: what was found by then stands in kept, up to search->ended_behind if that is set; if it is not,
 * nothing of this batch has to be there. */
SP_MUST_USE enum sp_status sp_search_ranked_look(struct sp_search *search, bool is_last,
                                                 size_t *ret_looked);

/* ---- query/search.c ---- */

/* No result that is still to come is better than this key: tells the better ones. */
void sp_search_send_better(struct sp_search *search, const struct sp_search_key *key);
/* Forgets results of batches from this number on. */
void sp_search_drop(struct sp_search *search, uint64_t batch_number);
/* Beyond this the count of all matches is not worth its price. By numbers and not by time, so that the same question
 * gets the same answer on a busy machine. */
bool sp_search_counted_enough(const struct sp_search *search);

/* ---- query/search_next.c ---- */

/* Where the next page begins; false: there is none. */
SP_MUST_USE bool sp_search_next_cursor(const struct sp_search *search,
                                       struct sp_search_cursor *ret);

/* What a candidate of a large batch takes: itself, its id, its measure, its place among the others. */
#define SP_SEARCH_CANDIDATE_BYTES                                                                  \
    (sizeof(struct sp_candidate) + sizeof(struct sp_trace_id) + sizeof(struct sp_trace_measure) +  \
     2 * sizeof(uint64_t))

/* Or zero: no candidate. */
static inline bool sp_search_is_place(const struct sp_candidate *candidate)
{
    static const struct sp_trace_id none;
    return sp_trace_id_compare(&candidate->trace_id, &none) != 0;
}

/* In the order of a scan: newer first, then by id. */
static inline int sp_search_compare_places(const struct sp_candidate *a,
                                           const struct sp_candidate *b)
{
    if (a->bound_unix_ns != b->bound_unix_ns)
        return a->bound_unix_ns > b->bound_unix_ns ? -1 : 1;
    return sp_trace_id_compare(&a->trace_id, &b->trace_id);
}
