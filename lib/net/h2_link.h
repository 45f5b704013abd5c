/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_link.h: one HTTP/2 connection, either end, without its socket: bytes in and out, events for what a peer means.
 * Hides nghttp2. Knows frames, and nothing of gRPC, exchanges, budgets or time. One thread owns a link. */
#pragma once

#include "lib/net/net.h"

/* RFC 9113 7; those that we send ourselves. */
#define SP_H2_NO_ERROR          0x0
#define SP_H2_INTERNAL_ERROR    0x2
#define SP_H2_REFUSED_STREAM    0x7
#define SP_H2_CANCEL            0x8
#define SP_H2_ENHANCE_YOUR_CALM 0xb

enum sp_h2_role { SP_H2_SERVER, SP_H2_CLIENT };

/* Calls from inside sp_h2_link_receive and sp_h2_link_send; each may be NULL. stream is what opened returned, or what
 * came with the request. */
struct sp_h2_events {
    /* A frame that carries no call has begun, or an empty DATA frame came. False: it is one too many, and the connection
     * ends with ENHANCE_YOUR_CALM. */
    bool (*idle_frame)(void *cookie);

    /* Server: the peer opened a stream. NULL refuses it for lack of memory. */
    void *(*opened)(void *cookie, int32_t id);

    void (*field)(void *stream, struct sp_slice name, struct sp_slice value);
    void (*head_ended)(void *stream); /* also of trailers */

    /* stream is NULL when it was closed. The server gives the window credit back by sp_h2_link_credit; the client's comes
     * back by itself. */
    void (*data)(void *cookie, void *stream, int32_t id, struct sp_slice bytes);

    void (*ended)(void *stream); /* the peer's side is whole */
    void (*sent)(void *stream);  /* our side is out */
    void (*closed)(void *stream, uint32_t error_code);
    void (*invalid)(void *cookie); /* the peer broke a rule, and is told so */

    /* Our side's body: copies what comes next. */
    size_t (*read_body)(void *stream, uint8_t *out, size_t room, bool *ret_all);
    /* And what follows it; 0: nothing. */
    size_t (*trailers)(void *stream, const struct sp_header **ret);
};

struct sp_h2_link;

/* events and limits are borrowed for the link's life. NULL: no memory. */
struct sp_h2_link *sp_h2_link_new(enum sp_h2_role role, const struct sp_net_limits *limits,
                                  const struct sp_h2_events *events, void *cookie);
void sp_h2_link_free(struct sp_h2_link *link); /* no event is sent for streams that are open */

void sp_h2_link_receive(struct sp_h2_link *link, struct sp_slice bytes);

/* Appends frames to out until it holds at_least bytes or nothing is due. */
void sp_h2_link_send(struct sp_h2_link *link, struct sp_buf *out, size_t at_least);

/* Nothing will come or go any more. */
bool sp_h2_link_done(const struct sp_h2_link *link);

/* Out of memory, or the peer is beyond HTTP/2: close without another word. */
bool sp_h2_link_failed(const struct sp_h2_link *link);

/* The functions below fail for lack of memory only, and then the link has failed. Fields are copied. */
void sp_h2_link_reply(struct sp_h2_link *link, int32_t id, const struct sp_header *fields,
                      size_t count, bool has_body, void *stream);
void sp_h2_link_request(struct sp_h2_link *link, const struct sp_header *fields, size_t count,
                        void *stream, int32_t *ret_id);
void sp_h2_link_reset(struct sp_h2_link *link, int32_t id, uint32_t error_code);
void sp_h2_link_credit(struct sp_h2_link *link, int32_t id, size_t bytes);
void sp_h2_link_credit_connection(struct sp_h2_link *link, size_t bytes);
void sp_h2_link_terminate(struct sp_h2_link *link, uint32_t error_code);

/* Drain: first announces it (GOAWAY with the highest stream id), later names the last stream that is served. */
void sp_h2_link_announce_drain(struct sp_h2_link *link);
void sp_h2_link_finish_drain(struct sp_h2_link *link);

/* Client: the peer takes no new requests (it sent GOAWAY, or stream ids are used up). */
bool sp_h2_link_is_closing(const struct sp_h2_link *link);
