/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/net.h: transports. Bytes of a connection become exchanges (one request and its one reply), whatever the
 * protocol: HTTP/1.1, or gRPC on HTTP/2. Also a client, and the small codecs of HTTP (query strings, media types, Accept,
 * problem documents). Uses base. Knows nothing of spans, storage or queries. */
#pragma once

#include "lib/base/base.h"

/* ---- exchange: one request and its one reply ----
 *
 * Who owns it: the transport until on_request is called, then the handler (one thread at a time) until it replies, then
 * the transport again. Replying is always due, exactly once, also after cancellation; the exchange must not be touched
 * afterwards. Slices that accessors return are the exchange's memory and end with the reply. */
struct sp_exchange;

struct sp_slice sp_exchange_method(const struct sp_exchange *exchange); /* "GET" */
struct sp_slice sp_exchange_path(const struct sp_exchange *exchange);   /* as sent, before '?' */
struct sp_slice sp_exchange_query(const struct sp_exchange *exchange);  /* as sent, behind '?' */

/* The first header (or HTTP/2 header field) of that name, compared without case. False: there is none.
 * Repeated fields are joined with ", " as RFC 9110 5.3 allows. */
bool sp_exchange_header(const struct sp_exchange *exchange, const char *name,
                        struct sp_slice *ret_value);

/* "127.0.0.1:54321" or "[::1]:54321". */
struct sp_slice sp_exchange_peer(const struct sp_exchange *exchange);

/* True for gRPC: then the body is the one message without its five-byte prefix, and the reply is due by
 * sp_exchange_reply_grpc (or sp_exchange_reply for an HTTP error). */
bool sp_exchange_is_grpc(const struct sp_exchange *exchange);

/* gRPC: the message's compressed flag was set; header grpc-encoding (present, then) says how. */
bool sp_exchange_grpc_compressed(const struct sp_exchange *exchange);

/* gRPC: monotonic time at which the client gives up (grpc-timeout), or UINT64_MAX. Nothing is cancelled by net: it is
 * for handlers that would otherwise do work nobody waits for. */
uint64_t sp_exchange_deadline_ns(const struct sp_exchange *exchange);

/* True when the client is known to be gone; the reply is still due, and harmless. Any thread. HTTP/1.1
 * looks a few times a second; a client that only closed its sending side is still there. */
bool sp_exchange_cancelled(const struct sp_exchange *exchange);

/* One borrowed pointer from on_head to on_request, a row of a route table, say. Nobody frees it and nobody is told when
 * the body never comes, so it must not own anything. */
void sp_exchange_set_route(struct sp_exchange *exchange, const void *route);
const void *sp_exchange_route(const struct sp_exchange *exchange);

/* A request body and the part of the memory budget it holds. */
struct sp_body {
    struct sp_buf bytes;
    struct sp_budget *budget; /* borrowed, outlives the body; NULL when nothing is held */
    size_t budget_bytes;      /* taken, to be given back */
};

void sp_body_fini(struct sp_body *body); /* frees, gives back; NULL and a finished one are fine */

struct sp_slice sp_exchange_body(const struct sp_exchange *exchange);

/* Moves the body out: the caller owns it and its budget from now on, also after the reply. The exchange's body is empty
 * then. */
void sp_exchange_take_body(struct sp_exchange *exchange, struct sp_body *ret_body);

struct sp_header {
    struct sp_slice name; /* lower case */
    struct sp_slice value;
};

/* A reply body up to this size always goes; a larger one takes its part of sp_server_options.reply_budget until it is sent. */
#define SP_REPLY_SMALL_BYTES_MAX ((size_t)16 << 10)

/* Replies and gives the exchange away. From any thread. Headers are copied (content-length, date and connection are the
 * transport's work); characters that would break a header field are replaced by spaces. body is moved and left empty;
 * NULL is an empty one. What the budget of replies has no room for becomes 503 with Retry-After (UNAVAILABLE of
 * sp_exchange_reply_grpc), and 413 (RESOURCE_EXHAUSTED) when it never would. */
void sp_exchange_reply(struct sp_exchange *exchange, int http_status,
                       const struct sp_header *headers, size_t header_count, struct sp_buf *body);

/* The same with bytes that are never freed (the web UI's files). */
void sp_exchange_reply_static(struct sp_exchange *exchange, int http_status,
                              const struct sp_header *headers, size_t header_count,
                              struct sp_slice body);

/* A gRPC reply. status 0 sends message_body (moved, NULL is an empty message) as the one message, not compressed; any
 * other status sends trailers only. message: UTF-8 for people, percent-encoded here. details: a google.rpc.Status, sent as
 * grpc-status-details-bin, or empty. Both are copied. */
void sp_exchange_reply_grpc(struct sp_exchange *exchange, int grpc_status, struct sp_slice message,
                            struct sp_slice details, struct sp_buf *message_body);

/* Replies with a problem document of error; http_status 0 takes the one of error->status. Adds Retry-After when the
 * status is retryable. */
void sp_exchange_reply_problem(struct sp_exchange *exchange, int http_status,
                               const struct sp_error *error);

/* ---- replies that are made over time ----
 *
 * Begun, written and ended instead of one of the replies above; HTTP/1.1 only. Nothing here waits: a producer that is ahead of its
 * client keeps what does not fit, writes it later, or hands it over at the end. A client that takes nothing of what waits for
 * it in write_timeout_ms is closed, and the exchange is cancelled then, as it is when the client goes. */

/* Waits in a stream before its end; taken from reply_budget when it begins, given back with the exchange. */
#define SP_STREAM_BYTES_MAX ((size_t)64 << 10)

/* Sends the head. The exchange stays the handler's until the stream has ended. Once; after on_request was called.
 * SP_OVERLOADED, SP_NO_MEMORY: nothing was sent, and a reply is still due. */
SP_MUST_USE enum sp_status sp_exchange_stream_begin(struct sp_exchange *exchange, int http_status,
                                                    const struct sp_header *headers,
                                                    size_t header_count, struct sp_error *reterr);

/* Sends all of bytes, or nothing: false, then there is no room now. To a client that has gone, too. */
bool sp_exchange_stream_write(struct sp_exchange *exchange, struct sp_slice bytes);

/* The last bytes, moved; any number, within reply_budget as those of sp_exchange_reply, and NULL is none. Gives the exchange away.
 * SP_OVERLOADED, SP_LIMIT: there is no room for them; body is untouched, and the stream has to be ended with something else: up to
 * SP_REPLY_SMALL_BYTES_MAX always go. */
SP_MUST_USE enum sp_status sp_exchange_stream_end(struct sp_exchange *exchange, struct sp_buf *body,
                                                  struct sp_error *reterr);

/* All run on transport threads and must not block; what takes long goes to another thread, which replies. */
struct sp_handler {
    void *cookie;

    /* The head is complete, no byte of the body was read. May reply at once, to refuse (404, 405, 413, 415 ...): then
     * on_request is not called and the body is thrown away. Must not keep the exchange otherwise. May be NULL. */
    void (*on_head)(void *cookie, struct sp_exchange *exchange);

    /* The body is whole. The exchange is the handler's until it replies, here or later. */
    void (*on_request)(void *cookie, struct sp_exchange *exchange);

    /* The transport refuses by itself (too large, no budget, too slow, not a gRPC message) and error says why. Replies at
     * once, in the form that this service's clients expect; http_status is what HTTP/1.1 sends. NULL: a problem document,
     * or a bare gRPC status. Neither on_head nor on_request is called afterwards. */
    void (*on_refused)(void *cookie, struct sp_exchange *exchange, int http_status,
                       const struct sp_error *error);
};

/* ---- query parameters ---- */

#define SP_PARAMS_MAX 64 /* parameters in one query string; the API has fewer than 20 */

struct sp_param {
    struct sp_slice name, value;
};

struct sp_params {
    struct sp_param items[SP_PARAMS_MAX]; /* in the order sent, repeated names included */
    size_t count;
};

/* Decodes "a=1&b=x%20y&c" ('+' is a space, empty parts are skipped, a name without '=' has an empty value). Texts without
 * escapes are slices of query, others are in arena. SP_INVALID_ARGUMENT: an escape is not two hex digits, or the
 * result is not UTF-8 or holds a zero byte; the error names the parameter. SP_LIMIT: too many, or the arena is full. */
SP_MUST_USE enum sp_status sp_params_decode(struct sp_arena *arena, struct sp_slice query,
                                            struct sp_params *ret, struct sp_error *reterr);

/* The first value of that name; false when there is none. */
bool sp_params_get(const struct sp_params *params, const char *name, struct sp_slice *ret_value);

/* %XX to bytes, '+' stays. False (out may hold a part) on a bad escape. */
bool sp_percent_decode(struct sp_slice text, struct sp_buf *out);

/* Everything but RFC 3986's unreserved characters as %XX. */
void sp_percent_encode(struct sp_slice bytes, struct sp_buf *out);

/* ---- media types ---- */

/* Is a Content-Type value this type ("application/json"), parameters and case aside? */
bool sp_media_type_is(struct sp_slice content_type, const char *type);

/* The best of the offered media types for an Accept value (RFC 9110 12.5.1: quality values, wildcards, the more specific
 * range wins; on equal quality the earlier offer). An empty Accept takes the first. -1: none is acceptable. */
int sp_accept_choose(struct sp_slice accept, const char *const *offers, size_t offer_count);

/* The same for content codings ("gzip") and an Accept-Encoding value. -1: none of the offers, send identity. */
int sp_accept_encoding_choose(struct sp_slice accept, const char *const *offers,
                              size_t offer_count);

/* ---- problem documents, RFC 9457 ---- */

#define SP_PROBLEM_MEDIA_TYPE "application/problem+json"

/* {"title","status","detail"} and, where the error has them, "parameter" and "offset". */
void sp_problem_write(struct sp_buf *out, int http_status, const struct sp_error *error);

/* ---- servers ---- */

/* Every row: docs/limits.md. */
struct sp_net_limits {
    size_t body_bytes_max;         /* of one request body, as it came */
    size_t head_bytes_max;         /* names and values of one request's fields, 32 added for each */
    size_t refused_body_bytes_max; /* HTTP/1.1: read and thrown away so that the refusal is read */
    uint32_t connections_max;      /* of one server; more wait in the listen queue, or are closed */
    uint32_t streams_max;          /* HTTP/2: open at once on one connection */
    uint32_t stream_window_bytes;  /* HTTP/2: SETTINGS_INITIAL_WINDOW_SIZE */
    uint32_t connection_window_bytes;   /* HTTP/2: receive window of a connection */
    uint32_t frame_bytes_max;           /* HTTP/2: SETTINGS_MAX_FRAME_SIZE */
    uint32_t head_timeout_ms;           /* first byte of a connection to its first whole head */
    uint32_t body_timeout_ms;           /* head to whole body */
    uint32_t write_timeout_ms;          /* a reply that the peer does not take */
    uint32_t write_bytes_min;           /* HTTP/1.1: taken in that time while replies are refused */
    uint32_t idle_timeout_ms;           /* a connection without a request */
    uint32_t budget_wait_ms;            /* HTTP/2: a body stopped by the budget, then UNAVAILABLE */
    uint32_t control_frames_burst;      /* HTTP/2: pings, resets, settings, empty frames at once */
    uint32_t control_frames_per_second; /* HTTP/2: and refilled; each reply refills some, too */
};

struct sp_net_limits sp_net_limits_default(void);

struct sp_server_options {
    const char *address; /* HOST:PORT, [IPv6]:PORT; port 0: the system chooses */
    uint32_t threads;    /* 0: one a core */
    struct sp_handler handler;
    /* borrowed: memory of all bodies in flight, may be shared by servers */
    struct sp_budget *budget;
    /* borrowed: memory of all replies that wait to be sent, may be shared by servers; NULL: not counted */
    struct sp_budget *reply_budget;
    const struct sp_clock *clock; /* borrowed */
    const struct sp_log *log;     /* borrowed, may be NULL */
    struct sp_net_limits limits;
};

struct sp_server;

/* What a server did so far; each counter alone is exact, together they are not one instant. */
struct sp_server_stats {
    uint64_t connections_accepted, connections_open, connections_refused;
    uint64_t requests, requests_open, body_bytes;
    uint64_t budget_refusals, timeouts, protocol_errors;
};

/* HTTP/1.1. Over its limits it answers 413, 431, 503 with Retry-After, 408, by itself.
 *
 * SP_INVALID_ARGUMENT  the address is not HOST:PORT, or does not resolve.    SP_BUSY  the port is taken.
 * SP_IO, SP_NO_MEMORY  the system refused; the error says what. */
SP_MUST_USE enum sp_status sp_http1_server_start(const struct sp_server_options *options,
                                                 struct sp_server **ret_server,
                                                 struct sp_error *reterr);

/* gRPC on HTTP/2 without TLS (prior knowledge). on_head and on_request see gRPC exchanges only: anything else is answered
 * here, 415 with a sentence; so is HTTP/1.1 (a sentence and the connection is closed). The same errors. */
SP_MUST_USE enum sp_status sp_http2_server_start(const struct sp_server_options *options,
                                                 struct sp_server **ret_server,
                                                 struct sp_error *reterr);

/* "127.0.0.1:4318" with the real port. The server's memory. */
const char *sp_server_address(const struct sp_server *server);
uint16_t sp_server_port(const struct sp_server *server);

void sp_server_stats(const struct sp_server *server, struct sp_server_stats *ret);

/* Stops accepting, tells peers to go (GOAWAY, Connection: close), waits for running exchanges. True: all are done, false:
 * timeout_ms passed first. Blocks; not from a transport thread. */
bool sp_server_drain(struct sp_server *server, uint32_t timeout_ms);

/* Closes everything, joins the threads, frees. Exchanges that handlers still hold become cancelled and may be replied to
 * later. NULL is fine. */
void sp_server_stop(struct sp_server *server);

/* ---- client ---- */

/* One thread owns a client and everything of it. */
struct sp_client;

struct sp_client_options {
    uint32_t in_flight_max;       /* requests at once */
    uint32_t connections_max;     /* to one host; HTTP/2 shares connections between requests */
    uint64_t reply_bytes_max;     /* of one reply's body */
    const struct sp_clock *clock; /* borrowed */
};

struct sp_client_reply {
    /* SP_OK: there was a reply (of any HTTP or gRPC status), else why there was none */
    enum sp_status status;
    struct sp_error error; /* when there was none: a sentence */
    int http_status;
    int grpc_status;              /* -1: no grpc-status came */
    struct sp_slice grpc_message; /* decoded */
    struct sp_slice content_type;
    struct sp_slice header;  /* HTTP/1.1: the value of the request's reply_header; "" without it */
    struct sp_slice body;    /* gRPC: the message without its prefix */
    uint64_t retry_after_ms; /* Retry-After in seconds, or 0 */
    uint64_t started_ns;     /* monotonic */
    uint64_t elapsed_ns;     /* until the reply was whole */
};

struct sp_client_request {
    const char *method;              /* "GET", "POST" */
    const char *url;                 /* http://HOST:PORT/PATH?QUERY, copied */
    const struct sp_header *headers; /* copied; gRPC adds its own */
    size_t header_count;
    struct sp_slice body; /* borrowed until on_reply; gRPC: the message, framed here */
    bool grpc;            /* HTTP/2 with prior knowledge, trailers */
    bool grpc_compressed; /* the message is compressed as header grpc-encoding says */
    uint32_t timeout_ms;  /* 0: none */
    const char *
        reply_header; /* HTTP/1.1: one more header of the reply that is wanted; static. May be NULL */

    /* Called once, by sp_client_run. The reply and its slices end with the call. May submit further requests. */
    void (*on_reply)(void *cookie, const struct sp_client_reply *reply);
    /* HTTP/1.1, may be NULL: called before that whenever more of the body has come, with all of it so far. */
    void (*on_part)(void *cookie, int http_status, struct sp_slice received);
    void *cookie;
};

SP_MUST_USE enum sp_status sp_client_new(const struct sp_client_options *options,
                                         struct sp_client **ret_client, struct sp_error *reterr);
void sp_client_free(struct sp_client *client); /* drops what is in flight, on_reply is not called */

/* Starts a request. SP_OVERLOADED: in_flight_max are running. */
SP_MUST_USE enum sp_status sp_client_submit(struct sp_client *client,
                                            const struct sp_client_request *request,
                                            struct sp_error *reterr);

uint32_t sp_client_in_flight(const struct sp_client *client);

/* Moves bytes and delivers replies; waits up to wait_ns when there is nothing to do, also when nothing is in flight. While HTTP/1.1
 * requests are, waits are whole milliseconds, rounded up. */
SP_MUST_USE enum sp_status sp_client_run(struct sp_client *client, uint64_t wait_ns,
                                         struct sp_error *reterr);
