/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/exchange.h: inside of an exchange, for transports. One object for both protocols: the request's head in an arena,
 * its body, and room for the reply. Must not know a socket or a protocol library. */
#pragma once

#include <stdatomic.h>

#include "lib/net/stream.h"

/* What a transport does when a reply is there. */
struct sp_exchange_transport {
    /* The reply is complete. Any thread once the exchange was handed to the handler, the transport's own before that. The
     * handler's reference comes with the call: the transport drops it (sp_exchange_release). */
    void (*replied)(struct sp_exchange *exchange);

    /* A stream was begun, or has more to send. Any thread. NULL: this transport has none. */
    void (*woken)(struct sp_exchange *exchange);

    /* The last reference is gone: ends the exchange's hold on its transport_cookie. */
    void (*freed)(void *cookie);
};

struct sp_exchange_reply {
    int http_status;
    int grpc_status;           /* of a gRPC reply */
    bool grpc;                 /* reply_grpc was called */
    struct sp_header *headers; /* names and values end in a zero byte */
    size_t header_count;
    struct sp_slice grpc_message; /* percent-encoded */
    struct sp_slice grpc_details; /* base64 */
    struct sp_buf owned;          /* body, unless static_body is used */
    struct sp_slice static_body;
};

struct sp_exchange {
    atomic_uint references; /* the transport's and the handler's */
    atomic_bool cancelled;
    const struct sp_exchange_transport *transport;
    void *transport_cookie; /* of any thread: valid as long as the exchange */
    void *
        transport_state; /* of the transport's thread: its stream or connection, NULL when that is gone */
    struct sp_exchange *next; /* the transport's queue of replies */
    bool handed_over;         /* on_request was called: the reply may come from any thread */
    bool replied; /* with handed_over false: the transport looks at it after each call */

    struct sp_arena arena; /* head and reply headers */
    struct sp_slice method, path, query, peer;
    struct sp_header *fields;
    size_t field_count, field_cap;
    size_t head_bytes, head_bytes_max;
    bool grpc, grpc_compressed;
    uint64_t deadline_ns;
    const void *route;

    struct sp_budget *budget;
    size_t head_budget_bytes; /* taken for this object and its head */
    struct sp_body body;
    struct sp_budget *reply_budget;   /* NULL: replies are not counted */
    atomic_size_t reply_budget_bytes; /* taken for the reply that waits to be sent */
    struct sp_reply_stream *stream;   /* NULL: the reply goes whole */
    struct sp_exchange_reply reply;
};

/* A new exchange with two references. NULL: no memory. options: budgets and limits; not kept. */
struct sp_exchange *sp_exchange_new(const struct sp_exchange_transport *transport, void *cookie,
                                    const struct sp_server_options *options);

/* Drops one reference, frees with the last. */
void sp_exchange_release(struct sp_exchange *exchange);

/* The transport is done with an exchange that it never handed over and that nobody replied to: drops both references. */
void sp_exchange_abandon(struct sp_exchange *exchange);

/* Copies into the exchange's arena. SP_LIMIT: the head would be larger than head_bytes_max. */
SP_MUST_USE enum sp_status sp_exchange_set_method(struct sp_exchange *exchange,
                                                  struct sp_slice method);
SP_MUST_USE enum sp_status sp_exchange_set_target(struct sp_exchange *exchange,
                                                  struct sp_slice target);
SP_MUST_USE enum sp_status sp_exchange_set_peer(struct sp_exchange *exchange, struct sp_slice peer);

/* Adds a header field; a repeated one is joined to the first with ", ". The same errors. */
SP_MUST_USE enum sp_status sp_exchange_add_field(struct sp_exchange *exchange, struct sp_slice name,
                                                 struct sp_slice value);

/* Takes the budget for the head. False: none left. */
bool sp_exchange_charge_head(struct sp_exchange *exchange);

/* Takes bytes of budget for the body that the exchange is receiving. False: none left. */
bool sp_exchange_charge_body(struct sp_exchange *exchange, size_t bytes);

/* The bytes of the reply's body. */
struct sp_slice sp_exchange_reply_body(const struct sp_exchange *exchange);

/* Refuses through the handler (or with the default reply). The exchange must not have been handed over. */
void sp_exchange_refuse(struct sp_exchange *exchange, const struct sp_handler *handler,
                        int http_status, const struct sp_error *error);

/* Gives the request's body and its budget back now, when nobody will read it. */
void sp_exchange_drop_body(struct sp_exchange *exchange);
