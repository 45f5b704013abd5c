/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_session.c: HTTP/2 by nghttp2, and the only file that knows it. Frames become calls of grpc_call.h; replies
 * become frames. Must not know sockets or threads.
 *
 * Back-pressure. Received bytes are counted against the shared budget and kept. Their window credit is given back to the
 * peer at once while the budget has room to spare, later when it has not: the peer then stops by itself. A call that waited
 * too long for credit, or found no budget at all, is answered UNAVAILABLE and frees what it held, so that half
 * received messages never block one another. */
#include "lib/net/h2_session.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/flood.h"
#include "lib/net/grpc_call.h"
#include "lib/net/h2_reply.h"

#define NS_PER_MS UINT64_C(1000000)
#define BUDGET_SPARE_PARTS                                                                         \
    8 /* credit is given back while a part of so many of the budget is free */
#define FLOOD_EARNED_BY_REPLY                                                                      \
    4 /* pings and window updates that a well-behaved client sends with a call */
#define EXTENSION_FRAME_FIRST 10 /* RFC 9113 ends at 9; nghttp2 lets us watch the types behind */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

/* For a client that speaks HTTP/1.x to this port: what curl and browsers show. */
#define HTTP1_SENTENCE                                                                             \
    "This port speaks gRPC on HTTP/2 without TLS. HTTP/1.1 is served on another port.\n"

enum session_state { SESSION_PREFACE, SESSION_OPEN, SESSION_FAILED };
enum stream_stage { STREAM_HEAD, STREAM_BODY, STREAM_HANDLER, STREAM_REPLY };

struct sp_h2_session {
    const struct sp_h2_environment *environment;
    nghttp2_session *library;
    void *owner;
    enum session_state state;
    size_t preface_len; /* matched so far */
    bool http1_answer_due;
    uint64_t now_ns;   /* of the call that runs, for callbacks */
    uint64_t since_ns; /* opened, or the last stream ended: idle since then */
    struct sp_flood flood;
    struct stream *streams;
    size_t deferred_bytes; /* received, their credit not given back */
    char peer[SP_ADDRESS_TEXT_MAX];
};

struct stream {
    struct stream *previous, *next;
    struct sp_h2_session *session;
    int32_t id;
    enum stream_stage stage;
    uint64_t since_ns;          /* of the stage */
    uint64_t deferred_since_ns; /* of the oldest deferred credit; 0: none */
    size_t deferred_bytes;
    bool request_ended;
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

static void terminate(struct sp_h2_session *session, uint32_t error_code)
{
    if (error_code != NGHTTP2_NO_ERROR)
        sp_count(&session->environment->counters->protocol_errors, 1);
    if (nghttp2_session_terminate_session(session->library, error_code) != 0)
        session->state = SESSION_FAILED;
}

/* A failure here is lack of memory: the connection cannot go on. */
static void must(struct sp_h2_session *session, int result)
{
    if (result != 0)
        session->state = SESSION_FAILED;
}

/* ---- window credit ---- */

static void give_credit(struct stream *stream)
{
    struct sp_h2_session *session = stream->session;
    size_t bytes = stream->deferred_bytes;
    if (bytes == 0)
        return;
    session->deferred_bytes -= bytes;
    stream->deferred_bytes = 0;
    stream->deferred_since_ns = 0;
    /* An ended stream needs no window of its own. */
    must(session, stream->request_ended
                      ? nghttp2_session_consume_connection(session->library, bytes)
                      : nghttp2_session_consume(session->library, stream->id, bytes));
}

static bool budget_has_room(const struct sp_h2_session *session)
{
    const struct sp_budget *budget = session->environment->options->budget;
    return sp_budget_used(budget) <= budget->max_bytes - budget->max_bytes / BUDGET_SPARE_PARTS;
}

static void defer_credit(struct stream *stream, size_t bytes)
{
    stream->deferred_bytes += bytes;
    stream->session->deferred_bytes += bytes;
    if (stream->deferred_since_ns == 0)
        stream->deferred_since_ns = stream->session->now_ns;
}

/* ---- replies ---- */

/* nghttp2's list of fields. It copies names and values at once; its type only forgot the const. */
static size_t list_fields(const struct sp_header *headers, size_t count, nghttp2_nv *out)
{
    for (size_t i = 0; i < count; i++) {
        union {
            const uint8_t *ours;
            uint8_t *theirs;
        } name = {.ours = headers[i].name.ptr}, value = {.ours = headers[i].value.ptr};
        out[i] = (nghttp2_nv){name.theirs, value.theirs, headers[i].name.len, headers[i].value.len,
                              NGHTTP2_NV_FLAG_NONE};
    }
    return count;
}

static ssize_t on_read_reply(nghttp2_session *library, int32_t id, uint8_t *out, size_t room,
                             uint32_t *flags, nghttp2_data_source *source, void *cookie)
{
    (void)cookie;
    struct stream *stream = source->ptr;
    struct sp_h2_reply *reply = &stream->reply;
    nghttp2_nv trailers[SP_ARRAY_LEN(reply->trailers)];
    bool all;
    size_t copied = sp_h2_reply_read(reply, stream->exchange, out, room, &all);
    if (all)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (all && reply->trailer_count > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        size_t count = list_fields(reply->trailers, reply->trailer_count, trailers);
        if (nghttp2_submit_trailer(library, id, trailers, count) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)copied;
}

static int submit_reply(struct stream *stream)
{
    struct sp_h2_reply *reply = &stream->reply;
    if (!sp_h2_reply_prepare(reply, stream->exchange))
        return NGHTTP2_ERR_NOMEM;
    nghttp2_nv *fields =
        sp_arena_calloc(&stream->exchange->arena, reply->field_count, sizeof(*fields));
    if (!fields)
        return NGHTTP2_ERR_NOMEM;
    size_t count = list_fields(reply->fields, reply->field_count, fields);
    nghttp2_data_provider provider = {{.ptr = stream}, on_read_reply};
    return nghttp2_submit_response(stream->session->library, stream->id, fields, count,
                                   reply->has_body ? &provider : NULL);
}

static void send_reply(struct stream *stream)
{
    struct sp_h2_session *session = stream->session;
    set_stage(stream, STREAM_REPLY);
    sp_exchange_drop_body(stream->exchange);
    give_credit(stream);
    sp_flood_earn(&session->flood, FLOOD_EARNED_BY_REPLY);
    must(session, submit_reply(stream));
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
    session->deferred_bytes -= stream->deferred_bytes;
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
    struct sp_exchange *exchange =
        sp_exchange_new(environment->transport, environment->transport_cookie,
                        environment->options->budget, &environment->options->limits);
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

/* ---- what the peer sends: nghttp2's callbacks ---- */

static struct stream *stream_of(nghttp2_session *library, int32_t id)
{
    return nghttp2_session_get_stream_user_data(library, id);
}

/* Frames that carry no call cost a token; who has none left is told to calm down. */
static int on_begin_frame(nghttp2_session *library, const nghttp2_frame_hd *head, void *cookie)
{
    (void)library;
    struct sp_h2_session *session = cookie;
    bool carries_call = head->type == NGHTTP2_DATA || head->type == NGHTTP2_HEADERS;
    if (!carries_call && !sp_flood_take(&session->flood, session->now_ns))
        terminate(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}

static int on_begin_headers(nghttp2_session *library, const nghttp2_frame *frame, void *cookie)
{
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct stream *stream = stream_add(cookie, frame->hd.stream_id);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return nghttp2_session_set_stream_user_data(library, stream->id, stream);
}

static int on_header(nghttp2_session *library, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *cookie)
{
    (void)flags;
    (void)cookie;
    struct stream *stream = stream_of(library, frame->hd.stream_id);
    /* Request trailers mean nothing to gRPC: they are checked by nghttp2 and dropped. */
    if (stream && stream->stage == STREAM_HEAD)
        sp_grpc_call_field(&stream->call, sp_slice_make(name, name_len),
                           sp_slice_make(value, value_len));
    return 0;
}

static void end_request(struct stream *stream)
{
    stream->request_ended = true;
    if (stream->stage != STREAM_BODY)
        return;
    sp_grpc_call_end(&stream->call);
    if (stream->exchange->handed_over)
        set_stage(stream, STREAM_HANDLER);
    else
        send_refusal(stream);
}

static int on_frame(nghttp2_session *library, const nghttp2_frame *frame, void *cookie)
{
    struct sp_h2_session *session = cookie;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct stream *stream = stream_of(library, frame->hd.stream_id);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    bool empty = frame->hd.type == NGHTTP2_DATA && frame->hd.length == frame->data.padlen && !end;
    if (empty && !sp_flood_take(&session->flood, session->now_ns))
        terminate(session, NGHTTP2_ENHANCE_YOUR_CALM);
    if (!stream)
        return 0;
    if (stream->stage == STREAM_HEAD) {
        set_stage(stream, STREAM_BODY);
        sp_grpc_call_head(&stream->call, session->now_ns);
        send_refusal(stream);
    }
    if (end)
        end_request(stream);
    return 0;
}

static int on_data(nghttp2_session *library, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *cookie)
{
    (void)flags;
    struct sp_h2_session *session = cookie;
    struct stream *stream = stream_of(library, id);
    if (!stream || stream->stage != STREAM_BODY) {
        must(session, nghttp2_session_consume(library, id, len));
        return 0;
    }
    sp_count(&session->environment->counters->body_bytes, len);
    defer_credit(stream, len);
    if (sp_exchange_charge_body(stream->exchange, len)) {
        sp_grpc_call_data(&stream->call, sp_slice_make(bytes, len));
    } else {
        sp_count(&session->environment->counters->budget_refusals, 1);
        sp_grpc_call_refuse(&stream->call, SP_OVERLOADED,
                            "too many request bodies are in flight, try again");
    }
    send_refusal(stream);
    if (budget_has_room(session))
        give_credit(stream);
    return 0;
}

static int on_stream_close(nghttp2_session *library, int32_t id, uint32_t error_code, void *cookie)
{
    (void)error_code;
    struct sp_h2_session *session = cookie;
    struct stream *stream = stream_of(library, id);
    if (!stream)
        return 0;
    if (stream->deferred_bytes > 0)
        must(session, nghttp2_session_consume_connection(library, stream->deferred_bytes));
    (void)nghttp2_session_set_stream_user_data(library, id, NULL);
    stream_remove(stream);
    return 0;
}

/* The reply is out. A client that still sends is told that nobody reads it (RFC 9113 8.1). */
static int on_frame_sent(nghttp2_session *library, const nghttp2_frame *frame, void *cookie)
{
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    struct stream *stream = ends ? stream_of(library, frame->hd.stream_id) : NULL;
    if (stream && !stream->request_ended)
        must(cookie, nghttp2_submit_rst_stream(library, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                               NGHTTP2_NO_ERROR));
    return 0;
}

static int on_invalid_frame(nghttp2_session *library, const nghttp2_frame *frame, int error,
                            void *cookie)
{
    (void)library;
    (void)frame;
    (void)error;
    struct sp_h2_session *session = cookie;
    sp_count(&session->environment->counters->protocol_errors, 1);
    return 0;
}

/* Frames of unknown types are watched only to be counted by on_begin_frame; their payload is dropped. */
static int on_extension_chunk(nghttp2_session *library, const nghttp2_frame_hd *head,
                              const uint8_t *bytes, size_t len, void *cookie)
{
    (void)library;
    (void)head;
    (void)bytes;
    (void)len;
    (void)cookie;
    return NGHTTP2_ERR_CANCEL;
}

static int on_extension_end(nghttp2_session *library, void **payload, const nghttp2_frame_hd *head,
                            void *cookie)
{
    (void)library;
    (void)payload;
    (void)head;
    (void)cookie;
    return NGHTTP2_ERR_CANCEL;
}

/* ---- opening ---- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *c = NULL;
    if (nghttp2_session_callbacks_new(&c) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(c, on_extension_chunk);
    nghttp2_session_callbacks_set_unpack_extension_callback(c, on_extension_end);
    return c;
}

static nghttp2_option *make_option(const struct sp_net_limits *limits)
{
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(option, 1);
    /* One judge of floods, the token bucket: nghttp2's own limits are put behind it. */
    nghttp2_option_set_max_outbound_ack(option, 2 * (size_t)limits->control_frames_burst);
    nghttp2_option_set_stream_reset_rate_limit(option, 2 * (uint64_t)limits->control_frames_burst,
                                               2 * (uint64_t)limits->control_frames_per_second);
    for (unsigned int type = EXTENSION_FRAME_FIRST; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
    return option;
}

static int submit_settings(struct sp_h2_session *session)
{
    const struct sp_net_limits *limits = limits_of(session);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits->frame_bytes_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head_bytes_max},
    };
    int result = nghttp2_submit_settings(session->library, NGHTTP2_FLAG_NONE, settings,
                                         SP_ARRAY_LEN(settings));
    if (result == 0)
        result = nghttp2_session_set_local_window_size(session->library, NGHTTP2_FLAG_NONE, 0,
                                                       (int32_t)limits->connection_window_bytes);
    return result;
}

struct sp_h2_session *sp_h2_session_new(const struct sp_h2_environment *environment,
                                        struct sp_slice peer, void *owner, uint64_t now_ns)
{
    const struct sp_net_limits *limits = &environment->options->limits;
    struct sp_h2_session *session = calloc(1, sizeof(*session));
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option = make_option(limits);
    bool ok = session && callbacks && option;
    if (ok) {
        session->environment = environment;
        session->owner = owner;
        session->now_ns = session->since_ns = now_ns;
        snprintf(session->peer, sizeof(session->peer), "%.*s", SP_SLICE_PRINTF(peer));
        sp_flood_init(&session->flood, limits->control_frames_burst,
                      limits->control_frames_per_second, now_ns);
        ok = nghttp2_session_server_new2(&session->library, callbacks, session, option) == 0 &&
             submit_settings(session) == 0;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (ok)
        return session;
    sp_h2_session_free(session);
    return NULL;
}

void sp_h2_session_free(struct sp_h2_session *session)
{
    if (!session)
        return;
    nghttp2_session_del(session->library);
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
    ssize_t taken = nghttp2_session_mem_recv(session->library, bytes.ptr, bytes.len);
    if (taken >= 0)
        return;
    sp_count(&session->environment->counters->protocol_errors, 1);
    session->state = SESSION_FAILED;
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
    while (session->state == SESSION_OPEN && out->len < at_least && out->error == SP_OK) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(session->library, &bytes);
        if (len <= 0) {
            must(session, len < 0);
            break;
        }
        sp_buf_append(out, bytes, (size_t)len);
    }
    if (out->error != SP_OK)
        session->state = SESSION_FAILED;
}

bool sp_h2_session_done(const struct sp_h2_session *session)
{
    if (session->state == SESSION_FAILED)
        return !session->http1_answer_due;
    return !nghttp2_session_want_read(session->library) &&
           !nghttp2_session_want_write(session->library);
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
            terminate(session, NGHTTP2_ENHANCE_YOUR_CALM);
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
            must(session, nghttp2_submit_rst_stream(session->library, NGHTTP2_FLAG_NONE, stream->id,
                                                    NGHTTP2_CANCEL));
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
        terminate(session, NGHTTP2_NO_ERROR);
    }
}

void sp_h2_session_drain_announce(struct sp_h2_session *session)
{
    if (session->state == SESSION_PREFACE)
        session->state = SESSION_FAILED;
    else if (session->state == SESSION_OPEN)
        must(session, nghttp2_submit_shutdown_notice(session->library));
}

void sp_h2_session_drain_finish(struct sp_h2_session *session)
{
    if (session->state != SESSION_OPEN)
        return;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->library);
    must(session, nghttp2_submit_goaway(session->library, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR,
                                        NULL, 0));
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
