/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/h2_peer.c: see h2_peer.h. */
#include "tests/unit/net/h2_peer.h"

#include <check.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS    UINT64_C(1000000)
#define FRAME_HEAD   9
#define START_NS     (UINT64_C(1000000) * NS_PER_MS)
#define CAPTURE_MAX  ((size_t)256 << 20)
#define VALUES_BYTES 1024

/* ---- the handler ---- */

static void on_head(void *cookie, struct sp_exchange *exchange)
{
    (void)cookie;
    struct sp_slice path = sp_exchange_path(exchange);
    if (path.len >= 4 && sp_slice_equal_cstr(sp_slice_sub(path, path.len - 4, 4), "Head"))
        sp_exchange_reply_grpc(exchange, 12, SP_SLICE("no: 100% \xc3\xa4\n"), SP_SLICE("\x08\x0c"),
                               NULL);
}

static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct peer *peer = cookie;
    struct sp_slice path = sp_exchange_path(exchange);
    peer->requests++;
    if (path.len >= 4 && sp_slice_equal_cstr(sp_slice_sub(path, path.len - 4, 4), "Hold")) {
        ck_assert_uint_lt(peer->held_count, PEER_HELD_MAX);
        peer->held[peer->held_count++] = exchange;
        return;
    }
    struct sp_body body;
    sp_exchange_take_body(exchange, &body);
    sp_exchange_reply_grpc(exchange, 0, sp_slice_make(NULL, 0), sp_slice_make(NULL, 0),
                           &body.bytes);
    sp_body_fini(&body);
}

static void on_replied(struct sp_exchange *exchange)
{
    struct peer *peer = exchange->transport_cookie;
    if (exchange->handed_over) {
        exchange->next = peer->replies;
        peer->replies = exchange;
    } else {
        exchange->replied = true;
        sp_exchange_release(exchange);
    }
}

static void on_freed(void *cookie)
{
    (void)cookie;
}

static void retain(void *cookie)
{
    (void)cookie;
}

static uint64_t clock_ns(void *cookie)
{
    const struct peer *peer = cookie;
    return peer->now_ns;
}

/* ---- life ---- */

void peer_init(struct peer *peer,
               void (*change)(struct sp_net_limits *limits, size_t *budget_bytes))
{
    static const struct sp_exchange_transport transport = {.replied = on_replied,
                                                           .freed = on_freed};
    size_t budget_bytes = (size_t)64 << 20;
    memset(peer, 0, sizeof(*peer));
    peer->now_ns = START_NS;
    peer->options.limits = sp_net_limits_default();
    if (change)
        change(&peer->options.limits, &budget_bytes);
    sp_budget_init(&peer->budget, budget_bytes);
    peer->options.budget = &peer->budget;
    peer->options.handler =
        (struct sp_handler){.cookie = peer, .on_head = on_head, .on_request = on_request};
    static struct sp_clock clock;
    clock = (struct sp_clock){clock_ns, clock_ns, peer};
    peer->options.clock = &clock;
    peer->environment = (struct sp_h2_environment){
        .options = &peer->options,
        .counters = &peer->counters,
        .transport = &transport,
        .transport_cookie = peer,
        .retain_cookie = retain,
    };
    sp_buf_init(&peer->received, CAPTURE_MAX);
    sp_buf_init(&peer->fields, CAPTURE_MAX);
    sp_buf_init(&peer->block, CAPTURE_MAX);
    nghttp2_hd_inflater *inflater;
    ck_assert_int_eq(nghttp2_hd_inflate_new(&inflater), 0);
    peer->inflater = inflater;
    peer->session =
        sp_h2_session_new(&peer->environment, SP_SLICE("127.0.0.1:1"), peer, peer->now_ns);
    ck_assert_ptr_nonnull(peer->session);
}

void peer_fini(struct peer *peer)
{
    sp_h2_session_free(peer->session);
    for (size_t i = 0; i < peer->held_count; i++) {
        if (peer->held[i])
            sp_exchange_reply_grpc(peer->held[i], 0, sp_slice_make(NULL, 0), sp_slice_make(NULL, 0),
                                   NULL);
    }
    while (peer->replies) {
        struct sp_exchange *exchange = peer->replies;
        peer->replies = exchange->next;
        ck_assert_ptr_null(sp_h2_exchange_owner(exchange));
        sp_h2_exchange_send(exchange, peer->now_ns);
    }
    nghttp2_hd_inflate_del(peer->inflater);
    sp_buf_fini(&peer->received);
    sp_buf_fini(&peer->fields);
    sp_buf_fini(&peer->block);
    ck_assert_uint_eq(sp_budget_used(&peer->budget), 0);
    ck_assert_uint_eq(sp_counted(&peer->counters.requests_open), 0);
}

/* ---- what the server says ---- */

static void inflate(struct peer *peer, struct sp_slice block)
{
    int flags = 0;
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv field;
        ssize_t used =
            nghttp2_hd_inflate_hd2(peer->inflater, &field, &flags, block.ptr, block.len, 1);
        ck_assert_int_ge(used, 0);
        block = sp_slice_sub(block, (size_t)used, block.len);
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            sp_buf_printf(&peer->fields, "%.*s: %.*s\n", (int)field.namelen, (char *)field.name,
                          (int)field.valuelen, (char *)field.value);
    }
    nghttp2_hd_inflate_end_headers(peer->inflater);
    sp_buf_append_byte(&peer->fields, 0);
}

static void parse(struct peer *peer)
{
    while (peer->received.len - peer->parsed >= FRAME_HEAD) {
        const uint8_t *h = peer->received.ptr + peer->parsed;
        size_t len = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
        if (h[0] >= 0x40 || peer->received.len - peer->parsed < FRAME_HEAD + len)
            return; /* "HTTP/1.1 ..." is no frame */
        ck_assert_uint_lt(peer->frame_count, PEER_FRAMES_MAX);
        struct peer_frame *frame = &peer->frames[peer->frame_count++];
        *frame = (struct peer_frame){
            .type = h[3],
            .flags = h[4],
            .id =
                (int32_t)((uint32_t)h[5] << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8]),
            .at = peer->parsed + FRAME_HEAD,
            .len = len,
            .fields_at = peer->fields.len,
        };
        peer->parsed += FRAME_HEAD + len;
        if (frame->type == HEADERS)
            inflate(peer, peer_payload(peer, frame));
    }
}

void peer_pump(struct peer *peer)
{
    while (peer->replies) {
        struct sp_exchange *exchange = peer->replies;
        peer->replies = exchange->next;
        sp_h2_exchange_send(exchange, peer->now_ns);
    }
    sp_h2_session_send(peer->session, &peer->received, SIZE_MAX, peer->now_ns);
    parse(peer);
}

const struct peer_frame *peer_find(const struct peer *peer, int type, int32_t id, size_t nth)
{
    for (size_t i = 0; i < peer->frame_count; i++) {
        const struct peer_frame *frame = &peer->frames[i];
        if (frame->type == type && (id < 0 || frame->id == id) && nth-- == 0)
            return frame;
    }
    return NULL;
}

size_t peer_count(const struct peer *peer, int type, int32_t id)
{
    size_t count = 0;
    while (peer_find(peer, type, id, count))
        count++;
    return count;
}

struct sp_slice peer_payload(const struct peer *peer, const struct peer_frame *frame)
{
    return sp_slice_make(peer->received.ptr + frame->at, frame->len);
}

uint32_t peer_u32(const struct peer *peer, const struct peer_frame *frame, size_t at)
{
    ck_assert_uint_ge(frame->len, at + 4);
    const uint8_t *p = peer->received.ptr + frame->at + at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

const char *peer_value(const struct peer *peer, int32_t id, const char *name)
{
    static char value[VALUES_BYTES];
    value[0] = '\0';
    for (size_t n = 0; peer_find(peer, HEADERS, id, n); n++) {
        const char *line = (char *)peer->fields.ptr + peer_find(peer, HEADERS, id, n)->fields_at;
        for (; *line; line = strchr(line, '\n') + 1) {
            size_t len = strlen(name);
            if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0)
                snprintf(value, sizeof(value), "%.*s",
                         (int)(strchr(line, '\n') - line - (long)len - 2), line + len + 2);
        }
    }
    return value;
}

int peer_status(const struct peer *peer, int32_t id)
{
    const char *text = peer_value(peer, id, "grpc-status");
    return text[0] ? (int)strtol(text, NULL, 10) : -1;
}

int peer_goaway(const struct peer *peer)
{
    size_t count = peer_count(peer, GOAWAY, 0);
    return count > 0 ? (int)peer_u32(peer, peer_find(peer, GOAWAY, 0, count - 1), 4) : -1;
}

int peer_reset(const struct peer *peer, int32_t id)
{
    const struct peer_frame *frame = peer_find(peer, RST_STREAM, id, 0);
    return frame ? (int)peer_u32(peer, frame, 0) : -1;
}

/* ---- what we say ---- */

void peer_bytes(struct peer *peer, const void *bytes, size_t len)
{
    sp_h2_session_receive(peer->session, sp_slice_make(bytes, len), peer->now_ns);
    peer_pump(peer);
}

void peer_frame(struct peer *peer, int type, int flags, int32_t id, const void *payload, size_t len)
{
    uint32_t stream = (uint32_t)id;
    struct sp_buf frame;
    const uint8_t head[FRAME_HEAD] = {
        (uint8_t)(len >> 16),    (uint8_t)(len >> 8),    (uint8_t)len,
        (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream,
    };
    sp_buf_init(&frame, CAPTURE_MAX);
    sp_buf_append(&frame, head, sizeof(head));
    sp_buf_append(&frame, payload, len);
    peer_bytes(peer, frame.ptr, frame.len);
    sp_buf_fini(&frame);
}

void peer_open(struct peer *peer)
{
    static const char magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    peer_bytes(peer, magic, sizeof(magic) - 1);
    peer_frame(peer, SETTINGS, 0, 0, NULL, 0);
    peer_frame(peer, SETTINGS, ACK, 0, NULL, 0);
}

/* RFC 7541 5.1, behind a byte without bits of its own. */
static void append_length(struct sp_buf *out, size_t len)
{
    if (len < 127) {
        sp_buf_append_byte(out, (uint8_t)len);
        return;
    }
    sp_buf_append_byte(out, 127);
    for (len -= 127; len >= 128; len >>= 7)
        sp_buf_append_byte(out, (uint8_t)(len | 128));
    sp_buf_append_byte(out, (uint8_t)len);
}

void peer_field(struct peer *peer, const char *name, const char *value)
{
    sp_buf_append_byte(&peer->block, 0); /* literal, not indexed, new name */
    append_length(&peer->block, strlen(name));
    sp_buf_append_cstr(&peer->block, name);
    append_length(&peer->block, strlen(value));
    sp_buf_append_cstr(&peer->block, value);
}

void peer_call_fields(struct peer *peer, const char *path)
{
    peer_field(peer, ":method", "POST");
    peer_field(peer, ":scheme", "http");
    peer_field(peer, ":path", path);
    peer_field(peer, ":authority", "localhost");
    peer_field(peer, "content-type", "application/grpc");
    peer_field(peer, "te", "trailers");
}

void peer_headers(struct peer *peer, int flags, int32_t id)
{
    peer_frame(peer, HEADERS, flags | END_HEADERS, id, peer->block.ptr, peer->block.len);
    sp_buf_reset(&peer->block);
}

void peer_begin(struct peer *peer, int32_t id, const char *path)
{
    peer_call_fields(peer, path);
    peer_headers(peer, 0, id);
}

void peer_message(struct peer *peer, int flags, int32_t id, const char *message)
{
    size_t len = strlen(message);
    struct sp_buf bytes;
    const uint8_t prefix[5] = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                               (uint8_t)len};
    sp_buf_init(&bytes, CAPTURE_MAX);
    sp_buf_append(&bytes, prefix, sizeof(prefix));
    sp_buf_append(&bytes, message, len);
    peer_frame(peer, DATA, flags, id, bytes.ptr, bytes.len);
    sp_buf_fini(&bytes);
}

void peer_call(struct peer *peer, int32_t id, const char *path, const char *message)
{
    peer_begin(peer, id, path);
    peer_message(peer, END_STREAM, id, message);
}

void peer_wait(struct peer *peer, uint32_t ms)
{
    peer->now_ns += ms * NS_PER_MS;
    sp_h2_session_tick(peer->session, peer->now_ns);
    peer_pump(peer);
}
