/* SPDX-License-Identifier: Apache-2.0
 *
 * query/running.h: which queries run now or wait for a thread, and which were the slowest: what /v1/system shows, and
 * DELETE /v1/queries/{id} ends.
 *
 * A call is on the list from its coming until it is answered; whoever looks at the list holds its lock, so that no call ends meanwhile. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/base.h"

struct sp_query_call;

#define SP_QUERY_SHOWN_BYTES                                                                       \
    ((size_t)1024)                         /* of a query's address that is shown; the rest is cut */
#define SP_QUERY_SLOW_KEPT    16           /* the slowest queries since start that are remembered */
#define SP_QUERY_CLIENT_BYTES ((size_t)63) /* of the address that it came from */

/* Of one call; a member of struct sp_query_call. */
struct sp_running_entry {
    struct sp_query_call *next, *previous;
    bool is_listed;
    uint64_t came_unix_ns;
    _Atomic bool runs;          /* false: it waits for a thread */
    _Atomic uint64_t waited_ns; /* of one that runs: for a thread, and then for turns (turns.h) */
    _Atomic bool given_up;      /* by DELETE /v1/queries/{id} */
    /* what it has read so far, and has read in all; whoever reads counts */
    _Atomic uint64_t traces_seen, spans_seen, bytes_scanned;
};

/* What is told of a query. */
struct sp_shown_query {
    uint64_t id, came_unix_ns;
    uint64_t took_ns, waited_ns; /* since it came; of that: waiting for a thread, or for a turn */
    uint64_t bytes_scanned, traces_seen;
    char client[SP_QUERY_CLIENT_BYTES + 1]; /* "127.0.0.1:54321" */
    char url[SP_QUERY_SHOWN_BYTES + 1];     /* as sent, not decoded */
    bool is_cut;
    /* once it has ended */
    uint64_t ended_unix_ns;
    int http_status;
};

struct sp_running {
    pthread_mutex_t lock;
    struct sp_query_call *first, *last; /* as they came */
    /* Those that ran longest first: how long one waited says nothing of itself. */
    struct sp_shown_query slow[SP_QUERY_SLOW_KEPT];
    uint32_t slow_count;
};

void sp_running_init(struct sp_running *running);
void sp_running_fini(struct sp_running *running);

/* It waits from now on. */
void sp_running_add(struct sp_running *running, struct sp_query_call *call);
/* It runs from now on. */
void sp_running_start(struct sp_query_call *call);
/* Takes it off the list, and remembers it if it ran and was slow. Its reply is made. */
void sp_running_remove(struct sp_running *running, struct sp_query_call *call);

/* Asks the call with this id to end, as soon as it looks; false: none such is listed. */
bool sp_running_cancel(struct sp_running *running, uint64_t id);

/* "running" and "slowest" of an object that is open. except: the call that asks; NULL: none. */
void sp_running_write(struct sp_running *running, const struct sp_query_call *except,
                      struct sp_json_writer *w);
