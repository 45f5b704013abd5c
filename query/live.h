/* SPDX-License-Identifier: Apache-2.0
 *
 * query/live.h: GET /v1/live: a search that goes on: one thread looks every half second at the traces that came in since, for all that
 * listen, and sends those that match. Knows calls and their streams, no sockets. */
#pragma once

#include "query/question.h"
#include "query/want.h"

#define SP_LIVE_STREAMS_MAX ((uint32_t)16)                      /* that listen at the same time */
#define SP_LIVE_LOOK_NS     ((uint64_t)500 * 1000 * 1000)       /* between two looks */
#define SP_LIVE_LOOK_TIME   ((uint64_t)250 * 1000 * 1000)       /* ns that one look may take */
#define SP_LIVE_WINDOW_NS   ((uint64_t)60 * 1000 * 1000 * 1000) /* what the first one begins with */
#define SP_LIVE_TRACES_MAX  ((uint64_t)25)                      /* sent by one look */
/* Traces that came in and wait to be looked at, or for room: ten looks. */
#define SP_LIVE_WAITING_MAX ((size_t)250)
#define SP_LIVE_SEEN_MAX                                                                           \
    ((uint32_t)1024) /* traces remembered; they are sent once for each change */
#define SP_LIVE_BEAT_NS ((uint64_t)2 * 1000 * 1000 * 1000) /* without news: a line all the same */
#define SP_LIVE_AGE_NS                                                                             \
    ((uint64_t)3600 * 1000 * 1000 * 1000) /* then it ends; who wants more asks again */

struct sp_live_seen {
    struct sp_trace_id id;
    uint64_t hash; /* of what was sent */
};

/* One that listens. Memory of its call. */
struct sp_live {
    struct sp_live *next;
    struct sp_query_call *call; /* its stream is open, and its arena lives */
    /* Ends the stream with what call->reply.body holds, and frees the call: sp_live_fini first. */
    void (*end)(struct sp_live *live);
    void *cookie; /* of end */

    struct sp_question question;
    struct sp_query_want want;
    struct sp_arrivals_cursor cursor;

    bool has_begun;                                  /* the first look is over */
    struct sp_trace_id waiting[SP_LIVE_WAITING_MAX]; /* the newest arrival first */
    size_t waiting_count;
    struct sp_trace_id slow; /* the time of a look was up at it: it is looked at last */
    /* What the client has to be told of and was not yet: traces and requests that came in and will not be looked at. */
    uint64_t skipped, unseen_requests;

    uint64_t told_ns;                           /* monotonic: the last line without a trace */
    struct sp_live_seen seen[SP_LIVE_SEEN_MAX]; /* a ring */
    uint32_t seen_count, seen_next;
    /* of the look at hand: something was sent; the last minute has more than that */
    bool news, more;
};

/* Looks once. Anything but SP_OK ends it: what reads say, SP_CANCELLED. */
SP_MUST_USE enum sp_status sp_live_look(struct sp_live *live, struct sp_error *reterr);

/* The answer of the endpoint: checks the query, begins the stream, and makes call->live. SP_OVERLOADED: too many listen. */
enum sp_status sp_query_answer_live(struct sp_query_call *call, struct sp_error *reterr);
/* Stops listening; the memory is the call's. */
void sp_live_fini(struct sp_live *live);

struct sp_live_thread;
/* NULL: no memory. Its thread starts with the first that listens. */
struct sp_live_thread *sp_live_thread_new(struct sp_query_api *api);
/* live->end and cookie are set. If no thread can be started, it ends at once. */
void sp_live_add(struct sp_live_thread *thread, struct sp_live *live);
/* Ends all, joins. NULL is fine. */
void sp_live_thread_free(struct sp_live_thread *thread);
