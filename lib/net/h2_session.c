/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_session.c: the server's streams: events of h2_link.h become calls of grpc_call.h, replies go the other way;
 * timeouts, floods and window credit. Must not know sockets or threads.
 *
 * Back-pressure. Received bytes are counted against the shared budget and kept. Their window credit is given back to the
 * peer at once while the budget has room to spare, later when it has not: the peer then stops by itself. A call that waited
 * too long for credit, or found no budget at all, is answered UNAVAILABLE and frees what it held, so that half
 * received messages never block one another. */
#include "lib/net/h2_session.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/net/flood.h"
#include "lib/net/grpc_call.h"
#include "lib/net/h2_link.h"
#include "lib/net/h2_reply.h"

#define NS_PER_MS             UINT64_C(1000000)
#define BUDGET_SPARE_PARTS    8 /* credit goes back while one of so many parts of the budget is free */
#define FLOOD_EARNED_BY_REPLY 4 /* pings and window updates that a good client sends with a call */
#define REPLIED_BYTES_MAX     ((size_t)1 << 20) /* of a request that is answered already */
#define REPLIED_WAIT_MS       1000              /* for its end */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

/* For a client that speaks HTTP/1.x to this port: what curl and browsers show. */
#define HTTP1_SENTENCE                                                                             \
    "This port speaks gRPC on HTTP/2 without TLS. HTTP/1.1 is served on another port.\n"

enum session_state { SESSION_PREFACE, SESSION_OPEN, SESSION_FAILED };
enum stream_stage {
    STREAM_HEAD,
    STREAM_BODY,
    STREAM_HANDLER,
    STREAM_REPLY,
    STREAM_REPLIED /* the reply is out, the request is still coming: it is thrown away for a while */
};

struct sp_h2_session {
    const struct sp_h2_environment *environment;
    struct sp_h2_link *link;
    void *owner;
    enum session_state state;
    size_t preface_len; /* matched so far */
    bool http1_answer_due;
    uint64_t now_ns;   /* of the call that runs, for callbacks */
    uint64_t since_ns; /* opened, or the last stream ended: idle since then */
    struct sp_flood flood;
    struct stream *streams;
    char peer[SP_ADDRESS_TEXT_MAX];
};

struct stream {
    struct stream *previous, *next;
    struct sp_h2_session *session;
    int32_t id;
    enum stream_stage stage;
    uint64_t since_ns;          /* of the stage */
    uint64_t deferred_since_ns; /* of the oldest deferred credit; 0: none */
    size_t deferred_bytes;      /* received, their credit not given back */
    bool request_ended;
    size_t discarded_bytes; /* of the stage STREAM_REPLIED */
    struct sp_grpc_call call;
    struct sp_exchange *exchange; /* call.exchange */
    struct sp_h2_reply reply;
};

static const struct sp_net_limits *limits_of(const struct sp_h2_session *session)
{
    return &session->environment->options->limits;
}

static void set_stage(struct stream *stream, enum stream_stage stage)
{
    stream->stage = stage;
    stream->since_ns = stream->session->now_ns;
}

/* ---- window credit ---- */

static void give_credit(struct stream *stream)
{
    struct sp_h2_session *session = stream->session;
    size_t bytes = stream->deferred_bytes;
    if (bytes == 0)
        return;
    stream->deferred_bytes = 0;
    stream->deferred_since_ns = 0;
    if (stream->request_ended) /* and needs no window of its own */
        sp_h2_link_credit_connection(session->link, bytes);
    else
        sp_h2_link_credit(session->link, stream->id, bytes);
}

static bool budget_has_room(const struct sp_h2_session *session)
{
    const struct sp_budget *budget = session->environment->options->budget;
    return sp_budget_used(budget) <= budget->max_bytes - budget->max_bytes / BUDGET_SPARE_PARTS;
}

static void defer_credit(struct stream *stream, size_t bytes)
{
    stream->deferred_bytes += bytes;
    if (stream->deferred_since_ns == 0)
        stream->deferred_since_ns = stream->session->now_ns;
}

/* ---- replies ---- */

static size_t on_read_body(void *cookie, uint8_t *out, size_t room, bool *ret_all)
{
    struct stream *stream = cookie;
    return sp_h2_reply_read(&stream->reply, stream->exchange, out, room, ret_all);
}

static size_t on_trailers(void *cookie, const struct sp_header **ret)
{
    struct stream *stream = cookie;
    *ret = stream->reply.trailers;
    return stream->reply.trailer_count;
}

static void send_reply(struct stream *stream)
{
    struct sp_h2_session *session = stream->session;
    set_stage(stream, STREAM_REPLY);
    sp_exchange_drop_body(stream->exchange);
    give_credit(stream);
    sp_flood_earn(&session->flood, FLOOD_EARNED_BY_REPLY);
    if (sp_h2_reply_prepare(&stream->reply, stream->exchange))
        sp_h2_link_reply(session->link, stream->id, stream->reply.fields, stream->reply.field_count,
                         stream->reply.has_body, stream);
    else
        sp_h2_link_terminate(session->link, SP_H2_INTERNAL_ERROR);
}

/* After each step of a call that was not handed over. */
static void send_refusal(struct stream *stream)
{
    if (stream->exchange->replied && stream->stage < STREAM_HANDLER)
        send_reply(stream);
}

/* ---- streams come and go ---- */

static void stream_remove(struct stream *stream)
{
    struct sp_h2_session *session = stream->session;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        session->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    session->since_ns = session->now_ns;
    sp_uncount(&session->environment->counters->requests_open, 1);
    struct sp_exchange *exchange = stream->exchange;
    exchange->transport_state = NULL;
    if (stream->stage == STREAM_HANDLER)
        atomic_store(&exchange->cancelled, true);
    /* A reply, or the handler that still has to give one, took the other reference. */
    if (stream->stage < STREAM_HANDLER && !exchange->replied)
        sp_exchange_abandon(exchange);
    else
        sp_exchange_release(exchange);
    free(stream);
}

static struct stream *stream_add(struct sp_h2_session *session, int32_t id)
{
    const struct sp_h2_environment *environment = session->environment;
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    struct sp_exchange *exchange = sp_exchange_new(
        environment->transport, environment->transport_cookie, environment->options);
    if (exchange)
        environment->retain_cookie(environment->transport_cookie);
    if (!exchange || sp_exchange_set_peer(exchange, sp_slice_cstr(session->peer)) != SP_OK) {
        if (exchange)
            sp_exchange_abandon(exchange);
        free(stream);
        return NULL;
    }
    stream->exchange = exchange;
    exchange->transport_state = stream;
    stream->session = session;
    stream->id = id;
    set_stage(stream, STREAM_HEAD);
    sp_grpc_call_init(&stream->call, stream->exchange, &environment->options->handler);
    stream->next = session->streams;
    if (session->streams)
        session->streams->previous = stream;
    session->streams = stream;
    sp_count(&environment->counters->requests, 1);
    sp_count(&environment->counters->requests_open, 1);
    return stream;
}

/* ---- what the peer sends ---- */

/* Frames that carry no call cost a token. */
static bool on_idle_frame(void *cookie)
{
    struct sp_h2_session *session = cookie;
    return sp_flood_take(&session->flood, session->now_ns);
}

static void *on_opened(void *cookie, int32_t id)
{
    return stream_add(cookie, id);
}

static void on_field(void *cookie, struct sp_slice name, struct sp_slice value)
{
    struct stream *stream = cookie;
    /* Request trailers mean nothing to gRPC: they are checked and dropped. */
    if (stream->stage == STREAM_HEAD)
        sp_grpc_call_field(&stream->call, name, value);
}

static void on_head_ended(void *cookie)
{
    struct stream *stream = cookie;
    if (stream->stage != STREAM_HEAD)
        return;
    set_stage(stream, STREAM_BODY);
    sp_grpc_call_head(&stream->call, stream->session->now_ns);
    send_refusal(stream);
}

static void on_ended(void *cookie)
{
    struct stream *stream = cookie;
    stream->request_ended = true;
    if (stream->stage != STREAM_BODY)
        return;
    sp_grpc_call_end(&stream->call);
    if (stream->exchange->handed_over)
        set_stage(stream, STREAM_HANDLER);
    else
        send_refusal(stream);
}

/* Tells a client that still sends that nobody reads it (RFC 9113 8.1). Not at once: most have nearly finished, and some
 * client libraries report the reset and forget the reply. */
static void reset_replied(struct stream *stream)
{
    sp_h2_link_reset(stream->session->link, stream->id, SP_H2_NO_ERROR);
}

static void discard(struct stream *stream, size_t len)
{
    bool before = stream->discarded_bytes > REPLIED_BYTES_MAX;
    stream->discarded_bytes += len;
    if (!before && stream->discarded_bytes > REPLIED_BYTES_MAX)
        reset_replied(stream);
}

static void on_data(void *cookie, void *stream_cookie, int32_t id, struct sp_slice bytes)
{
    struct sp_h2_session *session = cookie;
    struct stream *stream = stream_cookie;
    if (!stream || stream->stage != STREAM_BODY) {
        sp_h2_link_credit(session->link, id, bytes.len);
        if (stream && stream->stage == STREAM_REPLIED)
            discard(stream, bytes.len);
        return;
    }
    sp_count(&session->environment->counters->body_bytes, bytes.len);
    defer_credit(stream, bytes.len);
    if (sp_exchange_charge_body(stream->exchange, bytes.len)) {
        sp_grpc_call_data(&stream->call, bytes);
    } else {
        sp_count(&session->environment->counters->budget_refusals, 1);
        sp_grpc_call_refuse(&stream->call, SP_OVERLOADED,
                            "too many request bodies are in flight, try again");
    }
    send_refusal(stream);
    if (budget_has_room(session))
        give_credit(stream);
}

static void on_closed(void *cookie, uint32_t error_code)
{
    (void)error_code;
    struct stream *stream = cookie;
    if (stream->deferred_bytes > 0)
        sp_h2_link_credit_connection(stream->session->link, stream->deferred_bytes);
    stream_remove(stream);
}

static void on_sent(void *cookie)
{
    struct stream *stream = cookie;
    if (!stream->request_ended)
        set_stage(stream, STREAM_REPLIED);
}

static void on_invalid(void *cookie)
{
    struct sp_h2_session *session = cookie;
    sp_count(&session->environment->counters->protocol_errors, 1);
}

static const struct sp_h2_events server_events = {
    .idle_frame = on_idle_frame,
    .opened = on_opened,
    .field = on_field,
    .head_ended = on_head_ended,
    .data = on_data,
    .ended = on_ended,
    .sent = on_sent,
    .closed = on_closed,
    .invalid = on_invalid,
    .read_body = on_read_body,
    .trailers = on_trailers,
};

/* ---- opening ---- */

struct sp_h2_session *sp_h2_session_new(const struct sp_h2_environment *environment,
                                        struct sp_slice peer, void *owner, uint64_t now_ns)
{
    const struct sp_net_limits *limits = &environment->options->limits;
    struct sp_h2_session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->environment = environment;
    session->owner = owner;
    session->now_ns = session->since_ns = now_ns;
    snprintf(session->peer, sizeof(session->peer), "%.*s", SP_SLICE_PRINTF(peer));
    sp_flood_init(&session->flood, limits->control_frames_burst, limits->control_frames_per_second,
                  now_ns);
    session->link = sp_h2_link_new(SP_H2_SERVER, limits, &server_events, session);
    if (session->link)
        return session;
    sp_h2_session_free(session);
    return NULL;
}

void sp_h2_session_free(struct sp_h2_session *session)
{
    if (!session)
        return;
    sp_h2_link_free(session->link);
    while (session->streams)
        stream_remove(session->streams);
    free(session);
}

/* ---- in and out ---- */

/* Compares with the client's preface. False: it is something else, and the answer to that is due. */
static bool check_preface(struct sp_h2_session *session, struct sp_slice bytes)
{
    for (size_t i = 0; i < bytes.len && session->preface_len < PREFACE_LEN; i++) {
        if (bytes.ptr[i] != (uint8_t)preface[session->preface_len]) {
            uint8_t first = session->preface_len > 0 ? (uint8_t)preface[0] : bytes.ptr[0];
            /* Text is HTTP/1.x most likely; anything else (TLS) gets no answer that it could read. */
            session->http1_answer_due = first >= 'A' && first <= 'Z';
            session->state = SESSION_FAILED;
            sp_count(&session->environment->counters->protocol_errors, 1);
            return false;
        }
        session->preface_len++;
    }
    if (session->preface_len == PREFACE_LEN)
        session->state = SESSION_OPEN;
    return true;
}

void sp_h2_session_receive(struct sp_h2_session *session, struct sp_slice bytes, uint64_t now_ns)
{
    session->now_ns = now_ns;
    if (session->state == SESSION_FAILED ||
        (session->state == SESSION_PREFACE && !check_preface(session, bytes)))
        return;
    sp_h2_link_receive(session->link, bytes);
}

void sp_h2_session_send(struct sp_h2_session *session, struct sp_buf *out, size_t at_least,
                        uint64_t now_ns)
{
    session->now_ns = now_ns;
    if (session->http1_answer_due) {
        session->http1_answer_due = false;
        sp_buf_printf(out,
                      "HTTP/1.1 505 HTTP Version Not Supported\r\n"
                      "content-type: text/plain; charset=utf-8\r\ncontent-length: %zu\r\n"
                      "connection: close\r\n\r\n%s",
                      sizeof(HTTP1_SENTENCE) - 1, HTTP1_SENTENCE);
    }
    if (session->state == SESSION_OPEN)
        sp_h2_link_send(session->link, out, at_least);
}

bool sp_h2_session_done(const struct sp_h2_session *session)
{
    if (session->state == SESSION_FAILED)
        return !session->http1_answer_due;
    return sp_h2_link_done(session->link);
}

/* ---- time ---- */

static bool older_than(uint64_t since_ns, uint32_t timeout_ms, uint64_t now_ns)
{
    return now_ns >= since_ns && now_ns - since_ns >= timeout_ms * NS_PER_MS;
}

static void refuse_late_body(struct stream *stream)
{
    struct sp_h2_session *session = stream->session;
    const struct sp_net_limits *limits = limits_of(session);
    if (stream->deferred_bytes > 0 && budget_has_room(session))
        give_credit(stream);
    if (stream->deferred_bytes > 0 &&
        older_than(stream->deferred_since_ns, limits->budget_wait_ms, session->now_ns)) {
        sp_count(&session->environment->counters->budget_refusals, 1);
        sp_grpc_call_refuse(&stream->call, SP_OVERLOADED,
                            "too many request bodies are in flight, try again");
    } else if (older_than(stream->since_ns, limits->body_timeout_ms, session->now_ns)) {
        sp_count(&session->environment->counters->timeouts, 1);
        sp_grpc_call_refuse(&stream->call, SP_DEADLINE, "the request was not whole within %u ms",
                            limits->body_timeout_ms);
    }
    send_refusal(stream);
}

static void tick_stream(struct stream *stream)
{
    struct sp_h2_session *session = stream->session;
    const struct sp_net_limits *limits = limits_of(session);
    switch (stream->stage) {
    case STREAM_HEAD:
        /* Nothing else can come between the frames of a header block: the whole connection hangs. */
        if (older_than(stream->since_ns, limits->head_timeout_ms, session->now_ns)) {
            sp_count(&session->environment->counters->timeouts, 1);
            sp_h2_link_terminate(session->link, SP_H2_ENHANCE_YOUR_CALM);
        }
        break;
    case STREAM_BODY:
        refuse_late_body(stream);
        break;
    case STREAM_HANDLER:
        if (budget_has_room(session))
            give_credit(stream);
        break;
    case STREAM_REPLY:
        if (older_than(stream->since_ns, limits->write_timeout_ms, session->now_ns)) {
            sp_count(&session->environment->counters->timeouts, 1);
            set_stage(stream, STREAM_REPLY);
            sp_h2_link_reset(session->link, stream->id, SP_H2_CANCEL);
        }
        break;
    case STREAM_REPLIED:
        if (older_than(stream->since_ns, REPLIED_WAIT_MS, session->now_ns)) {
            set_stage(stream, STREAM_REPLIED);
            reset_replied(stream);
        }
        break;
    }
}

void sp_h2_session_tick(struct sp_h2_session *session, uint64_t now_ns)
{
    const struct sp_net_limits *limits = limits_of(session);
    session->now_ns = now_ns;
    for (struct stream *stream = session->streams, *next; stream; stream = next) {
        next = stream->next;
        tick_stream(stream);
    }
    if (session->state == SESSION_PREFACE &&
        older_than(session->since_ns, limits->head_timeout_ms, now_ns)) {
        sp_count(&session->environment->counters->timeouts, 1);
        session->state = SESSION_FAILED;
    }
    if (session->state == SESSION_OPEN && !session->streams &&
        older_than(session->since_ns, limits->idle_timeout_ms, now_ns)) {
        session->since_ns = now_ns;
        sp_h2_link_terminate(session->link, SP_H2_NO_ERROR);
    }
}

void sp_h2_session_drain_announce(struct sp_h2_session *session)
{
    if (session->state == SESSION_PREFACE)
        session->state = SESSION_FAILED;
    else if (session->state == SESSION_OPEN)
        sp_h2_link_announce_drain(session->link);
}

void sp_h2_session_drain_finish(struct sp_h2_session *session)
{
    if (session->state == SESSION_OPEN)
        sp_h2_link_finish_drain(session->link);
}

/* ---- replies of handlers ---- */

void *sp_h2_exchange_owner(const struct sp_exchange *exchange)
{
    const struct stream *stream = exchange->transport_state;
    return stream ? stream->session->owner : NULL;
}

void sp_h2_exchange_send(struct sp_exchange *exchange, uint64_t now_ns)
{
    struct stream *stream = exchange->transport_state;
    if (stream) {
        stream->session->now_ns = now_ns;
        send_reply(stream);
    }
    sp_exchange_release(exchange);
}
