/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/h2_peer.h: the client's end of a server session, frame by frame, for what no client library would send.
 * No socket and no clock: bytes go from hand to hand, and time is a number. */
#pragma once

#include "lib/net/h2_session.h"

/* RFC 9113 6 and 7. */
enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};
enum { END_STREAM = 0x1, ACK = 0x1, END_HEADERS = 0x4, PADDED = 0x8, WITH_PRIORITY = 0x20 };
enum {
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM
};

#define PEER_FRAMES_MAX 16384
#define PEER_HELD_MAX   64

struct peer_frame {
    uint8_t type, flags;
    int32_t id;
    size_t at, len;   /* of the payload, in peer.received */
    size_t fields_at; /* HEADERS: its fields as lines "name: value", in peer.fields */
};

struct peer {
    struct sp_server_options options;
    struct sp_server_counters counters;
    struct sp_budget budget;
    struct sp_h2_environment environment;
    struct sp_h2_session *session;
    uint64_t now_ns;
    struct sp_buf received, fields; /* everything the server sent */
    size_t parsed;
    struct peer_frame frames[PEER_FRAMES_MAX];
    size_t frame_count;
    void *inflater;
    struct sp_buf block;         /* the header block under construction */
    struct sp_exchange *replies; /* given by the handler, not yet sent */
    struct sp_exchange *held[PEER_HELD_MAX];
    size_t held_count, requests;
};

/* Paths that end in Head are refused by on_head, in Hold kept in held, all others echoed. change may alter limits. */
void peer_init(struct peer *peer,
               void (*change)(struct sp_net_limits *limits, size_t *budget_bytes));
void peer_fini(struct peer *peer); /* checks that the whole budget came back */

/* Magic, SETTINGS, and the ACK of the server's. */
void peer_open(struct peer *peer);

void peer_bytes(struct peer *peer, const void *bytes, size_t len);
void peer_frame(struct peer *peer, int type, int flags, int32_t id, const void *payload,
                size_t len);
void peer_field(struct peer *peer, const char *name, const char *value); /* added to block */
void peer_call_fields(struct peer *peer, const char *path);              /* those of a gRPC call */
void peer_headers(struct peer *peer, int flags, int32_t id); /* sends block, END_HEADERS added */

/* A call's head, and a whole call with one message. */
void peer_begin(struct peer *peer, int32_t id, const char *path);
void peer_call(struct peer *peer, int32_t id, const char *path, const char *message);
void peer_message(struct peer *peer, int flags, int32_t id, const char *message);

void peer_wait(struct peer *peer, uint32_t ms); /* time passes, tick */
void peer_pump(struct peer *peer);              /* replies and output are fetched */

/* The nth frame of that type on that stream (id -1: any), or NULL. */
const struct peer_frame *peer_find(const struct peer *peer, int type, int32_t id, size_t nth);
size_t peer_count(const struct peer *peer, int type, int32_t id);
struct sp_slice peer_payload(const struct peer *peer, const struct peer_frame *frame);
uint32_t peer_u32(const struct peer *peer, const struct peer_frame *frame, size_t at);

/* Value of a field in any header block or trailers of that stream; "" if there is none. */
const char *peer_value(const struct peer *peer, int32_t id, const char *name);
int peer_status(const struct peer *peer, int32_t id); /* grpc-status; -1: none */

/* The error code of the GOAWAY, or -1. */
int peer_goaway(const struct peer *peer);
int peer_reset(const struct peer *peer, int32_t id); /* the error code of the RST_STREAM, or -1 */
