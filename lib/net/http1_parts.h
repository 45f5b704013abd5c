/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/http1_parts.h: what the files of the HTTP/1.1 server share: connections, their requests, and the thread that closes what
 * takes too long. Private to lib/net/http1*.c.
 *
 * Who owns what: a struct connection is under server->lock; a struct request belongs to its connection's thread but for
 * what its lock protects, and lives as long as its exchange. Locks: server before request. */
#pragma once

#include <pthread.h>

#include "lib/net/exchange.h"
#include "lib/net/server.h"

#define SP_HTTP1_TICK_MS_LEAST 10 /* how often timeouts, and clients that wait, are looked at */
#define SP_HTTP1_TICK_MS_MOST  250
#define SP_NS_PER_MS           UINT64_C(1000000)

struct MHD_Daemon;
struct MHD_Connection;

struct http1_server {
    struct sp_server base;
    struct MHD_Daemon *daemon;
    pthread_t ticker;
    bool ticker_runs;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a request ended, or stopping */
    struct connection *connections;
    atomic_bool draining, stopping;
};

struct connection {
    struct connection *previous, *next;
    struct http1_server *server;
    struct request *request; /* that runs, or NULL */
    int fd;
    uint64_t deadline_ns; /* when it is closed: by what it does now */
    /* Of a reply on its way, when that was last looked at: */
    uint64_t acked_bytes;    /* by the peer */
    uint64_t refused_before; /* replies of anybody, for want of memory */
    bool waited;             /* there was something to take */
};

enum request_state { REQUEST_RUNNING, REQUEST_SUSPENDED, REQUEST_GONE };

struct request {
    pthread_mutex_t lock; /* of state and replied */
    enum request_state state;
    bool replied; /* after the hand-over: whole, or its head */

    struct http1_server *server;
    struct connection *connection;
    struct MHD_Connection *library_connection;
    struct sp_exchange *exchange;
    atomic_bool queued; /* the reply is with the library; the ticker looks, too */
    bool head_done, close_after;
    bool may_ask;               /* whether the client is still there: sp_peer_is_gone */
    const char *library_target; /* where the library has it; only compared */
    size_t texts_after_zero;    /* of the target: it holds a zero byte, and parameters behind it */
    size_t discarded_bytes;
    size_t target_len;
    char target[]; /* no zero byte at its end */
};

static inline uint64_t sp_http1_now_ns(const struct http1_server *server)
{
    return sp_clock_monotonic_ns(server->base.options.clock);
}

/* ---- http1_time.c ---- */

/* Remembers how far the peer has come, and whether others were refused. Under the server's lock. False: the socket does not say. */
bool sp_http1_look_at_reply(struct connection *connection);

/* Closes what is late, and notes which clients are gone. Under the lock. Shutting a socket down makes the library see its end and clean
 * up by itself. */
void sp_http1_close_late(struct http1_server *server);

/* Under the lock, which it gives up meanwhile: until something changed, or the time has passed. */
void sp_http1_wait_ms(struct http1_server *server, uint32_t ms);

/* The thread; its cookie is the server. Until server->stopping. */
void *sp_http1_run_ticker(void *cookie);
