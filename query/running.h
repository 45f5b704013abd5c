/* SPDX-License-Identifier: Apache-2.0
 *
 * query/running.h: which queries run now, and which were the slowest: what /v1/system shows, and DELETE /v1/queries/{id} ends.
 *
 * A call is on the list while it is answered; whoever looks at the list holds its lock, so that no call ends meanwhile. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/base.h"

struct sp_query_call;

#define SP_QUERY_SHOWN_BYTES                                                                       \
    ((size_t)1024)            /* of a query's address that is shown; the rest is cut */
#define SP_QUERY_SLOW_KEPT 16 /* the slowest queries since start that are remembered */

/* Of one call; a member of struct sp_query_call. */
struct sp_running_entry {
    struct sp_query_call *next, *previous;
    _Atomic bool given_up; /* by DELETE /v1/queries/{id} */
    /* what it has read so far, and has read in all; whoever reads counts */
    _Atomic uint64_t traces_seen, spans_seen, bytes_scanned;
};

struct sp_slow_query {
    uint64_t id, took_ns, ended_unix_ns, bytes_scanned, traces_seen;
    int http_status;
    char url[SP_QUERY_SHOWN_BYTES + 1]; /* as sent, not decoded */
    bool is_cut;
};

struct sp_running {
    pthread_mutex_t lock;
    struct sp_query_call *first;
    struct sp_slow_query slow[SP_QUERY_SLOW_KEPT]; /* the slowest first */
    uint32_t slow_count;
};

void sp_running_init(struct sp_running *running);
void sp_running_fini(struct sp_running *running);

void sp_running_add(struct sp_running *running, struct sp_query_call *call);
/* Takes it off the list, and remembers it if it was slow. Its reply is made. */
void sp_running_remove(struct sp_running *running, struct sp_query_call *call);

/* Asks the call with this id to end; false: none such runs. */
bool sp_running_cancel(struct sp_running *running, uint64_t id);

/* "running" and "slowest" of an object that is open. except: the call that asks; NULL: none. */
void sp_running_write(struct sp_running *running, const struct sp_query_call *except,
                      struct sp_json_writer *w);
