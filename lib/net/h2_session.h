/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_session.h: the server's side of one HTTP/2 connection, without its socket: bytes in, exchanges to the handler,
 * replies in, bytes out. One thread owns a session and everything of it; time comes in as an argument.
 * Must not know sockets or threads. */
#pragma once

#include "lib/net/exchange.h"
#include "lib/net/server.h"

/* What the sessions of a server share; borrowed, outlives them. */
struct sp_h2_environment {
    const struct sp_server_options *options; /* limits, handler, budget */
    struct sp_server_counters *counters;
    /* replied() is for exchanges that were handed over */
    const struct sp_exchange_transport *transport;
    void *transport_cookie;
    void (*retain_cookie)(
        void *cookie); /* once for each exchange; transport->freed() is the other end */
};

struct sp_h2_session;

/* owner is handed back by sp_h2_exchange_owner. NULL: no memory. */
struct sp_h2_session *sp_h2_session_new(const struct sp_h2_environment *environment,
                                        struct sp_slice peer, void *owner, uint64_t now_ns);

/* Exchanges that the handler holds become cancelled. */
void sp_h2_session_free(struct sp_h2_session *session);

/* Takes what came from the peer. What is wrong with it is answered on the wire (GOAWAY, RST_STREAM) by
 * sp_h2_session_send; sp_h2_session_done says when that was the end. */
void sp_h2_session_receive(struct sp_h2_session *session, struct sp_slice bytes, uint64_t now_ns);

/* Appends what is due to out, until it holds at_least bytes or nothing is left. */
void sp_h2_session_send(struct sp_h2_session *session, struct sp_buf *out, size_t at_least,
                        uint64_t now_ns);

/* Nothing will come or go any more: flush and close. */
bool sp_h2_session_done(const struct sp_h2_session *session);

/* Looks at timeouts and gives deferred window credit. */
void sp_h2_session_tick(struct sp_h2_session *session, uint64_t now_ns);

/* Drain: first announces it (GOAWAY with the highest stream id), later names the last stream that is served. */
void sp_h2_session_drain_announce(struct sp_h2_session *session);
void sp_h2_session_drain_finish(struct sp_h2_session *session);

/* The owner of the session of an exchange, or NULL when the stream is gone. The session's thread. */
void *sp_h2_exchange_owner(const struct sp_exchange *exchange);

/* Sends the reply of an exchange that was handed over, and drops the handler's reference. The session's thread. */
void sp_h2_exchange_send(struct sp_exchange *exchange, uint64_t now_ns);
